import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { InputError } from '../index';
import { rejectionLine } from './module-file';
import { addPsCommand } from './ps';
import { addReplayCommand } from './replay';
import { addRunCommand } from './run';
import { addVerifyCommand } from './verify';

const PACKAGE: { readonly version: string } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);

const cli = new Command('ntps')
  .description("Windows NT's process and thread manager, emulated")
  .version(PACKAGE.version);
addReplayCommand(cli);
addRunCommand(cli);
addPsCommand(cli);
addVerifyCommand(cli);

process.on('unhandledRejection', (reason) => {
  const line = rejectionLine(reason);
  if (line === undefined) throw reason;
  console.error(`ntps: ${line}`);
  process.exitCode = 1;
});

/** What the library calls an option, the command spells otherwise. */
const inOptions = (message: string) =>
  message.replaceAll('raise liveThreads', 'raise --live-threads');

/** What the input or the file system is to blame for. A driver may throw the MachineError of another copy. */
const isExpected = (error: unknown): error is Error =>
  error instanceof InputError ||
  (error instanceof Error && (error.name === 'MachineError' || 'code' in error));

try {
  await cli.parseAsync();
} catch (error) {
  if (!isExpected(error)) throw error;
  console.error(`ntps: ${inOptions(error.message)}`);
  process.exitCode = 1;
}

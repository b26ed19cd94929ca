import { Command } from 'commander';
import { InputError, MachineError } from '../index';
import { addPsCommand } from './ps';
import { addReplayCommand } from './replay';
import { addRunCommand } from './run';
import { addVerifyCommand } from './verify';

const cli = new Command('ntps').description("Windows NT's process and thread manager, emulated");
addReplayCommand(cli);
addRunCommand(cli);
addPsCommand(cli);
addVerifyCommand(cli);

try {
  await cli.parseAsync();
} catch (error) {
  if (
    !(error instanceof InputError) &&
    !(error instanceof MachineError) &&
    !(error instanceof Error && 'code' in error)
  )
    throw error;
  console.error(`ntps: ${(error as Error).message}`);
  process.exitCode = 1;
}

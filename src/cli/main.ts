import { Command } from 'commander';
import { MachineError, RecordingError } from '../index';
import { addReplayCommand } from './replay';

const cli = new Command('ntps').description("Windows NT's process and thread manager, emulated");
addReplayCommand(cli);

try {
  await cli.parseAsync();
} catch (error) {
  if (
    !(error instanceof RecordingError) &&
    !(error instanceof MachineError) &&
    !(error instanceof Error && 'code' in error)
  )
    throw error;
  console.error(`ntps: ${(error as Error).message}`);
  process.exitCode = 1;
}

import type { Command } from 'commander';
import { type Policy, recordedFigures, replayRecording } from '../index';
import { openRecording } from './open';
import { integerOption, policyOption, processorCount, profileOption } from './options';
import { Progress } from './progress';
import { printReplay, replayJson } from './report';
import { TraceFile } from './trace-file';

interface ReplayFlags {
  readonly processors?: number;
  readonly profile: 'client' | 'server';
  readonly policy?: Policy;
  readonly top: number;
  readonly liveThreads?: number;
  readonly out?: string;
  readonly json?: boolean;
}

async function replayCommand(path: string, flags: ReplayFlags): Promise<void> {
  const input = await openRecording(path);
  const file = flags.out === undefined ? undefined : new TraceFile(flags.out);
  const progress = new Progress('reading and replaying', input.sizeBytes);
  const { processors, profile, policy, liveThreads } = flags;
  try {
    const replay = await replayRecording(input, {
      name: input.name,
      profile,
      ...(processors === undefined ? {} : { processors }),
      ...(policy === undefined ? {} : { policies: [policy] }),
      ...(flags.json === true ? {} : { top: flags.top }),
      ...(liveThreads === undefined ? {} : { liveThreads }),
      onStart: ([first]) => {
        if (first !== undefined) file?.record(first.machine, first.traceNames());
      },
      onProgress: () => progress.update(input.bytesRead),
    });
    file?.finish();
    progress.stop();
    const recorded = recordedFigures(replay.recording);
    if (flags.json === true) console.log(replayJson(recorded, replay));
    else printReplay(recorded, replay);
  } catch (error) {
    file?.discard();
    throw error;
  } finally {
    progress.stop();
  }
}

/** Registers `ntps replay`. */
export function addReplayCommand(cli: Command): void {
  cli
    .command('replay')
    .description(
      'replay a recorded Linux schedule (ftrace text, gzip or not, - for standard input) on the NT scheduler',
    )
    .argument('<recording>')
    .option(
      '--processors <n>',
      'processors of the machine; default: those of the recording',
      processorCount,
    )
    .addOption(profileOption())
    .addOption(policyOption('only this one; default: all three'))
    .option('--top <n>', 'processes and threads to list', integerOption(0, 1_000_000), 8)
    .option(
      '--live-threads <n>',
      'room for threads alive at once; default: 65536',
      integerOption(1, 1_000_000),
    )
    .option(
      '--out <file>',
      'write what the first policy did: .pftrace for the Perfetto UI, .csv for tables',
    )
    .option('--json', 'print everything as JSON')
    .action(replayCommand);
}

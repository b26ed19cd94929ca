import { type Command, Option } from 'commander';
import {
  MachineError,
  type Policy,
  recordedFigures,
  type Replay,
  replayRecording,
  STATUS,
} from '../index';
import { importDriver, LoadedDrivers } from './driver-file';
import { bugCheckLines, driverLine } from './events';
import { openRecording } from './open';
import {
  integerOption,
  liveThreadsOption,
  policyOption,
  processorCount,
  profileOption,
} from './options';
import { Progress } from './progress';
import { printReplay, replayJson } from './report';
import { TraceFile } from './trace-file';

interface ReplayFlags {
  readonly processors?: number;
  readonly profile: 'client' | 'server';
  readonly policy?: Policy;
  readonly top: number;
  readonly liveThreads?: number;
  readonly subsystem?: 'wsl';
  readonly driver?: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
}

/** Under which policies; undefined: all three. Drivers keep what they know: each has one machine. */
function policiesOf({ policy, driver }: ReplayFlags): readonly Policy[] | undefined {
  if (driver !== undefined) return [policy ?? 'nt'];
  return policy === undefined ? undefined : [policy];
}

/** Unloads the drivers, and says what has become of them; false if something went wrong. */
function endDrivers(loaded: LoadedDrivers, json: boolean): boolean {
  const unloading = loaded.unload();
  const { drivers } = loaded;
  const lines = [...drivers.map(driverLine), ...bugCheckLines(unloading)];
  if (!json) for (const line of lines) console.log(line);
  const failed = drivers.some(({ status }) => (status | 0) < 0 || status === STATUS.PENDING);
  return !failed && unloading?.reason !== 'bugcheck';
}

async function replayCommand(path: string, flags: ReplayFlags): Promise<void> {
  const { processors, profile, liveThreads, subsystem, driver = [] } = flags;
  if (driver.length > 0 && subsystem === undefined)
    throw new MachineError(
      'replay: --driver needs --subsystem wsl: only processes of a subsystem are told of',
    );
  const loaded = new LoadedDrivers(await Promise.all(driver.map(importDriver)));
  const input = await openRecording(path);
  const file = flags.out === undefined ? undefined : new TraceFile(flags.out);
  const progress = new Progress('reading and replaying', input.sizeBytes);
  const policies = policiesOf(flags);
  try {
    const replay = await replayRecording(input, {
      name: input.name,
      profile,
      ...(processors === undefined ? {} : { processors }),
      ...(policies === undefined ? {} : { policies }),
      ...(flags.json === true ? {} : { top: flags.top }),
      ...(liveThreads === undefined ? {} : { liveThreads }),
      ...(subsystem === undefined ? {} : { subsystem }),
      onStart: ([first]) => {
        if (first !== undefined) begin(first, file, loaded);
      },
      onProgress: () => progress.update(input.bytesRead),
    });
    file?.finish();
    progress.stop();
    const recorded = recordedFigures(replay.recording);
    if (flags.json === true) console.log(replayJson(recorded, replay));
    else printReplay(recorded, replay);
    if (driver.length > 0 && !endDrivers(loaded, flags.json === true)) process.exitCode = 1;
  } catch (error) {
    file?.discard();
    throw error;
  } finally {
    progress.stop();
  }
}

function begin(replay: Replay, file: TraceFile | undefined, loaded: LoadedDrivers): void {
  file?.record(replay.machine, replay.traceNames());
  loaded.load(replay.machine);
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
    .addOption(liveThreadsOption())
    .addOption(
      new Option(
        '--subsystem <subsystem>',
        'as processes of the Linux subsystem: forks, execs and exits go through its provider',
      ).choices(['wsl']),
    )
    .option('--driver <file...>', 'with --subsystem: drivers (JavaScript) that are told of them')
    .option(
      '--out <file>',
      'write what the first policy did: .pftrace for the Perfetto UI, .csv for tables',
    )
    .option('--json', 'print everything as JSON')
    .action(replayCommand);
}

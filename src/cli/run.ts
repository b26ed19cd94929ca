import type { Command } from 'commander';
import {
  MachineError,
  type Policy,
  runWorkload,
  type Workload,
  type WorkloadReport,
} from '../index';
import { runEvents } from './events';
import {
  integerOption,
  liveThreadsOption,
  policyOption,
  processorCount,
  profileOption,
  refuseIdle,
} from './options';
import { Progress } from './progress';
import { readWorkload } from './rtapp/read';
import { printWorkload, workloadJson } from './run-report';
import { isScene, runScene } from './scene';
import { textOf } from './text';
import { TraceFile } from './trace-file';

interface RunFlags {
  readonly processors?: number;
  readonly profile: 'client' | 'server';
  readonly policy?: Policy;
  readonly duration?: number;
  readonly timerResolution?: number;
  readonly liveThreads?: number;
  readonly maxEvents?: number;
  readonly top: number;
  readonly events?: string;
  readonly driver?: readonly string[];
  readonly host?: string;
  readonly export?: string;
  readonly out?: string;
  readonly json?: boolean;
}

async function runUnder(
  policy: Policy,
  workload: Workload,
  flags: RunFlags,
  file: TraceFile | undefined,
): Promise<WorkloadReport> {
  const total = workload.durationNs === undefined ? undefined : workload.durationNs / 1e6;
  const progress = new Progress(`running under ${policy}`, total);
  const { processors, profile, timerResolution, liveThreads, maxEvents } = flags;
  try {
    return await runWorkload(workload, {
      policy,
      profile,
      ...(processors === undefined ? {} : { processors }),
      ...(timerResolution === undefined ? {} : { timerResolutionNs: timerResolution * 1000 }),
      ...(liveThreads === undefined ? {} : { liveThreads }),
      ...(maxEvents === undefined ? {} : { maxEvents }),
      onStart: (machine, names) => file?.record(machine, names),
      onProgress: (nowNs) => progress.update(nowNs / 1e6),
    });
  } finally {
    progress.stop();
  }
}

const WORKLOAD = 'a workload';
const SCENE = 'a scene';
const EVENTS = '--events';

const GOES_WITH = {
  driver: [EVENTS],
  host: [EVENTS],
  export: [EVENTS],
  policy: [WORKLOAD],
  duration: [WORKLOAD],
  timerResolution: [WORKLOAD],
  liveThreads: [WORKLOAD],
  maxEvents: [WORKLOAD, SCENE],
  out: [WORKLOAD, SCENE],
  top: [WORKLOAD, EVENTS],
  json: [WORKLOAD, EVENTS],
};

async function runCommand(
  path: string | undefined,
  flags: RunFlags,
  command: Command,
): Promise<void> {
  const { events } = flags;
  if (events !== undefined) {
    if (path !== undefined) throw new MachineError('run: give a workload or --events, not both');
    refuseIdle(command, EVENTS, GOES_WITH);
    await runEvents({ ...flags, events });
    return;
  }
  if (path === undefined)
    throw new MachineError('run: give a workload or a scene, or events with --events');
  const scene = isScene(path);
  refuseIdle(command, scene ? SCENE : WORKLOAD, GOES_WITH);
  if (scene) await runScene(path, flags);
  else await runWorkloadFile(path, flags);
}

async function runWorkloadFile(path: string, flags: RunFlags): Promise<void> {
  const read = readWorkload(await textOf(path), path === '-' ? '<stdin>' : path);
  const workload: Workload =
    flags.duration === undefined ? read : { ...read, durationNs: flags.duration * 1e9 };
  const policies: readonly Policy[] =
    flags.policy === undefined ? ['nt', 'fifo', 'rr'] : [flags.policy];
  const file = flags.out === undefined ? undefined : new TraceFile(flags.out);
  const reports: WorkloadReport[] = [];
  try {
    for (const policy of policies) {
      const recording = policy === policies[0] ? file : undefined;
      reports.push(await runUnder(policy, workload, flags, recording));
    }
    file?.finish();
  } catch (error) {
    file?.discard();
    throw error;
  }
  if (flags.json === true) console.log(workloadJson(workload, reports));
  else printWorkload(workload, reports, flags.top);
}

/** Registers `ntps run`. */
export function addRunCommand(cli: Command): void {
  cli
    .command('run')
    .description(
      'run an rt-app workload (JSON, - for standard input) on the NT scheduler, a scene (JavaScript), or replay recorded process events',
    )
    .option(
      '--events <file>',
      'Sysmon or Security events as JSON (gzip or ZIP too), instead of a workload',
    )
    .option('--driver <file...>', 'with --events: drivers (JavaScript) that are told of them')
    .option('--host <name>', 'with --events: of several machines, which')
    .option('--export <file>', 'with --events: write what callbacks told, as events')
    .argument('[workload]')
    .option(
      '--processors <n>',
      'processors of the machine; default: 4, or what "cpus" in the workload need',
      processorCount,
    )
    .addOption(profileOption())
    .addOption(policyOption('only this one; default: all three'))
    .option('--duration <seconds>', "instead of the workload's own", integerOption(1, 9_007_199))
    .option(
      '--timer-resolution <microseconds>',
      'sleeps and timers end at multiples of it; default: the clock interval, 15625',
      integerOption(500, 15_625),
    )
    .addOption(liveThreadsOption())
    .option(
      '--max-events <n>',
      'steps after which a run ends in any case; default: 100000000',
      integerOption(1, Number.MAX_SAFE_INTEGER),
    )
    .option('--top <n>', 'tasks and threads to list', integerOption(0, 1_000_000), 20)
    .option(
      '--out <file>',
      'write what the first policy did: .pftrace for the Perfetto UI, .csv for tables',
    )
    .option('--json', 'print everything as JSON')
    .action(runCommand);
}

import type { Command } from 'commander';
import {
  type InspectedCallbacks,
  type InspectedHandle,
  type InspectedProcess,
  inspectCallbacks,
  inspectHandles,
  inspectProcess,
  type Machine,
  MachineError,
  replayEvents,
  runWorkload,
} from '../index';
import { importDriver, LoadedDrivers } from './driver-file';
import { readEventFile } from './events-input';
import {
  integerOption,
  liveThreadsOption,
  processorCount,
  profileOption,
  refuseIdle,
} from './options';
import { callbackLines, handleLines, processHead, processLines } from './ps-text';
import { milliseconds } from './report';
import { readWorkload } from './rtapp/read';
import { textOf } from './text';

interface PsFlags {
  readonly at?: number;
  readonly events?: string;
  readonly driver?: readonly string[];
  readonly host?: string;
  readonly callbacks?: boolean;
  readonly process?: number;
  readonly brief?: boolean;
  readonly handles?: boolean;
  readonly processors?: number;
  readonly liveThreads?: number;
  readonly profile: 'client' | 'server';
  readonly json?: boolean;
}

/** The machine as it stands when recorded events have happened again, under drivers. */
async function machineAfter(events: string, flags: PsFlags): Promise<Machine> {
  const loaded = new LoadedDrivers(await Promise.all((flags.driver ?? []).map(importDriver)));
  const recording = await readEventFile(events, flags.host);
  let machine: Machine | undefined;
  const { profile, processors } = flags;
  await replayEvents(recording, {
    profile,
    ...(processors === undefined ? {} : { processors }),
    onStart: (started) => {
      machine = started;
      loaded.load(started);
    },
  });
  return machine as Machine;
}

/** The machine as it stands when a workload has run for so long. */
async function machineAt(path: string, flags: PsFlags): Promise<Machine> {
  const workload = readWorkload(await textOf(path), path === '-' ? '<stdin>' : path);
  let machine: Machine | undefined;
  const { profile, processors, liveThreads, at = DEFAULT_AT_MS } = flags;
  await runWorkload(
    { ...workload, durationNs: at * 1e6 },
    {
      profile,
      ...(processors === undefined ? {} : { processors }),
      ...(liveThreads === undefined ? {} : { liveThreads }),
      onStart: (started) => {
        machine = started;
      },
    },
  );
  return machine as Machine;
}

/** Of a workload, ms. */
const DEFAULT_AT_MS = 1000;

interface Shown extends InspectedProcess {
  /** Absent: not asked for. */
  readonly handles?: readonly InspectedHandle[];
}

/** Children behind and below their parents; who has none here is at the left. */
function tree(processes: readonly Shown[]): [depth: number, Shown][] {
  const ids = new Set(processes.map(({ processId }) => processId));
  const below = (parent: number, depth: number): [number, Shown][] =>
    processes
      .filter(({ parentProcessId: id, processId }) =>
        depth === 0 ? !ids.has(id) || id === processId : id === parent && id !== processId,
      )
      .flatMap((process) => [
        [depth, process] as [number, Shown],
        ...below(process.processId, depth + 1),
      ]);
  return below(0, 0);
}

function print(machine: Machine, processes: readonly Shown[], brief: boolean): void {
  const { now, profile } = machine;
  for (const [depth, process] of tree(processes)) {
    const indent = '    '.repeat(brief ? depth : 0);
    const lines = brief
      ? processHead(process)
      : processLines(process, now, profile.clockIntervalNs);
    if (process.handles !== undefined) lines.push(...handleLines(process.handles));
    console.log(lines.map((line) => `${indent}${line}`.trimEnd()).join('\n'));
  }
}

const WORKLOAD = 'a workload';
const EVENTS = '--events';

const GOES_WITH = { at: [WORKLOAD], liveThreads: [WORKLOAD], driver: [EVENTS], host: [EVENTS] };

async function machineOf(
  path: string | undefined,
  flags: PsFlags,
  command: Command,
): Promise<Machine> {
  const { events } = flags;
  if (events !== undefined) {
    if (path !== undefined) throw new MachineError('ps: give a workload or --events, not both');
    refuseIdle(command, EVENTS, GOES_WITH);
    return machineAfter(events, flags);
  }
  if (path === undefined) throw new MachineError('ps: give a workload, or events with --events');
  refuseIdle(command, WORKLOAD, GOES_WITH);
  return machineAt(path, flags);
}

async function psCommand(
  path: string | undefined,
  flags: PsFlags,
  command: Command,
): Promise<void> {
  const machine = await machineOf(path, flags, command);
  const processes = [...machine.allProcesses()]
    .map((process) => ({
      ...inspectProcess(process),
      ...(flags.handles === true ? { handles: inspectHandles(process) } : {}),
    }))
    .filter(({ processId }) => flags.process === undefined || processId === flags.process);
  if (processes.length === 0)
    throw new MachineError(
      `ps: there is no process ${flags.process} at ${milliseconds(machine.now)} ms; --brief without --process lists those that there are`,
    );
  const callbacks: InspectedCallbacks | undefined =
    flags.callbacks === true ? inspectCallbacks(machine) : undefined;
  if (flags.json === true) {
    console.log(JSON.stringify({ nowNs: machine.now, processes, callbacks }, null, 2));
    return;
  }
  print(machine, processes, flags.brief === true);
  if (callbacks !== undefined) console.log(callbackLines(callbacks).join('\n'));
}

/** Registers `ntps ps`. */
export function addPsCommand(cli: Command): void {
  cli
    .command('ps')
    .description(
      'show the processes and threads of a run as a kernel debugger does (!process 0 7), at a time of it',
    )
    .argument('[workload]', 'rt-app workload (JSON, - for standard input)')
    .option(
      '--at <ms>',
      'virtual time of a workload; default: 1000',
      integerOption(0, 9_007_199_254),
    )
    .option('--events <file>', 'show what recorded process events leave, instead of a workload')
    .option('--driver <file...>', 'with --events: drivers (JavaScript) that are told of them')
    .option('--host <name>', 'with --events: of several machines, which')
    .option('--callbacks', 'what drivers have registered, too')
    .option('--process <id>', 'only this one', integerOption(0, 0x7fffffff))
    .option('--brief', 'processes only, children below their parents (!process 0 0)')
    .option('--handles', 'the handles of each process too (!handle)')
    .option('--processors <n>', 'processors of the machine', processorCount)
    .addOption(profileOption())
    .addOption(liveThreadsOption())
    .option('--json', 'print everything as JSON')
    .action(psCommand);
}

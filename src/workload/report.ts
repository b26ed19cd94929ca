import type { RunResult } from '../machine/result';
import type { ScheduleTally, ThreadTally } from './figures';
import { Histogram } from './histogram';
import type { SubsystemCounts } from './linux-replay';
import type { Policy } from './policy';
import type { Replay } from './replay';
import type { RecordedProcess, RecordingSummary, ThreadFigures } from './summary';

/** How long threads were ready before they ran, ns; quantiles within 2 %. */
export interface ReadyFigures {
  readonly count: number;
  readonly sumNs: number;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly maxNs: number;
}

/** What a schedule did to a thread, to a process, or to all. */
export interface ScheduleReport {
  readonly runNs: number;
  readonly ready: ReadyFigures;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  readonly migrations: number;
}

export interface RunReport extends ScheduleReport {
  /** Lifted after a wait. */
  readonly boosts: number;
  /** Lifted by the balance-set manager. */
  readonly starvationBoosts: number;
}

export interface ThreadReport {
  readonly name: string;
  readonly tid: number;
  readonly process: string;
  readonly recorded: ScheduleReport;
  readonly replayed: RunReport;
  /** Whether it came to its end, or to the end of what was recorded of it. */
  readonly ended: boolean;
}

export interface ProcessReport {
  readonly name: string;
  readonly tgid: number;
  readonly threads: number;
  readonly recorded: ScheduleReport;
  readonly replayed: RunReport;
}

export interface ProcessorReport {
  readonly processor: number;
  readonly busyNs: number;
  readonly interruptNs: number;
  readonly overheadNs: number;
  readonly contextSwitches: number;
  /** Share of the time up to the end of the replay that threads ran, 0-1. */
  readonly utilisation: number;
}

/** What the provider of the subsystem was told, and what of its kind the recording does not have. */
export interface SubsystemReport extends SubsystemCounts {
  readonly notRecorded: readonly ('forks' | 'execs' | 'exits')[];
}

/** One policy's schedule of a recording. */
export interface ReplayReport {
  readonly policy: Policy;
  /** 'idle': nothing was left to do. */
  readonly stopped: RunResult['reason'];
  /** When the last thread left its processor, ns. */
  readonly endNs: number;
  readonly overall: RunReport;
  readonly processes: readonly ProcessReport[];
  /** In the order in which the recording names them. */
  readonly threads: readonly ThreadReport[];
  readonly processors: readonly ProcessorReport[];
  /** Threads that wait for ever, as they did when the recording ended. */
  readonly waiting: number;
  /** Ended threads whose run time differs from what was recorded: 0, or ntps has a defect. */
  readonly notConserved: number;
  /** Words of instructions that were read ahead of their threads, at the most. */
  readonly backlogWordsMax: number;
  /** What the provider of the subsystem was told; undefined: the recording was of none. */
  readonly subsystem?: SubsystemReport;
  readonly digest: string;
}

function readyFigures(ready: Histogram): ReadyFigures {
  return {
    count: ready.count,
    sumNs: ready.sum,
    p50Ns: ready.quantile(0.5),
    p90Ns: ready.quantile(0.9),
    p99Ns: ready.quantile(0.99),
    maxNs: ready.max,
  };
}

/** Adds up the figures of some threads. */
export function addUp(tallies: readonly ScheduleTally[]): ScheduleReport {
  const [only] = tallies;
  let { ready } = only ?? { ready: new Histogram() };
  if (tallies.length > 1) {
    ready = new Histogram();
    for (const tally of tallies) ready.merge(tally.ready);
  }
  const sum = (figure: Exclude<keyof ScheduleTally, 'ready'>) =>
    tallies.reduce((total, tally) => total + tally[figure], 0);
  return {
    runNs: sum('runNs'),
    ready: readyFigures(ready),
    voluntarySwitches: sum('voluntarySwitches'),
    involuntarySwitches: sum('involuntarySwitches'),
    migrations: sum('migrations'),
  };
}

/** Adds up the figures of some threads of a run. */
export function addUpRun(tallies: readonly ThreadTally[]): RunReport {
  return {
    ...addUp(tallies),
    boosts: tallies.reduce((total, tally) => total + tally.boosts, 0),
    starvationBoosts: tallies.reduce((total, tally) => total + tally.starvationBoosts, 0),
  };
}

/** The recording's own figures over all threads. */
export function recordedFigures(recording: RecordingSummary): ScheduleReport {
  return addUp(recording.threads);
}

/** The processors of a machine up to `endNs`. */
export function processorReports(
  replay: Pick<Replay, 'machine'>,
  endNs: number,
): ProcessorReport[] {
  return Array.from({ length: replay.machine.processorCount }, (_, processor) => {
    const { busyNs, interruptNs, overheadNs, contextSwitches } =
      replay.machine.processorTimes(processor);
    const utilisation = endNs === 0 ? 0 : busyNs / endNs;
    return { processor, busyNs, interruptNs, overheadNs, contextSwitches, utilisation };
  });
}

/** Indices of all, or of the `top` that ran longest in the recording. */
function selection(runNs: readonly number[], top: number): number[] {
  const all = runNs.map((_, index) => index);
  if (top >= all.length) return all;
  return all.sort((a, b) => (runNs[b] as number) - (runNs[a] as number) || a - b).slice(0, top);
}

/**
 * What a finished replay came to, beside the recording's own figures: of all processes and threads,
 * or of the `top` that ran longest in the recording, these first.
 */
export function reportReplay(
  replay: Replay,
  recording: RecordingSummary,
  top = Number.POSITIVE_INFINITY,
): ReplayReport {
  const replayed = replay.threads;
  const endNs = Math.max(0, replay.figures.lastSwitchNs - replay.beginNs);
  const { subsystem } = replay;
  return {
    policy: replay.policy,
    stopped: 'idle',
    endNs,
    overall: addUpRun(replay.figures.threads),
    processes: processReports(replay, recording, top),
    threads: threadReports(replay, recording, top),
    processors: processorReports(replay, endNs),
    waiting: replayed.filter(({ tally }) => tally?.ended === false).length,
    notConserved: replayed.filter(
      ({ tally, computeNs, dropped }) =>
        tally?.ended === true && !dropped && tally.runNs !== computeNs,
    ).length,
    backlogWordsMax: replay.backlogMax,
    ...(subsystem === undefined
      ? {}
      : { subsystem: { ...subsystem, notRecorded: notRecorded(recording) } }),
    digest: replay.machine.digest,
  };
}

/** The kinds of events that a recording has none of; without exits, tasks that leave for good are ends too. */
function notRecorded({ events }: RecordingSummary): SubsystemReport['notRecorded'] {
  const kinds = [
    ['forks', ['sched_process_fork', 'sched_wakeup_new']],
    ['execs', ['sched_process_exec']],
    ['exits', ['sched_process_exit']],
  ] as const;
  return kinds.filter(([, names]) => !names.some((name) => events.has(name))).map(([kind]) => kind);
}

const processName = ({ name, leader }: RecordedProcess) => leader?.name ?? name;

function processReports(replay: Replay, recording: RecordingSummary, top: number): ProcessReport[] {
  const runNs = recording.processes.map(({ threads }) =>
    threads.reduce((sum, thread) => sum + (recording.threads[thread]?.runNs ?? 0), 0),
  );
  return selection(runNs, top).map((index) => {
    const process = recording.processes[index] as RecordedProcess;
    const { tgid, threads } = process;
    return {
      name: processName(process),
      tgid,
      threads: threads.length,
      recorded: addUp(threads.flatMap((thread) => recording.threads[thread] ?? [])),
      replayed: addUpRun(threads.flatMap((thread) => replay.threads[thread]?.tally ?? [])),
    };
  });
}

function threadReports(replay: Replay, recording: RecordingSummary, top: number): ThreadReport[] {
  const runNs = recording.threads.map((thread) => thread.runNs);
  return selection(runNs, top).map((index) => {
    const recorded = recording.threads[index] as ThreadFigures;
    const process = recording.processes[recorded.process];
    const tally = replay.threads[index]?.tally;
    return {
      name: recorded.name,
      tid: recorded.tid,
      process: process === undefined ? '' : processName(process),
      recorded: addUp([recorded]),
      replayed: addUpRun(tally === undefined ? [] : [tally]),
      ended: tally?.ended === true,
    };
  });
}

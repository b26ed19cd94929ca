import { Machine } from '../../machine/machine';
import { requireInteger } from '../../machine/profile';
import type { TraceNames } from '../../machine/records';
import type { RunResult } from '../../machine/result';
import type { KProcess } from '../../machine/views';
import { WorkloadError } from '../errors';
import type { ThreadTally } from '../figures';
import { BASELINE_PRIORITY, POLICIES, type Policy } from '../policy';
import { addUpRun, type ProcessorReport, processorReports, type RunReport } from '../report';
import { checkWorkload } from './check';
import { levelOf, roomFor, WorkloadCompiler } from './compile';
import { eventsOf, type Task, type Workload, type WorkloadNote } from './model';
import { WorkloadThreads } from './threads';

const LIVE_THREADS = 65_536;
const MAX_EVENTS = 100_000_000;
const PROCESSORS = 4;
/** Steps without a computation, a sleep or a limited wait anywhere: threads that only hand a lock round. */
const LIVELOCK_STEPS = 5_000_000;
/** The host looks up from a run so many times. */
const SLICES = 200;

export interface WorkloadOptions {
  /** 1-2048. Default: 4, or what the workload's "cpus" need. */
  readonly processors?: number;
  readonly profile?: 'client' | 'server';
  readonly policy?: Policy;
  /** What a sleep or a timer is rounded up to, ns. Default: the profile's clock interval. */
  readonly timerResolutionNs?: number;
  /** Threads alive at once, at most. Default 65,536. */
  readonly liveThreads?: number;
  /** Steps after which the run ends, whatever is left to do. Default 100,000,000. */
  readonly maxEvents?: number;
  /** Called when the machine stands, before anything runs: for trace writers. */
  readonly onStart?: (machine: Machine, names: TraceNames) => void;
  /** Called now and then with the virtual time, ns. */
  readonly onProgress?: (nowNs: number) => void;
}

export interface WorkloadThreadReport {
  /** Its task's, and its number among the threads at the start or among the task's forks. */
  readonly name: string;
  readonly task: string;
  readonly forked: boolean;
  /** NT's level at its start. */
  readonly priority: number;
  readonly figures: RunReport;
  /** Whether it came to its end. */
  readonly ended: boolean;
}

export interface WorkloadTaskReport {
  readonly name: string;
  readonly threads: number;
  readonly figures: RunReport;
}

/** A thread that waits for ever. */
export interface WaitingThread {
  readonly name: string;
  readonly waitsFor: string;
}

/** One policy's schedule of a workload. */
export interface WorkloadReport {
  readonly policy: Policy;
  /** 'time': the duration is over. 'idle': nothing was left to do. */
  readonly stopped: RunResult['reason'];
  /** The duration, or when the last thread left its processor, ns. */
  readonly endNs: number;
  readonly overall: RunReport;
  readonly tasks: readonly WorkloadTaskReport[];
  /** In order of their start. */
  readonly threads: readonly WorkloadThreadReport[];
  readonly processors: readonly ProcessorReport[];
  /** Sleeps and timers ended at multiples of it, ns. */
  readonly timerResolutionNs: number;
  /** Threads that wait for what nobody can do any more, when nothing was left to do. */
  readonly waiting: readonly WaitingThread[];
  /** Forks for which there was no room. */
  readonly failedForks: number;
  /** What is no error, and looks as if something else was meant. */
  readonly notes: readonly WorkloadNote[];
  readonly digest: string;
}

/** The processors that a workload names, plus one; at least 4. */
function processorsFor(workload: Workload): number {
  const named = workload.tasks.flatMap(({ cpus = [], phases }) => [
    ...cpus,
    ...phases.flatMap((phase) => phase.cpus ?? []),
  ]);
  return named.reduce((most, cpu) => Math.max(most, cpu + 1), PROCESSORS);
}

/** A workload on its way through one machine. */
class WorkloadRun {
  readonly threads: WorkloadThreads;
  readonly #compiler: WorkloadCompiler;

  constructor(
    private readonly machine: Machine,
    private readonly process: KProcess,
    private readonly workload: Workload,
    private readonly policy: Policy,
  ) {
    this.threads = new WorkloadThreads(machine, process.name, workload);
    this.#compiler = new WorkloadCompiler(machine, process, workload, policy);
  }

  /** Makes the threads that are there from the start. */
  start(): void {
    for (const task of this.workload.tasks) {
      for (let instance = 0; instance < task.instances; instance++) {
        this.#start(task);
        // The ring waits for its reader only while the machine runs.
        if (this.threads.made % 1000 === 0) this.machine.trace.drain();
      }
    }
  }

  #start(task: Task): void {
    const { cpus } = task;
    const level = levelOf(task.linuxPriority, this.policy);
    const thread = this.process.createThread(this.#compiler.started(task), {
      name: this.threads.make(task),
      increment: level >= 16 ? 0 : level - BASELINE_PRIORITY,
      start: false,
      ...(cpus === undefined ? {} : { affinity: this.#compiler.mask(cpus, task.place) }),
    });
    if (level >= 16) thread.setPriority(level);
    thread.start();
    thread.close();
  }

  run(options: WorkloadOptions): RunResult {
    const { machine } = this;
    const { durationNs } = this.workload;
    const limit = options.maxEvents ?? MAX_EVENTS;
    const slice = durationNs === undefined ? undefined : Math.ceil(durationNs / SLICES);
    for (;;) {
      const until =
        slice === undefined ? undefined : Math.min(durationNs as number, machine.now + slice);
      const maxEvents = limit - machine.steps;
      const result = machine.run({ maxEvents, ...(until === undefined ? {} : { until }) });
      machine.trace.drain();
      options.onProgress?.(machine.now);
      if (result.reason === 'time' && until !== durationNs) continue;
      return result;
    }
  }

  report(result: RunResult, notes: readonly WorkloadNote[]): WorkloadReport {
    const { machine, policy } = this;
    const { figures } = this.threads;
    figures.finish(machine);
    const endNs = result.reason === 'idle' ? figures.lastSwitchNs : machine.now;
    const all = this.threads.named();
    const byTask = new Map<Task, ThreadTally[]>(this.workload.tasks.map((task) => [task, []]));
    for (const { task, tally } of all) byTask.get(task)?.push(tally);
    return {
      policy,
      stopped: result.reason,
      endNs,
      overall: addUpRun(figures.threads),
      tasks: [...byTask].map(([{ name }, tallies]) => ({
        name,
        threads: tallies.length,
        figures: addUpRun(tallies),
      })),
      threads: all.map(({ tally, task, name, forked }) => ({
        name,
        task: task.name,
        forked,
        priority: levelOf(task.linuxPriority, policy),
        figures: addUpRun([tally]),
        ended: tally.ended,
      })),
      processors: processorReports({ machine }, endNs),
      timerResolutionNs: machine.profile.timerResolutionNs,
      waiting: this.#waiting(result),
      failedForks: machine.sharedWord(this.#compiler.failedForksWord),
      notes,
      digest: machine.digest,
    };
  }

  #waiting(result: RunResult): WaitingThread[] {
    if (result.reason !== 'idle') return [];
    return result.waiting.map(({ name, waitsFor = '', waitObject = 0 }) => ({
      name,
      waitsFor: this.#compiler.names.get(waitObject) ?? waitsFor,
    }));
  }
}

/**
 * Runs a workload on a machine of its own: one process, each task's threads in the order of the
 * file, all of them there at time 0. Priorities are NT's levels by `mapPriority`; with the policies
 * 'fifo' and 'rr' they play no part.
 *
 * @throws WorkloadError for what cannot work (see `checkWorkload`) or does not fit the machine;
 *   MachineError for options out of range.
 */
export async function runWorkload(
  workload: Workload,
  options: WorkloadOptions = {},
): Promise<WorkloadReport> {
  const notes = [...workload.notes, ...checkWorkload(workload)];
  const policy = options.policy ?? 'nt';
  const threads = requireInteger('liveThreads', options.liveThreads ?? LIVE_THREADS, 1, 1_000_000);
  requireInteger('maxEvents', options.maxEvents ?? MAX_EVENTS, 1, Number.MAX_SAFE_INTEGER);
  const started = workload.tasks.reduce((sum, { instances }) => sum + instances, 0);
  if (started > threads) {
    const { line, column } = workload.tasks[0]?.place ?? { line: 0, column: 0 };
    throw new WorkloadError(
      workload.name,
      line,
      column,
      `the tasks have ${started} threads, and there is room for ${threads}`,
      'lower "instance", or raise liveThreads',
    );
  }
  const forks = workload.tasks.some((task) =>
    [...eventsOf(task)].some(({ kind }) => kind === 'fork'),
  );
  const machine = await Machine.create({
    processors: options.processors ?? processorsFor(workload),
    profile: {
      product: options.profile ?? 'client',
      ...POLICIES[policy],
      ...(options.timerResolutionNs === undefined
        ? {}
        : { timerResolutionNs: options.timerResolutionNs }),
    },
    capacities: { ...roomFor(workload), threads: (forks ? threads : started) + 16 },
    trace: { whenFull: 'drain' },
    livelockSteps: LIVELOCK_STEPS,
  });
  const process = machine.createProcess({ name: workload.name.split('/').at(-1) ?? '' });
  const run = new WorkloadRun(machine, process, workload, policy);
  options.onStart?.(machine, run.threads.traceNames());
  run.start();
  return run.report(run.run(options), notes);
}

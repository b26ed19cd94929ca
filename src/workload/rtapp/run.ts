import { Machine } from '../../machine/machine';
import { requireInteger } from '../../machine/profile';
import type { RunResult, ThreadLeft } from '../../machine/result';
import type { KProcess } from '../../machine/views';
import { WorkloadError } from '../errors';
import { ScheduleFigures, type ThreadTally } from '../figures';
import { BASELINE_PRIORITY, POLICIES, type Policy } from '../policy';
import { addUpRun, type ProcessorReport, processorReports, type RunReport } from '../report';
import { checkWorkload } from './check';
import { levelOf, roomFor, WorkloadCompiler } from './compile';
import { eventsOf, type Task, type Workload, type WorkloadNote } from './model';

const LIVE_THREADS = 65_536;
const MAX_EVENTS = 1_000_000_000;
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
  /** Steps after which the run ends, whatever is left to do. Default 1,000,000,000. */
  readonly maxEvents?: number;
  /** Called when the machine stands, before anything runs: for trace writers. */
  readonly onStart?: (machine: Machine) => void;
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
  /** Threads that wait for what nobody can do any more; none when the duration ended the run. */
  readonly waiting: readonly WaitingThread[];
  /** Forks for which there was no room. */
  readonly failedForks: number;
  /** What is no error, and looks as if something else was meant. */
  readonly notes: readonly WorkloadNote[];
  readonly digest: string;
}

interface Thread {
  readonly task: Task;
  /** Among the threads at the start; -1: it was forked. */
  readonly number: number;
}

interface NamedThread {
  readonly tally: ThreadTally;
  readonly task: Task;
  readonly name: string;
  readonly forked: boolean;
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
  readonly figures = new ScheduleFigures({
    start: (tally) => this.#started(tally),
    mark: (tally, value) => this.#forked(tally, this.workload.tasks[value] as Task),
  });
  readonly #threads = new Map<ThreadTally, Thread>();
  readonly #unclaimed: Thread[] = [];
  readonly #compiler: WorkloadCompiler;

  constructor(
    private readonly machine: Machine,
    process: KProcess,
    private readonly workload: Workload,
    private readonly policy: Policy,
  ) {
    this.#compiler = new WorkloadCompiler(machine, process, workload, policy);
    machine.trace.subscribe((batch) => this.figures.add(batch));
    for (const task of workload.tasks) {
      for (let instance = 0; instance < task.instances; instance++) {
        this.#start(process, task);
        // The ring waits for its reader only while the machine runs.
        if (this.#unclaimed.length % 1000 === 0) machine.trace.drain();
      }
    }
  }

  #start(process: KProcess, task: Task): void {
    const name = `${task.name}-${this.#unclaimed.length}`;
    const level = levelOf(task.linuxPriority, this.policy);
    const thread = process.createThread(this.#compiler.started(task), {
      name,
      increment: level >= 16 ? 0 : level - BASELINE_PRIORITY,
      start: false,
      ...(task.cpus === undefined ? {} : { affinity: this.#compiler.mask(task.cpus, task.place) }),
    });
    if (level >= 16) thread.setPriority(level);
    thread.start();
    thread.close();
    this.#unclaimed.push({ task, number: this.#unclaimed.length });
  }

  /** Threads start in the trace in the order in which they were made; those that follow are forks. */
  #started(tally: ThreadTally): void {
    const first = this.#unclaimed[this.#threads.size];
    if (first !== undefined) this.#threads.set(tally, first);
  }

  /** A forked thread marks its first step with the number of its task. */
  #forked(tally: ThreadTally, task: Task): void {
    this.#threads.set(tally, { task, number: -1 });
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
    const { machine, policy, figures } = this;
    figures.finish(machine);
    this.#claimUnseen();
    const endNs = result.reason === 'idle' ? figures.lastSwitchNs : machine.now;
    const all = this.#named();
    return {
      policy,
      stopped: result.reason,
      endNs,
      overall: addUpRun(figures.threads),
      tasks: this.workload.tasks.map((task) => {
        const own = all.flatMap((thread) => (thread.task === task ? [thread.tally] : []));
        return { name: task.name, threads: own.length, figures: addUpRun(own) };
      }),
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

  /** The threads in order of their start, forks with their number among those of their task. */
  #named(): NamedThread[] {
    const forks = new Map<Task, number>();
    return this.figures.threads.flatMap((tally): NamedThread[] => {
      const thread = this.#threads.get(tally);
      if (thread === undefined) return [];
      const { task, number } = thread;
      if (number >= 0) return [{ tally, task, name: `${task.name}-${number}`, forked: false }];
      const fork = forks.get(task) ?? 0;
      forks.set(task, fork + 1);
      return [{ tally, task, name: `${task.name}-fork-${fork}`, forked: true }];
    });
  }

  /** Forked threads that have not run yet have left no mark: their program tells their task. */
  #claimUnseen(): void {
    for (const tally of this.figures.threads) {
      if (this.#threads.has(tally)) continue;
      const name = this.machine.thread(tally.index)?.name;
      const task = this.workload.tasks.find((candidate) => candidate.name === name);
      if (task !== undefined) this.#forked(tally, task);
    }
  }

  #waiting(result: RunResult): WaitingThread[] {
    let left: readonly ThreadLeft[] = [];
    if (result.reason === 'idle') left = result.waiting;
    else if (result.reason === 'livelock') left = result.threads;
    return left.map(({ name, waitsFor, waitObject, state }) => ({
      name,
      waitsFor: this.#compiler.names.get(waitObject ?? 0) ?? waitsFor ?? `nothing (${state})`,
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
  const process = machine.createProcess({ name: workload.name });
  options.onStart?.(machine);
  const run = new WorkloadRun(machine, process, workload, policy);
  return run.report(run.run(options), notes);
}

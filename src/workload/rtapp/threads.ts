import type { Machine } from '../../machine/machine';
import type { TraceNames } from '../../machine/records';
import { ScheduleFigures, type ThreadTally } from '../figures';
import type { Task, Workload } from './model';

export interface NamedThread {
  readonly tally: ThreadTally;
  readonly task: Task;
  /** Its task's, and its number among the threads at the start or among the task's forks. */
  readonly name: string;
  readonly forked: boolean;
}

/** Tells the threads in a machine's trace apart: who was there from the start, and who is whose fork. */
export class WorkloadThreads {
  readonly figures = new ScheduleFigures({
    start: (tally) => this.#start(tally),
    mark: (tally, task) => this.#tasks.set(tally, this.workload.tasks[task] as Task),
  });
  readonly #made: { readonly task: Task; readonly name: string }[] = [];
  readonly #first = new Map<ThreadTally, { readonly task: Task; readonly name: string }>();
  /** Of forked threads; each marks its first step with the number of its task. */
  readonly #tasks = new Map<ThreadTally, Task>();
  readonly #byName: ReadonlyMap<string, Task>;

  constructor(
    private readonly machine: Machine,
    private readonly process: string,
    private readonly workload: Workload,
  ) {
    this.#byName = new Map(workload.tasks.map((task) => [task.name, task]));
    machine.trace.subscribe((batch) => this.figures.add(batch));
  }

  /** How many have been made for the start. */
  get made(): number {
    return this.#made.length;
  }

  /** The name of the next thread that is made for the start. */
  make(task: Task): string {
    const name = `${task.name}-${this.#made.length}`;
    this.#made.push({ task, name });
    return name;
  }

  /** All that the trace has told of, in order of their start. */
  named(): NamedThread[] {
    const forks = new Map<Task, number>();
    return this.figures.threads.flatMap((tally) => this.#name(tally, forks) ?? []);
  }

  /** Names for one writer of the machine's trace, from its beginning on. */
  traceNames(): TraceNames {
    const threads = [...this.machine.allThreads()].map((thread) => thread.name);
    const processes = [this.machine.systemProcess.name, this.process];
    const forks = new Map<Task, number>();
    let next = 0;
    return {
      process: () => processes.shift(),
      thread: () => {
        const own = threads.shift();
        if (own !== undefined) return own;
        const tally = this.figures.threads[next++];
        return tally === undefined ? undefined : this.#name(tally, forks)?.name;
      },
    };
  }

  /** Threads start in the trace in the order in which they were made; those that follow are forks. */
  #start(tally: ThreadTally): void {
    const made = this.#made[this.#first.size];
    if (made !== undefined) this.#first.set(tally, made);
  }

  #name(tally: ThreadTally, forks: Map<Task, number>): NamedThread | undefined {
    const first = this.#first.get(tally);
    if (first !== undefined) return { tally, ...first, forked: false };
    // One that has left no mark has not run: its row is its own still, and has its program's name.
    const task =
      this.#tasks.get(tally) ?? this.#byName.get(this.machine.thread(tally.index)?.name ?? '');
    if (task === undefined) return undefined;
    const fork = forks.get(task) ?? 0;
    forks.set(task, fork + 1);
    return { tally, task, name: `${task.name}-fork-${fork}`, forked: true };
  }
}

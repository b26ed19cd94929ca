/**
 * What a workload says, in ntps's units: tasks made of phases made of events, as rt-app's tutorial
 * describes them (doc/tutorial.txt of scheduler-tools/rt-app). Made by a reader, or by hand.
 */

/** Where something stands in its file. Both count from 1; 0 where there is no file. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type WorkloadEvent = { readonly place: Place } & (
  | { readonly kind: 'run' | 'sleep'; readonly ns: number }
  | {
      readonly kind: 'timer';
      /** Threads that name the same timer share its time, unless it is unique to each thread. */
      readonly name: string;
      readonly unique: boolean;
      readonly periodNs: number;
      /** From when the next period counts if this one was over before the thread came to it. */
      readonly missed: 'keep' | 'restart';
    }
  | { readonly kind: 'lock' | 'unlock'; readonly name: string }
  /** Releases the mutex, waits for a signal of the condition, takes the mutex again. */
  | { readonly kind: 'wait'; readonly name: string; readonly mutex: string }
  /** Wakes one, or all, of those that wait for the condition now. */
  | { readonly kind: 'signal' | 'broad'; readonly name: string }
  | { readonly kind: 'barrier'; readonly name: string }
  /** Waits for the next resume of that name; a resume without anyone suspended is lost. */
  | { readonly kind: 'suspend' | 'resume'; readonly name: string }
  | { readonly kind: 'yield' }
  /** Starts one more thread of the task of that name. */
  | { readonly kind: 'fork'; readonly name: string }
);

export interface Phase {
  readonly place: Place;
  readonly name: string;
  /** Times in a row, -1 for ever. */
  readonly loop: number;
  /** Processors it may run on; absent: the task's. */
  readonly cpus?: readonly number[];
  /** Linux's priority from here on: 0-98 real time, 100-139 nice -20 to 19; absent: unchanged. */
  readonly linuxPriority?: number;
  readonly events: readonly WorkloadEvent[];
}

export interface Task {
  readonly place: Place;
  readonly name: string;
  /** Threads at the start; 0: only those that are forked. */
  readonly instances: number;
  /** Ns before a thread begins with its first phase. */
  readonly delayNs: number;
  /** Times that all phases are run, -1 for ever. */
  readonly loop: number;
  readonly linuxPriority: number;
  /** Processors it may run on; absent: all. */
  readonly cpus?: readonly number[];
  readonly phases: readonly Phase[];
}

/** Something that is not an error and that somebody may want to know. */
export interface WorkloadNote {
  readonly place: Place;
  readonly text: string;
}

export interface Workload {
  /** The file's name, for messages. */
  readonly name: string;
  /** When all threads are ended; absent: when they have come to their own ends. */
  readonly durationNs?: number;
  readonly tasks: readonly Task[];
  readonly notes: readonly WorkloadNote[];
}

/** Every event of a task, in order. */
export function* eventsOf(task: Task): Generator<WorkloadEvent> {
  for (const phase of task.phases) yield* phase.events;
}

/** The tasks that a fork names. */
export function forkedTasks(workload: Workload): Set<string> {
  const forked = new Set<string>();
  for (const task of workload.tasks) {
    for (const event of eventsOf(task)) if (event.kind === 'fork') forked.add(event.name);
  }
  return forked;
}

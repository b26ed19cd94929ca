import type { RecordingReplay, Replay, ScheduleTally, ThreadTally } from '../index';
import { SYSTEM_THREAD } from './schedule';
import type { ThreadLook } from './timeline';

/** The busiest processes have a colour of their own; dark text is legible on each. */
const COLOURS = [
  '#6b9bd1',
  '#f2a33c',
  '#72b86b',
  '#ee7b74',
  '#5fc3bd',
  '#e8cf4f',
  '#c08fc9',
  '#ffa6b0',
  '#b78e74',
  '#a3b3e8',
];
const OTHER = '#a9b0b7';
const SYSTEM = '#777f87';

export interface ShownProcess {
  readonly name: string;
  readonly tgid: number;
  readonly runNs: number;
  readonly colour: string;
  /** Whether the colour is its own. */
  readonly isNamed: boolean;
}

export interface ShownThread {
  /** In the recording. */
  readonly index: number;
  readonly name: string;
  readonly tid: number;
  readonly process: ShownProcess;
  readonly recorded: ScheduleTally;
}

/** Processes and threads of a recording, with the looks that they have in all its schedules. */
export class Cast {
  /** By index in the recording. */
  readonly processes: readonly ShownProcess[];
  readonly threads: readonly ShownThread[];
  /** The same processes, the busiest first. */
  readonly busiest: readonly ShownProcess[];

  constructor({ recording }: RecordingReplay) {
    const runNs = recording.processes.map(({ threads }) =>
      threads.reduce((sum, thread) => sum + (recording.threads[thread]?.runNs ?? 0), 0),
    );
    const order = runNs.map((_, index) => index);
    order.sort((a, b) => (runNs[b] as number) - (runNs[a] as number));
    const ranks = new Map(order.map((index, rank) => [index, rank]));
    this.processes = recording.processes.map(({ name, leader, tgid }, index) => {
      const colour = COLOURS[ranks.get(index) as number];
      return {
        name: leader?.name ?? name,
        tgid,
        runNs: runNs[index] as number,
        colour: colour ?? OTHER,
        isNamed: colour !== undefined,
      };
    });
    this.busiest = order.map((index) => this.processes[index] as ShownProcess);
    this.threads = recording.threads.map((recorded, index) => ({
      index,
      name: recorded.name,
      tid: recorded.tid,
      process: this.processes[recorded.process] as ShownProcess,
      recorded,
    }));
  }
}

/** One policy's view of the cast: which of its threads is which. */
export class Numbers {
  /** Indices in the recording, by number in the schedule. */
  readonly #indices: readonly number[];

  constructor(
    private readonly cast: Cast,
    private readonly replay: Replay,
  ) {
    const indices = new Map<ThreadTally, number>();
    replay.threads.forEach(({ tally }, index) => {
      if (tally !== undefined) indices.set(tally, index);
    });
    this.#indices = replay.figures.threads.map((tally) => indices.get(tally) ?? -1);
  }

  thread(number: number): ShownThread | undefined {
    return this.cast.threads[this.#indices[number] ?? -1];
  }

  tally(thread: ShownThread): ThreadTally | undefined {
    return this.replay.threads[thread.index]?.tally;
  }

  look(number: number): ThreadLook {
    if (number === SYSTEM_THREAD) return { name: 'System', colour: SYSTEM };
    const thread = this.thread(number);
    if (thread === undefined) return { name: '', colour: OTHER };
    return { name: thread.name, colour: thread.process.colour };
  }
}

import { EVENT, PRIORITY_CHANGE, RECORD } from '../../assembly/shared/event';
import { KTHREAD_STATE } from '../../assembly/shared/types';
import type { Machine } from '../machine/machine';
import type { RecordBatch } from '../machine/records';
import { Histogram } from './histogram';

/** What a schedule did to a thread, measured the same way in recordings and in runs. */
export interface ScheduleTally {
  /** Ns. */
  runNs: number;
  /** Each time it was ready until it ran, ns: from its wake-up, or from losing its processor. */
  readonly ready: Histogram;
  /** Off the processor to wait or to end. */
  voluntarySwitches: number;
  /** Off the processor though it could go on. */
  involuntarySwitches: number;
  migrations: number;
}

/** The figures of one thread of a run. */
export class ThreadTally implements ScheduleTally {
  runNs = 0;
  readonly ready = new Histogram();
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  migrations = 0;
  /** Times that its priority was lifted after a wait. */
  boosts = 0;
  /** Times that the balance-set manager lifted it. */
  starvationBoosts = 0;
  ended = false;
  /** @internal Since when it is ready; -1: it is not. */
  readySinceNs = -1;

  constructor(
    /** Table index, as trace records name it. */
    readonly index: number,
    /** Table index of its process. */
    readonly process: number,
  ) {}
}

/**
 * Gathers every thread's figures from a machine's trace records, the machine's own threads left
 * out. Constant memory for each thread that ever was.
 */
export class ScheduleFigures {
  /** In order of their start. */
  readonly threads: ThreadTally[] = [];
  /** When a thread last left a processor, ns since boot. */
  lastSwitchNs = 0;
  readonly #live: (ThreadTally | undefined)[] = [];

  /** `watch` is told of each thread at its start, at its marks and when its totals are known. */
  constructor(
    private readonly watch?: {
      start?(thread: ThreadTally): void;
      end?(thread: ThreadTally): void;
      /** The thread has put a mark of its own into the trace. */
      mark?(thread: ThreadTally, value: number): void;
    },
  ) {}

  add(batch: RecordBatch): void {
    const { words, count } = batch;
    for (let index = 0; index < count; index++) {
      const at = index * RECORD.Words;
      switch ((words[at + RECORD.Header / 4] as number) & 0xff) {
        case EVENT.ContextSwitch:
          this.#switch(words, at);
          break;
        case EVENT.Ready:
          this.#ready(words, at);
          break;
        case EVENT.Priority:
          this.#priority(words, at);
          break;
        case EVENT.ThreadStart:
          this.#start(words, at);
          break;
        case EVENT.ThreadTotals:
          this.#end(words, at);
          break;
        case EVENT.Mark:
          this.#mark(words, at);
          break;
      }
    }
  }

  /** Reads what the trace does not tell of threads that have not ended. */
  finish(machine: Machine): void {
    for (const tally of this.#live) {
      const thread = tally === undefined ? undefined : machine.thread(tally.index);
      if (tally === undefined || thread === undefined) continue;
      tally.runNs = thread.runTimeNs;
      tally.migrations = thread.migrations;
    }
  }

  #switch(words: Uint32Array, at: number): void {
    const now = timeOf(words, at);
    const old = this.#live[words[at + RECORD.A / 4] as number];
    if (old !== undefined) {
      const state = ((words[at + RECORD.C / 4] as number) >>> 16) & 0xff;
      this.lastSwitchNs = now;
      if (state === KTHREAD_STATE.Waiting || state === KTHREAD_STATE.Terminated)
        old.voluntarySwitches++;
      else {
        old.involuntarySwitches++;
        old.readySinceNs = now;
      }
    }
    const next = this.#live[words[at + RECORD.B / 4] as number];
    if (next === undefined || next.readySinceNs < 0) return;
    next.ready.add(now - next.readySinceNs);
    next.readySinceNs = -1;
  }

  #ready(words: Uint32Array, at: number): void {
    const thread = this.#live[words[at + RECORD.A / 4] as number];
    if (thread !== undefined && thread.readySinceNs < 0) thread.readySinceNs = timeOf(words, at);
  }

  #priority(words: Uint32Array, at: number): void {
    const thread = this.#live[words[at + RECORD.A / 4] as number];
    if (thread === undefined) return;
    const change = (words[at + RECORD.B / 4] as number) >>> 24;
    if (change === PRIORITY_CHANGE.Unwait || change === PRIORITY_CHANGE.Foreground) thread.boosts++;
    else if (change === PRIORITY_CHANGE.Starvation) thread.starvationBoosts++;
  }

  #start(words: Uint32Array, at: number): void {
    const process = words[at + RECORD.B / 4] as number;
    if (process === SYSTEM_PROCESS) return;
    const thread = new ThreadTally(words[at + RECORD.A / 4] as number, process);
    this.threads.push(thread);
    this.#live[thread.index] = thread;
    this.watch?.start?.(thread);
  }

  #mark(words: Uint32Array, at: number): void {
    const thread = this.#live[words[at + RECORD.A / 4] as number];
    if (thread !== undefined) this.watch?.mark?.(thread, words[at + RECORD.B / 4] as number);
  }

  #end(words: Uint32Array, at: number): void {
    const index = words[at + RECORD.A / 4] as number;
    const thread = this.#live[index];
    if (thread === undefined) return;
    this.#live[index] = undefined;
    thread.runNs =
      (words[at + RECORD.B / 4] as number) + (words[at + RECORD.C / 4] as number) * 2 ** 32;
    thread.migrations = words[at + RECORD.E / 4] as number;
    thread.ended = true;
    this.watch?.end?.(thread);
  }
}

/** The System process is the first of every machine. */
const SYSTEM_PROCESS = 1;

function timeOf(words: Uint32Array, at: number): number {
  return (
    (words[at + RECORD.Time64 / 4] as number) +
    (words[at + RECORD.Time64 / 4 + 1] as number) * 2 ** 32
  );
}

import {
  EVENT,
  KTHREAD_STATE,
  RECORD,
  RECORD_HEADER,
  type RecordBatch,
  type Replay,
} from '../index';

/** Intervals of virtual time, each of one thread; in the order in which they ended. */
export class Intervals {
  count = 0;
  startsNs = new Float64Array(1024);
  endsNs = new Float64Array(1024);
  threads = new Int32Array(1024);

  add(startNs: number, endNs: number, thread: number): void {
    if (this.count === this.threads.length) this.#grow();
    this.startsNs[this.count] = startNs;
    this.endsNs[this.count] = endNs;
    this.threads[this.count] = thread;
    this.count++;
  }

  /** The first that ends after `ns`. */
  firstAfter(ns: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.endsNs[middle] as number) > ns) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #grow(): void {
    const { startsNs, endsNs, threads } = this;
    this.startsNs = new Float64Array(this.count * 2);
    this.startsNs.set(startsNs);
    this.endsNs = new Float64Array(this.count * 2);
    this.endsNs.set(endsNs);
    this.threads = new Int32Array(this.count * 2);
    this.threads.set(threads);
  }
}

/** The number of a thread that is the machine's own. */
export const SYSTEM_THREAD = -1;
const NOBODY = -2;

/** So many runs are kept: 20 bytes each. */
const RUNS_MAX = 4_000_000;

/** Who ran where and who was ready, gathered while a replay runs. Threads are numbered by their start. */
export class Schedule {
  /** Runs, by processor. */
  readonly lanes: Intervals[];
  readonly ready = new Intervals();
  endNs = 0;
  /** Runs that were not kept. */
  left = 0;
  readonly #systemProcess: number;
  /** By table index. */
  readonly #numbers: number[] = [];
  readonly #readySinceNs: number[] = [];
  /** By processor. */
  readonly #running: number[];
  readonly #sinceNs: number[];
  #started = 0;
  #runs = 0;

  constructor(replay: Replay) {
    const { machine } = replay;
    this.lanes = Array.from({ length: machine.processorCount }, () => new Intervals());
    this.#running = this.lanes.map(() => NOBODY);
    this.#sinceNs = this.lanes.map(() => 0);
    this.#systemProcess = machine.systemProcess.index;
    machine.trace.subscribe((batch) => this.#add(batch));
  }

  /** Ends the runs that the replay's end found going on. */
  finish(endNs: number): void {
    this.endNs = endNs;
    this.lanes.forEach((_, processor) => {
      this.#run(processor, Math.max(endNs, this.#sinceNs[processor] as number), NOBODY);
    });
  }

  #add({ words, count }: RecordBatch): void {
    const word = (at: number, field: number) => words[at + field / 4] as number;
    for (let index = 0; index < count; index++) {
      const at = index * RECORD.Words;
      const header = word(at, RECORD.Header);
      const timeNs = word(at, RECORD.Time64) + word(at, RECORD.Time64 + 4) * 2 ** 32;
      const row = word(at, RECORD.A);
      switch (header & RECORD_HEADER.TypeMask) {
        case EVENT.ThreadStart: {
          const isSystem = word(at, RECORD.B) === this.#systemProcess;
          this.#numbers[row] = isSystem ? SYSTEM_THREAD : this.#started++;
          this.#readySinceNs[row] = -1;
          break;
        }
        case EVENT.Ready:
          if ((this.#readySinceNs[row] as number) < 0) this.#readySinceNs[row] = timeNs;
          break;
        case EVENT.ContextSwitch: {
          const processor = (header >>> RECORD_HEADER.ProcessorShift) & RECORD_HEADER.ProcessorMask;
          const state = (word(at, RECORD.C) >>> 16) & 0xff;
          const goesOn = state !== KTHREAD_STATE.Waiting && state !== KTHREAD_STATE.Terminated;
          if (row !== 0 && goesOn) this.#readySinceNs[row] = timeNs;
          this.#switchTo(processor, timeNs, word(at, RECORD.B));
          break;
        }
      }
    }
  }

  #switchTo(processor: number, timeNs: number, row: number): void {
    const next = row === 0 ? NOBODY : (this.#numbers[row] ?? SYSTEM_THREAD);
    const readySinceNs = row === 0 ? -1 : (this.#readySinceNs[row] as number);
    if (readySinceNs >= 0 && next >= 0 && this.#runs < RUNS_MAX) {
      this.ready.add(readySinceNs, timeNs, next);
    }
    if (row !== 0) this.#readySinceNs[row] = -1;
    this.#run(processor, timeNs, next);
  }

  #run(processor: number, timeNs: number, next: number): void {
    const running = this.#running[processor] as number;
    const sinceNs = this.#sinceNs[processor] as number;
    this.#running[processor] = next;
    this.#sinceNs[processor] = timeNs;
    if (running === NOBODY || timeNs === sinceNs) return;
    if (this.#runs === RUNS_MAX) {
      this.left++;
      return;
    }
    this.#runs++;
    (this.lanes[processor] as Intervals).add(sinceNs, timeNs, running);
  }
}

import type { KProcess, KSemaphore } from '../machine/views';
import type { ThreadTally } from './figures';
import type { RecordedLinuxProcess, RecordedLinuxThread } from './linux-replay';
import { OpQueue } from './op-queue';

/** What a replay keeps of the recording's processes and threads. */

const HIGH = 2 ** 32;

/** Names of table rows that are used again, the first given of each first. */
export class NamesByIndex {
  readonly #names = new Map<number, string[]>();

  give(index: number, name: string): void {
    const names = this.#names.get(index);
    if (names === undefined) this.#names.set(index, [name]);
    else names.push(name);
  }

  take(index: number): string | undefined {
    return this.#names.get(index)?.shift();
  }
}

export class ReplayedProcess implements RecordedLinuxProcess {
  nt: KProcess | undefined;
  threadCount = 0;
  linux: RecordedLinuxProcess['linux'];

  constructor(
    readonly comm: string,
    readonly name: string,
  ) {}
}

export class ReplayedThread implements RecordedLinuxThread {
  readonly queue = new OpQueue();
  /** Ns delivered so far. */
  computeNs = 0;
  level: number;
  /** Waits delivered without the wake that ends each. */
  openWaits = 0;
  started = false;
  readonly gateLow: number;
  readonly gateHigh: number;
  tally: ThreadTally | undefined;
  buffer = 0;
  linux: RecordedLinuxThread['linux'];
  /** It does nothing more, whatever the recording says: it ended early, or was never made. */
  dropped = false;

  constructor(
    readonly index: number,
    readonly process: ReplayedProcess,
    readonly name: string,
    readonly forked: boolean,
    readonly gate: KSemaphore,
    level: number,
  ) {
    this.level = level;
    this.gateLow = gate.handle % HIGH;
    this.gateHigh = Math.floor(gate.handle / HIGH);
  }
}

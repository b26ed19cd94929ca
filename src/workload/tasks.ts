/** The tasks and processors of a recording as the attribution sees them. */

import type { BurstSink } from './bursts';
import { textOf } from './bytes';
import type { HeldCall } from './held-sink';
import { ThreadFigures } from './summary';

/** Unseen: it has left its processor, whether ready or blocked is not known. */
export const STATE = { New: 0, Ready: 1, Running: 2, Blocked: 3, Unseen: 4 } as const;
export type TaskState = (typeof STATE)[keyof typeof STATE];

/** Not yet known; a place for its declaration may be held. */
export const TGID_UNDECIDED = -1;

const NAME_BYTES_MAX = 64;

export class TaskThread {
  state: TaskState = STATE.Blocked;
  tgid = TGID_UNDECIDED;
  /** Where it runs or ran last; -1 before its first run. */
  cpu = -1;
  /** Its compute up to here has been delivered. */
  deliveredNs = 0;
  /** Since when it has been ready; -1 if not known. */
  readyNs = -1;
  /** Its sched_process_exit was seen; it still runs until it leaves its processor. */
  exiting = false;
  /** A sched_waking was seen that no sched_wakeup has followed yet. */
  waking = false;
  /** A wake-up seen while it ran: whether it ends a wait is decided later. */
  early: HeldCall | undefined;
  earlyWake: ((sink: BurstSink) => void) | undefined;
  earlyCounts: (() => void) | undefined;
  declaration: HeldCall | undefined;
  readonly figures: ThreadFigures;
  tid: number;
  /** Its id, name and priority when it was first seen: what it is declared with. */
  readonly firstTid: number;
  readonly firstName: string;
  readonly firstPriority: number;
  #nameBytes: Uint8Array;

  constructor(
    readonly index: number,
    buffer: Uint8Array,
    task: { readonly pid: number; readonly commStart: number; readonly commEnd: number },
    public priority: number,
    readonly parent: number,
  ) {
    this.tid = task.pid;
    this.firstTid = task.pid;
    this.#nameBytes = copyName(buffer, task.commStart, task.commEnd);
    this.firstName = textOf(this.#nameBytes, 0, this.#nameBytes.length);
    this.firstPriority = priority;
    this.figures = new ThreadFigures(index, this.tid, this.firstName, priority);
  }

  /** True if the comm differs from the name so far, which it then replaces. */
  renamed(buffer: Uint8Array, commStart: number, commEnd: number): boolean {
    const bytes = this.#nameBytes;
    const length = Math.min(commEnd - commStart, NAME_BYTES_MAX);
    let same = bytes.length === length;
    for (let i = 0; same && i < length; i++) same = bytes[i] === buffer[commStart + i];
    if (same || isPlaceholder(buffer, commStart, commEnd)) return false;
    this.#nameBytes = copyName(buffer, commStart, commEnd);
    this.figures.name = textOf(this.#nameBytes, 0, length);
    return true;
  }
}

/** `<...>`: the kernel had forgotten the name. */
function isPlaceholder(buffer: Uint8Array, start: number, end: number): boolean {
  return end - start === 5 && buffer[start] === 0x3c && buffer[start + 1] === 0x2e;
}

function copyName(buffer: Uint8Array, start: number, end: number): Uint8Array {
  return buffer.slice(start, Math.min(end, start + NAME_BYTES_MAX));
}

export class Cpu {
  /** False before the first event and after a loss: who runs here is then not known. */
  known = false;
  seen = false;
  /** undefined: it is idle. */
  running: TaskThread | undefined;
  /** The time of the last event here. */
  lastNs = 0;
  lastSwitchNs = 0;
  /** Whom the last switch took from here; its id still heads the events of the switch itself. */
  previousTid = 0;
  /** Events were lost: nothing is known of the time since. */
  lost = false;
  /** Nesting as told by entry and exit events, for layouts without flags. */
  hardInterrupts = 0;
  softInterrupts = 0;
  readonly figures: { cpu: number; busyNs: number };

  constructor(readonly id: number) {
    this.figures = { cpu: id, busyNs: 0 };
  }
}

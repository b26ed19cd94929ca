import {
  EVENT,
  type PRIORITY_CHANGE,
  RECORD,
  RECORD_HEADER,
  type VECTOR,
} from '../../assembly/shared/event';
import type { FRAME, GUEST, KTHREAD_STATE, KWAIT_REASON } from '../../assembly/shared/types';

/**
 * Records as they lie in the ring, eight words each, oldest first. The words are a view of the
 * machine's memory: they hold until the subscriber returns. `decodeRecord` makes one an object.
 */
export interface RecordBatch {
  readonly words: Uint32Array;
  readonly count: number;
}

interface RecordBase {
  /** Ns since boot. */
  readonly timeNs: number;
  readonly processor: number;
}

/** A record in words. Threads and processes are table indices; thread 0 is the idle thread. */
export type TraceRecord = RecordBase &
  (
    | {
        readonly type: 'contextSwitch';
        readonly oldThread: number;
        readonly newThread: number;
        readonly oldPriority: number;
        readonly newPriority: number;
        readonly oldState: KTHREAD_STATE;
        readonly oldWaitReason: KWAIT_REASON;
        readonly newIdealProcessor: number;
        readonly oldPriorityDecrement: number;
        /** Of the old thread, ns; at most 2^31 - 1. */
        readonly remainingQuantumNs: number;
      }
    | {
        readonly type: 'ready';
        readonly thread: number;
        /** The thread that ran when it was readied; 0: none. */
        readonly readiedBy: number;
        readonly priority: number;
        readonly increment: number;
        readonly state: KTHREAD_STATE;
        readonly target: number;
        readonly idealProcessor: number;
        readonly waitedNs: number;
      }
    | {
        readonly type: 'processStart';
        readonly process: number;
        readonly parent: number;
        readonly basePriority: number;
        readonly group: number;
        readonly node: number;
        readonly creator: number;
      }
    | {
        readonly type: 'processEnd';
        readonly process: number;
        readonly parent: number;
        readonly status: number;
      }
    | {
        readonly type: 'threadStart';
        readonly thread: number;
        readonly process: number;
        readonly priority: number;
        readonly guest: GUEST;
        readonly idealProcessor: number;
        readonly group: number;
        readonly creator: number;
      }
    | {
        readonly type: 'threadEnd';
        readonly thread: number;
        readonly process: number;
        readonly status: number;
        readonly userTicks: number;
        readonly kernelTicks: number;
      }
    | {
        readonly type: 'interrupt';
        readonly vector: VECTOR;
        readonly interrupted: number;
        readonly irql: number;
        readonly costNs: number;
      }
    | {
        readonly type: 'dpc';
        readonly kind: VECTOR;
        readonly items: number;
        readonly costNs: number;
      }
    | {
        readonly type: 'priority';
        readonly thread: number;
        readonly oldPriority: number;
        readonly newPriority: number;
        readonly basePriority: number;
        readonly change: PRIORITY_CHANGE;
      }
    | {
        readonly type: 'affinity';
        readonly thread: number;
        readonly mask: bigint;
        readonly group: number;
      }
    | {
        readonly type: 'mark';
        readonly thread: number;
        readonly value: number;
        readonly second: number;
      }
    | {
        readonly type: 'systemCall' | 'hostCall';
        readonly thread: number;
        readonly number: number;
        readonly argument: number;
      }
    | {
        readonly type: 'threadTotals';
        readonly thread: number;
        readonly runTimeNs: number;
        readonly contextSwitches: number;
        readonly migrations: number;
      }
    | {
        /** What begins in front of what a thread does. */
        readonly type: 'apc';
        readonly thread: number;
        readonly kind: FRAME;
        /** Table index of the APC; 0 for a suspension. */
        readonly apc: number;
      }
    | { readonly type: 'bugCheck'; readonly code: number; readonly parameters: readonly number[] }
  );

/** How threads and processes are called. Asked once for each, when its start is met in the trace. */
export interface TraceNames {
  thread(index: number): string | undefined;
  process(index: number): string | undefined;
}

/** One record of a batch. `index` is below its count. */
export function decodeRecord(batch: RecordBatch, index: number): TraceRecord {
  const at = index * RECORD.Words;
  const word = (field: number) => batch.words[at + (field >>> 2)] as number;
  const header = word(RECORD.Header);
  const a = word(RECORD.A);
  const b = word(RECORD.B);
  const c = word(RECORD.C);
  const d = word(RECORD.D);
  const e = word(RECORD.E);
  const base: RecordBase = {
    timeNs: word(RECORD.Time64) + word(RECORD.Time64 + 4) * 2 ** 32,
    processor: (header >>> RECORD_HEADER.ProcessorShift) & RECORD_HEADER.ProcessorMask,
  };
  switch (header & RECORD_HEADER.TypeMask) {
    case EVENT.ContextSwitch:
      return {
        ...base,
        type: 'contextSwitch',
        oldThread: a,
        newThread: b,
        oldPriority: c & 0xff,
        newPriority: (c >>> 8) & 0xff,
        oldState: (c >>> 16) & 0xff,
        oldWaitReason: c >>> 24,
        newIdealProcessor: d & 0xffff,
        oldPriorityDecrement: d >>> 16,
        remainingQuantumNs: e | 0,
      };
    case EVENT.Ready:
      return {
        ...base,
        type: 'ready',
        thread: a,
        readiedBy: b,
        priority: c & 0xff,
        increment: (c >>> 8) & 0xff,
        state: c >>> 24,
        target: d & 0xffff,
        idealProcessor: d >>> 16,
        waitedNs: e,
      };
    case EVENT.ProcessStart:
      return {
        ...base,
        type: 'processStart',
        process: a,
        parent: b,
        basePriority: c,
        group: d & 0xffff,
        node: d >>> 16,
        creator: e,
      };
    case EVENT.ProcessEnd:
      return { ...base, type: 'processEnd', process: a, parent: b, status: c };
    case EVENT.ThreadStart:
      return {
        ...base,
        type: 'threadStart',
        thread: a,
        process: b,
        priority: c & 0xff,
        guest: c >>> 16,
        idealProcessor: d & 0xffff,
        group: d >>> 16,
        creator: e,
      };
    case EVENT.ThreadEnd:
      return {
        ...base,
        type: 'threadEnd',
        thread: a,
        process: b,
        status: c,
        userTicks: d,
        kernelTicks: e,
      };
    case EVENT.Interrupt:
      return { ...base, type: 'interrupt', vector: a, interrupted: b, irql: c, costNs: e };
    case EVENT.Dpc:
      return { ...base, type: 'dpc', kind: a, items: b, costNs: e };
    case EVENT.Priority:
      return {
        ...base,
        type: 'priority',
        thread: a,
        oldPriority: b & 0xff,
        newPriority: (b >>> 8) & 0xff,
        basePriority: (b >>> 16) & 0xff,
        change: b >>> 24,
      };
    case EVENT.Affinity:
      return {
        ...base,
        type: 'affinity',
        thread: a,
        mask: (BigInt(c) << 32n) | BigInt(b),
        group: d & 0xffff,
      };
    case EVENT.ThreadTotals:
      return {
        ...base,
        type: 'threadTotals',
        thread: a,
        runTimeNs: b + c * 2 ** 32,
        contextSwitches: d,
        migrations: e,
      };
    case EVENT.Apc:
      return { ...base, type: 'apc', thread: a, kind: b, apc: c };
    case EVENT.Mark:
      return { ...base, type: 'mark', thread: a, value: b, second: c };
    case EVENT.SystemCall:
      return { ...base, type: 'systemCall', thread: a, number: b, argument: c };
    case EVENT.HostCall:
      return { ...base, type: 'hostCall', thread: a, number: b, argument: c };
    default:
      return { ...base, type: 'bugCheck', code: a, parameters: [b, c, d, e] };
  }
}

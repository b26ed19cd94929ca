import {
  DISPATCHER_HEADER,
  KGROUP,
  KMUTANT,
  KOBJECT,
  KPRCB,
  KPROCESS,
  KSYSTEM,
  KTABLE,
  KTHREAD,
  KTIMER,
  KWAIT_BLOCK,
  LIST_ENTRY,
} from '../../assembly/shared/layout';
import { KOBJECTS, type KTHREAD_STATE, THREAD_FLAG } from '../../assembly/shared/types';
import type { Machine } from '../../src/machine/machine';

/** A machine's tables as plain values. Threads and processors are numbers; thread 0 is the idle thread. */
export interface Snapshot {
  readonly now: number;
  /** The processor that acts next. */
  readonly first: number;
  readonly processors: readonly Processor[];
  readonly threads: ReadonlyMap<number, Thread>;
  readonly objects: readonly WaitObject[];
  readonly swapList: readonly number[];
  readonly timerCount: number;
  readonly readyQueued: number;
  /** For each node, all nodes by distance. */
  readonly nodeOrder: readonly (readonly number[])[];
}

export interface Processor {
  readonly number: number;
  readonly group: number;
  readonly node: number;
  /** Its bit in its group. */
  readonly member: bigint;
  readonly current: number;
  readonly next: number;
  readonly attention: number;
  /** Threads of each of the 32 ready lists, in order. */
  readonly lists: readonly (readonly number[])[];
  readonly summary: number;
  readonly readyCount: number;
  readonly movableCount: number;
  readonly deferred: readonly number[];
  /** Its bits in the group's masks. */
  readonly isIdle: boolean;
  readonly hasReady: boolean;
  readonly resumeTime: number;
  readonly ipiTime: number;
  readonly tickTime: number;
  readonly deviceTime: number;
  /** When it acts next. */
  readonly actTime: number;
  /** Up to when its time is charged, and to what. */
  readonly chargeTime: number;
  readonly idleNs: number;
  readonly busyNs: number;
  readonly interruptNs: number;
  readonly overheadNs: number;
}

export interface Thread {
  readonly index: number;
  readonly state: KTHREAD_STATE;
  readonly priority: number;
  readonly base: number;
  readonly processBase: number;
  readonly foregroundBoost: number;
  readonly unusualBoost: number;
  readonly affinity: bigint;
  readonly ideal: number;
  readonly last: number;
  /** The processor it runs, is queued or stands by on. */
  readonly next: number;
  readonly runTimeNs: number;
  readonly quantumTargetNs: number;
  readonly quantumUnits: number;
  /** Due time of its timer, if that is set. */
  readonly due: number | undefined;
  /** Wait blocks that it has in lists of objects. */
  readonly waitBlocks: number;
  /** It waits for all of several objects. */
  readonly waitsForAll: boolean;
  readonly isSystem: boolean;
}

export interface WaitObject {
  readonly name: string;
  readonly type: KOBJECTS;
  readonly signal: number;
  readonly limit: number;
  readonly waiters: readonly number[];
  /** Of a mutant; 0 if it is free. */
  readonly owner: number;
}

/** Longer than any list of a test: one that is longer has lost its end. */
const LONGEST = 100_000;

class Reader {
  constructor(private readonly machine: Machine) {}

  u32(address: number): number {
    return this.machine.memory.u32(address);
  }

  i32(address: number): number {
    return this.machine.memory.i32(address);
  }

  u64(address: number): number {
    return this.machine.memory.u64(address);
  }

  big(address: number): bigint {
    return this.machine.memory.big(address);
  }

  system(field: number): number {
    return this.u32(KSYSTEM.Address + field);
  }

  /** What a list's entries are in, each `offset` bytes before its entry; checks the links both ways. */
  list(head: number, offset: number): number[] {
    const items: number[] = [];
    let previous = head;
    for (let entry = this.u32(head + LIST_ENTRY.Flink); entry !== head; ) {
      if (this.u32(entry + LIST_ENTRY.Blink) !== previous || items.length === LONGEST)
        throw new Error(
          `the list at 0x${head.toString(16)} is broken after ${items.length} entries`,
        );
      items.push(entry - offset);
      previous = entry;
      entry = this.u32(entry + LIST_ENTRY.Flink);
    }
    return items;
  }

  thread(address: number): number {
    return address === 0
      ? 0
      : (address - this.system(KSYSTEM.ThreadTable + KTABLE.Base)) / KTHREAD.Size;
  }

  waiters(object: number): number[] {
    const blocks = this.list(object + DISPATCHER_HEADER.WaitListHead, KWAIT_BLOCK.WaitListEntry);
    return blocks.map((block) => this.thread(this.u32(block + KWAIT_BLOCK.Thread)));
  }

  rows(table: number): number[] {
    const base = this.system(table + KTABLE.Base);
    const size = this.system(table + KTABLE.RowSize);
    const count = this.system(table + KTABLE.HighWater);
    return Array.from({ length: count }, (_, index) => base + (index + 1) * size);
  }
}

function processor(read: Reader, number: number): Processor {
  const prcb = read.system(KSYSTEM.PrcbBase) + number * KPRCB.Size;
  const group = read.u32(prcb + KPRCB.Group);
  const groupBlock = read.system(KSYSTEM.GroupBase) + group * KGROUP.Size;
  const member = read.big(prcb + KPRCB.SetMember64);
  const lists = Array.from({ length: 32 }, (_, priority) =>
    read
      .list(
        prcb + KPRCB.DispatcherReadyListHead + priority * LIST_ENTRY.Size,
        KTHREAD.WaitListEntry,
      )
      .map((thread) => read.thread(thread)),
  );
  const deferred: number[] = [];
  for (
    let thread = read.u32(prcb + KPRCB.DeferredReadyHead);
    thread !== 0;
    thread = read.u32(thread + KTHREAD.WaitListEntry)
  )
    deferred.push(read.thread(thread));
  return {
    number,
    group,
    member,
    node: read.u32(prcb + KPRCB.Node),
    current: read.thread(read.u32(prcb + KPRCB.CurrentThread)),
    next: read.thread(read.u32(prcb + KPRCB.NextThread)),
    attention: read.u32(prcb + KPRCB.Attention),
    lists,
    summary: read.u32(prcb + KPRCB.ReadySummary),
    readyCount: read.u32(prcb + KPRCB.ReadyCount),
    movableCount: read.u32(prcb + KPRCB.MovableCount),
    deferred,
    isIdle: (read.big(groupBlock + KGROUP.IdleProcessors64) & member) !== 0n,
    hasReady: (read.big(groupBlock + KGROUP.ReadyProcessors64) & member) !== 0n,
    resumeTime: read.u64(prcb + KPRCB.ResumeTime64),
    ipiTime: read.u64(prcb + KPRCB.IpiTime64),
    tickTime: read.u64(prcb + KPRCB.TickTime64),
    deviceTime: read.u64(prcb + KPRCB.DeviceTime64),
    actTime: read.u64(read.system(KSYSTEM.KeyBase) + number * 8),
    chargeTime: read.u64(prcb + KPRCB.ChargeTime64),
    idleNs: read.u64(prcb + KPRCB.IdleTime64),
    busyNs: read.u64(prcb + KPRCB.BusyTime64),
    interruptNs: read.u64(prcb + KPRCB.InterruptTime64),
    overheadNs: read.u64(prcb + KPRCB.OverheadTime64),
  };
}

function waitBlocks(read: Reader, row: number, flags: number): number {
  if ((flags & THREAD_FLAG.WaitMultiple) === 0)
    return (flags & THREAD_FLAG.WaitBlockInserted) === 0 ? 0 : 1;
  let count = 0;
  let block = read.u32(row + KTHREAD.WaitBlock + KWAIT_BLOCK.NextWaitBlock);
  for (; block !== 0; block = read.u32(block + KWAIT_BLOCK.NextWaitBlock)) count++;
  return count;
}

function thread(read: Reader, row: number): Thread {
  const flags = read.u32(row + KTHREAD.Flags);
  const decrement = read.u32(row + KTHREAD.PriorityDecrement);
  return {
    index: read.thread(row),
    state: read.u32(row + KTHREAD.State),
    priority: read.u32(row + KTHREAD.Priority),
    base: read.u32(row + KTHREAD.BasePriority),
    processBase: read.u32(read.u32(row + KTHREAD.Process) + KPROCESS.BasePriority),
    foregroundBoost: decrement & 15,
    unusualBoost: decrement >> 4,
    affinity: read.big(row + KTHREAD.Affinity64),
    ideal: read.u32(row + KTHREAD.IdealProcessor),
    last: read.u32(row + KTHREAD.LastProcessor),
    next: read.u32(row + KTHREAD.NextProcessor),
    runTimeNs: read.u64(row + KTHREAD.CycleTime64),
    quantumTargetNs: read.u64(row + KTHREAD.QuantumTarget64),
    quantumUnits: read.u32(read.u32(row + KTHREAD.Process) + KPROCESS.QuantumReset),
    due:
      (flags & THREAD_FLAG.TimerInserted) !== 0
        ? read.u64(row + KTHREAD.Timer + KTIMER.DueTime64)
        : undefined,
    waitBlocks: waitBlocks(read, row, flags),
    waitsForAll: (flags & THREAD_FLAG.WaitAll) !== 0,
    isSystem: (flags & THREAD_FLAG.System) !== 0,
  };
}

function objects(read: Reader): WaitObject[] {
  const kinds: readonly (readonly [string, number, readonly KOBJECTS[]])[] = [
    [
      'object',
      KSYSTEM.ObjectTable,
      [
        KOBJECTS.EventNotificationObject,
        KOBJECTS.EventSynchronizationObject,
        KOBJECTS.SemaphoreObject,
        KOBJECTS.MutantObject,
        KOBJECTS.TimerNotificationObject,
        KOBJECTS.TimerSynchronizationObject,
      ],
    ],
    ['thread', KSYSTEM.ThreadTable, [KOBJECTS.ThreadObject]],
    ['process', KSYSTEM.ProcessTable, [KOBJECTS.ProcessObject]],
  ];
  return kinds.flatMap(([kind, table, types]) =>
    read.rows(table).flatMap((row, index) => {
      const type: KOBJECTS = read.u32(row + DISPATCHER_HEADER.Type);
      if (!types.includes(type)) return [];
      return {
        name: `${kind} ${index + 1}`,
        type,
        signal: read.i32(row + DISPATCHER_HEADER.SignalState),
        limit: type === KOBJECTS.SemaphoreObject ? read.i32(row + KOBJECT.Limit) : 1,
        waiters: read.waiters(row),
        owner:
          type === KOBJECTS.MutantObject ? read.thread(read.u32(row + KMUTANT.OwnerThread)) : 0,
      };
    }),
  );
}

export function takeSnapshot(machine: Machine): Snapshot {
  const read = new Reader(machine);
  const nodes = read.system(KSYSTEM.NodeCount);
  const order = read.system(KSYSTEM.NodeOrderBase);
  const rows = read
    .rows(KSYSTEM.ThreadTable)
    .filter((row) => read.u32(row + KTHREAD.Type) === KOBJECTS.ThreadObject)
    .map((row) => thread(read, row));
  const swapHead = KSYSTEM.Address + KSYSTEM.SwapListHead;
  return {
    now: machine.now,
    first: read.u32(read.system(KSYSTEM.WinnerBase) + 4),
    processors: Array.from({ length: machine.processorCount }, (_, number) =>
      processor(read, number),
    ),
    threads: new Map(rows.map((row) => [row.index, row])),
    objects: objects(read),
    swapList: read.list(swapHead, KTHREAD.WaitListEntry).map((row) => read.thread(row)),
    timerCount: read.system(KSYSTEM.TimerCount),
    readyQueued: read.system(KSYSTEM.ReadyQueued),
    nodeOrder: Array.from({ length: nodes }, (_, node) =>
      Array.from({ length: nodes }, (_, rank) => read.u32(order + (node * nodes + rank) * 4)),
    ),
  };
}

/** The processors of a node. */
export function nodeProcessors(snapshot: Snapshot, node: number): Processor[] {
  return snapshot.processors.filter((processor) => processor.node === node);
}

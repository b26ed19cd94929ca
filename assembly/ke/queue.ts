import { PKOBJECT, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import {
  RtlInitializeListHead,
  RtlInsertHeadList,
  RtlInsertTailList,
  RtlIsListEmpty,
  RtlRemoveEntryList,
} from '../rtl';
import {
  KQUEUE,
  KQUEUE_ENTRY,
  KSYSTEM,
  KTHREAD,
  KTHREAD_EXTENSION,
  KWAIT_BLOCK,
  LIST_ENTRY,
} from '../shared/layout';
import { STATUS } from '../shared/status';
import { ADJUST, KOBJECTS, KWAIT_REASON, THREAD_FLAG } from '../shared/types';
import { KiComputeDueTime } from './clock';
import { KiMayBlock } from './irql';
import { KiCreateObject, KiObjectFromHandle, KiThreadExtension } from './object';
import { KiRegister } from './operation';
import { KiAllocateRow, KiFreeRow } from './table';
import { KiBlockOnObject, KiIsWaitBroken, KiUnwaitThread, KiWaitTest } from './wait';

/**
 * Queues: entries for threads that work on them, of which at most MaximumCount are to be active at a
 * time. A thread belongs to the queue it last took from, and counts as active unless it waits.
 *
 * Invariant: while a thread waits for an entry and fewer than the maximum are active, there is none.
 */

const ENTRY_TABLE: usize = KSYSTEM.Address + KSYSTEM.QueueEntryTable;

/** A new queue of at most `maximum` active threads; its handle, or 0 if the table is full. */
export function KiCreateQueue(maximum: u32): u64 {
  const handle = KiCreateObject(KOBJECTS.QueueObject, 0, 0);
  if (handle == 0) return 0;
  const queue = KiObjectFromHandle(handle);
  RtlInitializeListHead(queue + KQUEUE.EntryListHead);
  RtlInitializeListHead(queue + KQUEUE.ThreadListHead);
  store<u32>(queue, maximum, KQUEUE.MaximumCount);
  return handle;
}

/** Whether one more thread may be active. */
function KiIsBelowMaximum(queue: PKOBJECT): bool {
  return load<u32>(queue, KQUEUE.CurrentCount) < load<u32>(queue, KQUEUE.MaximumCount);
}

function KiAddCurrentCount(queue: PKOBJECT, change: i32): void {
  store<i32>(queue, load<i32>(queue, KQUEUE.CurrentCount) + change, KQUEUE.CurrentCount);
}

/** The thread that came last to wait for an entry, not only for the queue to have one; 0: none. */
function KiLastRemover(queue: PKOBJECT): PKTHREAD {
  const head = queue + KQUEUE.WaitListHead;
  let entry: usize = load<u32>(head, LIST_ENTRY.Blink);
  while (entry != head) {
    const thread: PKTHREAD = load<u32>(entry - KWAIT_BLOCK.WaitListEntry, KWAIT_BLOCK.Thread);
    if ((load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.WaitQueue) != 0) return thread;
    entry = load<u32>(entry, LIST_ENTRY.Blink);
  }
  return 0;
}

/** Takes the first entry out of a queue that has one. */
export function KiTakeQueueEntry(queue: PKOBJECT): u64 {
  const entry: usize = load<u32>(queue + KQUEUE.EntryListHead, LIST_ENTRY.Flink);
  const value = load<u64>(entry, KQUEUE_ENTRY.Value64);
  RtlRemoveEntryList(entry);
  KiFreeRow(ENTRY_TABLE, entry);
  store<i32>(queue, load<i32>(queue, KQUEUE.SignalState) - 1, KQUEUE.SignalState);
  return value;
}

function KiHandEntry(prcb: PKPRCB, thread: PKTHREAD, value: u64): void {
  const register = load<u32>(thread + KTHREAD.WaitBlock, KWAIT_BLOCK.WaitKey);
  store<u64>(KiRegister(thread, register), value);
  KiUnwaitThread(prcb, thread, STATUS.SUCCESS, ADJUST.Unwait, 0);
}

/** One thread of the queue is active no more: another gets an entry, if there are both. */
function KiActivateWaiterQueue(prcb: PKPRCB, queue: PKOBJECT): void {
  KiAddCurrentCount(queue, -1);
  if (load<i32>(queue, KQUEUE.SignalState) == 0 || !KiIsBelowMaximum(queue)) return;
  const thread = KiLastRemover(queue);
  if (thread != 0) KiHandEntry(prcb, thread, KiTakeQueueEntry(queue));
}

/** A thread that has an extension has come to wait. For an entry of its queue it has left the count before. */
export function KiQueueThreadBlocks(prcb: PKPRCB, thread: PKTHREAD): void {
  const queue: PKOBJECT = load<u32>(
    <usize>load<u32>(thread, KTHREAD.Extension),
    KTHREAD_EXTENSION.Queue,
  );
  if (queue == 0 || (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.WaitQueue) != 0) return;
  KiActivateWaiterQueue(prcb, queue);
}

/** The wait of a thread that has an extension has ended. */
export function KiQueueThreadUnblocks(thread: PKTHREAD): void {
  const queue: PKOBJECT = load<u32>(
    <usize>load<u32>(thread, KTHREAD.Extension),
    KTHREAD_EXTENSION.Queue,
  );
  if (queue != 0) KiAddCurrentCount(queue, 1);
}

/** A running thread with an extension leaves its queue: it ends, or takes from another. */
export function KiLeaveQueue(prcb: PKPRCB, thread: PKTHREAD): void {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  const queue: PKOBJECT = load<u32>(extension, KTHREAD_EXTENSION.Queue);
  if (queue == 0) return;
  store<u32>(extension, 0, KTHREAD_EXTENSION.Queue);
  RtlRemoveEntryList(extension + KTHREAD_EXTENSION.QueueListEntry);
  KiActivateWaiterQueue(prcb, queue);
}

/**
 * Gives an entry to the thread that came last to wait for one, if fewer than the maximum are active,
 * or puts it to the queue's tail, or head.
 *
 * @returns how many entries there were; -1, and nothing done, if the table of entries is full.
 * @irql at most DISPATCH_LEVEL   @nt KeInsertQueue
 */
export function KeInsertQueue(prcb: PKPRCB, queue: PKOBJECT, value: u64, atHead: bool): i32 {
  const previous = load<i32>(queue, KQUEUE.SignalState);
  if (KiIsBelowMaximum(queue)) {
    const thread = KiLastRemover(queue);
    if (thread != 0) {
      KiHandEntry(prcb, thread, value);
      return previous;
    }
  }
  const entry = KiAllocateRow(ENTRY_TABLE);
  if (entry == 0) return -1;
  store<u64>(entry, value, KQUEUE_ENTRY.Value64);
  if (atHead) RtlInsertHeadList(queue + KQUEUE.EntryListHead, entry);
  else RtlInsertTailList(queue + KQUEUE.EntryListHead, entry);
  store<i32>(queue, previous + 1, KQUEUE.SignalState);
  KiWaitTest(prcb, queue, 0);
  return previous;
}

/** Makes the running thread one of the queue's, not active now; false if it can have no extension. */
function KiJoinQueue(prcb: PKPRCB, thread: PKTHREAD, queue: PKOBJECT): bool {
  const extension = KiThreadExtension(thread);
  if (extension == 0) return false;
  if (load<u32>(extension, KTHREAD_EXTENSION.Queue) == <u32>queue) {
    KiAddCurrentCount(queue, -1);
    return true;
  }
  KiLeaveQueue(prcb, thread);
  store<u32>(extension, <u32>queue, KTHREAD_EXTENSION.Queue);
  RtlInsertTailList(queue + KQUEUE.ThreadListHead, extension + KTHREAD_EXTENSION.QueueListEntry);
  return true;
}

/**
 * Takes the first entry into a register, or waits for one: who came last gets the next. The thread
 * belongs to this queue from now on. While as many threads as the maximum are active, it waits,
 * entries or not. `modes` are those of WAIT_FIELD, `timeout` is a TIMEOUT.
 *
 * The WaitStatus is SUCCESS, TIMEOUT, ALERTED, USER_APC, ABANDONED of a queue that is run down, or INSUFFICIENT_RESOURCES
 * without a free thread extension.
 *
 * @irql below DISPATCH_LEVEL, or DISPATCH_LEVEL with a timeout of 0   @nt KeRemoveQueue
 */
export function KeRemoveQueue(
  prcb: PKPRCB,
  thread: PKTHREAD,
  queue: PKOBJECT,
  register: u32,
  modes: u32,
  timeout: u64,
): void {
  KiRemoveQueueUntil(prcb, thread, queue, register, modes, KiComputeDueTime(timeout), timeout);
}

/** The same until `due`, which `timeout` came to; whether the thread was blocked. */
export function KiRemoveQueueUntil(
  prcb: PKPRCB,
  thread: PKTHREAD,
  queue: PKOBJECT,
  register: u32,
  modes: u32,
  due: u64,
  timeout: u64,
): bool {
  const over = due <= load<u64>(SYSTEM, KSYSTEM.Time64);
  if (!over && !KiMayBlock(prcb, queue)) return false;
  let status: u32 = STATUS.SUCCESS;
  if (load<u32>(queue, KQUEUE.RunDown) != 0) status = STATUS.ABANDONED;
  else if (!KiJoinQueue(prcb, thread, queue)) status = STATUS.INSUFFICIENT_RESOURCES;
  if (status != STATUS.SUCCESS) {
    store<u32>(thread, status, KTHREAD.WaitStatus);
    return false;
  }
  if (load<i32>(queue, KQUEUE.SignalState) > 0 && KiIsBelowMaximum(queue)) {
    store<u64>(KiRegister(thread, register), KiTakeQueueEntry(queue));
  } else if (KiIsWaitBroken(thread, modes)) {
    status = load<u32>(thread, KTHREAD.WaitStatus);
  } else if (over) {
    status = STATUS.TIMEOUT;
  } else {
    const flags = load<u32>(thread, KTHREAD.Flags) | THREAD_FLAG.WaitQueue;
    store<u32>(thread, flags, KTHREAD.Flags);
    KiBlockOnObject(prcb, thread, queue, register, KWAIT_REASON.WrQueue, modes, due, timeout);
    return true;
  }
  KiAddCurrentCount(queue, 1);
  store<u32>(thread, status, KTHREAD.WaitStatus);
  return false;
}

/**
 * Ends a queue's work: its threads belong to it no more, who waits for an entry gets STATUS_ABANDONED,
 * as all will who come later. The entries stay, for the caller.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeRundownQueue
 */
export function KeRundownQueue(prcb: PKPRCB, queue: PKOBJECT): void {
  const head = queue + KQUEUE.ThreadListHead;
  while (!RtlIsListEmpty(head)) {
    const entry: usize = load<u32>(head, LIST_ENTRY.Flink);
    RtlRemoveEntryList(entry);
    store<u32>(entry - KTHREAD_EXTENSION.QueueListEntry, 0, KTHREAD_EXTENSION.Queue);
  }
  store<u32>(queue, 0, KQUEUE.CurrentCount);
  store<u32>(queue, 1, KQUEUE.RunDown);
  for (let thread = KiLastRemover(queue); thread != 0; thread = KiLastRemover(queue)) {
    KiUnwaitThread(prcb, thread, STATUS.ABANDONED, ADJUST.Unwait, 0);
  }
}

/** Frees what a queue has; false, and nothing done, while threads belong to it. */
export function KiDeleteQueue(queue: PKOBJECT): bool {
  if (!RtlIsListEmpty(queue + KQUEUE.ThreadListHead)) return false;
  while (load<i32>(queue, KQUEUE.SignalState) > 0) KiTakeQueueEntry(queue);
  return true;
}

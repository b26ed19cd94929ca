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
import { ADJUST, KOBJECTS, KTHREAD_STATE, KWAIT_REASON, THREAD_FLAG } from '../shared/types';
import { KiComputeDueTime } from './clock';
import { KiMayBlock } from './irql';
import { KiCreateObject, KiObjectFromHandle, KiThreadExtension } from './object';
import { KiRegister } from './operation';
import { KiSetBasePriority } from './priority';
import { KiAllocateRow, KiFreeRow } from './table';
import { KiBlockOnObject, KiIsWaitBroken, KiUnwaitThread, KiWaitTest } from './wait';

/**
 * Queues: entries for threads that work on them, of which at most MaximumCount are to be active at a
 * time. A thread belongs to the queue it last took from, and counts as active unless it waits.
 *
 * Invariant: while a thread waits for an entry and fewer than the maximum are active, there is none.
 * Entries that have a priority make it a priority queue, as the system's worker threads take from:
 * only threads at work on entries of that priority or a higher one count for the maximum then.
 */

/** In place of an entry's priority. */
const NO_ENTRY: u32 = 0xff;

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

/** Whether one more thread may be active with an entry of `priority`: those at work on lower ones do not count. */
function KiMayActivate(queue: PKOBJECT, priority: u32): bool {
  const maximum = load<u32>(queue, KQUEUE.MaximumCount);
  if (load<u32>(queue, KQUEUE.CurrentCount) < maximum) return true;
  if (priority == 0) return false;
  const head = queue + KQUEUE.ThreadListHead;
  let active: u32 = 0;
  let entry: usize = load<u32>(head, LIST_ENTRY.Flink);
  for (; entry != head; entry = load<u32>(entry, LIST_ENTRY.Flink)) {
    const extension = entry - KTHREAD_EXTENSION.QueueListEntry;
    const thread: PKTHREAD = load<u32>(extension, KTHREAD_EXTENSION.Thread);
    if (load<u32>(thread, KTHREAD.State) == KTHREAD_STATE.Waiting) continue;
    if (load<u32>(extension, KTHREAD_EXTENSION.QueuePriority) >= priority) active++;
  }
  return active < maximum;
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

/** The priority of the first entry of a queue that has one. */
function KiFirstPriority(queue: PKOBJECT): u32 {
  const entry: usize = load<u32>(queue + KQUEUE.EntryListHead, LIST_ENTRY.Flink);
  return load<u32>(entry, KQUEUE_ENTRY.Priority);
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

/** A thread is to work on an entry: it gets the entry's priority, if that has one. */
function KiBeginEntry(prcb: PKPRCB, thread: PKTHREAD, priority: u32): void {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  store<u32>(extension, priority, KTHREAD_EXTENSION.QueuePriority);
  if (priority == 0 || load<u32>(thread, KTHREAD.BasePriority) == priority) return;
  KiSetBasePriority(prcb, thread, priority);
}

function KiHandEntry(prcb: PKPRCB, thread: PKTHREAD, value: u64, priority: u32): void {
  KiBeginEntry(prcb, thread, priority);
  const register = load<u32>(thread + KTHREAD.WaitBlock, KWAIT_BLOCK.WaitKey);
  store<u64>(KiRegister(thread, register), value);
  KiUnwaitThread(prcb, thread, STATUS.SUCCESS, ADJUST.Unwait, 0);
}

/** One thread of the queue is active no more: another gets an entry, if there are both. */
function KiActivateWaiterQueue(prcb: PKPRCB, queue: PKOBJECT): void {
  KiAddCurrentCount(queue, -1);
  if (load<i32>(queue, KQUEUE.SignalState) == 0) return;
  const priority = KiFirstPriority(queue);
  if (!KiMayActivate(queue, priority)) return;
  const thread = KiLastRemover(queue);
  if (thread != 0) KiHandEntry(prcb, thread, KiTakeQueueEntry(queue), priority);
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

/** Puts an entry behind those of at least its priority, or with `atHead` of more. */
function KiInsertByPriority(queue: PKOBJECT, entry: usize, priority: u32, atHead: bool): void {
  const head = queue + KQUEUE.EntryListHead;
  const least = priority + (atHead ? 1 : 0);
  let before: usize = load<u32>(head, LIST_ENTRY.Blink);
  while (before != head && load<u32>(before, KQUEUE_ENTRY.Priority) < least) {
    before = load<u32>(before, LIST_ENTRY.Blink);
  }
  RtlInsertHeadList(before, entry);
}

/**
 * Gives an entry to the thread that came last to wait for one, if fewer than the maximum are active,
 * or puts it to the queue's tail, or head. One with a priority, 1-31, goes before lower ones; it gives
 * its thread that priority, and the threads at work on lower ones do not keep it waiting.
 *
 * @returns how many entries there were; -1, and nothing done, if the table of entries is full.
 * @irql at most DISPATCH_LEVEL   @nt KeInsertQueue
 */
export function KeInsertQueue(
  prcb: PKPRCB,
  queue: PKOBJECT,
  value: u64,
  atHead: bool,
  priority: u32,
): i32 {
  const previous = load<i32>(queue, KQUEUE.SignalState);
  if (KiMayActivate(queue, priority)) {
    const thread = KiLastRemover(queue);
    if (thread != 0) {
      KiHandEntry(prcb, thread, value, priority);
      return previous;
    }
  }
  const entry = KiAllocateRow(ENTRY_TABLE);
  if (entry == 0) return -1;
  store<u64>(entry, value, KQUEUE_ENTRY.Value64);
  store<u32>(entry, priority, KQUEUE_ENTRY.Priority);
  if (priority != 0) KiInsertByPriority(queue, entry, priority, atHead);
  else if (atHead) RtlInsertHeadList(queue + KQUEUE.EntryListHead, entry);
  else RtlInsertTailList(queue + KQUEUE.EntryListHead, entry);
  store<i32>(queue, previous + 1, KQUEUE.SignalState);
  KiWaitTest(prcb, queue, 0);
  return previous;
}

/** Makes the running thread one of the queue's, not active now; false if it can have no extension. */
function KiJoinQueue(prcb: PKPRCB, thread: PKTHREAD, queue: PKOBJECT): bool {
  const extension = KiThreadExtension(thread);
  if (extension == 0) return false;
  store<u32>(extension, 0, KTHREAD_EXTENSION.QueuePriority);
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
  const priority = load<i32>(queue, KQUEUE.SignalState) > 0 ? KiFirstPriority(queue) : NO_ENTRY;
  if (priority != NO_ENTRY && KiMayActivate(queue, priority)) {
    store<u64>(KiRegister(thread, register), KiTakeQueueEntry(queue));
    KiBeginEntry(prcb, thread, priority);
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

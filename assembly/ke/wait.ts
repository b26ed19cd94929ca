import { PKOBJECT, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import { RtlInsertTailList, RtlIsListEmpty, RtlRemoveEntryList } from '../rtl';
import {
  DISPATCHER_HEADER,
  KMUTANT,
  KSYSTEM,
  KTHREAD,
  KTIMER,
  KWAIT_BLOCK,
  LIST_ENTRY,
  TIMER_FLAG,
} from '../shared/layout';
import { WAIT_FIELD } from '../shared/opcode';
import { STATUS } from '../shared/status';
import {
  ADJUST,
  KOBJECTS,
  KTHREAD_STATE,
  KWAIT_REASON,
  THREAD_FLAG,
  WAIT_TYPE,
} from '../shared/types';
import { KiThreadBlocks, KiThreadUnblocks } from './balance';
import { KiComputeDueTime, KiIsAbsolute } from './clock';
import { KiBlockThread, KiReadyThread } from './dispatch';
import { KiRequestApcCheck } from './frame';
import { KiMayBlock } from './irql';
import { KiAcquireMutant, KiIsMutantExhausted, KiRaiseStatus } from './mutant';
import { KiIsApcDeliverable, KiTestAlert } from './apc';
import {
  KiAllocateWaitBlock,
  KiFreeWaitBlock,
  KiHasWaitBlocks,
  KiObjectFromHandle,
} from './object';
import { KiQueueThreadUnblocks } from './queue';
import { KiInterruptWait } from './rewait';
import { KiInsertTimer, KiRemoveTimer } from './timer';

/**
 * Waits. A blocked thread has a wait block in the list (FIFO) of each object it waits for and, if the
 * wait is limited, its own timer in the timer table; whichever comes first takes all of them out. The
 * block for one object is the thread's own; those for several come from a table.
 */

/** Whether a wait of the thread for the object would end at once. */
export function KiIsSignaled(object: PKOBJECT, thread: PKTHREAD): bool {
  if (load<i32>(object, DISPATCHER_HEADER.SignalState) > 0) return true;
  if (load<u32>(object, DISPATCHER_HEADER.Type) != KOBJECTS.MutantObject) return false;
  return load<u32>(object, KMUTANT.OwnerThread) == <u32>thread;
}

/**
 * What a satisfied wait of the thread does to the object: nothing to one that stays signaled.
 *
 * @returns STATUS_SUCCESS, or STATUS_ABANDONED for an abandoned mutant.
 */
export function KiSatisfyObject(object: PKOBJECT, thread: PKTHREAD): u32 {
  const type = load<u32>(object, DISPATCHER_HEADER.Type);
  if (
    type == KOBJECTS.EventSynchronizationObject ||
    type == KOBJECTS.TimerSynchronizationObject ||
    type == KOBJECTS.GateObject
  ) {
    store<i32>(object, 0, DISPATCHER_HEADER.SignalState);
  } else if (type == KOBJECTS.SemaphoreObject) {
    const count = load<i32>(object, DISPATCHER_HEADER.SignalState) - 1;
    store<i32>(object, count, DISPATCHER_HEADER.SignalState);
  } else if (type == KOBJECTS.MutantObject) {
    return KiAcquireMutant(object, thread);
  }
  return STATUS.SUCCESS;
}

/** Limits a wait or delay of the thread to `due`, which `timeout` came to. */
export function KiSetThreadTimer(thread: PKTHREAD, due: u64, timeout: u64): void {
  store<u32>(thread, load<u32>(thread, KTHREAD.Flags) | THREAD_FLAG.TimerInserted, KTHREAD.Flags);
  const flags = KiIsAbsolute(timeout) ? TIMER_FLAG.Absolute : 0;
  store<u32>(thread + KTHREAD.Timer, flags, KTIMER.Flags);
  KiInsertTimer(thread + KTHREAD.Timer, due);
}

export function KiInsertWaitBlock(
  thread: PKTHREAD,
  block: usize,
  object: PKOBJECT,
  key: u32,
): void {
  store<u32>(block, <u32>thread, KWAIT_BLOCK.Thread);
  store<u32>(block, <u32>object, KWAIT_BLOCK.Object);
  store<u32>(block, key, KWAIT_BLOCK.WaitKey);
  RtlInsertTailList(object + DISPATCHER_HEADER.WaitListHead, block + KWAIT_BLOCK.WaitListEntry);
}

/** Notes how a thread waits: `modes` are those of WAIT_FIELD. */
export function KiSetWaitFlags(thread: PKTHREAD, flags: u32, modes: u32): void {
  if ((modes & WAIT_FIELD.UserMode) != 0) flags |= THREAD_FLAG.UserWait;
  if ((modes & WAIT_FIELD.Alertable) != 0) flags |= THREAD_FLAG.Alertable;
  store<u32>(thread, load<u32>(thread, KTHREAD.Flags) | flags, KTHREAD.Flags);
}

/** Blocks a thread whose wait is noted everywhere. */
export function KiCommitThreadWait(prcb: PKPRCB, thread: PKTHREAD, reason: u32): void {
  KiBlockThread(prcb, thread, reason);
  KiThreadBlocks(thread);
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  if (extension == 0 || !KiIsApcDeliverable(prcb, thread, extension)) return;
  // What the level of a signal with Wait = TRUE held off comes first: the wait begins after it.
  KiInterruptWait(thread, extension);
  store<u32>(thread, KTHREAD_STATE.Running, KTHREAD.State);
  KiRequestApcCheck(prcb);
}

/** Blocks the thread until an object or `due`, which `timeout` came to; its wait block holds `key`. */
export function KiBlockOnObject(
  prcb: PKPRCB,
  thread: PKTHREAD,
  object: PKOBJECT,
  key: u32,
  reason: u32,
  modes: u32,
  due: u64,
  timeout: u64,
): void {
  KiInsertWaitBlock(thread, thread + KTHREAD.WaitBlock, object, key);
  KiSetWaitFlags(thread, THREAD_FLAG.WaitBlockInserted, modes);
  if (due != u64.MAX_VALUE) KiSetThreadTimer(thread, due, timeout);
  KiCommitThreadWait(prcb, thread, reason);
}

/** Lets an Initialized thread begin as one that has come to wait for `object`; ready if that is signaled. */
export function KiStartWaitingThread(prcb: PKPRCB, thread: PKTHREAD, object: PKOBJECT): void {
  store<u32>(thread, ADJUST.None, KTHREAD.Adjust);
  if (KiIsSignaled(object, thread)) {
    KiSatisfyObject(object, thread);
    KiReadyThread(prcb, thread);
    return;
  }
  KiInsertWaitBlock(thread, thread + KTHREAD.WaitBlock, object, 0);
  KiSetWaitFlags(thread, THREAD_FLAG.WaitBlockInserted, WAIT_FIELD.UserMode);
  store<u32>(thread, KTHREAD_STATE.Waiting, KTHREAD.State);
  store<u32>(thread, KWAIT_REASON.UserRequest, KTHREAD.WaitReason);
  store<u64>(thread, load<u64>(SYSTEM, KSYSTEM.Time64), KTHREAD.StateTime64);
  KiThreadBlocks(thread);
}

/** Whether an alert, a user-mode APC or the thread's end keeps a wait from beginning; its status then. */
export function KiIsWaitBroken(thread: PKTHREAD, modes: u32): bool {
  const status = KiTestAlert(thread, modes);
  if (status == STATUS.SUCCESS) return false;
  store<u32>(thread, status, KTHREAD.WaitStatus);
  return true;
}

/**
 * Waits for one object. `modes` are those of WAIT_FIELD; `timeout` is a TIMEOUT, and one that is over
 * already polls.
 *
 * @returns false if the thread was blocked; else its WaitStatus is SUCCESS, ABANDONED, TIMEOUT, ALERTED
 *   or USER_APC, or MUTANT_LIMIT_EXCEEDED is raised.
 * @irql below DISPATCH_LEVEL, or DISPATCH_LEVEL with a timeout of 0   @nt KeWaitForSingleObject
 */
export function KeWaitForSingleObject(
  prcb: PKPRCB,
  thread: PKTHREAD,
  object: PKOBJECT,
  reason: u32,
  modes: u32,
  timeout: u64,
): bool {
  if (KiIsSignaled(object, thread)) {
    if (KiIsExhausted(object, thread)) return true;
    store<u32>(thread, KiSatisfyObject(object, thread), KTHREAD.WaitStatus);
    return true;
  }
  if (KiIsWaitBroken(thread, modes)) return true;
  const due = KiComputeDueTime(timeout);
  if (due <= load<u64>(SYSTEM, KSYSTEM.Time64)) {
    store<u32>(thread, STATUS.TIMEOUT, KTHREAD.WaitStatus);
    return true;
  }
  if (!KiMayBlock(prcb, object)) return true;
  KiBlockOnObject(prcb, thread, object, 0, reason, modes, due, timeout);
  return false;
}

/**
 * Blocks the thread until `due`, which `timeout` came to; it goes on at the first tick at or after it.
 *
 * @irql below DISPATCH_LEVEL   @nt KeDelayExecutionThread
 */
export function KiDelayUntil(
  prcb: PKPRCB,
  thread: PKTHREAD,
  due: u64,
  timeout: u64,
  modes: u32,
): void {
  if (!KiMayBlock(prcb, 0)) return;
  KiSetThreadTimer(thread, due, timeout);
  KiSetWaitFlags(thread, 0, modes);
  KiCommitThreadWait(prcb, thread, KWAIT_REASON.DelayExecution);
}

/** Raises the status for it if the object is a mutant that the thread can acquire no more. */
function KiIsExhausted(object: PKOBJECT, thread: PKTHREAD): bool {
  if (load<u32>(object, DISPATCHER_HEADER.Type) != KOBJECTS.MutantObject) return false;
  if (!KiIsMutantExhausted(object, thread)) return false;
  KiRaiseStatus(thread, STATUS.MUTANT_LIMIT_EXCEEDED);
  return true;
}

/** Object `index` of a wait for several, whose handles are at `handles`; 0 if it is stale. */
function KiWaitObject(handles: usize, index: u32): PKOBJECT {
  return KiObjectFromHandle(load<u64>(handles + (index << 3)));
}

/** Ends a wait for several objects at once if it can; whether it has. */
function KiTrySatisfyMultiple(thread: PKTHREAD, count: u32, handles: usize, type: WAIT_TYPE): bool {
  for (let index: u32 = 0; index < count; index++) {
    const object = KiWaitObject(handles, index);
    const signaled = KiIsSignaled(object, thread);
    if (signaled && KiIsExhausted(object, thread)) return true;
    if (type == WAIT_TYPE.WaitAll && !signaled) return false;
    if (type != WAIT_TYPE.WaitAny || !signaled) continue;
    store<u32>(thread, KiSatisfyObject(object, thread) + index, KTHREAD.WaitStatus);
    return true;
  }
  if (type == WAIT_TYPE.WaitAny) return false;
  let status: u32 = STATUS.SUCCESS;
  for (let index: u32 = 0; index < count; index++) {
    status |= KiSatisfyObject(KiWaitObject(handles, index), thread);
  }
  store<u32>(thread, status, KTHREAD.WaitStatus);
  return true;
}

/**
 * Waits for one of several objects or for all of them, which are then taken at once. `handles` is
 * the address of `count` handles, 1 to 64; `modes` and `timeout` as for one.
 *
 * The WaitStatus of a wait for one of them is the lowest index that is signaled, plus 0x80 for an
 * abandoned mutant; of a wait for all, SUCCESS or ABANDONED; TIMEOUT, ALERTED, USER_APC;
 * INVALID_HANDLE for a stale handle and INSUFFICIENT_RESOURCES without free wait blocks, nothing
 * having changed.
 *
 * @irql below DISPATCH_LEVEL, or DISPATCH_LEVEL with a timeout of 0   @nt KeWaitForMultipleObjects
 */
export function KeWaitForMultipleObjects(
  prcb: PKPRCB,
  thread: PKTHREAD,
  count: u32,
  handles: usize,
  type: WAIT_TYPE,
  reason: u32,
  modes: u32,
  timeout: u64,
): void {
  for (let index: u32 = 0; index < count; index++) {
    if (KiWaitObject(handles, index) != 0) continue;
    store<u32>(thread, STATUS.INVALID_HANDLE, KTHREAD.WaitStatus);
    return;
  }
  if (KiTrySatisfyMultiple(thread, count, handles, type)) return;
  if (KiIsWaitBroken(thread, modes)) return;
  const due = KiComputeDueTime(timeout);
  const over = due <= load<u64>(SYSTEM, KSYSTEM.Time64);
  if (over || !KiHasWaitBlocks(count)) {
    const status = over ? STATUS.TIMEOUT : STATUS.INSUFFICIENT_RESOURCES;
    store<u32>(thread, status, KTHREAD.WaitStatus);
    return;
  }
  if (!KiMayBlock(prcb, handles)) return;
  let link = thread + KTHREAD.WaitBlock + KWAIT_BLOCK.NextWaitBlock;
  for (let index: u32 = 0; index < count; index++) {
    const block = KiAllocateWaitBlock();
    KiInsertWaitBlock(thread, block, KiWaitObject(handles, index), index);
    store<u32>(link, <u32>block);
    link = block + KWAIT_BLOCK.NextWaitBlock;
  }
  store<u32>(link, 0);
  const all = type == WAIT_TYPE.WaitAll ? THREAD_FLAG.WaitAll : 0;
  KiSetWaitFlags(thread, THREAD_FLAG.WaitMultiple | all, modes);
  if (due != u64.MAX_VALUE) KiSetThreadTimer(thread, due, timeout);
  KiCommitThreadWait(prcb, thread, reason);
}

/** What the flags say of a wait. */
export const WAIT_FLAGS: u32 =
  THREAD_FLAG.WaitBlockInserted |
  THREAD_FLAG.TimerInserted |
  THREAD_FLAG.WaitMultiple |
  THREAD_FLAG.WaitAll |
  THREAD_FLAG.WaitQueue |
  THREAD_FLAG.Alertable;

function KiRemoveWaitBlocks(thread: PKTHREAD): void {
  let block: usize = load<u32>(thread + KTHREAD.WaitBlock, KWAIT_BLOCK.NextWaitBlock);
  while (block != 0) {
    const next: usize = load<u32>(block, KWAIT_BLOCK.NextWaitBlock);
    RtlRemoveEntryList(block + KWAIT_BLOCK.WaitListEntry);
    KiFreeWaitBlock(block);
    block = next;
  }
}

/** Ends a thread's wait, takes its wait blocks and timer out, and readies it. */
export function KiUnwaitThread(
  prcb: PKPRCB,
  thread: PKTHREAD,
  status: u32,
  adjust: u32,
  increment: u32,
): void {
  const flags = load<u32>(thread, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.WaitBlockInserted) != 0) {
    RtlRemoveEntryList(thread + KTHREAD.WaitBlock + KWAIT_BLOCK.WaitListEntry);
  } else if ((flags & THREAD_FLAG.WaitMultiple) != 0) {
    KiRemoveWaitBlocks(thread);
  }
  if ((flags & THREAD_FLAG.TimerInserted) != 0) KiRemoveTimer(thread + KTHREAD.Timer);
  store<u32>(thread, flags & ~WAIT_FLAGS, KTHREAD.Flags);
  if (load<u32>(thread, KTHREAD.Extension) != 0) KiQueueThreadUnblocks(thread);
  store<u32>(thread, status, KTHREAD.WaitStatus);
  store<u32>(thread, adjust | (increment << 8), KTHREAD.Adjust);
  KiThreadUnblocks(thread);
  KiReadyThread(prcb, thread);
}

/** Whether anyone waits for the object. */
export function KiHasWaiters(object: PKOBJECT): bool {
  return !RtlIsListEmpty(object + DISPATCHER_HEADER.WaitListHead);
}

/** Takes all objects of a wait for all of them if they are signaled; what the wait returns, or TIMEOUT. */
export function KiTrySatisfyAll(thread: PKTHREAD): u32 {
  const first: usize = load<u32>(thread + KTHREAD.WaitBlock, KWAIT_BLOCK.NextWaitBlock);
  for (let block = first; block != 0; block = load<u32>(block, KWAIT_BLOCK.NextWaitBlock)) {
    if (!KiIsSignaled(load<u32>(block, KWAIT_BLOCK.Object), thread)) return STATUS.TIMEOUT;
  }
  let status: u32 = STATUS.SUCCESS;
  for (let block = first; block != 0; block = load<u32>(block, KWAIT_BLOCK.NextWaitBlock)) {
    status |= KiSatisfyObject(load<u32>(block, KWAIT_BLOCK.Object), thread);
  }
  return status;
}

/**
 * Ends as many waits for a signaled object as it satisfies, the longest first. A wait for all of
 * several objects is passed over unless all are signaled, and one for a queue's entry always.
 *
 * @irql DISPATCH_LEVEL   @nt KiWaitTest
 */
export function KiWaitTest(prcb: PKPRCB, object: PKOBJECT, increment: u32): void {
  const head = object + DISPATCHER_HEADER.WaitListHead;
  // The last entry that is passed over: it stays, whatever else leaves the list.
  let passed = head;
  while (load<i32>(object, DISPATCHER_HEADER.SignalState) > 0) {
    const entry: usize = load<u32>(passed, LIST_ENTRY.Flink);
    if (entry == head) return;
    const block = entry - KWAIT_BLOCK.WaitListEntry;
    const thread: PKTHREAD = load<u32>(block, KWAIT_BLOCK.Thread);
    const flags = load<u32>(thread, KTHREAD.Flags);
    let status: u32;
    if ((flags & THREAD_FLAG.WaitQueue) != 0) {
      passed = entry;
      continue;
    }
    if ((flags & THREAD_FLAG.WaitAll) == 0) {
      status = KiSatisfyObject(object, thread) + load<u32>(block, KWAIT_BLOCK.WaitKey);
    } else {
      status = KiTrySatisfyAll(thread);
      if (status == STATUS.TIMEOUT) {
        passed = entry;
        continue;
      }
    }
    KiUnwaitThread(prcb, thread, status, ADJUST.Unwait, increment);
  }
}

/**
 * Ends the longest wait for an object that one waiter takes whole, without signaling it first.
 *
 * @returns false, and nothing done, if that is a wait for all of several objects.
 */
export function KiUnwaitFirst(prcb: PKPRCB, object: PKOBJECT, adjust: u32, increment: u32): bool {
  const entry: usize = load<u32>(object + DISPATCHER_HEADER.WaitListHead, LIST_ENTRY.Flink);
  const block = entry - KWAIT_BLOCK.WaitListEntry;
  const thread: PKTHREAD = load<u32>(block, KWAIT_BLOCK.Thread);
  if ((load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.WaitAll) != 0) return false;
  const status = load<u32>(block, KWAIT_BLOCK.WaitKey);
  KiUnwaitThread(prcb, thread, status, adjust, increment);
  return true;
}

/** Signals an object for good, as a thread or process that has ended. */
export function KiSignalObject(prcb: PKPRCB, object: PKOBJECT, increment: u32): void {
  store<i32>(object, 1, DISPATCHER_HEADER.SignalState);
  KiWaitTest(prcb, object, increment);
}

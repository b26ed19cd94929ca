import { PKOBJECT, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import { RtlInsertTailList, RtlIsListEmpty, RtlRemoveEntryList } from '../rtl';
import { DISPATCHER_HEADER, KSYSTEM, KTHREAD, KWAIT_BLOCK, LIST_ENTRY } from '../shared/layout';
import { STATUS } from '../shared/status';
import { ADJUST, KOBJECTS, KTHREAD_STATE, KWAIT_REASON, MODE, THREAD_FLAG } from '../shared/types';
import { KiThreadBlocks, KiThreadUnblocks } from './balance';
import { KiBlockThread, KiReadyThread } from './dispatch';
import { KiInsertTimer, KiRemoveTimer } from './timer';

/**
 * Waits. A blocked thread has a wait block in its object's list (FIFO) and, if the wait is limited,
 * its own timer in the timer table; whichever comes first takes both out.
 */

/** Whether a wait for the object would end at once. */
export function KiIsSignaled(object: PKOBJECT): bool {
  return load<i32>(object, DISPATCHER_HEADER.SignalState) > 0;
}

/** What a satisfied wait does to the object: nothing to one that stays signaled. */
export function KiSatisfyObject(object: PKOBJECT): void {
  const type = load<u32>(object, DISPATCHER_HEADER.Type);
  if (type == KOBJECTS.EventSynchronizationObject) {
    store<i32>(object, 0, DISPATCHER_HEADER.SignalState);
  } else if (type == KOBJECTS.SemaphoreObject) {
    store<i32>(
      object,
      load<i32>(object, DISPATCHER_HEADER.SignalState) - 1,
      DISPATCHER_HEADER.SignalState,
    );
  }
}

export function KiSetThreadTimer(thread: PKTHREAD, due: u64): void {
  store<u32>(thread, load<u32>(thread, KTHREAD.Flags) | THREAD_FLAG.TimerInserted, KTHREAD.Flags);
  KiInsertTimer(thread + KTHREAD.Timer, due);
}

/** The time `interval` from now; never if that is past the end of time. */
export function KiDueTime(interval: u64): u64 {
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  return now + interval < now ? u64.MAX_VALUE : now + interval;
}

function KiInsertWaitBlock(thread: PKTHREAD, object: PKOBJECT, mode: u32): void {
  const block = thread + KTHREAD.WaitBlock;
  store<u32>(block, <u32>thread, KWAIT_BLOCK.Thread);
  store<u32>(block, <u32>object, KWAIT_BLOCK.Object);
  store<u32>(block, STATUS.WAIT_0, KWAIT_BLOCK.WaitKey);
  RtlInsertTailList(object + DISPATCHER_HEADER.WaitListHead, block + KWAIT_BLOCK.WaitListEntry);
  let flags = load<u32>(thread, KTHREAD.Flags) | THREAD_FLAG.WaitBlockInserted;
  if (mode == MODE.UserMode) flags |= THREAD_FLAG.UserWait;
  store<u32>(thread, flags, KTHREAD.Flags);
}

/** Lets an Initialized thread begin as one that has come to wait for `object`; ready if that is signaled. */
export function KiStartWaitingThread(prcb: PKPRCB, thread: PKTHREAD, object: PKOBJECT): void {
  store<u32>(thread, ADJUST.None, KTHREAD.Adjust);
  if (KiIsSignaled(object)) {
    KiSatisfyObject(object);
    KiReadyThread(prcb, thread);
    return;
  }
  KiInsertWaitBlock(thread, object, MODE.UserMode);
  store<u32>(thread, KTHREAD_STATE.Waiting, KTHREAD.State);
  store<u32>(thread, KWAIT_REASON.UserRequest, KTHREAD.WaitReason);
  store<u64>(thread, load<u64>(SYSTEM, KSYSTEM.Time64), KTHREAD.StateTime64);
  KiThreadBlocks(thread);
}

/**
 * Waits for one object. `timeout` is in ns from now, 0 polls, all ones waits for ever.
 *
 * @returns false if the thread was blocked; else its WaitStatus is SUCCESS or TIMEOUT already.
 * @irql below DISPATCH_LEVEL, or DISPATCH_LEVEL with a timeout of 0   @nt KeWaitForSingleObject
 */
export function KeWaitForSingleObject(
  prcb: PKPRCB,
  thread: PKTHREAD,
  object: PKOBJECT,
  reason: u32,
  mode: u32,
  timeout: u64,
): bool {
  if (KiIsSignaled(object)) {
    KiSatisfyObject(object);
    store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
    return true;
  }
  if (timeout == 0) {
    store<u32>(thread, STATUS.TIMEOUT, KTHREAD.WaitStatus);
    return true;
  }
  KiInsertWaitBlock(thread, object, mode);
  if (timeout != u64.MAX_VALUE) KiSetThreadTimer(thread, KiDueTime(timeout));
  KiBlockThread(prcb, thread, reason);
  KiThreadBlocks(thread);
  return false;
}

/**
 * Blocks the thread until `due`, a time since boot; it goes on at the first tick at or after it.
 *
 * @irql below DISPATCH_LEVEL   @nt KeDelayExecutionThread
 */
export function KiDelayUntil(prcb: PKPRCB, thread: PKTHREAD, due: u64): void {
  KiSetThreadTimer(thread, due);
  KiBlockThread(prcb, thread, KWAIT_REASON.DelayExecution);
  KiThreadBlocks(thread);
}

/** Ends a thread's wait, takes its wait block and timer out, and readies it. */
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
  }
  if ((flags & THREAD_FLAG.TimerInserted) != 0) KiRemoveTimer(thread + KTHREAD.Timer);
  store<u32>(
    thread,
    flags & ~(THREAD_FLAG.WaitBlockInserted | THREAD_FLAG.TimerInserted),
    KTHREAD.Flags,
  );
  store<u32>(thread, status, KTHREAD.WaitStatus);
  store<u32>(thread, adjust | (increment << 8), KTHREAD.Adjust);
  KiThreadUnblocks(thread);
  KiReadyThread(prcb, thread);
}

/** Whether anyone waits for the object. */
export function KiHasWaiters(object: PKOBJECT): bool {
  return !RtlIsListEmpty(object + DISPATCHER_HEADER.WaitListHead);
}

/** Wakes the thread that has waited longest for the object. */
export function KiUnwaitFirst(prcb: PKPRCB, object: PKOBJECT, increment: u32): void {
  const entry: usize = load<u32>(object + DISPATCHER_HEADER.WaitListHead, LIST_ENTRY.Flink);
  const thread: PKTHREAD = load<u32>(entry - KWAIT_BLOCK.WaitListEntry, KWAIT_BLOCK.Thread);
  KiUnwaitThread(prcb, thread, STATUS.WAIT_0, ADJUST.Unwait, increment);
}

export function KiUnwaitAll(prcb: PKPRCB, object: PKOBJECT, increment: u32): void {
  while (KiHasWaiters(object)) KiUnwaitFirst(prcb, object, increment);
}

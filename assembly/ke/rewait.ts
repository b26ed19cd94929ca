import { PKOBJECT, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import { RtlInsertTailList, RtlRemoveEntryList } from '../rtl';
import {
  DISPATCHER_HEADER,
  KSYSTEM,
  KTHREAD,
  KTHREAD_EXTENSION,
  KTIMER,
  KWAIT_BLOCK,
  KWAIT_BLOCK_ROW,
  TIMER_FLAG,
} from '../shared/layout';
import { TIMEOUT, WAIT_FIELD } from '../shared/opcode';
import { STATUS } from '../shared/status';
import { KWAIT_REASON, THREAD_FLAG } from '../shared/types';
import { KiThreadUnblocks } from './balance';
import { KiGoOn, KiRequestApcCheck } from './frame';
import { KiFreeWaitBlock, KiObjectGeneration } from './object';
import { KiQueueThreadUnblocks, KiRemoveQueueUntil } from './queue';
import { KiRemoveTimer } from './timer';
import {
  KiBlockOnObject,
  KiCommitThreadWait,
  KiDelayUntil,
  KiIsSignaled,
  KiIsWaitBroken,
  KiSatisfyObject,
  KiSetThreadTimer,
  KiSetWaitFlags,
  KiTrySatisfyAll,
  WAIT_FLAGS,
} from './wait';

/**
 * Waits that kernel-mode APCs interrupt. The thread leaves the objects' lists and the timer table, but
 * keeps what it waited for; after the APCs the wait begins again, behind those who came meanwhile, with
 * what is left of its time. A signal in between that did not last is missed.
 */

/** Takes a waiting thread out of its wait, which it begins again when it next runs. */
export function KiInterruptWait(thread: PKTHREAD, extension: usize): void {
  const flags = load<u32>(thread, KTHREAD.Flags);
  const first = thread + KTHREAD.WaitBlock;
  if ((flags & THREAD_FLAG.WaitBlockInserted) != 0) {
    RtlRemoveEntryList(first + KWAIT_BLOCK.WaitListEntry);
    const generation = KiObjectGeneration(load<u32>(first, KWAIT_BLOCK.Object));
    store<u32>(extension, generation, KTHREAD_EXTENSION.ObjectGeneration);
  } else if ((flags & THREAD_FLAG.WaitMultiple) != 0) {
    let block: usize = load<u32>(first, KWAIT_BLOCK.NextWaitBlock);
    for (; block != 0; block = load<u32>(block, KWAIT_BLOCK.NextWaitBlock)) {
      RtlRemoveEntryList(block + KWAIT_BLOCK.WaitListEntry);
      const generation = KiObjectGeneration(load<u32>(block, KWAIT_BLOCK.Object));
      store<u32>(block, generation, KWAIT_BLOCK_ROW.ObjectGeneration);
    }
  }
  if ((flags & THREAD_FLAG.TimerInserted) != 0) KiRemoveTimer(thread + KTHREAD.Timer);
  let modes: u32 = (flags & THREAD_FLAG.UserWait) != 0 ? WAIT_FIELD.UserMode : 0;
  if ((flags & THREAD_FLAG.Alertable) != 0) modes |= WAIT_FIELD.Alertable;
  store<u32>(extension, modes, KTHREAD_EXTENSION.WaitModes);
  store<u32>(thread, flags | THREAD_FLAG.WaitAgain, KTHREAD.Flags);
  KiQueueThreadUnblocks(thread);
  KiThreadUnblocks(thread);
}

function KiFreeWaitBlocks(thread: PKTHREAD): void {
  let block: usize = load<u32>(thread + KTHREAD.WaitBlock, KWAIT_BLOCK.NextWaitBlock);
  while (block != 0) {
    const next: usize = load<u32>(block, KWAIT_BLOCK.NextWaitBlock);
    KiFreeWaitBlock(block);
    block = next;
  }
}

/** Lets a thread that runs again begin the wait again that was interrupted. */
export function KiResumeWait(prcb: PKPRCB, thread: PKTHREAD): void {
  const flags = load<u32>(thread, KTHREAD.Flags);
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  const timer = thread + KTHREAD.Timer;
  const limited = (flags & THREAD_FLAG.TimerInserted) != 0;
  const due = limited ? load<u64>(timer, KTIMER.DueTime64) : u64.MAX_VALUE;
  const absolute = limited && (load<u32>(timer, KTIMER.Flags) & TIMER_FLAG.Absolute) != 0;
  const timeout: u64 = absolute ? (<u64>1) << TIMEOUT.AbsoluteBit : 0;
  const modes = load<u32>(extension, KTHREAD_EXTENSION.WaitModes);
  store<u32>(thread, flags & ~(WAIT_FLAGS | THREAD_FLAG.WaitAgain), KTHREAD.Flags);
  let blocked: bool;
  if ((flags & THREAD_FLAG.WaitMultiple) != 0) {
    const all = flags & THREAD_FLAG.WaitAll;
    blocked = KiWaitForBlocksAgain(prcb, thread, all, modes, due, timeout);
  } else if ((flags & THREAD_FLAG.WaitBlockInserted) != 0) {
    const queue = (flags & THREAD_FLAG.WaitQueue) != 0;
    blocked = KiWaitForObjectAgain(prcb, thread, extension, queue, modes, due, timeout);
  } else {
    blocked = KiDelayAgain(prcb, thread, modes, due, timeout);
  }
  // The dispatcher looks once more: at who follows, or at what the end of the wait lets through.
  KiRequestApcCheck(prcb);
  if (!blocked) KiGoOn(prcb, thread);
}

/** Ends a wait that is over by time or broken; false if it is neither. */
function KiIsOver(thread: PKTHREAD, modes: u32, due: u64, status: u32): bool {
  if (KiIsWaitBroken(thread, modes)) return true;
  if (due > load<u64>(SYSTEM, KSYSTEM.Time64)) return false;
  store<u32>(thread, status, KTHREAD.WaitStatus);
  return true;
}

function KiDelayAgain(prcb: PKPRCB, thread: PKTHREAD, modes: u32, due: u64, timeout: u64): bool {
  if (KiIsOver(thread, modes, due, STATUS.SUCCESS)) return false;
  KiDelayUntil(prcb, thread, due, timeout, modes);
  return true;
}

function KiWaitForObjectAgain(
  prcb: PKPRCB,
  thread: PKTHREAD,
  extension: usize,
  queue: bool,
  modes: u32,
  due: u64,
  timeout: u64,
): bool {
  const block = thread + KTHREAD.WaitBlock;
  const object: PKOBJECT = load<u32>(block, KWAIT_BLOCK.Object);
  const key = load<u32>(block, KWAIT_BLOCK.WaitKey);
  const generation = load<u32>(extension, KTHREAD_EXTENSION.ObjectGeneration);
  if (KiObjectGeneration(object) != generation) {
    store<u32>(thread, STATUS.INVALID_HANDLE, KTHREAD.WaitStatus);
    return false;
  }
  if (queue) return KiRemoveQueueUntil(prcb, thread, object, key, modes, due, timeout);
  if (KiIsSignaled(object, thread)) {
    store<u32>(thread, KiSatisfyObject(object, thread) + key, KTHREAD.WaitStatus);
    return false;
  }
  if (KiIsOver(thread, modes, due, STATUS.TIMEOUT)) return false;
  const reason = load<u32>(thread, KTHREAD.WaitReason);
  KiBlockOnObject(prcb, thread, object, key, reason, modes, due, timeout);
  return true;
}

/** Whether the objects of the thread's wait blocks are still there. */
function KiAreObjectsThere(thread: PKTHREAD): bool {
  let block: usize = load<u32>(thread + KTHREAD.WaitBlock, KWAIT_BLOCK.NextWaitBlock);
  for (; block != 0; block = load<u32>(block, KWAIT_BLOCK.NextWaitBlock)) {
    const generation = load<u32>(block, KWAIT_BLOCK_ROW.ObjectGeneration);
    if (KiObjectGeneration(load<u32>(block, KWAIT_BLOCK.Object)) != generation) return false;
  }
  return true;
}

/** What a wait for the objects of the thread's wait blocks returns at once; TIMEOUT if it blocks. */
function KiTrySatisfyBlocks(thread: PKTHREAD, all: u32): u32 {
  if (all != 0) return KiTrySatisfyAll(thread);
  let block: usize = load<u32>(thread + KTHREAD.WaitBlock, KWAIT_BLOCK.NextWaitBlock);
  for (; block != 0; block = load<u32>(block, KWAIT_BLOCK.NextWaitBlock)) {
    const object: PKOBJECT = load<u32>(block, KWAIT_BLOCK.Object);
    if (!KiIsSignaled(object, thread)) continue;
    return KiSatisfyObject(object, thread) + load<u32>(block, KWAIT_BLOCK.WaitKey);
  }
  return STATUS.TIMEOUT;
}

function KiWaitForBlocksAgain(
  prcb: PKPRCB,
  thread: PKTHREAD,
  all: u32,
  modes: u32,
  due: u64,
  timeout: u64,
): bool {
  let status: u32 = STATUS.INVALID_HANDLE;
  if (KiAreObjectsThere(thread)) status = KiTrySatisfyBlocks(thread, all);
  let over = status != STATUS.TIMEOUT;
  if (over) store<u32>(thread, status, KTHREAD.WaitStatus);
  else over = KiIsOver(thread, modes, due, STATUS.TIMEOUT);
  if (over) {
    KiFreeWaitBlocks(thread);
    return false;
  }
  let block: usize = load<u32>(thread + KTHREAD.WaitBlock, KWAIT_BLOCK.NextWaitBlock);
  for (; block != 0; block = load<u32>(block, KWAIT_BLOCK.NextWaitBlock)) {
    const list = load<u32>(block, KWAIT_BLOCK.Object) + DISPATCHER_HEADER.WaitListHead;
    RtlInsertTailList(list, block + KWAIT_BLOCK.WaitListEntry);
  }
  KiSetWaitFlags(thread, THREAD_FLAG.WaitMultiple | all, modes);
  if (due != u64.MAX_VALUE) KiSetThreadTimer(thread, due, timeout);
  KiCommitThreadWait(prcb, thread, load<u32>(thread, KTHREAD.WaitReason));
  return true;
}

/** Drops the wait of a thread that ends instead of beginning it again. */
export function KiDropWait(thread: PKTHREAD): void {
  const flags = load<u32>(thread, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.WaitAgain) == 0) return;
  if ((flags & THREAD_FLAG.WaitMultiple) != 0) KiFreeWaitBlocks(thread);
  store<u32>(thread, flags & ~(WAIT_FLAGS | THREAD_FLAG.WaitAgain), KTHREAD.Flags);
  store<u32>(thread, KWAIT_REASON.Executive, KTHREAD.WaitReason);
}

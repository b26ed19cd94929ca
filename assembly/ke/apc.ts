import { PKOBJECT, PKPRCB, PKTHREAD } from '../hal';
import { RtlInsertTailList, RtlIsListEmpty, RtlRemoveEntryList } from '../rtl';
import { BUGCHECK } from '../shared/bugcheck';
import { EVENT } from '../shared/event';
import {
  APC_PENDING,
  KAPC,
  KAPC_FLAG,
  KAPC_STATE,
  KPRCB,
  KTHREAD,
  KTHREAD_EXTENSION,
  KTRAP_FRAME,
  LIST_ENTRY,
} from '../shared/layout';
import { APC_REGION, WAIT_FIELD } from '../shared/opcode';
import { STATUS } from '../shared/status';
import {
  ADJUST,
  FRAME,
  IRQL,
  KAPC_ENVIRONMENT,
  KTHREAD_STATE,
  MODE,
  THREAD_FLAG,
} from '../shared/types';
import { KeBugCheckEx } from './bugcheck';
import { KiReadyThread, KiSendIpi } from './dispatch';
import {
  KiEnterFrame,
  KiPending,
  KiPopTrapFrame,
  KiPushTrapFrame,
  KiRequestApcCheck,
  KiRunningPrcb,
  KiSetPending,
  KiThreadIrql,
  KiTrapFrame,
} from './frame';
import { KiObjectIndex, KiThreadIndex } from './object';
import { KiEnterSuspend } from './suspend';
import { KiInterruptWait, KiResumeWait } from './rewait';
import { KiBeginExit } from './thread';
import { KiTrace } from './trace';
import { KiUnwaitThread } from './wait';

/**
 * Asynchronous procedure calls: what a thread is made to run in front of what it does.
 *
 * Kernel-mode APCs come below APC_LEVEL: special ones (without a normal routine) unless the thread is in
 * a guarded region, normal ones unless it is in any region or runs another already. They interrupt
 * waits. User-mode APCs come with the return to user mode, once an alertable wait has let them.
 *
 * What keeps APCs away are two signed 16-bit counts in one word, which wrap alike: a region that is
 * left once too often disables them too.
 */

const KERNEL_COUNT: u32 = 0xffff;
const LIST: usize = KAPC.ApcListEntry;
/** What comes at the places where normal kernel-mode APCs do. */
const KERNEL_PENDING: u32 = APC_PENDING.Kernel | APC_PENDING.Suspend | APC_PENDING.Terminate;

/** The counts of a thread have changed: what waited for that comes when this step ends. */
function KiNoteRegionLeft(thread: PKTHREAD): void {
  if (load<u32>(thread, KTHREAD.Extension) == 0) return;
  const prcb = KiRunningPrcb(thread);
  if (prcb != 0) KiRequestApcCheck(prcb);
}

/** Changes KernelApcDisable: -1 enters a critical region, 1 leaves it. */
export function KiAddKernelApcDisable(thread: PKTHREAD, change: i32): void {
  const counts = load<u32>(thread, KTHREAD.CombinedApcDisable);
  const kernel = (counts + <u32>change) & KERNEL_COUNT;
  store<u32>(thread, (counts & ~KERNEL_COUNT) | kernel, KTHREAD.CombinedApcDisable);
  if (change > 0) KiNoteRegionLeft(thread);
}

/**
 * Enters (-1) or leaves (1) a region.
 *
 * @irql at most APC_LEVEL
 * @internal @nt KeEnterCriticalRegion, KeLeaveCriticalRegion, KeEnterGuardedRegion, KeLeaveGuardedRegion
 */
export function KiChangeApcRegion(thread: PKTHREAD, region: APC_REGION, change: i32): void {
  if (region == APC_REGION.Critical) {
    KiAddKernelApcDisable(thread, change);
    return;
  }
  const counts = load<u32>(thread, KTHREAD.CombinedApcDisable);
  store<u32>(thread, counts + ((<u32>change) << 16), KTHREAD.CombinedApcDisable);
  if (change > 0) KiNoteRegionLeft(thread);
}

function KiFirstApc(head: usize): PKOBJECT {
  const entry: usize = load<u32>(head, LIST_ENTRY.Flink);
  return entry - LIST;
}

function KiFirstKernelApc(extension: usize): PKOBJECT {
  return KiFirstApc(extension + KTHREAD_EXTENSION.KernelApcListHead);
}

function KiIsSpecial(apc: PKOBJECT): bool {
  return load<u32>(apc, KAPC.NormalRoutine) == 0;
}

/** Whether the counts, and an APC that runs already, let a kernel-mode APC begin that is there. */
function KiHasDeliverableApc(thread: PKTHREAD, extension: usize): bool {
  const pending = KiPending(extension);
  if ((pending & KERNEL_PENDING) == 0) return false;
  const counts = load<u32>(thread, KTHREAD.CombinedApcDisable);
  if (counts >> 16 != 0) return false;
  if ((pending & APC_PENDING.Kernel) != 0 && KiIsSpecial(KiFirstKernelApc(extension))) return true;
  if (counts != 0 || (pending & APC_PENDING.InProgress) != 0) return false;
  if ((pending & APC_PENDING.Kernel) != 0) return true;
  return load<u32>(extension, KTHREAD_EXTENSION.SavedApcState) == 0;
}

/** The same at the level of the thread's processor. */
export function KiIsApcDeliverable(prcb: PKPRCB, thread: PKTHREAD, extension: usize): bool {
  if (load<u32>(prcb, KPRCB.Irql) >= <u32>IRQL.APC_LEVEL) return false;
  return KiHasDeliverableApc(thread, extension);
}

/** A thread's end, once normal kernel-mode APCs are let through, comes with its return to user mode. */
function KiTakeTermination(thread: PKTHREAD, extension: usize): void {
  const pending = KiPending(extension);
  if ((pending & APC_PENDING.Terminate) == 0) return;
  if (load<u32>(thread, KTHREAD.CombinedApcDisable) != 0) return;
  if ((pending & APC_PENDING.InProgress) != 0) return;
  if (load<u32>(extension, KTHREAD_EXTENSION.SavedApcState) != 0) return;
  KiSetPending(extension, APC_PENDING.Ending | APC_PENDING.User, APC_PENDING.Terminate);
}

/** Lets a thread look at what has come for it, as soon as it can: at once if it waits or runs. */
export function KiSignalApc(prcb: PKPRCB, thread: PKTHREAD, extension: usize): void {
  const running = KiRunningPrcb(thread);
  if (running != 0) {
    KiRequestApcCheck(running);
    KiSendIpi(prcb, running);
    return;
  }
  if (load<u32>(thread, KTHREAD.State) != KTHREAD_STATE.Waiting) return;
  if (KiThreadIrql(thread) >= <u32>IRQL.APC_LEVEL) return;
  KiTakeTermination(thread, extension);
  const flags = load<u32>(thread, KTHREAD.Flags);
  if ((KiPending(extension) & APC_PENDING.Ending) != 0 && (flags & THREAD_FLAG.UserWait) != 0) {
    KiUnwaitThread(prcb, thread, STATUS.USER_APC, ADJUST.Unwait, 0);
    return;
  }
  if (!KiHasDeliverableApc(thread, extension)) return;
  KiInterruptWait(thread, extension);
  store<u32>(thread, ADJUST.None, KTHREAD.Adjust);
  KiReadyThread(prcb, thread);
}

/** Lets a running thread, in whose extension something is pending, look at it when this step ends. */
export function KiCheckApcs(prcb: PKPRCB, thread: PKTHREAD): void {
  const pending = KiPending(load<u32>(thread, KTHREAD.Extension));
  const again = load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.WaitAgain;
  if (((pending & (KERNEL_PENDING | APC_PENDING.User)) | again) != 0) KiRequestApcCheck(prcb);
}

/** Where the APCs of an environment wait: the list's head, and the word of what is pending there. */
function KiApcState(extension: usize, apc: PKOBJECT): usize {
  const environment = load<u32>(apc, KAPC.Flags) >> KAPC_FLAG.EnvironmentShift;
  let state: usize = load<u32>(extension, KTHREAD_EXTENSION.SavedApcState);
  if (environment != KAPC_ENVIRONMENT.OriginalApcEnvironment || state == 0) return 0;
  while (load<u32>(state, KAPC_STATE.Previous) != 0) state = load<u32>(state, KAPC_STATE.Previous);
  return state;
}

function KiApcListHead(extension: usize, state: usize, user: bool): usize {
  if (state == 0) {
    const head = user ? KTHREAD_EXTENSION.UserApcListHead : KTHREAD_EXTENSION.KernelApcListHead;
    return extension + <usize>head;
  }
  return state + <usize>(user ? KAPC_STATE.UserApcListHead : KAPC_STATE.KernelApcListHead);
}

/** Before the first normal one if it is special, else at the end. */
function KiLinkApc(head: usize, apc: PKOBJECT, user: bool): void {
  let next = head;
  if (!user && KiIsSpecial(apc)) {
    next = load<u32>(head, LIST_ENTRY.Flink);
    while (next != head && KiIsSpecial(next - LIST)) next = load<u32>(next, LIST_ENTRY.Flink);
  }
  // Behind the tail of a list that `next` heads is before `next`.
  RtlInsertTailList(next, apc + LIST);
}

/**
 * Queues an APC to its thread, with two arguments.
 *
 * @returns false, and nothing changed, if it is queued already, or its thread has begun to end.
 * @irql at most DISPATCH_LEVEL   @nt KeInsertQueueApc
 */
export function KeInsertQueueApc(
  prcb: PKPRCB,
  apc: PKOBJECT,
  first: u64,
  second: u64,
  increment: u32,
): bool {
  const flags = load<u32>(apc, KAPC.Flags);
  const thread: PKTHREAD = load<u32>(apc, KAPC.Thread);
  // The row may be another's by now.
  const generation = load<u32>(apc, KAPC.ThreadGeneration);
  if (load<u32>(thread, KTHREAD.Generation) != generation) return false;
  if ((flags & KAPC_FLAG.Inserted) != 0 || KiIsEnding(thread)) return false;
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  const user = (flags & KAPC_FLAG.UserMode) != 0;
  const state = KiApcState(extension, apc);
  store<u64>(apc, first, KAPC.SystemArgument1_64);
  store<u64>(apc, second, KAPC.SystemArgument2_64);
  store<u32>(apc, flags | KAPC_FLAG.Inserted, KAPC.Flags);
  KiLinkApc(KiApcListHead(extension, state, user), apc, user);
  if (state != 0) {
    const pending = load<u32>(state, KAPC_STATE.Pending);
    if (!user) store<u32>(state, pending | APC_PENDING.Kernel, KAPC_STATE.Pending);
    return true;
  }
  if (!user) {
    KiSetPending(extension, APC_PENDING.Kernel, 0);
    KiSignalApc(prcb, thread, extension);
    return true;
  }
  if ((flags & KAPC_FLAG.SpecialUser) != 0) {
    KiSetPending(extension, APC_PENDING.User, 0);
    if (KiRunningPrcb(thread) != 0) KiSignalApc(prcb, thread, extension);
  }
  KiBreakAlertableWait(prcb, thread, extension, increment);
  return true;
}

/** Whether a thread has begun to end, or has ended. */
export function KiIsEnding(thread: PKTHREAD): bool {
  if (load<u32>(thread, KTHREAD.State) == KTHREAD_STATE.Terminated) return true;
  return (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.Exiting) != 0;
}

/** A user-mode APC has come: it ends an alertable wait, and is let through if that is in user mode. */
function KiBreakAlertableWait(
  prcb: PKPRCB,
  thread: PKTHREAD,
  extension: usize,
  increment: u32,
): void {
  if (load<u32>(thread, KTHREAD.State) != KTHREAD_STATE.Waiting) return;
  const flags = load<u32>(thread, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.Alertable) == 0) return;
  if ((flags & THREAD_FLAG.UserWait) != 0) KiSetPending(extension, APC_PENDING.User, 0);
  KiUnwaitThread(prcb, thread, STATUS.USER_APC, ADJUST.Unwait, increment);
}

function KiUnlinkApc(extension: usize, apc: PKOBJECT): void {
  const flags = load<u32>(apc, KAPC.Flags);
  // Of the last one in a list the next entry is the list's head, wherever an attachment has moved that.
  const head: usize = load<u32>(apc + LIST, LIST_ENTRY.Flink);
  const emptied = RtlRemoveEntryList(apc + LIST);
  store<u32>(apc, flags & ~KAPC_FLAG.Inserted, KAPC.Flags);
  if (!emptied || (flags & KAPC_FLAG.UserMode) != 0) return;
  if (head == extension + KTHREAD_EXTENSION.KernelApcListHead) {
    KiSetPending(extension, 0, APC_PENDING.Kernel);
    return;
  }
  const state = head - KAPC_STATE.KernelApcListHead;
  const pending = load<u32>(state, KAPC_STATE.Pending);
  store<u32>(state, pending & ~APC_PENDING.Kernel, KAPC_STATE.Pending);
}

/**
 * Takes an APC out of its thread's list.
 *
 * @returns whether it was in one: it does not run then.
 * @irql at most DISPATCH_LEVEL   @nt KeRemoveQueueApc
 */
export function KeRemoveQueueApc(apc: PKOBJECT): bool {
  if ((load<u32>(apc, KAPC.Flags) & KAPC_FLAG.Inserted) == 0) return false;
  const thread: PKTHREAD = load<u32>(apc, KAPC.Thread);
  KiUnlinkApc(load<u32>(thread, KTHREAD.Extension), apc);
  return true;
}

/** Takes out the first user-mode APC of a thread that ends; 0: there is none. */
export function KiTakeUserApc(thread: PKTHREAD): PKOBJECT {
  if (!KiHasUserApcs(thread)) return 0;
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  const head = extension + KTHREAD_EXTENSION.UserApcListHead;
  const apc = KiFirstApc(head);
  KiUnlinkApc(extension, apc);
  return apc;
}

export function KiHasUserApcs(thread: PKTHREAD): bool {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  return extension != 0 && !RtlIsListEmpty(extension + KTHREAD_EXTENSION.UserApcListHead);
}

/** The first kernel-mode APC that a thread has not run; 0: there is none. */
export function KiPendingKernelApc(thread: PKTHREAD): PKOBJECT {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  if (extension == 0) return 0;
  return (KiPending(extension) & APC_PENDING.Kernel) != 0 ? KiFirstKernelApc(extension) : 0;
}

/** What ends a wait of the running thread before it begins; SUCCESS: nothing does. */
export function KiTestAlert(thread: PKTHREAD, modes: u32): u32 {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  if (extension == 0) return STATUS.SUCCESS;
  const pending = KiPending(extension);
  const user = (modes & WAIT_FIELD.UserMode) != 0;
  if ((modes & WAIT_FIELD.Alertable) != 0) {
    const alert = pending & (APC_PENDING.AlertedUser | APC_PENDING.AlertedKernel);
    if (alert != 0) {
      // One at a time, that of the wait's own mode first.
      const own: u32 = user ? APC_PENDING.AlertedUser : APC_PENDING.AlertedKernel;
      KiSetPending(extension, 0, (alert & own) != 0 ? own : alert);
      return STATUS.ALERTED;
    }
    if (!RtlIsListEmpty(extension + KTHREAD_EXTENSION.UserApcListHead)) {
      if (user) KiSetUserPending(thread, extension);
      return STATUS.USER_APC;
    }
  }
  return user && (pending & APC_PENDING.User) != 0 ? STATUS.USER_APC : STATUS.SUCCESS;
}

/** User-mode APCs come with the return to user mode, which is what the thread does next. */
export function KiSetUserPending(thread: PKTHREAD, extension: usize): void {
  const flags = load<u32>(thread, KTHREAD.Flags);
  store<u32>(thread, flags & ~THREAD_FLAG.KernelCompute, KTHREAD.Flags);
  KiSetPending(extension, APC_PENDING.User, 0);
  const prcb = KiRunningPrcb(thread);
  if (prcb != 0) KiRequestApcCheck(prcb);
}

/**
 * Alerts a thread: ends an alertable wait, or the next one.
 *
 * @returns whether it was alerted in that mode already.
 * @irql at most DISPATCH_LEVEL   @nt KeAlertThread
 */
export function KeAlertThread(prcb: PKPRCB, thread: PKTHREAD, extension: usize, mode: u32): bool {
  const alerted: u32 = mode == MODE.UserMode ? APC_PENDING.AlertedUser : APC_PENDING.AlertedKernel;
  if ((KiPending(extension) & alerted) != 0) return true;
  const flags = load<u32>(thread, KTHREAD.Flags);
  const waits = load<u32>(thread, KTHREAD.State) == KTHREAD_STATE.Waiting;
  if (waits && (flags & THREAD_FLAG.Alertable) != 0) {
    KiUnwaitThread(prcb, thread, STATUS.ALERTED, ADJUST.Unwait, ALERT_INCREMENT);
  } else {
    KiSetPending(extension, alerted, 0);
  }
  return false;
}

/** THREAD_ALERT_INCREMENT. */
const ALERT_INCREMENT: u32 = 2;

/**
 * Takes the running thread's alert; user-mode APCs that wait are let through.
 *
 * @returns whether it was alerted in that mode.
 * @irql PASSIVE_LEVEL   @nt KeTestAlertThread
 */
export function KeTestAlertThread(thread: PKTHREAD, mode: u32): bool {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  if (extension == 0) return false;
  const alerted: u32 = mode == MODE.UserMode ? APC_PENDING.AlertedUser : APC_PENDING.AlertedKernel;
  if ((KiPending(extension) & alerted) != 0) {
    KiSetPending(extension, 0, alerted);
    return true;
  }
  const waiting = !RtlIsListEmpty(extension + KTHREAD_EXTENSION.UserApcListHead);
  if (mode == MODE.UserMode && waiting) KiSetUserPending(thread, extension);
  return false;
}

function KiTraceApc(prcb: PKPRCB, thread: PKTHREAD, kind: FRAME, apc: PKOBJECT): void {
  const number = load<u32>(prcb, KPRCB.Number);
  const index = apc == 0 ? 0 : KiObjectIndex(apc);
  KiTrace(EVENT.Apc, number, 0, KiThreadIndex(thread), kind, index, 0, 0);
}

/** Takes an APC out of its list and lets its first routine begin. */
function KiRunApc(prcb: PKPRCB, thread: PKTHREAD, extension: usize, apc: PKOBJECT): void {
  const user = (load<u32>(apc, KAPC.Flags) & KAPC_FLAG.UserMode) != 0;
  const kind = user ? FRAME.UserApcKernelRoutine : FRAME.KernelApcKernelRoutine;
  const frame = KiPushTrapFrame(prcb, thread, kind);
  if (frame == 0) return;
  KiUnlinkApc(extension, apc);
  store<u32>(frame, <u32>apc, KTRAP_FRAME.Apc);
  store<u32>(frame, load<u32>(apc, KAPC.NormalRoutine), KTRAP_FRAME.NormalRoutine);
  store<u64>(frame, load<u64>(apc, KAPC.NormalContext64), KTRAP_FRAME.NormalContext64);
  store<u64>(frame, load<u64>(apc, KAPC.SystemArgument1_64), KTRAP_FRAME.SystemArgument1_64);
  store<u64>(frame, load<u64>(apc, KAPC.SystemArgument2_64), KTRAP_FRAME.SystemArgument2_64);
  store<u32>(frame, 1, KTRAP_FRAME.TestAlert);
  if (load<u32>(apc, KAPC.KernelRoutine) == 0) {
    KiEnterNormalRoutine(prcb, thread, extension, frame, user);
    return;
  }
  KiTraceApc(prcb, thread, kind, apc);
  KiEnterFrame(prcb, thread, 1, IRQL.APC_LEVEL, false);
}

/** What follows the kernel routine: the normal routine, unless it was taken away. */
function KiEnterNormalRoutine(
  prcb: PKPRCB,
  thread: PKTHREAD,
  extension: usize,
  frame: usize,
  user: bool,
): void {
  const routine: usize = load<u32>(frame, KTRAP_FRAME.NormalRoutine);
  if (routine == 0) {
    KiPopTrapFrame(prcb, thread);
    return;
  }
  const kind = user ? FRAME.UserApc : FRAME.KernelApc;
  store<u32>(frame, kind, KTRAP_FRAME.Kind);
  if (!user) KiSetPending(extension, APC_PENDING.InProgress, 0);
  const register = thread + KTHREAD.Register64;
  store<u64>(register, load<u64>(frame, KTRAP_FRAME.NormalContext64));
  store<u64>(register, load<u64>(frame, KTRAP_FRAME.SystemArgument1_64), 8);
  store<u64>(register, load<u64>(frame, KTRAP_FRAME.SystemArgument2_64), 16);
  KiTraceApc(prcb, thread, kind, load<u32>(frame, KTRAP_FRAME.Apc));
  KiEnterFrame(prcb, thread, routine, IRQL.PASSIVE_LEVEL, user);
}

/** Whether the running thread is about to go on in user mode. */
function KiReturnsToUser(prcb: PKPRCB, thread: PKTHREAD): bool {
  const flags = load<u32>(thread, KTHREAD.Flags);
  const kernel = THREAD_FLAG.KernelCompute | THREAD_FLAG.KernelCall | THREAD_FLAG.WaitAgain;
  if ((flags & (kernel | THREAD_FLAG.UserMode)) != THREAD_FLAG.UserMode) return false;
  return load<u32>(prcb, KPRCB.Irql) == <u32>IRQL.PASSIVE_LEVEL;
}

/**
 * Lets one thing that has come for the running thread begin: a kernel-mode APC; else the wait that such
 * a one interrupted; else, on the return to user mode, its end or a user-mode APC.
 *
 * @irql DISPATCH_LEVEL   @nt KiDeliverApc
 */
export function KiDeliverApc(prcb: PKPRCB, thread: PKTHREAD): void {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  if (extension == 0) return;
  if (load<u32>(prcb, KPRCB.Irql) < <u32>IRQL.APC_LEVEL) KiTakeTermination(thread, extension);
  if (KiIsApcDeliverable(prcb, thread, extension)) {
    if ((KiPending(extension) & APC_PENDING.Kernel) != 0) {
      KiRunApc(prcb, thread, extension, KiFirstKernelApc(extension));
    } else {
      KiTraceApc(prcb, thread, FRAME.Suspend, 0);
      KiEnterSuspend(prcb, thread, extension);
    }
    return;
  }
  if ((load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.WaitAgain) != 0) {
    KiResumeWait(prcb, thread);
    return;
  }
  if ((KiPending(extension) & APC_PENDING.User) == 0 || !KiReturnsToUser(prcb, thread)) return;
  if ((KiPending(extension) & APC_PENDING.Ending) != 0) {
    KiBeginExit(prcb, thread, load<u32>(extension, KTHREAD_EXTENSION.TerminationStatus));
    // The dispatcher looks once more: at who follows.
    KiRequestApcCheck(prcb);
    return;
  }
  KiSetPending(extension, 0, APC_PENDING.User);
  const head = extension + KTHREAD_EXTENSION.UserApcListHead;
  if (!RtlIsListEmpty(head)) {
    KiRunApc(prcb, thread, extension, KiFirstApc(head));
  }
}

/** Parameters of IRQL_UNEXPECTED_VALUE. */
const KERNEL_ROUTINE: u64 = 0;
const NORMAL_ROUTINE: u64 = 1;
const APCS_DISABLED: u64 = 0xfe;

/** Whether a routine has left level and counts as it found them; a bugcheck if not. */
function KiIsBalanced(prcb: PKPRCB, thread: PKTHREAD, frame: usize, level: u32, id: u64): bool {
  const irql = load<u32>(prcb, KPRCB.Irql);
  const before = load<u32>(frame, KTRAP_FRAME.CombinedApcDisable);
  const now = load<u32>(thread, KTHREAD.CombinedApcDisable);
  if (irql == level && before == now) return true;
  const levels = ((<u64>irql) << 16) | ((<u64>level) << 8);
  const apc = load<u32>(frame, KTRAP_FRAME.Apc);
  if (irql != level) KeBugCheckEx(BUGCHECK.IRQL_UNEXPECTED_VALUE, levels | id, apc, 0, 0);
  else KeBugCheckEx(BUGCHECK.IRQL_UNEXPECTED_VALUE, levels | APCS_DISABLED, now, before, apc);
  return false;
}

/** The running thread's routine in front has returned `status`. */
export function KiReturnFromFrame(prcb: PKPRCB, thread: PKTHREAD, status: u32): void {
  const frame = KiTrapFrame(thread);
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  switch (load<u32>(frame, KTRAP_FRAME.Kind)) {
    case FRAME.KernelApcKernelRoutine:
    case FRAME.UserApcKernelRoutine: {
      const user = load<u32>(frame, KTRAP_FRAME.Kind) == FRAME.UserApcKernelRoutine;
      if (!KiIsBalanced(prcb, thread, frame, IRQL.APC_LEVEL, KERNEL_ROUTINE)) return;
      KiEnterNormalRoutine(prcb, thread, extension, frame, user);
      return;
    }
    case FRAME.KernelApc:
      if (!KiIsBalanced(prcb, thread, frame, IRQL.PASSIVE_LEVEL, NORMAL_ROUTINE)) return;
      KiSetPending(extension, 0, APC_PENDING.InProgress);
      break;
    case FRAME.UserApc: {
      const more = !RtlIsListEmpty(extension + KTHREAD_EXTENSION.UserApcListHead);
      if (more && load<u32>(frame, KTRAP_FRAME.TestAlert) != 0) {
        KiSetPending(extension, APC_PENDING.User, 0);
      }
      break;
    }
    case FRAME.Suspend:
      KiSetPending(extension, 0, APC_PENDING.InProgress);
      break;
    default:
      // The call's status is the answer: what the host's routine returns, or the last status of a program.
      if (load<u32>(thread, KTHREAD.ProgramBase) != 1 && status == STATUS.SUCCESS)
        status = load<u32>(thread, KTHREAD.WaitStatus);
      store<u32>(frame, status, KTRAP_FRAME.WaitStatus);
  }
  KiPopTrapFrame(prcb, thread);
}

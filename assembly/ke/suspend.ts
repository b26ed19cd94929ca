import { PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import {
  APC_PENDING,
  DISPATCHER_HEADER,
  KSYSTEM,
  KTHREAD,
  KTHREAD_EXTENSION,
} from '../shared/layout';
import { LIMIT } from '../shared/limits';
import { STATUS } from '../shared/status';
import { FRAME, IRQL, KWAIT_REASON } from '../shared/types';
import { KiIsEnding, KiSignalApc } from './apc';
import { KiEnterFrame, KiPushTrapFrame, KiSetPending } from './frame';
import { KiComputeDueTime } from './clock';
import { KeSetEvent } from './event';
import { WAIT_FIELD } from '../shared/opcode';
import { KiBlockOnObject, KiIsWaitBroken, KiSignalObject } from './wait';

/**
 * Suspension, termination and alerts by id: what one thread asks of another. A suspended thread waits
 * for its own event in a routine in front, which comes as a normal kernel-mode APC does: a thread in a
 * critical region goes on until it leaves that.
 */

/** EVENT_INCREMENT. */
const RESUME_INCREMENT: u32 = 1;

/**
 * Suspends a thread once more.
 *
 * @returns the count before; LIMIT.SuspendCount if it is that already: nothing has changed then.
 * @irql at most DISPATCH_LEVEL   @nt KeSuspendThread
 */
export function KeSuspendThread(prcb: PKPRCB, thread: PKTHREAD, extension: usize): u32 {
  const count = load<u32>(extension, KTHREAD_EXTENSION.SuspendCount);
  if (count == <u32>LIMIT.SuspendCount || KiIsEnding(thread)) return count;
  store<u32>(extension, count + 1, KTHREAD_EXTENSION.SuspendCount);
  if (count == 0 && load<u32>(extension, KTHREAD_EXTENSION.Frozen) == 0) {
    KiBeginSuspension(prcb, thread, extension);
  }
  return count;
}

function KiBeginSuspension(prcb: PKPRCB, thread: PKTHREAD, extension: usize): void {
  const event = extension + KTHREAD_EXTENSION.SuspendEvent;
  store<i32>(event, 0, DISPATCHER_HEADER.SignalState);
  KiSetPending(extension, APC_PENDING.Suspend, 0);
  KiSignalApc(prcb, thread, extension);
}

/**
 * Takes one suspension back; the last one lets the thread go on.
 *
 * @returns the count before.
 * @irql at most DISPATCH_LEVEL   @nt KeResumeThread
 */
export function KeResumeThread(prcb: PKPRCB, extension: usize): u32 {
  const count = load<u32>(extension, KTHREAD_EXTENSION.SuspendCount);
  if (count == 0) return 0;
  store<u32>(extension, count - 1, KTHREAD_EXTENSION.SuspendCount);
  const frozen = load<u32>(extension, KTHREAD_EXTENSION.Frozen) != 0;
  if (count == 1 && !frozen) KiEndSuspension(prcb, extension);
  return count;
}

/** Holds a thread as a suspended one, or lets it go on; how often it is suspended is another matter. */
export function KiFreezeThread(
  prcb: PKPRCB,
  thread: PKTHREAD,
  extension: usize,
  frozen: bool,
): void {
  if (KiIsEnding(thread) || (load<u32>(extension, KTHREAD_EXTENSION.Frozen) != 0) == frozen) return;
  store<u32>(extension, frozen ? 1 : 0, KTHREAD_EXTENSION.Frozen);
  if (load<u32>(extension, KTHREAD_EXTENSION.SuspendCount) != 0) return;
  if (frozen) KiBeginSuspension(prcb, thread, extension);
  else KiEndSuspension(prcb, extension);
}

function KiEndSuspension(prcb: PKPRCB, extension: usize): void {
  KiSetPending(extension, 0, APC_PENDING.Suspend);
  KiSignalObject(prcb, extension + KTHREAD_EXTENSION.SuspendEvent, RESUME_INCREMENT);
}

/** Lets the running thread wait, in front of what it does, until it is resumed. */
export function KiEnterSuspend(prcb: PKPRCB, thread: PKTHREAD, extension: usize): void {
  if (KiPushTrapFrame(prcb, thread, FRAME.Suspend) == 0) return;
  KiSetPending(extension, APC_PENDING.InProgress, APC_PENDING.Suspend);
  const program = <usize>load<u32>(SYSTEM, KSYSTEM.ProgramBase) + LIMIT.SuspendProgram;
  KiEnterFrame(prcb, thread, program, IRQL.PASSIVE_LEVEL, false);
}

/** The instruction of that. */
export function KiSuspendWait(prcb: PKPRCB, thread: PKTHREAD): void {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  const frozen = load<u32>(extension, KTHREAD_EXTENSION.Frozen);
  if ((load<u32>(extension, KTHREAD_EXTENSION.SuspendCount) | frozen) == 0) return;
  const event = extension + KTHREAD_EXTENSION.SuspendEvent;
  const never = u64.MAX_VALUE;
  KiBlockOnObject(prcb, thread, event, 0, KWAIT_REASON.Suspended, 0, never, never);
}

/**
 * Asks a thread to end: it does with its next return to user mode, out of any wait in user mode. A
 * suspended one is let go on for that. While normal kernel-mode APCs are disabled for it, it goes on.
 *
 * @returns false if it has begun to end already.
 * @irql at most APC_LEVEL   @nt PspTerminateThreadByPointer
 */
export function KiTerminateThread(
  prcb: PKPRCB,
  thread: PKTHREAD,
  extension: usize,
  status: u32,
): bool {
  store<u32>(extension, 0, KTHREAD_EXTENSION.SuspendCount);
  store<u32>(extension, 0, KTHREAD_EXTENSION.Frozen);
  KiEndSuspension(prcb, extension);
  if (KiIsEnding(thread)) return false;
  const pending = load<u32>(extension, KTHREAD_EXTENSION.Pending);
  if ((pending & (APC_PENDING.Terminate | APC_PENDING.Ending)) != 0) return false;
  store<u32>(extension, status, KTHREAD_EXTENSION.TerminationStatus);
  KiSetPending(extension, APC_PENDING.Terminate, 0);
  KiSignalApc(prcb, thread, extension);
  return true;
}

/** Alerts a thread by its id: ends its wait for that, or the next one. @irql PASSIVE_LEVEL @internal @nt NtAlertThreadByThreadId */
export function KiAlertThreadById(prcb: PKPRCB, extension: usize): void {
  KeSetEvent(prcb, extension + KTHREAD_EXTENSION.AlertEvent, 0);
}

/** Waits for that; the WaitStatus is ALERTED, TIMEOUT, or USER_APC of a thread that is to end. */
export function KiWaitForAlertById(
  prcb: PKPRCB,
  thread: PKTHREAD,
  extension: usize,
  timeout: u64,
): void {
  const event = extension + KTHREAD_EXTENSION.AlertEvent;
  if (load<i32>(event, DISPATCHER_HEADER.SignalState) > 0) {
    store<i32>(event, 0, DISPATCHER_HEADER.SignalState);
    store<u32>(thread, STATUS.ALERTED, KTHREAD.WaitStatus);
    return;
  }
  if (KiIsWaitBroken(thread, WAIT_FIELD.UserMode)) return;
  const due = KiComputeDueTime(timeout);
  if (due <= load<u64>(SYSTEM, KSYSTEM.Time64)) {
    store<u32>(thread, STATUS.TIMEOUT, KTHREAD.WaitStatus);
    return;
  }
  const reason = KWAIT_REASON.WrAlertByThreadId;
  const modes = WAIT_FIELD.UserMode;
  KiBlockOnObject(prcb, thread, event, STATUS.ALERTED, reason, modes, due, timeout);
}

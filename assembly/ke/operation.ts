import { KeGetPrcb, PKOBJECT, PKPRCB, PKPROCESS, PKTHREAD, SYSTEM } from '../hal';
import { ATTENTION, DISPATCHER_HEADER, KGROUP, KPRCB, KSYSTEM, KTHREAD } from '../shared/layout';
import { OPERAND, PERIOD, WAIT_FIELD } from '../shared/opcode';
import { STATUS } from '../shared/status';
import { KOBJECTS, THREAD_FLAG } from '../shared/types';
import { KiIsActivation } from './activation';
import { KiComputeDueTime } from './clock';
import { KiProcessDeferredReadyList, KiRequestDispatch, KiSetAffinityThread } from './dispatch';
import { KeSetEvent } from './event';
import { KiMayBlock } from './irql';
import { KeReleaseMutant } from './mutant';
import { KiHasThreadRow, KiIsDpc, KiObjectFromHandle, KiThreadHandle } from './object';
import { KiGroupOf, KiSelectReadyThread } from './ready';
import { KeReleaseSemaphore } from './semaphore';
import { KiIsSpinLock } from './spinlock';
import { KeSetCoalescableTimer } from './timer';
import { KeInitializeProcess, KeInitializeThread, KeStartThread } from './thread';
import {
  KeWaitForMultipleObjects,
  KeWaitForSingleObject,
  KiDelayUntil,
  KiIsWaitBroken,
} from './wait';

/** What the instructions of a thread do that have no routine of the kernel behind them. */

/** The boost by an operation whose caller gives no increment: EVENT_INCREMENT, SEMAPHORE_INCREMENT. */
export const SIGNAL_INCREMENT: u32 = 1;

export function KiRegister(thread: PKTHREAD, register: u32): usize {
  return thread + KTHREAD.Register64 + (register << 3);
}

/** The object an instruction names, or 0 with STATUS_INVALID_HANDLE left in the thread. */
export function KiOperand(thread: PKTHREAD, pc: usize, a: u32): PKOBJECT {
  let handle = load<u64>(pc, 4);
  if (a == OPERAND.Register) handle = load<u64>(KiRegister(thread, <u32>handle));
  const object = KiObjectFromHandle(handle);
  if (object == 0) store<u32>(thread, STATUS.INVALID_HANDLE, KTHREAD.WaitStatus);
  return object;
}

/** The event an instruction names, or 0 with the status left in the thread. */
export function KiEventOperand(thread: PKTHREAD, pc: usize, a: u32): PKOBJECT {
  const event = KiOperand(thread, pc, a);
  if (event == 0) return 0;
  const type = load<u32>(event, DISPATCHER_HEADER.Type);
  if (type == KOBJECTS.EventSynchronizationObject) return event;
  if (type == KOBJECTS.EventNotificationObject) return event;
  store<u32>(thread, STATUS.OBJECT_TYPE_MISMATCH, KTHREAD.WaitStatus);
  return 0;
}

/** The object of one type that an instruction names, or 0 with the status left in the thread. */
export function KiTypedOperand(thread: PKTHREAD, pc: usize, a: u32, type: KOBJECTS): PKOBJECT {
  const object = KiOperand(thread, pc, a);
  if (object == 0 || load<u32>(object, DISPATCHER_HEADER.Type) == <u32>type) return object;
  store<u32>(thread, STATUS.OBJECT_TYPE_MISMATCH, KTHREAD.WaitStatus);
  return 0;
}

/** The timer an instruction names, or 0 with the status left in the thread. */
export function KiTimerOperand(thread: PKTHREAD, pc: usize, a: u32): PKOBJECT {
  const timer = KiOperand(thread, pc, a);
  if (timer == 0) return 0;
  const type = load<u32>(timer, DISPATCHER_HEADER.Type);
  if (type == KOBJECTS.TimerNotificationObject) return timer;
  if (type == KOBJECTS.TimerSynchronizationObject) return timer;
  store<u32>(thread, STATUS.OBJECT_TYPE_MISMATCH, KTHREAD.WaitStatus);
  return 0;
}

/** The spin lock or interrupt an instruction names, or 0 with the status left in the thread. */
export function KiSpinLockOperand(thread: PKTHREAD, pc: usize, a: u32): PKOBJECT {
  const lock = KiOperand(thread, pc, a);
  if (lock == 0 || KiIsSpinLock(lock)) return lock;
  store<u32>(thread, STATUS.OBJECT_TYPE_MISMATCH, KTHREAD.WaitStatus);
  return 0;
}

/** The DPC an instruction names, or 0 with the status left in the thread. */
export function KiDpcOperand(thread: PKTHREAD, pc: usize, a: u32): PKOBJECT {
  const dpc = KiOperand(thread, pc, a);
  if (dpc == 0 || KiIsDpc(dpc)) return dpc;
  store<u32>(thread, STATUS.OBJECT_TYPE_MISMATCH, KTHREAD.WaitStatus);
  return 0;
}

/** Sets the timer an instruction names, with its DPC if that has a handle. */
export function KiSetTimer(prcb: PKPRCB, thread: PKTHREAD, pc: usize, a: u32, b: u32): void {
  const timer = KiTimerOperand(thread, pc, a);
  if (timer == 0) return;
  const handle = load<u64>(pc, 24);
  const dpc: PKOBJECT = handle == 0 ? 0 : KiObjectFromHandle(handle);
  if (handle != 0 && (dpc == 0 || !KiIsDpc(dpc))) {
    store<u32>(thread, STATUS.INVALID_HANDLE, KTHREAD.WaitStatus);
    return;
  }
  const set = KeSetCoalescableTimer(prcb, timer, load<u64>(pc, 12), load<u32>(pc, 20), b, dpc);
  store<u32>(thread, set ? 1 : 0, KTHREAD.WaitStatus);
  store<u64>(SYSTEM, load<u64>(SYSTEM, KSYSTEM.Steps64), KSYSTEM.ProgressSteps64);
}

/** Gives way to a ready thread of at least this one's priority, if there is one here. @irql PASSIVE_LEVEL @nt NtYieldExecution */
export function KiYield(prcb: PKPRCB, thread: PKTHREAD): void {
  if (!KiMayBlock(prcb, 0)) return;
  // A host thread may have started others at this very time: they count.
  KiProcessDeferredReadyList(prcb);
  if (load<u32>(prcb, KPRCB.NextThread) == 0) {
    const next = KiSelectReadyThread(load<u32>(thread, KTHREAD.Priority), prcb);
    if (next == 0) {
      store<u32>(thread, STATUS.NO_YIELD_PERFORMED, KTHREAD.WaitStatus);
      return;
    }
    KiRequestDispatch(prcb, prcb, next);
  }
  store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
  store<u32>(prcb, load<u32>(prcb, KPRCB.Attention) | ATTENTION.Yield, KPRCB.Attention);
}

/** A thread that starts at once, and its handle in a register; no process is no room for one. */
export function KiCreate(
  prcb: PKPRCB,
  thread: PKTHREAD,
  pc: usize,
  process: PKPROCESS,
  increment: i32,
  register: u32,
): void {
  const inherited =
    load<u32>(thread, KTHREAD.Flags) & (THREAD_FLAG.UserMode | THREAD_FLAG.DisableBoost);
  const program = <usize>load<u32>(pc, 4);
  let created: PKTHREAD = 0;
  if (process != 0) created = KeInitializeThread(process, thread, program, increment, 0, inherited);
  if (created == 0) {
    store<u32>(thread, STATUS.INSUFFICIENT_RESOURCES, KTHREAD.WaitStatus);
    return;
  }
  store<u64>(KiRegister(thread, register), KiThreadHandle(created));
  store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
  KeStartThread(prcb, created);
}

/** A process with one thread, or neither: a table that is full leaves nothing behind. */
export function KiCreateProcess(prcb: PKPRCB, thread: PKTHREAD, pc: usize, register: u32): void {
  let process: PKPROCESS = 0;
  if (KiHasThreadRow()) {
    const parent: PKPROCESS = load<u32>(thread, KTHREAD.Process);
    const quantum = load<u32>(SYSTEM, KSYSTEM.BackgroundQuantum);
    process = KeInitializeProcess(parent, thread, load<u32>(pc, 8), quantum, 0, 0);
  }
  KiCreate(prcb, thread, pc, process, 0, register);
}

/** The address of the shared word that an instruction names. */
export function KiSharedWord(pc: usize): usize {
  return <usize>load<u32>(SYSTEM, KSYSTEM.WordBase) + (load<u32>(pc, 4) << 2);
}

export function KiInterlockedTake(thread: PKTHREAD, pc: usize, register: u32): void {
  const word = KiSharedWord(pc);
  const value = load<i32>(word);
  const taken = max<i32>(0, min<i32>(value, load<i32>(pc, 8)));
  store<i32>(word, value - taken);
  store<i64>(KiRegister(thread, register), <i64>taken);
}

export function KiInterlockedAdd(thread: PKTHREAD, pc: usize, register: u32): void {
  const word = KiSharedWord(pc);
  const value = load<i32>(word) + load<i32>(pc, 8);
  store<i32>(word, value);
  store<i64>(KiRegister(thread, register), <i64>value);
}

export function KiSetOwnAffinity(prcb: PKPRCB, thread: PKTHREAD, mask: u64): void {
  const allowed = mask & load<u64>(KiGroupOf(prcb), KGROUP.ActiveProcessors64);
  if (allowed == 0 || allowed != mask) {
    store<u32>(thread, STATUS.INVALID_PARAMETER, KTHREAD.WaitStatus);
    return;
  }
  store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
  KiSetAffinityThread(prcb, thread, mask, load<u32>(thread, KTHREAD.IdealProcessor));
}

/** The thread an instruction names, or 0 with the status left in the one that executes it. */
export function KiThreadOperand(thread: PKTHREAD, pc: usize, a: u32): PKTHREAD {
  const named = KiOperand(thread, pc, a);
  if (named == 0) return 0;
  if (load<u32>(named, DISPATCHER_HEADER.Type) == KOBJECTS.ThreadObject) return named;
  store<u32>(thread, STATUS.OBJECT_TYPE_MISMATCH, KTHREAD.WaitStatus);
  return 0;
}

/** Gives a thread an affinity in the group of processor `ideal`, which becomes its ideal one. */
export function KiSetThreadAffinity(
  prcb: PKPRCB,
  thread: PKTHREAD,
  named: PKTHREAD,
  mask: u64,
  ideal: u32,
): void {
  const known = ideal < load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  const active = known
    ? load<u64>(KiGroupOf(KeGetPrcb(ideal)), KGROUP.ActiveProcessors64)
    : (0 as u64);
  if (mask == 0 || (mask & ~active) != 0) {
    store<u32>(thread, STATUS.INVALID_PARAMETER, KTHREAD.WaitStatus);
    return;
  }
  store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
  KiSetAffinityThread(prcb, named, mask, ideal);
}

/** Delays by a TIMEOUT; one of 0 is a yield. `modes` are those of WAIT_FIELD. */
export function KiDelay(prcb: PKPRCB, thread: PKTHREAD, timeout: u64, modes: u32): void {
  if (KiIsWaitBroken(thread, modes)) return;
  if (timeout == 0) KiYield(prcb, thread);
  else KiDelayTo(prcb, thread, KiComputeDueTime(timeout), timeout, modes);
}

/** Delays until a time, which `timeout` came to, or not at all if it has come. */
export function KiDelayTo(
  prcb: PKPRCB,
  thread: PKTHREAD,
  due: u64,
  timeout: u64,
  modes: u32,
): void {
  store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
  store<u64>(SYSTEM, load<u64>(SYSTEM, KSYSTEM.Steps64), KSYSTEM.ProgressSteps64);
  if (due > load<u64>(SYSTEM, KSYSTEM.Time64)) KiDelayUntil(prcb, thread, due, timeout, modes);
}

/** The next due time of a periodic delay; `slot` holds the last, or 0: then it is `first`. */
export function KiPeriodicDue(slot: usize, first: u64, period: u64, mode: u32): u64 {
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  const last = load<u64>(slot);
  let due = (last == 0 ? first : last) + period;
  if (mode == PERIOD.Restart && due < now) due = now;
  store<u64>(slot, due);
  return due;
}

/**
 * Signals one object and waits for another: no other processor sees the one without the other.
 *
 * @irql PASSIVE_LEVEL
 * @nt NtSignalAndWaitForSingleObject (partial: on handles of the machine, without access rights)
 */
export function KiSignalAndWait(prcb: PKPRCB, thread: PKTHREAD, pc: usize, a: u32, b: u32): void {
  const signalled = KiOperand(thread, pc, a);
  const object = KiOperand(thread, pc + 8, a);
  if (signalled == 0 || object == 0) return;
  const type = load<u32>(signalled, DISPATCHER_HEADER.Type);
  if (type == KOBJECTS.SemaphoreObject) {
    if (KeReleaseSemaphore(prcb, signalled, SIGNAL_INCREMENT, 1) < 0) {
      store<u32>(thread, STATUS.SEMAPHORE_LIMIT_EXCEEDED, KTHREAD.WaitStatus);
      return;
    }
  } else if (
    type == KOBJECTS.EventSynchronizationObject ||
    type == KOBJECTS.EventNotificationObject
  ) {
    KeSetEvent(prcb, signalled, SIGNAL_INCREMENT);
  } else if (type == KOBJECTS.MutantObject) {
    if (!KeReleaseMutant(prcb, thread, signalled, SIGNAL_INCREMENT)) return;
  } else {
    store<u32>(thread, STATUS.OBJECT_TYPE_MISMATCH, KTHREAD.WaitStatus);
    return;
  }
  KiWait(prcb, thread, object, b, load<u64>(pc, 20));
}

/** A wait whose reason and modes are the b field of an instruction. */
export function KiWait(
  prcb: PKPRCB,
  thread: PKTHREAD,
  object: PKOBJECT,
  b: u32,
  timeout: u64,
): void {
  if (!KiIsWaitable(thread, object)) return;
  const modes = b & WAIT_FIELD.Modes;
  KeWaitForSingleObject(prcb, thread, object, b & WAIT_FIELD.Reason, modes, timeout);
  KiNoteTimeout(timeout);
}

/** Whether a thread can wait for an object; the status is left if not. A DPC owns no mutant, and gates have their own wait. */
function KiIsWaitable(thread: PKTHREAD, object: PKOBJECT): bool {
  const type = load<u32>(object, DISPATCHER_HEADER.Type);
  let status: u32 = STATUS.SUCCESS;
  if (type > <u32>KOBJECTS.TimerSynchronizationObject || type == KOBJECTS.GateObject)
    status = STATUS.OBJECT_TYPE_MISMATCH;
  else if (type == KOBJECTS.MutantObject && KiIsActivation(thread)) status = STATUS.NOT_IMPLEMENTED;
  if (status != STATUS.SUCCESS) store<u32>(thread, status, KTHREAD.WaitStatus);
  return status == STATUS.SUCCESS;
}

/** The same for several objects; the length of the instruction in bytes. */
export function KiWaitMultiple(prcb: PKPRCB, thread: PKTHREAD, pc: usize, a: u32, b: u32): u32 {
  const count = load<u32>(pc, 4);
  const timeout = load<u64>(pc, 8);
  for (let index: u32 = 0; index < count; index++) {
    const object = KiObjectFromHandle(load<u64>(pc + 16 + (index << 3)));
    if (object != 0 && !KiIsWaitable(thread, object)) return 16 + (count << 3);
  }
  const modes = b & WAIT_FIELD.Modes;
  const reason = b & WAIT_FIELD.Reason;
  KeWaitForMultipleObjects(prcb, thread, count, pc + 16, a, reason, modes, timeout);
  KiNoteTimeout(timeout);
  return 16 + (count << 3);
}

/** A wait that a time ends is more than threads synchronising with each other. */
export function KiNoteTimeout(timeout: u64): void {
  if (timeout == 0 || timeout == u64.MAX_VALUE) return;
  store<u64>(SYSTEM, load<u64>(SYSTEM, KSYSTEM.Steps64), KSYSTEM.ProgressSteps64);
}

import { HalSetIrql, PKPRCB, PKTHREAD } from '../hal';
import { BUGCHECK } from '../shared/bugcheck';
import { KPRCB, KTHREAD } from '../shared/layout';
import { IRQL, THREAD_FLAG } from '../shared/types';
import { KeBugCheckEx } from './bugcheck';
import { KiRefuseInThreadedDpc } from './threaded-dpc';
import { KiRequestApcCheck } from './frame';

/**
 * The interrupt request level of a processor. At DISPATCH_LEVEL and above the dispatcher does not
 * run there: whoever stands by waits for the level to fall. Interrupts at the level and below stay
 * pending until then.
 */

/**
 * Raises the level.
 *
 * @returns the level before; a lower one is bugcheck IRQL_NOT_GREATER_OR_EQUAL.
 * @irql any   @nt KeRaiseIrql
 */
export function KeRaiseIrql(prcb: PKPRCB, level: u32): u32 {
  const old = load<u32>(prcb, KPRCB.Irql);
  if (level < old || level > <u32>IRQL.HIGH_LEVEL) {
    KeBugCheckEx(BUGCHECK.IRQL_NOT_GREATER_OR_EQUAL, level, old, 0, 0);
    return old;
  }
  HalSetIrql(prcb, level);
  return old;
}

/**
 * Lowers the level; the step's end sees to what was held off.
 *
 * A higher one is bugcheck IRQL_NOT_LESS_OR_EQUAL.
 *
 * @irql any   @nt KeLowerIrql
 */
export function KeLowerIrql(prcb: PKPRCB, level: u32): void {
  const old = load<u32>(prcb, KPRCB.Irql);
  if (level > old) KeBugCheckEx(BUGCHECK.IRQL_NOT_LESS_OR_EQUAL, level, old, 0, 0);
  else if (KiMayLower(prcb, level)) {
    HalSetIrql(prcb, level);
    KiNoteLowered(prcb, level);
  }
}

/** Whether the processor may go to `level`: what runs in front of its thread stays at DISPATCH_LEVEL, or stops the machine. */
export function KiMayLower(prcb: PKPRCB, level: u32): bool {
  if (level >= <u32>IRQL.DISPATCH_LEVEL || load<u32>(prcb, KPRCB.Activation) == 0) return true;
  KeBugCheckEx(BUGCHECK.IRQL_NOT_DISPATCH_LEVEL, level, 0, 0, 0);
  return false;
}

/** APCs that the level has kept away come when this step ends. */
function KiNoteLowered(prcb: PKPRCB, level: u32): void {
  const thread: PKTHREAD = load<u32>(prcb, KPRCB.CurrentThread);
  if (level >= <u32>IRQL.APC_LEVEL || thread == 0) return;
  if (load<u32>(thread, KTHREAD.Extension) != 0) KiRequestApcCheck(prcb);
}

/** Whether what would take the thread off the processor may do so: not at DISPATCH_LEVEL, a bugcheck there, another one in a DPC, threaded or not. */
export function KiMayBlock(prcb: PKPRCB, object: usize): bool {
  const level = load<u32>(prcb, KPRCB.Irql);
  if (level < <u32>IRQL.DISPATCH_LEVEL && load<u32>(prcb, KPRCB.ThreadedDpc) == 0) return true;
  return KiCheckBlock(prcb, object);
}

/** The same where it may not be so: then it stops the machine. */
function KiCheckBlock(prcb: PKPRCB, object: usize): bool {
  const thread: PKTHREAD = load<u32>(prcb, KPRCB.CurrentThread);
  const level = load<u32>(prcb, KPRCB.Irql);
  if (KiRefuseInThreadedDpc(prcb, thread)) return false;
  if (level < <u32>IRQL.DISPATCH_LEVEL) return true;
  if (load<u32>(prcb, KPRCB.Activation) != 0) {
    KeBugCheckEx(BUGCHECK.ATTEMPTED_SWITCH_FROM_DPC, thread, 0, 0, 0);
  } else {
    KeBugCheckEx(BUGCHECK.IRQL_NOT_LESS_OR_EQUAL, object, level, 0, 0);
  }
  return false;
}

/**
 * Ends a signal with Wait = TRUE: the thread goes on at DISPATCH_LEVEL, and its next wait goes back to
 * the level of now. Others may act in between. What the thread does before that wait is done at
 * DISPATCH_LEVEL: what works there works, what blocks or ends the thread is the bugcheck of that level.
 */
export function KiSetWaitNext(prcb: PKPRCB, thread: PKTHREAD): void {
  const level = load<u32>(prcb, KPRCB.Irql);
  const flags = load<u32>(thread, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.WaitNext) != 0) return;
  let wait: u32 = THREAD_FLAG.WaitNext;
  if (level == <u32>IRQL.APC_LEVEL) wait |= THREAD_FLAG.WaitApcLevel;
  else if (level >= <u32>IRQL.DISPATCH_LEVEL) wait |= THREAD_FLAG.WaitDispatchLevel;
  store<u32>(thread, flags | wait, KTHREAD.Flags);
  if (level < <u32>IRQL.DISPATCH_LEVEL) HalSetIrql(prcb, IRQL.DISPATCH_LEVEL);
}

const WAIT_NEXT: u32 =
  THREAD_FLAG.WaitNext | THREAD_FLAG.WaitApcLevel | THREAD_FLAG.WaitDispatchLevel;

/** Begins a wait: back to the level of the signal before, if that said that a wait follows. */
export function KiTakeWaitNext(prcb: PKPRCB, thread: PKTHREAD): void {
  const flags = load<u32>(thread, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.WaitNext) == 0) return;
  store<u32>(thread, flags & ~WAIT_NEXT, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.WaitDispatchLevel) != 0) return;
  HalSetIrql(prcb, (flags & THREAD_FLAG.WaitApcLevel) != 0 ? IRQL.APC_LEVEL : IRQL.PASSIVE_LEVEL);
}

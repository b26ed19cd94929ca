import { HalSetIrql, PKPRCB } from '../hal';
import { BUGCHECK } from '../shared/bugcheck';
import { KPRCB } from '../shared/layout';
import { IRQL } from '../shared/types';
import { KeBugCheckEx } from './bugcheck';

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
  else HalSetIrql(prcb, level);
}

/** Whether what would take the thread off the processor may do so: not at DISPATCH_LEVEL, a bugcheck there, another one in a DPC. */
export function KiMayBlock(prcb: PKPRCB, object: usize): bool {
  const level = load<u32>(prcb, KPRCB.Irql);
  if (level < <u32>IRQL.DISPATCH_LEVEL) return true;
  if (load<u32>(prcb, KPRCB.Activation) != 0) {
    const thread = load<u32>(prcb, KPRCB.CurrentThread);
    KeBugCheckEx(BUGCHECK.ATTEMPTED_SWITCH_FROM_DPC, thread, 0, 0, 0);
  } else {
    KeBugCheckEx(BUGCHECK.IRQL_NOT_LESS_OR_EQUAL, object, level, 0, 0);
  }
  return false;
}

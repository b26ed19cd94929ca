import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { currentGuest } from '../machine/guest';
import type { KThread } from '../machine/views';
import { requireIrql, VIOLATION } from './call';

/** The floating-point state, which on x64 is kept for drivers without their asking. */

/** KFLOATING_SAVE. */
export class KFloatingSave {
  constructor(readonly thread: KThread) {}
}

/** @returns SUCCESS, and what KeRestoreFloatingPointState takes. @irql at most DISPATCH_LEVEL @nt KeSaveFloatingPointState */
export function KeSaveFloatingPointState(): {
  readonly status: number;
  readonly value: KFloatingSave;
} {
  const routine = 'KeSaveFloatingPointState';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  return { status: STATUS.SUCCESS, value: new KFloatingSave(currentGuest(routine).thread) };
}

/** @returns SUCCESS; INVALID_PARAMETER for what another thread has saved. @irql at most DISPATCH_LEVEL @nt KeRestoreFloatingPointState */
export function KeRestoreFloatingPointState(floatSave: KFloatingSave): number {
  const routine = 'KeRestoreFloatingPointState';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const own = floatSave.thread === currentGuest(routine).thread;
  return own ? STATUS.SUCCESS : STATUS.INVALID_PARAMETER;
}

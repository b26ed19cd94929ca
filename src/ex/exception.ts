import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { NtStatusError } from '../machine/guest';

/** Exceptions that drivers raise: a guest catches an NtStatusError, and `status` says which. */

/** Raises a status as an exception, whatever its severity. @irql at most APC_LEVEL @nt ExRaiseStatus */
export function ExRaiseStatus(status: number): never {
  requireIrql('ExRaiseStatus', VIOLATION.IrqlExPassive, IRQL.APC_LEVEL);
  throw new NtStatusError(status >>> 0);
}

/** Raises STATUS_ACCESS_VIOLATION. @irql PASSIVE_LEVEL @nt ExRaiseAccessViolation */
export function ExRaiseAccessViolation(): never {
  requireIrql('ExRaiseAccessViolation', VIOLATION.IrqlExPassive, IRQL.PASSIVE_LEVEL);
  throw new NtStatusError(STATUS.ACCESS_VIOLATION);
}

/** Raises STATUS_DATATYPE_MISALIGNMENT. @irql PASSIVE_LEVEL @nt ExRaiseDatatypeMisalignment */
export function ExRaiseDatatypeMisalignment(): never {
  requireIrql('ExRaiseDatatypeMisalignment', VIOLATION.IrqlExPassive, IRQL.PASSIVE_LEVEL);
  throw new NtStatusError(STATUS.DATATYPE_MISALIGNMENT);
}

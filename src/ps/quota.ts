import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { POOL_TYPE } from '../ex/pool';
import { chargeQuota, type PoolKind, quotaUsage, returnQuota } from '../ex/quota';
import { requireIrql, stopGuest, VIOLATION } from '../ke/call';
import { NtStatusError } from '../machine/guest';
import { requireInteger } from '../machine/profile';
import type { KProcess } from '../machine/views';

/** Quotas of pool that drivers charge processes with. */

const kindOf = (poolType: POOL_TYPE): PoolKind =>
  (poolType & POOL_TYPE.PagedPool) !== 0 ? 'paged' : 'nonPaged';

/** PS_QUOTA_TYPE. */
const QUOTA_TYPE: Readonly<Record<PoolKind, number>> = { nonPaged: 0, paged: 1 };

function check(routine: string, amount: number): void {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  requireInteger(`${routine}: amount`, amount, 0, Number.MAX_SAFE_INTEGER);
}

function charge(routine: string, process: KProcess, kind: PoolKind, amount: number): number {
  check(routine, amount);
  return chargeQuota(process, kind, amount);
}

/** What was never charged cannot be returned: bugcheck QUOTA_UNDERFLOW. */
function giveBack(routine: string, process: KProcess, kind: PoolKind, amount: number): void {
  check(routine, amount);
  if (returnQuota(process, kind, amount)) return;
  const { usage } = quotaUsage(process, kind);
  const { handle } = process;
  stopGuest(
    routine,
    `${amount} bytes are returned, and ${usage} are charged`,
    BUGCHECK.QUOTA_UNDERFLOW,
    handle,
    QUOTA_TYPE[kind],
    usage,
    amount,
  );
}

/** Charges a process with pool. Raises STATUS_QUOTA_EXCEEDED beyond its limit. @irql at most APC_LEVEL @nt PsChargePoolQuota */
export function PsChargePoolQuota(process: KProcess, poolType: POOL_TYPE, amount: number): void {
  const status = charge('PsChargePoolQuota', process, kindOf(poolType), amount);
  if (status !== STATUS.SUCCESS) throw new NtStatusError(status);
}

/** Takes such a charge back; one that there was not is bugcheck QUOTA_UNDERFLOW. @irql at most APC_LEVEL @nt PsReturnPoolQuota */
export function PsReturnPoolQuota(process: KProcess, poolType: POOL_TYPE, amount: number): void {
  giveBack('PsReturnPoolQuota', process, kindOf(poolType), amount);
}

/** Charges a process with pool. @returns SUCCESS; QUOTA_EXCEEDED. @irql at most APC_LEVEL @nt PsChargeProcessPoolQuota */
export function PsChargeProcessPoolQuota(
  process: KProcess,
  poolType: POOL_TYPE,
  amount: number,
): number {
  return charge('PsChargeProcessPoolQuota', process, kindOf(poolType), amount);
}

/** The same of paged pool. @irql at most APC_LEVEL @nt PsChargeProcessPagedPoolQuota */
export function PsChargeProcessPagedPoolQuota(process: KProcess, amount: number): number {
  return charge('PsChargeProcessPagedPoolQuota', process, 'paged', amount);
}

/** The same of nonpaged pool. @irql at most APC_LEVEL @nt PsChargeProcessNonPagedPoolQuota */
export function PsChargeProcessNonPagedPoolQuota(process: KProcess, amount: number): number {
  return charge('PsChargeProcessNonPagedPoolQuota', process, 'nonPaged', amount);
}

/** Takes a charge of paged pool back; see PsReturnPoolQuota. @irql at most APC_LEVEL @nt PsReturnProcessPagedPoolQuota */
export function PsReturnProcessPagedPoolQuota(process: KProcess, amount: number): void {
  giveBack('PsReturnProcessPagedPoolQuota', process, 'paged', amount);
}

/** The same of nonpaged pool. @irql at most APC_LEVEL @nt PsReturnProcessNonPagedPoolQuota */
export function PsReturnProcessNonPagedPoolQuota(process: KProcess, amount: number): void {
  giveBack('PsReturnProcessNonPagedPoolQuota', process, 'nonPaged', amount);
}

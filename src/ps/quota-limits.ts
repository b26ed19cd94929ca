import { STATUS } from '../../assembly/shared/status';
import { quotaUsage, setQuotaLimit } from '../ex/quota';
import type { KProcess } from '../machine/views';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from '../ob/security';
import { type Caller, sizeIn } from './information';
import { ownProcessSettings, processSettings } from './process-settings';

/** Classes of information about the quotas of a process. Of pool they hold; of memory they are books. */

/** QUOTA_LIMITS, with a buffer of 88 bytes QUOTA_LIMITS_EX; a limit with all bits set is none. */
export interface QuotaLimits {
  readonly PagedPoolLimit: bigint;
  readonly NonPagedPoolLimit: bigint;
  readonly MinimumWorkingSetSize: bigint;
  readonly MaximumWorkingSetSize: bigint;
  readonly PagefileLimit: bigint;
  /** 100 ns. */
  readonly TimeLimit: bigint;
  /** Of the extended form. */
  readonly WorkingSetLimit?: bigint;
  readonly Flags?: number;
  readonly CpuRateLimit?: number;
}

/** POOLED_USAGE_AND_LIMITS. */
export interface PooledUsageAndLimits {
  readonly PeakPagedPoolUsage: number;
  readonly PagedPoolUsage: number;
  readonly PagedPoolLimit: bigint;
  readonly PeakNonPagedPoolUsage: number;
  readonly NonPagedPoolUsage: number;
  readonly NonPagedPoolLimit: bigint;
  readonly PeakPagefileUsage: number;
  readonly PagefileUsage: number;
  readonly PagefileLimit: bigint;
}

export const QUOTA_LIMITS_BYTES = 48;
export const QUOTA_LIMITS_EX_BYTES = 88;

const ALL_ONES = 2n ** 64n - 1n;

const shown = (limit: number) => (Number.isFinite(limit) ? BigInt(limit) : ALL_ONES);

export function quotaLimits(process: KProcess, length: number): QuotaLimits {
  const { minimumWorkingSetSize, maximumWorkingSetSize } = processSettings(process);
  const limits = {
    PagedPoolLimit: shown(quotaUsage(process, 'paged').limit),
    NonPagedPoolLimit: shown(quotaUsage(process, 'nonPaged').limit),
    MinimumWorkingSetSize: minimumWorkingSetSize,
    MaximumWorkingSetSize: maximumWorkingSetSize,
    PagefileLimit: ALL_ONES,
    TimeLimit: ALL_ONES,
  };
  if (length !== QUOTA_LIMITS_EX_BYTES) return limits;
  return { ...limits, WorkingSetLimit: 0n, Flags: 0, CpuRateLimit: 0 };
}

/** The fields of VM_COUNTERS that tell of pool. */
export function poolCounters(process: KProcess) {
  const paged = quotaUsage(process, 'paged');
  const nonPaged = quotaUsage(process, 'nonPaged');
  return {
    QuotaPeakPagedPoolUsage: paged.peak,
    QuotaPagedPoolUsage: paged.usage,
    QuotaPeakNonPagedPoolUsage: nonPaged.peak,
    QuotaNonPagedPoolUsage: nonPaged.usage,
  };
}

export function pooledUsageAndLimits(process: KProcess): PooledUsageAndLimits {
  const paged = quotaUsage(process, 'paged');
  const nonPaged = quotaUsage(process, 'nonPaged');
  return {
    PeakPagedPoolUsage: paged.peak,
    PagedPoolUsage: paged.usage,
    PagedPoolLimit: shown(paged.limit),
    PeakNonPagedPoolUsage: nonPaged.peak,
    NonPagedPoolUsage: nonPaged.usage,
    NonPagedPoolLimit: shown(nonPaged.limit),
    PeakPagefileUsage: 0,
    PagefileUsage: 0,
    PagefileLimit: ALL_ONES,
  };
}

const limitIn = (size: bigint) => (size === ALL_ONES ? Number.POSITIVE_INFINITY : Number(size));

/**
 * Sets the sizes of the working set, if both are given; all ones for both trim it, which changes nothing
 * here. Else the limits of pool, which needs SeIncreaseQuotaPrivilege; 0 leaves one as it is.
 */
export function setQuotaLimits(process: KProcess, limits: QuotaLimits, { mode }: Caller): number {
  const paged = sizeIn('PagedPoolLimit', limits.PagedPoolLimit);
  const nonPaged = sizeIn('NonPagedPoolLimit', limits.NonPagedPoolLimit);
  const minimum = sizeIn('MinimumWorkingSetSize', limits.MinimumWorkingSetSize);
  const maximum = sizeIn('MaximumWorkingSetSize', limits.MaximumWorkingSetSize);
  if (minimum !== 0n && maximum !== 0n) {
    if (minimum === ALL_ONES && maximum === ALL_ONES) return STATUS.SUCCESS;
    if (minimum > maximum) return STATUS.INVALID_PARAMETER;
    const settings = ownProcessSettings(process);
    settings.minimumWorkingSetSize = minimum;
    settings.maximumWorkingSetSize = maximum;
    return STATUS.SUCCESS;
  }
  if (!SeSinglePrivilegeCheck(SE_PRIVILEGE.INCREASE_QUOTA, mode)) return STATUS.PRIVILEGE_NOT_HELD;
  if (paged !== 0n) setQuotaLimit(process, 'paged', limitIn(paged));
  if (nonPaged !== 0n) setQuotaLimit(process, 'nonPaged', limitIn(nonPaged));
  return STATUS.SUCCESS;
}

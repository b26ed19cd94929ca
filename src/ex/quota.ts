import { STATUS } from '../../assembly/shared/status';
import type { KProcess } from '../machine/views';

/** Quotas of pool, as books: what each process is charged with, and how much it may be. */

/** A kind of pool. */
export type PoolKind = 'paged' | 'nonPaged';

/** What a process has of one kind, bytes. */
export interface QuotaUsage {
  readonly usage: number;
  readonly peak: number;
  /** Infinity: there is none. */
  readonly limit: number;
}

const NOTHING: QuotaUsage = Object.freeze({
  usage: 0,
  peak: 0,
  limit: Number.POSITIVE_INFINITY,
});

const books: Readonly<Record<PoolKind, WeakMap<KProcess, QuotaUsage>>> = {
  paged: new WeakMap(),
  nonPaged: new WeakMap(),
};

/** What a process is charged with. */
export function quotaUsage(process: KProcess, kind: PoolKind): QuotaUsage {
  return books[kind].get(process) ?? NOTHING;
}

export function setQuotaLimit(process: KProcess, kind: PoolKind, limit: number): void {
  books[kind].set(process, { ...quotaUsage(process, kind), limit });
}

/** Charges a process, if its limit allows; System is charged with nothing. @returns SUCCESS; QUOTA_EXCEEDED. */
export function chargeQuota(process: KProcess, kind: PoolKind, bytes: number): number {
  if (process === process.machine.systemProcess) return STATUS.SUCCESS;
  const { usage, peak, limit } = quotaUsage(process, kind);
  const charged = usage + bytes;
  if (charged > limit) return STATUS.QUOTA_EXCEEDED;
  books[kind].set(process, { usage: charged, peak: Math.max(peak, charged), limit });
  return STATUS.SUCCESS;
}

/** Takes a charge back. @returns false: there was no such charge, and nothing has changed. */
export function returnQuota(process: KProcess, kind: PoolKind, bytes: number): boolean {
  if (process === process.machine.systemProcess) return true;
  const known = quotaUsage(process, kind);
  if (known.usage < bytes) return false;
  books[kind].set(process, { ...known, usage: known.usage - bytes });
  return true;
}

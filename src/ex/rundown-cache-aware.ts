import { IRQL } from '../../assembly/shared/types';
import { FAST_FAIL, requireIrql, stopGuest, VIOLATION } from '../ke/call';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { currentGuest, type NtCall } from '../machine/guest';
import { requireInteger } from '../machine/profile';
import {
  acquireRundown,
  ExRundownRef,
  releaseRundown,
  requireRunDown,
  waitForRundown,
} from './rundown';

/** Run-down protection with a count for each processor, so that those do not share a cache line. */

/** Bytes that a count takes: a cache line. */
const LINE_BYTES = 64;

/** EX_RUNDOWN_REF_CACHE_AWARE. */
export class ExRundownRefCacheAware extends ExRundownRef {
  private readonly counts: number[] = [];

  /** Uses begun less uses ended on each processor: below 0 where more ended than began. */
  get processorCounts(): readonly number[] {
    return Array.from(this.counts, (count) => count ?? 0);
  }

  override initialize(): void {
    super.initialize();
    this.counts.length = 0;
  }

  /** @internal */
  add(processor: number, change: number): void {
    this.counts[processor] = (this.counts[processor] ?? 0) + change;
  }
}

function acquire(
  routine: string,
  reference: ExRundownRefCacheAware,
  count: number,
): NtCall<boolean> {
  return acquireRundown(routine, reference, () => {
    const used = reference.acquire(count);
    if (used) reference.add(currentGuest(routine).machine.currentProcessor, count);
    return used;
  });
}

function release(routine: string, reference: ExRundownRefCacheAware, count: number): NtCall<void> {
  return releaseRundown(routine, reference, () => {
    const released = reference.release(count);
    if (released) reference.add(currentGuest(routine).machine.currentProcessor, -count);
    return released;
  });
}

/** @returns the bytes that one takes, for ExInitializeRundownProtectionCacheAware. @irql at most APC_LEVEL @nt ExSizeOfRundownProtectionCacheAware */
export function ExSizeOfRundownProtectionCacheAware(): number {
  const routine = 'ExSizeOfRundownProtectionCacheAware';
  const { machine } = currentGuest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  return (machine.processorCount + 1) * LINE_BYTES;
}

/** A new one, used by nobody. @irql at most APC_LEVEL @nt ExAllocateCacheAwareRundownProtection */
export function ExAllocateCacheAwareRundownProtection(
  _poolType: number,
  _poolTag: number,
): ExRundownRefCacheAware {
  const routine = 'ExAllocateCacheAwareRundownProtection';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  const reference = new ExRundownRefCacheAware();
  reference.guest(routine);
  return reference;
}

/** Frees one that nobody uses; one in use is bugcheck KERNEL_SECURITY_CHECK_FAILURE. @irql at most APC_LEVEL @nt ExFreeCacheAwareRundownProtection */
export function ExFreeCacheAwareRundownProtection(reference: ExRundownRefCacheAware): void {
  const routine = 'ExFreeCacheAwareRundownProtection';
  const { thread } = reference.guest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  if (reference.count > 1) {
    const message = `${reference.name} is in use; wait for its release first`;
    stopGuest(
      routine,
      message,
      BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE,
      FAST_FAIL.InvalidReferenceCount,
    );
  }
  reference.begin(thread);
}

/** Makes one free to be used, in memory of `size` bytes; too few are bugcheck KERNEL_SECURITY_CHECK_FAILURE. @irql at most APC_LEVEL @nt ExInitializeRundownProtectionCacheAware */
export function ExInitializeRundownProtectionCacheAware(
  reference: ExRundownRefCacheAware,
  size: number,
): void {
  const routine = 'ExInitializeRundownProtectionCacheAware';
  reference.guest(routine);
  const needed = ExSizeOfRundownProtectionCacheAware();
  if (requireInteger(`size`, size, 0, Number.MAX_SAFE_INTEGER) < needed) {
    const message = `${size} bytes are too few; ExSizeOfRundownProtectionCacheAware says ${needed}`;
    stopGuest(routine, message, BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL.InvalidArgument);
  }
  reference.initialize();
}

/** Makes one that is run down free to be used. @irql at most APC_LEVEL @nt ExReInitializeRundownProtectionCacheAware */
export function ExReInitializeRundownProtectionCacheAware(reference: ExRundownRefCacheAware): void {
  requireRunDown('ExReInitializeRundownProtectionCacheAware', reference);
  reference.initialize();
}

/** Uses it. @returns FALSE once its run-down has begun. @irql at most DISPATCH_LEVEL @nt ExAcquireRundownProtectionCacheAware */
export function ExAcquireRundownProtectionCacheAware(
  reference: ExRundownRefCacheAware,
): NtCall<boolean> {
  return acquire('ExAcquireRundownProtectionCacheAware', reference, 1);
}

/** Uses it `count` times at once. @irql at most DISPATCH_LEVEL @nt ExAcquireRundownProtectionCacheAwareEx */
export function ExAcquireRundownProtectionCacheAwareEx(
  reference: ExRundownRefCacheAware,
  count: number,
): NtCall<boolean> {
  return acquire('ExAcquireRundownProtectionCacheAwareEx', reference, count);
}

/** Ends a use, of whatever thread, on whatever processor. @irql at most DISPATCH_LEVEL @nt ExReleaseRundownProtectionCacheAware */
export function ExReleaseRundownProtectionCacheAware(
  reference: ExRundownRefCacheAware,
): NtCall<void> {
  return release('ExReleaseRundownProtectionCacheAware', reference, 1);
}

/** Ends `count` uses. @irql at most DISPATCH_LEVEL @nt ExReleaseRundownProtectionCacheAwareEx */
export function ExReleaseRundownProtectionCacheAwareEx(
  reference: ExRundownRefCacheAware,
  count: number,
): NtCall<void> {
  return release('ExReleaseRundownProtectionCacheAwareEx', reference, count);
}

/** As ExWaitForRundownProtectionRelease. @irql at most APC_LEVEL @nt ExWaitForRundownProtectionReleaseCacheAware */
export function ExWaitForRundownProtectionReleaseCacheAware(
  reference: ExRundownRefCacheAware,
): NtCall<void> {
  return waitForRundown('ExWaitForRundownProtectionReleaseCacheAware', reference);
}

/** As ExRundownCompleted. @irql at most APC_LEVEL @nt ExRundownCompletedCacheAware */
export function ExRundownCompletedCacheAware(reference: ExRundownRefCacheAware): void {
  requireRunDown('ExRundownCompletedCacheAware', reference);
}

import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { IRQL, KWAIT_REASON } from '../../assembly/shared/types';
import { FAST_FAIL, HOST_ROUTINE, requireIrql, stopGuest, VIOLATION } from '../ke/call';
import { waitForLock } from '../ke/lock';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { Lock, LockQueue, type LockWaiter } from '../machine/lock';
import type { KThread } from '../machine/views';

/**
 * Run-down protection: an object is used by whoever gets it, any number at a time, until somebody
 * waits for all of them to be done. Any thread may end a use.
 */

/** EX_RUNDOWN_REF; used by nobody, and not run down, from the start. */
export class ExRundownRef extends Lock {
  private uses = 0;
  private begun = false;
  private readonly waiters = new LockQueue();

  constructor(
    /** For reports. */
    name?: string,
  ) {
    super('run-down protection', name);
  }

  /** Count: bit 0 if it is run down or about to be, 2 for each use. */
  get count(): number {
    return 2 * this.uses + (this.begun ? 1 : 0);
  }

  /** @internal Whether its run-down has begun. */
  get runDown(): boolean {
    return this.begun;
  }

  override get owners(): readonly KThread[] {
    return [];
  }

  /** Makes it as it was when it was new. From outside any guest, or within one. */
  initialize(): void {
    this.uses = 0;
    this.begun = false;
  }

  /** Uses it; false once its run-down has begun. From outside any guest, or at no cost within one. @irql at most DISPATCH_LEVEL @nt ExAcquireRundownProtectionEx */
  acquire(count = 1): boolean {
    if (this.begun) return false;
    this.uses += count;
    return true;
  }

  /** Ends uses; false, and nothing done, if there are not as many. From outside any guest, or at no cost within one. @irql at most DISPATCH_LEVEL @nt ExReleaseRundownProtectionEx */
  release(count = 1): boolean {
    if (count > this.uses) return false;
    this.uses -= count;
    if (this.uses !== 0) return true;
    for (let waiter = this.waiters.shift(); waiter !== undefined; ) {
      this.wake(waiter);
      waiter = this.waiters.shift();
    }
    return true;
  }

  /** @internal Begins its run-down, and gives who has to wait for the end of the last use. */
  begin(thread: KThread): LockWaiter | undefined {
    this.begun = true;
    return this.uses === 0 ? undefined : this.enqueue(this.waiters, thread, true);
  }
}

function requireLevel(routine: string, highest: number): void {
  requireIrql(routine, VIOLATION.KernelApi, highest);
}

/** @internal Use, with or without a reference for each processor. */
export function acquireRundown(
  routine: string,
  reference: ExRundownRef,
  acquire: () => boolean,
): NtCall<boolean> {
  return new NtCall(routine, () => acquireRundownSteps(routine, reference, acquire));
}

function* acquireRundownSteps(
  routine: string,
  reference: ExRundownRef,
  acquire: () => boolean,
): Generator<Request, boolean, number> {
  requireLevel(routine, IRQL.DISPATCH_LEVEL);
  const { machine, thread } = currentGuest(routine);
  const used = acquire();
  if (used) machine.watcher?.lockUsed(thread, reference, true);
  yield HOST_ROUTINE;
  return used;
}

/** @internal The end of use. */
export function releaseRundown(
  routine: string,
  reference: ExRundownRef,
  release: () => boolean,
): NtCall<void> {
  return new NtCall(routine, () => releaseRundownSteps(routine, reference, release));
}

function* releaseRundownSteps(
  routine: string,
  reference: ExRundownRef,
  release: () => boolean,
): Generator<Request, void, number> {
  const { machine, thread } = reference.guest(routine);
  requireLevel(routine, IRQL.DISPATCH_LEVEL);
  machine.watcher?.lockUsed(thread, reference, false);
  if (!release()) {
    const message = `${reference.name} was released more often than it was acquired`;
    const code = BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE;
    stopGuest(routine, message, code, FAST_FAIL.InvalidReferenceCount);
  }
  yield HOST_ROUTINE;
}

/** @internal */
export function waitForRundown(routine: string, reference: ExRundownRef): NtCall<void> {
  return new NtCall(routine, () => waitForRundownSteps(routine, reference));
}

function* waitForRundownSteps(
  routine: string,
  reference: ExRundownRef,
): Generator<Request, void, number> {
  const { thread } = reference.guest(routine);
  requireLevel(routine, IRQL.APC_LEVEL);
  const waiter = reference.begin(thread);
  if (waiter === undefined) thread.machine.watcher?.lockTaken(thread, reference, false);
  if (waiter === undefined) yield HOST_ROUTINE;
  else yield* waitForLock(waiter, KWAIT_REASON.WrRundown);
}

/** @internal A reference that is run down, for what only such a one may be given to. */
export function requireRunDown(routine: string, reference: ExRundownRef): void {
  reference.guest(routine);
  requireLevel(routine, IRQL.APC_LEVEL);
  if (reference.runDown && reference.count === 1) return;
  const message = `${reference.name} is not run down; wait for its release first`;
  stopGuest(routine, message, BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL.InvalidArgument);
}

/** Makes it free to be used. @irql at most APC_LEVEL @nt ExInitializeRundownProtection */
export function ExInitializeRundownProtection(reference: ExRundownRef): void {
  const routine = 'ExInitializeRundownProtection';
  reference.guest(routine);
  requireLevel(routine, IRQL.APC_LEVEL);
  reference.initialize();
}

/** The same for one that is run down; another one is bugcheck KERNEL_SECURITY_CHECK_FAILURE. @irql at most APC_LEVEL @nt ExReInitializeRundownProtection */
export function ExReInitializeRundownProtection(reference: ExRundownRef): void {
  requireRunDown('ExReInitializeRundownProtection', reference);
  reference.initialize();
}

/** Uses it. @returns FALSE once its run-down has begun. @irql at most DISPATCH_LEVEL @nt ExAcquireRundownProtection */
export function ExAcquireRundownProtection(reference: ExRundownRef): NtCall<boolean> {
  return acquireRundown('ExAcquireRundownProtection', reference, () => reference.acquire());
}

/** Uses it `count` times at once. @irql at most DISPATCH_LEVEL @nt ExAcquireRundownProtectionEx */
export function ExAcquireRundownProtectionEx(
  reference: ExRundownRef,
  count: number,
): NtCall<boolean> {
  return acquireRundown('ExAcquireRundownProtectionEx', reference, () => reference.acquire(count));
}

/** Ends a use, of whatever thread. One too many is bugcheck KERNEL_SECURITY_CHECK_FAILURE. @irql at most DISPATCH_LEVEL @nt ExReleaseRundownProtection */
export function ExReleaseRundownProtection(reference: ExRundownRef): NtCall<void> {
  return releaseRundown('ExReleaseRundownProtection', reference, () => reference.release());
}

/** Ends `count` uses. @irql at most DISPATCH_LEVEL @nt ExReleaseRundownProtectionEx */
export function ExReleaseRundownProtectionEx(reference: ExRundownRef, count: number): NtCall<void> {
  const routine = 'ExReleaseRundownProtectionEx';
  return releaseRundown(routine, reference, () => reference.release(count));
}

/**
 * Runs it down: nobody can use it any more, and the call returns when the last use has ended. Who
 * calls it in a use of its own waits for ever.
 *
 * @irql at most APC_LEVEL   @nt ExWaitForRundownProtectionRelease
 */
export function ExWaitForRundownProtectionRelease(reference: ExRundownRef): NtCall<void> {
  return waitForRundown('ExWaitForRundownProtectionRelease', reference);
}

/** Says that it is run down, which it must be; it stays so. @irql at most APC_LEVEL @nt ExRundownCompleted */
export function ExRundownCompleted(reference: ExRundownRef): void {
  requireRunDown('ExRundownCompleted', reference);
}

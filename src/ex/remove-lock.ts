import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON } from '../../assembly/shared/types';
import {
  FAST_FAIL,
  HOST_ROUTINE,
  reportViolation,
  requireIrql,
  stopGuest,
  VIOLATION,
} from '../ke/call';
import { waitForLock } from '../ke/lock';
import { NtCall, type Request } from '../machine/guest';
import { Lock, LockQueue, type LockWaiter } from '../machine/lock';
import { requireInteger } from '../machine/profile';
import type { KThread } from '../machine/views';

/** Remove locks: a device's operations hold one, and its removal waits until none is left. */

/** IO_REMOVE_LOCK: storage until IoInitializeRemoveLock has made it one. */
export class IoRemoveLock extends Lock {
  /** @internal */ initialized = false;
  /** AllocateTag, MaxLockedMinutes, HighWatermark: as they were given. */
  allocateTag: unknown = 0;
  maxLockedMinutes = 0;
  highWatermark = 0;
  private going = false;
  private readonly tags = new Map<unknown, number>();
  private acquisitions = 0;
  private readonly waiters = new LockQueue();

  constructor(
    /** For reports. */
    name?: string,
  ) {
    super('remove lock', name);
  }

  /** Removed: its device's removal has begun. */
  get removed(): boolean {
    return this.going;
  }

  /** IoCount: acquisitions, and one for the device until its removal. */
  get ioCount(): number {
    return this.acquisitions + (this.initialized && !this.going ? 1 : 0);
  }

  override get owners(): readonly KThread[] {
    return [];
  }

  /** @internal */
  initialize(): void {
    this.initialized = true;
    this.going = false;
    this.acquisitions = 0;
    this.tags.clear();
  }

  /** @internal */
  acquire(tag: unknown): boolean {
    if (this.going) return false;
    this.acquisitions++;
    this.tags.set(tag, (this.tags.get(tag) ?? 0) + 1);
    return true;
  }

  /** @internal Whether it has been acquired with a tag. */
  has(tag: unknown): boolean {
    return this.tags.has(tag);
  }

  /** @internal Takes one acquisition back; false if there is none. */
  release(tag: unknown): boolean {
    if (this.acquisitions === 0) return false;
    this.acquisitions--;
    const left = (this.tags.get(tag) ?? 0) - 1;
    if (left > 0) this.tags.set(tag, left);
    else this.tags.delete(tag);
    if (this.acquisitions !== 0) return true;
    for (let waiter = this.waiters.shift(); waiter !== undefined; ) {
      this.wake(waiter);
      waiter = this.waiters.shift();
    }
    return true;
  }

  /** @internal Begins the removal, and gives who has to wait for the last release. */
  remove(thread: KThread): LockWaiter | undefined {
    this.going = true;
    return this.acquisitions === 0 ? undefined : this.enqueue(this.waiters, thread, true);
  }
}

function requireInitialized(routine: string, lock: IoRemoveLock): void {
  if (lock.initialized) return;
  const message = `${lock.name} is not initialized; call IoInitializeRemoveLock first`;
  reportViolation(routine, message, VIOLATION.LockNotInitialized, lock.index);
}

/**
 * Makes a remove lock. `highWatermark` is 0 to 0x7fffffff.
 *
 * @irql PASSIVE_LEVEL
 * @nt IoInitializeRemoveLock (partial: MaxLockedMinutes and HighWatermark are kept, and nothing else)
 */
export function IoInitializeRemoveLock(
  lock: IoRemoveLock,
  allocateTag: unknown,
  maxLockedMinutes: number,
  highWatermark: number,
): void {
  const routine = 'IoInitializeRemoveLock';
  lock.guest(routine);
  requireIrql(routine, VIOLATION.IrqlIoPassive, IRQL.PASSIVE_LEVEL);
  if (lock.initialized) {
    const message = `${lock.name} is initialized already, and others may be using it`;
    reportViolation(routine, message, VIOLATION.RemoveLockInitializedTwice, lock.index);
  }
  lock.allocateTag = allocateTag;
  lock.maxLockedMinutes = requireInteger('maxLockedMinutes', maxLockedMinutes, 0, 0xffffffff);
  lock.highWatermark = requireInteger('highWatermark', highWatermark, 0, 0x7fffffff);
  lock.initialize();
}

/**
 * Begins an operation of the device; `tag` is any value, and its release gives the same.
 *
 * @returns STATUS_SUCCESS, or STATUS_DELETE_PENDING once the removal has begun.
 * @irql at most DISPATCH_LEVEL   @nt IoAcquireRemoveLock
 */
export function IoAcquireRemoveLock(lock: IoRemoveLock, tag: unknown): NtCall<number> {
  const routine = 'IoAcquireRemoveLock';
  return new NtCall(routine, () => acquireRemoveLock(routine, lock, tag));
}

function* acquireRemoveLock(
  routine: string,
  lock: IoRemoveLock,
  tag: unknown,
): Generator<Request, number, number> {
  lock.guest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  requireInitialized(routine, lock);
  const acquired = lock.acquire(tag);
  yield HOST_ROUTINE;
  return acquired ? STATUS.SUCCESS : STATUS.DELETE_PENDING;
}

function release(routine: string, lock: IoRemoveLock, tag: unknown, violation: VIOLATION): void {
  lock.guest(routine);
  requireInitialized(routine, lock);
  if (!lock.has(tag)) {
    const message = `${lock.name} was not acquired with tag ${String(tag)}`;
    reportViolation(routine, message, violation, lock.index, typeof tag === 'number' ? tag : 0);
  }
  if (!lock.release(tag)) {
    const message = `${lock.name} was released more often than it was acquired`;
    const code = BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE;
    stopGuest(routine, message, code, FAST_FAIL.InvalidReferenceCount);
  }
}

/** Ends an operation of the device. @irql at most DISPATCH_LEVEL @nt IoReleaseRemoveLock */
export function IoReleaseRemoveLock(lock: IoRemoveLock, tag: unknown): NtCall<void> {
  const routine = 'IoReleaseRemoveLock';
  return new NtCall(routine, () => releaseRemoveLock(routine, lock, tag));
}

function* releaseRemoveLock(
  routine: string,
  lock: IoRemoveLock,
  tag: unknown,
): Generator<Request, void, number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  release(routine, lock, tag, VIOLATION.RemoveLockTag);
  yield HOST_ROUTINE;
}

/**
 * Ends the operation that is the device's removal: no other can begin, and the call returns when the
 * last has ended.
 *
 * @irql PASSIVE_LEVEL   @nt IoReleaseRemoveLockAndWait
 */
export function IoReleaseRemoveLockAndWait(lock: IoRemoveLock, tag: unknown): NtCall<void> {
  const routine = 'IoReleaseRemoveLockAndWait';
  return new NtCall(routine, () => releaseRemoveLockAndWait(routine, lock, tag));
}

function* releaseRemoveLockAndWait(
  routine: string,
  lock: IoRemoveLock,
  tag: unknown,
): Generator<Request, void, number> {
  const { thread } = lock.guest(routine);
  requireIrql(routine, VIOLATION.IrqlIoPassive, IRQL.PASSIVE_LEVEL);
  release(routine, lock, tag, VIOLATION.RemoveLockTagAndWait);
  const waiter = lock.remove(thread);
  if (waiter === undefined) yield HOST_ROUTINE;
  else yield* waitForLock(waiter, KWAIT_REASON.Executive);
}

import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { IRQL, KWAIT_REASON } from '../../assembly/shared/types';
import {
  HOST_ROUTINE,
  reportViolation,
  requireApcsDisabled,
  requireIrql,
  stopGuest,
  VIOLATION,
} from '../ke/call';
import { waitForLock } from '../ke/lock';
import { NtCall, type Request } from '../machine/guest';
import { Lock, LockQueue, type LockWaiter } from '../machine/lock';
import type { KThread } from '../machine/views';

/**
 * Push locks: shared or exclusive, in a word. A release makes the lock free and wakes who has waited
 * longest; whoever comes first then takes it, so that nobody is sure of his turn.
 */

/** Flags of the Ex forms: who waits does not lift the owner, and nobody checks who releases. */
export const EX_PUSH_LOCK_FLAG_DISABLE_AUTOBOOST = 1;

/** Bits of the word. */
const LOCK = 1;
const WAITING = 2;
const MULTIPLE_SHARED = 8;
const SHARE_INCREMENT = 16;

/** What one thread has of a lock. */
interface Holding {
  readonly thread: KThread;
  readonly boosts: boolean;
  count: number;
}

/** EX_PUSH_LOCK; free from the start. */
export class ExPushLock extends Lock {
  /** @internal */ freed = false;
  private exclusive = false;
  private sharers = 0;
  /** Who has it: with AutoBoost, then without. */
  private readonly holdings: [Map<KThread, Holding>, Map<KThread, Holding>] = [
    new Map(),
    new Map(),
  ];
  private readonly waiters = new LockQueue();
  private exclusiveWaiters = 0;

  constructor(
    /** For reports. */
    name?: string,
  ) {
    super('push lock', name);
  }

  /** The word: 1 if it is held, 2 if threads wait, 8 if several share it meanwhile, 16 for each that shares it. */
  get value(): number {
    const held = this.exclusive || this.sharers !== 0 ? LOCK : 0;
    const waiting = this.waiters.count === 0 ? 0 : WAITING;
    const several = waiting !== 0 && this.sharers > 1 ? MULTIPLE_SHARED : 0;
    return held | waiting | several | (this.sharers * SHARE_INCREMENT);
  }

  override get owners(): readonly KThread[] {
    return this.holdings.flatMap((holdings) => [...holdings.keys()]);
  }

  protected override get boosted(): readonly KThread[] {
    return [...this.holdings[0].keys()];
  }

  /** @internal */
  get used(): boolean {
    return this.value !== 0;
  }

  /** @internal */
  initialize(): void {
    for (const thread of this.holdings[0].keys()) this.letGo(thread);
    for (const holdings of this.holdings) holdings.clear();
    this.exclusive = false;
    this.sharers = 0;
  }

  /**
   * @internal Takes it, if that needs no wait. Who has been woken to share it does so, whoever waits: if
   * nobody else has it, nobody else would wake the others.
   */
  tryTake(thread: KThread, exclusive: boolean, boosts: boolean, woken: boolean): boolean {
    if (this.exclusive) return false;
    if (exclusive ? this.sharers !== 0 : this.exclusiveWaiters !== 0 && !woken) return false;
    this.exclusive = exclusive;
    if (!exclusive) this.sharers++;
    const holdings = this.holdings[boosts ? 0 : 1];
    const holding = holdings.get(thread);
    if (holding !== undefined) {
      holding.count++;
      this.machine?.watcher?.lockTaken(thread, this, true);
      return true;
    }
    holdings.set(thread, { thread, boosts, count: 1 });
    if (boosts) this.hold(thread);
    return true;
  }

  /** @internal Puts the thread among those that wait. */
  await(thread: KThread, exclusive: boolean): LockWaiter {
    if (exclusive) this.exclusiveWaiters++;
    return this.enqueue(this.waiters, thread, exclusive);
  }

  /** @internal Frees what a thread has, exclusive or shared or (undefined) either; false if it has no such thing. */
  release(thread: KThread, exclusive: boolean | undefined, boosts: boolean): boolean {
    if (exclusive !== undefined && exclusive !== this.exclusive) return false;
    const holding = boosts ? this.holdings[0].get(thread) : this.anyHolding(thread);
    if (holding === undefined) return false;
    if (this.exclusive) this.exclusive = false;
    else this.sharers--;
    if (--holding.count === 0) {
      this.holdings[holding.boosts ? 0 : 1].delete(holding.thread);
      if (holding.boosts) this.letGo(holding.thread);
    }
    if (!this.exclusive && this.sharers === 0) this.wakeFirst();
    return true;
  }

  /** Without AutoBoost nobody knows who has what: the thread's, or whoever's. */
  private anyHolding(thread: KThread): Holding | undefined {
    const [boosted, others] = this.holdings;
    return others.get(thread) ?? [...others.values()][0] ?? [...boosted.values()][0];
  }

  /** Wakes who has waited longest, with those behind it if all of them want to share. */
  private wakeFirst(): void {
    let waiter = this.waiters.shift();
    if (waiter === undefined) return;
    const { exclusive } = waiter;
    if (exclusive) this.exclusiveWaiters--;
    this.wake(waiter);
    while (!exclusive && this.waiters.head?.exclusive === false) {
      waiter = this.waiters.shift();
      if (waiter !== undefined) this.wake(waiter);
    }
  }
}

function requireFlags(routine: string, lock: ExPushLock, flags: number): boolean {
  if (flags === 0 || flags === EX_PUSH_LOCK_FLAG_DISABLE_AUTOBOOST) return flags === 0;
  const message = `flags 0x${flags.toString(16)} do not exist; give 0 or EX_PUSH_LOCK_FLAG_DISABLE_AUTOBOOST`;
  return stopGuest(routine, message, BUGCHECK.INVALID_PUSH_LOCK_FLAGS, flags, lock.index);
}

function requireAllocated(routine: string, lock: ExPushLock): void {
  if (!lock.freed) return;
  const message = `${lock.name} has been freed`;
  reportViolation(routine, message, VIOLATION.LockNotInitialized, lock.index);
}

function acquire(
  routine: string,
  lock: ExPushLock,
  exclusive: boolean,
  flags: number,
): NtCall<void> {
  return new NtCall(routine, () => acquireSteps(routine, lock, exclusive, flags));
}

function* acquireSteps(
  routine: string,
  lock: ExPushLock,
  exclusive: boolean,
  flags: number,
): Generator<Request, void, number> {
  const { machine, thread } = lock.guest(routine);
  const boosts = requireFlags(routine, lock, flags);
  const level = machine.irql();
  if (level >= IRQL.DISPATCH_LEVEL) {
    const message = `called at level ${level}; it needs at most APC_LEVEL (1)`;
    const code = BUGCHECK.KERNEL_AUTO_BOOST_LOCK_ACQUISITION_WITH_RAISED_IRQL;
    stopGuest(routine, message, code, thread.address, lock.index, level);
  }
  requireApcsDisabled(routine, VIOLATION.AcquirePushLockWithApcs, lock.index);
  requireAllocated(routine, lock);
  let taken = lock.tryTake(thread, exclusive, boosts, false);
  if (taken) yield HOST_ROUTINE;
  while (!taken) {
    yield* waitForLock(lock.await(thread, exclusive), KWAIT_REASON.WrPushLock);
    taken = lock.tryTake(thread, exclusive, boosts, true);
  }
}

function release(
  routine: string,
  lock: ExPushLock,
  exclusive: boolean | undefined,
  flags: number,
): NtCall<void> {
  return new NtCall(routine, () => releaseSteps(routine, lock, exclusive, flags));
}

function* releaseSteps(
  routine: string,
  lock: ExPushLock,
  exclusive: boolean | undefined,
  flags: number,
): Generator<Request, void, number> {
  const { thread } = lock.guest(routine);
  const boosts = requireFlags(routine, lock, flags);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  requireApcsDisabled(routine, VIOLATION.ReleasePushLockWithApcs, lock.index);
  if (!lock.release(thread, exclusive, boosts)) {
    const how = exclusive === undefined ? '' : exclusive ? ' exclusively' : ' shared';
    const message = `thread '${thread.name}' does not hold ${lock.name}${how}`;
    const code = BUGCHECK.KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE;
    stopGuest(routine, message, code, thread.address, lock.index);
  }
  yield HOST_ROUTINE;
}

/** Makes a lock free. @irql at most APC_LEVEL @nt ExInitializePushLock */
export function ExInitializePushLock(lock: ExPushLock): void {
  const routine = 'ExInitializePushLock';
  lock.guest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  if (lock.used) {
    const message = `${lock.name} is held or waited for; release it first`;
    reportViolation(routine, message, VIOLATION.LockInitializedTwice, lock.index);
  }
  lock.initialize();
}

/**
 * Takes a lock alone, with normal kernel APCs disabled. Who has it already waits for ever.
 *
 * @irql at most APC_LEVEL   @nt ExAcquirePushLockExclusive
 */
export function ExAcquirePushLockExclusive(lock: ExPushLock): NtCall<void> {
  return acquire('ExAcquirePushLockExclusive', lock, true, 0);
}

/** The same; flags 0, or EX_PUSH_LOCK_FLAG_DISABLE_AUTOBOOST. @irql at most APC_LEVEL @nt ExAcquirePushLockExclusiveEx */
export function ExAcquirePushLockExclusiveEx(lock: ExPushLock, flags: number): NtCall<void> {
  return acquire('ExAcquirePushLockExclusiveEx', lock, true, flags);
}

/** The same as ExAcquirePushLockExclusive. @irql at most APC_LEVEL @nt ExfAcquirePushLockExclusive */
export function ExfAcquirePushLockExclusive(lock: ExPushLock): NtCall<void> {
  return acquire('ExfAcquirePushLockExclusive', lock, true, 0);
}

/**
 * Takes a lock together with others, with normal kernel APCs disabled; after those who wait for it
 * alone, even if the thread shares it.
 *
 * @irql at most APC_LEVEL   @nt ExAcquirePushLockShared
 */
export function ExAcquirePushLockShared(lock: ExPushLock): NtCall<void> {
  return acquire('ExAcquirePushLockShared', lock, false, 0);
}

/** The same; flags as of ExAcquirePushLockExclusiveEx. @irql at most APC_LEVEL @nt ExAcquirePushLockSharedEx */
export function ExAcquirePushLockSharedEx(lock: ExPushLock, flags: number): NtCall<void> {
  return acquire('ExAcquirePushLockSharedEx', lock, false, flags);
}

/** The same as ExAcquirePushLockShared. @irql at most APC_LEVEL @nt ExfAcquirePushLockShared */
export function ExfAcquirePushLockShared(lock: ExPushLock): NtCall<void> {
  return acquire('ExfAcquirePushLockShared', lock, false, 0);
}

/** Frees a lock that the thread has alone; else it is bugcheck KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE. @irql at most APC_LEVEL @nt ExReleasePushLockExclusive */
export function ExReleasePushLockExclusive(lock: ExPushLock): NtCall<void> {
  return release('ExReleasePushLockExclusive', lock, true, 0);
}

/** The same; flags as of the acquisition. @irql at most APC_LEVEL @nt ExReleasePushLockExclusiveEx */
export function ExReleasePushLockExclusiveEx(lock: ExPushLock, flags: number): NtCall<void> {
  return release('ExReleasePushLockExclusiveEx', lock, true, flags);
}

/** The same as ExReleasePushLockExclusive. @irql at most APC_LEVEL @nt ExfReleasePushLockExclusive */
export function ExfReleasePushLockExclusive(lock: ExPushLock): NtCall<void> {
  return release('ExfReleasePushLockExclusive', lock, true, 0);
}

/** Lets go of a lock that the thread shares; else it is the same bugcheck. @irql at most APC_LEVEL @nt ExReleasePushLockShared */
export function ExReleasePushLockShared(lock: ExPushLock): NtCall<void> {
  return release('ExReleasePushLockShared', lock, false, 0);
}

/** The same; flags as of the acquisition. @irql at most APC_LEVEL @nt ExReleasePushLockSharedEx */
export function ExReleasePushLockSharedEx(lock: ExPushLock, flags: number): NtCall<void> {
  return release('ExReleasePushLockSharedEx', lock, false, flags);
}

/** The same as ExReleasePushLockShared. @irql at most APC_LEVEL @nt ExfReleasePushLockShared */
export function ExfReleasePushLockShared(lock: ExPushLock): NtCall<void> {
  return release('ExfReleasePushLockShared', lock, false, 0);
}

/** Lets go of a lock in whatever way the thread has it. @irql at most APC_LEVEL @nt ExfReleasePushLock */
export function ExfReleasePushLock(lock: ExPushLock): NtCall<void> {
  return release('ExfReleasePushLock', lock, undefined, 0);
}

/** A push lock for many sharers. @irql at most APC_LEVEL @nt FsRtlAllocateAePushLock */
export function FsRtlAllocateAePushLock(_poolType: number, _tag: number): ExPushLock {
  const routine = 'FsRtlAllocateAePushLock';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  const lock = new ExPushLock();
  lock.guest(routine);
  return lock;
}

/** Frees what FsRtlAllocateAePushLock made, which nobody may have or wait for. @irql at most APC_LEVEL @nt FsRtlFreeAePushLock */
export function FsRtlFreeAePushLock(lock: ExPushLock): void {
  const routine = 'FsRtlFreeAePushLock';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  requireAllocated(routine, lock);
  if (lock.used) {
    const message = `${lock.name} is held or waited for; release it first`;
    reportViolation(routine, message, VIOLATION.LockDeleted, lock.index);
  }
  lock.freed = true;
}

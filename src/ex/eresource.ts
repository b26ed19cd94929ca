import { LIMIT } from '../../assembly/shared/limits';
import { TABLE } from '../../assembly/shared/types';
import { Lock, LockQueue, type LockWaiter } from '../machine/lock';
import type { Machine } from '../machine/machine';
import type { KThread } from '../machine/views';

/** What an ERESOURCE holds, and who gets it when. */

/** ERESOURCE_THREAD: a thread, or an owner pointer: a number whose two low bits are set. */
export type ResourceThread = KThread | number | bigint;

/** How a resource is asked for: alone, or shared in one of three ways. */
export type AcquireForm = 'exclusive' | 'shared' | 'starveExclusive' | 'waitForExclusive';

/** OWNER_ENTRY. */
interface Owner {
  /** Whom those who wait lift; undefined for an owner pointer that stands for no thread. */
  readonly thread: KThread | undefined;
  count: number;
}

/** An owner pointer that stands for a thread, for ExSetResourceOwnerPointerEx: in Windows, thread | 3. */
export function resourceOwnerPointer(thread: KThread): bigint {
  return (BigInt(thread.handle) << 2n) | 3n;
}

/** @internal The thread that an owner pointer stands for. */
export function threadOfPointer(machine: Machine, pointer: bigint): KThread | undefined {
  const handle = pointer >> 2n;
  if (handle >> BigInt(LIMIT.TableShift) !== BigInt(TABLE.Thread)) return undefined;
  const thread = machine.threadAt(machine.core.hostAddress(Number(handle)) >>> 0);
  return thread !== undefined && resourceOwnerPointer(thread) === pointer ? thread : undefined;
}

/** The resources of a machine that are initialized and not deleted. */
export function systemResources(machine: Machine): readonly EResource[] {
  return [...machine.locks.resources].filter((lock) => lock instanceof EResource);
}

/** Bit of `flag`: ResourceOwnedExclusive. */
const RESOURCE_OWNED_EXCLUSIVE = 0x80;

/** ERESOURCE: storage until ExInitializeResourceLite has made it one. */
export class EResource extends Lock {
  /** @internal */ initialized = false;
  /** @internal Whether its owner has it alone. */ exclusive = false;
  private readonly table = new Map<KThread | bigint, Owner>();
  /** Entries of its table that are not a thread's own. */
  private pointers = 0;
  private boosts = true;
  private contentions = 0;
  private readonly forShared = new LockQueue();
  private readonly forExclusive = new LockQueue();

  constructor(
    /** For reports. */
    name?: string,
  ) {
    super('resource', name);
  }

  /** ActiveCount: how many own it. */
  get activeCount(): number {
    return this.table.size;
  }

  /** Flag: 0x80 (ResourceOwnedExclusive) if one owns it alone. */
  get flag(): number {
    return this.exclusive ? RESOURCE_OWNED_EXCLUSIVE : 0;
  }

  /** ContentionCount: how often a thread had to wait. */
  get contentionCount(): number {
    return this.contentions;
  }

  get numberOfSharedWaiters(): number {
    return this.forShared.count;
  }

  get numberOfExclusiveWaiters(): number {
    return this.forExclusive.count;
  }

  /** Who waits to share it, in order. */
  get sharedWaiters(): readonly KThread[] {
    return this.forShared.threads;
  }

  /** Who waits to have it alone, in order. */
  get exclusiveWaiters(): readonly KThread[] {
    return this.forExclusive.threads;
  }

  /** OwnerTable: who owns it, a thread or an owner pointer, how often. */
  get ownerTable(): readonly { readonly owner: KThread | bigint; readonly count: number }[] {
    return [...this.table].map(([owner, { count }]) => ({ owner, count }));
  }

  override get owners(): readonly KThread[] {
    return [...this.table.values()].flatMap(({ thread }) => thread ?? []);
  }

  override highestWaiter(): number {
    return this.boosts ? super.highestWaiter() : 0;
  }

  /** From outside any guest. @irql at most DISPATCH_LEVEL @nt ExInitializeResourceLite */
  initialize(): this {
    for (const [owner, { thread }] of this.table) {
      this.table.delete(owner);
      if (thread !== undefined) this.letGo(thread);
    }
    this.initialized = true;
    this.exclusive = false;
    this.pointers = 0;
    this.boosts = true;
    this.contentions = 0;
    this.machine?.locks.resources.add(this);
    return this;
  }

  /** @internal */
  delete(): void {
    this.initialized = false;
    this.machine?.locks.resources.delete(this);
  }

  protected override adopt(machine: Machine, routine: string): void {
    super.adopt(machine, routine);
    if (this.initialized) machine.locks.resources.add(this);
  }

  /** @internal Whether anybody waits for it. */
  get contended(): boolean {
    return this.forShared.count !== 0 || this.forExclusive.count !== 0;
  }

  /** @internal */
  acquisitions(thread: KThread): number {
    return this.table.get(thread)?.count ?? 0;
  }

  /** @internal Takes it, if that needs no wait. */
  tryTake(form: AcquireForm, thread: KThread): boolean {
    const own = this.table.get(thread);
    if (this.exclusive || form === 'exclusive') {
      if (this.table.size === 0) this.exclusive = true;
      else if (!this.exclusive || own === undefined) return false;
    } else if (this.forExclusive.count !== 0) {
      if (form === 'waitForExclusive' || (form === 'shared' && own === undefined)) return false;
    }
    this.add(thread);
    return true;
  }

  /** @internal Puts the thread among those that wait. */
  await(form: AcquireForm, thread: KThread): LockWaiter {
    this.contentions++;
    const exclusive = form === 'exclusive';
    return this.enqueue(exclusive ? this.forExclusive : this.forShared, thread, exclusive);
  }

  private add(thread: KThread): void {
    const own = this.table.get(thread);
    if (own !== undefined) {
      own.count++;
      return;
    }
    this.table.set(thread, { thread, count: 1 });
    this.hold(thread);
  }

  private grantShared(): void {
    const { threads } = this.forShared;
    for (let waiter = this.forShared.shift(); waiter !== undefined; ) {
      this.wake(waiter);
      waiter = this.forShared.shift();
    }
    for (const thread of threads) this.add(thread);
    this.settle();
  }

  /** @internal Takes one acquisition of an owner back, and gives what is free to who waits; false if it is none. */
  release(owner: KThread | bigint): boolean {
    const entry = this.table.get(owner);
    if (entry === undefined) return false;
    if (--entry.count !== 0) return true;
    this.remove(owner, entry);
    if (this.table.size === 0) this.handOver();
    return true;
  }

  private remove(owner: KThread | bigint, { thread }: Owner): void {
    this.table.delete(owner);
    if (typeof owner === 'bigint') this.pointers--;
    if (thread === undefined) return;
    // A thread may stand in the table twice, once by a pointer.
    if (this.pointers !== 0 || typeof owner === 'bigint') {
      if (this.owners.includes(thread)) return;
    }
    this.letGo(thread);
  }

  private handOver(): void {
    const wasExclusive = this.exclusive;
    this.exclusive = false;
    const sharedFirst = wasExclusive && this.forShared.count !== 0;
    const next = sharedFirst ? undefined : this.forExclusive.shift();
    if (next === undefined) {
      if (this.forShared.count !== 0) this.grantShared();
      return;
    }
    this.exclusive = true;
    this.wake(next);
    this.add(next.thread);
    this.settle();
  }

  /** @internal Makes it shared, with all who wait to share it; false if the thread does not have it alone. */
  convert(thread: KThread): boolean {
    if (!this.exclusive || !this.table.has(thread)) return false;
    this.exclusive = false;
    if (this.forShared.count !== 0) this.grantShared();
    return true;
  }

  /** @internal Gives what a thread has to an owner pointer, which stands for another or for none; false if it has nothing. */
  giveToPointer(thread: KThread, pointer: bigint, owner: KThread | undefined): boolean {
    const own = this.table.get(thread);
    if (own === undefined) return false;
    const there = this.table.get(pointer);
    if (there === undefined) {
      this.table.set(pointer, { thread: owner, count: own.count });
      this.pointers++;
      if (owner !== undefined) this.hold(owner);
    } else {
      there.count += own.count;
    }
    this.remove(thread, own);
    return true;
  }

  /** @internal */
  disableBoost(): void {
    this.boosts = false;
    this.settle();
  }
}

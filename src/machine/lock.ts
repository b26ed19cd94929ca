import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { KTHREAD } from '../../assembly/shared/layout';
import { OP } from '../../assembly/shared/opcode';
import { THREAD_FLAG } from '../../assembly/shared/types';
import { MachineError, VerifierError } from './errors';
import { currentGuest } from './guest';
import type { Machine } from './machine';
import type { KEvent, KThread } from './views';

/**
 * Locks whose state is the host's: who owns one, and who waits for it, each at an event of its own.
 *
 * AutoBoost: while threads wait for a lock, its owners have at least the priority of the highest of
 * them, at most 14; an owner that waits for another lock passes that on. A release takes it back.
 */

/** The highest priority that waiting gives to an owner. */
const MAXIMUM_FLOOR = 14;

/** A thread that waits for a lock. */
export interface LockWaiter {
  readonly lock: Lock;
  readonly thread: KThread;
  readonly exclusive: boolean;
  /** Signaled when it need not wait any more. */
  readonly event: KEvent;
  /** What it counts for: its thread's, at most MAXIMUM_FLOOR. */
  priority: number;
  next: LockWaiter | undefined;
}

/** Waiters, first come first served. */
export class LockQueue {
  private first: LockWaiter | undefined;
  private last: LockWaiter | undefined;
  private size = 0;

  get count(): number {
    return this.size;
  }

  get head(): LockWaiter | undefined {
    return this.first;
  }

  /** Their threads, in order. */
  get threads(): KThread[] {
    const threads: KThread[] = [];
    for (let waiter = this.first; waiter !== undefined; waiter = waiter.next) {
      threads.push(waiter.thread);
    }
    return threads;
  }

  push(waiter: LockWaiter): void {
    if (this.last === undefined) this.first = waiter;
    else this.last.next = waiter;
    this.last = waiter;
    this.size++;
  }

  shift(): LockWaiter | undefined {
    const waiter = this.first;
    if (waiter === undefined) return undefined;
    this.first = waiter.next;
    if (this.first === undefined) this.last = undefined;
    this.size--;
    return waiter;
  }
}

/** What a thread has to do with locks. */
export class ThreadLocks {
  readonly held = new Set<Lock>();
  /** More than one if an APC interrupts a wait. */
  readonly waits: LockWaiter[] = [];
  /** What those who wait for what it holds lift it to; 0: nobody does. */
  floor = 0;
}

/** Something that threads own, or use, and wait for. */
export abstract class Lock {
  protected machine: Machine | undefined;
  private number = 0;
  /** How many wait, by their priority. */
  private waiting: Uint32Array | undefined;
  /** @internal What waiting for it gives to its owners. */
  floor = 0;

  constructor(
    private readonly kind: string,
    private readonly givenName: string | undefined,
  ) {}

  /** For reports. */
  get name(): string {
    if (this.givenName !== undefined) return this.givenName;
    return this.number === 0 ? this.kind : `${this.kind} ${this.number}`;
  }

  /** Its number in the machine, which the parameters of bugchecks have; 0 before its first use. */
  get index(): number {
    return this.number;
  }

  /** @internal Who has to let go of it before others can go on. */
  abstract get owners(): readonly KThread[];

  /** Those of them that waiting lifts. */
  protected get boosted(): readonly KThread[] {
    return this.owners;
  }

  /** @internal The guest that calls. From its first use on the lock belongs to one machine. */
  guest(routine: string): ReturnType<typeof currentGuest> {
    const guest = currentGuest(routine);
    if (guest.machine !== this.machine) this.adopt(guest.machine, routine);
    return guest;
  }

  protected adopt(machine: Machine, routine: string): void {
    if (this.machine !== undefined) {
      throw new MachineError(
        `${routine}: ${this.name} is in use on another machine; make one for each machine`,
      );
    }
    this.machine = machine;
    this.number = machine.locks.nextNumber();
  }

  /** Notes that a thread owns it. */
  protected hold(thread: KThread): void {
    thread.locks ??= new ThreadLocks();
    thread.locks.held.add(this);
    this.machine?.watcher?.lockTaken(thread, this, false);
    if (this.floor > thread.locks.floor) liftFromThread(thread);
  }

  /** Notes that a thread owns it no more. */
  protected letGo(thread: KThread): void {
    const { locks } = thread;
    if (locks === undefined) return;
    locks.held.delete(this);
    if (locks.floor !== 0) liftFromThread(thread);
  }

  /** Puts a thread at the end of those that wait, and lifts the owners. */
  protected enqueue(queue: LockQueue, thread: KThread, exclusive: boolean): LockWaiter {
    const machine = this.machine as Machine;
    const priority = Math.min(thread.priority, MAXIMUM_FLOOR);
    const event = machine.locks.takeEvent();
    const waiter = { lock: this, thread, exclusive, event, priority, next: undefined };
    queue.push(waiter);
    machine.watcher?.lockAwaited(thread, this);
    machine.waits.set(event.address, this);
    thread.locks ??= new ThreadLocks();
    thread.locks.waits.push(waiter);
    this.waiting ??= new Uint32Array(MAXIMUM_FLOOR + 1);
    this.waiting[priority] = (this.waiting[priority] as number) + 1;
    if (priority > this.floor) liftOwners([this]);
    return waiter;
  }

  /** Lets a waiter that has left its queue go on. After the last `settle` is called. */
  protected wake(waiter: LockWaiter): void {
    const machine = this.machine as Machine;
    const { waits } = waiter.thread.locks as ThreadLocks;
    waits.splice(waits.indexOf(waiter), 1);
    machine.waits.delete(waiter.event.address);
    const waiting = this.waiting as Uint32Array;
    waiting[waiter.priority] = (waiting[waiter.priority] as number) - 1;
    this.floor = this.highestWaiter();
    waiter.event.set(EVENT_INCREMENT);
  }

  /** Lifts the owners to those who wait now. */
  protected settle(): void {
    liftOwners([this]);
  }

  /** @internal The priority of the highest waiter, at most MAXIMUM_FLOOR; 0 if nobody waits. */
  highestWaiter(): number {
    const { waiting } = this;
    if (waiting === undefined || this.machine?.profile.boosts !== true) return 0;
    for (let priority = MAXIMUM_FLOOR; priority > 0; priority--) {
      if (waiting[priority] !== 0) return priority;
    }
    return 0;
  }

  /** @internal A waiter's thread has another priority. Returns whether that counts. */
  reweigh(waiter: LockWaiter): boolean {
    const priority = Math.min(waiter.thread.priority, MAXIMUM_FLOOR);
    if (priority === waiter.priority) return false;
    const waiting = this.waiting as Uint32Array;
    waiting[waiter.priority] = (waiting[waiter.priority] as number) - 1;
    waiting[priority] = (waiting[priority] as number) + 1;
    waiter.priority = priority;
    return true;
  }

  /** @internal Lifts the owners to the highest waiter; adds the locks for which that changes the waiters. */
  lift(affected: Lock[]): void {
    this.floor = this.highestWaiter();
    for (const owner of this.boosted) liftThread(owner, affected);
  }

  /** @internal A thread ends that owns it: a bugcheck. */
  leakedBy(thread: KThread): never {
    thread.machine.bugCheck(
      BUGCHECK.KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION,
      thread.address,
      this.number,
      LOCK_POINTER_SET,
    );
    throw new VerifierError(
      `thread '${thread.name}' ended while it owned ${this.name}; release it first`,
    );
  }
}

/** The boost of who gets a lock. */
const EVENT_INCREMENT = 1;

/** Parameter 3 of KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION. */
const LOCK_POINTER_SET = 1;

/** Lifts a thread to what waits for what it holds; adds the locks for which it now counts otherwise. */
function liftThread(thread: KThread, affected: Lock[]): void {
  const { locks } = thread;
  if (locks === undefined || !thread.exists) return;
  let floor = 0;
  for (const lock of locks.held) floor = Math.max(floor, lock.floor);
  if (floor === locks.floor) return;
  locks.floor = floor;
  thread.machine.core.hostSetPriorityFloor(thread.address, floor);
  reweighWaits(locks, affected);
}

/** Adds the locks for which a thread that waits counts otherwise than before. */
function reweighWaits(locks: ThreadLocks, affected: Lock[]): void {
  for (const waiter of locks.waits) {
    if (waiter.lock.reweigh(waiter)) affected.push(waiter.lock);
  }
}

function liftFromThread(thread: KThread): void {
  const affected: Lock[] = [];
  liftThread(thread, affected);
  liftOwners(affected);
}

/** Lifts the owners of locks, and who they wait for in turn. Ends: a circle settles at its highest. */
function liftOwners(affected: Lock[]): void {
  for (let lock = affected.pop(); lock !== undefined; lock = affected.pop()) lock.lift(affected);
}

/** What the locks of one machine share. */
export class LockTable {
  private readonly events: KEvent[] = [];
  private lastNumber = 0;
  /** Those that are in a list of the system: ERESOURCEs from their initialization to their end. */
  readonly resources = new Set<Lock>();

  constructor(private readonly machine: Machine) {}

  nextNumber(): number {
    return ++this.lastNumber;
  }

  /** An event that nobody waits for. */
  takeEvent(): KEvent {
    return this.events.pop() ?? this.machine.createEvent('synchronization');
  }

  /** The wait at it is over. */
  returnEvent(event: KEvent): void {
    this.events.push(event);
  }

  /** A thread's priority has been set: the owners of what it waits for follow. */
  prioritySet(thread: KThread): void {
    if (thread.locks === undefined) return;
    const affected: Lock[] = [];
    reweighWaits(thread.locks, affected);
    liftOwners(affected);
  }

  /** Stops the machine if an instruction ends a thread, not a routine in front of it, that owns a lock. */
  beforeInstruction(thread: KThread, opcode: number): void {
    if (opcode !== OP.Exit && opcode !== OP.ExitThread) return;
    if (thread.locks === undefined) return;
    const [lock] = thread.locks.held;
    if (lock === undefined) return;
    const flags = this.machine.memory.u32(thread.address + KTHREAD.Flags);
    if (opcode === OP.ExitThread || (flags & THREAD_FLAG.TrapFrame) === 0) lock.leakedBy(thread);
  }
}

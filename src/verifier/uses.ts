import { KTHREAD_STATE } from '../../assembly/shared/types';
import type { DriverObject } from '../machine/driver';
import type { Machine } from '../machine/machine';
import { KProcess, KThread } from '../machine/views';
import { calledFromOutside } from './location';

/**
 * Uses of processes and threads that have ended, by drivers that have nothing that keeps them there.
 * Once an object has gone a use of it stops the machine; before that it is seen only here: an object
 * that drivers know gets an accessor of its own.
 */

export interface UseWatch {
  /** Whether a driver has a reference or handle that keeps an object. */
  holds(driver: DriverObject, object: object): boolean;
  /** Whether a callback that runs in the current thread was given an object. */
  given(object: object): boolean;
  found(driver: DriverObject, what: string): void;
}

/** What is given a process or thread by pointer. Others come to one by themselves, by an id or handle. */
const BY_POINTER =
  /^(.*\bget \w+.*|PsGet(Process|Thread)\w+|PsIs\w+|PsReference\w+Token|PsImpersonateClient|ObReferenceObject(ByPointer)?|ObOpenObjectByPointer|Ke(Stack)?AttachProcess|KeWaitFor\w+|IoThreadToProcess|Ke(Set|Query)\w*(Thread|Process)\w*)$/;

export class Uses {
  private readonly watched = new WeakSet<object>();
  private looking = false;

  constructor(
    private readonly machine: Machine,
    private readonly watch: UseWatch,
  ) {}

  /** A driver knows something, and has no reference to it. */
  knows(thing: unknown): void {
    if (!(thing instanceof KProcess || thing instanceof KThread)) return;
    if (this.watched.has(thing) || !thing.exists) return;
    this.watched.add(thing);
    const { address } = thing;
    const uses = this;
    Object.defineProperty(thing, 'address', {
      // Whoever looks on next has one of his own.
      configurable: true,
      get() {
        if (!thing.exists) thing.failAsGone();
        uses.used(thing);
        return address;
      },
    });
  }

  /** A driver is about to have something that keeps a thing there. */
  takes(thing: unknown): void {
    if (thing instanceof KProcess || thing instanceof KThread) this.used(thing);
  }

  private used(object: KProcess | KThread): void {
    const driver = this.machine.guests.currentDriver;
    if (driver === undefined || this.looking) return;
    this.looking = true;
    try {
      if (hasEnded(object) && !this.isHeld(driver, object) && this.isByPointer())
        this.watch.found(driver, `uses ${nameOf(object)}, which has ended, without a reference`);
    } finally {
      this.looking = false;
    }
  }

  private isHeld(driver: DriverObject, object: KProcess | KThread): boolean {
    const current = this.machine.guests.currentThread;
    if (object === current || object === current?.process) return true;
    return this.watch.given(object) || this.watch.holds(driver, object);
  }

  /** Whether the driver gave the object to the routine that looks at it. */
  private isByPointer(): boolean {
    const { currentThread } = this.machine.guests;
    const [last] = this.machine.guests.chainOf(currentThread?.index ?? 0);
    const routine = last?.routine.includes('!') === false ? last.routine : calledFromOutside();
    return routine !== undefined && BY_POINTER.test(routine);
  }
}

function hasEnded(object: KProcess | KThread): boolean {
  return object instanceof KProcess ? object.exited : object.state === KTHREAD_STATE.Terminated;
}

function nameOf(object: KProcess | KThread): string {
  return `${object instanceof KProcess ? 'process' : 'thread'} '${object.name}'`;
}

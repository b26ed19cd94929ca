import { STATUS } from '../../assembly/shared/status';
import type { Deadline, Deadlines, Due } from './deadlines';

/**
 * A plain model of dispatcher objects and the waits for them: who waits for what in which order, what a
 * signal does, and when timers and timeouts expire.
 */

export type Kind =
  | 'notification'
  | 'synchronization'
  | 'semaphore'
  | 'mutant'
  | 'notificationTimer'
  | 'synchronizationTimer';

interface Waiter {
  readonly thread: number;
  readonly objects: readonly ModelObject[];
  readonly all: boolean;
  readonly alertable: boolean;
  /** What it returns when its time is over. */
  readonly timeoutStatus: number;
  deadline: Deadline | undefined;
}

export interface ModelObject {
  readonly kind: Kind;
  readonly limit: number;
  signal: number;
  owner: number | undefined;
  abandoned: boolean;
  waiters: Waiter[];
  /** Of a timer that is set. */
  deadline: Deadline | undefined;
}

export function newObject(kind: Kind, signal = 0, limit = 1): ModelObject {
  const unowned = { owner: undefined, abandoned: false, waiters: [], deadline: undefined };
  return { kind, signal, limit, ...unowned };
}

export class WaitModel {
  /** What the last call of each thread came to; undefined while it waits. */
  readonly results: unknown[] = [];
  private readonly waits = new Map<number, Waiter>();
  private readonly alerted = new Set<number>();
  /** Mutants of each thread, the oldest first. */
  private readonly owned = new Map<number, ModelObject[]>();
  constructor(private readonly deadlines: Deadlines) {}

  busy(thread: number): boolean {
    return this.waits.has(thread);
  }

  private isSignaled(object: ModelObject, thread: number): boolean {
    return object.signal > 0 || object.owner === thread;
  }

  /** What a satisfied wait does; whether the object was abandoned. */
  private take(object: ModelObject, thread: number): boolean {
    if (object.kind === 'synchronization' || object.kind === 'synchronizationTimer')
      object.signal = 0;
    if (object.kind === 'semaphore') object.signal--;
    if (object.kind !== 'mutant') return false;
    object.signal--;
    if (object.signal !== 0) return false;
    object.owner = thread;
    this.owned.set(thread, [...(this.owned.get(thread) ?? []), object]);
    const { abandoned } = object;
    object.abandoned = false;
    return abandoned;
  }

  /** Satisfies a wait if that can be; its status then. */
  private satisfy({ thread, objects, all }: Waiter): number | undefined {
    if (all) {
      if (!objects.every((object) => this.isSignaled(object, thread))) return undefined;
      const abandoned = objects.map((object) => this.take(object, thread)).includes(true);
      return abandoned ? STATUS.ABANDONED : STATUS.SUCCESS;
    }
    const index = objects.findIndex((object) => this.isSignaled(object, thread));
    const object = objects[index];
    if (object === undefined) return undefined;
    return index + (this.take(object, thread) ? STATUS.ABANDONED : STATUS.SUCCESS);
  }

  private end(waiter: Waiter, status: number): void {
    for (const object of waiter.objects)
      object.waiters = object.waiters.filter((other) => other !== waiter);
    this.deadlines.cancel(waiter.deadline);
    this.waits.delete(waiter.thread);
    this.results[waiter.thread] = status;
  }

  /** An object may satisfy those who wait for it, first come first served. */
  private test(object: ModelObject): void {
    for (const waiter of object.waiters) {
      if (object.signal <= 0) return;
      const status = this.satisfy(waiter);
      if (status !== undefined) this.end(waiter, status);
    }
  }

  wait(
    now: number,
    thread: number,
    objects: readonly ModelObject[],
    all: boolean,
    alertable: boolean,
    due: Due | undefined,
  ): number | undefined {
    const timeoutStatus = objects.length === 0 ? STATUS.SUCCESS : STATUS.TIMEOUT;
    const waiter: Waiter = { thread, objects, all, alertable, timeoutStatus, deadline: undefined };
    const status = objects.length === 0 ? undefined : this.satisfy(waiter);
    if (status !== undefined) return status;
    if (alertable && this.alerted.delete(thread)) return STATUS.ALERTED;
    if (due !== undefined && due.at <= now) return timeoutStatus;
    for (const object of objects) object.waiters.push(waiter);
    if (due !== undefined)
      waiter.deadline = this.deadlines.schedule(due, () => this.end(waiter, timeoutStatus));
    this.waits.set(thread, waiter);
    return undefined;
  }

  set(event: ModelObject): number {
    const previous = event.signal;
    event.signal = 1;
    this.test(event);
    return previous;
  }

  reset(event: ModelObject): number {
    const previous = event.signal;
    event.signal = 0;
    return previous;
  }

  pulse(event: ModelObject): number {
    const previous = this.set(event);
    event.signal = 0;
    return previous;
  }

  release(semaphore: ModelObject, adjustment: number): number {
    const previous = semaphore.signal;
    if (previous + adjustment > semaphore.limit) return STATUS.SEMAPHORE_LIMIT_EXCEEDED;
    semaphore.signal += adjustment;
    this.test(semaphore);
    return previous;
  }

  private free(mutant: ModelObject, thread: number): void {
    mutant.signal = 1;
    mutant.owner = undefined;
    this.owned.set(
      thread,
      (this.owned.get(thread) ?? []).filter((other) => other !== mutant),
    );
    this.test(mutant);
  }

  releaseMutant(mutant: ModelObject, thread: number): number {
    if (mutant.owner !== thread)
      return mutant.abandoned ? STATUS.ABANDONED : STATUS.MUTANT_NOT_OWNED;
    const previous = mutant.signal;
    if (previous === 0) this.free(mutant, thread);
    else mutant.signal++;
    return previous;
  }

  exit(thread: number): void {
    for (const mutant of this.owned.get(thread) ?? []) {
      mutant.abandoned = true;
      this.free(mutant, thread);
    }
    this.alerted.delete(thread);
    this.results[thread] = 'done';
  }

  setTimer(now: number, timer: ModelObject, due: Due, periodNs: number): boolean {
    const was = this.cancelTimer(timer);
    timer.signal = 0;
    const begin = (next: Due) => {
      timer.deadline = this.deadlines.schedule(next, expire);
    };
    const expire = (at: number) => {
      const last = timer.deadline?.due ?? at;
      timer.deadline = undefined;
      if (periodNs !== 0) {
        const periods = Math.floor((at - last) / periodNs) + 1;
        begin({ at: last + periods * periodNs, absolute: false });
      }
      timer.signal = 1;
      this.test(timer);
    };
    if (due.at <= now) expire(now);
    else begin(due);
    return was;
  }

  cancelTimer(timer: ModelObject): boolean {
    const was = this.deadlines.cancel(timer.deadline);
    timer.deadline = undefined;
    return was;
  }

  /** Whether it was alerted already. */
  alert(thread: number): boolean {
    if (this.alerted.has(thread)) return true;
    const waiter = this.waits.get(thread);
    if (waiter?.alertable === true) this.end(waiter, STATUS.ALERTED);
    else this.alerted.add(thread);
    return false;
  }

  testAlert(thread: number): boolean {
    return this.alerted.delete(thread);
  }

  /** A kernel-mode APC: the thread's wait begins again, behind the others, or its time has passed. */
  interrupt(now: number, thread: number): void {
    const waiter = this.waits.get(thread);
    if (waiter === undefined) return;
    if ((waiter.deadline?.due ?? Number.POSITIVE_INFINITY) <= now) {
      this.end(waiter, waiter.timeoutStatus);
      return;
    }
    for (const object of waiter.objects)
      object.waiters = [...object.waiters.filter((other) => other !== waiter), waiter];
    this.deadlines.setAgain(waiter.deadline);
  }
}

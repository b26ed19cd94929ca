import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { VerifierError } from '../ke/call';
import {
  type Callout,
  CallsUnderWay,
  callDriverRoutine,
  changeCriticalRegion,
  describeCallout,
  leftCallouts,
  newCallout,
} from '../ke/callout';
import type { GuestResult } from '../machine/dpc';
import type { DriverLeftover, DriverObject } from '../machine/driver';
import { isGenerator, type Request } from '../machine/generator';
import { encode } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import type { KThread } from '../machine/views';

/**
 * Notify routines of one sort in 64 slots, called in the order of the slots. A free slot is taken by
 * the next to come, so the order is not that of registration.
 *
 * Each entry is run down on its own: it leaves its slot at once, and who removes it waits until no
 * call of it is under way.
 */

export const PSP_MAX_NOTIFY = 64;

type Steps<T = void> = Generator<Request, T, number>;

/** NULL can be registered, and is as good as any routine until it is called. */
export type NotifyRoutine = Callout['routine'] | null;

export interface NotifyEntry extends Callout {
  /** Which of the routines of its sort registered it: a bit of the sort's own. */
  readonly kind: number;
  readonly registered: NotifyRoutine;
  readonly calls: CallsUnderWay;
}

export class NotifyTable {
  readonly slots: (NotifyEntry | undefined)[] = new Array<undefined>(PSP_MAX_NOTIFY).fill(
    undefined,
  );
  /** Calls since boot. */
  private calls = 0;
  /** Entries, and one above the last slot that has one. */
  count = 0;
  highest = 0;

  constructor(
    private readonly machine: Machine,
    /** Of what, in messages. */
    private readonly sort: string,
  ) {}

  find(routine: NotifyRoutine, kinds: number): NotifyEntry | undefined {
    return this.slots.find(
      (entry) => entry?.registered === routine && ((entry as NotifyEntry).kind & kinds) !== 0,
    );
  }

  /** Adds a routine, as the code of whoever is running; false if every slot is taken. */
  add(registered: NotifyRoutine, kind: number): boolean {
    const slot = this.slots.indexOf(undefined);
    if (slot === -1) return false;
    const { machine, sort } = this;
    const callout = newCallout(machine, sort, registered ?? (() => this.callNothing()));
    this.slots[slot] = { ...callout, registered, kind, calls: new CallsUnderWay() };
    this.count++;
    this.highest = Math.max(this.highest, slot + 1);
    return true;
  }

  /** Takes an entry out of its slot, then waits for the calls of it that are under way. */
  *remove(entry: NotifyEntry): Steps {
    this.slots[this.slots.indexOf(entry)] = undefined;
    this.count--;
    while (this.highest > 0 && this.slots[this.highest - 1] === undefined) this.highest--;
    yield* entry.calls.drain(this.machine, describeCallout(entry));
  }

  /** Those of a driver. */
  leftBy(driver: DriverObject): DriverLeftover[] {
    return leftCallouts(
      driver,
      this.slots.filter((entry) => entry !== undefined),
    );
  }

  /**
   * Has `call` called for each entry, in the context of a thread: inside a critical region. What it
   * gives is the rest of the call of an entry.
   *
   * @returns how many routines were called; a generator if one of them was.
   */
  each(thread: KThread, call: (entry: NotifyEntry) => Steps | undefined): GuestResult<number> {
    const before = this.calls;
    changeCriticalRegion(thread, -1);
    for (let slot = 0; slot < this.highest; slot++) {
      const entry = this.slots[slot];
      const rest = entry === undefined ? undefined : call(entry);
      if (rest !== undefined) return this.rest(thread, call, slot, rest, this.calls - before);
    }
    changeCriticalRegion(thread, 1);
    return this.calls - before;
  }

  /** The same from where an entry's routine is a generator. */
  private *rest(
    thread: KThread,
    call: (entry: NotifyEntry) => Steps | undefined,
    from: number,
    first: Steps,
    made: number,
  ): Steps<number> {
    let count = made;
    yield* first;
    for (let slot = from + 1; slot < this.highest; slot++) {
      const entry = this.slots[slot];
      const before = this.calls;
      const rest = entry === undefined ? undefined : call(entry);
      count += this.calls - before;
      if (rest !== undefined) yield* rest;
    }
    changeCriticalRegion(thread, 1);
    return count;
  }

  /**
   * Calls an entry's routine in the context of a thread. What comes back is the rest of the call: a
   * routine that is no generator leaves none.
   */
  call(entry: NotifyEntry, thread: KThread, a: unknown, b: unknown, c: unknown): Steps | undefined {
    this.calls++;
    const rest = callDriverRoutine(thread, entry, a, b, c);
    return isGenerator(rest) ? this.finish(entry, thread, rest) : undefined;
  }

  private *finish(entry: NotifyEntry, thread: KThread, running: Steps<unknown>): Steps {
    entry.calls.begin(thread);
    yield* running;
    if (entry.calls.end(thread)) yield* entry.calls.signalDrained();
  }

  /** What there is to call is no code. */
  private callNothing(): never {
    this.machine.bugCheck(BUGCHECK.KMODE_EXCEPTION_NOT_HANDLED, STATUS.ACCESS_VIOLATION);
    throw new VerifierError(`${this.sort} NULL was called: NULL is registered`);
  }
}

/** What calls of `count` routines take, ns. */
export function costOfCalls(machine: Machine, count: number): number {
  return count * machine.profile.costs.ddi;
}

/** The instruction that takes as long. */
export function timeOfCalls(machine: Machine, count: number): Request {
  return [encode(OP.Compute, MODE.KernelMode), costOfCalls(machine, count), 0];
}

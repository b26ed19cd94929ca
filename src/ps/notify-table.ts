import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { KTHREAD } from '../../assembly/shared/layout';
import { APC_REGION, OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeSetEvent, KeWaitForSingleObject } from '../ke/ddi';
import type { GuestResult } from '../machine/dpc';
import { isGenerator, type Request } from '../machine/generator';
import { encode } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import type { KEvent, KThread } from '../machine/views';

/**
 * Notify routines of one sort in 64 slots, called in the order of the slots. A free slot is taken by
 * the next to come, so the order is not that of registration.
 *
 * Each entry is run down on its own: it leaves its slot at once, and who removes it waits until no
 * call of it is under way.
 */

export const PSP_MAX_NOTIFY = 64;

/** The driver image that holds a routine, as far as registering it matters. */
export interface NotifyOwner {
  readonly name: string;
  /** IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY. */
  readonly forceIntegrity: boolean;
  readonly unloaded: boolean;
}

type Callback = (a: unknown, b: unknown, c: unknown) => unknown;
type Steps<T = void> = Generator<Request, T, number>;

export interface NotifyEntry {
  readonly routine: ((...parameters: never[]) => unknown) | null;
  /** Which of the routines of its sort registered it: a bit of the sort's own. */
  readonly kind: number;
  readonly owner: NotifyOwner | undefined;
  /** Calls under way. */
  calls: number;
  /** The threads that are in one, if the routine is a generator. */
  readonly threads: KThread[];
  /** Signaled when the last call has returned, for who removes it. */
  drained: KEvent | undefined;
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

  find(routine: NotifyEntry['routine'], kinds: number): NotifyEntry | undefined {
    return this.slots.find(
      (entry) => entry?.routine === routine && ((entry as NotifyEntry).kind & kinds) !== 0,
    );
  }

  /** False if every slot is taken. */
  add(routine: NotifyEntry['routine'], kind: number, owner: NotifyOwner | undefined): boolean {
    const slot = this.slots.indexOf(undefined);
    if (slot === -1) return false;
    this.slots[slot] = { routine, kind, owner, calls: 0, threads: [], drained: undefined };
    this.count++;
    this.highest = Math.max(this.highest, slot + 1);
    return true;
  }

  /** Takes an entry out of its slot, then waits for the calls of it that are under way. */
  *remove(entry: NotifyEntry): Steps {
    this.slots[this.slots.indexOf(entry)] = undefined;
    this.count--;
    while (this.highest > 0 && this.slots[this.highest - 1] === undefined) this.highest--;
    if (entry.calls === 0) return;
    const drained = this.machine.createEvent('notification');
    entry.drained = drained;
    const { address } = drained;
    const name = `the calls of ${this.sort} ${nameOf(entry)} under way to return`;
    this.machine.waits.set(address, { name, owners: entry.threads });
    yield* KeWaitForSingleObject(drained, KWAIT_REASON.WrRundown, MODE.KernelMode, false, null);
    this.machine.waits.delete(address);
    drained.delete();
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
    const { machine } = this;
    this.calls++;
    if (entry.routine === null || entry.owner?.unloaded === true) this.callNothing(entry);
    const irql = machine.irql();
    const apcs = machine.memory.u32(thread.address + KTHREAD.CombinedApcDisable);
    const running = (entry.routine as Callback)(a, b, c);
    if (isGenerator(running)) return this.finish(entry, thread, running, irql, apcs);
    this.verify(entry, thread, irql, apcs);
    return undefined;
  }

  private *finish(
    entry: NotifyEntry,
    thread: KThread,
    running: Steps<unknown>,
    irql: number,
    apcs: number,
  ): Steps {
    entry.calls++;
    entry.threads.push(thread);
    yield* running;
    this.verify(entry, thread, irql, apcs);
    entry.threads.splice(entry.threads.indexOf(thread), 1);
    entry.calls--;
    if (entry.calls === 0 && entry.drained !== undefined) {
      yield* KeSetEvent(entry.drained, 0, false);
    }
  }

  /** Stops the machine if a routine has not left level and APC state as it found them. */
  private verify(entry: NotifyEntry, thread: KThread, irql: number, apcs: number): void {
    const { machine } = this;
    const level = machine.irql();
    const left = machine.memory.u32(thread.address + KTHREAD.CombinedApcDisable);
    if (level === irql && left === apcs) return;
    const which = `${this.sort} ${nameOf(entry)} returned`;
    if (level !== irql) {
      machine.bugCheck(BUGCHECK.IRQL_UNEXPECTED_VALUE, (level << 16) | (irql << 8));
      throw new NotifyError(`${which} at IRQL ${level}; it was called at ${irql}`);
    }
    machine.bugCheck(BUGCHECK.APC_INDEX_MISMATCH, 0, 0, left);
    throw new NotifyError(
      `${which} with APC disable counts 0x${left.toString(16)}; it was called with 0x${apcs.toString(16)}. Leave every region that it enters, release every mutex`,
    );
  }

  /** What there is to call is no code: NULL was registered, or the driver is gone. */
  private callNothing(entry: NotifyEntry): never {
    const { machine } = this;
    if (entry.owner?.unloaded === true) {
      machine.bugCheck(BUGCHECK.DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS);
      throw new NotifyError(
        `${this.sort} ${nameOf(entry)} is called, but its driver ${entry.owner.name} is unloaded; remove it in DriverUnload`,
      );
    }
    machine.bugCheck(BUGCHECK.KMODE_EXCEPTION_NOT_HANDLED, STATUS.ACCESS_VIOLATION);
    throw new NotifyError(`${this.sort} NULL was called: NULL is registered`);
  }
}

/** What a notify routine did that stops the machine: the cause of the bugcheck. */
export class NotifyError extends Error {
  override readonly name = 'NotifyError';
}

function nameOf({ routine, owner }: NotifyEntry): string {
  const name = routine === null ? 'NULL' : routine.name === '' ? '(anonymous)' : routine.name;
  return owner === undefined ? name : `${owner.name}!${name}`;
}

/** Enters (-1) or leaves (1) a critical region on behalf of the kernel, around the routines it calls. */
export function changeCriticalRegion(thread: KThread, change: -1 | 1): void {
  thread.machine.core.hostApcRegion(thread.address, APC_REGION.Critical, change);
}

/** What calls of `count` routines take, ns. */
export function costOfCalls(machine: Machine, count: number): number {
  return count * machine.profile.costs.ddi;
}

/** The instruction that takes as long. */
export function timeOfCalls(machine: Machine, count: number): Request {
  return [encode(OP.Compute, MODE.KernelMode), costOfCalls(machine, count), 0];
}

import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { APC_REGION, OP } from '../../assembly/shared/opcode';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import type { GuestResult } from '../machine/dpc';
import type { DriverLeftover, DriverObject } from '../machine/driver';
import { isGenerator, type Request } from '../machine/generator';
import { callNow, nameOfRoutine } from '../machine/guest';
import { encode } from '../machine/instruction';
import { qualifiedName, type StackEntry } from '../machine/kernel-stack';
import type { Machine } from '../machine/machine';
import type { KEvent, KThread } from '../machine/views';
import type { Watcher } from '../machine/watch';
import { VerifierError } from './call';
import { KeSetEvent, KeWaitForSingleObject } from './ddi';
import type { KernelCode } from './mode';

/** Calls of drivers' routines by the kernel, which holds them to what they must leave as they found it. */

/** A routine that a driver has registered. */
export interface Callout {
  /** What it is, in messages: `thread-notify routine`. */
  readonly sort: string;
  readonly routine: (...parameters: never[]) => unknown;
  /** Whose code it is; undefined: the kernel's, or code that no driver was loaded with. */
  readonly driver: DriverObject | undefined;
  /** A number that stands for its address. */
  readonly address: number;
  /** Its call, on the kernel stack. */
  readonly entry: StackEntry;
}

/** A routine that whoever is running registers. */
export function newCallout(machine: Machine, sort: string, routine: Callout['routine']): Callout {
  machine.watcher?.registers(routine);
  const driver = machine.guests.currentDriver;
  const address = machine.drivers.addressOf(routine, driver);
  const bytes = machine.profile.routineStackBytes;
  const entry = { routine: nameOfRoutine(routine), owner: driver, bytes };
  return { sort, routine, driver, address, entry };
}

/** Such as `protect!onThread`. */
export function calloutName({ routine, driver }: Callout): string {
  return qualifiedName(driver, nameOfRoutine(routine));
}

/** Such as `thread-notify routine protect!onThread`. */
export function describeCallout(callout: Callout): string {
  return `${callout.sort} ${calloutName(callout)}`;
}

/** What is left of a driver that has gone, if it is one of these. */
export function leftCallouts(driver: DriverObject, callouts: Iterable<Callout>): DriverLeftover[] {
  return [...callouts]
    .filter((callout) => callout.driver === driver)
    .map((callout) => ({ what: describeCallout(callout), routine: callout.routine }));
}

/** Stops the machine if a routine has not left level and APC state as it found them. */
function verify(machine: Machine, thread: KThread, callout: Callout, before: number): void {
  const after = machine.levelAndRegions(thread);
  if (after === before) return;
  const [level, left] = [Math.floor(after / 2 ** 32), after % 2 ** 32];
  const [irql, apcs] = [Math.floor(before / 2 ** 32), before % 2 ** 32];
  const which = `${describeCallout(callout)} returned`;
  if (level !== irql) {
    machine.bugCheck(BUGCHECK.IRQL_UNEXPECTED_VALUE, (level << 16) | (irql << 8));
    throw new VerifierError(`${which} at IRQL ${level}; it was called at ${irql}`);
  }
  machine.bugCheck(BUGCHECK.APC_INDEX_MISMATCH, 0, 0, left);
  throw new VerifierError(
    `${which} with APC disable counts 0x${left.toString(16)}; it was called with 0x${apcs.toString(16)}. Leave every region that it enters, release every mutex`,
  );
}

type Called = (a?: unknown, b?: unknown, c?: unknown) => GuestResult<unknown>;

/**
 * Calls a routine of up to three parameters in the context of a thread. What comes back is its result,
 * or the rest of the call if it is a generator function.
 */
export function callDriverRoutine(
  thread: KThread,
  callout: Callout,
  a?: unknown,
  b?: unknown,
  c?: unknown,
): GuestResult<unknown> {
  const { machine } = thread;
  if (machine.watcher !== undefined)
    return callWatched(machine.watcher, thread, callout, [a, b, c]);
  const before = machine.levelAndRegions(thread);
  const result = callNow(callout.entry, callout.routine as Called, a, b, c);
  if (isGenerator(result)) return finish(thread, callout, result, before);
  verify(machine, thread, callout, before);
  return result;
}

function* finish(
  thread: KThread,
  callout: Callout,
  running: KernelCode<unknown>,
  before: number,
): KernelCode<unknown> {
  const result = yield* running;
  verify(thread.machine, thread, callout, before);
  return result;
}

/** The same while somebody looks on. */
function callWatched(
  watcher: Watcher,
  thread: KThread,
  callout: Callout,
  parameters: readonly unknown[],
): GuestResult<unknown> {
  const before = thread.machine.levelAndRegions(thread);
  const [a, b, c] = watcher.calloutBegins(thread, callout, parameters);
  let result: GuestResult<unknown>;
  try {
    result = callNow(callout.entry, callout.routine as Called, a, b, c);
  } catch (error) {
    watcher.calloutEnds(thread, callout, undefined, error);
    throw error;
  }
  if (isGenerator(result)) return finishWatched(watcher, thread, callout, result, before);
  watcher.calloutEnds(thread, callout, result);
  verify(thread.machine, thread, callout, before);
  return result;
}

function* finishWatched(
  watcher: Watcher,
  thread: KThread,
  callout: Callout,
  running: KernelCode<unknown>,
  before: number,
): KernelCode<unknown> {
  let result: unknown;
  try {
    result = yield* running;
  } catch (error) {
    watcher.calloutEnds(thread, callout, undefined, error);
    throw error;
  }
  watcher.calloutEnds(thread, callout, result);
  verify(thread.machine, thread, callout, before);
  return result;
}

/** Enters (-1) or leaves (1) a critical region on behalf of the kernel, around the routines it calls. */
export function changeCriticalRegion(thread: KThread, change: -1 | 1): void {
  thread.machine.core.hostApcRegion(thread.address, APC_REGION.Critical, change);
}

/** Leaves a region that the kernel has entered, and takes the APCs that came meanwhile. */
export const LEAVE_CRITICAL_REGION: Request = [encode(OP.ApcRegion, 0, APC_REGION.Critical), 1];

/** The calls of a registered routine that are under way: who removes it waits for their end. */
export class CallsUnderWay {
  /** Who makes them. */
  private readonly threads: KThread[] = [];
  private drained: KEvent | undefined;

  get count(): number {
    return this.threads.length;
  }

  begin(thread: KThread): void {
    this.threads.push(thread);
  }

  /** One has returned. @returns whether it is the last that somebody waits for: see signalDrained. */
  end(thread: KThread): boolean {
    const { threads } = this;
    if (threads[threads.length - 1] === thread) threads.pop();
    else threads.splice(threads.indexOf(thread), 1);
    return threads.length === 0 && this.drained !== undefined;
  }

  /** Lets who waits for the end of the calls go on. */
  *signalDrained(): KernelCode<void> {
    yield* KeSetEvent(this.drained as KEvent, 0, false);
  }

  /** Waits until there are none; `what` is whose, for reports. */
  *drain(machine: Machine, what: string): KernelCode<void> {
    if (this.threads.length === 0) return;
    const drained = machine.createEvent('notification');
    this.drained = drained;
    const { address } = drained;
    const name = `the calls of ${what} under way to return`;
    machine.waits.set(address, { name, owners: this.threads });
    yield* KeWaitForSingleObject(drained, KWAIT_REASON.WrRundown, MODE.KernelMode, false, null);
    machine.waits.delete(address);
    drained.delete();
  }
}

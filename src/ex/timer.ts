import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { TIMER_FLAG } from '../../assembly/shared/layout';
import { OP, TIMER_TOLERANCE } from '../../assembly/shared/opcode';
import { IRQL, KOBJECTS, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  encodeTimeout,
  HOST_ROUTINE,
  requireIrql,
  stopGuest,
  type Timeout,
  VIOLATION,
} from '../ke/call';
import { KeSetEvent, KeWaitForSingleObject } from '../ke/ddi';
import type { GuestResult, KDpc } from '../machine/dpc';
import { MachineError } from '../machine/errors';
import { resultOf } from '../machine/generator';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import { requireInteger } from '../machine/profile';
import { type KEvent, KTimer } from '../machine/views';
import { Kept } from '../machine/watch';

/**
 * EX_TIMER: timers that the system allocates. What one must not be asked is bugcheck
 * TIMER_OR_DPC_INVALID with parameter 1 of 0 and a MISUSE in parameter 3: Windows stops too, and does
 * not say with which code.
 */

export const EX_TIMER_HIGH_RESOLUTION = 4;
export const EX_TIMER_NO_WAKE = 8;
export const EX_TIMER_NOTIFICATION = 0x80000000;
/** As NoWakeTolerance: the timer never wakes the machine. */
export const EX_TIMER_UNLIMITED_TOLERANCE = -1;

const ATTRIBUTES = EX_TIMER_HIGH_RESOLUTION + EX_TIMER_NO_WAKE + EX_TIMER_NOTIFICATION;
const MAXLONG = 0x7fffffff;
const NS100_A_MS = 10_000;

/** Parameter 3 of TIMER_OR_DPC_INVALID for an EX_TIMER. */
const enum MISUSE {
  Attributes = 1,
  AbsoluteDueTime = 2,
  Period = 3,
  NoWakeTolerance = 4,
  WaitWithoutCancel = 5,
}

/** EXT_CALLBACK: runs at DISPATCH_LEVEL each time the timer expires. */
export type ExTimerCallback = (timer: ExTimer, context: unknown) => GuestResult;

/** EXT_DELETE_CALLBACK: runs once the timer can expire no more, at DISPATCH_LEVEL or below. */
export type ExTimerDeleteCallback = (context: unknown) => GuestResult;

/** EXT_SET_PARAMETERS. */
export interface ExtSetParameters {
  /** Of a no-wake timer: 100 ns by which it may be late before it wakes the machine. */
  NoWakeTolerance: number;
}

/** EXT_DELETE_PARAMETERS. */
export interface ExtDeleteParameters {
  DeleteCallback: ExTimerDeleteCallback | null;
  DeleteContext: unknown;
}

/** EX_TIMER: a thread can wait for it. */
export class ExTimer extends KTimer {
  /** @internal */ dpc: KDpc | undefined;
  /** @internal Since ExDeleteTimer: nothing more is done with it, but to finish this. */
  deletion: Deletion | undefined;
  /** @internal Calls of the callback that are running. */
  calls = 0;

  constructor(
    machine: Machine,
    handle: number,
    readonly attributes: number,
  ) {
    super(machine, handle);
  }

  /** @internal Whether it can expire no more, and its callback is over. */
  get idle(): boolean {
    return !this.inserted && this.calls === 0 && this.dpc?.queuedOn === undefined;
  }
}

interface Deletion extends ExtDeleteParameters {
  state: 'pending' | 'finishing' | 'finished';
  /** Set when it has finished. */
  readonly finished: KEvent | undefined;
}

function misuse(routine: string, rule: MISUSE, message: string, timer?: ExTimer): never {
  const address = timer?.exists === true ? timer.address : 0;
  return stopGuest(routine, message, BUGCHECK.TIMER_OR_DPC_INVALID, 0, address, rule);
}

/** Frees what a timer consists of. Threads that wait for it wait for ever. */
function release(timer: ExTimer): void {
  timer.dpc?.delete();
  timer.machine.watcher?.returns(timer);
  timer.machine.core.hostDeleteObject(timer.handle);
}

function* finish(timer: ExTimer, deletion: Deletion): Generator<Request, void, number> {
  deletion.state = 'finishing';
  const { DeleteCallback, DeleteContext, finished } = deletion;
  if (DeleteCallback !== null) yield* resultOf(DeleteCallback(DeleteContext));
  release(timer);
  deletion.state = 'finished';
  if (finished !== undefined) yield* KeSetEvent(finished, 0, false);
}

/** Ends a deletion that has waited for the timer, if that is over. */
function* finishIfIdle(timer: ExTimer): Generator<Request, void, number> {
  const { deletion } = timer;
  if (deletion?.state === 'pending' && timer.idle) yield* finish(timer, deletion);
}

/** A DPC that calls back for a timer, and sees to its deletion. */
function createTimerDpc(timer: ExTimer, callback: ExTimerCallback, context: unknown): KDpc {
  return timer.machine.createDpc(function* () {
    timer.calls++;
    yield* resultOf(callback(timer, context));
    timer.calls--;
    yield* finishIfIdle(timer);
  });
}

/**
 * A timer that is not set. It is a synchronization timer, unless `attributes` has
 * EX_TIMER_NOTIFICATION. With EX_TIMER_HIGH_RESOLUTION it expires at its time, to the nanosecond of
 * the machine, and not at the tick after; its periods are at least the lowest timer resolution apart.
 * With EX_TIMER_NO_WAKE it does not wake an idle machine, but waits until something else does.
 *
 * The callback is a DPC of medium importance of the processor on which timers expire, 0; so a
 * periodic timer's does not run on two at once here, as it may on Windows.
 *
 * @returns NULL if the machine has no room for it. Both of the attributes, and others, are bugcheck
 *   TIMER_OR_DPC_INVALID.
 * @irql at most DISPATCH_LEVEL   @nt ExAllocateTimer
 */
export function ExAllocateTimer(
  callback: ExTimerCallback | null,
  callbackContext: unknown,
  attributes: number,
): ExTimer | null {
  const routine = 'ExAllocateTimer';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const both = EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE;
  if ((attributes & ~ATTRIBUTES) !== 0 || (attributes & both) === both) {
    const message = `attributes are 0x${attributes.toString(16)}; give at most EX_TIMER_NOTIFICATION and one of EX_TIMER_HIGH_RESOLUTION and EX_TIMER_NO_WAKE`;
    misuse(routine, MISUSE.Attributes, message);
  }
  const { machine } = currentGuest(routine);
  const notification = (attributes & EX_TIMER_NOTIFICATION) !== 0;
  const type = notification
    ? KOBJECTS.TimerNotificationObject
    : KOBJECTS.TimerSynchronizationObject;
  let flags: number = TIMER_FLAG.Executive;
  if ((attributes & EX_TIMER_HIGH_RESOLUTION) !== 0) flags |= TIMER_FLAG.HighResolution;
  if ((attributes & EX_TIMER_NO_WAKE) !== 0) flags |= TIMER_FLAG.NoWake;
  const handle = machine.core.hostCreateTimer(type, flags);
  if (handle === 0) return null;
  const timer = new ExTimer(machine, handle, attributes);
  try {
    if (callback !== null) timer.dpc = createTimerDpc(timer, callback, callbackContext);
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    release(timer);
    return null;
  }
  machine.watcher?.takes(Kept.Storage, timer, 'a timer of ExAllocateTimer');
  return timer;
}

/** Parameters of ExSetTimer that change nothing. @irql any @nt ExInitializeSetTimerParameters */
export function ExInitializeSetTimerParameters(): ExtSetParameters {
  return { NoWakeTolerance: 0 };
}

/** Parameters of ExDeleteTimer without a callback. @irql any @nt ExInitializeDeleteTimerParameters */
export function ExInitializeDeleteTimerParameters(): ExtDeleteParameters {
  return { DeleteCallback: null, DeleteContext: null };
}

/** The b field of OP.SetTimer. */
function toleranceField(timer: ExTimer, noWakeTolerance: number): number {
  if ((timer.attributes & EX_TIMER_NO_WAKE) === 0) return 0;
  if (noWakeTolerance === EX_TIMER_UNLIMITED_TOLERANCE) return TIMER_TOLERANCE.Unlimited;
  return Math.min(Math.floor(noWakeTolerance / NS100_A_MS), TIMER_TOLERANCE.Maximum);
}

/**
 * Sets a timer to `dueTime` (100 ns; negative from now, positive a system time), and again every
 * `period` (100 ns, 0 to 2^31 - 1) if that is not 0. It is not signaled until it expires.
 *
 * A no-wake timer that may be late by more than 65 s, but not for ever, is so by 65 s.
 *
 * @returns TRUE if it was set already: that setting is void; FALSE for one that is being deleted, and
 *   nothing done. A high-resolution timer with a system time, a period above MAXLONG and a negative
 *   tolerance are bugcheck TIMER_OR_DPC_INVALID.
 * @irql at most DISPATCH_LEVEL   @nt ExSetTimer
 */
export function ExSetTimer(
  timer: ExTimer,
  dueTime: Exclude<Timeout, null>,
  period: number,
  parameters: ExtSetParameters | null,
): NtCall<boolean> {
  const routine = 'ExSetTimer';
  const due = encodeTimeout(routine, dueTime);
  const tolerance = parameters?.NoWakeTolerance ?? 0;
  const least = Number.MIN_SAFE_INTEGER;
  requireInteger(`${routine}: period (100 ns)`, period, least, Number.MAX_SAFE_INTEGER);
  requireInteger(`${routine}: NoWakeTolerance (100 ns)`, tolerance, least, Number.MAX_SAFE_INTEGER);
  return new NtCall(routine, () => setTimer(routine, timer, dueTime, period, due, tolerance));
}

function* setTimer(
  routine: string,
  timer: ExTimer,
  dueTime: Exclude<Timeout, null>,
  period: number,
  due: number | bigint,
  tolerance: number,
): Generator<Request, boolean, number> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  if ((timer.attributes & EX_TIMER_HIGH_RESOLUTION) !== 0 && dueTime > 0) {
    const message = `a high-resolution timer was set to the system time ${dueTime}; give a time from now, below 0`;
    misuse(routine, MISUSE.AbsoluteDueTime, message, timer);
  }
  if (period < 0 || period > MAXLONG) {
    const message = `the period is ${period} (100 ns); give one from 0 to ${MAXLONG}`;
    misuse(routine, MISUSE.Period, message, timer);
  }
  if (tolerance < 0 && tolerance !== EX_TIMER_UNLIMITED_TOLERANCE) {
    const message = `NoWakeTolerance is ${tolerance}; give EX_TIMER_UNLIMITED_TOLERANCE, or a time from 0`;
    misuse(routine, MISUSE.NoWakeTolerance, message, timer);
  }
  if (timer.deletion !== undefined) {
    yield HOST_ROUTINE;
    return false;
  }
  const first = encode(OP.SetTimer, 0, toleranceField(timer, tolerance));
  const dpc = words64(timer.dpc?.handle ?? 0);
  const set = yield [first, ...words64(timer.handle), ...words64(due), period, ...dpc];
  return set === 1;
}

function cancelRequest(timer: ExTimer): Request {
  return [encode(OP.CancelTimer), ...words64(timer.handle)];
}

/**
 * Cancels a timer: it is not signaled, nor does it call back, for what it was set to.
 *
 * @returns TRUE if it was set; FALSE for one that is being deleted, and nothing done.
 * @irql at most DISPATCH_LEVEL   @nt ExCancelTimer
 */
export function ExCancelTimer(timer: ExTimer, _parameters: null): NtCall<boolean> {
  const routine = 'ExCancelTimer';
  return new NtCall(routine, () => cancelTimer(routine, timer));
}

function* cancelTimer(routine: string, timer: ExTimer): Generator<Request, boolean, number> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const deleted = timer.deletion !== undefined;
  return (yield deleted ? HOST_ROUTINE : cancelRequest(timer)) === 1 && !deleted;
}

/** Sees that a timer that is set, and is not cancelled, expires once more at most, and is deleted then. */
function expireOnce(timer: ExTimer): void {
  timer.endPeriods();
  if (!timer.inserted || timer.dpc !== undefined) return;
  timer.dpc = createTimerDpc(timer, () => undefined, null);
  timer.machine.core.hostSetTimerDpc(timer.address, timer.dpc.address);
}

/**
 * Deletes a timer. Before anything else it is disabled: what is asked of it from then on is not done.
 * With `cancel` it is cancelled if it is set; otherwise it expires, a periodic one once, before it is
 * deleted. With `wait` the call returns when a callback that runs is over and the timer is deleted.
 * The delete callback runs then: in the caller, or after the timer's last callback.
 *
 * A thread that waits for the timer when it is deleted waits for ever.
 *
 * @returns TRUE if it was cancelled. `wait` without `cancel` is bugcheck TIMER_OR_DPC_INVALID.
 * @irql at most DISPATCH_LEVEL; APC_LEVEL with Wait = TRUE   @nt ExDeleteTimer
 */
export function ExDeleteTimer(
  timer: ExTimer,
  cancel: boolean,
  wait: boolean,
  parameters: ExtDeleteParameters | null,
): NtCall<boolean> {
  const routine = 'ExDeleteTimer';
  return new NtCall(routine, () => deleteTimer(routine, timer, cancel, wait, parameters));
}

function* deleteTimer(
  routine: string,
  timer: ExTimer,
  cancel: boolean,
  wait: boolean,
  parameters: ExtDeleteParameters | null,
): Generator<Request, boolean, number> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, wait ? IRQL.APC_LEVEL : IRQL.DISPATCH_LEVEL);
  if (wait && !cancel) {
    const message = 'Wait is TRUE and Cancel is FALSE; cancel a timer to wait for its end';
    misuse(routine, MISUSE.WaitWithoutCancel, message, timer);
  }
  if (timer.deletion !== undefined) {
    yield HOST_ROUTINE;
    return false;
  }
  const finished = wait ? timer.machine.createEvent('notification') : undefined;
  const given = parameters ?? ExInitializeDeleteTimerParameters();
  const deletion: Deletion = { ...given, state: 'pending', finished };
  timer.deletion = deletion;
  if (!cancel) expireOnce(timer);
  const cancelled = (yield cancel ? cancelRequest(timer) : HOST_ROUTINE) === 1 && cancel;
  yield* finishIfIdle(timer);
  if (finished !== undefined) {
    const reason = KWAIT_REASON.Executive;
    yield* KeWaitForSingleObject(finished, reason, MODE.KernelMode, false, null);
    finished.delete();
  }
  return cancelled;
}

import { OP } from '../../assembly/shared/opcode';
import { IRQL, TIMER_TYPE } from '../../assembly/shared/types';
import type { KDpc } from '../machine/dpc';
import { NtCall, type Request } from '../machine/guest';
import { Kept } from '../machine/watch';
import { encode, words64 } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import type { KTimer } from '../machine/views';
import { encodeTimeout, requireIrql, type Timeout, VIOLATION, wordsOf } from './call';

/** Timer objects, for host threads. */

type DueTime = Exclude<Timeout, null>;

/** Ms by which a timer may be late beyond which it makes no difference. */
const MAXIMUM_TOLERANCE = 0xffff;

/** Throws if an object has gone: these routines have no status to say it with. */
function requireExisting(timer: KTimer, dpc: KDpc | null): void {
  timer.address;
  dpc?.address;
}

function setTimer(
  routine: string,
  timer: KTimer,
  dueTime100ns: DueTime,
  period: number,
  tolerance: number,
  dpc: KDpc | null,
): NtCall<boolean> {
  const due = encodeTimeout(routine, dueTime100ns);
  requireInteger(`${routine}: period (ms)`, period, 0, 0x7fffffff);
  requireInteger(`${routine}: tolerableDelay (ms)`, tolerance, 0, 0xffffffff);
  const first = encode(OP.SetTimer, 0, Math.min(tolerance, MAXIMUM_TOLERANCE));
  const object = wordsOf(routine, timer);
  const dpcWords = dpc === null ? [0, 0] : wordsOf(routine, dpc);
  const request = [first, ...object, ...words64(due), period, ...dpcWords];
  return new NtCall(routine, () => setTimerSteps(routine, timer, dpc, request));
}

function* setTimerSteps(
  routine: string,
  timer: KTimer,
  dpc: KDpc | null,
  request: number[],
): Generator<Request, boolean, number> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  requireExisting(timer, dpc);
  const { watcher } = timer.machine;
  if (dpc === null)
    watcher?.takes(Kept.Timer, timer, 'a timer that is set', () =>
      timer.exists && timer.inserted ? timer : undefined,
    );
  return (yield request) === 1;
}

/**
 * Sets a timer to `dueTime100ns`: from now (negative) or a system time (positive), then every
 * `period` ms if that is not 0. It is not signaled from then on, until it expires at the first clock
 * tick at or after its time; one whose time has come expires at once. Each time it expires `dpc` is
 * queued, with arguments that mean nothing.
 *
 * @returns TRUE if it was set already: that setting, with its period, is void.
 * @irql at most DISPATCH_LEVEL   @nt KeSetTimerEx
 */
export function KeSetTimerEx(
  timer: KTimer,
  dueTime100ns: DueTime,
  period: number,
  dpc: KDpc | null,
): NtCall<boolean> {
  return setTimer('KeSetTimerEx', timer, dueTime100ns, period, 0, dpc);
}

/** The same, once. @irql at most DISPATCH_LEVEL @nt KeSetTimer */
export function KeSetTimer(
  timer: KTimer,
  dueTime100ns: DueTime,
  dpc: KDpc | null,
): NtCall<boolean> {
  return setTimer('KeSetTimer', timer, dueTime100ns, 0, 0, dpc);
}

/**
 * The same as KeSetTimerEx, for a timer that may expire up to `tolerableDelay` ms late each time, so
 * that it meets others: at the first multiple since boot of 1 s in that span, else of 500, 250, 100
 * or 50 ms, else at its own time.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeSetCoalescableTimer
 */
export function KeSetCoalescableTimer(
  timer: KTimer,
  dueTime100ns: DueTime,
  period: number,
  tolerableDelay: number,
  dpc: KDpc | null,
): NtCall<boolean> {
  return setTimer('KeSetCoalescableTimer', timer, dueTime100ns, period, tolerableDelay, dpc);
}

/**
 * Cancels a timer; its signal state stays as it is.
 *
 * @returns TRUE if it was set: always so of a periodic one that was set.
 * @irql at most DISPATCH_LEVEL   @nt KeCancelTimer
 */
export function KeCancelTimer(timer: KTimer): NtCall<boolean> {
  const request = [encode(OP.CancelTimer), ...wordsOf('KeCancelTimer', timer)];
  return new NtCall('KeCancelTimer', () => cancelTimer(timer, request));
}

function* cancelTimer(timer: KTimer, request: number[]): Generator<Request, boolean, number> {
  requireIrql('KeCancelTimer', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  requireExisting(timer, null);
  return (yield request) === 1;
}

/**
 * Makes a notification timer (0) or a synchronization timer (1) of it, not signaled. One that is set
 * stays set, and expires: cancel it before. One that a thread waits for is bugcheck
 * KERNEL_SECURITY_CHECK_FAILURE, as its list of waiters is lost.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeInitializeTimerEx
 */
export function KeInitializeTimerEx(timer: KTimer, type: TIMER_TYPE): void {
  requireIrql('KeInitializeTimerEx', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  timer.initialize(type);
}

/** A notification timer. @irql at most DISPATCH_LEVEL @nt KeInitializeTimer */
export function KeInitializeTimer(timer: KTimer): void {
  requireIrql('KeInitializeTimer', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  timer.initialize(TIMER_TYPE.NotificationTimer);
}

/** @returns TRUE if it is signaled. @irql at most DISPATCH_LEVEL @nt KeReadStateTimer */
export function KeReadStateTimer(timer: KTimer): boolean {
  return timer.signalState !== 0;
}

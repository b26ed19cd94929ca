import { OP } from '../../assembly/shared/opcode';
import { IRQL } from '../../assembly/shared/types';
import { NtCall, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import type { KTimer } from '../machine/views';
import { encodeTimeout, requireIrql, type Timeout, VIOLATION } from './call';

/** Timer objects, for host threads. */

type DueTime = Exclude<Timeout, null>;

/** Ms by which a timer may be late beyond which it makes no difference. */
const MAXIMUM_TOLERANCE = 0xffff;

function setTimer(
  routine: string,
  timer: KTimer,
  dueTime100ns: DueTime,
  period: number,
  tolerance: number,
): NtCall<boolean> {
  const due = encodeTimeout(routine, dueTime100ns);
  requireInteger(`${routine}: period (ms)`, period, 0, 0x7fffffff);
  requireInteger(`${routine}: tolerableDelay (ms)`, tolerance, 0, 0xffffffff);
  const first = encode(OP.SetTimer, 0, Math.min(tolerance, MAXIMUM_TOLERANCE));
  const request = [first, ...words64(timer.handle), ...words64(due), period];
  return new NtCall(routine, function* (): Generator<Request, boolean, number> {
    requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
    return (yield request) === 1;
  });
}

/**
 * Sets a timer to `dueTime100ns`: from now (negative) or a system time (positive), then every
 * `period` ms if that is not 0. It is not signaled from then on, until it expires at the first clock
 * tick at or after its time; one whose time has come expires at once.
 *
 * @returns TRUE if it was set already: that setting, with its period, is void.
 * @irql at most DISPATCH_LEVEL   @nt KeSetTimerEx (partial: no DPC)
 */
export function KeSetTimerEx(
  timer: KTimer,
  dueTime100ns: DueTime,
  period: number,
  _dpc: null,
): NtCall<boolean> {
  return setTimer('KeSetTimerEx', timer, dueTime100ns, period, 0);
}

/** The same, once. @irql at most DISPATCH_LEVEL @nt KeSetTimer (partial: no DPC) */
export function KeSetTimer(timer: KTimer, dueTime100ns: DueTime, _dpc: null): NtCall<boolean> {
  return setTimer('KeSetTimer', timer, dueTime100ns, 0, 0);
}

/**
 * The same as KeSetTimerEx, for a timer that may expire up to `tolerableDelay` ms late each time, so
 * that it meets others: at the first multiple since boot of 1 s in that span, else of 500, 250, 100
 * or 50 ms, else at its own time.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeSetCoalescableTimer (partial: no DPC)
 */
export function KeSetCoalescableTimer(
  timer: KTimer,
  dueTime100ns: DueTime,
  period: number,
  tolerableDelay: number,
  _dpc: null,
): NtCall<boolean> {
  return setTimer('KeSetCoalescableTimer', timer, dueTime100ns, period, tolerableDelay);
}

/**
 * Cancels a timer; its signal state stays as it is.
 *
 * @returns TRUE if it was set: always so of a periodic one that was set.
 * @irql at most DISPATCH_LEVEL   @nt KeCancelTimer
 */
export function KeCancelTimer(timer: KTimer): NtCall<boolean> {
  const request = [encode(OP.CancelTimer), ...words64(timer.handle)];
  return new NtCall('KeCancelTimer', function* (): Generator<Request, boolean, number> {
    requireIrql('KeCancelTimer', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
    return (yield request) === 1;
  });
}

/** @returns TRUE if it is signaled. @irql at most DISPATCH_LEVEL @nt KeReadStateTimer */
export function KeReadStateTimer(timer: KTimer): boolean {
  return timer.signalState !== 0;
}

import { OP } from '../../assembly/shared/opcode';
import type { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { NtCall, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import type { KEvent, KernelObject, KSemaphore } from '../machine/views';

/** Routines for host threads. Each is one instruction of the core, at the thread's virtual time. */

function call(routine: string, request: Request): NtCall<number> {
  return new NtCall(routine, function* (): Generator<Request, number, number> {
    return yield request;
  });
}

/** Ns of a timeout in NT's units: negative 100 ns relative, 0 polls, null for ever. */
function relativeNs(routine: string, timeout100ns: number | null): number {
  if (timeout100ns === null) return Number.POSITIVE_INFINITY;
  return (
    -requireInteger(
      `${routine}: timeout (100 ns; absolute ones are not modelled yet)`,
      timeout100ns,
      -9e13,
      0,
    ) * 100
  );
}

/**
 * Waits for an object. Not modelled: `alertable`, absolute timeouts.
 *
 * @returns STATUS_SUCCESS, STATUS_TIMEOUT; STATUS_INVALID_HANDLE for an object that has gone.
 * @irql below DISPATCH_LEVEL   @nt KeWaitForSingleObject (partial: no alerts, no absolute timeout)
 */
export function KeWaitForSingleObject(
  object: KernelObject,
  waitReason: KWAIT_REASON,
  waitMode: MODE,
  _alertable: boolean,
  timeout100ns: number | null,
): NtCall<number> {
  const timeout = relativeNs('KeWaitForSingleObject', timeout100ns);
  const first = encode(OP.Wait, 0, waitReason | (waitMode << 15));
  return call('KeWaitForSingleObject', [first, ...words64(object.handle), ...words64(timeout)]);
}

/** Delays by an interval in 100 ns, negative: relative. @nt KeDelayExecutionThread (partial: no alerts) */
export function KeDelayExecutionThread(
  _waitMode: MODE,
  _alertable: boolean,
  interval100ns: number,
): NtCall<number> {
  const ns = relativeNs('KeDelayExecutionThread', interval100ns);
  return call('KeDelayExecutionThread', [encode(OP.Delay), ...words64(ns)]);
}

/** Signals an event. Returns its previous state. @nt KeSetEvent (partial: Wait = TRUE is not modelled) */
export function KeSetEvent(event: KEvent, increment: number, _wait: boolean): NtCall<number> {
  requireInteger('KeSetEvent: increment', increment, 0, 15);
  return call('KeSetEvent', [encode(OP.SetEvent, 0, increment), ...words64(event.handle)]);
}

/** Releases a semaphore. Returns its previous count. @nt KeReleaseSemaphore (partial: Wait = TRUE is not modelled) */
export function KeReleaseSemaphore(
  semaphore: KSemaphore,
  increment: number,
  adjustment: number,
  _wait: boolean,
): NtCall<number> {
  requireInteger('KeReleaseSemaphore: increment', increment, 0, 15);
  requireInteger('KeReleaseSemaphore: adjustment', adjustment, 1, 0x7fffffff);
  const first = encode(OP.ReleaseSemaphore, 0, increment);
  return call('KeReleaseSemaphore', [first, ...words64(semaphore.handle), adjustment]);
}

/** Gives way to a ready thread of at least this priority. @nt NtYieldExecution */
export function NtYieldExecution(): NtCall<number> {
  return call('NtYieldExecution', [encode(OP.Yield)]);
}

/** Keeps the processor busy for microseconds. @nt KeStallExecutionProcessor */
export function KeStallExecutionProcessor(microseconds: number): NtCall<number> {
  const ns = requireInteger('KeStallExecutionProcessor: microseconds', microseconds, 1, 1e9) * 1000;
  return call('KeStallExecutionProcessor', [encode(OP.Compute), ...words64(ns)]);
}

/** Ends the thread. @nt PsTerminateSystemThread */
export function PsTerminateSystemThread(status: number): NtCall<number> {
  return call('PsTerminateSystemThread', [encode(OP.Exit), status >>> 0]);
}

import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { LIMIT } from '../../assembly/shared/limits';
import { OP, SIGNAL, WAIT_FIELD } from '../../assembly/shared/opcode';
import { IRQL, type KWAIT_REASON, MODE, type WAIT_TYPE } from '../../assembly/shared/types';
import { requireAnswer } from '../machine/given';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import type { KEvent, KernelObject, KMutant, KSemaphore } from '../machine/views';
import { call, encodeTimeout, requireIrql, type Timeout, VIOLATION, wordsOf } from './call';

/** Routines for host threads. Each is one instruction of the core, at the thread's virtual time. */

/**
 * The level a wait needs: a poll may be at DISPATCH_LEVEL, and what follows a signal with Wait = TRUE is.
 * The violation has the (first) object and the timeout in ns; that is 0 for ever and for a system time.
 */
export function waitCheck(
  routine: string,
  timeout: number | bigint,
  object: KernelObject | undefined,
): () => void {
  const require = (violation: VIOLATION, level: IRQL, ns: number) =>
    requireIrql(routine, violation, level, IRQL.PASSIVE_LEVEL, object?.address ?? 0, ns);
  if (timeout === 0) return () => require(VIOLATION.WaitAboveDispatch, IRQL.DISPATCH_LEVEL, 0);
  const forever = timeout === Number.POSITIVE_INFINITY;
  const violation = forever ? VIOLATION.WaitForever : VIOLATION.WaitForTime;
  const ns = forever || typeof timeout === 'bigint' ? 0 : timeout;
  return () => {
    // A DPC that has interrupted the idle thread is called on behalf of none.
    const { thread } = currentGuest(routine);
    const waitNext = thread.exists && thread.waitNext;
    require(violation, waitNext ? IRQL.DISPATCH_LEVEL : IRQL.APC_LEVEL, ns);
  };
}

/** The b field of a signal. */
function signalField(routine: string, increment: number, wait: boolean): number {
  return requireInteger(`${routine}: increment`, increment, 0, 15) | (wait ? SIGNAL.Wait : 0);
}

/** The level a signal needs; with Wait = TRUE it must be one to wait at. */
function signalCheck(
  routine: string,
  wait: boolean,
  violation = VIOLATION.IrqlKeDispatchLte,
  waitLevel = IRQL.APC_LEVEL,
): () => void {
  return () => requireIrql(routine, violation, wait ? waitLevel : IRQL.DISPATCH_LEVEL);
}

/** The level that most routines on dispatcher objects need. */
function dispatchCheck(routine: string, violation = VIOLATION.IrqlKeDispatchLte): () => void {
  return () => requireIrql(routine, violation, IRQL.DISPATCH_LEVEL);
}

/** The b field of a wait. */
export function waitField(reason: KWAIT_REASON, mode: MODE, alertable: boolean): number {
  const modes = mode === MODE.UserMode ? WAIT_FIELD.UserMode : 0;
  return reason | modes | (alertable ? WAIT_FIELD.Alertable : 0);
}

/**
 * Waits for an object. With `alertable` an alert ends the wait, and so does a user-mode APC, which
 * runs if the wait is in user mode. The end of the thread ends any wait in user mode.
 *
 * @returns STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_ALERTED, STATUS_USER_APC, STATUS_ABANDONED of a
 *   mutant; STATUS_INVALID_HANDLE for an object that has gone. Raises STATUS_MUTANT_LIMIT_EXCEEDED.
 * @irql below DISPATCH_LEVEL   @nt KeWaitForSingleObject
 */
export function KeWaitForSingleObject(
  object: KernelObject,
  waitReason: KWAIT_REASON,
  waitMode: MODE,
  alertable: boolean,
  timeout100ns: Timeout,
): NtCall<number> {
  const timeout = encodeTimeout('KeWaitForSingleObject', timeout100ns);
  const first = encode(OP.Wait, 0, waitField(waitReason, waitMode, alertable));
  const request = [first, ...wordsOf('KeWaitForSingleObject', object), ...words64(timeout)];
  return call(
    'KeWaitForSingleObject',
    request,
    waitCheck('KeWaitForSingleObject', timeout, object),
  );
}

/** The name that headers have for KeWaitForSingleObject of a mutex. @irql below DISPATCH_LEVEL @nt KeWaitForMutexObject */
export function KeWaitForMutexObject(
  mutex: KMutant,
  waitReason: KWAIT_REASON,
  waitMode: MODE,
  alertable: boolean,
  timeout100ns: Timeout,
): NtCall<number> {
  return KeWaitForSingleObject(mutex, waitReason, waitMode, alertable, timeout100ns);
}

/**
 * Signals an event: a synchronization event wakes its longest waiter, or stays signaled until a wait
 * takes the signal; a notification event wakes all and stays signaled.
 *
 * With `wait` the thread goes on at DISPATCH_LEVEL, its WaitNext set, and its next call must be a
 * wait, which goes back to the level of this call. The two are no atomic pair. What comes in between
 * is done at DISPATCH_LEVEL, and judged as at that level.
 *
 * @returns the previous state, as it was stored.
 * @irql at most DISPATCH_LEVEL; APC_LEVEL with Wait = TRUE   @nt KeSetEvent
 */
export function KeSetEvent(event: KEvent, increment: number, wait: boolean): NtCall<number> {
  const b = signalField('KeSetEvent', increment, wait);
  const request = [encode(OP.SetEvent, 0, b), ...wordsOf('KeSetEvent', event)];
  const check = signalCheck('KeSetEvent', wait, VIOLATION.IrqlKeSetEvent);
  return call('KeSetEvent', request, check, event);
}

/** Takes an event's signal back. @returns its previous state, as it was stored. @irql at most DISPATCH_LEVEL @nt KeResetEvent */
export function KeResetEvent(event: KEvent): NtCall<number> {
  const request = [encode(OP.ResetEvent), ...wordsOf('KeResetEvent', event)];
  return call('KeResetEvent', request, dispatchCheck('KeResetEvent'), event);
}

/** The same without a result. @irql at most DISPATCH_LEVEL @nt KeClearEvent */
export function KeClearEvent(event: KEvent): NtCall<void> {
  const request = [encode(OP.ResetEvent), ...wordsOf('KeClearEvent', event)];
  return new NtCall('KeClearEvent', () => clearEvent(event, request));
}

function* clearEvent(event: KEvent, request: number[]): Generator<Request, void, number> {
  requireIrql('KeClearEvent', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  requireAnswer('KeClearEvent', event, yield request);
}

/**
 * Wakes whom KeSetEvent would wake now, and leaves the event not signaled. `wait` as there.
 *
 * @returns the previous state.
 * @irql at most DISPATCH_LEVEL; APC_LEVEL with Wait = TRUE   @nt KePulseEvent
 */
export function KePulseEvent(event: KEvent, increment: number, wait: boolean): NtCall<number> {
  const b = signalField('KePulseEvent', increment, wait);
  const request = [encode(OP.PulseEvent, 0, b), ...wordsOf('KePulseEvent', event)];
  return call('KePulseEvent', request, signalCheck('KePulseEvent', wait), event);
}

/**
 * Adds `adjustment` to the count and wakes as many waiters as that satisfies. `wait` as in KeSetEvent.
 *
 * @returns the previous count. Raises STATUS_SEMAPHORE_LIMIT_EXCEEDED, the count unchanged.
 * @irql at most DISPATCH_LEVEL; PASSIVE_LEVEL with Wait = TRUE   @nt KeReleaseSemaphore
 */
export function KeReleaseSemaphore(
  semaphore: KSemaphore,
  increment: number,
  adjustment: number,
  wait: boolean,
): NtCall<number> {
  const routine = 'KeReleaseSemaphore';
  const first = encode(OP.ReleaseSemaphore, 0, signalField(routine, increment, wait));
  requireInteger(`${routine}: adjustment`, adjustment, 1, 0x7fffffff);
  const request = [first, ...wordsOf(routine, semaphore), adjustment];
  const check = signalCheck(routine, wait, VIOLATION.IrqlKeDispatchLte, IRQL.PASSIVE_LEVEL);
  return call(routine, request, check, semaphore);
}

/** Keeps the processor busy for microseconds. @nt KeStallExecutionProcessor */
export function KeStallExecutionProcessor(microseconds: number): NtCall<number> {
  const ns = requireInteger('KeStallExecutionProcessor: microseconds', microseconds, 1, 1e9) * 1000;
  return call('KeStallExecutionProcessor', [encode(OP.Compute), ...words64(ns)]);
}

/**
 * Waits for one of several objects (WaitAny) or for all of them at once (WaitAll).
 *
 * `alertable` as for one. More than 64 objects, or more than 3 without
 * `waitBlocks`, is bugcheck MAXIMUM_WAIT_OBJECTS_EXCEEDED. `waitBlocks` is any array of at least as
 * many elements as objects; its contents are the kernel's.
 *
 * @returns STATUS_WAIT_0 + the lowest index that is signaled, or STATUS_ABANDONED_WAIT_0 + index;
 *   STATUS_SUCCESS or STATUS_ABANDONED for all; STATUS_TIMEOUT, STATUS_ALERTED, STATUS_USER_APC;
 *   STATUS_INVALID_HANDLE for an object that has gone. Raises STATUS_MUTANT_LIMIT_EXCEEDED.
 * @irql below DISPATCH_LEVEL, or DISPATCH_LEVEL with a timeout of 0
 * @nt KeWaitForMultipleObjects
 */
export function KeWaitForMultipleObjects(
  objects: readonly KernelObject[],
  waitType: WAIT_TYPE,
  waitReason: KWAIT_REASON,
  waitMode: MODE,
  alertable: boolean,
  timeout100ns: Timeout,
  waitBlocks: readonly unknown[] | null,
): NtCall<number> {
  const routine = 'KeWaitForMultipleObjects';
  const timeout = encodeTimeout(routine, timeout100ns);
  const room = waitBlocks === null ? THREAD_WAIT_OBJECTS : waitBlocks.length;
  if (objects.length === 0 || objects.length > Math.min(room, LIMIT.WaitObjects)) {
    currentGuest(routine).machine.bugCheck(BUGCHECK.MAXIMUM_WAIT_OBJECTS_EXCEEDED);
    return call(routine, [encode(OP.Yield)]);
  }
  const request = [
    encode(OP.WaitMultiple, waitType, waitField(waitReason, waitMode, alertable)),
    objects.length,
    ...words64(timeout),
    ...objects.flatMap((object) => wordsOf(routine, object)),
  ];
  return call(routine, request, waitCheck(routine, timeout, objects[0]));
}

/** Wait blocks that every thread has. */
const THREAD_WAIT_OBJECTS = 3;

function releaseMutant(
  routine: string,
  mutant: KMutant,
  increment: number,
  abandoned: boolean,
  wait: boolean,
): NtCall<number> {
  const b = signalField(routine, increment, wait) | (abandoned ? SIGNAL.Abandoned : 0);
  const request = [encode(OP.ReleaseMutant, 0, b), ...wordsOf(routine, mutant)];
  return new NtCall(routine, () => releaseMutantSteps(routine, mutant, wait, request));
}

function* releaseMutantSteps(
  routine: string,
  mutant: KMutant,
  wait: boolean,
  request: number[],
): Generator<Request, number, number> {
  signalCheck(routine, wait)();
  return requireAnswer(routine, mutant, yield request) | 0;
}

/**
 * Takes one acquisition of a mutant back. `wait` as in KeSetEvent. With `abandoned` it is freed whoever
 * owns it, however often, and who acquires it next is told that it was abandoned.
 *
 * @returns the previous SignalState: 0 if it is free now. Raises STATUS_MUTANT_NOT_OWNED, or
 *   STATUS_ABANDONED of an abandoned one, if the thread does not own it; STATUS_MUTANT_NOT_OWNED too if
 *   it acquired it at DISPATCH_LEVEL and would free it below, or the other way round.
 * @irql at most DISPATCH_LEVEL; APC_LEVEL with Wait = TRUE   @nt KeReleaseMutant
 */
export function KeReleaseMutant(
  mutant: KMutant,
  increment: number,
  abandoned: boolean,
  wait: boolean,
): NtCall<number> {
  return releaseMutant('KeReleaseMutant', mutant, increment, abandoned, wait);
}

/** The same with MUTANT_INCREMENT. @irql at most DISPATCH_LEVEL; APC_LEVEL with Wait = TRUE @nt KeReleaseMutex */
export function KeReleaseMutex(mutex: KMutant, wait: boolean): NtCall<number> {
  return releaseMutant('KeReleaseMutex', mutex, 1, false, wait);
}

/** @returns SignalState: 1 if it is free. @irql at most DISPATCH_LEVEL @nt KeReadStateMutex */
export function KeReadStateMutex(mutex: KMutant): number {
  return mutex.signalState;
}

/** The same of any mutant. @irql at most DISPATCH_LEVEL @nt KeReadStateMutant */
export function KeReadStateMutant(mutant: KMutant): number {
  return mutant.signalState;
}

/** @returns SignalState, as it was stored. @irql any @nt KeReadStateEvent */
export function KeReadStateEvent(event: KEvent): number {
  return event.signalState;
}

/** @returns the count. @irql any @nt KeReadStateSemaphore */
export function KeReadStateSemaphore(semaphore: KSemaphore): number {
  return semaphore.signalState;
}

import { OP } from '../../assembly/shared/opcode';
import { IRQL, KWAIT_REASON } from '../../assembly/shared/types';
import { NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import { HOST_ROUTINE, requireApcsDisabled, requireIrql, VIOLATION } from '../ke/call';
import { KeEnterCriticalRegion, KeLeaveCriticalRegion } from '../ke/irql';
import { MutexLock, waitForLock } from '../ke/lock';

/** Fast mutexes: who owns one is at APC_LEVEL. */

/** FAST_MUTEX; free from the start. */
export class FastMutex extends MutexLock {
  /** OldIrql: the level at which its owner was. */
  oldIrql = 0;

  constructor(
    /** For reports. */
    name?: string,
  ) {
    super('fast mutex', name);
  }

  /** Count: 1 if it is free, 0 if it is owned, below 0 minus how many wait. */
  get count(): number {
    return this.state;
  }

  set count(count: number) {
    this.state = count;
  }
}

/** Goes to a level, up or down. */
function goTo(machine: Machine, irql: number): Request {
  const opcode = irql < machine.irql() ? OP.LowerIrql : OP.RaiseIrql;
  return [encode(opcode, 0, irql)];
}

/** Makes a mutex free, and its count of contentions 0; OldIrql stays. @irql at most DISPATCH_LEVEL @nt ExInitializeFastMutex */
export function ExInitializeFastMutex(mutex: FastMutex): void {
  const routine = 'ExInitializeFastMutex';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  mutex.guest(routine);
  mutex.initialize(routine);
}

/**
 * Takes a mutex, after those who came before, and goes to APC_LEVEL. An owner that does so again waits
 * for ever.
 *
 * @irql at most APC_LEVEL   @nt ExAcquireFastMutex
 */
export function ExAcquireFastMutex(mutex: FastMutex): NtCall<void> {
  const routine = 'ExAcquireFastMutex';
  return new NtCall(routine, () => acquireFastMutex(routine, mutex));
}

function* acquireFastMutex(routine: string, mutex: FastMutex): Generator<Request, void, number> {
  const { machine, thread } = mutex.guest(routine);
  requireIrql(routine, VIOLATION.AcquireFastMutexAboveApc, IRQL.APC_LEVEL);
  const oldIrql = machine.irql();
  const waiter = mutex.take(thread);
  if (waiter === undefined) {
    mutex.oldIrql = oldIrql;
    yield goTo(machine, IRQL.APC_LEVEL);
    return;
  }
  if (oldIrql > IRQL.APC_LEVEL) yield goTo(machine, IRQL.APC_LEVEL);
  else machine.core.hostRaiseIrql(IRQL.APC_LEVEL);
  yield* waitForLock(waiter, KWAIT_REASON.WrFastMutex);
  mutex.oldIrql = oldIrql;
}

/** Takes a mutex that is free, and goes to APC_LEVEL. @returns FALSE, at the same level, if it is not. @irql at most APC_LEVEL @nt ExTryToAcquireFastMutex */
export function ExTryToAcquireFastMutex(mutex: FastMutex): NtCall<boolean> {
  const routine = 'ExTryToAcquireFastMutex';
  return new NtCall(routine, () => tryToAcquireFastMutex(routine, mutex));
}

function* tryToAcquireFastMutex(
  routine: string,
  mutex: FastMutex,
): Generator<Request, boolean, number> {
  const { machine, thread } = mutex.guest(routine);
  requireIrql(routine, VIOLATION.AcquireFastMutexAboveApc, IRQL.APC_LEVEL);
  const oldIrql = machine.irql();
  const taken = mutex.tryTake(thread);
  if (taken) mutex.oldIrql = oldIrql;
  yield taken ? goTo(machine, IRQL.APC_LEVEL) : HOST_ROUTINE;
  return taken;
}

/** Lets go of a mutex, and goes back to its OldIrql. @irql APC_LEVEL @nt ExReleaseFastMutex */
export function ExReleaseFastMutex(mutex: FastMutex): NtCall<void> {
  const routine = 'ExReleaseFastMutex';
  return new NtCall(routine, () => releaseFastMutex(routine, mutex));
}

function* releaseFastMutex(routine: string, mutex: FastMutex): Generator<Request, void, number> {
  const { machine, thread } = mutex.guest(routine);
  const violation = VIOLATION.ReleaseFastMutexNotAtApc;
  requireIrql(routine, violation, IRQL.APC_LEVEL, IRQL.APC_LEVEL);
  const { oldIrql } = mutex;
  mutex.give(routine, thread);
  yield goTo(machine, oldIrql);
}

/** The state in which the unsafe pair must be called: APC_LEVEL, or a region without normal kernel APCs. */
function requireUnsafeState(routine: string, mutex: FastMutex, violation: VIOLATION): void {
  requireIrql(routine, violation, IRQL.APC_LEVEL);
  requireApcsDisabled(routine, violation, mutex.index);
}

/**
 * Takes a mutex without a change of level: at APC_LEVEL, or in a critical or guarded region.
 *
 * @irql at most APC_LEVEL   @nt ExAcquireFastMutexUnsafe
 */
export function ExAcquireFastMutexUnsafe(mutex: FastMutex): NtCall<void> {
  const routine = 'ExAcquireFastMutexUnsafe';
  return new NtCall(routine, () => acquireUnsafe(routine, mutex));
}

function* acquireUnsafe(routine: string, mutex: FastMutex): Generator<Request, void, number> {
  const { thread } = mutex.guest(routine);
  requireUnsafeState(routine, mutex, VIOLATION.AcquireFastMutexUnsafeWithApcs);
  const waiter = mutex.take(thread);
  if (waiter === undefined) yield HOST_ROUTINE;
  else yield* waitForLock(waiter, KWAIT_REASON.WrFastMutex);
}

function releaseUnsafe(routine: string, mutex: FastMutex): void {
  const { thread } = mutex.guest(routine);
  requireUnsafeState(routine, mutex, VIOLATION.ReleaseFastMutexUnsafeWithApcs);
  mutex.give(routine, thread);
}

/** Lets go of a mutex without a change of level. @irql at most APC_LEVEL @nt ExReleaseFastMutexUnsafe */
export function ExReleaseFastMutexUnsafe(mutex: FastMutex): NtCall<void> {
  const routine = 'ExReleaseFastMutexUnsafe';
  return new NtCall(routine, () => releaseFastMutexUnsafe(routine, mutex));
}

function* releaseFastMutexUnsafe(
  routine: string,
  mutex: FastMutex,
): Generator<Request, void, number> {
  releaseUnsafe(routine, mutex);
  yield HOST_ROUTINE;
}

/** Enters a critical region and takes a mutex. @irql at most APC_LEVEL @nt ExEnterCriticalRegionAndAcquireFastMutexUnsafe */
export function ExEnterCriticalRegionAndAcquireFastMutexUnsafe(mutex: FastMutex): NtCall<void> {
  const routine = 'ExEnterCriticalRegionAndAcquireFastMutexUnsafe';
  return new NtCall(routine, () => enterCriticalRegionAndAcquireFastMutexUnsafe(routine, mutex));
}

function* enterCriticalRegionAndAcquireFastMutexUnsafe(
  routine: string,
  mutex: FastMutex,
): Generator<Request, void, number> {
  KeEnterCriticalRegion();
  yield* acquireUnsafe(routine, mutex);
}

/** Lets go of a mutex and leaves the critical region. @irql at most APC_LEVEL @nt ExReleaseFastMutexUnsafeAndLeaveCriticalRegion */
export function ExReleaseFastMutexUnsafeAndLeaveCriticalRegion(mutex: FastMutex): NtCall<void> {
  const routine = 'ExReleaseFastMutexUnsafeAndLeaveCriticalRegion';
  return new NtCall(routine, () => releaseFastMutexUnsafeAndLeaveCriticalRegion(routine, mutex));
}

function* releaseFastMutexUnsafeAndLeaveCriticalRegion(
  routine: string,
  mutex: FastMutex,
): Generator<Request, void, number> {
  releaseUnsafe(routine, mutex);
  yield* KeLeaveCriticalRegion();
}

/** ExAcquireFastMutex, by the name that x86 kernels export beside the HAL's. @irql at most APC_LEVEL @nt ExiAcquireFastMutex */
export const ExiAcquireFastMutex = ExAcquireFastMutex;
/** ExTryToAcquireFastMutex, by that name. @irql at most APC_LEVEL @nt ExiTryToAcquireFastMutex */
export const ExiTryToAcquireFastMutex = ExTryToAcquireFastMutex;
/** ExReleaseFastMutex, by that name. @irql APC_LEVEL @nt ExiReleaseFastMutex */
export const ExiReleaseFastMutex = ExReleaseFastMutex;

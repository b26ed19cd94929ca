import { IRQL, KWAIT_REASON } from '../../assembly/shared/types';
import { NtCall, type Request } from '../machine/guest';
import { HOST_ROUTINE, reportViolation, requireIrql, VIOLATION } from './call';
import { KeEnterGuardedRegion, KeLeaveGuardedRegion } from './irql';
import { MutexLock, waitForLock } from './lock';

/** Guarded mutexes: who owns one gets no APCs, at the level at which it was. */

/** KGUARDED_MUTEX; free from the start. */
export class KGuardedMutex extends MutexLock {
  constructor(
    /** For reports. */
    name?: string,
  ) {
    super('guarded mutex', name);
  }

  /** Count: bit 0 if it is free, and 4 for each that waits. */
  get count(): number {
    return this.state > 0 ? this.state : 4 * (0 - this.state);
  }
}

function requireApcLevel(routine: string): void {
  requireIrql(routine, VIOLATION.IrqlKeApcLte1, IRQL.APC_LEVEL);
}

/** The state in which the unsafe pair must be called: no APCs. */
function requireGuarded(routine: string, mutex: KGuardedMutex, violation: VIOLATION): void {
  requireApcLevel(routine);
  const { machine, thread } = mutex.guest(routine);
  if (machine.irql() === IRQL.APC_LEVEL || thread.specialApcDisable !== 0) return;
  const message = `called with APCs enabled; call it at APC_LEVEL or in a guarded region`;
  reportViolation(routine, message, violation, machine.irql(), 0, mutex.index);
}

/** Makes a mutex free, and its count of contentions 0. @irql at most APC_LEVEL @nt KeInitializeGuardedMutex */
export function KeInitializeGuardedMutex(mutex: KGuardedMutex): void {
  const routine = 'KeInitializeGuardedMutex';
  requireApcLevel(routine);
  mutex.guest(routine);
  mutex.initialize(routine);
}

function acquire(routine: string, mutex: KGuardedMutex, enter: () => void): NtCall<void> {
  return new NtCall(routine, () => acquireSteps(routine, mutex, enter));
}

function* acquireSteps(
  routine: string,
  mutex: KGuardedMutex,
  enter: () => void,
): Generator<Request, void, number> {
  enter();
  const { thread } = mutex.guest(routine);
  const waiter = mutex.take(thread);
  if (waiter === undefined) yield HOST_ROUTINE;
  else yield* waitForLock(waiter, KWAIT_REASON.WrGuardedMutex);
}

/**
 * Enters a guarded region and takes a mutex, after those who came before. An owner that does so again
 * waits for ever.
 *
 * @irql at most APC_LEVEL   @nt KeAcquireGuardedMutex
 */
export function KeAcquireGuardedMutex(mutex: KGuardedMutex): NtCall<void> {
  const routine = 'KeAcquireGuardedMutex';
  return acquire(routine, mutex, () => {
    requireApcLevel(routine);
    KeEnterGuardedRegion();
  });
}

/** The same without the region: in one, or at APC_LEVEL. @irql at most APC_LEVEL @nt KeAcquireGuardedMutexUnsafe */
export function KeAcquireGuardedMutexUnsafe(mutex: KGuardedMutex): NtCall<void> {
  const routine = 'KeAcquireGuardedMutexUnsafe';
  const violation = VIOLATION.AcquireFastMutexUnsafeWithApcs;
  return acquire(routine, mutex, () => requireGuarded(routine, mutex, violation));
}

/** Takes a mutex that is free. @returns FALSE, in no region, if it is not. @irql at most APC_LEVEL @nt KeTryToAcquireGuardedMutex */
export function KeTryToAcquireGuardedMutex(mutex: KGuardedMutex): NtCall<boolean> {
  const routine = 'KeTryToAcquireGuardedMutex';
  return new NtCall(routine, () => tryToAcquireGuardedMutex(routine, mutex));
}

function* tryToAcquireGuardedMutex(
  routine: string,
  mutex: KGuardedMutex,
): Generator<Request, boolean, number> {
  requireApcLevel(routine);
  const { thread } = mutex.guest(routine);
  const taken = mutex.tryTake(thread);
  if (taken) KeEnterGuardedRegion();
  yield HOST_ROUTINE;
  return taken;
}

/** Lets go of a mutex, and leaves the guarded region. @irql at most APC_LEVEL @nt KeReleaseGuardedMutex */
export function KeReleaseGuardedMutex(mutex: KGuardedMutex): NtCall<void> {
  const routine = 'KeReleaseGuardedMutex';
  return new NtCall(routine, () => releaseGuardedMutex(routine, mutex));
}

function* releaseGuardedMutex(
  routine: string,
  mutex: KGuardedMutex,
): Generator<Request, void, number> {
  requireApcLevel(routine);
  const { thread } = mutex.guest(routine);
  mutex.give(routine, thread);
  yield* KeLeaveGuardedRegion();
}

/** The same without the region. @irql at most APC_LEVEL @nt KeReleaseGuardedMutexUnsafe */
export function KeReleaseGuardedMutexUnsafe(mutex: KGuardedMutex): NtCall<void> {
  const routine = 'KeReleaseGuardedMutexUnsafe';
  return new NtCall(routine, () => releaseGuardedMutexUnsafe(routine, mutex));
}

function* releaseGuardedMutexUnsafe(
  routine: string,
  mutex: KGuardedMutex,
): Generator<Request, void, number> {
  requireGuarded(routine, mutex, VIOLATION.ReleaseFastMutexUnsafeWithApcs);
  const { thread } = mutex.guest(routine);
  mutex.give(routine, thread);
  yield HOST_ROUTINE;
}

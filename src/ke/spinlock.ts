import { OP, SPIN } from '../../assembly/shared/opcode';
import { IRQL } from '../../assembly/shared/types';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import { PerMachine } from '../machine/per-machine';
import { requireInteger } from '../machine/profile';
import type { KInterrupt, KSpinLock } from '../machine/spinlock';
import type { KThread } from '../machine/views';
import { call, requireIrql, VIOLATION, wordsOf } from './call';

/**
 * Spin locks, for guests of the host. Who finds one held spins at its level: virtual time passes
 * until the holder lets go. Processors that spin in a circle end the run with the circle's names.
 */

/** KLOCK_QUEUE_HANDLE: one acquisition of an in-stack queued spin lock. */
export interface KLockQueueHandle {
  lock: KSpinLock | undefined;
  /** The level before. */
  oldIrql: IRQL;
}

/** For KeAcquireInStackQueuedSpinLock to fill in. */
export function lockQueueHandle(): KLockQueueHandle {
  return { lock: undefined, oldIrql: IRQL.PASSIVE_LEVEL };
}

function acquire(
  routine: string,
  lock: KSpinLock | KInterrupt,
  flags: number,
  check?: () => void,
): NtCall<number> {
  return call(routine, [encode(OP.AcquireSpinLock, 0, flags), ...wordsOf(routine, lock)], check);
}

function release(
  routine: string,
  lock: KSpinLock | KInterrupt,
  flags: number,
  newIrql: number,
  check?: () => void,
): NtCall<number> {
  requireInteger(`${routine}: newIrql`, newIrql, 0, IRQL.HIGH_LEVEL);
  const first = encode(OP.ReleaseSpinLock, 0, flags | (newIrql << 8));
  return call(routine, [first, ...wordsOf(routine, lock)], check);
}

const atMostDispatch = (routine: string) => () =>
  requireIrql(routine, VIOLATION.AcquireSpinLockAboveDispatch, IRQL.DISPATCH_LEVEL);
const atDispatch = (routine: string) => () =>
  requireIrql(
    routine,
    VIOLATION.ReleaseSpinLockNotAtDispatch,
    IRQL.DISPATCH_LEVEL,
    IRQL.DISPATCH_LEVEL,
  );
const atLeastDispatch = (routine: string, violation: VIOLATION) => () =>
  requireIrql(routine, violation, IRQL.HIGH_LEVEL, IRQL.DISPATCH_LEVEL);

/** @returns the level before, for KeReleaseSpinLock; the new one is DISPATCH_LEVEL. @irql at most DISPATCH_LEVEL @nt KeAcquireSpinLock */
export function KeAcquireSpinLock(lock: KSpinLock): NtCall<number> {
  return acquire('KeAcquireSpinLock', lock, 0, atMostDispatch('KeAcquireSpinLock'));
}

/** The same. @irql at most DISPATCH_LEVEL @nt KeAcquireSpinLockRaiseToDpc */
export function KeAcquireSpinLockRaiseToDpc(lock: KSpinLock): NtCall<number> {
  const routine = 'KeAcquireSpinLockRaiseToDpc';
  return acquire(routine, lock, 0, atMostDispatch(routine));
}

/** The same to SYNCH_LEVEL. @returns the level before. @irql at most SYNCH_LEVEL @nt KeAcquireSpinLockRaiseToSynch */
export function KeAcquireSpinLockRaiseToSynch(lock: KSpinLock): NtCall<number> {
  const request = [
    encode(OP.AcquireSpinLock, 0, SPIN.AtDpcLevel),
    ...wordsOf('KeAcquireSpinLockRaiseToSynch', lock),
  ];
  return new NtCall('KeAcquireSpinLockRaiseToSynch', () => acquireSpinLockRaiseToSynch(request));
}

function* acquireSpinLockRaiseToSynch(request: number[]): Generator<Request, number, number> {
  const { core } = currentGuest('KeAcquireSpinLockRaiseToSynch').machine;
  const old = core.hostRaiseIrql(IRQL.SYNCH_LEVEL);
  yield request;
  return old;
}

/** Releases a lock and goes to `newIrql`, what its acquisition returned. @irql DISPATCH_LEVEL @nt KeReleaseSpinLock */
export function KeReleaseSpinLock(lock: KSpinLock, newIrql: number): NtCall<number> {
  return release('KeReleaseSpinLock', lock, 0, newIrql, atDispatch('KeReleaseSpinLock'));
}

/** The level stays. @irql at least DISPATCH_LEVEL @nt KeAcquireSpinLockAtDpcLevel */
export function KeAcquireSpinLockAtDpcLevel(lock: KSpinLock): NtCall<number> {
  const routine = 'KeAcquireSpinLockAtDpcLevel';
  return acquire(
    routine,
    lock,
    SPIN.AtDpcLevel,
    atLeastDispatch(routine, VIOLATION.AcquireSpinLockBelowDispatch),
  );
}

/** The level stays. @irql at least DISPATCH_LEVEL @nt KeReleaseSpinLockFromDpcLevel */
export function KeReleaseSpinLockFromDpcLevel(lock: KSpinLock): NtCall<number> {
  const routine = 'KeReleaseSpinLockFromDpcLevel';
  return release(
    routine,
    lock,
    SPIN.AtDpcLevel,
    0,
    atLeastDispatch(routine, VIOLATION.ReleaseSpinLockBelowDispatch),
  );
}

/** @returns FALSE, without spinning, if the lock is held. @irql DISPATCH_LEVEL @nt KeTryToAcquireSpinLockAtDpcLevel */
export function KeTryToAcquireSpinLockAtDpcLevel(lock: KSpinLock): NtCall<boolean> {
  const routine = 'KeTryToAcquireSpinLockAtDpcLevel';
  const first = encode(OP.AcquireSpinLock, 0, SPIN.AtDpcLevel | SPIN.Try);
  return new NtCall(routine, () => tryToAcquireSpinLockAtDpcLevel(routine, lock, first));
}

function* tryToAcquireSpinLockAtDpcLevel(
  routine: string,
  lock: KSpinLock,
  first: number,
): Generator<Request, boolean, number> {
  requireIrql(
    routine,
    VIOLATION.AcquireSpinLockBelowDispatch,
    IRQL.HIGH_LEVEL,
    IRQL.DISPATCH_LEVEL,
  );
  return (yield [first, ...wordsOf(routine, lock)]) === 1;
}

/** @returns TRUE if nobody holds the lock. @irql any @nt KeTestSpinLock */
export function KeTestSpinLock(lock: KSpinLock): boolean {
  return lock.owner === undefined && lock.sharedCount === 0;
}

function acquireQueued(
  routine: string,
  lock: KSpinLock,
  handle: KLockQueueHandle,
  flags: number,
  check?: () => void,
): NtCall<void> {
  const first = encode(OP.AcquireSpinLock, 0, flags | SPIN.Queued);
  return new NtCall(routine, () => acquireQueuedSteps(routine, lock, handle, check, first));
}

function* acquireQueuedSteps(
  routine: string,
  lock: KSpinLock,
  handle: KLockQueueHandle,
  check: (() => void) | undefined,
  first: number,
): Generator<Request, void, number> {
  check?.();
  handle.oldIrql = yield [first, ...wordsOf(routine, lock)];
  handle.lock = lock;
}

function releaseQueued(
  routine: string,
  handle: KLockQueueHandle,
  flags: number,
  check?: () => void,
): NtCall<number> {
  const { lock } = handle;
  if (lock === undefined) {
    throw new TypeError(`${routine}: nothing was acquired with this handle; acquire with it first`);
  }
  return release(routine, lock, flags, handle.oldIrql, check);
}

/** Acquires a lock in the order of requests; `handle` is for this acquisition alone. @irql at most DISPATCH_LEVEL @nt KeAcquireInStackQueuedSpinLock */
export function KeAcquireInStackQueuedSpinLock(
  lock: KSpinLock,
  handle: KLockQueueHandle,
): NtCall<void> {
  const routine = 'KeAcquireInStackQueuedSpinLock';
  return acquireQueued(routine, lock, handle, 0, atMostDispatch(routine));
}

/** @irql DISPATCH_LEVEL @nt KeReleaseInStackQueuedSpinLock */
export function KeReleaseInStackQueuedSpinLock(handle: KLockQueueHandle): NtCall<number> {
  const routine = 'KeReleaseInStackQueuedSpinLock';
  return releaseQueued(routine, handle, 0, atDispatch(routine));
}

/** The level stays. @irql at least DISPATCH_LEVEL @nt KeAcquireInStackQueuedSpinLockAtDpcLevel */
export function KeAcquireInStackQueuedSpinLockAtDpcLevel(
  lock: KSpinLock,
  handle: KLockQueueHandle,
): NtCall<void> {
  const routine = 'KeAcquireInStackQueuedSpinLockAtDpcLevel';
  const check = atLeastDispatch(routine, VIOLATION.AcquireSpinLockBelowDispatch);
  return acquireQueued(routine, lock, handle, SPIN.AtDpcLevel, check);
}

/** The level stays. @irql at least DISPATCH_LEVEL @nt KeReleaseInStackQueuedSpinLockFromDpcLevel */
export function KeReleaseInStackQueuedSpinLockFromDpcLevel(
  handle: KLockQueueHandle,
): NtCall<number> {
  const routine = 'KeReleaseInStackQueuedSpinLockFromDpcLevel';
  const check = atLeastDispatch(routine, VIOLATION.ReleaseSpinLockBelowDispatch);
  return releaseQueued(routine, handle, SPIN.AtDpcLevel, check);
}

/** For DPCs, threaded ones too: raises to DISPATCH_LEVEL if need be. @returns the level before. @irql at most DISPATCH_LEVEL @nt KeAcquireSpinLockForDpc */
export function KeAcquireSpinLockForDpc(lock: KSpinLock): NtCall<number> {
  return acquire('KeAcquireSpinLockForDpc', lock, 0, atMostDispatch('KeAcquireSpinLockForDpc'));
}

/** @irql DISPATCH_LEVEL @nt KeReleaseSpinLockForDpc */
export function KeReleaseSpinLockForDpc(lock: KSpinLock, oldIrql: number): NtCall<number> {
  return release(
    'KeReleaseSpinLockForDpc',
    lock,
    0,
    oldIrql,
    atDispatch('KeReleaseSpinLockForDpc'),
  );
}

/** For DPCs, threaded ones too: a level of DISPATCH_LEVEL or above stays. @irql any @nt KeAcquireInStackQueuedSpinLockForDpc */
export function KeAcquireInStackQueuedSpinLockForDpc(
  lock: KSpinLock,
  handle: KLockQueueHandle,
): NtCall<void> {
  const routine = 'KeAcquireInStackQueuedSpinLockForDpc';
  const raised = currentGuest(routine).machine.irql() >= IRQL.DISPATCH_LEVEL;
  return acquireQueued(routine, lock, handle, raised ? SPIN.AtDpcLevel : 0);
}

/** @irql at least DISPATCH_LEVEL @nt KeReleaseInStackQueuedSpinLockForDpc */
export function KeReleaseInStackQueuedSpinLockForDpc(handle: KLockQueueHandle): NtCall<number> {
  return releaseQueued('KeReleaseInStackQueuedSpinLockForDpc', handle, 0);
}

/** Together with other readers; a writer that spins keeps new ones out. @returns the level before. @irql at most DISPATCH_LEVEL @nt ExAcquireSpinLockShared */
export function ExAcquireSpinLockShared(lock: KSpinLock): NtCall<number> {
  return acquire(
    'ExAcquireSpinLockShared',
    lock,
    SPIN.Shared,
    atMostDispatch('ExAcquireSpinLockShared'),
  );
}

/** @returns the level before. @irql at most DISPATCH_LEVEL @nt ExAcquireSpinLockExclusive */
export function ExAcquireSpinLockExclusive(lock: KSpinLock): NtCall<number> {
  return acquire(
    'ExAcquireSpinLockExclusive',
    lock,
    0,
    atMostDispatch('ExAcquireSpinLockExclusive'),
  );
}

/** @irql DISPATCH_LEVEL @nt ExReleaseSpinLockShared */
export function ExReleaseSpinLockShared(lock: KSpinLock, oldIrql: number): NtCall<number> {
  const routine = 'ExReleaseSpinLockShared';
  return release(routine, lock, SPIN.Shared, oldIrql, atDispatch(routine));
}

/** @irql DISPATCH_LEVEL @nt ExReleaseSpinLockExclusive */
export function ExReleaseSpinLockExclusive(lock: KSpinLock, oldIrql: number): NtCall<number> {
  const routine = 'ExReleaseSpinLockExclusive';
  return release(routine, lock, 0, oldIrql, atDispatch(routine));
}

/** @irql at least DISPATCH_LEVEL @nt ExAcquireSpinLockSharedAtDpcLevel */
export function ExAcquireSpinLockSharedAtDpcLevel(lock: KSpinLock): NtCall<number> {
  const routine = 'ExAcquireSpinLockSharedAtDpcLevel';
  const check = atLeastDispatch(routine, VIOLATION.AcquireSpinLockBelowDispatch);
  return acquire(routine, lock, SPIN.Shared | SPIN.AtDpcLevel, check);
}

/** @irql at least DISPATCH_LEVEL @nt ExAcquireSpinLockExclusiveAtDpcLevel */
export function ExAcquireSpinLockExclusiveAtDpcLevel(lock: KSpinLock): NtCall<number> {
  const routine = 'ExAcquireSpinLockExclusiveAtDpcLevel';
  const check = atLeastDispatch(routine, VIOLATION.AcquireSpinLockBelowDispatch);
  return acquire(routine, lock, SPIN.AtDpcLevel, check);
}

/** @irql at least DISPATCH_LEVEL @nt ExReleaseSpinLockSharedFromDpcLevel */
export function ExReleaseSpinLockSharedFromDpcLevel(lock: KSpinLock): NtCall<number> {
  const routine = 'ExReleaseSpinLockSharedFromDpcLevel';
  const check = atLeastDispatch(routine, VIOLATION.ReleaseSpinLockBelowDispatch);
  return release(routine, lock, SPIN.Shared | SPIN.AtDpcLevel, 0, check);
}

/** @irql at least DISPATCH_LEVEL @nt ExReleaseSpinLockExclusiveFromDpcLevel */
export function ExReleaseSpinLockExclusiveFromDpcLevel(lock: KSpinLock): NtCall<number> {
  const routine = 'ExReleaseSpinLockExclusiveFromDpcLevel';
  const check = atLeastDispatch(routine, VIOLATION.ReleaseSpinLockBelowDispatch);
  return release(routine, lock, SPIN.AtDpcLevel, 0, check);
}

/** @returns TRUE if the one reader, the caller, is the writer now; FALSE with other readers or a spinning writer. @irql DISPATCH_LEVEL @nt ExTryConvertSharedSpinLockExclusive */
export function ExTryConvertSharedSpinLockExclusive(lock: KSpinLock): NtCall<boolean> {
  const routine = 'ExTryConvertSharedSpinLockExclusive';
  return new NtCall(routine, () => tryConvertSharedSpinLockExclusive(routine, lock));
}

function* tryConvertSharedSpinLockExclusive(
  routine: string,
  lock: KSpinLock,
): Generator<Request, boolean, number> {
  atLeastDispatch(routine, VIOLATION.AcquireSpinLockBelowDispatch)();
  return (yield [encode(OP.ConvertSpinLock), ...wordsOf(routine, lock)]) === 1;
}

/** Raises to the interrupt's level and acquires its lock. @returns the level before. @irql at most DIRQL @nt KeAcquireInterruptSpinLock */
export function KeAcquireInterruptSpinLock(interrupt: KInterrupt): NtCall<number> {
  const routine = 'KeAcquireInterruptSpinLock';
  return acquire(routine, interrupt, 0, () =>
    requireIrql(routine, VIOLATION.AcquireSpinLockAboveDispatch, interrupt.synchronizeIrql),
  );
}

/** @irql DIRQL @nt KeReleaseInterruptSpinLock */
export function KeReleaseInterruptSpinLock(interrupt: KInterrupt, oldIrql: number): NtCall<number> {
  return release('KeReleaseInterruptSpinLock', interrupt, 0, oldIrql);
}

/**
 * Runs a routine at the interrupt's level with its lock, as its service routine would.
 *
 * @returns what the routine returned.
 * @irql at most DIRQL   @nt KeSynchronizeExecution
 */
export function KeSynchronizeExecution<T>(
  interrupt: KInterrupt,
  synchronizeRoutine: (synchronizeContext: unknown) => T,
  synchronizeContext: unknown,
): NtCall<T> {
  const routine = 'KeSynchronizeExecution';
  return new NtCall(routine, () =>
    synchronizeExecution(routine, interrupt, synchronizeRoutine, synchronizeContext),
  );
}

function* synchronizeExecution<T>(
  routine: string,
  interrupt: KInterrupt,
  synchronizeRoutine: (synchronizeContext: unknown) => T,
  synchronizeContext: unknown,
): Generator<Request, T, number> {
  requireIrql(routine, VIOLATION.AcquireSpinLockAboveDispatch, interrupt.synchronizeIrql);
  const object = wordsOf(routine, interrupt);
  const old = yield [encode(OP.AcquireSpinLock), ...object];
  const result = synchronizeRoutine(synchronizeContext);
  yield [encode(OP.ReleaseSpinLock, 0, old << 8), ...object];
  return result;
}

/** The system's cancel spin lock. Cancel routines of devices are called without it. */
const CANCEL_LOCKS = new PerMachine((machine) => machine.createSpinLock('cancel spin lock'));

function cancelLock(routine: string): KSpinLock {
  return CANCEL_LOCKS.of(currentGuest(routine).machine);
}

/** Whether a thread, where it runs, has the cancel spin lock. */
export function holdsCancelLock(thread: KThread): boolean {
  return CANCEL_LOCKS.of(thread.machine).ownerThread === thread;
}

/** Acquires the system's cancel spin lock. @returns the level before, for IoReleaseCancelSpinLock; the new one is DISPATCH_LEVEL. @irql at most DISPATCH_LEVEL @nt IoAcquireCancelSpinLock */
export function IoAcquireCancelSpinLock(): NtCall<number> {
  const routine = 'IoAcquireCancelSpinLock';
  return acquire(routine, cancelLock(routine), 0, atMostDispatch(routine));
}

/** Goes back to `irql`, what IoAcquireCancelSpinLock returned. @irql DISPATCH_LEVEL @nt IoReleaseCancelSpinLock */
export function IoReleaseCancelSpinLock(irql: number): NtCall<number> {
  const routine = 'IoReleaseCancelSpinLock';
  return release(routine, cancelLock(routine), 0, irql, atDispatch(routine));
}

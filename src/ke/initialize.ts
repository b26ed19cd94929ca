import { IRQL } from '../../assembly/shared/types';
import type { KEvent, KMutant, KSemaphore } from '../machine/views';
import { requireIrql, VIOLATION } from './call';

/**
 * Initialization of dispatcher objects that are there, as when their memory is used anew; the machine's
 * create routines make new ones. One that a thread waits for or owns is bugcheck
 * KERNEL_SECURITY_CHECK_FAILURE with 3: the list that it is in would be lost.
 */

/** EVENT_TYPE. */
export const enum EVENT_TYPE {
  NotificationEvent = 0,
  SynchronizationEvent = 1,
}

/** Makes an event of a type, signaled or not, of the one it was. @irql any @nt KeInitializeEvent */
export function KeInitializeEvent(event: KEvent, type: EVENT_TYPE, state: boolean): void {
  event.initialize(type, state);
}

/** Gives a semaphore a count, from 0, and a limit, from 1. @irql at most DISPATCH_LEVEL @nt KeInitializeSemaphore */
export function KeInitializeSemaphore(semaphore: KSemaphore, count: number, limit: number): void {
  requireIrql('KeInitializeSemaphore', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  semaphore.initialize(count, limit);
}

/** Makes a free mutex of it; `level` is reserved. @irql any @nt KeInitializeMutex */
export function KeInitializeMutex(mutex: KMutant, _level: number): void {
  mutex.initialize(true);
}

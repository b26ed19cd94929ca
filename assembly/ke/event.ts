import { PKOBJECT, PKPRCB } from '../hal';
import { DISPATCHER_HEADER } from '../shared/layout';
import { ADJUST, KOBJECTS } from '../shared/types';
import { KiHasWaiters, KiSignalObject, KiUnwaitFirst } from './wait';

/** Notification and synchronization events. */

/**
 * Signals the event. A synchronization event wakes its longest waiter and stays not signaled; a
 * notification event wakes all. Each is boosted by `increment`.
 *
 * @returns the previous SignalState, as it was stored.
 * @irql at most DISPATCH_LEVEL   @nt KeSetEvent
 */
export function KeSetEvent(prcb: PKPRCB, event: PKOBJECT, increment: u32): i32 {
  const previous = load<i32>(event, DISPATCHER_HEADER.SignalState);
  if (!KiHasWaiters(event)) {
    store<i32>(event, 1, DISPATCHER_HEADER.SignalState);
    return previous;
  }
  const synchronization =
    load<u32>(event, DISPATCHER_HEADER.Type) == KOBJECTS.EventSynchronizationObject;
  if (!synchronization || !KiUnwaitFirst(prcb, event, ADJUST.Unwait, increment)) {
    KiSignalObject(prcb, event, increment);
  }
  return previous;
}

/**
 * Takes the signal back.
 *
 * @returns the previous SignalState.
 * @irql at most DISPATCH_LEVEL   @nt KeResetEvent
 */
export function KeResetEvent(event: PKOBJECT): i32 {
  const previous = load<i32>(event, DISPATCHER_HEADER.SignalState);
  store<i32>(event, 0, DISPATCHER_HEADER.SignalState);
  return previous;
}

/**
 * Wakes whom a signal would wake now, and leaves the event not signaled.
 *
 * @returns the previous SignalState.
 * @irql at most DISPATCH_LEVEL   @nt KePulseEvent
 */
export function KePulseEvent(prcb: PKPRCB, event: PKOBJECT, increment: u32): i32 {
  const previous = KeSetEvent(prcb, event, increment);
  store<i32>(event, 0, DISPATCHER_HEADER.SignalState);
  return previous;
}

/**
 * Signals a synchronization event; the waiter that it wakes is lifted to `priority` plus one.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeSetEventBoostPriority
 */
export function KeSetEventBoostPriority(prcb: PKPRCB, event: PKOBJECT, priority: u32): void {
  if (!KiHasWaiters(event) || !KiUnwaitFirst(prcb, event, ADJUST.Boost, priority)) {
    KiSignalObject(prcb, event, 0);
  }
}

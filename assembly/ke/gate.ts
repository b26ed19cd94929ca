import { PKOBJECT, PKPRCB, PKTHREAD } from '../hal';
import { DISPATCHER_HEADER } from '../shared/layout';
import { ADJUST } from '../shared/types';
import { KiHasWaiters, KeWaitForSingleObject, KiUnwaitFirst } from './wait';

/** Gates: one signal lets one waiter through, who gets the priority of who signaled. */

/**
 * Waits until the gate is signaled, for ever, and takes the signal.
 *
 * @irql below DISPATCH_LEVEL   @nt KeWaitForGate
 */
export function KeWaitForGate(
  prcb: PKPRCB,
  thread: PKTHREAD,
  gate: PKOBJECT,
  reason: u32,
  modes: u32,
): void {
  KeWaitForSingleObject(prcb, thread, gate, reason, modes, u64.MAX_VALUE);
}

/**
 * Lets the longest waiter through, lifted to `priority` plus one if that is more, or, if nobody waits,
 * the next one to come; more signals than that are one.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeSignalGateBoostPriority
 */
export function KeSignalGateBoostPriority(prcb: PKPRCB, gate: PKOBJECT, priority: u32): void {
  if (KiHasWaiters(gate)) KiUnwaitFirst(prcb, gate, ADJUST.Boost, priority);
  else store<i32>(gate, 1, DISPATCHER_HEADER.SignalState);
}

import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { HOST_ROUTINE, requireIrql, VIOLATION } from '../ke/call';
import { KeSetEvent, KeWaitForSingleObject } from '../ke/ddi';
import type { GuestResult } from '../machine/dpc';
import { resultOf } from '../machine/generator';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import type { Machine } from '../machine/machine';
import type { KEvent } from '../machine/views';

/**
 * Callback objects of the executive: who registers is called when somebody notifies. ExCreateCallback
 * is the object manager's, which has the names.
 */

/** CALLBACK_FUNCTION: runs at the level of who notifies, in its thread. */
export type CallbackFunction = (
  callbackContext: unknown,
  argument1: unknown,
  argument2: unknown,
) => GuestResult;

/** What ExRegisterCallback returns. */
export class CallbackRegistration {
  /** Calls that are running. */
  busy = 0;
  /** It is being removed: no call begins any more. */
  removed = false;
  /** @internal Set when the last call has ended, for who removes it. */
  over: KEvent | undefined;

  constructor(
    readonly callbackObject: CallbackObject,
    readonly callbackFunction: CallbackFunction,
    readonly callbackContext: unknown,
  ) {}
}

/** CALLBACK_OBJECT. */
export class CallbackObject {
  /** @internal What the object manager knows of it. */
  objectHeader: object | undefined;
  /** @internal In the order of their registration. */
  readonly registrations: CallbackRegistration[] = [];

  constructor(
    readonly machine: Machine,
    readonly allowMultipleCallbacks: boolean,
  ) {}

  /** How many are registered. */
  get registeredCallbacks(): number {
    return this.registrations.length;
  }
}

/**
 * Has a function called whenever somebody notifies the object. One that is registered while the
 * object's functions are called is called last in the same round.
 *
 * @returns the registration; NULL if the object takes one only, and has one.
 * @irql at most APC_LEVEL   @nt ExRegisterCallback
 */
export function ExRegisterCallback(
  callbackObject: CallbackObject,
  callbackFunction: CallbackFunction,
  callbackContext: unknown,
): CallbackRegistration | null {
  requireIrql('ExRegisterCallback', VIOLATION.IrqlExApcLte2, IRQL.APC_LEVEL);
  const { allowMultipleCallbacks, registrations } = callbackObject;
  if (!allowMultipleCallbacks && registrations.length > 0) return null;
  const registration = new CallbackRegistration(callbackObject, callbackFunction, callbackContext);
  registrations.push(registration);
  return registration;
}

/** The first registration from `from` on that is not being removed. */
function nextRegistration(
  registrations: readonly CallbackRegistration[],
  from: number,
): CallbackRegistration | undefined {
  return registrations.slice(from).find(({ removed }) => !removed);
}

/**
 * Calls every function that is registered, in the order of their registration, at the caller's level.
 *
 * @irql at most DISPATCH_LEVEL   @nt ExNotifyCallback
 */
export function ExNotifyCallback(
  callbackObject: CallbackObject,
  argument1: unknown,
  argument2: unknown,
): NtCall<void> {
  const routine = 'ExNotifyCallback';
  return new NtCall(routine, () => notifyCallback(routine, callbackObject, argument1, argument2));
}

function* notifyCallback(
  routine: string,
  callbackObject: CallbackObject,
  argument1: unknown,
  argument2: unknown,
): Generator<Request, void, number> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  yield HOST_ROUTINE;
  const { registrations } = callbackObject;
  let registration = nextRegistration(registrations, 0);
  while (registration !== undefined) {
    registration.busy++;
    const { callbackFunction, callbackContext } = registration;
    yield* resultOf(callbackFunction(callbackContext, argument1, argument2));
    registration.busy--;
    const { busy, over } = registration;
    // One that is being removed stays in its place as long as it is called.
    const place: number = registrations.indexOf(registration);
    registration = nextRegistration(registrations, place + 1);
    if (busy === 0 && over !== undefined) yield* KeSetEvent(over, 0, false);
  }
}

/**
 * Ends a registration: the function is called no more, and calls of it that are running have ended
 * when this returns. The function itself must therefore not end its own.
 *
 * @irql at most APC_LEVEL   @nt ExUnregisterCallback
 */
export function ExUnregisterCallback(callbackRegistration: CallbackRegistration): NtCall<void> {
  const routine = 'ExUnregisterCallback';
  return new NtCall(routine, () => unregisterCallback(routine, callbackRegistration));
}

function* unregisterCallback(
  routine: string,
  callbackRegistration: CallbackRegistration,
): Generator<Request, void, number> {
  requireIrql(routine, VIOLATION.IrqlExApcLte2, IRQL.APC_LEVEL);
  const { machine } = currentGuest(routine);
  callbackRegistration.removed = true;
  if (callbackRegistration.busy === 0) yield HOST_ROUTINE;
  else {
    const over = machine.createEvent('notification');
    callbackRegistration.over = over;
    yield* KeWaitForSingleObject(over, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    over.delete();
  }
  const { registrations } = callbackRegistration.callbackObject;
  const place = registrations.indexOf(callbackRegistration);
  if (place !== -1) registrations.splice(place, 1);
}

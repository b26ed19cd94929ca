import { KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import type { Timeout } from '../../src/ke/call';
import {
  KePulseEvent,
  KeReleaseMutant,
  KeReleaseSemaphore,
  KeResetEvent,
  KeSetEvent,
  KeWaitForMultipleObjects,
  KeWaitForSingleObject,
} from '../../src/ke/ddi';
import type { Request } from '../../src/machine/guest';
import type { KEvent, KernelObject, KMutant, KSemaphore } from '../../src/machine/views';
import { type Step, statusName } from './harness';

/** Steps of litmus tests: routines with the arguments that matter. A due time may be one of the run. */

type Due = Timeout | (() => Timeout);

const dueOf = (due: Due) => (typeof due === 'function' ? due() : due);

/** A step whose outcome is the name of the status that it returns. */
export function named(call: () => Iterable<Request, number, number>): Step {
  return function* () {
    return statusName(yield* call());
  };
}

/** A step without an outcome. */
export function silent(call: () => Iterable<Request, unknown, number>): Step {
  return function* () {
    yield* call();
  };
}

export const set = (event: KEvent): Step => silent(() => KeSetEvent(event, 0, false));
export const pulse = (event: KEvent): Step => silent(() => KePulseEvent(event, 0, false));
export const reset = (event: KEvent): Step => silent(() => KeResetEvent(event));
export const release = (semaphore: KSemaphore, adjustment = 1): Step =>
  silent(() => KeReleaseSemaphore(semaphore, 0, adjustment, false));
export const releaseMutant = (mutant: KMutant): Step =>
  silent(() => KeReleaseMutant(mutant, 0, false, false));

export function wait(
  object: KernelObject,
  due: Due = null,
  { mode = MODE.KernelMode, alertable = false } = {},
): Step {
  return named(() =>
    KeWaitForSingleObject(object, KWAIT_REASON.Executive, mode, alertable, dueOf(due)),
  );
}

function waitMultiple(type: WAIT_TYPE, objects: readonly KernelObject[], due: Due): Step {
  return named(() =>
    KeWaitForMultipleObjects(
      objects,
      type,
      KWAIT_REASON.Executive,
      MODE.KernelMode,
      false,
      dueOf(due),
      null,
    ),
  );
}

export const waitAll = (objects: readonly KernelObject[], due: Due = null): Step =>
  waitMultiple(WAIT_TYPE.WaitAll, objects, due);

/** The outcome of one of the second object is 0x1, and so on. */
export const waitAny = (objects: readonly KernelObject[], due: Due = null): Step =>
  waitMultiple(WAIT_TYPE.WaitAny, objects, due);

/** What objects have come to, in order: their SignalStates. */
export function states(
  objects: Readonly<Record<string, { readonly signalState: number }>>,
): string {
  return Object.entries(objects)
    .map(([name, object]) => `${name} ${object.signalState}`)
    .join(' ');
}

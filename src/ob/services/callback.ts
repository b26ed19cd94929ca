import { STATUS } from '../../../assembly/shared/status';
import { IRQL, MODE } from '../../../assembly/shared/types';
import { CallbackObject } from '../../ex/callback';
import { requireIrql, VIOLATION } from '../../ke/call';
import type { KernelCode } from '../../ke/mode';
import { currentGuest, NtCall } from '../../machine/guest';
import type { ObjectAttributes } from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import { ObpCloseHandle, ObpReferenceByHandle } from '../handle';
import { ExCallbackObjectType } from '../types';

/** Callback objects by name; `src/ex/callback.ts` has what is done with them. */

const TYPE = ExCallbackObjectType;

/** What ExCreateCallback comes to: a referenced object, or null. */
export interface CreatedCallback {
  readonly status: number;
  readonly callbackObject: CallbackObject | null;
}

function* createCallback(
  attributes: ObjectAttributes | null,
  create: boolean,
  allowMultipleCallbacks: boolean,
): KernelCode<CreatedCallback> {
  const { machine } = currentGuest('ExCreateCallback');
  const mode = MODE.KernelMode;
  if ((attributes?.ObjectName ?? null) === null)
    return { status: STATUS.UNSUCCESSFUL, callbackObject: null };
  let { status, handle } = yield* ObpOpenObjectByName(mode, TYPE, 0, attributes);
  if (status !== STATUS.SUCCESS && create) {
    const make = () => new CallbackObject(machine, allowMultipleCallbacks);
    const request = { mode, type: TYPE, desiredAccess: 0, attributes, make };
    ({ status, handle } = yield* ObpCreateObject(request));
  }
  if (status !== STATUS.SUCCESS) return { status, callbackObject: null };
  const { header } = ObpReferenceByHandle(handle, 0, TYPE, mode);
  yield* ObpCloseHandle(handle, mode);
  return { status, callbackObject: header?.body as CallbackObject };
}

/**
 * Opens the callback object of a name, as of `\Callback`, or makes it if `create` says so.
 * `allowMultipleCallbacks` is of a new one: whether it takes more than one registration. A new one
 * loses its name at once, unless it has OBJ_PERMANENT. The system's own, as `\Callback\PowerState`,
 * are not there.
 *
 * @returns the object, referenced, with SUCCESS; null with OBJECT_NAME_NOT_FOUND, OBJECT_TYPE_MISMATCH
 *   or what else names come to; UNSUCCESSFUL without a name.
 * @irql PASSIVE_LEVEL   @nt ExCreateCallback
 */
export function ExCreateCallback(
  objectAttributes: ObjectAttributes | null,
  create: boolean,
  allowMultipleCallbacks: boolean,
): NtCall<CreatedCallback> {
  const routine = 'ExCreateCallback';
  return new NtCall(routine, () => {
    requireIrql(routine, VIOLATION.IrqlExPassive, IRQL.PASSIVE_LEVEL);
    return createCallback(objectAttributes, create, allowMultipleCallbacks);
  });
}

import { STATUS } from '../../assembly/shared/status';
import { IRQL, MODE } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import { ACCESS } from './access';
import {
  captureAttributes,
  captureString,
  type Handle,
  type HandleResult,
  type ObjectAttributes,
  type ObjectResult,
  type UnicodeString,
} from './attributes';
import { lookupCaptured, ObpCreateObject, ObpOpenObjectByName } from './create';
import { grantHandle, ObpReferenceByHandle, ObpRemoveName } from './handle';
import { headerOf, type ObjectBody, type ObjectHeader } from './object';
import { ObpDereference, ObpReference } from './reference';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from './security';
import { objectManager } from './state';
import { ObjectType, type ObjectTypeInitializer } from './type';

/** Objects and types that drivers make themselves, and how long names last. */

/** Attributes of objects that have been made and are not inserted yet. */
const uninserted = new WeakMap<ObjectBody, ObjectAttributes | null>();

/**
 * Gives a body its header: an object of the type, with one reference. It has neither name nor handle
 * before ObInsertObject.
 *
 * @returns STATUS_SUCCESS; what the attributes come to.
 * @irql at most APC_LEVEL   @nt ObCreateObject (partial: the body is given; no quota)
 */
export function ObCreateObject<T extends ObjectBody>(
  probeMode: MODE,
  objectType: ObjectType,
  objectAttributes: ObjectAttributes | null,
  body: T,
): NtCall<ObjectResult<T>> {
  const routine = 'ObCreateObject';
  return new NtCall(routine, () =>
    createObject(routine, probeMode, objectType, objectAttributes, body),
  );
}

function* createObject<T extends ObjectBody>(
  routine: string,
  probeMode: MODE,
  objectType: ObjectType,
  objectAttributes: ObjectAttributes | null,
  body: T,
): KernelCode<ObjectResult<T>> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.APC_LEVEL);
  yield ddiTime(body.machine);
  const { status } = captureAttributes(objectAttributes);
  if (status !== STATUS.SUCCESS) return { status, object: undefined };
  const header = objectManager(body.machine).allocate(objectType, body);
  header.kernelObject = probeMode === MODE.KernelMode;
  uninserted.set(body, objectAttributes);
  return { status, object: body };
}

/**
 * Puts an object that ObCreateObject made under the name of its attributes, and makes a handle to it.
 * The reference of ObCreateObject goes, whatever becomes of the rest: on failure the object with it.
 *
 * @returns STATUS_SUCCESS; STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_TYPE_MISMATCH or, with a
 *   handle to what is there, STATUS_OBJECT_NAME_EXISTS; what else names and access come to.
 * @irql PASSIVE_LEVEL   @nt ObInsertObject (partial: no access state, no additional references)
 */
export function ObInsertObject(object: ObjectBody, desiredAccess: number): NtCall<HandleResult> {
  const routine = 'ObInsertObject';
  return new NtCall(routine, () => insertObject(routine, object, desiredAccess));
}

function* insertObject(
  routine: string,
  object: ObjectBody,
  desiredAccess: number,
): KernelCode<HandleResult> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.PASSIVE_LEVEL);
  const header = headerOf(routine, object);
  const attributes = uninserted.get(object) ?? null;
  uninserted.delete(object);
  let inserted = false;
  const result = yield* ObpCreateObject({
    mode: header.kernelObject ? MODE.KernelMode : MODE.UserMode,
    type: header.type,
    desiredAccess,
    attributes,
    make: () => {
      inserted = true;
      return object;
    },
  });
  if (!inserted) yield* ObpDereference(header);
  return result;
}

/** Opens the object of a name: any type if `objectType` is null. @irql PASSIVE_LEVEL @nt ObOpenObjectByName (partial: no access state, no parse context) */
export function ObOpenObjectByName(
  objectAttributes: ObjectAttributes,
  objectType: ObjectType | null,
  accessMode: MODE,
  desiredAccess: number,
): NtCall<HandleResult> {
  const routine = 'ObOpenObjectByName';
  return new NtCall(routine, () =>
    openObjectByName(routine, objectAttributes, objectType, accessMode, desiredAccess),
  );
}

function* openObjectByName(
  routine: string,
  objectAttributes: ObjectAttributes,
  objectType: ObjectType | null,
  accessMode: MODE,
  desiredAccess: number,
): KernelCode<HandleResult> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.PASSIVE_LEVEL);
  return yield* ObpOpenObjectByName(accessMode, objectType, desiredAccess, objectAttributes);
}

function noObject(status: number): { readonly status: number; readonly object: undefined } {
  return { status, object: undefined };
}

/**
 * Takes a reference to the object of a name.
 *
 * @irql PASSIVE_LEVEL   @nt ObReferenceObjectByName (partial: no access state, no parse context)
 */
export function ObReferenceObjectByName<T extends ObjectBody = ObjectBody>(
  objectName: UnicodeString,
  attributes: number,
  desiredAccess: number,
  objectType: ObjectType | null,
  accessMode: MODE,
): NtCall<ObjectResult<T>> {
  const routine = 'ObReferenceObjectByName';
  return new NtCall(routine, () =>
    referenceObjectByName(routine, objectName, attributes, desiredAccess, objectType, accessMode),
  );
}

function* referenceObjectByName<T extends ObjectBody = ObjectBody>(
  routine: string,
  objectName: UnicodeString,
  attributes: number,
  desiredAccess: number,
  objectType: ObjectType | null,
  accessMode: MODE,
): KernelCode<ObjectResult<T>> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  yield ddiTime(machine);
  const { status, text } = captureString(objectName);
  if (status !== STATUS.SUCCESS) return noObject(status);
  const captured = { rootDirectory: 0, attributes, name: text, securityDescriptor: undefined };
  const found = yield* lookupCaptured(machine, captured, text, objectType, accessMode, false);
  const { header } = found;
  if (header === undefined) return noObject(found.status);
  if (objectType !== null && header.type !== objectType)
    return noObject(STATUS.OBJECT_TYPE_MISMATCH);
  const access = grantHandle(header, desiredAccess, accessMode, false);
  if (access.status !== STATUS.SUCCESS) return noObject(access.status);
  ObpReference(header);
  return { status: STATUS.SUCCESS, object: header.body as T };
}

/** An object goes with its last handle from now on: without any its name goes now. */
function* makeTemporary(header: ObjectHeader): KernelCode<void> {
  header.permanent = false;
  if (header.handleCount === 0) yield* ObpRemoveName(header);
}

/** An object that was permanent loses its name with its last handle, or now. @irql PASSIVE_LEVEL @nt ObMakeTemporaryObject */
export function ObMakeTemporaryObject(object: ObjectBody): NtCall<void> {
  const routine = 'ObMakeTemporaryObject';
  return new NtCall(routine, () => makeTemporaryObjectSteps(routine, object));
}

function* makeTemporaryObjectSteps(routine: string, object: ObjectBody): KernelCode<void> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.PASSIVE_LEVEL);
  yield ddiTime(object.machine);
  yield* makeTemporary(headerOf(routine, object));
}

const makeTemporaryObject = systemService(
  'MakeTemporaryObject',
  function* (mode, handle: Handle): KernelCode<number> {
    const { status, header } = ObpReferenceByHandle(handle, ACCESS.DELETE, null, mode);
    if (header === undefined) return status;
    yield* makeTemporary(header);
    yield* ObpDereference(header);
    return STATUS.SUCCESS;
  },
);

/** ObMakeTemporaryObject by handle, which needs DELETE. @irql PASSIVE_LEVEL @nt NtMakeTemporaryObject */
export const NtMakeTemporaryObject = makeTemporaryObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwMakeTemporaryObject */
export const ZwMakeTemporaryObject = makeTemporaryObject.zw;

const makePermanentObject = systemService(
  'MakePermanentObject',
  function* (mode, handle: Handle): KernelCode<number> {
    if (!SeSinglePrivilegeCheck(SE_PRIVILEGE.CREATE_PERMANENT, mode))
      return STATUS.PRIVILEGE_NOT_HELD;
    const { status, header } = ObpReferenceByHandle(handle, 0, null, mode);
    if (header === undefined) return status;
    if (header.directory !== undefined) header.permanent = true;
    yield* ObpDereference(header);
    return STATUS.SUCCESS;
  },
);

/** An object with a name stays when its last handle has gone. @irql PASSIVE_LEVEL @nt NtMakePermanentObject */
export const NtMakePermanentObject = makePermanentObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwMakePermanentObject */
export const ZwMakePermanentObject = makePermanentObject.zw;

/** What ObCreateObjectType comes to. */
export interface ObjectTypeResult {
  readonly status: number;
  readonly objectType: ObjectType | null;
}

/**
 * A type of a driver's own, in \ObjectTypes.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_PARAMETER if it is to maintain handle counts without open
 *   and close procedures; STATUS_OBJECT_NAME_COLLISION.
 * @irql PASSIVE_LEVEL   @nt ObCreateObjectType
 */
export function ObCreateObjectType(
  typeName: string,
  objectTypeInitializer: ObjectTypeInitializer,
): NtCall<ObjectTypeResult> {
  const routine = 'ObCreateObjectType';
  return new NtCall(routine, () => createObjectType(routine, typeName, objectTypeInitializer));
}

function* createObjectType(
  routine: string,
  typeName: string,
  objectTypeInitializer: ObjectTypeInitializer,
): KernelCode<ObjectTypeResult> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  yield ddiTime(machine);
  const { procedures, maintainHandleCount } = objectTypeInitializer;
  const counts = procedures?.open !== undefined || procedures?.close !== undefined;
  if (typeName === '' || (maintainHandleCount === true && !counts))
    return { status: STATUS.INVALID_PARAMETER, objectType: null };
  const manager = objectManager(machine);
  if (manager.types.some(({ name }) => name.toUpperCase() === typeName.toUpperCase()))
    return { status: STATUS.OBJECT_NAME_COLLISION, objectType: null };
  const objectType = new ObjectType(typeName, objectTypeInitializer);
  manager.createType(objectType);
  return { status: STATUS.SUCCESS, objectType };
}

import { STATUS } from '../../assembly/shared/status';
import { IRQL, type MODE } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import { type Handle, OBJ } from './attributes';
import { pathOf } from './directory';
import { ObpReferenceByHandle, ObpSetHandleFlags } from './handle';
import { type InformationBuffer, lengthOf, probeBuffer, type Queried } from './information';
import { headerOf, type ObjectBody, type ObjectHeader, shownPointerCount } from './object';
import { ObpDereference } from './reference';
import { objectManager } from './state';
import type { ObjectType } from './type';

/** What there is to know of an object: names, counts, types, flags of its handle. */

/** OBJECT_INFORMATION_CLASS. */
export const enum OBJECT_INFORMATION_CLASS {
  ObjectBasicInformation = 0,
  ObjectNameInformation = 1,
  ObjectTypeInformation = 2,
  ObjectTypesInformation = 3,
  ObjectHandleFlagInformation = 4,
}

/** Bytes of the structures on x64. */
const enum SIZE {
  UNICODE_STRING = 16,
  OBJECT_BASIC_INFORMATION = 56,
  OBJECT_NAME_INFORMATION = 16,
  OBJECT_TYPE_INFORMATION = 104,
  OBJECT_TYPES_INFORMATION = 8,
  OBJECT_HANDLE_FLAG_INFORMATION = 2,
}

/** A string that has been written; without one Buffer is null. */
export interface WrittenString {
  readonly Length: number;
  readonly MaximumLength: number;
  readonly Buffer: string | null;
}

/** OBJECT_BASIC_INFORMATION. */
export interface ObjectBasicInformation {
  /** OBJ flags of handle and object; OBJ_KERNEL_HANDLE is not shown. */
  readonly Attributes: number;
  readonly GrantedAccess: number;
  readonly HandleCount: number;
  /** A handle counts as the profile's handleReferences. The query's own reference is one of them. */
  readonly PointerCount: number;
  readonly NameInfoSize: number;
  readonly TypeInfoSize: number;
}

/** OBJECT_NAME_INFORMATION. */
export interface ObjectNameInformation {
  readonly Name: WrittenString;
}

/** OBJECT_TYPE_INFORMATION. */
export interface ObjectTypeInformation {
  readonly TypeName: string;
  readonly TotalNumberOfObjects: number;
  readonly TotalNumberOfHandles: number;
  readonly HighWaterNumberOfObjects: number;
  readonly HighWaterNumberOfHandles: number;
  readonly InvalidAttributes: number;
  readonly GenericMapping: {
    readonly GenericRead: number;
    readonly GenericWrite: number;
    readonly GenericExecute: number;
    readonly GenericAll: number;
  };
  readonly ValidAccessMask: number;
  readonly MaintainHandleCount: boolean;
  readonly TypeIndex: number;
  readonly PoolType: number;
}

/** OBJECT_TYPES_INFORMATION. */
export interface ObjectTypesInformation {
  readonly Types: readonly ObjectTypeInformation[];
}

/** OBJECT_HANDLE_FLAG_INFORMATION. */
export interface ObjectHandleFlagInformation {
  readonly Inherit: boolean;
  readonly ProtectFromClose: boolean;
}

/** The path of an object, or the name that its type gives it; '' if it has none. */
export function nameOf(header: ObjectHeader): string {
  const { body, type } = header;
  return type.procedures.queryName?.(body) ?? pathOf(header, objectManager(body.machine).root);
}

function written(text: string): WrittenString {
  if (text === '') return { Length: 0, MaximumLength: 0, Buffer: null };
  return { Length: text.length * 2, MaximumLength: text.length * 2 + 2, Buffer: text };
}

/** Bytes of a string with its end; 0 without one. */
function bytesOf(text: string): number {
  return text === '' ? 0 : text.length * 2 + 2;
}

function typeInformation(type: ObjectType, body: ObjectBody): ObjectTypeInformation {
  const manager = objectManager(body.machine);
  const { objects, handles, highWaterObjects, highWaterHandles } = manager.statistics(type);
  const total = type.procedures.count?.(body.machine) ?? objects;
  const { genericRead, genericWrite, genericExecute, genericAll } = type.genericMapping;
  return {
    TypeName: type.name,
    TotalNumberOfObjects: total,
    TotalNumberOfHandles: handles,
    HighWaterNumberOfObjects: Math.max(total, highWaterObjects),
    HighWaterNumberOfHandles: highWaterHandles,
    InvalidAttributes: type.invalidAttributes,
    GenericMapping: {
      GenericRead: genericRead,
      GenericWrite: genericWrite,
      GenericExecute: genericExecute,
      GenericAll: genericAll,
    },
    ValidAccessMask: type.validAccessMask,
    MaintainHandleCount: type.maintainHandleCount,
    TypeIndex: manager.typeIndex(type),
    PoolType: type.poolType,
  };
}

/** An object in the middle of a query, and the handle through which it is asked for. */
interface Subject {
  readonly header: ObjectHeader;
  readonly attributes: number;
  readonly grantedAccess: number;
}

/** What a class writes: how much room it takes, whether a buffer of that many bytes gets anything. */
interface Answer {
  readonly needed: number;
  /** Bytes below which the length is wrong, not merely too short; exact: any other length is wrong. */
  readonly least: number;
  readonly exact: boolean;
  readonly fields: object;
}

function basicAnswer({ header, attributes, grantedAccess }: Subject): Answer {
  const { permanent, exclusiveProcess, handleCount, type } = header;
  const name = bytesOf(nameOf(header));
  const fields: ObjectBasicInformation = {
    Attributes:
      attributes |
      (permanent ? OBJ.PERMANENT : 0) |
      (exclusiveProcess === undefined ? 0 : OBJ.EXCLUSIVE),
    GrantedAccess: grantedAccess,
    HandleCount: handleCount,
    PointerCount: shownPointerCount(header),
    NameInfoSize: name === 0 ? 0 : SIZE.UNICODE_STRING + name,
    TypeInfoSize: SIZE.OBJECT_TYPE_INFORMATION + bytesOf(type.name),
  };
  const size = SIZE.OBJECT_BASIC_INFORMATION;
  return { needed: size, least: size, exact: true, fields };
}

function nameAnswer(name: string): Answer {
  const size = SIZE.OBJECT_NAME_INFORMATION;
  return {
    needed: size + bytesOf(name),
    least: size,
    exact: false,
    fields: { Name: written(name) },
  };
}

function typeAnswer({ header: { type, body } }: Subject): Answer {
  const needed = SIZE.OBJECT_TYPE_INFORMATION + bytesOf(type.name);
  return { needed, least: needed, exact: false, fields: typeInformation(type, body) };
}

/** Rounds up to the alignment of the next structure. */
function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function typesAnswer(body: ObjectBody): Answer {
  const { types } = objectManager(body.machine);
  const sizes = types.map(({ name }) => SIZE.OBJECT_TYPE_INFORMATION + aligned(bytesOf(name)));
  const needed = sizes.reduce<number>((sum, size) => sum + size, SIZE.OBJECT_TYPES_INFORMATION);
  const fields: ObjectTypesInformation = {
    Types: types.map((type) => typeInformation(type, body)),
  };
  return { needed, least: needed, exact: false, fields };
}

function flagAnswer({ attributes }: Subject): Answer {
  const size = SIZE.OBJECT_HANDLE_FLAG_INFORMATION;
  const fields: ObjectHandleFlagInformation = {
    Inherit: (attributes & OBJ.INHERIT) !== 0,
    ProtectFromClose: (attributes & OBJ.PROTECT_CLOSE) !== 0,
  };
  return { needed: size, least: size, exact: true, fields };
}

function answerOf(informationClass: number, subject: Subject): Answer | undefined {
  switch (informationClass) {
    case OBJECT_INFORMATION_CLASS.ObjectBasicInformation:
      return basicAnswer(subject);
    case OBJECT_INFORMATION_CLASS.ObjectNameInformation:
      return nameAnswer(nameOf(subject.header));
    case OBJECT_INFORMATION_CLASS.ObjectTypeInformation:
      return typeAnswer(subject);
    case OBJECT_INFORMATION_CLASS.ObjectHandleFlagInformation:
      return flagAnswer(subject);
    default:
      return undefined;
  }
}

/** All that NtQueryObject may tell; a class fills in its own. */
type ObjectInformation = ObjectBasicInformation &
  ObjectNameInformation &
  ObjectTypeInformation &
  ObjectTypesInformation &
  ObjectHandleFlagInformation;

/** Puts an answer into a buffer, or says why not. */
function deliver(
  answer: Answer,
  buffer: InformationBuffer,
  alignment: number,
): Queried<ObjectInformation> {
  const { needed, least, exact, fields } = answer;
  const length = lengthOf(buffer);
  if (exact ? length !== needed : length < least)
    return { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: needed };
  const probed = probeBuffer(buffer, alignment);
  if (probed !== STATUS.SUCCESS) return { status: probed, returnLength: undefined };
  if (length < needed) return { status: STATUS.BUFFER_OVERFLOW, returnLength: needed };
  return { status: STATUS.SUCCESS, returnLength: needed, ...fields };
}

const queryObject = systemService(
  'QueryObject',
  function* (
    mode,
    handle: Handle,
    objectInformationClass: OBJECT_INFORMATION_CLASS,
    objectInformationLength: InformationBuffer,
  ): KernelCode<Queried<ObjectInformation>> {
    const { machine } = currentGuest('NtQueryObject');
    if (objectInformationClass === OBJECT_INFORMATION_CLASS.ObjectTypesInformation)
      return deliver(typesAnswer(objectManager(machine).root), objectInformationLength, 4);
    const { status, header, handleInformation } = ObpReferenceByHandle(handle, 0, null, mode);
    if (header === undefined) return { status, returnLength: undefined };
    const { HandleAttributes: attributes, GrantedAccess: grantedAccess } = handleInformation;
    const answer = answerOf(objectInformationClass, { header, attributes, grantedAccess });
    yield* ObpDereference(header);
    if (answer === undefined) return { status: STATUS.INVALID_INFO_CLASS, returnLength: undefined };
    const bytes = objectInformationClass === OBJECT_INFORMATION_CLASS.ObjectHandleFlagInformation;
    return deliver(answer, objectInformationLength, bytes ? 1 : 4);
  },
);

/**
 * Tells of an object, of its type, of all types (whatever the handle) or of the handle, for a buffer
 * of so many bytes.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_HANDLE; STATUS_INVALID_INFO_CLASS;
 *   STATUS_INFO_LENGTH_MISMATCH, or STATUS_BUFFER_OVERFLOW of a name, with the bytes that it takes.
 * @irql PASSIVE_LEVEL   @nt NtQueryObject (partial: pool charges, security and times are left out)
 */
export const NtQueryObject = queryObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryObject (partial: pool charges, security and times are left out) */
export const ZwQueryObject = queryObject.zw;

const setInformationObject = systemService(
  'SetInformationObject',
  function* (
    mode,
    handle: Handle,
    objectInformationClass: OBJECT_INFORMATION_CLASS,
    objectInformation: ObjectHandleFlagInformation,
    objectInformationLength: number,
  ): KernelCode<number> {
    if (objectInformationClass !== OBJECT_INFORMATION_CLASS.ObjectHandleFlagInformation)
      return STATUS.INVALID_INFO_CLASS;
    if (objectInformationLength !== SIZE.OBJECT_HANDLE_FLAG_INFORMATION)
      return STATUS.INFO_LENGTH_MISMATCH;
    yield ddiTime(currentGuest('NtSetInformationObject').machine);
    return setHandleFlags(handle, objectInformation, mode);
  },
);

function setHandleFlags(handle: Handle, flags: ObjectHandleFlagInformation, mode: MODE): number {
  const { Inherit, ProtectFromClose } = flags;
  return ObpSetHandleFlags(
    handle,
    (Inherit ? OBJ.INHERIT : 0) | (ProtectFromClose ? OBJ.PROTECT_CLOSE : 0),
    mode,
  );
}

/**
 * Sets whether a handle is inherited, and protected from close: ObjectHandleFlagInformation, 2 bytes.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_HANDLE, of pseudo handles too; STATUS_INVALID_INFO_CLASS;
 *   STATUS_INFO_LENGTH_MISMATCH.
 * @irql PASSIVE_LEVEL   @nt NtSetInformationObject
 */
export const NtSetInformationObject = setInformationObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetInformationObject */
export const ZwSetInformationObject = setInformationObject.zw;

/** The same of NtSetInformationObject as a caller of that mode. @irql PASSIVE_LEVEL @nt ObSetHandleAttributes */
export function ObSetHandleAttributes(
  handle: Handle,
  handleFlags: ObjectHandleFlagInformation,
  previousMode: MODE,
): NtCall<number> {
  const routine = 'ObSetHandleAttributes';
  return new NtCall(routine, () => setHandleAttributes(routine, handle, handleFlags, previousMode));
}

function* setHandleAttributes(
  routine: string,
  handle: Handle,
  handleFlags: ObjectHandleFlagInformation,
  previousMode: MODE,
): KernelCode<number> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.PASSIVE_LEVEL);
  yield ddiTime(currentGuest(routine).machine);
  return setHandleFlags(handle, handleFlags, previousMode);
}

/**
 * The name of an object, for a buffer of so many bytes: its path from the root. One without a name
 * has a string without a buffer.
 *
 * @returns STATUS_SUCCESS; STATUS_INFO_LENGTH_MISMATCH, with the bytes that it takes.
 * @irql PASSIVE_LEVEL   @nt ObQueryNameString
 */
export function ObQueryNameString(
  object: ObjectBody,
  length: number,
): NtCall<Queried<ObjectNameInformation>> {
  const routine = 'ObQueryNameString';
  return new NtCall(routine, () => queryNameString(routine, object, length));
}

function* queryNameString(
  routine: string,
  object: ObjectBody,
  length: number,
): KernelCode<Queried<ObjectNameInformation>> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.PASSIVE_LEVEL);
  yield ddiTime(object.machine);
  const { needed, fields } = nameAnswer(nameOf(headerOf(routine, object)));
  if (length < needed) return { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: needed };
  return { status: STATUS.SUCCESS, returnLength: needed, ...fields };
}

const compareObjects = systemService(
  'CompareObjects',
  function* (mode, firstHandle: Handle, secondHandle: Handle): KernelCode<number> {
    const first = ObpReferenceByHandle(firstHandle, 0, null, mode);
    if (first.header === undefined) return first.status;
    const second = ObpReferenceByHandle(secondHandle, 0, null, mode);
    yield* ObpDereference(first.header);
    if (second.header === undefined) return second.status;
    yield* ObpDereference(second.header);
    return first.header === second.header ? STATUS.SUCCESS : STATUS.NOT_SAME_OBJECT;
  },
);

/** Whether two handles are of one object: STATUS_SUCCESS or STATUS_NOT_SAME_OBJECT. @irql PASSIVE_LEVEL @nt NtCompareObjects */
export const NtCompareObjects = compareObjects.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCompareObjects */
export const ZwCompareObjects = compareObjects.zw;

import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { type KernelCode, systemService } from '../ke/mode';
import { MachineError } from '../machine/errors';
import type { NtCall } from '../machine/guest';
import { requireInteger } from '../machine/profile';
import type { Handle } from '../ob/attributes';
import { ObpReferenceByHandle } from '../ob/handle';
import { type InformationBuffer, lengthOf, type Queried } from '../ob/information';
import type { ObjectBody } from '../ob/object';
import { ObpDereference } from '../ob/reference';
import type { ObjectType } from '../ob/type';

/**
 * Classes of information about processes and threads: what each reads or writes, how long its buffer
 * is, which rights it needs, and in which order Windows finds out what is wrong.
 */

/** A pointer to where nothing is mapped, in place of a variable or of information: NULL has address 0. */
export interface BadPointer {
  readonly address: number;
}

/** Who asks for something: whether its pointers are probed, its rights and privileges looked at. */
export interface Caller {
  readonly mode: MODE;
}

/** What a query comes to, before it is written: fields, or a status and what ReturnLength says. */
export type Answer = object | { readonly status: number; readonly returnLength?: number };

/** A class that can be asked for. */
export interface QueryClass<B> {
  /** Bytes that the buffer may have; 'variable': the query says. */
  readonly lengths: readonly [number, ...number[]] | 'variable';
  /** Of the buffer's address. Default 4. */
  readonly alignment?: number;
  /** Rights any one of which is enough. */
  readonly access: number;
  /** ReturnLength is not written when the length is wrong. */
  readonly silent?: boolean;
  /** A buffer that is not mapped is found before the handle is looked at. */
  readonly eager?: boolean;
  query(object: B, length: number, caller: Caller, granted: number): Answer;
}

/** A class that can be set. */
export interface SetClass<B, V> {
  readonly lengths: readonly [number, ...number[]];
  /** Of the information's address. Default 4. */
  readonly alignment?: number;
  readonly access: number;
  set(object: B, value: V, caller: Caller, length: number): KernelCode<number> | number;
}

/** Classes by number; 'unmodelled' ones exist, and are STATUS_NOT_IMPLEMENTED. */
export type Classes<C> = ReadonlyMap<number, C | 'unmodelled'>;

export function isBadPointer(value: unknown): value is BadPointer {
  return typeof value === 'object' && value !== null && 'address' in value;
}

/** What comes of writing a variable of the caller's through a pointer. */
export function probeVariable(pointer: BadPointer | undefined): number {
  return pointer === undefined ? STATUS.SUCCESS : STATUS.ACCESS_VIOLATION;
}

function isStatus(answer: Answer): answer is { status: number; returnLength?: number } {
  return 'status' in answer;
}

function refused(status: number, returnLength?: number): Queried<object> {
  return { status, returnLength };
}

/** What is wrong with a query before its object is looked at; undefined: nothing. */
export function checkBuffer<B>(
  classes: Classes<QueryClass<B>>,
  number: number,
  buffer: InformationBuffer,
  returnLength: BadPointer | undefined,
  mode: MODE,
): { readonly failure?: Queried<object>; readonly found?: QueryClass<B> } {
  const found = classes.get(number);
  if (found === undefined) return { failure: refused(STATUS.INVALID_INFO_CLASS) };
  if (found === 'unmodelled') return { failure: refused(STATUS.NOT_IMPLEMENTED) };
  const length = lengthOf(buffer);
  const address = isBadPointer(buffer) ? buffer.address : 0;
  if (mode === MODE.UserMode) {
    if (length !== 0 && address % (found.alignment ?? 4) !== 0)
      return { failure: refused(STATUS.DATATYPE_MISALIGNMENT) };
    if (returnLength !== undefined) return { failure: refused(STATUS.ACCESS_VIOLATION) };
  }
  const { lengths, silent, eager } = found;
  if (lengths !== 'variable' && !lengths.includes(length)) {
    const told = silent === true ? undefined : lengths[0];
    return { failure: refused(STATUS.INFO_LENGTH_MISMATCH, told) };
  }
  if (eager === true && isBadPointer(buffer)) return { failure: refused(STATUS.ACCESS_VIOLATION) };
  return { found };
}

/** Writes an answer into a buffer. */
export function written(
  answer: Answer,
  buffer: InformationBuffer,
  returnLength: BadPointer | undefined,
): Queried<object> {
  if (isStatus(answer)) {
    const failure = answer.status >= 0x8000_0000;
    if (failure) return { ...answer, returnLength: answer.returnLength };
  }
  if (isBadPointer(buffer) || returnLength !== undefined) return refused(STATUS.ACCESS_VIOLATION);
  return { status: STATUS.SUCCESS, returnLength: lengthOf(buffer), ...answer };
}

/** Asks for information about the object of a handle. */
export function* queryObject<B extends ObjectBody>(
  mode: MODE,
  handle: Handle,
  type: ObjectType,
  classes: Classes<QueryClass<B>>,
  number: number,
  buffer: InformationBuffer,
  returnLength: BadPointer | undefined,
): KernelCode<Queried<object>> {
  const { failure, found } = checkBuffer(classes, number, buffer, returnLength, mode);
  if (found === undefined) return failure ?? refused(STATUS.INVALID_INFO_CLASS);
  const { status, header, handleInformation } = ObpReferenceByHandle(handle, 0, type, mode);
  if (header === undefined) return refused(status);
  const { GrantedAccess } = handleInformation;
  const denied = mode === MODE.UserMode && (GrantedAccess & found.access) === 0;
  const answer = denied
    ? { status: STATUS.ACCESS_DENIED }
    : found.query(header.body as B, lengthOf(buffer), { mode }, GrantedAccess);
  yield* ObpDereference(header);
  return written(answer, buffer, returnLength);
}

/** What is wrong with information that is to be set, before its object is looked at. */
function checkInformation<V>(
  { lengths, alignment = 4 }: SetClass<never, V>,
  information: V | BadPointer | null,
  length: number,
  mode: MODE,
): number {
  const address = isBadPointer(information) ? information.address : 0;
  if (mode === MODE.UserMode && length !== 0 && address % alignment !== 0)
    return STATUS.DATATYPE_MISALIGNMENT;
  if (!lengths.includes(length)) return STATUS.INFO_LENGTH_MISMATCH;
  if (length !== 0 && (information === null || isBadPointer(information)))
    return STATUS.ACCESS_VIOLATION;
  return STATUS.SUCCESS;
}

/** Sets information about the object of a handle. */
export function* setObject<B extends ObjectBody, V>(
  mode: MODE,
  handle: Handle,
  type: ObjectType,
  found: SetClass<B, V> | 'unmodelled' | undefined,
  information: V | BadPointer | null,
  length: number,
): KernelCode<number> {
  if (found === undefined) return STATUS.INVALID_INFO_CLASS;
  if (found === 'unmodelled') return STATUS.NOT_IMPLEMENTED;
  const wrong = checkInformation(found, information, length, mode);
  if (wrong !== STATUS.SUCCESS) return wrong;
  const { status, header, handleInformation } = ObpReferenceByHandle(handle, 0, type, mode);
  if (header === undefined) return status;
  try {
    const denied = (handleInformation.GrantedAccess & found.access) === 0;
    if (mode === MODE.UserMode && denied) return STATUS.ACCESS_DENIED;
    const result = found.set(header.body as B, information as V, { mode }, length);
    return typeof result === 'number' ? result : yield* result;
  } finally {
    yield* ObpDereference(header);
  }
}

/** The form of a service that asks: the fields are those of the class. */
export interface QueryInformation<I extends { readonly [C in keyof I]: object }> {
  <C extends keyof I>(
    handle: Handle,
    informationClass: C,
    buffer: InformationBuffer,
    returnLength?: BadPointer,
  ): NtCall<Queried<I[C]>>;
  (
    handle: Handle,
    informationClass: number,
    buffer: InformationBuffer,
    returnLength?: BadPointer,
  ): NtCall<Queried<object>>;
}

/** The form of one that sets: what it takes is the class's. */
export interface SetInformation<S> {
  <C extends keyof S>(
    handle: Handle,
    informationClass: C,
    information: S[C] | BadPointer | null,
    informationLength: number,
  ): NtCall<number>;
  (
    handle: Handle,
    informationClass: number,
    information: S[keyof S] | BadPointer | null,
    informationLength: number,
  ): NtCall<number>;
}

/** Both names of a service that asks for information about objects of a type. */
export function queryService<B extends ObjectBody, I extends { readonly [C in keyof I]: object }>(
  name: string,
  type: ObjectType,
  classes: Classes<QueryClass<B>>,
): { readonly nt: QueryInformation<I>; readonly zw: QueryInformation<I> } {
  const { nt, zw } = systemService(
    name,
    (
      mode,
      handle: Handle,
      informationClass: number,
      buffer: InformationBuffer,
      returnLength?: BadPointer,
    ) => queryObject(mode, handle, type, classes, informationClass, buffer, returnLength),
  );
  return { nt: nt as QueryInformation<I>, zw: zw as QueryInformation<I> };
}

/** Both names of a service that sets it; `unmodelled` are classes that Windows has besides. */
export function setService<B extends ObjectBody, S>(
  name: string,
  type: ObjectType,
  classes: { readonly [C in keyof S]: SetClass<B, S[C]> },
  unmodelled: readonly number[],
): { readonly nt: SetInformation<S>; readonly zw: SetInformation<S> } {
  type Setting = S[keyof S];
  const known = classes as Readonly<Record<number, SetClass<B, Setting>>>;
  const { nt, zw } = systemService(
    name,
    (
      mode,
      handle: Handle,
      informationClass: number,
      information: Setting | BadPointer | null,
      informationLength: number,
    ) => {
      const found = unmodelled.includes(informationClass) ? 'unmodelled' : known[informationClass];
      return setObject(mode, handle, type, found, information, informationLength);
    },
  );
  return { nt: nt as SetInformation<S>, zw: zw as SetInformation<S> };
}

/** A ULONG, LONG or BOOLEAN that a class takes, or an error that names the class. */
export function numberIn(name: string, value: unknown, low: number, high: number): number {
  return requireInteger(name, typeof value === 'boolean' ? Number(value) : value, low, high);
}

export const ULONG_MAX = 0xffff_ffff;

/** A KAFFINITY that a class takes: every bit of 64 may be set. */
export function affinityIn(name: string, value: unknown): bigint {
  return sizeIn(name, value);
}

/** A SIZE_T that a class takes. */
export function sizeIn(name: string, value: unknown): bigint {
  if (typeof value !== 'bigint' || value < 0n || value >= 2n ** 64n)
    throw new MachineError(`${name} is ${String(value)}; give a bigint from 0n to 2n ** 64n - 1n`);
  return value;
}

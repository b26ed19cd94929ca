import { STATUS } from '../../../assembly/shared/status';
import type { MODE } from '../../../assembly/shared/types';
import type { KernelCode } from '../../ke/mode';
import { NtStatusError } from '../../machine/guest';
import type { Handle } from '../attributes';
import { ObpReferenceByHandle } from '../handle';
import {
  checkQuery,
  type InformationBuffer,
  type InformationClass,
  lengthOf,
  type Queried,
} from '../information';
import type { ObjectBody } from '../object';
import { ObpDereference } from '../reference';
import type { ObjectType } from '../type';

/** The status that an exception stands for: services return what the kernel raises. */
export function raisedStatus(error: unknown): number {
  if (error instanceof NtStatusError) return error.status;
  throw error;
}

/** Runs `use` on the object of a handle, referenced for as long as that lasts; a status if there is none. */
export function* onHandle<B extends ObjectBody, R>(
  mode: MODE,
  handle: Handle,
  desiredAccess: number,
  type: ObjectType | null,
  use: (object: B) => KernelCode<R>,
): KernelCode<R | number> {
  const { status, header } = ObpReferenceByHandle(handle, desiredAccess, type, mode);
  if (header === undefined) return status;
  try {
    return yield* use(header.body as B);
  } finally {
    yield* ObpDereference(header);
  }
}

/** The same for what only looks at the object. */
export function* readHandle<B extends ObjectBody, R>(
  mode: MODE,
  handle: Handle,
  desiredAccess: number,
  type: ObjectType,
  read: (object: B) => R,
): KernelCode<R | number> {
  const { status, header } = ObpReferenceByHandle(handle, desiredAccess, type, mode);
  if (header === undefined) return status;
  const result = read(header.body as B);
  yield* ObpDereference(header);
  return result;
}

/** The same for a query. */
export function* queryHandle<B extends ObjectBody, R extends object>(
  mode: MODE,
  handle: Handle,
  desiredAccess: number,
  type: ObjectType,
  information: InformationClass<B, R> | undefined,
  buffer: InformationBuffer,
): KernelCode<Queried<R>> {
  const { status, returnLength } = checkQuery(information, buffer);
  if (information === undefined || status !== STATUS.SUCCESS)
    return { status, returnLength } as Queried<R>;
  const reference = ObpReferenceByHandle(handle, desiredAccess, type, mode);
  const { header } = reference;
  if (header === undefined)
    return { status: reference.status, returnLength: undefined } as Queried<R>;
  const fields = information.query(header.body as B);
  yield* ObpDereference(header);
  return { status: STATUS.SUCCESS, returnLength: lengthOf(buffer), ...fields };
}

/** A status and the state before: that is undefined, as it is not written, on failure. */
export interface PreviousState {
  readonly status: number;
  readonly previousState: number | undefined;
}

/** Changes the object of a handle by a routine that returns the state before. */
export function* changeHandle<B extends ObjectBody>(
  mode: MODE,
  handle: Handle,
  desiredAccess: number,
  type: ObjectType,
  change: (object: B) => KernelCode<number>,
): KernelCode<PreviousState> {
  const result = yield* onHandle(mode, handle, desiredAccess, type, function* (object: B) {
    try {
      return { status: STATUS.SUCCESS, previousState: yield* change(object) };
    } catch (error) {
      return raisedStatus(error);
    }
  });
  return typeof result === 'number' ? { status: result, previousState: undefined } : result;
}

import { LIMIT } from '../../../assembly/shared/limits';
import { OP } from '../../../assembly/shared/opcode';
import { STATUS } from '../../../assembly/shared/status';
import { KWAIT_REASON, MODE, WAIT_TYPE } from '../../../assembly/shared/types';
import { encodeTimeout, type Timeout } from '../../ke/call';
import { KeWaitForMultipleObjects, KeWaitForSingleObject, waitField } from '../../ke/ddi';
import { type KernelCode, systemService } from '../../ke/mode';
import { encode, words64 } from '../../machine/instruction';
import { KernelObject } from '../../machine/views';
import { ACCESS } from '../access';
import type { Handle } from '../attributes';
import { ObpReferenceByHandle } from '../handle';
import { HostObject, type ObjectHeader } from '../object';
import { ObpDereference } from '../reference';
import { objectManager } from '../state';
import type { ObjectType } from '../type';
import { ExEventObjectType, ExMutantObjectType, ExSemaphoreObjectType } from '../types';
import { EVENT_ACCESS } from './event';
import { raisedStatus } from './on-handle';
import { SEMAPHORE_ACCESS } from './semaphore';

/** Waits on handles. Every one of them needs SYNCHRONIZE. */

/** What a wait for an object waits for: itself, an event of its own, or what is always signaled. */
function waitableOf({ body }: ObjectHeader): KernelObject {
  if (body instanceof KernelObject) return body;
  const own = body instanceof HostObject ? body.waitObject : undefined;
  return own ?? objectManager(body.machine).defaultObject;
}

/** Gives references back, in their order. */
function* release(headers: readonly ObjectHeader[]): KernelCode<void> {
  for (const header of headers) yield* ObpDereference(header);
}

const waitForSingleObject = systemService(
  'WaitForSingleObject',
  function* (mode, handle: Handle, alertable: boolean, timeout100ns: Timeout): KernelCode<number> {
    const { status, header } = ObpReferenceByHandle(handle, ACCESS.SYNCHRONIZE, null, mode);
    if (header === undefined) return status;
    const object = waitableOf(header);
    try {
      const reason = KWAIT_REASON.UserRequest;
      return yield* KeWaitForSingleObject(object, reason, mode, alertable, timeout100ns);
    } catch (error) {
      return raisedStatus(error);
    } finally {
      yield* ObpDereference(header);
    }
  },
);

/**
 * Waits for the object of a handle; see KeWaitForSingleObject. A wait for what is no dispatcher
 * object and has none is over at once.
 *
 * @returns what the wait comes to; STATUS_INVALID_HANDLE; STATUS_ACCESS_DENIED without SYNCHRONIZE.
 * @irql PASSIVE_LEVEL   @nt NtWaitForSingleObject
 */
export const NtWaitForSingleObject = waitForSingleObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwWaitForSingleObject */
export const ZwWaitForSingleObject = waitForSingleObject.zw;

/** References to all objects of a wait, or why there are none. */
function* referenceAll(
  handles: readonly Handle[],
  mode: MODE,
): KernelCode<{ readonly status: number; readonly headers: readonly ObjectHeader[] }> {
  const headers: ObjectHeader[] = [];
  for (const handle of handles) {
    // Pseudo handles are none of those that such a wait takes.
    const { status, header } =
      handle < 0 && handle >= -6
        ? { status: STATUS.INVALID_HANDLE, header: undefined }
        : ObpReferenceByHandle(handle, ACCESS.SYNCHRONIZE, null, mode);
    if (header === undefined) {
      yield* release(headers);
      return { status, headers: [] };
    }
    headers.push(header);
  }
  return { status: STATUS.SUCCESS, headers };
}

const waitForMultipleObjects = systemService(
  'WaitForMultipleObjects',
  function* (
    mode,
    handles: readonly Handle[],
    waitType: WAIT_TYPE,
    alertable: boolean,
    timeout100ns: Timeout,
  ): KernelCode<number> {
    if (handles.length === 0 || handles.length > LIMIT.WaitObjects)
      return STATUS.INVALID_PARAMETER_1;
    if (waitType !== WAIT_TYPE.WaitAll && waitType !== WAIT_TYPE.WaitAny)
      return STATUS.INVALID_PARAMETER_3;
    const { status, headers } = yield* referenceAll(handles, mode);
    if (status !== STATUS.SUCCESS) return status;
    const objects = headers.map(waitableOf);
    try {
      const twice = new Set(objects).size !== objects.length;
      if (waitType === WAIT_TYPE.WaitAll && twice) return STATUS.INVALID_PARAMETER_MIX;
      const reason = KWAIT_REASON.UserRequest;
      return yield* KeWaitForMultipleObjects(
        objects,
        waitType,
        reason,
        mode,
        alertable,
        timeout100ns,
        objects,
      );
    } catch (error) {
      return raisedStatus(error);
    } finally {
      yield* release(headers);
    }
  },
);

/**
 * Waits for one or all of the objects of 1 to 64 handles; see KeWaitForMultipleObjects.
 *
 * @returns what the wait comes to; STATUS_INVALID_HANDLE, of pseudo handles too;
 *   STATUS_ACCESS_DENIED; STATUS_INVALID_PARAMETER_1 for another number of them,
 *   STATUS_INVALID_PARAMETER_3 for another type of wait; STATUS_INVALID_PARAMETER_MIX for all of
 *   objects of which one comes twice.
 * @irql PASSIVE_LEVEL   @nt NtWaitForMultipleObjects
 */
export const NtWaitForMultipleObjects = waitForMultipleObjects.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwWaitForMultipleObjects */
export const ZwWaitForMultipleObjects = waitForMultipleObjects.zw;

/** The right that signaling an object of a type takes; undefined: it cannot be. */
function signalAccess(type: ObjectType): number | undefined {
  if (type === ExEventObjectType) return EVENT_ACCESS.MODIFY_STATE;
  if (type === ExSemaphoreObjectType) return SEMAPHORE_ACCESS.MODIFY_STATE;
  return type === ExMutantObjectType ? 0 : undefined;
}

/** Signals one object and waits for another, in one instruction. */
function* signalAndWait(
  signal: ObjectHeader,
  wait: ObjectHeader,
  field: number,
  timeout: number | bigint,
): KernelCode<number> {
  const signalled = (signal.body as KernelObject).handle;
  const awaited = waitableOf(wait).handle;
  const first = encode(OP.SignalAndWait, 0, field);
  return yield [first, ...words64(signalled), ...words64(awaited), ...words64(timeout)];
}

const signalAndWaitForSingleObject = systemService(
  'SignalAndWaitForSingleObject',
  function* (
    mode,
    signalHandle: Handle,
    waitHandle: Handle,
    alertable: boolean,
    timeout100ns: Timeout,
  ): KernelCode<number> {
    const timeout = encodeTimeout('NtSignalAndWaitForSingleObject', timeout100ns);
    const signal = ObpReferenceByHandle(signalHandle, 0, null, mode);
    if (signal.header === undefined) return signal.status;
    const wait = ObpReferenceByHandle(waitHandle, ACCESS.SYNCHRONIZE, null, mode);
    const headers = wait.header === undefined ? [signal.header] : [wait.header, signal.header];
    try {
      if (wait.header === undefined) return wait.status;
      const access = signalAccess(signal.header.type);
      if (access === undefined) return STATUS.OBJECT_TYPE_MISMATCH;
      const granted = signal.handleInformation.GrantedAccess;
      if (mode === MODE.UserMode && (access & ~granted) !== 0) return STATUS.ACCESS_DENIED;
      const field = waitField(KWAIT_REASON.UserRequest, mode, alertable);
      return yield* signalAndWait(signal.header, wait.header, field, timeout);
    } catch (error) {
      return raisedStatus(error);
    } finally {
      yield* release(headers);
    }
  },
);

/**
 * Signals an event, a semaphore by one or a mutant, and waits for another object: no other processor
 * sees the one without the other.
 *
 * @returns what the wait comes to; STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH for what
 *   cannot be signaled; STATUS_ACCESS_DENIED; STATUS_SEMAPHORE_LIMIT_EXCEEDED and
 *   STATUS_MUTANT_NOT_OWNED, without a wait.
 * @irql PASSIVE_LEVEL   @nt NtSignalAndWaitForSingleObject
 */
export const NtSignalAndWaitForSingleObject = signalAndWaitForSingleObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSignalAndWaitForSingleObject */
export const ZwSignalAndWaitForSingleObject = signalAndWaitForSingleObject.zw;

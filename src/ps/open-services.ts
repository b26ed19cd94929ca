import { STATUS } from '../../assembly/shared/status';
import type { MODE } from '../../assembly/shared/types';
import { type KernelCode, systemService } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import type { KProcess, KThread } from '../machine/views';
import {
  captureAttributes,
  failed,
  type Handle,
  type HandleResult,
  type ObjectAttributes,
} from '../ob/attributes';
import { ObpCreateHandle } from '../ob/handle';
import { headerOf } from '../ob/object';
import { ObpDereference, ObpReference } from '../ob/reference';
import { onHandle } from '../ob/services/on-handle';
import { PsProcessType, PsThreadType } from '../ob/types';
import { PROCESS_ACCESS, withImpliedProcessRights, withImpliedThreadRights } from './access';
import { type ClientId, processIdOf } from './cid';
import { processOfId, threadOfId } from './identity';

/** Handles to processes and threads, by their ids and one after the other. */

/** A handle to a process or thread that is there. */
export function* openObject(
  mode: MODE,
  object: KProcess | KThread,
  desiredAccess: number,
  attributes: number,
): KernelCode<HandleResult> {
  const header = headerOf('ObOpenObjectByPointer', object);
  ObpReference(header);
  const result = yield* ObpCreateHandle({ header, mode, desiredAccess, attributes, opening: true });
  yield* ObpDereference(header);
  return result;
}

/** What is wrong with the arguments of an open by id. */
function openStatus(
  desiredAccess: number,
  validAccess: number,
  attributes: ObjectAttributes | null,
  clientId: ClientId | null,
): { readonly status: number; readonly attributes: number } {
  if (attributes === null) return { status: STATUS.ACCESS_VIOLATION, attributes: 0 };
  const { status, captured } = captureAttributes(attributes);
  if (status !== STATUS.SUCCESS) return { status, attributes: 0 };
  if (captured.name !== undefined || clientId === null)
    return { status: STATUS.INVALID_PARAMETER_MIX, attributes: 0 };
  const known = validAccess | SPECIAL_ACCESS;
  if ((desiredAccess & ~known) !== 0) return { status: STATUS.INVALID_PARAMETER, attributes: 0 };
  return { status, attributes: captured.attributes };
}

/** Generic rights, MAXIMUM_ALLOWED and ACCESS_SYSTEM_SECURITY. */
const SPECIAL_ACCESS = 0xf300_0000;

/** The thread of a client id: of its process too, if that is given. */
function threadOf({ UniqueProcess, UniqueThread }: ClientId): KThread | undefined {
  const { machine } = currentGuest('NtOpenThread');
  const thread = threadOfId(machine, UniqueThread);
  if (thread === undefined || UniqueProcess === 0) return thread;
  const process = processOfId(machine, UniqueProcess);
  return process !== undefined && processIdOf(process) === processIdOf(thread.process)
    ? thread
    : undefined;
}

const openProcess = systemService(
  'OpenProcess',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    clientId: ClientId | null,
  ): KernelCode<HandleResult> {
    const { validAccessMask } = PsProcessType;
    const open = openStatus(desiredAccess, validAccessMask, objectAttributes, clientId);
    if (open.status !== STATUS.SUCCESS || clientId === null) return failed(open.status);
    const process =
      clientId.UniqueThread === 0
        ? processOfId(currentGuest('NtOpenProcess').machine, clientId.UniqueProcess)
        : threadOf(clientId)?.process;
    if (process === undefined) return failed(STATUS.INVALID_CID);
    return yield* openObject(
      mode,
      process,
      withImpliedProcessRights(desiredAccess),
      open.attributes,
    );
  },
);

/**
 * Opens the process of a client id, or of the thread of one. The two low bits of ids do not count.
 *
 * @returns SUCCESS; ACCESS_VIOLATION without attributes; INVALID_PARAMETER_MIX with a name or without a
 *   client id; INVALID_PARAMETER for rights that processes do not have; INVALID_CID; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtOpenProcess
 */
export const NtOpenProcess = openProcess.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenProcess */
export const ZwOpenProcess = openProcess.zw;

const openThread = systemService(
  'OpenThread',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    clientId: ClientId | null,
  ): KernelCode<HandleResult> {
    const { validAccessMask } = PsThreadType;
    const open = openStatus(desiredAccess, validAccessMask, objectAttributes, clientId);
    if (open.status !== STATUS.SUCCESS || clientId === null) return failed(open.status);
    const thread = threadOf(clientId);
    if (thread === undefined) return failed(STATUS.INVALID_CID);
    return yield* openObject(mode, thread, withImpliedThreadRights(desiredAccess), open.attributes);
  },
);

/** Opens the thread of a client id; a process of 0 is any. Statuses as of NtOpenProcess. @irql PASSIVE_LEVEL @nt NtOpenThread */
export const NtOpenThread = openThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenThread */
export const ZwOpenThread = openThread.zw;

/** Goes backward. */
const GET_NEXT_REVERSE = 1;

/** The first of those after `previous`, in a direction, that the caller may open. */
function* openNext<T extends KProcess | KThread>(
  mode: MODE,
  all: readonly T[],
  previous: T | undefined,
  desiredAccess: number,
  attributes: number,
  flags: number,
): KernelCode<HandleResult> {
  const reverse = flags === GET_NEXT_REVERSE;
  const ordered = reverse ? [...all].reverse() : all;
  const from = previous === undefined ? 0 : ordered.indexOf(previous) + 1;
  for (const object of ordered.slice(from)) {
    const result = yield* openObject(mode, object, desiredAccess, attributes);
    if (result.status !== STATUS.ACCESS_DENIED) return result;
  }
  return failed(STATUS.NO_MORE_ENTRIES);
}

function asResult(result: HandleResult | number): HandleResult {
  return typeof result === 'number' ? failed(result) : result;
}

const getNextThread = systemService(
  'GetNextThread',
  function* (
    mode,
    processHandle: Handle,
    threadHandle: Handle,
    desiredAccess: number,
    handleAttributes: number,
    flags: number,
  ): KernelCode<HandleResult> {
    if ((flags & ~GET_NEXT_REVERSE) !== 0) return failed(STATUS.INVALID_PARAMETER);
    const access = withImpliedThreadRights(desiredAccess);
    const result = yield* onHandle(
      mode,
      processHandle,
      PROCESS_ACCESS.QUERY_INFORMATION,
      PsProcessType,
      function* (process: KProcess) {
        const next = (previous?: KThread) =>
          openNext(mode, process.threads(), previous, access, handleAttributes, flags);
        if (threadHandle === 0) return yield* next();
        return asResult(
          yield* onHandle<KThread, HandleResult>(mode, threadHandle, 0, PsThreadType, next),
        );
      },
    );
    return asResult(result);
  },
);

/**
 * The thread of a process that was made after another (0: the first), or before it (flags 1); one that
 * has ended too, while somebody refers to it.
 *
 * @returns SUCCESS with a handle; NO_MORE_ENTRIES; INVALID_HANDLE; INVALID_PARAMETER for other flags.
 * @irql PASSIVE_LEVEL   @nt NtGetNextThread
 */
export const NtGetNextThread = getNextThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwGetNextThread */
export const ZwGetNextThread = getNextThread.zw;

const getNextProcess = systemService(
  'GetNextProcess',
  function* (
    mode,
    processHandle: Handle,
    desiredAccess: number,
    handleAttributes: number,
    flags: number,
  ): KernelCode<HandleResult> {
    if ((flags & ~GET_NEXT_REVERSE) !== 0) return failed(STATUS.INVALID_PARAMETER);
    const all = [...currentGuest('NtGetNextProcess').machine.allProcesses()];
    const access = withImpliedProcessRights(desiredAccess);
    const next = (previous?: KProcess) =>
      openNext(mode, all, previous, access, handleAttributes, flags);
    if (processHandle === 0) return yield* next();
    return asResult(
      yield* onHandle<KProcess, HandleResult>(mode, processHandle, 0, PsProcessType, next),
    );
  },
);

/** The process after another in the order of ids, or before it (flags 1). Statuses as of NtGetNextThread. @irql PASSIVE_LEVEL @nt NtGetNextProcess */
export const NtGetNextProcess = getNextProcess.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwGetNextProcess */
export const ZwGetNextProcess = getNextProcess.zw;

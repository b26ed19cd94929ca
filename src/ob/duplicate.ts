import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import type { KProcess } from '../machine/views';
import { failed, type Handle, type HandleResult, OBJ } from './attributes';
import { type HandleOperation, OB_OPERATION, ObpFilterHandle } from './callbacks';
import {
  grantHandle,
  type HandleReference,
  ObpCheckName,
  ObpCloseHandle,
  ObpInsertHandle,
  ObpReferenceByHandle,
} from './handle';
import type { ObjectHeader } from './object';
import { ObpDereference } from './reference';
import { PsProcessType } from './types';

/** Duplication of handles, from one process to another. */

/** Options of NtDuplicateObject: DUPLICATE_CLOSE_SOURCE is `DUPLICATE.CLOSE_SOURCE`. */
export const enum DUPLICATE {
  CLOSE_SOURCE = 1,
  SAME_ACCESS = 2,
  SAME_ATTRIBUTES = 4,
}

const PROCESS_DUP_HANDLE = 0x40;
const ATTRIBUTES = OBJ.INHERIT | OBJ.PROTECT_CLOSE | OBJ.KERNEL_HANDLE;

interface Duplication {
  readonly mode: MODE;
  readonly source: KProcess;
  readonly sourceHandle: Handle;
  readonly target: KProcess;
  readonly desiredAccess: number;
  readonly attributes: number;
  readonly options: number;
}

/** Why the attributes of a duplicate will not do: a handle of the kernel's goes into the System process. */
function badAttributes({ attributes, target, mode }: Duplication): boolean {
  if ((attributes & ~ATTRIBUTES) !== 0) return true;
  const kernel = (attributes & OBJ.KERNEL_HANDLE) !== 0;
  return kernel && (mode === MODE.UserMode || target !== target.machine.systemProcess);
}

/** Makes the duplicate of what has been referenced. */
function* insertDuplicate(
  duplication: Duplication,
  { header, handleInformation }: HandleReference & { readonly header: ObjectHeader },
): KernelCode<HandleResult> {
  const { mode, target, options } = duplication;
  const sameAccess = (options & DUPLICATE.SAME_ACCESS) !== 0;
  const sameAttributes = (options & DUPLICATE.SAME_ATTRIBUTES) !== 0;
  const { GrantedAccess, HandleAttributes } = handleInformation;
  const access = grantHandle(header, duplication.desiredAccess, mode, false);
  if (!sameAccess && access.status !== STATUS.SUCCESS) return failed(access.status);
  const granted = sameAccess ? GrantedAccess : access.granted;
  const attributes = sameAttributes
    ? HandleAttributes | (duplication.attributes & OBJ.KERNEL_HANDLE)
    : duplication.attributes;
  yield ddiTime(target.machine);
  const operation: HandleOperation = {
    operation: OB_OPERATION.HANDLE_DUPLICATE,
    object: header.body,
    type: header.type,
    grantedAccess: granted,
    kernelHandle: (attributes & OBJ.KERNEL_HANDLE) !== 0,
    mode,
    sourceProcess: duplication.source,
    targetProcess: target,
  };
  return yield* ObpFilterHandle(operation, (kept) =>
    ObpInsertHandle(header, kept, attributes, target),
  );
}

/** Duplicates a handle; a source that is to be closed is, whatever becomes of the duplicate. */
export function* ObpDuplicateHandle(duplication: Duplication): KernelCode<HandleResult> {
  const { mode, source, sourceHandle, options } = duplication;
  const reference = ObpReferenceByHandle(sourceHandle, 0, null, mode, source);
  const { header } = reference;
  if (header === undefined) return failed(reference.status);
  // A handle that moves is one all the time: the object does not lose its name in between.
  header.handleCount++;
  // A source that is protected stays open, and that is all.
  if ((options & DUPLICATE.CLOSE_SOURCE) !== 0) {
    yield* ObpCloseHandle(sourceHandle, MODE.UserMode, source);
  }
  const result = badAttributes(duplication)
    ? failed(STATUS.INVALID_PARAMETER)
    : yield* insertDuplicate(duplication, { ...reference, header });
  header.handleCount--;
  yield* ObpCheckName(header);
  yield* ObpDereference(header);
  return result;
}

const duplicateObject = systemService(
  'DuplicateObject',
  function* (
    mode,
    sourceProcessHandle: Handle,
    sourceHandle: Handle,
    targetProcessHandle: Handle,
    desiredAccess: number,
    handleAttributes: number,
    options: number,
    targetHandle?: number | null,
  ): KernelCode<HandleResult> {
    if (typeof targetHandle === 'number') return failed(STATUS.ACCESS_VIOLATION);
    const type = PsProcessType;
    const source = ObpReferenceByHandle(sourceProcessHandle, PROCESS_DUP_HANDLE, type, mode);
    if (source.header === undefined) return failed(source.status);
    const sourceProcess = source.header.body as KProcess;
    const closeOnly = targetProcessHandle === 0 && (options & DUPLICATE.CLOSE_SOURCE) !== 0;
    let result: HandleResult;
    if (closeOnly) {
      result = failed(yield* ObpCloseHandle(sourceHandle, mode, sourceProcess));
    } else {
      const target = ObpReferenceByHandle(targetProcessHandle, PROCESS_DUP_HANDLE, type, mode);
      result = failed(target.status);
      if (target.header !== undefined) {
        result = yield* ObpDuplicateHandle({
          mode,
          source: sourceProcess,
          sourceHandle,
          target: target.header.body as KProcess,
          desiredAccess,
          attributes: handleAttributes,
          options,
        });
        yield* ObpDereference(target.header);
      }
    }
    yield* ObpDereference(source.header);
    return targetHandle === null ? { ...result, handle: 0 } : result;
  },
);

/**
 * Makes a handle in one process to what a handle of another stands for; both process handles need
 * PROCESS_DUP_HANDLE. `options` are of DUPLICATE: with CLOSE_SOURCE the source is closed first,
 * unless it is protected, and without a target process nothing else is done. `targetHandle` is for
 * those who want to see a bad pointer: null is NULL, which is legal, a number an address where nothing
 * is mapped.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_HANDLE; STATUS_ACCESS_DENIED; STATUS_INVALID_PARAMETER for
 *   attributes that a duplicate cannot have; STATUS_PROCESS_IS_TERMINATING.
 * @irql PASSIVE_LEVEL   @nt NtDuplicateObject
 */
export const NtDuplicateObject = duplicateObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwDuplicateObject */
export const ZwDuplicateObject = duplicateObject.zw;

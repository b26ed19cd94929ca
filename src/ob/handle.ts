import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, MODE } from '../../assembly/shared/types';
import { requireIrql, requireIrqlOfGuest, VerifierError, VIOLATION } from '../ke/call';
import { currentProcess, ddiTime, type KernelCode, systemService } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import type { Machine } from '../machine/machine';
import type { KProcess } from '../machine/views';
import { Kept } from '../machine/watch';
import { grantAccess } from './access';
import { failed, type Handle, type HandleResult, OBJ, type ObjectResult } from './attributes';
import { OB_OPERATION, ObpFilterHandle } from './callbacks';
import { HANDLE_FLAG, HandleTable } from './handle-table';
import { headerOf, type ObjectBody, type ObjectHeader } from './object';
import { noteReference, ObpDereference, ObpReference } from './reference';
import { objectManager } from './state';
import type { ObjectType } from './type';

/** Handles: how they are made, looked up and closed. */

/** NtCurrentProcess and NtCurrentThread; down to -6 there are pseudo handles of sessions and tokens. */
const CURRENT_PROCESS = -1;
const CURRENT_THREAD = -2;
const LAST_PSEUDO_HANDLE = -6;

/** The kernel's handles are those of the System process, with the high half of their bits set. */
const KERNEL_HANDLE_BASE = -0x80000000;

function isPseudoHandle(handle: Handle): boolean {
  return handle < 0 && handle >= LAST_PSEUDO_HANDLE;
}

/** Whether a handle is one of the kernel's. Pseudo handles are none. @irql at most APC_LEVEL @nt ObIsKernelHandle */
export function ObIsKernelHandle(handle: Handle): boolean {
  requireIrqlOfGuest('ObIsKernelHandle', IRQL.APC_LEVEL);
  return isKernelHandle(handle);
}

function isKernelHandle(handle: Handle): boolean {
  return handle < LAST_PSEUDO_HANDLE && handle >= KERNEL_HANDLE_BASE;
}

/** The handles of a process; made with the first. */
export function handleTable(process: KProcess): HandleTable {
  if (process.handleTable === undefined) {
    process.handleTable = new HandleTable();
    process.machine.needLifecycle();
  }
  return process.handleTable as HandleTable;
}

/** Where a handle leads: the table and the entry, which need not be in use. */
interface Entry {
  readonly process: KProcess;
  readonly index: number;
}

/** The entry that a handle names for a caller; undefined for what can be none of its handles. */
function entryOf(handle: Handle, mode: MODE, process: KProcess): Entry | undefined {
  if (handle >= 0) return { process, index: Math.floor(handle / 4) };
  if (mode === MODE.UserMode || !isKernelHandle(handle)) return undefined;
  const index = Math.floor((handle - KERNEL_HANDLE_BASE) / 4);
  return { process: process.machine.systemProcess, index };
}

/** The header of an entry; undefined if it is free. */
function headerAt({ process, index }: Entry): ObjectHeader | undefined {
  return (process.handleTable as HandleTable | undefined)?.header(index);
}

/** What a handle stands for. */
interface Meaning {
  readonly status: number;
  readonly header?: ObjectHeader;
  readonly grantedAccess: number;
  /** OBJ.INHERIT and OBJ.PROTECT_CLOSE. */
  readonly attributes: number;
}

/** The OBJ flags of an entry's word. */
export function handleAttributes(word: number): number {
  return (
    ((word & HANDLE_FLAG.Inherit) !== 0 ? OBJ.INHERIT : 0) |
    ((word & HANDLE_FLAG.Protect) !== 0 ? OBJ.PROTECT_CLOSE : 0)
  );
}

/** The bits of an entry's word for OBJ flags. */
function handleFlags(attributes: number): number {
  return (
    ((attributes & OBJ.INHERIT) !== 0 ? HANDLE_FLAG.Inherit : 0) |
    ((attributes & OBJ.PROTECT_CLOSE) !== 0 ? HANDLE_FLAG.Protect : 0)
  );
}

function meaningOf(handle: Handle, mode: MODE, process: KProcess): Meaning {
  if (handle === CURRENT_PROCESS || handle === CURRENT_THREAD) {
    const body = handle === CURRENT_PROCESS ? process : currentGuest('handle').thread;
    const header = headerOf('handle', body);
    return {
      status: STATUS.SUCCESS,
      header,
      grantedAccess: header.type.validAccessMask,
      attributes: 0,
    };
  }
  const entry = entryOf(handle, mode, process);
  const header = entry === undefined ? undefined : headerAt(entry);
  if (entry === undefined || header === undefined)
    return { status: STATUS.INVALID_HANDLE, grantedAccess: 0, attributes: 0 };
  const word = handleTable(entry.process).word(entry.index);
  return {
    status: STATUS.SUCCESS,
    header,
    grantedAccess: word & HANDLE_FLAG.Access,
    attributes: handleAttributes(word),
  };
}

/** Gives a real handle these OBJ flags in place of those that it has. */
export function ObpSetHandleFlags(handle: Handle, attributes: number, mode: MODE): number {
  const entry = entryOf(handle, mode, currentProcess('ObpSetHandleFlags'));
  if (entry === undefined || headerAt(entry) === undefined) return STATUS.INVALID_HANDLE;
  const table = handleTable(entry.process);
  const access = table.word(entry.index) & HANDLE_FLAG.Access;
  table.setWord(entry.index, access | handleFlags(attributes));
  return STATUS.SUCCESS;
}

/** OBJECT_HANDLE_INFORMATION. */
export interface ObjectHandleInformation {
  readonly HandleAttributes: number;
  readonly GrantedAccess: number;
}

/** What a reference by handle comes to. */
export interface HandleReference {
  readonly status: number;
  readonly header: ObjectHeader | undefined;
  readonly handleInformation: ObjectHandleInformation;
}

const NO_INFORMATION: ObjectHandleInformation = { HandleAttributes: 0, GrantedAccess: 0 };

function noReference(status: number): HandleReference {
  return { status, header: undefined, handleInformation: NO_INFORMATION };
}

/** Takes a reference through a handle of `process`: the type is checked first, then the access of who calls from user mode. */
export function ObpReferenceByHandle(
  handle: Handle,
  desiredAccess: number,
  type: ObjectType | null,
  mode: MODE,
  process = currentProcess('ObpReferenceByHandle'),
): HandleReference {
  const { status, header, grantedAccess, attributes } = meaningOf(handle, mode, process);
  if (header === undefined) return noReference(status);
  if (type !== null && header.type !== type) return noReference(STATUS.OBJECT_TYPE_MISMATCH);
  if (mode === MODE.UserMode && (desiredAccess & ~grantedAccess) !== 0)
    return noReference(STATUS.ACCESS_DENIED);
  ObpReference(header);
  return {
    status,
    header,
    handleInformation: { HandleAttributes: attributes, GrantedAccess: grantedAccess },
  };
}

/**
 * Takes a reference to the object of a handle of the current process, or of the kernel's. The access
 * is checked for UserMode only.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH; STATUS_ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt ObReferenceObjectByHandle
 */
export function ObReferenceObjectByHandle<T extends ObjectBody = ObjectBody>(
  handle: Handle,
  desiredAccess: number,
  objectType: ObjectType | null,
  accessMode: MODE,
): NtCall<ObjectResult<T> & { readonly handleInformation: ObjectHandleInformation }> {
  const routine = 'ObReferenceObjectByHandle';
  return new NtCall(routine, () =>
    referenceObjectByHandle(routine, handle, desiredAccess, objectType, accessMode),
  );
}

function* referenceObjectByHandle<T extends ObjectBody = ObjectBody>(
  routine: string,
  handle: Handle,
  desiredAccess: number,
  objectType: ObjectType | null,
  accessMode: MODE,
): KernelCode<ObjectResult<T> & { readonly handleInformation: ObjectHandleInformation }> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.PASSIVE_LEVEL);
  yield ddiTime(currentGuest(routine).machine);
  const reference = ObpReferenceByHandle(handle, desiredAccess, objectType, accessMode);
  const { status, header, handleInformation } = reference;
  if (header !== undefined) noteReference(header);
  return { status, object: header?.body as T | undefined, handleInformation };
}

/** A handle that is to be made. */
interface HandleRequest {
  readonly header: ObjectHeader;
  readonly mode: MODE;
  readonly desiredAccess: number;
  /** OBJ flags. */
  readonly attributes: number;
  /** The object was there before: an access of nothing is refused to user mode. */
  readonly opening: boolean;
}

/** Whose table a new handle goes to. */
function tableOwner(machine: Machine, attributes: number, process: KProcess): KProcess {
  return (attributes & OBJ.KERNEL_HANDLE) !== 0 ? machine.systemProcess : process;
}

/** Why a process may have no handle to an object, whatever the access. */
function exclusiveStatus(header: ObjectHeader, attributes: number, process: KProcess): number {
  const { exclusiveProcess, handleCount } = header;
  if (exclusiveProcess !== undefined)
    return exclusiveProcess === process ? STATUS.SUCCESS : STATUS.ACCESS_DENIED;
  if ((attributes & OBJ.EXCLUSIVE) === 0) return STATUS.SUCCESS;
  return handleCount === 0 ? STATUS.SUCCESS : STATUS.ACCESS_DENIED;
}

/** One handle to an object more. */
function countHandle(header: ObjectHeader, word: number, process: KProcess): void {
  ObpReference(header);
  header.handleCount++;
  const { type, body, handleCount } = header;
  const counts = objectManager(process.machine).statistics(type);
  counts.handles++;
  counts.highWaterHandles = Math.max(counts.highWaterHandles, counts.handles);
  type.procedures.open?.(body, process, word & HANDLE_FLAG.Access, handleCount);
}

/** Puts a handle with an access that has been granted into a table. */
export function ObpInsertHandle(
  header: ObjectHeader,
  granted: number,
  attributes: number,
  process: KProcess,
): HandleResult {
  const table = handleTable(process);
  if (table.closed) return failed(STATUS.PROCESS_IS_TERMINATING);
  const word = granted | handleFlags(attributes);
  const index = table.insert(header, word);
  if (index === 0) return failed(STATUS.INSUFFICIENT_RESOURCES);
  countHandle(header, word, process);
  const kernel = (attributes & OBJ.KERNEL_HANDLE) !== 0;
  const handle = index * 4 + (kernel ? KERNEL_HANDLE_BASE : 0);
  if (process.machine.watcher !== undefined) noteHandle(header, table, index, process);
  return { status: STATUS.SUCCESS, handle };
}

/** By what a watcher knows a handle. */
const keyOf = (process: KProcess, index: number) => `${process.handle}:${index}`;

/** Tells a watcher of a handle that the code at hand is to close. */
function noteHandle(header: ObjectHeader, table: HandleTable, index: number, process: KProcess) {
  const { watcher, systemProcess } = process.machine;
  const whose = process === systemProcess ? '' : ` in ${process.name}`;
  const open = () => !table.closed && table.header(index) === header;
  watcher?.takes(
    Kept.Handle,
    keyOf(process, index),
    `a handle to a ${header.type.name}${whose}`,
    () => (open() ? header.body : undefined),
  );
}

/** What a caller gets of an object; `opening` is as in a request for a handle. */
export function grantHandle(
  { type, body }: ObjectHeader,
  desiredAccess: number,
  mode: MODE,
  opening: boolean,
): { readonly status: number; readonly granted: number } {
  return grantAccess({
    desiredAccess,
    mode,
    mapping: type.genericMapping,
    validAccessMask: type.validAccessMask,
    allowed: type.procedures.security?.(body, desiredAccess, mode) ?? type.validAccessMask,
    needsSome: opening,
  });
}

/** Makes a handle in the current process, or the kernel's. */
export function* ObpCreateHandle(request: HandleRequest): KernelCode<HandleResult> {
  const { header, mode, desiredAccess, opening } = request;
  const { type, body } = header;
  const attributes =
    mode === MODE.UserMode ? request.attributes & ~OBJ.KERNEL_HANDLE : request.attributes;
  const { status, granted } = grantHandle(header, desiredAccess, mode, opening);
  if (status !== STATUS.SUCCESS) return failed(status);
  const process = tableOwner(body.machine, attributes, currentProcess('ObpCreateHandle'));
  const exclusive = exclusiveStatus(header, attributes, process);
  if (exclusive !== STATUS.SUCCESS) return failed(exclusive);
  yield ddiTime(body.machine);
  const kernelHandle = (attributes & OBJ.KERNEL_HANDLE) !== 0;
  const operation = OB_OPERATION.HANDLE_CREATE;
  const made = { operation, object: body, type, grantedAccess: granted, kernelHandle, mode };
  const result = yield* ObpFilterHandle(made, (access) =>
    ObpInsertHandle(header, access, attributes, process),
  );
  if (result.status === STATUS.SUCCESS && (attributes & OBJ.EXCLUSIVE) !== 0)
    header.exclusiveProcess = process;
  return result;
}

/**
 * Makes a handle to an object. KernelMode gets the access that it asks for.
 *
 * @returns STATUS_SUCCESS; STATUS_OBJECT_TYPE_MISMATCH; STATUS_ACCESS_DENIED;
 *   STATUS_INSUFFICIENT_RESOURCES; STATUS_PROCESS_IS_TERMINATING.
 * @irql at most APC_LEVEL
 * @nt ObOpenObjectByPointer (partial: no access state)
 */
export function ObOpenObjectByPointer(
  object: ObjectBody,
  handleAttributes: number,
  _passedAccessState: null,
  desiredAccess: number,
  objectType: ObjectType | null,
  accessMode: MODE,
): NtCall<HandleResult> {
  const routine = 'ObOpenObjectByPointer';
  return new NtCall(routine, () =>
    openObjectByPointer(routine, object, handleAttributes, desiredAccess, objectType, accessMode),
  );
}

function* openObjectByPointer(
  routine: string,
  object: ObjectBody,
  handleAttributes: number,
  desiredAccess: number,
  objectType: ObjectType | null,
  accessMode: MODE,
): KernelCode<HandleResult> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.APC_LEVEL);
  const header = headerOf(routine, object);
  if (objectType !== null && header.type !== objectType) return failed(STATUS.OBJECT_TYPE_MISMATCH);
  ObpReference(header);
  const result = yield* ObpCreateHandle({
    header,
    mode: accessMode,
    desiredAccess,
    attributes: handleAttributes,
    opening: true,
  });
  yield* ObpDereference(header);
  return result;
}

/** Takes an object out of the namespace. */
export function* ObpRemoveName(header: ObjectHeader): KernelCode<void> {
  const { directory } = header;
  if (directory === undefined) return;
  directory.remove(header);
  yield* ObpDereference(headerOf('ObpRemoveName', directory));
  yield* ObpDereference(header);
}

/** What is not permanent loses its name with its last handle. */
export function* ObpCheckName(header: ObjectHeader): KernelCode<void> {
  if (header.handleCount !== 0) return;
  header.exclusiveProcess = undefined;
  if (!header.permanent) yield* ObpRemoveName(header);
}

/** One handle to an object less. */
function* closeObject(
  header: ObjectHeader,
  process: KProcess,
  grantedAccess: number,
): KernelCode<void> {
  header.handleCount--;
  objectManager(process.machine).statistics(header.type).handles--;
  const { handleCount, type, body } = header;
  yield* type.procedures.close?.(body, process, grantedAccess, handleCount) ?? [];
  yield* ObpCheckName(header);
  yield* ObpDereference(header);
}

/** What closing a handle that is none comes to: kernel mode must not. */
function badClose(machine: Machine, handle: Handle, mode: MODE): number {
  if (isPseudoHandle(handle)) return STATUS.SUCCESS;
  const none = handle === 0 || handle === KERNEL_HANDLE_BASE || handle === -KERNEL_HANDLE_BASE;
  if (mode === MODE.KernelMode && !none) {
    machine.bugCheck(BUGCHECK.INVALID_KERNEL_HANDLE, handle, 1);
    throw new VerifierError(`kernel-mode code closed handle ${handle}, which does not exist`);
  }
  return STATUS.INVALID_HANDLE;
}

/** Why a handle must stay open; STATUS_SUCCESS if it need not. */
function closable(header: ObjectHeader, entry: Entry, handle: Handle, mode: MODE): number {
  const { machine } = entry.process;
  const { okayToClose } = header.type.procedures;
  const kept = okayToClose?.(header.body, entry.process, handle, mode) === false;
  const isProtected = (handleTable(entry.process).word(entry.index) & HANDLE_FLAG.Protect) !== 0;
  if (!kept && !isProtected) return STATUS.SUCCESS;
  if (isProtected && mode === MODE.KernelMode && isKernelHandle(handle)) {
    machine.bugCheck(BUGCHECK.INVALID_KERNEL_HANDLE, handle, 0);
    throw new VerifierError(`kernel-mode code closed handle ${handle}, which is protected`);
  }
  return STATUS.HANDLE_NOT_CLOSABLE;
}

/** Closes a handle of a process, or of the kernel's. */
export function* ObpCloseHandle(
  handle: Handle,
  mode: MODE,
  process = currentProcess('ObpCloseHandle'),
): KernelCode<number> {
  const entry = entryOf(handle, mode, process);
  const header = entry === undefined ? undefined : headerAt(entry);
  if (entry === undefined || header === undefined) return badClose(process.machine, handle, mode);
  const status = closable(header, entry, handle, mode);
  if (status !== STATUS.SUCCESS) return status;
  const table = handleTable(entry.process);
  const granted = table.word(entry.index) & HANDLE_FLAG.Access;
  table.remove(entry.index);
  entry.process.machine.watcher?.returns(keyOf(entry.process, entry.index));
  yield* closeObject(header, entry.process, granted);
  return STATUS.SUCCESS;
}

/**
 * Closes a handle as a caller of that mode: UserMode has none of the kernel's.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_HANDLE; STATUS_HANDLE_NOT_CLOSABLE. Of KernelMode a handle
 *   that does not exist, or one of the kernel's that is protected, is bugcheck INVALID_KERNEL_HANDLE.
 * @irql PASSIVE_LEVEL   @nt ObCloseHandle
 */
export function ObCloseHandle(handle: Handle, previousMode: MODE): NtCall<number> {
  const routine = 'ObCloseHandle';
  return new NtCall(routine, () => closeHandle(routine, handle, previousMode));
}

function* closeHandle(routine: string, handle: Handle, previousMode: MODE): KernelCode<number> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.PASSIVE_LEVEL);
  yield ddiTime(currentGuest(routine).machine);
  return yield* ObpCloseHandle(handle, previousMode);
}

const close = systemService('Close', (mode, handle: Handle) => ObpCloseHandle(handle, mode));

/**
 * Closes a handle; see ObCloseHandle. Pseudo handles are left as they are.
 *
 * @irql PASSIVE_LEVEL   @nt NtClose
 */
export const NtClose = close.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwClose */
export const ZwClose = close.zw;

/** Closes what handles an ending process has left, protected or not; it gets no more. */
export function* obCloseAllHandles(process: KProcess): KernelCode<void> {
  const table = handleTable(process);
  table.closed = true;
  for (const index of table.indices()) {
    const header = table.header(index) as ObjectHeader;
    const granted = table.word(index) & HANDLE_FLAG.Access;
    table.remove(index);
    yield* closeObject(header, process, granted);
  }
}

/** Gives a new process the handles of its parent that are to be inherited, with their values, access and flags. */
export function obInheritHandles(parent: KProcess, child: KProcess): void {
  if (parent.handleTable === undefined) return;
  const table = handleTable(child);
  table.inheritFrom(handleTable(parent));
  for (const index of table.indices()) {
    countHandle(table.header(index) as ObjectHeader, table.word(index), child);
  }
}

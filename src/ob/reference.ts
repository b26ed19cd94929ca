import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, MODE } from '../../assembly/shared/types';
import { requireIrql, VerifierError, VIOLATION } from '../ke/call';
import type { KernelCode } from '../ke/mode';
import type { GuestResult } from '../machine/dpc';
import { IoObject } from '../machine/driver';
import { resultOf } from '../machine/generator';
import { Answer, currentGuest, NtCall, type Request } from '../machine/guest';
import { deleteObject, KernelObject, KMutant, KProcess, KThread } from '../machine/views';
import { Kept } from '../machine/watch';
import { headerOf, type ObjectBody, type ObjectHeader, shownPointerCount } from './object';
import { objectManager } from './state';
import type { ObjectType } from './type';

/**
 * References. Each handle, the name and each pointer that somebody keeps is one; with the last the
 * object goes. A process or thread keeps its row by its own being until it has ended, too.
 */

/** Stops the machine for a count that went wrong. */
function badReference(header: ObjectHeader, why: string): never {
  const { type, body } = header;
  const { machine } = body;
  const object = body instanceof KernelObject ? body.handle : 0;
  machine.bugCheck(BUGCHECK.REFERENCE_BY_POINTER, objectManager(machine).typeIndex(type), object);
  throw new VerifierError(`an object of type ${type.name} was ${why}`);
}

/** One reference more. */
export function ObpReference(header: ObjectHeader): void {
  const { body } = header;
  if (header.pointerCount++ !== 0) return;
  if (body instanceof KThread || body instanceof KProcess) body.setReferenced(true);
  else if (body instanceof IoObject && body.pointerCount > 0) body.reference();
  else badReference(header, 'referenced when it had gone');
}

/** One reference less. @returns whether it was the last, and the object is to be deleted now. */
function dropReference(header: ObjectHeader): boolean {
  if (header.pointerCount <= 0) badReference(header, 'dereferenced more often than referenced');
  if (--header.pointerCount !== 0) return false;
  if (header.body.machine.irql() === IRQL.PASSIVE_LEVEL) return true;
  deferDelete(header);
  return false;
}

/** What is left to do of a dereference that deletes nothing. */
const NOTHING: Iterable<Request, void, number> = { [Symbol.iterator]: () => new Answer(undefined) };

/** One reference less; with the last the object goes, at once below APC_LEVEL, else by a thread of its own. */
export function ObpDereference(header: ObjectHeader): Iterable<Request, void, number> {
  return dropReference(header) ? ObpDeleteObject(header) : NOTHING;
}

/** What the last reference leaves: the type's procedure first, then the row. */
function* ObpDeleteObject(header: ObjectHeader): KernelCode<void> {
  const { body, type } = header;
  if (body instanceof KProcess && !body.held && !body.exited && body.threadsCreated === 0) {
    yield* type.procedures.abandoned?.(body) ?? [];
    // Who was told of its end may have taken a reference.
    if (header.pointerCount !== 0) return;
  }
  if (body instanceof KThread || body instanceof KProcess) {
    const over = body instanceof KThread ? body.signalState !== 0 : body.exited;
    if (over) yield* resultOf(type.procedures.delete?.(body));
    body.setReferenced(false);
    return;
  }
  if (body instanceof IoObject) {
    body.dereference();
    return;
  }
  objectManager(body.machine).statistics(type).objects--;
  yield* resultOf(type.procedures.delete?.(body));
  if (body instanceof KMutant) body.disown();
  if (body instanceof KernelObject) deleteObject(body);
}

/** A process or thread has come to its end: what its type does then, if nobody in the kernel refers to it. */
export function ObpEndOfLife(body: KProcess | KThread, { procedures }: ObjectType): GuestResult {
  const header = body.objectHeader as ObjectHeader | undefined;
  if (header === undefined || header.pointerCount === 0) return procedures.delete?.(body);
}

/** Lets a thread of the system delete an object. */
function deferDelete(header: ObjectHeader): void {
  header.body.machine.systemProcess
    .createThread(() => ObpDeleteObject(header), { name: 'object deletion' })
    .close();
}

/** Tells a watcher of a reference that the code at hand is to give back. */
export function noteReference({ body, type }: ObjectHeader): void {
  body.machine.watcher?.takes(Kept.Reference, body, `a reference to a ${type.name}`);
}

/**
 * Takes a reference.
 *
 * @returns how many there are now: its handles count, each as many as the profile's handleReferences.
 * @irql at most DISPATCH_LEVEL   @nt ObReferenceObject
 */
export function ObReferenceObject(object: ObjectBody): number {
  requireIrql('ObReferenceObject', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const header = headerOf('ObReferenceObject', object);
  ObpReference(header);
  noteReference(header);
  return shownPointerCount(header);
}

/**
 * The same, if the object is of a type. Kernel mode gets it whatever the access.
 *
 * @returns STATUS_SUCCESS; STATUS_OBJECT_TYPE_MISMATCH.
 * @irql at most DISPATCH_LEVEL   @nt ObReferenceObjectByPointer
 */
export function ObReferenceObjectByPointer(
  object: ObjectBody,
  _desiredAccess: number,
  objectType: ObjectType | null,
  accessMode: MODE,
): number {
  const routine = 'ObReferenceObjectByPointer';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const header = headerOf(routine, object);
  if (objectType === null ? accessMode !== MODE.KernelMode : header.type !== objectType)
    return STATUS.OBJECT_TYPE_MISMATCH;
  ObpReference(header);
  noteReference(header);
  return STATUS.SUCCESS;
}

/**
 * Gives a reference back. With the last the object is deleted, before this returns at PASSIVE_LEVEL,
 * else by a thread of the system. One too many is bugcheck REFERENCE_BY_POINTER.
 *
 * @returns how many are left.
 * @irql at most DISPATCH_LEVEL   @nt ObDereferenceObject
 */
export function ObDereferenceObject(object: ObjectBody): NtCall<number> {
  const routine = 'ObDereferenceObject';
  return new NtCall(routine, () => dereferenceObject(routine, object));
}

function dereferenceObject(routine: string, object: ObjectBody): Iterator<Request, number, number> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const header = headerOf(routine, object);
  object.machine.watcher?.returns(object);
  if (dropReference(header)) return deleteLast(header);
  return new Answer(shownPointerCount(header));
}

function* deleteLast(header: ObjectHeader): KernelCode<number> {
  yield* ObpDeleteObject(header);
  return shownPointerCount(header);
}

/**
 * The same, with the deletion left to a thread of the system: for callers whose locks the deletion
 * may need, and for callbacks that are no generators.
 *
 * @irql at most DISPATCH_LEVEL   @nt ObDereferenceObjectDeferDelete
 */
export function ObDereferenceObjectDeferDelete(object: ObjectBody): void {
  const routine = 'ObDereferenceObjectDeferDelete';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const header = headerOf(routine, object);
  if (header.pointerCount <= 0) badReference(header, 'dereferenced more often than referenced');
  object.machine.watcher?.returns(object);
  if (--header.pointerCount === 0) deferDelete(header);
}

/** The type of an object. @irql any @nt ObGetObjectType */
export function ObGetObjectType(object: ObjectBody): ObjectType {
  currentGuest('ObGetObjectType');
  return headerOf('ObGetObjectType', object).type;
}

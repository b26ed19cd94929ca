import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { requireRoutine } from '../machine/given';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import {
  IMAGE_NOTIFY,
  type LoadImageNotifyRoutine,
  PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE,
} from './image-notify';
import { processManager } from './manager';
import { timeOfCalls } from './notify-table';
import {
  type CreateProcessNotifyRoutine,
  type CreateProcessNotifyRoutineEx,
  PROCESS_NOTIFY,
  PSCREATEPROCESSNOTIFYTYPE,
} from './process-notify';
import {
  type CreateThreadNotifyRoutine,
  type PSCREATETHREADNOTIFYTYPE,
  THREAD_NOTIFY,
} from './thread-notify';

/** How drivers register notify routines, and take them back. */

type ProcessRoutine = CreateProcessNotifyRoutine | CreateProcessNotifyRoutineEx | null;

/** Adds or removes a routine of one kind. */
function* registerProcess(
  name: string,
  kind: PROCESS_NOTIFY,
  routine: ProcessRoutine,
  remove: boolean,
): Generator<Request, number, number> {
  requireRoutine(name, 'NotifyRoutine', routine, true);
  const { machine } = currentGuest(name);
  const listed = kind === PROCESS_NOTIFY.Legacy ? VIOLATION.IrqlPsPassive : VIOLATION.KernelApi;
  requireIrql(name, listed, IRQL.PASSIVE_LEVEL);
  const ps = processManager(machine);
  yield timeOfCalls(machine, 1);
  const known = ps.processNotify.find(routine, kind);
  if (remove) {
    if (known === undefined) return STATUS.PROCEDURE_NOT_FOUND;
    yield* ps.processNotify.remove(known);
    return STATUS.SUCCESS;
  }
  const driver = machine.guests.currentDriver;
  if (kind !== PROCESS_NOTIFY.Legacy && driver?.forceIntegrity === false)
    return STATUS.ACCESS_DENIED;
  if (known !== undefined && !ps.switches.duplicateProcessNotify) return STATUS.INVALID_PARAMETER;
  return ps.processNotify.add(routine, kind) ? STATUS.SUCCESS : STATUS.INVALID_PARAMETER;
}

/**
 * Adds a routine that is told of Win32 processes, or with `remove` takes it back and waits for its
 * calls under way: a routine that removes itself waits for ever. NULL is as good as any routine until
 * it is called.
 *
 * @returns SUCCESS; INVALID_PARAMETER: registered already, or all 64 slots are taken;
 *   PROCEDURE_NOT_FOUND: not registered by this routine.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateProcessNotifyRoutine
 */
export function PsSetCreateProcessNotifyRoutine(
  notifyRoutine: CreateProcessNotifyRoutine | null,
  remove: boolean,
): NtCall<number> {
  const name = 'PsSetCreateProcessNotifyRoutine';
  return new NtCall(name, () =>
    registerProcess(name, PROCESS_NOTIFY.Legacy, notifyRoutine, remove),
  );
}

/**
 * The same for routines that get PS_CREATE_NOTIFY_INFO, and can make a creation fail.
 *
 * @returns as PsSetCreateProcessNotifyRoutine; ACCESS_DENIED: the driver's image lacks FORCE_INTEGRITY.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateProcessNotifyRoutineEx
 */
export function PsSetCreateProcessNotifyRoutineEx(
  notifyRoutine: CreateProcessNotifyRoutineEx | null,
  remove: boolean,
): NtCall<number> {
  const name = 'PsSetCreateProcessNotifyRoutineEx';
  return new NtCall(name, () => registerProcess(name, PROCESS_NOTIFY.Ex, notifyRoutine, remove));
}

/**
 * The same for routines that are told of the processes of all subsystems.
 *
 * @returns as PsSetCreateProcessNotifyRoutineEx; INVALID_PARAMETER too for another type.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateProcessNotifyRoutineEx2
 */
export function PsSetCreateProcessNotifyRoutineEx2(
  notifyType: PSCREATEPROCESSNOTIFYTYPE,
  notifyInformation: CreateProcessNotifyRoutineEx | null,
  remove: boolean,
): NtCall<number> {
  const name = 'PsSetCreateProcessNotifyRoutineEx2';
  return new NtCall(name, () =>
    setCreateProcessNotifyRoutineEx2(notifyType, notifyInformation, remove, name),
  );
}

function* setCreateProcessNotifyRoutineEx2(
  notifyType: PSCREATEPROCESSNOTIFYTYPE,
  notifyInformation: CreateProcessNotifyRoutineEx | null,
  remove: boolean,
  name: string,
): Generator<Request, number, number> {
  if (notifyType !== PSCREATEPROCESSNOTIFYTYPE.PsCreateProcessNotifySubsystems) {
    requireIrql(name, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
    yield timeOfCalls(currentGuest(name).machine, 1);
    return STATUS.INVALID_PARAMETER;
  }
  return yield* registerProcess(name, PROCESS_NOTIFY.Ex2, notifyInformation, remove);
}

const EVERY_THREAD_KIND = THREAD_NOTIFY.Legacy | THREAD_NOTIFY.NonSystem | THREAD_NOTIFY.Subsystems;

function* registerThread(
  name: string,
  violation: VIOLATION,
  kind: THREAD_NOTIFY | undefined,
  routine: CreateThreadNotifyRoutine | null,
): Generator<Request, number, number> {
  requireRoutine(name, 'NotifyRoutine', routine, true);
  const { machine } = currentGuest(name);
  requireIrql(name, violation, IRQL.PASSIVE_LEVEL);
  yield timeOfCalls(machine, 1);
  if (kind === undefined) return STATUS.INVALID_PARAMETER;
  const ps = processManager(machine);
  const added = ps.threadNotify.add(routine, kind);
  return added ? STATUS.SUCCESS : STATUS.INSUFFICIENT_RESOURCES;
}

/**
 * Adds a routine that is told of threads of Win32 processes and of the system. One that is there
 * already is called twice.
 *
 * @returns SUCCESS; INSUFFICIENT_RESOURCES: all 64 slots are taken.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateThreadNotifyRoutine
 */
export function PsSetCreateThreadNotifyRoutine(
  notifyRoutine: CreateThreadNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsSetCreateThreadNotifyRoutine';
  return new NtCall(name, () =>
    registerThread(name, VIOLATION.IrqlPsPassive, THREAD_NOTIFY.Legacy, notifyRoutine),
  );
}

/**
 * The same for a routine that runs in the new thread (NonSystem), or is told of the threads of all
 * subsystems (Subsystems).
 *
 * @returns SUCCESS; INSUFFICIENT_RESOURCES; INVALID_PARAMETER: another type.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateThreadNotifyRoutineEx
 */
export function PsSetCreateThreadNotifyRoutineEx(
  notifyType: PSCREATETHREADNOTIFYTYPE,
  notifyInformation: CreateThreadNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsSetCreateThreadNotifyRoutineEx';
  const kinds = [THREAD_NOTIFY.NonSystem, THREAD_NOTIFY.Subsystems] as const;
  return new NtCall(name, () =>
    registerThread(name, VIOLATION.KernelApi, kinds[notifyType], notifyInformation),
  );
}

/**
 * Takes a routine back, whichever routine added it, and waits for its calls under way: one that
 * removes itself waits for ever.
 *
 * @returns SUCCESS; PROCEDURE_NOT_FOUND.
 * @irql at most APC_LEVEL   @nt PsRemoveCreateThreadNotifyRoutine
 */
export function PsRemoveCreateThreadNotifyRoutine(
  notifyRoutine: CreateThreadNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsRemoveCreateThreadNotifyRoutine';
  return new NtCall(name, () => removeCreateThreadNotifyRoutine(notifyRoutine, name));
}

function* removeCreateThreadNotifyRoutine(
  notifyRoutine: CreateThreadNotifyRoutine | null,
  name: string,
): Generator<Request, number, number> {
  const { machine } = currentGuest(name);
  requireIrql(name, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  yield timeOfCalls(machine, 1);
  const { threadNotify } = processManager(machine);
  const entry = threadNotify.find(notifyRoutine, EVERY_THREAD_KIND);
  if (entry === undefined) return STATUS.PROCEDURE_NOT_FOUND;
  yield* threadNotify.remove(entry);
  return STATUS.SUCCESS;
}

function* registerImage(
  name: string,
  violation: VIOLATION,
  routine: LoadImageNotifyRoutine | null,
  flags: number,
): Generator<Request, number, number> {
  requireRoutine(name, 'NotifyRoutine', routine, true);
  const { machine } = currentGuest(name);
  requireIrql(name, violation, IRQL.PASSIVE_LEVEL);
  yield timeOfCalls(machine, 1);
  if ((flags & ~PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE) !== 0) return STATUS.INVALID_PARAMETER_2;
  const ps = processManager(machine);
  const kind = flags === 0 ? IMAGE_NOTIFY.Native : IMAGE_NOTIFY.Every;
  const added = ps.imageNotify.add(routine, kind);
  return added ? STATUS.SUCCESS : STATUS.INSUFFICIENT_RESOURCES;
}

/**
 * Adds a routine that is told of images. One that is there already is called twice.
 *
 * @returns SUCCESS; INSUFFICIENT_RESOURCES: all 64 slots are taken.
 * @irql PASSIVE_LEVEL   @nt PsSetLoadImageNotifyRoutine
 */
export function PsSetLoadImageNotifyRoutine(
  notifyRoutine: LoadImageNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsSetLoadImageNotifyRoutine';
  return new NtCall(name, () => registerImage(name, VIOLATION.IrqlPsPassive, notifyRoutine, 0));
}

/**
 * The same with flags: PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE.
 *
 * @returns as PsSetLoadImageNotifyRoutine; INVALID_PARAMETER_2: an unknown flag.
 * @irql PASSIVE_LEVEL   @nt PsSetLoadImageNotifyRoutineEx
 */
export function PsSetLoadImageNotifyRoutineEx(
  notifyRoutine: LoadImageNotifyRoutine | null,
  flags: number,
): NtCall<number> {
  const name = 'PsSetLoadImageNotifyRoutineEx';
  return new NtCall(name, () => registerImage(name, VIOLATION.KernelApi, notifyRoutine, flags));
}

/**
 * Takes a routine back and waits for its calls under way: one that removes itself waits for ever.
 *
 * @returns SUCCESS; PROCEDURE_NOT_FOUND.
 * @irql at most APC_LEVEL   @nt PsRemoveLoadImageNotifyRoutine
 */
export function PsRemoveLoadImageNotifyRoutine(
  notifyRoutine: LoadImageNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsRemoveLoadImageNotifyRoutine';
  return new NtCall(name, () => removeLoadImageNotifyRoutine(notifyRoutine, name));
}

function* removeLoadImageNotifyRoutine(
  notifyRoutine: LoadImageNotifyRoutine | null,
  name: string,
): Generator<Request, number, number> {
  const { machine } = currentGuest(name);
  requireIrql(name, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  yield timeOfCalls(machine, 1);
  const { imageNotify } = processManager(machine);
  const entry = imageNotify.find(notifyRoutine, IMAGE_NOTIFY.Native | IMAGE_NOTIFY.Every);
  if (entry === undefined) return STATUS.PROCEDURE_NOT_FOUND;
  yield* imageNotify.remove(entry);
  return STATUS.SUCCESS;
}

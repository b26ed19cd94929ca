import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { APC_REGION, OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, MODE } from '../../assembly/shared/types';
import { requireIrql, requireIrqlOfGuest, VIOLATION } from '../ke/call';
import { ddiTime } from '../ke/mode';
import type { GuestResult } from '../machine/dpc';
import { type DriverObject, IoObject } from '../machine/driver';
import { requireRoutine } from '../machine/given';
import { currentGuest, driverOf, invokeWatched, NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import type { KProcess, KThread } from '../machine/views';
import { type Handle, OBJ, type ObjectAttributes } from '../ob/attributes';
import { ObOpenObjectByPointer, ObpReferenceByHandle } from '../ob/handle';
import { ObpDereference } from '../ob/reference';
import { PsProcessType, PsThreadType } from '../ob/types';
import { type ClientId, clientIdOf } from './cid';
import { announceInTime } from './create';
import { isMinimalProcess, isTerminating } from './executive';
import { processManager } from './manager';

/**
 * System threads: kernel-mode threads that run a routine of a driver. They begin inside a critical
 * region, which is taken back before they end: only what they entered and did not leave counts then.
 */

const PROCESS_CREATE_THREAD = 2;
const INVALID_ATTRIBUTES = OBJ.PERMANENT | OBJ.EXCLUSIVE | OBJ.OPENIF;

/** KSTART_ROUTINE: called at PASSIVE_LEVEL; the thread ends with STATUS_SUCCESS when it returns. */
export type StartRoutine = (startContext: unknown) => GuestResult;

/** What creating a system thread gives. */
export interface SystemThread {
  readonly status: number;
  /** The kernel's, for ZwClose; 0 if there is none. */
  readonly handle: Handle;
  /** What it is a handle of: it is there as long as that is open or somebody refers to it. */
  readonly thread: KThread | undefined;
  readonly clientId: ClientId | undefined;
}

const failed = (status: number): SystemThread => ({
  status,
  handle: 0,
  thread: undefined,
  clientId: undefined,
});

/** What PsCreateSystemThread and IoCreateSystemThread are given. */
interface Asked {
  readonly desiredAccess: number;
  readonly objectAttributes: ObjectAttributes | null;
  readonly processHandle: Handle | null;
  readonly startRoutine: StartRoutine;
  readonly startContext: unknown;
}

/** The process of a handle, referred to; the System process for none. */
function referProcess(handle: Handle | null, machine: Machine) {
  if (handle === null || handle === 0)
    return { status: STATUS.SUCCESS, process: machine.systemProcess, header: undefined };
  const access = PROCESS_CREATE_THREAD;
  const { status, header } = ObpReferenceByHandle(handle, access, PsProcessType, MODE.KernelMode);
  return { status, process: header?.body as KProcess | undefined, header };
}

/** A thread that has not been started, and what its end takes back. */
function prepare(
  process: KProcess,
  driver: DriverObject | undefined,
  ioObject: IoObject | undefined,
  { startRoutine, startContext }: Asked,
): KThread {
  const name = startRoutine.name === '' ? 'system thread' : startRoutine.name;
  const thread = process.createThread(
    function* PspSystemThreadStartup() {
      yield* invokeWatched('system thread', driver, startRoutine, startContext);
    },
    { name, start: false },
  );
  const region = (change: number) =>
    process.machine.core.hostApcRegion(thread.address, APC_REGION.Critical, change);
  region(-1);
  ioObject?.reference();
  driver?.threads.add(thread);
  thread.systemThreadEnd = () => {
    thread.systemThreadEnd = undefined;
    region(1);
    driver?.threads.delete(thread);
    ioObject?.dereference();
  };
  return thread;
}

/** Tells of a thread of a minimal process, and of that with its first one. @returns what it was refused with. */
function* announceToMinimal(
  process: KProcess,
  thread: KThread,
): Generator<Request, number, number> {
  if (!isMinimalProcess(process)) return STATUS.SUCCESS;
  process.initialThread ??= thread;
  const { machine, thread: creator } = currentGuest('PsCreateSystemThread');
  const { status } = yield* announceInTime(processManager(machine), creator, thread);
  return status;
}

function* create(
  routine: string,
  ioObject: IoObject | undefined,
  request: Asked,
): Generator<Request, SystemThread, number> {
  requireRoutine(routine, 'StartRoutine', request.startRoutine);
  requireIrql(routine, VIOLATION.IrqlPsPassive, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  const driver = driverOf(routine);
  yield ddiTime(machine);
  const attributes = request.objectAttributes?.Attributes ?? 0;
  if ((attributes & INVALID_ATTRIBUTES) !== 0) return failed(STATUS.INVALID_PARAMETER);
  const { status, process, header } = referProcess(request.processHandle, machine);
  if (process === undefined) return failed(status);
  let result = failed(STATUS.PROCESS_IS_TERMINATING);
  const ends = process.exited || isTerminating(process);
  if (!ends && !machine.hasThreadRoom) result = failed(STATUS.INSUFFICIENT_RESOURCES);
  else if (!ends) {
    const thread = prepare(process, driver, ioObject, request);
    const opened = yield* ObOpenObjectByPointer(
      thread,
      attributes | OBJ.KERNEL_HANDLE,
      null,
      request.desiredAccess,
      PsThreadType,
      MODE.KernelMode,
    );
    if (opened.status === STATUS.SUCCESS) thread.close();
    const clientId = clientIdOf(thread);
    const told = yield* announceToMinimal(process, thread);
    if (told === STATUS.SUCCESS) thread.start();
    result = { status: opened.status, handle: opened.handle, thread, clientId };
  }
  if (header !== undefined) yield* ObpDereference(header);
  return result;
}

/**
 * Creates a thread that runs `startRoutine` in the System process (null), or in that of a handle, at
 * PASSIVE_LEVEL, priority 8 and with normal kernel APCs disabled: KernelApcDisable is -1.
 *
 * It ends by PsTerminateSystemThread, or with STATUS_SUCCESS when the routine returns. A driver has to
 * wait for its end before it is unloaded.
 *
 * @returns SUCCESS with a handle of the kernel's; INVALID_HANDLE and OBJECT_TYPE_MISMATCH of the
 *   process; PROCESS_IS_TERMINATING; INSUFFICIENT_RESOURCES; INVALID_PARAMETER for OBJ_PERMANENT,
 *   OBJ_EXCLUSIVE and OBJ_OPENIF.
 * @irql PASSIVE_LEVEL   @nt PsCreateSystemThread
 */
export function PsCreateSystemThread(
  desiredAccess: number,
  objectAttributes: ObjectAttributes | null,
  processHandle: Handle | null,
  startRoutine: StartRoutine,
  startContext: unknown,
): NtCall<SystemThread> {
  const routine = 'PsCreateSystemThread';
  const asked = { desiredAccess, objectAttributes, processHandle, startRoutine, startContext };
  return new NtCall(routine, () => create(routine, undefined, asked));
}

/**
 * The same for a thread that a driver or device object is referred to by until it ends: the driver is
 * not unloaded before.
 *
 * @returns also INVALID_PARAMETER for what is neither.
 * @irql PASSIVE_LEVEL   @nt IoCreateSystemThread
 */
export function IoCreateSystemThread(
  ioObject: IoObject,
  desiredAccess: number,
  objectAttributes: ObjectAttributes | null,
  processHandle: Handle | null,
  startRoutine: StartRoutine,
  startContext: unknown,
): NtCall<SystemThread> {
  const routine = 'IoCreateSystemThread';
  const asked = { desiredAccess, objectAttributes, processHandle, startRoutine, startContext };
  return new NtCall(routine, () => createFor(routine, ioObject, asked));
}

function* createFor(
  routine: string,
  ioObject: IoObject,
  asked: Asked,
): Generator<Request, SystemThread, number> {
  if (!(ioObject instanceof IoObject)) return failed(STATUS.INVALID_PARAMETER);
  return yield* create(routine, ioObject, asked);
}

/**
 * Ends the thread that calls it. In a callout of KeExpandKernelStackAndCallout it is bugcheck
 * KERNEL_STACK_LOCKED_AT_EXIT.
 *
 * @returns only to a thread that has a user mode: INVALID_PARAMETER.
 * @irql PASSIVE_LEVEL   @nt PsTerminateSystemThread
 */
export function PsTerminateSystemThread(exitStatus: number): NtCall<number> {
  const routine = 'PsTerminateSystemThread';
  return new NtCall(routine, () => terminateSystemThread(routine, exitStatus));
}

function* terminateSystemThread(
  routine: string,
  exitStatus: number,
): Generator<Request, number, number> {
  requireIrql(routine, VIOLATION.IrqlPsPassive, IRQL.PASSIVE_LEVEL);
  const { machine, thread, stack } = currentGuest(routine);
  // Above PASSIVE_LEVEL it may be a DPC that calls it: nothing here is about the thread then.
  if (machine.irql() !== IRQL.PASSIVE_LEVEL) return yield [encode(OP.ExitThread), exitStatus >>> 0];
  if (!thread.isSystemThread) {
    yield [encode(OP.Compute, MODE.KernelMode), machine.profile.costs.ddi, 0];
    return STATUS.INVALID_PARAMETER;
  }
  if (stack.callouts !== 0) machine.bugCheck(BUGCHECK.KERNEL_STACK_LOCKED_AT_EXIT);
  return yield [encode(OP.ExitThread), exitStatus >>> 0];
}

/** @returns TRUE if the thread has no user mode. @irql at most DISPATCH_LEVEL @nt PsIsSystemThread */
export function PsIsSystemThread(thread: KThread): boolean {
  requireIrqlOfGuest('PsIsSystemThread', IRQL.DISPATCH_LEVEL);
  return thread.isSystemThread;
}

/** The same. @irql at most DISPATCH_LEVEL @nt IoIsSystemThread */
export function IoIsSystemThread(thread: KThread): boolean {
  requireIrqlOfGuest('IoIsSystemThread', IRQL.DISPATCH_LEVEL);
  return thread.isSystemThread;
}

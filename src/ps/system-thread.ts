import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { APC_REGION, OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, MODE } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import type { GuestResult } from '../machine/dpc';
import { IoObject } from '../machine/driver';
import { currentGuest, driverOf, invoke, NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import type { KProcess, KThread } from '../machine/views';
import { type ClientId, clientIdOf } from './cid';

/**
 * System threads: kernel-mode threads that run a routine of a driver. They begin inside a critical
 * region, which is taken back before they end: only what they entered and did not leave counts then.
 */

/** KSTART_ROUTINE: called at PASSIVE_LEVEL; the thread ends with STATUS_SUCCESS when it returns. */
export type StartRoutine = (startContext: unknown) => GuestResult;

/** What creating a system thread gives. */
export interface SystemThread {
  readonly status: number;
  /** What Windows gives a handle to; undefined if there is none. */
  readonly thread: KThread | undefined;
  readonly clientId: ClientId | undefined;
}

const failed = (status: number): SystemThread => ({
  status,
  thread: undefined,
  clientId: undefined,
});

function* create(
  routine: string,
  ioObject: IoObject | undefined,
  processHandle: KProcess | null,
  startRoutine: StartRoutine,
  startContext: unknown,
): Generator<Request, SystemThread, number> {
  requireIrql(routine, VIOLATION.IrqlPsPassive, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  const driver = driverOf(routine);
  yield [encode(OP.Compute, MODE.KernelMode), machine.profile.costs.ddi, 0];
  const process = processHandle ?? machine.systemProcess;
  if (process.exited) return failed(STATUS.PROCESS_IS_TERMINATING);
  if (!machine.hasThreadRoom) return failed(STATUS.INSUFFICIENT_RESOURCES);
  const name = startRoutine.name === '' ? 'system thread' : startRoutine.name;
  const thread = process.createThread(
    function* PspSystemThreadStartup() {
      yield* invoke(driver, startRoutine, startContext);
    },
    { name, start: false },
  );
  const region = (change: number) =>
    machine.core.hostApcRegion(thread.address, APC_REGION.Critical, change);
  region(-1);
  ioObject?.reference();
  driver?.threads.add(thread);
  thread.systemThreadEnd = () => {
    thread.systemThreadEnd = undefined;
    region(1);
    driver?.threads.delete(thread);
    ioObject?.dereference();
  };
  thread.start();
  return { status: STATUS.SUCCESS, thread, clientId: clientIdOf(thread) };
}

/**
 * Creates a thread that runs `startRoutine` in the System process (null), or in another, at
 * PASSIVE_LEVEL, priority 8 and with normal kernel APCs disabled: KernelApcDisable is -1.
 *
 * It ends by PsTerminateSystemThread, or with STATUS_SUCCESS when the routine returns. A driver has to
 * wait for its end before it is unloaded.
 *
 * @returns SUCCESS with the thread; PROCESS_IS_TERMINATING; INSUFFICIENT_RESOURCES.
 * @irql PASSIVE_LEVEL
 * @nt PsCreateSystemThread (partial: gives the thread itself for a handle; attributes are not looked at)
 */
export function PsCreateSystemThread(
  _desiredAccess: number,
  _objectAttributes: null,
  processHandle: KProcess | null,
  startRoutine: StartRoutine,
  startContext: unknown,
): NtCall<SystemThread> {
  const routine = 'PsCreateSystemThread';
  return new NtCall(routine, () =>
    create(routine, undefined, processHandle, startRoutine, startContext),
  );
}

/**
 * The same for a thread that a driver or device object is referred to by until it ends: the driver is
 * not unloaded before.
 *
 * @returns also INVALID_PARAMETER for what is neither.
 * @irql PASSIVE_LEVEL
 * @nt IoCreateSystemThread (partial: gives the thread itself for a handle; attributes are not looked at)
 */
export function IoCreateSystemThread(
  ioObject: IoObject,
  _desiredAccess: number,
  _objectAttributes: null,
  processHandle: KProcess | null,
  startRoutine: StartRoutine,
  startContext: unknown,
): NtCall<SystemThread> {
  const routine = 'IoCreateSystemThread';
  return new NtCall(routine, function* (): Generator<Request, SystemThread, number> {
    if (!(ioObject instanceof IoObject)) return failed(STATUS.INVALID_PARAMETER);
    return yield* create(routine, ioObject, processHandle, startRoutine, startContext);
  });
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
  return new NtCall(routine, function* (): Generator<Request, number, number> {
    requireIrql(routine, VIOLATION.IrqlPsPassive, IRQL.PASSIVE_LEVEL);
    const { machine, thread, stack } = currentGuest(routine);
    // Above PASSIVE_LEVEL it may be a DPC that calls it: nothing here is about the thread then.
    if (machine.irql() !== IRQL.PASSIVE_LEVEL)
      return yield [encode(OP.ExitThread), exitStatus >>> 0];
    if (!thread.isSystemThread) {
      yield [encode(OP.Compute, MODE.KernelMode), machine.profile.costs.ddi, 0];
      return STATUS.INVALID_PARAMETER;
    }
    if (stack.callouts !== 0) machine.bugCheck(BUGCHECK.KERNEL_STACK_LOCKED_AT_EXIT);
    return yield [encode(OP.ExitThread), exitStatus >>> 0];
  });
}

/** @returns TRUE if the thread has no user mode. @irql at most DISPATCH_LEVEL @nt PsIsSystemThread */
export function PsIsSystemThread(thread: KThread): boolean {
  return thread.isSystemThread;
}

/** The same. @irql at most DISPATCH_LEVEL @nt IoIsSystemThread */
export function IoIsSystemThread(thread: KThread): boolean {
  return thread.isSystemThread;
}

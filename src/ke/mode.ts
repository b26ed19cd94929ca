import { OP } from '../../assembly/shared/opcode';
import { IRQL, MODE } from '../../assembly/shared/types';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import type { KProcess } from '../machine/views';
import { requireIrql, VIOLATION } from './call';

/**
 * Where a call of the kernel comes from, and the system services.
 *
 * A thread that runs in user mode enters the kernel with its first Nt routine, and is back in user
 * mode when that returns. What calls an Nt routine in the kernel, a callback for one, leaves the
 * previous mode as it is; a Zw routine makes it KernelMode until it returns.
 */

/** A routine of the kernel's own that may block. */
export type KernelCode<T> = Generator<Request, T, number>;

/**
 * @returns UserMode in a service that a thread called from user mode, and in what is called there;
 *   KernelMode in system threads, in Zw services, in DPCs and service routines.
 * @irql any   @nt KeGetPreviousMode
 */
export function KeGetPreviousMode(): MODE {
  const { machine, thread } = currentGuest('KeGetPreviousMode');
  if (machine.inInterrupt) return MODE.KernelMode;
  return thread.serviceMode ?? thread.mode;
}

/** The same. @irql any @nt ExGetPreviousMode */
export function ExGetPreviousMode(): MODE {
  return KeGetPreviousMode();
}

/** The process whose handles and address space the guest has now. */
export function currentProcess(routine: string): KProcess {
  return currentGuest(routine).thread.attachedProcess;
}

/** Time that code of the kernel takes which is no instruction of the core: as long as a DDI. */
export function ddiTime(machine: Machine): Request {
  return [encode(OP.Compute, MODE.KernelMode), machine.profile.costs.ddi, 0];
}

/** Time that a system call takes. */
export function systemCallTime(machine: Machine): Request {
  return [encode(OP.Compute, MODE.KernelMode), machine.profile.costs.systemCall, 0];
}

/** Both names of a system service. */
export interface SystemService<A extends readonly unknown[], T> {
  readonly nt: (...parameters: A) => NtCall<T>;
  readonly zw: (...parameters: A) => NtCall<T>;
}

/**
 * A system service, `name` without Nt: its body is told the previous mode. At PASSIVE_LEVEL only,
 * with the time of a system call.
 */
export function systemService<A extends readonly unknown[], T>(
  name: string,
  body: (previousMode: MODE, ...parameters: A) => KernelCode<T>,
): SystemService<A, T> {
  const named =
    (prefix: 'Nt' | 'Zw') =>
    (...parameters: A): NtCall<T> => {
      const routine = prefix + name;
      return new NtCall(routine, () =>
        serve(routine, prefix === 'Zw', (mode) => body(mode, ...parameters)),
      );
    };
  return { nt: named('Nt'), zw: named('Zw') };
}

function* serve<T>(
  routine: string,
  kernelMode: boolean,
  body: (previousMode: MODE) => KernelCode<T>,
): KernelCode<T> {
  const { machine, thread } = currentGuest(routine);
  requireIrql(routine, VIOLATION.IrqlZwPassive, IRQL.PASSIVE_LEVEL);
  const outer = thread.serviceMode;
  const mode = kernelMode ? MODE.KernelMode : (outer ?? thread.mode);
  const fromUser = outer === undefined && mode === MODE.UserMode;
  thread.serviceMode = mode;
  if (fromUser) thread.enterKernel();
  let returns = false;
  let result: T;
  try {
    yield systemCallTime(machine);
    result = yield* body(mode);
  } finally {
    thread.serviceMode = outer;
    if (fromUser) returns = thread.leaveKernel();
  }
  // What waits for the return to user mode: user-mode APCs, the end of the thread.
  if (returns) yield [encode(OP.ReturnToUser)];
  return result;
}

import { MODE } from '../../assembly/shared/types';
import type { KernelCode } from '../ke/mode';
import { KeGetPreviousMode } from '../ke/mode';
import { NtCall } from '../machine/guest';
import type { Handle } from '../ob/attributes';
import { THREAD_ACCESS } from './access';
import {
  type CreatedThread,
  NtCreateThreadEx,
  THREAD_CREATE_FLAGS,
  type UserStartRoutine,
  ZwCreateThreadEx,
} from './create-services';

/** Threads as ntdll makes them. */

/**
 * Makes a thread of a process, with every right to it.
 *
 * @returns as NtCreateThreadEx.
 * @irql PASSIVE_LEVEL
 * @nt RtlCreateUserThread (partial: security descriptor, stack sizes and zero bits are not looked at)
 */
export function RtlCreateUserThread(
  processHandle: Handle,
  _threadSecurityDescriptor: null,
  createSuspended: boolean,
  _zeroBits: number,
  _maximumStackSize: number,
  _committedStackSize: number,
  startAddress: UserStartRoutine,
  parameter: unknown,
): NtCall<CreatedThread> {
  return new NtCall('RtlCreateUserThread', () =>
    rtlCreateUserThread(processHandle, createSuspended, startAddress, parameter),
  );
}

function* rtlCreateUserThread(
  processHandle: Handle,
  createSuspended: boolean,
  startAddress: UserStartRoutine,
  parameter: unknown,
): KernelCode<CreatedThread> {
  const kernel = KeGetPreviousMode() === MODE.KernelMode;
  const service = kernel ? ZwCreateThreadEx : NtCreateThreadEx;
  const flags = createSuspended ? THREAD_CREATE_FLAGS.CREATE_SUSPENDED : 0;
  const access = THREAD_ACCESS.ALL_ACCESS;
  return yield* service(access, null, processHandle, startAddress, parameter, flags, 0, 0, 0, null);
}

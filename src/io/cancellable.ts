import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE, type WAIT_TYPE } from '../../assembly/shared/types';
import { requireIrql, type Timeout, VIOLATION } from '../ke/call';
import { KeWaitForMultipleObjects, KeWaitForSingleObject } from '../ke/ddi';
import type { KernelCode } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import type { KernelObject } from '../machine/views';
import type { IoRequest } from './file';

/** Waits of drivers that the end of the thread may break. */

/** A wait in user mode, with a failure for what broke it. */
function cancellable(
  routine: string,
  irp: IoRequest | null,
  wait: () => NtCall<number>,
): NtCall<number> {
  return new NtCall(routine, () => cancellableSteps(routine, irp, wait));
}

function* cancellableSteps(
  routine: string,
  irp: IoRequest | null,
  wait: () => NtCall<number>,
): KernelCode<number> {
  const highest = irp === null ? IRQL.APC_LEVEL : IRQL.PASSIVE_LEVEL;
  requireIrql(routine, VIOLATION.KernelApi, highest);
  const { thread } = currentGuest(routine);
  for (;;) {
    const status = yield* wait();
    if (status !== STATUS.USER_APC) return status;
    if (thread.terminating) return STATUS.THREAD_IS_TERMINATING;
  }
}

/**
 * Waits for an object as KeWaitForSingleObject does, not alertably; the end of the thread breaks it.
 *
 * @returns what the wait comes to; THREAD_IS_TERMINATING.
 * @irql at most APC_LEVEL
 * @nt FsRtlCancellableWaitForSingleObject (partial: the cancellation of an IRP does not end it)
 */
export function FsRtlCancellableWaitForSingleObject(
  object: KernelObject,
  timeout100ns: Timeout,
  irp: IoRequest | null,
): NtCall<number> {
  return cancellable('FsRtlCancellableWaitForSingleObject', irp, () =>
    KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.UserMode, false, timeout100ns),
  );
}

/** The same for one of several objects, or all. @irql at most APC_LEVEL @nt FsRtlCancellableWaitForMultipleObjects (partial: the cancellation of an IRP does not end it) */
export function FsRtlCancellableWaitForMultipleObjects(
  objects: readonly KernelObject[],
  waitType: WAIT_TYPE,
  timeout100ns: Timeout,
  waitBlocks: readonly unknown[] | null,
  irp: IoRequest | null,
): NtCall<number> {
  return cancellable('FsRtlCancellableWaitForMultipleObjects', irp, () =>
    KeWaitForMultipleObjects(
      objects,
      waitType,
      KWAIT_REASON.Executive,
      MODE.UserMode,
      false,
      timeout100ns,
      waitBlocks,
    ),
  );
}

import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE, type WAIT_TYPE } from '../../assembly/shared/types';
import { currentGuest, NtCall } from '../machine/guest';
import type { KernelObject } from '../machine/views';
import type { Timeout } from './call';
import { KeWaitForMultipleObjects, KeWaitForSingleObject } from './ddi';
import { KeEnterCriticalRegion, KeLeaveCriticalRegion } from './irql';
import type { KernelCode } from './mode';

/** Names that file systems have for what others call differently, and waits that the end of a thread cancels. */

/** KeEnterCriticalRegion. @irql at most APC_LEVEL @nt FsRtlEnterFileSystem */
export function FsRtlEnterFileSystem(): void {
  KeEnterCriticalRegion();
}

/** KeLeaveCriticalRegion. @irql at most APC_LEVEL @nt FsRtlExitFileSystem */
export function FsRtlExitFileSystem(): NtCall<number> {
  return KeLeaveCriticalRegion();
}

/** What a wait in user mode came to: that the thread ends breaks it, and is a failure here. */
function cancelled(routine: string, status: number): number {
  const { thread } = currentGuest(routine);
  const ends = status === STATUS.USER_APC && thread.terminating;
  return ends ? STATUS.THREAD_IS_TERMINATING : status;
}

/**
 * Waits for an object, in user mode: the end of the thread cancels it.
 *
 * @returns as KeWaitForSingleObject; THREAD_IS_TERMINATING if the thread is to end.
 * @irql at most APC_LEVEL
 * @nt FsRtlCancellableWaitForSingleObject (partial: there are no IRPs; give null)
 */
export function FsRtlCancellableWaitForSingleObject(
  object: KernelObject,
  timeout100ns: Timeout,
  _irp: null,
): NtCall<number> {
  const routine = 'FsRtlCancellableWaitForSingleObject';
  return new NtCall(routine, () => waitForOne(routine, object, timeout100ns));
}

function* waitForOne(routine: string, object: KernelObject, timeout: Timeout): KernelCode<number> {
  const reason = KWAIT_REASON.Executive;
  return cancelled(
    routine,
    yield* KeWaitForSingleObject(object, reason, MODE.UserMode, false, timeout),
  );
}

/**
 * The same for several.
 *
 * @returns as KeWaitForMultipleObjects; THREAD_IS_TERMINATING if the thread is to end.
 * @irql at most APC_LEVEL
 * @nt FsRtlCancellableWaitForMultipleObjects (partial: there are no IRPs; give null)
 */
export function FsRtlCancellableWaitForMultipleObjects(
  objects: readonly KernelObject[],
  waitType: WAIT_TYPE,
  timeout100ns: Timeout,
  _waitBlockArray: null,
  _irp: null,
): NtCall<number> {
  const routine = 'FsRtlCancellableWaitForMultipleObjects';
  return new NtCall(routine, () => waitForSeveral(routine, objects, waitType, timeout100ns));
}

function* waitForSeveral(
  routine: string,
  objects: readonly KernelObject[],
  waitType: WAIT_TYPE,
  timeout: Timeout,
): KernelCode<number> {
  const reason = KWAIT_REASON.Executive;
  const wait = KeWaitForMultipleObjects(
    objects,
    waitType,
    reason,
    MODE.UserMode,
    false,
    timeout,
    null,
  );
  return cancelled(routine, yield* wait);
}

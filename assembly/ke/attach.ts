import { PKPRCB, PKPROCESS, PKTHREAD } from '../hal';
import { RtlInitializeListHead, RtlIsListEmpty } from '../rtl';
import { BUGCHECK } from '../shared/bugcheck';
import { APC_PENDING, KAPC_STATE, KTHREAD, KTHREAD_EXTENSION, LIST_ENTRY } from '../shared/layout';
import { KeBugCheckEx } from './bugcheck';
import { KiPending, KiRequestApcCheck, KiSetPending } from './frame';
import { KiAllocateTrapFrame, KiFreeTrapFrame } from './object';

/**
 * Attaching to a process: a thread works in the address space of another process than its own, and
 * leaves the APCs that are meant for it in its own for when it comes back.
 */

/** What of the pending things belongs to the process that the thread is in. */
const ATTACHED: u32 = APC_PENDING.Kernel | APC_PENDING.User | APC_PENDING.InProgress;

export function KiIsAttached(thread: PKTHREAD): bool {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  return extension != 0 && load<u32>(extension, KTHREAD_EXTENSION.SavedApcState) != 0;
}

/** The process in whose address space a thread works. */
export function KiAttachedProcess(thread: PKTHREAD): PKPROCESS {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  const attached: PKPROCESS =
    extension == 0 ? 0 : <usize>load<u32>(extension, KTHREAD_EXTENSION.AttachedProcess);
  return attached != 0 ? attached : <usize>load<u32>(thread, KTHREAD.Process);
}

/** Moves a list to another head. */
function KiMoveList(from: usize, to: usize): void {
  if (RtlIsListEmpty(from)) {
    RtlInitializeListHead(to);
    return;
  }
  const first: usize = load<u32>(from, LIST_ENTRY.Flink);
  const last: usize = load<u32>(from, LIST_ENTRY.Blink);
  store<u32>(to, <u32>first, LIST_ENTRY.Flink);
  store<u32>(to, <u32>last, LIST_ENTRY.Blink);
  store<u32>(first, <u32>to, LIST_ENTRY.Blink);
  store<u32>(last, <u32>to, LIST_ENTRY.Flink);
  RtlInitializeListHead(from);
}

/**
 * Attaches the running thread, which has an extension, to a process, on top of the one it is attached to.
 *
 * @returns false if there is no room for what it leaves.
 * @irql below DISPATCH_LEVEL   @nt KeStackAttachProcess
 */
export function KeStackAttachProcess(extension: usize, process: PKPROCESS): bool {
  const state = KiAllocateTrapFrame();
  if (state == 0) return false;
  store<u32>(state, load<u32>(extension, KTHREAD_EXTENSION.SavedApcState), KAPC_STATE.Previous);
  store<u32>(state, load<u32>(extension, KTHREAD_EXTENSION.AttachedProcess), KAPC_STATE.Process);
  store<u32>(state, KiPending(extension) & ATTACHED, KAPC_STATE.Pending);
  KiMoveList(extension + KTHREAD_EXTENSION.KernelApcListHead, state + KAPC_STATE.KernelApcListHead);
  KiMoveList(extension + KTHREAD_EXTENSION.UserApcListHead, state + KAPC_STATE.UserApcListHead);
  KiSetPending(extension, 0, ATTACHED);
  store<u32>(extension, <u32>state, KTHREAD_EXTENSION.SavedApcState);
  store<u32>(extension, <u32>process, KTHREAD_EXTENSION.AttachedProcess);
  return true;
}

/**
 * Takes the last attaching back. One that was never done, or whose process still has APCs for the
 * thread, is bugcheck INVALID_PROCESS_DETACH_ATTEMPT.
 *
 * @irql below DISPATCH_LEVEL   @nt KeUnstackDetachProcess
 */
export function KeUnstackDetachProcess(prcb: PKPRCB, thread: PKTHREAD): void {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  const state: usize =
    extension == 0 ? 0 : <usize>load<u32>(extension, KTHREAD_EXTENSION.SavedApcState);
  if (
    state == 0 ||
    !RtlIsListEmpty(extension + KTHREAD_EXTENSION.KernelApcListHead) ||
    !RtlIsListEmpty(extension + KTHREAD_EXTENSION.UserApcListHead)
  ) {
    KeBugCheckEx(BUGCHECK.INVALID_PROCESS_DETACH_ATTEMPT, 0, 0, 0, 0);
    return;
  }
  KiMoveList(state + KAPC_STATE.KernelApcListHead, extension + KTHREAD_EXTENSION.KernelApcListHead);
  KiMoveList(state + KAPC_STATE.UserApcListHead, extension + KTHREAD_EXTENSION.UserApcListHead);
  KiSetPending(extension, load<u32>(state, KAPC_STATE.Pending), ATTACHED);
  store<u32>(extension, load<u32>(state, KAPC_STATE.Previous), KTHREAD_EXTENSION.SavedApcState);
  store<u32>(extension, load<u32>(state, KAPC_STATE.Process), KTHREAD_EXTENSION.AttachedProcess);
  KiFreeTrapFrame(state);
  KiRequestApcCheck(prcb);
}

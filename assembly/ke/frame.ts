import { HalSetIrql, KeGetPrcb, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import { BUGCHECK } from '../shared/bugcheck';
import {
  APC_PENDING,
  ATTENTION,
  KPRCB,
  KSYSTEM,
  KTHREAD,
  KTHREAD_EXTENSION,
  KTIMER,
  KTRAP_FRAME,
  KWAIT_BLOCK,
} from '../shared/layout';
import { LIMIT } from '../shared/limits';
import { FRAME, IRQL, KTHREAD_STATE, THREAD_FLAG } from '../shared/types';
import { KeBugCheckEx } from './bugcheck';
import { KiFetch } from './program';
import { KiAllocateTrapFrame, KiFreeTrapFrame, KiThreadExtension } from './object';

/**
 * Trap frames: a thread leaves what it does, whoever advances it, for a routine in front: an APC's, the
 * wait of a suspended thread, the host's answer to a call. When that returns the thread goes on where
 * it was. Frames are stacked; the flag TrapFrame says that there is one.
 */

/** The bits of KTHREAD.Flags that a frame keeps: who advances the thread, and how it waited. */
const KEPT: u32 =
  THREAD_FLAG.UserMode |
  THREAD_FLAG.Host |
  THREAD_FLAG.Port |
  THREAD_FLAG.KernelCompute |
  THREAD_FLAG.KernelCall |
  THREAD_FLAG.Raised |
  THREAD_FLAG.TrapFrame |
  THREAD_FLAG.WaitAgain |
  THREAD_FLAG.TimerInserted |
  THREAD_FLAG.WaitBlockInserted |
  THREAD_FLAG.WaitMultiple |
  THREAD_FLAG.WaitAll |
  THREAD_FLAG.WaitQueue;

const REGISTER_BYTES: usize = LIMIT.ProgramRegisters * 8;

function KiExtension(thread: PKTHREAD): usize {
  return load<u32>(thread, KTHREAD.Extension);
}

/** The frame of what a thread runs now; 0: what it was made for. */
export function KiTrapFrame(thread: PKTHREAD): usize {
  if ((load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.TrapFrame) == 0) return 0;
  return load<u32>(KiExtension(thread), KTHREAD_EXTENSION.TrapFrame);
}

/** Lets the thread that is current on the processor look at its APCs when this step ends. */
export function KiRequestApcCheck(prcb: PKPRCB): void {
  store<u32>(prcb, load<u32>(prcb, KPRCB.Attention) | ATTENTION.Apc, KPRCB.Attention);
}

function KiSaveWait(thread: PKTHREAD, extension: usize, frame: usize): void {
  const timer = thread + KTHREAD.Timer;
  const block = thread + KTHREAD.WaitBlock;
  store<u64>(frame, load<u64>(timer, KTIMER.DueTime64), KTRAP_FRAME.DueTime64);
  store<u32>(frame, load<u32>(timer, KTIMER.Flags), KTRAP_FRAME.TimerFlags);
  store<u32>(frame, load<u32>(block, KWAIT_BLOCK.Object), KTRAP_FRAME.WaitObject);
  store<u32>(frame, load<u32>(block, KWAIT_BLOCK.WaitKey), KTRAP_FRAME.WaitKey);
  store<u32>(frame, load<u32>(block, KWAIT_BLOCK.NextWaitBlock), KTRAP_FRAME.NextWaitBlock);
  const generation = load<u32>(extension, KTHREAD_EXTENSION.ObjectGeneration);
  store<u32>(frame, generation, KTRAP_FRAME.ObjectGeneration);
  store<u32>(frame, load<u32>(extension, KTHREAD_EXTENSION.WaitModes), KTRAP_FRAME.WaitModes);
  store<u32>(frame, load<u32>(thread, KTHREAD.WaitReason), KTRAP_FRAME.WaitReason);
}

function KiRestoreWait(thread: PKTHREAD, extension: usize, frame: usize): void {
  const timer = thread + KTHREAD.Timer;
  const block = thread + KTHREAD.WaitBlock;
  store<u64>(timer, load<u64>(frame, KTRAP_FRAME.DueTime64), KTIMER.DueTime64);
  store<u32>(timer, load<u32>(frame, KTRAP_FRAME.TimerFlags), KTIMER.Flags);
  store<u32>(block, load<u32>(frame, KTRAP_FRAME.WaitObject), KWAIT_BLOCK.Object);
  store<u32>(block, load<u32>(frame, KTRAP_FRAME.WaitKey), KWAIT_BLOCK.WaitKey);
  store<u32>(block, load<u32>(frame, KTRAP_FRAME.NextWaitBlock), KWAIT_BLOCK.NextWaitBlock);
  const generation = load<u32>(frame, KTRAP_FRAME.ObjectGeneration);
  store<u32>(extension, generation, KTHREAD_EXTENSION.ObjectGeneration);
  store<u32>(extension, load<u32>(frame, KTRAP_FRAME.WaitModes), KTHREAD_EXTENSION.WaitModes);
  store<u32>(thread, load<u32>(frame, KTRAP_FRAME.WaitReason), KTHREAD.WaitReason);
}

/** Whether a frame can be pushed, from an instruction whose failure its thread learns of. */
export function KiCanPushTrapFrame(thread: PKTHREAD): bool {
  if (KiThreadExtension(thread) == 0) return false;
  const frame = KiAllocateTrapFrame();
  if (frame != 0) KiFreeTrapFrame(frame);
  return frame != 0;
}

/**
 * Leaves what the running thread does. What is to run in front is set by `KiEnterFrame`.
 *
 * @returns the frame; 0 after bugcheck PANIC_STACK_SWITCH if there is no room for one.
 */
export function KiPushTrapFrame(prcb: PKPRCB, thread: PKTHREAD, kind: FRAME): usize {
  const extension = KiThreadExtension(thread);
  let frame: usize = 0;
  if (extension != 0) frame = KiAllocateTrapFrame();
  if (frame == 0) {
    KeBugCheckEx(BUGCHECK.PANIC_STACK_SWITCH, thread, kind, 0, 0);
    return 0;
  }
  const flags = load<u32>(thread, KTHREAD.Flags);
  const left = load<u64>(prcb, KPRCB.ResumeTime64) - load<u64>(prcb, KPRCB.ChargeTime64);
  store<u32>(frame, load<u32>(extension, KTHREAD_EXTENSION.TrapFrame), KTRAP_FRAME.Previous);
  store<u32>(frame, kind, KTRAP_FRAME.Kind);
  store<u32>(frame, load<u32>(thread, KTHREAD.ProgramCounter), KTRAP_FRAME.ProgramCounter);
  store<u32>(frame, load<u32>(thread, KTHREAD.ProgramBase), KTRAP_FRAME.ProgramBase);
  store<u32>(frame, load<u32>(thread, KTHREAD.WaitStatus), KTRAP_FRAME.WaitStatus);
  store<u64>(frame, left, KTRAP_FRAME.BurstRemaining64);
  store<u32>(frame, flags & KEPT, KTRAP_FRAME.Flags);
  store<u32>(frame, load<u32>(prcb, KPRCB.Irql), KTRAP_FRAME.Irql);
  const counts = load<u32>(thread, KTHREAD.CombinedApcDisable);
  store<u32>(frame, counts, KTRAP_FRAME.CombinedApcDisable);
  for (let register: usize = 0; register < REGISTER_BYTES; register += 8) {
    const value = load<u64>(thread + register, KTHREAD.Register64);
    store<u64>(frame + register, value, KTRAP_FRAME.Register64);
    store<u64>(thread + register, 0, KTHREAD.Register64);
  }
  if ((flags & THREAD_FLAG.WaitAgain) != 0) KiSaveWait(thread, extension, frame);
  store<u32>(extension, <u32>frame, KTHREAD_EXTENSION.TrapFrame);
  const count = load<u32>(extension, KTHREAD_EXTENSION.TrapFrameCount) + 1;
  store<u32>(extension, count, KTHREAD_EXTENSION.TrapFrameCount);
  store<u32>(thread, (flags & ~KEPT) | THREAD_FLAG.TrapFrame, KTHREAD.Flags);
  return frame;
}

/**
 * Lets a routine begin on top of the frame: 1 is the host's, else a program. The time goes to the thread.
 */
export function KiEnterFrame(
  prcb: PKPRCB,
  thread: PKTHREAD,
  routine: usize,
  level: u32,
  user: bool,
): void {
  let flags = load<u32>(thread, KTHREAD.Flags) & ~(THREAD_FLAG.Host | THREAD_FLAG.UserMode);
  if (routine == 1) flags |= THREAD_FLAG.Host;
  if (user) flags |= THREAD_FLAG.UserMode;
  store<u32>(thread, flags, KTHREAD.Flags);
  store<u32>(thread, <u32>routine, KTHREAD.ProgramBase);
  store<u32>(thread, <u32>routine, KTHREAD.ProgramCounter);
  if (load<u32>(prcb, KPRCB.Irql) != level) HalSetIrql(prcb, level);
  const start = load<u64>(prcb, KPRCB.ChargeTime64) + load<u32>(SYSTEM, KSYSTEM.CostDdi);
  store<u64>(prcb, start + KiFetch(thread), KPRCB.ResumeTime64);
}

/** Goes back to what the running thread had left. */
export function KiPopTrapFrame(prcb: PKPRCB, thread: PKTHREAD): void {
  const extension = KiExtension(thread);
  const frame: usize = load<u32>(extension, KTHREAD_EXTENSION.TrapFrame);
  const kept = load<u32>(frame, KTRAP_FRAME.Flags);
  store<u32>(thread, (load<u32>(thread, KTHREAD.Flags) & ~KEPT) | kept, KTHREAD.Flags);
  store<u32>(thread, load<u32>(frame, KTRAP_FRAME.ProgramCounter), KTHREAD.ProgramCounter);
  store<u32>(thread, load<u32>(frame, KTRAP_FRAME.ProgramBase), KTHREAD.ProgramBase);
  store<u32>(thread, load<u32>(frame, KTRAP_FRAME.WaitStatus), KTHREAD.WaitStatus);
  for (let register: usize = 0; register < REGISTER_BYTES; register += 8) {
    const value = load<u64>(frame + register, KTRAP_FRAME.Register64);
    store<u64>(thread + register, value, KTHREAD.Register64);
  }
  if ((kept & THREAD_FLAG.WaitAgain) != 0) KiRestoreWait(thread, extension, frame);
  const left = load<u64>(frame, KTRAP_FRAME.BurstRemaining64);
  const level = load<u32>(frame, KTRAP_FRAME.Irql);
  store<u64>(prcb, load<u64>(prcb, KPRCB.ChargeTime64) + left, KPRCB.ResumeTime64);
  KiDropTrapFrame(extension, frame);
  if (load<u32>(prcb, KPRCB.Irql) != level) HalSetIrql(prcb, level);
  KiRequestApcCheck(prcb);
}

function KiDropTrapFrame(extension: usize, frame: usize): void {
  store<u32>(extension, load<u32>(frame, KTRAP_FRAME.Previous), KTHREAD_EXTENSION.TrapFrame);
  const count = load<u32>(extension, KTHREAD_EXTENSION.TrapFrameCount) - 1;
  store<u32>(extension, count, KTHREAD_EXTENSION.TrapFrameCount);
  KiFreeTrapFrame(frame);
}

/** Frees the frames of a thread that ends in whatever it runs. */
export function KiDropTrapFrames(thread: PKTHREAD): void {
  if ((load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.TrapFrame) == 0) return;
  const extension = KiExtension(thread);
  while (load<u32>(extension, KTHREAD_EXTENSION.TrapFrame) != 0) {
    KiDropTrapFrame(extension, load<u32>(extension, KTHREAD_EXTENSION.TrapFrame));
  }
  store<u32>(extension, KiPending(extension) & ~APC_PENDING.InProgress, KTHREAD_EXTENSION.Pending);
  store<u32>(thread, load<u32>(thread, KTHREAD.Flags) & ~THREAD_FLAG.TrapFrame, KTHREAD.Flags);
}

export function KiPending(extension: usize): u32 {
  return load<u32>(extension, KTHREAD_EXTENSION.Pending);
}

export function KiSetPending(extension: usize, set: u32, clear: u32): void {
  store<u32>(extension, (KiPending(extension) & ~clear) | set, KTHREAD_EXTENSION.Pending);
}

/** The level a thread is at: its processor's, or what it goes on at. */
export function KiThreadIrql(thread: PKTHREAD): u32 {
  const prcb = KeGetPrcb(load<u32>(thread, KTHREAD.NextProcessor));
  if (load<u32>(prcb, KPRCB.CurrentThread) == <u32>thread) return load<u32>(prcb, KPRCB.Irql);
  const raised = (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.ApcLevel) != 0;
  return raised ? IRQL.APC_LEVEL : IRQL.PASSIVE_LEVEL;
}

/** Whether a thread runs on a processor, and where: 0 if it does not. */
export function KiRunningPrcb(thread: PKTHREAD): PKPRCB {
  if (load<u32>(thread, KTHREAD.State) != KTHREAD_STATE.Running) return 0;
  return KeGetPrcb(load<u32>(thread, KTHREAD.NextProcessor));
}

/** A thread that has nothing left to compute goes on with its next instruction. */
export function KiGoOn(prcb: PKPRCB, thread: PKTHREAD): void {
  const start = load<u64>(prcb, KPRCB.ChargeTime64) + 1;
  store<u64>(prcb, start + KiFetch(thread), KPRCB.ResumeTime64);
}

import { KPROCESS, KTHREAD, PROCESS_FLAG } from '../../assembly/shared/layout';
import { OP } from '../../assembly/shared/opcode';
import { KTHREAD_STATE, PRIORITY_CLASS, THREAD_FLAG } from '../../assembly/shared/types';
import { encode, words64 } from '../machine/instruction';
import type { KProcess, KThread } from '../machine/views';
import type { KernelCode } from './mode';

/**
 * What a process passes on to its threads: priority, boosts, affinity. The process has the new value
 * first, and so have threads that are made meanwhile; then its threads get theirs, one after another.
 */

/** What a base priority beyond the ends of its range is told as. */
export const SATURATED_INCREMENT = 16;

/** The base priority of a priority class. */
export function classBasePriority(priorityClass: PRIORITY_CLASS): number {
  switch (priorityClass) {
    case PRIORITY_CLASS.Idle:
      return 4;
    case PRIORITY_CLASS.BelowNormal:
      return 6;
    case PRIORITY_CLASS.AboveNormal:
      return 10;
    case PRIORITY_CLASS.High:
      return 13;
    case PRIORITY_CLASS.Realtime:
      return 24;
    default:
      return 8;
  }
}

/** A thread's base priority less its process's; 16 or -16 if it is an end of its range by saturation. */
export function baseIncrement(thread: KThread): number {
  const flags = thread.machine.memory.u32(thread.address + KTHREAD.Flags);
  if ((flags & THREAD_FLAG.SaturatedHigh) !== 0) return SATURATED_INCREMENT;
  if ((flags & THREAD_FLAG.SaturatedLow) !== 0) return -SATURATED_INCREMENT;
  return thread.basePriority - thread.process.basePriority;
}

/** Its threads that have not ended. */
function liveThreads(process: KProcess): KThread[] {
  return process.threads().filter(({ state }) => state !== KTHREAD_STATE.Terminated);
}

/**
 * Gives a process a base priority. Its threads keep what they are above or below it; what has been set
 * as a thread's current priority is over.
 *
 * @irql PASSIVE_LEVEL   @nt KeSetPriorityAndQuantumProcess (partial: the quantum stays)
 */
export function* KeSetPriorityProcess(process: KProcess, basePriority: number): KernelCode<void> {
  const { machine, address } = process;
  if (process.basePriority === basePriority) return;
  const threads = liveThreads(process).map((thread) => ({
    thread,
    increment: baseIncrement(thread),
  }));
  machine.memory.setU32(address + KPROCESS.BasePriority, basePriority);
  for (const { thread, increment } of threads) {
    if (!thread.exists || thread.state === KTHREAD_STATE.Terminated) continue;
    yield [encode(OP.SetBasePriorityThread), ...words64(thread.handle), increment >>> 0];
    machine.locks.prioritySet(thread);
  }
}

export function setPriorityClass(process: KProcess, priorityClass: PRIORITY_CLASS): void {
  process.machine.memory.setU32(process.address + KPROCESS.PriorityClass, priorityClass);
}

/** The processors of its group that its threads may have. */
export function processAffinity(process: KProcess): bigint {
  return process.machine.memory.big(process.address + KPROCESS.Affinity64);
}

/** Gives a thread its user affinity; while a system affinity is in force, for when that is over. */
export function* setUserAffinity(
  thread: KThread,
  mask: bigint,
  idealProcessor = thread.idealProcessor,
): KernelCode<void> {
  if (thread.userAffinity !== undefined) {
    thread.userAffinity = { mask, ideal: idealProcessor };
    return;
  }
  const { handle } = thread;
  yield [encode(OP.SetAffinityThread), ...words64(handle), ...words64(mask), idealProcessor];
}

/** The affinity that a thread was given, whatever system affinity is in force. */
export function userAffinityOf(thread: KThread): bigint {
  return thread.userAffinity?.mask ?? thread.affinity;
}

/** Gives a process an affinity: a part of its group, which becomes that of all its threads. @irql PASSIVE_LEVEL @nt KeSetAffinityProcess */
export function* KeSetAffinityProcess(process: KProcess, mask: bigint): KernelCode<void> {
  process.machine.memory.setBig(process.address + KPROCESS.Affinity64, mask);
  for (const thread of liveThreads(process)) {
    if (!thread.exists || thread.state === KTHREAD_STATE.Terminated) continue;
    const ideal = thread.userAffinity?.ideal ?? thread.idealProcessor;
    yield* setUserAffinity(thread, mask, ideal);
  }
}

/** Whether a thread gets no boosts. */
export function boostDisabled(thread: KThread): boolean {
  const flags = thread.machine.memory.u32(thread.address + KTHREAD.Flags);
  return (flags & THREAD_FLAG.DisableBoost) !== 0;
}

/** @irql at most DISPATCH_LEVEL @internal @nt KeSetDisableBoostThread */
export function setBoostDisabled(thread: KThread, disabled: boolean): void {
  const none = disabled || !thread.machine.profile.boosts;
  setFlag(thread, KTHREAD.Flags, THREAD_FLAG.DisableBoost, none);
}

export function processBoostDisabled(process: KProcess): boolean {
  const flags = process.machine.memory.u32(process.address + KPROCESS.Flags);
  return (flags & PROCESS_FLAG.DisableBoost) !== 0;
}

/** The same for all threads of a process, those to come included. */
export function setProcessBoostDisabled(process: KProcess, disabled: boolean): void {
  setFlag(process, KPROCESS.Flags, PROCESS_FLAG.DisableBoost, disabled);
  for (const thread of liveThreads(process)) setBoostDisabled(thread, disabled);
}

function setFlag(object: KThread | KProcess, field: number, flag: number, set: boolean): void {
  const { memory } = object.machine;
  const address = object.address + field;
  const flags = memory.u32(address);
  memory.setU32(address, set ? flags | flag : flags & ~flag);
}

/** Run time of its threads, those that have ended too. */
export function processRunTimeNs(process: KProcess): number {
  const ended = process.machine.memory.u64(process.address + KPROCESS.CycleTime64);
  return liveThreads(process).reduce((sum, { runTimeNs }) => sum + runTimeNs, ended);
}

/** The same in cycles of the profile's processor. */
export function processCycleTime(process: KProcess): number {
  const { cyclesPerMicrosecond } = process.machine.profile;
  return Math.floor((processRunTimeNs(process) * cyclesPerMicrosecond) / 1000);
}

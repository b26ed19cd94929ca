import { KeGetPrcb, PKPRCB, PKPROCESS, PKTHREAD, SYSTEM } from '../hal';
import { RtlInitializeListHead, RtlInsertTailList, RtlMix64, RtlRemoveEntryList } from '../rtl';
import { BUGCHECK } from '../shared/bugcheck';
import { EVENT } from '../shared/event';
import { KGROUP, KNODE, KPRCB, KPROCESS, KSYSTEM, KTHREAD, PROCESS_FLAG } from '../shared/layout';
import {
  ADJUST,
  GUEST,
  IRQL,
  KOBJECTS,
  KTHREAD_STATE,
  PRIORITY_CLASS,
  THREAD_FLAG,
} from '../shared/types';
import { KiHasUserApcs, KiIsApcDeliverable, KiPendingKernelApc } from './apc';
import { KiAttachedProcess, KiIsAttached } from './attach';
import { KeBugCheckEx } from './bugcheck';
import { KiReadyThread } from './dispatch';
import { KiDropTrapFrames, KiRequestApcCheck } from './frame';
import { KiAbandonMutants } from './mutant';
import {
  KiAllocateProcess,
  KiAllocateThread,
  KiFreeProcess,
  KiFreeThread,
  KiProcessIndex,
  KiThreadIndex,
} from './object';
import { KiClampBasePriority, KiResetQuantum, KiSetSaturation } from './priority';
import { KiLeaveQueue } from './queue';
import { KiDropWait } from './rewait';
import { KiTrace } from './trace';
import { KiSignalObject } from './wait';

/** Threads and processes: their making, their homes, their end. */

function KiNode(number: u32): usize {
  return <usize>load<u32>(SYSTEM, KSYSTEM.NodeBase) + number * KNODE.Size;
}

/** The next processor of a node after bit `seed`, as a bit number of the group, going round. */
function KiNextSeed(affinity: u64, seed: u32): u32 {
  const above = seed >= 63 ? 0 : affinity & (u64.MAX_VALUE << (seed + 1));
  return <u32>ctz(above != 0 ? above : affinity);
}

/** The base priority of a priority class. */
export function KiClassBase(priorityClass: u32): u32 {
  if (priorityClass == PRIORITY_CLASS.Idle) return 4;
  if (priorityClass == PRIORITY_CLASS.BelowNormal) return 6;
  if (priorityClass == PRIORITY_CLASS.AboveNormal) return 10;
  if (priorityClass == PRIORITY_CLASS.High) return 13;
  if (priorityClass == PRIORITY_CLASS.Realtime) return 24;
  return 8;
}

/**
 * A new process: its node is the next of the machine's, its first thread's home the node's next
 * processor. `affinity` of 0 is the whole group.
 *
 * @returns 0 if the table is full.
 */
export function KeInitializeProcess(
  parent: PKPROCESS,
  creator: PKTHREAD,
  priorityClass: u32,
  quantum: u32,
  affinity: u64,
  flags: u32,
): PKPROCESS {
  const process = KiAllocateProcess();
  if (process == 0) return 0;
  const seed = load<u32>(SYSTEM, KSYSTEM.NodeSeed);
  const nodes = load<u32>(SYSTEM, KSYSTEM.NodeCount);
  store<u32>(SYSTEM, seed + 1 >= nodes ? 0 : seed + 1, KSYSTEM.NodeSeed);
  const node = KiNode(seed);
  const groupNumber = load<u32>(node, KNODE.Group);
  const group = <usize>load<u32>(SYSTEM, KSYSTEM.GroupBase) + groupNumber * KGROUP.Size;
  const active = load<u64>(group, KGROUP.ActiveProcessors64);
  const home = KiNextSeed(load<u64>(node, KNODE.Affinity64), load<u32>(node, KNODE.Seed));
  store<u32>(node, home, KNODE.Seed);

  store<u32>(process, KOBJECTS.ProcessObject, KPROCESS.Type);
  RtlInitializeListHead(process + KPROCESS.WaitListHead);
  RtlInitializeListHead(process + KPROCESS.ThreadListHead);
  store<u32>(process, KiClassBase(priorityClass), KPROCESS.BasePriority);
  store<u32>(process, priorityClass, KPROCESS.PriorityClass);
  store<u32>(process, quantum, KPROCESS.QuantumReset);
  store<u32>(process, groupNumber, KPROCESS.Group);
  store<u32>(process, seed, KPROCESS.Node);
  store<u32>(process, home, KPROCESS.ThreadSeed);
  store<u64>(process, (affinity & active) != 0 ? affinity & active : active, KPROCESS.Affinity64);
  store<u32>(process, KiProcessIndex(parent), KPROCESS.Parent);
  store<u32>(process, flags, KPROCESS.Flags);
  const sequence = load<u32>(SYSTEM, KSYSTEM.ProcessSequence) + 1;
  store<u32>(SYSTEM, sequence, KSYSTEM.ProcessSequence);
  store<u32>(process, sequence, KPROCESS.SequenceNumber);
  store<u64>(process, load<u64>(SYSTEM, KSYSTEM.Time64), KPROCESS.CreateTime64);
  KiTrace(
    EVENT.ProcessStart,
    load<u32>(SYSTEM, KSYSTEM.CurrentProcessor),
    0,
    KiProcessIndex(process),
    KiProcessIndex(parent),
    load<u32>(process, KPROCESS.BasePriority),
    groupNumber | (seed << 16),
    creator == 0 ? 0 : KiThreadIndex(creator),
  );
  return process;
}

/** Where the next thread of a process is at home: the process's processors in turn, its node's first. */
function KiNextIdealProcessor(process: PKPROCESS, affinity: u64): u32 {
  const node = KiNode(load<u32>(process, KPROCESS.Node));
  const near = affinity & load<u64>(node, KNODE.Affinity64);
  const allowed = near != 0 ? near : affinity;
  let seed = load<u32>(process, KPROCESS.ThreadSeed);
  const first =
    load<u32>(process, KPROCESS.ThreadsCreated) == 0 && (allowed & ((<u64>1) << seed)) != 0;
  if (!first) seed = KiNextSeed(allowed, seed);
  store<u32>(process, seed, KPROCESS.ThreadSeed);
  store<u32>(process, load<u32>(process, KPROCESS.ThreadsCreated) + 1, KPROCESS.ThreadsCreated);
  const group =
    <usize>load<u32>(SYSTEM, KSYSTEM.GroupBase) + load<u32>(process, KPROCESS.Group) * KGROUP.Size;
  return load<u32>(group, KGROUP.FirstProcessor) + seed;
}

/**
 * A new thread, Initialized. `increment` is relative to the process's base priority, and leads out of
 * its range for threads of the system alone; `affinity` of 0 is the process's.
 *
 * @returns 0 if the table is full.
 */
export function KeInitializeThread(
  process: PKPROCESS,
  creator: PKTHREAD,
  program: usize,
  increment: i32,
  affinity: u64,
  flags: u32,
): PKTHREAD {
  const thread = KiAllocateThread();
  if (thread == 0) return 0;
  const processAffinity = load<u64>(process, KPROCESS.Affinity64);
  const allowed = (affinity & processAffinity) != 0 ? affinity & processAffinity : processAffinity;
  const processBase = load<u32>(process, KPROCESS.BasePriority);
  const system = (flags & THREAD_FLAG.System) != 0;
  const base = system ? processBase + increment : KiClampBasePriority(processBase, increment);
  const ideal = KiNextIdealProcessor(process, allowed);
  store<u32>(thread, KOBJECTS.ThreadObject, KTHREAD.Type);
  RtlInitializeListHead(thread + KTHREAD.WaitListHead);
  store<u32>(thread, KTHREAD_STATE.Initialized, KTHREAD.State);
  store<u32>(thread, base, KTHREAD.Priority);
  store<u32>(thread, base, KTHREAD.BasePriority);
  const unboosted = (load<u32>(process, KPROCESS.Flags) & PROCESS_FLAG.DisableBoost) != 0;
  store<u32>(thread, unboosted ? flags | THREAD_FLAG.DisableBoost : flags, KTHREAD.Flags);
  KiSetSaturation(thread, increment);
  store<u32>(thread, <u32>process, KTHREAD.Process);
  store<u64>(thread, allowed, KTHREAD.Affinity64);
  store<u32>(thread, ideal, KTHREAD.IdealProcessor);
  store<u32>(thread, ideal, KTHREAD.NextProcessor);
  store<u32>(thread, ideal, KTHREAD.LastProcessor);
  KiResetQuantum(thread);
  store<u32>(thread, <u32>program, KTHREAD.ProgramBase);
  store<u32>(thread, <u32>program, KTHREAD.ProgramCounter);
  store<u64>(thread, load<u64>(SYSTEM, KSYSTEM.Time64), KTHREAD.StateTime64);
  const sequence = load<u32>(SYSTEM, KSYSTEM.ThreadSequence) + 1;
  store<u32>(SYSTEM, sequence, KSYSTEM.ThreadSequence);
  store<u64>(
    thread,
    RtlMix64(load<u64>(SYSTEM, KSYSTEM.Seed64) + RtlMix64(sequence)),
    KTHREAD.RandomState64,
  );
  RtlInsertTailList(process + KPROCESS.ThreadListHead, thread + KTHREAD.ThreadListEntry);
  store<u32>(process, load<u32>(process, KPROCESS.ThreadCount) + 1, KPROCESS.ThreadCount);
  store<u32>(process, load<u32>(process, KPROCESS.ActiveThreads) + 1, KPROCESS.ActiveThreads);
  store<u32>(process, load<u32>(process, KPROCESS.ThreadRows) + 1, KPROCESS.ThreadRows);
  if (!system) {
    store<u32>(SYSTEM, load<u32>(SYSTEM, KSYSTEM.LiveThreads) + 1, KSYSTEM.LiveThreads);
  }
  const guest =
    (flags & THREAD_FLAG.Host) != 0 ? GUEST.Host : (flags & THREAD_FLAG.Port) != 0 ? GUEST.Port : 0;
  KiTrace(
    EVENT.ThreadStart,
    load<u32>(SYSTEM, KSYSTEM.CurrentProcessor),
    0,
    KiThreadIndex(thread),
    KiProcessIndex(process),
    base | (base << 8) | (guest << 16),
    ideal | (load<u32>(process, KPROCESS.Group) << 16),
    creator == 0 ? 0 : KiThreadIndex(creator),
  );
  return thread;
}

/** Lets an Initialized thread run. */
export function KeStartThread(prcb: PKPRCB, thread: PKTHREAD): void {
  store<u32>(thread, ADJUST.None, KTHREAD.Adjust);
  KiReadyThread(prcb, thread);
}

/** Lets kernel-mode APCs and a suspension come that have reached the running thread with its last instruction. */
function KiRequestLastApcs(prcb: PKPRCB, thread: PKTHREAD): bool {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  if (extension == 0 || !KiIsApcDeliverable(prcb, thread, extension)) return false;
  KiRequestApcCheck(prcb);
  return true;
}

/**
 * The running thread has nothing more to run. Where the host has a say, or the thread has APCs left,
 * the host does what goes before the end, as the thread's next instructions; the next exit ends it.
 */
export function KiBeginExit(prcb: PKPRCB, thread: PKTHREAD, status: u32): void {
  const flags = load<u32>(thread, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.Exiting) != 0) {
    KeTerminateThread(prcb, thread, load<u32>(thread, KTHREAD.ExitStatus));
    return;
  }
  KiDropTrapFrames(thread);
  KiDropWait(thread);
  if (KiIsAttached(thread)) {
    const process = load<u32>(thread, KTHREAD.Process);
    KeBugCheckEx(BUGCHECK.INVALID_PROCESS_ATTACH_ATTEMPT, process, KiAttachedProcess(thread), 1, 0);
    return;
  }
  const system = (flags & THREAD_FLAG.System) != 0;
  const lifecycle = load<u32>(SYSTEM, KSYSTEM.Lifecycle) != 0 && !system;
  const interrupted = KiRequestLastApcs(prcb, thread);
  if (!lifecycle && !interrupted && !KiHasUserApcs(thread)) {
    KeTerminateThread(prcb, thread, status);
    return;
  }
  const kept = load<u32>(thread, KTHREAD.Flags) & ~(THREAD_FLAG.Port | THREAD_FLAG.UserMode);
  store<u32>(thread, kept | THREAD_FLAG.Host | THREAD_FLAG.Exiting, KTHREAD.Flags);
  store<u32>(thread, status, KTHREAD.ExitStatus);
  store<u64>(prcb, load<u64>(prcb, KPRCB.ChargeTime64) + 1, KPRCB.ResumeTime64);
}

/**
 * Ends the running thread: it is signaled, leaves its process and, unless the host refers to it, its
 * row is free once it is off the processor. The last thread takes its process along.
 *
 * @irql PASSIVE_LEVEL   @internal @nt KeTerminateThread
 */
export function KeTerminateThread(prcb: PKPRCB, thread: PKTHREAD, status: u32): void {
  if (!KiAbandonMutants(prcb, thread)) return;
  const level = load<u32>(prcb, KPRCB.Irql);
  const disabled = load<u32>(thread, KTHREAD.CombinedApcDisable);
  if (level != <u32>IRQL.PASSIVE_LEVEL || disabled != 0) {
    KeBugCheckEx(BUGCHECK.KERNEL_APC_PENDING_DURING_EXIT, 0, disabled, level, 0);
    return;
  }
  const apc = KiPendingKernelApc(thread);
  if (apc != 0) {
    KeBugCheckEx(BUGCHECK.KERNEL_APC_PENDING_DURING_EXIT, apc, disabled, level, 0);
    return;
  }
  if ((load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.StackResident) != 0) {
    KeBugCheckEx(BUGCHECK.KERNEL_STACK_LOCKED_AT_EXIT, 0, 0, 0, 0);
    return;
  }
  const process: PKPROCESS = load<u32>(thread, KTHREAD.Process);
  if (load<u32>(thread, KTHREAD.Extension) != 0) KiLeaveQueue(prcb, thread);
  store<u32>(thread, KTHREAD_STATE.Terminated, KTHREAD.State);
  store<u64>(thread, load<u64>(SYSTEM, KSYSTEM.Time64), KTHREAD.StateTime64);
  store<u32>(thread, status, KTHREAD.ExitStatus);
  store<u64>(prcb, u64.MAX_VALUE, KPRCB.ResumeTime64);
  KiTrace(
    EVENT.ThreadEnd,
    load<u32>(prcb, KPRCB.Number),
    0,
    KiThreadIndex(thread),
    KiProcessIndex(process),
    status,
    load<u32>(thread, KTHREAD.UserTicks),
    load<u32>(thread, KTHREAD.KernelTicks),
  );
  KiSignalObject(prcb, thread, 0);
  if ((load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.System) == 0) {
    store<u32>(SYSTEM, load<u32>(SYSTEM, KSYSTEM.LiveThreads) - 1, KSYSTEM.LiveThreads);
  }
  store<u32>(
    process,
    load<u32>(process, KPROCESS.KernelTicks) + load<u32>(thread, KTHREAD.KernelTicks),
    KPROCESS.KernelTicks,
  );
  store<u32>(
    process,
    load<u32>(process, KPROCESS.UserTicks) + load<u32>(thread, KTHREAD.UserTicks),
    KPROCESS.UserTicks,
  );
  store<u32>(process, load<u32>(process, KPROCESS.ActiveThreads) - 1, KPROCESS.ActiveThreads);
  const left = load<u32>(process, KPROCESS.ThreadCount) - 1;
  store<u32>(process, left, KPROCESS.ThreadCount);
  const flags = load<u32>(process, KPROCESS.Flags);
  if (left != 0 || (flags & PROCESS_FLAG.System) != 0) return;

  if ((flags & PROCESS_FLAG.ExitStatusSet) == 0) store<u32>(process, status, KPROCESS.ExitStatus);
  KiEndProcess(prcb, process);
}

/** The end of a process that has no thread, or none any more. */
export function KiEndProcess(prcb: PKPRCB, process: PKPROCESS): void {
  const flags = load<u32>(process, KPROCESS.Flags);
  if ((flags & PROCESS_FLAG.ExitTimeSet) == 0)
    store<u64>(process, load<u64>(SYSTEM, KSYSTEM.Time64), KPROCESS.IdleSince64);
  store<u32>(process, flags | PROCESS_FLAG.Exited, KPROCESS.Flags);
  KiTrace(
    EVENT.ProcessEnd,
    load<u32>(prcb, KPRCB.Number),
    0,
    KiProcessIndex(process),
    load<u32>(process, KPROCESS.Parent),
    load<u32>(process, KPROCESS.ExitStatus),
    0,
    0,
  );
  KiSignalObject(prcb, process, 0);
}

/** Adds up an ended thread that has left its processor: what its end cost is in its run time now. */
export function KiTotalThread(prcb: PKPRCB, thread: PKTHREAD): void {
  const time = load<u64>(thread, KTHREAD.CycleTime64);
  const process: PKPROCESS = load<u32>(thread, KTHREAD.Process);
  store<u64>(process, load<u64>(process, KPROCESS.CycleTime64) + time, KPROCESS.CycleTime64);
  KiTrace(
    EVENT.ThreadTotals,
    load<u32>(prcb, KPRCB.Number),
    0,
    KiThreadIndex(thread),
    <u32>time,
    <u32>(time >> 32),
    load<u32>(thread, KTHREAD.ContextSwitches),
    load<u32>(thread, KTHREAD.Migrations),
  );
}

/** Called when an ended thread has left its processor, and when the host lets go of it. */
export function KiReleaseTerminatedThread(thread: PKTHREAD): void {
  if ((load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.Referenced) != 0) return;
  const process: PKPROCESS = load<u32>(thread, KTHREAD.Process);
  RtlRemoveEntryList(thread + KTHREAD.ThreadListEntry);
  KiFreeThread(thread);
  store<u32>(process, load<u32>(process, KPROCESS.ThreadRows) - 1, KPROCESS.ThreadRows);
  KiReleaseProcess(process);
}

/** Frees the row of a process that has ended, that the host does not refer to and whose threads' rows are free. */
export function KiReleaseProcess(process: PKPROCESS): void {
  const flags =
    load<u32>(process, KPROCESS.Flags) & (PROCESS_FLAG.Exited | PROCESS_FLAG.Referenced);
  if (flags == PROCESS_FLAG.Exited && load<u32>(process, KPROCESS.ThreadRows) == 0)
    KiFreeProcess(process);
}

/** A process enters or leaves the foreground: its threads' next quanta are of `quantum` units. */
export function KiSetForeground(process: PKPROCESS, foreground: bool, quantum: u32): void {
  store<u32>(process, foreground ? 1 : 0, KPROCESS.Foreground);
  store<u32>(process, quantum, KPROCESS.QuantumReset);
}

/** The processor whose context the host acts in: that of the stopped step, or the first. */
export function KiHostPrcb(): PKPRCB {
  return KeGetPrcb(load<u32>(SYSTEM, KSYSTEM.CurrentProcessor));
}

import { BUGCHECK } from '../../assembly/shared/bugcheck';
import {
  DISPATCHER_HEADER,
  KPRCB,
  KSYSTEM,
  KTHREAD,
  KWAIT_BLOCK,
} from '../../assembly/shared/layout';
import {
  ACTIVATION,
  KOBJECTS,
  KTHREAD_STATE,
  KWAIT_REASON,
  THREAD_FLAG,
} from '../../assembly/shared/types';
import type { Machine } from './machine';
import { decodeRecord, type TraceRecord } from './records';
import { THREAD_STATE_NAMES, WAIT_REASON_NAMES } from './words';

export interface RunOptions {
  /** Virtual time to run up to, ns since boot; steps at that time are done. */
  readonly until?: number;
  /** Steps to do at most. Default 100,000,000. */
  readonly maxEvents?: number;
}

/** A thread that is left when nothing can happen any more. */
export interface ThreadLeft {
  readonly name: string;
  readonly process: string;
  readonly index: number;
  readonly state: string;
  /** What it waits for, in words; absent if it does not wait. */
  readonly waitsFor?: string;
  /** The table index of the object that it waits for. */
  readonly waitObject?: number;
}

export interface BugCheckReport {
  readonly code: number;
  readonly name: string;
  readonly parameters: readonly [bigint, bigint, bigint, bigint];
  readonly processor: number;
  /** The thread that ran there; absent for the idle thread. */
  readonly thread?: string;
  readonly explanation: string;
  /** The routines of the host that were being executed, the one that was called last first; none in a program. */
  readonly stack: readonly string[];
  /** The last records, oldest first. */
  readonly lastRecords: readonly TraceRecord[];
}

/** One that waits or spins for what the next of a circle owns. */
export interface DeadlockLink {
  readonly thread: string;
  /** Absent for one that waits off its processor. */
  readonly processor?: number;
  readonly waitsFor: string;
  readonly ownedBy: string;
}

/** Why `run` returned, and what belongs to it. */
export type RunResult =
  | { readonly reason: 'time' | 'events' | 'requested' | 'trace-full'; readonly now: number }
  | { readonly reason: 'idle'; readonly now: number; readonly waiting: readonly ThreadLeft[] }
  | { readonly reason: 'livelock'; readonly now: number; readonly threads: readonly ThreadLeft[] }
  | {
      /** Who is left can never go on: each of the circle waits for the next, the last for the first. */
      readonly reason: 'deadlock';
      readonly now: number;
      readonly circle: readonly DeadlockLink[];
    }
  | ({
      readonly reason: 'bugcheck';
      readonly now: number /** What a guest or the core threw. */;
      readonly cause: unknown;
    } & BugCheckReport);

/** What objects are called, by type. */
const OBJECT_NAMES: Readonly<Record<number, string>> = {
  [KOBJECTS.EventNotificationObject]: 'notification event',
  [KOBJECTS.EventSynchronizationObject]: 'synchronization event',
  [KOBJECTS.MutantObject]: 'mutant',
  [KOBJECTS.QueueObject]: 'queue',
  [KOBJECTS.GateObject]: 'gate',
  [KOBJECTS.SemaphoreObject]: 'semaphore',
  [KOBJECTS.TimerNotificationObject]: 'notification timer',
  [KOBJECTS.TimerSynchronizationObject]: 'synchronization timer',
  [KOBJECTS.ThreadObject]: 'thread',
  [KOBJECTS.ProcessObject]: 'process',
};

/** The threads that have not ended, the machine's own left out. */
export function remainingThreads(machine: Machine): ThreadLeft[] {
  const left: ThreadLeft[] = [];
  for (const thread of machine.allThreads()) {
    const { address } = thread;
    const flags = machine.memory.u32(address + KTHREAD.Flags);
    const state = thread.state;
    if ((flags & THREAD_FLAG.System) !== 0 || state === KTHREAD_STATE.Terminated) continue;
    const base = {
      name: thread.name,
      process: thread.process.name,
      index: thread.index,
      state: THREAD_STATE_NAMES[state],
    };
    const wait = state === KTHREAD_STATE.Waiting ? describeWait(machine, address, flags) : {};
    if (thread.restsAt !== undefined && wait.waitObject === thread.restsAt.index) continue;
    left.push({ ...base, ...wait });
  }
  return left;
}

function describeWait(
  machine: Machine,
  thread: number,
  flags: number,
): Pick<ThreadLeft, 'waitsFor' | 'waitObject'> {
  const code = machine.memory.u32(thread + KTHREAD.WaitReason);
  if (code === KWAIT_REASON.Suspended) return { waitsFor: 'being resumed (Suspended)' };
  if (code === KWAIT_REASON.WrAlertByThreadId)
    return { waitsFor: 'an alert by its id (WrAlertByThreadId)' };
  const reason = WAIT_REASON_NAMES[machine.memory.u32(thread + KTHREAD.WaitReason) as KWAIT_REASON];
  if ((flags & THREAD_FLAG.WaitMultiple) !== 0) {
    const which = (flags & THREAD_FLAG.WaitAll) !== 0 ? 'all' : 'one';
    const names = multipleObjects(machine, thread).map((object) => nameOf(machine, object));
    return { waitsFor: `${which} of ${names.join(', ')} (${reason})` };
  }
  if ((flags & THREAD_FLAG.WaitBlockInserted) === 0) return { waitsFor: `a time (${reason})` };
  const object = machine.memory.u32(thread + KTHREAD.WaitBlock + KWAIT_BLOCK.Object);
  const waitObject = machine.objectIndex(object);
  return { waitsFor: `${nameOf(machine, object)} (${reason})`, waitObject };
}

export function nameOf(machine: Machine, object: number): string {
  const type = machine.memory.u32(object + DISPATCHER_HEADER.Type);
  const held = machine.waits.get(object);
  return held?.name ?? `${OBJECT_NAMES[type] ?? 'object'} ${machine.objectIndex(object)}`;
}

/** Addresses of the objects that a thread waits for in a wait for several. */
function multipleObjects(machine: Machine, thread: number): number[] {
  const objects: number[] = [];
  const { memory } = machine;
  let block = memory.u32(thread + KTHREAD.WaitBlock + KWAIT_BLOCK.NextWaitBlock);
  while (block !== 0) {
    objects.push(memory.u32(block + KWAIT_BLOCK.Object));
    block = memory.u32(block + KWAIT_BLOCK.NextWaitBlock);
  }
  return objects;
}

const EXPLANATIONS: Readonly<Record<number, readonly [string, string]>> = {
  [BUGCHECK.APC_INDEX_MISMATCH]: [
    'APC_INDEX_MISMATCH',
    'Kernel code returned with APCs disabled otherwise than when it was called, or a system call attached to another process (parameter 1 is the routine, the number of the system call, or 0, 2 1 if it is attached, 3 SpecialApcDisable << 16 | KernelApcDisable). Leave every critical and guarded region and release every mutex first; the cause says who did not.',
  ],
  [BUGCHECK.DEVICE_QUEUE_NOT_BUSY]: [
    'DEVICE_QUEUE_NOT_BUSY',
    'An entry was to be removed from a device queue whose device is free. Remove one only after an insertion has made the device busy, and no more once KeRemoveDeviceQueue has returned NULL.',
  ],
  [BUGCHECK.INVALID_PROCESS_ATTACH_ATTEMPT]: [
    'INVALID_PROCESS_ATTACH_ATTEMPT',
    'A thread of one process (parameter 1) ended while it was attached to another (parameter 2), or called KeAttachProcess for a process (1) while it was (2; parameter 3 is 1). Call KeUnstackDetachProcess for every KeStackAttachProcess, KeDetachProcess for KeAttachProcess.',
  ],
  [BUGCHECK.INVALID_PROCESS_DETACH_ATTEMPT]: [
    'INVALID_PROCESS_DETACH_ATTEMPT',
    'A thread detached from a process that it was not attached to, or while APCs for it were waiting there. Pair KeUnstackDetachProcess with KeStackAttachProcess.',
  ],
  [BUGCHECK.QUOTA_UNDERFLOW]: [
    'QUOTA_UNDERFLOW',
    'More quota was returned to a process (parameter 1) than it was charged with (parameter 2 is 0 for nonpaged and 1 for paged pool, 3 what was charged, 4 what was returned). Return each charge once, to the process that was charged.',
  ],
  [BUGCHECK.KERNEL_STORAGE_SLOT_IN_USE]: [
    'KERNEL_STORAGE_SLOT_IN_USE',
    'PsFreeSiloContextSlot freed a slot in which a silo still has a context (parameter 1 is the number of the silo, 0 the host; parameter 2 the slot). Remove the contexts from every silo first, or unregister the monitor whose slot it is.',
  ],
  [BUGCHECK.WORKER_THREAD_RETURNED_WHILE_ATTACHED_TO_SILO]: [
    'WORKER_THREAD_RETURNED_WHILE_ATTACHED_TO_SILO',
    'A work item returned attached to a silo (parameter 1 is its routine, 2 its parameter, 3 the item). Call PsDetachSiloFromCurrentThread with what PsAttachSiloToCurrentThread returned.',
  ],
  [BUGCHECK.INVALID_SILO_DETACH]: [
    'INVALID_SILO_DETACH',
    'A thread (parameter 1) of a process (parameter 3) ended while it was attached to a silo (parameter 2 is its number, 0 the host). Call PsDetachSiloFromCurrentThread with what PsAttachSiloToCurrentThread returned.',
  ],
  [BUGCHECK.PANIC_STACK_SWITCH]: [
    'PANIC_STACK_SWITCH',
    'There was no room for another trap frame, or extension, of a thread (parameter 1). Raise capacities.trapFrames and capacities.threadExtensions, or look for APCs that queue APCs without end.',
  ],
  [BUGCHECK.INVALID_AFFINITY_SET]: [
    'INVALID_AFFINITY_SET',
    'An affinity without an active processor was set.',
  ],
  [BUGCHECK.SPIN_LOCK_NOT_OWNED]: [
    'SPIN_LOCK_NOT_OWNED',
    'A spin lock (parameter 1) was released that nobody held. Release each as often as it was acquired, shared ones as shared.',
  ],
  [BUGCHECK.REFERENCE_BY_POINTER]: [
    'REFERENCE_BY_POINTER',
    'An object (parameter 2, of the type whose index is parameter 1) was dereferenced more often than it was referenced. Pair every ObDereferenceObject with one reference of your own.',
  ],
  [BUGCHECK.INVALID_KERNEL_HANDLE]: [
    'INVALID_KERNEL_HANDLE',
    'Kernel-mode code closed a handle (parameter 1) that is protected from close (parameter 2 is 0) or does not exist (parameter 2 is 1). Close each handle once, in the process that it is of.',
  ],
  [BUGCHECK.SHARED_RESOURCE_CONV_ERROR]: [
    'SHARED_RESOURCE_CONV_ERROR',
    'ExConvertExclusiveToSharedLite was called for a resource (parameter 1) by a thread (parameter 2) that does not own it exclusively.',
  ],
  [BUGCHECK.INTERRUPT_EXCEPTION_NOT_HANDLED]: [
    'INTERRUPT_EXCEPTION_NOT_HANDLED',
    'An interrupt service routine threw and did not catch it (parameter 1 is the status where Windows has an exception record). The cause says what; a service routine may raise nothing.',
  ],
  [BUGCHECK.KMODE_EXCEPTION_NOT_HANDLED]: [
    'KMODE_EXCEPTION_NOT_HANDLED',
    "Kernel-mode code threw an exception (parameter 1 is its status) that nothing caught: a DPC, a host call, a CpuPort, or a host thread with a user mode. The result's cause is what it threw, its stack where.",
  ],
  [BUGCHECK.SYSTEM_THREAD_EXCEPTION_NOT_HANDLED]: [
    'SYSTEM_THREAD_EXCEPTION_NOT_HANDLED',
    "A system thread threw an exception (parameter 1 is its status) that nothing caught. The result's cause is what it threw, its stack where. A registration handle that was given back twice ends so too.",
  ],
  [BUGCHECK.UNEXPECTED_KERNEL_MODE_TRAP]: [
    'UNEXPECTED_KERNEL_MODE_TRAP',
    "A kernel stack was overrun (parameter 1 is 8, a double fault). The result's cause has the routines that were on it and what each took: recurse less, keep large data off the stack, or call through KeExpandKernelStackAndCallout.",
  ],
  [BUGCHECK.IRQL_NOT_DISPATCH_LEVEL]: [
    'IRQL_NOT_DISPATCH_LEVEL',
    'A DPC or interrupt routine went below DISPATCH_LEVEL, or a DPC returned at another level than that (parameter 1 is the level, 2 the DPC). Give KeLowerIrql and KeReleaseSpinLock the level that the raise or the acquisition returned.',
  ],
  [BUGCHECK.IRQL_NOT_GREATER_OR_EQUAL]: [
    'IRQL_NOT_GREATER_OR_EQUAL',
    'KeRaiseIrql was given a level (parameter 1) below the current one (parameter 2), or above HIGH_LEVEL. Use KeLowerIrql to go down.',
  ],
  [BUGCHECK.IRQL_NOT_LESS_OR_EQUAL]: [
    'IRQL_NOT_LESS_OR_EQUAL',
    'At an IRQL (parameter 2) that is too high for it, a thread waited, delayed or yielded (parameter 1 is the object or 0), or KeLowerIrql was given a higher level (parameter 1). Wait below DISPATCH_LEVEL only, and release spin locks first.',
  ],
  [BUGCHECK.IRQL_GT_ZERO_AT_SYSTEM_SERVICE]: [
    'IRQL_GT_ZERO_AT_SYSTEM_SERVICE',
    'A system call (parameter 1 is its number) went back to user mode above PASSIVE_LEVEL (parameter 2). Lower the IRQL, and release spin locks and fast mutexes, before it returns.',
  ],
  [BUGCHECK.KERNEL_APC_PENDING_DURING_EXIT]: [
    'KERNEL_APC_PENDING_DURING_EXIT',
    'A thread ended above PASSIVE_LEVEL (parameter 3), with APCs disabled (parameter 2: SpecialApcDisable << 16 | KernelApcDisable) or with a kernel-mode APC left (parameter 1). Leave every critical and guarded region and lower the IRQL before the thread ends.',
  ],
  [BUGCHECK.KERNEL_STACK_LOCKED_AT_EXIT]: [
    'KERNEL_STACK_LOCKED_AT_EXIT',
    'A thread ended whose kernel stack cannot be freed: it had swapping disabled, or was inside KeExpandKernelStackAndCallout. Call KeSetKernelStackSwapEnable(TRUE) and return from the callout before the thread ends.',
  ],
  [BUGCHECK.IRQL_UNEXPECTED_VALUE]: [
    'IRQL_UNEXPECTED_VALUE',
    'Kernel code, such as a routine of an APC (its address in parameter 2), returned at another IRQL than it was called at, or (low byte of parameter 1 is 0xfe) with other APC counts (parameter 2 now, 3 before). Parameter 1 is the level << 16 | the one it should be << 8 | 0 for a kernel routine of an APC, 1 for a normal routine, 2 for a callout of KeExpandKernelStackAndCallout, 3 for an interrupt service routine. Lower what it raised, and leave what it entered; the cause, if there is one, says who did not.',
  ],
  [BUGCHECK.ATTEMPTED_SWITCH_FROM_DPC]: [
    'ATTEMPTED_SWITCH_FROM_DPC',
    'A DPC or interrupt routine did what only a thread can: wait, delay, yield or end (parameter 1 is the thread it interrupted). Let it queue a work item or signal a thread that does so.',
  ],
  [BUGCHECK.BAD_POOL_CALLER]: [
    'BAD_POOL_CALLER',
    'Pool was allocated or freed as it must not be. Parameter 1 says how: 7 an allocation was freed twice, 0xa with another tag (3 its own, 4 the one given), 0x46 what is freed is no allocation, 0x9b it was asked for without a tag (2 the pool type, 3 the bytes).',
  ],
  [BUGCHECK.TIMER_OR_DPC_INVALID]: [
    'TIMER_OR_DPC_INVALID',
    'Parameter 1 says what was wrong: 0 a timer of ExAllocateTimer (2 the timer, 3 the rule it broke: 1 attributes, 2 a high-resolution timer with a system time, 3 period, 4 tolerance, 5 Wait without Cancel), 1 a DPC that has been deleted (2 its handle), 2 a DPC without a routine (2 the routine, 3 the DPC), 4 a DPC and 5 that of a timer whose routine left the APC counts of the thread changed (2 the DPC, 3 the counts before, 4 after).',
  ],
  [BUGCHECK.RESOURCE_NOT_OWNED]: [
    'RESOURCE_NOT_OWNED',
    'A resource (parameter 1) was released by or for a thread or owner pointer (parameter 2) that does not own it (parameter 3 is how many do). Release each as often as it was acquired, after ExSetResourceOwnerPointer with ExReleaseResourceForThreadLite.',
  ],
  [BUGCHECK.RESOURCE_OWNER_POINTER_INVALID]: [
    'RESOURCE_OWNER_POINTER_INVALID',
    'A resource (parameter 1; parameter 2 is how many own it) was to be handed by a thread (parameter 3) to an owner pointer (parameter 4) that is none: its two low bits must be set, and with FLAG_OWNER_POINTER_IS_THREAD it must be resourceOwnerPointer of a thread.',
  ],
  [BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE]: [
    'KERNEL_SECURITY_CHECK_FAILURE',
    'What the kernel keeps would have been corrupted. Parameter 1 says what: 3 a list whose links do not match, as of an entry inserted or removed twice, 5 an argument, as a list that has been deleted, 14 a count of references. The cause, if there is one, says more.',
  ],
  [BUGCHECK.INVALID_PUSH_LOCK_FLAGS]: [
    'INVALID_PUSH_LOCK_FLAGS',
    'A push lock (parameter 2) was acquired or released with flags (parameter 1) that do not exist.',
  ],
  [BUGCHECK.KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION]: [
    'KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION',
    'A thread (parameter 1) ended while it owned a lock (parameter 2 is its number, parameter 3 is 1). Release it first.',
  ],
  [BUGCHECK.KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE]: [
    'KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE',
    'A push lock (parameter 2) was released by a thread (parameter 1) that does not hold it, or not in this way. Release it in the thread that acquired it, as exclusive or shared as that was.',
  ],
  [BUGCHECK.ERESOURCE_INVALID_RELEASE]: [
    'ERESOURCE_INVALID_RELEASE',
    'A resource (parameter 1) was released by a thread (parameter 2) for what is no thread and no owner pointer (parameter 3).',
  ],
  [BUGCHECK.KERNEL_AUTO_BOOST_LOCK_ACQUISITION_WITH_RAISED_IRQL]: [
    'KERNEL_AUTO_BOOST_LOCK_ACQUISITION_WITH_RAISED_IRQL',
    'A thread (parameter 1) acquired a push lock (parameter 2) at DISPATCH_LEVEL or above (parameter 3). Acquire it at APC_LEVEL at most.',
  ],
  [BUGCHECK.DPC_WATCHDOG_VIOLATION]: [
    'DPC_WATCHDOG_VIOLATION',
    'One DPC lasted too long (parameter 1 is 0; parameter 2 its ticks, 3 the limit), or a processor stayed at DISPATCH_LEVEL or above too long (parameter 1 is 1; parameter 2 the limit in ticks). DPCs are for 100 us; leave the rest to a thread.',
  ],
  [BUGCHECK.DRIVER_VERIFIER_DETECTED_VIOLATION]: [
    'DRIVER_VERIFIER_DETECTED_VIOLATION',
    'A routine was called in a way that it forbids (parameter 1 is the violation); the cause says which and what it needs.',
  ],
  [BUGCHECK.MAXIMUM_WAIT_OBJECTS_EXCEEDED]: [
    'MAXIMUM_WAIT_OBJECTS_EXCEEDED',
    'A thread waited for more than 64 objects at once, or for more than 3 without wait blocks of its own.',
  ],
  [BUGCHECK.THREAD_TERMINATE_HELD_MUTEX]: [
    'THREAD_TERMINATE_HELD_MUTEX',
    'A thread (parameter 1) ended while it owned a mutex (parameter 2). Release it first; KeReleaseMutex as often as it was acquired.',
  ],
  [BUGCHECK.DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS]: [
    'DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS',
    'A routine of a driver (parameter 1 is its address or 0) that is no longer loaded was called, or was still to be. The cause says which was left: take back every callback, timer, DPC, work item and thread in DriverUnload, and before DriverEntry fails.',
  ],
  [BUGCHECK.CRITICAL_PROCESS_DIED]: [
    'CRITICAL_PROCESS_DIED',
    'A process (parameter 1 is its handle, parameter 2 is 0) or a thread (parameter 2 is 1) ended without which the system cannot go on: it is marked as critical, by ProcessBreakOnTermination or ThreadBreakOnTermination. Take the mark away before its end, or find out who ends it.',
  ],
  [BUGCHECK.SYSTEM_EXIT_OWNED_MUTEX]: [
    'SYSTEM_EXIT_OWNED_MUTEX',
    'A work item returned while its thread owned a mutex (parameter 1 is the routine, 2 its parameter, 3 the item). Release what a routine acquires before it returns.',
  ],
  [BUGCHECK.SYSTEM_SERVICE_EXCEPTION]: [
    'SYSTEM_SERVICE_EXCEPTION',
    'What serves the system calls and faults of a subsystem threw an exception (parameter 1 is its status, 2 the number of the system call or the status of the fault, 3 the thread). The cause names the provider and its routine, and what it threw.',
  ],
  [BUGCHECK.INVALID_WORK_QUEUE_ITEM]: [
    'INVALID_WORK_QUEUE_ITEM',
    'A work item (parameter 1; its routine is parameter 4) was initialized again while it was in a queue (parameter 2), so that its links were lost. Initialize an item once its routine has been called.',
  ],
  [BUGCHECK.IMPERSONATING_WORKER_THREAD]: [
    'IMPERSONATING_WORKER_THREAD',
    'A work item (parameter 3; its routine is parameter 1, with parameter 2) returned while its worker thread impersonated a client. Call PsRevertToSelf before it returns.',
  ],
  [BUGCHECK.WORKER_THREAD_RETURNED_WITH_BAD_IO_PRIORITY]: [
    'WORKER_THREAD_RETURNED_WITH_BAD_IO_PRIORITY',
    'A work item (parameter 4; its routine is parameter 1, with parameter 3) left its worker thread with an I/O priority (parameter 2) that is not the usual one, 2. Set it back before the routine returns.',
  ],
  [BUGCHECK.WORKER_THREAD_RETURNED_WITH_NON_DEFAULT_PAGE_PRIORITY]: [
    'WORKER_THREAD_RETURNED_WITH_NON_DEFAULT_PAGE_PRIORITY',
    'A work item (parameter 4; its routine is parameter 1, with parameter 3) left its worker thread with a page priority (parameter 2) that is not the usual one, 5. Set it back before the routine returns.',
  ],
  [BUGCHECK.WORKER_THREAD_RETURNED_AT_BAD_IRQL]: [
    'WORKER_THREAD_RETURNED_AT_BAD_IRQL',
    'A work item returned at a raised IRQL (parameter 1 is the routine, 2 the level, 3 its parameter, 4 the item). Lower the level, or release the spin lock or fast mutex, before it returns.',
  ],
  [BUGCHECK.WORKER_INVALID]: [
    'WORKER_INVALID',
    'A work item (parameter 2) was misused: parameter 1 is 1 for one that was queued while it is in a queue, 2 for a queued I/O work item that was freed (parameter 3 is its routine), 3 for one initialized with what is no driver or device object (parameter 3), 6 for a queue type that does not exist, 7 for a routine that is none.',
  ],
  [BUGCHECK.ACTIVE_EX_WORKER_THREAD_TERMINATION]: [
    'ACTIVE_EX_WORKER_THREAD_TERMINATION',
    'A system worker thread (parameter 1) was ended: its work items only borrow it. Return from the routine instead.',
  ],
  [BUGCHECK.MANUALLY_INITIATED_CRASH]: [
    'MANUALLY_INITIATED_CRASH',
    'Somebody asked for the crash.',
  ],
  [BUGCHECK.ASSERTION]: [
    'NTPS_ASSERTION',
    'An assertion of the ntps core failed (parameter 1 is the line): a defect of ntps. Please report it with the steps and the seed.',
  ],
};

/** What executes on a processor, as the core names it: a routine in front of its thread, or the thread. */
function executingIndex(machine: Machine, prcb: number): number {
  const activation = machine.memory.u32(prcb + KPRCB.Activation);
  if (activation === 0) return machine.objectIndex(machine.memory.u32(prcb + KPRCB.CurrentThread));
  const base = machine.memory.u32(KSYSTEM.Address + KSYSTEM.ActivationBase);
  return ACTIVATION.Mark + (activation - base) / KTHREAD.Size;
}

/** The bugcheck that a machine has stopped with; `failure` is what was thrown, if anything was. */
export function describeBugCheck(machine: Machine, failure: unknown): BugCheckReport {
  const code = machine.memory.u32(KSYSTEM.Address + KSYSTEM.BugCheckCode);
  const processor = machine.memory.u32(KSYSTEM.Address + KSYSTEM.CurrentProcessor);
  const prcb = machine.memory.u32(KSYSTEM.Address + KSYSTEM.PrcbBase) + processor * KPRCB.Size;
  const parameter = (index: number) =>
    machine.memory.big(KSYSTEM.Address + KSYSTEM.BugCheckParameter64 + index * 8);
  const [name, explanation] = EXPLANATIONS[code] ?? [
    `0x${code.toString(16)}`,
    'No explanation is known for this code.',
  ];
  const current = machine.threadAt(machine.memory.u32(prcb + KPRCB.CurrentThread));
  const last = machine.trace.last(16);
  return {
    code,
    name,
    parameters: [parameter(0), parameter(1), parameter(2), parameter(3)],
    processor,
    ...(current === undefined ? {} : { thread: current.name }),
    explanation,
    stack: machine.guests
      .chainOf(executingIndex(machine, prcb), failure)
      .map(({ routine }) => routine),
    lastRecords: Array.from({ length: last.count }, (_, index) => decodeRecord(last, index)),
  };
}

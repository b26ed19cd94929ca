import { BUGCHECK } from '../../assembly/shared/bugcheck';

/** Bugchecks in words. */

/** Those that the kernel stops a machine with: what went wrong, what each parameter is, what to do. */
export const RAISED: Readonly<Record<number, readonly [string, string]>> = {
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
  [BUGCHECK.DRIVER_RETURNED_HOLDING_CANCEL_LOCK]: [
    'DRIVER_RETURNED_HOLDING_CANCEL_LOCK',
    'A cancel routine (parameter 2) returned with the cancel spin lock, for a request (parameter 1). Call IoReleaseCancelSpinLock with what IoAcquireCancelSpinLock returned, on every path.',
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

/** A bugcheck of Windows that the kernel never stops with; a driver can ask for it with KeBugCheckEx. */
export interface NotRaised {
  readonly name: string;
  /** What Windows says with it, its parameters among it. */
  readonly explanation: string;
  /** Why it is not raised here, and what is in its place. */
  readonly why: string;
}

const never = (name: string, explanation: string, why: string): NotRaised => ({
  name,
  explanation,
  why,
});

/** The other bugchecks of threads, processes, locks, work items and drivers, by their codes. */
export const BUGCHECKS_NOT_RAISED: Readonly<Record<number, NotRaised>> = {
  3: never(
    'INVALID_AFFINITY_SET',
    'An affinity without an active processor was set (no parameters).',
    'the routines that drivers have ignore an affinity that is not valid, or return a status',
  ),
  13: never(
    'MUTEX_LEVEL_NUMBER_VIOLATION',
    'Mutexes were acquired against the order of their levels (no parameters).',
    'the level of KeInitializeMutex is reserved: nothing is done with it',
  ),
  15: never(
    'SPIN_LOCK_ALREADY_OWNED',
    'A spin lock was acquired by its owner (no parameters).',
    'checked builds look for it; here the run ends in a deadlock that names the lock, as a free build spins for ever',
  ),
  17: never(
    'THREAD_NOT_MUTEX_OWNER',
    'A mutex was released by a thread that does not own it (no parameters).',
    'KeReleaseMutex raises STATUS_MUTANT_NOT_OWNED, which ends in bugcheck 0x1E or 0x7E if nothing catches it',
  ),
  19: never(
    'EMPTY_THREAD_REAPER_LIST',
    'The list of ended threads was corrupted.',
    'Windows does not use it',
  ),
  20: never(
    'CREATE_DELETE_LOCK_NOT_LOCKED',
    'A lock of the process manager was not held (no parameters).',
    'no trigger is documented: the lock is inside the kernel',
  ),
  29: never(
    'NO_SPIN_LOCK_AVAILABLE',
    'There was no spin lock left (no parameters).',
    "no trigger is documented: spin locks are their users' storage",
  ),
  80: never(
    'PAGE_FAULT_IN_NONPAGED_AREA',
    'Memory that is not there was touched (parameter 1 is the address, 2 is 0 for a read, 2 for a write, 0x10 for execution, 3 the instruction, 4 the kind).',
    'addresses are numbers and nothing is there: a driver that uses what is NULL or has gone ends in bugcheck 0x1E, 0x7E or 0x18',
  ),
  129: never(
    'SPIN_LOCK_INIT_FAILURE',
    'A spin lock could not be made (no parameters).',
    'no trigger is documented',
  ),
  191: never(
    'MUTEX_ALREADY_OWNED',
    'A thread (parameter 2) acquired a mutex (parameter 1) that it owns.',
    'mutexes count their acquisitions, and fast mutexes wait for ever: a deadlock that names the mutex',
  ),
  209: never(
    'DRIVER_IRQL_NOT_LESS_OR_EQUAL',
    'A driver touched pageable memory (parameter 1) at too high an IRQL (2; 3 is 0 for a read, 1 for a write, 2 or 8 for execution, 4 the instruction).',
    'no memory is paged out: what is only to be touched below DISPATCH_LEVEL is checked by its routines, as bugcheck 0xC4',
  ),
  212: never(
    'SYSTEM_SCAN_AT_RAISED_IRQL_CAUGHT_IMPROPER_DRIVER_UNLOAD',
    'A routine of a driver that is gone was called at a raised IRQL (parameter 1 is the address, 2 the IRQL, 3 is 0 for a read, 1 for a write, 4 the instruction).',
    'what a driver leaves stops the machine at its unload, as bugcheck 0xCE',
  ),
  213: never(
    'DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL',
    'A driver touched pool that has been freed (parameter 1 is the address, 2 is 0 for a read, 1 for a write, 3 the instruction).',
    'pool is kept as books: its bytes are not there to be touched',
  ),
  220: never(
    'DRIVER_INVALID_STACK_ACCESS',
    'A driver touched its stack below the stack pointer (no parameters).',
    'stacks are kept as books: their bytes are not there to be touched',
  ),
  234: never(
    'THREAD_STUCK_IN_DEVICE_DRIVER',
    'A thread of a display driver (parameter 1) spun for too long (2 is the watchdog, 3 the driver).',
    'there are no display drivers',
  ),
  244: never(
    'CRITICAL_OBJECT_TERMINATION',
    'A process (parameter 1 is 3) or thread (6) ended without which the system cannot go on (2 is the object, 3 its image, 4 a message).',
    'Windows 8.1 and later stop with bugcheck 0xEF in its place, and so does this kernel',
  ),
  257: never(
    'CLOCK_WATCHDOG_TIMEOUT',
    'A processor (parameter 4 is its index, 3 its PRCB) took no clock interrupt for parameter 1 ticks.',
    'a processor that has its time takes its interrupts: none hangs',
  ),
  258: never(
    'DPC_WATCHDOG_TIMEOUT',
    'A processor (parameter 2 is its PRCB) took no DPC for parameter 1 ticks.',
    'DPCs that take too long stop the machine with bugcheck 0x133',
  ),
  297: never(
    'WORKER_THREAD_RETURNED_WITH_BAD_PAGING_IO_PRIORITY',
    'A work item (parameter 4; its routine is parameter 1, with parameter 3) left its worker thread with another paging I/O priority (2).',
    'no routine of a driver sets the paging I/O priority of a thread',
  ),
  343: never(
    'KERNEL_THREAD_PRIORITY_FLOOR_VIOLATION',
    'The priority floor of a thread (parameter 1) was counted wrong for a priority (2; 3 is 1 for too high, 2 for too low, 3 for illegal).',
    "the counts are the kernel's own, and no routine of a driver reaches them",
  ),
  355: never(
    'WORKER_THREAD_TEST_CONDITION',
    'A test of worker threads failed (parameter 1 is the active flags, 2 the one that did).',
    'it is for tests inside Windows',
  ),
  398: never(
    'KERNEL_PARTITION_REFERENCE_VIOLATION',
    'A partition was referenced wrongly (parameter 1 is 0 for hard references, 1 for the system partition, 2 for work items left).',
    "there are no partitions beside the system's",
  ),
  426: never(
    'EXCEPTION_ON_INVALID_STACK',
    'An exception was handled on a stack (parameter 1) that is none (2 is its kind, 3 the context, 4 the exception).',
    'code cannot go to a stack of its own; a stack that is overrun is bugcheck 0x7F',
  ),
  453: never(
    'IO_THREADPOOL_DEADLOCK_LIVEDUMP',
    'A pool of I/O worker threads is in a deadlock.',
    'it is a live dump: Windows goes on',
  ),
  454: never(
    'FAST_ERESOURCE_PRECONDITION_VIOLATION',
    'A fast resource was used against its rules (parameter 1 says which).',
    'fast resources are not modelled',
  ),
  460: never(
    'EXRESOURCE_TIMEOUT_LIVEDUMP',
    'A resource (parameter 1) was waited for by a thread (2) for too long (3 is how often, 4 the seconds).',
    'it is a live dump: Windows goes on',
  ),
  461: never(
    'INVALID_CALLBACK_STACK_ADDRESS',
    'The user-mode callback stack is not where it should be (no parameters).',
    'there are no callbacks to user mode',
  ),
  462: never(
    'INVALID_KERNEL_STACK_ADDRESS',
    'The kernel stack is not where it should be (no parameters).',
    'stacks are where the kernel has put them',
  ),
  466: never(
    'WORKER_THREAD_INVALID_STATE',
    'A worker thread (parameter 2) ended with requests outstanding (parameter 1 is 0).',
    'worker threads end only when they have had nothing to do for long',
  ),
  470: never(
    'WORKER_THREAD_RETURNED_WITH_NON_DEFAULT_WORKLOAD_CLASS',
    'A work item (parameter 4; its routine is parameter 1, with parameter 3) left its worker thread with another workload class (2).',
    'workload classes are not modelled',
  ),
  493: never(
    'HANDLE_ERROR_ON_CRITICAL_THREAD',
    'A critical thread used a handle that is none (reserved parameters).',
    'strict handle checks of processes are not modelled',
  ),
};

/** The name of a bugcheck, and what it means. */
export function explainBugCheck(code: number): readonly [string, string] {
  const raised = RAISED[code];
  if (raised !== undefined) return raised;
  const other = BUGCHECKS_NOT_RAISED[code];
  if (other !== undefined) return [other.name, other.explanation];
  return [`0x${code.toString(16)}`, 'No explanation is known for this code.'];
}

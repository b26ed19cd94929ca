/** States of a thread, with Windows's numbers. GateWaitObsolete is never entered, as on Windows 8 and later. */
export const enum KTHREAD_STATE {
  Initialized = 0,
  Ready = 1,
  Running = 2,
  Standby = 3,
  Terminated = 4,
  Waiting = 5,
  Transition = 6,
  DeferredReady = 7,
  GateWaitObsolete = 8,
  WaitingForProcessInSwap = 9,
}

export const enum KWAIT_REASON {
  Executive = 0,
  FreePage = 1,
  PageIn = 2,
  PoolAllocation = 3,
  DelayExecution = 4,
  Suspended = 5,
  UserRequest = 6,
  WrExecutive = 7,
  WrFreePage = 8,
  WrPageIn = 9,
  WrPoolAllocation = 10,
  WrDelayExecution = 11,
  WrSuspended = 12,
  WrUserRequest = 13,
  WrEventPair = 14,
  WrQueue = 15,
  WrLpcReceive = 16,
  WrLpcReply = 17,
  WrVirtualMemory = 18,
  WrPageOut = 19,
  WrRendezvous = 20,
  WrKeyedEvent = 21,
  WrTerminated = 22,
  WrProcessInSwap = 23,
  WrCpuRateControl = 24,
  WrCalloutStack = 25,
  WrKernel = 26,
  WrResource = 27,
  WrPushLock = 28,
  WrMutex = 29,
  WrQuantumEnd = 30,
  WrDispatchInt = 31,
  WrPreempted = 32,
  WrYieldExecution = 33,
  WrFastMutex = 34,
  WrGuardedMutex = 35,
  WrRundown = 36,
  WrAlertByThreadId = 37,
  WrDeferredPreempt = 38,
}

/** WAIT_TYPE of KeWaitForMultipleObjects. */
export const enum WAIT_TYPE {
  WaitAll = 0,
  WaitAny = 1,
}

/** TIMER_TYPE of KeInitializeTimerEx. */
export const enum TIMER_TYPE {
  NotificationTimer = 0,
  SynchronizationTimer = 1,
}

/** Types of dispatcher objects, with Windows's codes. */
export const enum KOBJECTS {
  EventNotificationObject = 0,
  EventSynchronizationObject = 1,
  MutantObject = 2,
  ProcessObject = 3,
  QueueObject = 4,
  SemaphoreObject = 5,
  ThreadObject = 6,
  GateObject = 7,
  TimerNotificationObject = 8,
  TimerSynchronizationObject = 9,
  ApcObject = 18,
  DpcObject = 19,
  InterruptObject = 22,
  ThreadedDpcObject = 24,
  /** Not Windows's: there a spin lock is a word without a header. */
  SpinLockObject = 64,
  BarrierObject = 65,
}

export const enum IRQL {
  PASSIVE_LEVEL = 0,
  APC_LEVEL = 1,
  DISPATCH_LEVEL = 2,
  /** The lowest and the highest of devices. */
  LOW_DIRQL = 3,
  HIGH_DIRQL = 12,
  DEVICE_LEVEL = 5,
  /** Of machines with several processors. */
  SYNCH_LEVEL = 12,
  CLOCK_LEVEL = 13,
  IPI_LEVEL = 14,
  HIGH_LEVEL = 15,
}

export const enum KDPC_IMPORTANCE {
  LowImportance = 0,
  MediumImportance = 1,
  HighImportance = 2,
  MediumHighImportance = 3,
}

export const enum KE_PROCESSOR_CHANGE_NOTIFY_STATE {
  KeProcessorAddStartNotify = 0,
  KeProcessorAddCompleteNotify = 1,
  KeProcessorAddFailureNotify = 2,
}

/** KAPC_ENVIRONMENT of KeInitializeApc: the process in which the routines run. */
export const enum KAPC_ENVIRONMENT {
  OriginalApcEnvironment = 0,
  AttachedApcEnvironment = 1,
  CurrentApcEnvironment = 2,
  InsertApcEnvironment = 3,
}

/** What a thread runs in front of what it had been doing. */
export const enum FRAME {
  /** The kernel routine of a kernel-mode APC, at APC_LEVEL. */
  KernelApcKernelRoutine = 1,
  /** The normal routine of a kernel-mode APC. */
  KernelApc = 2,
  /** The kernel routine of a user-mode APC, at APC_LEVEL. */
  UserApcKernelRoutine = 3,
  /** The normal routine of a user-mode APC, in user mode. */
  UserApc = 4,
  /** It waits to be resumed. */
  Suspend = 5,
  /** A call that the host answers with a routine of its own. */
  Call = 6,
}

export const enum MODE {
  KernelMode = 0,
  UserMode = 1,
}

/** Why a readied thread's priority is looked at. */
export const enum ADJUST {
  None = 0,
  Unwait = 1,
  /** The time of its wait or delay was over: no boost. */
  Timeout = 2,
  /** By a thread that gives it its priority: the increment is that priority. */
  Boost = 3,
}

/** Which table a handle names a row of: bits 50-52 of the handle. */
export const enum TABLE {
  Object = 0,
  Thread = 1,
  Process = 2,
}

/** Who advances a thread. */
export const enum GUEST {
  Program = 0,
  Host = 1,
  Port = 2,
}

/** Priority classes of a process, with the codes of PROCESS_PRIORITY_CLASS. */
export const enum PRIORITY_CLASS {
  Idle = 1,
  Normal = 2,
  High = 3,
  Realtime = 4,
  BelowNormal = 5,
  AboveNormal = 6,
}

/** Bits of KTHREAD.Flags. */
export const enum THREAD_FLAG {
  /** Runs in user mode: ticks are charged as user time. */
  UserMode = 1,
  DisableBoost = 2,
  /** Its affinity is the processor's alone or otherwise narrower than its group. */
  Restricted = 4,
  /** It was switched out by preemption: it goes back to the head of its queue. */
  Preempted = 8,
  /** No waiter of its own: the balance-set manager and the swapper. */
  System = 16,
  /** Its timer is in the timer table. */
  TimerInserted = 32,
  /** What its instructions cost is overhead, not its run time: a recording has it already. */
  Uncharged = 64,
  /** The host frees its table row; otherwise the row is free as soon as the thread has ended. */
  Referenced = 128,
  /** It waits in user mode: its kernel stack may be swapped out. */
  UserWait = 256,
  /** Its instructions come from a generator of the host. */
  Host = 512,
  /** It is advanced by a CpuPort. */
  Port = 1024,
  /** Its wait block is in an object's wait list. */
  WaitBlockInserted = 2048,
  /** It computes in kernel mode until its next instruction. */
  KernelCompute = 4096,
  /** Its base priority is the upper or the lower end of its range, whatever increment led there. */
  SaturatedHigh = 8192,
  SaturatedLow = 16384,
  /** It waits for several objects: its wait block's NextWaitBlock is the first of theirs. */
  WaitMultiple = 32768,
  /** It waits for all of them. */
  WaitAll = 65536,
  /** The status of its last operation is raised as an exception, not returned. */
  Raised = 131072,
  /** It goes on at APC_LEVEL when it runs again. */
  ApcLevel = 262144,
  /** The host does what goes before its end. */
  Exiting = 0x80000,
  /** It waits alertably. */
  Alertable = 0x100000,
  /** A user-mode host thread inside a service: no user-mode APCs before it returns. */
  KernelCall = 0x200000,
  /** It has a trap frame. */
  TrapFrame = 0x400000,
  /** A kernel-mode APC has interrupted its wait, which begins again after it. */
  WaitAgain = 0x800000,
  /** It waits for an entry of a queue: its wait block's key is the register that gets it. */
  WaitQueue = 0x4000000,
  /** It has signaled with Wait = TRUE: its next wait goes back to its WaitIrql, these two bits. */
  WaitNext = 0x8000000,
  WaitApcLevel = 0x10000000,
  WaitDispatchLevel = 0x20000000,
  /** Its kernel stack stays in memory: KeSetKernelStackSwapEnable. */
  StackResident = 0x40000000,
}

/** Why `KiRun` returned. */
export const enum STOP {
  None = 0,
  TimeReached = 1,
  Idle = 2,
  EventLimit = 3,
  /** A host or port thread's turn, a host call or a system call. `KSYSTEM.StopThread` says whose. */
  Host = 4,
  BugCheck = 5,
  Livelock = 6,
  TraceFull = 7,
  Requested = 8,
  /** Processors spin in a circle on locks that each other hold. */
  Deadlock = 9,
  /** Whose step is next is not known before a worker port has come further. */
  Flight = 10,
}

/** StopThread of an activation is the mark and its row: 16 times the processor plus the level. */
export const enum ACTIVATION {
  Mark = 0x40000000,
  Levels = 16,
}

/** What a stop with `STOP.Host` asks for. */
export const enum HOST_REQUEST {
  /** The next instruction of a host thread. */
  HostThread = 1,
  /** Advance a port thread by at most the budget. */
  PortThread = 2,
  HostCall = 3,
  SystemCall = 4,
  /** More instructions for a streamed program. */
  Refill = 5,
  /** A thread or process that a program makes, where the host has a say. */
  Create = 6,
}

/** Kinds of choices that go through `decide()`. */
export const enum DECISION {
  /** Which of the idle processors of the same node, or of any, takes a thread. */
  IdleProcessor = 1,
  /** Which of those that spin gets a lock that is not queued: the first is who came first. */
  SpinLock = 2,
}

/** Why a worker port's run stopped. */
export const enum PORT_STOP {
  Budget = 0,
  SystemCall = 1,
  Fault = 2,
  Halt = 3,
  /** Before an instruction that others observe, and that was not the first of an ordered run. */
  Order = 4,
}

/** Who has a flight. */
export const enum FLIGHT {
  /** The engine: the processor is not in flight. */
  Landed = 0,
  /** Nobody at the moment: who advances it may go on, the engine may take it back. */
  Aloft = 1,
  /** Who advances it. */
  Running = 2,
  /** The engine: it has stopped for a reason of its own, at its progress. */
  Arrived = 3,
}

/** KENGINE.Owner when the host has the kernel. */
export const enum ENGINE {
  Host = 0x80000000,
}

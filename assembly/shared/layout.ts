import { LIMIT } from './limits';

/**
 * The map of the machine's memory: every offset that crosses the wasm boundary, read by asc and tsc.
 *
 * A field is one 32-bit word, or two 8-aligned words named `…64`. Guards: [const] after creation,
 * [owner] the processor that runs or holds it, [ordered] whoever has the smallest (time, number).
 * A pointer is a byte address; 0 is none. Times are ns since boot, `NEVER` is all ones.
 */
export const enum ABI {
  Signature = 0x4e545053,
  Version = 1,
}

export const enum LIST_ENTRY {
  Flink = 0,
  Blink = 4,
  Size = 8,
}

/** DISPATCHER_HEADER: opens every object that a thread can wait for. */
export const enum DISPATCHER_HEADER {
  Type = 0,
  SignalState = 4,
  WaitListHead = 8,
  Size = 16,
}

/** A table: rows from 1, bumped until the capacity, then reused first-freed first. [ordered] */
export const enum KTABLE {
  Base = 0,
  RowSize = 4,
  Capacity = 8,
  /** Rows ever used; the next fresh row is this plus one. */
  HighWater = 12,
  FreeHead = 16,
  FreeTail = 20,
  Count = 24,
  Generation = 28,
  Size = 32,
}

/** The system block, at a fixed address. */
export const enum KSYSTEM {
  Address = 1024,

  Signature = 0,
  Version = 4,
  ProcessorCount = 8,
  GroupCount = 12,
  NodeCount = 16,
  /** Leaves of the time tree: the power of two at or above the processor count. */
  TreeLeaves = 20,
  PrcbBase = 24,
  GroupBase = 28,
  NodeBase = 32,
  NodeOrderBase = 36,
  KeyBase = 40,
  WinnerBase = 44,
  TimerBase = 48,
  TraceBase = 52,
  TraceCapacity = 56,
  TraceOverwrite = 60,
  WordBase = 64,
  WordCount = 68,
  ProgramBase = 72,
  ProgramCapacity = 76,
  InterruptBase = 80,
  InterruptCapacity = 84,
  InterruptFree = 88,
  InterruptHighWater = 92,

  ObjectTable = 96,
  ThreadTable = 128,
  ProcessTable = 160,

  /** Costs in ns, each at least 1. [const] */
  CostContextSwitch = 192,
  CostClock = 196,
  CostDpc = 200,
  CostSystemCall = 204,
  CostDdi = 208,
  CostIpi = 212,
  IpiLatency = 216,
  CostDevice = 220,
  ClockInterval = 224,
  TimerResolution = 228,
  PrioritySeparation = 232,
  WaitQuantumCharge = 236,
  StarvationTime64 = 240,
  BalancePeriod64 = 248,
  BalanceScanThreads = 256,
  BalanceBoostThreads = 260,
  CostBalance = 264,
  StarvationQuantum = 268,
  StackOutswap64 = 272,
  ProcessOutswap64 = 280,
  CostSwapIn64 = 288,
  StarvationPriority = 296,
  /** The programs that answer system calls, by number; 0: the host does. */
  SystemCallBase = 300,
  Seed64 = 304,

  /** The time of the last step. [ordered] */
  Time64 = 312,
  Steps64 = 320,
  /** The value of Steps64 when something last happened that is not merely synchronisation. */
  ProgressSteps64 = 328,
  StepLimit64 = 336,
  Until64 = 344,
  NextBoundary64 = 352,
  ReadyQueued = 360,
  BalanceThread = 364,
  BalanceProcessor = 368,
  BalancePriority = 372,
  SwapThread = 376,
  /** Threads in Transition or WaitingForProcessInSwap. */
  SwapListHead = 380,
  NodeSeed = 388,
  ThreadSequence = 392,
  SystemCallCount = 396,
  LivelockSteps64 = 400,
  LiveThreads = 408,
  /** The processor in whose context the host acts. */
  CurrentProcessor = 412,

  /** The lowest timer resolution, ns: how close a high-resolution timer's own periods may come. [const] */
  MinimumTimerResolution = 416,
  /** Processors in flight. [ordered] */
  Flights = 420,
  TimerCount = 424,
  /** Threads of the list where the balance-set manager stopped that it has looked at. */
  BalanceSkip = 428,

  TraceWrite64 = 432,
  TraceRead64 = 440,
  TraceLost64 = 448,
  Digest64 = 456,

  StopReason = 464,
  StopProcessor = 468,
  StopThread = 472,
  StopRequest = 476,
  StopNumber = 480,
  StopArgument = 484,
  StopBudget64 = 488,
  HostAnswered = 496,
  HostStatus = 500,
  BugCheckCode = 504,
  BugCheckThread = 508,
  BugCheckParameter64 = 512,

  /** Quantum units of a process that is not in the foreground. */
  BackgroundQuantum = 544,
  /** Of the process that was made last. */
  ProcessSequence = 548,
  /** Wait blocks of threads that wait for several objects. */
  WaitBlockTable = 552,
  /** Sixteen rows a processor, one a level. */
  ActivationBase = 584,
  /** Ticks that one DPC may last, and that a processor may spend at DISPATCH_LEVEL in one go; 0: any number. */
  DpcTimeLimit = 588,
  DpcWatchdogLimit = 592,
  /** DPCs in a queue from which it is drained whatever their importance. */
  MaximumDpcQueueDepth = 596,
  /** DPCs a tick below which one of low importance is not held back. */
  MinimumDpcRate = 600,
  /** The processor whose spinning closed a circle of owners and spinners, plus one; 0: none has. */
  DeadlockProcessor = 604,
  /** The system time at boot, by the clock as it is set now: 100 ns since 1601, signed. [ordered] */
  SystemBootTime64 = 608,
  /** The clock tick that was last when the timer resolution changed; what the time shows is not before it. */
  TickBase64 = 616,
  /** Of the rows that threads have which need more than KTHREAD holds. */
  ExtensionTable = 624,
  /** Entries of queues. */
  QueueEntryTable = 656,
  /** What threads have left that do something else in front, and the processes they are attached to. */
  TrapFrameTable = 688,
  /** 1: the host has a say in the end of threads, and in what programs make. */
  Lifecycle = 720,
  /** The host's answer to a call goes on in the thread: a routine of the host's runs in front of it. */
  CallFrame = 724,
  /** Ns that the instruction takes besides its cost which the host has just answered. */
  HostCost = 728,
  /** The DPC that is queued with each tick of a process that is watched; 0: none. */
  TickDpc = 732,
  /** The time of the step before the one that waits for the host's answer. [ordered] */
  BeforeTime64 = 736,
  /** One KFLIGHT a processor. [const] */
  FlightBase = 744,
  /** Where the KENGINE is. [const] */
  EngineBase = 748,
  /** What a host or port thread asks for: one instruction. */
  HostInstruction = 752,

  Size = HostInstruction + LIMIT.InstructionWords * 4,
}

export const enum KGROUP {
  ActiveProcessors64 = 0,
  IdleProcessors64 = 8,
  /** Processors whose ready queues are not empty. */
  ReadyProcessors64 = 16,
  FirstProcessor = 24,
  ProcessorCount = 28,
  Size = 64,
}

export const enum KNODE {
  Affinity64 = 0,
  Group = 8,
  /** The processor, as a bit number of the group, where the next process starts. */
  Seed = 12,
  FirstProcessor = 16,
  ProcessorCount = 20,
  Size = 64,
}

export const enum KPRCB {
  /** When the current thread's instruction and computing end; NEVER if idle. [ordered] */
  ResumeTime64 = 0,
  IpiTime64 = 8,
  TickTime64 = 16,
  DeviceTime64 = 24,
  /** Up to when this processor's time has been charged to someone. */
  ChargeTime64 = 32,
  CurrentThread = 40,
  NextThread = 44,
  ReadySummary = 48,
  ReadyCount = 52,
  /** Of those, threads that another processor could take. */
  MovableCount = 56,
  Attention = 60,

  /** Readied threads that wait to be placed, linked by WaitListEntry.Flink; 0 ends the list. [owner] */
  DeferredReadyHead = 64,
  DeferredReadyTail = 68,
  SetMember64 = 72,
  Number = 80,
  Group = 84,
  Node = 88,
  /** Bit number in its group. */
  GroupIndex = 92,
  IdleTime64 = 96,
  InterruptTime64 = 104,
  /** Switching, and what uncharged threads' instructions cost. */
  OverheadTime64 = 112,
  BusyTime64 = 120,

  ContextSwitches64 = 128,
  Interrupts64 = 136,
  DeviceHead = 144,
  DeviceTail = 148,
  KernelTicks = 152,
  UserTicks = 156,
  /** Its interrupt request level: interrupts of this level and below are held off. */
  Irql = 160,
  /** Whose instruction readies what this step readies; 0: an interrupt or the host. [owner] */
  Waker = 164,
  /** The earliest of IpiTime64, TickTime64, DeviceTime64 and TimerTime64. */
  NextInterrupt64 = 168,
  /** The routine that runs in front of the current thread; 0: none does. [owner] */
  Activation = 176,
  /** Ordinary DPCs: KDPC_DATA. */
  DpcData = 180,

  /** DPCs queued since boot, and up to the last tick. */
  DpcCount = 192,
  DpcLastCount = 196,
  /** Ticks that the DPC at hand has lasted, and that DISPATCH_LEVEL or more has. */
  DpcTimeCount = 200,
  DpcWatchdogCount = 204,
  /** Threaded DPCs: KDPC_DATA. */
  ThreadedDpcData = 208,
  /** The thread that runs those; 0: they are ordinary ones here. */
  DpcThread = 220,
  /** The threaded DPC whose routine it is in; 0: none. [owner] */
  ThreadedDpc = 224,
  /** 1: its thread is a worker port's, and in flight. [ordered] */
  InFlight = 228,
  /** Of the timekeeper: when a high-resolution timer is due, or one may be; NEVER elsewhere. */
  TimerTime64 = 232,
  /** 1: its next step is for what the host has done between runs, and a port's thread goes on after it. */
  HostStep = 240,
  Reserved0 = 244,
  /** Of a flight: to here it goes on before an interrupt that was sent later than the latency before it. [ordered] */
  RunTo64 = 248,

  DispatcherReadyListHead = 256,
  Size = 512,
}

/** A queue of DPCs. */
export const enum KDPC_DATA {
  DpcListHead = 0,
  DpcListTail = 4,
  DpcQueueDepth = 8,
  Size = 12,
}

/** Bits of KPRCB.Attention. */
export const enum ATTENTION {
  QuantumEnd = 1,
  /** The current thread may no longer run here. */
  Affinity = 2,
  /** The current thread gives way to a thread of its priority. */
  Yield = 4,
  /** The DPC queue is to be drained. */
  Dpc = 8,
  /** The current thread may have APCs to run, or a wait to go back to. */
  Apc = 16,
}

export const enum KWAIT_BLOCK {
  WaitListEntry = 0,
  Thread = 8,
  Object = 12,
  /** Which of the objects it is for: what the wait returns if that ends it. */
  WaitKey = 16,
  /** The block of the wait's next object; 0: the last. */
  NextWaitBlock = 20,
  Size = 24,
}

/** A wait block of the table: threads have one of their own, for waits for one object. */
export const enum KWAIT_BLOCK_ROW {
  WaitBlock = 0,
  Generation = 24,
  /** Of a wait that APCs have interrupted: the object's generation. */
  ObjectGeneration = 28,
  Size = 32,
}

export const enum KTIMER {
  TimerListEntry = 0,
  DueTime64 = 8,
  /** Level * 64 + slot of the timer table. */
  Slot = 16,
  /** Bits of TIMER_FLAG. */
  Flags = 20,
  Size = 24,
}

export const enum TIMER_FLAG {
  /** It is that of a KTIMER_OBJECT, not a thread's own. */
  Object = 1,
  /** Its due time is by the system time: it moves when the clock is set. */
  Absolute = 2,
  /** It expires at its time, not at the tick after: it is in the table of such timers. */
  HighResolution = 4,
  /** It does not wake an idle timekeeper, until it is late by its tolerance. */
  NoWake = 8,
  /** An EX_TIMER: its period is in units of 100 ns. */
  Executive = 16,
  /** It is about to expire, in this very step: it has left the table, and is in a list of its own. */
  Expiring = 32,
}

export const enum KTHREAD {
  /** The first two cache lines hold what readying a thread touches, and what every run needs. */
  Type = 0,
  SignalState = 4,
  WaitListHead = 8,
  /** In a ready queue, a deferred-ready list or the swap list. */
  WaitListEntry = 16,
  State = 24,
  Priority = 28,
  BasePriority = 32,
  /** Low nibble foreground boost, high nibble unusual boost; the next two bytes are of a lock owner: see priority.ts. */
  PriorityDecrement = 36,
  WaitStatus = 40,
  /** ADJUST | increment << 8. */
  Adjust = 44,
  NextProcessor = 48,
  IdealProcessor = 52,
  Flags = 56,
  Process = 60,

  Affinity64 = 64,
  /** Since when it has been in its state. */
  StateTime64 = 72,
  WaitBlock = 80,
  /** Run time in ns; cycles are this times the profile's frequency. */
  CycleTime64 = 104,
  QuantumTarget64 = 112,
  ProgramCounter = 120,
  ProgramBase = 124,

  /** Computing left before the next instruction, ns. */
  BurstRemaining64 = 128,
  /** The processor it ran on last. */
  LastProcessor = 136,
  ContextSwitches = 140,
  WaitReason = 144,
  /** Its KTHREAD_EXTENSION; 0: it has needed none. */
  Extension = 148,
  Preemptions = 152,
  Generation = 156,
  Register64 = 160,

  Timer = 192,
  KernelTicks = 216,
  UserTicks = 220,
  RandomState64 = 224,
  ThreadListEntry = 232,
  ExitStatus = 240,
  /** The mutant it has owned longest; the others follow in a circle. */
  Mutants = 244,
  Migrations = 248,
  /** Low half KernelApcDisable, high half SpecialApcDisable, both signed: other than 0, APCs are disabled. */
  CombinedApcDisable = 252,

  Size = 256,
}

/** What few threads need: a row that a thread is given with the first need, and has until its own is freed. */
export const enum KTHREAD_EXTENSION {
  Thread = 0,
  /** The KQUEUE that it takes entries from; 0: none. */
  Queue = 4,
  /** In the queue's list of threads. */
  QueueListEntry = 8,
  /** 1: it is held as a suspended thread is, whatever its SuspendCount. */
  Frozen = 16,
  Generation = 20,
  /** Its APCs that wait, kernel-mode ones with special ones first, and user-mode ones. */
  KernelApcListHead = 24,
  UserApcListHead = 32,
  /** Bits of APC_PENDING. */
  Pending = 40,
  /** The KTRAP_FRAME of what it does now; 0: what it was made for. */
  TrapFrame = 44,
  SuspendCount = 48,
  /** The KAPC_STATE that it has left to attach to a process; 0: it is attached to none. */
  SavedApcState = 52,
  /** The process it is attached to; 0: its own. */
  AttachedProcess = 56,
  /** What it ends with, if it is to be terminated. */
  TerminationStatus = 60,
  /** An event that is signaled unless it is suspended. */
  SuspendEvent = 64,
  /** An event: it has been alerted by its id. */
  AlertEvent = 80,
  /** Of a wait that APCs have interrupted: the object's generation. */
  ObjectGeneration = 96,
  /** How many trap frames it has. */
  TrapFrameCount = 100,
  /** Of that wait: WAIT_FIELD without the reason. */
  WaitModes = 104,
  /** The priority of the queue entry that it works on. */
  QueuePriority = 108,
  Reserved2_64 = 112,
  Reserved3_64 = 120,
  Size = 128,
}

/** Bits of KTHREAD_EXTENSION.Pending. */
export const enum APC_PENDING {
  /** There are kernel-mode APCs in its list. */
  Kernel = 1,
  /** User-mode APCs, or its end, come with its return to user mode. */
  User = 2,
  /** A normal routine of a kernel-mode APC is running: no other begins. */
  InProgress = 4,
  AlertedKernel = 8,
  AlertedUser = 16,
  /** It is to suspend itself. */
  Suspend = 32,
  /** It is to be terminated; with Ending, at its return to user mode. */
  Terminate = 64,
  Ending = 128,
}

/** What a thread has left to do something else in front: all that is needed to go on with it. */
export const enum KTRAP_FRAME {
  /** What it had left before. */
  Previous = 0,
  /** FRAME: what runs in front. */
  Kind = 4,
  ProgramCounter = 8,
  ProgramBase = 12,
  WaitStatus = 16,
  Generation = 20,
  /** Ns of computing that were left. */
  BurstRemaining64 = 24,
  /** The bits of KTHREAD.Flags that say who advances it, and how it waited. */
  Flags = 32,
  Irql = 36,
  Register64 = 40,
  CombinedApcDisable = 72,
  /** The APC's row, as it was when the APC was taken out of its list. */
  Apc = 76,
  NormalContext64 = 80,
  SystemArgument1_64 = 88,
  SystemArgument2_64 = 96,
  /** 0: none, 1: the host's, else a program. A kernel routine may take it away. */
  NormalRoutine = 104,
  /** 1: more user-mode APCs follow when this one's routine returns. */
  TestAlert = 108,
  /** The wait that it interrupted. */
  DueTime64 = 112,
  TimerFlags = 120,
  WaitObject = 124,
  WaitKey = 128,
  NextWaitBlock = 132,
  ObjectGeneration = 136,
  WaitReason = 140,
  WaitModes = 144,
  Reserved0 = 148,
  Reserved1_64 = 152,
  Reserved2_64 = 160,
  Reserved3_64 = 168,
  Reserved4_64 = 176,
  Reserved5_64 = 184,
  Size = 192,
}

/** What a thread has left by attaching to a process, in a row of the same table. */
export const enum KAPC_STATE {
  Previous = 0,
  /** The process it was attached to before; 0: its own. */
  Process = 4,
  KernelApcListHead = 8,
  /** Above what links free rows. */
  Generation = 20,
  UserApcListHead = 24,
  Pending = 32,
}

export const enum KPROCESS {
  Type = 0,
  SignalState = 4,
  WaitListHead = 8,
  ThreadListHead = 16,
  BasePriority = 24,
  PriorityClass = 28,
  /** Of its threads, in quantum units: thirds of a clock interval. */
  QuantumReset = 32,
  Group = 36,
  Affinity64 = 40,
  Node = 48,
  /** The processor, as a bit number of the group, where the next thread is at home. */
  ThreadSeed = 52,
  ThreadCount = 56,
  Foreground = 60,
  CycleTime64 = 64,
  /** Of ended threads. */
  KernelTicks = 72,
  UserTicks = 76,
  /** Table index. */
  Parent = 80,
  ExitStatus = 84,
  Flags = 88,
  Generation = 92,
  /** Threads that do not wait. At 0 for long enough the process may be swapped out. */
  ActiveThreads = 96,
  /** Which of all processes since boot it is, from 1. [const] */
  SequenceNumber = 100,
  /** Since when it has had no active thread; of one that has ended, when that was. */
  IdleSince64 = 104,
  ThreadsCreated = 112,
  /** Rows of the thread table that name it, ended ones too. */
  ThreadRows = 116,
  CreateTime64 = 120,
  Size = 128,
}

/** Bits of KPROCESS.Flags. */
export const enum PROCESS_FLAG {
  Referenced = 1,
  System = 2,
  Exited = 4,
  /** ExitStatus is decided before its last thread has ended, as IdleSince64 is. */
  ExitStatusSet = 8,
  ExitTimeSet = 16,
  /** Its new threads get no boosts. */
  DisableBoost = 32,
  /** Its ticks are told of by KSYSTEM.TickDpc. */
  Watched = 64,
  /** Its threads' system calls go to services of its own. */
  Services = 128,
}

/** A row of the object table; what follows the first fields depends on the type. */
export const enum KOBJECT {
  Type = 0,
  SignalState = 4,
  WaitListHead = 8,
  /** Of a semaphore. */
  Limit = 16,
  Generation = 20,
  Size = 64,
}

/** Queues. SignalState is how many entries there are. */
export const enum KQUEUE {
  Type = 0,
  SignalState = 4,
  WaitListHead = 8,
  Reserved0 = 16,
  Generation = 20,
  EntryListHead = 24,
  /** Of its threads, those that do not wait; one that has come from another wait may pass the maximum. */
  CurrentCount = 32,
  MaximumCount = 36,
  /** The threads that take entries from it. */
  ThreadListHead = 40,
  /** It has been run down: nobody waits for it any more. */
  RunDown = 48,
  Reserved1 = 52,
  Reserved2 = 56,
  Reserved3 = 60,
  Size = 64,
}

/** An entry of a queue, of its table. */
export const enum KQUEUE_ENTRY {
  ListEntry = 0,
  Value64 = 8,
  Reserved0 = 16,
  Generation = 20,
  /** 1-31: it goes before lower ones, and its thread gets it for a base; 0: neither. */
  Priority = 24,
  Reserved1 = 28,
  Size = 32,
}

/** Mutants and mutexes. SignalState is 1 if free, 0 if owned once, -1 if owned twice. */
export const enum KMUTANT {
  Type = 0,
  SignalState = 4,
  WaitListHead = 8,
  Reserved0 = 16,
  Generation = 20,
  OwnerThread = 24,
  /** Its owner ended without releasing it. */
  Abandoned = 28,
  /** In the circle of those that its owner has. */
  MutantListEntry = 32,
  /** 1 (KMUTEX): its owner gets no normal kernel APCs. */
  ApcDisable = 40,
  /** Whether its owner acquired it at DISPATCH_LEVEL or above, where it must release it too. */
  AtDispatchLevel = 44,
  Size = 64,
}

/** Timers of the object table. */
export const enum KTIMER_OBJECT {
  Type = 0,
  SignalState = 4,
  WaitListHead = 8,
  /** Queued when it expires; 0: none. */
  Dpc = 16,
  Generation = 20,
  /** It is in the timer table. */
  Inserted = 24,
  /** Ms between expiries, of an EX_TIMER 100 ns; 0: it expires once. */
  Period = 28,
  Timer = 32,
  /** Ms by which it may expire later, together with others; of NoWake 0xffff is for ever. */
  TolerableDelay = 56,
  /** Ns by which its due time is later than it was asked for. */
  CoalescedDelay = 60,
  Size = 64,
}

/** Deferred procedure calls, of the object table. */
export const enum KDPC {
  Type = 0,
  Importance = 4,
  DpcListEntry = 8,
  /** The processor it is to run on plus one; 0: the one that queues it. */
  TargetProcessor = 16,
  Generation = 20,
  /** Its program; 0: the host has the routine; all ones: it has none. */
  DeferredRoutine = 24,
  /** The processor in whose queue it is plus one; 0: it is in none. */
  DpcData = 28,
  DeferredContext64 = 32,
  SystemArgument1_64 = 40,
  SystemArgument2_64 = 48,
  /** How many timers that are set have it. */
  Timers = 56,
  /** 1: a timer has queued it. */
  QueuedByTimer = 60,
  Size = 64,
}

/**
 * A routine that runs on a processor in front of its current thread: a DPC, an interrupt service
 * routine. It has the fields of KTHREAD that executing instructions needs, and these in place of others.
 */
export const enum KACTIVATION {
  /** What it interrupted: an activation of a lower level, or 0. */
  Previous = 64,
  PreviousIrql = 68,
  /** Ns of the interrupted instruction or computing that were left; NEVER if idle or spinning. */
  Left64 = 72,
  /** The DPC or interrupt object. */
  Object = 80,
  /** The lock it spins for, and the next that spins for it; so do threads, in the row of level 0. */
  SpinLock = 84,
  SpinNext = 88,
  /** SPIN. */
  SpinFlags = 92,
  /** What TIMER_OR_DPC_INVALID calls it: 4 a DPC, 5 one that a timer has queued; 0: it is an interrupt's. */
  Dpc = 96,
}

/** Asynchronous procedure calls, of the object table. */
export const enum KAPC {
  Type = 0,
  /** 0: none (a special one), 1: the host's, else a program. */
  NormalRoutine = 4,
  ApcListEntry = 8,
  /** Bits of KAPC_FLAG. */
  Flags = 16,
  Generation = 20,
  /** 1: the host has one. */
  KernelRoutine = 24,
  RundownRoutine = 28,
  NormalContext64 = 32,
  SystemArgument1_64 = 40,
  SystemArgument2_64 = 48,
  Thread = 56,
  ThreadGeneration = 60,
  Size = 64,
}

export const enum KAPC_FLAG {
  Inserted = 1,
  UserMode = 2,
  /** It comes with the next return to user mode, alertable wait or not. */
  SpecialUser = 4,
  /** KAPC_ENVIRONMENT in these bits. */
  EnvironmentShift = 4,
}

/** Spin locks, of the object table. Who holds one is a processor: nothing else can run there. */
export const enum KSPIN_LOCK {
  Type = 0,
  /** The processor that holds it alone plus one; 0: none does. */
  Owner = 4,
  /** Activations' rows, in the order in which they came. */
  FirstSpinner = 8,
  LastSpinner = 12,
  /** Processors that hold it together. */
  Shared = 16,
  Generation = 20,
  Spinners = 24,
  /** The thread that was current where it was acquired; 0: the idle thread. */
  OwnerThread = 28,
  Size = 64,
}

/** Where processors spin until all have come. A spinner sees a spin lock that nobody holds. */
export const enum KBARRIER {
  Type = 0,
  /** Always 0. */
  Owner = 4,
  FirstSpinner = 8,
  LastSpinner = 12,
  Reserved0 = 16,
  Generation = 20,
  Spinners = 24,
  Reserved1 = 28,
  /** How many have yet to come; the highest bit changes with each round. */
  Barrier = 32,
  /** How many come to a round. */
  TotalProcessors = 36,
  Size = 64,
}

/** Connected interrupts, of the object table. */
export const enum KINTERRUPT_OBJECT {
  Type = 0,
  Irql = 4,
  SynchronizeIrql = 8,
  /** The address of its spin lock; 0: at IPI_LEVEL, where there is none. */
  ActualLock = 12,
  /** Its program; 0: the host has the routine. */
  ServiceRoutine = 16,
  Generation = 20,
  ServiceContext64 = 24,
  /** 1: the lock is its own, and goes with it. */
  OwnLock = 32,
  Size = 64,
}

/** A device interrupt that is to come. */
export const enum KINTERRUPT {
  Time64 = 0,
  /** Handle of the interrupt object, or of the event or semaphore that its DPC signals. */
  Object64 = 8,
  Next = 16,
  Increment = 20,
  Processor = 24,
  Level = 28,
  Size = 32,
}

/**
 * The run of a worker port's thread on a processor. Who has it is said by State: the engine puts it into
 * the air and takes it back, the processor's worker advances it between. A cache line is of these two,
 * another, with the progress, is what all workers look at.
 */
export const enum KFLIGHT {
  /** FLIGHT. [atomic] */
  State = 0,
  /** 1: the next run may begin with an instruction that others observe. */
  Ordered = 4,
  /** Up to when it may run, as far as who advances it has found out. */
  Horizon64 = 8,
  /** The address of the thread's PORT_CONTEXT. [const] while it is in flight */
  Context = 16,
  /** Table index. [const] while it is in flight */
  Thread = 20,
  StateLine = 24,

  /** Up to when the guest has run: not after any step of its processor to come, but for an interrupt. NEVER: it is not in flight. [atomic] */
  Progress64 = 64,
  /** 1: it has stopped there for a reason of its own. [atomic] */
  Stopped = 72,
  ProgressLine = 76,
  Size = 128,
}

/** What workers and the host agree by. Each group of fields is a cache line. [atomic] */
export const enum KENGINE {
  /** Odd while somebody has the kernel: what others read of it then may not belong together. */
  Version = 0,
  /** Who has it, or had it last: ENGINE.Host, or a worker's number plus one; 0: nobody has had it since the host. */
  Owner = 4,
  /** When the first step or interrupt is, leaving out where flights have come. */
  FirstTime64 = 8,
  /** Whose that is. */
  FirstProcessor = 16,
  /** 1: the host wants the kernel back. */
  Wanted = 20,
  VersionLine = 24,

  /** STOP with which a worker has handed the kernel to the host. [Version] */
  Stop = 64,
  /** 1: a flight may go on that could not. [Version] */
  Launched = 68,
  /** 1: the host is told by message. [const] in a run */
  Message = 72,
  StopLine = 76,

  /** Changes when somebody who sleeps should look again. */
  Epoch = 128,
  Sleepers = 132,
  /** Of those, who have flights at their horizons. */
  Wanting = 136,
  EpochLine = 140,

  /** 1: the host has the kernel, or is to take it. */
  HostTurn = 192,
  Reserved0 = 196,
  HostLine = 200,
  Size = 256,
}

export const enum KTIMER_TABLE {
  /** The unit of time up to which timers have expired. */
  Elapsed64 = 0,
  /** log2 of that unit, ns. [const] */
  GranularityBits = 8,
  Reserved0 = 12,
  /** Not after the first time at which a timer that was set aside wakes the timekeeper. */
  AsideTime64 = 16,
  /** One bit a slot, a word pair a level; the last is for the timers that were set aside. */
  Occupied64 = 24,
  SlotList = Occupied64 + (LIMIT.TimerLevels + 1) * 8,
  /** Scratch of the sort by due time: a chain's head, and runs of 2^n timers. */
  SortHead = SlotList + (LIMIT.TimerLevels * LIMIT.TimerSlots + 1) * LIST_ENTRY.Size,
  SortBins = SortHead + LIST_ENTRY.Size,
  SortBinCount = 36,
  Size = SortBins + SortBinCount * 4,
}

/** What a worker port and the machine tell each other of a thread; one each, in the machine's memory. */
export const enum PORT_CONTEXT {
  /** PORT_STOP: why the last run stopped. */
  Reason = 0,
  /** Of a system call, 0-65535. */
  Number = 4,
  /** Of a system call; or what a fault or halt leaves as exit status. */
  Argument64 = 8,
  /** NTSTATUS that the last system call came to. */
  Status = 16,
  /** Ns of the last instruction that did not fit into the budget. */
  Debt = 20,
  /** Which of the machine's ports it is. */
  Port = 24,
  Reserved0 = 28,
  /** What is the port's own begins here. */
  Own = 32,
  Size = 512,
}

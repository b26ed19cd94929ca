/**
 * The bytecode of program threads, and the form in which host and port threads ask for the same
 * operations. An instruction is 32-bit words: word 0 is opcode | a << 8 | b << 16, operands follow.
 * `object64` is a handle, or with OPERAND.Register in `a` the number of a register that holds one.
 * `64` is two words, low first. `target` is a word offset in the program.
 */
export const enum OP {
  /** b unused; status. Ends the thread. */
  Exit = 0x00,
  /** a MODE flag; ns64. */
  Compute = 0x01,
  /** a MODE; low64, high64: uniform, both ends included. */
  ComputeUniform = 0x02,
  /** a MODE; mean64: exponential, at most 32 times the mean, at least 1 ns. */
  ComputeExponential = 0x03,
  /** a OPERAND, b WAIT_FIELD; object64, timeout64 (see TIMEOUT). */
  Wait = 0x04,
  /** a OPERAND, b SIGNAL; object64. */
  SetEvent = 0x05,
  /** a OPERAND; object64. */
  ResetEvent = 0x06,
  /** a OPERAND, b SIGNAL; object64. */
  PulseEvent = 0x07,
  /** a OPERAND, b SIGNAL; object64, adjustment. */
  ReleaseSemaphore = 0x08,
  /** b WAIT_FIELD; timeout64: 0 yields. */
  Delay = 0x09,
  Yield = 0x0a,
  /** b priority 1-31: KeSetPriorityThread of the thread itself. */
  SetPriority = 0x0b,
  /** increment (signed): KeSetBasePriorityThread of the thread itself. */
  SetBasePriority = 0x0c,
  /** mask64: hard affinity of the thread itself, within its group. */
  SetAffinity = 0x0d,
  /** a register; program, base-priority increment (signed): a thread of the same process; its handle to the register. */
  CreateThread = 0x0e,
  /** a register; program, priority class: a process with one thread; the thread's handle to the register. */
  CreateProcess = 0x0f,
  /** b number; argument. */
  HostCall = 0x10,
  /** b number; argument. */
  SystemCall = 0x11,
  /** value, value. */
  Mark = 0x12,
  /** a register; word index, addend (signed): the new value, sign-extended, to the register. */
  InterlockedAdd = 0x13,
  /** a OPERAND; object64: adjustment taken from register b. */
  ReleaseSemaphoreRegister = 0x14,
  /** Absolute wait: b unused; ns64 since boot. */
  DelayUntil = 0x15,
  /** a register, b PERIOD; ns64: waits until the register's time plus ns and stores that; a start time of 0 is now. */
  DelayPeriod = 0x16,
  /** a register: the time, ns since boot. */
  LoadTime = 0x17,
  /** a register, b PERIOD; index of two words, ns64: DelayPeriod on shared words; 0 there is the register's time. */
  DelayShared = 0x18,
  /** a register; word index, limit: takes what is above 0 from the word, at most the limit, and puts it into the register. */
  InterlockedTake = 0x19,
  /** a OPERAND, b WAIT_FIELD; signalled64, object64, timeout64: both in one step. */
  SignalAndWait = 0x1a,
  /** a WAIT_TYPE, b WAIT_FIELD; count, timeout64, then count times object64: KeWaitForMultipleObjects. */
  WaitMultiple = 0x1b,
  /** a OPERAND, b SIGNAL; object64: KeReleaseMutant. */
  ReleaseMutant = 0x1c,
  /** a OPERAND, b tolerable delay in ms; object64, timeout64, period in ms, DPC64 or 0: KeSetCoalescableTimer. */
  SetTimer = 0x1d,
  /** a OPERAND; object64: KeCancelTimer. */
  CancelTimer = 0x1e,
  /** b level: KeRaiseIrql. The level before is the status. */
  RaiseIrql = 0x1f,
  /** b level: KeLowerIrql. */
  LowerIrql = 0x20,
  /** b APC_REGION; change (signed): -1 enters, 1 leaves a critical or guarded region. */
  ApcRegion = 0x21,
  /** a OPERAND; object64, argument64, argument64: KeInsertQueueDpc. */
  InsertQueueDpc = 0x22,
  /** a OPERAND; object64: KeRemoveQueueDpc. */
  RemoveQueueDpc = 0x23,
  /** a OPERAND, b SPIN; object64 (spin lock or interrupt). The status is the level before, or of a try 1 or 0. */
  AcquireSpinLock = 0x30,
  /** a OPERAND, b SPIN | level << 8; object64. */
  ReleaseSpinLock = 0x31,
  /** a OPERAND; object64: ExTryConvertSharedSpinLockExclusive. The status is 1 or 0. */
  ConvertSpinLock = 0x32,
  /** a OPERAND, b priority 1-31; object64: KeSetPriorityThread of a thread. */
  SetPriorityThread = 0x24,
  /** a OPERAND; object64, increment (signed): KeSetBasePriorityThread of a thread. */
  SetBasePriorityThread = 0x25,
  /** a OPERAND; object64, mask64, ideal processor: the affinity of a thread, in that processor's group. */
  SetAffinityThread = 0x26,
  /** a OPERAND, b WAIT_FIELD; object64: KeWaitForGate. */
  WaitGate = 0x38,
  /** a OPERAND; object64: KeSignalGateBoostPriority. */
  SignalGate = 0x39,
  /** a OPERAND, b QUEUE; object64, value64 (or register): KeInsertQueue. The status is how many entries there were. */
  InsertQueue = 0x3a,
  /** a OPERAND, b WAIT_FIELD with the register for a reason; object64, timeout64: KeRemoveQueue. The entry goes to the register. */
  RemoveQueue = 0x3b,
  /** a OPERAND; object64: KeSetEventBoostPriority. */
  SetEventBoostPriority = 0x3c,
  /** a OPERAND, b increment; object64, argument64, argument64: KeInsertQueueApc. The status is 1 or 0. */
  InsertQueueApc = 0x28,
  /** a OPERAND; object64: KeRemoveQueueApc. The status is 1 or 0. */
  RemoveQueueApc = 0x29,
  /** a OPERAND, b MODE; object64: KeAlertThread. The status is 1 if it was alerted before. */
  AlertThread = 0x2a,
  /** b MODE: KeTestAlertThread. The status is 1 or 0. */
  TestAlert = 0x2b,
  /** a OPERAND; object64: KeSuspendThread. The status is the count before. */
  SuspendThread = 0x2c,
  /** a OPERAND; object64: KeResumeThread. The status is the count before. */
  ResumeThread = 0x2d,
  /** status: ends the thread, whatever it runs in front of what it was made for. */
  ExitThread = 0x2e,
  /** The end of a service of a user-mode host thread: what waits for its return to user mode comes now. */
  ReturnToUser = 0x2f,
  /** a OPERAND; object64, status: a thread ends at its next return to user mode. */
  TerminateThread = 0x33,
  /** a OPERAND; object64: KeStackAttachProcess. */
  AttachProcess = 0x34,
  /** KeUnstackDetachProcess. */
  DetachProcess = 0x35,
  /** a OPERAND; object64: NtAlertThreadByThreadId. */
  AlertThreadById = 0x36,
  /** timeout64: NtWaitForAlertByThreadId. */
  WaitForAlertById = 0x37,
  /** a OPERAND, b BARRIER; object64. The status is 1 for who comes last, else 0. Of host threads only. */
  Barrier = 0x3d,
  /** Nothing but what a routine costs: one that the host has done. Of host threads only. */
  HostRoutine = 0x3e,
  /** The first instruction that runs without a step of its own: registers and control. */
  FirstLocal = 0x40,
  /** target. */
  Jump = 0x40,
  /** a register; value64. */
  Load = 0x41,
  /** a register; value64 (wraps). */
  Add = 0x42,
  /** a register; target: minus one, and jump unless zero. */
  Loop = 0x43,
  /** a CONDITION; status, target. Compares the status of the last operation. */
  BranchStatus = 0x44,
  /** a CONDITION, b register; value64, target. Signed. */
  BranchRegister = 0x45,
  /** a register: the status of the last operation. */
  LoadStatus = 0x46,
  /** More instructions, please: a streamed program's end. Costs nothing; the host moves the program counter. */
  Refill = 0x47,
  /** The core's own threads only; refused in a loaded program. */
  FirstInternal = 0x60,
  /** Waits until there is something to balance. */
  BalanceWait = 0x60,
  BalanceScan = 0x61,
  /** Waits for a stack or process to swap in. */
  SwapWait = 0x62,
  SwapIn = 0x63,
  /** Waits until its suspend count is 0. */
  SuspendWait = 0x64,
  /** Waits for a threaded DPC, whose routine is what the thread executes next. */
  DpcWait = 0x65,
  /** flags: a thread has run what the host had it run first, and is what these THREAD_FLAG bits say. */
  BeginThread = 0x66,
}

/** How a thread waits: KWAIT_REASON in the low bits. */
export const enum WAIT_FIELD {
  Reason = 0x3fff,
  Alertable = 0x4000,
  UserMode = 0x8000,
  /** What a wait takes of it besides the reason. */
  Modes = 0xc000,
}

/** How a spin lock is acquired or released. */
export const enum SPIN {
  /** Together with others that do so: EX_SPIN_LOCK. */
  Shared = 1,
  /** The level stays what it is. */
  AtDpcLevel = 2,
  /** Not at all, if that takes spinning. */
  Try = 4,
  /** In the order of requests: in-stack queued spin locks. */
  Queued = 8,
}

/** What a processor does at a barrier. */
export const enum BARRIER {
  /** It has come: one fewer to come. */
  Arrive = 1,
  /** It spins until nobody has yet to come. */
  Spin = 2,
  /** Who comes last begins the next round. */
  Again = 4,
}

/** What a region keeps from its thread. */
export const enum APC_REGION {
  /** Normal kernel APCs: KeEnterCriticalRegion. */
  Critical = 0,
  /** All APCs: KeEnterGuardedRegion. */
  Guarded = 1,
}

/** What a periodic delay does whose time has passed already. */
export const enum PERIOD {
  /** The next one counts from that time. */
  Keep = 0,
  /** The next one counts from now. */
  Restart = 1,
}

/** A timeout is ns from now (0: poll), all ones for none, or with this bit a system time in 100 ns. */
export const enum TIMEOUT {
  AbsoluteBit = 63,
}

/** How late a timer may be, ms. */
export const enum TIMER_TOLERANCE {
  Maximum = 0xfffe,
  /** Of one that does not wake the machine: it never does. */
  Unlimited = 0xffff,
}

/** How an object is signaled. */
export const enum SIGNAL {
  /** Mask of the priority increment. */
  Increment = 15,
  /** Wait = TRUE: the thread stays at DISPATCH_LEVEL, and waits next. */
  Wait = 256,
  /** Of a mutant, Abandoned = TRUE: it is freed whoever owns it, and abandoned. */
  Abandoned = 512,
}

/** How an entry is put into a queue. */
export const enum QUEUE {
  Head = 1,
  /** The value is the number of the register that holds it. */
  Register = 2,
  /** What the entry's priority is shifted by; 0: it has none. */
  PriorityShift = 8,
}

export const enum OPERAND {
  Index = 0,
  Register = 1,
}

export const enum CONDITION {
  Equal = 0,
  NotEqual = 1,
  Less = 2,
  GreaterOrEqual = 3,
  /** NT_SUCCESS; the comparand is not read. Statuses only. */
  Success = 4,
  Failure = 5,
}

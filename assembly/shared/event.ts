/**
 * Trace records: 32 bytes, eight words. Packed fields are the exception to "one word": a record is
 * written once and read by one reader, and the ring's width is what a context switch costs.
 */
export const enum RECORD {
  Time64 = 0,
  /** Bits 0-7 type, 8-19 processor, 20-31 flags. */
  Header = 8,
  A = 12,
  B = 16,
  C = 20,
  D = 24,
  E = 28,
  Size = 32,
  Words = 8,
}

export const enum RECORD_HEADER {
  TypeMask = 0xff,
  ProcessorShift = 8,
  ProcessorMask = 0xfff,
  FlagsShift = 20,
}

/** Threads and processes are named by table index; 0 is the idle thread or no process. */
export const enum EVENT {
  None = 0,
  /** A old thread, B new thread, C old priority | new priority << 8 | old state << 16 | old wait reason << 24,
   *  D new thread's ideal processor | old thread's PriorityDecrement << 16, E remaining quantum of the old thread, ns. */
  ContextSwitch = 1,
  /** A thread, B who readied it (0: interrupt or host), C priority | increment << 8 | ADJUST << 16 | state << 24,
   *  D processor | ideal processor << 16, E ns it had been waiting, saturated. */
  Ready = 2,
  /** A process, B parent process, C base priority, D group | node << 16, E creating thread. */
  ProcessStart = 3,
  /** A process, B parent process, C exit status. */
  ProcessEnd = 4,
  /** A thread, B process, C priority | base priority << 8 | GUEST << 16, D ideal processor | group << 16, E creating thread. */
  ThreadStart = 5,
  /** A thread, B process, C exit status, D user ticks, E kernel ticks. */
  ThreadEnd = 6,
  /** A vector (VECTOR), B interrupted thread, C IRQL, E cost in ns. */
  Interrupt = 7,
  /** A kind (VECTOR), B count of items, E cost in ns. */
  Dpc = 8,
  /** A thread, B old priority | new priority << 8 | base priority << 16 | PRIORITY_CHANGE << 24, C who asked. */
  Priority = 9,
  /** A thread, B low, C high word of the new mask, D group | processor << 16. */
  Affinity = 10,
  /** A thread, B value, C second value. */
  Mark = 11,
  /** A thread, B number. */
  SystemCall = 12,
  /** A thread, B number. */
  HostCall = 13,
  /** A code, B-E first words of the parameters. */
  BugCheck = 14,
  /** What an ended thread came to, once it is off its processor.
   *  A thread, B low, C high word of its run time in ns, D context switches, E migrations. */
  ThreadTotals = 15,
  /** A thread, B FRAME: what begins in front of what it does, C the APC's table index. */
  Apc = 16,
}

export const enum VECTOR {
  Clock = 1,
  Ipi = 2,
  Device = 3,
  TimerExpiration = 4,
  QuantumEnd = 5,
  /** A DPC object; the count is its table index. */
  Dpc = 6,
  /** The same of a threaded one. */
  ThreadedDpc = 7,
  /** The clock's, for a high-resolution timer. */
  Timer = 8,
}

/** Why a priority changed. */
export const enum PRIORITY_CHANGE {
  Set = 1,
  Unwait = 2,
  Foreground = 3,
  QuantumEnd = 4,
  Starvation = 5,
  StarvationEnd = 6,
  Yield = 7,
  Base = 8,
  /** A floor under the priority of one who owns a lock that others wait for, and its end. */
  AutoBoost = 9,
  AutoBoostEnd = 10,
}

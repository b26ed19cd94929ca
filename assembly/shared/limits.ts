/** Capacities and fixed sizes. A figure that a machine may choose is an option whose bound is here. */
export const enum LIMIT {
  Processors = 2048,
  ProcessorsPerGroup = 64,
  Groups = 32,
  Nodes = 64,
  Priorities = 32,
  /** A handle is 24 bits of table index, 26 of generation and 3 of TABLE: exact in a JavaScript number. */
  TableIndexBits = 24,
  TableShift = 50,
  GenerationMask = 0x3ffffff,
  Threads = 0xffffff,
  Processes = 0xffffff,
  Objects = 0xffffff,
  /** Every request that a guest of the host makes is one instruction of at most this many words. */
  InstructionWords = 148,
  /** MAXIMUM_WAIT_OBJECTS. */
  WaitObjects = 64,
  ProgramRegisters = 4,
  /** MAXIMUM_SUSPEND_COUNT. */
  SuspendCount = 127,
  /** Where, in program memory, the program of suspended threads begins. */
  SuspendProgram = 96,
  /** Local instructions (jumps, registers) that one step may run before it is paid for. */
  LocalInstructions = 64,
  TimerLevels = 8,
  TimerSlots = 64,
  /** log2 of the width in ns of a slot of the finest level of the timer table: 4 ms, a few to a tick. */
  TimerGranularityBits = 22,
  /** The same of the table of high-resolution timers: 66 us. */
  HighResolutionBits = 16,
  MemoryBytes = 0xffff0000,
  PageBytes = 0x10000,
  CacheLine = 64,
  /** Of one machine. */
  Workers = 64,
}

/** What a thread computes at most in one instruction, in ns: 2^53 - 1, exact on both sides. */
export const enum MAXIMUM {
  ComputeLow = 0xffffffff,
  ComputeHigh = 0x1fffff,
}

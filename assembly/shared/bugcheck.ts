/** Bugcheck codes that the machine can stop with. */
export const enum BUGCHECK {
  NONE = 0,
  INVALID_AFFINITY_SET = 0x3,
  IRQL_NOT_GREATER_OR_EQUAL = 0x9,
  IRQL_NOT_LESS_OR_EQUAL = 0xa,
  MAXIMUM_WAIT_OBJECTS_EXCEEDED = 0xc,
  KMODE_EXCEPTION_NOT_HANDLED = 0x1e,
  KERNEL_APC_PENDING_DURING_EXIT = 0x20,
  DRIVER_VERIFIER_DETECTED_VIOLATION = 0xc4,
  MANUALLY_INITIATED_CRASH = 0xe2,
  THREAD_TERMINATE_HELD_MUTEX = 0x4000008a,
  /** An assertion of the core itself failed: a defect of ntps. Parameter 1 is the line. */
  ASSERTION = 0xdead0001,
}

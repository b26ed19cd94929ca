/** Bugcheck codes that the machine can stop with. */
export const enum BUGCHECK {
  NONE = 0,
  INVALID_AFFINITY_SET = 0x3,
  KMODE_EXCEPTION_NOT_HANDLED = 0x1e,
  MAXIMUM_WAIT_OBJECTS_EXCEEDED = 0xc,
  MANUALLY_INITIATED_CRASH = 0xe2,
  THREAD_TERMINATE_HELD_MUTEX = 0x4000008a,
  /** An assertion of the core itself failed: a defect of ntps. Parameter 1 is the line. */
  ASSERTION = 0xdead0001,
}

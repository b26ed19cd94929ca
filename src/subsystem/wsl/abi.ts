/** Numbers of Linux on x86-64, as its manual pages and header files document them. */

/** System calls. */
export const enum SYS {
  read = 0,
  write = 1,
  close = 3,
  poll = 7,
  mmap = 9,
  munmap = 11,
  rt_sigaction = 13,
  rt_sigprocmask = 14,
  rt_sigreturn = 15,
  pipe = 22,
  sched_yield = 24,
  dup = 32,
  dup2 = 33,
  pause = 34,
  nanosleep = 35,
  getpid = 39,
  clone = 56,
  fork = 57,
  vfork = 58,
  execve = 59,
  exit = 60,
  wait4 = 61,
  kill = 62,
  fcntl = 72,
  gettimeofday = 96,
  getrusage = 98,
  times = 100,
  getuid = 102,
  getgid = 104,
  geteuid = 107,
  getegid = 108,
  setpgid = 109,
  getppid = 110,
  getpgrp = 111,
  setsid = 112,
  getpgid = 121,
  getsid = 124,
  rt_sigpending = 127,
  rt_sigtimedwait = 128,
  rt_sigsuspend = 130,
  getpriority = 140,
  setpriority = 141,
  sched_setparam = 142,
  sched_getparam = 143,
  sched_setscheduler = 144,
  sched_getscheduler = 145,
  sched_get_priority_max = 146,
  sched_get_priority_min = 147,
  arch_prctl = 158,
  gettid = 186,
  tkill = 200,
  time = 201,
  futex = 202,
  set_tid_address = 218,
  clock_gettime = 228,
  clock_getres = 229,
  clock_nanosleep = 230,
  exit_group = 231,
  tgkill = 234,
  waitid = 247,
  ppoll = 271,
  eventfd = 284,
  eventfd2 = 290,
  dup3 = 292,
  pipe2 = 293,
}

export const enum CLONE {
  /** The signal that the parent gets at the child's end. */
  ExitSignal = 0xff,
  VM = 0x100,
  FS = 0x200,
  FILES = 0x400,
  SIGHAND = 0x800,
  VFORK = 0x4000,
  PARENT = 0x8000,
  THREAD = 0x10000,
  SYSVSEM = 0x40000,
  SETTLS = 0x80000,
  PARENT_SETTID = 0x100000,
  CHILD_CLEARTID = 0x200000,
  CHILD_SETTID = 0x1000000,
}

export const enum FUTEX {
  WAIT = 0,
  WAKE = 1,
  REQUEUE = 3,
  CMP_REQUEUE = 4,
  WAKE_OP = 5,
  WAIT_BITSET = 9,
  WAKE_BITSET = 10,
  CommandMask = 0x7f,
  PRIVATE_FLAG = 0x80,
  CLOCK_REALTIME = 0x100,
}

export const enum SIG {
  HUP = 1,
  INT = 2,
  QUIT = 3,
  ILL = 4,
  TRAP = 5,
  ABRT = 6,
  BUS = 7,
  FPE = 8,
  KILL = 9,
  USR1 = 10,
  SEGV = 11,
  USR2 = 12,
  PIPE = 13,
  ALRM = 14,
  TERM = 15,
  CHLD = 17,
  CONT = 18,
  STOP = 19,
  TSTP = 20,
  TTIN = 21,
  TTOU = 22,
  URG = 23,
  WINCH = 28,
  Last = 64,
}

/** Handlers that are no address. */
export const enum SIG_HANDLER {
  DFL = 0,
  IGN = 1,
}

export const enum SA {
  NOCLDSTOP = 1,
  NOCLDWAIT = 2,
  SIGINFO = 4,
  RESTART = 0x1000_0000,
  NODEFER = 0x4000_0000,
  RESETHAND = 0x8000_0000,
}

export const enum SIG_HOW {
  BLOCK = 0,
  UNBLOCK = 1,
  SETMASK = 2,
}

export const enum WAIT {
  NOHANG = 1,
  /** WSTOPPED of waitid. */
  UNTRACED = 2,
  /** Of waitid alone. */
  EXITED = 4,
  CONTINUED = 8,
  NOWAIT = 0x0100_0000,
  NOTHREAD = 0x2000_0000,
  ALL = 0x4000_0000,
  CLONE = 0x8000_0000,
}

/** Of waitid. */
export const enum IDTYPE {
  P_ALL = 0,
  P_PID = 1,
  P_PGID = 2,
}

/** Of arch_prctl. */
export const enum ARCH {
  SET_GS = 0x1001,
  SET_FS = 0x1002,
  GET_FS = 0x1003,
  GET_GS = 0x1004,
}

export const enum RUSAGE {
  CHILDREN = -1,
  SELF = 0,
  THREAD = 1,
}

/** The operation of FUTEX_WAKE_OP on the second word, and what decides whether that is woken at. */
export const enum FUTEX_OP {
  SET = 0,
  ADD = 1,
  OR = 2,
  ANDN = 3,
  XOR = 4,
  /** The operand is a number of a bit. */
  OPARG_SHIFT = 8,
}

export const enum FUTEX_OP_CMP {
  EQ = 0,
  NE = 1,
  LT = 2,
  LE = 3,
  GT = 4,
  GE = 5,
}

export const enum O {
  NONBLOCK = 0x800,
  CLOEXEC = 0x80000,
}

/** Of eventfd2. */
export const enum EFD {
  SEMAPHORE = 1,
}

export const enum FCNTL {
  DUPFD = 0,
  GETFD = 1,
  SETFD = 2,
  GETFL = 3,
  SETFL = 4,
  DUPFD_CLOEXEC = 1030,
}

export const enum POLL {
  IN = 1,
  OUT = 4,
  ERR = 8,
  HUP = 0x10,
  NVAL = 0x20,
}

export const enum CLOCK {
  REALTIME = 0,
  MONOTONIC = 1,
  PROCESS_CPUTIME_ID = 2,
  THREAD_CPUTIME_ID = 3,
  MONOTONIC_RAW = 4,
  REALTIME_COARSE = 5,
  MONOTONIC_COARSE = 6,
  BOOTTIME = 7,
}

export const TIMER_ABSTIME = 1;

export const enum SCHED {
  OTHER = 0,
  FIFO = 1,
  RR = 2,
  BATCH = 3,
  IDLE = 5,
  RESET_ON_FORK = 0x40000000,
}

export const enum PRIO {
  PROCESS = 0,
  PGRP = 1,
  USER = 2,
}

export const enum MAP {
  SHARED = 1,
  PRIVATE = 2,
  FIXED = 0x10,
  ANONYMOUS = 0x20,
}

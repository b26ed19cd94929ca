/**
 * Field numbers of the messages that a Perfetto trace is made of, from the published definitions
 * under protos/perfetto/trace: trace_packet, ftrace/ftrace_event(_bundle), ftrace/sched,
 * ps/process_tree, track_event/track_event, track_descriptor, thread_descriptor, debug_annotation.
 */

export const TRACE = { packet: 1 } as const;

export const PACKET = {
  ftraceEvents: 1,
  processTree: 2,
  timestamp: 8,
  trustedPacketSequenceId: 10,
  trackEvent: 11,
  sequenceFlags: 13,
  trackDescriptor: 60,
} as const;

/** SEQ_INCREMENTAL_STATE_CLEARED: what every sequence of track events begins with. */
export const STATE_CLEARED = 1;

export const BUNDLE = { cpu: 1, event: 2 } as const;

export const FTRACE_EVENT = { timestamp: 1, pid: 2, schedSwitch: 4, schedWaking: 20 } as const;

export const SCHED_SWITCH = {
  prevComm: 1,
  prevPid: 2,
  prevPrio: 3,
  prevState: 4,
  nextComm: 5,
  nextPid: 6,
  nextPrio: 7,
} as const;

export const SCHED_WAKING = { comm: 1, pid: 2, prio: 3, success: 4, targetCpu: 5 } as const;

export const PROCESS_TREE = { processes: 1, threads: 2 } as const;
export const TREE_PROCESS = { pid: 1, ppid: 2, cmdline: 3 } as const;
export const TREE_THREAD = { tid: 1, name: 2, tgid: 3 } as const;

export const TRACK_DESCRIPTOR = { uuid: 1, name: 2, thread: 4 } as const;
export const THREAD_DESCRIPTOR = { pid: 1, tid: 2, threadName: 5 } as const;

export const TRACK_EVENT = { debugAnnotations: 4, type: 9, trackUuid: 11, name: 23 } as const;
export const TRACK_EVENT_TYPE = { sliceBegin: 1, sliceEnd: 2, instant: 3 } as const;
export const DEBUG_ANNOTATION = { uintValue: 3, stringValue: 6, name: 10 } as const;

/** Bits of prev_state: TASK_RUNNING, TASK_INTERRUPTIBLE, and one that means that it has exited. */
export const TASK_STATE = { runnable: 0, sleeping: 1, exited: 16 } as const;

import type { KThread } from '../machine/views';

/** The part of ETHREAD that is the host's: made when somebody sets what is in it. */
export class ThreadExecutive {
  /** Its description. */
  name = '';
  hideFromDebugger = false;
  /** Its end is bugcheck CRITICAL_PROCESS_DIED. */
  critical = false;
  /** 1 to 5. */
  pagePriority = 5;
  /** IO_PRIORITY_HINT. */
  ioPriority = 2;
  /** ControlMask and StateMask of POWER_THROTTLING_THREAD_STATE. */
  throttlingControl = 0;
  throttlingState = 0;
}

const NOTHING_SET: Readonly<ThreadExecutive> = Object.freeze(new ThreadExecutive());

/** What has been set of a thread, to be read. */
export function threadExecutive(thread: KThread): Readonly<ThreadExecutive> {
  return (thread.executive as ThreadExecutive | undefined) ?? NOTHING_SET;
}

/** The same, to be written. */
export function ownThreadExecutive(thread: KThread): ThreadExecutive {
  thread.executive ??= new ThreadExecutive();
  return thread.executive as ThreadExecutive;
}

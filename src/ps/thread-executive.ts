import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { type WorkerCheck, workerPool } from '../ex/worker';
import { PerMachine } from '../machine/per-machine';
import type { KThread } from '../machine/views';
import { Hints } from './hints';

/** The part of ETHREAD that is the host's: made when somebody sets what is in it. */
export class ThreadExecutive extends Hints {
  /** Its description. */
  name = '';
  hideFromDebugger = false;
  /** Its end is bugcheck CRITICAL_PROCESS_DIED. */
  critical = false;
  /** It prefetches: what it reads ahead is not held against it. */
  prefetching = false;
  /** Of its TEB: DLLs are not told of it, the loader leaves it alone, it is the loader's own. */
  skipThreadAttach = false;
  skipLoaderInit = false;
  loaderWorker = false;
  /** The loader has allocated TLS and FLS for it. */
  localStorage = false;
}

const NOTHING_SET: Readonly<ThreadExecutive> = Object.freeze(new ThreadExecutive());

/** What has been set of a thread, to be read. */
export function threadExecutive(thread: KThread): Readonly<ThreadExecutive> {
  return (thread.executive as ThreadExecutive | undefined) ?? NOTHING_SET;
}

const checkIoPriority: WorkerCheck = (thread, routine, parameter, item) => {
  const { ioPriority } = threadExecutive(thread);
  if (ioPriority === NOTHING_SET.ioPriority) return undefined;
  return {
    code: BUGCHECK.WORKER_THREAD_RETURNED_WITH_BAD_IO_PRIORITY,
    parameters: [routine, ioPriority, parameter, item],
    what: `with I/O priority ${ioPriority}; set it back to ${NOTHING_SET.ioPriority}`,
  };
};

const checkPagePriority: WorkerCheck = (thread, routine, parameter, item) => {
  const { pagePriority } = threadExecutive(thread);
  if (pagePriority === NOTHING_SET.pagePriority) return undefined;
  return {
    code: BUGCHECK.WORKER_THREAD_RETURNED_WITH_NON_DEFAULT_PAGE_PRIORITY,
    parameters: [routine, pagePriority, parameter, item],
    what: `with page priority ${pagePriority}; set it back to ${NOTHING_SET.pagePriority}`,
  };
};

/** From when something is first set of a thread of the system, work items are held to setting it back. */
const workerChecks = new PerMachine((machine) => {
  const pool = workerPool(machine);
  pool.onReturn(checkIoPriority);
  pool.onReturn(checkPagePriority);
  return pool;
});

/** The same, to be written. */
export function ownThreadExecutive(thread: KThread): ThreadExecutive {
  if (thread.process === thread.machine.systemProcess) workerChecks.of(thread.machine);
  thread.executive ??= new ThreadExecutive();
  return thread.executive as ThreadExecutive;
}

import { STATUS } from '../../assembly/shared/status';
import type { MODE } from '../../assembly/shared/types';
import type { KernelCode } from '../ke/mode';
import type { KProcess } from '../machine/views';
import type { Handle } from '../ob/attributes';
import { onHandle } from '../ob/services/on-handle';
import { PsJobType } from '../ob/types';
import { JOB_OBJECT_ACCESS } from './access';
import { discardProcess, setExitStatus } from './executive';
import { type JobObject, joinJob, jobOf, leaveJobs } from './job';
import { takeUpLimits } from './job-clock';
import { JOB_OBJECT_LIMIT } from './job-limits';

/** The jobs that a new process is in: its parent's, unless it breaks away, and those of a list. */

/** What a creator says of that. */
export interface JobWish {
  /** PROCESS_CREATE_FLAGS.BREAKAWAY. */
  readonly breakaway: boolean;
  /** PsAttributeJobList, in its order. */
  readonly list: readonly JobObject[];
}

const BREAKAWAY = JOB_OBJECT_LIMIT.BREAKAWAY_OK | JOB_OBJECT_LIMIT.SILENT_BREAKAWAY_OK;

/** Whether a job lets new processes of its own out. Nothing leaves a silo. */
function lets(job: JobObject, flags: number): boolean {
  return job.silo === undefined && (job.limits.flags & flags) !== 0;
}

/** The innermost job that a child stays in. */
function stayingIn(job: JobObject | undefined, flags: number): JobObject | undefined {
  let at = job;
  while (at !== undefined && lets(at, flags)) at = at.parent;
  return at;
}

function join(process: KProcess, inherited: JobObject | undefined, wish?: JobWish): number {
  const breakaway = wish?.breakaway ?? false;
  if (breakaway && inherited !== undefined && !lets(inherited, BREAKAWAY))
    return STATUS.ACCESS_DENIED;
  const flags = breakaway ? BREAKAWAY : JOB_OBJECT_LIMIT.SILENT_BREAKAWAY_OK;
  const first = stayingIn(inherited, flags);
  const jobs = first === undefined ? [] : [first];
  for (const job of [...jobs, ...(wish?.list ?? [])]) {
    const status = joinJob(process, job);
    if (status !== STATUS.SUCCESS) return status;
  }
  return STATUS.SUCCESS;
}

/**
 * Puts a process without a thread into its jobs. One that cannot come into all leaves those again that it
 * has been put into, and is taken back.
 */
export function joinAtCreation(
  process: KProcess,
  parent: KProcess | undefined,
  wish: JobWish | undefined,
): number {
  if (parent?.job === undefined && (wish === undefined || wish.list.length === 0))
    return STATUS.SUCCESS;
  const status = join(process, parent === undefined ? undefined : jobOf(parent), wish);
  if (status === STATUS.SUCCESS) takeUpLimits(process).next();
  else {
    setExitStatus(process, status);
    // Its creator refers to each of these jobs: none goes, and nothing of this takes an instruction.
    leaveJobs(process).next();
    discardProcess(process);
  }
  return status;
}

/** Runs `use` on the jobs of handles that may be given processes; a status if one is none. */
export function* withJobs<R>(
  mode: MODE,
  handles: readonly Handle[],
  use: (jobs: readonly JobObject[]) => KernelCode<R>,
): KernelCode<R | number> {
  const [first, ...others] = handles;
  if (first === undefined) return yield* use([]);
  const access = JOB_OBJECT_ACCESS.ASSIGN_PROCESS;
  return yield* onHandle(mode, first, access, PsJobType, (job: JobObject) =>
    withJobs(mode, others, (jobs) => use([job, ...jobs])),
  );
}

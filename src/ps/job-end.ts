import { KTHREAD_STATE } from '../../assembly/shared/types';
import type { KProcess } from '../machine/views';
import { isTerminating, setExitStatus } from './executive';
import type { JobObject } from './job';

/** The end of processes that their jobs ask for: from whatever context, a DPC's too. */

/** ERROR_NOT_ENOUGH_QUOTA: what a process ends with that has passed a limit of its job. */
export const LIMIT_EXIT_STATUS = 1816;

/** Ends a process; its threads go at their next return to user mode. */
export function endProcess(process: KProcess, exitStatus: number): void {
  if (isTerminating(process)) return;
  setExitStatus(process, exitStatus);
  for (const thread of process.threads()) {
    if (thread.state !== KTHREAD_STATE.Terminated) thread.terminate(exitStatus);
  }
}

/** Ends a process that has passed a limit, which its job counts. */
export function endByLimit(process: KProcess, job: JobObject): void {
  if (isTerminating(process)) return;
  job.totalTerminatedProcesses++;
  endProcess(process, LIMIT_EXIT_STATUS);
}

/** Ends what is in a job and in those nested in it. */
export function endMembers(job: JobObject, exitStatus: number): void {
  for (const process of [...job.members]) endProcess(process, exitStatus);
}

/** The same, and signals the job. */
export function terminateJob(job: JobObject, exitStatus: number): void {
  endMembers(job, exitStatus);
  job.waitObject.set();
}

import type { KProcess } from '../machine/views';
import { chainOf, type JobObject, jobOf } from './job';

/** Threads that their jobs hold: frozen ones, and those whose CPU time of an interval has been used up. */

/** Whether a job holds the threads of a process. */
export function isHeld(process: KProcess): boolean {
  for (const { frozen, cpuRate } of chainOf(jobOf(process)))
    if (frozen || cpuRate?.held === true) return true;
  return false;
}

/** Holds the threads of a process or lets them go on, as its jobs say. */
export function applyHold(process: KProcess): void {
  const held = isHeld(process);
  for (const thread of process.threads()) thread.freeze(held);
}

/** The same for all that is in a job. */
export function applyHolds(job: JobObject): void {
  for (const process of job.members) applyHold(process);
}

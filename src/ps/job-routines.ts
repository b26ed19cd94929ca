import { EResource } from '../ex/eresource';
import { ExInitializeResourceLite } from '../ex/resource';
import { currentGuest } from '../machine/guest';
import type { KProcess } from '../machine/views';
import { type JobObject, jobOf } from './job';

/** What drivers ask of jobs by pointer. */

/** The innermost job of a process, or that it was in at its end; NULL if none. Not referenced: valid while the process is in it, or somebody refers to it. @irql any @nt PsGetProcessJob */
export function PsGetProcessJob(process: KProcess): JobObject | null {
  currentGuest('PsGetProcessJob');
  return jobOf(process) ?? null;
}

const locks = new WeakMap<JobObject, EResource>();

/** The resource of a job: drivers may lock it; what changes a job here happens at one point of time, and does not. @irql at most DISPATCH_LEVEL @nt PsGetJobLock (partial: the kernel does not take it) */
export function PsGetJobLock(job: JobObject): EResource {
  currentGuest('PsGetJobLock');
  const known = locks.get(job);
  if (known !== undefined) return known;
  const lock = new EResource('job lock');
  ExInitializeResourceLite(lock);
  locks.set(job, lock);
  return lock;
}

/** The session of the process that made the job. @irql any @nt PsGetJobSessionId */
export function PsGetJobSessionId(job: JobObject): number {
  currentGuest('PsGetJobSessionId');
  return job.sessionId;
}

/** JOB_OBJECT_UILIMIT bits. @irql any @nt PsGetJobUIRestrictionsClass */
export function PsGetJobUIRestrictionsClass(job: JobObject): number {
  currentGuest('PsGetJobUIRestrictionsClass');
  return job.uiRestrictionsClass;
}

/** Sets them, unchecked. @irql any @nt PsSetJobUIRestrictionsClass */
export function PsSetJobUIRestrictionsClass(job: JobObject, uiRestrictionsClass: number): void {
  currentGuest('PsSetJobUIRestrictionsClass');
  job.uiRestrictionsClass = uiRestrictionsClass;
}

import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { currentGuest } from '../machine/guest';
import type { KThread } from '../machine/views';
import type { FileObject } from './file';
import type { JobObject } from './job';
import { processManager } from './manager';
import { serverSiloOf, type Silo, siloManager, siloOf, siloOfThread, siloState } from './silo';
import { takeHardReference } from './silo-end';

/** Which silo a thread, a job or another silo is in. The host silo is null. */

function threadAt(routine: string): KThread {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  return currentGuest(routine).thread;
}

/** The silo that the thread is attached to, or else its process's; good for this thread only. @irql at most DISPATCH_LEVEL @nt PsGetCurrentSilo */
export function PsGetCurrentSilo(): Silo {
  return siloOfThread(threadAt('PsGetCurrentSilo'));
}

/** The server silo that this is, or is in. @irql at most DISPATCH_LEVEL @nt PsGetCurrentServerSilo */
export function PsGetCurrentServerSilo(): Silo {
  return serverSiloOf(siloOfThread(threadAt('PsGetCurrentServerSilo')));
}

/** Whether the thread works in a server silo. @irql at most DISPATCH_LEVEL @nt PsIsCurrentThreadInServerSilo */
export function PsIsCurrentThreadInServerSilo(): boolean {
  return serverSiloOf(siloOfThread(threadAt('PsIsCurrentThreadInServerSilo'))) !== null;
}

/** The server silo that a thread works in; NULL if it works in none. @irql at most DISPATCH_LEVEL @nt PsGetThreadServerSilo */
export function PsGetThreadServerSilo(thread: KThread): Silo {
  threadAt('PsGetThreadServerSilo');
  return serverSiloOf(siloOfThread(thread));
}

/** The host silo: null, here as there. @irql any @nt PsGetHostSilo */
export function PsGetHostSilo(): Silo {
  currentGuest('PsGetHostSilo');
  return null;
}

/** @irql any   @nt PsIsHostSilo */
export function PsIsHostSilo(silo: Silo): boolean {
  currentGuest('PsIsHostSilo');
  return silo === null;
}

/** The server silo that a silo is or is in, else the host. @irql any @nt PsGetEffectiveServerSilo */
export function PsGetEffectiveServerSilo(silo: Silo): Silo {
  currentGuest('PsGetEffectiveServerSilo');
  return serverSiloOf(silo);
}

/** The next silo around a job, the host if there is none. @irql PASSIVE_LEVEL @nt PsGetParentSilo */
export function PsGetParentSilo(job: JobObject | null): Silo {
  requireIrql('PsGetParentSilo', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  return siloOf(job?.parent);
}

/** A silo that was asked for. */
export interface SiloResult {
  readonly status: number;
  readonly silo: Silo;
}

/**
 * The first silo that a job is, or is nested in; valid while the job is referred to.
 *
 * @returns SUCCESS; INVALID_PARAMETER: no job; JOB_NO_CONTAINER: there is none.
 * @irql PASSIVE_LEVEL   @nt PsGetJobSilo
 */
export function PsGetJobSilo(job: JobObject | null): SiloResult {
  requireIrql('PsGetJobSilo', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  if (job === null) return { status: STATUS.INVALID_PARAMETER, silo: null };
  const silo = siloOf(job);
  return { status: silo === null ? STATUS.JOB_NO_CONTAINER : STATUS.SUCCESS, silo };
}

/**
 * The first server silo, likewise; the host if there is none.
 *
 * @returns SUCCESS; INVALID_PARAMETER: no job.
 * @irql PASSIVE_LEVEL   @nt PsGetJobServerSilo
 */
export function PsGetJobServerSilo(job: JobObject | null): SiloResult {
  requireIrql('PsGetJobServerSilo', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  if (job === null) return { status: STATUS.INVALID_PARAMETER, silo: null };
  return { status: STATUS.SUCCESS, silo: serverSiloOf(job) };
}

/**
 * Lets the current thread work in a silo, which the caller keeps referenced, until it detaches. A thread
 * that ends attached is bugcheck INVALID_SILO_DETACH.
 *
 * @returns what it was attached to, for PsDetachSiloFromCurrentThread; undefined: to nothing.
 * @irql at most DISPATCH_LEVEL   @nt PsAttachSiloToCurrentThread
 */
export function PsAttachSiloToCurrentThread(silo: Silo): Silo | undefined {
  const thread = threadAt('PsAttachSiloToCurrentThread');
  // Work items are checked from the first use of silos on.
  siloManager(thread.machine);
  const { attachedSilos } = processManager(thread.machine);
  const previous = attachedSilos.get(thread);
  attachedSilos.set(thread, silo);
  return previous;
}

/** Takes that back. @irql at most DISPATCH_LEVEL @nt PsDetachSiloFromCurrentThread */
export function PsDetachSiloFromCurrentThread(previousSilo: Silo | undefined): void {
  const thread = threadAt('PsDetachSiloFromCurrentThread');
  const { attachedSilos } = processManager(thread.machine);
  if (previousSilo === undefined) attachedSilos.delete(thread);
  else attachedSilos.set(thread, previousSilo);
}

/** Of the host's sessions the one at the console. */
const HOST_CONSOLE_SESSION = 1;
const HOST_SERVICE_SESSION = 0;

function sessionOf(silo: Silo, host: number): number {
  const server = serverSiloOf(silo);
  return server === null ? host : (siloState(server).server?.serviceSessionId ?? host);
}

/** The session at the console of a server silo: its only one. @irql PASSIVE_LEVEL @nt PsGetServerSiloActiveConsoleId */
export function PsGetServerSiloActiveConsoleId(silo: Silo): number {
  requireIrql('PsGetServerSiloActiveConsoleId', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  return sessionOf(silo, HOST_CONSOLE_SESSION);
}

/** The session of the services of a server silo: its only one. @irql PASSIVE_LEVEL @nt PsGetServerSiloServiceSessionId */
export function PsGetServerSiloServiceSessionId(silo: Silo): number {
  requireIrql('PsGetServerSiloServiceSessionId', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  return sessionOf(silo, HOST_SERVICE_SESSION);
}

/** The GUID of a silo; NULL of the host. @irql PASSIVE_LEVEL @nt PsGetSiloContainerId */
export function PsGetSiloContainerId(silo: Silo): string | null {
  requireIrql('PsGetSiloContainerId', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  return silo === null ? null : siloState(silo).containerId;
}

/** The name of the server silo that the thread works in; of the host ''. @irql PASSIVE_LEVEL @nt PsGetCurrentServerSiloName (partial: silos have no directories; the name is a number) */
export function PsGetCurrentServerSiloName(): string {
  const routine = 'PsGetCurrentServerSiloName';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const silo = serverSiloOf(siloOfThread(currentGuest(routine).thread));
  return silo === null ? '' : `\\Silos\\${siloState(silo).id}`;
}

/**
 * Keeps a silo from terminating until PsReleaseSiloHardReference.
 *
 * @returns SUCCESS; DELETE_PENDING: it has been asked to end.
 * @irql at most DISPATCH_LEVEL   @nt PsAcquireSiloHardReference
 */
export function PsAcquireSiloHardReference(silo: Silo): number {
  threadAt('PsAcquireSiloHardReference');
  if (silo === null || takeHardReference(silo)) return STATUS.SUCCESS;
  return STATUS.DELETE_PENDING;
}

/** Files have no parameters of silos: always NULL. @irql any @nt IoGetSiloParameters (partial: not modelled, NULL) */
export function IoGetSiloParameters(_fileObject: FileObject): null {
  currentGuest('IoGetSiloParameters');
  return null;
}

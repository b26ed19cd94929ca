import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import type { KernelCode } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import { headerOf } from '../ob/object';
import { ObpDereference, ObpReference } from '../ob/reference';
import { JOB_OBJECT_MSG, type JobObject } from './job';
import { terminateJob } from './job-end';
import { SERVERSILO_STATE, type Silo, siloManager, siloState } from './silo';
import { dereferenceContext } from './silo-context';
import { announceSiloEnd } from './silo-monitor';

/**
 * The end of silos: their processes first; then, in a thread of the system, the monitors are told, contexts
 * leave their slots, and the silo is terminated. Permanent contexts go last.
 */

function* emptySlots(silo: JobObject, permanent: boolean): KernelCode<void> {
  const manager = siloManager(silo.machine);
  const { storage } = siloState(silo);
  for (const slot of storage.used(permanent)) {
    const context = storage.get(slot);
    storage.delete(slot);
    if (context !== undefined) yield* dereferenceContext(context);
    manager.onEmptied(slot);
  }
}

function* tearDown(silo: JobObject): KernelCode<void> {
  const state = siloState(silo);
  const { server } = state;
  if (server !== undefined) {
    server.state = SERVERSILO_STATE.TERMINATING;
    yield* announceSiloEnd(silo.machine, silo);
  }
  state.storage.closed = true;
  yield* emptySlots(silo, false);
  yield* emptySlots(silo, true);
  siloManager(silo.machine).silos.delete(silo);
  if (server !== undefined) server.state = SERVERSILO_STATE.TERMINATED;
  silo.post(JOB_OBJECT_MSG.SILO_TERMINATED, 0);
  yield* ObpDereference(headerOf('PspTerminateSilo', silo));
}

/** Ends a silo that nothing keeps any more: no process, no hard reference, and that was asked to end or has no handle. */
export function endIfUnused(silo: JobObject): void {
  if (silo.silo === undefined) return;
  const state = siloState(silo);
  const header = headerOf('PspTerminateSilo', silo);
  const asked = state.ending || header.handleCount === 0;
  if (!asked || state.torn || silo.members.size !== 0 || state.hardReferences !== 0) return;
  state.torn = true;
  silo.closed = true;
  ObpReference(header);
  silo.machine.systemProcess
    .createThread(() => tearDown(silo), { name: 'silo termination' })
    .close();
}

/** Asks a silo to end; its processes do now. */
export function terminateSilo(silo: JobObject, exitStatus: number): void {
  const state = siloState(silo);
  const { server } = state;
  if (!state.ending) {
    state.ending = true;
    silo.closed = true;
    if (server !== undefined) {
      server.exitStatus = exitStatus >>> 0;
      server.state = SERVERSILO_STATE.SHUTTING_DOWN;
    }
  }
  terminateJob(silo, exitStatus);
  endIfUnused(silo);
}

/**
 * Asks a server silo to end, from within or without: its processes end with the status, then monitors are
 * told. The caller goes on, unless it is a process of the silo.
 *
 * @irql PASSIVE_LEVEL   @nt PsTerminateServerSilo
 */
export function PsTerminateServerSilo(serverSilo: Silo, exitStatus: number): void {
  const routine = 'PsTerminateServerSilo';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  currentGuest(routine);
  if (serverSilo !== null) terminateSilo(serverSilo, exitStatus);
}

/** Keeps a silo from terminating until it is released. @returns whether it was not terminating yet. */
export function takeHardReference(silo: JobObject): boolean {
  const state = siloState(silo);
  if (state.ending || state.torn) return false;
  state.hardReferences++;
  return true;
}

/**
 * Gives a hard reference back.
 *
 * @irql at most DISPATCH_LEVEL   @nt PsReleaseSiloHardReference
 */
export function PsReleaseSiloHardReference(silo: Silo): void {
  const routine = 'PsReleaseSiloHardReference';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  if (silo === null) return;
  siloState(silo).hardReferences--;
  endIfUnused(silo);
}

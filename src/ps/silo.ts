import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { type WorkerCheck, workerPool } from '../ex/worker';
import { KeWaitForSingleObject } from '../ke/ddi';
import type { KernelCode } from '../ke/mode';
import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import type { KEvent, KProcess, KThread } from '../machine/views';
import { chainOf, type JobObject, jobOf, siloNumber } from './job';
import { processManager } from './manager';
import type { SiloMonitor } from './silo-monitor-object';
import { SiloStorage } from './silo-storage';

/**
 * Silos: jobs that have something of their own in place of the system's. An app silo is a job that was made
 * one; a server silo is an app silo that was initialized as one, of which silo monitors are told.
 */

/** PESILO: the job that is the silo; null: the host silo. Referred to as the job is. */
export type Silo = JobObject | null;

/** SERVERSILO_STATE. */
export const enum SERVERSILO_STATE {
  INITING = 0,
  STARTED = 1,
  SHUTTING_DOWN = 2,
  TERMINATING = 3,
  TERMINATED = 4,
}

/** What a server silo has more than an app silo. */
export interface ServerSilo {
  state: SERVERSILO_STATE;
  exitStatus: number;
  readonly serviceSessionId: number;
}

/** What a job has as a silo. */
export class SiloState {
  server: ServerSilo | undefined;
  readonly storage = new SiloStorage();
  /** Those who must let go before it terminates. */
  hardReferences = 0;
  /** Its end is asked for: when its processes have gone, and hard references. */
  ending = false;
  /** Its end has begun: no more than once. */
  torn = false;

  constructor(
    /** From 1. */
    readonly id: number,
  ) {}

  /** A GUID. */
  get containerId(): string {
    return `00000000-0000-4000-8000-${this.id.toString(16).padStart(12, '0')}`;
  }
}

const checkAttachedWorker: WorkerCheck = (thread, routine, parameter, item) => {
  if (!processManager(thread.machine).attachedSilos.has(thread)) return undefined;
  return {
    code: BUGCHECK.WORKER_THREAD_RETURNED_WHILE_ATTACHED_TO_SILO,
    parameters: [routine, parameter, item, 0],
    what: 'attached to a silo; call PsDetachSiloFromCurrentThread',
  };
};

/** The silos of a machine. */
export class SiloManager {
  /** The host's storage. */
  readonly storage = new SiloStorage();
  /** Slots that are allocated. */
  readonly slots = new Set<number>();
  /** Silos that have not terminated, in the order in which they were made. */
  readonly silos = new Set<JobObject>();
  /** Those that have been registered. */
  readonly monitors = new Set<SiloMonitor>();
  /** Whoever waits for a slot to be empty. */
  private readonly waiters = new Map<number, KEvent>();
  private made = 0;

  constructor(readonly machine: Machine) {
    workerPool(machine).onReturn(checkAttachedWorker);
  }

  /** Makes a job a silo. */
  create(job: JobObject): void {
    this.made++;
    job.silo = new SiloState(this.made);
    this.silos.add(job);
  }

  storageOf(silo: Silo): SiloStorage {
    return silo === null ? this.storage : siloState(silo).storage;
  }

  /** A slot of one silo has got empty. */
  onEmptied(slot: number): void {
    if (!this.isInUse(slot)) this.waiters.get(slot)?.set();
  }

  /** Waits until no silo has a context in a slot. */
  *untilEmpty(slot: number): KernelCode<void> {
    if (!this.isInUse(slot)) return;
    const event = this.machine.createEvent('notification');
    this.waiters.set(slot, event);
    yield* KeWaitForSingleObject(event, KWAIT_REASON.WrRundown, MODE.KernelMode, false, null);
    this.waiters.delete(slot);
    event.delete();
  }

  /** Whether some silo has a context in a slot. */
  isInUse(slot: number): boolean {
    if (this.storage.has(slot)) return true;
    for (const silo of this.silos) if (siloState(silo).storage.has(slot)) return true;
    return false;
  }

  /** Server silos that have been started, and not begun to terminate. */
  startedServers(): JobObject[] {
    return [...this.silos].filter(
      (silo) => siloState(silo).server?.state === SERVERSILO_STATE.STARTED,
    );
  }
}

const managers = new PerMachine((machine) => new SiloManager(machine));

export function siloManager(machine: Machine): SiloManager {
  return managers.of(machine);
}

/** What a silo is. */
export function siloState(silo: JobObject): SiloState {
  return silo.silo as SiloState;
}

/** The first silo of a chain of jobs. */
export function siloOf(job: JobObject | undefined): Silo {
  for (const at of chainOf(job)) if (at.silo !== undefined) return at;
  return null;
}

/** The server silo that a silo is, or is in. */
export function serverSiloOf(silo: Silo): Silo {
  for (const at of chainOf(silo ?? undefined))
    if (at.silo !== undefined && siloState(at).server !== undefined) return at;
  return null;
}

/** The number of the server silo that a process is in; 0: the host. */
export function serverSiloNumber(process: KProcess): number {
  const silo = serverSiloOf(siloOf(jobOf(process)));
  return silo === null ? 0 : siloNumber(silo);
}

/** The silo that a thread works in: the one that it is attached to, or its process's. */
export function siloOfThread(thread: KThread): Silo {
  const attached = processManager(thread.machine).attachedSilos.get(thread);
  return attached === undefined ? siloOf(jobOf(thread.process)) : attached;
}

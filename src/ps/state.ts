import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import type { Machine } from '../machine/machine';
import { type LoadedProgram, program } from '../machine/program';
import type { KThread } from '../machine/views';
import { ImageCatalogue } from './image';
import type { JobObject } from './job';
import { NotifyTable } from './notify-table';
import type { PicoHooks } from './pico';

/** Where real systems or their documentation differ; the defaults are Windows 10 and 11 as documented or measured. */
export interface PsSwitches {
  /** A process-notify routine that is registered already is registered again, and called twice. */
  duplicateProcessNotify: boolean;
  /** Routines of PsCreateThreadNotifyNonSystem are told of the end of a thread too. */
  nonSystemThreadExit: boolean;
  /** What PsLookupThreadByThreadId returns for an unknown id: measured is INVALID_CID, documented INVALID_PARAMETER. */
  unknownThreadId: number;
  /** Ex2 routines get a ParentProcessId of 0 for a process that was made without inheriting handles. */
  nullParentWithoutInheritance: boolean;
}

/** What the process manager keeps of a machine. */
export class PsState {
  readonly switches: PsSwitches = {
    duplicateProcessNotify: false,
    nonSystemThreadExit: false,
    nullParentWithoutInheritance: false,
    unknownThreadId: STATUS.INVALID_CID,
  };
  readonly images = new ImageCatalogue();
  /** Who provides pico processes; undefined: nobody has registered. */
  pico: PicoHooks | undefined;
  /** Minimal processes made since boot, those of the provider not among them. */
  minimalProcesses = 0;
  readonly processNotify: NotifyTable;
  readonly threadNotify: NotifyTable;
  readonly imageNotify: NotifyTable;
  /** Threads that are attached to silos: null is the host. */
  readonly attachedSilos = new Map<KThread, JobObject | null>();

  private waiting: LoadedProgram | undefined;

  /** What a process runs of whose executable nobody has said what it does: it waits to be terminated. */
  waitingProgram(): LoadedProgram {
    const event = this.waiting === undefined ? this.machine.createEvent('notification') : undefined;
    this.waiting ??= this.machine.loadProgram(
      program('waits to be terminated', (p) =>
        p.wait({ handle: event?.handle ?? 0 }, { mode: MODE.UserMode }),
      ),
    );
    return this.waiting;
  }

  constructor(readonly machine: Machine) {
    this.processNotify = new NotifyTable(machine, 'process-notify routine');
    this.threadNotify = new NotifyTable(machine, 'thread-notify routine');
    this.imageNotify = new NotifyTable(machine, 'load-image-notify routine');
  }
}

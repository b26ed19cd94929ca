import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import {
  ExInitializeWorkItem,
  ExQueueWorkItem,
  WORK_QUEUE_TYPE,
  WorkQueueItem,
} from '../ex/worker';
import type { KernelCode } from '../ke/mode';
import type { DriverOptions } from '../machine/driver';
import { MachineError } from '../machine/errors';
import type { Machine } from '../machine/machine';
import type { KProcess } from '../machine/views';
import { OBJ } from '../ob/attributes';
import type { ObCallbackHandle } from '../ob/callbacks';
import { OB_OPERATION, ObRegisterCallbacks, ObUnRegisterCallbacks } from '../ob/callbacks';
import { ObOpenObjectByPointer, ZwClose } from '../ob/handle';
import { PsProcessType, PsThreadType } from '../ob/types';
import { PROCESS_ACCESS } from '../ps/access';
import { ZwTerminateProcess } from '../ps/control-services';
import { PSP_MAX_NOTIFY } from '../ps/notify-table';
import type { PsCreateNotifyInfo } from '../ps/process-notify';
import {
  PsRemoveCreateThreadNotifyRoutine,
  PsRemoveLoadImageNotifyRoutine,
  PsSetCreateProcessNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutine,
  PsSetLoadImageNotifyRoutine,
} from '../ps/register';
import { PATTERNS } from './patterns';

/** Drivers that do what a driver must put up with, to be loaded beside the one under test. */

/** Refuses every second process, before others are asked. */
function vetoer(): DriverOptions {
  let count = 0;
  const onProcess: Parameters<typeof PsSetCreateProcessNotifyRoutineEx>[0] = (
    _process,
    _processId,
    createInfo,
  ) => {
    if (createInfo === null) return;
    count++;
    if (count % 2 === 0) createInfo.CreationStatus = STATUS.ACCESS_DENIED;
  };
  return {
    name: 'neighbour-veto',
    *DriverEntry() {
      return yield* PsSetCreateProcessNotifyRoutineEx(onProcess, false);
    },
    *DriverUnload() {
      yield* PsSetCreateProcessNotifyRoutineEx(onProcess, true);
    },
  };
}

/** Takes all access away, from the highest altitude. */
function stripper(): DriverOptions {
  let handle: ObCallbackHandle | null = null;
  const strip: Parameters<
    typeof ObRegisterCallbacks
  >[0]['OperationRegistration'][number]['PreOperation'] = (_context, information) => {
    information.Parameters.DesiredAccess &= 0x1000;
    return 0;
  };
  return {
    name: 'neighbour-strip',
    *DriverEntry() {
      const result = yield* ObRegisterCallbacks({
        Version: 0x100,
        Altitude: '999999',
        RegistrationContext: null,
        OperationRegistration: [PsProcessType, PsThreadType].map((ObjectType) => ({
          ObjectType,
          Operations: OB_OPERATION.HANDLE_CREATE | OB_OPERATION.HANDLE_DUPLICATE,
          PreOperation: strip,
          PostOperation: null,
        })),
      });
      handle = result.registrationHandle;
      return result.status;
    },
    *DriverUnload() {
      if (handle !== null) yield* ObUnRegisterCallbacks(handle);
    },
  };
}

const nothing = () => () => undefined;

/** Takes the slots of notify routines of each sort, and leaves `free` of them. */
function filler(name: string, free: number): DriverOptions {
  const routines = (): (() => undefined)[] =>
    Array.from({ length: PSP_MAX_NOTIFY - free }, nothing);
  const [processes, threads, images] = [routines(), routines(), routines()];
  return {
    name,
    *DriverEntry() {
      for (const routine of processes) yield* PsSetCreateProcessNotifyRoutine(routine, false);
      for (const routine of threads) yield* PsSetCreateThreadNotifyRoutine(routine);
      for (const routine of images) yield* PsSetLoadImageNotifyRoutine(routine);
      return STATUS.SUCCESS;
    },
    *DriverUnload() {
      for (const routine of processes) yield* PsSetCreateProcessNotifyRoutine(routine, true);
      for (const routine of threads) yield* PsRemoveCreateThreadNotifyRoutine(routine);
      for (const routine of images) yield* PsRemoveLoadImageNotifyRoutine(routine);
    },
  };
}

/** Takes its routine back in a work item that the routine queues, and registers it again, time and again. */
function leaver(): DriverOptions {
  const item = new WorkQueueItem();
  let busy = false;
  const onThread = function* onThread(): KernelCode<void> {
    if (busy) return;
    busy = true;
    ExInitializeWorkItem(item, again, null);
    yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.CriticalWorkQueue);
  };
  const again = function* again(): KernelCode<void> {
    yield* PsRemoveCreateThreadNotifyRoutine(onThread);
    yield* PsSetCreateThreadNotifyRoutine(onThread);
    busy = false;
  };
  return {
    name: 'neighbour-leave',
    *DriverEntry() {
      return yield* PsSetCreateThreadNotifyRoutine(onThread);
    },
    *DriverUnload() {
      yield* PsRemoveCreateThreadNotifyRoutine(onThread);
    },
  };
}

/** Ends every third process while others are still told that it is made. */
function killer(): DriverOptions {
  let count = 0;
  const onProcess = function* onProcess(
    process: KProcess,
    _processId: number,
    createInfo: PsCreateNotifyInfo | null,
  ): KernelCode<void> {
    if (createInfo === null || ++count % 3 !== 0) return;
    const { handle } = yield* ObOpenObjectByPointer(
      process,
      OBJ.KERNEL_HANDLE,
      null,
      PROCESS_ACCESS.TERMINATE,
      PsProcessType,
      MODE.KernelMode,
    );
    if (handle === 0) return;
    yield* ZwTerminateProcess(handle, STATUS.ACCESS_DENIED);
    yield* ZwClose(handle);
  };
  return {
    name: 'neighbour-kill',
    *DriverEntry() {
      return yield* PsSetCreateProcessNotifyRoutineEx(onProcess, false);
    },
    *DriverUnload() {
      yield* PsSetCreateProcessNotifyRoutineEx(onProcess, true);
    },
  };
}

/** What is loaded before the driver under test, or happens beside the scenario, or both. */
export interface Neighbour {
  readonly driver?: () => DriverOptions;
  /** Before anything is loaded. It gives what there is to start beside the scenario. */
  readonly boot?: (machine: Machine) => () => void;
  readonly start?: (machine: Machine) => void;
  /** It keeps a driver from being loaded: it is not one of 'all'. */
  readonly forbids?: boolean;
}

/** Every neighbour beside which a driver can be loaded, or those of the names. */
export type NeighbourNames = 'all' | readonly string[];

export const NEIGHBOURS: Readonly<Record<string, Neighbour>> = {
  veto: { driver: vetoer },
  strip: { driver: stripper },
  fill: { driver: () => filler('neighbour-fill', 4) },
  full: { driver: () => filler('neighbour-full', 0), forbids: true },
  leave: { driver: leaver },
  kill: { driver: killer },
  ...PATTERNS,
};

function neighboursOf(names: NeighbourNames): Neighbour[] {
  if (names !== 'all' && !Array.isArray(names))
    throw new MachineError(
      `neighbours is '${String(names)}'; give 'all' or an array of names, such as ['veto']`,
    );
  const known = Object.keys(NEIGHBOURS);
  const all = known.filter((name) => NEIGHBOURS[name]?.forbids !== true);
  return (names === 'all' ? all : names).map((name) => {
    const neighbour = NEIGHBOURS[name];
    if (neighbour === undefined)
      throw new MachineError(`'${name}' is no neighbour; known: ${known.join(', ')}, or 'all'`);
    return neighbour;
  });
}

/** Neighbours on a machine. */
export class Neighbourhood {
  private readonly members: readonly Neighbour[];
  private starts: readonly (() => void)[] = [];

  /** @throws MachineError for a name that is none. */
  constructor(names: NeighbourNames) {
    this.members = neighboursOf(names);
  }

  /** Whether one of them may keep a driver from being loaded. */
  get forbids(): boolean {
    return this.members.some((each) => each.forbids === true);
  }

  /** Before there are processes. */
  boot(machine: Machine): void {
    this.starts = this.members.map((each) => each.boot?.(machine) ?? (() => each.start?.(machine)));
  }

  /** Before the driver under test is loaded. */
  load(machine: Machine): void {
    for (const { driver } of this.members) {
      if (driver !== undefined) machine.loadDriver(driver());
    }
  }

  /** What goes on beside the scenario begins. */
  start(): void {
    for (const start of this.starts) start();
  }
}

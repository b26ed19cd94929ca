import { type Callout, calloutName } from '../ke/callout';
import type { Machine } from '../machine/machine';
import { knownObjectCallbacks, OB_OPERATION } from '../ob/callbacks';
import { IMAGE_NOTIFY } from './image-notify';
import { knownProcessManager } from './manager';
import type { NotifyTable } from './notify-table';
import { PROCESS_NOTIFY } from './process-notify';
import { THREAD_NOTIFY } from './thread-notify';

/** What drivers have registered, as plain data. */

/** A routine of a driver's. */
export interface InspectedRoutine {
  /** As a debugger writes it: `protect!onProcess`. */
  readonly routine: string;
  readonly address: number;
  /** Absent: no driver's. */
  readonly driver?: string;
}

/** A notify routine. */
export interface InspectedNotifyRoutine extends InspectedRoutine {
  /** Of the 64 of its array, in whose order they are called. */
  readonly slot: number;
  /** The routine that has registered it. */
  readonly registeredBy: string;
  readonly callsUnderWay: number;
}

/** A registration with ObRegisterCallbacks, for one type. */
export interface InspectedObjectCallback {
  readonly objectType: string;
  readonly altitude: string;
  readonly operations: readonly ('CREATE' | 'DUPLICATE')[];
  readonly preOperation?: InspectedRoutine;
  readonly postOperation?: InspectedRoutine;
  readonly callsUnderWay: number;
}

export interface InspectedCallbacks {
  /** nt!PspCreateProcessNotifyRoutine */
  readonly process: readonly InspectedNotifyRoutine[];
  /** nt!PspCreateThreadNotifyRoutine */
  readonly thread: readonly InspectedNotifyRoutine[];
  /** nt!PspLoadImageNotifyRoutine */
  readonly image: readonly InspectedNotifyRoutine[];
  /** The CallbackList of each type, from the highest altitude on. */
  readonly object: readonly InspectedObjectCallback[];
}

type Names = Readonly<Record<number, string>>;

const PROCESS_NAMES: Names = {
  [PROCESS_NOTIFY.Legacy]: 'PsSetCreateProcessNotifyRoutine',
  [PROCESS_NOTIFY.Ex]: 'PsSetCreateProcessNotifyRoutineEx',
  [PROCESS_NOTIFY.Ex2]: 'PsSetCreateProcessNotifyRoutineEx2',
};
const THREAD_NAMES: Names = {
  [THREAD_NOTIFY.Legacy]: 'PsSetCreateThreadNotifyRoutine',
  [THREAD_NOTIFY.NonSystem]: 'PsSetCreateThreadNotifyRoutineEx (NonSystem)',
  [THREAD_NOTIFY.Subsystems]: 'PsSetCreateThreadNotifyRoutineEx (Subsystems)',
};
const IMAGE_NAMES: Names = {
  [IMAGE_NOTIFY.Native]: 'PsSetLoadImageNotifyRoutine',
  [IMAGE_NOTIFY.Every]: 'PsSetLoadImageNotifyRoutineEx',
};

function inspectRoutine(callout: Callout): InspectedRoutine {
  const { address, driver } = callout;
  const routine = calloutName(callout);
  return { routine, address, ...(driver === undefined ? {} : { driver: driver.name }) };
}

function inspectTable(table: NotifyTable | undefined, names: Names): InspectedNotifyRoutine[] {
  return (table?.slots ?? []).flatMap((entry, slot) => {
    if (entry === undefined) return [];
    const registeredBy = names[entry.kind] as string;
    const routine = entry.registered === null ? { routine: 'NULL', address: 0 } : {};
    const callsUnderWay = entry.calls.count;
    return [{ slot, ...inspectRoutine(entry), ...routine, registeredBy, callsUnderWay }];
  });
}

function inspectObjectCallbacks(machine: Machine): InspectedObjectCallback[] {
  const entries = knownObjectCallbacks(machine)?.entries() ?? [];
  return entries.map(({ ObjectType, altitudeText, Operations, pre, post, calls }) => ({
    objectType: ObjectType.name,
    altitude: altitudeText,
    operations: [
      ...((Operations & OB_OPERATION.HANDLE_CREATE) !== 0 ? (['CREATE'] as const) : []),
      ...((Operations & OB_OPERATION.HANDLE_DUPLICATE) !== 0 ? (['DUPLICATE'] as const) : []),
    ],
    ...(pre === undefined ? {} : { preOperation: inspectRoutine(pre) }),
    ...(post === undefined ? {} : { postOperation: inspectRoutine(post) }),
    callsUnderWay: calls.count,
  }));
}

/** Every callback of processes, threads, images and handles that is registered now. */
export function inspectCallbacks(machine: Machine): InspectedCallbacks {
  const ps = knownProcessManager(machine);
  return {
    process: inspectTable(ps?.processNotify, PROCESS_NAMES),
    thread: inspectTable(ps?.threadNotify, THREAD_NAMES),
    image: inspectTable(ps?.imageNotify, IMAGE_NAMES),
    object: inspectObjectCallbacks(machine),
  };
}

import { STATUS } from '../../assembly/shared/status';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { currentGuest, type NtCall } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { everyHandle, type OpenHandle } from '../ob/handles';
import { type InformationBuffer, lengthOf, probeBuffer, type Queried } from '../ob/information';
import type { ObjectBody } from '../ob/object';
import { processIdOfRow } from './cid';
import { imageOf } from './executive';
import { processOfId } from './identity';
import type { BadPointer } from './information';
import { processManager } from './manager';
import type { WrittenName } from './process-query';
import { type SystemAnswer, type SystemClass, SYSTEM_INFORMATION_CLASS } from './system-class';
import {
  extendedProcessInformation,
  processInformation,
  type SystemProcessInformation,
} from './system-processes';
import {
  basicInformation,
  interruptInformation,
  performanceInformation,
  processorInformation,
  processorPerformance,
  type SystemBasicInformation,
  type SystemInterruptInformation,
  type SystemPerformanceInformation,
  type SystemProcessorInformation,
  type SystemProcessorPerformance,
  type SystemTimeAdjustmentInformation,
  type SystemTimeOfDayInformation,
  timeAdjustment,
  timeOfDay,
} from './system-times';

/** NtQuerySystemInformation: what there is to know of the machine as a whole. */

/** SYSTEM_HANDLE_TABLE_ENTRY_INFO and its form with longer ids; Object is the body in place of its address. */
export interface SystemHandle {
  readonly UniqueProcessId: number;
  readonly ObjectTypeIndex: number;
  /** OBJ.PROTECT_CLOSE and OBJ.INHERIT. */
  readonly HandleAttributes: number;
  readonly HandleValue: number;
  readonly Object: ObjectBody;
  readonly GrantedAccess: number;
}

/** SYSTEM_HANDLE_INFORMATION and SYSTEM_HANDLE_INFORMATION_EX. */
export interface SystemHandleInformation {
  readonly NumberOfHandles: number;
  readonly Handles: readonly SystemHandle[];
}

/** SYSTEM_PROCESS_ID_INFORMATION, in and out: which process, and room for its executable's name. */
export interface SystemProcessIdInformation {
  /** Bytes of the buffer: 24. */
  readonly length: number;
  readonly ProcessId: number;
  readonly ImageName: {
    /** 0. */
    readonly Length: number;
    /** Bytes of room. */
    readonly MaximumLength: number;
    readonly Buffer?: BadPointer;
  };
}

interface EveryProcess {
  readonly Processes: readonly SystemProcessInformation[];
}

/** What the classes of NtQuerySystemInformation give. */
export interface SystemInformation {
  [SYSTEM_INFORMATION_CLASS.SystemBasicInformation]: SystemBasicInformation;
  [SYSTEM_INFORMATION_CLASS.SystemProcessorInformation]: SystemProcessorInformation;
  [SYSTEM_INFORMATION_CLASS.SystemPerformanceInformation]: SystemPerformanceInformation;
  [SYSTEM_INFORMATION_CLASS.SystemTimeOfDayInformation]: SystemTimeOfDayInformation;
  [SYSTEM_INFORMATION_CLASS.SystemProcessInformation]: EveryProcess;
  [SYSTEM_INFORMATION_CLASS.SystemProcessorPerformanceInformation]: {
    readonly Processors: readonly SystemProcessorPerformance[];
  };
  [SYSTEM_INFORMATION_CLASS.SystemHandleInformation]: SystemHandleInformation;
  [SYSTEM_INFORMATION_CLASS.SystemInterruptInformation]: {
    readonly Processors: readonly SystemInterruptInformation[];
  };
  [SYSTEM_INFORMATION_CLASS.SystemTimeAdjustmentInformation]: SystemTimeAdjustmentInformation;
  [SYSTEM_INFORMATION_CLASS.SystemExtendedProcessInformation]: EveryProcess;
  [SYSTEM_INFORMATION_CLASS.SystemExtendedHandleInformation]: SystemHandleInformation;
  [SYSTEM_INFORMATION_CLASS.SystemProcessIdInformation]: {
    readonly ProcessId: number;
    readonly ImageName: Omit<WrittenName, 'Buffer'> & { readonly Buffer?: string };
  };
}

function shownHandle(entry: OpenHandle): SystemHandle {
  return {
    UniqueProcessId: processIdOfRow(entry.process.index),
    ObjectTypeIndex: entry.typeIndex,
    HandleAttributes: entry.attributes,
    HandleValue: entry.handle,
    Object: entry.object,
    GrantedAccess: entry.grantedAccess,
  };
}

/** Every handle: bytes of what goes before the entries, and of one entry. */
function handleAnswer(machine: Machine, header: number, entry: number): SystemAnswer {
  const Handles = [...everyHandle(machine)].map(shownHandle);
  const fields: SystemHandleInformation = { NumberOfHandles: Handles.length, Handles };
  return { needed: header + Handles.length * entry, fields };
}

const CLASSES: ReadonlyMap<number, SystemClass> = new Map<number, SystemClass>([
  [SYSTEM_INFORMATION_CLASS.SystemBasicInformation, basicInformation],
  [SYSTEM_INFORMATION_CLASS.SystemProcessorInformation, processorInformation],
  [SYSTEM_INFORMATION_CLASS.SystemPerformanceInformation, performanceInformation],
  [SYSTEM_INFORMATION_CLASS.SystemTimeOfDayInformation, timeOfDay],
  [SYSTEM_INFORMATION_CLASS.SystemProcessInformation, processInformation],
  [SYSTEM_INFORMATION_CLASS.SystemProcessorPerformanceInformation, processorPerformance],
  [SYSTEM_INFORMATION_CLASS.SystemHandleInformation, (machine) => handleAnswer(machine, 8, 24)],
  [SYSTEM_INFORMATION_CLASS.SystemInterruptInformation, interruptInformation],
  [SYSTEM_INFORMATION_CLASS.SystemTimeAdjustmentInformation, timeAdjustment],
  [SYSTEM_INFORMATION_CLASS.SystemExtendedProcessInformation, extendedProcessInformation],
  [
    SYSTEM_INFORMATION_CLASS.SystemExtendedHandleInformation,
    (machine) => handleAnswer(machine, 16, 40),
  ],
]);

const refused = (status: number, returnLength?: number): Queried<object> => ({
  status,
  returnLength,
});

const PROCESS_ID_BYTES = 24;

/** SystemProcessIdInformation: the buffer says which process. */
function processIdAnswer(
  machine: Machine,
  buffer: InformationBuffer | SystemProcessIdInformation,
): Queried<object> {
  if (bytesOf(buffer) !== PROCESS_ID_BYTES)
    return refused(STATUS.INFO_LENGTH_MISMATCH, PROCESS_ID_BYTES);
  if (typeof buffer === 'number' || !('ProcessId' in buffer))
    return refused(STATUS.ACCESS_VIOLATION);
  const { ProcessId, ImageName } = buffer;
  if (ImageName.Length !== 0) return refused(STATUS.INVALID_PARAMETER);
  const process = processOfId(machine, ProcessId);
  if (process === undefined) return refused(STATUS.INVALID_CID);
  const name = imageOf(processManager(machine), process)?.fullName ?? '';
  const Length = name.length * 2;
  const MaximumLength = Length + 2;
  if (ImageName.MaximumLength < MaximumLength) {
    const told = { ProcessId, ImageName: { Length: 0, MaximumLength } };
    return { ...refused(STATUS.INFO_LENGTH_MISMATCH, PROCESS_ID_BYTES), ...told };
  }
  if (ImageName.Buffer !== undefined) return refused(STATUS.ACCESS_VIOLATION);
  const written: WrittenName = { Length, MaximumLength, Buffer: name };
  return {
    status: STATUS.SUCCESS,
    returnLength: PROCESS_ID_BYTES,
    ...{ ProcessId, ImageName: written },
  };
}

function bytesOf(buffer: InformationBuffer | SystemProcessIdInformation): number {
  return typeof buffer === 'number' ? buffer : buffer.length;
}

const querySystemInformation = systemService(
  'QuerySystemInformation',
  function* (
    _mode,
    systemInformationClass: number,
    systemInformation: InformationBuffer | SystemProcessIdInformation,
  ): KernelCode<Queried<object>> {
    const { machine } = currentGuest('NtQuerySystemInformation');
    if (systemInformationClass === SYSTEM_INFORMATION_CLASS.SystemProcessIdInformation) {
      yield ddiTime(machine);
      return processIdAnswer(machine, systemInformation);
    }
    const buffer = systemInformation as InformationBuffer;
    const length = lengthOf(buffer);
    const answer = CLASSES.get(systemInformationClass)?.(machine, length);
    if (answer === undefined) return refused(STATUS.INVALID_INFO_CLASS);
    const { needed, exact, fields } = answer;
    if (exact === true ? length !== needed : length < needed)
      return refused(STATUS.INFO_LENGTH_MISMATCH, needed);
    const status = probeBuffer(buffer, 4);
    if (status !== STATUS.SUCCESS) return refused(status);
    yield ddiTime(machine);
    return { status, returnLength: needed, ...fields };
  },
);

/** The form of NtQuerySystemInformation: the fields are those of the class. */
export interface QuerySystemInformation {
  <C extends keyof SystemInformation>(
    systemInformationClass: C,
    systemInformation: InformationBuffer | SystemProcessIdInformation,
  ): NtCall<Queried<SystemInformation[C]>>;
  (
    systemInformationClass: number,
    systemInformation: InformationBuffer | SystemProcessIdInformation,
  ): NtCall<Queried<object>>;
}

/**
 * Tells of processors, times, processes and their threads, or handles, for a buffer of so many bytes.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_INFO_CLASS; STATUS_INFO_LENGTH_MISMATCH, with the bytes that
 *   it takes; STATUS_ACCESS_VIOLATION and STATUS_DATATYPE_MISALIGNMENT of the buffer; of
 *   SystemProcessIdInformation STATUS_INVALID_CID and STATUS_INVALID_PARAMETER too.
 * @irql PASSIVE_LEVEL
 * @nt NtQuerySystemInformation (partial: the classes of SYSTEM_INFORMATION_CLASS; what is counted of memory is virtual sizes, time in DPCs is interrupt time)
 */
export const NtQuerySystemInformation = querySystemInformation.nt as QuerySystemInformation;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQuerySystemInformation (partial: the classes of SYSTEM_INFORMATION_CLASS; what is counted of memory is virtual sizes, time in DPCs is interrupt time) */
export const ZwQuerySystemInformation = querySystemInformation.zw as QuerySystemInformation;

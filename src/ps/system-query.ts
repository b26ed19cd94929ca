import { STATUS } from '../../assembly/shared/status';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { everyHandle, type OpenHandle } from '../ob/handles';
import { type InformationBuffer, lengthOf, probeBuffer, type Queried } from '../ob/information';
import type { ObjectBody } from '../ob/object';
import { processIdOfRow } from './cid';

/** NtQuerySystemInformation: what there is to know of the machine as a whole. */

/** SYSTEM_INFORMATION_CLASS. */
export const enum SYSTEM_INFORMATION_CLASS {
  SystemHandleInformation = 16,
  SystemExtendedHandleInformation = 64,
}

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

/** What a class has to say, and the bytes that it takes. */
interface SystemAnswer {
  readonly needed: number;
  readonly fields: SystemHandleInformation;
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
  const fields = { NumberOfHandles: Handles.length, Handles };
  return { needed: header + Handles.length * entry, fields };
}

const CLASSES: ReadonlyMap<number, (machine: Machine) => SystemAnswer> = new Map([
  [
    SYSTEM_INFORMATION_CLASS.SystemHandleInformation,
    (machine: Machine) => handleAnswer(machine, 8, 24),
  ],
  [
    SYSTEM_INFORMATION_CLASS.SystemExtendedHandleInformation,
    (machine: Machine) => handleAnswer(machine, 16, 40),
  ],
]);

const querySystemInformation = systemService(
  'QuerySystemInformation',
  function* (
    _mode,
    systemInformationClass: SYSTEM_INFORMATION_CLASS,
    systemInformationLength: InformationBuffer,
  ): KernelCode<Queried<SystemHandleInformation>> {
    const { machine } = currentGuest('NtQuerySystemInformation');
    const answer = CLASSES.get(systemInformationClass)?.(machine);
    if (answer === undefined) return { status: STATUS.INVALID_INFO_CLASS, returnLength: undefined };
    const { needed, fields } = answer;
    if (lengthOf(systemInformationLength) < needed)
      return { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: needed };
    const status = probeBuffer(systemInformationLength, 4);
    if (status !== STATUS.SUCCESS) return { status, returnLength: undefined };
    yield ddiTime(machine);
    return { status, returnLength: needed, ...fields };
  },
);

/**
 * Tells of every handle of every process, for a buffer of so many bytes.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_INFO_CLASS; STATUS_INFO_LENGTH_MISMATCH, with the bytes that
 *   it takes; STATUS_ACCESS_VIOLATION and STATUS_DATATYPE_MISALIGNMENT of the buffer.
 * @irql PASSIVE_LEVEL   @nt NtQuerySystemInformation (partial: handles alone)
 */
export const NtQuerySystemInformation = querySystemInformation.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQuerySystemInformation (partial: handles alone) */
export const ZwQuerySystemInformation = querySystemInformation.zw;

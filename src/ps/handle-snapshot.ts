import { STATUS } from '../../assembly/shared/status';
import type { KProcess } from '../machine/views';
import { handlesOf } from '../ob/handles';
import { type ObjectHeader, shownPointerCount } from '../ob/object';
import type { Answer } from './information';

/** ProcessHandleInformation: the handles of one process. */

/** PROCESS_HANDLE_TABLE_ENTRY_INFO. */
export interface ProcessHandle {
  readonly HandleValue: number;
  /** Of the object. */
  readonly HandleCount: number;
  readonly PointerCount: number;
  readonly GrantedAccess: number;
  readonly ObjectTypeIndex: number;
  /** OBJ.PROTECT_CLOSE and OBJ.INHERIT. */
  readonly HandleAttributes: number;
}

/** PROCESS_HANDLE_SNAPSHOT_INFORMATION. */
export interface ProcessHandleSnapshot {
  readonly NumberOfHandles: number;
  readonly Handles: readonly ProcessHandle[];
}

const SNAPSHOT_BYTES = 16;
const ENTRY_BYTES = 40;

export function handleSnapshot(process: KProcess, length: number): Answer {
  const Handles = [...handlesOf(process)].map((entry): ProcessHandle => {
    const header = entry.object.objectHeader as ObjectHeader;
    return {
      HandleValue: entry.handle,
      HandleCount: header.handleCount,
      PointerCount: shownPointerCount(header),
      GrantedAccess: entry.grantedAccess,
      ObjectTypeIndex: entry.typeIndex,
      HandleAttributes: entry.attributes,
    };
  });
  const returnLength = SNAPSHOT_BYTES + Handles.length * ENTRY_BYTES;
  if (length < returnLength) return { status: STATUS.INFO_LENGTH_MISMATCH, returnLength };
  const snapshot: ProcessHandleSnapshot = { NumberOfHandles: Handles.length, Handles };
  return { ...snapshot, returnLength };
}

import { STATUS } from '../../../assembly/shared/status';
import { type KernelCode, systemService } from '../../ke/mode';
import { currentGuest } from '../../machine/guest';
import type { Handle, ObjectAttributes } from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import { ObjectDirectory } from '../directory';
import { type InformationBuffer, lengthOf, probeBuffer } from '../information';
import type { ObjectHeader } from '../object';
import { ObpDirectoryObjectType } from '../types';
import { readHandle } from './on-handle';

/** Directories of the namespace, by handle. */

/** Rights of directories: DIRECTORY_QUERY is `DIRECTORY_ACCESS.QUERY`. */
export const enum DIRECTORY_ACCESS {
  QUERY = 1,
  TRAVERSE = 2,
  CREATE_OBJECT = 4,
  CREATE_SUBDIRECTORY = 8,
  ALL_ACCESS = 0xf000f,
}

const createDirectory = systemService(
  'CreateDirectoryObject',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) => {
    const { machine } = currentGuest('NtCreateDirectoryObject');
    return ObpCreateObject({
      mode,
      type: ObpDirectoryObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () => new ObjectDirectory(machine),
    });
  },
);

/** Makes a directory, or opens the one of its name if OBJ_OPENIF allows. @irql PASSIVE_LEVEL @nt NtCreateDirectoryObject */
export const NtCreateDirectoryObject = createDirectory.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateDirectoryObject */
export const ZwCreateDirectoryObject = createDirectory.zw;

const openDirectory = systemService(
  'OpenDirectoryObject',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, ObpDirectoryObjectType, desiredAccess, objectAttributes),
);

/** Opens the directory of a name. @irql PASSIVE_LEVEL @nt NtOpenDirectoryObject */
export const NtOpenDirectoryObject = openDirectory.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenDirectoryObject */
export const ZwOpenDirectoryObject = openDirectory.zw;

/** OBJECT_DIRECTORY_INFORMATION. */
export interface ObjectDirectoryInformation {
  readonly name: string;
  readonly typeName: string;
}

/** What NtQueryDirectoryObject comes to. */
export interface DirectoryQuery {
  readonly status: number;
  readonly entries: readonly ObjectDirectoryInformation[];
  /** Where the next query goes on. */
  readonly context: number;
  readonly returnLength: number;
}

/** Bytes of OBJECT_DIRECTORY_INFORMATION; one of zeros ends the list. */
const SIZE_INFORMATION = 32;

/** Bytes that an entry takes: its structure and two strings with their ends. */
function sizeOf({ name, type }: ObjectHeader): number {
  return SIZE_INFORMATION + (name.length + 1 + type.name.length + 1) * 2;
}

/** As many entries as fit, from `context` on. */
function readDirectory(
  directory: ObjectDirectory,
  length: number,
  single: boolean,
  context: number,
): DirectoryQuery {
  const rest = directory.entries.slice(context);
  const [first] = rest;
  if (first === undefined)
    return { status: STATUS.NO_MORE_ENTRIES, entries: [], context, returnLength: SIZE_INFORMATION };
  const taken: ObjectDirectoryInformation[] = [];
  let size = SIZE_INFORMATION;
  for (const header of single ? [first] : rest) {
    if (size + sizeOf(header) > length) break;
    size += sizeOf(header);
    taken.push({ name: header.name, typeName: header.type.name });
  }
  if (taken.length === 0) {
    const needed = SIZE_INFORMATION + sizeOf(first);
    const status = single ? STATUS.BUFFER_TOO_SMALL : STATUS.MORE_ENTRIES;
    return { status, entries: [], context, returnLength: single ? needed : SIZE_INFORMATION };
  }
  const more = !single && taken.length < rest.length;
  const status = more ? STATUS.MORE_ENTRIES : STATUS.SUCCESS;
  return { status, entries: taken, context: context + taken.length, returnLength: size };
}

const queryDirectory = systemService(
  'QueryDirectoryObject',
  function* (
    mode,
    handle: Handle,
    buffer: InformationBuffer,
    returnSingleEntry: boolean,
    restartScan: boolean,
    context: number,
  ): KernelCode<DirectoryQuery> {
    const failed = (status: number) => ({ status, entries: [], context, returnLength: 0 });
    const probed = probeBuffer(buffer, 8);
    if (probed !== STATUS.SUCCESS) return failed(probed);
    const access = DIRECTORY_ACCESS.QUERY;
    const type = ObpDirectoryObjectType;
    const from = restartScan ? 0 : context;
    const result = yield* readHandle(mode, handle, access, type, (body: ObjectDirectory) =>
      readDirectory(body, lengthOf(buffer), returnSingleEntry, from),
    );
    return typeof result === 'number' ? failed(result) : result;
  },
);

/**
 * What is in a directory, by name: one entry, or as many as fit, from `context` or the start.
 *
 * @returns STATUS_SUCCESS; STATUS_MORE_ENTRIES if not all fit; STATUS_NO_MORE_ENTRIES;
 *   STATUS_BUFFER_TOO_SMALL for one entry.
 * @irql PASSIVE_LEVEL   @nt NtQueryDirectoryObject
 */
export const NtQueryDirectoryObject = queryDirectory.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryDirectoryObject */
export const ZwQueryDirectoryObject = queryDirectory.zw;

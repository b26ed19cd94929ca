import { STATUS } from '../../../assembly/shared/status';
import { type KernelCode, systemService } from '../../ke/mode';
import { currentGuest } from '../../machine/guest';
import type { Machine } from '../../machine/machine';
import { failed, type Handle, type HandleResult, type ObjectAttributes } from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import { ObpReferenceByHandle } from '../handle';
import { HostObject, type ObjectBody, type ObjectHeader } from '../object';
import { ObpDereference, ObpReference } from '../reference';
import { IoFileObjectType, MmSectionObjectType } from '../types';

/** Sections: that they are there, what they are of and how large they are. There is no memory behind them. */

/** Rights of sections: SECTION_QUERY is `SECTION_ACCESS.QUERY`. */
export const enum SECTION_ACCESS {
  QUERY = 1,
  MAP_WRITE = 2,
  MAP_READ = 4,
  MAP_EXECUTE = 8,
  EXTEND_SIZE = 0x10,
  MAP_EXECUTE_EXPLICIT = 0x20,
  ALL_ACCESS = 0xf001f,
}

/** Allocation attributes: SEC_IMAGE is `SEC.IMAGE`. */
export const enum SEC {
  IMAGE = 0x1000000,
  RESERVE = 0x4000000,
  COMMIT = 0x8000000,
  IMAGE_NO_EXECUTE = 0x11000000,
}

/** PAGE_NOACCESS to PAGE_EXECUTE_WRITECOPY. */
const PROTECTIONS = 0xff;

/** SECTION. */
export class SectionObject extends HostObject {
  constructor(
    machine: Machine,
    readonly maximumSize: number,
    readonly pageProtection: number,
    /** SEC flags. */
    readonly allocationAttributes: number,
    /** Undefined: it is backed by the paging file. */
    readonly file: ObjectBody | undefined,
  ) {
    super(machine);
  }
}

MmSectionObjectType.procedures = {
  *delete(body) {
    const { file } = body as SectionObject;
    if (file !== undefined) yield* ObpDereference(file.objectHeader as ObjectHeader);
  },
};

/** What is wrong with a section that is to be made; STATUS_SUCCESS if nothing is. */
function sectionStatus(
  maximumSize: number,
  pageProtection: number,
  allocationAttributes: number,
  file: boolean,
): number {
  const one = (pageProtection & (pageProtection - 1)) === 0;
  if ((pageProtection & PROTECTIONS) === 0 || !one) return STATUS.INVALID_PAGE_PROTECTION;
  const kinds = SEC.IMAGE | SEC.RESERVE | SEC.COMMIT;
  if ((allocationAttributes & kinds) === 0) return STATUS.INVALID_PARAMETER_6;
  if (file) return STATUS.SUCCESS;
  if ((allocationAttributes & SEC.IMAGE) !== 0) return STATUS.INVALID_FILE_FOR_SECTION;
  return maximumSize > 0 ? STATUS.SUCCESS : STATUS.INVALID_PARAMETER_4;
}

const createSection = systemService(
  'CreateSection',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    maximumSize: number,
    sectionPageProtection: number,
    allocationAttributes: number,
    fileHandle: Handle,
  ): KernelCode<HandleResult> {
    const withFile = fileHandle !== 0;
    const status = sectionStatus(
      maximumSize,
      sectionPageProtection,
      allocationAttributes,
      withFile,
    );
    if (status !== STATUS.SUCCESS) return failed(status);
    const file = withFile ? ObpReferenceByHandle(fileHandle, 0, IoFileObjectType, mode) : undefined;
    if (file !== undefined && file.header === undefined) return failed(file.status);
    const header = file?.header;
    const { machine } = currentGuest('NtCreateSection');
    const result = yield* ObpCreateObject({
      mode,
      type: MmSectionObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () => {
        if (header !== undefined) ObpReference(header);
        return new SectionObject(
          machine,
          maximumSize,
          sectionPageProtection,
          allocationAttributes,
          header?.body,
        );
      },
    });
    if (header !== undefined) yield* ObpDereference(header);
    return result;
  },
);

/**
 * Makes a section, of a file or (0) of the paging file, or opens the one of its name if OBJ_OPENIF
 * allows.
 *
 * @returns a handle with STATUS_SUCCESS, or STATUS_OBJECT_NAME_EXISTS if it was there;
 *   STATUS_INVALID_PAGE_PROTECTION; STATUS_INVALID_PARAMETER_6 without SEC_COMMIT, SEC_RESERVE or
 *   SEC_IMAGE; STATUS_INVALID_PARAMETER_4 without a file and a size; STATUS_INVALID_FILE_FOR_SECTION
 *   for an image without a file.
 * @irql PASSIVE_LEVEL   @nt NtCreateSection (partial: there is no memory behind it)
 */
export const NtCreateSection = createSection.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateSection (partial: there is no memory behind it) */
export const ZwCreateSection = createSection.zw;

const openSection = systemService(
  'OpenSection',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, MmSectionObjectType, desiredAccess, objectAttributes),
);

/** Opens the section of a name. @irql PASSIVE_LEVEL @nt NtOpenSection */
export const NtOpenSection = openSection.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenSection */
export const ZwOpenSection = openSection.zw;

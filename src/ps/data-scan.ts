import { STATUS } from '../../assembly/shared/status';
import { IRQL, MODE } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { ddiTime, type KernelCode } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import type { Handle, ObjectAttributes } from '../ob/attributes';
import { ObpCreateObject } from '../ob/create';
import { ObpReferenceByHandle } from '../ob/handle';
import { headerOf } from '../ob/object';
import { ObpReference } from '../ob/reference';
import { SEC, SectionObject } from '../ob/services/section';
import { MmSectionObjectType } from '../ob/types';
import { protectionStatus } from './address-space';
import type { ImageFile } from './image-file';

/** Sections that drivers make of files to look through them. */

/** A section with a reference to it; on failure there is none. */
export interface DataScanSection {
  readonly status: number;
  readonly sectionHandle: Handle;
  readonly sectionObject: SectionObject | undefined;
  /** Bytes. */
  readonly sectionFileSize: number | undefined;
}

const noSection = (status: number): DataScanSection => ({
  status,
  sectionHandle: 0,
  sectionObject: undefined,
  sectionFileSize: undefined,
});

/**
 * Makes a section of a file's data, not of its image: nobody is told of a view of it. The caller closes
 * the handle and gives the reference back.
 *
 * @returns SUCCESS; INVALID_PARAMETER for other attributes than SEC_COMMIT, or flags;
 *   INVALID_PAGE_PROTECTION; what making the handle comes to.
 * @irql PASSIVE_LEVEL
 * @nt FsRtlCreateSectionForDataScan (partial: the section has no bytes; a maximum size is not looked at)
 */
export function FsRtlCreateSectionForDataScan(
  fileObject: ImageFile,
  desiredAccess: number,
  objectAttributes: ObjectAttributes | null,
  _maximumSize: number | null,
  sectionPageProtection: number,
  allocationAttributes: number,
  flags: number,
): NtCall<DataScanSection> {
  const routine = 'FsRtlCreateSectionForDataScan';
  return new NtCall(routine, () =>
    fsRtlCreateSectionForDataScan(
      routine,
      fileObject,
      desiredAccess,
      objectAttributes,
      sectionPageProtection,
      allocationAttributes,
      flags,
    ),
  );
}

function* fsRtlCreateSectionForDataScan(
  routine: string,
  fileObject: ImageFile,
  desiredAccess: number,
  objectAttributes: ObjectAttributes | null,
  sectionPageProtection: number,
  allocationAttributes: number,
  flags: number,
): KernelCode<DataScanSection> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  yield ddiTime(machine);
  if (allocationAttributes !== SEC.COMMIT || flags !== 0)
    return noSection(STATUS.INVALID_PARAMETER);
  const protection = protectionStatus(sectionPageProtection);
  if (protection !== STATUS.SUCCESS) return noSection(protection);
  const { size } = fileObject.image;
  const { status, handle } = yield* ObpCreateObject({
    mode: MODE.KernelMode,
    type: MmSectionObjectType,
    desiredAccess,
    attributes: objectAttributes,
    make: () => {
      ObpReference(headerOf(routine, fileObject));
      return new SectionObject(machine, size, sectionPageProtection, SEC.COMMIT, fileObject);
    },
  });
  const { header } = ObpReferenceByHandle(handle, 0, MmSectionObjectType, MODE.KernelMode);
  if (header === undefined) return noSection(status);
  const sectionObject = header.body as SectionObject;
  return { status, sectionHandle: handle, sectionObject, sectionFileSize: size };
}

import { STATUS } from '../../assembly/shared/status';
import { type KernelCode, systemService } from '../ke/mode';
import { isGenerator } from '../machine/generator';
import { currentGuest } from '../machine/guest';
import type { KProcess } from '../machine/views';
import type { Handle } from '../ob/attributes';
import { type InformationBuffer, lengthOf, probeBuffer, type Queried } from '../ob/information';
import { onHandle, readHandle } from '../ob/services/on-handle';
import { SEC, SECTION_ACCESS, type SectionObject } from '../ob/services/section';
import { MmSectionObjectType, PsProcessType } from '../ob/types';
import { PROCESS_ACCESS } from './access';
import {
  addressSpace,
  type AddressSpace,
  ALLOCATION_GRANULARITY,
  HIGHEST_USER_ADDRESS,
  MEM,
  PAGE,
  protectionStatus,
  wholePages,
} from './address-space';
import { processIdOf } from './cid';
import { executiveOf, isTerminating } from './executive';
import type { Image, ImageInfo } from './image';
import { ImageFile } from './image-file';
import {
  SECTION_IMAGE_INFORMATION_BYTES,
  type SectionImageInformation,
  sectionImageInformation,
} from './image-information';
import { notifyImage } from './image-notify';
import { processManager } from './manager';
import { timeOfCalls } from './notify-table';

/** Views of sections, and what sections of images tell. */

/** A view that was mapped; undefined on failure. */
export interface MappedView {
  readonly status: number;
  readonly baseAddress: number | undefined;
  readonly sectionOffset: number | undefined;
  /** Bytes. */
  readonly viewSize: number | undefined;
}

const noView = (status: number): MappedView => ({
  status,
  baseAddress: undefined,
  sectionOffset: undefined,
  viewSize: undefined,
});

/** The image that a section is of; undefined: it is none. */
export function sectionImage({ allocationAttributes, file }: SectionObject): Image | undefined {
  const image = (allocationAttributes & SEC.IMAGE) !== 0;
  return image && file instanceof ImageFile ? file.image : undefined;
}

/** The right to a section that a protection needs. */
function rightsFor(protect: number): number {
  const writes = (protect & (PAGE.READWRITE | PAGE.EXECUTE_READWRITE)) !== 0;
  const executes = (protect & 0xf0) !== 0 ? SECTION_ACCESS.MAP_EXECUTE : 0;
  return (writes ? SECTION_ACCESS.MAP_WRITE : SECTION_ACCESS.MAP_READ) | executes;
}

/** What a view is asked to be. */
interface ViewRequest {
  readonly baseAddress: number;
  readonly sectionOffset: number;
  readonly viewSize: number;
  readonly protect: number;
}

/** Puts an image into an address space: at its base, or where there is room. */
function placeImage(space: AddressSpace, image: Image, baseAddress: number): MappedView {
  const size = wholePages(image.size);
  const put = (base: number) =>
    space.add(base, size, PAGE.EXECUTE_WRITECOPY, MEM.IMAGE, true) ? base : undefined;
  const wished = baseAddress === 0 ? image.base : baseAddress;
  const elsewhere = () => put(space.place(size, false) ?? HIGHEST_USER_ADDRESS);
  const base = put(wished) ?? (baseAddress === 0 ? elsewhere() : undefined);
  if (base === undefined) return noView(STATUS.CONFLICTING_ADDRESSES);
  const status = base === image.base ? STATUS.SUCCESS : STATUS.IMAGE_NOT_AT_BASE;
  return { status, baseAddress: base, sectionOffset: 0, viewSize: size };
}

function placeData(space: AddressSpace, section: SectionObject, request: ViewRequest): MappedView {
  const { baseAddress, sectionOffset, viewSize, protect } = request;
  const rest = section.maximumSize - sectionOffset;
  if (rest <= 0 || viewSize > rest) return noView(STATUS.INVALID_VIEW_SIZE);
  const bytes = wholePages(viewSize === 0 ? rest : viewSize);
  const base = baseAddress === 0 ? space.place(bytes, false) : baseAddress;
  if (base === undefined) return noView(STATUS.NO_MEMORY);
  const committed = (section.allocationAttributes & SEC.RESERVE) === 0;
  if (!space.add(base, bytes, protect, MEM.MAPPED, committed))
    return noView(STATUS.CONFLICTING_ADDRESSES);
  return { status: STATUS.SUCCESS, baseAddress: base, sectionOffset, viewSize: bytes };
}

/** What is told of an image that was mapped at an address. */
function infoAt(image: Image, ImageBase: number): ImageInfo {
  return ImageBase === image.base ? image.info : Object.freeze({ ...image.info, ImageBase });
}

function* mapView(
  section: SectionObject,
  process: KProcess,
  request: ViewRequest,
): KernelCode<MappedView> {
  const { machine, thread } = currentGuest('NtMapViewOfSection');
  const ps = processManager(machine);
  yield timeOfCalls(machine, 1);
  if (isTerminating(process)) return noView(STATUS.PROCESS_IS_TERMINATING);
  executiveOf(ps, process);
  const space = addressSpace(process);
  const image = sectionImage(section);
  if (image === undefined) {
    const ofImage = (section.allocationAttributes & SEC.IMAGE) !== 0;
    return ofImage ? noView(STATUS.SECTION_NOT_IMAGE) : placeData(space, section, request);
  }
  const view = placeImage(space, image, request.baseAddress);
  const { baseAddress } = view;
  const executable = (section.allocationAttributes & SEC.IMAGE_NO_EXECUTE) === SEC.IMAGE;
  if (baseAddress === undefined || !executable || ps.imageNotify.count === 0) return view;
  const info = infoAt(image, baseAddress);
  const told = notifyImage(ps, thread, image.fullName, processIdOf(process), info);
  const calls = isGenerator(told) ? yield* told : told;
  if (calls !== 0) yield timeOfCalls(machine, calls);
  return view;
}

const mapViewOfSection = systemService(
  'MapViewOfSection',
  function* (
    mode,
    sectionHandle: Handle,
    processHandle: Handle,
    baseAddress: number,
    _zeroBits: number,
    _commitSize: number,
    sectionOffset: number,
    viewSize: number,
    _inheritDisposition: number,
    _allocationType: number,
    win32Protect: number,
  ): KernelCode<MappedView> {
    if (protectionStatus(win32Protect) !== STATUS.SUCCESS)
      return noView(STATUS.INVALID_PAGE_PROTECTION);
    if (baseAddress > HIGHEST_USER_ADDRESS) return noView(STATUS.INVALID_PARAMETER_3);
    if ((baseAddress | sectionOffset) % ALLOCATION_GRANULARITY !== 0)
      return noView(STATUS.MAPPED_ALIGNMENT);
    const request = { baseAddress, sectionOffset, viewSize, protect: win32Protect };
    const result = yield* onHandle(
      mode,
      processHandle,
      PROCESS_ACCESS.VM_OPERATION,
      PsProcessType,
      (process: KProcess) =>
        onHandle(
          mode,
          sectionHandle,
          rightsFor(win32Protect),
          MmSectionObjectType,
          (section: SectionObject) => mapView(section, process, request),
        ),
    );
    return typeof result === 'number' ? noView(result) : result;
  },
);

/**
 * Maps a section into a process, at an address or (0) where it fits; an image at its own base if that
 * is free. Routines registered by PsSetLoadImageNotifyRoutine are told of an image that can be
 * executed, in the calling thread, with the id of the process that has it now.
 *
 * @returns SUCCESS with the view; IMAGE_NOT_AT_BASE of an image elsewhere; INVALID_PAGE_PROTECTION;
 *   MAPPED_ALIGNMENT; INVALID_VIEW_SIZE; CONFLICTING_ADDRESSES; NO_MEMORY; SECTION_NOT_IMAGE;
 *   PROCESS_IS_TERMINATING; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtMapViewOfSection (partial: views of one section do not share what is written; commit size, inheritance and allocation types are not looked at)
 */
export const NtMapViewOfSection = mapViewOfSection.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwMapViewOfSection (partial: views of one section do not share what is written; commit size, inheritance and allocation types are not looked at) */
export const ZwMapViewOfSection = mapViewOfSection.zw;

function unmapView(process: KProcess, address: number): number {
  const space = addressSpace(process);
  const allocation = space.find(address);
  if (allocation === undefined || allocation.type === MEM.PRIVATE) return STATUS.NOT_MAPPED_VIEW;
  const executive = executiveOf(processManager(process.machine), process);
  const { base, size } = allocation;
  if (executive.modules.some((image) => image.base === base && allocation.type === MEM.IMAGE))
    executive.modules = executive.modules.filter((image) => image.base !== base);
  else space.release(allocation, base, size);
  return STATUS.SUCCESS;
}

const unmapViewOfSection = systemService(
  'UnmapViewOfSection',
  function* (mode, processHandle: Handle, baseAddress: number): KernelCode<number> {
    return yield* onHandle(
      mode,
      processHandle,
      PROCESS_ACCESS.VM_OPERATION,
      PsProcessType,
      function* (process: KProcess): KernelCode<number> {
        yield timeOfCalls(process.machine, 1);
        return isTerminating(process)
          ? STATUS.PROCESS_IS_TERMINATING
          : unmapView(process, baseAddress);
      },
    );
  },
);

/**
 * Takes the view that an address is in out of a process.
 *
 * @returns SUCCESS; NOT_MAPPED_VIEW; PROCESS_IS_TERMINATING; INVALID_HANDLE; OBJECT_TYPE_MISMATCH;
 *   ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtUnmapViewOfSection
 */
export const NtUnmapViewOfSection = unmapViewOfSection.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwUnmapViewOfSection */
export const ZwUnmapViewOfSection = unmapViewOfSection.zw;

/** SECTION_INFORMATION_CLASS. */
export const enum SECTION_INFORMATION_CLASS {
  SectionBasicInformation = 0,
  SectionImageInformation = 1,
}

/** SECTION_BASIC_INFORMATION. */
export interface SectionBasicInformation {
  readonly BaseAddress: number;
  /** SEC flags. */
  readonly AllocationAttributes: number;
  /** Bytes. */
  readonly MaximumSize: number;
}

const SECTION_BASIC_BYTES = 24;

type SectionInformation = SectionBasicInformation | SectionImageInformation;

function sectionInformation(section: SectionObject, image: boolean): SectionInformation | number {
  const of = sectionImage(section);
  if (image) return of === undefined ? STATUS.SECTION_NOT_IMAGE : sectionImageInformation(of);
  return {
    BaseAddress: 0,
    AllocationAttributes: section.allocationAttributes,
    MaximumSize: of?.size ?? section.maximumSize,
  };
}

const querySection = systemService(
  'QuerySection',
  function* (
    mode,
    sectionHandle: Handle,
    sectionInformationClass: SECTION_INFORMATION_CLASS,
    buffer: InformationBuffer,
  ): KernelCode<Queried<SectionBasicInformation & SectionImageInformation>> {
    const image = sectionInformationClass === SECTION_INFORMATION_CLASS.SectionImageInformation;
    const refused = (status: number) => ({ status, returnLength: undefined });
    if (!image && sectionInformationClass !== SECTION_INFORMATION_CLASS.SectionBasicInformation)
      return refused(STATUS.INVALID_INFO_CLASS);
    const needed = image ? SECTION_IMAGE_INFORMATION_BYTES : SECTION_BASIC_BYTES;
    if (lengthOf(buffer) < needed) return refused(STATUS.INFO_LENGTH_MISMATCH);
    const status = probeBuffer(buffer, 4);
    if (status !== STATUS.SUCCESS) return refused(status);
    const fields = yield* readHandle(
      mode,
      sectionHandle,
      SECTION_ACCESS.QUERY,
      MmSectionObjectType,
      (section: SectionObject) => sectionInformation(section, image),
    );
    if (typeof fields === 'number') return refused(fields);
    return { status, returnLength: needed, ...fields };
  },
);

/**
 * Tells of a section.
 *
 * @returns SUCCESS; INVALID_INFO_CLASS; INFO_LENGTH_MISMATCH; SECTION_NOT_IMAGE; INVALID_HANDLE;
 *   OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtQuerySection
 */
export const NtQuerySection = querySection.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQuerySection */
export const ZwQuerySection = querySection.zw;

import { STATUS } from '../../assembly/shared/status';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { requireInteger } from '../machine/profile';
import type { KProcess } from '../machine/views';
import type { Handle } from '../ob/attributes';
import { onHandle } from '../ob/services/on-handle';
import { type InformationBuffer, lengthOf, type Queried } from '../ob/information';
import { PsProcessType } from '../ob/types';
import { PROCESS_ACCESS } from './access';
import {
  type AddressSpace,
  type Allocation,
  ALLOCATION_GRANULARITY,
  addressSpace,
  HIGHEST_USER_ADDRESS,
  MEM,
  PAGE_BYTES,
  protectionStatus,
} from './address-space';
import { executiveOf, isTerminating } from './executive';
import { type BadPointer, isBadPointer } from './information';
import { processManager } from './manager';

/** The virtual memory of processes, as books: no page is ever away, and no guest's code is in it. */

/** A range that was allocated or freed; undefined on failure. */
export interface VirtualRange {
  readonly status: number;
  readonly baseAddress: number | undefined;
  /** Bytes: whole pages. */
  readonly regionSize: number | undefined;
}

const noRange = (status: number): VirtualRange => ({
  status,
  baseAddress: undefined,
  regionSize: undefined,
});

const pageDown = (address: number) => Math.floor(address / PAGE_BYTES) * PAGE_BYTES;
const pageUp = (address: number) => Math.ceil(address / PAGE_BYTES) * PAGE_BYTES;

/** Runs `use` on the books of a process, if its handle has the rights and it does not end. */
function* onSpace<R>(
  mode: Parameters<typeof onHandle>[0],
  handle: Handle,
  access: number,
  use: (space: AddressSpace) => R,
): KernelCode<R | number> {
  return yield* onHandle(
    mode,
    handle,
    access,
    PsProcessType,
    function* (process: KProcess): KernelCode<R | number> {
      yield ddiTime(process.machine);
      if (isTerminating(process)) return STATUS.PROCESS_IS_TERMINATING;
      executiveOf(processManager(process.machine), process);
      return use(addressSpace(process));
    },
  );
}

const RESERVED_BITS = 21;
const KNOWN_TYPES = MEM.COMMIT | MEM.RESERVE | MEM.RESET | MEM.TOP_DOWN;
const UNMODELLED_TYPES = MEM.WRITE_WATCH | MEM.PHYSICAL | MEM.LARGE_PAGES;

/** What is wrong with what NtAllocateVirtualMemory is asked for; STATUS_SUCCESS if nothing is. */
function allocationStatus(base: number, zeroBits: number, size: number, type: number): number {
  if (zeroBits > RESERVED_BITS) return STATUS.INVALID_PARAMETER_3;
  if (base > HIGHEST_USER_ADDRESS) return STATUS.INVALID_PARAMETER_2;
  if (size === 0 || base + size > HIGHEST_USER_ADDRESS + 1) return STATUS.INVALID_PARAMETER_4;
  if ((type & UNMODELLED_TYPES) !== 0) return STATUS.NOT_IMPLEMENTED;
  const what = type & (MEM.COMMIT | MEM.RESERVE | MEM.RESET);
  const alone = what !== MEM.RESET && (what & MEM.RESET) !== 0;
  if ((type & ~KNOWN_TYPES) !== 0 || what === 0 || alone) return STATUS.INVALID_PARAMETER_5;
  return STATUS.SUCCESS;
}

/** Reserves a range, and commits it if that is asked for too. */
function reserve(
  space: AddressSpace,
  base: number,
  size: number,
  type: number,
  protect: number,
): VirtualRange {
  const topDown = (type & MEM.TOP_DOWN) !== 0;
  const from = Math.floor(base / ALLOCATION_GRANULARITY) * ALLOCATION_GRANULARITY;
  const bytes = pageUp(base + size) - from;
  const place = base === 0 ? space.place(bytes, topDown) : from;
  if (place === undefined) return noRange(STATUS.NO_MEMORY);
  const committed = (type & MEM.COMMIT) !== 0;
  if (!space.add(place, bytes, protect, MEM.PRIVATE, committed))
    return noRange(STATUS.CONFLICTING_ADDRESSES);
  return { status: STATUS.SUCCESS, baseAddress: place, regionSize: bytes };
}

/** Commits a range that is reserved, or (MEM_RESET) leaves it as it is. */
function commit(
  space: AddressSpace,
  base: number,
  size: number,
  type: number,
  protect: number,
): VirtualRange {
  const from = pageDown(base);
  const bytes = pageUp(base + size) - from;
  const allocation = space.find(from);
  const within = allocation !== undefined && from + bytes <= allocation.base + allocation.size;
  if (!within || allocation.type !== MEM.PRIVATE) return noRange(STATUS.CONFLICTING_ADDRESSES);
  if ((type & MEM.COMMIT) !== 0) space.change(allocation, from, bytes, protect);
  return { status: STATUS.SUCCESS, baseAddress: from, regionSize: bytes };
}

const allocateVirtualMemory = systemService(
  'AllocateVirtualMemory',
  function* (
    mode,
    processHandle: Handle,
    baseAddress: number,
    zeroBits: number,
    regionSize: number,
    allocationType: number,
    protect: number,
  ): KernelCode<VirtualRange> {
    requireInteger('NtAllocateVirtualMemory: baseAddress', baseAddress, 0, 2 ** 64);
    requireInteger('NtAllocateVirtualMemory: regionSize', regionSize, 0, 2 ** 64);
    const wrong = allocationStatus(baseAddress, zeroBits, regionSize, allocationType);
    if (wrong !== STATUS.SUCCESS) return noRange(wrong);
    const protection = protectionStatus(protect);
    if (protection !== STATUS.SUCCESS) return noRange(protection);
    const reserves = (allocationType & MEM.RESERVE) !== 0;
    const commits = (allocationType & MEM.COMMIT) !== 0;
    const result = yield* onSpace(mode, processHandle, PROCESS_ACCESS.VM_OPERATION, (space) =>
      reserves || (commits && baseAddress === 0)
        ? reserve(space, baseAddress, regionSize, allocationType, protect)
        : commit(space, baseAddress, regionSize, allocationType, protect),
    );
    return typeof result === 'number' ? noRange(result) : result;
  },
);

/**
 * Reserves or commits memory of a process, or both: at an address, or (0) at the lowest that is free.
 *
 * @returns SUCCESS with the range; INVALID_PARAMETER_2 to _5 by what is wrong; INVALID_PAGE_PROTECTION;
 *   CONFLICTING_ADDRESSES; NO_MEMORY; NOT_IMPLEMENTED for large pages, write watch and AWE;
 *   PROCESS_IS_TERMINATING; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtAllocateVirtualMemory (partial: ZeroBits is checked and not heeded, there are no quotas or commit limit)
 */
export const NtAllocateVirtualMemory = allocateVirtualMemory.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwAllocateVirtualMemory (partial: ZeroBits is checked and not heeded, there are no quotas or commit limit) */
export const ZwAllocateVirtualMemory = allocateVirtualMemory.zw;

/** What is freed of an allocation, or why nothing is. */
function freedRange(
  allocation: Allocation | undefined,
  address: number,
  size: number,
): VirtualRange {
  if (allocation === undefined) return noRange(STATUS.MEMORY_NOT_ALLOCATED);
  if (allocation.type !== MEM.PRIVATE) return noRange(STATUS.UNABLE_TO_DELETE_SECTION);
  if (size === 0 && address !== allocation.base) return noRange(STATUS.FREE_VM_NOT_AT_BASE);
  const bytes = size === 0 ? allocation.size : pageUp(address + size) - pageDown(address);
  const baseAddress = pageDown(address);
  if (baseAddress + bytes > allocation.base + allocation.size)
    return noRange(STATUS.UNABLE_TO_FREE_VM);
  return { status: STATUS.SUCCESS, baseAddress, regionSize: bytes };
}

const freeVirtualMemory = systemService(
  'FreeVirtualMemory',
  function* (
    mode,
    processHandle: Handle,
    baseAddress: number,
    regionSize: number,
    freeType: number,
  ): KernelCode<VirtualRange> {
    if (freeType !== MEM.DECOMMIT && freeType !== MEM.RELEASE)
      return noRange(STATUS.INVALID_PARAMETER_4);
    if (baseAddress > HIGHEST_USER_ADDRESS) return noRange(STATUS.INVALID_PARAMETER_2);
    if (baseAddress + regionSize > HIGHEST_USER_ADDRESS + 1)
      return noRange(STATUS.INVALID_PARAMETER_3);
    const access = PROCESS_ACCESS.VM_OPERATION;
    const result = yield* onSpace(mode, processHandle, access, (space) => {
      const allocation = space.find(baseAddress);
      const range = freedRange(allocation, baseAddress, regionSize);
      if (allocation === undefined || range.baseAddress === undefined) return range;
      const { baseAddress: from, regionSize: bytes = 0 } = range;
      if (freeType === MEM.RELEASE) space.release(allocation, from, bytes);
      else space.change(allocation, from, bytes, 0);
      return range;
    });
    return typeof result === 'number' ? noRange(result) : result;
  },
);

/**
 * Decommits or releases memory of a process; a size of 0 is the whole allocation.
 *
 * @returns SUCCESS with the range; INVALID_PARAMETER_4 for another type; MEMORY_NOT_ALLOCATED;
 *   FREE_VM_NOT_AT_BASE; UNABLE_TO_FREE_VM beyond the allocation; UNABLE_TO_DELETE_SECTION for images
 *   and views; PROCESS_IS_TERMINATING; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtFreeVirtualMemory
 */
export const NtFreeVirtualMemory = freeVirtualMemory.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwFreeVirtualMemory */
export const ZwFreeVirtualMemory = freeVirtualMemory.zw;

/** MEMORY_INFORMATION_CLASS. */
export const enum MEMORY_INFORMATION_CLASS {
  MemoryBasicInformation = 0,
}

/** MEMORY_BASIC_INFORMATION: the pages from an address on that are alike. */
export interface MemoryBasicInformation {
  readonly BaseAddress: number;
  readonly AllocationBase: number;
  readonly AllocationProtect: number;
  readonly RegionSize: number;
  readonly State: MEM;
  readonly Protect: number;
  /** 0 of what is free. */
  readonly Type: MEM | 0;
}

const MEMORY_BASIC_BYTES = 48;
/** Of what is free or reserved. */
const PAGE_NOACCESS = 1;

function basicInformation(space: AddressSpace, address: number): MemoryBasicInformation {
  const BaseAddress = pageDown(address);
  const { run, allocation } = space.runAt(BaseAddress);
  const RegionSize = run.base + run.size - BaseAddress;
  if (allocation === undefined) {
    const none = { AllocationBase: 0, AllocationProtect: 0, Type: 0 as const };
    return { BaseAddress, RegionSize, State: MEM.FREE, Protect: PAGE_NOACCESS, ...none };
  }
  return {
    BaseAddress,
    AllocationBase: allocation.base,
    AllocationProtect: allocation.protect,
    RegionSize,
    State: run.protect === 0 ? MEM.RESERVE : MEM.COMMIT,
    Protect: run.protect,
    Type: allocation.type,
  };
}

const queryVirtualMemory = systemService(
  'QueryVirtualMemory',
  function* (
    mode,
    processHandle: Handle,
    baseAddress: number,
    memoryInformationClass: number,
    buffer: InformationBuffer,
  ): KernelCode<Queried<MemoryBasicInformation>> {
    const refused = (status: number) => ({ status, returnLength: undefined });
    if (memoryInformationClass !== MEMORY_INFORMATION_CLASS.MemoryBasicInformation)
      return refused(STATUS.INVALID_INFO_CLASS);
    if (lengthOf(buffer) < MEMORY_BASIC_BYTES) return refused(STATUS.INFO_LENGTH_MISMATCH);
    if (baseAddress > HIGHEST_USER_ADDRESS) return refused(STATUS.INVALID_PARAMETER);
    const access = PROCESS_ACCESS.QUERY_LIMITED_INFORMATION;
    const result = yield* onSpace(mode, processHandle, access, (space) =>
      basicInformation(space, baseAddress),
    );
    if (typeof result === 'number') return refused(result);
    if (isBadPointer(buffer)) return refused(STATUS.ACCESS_VIOLATION);
    return { status: STATUS.SUCCESS, returnLength: MEMORY_BASIC_BYTES, ...result };
  },
);

/**
 * Tells of the pages from an address on that are alike.
 *
 * @returns SUCCESS; INVALID_INFO_CLASS; INFO_LENGTH_MISMATCH; INVALID_PARAMETER above user mode's
 *   addresses; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtQueryVirtualMemory (partial: MemoryBasicInformation alone; images are one region each, stacks and TEBs are not there)
 */
export const NtQueryVirtualMemory = queryVirtualMemory.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryVirtualMemory (partial: MemoryBasicInformation alone; images are one region each, stacks and TEBs are not there) */
export const ZwQueryVirtualMemory = queryVirtualMemory.zw;

/** What was read or written; undefined: the caller gave no variable for it. */
export interface CopiedMemory {
  readonly status: number;
  readonly numberOfBytes: number | undefined;
}

/** A service that copies between the caller's buffer and the memory of a process. */
function copyService(
  name: string,
  access: number,
  copy: (space: AddressSpace, address: number, bytes: Uint8Array) => number,
) {
  return systemService(
    name,
    function* (
      mode,
      processHandle: Handle,
      baseAddress: number,
      buffer: Uint8Array | BadPointer,
      numberOfBytes: number,
      numberOfBytesDone?: null,
    ): KernelCode<CopiedMemory> {
      const told = (status: number, count: number): CopiedMemory => ({
        status,
        numberOfBytes: numberOfBytesDone === null ? undefined : count,
      });
      requireInteger(`Nt${name}: numberOfBytes`, numberOfBytes, 0, 2 ** 53 - 1);
      const result = yield* onSpace(mode, processHandle, access, (space): CopiedMemory => {
        if (!(buffer instanceof Uint8Array)) return told(STATUS.ACCESS_VIOLATION, 0);
        const room = Math.min(numberOfBytes, buffer.length);
        const count = copy(space, baseAddress, buffer.subarray(0, room));
        if (count < room) return told(STATUS.PARTIAL_COPY, count);
        return told(room < numberOfBytes ? STATUS.ACCESS_VIOLATION : STATUS.SUCCESS, count);
      });
      return typeof result === 'number' ? told(result, 0) : result;
    },
  );
}

const readVirtualMemory = copyService(
  'ReadVirtualMemory',
  PROCESS_ACCESS.VM_READ,
  (space, address, bytes) => space.read(address, bytes),
);
/**
 * Reads memory of a process into a buffer. What nobody has written is 0, in images too.
 *
 * @returns SUCCESS with the count; PARTIAL_COPY up to what cannot be read; ACCESS_VIOLATION of the
 *   buffer; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtReadVirtualMemory (partial: images have no bytes)
 */
export const NtReadVirtualMemory = readVirtualMemory.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwReadVirtualMemory (partial: images have no bytes) */
export const ZwReadVirtualMemory = readVirtualMemory.zw;

const writeVirtualMemory = copyService(
  'WriteVirtualMemory',
  PROCESS_ACCESS.VM_WRITE | PROCESS_ACCESS.VM_OPERATION,
  (space, address, bytes) => space.write(address, bytes),
);
/** Writes a buffer into memory of a process, up to what cannot be written. Statuses as of NtReadVirtualMemory. @irql PASSIVE_LEVEL @nt NtWriteVirtualMemory */
export const NtWriteVirtualMemory = writeVirtualMemory.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwWriteVirtualMemory */
export const ZwWriteVirtualMemory = writeVirtualMemory.zw;

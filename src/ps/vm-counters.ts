import type { KProcess } from '../machine/views';
import { type AddressSpace, addressSpace, wholePages } from './address-space';
import { imageOf } from './executive';
import { processManager } from './manager';
import { poolCounters } from './quota-limits';

/** VM_COUNTERS; with a buffer of 96 bytes VM_COUNTERS_EX, which has PrivateUsage. Sizes are bytes. */
export interface VmCounters {
  readonly PeakVirtualSize: number;
  readonly VirtualSize: number;
  readonly PageFaultCount: number;
  readonly PeakWorkingSetSize: number;
  readonly WorkingSetSize: number;
  readonly QuotaPeakPagedPoolUsage: number;
  readonly QuotaPagedPoolUsage: number;
  readonly QuotaPeakNonPagedPoolUsage: number;
  readonly QuotaNonPagedPoolUsage: number;
  readonly PagefileUsage: number;
  readonly PeakPagefileUsage: number;
  /** Of the extended form. */
  readonly PrivateUsage?: number;
}

export const VM_COUNTERS_BYTES = 88;
export const VM_COUNTERS_EX_BYTES = 96;

type Sizes = Pick<AddressSpace, 'virtualBytes' | 'peakVirtualBytes' | 'privateBytes'>;

/** The sizes of a process's books; one without any has its images and nothing else. */
function sizesOf(process: KProcess): Sizes {
  if (process.executive !== undefined) return addressSpace(process);
  const { images } = processManager(process.machine);
  const image = imageOf(processManager(process.machine), process);
  const mapped = image === undefined ? [] : images.mapping(image);
  const bytes = mapped.reduce((sum, { size }) => sum + wholePages(size), 0);
  return {
    virtualBytes: process.exited ? 0 : bytes,
    peakVirtualBytes: bytes,
    privateBytes: 0,
  };
}

/** What the books of a process say; there is no paging, so nothing is said of working sets. */
export function vmCounters(process: KProcess, length: number): VmCounters {
  const { virtualBytes, peakVirtualBytes, privateBytes } = sizesOf(process);
  return {
    PeakVirtualSize: peakVirtualBytes,
    VirtualSize: virtualBytes,
    PageFaultCount: 0,
    PeakWorkingSetSize: 0,
    WorkingSetSize: 0,
    ...poolCounters(process),
    PagefileUsage: privateBytes,
    PeakPagefileUsage: privateBytes,
    ...(length === VM_COUNTERS_EX_BYTES ? { PrivateUsage: privateBytes } : {}),
  };
}

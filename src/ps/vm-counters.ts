import type { KProcess } from '../machine/views';
import { addressSpace } from './address-space';
import { executiveOf } from './executive';
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

/** What the books of a process say; there is no paging, so nothing is said of working sets. */
export function vmCounters(process: KProcess, length: number): VmCounters {
  executiveOf(processManager(process.machine), process);
  const { virtualBytes, peakVirtualBytes, privateBytes } = addressSpace(process);
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

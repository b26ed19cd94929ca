import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { processCycleTime } from '../ke/process';
import { type CycleTime, cycleTimeStamp } from '../ke/runtime';
import { currentGuest } from '../machine/guest';
import { requireInteger } from '../machine/profile';
import type { KProcess, KThread } from '../machine/views';
import { ownThreadExecutive, threadExecutive } from './thread-executive';

/** What processes and threads are charged for besides their time, and small marks of threads. */

/** @returns the cycles that all threads of a process have run for, ended ones too. @irql PASSIVE_LEVEL @nt PsQueryTotalCycleTimeProcess */
export function PsQueryTotalCycleTimeProcess(process: KProcess): CycleTime {
  const routine = 'PsQueryTotalCycleTimeProcess';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  return { cycleTime: processCycleTime(process), cycleTimeStamp: cycleTimeStamp(machine) };
}

/** IO_COUNTERS. */
export interface IoCounters {
  readonly ReadOperationCount: number;
  readonly WriteOperationCount: number;
  readonly OtherOperationCount: number;
  readonly ReadTransferCount: number;
  readonly WriteTransferCount: number;
  readonly OtherTransferCount: number;
}

/** PROCESS_DISK_COUNTERS. */
export interface DiskCounters {
  readonly BytesRead: bigint;
  readonly BytesWritten: bigint;
  readonly ReadOperationCount: number;
  readonly WriteOperationCount: number;
  readonly FlushOperationCount: number;
}

const counters = new WeakMap<KProcess, DiskCounters>();

/** What PsUpdateDiskCounters has added up for a process; undefined: it was not called. */
export function diskCounters(process: KProcess): DiskCounters | undefined {
  return counters.get(process);
}

/** Adds to what a process has read from and written to disks. @irql at most DISPATCH_LEVEL @nt PsUpdateDiskCounters */
export function PsUpdateDiskCounters(
  process: KProcess,
  bytesRead: bigint,
  bytesWritten: bigint,
  readOperationCount: number,
  writeOperationCount: number,
  flushOperationCount: number,
): void {
  const routine = 'PsUpdateDiskCounters';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const count = (name: string, value: number) =>
    requireInteger(`${routine}: ${name}`, value, 0, 0xffff_ffff);
  const before = counters.get(process);
  counters.set(process, {
    BytesRead: (before?.BytesRead ?? 0n) + bytesRead,
    BytesWritten: (before?.BytesWritten ?? 0n) + bytesWritten,
    ReadOperationCount:
      (before?.ReadOperationCount ?? 0) + count('readOperationCount', readOperationCount),
    WriteOperationCount:
      (before?.WriteOperationCount ?? 0) + count('writeOperationCount', writeOperationCount),
    FlushOperationCount:
      (before?.FlushOperationCount ?? 0) + count('flushOperationCount', flushOperationCount),
  });
}

/** They are always counted. @irql any @nt PsIsDiskCountersEnabled */
export function PsIsDiskCountersEnabled(): boolean {
  currentGuest('PsIsDiskCountersEnabled');
  return true;
}

/** Marks the calling thread as one that prefetches. @returns whether it was marked. @irql at most APC_LEVEL @nt PsSetCurrentThreadPrefetching (partial: nothing is prefetched) */
export function PsSetCurrentThreadPrefetching(prefetching: boolean): boolean {
  const routine = 'PsSetCurrentThreadPrefetching';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  const { thread } = currentGuest(routine);
  const before = threadExecutive(thread).prefetching;
  if (before !== prefetching) ownThreadExecutive(thread).prefetching = prefetching;
  return before;
}

/** @irql at most APC_LEVEL   @nt PsIsCurrentThreadPrefetching */
export function PsIsCurrentThreadPrefetching(): boolean {
  const routine = 'PsIsCurrentThreadPrefetching';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  return threadExecutive(currentGuest(routine).thread).prefetching;
}

/** NULL: what has a key is the system's own. @irql at most DISPATCH_LEVEL @nt PsGetThreadProperty (partial: no thread has a property) */
export function PsGetThreadProperty(_thread: KThread, _key: number, _flags: number): null {
  requireIrql('PsGetThreadProperty', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  return null;
}

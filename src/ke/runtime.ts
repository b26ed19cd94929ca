import { KTHREAD } from '../../assembly/shared/layout';
import { IRQL } from '../../assembly/shared/types';
import { currentGuest } from '../machine/guest';
import type { KThread } from '../machine/views';
import { requireIrql, VIOLATION } from './call';

/** How long threads have run, for host threads. */

/**
 * @returns clock intervals in kernel and in user mode, as ticks have found them.
 * @irql PASSIVE_LEVEL   @nt KeQueryRuntimeThread
 */
export function KeQueryRuntimeThread(thread: KThread): {
  readonly kernelTime: number;
  readonly userTime: number;
} {
  requireIrql('KeQueryRuntimeThread', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const { memory } = thread.machine;
  return {
    kernelTime: memory.u32(thread.address + KTHREAD.KernelTicks),
    userTime: memory.u32(thread.address + KTHREAD.UserTicks),
  };
}

/** What a routine that counts cycles gives: the count, and when that was, by the same processor's cycles since boot. */
export interface CycleTime {
  readonly cycleTime: number;
  readonly cycleTimeStamp: number;
}

/** Cycles of the profile's processor since boot. */
export function cycleTimeStamp({ now, profile }: KThread['machine']): number {
  return Math.floor((now * profile.cyclesPerMicrosecond) / 1000);
}

/** @returns the cycles that a thread has run for. @irql PASSIVE_LEVEL @nt KeQueryTotalCycleTimeThread */
export function KeQueryTotalCycleTimeThread(thread: KThread): CycleTime {
  const routine = 'KeQueryTotalCycleTimeThread';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  return { cycleTime: thread.cycleTime, cycleTimeStamp: cycleTimeStamp(machine) };
}

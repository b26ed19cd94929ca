import { KPRCB } from '../../assembly/shared/layout';
import type { Machine } from '../machine/machine';
import {
  ALLOCATION_GRANULARITY,
  HIGHEST_USER_ADDRESS,
  LOWEST_USER_ADDRESS,
  PAGE_BYTES,
} from './address-space';
import { structure, type SystemAnswer } from './system-class';

/** What NtQuerySystemInformation tells of processors and times, 100 ns each. */

/** SYSTEM_BASIC_INFORMATION. */
export interface SystemBasicInformation {
  /** The longest that a tick can be apart from the next. */
  readonly TimerResolution: number;
  readonly PageSize: number;
  readonly NumberOfPhysicalPages: number;
  readonly LowestPhysicalPageNumber: number;
  readonly HighestPhysicalPageNumber: number;
  readonly AllocationGranularity: number;
  readonly MinimumUserModeAddress: number;
  readonly MaximumUserModeAddress: number;
  /** Of group 0. */
  readonly ActiveProcessorsAffinityMask: bigint;
  /** Of group 0. */
  readonly NumberOfProcessors: number;
}

/** 4 GiB, for whoever asks: there is no physical memory. */
const PHYSICAL_PAGES = 0x10_0000;

function bitsOf(mask: bigint): number {
  return mask.toString(2).replaceAll('0', '').length;
}

export function basicInformation(machine: Machine): SystemAnswer {
  const mask = machine.groupAffinity(0);
  const fields: SystemBasicInformation = {
    TimerResolution: machine.profile.clockIntervalNs / 100,
    PageSize: PAGE_BYTES,
    NumberOfPhysicalPages: PHYSICAL_PAGES,
    LowestPhysicalPageNumber: 1,
    HighestPhysicalPageNumber: PHYSICAL_PAGES,
    AllocationGranularity: ALLOCATION_GRANULARITY,
    MinimumUserModeAddress: LOWEST_USER_ADDRESS,
    MaximumUserModeAddress: HIGHEST_USER_ADDRESS,
    ActiveProcessorsAffinityMask: mask,
    NumberOfProcessors: bitsOf(mask),
  };
  return structure(64, fields);
}

/** SYSTEM_PROCESSOR_INFORMATION. */
export interface SystemProcessorInformation {
  /** PROCESSOR_ARCHITECTURE_AMD64. */
  readonly ProcessorArchitecture: number;
  readonly ProcessorLevel: number;
  readonly ProcessorRevision: number;
  readonly MaximumProcessors: number;
  readonly ProcessorFeatureBits: number;
}

const PROCESSOR_ARCHITECTURE_AMD64 = 9;
const PROCESSOR_LEVEL = 6;

export function processorInformation(machine: Machine): SystemAnswer {
  const fields: SystemProcessorInformation = {
    ProcessorArchitecture: PROCESSOR_ARCHITECTURE_AMD64,
    ProcessorLevel: PROCESSOR_LEVEL,
    ProcessorRevision: 0,
    MaximumProcessors: machine.processorCount,
    ProcessorFeatureBits: 0,
  };
  return structure(12, fields);
}

/** SYSTEM_TIMEOFDAY_INFORMATION: system times since 1601. */
export interface SystemTimeOfDayInformation {
  readonly BootTime: bigint;
  readonly CurrentTime: bigint;
  /** The local time is the system time. */
  readonly TimeZoneBias: bigint;
  readonly TimeZoneId: number;
  readonly BootTimeBias: bigint;
  readonly SleepTimeBias: bigint;
}

export function timeOfDay({ clock }: Machine): SystemAnswer {
  const CurrentTime = clock.systemTime100ns;
  const BootTime = CurrentTime - BigInt(clock.interruptTime100ns);
  const none = { TimeZoneBias: 0n, TimeZoneId: 0, BootTimeBias: 0n, SleepTimeBias: 0n };
  const fields: SystemTimeOfDayInformation = { BootTime, CurrentTime, ...none };
  return structure(48, fields);
}

/** SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION. */
export interface SystemProcessorPerformance {
  readonly IdleTime: number;
  /** With the time that it was idle. */
  readonly KernelTime: number;
  readonly UserTime: number;
  readonly DpcTime: number;
  readonly InterruptTime: number;
  readonly InterruptCount: number;
}

const PERFORMANCE_BYTES = 48;

/** Idle and interrupt time are exact, what threads have taken is what ticks have found. */
function performanceOf(machine: Machine, processor: number): SystemProcessorPerformance {
  const { memory, profile } = machine;
  const { idleNs, interruptNs } = machine.processorTimes(processor);
  const prcb = machine.prcb(processor);
  const ticks = (field: number) => (memory.u32(prcb + field) * profile.clockIntervalNs) / 100;
  const IdleTime = Math.floor(idleNs / 100);
  const InterruptTime = Math.floor(interruptNs / 100);
  return {
    IdleTime,
    KernelTime: IdleTime + InterruptTime + ticks(KPRCB.KernelTicks),
    UserTime: ticks(KPRCB.UserTicks),
    DpcTime: 0,
    InterruptTime,
    InterruptCount: memory.u64(prcb + KPRCB.Interrupts64),
  };
}

/** An entry a processor, as many as there is room for; at least one. */
function eachProcessor<R>(
  machine: Machine,
  length: number,
  bytes: number,
  entry: (processor: number) => R,
): SystemAnswer {
  const room = Math.floor(length / bytes);
  const count = room === 0 ? machine.processorCount : Math.min(room, machine.processorCount);
  const Processors = Array.from({ length: count }, (_, processor) => entry(processor));
  return { needed: count * bytes, fields: { Processors } };
}

export function processorPerformance(machine: Machine, length: number): SystemAnswer {
  return eachProcessor(machine, length, PERFORMANCE_BYTES, (processor) =>
    performanceOf(machine, processor),
  );
}

/** SYSTEM_INTERRUPT_INFORMATION. */
export interface SystemInterruptInformation {
  readonly ContextSwitches: number;
  readonly DpcCount: number;
  readonly DpcRate: number;
  /** 100 ns between ticks at the longest. */
  readonly TimeIncrement: number;
  readonly DpcBypassCount: number;
  readonly ApcBypassCount: number;
}

const INTERRUPT_BYTES = 24;

export function interruptInformation(machine: Machine, length: number): SystemAnswer {
  const { memory, profile } = machine;
  return eachProcessor(
    machine,
    length,
    INTERRUPT_BYTES,
    (processor): SystemInterruptInformation => {
      const count = memory.u32(machine.prcb(processor) + KPRCB.DpcCount);
      return {
        ContextSwitches: machine.processorTimes(processor).contextSwitches,
        DpcCount: count,
        DpcRate: count - memory.u32(machine.prcb(processor) + KPRCB.DpcLastCount),
        TimeIncrement: profile.clockIntervalNs / 100,
        DpcBypassCount: 0,
        ApcBypassCount: 0,
      };
    },
  );
}

/** SYSTEM_QUERY_TIME_ADJUST_INFORMATION: the clock is never adjusted. */
export interface SystemTimeAdjustmentInformation {
  readonly TimeAdjustment: number;
  readonly TimeIncrement: number;
  /** TRUE: it is not in force. */
  readonly Enable: boolean;
}

export function timeAdjustment({ profile }: Machine): SystemAnswer {
  const increment = profile.clockIntervalNs / 100;
  const fields: SystemTimeAdjustmentInformation = {
    TimeAdjustment: increment,
    TimeIncrement: increment,
    Enable: true,
  };
  return structure(12, fields);
}

/** SYSTEM_PERFORMANCE_INFORMATION, as far as it is of threads. */
export interface SystemPerformanceInformation {
  /** Of all processors. */
  readonly IdleProcessTime: number;
  readonly ContextSwitches: number;
}

const SYSTEM_PERFORMANCE_BYTES = 344;

export function performanceInformation(machine: Machine): SystemAnswer {
  let idleNs = 0;
  let ContextSwitches = 0;
  for (let processor = 0; processor < machine.processorCount; processor++) {
    const times = machine.processorTimes(processor);
    idleNs += times.idleNs;
    ContextSwitches += times.contextSwitches;
  }
  const IdleProcessTime = Math.floor(idleNs / 100);
  const fields: SystemPerformanceInformation = { IdleProcessTime, ContextSwitches };
  return { needed: SYSTEM_PERFORMANCE_BYTES, fields };
}

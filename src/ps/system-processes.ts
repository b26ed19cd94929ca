import { KPRCB } from '../../assembly/shared/layout';
import { KTHREAD_STATE, KWAIT_REASON } from '../../assembly/shared/types';
import { processCycleTime } from '../ke/process';
import type { Machine } from '../machine/machine';
import type { KProcess, KThread } from '../machine/views';
import { handleCount } from '../ob/handles';
import { processIdOf } from './cid';
import { imageOf, parentIdOf, type ProcessExecutive } from './executive';
import { processManager } from './manager';
import type { SystemAnswer } from './system-class';
import { tebAddress } from './teb';
import { type SystemThreadInformation, systemThreadInformation } from './thread-query';
import { vmCounters } from './vm-counters';

/** What NtQuerySystemInformation tells of every process and thread. */

/** SYSTEM_EXTENDED_THREAD_INFORMATION, as far as it is modelled. */
export interface SystemExtendedThreadInformation extends SystemThreadInformation {
  readonly TebBase: number;
}

/** SYSTEM_PROCESS_INFORMATION. */
export interface SystemProcessInformation {
  /** Bytes to the next entry; 0 of the last. */
  readonly NextEntryOffset: number;
  readonly NumberOfThreads: number;
  readonly NumberOfThreadsHighWatermark: number;
  readonly CycleTime: number;
  readonly CreateTime: bigint;
  readonly UserTime: number;
  readonly KernelTime: number;
  /** Without its folder; Length 0 of Idle. */
  readonly ImageName: {
    readonly Length: number;
    readonly MaximumLength: number;
    readonly Buffer: string | null;
  };
  readonly BasePriority: number;
  readonly UniqueProcessId: number;
  readonly InheritedFromUniqueProcessId: number;
  readonly HandleCount: number;
  readonly SessionId: number;
  readonly PeakVirtualSize: number;
  readonly VirtualSize: number;
  readonly PagefileUsage: number;
  readonly PrivatePageCount: number;
  readonly Threads: readonly (SystemThreadInformation | SystemExtendedThreadInformation)[];
}

type Entry = Omit<SystemProcessInformation, 'NextEntryOffset'>;

const PROCESS_BYTES = 0x100;
const THREAD_BYTES = 0x50;
const EXTENDED_THREAD_BYTES = 0x88;

function unicodeName(name: string | null): Entry['ImageName'] {
  if (name === null) return { Length: 0, MaximumLength: 0, Buffer: null };
  return { Length: name.length * 2, MaximumLength: name.length * 2 + 2, Buffer: name };
}

/** The threads of the Idle process: one a processor, which runs while nothing else does. */
function idleThreads(machine: Machine): SystemThreadInformation[] {
  return Array.from({ length: machine.processorCount }, (_, processor) => {
    const prcb = machine.prcb(processor);
    const idle = machine.memory.u32(prcb + KPRCB.CurrentThread) === 0;
    return {
      KernelTime: Math.floor(machine.processorTimes(processor).idleNs / 100),
      UserTime: 0,
      CreateTime: 0n,
      WaitTime: 0,
      ClientId: { UniqueProcess: 0, UniqueThread: 0 },
      Priority: 0,
      BasePriority: 0,
      ContextSwitches: 0,
      ThreadState: idle ? KTHREAD_STATE.Running : KTHREAD_STATE.Ready,
      WaitReason: KWAIT_REASON.Executive,
    };
  });
}

/** Process 0. */
function idleEntry(machine: Machine): Entry {
  const Threads = idleThreads(machine);
  const KernelTime = Threads.reduce((sum, thread) => sum + thread.KernelTime, 0);
  return {
    NumberOfThreads: Threads.length,
    NumberOfThreadsHighWatermark: Threads.length,
    CycleTime: Math.floor((KernelTime * machine.profile.cyclesPerMicrosecond) / 10),
    CreateTime: 0n,
    UserTime: 0,
    KernelTime,
    ImageName: unicodeName(null),
    BasePriority: 0,
    UniqueProcessId: 0,
    InheritedFromUniqueProcessId: 0,
    HandleCount: 0,
    SessionId: 0,
    PeakVirtualSize: 0,
    VirtualSize: 0,
    PagefileUsage: 0,
    PrivatePageCount: 0,
    Threads,
  };
}

function extended(thread: KThread): SystemExtendedThreadInformation {
  return { ...systemThreadInformation(thread), TebBase: tebAddress(thread) };
}

function entryOf(process: KProcess, describe: (thread: KThread) => SystemThreadInformation): Entry {
  const { machine } = process;
  const live = process.threads().filter(({ state }) => state !== KTHREAD_STATE.Terminated);
  const system = process === machine.systemProcess;
  const image = imageOf(processManager(machine), process);
  const name = system ? 'System' : (image?.name ?? process.name);
  const { PeakVirtualSize, VirtualSize, PagefileUsage } = vmCounters(process, 0);
  const executive = process.executive as ProcessExecutive | undefined;
  return {
    NumberOfThreads: live.length,
    NumberOfThreadsHighWatermark: process.threads().length,
    CycleTime: processCycleTime(process),
    CreateTime: process.createTime100ns,
    UserTime: process.userTime100ns,
    KernelTime: process.kernelTime100ns,
    ImageName: unicodeName(name),
    BasePriority: process.basePriority,
    UniqueProcessId: processIdOf(process),
    InheritedFromUniqueProcessId: parentIdOf(process),
    HandleCount: handleCount(process),
    SessionId: executive?.sessionId ?? 0,
    PeakVirtualSize,
    VirtualSize,
    PagefileUsage,
    PrivatePageCount: PagefileUsage,
    Threads: live.map(describe),
  };
}

/** Bytes of an entry: the structure, its threads, and the name behind them, 8-aligned. */
function bytesOf({ Threads, ImageName }: Entry, threadBytes: number): number {
  const name = Math.ceil(ImageName.MaximumLength / 8) * 8;
  return PROCESS_BYTES + Threads.length * threadBytes + name;
}

function answer(
  machine: Machine,
  threadBytes: number,
  describe: (thread: KThread) => SystemThreadInformation,
): SystemAnswer {
  const running = [...machine.allProcesses()].filter(({ exited }) => !exited);
  const entries = [idleEntry(machine), ...running.map((process) => entryOf(process, describe))];
  const sizes = entries.map((entry) => bytesOf(entry, threadBytes));
  const last = entries.length - 1;
  const Processes: SystemProcessInformation[] = entries.map((entry, index) => ({
    NextEntryOffset: index === last ? 0 : (sizes[index] as number),
    ...entry,
  }));
  return { needed: sizes.reduce((sum, size) => sum + size, 0), fields: { Processes } };
}

/** Idle, then every process that has not ended, in the order of their ids. */
export function processInformation(machine: Machine): SystemAnswer {
  return answer(machine, THREAD_BYTES, systemThreadInformation);
}

export function extendedProcessInformation(machine: Machine): SystemAnswer {
  return answer(machine, EXTENDED_THREAD_BYTES, extended);
}

/**
 * What there is in a machine, as plain data: for debuggers, reports and tests. It can be asked at any
 * time the machine does not run, after a bugcheck too, and changes nothing. Ids are client ids,
 * addresses are those that bugchecks and trace records have, times are virtual, ns since boot.
 */
import { KOBJECTS, KTHREAD_STATE, MODE } from '../../assembly/shared/types';
import type { Machine } from '../machine/machine';
import type { KProcess, KThread } from '../machine/views';
import { type ThreadWait, type WaitedObject, waitOf } from '../machine/wait';
import {
  GUEST_NAMES,
  PRIORITY_CLASS_NAMES,
  THREAD_STATE_NAMES,
  WAIT_REASON_NAMES,
} from '../machine/words';
import { type DiskCounters, diskCounters } from './accounting';
import { processIdOf, processIdOfRow, threadIdOf } from './cid';
import type { ProcessExecutive } from './executive';
import { handleCountOf } from './inspect-handles';
import { pebAddress, tebAddress } from './teb';

/** An object that a thread waits for. */
export interface InspectedWaitObject {
  /** In WinDbg's words: SynchronizationEvent, Mutant, Semaphore … */
  readonly type: string;
  readonly address: number;
  readonly signalState: number;
  /** Of a semaphore. */
  readonly limit?: number;
  /** Of a mutant: the id of the thread that owns it. */
  readonly owningThread?: number;
  /** What it stands for, if it is the kernel's own. */
  readonly name?: string;
}

export interface InspectedWait {
  readonly reason: string;
  readonly mode: 'KernelMode' | 'UserMode';
  readonly alertable: boolean;
  readonly type: 'WaitAll' | 'WaitAny';
  /** Empty: it waits for a time. */
  readonly objects: readonly InspectedWaitObject[];
  /** When it ends at the latest; absent: never. */
  readonly dueNs?: number;
}

export interface InspectedThread {
  readonly threadId: number;
  readonly processId: number;
  readonly address: number;
  readonly name: string;
  /** What executes it. */
  readonly guest: string;
  readonly state: string;
  /** When it came into its state; waits begin then. */
  readonly stateSinceNs: number;
  /** Absent if it does not wait. */
  readonly wait?: InspectedWait;
  readonly priority: number;
  readonly basePriority: number;
  /** Of its priority: what the foreground gave it, and what anything else did. */
  readonly foregroundBoost: number;
  readonly unusualBoost: number;
  readonly idealProcessor: number;
  /** The processor that it runs, is queued or stands by on; absent in other states. */
  readonly processor?: number;
  /** Hexadecimal; of its group. */
  readonly affinity: string;
  readonly group: number;
  readonly contextSwitches: number;
  readonly runTimeNs: number;
  /** As Windows shows them, whole clock intervals. */
  readonly userTimeNs: number;
  readonly kernelTimeNs: number;
  readonly suspendCount: number;
  /** The process that it is attached to; absent: its own. */
  readonly attachedProcessId?: number;
  readonly kernelApcDisable: number;
  readonly specialApcDisable: number;
  /** Address of its TEB; absent: it has no user mode. */
  readonly teb?: number;
  /** The routines of the host that it is in, the one that was called last first. */
  readonly stack: readonly string[];
  /** Absent while it has not ended. */
  readonly exitStatus?: number;
}

export interface InspectedProcess {
  readonly processId: number;
  readonly parentProcessId: number;
  readonly address: number;
  readonly name: string;
  readonly sessionId: number;
  /** Address of its PEB; absent: it is System. */
  readonly peb?: number;
  /** PS_PROTECTION; absent: it is not protected. */
  readonly protection?: number;
  readonly priorityClass: string;
  readonly basePriority: number;
  readonly foreground: boolean;
  readonly elapsedNs: number;
  /** Of all its threads, as Windows shows them. */
  readonly userTimeNs: number;
  readonly kernelTimeNs: number;
  /** Absent while it has not ended. */
  readonly exitStatus?: number;
  readonly handleCount: number;
  /** Absent if PsUpdateDiskCounters was not called for it. */
  readonly disk?: DiskCounters;
  /** Those that have ended and are referred to included. */
  readonly threads: readonly InspectedThread[];
}

const OBJECT_NAMES: Readonly<Partial<Record<KOBJECTS, string>>> = {
  [KOBJECTS.EventNotificationObject]: 'NotificationEvent',
  [KOBJECTS.EventSynchronizationObject]: 'SynchronizationEvent',
  [KOBJECTS.MutantObject]: 'Mutant',
  [KOBJECTS.ProcessObject]: 'ProcessObject',
  [KOBJECTS.QueueObject]: 'QueueObject',
  [KOBJECTS.SemaphoreObject]: 'Semaphore',
  [KOBJECTS.ThreadObject]: 'Thread',
  [KOBJECTS.GateObject]: 'Gate',
  [KOBJECTS.TimerNotificationObject]: 'NotificationTimer',
  [KOBJECTS.TimerSynchronizationObject]: 'SynchronizationTimer',
};

function inspectObject(object: WaitedObject): InspectedWaitObject {
  const { type, address, signalState, limit, owner, name } = object;
  const ownedBy = type === KOBJECTS.MutantObject ? owner : undefined;
  return {
    type: OBJECT_NAMES[type] ?? `object of type ${type}`,
    address,
    signalState,
    ...(limit === undefined ? {} : { limit }),
    ...(ownedBy === undefined ? {} : { owningThread: threadIdOf(ownedBy) }),
    ...(name === undefined ? {} : { name }),
  };
}

function inspectWait(wait: ThreadWait): InspectedWait {
  const { reason, mode, alertable, all, objects, dueNs } = wait;
  return {
    reason: WAIT_REASON_NAMES[reason],
    mode: mode === MODE.UserMode ? 'UserMode' : 'KernelMode',
    alertable,
    type: all ? 'WaitAll' : 'WaitAny',
    objects: objects.map(inspectObject),
    ...(dueNs === undefined ? {} : { dueNs }),
  };
}

const PLACED: readonly KTHREAD_STATE[] = [
  KTHREAD_STATE.Ready,
  KTHREAD_STATE.Running,
  KTHREAD_STATE.Standby,
];

/** A thread as it is now. */
export function inspectThread(thread: KThread): InspectedThread {
  const { state } = thread;
  const wait = waitOf(thread);
  const attached = thread.attachedProcess;
  const teb = tebAddress(thread);
  return {
    threadId: threadIdOf(thread),
    processId: processIdOf(thread.process),
    address: thread.address,
    name: thread.name,
    guest: GUEST_NAMES[thread.guest],
    state: THREAD_STATE_NAMES[state],
    stateSinceNs: thread.stateSinceNs,
    ...(wait === undefined ? {} : { wait: inspectWait(wait) }),
    priority: thread.priority,
    basePriority: thread.basePriority,
    foregroundBoost: thread.foregroundBoost,
    unusualBoost: thread.unusualBoost,
    idealProcessor: thread.idealProcessor,
    ...(PLACED.includes(state) ? { processor: thread.nextProcessor } : {}),
    affinity: `0x${thread.affinity.toString(16)}`,
    group: thread.group,
    contextSwitches: thread.contextSwitches,
    runTimeNs: thread.runTimeNs,
    userTimeNs: thread.userTime100ns * 100,
    kernelTimeNs: thread.kernelTime100ns * 100,
    suspendCount: thread.suspendCount,
    ...(attached === thread.process ? {} : { attachedProcessId: processIdOf(attached) }),
    kernelApcDisable: thread.kernelApcDisable,
    specialApcDisable: thread.specialApcDisable,
    ...(teb === 0 ? {} : { teb }),
    stack: thread.machine.guests.chainOf(thread.index).map(({ routine }) => routine),
    ...(state === KTHREAD_STATE.Terminated ? { exitStatus: thread.exitStatus } : {}),
  };
}

/** A process as it is now, with its threads. */
export function inspectProcess(process: KProcess): InspectedProcess {
  const executive = process.executive as ProcessExecutive | undefined;
  const protection = executive?.protection ?? 0;
  const peb = pebAddress(process);
  const disk = diskCounters(process);
  return {
    processId: processIdOf(process),
    parentProcessId: processIdOfRow(process.parentIndex),
    address: process.address,
    name: process.name,
    sessionId: executive?.sessionId ?? 0,
    ...(peb === 0 ? {} : { peb }),
    ...(protection === 0 ? {} : { protection }),
    priorityClass: PRIORITY_CLASS_NAMES[process.priorityClass],
    basePriority: process.basePriority,
    foreground: process.foreground,
    elapsedNs: process.machine.now - process.createTimeNs,
    userTimeNs: process.userTime100ns * 100,
    kernelTimeNs: process.kernelTime100ns * 100,
    ...(process.signalState === 0 ? {} : { exitStatus: process.exitStatus }),
    handleCount: handleCountOf(process),
    ...(disk === undefined ? {} : { disk }),
    threads: process.threads().map(inspectThread),
  };
}

/** Every process, System first, in the order of their ids; those that have ended and are referred to included. */
export function inspectProcesses(machine: Machine): InspectedProcess[] {
  return [...machine.allProcesses()].map(inspectProcess);
}

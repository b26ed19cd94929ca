import {
  DISPATCHER_HEADER,
  KPRCB,
  KSYSTEM,
  KTHREAD,
  KWAIT_BLOCK,
} from '../../assembly/shared/layout';
import {
  ACTIVATION,
  KOBJECTS,
  KTHREAD_STATE,
  KWAIT_REASON,
  THREAD_FLAG,
} from '../../assembly/shared/types';
import { explainBugCheck } from './explanations';
import type { Machine } from './machine';
import { decodeRecord, type TraceRecord } from './records';
import { THREAD_STATE_NAMES, WAIT_REASON_NAMES } from './words';

export interface RunOptions {
  /** Virtual time to run up to, ns since boot; steps at that time are done. */
  readonly until?: number;
  /** Steps to do at most. Default 100,000,000. */
  readonly maxEvents?: number;
}

/** A thread that is left when nothing can happen any more. */
export interface ThreadLeft {
  readonly name: string;
  readonly process: string;
  readonly index: number;
  readonly state: string;
  /** What it waits for, in words; absent if it does not wait. */
  readonly waitsFor?: string;
  /** The table index of the object that it waits for. */
  readonly waitObject?: number;
}

export interface BugCheckReport {
  readonly code: number;
  readonly name: string;
  readonly parameters: readonly [bigint, bigint, bigint, bigint];
  readonly processor: number;
  /** The thread that ran there; absent for the idle thread. */
  readonly thread?: string;
  readonly explanation: string;
  /** The routines of the host that were being executed, the one that was called last first; none in a program. */
  readonly stack: readonly string[];
  /** The last records, oldest first. */
  readonly lastRecords: readonly TraceRecord[];
}

/** One that waits or spins for what the next of a circle owns. */
export interface DeadlockLink {
  readonly thread: string;
  /** Absent for one that waits off its processor. */
  readonly processor?: number;
  readonly waitsFor: string;
  readonly ownedBy: string;
}

/** Why `run` returned, and what belongs to it. */
export type RunResult =
  | { readonly reason: 'time' | 'events' | 'requested' | 'trace-full'; readonly now: number }
  | { readonly reason: 'idle'; readonly now: number; readonly waiting: readonly ThreadLeft[] }
  | { readonly reason: 'livelock'; readonly now: number; readonly threads: readonly ThreadLeft[] }
  | {
      /** Who is left can never go on: each of the circle waits for the next, the last for the first. */
      readonly reason: 'deadlock';
      readonly now: number;
      readonly circle: readonly DeadlockLink[];
    }
  | ({
      readonly reason: 'bugcheck';
      readonly now: number /** What a guest or the core threw. */;
      readonly cause: unknown;
    } & BugCheckReport);

/** What objects are called, by type. */
const OBJECT_NAMES: Readonly<Record<number, string>> = {
  [KOBJECTS.EventNotificationObject]: 'notification event',
  [KOBJECTS.EventSynchronizationObject]: 'synchronization event',
  [KOBJECTS.MutantObject]: 'mutant',
  [KOBJECTS.QueueObject]: 'queue',
  [KOBJECTS.GateObject]: 'gate',
  [KOBJECTS.SemaphoreObject]: 'semaphore',
  [KOBJECTS.TimerNotificationObject]: 'notification timer',
  [KOBJECTS.TimerSynchronizationObject]: 'synchronization timer',
  [KOBJECTS.ThreadObject]: 'thread',
  [KOBJECTS.ProcessObject]: 'process',
};

/** The threads that have not ended, the machine's own left out. */
export function remainingThreads(machine: Machine): ThreadLeft[] {
  const left: ThreadLeft[] = [];
  for (const thread of machine.allThreads()) {
    const { address } = thread;
    const flags = machine.memory.u32(address + KTHREAD.Flags);
    const state = thread.state;
    if ((flags & THREAD_FLAG.System) !== 0 || state === KTHREAD_STATE.Terminated) continue;
    const base = {
      name: thread.name,
      process: thread.process.name,
      index: thread.index,
      state: THREAD_STATE_NAMES[state],
    };
    const wait = state === KTHREAD_STATE.Waiting ? describeWait(machine, address, flags) : {};
    if (thread.restsAt !== undefined && wait.waitObject === thread.restsAt.index) continue;
    left.push({ ...base, ...wait });
  }
  return left;
}

function describeWait(
  machine: Machine,
  thread: number,
  flags: number,
): Pick<ThreadLeft, 'waitsFor' | 'waitObject'> {
  const code = machine.memory.u32(thread + KTHREAD.WaitReason);
  if (code === KWAIT_REASON.Suspended) return { waitsFor: 'being resumed (Suspended)' };
  if (code === KWAIT_REASON.WrAlertByThreadId)
    return { waitsFor: 'an alert by its id (WrAlertByThreadId)' };
  const reason = WAIT_REASON_NAMES[machine.memory.u32(thread + KTHREAD.WaitReason) as KWAIT_REASON];
  if ((flags & THREAD_FLAG.WaitMultiple) !== 0) {
    const which = (flags & THREAD_FLAG.WaitAll) !== 0 ? 'all' : 'one';
    const names = multipleObjects(machine, thread).map((object) => nameOf(machine, object));
    return { waitsFor: `${which} of ${names.join(', ')} (${reason})` };
  }
  if ((flags & THREAD_FLAG.WaitBlockInserted) === 0) return { waitsFor: `a time (${reason})` };
  const object = machine.memory.u32(thread + KTHREAD.WaitBlock + KWAIT_BLOCK.Object);
  const waitObject = machine.objectIndex(object);
  return { waitsFor: `${nameOf(machine, object)} (${reason})`, waitObject };
}

export function nameOf(machine: Machine, object: number): string {
  const type = machine.memory.u32(object + DISPATCHER_HEADER.Type);
  const held = machine.waits.get(object);
  return held?.name ?? `${OBJECT_NAMES[type] ?? 'object'} ${machine.objectIndex(object)}`;
}

/** Addresses of the objects that a thread waits for in a wait for several. */
function multipleObjects(machine: Machine, thread: number): number[] {
  const objects: number[] = [];
  const { memory } = machine;
  let block = memory.u32(thread + KTHREAD.WaitBlock + KWAIT_BLOCK.NextWaitBlock);
  while (block !== 0) {
    objects.push(memory.u32(block + KWAIT_BLOCK.Object));
    block = memory.u32(block + KWAIT_BLOCK.NextWaitBlock);
  }
  return objects;
}

/** What executes on a processor, as the core names it: a routine in front of its thread, or the thread. */
function executingIndex(machine: Machine, prcb: number): number {
  const activation = machine.memory.u32(prcb + KPRCB.Activation);
  if (activation === 0) return machine.objectIndex(machine.memory.u32(prcb + KPRCB.CurrentThread));
  const base = machine.memory.u32(KSYSTEM.Address + KSYSTEM.ActivationBase);
  return ACTIVATION.Mark + (activation - base) / KTHREAD.Size;
}

/** The bugcheck that a machine has stopped with; `failure` is what was thrown, if anything was. */
export function describeBugCheck(machine: Machine, failure: unknown): BugCheckReport {
  const code = machine.memory.u32(KSYSTEM.Address + KSYSTEM.BugCheckCode);
  const processor = machine.memory.u32(KSYSTEM.Address + KSYSTEM.CurrentProcessor);
  const prcb = machine.memory.u32(KSYSTEM.Address + KSYSTEM.PrcbBase) + processor * KPRCB.Size;
  const parameter = (index: number) =>
    machine.memory.big(KSYSTEM.Address + KSYSTEM.BugCheckParameter64 + index * 8);
  const [name, explanation] = explainBugCheck(code);
  const current = machine.threadAt(machine.memory.u32(prcb + KPRCB.CurrentThread));
  return {
    code,
    name,
    parameters: [parameter(0), parameter(1), parameter(2), parameter(3)],
    processor,
    ...(current === undefined ? {} : { thread: current.name }),
    explanation,
    stack: machine.guests
      .chainOf(executingIndex(machine, prcb), failure)
      .map(({ routine }) => routine),
    lastRecords: lastRecords(machine),
  };
}

/** The last records of a run, oldest first. */
export function lastRecords(machine: Machine): readonly TraceRecord[] {
  const last = machine.trace.last(16);
  return Array.from({ length: last.count }, (_, index) => decodeRecord(last, index));
}

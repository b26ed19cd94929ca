import {
  DISPATCHER_HEADER,
  KMUTANT,
  KOBJECT,
  KTHREAD,
  KTIMER,
  KWAIT_BLOCK,
} from '../../assembly/shared/layout';
import {
  KOBJECTS,
  KTHREAD_STATE,
  type KWAIT_REASON,
  MODE,
  THREAD_FLAG,
} from '../../assembly/shared/types';
import type { Machine } from './machine';
import type { KThread } from './views';

/** An object that a thread waits for. */
export interface WaitedObject {
  readonly type: KOBJECTS;
  readonly address: number;
  /** Row number in its table. */
  readonly index: number;
  readonly signalState: number;
  /** Of a semaphore. */
  readonly limit: number | undefined;
  /** Of a mutant; a thread owns its own end. */
  readonly owner: KThread | undefined;
  /** What it stands for, if it is the kernel's own. */
  readonly name: string | undefined;
}

/** A wait or delay of a thread. */
export interface ThreadWait {
  readonly reason: KWAIT_REASON;
  readonly mode: MODE;
  readonly alertable: boolean;
  /** For all of its objects, not for one. */
  readonly all: boolean;
  readonly objects: readonly WaitedObject[];
  /** Virtual time at which it ends at the latest; undefined: never. */
  readonly dueNs: number | undefined;
}

/** Addresses of the objects of a wait: of one object, or of several. */
function addressesOf(machine: Machine, thread: number, flags: number): number[] {
  const { memory } = machine;
  const own = thread + KTHREAD.WaitBlock;
  if ((flags & THREAD_FLAG.WaitMultiple) === 0)
    return (flags & THREAD_FLAG.WaitBlockInserted) === 0
      ? []
      : [memory.u32(own + KWAIT_BLOCK.Object)];
  const objects: number[] = [];
  let block = memory.u32(own + KWAIT_BLOCK.NextWaitBlock);
  while (block !== 0) {
    objects.push(memory.u32(block + KWAIT_BLOCK.Object));
    block = memory.u32(block + KWAIT_BLOCK.NextWaitBlock);
  }
  return objects;
}

function waitedObject(machine: Machine, address: number): WaitedObject {
  const { memory } = machine;
  const type: KOBJECTS = memory.u32(address + DISPATCHER_HEADER.Type);
  const owner =
    type === KOBJECTS.MutantObject
      ? memory.u32(address + KMUTANT.OwnerThread)
      : type === KOBJECTS.ThreadObject
        ? address
        : 0;
  return {
    type,
    address,
    index: machine.objectIndex(address),
    signalState: memory.i32(address + DISPATCHER_HEADER.SignalState),
    limit: type === KOBJECTS.SemaphoreObject ? memory.i32(address + KOBJECT.Limit) : undefined,
    owner: machine.threadAt(owner),
    name: machine.waits.get(address)?.name,
  };
}

/** What a thread waits for; undefined if it does not wait. */
export function waitOf(thread: KThread): ThreadWait | undefined {
  if (thread.state !== KTHREAD_STATE.Waiting) return undefined;
  const { machine, address } = thread;
  const { memory } = machine;
  const flags = memory.u32(address + KTHREAD.Flags);
  const timer = address + KTHREAD.Timer;
  const timed = (flags & THREAD_FLAG.TimerInserted) !== 0;
  return {
    reason: thread.waitReason,
    mode: (flags & THREAD_FLAG.UserWait) !== 0 ? MODE.UserMode : MODE.KernelMode,
    alertable: (flags & THREAD_FLAG.Alertable) !== 0,
    all: (flags & THREAD_FLAG.WaitAll) !== 0,
    objects: addressesOf(machine, address, flags).map((object) => waitedObject(machine, object)),
    dueNs: timed ? memory.u64(timer + KTIMER.DueTime64) : undefined,
  };
}

import {
  DISPATCHER_HEADER,
  KACTIVATION,
  KMUTANT,
  KPRCB,
  KSPIN_LOCK,
  KSYSTEM,
  KTHREAD,
  KWAIT_BLOCK,
} from '../../assembly/shared/layout';
import { ACTIVATION, KOBJECTS, KTHREAD_STATE, THREAD_FLAG } from '../../assembly/shared/types';
import type { Machine } from './machine';
import type { DeadlockLink } from './result';
import { nameOf } from './result';
import { KSpinLock } from './spinlock';
import type { KThread } from './views';

/** Who can never go on: circles of those that wait or spin for what another of them owns. */

/** The circle of processors that the core has found: each spins for a lock that the next holds. */
export function spinningCircle(machine: Machine): DeadlockLink[] {
  const { memory } = machine;
  const system = (field: number) => memory.u32(KSYSTEM.Address + field);
  const prcbOf = (processor: number) => system(KSYSTEM.PrcbBase) + processor * KPRCB.Size;
  const threadOn = (processor: number) => {
    const current = memory.u32(prcbOf(processor) + KPRCB.CurrentThread);
    return (machine.threadAt(current) ?? machine.idleThread).name;
  };
  const circle: DeadlockLink[] = [];
  const first = system(KSYSTEM.DeadlockProcessor) - 1;
  let processor = first;
  do {
    const row = processor * ACTIVATION.Levels * KTHREAD.Size;
    const node = memory.u32(prcbOf(processor) + KPRCB.Activation);
    const spinner = node !== 0 ? node : system(KSYSTEM.ActivationBase) + row;
    const lock = memory.u32(spinner + KACTIVATION.SpinLock);
    const object = machine.hostObject(lock);
    const name = object instanceof KSpinLock ? object.name : nameOf(machine, lock);
    const owner = memory.u32(lock + KSPIN_LOCK.Owner) - 1;
    const thread = threadOn(processor);
    circle.push({ thread, processor, waitsFor: name, ownedBy: threadOn(owner) });
    processor = owner;
  } while (processor !== first);
  return circle;
}

/** What a thread waits for that another owns, if that is all it waits for. */
function ownedWait(
  machine: Machine,
  thread: KThread,
): { object: string; owner: KThread } | undefined {
  if (thread.state !== KTHREAD_STATE.Waiting) return undefined;
  const { memory } = machine;
  const { address } = thread;
  const flags = memory.u32(address + KTHREAD.Flags);
  if ((flags & THREAD_FLAG.TimerInserted) !== 0) return undefined;
  const objects: number[] = [];
  if ((flags & THREAD_FLAG.WaitBlockInserted) !== 0) {
    objects.push(memory.u32(address + KTHREAD.WaitBlock + KWAIT_BLOCK.Object));
  } else if ((flags & THREAD_FLAG.WaitAll) !== 0) {
    let block = memory.u32(address + KTHREAD.WaitBlock + KWAIT_BLOCK.NextWaitBlock);
    for (; block !== 0; block = memory.u32(block + KWAIT_BLOCK.NextWaitBlock)) {
      objects.push(memory.u32(block + KWAIT_BLOCK.Object));
    }
  }
  for (const object of objects) {
    const noted = machine.waits.get(object);
    const [first] = noted?.owners ?? [];
    if (noted !== undefined && first !== undefined) {
      const self = noted.owners.find((owner) => owner.index === thread.index);
      return { object: noted.name, owner: self ?? first };
    }
    const type = memory.u32(object + DISPATCHER_HEADER.Type);
    const owner =
      type === KOBJECTS.MutantObject
        ? machine.threadAt(memory.u32(object + KMUTANT.OwnerThread))
        : type === KOBJECTS.ThreadObject
          ? machine.threadAt(object)
          : undefined;
    if (owner !== undefined && owner.index !== thread.index) {
      return { object: nameOf(machine, object), owner };
    }
  }
  return undefined;
}

/** The first circle of waiting threads, each for a mutant that the next owns or for its end; empty if there is none. */
export function waitingCircle(machine: Machine): DeadlockLink[] {
  const cleared = new Set<number>();
  for (const start of machine.allThreads()) {
    const path: { thread: KThread; link: DeadlockLink }[] = [];
    let thread = start;
    while (!cleared.has(thread.index)) {
      const again = path.findIndex((step) => step.thread.index === thread.index);
      if (again !== -1) return path.slice(again).map(({ link }) => link);
      const wait = ownedWait(machine, thread);
      if (wait === undefined) break;
      const link = { thread: thread.name, waitsFor: wait.object, ownedBy: wait.owner.name };
      path.push({ thread, link });
      thread = wait.owner;
    }
    for (const step of path) cleared.add(step.thread.index);
  }
  return [];
}

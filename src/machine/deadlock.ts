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

/** Something that a thread waits for, and one whom it has to wait for there. */
interface OwnedWait {
  readonly object: string;
  readonly owner: KThread;
}

/** The objects all of which a thread waits for, if nothing else ends its wait. */
export function awaitedObjects(machine: Machine, thread: KThread): number[] {
  if (thread.state !== KTHREAD_STATE.Waiting) return [];
  const { memory } = machine;
  const { address } = thread;
  const flags = memory.u32(address + KTHREAD.Flags);
  if ((flags & THREAD_FLAG.TimerInserted) !== 0) return [];
  if ((flags & THREAD_FLAG.WaitBlockInserted) !== 0) {
    return [memory.u32(address + KTHREAD.WaitBlock + KWAIT_BLOCK.Object)];
  }
  const objects: number[] = [];
  if ((flags & THREAD_FLAG.WaitAll) === 0) return objects;
  let block = memory.u32(address + KTHREAD.WaitBlock + KWAIT_BLOCK.NextWaitBlock);
  for (; block !== 0; block = memory.u32(block + KWAIT_BLOCK.NextWaitBlock)) {
    objects.push(memory.u32(block + KWAIT_BLOCK.Object));
  }
  return objects;
}

/** Who must let go of an object, or end, before a wait for it ends. */
export function ownersOf(machine: Machine, object: number): readonly KThread[] {
  const held = machine.waits.get(object);
  if (held !== undefined) return held.owners;
  const type = machine.memory.u32(object + DISPATCHER_HEADER.Type);
  const owner =
    type === KOBJECTS.MutantObject
      ? machine.threadAt(machine.memory.u32(object + KMUTANT.OwnerThread))
      : type === KOBJECTS.ThreadObject
        ? machine.threadAt(object)
        : undefined;
  return owner === undefined ? [] : [owner];
}

function* ownedWaits(machine: Machine, thread: KThread): Generator<OwnedWait, undefined> {
  for (const object of awaitedObjects(machine, thread)) {
    const name = nameOf(machine, object);
    for (const owner of ownersOf(machine, object)) yield { object: name, owner };
  }
}

/** A thread on the way from one to the next, with what is left to look at. */
interface Step {
  readonly thread: KThread;
  readonly waits: Iterator<OwnedWait, undefined>;
  wait: OwnedWait | undefined;
}

/** The circle that leads from a thread back to one on the way, if there is one. `cleared` are in none. */
function circleFrom(machine: Machine, start: KThread, cleared: Set<number>): DeadlockLink[] {
  const path: Step[] = [];
  const onPath = new Set<number>();
  const enter = (thread: KThread) => {
    path.push({ thread, waits: ownedWaits(machine, thread), wait: undefined });
    onPath.add(thread.index);
  };
  enter(start);
  for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
    step.wait = step.waits.next().value;
    if (step.wait === undefined) {
      path.pop();
      onPath.delete(step.thread.index);
      cleared.add(step.thread.index);
      continue;
    }
    const { owner } = step.wait;
    if (onPath.has(owner.index)) {
      const first = path.findIndex(({ thread }) => thread.index === owner.index);
      return path
        .slice(first)
        .flatMap(({ thread: { name }, wait }) =>
          wait === undefined
            ? []
            : [{ thread: name, waitsFor: wait.object, ownedBy: wait.owner.name }],
        );
    }
    if (!cleared.has(owner.index)) enter(owner);
  }
  return [];
}

/**
 * The first circle of waiting threads, each for what the next owns or for its end; empty if there is
 * none. Who waits for what several own waits for all of them.
 */
export function waitingCircle(machine: Machine): DeadlockLink[] {
  const cleared = new Set<number>();
  for (const start of machine.allThreads()) {
    if (cleared.has(start.index)) continue;
    const circle = circleFrom(machine, start, cleared);
    if (circle.length !== 0) return circle;
  }
  return [];
}

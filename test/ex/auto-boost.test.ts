import { describe, expect, test } from 'vitest';
import { PRIORITY_CHANGE } from '../../assembly/shared/event';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { EResource, resourceOwnerPointer } from '../../src/ex/eresource';
import { ExAcquireFastMutex, ExReleaseFastMutex, FastMutex } from '../../src/ex/fast-mutex';
import {
  EX_PUSH_LOCK_FLAG_DISABLE_AUTOBOOST,
  ExAcquirePushLockExclusive,
  ExAcquirePushLockSharedEx,
  ExPushLock,
  ExReleasePushLockExclusive,
  ExReleasePushLockSharedEx,
} from '../../src/ex/push-lock';
import {
  ExAcquireResourceExclusiveLite,
  ExAcquireResourceSharedLite,
  ExAcquireSharedStarveExclusive,
  ExDisableResourceBoostLite,
  ExEnterCriticalRegionAndAcquireResourceExclusive,
  ExReleaseResourceAndLeaveCriticalRegion,
  ExReleaseResourceForThreadLite,
  ExReleaseResourceLite,
  ExSetResourceOwnerPointerEx,
  FLAG_OWNER_POINTER_IS_THREAD,
} from '../../src/ex/resource';
import { KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeEnterCriticalRegion, KeLeaveCriticalRegion } from '../../src/ke/irql';
import { KeSetBasePriorityThread, KeSetPriorityThread } from '../../src/ke/priority';
import { KeDelayExecutionThread, NtYieldExecution } from '../../src/ke/time';
import type { NtCall } from '../../src/machine/guest';
import type { Machine } from '../../src/machine/machine';
import type { ProfileOptions } from '../../src/machine/profile';
import type { KThread } from '../../src/machine/views';
import { type Holder, holder, startHolder } from '../ke/holder';
import { MS, priorityLevels, quietMachine, recordsOf, TICK } from '../records';

const holding = (mutex: FastMutex, increment = 0) => ({
  acquire: () => ExAcquireFastMutex(mutex),
  release: () => ExReleaseFastMutex(mutex),
  increment,
});

/** What a thread's priority changed to, and why. */
const changes = (machine: Machine, thread: KThread) =>
  recordsOf(machine, 'priority')
    .filter((record) => record.thread === thread.index)
    .map(({ newPriority, basePriority, change }) => [newPriority, basePriority, change]);

/** A machine on which an owner of priority 6 has a mutex that waiters of given priorities wait for. */
async function contended(priorities: readonly number[], profile: ProfileOptions = {}) {
  const machine = await quietMachine({ profile });
  const mutex = new FastMutex();
  const owner = holder(machine, 'owner', holding(mutex, -2));
  const waiters = priorities.map((priority, index) => {
    const waiter = holder(machine, `waiter ${index}`, holding(mutex));
    waiter.thread.setPriority(priority);
    return waiter;
  });
  machine.systemProcess.createThread(function* () {
    yield* startHolder(owner);
    for (const waiter of waiters) yield* startHolder(waiter, -200_000);
  });
  machine.run();
  return { machine, mutex, owner, waiters };
}

/** Holders of a thread's own, by the thread. */
const holders = new WeakMap<KThread, Holder>();

/** Lets a thread release what it has. */
function ends(machine: Machine, thread: KThread): void {
  holders.get(thread)?.finish();
  machine.run();
}

/** Three threads of priority 6 that share a resource, the last of which came after one of 13 that wants it alone. */
async function shared(machine: Machine, resource: EResource) {
  const make = (name: string, acquire: () => NtCall<unknown>, increment: number) => {
    const made = holder(machine, name, {
      enter: KeEnterCriticalRegion,
      acquire,
      release: () => ExReleaseResourceLite(resource),
      leave: KeLeaveCriticalRegion,
      increment,
    });
    holders.set(made.thread, made);
    made.thread.start();
    machine.run();
    return made.thread;
  };
  const share = () => ExAcquireResourceSharedLite(resource, true);
  const first = make('first', share, -2);
  const second = make('second', share, -2);
  const writer = make('writer', () => ExAcquireResourceExclusiveLite(resource, true), 5);
  const late = make('late', () => ExAcquireSharedStarveExclusive(resource, true), -2);
  return [first, second, late, writer] as const;
}

describe('AutoBoost', () => {
  test('lifts the owner to who waits, and lets it drop when it releases', async () => {
    const { machine, owner } = await contended([12]);
    expect([owner.thread.priority, owner.thread.basePriority]).toEqual([12, 6]);
    owner.finish();
    machine.run();
    expect(changes(machine, owner.thread)).toEqual([
      [12, 6, PRIORITY_CHANGE.AutoBoost],
      [6, 6, PRIORITY_CHANGE.AutoBoostEnd],
    ]);
  });

  test('lifts to the highest of those who wait', async () => {
    const { owner } = await contended([9, 13, 11]);
    expect(owner.thread.priority).toBe(13);
  });

  test('lifts to 14 at most', async () => {
    const { owner } = await contended([20]);
    expect(owner.thread.priority).toBe(14);
  });

  test('lifts nobody above whom he is', async () => {
    const { machine, owner } = await contended([4]);
    expect(owner.thread.priority).toBe(6);
    expect(changes(machine, owner.thread)).toEqual([]);
  });

  test('lifts nobody where the profile has no boosts', async () => {
    const { owner } = await contended([12], { boosts: false });
    expect(owner.thread.priority).toBe(6);
  });

  test('lifts the next owner to those who still wait', async () => {
    const { machine, owner, waiters } = await contended([5, 11]);
    owner.finish();
    machine.run();
    const [next] = waiters;
    expect(next?.thread.priority).toBe(11);
    next?.finish();
    machine.run();
    expect(owner.thread.priority).toBe(6);
  });

  test('passes from an owner that waits to the owner of what it waits for', async () => {
    const machine = await quietMachine();
    const near = new FastMutex();
    const far = new FastMutex();
    const last = holder(machine, 'last', holding(far, -2));
    const first = holder(machine, 'first', holding(near));
    first.thread.setPriority(13);
    const middle = machine.systemProcess.createThread(
      function* () {
        yield* ExAcquireFastMutex(near);
        yield* ExAcquireFastMutex(far);
        yield* ExReleaseFastMutex(far);
        yield* ExReleaseFastMutex(near);
      },
      { start: false },
    );
    machine.systemProcess.createThread(function* () {
      yield* startHolder(last);
      middle.start();
    });
    machine.run();
    first.thread.start();
    machine.run();
    expect([last.thread.priority, middle.priority]).toEqual([13, 13]);
    last.finish();
    machine.run();
    expect(priorityLevels(machine, last.thread)).toEqual([8, 13, 6]);
    expect(changes(machine, middle)).toEqual([
      [13, 8, PRIORITY_CHANGE.AutoBoost],
      [9, 8, PRIORITY_CHANGE.AutoBoostEnd],
    ]);
  });

  test('follows the priority that is set for who waits, along the chain, up and down', async () => {
    const { machine, mutex, owner, waiters } = await contended([9]);
    const [waiter] = waiters as [Holder];
    waiter.thread.setPriority(12);
    const raised = owner.thread.priority;
    machine.systemProcess.createThread(function* () {
      yield* KeSetPriorityThread(waiter.thread, 7);
    });
    machine.run();
    const lowered = owner.thread.priority;
    machine.systemProcess.createThread(function* () {
      yield* KeSetBasePriorityThread(waiter.thread, 5);
    });
    machine.run();
    expect([raised, lowered, owner.thread.priority]).toEqual([12, 7, 13]);
    owner.finish();
    machine.run();
    expect([owner.thread.priority, mutex.owner]).toEqual([6, waiter.thread]);
  });

  test('of two locks ends with the release of the one that lifts', async () => {
    const machine = await quietMachine();
    const low = new FastMutex();
    const high = new FastMutex();
    const go = machine.createEvent('synchronization');
    const owner = machine.systemProcess.createThread(
      function* () {
        yield* ExAcquireFastMutex(low);
        yield* ExAcquireFastMutex(high);
        yield* KeWaitForSingleObject(go, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
        yield* ExReleaseFastMutex(high);
        yield* KeWaitForSingleObject(go, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
        yield* ExReleaseFastMutex(low);
      },
      { increment: -2 },
    );
    machine.run();
    for (const [mutex, priority] of [
      [low, 9],
      [high, 12],
    ] as const) {
      const { thread } = holder(machine, `waiter ${priority}`, holding(mutex));
      thread.setPriority(priority);
      thread.start();
    }
    machine.run();
    const levels = [owner.priority];
    go.set();
    machine.run();
    levels.push(owner.priority);
    go.set();
    machine.run();
    expect([...levels, owner.priority]).toEqual([12, 9, 6]);
  });

  test('keeps one who computes from holding up a higher one by way of a lower one', async () => {
    const machine = await quietMachine({ processors: 1 });
    const mutex = new FastMutex();
    const order: string[] = [];
    const low = machine.systemProcess.createThread(
      function* () {
        yield* ExAcquireFastMutex(mutex);
        yield* KeStallExecutionProcessor(20_000);
        yield* ExReleaseFastMutex(mutex);
        order.push('low');
      },
      { increment: -2 },
    );
    machine.run({ until: MS });
    machine.systemProcess.createThread(function* () {
      yield* KeStallExecutionProcessor(50_000);
      order.push('middle');
    });
    const high = machine.systemProcess.createThread(
      function* () {
        yield* ExAcquireFastMutex(mutex);
        yield* ExReleaseFastMutex(mutex);
        order.push('high');
      },
      { increment: 2 },
    );
    machine.run({ until: 15 * MS });
    expect([low.priority, high.state]).toEqual([10, KTHREAD_STATE.Waiting]);
    machine.run();
    expect(order).toEqual(['high', 'middle', 'low']);
  });

  test('holds out against quantum ends, and leaves the decay of a boost to go on underneath', async () => {
    const machine = await quietMachine({ processors: 1 });
    const mutex = new FastMutex();
    const event = machine.createEvent('synchronization');
    const owner = machine.systemProcess.createThread(function* () {
      yield* ExAcquireFastMutex(mutex);
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      yield* KeStallExecutionProcessor((30 * TICK) / 1000);
      yield* ExReleaseFastMutex(mutex);
    });
    machine.run();
    const { thread: waiter } = holder(machine, 'waiter', holding(mutex));
    waiter.setPriority(10);
    waiter.start();
    machine.run();
    event.set(6);
    machine.run();
    expect(changes(machine, owner)).toEqual([
      [10, 8, PRIORITY_CHANGE.AutoBoost],
      [14, 8, PRIORITY_CHANGE.Unwait],
      [13, 8, PRIORITY_CHANGE.QuantumEnd],
      [12, 8, PRIORITY_CHANGE.QuantumEnd],
      [11, 8, PRIORITY_CHANGE.QuantumEnd],
      [10, 8, PRIORITY_CHANGE.QuantumEnd],
      [8, 8, PRIORITY_CHANGE.AutoBoostEnd],
    ]);
  });

  test('is a floor under a priority that is set meanwhile', async () => {
    const { machine, owner } = await contended([12]);
    owner.thread.setPriority(9);
    const lowered = owner.thread.priority;
    owner.thread.setPriority(14);
    const raised = owner.thread.priority;
    owner.thread.setBasePriority(1);
    const based = [owner.thread.priority, owner.thread.basePriority];
    owner.finish();
    machine.run();
    expect([lowered, raised, based, owner.thread.priority]).toEqual([12, 14, [12, 9], 9]);
  });

  test('leaves a real-time owner alone', async () => {
    const { machine, owner } = await contended([12]);
    owner.thread.setPriority(18);
    const realTime = owner.thread.priority;
    owner.finish();
    machine.run();
    expect([realTime, owner.thread.priority]).toEqual([18, 18]);
  });

  test('lifts all who share a resource, and those who come to share it meanwhile', async () => {
    const machine = await quietMachine();
    const resource = new EResource().initialize();
    const [first, second, late, writer] = await shared(machine, resource);
    expect([first, second, late].map(({ priority }) => priority)).toEqual([13, 13, 13]);
    ends(machine, second);
    expect([first, second, late].map(({ priority }) => priority)).toEqual([13, 6, 13]);
    ends(machine, first);
    ends(machine, late);
    expect([first, late].map(({ priority }) => priority)).toEqual([6, 6]);
    expect(resource.owners).toEqual([writer]);
  });

  test('of a resource is turned off by ExDisableResourceBoostLite', async () => {
    const machine = await quietMachine();
    const resource = new EResource().initialize();
    const [first] = await shared(machine, resource);
    const lifted = first.priority;
    machine.systemProcess.createThread(function* () {
      ExDisableResourceBoostLite(resource);
      yield* NtYieldExecution();
    });
    machine.run();
    expect([lifted, first.priority]).toEqual([13, 6]);
  });

  test('is for a thread that an owner pointer stands for, not for who set that', async () => {
    const machine = await quietMachine();
    const resource = new EResource().initialize();
    const stand = machine.systemProcess.createThread(function* () {}, {
      start: false,
      increment: -2,
    });
    const setter = machine.systemProcess.createThread(function* () {
      yield* ExEnterCriticalRegionAndAcquireResourceExclusive(resource);
      const pointer = resourceOwnerPointer(stand);
      yield* ExSetResourceOwnerPointerEx(resource, pointer, FLAG_OWNER_POINTER_IS_THREAD);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -1_000_000);
      yield* ExReleaseResourceForThreadLite(resource, pointer);
      yield* KeLeaveCriticalRegion();
    });
    const { thread: waiter } = holder(machine, 'waiter', {
      acquire: () => ExEnterCriticalRegionAndAcquireResourceExclusive(resource),
      release: () => ExReleaseResourceAndLeaveCriticalRegion(resource),
      increment: 5,
    });
    machine.run({ until: MS });
    waiter.start();
    machine.run({ until: 50 * MS });
    const lifted = [stand.priority, setter.priority];
    machine.run();
    expect([lifted, stand.priority]).toEqual([[13, 8], 6]);
  });

  test.each([
    [0, 13],
    [EX_PUSH_LOCK_FLAG_DISABLE_AUTOBOOST, 6],
  ])('of a push lock that is acquired with flags %i gives its owner priority %i', async (flags, priority) => {
    const machine = await quietMachine();
    const lock = new ExPushLock();
    const owner = holder(machine, 'owner', {
      enter: KeEnterCriticalRegion,
      acquire: () => ExAcquirePushLockSharedEx(lock, flags),
      release: () => ExReleasePushLockSharedEx(lock, flags),
      leave: KeLeaveCriticalRegion,
      increment: -2,
    });
    owner.thread.start();
    machine.run();
    const waiter = holder(machine, 'waiter', {
      enter: KeEnterCriticalRegion,
      acquire: () => ExAcquirePushLockExclusive(lock),
      release: () => ExReleasePushLockExclusive(lock),
      leave: KeLeaveCriticalRegion,
      increment: 5,
    });
    waiter.thread.start();
    machine.run();
    const lifted = owner.thread.priority;
    owner.finish();
    machine.run();
    expect([lifted, owner.thread.priority, lock.owners]).toEqual([priority, 6, [waiter.thread]]);
  });
});

import { describe, expect, test } from 'vitest';
import { PRIORITY_CHANGE } from '../../assembly/shared/event';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { ExAcquireFastMutex, ExReleaseFastMutex, FastMutex } from '../../src/ex/fast-mutex';
import { KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import type { Machine } from '../../src/machine/machine';
import type { ProfileOptions } from '../../src/machine/profile';
import type { KThread } from '../../src/machine/views';
import { holder, startHolder } from '../ke/holder';
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
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  ExInitializeWorkItem,
  ExQueueWorkItem,
  WORK_QUEUE_TYPE,
  WorkQueueItem,
  workerPool,
} from '../../src/ex/worker';
import { KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeSetPriorityThread } from '../../src/ke/priority';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { currentGuest } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { check } from './check';

const FILE = 'test/property/worker.test.ts';
const TYPES = [12, 13, 15, 8, 7, 18, 14].map((priority, index) => ({
  type: [1, 0, 2, 3, 4, 5, 6][index] as WORK_QUEUE_TYPE,
  priority,
}));
const sleep = (ms: number) => KeDelayExecutionThread(MODE.KernelMode, false, ms * -10_000);

function* queueItem(type: WORK_QUEUE_TYPE, body: () => Generator<readonly number[], void, number>) {
  const item = new WorkQueueItem();
  ExInitializeWorkItem(item, body, null);
  yield* ExQueueWorkItem(item, type);
}

test('a single worker thread takes what is queued by priority, and in order within one', async () => {
  const types = fc.array(fc.constantFrom(...TYPES), { maxLength: 30 });
  await check(FILE, types, 60, async (items) => {
    const profile = { workerThreads: 1, workerThreadsMaximum: 1 };
    const machine = await Machine.create({ profile });
    const gate = machine.createEvent('notification');
    const started: number[] = [];
    machine.systemProcess.createThread(function* () {
      yield* KeSetPriorityThread(currentGuest('test').thread, 31);
      yield* queueItem(WORK_QUEUE_TYPE.DelayedWorkQueue, function* () {
        yield* KeWaitForSingleObject(gate, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      });
      yield* sleep(1);
      for (const [index, { type }] of items.entries()) {
        // biome-ignore lint/correctness/useYield: it only notes that it runs
        yield* queueItem(type, function* () {
          started.push(index);
        });
      }
      gate.set();
    });
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    const expected = [...items.keys()].sort(
      (a, b) => (items[b]?.priority ?? 0) - (items[a]?.priority ?? 0) || a - b,
    );
    expect(started).toEqual(expected);
  });
});

interface Load {
  readonly processors: number;
  readonly workerThreads: number;
  readonly more: number;
  readonly items: readonly {
    readonly type: WORK_QUEUE_TYPE;
    readonly stallUs: number;
    readonly sleepMs: number;
    readonly gapMs: number;
  }[];
}

const loads: fc.Arbitrary<Load> = fc.record({
  processors: fc.integer({ min: 1, max: 4 }),
  workerThreads: fc.integer({ min: 1, max: 4 }),
  more: fc.integer({ min: 0, max: 6 }),
  items: fc.array(
    fc.record({
      type: fc.constantFrom(
        ...TYPES.map(({ type }) => type),
        WORK_QUEUE_TYPE.CustomPriorityWorkQueue + 3,
      ),
      stallUs: fc.constantFrom(1, 100, 30_000),
      sleepMs: fc.constantFrom(0, 1, 3000),
      gapMs: fc.constantFrom(0, 0, 0, 5, 700),
    }),
    { maxLength: 25 },
  ),
});

test('every item is called once, by a thread that has no other, and the machine comes to rest', async () => {
  await check(FILE, loads, 60, async ({ processors, workerThreads, more, items }) => {
    const workerThreadsMaximum = workerThreads + more;
    const profile = { workerThreads, workerThreadsMaximum };
    const machine = await Machine.create({ processors, profile });
    const pool = workerPool(machine);
    const calls = items.map(() => 0);
    const busy = new Set<string>();
    const faults: string[] = [];
    let most = 0;
    machine.systemProcess.createThread(function* () {
      for (const [index, { type, stallUs, sleepMs, gapMs }] of items.entries()) {
        yield* queueItem(type, function* () {
          const { name } = currentGuest('test').thread;
          calls[index] = (calls[index] ?? 0) + 1;
          if (busy.has(name)) faults.push(`${name} has two items`);
          busy.add(name);
          most = Math.max(most, pool.threadCount);
          yield* KeStallExecutionProcessor(stallUs);
          if (sleepMs !== 0) yield* sleep(sleepMs);
          busy.delete(name);
        });
        if (gapMs !== 0) yield* sleep(gapMs);
      }
    });
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect([calls, faults, busy.size, pool.queuedItems]).toEqual([items.map(() => 1), [], 0, 0]);
    expect(most).toBeLessThanOrEqual(workerThreadsMaximum);
    expect(pool.threadCount).toBeLessThanOrEqual(workerThreads);
  });
});

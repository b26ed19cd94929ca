import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE, KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import {
  KeReadStateEvent,
  KeReleaseSemaphore,
  KeResetEvent,
  KeSetEvent,
  KeWaitForMultipleObjects,
  KeWaitForSingleObject,
} from '../../src/ke/ddi';
import { EVENT_TYPE, KeInitializeEvent, KeInitializeSemaphore } from '../../src/ke/initialize';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KernelObject } from '../../src/machine/views';
import { runGuest } from './guest';

const SUCCESS = STATUS.SUCCESS;
const TIMEOUT = STATUS.TIMEOUT;
const wait = (object: KernelObject, timeout: number | null = 0) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);
const waitMany = (
  objects: readonly KernelObject[],
  type: WAIT_TYPE,
  timeout: number | null = 0,
  blocks: readonly unknown[] | null = null,
) =>
  KeWaitForMultipleObjects(
    objects,
    type,
    KWAIT_REASON.Executive,
    MODE.KernelMode,
    false,
    timeout,
    blocks,
  );
const any = (...objects: KernelObject[]) => waitMany(objects, WAIT_TYPE.WaitAny);
const all = (...objects: KernelObject[]) => waitMany(objects, WAIT_TYPE.WaitAll);

describe('polls', () => {
  test('ke.wait-002: a wait takes nothing from a notification event', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('notification');
      const before = [yield* wait(event), KeReadStateEvent(event)];
      yield* KeSetEvent(event, 0, false);
      const set = [KeReadStateEvent(event), yield* wait(event), yield* wait(event)];
      yield* KeResetEvent(event);
      return [...before, ...set, yield* wait(event)];
    });
    expect(value).toEqual([TIMEOUT, 0, 1, SUCCESS, SUCCESS, TIMEOUT]);
  });

  test('ke.wait-003: a wait takes the signal of a synchronization event', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('synchronization');
      const before = yield* wait(event);
      yield* KeSetEvent(event, 0, false);
      const set = [yield* wait(event), yield* wait(event)];
      KeInitializeEvent(event, EVENT_TYPE.SynchronizationEvent, true);
      return [before, ...set, yield* wait(event)];
    });
    expect(value).toEqual([TIMEOUT, SUCCESS, TIMEOUT, SUCCESS]);
  });

  test('ke.wait-004: of several signaled objects the lowest index ends the wait, and only it is taken', async () => {
    const { value } = await runGuest(function* (machine) {
      const notification = machine.createEvent('notification');
      const synchronization = machine.createEvent('synchronization');
      const neither = yield* any(notification, synchronization);
      notification.set();
      synchronization.set();
      const both = [yield* any(notification, synchronization), yield* wait(synchronization)];
      notification.reset();
      synchronization.set();
      const second = [
        yield* any(notification, synchronization),
        yield* any(notification, synchronization),
      ];
      return [neither, ...both, ...second];
    });
    expect(value).toEqual([TIMEOUT, 0, SUCCESS, 1, TIMEOUT]);
  });

  test('ke.wait-005: a wait for all takes all or nothing', async () => {
    const { value } = await runGuest(function* (machine) {
      const notification = machine.createEvent('notification', true);
      const synchronization = machine.createEvent('synchronization', true);
      const both = yield* all(notification, synchronization);
      const again = yield* all(notification, synchronization);
      synchronization.set();
      notification.reset();
      const half = yield* all(notification, synchronization);
      return [both, again, half, yield* wait(synchronization)];
    });
    expect(value).toEqual([0, TIMEOUT, TIMEOUT, SUCCESS]);
  });

  test('ke.wait-006: a wait for one of several goes on to the next once the first is taken', async () => {
    const { value } = await runGuest(function* (machine) {
      const synchronization = machine.createEvent('synchronization', true);
      const notification = machine.createEvent('notification', true);
      return [
        yield* any(synchronization, notification),
        yield* any(synchronization, notification),
        yield* any(synchronization, notification),
      ];
    });
    expect(value).toEqual([0, 1, 1]);
  });

  test('ke.wait-016: of 64 objects exactly one is taken, the lowest that is signaled', async () => {
    const { value } = await runGuest(function* (machine) {
      const first = machine.createEvent('notification', true);
      const others = Array.from({ length: 63 }, () => machine.createEvent('synchronization', true));
      const objects = [first, ...others];
      const blocks = new Array(64).fill(0);
      const statuses = [
        yield* waitMany(objects, WAIT_TYPE.WaitAny, 0, blocks),
        yield* waitMany(objects, WAIT_TYPE.WaitAny, 0, blocks),
      ];
      first.reset();
      for (let count = 0; count < 64; count++) {
        statuses.push(yield* waitMany(objects, WAIT_TYPE.WaitAny, 0, blocks));
      }
      return statuses;
    });
    expect(value).toEqual([0, 0, ...Array.from({ length: 63 }, (_, index) => index + 1), TIMEOUT]);
  });

  test('ke.semaphore-001: a semaphore counts', async () => {
    const { value } = await runGuest(function* (machine) {
      const semaphore = machine.createSemaphore(2, 2);
      KeInitializeSemaphore(semaphore, 0, 5);
      const before = yield* wait(semaphore);
      const released: number[] = [];
      for (const adjustment of [1, 2, 1]) {
        released.push(yield* KeReleaseSemaphore(semaphore, 0, adjustment, false));
      }
      const taken: number[] = [];
      for (let count = 0; count < 5; count++) taken.push(yield* wait(semaphore));
      const other = machine.createSemaphore(3, 5);
      const three = yield* KeReleaseSemaphore(other, 0, 1, false);
      for (let count = 0; count < 4; count++) taken.push(yield* wait(other));
      return [before, released, taken, three];
    });
    expect(value).toEqual([TIMEOUT, [0, 1, 3], [0, 0, 0, 0, TIMEOUT, 0, 0, 0, 0], 3]);
  });

  test('ke.semaphore-002: waits for one and for all of two semaphores', async () => {
    const { value } = await runGuest(function* (machine) {
      const [first, second] = [machine.createSemaphore(0), machine.createSemaphore(0)];
      const before = yield* any(first, second);
      first.release();
      second.release();
      const one = [yield* any(first, second), yield* any(first, second), yield* any(first, second)];
      first.release();
      second.release();
      return [before, one, yield* all(first, second), yield* any(first, second)];
    });
    expect(value).toEqual([TIMEOUT, [0, 1, TIMEOUT], 0, TIMEOUT]);
  });
});

describe('blocked waits', () => {
  test('a wait for one of several ends with the index of the object that is signaled', async () => {
    const { value, machine } = await runGuest(function* (machine) {
      const events = [0, 1, 2].map(() => machine.createEvent('synchronization'));
      machine.systemProcess.createThread(function* () {
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
        yield* KeSetEvent(events[2] ?? machine.createEvent('notification'), 1, false);
      });
      const status = yield* waitMany(events, WAIT_TYPE.WaitAny, null);
      return [status, ...events.map((event) => event.signalState)];
    });
    expect(value).toEqual([2, 0, 0, 0]);
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
  });

  test('a wait for all lets others take one of its objects until all are signaled', async () => {
    const { value } = await runGuest(function* (machine) {
      const first = machine.createEvent('synchronization');
      const second = machine.createEvent('synchronization');
      const order: string[] = [];
      const both = machine.systemProcess.createThread(function* () {
        order.push(`both ${yield* waitMany([first, second], WAIT_TYPE.WaitAll, null)}`);
      });
      const one = machine.systemProcess.createThread(function* () {
        order.push(`one ${yield* wait(first, null)}`);
      });
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      yield* KeSetEvent(first, 1, false);
      yield* wait(one, null);
      yield* KeSetEvent(second, 1, false);
      const early = both.state;
      yield* KeSetEvent(first, 1, false);
      yield* wait(both, null);
      return [order, early, first.signalState, second.signalState];
    });
    expect(value).toEqual([['one 0', 'both 0'], KTHREAD_STATE.Waiting, 0, 0]);
  });

  test('a wait for several ends with STATUS_TIMEOUT at its time, and leaves nothing in the lists', async () => {
    const { value } = await runGuest(function* (machine) {
      const events = [0, 1].map(() => machine.createEvent('synchronization'));
      const status = yield* waitMany(events, WAIT_TYPE.WaitAll, -100_000);
      for (const event of events) event.delete();
      return [status, Math.floor(machine.now / 1e6)];
    });
    expect(value).toEqual([TIMEOUT, 15]);
  });

  test('waits for the same event by its two kinds of waiters end first come, first served', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('synchronization');
      const other = machine.createEvent('synchronization');
      const order: string[] = [];
      for (const name of ['a', 'b', 'c']) {
        machine.systemProcess.createThread(function* () {
          if (name === 'b') yield* waitMany([other, event], WAIT_TYPE.WaitAny, null);
          else yield* wait(event, null);
          order.push(name);
        });
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      }
      for (let count = 0; count < 3; count++) yield* KeSetEvent(event, 1, false);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      return order;
    });
    expect(value).toEqual(['a', 'b', 'c']);
  });

  test('more than 3 objects without wait blocks are bugcheck MAXIMUM_WAIT_OBJECTS_EXCEEDED', async () => {
    const machine = await Machine.create();
    const events = [0, 1, 2, 3].map(() => machine.createEvent('notification'));
    machine.systemProcess.createThread(function* () {
      yield* waitMany(events, WAIT_TYPE.WaitAny);
    });
    expect(machine.run()).toMatchObject({ reason: 'bugcheck', code: 0xc });
  });

  test('without free wait blocks a wait for several fails, and nothing has changed', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const events = [0, 1, 2].map(() => machine.createEvent('synchronization'));
        const status = yield* waitMany(events, WAIT_TYPE.WaitAny, null);
        for (const event of events) event.delete();
        return status;
      },
      { capacities: { waitBlocks: 2 } },
    );
    expect(value).toBe(STATUS.INSUFFICIENT_RESOURCES);
  });

  test('a stale object among several is STATUS_INVALID_HANDLE, and no other is taken', async () => {
    const { value } = await runGuest(function* (machine) {
      const gone = machine.createEvent('notification');
      const event = machine.createEvent('synchronization', true);
      gone.delete();
      return [yield* any(event, gone), event.signalState];
    });
    expect(value).toEqual([STATUS.INVALID_HANDLE, 1]);
  });

  test('when nothing can happen any more, a wait for several is told with its objects', async () => {
    const machine = await Machine.create();
    const event = machine.createEvent('notification');
    const mutant = machine.createMutant();
    const process = machine.createProcess({ name: 'p' });
    const owner = machine.loadProgram(program('owner', (p) => p.wait(mutant).wait(event)));
    const waiter = machine.loadProgram(
      program('waiter', (p) =>
        p.compute(1_000_000).waitMultiple([event, mutant], WAIT_TYPE.WaitAll),
      ),
    );
    process.createThread(owner);
    process.createThread(waiter);
    expect(machine.run()).toMatchObject({
      reason: 'idle',
      waiting: [
        { name: 'owner', waitsFor: 'notification event 1 (Executive)' },
        { name: 'waiter', waitsFor: 'all of notification event 1, mutant 2 (Executive)' },
      ],
    });
  });

  test('the loader refuses a wait for no objects, and one that is cut short', async () => {
    const machine = await Machine.create();
    const wait2 = [0x1b | (1 << 8), 2, 0, 0, 1, 0, 2, 0];
    const load = (words: number[]) =>
      machine.loadProgram({ name: 'bad', words: Uint32Array.from(words) });
    expect(() => load([0x1b, 0, 0, 0])).toThrow("word 0: 'waitMultiple': 0 objects, from 1 to 64");
    expect(() => load(wait2.slice(0, 6))).toThrow(
      "word 0: 'waitMultiple' takes 8 words, 6 are left",
    );
    expect(() => load([0x1b | (2 << 8), ...wait2.slice(1)])).toThrow(
      'wait type 2; 0 is all, 1 any',
    );
  });
});

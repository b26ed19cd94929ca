import { describe, expect, test } from 'vitest';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import {
  KeQueryPriorityThread,
  KeSetBasePriorityThread,
  KeSetPriorityThread,
} from '../../src/ke/priority';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { Machine } from '../../src/machine/machine';
import type { KernelObject } from '../../src/machine/views';
import { runGuest } from './guest';

const wait = (object: KernelObject) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, null);

/** The waiter C and the setter M of ke.sched-001 and 002. */
async function pingPong(increment: number) {
  const machine = await Machine.create();
  const [e, w] = [machine.createEvent('synchronization'), machine.createEvent('synchronization')];
  const log: number[] = [];
  const previous = new Set<number>();
  let counter = 0;
  let priority = 0;
  const waiter = machine.systemProcess.createThread(function* () {
    for (let turn = 0; turn < 1000; turn++) {
      yield* KeSetEvent(w, 0, true);
      yield* wait(e);
      log.push(counter);
    }
    priority = KeQueryPriorityThread(waiter);
  });
  const setter = machine.systemProcess.createThread(function* () {
    for (let turn = 1; turn <= 1000; turn++) {
      yield* wait(w);
      previous.add(yield* KeSetEvent(e, increment, false));
      counter = turn;
    }
  });
  machine.run();
  return { log, previous: [...previous], priority, setter: setter.priority };
}

describe('boosts by KeSetEvent', () => {
  test.each([
    [1, 9],
    [2, 10],
    [3, 11],
    [4, 12],
    [5, 13],
    [6, 14],
    [7, 15],
    [8, 15],
  ])('ke.sched-001: a waiter woken with increment %i preempts at once, at priority %i', async (increment, boosted) => {
    const { log, previous, priority, setter } = await pingPong(increment);
    expect(log).toEqual(Array.from({ length: 1000 }, (_, turn) => turn));
    expect([previous, priority, setter]).toEqual([[0], boosted, 8]);
  });

  test('ke.sched-002: a waiter woken without an increment does not preempt, and stays at 8', async () => {
    const { log, priority } = await pingPong(0);
    expect(log.every((value, turn) => value === turn || value === turn + 1)).toBe(true);
    expect([log.length, priority]).toEqual([1000, 8]);
  });
});

describe('KeSetPriorityThread', () => {
  test('it returns the old priority, leaves the base, and ends a boost', async () => {
    const { value, thread } = await runGuest(function* (_, self) {
      const old = yield* KeSetPriorityThread(self, 16);
      return [old, KeQueryPriorityThread(self), yield* KeSetPriorityThread(self, 31)];
    });
    expect(value).toEqual([8, 16, 16]);
    expect([thread.priority, thread.basePriority]).toEqual([31, 8]);
  });

  test('a thread that is raised above the caller runs before the call returns', async () => {
    const { value } = await runGuest(function* (machine) {
      const order: string[] = [];
      const other = machine.systemProcess.createThread(
        function* () {
          order.push('other');
          yield* KeDelayExecutionThread(MODE.KernelMode, false, -1);
        },
        { increment: -2 },
      );
      yield* KeSetPriorityThread(other, 9);
      order.push('caller');
      return order;
    });
    expect(value).toEqual(['other', 'caller']);
  });

  test('a caller that lowers itself below a ready thread gives way before the call returns', async () => {
    const { value } = await runGuest(function* (machine, self) {
      const order: string[] = [];
      machine.systemProcess.createThread(function* () {
        order.push('other');
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -1);
      });
      yield* KeSetPriorityThread(self, 7);
      order.push('caller');
      return order;
    });
    expect(value).toEqual(['other', 'caller']);
  });

  test('a priority that there is not is refused', async () => {
    await expect(
      runGuest(function* (_, self) {
        yield* KeSetPriorityThread(self, 0);
      }),
    ).rejects.toThrow('KeSetPriorityThread: priority is 0; give an integer from 1 to 31');
  });

  test('above PASSIVE_LEVEL it is a violation', async () => {
    const machine = await Machine.create();
    const thread = machine.systemProcess.createThread(function* () {
      const old = KeRaiseIrql(1);
      yield* KeSetPriorityThread(thread, 9);
      yield* KeLowerIrql(old);
    });
    expect(machine.run()).toMatchObject({ reason: 'bugcheck', code: 0xc4 });
  });
});

describe('KeSetBasePriorityThread', () => {
  test('it returns the previous increment, and stays within the class', async () => {
    const { value } = await runGuest(function* (_, self) {
      const results: number[] = [];
      for (const increment of [2, -2, 15, -16, 0]) {
        results.push(yield* KeSetBasePriorityThread(self, increment), self.priority);
      }
      return results;
    });
    expect(value).toEqual([0, 10, 2, 6, -2, 15, 16, 1, -16, 8]);
  });

  test('another thread follows at once', async () => {
    const { value } = await runGuest(function* (machine) {
      const other = machine.createProcess({ priorityClass: 4 }).createThread(function* () {
        yield* wait(machine.createEvent('notification'));
      });
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -1);
      return [yield* KeSetBasePriorityThread(other, -9), other.basePriority, other.priority];
    });
    expect(value).toEqual([0, 16, 16]);
  });
});

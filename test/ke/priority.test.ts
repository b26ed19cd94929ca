import { describe, expect, test } from 'vitest';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
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

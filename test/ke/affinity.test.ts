import { describe, expect, test } from 'vitest';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  KeRevertToUserAffinityThread,
  KeRevertToUserAffinityThreadEx,
  KeRevertToUserGroupAffinityThread,
  KeSetIdealProcessorThread,
  KeSetSystemAffinityThread,
  KeSetSystemAffinityThreadEx,
  KeSetSystemGroupAffinityThread,
} from '../../src/ke/affinity';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeLowerIrql, KeRaiseIrqlToDpcLevel } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { KeGetCurrentProcessorNumber, KeGetCurrentProcessorNumberEx } from '../../src/ke/topology';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import { runGuest } from './guest';

const FOUR = { processors: 4 };
const GROUPS = { processors: 4, groupSize: 2 };
const here = KeGetCurrentProcessorNumber;
const delay = () => KeDelayExecutionThread(MODE.KernelMode, false, -1);

describe('the system affinity', () => {
  test('ke.sched-016: the thread is on the processor when the call returns', async () => {
    const { value } = await runGuest(function* () {
      const processors: number[] = [];
      for (const processor of [0, 1, 2, 3, 0]) {
        yield* KeSetSystemAffinityThread(1n << BigInt(processor));
        processors.push(here());
      }
      return processors;
    }, FOUR);
    expect(value).toEqual([0, 1, 2, 3, 0]);
  });

  test('it says what system affinity it replaces: none the first time', async () => {
    const { value, thread } = await runGuest(function* (_, self) {
      const first = yield* KeSetSystemAffinityThreadEx(0b0110n);
      const second = yield* KeSetSystemAffinityThreadEx(0b1000n);
      const inner = [here(), self.affinity];
      yield* KeRevertToUserAffinityThreadEx(second);
      const outer = self.affinity;
      yield* KeRevertToUserAffinityThreadEx(first);
      return [first, second, ...inner, outer];
    }, FOUR);
    expect(value).toEqual([0n, 0b0110n, 3, 0b1000n, 0b0110n]);
    expect(thread.exists && thread.affinity).toBe(0b1111n);
  });

  test('a mask with a processor that there is not, or with none, changes nothing', async () => {
    const { value } = await runGuest(function* (_, self) {
      const results = [
        yield* KeSetSystemAffinityThreadEx(0n),
        yield* KeSetSystemAffinityThreadEx(0b10001n),
        self.affinity,
      ];
      yield* KeSetSystemAffinityThread(0b0010n);
      results.push(yield* KeSetSystemAffinityThreadEx(0b110000n), self.affinity);
      yield* KeRevertToUserAffinityThreadEx(0b110000n);
      results.push(self.affinity);
      return results;
    }, FOUR);
    expect(value).toEqual([0n, 0n, 0b1111n, 0n, 0b0010n, 0b0010n]);
  });

  test('reverting without a system affinity has no effect', async () => {
    const { value } = await runGuest(function* (_, self) {
      yield* KeRevertToUserAffinityThreadEx(0b0100n);
      yield* KeRevertToUserAffinityThread();
      return [self.affinity, here()];
    }, FOUR);
    expect(value).toEqual([0b1111n, 1]);
  });

  test('reverting gives the latest user affinity and the ideal processor back', async () => {
    const { value, thread } = await runGuest(function* (_, self) {
      const ideal = self.idealProcessor;
      yield* KeSetSystemAffinityThread(0b1000n);
      self.setAffinity(0b0110n);
      const during = [self.affinity, here()];
      yield* KeRevertToUserAffinityThread();
      return [...during, self.affinity, here(), self.idealProcessor === ideal];
    }, FOUR);
    expect(value).toEqual([0b1000n, 3, 0b0110n, 1, true]);
    expect(thread.idealProcessor).toBe(1);
  });

  test('at DISPATCH_LEVEL the thread moves when the level falls', async () => {
    const { value } = await runGuest(function* () {
      const old = KeRaiseIrqlToDpcLevel();
      yield* KeSetSystemAffinityThread(0b0100n);
      const raised = here();
      yield* KeLowerIrql(old);
      const lowered = here();
      KeRaiseIrqlToDpcLevel();
      yield* KeSetSystemAffinityThread(0b0010n);
      yield* KeSetSystemAffinityThread(0b0100n);
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return [raised, lowered, here()];
    }, FOUR);
    expect(value).toEqual([1, 2, 2]);
  });

  test('a busy processor is left for one that is allowed, and comes back into use', async () => {
    const machine = await Machine.create({ processors: 2 });
    const user = machine.createProcess();
    user.createThread(machine.loadProgram(program('busy', (p) => p.compute(50_000_000))), {
      affinity: 0b10n,
    });
    const visits: number[] = [];
    machine.systemProcess.createThread(
      function* () {
        for (const mask of [0b10n, 0b01n, 0b10n]) {
          yield* KeSetSystemAffinityThread(mask);
          visits.push(here());
        }
      },
      { increment: 1 },
    );
    expect([machine.run().reason, visits]).toEqual(['idle', [1, 0, 1]]);
  });
});

describe('the system affinity of groups', () => {
  test('a thread goes to another group, waits there, and comes back', async () => {
    const { value } = await runGuest(function* (machine, self) {
      const previous = yield* KeSetSystemGroupAffinityThread({ Mask: 0b10n, Group: 1 });
      const places = [KeGetCurrentProcessorNumberEx().procNumber];
      yield* delay();
      places.push(KeGetCurrentProcessorNumberEx().procNumber);
      const event = machine.createEvent('notification');
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, -10);
      places.push(KeGetCurrentProcessorNumberEx().procNumber);
      yield* KeRevertToUserGroupAffinityThread(previous);
      places.push(KeGetCurrentProcessorNumberEx().procNumber);
      return { previous, places, affinity: self.affinity, ideal: self.idealProcessor };
    }, GROUPS);
    const there = { Group: 1, Number: 1 };
    expect(value).toEqual({
      previous: { Mask: 0n, Group: 0 },
      places: [there, there, there, { Group: 0, Number: 1 }],
      affinity: 0b11n,
      ideal: 1,
    });
  });

  test('nested calls restore what each of them found', async () => {
    const { value } = await runGuest(function* () {
      const outer = yield* KeSetSystemGroupAffinityThread({ Mask: 0b10n, Group: 1 });
      const inner = yield* KeSetSystemGroupAffinityThread({ Mask: 0b01n, Group: 0 });
      const places = [KeGetCurrentProcessorNumberEx().index];
      yield* KeRevertToUserGroupAffinityThread(inner);
      places.push(KeGetCurrentProcessorNumberEx().index);
      yield* KeRevertToUserGroupAffinityThread(outer);
      yield* KeRevertToUserGroupAffinityThread(inner);
      return { inner, places: [...places, KeGetCurrentProcessorNumberEx().index] };
    }, GROUPS);
    expect(value).toEqual({ inner: { Mask: 0b10n, Group: 1 }, places: [0, 3, 1] });
  });

  test('a group or mask that is not valid changes nothing, and gives zeros', async () => {
    const { value } = await runGuest(function* (_, self) {
      yield* KeSetSystemGroupAffinityThread({ Mask: 0b10n, Group: 1 });
      return [
        yield* KeSetSystemGroupAffinityThread({ Mask: 1n, Group: 2 }),
        yield* KeSetSystemGroupAffinityThread({ Mask: 0b100n, Group: 0 }),
        yield* KeSetSystemGroupAffinityThread({ Mask: 0n, Group: 1 }),
        [self.affinity, KeGetCurrentProcessorNumberEx().index],
      ];
    }, GROUPS);
    const zeros = { Mask: 0n, Group: 0 };
    expect(value).toEqual([zeros, zeros, zeros, [0b10n, 3]]);
  });

  test('processors of the group that a thread came from do not take it from the queue of the other', async () => {
    const machine = await Machine.create(GROUPS);
    const user = machine.createProcess();
    const other = machine.createProcess();
    const busy = machine.loadProgram(program('busy', (p) => p.compute(40_000_000)));
    for (let count = 0; count < 4; count++) other.createThread(busy);
    const places = new Set<number>();
    user.createThread(function* () {
      yield* KeSetSystemGroupAffinityThread({ Mask: 0b11n, Group: other.group });
      for (let count = 0; count < 20; count++) {
        yield* delay();
        places.add(machine.processorPlace(machine.currentProcessor)?.group ?? -1);
      }
    });
    expect([user.group, other.group]).toEqual([1, 0]);
    expect([machine.run().reason, [...places]]).toEqual(['idle', [0]]);
  });
});

describe('KeSetIdealProcessorThread', () => {
  test('it returns the number before; the thread runs there when it is next ready', async () => {
    const { value } = await runGuest(function* (_, self) {
      const previous = [KeSetIdealProcessorThread(self, 2), KeSetIdealProcessorThread(self, 3)];
      yield* delay();
      return [...previous, here()];
    }, FOUR);
    expect(value).toEqual([1, 2, 3]);
  });

  test('a processor that the group has not is refused', async () => {
    await expect(
      runGuest(function* (_, self) {
        yield* delay();
        KeSetIdealProcessorThread(self, 4);
      }, FOUR),
    ).rejects.toThrow('KeSetIdealProcessorThread: processor is 4; give an integer from 0 to 3');
  });
});

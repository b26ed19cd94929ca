import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeRaiseIrql } from '../../src/ke/irql';
import {
  declareStack,
  IoGetRemainingStackSize,
  IoGetStackLimits,
  IoWithinStackLimits,
  KeExpandKernelStackAndCallout,
  KeExpandKernelStackAndCalloutEx,
  KeSetKernelStackSwapEnable,
  withStack,
} from '../../src/ke/stack';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { KernelStackOverflow } from '../../src/machine/kernel-stack';
import { Machine } from '../../src/machine/machine';
import { PsTerminateSystemThread } from '../../src/ps/system-thread';
import { callGuest, runGuest } from './guest';

/** A thread has 24 KB, of which its first routine takes 256. */
const FIRST = 24_576 - 256;

describe('the kernel stack', () => {
  test('IoGetRemainingStackSize is 24 KB without what the routines on it take', async () => {
    const { value } = await runGuest(function* () {
      const before = IoGetRemainingStackSize();
      const inside = yield* withStack(1000, IoGetRemainingStackSize);
      return [before, inside, IoGetRemainingStackSize()];
    });
    expect(value).toEqual([FIRST, FIRST - 1000, FIRST]);
  });

  test('its size is a figure of the profile', async () => {
    const value = await callGuest(() => IoGetRemainingStackSize(), {
      profile: { kernelStackBytes: 0x3000, routineStackBytes: 100 },
    });
    expect(value).toBe(0x3000 - 100);
  });

  test('declareStack counts until the routine returns', async () => {
    function* worker() {
      declareStack(2000);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -1);
      return IoGetRemainingStackSize();
    }
    const { value } = await runGuest(function* () {
      return [yield* withStack(0, worker), IoGetRemainingStackSize()];
    });
    expect(value).toEqual([FIRST - 2000, FIRST]);
  });

  test('is given back by what is thrown through a routine', async () => {
    function fail() {
      throw new Error('an exception that somebody handles');
    }
    const { value } = await runGuest(function* () {
      try {
        yield* withStack(4000, fail);
      } catch {
        return IoGetRemainingStackSize();
      }
      return undefined;
    });
    expect(value).toBe(FIRST);
  });

  test('that is overrun is a double fault with the chain of calls', async () => {
    const machine = await Machine.create();
    function* parsePath(depth: number): Generator<readonly number[], void, number> {
      yield* withStack(6000, parsePath, depth + 1);
    }
    machine.systemProcess.createThread(function* driverThread() {
      yield* withStack(6000, parsePath, 0);
    });
    const result = machine.run();
    expect(result).toMatchObject({
      code: 0x7f,
      name: 'UNEXPECTED_KERNEL_MODE_TRAP',
      parameters: [8n, 0n, 0n, 0n],
      stack: ['parsePath', 'parsePath', 'parsePath', 'parsePath', 'parsePath', 'driverThread'],
      cause: expect.any(KernelStackOverflow),
    });
    expect(String(result.reason === 'bugcheck' && result.cause)).toBe(
      'KernelStackOverflow: the kernel stack of 24576 bytes was overrun by parsePath (6000), called by parsePath (6000), called by parsePath (6000), called by parsePath (6000), called by parsePath (6000), called by driverThread (256)',
    );
  });

  test('declareStack of too much is a double fault too', async () => {
    const machine = await Machine.create();
    // biome-ignore lint/correctness/useYield: it comes to nothing before it could wait
    machine.systemProcess.createThread(function* greedy() {
      declareStack(24_000);
      declareStack(400);
    });
    expect(machine.run()).toMatchObject({ code: 0x7f, stack: ['greedy'] });
  });

  test('of a DPC is its own, and names its routine', async () => {
    const machine = await Machine.create();
    let remaining = 0;
    const dpc = machine.createDpc(function onTick() {
      remaining = IoGetRemainingStackSize();
      declareStack(30_000);
    });
    machine.systemProcess.createThread(function* () {
      declareStack(20_000);
      dpc.insert();
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
    });
    expect(machine.run()).toMatchObject({ code: 0x7f, stack: ['onTick'] });
    expect(remaining).toBe(FIRST);
  });

  test('a bugcheck tells what a thread was in', async () => {
    const machine = await Machine.create();
    const event = machine.createEvent('notification');
    machine.systemProcess.createThread(function* body() {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    });
    expect(machine.run()).toMatchObject({ code: 0xc4, stack: ['KeWaitForSingleObject', 'body'] });
  });

  test('IoGetStackLimits is where IoWithinStackLimits finds addresses', async () => {
    const value = await callGuest(() => {
      const { lowLimit, highLimit } = IoGetStackLimits();
      return [
        highLimit - lowLimit,
        IoWithinStackLimits(lowLimit, 24_576),
        IoWithinStackLimits(highLimit - 8, 8),
        IoWithinStackLimits(highLimit - 8, 9),
        IoWithinStackLimits(lowLimit - 1, 1),
      ];
    });
    expect(value).toEqual([24_576, true, true, false, false]);
  });

  test('declareStack needs a whole number of bytes', async () => {
    await expect(callGuest(() => declareStack(-1))).rejects.toThrow(
      'declareStack: bytes is -1; give an integer from 0 to 131072',
    );
  });
});

describe('KeExpandKernelStackAndCallout', () => {
  test('calls on the stack in use while that has enough', async () => {
    const { value } = await runGuest(function* () {
      const seen: unknown[] = [];
      const status = yield* KeExpandKernelStackAndCallout(
        (parameter) => {
          seen.push(parameter, IoGetRemainingStackSize());
        },
        'parameter',
        10_000,
      );
      return [status, ...seen];
    });
    expect(value).toEqual([STATUS.SUCCESS, 'parameter', FIRST - 512]);
  });

  test('calls on a new segment if not, and comes back', async () => {
    const { value } = await runGuest(function* () {
      const outer = IoGetStackLimits();
      let inner = outer;
      const seen: unknown[] = [];
      const status = yield* KeExpandKernelStackAndCallout(
        () => {
          inner = IoGetStackLimits();
          seen.push(IoGetRemainingStackSize(), IoWithinStackLimits(outer.lowLimit, 100));
        },
        null,
        30_000,
      );
      seen.push(IoGetRemainingStackSize(), IoWithinStackLimits(inner.lowLimit, 100));
      return [status, inner.highLimit - inner.lowLimit, ...seen];
    });
    expect(value).toEqual([STATUS.SUCCESS, 73_728, 73_728 - 256, true, FIRST, false]);
  });

  test.each([
    [0x11800, STATUS.SUCCESS, 1],
    [0x11801, STATUS.INVALID_PARAMETER_3, 0],
  ])('of 0x%x bytes is status 0x%x', async (size, status, calls) => {
    const { value } = await runGuest(function* () {
      let called = 0;
      const callout = () => {
        called++;
      };
      return [yield* KeExpandKernelStackAndCallout(callout, null, size), called];
    });
    expect(value).toEqual([status, calls]);
  });

  test('that has been expanded too often is STATUS_STACK_OVERFLOW, and nothing is called', async () => {
    const { value } = await runGuest(
      function* () {
        const statuses: number[] = [];
        function* nest(): Generator<readonly number[], void, number> {
          declareStack(4000);
          statuses.push(yield* KeExpandKernelStackAndCallout(nest, null, 0x11800));
        }
        yield* withStack(0, nest);
        return statuses;
      },
      { profile: { kernelStackExpansions: 2 } },
    );
    expect(value).toEqual([STATUS.STACK_OVERFLOW, STATUS.SUCCESS, STATUS.SUCCESS]);
  });

  test('at DISPATCH_LEVEL is KeExpandKernelStackAndCalloutEx without waiting', async () => {
    const { value } = await runGuest(function* (machine) {
      const statuses: number[] = [];
      const dpc = machine.createDpc(function* () {
        for (const wait of [true, false]) {
          statuses.push(
            yield* KeExpandKernelStackAndCalloutEx(() => undefined, null, 40_000, wait, null),
          );
        }
      });
      dpc.insert();
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      return statuses;
    });
    expect(value).toEqual([STATUS.INVALID_PARAMETER_4, STATUS.SUCCESS]);
  });

  test('whose callout throws is KMODE_EXCEPTION_NOT_HANDLED, whoever would catch it', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      try {
        yield* KeExpandKernelStackAndCallout(
          () => {
            throw new Error('in the callout');
          },
          null,
          100,
        );
      } catch {
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      }
    });
    expect(machine.run()).toMatchObject({ code: 0x1e, parameters: [0xc0000001n, 0n, 0n, 0n] });
  });

  test('whose callout returns at another level is IRQL_UNEXPECTED_VALUE', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      yield* KeExpandKernelStackAndCallout(
        () => {
          KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        },
        null,
        100,
      );
    });
    expect(machine.run()).toMatchObject({ code: 0xc8, parameters: [0x20002n, 0n, 0n, 0n] });
  });

  test('whose callout ends the thread is KERNEL_STACK_LOCKED_AT_EXIT', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      yield* KeExpandKernelStackAndCallout(
        function* () {
          yield* PsTerminateSystemThread(0);
        },
        null,
        100,
      );
    });
    expect(machine.run()).toMatchObject({ code: 0x94, name: 'KERNEL_STACK_LOCKED_AT_EXIT' });
  });
});

describe('KeSetKernelStackSwapEnable', () => {
  test('gives what it was', async () => {
    const value = await callGuest(() => [
      KeSetKernelStackSwapEnable(false),
      KeSetKernelStackSwapEnable(false),
      KeSetKernelStackSwapEnable(true),
      KeSetKernelStackSwapEnable(true),
    ]);
    expect(value).toEqual([true, false, false, true]);
  });

  test.each([
    [true],
    [false],
  ])('%s: whether the stack of a long wait in user mode has to be swapped in', async (enable) => {
    const machine = await Machine.create({ profile: { stackOutswapNs: 1_000_000_000 } });
    const states = new Set<KTHREAD_STATE>();
    const thread = machine.systemProcess.createThread(function* () {
      KeSetKernelStackSwapEnable(enable);
      yield* KeDelayExecutionThread(MODE.UserMode, false, -50_000_000);
      KeSetKernelStackSwapEnable(true);
    });
    while (machine.run({ maxEvents: 1 }).reason === 'events') states.add(thread.state);
    expect(states.has(KTHREAD_STATE.Transition)).toBe(enable);
  });

  test('FALSE at the end of the thread is KERNEL_STACK_LOCKED_AT_EXIT', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      KeSetKernelStackSwapEnable(false);
      yield* PsTerminateSystemThread(0);
    });
    expect(machine.run()).toMatchObject({ code: 0x94 });
  });
});

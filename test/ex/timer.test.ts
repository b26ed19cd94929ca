import { describe, expect, test } from 'vitest';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  EX_TIMER_HIGH_RESOLUTION,
  EX_TIMER_NO_WAKE,
  EX_TIMER_NOTIFICATION,
  EX_TIMER_UNLIMITED_TOLERANCE,
  ExAllocateTimer,
  ExCancelTimer,
  ExDeleteTimer,
  ExInitializeDeleteTimerParameters,
  ExInitializeSetTimerParameters,
  ExSetTimer,
  type ExTimer,
  type ExTimerCallback,
} from '../../src/ex/timer';
import { KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { KeReadStateTimer } from '../../src/ke/timer';
import { Machine } from '../../src/machine/machine';
import { recordsOf } from '../records';
import { runGuest } from '../ke/guest';

const MS = -10_000;
const UNIPROCESSOR = { processors: 1 };
/** No thread but the test's own: the balance-set manager would wake the machine each second. */
const QUIET = { ...UNIPROCESSOR, profile: { starvationNs: 0 } };

const wait = (timer: ExTimer, timeout: number | null = null) =>
  KeWaitForSingleObject(timer, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);
const delay = (ms: number) => KeDelayExecutionThread(MODE.KernelMode, false, ms * MS);

function allocate(callback: ExTimerCallback | null, attributes = 0): ExTimer {
  const timer = ExAllocateTimer(callback, 'context', attributes);
  if (timer === null) throw new Error('no room for a timer');
  return timer;
}

describe('EX_TIMER', () => {
  test('one without attributes expires at the tick after its time, at DISPATCH_LEVEL, and satisfies one wait', async () => {
    const { value } = await runGuest(function* (machine) {
      const calls: unknown[] = [];
      const timer = allocate((self, context) => {
        calls.push(self === timer, context, KeGetCurrentIrql(), Math.floor(machine.now / 1e6));
      });
      const set = yield* ExSetTimer(timer, 20 * MS, 0, null);
      const states = [KeReadStateTimer(timer), yield* wait(timer)];
      return [set, states, calls, KeReadStateTimer(timer), yield* wait(timer, 0)];
    }, UNIPROCESSOR);
    expect(value).toEqual([false, [false, 0], [true, 'context', 2, 31], false, 0x102]);
  });

  test('a notification timer stays signaled until it is set again', async () => {
    const { value } = await runGuest(function* () {
      const timer = allocate(null, EX_TIMER_NOTIFICATION);
      yield* ExSetTimer(timer, 1 * MS, 0, null);
      const waits = [yield* wait(timer), yield* wait(timer, 0)];
      const set = yield* ExSetTimer(timer, 1 * MS, 0, null);
      return [waits, set, KeReadStateTimer(timer), yield* ExSetTimer(timer, 1 * MS, 0, null)];
    }, UNIPROCESSOR);
    expect(value).toEqual([[0, 0], false, false, true]);
  });

  test('a high-resolution timer expires at its time, whatever the ticks, and never before', async () => {
    const { value } = await runGuest(function* (machine) {
      const late: number[] = [];
      let due = 0;
      const timer = allocate(() => void late.push(machine.now - due), EX_TIMER_HIGH_RESOLUTION);
      for (const time100ns of [1, 7, 4321, 100_000, 156_250, 1_234_567]) {
        due = machine.now + time100ns * 100;
        yield* ExSetTimer(timer, -time100ns, 0, null);
        yield* wait(timer);
      }
      return late;
    }, UNIPROCESSOR);
    // A clock interrupt takes 2 us, the expiry and the DPC 800 ns each.
    expect(value).toEqual([3600, 3600, 3600, 3600, 3600, 3600]);
  });

  test('the clock interrupts a busy processor for one, and ticks stay what they are', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = allocate(null, EX_TIMER_HIGH_RESOLUTION);
      yield* ExSetTimer(timer, -12_345, 0, null);
      yield* KeStallExecutionProcessor(20_000);
      return recordsOf(machine, 'interrupt').map(({ vector, timeNs }) => [vector, timeNs]);
    }, UNIPROCESSOR);
    expect(value).toEqual([
      [8, 1_236_700],
      [1, 15_625_000],
    ]);
  });

  test('one is held off at CLOCK_LEVEL, and comes as the level falls', async () => {
    const { value } = await runGuest(function* (machine) {
      let called = 0;
      const timer = allocate(() => {
        called = machine.now;
      }, EX_TIMER_HIGH_RESOLUTION);
      yield* ExSetTimer(timer, -1000, 0, null);
      KeRaiseIrql(IRQL.CLOCK_LEVEL);
      yield* KeStallExecutionProcessor(500);
      const before = [called, machine.now];
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return [before, called];
    }, UNIPROCESSOR);
    expect(value).toEqual([[0, 502_400], 506_000]);
  });

  test('its periods are those asked for, as long as they are no shorter than the lowest resolution', async () => {
    const { value } = await runGuest(function* (machine) {
      const times: number[][] = [[], []];
      for (const [index, period] of [12_500, 2000].entries()) {
        const start = machine.now;
        const timer = allocate(() => {
          times[index]?.push(Math.floor((machine.now - start) / 100_000));
        }, EX_TIMER_HIGH_RESOLUTION);
        yield* ExSetTimer(timer, -10_000, period, null);
        yield* delay(4);
        yield* ExDeleteTimer(timer, true, true, null);
      }
      return times.map((list) => list.slice(0, 5));
    }, UNIPROCESSOR);
    // 1.25 ms; and of 0.2 ms those that are at least 0.5 ms apart.
    expect(value).toEqual([
      [10, 22, 35, 47, 60],
      [10, 16, 22, 28, 34],
    ]);
  });

  test('a periodic timer expires once a tick at the most', async () => {
    const { value } = await runGuest(function* (machine) {
      const times: number[] = [];
      const timer = allocate(() => void times.push(Math.floor(machine.now / 15_625_000)));
      yield* ExSetTimer(timer, -1, 10_000, null);
      yield* delay(60);
      yield* ExDeleteTimer(timer, true, true, null);
      return times;
    }, UNIPROCESSOR);
    expect(value).toEqual([1, 2, 3, 4]);
  });

  test('a cancelled timer is not signaled, and does not call back', async () => {
    const { value } = await runGuest(function* () {
      let calls = 0;
      const timer = allocate(() => void calls++, EX_TIMER_HIGH_RESOLUTION);
      yield* ExSetTimer(timer, 10 * MS, 10_000, null);
      const cancelled = [yield* ExCancelTimer(timer, null), yield* ExCancelTimer(timer, null)];
      yield* delay(50);
      return [cancelled, calls, KeReadStateTimer(timer)];
    }, UNIPROCESSOR);
    expect(value).toEqual([[true, false], 0, false]);
  });

  test('no room for a timer or its DPC is NULL, and nothing is left behind', async () => {
    const { value } = await runGuest(
      function* (machine) {
        machine.createEvent('notification');
        const withCallback = ExAllocateTimer(() => undefined, null, 0);
        const without = ExAllocateTimer(null, null, 0);
        const third = ExAllocateTimer(null, null, 0);
        yield* KeStallExecutionProcessor(1);
        return [withCallback, without !== null, third];
      },
      { capacities: { objects: 2 } },
    );
    expect(value).toEqual([null, true, null]);
  });

  test('setting and cancelling cost a DDI each', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = allocate(null, EX_TIMER_HIGH_RESOLUTION);
      const start = machine.now;
      yield* ExSetTimer(timer, 10 * MS, 0, null);
      const set = machine.now;
      yield* ExCancelTimer(timer, null);
      return [set - start, machine.now - set];
    }, UNIPROCESSOR);
    expect(value).toEqual([200, 200]);
  });
});

describe('a no-wake timer', () => {
  function* expiry(machine: Machine, toleranceMs: number, otherMs: number | null) {
    let called = 0;
    const timer = allocate(() => {
      called = Math.floor(machine.now / 1e6);
    }, EX_TIMER_NO_WAKE);
    const parameters = ExInitializeSetTimerParameters();
    parameters.NoWakeTolerance =
      toleranceMs < 0 ? EX_TIMER_UNLIMITED_TOLERANCE : toleranceMs * 10_000;
    yield* ExSetTimer(timer, 100 * MS, 0, parameters);
    if (otherMs !== null) yield* delay(otherMs);
    else yield* wait(timer);
    return () => called;
  }
  const expire = async (toleranceMs: number, otherMs: number | null) => {
    const { value } = await runGuest((machine) => expiry(machine, toleranceMs, otherMs), QUIET);
    return value?.();
  };

  test('without tolerance wakes the machine as any other', async () => {
    expect(await expire(0, null)).toBe(109);
  });

  test('wakes an idle machine when it is late by its tolerance', async () => {
    expect(await expire(200, null)).toBe(312);
  });

  test('expires earlier with whatever else wakes the machine', async () => {
    expect(await expire(200, 150)).toBe(156);
  });

  test('expires with the tick after its time on a machine that is awake', async () => {
    const { value } = await runGuest(function* (machine) {
      machine.systemProcess.createThread(function* () {
        yield* KeStallExecutionProcessor(300_000);
      });
      return yield* expiry(machine, 200, 250);
    }, QUIET);
    expect(value?.()).toBe(109);
  });

  test('without end of tolerance never wakes the machine', async () => {
    expect(await expire(-1, 1000)).toBe(1015);
    const { machine, value } = await runGuest((self) => expiry(self, -1, 10), QUIET);
    expect([value?.(), recordsOf(machine, 'interrupt').length]).toEqual([0, 1]);
  });

  test('that has not woken the machine yet is set, and can be cancelled', async () => {
    const machine = await Machine.create({ processors: 2, profile: { starvationNs: 0 } });
    const seen: unknown[] = [];
    machine.systemProcess.createThread(
      function* () {
        const [late, cancelled] = [1, 2].map((number) =>
          allocate(() => void seen.push(number, Math.floor(machine.now / 1e6)), EX_TIMER_NO_WAKE),
        ) as [ExTimer, ExTimer];
        for (const timer of [late, cancelled]) {
          yield* ExSetTimer(timer, 10 * MS, 0, { NoWakeTolerance: 2_000_000 });
        }
        yield* KeStallExecutionProcessor(100_000);
        seen.push(yield* ExCancelTimer(cancelled, null));
      },
      { affinity: 2n },
    );
    machine.run();
    expect(seen).toEqual([true, 1, 218]);
  });
});

describe('ExDeleteTimer', () => {
  test('of a timer that is not set deletes it at once, with the delete callback', async () => {
    const { value } = await runGuest(function* () {
      const calls: unknown[] = [];
      const timer = allocate(() => undefined);
      const parameters = ExInitializeDeleteTimerParameters();
      parameters.DeleteCallback = (context) => void calls.push(context);
      parameters.DeleteContext = 'deleted';
      const deleted = yield* ExDeleteTimer(timer, true, true, parameters);
      return [deleted, calls, timer.exists];
    }, UNIPROCESSOR);
    expect(value).toEqual([false, ['deleted'], false]);
  });

  test('with Cancel cancels a timer that is set', async () => {
    const { value } = await runGuest(function* () {
      let calls = 0;
      const timer = allocate(() => void calls++);
      yield* ExSetTimer(timer, 10 * MS, 10_000, null);
      const deleted = yield* ExDeleteTimer(timer, true, false, null);
      yield* delay(50);
      return [deleted, calls, timer.exists];
    }, UNIPROCESSOR);
    expect(value).toEqual([true, 0, false]);
  });

  test('disables the timer: what is asked of it then is FALSE', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = allocate(() => undefined);
      yield* ExDeleteTimer(timer, true, false, null);
      const start = machine.now;
      const results = [
        yield* ExSetTimer(timer, -1, 0, null),
        yield* ExCancelTimer(timer, null),
        yield* ExDeleteTimer(timer, true, true, null),
      ];
      return [results, machine.now - start];
    }, UNIPROCESSOR);
    expect(value).toEqual([[false, false, false], 600]);
  });

  test('without Cancel lets the timer expire, a periodic one once, and deletes it then', async () => {
    const { value } = await runGuest(function* () {
      const order: string[] = [];
      const parameters = {
        DeleteCallback: (context: unknown) => void order.push(`deleted ${context}`, level()),
        DeleteContext: 'c',
      };
      const level = () => `at ${KeGetCurrentIrql()}`;
      const timer = allocate(() => void order.push('expired'), EX_TIMER_HIGH_RESOLUTION);
      yield* ExSetTimer(timer, 1 * MS, 20_000, null);
      const deleted = yield* ExDeleteTimer(timer, false, false, parameters);
      order.push('returned');
      yield* delay(30);
      return [deleted, order, timer.exists];
    }, UNIPROCESSOR);
    expect(value).toEqual([false, ['returned', 'expired', 'deleted c', 'at 2'], false]);
  });

  test('so it does with a timer that calls nobody back', async () => {
    const { value } = await runGuest(function* () {
      const order: string[] = [];
      const parameters = { DeleteCallback: () => void order.push('deleted'), DeleteContext: null };
      const timer = allocate(null, EX_TIMER_NOTIFICATION);
      yield* ExSetTimer(timer, 1 * MS, 0, null);
      yield* ExDeleteTimer(timer, false, false, parameters);
      order.push('returned');
      yield* delay(30);
      return [order, timer.exists];
    }, UNIPROCESSOR);
    expect(value).toEqual([['returned', 'deleted'], false]);
  });

  test('with Wait returns when a callback that runs on another processor is over', async () => {
    const machine = await Machine.create({ processors: 2 });
    const order: string[] = [];
    machine.systemProcess.createThread(
      function* () {
        const timer = allocate(function* () {
          order.push('begun');
          yield* KeStallExecutionProcessor(1000);
          order.push('over');
        });
        yield* ExSetTimer(timer, -1, 0, null);
        yield* KeStallExecutionProcessor(15_700);
        order.push('deleting');
        yield* ExDeleteTimer(timer, true, true, {
          DeleteCallback: () => void order.push('deleted'),
          DeleteContext: null,
        });
        order.push('returned');
      },
      { affinity: 2n },
    );
    expect(machine.run().reason).toBe('idle');
    expect(order).toEqual(['begun', 'deleting', 'over', 'deleted', 'returned']);
  });

  test('may be called by the callback, without Wait', async () => {
    const { value } = await runGuest(function* () {
      const order: string[] = [];
      const timer = allocate(function* (self) {
        const parameters = {
          DeleteCallback: () => void order.push('deleted'),
          DeleteContext: null,
        };
        order.push(String(yield* ExDeleteTimer(self, true, false, parameters)));
        order.push('callback over');
      }, EX_TIMER_HIGH_RESOLUTION);
      yield* ExSetTimer(timer, 1 * MS, 10_000, null);
      yield* delay(20);
      return [order, timer.exists];
    }, UNIPROCESSOR);
    expect(value).toEqual([['true', 'callback over', 'deleted'], false]);
  });

  test('with Wait at DISPATCH_LEVEL is a violation', async () => {
    await expect(
      runGuest(function* () {
        const timer = allocate(null);
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        yield* ExDeleteTimer(timer, true, true, null);
      }),
    ).rejects.toThrow('ExDeleteTimer was called at DISPATCH_LEVEL (2); it needs at most APC_LEVEL');
  });
});

describe('what an EX_TIMER must not be asked is bugcheck TIMER_OR_DPC_INVALID', () => {
  test.each([
    ['both high resolution and no-wake', 1n, () => allocate(null, 12)],
    ['an attribute that there is not', 1n, () => allocate(null, 1)],
    [
      'a high-resolution timer with a system time',
      2n,
      () => ExSetTimer(allocate(null, EX_TIMER_HIGH_RESOLUTION), 1, 0, null),
    ],
    ['a period above MAXLONG', 3n, () => ExSetTimer(allocate(null), -1, 0x80000000, null)],
    [
      'a negative tolerance',
      4n,
      () => ExSetTimer(allocate(null, EX_TIMER_NO_WAKE), -1, 0, { NoWakeTolerance: -2 }),
    ],
    ['Wait without Cancel', 5n, () => ExDeleteTimer(allocate(null), false, true, null)],
  ])('%s', async (_what, rule, ask) => {
    const machine = await Machine.create(UNIPROCESSOR);
    machine.systemProcess.createThread(function* () {
      const call = ask();
      if ('routine' in call) yield* call;
    });
    const result = machine.run();
    expect(result).toMatchObject({ reason: 'bugcheck', name: 'TIMER_OR_DPC_INVALID' });
    expect('parameters' in result && [result.parameters[0], result.parameters[2]]).toEqual([
      0n,
      rule,
    ]);
  });
});

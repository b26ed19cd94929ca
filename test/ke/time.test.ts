import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import { KeWaitForMultipleObjects, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeRaiseIrql } from '../../src/ke/irql';
import {
  ExQueryTimerResolution,
  ExSetTimerResolution,
  KeDelayExecutionThread,
  KeQueryInterruptTime,
  KeQueryInterruptTimePrecise,
  KeQueryPerformanceCounter,
  KeQuerySystemTime,
  KeQuerySystemTimePrecise,
  KeQueryTickCount,
  KeQueryTimeIncrement,
  KeQueryUnbiasedInterruptTime,
  NtQueryTimerResolution,
  NtSetTimerResolution,
  ZwSetSystemTime,
  ZwYieldExecution,
} from '../../src/ke/time';
import { KeSetTimer, KeSetTimerEx } from '../../src/ke/timer';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KernelObject } from '../../src/machine/views';
import '../../src/ps/manager';
import { callGuest, runGuest } from './guest';

const MS = -10_000;
const SECOND = 10_000_000n;
/** The first of January 2026. */
const BOOT = 134_116_992_000_000_000n;
const delay = (interval: number | bigint) =>
  KeDelayExecutionThread(MODE.KernelMode, false, interval);
const wait = (object: KernelObject, timeout: number | bigint | null) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);

describe('the times of the machine', () => {
  test('times that are not precise are those of the last tick', async () => {
    const { value } = await runGuest(function* (machine) {
      yield* delay(20 * MS);
      machine.stop();
      const precise = KeQueryInterruptTimePrecise();
      return [
        KeQueryInterruptTime(),
        KeQueryUnbiasedInterruptTime(),
        KeQuerySystemTime() - BOOT,
        Math.floor(precise.interruptTime / 1000),
        precise.qpcTimeStamp === precise.interruptTime,
        KeQuerySystemTimePrecise() - BOOT === BigInt(precise.interruptTime),
      ];
    });
    expect(value).toEqual([312_500, 312_500, 312_500n, 312, true, true]);
  });

  test('the tick count times the increment is the interrupt time', async () => {
    const { value } = await runGuest(function* () {
      yield* delay(100 * MS);
      return [KeQueryTimeIncrement(), KeQueryTickCount(), KeQueryInterruptTime()];
    });
    expect(value).toEqual([156_250, 7, 1_093_750]);
  });

  test('the performance counter counts at the frequency of the profile', async () => {
    const profile = { performanceFrequency: 3_579_545 };
    const { value } = await runGuest(
      function* () {
        yield* delay(990 * MS);
        return KeQueryPerformanceCounter();
      },
      { profile },
    );
    expect(value?.performanceFrequency).toBe(3_579_545);
    expect(Math.floor((value?.performanceCounter ?? 0) / 1000)).toBe(3579);
  });

  test('the system time starts from the boot time of the profile', async () => {
    const bootTime100ns = 125_911_584_000_000_000n;
    const value = await callGuest(
      () => {
        return KeQuerySystemTime();
      },
      { profile: { bootTime100ns } },
    );
    expect(value).toBe(125_911_584_000_000_000n);
  });

  test('a boot time that is no time is refused', async () => {
    await expect(Machine.create({ profile: { bootTime100ns: -1n } })).rejects.toThrow(
      'profile.bootTime100ns is -1; give a bigint from 0n to 2n ** 63n - 1n, 100 ns since 1601',
    );
  });
});

describe('setting the clock', () => {
  test('ke.timer-013: only what waits until a system time follows the system time', async () => {
    const machine = await Machine.create({ processors: 2 });
    const ends: Record<string, number> = {};
    const relative = -30_000_000;
    const waiters: Record<string, () => Generator<readonly number[], void, number>> = {
      *wait() {
        yield* wait(machine.createEvent('notification'), relative);
      },
      *delay() {
        yield* delay(relative);
      },
      *'alertable delay'() {
        yield* KeDelayExecutionThread(MODE.UserMode, true, relative);
      },
      *'relative timer'() {
        const timer = machine.createTimer('notification');
        yield* KeSetTimer(timer, relative, null);
        yield* wait(timer, null);
      },
      *'absolute timer'() {
        const timer = machine.createTimer('notification');
        yield* KeSetTimer(timer, KeQuerySystemTime() + 3n * SECOND, null);
        yield* wait(timer, null);
      },
      *'periodic timer'() {
        const timer = machine.createTimer('notification');
        yield* KeSetTimerEx(timer, relative, 5000, null);
        yield* wait(timer, null);
        timer.delete();
      },
    };
    for (const [name, waiter] of Object.entries(waiters)) {
      machine.systemProcess.createThread(function* () {
        yield* waiter();
        ends[name] = Math.floor(machine.now / 1e6);
      });
    }
    machine.systemProcess.createThread(function* () {
      yield* delay(500 * MS);
      const { status, value } = ZwSetSystemTime(KeQuerySystemTime() + 10n * SECOND);
      ends.set = Math.floor(machine.now / 1e6);
      expect([status, value]).toEqual([STATUS.SUCCESS, BOOT + 5_156_250n]);
    });
    expect(machine.run()).toMatchObject({ reason: 'idle' });
    expect(ends).toEqual({
      set: 515,
      'absolute timer': 531,
      wait: 3015,
      delay: 3015,
      'alertable delay': 3015,
      'relative timer': 3015,
      'periodic timer': 3015,
    });
  });

  test('absolute waits for one and for several objects, and delays, move with the clock', async () => {
    const machine = await Machine.create();
    const ends: number[][] = [];
    const event = machine.createEvent('notification');
    const until = BOOT + 20n * SECOND;
    const several = () =>
      KeWaitForMultipleObjects(
        [event, event],
        WAIT_TYPE.WaitAll,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        false,
        until,
        null,
      );
    for (const call of [() => wait(event, until), several, () => delay(until)]) {
      machine.systemProcess.createThread(function* () {
        const status = yield* call();
        ends.push([status, Math.floor(machine.now / 1e9)]);
      });
    }
    machine.run({ until: 5e9 });
    machine.clock.systemTime100ns = BOOT;
    machine.run({ until: 10e9 });
    machine.clock.systemTime100ns += 4n * SECOND;
    machine.run();
    expect(ends).toEqual([
      [STATUS.TIMEOUT, 21],
      [STATUS.TIMEOUT, 21],
      [STATUS.SUCCESS, 21],
    ]);
  });

  test('a time that has passed ends a wait or delay at once', async () => {
    let end = 0;
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('notification');
      const timer = machine.createTimer('notification');
      const statuses = [yield* wait(event, BOOT), yield* delay(BOOT - SECOND), yield* delay(1)];
      yield* KeSetTimer(timer, BOOT, null);
      statuses.push(yield* wait(timer, 0));
      end = machine.now;
      return [...statuses, timer.inserted];
    });
    expect(value).toEqual([STATUS.TIMEOUT, STATUS.SUCCESS, STATUS.SUCCESS, STATUS.SUCCESS, false]);
    expect(end).toBeLessThan(15_625_000);
  });

  test('a time past the end of virtual time never comes', async () => {
    const machine = await Machine.create();
    const thread = machine.systemProcess.createThread(function* () {
      yield* delay(2n ** 63n - 1n);
    });
    machine.run();
    machine.clock.systemTime100ns = BOOT + 100n * SECOND;
    const result = machine.run();
    expect([result.reason, thread.state]).toEqual(['idle', 5]);
  });

  test('timers that the clock makes due expire in the order of their times', async () => {
    const { value } = await runGuest(function* (machine) {
      const order: number[] = [];
      for (const seconds of [30n, 10n, 20n]) {
        machine.systemProcess.createThread(function* () {
          yield* delay(BOOT + seconds * SECOND);
          order.push(Number(seconds));
        });
      }
      yield* delay(1 * MS);
      ZwSetSystemTime(BOOT + 60n * SECOND);
      yield* delay(100 * MS);
      return order;
    });
    expect(value).toEqual([10, 20, 30]);
  });

  test('ZwSetSystemTime refuses a time before 1601 and changes nothing', async () => {
    const value = await callGuest(() => {
      return [ZwSetSystemTime(-1n), KeQuerySystemTime()];
    });
    expect(value).toEqual([{ status: STATUS.INVALID_PARAMETER, value: undefined }, BOOT]);
  });

  test('ZwYieldExecution above PASSIVE_LEVEL is a violation', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      KeRaiseIrql(1);
      yield* ZwYieldExecution();
    });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      code: BUGCHECK.DRIVER_VERIFIER_DETECTED_VIOLATION,
    });
  });

  test('a host that sets no time is told what to give', async () => {
    const machine = await Machine.create();
    expect(() => {
      machine.clock.systemTime100ns = 2n ** 63n;
    }).toThrow(
      'systemTime100ns is 9223372036854775808; give a bigint from 0n to 2n ** 63n - 1n, 100 ns since 1601',
    );
  });

  test('a system time that a number does not hold is refused', async () => {
    await expect(
      runGuest(function* () {
        yield* delay(Number(BOOT) + 1e10);
      }),
    ).rejects.toThrow(
      'KeDelayExecutionThread: timeout 134117002000000000; give a system time as a bigint, 100 ns since 1601: a number does not hold it exactly',
    );
  });
});

describe('the timer resolution', () => {
  test('ke.time-002: the resolutions are those of the clock, and the present one is between them', async () => {
    const value = await callGuest(() => {
      return NtQueryTimerResolution();
    });
    expect(value).toEqual({
      status: STATUS.SUCCESS,
      value: { maximumTime: 156_250, minimumTime: 5000, currentTime: 156_250 },
    });
  });

  test('ke.time-003: taking back what was not asked for says so, and what is in force', async () => {
    const value = await callGuest(() => {
      return NtSetTimerResolution(0, false);
    });
    expect(value).toEqual({ status: STATUS.TIMER_RESOLUTION_NOT_SET, value: 156_250 });
    expect(STATUS.TIMER_RESOLUTION_NOT_SET).toBe(0xc0000245);
  });

  test('ke.time-004: a finer resolution than there is becomes the finest, once taken back the first', async () => {
    const value = await callGuest(() => {
      const { minimumTime } = NtQueryTimerResolution().value;
      const set = NtSetTimerResolution(minimumTime - 1, true);
      return [set, NtSetTimerResolution(0, false), NtSetTimerResolution(0, false)];
    });
    expect(value).toEqual([
      { status: STATUS.SUCCESS, value: 5000 },
      { status: STATUS.SUCCESS, value: 156_250 },
      { status: STATUS.TIMER_RESOLUTION_NOT_SET, value: 156_250 },
    ]);
  });

  test('the request of a process ends with it', async () => {
    const seen: number[] = [];
    const { machine } = await runGuest(function* (machine) {
      const asks = (desiredTime: number, milliseconds: number) =>
        machine.createProcess().createThread(function* () {
          yield* delay(MS);
          NtSetTimerResolution(desiredTime, true);
          yield* delay(MS * milliseconds);
        });
      asks(10_000, 100);
      asks(50_000, 200);
      yield* delay(MS * 50);
      seen.push(machine.clock.resolutionNs);
      yield* delay(MS * 100);
      seen.push(machine.clock.resolutionNs);
    });
    expect([...seen, machine.clock.resolutionNs]).toEqual([1_000_000, 5_000_000, 15_625_000]);
  });

  test('drivers lower the resolution; it is restored when each has asked for that', async () => {
    const value = await callGuest(() => {
      return [
        ExSetTimerResolution(50_000, true),
        ExSetTimerResolution(100_000, true),
        ExSetTimerResolution(10_000, true),
        ExSetTimerResolution(0, false),
        ExSetTimerResolution(0, false),
        ExQueryTimerResolution().currentTime,
        ExSetTimerResolution(0, false),
        ExSetTimerResolution(0, false),
      ];
    });
    expect(value).toEqual([50_000, 50_000, 10_000, 10_000, 10_000, 10_000, 156_250, 156_250]);
  });

  test('delays end at the ticks of the resolution in force, idle or not', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const ends: number[] = [];
        const end = () => ends.push(Math.floor(machine.now / 1e5) / 10);
        yield* delay(1 * MS);
        end();
        ExSetTimerResolution(10_000, true);
        yield* delay(1 * MS);
        end();
        ExSetTimerResolution(0, false);
        yield* delay(1 * MS);
        end();
        return ends;
      },
      { processors: 2 },
    );
    expect(value).toEqual([15.6, 17, 31.2]);
  });

  test('a delay that is under way ends at a tick of the new resolution', async () => {
    const { value } = await runGuest(function* (machine) {
      let end = 0;
      const other = machine.systemProcess.createThread(function* () {
        yield* delay(20 * MS);
        end = Math.floor(machine.now / 1e6);
      });
      yield* delay(1 * MS);
      ExSetTimerResolution(10_000, true);
      yield* wait(other, null);
      return end;
    });
    expect(value).toBe(21);
  });

  test('times never go back when the resolution is restored', async () => {
    const { value } = await runGuest(function* () {
      ExSetTimerResolution(10_000, true);
      yield* delay(20 * MS);
      const before = [KeQueryInterruptTime(), KeQueryTickCount()];
      ExSetTimerResolution(0, false);
      return [...before, KeQueryInterruptTime(), KeQueryTickCount()];
    });
    expect(value).toEqual([210_000, 1, 210_000, 1]);
  });

  test('ticks are charged a clock interval each, whatever the resolution was in between', async () => {
    const machine = await Machine.create();
    const busy = machine
      .createProcess()
      .createThread(machine.loadProgram(program('busy', (p) => p.compute(1_000_000_000))));
    machine.systemProcess.createThread(
      function* () {
        for (let count = 0; count < 10; count++) {
          ExSetTimerResolution(count * 7000, true);
          yield* delay(20 * MS);
          ExSetTimerResolution(0, false);
          yield* delay(7 * MS);
        }
      },
      { increment: 1 },
    );
    machine.run();
    expect(busy.userTime100ns / 156_250).toBe(64);
  });
});

describe('giving way', () => {
  test('a delay of 0 and ZwYieldExecution say whether another thread ran', async () => {
    const { value } = await runGuest(function* (machine) {
      const order: string[] = [];
      const statuses = [yield* delay(0), yield* ZwYieldExecution()];
      for (const name of ['first', 'second']) {
        machine.systemProcess.createThread(function* () {
          order.push(name);
          yield* delay(-1);
        });
      }
      statuses.push(yield* delay(0), yield* ZwYieldExecution());
      return { order, statuses };
    });
    expect(value).toEqual({
      order: ['first', 'second'],
      statuses: [
        STATUS.NO_YIELD_PERFORMED,
        STATUS.NO_YIELD_PERFORMED,
        STATUS.SUCCESS,
        STATUS.NO_YIELD_PERFORMED,
      ],
    });
  });
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KOBJECTS, KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import { KeWaitForMultipleObjects, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { KeCancelTimer, KeReadStateTimer, KeSetTimer, KeSetTimerEx } from '../../src/ke/timer';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KernelObject } from '../../src/machine/views';
import { runGuest } from './guest';

const MS = -10_000;
const SUCCESS = STATUS.SUCCESS;
const TIMEOUT = STATUS.TIMEOUT;
const wait = (object: KernelObject, timeout: number | null = 0) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);
const delay = (ms: number) => KeDelayExecutionThread(MODE.KernelMode, false, ms * MS);

describe('timers', () => {
  test('ke.timer-001: a new timer has the type code of its kind, and is not signaled', async () => {
    const machine = await Machine.create();
    const timers = [machine.createTimer('notification'), machine.createTimer('synchronization')];
    expect(timers.map((timer) => machine.memory.u32(timer.address))).toEqual([
      KOBJECTS.TimerNotificationObject,
      KOBJECTS.TimerSynchronizationObject,
    ]);
    expect([KOBJECTS.TimerNotificationObject, KOBJECTS.TimerSynchronizationObject]).toEqual([8, 9]);
    expect(timers.map((timer) => [KeReadStateTimer(timer), timer.inserted])).toEqual([
      [false, false],
      [false, false],
    ]);
  });

  test('ke.timer-003: a notification timer stays signaled once its time has come', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = machine.createTimer('notification');
      const set = yield* KeSetTimerEx(timer, 20 * MS, 0, null);
      return [set, yield* wait(timer), yield* wait(timer, 40 * MS), yield* wait(timer)];
    });
    expect(value).toEqual([false, TIMEOUT, SUCCESS, SUCCESS]);
  });

  test('ke.timer-005: a periodic synchronization timer satisfies one wait a period', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = machine.createTimer('synchronization');
      yield* KeSetTimerEx(timer, 20 * MS, 20, null);
      const statuses = [yield* wait(timer), yield* wait(timer, 40 * MS), yield* wait(timer)];
      statuses.push(yield* wait(timer, 40 * MS), yield* wait(timer, 40 * MS));
      return [...statuses, yield* KeCancelTimer(timer), yield* KeCancelTimer(timer)];
    });
    expect(value).toEqual([TIMEOUT, SUCCESS, TIMEOUT, SUCCESS, SUCCESS, true, false]);
  });

  test('ke.timer-007: setting a timer again voids the first setting and its period', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = machine.createTimer('synchronization');
      const first = yield* KeSetTimerEx(timer, 20 * MS, 20, null);
      const second = yield* KeSetTimerEx(timer, 20 * MS, 0, null);
      const statuses = [yield* wait(timer, 40 * MS), yield* wait(timer)];
      return [first, second, ...statuses, yield* wait(timer, 40 * MS), yield* wait(timer, 40 * MS)];
    });
    expect(value).toEqual([false, true, SUCCESS, TIMEOUT, TIMEOUT, TIMEOUT]);
  });

  test('a timer expires at the first clock tick at or after its time', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = machine.createTimer('notification');
      yield* KeSetTimer(timer, 20 * MS, null);
      yield* wait(timer, null);
      return Math.floor(machine.now / 1000);
    });
    expect(value).toBe(31_253);
  });

  test('setting a timer takes its signal back; cancelling it does not', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = machine.createTimer('notification');
      yield* KeSetTimer(timer, 1 * MS, null);
      yield* delay(20);
      const expired = [timer.inserted, KeReadStateTimer(timer), yield* KeCancelTimer(timer)];
      const cancelled = KeReadStateTimer(timer);
      yield* KeSetTimer(timer, 1000 * MS, null);
      return [...expired, cancelled, KeReadStateTimer(timer), yield* KeCancelTimer(timer)];
    });
    expect(value).toEqual([false, true, false, true, false, true]);
  });

  test('a cancelled timer never expires', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = machine.createTimer('notification');
      yield* KeSetTimer(timer, 20 * MS, null);
      yield* KeCancelTimer(timer);
      return yield* wait(timer, 100 * MS);
    });
    expect(value).toBe(TIMEOUT);
  });

  test('a timer set to no time at all is signaled at once', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = machine.createTimer('synchronization');
      yield* KeSetTimer(timer, 0, null);
      return [timer.inserted, yield* wait(timer), yield* wait(timer)];
    });
    expect(value).toEqual([false, SUCCESS, TIMEOUT]);
  });

  test('a period shorter than a tick expires once a tick', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = machine.createTimer('synchronization');
      yield* KeSetTimerEx(timer, 1 * MS, 1, null);
      const ticks: number[] = [];
      for (let count = 0; count < 3; count++) {
        yield* wait(timer, null);
        ticks.push(Math.round(machine.now / 15_625_000));
      }
      yield* KeCancelTimer(timer);
      return ticks;
    });
    expect(value).toEqual([1, 2, 3]);
  });

  test('one of several objects can be a timer', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('notification');
      const timer = machine.createTimer('synchronization');
      yield* KeSetTimer(timer, 20 * MS, null);
      return yield* KeWaitForMultipleObjects(
        [event, timer],
        WAIT_TYPE.WaitAny,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        false,
        null,
        null,
      );
    });
    expect(value).toBe(1);
  });

  test('program threads set timers and wait for them', async () => {
    const machine = await Machine.create();
    const timer = machine.createTimer('synchronization');
    const thread = machine.createProcess().createThread(
      machine.loadProgram(
        program('ticking', (p) => {
          p.setTimer(timer, 20_000_000, 20).loop(3, () => p.wait(timer));
          p.cancelTimer(timer);
        }),
      ),
    );
    const result = machine.run();
    expect([result.reason, thread.state, timer.inserted]).toEqual(['idle', 4, false]);
  });

  test('a deleted timer leaves the timer table', async () => {
    const { value, machine } = await runGuest(function* (machine) {
      const timer = machine.createTimer('notification');
      yield* KeSetTimer(timer, 1000 * MS, null);
      timer.delete();
      return timer.exists;
    });
    expect(value).toBe(false);
    expect(machine.run().reason).toBe('idle');
    expect(machine.now).toBeLessThan(1_100_000_000);
  });

  test('a timer of a kind that there is not is refused', async () => {
    const machine = await Machine.create();
    expect(() => machine.createTimer('periodic' as 'notification')).toThrow(
      "createTimer: type is 'periodic'; give 'notification' or 'synchronization'",
    );
  });
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import {
  IRQL,
  KOBJECTS,
  KWAIT_REASON,
  MODE,
  TIMER_TYPE,
  WAIT_TYPE,
} from '../../assembly/shared/types';
import { KeWaitForMultipleObjects, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeInitializeDpc } from '../../src/ke/dpc';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import {
  KeCancelTimer,
  KeInitializeTimer,
  KeInitializeTimerEx,
  KeReadStateTimer,
  KeSetCoalescableTimer,
  KeSetTimer,
  KeSetTimerEx,
} from '../../src/ke/timer';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KernelObject, KTimer } from '../../src/machine/views';
import { runGuest } from './guest';

const MS = -10_000;
const SUCCESS = STATUS.SUCCESS;
const TIMEOUT = STATUS.TIMEOUT;
const wait = (object: KernelObject, timeout: number | null = 0) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);
const delay = (ms: number) => KeDelayExecutionThread(MODE.KernelMode, false, ms * MS);

describe('timers', () => {
  test('ke.timer-001: KeInitializeTimerEx writes type and state at any level, which stays', async () => {
    const { value } = await runGuest(
      function* (machine, thread) {
        const seen: unknown[] = [];
        for (const level of [IRQL.PASSIVE_LEVEL, IRQL.APC_LEVEL, IRQL.DISPATCH_LEVEL, 15]) {
          const timer = machine.createTimer('notification');
          const { memory } = machine;
          const old = KeRaiseIrql(level);
          for (const type of [TIMER_TYPE.NotificationTimer, TIMER_TYPE.SynchronizationTimer]) {
            memory.setU32(timer.address, 0x55);
            memory.setU32(timer.address + 4, 0x55);
            KeInitializeTimerEx(timer, type);
            seen.push([memory.u32(timer.address), KeReadStateTimer(timer), timer.inserted]);
          }
          seen.push([KeGetCurrentIrql(), thread.waitNext]);
          yield* KeLowerIrql(old);
        }
        return seen;
      },
      { checkIrql: false },
    );
    const both = [
      [8, false, false],
      [9, false, false],
    ];
    const at = (level: number) => [...both, [level, false]];
    expect(value).toEqual([...at(0), ...at(1), ...at(2), ...at(15)]);
  });

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

  test('ke.timer-002: initialising makes a timer of either kind, not signaled', async () => {
    const { value } = await runGuest(function* (machine) {
      const timer = machine.createTimer('synchronization');
      yield* KeSetTimer(timer, 0, null);
      const type = () => machine.memory.u32(timer.address);
      const states = [type(), KeReadStateTimer(timer)];
      KeInitializeTimerEx(timer, TIMER_TYPE.NotificationTimer);
      states.push(type(), KeReadStateTimer(timer));
      KeInitializeTimerEx(timer, TIMER_TYPE.SynchronizationTimer);
      states.push(type(), KeReadStateTimer(timer));
      KeInitializeTimer(timer);
      return [...states, type()];
    });
    expect(value).toEqual([9, true, 8, false, 9, false, 8]);
  });

  test('ke.timer-004: a synchronization timer with a DPC calls it once, and satisfies one wait', async () => {
    const { value } = await runGuest(function* (machine) {
      let calls = 0;
      const dpc = KeInitializeDpc(() => {
        calls++;
      }, null);
      const timer = machine.createTimer('synchronization');
      yield* KeSetTimerEx(timer, 20 * MS, 0, dpc);
      const seen = [yield* wait(timer), calls, yield* wait(timer, 40 * MS)];
      yield* delay(1);
      return [...seen, calls, yield* wait(timer, 40 * MS), calls];
    });
    expect(value).toEqual([TIMEOUT, 0, SUCCESS, 1, TIMEOUT, 1]);
  });

  test('ke.timer-008: a timer that is initialised again while it is set still expires', async () => {
    const { value } = await runGuest(function* (machine) {
      let calls = 0;
      const dpc = KeInitializeDpc(() => {
        calls++;
      }, null);
      const timer = machine.createTimer('synchronization');
      yield* KeSetTimerEx(timer, 20 * MS, 0, dpc);
      KeInitializeTimerEx(timer, TIMER_TYPE.SynchronizationTimer);
      const seen = [yield* wait(timer, 40 * MS), calls];
      yield* KeSetTimerEx(timer, 20 * MS, 0, dpc);
      return [...seen, yield* wait(timer, 40 * MS), calls];
    });
    expect(value).toEqual([SUCCESS, 1, SUCCESS, 2]);
  });

  test('a timer that a thread waits for must not be initialised again', async () => {
    const machine = await Machine.create();
    const timer = machine.createTimer('notification');
    machine.systemProcess.createThread(function* () {
      yield* wait(timer, null);
    });
    machine.systemProcess.createThread(function* () {
      yield* delay(1);
      KeInitializeTimer(timer);
    });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      code: 0x139,
      parameters: [3n, 0n, 0n, 0n],
    });
  });

  test("a periodic timer's DPC runs each period at DISPATCH_LEVEL, until the timer is cancelled", async () => {
    const { value } = await runGuest(function* (machine) {
      const calls: unknown[][] = [];
      const dpc = KeInitializeDpc((self, context) => {
        calls.push([self === dpc, context, KeGetCurrentIrql(), Math.floor(machine.now / 1e6)]);
      }, 'mine');
      const timer = machine.createTimer('notification');
      yield* KeSetTimerEx(timer, 50 * MS, 100, dpc);
      yield* delay(300);
      const cancelled = [yield* KeCancelTimer(timer), yield* KeCancelTimer(timer)];
      yield* delay(300);
      return [calls, cancelled];
    });
    expect(value).toEqual([
      [
        [true, 'mine', 2, 62],
        [true, 'mine', 2, 156],
        [true, 'mine', 2, 265],
      ],
      [true, false],
    ]);
  });

  test('a time that has come queues the DPC before the call returns', async () => {
    const { value } = await runGuest(function* (machine) {
      let calls = 0;
      const dpc = machine.createDpc(() => {
        calls++;
      });
      yield* KeSetTimer(machine.createTimer('notification'), 0, dpc);
      return calls;
    });
    expect(value).toBe(1);
  });

  test('a DPC that a timer has is not deleted before the timer is cancelled', async () => {
    const { value } = await runGuest(function* (machine) {
      const dpc = machine.createDpc(() => undefined);
      const timer = machine.createTimer('notification');
      yield* KeSetTimer(timer, 20 * MS, dpc);
      expect(() => dpc.delete()).toThrow(
        'delete: a timer that is set has this KDpc; cancel the timer first',
      );
      yield* KeCancelTimer(timer);
      dpc.delete();
      return dpc.exists;
    });
    expect(value).toBe(false);
  });

  test("a program's timer queues a program's DPC", async () => {
    const machine = await Machine.create();
    const done = machine.createEvent('notification');
    const dpc = machine.createDpc(
      machine.loadProgram(program('routine', (p) => p.setEvent(done).exit())),
    );
    const timer = machine.createTimer('notification');
    const thread = machine.createProcess().createThread(
      machine.loadProgram(
        program('main', (p) => {
          p.setTimer(timer, 20_000_000, 0, dpc).wait(done);
        }),
      ),
    );
    expect([machine.run().reason, thread.state, Math.floor(machine.now / 1e6)]).toEqual([
      'idle',
      4,
      1000,
    ]);
  });

  test('a timer that has gone cannot be set or cancelled', async () => {
    for (const use of [(timer: KTimer) => KeSetTimer(timer, -1, null), KeCancelTimer]) {
      await expect(
        runGuest(function* (machine) {
          const timer = machine.createTimer('notification');
          timer.delete();
          yield* use(timer);
        }),
      ).rejects.toThrow('this KTimer (handle 16777217) no longer exists');
    }
  });

  test('tolerant timers meet at the roundest time within their tolerance, and never before their own', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const ends: number[] = [];
        for (const [due, tolerance] of [
          [920, 100],
          [930, 0],
          [931, 69],
          [931, 19],
          [931, 18],
          [601, 150],
          [410, 0xffffffff],
        ] as const) {
          machine.systemProcess.createThread(function* () {
            const timer = machine.createTimer('notification');
            yield* KeSetCoalescableTimer(timer, due * MS, 0, tolerance, null);
            yield* wait(timer, null);
            ends.push(Math.round(machine.now / 1e6) - due);
          });
        }
        yield* delay(1100);
        return ends.sort((a, b) => a - b);
      },
      { profile: { timerResolutionNs: 1_000_000 } },
    );
    expect(value).toEqual([1, 1, 19, 69, 80, 149, 590]);
  });

  test('a periodic tolerant timer keeps its own periods, each as late as its tolerance lets it', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const timer = machine.createTimer('synchronization');
        yield* KeSetCoalescableTimer(timer, 130 * MS, 70, 25, null);
        const ends: number[] = [];
        for (let count = 0; count < 6; count++) {
          yield* wait(timer, null);
          ends.push(Math.round(machine.now / 1e6));
        }
        timer.delete();
        return ends;
      },
      { profile: { timerResolutionNs: 1_000_000 } },
    );
    expect(value).toEqual([150, 201, 271, 350, 411, 500]);
  });
});

import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { KeCancelTimer, KeSetTimer } from '../../src/ke/timer';
import { Machine } from '../../src/machine/machine';
import { runGuest } from './guest';

/** Times beyond the end of the machine's clock. */

const INFINITE = -(2n ** 63n);
const DAY_100NS = 864_000_000_000;

test.each([
  INFINITE,
  -105 * DAY_100NS,
])('KeDelayExecutionThread by %s never ends', async (delay) => {
  const machine = await Machine.create();
  machine.systemProcess.createThread(
    function* () {
      yield* KeDelayExecutionThread(MODE.KernelMode, false, delay);
    },
    { name: 'sleeper' },
  );
  expect(machine.run({ until: 10_000_000_000 }).reason).toBe('time');
  expect(machine.run()).toMatchObject({
    reason: 'idle',
    waiting: [{ name: 'sleeper', waitsFor: 'a time (DelayExecution)' }],
  });
});

test('KeWaitForSingleObject with such a timeout ends with its signal', async () => {
  const { value } = await runGuest(function* (machine) {
    const event = machine.createEvent('notification');
    machine.scheduleInterrupt(1_000_000, 0, event);
    const { Executive } = { Executive: KWAIT_REASON.Executive };
    return yield* KeWaitForSingleObject(event, Executive, MODE.KernelMode, false, INFINITE);
  });
  expect(value).toBe(STATUS.SUCCESS);
});

test('KeSetTimer with such a time is set, and does not expire', async () => {
  const { value, machine } = await runGuest(function* (machine) {
    const timer = machine.createTimer('notification');
    yield* KeSetTimer(timer, INFINITE, null);
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -DAY_100NS);
    return [timer.inserted, timer.signalState, yield* KeCancelTimer(timer)];
  });
  expect(value).toEqual([true, 0, true]);
  expect(machine.now).toBeGreaterThan(DAY_100NS);
});

test('KeDelayExecutionThread refuses what is no time', async () => {
  const delay = (time: unknown) =>
    runGuest(() => KeDelayExecutionThread(MODE.KernelMode, false, time as number) as never);
  await expect(delay('5')).rejects.toThrow(
    "KeDelayExecutionThread: timeout is '5', a string; give an integer or a bigint of 100 ns, or null for ever",
  );
  await expect(delay(-0.5)).rejects.toThrow('timeout is -0.5; give an integer');
  await expect(delay(-(2n ** 63n) - 1n)).rejects.toThrow('give one from -(2n ** 63n)');
});

import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE, TIMER_TYPE } from '../../assembly/shared/types';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { NtClose } from '../../src/ob/handle';
import {
  NtCancelTimer,
  NtCreateTimer,
  NtOpenTimer,
  NtQueryTimer,
  NtSetTimer,
  TIMER_ACCESS,
  TIMER_INFORMATION_CLASS,
  ZwCancelTimer,
  ZwCreateTimer,
  ZwOpenTimer,
  ZwSetTimer,
} from '../../src/ob/services/timer';
import { NtWaitForSingleObject, ZwWaitForSingleObject } from '../../src/ob/services/wait';
import { NtDelayExecution } from '../../src/ps/apc-services';
import { objectRows, runKernel, runUser } from './user';

const ALL = TIMER_ACCESS.ALL_ACCESS;
const BASIC = TIMER_INFORMATION_CLASS.TimerBasicInformation;
const NAMED = { ObjectName: '\\BaseNamedObjects\\timer' };

test('ke.timer-012: NtCreateTimer of type 2 is STATUS_INVALID_PARAMETER_4', async () => {
  const value = await runUser(function* () {
    return yield* NtCreateTimer(ALL, null, 2 as TIMER_TYPE);
  });
  expect(value).toEqual({ status: STATUS.INVALID_PARAMETER_4, handle: 0 });
});

test('NtSetTimer lets a wait go on when the time has come, and NtCancelTimer does not change the signal', async () => {
  const value = await runUser(function* () {
    yield* NtCreateTimer(ALL, NAMED, TIMER_TYPE.NotificationTimer);
    const { handle } = yield* NtOpenTimer(ALL, NAMED);
    const set = yield* NtSetTimer(handle, -200_000, null, null, false, 0);
    const before = yield* NtQueryTimer(handle, BASIC, 16);
    const waited = yield* NtWaitForSingleObject(handle, false, null);
    const cancelled = yield* NtCancelTimer(handle);
    const again = yield* NtSetTimer(handle, -200_000, null, null, false, 0);
    const bad = yield* NtSetTimer(handle, -200_000, null, null, false, -1);
    return [
      set,
      [before.status, before.TimerState, before.RemainingTime],
      waited,
      cancelled,
      again,
      bad,
    ];
  });
  expect(value).toEqual([
    { status: STATUS.SUCCESS, previousState: 0 },
    [STATUS.SUCCESS, false, 199_996n],
    STATUS.SUCCESS,
    { status: STATUS.SUCCESS, currentState: 1 },
    { status: STATUS.SUCCESS, previousState: 1 },
    { status: STATUS.INVALID_PARAMETER_6, previousState: undefined },
  ]);
});

/** A notification timer of kernel mode, by two handles. */
function* twice() {
  const named = { ObjectName: '\\TestTimer' };
  const first = yield* ZwCreateTimer(ALL, named, TIMER_TYPE.NotificationTimer);
  const second = yield* ZwOpenTimer(ALL, named);
  return { statuses: [first.status, second.status], handle: second.handle };
}
const FAR = -600_000_000;

test('ex.timer-001: a timer that is set is neither signaled then nor when it is cancelled', async () => {
  const value = await runKernel(function* () {
    const { statuses, handle } = yield* twice();
    const set = yield* ZwSetTimer(handle, FAR, null, null, false, 0);
    return [statuses, set, yield* ZwCancelTimer(handle)];
  });
  expect(value).toEqual([
    [STATUS.SUCCESS, STATUS.SUCCESS],
    { status: STATUS.SUCCESS, previousState: 0 },
    { status: STATUS.SUCCESS, currentState: 0 },
  ]);
});

test('ex.timer-002: a notification timer that has expired stays signaled when it is cancelled', async () => {
  const value = await runKernel(function* () {
    const { handle } = yield* twice();
    const set = yield* ZwSetTimer(handle, -200_000, null, null, false, 0);
    const waited = yield* ZwWaitForSingleObject(handle, false, null);
    return [set.previousState, waited, yield* ZwCancelTimer(handle)];
  });
  expect(value).toEqual([0, STATUS.SUCCESS, { status: STATUS.SUCCESS, currentState: 1 }]);
});

test('ex.timer-003: setting a signaled timer says so and takes the signal back; its APC is not called once it is cancelled', async () => {
  const value = await runKernel(function* () {
    const { handle } = yield* twice();
    yield* ZwSetTimer(handle, -1, null, null, false, 0);
    yield* ZwWaitForSingleObject(handle, false, null);
    let calls = 0;
    const set = yield* ZwSetTimer(handle, FAR, () => void calls++, 'context', false, 0);
    const cancelled = yield* ZwCancelTimer(handle);
    yield* KeDelayExecutionThread(MODE.KernelMode, true, FAR * 2);
    return [set, cancelled, calls];
  });
  expect(value).toEqual([
    { status: STATUS.SUCCESS, previousState: 1 },
    { status: STATUS.SUCCESS, currentState: 0 },
    0,
  ]);
});

test('a timer calls its APC routine in the thread that has set it, with the time and its context', async () => {
  const value = await runUser(function* (_process, machine) {
    const rows = objectRows(machine);
    const { handle } = yield* NtCreateTimer(ALL, null, TIMER_TYPE.SynchronizationTimer);
    const calls: unknown[] = [];
    const routine = (context: unknown, low: unknown, high: unknown) => {
      const time = (BigInt(high as number) << 32n) | BigInt(low as number);
      calls.push(context, time - machine.profile.bootTime100ns);
    };
    yield* NtSetTimer(handle, -200_000, routine, { tag: 'context' }, false, 20);
    const waits = [
      yield* NtDelayExecution(true, -10_000_000),
      yield* NtDelayExecution(true, -10_000_000),
    ];
    yield* NtClose(handle);
    return [waits, calls, yield* NtDelayExecution(true, -1_000_000), objectRows(machine) - rows];
  });
  const context = { tag: 'context' };
  expect(value).toEqual([
    [STATUS.USER_APC, STATUS.USER_APC],
    [context, 312_500n, context, 468_750n],
    STATUS.SUCCESS,
    0,
  ]);
});

test('an APC of a timer that is set again, or closed, never comes', async () => {
  const value = await runUser(function* (_process, machine) {
    const rows = objectRows(machine);
    const { handle } = yield* NtCreateTimer(ALL, null, TIMER_TYPE.SynchronizationTimer);
    const calls: string[] = [];
    const call = (name: string) => () => void calls.push(name);
    yield* NtSetTimer(handle, -100_000, call('first'), null, false, 0);
    yield* KeStallExecutionProcessor(40_000);
    yield* NtSetTimer(handle, -100_000, call('second'), null, false, 0);
    const delayed = yield* NtDelayExecution(true, -10_000_000);
    yield* NtSetTimer(handle, -100_000, call('third'), null, false, 0);
    yield* KeStallExecutionProcessor(40_000);
    yield* NtClose(handle);
    return [delayed, yield* NtDelayExecution(true, -100_000), calls, objectRows(machine) - rows];
  });
  expect(value).toEqual([STATUS.USER_APC, STATUS.SUCCESS, ['second'], 0]);
});

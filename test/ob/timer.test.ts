import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { TIMER_TYPE } from '../../assembly/shared/types';
import {
  NtCancelTimer,
  NtCreateTimer,
  NtOpenTimer,
  NtQueryTimer,
  NtSetTimer,
  TIMER_ACCESS,
  TIMER_INFORMATION_CLASS,
} from '../../src/ob/services/timer';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { runUser } from './user';

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

import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import {
  NtCreateSemaphore,
  NtQuerySemaphore,
  NtReleaseSemaphore,
  SEMAPHORE_ACCESS,
  SEMAPHORE_INFORMATION_CLASS,
} from '../../src/ob/services/semaphore';
import { NtSignalAndWaitForSingleObject, NtWaitForSingleObject } from '../../src/ob/services/wait';
import { runUser } from './user';

const ALL = SEMAPHORE_ACCESS.ALL_ACCESS;
const BASIC = SEMAPHORE_INFORMATION_CLASS.SemaphoreBasicInformation;

test('ke.semaphore-003: NtCreateSemaphore, NtQuerySemaphore and a wait agree on the count', async () => {
  const value = await runUser(function* () {
    const bad = yield* NtCreateSemaphore(ALL, null, 2, 1);
    const { status, handle } = yield* NtCreateSemaphore(ALL, null, 1, 2);
    return [
      bad.status,
      status,
      yield* NtQuerySemaphore(handle, BASIC, 0),
      yield* NtQuerySemaphore(handle, 0x42 as SEMAPHORE_INFORMATION_CLASS, 8),
      yield* NtQuerySemaphore(0xdeadbee0, BASIC, 8),
      yield* NtQuerySemaphore(handle, BASIC, 8),
      yield* NtWaitForSingleObject(handle, false, 0),
      yield* NtQuerySemaphore(handle, BASIC, 8),
    ];
  });
  expect(value).toEqual([
    STATUS.INVALID_PARAMETER,
    STATUS.SUCCESS,
    { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 8 },
    { status: STATUS.INVALID_INFO_CLASS, returnLength: undefined },
    { status: STATUS.INVALID_HANDLE, returnLength: undefined },
    { status: STATUS.SUCCESS, returnLength: 8, CurrentCount: 1, MaximumCount: 2 },
    STATUS.SUCCESS,
    { status: STATUS.SUCCESS, returnLength: 8, CurrentCount: 0, MaximumCount: 2 },
  ]);
});

test('ke.semaphore-004: NtReleaseSemaphore past the limit changes and tells nothing', async () => {
  const value = await runUser(function* () {
    const { handle } = yield* NtCreateSemaphore(ALL, null, 0, 2);
    return [
      yield* NtReleaseSemaphore(handle, 3),
      yield* NtReleaseSemaphore(handle, 1),
      yield* NtReleaseSemaphore(handle, 1),
      yield* NtReleaseSemaphore(handle, 1),
      yield* NtQuerySemaphore(handle, BASIC, 8),
    ];
  });
  expect(value).toEqual([
    { status: STATUS.SEMAPHORE_LIMIT_EXCEEDED, previousState: undefined },
    { status: STATUS.SUCCESS, previousState: 0 },
    { status: STATUS.SUCCESS, previousState: 1 },
    { status: STATUS.SEMAPHORE_LIMIT_EXCEEDED, previousState: undefined },
    { status: STATUS.SUCCESS, returnLength: 8, CurrentCount: 2, MaximumCount: 2 },
  ]);
});

test('ke.semaphore-005: NtCreateSemaphore with more than the maximum gives no handle', async () => {
  const value = await runUser(function* () {
    return yield* NtCreateSemaphore(ALL, null, 2, 1);
  });
  expect(value).toEqual({ status: STATUS.INVALID_PARAMETER, handle: 0 });
});

test('ke.semaphore-007: NtSignalAndWaitForSingleObject past the limit does not wait', async () => {
  const value = await runUser(function* () {
    const { handle: s0 } = yield* NtCreateSemaphore(ALL, null, 0, 1);
    const { handle: s1 } = yield* NtCreateSemaphore(ALL, null, 1, 1);
    const first = yield* NtSignalAndWaitForSingleObject(s0, s1, false, null);
    const counts = [
      (yield* NtQuerySemaphore(s0, BASIC, 8)).CurrentCount,
      (yield* NtQuerySemaphore(s1, BASIC, 8)).CurrentCount,
    ];
    const second = yield* NtSignalAndWaitForSingleObject(s0, s1, false, null);
    const released = [
      (yield* NtReleaseSemaphore(s0, 1)).status,
      (yield* NtReleaseSemaphore(s1, 1)).status,
    ];
    return [first, counts, second, released];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    [1, 0],
    STATUS.SEMAPHORE_LIMIT_EXCEEDED,
    [STATUS.SEMAPHORE_LIMIT_EXCEEDED, STATUS.SUCCESS],
  ]);
});

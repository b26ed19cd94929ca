import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { ACCESS } from '../../src/ob/access';
import { NtClose } from '../../src/ob/handle';
import {
  MUTANT_ACCESS,
  MUTANT_INFORMATION_CLASS,
  NtCreateMutant,
  NtOpenMutant,
  NtQueryMutant,
  NtReleaseMutant,
} from '../../src/ob/services/mutant';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { objectRows, runUser } from './user';

const ALL = MUTANT_ACCESS.ALL_ACCESS;
const BASIC = MUTANT_INFORMATION_CLASS.MutantBasicInformation;
const NAMED = { ObjectName: '\\BaseNamedObjects\\mutant' };

test('ke.mutant-014: a mutant that is waited for twice is released twice', async () => {
  const value = await runUser(function* () {
    const { handle } = yield* NtCreateMutant(ALL, null, true);
    return [
      yield* NtWaitForSingleObject(handle, false, 0),
      (yield* NtQueryMutant(handle, BASIC, 8)).CurrentCount,
      yield* NtReleaseMutant(handle),
      yield* NtReleaseMutant(handle),
      yield* NtQueryMutant(handle, BASIC, 8),
    ];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    -1,
    { status: STATUS.SUCCESS, previousState: -1 },
    { status: STATUS.SUCCESS, previousState: 0 },
    {
      status: STATUS.SUCCESS,
      returnLength: 8,
      CurrentCount: 1,
      OwnedByCaller: false,
      AbandonedState: false,
    },
  ]);
});

test('ke.mutant-017: NtOpenMutant needs an access, and GENERIC_EXECUTE is enough to wait', async () => {
  const value = await runUser(function* () {
    const absent = yield* NtOpenMutant(0, NAMED);
    yield* NtCreateMutant(ALL, NAMED, false);
    const none = yield* NtOpenMutant(0, NAMED);
    const { status, handle } = yield* NtOpenMutant(ACCESS.GENERIC_EXECUTE, NAMED);
    return [absent.status, none.status, status, yield* NtWaitForSingleObject(handle, false, 0)];
  });
  expect(value).toEqual([
    STATUS.OBJECT_NAME_NOT_FOUND,
    STATUS.ACCESS_DENIED,
    STATUS.SUCCESS,
    STATUS.SUCCESS,
  ]);
});

test('ke.mutant-018: a mutant is owned by the thread, whatever handle it was acquired through', async () => {
  const value = await runUser(function* () {
    const { handle } = yield* NtCreateMutant(ALL, NAMED, false);
    const other = yield* NtOpenMutant(ACCESS.GENERIC_EXECUTE, NAMED);
    yield* NtWaitForSingleObject(other.handle, false, 0);
    yield* NtClose(other.handle);
    const waits: number[] = [];
    for (let wait = 0; wait < 31; wait++) {
      waits.push(yield* NtWaitForSingleObject(handle, false, 0));
    }
    const access = (ACCESS.GENERIC_READ | ACCESS.GENERIC_WRITE) >>> 0;
    const third = yield* NtOpenMutant(access, NAMED);
    return [
      new Set(waits),
      yield* NtWaitForSingleObject(third.handle, false, 0),
      (yield* NtQueryMutant(handle, BASIC, 8)).CurrentCount,
    ];
  });
  expect(value).toEqual([new Set([STATUS.SUCCESS]), STATUS.ACCESS_DENIED, -31]);
});

test('ke.mutant-019: NtReleaseMutant needs no right, and every bit of an access mask has its answer', async () => {
  const value = await runUser(function* () {
    const { handle } = yield* NtCreateMutant(ALL, NAMED, true);
    for (let wait = 1; wait < 32; wait++) yield* NtWaitForSingleObject(handle, false, 0);
    const opened: number[] = [];
    const statuses = new Map<number, number[]>();
    for (let bit = 0; bit < 32; bit++) {
      const open = yield* NtOpenMutant((1 << bit) >>> 0, NAMED);
      statuses.set(open.status, [...(statuses.get(open.status) ?? []), bit]);
      if (open.status === STATUS.SUCCESS) opened.push((yield* NtReleaseMutant(open.handle)).status);
    }
    return [Object.fromEntries(statuses), new Set(opened)];
  });
  expect(value).toEqual([
    {
      [STATUS.SUCCESS]: [0, 16, 17, 18, 19, 20, 25, 28, 29, 30, 31],
      [STATUS.PRIVILEGE_NOT_HELD]: [24],
      [STATUS.ACCESS_DENIED]: [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 21, 22, 23, 26, 27,
      ],
    },
    new Set([STATUS.SUCCESS]),
  ]);
});

test('ke.mutant-020: NtReleaseMutant of a free mutant is STATUS_MUTANT_NOT_OWNED', async () => {
  const value = await runUser(function* () {
    const { handle } = yield* NtCreateMutant(ALL, null, true);
    return [yield* NtReleaseMutant(handle), yield* NtReleaseMutant(handle)];
  });
  expect(value).toEqual([
    { status: STATUS.SUCCESS, previousState: 0 },
    { status: STATUS.MUTANT_NOT_OWNED, previousState: undefined },
  ]);
});

test('NtClose of the last handle to a mutant that is owned takes it from its owner', async () => {
  const value = await runUser(function* (_process, machine) {
    const before = objectRows(machine);
    const { handle } = yield* NtCreateMutant(ALL, null, true);
    const between = objectRows(machine);
    const closed = yield* NtClose(handle);
    return [closed, between - before, objectRows(machine) - before];
  });
  expect(value).toEqual([STATUS.SUCCESS, 1, 0]);
});

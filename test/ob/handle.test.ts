import { expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { ACCESS } from '../../src/ob/access';
import { OBJ } from '../../src/ob/attributes';
import { DUPLICATE, NtDuplicateObject, ZwDuplicateObject } from '../../src/ob/duplicate';
import { NtClose, ObCloseHandle, ObOpenObjectByPointer, ZwClose } from '../../src/ob/handle';
import {
  NtCompareObjects,
  NtQueryObject,
  NtSetInformationObject,
  OBJECT_INFORMATION_CLASS,
  ZwQueryObject,
} from '../../src/ob/query';
import { DIRECTORY_ACCESS, ZwCreateDirectoryObject } from '../../src/ob/services/directory';
import { EVENT_ACCESS, EVENT_TYPE, NtCreateEvent } from '../../src/ob/services/event';
import { PsProcessType } from '../../src/ob/types';
import { bugCheckOf, runKernel, runUser } from './user';

const PROCESS_ALL_ACCESS = 0x1fffff;
const CURRENT = -1;
const BASIC = OBJECT_INFORMATION_CLASS.ObjectBasicInformation;
const FLAGS = OBJECT_INFORMATION_CLASS.ObjectHandleFlagInformation;
const ALL = EVENT_ACCESS.ALL_ACCESS;
const DIRECTORY_ALL = DIRECTORY_ACCESS.ALL_ACCESS;
const SAME = DUPLICATE.SAME_ACCESS;
const MOVE = DUPLICATE.SAME_ACCESS | DUPLICATE.CLOSE_SOURCE;

/** A new event of the caller's. */
function* newEvent(attributes = 0) {
  const given = { Attributes: attributes };
  return (yield* NtCreateEvent(ALL, given, EVENT_TYPE.NotificationEvent, false)).handle;
}

/** Flags of a handle: inherit, protect. */
function* flagsOf(handle: number) {
  const { Inherit, ProtectFromClose } = yield* NtQueryObject(handle, FLAGS, 2);
  return [Inherit, ProtectFromClose];
}

test('ob.handle-001: ZwCreateDirectoryObject of kernel mode makes a handle of the process', async () => {
  const value = await runKernel(function* (_process, machine) {
    const system = yield* ObOpenObjectByPointer(
      machine.systemProcess,
      OBJ.KERNEL_HANDLE,
      null,
      PROCESS_ALL_ACCESS,
      PsProcessType,
      MODE.KernelMode,
    );
    const { status, handle } = yield* ZwCreateDirectoryObject(DIRECTORY_ALL, { Attributes: 0 });
    return [system.status, status, handle, yield* ZwQueryObject(handle, BASIC, 56)];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    STATUS.SUCCESS,
    4,
    {
      status: STATUS.SUCCESS,
      returnLength: 56,
      Attributes: 0,
      GrantedAccess: DIRECTORY_ALL,
      HandleCount: 1,
      PointerCount: 32_769,
      NameInfoSize: 0,
      TypeInfoSize: 124,
    },
  ]);
});

test('ob.handle-002: OBJ_KERNEL_HANDLE is in the value of the handle, and not shown', async () => {
  const value = await runKernel(function* () {
    const kernel = { Attributes: OBJ.KERNEL_HANDLE };
    const { handle } = yield* ZwCreateDirectoryObject(DIRECTORY_ALL, kernel);
    const { HandleCount, Attributes } = yield* ZwQueryObject(handle, BASIC, 56);
    return [handle, HandleCount, Attributes];
  });
  expect(value).toEqual([-2_147_483_644, 1, 0]);
});

test('ob.handle-004: ZwDuplicateObject makes no handle of the kernel in another process', async () => {
  const value = await runKernel(function* () {
    const { handle } = yield* ZwCreateDirectoryObject(DIRECTORY_ALL, null);
    const attributes = OBJ.KERNEL_HANDLE;
    return yield* ZwDuplicateObject(CURRENT, handle, CURRENT, DIRECTORY_ALL, attributes, 0);
  });
  expect(value).toEqual({ status: STATUS.INVALID_PARAMETER, handle: 0 });
});

test('ob.handle-005: a duplicate in the System process is a handle of the kernel, which user mode cannot close', async () => {
  const value = await runKernel(function* (_process, machine) {
    const { handle } = yield* ZwCreateDirectoryObject(DIRECTORY_ALL, null);
    const system = yield* ObOpenObjectByPointer(
      machine.systemProcess,
      OBJ.KERNEL_HANDLE,
      null,
      PROCESS_ALL_ACCESS,
      PsProcessType,
      MODE.KernelMode,
    );
    const duplicate = yield* ZwDuplicateObject(
      CURRENT,
      handle,
      system.handle,
      DIRECTORY_ALL,
      OBJ.KERNEL_HANDLE,
      0,
    );
    const closedByUser = yield* ObCloseHandle(duplicate.handle, MODE.UserMode);
    const open = (yield* ZwQueryObject(handle, BASIC, 56)).HandleCount;
    const closed = yield* ObCloseHandle(duplicate.handle, MODE.KernelMode);
    const left = (yield* ZwQueryObject(handle, BASIC, 56)).HandleCount;
    return [duplicate.status, duplicate.handle < -6, closedByUser, open, closed, left];
  });
  expect(value).toEqual([STATUS.SUCCESS, true, STATUS.INVALID_HANDLE, 2, STATUS.SUCCESS, 1]);
});

test('ob.handle-006: ObCloseHandle of user mode finds no handle of the kernel', async () => {
  const value = await runKernel(function* () {
    const kernel = { Attributes: OBJ.KERNEL_HANDLE };
    const { handle } = yield* ZwCreateDirectoryObject(DIRECTORY_ALL, kernel);
    return [
      yield* ObCloseHandle(handle, MODE.UserMode),
      (yield* ZwQueryObject(handle, BASIC, 56)).HandleCount,
      yield* ObCloseHandle(handle, MODE.KernelMode),
    ];
  });
  expect(value).toEqual([STATUS.INVALID_HANDLE, 1, STATUS.SUCCESS]);
});

test('ob.handle-009: ZwClose of NULL and of pseudo handles does no harm', async () => {
  const value = await runKernel(function* () {
    return [yield* ZwClose(0), yield* ZwClose(-0x80000000), yield* ZwClose(CURRENT)];
  });
  expect(value).toEqual([STATUS.INVALID_HANDLE, STATUS.INVALID_HANDLE, STATUS.SUCCESS]);
});

test.each([
  [0x7fffffff, 0x7fffffffn],
  [123, 123n],
  [123 - 0x80000000, 0xffffffff8000007bn],
])('ob.handle-009: ZwClose of handle %i, which does not exist, is INVALID_KERNEL_HANDLE', async (handle, p1) => {
  const stop = await bugCheckOf(function* () {
    yield* ZwClose(handle);
  });
  expect(stop).toEqual([BUGCHECK.INVALID_KERNEL_HANDLE, p1, 1n]);
});

test('ZwClose of a protected handle of the kernel is INVALID_KERNEL_HANDLE with parameter 0', async () => {
  const stop = await bugCheckOf(function* () {
    const kernel = { Attributes: OBJ.KERNEL_HANDLE };
    const { handle } = yield* ZwCreateDirectoryObject(DIRECTORY_ALL, kernel);
    yield* NtSetInformationObject(handle, FLAGS, { Inherit: false, ProtectFromClose: true }, 2);
    yield* ZwClose(handle);
  });
  expect(stop).toEqual([BUGCHECK.INVALID_KERNEL_HANDLE, 0xffffffff80000004n, 0n]);
});

test('ob.handle-011: a duplicate of a pseudo handle is a real one, and may be protected', async () => {
  const value = await runKernel(function* () {
    const protect = OBJ.PROTECT_CLOSE;
    const access = ACCESS.GENERIC_ALL;
    const { status, handle } = yield* NtDuplicateObject(
      CURRENT,
      CURRENT,
      CURRENT,
      access,
      protect,
      0,
    );
    return [status, handle, yield* NtClose(handle)];
  });
  expect(value).toEqual([STATUS.SUCCESS, 4, STATUS.HANDLE_NOT_CLOSABLE]);
});

test('ob.handle-029: NtDuplicateObject checks source and access', async () => {
  const value = await runUser(function* () {
    const duplicate = (source: number, access: number) =>
      NtDuplicateObject(CURRENT, source, CURRENT, access, 0, 0);
    return [
      (yield* duplicate(CURRENT, PROCESS_ALL_ACCESS)).status,
      yield* NtDuplicateObject(CURRENT, CURRENT, CURRENT, PROCESS_ALL_ACCESS, 0, 0, null),
      yield* NtDuplicateObject(CURRENT, CURRENT, CURRENT, PROCESS_ALL_ACCESS, 0, 0, 0xdeadbee0),
      yield* duplicate(0xdead, PROCESS_ALL_ACCESS),
      yield* duplicate(CURRENT, 0xffffffff),
    ];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    { status: STATUS.SUCCESS, handle: 0 },
    { status: STATUS.ACCESS_VIOLATION, handle: 0 },
    { status: STATUS.INVALID_HANDLE, handle: 0 },
    { status: STATUS.ACCESS_DENIED, handle: 0 },
  ]);
});

test('ob.handle-030: NtCompareObjects compares what handles stand for', async () => {
  const value = await runUser(function* () {
    const self = yield* NtDuplicateObject(CURRENT, CURRENT, CURRENT, 0, 0, SAME);
    const event = yield* newEvent();
    const twin = yield* NtDuplicateObject(CURRENT, event, CURRENT, 0, 0, SAME);
    const other = yield* newEvent();
    return [
      yield* NtCompareObjects(-1, -1),
      yield* NtCompareObjects(-2, -2),
      yield* NtCompareObjects(-1, -2),
      yield* NtCompareObjects(-1, self.handle),
      yield* NtCompareObjects(event, twin.handle),
      yield* NtCompareObjects(event, other),
    ];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    STATUS.SUCCESS,
    STATUS.NOT_SAME_OBJECT,
    STATUS.SUCCESS,
    STATUS.SUCCESS,
    STATUS.NOT_SAME_OBJECT,
  ]);
});

test('ob.handle-042: NtDuplicateObject makes a handle without access, or with all that there is', async () => {
  const value = await runUser(function* () {
    const event = yield* newEvent();
    const none = yield* NtDuplicateObject(CURRENT, event, CURRENT, 0, 0, 0);
    const all = yield* NtDuplicateObject(CURRENT, event, CURRENT, ALL, 0, 0);
    return [
      none.status,
      (yield* NtQueryObject(none.handle, BASIC, 56)).GrantedAccess,
      all.status,
      (yield* NtQueryObject(all.handle, BASIC, 56)).GrantedAccess,
    ];
  });
  expect(value).toEqual([STATUS.SUCCESS, 0, STATUS.SUCCESS, ALL]);
});

test('ob.handle-044: only -1 is the current process', async () => {
  const value = await runUser(function* () {
    return [
      yield* NtCompareObjects(-1, CURRENT),
      yield* NtCompareObjects(0xffffffff, CURRENT),
      yield* NtCompareObjects(0xffffffff | 0, CURRENT),
      yield* NtCompareObjects(0x1ffffffff, CURRENT),
    ];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    STATUS.INVALID_HANDLE,
    STATUS.SUCCESS,
    STATUS.INVALID_HANDLE,
  ]);
});

test('ob.handle-045: DUPLICATE_CLOSE_SOURCE of a pseudo handle closes nothing', async () => {
  const value = await runUser(function* () {
    const plain = yield* NtDuplicateObject(CURRENT, CURRENT, CURRENT, 0, 0, MOVE);
    const inherited = yield* NtDuplicateObject(CURRENT, CURRENT, CURRENT, 0, OBJ.INHERIT, MOVE);
    return [plain, yield* flagsOf(plain.handle), inherited, yield* flagsOf(inherited.handle)];
  });
  expect(value).toEqual([
    { status: STATUS.SUCCESS, handle: 4 },
    [false, false],
    { status: STATUS.SUCCESS, handle: 8 },
    [true, false],
  ]);
});

test('ob.handle-046: DUPLICATE_CLOSE_SOURCE gives the duplicate the value of the source', async () => {
  const value = await runUser(function* () {
    const event = yield* newEvent();
    const plain = yield* NtDuplicateObject(CURRENT, event, CURRENT, 0, 0, MOVE);
    const flags = yield* flagsOf(plain.handle);
    const inherited = yield* NtDuplicateObject(CURRENT, event, CURRENT, 0, OBJ.INHERIT, MOVE);
    return [event, plain.handle, flags, inherited.handle, yield* flagsOf(event)];
  });
  expect(value).toEqual([4, 4, [false, false], 4, [true, false]]);
});

test('ob.handle-047: DUPLICATE_CLOSE_SOURCE leaves a protected source open', async () => {
  const value = await runUser(function* () {
    const event = yield* newEvent();
    yield* NtSetInformationObject(event, FLAGS, { Inherit: false, ProtectFromClose: true }, 2);
    const duplicate = yield* NtDuplicateObject(CURRENT, event, CURRENT, 0, 0, MOVE);
    return [
      duplicate,
      yield* flagsOf(event),
      yield* flagsOf(duplicate.handle),
      yield* NtCompareObjects(event, duplicate.handle),
    ];
  });
  expect(value).toEqual([
    { status: STATUS.SUCCESS, handle: 8 },
    [false, true],
    [false, false],
    STATUS.SUCCESS,
  ]);
});

test('ob.handle-048: the entry that was freed last is used first', async () => {
  const value = await runUser(function* () {
    const low = yield* newEvent();
    const event = yield* newEvent();
    yield* NtClose(low);
    const moved = yield* NtDuplicateObject(CURRENT, event, CURRENT, 0, 0, MOVE);
    return [low, event, moved.handle, yield* newEvent(), yield* newEvent()];
  });
  expect(value).toEqual([4, 8, 8, 4, 12]);
});

test('ob.handle-049: DUPLICATE_SAME_ATTRIBUTES copies the flags of the source, whatever is asked for', async () => {
  const value = await runUser(function* () {
    const options = SAME | DUPLICATE.SAME_ATTRIBUTES;
    const event = yield* newEvent();
    const none = yield* NtDuplicateObject(CURRENT, event, CURRENT, 0, OBJ.INHERIT, options);
    const before = yield* flagsOf(none.handle);
    yield* NtSetInformationObject(event, FLAGS, { Inherit: true, ProtectFromClose: true }, 2);
    const both = yield* NtDuplicateObject(CURRENT, event, CURRENT, 0, 0, options);
    const pseudo = yield* NtDuplicateObject(CURRENT, CURRENT, CURRENT, 0, OBJ.INHERIT, options);
    return [before, yield* flagsOf(both.handle), yield* flagsOf(pseudo.handle)];
  });
  expect(value).toEqual([
    [false, false],
    [true, true],
    [false, false],
  ]);
});

test('NtDuplicateObject without a target process closes the source alone', async () => {
  const value = await runUser(function* () {
    const event = yield* newEvent();
    const close = DUPLICATE.CLOSE_SOURCE;
    const closed = yield* NtDuplicateObject(CURRENT, event, 0, 0, 0, close);
    return [closed, (yield* NtQueryObject(event, BASIC, 56)).status];
  });
  expect(value).toEqual([{ status: STATUS.SUCCESS, handle: 0 }, STATUS.INVALID_HANDLE]);
});

test('NtSetInformationObject checks class, length and handle', async () => {
  const value = await runUser(function* () {
    const flags = { Inherit: true, ProtectFromClose: false };
    const event = yield* newEvent();
    return [
      yield* NtSetInformationObject(event, BASIC, flags, 2),
      yield* NtSetInformationObject(event, FLAGS, flags, 4),
      yield* NtSetInformationObject(0xdead, FLAGS, flags, 2),
      yield* NtSetInformationObject(CURRENT, FLAGS, flags, 2),
    ];
  });
  expect(value).toEqual([
    STATUS.INVALID_INFO_CLASS,
    STATUS.INFO_LENGTH_MISMATCH,
    STATUS.INVALID_HANDLE,
    STATUS.INVALID_HANDLE,
  ]);
});

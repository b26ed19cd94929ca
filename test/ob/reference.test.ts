import { expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import type { KThread } from '../../src/machine/views';
import { ACCESS } from '../../src/ob/access';
import { OBJ } from '../../src/ob/attributes';
import type { ObjectDirectory } from '../../src/ob/directory';
import { NtDuplicateObject } from '../../src/ob/duplicate';
import { ObOpenObjectByPointer, ObReferenceObjectByHandle, ZwClose } from '../../src/ob/handle';
import {
  NtMakePermanentObject,
  NtMakeTemporaryObject,
  ObCreateObject,
  ObInsertObject,
  ObReferenceObjectByName,
  ZwMakeTemporaryObject,
} from '../../src/ob/namespace';
import { HostObject, type ObjectBody, type ObjectHeader } from '../../src/ob/object';
import { OBJECT_INFORMATION_CLASS, ZwQueryObject } from '../../src/ob/query';
import {
  ObDereferenceObject,
  ObDereferenceObjectDeferDelete,
  ObGetObjectType,
  ObReferenceObject,
  ObReferenceObjectByPointer,
} from '../../src/ob/reference';
import { DIRECTORY_ACCESS, ZwCreateDirectoryObject } from '../../src/ob/services/directory';
import {
  EVENT_ACCESS,
  EVENT_TYPE,
  NtCreateEvent,
  NtOpenEvent,
  ZwCreateEvent,
} from '../../src/ob/services/event';
import {
  ExEventObjectType,
  IoFileObjectType,
  PsProcessType,
  PsThreadType,
} from '../../src/ob/types';
import { bugCheckOf, objectRows, runKernel } from './user';

const BASIC = OBJECT_INFORMATION_CLASS.ObjectBasicInformation;
const ALL = DIRECTORY_ACCESS.ALL_ACCESS;
const NAME = '\\BaseNamedObjects\\event';
/** Counts as before Windows 8, where a handle is one reference. */
const OLD_COUNTS = { profile: { handleReferences: 1 } };

/** PointerCount and HandleCount. */
function* countsOf(handle: number) {
  const { PointerCount, HandleCount } = yield* ZwQueryObject(handle, BASIC, 56);
  return [PointerCount, HandleCount];
}

/** PointerCount through every way to take a reference and to give it back. */
function references(objectName: string | null) {
  return runKernel(function* () {
    const { handle } = yield* ZwCreateDirectoryObject(ALL, { ObjectName: objectName });
    const counts: unknown[] = [yield* countsOf(handle)];
    const bodies = new Set<unknown>();
    for (let round = 0; round < 2; round++) {
      const { object } = yield* ObReferenceObjectByHandle(handle, ALL, null, MODE.KernelMode);
      bodies.add(object);
      counts.push(yield* countsOf(handle));
    }
    const [body] = [...bodies] as [ObjectDirectory];
    for (let round = 0; round < 2; round++) {
      counts.push(ObReferenceObject(body), yield* countsOf(handle));
    }
    for (let round = 0; round < 2; round++) {
      counts.push(
        ObReferenceObjectByPointer(body, ALL, null, MODE.KernelMode),
        yield* countsOf(handle),
      );
    }
    for (let round = 0; round < 4; round++) {
      counts.push(yield* ObDereferenceObject(body), yield* countsOf(handle));
    }
    return [bodies.size, ...counts];
  }, OLD_COUNTS);
}

test('ob.ref-001: every reference to an unnamed directory is counted', async () => {
  expect(await references(null)).toEqual([
    1,
    [2, 1],
    [3, 1],
    [4, 1],
    4,
    [5, 1],
    5,
    [6, 1],
    STATUS.SUCCESS,
    [7, 1],
    STATUS.SUCCESS,
    [8, 1],
    6,
    [7, 1],
    5,
    [6, 1],
    4,
    [5, 1],
    3,
    [4, 1],
  ]);
});

test('ob.ref-001: the name of a directory is one more reference', async () => {
  expect(await references('\\BaseNamedObjects\\directory')).toEqual([
    1,
    [3, 1],
    [4, 1],
    [5, 1],
    5,
    [6, 1],
    6,
    [7, 1],
    STATUS.SUCCESS,
    [8, 1],
    STATUS.SUCCESS,
    [9, 1],
    7,
    [8, 1],
    6,
    [7, 1],
    5,
    [6, 1],
    4,
    [5, 1],
  ]);
});

test('ob.ref-003: ZwMakeTemporaryObject leaves counts as they are, however often', async () => {
  const value = await runKernel(function* () {
    const attributes = { ObjectName: '\\permanent', Attributes: OBJ.PERMANENT };
    const { handle } = yield* ZwCreateDirectoryObject(ALL, attributes);
    const before = yield* countsOf(handle);
    const first = yield* ZwMakeTemporaryObject(handle);
    const between = yield* countsOf(handle);
    const second = yield* ZwMakeTemporaryObject(handle);
    return [before, first, between, second, yield* ZwClose(handle)];
  }, OLD_COUNTS);
  expect(value).toEqual([[3, 1], STATUS.SUCCESS, [3, 1], STATUS.SUCCESS, STATUS.SUCCESS]);
});

class Body extends HostObject {}

/** How many references a body has. */
function pointerCount(body: ObjectBody): number {
  return (body.objectHeader as ObjectHeader).pointerCount;
}

test.each([
  ['\\missing\\object', STATUS.OBJECT_PATH_NOT_FOUND],
  ['\\BaseNamedObjects\\object\\', STATUS.OBJECT_NAME_INVALID],
  ['object', STATUS.OBJECT_PATH_SYNTAX_BAD],
  ['\\', STATUS.OBJECT_NAME_COLLISION],
])('ob.ref-006: ObInsertObject as %s destroys the object', async (name, status) => {
  const value = await runKernel(function* (_process, machine) {
    const body = new Body(machine);
    const attributes = { ObjectName: name };
    const created = yield* ObCreateObject(MODE.KernelMode, IoFileObjectType, attributes, body);
    const before = pointerCount(body);
    const inserted = yield* ObInsertObject(body, 0);
    return [created.status, before, inserted, pointerCount(body)];
  });
  expect(value).toEqual([STATUS.SUCCESS, 1, { status, handle: 0 }, 0]);
});

test('ob.ref-007: ObReferenceObjectByHandle checks handle and type', async () => {
  const value = await runKernel(function* () {
    const kernel = { Attributes: OBJ.KERNEL_HANDLE };
    const sync = ACCESS.SYNCHRONIZE;
    const { handle } = yield* ZwCreateEvent(sync, kernel, EVENT_TYPE.NotificationEvent, false);
    const reference = (of: number, type: typeof ExEventObjectType | null) =>
      ObReferenceObjectByHandle(of, sync, type, MODE.KernelMode);
    const none = yield* reference(0, ExEventObjectType);
    const wrong = yield* reference(handle, IoFileObjectType);
    const { status, object } = yield* reference(handle, null);
    return [none.status, wrong.status, status, ObGetObjectType(object as ObjectBody)];
  });
  expect(value).toEqual([
    STATUS.INVALID_HANDLE,
    STATUS.OBJECT_TYPE_MISMATCH,
    STATUS.SUCCESS,
    ExEventObjectType,
  ]);
});

test('ob.ref-008: a handle and its duplicate are of one body', async () => {
  const value = await runKernel(function* () {
    const { handle } = yield* ZwCreateDirectoryObject(ALL, null);
    const duplicate = yield* NtDuplicateObject(-1, handle, -1, ALL, 0, 0);
    const bodies = new Set<unknown>();
    for (const of of [handle, handle, duplicate.handle]) {
      bodies.add((yield* ObReferenceObjectByHandle(of, ALL, null, MODE.KernelMode)).object);
    }
    return bodies.size;
  });
  expect(value).toBe(1);
});

test('ob.handle-010: ObOpenObjectByPointer makes a handle to a file object', async () => {
  const value = await runKernel(function* (_process, machine) {
    const file = new Body(machine);
    const mode = MODE.KernelMode;
    yield* ObCreateObject(mode, IoFileObjectType, null, file);
    return yield* ObOpenObjectByPointer(file, OBJ.KERNEL_HANDLE, null, 0, IoFileObjectType, mode);
  });
  expect(value).toEqual({ status: STATUS.SUCCESS, handle: -2_147_483_644 });
});

test('ob.ref-009: a thread that has ended can be opened while it is referred to', async () => {
  const value = await runKernel(function* (process, machine) {
    const ending: KThread = process.createThread(function* () {});
    const open = yield* ObOpenObjectByPointer(
      ending,
      OBJ.KERNEL_HANDLE,
      null,
      ACCESS.SYNCHRONIZE,
      PsThreadType,
      MODE.KernelMode,
    );
    ending.close();
    const sync = ACCESS.SYNCHRONIZE;
    const { status, object } = yield* ObReferenceObjectByHandle<KThread>(
      open.handle,
      sync,
      PsThreadType,
      MODE.KernelMode,
    );
    const thread = object as KThread;
    const reason = KWAIT_REASON.Executive;
    const waited = yield* KeWaitForSingleObject(thread, reason, MODE.KernelMode, false, null);
    const again = (type: typeof PsThreadType | null) =>
      ObOpenObjectByPointer(thread, OBJ.KERNEL_HANDLE, null, 0, type, MODE.KernelMode);
    const second = yield* again(null);
    const wrong = yield* again(IoFileObjectType);
    const type = machine.memory.u32(thread.address);
    yield* ZwClose(open.handle);
    yield* ZwClose(second.handle);
    const kept = thread.exists;
    yield* ObDereferenceObject(thread);
    return [status, type, waited, second.status, wrong.status, kept, thread.exists];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    6,
    STATUS.SUCCESS,
    STATUS.SUCCESS,
    STATUS.OBJECT_TYPE_MISMATCH,
    true,
    false,
  ]);
});

/** Makes a named event, does something to it, closes it: what opening it comes to then. */
function afterwards(
  attributes: number,
  access: number,
  steps: 'none' | 'temporary' | 'permanent' | 'both',
) {
  return runKernel(function* () {
    const given = { ObjectName: NAME, Attributes: attributes };
    const type = EVENT_TYPE.NotificationEvent;
    const { handle } = yield* NtCreateEvent(access, given, type, false);
    const statuses: number[] = [];
    if (steps === 'temporary' || steps === 'both')
      statuses.push(yield* NtMakeTemporaryObject(handle));
    if (steps === 'permanent' || steps === 'both')
      statuses.push(yield* NtMakePermanentObject(handle));
    statuses.push(yield* ZwClose(handle));
    return [
      ...statuses,
      (yield* NtOpenEvent(EVENT_ACCESS.QUERY_STATE, { ObjectName: NAME })).status,
    ];
  });
}

const FULL = ACCESS.GENERIC_ALL;
const NO_DELETE = EVENT_ACCESS.ALL_ACCESS & ~ACCESS.DELETE;
const OK = STATUS.SUCCESS;
const GONE = STATUS.OBJECT_NAME_NOT_FOUND;

test.each([
  ['ob.ref-011: a permanent event outlives its last handle', OBJ.PERMANENT, FULL, 'none', [OK, OK]],
  ['ob.ref-012: NtMakeTemporaryObject ends that', OBJ.PERMANENT, FULL, 'temporary', [OK, OK, GONE]],
  [
    'ob.ref-014: NtMakePermanentObject needs no DELETE',
    OBJ.PERMANENT,
    NO_DELETE,
    'permanent',
    [OK, OK, OK],
  ],
  [
    'ob.ref-015: NtMakePermanentObject takes NtMakeTemporaryObject back',
    OBJ.PERMANENT,
    FULL,
    'both',
    [OK, OK, OK, OK],
  ],
  ['ob.ref-016: a temporary event goes with its last handle', 0, FULL, 'none', [OK, GONE]],
  [
    'ob.ref-017: NtMakeTemporaryObject of a temporary event changes nothing',
    0,
    FULL,
    'temporary',
    [OK, OK, GONE],
  ],
  ['ob.ref-020: NtMakePermanentObject sets a flag, no counter', 0, FULL, 'both', [OK, OK, OK, OK]],
] as const)('%s', async (_name, attributes, access, steps, statuses) => {
  expect(await afterwards(attributes, access, steps)).toEqual(statuses);
});

test('ObDereferenceObject once too often is REFERENCE_BY_POINTER', async () => {
  const stop = await bugCheckOf(function* (_process, machine) {
    const body = new Body(machine);
    yield* ObCreateObject(MODE.KernelMode, IoFileObjectType, null, body);
    yield* ObDereferenceObject(body);
    yield* ObDereferenceObject(body);
  });
  expect(stop).toEqual([BUGCHECK.REFERENCE_BY_POINTER, 22n, 0n]);
});

test('the last reference given back at DISPATCH_LEVEL lets a thread of the system delete the object', async () => {
  const value = await runKernel(function* (process, machine) {
    const rows = objectRows(machine);
    const type = EVENT_TYPE.NotificationEvent;
    const { handle } = yield* ZwCreateEvent(EVENT_ACCESS.ALL_ACCESS, null, type, false);
    const reference = ObReferenceObjectByHandle(handle, 0, null, MODE.KernelMode);
    const body = (yield* reference).object as ObjectBody;
    yield* ZwClose(handle);
    const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    const left = yield* ObDereferenceObject(body);
    const between = objectRows(machine) - rows;
    yield* KeLowerIrql(old);
    const reason = KWAIT_REASON.Executive;
    const never = machine.createEvent('notification');
    yield* KeWaitForSingleObject(never, reason, MODE.KernelMode, false, -1_000_000);
    never.delete();
    return [process.threadCount, left, between, objectRows(machine) - rows];
  });
  expect(value).toEqual([1, 0, 1, 0]);
});

test('ObDereferenceObjectDeferDelete is for code that is no generator', async () => {
  const value = await runKernel(function* (_process, machine) {
    const rows = objectRows(machine);
    const type = EVENT_TYPE.NotificationEvent;
    const { handle } = yield* ZwCreateEvent(EVENT_ACCESS.ALL_ACCESS, null, type, false);
    const reference = ObReferenceObjectByHandle(handle, 0, null, MODE.KernelMode);
    const body = (yield* reference).object as ObjectBody;
    yield* ZwClose(handle);
    ObDereferenceObjectDeferDelete(body);
    const between = objectRows(machine) - rows;
    const never = machine.createEvent('notification');
    const reason = KWAIT_REASON.Executive;
    yield* KeWaitForSingleObject(never, reason, MODE.KernelMode, false, -1_000_000);
    never.delete();
    return [between, objectRows(machine) - rows];
  });
  expect(value).toEqual([1, 0]);
});

test('ObReferenceObjectByName finds an object by its path and type', async () => {
  const value = await runKernel(function* () {
    const find = (type: typeof PsProcessType | null, name: string, attributes = 0) =>
      ObReferenceObjectByName(name, attributes, 0, type, MODE.KernelMode);
    const name = '\\KernelObjects\\HighMemoryCondition';
    const found = yield* find(ExEventObjectType, name);
    const folded = yield* find(null, name.toLowerCase(), OBJ.CASE_INSENSITIVE);
    return [
      found.status,
      found.object === folded.object,
      (yield* find(PsProcessType, name)).status,
      (yield* find(null, name.toLowerCase())).status,
      (yield* find(null, '\\KernelObjects\\missing')).status,
    ];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    true,
    STATUS.OBJECT_TYPE_MISMATCH,
    STATUS.OBJECT_PATH_NOT_FOUND,
    STATUS.OBJECT_NAME_NOT_FOUND,
  ]);
});

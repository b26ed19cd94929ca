import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { ACCESS } from '../../src/ob/access';
import { OBJ } from '../../src/ob/attributes';
import { ZwClose } from '../../src/ob/handle';
import {
  ObCreateObject,
  ObCreateObjectType,
  ObInsertObject,
  ZwMakeTemporaryObject,
} from '../../src/ob/namespace';
import { HostObject } from '../../src/ob/object';
import { NtQueryObject, OBJECT_INFORMATION_CLASS, ZwQueryObject } from '../../src/ob/query';
import { ObDereferenceObject, ObReferenceObject } from '../../src/ob/reference';
import { DIRECTORY_ACCESS, ZwCreateDirectoryObject } from '../../src/ob/services/directory';
import type { ObjectType } from '../../src/ob/type';
import { runKernel, runUser } from './user';

const BASIC = OBJECT_INFORMATION_CLASS.ObjectBasicInformation;
const TYPES = OBJECT_INFORMATION_CLASS.ObjectTypesInformation;
const MAPPING = { genericRead: 1, genericWrite: 2, genericExecute: 4, genericAll: 7 };
const INITIALIZER = { validAccessMask: 0x1f0007, genericMapping: MAPPING };

test('ob.type-001: ObCreateObjectType that maintains handle counts needs procedures', async () => {
  const value = await runKernel(function* () {
    const counting = { ...INITIALIZER, maintainHandleCount: true };
    const bare = yield* ObCreateObjectType('Kmtest', counting);
    const full = {
      ...counting,
      procedures: {
        open: () => undefined,
        close: () => undefined,
        delete: () => undefined,
        okayToClose: () => true,
        parse: () => ({ status: STATUS.OBJECT_TYPE_MISMATCH }),
        queryName: () => 'name',
      },
    };
    const made = yield* ObCreateObjectType('Kmtest', full);
    const again = yield* ObCreateObjectType('Kmtest', full);
    return [bare, made.status, made.objectType?.name, again];
  });
  expect(value).toEqual([
    { status: STATUS.INVALID_PARAMETER, objectType: null },
    STATUS.SUCCESS,
    'Kmtest',
    { status: STATUS.OBJECT_NAME_COLLISION, objectType: null },
  ]);
});

class Body extends HostObject {}

test('ob.type-003: an object of a type of a driver is counted like any other', async () => {
  const value = await runKernel(
    function* (_process, machine) {
      const { objectType } = yield* ObCreateObjectType('Kmtest', INITIALIZER);
      const permanent = { ObjectName: '\\kmtest', Attributes: OBJ.PERMANENT };
      const directory = yield* ZwCreateDirectoryObject(DIRECTORY_ACCESS.ALL_ACCESS, permanent);
      const body = new Body(machine);
      const named = { ObjectName: '\\kmtest\\object' };
      yield* ObCreateObject(MODE.KernelMode, objectType as ObjectType, named, body);
      const { handle } = yield* ObInsertObject(body, ACCESS.GENERIC_ALL);
      const count = function* () {
        const { PointerCount, HandleCount } = yield* ZwQueryObject(handle, BASIC, 56);
        return [PointerCount, HandleCount];
      };
      const before = yield* count();
      ObReferenceObject(body);
      const between = yield* count();
      const left = yield* ObDereferenceObject(body);
      return [
        before,
        between,
        left,
        yield* count(),
        yield* ZwClose(handle),
        yield* ZwMakeTemporaryObject(directory.handle),
        yield* ZwClose(directory.handle),
      ];
    },
    { profile: { handleReferences: 1 } },
  );
  expect(value).toEqual([
    [3, 1],
    [4, 1],
    2,
    [3, 1],
    STATUS.SUCCESS,
    STATUS.SUCCESS,
    STATUS.SUCCESS,
  ]);
});

test.each([
  ['ob.type-005', 'Process', 0x20410, 0x20bea, 0x121001, 0x1fffff, 0x1fffff],
  ['ob.type-007', 'Event', 0x20001, 0x20002, 0x120000, 0x1f0003, 0x1f0003],
  ['ob.type-010', 'Timer', 0x20001, 0x20002, 0x120000, 0x1f0003, 0x1f0003],
  ['ob.type-012', 'KeyedEvent', 0x20001, 0x20002, 0x20000, 0xf0003, 0x1f0003],
  ['ob.type-014', 'DebugObject', 0x20001, 0x20002, 0x120000, 0x1f000f, 0x1f000f],
  ['ob.type-015', 'UserApcReserve', 0x20001, 0x20002, 0x20000, 0xf0003, 0xf0003],
  ['ob.type-016', 'Token', 0x2001a, 0x201e0, 0x20005, 0xf01ff, 0x1f01ff],
  ['ob.type-017', 'Directory', 0x20003, 0x2000c, 0x20003, 0xf000f, 0xf000f],
])('%s: NtQueryObject tells the rights of %s', async (_id, name, GenericRead, GenericWrite, GenericExecute, GenericAll, valid) => {
  const value = await runUser(function* () {
    const short = yield* NtQueryObject(0, TYPES, 0);
    const all = yield* NtQueryObject(0, TYPES, short.returnLength ?? 0);
    const type = all.Types?.find(({ TypeName }) => TypeName === name);
    return [short.status, all.status, type?.GenericMapping, type?.ValidAccessMask];
  });
  expect(value).toEqual([
    STATUS.INFO_LENGTH_MISMATCH,
    STATUS.SUCCESS,
    { GenericRead, GenericWrite, GenericExecute, GenericAll },
    valid,
  ]);
});

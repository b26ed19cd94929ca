import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { IoCreateNotificationEvent, IoCreateSynchronizationEvent } from '../../src/ob/io-event';
import { ObCreateObject, ObInsertObject } from '../../src/ob/namespace';
import { HostObject } from '../../src/ob/object';
import {
  NtQueryObject,
  OBJECT_INFORMATION_CLASS,
  ObQueryNameString,
  ZwQueryObject,
} from '../../src/ob/query';
import {
  DIRECTORY_ACCESS,
  NtQueryDirectoryObject,
  ZwOpenDirectoryObject,
} from '../../src/ob/services/directory';
import {
  NtCreateSymbolicLinkObject,
  NtQuerySymbolicLinkObject,
  SYMBOLIC_LINK_ACCESS,
} from '../../src/ob/services/symbolic-link';
import { IoDeviceObjectType } from '../../src/ob/types';
import { runKernel, runUser } from './user';

const BASIC = OBJECT_INFORMATION_CLASS.ObjectBasicInformation;
const NAME = OBJECT_INFORMATION_CLASS.ObjectNameInformation;

test('ob.query-001: NtQueryObject wants the exact length of ObjectBasicInformation, and tells those of the rest', async () => {
  const value = await runKernel(function* () {
    const named = { ObjectName: '\\Windows' };
    const { handle } = yield* ZwOpenDirectoryObject(DIRECTORY_ACCESS.QUERY, named);
    const short = yield* ZwQueryObject(handle, BASIC, 0);
    const { status, NameInfoSize, TypeInfoSize } = yield* ZwQueryObject(handle, BASIC, 56);
    return [short, status, NameInfoSize, TypeInfoSize];
  });
  expect(value).toEqual([
    { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 56 },
    STATUS.SUCCESS,
    16 + 18,
    104 + 20,
  ]);
});

class Device extends HostObject {}

/** A device \Device\Foo and a handle to it. */
function* newDevice(device: Device) {
  const named = { ObjectName: '\\Device\\Foo' };
  yield* ObCreateObject(MODE.KernelMode, IoDeviceObjectType, named, device);
  return (yield* ObInsertObject(device, 1)).handle;
}

const FULL_NAME = { Length: 22, MaximumLength: 24, Buffer: '\\Device\\Foo' };

test('ob.query-002: NtQueryObject tells how much room a name takes', async () => {
  const value = await runKernel(function* (_process, machine) {
    const handle = yield* newDevice(new Device(machine));
    return [
      yield* ZwQueryObject(handle, NAME, 0),
      yield* ZwQueryObject(handle, NAME, 16),
      yield* ZwQueryObject(handle, NAME, 256),
    ];
  });
  expect(value).toEqual([
    { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 40 },
    { status: STATUS.BUFFER_OVERFLOW, returnLength: 40 },
    { status: STATUS.SUCCESS, returnLength: 40, Name: FULL_NAME },
  ]);
});

test('ob.query-003: ObQueryNameString gives the path, and of what has no name an empty string', async () => {
  const value = await runKernel(function* (process, machine) {
    const device = new Device(machine);
    yield* newDevice(device);
    const unnamed = yield* IoCreateNotificationEvent(null);
    const event = yield* IoCreateNotificationEvent('\\wine_test_event');
    const [thread] = process.threads();
    return [
      yield* ObQueryNameString(device, 0),
      yield* ObQueryNameString(device, 256),
      yield* ObQueryNameString(unnamed.event as NonNullable<typeof unnamed.event>, 256),
      yield* ObQueryNameString(thread as NonNullable<typeof thread>, 256),
      yield* ObQueryNameString(process, 256),
      yield* ObQueryNameString(event.event as NonNullable<typeof event.event>, 256),
    ];
  });
  const nothing = {
    status: STATUS.SUCCESS,
    returnLength: 16,
    Name: { Length: 0, MaximumLength: 0, Buffer: null },
  };
  expect(value).toEqual([
    { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 40 },
    { status: STATUS.SUCCESS, returnLength: 40, Name: FULL_NAME },
    nothing,
    nothing,
    nothing,
    {
      status: STATUS.SUCCESS,
      returnLength: 50,
      Name: { Length: 32, MaximumLength: 34, Buffer: '\\wine_test_event' },
    },
  ]);
});

test('ob.event-002: IoCreateSynchronizationEvent finds the notification event of its name', async () => {
  const value = await runKernel(function* () {
    const name = '\\BaseNamedObjects\\shared';
    const first = yield* IoCreateNotificationEvent(name);
    const second = yield* IoCreateSynchronizationEvent(name);
    return [first.event?.type, second.event === first.event, second.eventHandle < -6];
  });
  expect(value).toEqual([0, true, true]);
});

const TARGET = '\\target';

test.each([
  ['nothing', 0, true, STATUS.BUFFER_TOO_SMALL, undefined, 20, false],
  ['a byte too few', 13, false, STATUS.BUFFER_TOO_SMALL, undefined, undefined, false],
  [
    'the target, where the length is asked for',
    14,
    true,
    STATUS.BUFFER_TOO_SMALL,
    undefined,
    20,
    false,
  ],
  ['the target, where it is not', 14, false, STATUS.SUCCESS, TARGET, undefined, false],
  ['more, where the length is asked for', 20, true, STATUS.SUCCESS, TARGET, 20, true],
  ['more, where it is not', 20, false, STATUS.SUCCESS, TARGET, undefined, false],
] as const)('ob.query-007: NtQuerySymbolicLinkObject with room for %s', async (_room, room, wants, status, linkTarget, returnedLength, terminated) => {
  const value = await runUser(function* () {
    const target = { Length: 14, MaximumLength: 20, Buffer: TARGET };
    const all = SYMBOLIC_LINK_ACCESS.ALL_ACCESS;
    const { handle } = yield* NtCreateSymbolicLinkObject(all, null, target);
    return yield* NtQuerySymbolicLinkObject(handle, room, wants);
  });
  expect(value).toEqual({ status, linkTarget, returnedLength, terminated });
});

test('NtQueryObject checks handle, class and buffer', async () => {
  const value = await runUser(function* () {
    return [
      yield* NtQueryObject(0xdead, BASIC, 56),
      yield* NtQueryObject(-1, 17 as OBJECT_INFORMATION_CLASS, 56),
      yield* NtQueryObject(-1, BASIC, { length: 56, address: 0 }),
      yield* NtQueryObject(-1, BASIC, { length: 56, address: 2 }),
      (yield* NtQueryObject(-1, OBJECT_INFORMATION_CLASS.ObjectTypeInformation, 256)).TypeName,
    ];
  });
  expect(value).toEqual([
    { status: STATUS.INVALID_HANDLE, returnLength: undefined },
    { status: STATUS.INVALID_INFO_CLASS, returnLength: undefined },
    { status: STATUS.ACCESS_VIOLATION, returnLength: undefined },
    { status: STATUS.DATATYPE_MISALIGNMENT, returnLength: undefined },
    'Process',
  ]);
});

test('NtQueryDirectoryObject lists the namespace one by one, or as much as fits', async () => {
  const value = await runUser(function* () {
    const named = { ObjectName: '\\KernelObjects' };
    const { handle } = yield* ZwOpenDirectoryObject(DIRECTORY_ACCESS.QUERY, named);
    const first = yield* NtQueryDirectoryObject(handle, 1000, true, true, 0);
    const some = yield* NtQueryDirectoryObject(handle, 400, false, false, first.context);
    const rest = yield* NtQueryDirectoryObject(handle, 4000, false, false, some.context);
    const none = yield* NtQueryDirectoryObject(handle, 4000, false, false, rest.context);
    const small = yield* NtQueryDirectoryObject(handle, 40, true, true, 0);
    return [
      first.entries,
      [some.status, some.entries.length],
      [rest.status, rest.entries.map(({ name }) => name)],
      none.status,
      small.status,
    ];
  });
  expect(value).toEqual([
    [{ name: 'CritSecOutOfMemoryEvent', typeName: 'KeyedEvent' }],
    [STATUS.MORE_ENTRIES, 4],
    [
      STATUS.SUCCESS,
      [
        'LowCommitCondition',
        'LowMemoryCondition',
        'LowNonPagedPoolCondition',
        'LowPagedPoolCondition',
        'MaximumCommitCondition',
      ],
    ],
    STATUS.NO_MORE_ENTRIES,
    STATUS.BUFFER_TOO_SMALL,
  ]);
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import type { KThread } from '../../src/machine/views';
import { ACCESS } from '../../src/ob/access';
import { OBJ, type ObjectAttributes, type UnicodeString } from '../../src/ob/attributes';
import { NtClose } from '../../src/ob/handle';
import { NtCompareObjects } from '../../src/ob/query';
import { NtCreateDirectoryObject, DIRECTORY_ACCESS } from '../../src/ob/services/directory';
import { MUTANT_ACCESS, NtCreateMutant } from '../../src/ob/services/mutant';
import {
  SYMBOLIC_LINK_ACCESS,
  ZwCreateSymbolicLinkObject,
  ZwOpenSymbolicLinkObject,
} from '../../src/ob/services/symbolic-link';
import { createDebugObject, MAKERS, type NamedType } from './makers';
import { runKernel, runUser } from './user';

/** Waits until a thread has ended. */
function waitFor(thread: KThread) {
  return KeWaitForSingleObject(thread, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
}

const TYPES = Object.keys(MAKERS) as NamedType[];
const NAME = '\\BaseNamedObjects\\test';
const OPENIF = { ObjectName: NAME, Attributes: OBJ.OPENIF };
/** A handle that is none. */
const BAD_ROOT = 0xdead0;

/** What a type's routines make of attributes: statuses and handles of creation and opening. */
function attempt(type: NamedType, attributes: ObjectAttributes) {
  const { create, open, allAccess } = MAKERS[type];
  return runUser(function* () {
    const created = yield* create(allAccess, attributes);
    if (created.handle !== 0) yield* NtClose(created.handle);
    const opened = yield* open(allAccess, attributes);
    return [created.status, created.handle !== 0, opened.status, opened.handle !== 0];
  });
}

const refused = (status: number) => [status, false, status, false];

describe.each(TYPES)('of a %s', (type) => {
  test('ob.handle-023: creation or opening that fails gives no handle', async () => {
    const { create, open, allAccess } = MAKERS[type];
    const value = await runUser(function* () {
      const bad = { ObjectName: 'test', RootDirectory: BAD_ROOT };
      const missing = { ObjectName: '\\BaseNamedObjects\\missing' };
      return [yield* create(allAccess, bad), yield* open(allAccess, missing)];
    });
    expect(value).toEqual([
      { status: STATUS.INVALID_HANDLE, handle: 0 },
      { status: STATUS.OBJECT_NAME_NOT_FOUND, handle: 0 },
    ]);
  });

  test('ob.handle-025: a name of an odd length is refused before its root', async () => {
    const ObjectName = { Length: 67, Buffer: NAME.padEnd(40, 'x') };
    const value = await attempt(type, { ObjectName, RootDirectory: BAD_ROOT });
    expect(value).toEqual(refused(STATUS.OBJECT_NAME_INVALID));
  });

  test('ob.handle-026: a name may have 65532 bytes', async () => {
    const { create, allAccess } = MAKERS[type];
    const value = await runUser(function* () {
      const name = `\\${'x'.repeat(32_766)}`;
      const longest = { ObjectName: name.slice(0, 32_766) };
      return [
        (yield* create(allAccess, longest)).status,
        yield* create(allAccess, { ObjectName: name }),
      ];
    });
    expect(value).toEqual([STATUS.SUCCESS, { status: STATUS.OBJECT_NAME_INVALID, handle: 0 }]);
  });

  test.each([
    0, 47, 49, 96,
  ])('ob.handle-027: OBJECT_ATTRIBUTES of %i bytes are refused', async (Length) => {
    const value = await attempt(type, { ObjectName: NAME, Length });
    expect(value).toEqual(refused(STATUS.INVALID_PARAMETER));
  });

  test('ob.handle-027: OBJECT_ATTRIBUTES of 48 bytes are not', async () => {
    const { create, allAccess } = MAKERS[type];
    const value = await runUser(function* () {
      return (yield* create(allAccess, { ObjectName: NAME, Length: 48 })).status;
    });
    expect(value).toBe(STATUS.SUCCESS);
  });

  test.each<[string, UnicodeString | null, number, readonly unknown[]]>([
    ['NULL with a root', null, BAD_ROOT, refused(STATUS.OBJECT_NAME_INVALID)],
    ['NULL', null, 0, [STATUS.SUCCESS, true, STATUS.OBJECT_PATH_SYNTAX_BAD, false]],
    ['unmapped', 0xdeadbee0, 0, refused(STATUS.ACCESS_VIOLATION)],
    ['misaligned', { Length: 3, Buffer: 0xdeadbee1 }, 0, refused(STATUS.DATATYPE_MISALIGNMENT)],
    ['without its buffer', { Length: 2, Buffer: 0xdeadbee0 }, 0, refused(STATUS.ACCESS_VIOLATION)],
  ])('ob.handle-028: a name that is %s', async (_name, ObjectName, RootDirectory, expected) => {
    expect(await attempt(type, { ObjectName, RootDirectory })).toEqual(expected);
  });
});

test.each([
  ['ob.handle-018', 'mutant', STATUS.OBJECT_NAME_EXISTS],
  ['ob.handle-019', 'event', STATUS.OBJECT_NAME_EXISTS],
  ['ob.handle-020', 'semaphore', STATUS.OBJECT_NAME_EXISTS],
  ['ob.handle-022', 'section', STATUS.OBJECT_NAME_EXISTS],
] as const)('%s: OBJ_OPENIF opens the %s that is there', async (_id, type, status) => {
  const { create, allAccess } = MAKERS[type];
  const value = await runUser(function* () {
    const first = yield* create(allAccess, { ObjectName: NAME });
    const second = yield* create(allAccess, OPENIF);
    return [first, second, yield* NtCompareObjects(first.handle, second.handle)];
  });
  expect(value).toEqual([
    { status: STATUS.SUCCESS, handle: 4 },
    { status, handle: 8 },
    STATUS.SUCCESS,
  ]);
});

test.each([
  ['ob.handle-031', 'event', STATUS.OBJECT_NAME_EXISTS],
  ['ob.handle-033', 'semaphore', STATUS.OBJECT_NAME_EXISTS],
  ['ob.handle-035', 'I/O completion', STATUS.OBJECT_NAME_EXISTS],
  ['ob.handle-036', 'directory', STATUS.OBJECT_NAME_EXISTS],
  ['ob.handle-037', 'timer', STATUS.OBJECT_NAME_EXISTS],
  ['ob.handle-038', 'section', STATUS.OBJECT_NAME_EXISTS],
  ['ob.handle-039', 'symbolic link', STATUS.SUCCESS],
  ['ob.handle-040', 'job', STATUS.OBJECT_NAME_EXISTS],
] as const)('%s: an access of nothing is for who makes the %s alone', async (_id, type, existing) => {
  const { create, open, allAccess } = MAKERS[type];
  const value = await runUser(function* () {
    const made = yield* create(0, OPENIF);
    yield* NtClose(made.handle);
    const gone = yield* open(allAccess, OPENIF);
    const first = yield* create(allAccess, OPENIF);
    const second = yield* create(allAccess, OPENIF);
    const none = [yield* create(0, OPENIF), yield* open(0, OPENIF)];
    return [made.status, gone.status, first.status, second.status, none];
  });
  const denied = { status: STATUS.ACCESS_DENIED, handle: 0 };
  expect(value).toEqual([
    STATUS.SUCCESS,
    STATUS.OBJECT_NAME_NOT_FOUND,
    STATUS.SUCCESS,
    existing,
    [denied, denied],
  ]);
});

test('ob.handle-041: an access of nothing is for who makes the debug object alone', async () => {
  const value = await runUser(function* () {
    const all = 0x1f000f;
    const made = yield* createDebugObject(0, OPENIF);
    yield* NtClose(made.handle);
    const first = yield* createDebugObject(all, OPENIF);
    const second = yield* createDebugObject(all, OPENIF);
    return [made.status, first.status, second.status, yield* createDebugObject(0, OPENIF)];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    STATUS.SUCCESS,
    STATUS.OBJECT_NAME_EXISTS,
    { status: STATUS.ACCESS_DENIED, handle: 0 },
  ]);
});

test.each<[string, ObjectAttributes, number]>([
  [
    'ob.handle-023: a bad root',
    { ObjectName: 'test', RootDirectory: BAD_ROOT },
    STATUS.INVALID_HANDLE,
  ],
  [
    'ob.handle-025: an odd length',
    { ObjectName: { Length: 67, Buffer: NAME.padEnd(40) } },
    STATUS.OBJECT_NAME_INVALID,
  ],
  [
    'ob.handle-026: 65534 bytes',
    { ObjectName: `\\${'x'.repeat(32_766)}` },
    STATUS.OBJECT_NAME_INVALID,
  ],
  ['ob.handle-027: another length', { ObjectName: NAME, Length: 47 }, STATUS.INVALID_PARAMETER],
  ['ob.handle-028: an unmapped name', { ObjectName: 0xdeadbee0 }, STATUS.ACCESS_VIOLATION],
])('%s makes no debug object', async (_what, attributes, status) => {
  const value = await runUser(function* () {
    return yield* createDebugObject(0x1f000f, attributes);
  });
  expect(value).toEqual({ status, handle: 0 });
});

test('ob.handle-016: the root is a directory that exists', async () => {
  const value = await runUser(function* () {
    const all = DIRECTORY_ACCESS.ALL_ACCESS;
    const root = { ObjectName: '\\' };
    const openIf = { ...root, Attributes: OBJ.OPENIF };
    return [
      yield* NtCreateDirectoryObject(all, root),
      yield* NtCreateDirectoryObject(all, openIf),
      yield* NtCreateMutant(MUTANT_ACCESS.ALL_ACCESS, openIf, false),
    ];
  });
  expect(value).toEqual([
    { status: STATUS.OBJECT_NAME_COLLISION, handle: 0 },
    { status: STATUS.OBJECT_NAME_EXISTS, handle: 4 },
    { status: STATUS.OBJECT_TYPE_MISMATCH, handle: 0 },
  ]);
});

test('ob.handle-017: there is no mutant beyond \\??\\PIPE', async () => {
  const value = await runUser(function* () {
    const pipe = { ObjectName: '\\??\\PIPE\\x' };
    return yield* NtCreateMutant(MUTANT_ACCESS.ALL_ACCESS, pipe, false);
  });
  expect(value).toEqual({ status: STATUS.OBJECT_PATH_NOT_FOUND, handle: 0 });
});

test.each([
  'mutant',
  'event',
  'semaphore',
  'timer',
] as const)('ob.handle-043: letters of another case name another %s', async (type) => {
  const { create, open, allAccess } = MAKERS[type];
  const value = await runUser(function* () {
    const upper = { ObjectName: '\\BaseNamedObjects\\TEST' };
    const any = { ...upper, Attributes: OBJ.CASE_INSENSITIVE };
    const first = yield* create(allAccess, { ObjectName: NAME });
    const absent = yield* open(allAccess, upper);
    const folded = yield* open(allAccess, any);
    const second = yield* create(allAccess, upper);
    return [first.status, absent.status, folded.status, second.status];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    STATUS.OBJECT_NAME_NOT_FOUND,
    STATUS.SUCCESS,
    STATUS.SUCCESS,
  ]);
});

test('ob.handle-050: a symbolic link goes with its last handle', async () => {
  const value = await runKernel(function* () {
    const all = SYMBOLIC_LINK_ACCESS.ALL_ACCESS;
    const link = { ObjectName: '\\BaseNamedObjects\\link' };
    const absent = yield* ZwOpenSymbolicLinkObject(all, link);
    const made = yield* ZwCreateSymbolicLinkObject(all, link, '\\target');
    const opened = yield* ZwOpenSymbolicLinkObject(all, link);
    yield* NtClose(made.handle);
    yield* NtClose(opened.handle);
    const gone = yield* ZwOpenSymbolicLinkObject(all, link);
    const bad = yield* ZwCreateSymbolicLinkObject(all, link, { Length: 14, Buffer: null });
    return [absent, made.status, opened.status, gone.status, bad.status];
  });
  expect(value).toEqual([
    { status: STATUS.OBJECT_NAME_NOT_FOUND, handle: 0 },
    STATUS.SUCCESS,
    STATUS.SUCCESS,
    STATUS.OBJECT_NAME_NOT_FOUND,
    STATUS.ACCESS_VIOLATION,
  ]);
});

test('a name is found from the directory of a handle, and through links', async () => {
  const { create, open, allAccess } = MAKERS.event;
  const value = await runUser(function* () {
    const all = DIRECTORY_ACCESS.ALL_ACCESS;
    const directory = yield* NtCreateDirectoryObject(all, { ObjectName: '\\dir' });
    const RootDirectory = directory.handle;
    const link = { ObjectName: '\\BaseNamedObjects\\there' };
    yield* MAKERS['symbolic link'].create(SYMBOLIC_LINK_ACCESS.ALL_ACCESS, link);
    const made = yield* create(allAccess, { RootDirectory, ObjectName: 'event' });
    const names = ['\\dir\\event', '\\BaseNamedObjects\\Global\\..', '\\dir\\event\\more'];
    const statuses: number[] = [];
    for (const ObjectName of names) {
      statuses.push((yield* open(ACCESS.SYNCHRONIZE, { ObjectName })).status);
    }
    const twoRoots = yield* open(allAccess, { RootDirectory, ObjectName: '\\dir\\event' });
    yield* create(allAccess, { ObjectName: '\\BaseNamedObjects\\Global\\shared' });
    const shared = yield* open(allAccess, { ObjectName: '\\BaseNamedObjects\\shared' });
    return [made.status, statuses, twoRoots.status, shared.status];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    [STATUS.SUCCESS, STATUS.OBJECT_NAME_NOT_FOUND, STATUS.OBJECT_TYPE_MISMATCH],
    STATUS.OBJECT_PATH_SYNTAX_BAD,
    STATUS.SUCCESS,
  ]);
});

test('links that lead to themselves lead nowhere', async () => {
  const value = await runUser(function* () {
    const all = SYMBOLIC_LINK_ACCESS.ALL_ACCESS;
    const link = { ObjectName: '\\BaseNamedObjects\\loop' };
    const loop = { ...link, Attributes: OBJ.DONT_REPARSE };
    yield* ZwCreateSymbolicLinkObject(all, link, '\\BaseNamedObjects\\loop');
    return [(yield* MAKERS.event.open(1, link)).status, (yield* MAKERS.event.open(1, loop)).status];
  });
  expect(value).toEqual([STATUS.OBJECT_NAME_NOT_FOUND, STATUS.REPARSE_POINT_ENCOUNTERED]);
});

test('OBJ_PERMANENT takes a privilege that user mode has not', async () => {
  const value = await runUser(function* () {
    const permanent = { ObjectName: NAME, Attributes: OBJ.PERMANENT };
    return yield* MAKERS.event.create(1, permanent);
  });
  expect(value).toEqual({ status: STATUS.PRIVILEGE_NOT_HELD, handle: 0 });
});

test('OBJ_EXCLUSIVE keeps an object to one process', async () => {
  const value = await runUser(function* (process, machine) {
    const exclusive = { ObjectName: NAME, Attributes: OBJ.EXCLUSIVE };
    const { create, open, allAccess } = MAKERS.event;
    const made = yield* create(allAccess, exclusive);
    const own = yield* open(allAccess, { ObjectName: NAME });
    const other = machine.createProcess();
    let status = 0;
    const thread = other.createThread(
      function* () {
        status = (yield* open(allAccess, { ObjectName: NAME })).status;
      },
      { userMode: true },
    );
    yield* MAKERS.event.open(allAccess, { ObjectName: NAME });
    yield* waitFor(thread);
    return [process.threadCount, made.status, own.status, status];
  });
  expect(value).toEqual([1, STATUS.SUCCESS, STATUS.SUCCESS, STATUS.ACCESS_DENIED]);
});

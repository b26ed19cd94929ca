import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { REG } from '../../src/cm/key';
import {
  KEY_ACCESS,
  NtCreateKey,
  NtDeleteKey,
  NtDeleteValueKey,
  NtEnumerateKey,
  NtEnumerateValueKey,
  NtOpenKey,
  NtQueryValueKey,
  NtSetValueKey,
} from '../../src/cm/services';
import { NtClose } from '../../src/ob/handle';
import { runUser } from '../ps/user';

const { ALL_ACCESS, QUERY_VALUE } = {
  ALL_ACCESS: KEY_ACCESS.ALL_ACCESS,
  QUERY_VALUE: KEY_ACCESS.QUERY_VALUE,
};
const SERVICES = '\\Registry\\Machine\\System\\CurrentControlSet\\Services';

describe('NtCreateKey', () => {
  test('makes a key once, and opens it then, without regard to case', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const made = yield* NtCreateKey(ALL_ACCESS, { ObjectName: `${SERVICES}\\Sut` });
      const again = yield* NtCreateKey(ALL_ACCESS, {
        ObjectName: `${SERVICES.toUpperCase()}\\SUT`,
      });
      note([made.status, made.disposition, again.status, again.disposition]);
    });
    expect(seen).toEqual([[STATUS.SUCCESS, 1, STATUS.SUCCESS, 2]]);
  });

  test('makes no key in one that is not there, and none outside of the registry', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      note((yield* NtCreateKey(ALL_ACCESS, { ObjectName: `${SERVICES}\\a\\b` })).status);
      note((yield* NtCreateKey(ALL_ACCESS, { ObjectName: '\\Device\\Sut' })).status);
    });
    expect(seen).toEqual([STATUS.OBJECT_NAME_NOT_FOUND, STATUS.OBJECT_PATH_SYNTAX_BAD]);
  });

  test('finds a key from a handle', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { handle } = yield* NtOpenKey(ALL_ACCESS, { ObjectName: SERVICES });
      yield* NtCreateKey(ALL_ACCESS, { RootDirectory: handle, ObjectName: 'Sut' });
      note((yield* NtOpenKey(QUERY_VALUE, { ObjectName: `${SERVICES}\\Sut` })).status);
      note(yield* NtEnumerateKey(handle, 0));
      note(yield* NtEnumerateKey(handle, 1));
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      { status: STATUS.SUCCESS, name: 'Sut' },
      { status: STATUS.NO_MORE_ENTRIES, name: undefined },
    ]);
  });
});

describe('values', () => {
  test('are set, replaced, found, listed and deleted', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { handle } = yield* NtCreateKey(ALL_ACCESS, { ObjectName: `${SERVICES}\\Sut` });
      yield* NtSetValueKey(handle, 'Start', REG.DWORD, 2);
      yield* NtSetValueKey(handle, 'START', REG.DWORD, 3);
      yield* NtSetValueKey(handle, 'ImagePath', REG.EXPAND_SZ, 'sut.sys');
      note((yield* NtQueryValueKey(handle, 'start')).value);
      note((yield* NtEnumerateValueKey(handle, 1)).value?.data);
      note(yield* NtDeleteValueKey(handle, 'Start'));
      note((yield* NtQueryValueKey(handle, 'Start')).status);
    });
    expect(seen).toEqual([
      { name: 'START', type: REG.DWORD, data: 3 },
      'sut.sys',
      STATUS.SUCCESS,
      STATUS.OBJECT_NAME_NOT_FOUND,
    ]);
  });

  test('are not set by a handle without KEY_SET_VALUE', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { handle } = yield* NtOpenKey(QUERY_VALUE, { ObjectName: SERVICES });
      note(yield* NtSetValueKey(handle, 'a', REG.DWORD, 1));
    });
    expect(seen).toEqual([STATUS.ACCESS_DENIED]);
  });
});

describe('NtDeleteKey', () => {
  test('deletes no key that has subkeys; handles to a deleted one do nothing but close', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { handle } = yield* NtCreateKey(ALL_ACCESS, { ObjectName: `${SERVICES}\\Sut` });
      const inner = yield* NtCreateKey(ALL_ACCESS, { RootDirectory: handle, ObjectName: 'Inner' });
      note(yield* NtDeleteKey(handle));
      note(yield* NtDeleteKey(inner.handle));
      note((yield* NtQueryValueKey(inner.handle, 'a')).status);
      note((yield* NtOpenKey(ALL_ACCESS, { ObjectName: `${SERVICES}\\Sut\\Inner` })).status);
      note(yield* NtClose(inner.handle));
      note(yield* NtDeleteKey(handle));
    });
    expect(seen).toEqual([
      STATUS.CANNOT_DELETE,
      STATUS.SUCCESS,
      STATUS.KEY_DELETED,
      STATUS.OBJECT_NAME_NOT_FOUND,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
    ]);
  });
});

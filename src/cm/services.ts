import { STATUS } from '../../assembly/shared/status';
import type { MODE } from '../../assembly/shared/types';
import { type KernelCode, systemService } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import {
  captureAttributes,
  captureString,
  failed,
  type Handle,
  type HandleResult,
  type ObjectAttributes,
  type UnicodeString,
} from '../ob/attributes';
import { ObpCreateObject } from '../ob/create';
import { readHandle } from '../ob/services/on-handle';
import { CmKeyObjectType } from '../ob/types';
import { KeyBody, type KeyNode, type KeyValue, registryRoot } from './key';

/** The registry as far as a driver's configuration needs it: keys and values, no hives, security or callbacks. */

/** Rights of keys: KEY_QUERY_VALUE is `KEY_ACCESS.QUERY_VALUE`. */
export const enum KEY_ACCESS {
  QUERY_VALUE = 0x1,
  SET_VALUE = 0x2,
  CREATE_SUB_KEY = 0x4,
  ENUMERATE_SUB_KEYS = 0x8,
  NOTIFY = 0x10,
  CREATE_LINK = 0x20,
  DELETE = 0x10000,
  READ = 0x20019,
  ALL_ACCESS = 0xf003f,
}

/** What a path leads to: the key that is there, or the one in which its last name would be. */
interface Found {
  readonly status: number;
  readonly key?: KeyNode;
  readonly parent?: KeyNode;
  readonly name?: string;
}

function walk(from: KeyNode, path: string): Found {
  if (from.deleted) return { status: STATUS.KEY_DELETED };
  const names = path.split('\\').filter((name) => name !== '');
  const last = names.pop();
  if (last === undefined) return { status: STATUS.SUCCESS, key: from };
  let key = from;
  for (const name of names) {
    const next = key.subkey(name);
    if (next === undefined) return { status: STATUS.OBJECT_NAME_NOT_FOUND };
    key = next;
  }
  const found = key.subkey(last);
  if (found === undefined) return { status: STATUS.OBJECT_NAME_NOT_FOUND, parent: key, name: last };
  return { status: STATUS.SUCCESS, key: found };
}

/** The key that attributes name: under their handle, or by a path from `\Registry`. */
function* find(mode: MODE, attributes: ObjectAttributes): KernelCode<Found> {
  const { status, captured } = captureAttributes(attributes);
  if (status !== STATUS.SUCCESS) return { status };
  const { machine } = currentGuest('NtOpenKey');
  const { rootDirectory, name = '' } = captured;
  if (rootDirectory !== 0) {
    const found = yield* readHandle(mode, rootDirectory, 0, CmKeyObjectType, ({ key }: KeyBody) =>
      walk(key, name),
    );
    return typeof found === 'number' ? { status: found } : found;
  }
  const path = /^\\registry(\\.*)?$/i.exec(name);
  if (path === null) return { status: STATUS.OBJECT_PATH_SYNTAX_BAD };
  return walk(registryRoot(machine), path[1] ?? '');
}

/** A handle to a key. */
function openKey(
  mode: MODE,
  desiredAccess: number,
  { Attributes = 0 }: ObjectAttributes,
  key: KeyNode,
): KernelCode<HandleResult> {
  const { machine } = currentGuest('NtOpenKey');
  return ObpCreateObject({
    mode,
    type: CmKeyObjectType,
    desiredAccess,
    attributes: { Attributes },
    make: () => new KeyBody(machine, key),
  });
}

const openKeyService = systemService(
  'OpenKey',
  function* (mode, desiredAccess: number, objectAttributes: ObjectAttributes) {
    const { status, key } = yield* find(mode, objectAttributes);
    if (key === undefined) return failed(status);
    return yield* openKey(mode, desiredAccess, objectAttributes, key);
  },
);

/**
 * Opens a key, by a path from `\Registry` or from the key of RootDirectory.
 *
 * @returns SUCCESS; OBJECT_NAME_NOT_FOUND; OBJECT_PATH_SYNTAX_BAD for a path that is not in `\Registry`;
 *   KEY_DELETED; what handles come to.
 * @irql PASSIVE_LEVEL   @nt NtOpenKey (partial: keys have no security)
 */
export const NtOpenKey = openKeyService.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenKey (partial: keys have no security) */
export const ZwOpenKey = openKeyService.zw;

/** What NtCreateKey comes to. */
export interface CreatedKey extends HandleResult {
  /** REG_CREATED_NEW_KEY 1, REG_OPENED_EXISTING_KEY 2; 0 on failure. */
  readonly disposition: number;
}

const REG_CREATED_NEW_KEY = 1;
const REG_OPENED_EXISTING_KEY = 2;

const createKeyService = systemService(
  'CreateKey',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes,
  ): KernelCode<CreatedKey> {
    const found = yield* find(mode, objectAttributes);
    const key = found.key ?? found.parent?.create(found.name as string);
    if (key === undefined) return { ...failed(found.status), disposition: 0 };
    const result = yield* openKey(mode, desiredAccess, objectAttributes, key);
    if (result.handle === 0) {
      if (found.key === undefined) key.delete();
      return { ...result, disposition: 0 };
    }
    const disposition = found.key === undefined ? REG_CREATED_NEW_KEY : REG_OPENED_EXISTING_KEY;
    return { ...result, disposition };
  },
);

/**
 * Opens a key, or makes it in one that is there.
 *
 * @returns as NtOpenKey.
 * @irql PASSIVE_LEVEL   @nt NtCreateKey (partial: keys have no security, class or options)
 */
export const NtCreateKey = createKeyService.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateKey (partial: keys have no security, class or options) */
export const ZwCreateKey = createKeyService.zw;

/** Does something with the key of a handle, unless it is deleted; its status if there is no more to tell. */
function* onKey<R>(
  mode: MODE,
  handle: Handle,
  access: number,
  use: (key: KeyNode) => R | number,
): KernelCode<R | number> {
  return yield* readHandle(mode, handle, access, CmKeyObjectType, ({ key }: KeyBody) =>
    key.deleted ? STATUS.KEY_DELETED : use(key),
  );
}

/** A status, and on success the value. */
export interface QueriedValue {
  readonly status: number;
  readonly value: KeyValue | undefined;
}

function queriedValue(result: KeyValue | number): QueriedValue {
  if (typeof result === 'number') return { status: result, value: undefined };
  return { status: STATUS.SUCCESS, value: result };
}

const queryValue = systemService(
  'QueryValueKey',
  function* (mode, keyHandle: Handle, valueName: UnicodeString): KernelCode<QueriedValue> {
    const { status, text } = captureString(valueName);
    if (status !== STATUS.SUCCESS) return { status, value: undefined };
    const result = yield* onKey<KeyValue>(
      mode,
      keyHandle,
      KEY_ACCESS.QUERY_VALUE,
      (key) => key.values.get(text.toLowerCase()) ?? STATUS.OBJECT_NAME_NOT_FOUND,
    );
    return queriedValue(result);
  },
);

/**
 * A value of a key.
 *
 * @returns SUCCESS; OBJECT_NAME_NOT_FOUND; KEY_DELETED; what handles come to.
 * @irql PASSIVE_LEVEL   @nt NtQueryValueKey (partial: the value comes whole, in no buffer of a class)
 */
export const NtQueryValueKey = queryValue.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryValueKey (partial: the value comes whole, in no buffer of a class) */
export const ZwQueryValueKey = queryValue.zw;

const enumerateValue = systemService(
  'EnumerateValueKey',
  function* (mode, keyHandle: Handle, index: number): KernelCode<QueriedValue> {
    const result = yield* onKey<KeyValue>(
      mode,
      keyHandle,
      KEY_ACCESS.QUERY_VALUE,
      (key) => [...key.values.values()][index] ?? STATUS.NO_MORE_ENTRIES,
    );
    return queriedValue(result);
  },
);

/** The value of a number, from 0, in the order in which they were made. @returns as NtQueryValueKey; NO_MORE_ENTRIES. @irql PASSIVE_LEVEL @nt NtEnumerateValueKey (partial: the value comes whole, in no buffer of a class) */
export const NtEnumerateValueKey = enumerateValue.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwEnumerateValueKey (partial: the value comes whole, in no buffer of a class) */
export const ZwEnumerateValueKey = enumerateValue.zw;

const enumerateKey = systemService(
  'EnumerateKey',
  function* (
    mode,
    keyHandle: Handle,
    index: number,
  ): KernelCode<{ readonly status: number; readonly name: string | undefined }> {
    const result = yield* onKey<KeyNode>(
      mode,
      keyHandle,
      KEY_ACCESS.ENUMERATE_SUB_KEYS,
      (key) => [...key.subkeys.values()][index] ?? STATUS.NO_MORE_ENTRIES,
    );
    if (typeof result === 'number') return { status: result, name: undefined };
    return { status: STATUS.SUCCESS, name: result.name };
  },
);

/** The name of a subkey by its number, from 0. @returns SUCCESS; NO_MORE_ENTRIES; KEY_DELETED; what handles come to. @irql PASSIVE_LEVEL @nt NtEnumerateKey (partial: the name alone) */
export const NtEnumerateKey = enumerateKey.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwEnumerateKey (partial: the name alone) */
export const ZwEnumerateKey = enumerateKey.zw;

const setValue = systemService(
  'SetValueKey',
  function* (
    mode,
    keyHandle: Handle,
    valueName: UnicodeString,
    type: number,
    data: unknown,
  ): KernelCode<number> {
    const { status, text } = captureString(valueName);
    if (status !== STATUS.SUCCESS) return status;
    return yield* onKey(mode, keyHandle, KEY_ACCESS.SET_VALUE, (key) => {
      key.values.set(text.toLowerCase(), { name: text, type, data });
      return STATUS.SUCCESS;
    });
  },
);

/** Makes a value of a key, or gives it another type and data. @returns SUCCESS; KEY_DELETED; what handles come to. @irql PASSIVE_LEVEL @nt NtSetValueKey */
export const NtSetValueKey = setValue.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetValueKey */
export const ZwSetValueKey = setValue.zw;

const deleteValue = systemService(
  'DeleteValueKey',
  function* (mode, keyHandle: Handle, valueName: UnicodeString): KernelCode<number> {
    const { status, text } = captureString(valueName);
    if (status !== STATUS.SUCCESS) return status;
    return yield* onKey(mode, keyHandle, KEY_ACCESS.SET_VALUE, (key) =>
      key.values.delete(text.toLowerCase()) ? STATUS.SUCCESS : STATUS.OBJECT_NAME_NOT_FOUND,
    );
  },
);

/** Takes a value out of its key. @returns SUCCESS; OBJECT_NAME_NOT_FOUND; KEY_DELETED; what handles come to. @irql PASSIVE_LEVEL @nt NtDeleteValueKey */
export const NtDeleteValueKey = deleteValue.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwDeleteValueKey */
export const ZwDeleteValueKey = deleteValue.zw;

const deleteKey = systemService(
  'DeleteKey',
  (mode, keyHandle: Handle): KernelCode<number> =>
    onKey(mode, keyHandle, KEY_ACCESS.DELETE, (key) => {
      if (key.subkeys.size > 0 || key.parent === undefined) return STATUS.CANNOT_DELETE;
      key.delete();
      return STATUS.SUCCESS;
    }),
);

/** Deletes a key without subkeys; handles to it stay, and do nothing any more. @returns SUCCESS; CANNOT_DELETE; KEY_DELETED; what handles come to. @irql PASSIVE_LEVEL @nt NtDeleteKey */
export const NtDeleteKey = deleteKey.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwDeleteKey */
export const ZwDeleteKey = deleteKey.zw;

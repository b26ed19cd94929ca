import { STATUS } from '../../assembly/shared/status';
import type { ObjectBody } from './object';

/** OBJECT_ATTRIBUTES, as callers write them and as they are captured. */

/** Attributes of objects and handles: OBJ_INHERIT is `OBJ.INHERIT`. */
export const enum OBJ {
  PROTECT_CLOSE = 0x1,
  INHERIT = 0x2,
  PERMANENT = 0x10,
  EXCLUSIVE = 0x20,
  CASE_INSENSITIVE = 0x40,
  OPENIF = 0x80,
  OPENLINK = 0x100,
  KERNEL_HANDLE = 0x200,
  FORCE_ACCESS_CHECK = 0x400,
  IGNORE_IMPERSONATED_DEVICEMAP = 0x800,
  DONT_REPARSE = 0x1000,
}

const VALID_ATTRIBUTES = 0x1ff2;

/** Bytes of OBJECT_ATTRIBUTES. */
const SIZE_OBJECT_ATTRIBUTES = 48;

/** Bytes of a name from which it is too long: with its terminator it must fit into a UNICODE_STRING. */
const NAME_LIMIT = 65_534;

/** HANDLE. User handles are positive multiples of 4, those of the kernel -2147483644 and up, pseudo handles -1 to -6. */
export type Handle = number;

/**
 * UNICODE_STRING: a string, or its parts for one that is not well formed. A number in place of it or
 * of its buffer is an address where nothing is mapped.
 */
export type UnicodeString =
  | string
  | number
  | { readonly Length: number; readonly Buffer: string | number };

/** OBJECT_ATTRIBUTES: what is absent is 0 or NULL. */
export interface ObjectAttributes {
  /** Length: 48, the right one, by default. */
  readonly Length?: number;
  readonly RootDirectory?: Handle;
  readonly ObjectName?: UnicodeString | null;
  /** OBJ flags. */
  readonly Attributes?: number;
  readonly SecurityDescriptor?: unknown;
}

/** Attributes that have been found good. */
export interface CapturedAttributes {
  readonly rootDirectory: Handle;
  /** Undefined: there is none. */
  readonly name: string | undefined;
  readonly attributes: number;
  readonly securityDescriptor: unknown;
}

const NONE: CapturedAttributes = {
  rootDirectory: 0,
  name: undefined,
  attributes: 0,
  securityDescriptor: undefined,
};

/** The text of a UNICODE_STRING, or why there is none: its alignment first, then its address, then its length. */
export function captureString(value: UnicodeString): { status: number; text: string } {
  if (typeof value === 'number') return { status: STATUS.ACCESS_VIOLATION, text: '' };
  const buffer = typeof value === 'string' ? value : value.Buffer;
  const length = typeof value === 'string' ? value.length * 2 : value.Length;
  if (length === 0) return { status: STATUS.SUCCESS, text: '' };
  if (typeof buffer === 'number' && buffer % 2 !== 0)
    return { status: STATUS.DATATYPE_MISALIGNMENT, text: '' };
  if (length % 2 !== 0 || length >= NAME_LIMIT)
    return { status: STATUS.OBJECT_NAME_INVALID, text: '' };
  if (typeof buffer === 'number') return { status: STATUS.ACCESS_VIOLATION, text: '' };
  return { status: STATUS.SUCCESS, text: buffer.slice(0, length / 2) };
}

/** Checks what a caller gave, in Windows's order. */
export function captureAttributes(given: ObjectAttributes | null): {
  status: number;
  captured: CapturedAttributes;
} {
  if (given === null) return { status: STATUS.SUCCESS, captured: NONE };
  const { RootDirectory: rootDirectory = 0, ObjectName = null, Attributes: attributes = 0 } = given;
  if (
    (given.Length ?? SIZE_OBJECT_ATTRIBUTES) !== SIZE_OBJECT_ATTRIBUTES ||
    (attributes & ~VALID_ATTRIBUTES) !== 0
  ) {
    return { status: STATUS.INVALID_PARAMETER, captured: NONE };
  }
  const { status, text } = captureString(ObjectName ?? '');
  if (status !== STATUS.SUCCESS) return { status, captured: NONE };
  if (text === '' && rootDirectory !== 0)
    return { status: STATUS.OBJECT_NAME_INVALID, captured: NONE };
  const name = text === '' ? undefined : text;
  const { SecurityDescriptor: securityDescriptor } = given;
  return { status, captured: { rootDirectory, name, attributes, securityDescriptor } };
}

/** What a routine that makes a handle comes to. On failure the handle is 0. */
export interface HandleResult {
  readonly status: number;
  readonly handle: Handle;
}

export function failed(status: number): HandleResult {
  return { status, handle: 0 };
}

/** What a routine that gives an object comes to; on failure there is none. */
export interface ObjectResult<T extends ObjectBody = ObjectBody> {
  readonly status: number;
  readonly object: T | undefined;
}

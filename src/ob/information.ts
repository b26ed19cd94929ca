import { STATUS } from '../../assembly/shared/status';

/**
 * The form of query services: a class is a row of a table, the caller's buffer is its length in
 * bytes, and what Windows writes into it comes back as fields.
 */

/** A caller's buffer: its bytes. With an address it is a pointer to where nothing is mapped. */
export type InformationBuffer = number | { readonly length: number; readonly address: number };

/** One class of information about objects of a kind. */
export interface InformationClass<C, R extends object> {
  /** Bytes that the buffer must have; the first of several is the one that is told. */
  readonly lengths: readonly [number, ...number[]];
  /** Of the buffer's address. Default 4. */
  readonly alignment?: number;
  query(object: C): R;
}

/** What a query comes to: of a failure the fields are absent, as nothing is written. */
export type Queried<R extends object> = {
  readonly status: number;
  /** ReturnLength; undefined: it is not written. */
  readonly returnLength: number | undefined;
} & Partial<R>;

/** Bytes of a buffer. */
export function lengthOf(buffer: InformationBuffer): number {
  return typeof buffer === 'number' ? buffer : buffer.length;
}

/** What probing a buffer comes to: alignment first. */
export function probeBuffer(buffer: InformationBuffer, alignment: number): number {
  if (typeof buffer === 'number') return STATUS.SUCCESS;
  return buffer.address % alignment !== 0 ? STATUS.DATATYPE_MISALIGNMENT : STATUS.ACCESS_VIOLATION;
}

/**
 * What is wrong with a query before its object is looked at: class, length, then the buffer.
 * A length that is wrong tells the right one.
 */
export function checkQuery<C, R extends object>(
  information: InformationClass<C, R> | undefined,
  buffer: InformationBuffer,
): { readonly status: number; readonly returnLength: number | undefined } {
  if (information === undefined)
    return { status: STATUS.INVALID_INFO_CLASS, returnLength: undefined };
  const { lengths, alignment = 4 } = information;
  if (!lengths.includes(lengthOf(buffer)))
    return { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: lengths[0] };
  return { status: probeBuffer(buffer, alignment), returnLength: undefined };
}

/** What searching and number parsing on bytes need; no function here makes a string or an array. */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const SPACE = 0x20;

export const bytesOf = (text: string): Uint8Array => encoder.encode(text);

export const textOf = (buffer: Uint8Array, start: number, end: number): string =>
  decoder.decode(buffer.subarray(start, end));

export const isDigit = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= 0x30 && byte <= 0x39;

export function startsWith(
  buffer: Uint8Array,
  at: number,
  end: number,
  literal: Uint8Array,
): boolean {
  if (at < 0 || at + literal.length > end) return false;
  for (let i = 0; i < literal.length; i++) if (buffer[at + i] !== literal[i]) return false;
  return true;
}

/** The last place in [from, to) where `literal` lies completely inside it, or -1. */
export function findLast(
  buffer: Uint8Array,
  from: number,
  to: number,
  literal: Uint8Array,
): number {
  const last = literal.length - 1;
  const lastByte = literal[last];
  for (let at = to - 1; at >= from + last; at--) {
    if (buffer[at] !== lastByte) continue;
    let index = last - 1;
    while (index >= 0 && buffer[at - last + index] === literal[index]) index--;
    if (index < 0) return at - last;
  }
  return -1;
}

/** The first place in [from, to) where `literal` lies completely inside it, or -1. */
export function findFirst(
  buffer: Uint8Array,
  from: number,
  to: number,
  literal: Uint8Array,
): number {
  const last = to - literal.length;
  for (let at = from; at <= last; at++) if (startsWith(buffer, at, to, literal)) return at;
  return -1;
}

/** The last place in [from, to) of one byte, or -1. */
export function findLastByte(buffer: Uint8Array, from: number, to: number, byte: number): number {
  let at = to - 1;
  while (at >= from && buffer[at] !== byte) at--;
  return at < from ? -1 : at;
}

export const NO_NUMBER = Number.NEGATIVE_INFINITY;

/** The decimal number that begins at `at` (a minus sign is allowed), below 2^31, or NO_NUMBER. */
export function numberAt(buffer: Uint8Array, at: number, end: number): number {
  const negative = buffer[at] === 0x2d;
  let index = negative ? at + 1 : at;
  const first = index;
  let value = 0;
  while (index < end && isDigit(buffer[index])) {
    value = value * 10 + (buffer[index] as number) - 0x30;
    index++;
  }
  if (index === first || index - first > 10 || value > 0x7fffffff) return NO_NUMBER;
  return negative ? -value : value;
}

/** The hexadecimal number that begins at `at`, its low 32 bits, or NO_NUMBER. */
export function hexAt(buffer: Uint8Array, at: number, end: number): number {
  let index = at;
  let value = 0;
  while (index < end) {
    const byte = buffer[index] as number;
    const letter = byte | 0x20;
    if (isDigit(byte)) value = ((value << 4) | (byte - 0x30)) >>> 0;
    else if (letter >= 0x61 && letter <= 0x66) value = ((value << 4) | (letter - 0x57)) >>> 0;
    else break;
    index++;
  }
  return index === at ? NO_NUMBER : value;
}

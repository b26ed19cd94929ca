/**
 * One line of ftrace text: its head (who, where, when, which event), whatever the layout.
 *
 * `COMM-PID (TGID) [CPU] FLAGS SECONDS.FRACTION: NAME: BODY`, where (TGID) may also follow [CPU]
 * and it and FLAGS may be absent. A comm may contain anything but a newline, so that a head counts
 * only if all of it fits around one `[CPU]`.
 */
import { isDigit, numberAt, SPACE } from './bytes';

export const HEAD = { Event: 0, None: 1, NoFraction: 2, NegativeTime: 3 } as const;
export type HeadResult = (typeof HEAD)[keyof typeof HEAD];

export const CONTEXT = { Unknown: 0, Thread: 1, Interrupt: 2 } as const;
export type Context = (typeof CONTEXT)[keyof typeof CONTEXT];

export const TGID_NO_COLUMN = -1;
export const TGID_UNKNOWN = -2;

/** A head lies in the first bytes of its line: this bounds the work on a hostile one. */
const HEAD_BYTES_MAX = 256;
const PROCESSORS_MAX = 8192;
const SECOND_DIGITS_MAX = 15;

export class LineHead {
  commStart = 0;
  commEnd = 0;
  pid = 0;
  tgid: number = TGID_NO_COLUMN;
  cpu = 0;
  context: Context = CONTEXT.Unknown;
  seconds = 0;
  nanos = 0;
  nameStart = 0;
  nameEnd = 0;
  bodyStart = 0;
  /** Which column of the flags tells of interrupts: a header comment may move it. */
  contextColumn = 2;

  /** Reads the head of the line in [start, end) and leaves its parts in the fields. */
  read(buffer: Uint8Array, start: number, end: number): HeadResult {
    const limit = Math.min(end, start + HEAD_BYTES_MAX);
    let result: HeadResult = HEAD.None;
    for (let at = start; at < limit; at++) {
      if (buffer[at] !== 0x5b) continue;
      let close = at + 1;
      let cpu = 0;
      while (close < limit && isDigit(buffer[close]) && cpu < PROCESSORS_MAX) {
        cpu = cpu * 10 + (buffer[close] as number) - 0x30;
        close++;
      }
      if (close === at + 1 || close === limit || buffer[close] !== 0x5d || cpu >= PROCESSORS_MAX)
        continue;
      if (!this.#readTask(buffer, start, at)) continue;
      const found = this.#readTime(buffer, close + 1, limit);
      if (found === HEAD.None) continue;
      this.cpu = cpu;
      if (found === HEAD.Event) return found;
      if (result === HEAD.None) result = found;
    }
    return result;
  }

  /** `COMM-PID` or `COMM-PID (TGID)`, read from its right end at `open`. */
  #readTask(buffer: Uint8Array, start: number, open: number): boolean {
    let at = skipSpacesBack(buffer, start, open);
    this.tgid = TGID_NO_COLUMN;
    if (buffer[at - 1] === 0x29) {
      at = this.#readTgidBack(buffer, start, at);
      at = skipSpacesBack(buffer, start, at);
    }
    const last = at;
    while (at > start && isDigit(buffer[at - 1])) at--;
    if (at === start || buffer[at - 1] !== 0x2d) return false;
    const pid = numberAt(buffer, at, last);
    if (pid < 0) return false;
    this.pid = pid;
    this.commEnd = at - 1;
    let from = start;
    while (from < this.commEnd && buffer[from] === SPACE) from++;
    this.commStart = from;
    return true;
  }

  #readTgidBack(buffer: Uint8Array, start: number, end: number): number {
    let at = end - 1;
    while (at > start && buffer[at] !== 0x28) at--;
    this.#readTgid(buffer, at + 1, end - 1);
    return at;
  }

  #readTgid(buffer: Uint8Array, from: number, end: number): void {
    let at = from;
    while (at < end && buffer[at] === SPACE) at++;
    let value = 0;
    const first = at;
    while (at < end && isDigit(buffer[at])) value = value * 10 + (buffer[at++] as number) - 0x30;
    this.tgid = at > first && at === end && value <= 0x7fffffff ? value : TGID_UNKNOWN;
  }

  /** `(TGID) FLAGS SECONDS.FRACTION: NAME:` of which the first two may be absent. */
  #readTime(buffer: Uint8Array, from: number, end: number): HeadResult {
    let at = skipSpaces(buffer, from, end);
    if (at === from) return HEAD.None;
    if (buffer[at] === 0x28) {
      let close = at;
      while (close < end && buffer[close] !== 0x29) close++;
      if (close === end) return HEAD.None;
      this.#readTgid(buffer, at + 1, close);
      at = skipSpaces(buffer, close + 1, end);
    }
    this.context = CONTEXT.Unknown;
    if (!isDigit(buffer[at]) && buffer[at] !== 0x2d) {
      this.context = contextOf(buffer[at + this.contextColumn]);
      while (at < end && buffer[at] !== SPACE) at++;
      at = skipSpaces(buffer, at, end);
    }
    const negative = buffer[at] === 0x2d;
    if (negative) at++;
    const first = at;
    let seconds = 0;
    while (at < end && isDigit(buffer[at])) {
      seconds = seconds * 10 + (buffer[at] as number) - 0x30;
      at++;
    }
    if (at === first) return HEAD.None;
    if (buffer[at] === 0x3a && at < end) return negative ? HEAD.NegativeTime : HEAD.NoFraction;
    if (buffer[at] !== 0x2e || at - first > SECOND_DIGITS_MAX) return HEAD.None;
    const point = at++;
    let nanos = 0;
    while (at < end && isDigit(buffer[at]) && at - point <= 9) {
      nanos = nanos * 10 + (buffer[at] as number) - 0x30;
      at++;
    }
    if (at - point < 2 || at >= end || buffer[at] !== 0x3a) return HEAD.None;
    for (let digits = at - point - 1; digits < 9; digits++) nanos *= 10;
    if (negative) return HEAD.NegativeTime;
    this.seconds = seconds;
    this.nanos = nanos;
    this.#readName(buffer, at + 1, end);
    return HEAD.Event;
  }

  /** A function trace has no name: `nameEnd` is then `nameStart`. */
  #readName(buffer: Uint8Array, from: number, end: number): void {
    let at = skipSpaces(buffer, from, end);
    this.nameStart = at;
    this.nameEnd = at;
    while (at < end && buffer[at] !== 0x3a && buffer[at] !== SPACE) at++;
    if (at < end && buffer[at] === 0x3a) this.nameEnd = at;
    this.bodyStart = skipSpaces(buffer, Math.min(at + 1, end), end);
  }
}

function contextOf(flag: number | undefined): Context {
  switch (flag) {
    case 0x68: // h
    case 0x48: // H
    case 0x73: // s
    case 0x7a: // z
    case 0x5a: // Z
      return CONTEXT.Interrupt;
    case 0x2e: // .
      return CONTEXT.Thread;
    default:
      return CONTEXT.Unknown;
  }
}

function skipSpaces(buffer: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && buffer[at] === SPACE) at++;
  return at;
}

function skipSpacesBack(buffer: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && buffer[at - 1] === SPACE) at--;
  return at;
}

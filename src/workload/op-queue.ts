import { OP } from '../../assembly/shared/opcode';
import { MODE } from '../../assembly/shared/types';
import { encode, INSTRUCTIONS, instructionLength } from '../machine/instruction';

const LENGTHS = new Uint8Array(256);
for (const [opcode, shape] of INSTRUCTIONS) LENGTHS[opcode] = instructionLength(shape);

const COMPUTE = encode(OP.Compute, MODE.UserMode);
const TAKEN_WORDS_MAX = 1024;
const HIGH = 2 ** 32;

/** Instructions of one thread that its program memory has not yet taken: first in, first out. */
export class OpQueue {
  #words: number[] = [];
  #head = 0;
  /** Where the last instruction starts, if it computes and has not been taken; else -1. */
  #computing = -1;

  /** Words queued. */
  get length(): number {
    return this.#words.length - this.#head;
  }

  push1(a: number): void {
    this.#computing = -1;
    this.#words.push(a);
  }

  push2(a: number, b: number): void {
    this.#computing = -1;
    this.#words.push(a, b);
  }

  push4(a: number, b: number, c: number, d: number): void {
    this.#computing = -1;
    this.#words.push(a, b, c, d);
  }

  /** A wait: its first word and the object's, without a timeout. */
  pushWait(first: number, low: number, high: number): void {
    this.#computing = -1;
    this.#words.push(first, low, high, 0xffffffff, 0xffffffff);
  }

  /** Computing in user mode; adds up with computing before it. */
  compute(ns: number): void {
    const words = this.#words;
    let at = this.#computing;
    if (at < 0) {
      at = words.push(COMPUTE, 0, 0) - 3;
      this.#computing = at;
    }
    const total = ns + (words[at + 1] as number) + (words[at + 2] as number) * HIGH;
    words[at + 1] = total % HIGH;
    words[at + 2] = Math.floor(total / HIGH);
  }

  /** Moves whole instructions to `target` at `offset`, at most `room` words; how many words it moved. */
  moveTo(target: Uint32Array, offset: number, room: number): number {
    const words = this.#words;
    const start = this.#head;
    let end = start;
    while (end < words.length) {
      const length = LENGTHS[(words[end] as number) & 0xff] as number;
      if (end + length - start > room) break;
      end += length;
    }
    for (let from = start; from < end; from++)
      target[offset + from - start] = words[from] as number;
    this.#head = end;
    if (this.#computing < end) this.#computing = -1;
    if (end === words.length) this.#drop(words.length);
    else if (end > TAKEN_WORDS_MAX && end * 2 > words.length) this.#drop(end);
    return end - start;
  }

  /** Empties it; the objects of those of its instructions that begin with `word`. */
  drop(word: number): number[] {
    const words = this.#words;
    const handles: number[] = [];
    for (let at = this.#head; at < words.length; ) {
      const first = words[at] as number;
      if (first === word)
        handles.push((words[at + 1] as number) + (words[at + 2] as number) * HIGH);
      at += LENGTHS[first & 0xff] as number;
    }
    this.#drop(words.length);
    this.#computing = -1;
    return handles;
  }

  /** Lets go of the first `count` words, which have been taken. */
  #drop(count: number): void {
    if (count === this.#words.length) this.#words = [];
    else this.#words.splice(0, count);
    this.#head = 0;
    if (this.#computing >= 0) this.#computing -= count;
  }
}

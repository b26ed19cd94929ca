import { OP } from '../../assembly/shared/opcode';
import { MODE } from '../../assembly/shared/types';
import { encode, INSTRUCTIONS, instructionLength } from '../machine/instruction';

const LENGTHS = new Uint8Array(256);
for (const [opcode, shape] of INSTRUCTIONS) LENGTHS[opcode] = instructionLength(shape);

const COMPUTE = encode(OP.Compute, MODE.UserMode);
const INITIAL_WORDS = 16;
const KEPT_WORDS_MAX = 1024;
const HIGH = 2 ** 32;

/** Instructions of one thread that its program memory has not yet taken: first in, first out. */
export class OpQueue {
  #words = new Uint32Array(INITIAL_WORDS);
  #head = 0;
  #tail = 0;
  /** Where the last instruction starts, if it computes and has not been taken; else -1. */
  #computing = -1;

  /** Words queued. */
  get length(): number {
    return this.#tail - this.#head;
  }

  push1(a: number): void {
    this.#words[this.#reserve(1)] = a;
  }

  push2(a: number, b: number): void {
    const at = this.#reserve(2);
    this.#words[at] = a;
    this.#words[at + 1] = b;
  }

  push4(a: number, b: number, c: number, d: number): void {
    const at = this.#reserve(4);
    this.#words[at] = a;
    this.#words[at + 1] = b;
    this.#words[at + 2] = c;
    this.#words[at + 3] = d;
  }

  /** A wait: its first word and the object's, without a timeout. */
  pushWait(first: number, low: number, high: number): void {
    const at = this.#reserve(5);
    this.#words[at] = first;
    this.#words[at + 1] = low;
    this.#words[at + 2] = high;
    this.#words[at + 3] = 0xffffffff;
    this.#words[at + 4] = 0xffffffff;
  }

  /** Computing in user mode; adds up with computing before it. */
  compute(ns: number): void {
    let total = ns;
    let at = this.#computing;
    if (at >= 0) {
      total += (this.#words[at + 1] as number) + (this.#words[at + 2] as number) * HIGH;
    } else {
      at = this.#reserve(3);
      this.#words[at] = COMPUTE;
      this.#computing = at;
    }
    this.#words[at + 1] = total % HIGH;
    this.#words[at + 2] = Math.floor(total / HIGH);
  }

  /** Moves whole instructions to `target` at `offset`, at most `room` words; how many words it moved. */
  moveTo(target: Uint32Array, offset: number, room: number): number {
    const start = this.#head;
    let end = start;
    while (end < this.#tail) {
      const length = LENGTHS[(this.#words[end] as number) & 0xff] as number;
      if (end + length - start > room) break;
      end += length;
    }
    for (let from = start; from < end; from++) {
      target[offset + from - start] = this.#words[from] as number;
    }
    this.#head = end;
    if (this.#computing < end) this.#computing = -1;
    if (end === this.#tail) {
      this.#head = 0;
      this.#tail = 0;
      if (this.#words.length > KEPT_WORDS_MAX) this.#words = new Uint32Array(INITIAL_WORDS);
    }
    return end - start;
  }

  #reserve(count: number): number {
    if (this.#tail + count > this.#words.length) this.#makeRoom(count);
    const at = this.#tail;
    this.#tail += count;
    this.#computing = -1;
    return at;
  }

  #makeRoom(count: number): void {
    const queued = this.#words.subarray(this.#head, this.#tail);
    let size = this.#words.length;
    while (size < (queued.length + count) * 2) size *= 2;
    const words = size === this.#words.length ? this.#words : new Uint32Array(size);
    words.set(queued);
    this.#words = words;
    this.#tail -= this.#head;
    this.#head = 0;
  }
}

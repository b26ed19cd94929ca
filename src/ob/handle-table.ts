import type { ObjectHeader } from './object';

/** Handle tables: one a process, made with its first handle. */

/** Bits of an entry beside its granted access. */
export const enum HANDLE_FLAG {
  Inherit = 0x2000000,
  Protect = 0x4000000,
  /** Mask of the granted access. */
  Access = 0x1ffffff,
}

/** Handles that a table may have, as on Windows. */
const MAXIMUM_HANDLES = 2 ** 24 - 1;

/**
 * Entries by index: handle 4 is entry 1. The entry that was freed last is used first; fresh ones
 * follow in order. A free entry's word is the index of the next free one.
 */
export class HandleTable {
  private readonly headers: (ObjectHeader | undefined)[] = [undefined];
  private readonly words: number[] = [0];
  private firstFree = 0;
  /** Handles that are open. */
  count = 0;
  /** Its process ends: it takes no more. */
  closed = false;

  /** The index of a new entry; 0 if there is no room. */
  insert(header: ObjectHeader, word: number): number {
    let index = this.firstFree;
    if (index !== 0) {
      this.firstFree = this.words[index] as number;
      this.headers[index] = header;
      this.words[index] = word;
    } else {
      index = this.headers.length;
      if (index > MAXIMUM_HANDLES) return 0;
      this.headers.push(header);
      this.words.push(word);
    }
    this.count++;
    return index;
  }

  header(index: number): ObjectHeader | undefined {
    return this.headers[index];
  }

  /** Granted access and flags of an entry that is in use. */
  word(index: number): number {
    return this.words[index] as number;
  }

  setWord(index: number, word: number): void {
    this.words[index] = word;
  }

  remove(index: number): void {
    this.headers[index] = undefined;
    this.words[index] = this.firstFree;
    this.firstFree = index;
    this.count--;
  }

  /** Copies the entries of another that are to be inherited into this one, which is empty, at their places. */
  inheritFrom(parent: HandleTable): void {
    for (const index of parent.indices()) {
      const word = parent.word(index);
      if ((word & HANDLE_FLAG.Inherit) === 0) continue;
      for (let gap = this.headers.length; gap < index; gap++) {
        this.headers.push(undefined);
        this.words.push(0);
      }
      this.headers.push(parent.header(index));
      this.words.push(word);
      this.count++;
    }
    for (let index = this.headers.length - 1; index > 0; index--) {
      if (this.headers[index] !== undefined) continue;
      this.words[index] = this.firstFree;
      this.firstFree = index;
    }
  }

  /** Indices in use, in order. */
  *indices(): Generator<number> {
    for (let index = 1; index < this.headers.length; index++) {
      if (this.headers[index] !== undefined) yield index;
    }
  }
}

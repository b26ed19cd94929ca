import { MachineError } from './errors';
import { words64 } from './instruction';

/** High word of what stands for a value that is no number: beyond what a JavaScript number holds exactly. */
const MARK = 0x8000_0000;

/**
 * Values of guests of the host on their way through the core, which knows 64 bits: whole numbers go
 * as they are, anything else as a mark by which it is found again, once.
 */
export class Values {
  private readonly held = new Map<number, unknown>();
  private last = 0;

  /** The two words, low first, that stand for a value. */
  hold(value: unknown): [number, number] {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
      return words64(value);
    }
    do this.last = (this.last + 1) % 2 ** 32;
    while (this.held.has(this.last));
    this.held.set(this.last, value);
    return [this.last, MARK];
  }

  /** The value that two words stand for; a held one is let go. */
  take(low: number, high: number): unknown {
    if (high !== MARK) return high * 2 ** 32 + low;
    if (!this.held.has(low))
      throw new MachineError(`the value ${low} of a guest has been taken already`);
    const value = this.held.get(low);
    this.held.delete(low);
    return value;
  }

  /** The same for words that a program may have made: any 64 bits, a bigint beyond the safe integers. */
  decode(low: number, high: number): unknown {
    if (high === MARK && this.held.has(low)) return this.take(low, high);
    const value = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  /** Lets go of a value that did not get anywhere. */
  drop([low, high]: readonly [number, number]): void {
    if (high === MARK) this.held.delete(low);
  }

  /** How many values are on their way. */
  get size(): number {
    return this.held.size;
  }
}

// Buckets are 1/32 of an octave, allocated an octave at a time: most threads use few octaves.
const SUB_BITS = 5;
const SUB_COUNT = 1 << SUB_BITS;

const NONE: (Uint32Array | undefined)[] = [];

/** So many are kept as they are: most threads have no more. */
const FEW = 16;

/**
 * Durations in ns: count, sum and maximum exact; quantiles exact up to 16 of them, then within 2 %
 * on a logarithmic scale.
 */
export class Histogram {
  count = 0;
  sum = 0;
  max = 0;
  #few: number[] | undefined = [];
  #octaves: (Uint32Array | undefined)[] = NONE;

  /** Adds one duration of `ns`, a non-negative integer below 2^53. */
  add(ns: number): void {
    this.count++;
    this.sum += ns;
    if (ns > this.max) this.max = ns;
    if (this.#few === undefined) this.#place(ns);
    else if (this.#few.push(ns) > FEW) this.#spread(this.#few);
  }

  /** Adds all of `other`. */
  merge(other: Histogram): void {
    const few = other.#few;
    if (few !== undefined) {
      for (let i = 0; i < few.length; i++) this.add(few[i] as number);
      return;
    }
    this.count += other.count;
    this.sum += other.sum;
    if (other.max > this.max) this.max = other.max;
    if (this.#few !== undefined) this.#spread(this.#few);
    for (let octave = 0; octave < other.#octaves.length; octave++) {
      const from = other.#octaves[octave];
      if (from === undefined) continue;
      const to = this.#buckets(octave);
      for (let i = 0; i < SUB_COUNT; i++) to[i] = (to[i] as number) + (from[i] as number);
    }
  }

  /** The duration in ns that the share `q` (0 to 1) of all does not exceed; 0 if there are none. */
  quantile(q: number): number {
    if (this.count === 0) return 0;
    let left = Math.max(1, Math.ceil(Math.min(1, q) * this.count));
    if (left >= this.count) return this.max;
    if (this.#few !== undefined) {
      this.#few.sort((a, b) => a - b);
      return this.#few[left - 1] as number;
    }
    for (let octave = 0; octave < this.#octaves.length; octave++) {
      const buckets = this.#octaves[octave];
      if (buckets === undefined) continue;
      for (let index = 0; index < SUB_COUNT; index++) {
        left -= buckets[index] as number;
        if (left <= 0) return Math.min(this.max, middle(octave, index));
      }
    }
    return this.max;
  }

  #spread(few: readonly number[]): void {
    this.#few = undefined;
    this.#octaves = [];
    for (const ns of few) this.#place(ns);
  }

  #place(ns: number): void {
    const octave = octaveOf(ns);
    const buckets = this.#buckets(octave);
    const index = bucketOf(ns, octave);
    buckets[index] = (buckets[index] as number) + 1;
  }

  #buckets(octave: number): Uint32Array {
    let buckets = this.#octaves[octave];
    if (buckets === undefined) {
      buckets = new Uint32Array(SUB_COUNT);
      this.#octaves[octave] = buckets;
    }
    return buckets;
  }
}

function octaveOf(ns: number): number {
  if (ns < SUB_COUNT) return 0;
  if (ns < 2 ** 32) return 32 - SUB_BITS - Math.clz32(ns);
  return 64 - SUB_BITS - Math.clz32(ns / 2 ** 32);
}

function bucketOf(ns: number, octave: number): number {
  if (octave === 0) return ns;
  if (ns < 2 ** 31) return (ns >>> (octave - 1)) - SUB_COUNT;
  return Math.floor(ns / 2 ** (octave - 1)) - SUB_COUNT;
}

function middle(octave: number, index: number): number {
  if (octave === 0) return index;
  const width = 2 ** (octave - 1);
  return Math.floor((SUB_COUNT + index) * width + (width - 1) / 2);
}

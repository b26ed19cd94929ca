// Buckets are 1/32 of an octave, allocated an octave at a time: most threads use few octaves.
const SUB_BITS = 5;
const SUB_COUNT = 1 << SUB_BITS;

/** Durations in ns on a logarithmic scale: count, sum and maximum exact, quantiles within 2 %. */
export class Histogram {
  count = 0;
  sum = 0;
  max = 0;
  readonly #octaves: (Uint32Array | undefined)[] = [];

  /** Adds one duration of `ns`, a non-negative integer below 2^53. */
  add(ns: number): void {
    this.count++;
    this.sum += ns;
    if (ns > this.max) this.max = ns;
    const octave = octaveOf(ns);
    let buckets = this.#octaves[octave];
    if (buckets === undefined) {
      buckets = new Uint32Array(SUB_COUNT);
      this.#octaves[octave] = buckets;
    }
    const index = bucketOf(ns, octave);
    buckets[index] = (buckets[index] ?? 0) + 1;
  }

  /** Adds all of `other`. */
  merge(other: Histogram): void {
    this.count += other.count;
    this.sum += other.sum;
    if (other.max > this.max) this.max = other.max;
    other.#octaves.forEach((from, octave) => {
      const to = this.#octaves[octave] ?? new Uint32Array(SUB_COUNT);
      this.#octaves[octave] = to;
      from?.forEach((count, index) => {
        to[index] = (to[index] ?? 0) + count;
      });
    });
  }

  /** The duration in ns that the share `q` (0 to 1) of all does not exceed; 0 if there are none. */
  quantile(q: number): number {
    if (this.count === 0) return 0;
    let left = Math.max(1, Math.ceil(Math.min(1, q) * this.count));
    if (left >= this.count) return this.max;
    for (let octave = 0; octave < this.#octaves.length; octave++) {
      const buckets = this.#octaves[octave];
      if (buckets === undefined) continue;
      for (let index = 0; index < SUB_COUNT; index++) {
        left -= buckets[index] ?? 0;
        if (left <= 0) return Math.min(this.max, middle(octave, index));
      }
    }
    return this.max;
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

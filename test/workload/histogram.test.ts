import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/workload/histogram';

const filled = (values: readonly number[]): Histogram => {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
};

describe('Histogram', () => {
  it('is 0 throughout while it is empty', () => {
    const histogram = new Histogram();
    expect([histogram.count, histogram.sum, histogram.max, histogram.quantile(0.5)]).toEqual([
      0, 0, 0, 0,
    ]);
  });

  it('keeps count, sum and maximum exactly', () => {
    const histogram = filled([5, 1_000_003, 17]);
    expect([histogram.count, histogram.sum, histogram.max]).toEqual([3, 1_000_025, 1_000_003]);
    expect(histogram.quantile(1)).toBe(1_000_003);
  });

  it('gives every quantile within 3 % of the exact one', () => {
    const value = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.maxSafeNat());
    const values = fc.array(value, { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (all, q) => {
        const sorted = [...all].sort((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(q * all.length)) - 1] as number;
        expect(Math.abs(filled(all).quantile(q) - exact)).toBeLessThanOrEqual(exact * 0.03);
      }),
    );
  });

  it('merges as if all had been added to one', () => {
    const merged = filled([1, 2_000_000, 3]);
    merged.merge(filled([90, 5_000_000_000]));
    expect(merged).toEqual(filled([1, 2_000_000, 3, 90, 5_000_000_000]));
  });
});

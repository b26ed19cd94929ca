import { describe, expect, test } from 'vitest';
import { checkDriver } from '../../src/verifier/check';
import { PAIRS } from './corpus';

describe('a bad driver yields its finding and no other', () => {
  test.each(
    PAIRS.map((pair) => [pair.rule, pair.what, pair] as const),
  )('%s: %s', async (rule, _what, { bad }) => {
    const { findings } = await checkDriver(bad());
    expect([...new Set(findings.map((finding) => finding.rule))]).toEqual([rule]);
  });
});

describe('its clean twin yields none', () => {
  test.each(
    PAIRS.map((pair) => [pair.rule, pair.what, pair] as const),
  )('%s: not %s', async (_rule, _what, { good }) => {
    const { findings, result, status } = await checkDriver(good());
    expect(findings).toEqual([]);
    expect(status).toBe(0);
    expect(['idle', 'time']).toContain(result.reason);
  });
});

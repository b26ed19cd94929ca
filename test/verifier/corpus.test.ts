import { describe, expect, test } from 'vitest';
import { checkDriver } from '../../src/verifier/check';
import { RULES } from '../../src/verifier/rules';
import { CORPUS } from './corpus-all';

const ALL = CORPUS.map((pair) => [pair.rule, pair.what, pair] as const);

test.each(RULES.map(({ id }) => id))('%s is broken by two bad drivers or more', (id) => {
  expect(CORPUS.filter(({ rule }) => rule === id).length).toBeGreaterThanOrEqual(2);
});

describe('a bad driver yields its finding and no other', () => {
  test.each(ALL)('%s: %s', async (rule, _what, { bad, scenario }) => {
    const { findings } = await checkDriver(bad(), scenario === undefined ? {} : { scenario });
    expect([...new Set(findings.map((finding) => finding.rule))]).toEqual([rule]);
  });
});

describe('its clean twin yields none', () => {
  test.each(ALL)('%s: not %s', async (_rule, _what, { good, scenario }) => {
    const { findings, result, status } = await checkDriver(
      good(),
      scenario === undefined ? {} : { scenario },
    );
    expect(findings).toEqual([]);
    expect(status).toBe(0);
    expect(['idle', 'time']).toContain(result.reason);
  });
});

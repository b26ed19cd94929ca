import { expect, test } from 'vitest';
import { decodePrioritySeparation, resolveProfile } from '../../src/machine/profile';

test.each([
  [0x00, 'short', 'variable', 0, 6, 6],
  [0x02, 'short', 'variable', 2, 18, 6],
  [0x03, 'short', 'variable', 2, 18, 6],
  [0x08, 'short', 'fixed', 0, 18, 18],
  [0x11, 'long', 'variable', 1, 24, 12],
  [0x18, 'long', 'fixed', 0, 36, 36],
  [0x26, 'short', 'variable', 2, 18, 6],
  [0x2a, 'short', 'fixed', 2, 18, 18],
  [0x36, 'short', 'variable', 2, 18, 6],
  [0x102, 'short', 'variable', 2, 18, 6],
] as const)('Win32PrioritySeparation 0x%i of a client is %s %s', (value, interval, length, separation, foreground, background) => {
  expect(decodePrioritySeparation(value, 'client')).toEqual({
    interval,
    length,
    separation,
    foreground,
    background,
  });
});

test('the server default of Win32PrioritySeparation is long and fixed', () => {
  expect(decodePrioritySeparation(2, 'server')).toEqual({
    interval: 'long',
    length: 'fixed',
    separation: 2,
    foreground: 36,
    background: 36,
  });
});

test('a fractional Win32PrioritySeparation is refused by name', () => {
  expect(() => decodePrioritySeparation(1.5, 'client')).toThrow(/win32PrioritySeparation is 1.5/);
});

// Counts of a table read from live systems, by what each of the values 0 to 271 decodes to.
test('the 272 values of Win32PrioritySeparation decode as often to each table as on live systems', () => {
  const counts: Record<string, number> = {};
  for (let value = 0; value < 272; value++) {
    const q = decodePrioritySeparation(value, 'client');
    const key = `${q.interval} ${q.length} ${q.foreground} ${q.background}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  expect(counts).toEqual({
    'long fixed 36 36': 16,
    'long variable 12 12': 12,
    'long variable 24 12': 12,
    'long variable 36 12': 24,
    'short fixed 18 18': 52,
    'short variable 12 6': 39,
    'short variable 18 6': 78,
    'short variable 6 6': 39,
  });
});

test('swapping processes out without their threads’ stacks is refused', () => {
  expect(() => resolveProfile({ processOutswapNs: 1e9 })).toThrow(
    'profile.processOutswapNs does nothing without stackOutswapNs',
  );
});

test('more boosts in a pass than a step may record are refused', () => {
  expect(() => resolveProfile({ balanceBoostThreads: 65 })).toThrow(
    'profile.balanceBoostThreads is 65; give an integer from 1 to 64',
  );
});

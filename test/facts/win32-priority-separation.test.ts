import { expect, test } from 'vitest';
import { decodePrioritySeparation } from '../../src/machine/profile';

// What bits 4-5 and bits 2-3 mean on a client: foreground units by bits 0-1, background units.
test.each([
  [0, 0, 'short', 'variable', [6, 12, 18, 18], 6],
  [0, 1, 'short', 'variable', [6, 12, 18, 18], 6],
  [0, 2, 'short', 'fixed', [18, 18, 18, 18], 18],
  [0, 3, 'short', 'variable', [6, 12, 18, 18], 6],
  [1, 0, 'long', 'variable', [12, 24, 36, 36], 12],
  [1, 1, 'long', 'variable', [12, 24, 36, 36], 12],
  [1, 2, 'long', 'fixed', [36, 36, 36, 36], 36],
  [1, 3, 'long', 'variable', [12, 24, 36, 36], 12],
  [2, 0, 'short', 'variable', [6, 12, 18, 18], 6],
  [2, 1, 'short', 'variable', [6, 12, 18, 18], 6],
  [2, 2, 'short', 'fixed', [18, 18, 18, 18], 18],
  [2, 3, 'short', 'variable', [6, 12, 18, 18], 6],
  [3, 0, 'short', 'variable', [6, 12, 18, 18], 6],
  [3, 1, 'short', 'variable', [6, 12, 18, 18], 6],
  [3, 2, 'short', 'fixed', [18, 18, 18, 18], 18],
  [3, 3, 'short', 'variable', [6, 12, 18, 18], 6],
] as const)('bits 4-5 of %i and bits 2-3 of %i are %s and %s on a client', (high, middle, interval, length, foreground, background) => {
  const decoded = [0, 1, 2, 3].map((low) =>
    decodePrioritySeparation((high << 4) | (middle << 2) | low, 'client'),
  );
  expect(decoded).toEqual([
    { interval, length, separation: 0, foreground: foreground[0], background },
    { interval, length, separation: 1, foreground: foreground[1], background },
    { interval, length, separation: 2, foreground: foreground[2], background },
    { interval, length, separation: 2, foreground: foreground[3], background },
  ]);
});

test.each([
  [0, 0, 'long', 'fixed'],
  [0, 1, 'long', 'variable'],
  [0, 2, 'long', 'fixed'],
  [0, 3, 'long', 'fixed'],
  [1, 0, 'long', 'fixed'],
  [2, 0, 'short', 'fixed'],
  [2, 1, 'short', 'variable'],
  [3, 0, 'long', 'fixed'],
] as const)('bits 4-5 of %i and bits 2-3 of %i are %s and %s on a server', (high, middle, interval, length) => {
  expect(decodePrioritySeparation((high << 4) | (middle << 2), 'server')).toMatchObject({
    interval,
    length,
  });
});

test('of the 272 values from 0 to 271, those above 63 mean what their low six bits do', () => {
  const values = Array.from({ length: 208 }, (_, index) => 64 + index);
  const decoded = values.map((value) => decodePrioritySeparation(value, 'client'));
  expect(decoded).toEqual(values.map((value) => decodePrioritySeparation(value & 63, 'client')));
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PORT_CONTEXT } from '../../assembly/shared/layout';
import { PORT_STATE } from '../../assembly/shared/port';
import { PORT_STOP } from '../../assembly/shared/types';
import type { OneGuest } from './core';
import { Model } from './model';
import { openRandom, randomGuest } from './random-guest';

const TOTAL_NS = 600;
const MOST_STOPS = 100;

/**
 * Lets a guest run for TOTAL_NS in runs of these budgets, and gives its system calls an answer.
 * What stopped it, with the time; and in the end all of its state.
 */
function history(one: OneGuest, budgets: readonly number[]): unknown[] {
  const stops: unknown[] = [];
  let now = 0;
  for (let turn = 0; now < TOTAL_NS && stops.length < MOST_STOPS; turn++) {
    const budget = Math.min(budgets[turn % budgets.length] as number, TOTAL_NS - now);
    const [reason, used] = one.run(budget);
    expect(used).toBeLessThanOrEqual(budget);
    now += used;
    if (reason === PORT_STOP.Budget || reason === PORT_STOP.Order) continue;
    stops.push([now, reason, one.at(PORT_CONTEXT.Number), one.at(PORT_CONTEXT.Argument64)]);
    if (reason !== PORT_STOP.SystemCall) break;
    one.words[PORT_CONTEXT.Status / 4] = now;
  }
  const state = [...one.words.subarray(PORT_CONTEXT.Own / 4)];
  return [...stops, now, one.at(PORT_CONTEXT.Debt), state, [...one.guest]];
}

test('where budgets end does not show', async () => {
  const budgets = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(randomGuest, budgets, async (given, cuts) => {
      const whole = history(await openRandom(given), [TOTAL_NS]);
      const inPieces = history(await openRandom(given), cuts);
      expect(inPieces).toEqual(whole);
    }),
    { numRuns: 400, seed: 6 },
  );
});

test('a guest does what the model does', async () => {
  await fc.assert(
    fc.asyncProperty(randomGuest, async (given) => {
      const one = await openRandom(given);
      const model = new Model(new Uint8Array(one.guest.slice().buffer));
      model.registers.set(given.registers);
      const seen = history(one, [TOTAL_NS]);
      const stops: unknown[] = [];
      while (model.now < TOTAL_NS && stops.length < MOST_STOPS) {
        const stop = model.step();
        if (stop === undefined) continue;
        stops.push([model.now, ...stop]);
        if (stop[0] !== PORT_STOP.SystemCall) break;
        model.status = model.now;
      }
      const now = Math.min(model.now, TOTAL_NS);
      expect(seen.slice(0, -2)).toEqual([...stops, now, model.now - now]);
      expect(seen.at(-1)).toEqual([...new Uint32Array(model.memory.buffer)]);
      expect(
        [one.at(PORT_STATE.Pc), ...one.words.subarray(PORT_STATE.Register / 4)].slice(0, 17),
      ).toEqual([model.pc, ...model.registers]);
    }),
    { numRuns: 1000, seed: 6 },
  );
});

test('a guest changes nothing outside of its window', async () => {
  const windows = fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 4, max: 1000 }));
  await fc.assert(
    fc.asyncProperty(randomGuest, windows, async (given, [base, bytes]) => {
      const one = await openRandom(given, base, bytes);
      const memory = new Uint8Array(one.guest.buffer);
      const guest = one.guest.byteOffset;
      const outside = () => [
        ...memory.subarray(guest - 64, guest + base),
        ...memory.subarray(guest + base + bytes, guest + 8192),
      ];
      memory.fill(0xa5, guest + base + bytes, guest + 8192);
      const before = outside();
      history(one, [TOTAL_NS]);
      expect(outside()).toEqual(before);
    }),
    { numRuns: 400, seed: 6 },
  );
});

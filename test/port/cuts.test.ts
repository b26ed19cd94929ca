import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PORT_CONTEXT } from '../../assembly/shared/layout';
import { PORT_OP, PORT_STATE } from '../../assembly/shared/port';
import { PORT_STOP } from '../../assembly/shared/types';
import { OneGuest } from './core';

const CODE_WORDS = 48;
const TOTAL_NS = 600;
const EVERY_OPCODE = Array.from({ length: PORT_OP.Halt + 2 }, (_, opcode) => opcode);

/** Words that are instructions most often, with operands that lead somewhere most often. */
const instruction = fc
  .record({
    opcode: fc.constantFrom(...EVERY_OPCODE),
    a: fc.integer({ min: 0, max: 15 }),
    b: fc.integer({ min: 0, max: 15 }),
    i: fc.oneof(fc.integer({ min: -8, max: 15 }), fc.integer({ min: -0x8000, max: 0x7fff })),
  })
  .map(({ opcode, a, b, i }) => (opcode | (a << 8) | (b << 12) | (i << 16)) >>> 0);

const guest = fc.record({
  code: fc.array(instruction, { minLength: CODE_WORDS, maxLength: CODE_WORDS }),
  registers: fc.array(fc.oneof(fc.integer({ min: 0, max: 1023 }), fc.nat()), {
    minLength: 16,
    maxLength: 16,
  }),
});

async function guestOf({
  code,
  registers,
}: typeof guest extends fc.Arbitrary<infer T> ? T : never) {
  const one = await OneGuest.open('');
  one.guest.set(code);
  one.words.set(registers, PORT_STATE.Register / 4);
  return one;
}

/**
 * Lets a guest run for TOTAL_NS in runs of these budgets, and gives its system calls an answer.
 * What stopped it, with the time; and in the end all of its state.
 */
function history(one: OneGuest, budgets: readonly number[]): unknown[] {
  const stops: unknown[] = [];
  let now = 0;
  for (let turn = 0; now < TOTAL_NS && stops.length < 100; turn++) {
    const budget = Math.min(budgets[turn % budgets.length] as number, TOTAL_NS - now);
    const [reason, used] = one.run(budget);
    expect(used).toBeLessThanOrEqual(budget);
    now += used;
    if (reason === PORT_STOP.Budget || reason === PORT_STOP.Order) continue;
    stops.push([now, reason, one.at(PORT_CONTEXT.Number), one.at(PORT_CONTEXT.Argument64)]);
    if (reason !== PORT_STOP.SystemCall) break;
    one.words[PORT_CONTEXT.Status / 4] = now;
  }
  return [
    ...stops,
    now,
    one.at(PORT_CONTEXT.Debt),
    [...one.words.subarray(PORT_CONTEXT.Own / 4)],
    [...one.guest],
  ];
}

test('where budgets end does not show', async () => {
  const budgets = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(guest, budgets, async (given, cuts) => {
      const whole = history(await guestOf(given), [TOTAL_NS]);
      const inPieces = history(await guestOf(given), cuts);
      expect(inPieces).toEqual(whole);
    }),
    { numRuns: 400, seed: 6 },
  );
});

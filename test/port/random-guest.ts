import fc from 'fast-check';
import { PORT_OP, PORT_STATE } from '../../assembly/shared/port';
import { OneGuest } from './core';

const CODE_WORDS = 48;
const EVERY_OPCODE = Array.from({ length: PORT_OP.Halt + 2 }, (_, opcode) => opcode);

/** A word that is an instruction most often, with operands that lead somewhere most often. */
const instruction = fc
  .record({
    opcode: fc.constantFrom(...EVERY_OPCODE),
    a: fc.integer({ min: 0, max: 15 }),
    b: fc.integer({ min: 0, max: 15 }),
    i: fc.oneof(fc.integer({ min: -8, max: 15 }), fc.integer({ min: -0x8000, max: 0x7fff })),
  })
  .map(({ opcode, a, b, i }) => (opcode | (a << 8) | (b << 12) | (i << 16)) >>> 0);

/** Code and registers, most of which are addresses. */
export const randomGuest = fc.record({
  code: fc.array(instruction, { minLength: CODE_WORDS, maxLength: CODE_WORDS }),
  registers: fc.array(
    fc.oneof(fc.integer({ min: 0, max: 1023 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
    { minLength: PORT_STATE.RegisterCount, maxLength: PORT_STATE.RegisterCount },
  ),
});
export type RandomGuest = typeof randomGuest extends fc.Arbitrary<infer T> ? T : never;

/** The guest on the interpreter, in a window at `windowBase` of all that is behind it. */
export async function openRandom(
  { code, registers }: RandomGuest,
  windowBase = 0,
  windowBytes = 0,
): Promise<OneGuest> {
  const one = await OneGuest.open('', { windowBase, windowBytes });
  new Uint8Array(one.guest.buffer, one.guest.byteOffset + windowBase).set(
    new Uint8Array(Uint32Array.from(code).buffer).subarray(0, windowBytes || code.length * 4),
  );
  one.words.set(registers, PORT_STATE.Register / 4);
  return one;
}

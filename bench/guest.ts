import { assemblePort, type PortImage, type PortStateOptions } from 'ntps';

/** Stirring once takes 13 ns. */
const TURNS = Math.floor(50_000 / 13);
/** From one system call to the next. */
export const GUEST_INSTRUCTIONS = TURNS * 10 + 4;

/**
 * A compute-bound guest of the reference port: a generator of random numbers stirs a table of 1 KiB, and
 * every 50 us of virtual time there is a system call. r1 is how many of those; 0 is 2^32.
 */
const SOURCE = `
        CALL = 1
        start:  li    r2, 1
                li    r7, 1_103_515_245
                li    r5, table
        round:  li    r3, ${TURNS}
        stir:   mul   r2, r2, r7
                addi  r2, r2, 12345
                shri  r4, r2, 16
                andi  r4, r4, 0x3fc
                add   r4, r4, r5
                lw    r6, [r4]
                xor   r6, r6, r2
                sw    r6, [r4]
                addi  r3, r3, -1
                bne   r3, r0, stir
                syscall CALL, r2
                addi  r1, r1, -1
                bne   r1, r0, round
                halt  r0
        table:  .space 1024
`;

/** Number of its system call. */
export const GUEST_CALL = 1;
/** Each guest has a part of the guests' memory to itself: none sees what another does. */
export const GUEST_WINDOW = 4096;

export const computeGuest: PortImage = assemblePort(SOURCE, { name: 'compute' });

/** The state in which the guest of window `index` begins. */
export function guestState(index: number, rounds: number): PortStateOptions {
  return {
    entry: computeGuest.entry,
    registers: { r1: rounds },
    windowBase: index * GUEST_WINDOW,
    windowBytes: GUEST_WINDOW,
  };
}

/** The same in JavaScript, for comparison: the generator's state after `rounds`. */
export function stir(table: Uint32Array, rounds: number): number {
  let state = 1;
  for (let count = rounds * TURNS; count !== 0; count--) {
    state = (Math.imul(state, 1_103_515_245) + 12345) | 0;
    const index = (state >>> 18) & 0xff;
    table[index] = (table[index] as number) ^ state;
  }
  return state;
}

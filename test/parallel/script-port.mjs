/**
 * A port for tests, whose guests run a script of [operation, a, b] words in the guests' memory. Its
 * context has, behind what every port has: where the next operation is, and ns left of the one at hand.
 */
const COMPUTE = 1;
const SYSTEM_CALL = 2;
const ADD = 3;
const JUMP = 4;
const FAULT = 5;
const LOAD = 6;
const THROW = 7;
const OVERRUN = 8;
const HANG = 9;
const EXIT = 10;
const SLOW = 11;

const SYSTEM_CALL_STOP = 1;
const FAULT_STOP = 2;
const HALT_STOP = 3;
const ORDER_STOP = 4;

/** Ns of an addition that others observe. */
const ADD_NS = 20;

export function openPort({ memory, guestBase }) {
  const words = new Int32Array(memory.buffer);
  const stop = (at, reason, number, argument) => {
    words[at] = reason;
    words[at + 1] = number;
    words[at + 2] = argument;
  };
  return {
    run(context, budget, ordered) {
      const at = context >>> 2;
      words[at] = 0;
      let used = 0;
      let first = ordered === 1;
      for (;;) {
        const take = Math.min(words[at + 9], budget - used);
        words[at + 9] -= take;
        used += take;
        if (take > 0) first = false;
        if (used === budget) return used;
        const pc = (guestBase + words[at + 8]) >>> 2;
        const [operation, a, b] = words.subarray(pc, pc + 3);
        if (operation === ADD && !first) {
          stop(at, ORDER_STOP, 0, 0);
          return used;
        }
        words[at + 8] += 12;
        if (operation === COMPUTE) words[at + 9] = a;
        else if (operation === ADD) {
          words[(guestBase + a) >>> 2] += b;
          words[at + 9] = ADD_NS;
          first = false;
        } else if (operation === LOAD) {
          words[at + 11] = words[(guestBase + a) >>> 2];
          words[at + 9] = 1;
        } else if (operation === JUMP) {
          words[at + 9] = 1;
          if (words[at + 10] < b) {
            words[at + 10]++;
            words[at + 8] = a;
          } else words[at + 10] = 0;
        } else if (operation === SYSTEM_CALL) {
          stop(at, SYSTEM_CALL_STOP, a, b);
          return used;
        } else if (operation === FAULT) {
          stop(at, FAULT_STOP, 0, a);
          return used;
        } else if (operation === THROW) throw new Error('the guest has lost its way');
        else if (operation === OVERRUN) return budget + 1;
        else if (operation === HANG) for (;;);
        else if (operation === EXIT) process.exit(7);
        else if (operation === SLOW) {
          const end = performance.now() + a;
          while (performance.now() < end);
        } else {
          stop(at, HALT_STOP, 0, a);
          return used;
        }
      }
    },
  };
}

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SIG, SYS } from '../../src/subsystem/wsl/abi';
import { SYSTEM_CALLS } from '../../src/subsystem/wsl/table';
import { runLinux } from '../subsystem/linux';
import { check } from './check';

/** What registers may hold: numbers of all sizes, addresses that are mapped, at an edge, and not. */
const DATA = 0x1_0000;
const DATA_END = 0x11_0000;
const SHARED = 0x6000_0000;
const STACK = 0x7ffd_0000_0000;
const register = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 7, 8, 9, 16, 64, 128, 1024, 4096, 65_536),
  fc.constantFrom(-1, -2, -100, -4096, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 32 - 1),
  fc.constantFrom(2 ** 40, 2 ** 47, 2 ** 47 - 8, 2 ** 52, Number.MAX_SAFE_INTEGER),
  fc.constantFrom(DATA, DATA + 4, DATA + 1, DATA_END - 4, DATA_END, SHARED, SHARED + 4092, STACK),
  fc.nat(300),
);

/** Those that end or wait for ever. */
const LEFT_OUT: readonly number[] = [
  ...[SYS.exit, SYS.exit_group, SYS.pause, SYS.rt_sigsuspend],
  // They may end or stop who looks on.
  ...[SYS.kill, SYS.tkill, SYS.tgkill],
];
const NONE = [5, 59 + 512, 334, 65_535];
const numbers = [...SYSTEM_CALLS.keys()].filter(
  (number) => SYSTEM_CALLS[number] !== undefined && !LEFT_OUT.includes(number),
);

interface Call {
  readonly number: number;
  readonly registers: readonly number[];
}

const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.record({
    number: fc.constantFrom(...numbers, ...NONE),
    registers: fc.array(register, { minLength: 6, maxLength: 6 }),
  }),
  { minLength: 1, maxLength: 40, size: 'max' },
);

/** Words with which calls find something at addresses. */
const words = fc.array(fc.oneof(register, fc.nat(100)), { maxLength: 32, size: 'max' });

test('whatever registers and memory hold, a system call comes to a number, waits, or ends its process; nothing stops the machine', async () => {
  const arbitrary = fc.tuple(fc.array(calls, { minLength: 1, maxLength: 4 }), words);
  await check('test/property/linux-calls.test.ts', arbitrary, 150, async ([plans, contents]) => {
    const { wsl, result } = await runLinux(function* (linux) {
      const pids: number[] = [];
      for (const plan of plans) {
        const pid = yield* linux.fork(function* (child) {
          yield* child.call(SYS.setsid);
          contents.forEach((word, index) => {
            child.store(DATA + index * 4, word);
          });
          for (const { number, registers } of plan) {
            const [a, b, c, d, e, f] = registers;
            const returned = yield* child.call(number, a, b, c, d, e, f);
            expect(Number.isInteger(returned)).toBe(true);
          }
        });
        pids.push(pid);
      }
      yield* linux.nanosleep(500e6);
      // Of what a child has forked, its session is what is left: everybody but init is ended.
      yield* linux.kill(-1, SIG.KILL);
      yield* linux.nanosleep(100e6);
      while ((yield* linux.wait(-1)).pid > 0);
    });
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
    expect(wsl.counts).toEqual({ threads: 0, processes: 0, futexes: 0 });
  });
});

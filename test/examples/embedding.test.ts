import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import type { CpuPort, PortResult } from '../../src/machine/guest';
import type { KThread } from '../../src/machine/views';
import { Computer as ComputerUntyped } from '../../examples/embedding/mos6502.mjs';

type Computer = CpuPort & { readonly ram: Uint8Array; input: number };
const Computer = ComputerUntyped as new (program: readonly number[], onRun: () => void) => Computer;

const THREAD = { name: 'thread' } as KThread;
const make = (...program: readonly number[]) => new Computer(program, () => undefined);

describe('three computers of another’s emulator, as threads', () => {
  const run = async () => {
    const example = ['build/cli.js', 'run', 'examples/embedding/mos6502.mjs'];
    const { stdout } = await promisify(execFile)(process.execPath, example);
    return stdout.split('\n');
  };

  test('share a processor by quanta, and one of them waits for what the others send', async () => {
    const lines = await run();
    const told = lines.map((line) => line.replace(/^ *[\d.]+ ms +/, ''));
    expect(told.slice(0, 5)).toEqual([
      'low  has the processor',
      'low  sends 2',
      'sum  adds 2',
      'low  sends 3',
      'sum  adds 3',
    ]);
    expect(told.filter((line) => line.endsWith('has the processor'))).toEqual([
      'low  has the processor',
      'high has the processor',
      'low  has the processor',
      'high has the processor',
    ]);
    expect(told.filter((line) => line.includes('adds'))).toHaveLength(25);
    // The sum of the primes below 100.
    expect(told).toContain('sum  comes to 1060');
    expect(told.filter((line) => line.includes('ran for'))).toEqual([
      'sum  ran for   0.614 ms, in 28 turns',
      'low  ran for  34.431 ms, in 19 turns',
      'high ran for  58.931 ms, in 9 turns',
    ]);
  });

  test('have one history', async () => {
    const [first, second] = await Promise.all([run(), run()]);
    expect(second).toEqual(first);
  });
});

/** What a computer comes to with these budgets: ns and reason of each stop, and its memory. */
function history(computer: Computer, budgets: readonly number[]) {
  const stops: unknown[] = [];
  let now = 0;
  let over = 0;
  for (let turn = 0; ; turn++) {
    const budget = budgets[turn % budgets.length] as number;
    const { usedNs, reason, ...rest }: PortResult = computer.run(THREAD, budget);
    over = Math.max(over, usedNs - budget);
    now += usedNs;
    if (reason !== 'budget') stops.push([now, reason, rest]);
    if (reason === 'halt' || reason === 'fault')
      return { stops, over, ram: [...computer.ram.subarray(0, 0x200)] };
  }
}

describe('the computer', () => {
  // LDX #5; INX; STX $10; STX SEND; DEX; BNE back to STX $10; LDA #7; STA HALT.
  const program = [
    ...[0xa2, 5, 0xe8, 0x86, 0x10, 0x8e, 0x01, 0xf0, 0xca, 0xd0, 0xf8, 0xa9, 7, 0x8d, 0x0f, 0xf0],
  ];

  test('takes a microsecond a cycle, and stops when the instruction that stops it has ended', () => {
    const computer = make(...program);
    expect(computer.run(THREAD, 1_000_000)).toEqual({
      usedNs: (2 + 2 + 3 + 4) * 1000,
      reason: 'syscall',
      number: 0xf001,
      argument: 6,
    });
  });

  test('does the same however its budgets are cut', () => {
    const whole = history(make(...program), [1_000_000]);
    const budgets = fc.array(fc.integer({ min: 30, max: 3000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(budgets, (cuts) => {
        expect(history(make(...program), cuts)).toEqual(whole);
      }),
      { numRuns: 50, seed: 6 },
    );
  });

  test('ends with STATUS_ILLEGAL_INSTRUCTION at what is no instruction', () => {
    const { usedNs, ...rest } = make(0xea, 0x02).run(THREAD, 1_000_000);
    expect([usedNs, rest]).toEqual([4000, { reason: 'fault', status: STATUS.ILLEGAL_INSTRUCTION }]);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONDITION, OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE, PRIORITY_CLASS, WAIT_TYPE } from '../../assembly/shared/types';
import { disassemble } from '../../src/machine/disassemble';
import { INSTRUCTIONS, instructionLength } from '../../src/machine/instruction';
import { Machine } from '../../src/machine/machine';
import { type ProgramBuilder, program } from '../../src/machine/program';

const EVENT = { handle: 2 ** 24 + 5 };

describe('the disassembler', () => {
  test('shows offsets, labels, operands and registers', () => {
    const text = disassemble(
      program('all kinds', (p) => {
        const time = p.register();
        p.loadTime(time);
        p.loop(3, () => {
          p.compute(1000, MODE.KernelMode);
          p.wait(EVENT, { timeoutNs: 500, reason: KWAIT_REASON.UserRequest, mode: MODE.UserMode });
          p.ifStatus(STATUS.TIMEOUT, () => p.yield());
        });
        p.compute({ uniform: [1, 9] }).compute({ exponential: 70 });
        p.waitMultiple([EVENT, { handle: 7 }], WAIT_TYPE.WaitAll).setEvent(time, 2);
        p.releaseSemaphore(EVENT, 4).delayPeriod(time, 99, 'restart');
        const end = p.label();
        p.branchRegister(CONDITION.Less, time, -3n, end);
        p.setAffinity(5n).interlockedAdd(time, 8, -1).systemCall(17, 3).place(end).exit(0xc0000001);
      }),
    );
    expect(text).toMatchInlineSnapshot(`
      " 0        loadTime r0
       1        load r1, 3
       4  L0:   compute kernel, 1000 ns
       7        wait UserRequest, user, #0:5, 500 ns
      12        branchStatus !=, 0x102, L1
      15        yield
      16  L1:   loop r1, L0
      18        computeUniform user, 1 ns, 9 ns
      23        computeExponential user, 70 ns
      26        waitMultiple all, Executive, kernel, 2, for ever, #0:5, #0:7
      34        setEvent +2, r0
      37        releaseSemaphore +1, #0:5, 4
      41        delayPeriod r0, restart, 99 ns
      44        branchRegister <, r0, -3, L2
      48        setAffinity 0x5
      51        interlockedAdd r0, [8], -1
      54        systemCall 17, 3
      56  L2:   exit 0xc0000001
      58        exit 0x0
      "
    `);
  });

  test.each([
    [[0x99], "disassemble: program 'bad', word 0: 0x99 is no opcode"],
    [[OP.Yield, OP.Exit], "disassemble: program 'bad', word 1: 'exit' takes 2 words, 1 are left"],
    [[OP.WaitMultiple, 0xffffffff, 0, 0], "'waitMultiple' takes 8589934594 words, 4 are left"],
  ])('says where words are no program: %j', (words, message) => {
    expect(() => disassemble({ name: 'bad', words: Uint32Array.from(words) })).toThrow(message);
  });

  const calls: readonly [
    number,
    (p: ProgramBuilder, n: number) => unknown,
    (n: number) => string,
  ][] = [
    [3, (p, n) => p.compute(n + 1), (n) => `compute user, ${n + 1} ns`],
    [3, (p, n) => p.delay(n), (n) => `delay ${n} ns`],
    [3, (p, n) => p.mark(n, 1), (n) => `mark ${n}, 1`],
    [2, (p, n) => p.hostCall(7, n), (n) => `hostCall 7, ${n}`],
    [2, (p, n) => p.setBasePriority(n % 30), (n) => `setBasePriority ${n % 30}`],
    [3, (p, n) => p.setEvent({ handle: (n % 9) + 1 }), (n) => `setEvent +1, #0:${(n % 9) + 1}`],
    [1, (p) => p.yield(), () => 'yield'],
  ];

  test('has a line for each instruction, with its operands, at its offset', () => {
    const step = fc.record({
      call: fc.nat({ max: calls.length - 1 }),
      value: fc.nat({ max: 1_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const words = program('random', (p) => {
          for (const { call, value } of steps) calls[call]?.[1](p, value);
        });
        const lines = disassemble(words).trimEnd().split('\n');
        let offset = 0;
        const expected = steps.map(({ call, value }) => {
          const [length, , text] = calls[call] as (typeof calls)[number];
          const line = `${offset} ${text(value)}`;
          offset += length;
          return line;
        });
        expect(lines.map((line) => line.trim().replace(/ +/, ' '))).toEqual([
          ...expected,
          `${offset} exit 0x0`,
        ]);
      }),
      { seed: 20261124 },
    );
  });
});

describe('bad bytecode is refused when it is loaded', () => {
  const cases: readonly [string, number[], string][] = [
    ['no words', [], 'word 0: the program is empty; it needs an exit at least'],
    ['an unknown opcode', [OP.Yield, 0x3f], 'word 1: 0x3f is no opcode'],
    ['an opcode of the core’s own threads', [OP.BalanceScan], 'word 0: 0x61 is no opcode'],
    ['operands cut off', [OP.Delay, 1], "word 0: 'delay' takes 3 words, 2 are left"],
    ['no end', [OP.Yield], 'word 1: control runs off the end; add an exit or a jump'],
    [
      'a jump past the end',
      [OP.Jump, 9],
      'the jump to word 9 is not to the start of an instruction',
    ],
    [
      'a jump into an instruction',
      [OP.Delay, 1, 0, OP.Jump, 1],
      'the jump to word 1 is not to the start',
    ],
    [
      'a register that there is not',
      [OP.LoadTime | (4 << 8), OP.Exit, 0],
      'register 4, there are 4',
    ],
    [
      'a mode that there is not',
      [OP.Compute | (2 << 8), 1, 0, OP.Exit, 0],
      'mode 2; 0 is kernel, 1 user',
    ],
    ['a field that must be 0', [OP.Yield | (1 << 8), OP.Exit, 0], 'field a is 1, it must be 0'],
    ['priority 0', [OP.SetPriority, OP.Exit, 0], 'priority 0, from 1 to 31'],
    [
      'a boost of 16',
      [OP.SetEvent | (16 << 16), 1, 0, OP.Exit, 0],
      'priority increment 16, at most 15',
    ],
    [
      'computing for no time',
      [OP.Compute, 0, 0, OP.Exit, 0],
      '0 ns; every operation takes at least 1',
    ],
    ['a time past 2^53', [OP.Delay, 0, 0x200000, OP.Exit, 0], 'a time above 2^53 ns'],
    [
      'a condition that there is not',
      [OP.BranchStatus | (9 << 8), 0, 3, OP.Exit, 0],
      'condition 9 is none',
    ],
    [
      'a wait reason that there is not',
      [OP.Wait | (60 << 16), 1, 0, 0, 0, OP.Exit, 0],
      'wait reason 60 is none',
    ],
    [
      'a program that is not loaded',
      [OP.CreateThread, 4, 0, OP.Exit, 0],
      '0x4 is no loaded program',
    ],
    ['a priority class that there is not', [OP.CreateProcess, 4, 7, OP.Exit, 0], 'is no'],
    [
      'a shared word that there is not',
      [OP.InterlockedAdd, 1024, 1, OP.Exit, 0],
      'raise capacities.sharedWords',
    ],
  ];

  test.each(cases)('%s', async (_what, words, message) => {
    const machine = await Machine.create();
    const bad = { name: 'bad', words: Uint32Array.from(words) };
    expect(() => machine.loadProgram(bad)).toThrow(message);
    expect(() => machine.loadProgram(bad)).toThrow("program 'bad', word ");
  });

  test('whatever words are given, they are refused or run without a trap', async () => {
    const field = fc.constantFrom(0, 0, 0, 1, 2, 5);
    const operand = fc.oneof(fc.constantFrom(0, 0, 1, 1, 2, 3), fc.nat({ max: 0xffffffff }));
    const instruction = fc
      .tuple(fc.constantFrom(...INSTRUCTIONS), field, field, fc.array(operand, { size: '+1' }))
      .map(([[opcode, shape], a, b, operands]) => [
        opcode | ((shape.a === undefined ? 0 : a) << 8) | ((shape.b === undefined ? 0 : b) << 16),
        ...Array.from({ length: instructionLength(shape) - 1 }, (_, at) => operands[at] ?? 1),
      ]);
    const random = fc.oneof(
      { weight: 9, arbitrary: fc.array(instruction, { minLength: 1, maxLength: 6 }) },
      { weight: 1, arbitrary: fc.array(fc.array(operand, { minLength: 1 }), { minLength: 1 }) },
    );
    let ran = 0;
    await fc.assert(
      fc.asyncProperty(random, async (instructions) => {
        const machine = await Machine.create({ capacities: { threads: 64, processes: 64 } });
        let loaded: ReturnType<Machine['loadProgram']>;
        try {
          loaded = machine.loadProgram({
            name: 'random',
            words: Uint32Array.from([...instructions.flat(), OP.Exit, 0]),
          });
        } catch (error) {
          expect(String(error)).toContain("program 'random', word ");
          return;
        }
        ran++;
        machine.createProcess({ priorityClass: PRIORITY_CLASS.Normal }).createThread(loaded);
        const result = machine.run({ maxEvents: 10_000, until: 1e15 });
        expect(['idle', 'time', 'events', 'bugcheck']).toContain(result.reason);
        // A random change of the level may break the kernel's rules, never the core.
        if (result.reason === 'bugcheck') expect(result.cause).toBeUndefined();
      }),
      { seed: 20261124, numRuns: 400 },
    );
    expect(ran).toBeGreaterThan(20);
  });
});

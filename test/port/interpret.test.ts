import { describe, expect, test } from 'vitest';
import { PORT_CONTEXT } from '../../assembly/shared/layout';
import { PORT_OP, PORT_STATE } from '../../assembly/shared/port';
import { STATUS } from '../../assembly/shared/status';
import { PORT_STOP } from '../../assembly/shared/types';
import { PORT_INSTRUCTIONS } from '../../src/port/instructions';
import { OneGuest } from './core';

test.each([
  ['add r1, r2, r3', 0xffffffff, 2, 1],
  ['sub r1, r2, r3', 1, 2, 0xffffffff],
  ['mul r1, r2, r3', 0x10001, 0x10001, 0x20001],
  ['div r1, r2, r3', 0xfffffff0, 16, 0x0fffffff],
  ['rem r1, r2, r3', 0xffffffff, 16, 15],
  ['and r1, r2, r3', 0b1100, 0b1010, 0b1000],
  ['or r1, r2, r3', 0b1100, 0b1010, 0b1110],
  ['xor r1, r2, r3', 0b1100, 0b1010, 0b0110],
  ['shl r1, r2, r3', 3, 33, 6],
  ['shr r1, r2, r3', 0x80000000, 31, 1],
  ['sar r1, r2, r3', 0x80000000, 31, 0xffffffff],
  ['addi r1, r2, -5', 3, 0, 0xfffffffe],
  ['andi r1, r2, 0xff00', 0xffffffff, 0, 0xff00],
  ['ori r1, r2, 0x8000', 0x10000, 0, 0x18000],
  ['shli r1, r2, 31', 3, 0, 0x80000000],
  ['shri r1, r2, 31', 0x80000000, 0, 1],
  ['lui r1, 0x8001', 0, 0, 0x80010000],
])('%s of %i and %i is %i', async (instruction, r2, r3, expected) => {
  const one = await OneGuest.open(`${instruction}\nhalt r1`, { registers: { r2, r3 } });
  expect(one.run()[0]).toBe(PORT_STOP.Halt);
  expect(one.at(PORT_CONTEXT.Argument64)).toBe(expected);
});

test.each([
  ['beq', 5, 5, true],
  ['beq', 5, 6, false],
  ['bne', 5, 6, true],
  ['bne', 5, 5, false],
  ['blt', -1, 1, true],
  ['blt', 1, -1, false],
  ['bge', 1, 1, true],
  ['bge', -1, 1, false],
  ['bltu', 1, -1, true],
  ['bltu', -1, 1, false],
  ['bgeu', -1, 1, true],
  ['bgeu', 1, -1, false],
])('%s of %i and %i: %s', async (name, r2, r3, taken) => {
  const source = `${name} r2, r3, there\nhalt r0\nthere: li r1, 1\nhalt r1`;
  const one = await OneGuest.open(source, { registers: { r2, r3 } });
  one.run();
  expect(one.at(PORT_CONTEXT.Argument64)).toBe(taken ? 1 : 0);
});

test('words and bytes are loaded and stored, low byte first, at any address', async () => {
  const one = await OneGuest.open(`
    li r1, 0x11223344
    li r2, data
    sw r1, [r2]
    sb r1, [r2 + 3]
    lw r3, [r2]
    lb r4, [r2 + 1]
    lw r5, [r2 - 1 + 2]
    halt r0
    data: .space 8`);
  one.run();
  expect([3, 4, 5].map((n) => one.register(n))).toEqual([0x44223344, 0x33, 0x442233]);
});

test('jal and jalr call and return', async () => {
  const one = await OneGuest.open(`
    start: call double
           call double
           halt r1
    double: add r1, r1, r1
           ret`);
  one.words[(PORT_STATE.Register + 4) / 4] = 3;
  expect(one.run()).toEqual([PORT_STOP.Halt, 2 * (2 + 1 + 2)]);
  expect(one.at(PORT_CONTEXT.Argument64)).toBe(12);
});

test('atomic instructions do what they say', async () => {
  const one = await OneGuest.open(`
    start:  li r2, cell
            li r1, 5
            astore r1, [r2]
            li r3, 7
            aadd r4, [r2], r3
            aswap r5, [r2], r0
            li r6, 1
            acas r6, [r2], r3
            acas r6, [r2], r3
            aload r7, [r2]
            halt r0
    cell:   .word 0`);
  expect(one.runOn()[0]).toBe(PORT_STOP.Halt);
  expect([4, 5, 6, 7].map((n) => one.register(n))).toEqual([5, 12, 0, 7]);
});

test('an atomic instruction is the first of an ordered run, or the run stops before it', async () => {
  const one = await OneGuest.open('nop\naadd r1, [r0], r0\nhalt r1');
  expect(one.run(100)).toEqual([PORT_STOP.Order, 1]);
  expect(one.run(100, 0)).toEqual([PORT_STOP.Order, 0]);
  expect(one.run(1)).toEqual([PORT_STOP.Budget, 1]);
  expect(one.at(PORT_CONTEXT.Debt)).toBe(19);
  expect(one.run(100)).toEqual([PORT_STOP.Halt, 19]);
});

test('an atomic instruction waits for the debt before it', async () => {
  const one = await OneGuest.open('mul r1, r1, r1\naload r1, [r0]\nhalt r0');
  expect(one.run(1)).toEqual([PORT_STOP.Budget, 1]);
  expect(one.run(100)).toEqual([PORT_STOP.Order, 2]);
  expect(one.run(100)).toEqual([PORT_STOP.Halt, 20]);
});

test('syscall gives number and argument, and goes on behind it with the status', async () => {
  const one = await OneGuest.open('li r1, -3\nsyscall 0xffff, r1\nstatus r2\nhalt r2');
  expect(one.run()).toEqual([PORT_STOP.SystemCall, 1]);
  expect(one.at(PORT_CONTEXT.Number)).toBe(0xffff);
  expect(one.at(PORT_CONTEXT.Argument64)).toBe(0xfffffffd);
  one.words[PORT_CONTEXT.Status / 4] = STATUS.TIMEOUT;
  expect(one.run()).toEqual([PORT_STOP.Halt, 1]);
  expect(one.at(PORT_CONTEXT.Argument64)).toBe(STATUS.TIMEOUT);
});

describe('faults', () => {
  test.each([
    ['lw r1, [r2]', 4093, STATUS.ACCESS_VIOLATION, 4093],
    ['sw r1, [r2]', 0xfffffffc, STATUS.ACCESS_VIOLATION, 0xfffffffc],
    ['lb r1, [r2]', 4096, STATUS.ACCESS_VIOLATION, 4096],
    ['sb r1, [r2 - 1]', 0, STATUS.ACCESS_VIOLATION, 0xffffffff],
    ['aadd r1, [r2], r0', 4096, STATUS.ACCESS_VIOLATION, 4096],
    ['aadd r1, [r2], r0', 2, STATUS.DATATYPE_MISALIGNMENT, 2],
    ['jalr r1, r2, 0', 2, STATUS.DATATYPE_MISALIGNMENT, 2],
    ['div r1, r2, r0', 2, STATUS.INTEGER_DIVIDE_BY_ZERO, 0],
    ['rem r1, r2, r0', 2, STATUS.INTEGER_DIVIDE_BY_ZERO, 0],
    ['.word 0', 0, STATUS.ILLEGAL_INSTRUCTION, 0],
    ['.word 0x26', 0, STATUS.ILLEGAL_INSTRUCTION, 0],
    ['.word 0xff', 0, STATUS.ILLEGAL_INSTRUCTION, 0],
  ])('%s with r2 = %i is status %i at %i, and has no effect', async (line, r2, status, address) => {
    const one = await OneGuest.open(`${line}\nhalt r0`, { registers: { r2 } });
    expect(one.run()).toEqual([PORT_STOP.Fault, 0]);
    expect(one.at(PORT_CONTEXT.Argument64)).toBe(status);
    expect(one.at(PORT_STATE.FaultAddress)).toBe(address);
    expect([one.at(PORT_STATE.Pc), one.register(1)]).toEqual([0, 0]);
  });

  test('an instruction outside of the memory is ACCESS_VIOLATION at its address', async () => {
    const one = await OneGuest.open('li r1, 4096\njalr r1, r1, 0');
    expect(one.run()).toEqual([PORT_STOP.Fault, 3]);
    expect(one.at(PORT_CONTEXT.Argument64)).toBe(STATUS.ACCESS_VIOLATION);
    expect(one.at(PORT_STATE.Pc)).toBe(4096);
  });
});

test('a guest in a window sees that part of the memory only', async () => {
  const state = { windowBase: 1024, windowBytes: 1024 };
  const one = await OneGuest.open('nop', state);
  one.guest.set([0x12 | (1 << 8) | (1020 << 16), 0x12 | (2 << 8) | (1021 << 16)], 256);
  one.guest[511] = 77;
  expect(one.run()).toEqual([PORT_STOP.Fault, 2]);
  expect([one.register(1), one.at(PORT_STATE.FaultAddress)]).toEqual([77, 1021]);
});

test.each([
  { windowBase: 4097 },
  { windowBase: 4094 },
  { windowBase: 4092, windowBytes: 5 },
  { windowBytes: 0xffffffff },
])('a window that is not in the memory is ACCESS_VIOLATION: %o', async (state) => {
  const one = await OneGuest.open('nop', state);
  expect(one.run()).toEqual([PORT_STOP.Fault, 0]);
  expect(one.at(PORT_CONTEXT.Argument64)).toBe(STATUS.ACCESS_VIOLATION);
});

test('opcodes are numbered without gaps, and each instruction has its ns', async () => {
  expect(PORT_INSTRUCTIONS.map(({ opcode }) => opcode)).toEqual(
    Array.from({ length: PORT_OP.Halt }, (_, index) => index + 1),
  );
  const used: [string, number][] = [];
  for (const { name, opcode } of PORT_INSTRUCTIONS) {
    // Branches and jumps lead to the halt that follows.
    const one = await OneGuest.open(`.word ${opcode | (1 << 8) | (2 << 12) | (1 << 16)}\nhalt r0`);
    one.words.set([1, 8, 1], (PORT_STATE.Register + 4) / 4);
    one.words[(PORT_STATE.Register + 8) / 4] = name === 'jalr' ? 3 : 8;
    if (name === 'lw' || name === 'sw') one.words[(PORT_STATE.Register + 8) / 4] = 7;
    used.push([name, one.runOn()[1]]);
  }
  expect(used).toEqual(PORT_INSTRUCTIONS.map(({ name, ns }) => [name, ns]));
});

test('a guest does the same on shared memory', async () => {
  const source = `
    start: li r2, cell
    again: aadd r3, [r2], r1
           addi r1, r1, 1
           li r4, 100
           bne r1, r4, again
           lw r5, [r2]
           halt r5
    cell:  .word 0`;
  const stops = await Promise.all(
    [false, true].map(async (shared) => {
      const one = await OneGuest.open(source, {}, shared);
      return [...one.runOn(), one.at(PORT_CONTEXT.Argument64)];
    }),
  );
  expect(stops).toEqual([
    [PORT_STOP.Halt, 2304, 4950],
    [PORT_STOP.Halt, 2304, 4950],
  ]);
});

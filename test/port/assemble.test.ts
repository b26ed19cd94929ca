import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError, MachineError } from '../../src/machine/errors';
import { assemblePort } from '../../src/port/assemble';
import { disassemblePort } from '../../src/port/disassemble';
import { PORT_INSTRUCTIONS } from '../../src/port/instructions';
import { AssemblyError } from '../../src/port/lexer';

function wordsOf(source: string, origin = 0): number[] {
  const { bytes } = assemblePort(source, { origin });
  return [...new Uint32Array(bytes.buffer)];
}

const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, '0'));

test.each([
  ['add r1, r2, r3', ['00032101']],
  ['ADD R1,R2,R15', ['000f2101']],
  ['addi sp, sp, -8', ['fff8ee0c']],
  ['lw r1, [r2]', ['00002112']],
  ['lw r1, [r2 + 8]', ['00082112']],
  ['sw r0, [lr - 4]', ['fffcf014']],
  ['acas r1, [r2], r3', ['00032122']],
  ['syscall 7, r2', ['00070223']],
  ['halt r0', ['00000025']],
  ['nop', ['00000001']],
  ['mov r1, r2', ['0000210c']],
  ['li r1, -1', ['ffff010c']],
  ["li r1, 'a' + 1", ['0062010c']],
  ['li r1, 0x12348765', ['12340111', '8765110e']],
  ['here: jmp here', ['00000016']],
  ['here: nop\ncall here', ['00000001', 'ffff0f1c']],
  ['ret', ['0000ff1d']],
  ['beq r1, r2, 8', ['00022116']],
  [
    '.word 1, -1, 0xffffffff, 0b101, 1_000',
    ['00000001', 'ffffffff', 'ffffffff', '00000005', '000003e8'],
  ],
  ['.byte 1, -1, 255', ['00ffff01']],
  ['.ascii "aé\\n\\x01"', ['0aa9c361', '00000001']],
  ['.space 3\n.align 4\n.byte 1', ['00000000', '00000001']],
  ['', []],
])('%s', (source, expected) => {
  expect(hex(wordsOf(source))).toEqual(expected);
});

test('labels and constants are values, above and below', () => {
  const source = `
    SIZE = 4 * 0 ; no`;
  expect(() => assemblePort(source)).toThrow(AssemblyError);
  const good = `
    SIZE = 2 + 2
    start: li r1, data + SIZE ; a comment
    a: b: .word start, a, b, later - start, SIZE
    data: later:`;
  const image = assemblePort(good, { origin: 0x100, name: 'good' });
  expect([...image.labels]).toEqual([
    ['start', 0x100],
    ['a', 0x108],
    ['b', 0x108],
    ['data', 0x11c],
    ['later', 0x11c],
  ]);
  expect([image.entry, image.origin, image.name]).toEqual([0x100, 0x100, 'good']);
  expect([...new Uint32Array(image.bytes.buffer)].slice(2)).toEqual([0x100, 0x108, 0x108, 0x1c, 4]);
});

test('a guest begins at its label start, or else at its first byte', () => {
  expect(assemblePort('nop\nstart: nop', { origin: 8 }).entry).toBe(12);
  expect(assemblePort('nop', { origin: 8 }).entry).toBe(8);
});

describe('what is wrong is said with its place and a remedy', () => {
  test.each([
    ['nop\n  bad r1', 'guest:2:3: bad is no instruction; known are add sub'],
    ['add r1, r2', "guest:1:11: here is the end of the line and not ','; write add a, b, c"],
    [
      'add r1, r2, 5',
      'guest:1:13: here is 5 and not a register; write add a, b, c, with registers',
    ],
    ['add r1, r2, r3, r4', "guest:1:15: ',' is too much; write add a, b, c"],
    ['add r16, r2, r3', 'guest:1:5: here is r16 and not a register'],
    ['add r0, r2, r3', 'guest:1:5: r0 is always 0; let another register have the result'],
    ['lw r1, r2', "guest:1:8: here is r2 and not '['; write lw a, [b + i]"],
    ['lw r1, [r2 8]', "guest:1:12: here is 8 and not ']'; write lw a, [b + i]"],
    [
      'addi r1, r2, 32768',
      'guest:1:14: 32768 does not fit here; give a value from -32768 to 32767',
    ],
    ['shli r1, r2, 32', 'guest:1:14: 32 does not fit here; give a value from 0 to 31'],
    ['andi r1, r2, -1', 'guest:1:14: -1 does not fit here; give a value from 0 to 65535'],
    ['li r1, 4294967296', 'guest:1:8: 4294967296 does not fit here'],
    ['jmp nowhere', 'guest:1:5: nowhere is not defined; define it: a label is name:'],
    ['jmp 6', 'guest:1:5: no instruction is at address 6; go to a multiple of 4'],
    ['jmp 131072', 'guest:1:5: the target is 32768 words away, and a jump goes 32,767'],
    ['a: nop\na: nop', 'guest:2:1: a is defined in line 1 already; give it another name'],
    ['a = 1\na = 2', 'guest:2:1: a is defined already, or a register'],
    ['sp: nop', 'guest:1:1: sp is a register; give it another name'],
    ['a = b', 'guest:1:5: b is not defined; define it above: where things lie depends on it'],
    ['.space later\nlater:', 'guest:1:8: later is not defined; define it above'],
    ['.byte 256', 'guest:1:7: 256 does not fit here; give a value from -128 to 255'],
    ['.byte 1\nnop', 'guest:2:1: an instruction at address 1; write .align 4 before it'],
    ['.byte 1\n.word 1', 'guest:2:7: a word at address 1; write .align 4 before it'],
    ['.org 4', 'guest:1:1: .org is no directive; known are .word, .byte, .ascii, .space, .align'],
    ['.align 0', 'guest:1:8: 0 does not fit here; give a value from 1 to'],
    ['.space 67108865', 'guest:1:8: 67108865 does not fit here'],
    ['.space 67108864\nnop', 'guest:2:4: there is no room for this; an image has 64 MiB'],
    ['.ascii "a', 'guest:1:8: the " is not closed; close it on the same line'],
    ['.ascii "\\q"', 'guest:1:8: \\q is no escape; known are'],
    ['.ascii 5', 'guest:1:8: here is 5 and not a text; write .ascii "text"'],
    ['nop $', "guest:1:5: '$' is nothing known here; a comment begins with ;"],
    ['li r1, 0x_', 'guest:1:8: 0x_ is no number; write 10, 0x0a or 0b1010'],
    ['5', "guest:1:1: '5' is no instruction; a line is a label"],
    ['li r1, r2', 'guest:1:8: here is r2 and not a value; write li a, value'],
  ])('%s', (source, message) => {
    expect(() => assemblePort(source)).toThrow(message);
  });

  test('as an InputError', () => {
    expect(() => assemblePort('bad', { name: 'a.s' })).toThrow(InputError);
    expect(() => assemblePort('bad', { name: 'a.s' })).toThrow(
      expect.objectContaining({ file: 'a.s', line: 1, column: 1 }),
    );
  });

  test('an origin that is no place for words is misuse', () => {
    expect(() => assemblePort('', { origin: 2 })).toThrow(MachineError);
  });
});

test('no text makes the assembler fail in another way', () => {
  const pieces = fc.constantFrom(
    ...[
      'add',
      'li',
      'r1',
      'r0',
      'a',
      ':',
      ',',
      '[',
      ']',
      '+',
      '-',
      '=',
      '5',
      '"',
      "'",
      '\\',
      '\n',
      ' ',
    ],
    ...['.word', '.space', '.align', '.ascii', ';', '0x', 'é', '__proto__', 'constructor'],
  );
  fc.assert(
    fc.property(fc.array(pieces), (texts) => {
      try {
        assemblePort(texts.join(''));
      } catch (error) {
        expect(error).toBeInstanceOf(AssemblyError);
      }
    }),
    { numRuns: 2000, seed: 6 },
  );
});

test('the disassembler names what is jumped to, and writes what is no instruction as words', () => {
  const image = assemblePort(
    'start: li r1, 3\nl: addi r1, r1, -1\nbne r1, r0, l\nhalt r1\n.word 99',
  );
  expect(disassemblePort(image)).toBe(
    [
      '       addi r1, r0, 3               ; 00000000',
      'L0:    addi r1, r1, -1              ; 00000004',
      '       bne r1, r0, L0               ; 00000008',
      '       halt r1                      ; 0000000c',
      '       .word 0x00000063             ; 00000010',
      '',
    ].join('\n'),
  );
});

test('what the disassembler writes is what the assembler reads, whatever the words', () => {
  const opcodes = fc.constantFrom(...PORT_INSTRUCTIONS.map(({ opcode }) => opcode));
  const word = fc.oneof(
    fc.tuple(opcodes, fc.integer({ min: 0, max: 0xffffff })).map(([op, rest]) => op + rest * 256),
    fc.tuple(opcodes, fc.integer({ min: 0, max: 0xfff })).map(([op, rest]) => op + rest * 256),
    fc.integer({ min: 0, max: 0xffffffff }),
  );
  const origin = fc.constantFrom(0, 0x1000, 0x4_0000);
  fc.assert(
    fc.property(fc.array(word), origin, (words, at) => {
      const bytes = new Uint8Array(Uint32Array.from(words).buffer);
      const text = disassemblePort({ bytes, origin: at });
      expect(assemblePort(text, { origin: at }).bytes).toEqual(bytes);
    }),
    { numRuns: 1000, seed: 6 },
  );
});

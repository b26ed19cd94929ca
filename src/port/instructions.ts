import { PORT_NS, PORT_OP } from '../../assembly/shared/port';

/**
 * How an operand is written and where it goes: registers `a`, `b` and `c`; immediate values of 16 bits
 * with a sign (`signed`) or without (`bits`), or from 0 to 31 (`shift`); `memory` is `[b + signed]`,
 * `place` is `[b]`, `target` is the address to go to, in words from the instruction.
 */
export type PortOperand =
  | 'a'
  | 'b'
  | 'c'
  | 'signed'
  | 'bits'
  | 'shift'
  | 'memory'
  | 'place'
  | 'target';

/** A row of the instruction set: what assembler, disassembler and the reference are made of. */
export interface PortInstruction {
  readonly name: string;
  readonly opcode: number;
  readonly operands: readonly PortOperand[];
  /** Virtual time that it takes. */
  readonly ns: number;
  /** Whether it changes register a. */
  readonly writes: boolean;
  /** In words. */
  readonly effect: string;
}

type Row = readonly [
  name: string,
  opcode: PORT_OP,
  operands: string,
  ns: PORT_NS,
  effect: string,
  reads?: 'reads a',
];

const ROWS: readonly Row[] = [
  ['add', PORT_OP.Add, 'a b c', PORT_NS.Simple, 'a = b + c'],
  ['sub', PORT_OP.Sub, 'a b c', PORT_NS.Simple, 'a = b - c'],
  ['mul', PORT_OP.Mul, 'a b c', PORT_NS.Multiply, 'a = b * c, the low 32 bits'],
  [
    'div',
    PORT_OP.Div,
    'a b c',
    PORT_NS.Divide,
    'a = b / c without signs; by 0 a fault INTEGER_DIVIDE_BY_ZERO',
  ],
  ['rem', PORT_OP.Rem, 'a b c', PORT_NS.Divide, 'a = what div leaves; by 0 the same fault'],
  ['and', PORT_OP.And, 'a b c', PORT_NS.Simple, 'a = b & c'],
  ['or', PORT_OP.Or, 'a b c', PORT_NS.Simple, 'a = b or c'],
  ['xor', PORT_OP.Xor, 'a b c', PORT_NS.Simple, 'a = b ^ c'],
  ['shl', PORT_OP.Shl, 'a b c', PORT_NS.Simple, 'a = b << (c & 31)'],
  ['shr', PORT_OP.Shr, 'a b c', PORT_NS.Simple, 'a = b >> (c & 31), zeros come in'],
  ['sar', PORT_OP.Sar, 'a b c', PORT_NS.Simple, 'a = b >> (c & 31), the sign comes in'],
  ['addi', PORT_OP.AddI, 'a b signed', PORT_NS.Simple, 'a = b + i'],
  ['andi', PORT_OP.AndI, 'a b bits', PORT_NS.Simple, 'a = b & i'],
  ['ori', PORT_OP.OrI, 'a b bits', PORT_NS.Simple, 'a = b or i'],
  ['shli', PORT_OP.ShlI, 'a b shift', PORT_NS.Simple, 'a = b << i'],
  ['shri', PORT_OP.ShrI, 'a b shift', PORT_NS.Simple, 'a = b >> i, zeros come in'],
  ['lui', PORT_OP.LuI, 'a bits', PORT_NS.Simple, 'a = i << 16'],
  ['lw', PORT_OP.Lw, 'a memory', PORT_NS.Load, 'a = the word at b + i'],
  ['lb', PORT_OP.Lb, 'a memory', PORT_NS.Load, 'a = the byte at b + i'],
  ['sw', PORT_OP.Sw, 'a memory', PORT_NS.Store, 'the word at b + i = a', 'reads a'],
  ['sb', PORT_OP.Sb, 'a memory', PORT_NS.Store, 'the byte at b + i = a, the low 8 bits', 'reads a'],
  ['beq', PORT_OP.Beq, 'a b target', PORT_NS.Branch, 'goes to the target if a = b', 'reads a'],
  ['bne', PORT_OP.Bne, 'a b target', PORT_NS.Branch, 'if they differ', 'reads a'],
  ['blt', PORT_OP.Blt, 'a b target', PORT_NS.Branch, 'if a < b, with signs', 'reads a'],
  ['bge', PORT_OP.Bge, 'a b target', PORT_NS.Branch, 'if a >= b, with signs', 'reads a'],
  ['bltu', PORT_OP.BltU, 'a b target', PORT_NS.Branch, 'if a < b, without signs', 'reads a'],
  ['bgeu', PORT_OP.BgeU, 'a b target', PORT_NS.Branch, 'if a >= b, without signs', 'reads a'],
  ['jal', PORT_OP.Jal, 'a target', PORT_NS.Jump, 'a = the address behind it; goes to the target'],
  [
    'jalr',
    PORT_OP.JalR,
    'a b signed',
    PORT_NS.Jump,
    'a = the address behind it; goes to b + i, which is a multiple of 4',
  ],
  ['aload', PORT_OP.ALoad, 'a place', PORT_NS.Atomic, 'a = the word at b'],
  ['astore', PORT_OP.AStore, 'a place', PORT_NS.Atomic, 'the word at b = a', 'reads a'],
  ['aswap', PORT_OP.ASwap, 'a place c', PORT_NS.Atomic, 'a = the word at b, which becomes c'],
  ['aadd', PORT_OP.AAdd, 'a place c', PORT_NS.Atomic, 'a = the word at b, to which c is added'],
  [
    'acas',
    PORT_OP.ACas,
    'a place c',
    PORT_NS.Atomic,
    'if the word at b is a, it becomes c; a = what it was',
  ],
  [
    'syscall',
    PORT_OP.SysCall,
    'bits a',
    PORT_NS.Leave,
    'system call number i with argument a; goes on behind it',
    'reads a',
  ],
  ['status', PORT_OP.Status, 'a', PORT_NS.Simple, 'a = the status of the last system call'],
  ['halt', PORT_OP.Halt, 'a', PORT_NS.Leave, 'ends the thread with exit status a', 'reads a'],
];

/** The instruction set of the reference port, in the order of its opcodes. */
export const PORT_INSTRUCTIONS: readonly PortInstruction[] = ROWS.map(
  ([name, opcode, operands, ns, effect, reads]) => ({
    name,
    opcode,
    operands: operands.split(' ') as PortOperand[],
    ns,
    effect,
    writes: reads === undefined,
  }),
);

/** What the assembler makes of other instructions. */
export const PORT_SHORTHANDS: Readonly<Record<string, readonly [usage: string, meaning: string]>> =
  {
    nop: ['nop', 'add r0, r0, r0, which changes nothing'],
    mov: ['mov a, b', 'addi a, b, 0'],
    li: [
      'li a, value',
      'addi a, r0, value; or lui and ori, if it does not fit or is a label below',
    ],
    jmp: ['jmp target', 'beq r0, r0, target'],
    call: ['call target', 'jal lr, target'],
    ret: ['ret', 'jalr lr, lr, 0'],
  };

const WRITTEN: Readonly<Record<PortOperand, string>> = {
  a: 'a',
  b: 'b',
  c: 'c',
  signed: 'i',
  bits: 'i',
  shift: 'i',
  memory: '[b + i]',
  place: '[b]',
  target: 'target',
};

/** How an instruction is written: `lw a, [b + i]`. */
export function portUsage({ name, operands }: PortInstruction): string {
  return `${name} ${operands.map((operand) => WRITTEN[operand]).join(', ')}`;
}

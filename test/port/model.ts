import { STATUS } from '../../assembly/shared/status';
import { PORT_STOP } from '../../assembly/shared/types';
import { PORT_INSTRUCTIONS, type PortInstruction } from '../../src/port/instructions';

/** What a guest stops with; undefined: it goes on. */
export type Stop = readonly [reason: PORT_STOP, number: number, argument: number];

interface Operands {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly i: number;
  readonly bits: number;
}

const BY_OPCODE: ReadonlyMap<number, PortInstruction> = new Map(
  PORT_INSTRUCTIONS.map((instruction) => [instruction.opcode, instruction]),
);

const ARITHMETIC: Readonly<Record<string, (b: number, c: number) => number>> = {
  add: (b, c) => b + c,
  sub: (b, c) => b - c,
  mul: (b, c) => Number((BigInt(b) * BigInt(c)) & 0xffffffffn),
  div: (b, c) => Math.floor(b / c),
  rem: (b, c) => b % c,
  and: (b, c) => b & c,
  or: (b, c) => b | c,
  xor: (b, c) => b ^ c,
  shl: (b, c) => b << (c & 31),
  shr: (b, c) => b >>> (c & 31),
  sar: (b, c) => b >> (c & 31),
};
const IMMEDIATE: Readonly<Record<string, (b: number, o: Operands) => number>> = {
  addi: (b, { i }) => b + i,
  andi: (b, { bits }) => b & bits,
  ori: (b, { bits }) => b | bits,
  shli: (b, { bits }) => b << (bits & 31),
  shri: (b, { bits }) => b >>> (bits & 31),
  lui: (_, { bits }) => bits * 0x10000,
};
const BRANCHES: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  beq: (a, b) => a === b,
  bne: (a, b) => a !== b,
  blt: (a, b) => (a | 0) < (b | 0),
  bge: (a, b) => (a | 0) >= (b | 0),
  bltu: (a, b) => a < b,
  bgeu: (a, b) => a >= b,
};

/** The register machine written for clarity: what the interpreter is held to. */
export class Model {
  pc = 0;
  status = 0;
  now = 0;
  readonly registers = new Uint32Array(16);
  private readonly view: DataView;

  constructor(readonly memory: Uint8Array) {
    this.view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  }

  /** Executes one instruction. */
  step(): Stop | undefined {
    if (!this.holds(this.pc, 4)) return fault(STATUS.ACCESS_VIOLATION);
    const word = this.view.getUint32(this.pc, true);
    const instruction = BY_OPCODE.get(word & 0xff);
    if (instruction === undefined) return fault(STATUS.ILLEGAL_INSTRUCTION);
    const operands: Operands = {
      a: (word >>> 8) & 15,
      b: (word >>> 12) & 15,
      c: (word >>> 16) & 15,
      i: (word | 0) >> 16,
      bits: word >>> 16,
    };
    const stop = this.execute(instruction.name, operands);
    if (stop === undefined) this.now += instruction.ns;
    return stop;
  }

  private holds(address: number, bytes: number): boolean {
    return address + bytes <= this.memory.length;
  }

  private execute(name: string, o: Operands): Stop | undefined {
    const { registers } = this;
    const a = registers[o.a] as number;
    const b = registers[o.b] as number;
    const c = registers[o.c] as number;
    const next = this.pc + 4;
    if ((name === 'div' || name === 'rem') && c === 0) return fault(STATUS.INTEGER_DIVIDE_BY_ZERO);
    if (name === 'halt') return [PORT_STOP.Halt, 0, a];
    const value = ARITHMETIC[name]?.(b, c) ?? IMMEDIATE[name]?.(b, o);
    if (value !== undefined) registers[o.a] = value;
    if (name === 'status') registers[o.a] = this.status;
    const memory = /^[ls][wb]$/.test(name) || /^a(load|store|swap|add|cas)$/.test(name);
    if (memory) {
      const stop = this.access(name, o, a, c, (b + (name.length === 2 ? o.i : 0)) >>> 0);
      if (stop !== undefined) return stop;
    }
    if (name === 'jalr') {
      const target = (b + o.i) >>> 0;
      if (target % 4 !== 0) return fault(STATUS.DATATYPE_MISALIGNMENT);
      registers[o.a] = next;
      this.pc = target;
      return undefined;
    }
    if (name === 'jal') registers[o.a] = next;
    const jumps = name === 'jal' || BRANCHES[name]?.(a, b) === true;
    this.pc = (jumps ? this.pc + o.i * 4 : next) >>> 0;
    return name === 'syscall' ? [PORT_STOP.SystemCall, o.bits, a] : undefined;
  }

  private access(
    name: string,
    o: Operands,
    a: number,
    c: number,
    address: number,
  ): Stop | undefined {
    const { view, registers } = this;
    const atomic = name.length > 2;
    if (atomic && address % 4 !== 0) return fault(STATUS.DATATYPE_MISALIGNMENT);
    if (!this.holds(address, name.endsWith('b') && !atomic ? 1 : 4))
      return fault(STATUS.ACCESS_VIOLATION);
    if (name === 'lb') registers[o.a] = view.getUint8(address);
    else if (name === 'sb') view.setUint8(address, a);
    else if (name === 'sw' || name === 'astore') view.setUint32(address, a, true);
    else {
      const old = view.getUint32(address, true);
      if (name === 'aswap' || (name === 'acas' && old === a)) view.setUint32(address, c, true);
      if (name === 'aadd') view.setUint32(address, old + c, true);
      registers[o.a] = old;
    }
    return undefined;
  }
}

function fault(status: number): Stop {
  return [PORT_STOP.Fault, 0, status];
}

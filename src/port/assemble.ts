import { PORT_OP } from '../../assembly/shared/port';
import { MachineError } from '../machine/errors';
import {
  PORT_INSTRUCTIONS,
  PORT_SHORTHANDS,
  type PortInstruction,
  type PortOperand,
  portUsage,
} from './instructions';
import { type Expression, isRegister, LineReader } from './reader';

/** A guest of the reference port, as it goes into the guests' memory. */
export interface PortImage {
  readonly name: string;
  /** Where it begins: the address of its first byte. */
  readonly origin: number;
  readonly bytes: Uint8Array;
  /** The label `start`, or else the first byte. */
  readonly entry: number;
  /** Addresses. */
  readonly labels: ReadonlyMap<string, number>;
}

export interface AssembleOptions {
  /** For errors. Default 'guest'. */
  readonly name?: string;
  /** A multiple of 4. Default 0. */
  readonly origin?: number;
}

const LIMIT_BYTES = 64 * 2 ** 20;
const LOWEST = -(2 ** 31);
const HIGHEST = 2 ** 32 - 1;
const ABOVE = 'define it above: where things lie depends on it';

/** Something that takes room; its bytes are known when all labels are. */
interface Item {
  readonly offset: number;
  readonly write: (out: DataView, offset: number) => void;
}

/** Words of an instruction, or what they will be. */
type Encode = () => number;

const BY_NAME: ReadonlyMap<string, PortInstruction> = new Map(
  PORT_INSTRUCTIONS.map((instruction) => [instruction.name, instruction]),
);
const DIRECTIVES: Readonly<Record<string, string>> = {
  '.word': '.word value, …',
  '.byte': '.byte value, …',
  '.ascii': '.ascii "text"',
  '.space': '.space bytes',
  '.align': '.align bytes',
};

function word(opcode: number, a: number, b: number, rest: number): number {
  return (opcode | (a << 8) | (b << 12) | ((rest & 0xffff) << 16)) >>> 0;
}

class Assembler {
  private readonly symbols = new Map<string, number>();
  private readonly labels = new Map<string, number>();
  private readonly lines = new Map<string, number>();
  private readonly items: Item[] = [];
  private offset = 0;

  constructor(
    private readonly name: string,
    private readonly origin: number,
  ) {}

  assemble(source: string): PortImage {
    source.split(/\r\n?|\n/).forEach((text, index) => {
      this.line(new LineReader(text, { file: this.name, number: index + 1 }));
    });
    const bytes = new Uint8Array(Math.ceil(this.offset / 4) * 4);
    const out = new DataView(bytes.buffer);
    for (const { offset, write } of this.items) write(out, offset);
    const { name, origin, labels } = this;
    return { name, origin, bytes, entry: labels.get('start') ?? origin, labels };
  }

  private get address(): number {
    return this.origin + this.offset;
  }

  private line(reader: LineReader): void {
    while (reader.next.kind === 'name' && reader.afterNext.text === ':') {
      this.define(reader, reader.next.text, this.address);
      this.labels.set(reader.take().text, this.address);
      reader.take();
    }
    if (reader.atEnd) return;
    const { kind, text } = reader.next;
    if (kind !== 'name')
      reader.fail(
        `'${text}' is no instruction`,
        'a line is a label, an instruction and a comment, each as you like',
      );
    if (reader.afterNext.text === '=') this.constant(reader);
    else if (text.startsWith('.')) this.directive(reader);
    else this.instruction(reader);
  }

  private define(reader: LineReader, name: string, value: number): void {
    if (isRegister(name)) reader.fail(`${name} is a register`, 'give it another name');
    const defined = this.lines.get(name);
    if (defined !== undefined)
      reader.fail(`${name} is defined in line ${defined} already`, 'give it another name');
    this.symbols.set(name, value);
    this.lines.set(name, reader.line.number);
  }

  private constant(reader: LineReader): void {
    const { text } = reader.next;
    const named = reader.next;
    reader.take();
    reader.take();
    const usage = `${text} = value`;
    const value = reader.valueOf(reader.expression(usage), this.symbols, LOWEST, HIGHEST, ABOVE);
    reader.end(usage);
    if (this.lines.has(text) || isRegister(text)) {
      const remedy = 'give it another name';
      reader.fail(`${text} is defined already, or a register`, remedy, named);
    }
    this.define(reader, text, value);
  }

  private place(reader: LineReader, bytes: number, write: Item['write']): void {
    this.items.push({ offset: this.offset, write });
    this.offset += bytes;
    if (this.offset > LIMIT_BYTES || this.address > HIGHEST)
      reader.fail('there is no room for this', 'an image has 64 MiB, and addresses 32 bits');
  }

  private requireAligned(reader: LineReader, what: string): void {
    if (this.address % 4 !== 0)
      reader.fail(`${what} at address ${this.address}`, 'write .align 4 before it');
  }

  private directive(reader: LineReader): void {
    const { text } = reader.next;
    const usage =
      DIRECTIVES[text.toLowerCase()] ??
      reader.fail(`${text} is no directive`, `known are ${Object.keys(DIRECTIVES).join(', ')}`);
    reader.take();
    switch (text.toLowerCase()) {
      case '.word':
        this.requireAligned(reader, 'a word');
        this.values(reader, usage, 4, LOWEST, HIGHEST);
        break;
      case '.byte':
        this.values(reader, usage, 1, -128, 255);
        break;
      case '.ascii':
        this.text(reader, usage);
        break;
      default:
        this.room(reader, usage, text.toLowerCase() === '.align');
    }
    reader.end(usage);
  }

  private values(
    reader: LineReader,
    usage: string,
    width: number,
    low: number,
    high: number,
  ): void {
    for (;;) {
      const expression = reader.expression(usage);
      this.place(reader, width, (out, offset) => {
        const value = reader.valueOf(expression, this.symbols, low, high);
        if (width === 4) out.setUint32(offset, value, true);
        else out.setUint8(offset, value);
      });
      if (!reader.isMark(',')) return;
      reader.take();
    }
  }

  private text(reader: LineReader, usage: string): void {
    if (reader.next.kind !== 'string')
      reader.fail(`here is ${reader.next.text} and not a text`, `write ${usage}`);
    const bytes = new TextEncoder().encode(reader.take().text);
    this.place(reader, bytes.length, (out, offset) =>
      new Uint8Array(out.buffer).set(bytes, offset),
    );
  }

  private room(reader: LineReader, usage: string, align: boolean): void {
    const expression = reader.expression(usage);
    const low = align ? 1 : 0;
    const value = reader.valueOf(expression, this.symbols, low, LIMIT_BYTES, ABOVE);
    const bytes = align ? (value - (this.address % value)) % value : value;
    this.place(reader, bytes, () => {});
  }

  private instruction(reader: LineReader): void {
    const token = reader.next;
    const name = token.text.toLowerCase();
    const instruction = BY_NAME.get(name);
    const shorthand = Object.hasOwn(PORT_SHORTHANDS, name) ? PORT_SHORTHANDS[name] : undefined;
    if (instruction === undefined && shorthand === undefined) {
      const known = [...BY_NAME.keys(), ...Object.keys(PORT_SHORTHANDS)].join(' ');
      reader.fail(`${token.text} is no instruction`, `known are ${known}`);
    }
    this.requireAligned(reader, 'an instruction');
    reader.take();
    const usage = instruction === undefined ? (shorthand?.[0] ?? '') : portUsage(instruction);
    const words =
      instruction === undefined
        ? this.expand(reader, name, usage)
        : [this.encode(reader, instruction, usage)];
    reader.end(usage);
    for (const encode of words)
      this.place(reader, 4, (out, offset) => out.setUint32(offset, encode(), true));
  }

  /** Register a of an instruction that changes it. */
  private written(reader: LineReader, usage: string): number {
    const token = reader.next;
    const register = reader.register(usage);
    if (register === 0)
      reader.fail('r0 is always 0', 'let another register have the result', token);
    return register;
  }

  private encode(reader: LineReader, instruction: PortInstruction, usage: string): Encode {
    const { opcode, operands, writes } = instruction;
    const fields = { a: 0, b: 0 };
    let rest: Encode = () => 0;
    operands.forEach((operand, index) => {
      if (index > 0) reader.mark(',', usage);
      if (operand === 'a') fields.a = writes ? this.written(reader, usage) : reader.register(usage);
      else if (operand === 'b') fields.b = reader.register(usage);
      else if (operand === 'c') rest = constantly(reader.register(usage));
      else if (operand === 'memory' || operand === 'place') {
        reader.mark('[', usage);
        fields.b = reader.register(usage);
        const offset = operand === 'memory' && (reader.isMark('+') || reader.isMark('-'));
        if (offset) rest = this.immediate(reader, 'signed', usage);
        reader.mark(']', usage);
      } else rest = this.immediate(reader, operand, usage);
    });
    return () => word(opcode, fields.a, fields.b, rest());
  }

  /** The value of 16 bits that an operand comes to. */
  private immediate(reader: LineReader, operand: PortOperand, usage: string): Encode {
    const expression = reader.expression(usage);
    if (operand === 'target') return this.target(reader, expression);
    const [low, high] =
      operand === 'signed' ? [-0x8000, 0x7fff] : operand === 'shift' ? [0, 31] : [0, 0xffff];
    return () => reader.valueOf(expression, this.symbols, low, high);
  }

  private target(reader: LineReader, expression: Expression): Encode {
    const { address } = this;
    return () => {
      const target = reader.valueOf(expression, this.symbols, 0, HIGHEST);
      const words = (target - address) / 4;
      const place = { ...reader.next, column: expression.column };
      if (!Number.isInteger(words))
        reader.fail(`no instruction is at address ${target}`, 'go to a multiple of 4', place);
      if (words < -0x8000 || words > 0x7fff)
        reader.fail(
          `the target is ${words} words away, and a jump goes 32,767`,
          'load its address with li, and use jalr',
          place,
        );
      return words;
    };
  }

  private expand(reader: LineReader, name: string, usage: string): Encode[] {
    switch (name) {
      case 'nop':
        return [constantly(word(PORT_OP.Add, 0, 0, 0))];
      case 'ret':
        return [constantly(word(PORT_OP.JalR, 15, 15, 0))];
      case 'mov': {
        const a = this.written(reader, usage);
        reader.mark(',', usage);
        return [constantly(word(PORT_OP.AddI, a, reader.register(usage), 0))];
      }
      case 'li':
        return this.loadValue(reader, usage);
      default: {
        const target = this.target(reader, reader.expression(usage));
        const [opcode, a] = name === 'call' ? [PORT_OP.Jal, 15] : [PORT_OP.Beq, 0];
        return [() => word(opcode, a, 0, target())];
      }
    }
  }

  private loadValue(reader: LineReader, usage: string): Encode[] {
    const a = this.written(reader, usage);
    reader.mark(',', usage);
    const expression = reader.expression(usage);
    const value = () => reader.valueOf(expression, this.symbols, LOWEST, HIGHEST);
    if (reader.isKnown(expression, this.symbols)) {
      const known = value();
      if (known >= -0x8000 && known <= 0x7fff) return [constantly(word(PORT_OP.AddI, a, 0, known))];
    }
    return [
      () => word(PORT_OP.LuI, a, 0, value() >>> 16),
      () => word(PORT_OP.OrI, a, a, value() & 0xffff),
    ];
  }
}

function constantly(value: number): Encode {
  return () => value;
}

/**
 * Makes a guest of the reference port from text: labels, instructions, constants (`name = value`),
 * `.word`, `.byte`, `.ascii`, `.space`, `.align`, and comments behind `;`.
 *
 * @throws AssemblyError with file, line and column for what is none of these.
 */
export function assemblePort(source: string, options: AssembleOptions = {}): PortImage {
  const origin = options.origin ?? 0;
  if (!Number.isInteger(origin) || origin < 0 || origin > HIGHEST || origin % 4 !== 0)
    throw new MachineError(
      `assemblePort: origin is ${origin}; give a multiple of 4 from 0 to 4294967292`,
    );
  return new Assembler(options.name ?? 'guest', origin).assemble(source);
}

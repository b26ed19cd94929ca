import { PORT_INSTRUCTIONS, type PortInstruction } from './instructions';
import type { PortImage } from './assemble';

const BY_OPCODE: ReadonlyMap<number, PortInstruction> = new Map(
  PORT_INSTRUCTIONS.map((instruction) => [instruction.opcode, instruction]),
);

interface Decoded {
  readonly instruction: PortInstruction;
  readonly a: number;
  readonly b: number;
  /** The upper 16 bits, and with their sign. */
  readonly bits: number;
  readonly signed: number;
}

/** What a word says; undefined if the assembler would not have written it. */
function decode(word: number): Decoded | undefined {
  const instruction = BY_OPCODE.get(word & 0xff);
  if (instruction === undefined) return undefined;
  const { operands, writes } = instruction;
  const a = (word >>> 8) & 15;
  const b = (word >>> 12) & 15;
  const bits = word >>> 16;
  const has = (...kinds: readonly string[]) => operands.some((operand) => kinds.includes(operand));
  const nothing = instruction.name === 'add' && word >>> 8 === 0;
  const fits =
    (has('b', 'memory', 'place') || b === 0) &&
    (has('c', 'signed', 'bits', 'shift', 'memory', 'target') || bits === 0) &&
    (!has('c') || bits < 16) &&
    (!has('shift') || bits < 32) &&
    (!writes || a !== 0 || nothing);
  return fits ? { instruction, a, b, bits, signed: (word | 0) >> 16 } : undefined;
}

function targetOf(address: number, word: number): number | undefined {
  const decoded = decode(word);
  if (decoded === undefined || !decoded.instruction.operands.includes('target')) return undefined;
  return address + decoded.signed * 4;
}

function textOf(decoded: Decoded, target: string): string {
  const { instruction, a, b, bits, signed } = decoded;
  if (instruction.name === 'add' && a === 0) return 'nop';
  const sign = signed < 0 ? '-' : '+';
  const offset = signed === 0 ? '' : ` ${sign} ${Math.abs(signed)}`;
  const texts = {
    a: `r${a}`,
    b: `r${b}`,
    c: `r${bits}`,
    signed: `${signed}`,
    bits: `${bits}`,
    shift: `${bits}`,
    memory: `[r${b}${offset}]`,
    place: `[r${b}]`,
    target,
  };
  return `${instruction.name} ${instruction.operands.map((operand) => texts[operand]).join(', ')}`;
}

/**
 * A guest of the reference port as text that `assemblePort` makes the same bytes of: a line a word, with
 * its address in a comment. What is no instruction is a `.word`.
 */
export function disassemblePort({ bytes, origin }: Pick<PortImage, 'bytes' | 'origin'>): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = Array.from({ length: bytes.length >>> 2 }, (_, n) => view.getUint32(n * 4, true));
  const inside = (target: number) => target >= origin && target < origin + words.length * 4;
  const targets = words
    .map((word, index) => targetOf(origin + index * 4, word))
    .filter((target) => target !== undefined && inside(target));
  const sorted = [...new Set(targets)].sort((x, y) => (x as number) - (y as number));
  const labels = new Map(sorted.map((target, index) => [target, `L${index}`]));
  const lines = words.map((word, index) => {
    const address = origin + index * 4;
    const target = targetOf(address, word);
    const decoded =
      target !== undefined && (target < 0 || target > 0xffffffff) ? undefined : decode(word);
    const text =
      decoded === undefined
        ? `.word 0x${hex(word)}`
        : textOf(decoded, labels.get(target) ?? `${target}`);
    const label = labels.get(address);
    return `${(label === undefined ? '' : `${label}:`).padEnd(6)} ${text.padEnd(28)} ; ${hex(address)}\n`;
  });
  return lines.join('');
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

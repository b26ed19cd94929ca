import {
  APC_REGION,
  OPERAND,
  QUEUE,
  SIGNAL,
  TIMEOUT,
  WAIT_FIELD,
} from '../../assembly/shared/opcode';
import { MachineError } from './errors';
import {
  INSTRUCTIONS,
  type InstructionShape,
  instructionLength,
  type OperandKind,
  WIDTH,
} from './instruction';
import type { Program } from './program';
import { CONDITION_NAMES, WAIT_REASON_NAMES } from './words';

/**
 * A program in words, a line an instruction: its word offset, a label if something jumps to it, its
 * name, its fields and operands. Registers are r0 to r3, handles `#table:index`, times in ns.
 *
 * @throws MachineError for words that are no program: the place and what is there.
 */
export function disassemble(program: Program): string {
  const lines: string[] = [];
  const labels = labelsOf(program);
  const digits = String(program.words.length).length;
  for (const { offset, shape, word } of instructionsOf(program)) {
    const label = labels.get(offset);
    const operands = [
      ...fieldsOf(shape, word),
      ...operandsOf(program, shape, offset).map(([kind, value]) =>
        operandText(kind, value, word, labels),
      ),
    ];
    lines.push(
      `${String(offset).padStart(digits)}  ${(label === undefined ? '' : `${label}:`).padEnd(5)} ${`${shape.name} ${operands.join(', ')}`.trimEnd()}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

interface Instruction {
  readonly offset: number;
  readonly shape: InstructionShape;
  readonly word: number;
}

function* instructionsOf({ name, words }: Program): Generator<Instruction> {
  for (let offset = 0; offset < words.length; ) {
    const word = words[offset] as number;
    const shape = INSTRUCTIONS.get(word & 0xff);
    if (shape === undefined) {
      throw new MachineError(
        `disassemble: program '${name}', word ${offset}: 0x${(word & 0xff).toString(16).padStart(2, '0')} is no opcode`,
      );
    }
    const length = instructionLength(shape, words[offset + 1]);
    if (offset + length > words.length) {
      throw new MachineError(
        `disassemble: program '${name}', word ${offset}: '${shape.name}' takes ${length} words, ${words.length - offset} are left`,
      );
    }
    yield { offset, shape, word };
    offset += length;
  }
}

/** The operands of an instruction with their values; pairs of words as bigints. */
function operandsOf(
  { words }: Program,
  shape: InstructionShape,
  offset: number,
): [OperandKind, bigint][] {
  const operands: [OperandKind, bigint][] = [];
  let at = offset + 1;
  for (const kind of shape.operands) {
    const count = kind === 'objects' ? (words[offset + 1] as number) : 1;
    for (let index = 0; index < count; index++) {
      const low = BigInt(words[at] as number);
      const high = WIDTH[kind] === 2 ? BigInt(words[at + 1] as number) : 0n;
      operands.push([kind, (high << 32n) | low]);
      at += WIDTH[kind];
    }
  }
  return operands;
}

/** Names of the places that are jumped to, in their order. */
function labelsOf(program: Program): ReadonlyMap<number, string> {
  const targets = new Set<number>();
  for (const { offset, shape } of instructionsOf(program)) {
    for (const [kind, value] of operandsOf(program, shape, offset)) {
      if (kind === 'target') targets.add(Number(value));
    }
  }
  const sorted = [...targets].sort((a, b) => a - b);
  return new Map(sorted.map((target, index) => [target, `L${index}`]));
}

/** What the a and b fields of the first word say. */
function fieldsOf(shape: InstructionShape, word: number): string[] {
  const a = (word >>> 8) & 0xff;
  const b = word >>> 16;
  const fields: string[] = [];
  if (shape.a === 'register') fields.push(`r${a}`);
  if (shape.a === 'condition') {
    fields.push((CONDITION_NAMES as Record<number, string>)[a] ?? `condition ${a}`);
  }
  if (shape.a === 'mode') fields.push(a === 0 ? 'kernel' : 'user');
  if (shape.a === 'waitType') fields.push(a === 0 ? 'all' : 'any');
  if (shape.b === 'register') fields.push(`r${b}`);
  if (shape.b === 'increment') fields.push(`+${b}`);
  if (shape.b === 'signal') {
    fields.push(`+${b & SIGNAL.Increment}`, ...((b & SIGNAL.Wait) !== 0 ? ['wait'] : []));
  }
  if (shape.b === 'priority' || shape.b === 'number') fields.push(`${b}`);
  if (shape.b === 'spin') {
    const names = ['shared', 'at dispatch level', 'try', 'queued'];
    fields.push(...names.filter((_, bit) => (b & (1 << bit)) !== 0), `IRQL ${b >>> 8}`);
  }
  if (shape.b === 'entry' && (b & QUEUE.Head) !== 0) fields.push('head');
  if (shape.b === 'remove') fields.push(`r${b & WAIT_FIELD.Reason}`, ...modesOf(b));
  if (shape.b === 'modes' && b !== 0) fields.push(...modesOf(b));
  if (shape.b === 'mode') fields.push(b === 0 ? 'kernel' : 'user');
  if (shape.b === 'irql') fields.push(`${b}`);
  if (shape.b === 'region') fields.push(b === APC_REGION.Critical ? 'critical' : 'guarded');
  if (shape.b === 'period') fields.push(b === 0 ? 'keep' : 'restart');
  if (shape.b === 'reason') {
    const reason = (WAIT_REASON_NAMES as Record<number, string>)[b & WAIT_FIELD.Reason];
    fields.push(reason ?? `reason ${b & WAIT_FIELD.Reason}`, ...modesOf(b));
  }
  return fields;
}

/** How a wait waits, in words. */
function modesOf(b: number): string[] {
  const mode = (b & WAIT_FIELD.UserMode) === 0 ? 'kernel' : 'user';
  return (b & WAIT_FIELD.Alertable) === 0 ? [mode] : [mode, 'alertable'];
}

const FOR_EVER = 0xffffffffffffffffn;

function timeoutText(value: bigint): string {
  if (value === FOR_EVER) return 'for ever';
  const systemTime = BigInt.asUintN(TIMEOUT.AbsoluteBit, value);
  return value === systemTime ? `${value} ns` : `until ${systemTime}`;
}

function operandText(
  kind: OperandKind,
  value: bigint,
  word: number,
  labels: ReadonlyMap<number, string>,
): string {
  switch (kind) {
    case 'ns':
      return `${value} ns`;
    case 'handle':
      return value === 0n ? 'none' : `#${value >> 50n}:${value & 0xffffffn}`;
    case 'timeout':
      return timeoutText(value);
    case 'object':
    case 'objects': {
      const register = kind === 'object' && ((word >>> 8) & 0xff) === OPERAND.Register;
      return register ? `r${value}` : `#${value >> 50n}:${value & 0xffffffn}`;
    }
    case 'target':
      return labels.get(Number(value)) ?? `${value}`;
    case 'status':
    case 'program':
    case 'mask':
      return `0x${value.toString(16)}`;
    case 'signed':
      return `${BigInt.asIntN(32, value)}`;
    case 'entry':
      if (((word >>> 16) & QUEUE.Register) !== 0) return `r${value}`;
      return `${BigInt.asIntN(64, value)}`;
    case 'value64':
      return `${BigInt.asIntN(64, value)}`;
    case 'shared':
    case 'shared64':
      return `[${value}]`;
    default:
      return `${value}`;
  }
}

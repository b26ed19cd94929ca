import {
  PORT_INSTRUCTIONS,
  PORT_SHORTHANDS,
  type PortInstruction,
} from '../../src/port/instructions';

function row(instruction: PortInstruction, usage: string): string {
  const { opcode, ns, effect } = instruction;
  const code = opcode.toString(16).padStart(2, '0');
  return `| 0x${code} | \`${usage}\` | ${ns} | ${effect} |`;
}

/** The instruction set as tables of Markdown. */
export function referenceTables(usageOf: (instruction: PortInstruction) => string): string {
  return [
    '| opcode | instruction | ns | effect |',
    '|---|---|---|---|',
    ...PORT_INSTRUCTIONS.map((instruction) => row(instruction, usageOf(instruction))),
    '',
    '| shorthand | is |',
    '|---|---|',
    ...Object.values(PORT_SHORTHANDS).map(([usage, meaning]) => `| \`${usage}\` | ${meaning} |`),
  ].join('\n');
}

import { describeRecord } from './record-text';
import type { RunResult } from './result';

/** A bugcheck as a debugger's !analyze would tell of it. */

const hex = (value: bigint | number, digits: number) =>
  BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, '0');

/** The line of a label. */
const row = (label: string, text: string) => `${`${label}:`.padEnd(16)}${text}`;

/**
 * The text of a bugcheck: its name, what it means and what to do, its four parameters, where it was,
 * what threw, the routines that were being executed, and the last trace records.
 */
export function analyzeBugCheck(
  result: Extract<RunResult, { readonly reason: 'bugcheck' }>,
): string {
  const { name, code, explanation, parameters, processor, thread, cause, stack, now } = result;
  const lines = [
    `${name} (${code.toString(16)})`,
    explanation,
    'Arguments:',
    ...parameters.map((parameter, index) => `Arg${index + 1}: ${hex(parameter, 16)}`),
    '',
    row('BUGCHECK_CODE', code.toString(16)),
    row('TIME_NS', String(now)),
    row('PROCESSOR', String(processor)),
    row('THREAD', thread ?? 'idle'),
  ];
  const driver = stack.find((routine) => routine.includes('!'))?.split('!')[0];
  if (driver !== undefined) lines.push(row('MODULE_NAME', driver));
  if (cause instanceof Error) lines.push(row('CAUSE', `${cause.name}: ${cause.message}`));
  else if (cause !== undefined) lines.push(row('CAUSE', String(cause)));
  if (stack.length > 0) lines.push('', 'STACK_TEXT:', ...stack.map((routine) => `  ${routine}`));
  if (result.lastRecords.length > 0)
    lines.push(
      '',
      'LAST_RECORDS:',
      ...result.lastRecords.map((each) => `  ${describeRecord(each)}`),
    );
  return lines.join('\n');
}

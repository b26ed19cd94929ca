import { PORT_STATE } from '../../assembly/shared/port';
import { failAt, type Line, type Token, tokensOf } from './lexer';

/** Labels and constants by name. */
export type Symbols = ReadonlyMap<string, number>;

/** Numbers and names that are added up. */
export interface Expression {
  readonly terms: readonly { readonly sign: 1 | -1; readonly token: Token }[];
  readonly column: number;
}

const REGISTERS: ReadonlyMap<string, number> = new Map([
  ...Array.from({ length: PORT_STATE.RegisterCount }, (_, n): [string, number] => [`r${n}`, n]),
  ['sp', 14],
  ['lr', 15],
]);

export function isRegister(name: string): boolean {
  return REGISTERS.has(name.toLowerCase());
}

/** The tokens of a line, one after the other. */
export class LineReader {
  private readonly tokens: readonly Token[];
  private index = 0;

  constructor(
    text: string,
    readonly line: Line,
  ) {
    this.tokens = tokensOf(text, line);
  }

  get next(): Token {
    return this.tokens[this.index] as Token;
  }

  get afterNext(): Token {
    return this.tokens[Math.min(this.index + 1, this.tokens.length - 1)] as Token;
  }

  get atEnd(): boolean {
    return this.next.kind === 'end';
  }

  fail(problem: string, remedy: string, { column } = this.next): never {
    return failAt(this.line, column, problem, remedy);
  }

  take(): Token {
    const token = this.next;
    if (token.kind !== 'end') this.index++;
    return token;
  }

  isMark(text: string): boolean {
    return this.next.kind === 'mark' && this.next.text === text;
  }

  mark(text: string, usage: string): void {
    if (!this.isMark(text))
      this.fail(`here is ${this.next.text} and not '${text}'`, `write ${usage}`);
    this.take();
  }

  end(usage: string): void {
    if (!this.atEnd) this.fail(`'${this.next.text}' is too much`, `write ${usage}`);
  }

  register(usage: string): number {
    const { kind, text } = this.next;
    const number = kind === 'name' ? REGISTERS.get(text.toLowerCase()) : undefined;
    if (number === undefined) {
      return this.fail(
        `here is ${text} and not a register`,
        `write ${usage}, with registers r0 to r15, sp (r14) or lr (r15)`,
      );
    }
    this.take();
    return number;
  }

  expression(usage: string): Expression {
    const { column } = this.next;
    const terms: Expression['terms'][number][] = [];
    do {
      let sign: 1 | -1 = 1;
      if (this.isMark('-')) sign = -1;
      if (this.isMark('-') || this.isMark('+')) this.take();
      const { kind, text } = this.next;
      const isValue = kind === 'number' || (kind === 'name' && !isRegister(text));
      if (!isValue) this.fail(`here is ${text} and not a value`, `write ${usage}`);
      terms.push({ sign, token: this.take() });
    } while (this.isMark('+') || this.isMark('-'));
    return { terms, column };
  }

  /** The value of an expression, from `low` to `high`. */
  valueOf(
    { terms, column }: Expression,
    symbols: Symbols,
    low: number,
    high: number,
    missing = 'define it: a label is name: and a constant name = value',
  ): number {
    let sum = 0;
    for (const { sign, token } of terms) {
      const value = token.kind === 'number' ? token.value : symbols.get(token.text);
      if (value === undefined) {
        const last = token.text;
        return failAt(this.line, token.column, `${last} is not defined`, missing);
      }
      sum += sign * value;
    }
    if (sum < low || sum > high)
      failAt(this.line, column, `${sum} does not fit here`, `give a value from ${low} to ${high}`);
    return sum;
  }

  /** Whether all that an expression names is known. */
  isKnown({ terms }: Expression, symbols: Symbols): boolean {
    return terms.every(({ token }) => token.kind === 'number' || symbols.has(token.text));
  }
}

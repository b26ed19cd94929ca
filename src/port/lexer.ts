import { InputError } from '../machine/errors';

/** Something wrong in the source of a guest of the reference port. */
export class AssemblyError extends InputError {
  override readonly name = 'AssemblyError';
}

export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'mark' | 'end';
  /** As it is written; of a string, its characters. */
  readonly text: string;
  /** Of a number. */
  readonly value: number;
  /** From 1. */
  readonly column: number;
}

const PATTERN =
  /\s+|(?<name>[A-Za-z_.][\w.]*)|(?<number>0[xX][\da-fA-F_]+|0[bB][01_]+|\d[\d_]*)|'(?<character>\\x[\da-fA-F]{2}|\\.|[^\\'])'|"(?<string>(?:\\.|[^\\"])*)"|(?<mark>[,:[\]+=-])|(?<comment>;.*)/uy;

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  0: '\0',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** Where a line is, for errors. */
export interface Line {
  readonly file: string;
  /** From 1. */
  readonly number: number;
}

export function failAt(line: Line, column: number, problem: string, remedy: string): never {
  throw new AssemblyError(line.file, line.number, column, problem, remedy);
}

function unescaped(text: string, line: Line, column: number): string {
  return text.replaceAll(/\\(x[\da-fA-F]{2}|.)/gu, (whole, code: string) => {
    if (code.length === 3) return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
    const known = ESCAPES[code];
    if (known !== undefined) return known;
    const all = Object.keys(ESCAPES).map((each) => `\\${each}`);
    return failAt(line, column, `${whole} is no escape`, `known are ${all.join(' ')} and \\x00`);
  });
}

function numberOf(text: string): number {
  return Number(text.replaceAll('_', ''));
}

/** The tokens of one line; the last is its end. */
export function tokensOf(text: string, line: Line): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    PATTERN.lastIndex = at;
    const match = PATTERN.exec(text);
    const column = at + 1;
    if (match === null) {
      const shown = String.fromCodePoint(text.codePointAt(at) as number);
      const quote = shown === '"' || shown === "'";
      failAt(
        line,
        column,
        quote ? `the ${shown} is not closed` : `'${shown}' is nothing known here`,
        quote ? `close it on the same line` : 'a comment begins with ;',
      );
    }
    at = PATTERN.lastIndex;
    const { name, number, character, string, mark } = match.groups ?? {};
    if (name !== undefined) tokens.push({ kind: 'name', text: name, value: 0, column });
    if (mark !== undefined) tokens.push({ kind: 'mark', text: mark, value: 0, column });
    if (number !== undefined) {
      const value = numberOf(number);
      if (!Number.isSafeInteger(value))
        failAt(line, column, `${number} is no number`, 'write 10, 0x0a or 0b1010');
      tokens.push({ kind: 'number', text: number, value, column });
    }
    if (character !== undefined) {
      const value = unescaped(character, line, column).codePointAt(0) as number;
      tokens.push({ kind: 'number', text: `'${character}'`, value, column });
    }
    if (string !== undefined) {
      const characters = unescaped(string, line, column);
      tokens.push({ kind: 'string', text: characters, value: 0, column });
    }
  }
  tokens.push({ kind: 'end', text: 'the end of the line', value: 0, column: text.length + 1 });
  return tokens;
}

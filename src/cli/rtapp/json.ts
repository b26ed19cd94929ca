import {
  createScanner,
  type Node,
  type ParseError,
  ParseErrorCode,
  parseTree,
  SyntaxKind,
} from 'jsonc-parser';
import { type Place, WorkloadError } from '../../index';
import { eventOfKey, WITHOUT_VALUE } from './schema';

/** JSON as people write workloads: comments, commas at the end, a key twice, "suspend" without a value. */

const MAX_DEPTH = 64;
/** Objects around an event: the workload, tasks and a task, and perhaps phases and a phase. */
const EVENT_DEPTHS: readonly number[] = [3, 5];
const MAX_CHARACTERS = 16 * 1024 * 1024;

const PROBLEMS: Readonly<Record<ParseErrorCode, string>> = {
  [ParseErrorCode.InvalidSymbol]: 'this is no JSON',
  [ParseErrorCode.InvalidNumberFormat]: 'this is no number',
  [ParseErrorCode.PropertyNameExpected]: 'a key in double quotes is missing',
  [ParseErrorCode.ValueExpected]: 'a value is missing',
  [ParseErrorCode.ColonExpected]: 'a colon and a value are missing',
  [ParseErrorCode.CommaExpected]: 'a comma is missing',
  [ParseErrorCode.CloseBraceExpected]: 'the "}" of an object is missing',
  [ParseErrorCode.CloseBracketExpected]: 'the "]" of an array is missing',
  [ParseErrorCode.EndOfFileExpected]: 'something follows the end of the workload',
  [ParseErrorCode.InvalidCommentToken]: 'this is no comment',
  [ParseErrorCode.UnexpectedEndOfComment]: 'the end "*/" of a comment is missing',
  [ParseErrorCode.UnexpectedEndOfString]: 'the closing quote of a text is missing',
  [ParseErrorCode.UnexpectedEndOfNumber]: 'a number breaks off',
  [ParseErrorCode.InvalidUnicode]: 'this \\u is no character',
  [ParseErrorCode.InvalidEscapeCharacter]: 'this escape is none of JSON',
  [ParseErrorCode.InvalidCharacter]: 'a character that a text must not hold',
};

/** A key of an object with its value; undefined where none is written. */
export interface Member {
  readonly key: string;
  readonly keyNode: Node;
  readonly value: Node | undefined;
}

export function membersOf(node: Node): Member[] {
  if (node.type !== 'object') return [];
  return (node.children ?? []).map((property) => {
    const [keyNode, value] = property.children as [Node, Node | undefined];
    return { key: String(keyNode.value), keyNode, value };
  });
}

/** Where the keys end of events that may stand without a value, and do; in order. */
function* endsWithoutValue(object: Node, depth: number): Generator<number> {
  for (const { key, keyNode, value } of membersOf(object)) {
    if (value?.type === 'object') yield* endsWithoutValue(value, depth + 1);
    if (value !== undefined || !EVENT_DEPTHS.includes(depth)) continue;
    if (WITHOUT_VALUE.includes(eventOfKey(key) ?? '')) yield keyNode.offset + keyNode.length;
  }
}

/** The first error but for a missing colon behind an event that may stand without a value. */
function firstUnexcused(
  errors: readonly ParseError[],
  ends: readonly number[],
): ParseError | undefined {
  let next = 0;
  return errors.find(({ error, offset }) => {
    const excused = error === ParseErrorCode.ColonExpected && offset >= (ends[next] as number);
    if (excused) next++;
    return !excused;
  });
}

/** A file's text, its JSON, and where what stands in it. */
export class JsonFile {
  readonly root: Node;
  readonly #text: string;
  readonly #lineStarts: number[] = [0];

  /** @throws WorkloadError if it is no JSON of an object. */
  constructor(
    text: string,
    readonly name: string,
  ) {
    // A byte order mark.
    this.#text = text.charCodeAt(0) === 0xfeff ? ` ${text.slice(1)}` : text;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
      this.#lineStarts.push(at + 1);
    }
    if (text.length > MAX_CHARACTERS) {
      this.fail(0, `the file has ${text.length} characters`, `at most ${MAX_CHARACTERS} are read`);
    }
    this.#checkDepth();
    this.root = this.#parse();
  }

  placeOf(offset: number): Place {
    let low = 0;
    let high = this.#lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#lineStarts[middle] as number) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (this.#lineStarts[low] as number) + 1 };
  }

  fail(offset: number, problem: string, remedy: string): never {
    const { line, column } = this.placeOf(offset);
    throw new WorkloadError(this.name, line, column, problem, remedy);
  }

  /** What is written there, on one line and cut short. */
  textOf({ offset, length }: { readonly offset: number; readonly length: number }): string {
    const written = this.#text.slice(offset, offset + Math.min(length, 200)).replace(/\s+/g, ' ');
    return written.length > 40 ? `${written.slice(0, 37)}...` : written;
  }

  /** The parser recurses: it must not be given what would exhaust the stack. */
  #checkDepth(): void {
    const scanner = createScanner(this.#text, true);
    let depth = 0;
    for (let kind = scanner.scan(); kind !== SyntaxKind.EOF; kind = scanner.scan()) {
      if (kind === SyntaxKind.OpenBraceToken || kind === SyntaxKind.OpenBracketToken) depth++;
      else if (kind === SyntaxKind.CloseBraceToken || kind === SyntaxKind.CloseBracketToken) {
        depth--;
      }
      if (depth <= MAX_DEPTH) continue;
      this.fail(
        scanner.getTokenOffset(),
        `more than ${MAX_DEPTH} objects and arrays within each other`,
        'a workload has five at most: tasks, a task, phases, a phase, an event',
      );
    }
  }

  #parse(): Node {
    const errors: ParseError[] = [];
    const root = parseTree(this.#text, errors, { allowTrailingComma: true });
    if (root === undefined && createScanner(this.#text, true).scan() === SyntaxKind.EOF) {
      this.fail(0, 'the file is empty', 'give an object with "tasks", as in { "tasks": { } }');
    }
    const ends = root === undefined ? [] : [...endsWithoutValue(root, 1)];
    const first = firstUnexcused(errors, ends);
    if (first !== undefined) {
      const shown = first.length > 0 ? ` at ${JSON.stringify(this.textOf(first))}` : '';
      const problem = `${PROBLEMS[first.error]}${shown}`;
      this.fail(first.offset, problem, 'correct the JSON; comments and commas at the end may stay');
    }
    return root as Node;
  }
}

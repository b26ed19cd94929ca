/** Where a text is no JSON: what hosts say of it differs, and some do not say where. */

const SPACE = /[ \t\r\n]*/y;
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Reads a text as far as it is JSON. The caller bounds its depth. */
class Scanner {
  at = 0;

  constructor(private readonly text: string) {}

  /** Whether a value stands here; `at` is behind it, or where it goes wrong. */
  value(): boolean {
    this.#skip(SPACE);
    const first = this.text[this.at];
    if (first === '{') return this.#members('}');
    if (first === '[') return this.#members(']');
    return first === '"' ? this.#quoted() : this.#skip(SCALAR);
  }

  #members(end: '}' | ']'): boolean {
    this.at++;
    this.#skip(SPACE);
    if (this.text[this.at] === end) {
      this.at++;
      return true;
    }
    for (;;) {
      if (end === '}' && !this.#key()) return false;
      if (!this.value()) return false;
      this.#skip(SPACE);
      const next = this.text[this.at];
      if (next !== ',' && next !== end) return false;
      this.at++;
      if (next === end) return true;
    }
  }

  #key(): boolean {
    this.#skip(SPACE);
    if (this.text[this.at] !== '"' || !this.#quoted()) return false;
    this.#skip(SPACE);
    if (this.text[this.at] !== ':') return false;
    this.at++;
    return true;
  }

  #quoted(): boolean {
    this.at++;
    for (;;) {
      const character = this.text[this.at];
      if (character === undefined || character < ' ') return false;
      if (character === '\\') {
        if (!this.#skip(ESCAPE)) return false;
        continue;
      }
      this.at++;
      if (character === '"') return true;
    }
  }

  #skip(token: RegExp): boolean {
    token.lastIndex = this.at;
    if (!token.test(this.text)) return false;
    this.at = token.lastIndex;
    return true;
  }
}

/** The place of the first character that makes `text` no JSON value; its length if the end does. */
export function jsonErrorAt(text: string): number {
  const scanner = new Scanner(text);
  scanner.value();
  return scanner.at;
}

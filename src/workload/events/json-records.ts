/**
 * Cuts bytes into JSON objects: one a line, in an array, or one behind the other. An object is held
 * until it is whole; nothing else is.
 */

/** A longer object is an error: so memory is bounded whatever the input. */
export const OBJECT_BYTES_MAX = 1 << 20;
const DEPTH_MAX = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const COMMA = 0x2c;
const [BRACE, BRACE_END, BRACKET, BRACKET_END] = [0x7b, 0x7d, 0x5b, 0x5d];

export interface RecordSink {
  /** One object, from `{` to `}`; line and column (in bytes) of the `{`, from 1. */
  record(bytes: Uint8Array, line: number, column: number): void;
  /** What stands there is none; throws. */
  fail(line: number, column: number, problem: string, remedy: string): never;
}

export class JsonRecords {
  #line = 1;
  /** Bytes in front of the chunk's first of the line it begins in. */
  #lineBytes = 0;
  #depth = 0;
  #inText = false;
  #escaped = false;
  /** What an object has in chunks before this one. */
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #startLine = 0;
  #startColumn = 0;
  /** 'ended': the array is. */
  #array: 'none' | 'open' | 'ended' = 'none';
  #commaFirst = false;
  #records = 0;

  constructor(private readonly sink: RecordSink) {}

  /** Whether an object or the array is not at its end. */
  get unfinished(): boolean {
    return this.#depth > 0 || this.#array === 'open';
  }

  /** Where an unfinished object begins, or where the next would. */
  get place(): { readonly line: number; readonly column: number } {
    return this.#depth > 0
      ? { line: this.#startLine, column: this.#startColumn }
      : { line: this.#line, column: this.#lineBytes + 1 };
  }

  push(chunk: Uint8Array): void {
    let lineStart = -this.#lineBytes;
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (byte === NEWLINE) {
        if (this.#inText) this.#failInText(at - lineStart + 1);
        this.#line++;
        lineStart = at + 1;
        continue;
      }
      if (this.#depth === 0) {
        if (!this.#between(byte, at - lineStart + 1)) continue;
        from = at;
      } else if (this.#within(byte)) {
        this.#finish(chunk, from, at + 1);
      }
    }
    if (this.#depth > 0) this.#keep(chunk, from);
    this.#lineBytes = chunk.length - lineStart;
  }

  /** A byte outside of objects; true if one begins with it. */
  #between(byte: number, column: number): boolean {
    if (byte <= 0x20) return false;
    const { sink } = this;
    if (this.#array === 'ended') {
      sink.fail(this.#line, column, 'something follows the end of the array', 'remove it');
    }
    if (byte === BRACE) {
      this.#commaFirst = this.#array === 'open';
      this.#depth = 1;
      this.#startLine = this.#line;
      this.#startColumn = column;
      return true;
    }
    if (byte === BRACKET && this.#array === 'none' && this.#records === 0) this.#array = 'open';
    else if (byte === BRACKET_END && this.#array === 'open') this.#array = 'ended';
    else if (byte === COMMA && this.#commaFirst) this.#commaFirst = false;
    else {
      const found = byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16)}`;
      const remedy = 'give JSON objects, one a line or in one array';
      sink.fail(this.#line, column, `${found} stands where a record should begin`, remedy);
    }
    return false;
  }

  /** A byte inside an object; true if it ends there. */
  #within(byte: number): boolean {
    if (this.#inText) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inText = false;
      return false;
    }
    if (byte === QUOTE) this.#inText = true;
    else if (byte === BRACE || byte === BRACKET) {
      this.#depth++;
      if (this.#depth > DEPTH_MAX) this.#failObject(`is more than ${DEPTH_MAX} deep`);
    } else if (byte === BRACE_END || byte === BRACKET_END) this.#depth--;
    return this.#depth === 0;
  }

  #finish(chunk: Uint8Array, from: number, end: number): void {
    const last = chunk.subarray(from, end);
    let bytes = last;
    if (this.#pieces.length > 0) {
      this.#keep(chunk.subarray(0, end), from);
      bytes = new Uint8Array(this.#pieceBytes);
      let at = 0;
      for (const piece of this.#pieces) {
        bytes.set(piece, at);
        at += piece.length;
      }
      this.#pieces = [];
      this.#pieceBytes = 0;
    } else if (bytes.length > OBJECT_BYTES_MAX) this.#failLong();
    this.#records++;
    this.sink.record(bytes, this.#startLine, this.#startColumn);
  }

  #keep(chunk: Uint8Array, from: number): void {
    // The caller may use the chunk's memory again.
    this.#pieces.push(chunk.slice(from));
    this.#pieceBytes += chunk.length - from;
    if (this.#pieceBytes > OBJECT_BYTES_MAX) this.#failLong();
  }

  #failLong(): never {
    return this.#failObject(`has more than ${OBJECT_BYTES_MAX} bytes`);
  }

  #failObject(problem: string): never {
    const remedy = 'no event is like that; export the events again';
    return this.sink.fail(this.#startLine, this.#startColumn, `this record ${problem}`, remedy);
  }

  #failInText(column: number): never {
    const remedy = 'close it with a quote; a line end in a text is written \\n';
    return this.sink.fail(this.#line, column, 'the line ends inside a text', remedy);
  }
}

/** Longer lines are skipped, so that memory is constant whatever the input. */
export const LINE_BYTES_MAX = 65536;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export interface LineSink {
  /** One line in [start, end) of `buffer`, without its end; `complete` is false if it had none. */
  line(buffer: Uint8Array, start: number, end: number, complete: boolean): void;
  /** A line of more than LINE_BYTES_MAX was skipped. */
  longLine(): void;
}

/** Cuts chunks into lines at `\n` or `\r\n`; only a line that crosses chunks is copied. */
export class LineSplitter {
  readonly #sink: LineSink;
  readonly #carry = new Uint8Array(LINE_BYTES_MAX);
  #carried = 0;
  #skipping = false;

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  push(bytes: Uint8Array): void {
    // Node's Buffer is a class of its own: one class keeps the parser's loads monomorphic.
    const chunk = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    let start = 0;
    if (this.#carried > 0 || this.#skipping) {
      const newline = chunk.indexOf(NEWLINE);
      this.#append(chunk, 0, newline < 0 ? chunk.length : newline);
      if (newline < 0) return;
      this.#finish(true);
      start = newline + 1;
    }
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, start);
      if (newline < 0) break;
      if (newline - start > LINE_BYTES_MAX) this.#sink.longLine();
      else this.#sink.line(chunk, start, trimmed(chunk, start, newline), true);
      start = newline + 1;
    }
    if (start < chunk.length) this.#append(chunk, start, chunk.length);
  }

  end(): void {
    if (this.#carried > 0 || this.#skipping) this.#finish(false);
  }

  #append(chunk: Uint8Array, start: number, end: number): void {
    if (this.#skipping) return;
    if (this.#carried + end - start > LINE_BYTES_MAX) {
      this.#skipping = true;
      return;
    }
    this.#carry.set(chunk.subarray(start, end), this.#carried);
    this.#carried += end - start;
  }

  #finish(complete: boolean): void {
    const end = this.#carried;
    const skipping = this.#skipping;
    this.#carried = 0;
    this.#skipping = false;
    if (skipping) this.#sink.longLine();
    else this.#sink.line(this.#carry, 0, trimmed(this.#carry, 0, end), complete);
  }
}

function trimmed(buffer: Uint8Array, start: number, end: number): number {
  return end > start && buffer[end - 1] === RETURN ? end - 1 : end;
}

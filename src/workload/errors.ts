/** A recording that cannot be read at all; the message says where, what is wrong and a remedy. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';

  constructor(
    readonly file: string,
    readonly line: number,
    readonly column: number,
    problem: string,
    remedy: string,
  ) {
    super(`${file}:${line}:${column}: ${problem}; ${remedy}`);
  }
}

/** Thrown by an input whose compressed data ends early or is damaged: all before it was good. */
export class InputDamaged extends Error {
  override readonly name = 'InputDamaged';
}

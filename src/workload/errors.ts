/** Something wrong in a file that was given; the message says where, what is wrong and a remedy. */
export abstract class InputError extends Error {
  /** `line` and `column` count from 1. */
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

/** A recording that cannot be read at all. */
export class RecordingError extends InputError {
  override readonly name = 'RecordingError';
}

/** A workload that cannot be read, or cannot be run as it says. */
export class WorkloadError extends InputError {
  override readonly name = 'WorkloadError';
}

/** Thrown by an input whose compressed data ends early or is damaged: all before it was good. */
export class InputDamaged extends Error {
  override readonly name = 'InputDamaged';
}

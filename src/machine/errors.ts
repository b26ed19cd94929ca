/** Misuse of the host API: names the option or call, and what to do. */
export class MachineError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MachineError';
  }
}

/** A breach of a routine's rules, as Driver Verifier stops with: the cause of the bugcheck. */
export class VerifierError extends Error {
  override readonly name: string = 'VerifierError';
}

/** A driver uses a process or thread that has gone: it had no reference. */
export class GoneError extends VerifierError {
  override readonly name = 'GoneError';
}

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

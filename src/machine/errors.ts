/** Misuse of the host API: names the option or call, and what to do. */
export class MachineError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MachineError';
  }
}

/** Whether it is one, of whichever copy of the library. */
export function isMachineError(error: unknown): error is MachineError {
  return error instanceof Error && error.name === 'MachineError';
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

/** A worker ended, threw or did not answer: the machine does not run any more, and can be looked at. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';

  constructor(
    why: string,
    /** Its number, from 0. */
    readonly worker: number,
    /** The processor whose guest it ran; undefined: none. */
    readonly processor: number | undefined,
    /** The thread whose guest that was. */
    readonly thread: string | undefined,
    /** The last records of the trace, oldest first. */
    readonly lastRecords: readonly unknown[],
  ) {
    const place = processor === undefined ? '' : ` on processor ${processor}`;
    const guest = thread === undefined ? '' : `, in thread '${thread}'`;
    super(`worker ${worker} was lost${place}${guest}: ${why}`);
  }
}

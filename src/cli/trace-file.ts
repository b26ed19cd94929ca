import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import {
  type Machine,
  recordTo,
  type TraceNames,
  type TraceWriter,
  traceWriterFor,
} from '../index';

/** A trace file in the making: it bears its name only once it is whole. */
export class TraceFile {
  readonly #path: string;
  readonly #part: string;
  readonly #file: number;
  #writer: TraceWriter | undefined;

  /** @throws MachineError if the suffix tells no format; the error of the file system if it cannot be made. */
  constructor(path: string) {
    // Fails for a wrong suffix before anything is made.
    traceWriterFor(path, NO_NAMES, () => {});
    this.#path = path;
    this.#part = `${path}.part`;
    this.#file = openSync(this.#part, 'w');
  }

  /** Records what `machine` does from now on. */
  record(machine: Machine, names: TraceNames): void {
    this.#writer = traceWriterFor(this.#path, names, (bytes) => writeAll(this.#file, bytes));
    recordTo(machine, this.#writer);
  }

  /** Ends the file, and gives it its name. */
  finish(): void {
    this.#writer?.end();
    closeSync(this.#file);
    renameSync(this.#part, this.#path);
  }

  /** Takes away what there is of it. */
  discard(): void {
    closeSync(this.#file);
    rmSync(this.#part, { force: true });
  }
}

const NO_NAMES: TraceNames = { thread: () => undefined, process: () => undefined };

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

import type { TraceNames, TraceRecord } from '../machine/records';

export interface NamedProcess {
  /** Its own for the whole trace: a multiple of 4, as Windows has them. */
  readonly id: number;
  readonly name: string;
}

export interface NamedThread extends NamedProcess {
  readonly process: NamedProcess;
  /** Ready or running: a readying of it is no wake-up. */
  runnable: boolean;
  /** Whether its track has been described. */
  tracked: boolean;
}

/**
 * Who is meant by the table indices of trace records: rows are used again, the identities here are
 * not. A trace of which the beginning was lost has strangers; they are named by their index.
 */
export class Roster {
  readonly #names: TraceNames;
  readonly #threads: (NamedThread | undefined)[] = [];
  readonly #processes: (NamedProcess | undefined)[] = [];
  #nextId = 4;

  constructor(names: TraceNames) {
    this.#names = names;
  }

  startProcess(index: number): NamedProcess {
    const name = this.#names.process(index) ?? `process ${index}`;
    const process = { id: this.#take(), name };
    this.#processes[index] = process;
    return process;
  }

  startThread(index: number, processIndex: number): NamedThread {
    const process = this.#processes[processIndex] ?? this.startProcess(processIndex);
    const name = this.#names.thread(index) ?? `thread ${index}`;
    const thread = { id: this.#take(), name, process, runnable: false, tracked: false };
    this.#threads[index] = thread;
    return thread;
  }

  process(index: number): NamedProcess | undefined {
    return this.#processes[index];
  }

  /** undefined: the idle thread, or one whose start is not in the trace. */
  thread(index: number): NamedThread | undefined {
    return index === 0 ? undefined : this.#threads[index];
  }

  #take(): number {
    const id = this.#nextId;
    this.#nextId += 4;
    return id;
  }
}

/** Takes the trace of a machine to somewhere, record by record; constant memory but for the names. */
export interface TraceWriter {
  add(record: TraceRecord): void;
  /** Writes what is left. Nothing may be added then. */
  end(): void;
}

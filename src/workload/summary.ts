import type { ScheduleTally } from './figures';
import { Histogram } from './histogram';

/** What was found wrong, how often, and where first; line and column count from 1. */
export interface RecordingWarning {
  readonly kind: WarningKind;
  count: number;
  readonly firstLine: number;
  readonly firstColumn: number;
  readonly text: string;
}

export type WarningKind =
  | 'malformed-line'
  | 'malformed-event'
  | 'truncated-line'
  | 'long-line'
  | 'negative-time'
  | 'time-back'
  | 'lost-events'
  | 'missing-switch'
  | 'mismatch'
  | 'damaged-input';

/** How the wake-ups of the recording were attributed. */
export interface Attribution {
  /** Delivered as a thread's `wake`. */
  byThread: number;
  /** Delivered as an `interruptWake`, without the unattributed. */
  byInterrupt: number;
  /** Of `byThread`: the layout does not tell whether an interrupt had the processor. */
  contextUnknown: number;
  /** An `interruptWake` made up where a blocked thread was seen to run and no wake-up was. */
  unattributed: number;
  /** Not delivered: the thread was not blocked. */
  redundant: number;
  /** Threads whose process the recording does not tell; each is a process of its own. */
  guessedProcesses: number;
}

/** A process of the recording. */
export interface RecordedProcess {
  readonly tgid: number;
  /** Of the first thread seen of it. */
  readonly name: string;
  /** Indices of its threads. */
  readonly threads: number[];
  /** Its first thread by id, if that was seen: the process bears its last name. */
  leader?: ThreadFigures;
}

/** The recorded figures of one thread. */
export class ThreadFigures implements ScheduleTally {
  /** Index of its process; -1 before that is known. */
  process = -1;
  runNs = 0;
  /** Wake-up or preemption to switch-in. */
  readonly ready = new Histogram();
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  migrations = 0;
  exited = false;

  constructor(
    readonly thread: number,
    public tid: number,
    public name: string,
    public linuxPriority: number,
  ) {}
}

export interface CpuFigures {
  readonly cpu: number;
  /** Time in which a thread ran, ns. */
  busyNs: number;
}

export interface RecordingSummary {
  readonly name: string;
  readonly lines: number;
  /** Lines that are no events: comments, blank lines, text before and after the trace. */
  readonly ignoredLines: number;
  /** Events by name, those that are not used among them. */
  readonly events: ReadonlyMap<string, number>;
  readonly ignoredEvents: ReadonlyMap<string, number>;
  /** From the first event to the last. */
  readonly durationNs: number;
  readonly cpus: number;
  readonly cpuFigures: readonly CpuFigures[];
  readonly processes: readonly RecordedProcess[];
  /** By thread index. */
  readonly threads: readonly ThreadFigures[];
  readonly lostEvents: number;
  readonly warnings: readonly RecordingWarning[];
  readonly attribution: Readonly<Attribution>;
}

/** Counts warnings by kind and keeps where each kind occurred first. */
export class Warnings {
  readonly #byKind = new Map<WarningKind, RecordingWarning>();

  add(kind: WarningKind, line: number, column: number, text: string, count = 1): void {
    const warning = this.#byKind.get(kind);
    if (warning !== undefined) warning.count += count;
    else {
      this.#byKind.set(kind, { kind, count, firstLine: line, firstColumn: column, text });
    }
  }

  list(): RecordingWarning[] {
    return [...this.#byKind.values()];
  }
}

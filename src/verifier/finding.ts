import type { TraceRecord } from '../machine/records';
import type { Severity } from './rules';
import type { SourceFrame, SourceLocation } from './location';

/** What a driver did against a rule. */
export interface Finding {
  /** Id of the rule. */
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  /** The driver's name; absent for code that no driver was loaded with. */
  readonly driver?: string;
  /** The callback or routine of the driver: `process-notify routine protect!onProcess`. */
  readonly routine?: string;
  readonly thread: string;
  readonly process: string;
  /** Virtual time of the first, ns since boot. */
  readonly timeNs: number;
  /** The line of the driver's file, where the host's engine tells it. */
  readonly location?: SourceLocation;
  /** The functions of the driver's files that were being executed, the one called last first. */
  readonly hostStack: readonly SourceFrame[];
  /** Routines that were being executed, the one called last first. */
  readonly stack: readonly string[];
  /** Each waits for what the next has, or each line is an order in which locks were taken. */
  readonly chain: readonly string[];
  /** The last trace records before it, oldest first. */
  readonly lastRecords: readonly TraceRecord[];
  /** How often. */
  readonly count: number;
}

export type NewFinding = Omit<Finding, 'count' | 'severity'>;

/** Findings in the order of their first time; the same again is one more of it. */
export class Findings {
  private readonly known = new Map<string, Finding & { count: number }>();

  add(finding: NewFinding, severity: Severity): void {
    const { rule, driver, routine, message, location } = finding;
    const place = location === undefined ? '' : `${location.file}:${location.line}`;
    const key = [rule, driver, routine, message, place].join('\0');
    const known = this.known.get(key);
    if (known === undefined) this.known.set(key, { ...finding, severity, count: 1 });
    else known.count++;
  }

  get list(): readonly Finding[] {
    return [...this.known.values()].map((finding) => ({ ...finding }));
  }
}

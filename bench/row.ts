/** A line of the benchmark table. */
export interface Row {
  readonly workload: string;
  readonly measured: string;
  readonly baseline: string;
  /** The measured figure beside its baseline, in the words of the goal. */
  readonly ratio: string;
  readonly goal?: string;
  /** Whether the goal is met. */
  readonly met?: boolean;
}

export type Workload = () => Promise<readonly Row[]>;

/** A figure with thousands separators, three digits at least: 12,345 or 10.3 or 0.47. */
export function figure(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

export function times(ratio: number): string {
  return `${figure(ratio)} ×`;
}

/** Context switches a second, and ns of each, from ms a switch. */
export function switchRate(ms: number): string {
  return `${figure(1e-3 / ms)} M switches/s (${figure(ms * 1e6)} ns)`;
}

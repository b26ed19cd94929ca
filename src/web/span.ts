/** The part of a run's time that is shown: pure arithmetic, in ns. */
export interface Span {
  readonly fromNs: number;
  readonly toNs: number;
}

/** The shortest part that can be shown, ns. */
const SHORTEST_NS = 1000;

/** A span of `lengthNs` from `fromNs`, as far as it lies within [0, endNs]. */
export function spanOf(fromNs: number, lengthNs: number, endNs: number): Span {
  const length = Math.min(endNs, Math.max(Math.min(SHORTEST_NS, endNs), lengthNs));
  const from = Math.max(0, Math.min(fromNs, endNs - length));
  return { fromNs: from, toNs: from + length };
}

/** Makes it `factor` times as long, `atNs` staying where it is. */
export function zoomed({ fromNs, toNs }: Span, factor: number, atNs: number, endNs: number): Span {
  const length = Math.min(endNs, Math.max(SHORTEST_NS, (toNs - fromNs) * factor));
  return spanOf(atNs - ((atNs - fromNs) / (toNs - fromNs)) * length, length, endNs);
}

/** Moves it by a share of its length. */
export function moved({ fromNs, toNs }: Span, share: number, endNs: number): Span {
  return spanOf(fromNs + (toNs - fromNs) * share, toNs - fromNs, endNs);
}

/** How far it is zoomed in: 0 is all, 1 the shortest. */
export function zoomOf({ fromNs, toNs }: Span, endNs: number): number {
  const range = Math.log(endNs / SHORTEST_NS);
  return range <= 0 ? 0 : Math.log(endNs / (toNs - fromNs)) / range;
}

/** The length of a span that is zoomed in so far. */
export function lengthOf(zoom: number, endNs: number): number {
  return endNs / Math.max(1, endNs / SHORTEST_NS) ** zoom;
}

/** Where it lies, 0-1; 0 if all is shown. */
export function positionOf({ fromNs, toNs }: Span, endNs: number): number {
  const room = endNs - (toNs - fromNs);
  return room <= 0 ? 0 : fromNs / room;
}

/** Round times within it, at most `count`. */
export function ticks({ fromNs, toNs }: Span, count: number): number[] {
  const least = (toNs - fromNs) / count;
  const power = 10 ** Math.floor(Math.log10(least));
  const stepNs = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= least) as number;
  const first = Math.ceil(fromNs / stepNs);
  return Array.from(
    { length: Math.max(0, Math.floor(toNs / stepNs) - first + 1) },
    (_, index) => (first + index) * stepNs,
  );
}

const UNITS = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
] as const;

/** A duration in the unit that suits it. */
export function duration(ns: number, digits = 3): string {
  const [factor, unit] = UNITS.find(([each]) => ns >= each) ?? UNITS[3];
  return `${Number((ns / factor).toPrecision(digits))} ${unit}`;
}

/** A point in time, as exact as ticks `stepNs` apart need it. */
export function point(ns: number, stepNs: number): string {
  const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(stepNs / 1e9))));
  return `${(ns / 1e9).toFixed(digits)} s`;
}

/** Altitudes: decimal numbers of any length and precision, as strings, which say in which order filters are called. */

/** Digits before and after the point, without the zeros that mean nothing. */
export interface Altitude {
  readonly whole: string;
  readonly fraction: string;
}

const DECIMAL = /^0*(\d*?)(?:\.(\d+?)0*)?$/;

/** Undefined for what is no decimal number. */
export function parseAltitude(text: string): Altitude | undefined {
  const match = /\d/.test(text) ? DECIMAL.exec(text) : null;
  if (match === null) return undefined;
  const [, whole = '', fraction = ''] = match;
  return { whole, fraction: fraction === '0' ? '' : fraction };
}

/** Below 0 if the first is lower, 0 if they are the same number. */
export function compareAltitudes(first: Altitude, second: Altitude): number {
  if (first.whole.length !== second.whole.length) return first.whole.length - second.whole.length;
  const [a, b] = [`${first.whole}.${first.fraction}`, `${second.whole}.${second.fraction}`];
  return a === b ? 0 : a < b ? -1 : 1;
}

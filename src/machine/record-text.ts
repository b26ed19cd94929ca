import type { TraceRecord } from './records';

/** Trace records as text. */

/** What JSON holds of a record. */
export function plainRecord(record: TraceRecord): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record).map(([field, value]) => [
      field,
      typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
    ]),
  );
}

/** Such as `1200 ns, processor 0: ready thread=12 priority=8`. */
export function describeRecord(record: TraceRecord): string {
  const { timeNs, processor, type, ...rest } = plainRecord(record);
  const fields = Object.entries(rest).map(([field, value]) => `${field}=${String(value)}`);
  return `${timeNs} ns, processor ${processor}: ${[type, ...fields].join(' ')}`;
}

import type { Machine } from '../src/machine/machine';
import { type Program, program } from '../src/machine/program';
import { decodeRecord, type TraceRecord } from '../src/machine/records';
import type { KThread } from '../src/machine/views';

export const MS = 1_000_000;
/** The clock interval of both profiles, ns. */
export const TICK = 15_625_000;

/** What is still in the ring, oldest first. */
export function records(machine: Machine): TraceRecord[] {
  const last = machine.trace.last(100_000);
  return Array.from({ length: last.count }, (_, index) => decodeRecord(last, index));
}

export type RecordOf<T extends TraceRecord['type']> = Extract<TraceRecord, { readonly type: T }>;

export function recordsOf<T extends TraceRecord['type']>(machine: Machine, type: T): RecordOf<T>[] {
  return records(machine).filter((record): record is RecordOf<T> => record.type === type);
}

/** The priorities that a thread was given, one after the other. */
export function priorityLevels(machine: Machine, thread: KThread): number[] {
  return recordsOf(machine, 'priority')
    .filter((record) => record.thread === thread.index)
    .map((record) => record.newPriority);
}

/** A program that computes for `ns` and ends. */
export const compute = (ns: number): Program => program('compute', (p) => p.compute(ns));

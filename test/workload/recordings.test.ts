import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecordingSummary } from '../../src/workload/summary';
import { type LogSink, readBytes } from './sink';

const PATH = join(import.meta.dirname, '../../examples/recordings/build.ftrace.gz');
const IDLE = 0;

interface Switch {
  readonly cpu: number;
  readonly ns: bigint;
  readonly prev: number;
  readonly next: number;
}

/** The switches by a pattern of their own, nothing of the reader's. */
function switchesOf(text: string): Switch[] {
  const pattern =
    /\[(\d+)\] \S+ +(\d+)\.(\d{6}): sched_switch: .* prev_pid=(\d+) .* next_pid=(\d+) /g;
  return [...text.matchAll(pattern)].map(([, cpu, seconds, micros, prev, next]) => ({
    cpu: Number(cpu),
    ns: BigInt(`${seconds}${micros}000`),
    prev: Number(prev),
    next: Number(next),
  }));
}

/** Run time by id of the runs whose beginning and end are both recorded. */
function recordedRuns(switches: readonly Switch[]): Map<number, bigint> {
  const runs = new Map<number, bigint>();
  const last = new Map<number, Switch>();
  for (const each of switches) {
    const began = last.get(each.cpu);
    last.set(each.cpu, each);
    if (began === undefined || began.next !== each.prev || each.prev === IDLE) continue;
    runs.set(each.prev, (runs.get(each.prev) ?? 0n) + each.ns - began.ns);
  }
  return runs;
}

describe('the shipped recording', () => {
  let text = '';
  let summary: RecordingSummary;
  let sink: LogSink;
  beforeAll(() => {
    const bytes = gunzipSync(readFileSync(PATH));
    text = bytes.toString('latin1');
    ({ summary, sink } = readBytes(bytes));
  });

  it('has the counts that its README tells', () => {
    expect(Object.fromEntries(summary.events)).toMatchObject({
      sched_switch: 15_334,
      sched_waking: 8063,
      sched_process_fork: 451,
      sched_process_exit: 451,
    });
    expect(summary.threads.length).toBe(469);
    expect(summary.cpus).toBe(2);
    expect(summary.durationNs).toBe(9_933_362_000);
    expect(summary.ignoredEvents.size).toBe(0);
  });

  it('has a known context for every wake-up and no thread that runs unwoken', () => {
    expect(summary.attribution).toMatchObject({ contextUnknown: 0, unattributed: 0 });
    expect(summary.warnings.map((each) => each.kind)).toEqual(['missing-switch']);
  });

  it('gives every thread as compute what it ran', () => {
    for (const thread of summary.threads) {
      expect(sink.computeNs.get(thread.thread) ?? 0).toBe(thread.runNs);
    }
    const busyNs = summary.cpuFigures.reduce((sum, each) => sum + each.busyNs, 0);
    expect(summary.threads.reduce((sum, each) => sum + each.runNs, 0)).toBe(busyNs);
    for (const each of summary.cpuFigures) expect(each.busyNs).toBeLessThan(summary.durationNs);
  });

  it('gives exactly the recorded runs to each thread whose switches are all recorded', () => {
    const switches = switchesOf(text);
    expect(switches.length).toBe(15_334);
    const inferred = new Set<number>();
    const last = new Map<number, number>();
    for (const { cpu, prev, next } of switches) {
      const running = last.get(cpu);
      if (running !== prev) inferred.add(prev).add(running ?? prev);
      last.set(cpu, next);
    }
    for (const tid of last.values()) inferred.add(tid);
    const runs = recordedRuns(switches);
    const whole = summary.threads.filter((each) => !inferred.has(each.tid));
    expect(whole.length).toBeGreaterThan(200);
    for (const each of whole)
      expect([each.tid, each.runNs]).toEqual([each.tid, Number(runs.get(each.tid) ?? 0n)]);
  });

  it('names no folder of the machine that it was made on', () => {
    expect(text).not.toMatch(/filename=\S*\//);
    expect(text).not.toMatch(/\/(home|root|tmp|usr|work)\b/);
  });
});

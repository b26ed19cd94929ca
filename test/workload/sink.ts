import type { BurstSink } from '../../src/workload/bursts';
import { RecordingReader } from '../../src/workload/ftrace';
import type { RecordingSummary } from '../../src/workload/summary';

/** Writes every call down; `advance` only if asked for. */
export class LogSink implements BurstSink {
  readonly log: string[] = [];
  readonly computeNs = new Map<number, number>();

  constructor(readonly withAdvance = false) {}

  process(process: number, tgid: number, name: string): void {
    this.log.push(`process ${process}: ${tgid} ${name}`);
  }
  thread(
    thread: number,
    process: number,
    tid: number,
    name: string,
    linuxPriority: number,
    parent: number,
  ): void {
    this.log.push(`thread ${thread}: of ${process}, ${tid} ${name} ${linuxPriority} by ${parent}`);
  }
  rename(thread: number, name: string): void {
    this.log.push(`${thread} is ${name}`);
  }
  compute(thread: number, ns: number): void {
    this.computeNs.set(thread, (this.computeNs.get(thread) ?? 0) + ns);
    this.log.push(`${thread} computes ${ns}`);
  }
  wake(thread: number, target: number): void {
    this.log.push(`${thread} wakes ${target}`);
  }
  wait(thread: number, reason: string): void {
    this.log.push(`${thread} waits ${reason}`);
  }
  fork(thread: number, child: number): void {
    this.log.push(`${thread} forks ${child}`);
  }
  exec(thread: number, path: string): void {
    this.log.push(`${thread} executes ${path}`);
  }
  setPriority(thread: number, linuxPriority: number): void {
    this.log.push(`${thread} priority ${linuxPriority}`);
  }
  exit(thread: number, recorded: boolean): void {
    this.log.push(`${thread} ${recorded ? 'exits' : 'ends'}`);
  }
  interruptWake(timeNs: number, cpu: number, target: number): void {
    this.log.push(`at ${timeNs} cpu ${cpu} wakes ${target}`);
  }
  advance(timeNs: number): void {
    if (this.withAdvance) this.log.push(`advance ${timeNs}`);
  }
}

export interface ReadResult {
  readonly log: string[];
  readonly summary: RecordingSummary;
  readonly sink: LogSink;
}

export function readBytes(bytes: Uint8Array, chunkBytes: readonly number[] = []): ReadResult {
  const sink = new LogSink(true);
  const reader = new RecordingReader(sink, { name: 'test' });
  let at = 0;
  for (const length of chunkBytes) {
    reader.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (at < bytes.length) reader.push(bytes.subarray(at));
  const summary = reader.end();
  return { log: sink.log.filter((line) => !line.startsWith('advance')), summary, sink };
}

export const readText = (text: string): ReadResult => readBytes(new TextEncoder().encode(text));

export const warningsOf = (summary: RecordingSummary): string[] =>
  summary.warnings.map(
    (each) => `${each.kind} ${each.count} at ${each.firstLine}:${each.firstColumn}`,
  );

import type { CoreSource } from '../machine/options';
import type { BurstSink } from './bursts';
import { RecordingReader, readRecording } from './ftrace';
import type { Policy } from './policy';
import { Replay } from './replay';
import { type ReplayReport, reportReplay } from './report';
import type { RecordingSummary } from './summary';

/** So much text is looked at to tell the number of processors, where its head does not say. */
const PEEK_BYTES = 4 * 1024 * 1024;

export interface ReplayRecordingOptions {
  /** The file's name, for messages. */
  readonly name: string;
  /** Default: those of the recording. */
  readonly processors?: number;
  readonly profile?: 'client' | 'server';
  /** Default: all three. */
  readonly policies?: readonly Policy[];
  readonly liveThreads?: number;
  /** The recording's threads are of Linux, as WSL 1 runs it. Default: they are of no subsystem. */
  readonly subsystem?: 'wsl';
  /** The core to run on. Default: built in. */
  readonly core?: CoreSource;
  /** Report only the processes and threads that ran longest in the recording. Default: all. */
  readonly top?: number;
  /** Called when the machines stand, before anything is read into them: for trace writers, and drivers to load. */
  readonly onStart?: (replays: readonly Replay[]) => void;
  /** Called after each chunk with the number of text bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
}

export interface RecordingReplay {
  readonly recording: RecordingSummary;
  readonly reports: readonly ReplayReport[];
}

/** Hands every call to each of some sinks. */
class Tee implements BurstSink {
  constructor(private readonly sinks: readonly BurstSink[]) {}

  process(process: number, tgid: number, name: string): void {
    for (const sink of this.sinks) sink.process(process, tgid, name);
  }
  thread(
    thread: number,
    process: number,
    tid: number,
    name: string,
    linuxPriority: number,
    parent: number,
  ): void {
    for (const sink of this.sinks) sink.thread(thread, process, tid, name, linuxPriority, parent);
  }
  rename(thread: number, name: string): void {
    for (const sink of this.sinks) sink.rename(thread, name);
  }
  compute(thread: number, ns: number): void {
    for (const sink of this.sinks) sink.compute(thread, ns);
  }
  wake(thread: number, target: number): void {
    for (const sink of this.sinks) sink.wake(thread, target);
  }
  wait(thread: number, reason: string): void {
    for (const sink of this.sinks) sink.wait(thread, reason);
  }
  fork(thread: number, child: number): void {
    for (const sink of this.sinks) sink.fork(thread, child);
  }
  exec(thread: number, path: string): void {
    for (const sink of this.sinks) sink.exec?.(thread, path);
  }
  setPriority(thread: number, linuxPriority: number): void {
    for (const sink of this.sinks) sink.setPriority(thread, linuxPriority);
  }
  exit(thread: number, recorded: boolean): void {
    for (const sink of this.sinks) sink.exit(thread, recorded);
  }
  interruptWake(timeNs: number, cpu: number, target: number): void {
    for (const sink of this.sinks) sink.interruptWake(timeNs, cpu, target);
  }
  advance(timeNs: number): void {
    for (const sink of this.sinks) sink.advance(timeNs);
  }
}

/**
 * The number of processors of a recording, from its head or from what the first part of it uses,
 * and its text again from the start.
 */
async function peekProcessors(
  input: AsyncIterable<Uint8Array>,
): Promise<{ processors: number; text: AsyncIterable<Uint8Array> }> {
  const chunks = input[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  const reader = new RecordingReader(new Tee([]), { name: '' });
  let failure: unknown;
  for (let bytes = 0; bytes < PEEK_BYTES && !reader.processorsTold; ) {
    const { value, done } = await chunks.next().catch((error: unknown) => {
      failure = error;
      return { value: undefined, done: true as const };
    });
    if (done === true) break;
    first.push(value);
    // What is wrong with it is said when it is read in earnest.
    try {
      reader.push(value.subarray(0, PEEK_BYTES - bytes));
    } catch {
      break;
    }
    bytes += value.length;
  }
  async function* text(): AsyncGenerator<Uint8Array> {
    yield* first.splice(0);
    if (failure !== undefined) throw failure;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return { processors: Math.max(1, Math.min(2048, reader.processors)), text: text() };
}

/**
 * Replays a recording under each policy while it is read, on a machine of its own for each.
 *
 * @throws RecordingError if it is no recording of a schedule; MachineError if it has more threads
 *   alive at once than there is room for.
 */
export async function replayRecording(
  input: AsyncIterable<Uint8Array>,
  options: ReplayRecordingOptions,
): Promise<RecordingReplay> {
  let { processors } = options;
  let text = input;
  if (processors === undefined) ({ processors, text } = await peekProcessors(input));
  const replays: Replay[] = [];
  for (const policy of options.policies ?? (['nt', 'fifo', 'rr'] as const)) {
    const { profile, liveThreads, subsystem, core } = options;
    replays.push(
      await Replay.create({
        processors,
        policy,
        ...(profile === undefined ? {} : { profile }),
        ...(liveThreads === undefined ? {} : { liveThreads }),
        ...(subsystem === undefined ? {} : { subsystem }),
        ...(core === undefined ? {} : { core }),
      }),
    );
  }
  options.onStart?.(replays);
  const recording = await readRecording(
    text,
    replays.length === 1 ? (replays[0] as Replay) : new Tee(replays),
    options,
  );
  for (const replay of replays) replay.finish();
  return {
    recording,
    reports: replays.map((replay) => reportReplay(replay, recording, options.top)),
  };
}

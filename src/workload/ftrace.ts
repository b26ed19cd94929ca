/**
 * Recorded Linux schedules as ftrace text: tracefs `trace`, `trace-cmd report`, systrace, atrace.
 *
 * The text streams through in constant memory and without a string per line; only threads, event
 * names and warnings are kept. Times are relative to the first event and exact in ns.
 */
import { Attributor } from './attribute';
import type { BurstSink } from './bursts';
import { bytesOf, findFirst, numberAt } from './bytes';
import { RecordingError } from './errors';
import { EVENT, type EventKind, EventNames } from './event-names';
import { EventBody } from './ftrace-body';
import { HEAD, LineHead } from './ftrace-line';
import { LineSplitter } from './lines';
import { readAll } from './read-all';
import { binaryKind, HEAD_SNIFF_BYTES, textKind } from './sniff';
import { type RecordingSummary, Warnings } from './summary';

const ADVANCE_EVENTS = 256;
/** So much without a single event is no recording. */
const NO_EVENT_BYTES_MAX = 16 * 1024 * 1024;
const HASH = 0x23;
const RECORD_HINT = 'record one with examples/recordings/record.sh or `trace-cmd record -e sched`';
const LOST_EVENTS = bytesOf(' EVENTS]');
const LOST = bytesOf(' [LOST ');
const CPU = bytesOf('CPU:');
const STACK_ENTRY = bytesOf(' => ');
const STACK_HEAD = bytesOf('<stack trace>');
const PROCESSORS = [bytesOf('#P:'), bytesOf('cpus=')];
const CONTEXT_COLUMN = bytesOf('=> hardirq/softirq');

export interface ReadOptions {
  /** The file's name, for messages. */
  readonly name: string;
  /** Called after each chunk with the number of text bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Reads a recording piece by piece: the caller decides how far ahead.
 *
 * What a chunk tells is in the sink when `push` returns, up to the last `advance`; where the text
 * is cut into chunks makes no difference to it.
 * @throws RecordingError from `push` and `end` if this is no recording of a schedule.
 */
export class RecordingReader {
  readonly #name: string;
  readonly #splitter: LineSplitter;
  readonly #head = new LineHead();
  readonly #body = new EventBody();
  readonly #names = new EventNames();
  readonly #warnings = new Warnings();
  readonly #attributor: Attributor;
  readonly #sniffed = new Uint8Array(HEAD_SNIFF_BYTES);
  #sniffedBytes = 0;
  #bytes = 0;
  #lines = 0;
  #ignoredLines = 0;
  #events = 0;
  #lostEvents = 0;
  #startSeconds = 0;
  #startNanos = 0;
  #nowNs = 0;
  #processorsTold = 0;
  #damage: string | undefined;
  #noFraction = 0;
  #noFractionLine = 0;
  /** Lines since the last event that are none: a warning only if events follow. */
  #strange = 0;
  #strangeLine = 0;

  constructor(sink: BurstSink, options: { readonly name: string }) {
    this.#name = options.name;
    this.#splitter = new LineSplitter({
      line: (buffer, start, end, complete) => this.#line(buffer, start, end, complete),
      longLine: () => this.#longLine(),
    });
    this.#attributor = new Attributor(sink, this.#head, this.#body, (kind, text) =>
      this.#warn(kind, 1, text),
    );
  }

  /** Processors, as its head tells (`#P:4`, `cpus=4`), or those seen so far. */
  get processors(): number {
    return this.#processorsTold > 0 ? this.#processorsTold : this.#attributor.processors;
  }

  /** Whether the head of the recording tells the number of processors. */
  get processorsTold(): boolean {
    return this.#processorsTold > 0;
  }

  /** Reads the next piece of the text. */
  push(chunk: Uint8Array): void {
    if (this.#sniffedBytes < HEAD_SNIFF_BYTES) this.#sniff(chunk);
    this.#bytes += chunk.length;
    this.#splitter.push(chunk);
    if (this.#events > 0) return;
    if (this.#bytes > NO_EVENT_BYTES_MAX) throw this.#notRecording();
  }

  /** The input ended early for `reason`: what was read counts. */
  damaged(reason: string): void {
    this.#damage = reason;
    this.#warnings.add('damaged-input', this.#lines + 1, 1, reason);
  }

  /** The end of the input: delivers what is left and ends all threads. */
  end(): RecordingSummary {
    if (this.#damage === undefined || this.#bytes > 0) this.#checkSniffed(true);
    this.#splitter.end();
    if (this.#events === 0) throw this.#notRecording();
    if (this.#names.count('sched_switch') === 0) throw this.#noSwitches();
    this.#attributor.end(this.#nowNs);
    return this.#summary();
  }

  #summary(): RecordingSummary {
    const { threads, cpus, counts } = this.#attributor;
    return {
      name: this.#name,
      lines: this.#lines,
      ignoredLines: this.#ignoredLines + this.#strange,
      events: this.#names.counts(false),
      ignoredEvents: this.#names.counts(true),
      durationNs: this.#nowNs,
      cpus: cpus.length,
      cpuFigures: cpus,
      threads,
      processes: this.#attributor.processes,
      lostEvents: this.#lostEvents,
      warnings: this.#warnings.list(),
      attribution: counts,
    };
  }

  #line(buffer: Uint8Array, start: number, end: number, complete: boolean): void {
    this.#lines++;
    if (start === end || buffer[start] === HASH) {
      if (this.#events === 0) this.#layout(buffer, start, end);
      this.#ignoredLines++;
      return;
    }
    const result = this.#head.read(buffer, start, end);
    if (result === HEAD.Event) this.#event(buffer, start, end, complete);
    else if (result === HEAD.NegativeTime) this.#warn('negative-time', 1, 'a time is negative');
    else if (result === HEAD.NoFraction) this.#clockWithoutFraction();
    else if (!this.#lost(buffer, start, end)) this.#strangeText(buffer, start, end, complete);
  }

  #event(buffer: Uint8Array, start: number, end: number, complete: boolean): void {
    const head = this.#head;
    if (this.#events === 0) {
      this.#startSeconds = head.seconds;
      this.#startNanos = head.nanos;
    }
    const sinceNs = (head.seconds - this.#startSeconds) * 1e9 + (head.nanos - this.#startNanos);
    if (sinceNs > Number.MAX_SAFE_INTEGER) {
      this.#warn('malformed-line', 1, 'a time is out of range');
      return;
    }
    if (this.#strange > 0) this.#reportStrange();
    if (sinceNs < this.#nowNs) {
      this.#warn('time-back', 1, 'a time is earlier than the one before it; taken as equal');
    } else this.#nowNs = sinceNs;
    this.#events++;
    if (!complete && head.nameStart === head.nameEnd) this.#cutOff(1);
    const kind = this.#names.find(buffer, head.nameStart, head.nameEnd);
    if (kind !== EVENT.Ignored) {
      this.#attributor.at(buffer, this.#nowNs);
      if (this.#readBody(kind, buffer, head.bodyStart, end)) this.#attribute(kind);
      else {
        const column = head.bodyStart - start + 1;
        if (complete) this.#warn('malformed-event', column, 'an event has not the known fields');
        else this.#cutOff(column);
      }
    }
    if (this.#events % ADVANCE_EVENTS === 0) this.#attributor.advance(this.#nowNs);
  }

  /** False if the body is malformed. */
  #readBody(kind: EventKind, buffer: Uint8Array, start: number, end: number): boolean {
    const body = this.#body;
    switch (kind) {
      case EVENT.Switch:
        return body.readSwitch(buffer, start, end);
      case EVENT.Waking:
      case EVENT.Wakeup:
      case EVENT.WakeupNew:
      case EVENT.Exit:
        return body.readTask(buffer, start, end);
      case EVENT.Fork:
        return body.readFork(buffer, start, end);
      case EVENT.Exec:
        return body.readExec(buffer, start, end);
      case EVENT.NewTask:
        return body.readNewTask(buffer, start, end);
      case EVENT.Rename:
        return body.readRename(buffer, start, end);
      default:
        return true;
    }
  }

  #attribute(kind: EventKind): void {
    const to = this.#attributor;
    switch (kind) {
      case EVENT.Switch:
        to.onSwitch();
        break;
      case EVENT.Waking:
        to.onWaking();
        break;
      case EVENT.Wakeup:
        to.onWakeup();
        break;
      case EVENT.WakeupNew:
        to.onWakeupNew();
        break;
      case EVENT.Fork:
        to.onFork();
        break;
      case EVENT.Exit:
        to.onExit();
        break;
      case EVENT.Exec:
        to.onExec();
        break;
      case EVENT.NewTask:
        to.onNewTask();
        break;
      case EVENT.Rename:
        to.onRename();
        break;
      case EVENT.InterruptEntry:
        to.onInterrupt(false, true);
        break;
      case EVENT.InterruptExit:
        to.onInterrupt(false, false);
        break;
      case EVENT.SoftEntry:
        to.onInterrupt(true, true);
        break;
      case EVENT.SoftExit:
        to.onInterrupt(true, false);
        break;
    }
  }

  /** `CPU:3 [LOST 1234 EVENTS]` */
  #lost(buffer: Uint8Array, start: number, end: number): boolean {
    if (end - start > 80) return false;
    const lost = findFirst(buffer, start, end, LOST);
    const cpuAt = findFirst(buffer, start, end, CPU);
    if (lost < 0 || cpuAt < 0 || findFirst(buffer, lost, end, LOST_EVENTS) < 0) return false;
    const cpu = numberAt(buffer, cpuAt + CPU.length, lost);
    const count = numberAt(buffer, lost + LOST.length, end);
    if (cpu < 0 || count < 0) return false;
    this.#lostEvents += count;
    this.#warn('lost-events', 1, 'the recorder lost events of a processor');
    this.#attributor.onLost(cpu, this.#nowNs);
    return true;
  }

  /** The comment that draws the flags says which of them tells of interrupts. */
  #layout(buffer: Uint8Array, start: number, end: number): void {
    if (end - start > 200) return;
    this.#readProcessors(buffer, start, end);
    const at = findFirst(buffer, start, end, CONTEXT_COLUMN);
    if (at < 0) return;
    let column = 1;
    for (let i = start; i < at; i++) if (buffer[i] === 0x7c) column++;
    this.#head.contextColumn = column;
  }

  #readProcessors(buffer: Uint8Array, start: number, end: number): void {
    for (const label of PROCESSORS) {
      const at = findFirst(buffer, start, end, label);
      if (at >= 0) this.#processorsTold = numberAt(buffer, at + label.length, end);
    }
  }

  #strangeText(buffer: Uint8Array, start: number, end: number, complete: boolean): void {
    const stack =
      findFirst(buffer, start, Math.min(end, start + 8), STACK_ENTRY) >= 0 ||
      findFirst(buffer, start, Math.min(end, start + 200), STACK_HEAD) >= 0;
    if (stack) this.#ignoredLines++;
    else if (!complete && this.#events > 0) this.#cutOff(1);
    else if (this.#events === 0) {
      this.#ignoredLines++;
      if (end - start < 80) this.#readProcessors(buffer, start, end);
    } else if (this.#strange++ === 0) this.#strangeLine = this.#lines;
  }

  #reportStrange(): void {
    const text = 'a line among the events is none';
    this.#warnings.add('malformed-line', this.#strangeLine, 1, text, this.#strange);
    this.#strange = 0;
  }

  #longLine(): void {
    this.#lines++;
    this.#warn('long-line', 1, 'a line of more than 65,536 bytes is skipped');
  }

  #clockWithoutFraction(): void {
    if (this.#noFraction++ === 0) this.#noFractionLine = this.#lines;
    if (this.#events > 0) this.#warn('malformed-line', 1, 'a time has no fraction');
    else if (this.#noFraction >= 1000) throw this.#notRecording();
  }

  #warn(kind: Parameters<Warnings['add']>[0], column: number, text: string): void {
    this.#warnings.add(kind, this.#lines, column, text);
  }

  #cutOff(column: number): void {
    this.#warn('truncated-line', column, 'the last line is cut off');
  }

  #sniff(chunk: Uint8Array): void {
    const part = chunk.subarray(0, HEAD_SNIFF_BYTES - this.#sniffedBytes);
    this.#sniffed.set(part, this.#sniffedBytes);
    this.#sniffedBytes += part.length;
    this.#checkSniffed(false);
  }

  #checkSniffed(all: boolean): void {
    if (this.#events > 0) return;
    const found = binaryKind(this.#sniffed.subarray(0, this.#sniffedBytes));
    if (found !== undefined) throw this.#error(1, found.problem, found.remedy);
    if (all && this.#sniffedBytes === 0) throw this.#error(1, 'the file is empty', RECORD_HINT);
  }

  #notRecording(): RecordingError {
    if (this.#noFraction > 0) {
      return this.#error(
        this.#noFractionLine,
        'the times have no fraction, so that their unit is unknown (trace_clock counter, x86-tsc)',
        'record with trace_clock set to mono or local',
      );
    }
    if (this.#damage !== undefined) {
      return this.#error(1, this.#damage, 'copy the file again');
    }
    const found = textKind(this.#sniffed.subarray(0, this.#sniffedBytes));
    return this.#error(1, found.problem, found.remedy);
  }

  #noSwitches(): RecordingError {
    const names = [...this.#names.counts(false)]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 4)
      .map(([name, count]) => `${count} ${name}`);
    const found = `no sched_switch among its ${this.#events} events (${names.join(', ')})`;
    return this.#error(1, found, RECORD_HINT);
  }

  #error(line: number, problem: string, remedy: string): RecordingError {
    return new RecordingError(this.#name, line, 1, problem, remedy);
  }
}

/**
 * Reads all of `input` into `sink`.
 *
 * @throws RecordingError if it is no recording of a schedule. Input that ends early (InputDamaged)
 *   after the first event is a warning of the summary.
 */
export async function readRecording(
  input: AsyncIterable<Uint8Array>,
  sink: BurstSink,
  options: ReadOptions,
): Promise<RecordingSummary> {
  return readAll(new RecordingReader(sink, options), input, options);
}

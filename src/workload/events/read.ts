/**
 * Recordings of process events as event logs are exported: Sysmon's and the Security log's, as JSON
 * lines or a JSON array, and what ntps writes itself.
 *
 * The text streams through: only what a process manager would see of it is kept.
 */
import { bytesOf, startsWith } from '../bytes';
import { RecordingError } from '../errors';
import { readAll } from '../read-all';
import { Warnings } from '../summary';
import { decode, MissingField, type Told } from './decode';
import { Fields } from './fields';
import { jsonErrorAt } from './json-error';
import { JsonRecords } from './json-records';
import { countEvents, type EventRecording } from './model';
import { Resolver, type Timed } from './resolve';

const SKIPPED_MAX = 1000;
const EXPORT_HINT =
  'export the Sysmon or Security log as JSON, one event a line (evtx_dump -o jsonl, Winlogbeat)';

export interface ReadEventsOptions {
  /** The file's name, for messages. */
  readonly name: string;
  /** Of several machines' events, whose to read. Default: that of the first event. */
  readonly host?: string;
  /** Called after each chunk with the number of text bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** What a file is that is no JSON, told by its first bytes. */
const FORMATS: readonly (readonly [head: Uint8Array, problem: string, remedy: string])[] = [
  [bytesOf('ElfFile\0'), 'this is a binary event log (.evtx)', 'run `evtx_dump -o jsonl` on it'],
  [bytesOf('PK\u0003\u0004'), 'this is a zip file', 'unzip it first'],
  [Uint8Array.of(0x1f, 0x8b), 'the text is still compressed with gzip', 'decompress it first'],
  [Uint8Array.of(0xff, 0xfe), 'the text is UTF-16', 'save it as UTF-8'],
  [Uint8Array.of(0xfe, 0xff), 'the text is UTF-16', 'save it as UTF-8'],
  [bytesOf('<'), 'this is XML', EXPORT_HINT],
];
const HEAD_BYTES = 8;
const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/**
 * Reads a recording piece by piece.
 *
 * @throws RecordingError from `push` and `end` if it is no recording of process events.
 */
export class EventReader {
  readonly #name: string;
  readonly #records: JsonRecords;
  readonly #warnings = new Warnings();
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #skipped = new Map<string, number>();
  readonly #otherHosts = new Map<string, number>();
  /** By log, in the log's order. */
  readonly #told = new Map<string, Told[]>();
  #host: string | undefined;
  #head: Uint8Array | undefined = new Uint8Array(0);
  #recordCount = 0;
  #timesBack = 0;
  #damage: string | undefined;

  constructor(options: Pick<ReadEventsOptions, 'name' | 'host'>) {
    this.#name = options.name;
    this.#host = options.host;
    this.#records = new JsonRecords({
      record: (bytes, line, column) => this.#record(bytes, line, column),
      fail: (...problem) => this.#fail(...problem),
    });
  }

  /** Reads the next piece of the text. */
  push(chunk: Uint8Array): void {
    if (this.#head === undefined) {
      this.#records.push(chunk);
      return;
    }
    const head = new Uint8Array(this.#head.length + chunk.length);
    head.set(this.#head);
    head.set(chunk, this.#head.length);
    this.#head = head;
    if (head.length >= HEAD_BYTES) this.#begin(head);
  }

  /** The input ended early for `reason`: what was read counts. */
  damaged(reason: string): void {
    this.#damage = reason;
    const { line, column } = this.#records.place;
    this.#warnings.add('damaged-input', line, column, reason);
  }

  /** The end of the input. */
  end(): EventRecording {
    if (this.#head !== undefined) this.#begin(this.#head);
    const { line, column } = this.#records.place;
    const told = this.#inOrder();
    if (told.length === 0) throw this.#nothing(line, column);
    if (this.#records.unfinished && this.#damage === undefined) {
      this.#warnings.add('truncated-line', line, column, 'the end of the JSON is missing');
    }
    return this.#resolve(told);
  }

  #resolve(told: readonly Told[]): EventRecording {
    const [{ moment: start, line } = told[0] as Told] = told;
    const resolver = new Resolver(this.#timesBack);
    let durationNs = 0;
    for (const each of told) {
      durationNs = (each.moment.ms - start.ms) * 1e6 + each.moment.ns - start.ns;
      if (durationNs > Number.MAX_SAFE_INTEGER) {
        const problem = 'this event is more than 104 days after the first';
        this.#fail(each.line, 1, problem, `cut the recording, or look at line ${line}`);
      }
      resolver.add({ ...each, timeNs: durationNs } as Timed);
    }
    const resolved = resolver.end();
    return {
      name: this.#name,
      host: this.#host,
      startMs: start.ms,
      startNs: start.ns,
      durationNs,
      records: this.#recordCount,
      ...resolved,
      counts: countEvents(resolved.events),
      skipped: this.#skipped,
      otherHosts: this.#otherHosts,
      warnings: this.#warnings.list(),
    };
  }

  /** Rule 1 of resolve.ts. */
  #inOrder(): Told[] {
    const logs = [...this.#told.values()];
    const all = logs.flat();
    const order = (a: Told, b: Told) => a.moment.ms - b.moment.ms || a.moment.ns - b.moment.ns;
    return logs.length === 1 ? all : all.sort(order);
  }

  #begin(head: Uint8Array): void {
    this.#head = undefined;
    for (const [bytes, problem, remedy] of FORMATS) {
      if (startsWith(head, 0, head.length, bytes)) this.#fail(1, 1, problem, remedy);
    }
    const marked = startsWith(head, 0, head.length, BYTE_ORDER_MARK);
    this.#records.push(marked ? head.subarray(BYTE_ORDER_MARK.length) : head);
  }

  #record(bytes: Uint8Array, line: number, column: number): void {
    this.#recordCount++;
    const fields = new Fields(this.#parse(bytes, line, column));
    try {
      const told = decode(fields, line);
      if (told === undefined) this.#skip(fields);
      else if (this.#isOurs(fields)) this.#keep(told, column);
    } catch (error) {
      if (!(error instanceof MissingField)) throw error;
      const text = `${fields.provider} event ${fields.event} has no usable ${error.message}`;
      this.#warnings.add('malformed-event', line, column, text);
    }
  }

  #parse(bytes: Uint8Array, line: number, column: number): Record<string, unknown> {
    let text: string;
    try {
      text = this.#decoder.decode(bytes);
    } catch {
      return this.#fail(line, column, 'this record is not UTF-8', 'save the file as UTF-8');
    }
    try {
      return JSON.parse(text) as Record<string, unknown>;
    } catch {
      const before = text.slice(0, jsonErrorAt(text));
      const lines = before.split('\n');
      const bytesBefore = bytesOf(lines.at(-1) as string).length;
      return this.#fail(
        line + lines.length - 1,
        (lines.length === 1 ? column : 1) + bytesBefore,
        'here the record stops being JSON',
        'correct it or remove the record',
      );
    }
  }

  #skip({ provider, event }: Fields): void {
    const known = provider === '' && event === '' ? 'no event' : `${provider} ${event}`;
    const name = this.#skipped.size < SKIPPED_MAX || this.#skipped.has(known) ? known : 'others';
    this.#skipped.set(name, (this.#skipped.get(name) ?? 0) + 1);
  }

  #isOurs({ host }: Fields): boolean {
    if (host === undefined) return true;
    this.#host ??= host;
    if (host.toLowerCase() === this.#host.toLowerCase()) return true;
    const name = this.#otherHosts.size < SKIPPED_MAX ? host : 'others';
    this.#otherHosts.set(name, (this.#otherHosts.get(name) ?? 0) + 1);
    return false;
  }

  #keep(told: Told, column: number): void {
    const log = this.#told.get(told.channel);
    if (log === undefined) {
      this.#told.set(told.channel, [told]);
      return;
    }
    const { moment } = log[log.length - 1] as Told;
    const back = told.moment.ms - moment.ms || told.moment.ns - moment.ns;
    if (back < 0) {
      this.#timesBack++;
      const text = 'a time is earlier than the one before it in its log; taken as equal';
      this.#warnings.add('time-back', told.line, column, text);
    }
    log.push(back < 0 ? { ...told, moment } : told);
  }

  #nothing(line: number, column: number): RecordingError {
    const place = [this.#name, line, column] as const;
    if (this.#damage !== undefined)
      return new RecordingError(...place, this.#damage, 'copy the file again');
    if (this.#records.unfinished)
      return new RecordingError(...place, 'the end of the JSON is missing', 'copy the file again');
    if (this.#recordCount === 0)
      return new RecordingError(this.#name, 1, 1, 'the file is empty', EXPORT_HINT);
    return new RecordingError(this.#name, 1, 1, this.#found(), EXPORT_HINT);
  }

  /** What there is instead of process events. */
  #found(): string {
    const [warning] = this.#warnings.list();
    if (warning !== undefined)
      return `no event could be used: line ${warning.firstLine}, ${warning.text}`;
    if (this.#otherHosts.size > 0)
      return `all events are of other machines (${[...this.#otherHosts.keys()].slice(0, 4).join(', ')})`;
    const most = [...this.#skipped].sort((a, b) => b[1] - a[1]).slice(0, 4);
    const names = most.map(([name, count]) => `${count} of ${name}`).join(', ');
    return `none of the ${this.#recordCount} records is a process event (${names})`;
  }

  #fail(line: number, column: number, problem: string, remedy: string): never {
    throw new RecordingError(this.#name, line, column, problem, remedy);
  }
}

/**
 * Reads all of `input`.
 *
 * @throws RecordingError if it is no recording of process events. Input that ends early
 *   (InputDamaged) after the first event is a warning of the recording.
 */
export async function readEvents(
  input: AsyncIterable<Uint8Array>,
  options: ReadEventsOptions,
): Promise<EventRecording> {
  return readAll(new EventReader(options), input, options);
}

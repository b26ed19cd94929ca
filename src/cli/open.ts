/** Recordings as files and standard input of Node; gzip and ZIP are told by their first bytes. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { InputDamaged, RecordingError } from '../index';
import { isZip, unzipped } from './zip';

const CHUNK_BYTES = 1 << 18;
const PIECE_BYTES = 1 << 14;

/** A recording's text; iterate it once. */
export class RecordingInput implements AsyncIterable<Uint8Array> {
  /** Bytes read of the file so far, compressed if it is: the progress out of `sizeBytes`. */
  bytesRead = 0;
  readonly #source: AsyncIterable<Uint8Array>;

  /** `sizeBytes` is that of the file, compressed if it is; undefined for standard input. */
  constructor(
    readonly name: string,
    readonly sizeBytes: number | undefined,
    source: AsyncIterable<Uint8Array>,
  ) {
    this.#source = source;
  }

  /** @throws InputDamaged if packed data ends early or is damaged, after all before it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const chunks = this.#counted();
    const first = await firstBytes(chunks);
    if (first[0] === 0x1f && first[1] === 0x8b) yield* gunzipped(joined(first, chunks));
    else if (isZip(first)) yield* unzipped(joined(first, chunks));
    else yield* joined(first, chunks);
  }

  async *#counted(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#source) {
        this.bytesRead += chunk.length;
        yield chunk;
      }
    } catch (error) {
      throw unreadable(this.name, error);
    }
  }
}

/**
 * Opens the recording at `path`, or standard input for `-`.
 *
 * @throws RecordingError if there is no such file or it cannot be read.
 */
export async function openRecording(path: string): Promise<RecordingInput> {
  if (path === '-') return new RecordingInput('<stdin>', undefined, process.stdin);
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (found.isDirectory()) {
    throw new RecordingError(path, 1, 1, 'this is a directory', 'name the file of a recording');
  }
  const source = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  return new RecordingInput(path, found.isFile() ? found.size : undefined, source);
}

/** At least two bytes, unless there are fewer. */
async function firstBytes(chunks: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  let first: Uint8Array = new Uint8Array(0);
  while (first.length < 2) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    first = first.length === 0 ? value : Buffer.concat([first, value]);
  }
  return first;
}

async function* joined(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first;
  yield* rest;
}

/**
 * Members one after another are one text. Only the writing side is slowed down: a stream that is
 * destroyed by an error drops what its reading side still holds, and that is good text. Of damaged
 * data the last output buffer (16 KiB) is lost with the error.
 */
async function* gunzipped(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  const ready: Uint8Array[] = [];
  let failure: Error | undefined;
  gunzip.on('data', (chunk: Uint8Array) => ready.push(chunk));
  gunzip.on('error', (error) => {
    failure = error;
  });
  const closed = new Promise<void>((resolve) => gunzip.once('close', resolve));
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length && failure === undefined; at += PIECE_BYTES) {
        const piece = chunk.subarray(at, at + PIECE_BYTES);
        const written = new Promise<void>((resolve) => gunzip.write(piece, () => resolve()));
        await Promise.race([written, closed]);
        yield* ready.splice(0);
      }
      if (failure !== undefined) break;
    }
    if (failure === undefined) gunzip.end();
    await closed;
    yield* ready.splice(0);
  } finally {
    gunzip.destroy();
  }
  if (failure !== undefined) throw damagedGzip(failure);
}

function damagedGzip(error: Error): InputDamaged {
  const early = 'code' in error && error.code === 'Z_BUF_ERROR';
  const what = early ? 'the gzip data ends early' : `the gzip data is damaged: ${error.message}`;
  return new InputDamaged(what);
}

function unreadable(name: string, error: unknown): RecordingError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') {
    return new RecordingError(name, 1, 1, 'there is no such file', 'check its name');
  }
  const why = error instanceof Error ? error.message : String(error);
  return new RecordingError(name, 1, 1, `the file cannot be read (${why})`, 'check its rights');
}

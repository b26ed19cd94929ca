import { InputDamaged } from '../index';

const PIECE_BYTES = 1 << 17;

/** Lets the page be drawn and used before going on. */
const pause = () => new Promise<void>((resolve) => setTimeout(resolve));

/** A recording of the page's user. Its name is for messages. */
export interface PageInput {
  readonly name: string;
  readonly content: Blob;
}

/**
 * The text of a recording, in pieces between which the page can be used; gzip is told by its first bytes.
 *
 * @param onProgress the share of the input that has been read, 0-1.
 * @throws InputDamaged if gzip data is damaged, after what could be read of it; the reason of
 *   `signal` when that is given.
 */
export async function* recordingText(
  { content }: PageInput,
  signal: AbortSignal,
  onProgress: (share: number) => void,
): AsyncGenerator<Uint8Array> {
  const [first, second] = new Uint8Array(await content.slice(0, 2).arrayBuffer());
  const isGzip = first === 0x1f && second === 0x8b;
  let bytesRead = 0;
  const counted = content.stream().pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        bytesRead += chunk.length;
        controller.enqueue(chunk);
      },
    }),
  );
  const text = isGzip ? counted.pipeThrough(new DecompressionStream('gzip')) : counted;
  const reader = text.getReader();
  for (;;) {
    const { value, done } = await reader.read().catch((error: unknown) => {
      if (!isGzip) throw error;
      throw new InputDamaged(`the gzip data is damaged: ${(error as Error).message}`);
    });
    if (done) return;
    for (let at = 0; at < value.length; at += PIECE_BYTES) {
      signal.throwIfAborted();
      yield value.subarray(at, at + PIECE_BYTES);
      onProgress(bytesRead / content.size);
      await pause();
    }
  }
}

declare global {
  /** The shipped recording in base64, once its script has been loaded. */
  var ntpsRecording: string | undefined;
}

/** The recording that is shipped beside the page: a script, which a page from a file may load too. */
export async function shippedRecording(): Promise<PageInput> {
  if (globalThis.ntpsRecording === undefined) {
    const script = document.createElement('script');
    script.src = 'recording.js';
    await new Promise((resolve, reject) => {
      script.addEventListener('load', resolve);
      script.addEventListener('error', () =>
        reject(new Error('recording.js is not beside this page: copy the whole folder build/web')),
      );
      document.head.append(script);
    });
  }
  const bytes = Uint8Array.from(atob(globalThis.ntpsRecording ?? ''), (letter) =>
    letter.charCodeAt(0),
  );
  return { name: 'build.ftrace.gz', content: new Blob([bytes]) };
}

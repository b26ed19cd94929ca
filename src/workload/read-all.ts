import { InputDamaged } from './errors';

/** What makes something of text that it is given in chunks. */
export interface ChunkReader<T> {
  push(chunk: Uint8Array): void;
  /** The input ends early, and why. */
  damaged(reason: string): void;
  end(): T;
}

/** Gives a reader all of `input`, and tells after each chunk how many bytes it has had. */
export async function readAll<T>(
  reader: ChunkReader<T>,
  input: AsyncIterable<Uint8Array>,
  options: { readonly onProgress?: (bytes: number) => void },
): Promise<T> {
  let bytes = 0;
  try {
    for await (const chunk of input) {
      reader.push(chunk);
      bytes += chunk.length;
      options.onProgress?.(bytes);
    }
  } catch (error) {
    if (!(error instanceof InputDamaged)) throw error;
    reader.damaged(error.message);
  }
  return reader.end();
}

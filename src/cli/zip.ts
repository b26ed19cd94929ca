/** The one file of a ZIP archive, as it comes. */
import { Unzip, UnzipInflate } from 'fflate';
import { InputDamaged } from '../index';

/** The first bytes of a ZIP archive that has files: PK\3\4. */
export function isZip([a, b]: Uint8Array): boolean {
  return a === 0x50 && b === 0x4b;
}

/**
 * Unpacks the first file of an archive. One with more is refused: which is meant is not told.
 *
 * @throws InputDamaged if the archive ends early, is damaged, encrypted or has several files, after
 *   what could be read of the first.
 */
export async function* unzipped(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  let file: string | undefined;
  let done = false;
  let failure: string | undefined;
  const unzip = new Unzip((entry) => {
    if (entry.name.endsWith('/')) return;
    if (file !== undefined) {
      failure ??= `the archive has several files (${file}, ${entry.name}, …): unpack the one that is meant`;
      return;
    }
    file = entry.name;
    entry.ondata = (error, data, final) => {
      if (error !== null) failure = `the archive is damaged: ${error.message}`;
      else if (data.length > 0) ready.push(data);
      done ||= final;
    };
    entry.start();
  });
  unzip.register(UnzipInflate);
  for await (const chunk of chunks) {
    try {
      unzip.push(chunk, false);
    } catch (error) {
      failure ??= `the archive is damaged or of an unknown kind: ${(error as Error).message}`;
    }
    yield* ready.splice(0);
    if (failure !== undefined) throw new InputDamaged(failure);
  }
  if (file === undefined) throw new InputDamaged('the archive has no file in it');
  if (!done) throw new InputDamaged('the archive ends early');
}

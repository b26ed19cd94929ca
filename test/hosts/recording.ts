import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const PATH = join(import.meta.dirname, '../../examples/recordings/build.ftrace.gz');

/** The first `lines` lines of the shipped recording. */
export function recordingPrefix(lines: number): Uint8Array {
  const text = gunzipSync(readFileSync(PATH)).toString('latin1');
  return Buffer.from(text.split('\n', lines).join('\n'), 'latin1');
}

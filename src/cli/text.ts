import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { WorkloadError } from '../index';

/**
 * The text of a workload's file, or of standard input for `-`.
 *
 * @throws WorkloadError if there is no such file or it cannot be read.
 */
export async function textOf(path: string): Promise<string> {
  if (path === '-') return text(process.stdin);
  return readFile(path, 'utf8').catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') {
      throw new WorkloadError(path, 1, 1, 'there is no such file', 'check its name');
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new WorkloadError(path, 1, 1, `the file cannot be read (${why})`, 'name a file');
  });
}

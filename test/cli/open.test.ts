import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { strToU8, zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRecording } from '../../src/cli/open';
import { readRecording } from '../../src/workload/ftrace';
import type { RecordingSummary } from '../../src/workload/summary';
import { LogSink } from '../workload/sink';
import { event, switchTo } from '../workload/trace-text';

const filler = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => event(from + i, 'b-2', `print: ${i * 7919}`)).join('');

const FIRST = switchTo(10, 'a-1', 'S', 'b-2') + filler(11, 3000);
const SECOND = filler(5000, 3000) + switchTo(9000, 'b-2', 'S', 'a-1');

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ntps-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function read(name: string, content: string | Uint8Array): Promise<RecordingSummary> {
  const path = join(folder, name);
  writeFileSync(path, content);
  const input = await openRecording(path);
  const summary = await readRecording(input, new LogSink(), { name });
  expect(input.bytesRead).toBe(input.sizeBytes);
  return summary;
}

describe('openRecording', () => {
  it('reads text, gzip and gzip of several members alike', async () => {
    const plain = await read('plain', FIRST + SECOND);
    expect(plain.lines).toBe(6002);
    expect(await read('one', gzipSync(FIRST + SECOND))).toEqual({ ...plain, name: 'one' });
    const members = Buffer.concat([gzipSync(FIRST), gzipSync(SECOND)]);
    expect(await read('two', members)).toEqual({ ...plain, name: 'two' });
  });

  it('uses what can be read of gzip data that end early', async () => {
    const whole = gzipSync(FIRST + SECOND);
    const summary = await read('cut', whole.subarray(0, whole.length >> 1));
    expect(summary.lines).toBeGreaterThan(2000);
    expect(summary.lines).toBeLessThan(4000);
    expect(summary.warnings.map((each) => each.kind)).toContain('damaged-input');
  });

  it('uses what can be read of damaged gzip data', async () => {
    const damaged = Buffer.concat([gzipSync(FIRST), Buffer.alloc(2000, 0x1f)]);
    const summary = await read('bad', damaged);
    expect(summary.lines).toBeGreaterThan(2500);
    expect(summary.warnings.map((each) => each.kind)).toContain('damaged-input');
  });

  it('reads the one file of a ZIP archive, stored or deflated, folders aside', async () => {
    const plain = await read('plain2', FIRST + SECOND);
    for (const level of [0, 6] as const) {
      const zip = zipSync({ folder: { 'log.txt': [strToU8(FIRST + SECOND), { level }] } });
      expect(await read('log.zip', zip)).toEqual({ ...plain, name: 'log.zip' });
    }
  });

  it('uses what can be read of an archive that ends early or has several files', async () => {
    const zip = zipSync({ 'a.txt': strToU8(FIRST), 'b.txt': strToU8(SECOND) });
    for (const [name, bytes] of [
      ['cut.zip', zip.subarray(0, 5000)],
      ['several.zip', zip],
    ] as const) {
      const summary = await read(name, bytes);
      expect(summary.warnings.map((each) => each.kind)).toContain('damaged-input');
    }
  });

  it('names a file that is not there or is a directory', async () => {
    await expect(openRecording(join(folder, 'none'))).rejects.toThrow('there is no such file');
    await expect(openRecording(folder)).rejects.toThrow('this is a directory');
  });

  it('refuses a file that has only a gzip header', async () => {
    await expect(read('header', gzipSync('').subarray(0, 10))).rejects.toThrow(
      /^header:1:1: the gzip data ends early.*copy the file again$/,
    );
  });

  it('tells the progress in bytes of text', async () => {
    const seen: number[] = [];
    const path = join(folder, 'progress');
    writeFileSync(path, gzipSync(FIRST));
    const input = await openRecording(path);
    await readRecording(input, new LogSink(), { name: path, onProgress: (n) => seen.push(n) });
    expect(seen.at(-1)).toBe(FIRST.length);
  });
});

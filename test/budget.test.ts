import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

/** Limits are a tenth above what it takes; whoever raises one says in the commit what it bought. */
test.each([
  ['ntps.wasm', 33_000],
  ['threads.js', 53_000],
  ['ntps.js', 535_000],
])('%s is at most %i bytes compressed', (name, limitBytes) => {
  const bytes = readFileSync(join(import.meta.dirname, '../build', name));
  expect(gzipSync(bytes, { level: 9 }).length).toBeLessThanOrEqual(limitBytes);
});

const textOf = (name: string) => readFileSync(join(import.meta.dirname, '../build', name), 'utf8');
const STATIC_IMPORT = /^(import|export .* from)\b.*$/gm;

test('port.js is one file that imports nothing', () => {
  expect(textOf('port.js').match(STATIC_IMPORT)).toBeNull();
  expect(textOf('port.js')).not.toContain('import(');
});

test('ntps.js is one file, but for what workers need when they are asked for', () => {
  const text = textOf('ntps.js');
  expect(text.match(STATIC_IMPORT)).toBeNull();
  expect(text.match(/import\((?!\/\* @vite-ignore \*\/).*?\)/g)).toEqual([
    "import('./threads.js')",
  ]);
});

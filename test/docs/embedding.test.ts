import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const GUIDE = readFileSync(join(ROOT, 'EMBEDDING.md'), 'utf8');
// Inside of the package, where 'ntps' is its own name.
const folder = mkdtempSync(join(ROOT, 'build/embedding-'));
afterAll(() => rmSync(folder, { recursive: true }));

const snippets = [...GUIDE.matchAll(/```js(?: file=(\S+))?\n([\s\S]*?)```/g)].map(
  ([, file, code = ''], index) => ({ file: file ?? `snippet-${index}.mjs`, code }),
);
for (const { file, code } of snippets) writeFileSync(join(folder, file), code);

test.each([
  [
    'snippet-0.mjs',
    [
      'a sleeps at 5400 ns',
      'b sleeps at 9800 ns',
      'a sleeps at 31257950 ns',
      'b sleeps at 31262500 ns',
      'a sleeps at 62507950 ns',
      'b sleeps at 62512500 ns',
      'a sleeps at 93757950 ns',
      'b sleeps at 93762500 ns',
      'idle',
    ],
  ],
  ['snippet-1.mjs', ['25150']],
  ['snippet-3.mjs', ['0 30', '2 30', '1']],
])('what the guide has in %s runs', (file, lines) => {
  const printed = execFileSync(process.execPath, [join(folder, file)], { encoding: 'utf8' });
  expect(printed.trimEnd().split('\n')).toEqual(lines);
});

test('the guide has four pieces of code', () => {
  expect(snippets.map(({ file }) => file)).toEqual([
    'snippet-0.mjs',
    'snippet-1.mjs',
    'counter-port.mjs',
    'snippet-3.mjs',
  ]);
});

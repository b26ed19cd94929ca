import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { modelledTable, routinesIn } from './modelled';

const ROOT = join(import.meta.dirname, '../..');
const OPEN = '<!-- modelled: written by `npx vitest run test/docs -u` -->\n';
const CLOSE = '\n<!-- /modelled -->';

test('the README has the table of what is modelled that the docstrings tell', async () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [before, rest] = readme.split(OPEN);
  const [, after] = rest?.split(CLOSE) ?? [];
  expect([before, after]).not.toContain(undefined);
  const current = `${before}${OPEN}${modelledTable(ROOT)}${CLOSE}${after}`;
  await expect(current).toMatchFileSnapshot(join(ROOT, 'README.md'));
});

test('a docstring tells the name, the IRQL and what is missing, and the kernel’s own are left out', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ntps-docs-'));
  const file = join(folder, 'a.ts');
  writeFileSync(
    file,
    [
      '/** Sets it. @irql any @nt KeSetIt */ export const a = "/** @nt KeNot */";',
      '/**\n * Waits.\n *\n * @irql at most APC_LEVEL\n * @nt KeWaitForIt (partial: no alerts,\n *   no timeout)\n */',
      '/** @nt KiSetIt */',
    ].join('\n'),
  );
  expect(routinesIn(file, 'x')).toEqual([
    { name: 'KeSetIt', irql: 'any', partial: undefined, from: 'x' },
    {
      name: 'KeWaitForIt',
      irql: 'at most APC_LEVEL',
      partial: 'no alerts, no timeout',
      from: 'x',
    },
  ]);
  rmSync(folder, { recursive: true });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { assemblePort } from '../../src/port/assemble';
import { portUsage } from '../../src/port/instructions';
import { referenceTables } from './reference';

const FILE = join(import.meta.dirname, '../../examples/port/README.md');
const OPEN = '<!-- instructions: written by `npx vitest run test/port -u` -->\n';
const CLOSE = '\n<!-- /instructions -->';

test('the reference has the tables that the instruction set comes to', async () => {
  const text = readFileSync(FILE, 'utf8');
  const [before, rest] = text.split(OPEN);
  const after = rest?.slice(`\n${rest}`.indexOf(CLOSE) + CLOSE.length - 1);
  expect([before, after]).not.toContain(undefined);
  const current = `${before}${OPEN}${referenceTables(portUsage)}${CLOSE}${after}`;
  await expect(current).toMatchFileSnapshot(FILE);
});

test('the example of the reference assembles', () => {
  const source = /```\n([\s\S]*?)```/.exec(readFileSync(FILE, 'utf8'))?.[1] ?? '';
  expect(assemblePort(source).labels.get('cell')).toBe(0x1c);
});

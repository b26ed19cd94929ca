import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkDriver, type DriverOptions, Machine, processManager, STATUS } from 'ntps';
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

test('the driver of the README loads, follows the rules, and refuses what it says', async () => {
  const code = /```js\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1];
  const folder = mkdtempSync(join(ROOT, 'build/readme-'));
  const file = join(folder, 'driver.mjs');
  writeFileSync(file, code ?? '');
  const driver: { readonly default: DriverOptions } = await import(pathToFileURL(file).href);
  const { findings, status } = await checkDriver(driver.default, { neighbours: 'all' });
  expect([findings, status]).toEqual([[], STATUS.SUCCESS]);
  const machine = await Machine.create();
  machine.loadDriver(driver.default);
  machine.run();
  const ps = processManager(machine);
  const made = ['a.exe', 'Mimikatz.exe'].map((name) => ps.createProcess({ image: `C:\\${name}` }));
  machine.run();
  expect(made.map((creation) => creation.status)).toEqual([STATUS.SUCCESS, STATUS.ACCESS_DENIED]);
  rmSync(folder, { recursive: true });
});

test('the tests of the README’s driver pass in vitest', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [driver, tests] = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code);
  const folder = mkdtempSync(join(ROOT, 'build/readme-'));
  writeFileSync(join(folder, 'refuse.js'), driver ?? '');
  writeFileSync(join(folder, 'refuse.test.mjs'), tests ?? '');
  // Else it would be the project's own.
  writeFileSync(join(folder, 'vitest.config.js'), 'export default {};');
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const printed = execFileSync(
    process.execPath,
    [vitest, 'run', '--root', folder, '--reporter=json'],
    { encoding: 'utf8' },
  );
  expect(JSON.parse(printed)).toMatchObject({ numPassedTests: 2, numTotalTests: 2 });
  rmSync(folder, { recursive: true });
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

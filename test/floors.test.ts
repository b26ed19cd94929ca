import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseConfig from 'dependency-cruiser/config-utl/extract-depcruise-config';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const { forbidden = [], options = {} } = await extractDepcruiseConfig(
  join(ROOT, '.dependency-cruiser.mjs'),
);

async function violations(baseDir: string): Promise<string[]> {
  const { output } = await cruise(['src', 'assembly'], {
    ...options,
    baseDir,
    validate: true,
    ruleSet: { forbidden },
  });
  const { summary } = output as ICruiseResult;
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`).sort();
}

const PACKAGES = {
  dependencies: { shipped: '1' },
  devDependencies: { tool: '1', '@assemblyscript/loader': '1' },
};

/** A package in which each file imports the modules given. */
async function violationsOf(files: Readonly<Record<string, readonly string[]>>): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ntps-floors-'));
  try {
    writeFileSync(join(folder, 'package.json'), JSON.stringify(PACKAGES));
    for (const name of ['shipped', 'tool', '@assemblyscript/loader']) {
      mkdirSync(join(folder, 'node_modules', name), { recursive: true });
      writeFileSync(join(folder, 'node_modules', name, 'index.js'), '');
    }
    for (const tree of ['src', 'assembly']) mkdirSync(join(folder, tree));
    for (const [path, imports] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      const text = imports.map((each) => `import ${each};\n`).join('');
      writeFileSync(join(folder, path), `${text}export type T = 1;\nexport const v = 1;\n`);
    }
    return await violations(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('every file imports its own folder and lower floors, and nothing else', async () => {
  expect(await violations(ROOT)).toEqual([]);
});

test('an import of a higher floor or of a sibling is found, of a type too', async () => {
  const found = await violationsOf({
    'assembly/shared/map.ts': ["'../hal'"],
    'assembly/hal.ts': ["'./shared/map'"],
    'assembly/rtl.ts': ["{ v } from './ke/a'"],
    'assembly/ke/a.ts': ["'./b'", "'../rtl'"],
    'assembly/ke/b.ts': ["'./a'"],
    'assembly/port/a.ts': ["'../shared/map'", "'../rtl'"],
    'assembly/index.ts': ["'./port/a'"],
    'src/machine/a.ts': ["type { T } from '../ke/a'", "'../../assembly/shared/map'"],
    'src/ke/a.ts': ["'../index'"],
    'src/ob/a.ts': ["{ type T } from '../ps/a'"],
    'src/ps/a.ts': ["'../ke/a'"],
    'src/trace/a.ts': ["'../workload/a'"],
    'src/workload/a.ts': ["'../ps/a'"],
    'src/index.ts': ["'./workload/a'"],
  });
  expect(found).toEqual([
    'floor assembly/port: assembly/port/a.ts -> assembly/rtl.ts',
    'floor assembly/rtl: assembly/rtl.ts -> assembly/ke/a.ts',
    'floor assembly/shared: assembly/shared/map.ts -> assembly/hal.ts',
    'floor src/ke: src/ke/a.ts -> src/index.ts',
    'floor src/machine: src/machine/a.ts -> src/ke/a.ts',
    'floor src/ob: src/ob/a.ts -> src/ps/a.ts',
    'floor src/trace: src/trace/a.ts -> src/workload/a.ts',
    'no file imports itself in a circle: assembly/hal.ts -> assembly/shared/map.ts',
    'no file imports itself in a circle: assembly/rtl.ts -> assembly/ke/a.ts',
    'no file imports itself in a circle: src/index.ts -> src/workload/a.ts',
    'the core and the reference port are apart: assembly/index.ts -> assembly/port/a.ts',
  ]);
});

test('the command and the page see the index only, and a folder of no floor is found', async () => {
  const found = await violationsOf({
    'src/machine/a.ts': [],
    'src/index.ts': ["'./machine/a'"],
    'src/cli/a.ts': ["'../index'", "'./b'", "'../machine/a'", "'../web/a'", "'node:fs'"],
    'src/cli/b.ts': ["'../../assembly/shared/map'"],
    'src/web/a.ts': ["'../index'", "'node:fs'"],
    'src/spare/a.ts': ["'../machine/a'"],
    'assembly/shared/map.ts': [],
  });
  expect(found).toEqual([
    'cli and web see the index only: src/cli/a.ts -> src/machine/a.ts',
    'cli and web see the index only: src/cli/a.ts -> src/web/a.ts',
    'cli and web see the index only: src/cli/b.ts -> assembly/shared/map.ts',
    'floor src/cli: src/cli/a.ts -> src/web/a.ts',
    'on no floor: src/spare/a.ts -> src/machine/a.ts',
    'the library runs on every host: src/web/a.ts -> fs',
  ]);
});

test('the core imports nothing from outside, and the host of the core its map only', async () => {
  const found = await violationsOf({
    'assembly/hal.ts': ["'../src/machine/a'", "'shipped'"],
    'assembly/rtl.ts': [],
    'assembly/shared/map.ts': [],
    'src/machine/a.ts': ["'../../assembly/rtl'", "'../../assembly/shared/map'", "'./nowhere'"],
  });
  expect(found).toEqual([
    'every import leads somewhere: src/machine/a.ts -> ./nowhere',
    'of the core, the host sees the map: src/machine/a.ts -> assembly/rtl.ts',
    'the core stands alone: assembly/hal.ts -> node_modules/shipped/index.js',
    'the core stands alone: assembly/hal.ts -> src/machine/a.ts',
  ]);
});

test('the library needs no package and nothing of Node, and the command what is shipped with it', async () => {
  const found = await violationsOf({
    'src/machine/a.ts': ["'@assemblyscript/loader'", "'node:fs'"],
    'src/ke/a.ts': ["'@assemblyscript/loader'"],
    'src/workload/a.ts': ["'shipped'"],
    'src/cli/a.ts': ["'shipped'", "'tool'", "'node:fs'"],
  });
  expect(found).toEqual([
    'only the machine makes instances of the core: src/ke/a.ts -> node_modules/@assemblyscript/loader/index.js',
    'the library runs on every host: src/machine/a.ts -> fs',
    'the library runs on every host: src/workload/a.ts -> node_modules/shipped/index.js',
    'what is shipped is a dependency: src/cli/a.ts -> node_modules/tool/index.js',
  ]);
});

test('a circle of imports is found, one of types is not', async () => {
  const found = await violationsOf({
    'src/machine/a.ts': ["'./b'", "type { T } from './c'"],
    'src/machine/b.ts': ["'./a'"],
    'src/machine/c.ts': ["'./a'", "{ type T } from './d'"],
    'src/machine/d.ts': ["'./c'"],
  });
  expect(found).toEqual([
    'no file imports itself in a circle: src/machine/a.ts -> src/machine/b.ts',
  ]);
});

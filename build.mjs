// Builds what is stale: the core (asc), its bytes as a module, the library and the command (tsc, rollup).
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const newest = (path) => {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
};
const isStale = (output, inputs) =>
  !existsSync(output) || Math.max(...inputs.map(newest)) > statSync(output).mtimeMs;
const run = (script, ...args) => execFileSync(process.execPath, [script, ...args], { stdio: 'inherit' });

// asc inlines less than a hot path of small functions needs, and has no option for it: a switch costs a fifth less.
const inline = (wasm) => {
  const features = ['bulk-memory', 'sign-ext', 'mutable-globals', 'nontrapping-float-to-int'];
  run(
    'node_modules/binaryen/bin/wasm-opt',
    wasm,
    '-O4',
    ...features.map((feature) => `--enable-${feature}`),
    '--one-caller-inline-max-function-size=100000',
    '--flexible-inline-max-function-size=150',
    '--always-inline-max-function-size=20',
    '-o',
    wasm,
  );
};

mkdirSync('build', { recursive: true });
const asc = 'node_modules/assemblyscript/bin/asc.js';
for (const [output, entry, target] of [
  ['build/ntps.wasm', 'assembly/index.ts', 'release'],
  ['build/ntps.debug.wasm', 'assembly/debug.ts', 'debug'],
]) {
  if (!isStale(output, ['assembly', 'asconfig.json', 'build.mjs'])) continue;
  run(asc, entry, '--target', target);
  if (target === 'release') inline(output);
}
if (isStale('build/core.js', ['build/ntps.wasm'])) {
  const bytes = readFileSync('build/ntps.wasm').toString('base64');
  writeFileSync('build/core.js', `export default '${bytes}';\n`);
  writeFileSync('build/core.d.ts', 'declare const bytes: string;\nexport default bytes;\n');
}
if (isStale('build/ntps.js', ['src', 'assembly/shared', 'build/core.js', 'rollup.config.mjs'])) {
  run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
  run('node_modules/rollup/dist/bin/rollup', '-c', '--silent');
}

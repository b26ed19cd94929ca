// Builds what is stale: the core (asc), its bytes as a module, its plain-JavaScript form (wasm2js), the
// library and the command (tsc, rollup).
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const newest = (path) => {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
};
const isStale = (output, inputs) =>
  !existsSync(output) || Math.max(...inputs.map(newest)) > statSync(output).mtimeMs;
const run = (script, ...args) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`node ${script} ${args.join(' ')} ended with ${code}`));
    });
  });

const CORE = ['assembly', 'asconfig.json', 'build.mjs'];
const compile = (entry, target, output) =>
  run('node_modules/assemblyscript/bin/asc.js', entry, '--target', target, '--outFile', output);

// asc inlines less than a hot path of small functions needs, and has no option for it: a switch costs a fifth less, an uncontended wait a third.
const inline = (wasm, output, features) =>
  run(
    'node_modules/binaryen/bin/wasm-opt',
    wasm,
    '-O4',
    ...features.map((feature) => `--enable-${feature}`),
    '--one-caller-inline-max-function-size=100000',
    '--flexible-inline-max-function-size=400',
    '--always-inline-max-function-size=60',
    '-o',
    output,
  );
const FEATURES = ['bulk-memory', 'sign-ext', 'mutable-globals', 'nontrapping-float-to-int'];

async function buildRelease() {
  if (isStale('build/ntps.wasm', CORE)) {
    await compile('assembly/index.ts', 'release', 'build/ntps.asc.wasm');
    await inline('build/ntps.asc.wasm', 'build/ntps.wasm', FEATURES);
  }
  if (!isStale('build/core.js', ['build/ntps.wasm'])) return;
  const bytes = readFileSync('build/ntps.wasm').toString('base64');
  writeFileSync('build/core.js', `export default '${bytes}';\n`);
}

const MODULE_TYPES = `import type { CoreModule } from './ntps.js';

/** The core where an import of WebAssembly gives a compiled module: \`Machine.create({ core })\`. */
declare const core: CoreModule;
export default core;
`;

async function buildDebug() {
  if (!isStale('build/ntps.debug.wasm', CORE)) return;
  await compile('assembly/debug.ts', 'debug', 'build/ntps.debug.wasm');
}

const PLAIN_EXPORT = `
/** Makes the exports of the core on a memory of fixed size: an option \`core\` of a machine. */
export default ({ env }) => instantiate({ env: { memory: { buffer: env.memory.buffer } } });
`;
const PLAIN_TYPES = `import type { CoreSource } from './ntps.js';

/** The core in plain JavaScript, for hosts that may not compile WebAssembly: \`Machine.create({ core })\`. */
declare const core: CoreSource;
export default core;
`;

async function buildPlain() {
  if (!isStale('build/ntps.plain.js', CORE)) return;
  await compile('assembly/index.ts', 'plain', 'build/ntps.plain.wasm');
  const options = ['-O3', '--pedantic', '--emscripten', '-o', 'build/ntps.plain.part.js'];
  await run('node_modules/binaryen/bin/wasm2js', 'build/ntps.plain.wasm', ...options);
  writeFileSync('build/ntps.plain.part.js', PLAIN_EXPORT, { flag: 'a' });
  writeFileSync('build/ntps.plain.d.ts', PLAIN_TYPES);
  renameSync('build/ntps.plain.part.js', 'build/ntps.plain.js');
}

const SOURCES = ['src', 'assembly/shared', 'tsconfig.json', 'tsconfig.build.json'];

async function compileSources() {
  writeFileSync('build/ntps.wasm.d.ts', MODULE_TYPES);
  writeFileSync('build/core.d.ts', 'declare const bytes: string;\nexport default bytes;\n');
  if (isStale('build/ts/src/index.js', SOURCES)) {
    await run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
  }
}

mkdirSync('build', { recursive: true });
await Promise.all([buildRelease(), buildDebug(), buildPlain(), compileSources()]);
const BUNDLED = [...SOURCES, 'examples/recordings', 'build/core.js', 'rollup.config.mjs'];
// The types are written last.
if (isStale('build/ntps.d.ts', BUNDLED)) {
  await run('node_modules/rollup/dist/bin/rollup', '-c', '--silent');
}

// Builds what is stale: the core (asc), its bytes as a module, its plain-JavaScript form (wasm2js), the
// core for workers, the reference port, the library and the command (tsc, rollup).
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
const ASC = 'node_modules/assemblyscript/bin/asc.js';
const compile = (entry, target, output) => run(ASC, entry, '--target', target, '--outFile', output);

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

async function buildThreads() {
  if (!isStale('build/ntps.threads.wasm', CORE)) return;
  await compile('assembly/threads.ts', 'threads', 'build/ntps.threads.asc.wasm');
  await inline('build/ntps.threads.asc.wasm', 'build/ntps.threads.wasm', [...FEATURES, 'threads']);
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

async function buildThreadsDebug() {
  if (!isStale('build/ntps.threads.debug.wasm', CORE)) return;
  await compile('assembly/threads.ts', 'threads-debug', 'build/ntps.threads.debug.wasm');
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

const PORT = ['assembly/port', 'assembly/shared', 'build.mjs'];
const PORT_MODULE_TYPES = `import type { PortModule } from './ntps.js';

/** The reference port: a register machine whose guests \`assemblePort\` makes. */
export declare const openPort: PortModule['openPort'];
`;

async function buildPort() {
  if (!isStale('build/port-core.js', PORT)) return;
  const config = ['--config', 'assembly/port/asconfig.json', '--target'];
  const lines = ['plain', 'shared'].map(async (target) => {
    const wasm = `build/port.${target}.wasm`;
    await run(ASC, 'assembly/port/index.ts', ...config, target, '--outFile', wasm);
    return `export const ${target} = '${readFileSync(wasm).toString('base64')}';\n`;
  });
  writeFileSync('build/port-core.d.ts', 'export declare const plain: string, shared: string;\n');
  writeFileSync('build/port.d.ts', PORT_MODULE_TYPES);
  writeFileSync('build/port-core.js', (await Promise.all(lines)).join(''));
}

const SOURCES = ['src', 'assembly/shared', 'tsconfig.json', 'tsconfig.build.json'];

async function compileSources() {
  writeFileSync('build/ntps.wasm.d.ts', MODULE_TYPES);
  writeFileSync('build/core.d.ts', 'declare const bytes: string;\nexport default bytes;\n');
  writeFileSync('build/threads.d.ts', 'export declare const core: string, script: string;\n');
  if (isStale('build/ts/src/index.js', SOURCES)) {
    await run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
  }
}

mkdirSync('build', { recursive: true });
await Promise.all([
  buildRelease(),
  buildDebug(),
  buildPlain(),
  buildThreads(),
  buildThreadsDebug(),
  buildPort(),
  compileSources(),
]);
const BYTES = ['build/core.js', 'build/ntps.threads.wasm', 'build/port-core.js'];
const BUNDLED = [...SOURCES, 'examples/recordings', ...BYTES, 'rollup.config.mjs'];
// The types are written last.
if (isStale('build/ntps.d.ts', BUNDLED)) {
  await run('node_modules/rollup/dist/bin/rollup', '-c', '--silent');
}

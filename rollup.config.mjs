import { readFileSync } from 'node:fs';
import resolve from '@rollup/plugin-node-resolve';
import { dts } from 'rollup-plugin-dts';

/** Ambient const enums cannot be used under isolatedModules (TS2748): the shipped types have plain ones. */
const plainEnums = {
  name: 'plain-enums',
  renderChunk: (code) => code.replace(/\bconst enum\b/g, 'enum'),
};

/** Above the library's own floor, code sees its index only, and the bundles see the library's. */
const library = {
  name: 'library',
  resolveId: (source) =>
    /^(\.\.\/)+index$/.test(source) ? { id: './ntps.js', external: 'relative' } : undefined,
};

/** The library loads it when workers are asked for: their script, and the core for shared memory. */
const threads = {
  name: 'threads',
  resolveId: (source) =>
    source === '#threads' ? { id: './threads.js', external: 'relative' } : undefined,
};
const worker = {
  name: 'worker',
  generateBundle(_, bundle) {
    const [chunk] = Object.values(bundle);
    delete bundle[chunk.fileName];
    const core = readFileSync('build/ntps.threads.wasm', 'base64');
    const source = `export const core = '${core}';\nexport const script = ${JSON.stringify(chunk.code)};\n`;
    this.emitFile({ type: 'asset', fileName: 'threads.js', source });
  },
};

/** What stands beside the page's script. The recording is a script too: a page from a file may load one. */
const page = {
  name: 'page',
  generateBundle() {
    for (const fileName of ['index.html', 'style.css']) {
      this.emitFile({ type: 'asset', fileName, source: readFileSync(`src/web/${fileName}`) });
    }
    const recording = readFileSync('examples/recordings/build.ftrace.gz', 'base64');
    const source = `globalThis.ntpsRecording = '${recording}';\n`;
    this.emitFile({ type: 'asset', fileName: 'recording.js', source });
  },
};

export default [
  {
    input: { worker: 'build/ts/src/machine/worker/main.js' },
    output: { dir: 'build', format: 'es' },
    plugins: [worker],
  },
  {
    input: { ntps: 'build/ts/src/index.js' },
    output: { dir: 'build', format: 'es' },
    plugins: [threads, resolve()],
  },
  {
    // Workers import it: it stands alone.
    input: { port: 'build/ts/src/port/module.js' },
    output: { dir: 'build', format: 'es' },
    plugins: [resolve()],
  },
  {
    input: { cli: 'build/ts/src/cli/main.js' },
    output: { dir: 'build', format: 'es', banner: '#!/usr/bin/env node' },
    external: [
      /^node:/,
      'ajv',
      'cli-progress',
      'cli-table3',
      'commander',
      'fflate',
      'jsonc-parser',
    ],
    plugins: [library, resolve({ preferBuiltins: true })],
  },
  {
    // Not a module: a page from a file may not load those.
    input: { replay: 'build/ts/src/web/main.js' },
    output: { dir: 'build/web', format: 'iife' },
    plugins: [threads, resolve(), page],
  },
  {
    input: { ntps: 'build/ts/src/index.d.ts' },
    output: { dir: 'build', format: 'es' },
    plugins: [dts(), plainEnums],
  },
];

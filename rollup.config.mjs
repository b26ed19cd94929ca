import resolve from '@rollup/plugin-node-resolve';
import { dts } from 'rollup-plugin-dts';

/** Ambient const enums cannot be used under isolatedModules (TS2748): the shipped types have plain ones. */
const plainEnums = {
  name: 'plain-enums',
  renderChunk: (code) => code.replace(/\bconst enum\b/g, 'enum'),
};

export default [
  {
    input: { ntps: 'build/ts/src/index.js', cli: 'build/ts/src/cli/main.js' },
    output: { dir: 'build', format: 'es', chunkFileNames: '[name].js', banner: (chunk) => (chunk.name === 'cli' ? '#!/usr/bin/env node' : '') },
    external: [/^node:/, 'ajv', 'cli-progress', 'cli-table3', 'commander', 'jsonc-parser'],
    plugins: [resolve({ preferBuiltins: true })],
  },
  {
    input: { ntps: 'build/ts/src/index.d.ts' },
    output: { dir: 'build', format: 'es' },
    plugins: [dts(), plainEnums],
  },
];

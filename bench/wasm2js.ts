import plain from 'ntps/ntps.plain.js';
import { type MakeCore, Pairs } from './pairs.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row, switchRate, times } from './row.js';

/** The core in WebAssembly against the same core in plain JavaScript, as wasm2js makes it. */

const THREADS = 10_000;
const PROCESSORS = 4;
const ROUNDS = 15;
const STEPS = 500_000;

export async function plainJavaScript(): Promise<readonly Row[]> {
  const given = { processors: PROCESSORS, threads: THREADS };
  const wasm = await Pairs.create(given);
  const js = await Pairs.create({ ...given, core: plain as MakeCore });
  const best = await bestInTurn(ROUNDS, {
    wasm: () => wasm.run(STEPS),
    js: () => js.run(STEPS),
  });
  return [
    {
      workload: 'wasm2js',
      measured: `WebAssembly, ${figure(THREADS)} threads, ${PROCESSORS} processors: ${switchRate(best.wasm)}`,
      baseline: `plain JavaScript: ${switchRate(best.js)}`,
      ratio: times(best.js / best.wasm),
    },
  ];
}

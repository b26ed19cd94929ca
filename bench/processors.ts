import { Pairs } from './pairs.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row, switchRate, times } from './row.js';

/** A switch on 256 processors against 4, with the same threads. */

const THREADS = 10_000;
const MANY = 256;
const FEW = 4;
const ROUNDS = 20;
const STEPS = 1_000_000;

export async function manyProcessors(): Promise<readonly Row[]> {
  const many = await Pairs.create({ processors: MANY, threads: THREADS });
  const few = await Pairs.create({ processors: FEW, threads: THREADS });
  const best = await bestInTurn(ROUNDS, {
    many: () => many.run(STEPS),
    few: () => few.run(STEPS),
  });
  const ratio = best.many / best.few;
  return [
    {
      workload: 'processors',
      measured: `${MANY} processors, ${figure(THREADS)} threads: ${switchRate(best.many)}`,
      baseline: `${FEW} processors: ${figure(best.few * 1e6)} ns`,
      ratio: times(ratio),
      goal: '≤ 2.5 ×',
      met: ratio <= 2.5,
    },
  ];
}

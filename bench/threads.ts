import { Machine } from 'ntps';
import { makeRelease, type PairOptions, Pairs } from './pairs.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row, switchRate, times } from './row.js';

/** A switch, and a thread's memory, with 1,000,000 threads against 100. */

const MANY = 1_000_000;
const FEW = 100;
const PROCESSORS = 4;
const ROUNDS = 15;
const STEPS = 1_000_000;
const TURNS = { active: FEW / 2, roundTrips: 16 };
const IN_TURN = `${TURNS.active} pairs active at a time, ${TURNS.roundTrips} round trips each in turn`;
/** Each switch is then to a thread that no cache holds. */
const ALL_AT_ONCE = 'all active, every switch to the one that has waited longest';

/** Bytes of a machine's memory. */
const PAGE_BYTES = 65_536;

async function memoryBytes(threads: number): Promise<number> {
  let bytes = 0;
  await Machine.create({
    capacities: { threads },
    core: (imports) => {
      bytes = imports.env.memory.buffer.byteLength;
      return makeRelease(imports);
    },
  });
  return bytes;
}

async function compare(
  how: string,
  turns?: PairOptions['turns'],
): Promise<Row & { times: number }> {
  const given = { processors: PROCESSORS, ...(turns === undefined ? {} : { turns }) };
  const many = await Pairs.create({ ...given, threads: MANY });
  const few = await Pairs.create({ ...given, threads: FEW });
  const best = await bestInTurn(ROUNDS, {
    many: () => many.run(STEPS),
    few: () => few.run(STEPS),
  });
  return {
    workload: 'threads',
    measured: `${figure(MANY)} threads, ${how}: ${switchRate(best.many)}`,
    baseline: `the same with ${FEW} threads: ${figure(best.few * 1e6)} ns`,
    ratio: times(best.many / best.few),
    times: best.many / best.few,
  };
}

export async function manyThreads(): Promise<readonly Row[]> {
  const inTurn = await compare(IN_TURN, TURNS);
  const atOnce = await compare(ALL_AT_ONCE);
  const bytes = ((await memoryBytes(MANY)) - (await memoryBytes(FEW))) / (MANY - FEW);
  return [
    { ...inTurn, goal: '≤ 2 ×', met: inTurn.times <= 2 },
    atOnce,
    {
      workload: 'threads',
      measured: `memory with room for ${figure(MANY)} threads`,
      baseline: `with room for ${FEW}`,
      ratio: `${figure(bytes)} bytes a thread`,
      goal: '≤ 256 bytes',
      // Memory is a whole number of pages.
      met: bytes - PAGE_BYTES / (MANY - FEW) <= 256,
    },
  ];
}

import { afterAll, expect, test } from 'vitest';
import { WorkerPool } from '../../src/index';
import { check } from '../property/check';
import { type Plan, plans, Subject } from './machines';

const FILE = 'test/parallel/random.test.ts';
/** Six machines a plan: 1,000 in all. */
const PLANS = 167;
const TIMEOUT_MS = 400_000;

const pool = new WorkerPool();
afterAll(() => pool.dispose());

async function historyOf(plan: Plan, workers: number, workerPauseUs = 0): Promise<string[]> {
  const subject = await Subject.create(plan, 'worker port', {
    workers,
    workerPauseUs,
    workerPool: pool,
  });
  const lines = subject.run();
  await subject.machine.dispose();
  return lines;
}

test(
  'a machine has one history on no, 1, 2, 3 and 8 workers, and with workers that pause',
  async () => {
    await check(FILE, plans, PLANS, async (plan) => {
      const alone = await historyOf(plan, 0);
      for (const workers of [1, 2, 3, 8]) expect(await historyOf(plan, workers)).toEqual(alone);
      expect(await historyOf(plan, 2, 30)).toEqual(alone);
    });
  },
  TIMEOUT_MS,
);

import { expect, test } from 'vitest';
import { WorkerPool } from '../../src/index';
import { check } from '../property/check';
import { type Plan, plans, Subject } from './machines';

const FILE = 'test/parallel/random.test.ts';
const pool = new WorkerPool();

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

test('a machine has one history on no, 1, 2, 3 and 8 workers, and with workers that pause', async () => {
  await check(FILE, plans, Number(process.env.RUNS ?? 20), async (plan) => {
    const alone = await historyOf(plan, 0);
    for (const workers of [1, 2, 3, 8]) expect(await historyOf(plan, workers)).toEqual(alone);
    expect(await historyOf(plan, 2, 30)).toEqual(alone);
  });
});

import { expect, test } from 'vitest';
import { check } from '../property/check';
import { type Guests, type Plan, plans, Subject } from './machines';

const FILE = 'test/parallel/cuts.test.ts';

/** Lengths of runs, 1 to `longest` ns, from a seed. */
function lengths(seed: number, longest: number): (budgetNs: number) => number {
  let state = seed;
  return (budgetNs) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.min(budgetNs, 1 + (state % longest));
  };
}

/** What a machine of a plan does; how far ahead its guests are at the end of a run is left out. */
async function historyOf(plan: Plan, guests: Guests): Promise<string[]> {
  const subject = await Subject.create(plan, guests);
  return subject.run().map((line) => line.split(' | ').slice(0, 5).join(' | '));
}

test('how the run of a CpuPort is cut does not show in the history', async () => {
  await check(FILE, plans, 100, async (plan) => {
    const whole = await historyOf(plan, (budgetNs) => budgetNs);
    expect(await historyOf(plan, lengths(plan.seed, 50))).toEqual(whole);
    expect(await historyOf(plan, lengths(plan.seed + 1, 3000))).toEqual(whole);
  });
});

test('nor does that of a worker port’s guest, down to what the guest has at the end of each run', async () => {
  await check(FILE, plans, 100, async (plan) => {
    const whole = (await Subject.create(plan, 'worker port')).run();
    const subject = await Subject.create(plan, 'worker port');
    subject.machine.ports.longestNs = () => lengths(plan.seed, 70)(1e9);
    expect(subject.run()).toEqual(whole);
  });
});

test('a script has one history as a CpuPort and as a worker port', async () => {
  await check(FILE, plans, 100, async (plan) => {
    const cpuPort = await historyOf(plan, (budgetNs) => budgetNs);
    expect(await historyOf(plan, 'worker port')).toEqual(cpuPort);
  });
});

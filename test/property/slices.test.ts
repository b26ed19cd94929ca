import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MS } from '../records';
import { check } from './check';
import { type Plan, plans, Run } from './plans';

const FILE = 'test/property/slices.test.ts';
const END = 400 * MS;

/** How a run is cut: at times, or after so many steps each. */
interface Cuts {
  readonly plan: Plan;
  readonly timesNs: readonly number[];
  readonly stepsEach: number;
}

const cuts: fc.Arbitrary<Cuts> = fc.record({
  plan: plans(fc.integer({ min: 1, max: 8 })),
  timesNs: fc.array(fc.nat(END), { maxLength: 12 }),
  stepsEach: fc.integer({ min: 1, max: 50 }),
});

/** What a run came to. */
function identity({ machine }: Run): unknown[] {
  const times = Array.from({ length: machine.processorCount }, (_, number) =>
    machine.processorTimes(number),
  );
  return [machine.digest, machine.steps, machine.now, times];
}

test('a run that is cut in pieces by until and maxEvents, and looked at in between, is the same run', async () => {
  await check(FILE, cuts, 60, async ({ plan, timesNs, stepsEach }) => {
    const whole = await Run.start(plan);
    expect(whole.machine.run({ until: END }).reason).toMatch(/^(idle|time)$/);
    const byTime = await Run.start(plan);
    for (const until of [...timesNs].sort((a, b) => a - b)) {
      byTime.machine.run({ until });
      identity(byTime);
    }
    byTime.machine.run({ until: END });
    const bySteps = await Run.start(plan);
    while (bySteps.machine.run({ until: END, maxEvents: stepsEach }).reason === 'events')
      identity(bySteps);
    expect(identity(byTime)).toEqual(identity(whole));
    expect(identity(bySteps)).toEqual(identity(whole));
  });
});

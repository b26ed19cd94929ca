import * as fc from 'fast-check';
import { test } from 'vitest';
import { decodeRecord } from '../../src/machine/records';
import { check } from './check';
import { violations } from './model';
import { type Plan, plans, Run } from './plans';
import { type Snapshot, takeSnapshot } from './snapshot';
import { stepViolations } from './transitions';

const FILE = 'test/property/dispatcher.test.ts';

/** Runs a plan for `steps` steps at most, and throws at the first that is not as the model has it. */
async function holdToModel(plan: Plan, steps: number): Promise<void> {
  const run = await Run.start(plan);
  const { machine } = run;
  const { clockIntervalNs, timerResolutionNs, costs } = machine.profile;
  const switchNs = costs.contextSwitch;
  const unitNs = (units: number) => Math.floor((units * clockIntervalNs) / 3);
  const waitChargeNs = unitNs(plan.waitQuantumCharge);
  let endedNs = 0;
  machine.trace.take();
  for (let step = 0; step < steps; step++) {
    run.act();
    const before = takeSnapshot(machine);
    if (!run.step()) break;
    const after = takeSnapshot(machine);
    const records = machine.trace
      .take()
      .flatMap((batch) => Array.from({ length: batch.count }, (_, i) => decodeRecord(batch, i)));
    for (const record of records) if (record.type === 'threadTotals') endedNs += record.runTimeNs;
    const wrong = [
      ...violations(after, timerResolutionNs),
      ...stepViolations({ before, after, records, unitNs, waitChargeNs, switchNs }),
      ...unaccounted(after, endedNs),
    ];
    if (wrong.length > 0) throw new Error(`step ${step} at ${after.now} ns: ${wrong.join('; ')}`);
  }
}

/** Threads have run for as long as processors were busy. */
function unaccounted({ processors, threads }: Snapshot, endedNs: number): string[] {
  const busyNs = processors.reduce((sum, processor) => sum + processor.busyNs, 0);
  const live = [...threads.values()].filter((thread) => thread.state !== 4);
  const ranNs = live.reduce((sum, thread) => sum + thread.runTimeNs, endedNs);
  return busyNs === ranNs ? [] : [`busy for ${busyNs} ns, but threads ran for ${ranNs}`];
}

test('on 1 to 8 processors every step is as the plain model has it', async () => {
  await check(FILE, plans(fc.integer({ min: 1, max: 8 })), 80, (plan) => holdToModel(plan, 250));
});

test('so is it on 65 processors, in two groups', async () => {
  await check(FILE, plans(fc.constant(65)), 3, (plan) => holdToModel(plan, 150));
});

import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import {
  checkDriver,
  describeFinding,
  type DriverOptions,
  type Finding,
  readEvents,
  replayEvents,
  type Verification,
  verifyDrivers,
} from 'ntps';
import { expect, test } from 'vitest';
import { protect } from '../../examples/drivers/protect/protect';
import refuseUntyped from '../../examples/drivers/refuse.js';

const refuse = refuseUntyped as DriverOptions;

const NAMES = { protect: ['child.exe'], block: ['services.exe'] };

test.each([
  [[]],
  ['all' as const],
])('the driver that protects processes follows the rules, beside neighbours %s', async (neighbours) => {
  const { findings, status } = await checkDriver(protect(NAMES), { neighbours });
  expect(findings.map(describeFinding)).toEqual([]);
  expect(status).toBe(0);
});

/** What a driver does against the rules while the recording of a workstation is replayed, and is unloaded then. */
async function findingsOnWorkstation(driver: DriverOptions): Promise<readonly Finding[]> {
  const text = gunzipSync(readFileSync('examples/recordings/workstation.events.jsonl.gz'));
  const recording = await readEvents(Readable.from([text]), { name: 'workstation' });
  const verifications: Verification[] = [];
  const { result } = await replayEvents(recording, {
    onStart: (machine) => {
      verifications.push(verifyDrivers(machine));
      machine.loadDriver(driver);
    },
  });
  return verifications.flatMap((verification) => verification.ended(result));
}

test.each([
  ['protect', () => protect(NAMES)],
  ['refuse', () => refuse],
])('the driver %s follows the rules while the recording of a workstation is replayed', async (_name, driver) => {
  expect((await findingsOnWorkstation(driver())).map(describeFinding)).toEqual([]);
});

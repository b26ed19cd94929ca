import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import type { DriverOptions } from '../../src/machine/driver';
import { Machine } from '../../src/machine/machine';
import { type CheckOptions, checkDriver } from '../../src/verifier/check';
import { toFollowTheRules } from '../../src/verifier/matcher';
import { verifyDrivers } from '../../src/verifier/verify';
import { CORPUS } from './corpus-all';
import { compute } from './corpus-parts';
import { processDriver } from './drivers';

const badOf = (what: string): DriverOptions => {
  const pair = CORPUS.find((each) => each.what === what);
  if (pair === undefined) throw new Error(`no pair is '${what}'`);
  return pair.bad();
};

const foundIn = async (driver: DriverOptions, options?: CheckOptions) => {
  const { findings } = await checkDriver(driver, options);
  return findings.map(({ rule, routine, message }) => [rule, routine, message]);
};

describe('a routine that has not returned when the run ends', () => {
  test.each([
    [
      'a DriverEntry that waits for what nobody sets',
      'DR-02',
      'DriverEntry sut!DriverEntry',
      /^has not returned at the end of the run, \d[\d.]* us after its call, and waits for notification event \d+ \(Executive\)$/,
    ],
    [
      'a DriverUnload that waits for what nobody sets',
      'DR-02',
      'DriverUnload sut!DriverUnload',
      /^has not returned at the end of the run, \d[\d.]* us after its call, and waits for notification event \d+ \(Executive\)$/,
    ],
    [
      'a DriverUnload that polls what nobody sets',
      'DR-02',
      'DriverUnload sut!DriverUnload',
      /^has not returned at the end of the run, \d[\d.]* us after its call, and runs$/,
    ],
    [
      'a process routine that polls what nobody sets',
      'CB-01',
      'process-notify routine sut!onProcess',
      /^has not returned at the end of the run, \d[\d.]* us after its call, and runs$/,
    ],
    [
      'a DriverEntry that loops for ever',
      'DR-02',
      'DriverEntry sut!DriverEntry',
      /^has not returned: the run ended after 100000 steps inside it, \d[\d.]* us after its call$/,
    ],
    [
      'a process routine that loops for ever',
      'CB-01',
      'process-notify routine sut!onProcess',
      /^has not returned: the run ended after 100000 steps inside it, \d[\d.]* us after its call$/,
    ],
  ])('is named, with what it waits for: %s', async (what, rule, routine, message) => {
    const findings = await foundIn(badOf(what));
    expect(findings[0]).toEqual([rule, routine, expect.stringMatching(message)]);
  });

  test('is looked for whatever the rules are', async () => {
    const driver = badOf('a DriverEntry that waits for what nobody sets');
    expect(await foundIn(driver, { rules: ['LK-01'] })).toEqual([
      ['DR-02', 'DriverEntry sut!DriverEntry', expect.any(String)],
    ]);
  });

  test('is found in the time and steps that are given', async () => {
    const slow = processDriver(function* onProcess() {
      yield compute(500_000);
    });
    expect(await foundIn(slow)).toEqual([]);
    expect(await foundIn(slow, { untilNs: 200_000 })).toEqual([]);
    expect(await foundIn(slow, { maxEvents: 200 })).toEqual([
      [
        'CB-01',
        'process-notify routine sut!onProcess',
        expect.stringMatching(/^has not returned: the run ended after 200 steps inside it, /),
      ],
    ]);
  });
});

describe('a driver that is not loaded', () => {
  test('because there was no time is a finding', async () => {
    const driver = processDriver(() => undefined);
    expect(await foundIn(driver, { untilNs: 0 })).toEqual([
      [
        'DR-02',
        undefined,
        'is not loaded at the end of the run: DriverEntry was not called; run longer',
      ],
    ]);
  });

  const refused = () => badOf('a DriverEntry that returns an error');

  test('because DriverEntry failed is a finding with what that returned', async () => {
    const returns = ['DR-01', 'DriverEntry sut!DriverEntry', 'returns 0xc000009a'];
    expect(await foundIn(refused())).toEqual([returns]);
    expect(await foundIn(refused(), { rules: ['CB-01'] })).toEqual([returns]);
    expect((await toFollowTheRules(refused())).message()).toContain(
      'error DR-01: DriverEntry sut!DriverEntry returns 0xc000009a',
    );
  });

  test('is none where that is expected', async () => {
    const expectedStatus = STATUS.INSUFFICIENT_RESOURCES;
    expect(await foundIn(refused(), { expectedStatus })).toEqual([]);
    expect(await foundIn(refused(), { expectedStatus: expectedStatus | 0 })).toEqual([]);
    expect(await foundIn(refused(), { expectedStatus: 'any' })).toEqual([]);
    expect((await toFollowTheRules(refused(), { expectedStatus })).pass).toBe(true);
  });

  test('is expected: what is loaded is a finding', async () => {
    const driver = processDriver(() => undefined);
    expect(await foundIn(driver, { expectedStatus: 0xc000009a })).toEqual([
      ['DR-01', 'DriverEntry sut!DriverEntry', 'returns 0x0; 0xc000009a was expected'],
    ]);
  });

  test('is found by verifyDrivers as it happens', async () => {
    const machine = await Machine.create();
    const verification = verifyDrivers(machine);
    machine.loadDriver(refused());
    machine.run();
    expect(verification.findings.map(({ rule, driver }) => [rule, driver])).toEqual([
      ['DR-01', 'sut'],
    ]);
  });
});

test('a run with steps left over is cut where others loop', async () => {
  const scenario = (machine: Machine) => {
    machine.systemProcess.createThread(function* () {
      for (;;) yield compute(1);
    });
  };
  const driver = processDriver(() => undefined);
  const { findings, result } = await checkDriver(driver, { scenario, maxEvents: 10_000 });
  expect([findings, result.reason]).toEqual([[], 'events']);
  const { message } = await toFollowTheRules(driver, { scenario, maxEvents: 10_000 });
  expect(message()).toContain('the run ended: events');
});

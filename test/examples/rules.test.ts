import { checkDriver, describeFinding } from 'ntps';
import { expect, test } from 'vitest';
import { protect } from '../../examples/drivers/protect/protect';

const NAMES = { protect: ['child.exe'], block: ['services.exe'] };

test.each([
  [[]],
  ['all' as const],
])('the driver that protects processes follows the rules, beside neighbours %s', async (neighbours) => {
  const { findings, status } = await checkDriver(protect(NAMES), { neighbours });
  expect(findings.map(describeFinding)).toEqual([]);
  expect(status).toBe(0);
});

import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('the tests of the driver that refuses pass', () => {
  const args = ['--test', '--test-reporter=tap', 'examples/drivers/refuse.test.mjs'];
  const printed = execFileSync(process.execPath, args, { encoding: 'utf8' });
  expect(printed).toContain('# pass 5\n# fail 0\n');
});

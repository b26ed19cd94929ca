import { analyzeBugCheck } from '../machine/analyze';
import type { DriverOptions } from '../machine/driver';
import type { RunResult } from '../machine/result';
import { type CheckOptions, checkDriver } from './check';
import { describeFinding } from './report';

/** What a matcher comes to, as vitest and jest want it. */
export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** How a run has ended that ought to have come to rest; a finding has told of a bugcheck already. */
function endingOf(result: RunResult, findings: number): string[] {
  const { reason } = result;
  if (reason === 'idle' || reason === 'time') return [];
  if (reason !== 'bugcheck') return [`the run ended: ${reason}`];
  return findings > 0 ? [] : [`the run ended: bugcheck\n${analyzeBugCheck(result)}`];
}

/**
 * A matcher for vitest and jest: `expect.extend({ toFollowTheRules })`, then
 * `await expect(driver).toFollowTheRules({ neighbours: 'all' })`. It loads the driver on a machine of
 * its own, as `checkDriver`, and fails with what it has found. An assertion that fails in a callback
 * is thrown there: it is a bugcheck in the result, whose finding has its message, and no exception of
 * `run` or `checkDriver`.
 *
 * For its type, in a file of the project's (jest: `namespace jest { interface Matchers<R> … }`):
 *
 * ```ts
 * import 'vitest';
 * import type { CheckOptions } from 'ntps';
 * declare module 'vitest' {
 *   interface Matchers<T> {
 *     toFollowTheRules(options?: CheckOptions): Promise<void>;
 *   }
 * }
 * ```
 */
export async function toFollowTheRules(
  driver: DriverOptions,
  options: CheckOptions = {},
): Promise<MatcherResult> {
  const { findings, result } = await checkDriver(driver, options);
  const words = [...findings.map(describeFinding), ...endingOf(result, findings.length)];
  const pass = words.length === 0;
  return {
    pass,
    message: () =>
      pass
        ? `driver '${driver.name}' follows the rules; it was expected to break one`
        : `driver '${driver.name}' breaks rules:\n${words.join('\n')}`,
  };
}

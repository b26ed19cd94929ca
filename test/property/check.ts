import * as fc from 'fast-check';
import { expect } from 'vitest';

/** The seed of a run that is not a replay. */
export const SEED = 20_261_124;
const SHRINKS = 200;
const VARIABLE = 'NTPS_REPLAY';

/** Seed and path of the counterexample to replay, from the environment: "seed:path". */
export function replayOf(environment: NodeJS.ProcessEnv): { seed: number; path?: string } {
  const value = environment[VARIABLE];
  if (value === undefined) return { seed: SEED };
  const [, seed, path] = /^(-?\d+):([\d:]+)$/.exec(value) ?? [];
  if (seed === undefined || path === undefined)
    throw new Error(`${VARIABLE} is '${value}'; give seed:path, as a failure prints it`);
  return { seed: Number(seed), path };
}

/**
 * Holds `property` for `numRuns` values of `arbitrary`. A failure says the shortest counterexample
 * and the line that replays it: nothing else is run then.
 */
export async function check<T>(
  file: string,
  arbitrary: fc.Arbitrary<T>,
  numRuns: number,
  property: (value: T) => Promise<void> | void,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  // A counterexample is made shorter as long as that costs no more than this many runs.
  let runsLeft = Number.POSITIVE_INFINITY;
  const asyncProperty = fc.asyncProperty(arbitrary, async (value) => {
    if (runsLeft-- <= 0) return;
    try {
      await property(value);
    } catch (error) {
      runsLeft = Math.min(runsLeft, SHRINKS);
      throw error;
    }
  });
  const replay = replayOf(environment);
  const details = await fc.check(asyncProperty, {
    ...replay,
    numRuns,
    endOnFailure: replay.path !== undefined,
  });
  if (!details.failed) return;
  const [value] = details.counterexample ?? [];
  // With groups in front, as -t matches it: a name has no quotes and nothing that a pattern reads.
  const name = expect.getState().currentTestName;
  throw new Error(
    [
      `${details.errorInstance instanceof Error ? details.errorInstance.message : 'failed'}`,
      `after ${details.numRuns} runs and ${details.numShrinks} shrinks, for ${JSON.stringify(value)}`,
      `replay: ${VARIABLE}=${details.seed}:${details.counterexamplePath} npx vitest run ${file} -t '${name}'`,
    ].join('\n'),
  );
}

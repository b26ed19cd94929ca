import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { check, replayOf, SEED } from './check';

const below100 = (seen: number[]) => (value: number) => {
  seen.push(value);
  if (value >= 100) throw new Error(`${value} is too large`);
};

async function failure(environment: NodeJS.ProcessEnv, seen: number[] = []): Promise<string> {
  const run = check('test/some.test.ts', fc.nat(100_000), 50, below100(seen), environment);
  return run.then(
    () => 'held',
    (error: Error) => error.message,
  );
}

test('a property that fails says the shortest counterexample, and the line that replays it', async () => {
  const [message, count, line] = (await failure({})).split('\n');
  expect(message).toBe('100 is too large');
  expect(count).toMatch(/^after \d+ runs and \d+ shrinks, for 100$/);
  expect(line).toMatch(
    /^replay: NTPS_REPLAY=20261124:[\d:]+ npx vitest run test\/some\.test\.ts -t 'a property that fails says /,
  );
});

test('the line of a failure replays that counterexample alone', async () => {
  const line = (await failure({})).split('\n').at(-1) ?? '';
  const [, NTPS_REPLAY] = /NTPS_REPLAY=(\S+) /.exec(line) ?? [];
  const seen: number[] = [];
  const again = await failure({ NTPS_REPLAY }, seen);
  expect(again.split('\n')[0]).toBe('100 is too large');
  expect(seen).toEqual([100]);
});

test('without a line to replay the seed is always the same', () => {
  expect(replayOf({})).toEqual({ seed: SEED });
});

test('a line that is none is refused', () => {
  expect(() => replayOf({ NTPS_REPLAY: 'x' })).toThrow("NTPS_REPLAY is 'x'; give seed:path");
});

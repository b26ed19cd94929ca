import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readWorkload } from '../../../src/cli/rtapp/read';
import { WorkloadError } from '../../../src/workload/errors';
import { checkWorkload } from '../../../src/workload/rtapp/check';
import { runText } from './run';

const EXAMPLES = ['control-loops', 'media-player', 'parallel-solver'].map((name) =>
  readFileSync(`examples/workloads/${name}.json`, 'utf8'),
);

test('a workload with pieces cut out, put in or doubled is read, or refused at a place in it', () => {
  const damage = fc.record({
    text: fc.constantFrom(...EXAMPLES),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(12),
    put: fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.constantFrom('{', '}', '"', ',', ':', '-', '1e9', 'null', '[]', '/*', '\n', '"run": 5,'),
    ),
  });
  fc.assert(
    fc.property(damage, ({ text, at, length, put }) => {
      const from = Math.floor(at * text.length);
      const damaged = text.slice(0, from) + put + text.slice(from + length);
      try {
        checkWorkload(readWorkload(damaged, 'w.json'));
      } catch (error) {
        expect(error).toBeInstanceOf(WorkloadError);
        const { line, column } = error as WorkloadError;
        const lines = damaged.split('\n');
        expect(line).toBeLessThanOrEqual(lines.length);
        expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
      }
    }),
    { seed: 20, numRuns: 500 },
  );
});

/** Events as pairs of key and value, to be joined into an object whose keys may stand twice. */
type Pair = readonly [key: string, value: unknown];

const micros = fc.integer({ min: 0, max: 3000 });
const single: fc.Arbitrary<readonly Pair[]> = fc
  .oneof(
    fc.tuple(fc.constantFrom('run', 'runtime', 'sleep'), micros),
    fc.tuple(
      fc.constant('timer'),
      fc.record({
        ref: fc.constantFrom('unique', 'uniqueB', 'uniqueC', 'tick'),
        period: micros,
        mode: fc.constantFrom('relative', 'absolute'),
      }),
    ),
    fc.tuple(fc.constantFrom('signal', 'broad'), fc.constantFrom('c', 'd')),
    fc.tuple(fc.constantFrom('suspend', 'resume'), fc.constantFrom('s', 't')),
    fc.tuple(fc.constant('yield'), fc.constant('')),
    fc.tuple(fc.constant('fork'), fc.constant('forked')),
  )
  .map((pair) => [pair]);
const locked = fc
  .tuple(fc.constantFrom('m', 'n'), fc.array(single, { maxLength: 3 }), fc.boolean())
  .map(([mutex, inner, waits]): readonly Pair[] => [
    ['lock', mutex],
    ...inner.flat(),
    ...(waits ? [['wait', { ref: 'c', mutex }] as const] : []),
    ['unlock', mutex],
  ]);
const task = fc.record({
  settings: fc.record(
    {
      instance: fc.integer({ min: 1, max: 3 }),
      delay: micros,
      policy: fc.constantFrom('SCHED_OTHER', 'SCHED_IDLE', 'SCHED_FIFO'),
      cpus: fc.constantFrom([0], [1], [0, 1]),
    },
    { requiredKeys: [] },
  ),
  loop: fc.integer({ min: 1, max: 20 }),
  events: fc.array(fc.oneof(single, locked), { maxLength: 6 }).map((events) => events.flat()),
});

const objectOf = (pairs: readonly Pair[]) =>
  `{ ${pairs.map(([key, value]) => `"${key}": ${JSON.stringify(value)}`).join(', ')} }`;

test('any workload runs to its end or to where all wait, conserves what its threads compute, and has one history', async () => {
  const workload = fc.record({
    tasks: fc.array(task, { minLength: 1, maxLength: 4 }),
    processors: fc.integer({ min: 2, max: 4 }),
    policy: fc.constantFrom('nt' as const, 'fifo' as const, 'rr' as const),
  });
  await fc.assert(
    fc.asyncProperty(workload, async ({ tasks, processors, policy }) => {
      const members = tasks.map(({ settings, loop, events }, index): string => {
        const pairs: Pair[] = [...Object.entries(settings), ['loop', loop], ...events];
        return `"task${index}": ${objectOf(pairs)}`;
      });
      const forked = '"forked": { "instance": 0, "loop": 1, "run": 100 }';
      const text = `{ "tasks": { ${[...members, forked].join(', ')} } }`;
      const options = { processors, policy, maxEvents: 200_000 };
      const { report } = await runText(text, options);
      expect(['idle', 'livelock']).toContain(report.stopped);
      for (const thread of report.threads.filter(({ ended }) => ended)) {
        const own = tasks[Number(thread.task.slice(4))];
        const computed = (own?.events ?? []).flatMap(([key, value]) =>
          key === 'run' || key === 'runtime' ? [(value as number) * 1000] : [],
        );
        const expected = computed.reduce((sum, ns) => sum + ns, 0) * (own?.loop ?? 0);
        expect(thread.figures.runNs).toBeGreaterThanOrEqual(expected);
      }
      expect((await runText(text, options)).report.digest).toBe(report.digest);
    }),
    { seed: 30, numRuns: 60 },
  );
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KeInitializeDpc, KeInsertQueueDpc } from '../../src/ke/dpc';
import type { DriverOptions } from '../../src/machine/driver';
import { Machine } from '../../src/machine/machine';
import { startScenario } from '../../src/verifier/scenario';
import { checkDriver } from '../../src/verifier/check';
import { entryDriver, handleDriver, imageDriver, processDriver, threadDriver } from './drivers';

const refused = (routine: string) =>
  `${routine} returned a Promise: callbacks are generator functions (function*), not async`;

/** What TypeScript would refuse, and JavaScript does not. */
const untyped = (routine: unknown) => routine as () => undefined;

async function nothing() {
  await Promise.reject(new Error('late'));
}

async function* never() {
  yield await Promise.resolve(0);
}

const queueDpc = (routine: unknown) =>
  entryDriver(function* () {
    yield* KeInsertQueueDpc(KeInitializeDpc(untyped(routine), null), null, null);
  });

const SORTS: readonly (readonly [string, string, () => DriverOptions])[] = [
  ['a process-notify routine', 'sut!nothing', () => processDriver(untyped(nothing))],
  ['a thread-notify routine', 'sut!nothing', () => threadDriver(untyped(nothing))],
  ['a load-image routine', 'sut!nothing', () => imageDriver(untyped(nothing))],
  ['a pre-operation callback', 'sut!nothing', () => handleDriver(untyped(nothing) as never)],
  ['a post-operation callback', 'sut!nothing', () => handleDriver(null, untyped(nothing))],
  ['a DPC', 'sut!nothing', () => queueDpc(nothing)],
  ['an async generator', 'sut!never', () => processDriver(untyped(never))],
  ['an async generator as a DPC', 'sut!never', () => queueDpc(never)],
  [
    'a generator that returns one',
    'sut!outer',
    () =>
      processDriver(
        untyped(function* outer() {
          yield [1, 100, 0];
          return nothing();
        }),
      ),
  ],
  [
    'DriverEntry',
    'sut!DriverEntry',
    () => ({
      name: 'sut',
      DriverEntry: untyped(async function DriverEntry() {}) as never,
      DriverUnload() {},
    }),
  ],
];

describe('a Promise is refused that is returned by', () => {
  test.each(SORTS)('%s', async (_what, routine, driver) => {
    const machine = await Machine.create({ processors: 2 });
    machine.loadDriver(driver());
    expect(() => {
      machine.run({ until: 1e8 });
      startScenario(machine);
      machine.run({ until: 1e9 });
    }).toThrow(refused(routine));
  });

  test.each(SORTS)('%s, while somebody looks on', async (_what, routine, driver) => {
    await expect(checkDriver(driver())).rejects.toThrow(refused(routine));
  });
});

test('KeInitializeDpc takes a plain function', async () => {
  const { findings, status } = await checkDriver(queueDpc(() => undefined));
  expect([findings, status]).toEqual([[], STATUS.SUCCESS]);
});

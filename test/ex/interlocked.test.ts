import { describe, expect, test } from 'vitest';
import {
  ExInterlockedAddLargeInteger,
  ExInterlockedAddLargeStatistic,
  ExInterlockedAddUlong,
  ExInterlockedDecrementLong,
  ExInterlockedIncrementLong,
  INTERLOCKED_RESULT,
  InterlockedAdd,
  InterlockedAdd64,
  InterlockedAnd,
  InterlockedAnd64,
  InterlockedBitTestAndReset,
  InterlockedBitTestAndSet,
  InterlockedCompareExchange,
  InterlockedCompareExchange64,
  InterlockedCompareExchangePointer,
  InterlockedDecrement,
  InterlockedDecrement64,
  InterlockedExchange,
  InterlockedExchange64,
  InterlockedExchangeAdd,
  InterlockedExchangeAdd64,
  InterlockedExchangePointer,
  InterlockedIncrement,
  InterlockedIncrement64,
  InterlockedOr,
  InterlockedOr64,
  InterlockedXor,
  InterlockedXor64,
} from '../../src/ex/interlocked';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import type { NtCall } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import { runGuest } from '../ke/guest';

const MAXLONG = 0x7fffffff;
const MINLONG = -0x80000000;

/** What operations on a variable of each value return, and leave in it. */
async function onValues<V, R>(
  values: readonly V[],
  operation: (variable: { value: V }) => NtCall<R>,
): Promise<[R, V][] | undefined> {
  const { value } = await runGuest(function* () {
    const results: [R, V][] = [];
    for (const initial of values) {
      const variable = { value: initial };
      results.push([yield* operation(variable), variable.value]);
    }
    return results;
  });
  return value;
}

test('ex.interlocked-003: increments and decrements return the new value, the Ex routines its sign', async () => {
  const { ResultNegative, ResultPositive, ResultZero } = INTERLOCKED_RESULT;
  expect(await onValues([2341, MAXLONG], InterlockedIncrement)).toEqual([
    [2342, 2342],
    [MINLONG, MINLONG],
  ]);
  expect(await onValues([1745, MINLONG], InterlockedDecrement)).toEqual([
    [1744, 1744],
    [MAXLONG, MAXLONG],
  ]);
  expect(
    await onValues([-2, -1, 0, MAXLONG], (variable) => ExInterlockedIncrementLong(variable, null)),
  ).toEqual([
    [ResultNegative, -1],
    [ResultZero, 0],
    [ResultPositive, 1],
    [ResultNegative, MINLONG],
  ]);
  expect(
    await onValues([MINLONG, 0, 1, 2], (variable) => ExInterlockedDecrementLong(variable, null)),
  ).toEqual([
    [ResultPositive, MAXLONG],
    [ResultNegative, -1],
    [ResultZero, 0],
    [ResultPositive, 1],
  ]);
});

describe('what returns the value before', () => {
  test.each([
    ['InterlockedExchange', 5, (v) => InterlockedExchange(v, 0xfffffffe), [5, -2]],
    [
      'InterlockedExchangeAdd',
      MAXLONG,
      (v) => InterlockedExchangeAdd(v, 2),
      [MAXLONG, MINLONG + 1],
    ],
    ['InterlockedAnd', 0xf0, (v) => InterlockedAnd(v, 0x3c), [0xf0, 0x30]],
    ['InterlockedOr', 0xf0, (v) => InterlockedOr(v, 0x3c), [0xf0, 0xfc]],
    ['InterlockedXor', 0xf0, (v) => InterlockedXor(v, 0x3c), [0xf0, 0xcc]],
    ['InterlockedCompareExchange, equal', 7, (v) => InterlockedCompareExchange(v, 9, 7), [7, 9]],
    ['InterlockedCompareExchange, other', 7, (v) => InterlockedCompareExchange(v, 9, 8), [7, 7]],
  ] as [
    string,
    number,
    (v: { value: number }) => NtCall<number>,
    number[],
  ][])('%s', async (_name, initial, operation, expected) => {
    expect(await onValues([initial], operation)).toEqual([expected]);
  });

  test.each([
    ['InterlockedExchange64', 5n, (v) => InterlockedExchange64(v, 2n ** 64n - 2n), [5n, -2n]],
    [
      'InterlockedExchangeAdd64',
      2n ** 63n - 1n,
      (v) => InterlockedExchangeAdd64(v, 1n),
      [2n ** 63n - 1n, -(2n ** 63n)],
    ],
    ['InterlockedAnd64', 0xf0n, (v) => InterlockedAnd64(v, 0x3cn), [0xf0n, 0x30n]],
    ['InterlockedOr64', 0xf0n, (v) => InterlockedOr64(v, 0x3cn), [0xf0n, 0xfcn]],
    ['InterlockedXor64', 0xf0n, (v) => InterlockedXor64(v, 0x3cn), [0xf0n, 0xccn]],
    [
      'InterlockedCompareExchange64, equal',
      7n,
      (v) => InterlockedCompareExchange64(v, 9n, 7n),
      [7n, 9n],
    ],
    [
      'InterlockedCompareExchange64, other',
      7n,
      (v) => InterlockedCompareExchange64(v, 9n, 8n),
      [7n, 7n],
    ],
  ] as [
    string,
    bigint,
    (v: { value: bigint }) => NtCall<bigint>,
    bigint[],
  ][])('%s', async (_name, initial, operation, expected) => {
    expect(await onValues([initial], operation)).toEqual([expected]);
  });

  test('InterlockedExchangePointer, and InterlockedCompareExchangePointer', async () => {
    const [a, b] = [{ tag: 'a' }, { tag: 'b' }];
    expect(await onValues([a], (variable) => InterlockedExchangePointer(variable, b))).toEqual([
      [a, b],
    ]);
    expect(
      await onValues([a, b], (variable) => InterlockedCompareExchangePointer(variable, b, a)),
    ).toEqual([
      [a, b],
      [b, b],
    ]);
  });

  test('bits', async () => {
    expect(await onValues([0, MINLONG], (v) => InterlockedBitTestAndSet(v, 31))).toEqual([
      [false, MINLONG],
      [true, MINLONG],
    ]);
    expect(await onValues([0, 5], (v) => InterlockedBitTestAndReset(v, 2))).toEqual([
      [false, 0],
      [true, 1],
    ]);
  });
});

test('64-bit increments, decrements and additions return the new value', async () => {
  const [most, least] = [2n ** 63n - 1n, -(2n ** 63n)];
  expect(await onValues([most], InterlockedIncrement64)).toEqual([[least, least]]);
  expect(await onValues([least], InterlockedDecrement64)).toEqual([[most, most]]);
  expect(await onValues([5n], (v) => InterlockedAdd64(v, -7n))).toEqual([[-2n, -2n]]);
  expect(await onValues([5], (v) => InterlockedAdd(v, -7))).toEqual([[-2, -2]]);
});

test('each is one step that costs a DDI, at any level', async () => {
  const { value } = await runGuest(function* (machine) {
    const variable = { value: 0 };
    KeRaiseIrql(15);
    const start = machine.now;
    yield* InterlockedIncrement(variable);
    const cost = machine.now - start;
    yield* KeLowerIrql(0);
    return [cost, KeGetCurrentIrql()];
  });
  expect(value).toEqual([200, 0]);
});

test('host threads and programs lose nothing of a word that they share', async () => {
  const machine = await Machine.create({ processors: 3 });
  const counter = machine.sharedLong(4);
  const body = program('adder', (p) =>
    p.register((sum) => p.loop(300, () => p.interlockedAdd(sum, 4, 1))),
  );
  machine.createProcess().createThread(machine.loadProgram(body));
  for (let thread = 0; thread < 2; thread++) {
    machine.systemProcess.createThread(function* () {
      for (let round = 0; round < 300; round++) yield* InterlockedIncrement(counter);
    });
  }
  machine.run();
  expect([machine.sharedWord(4), counter.value]).toEqual([900, 900]);
});

test('a loop that waits for a variable that nobody changes ends by the livelock guard', async () => {
  const machine = await Machine.create({ livelockSteps: 100_000, profile: { starvationNs: 0 } });
  const lock = { value: 1 };
  machine.systemProcess.createThread(function* () {
    while ((yield* InterlockedCompareExchange(lock, 1, 0)) !== 0);
  });
  expect(machine.run({ maxEvents: 500_000 }).reason).toBe('livelock');
});

test('an operand that is no integer is refused', async () => {
  await expect(
    runGuest(function* () {
      yield* InterlockedAdd({ value: 0 }, 0.5);
    }),
  ).rejects.toThrow('InterlockedAdd: value is 0.5; give an integer from -2147483648 to 4294967295');
  await expect(
    runGuest(function* () {
      yield* InterlockedAdd64({ value: 0n }, 1 as unknown as bigint);
    }),
  ).rejects.toThrow('InterlockedAdd64: value is 1; give a bigint');
});

describe('the routines with a spin lock', () => {
  test('add under it, at HIGH_LEVEL, and leave the level as it was', async () => {
    const { value } = await runGuest(function* (machine) {
      const lock = machine.createSpinLock();
      const [small, large] = [{ value: -1 }, { value: 2n ** 63n - 1n }];
      const old = KeRaiseIrql(1);
      const start = machine.now;
      const before = yield* ExInterlockedAddUlong(small, 3, lock);
      const cost = machine.now - start;
      const before64 = yield* ExInterlockedAddLargeInteger(large, 2n, lock);
      yield* ExInterlockedAddLargeStatistic(large, 0xffffffff);
      const level = KeGetCurrentIrql();
      yield* KeLowerIrql(old);
      return [before, small.value, before64, large.value, cost, level, lock.owner];
    });
    const wrapped = -(2n ** 63n) + 1n + 0xffffffffn;
    expect(value).toEqual([0xffffffff, 2, 2n ** 63n - 1n, wrapped, 400, 1, undefined]);
  });

  test('wait for each other on several processors', async () => {
    const machine = await Machine.create({ processors: 4 });
    const lock = machine.createSpinLock();
    const variable = { value: 0 };
    let contended = false;
    for (let thread = 0; thread < 4; thread++) {
      machine.systemProcess.createThread(function* () {
        for (let round = 0; round < 50; round++) {
          yield* ExInterlockedAddUlong(variable, 1, lock);
          contended ||= lock.spinners > 0;
          yield* KeStallExecutionProcessor(1);
        }
      });
    }
    expect(machine.run().reason).toBe('idle');
    expect([variable.value, contended]).toEqual([200, true]);
  });
});

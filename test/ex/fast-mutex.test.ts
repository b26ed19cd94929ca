import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON } from '../../assembly/shared/types';
import {
  ExAcquireFastMutex,
  ExiAcquireFastMutex,
  ExiReleaseFastMutex,
  ExiTryToAcquireFastMutex,
  ExAcquireFastMutexUnsafe,
  ExEnterCriticalRegionAndAcquireFastMutexUnsafe,
  ExInitializeFastMutex,
  ExReleaseFastMutex,
  ExReleaseFastMutexUnsafe,
  ExReleaseFastMutexUnsafeAndLeaveCriticalRegion,
  ExTryToAcquireFastMutex,
  FastMutex,
} from '../../src/ex/fast-mutex';
import {
  KeAreApcsDisabled,
  KeEnterCriticalRegion,
  KeGetCurrentIrql,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import type { Request } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { callGuest, runGuest } from '../ke/guest';
import { holder, startHolder } from '../ke/holder';
import { quietMachine } from '../records';

type Steps = (mutex: FastMutex, see: () => void) => Generator<Request, unknown, number>;

/**
 * What a mutex shows at each point of steps that are taken at a level, on a free build: Count, whose it
 * is, OldIrql, the level, and whether the counts disable APCs.
 */
async function at(irql: number, steps: Steps): Promise<readonly string[] | undefined> {
  const { value } = await runGuest(
    function* (_, thread) {
      const mutex = new FastMutex();
      const seen: string[] = [];
      KeRaiseIrql(irql);
      yield* steps(mutex, () => {
        const owner = mutex.owner === thread ? 'own' : 'nobody';
        const { count, oldIrql } = mutex;
        seen.push(`${count} ${owner} ${oldIrql} ${KeGetCurrentIrql()} ${KeAreApcsDisabled()}`);
      });
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return seen;
    },
    { checkIrql: false },
  );
  return value;
}

const LEVELS = [IRQL.PASSIVE_LEVEL, IRQL.APC_LEVEL, IRQL.DISPATCH_LEVEL, IRQL.HIGH_LEVEL];

/** How holders have a mutex. */
const holding = (mutex: FastMutex) => ({
  acquire: () => ExAcquireFastMutex(mutex),
  release: () => ExReleaseFastMutex(mutex),
});

describe('a fast mutex', () => {
  test('ex.fastmutex-001: is free once it is initialized, and its OldIrql is what it was', async () => {
    const value = await callGuest(() => {
      const mutex = new FastMutex();
      mutex.count = 0x55;
      mutex.oldIrql = 0x55;
      ExInitializeFastMutex(mutex);
      return [mutex.count, mutex.owner, mutex.contention, mutex.oldIrql];
    });
    expect(value).toEqual([1, undefined, 0, 0x55]);
  });

  test.each(LEVELS)('ex.fastmutex-002: is acquired at IRQL %i, and tried in vain', async (irql) => {
    const seen = await at(irql, function* (mutex, see) {
      yield* ExAcquireFastMutex(mutex);
      see();
      expect(yield* ExTryToAcquireFastMutex(mutex)).toBe(false);
      see();
      yield* ExReleaseFastMutex(mutex);
      see();
    });
    const held = `0 own ${irql} 1 false`;
    expect(seen).toEqual([held, held, `1 nobody ${irql} ${irql} false`]);
  });

  test.each(LEVELS)('ex.fastmutex-003: is tried at IRQL %i, and released', async (irql) => {
    const seen = await at(irql, function* (mutex, see) {
      expect(yield* ExTryToAcquireFastMutex(mutex)).toBe(true);
      see();
      yield* ExReleaseFastMutex(mutex);
      see();
    });
    expect(seen).toEqual([`0 own ${irql} 1 false`, `1 nobody ${irql} ${irql} false`]);
  });

  test.each(
    LEVELS,
  )('ex.fastmutex-004: does the same by the x86 names, at IRQL %i', async (irql) => {
    const seen = await at(irql, function* (mutex, see) {
      yield* ExiAcquireFastMutex(mutex);
      see();
      expect(yield* ExiTryToAcquireFastMutex(mutex)).toBe(false);
      see();
      yield* ExiReleaseFastMutex(mutex);
      see();
      expect(yield* ExiTryToAcquireFastMutex(mutex)).toBe(true);
      see();
      yield* ExiReleaseFastMutex(mutex);
      see();
    });
    const held = `0 own ${irql} 1 false`;
    const free = `1 nobody ${irql} ${irql} false`;
    expect(seen).toEqual([held, held, free, held, free]);
  });

  test.each(
    LEVELS,
  )('ex.fastmutex-005: is acquired in a critical region at IRQL %i', async (irql) => {
    const seen = await at(irql, function* (mutex, see) {
      yield* ExEnterCriticalRegionAndAcquireFastMutexUnsafe(mutex);
      see();
      yield* ExReleaseFastMutexUnsafeAndLeaveCriticalRegion(mutex);
      see();
    });
    expect(seen).toEqual([`0 own 0 ${irql} true`, `1 nobody 0 ${irql} false`]);
  });

  test.each(
    LEVELS,
  )('ex.fastmutex-007: of IRQL %i leaves the level to who releases it unsafely', async (irql) => {
    const seen = await at(irql, function* (mutex, see) {
      yield* ExAcquireFastMutex(mutex);
      yield* ExReleaseFastMutexUnsafe(mutex);
      see();
    });
    expect(seen).toEqual([`1 nobody ${irql} 1 false`]);
  });

  test.each(
    LEVELS,
  )('ex.fastmutex-008: of IRQL %i goes back to its OldIrql, whoever set that', async (irql) => {
    const seen = await at(irql, function* (mutex, see) {
      mutex.oldIrql = 0x55555555;
      yield* ExAcquireFastMutexUnsafe(mutex);
      see();
      mutex.oldIrql = IRQL.PASSIVE_LEVEL;
      yield* ExReleaseFastMutex(mutex);
      see();
    });
    expect(seen).toEqual([`0 own ${0x55555555} ${irql} false`, '1 nobody 0 0 false']);
  });

  test.each(
    LEVELS,
  )('ex.fastmutex-009: that nobody has counts each release, at IRQL %i', async (irql) => {
    const seen = await at(irql, function* (mutex, see) {
      yield* ExReleaseFastMutexUnsafe(mutex);
      see();
      mutex.count--;
      mutex.oldIrql = irql;
      yield* ExReleaseFastMutex(mutex);
      see();
      yield* ExReleaseFastMutex(mutex);
      see();
    });
    expect(seen?.map((state) => state.split(' ')[0])).toEqual(['2', '2', '3']);
    expect(seen?.map((state) => Number(state.split(' ')[3]))).toEqual([irql, irql, irql]);
  });

  test('ex.fastmutex-010: that a thread has is not to be had by trying', async () => {
    const { value } = await runGuest(function* (machine) {
      const mutex = new FastMutex();
      const owner = holder(machine, 'A', holding(mutex));
      yield* startHolder(owner);
      const held = [mutex.count, mutex.owner?.name, mutex.contention, mutex.oldIrql];
      const level = KeGetCurrentIrql();
      const other = holder(machine, 'T', {
        acquire: () => ExTryToAcquireFastMutex(mutex),
        release: () => ExReleaseFastMutex(mutex),
      });
      yield* startHolder(other);
      const after = [mutex.count, mutex.owner?.name, mutex.contention, mutex.oldIrql];
      return [held, level, other.result(), after];
    });
    const held = [0, 'A', 0, IRQL.PASSIVE_LEVEL];
    expect(value).toEqual([held, IRQL.PASSIVE_LEVEL, false, held]);
  });

  test('ex.fastmutex-011: goes from its owner to who waits for it', async () => {
    const { value } = await runGuest(function* (machine) {
      const mutex = new FastMutex();
      const a = holder(machine, 'A', holding(mutex));
      const b = holder(machine, 'B', { ...holding(mutex), irql: IRQL.APC_LEVEL });
      yield* startHolder(a);
      const early = yield* startHolder(b, -500_000);
      const waiting = [mutex.count, mutex.contention, mutex.owner?.name];
      a.finish();
      yield* startHolder(b);
      const handedOver = [mutex.count, mutex.contention, mutex.owner?.name, mutex.oldIrql];
      b.finish();
      return [early, waiting, handedOver];
    });
    expect(value).toEqual([STATUS.TIMEOUT, [-1, 1, 'A'], [0, 1, 'B', IRQL.APC_LEVEL]]);
  });

  test('goes to those who wait in the order in which they came, whatever their priorities', async () => {
    const machine = await quietMachine();
    const mutex = new FastMutex();
    const owner = holder(machine, 'owner', holding(mutex));
    const low = holder(machine, 'low', { ...holding(mutex), increment: -2 });
    const middle = holder(machine, 'middle', holding(mutex));
    const high = holder(machine, 'high', { ...holding(mutex), increment: 2 });
    const owners: (string | undefined)[] = [];
    machine.systemProcess.createThread(function* () {
      yield* startHolder(owner);
      for (const waiter of [low, middle, high]) yield* startHolder(waiter, -200_000);
      for (const next of [owner, low, middle, high]) {
        next.finish();
        yield* next.join();
        owners.push(mutex.owner?.name);
      }
    });
    machine.run();
    expect(owners).toEqual(['low', 'middle', 'high', undefined]);
  });

  test('that is free takes one step to acquire and one to release', async () => {
    const machine = await quietMachine();
    const mutex = new FastMutex();
    let steps: number[] = [];
    machine.systemProcess.createThread(function* () {
      yield* ExAcquireFastMutex(mutex);
      const acquired = machine.steps;
      yield* ExReleaseFastMutex(mutex);
      const released = machine.steps;
      yield* ExAcquireFastMutex(mutex);
      steps = [released - acquired, machine.steps - released];
      yield* ExReleaseFastMutex(mutex);
    });
    machine.run();
    expect(steps).toEqual([1, 1]);
  });

  test('is waited for at APC_LEVEL, for WrFastMutex', async () => {
    const machine = await Machine.create();
    const mutex = new FastMutex('list lock');
    const owner = holder(machine, 'owner', holding(mutex));
    const waiter = holder(machine, 'waiter', holding(mutex));
    machine.systemProcess.createThread(function* () {
      yield* startHolder(owner);
      yield* startHolder(waiter);
    });
    const result = machine.run();
    expect(waiter.thread.waitReason).toBe(KWAIT_REASON.WrFastMutex);
    expect(machine.irql()).toBe(IRQL.PASSIVE_LEVEL);
    expect(result).toMatchObject({
      reason: 'idle',
      waiting: [{}, { name: 'waiter', waitsFor: 'list lock (WrFastMutex)' }, {}],
    });
  });

  test('is of one machine', async () => {
    const mutex = new FastMutex();
    await runGuest(function* () {
      yield* ExAcquireFastMutex(mutex);
      yield* ExReleaseFastMutex(mutex);
    });
    const other = runGuest(function* () {
      yield* ExAcquireFastMutex(mutex);
    });
    await expect(other).rejects.toThrow(
      'ExAcquireFastMutex: fast mutex 1 is in use on another machine; make one for each machine',
    );
  });
});

describe('misuse of a fast mutex under Driver Verifier', () => {
  test.each([
    [
      'acquired at DISPATCH_LEVEL',
      0x33n,
      function* (mutex: FastMutex) {
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        yield* ExAcquireFastMutex(mutex);
      },
    ],
    [
      'tried at DISPATCH_LEVEL',
      0x33n,
      function* (mutex: FastMutex) {
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        yield* ExTryToAcquireFastMutex(mutex);
      },
    ],
    [
      'released at PASSIVE_LEVEL',
      0x34n,
      function* (mutex: FastMutex) {
        yield* ExAcquireFastMutex(mutex);
        yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
        yield* ExReleaseFastMutex(mutex);
      },
    ],
    [
      'acquired unsafely at PASSIVE_LEVEL',
      0x39n,
      function* (mutex: FastMutex) {
        yield* ExAcquireFastMutexUnsafe(mutex);
      },
    ],
    [
      'released unsafely at PASSIVE_LEVEL',
      0x3an,
      function* (mutex: FastMutex) {
        yield* ExAcquireFastMutex(mutex);
        yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
        yield* ExReleaseFastMutexUnsafe(mutex);
      },
    ],
    [
      'released without having been acquired',
      0x1007n,
      function* (mutex: FastMutex) {
        KeRaiseIrql(IRQL.APC_LEVEL);
        yield* ExReleaseFastMutex(mutex);
      },
    ],
    [
      'owned by a thread that ends',
      0x100an,
      function* (mutex: FastMutex) {
        KeEnterCriticalRegion();
        yield* ExAcquireFastMutexUnsafe(mutex);
      },
    ],
    [
      'initialized while it is owned',
      0x1005n,
      function* (mutex: FastMutex) {
        yield* ExAcquireFastMutex(mutex);
        ExInitializeFastMutex(mutex);
      },
    ],
  ])('one that is %s is violation 0x%x', async (_, violation, body) => {
    const machine = await Machine.create();
    const mutex = new FastMutex();
    machine.systemProcess.createThread(() => body(mutex));
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      code: 0xc4,
      parameters: [violation, expect.any(BigInt), expect.any(BigInt), expect.any(BigInt)],
    });
  });
});

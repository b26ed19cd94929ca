import { describe, expect, test } from 'vitest';
import { IRQL, MODE } from '../../assembly/shared/types';
import {
  ExAcquireRundownProtection,
  ExAcquireRundownProtectionEx,
  ExInitializeRundownProtection,
  ExReInitializeRundownProtection,
  ExReleaseRundownProtection,
  ExReleaseRundownProtectionEx,
  ExRundownCompleted,
  ExRundownRef,
  ExWaitForRundownProtectionRelease,
} from '../../src/ex/rundown';
import {
  ExAcquireRundownProtectionCacheAware,
  ExAcquireRundownProtectionCacheAwareEx,
  ExAllocateCacheAwareRundownProtection,
  ExFreeCacheAwareRundownProtection,
  ExInitializeRundownProtectionCacheAware,
  ExReInitializeRundownProtectionCacheAware,
  ExReleaseRundownProtectionCacheAware,
  ExReleaseRundownProtectionCacheAwareEx,
  ExRundownCompletedCacheAware,
  ExRundownRefCacheAware,
  ExSizeOfRundownProtectionCacheAware,
  ExWaitForRundownProtectionReleaseCacheAware,
} from '../../src/ex/rundown-cache-aware';
import { KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { Request } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { runGuest } from '../ke/guest';
import { quietMachine } from '../records';

const delay = (ms: number) => KeDelayExecutionThread(MODE.KernelMode, false, ms * -10_000);

describe('run-down protection', () => {
  test('counts uses by two, and is refused once its run-down has begun', async () => {
    const { value } = await runGuest(function* () {
      const reference = new ExRundownRef();
      ExInitializeRundownProtection(reference);
      const seen: unknown[] = [reference.count];
      seen.push(yield* ExAcquireRundownProtection(reference), reference.count);
      seen.push(yield* ExAcquireRundownProtectionEx(reference, 3), reference.count);
      yield* ExReleaseRundownProtectionEx(reference, 2);
      seen.push(reference.count);
      yield* ExReleaseRundownProtection(reference);
      yield* ExReleaseRundownProtection(reference);
      yield* ExWaitForRundownProtectionRelease(reference);
      seen.push(reference.count, yield* ExAcquireRundownProtection(reference));
      return seen;
    });
    expect(value).toEqual([0, true, 2, true, 8, 4, 1, false]);
  });

  test('is waited for until the last use ends, on whatever thread', async () => {
    const machine = await quietMachine();
    const reference = new ExRundownRef();
    const order: string[] = [];
    machine.systemProcess.createThread(function* () {
      yield* ExAcquireRundownProtection(reference);
      yield* ExAcquireRundownProtection(reference);
      yield* delay(20);
      yield* ExReleaseRundownProtection(reference);
      order.push('first release');
    });
    machine.systemProcess.createThread(function* () {
      yield* delay(1);
      order.push('wait');
      yield* ExWaitForRundownProtectionRelease(reference);
      order.push('run down');
    });
    machine.systemProcess.createThread(function* () {
      yield* delay(40);
      order.push(`refused ${yield* ExAcquireRundownProtection(reference)}`);
      yield* ExReleaseRundownProtection(reference);
      order.push('last release');
    });
    machine.run();
    expect(order.slice(0, 3)).toEqual(['wait', 'first release', 'refused false']);
    expect(order.slice(3).sort()).toEqual(['last release', 'run down']);
  });

  test('lets all go on who wait for its run-down, for WrRundown', async () => {
    const machine = await quietMachine();
    const reference = new ExRundownRef('device');
    reference.acquire();
    const waiters = ['a', 'b'].map((name) =>
      machine.systemProcess.createThread(
        function* () {
          yield* ExWaitForRundownProtectionRelease(reference);
        },
        { name },
      ),
    );
    const result = machine.run();
    expect(result).toMatchObject({
      reason: 'idle',
      waiting: [
        { name: 'a', waitsFor: 'device (WrRundown)' },
        { name: 'b', waitsFor: 'device (WrRundown)' },
      ],
    });
    reference.release();
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect(waiters.map(({ state }) => state)).toEqual([4, 4]);
  });

  test('once run down is waited for no more, stays so, and can be made new', async () => {
    const { value } = await runGuest(function* () {
      const reference = new ExRundownRef();
      yield* ExWaitForRundownProtectionRelease(reference);
      ExRundownCompleted(reference);
      yield* ExWaitForRundownProtectionRelease(reference);
      const refused = yield* ExAcquireRundownProtection(reference);
      ExReInitializeRundownProtection(reference);
      return [refused, yield* ExAcquireRundownProtection(reference), reference.count];
    });
    expect(value).toEqual([false, true, 2]);
  });

  test('is used at DISPATCH_LEVEL', async () => {
    const { value } = await runGuest(function* () {
      const reference = new ExRundownRef();
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      const used = yield* ExAcquireRundownProtection(reference);
      yield* ExReleaseRundownProtection(reference);
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return used;
    });
    expect(value).toBe(true);
  });

  test('is used from outside any guest', () => {
    const reference = new ExRundownRef();
    expect([reference.acquire(2), reference.release(3), reference.release(2)]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

describe('cache-aware run-down protection', () => {
  test('counts on each processor, and sums up', async () => {
    const machine = await quietMachine({ processors: 2 });
    const seen: unknown[] = [];
    machine.systemProcess.createThread(
      function* () {
        const reference = ExAllocateCacheAwareRundownProtection(0, 0);
        yield* ExAcquireRundownProtectionCacheAwareEx(reference, 3);
        machine.systemProcess.createThread(
          function* () {
            yield* ExReleaseRundownProtectionCacheAwareEx(reference, 2);
            seen.push(reference.processorCounts, reference.count);
            yield* ExReleaseRundownProtectionCacheAware(reference);
          },
          { affinity: 2n },
        );
        yield* ExWaitForRundownProtectionReleaseCacheAware(reference);
        seen.push(reference.processorCounts, reference.count);
        ExRundownCompletedCacheAware(reference);
        seen.push(yield* ExAcquireRundownProtectionCacheAware(reference));
        ExReInitializeRundownProtectionCacheAware(reference);
        seen.push(reference.processorCounts, reference.count);
        ExFreeCacheAwareRundownProtection(reference);
      },
      { affinity: 1n },
    );
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect(seen).toEqual([[3, -2], 3, [3, -3], 1, false, [], 0]);
  });

  test('is initialized in memory of the size that it needs', async () => {
    const { value } = await runGuest(function* () {
      const reference = new ExRundownRefCacheAware();
      const size = ExSizeOfRundownProtectionCacheAware();
      ExInitializeRundownProtectionCacheAware(reference, size);
      return yield* ExAcquireRundownProtectionCacheAware(reference);
    });
    expect(value).toBe(true);
  });
});

describe('misuse of run-down protection is KERNEL_SECURITY_CHECK_FAILURE', () => {
  const misuse = async (body: () => Generator<Request, void, number>) => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(body);
    return machine.run();
  };

  test.each([
    [
      'it is released more often than it was acquired',
      14n,
      function* () {
        const reference = new ExRundownRef();
        yield* ExAcquireRundownProtection(reference);
        yield* ExReleaseRundownProtectionEx(reference, 2);
      },
    ],
    [
      'it is said to be run down, and is not',
      5n,
      function* () {
        const reference = new ExRundownRef();
        yield* ExAcquireRundownProtection(reference);
        ExRundownCompleted(reference);
      },
    ],
    [
      'it is made new, and is not run down',
      5n,
      function* () {
        const reference = new ExRundownRef();
        yield* ExAcquireRundownProtection(reference);
        ExReInitializeRundownProtection(reference);
      },
    ],
    [
      'it is freed in use',
      14n,
      function* () {
        const reference = ExAllocateCacheAwareRundownProtection(0, 0);
        yield* ExAcquireRundownProtectionCacheAware(reference);
        ExFreeCacheAwareRundownProtection(reference);
      },
    ],
    [
      'its memory is too small',
      5n,
      function* () {
        yield* delay(1);
        ExInitializeRundownProtectionCacheAware(new ExRundownRefCacheAware(), 1);
      },
    ],
  ])('if %s', async (_, kind, body) => {
    expect(await misuse(body)).toMatchObject({
      reason: 'bugcheck',
      code: 0x139,
      parameters: [kind, 0n, 0n, 0n],
    });
  });

  test('it is not waited for at DISPATCH_LEVEL', async () => {
    const result = await misuse(function* () {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* ExWaitForRundownProtectionRelease(new ExRundownRef());
    });
    expect(result).toMatchObject({ reason: 'bugcheck', code: 0xc4 });
  });
});

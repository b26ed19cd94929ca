import { describe, expect, test } from 'vitest';
import { EResource } from '../../src/ex/eresource';
import { ExAcquireFastMutex, ExReleaseFastMutex, FastMutex } from '../../src/ex/fast-mutex';
import { KeAcquireGuardedMutex, KGuardedMutex } from '../../src/ke/guarded-mutex';
import type { NtCall } from '../../src/machine/guest';
import { ExAcquirePushLockExclusive, ExPushLock } from '../../src/ex/push-lock';
import {
  ExEnterCriticalRegionAndAcquireResourceExclusive,
  ExEnterCriticalRegionAndAcquireResourceShared,
} from '../../src/ex/resource';
import { ExRundownRef, ExWaitForRundownProtectionRelease } from '../../src/ex/rundown';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeEnterCriticalRegion } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { Machine } from '../../src/machine/machine';
import type { RunResult } from '../../src/machine/result';

/** A push lock, in a critical region. */
function acquirePushLock(lock: ExPushLock): NtCall<void> {
  KeEnterCriticalRegion();
  return ExAcquirePushLockExclusive(lock);
}

/** What comes of threads that each acquire, in turn, what they are given, 1 ms apart, and end. */
async function run(
  threads: Readonly<Record<string, readonly (() => NtCall<unknown>)[]>>,
): Promise<RunResult> {
  const machine = await Machine.create();
  for (const [name, acquire] of Object.entries(threads)) {
    machine.systemProcess.createThread(
      function* () {
        for (const next of acquire) {
          yield* next();
          yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
        }
      },
      { name },
    );
  }
  return machine.run();
}

describe('run ends with the circle of those who wait for each other, by name', () => {
  test('of fast mutexes', async () => {
    const a = new FastMutex('a');
    const b = new FastMutex('b');
    const result = await run({
      first: [() => ExAcquireFastMutex(a), () => ExAcquireFastMutex(b)],
      second: [() => ExAcquireFastMutex(b), () => ExAcquireFastMutex(a)],
    });
    expect(result).toMatchObject({
      reason: 'deadlock',
      circle: [
        { thread: 'first', waitsFor: 'b', ownedBy: 'second' },
        { thread: 'second', waitsFor: 'a', ownedBy: 'first' },
      ],
    });
  });

  test('of one thread that acquires a fast mutex twice', async () => {
    const mutex = new FastMutex();
    const result = await run({
      lonely: [() => ExAcquireFastMutex(mutex), () => ExAcquireFastMutex(mutex)],
    });
    expect(result).toMatchObject({
      reason: 'deadlock',
      circle: [{ thread: 'lonely', waitsFor: 'fast mutex 1', ownedBy: 'lonely' }],
    });
  });

  test('of a guarded mutex and a fast mutex, those who wait outside the circle left out', async () => {
    const guarded = new KGuardedMutex('guarded');
    const fast = new FastMutex('fast');
    const result = await run({
      onlooker: [
        () => KeAcquireGuardedMutex(new KGuardedMutex()),
        () => KeAcquireGuardedMutex(guarded),
      ],
      first: [() => KeAcquireGuardedMutex(guarded), () => ExAcquireFastMutex(fast)],
      second: [() => ExAcquireFastMutex(fast), () => KeAcquireGuardedMutex(guarded)],
    });
    expect(result).toMatchObject({
      reason: 'deadlock',
      circle: [
        { thread: 'first', waitsFor: 'fast', ownedBy: 'second' },
        { thread: 'second', waitsFor: 'guarded', ownedBy: 'first' },
      ],
    });
  });

  test('of one thread that shares a resource and wants it alone', async () => {
    const resource = new EResource('volume').initialize();
    const result = await run({
      lonely: [
        () => ExEnterCriticalRegionAndAcquireResourceShared(resource),
        () => ExEnterCriticalRegionAndAcquireResourceExclusive(resource),
      ],
    });
    expect(result).toMatchObject({
      reason: 'deadlock',
      circle: [{ thread: 'lonely', waitsFor: 'volume', ownedBy: 'lonely' }],
    });
  });

  test('of a resource that several share, one of whom waits for who wants it alone', async () => {
    const resource = new EResource('volume').initialize();
    const mutex = new FastMutex('cache');
    const device = new ExRundownRef();
    device.acquire();
    const go = () => KeDelayExecutionThread(MODE.KernelMode, false, -100_000);
    const share = () => ExEnterCriticalRegionAndAcquireResourceShared(resource);
    const result = await run({
      reader: [share, () => ExWaitForRundownProtectionRelease(device)],
      careless: [share, go, () => ExAcquireFastMutex(mutex)],
      writer: [
        () => ExAcquireFastMutex(mutex),
        () => ExEnterCriticalRegionAndAcquireResourceExclusive(resource),
      ],
    });
    expect(result).toMatchObject({
      reason: 'deadlock',
      circle: [
        { thread: 'careless', waitsFor: 'cache', ownedBy: 'writer' },
        { thread: 'writer', waitsFor: 'volume', ownedBy: 'careless' },
      ],
    });
  });

  test('of push locks, one thread that acquires one twice among them', async () => {
    const twice = new ExPushLock('twice');
    expect(
      await run({
        lonely: [() => acquirePushLock(twice), () => acquirePushLock(twice)],
      }),
    ).toMatchObject({
      reason: 'deadlock',
      circle: [{ thread: 'lonely', waitsFor: 'twice', ownedBy: 'lonely' }],
    });
    const [a, b] = [new ExPushLock('a'), new ExPushLock('b')];
    expect(
      await run({
        first: [() => acquirePushLock(a), () => acquirePushLock(b)],
        second: [() => acquirePushLock(b), () => acquirePushLock(a)],
      }),
    ).toMatchObject({
      reason: 'deadlock',
      circle: [
        { thread: 'first', waitsFor: 'b', ownedBy: 'second' },
        { thread: 'second', waitsFor: 'a', ownedBy: 'first' },
      ],
    });
  });

  test('of a resource and a mutex of the core', async () => {
    const machine = await Machine.create();
    const resource = new EResource('volume').initialize();
    const mutex = machine.createMutex();
    const wait = () =>
      KeWaitForSingleObject(mutex, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    const pause = () => KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
    for (const [name, order] of [
      ['first', [wait, () => ExEnterCriticalRegionAndAcquireResourceExclusive(resource)]],
      ['second', [() => ExEnterCriticalRegionAndAcquireResourceExclusive(resource), wait]],
    ] as const) {
      machine.systemProcess.createThread(
        function* () {
          for (const acquire of order) {
            yield* acquire();
            yield* pause();
          }
        },
        { name },
      );
    }
    expect(machine.run()).toMatchObject({
      reason: 'deadlock',
      circle: [
        { thread: 'first', waitsFor: 'volume', ownedBy: 'second' },
        { thread: 'second', waitsFor: `mutant ${mutex.index}`, ownedBy: 'first' },
      ],
    });
  });

  test('and none where all go on', async () => {
    const mutex = new FastMutex();
    const result = await run({
      first: [() => ExAcquireFastMutex(mutex), () => ExReleaseFastMutex(mutex)],
      second: [() => ExAcquireFastMutex(mutex), () => ExReleaseFastMutex(mutex)],
    });
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
  });
});

import { describe, expect, test } from 'vitest';
import { ExAcquireFastMutex, ExReleaseFastMutex, FastMutex } from '../../src/ex/fast-mutex';
import { KeAcquireGuardedMutex, KGuardedMutex } from '../../src/ke/guarded-mutex';
import type { NtCall } from '../../src/machine/guest';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { MODE } from '../../assembly/shared/types';
import { Machine } from '../../src/machine/machine';
import type { RunResult } from '../../src/machine/result';

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

  test('and none where all go on', async () => {
    const mutex = new FastMutex();
    const result = await run({
      first: [() => ExAcquireFastMutex(mutex), () => ExReleaseFastMutex(mutex)],
      second: [() => ExAcquireFastMutex(mutex), () => ExReleaseFastMutex(mutex)],
    });
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
  });
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, MODE } from '../../assembly/shared/types';
import {
  IoAcquireRemoveLock,
  IoInitializeRemoveLock,
  IoReleaseRemoveLock,
  IoReleaseRemoveLockAndWait,
  IoRemoveLock,
} from '../../src/ex/remove-lock';
import { KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { KeDelayExecutionThread, NtYieldExecution } from '../../src/ke/time';
import type { Request } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { runGuest } from '../ke/guest';
import { quietMachine } from '../records';

const delay = (ms: number) => KeDelayExecutionThread(MODE.KernelMode, false, ms * -10_000);

describe('a remove lock', () => {
  test('is acquired until the removal begins', async () => {
    const { value } = await runGuest(function* () {
      const lock = new IoRemoveLock();
      IoInitializeRemoveLock(lock, 'Tag1', 1, 2);
      const irp = {};
      const seen: unknown[] = [lock.ioCount, lock.removed];
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      seen.push(yield* IoAcquireRemoveLock(lock, irp), lock.ioCount);
      yield* IoReleaseRemoveLock(lock, irp);
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      seen.push(yield* IoAcquireRemoveLock(lock, irp), lock.ioCount);
      yield* IoReleaseRemoveLockAndWait(lock, irp);
      seen.push(lock.ioCount, lock.removed, yield* IoAcquireRemoveLock(lock, irp), lock.ioCount);
      return [...seen, lock.allocateTag, lock.maxLockedMinutes, lock.highWatermark];
    });
    expect(value).toEqual([
      ...[1, false, STATUS.SUCCESS, 2, STATUS.SUCCESS, 2],
      ...[0, true, STATUS.DELETE_PENDING, 0],
      ...['Tag1', 1, 2],
    ]);
  });

  test('holds the removal until the last operation has ended', async () => {
    const machine = await quietMachine();
    const lock = new IoRemoveLock('disk');
    const order: unknown[] = [];
    machine.systemProcess.createThread(function* () {
      IoInitializeRemoveLock(lock, 0, 0, 0);
      yield* IoAcquireRemoveLock(lock, 'read');
      yield* IoAcquireRemoveLock(lock, 'write');
      yield* delay(100);
      yield* IoReleaseRemoveLock(lock, 'read');
      order.push(lock.ioCount);
      yield* IoReleaseRemoveLock(lock, 'write');
    });
    machine.systemProcess.createThread(function* () {
      yield* delay(1);
      yield* IoAcquireRemoveLock(lock, 'remove');
      order.push('remove');
      yield* IoReleaseRemoveLockAndWait(lock, 'remove');
      order.push('removed');
    });
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect(order).toEqual(['remove', 1, 'removed']);
  });

  test('io.removelock-001: IoReleaseRemoveLockAndWait returns after the last release, and nobody acquires from its start', async () => {
    const machine = await quietMachine();
    const lock = new IoRemoveLock('disk');
    const seen: unknown[] = [];
    machine.systemProcess.createThread(function* () {
      IoInitializeRemoveLock(lock, 0, 0, 0);
      seen.push(yield* IoAcquireRemoveLock(lock, 'first'));
      yield* IoReleaseRemoveLock(lock, 'first');
      yield* IoAcquireRemoveLock(lock, 'first');
      yield* IoAcquireRemoveLock(lock, 'second');
      const remover = machine.systemProcess.createThread(function* () {
        yield* IoAcquireRemoveLock(lock, 'remove');
        yield* IoReleaseRemoveLockAndWait(lock, 'remove');
      });
      yield* delay(10);
      seen.push(remover.state, yield* IoAcquireRemoveLock(lock, 'late'));
      yield* IoReleaseRemoveLock(lock, 'first');
      yield* delay(10);
      seen.push(remover.state);
      yield* IoReleaseRemoveLock(lock, 'second');
      yield* delay(10);
      seen.push(remover.state, yield* IoAcquireRemoveLock(lock, 'late'));
    });
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      KTHREAD_STATE.Waiting,
      STATUS.DELETE_PENDING,
      KTHREAD_STATE.Waiting,
      KTHREAD_STATE.Terminated,
      STATUS.DELETE_PENDING,
    ]);
  });

  test('is reported by its name by who waits for it', async () => {
    const machine = await Machine.create();
    const lock = new IoRemoveLock('disk');
    machine.systemProcess.createThread(
      function* () {
        IoInitializeRemoveLock(lock, 0, 0, 0);
        yield* IoAcquireRemoveLock(lock, 1);
        yield* IoAcquireRemoveLock(lock, 1);
        yield* IoReleaseRemoveLockAndWait(lock, 1);
      },
      { name: 'pnp' },
    );
    expect(machine.run()).toMatchObject({
      reason: 'idle',
      waiting: [{ name: 'pnp', waitsFor: 'disk (Executive)' }],
    });
  });

  test.each([
    [
      'released with another tag',
      0xd5n,
      function* (lock: IoRemoveLock) {
        IoInitializeRemoveLock(lock, 0, 0, 0);
        yield* IoAcquireRemoveLock(lock, 1);
        yield* IoReleaseRemoveLock(lock, 2);
      },
    ],
    [
      'released and waited for with another tag',
      0xd6n,
      function* (lock: IoRemoveLock) {
        IoInitializeRemoveLock(lock, 0, 0, 0);
        yield* IoAcquireRemoveLock(lock, 1);
        yield* IoReleaseRemoveLockAndWait(lock, 2);
      },
    ],
    [
      'initialized twice',
      0xd7n,
      function* (lock: IoRemoveLock) {
        IoInitializeRemoveLock(lock, 0, 0, 0);
        yield* NtYieldExecution();
        IoInitializeRemoveLock(lock, 0, 0, 0);
      },
    ],
    [
      'acquired without having been initialized',
      0x1002n,
      function* (lock: IoRemoveLock) {
        yield* IoAcquireRemoveLock(lock, 1);
      },
    ],
    [
      'released and waited for at APC_LEVEL',
      0x2000an,
      function* (lock: IoRemoveLock) {
        IoInitializeRemoveLock(lock, 0, 0, 0);
        yield* IoAcquireRemoveLock(lock, 1);
        KeRaiseIrql(IRQL.APC_LEVEL);
        yield* IoReleaseRemoveLockAndWait(lock, 1);
      },
    ],
  ])('that is %s is violation 0x%x', async (_, violation, body) => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(
      (): Generator<Request, void, number> => body(new IoRemoveLock()),
    );
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      code: 0xc4,
      parameters: [violation, expect.any(BigInt), expect.any(BigInt), 0n],
    });
  });

  test('on a free build takes any tag, and no release too many', async () => {
    const machine = await Machine.create({ checkIrql: false });
    const lock = new IoRemoveLock();
    machine.systemProcess.createThread(function* () {
      IoInitializeRemoveLock(lock, 0, 0, 0);
      yield* IoAcquireRemoveLock(lock, 1);
      yield* IoReleaseRemoveLock(lock, 2);
      yield* IoReleaseRemoveLock(lock, 1);
    });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      code: 0x139,
      parameters: [14n, 0n, 0n, 0n],
    });
  });
});

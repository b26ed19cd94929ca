import { describe, expect, test } from 'vitest';
import { IRQL } from '../../assembly/shared/types';
import {
  ExRaiseAccessViolation,
  ExRaiseDatatypeMisalignment,
  ExRaiseStatus,
} from '../../src/ex/exception';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import {
  KeRestoreFloatingPointState,
  KeSaveFloatingPointState,
  type KFloatingSave,
} from '../../src/ke/floating-point';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { IoAcquireCancelSpinLock, IoReleaseCancelSpinLock } from '../../src/ke/spinlock';
import { KeQuerySystemTime } from '../../src/ke/time';
import { Machine } from '../../src/machine/machine';
import { callGuest, runGuest } from './guest';

describe('KeStallExecutionProcessor', () => {
  test.each([
    [600_000, 50],
    [30_000, 1000],
    [1, 30_000_000],
  ])('ke.misc-001: %i stalls of %i us take 30 s', async (count, us) => {
    const { value } = await runGuest(
      function* () {
        const before = KeQuerySystemTime();
        for (let stall = 0; stall < count; stall++) yield* KeStallExecutionProcessor(us);
        return Number(KeQuerySystemTime() - before) / 1e7;
      },
      { profile: { starvationNs: 0 } },
    );
    // Interrupts lengthen each: a clock interrupt takes 2 us of 15.6 ms.
    expect(value).toBeGreaterThanOrEqual(30);
    expect(value).toBeLessThan(30.02);
  });
});

describe('the floating-point state', () => {
  test('ke.misc-002: is saved and restored at each level, which stays', async () => {
    const { value } = await runGuest(function* () {
      const seen: number[] = [];
      for (const level of [IRQL.PASSIVE_LEVEL, IRQL.APC_LEVEL, IRQL.DISPATCH_LEVEL]) {
        KeRaiseIrql(level);
        const { status, value: save } = KeSaveFloatingPointState();
        seen.push(status, KeRestoreFloatingPointState(save), KeGetCurrentIrql());
        yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      }
      return seen;
    });
    expect(value).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 2]);
  });

  test('of another thread is STATUS_INVALID_PARAMETER', async () => {
    const machine = await Machine.create();
    const saved: KFloatingSave[] = [];
    const statuses: number[] = [];
    for (let thread = 0; thread < 2; thread++) {
      machine.systemProcess.createThread(function* () {
        saved.push(KeSaveFloatingPointState().value);
        statuses.push(KeRestoreFloatingPointState(saved[0] as KFloatingSave));
        yield* KeStallExecutionProcessor(1);
      });
    }
    machine.run();
    expect(statuses).toEqual([0, 0xc000000d]);
  });
});

describe('exceptions', () => {
  const statusOf = (raise: () => never) => {
    try {
      return raise();
    } catch (error) {
      return (error as { status: number }).status;
    }
  };

  test('ke.misc-006: ExRaiseStatus raises exactly that status, of success too', async () => {
    const statuses = [0xc0000005, 0x102, 0xc00000fd, 0x80000001];
    const value = await callGuest(() =>
      statuses.map((status) => statusOf(() => ExRaiseStatus(status))),
    );
    expect(value).toEqual(statuses);
  });

  test('ExRaiseAccessViolation and ExRaiseDatatypeMisalignment raise theirs', async () => {
    const value = await callGuest(() =>
      [ExRaiseAccessViolation, ExRaiseDatatypeMisalignment].map(statusOf),
    );
    expect(value).toEqual([0xc0000005, 0x80000002]);
  });

  test('that nobody catches end in bugcheck SYSTEM_THREAD_EXCEPTION_NOT_HANDLED', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      yield* KeStallExecutionProcessor(1);
      ExRaiseStatus(0xc00000fd);
    });
    expect(machine.run()).toMatchObject({
      name: 'SYSTEM_THREAD_EXCEPTION_NOT_HANDLED',
      cause: { status: 0xc00000fd },
    });
  });

  test('have levels at which they may be raised', async () => {
    const raised = (raise: () => never, level: number) =>
      runGuest(function* () {
        KeRaiseIrql(level);
        yield* KeStallExecutionProcessor(1);
        raise();
      });
    await expect(raised(ExRaiseAccessViolation, 1)).rejects.toThrow('it needs PASSIVE_LEVEL (0)');
    await expect(raised(() => ExRaiseStatus(0), 2)).rejects.toThrow('at most APC_LEVEL (1)');
    await expect(raised(() => ExRaiseStatus(0), 1)).rejects.toThrow('status 0x00000000 was raised');
  });
});

test('the cancel spin lock is one for the machine', async () => {
  const machine = await Machine.create({ processors: 2 });
  const order: string[] = [];
  for (const [processor, name] of ['first', 'second'].entries()) {
    machine.systemProcess.createThread(
      function* () {
        const irql = yield* IoAcquireCancelSpinLock();
        order.push(`${name} ${irql} ${KeGetCurrentIrql()}`);
        yield* KeStallExecutionProcessor(100);
        yield* IoReleaseCancelSpinLock(irql);
        order.push(`${name} done at ${KeGetCurrentIrql()}`);
      },
      { affinity: 1n << BigInt(processor) },
    );
  }
  machine.run();
  expect(order).toEqual(['first 0 2', 'first done at 0', 'second 0 2', 'second done at 0']);
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import {
  KePulseEvent,
  KeReleaseMutant,
  KeReleaseMutex,
  KeReleaseSemaphore,
  KeSetEvent,
  KeWaitForMultipleObjects,
  KeWaitForSingleObject,
} from '../../src/ke/ddi';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { disassemble } from '../../src/machine/disassemble';
import { NtStatusError } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KernelObject, KThread } from '../../src/machine/views';
import { quietMachine, recordsOf, spawn } from '../records';
import { runGuest } from './guest';

const wait = (object: KernelObject, timeout: number | null = null) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);

interface Rounds {
  readonly log: number[];
  readonly previous: Set<number>;
  readonly statuses: Set<number>;
  readonly priorities: number[];
  readonly helperPriority: number;
}

/** C signals W and waits for E, 1000 times; M waits for W, signals E and counts. */
async function rounds(increment: number): Promise<Rounds> {
  const machine = await Machine.create();
  const toC = machine.createEvent('synchronization');
  const toM = machine.createEvent('synchronization');
  const log: number[] = [];
  const previous = new Set<number>();
  const statuses = new Set<number>();
  const priorities: number[] = [];
  let counter = 0;
  let helperPriority = 0;
  const helper: KThread = machine.systemProcess.createThread(
    function* () {
      for (let round = 0; round < 1000; round++) {
        yield* KeSetEvent(toM, 0, true);
        statuses.add(yield* wait(toC));
        log.push(counter);
      }
      helperPriority = helper.priority;
    },
    { start: false },
  );
  const main: KThread = machine.systemProcess.createThread(function* () {
    priorities.push(main.priority);
    helper.start();
    for (let round = 1; round <= 1000; round++) {
      statuses.add(yield* wait(toM));
      previous.add(yield* KeSetEvent(toC, increment, false));
      counter = round;
    }
    priorities.push(main.priority);
  });
  machine.run();
  return { log, previous, statuses, priorities, helperPriority };
}

describe('a signal with Wait = TRUE', () => {
  test.each([
    [1, 9],
    [2, 10],
    [3, 11],
    [4, 12],
    [5, 13],
    [6, 14],
    [7, 15],
    [8, 15],
  ])('ke.sched-001: a waiter boosted by %i preempts inside KeSetEvent, and ends at %i', async (increment, priority) => {
    const { log, previous, statuses, priorities, helperPriority } = await rounds(increment);
    expect(log).toEqual(Array.from({ length: 1000 }, (_, index) => index));
    expect([...previous]).toEqual([0]);
    expect([...statuses]).toEqual([STATUS.SUCCESS]);
    expect(priorities).toEqual([8, 8]);
    expect(helperPriority).toBe(priority);
  });

  test('ke.sched-002: a waiter of the same priority runs before or after the assignment', async () => {
    const { log, helperPriority } = await rounds(0);
    expect(log).toHaveLength(1000);
    expect(log.filter((entry, index) => entry !== index && entry !== index + 1)).toEqual([]);
    expect(helperPriority).toBe(8);
  });

  test('goes on at DISPATCH_LEVEL with WaitNext set, until a wait goes back', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const event = machine.createEvent('notification');
      const seen: unknown[] = [];
      for (const level of [IRQL.PASSIVE_LEVEL, IRQL.APC_LEVEL]) {
        const old = KeRaiseIrql(level);
        yield* KeSetEvent(event, 0, true);
        seen.push(KeGetCurrentIrql(), thread.waitNext);
        seen.push(yield* wait(event), KeGetCurrentIrql(), thread.waitNext);
        yield* KeLowerIrql(old);
      }
      return seen;
    });
    expect(value).toEqual([2, true, 0, 0, false, 2, true, 0, 1, false]);
  });

  test('goes back to APC_LEVEL after a wait that blocked', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('synchronization');
      const other = machine.createEvent('synchronization');
      machine.systemProcess.createThread(function* () {
        yield* wait(event);
        yield* KeSetEvent(other, 0, false);
      });
      const old = KeRaiseIrql(IRQL.APC_LEVEL);
      yield* KeSetEvent(event, 0, true);
      const status = yield* wait(other);
      const level = KeGetCurrentIrql();
      yield* KeLowerIrql(old);
      return [status, level];
    });
    expect(value).toEqual([STATUS.SUCCESS, IRQL.APC_LEVEL]);
  });

  test('is what KePulseEvent, KeReleaseSemaphore, KeReleaseMutex and KeReleaseMutant know too', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const event = machine.createEvent('notification', true);
      const semaphore = machine.createSemaphore(0, 2);
      const mutex = machine.createMutex();
      const mutant = machine.createMutant(thread);
      yield* wait(mutex);
      const seen: unknown[] = [];
      const signals = [
        () => KePulseEvent(event, 0, true),
        () => KeReleaseSemaphore(semaphore, 0, 1, true),
        () => KeReleaseMutex(mutex, true),
        () => KeReleaseMutant(mutant, 0, false, true),
      ];
      for (const signal of signals) {
        const previous = yield* signal();
        const level = KeGetCurrentIrql();
        yield* KeWaitForMultipleObjects(
          [event],
          WAIT_TYPE.WaitAny,
          KWAIT_REASON.Executive,
          MODE.KernelMode,
          false,
          0,
          null,
        );
        seen.push(previous, level, KeGetCurrentIrql());
      }
      return seen;
    });
    expect(value).toEqual([1, 2, 0, 0, 2, 0, 0, 2, 0, 0, 2, 0]);
  });

  test('that raises a status leaves the level as it was', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const seen: unknown[] = [];
      const semaphore = machine.createSemaphore(1, 1);
      const mutant = machine.createMutant();
      const signals = [
        () => KeReleaseSemaphore(semaphore, 0, 1, true),
        () => KeReleaseMutant(mutant, 0, false, true),
      ];
      for (const signal of signals) {
        try {
          yield* signal();
        } catch (error) {
          seen.push(error instanceof NtStatusError && error.status);
        }
        seen.push(KeGetCurrentIrql(), thread.waitNext);
      }
      return [...seen, semaphore.signalState];
    });
    expect(value).toEqual([
      STATUS.SEMAPHORE_LIMIT_EXCEEDED,
      0,
      false,
      STATUS.MUTANT_NOT_OWNED,
      0,
      false,
      1,
    ]);
  });

  test('lets what works at DISPATCH_LEVEL come in between', async () => {
    const { value } = await runGuest(function* (machine) {
      const first = machine.createEvent('notification');
      const second = machine.createEvent('notification');
      yield* KeSetEvent(first, 0, true);
      yield* KeSetEvent(second, 0, false);
      const level = KeGetCurrentIrql();
      yield* wait(first);
      return [level, second.signalState, KeGetCurrentIrql()];
    });
    expect(value).toEqual([IRQL.DISPATCH_LEVEL, 1, IRQL.PASSIVE_LEVEL]);
  });

  test.each([
    [
      'a delay',
      'IRQL_NOT_LESS_OR_EQUAL',
      () => KeDelayExecutionThread(MODE.KernelMode, false, -10),
    ],
    ['the end of the thread', 'KERNEL_APC_PENDING_DURING_EXIT', () => []],
  ] as const)('and then %s is bugcheck %s', async (_, name, misuse) => {
    const machine = await Machine.create({ checkIrql: false });
    const event = machine.createEvent('notification');
    machine.systemProcess.createThread(function* () {
      yield* KeSetEvent(event, 0, true);
      yield* misuse() as Iterable<readonly number[], number, number>;
    });
    expect(machine.run()).toMatchObject({ reason: 'bugcheck', name });
  });

  test.each([
    ['KeSetEvent', IRQL.DISPATCH_LEVEL, 0x20016],
    ['KeReleaseSemaphore', IRQL.APC_LEVEL, 0x20011],
  ] as const)('by %s at IRQL %i is DRIVER_VERIFIER_DETECTED_VIOLATION', async (routine, level, rule) => {
    const machine = await Machine.create();
    const event = machine.createEvent('notification');
    const semaphore = machine.createSemaphore(0);
    machine.systemProcess.createThread(function* () {
      KeRaiseIrql(level);
      if (routine === 'KeSetEvent') yield* KeSetEvent(event, 0, true);
      else yield* KeReleaseSemaphore(semaphore, 0, 1, true);
    });
    expect(machine.run()).toMatchObject({
      code: 0xc4,
      parameters: [BigInt(rule), BigInt(level), 0n, 0n],
    });
  });

  test('keeps whom it wakes off its processor until the wait, in programs too', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    const other = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const order = program('order', (p) => p.setEvent(event, 2, true).mark(1).wait(other).mark(3));
    spawn(process, 'waiter', (p) => p.wait(event).mark(2).setEvent(other), { increment: 2 });
    machine.run();
    const thread = process.createThread(machine.loadProgram(order));
    machine.run();
    expect(thread.state).toBe(KTHREAD_STATE.Terminated);
    expect(recordsOf(machine, 'mark').map(({ value }) => value)).toEqual([1, 2, 3]);
    expect(disassemble(order)).toContain('setEvent +2, wait, #0:1');
  });
});

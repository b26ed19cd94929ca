import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import {
  KeReadStateMutex,
  KeReleaseMutant,
  KeReleaseMutex,
  KeSetEvent,
  KeWaitForMultipleObjects,
  KeWaitForSingleObject,
} from '../../src/ke/ddi';
import { KeInitializeMutex } from '../../src/ke/initialize';
import {
  KeAreAllApcsDisabled,
  KeAreApcsDisabled,
  KeGetCurrentIrql,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { NtStatusError } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KernelObject, KMutant } from '../../src/machine/views';
import { runGuest } from './guest';

const MINLONG = -0x80000000;
const wait = (object: KernelObject, timeout: number | null = 0) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);

function* raisedBy(call: () => Generator<readonly number[], number, number>) {
  try {
    return [yield* call()];
  } catch (error) {
    return error instanceof NtStatusError ? error.status : error;
  }
}

/** Writes SignalState as the cases do that go to the limits. */
function setState(mutant: KMutant, state: number): void {
  mutant.machine.memory.setU32(mutant.address + 4, state >>> 0);
}

describe('mutants', () => {
  test('ke.mutant-001: a new mutant is free or its initial owner’s, and disables no APCs', async () => {
    const seen = await runGuest(function* (machine, thread) {
      const free = machine.createMutant();
      const owned = machine.createMutant(thread);
      const before = [free.signalState, free.owner, free.abandoned, owned.signalState, owned.owner];
      const released = yield* KeReleaseMutant(owned, 1, false, false);
      return [...before, released, owned.signalState, owned.owner, thread.kernelApcDisable];
    });
    expect(seen.value).toEqual([1, undefined, false, 0, seen.thread, 0, 1, undefined, 0]);
  });

  test('ke.mutant-002: acquiring a mutant leaves normal kernel APCs enabled', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const mutant = machine.createMutant();
      const status = yield* wait(mutant, null);
      const owned = [status, mutant.signalState, thread.kernelApcDisable];
      return [...owned, yield* KeReleaseMutant(mutant, 1, false, false), mutant.signalState];
    });
    expect(value).toEqual([STATUS.SUCCESS, 0, 0, 0, 1]);
  });

  test('ke.mutant-004: one acquisition past MINLONG is raised, and changes nothing', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const mutant = machine.createMutant(thread);
      setState(mutant, MINLONG + 1);
      const status = yield* wait(mutant, null);
      const state = mutant.signalState;
      const raised = yield* raisedBy(function* () {
        return yield* wait(mutant, null);
      });
      const after = mutant.signalState;
      const released = yield* KeReleaseMutant(mutant, 1, false, false);
      const end = mutant.signalState;
      setState(mutant, 0);
      yield* KeReleaseMutant(mutant, 1, false, false);
      return [status, state, raised, after, released, end];
    });
    expect(value).toEqual([
      0,
      MINLONG,
      STATUS.MUTANT_LIMIT_EXCEEDED,
      MINLONG,
      MINLONG,
      MINLONG + 1,
    ]);
  });

  test('ke.mutant-006: releasing a mutant that one does not own is raised', async () => {
    const { value } = await runGuest(function* (machine) {
      const mutant = machine.createMutant();
      const raised = yield* raisedBy(function* () {
        return yield* KeReleaseMutant(mutant, 1, false, false);
      });
      return [raised, mutant.signalState, KeGetCurrentIrql()];
    });
    expect(value).toEqual([STATUS.MUTANT_NOT_OWNED, 1, IRQL.PASSIVE_LEVEL]);
  });

  test('ke.mutant-008: a mutex disables normal kernel APCs for as long as it is owned', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const mutex = machine.createMutex();
      const status = yield* wait(mutex, null);
      const owned = [status, mutex.signalState, thread.kernelApcDisable];
      const disabled = [KeAreApcsDisabled(), KeAreAllApcsDisabled(), KeGetCurrentIrql()];
      const released = yield* KeReleaseMutex(mutex, false);
      return [owned, disabled, released, mutex.signalState, thread.kernelApcDisable];
    });
    expect(value).toEqual([[0, 0, -1], [true, false, 0], 0, 1, 0]);
  });

  test('ke.mutant-009: a mutex disables them once, however often it is acquired', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const mutex = machine.createMutex();
      const acquired: number[] = [];
      for (let count = 0; count < 8; count++) {
        yield* wait(mutex, null);
        acquired.push(mutex.signalState, thread.kernelApcDisable);
      }
      const released: number[] = [];
      for (let count = 0; count < 8; count++) {
        released.push(yield* KeReleaseMutex(mutex, false), thread.kernelApcDisable);
      }
      return [acquired, released];
    });
    expect(value).toEqual([
      [0, -1, -1, -1, -2, -1, -3, -1, -4, -1, -5, -1, -6, -1, -7, -1],
      [-7, -1, -6, -1, -5, -1, -4, -1, -3, -1, -2, -1, -1, -1, 0, 0],
    ]);
  });

  test('ke.mutant-010: at the limit of recursion a mutex still disables them', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const mutex = machine.createMutex();
      yield* wait(mutex, null);
      setState(mutex, MINLONG + 1);
      const status = yield* wait(mutex, null);
      const raised = yield* raisedBy(function* () {
        return yield* wait(mutex, null);
      });
      const disable = thread.kernelApcDisable;
      const released = [yield* KeReleaseMutex(mutex, false), yield* KeReleaseMutex(mutex, false)];
      setState(mutex, 0);
      yield* KeReleaseMutex(mutex, false);
      return [status, raised, disable, ...released];
    });
    expect(value).toEqual([0, STATUS.MUTANT_LIMIT_EXCEEDED, -1, MINLONG, MINLONG + 1]);
  });

  test('ke.mutant-011: the last release enables them, and one more is raised', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const mutex = machine.createMutex();
      yield* wait(mutex, null);
      setState(mutex, -1);
      const first = [yield* KeReleaseMutex(mutex, false), mutex.signalState];
      const second = [
        yield* KeReleaseMutex(mutex, false),
        mutex.signalState,
        thread.kernelApcDisable,
      ];
      const third = yield* raisedBy(function* () {
        return yield* KeReleaseMutex(mutex, false);
      });
      return [first, second, third, mutex.signalState, thread.kernelApcDisable];
    });
    expect(value).toEqual([[-1, 0], [0, 1, 0], STATUS.MUTANT_NOT_OWNED, 1, 0]);
  });

  test('ke.mutant-012: only its owner acquires an owned mutex at once', async () => {
    const { value } = await runGuest(function* (machine) {
      const mutex = machine.createMutex();
      const statuses: number[] = [];
      const states: number[] = [];
      for (let count = 0; count < 10; count++) statuses.push(yield* wait(mutex));
      for (let count = 0; count < 10; count++) states.push(yield* KeReleaseMutex(mutex, false));
      const others: number[] = [];
      const other = machine.systemProcess.createThread(function* () {
        others.push(yield* wait(mutex));
        yield* KeReleaseMutex(mutex, false);
      });
      yield* wait(other, null);
      yield* wait(mutex);
      const late = machine.systemProcess.createThread(function* () {
        others.push(yield* wait(mutex));
      });
      yield* wait(late, null);
      return [
        statuses,
        states,
        others,
        KeReadStateMutex(mutex),
        yield* KeReleaseMutex(mutex, false),
      ];
    });
    expect(value).toEqual([
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [-9, -8, -7, -6, -5, -4, -3, -2, -1, 0],
      [STATUS.SUCCESS, STATUS.TIMEOUT],
      0,
      0,
    ]);
  });

  test('ke.mutant-015: a mutant whose owner ended is abandoned until it is acquired', async () => {
    const { value } = await runGuest(function* (machine) {
      const mutant = machine.createMutant();
      const owner = machine.systemProcess.createThread(function* () {
        yield* wait(mutant);
      });
      yield* wait(owner, null);
      const abandoned = [mutant.signalState, mutant.owner, mutant.abandoned];
      const status = yield* wait(mutant);
      const after = [mutant.signalState, mutant.abandoned];
      yield* KeReleaseMutant(mutant, 1, false, false);
      return [...abandoned, status, ...after];
    });
    expect(value).toEqual([1, undefined, true, STATUS.ABANDONED_WAIT_0, 0, false]);
  });

  test('ke.mutant-021: who waits for a mutant gets it from an owner that ends', async () => {
    const { value } = await runGuest(function* (machine) {
      const mutant = machine.createMutant();
      const gate = machine.createEvent('notification');
      machine.systemProcess.createThread(function* () {
        yield* wait(mutant);
        yield* wait(gate, null);
      });
      let status: number | undefined;
      const waiter = machine.systemProcess.createThread(function* () {
        status = yield* wait(mutant, null);
        yield* KeReleaseMutant(mutant, 1, false, false);
      });
      const early = yield* wait(waiter, -1_000_000);
      gate.set();
      yield* wait(waiter, null);
      return [early, status];
    });
    expect(value).toEqual([STATUS.TIMEOUT, STATUS.ABANDONED]);
  });

  test('a wait for one of several objects adds the index to the status of an abandoned mutant', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('notification');
      const mutant = machine.createMutant();
      const owner = machine.systemProcess.createThread(function* () {
        yield* wait(mutant);
      });
      yield* wait(owner, null);
      const status = yield* KeWaitForMultipleObjects(
        [event, mutant],
        WAIT_TYPE.WaitAny,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        false,
        null,
        null,
      );
      yield* KeReleaseMutant(mutant, 1, false, false);
      return [status];
    });
    expect(value).toEqual([0x81]);
  });

  /** What a mutex comes to that is acquired at one level and released at another. */
  async function releasedAt(acquired: number, released: number) {
    const { value } = await runGuest(function* (machine) {
      const mutex = machine.createMutex();
      const low = KeRaiseIrql(acquired);
      yield* wait(mutex);
      yield* KeLowerIrql(low);
      KeRaiseIrql(released);
      const refused = yield* raisedBy(function* () {
        return yield* KeReleaseMutex(mutex, false);
      });
      yield* KeLowerIrql(low);
      const state = mutex.signalState;
      KeRaiseIrql(acquired);
      if (state !== 1) yield* KeReleaseMutex(mutex, false);
      yield* KeLowerIrql(low);
      return [refused, state];
    });
    return value;
  }

  test('a mutex that was acquired at DISPATCH_LEVEL is freed there only, and one from below only below', async () => {
    const refused = [STATUS.MUTANT_NOT_OWNED, 0];
    expect(await releasedAt(IRQL.DISPATCH_LEVEL, IRQL.PASSIVE_LEVEL)).toEqual(refused);
    expect(await releasedAt(IRQL.APC_LEVEL, IRQL.DISPATCH_LEVEL)).toEqual(refused);
    expect(await releasedAt(IRQL.DISPATCH_LEVEL, IRQL.DISPATCH_LEVEL)).toEqual([[0], 1]);
    expect(await releasedAt(IRQL.PASSIVE_LEVEL, IRQL.APC_LEVEL)).toEqual([[0], 1]);
  });

  test('KeReleaseMutant with Abandoned frees it from any owner, however often that acquired it', async () => {
    const { value } = await runGuest(function* (machine) {
      const mutex = machine.createMutex();
      const end = machine.createEvent('notification');
      const owner = machine.systemProcess.createThread(function* () {
        yield* wait(mutex);
        yield* wait(mutex);
        yield* wait(end, null);
      });
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      const before = [mutex.owner === owner, owner.kernelApcDisable];
      const released = yield* KeReleaseMutant(mutex, 1, true, false);
      const after = [mutex.owner, mutex.signalState, mutex.abandoned, owner.kernelApcDisable];
      const acquired = [yield* wait(mutex), mutex.abandoned, yield* KeReleaseMutex(mutex, false)];
      yield* KeSetEvent(end, 0, false);
      return [before, released, after, acquired];
    });
    expect(value).toEqual([[true, -1], -1, [undefined, 1, true, 0], [STATUS.ABANDONED, false, 0]]);
  });

  test('a thread that ends with a mutex is bugcheck THREAD_TERMINATE_HELD_MUTEX', async () => {
    const machine = await Machine.create();
    const mutex = machine.createMutex();
    machine.systemProcess.createThread(
      machine.loadProgram(program('careless', (p) => p.wait(mutex))),
    );
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      code: 0x4000008a,
      name: 'THREAD_TERMINATE_HELD_MUTEX',
      parameters: [expect.any(BigInt), BigInt(mutex.address), 0n, 0n],
    });
  });

  test('a thread of programs is told that it does not own the mutant it releases', async () => {
    const machine = await Machine.create();
    const mutant = machine.createMutant();
    const thread = machine
      .createProcess()
      .createThread(machine.loadProgram(program('thief', (p) => p.releaseMutant(mutant))));
    const statuses: number[] = [];
    while (machine.steps < 50 && thread.state !== 4) {
      machine.run({ maxEvents: 1 });
      statuses.push(thread.status >>> 0);
    }
    expect(statuses).toContain(STATUS.MUTANT_NOT_OWNED);
  });

  test('KeInitializeMutex makes a free mutex of one that was abandoned, and is a bugcheck for an owned one', async () => {
    const machine = await Machine.create({ processors: 1 });
    const mutant = machine.createMutant();
    let fresh: unknown[] = [];
    machine.systemProcess.createThread(function* () {
      const owner = machine.systemProcess.createThread(function* () {
        yield* wait(mutant);
      });
      yield* wait(owner, null);
      KeInitializeMutex(mutant, 0);
      const { abandoned, signalState } = mutant;
      fresh = [abandoned, signalState, yield* wait(mutant), KeAreApcsDisabled()];
      KeInitializeMutex(mutant, 0);
    });
    expect(machine.run()).toMatchObject({
      name: 'KERNEL_SECURITY_CHECK_FAILURE',
      parameters: [3n, 0n, 0n, 0n],
    });
    expect(fresh).toEqual([false, 1, STATUS.SUCCESS, true]);
  });

  test('an owned mutant is not deleted', async () => {
    const { value } = await runGuest(function* (machine) {
      const mutant = machine.createMutant();
      yield* wait(mutant);
      expect(() => mutant.delete()).toThrow('delete: a thread waits for this KMutant or owns it');
      yield* KeReleaseMutant(mutant, 1, false, false);
      mutant.delete();
      return mutant.exists;
    });
    expect(value).toBe(false);
  });
});

import { describe, expect, test } from 'vitest';
import { CONDITION } from '../../assembly/shared/opcode';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import {
  ExAcquireSpinLockExclusive,
  ExAcquireSpinLockShared,
  ExReleaseSpinLockExclusive,
  ExReleaseSpinLockShared,
  ExTryConvertSharedSpinLockExclusive,
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockForDpc,
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KeAcquireSpinLockRaiseToSynch,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockForDpc,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
  lockQueueHandle,
} from '../../src/ke/spinlock';
import type { HostBody } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KSpinLock } from '../../src/machine/spinlock';
import { runGuest } from './guest';

const PASSIVE_LEVEL = IRQL.PASSIVE_LEVEL;
const APC_LEVEL = IRQL.APC_LEVEL;
const DISPATCH_LEVEL = IRQL.DISPATCH_LEVEL;
const LEVELS = [0, 1, 2, 15];

type Body<T> = (lock: KSpinLock, level: number) => Generator<readonly number[], T, number>;

/** What `body` returns when it begins at each of the levels, on a free build. */
async function atEachLevel<T>(body: Body<T>): Promise<T[] | undefined> {
  const { value } = await runGuest(
    function* (machine) {
      const results: T[] = [];
      for (const level of LEVELS) {
        const lock = machine.createSpinLock();
        KeRaiseIrql(level);
        results.push(yield* body(lock, level));
        yield* KeLowerIrql(PASSIVE_LEVEL);
      }
      return results;
    },
    { checkIrql: false },
  );
  return value;
}

describe('spin locks, from every level', () => {
  test('ke.spinlock-002: acquiring goes to DISPATCH_LEVEL, releasing back to the level before', async () => {
    const results = await atEachLevel(function* (lock) {
      const old = yield* KeAcquireSpinLock(lock);
      const held = [old, KeGetCurrentIrql(), lock.owner !== undefined, KeTestSpinLock(lock)];
      yield* KeReleaseSpinLock(lock, old);
      return [...held, KeGetCurrentIrql(), KeTestSpinLock(lock)];
    });
    expect(results).toEqual(LEVELS.map((level) => [level, 2, true, false, level, true]));
  });

  test('ke.spinlock-003: acquiring goes to SYNCH_LEVEL', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const results: number[][] = [];
        for (const level of [PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL]) {
          const lock = machine.createSpinLock();
          KeRaiseIrql(level);
          const old = yield* KeAcquireSpinLockRaiseToSynch(lock);
          const raised = KeGetCurrentIrql();
          yield* KeReleaseSpinLock(lock, old);
          results.push([old, raised, KeGetCurrentIrql()]);
          yield* KeLowerIrql(PASSIVE_LEVEL);
        }
        return results;
      },
      { checkIrql: false },
    );
    expect(value).toEqual([0, 1, 2].map((level) => [level, 12, level]));
  });

  test('ke.spinlock-006: a try fails while the lock is held, as on several processors', async () => {
    const results = await atEachLevel(function* (lock, level) {
      const first = yield* KeTryToAcquireSpinLockAtDpcLevel(lock);
      const second = yield* KeTryToAcquireSpinLockAtDpcLevel(lock);
      const held = KeGetCurrentIrql() === level;
      yield* KeReleaseSpinLockFromDpcLevel(lock);
      return [first, second, held, KeTestSpinLock(lock)];
    });
    expect(results).toEqual(Array(4).fill([true, false, true, true]));
  });

  test('ke.spinlock-009: a try takes a free lock, and fails on one that is held, at an unchanged level', async () => {
    const results = await atEachLevel(function* (lock, level) {
      const tries: unknown[] = [];
      for (let count = 0; count < 2; count++) {
        tries.push(yield* KeTryToAcquireSpinLockAtDpcLevel(lock), KeGetCurrentIrql() - level);
      }
      yield* KeReleaseSpinLockFromDpcLevel(lock);
      return [...tries, KeTestSpinLock(lock)];
    });
    expect(results).toEqual(Array(4).fill([true, 0, false, 0, true]));
  });

  test('ke.spinlock-007: the forms for DISPATCH_LEVEL leave the level; the full release sets it', async () => {
    const results = await atEachLevel(function* (lock, level) {
      yield* KeAcquireSpinLockAtDpcLevel(lock);
      const levels = [KeGetCurrentIrql() - level];
      yield* KeReleaseSpinLockFromDpcLevel(lock);
      levels.push(KeGetCurrentIrql() - level);
      yield* KeAcquireSpinLockAtDpcLevel(lock);
      yield* KeReleaseSpinLock(lock, APC_LEVEL);
      return [...levels, KeGetCurrentIrql(), KeTestSpinLock(lock)];
    });
    expect(results).toEqual(Array(4).fill([0, 0, 1, true]));
  });

  test('ke.spinlock-008: a release for DISPATCH_LEVEL after a full acquisition leaves DISPATCH_LEVEL', async () => {
    const results = await atEachLevel(function* (lock) {
      yield* KeAcquireSpinLock(lock);
      yield* KeReleaseSpinLockFromDpcLevel(lock);
      return [KeGetCurrentIrql(), KeTestSpinLock(lock)];
    });
    expect(results).toEqual(Array(4).fill([2, true]));
  });

  test('ke.spinlock-010: the queued form for DPCs keeps a level of DISPATCH_LEVEL or above', async () => {
    const results = await atEachLevel(function* (lock) {
      const handle = lockQueueHandle();
      yield* KeAcquireInStackQueuedSpinLockForDpc(lock, handle);
      const held = [handle.oldIrql, KeGetCurrentIrql()];
      yield* KeReleaseInStackQueuedSpinLockForDpc(handle);
      return [...held, KeGetCurrentIrql()];
    });
    expect(results).toEqual([
      [0, 2, 0],
      [1, 2, 1],
      [2, 2, 2],
      [15, 15, 15],
    ]);
  });
});

/** A machine with a host thread on each processor, run to its end. */
async function onProcessors(
  ...bodies: ((machine: Machine) => HostBody)[]
): Promise<{ machine: Machine; result: ReturnType<Machine['run']> }> {
  const machine = await Machine.create({ processors: bodies.length });
  bodies.forEach((body, processor) => {
    const affinity = 1n << BigInt(processor);
    machine.systemProcess.createThread(body(machine), { affinity, name: `thread ${processor}` });
  });
  return { machine, result: machine.run() };
}

describe('spinning', () => {
  test('takes the time until the release, and the interprocessor latency, on the spinner’s account', async () => {
    let lock: KSpinLock | undefined;
    const times: number[] = [];
    const body = (hold: number) => (machine: Machine) =>
      function* () {
        lock ??= machine.createSpinLock();
        const old = yield* KeAcquireSpinLock(lock);
        times.push(machine.now);
        yield* KeStallExecutionProcessor(hold);
        yield* KeReleaseSpinLock(lock, old);
      };
    const { machine, result } = await onProcessors(body(100), body(100));
    expect(result.reason).toBe('idle');
    // Both ask at 2,200 ns. The routine takes the first 200 ns; the second goes on 500 ns after the release.
    expect(times).toEqual([2400, 102_900]);
    const spinner = machine.thread(3);
    expect(spinner?.runTimeNs).toBe(201_100);
  });

  test('a program thread spins too, and no two hold the lock at a time', async () => {
    const machine = await Machine.create({ processors: 4 });
    const lock = machine.createSpinLock();
    const inside = machine.createSemaphore(0);
    // Whoever finds the word other than 1 after adding 1 to it was not alone.
    const body = program('adder', (p) => {
      const value = p.register();
      p.loop(50, () => {
        p.spinLock(lock, () => {
          const alone = p.label();
          p.interlockedAdd(value, 0, 1).compute(300);
          p.branchRegister(CONDITION.Equal, value, 1, alone).releaseSemaphore(inside).place(alone);
          p.interlockedAdd(value, 0, -1);
        });
        p.interlockedAdd(value, 1, 1);
      });
    });
    const loaded = machine.loadProgram(body);
    for (let thread = 0; thread < 4; thread++) machine.createProcess().createThread(loaded);
    expect(machine.run().reason).toBe('idle');
    expect([machine.sharedWord(0), machine.sharedWord(1)]).toEqual([0, 200]);
    expect([inside.signalState, lock.owner, lock.spinners]).toEqual([0, undefined, 0]);
  });

  test('spinners get the lock in the order in which they came', async () => {
    let lock: KSpinLock | undefined;
    const order: number[] = [];
    const body = (number: number) => (machine: Machine) =>
      function* () {
        lock ??= machine.createSpinLock();
        yield* KeStallExecutionProcessor(number === 0 ? 1 : 10 - number);
        const handle = lockQueueHandle();
        yield* KeAcquireInStackQueuedSpinLock(lock, handle);
        order.push(number);
        yield* KeStallExecutionProcessor(50);
        yield* KeReleaseInStackQueuedSpinLock(handle);
      };
    await onProcessors(body(0), body(1), body(2), body(3));
    expect(order).toEqual([0, 3, 2, 1]);
  });

  test('readers share a lock, and a writer that spins keeps new ones out', async () => {
    let lock: KSpinLock | undefined;
    const log: string[] = [];
    const reader = (name: string, after: number) => (machine: Machine) =>
      function* () {
        lock ??= machine.createSpinLock();
        yield* KeStallExecutionProcessor(after);
        const old = yield* ExAcquireSpinLockShared(lock);
        log.push(`${name} with ${lock.sharedCount}`);
        yield* KeStallExecutionProcessor(100);
        yield* ExReleaseSpinLockShared(lock, old);
      };
    const writer = (machine: Machine) =>
      function* () {
        lock ??= machine.createSpinLock();
        yield* KeStallExecutionProcessor(30);
        const old = yield* ExAcquireSpinLockExclusive(lock);
        log.push(`writer, processor ${lock.owner}`);
        yield* ExReleaseSpinLockExclusive(lock, old);
      };
    await onProcessors(reader('a', 10), reader('b', 20), writer, reader('c', 40));
    expect(log).toEqual(['a with 1', 'b with 2', 'writer, processor 2', 'c with 1']);
  });

  test('one reader alone can become the writer', async () => {
    const { value } = await runGuest(function* (machine) {
      const lock = machine.createSpinLock();
      const old = yield* ExAcquireSpinLockShared(lock);
      const converted = yield* ExTryConvertSharedSpinLockExclusive(lock);
      const state = [converted, lock.owner, lock.sharedCount];
      yield* ExReleaseSpinLockExclusive(lock, old);
      return [...state, KeTestSpinLock(lock)];
    });
    expect(value).toEqual([true, 0, 0, true]);
  });
});

describe('deadlocks', () => {
  test('a lock acquired twice by the same thread ends the run with its name', async () => {
    const { result } = await onProcessors((machine) => {
      const lock = machine.createSpinLock('device lock');
      return function* () {
        yield* KeAcquireSpinLock(lock);
        yield* KeAcquireSpinLock(lock);
      };
    });
    const link = { thread: 'thread 0', processor: 0, waitsFor: 'device lock', ownedBy: 'thread 0' };
    expect(result).toEqual({ reason: 'deadlock', now: 2400, circle: [link] });
  });

  test('two locks acquired in opposite orders end it with the circle', async () => {
    const locks: KSpinLock[] = [];
    const body = (first: number, second: number) => (machine: Machine) => {
      if (locks.length === 0) locks.push(machine.createSpinLock('A'), machine.createSpinLock('B'));
      return function* () {
        yield* KeAcquireSpinLock(locks[first] as KSpinLock);
        yield* KeStallExecutionProcessor(10);
        yield* KeAcquireSpinLockAtDpcLevel(locks[second] as KSpinLock);
      };
    };
    const { machine, result } = await onProcessors(body(0, 1), body(1, 0));
    expect(result).toMatchObject({
      reason: 'deadlock',
      circle: [
        { thread: 'thread 1', processor: 1, waitsFor: 'A', ownedBy: 'thread 0' },
        { thread: 'thread 0', processor: 0, waitsFor: 'B', ownedBy: 'thread 1' },
      ],
    });
    expect(machine.run().reason).toBe('deadlock');
  });

  test('threads that wait for each other’s mutants are named when nothing else is left', async () => {
    const machine = await Machine.create({ processors: 2 });
    const mutants = [machine.createMutant(), machine.createMutant()];
    const wait = (index: number) => {
      const mutant = mutants[index] as (typeof mutants)[0];
      return KeWaitForSingleObject(mutant, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    };
    for (const [name, first, second] of [
      ['Ann', 0, 1],
      ['Bob', 1, 0],
    ] as const) {
      machine.systemProcess.createThread(
        function* () {
          yield* wait(first);
          yield* KeStallExecutionProcessor(10);
          yield* wait(second);
        },
        { name },
      );
    }
    expect(machine.run()).toMatchObject({
      reason: 'deadlock',
      circle: [
        { thread: 'Ann', waitsFor: 'mutant 2', ownedBy: 'Bob' },
        { thread: 'Bob', waitsFor: 'mutant 1', ownedBy: 'Ann' },
      ],
    });
  });

  test('a release of a lock that nobody holds is bugcheck SPIN_LOCK_NOT_OWNED', async () => {
    const { result } = await onProcessors((machine) => {
      const lock = machine.createSpinLock();
      return function* () {
        KeRaiseIrql(DISPATCH_LEVEL);
        yield* KeReleaseSpinLock(lock, PASSIVE_LEVEL);
      };
    });
    expect(result).toMatchObject({ reason: 'bugcheck', name: 'SPIN_LOCK_NOT_OWNED', code: 0x10 });
  });
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  EX_PUSH_LOCK_FLAG_DISABLE_AUTOBOOST,
  ExAcquirePushLockExclusive,
  ExAcquirePushLockExclusiveEx,
  ExAcquirePushLockShared,
  ExAcquirePushLockSharedEx,
  ExfAcquirePushLockExclusive,
  ExfAcquirePushLockShared,
  ExfReleasePushLock,
  ExfReleasePushLockExclusive,
  ExfReleasePushLockShared,
  ExInitializePushLock,
  ExPushLock,
  ExReleasePushLockExclusive,
  ExReleasePushLockExclusiveEx,
  ExReleasePushLockShared,
  ExReleasePushLockSharedEx,
  FsRtlAllocateAePushLock,
  FsRtlFreeAePushLock,
} from '../../src/ex/push-lock';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { PsTerminateSystemThread } from '../../src/ps/system-thread';
import {
  KeEnterCriticalRegion,
  KeLeaveCriticalRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import { KeDelayExecutionThread, NtYieldExecution } from '../../src/ke/time';
import type { NtCall, Request } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { runGuest } from '../ke/guest';
import { type Holder, holder, startHolder } from '../ke/holder';
import { quietMachine } from '../records';

type Body = (lock: ExPushLock, machine: Machine) => Generator<Request, unknown, number>;

/** Runs steps in a critical region, with a lock that nobody has; what they give. */
async function inRegion(body: Body) {
  const { value } = await runGuest(function* (machine) {
    const lock = new ExPushLock();
    KeEnterCriticalRegion();
    const results = yield* body(lock, machine);
    yield* KeLeaveCriticalRegion();
    return results;
  });
  return value;
}

/** A thread that has a lock, or waits for it, in a critical region. */
const owner = (
  machine: Machine,
  name: string,
  acquire: () => NtCall<void>,
  release: () => NtCall<void>,
): Holder =>
  holder(machine, name, {
    enter: KeEnterCriticalRegion,
    acquire,
    release,
    leave: KeLeaveCriticalRegion,
  });

const sharer = (machine: Machine, name: string, lock: ExPushLock) =>
  owner(
    machine,
    name,
    () => ExAcquirePushLockShared(lock),
    () => ExReleasePushLockShared(lock),
  );
const writer = (machine: Machine, name: string, lock: ExPushLock) =>
  owner(
    machine,
    name,
    () => ExAcquirePushLockExclusive(lock),
    () => ExReleasePushLockExclusive(lock),
  );

/** Ms, as a timeout. */
const ms = (count: number) => count * -10_000;

const PAIRS = [
  ['ExfReleasePushLock…', ExfReleasePushLockExclusive, ExfReleasePushLockShared],
  ['ExfReleasePushLock', ExfReleasePushLock, ExfReleasePushLock],
] as const;

describe('a push lock', () => {
  test.each(
    PAIRS,
  )('ex.pushlock-001: has a bit if it is held and 16 for each that shares it, until %s', async (_, releaseExclusive, releaseShared) => {
    const value = await inRegion(function* (lock) {
      const seen: number[] = [];
      yield* ExfAcquirePushLockExclusive(lock);
      seen.push(lock.value);
      yield* releaseExclusive(lock);
      seen.push(lock.value);
      for (let count = 0; count < 4; count++) {
        yield* ExfAcquirePushLockShared(lock);
        seen.push(lock.value);
      }
      for (let count = 0; count < 4; count++) {
        yield* releaseShared(lock);
        seen.push(lock.value);
      }
      return seen;
    });
    expect(value).toEqual([1, 0, 17, 33, 49, 65, 49, 33, 17, 0]);
  });

  test('ex.pushlock-005: keeps 2 writers and 4 readers on 4 processors apart for 2048 rounds each', async () => {
    const machine = await quietMachine({ processors: 4 });
    const lock = new ExPushLock();
    let [readers, writers, rounds, breaches] = [0, 0, 0, 0];
    const start = machine.createEvent('notification');
    const spawn = (name: string, body: () => Generator<Request, void, number>) =>
      machine.systemProcess.createThread(
        function* () {
          KeEnterCriticalRegion();
          yield* KeWaitForSingleObject(start, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
          for (let round = 0; round < 2048; round++) {
            yield* body();
            rounds++;
          }
          yield* KeLeaveCriticalRegion();
        },
        { name },
      );
    for (const release of [ExReleasePushLockExclusive, ExfReleasePushLock]) {
      spawn('writer', function* () {
        yield* ExAcquirePushLockExclusive(lock);
        writers++;
        if (writers !== 1 || readers !== 0) breaches++;
        yield* NtYieldExecution();
        writers--;
        yield* release(lock);
      });
      for (const name of ['reader 1', 'reader 2']) {
        spawn(name, function* () {
          yield* ExAcquirePushLockShared(lock);
          readers++;
          if (writers !== 0) breaches++;
          yield* NtYieldExecution();
          readers--;
          yield* (release === ExfReleasePushLock ? release : ExReleasePushLockShared)(lock);
        });
      }
    }
    start.set();
    const { reason } = machine.run();
    expect([reason, rounds, breaches, lock.value]).toEqual(['idle', 6 * 2048, 0, 0]);
  });

  test('that somebody wants alone is not shared by others, nor again by the same', async () => {
    const value = await inRegion(function* (lock, machine) {
      const [first, second] = [sharer(machine, 's1', lock), sharer(machine, 's2', lock)];
      const waiting = writer(machine, 'x', lock);
      yield* startHolder(first);
      const early = yield* startHolder(second);
      const both = lock.value;
      yield* startHolder(waiting, ms(1));
      const late = sharer(machine, 's3', lock);
      const status = yield* startHolder(late, ms(1));
      const seen = [early, both, status, lock.value];
      for (const each of [first, second, waiting, late]) each.finish();
      yield* late.join();
      return [...seen, lock.value];
    });
    expect(value).toEqual([STATUS.SUCCESS, 33, STATUS.TIMEOUT, 1 + 2 + 8 + 32, 0]);
  });

  test('goes to whoever comes first after a release, not to who was woken', async () => {
    const machine = await quietMachine({ processors: 1 });
    const lock = new ExPushLock();
    const turns: string[] = [];
    const body = (name: string, rounds: number) =>
      function* () {
        KeEnterCriticalRegion();
        for (let round = 0; round < rounds; round++) {
          yield* ExAcquirePushLockExclusive(lock);
          turns.push(name);
          if (round === 0) yield* KeDelayExecutionThread(MODE.KernelMode, false, ms(1));
          yield* ExReleasePushLockExclusive(lock);
        }
        yield* KeLeaveCriticalRegion();
      };
    machine.systemProcess.createThread(body('greedy', 3), { increment: 2 });
    machine.systemProcess.createThread(body('patient', 1));
    machine.run();
    expect(turns).toEqual(['greedy', 'greedy', 'greedy', 'patient']);
  });

  test('wakes those who want to share it together, up to the next who wants it alone', async () => {
    const machine = await quietMachine();
    const lock = new ExPushLock();
    const holders = [
      writer(machine, 'x0', lock),
      sharer(machine, 's1', lock),
      sharer(machine, 's2', lock),
      writer(machine, 'x1', lock),
      sharer(machine, 's3', lock),
    ];
    const owners: string[] = [];
    machine.systemProcess.createThread(function* () {
      for (const each of holders) yield* startHolder(each, ms(1));
      for (let turn = 0; turn < 4; turn++) {
        const names = lock.owners.map(({ name }) => name);
        owners.push(names.join(' '));
        for (const each of holders.filter(({ thread }) => names.includes(thread.name))) {
          each.finish();
          yield* each.join();
        }
        yield* KeDelayExecutionThread(MODE.KernelMode, false, ms(1));
      }
    });
    machine.run();
    expect(owners).toEqual(['x0', 's1 s2', 'x1', 's3']);
  });

  test('is waited for, for WrPushLock', async () => {
    const machine = await Machine.create();
    const lock = new ExPushLock('handle table');
    const holders = [writer(machine, 'first', lock), writer(machine, 'second', lock)];
    machine.systemProcess.createThread(function* () {
      for (const each of holders) yield* startHolder(each, ms(1));
    });
    const result = machine.run();
    expect(holders[1]?.thread.waitReason).toBe(KWAIT_REASON.WrPushLock);
    expect(result).toMatchObject({
      reason: 'idle',
      waiting: [{ name: 'first' }, { name: 'second', waitsFor: 'handle table (WrPushLock)' }],
    });
  });

  test('is free once it is initialized', async () => {
    const value = await inRegion(function* (lock) {
      ExInitializePushLock(lock);
      yield* ExAcquirePushLockExclusive(lock);
      yield* ExReleasePushLockExclusive(lock);
      ExInitializePushLock(lock);
      return lock.value;
    });
    expect(value).toBe(0);
  });

  test('without AutoBoost is released by any thread', async () => {
    const value = await inRegion(function* (lock, machine) {
      const flags = EX_PUSH_LOCK_FLAG_DISABLE_AUTOBOOST;
      const seen: number[] = [];
      for (const [acquire, release] of [
        [ExAcquirePushLockExclusiveEx, ExReleasePushLockExclusiveEx],
        [ExAcquirePushLockSharedEx, ExReleasePushLockSharedEx],
      ] as const) {
        yield* acquire(lock, flags);
        seen.push(lock.value);
        const other = machine.systemProcess.createThread(function* () {
          KeEnterCriticalRegion();
          yield* release(lock, flags);
          yield* KeLeaveCriticalRegion();
        });
        yield* KeWaitForSingleObject(other, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
        seen.push(lock.value);
      }
      return seen;
    });
    expect(value).toEqual([1, 0, 17, 0]);
  });

  test('of FsRtlAllocateAePushLock is one like others, until it is freed', async () => {
    const value = await inRegion(function* () {
      const lock = FsRtlAllocateAePushLock(0, 0x20656141);
      yield* ExAcquirePushLockShared(lock);
      const held = lock.value;
      yield* ExReleasePushLockShared(lock);
      FsRtlFreeAePushLock(lock);
      return held;
    });
    expect(value).toBe(17);
  });
});

describe('misuse of a push lock', () => {
  const misuse = async (body: (lock: ExPushLock) => Generator<Request, void, number>) => {
    const machine = await Machine.create();
    const lock = new ExPushLock();
    const thread = machine.systemProcess.createThread(() => body(lock), { name: 'careless' });
    return { machine, thread, result: machine.run() };
  };

  test.each([
    [
      'acquired exclusively with APCs enabled',
      0xean,
      function* (lock: ExPushLock) {
        yield* ExAcquirePushLockExclusive(lock);
      },
    ],
    [
      'acquired shared with APCs enabled',
      0xean,
      function* (lock: ExPushLock) {
        yield* ExAcquirePushLockShared(lock);
      },
    ],
    [
      'released with APCs enabled',
      0xebn,
      function* (lock: ExPushLock) {
        KeEnterCriticalRegion();
        yield* ExAcquirePushLockShared(lock);
        yield* KeLeaveCriticalRegion();
        yield* ExReleasePushLockShared(lock);
      },
    ],
    [
      'initialized while it is held',
      0x1005n,
      function* (lock: ExPushLock) {
        KeEnterCriticalRegion();
        yield* ExAcquirePushLockShared(lock);
        ExInitializePushLock(lock);
      },
    ],
    [
      'freed while it is held',
      0x100bn,
      function* (lock: ExPushLock) {
        KeEnterCriticalRegion();
        yield* ExAcquirePushLockShared(lock);
        FsRtlFreeAePushLock(lock);
      },
    ],
    [
      'acquired after it was freed',
      0x1002n,
      function* (lock: ExPushLock) {
        KeEnterCriticalRegion();
        FsRtlFreeAePushLock(lock);
        yield* ExAcquirePushLockShared(lock);
      },
    ],
  ])('one that is %s is violation 0x%x', async (_, violation, body) => {
    const { result } = await misuse(body);
    expect(result).toMatchObject({
      reason: 'bugcheck',
      code: 0xc4,
      parameters: [violation, expect.any(BigInt), expect.any(BigInt), expect.any(BigInt)],
    });
  });

  test('a violation says the level, the counts and the lock', async () => {
    const { result } = await misuse(function* (lock) {
      yield* ExAcquirePushLockExclusive(lock);
    });
    expect(result).toMatchObject({ parameters: [0xean, 0n, 0n, 1n] });
  });

  test('KERNEL_AUTO_BOOST_LOCK_ACQUISITION_WITH_RAISED_IRQL: it is acquired at DISPATCH_LEVEL', async () => {
    const { thread, result } = await misuse(function* (lock) {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* ExAcquirePushLockShared(lock);
    });
    expect(result).toMatchObject({
      reason: 'bugcheck',
      code: 0x192,
      name: 'KERNEL_AUTO_BOOST_LOCK_ACQUISITION_WITH_RAISED_IRQL',
      parameters: [BigInt(thread.address), 1n, 2n, 0n],
    });
  });

  test.each([
    ['by a thread that does not have it', undefined, ExReleasePushLockExclusive],
    ['exclusively by one that shares it', ExAcquirePushLockShared, ExReleasePushLockExclusive],
    ['as shared by one that has it alone', ExAcquirePushLockExclusive, ExReleasePushLockShared],
    ['in general by one that does not have it', undefined, ExfReleasePushLock],
  ])('KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE: it is released %s', async (_, acquire, release) => {
    const { thread, result } = await misuse(function* (lock) {
      KeRaiseIrql(IRQL.APC_LEVEL);
      if (acquire !== undefined) yield* acquire(lock);
      yield* release(lock);
      yield* KeLowerIrql(0);
    });
    expect(result).toMatchObject({
      reason: 'bugcheck',
      code: 0x162,
      name: 'KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE',
      parameters: [BigInt(thread.address), 1n, 0n, 0n],
    });
  });

  test('INVALID_PUSH_LOCK_FLAGS: there are no such flags', async () => {
    const { result } = await misuse(function* (lock) {
      KeEnterCriticalRegion();
      yield* ExAcquirePushLockSharedEx(lock, 6);
    });
    expect(result).toMatchObject({
      reason: 'bugcheck',
      code: 0x152,
      name: 'INVALID_PUSH_LOCK_FLAGS',
      parameters: [6n, 1n, 0n, 0n],
    });
  });

  test('KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION: a thread ends that has it', async () => {
    const { thread, result } = await misuse(function* (lock) {
      KeEnterCriticalRegion();
      yield* ExAcquirePushLockShared(lock);
      yield* KeLeaveCriticalRegion();
      yield* PsTerminateSystemThread(STATUS.SUCCESS);
    });
    expect(result).toMatchObject({
      code: 0x153,
      parameters: [BigInt(thread.address), 1n, 1n, 0n],
    });
  });
});

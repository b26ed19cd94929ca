import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, KWAIT_REASON } from '../../assembly/shared/types';
import {
  KeAcquireGuardedMutex,
  KeAcquireGuardedMutexUnsafe,
  KeInitializeGuardedMutex,
  KeReleaseGuardedMutex,
  KeReleaseGuardedMutexUnsafe,
  KeTryToAcquireGuardedMutex,
  KGuardedMutex,
} from '../../src/ke/guarded-mutex';
import {
  KeAreAllApcsDisabled,
  KeEnterCriticalRegion,
  KeEnterGuardedRegion,
  KeGetCurrentIrql,
  KeLeaveCriticalRegion,
  KeLeaveGuardedRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import type { Request } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { KThread } from '../../src/machine/views';
import { holder, startHolder } from './holder';
import { runGuest } from './guest';

type Steps = (
  mutex: KGuardedMutex,
  state: () => string,
) => Generator<Request, readonly unknown[], number>;

/** What steps give at a level, in as many critical and guarded regions, on a free build. */
async function at(
  irql: number,
  critical: number,
  guarded: number,
  steps: Steps,
): Promise<readonly unknown[] | undefined> {
  const mutex = new KGuardedMutex();
  const { value } = await runGuest(
    function* (_, thread) {
      for (let count = 0; count < critical; count++) KeEnterCriticalRegion();
      for (let count = 0; count < guarded; count++) KeEnterGuardedRegion();
      KeRaiseIrql(irql);
      const owner = () => (mutex.owner === thread ? 'own' : mutex.owner);
      const results = yield* steps(mutex, () =>
        [
          mutex.count,
          owner(),
          mutex.contention,
          thread.kernelApcDisable + critical,
          thread.specialApcDisable + guarded,
          KeAreAllApcsDisabled(),
          KeGetCurrentIrql() - irql,
        ].join(' '),
      );
      yield* KeLowerIrql(0);
      for (let count = 0; count < critical; count++) yield* KeLeaveCriticalRegion();
      for (let count = 0; count < guarded; count++) yield* KeLeaveGuardedRegion();
      return results;
    },
    { checkIrql: false },
  );
  return value;
}

const LEVELS = [IRQL.PASSIVE_LEVEL, IRQL.APC_LEVEL, IRQL.DISPATCH_LEVEL, IRQL.HIGH_LEVEL];
const COUNTS = [
  [0, 0],
  [1, 0],
  [3, 0],
  [0, 1],
  [1, 1],
  [3, 2],
] as const;
const STATES = LEVELS.flatMap((irql) =>
  COUNTS.map(([critical, guarded]) => ({ irql, critical, guarded })),
);

describe('a guarded mutex', () => {
  test.each(
    STATES,
  )('ke.guardedmutex-002: is acquired, tried and released at IRQL $irql in $critical critical and $guarded guarded regions', async ({
    irql,
    critical,
    guarded,
  }) => {
    const results = await at(irql, critical, guarded, function* (mutex, state) {
      yield* KeAcquireGuardedMutex(mutex);
      const acquired = state();
      const again = yield* KeTryToAcquireGuardedMutex(mutex);
      const failed = state();
      yield* KeReleaseGuardedMutex(mutex);
      const released = [mutex.count, mutex.owner];
      const tried = yield* KeTryToAcquireGuardedMutex(mutex);
      const taken = state();
      yield* KeReleaseGuardedMutex(mutex);
      return [acquired, again, failed, ...released, tried, taken, mutex.count, mutex.owner];
    });
    const held = '0 own 0 0 -1 true 0';
    expect(results).toEqual([held, false, held, 1, undefined, true, held, 1, undefined]);
  });

  test.each(
    STATES,
  )('ke.guardedmutex-003: is acquired without a region at IRQL $irql in $critical critical and $guarded guarded regions', async ({
    irql,
    critical,
    guarded,
  }) => {
    const results = await at(irql, critical, guarded, function* (mutex, state) {
      yield* KeAcquireGuardedMutexUnsafe(mutex);
      const [count, owner, contention, kernel, special] = state().split(' ');
      yield* KeReleaseGuardedMutexUnsafe(mutex);
      return [count, owner, contention, kernel, special, mutex.count, mutex.owner];
    });
    expect(results).toEqual(['0', 'own', '0', '0', '0', 1, undefined]);
  });

  test.each(
    STATES,
  )('ke.guardedmutex-004: is released without leaving the region at IRQL $irql in $critical critical and $guarded guarded regions', async ({
    irql,
    critical,
    guarded,
  }) => {
    const results = await at(irql, critical, guarded, function* (mutex, state) {
      yield* KeAcquireGuardedMutex(mutex);
      const acquired = state();
      yield* KeReleaseGuardedMutexUnsafe(mutex);
      const released = state();
      yield* KeLeaveGuardedRegion();
      const [, , , , special] = state().split(' ');
      return [acquired, released, special];
    });
    expect(results).toEqual(['0 own 0 0 -1 true 0', '1  0 0 -1 true 0', '0']);
  });

  test('ke.guardedmutex-008: goes from its owner to who waits for it, and counts the contention', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const mutex = new KGuardedMutex();
        const kind = {
          acquire: () => KeAcquireGuardedMutex(mutex),
          release: () => KeReleaseGuardedMutex(mutex),
        };
        const first = holder(machine, 'A1', kind);
        const second = holder(machine, 'A2', { ...kind, irql: IRQL.APC_LEVEL });
        const state = () => [mutex.count, mutex.contention, mutex.owner?.name];
        yield* startHolder(first);
        const early = yield* startHolder(second, -500_000);
        const waiting = state();
        first.finish();
        const late = yield* startHolder(second);
        const handedOver = state();
        second.finish();
        return [early, waiting, late, handedOver];
      },
      { checkIrql: false },
    );
    expect(value).toEqual([STATUS.TIMEOUT, [4, 1, 'A1'], STATUS.SUCCESS, [0, 1, 'A2']]);
  });

  test('ke.guardedmutex-009: goes to those who wait in the order in which they came', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const mutex = new KGuardedMutex();
        const safe = {
          acquire: () => KeAcquireGuardedMutex(mutex),
          release: () => KeReleaseGuardedMutex(mutex),
        };
        const unsafe = {
          acquire: () => KeAcquireGuardedMutexUnsafe(mutex),
          release: () => KeReleaseGuardedMutexUnsafe(mutex),
        };
        const a0 = holder(machine, 'A0', safe);
        const a2 = holder(machine, 'A2', { ...safe, irql: IRQL.APC_LEVEL });
        const u = holder(machine, 'U', { ...unsafe, irql: IRQL.APC_LEVEL });
        const a1 = holder(machine, 'A1', safe);
        const seen: unknown[] = [];
        const see = () => seen.push([mutex.owner?.name, mutex.count, mutex.contention]);
        yield* startHolder(a0);
        yield* startHolder(a2, -500_000);
        a0.finish();
        yield* startHolder(a2);
        yield* startHolder(u, -500_000);
        see();
        yield* startHolder(a1, -500_000);
        see();
        a2.finish();
        yield* startHolder(u);
        see();
        u.finish();
        yield* startHolder(a1);
        see();
        a1.finish();
        yield* a1.join();
        see();
        return seen;
      },
      { checkIrql: false },
    );
    expect(value).toEqual([
      ['A2', 4, 2],
      ['A2', 8, 3],
      ['U', 4, 3],
      ['A1', 0, 3],
      [undefined, 1, 3],
    ]);
  });

  test('KeInitializeGuardedMutex makes it free and its contention 0', async () => {
    const { value } = await runGuest(function* (machine) {
      const mutex = new KGuardedMutex();
      const kind = {
        acquire: () => KeAcquireGuardedMutex(mutex),
        release: () => KeReleaseGuardedMutex(mutex),
      };
      const first = holder(machine, 'first', kind);
      const second = holder(machine, 'second', kind);
      yield* startHolder(first);
      yield* startHolder(second, -10_000);
      first.finish();
      second.finish();
      yield* second.join();
      const before = mutex.contention;
      KeInitializeGuardedMutex(mutex);
      return [before, mutex.count, mutex.owner, mutex.contention];
    });
    expect(value).toEqual([1, 1, undefined, 0]);
  });

  test('who waits does so for WrGuardedMutex, and is reported by the name of the mutex', async () => {
    const machine = await Machine.create();
    const mutex = new KGuardedMutex('table lock');
    const event = machine.createEvent('notification');
    const threads: KThread[] = [];
    const owner = holder(machine, 'owner', {
      acquire: () => KeAcquireGuardedMutex(mutex),
      release: () => KeReleaseGuardedMutex(mutex),
    });
    threads.push(
      machine.systemProcess.createThread(
        function* () {
          yield* startHolder(owner);
          yield* KeAcquireGuardedMutex(mutex);
          event.set();
        },
        { name: 'waiter' },
      ),
    );
    const result = machine.run();
    expect(threads[0]?.waitReason).toBe(KWAIT_REASON.WrGuardedMutex);
    expect(threads[0]?.state).toBe(KTHREAD_STATE.Waiting);
    expect(result).toMatchObject({
      reason: 'idle',
      waiting: [
        { name: 'owner', waitsFor: expect.stringContaining('event') },
        { name: 'waiter', waitsFor: 'table lock (WrGuardedMutex)' },
      ],
    });
  });
});

describe('misuse of a guarded mutex under Driver Verifier', () => {
  const misuse = async (body: (mutex: KGuardedMutex) => Iterable<Request, void, number>) => {
    const machine = await Machine.create();
    const mutex = new KGuardedMutex();
    machine.systemProcess.createThread(
      function* () {
        yield* body(mutex);
      },
      { name: 'careless' },
    );
    return machine.run();
  };

  test.each([
    [
      'acquired at DISPATCH_LEVEL',
      0x2000fn,
      function* (mutex: KGuardedMutex) {
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        yield* KeAcquireGuardedMutex(mutex);
      },
    ],
    [
      'acquired unsafely with APCs enabled',
      0x39n,
      function* (mutex: KGuardedMutex) {
        yield* KeAcquireGuardedMutexUnsafe(mutex);
      },
    ],
    [
      'released unsafely with APCs enabled',
      0x3an,
      function* (mutex: KGuardedMutex) {
        yield* KeAcquireGuardedMutex(mutex);
        yield* KeLeaveGuardedRegion();
        yield* KeReleaseGuardedMutexUnsafe(mutex);
      },
    ],
    [
      'released without having been acquired',
      0x1007n,
      function* (mutex: KGuardedMutex) {
        KeEnterGuardedRegion();
        yield* KeReleaseGuardedMutex(mutex);
      },
    ],
    [
      'owned by a thread that ends',
      0x100an,
      function* (mutex: KGuardedMutex) {
        yield* KeAcquireGuardedMutex(mutex);
      },
    ],
    [
      'initialized while it is owned',
      0x1005n,
      function* (mutex: KGuardedMutex) {
        yield* KeAcquireGuardedMutex(mutex);
        KeInitializeGuardedMutex(mutex);
      },
    ],
  ])('one that is %s is violation 0x%x', async (_, violation, body) => {
    expect(await misuse(body)).toMatchObject({
      reason: 'bugcheck',
      code: 0xc4,
      parameters: [violation, expect.any(BigInt), expect.any(BigInt), expect.any(BigInt)],
    });
  });

  test('one that another thread owns is not released', async () => {
    const result = await misuse(function* (mutex) {
      const { machine } = mutex.guest('test');
      const owner = holder(machine, 'owner', {
        acquire: () => KeAcquireGuardedMutex(mutex),
        release: () => KeReleaseGuardedMutex(mutex),
      });
      yield* startHolder(owner);
      KeEnterGuardedRegion();
      yield* KeReleaseGuardedMutex(mutex);
    });
    expect(result).toMatchObject({ reason: 'bugcheck', code: 0xc4 });
    expect(result).toMatchObject({ parameters: [0x1004n, 1n, expect.any(BigInt), 0n] });
    expect(String((result as { cause: unknown }).cause)).toBe(
      "VerifierError: KeReleaseGuardedMutex: guarded mutex 1 is owned by thread 'owner'; release it there",
    );
  });

  test('on a free build a thread that ends with one is KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION', async () => {
    const machine = await Machine.create({ checkIrql: false });
    const mutex = new KGuardedMutex('lost');
    const thread = machine.systemProcess.createThread(
      function* () {
        yield* KeAcquireGuardedMutexUnsafe(mutex);
      },
      { name: 'careless' },
    );
    const result = machine.run();
    expect(result).toMatchObject({
      reason: 'bugcheck',
      code: 0x153,
      name: 'KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION',
      parameters: [BigInt(thread.address), 1n, 1n, 0n],
    });
    expect(String((result as { cause: unknown }).cause)).toContain(
      "'careless' ended while it owned lost",
    );
  });
});

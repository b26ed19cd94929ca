import { ExAcquireFastMutex, ExReleaseFastMutex, FastMutex } from '../../src/ex/fast-mutex';
import { KeReleaseMutex } from '../../src/ke/ddi';
import {
  KeAcquireSpinLockAtDpcLevel,
  KeAcquireSpinLockRaiseToDpc,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
} from '../../src/ke/spinlock';
import type { KSpinLock } from '../../src/machine/spinlock';
import { acquire, machine } from './corpus-parts';
import { entryDriver, type Pair, processDriver } from './drivers';

/** The pairs of the order of locks, and of drivers that throw. */

export const ORDER: readonly Pair[] = [
  {
    rule: 'LK-01',
    what: 'two fast mutexes taken in both orders',
    bad: () => {
      const [one, two] = [new FastMutex('one'), new FastMutex('two')];
      return entryDriver(function* () {
        yield* both(one, two);
        yield* both(two, one);
      });
    },
    good: () => {
      const [one, two] = [new FastMutex('one'), new FastMutex('two')];
      return entryDriver(function* () {
        yield* both(one, two);
        yield* both(one, two);
      });
    },
  },
  {
    rule: 'LK-01',
    what: 'a mutex and a fast mutex taken in both orders',
    bad: () => {
      const fast = new FastMutex('table');
      return entryDriver(function* () {
        const mutex = machine().createMutex();
        yield* acquire(mutex);
        yield* ExAcquireFastMutex(fast);
        yield* ExReleaseFastMutex(fast);
        yield* KeReleaseMutex(mutex, false);
        yield* ExAcquireFastMutex(fast);
        yield* acquire(mutex);
        yield* KeReleaseMutex(mutex, false);
        yield* ExReleaseFastMutex(fast);
      });
    },
    good: () => {
      const fast = new FastMutex('table');
      return entryDriver(function* () {
        const mutex = machine().createMutex();
        for (let time = 0; time < 2; time++) {
          yield* acquire(mutex);
          yield* ExAcquireFastMutex(fast);
          yield* ExReleaseFastMutex(fast);
          yield* KeReleaseMutex(mutex, false);
        }
      });
    },
  },
  {
    rule: 'LK-01',
    what: 'two spin locks taken in both orders',
    bad: () =>
      entryDriver(function* () {
        const [one, two] = [machine().createSpinLock(), machine().createSpinLock()];
        yield* spin(one, two);
        yield* spin(two, one);
      }),
    good: () =>
      entryDriver(function* () {
        const [one, two] = [machine().createSpinLock(), machine().createSpinLock()];
        yield* spin(one, two);
        yield* spin(one, two);
      }),
  },
  {
    rule: 'BC-01',
    what: 'a process routine that throws',
    bad: () =>
      processDriver(function onProcess() {
        throw new Error('broken');
      }),
    good: () => processDriver(function onProcess() {}),
  },
];

function* spin(first: KSpinLock, second: KSpinLock) {
  const old = yield* KeAcquireSpinLockRaiseToDpc(first);
  yield* KeAcquireSpinLockAtDpcLevel(second);
  yield* KeReleaseSpinLockFromDpcLevel(second);
  yield* KeReleaseSpinLock(first, old);
}

function* both(first: FastMutex, second: FastMutex) {
  yield* ExAcquireFastMutex(first);
  yield* ExAcquireFastMutex(second);
  yield* ExReleaseFastMutex(second);
  yield* ExReleaseFastMutex(first);
}

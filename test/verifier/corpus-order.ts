import { ExAcquireFastMutex, ExReleaseFastMutex, FastMutex } from '../../src/ex/fast-mutex';
import { KeReleaseMutex } from '../../src/ke/ddi';
import {
  KeAcquireSpinLockAtDpcLevel,
  KeAcquireSpinLockRaiseToDpc,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
} from '../../src/ke/spinlock';
import type { KSpinLock } from '../../src/machine/spinlock';
import type { KMutant } from '../../src/machine/views';
import { acquire, entries, machine } from './corpus-parts';
import { type Pair, processDriver } from './drivers';

/** The pairs of the order of locks, and of drivers that throw. */

export const ORDER: readonly Pair[] = [
  entries('LK-01', 'two fast mutexes taken in both orders', function* (good) {
    const [one, two] = [new FastMutex('one'), new FastMutex('two')];
    yield* both(one, two);
    yield* good ? both(one, two) : both(two, one);
  }),
  entries('LK-01', 'a mutex and a fast mutex taken in both orders', function* (good) {
    const fast = new FastMutex('table');
    const mutex = machine().createMutex();
    yield* fastUnder(mutex, fast);
    yield* good ? fastUnder(mutex, fast) : underFast(fast, mutex);
  }),
  entries('LK-01', 'two spin locks taken in both orders', function* (good) {
    const [one, two] = [machine().createSpinLock(), machine().createSpinLock()];
    yield* spin(one, two);
    yield* good ? spin(one, two) : spin(two, one);
  }),
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

function* fastUnder(mutex: KMutant, fast: FastMutex) {
  yield* acquire(mutex);
  yield* ExAcquireFastMutex(fast);
  yield* ExReleaseFastMutex(fast);
  yield* KeReleaseMutex(mutex, false);
}

function* underFast(fast: FastMutex, mutex: KMutant) {
  yield* ExAcquireFastMutex(fast);
  yield* acquire(mutex);
  yield* KeReleaseMutex(mutex, false);
  yield* ExReleaseFastMutex(fast);
}

function* both(first: FastMutex, second: FastMutex) {
  yield* ExAcquireFastMutex(first);
  yield* ExAcquireFastMutex(second);
  yield* ExReleaseFastMutex(second);
  yield* ExReleaseFastMutex(first);
}

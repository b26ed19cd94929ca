import { IRQL, KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import { EResource } from '../../src/ex/eresource';
import {
  ExAcquireFastMutex,
  ExReleaseFastMutex,
  ExTryToAcquireFastMutex,
  FastMutex,
} from '../../src/ex/fast-mutex';
import {
  ExAcquirePushLockExclusive,
  ExAcquirePushLockShared,
  ExPushLock,
  ExReleasePushLockExclusive,
  ExReleasePushLockShared,
} from '../../src/ex/push-lock';
import {
  ExAcquireResourceExclusiveLite,
  ExAcquireResourceSharedLite,
  ExDeleteResourceLite,
  ExInitializeResourceLite,
  ExReleaseResourceLite,
} from '../../src/ex/resource';
import {
  ExAcquireRundownProtection,
  ExReleaseRundownProtection,
  ExRundownRef,
  ExWaitForRundownProtectionRelease,
} from '../../src/ex/rundown';
import { KeReleaseMutex, KeWaitForMultipleObjects } from '../../src/ke/ddi';
import { KeInitializeDpc, KeInsertQueueDpc } from '../../src/ke/dpc';
import {
  KeAcquireGuardedMutex,
  KeReleaseGuardedMutex,
  KGuardedMutex,
} from '../../src/ke/guarded-mutex';
import {
  KeEnterCriticalRegion,
  KeLeaveCriticalRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import {
  ExAcquireSpinLockShared,
  ExAcquireSpinLockSharedAtDpcLevel,
  ExReleaseSpinLockShared,
  ExReleaseSpinLockSharedFromDpcLevel,
  KeAcquireSpinLockAtDpcLevel,
  KeReleaseSpinLockFromDpcLevel,
} from '../../src/ke/spinlock';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { KSpinLock } from '../../src/machine/spinlock';
import type { KernelObject, KMutant, KThread } from '../../src/machine/views';
import { ObReferenceObjectByHandle, ZwClose } from '../../src/ob/handle';
import { ObDereferenceObject } from '../../src/ob/reference';
import { PsCreateSystemThread } from '../../src/ps/system-thread';
import {
  acquire,
  entries,
  inUserProcess,
  machine,
  type Steps,
  switched,
  waitFor,
  withUserEvent,
} from './corpus-parts';
import { entryDriver, type Pair, processDriver } from './drivers';

/** The pairs of waits for several objects, of circles of waits, and of locks taken twice. */

const waitForAny = (objects: readonly KernelObject[], timeout: number | null) =>
  KeWaitForMultipleObjects(
    objects,
    WAIT_TYPE.WaitAny,
    KWAIT_REASON.Executive,
    MODE.KernelMode,
    false,
    timeout,
    null,
  );

/** Waits for an event of the driver's, or one whose handle the process at hand has. */
function asking(good: boolean) {
  return processDriver(function* onProcess(_process, _id, createInfo) {
    if (createInfo === null || !inUserProcess()) return;
    const own = machine().createEvent('notification');
    yield* withUserEvent(function* (event) {
      yield* waitForAny([own, event], good ? 0 : -100);
    });
  });
}

/** Starts a system thread. @returns it, with a reference. */
function* start(body: () => Steps): Steps<KThread> {
  const { handle } = yield* PsCreateSystemThread(0x1f_ffff, null, null, body, null);
  const { object } = yield* ObReferenceObjectByHandle<KThread>(handle, 0, null, 0);
  yield* ZwClose(handle);
  return object as KThread;
}

function* waitForEnd(thread: KThread): Steps {
  yield* waitFor(thread);
  yield* ObDereferenceObject(thread);
}

/** A worker needs a mutex that DriverUnload has while it waits for the worker's end. */
function unloadWithMutex(good: boolean) {
  let mutex: KMutant;
  let worker: KThread;
  let stop = false;
  return entryDriver(
    function* () {
      mutex = machine().createMutex();
      worker = yield* start(function* drain() {
        while (!stop) yield* KeDelayExecutionThread(MODE.KernelMode, false, -1_000_000);
        yield* acquire(mutex);
        yield* KeReleaseMutex(mutex, false);
      });
    },
    function* () {
      yield* acquire(mutex);
      stop = true;
      if (good) yield* KeReleaseMutex(mutex, false);
      yield* waitForEnd(worker);
      if (!good) yield* KeReleaseMutex(mutex, false);
    },
  );
}

/** Two threads, the second of which waits for the first, and the first for the second. */
function eachOther(good: boolean) {
  return entryDriver(function* () {
    let second: KThread | undefined;
    const first = yield* start(function* first() {
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -1000);
      if (second !== undefined && !good) yield* waitFor(second);
    });
    second = yield* start(function* second() {
      yield* waitFor(first);
    });
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -100_000);
    yield* ObDereferenceObject(first);
    yield* ObDereferenceObject(second);
  });
}

function* atDpcLevel(outer: KSpinLock, inner: KSpinLock): Steps {
  yield* KeAcquireSpinLockAtDpcLevel(outer);
  yield* KeAcquireSpinLockAtDpcLevel(inner);
  yield* KeReleaseSpinLockFromDpcLevel(inner);
  yield* KeReleaseSpinLockFromDpcLevel(outer);
}

const ORDERS: readonly Pair[] = [
  entries('LK-01', 'two spin locks that a DPC takes the other way round', function* (good) {
    const [one, two] = [machine().createSpinLock(), machine().createSpinLock()];
    const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    yield* atDpcLevel(one, two);
    yield* KeLowerIrql(old);
    const dpc = KeInitializeDpc(function* onTick() {
      yield* good ? atDpcLevel(one, two) : atDpcLevel(two, one);
    }, null);
    yield* KeInsertQueueDpc(dpc, null, null);
  }),
  entries(
    'LK-01',
    'a mutex taken among several objects while a fast mutex is held, and the other way round',
    function* (good) {
      const fast = new FastMutex('table');
      const mutex = machine().createMutex();
      yield* acquire(mutex);
      if (!good) {
        yield* ExAcquireFastMutex(fast);
        yield* ExReleaseFastMutex(fast);
      }
      yield* KeReleaseMutex(mutex, false);
      yield* ExAcquireFastMutex(fast);
      yield* waitForAny([mutex], null);
      yield* KeReleaseMutex(mutex, false);
      yield* ExReleaseFastMutex(fast);
    },
  ),
  entries(
    'LK-01',
    'two fast mutexes taken in both orders, where the second is not only tried',
    function* (good) {
      const [one, two] = [new FastMutex('one'), new FastMutex('two')];
      yield* ExAcquireFastMutex(one);
      yield* ExAcquireFastMutex(two);
      yield* ExReleaseFastMutex(two);
      yield* ExReleaseFastMutex(one);
      yield* ExAcquireFastMutex(two);
      if (good) yield* ExTryToAcquireFastMutex(one);
      else yield* ExAcquireFastMutex(one);
      yield* ExReleaseFastMutex(one);
      yield* ExReleaseFastMutex(two);
    },
  ),
  entries(
    'LK-01',
    'two resources taken in both orders, where the second is not only tried',
    function* (good) {
      const [one, two] = [new EResource('one'), new EResource('two')];
      ExInitializeResourceLite(one);
      ExInitializeResourceLite(two);
      KeEnterCriticalRegion();
      yield* ExAcquireResourceExclusiveLite(one, true);
      yield* ExAcquireResourceSharedLite(two, true);
      yield* ExReleaseResourceLite(two);
      yield* ExReleaseResourceLite(one);
      yield* ExAcquireResourceExclusiveLite(two, true);
      yield* ExAcquireResourceSharedLite(one, !good);
      yield* ExReleaseResourceLite(one);
      yield* ExReleaseResourceLite(two);
      yield* KeLeaveCriticalRegion();
      ExDeleteResourceLite(one);
      ExDeleteResourceLite(two);
    },
  ),
];

const RUNDOWN: readonly Pair[] = [
  entries(
    'LK-01',
    'run-down that is waited for with a mutex that its users take',
    function* (good) {
      const reference = new ExRundownRef('device');
      const mutex = new FastMutex('table');
      yield* ExAcquireRundownProtection(reference);
      yield* ExAcquireFastMutex(mutex);
      yield* ExReleaseFastMutex(mutex);
      yield* ExReleaseRundownProtection(reference);
      yield* ExAcquireFastMutex(mutex);
      if (good) yield* ExReleaseFastMutex(mutex);
      yield* ExWaitForRundownProtectionRelease(reference);
      if (!good) yield* ExReleaseFastMutex(mutex);
    },
  ),
  entries('LK-03', 'run-down waited for by one of its users', function* (good) {
    const reference = new ExRundownRef('device');
    yield* ExAcquireRundownProtection(reference);
    if (good) yield* ExReleaseRundownProtection(reference);
    yield* ExWaitForRundownProtectionRelease(reference);
  }),
];

const TWICE: readonly Pair[] = [
  entries('LK-03', 'a guarded mutex acquired by its owner', function* (good) {
    const mutex = new KGuardedMutex('table');
    yield* KeAcquireGuardedMutex(mutex);
    if (!good) yield* KeAcquireGuardedMutex(mutex);
    yield* KeReleaseGuardedMutex(mutex);
  }),
  entries('LK-03', 'a push lock acquired by its owner', function* (good) {
    const lock = new ExPushLock('table');
    KeEnterCriticalRegion();
    yield* ExAcquirePushLockExclusive(lock);
    if (!good) yield* ExAcquirePushLockExclusive(lock);
    yield* ExReleasePushLockExclusive(lock);
    yield* KeLeaveCriticalRegion();
  }),
  entries('LK-03', 'a push lock shared twice by a thread', function* (good) {
    const lock = new ExPushLock('table');
    KeEnterCriticalRegion();
    yield* ExAcquirePushLockShared(lock);
    if (!good) {
      yield* ExAcquirePushLockShared(lock);
      yield* ExReleasePushLockShared(lock);
    }
    yield* ExReleasePushLockShared(lock);
    yield* KeLeaveCriticalRegion();
  }),
  entries('LK-03', 'a resource acquired exclusively by one who shares it', function* (good) {
    const resource = new EResource('table');
    ExInitializeResourceLite(resource);
    KeEnterCriticalRegion();
    yield* ExAcquireResourceSharedLite(resource, true);
    if (good) yield* ExAcquireResourceSharedLite(resource, true);
    else yield* ExAcquireResourceExclusiveLite(resource, true);
    yield* ExReleaseResourceLite(resource);
    yield* ExReleaseResourceLite(resource);
    yield* KeLeaveCriticalRegion();
    ExDeleteResourceLite(resource);
  }),
  entries('LK-03', 'a reader-writer spin lock shared twice', function* (good) {
    const lock = machine().createSpinLock();
    const old = yield* ExAcquireSpinLockShared(lock);
    if (!good) {
      yield* ExAcquireSpinLockSharedAtDpcLevel(lock);
      yield* ExReleaseSpinLockSharedFromDpcLevel(lock);
    }
    yield* ExReleaseSpinLockShared(lock, old);
  }),
];

export const WAITS: readonly Pair[] = [
  switched(
    'CB-02',
    'a process routine that waits for one of several events, one of them of the process',
    asking,
  ),
  switched(
    'LK-06',
    'a DriverUnload that waits for a thread with the mutex that this needs',
    unloadWithMutex,
  ),
  switched('LK-06', 'two threads that wait for each other', eachOther),
  ...ORDERS,
  ...RUNDOWN,
  ...TWICE,
];

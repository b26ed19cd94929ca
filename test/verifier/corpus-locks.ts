import { IRQL, MODE } from '../../assembly/shared/types';
import { EResource } from '../../src/ex/eresource';
import {
  ExAcquireFastMutex,
  ExAcquireFastMutexUnsafe,
  ExReleaseFastMutex,
  ExReleaseFastMutexUnsafe,
  FastMutex,
} from '../../src/ex/fast-mutex';
import {
  ExAllocatePool2,
  ExFreePool,
  POOL_FLAG_NON_PAGED,
  POOL_FLAG_PAGED,
  type PoolBlock,
} from '../../src/ex/pool';
import {
  ExAcquirePushLockExclusive,
  ExPushLock,
  ExReleasePushLockExclusive,
} from '../../src/ex/push-lock';
import {
  ExAcquireResourceExclusiveLite,
  ExDeleteResourceLite,
  ExInitializeResourceLite,
  ExReleaseResourceLite,
} from '../../src/ex/resource';
import { KeStackAttachProcess, KeUnstackDetachProcess } from '../../src/ke/apc';
import { KeReleaseMutex, KeSetEvent } from '../../src/ke/ddi';
import {
  KeEnterCriticalRegion,
  KeEnterGuardedRegion,
  KeLeaveCriticalRegion,
  KeLeaveGuardedRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import {
  KeAcquireSpinLockAtDpcLevel,
  KeAcquireSpinLockRaiseToDpc,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
} from '../../src/ke/spinlock';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { KSpinLock } from '../../src/machine/spinlock';
import type { KProcess } from '../../src/machine/views';
import { ZwClose } from '../../src/ob/handle';
import { type Pair, processDriver } from './drivers';
import {
  acquire,
  compute,
  createEvent,
  dpcDriver,
  entries,
  forever,
  machine,
  pair,
  queueWork,
  switched,
  systemThreadDriver,
  workDriver,
} from './corpus-parts';

/** The pairs of the rules of locks, levels and APC state. */

export const LOCKS: readonly Pair[] = [
  entries('LK-02', 'a DriverEntry that returns with a mutex', function* (good) {
    const mutex = machine().createMutex();
    yield* acquire(mutex);
    if (good) yield* KeReleaseMutex(mutex, false);
  }),
  switched('LK-02', 'a work item that returns with a mutex', (good) =>
    workDriver(function* work() {
      const mutex = machine().createMutex();
      yield* acquire(mutex);
      if (good) yield* KeReleaseMutex(mutex, false);
    }),
  ),
  switched('LK-02', 'a system thread that ends with a push lock', (good) => {
    const lock = new ExPushLock('table');
    return systemThreadDriver(function* worker() {
      yield* ExAcquirePushLockExclusive(lock);
      if (good) yield* ExReleasePushLockExclusive(lock);
    });
  }),
  switched('LK-02', 'a DPC that returns with a spin lock', (good) =>
    dpcDriver(function* onTick() {
      const lock = machine().createSpinLock();
      yield* KeAcquireSpinLockAtDpcLevel(lock);
      if (good) yield* KeReleaseSpinLockFromDpcLevel(lock);
    }),
  ),
  entries('LK-03', 'a fast mutex acquired by its owner', function* (good) {
    const mutex = new FastMutex('table');
    yield* ExAcquireFastMutex(mutex);
    if (!good) yield* ExAcquireFastMutex(mutex);
    yield* ExReleaseFastMutex(mutex);
  }),
  entries('LK-03', 'a spin lock acquired by its owner', function* (good) {
    const lock = machine().createSpinLock();
    const old = yield* KeAcquireSpinLockRaiseToDpc(lock);
    if (!good) yield* KeAcquireSpinLockAtDpcLevel(lock);
    yield* KeReleaseSpinLock(lock, old);
  }),
  entries('LK-04', 'a spin lock released that nobody holds', function* (good) {
    const lock: KSpinLock = machine().createSpinLock();
    const old = good ? yield* KeAcquireSpinLockRaiseToDpc(lock) : KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    yield* KeReleaseSpinLock(lock, old);
  }),
  entries('LK-04', 'a resource released that is not owned', function* (good) {
    const resource = new EResource();
    ExInitializeResourceLite(resource);
    KeEnterCriticalRegion();
    if (good) yield* ExAcquireResourceExclusiveLite(resource, true);
    yield* ExReleaseResourceLite(resource);
    yield* KeLeaveCriticalRegion();
    ExDeleteResourceLite(resource);
  }),
  entries('LK-05', 'a push lock acquired outside a critical region', function* (good) {
    const lock = new ExPushLock('table');
    if (good) KeEnterCriticalRegion();
    yield* ExAcquirePushLockExclusive(lock);
    yield* ExReleasePushLockExclusive(lock);
    if (good) yield* KeLeaveCriticalRegion();
  }),
  entries('LK-05', 'an unsafe fast mutex acquired outside a critical region', function* (good) {
    const mutex = new FastMutex('table');
    if (good) KeEnterCriticalRegion();
    yield* ExAcquireFastMutexUnsafe(mutex);
    yield* ExReleaseFastMutexUnsafe(mutex);
    if (good) yield* KeLeaveCriticalRegion();
  }),
];

export const LEVELS: readonly Pair[] = [
  entries('IR-01', 'a handle closed at APC_LEVEL', function* (good) {
    const handle = yield* createEvent();
    const old = KeRaiseIrql(good ? IRQL.PASSIVE_LEVEL : IRQL.APC_LEVEL);
    yield* ZwClose(handle);
    yield* KeLowerIrql(old);
  }),
  entries('IR-01', 'paged pool allocated at DISPATCH_LEVEL', function* (good) {
    const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    const block = ExAllocatePool2(good ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED, 64, 'Sut1');
    ExFreePool(block as PoolBlock);
    yield* KeLowerIrql(old);
  }),
  entries('IR-02', 'a delay at DISPATCH_LEVEL', function* (good) {
    const old = KeRaiseIrql(good ? IRQL.APC_LEVEL : IRQL.DISPATCH_LEVEL);
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -10);
    yield* KeLowerIrql(old);
  }),
  pair(
    'IR-02',
    'a DPC that waits for an event',
    () =>
      dpcDriver(function* onTick() {
        yield* forever(machine().createEvent('notification'));
      }),
    () =>
      dpcDriver(function* onTick() {
        yield* KeSetEvent(machine().createEvent('notification'), 0, false);
      }),
  ),
  entries('IR-03', 'a DriverEntry that returns at APC_LEVEL', function* (good) {
    const old = KeRaiseIrql(IRQL.APC_LEVEL);
    if (good) yield* KeLowerIrql(old);
  }),
  pair(
    'IR-03',
    'a work item that returns at DISPATCH_LEVEL',
    () =>
      workDriver(function work() {
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      }),
    () =>
      workDriver(function* work() {
        yield* KeLowerIrql(KeRaiseIrql(IRQL.DISPATCH_LEVEL));
      }),
  ),
  pair(
    'IR-03',
    'a DPC that returns above DISPATCH_LEVEL',
    () =>
      dpcDriver(function onTick() {
        KeRaiseIrql(IRQL.HIGH_LEVEL);
      }),
    () =>
      dpcDriver(function* onTick() {
        yield* KeLowerIrql(KeRaiseIrql(IRQL.HIGH_LEVEL));
      }),
  ),
  entries('AP-01', 'a DriverEntry that stays in a critical region', function* (good) {
    KeEnterCriticalRegion();
    if (good) yield* KeLeaveCriticalRegion();
  }),
  switched('AP-01', 'a system thread that ends in a guarded region', (good) =>
    systemThreadDriver(function* worker() {
      KeEnterGuardedRegion();
      yield compute(10);
      if (good) yield* KeLeaveGuardedRegion();
    }),
  ),
  switched('AP-01', 'a work item that stays attached to a process', (good) => {
    let target: KProcess | undefined;
    return processDriver(function* onProcess(process, _id, createInfo) {
      if (createInfo === null || target !== undefined) return;
      target = process;
      yield* queueWork(function* work() {
        const state = yield* KeStackAttachProcess(process);
        if (good) yield* KeUnstackDetachProcess(state);
      });
    });
  }),
];

import { IRQL, MODE } from '../../assembly/shared/types';
import { KEY_ACCESS, ZwOpenKey } from '../../src/cm/services';
import { IoAllocateWorkItem, IoFreeWorkItem } from '../../src/ex/io-work-item';
import { ExFreePool, ExFreePoolWithTag, type PoolBlock } from '../../src/ex/pool';
import { ExAllocateTimer, ExDeleteTimer } from '../../src/ex/timer';
import {
  ExInitializeWorkItem,
  ExQueueWorkItem,
  WORK_QUEUE_TYPE,
  WorkQueueItem,
} from '../../src/ex/worker';
import { KeSetEvent } from '../../src/ke/ddi';
import { KeInitializeDpc, KeInsertQueueDpc } from '../../src/ke/dpc';
import { KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { declareStack } from '../../src/ke/stack';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { KeCancelTimer, KeSetTimerEx } from '../../src/ke/timer';
import type { DriverObject, DriverOptions } from '../../src/machine/driver';
import type { KProcess, KTimer } from '../../src/machine/views';
import { OBJ } from '../../src/ob/attributes';
import {
  type ObCallbackHandle,
  ObRegisterCallbacks,
  ObUnRegisterCallbacks,
} from '../../src/ob/callbacks';
import { ObReferenceObjectByHandle, ZwClose } from '../../src/ob/handle';
import { ObDereferenceObject, ObReferenceObject } from '../../src/ob/reference';
import { PsLookupProcessByProcessId } from '../../src/ps/identity';
import { PsRemoveLoadImageNotifyRoutine, PsSetLoadImageNotifyRoutine } from '../../src/ps/register';
import { PsCreateSystemThread, PsTerminateSystemThread } from '../../src/ps/system-thread';
import { PsRevertToSelf } from '../../src/ps/token';
import { entryDriver, imageDriver, type Pair, processDriver } from './drivers';
import { LEVELS, LOCKS } from './corpus-locks';
import {
  compute,
  createEvent,
  dpcDriver,
  entries,
  forever,
  impersonate,
  machine,
  pair,
  pool,
  PRE_ONLY,
  switched,
  systemThreadDriver,
  workDriver,
} from './corpus-parts';

/** The pairs of the rules that are about all of a driver's code. */

/** Sets a timer whose DPC computes, and cancels it when it is unloaded. */
function timerDriver(ns: number, cancel = true): DriverOptions {
  let timer: KTimer | undefined;
  return entryDriver(
    function* () {
      timer = machine().createTimer('notification');
      const dpc = KeInitializeDpc(function* onTimer() {
        yield compute(ns);
      }, null);
      yield* KeSetTimerEx(timer, -100_000, 20, dpc);
    },
    function* () {
      if (cancel && timer !== undefined) yield* KeCancelTimer(timer);
    },
  );
}

function itemQueuedTwice(times: number): DriverOptions {
  return entryDriver(function* () {
    const item = new WorkQueueItem();
    const done = machine().createEvent('synchronization');
    const work = function* work() {
      yield* KeSetEvent(done, 0, false);
    };
    ExInitializeWorkItem(item, work, null);
    const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    for (let time = 0; time < times; time++)
      yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
    yield* KeLowerIrql(old);
    yield* forever(done);
  });
}

const ASYNCHRONOUS: readonly Pair[] = [
  switched('DP-01', 'a DPC that computes for 200 us', (good) =>
    dpcDriver(function* onTick() {
      yield compute(good ? 20_000 : 200_000);
    }),
  ),
  pair(
    'DP-01',
    'a DPC of a timer that computes for 300 us',
    () => timerDriver(300_000),
    () => timerDriver(30_000),
  ),
  entries('DP-02', 'a DPC queued without a routine', function* (good) {
    yield* KeInsertQueueDpc(KeInitializeDpc(good ? () => undefined : null, null), null, null);
  }),
  entries('DP-02', 'a timer allocated with attributes that contradict', function* (good) {
    const timer = ExAllocateTimer(null, null, good ? 4 : 12);
    if (timer !== null) yield* ExDeleteTimer(timer, true, false, null);
  }),
  pair(
    'WK-01',
    'a work item queued twice',
    () => itemQueuedTwice(2),
    () => itemQueuedTwice(1),
  ),
  pair(
    'WK-01',
    'a work item that ends its thread',
    () =>
      workDriver(function* work() {
        yield* PsTerminateSystemThread(0);
      }),
    () => workDriver(function* work() {}),
  ),
  switched('WK-02', 'a work item that goes on as somebody else', (good) =>
    workDriver(function* work() {
      yield* impersonate();
      if (good) yield* PsRevertToSelf();
    }),
  ),
];

/** Refers to the System process `taken` times, and gives `given` of that back. */
function references(taken: number, given: number): DriverOptions {
  return entryDriver(function* () {
    let system: KProcess | undefined;
    for (let time = 0; time < taken; time++) system = PsLookupProcessByProcessId(4).process;
    for (let time = 0; time < given && system !== undefined; time++)
      yield* ObDereferenceObject(system);
  });
}

function eventReferences(given: number): DriverOptions {
  return entryDriver(function* () {
    const handle = yield* createEvent();
    const { object } = yield* ObReferenceObjectByHandle(handle, 0, null, MODE.KernelMode);
    for (let time = 0; time < given && object !== undefined; time++)
      yield* ObDereferenceObject(object);
    yield* ZwClose(handle);
  });
}

function registeredOnce(removals: number): DriverOptions {
  let handle: ObCallbackHandle | null = null;
  return entryDriver(
    function* () {
      handle = (yield* ObRegisterCallbacks(PRE_ONLY)).registrationHandle;
    },
    function* () {
      for (let time = 0; time < removals && handle !== null; time++)
        yield* ObUnRegisterCallbacks(handle);
    },
  );
}

const PROPERTY: readonly Pair[] = [
  pair(
    'OB-01',
    'a process dereferenced twice',
    () => references(1, 2),
    () => references(1, 1),
  ),
  pair(
    'OB-01',
    'an event dereferenced twice',
    () => eventReferences(2),
    () => eventReferences(1),
  ),
  entries('OB-02', 'a handle closed twice', function* (good) {
    const handle = yield* createEvent();
    yield* ZwClose(handle);
    if (!good) yield* ZwClose(handle);
  }),
  entries('OB-02', 'a handle closed that never was', function* (good) {
    const handle = yield* createEvent();
    if (!good) yield* ZwClose(handle + 0x1000);
    yield* ZwClose(handle);
  }),
  pair(
    'OB-03',
    'object callbacks unregistered twice',
    () => registeredOnce(2),
    () => registeredOnce(1),
  ),
  pair(
    'OB-03',
    'a load-image routine removed that is another',
    () => {
      const routine = () => undefined;
      return entryDriver(
        () => PsSetLoadImageNotifyRoutine(routine) as never,
        function* () {
          yield* PsRemoveLoadImageNotifyRoutine(() => undefined);
          yield* PsRemoveLoadImageNotifyRoutine(routine);
        },
      );
    },
    () => imageDriver(() => undefined),
  ),
  entries('OB-04', 'pool freed twice', function* (good) {
    const block = pool();
    ExFreePool(block);
    if (!good) ExFreePool(block);
    yield compute(1);
  }),
  entries('OB-04', 'pool freed with another tag', function* (good) {
    ExFreePoolWithTag(pool(), good ? 'Sut1' : 'Sut2');
    yield compute(1);
  }),
  pair(
    'UN-01',
    'a periodic timer that is not cancelled',
    () => timerDriver(10, false),
    () => timerDriver(10),
  ),
  pair(
    'UN-01',
    'a system thread that goes on',
    () =>
      systemThreadDriver(function* worker() {
        yield* forever(machine().createEvent('notification'));
      }),
    () =>
      systemThreadDriver(function* worker() {
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -10);
      }),
  ),
  entries('UN-02', 'pool that is not freed', function* (good) {
    const block = pool();
    if (good) ExFreePool(block);
    yield compute(1);
  }),
  pair(
    'UN-02',
    'a record of each process that is kept for ever',
    () =>
      processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo !== null) pool();
      }),
    () => {
      const records = new Map<number, PoolBlock>();
      return processDriver(function onProcess(_process, id, createInfo) {
        const record = records.get(id);
        if (createInfo !== null) records.set(id, pool());
        else if (record !== undefined) ExFreePool(record);
      });
    },
  ),
  entries('UN-03', 'a handle of a thread that is not closed', function* (good) {
    const worker = function* worker() {
      yield compute(10);
    };
    const { handle } = yield* PsCreateSystemThread(0x1f_ffff, null, null, worker, null);
    if (good) yield* ZwClose(handle);
  }),
  entries('UN-03', 'a key that is not closed', function* (good) {
    const { handle } = yield* ZwOpenKey(KEY_ACCESS.READ, {
      ObjectName: '\\Registry\\Machine\\Software',
      Attributes: OBJ.KERNEL_HANDLE,
    });
    if (good) yield* ZwClose(handle);
  }),
  pair(
    'UN-04',
    'a process that is looked up and kept',
    () => references(2, 1),
    () => references(2, 2),
  ),
  pair(
    'UN-04',
    'a process routine that keeps a reference for ever',
    () =>
      processDriver(function onProcess(process, _id, createInfo) {
        if (createInfo !== null) ObReferenceObject(process);
      }),
    () =>
      processDriver(function* onProcess(process, _id, createInfo) {
        if (createInfo === null) return;
        ObReferenceObject(process);
        yield* ObDereferenceObject(process);
      }),
  ),
  switched('UN-05', 'a work item that is not freed', workItem),
  entries('UN-05', 'a timer that is not deleted', function* (good) {
    const timer = ExAllocateTimer(null, null, 0);
    if (good && timer !== null) yield* ExDeleteTimer(timer, true, false, null);
    yield compute(1);
  }),
  entries('ST-01', 'a buffer of 30 KB on the stack', function* (good) {
    declareStack(good ? 300 : 30_000);
    yield compute(1);
  }),
  entries('ST-01', 'a recursion of a thousand levels', function* (good) {
    const deeper = (level: number): void => {
      if (level === 0) return;
      declareStack(64);
      deeper(level - 1);
    };
    deeper(good ? 10 : 1000);
    yield compute(1);
  }),
  pair(
    'BC-01',
    'a DPC that throws',
    () =>
      dpcDriver(function onTick() {
        throw new Error('broken');
      }),
    () => dpcDriver(function onTick() {}),
  ),
];

function workItem(free: boolean): DriverOptions {
  return {
    ...entryDriver(function* () {}),
    *DriverEntry(driverObject: DriverObject) {
      const item = IoAllocateWorkItem(driverObject);
      yield compute(1);
      if (free) IoFreeWorkItem(item);
      return 0;
    },
  };
}

export const GENERAL: readonly Pair[] = [...LOCKS, ...LEVELS, ...ASYNCHRONOUS, ...PROPERTY];

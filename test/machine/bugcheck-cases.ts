import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { IRQL, KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import { EResource } from '../../src/ex/eresource';
import { InitializeListHead, InsertTailList, ListEntry, RemoveEntryList } from '../../src/ex/list';
import {
  ExAcquirePushLockExclusiveEx,
  ExAcquirePushLockShared,
  ExPushLock,
  ExReleasePushLockExclusive,
} from '../../src/ex/push-lock';
import {
  ExAcquireResourceExclusiveLite,
  ExConvertExclusiveToSharedLite,
  ExInitializeResourceLite,
  ExReleaseResourceForThreadLite,
  ExSetResourceOwnerPointer,
} from '../../src/ex/resource';
import {
  ExInitializeWorkItem,
  ExQueueWorkItem,
  WORK_QUEUE_TYPE,
  WorkQueueItem,
} from '../../src/ex/worker';
import {
  type IoStatusBlock,
  ZwCancelIoFile,
  ZwCreateFile,
  ZwFsControlFile,
} from '../../src/io/file';
import { KeAttachProcess, KeInsertQueueApc, KeUnstackDetachProcess } from '../../src/ke/apc';
import { KeBugCheck, KeBugCheckEx } from '../../src/ke/bugcheck';
import { KeWaitForMultipleObjects, KeWaitForSingleObject } from '../../src/ke/ddi';
import {
  DeviceQueue,
  KeInitializeDeviceQueue,
  KeRemoveDeviceQueue,
} from '../../src/ke/device-queue';
import { KeEnterCriticalRegion, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { IoAcquireCancelSpinLock } from '../../src/ke/spinlock';
import { KeSetKernelStackSwapEnable } from '../../src/ke/stack';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { GuestResult } from '../../src/machine/dpc';
import { resultOf } from '../../src/machine/generator';
import { currentGuest } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import { program } from '../../src/machine/program';
import type { RunResult } from '../../src/machine/result';
import { OBJ } from '../../src/ob/attributes';
import { THREADINFOCLASS } from '../../src/ps/information-class';
import {
  PsAllocSiloContextSlot,
  PsCreateSiloContext,
  PsFreeSiloContextSlot,
  PsInsertSiloContext,
} from '../../src/ps/silo-context';
import { PsAttachSiloToCurrentThread } from '../../src/ps/silo-routines';
import { ZwSetInformationThread } from '../../src/ps/thread-set';
import { asProvider, startPico } from '../subsystem/provider';
import { stopOf } from '../verifier/stop-of';

/** For each bugcheck that the kernel stops with, what brings it about. */

type Steps<T = void> = Generator<readonly number[], T, number>;
type Run = () => Promise<RunResult>;

const machine = () => currentGuest('case').machine;

/** Without Driver Verifier, which would stop before. */
const UNCHECKED: MachineOptions = { processors: 1, checkIrql: false };

/** A system thread that does something. */
const thread =
  (body: () => GuestResult<unknown>, options: MachineOptions = { processors: 1 }): Run =>
  async () => {
    const made = await Machine.create(options);
    made.systemProcess.createThread(function* misuser() {
      yield* resultOf(body());
    });
    return made.run({ until: 1e10 });
  };

/** A DPC that does something. */
const dpc =
  (body: () => GuestResult<unknown>, options: MachineOptions = {}): Run =>
  async () => {
    const made = await Machine.create({ processors: 1, ...options });
    made.createDpc(body as () => GuestResult).insert();
    return made.run({ until: 1e10 });
  };

const workItem = (body: () => GuestResult) =>
  thread(function* () {
    const item = new WorkQueueItem();
    ExInitializeWorkItem(item, body, 7);
    yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
  });

const corpus =
  (what: string): Run =>
  () =>
    stopOf(what);

/** A provider's system call 3 that does something. */
const systemCall =
  (body: () => void): Run =>
  async () => {
    const made = await Machine.create({ processors: 1 });
    asProvider(made, { DispatchSystemCall: body }, function* (routines) {
      const elf = made.loadProgram(program('elf', (p) => p.systemCall(3)));
      yield* startPico(made, routines, { body: elf });
    });
    return made.run();
  };

async function serviceRoutineThatThrows(): Promise<RunResult> {
  const made = await Machine.create({ processors: 1 });
  const serviceRoutine = () => {
    throw new Error('broken');
  };
  made.scheduleInterrupt(1_000_000, 0, made.connectInterrupt({ irql: 8, serviceRoutine }));
  return made.run();
}

/** A special kernel-mode APC comes while the routine of another waits, and there is room for one frame. */
async function nestedApcs(): Promise<RunResult> {
  const made = await Machine.create({ processors: 1, capacities: { trapFrames: 1 } });
  const event = made.createEvent('notification');
  const wait = () =>
    KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
  const target = made.createProcess().createThread(function* () {
    yield* wait();
  });
  made.systemProcess.createThread(function* () {
    const normalRoutine = function* () {
      yield* wait();
    };
    const outer = made.createApc(target, { kernelRoutine: () => {}, normalRoutine });
    yield* KeInsertQueueApc(outer, 0, 0, 0);
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -100_000);
    yield* KeInsertQueueApc(made.createApc(target, { kernelRoutine: () => {} }), 0, 0, 0);
  });
  return made.run();
}

const DEVICE = {
  fsControl: () => 0x103,
  *cancel() {
    yield* IoAcquireCancelSpinLock();
  },
};

function* cancelRequest(): Steps {
  const attributes = { Attributes: OBJ.KERNEL_HANDLE };
  const { handle } = yield* ZwCreateFile(0x1f01ff, attributes, DEVICE, 'asynchronous');
  const block: IoStatusBlock = {};
  yield* ZwFsControlFile(handle, 0, null, null, block, 1);
  yield* ZwCancelIoFile(handle, block);
}

function withResource(body: (resource: EResource) => Steps): Run {
  return thread(function* () {
    const resource = new EResource();
    ExInitializeResourceLite(resource);
    KeEnterCriticalRegion();
    yield* body(resource);
  });
}

function withPushLock(body: (lock: ExPushLock) => Steps): Run {
  return thread(function* () {
    KeEnterCriticalRegion();
    yield* body(new ExPushLock());
  });
}

function* initializedAgain(): Steps {
  const item = new WorkQueueItem();
  KeRaiseIrql(IRQL.DISPATCH_LEVEL);
  ExInitializeWorkItem(item, () => undefined, null);
  yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
  ExInitializeWorkItem(item, () => undefined, null);
  yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
}

function* criticalThread(): Steps {
  yield* ZwSetInformationThread(-2, THREADINFOCLASS.ThreadBreakOnTermination, 1, 4);
}

function slotInUse(): void {
  const { slot } = PsAllocSiloContextSlot(0);
  const { context } = PsCreateSiloContext(null, 64, 512, () => undefined);
  if (context !== null) PsInsertSiloContext(null, slot, context);
  PsFreeSiloContextSlot(slot);
}

/** By code. */
export const CASES: readonly (readonly [code: number, what: string, run: Run])[] = [
  [
    0x1,
    'a callback stays in a critical region',
    corpus('a process routine that stays in a critical region'),
  ],
  [
    0x2,
    'KeRemoveDeviceQueue of a device that is free',
    thread(function* () {
      const queue = new DeviceQueue();
      KeInitializeDeviceQueue(queue);
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* KeRemoveDeviceQueue(queue);
    }),
  ],
  [
    0x5,
    'KeAttachProcess while attached to another process',
    thread(function* () {
      yield* KeAttachProcess(machine().createProcess());
      yield* KeAttachProcess(machine().createProcess());
    }),
  ],
  [
    0x6,
    'KeUnstackDetachProcess without KeStackAttachProcess',
    thread(function* () {
      yield* KeUnstackDetachProcess({ process: machine().systemProcess });
    }),
  ],
  [0x8, 'a DPC that returns above DISPATCH_LEVEL', dpc(() => KeRaiseIrql(IRQL.HIGH_LEVEL))],
  [
    0x9,
    'KeRaiseIrql to a lower level',
    thread(() => {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      KeRaiseIrql(IRQL.APC_LEVEL);
    }, UNCHECKED),
  ],
  [
    0xa,
    'KeLowerIrql to a higher level',
    thread(function* () {
      yield* KeLowerIrql(IRQL.DISPATCH_LEVEL);
    }, UNCHECKED),
  ],
  [
    0xc,
    'KeWaitForMultipleObjects for four objects without wait blocks',
    thread(function* () {
      const events = [1, 2, 3, 4].map(() => machine().createEvent('notification'));
      yield* KeWaitForMultipleObjects(
        events,
        WAIT_TYPE.WaitAny,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        false,
        null,
        null,
      );
    }),
  ],
  [
    0x10,
    'a spin lock is released that nobody holds',
    corpus('a spin lock released that nobody holds'),
  ],
  [0x18, 'a process is used that has gone', corpus('a process that is kept without a reference')],
  [
    0x1e,
    'a callback in a user thread throws',
    corpus('a process routine that forgets that processes end'),
  ],
  [
    0x1f,
    'ExConvertExclusiveToSharedLite of a resource that is not owned',
    withResource(ExConvertExclusiveToSharedLite as never),
  ],
  [
    0x20,
    'a thread ends in a guarded region',
    corpus('a system thread that ends in a guarded region'),
  ],
  [0x2b, 'there is no trap frame for an APC', nestedApcs],
  [0x39, 'a work item returns with a mutex', corpus('a work item that returns with a mutex')],
  [
    0x3b,
    'a provider of system calls throws',
    systemCall(() => {
      throw new RangeError('no such inode');
    }),
  ],
  [0x3d, 'a service routine throws', serviceRoutineThatThrows],
  [0x4a, 'a system call returns at APC_LEVEL', systemCall(() => void KeRaiseIrql(IRQL.APC_LEVEL))],
  [0x7e, 'a system thread throws', corpus('a process routine that throws')],
  [0x7f, 'a kernel stack is overrun', corpus('a buffer of 30 KB on the stack')],
  [0x93, 'ZwClose of a handle that is closed', corpus('a handle closed twice')],
  [
    0x94,
    'a thread ends with KeSetKernelStackSwapEnable(FALSE)',
    thread(() => KeSetKernelStackSwapEnable(false)),
  ],
  [0x96, 'a work item is initialized while it is queued', thread(initializedAgain)],
  [
    0xb8,
    'a DPC waits',
    dpc(
      function* () {
        const event = machine().createEvent('notification');
        yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      },
      { checkIrql: false },
    ),
  ],
  [0xc4, 'paged pool at DISPATCH_LEVEL', corpus('paged pool allocated at DISPATCH_LEVEL')],
  [0xc7, 'a DPC without a routine is queued', corpus('a DPC queued without a routine')],
  [0xc8, 'a callback returns at APC_LEVEL', corpus('a process routine that stays at APC_LEVEL')],
  [
    0xce,
    'a driver leaves its callback',
    corpus('a driver that is unloaded with its process routine registered'),
  ],
  [
    0xdf,
    'a work item returns while it impersonates',
    corpus('a work item that goes on as somebody else'),
  ],
  [
    0xe1,
    'a work item returns at DISPATCH_LEVEL',
    corpus('a work item that returns at DISPATCH_LEVEL'),
  ],
  [
    0xe3,
    'a resource is released that is not owned',
    corpus('a resource released that is not owned'),
  ],
  [0xe4, 'a work item is queued twice', corpus('a work item queued twice')],
  [0xe9, 'a work item ends its thread', corpus('a work item that ends its thread')],
  [0xef, 'a critical thread ends', thread(criticalThread)],
  [0x11b, 'a cancel routine returns with the cancel spin lock', thread(cancelRequest)],
  [
    0x128,
    'a work item leaves a low I/O priority',
    corpus('a work item that leaves its thread with a low I/O priority'),
  ],
  [
    0x132,
    'ExSetResourceOwnerPointer with a pointer without its low bits',
    withResource(function* (resource) {
      yield* ExAcquireResourceExclusiveLite(resource, true);
      yield* ExSetResourceOwnerPointer(resource, 0xabc0);
    }),
  ],
  [
    0x133,
    'a DPC computes for a minute',
    dpc(
      function* () {
        yield [1, 4e9, 0];
      },
      { profile: { dpcTimeLimitTicks: 20 } } as MachineOptions,
    ),
  ],
  [
    0x139,
    'an entry is removed from a list twice',
    thread(() => {
      const [head, first, second] = [new ListEntry(0), new ListEntry(1), new ListEntry(2)];
      InitializeListHead(head);
      InsertTailList(head, first);
      InsertTailList(head, second);
      RemoveEntryList(first);
      RemoveEntryList(first);
    }),
  ],
  [
    0x152,
    'a push lock is acquired with flags that there are not',
    withPushLock(function* (lock) {
      yield* ExAcquirePushLockExclusiveEx(lock, 0x80);
    }),
  ],
  [0x153, 'a thread ends with a push lock', corpus('a system thread that ends with a push lock')],
  [
    0x15b,
    'a work item leaves a low page priority',
    workItem(function* () {
      yield* ZwSetInformationThread(-2, THREADINFOCLASS.ThreadPagePriority, 1, 4);
    }),
  ],
  [
    0x162,
    'a push lock is released that is not held',
    withPushLock(function* (lock) {
      yield* ExReleasePushLockExclusive(lock);
    }),
  ],
  [
    0x16e,
    'a resource is released for what is no thread',
    withResource(function* (resource) {
      yield* ExReleaseResourceForThreadLite(resource, 4n);
    }),
  ],
  [
    0x192,
    'a push lock is acquired at DISPATCH_LEVEL',
    withPushLock(function* (lock) {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* ExAcquirePushLockShared(lock);
    }),
  ],
  [0x199, 'PsFreeSiloContextSlot of a slot in use', thread(slotInUse)],
  [
    0x19a,
    'a work item returns attached to a silo',
    workItem(() => void PsAttachSiloToCurrentThread(null)),
  ],
  [0x1cb, 'a thread ends attached to a silo', thread(() => void PsAttachSiloToCurrentThread(null))],
  [
    0x4000008a,
    'a DriverEntry returns with a mutex',
    corpus('a DriverEntry that returns with a mutex'),
  ],
];

/** What drivers ask for themselves. */
export const ASKED = {
  withParameters: thread(() => KeBugCheckEx(BUGCHECK.MANUALLY_INITIATED_CRASH, 1, 2, 3, 4)),
  without: thread(() => KeBugCheck(0xd1)),
  unknown: thread(() => KeBugCheck(0x12345)),
};

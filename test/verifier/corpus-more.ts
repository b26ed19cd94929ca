import { IRQL, MODE } from '../../assembly/shared/types';
import { EResource } from '../../src/ex/eresource';
import { ExAcquireFastMutex, ExReleaseFastMutex, FastMutex } from '../../src/ex/fast-mutex';
import {
  ExDeleteResourceLite,
  ExEnterCriticalRegionAndAcquireResourceExclusive,
  ExInitializeResourceLite,
  ExReleaseResourceAndLeaveCriticalRegion,
} from '../../src/ex/resource';
import { WORK_QUEUE_TYPE } from '../../src/ex/worker';
import { ZwCreateIoCompletion, ZwRemoveIoCompletion } from '../../src/io/completion';
import { ZwFsControlFile } from '../../src/io/file';
import { KeStackAttachProcess, KeUnstackDetachProcess } from '../../src/ke/apc';
import { KeSetEvent } from '../../src/ke/ddi';
import {
  KeAcquireGuardedMutex,
  KeReleaseGuardedMutex,
  KGuardedMutex,
} from '../../src/ke/guarded-mutex';
import {
  KeEnterGuardedRegion,
  KeLeaveGuardedRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import { declareStack } from '../../src/ke/stack';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { currentGuest } from '../../src/machine/guest';
import { OBJ } from '../../src/ob/attributes';
import { ZwClose } from '../../src/ob/handle';
import type { ImageInfo } from '../../src/ps/image';
import { THREADINFOCLASS } from '../../src/ps/information-class';
import type { PsCreateNotifyInfo } from '../../src/ps/process-notify';
import {
  PsRemoveCreateThreadNotifyRoutine,
  PsSetCreateThreadNotifyRoutine,
} from '../../src/ps/register';
import { THREAD_ACCESS } from '../../src/ps/access';
import { ZwCreateThreadEx } from '../../src/ps/create-services';
import { OB_OPERATION } from '../../src/ob/callbacks';
import { PsTerminateSystemThread } from '../../src/ps/system-thread';
import { ZwSetInformationThread } from '../../src/ps/thread-set';
import { PsRevertToSelf } from '../../src/ps/token';
import {
  compute,
  forever,
  impersonate,
  machine,
  openSelf,
  queueWork,
  type Steps,
  switched,
  workDriver,
} from './corpus-parts';
import {
  entryDriver,
  handleDriver,
  imageDriver,
  type Pair,
  processDriver,
  threadDriver,
} from './drivers';

/** A second pair of rules of callbacks that have one elsewhere. */

export const MORE: readonly Pair[] = [
  switched('CB-05', 'a thread routine that looks for an answer at a completion port', (good) =>
    threadDriver(function* onThread() {
      const attributes = { Attributes: OBJ.KERNEL_HANDLE };
      const { handle } = yield* ZwCreateIoCompletion(0x1f0003, attributes, 0);
      if (!good) yield* ZwRemoveIoCompletion(handle, 0);
      yield* ZwClose(handle);
    }),
  ),
  switched('CB-07', 'a thread routine that waits for its work item', (good) =>
    threadDriver(function* onThread() {
      const done = machine().createEvent('notification');
      const work = function* work() {
        yield* KeSetEvent(done, 0, false);
      };
      yield* queueWork(work, WORK_QUEUE_TYPE.CriticalWorkQueue);
      if (!good) yield* forever(done);
    }),
  ),
  switched('CB-09', 'a thread routine that takes itself back', (good) => {
    const onThread = function* onThread() {
      if (!good) yield* PsRemoveCreateThreadNotifyRoutine(onThread);
    };
    return entryDriver(
      () => PsSetCreateThreadNotifyRoutine(onThread) as never,
      good ? () => PsRemoveCreateThreadNotifyRoutine(onThread) as never : null,
    );
  }),
  switched('CB-12', 'a load-image routine that attaches to the process that it is in', (good) =>
    imageDriver(function* onImage() {
      if (good) return;
      const state = yield* KeStackAttachProcess(currentGuest('corpus').thread.process);
      yield* KeUnstackDetachProcess(state);
    }),
  ),
  switched('CB-15', 'a process routine that reads the parent of a process that exits', (good) => {
    const parents: number[] = [];
    return processDriver(function onProcess(_process, _id, createInfo) {
      if (createInfo !== null || !good)
        parents.push((createInfo as PsCreateNotifyInfo).ParentProcessId);
    });
  }),
  switched('CB-16', 'a process routine that splits every command line', (good) =>
    processDriver(function onProcess(_process, _id, createInfo) {
      const line = createInfo === null ? '' : createInfo.CommandLine;
      (good ? (line ?? '') : (line as string)).split(' ');
    }),
  ),
  switched('CB-17', 'a load-image routine that looks at the end of every name', (good) =>
    imageDriver(function onImage(name) {
      if (name !== null || !good) (name as string).endsWith('.dll');
    }),
  ),
  switched('CB-18', 'a load-image routine that writes the size of the image', (good) =>
    imageDriver(function onImage(_name, _id, info) {
      if (!good) (info as { -readonly [Field in keyof ImageInfo]: ImageInfo[Field] }).ImageSize = 0;
    }),
  ),
  switched('CB-19', 'a pre-operation callback that sets the access', (good) =>
    handleDriver(function beforeHandle(_context, { Parameters }) {
      if (good) Parameters.DesiredAccess &= 0x1000;
      else Parameters.DesiredAccess = 0x8000_0000;
      return 0;
    }),
  ),
  switched('CB-20', 'a pre-operation callback that returns 1 for no', (good) =>
    handleDriver(function beforeHandle(_context, { Parameters }) {
      if (good) Parameters.DesiredAccess = 0;
      return good ? 0 : 1;
    }),
  ),
  switched('CB-22', 'a thread routine that stays at APC_LEVEL', (good) =>
    threadDriver(function* onThread() {
      const old = KeRaiseIrql(IRQL.APC_LEVEL);
      if (good) yield* KeLowerIrql(old);
    }),
  ),
  switched('CB-23', 'a load-image routine that stays in a guarded region', (good) =>
    imageDriver(function* onImage() {
      KeEnterGuardedRegion();
      if (good) yield* KeLeaveGuardedRegion();
    }),
  ),
  switched('CB-24', 'a process routine with 20 KB of local variables', (good) =>
    processDriver(function* onProcess() {
      declareStack(good ? 200 : 20_000);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, 0);
    }),
  ),
  switched('CB-26', 'a thread routine that goes on as somebody else', (good) =>
    threadDriver(function* onThread(_processId, _threadId, create) {
      if (!create) return;
      yield* impersonate();
      if (good) yield* PsRevertToSelf();
    }),
  ),
  switched('CB-27', 'a driver that is not signed', (good) => ({
    ...handleDriver(() => 0),
    image: { signed: good },
  })),
  switched('CB-29', 'a load-image routine that looks at an image later', (good) => {
    let kept: ImageInfo | undefined;
    let bytes = 0;
    return imageDriver(function onImage(_name, _id, info) {
      if (!good) bytes = kept?.ImageSize ?? bytes;
      kept = good ? undefined : info;
    });
  }),
  switched('CB-01', 'a thread routine that computes with a lock', (good) => {
    const mutex = new FastMutex('table');
    return threadDriver(function* onThread() {
      yield* ExAcquireFastMutex(mutex);
      yield compute(good ? 1000 : 1_500_000);
      yield* ExReleaseFastMutex(mutex);
    });
  }),
  switched(
    'CB-06',
    'a resource held while a process is opened, and taken in the handle callback',
    (good) => {
      const resource = new EResource('table');
      const onHandle = handleDriver(function* beforeHandle(_context, { Operation }) {
        if (Operation === OB_OPERATION.HANDLE_DUPLICATE)
          yield* exclusively(resource, function* () {});
        return 0;
      });
      const onProcess = processDriver(function* onProcess() {
        yield* exclusively(resource, good ? function* () {} : openSelf);
        if (good) yield* openSelf();
      });
      return {
        name: 'sut',
        *DriverEntry(driverObject, registryPath) {
          ExInitializeResourceLite(resource);
          yield* onHandle.DriverEntry(driverObject, registryPath) as Steps<number>;
          return yield* onProcess.DriverEntry(driverObject, registryPath) as Steps<number>;
        },
        *DriverUnload(driverObject) {
          yield* onProcess.DriverUnload?.(driverObject) as Steps;
          yield* onHandle.DriverUnload?.(driverObject) as Steps;
          ExDeleteResourceLite(resource);
        },
      };
    },
  ),
  switched('CB-13', 'a load-image routine that asks a device with a guarded mutex', (good) => {
    const mutex = new KGuardedMutex('cache');
    return imageDriver(function* onImage() {
      yield* KeAcquireGuardedMutex(mutex);
      if (!good) yield* ZwFsControlFile(0, 0, null, null, {}, 1);
      yield* KeReleaseGuardedMutex(mutex);
    });
  }),
  switched('CB-21', 'a post-operation callback that writes down every access', (good) => {
    const seen: object[] = [];
    return handleDriver(null, function afterHandle(_context, { ReturnStatus, Parameters }) {
      if (!good || (ReturnStatus | 0) >= 0) seen.push({ ...Parameters });
    });
  }),
  switched('CB-25', 'a thread routine that starts a thread', (good) => {
    let started = false;
    return threadDriver(function* onThread(_processId, _threadId, create) {
      if (started || good || !create) return;
      started = true;
      const access = THREAD_ACCESS.ALL_ACCESS;
      const made = yield* ZwCreateThreadEx(access, null, -1, worker, null, 0, 0, 0, 0, null);
      yield* ZwClose(made.threadHandle);
    });
  }),
  switched('CB-30', 'a thread routine that ends its thread', (good) =>
    threadDriver(function* onThread(_processId, _threadId, create) {
      if (!create && !good) yield* PsTerminateSystemThread(0);
    }),
  ),
  switched('WK-02', 'a work item that leaves its thread with a low I/O priority', (good) =>
    workDriver(function* work() {
      yield* ZwSetInformationThread(-2, THREADINFOCLASS.ThreadIoPriority, 1, 4);
      if (good) yield* ZwSetInformationThread(-2, THREADINFOCLASS.ThreadIoPriority, 2, 4);
    }),
  ),
];

function* exclusively(resource: EResource, body: () => Steps): Steps {
  yield* ExEnterCriticalRegionAndAcquireResourceExclusive(resource);
  yield* body();
  yield* ExReleaseResourceAndLeaveCriticalRegion(resource);
}

function* worker(): Steps {
  yield compute(10);
}

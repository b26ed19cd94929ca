import { IRQL, MODE } from '../../assembly/shared/types';
import { KEY_ACCESS, ZwOpenKey } from '../../src/cm/services';
import {
  ExAcquirePushLockExclusive,
  ExPushLock,
  ExReleasePushLockExclusive,
} from '../../src/ex/push-lock';
import { ZwCreateIoCompletion, ZwSetIoCompletion } from '../../src/io/completion';
import { KeStackAttachProcess, KeUnstackDetachProcess } from '../../src/ke/apc';
import { KeSetEvent } from '../../src/ke/ddi';
import {
  KeEnterCriticalRegion,
  KeLeaveCriticalRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import { declareStack } from '../../src/ke/stack';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { DriverOptions } from '../../src/machine/driver';
import type { KEvent } from '../../src/machine/views';
import { OBJ } from '../../src/ob/attributes';
import { OB_OPERATION } from '../../src/ob/callbacks';
import { ZwClose } from '../../src/ob/handle';
import { PROCESS_ACCESS } from '../../src/ps/access';
import { ZwTerminateProcess } from '../../src/ps/control-services';
import type { PsCreateNotifyInfo } from '../../src/ps/process-notify';
import {
  PsSetCreateProcessNotifyRoutineEx,
  PsSetLoadImageNotifyRoutine,
} from '../../src/ps/register';
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
  waitFor,
} from './corpus-parts';
import {
  entryDriver,
  handleDriver,
  imageDriver,
  type Pair,
  processDriver,
  threadDriver,
} from './drivers';

/** Small drivers, each of which breaks one rule, and beside it the smallest that does the same and keeps it. */

export const PAIRS: readonly Pair[] = [
  {
    rule: 'CB-01',
    what: 'a process routine that computes for two milliseconds',
    bad: () =>
      processDriver(function* onProcess() {
        yield compute(2_000_000);
      }),
    good: () =>
      processDriver(function* onProcess() {
        yield compute(2_000);
      }),
  },
  {
    rule: 'CB-01',
    what: 'a load-image routine that hashes the image',
    bad: () =>
      imageDriver(function* onImage(_name, _id, { ImageSize }) {
        yield compute(ImageSize * 20);
      }),
    good: () =>
      imageDriver(function* onImage(_name, _id, { ImageSize }) {
        yield compute(ImageSize / 200);
      }),
  },
  {
    rule: 'CB-03',
    what: 'a process routine that looks its setting up each time',
    bad: () =>
      processDriver(function* onProcess() {
        const { handle } = yield* ZwOpenKey(KEY_ACCESS.READ, {
          ObjectName: '\\Registry\\Machine\\Software',
        });
        yield* ZwClose(handle);
      }),
    good: () => {
      let status = 0;
      const driver = processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo !== null && status === 0) createInfo.CreationStatus = 0;
      });
      return {
        ...driver,
        *DriverEntry(driverObject, registryPath) {
          const opened = yield* ZwOpenKey(KEY_ACCESS.READ, { ObjectName: registryPath });
          ({ status } = opened);
          if (opened.handle !== 0) yield* ZwClose(opened.handle);
          const entered = driver.DriverEntry(driverObject, registryPath);
          return yield* entered as Generator<readonly number[], number, number>;
        },
      };
    },
  },
  {
    rule: 'CB-04',
    what: 'a process routine that sleeps',
    bad: () =>
      processDriver(function* onProcess() {
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -10);
      }),
    good: () =>
      processDriver(function* onProcess() {
        yield* KeDelayExecutionThread(MODE.KernelMode, false, 0);
      }),
  },
  switched('CB-04', 'a thread routine that waits with a limit', (good) => {
    let event: KEvent | undefined;
    return threadDriver(function* onThread() {
      event ??= machine().createEvent('notification');
      yield* waitFor(event, good ? 0 : -100);
    });
  }),
  {
    rule: 'CB-06',
    what: 'a push lock that is held while a process is opened, and taken in the handle callback',
    bad: () =>
      opener(function* scan(lock) {
        yield* exclusively(lock, openSelf);
      }),
    good: () =>
      opener(function* scan(lock) {
        yield* exclusively(lock, function* () {});
        yield* openSelf();
      }),
  },
  {
    rule: 'CB-07',
    what: 'a process routine that waits for its work item',
    bad: () =>
      processDriver(function* onProcess() {
        const done = machine().createEvent('notification');
        yield* queueWork(function* work() {
          yield* KeSetEvent(done, 0, false);
        });
        yield* forever(done);
      }),
    good: () =>
      processDriver(function* onProcess() {
        yield* queueWork(function* work() {});
      }),
  },
  {
    rule: 'CB-09',
    what: 'a process routine that takes itself back',
    bad: () => {
      const onProcess = function* onProcess() {
        yield* PsSetCreateProcessNotifyRoutineEx(onProcess, true);
      };
      return entryDriver(() => PsSetCreateProcessNotifyRoutineEx(onProcess, false) as never, null);
    },
    good: () => processDriver(function* onProcess() {}),
  },
  {
    rule: 'CB-10',
    what: 'a driver that is unloaded with its process routine registered',
    bad: () =>
      entryDriver(() => PsSetCreateProcessNotifyRoutineEx(() => undefined, false) as never),
    good: () => processDriver(() => undefined),
  },
  {
    rule: 'CB-10',
    what: 'a driver that is unloaded with its load-image routine registered',
    bad: () => entryDriver(() => PsSetLoadImageNotifyRoutine(() => undefined) as never),
    good: () => imageDriver(() => undefined),
  },
  {
    rule: 'CB-12',
    what: 'a load-image routine that attaches to the System process',
    bad: () =>
      imageDriver(function* onImage() {
        const state = yield* KeStackAttachProcess(machine().systemProcess);
        yield* KeUnstackDetachProcess(state);
      }),
    good: () => imageDriver(function* onImage() {}),
  },
  {
    rule: 'CB-15',
    what: 'a process routine that forgets that processes end',
    bad: () =>
      processDriver(function onProcess(_process, _id, createInfo) {
        (createInfo as PsCreateNotifyInfo).CreationStatus = 0;
      }),
    good: () =>
      processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo !== null) createInfo.CreationStatus = 0;
      }),
  },
  {
    rule: 'CB-16',
    what: 'a process routine that takes every process to have a command line',
    bad: () =>
      processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo !== null) (createInfo.CommandLine as string).toLowerCase();
      }),
    good: () =>
      processDriver(function onProcess(_process, _id, createInfo) {
        createInfo?.CommandLine?.toLowerCase();
      }),
  },
  {
    rule: 'CB-18',
    what: 'a process routine that renames the process',
    bad: () =>
      processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo !== null)
          (createInfo as { ImageFileName: string | null }).ImageFileName = 'C:\\other.exe';
      }),
    good: () =>
      processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo?.ImageFileName === 'C:\\other.exe') createInfo.CreationStatus = 0;
      }),
  },
  {
    rule: 'CB-19',
    what: 'a pre-operation callback that gives more access than was asked for',
    bad: () =>
      handleDriver(function beforeHandle(_context, information) {
        information.Parameters.DesiredAccess |= 0x8000_0000;
        return 0;
      }),
    good: () =>
      handleDriver(function beforeHandle(_context, information) {
        information.Parameters.DesiredAccess &= ~PROCESS_ACCESS.TERMINATE;
        return 0;
      }),
  },
  {
    rule: 'CB-20',
    what: 'a pre-operation callback that returns an error to refuse',
    bad: () =>
      handleDriver(function beforeHandle() {
        return 0xc0000022;
      }),
    good: () =>
      handleDriver(function beforeHandle() {
        return 0;
      }),
  },
  {
    rule: 'CB-22',
    what: 'a process routine that stays at APC_LEVEL',
    bad: () =>
      processDriver(function onProcess() {
        KeRaiseIrql(IRQL.APC_LEVEL);
      }),
    good: () =>
      processDriver(function* onProcess() {
        const old = KeRaiseIrql(IRQL.APC_LEVEL);
        yield* KeLowerIrql(old);
      }),
  },
  {
    rule: 'CB-23',
    what: 'a process routine that stays in a critical region',
    bad: () =>
      processDriver(function onProcess() {
        KeEnterCriticalRegion();
      }),
    good: () =>
      processDriver(function* onProcess() {
        KeEnterCriticalRegion();
        yield* KeLeaveCriticalRegion();
      }),
  },
  {
    rule: 'CB-25',
    what: 'a pre-operation callback that opens a process',
    bad: () => {
      let depth = 0;
      return handleDriver(function* beforeHandle() {
        if (depth === 0) {
          depth++;
          yield* openSelf();
          depth--;
        }
        return 0;
      });
    },
    good: () =>
      processDriver(function* onProcess() {
        yield* openSelf();
      }),
  },
  {
    rule: 'CB-27',
    what: 'a driver that was not linked with /INTEGRITYCHECK',
    bad: () => ({
      ...entryDriver(() => PsSetCreateProcessNotifyRoutineEx(() => undefined, false) as never),
      image: { dllCharacteristics: 0 },
    }),
    good: () => processDriver(() => undefined),
  },
  {
    rule: 'CB-29',
    what: 'a process routine that keeps its CreateInfo for later',
    bad: () => {
      let kept: PsCreateNotifyInfo | null = null;
      return processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo === null) kept?.CommandLine?.toLowerCase();
        else kept = createInfo;
      });
    },
    good: () => {
      let kept: string | null = null;
      return processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo === null) kept?.toLowerCase();
        else kept = createInfo.CommandLine;
      });
    },
  },
  {
    rule: 'CB-05',
    what: 'a process routine that sends what it knows to a completion port',
    bad: () =>
      processDriver(function* onProcess() {
        const attributes = { Attributes: OBJ.KERNEL_HANDLE };
        const { handle } = yield* ZwCreateIoCompletion(0x1f0003, attributes, 0);
        yield* ZwSetIoCompletion(handle, 0, 0, 0, 0);
        yield* ZwClose(handle);
      }),
    good: () => processDriver(function* onProcess() {}),
  },
  {
    rule: 'CB-17',
    what: 'a load-image routine that takes every image to have a name',
    bad: () =>
      imageDriver(function onImage(fullImageName) {
        (fullImageName as string).toLowerCase();
      }),
    good: () =>
      imageDriver(function onImage(fullImageName) {
        fullImageName?.toLowerCase();
      }),
  },
  switched('CB-24', 'a thread routine with 20 KB of local variables', (good) =>
    threadDriver(function* onThread() {
      declareStack(good ? 200 : 20_000);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, 0);
    }),
  ),
  {
    rule: 'CB-26',
    what: 'a process routine that goes on as somebody else',
    bad: () =>
      processDriver(function* onProcess() {
        yield* impersonate();
      }),
    good: () =>
      processDriver(function* onProcess() {
        yield* impersonate();
        yield* PsRevertToSelf();
      }),
  },
  {
    rule: 'CB-30',
    what: 'a process routine that ends the process that creates others',
    bad: () =>
      processDriver(function* onProcess(_process, _id, createInfo) {
        if (createInfo !== null) yield* ZwTerminateProcess(-1, 0xc0000022);
      }),
    good: () =>
      processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo?.CommandLine === 'refuse me') createInfo.CreationStatus = 0xc0000022;
      }),
  },
];

function* exclusively(lock: ExPushLock, body: () => Steps): Steps {
  KeEnterCriticalRegion();
  yield* ExAcquirePushLockExclusive(lock);
  yield* body();
  yield* ExReleasePushLockExclusive(lock);
  yield* KeLeaveCriticalRegion();
}

/** Takes a lock when handles are duplicated, and does what `scan` says once it is registered. */
function opener(scan: (lock: ExPushLock) => Steps): DriverOptions {
  const lock = new ExPushLock('table');
  const registered = handleDriver(function* beforeHandle(_context, { Operation }) {
    if (Operation === OB_OPERATION.HANDLE_DUPLICATE) yield* exclusively(lock, function* () {});
    return 0;
  });
  return {
    ...registered,
    *DriverEntry(driverObject, registryPath) {
      const status = registered.DriverEntry(driverObject, registryPath);
      yield* status as Generator<readonly number[], number, number>;
      yield* scan(lock);
      return 0;
    },
  };
}

import { IRQL, MODE } from '../../assembly/shared/types';
import { KEY_ACCESS, ZwOpenKey, ZwQueryValueKey } from '../../src/cm/services';
import { ExAcquireFastMutex, ExReleaseFastMutex, FastMutex } from '../../src/ex/fast-mutex';
import { type FileDevice, ZwCreateFile, ZwFsControlFile } from '../../src/io/file';
import {
  KeEnterGuardedRegion,
  KeLeaveGuardedRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import type { DriverOptions } from '../../src/machine/driver';
import { currentGuest } from '../../src/machine/guest';
import type { KProcess } from '../../src/machine/views';
import { OBJ } from '../../src/ob/attributes';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { Machine } from '../../src/machine/machine';
import { ObOpenObjectByPointer, ZwClose } from '../../src/ob/handle';
import { PsProcessType } from '../../src/ob/types';
import { processManager } from '../../src/ps/manager';
import { ObDereferenceObject, ObReferenceObject } from '../../src/ob/reference';
import { ZwAllocateVirtualMemory, ZwFreeVirtualMemory } from '../../src/ps/memory-services';
import {
  compute,
  createChild,
  inUserProcess,
  queueWork,
  type Steps,
  switched,
  waitFor,
  withUserEvent,
} from './corpus-parts';
import { handleDriver, imageDriver, type Pair, processDriver, threadDriver } from './drivers';

/** More pairs of the rules of callbacks. */

/** A device that has what it is asked for at once. */
const DEVICE: FileDevice = { fsControl: () => 0 };

function* readFile(): Steps {
  const attributes = { Attributes: OBJ.KERNEL_HANDLE };
  const { handle } = yield* ZwCreateFile(0x1f01ff, attributes, DEVICE, 'synchronousNonalert');
  yield* ZwFsControlFile(handle, 0, null, null, {}, 1);
  yield* ZwClose(handle);
}

function* allocateHook(): Steps {
  const made = yield* ZwAllocateVirtualMemory(-1, 0, 0, 4096, 0x3000, 4);
  yield* ZwFreeVirtualMemory(-1, made.baseAddress ?? 0, 0, 0x8000);
}

/** Does something at a level in a thread routine. */
function* at(level: number, body: () => Steps): Steps {
  const old = KeRaiseIrql(level);
  yield* body();
  yield* KeLowerIrql(old);
}

function* closeSomething(): Steps {
  yield* ZwClose(-1);
}

/** Keeps a process that it is told of, and looks at it when that has long ended. */
function keeper(referenced: boolean, look: (process: KProcess) => Steps): DriverOptions {
  let kept: KProcess | undefined;
  const registered = processDriver(function onProcess(process, _id, createInfo) {
    if (kept !== undefined || createInfo?.ImageFileName?.endsWith('child.exe') !== true) return;
    kept = process;
    if (referenced) ObReferenceObject(process);
  });
  return {
    ...registered,
    *DriverUnload(driverObject) {
      yield* registered.DriverUnload?.(driverObject) as Steps;
      if (kept === undefined) return;
      yield* look(kept);
      if (referenced) yield* ObDereferenceObject(kept);
    },
  };
}

/** Looks at the first child, when another process ends: its parent still has a handle to it. */
function exitLooker(referenced: boolean, look: (process: KProcess) => Steps): DriverOptions {
  let kept: KProcess | undefined;
  let looked = false;
  const registered = processDriver(function* onProcess(process, _id, createInfo) {
    if (kept === undefined && createInfo?.ImageFileName?.endsWith('child.exe') === true) {
      kept = process;
      if (referenced) ObReferenceObject(process);
    } else if (kept !== undefined && createInfo !== null && !looked) {
      looked = true;
      yield* look(kept);
    }
  });
  return {
    ...registered,
    *DriverUnload(driverObject) {
      yield* registered.DriverUnload?.(driverObject) as Steps;
      if (referenced && kept !== undefined) yield* ObDereferenceObject(kept);
    },
  };
}

/** A process that makes two more, one after the other, and keeps its handles to the first. */
function twoChildren(machine: Machine): void {
  processManager(machine).createProcess({
    image: 'C:\\Windows\\explorer.exe',
    *main() {
      for (let time = 0; time < 2; time++) {
        yield* createChild();
        yield* KeDelayExecutionThread(MODE.UserMode, false, -100_000);
      }
    },
  });
}

export const CALLBACKS: readonly Pair[] = [
  switched('CB-02', 'a process routine that waits for an event of the process', (good) =>
    processDriver(function* onProcess(_process, _id, createInfo) {
      if (createInfo === null || !inUserProcess()) return;
      yield* withUserEvent(function* (event) {
        yield* waitFor(event, good ? 0 : -100);
      });
    }),
  ),
  switched('CB-02', 'a thread routine that waits for a process that others look after', (good) =>
    threadDriver(function* onThread(_processId, _threadId, create) {
      const { process } = currentGuest('corpus').thread;
      if (!create && process.name.endsWith('child.exe')) yield* waitFor(process, good ? 0 : -100);
    }),
  ),
  switched('CB-03', 'a load-image routine that reads a value', (good) =>
    imageDriver(function* onImage() {
      if (good) return;
      const ObjectName = '\\Registry\\Machine\\Software';
      const { handle } = yield* ZwOpenKey(KEY_ACCESS.READ, { ObjectName });
      yield* ZwQueryValueKey(handle, 'Setting');
      yield* ZwClose(handle);
    }),
  ),
  switched('CB-08', 'a process routine that reads a file', (good) =>
    processDriver(function* onProcess() {
      if (good) yield* queueWork(readFile);
      else yield* readFile();
    }),
  ),
  switched('CB-08', 'a pre-operation callback that reads a file', (good) =>
    handleDriver(function* beforeHandle() {
      if (good) yield* queueWork(readFile);
      else yield* readFile();
      return 0;
    }),
  ),
  switched('CB-11', 'a load-image routine that allocates memory in the process', (good) =>
    imageDriver(function* onImage(_name, processId) {
      if (processId !== 0 && inUserProcess() && !good) yield* allocateHook();
    }),
  ),
  switched('CB-11', 'a load-image routine that frees memory of the process', (good) =>
    imageDriver(function* onImage(_name, processId) {
      if (processId !== 0 && !good) yield* ZwFreeVirtualMemory(-1, 0x7000_0000, 0, 0x8000);
    }),
  ),
  switched('CB-13', 'a load-image routine that reads a file in a guarded region', (good) =>
    imageDriver(function* onImage() {
      KeEnterGuardedRegion();
      if (!good) yield* readFile();
      yield* KeLeaveGuardedRegion();
      if (good) yield* queueWork(readFile);
    }),
  ),
  switched('CB-14', 'a thread routine that closes a handle at APC_LEVEL', (good) =>
    threadDriver(function* onThread() {
      yield* at(good ? IRQL.PASSIVE_LEVEL : IRQL.APC_LEVEL, closeSomething);
    }),
  ),
  switched('CB-14', 'a thread routine that closes a handle with a fast mutex', (good) => {
    const mutex = new FastMutex('table');
    return threadDriver(function* onThread() {
      yield* ExAcquireFastMutex(mutex);
      if (!good) yield* closeSomething();
      yield* ExReleaseFastMutex(mutex);
      if (good) yield* closeSomething();
    });
  }),
  switched(
    'CB-21',
    'a post-operation callback that does not look whether there is a handle',
    (good) => {
      const granted: number[] = [];
      return handleDriver(null, function afterHandle(_context, information) {
        const { ReturnStatus, Parameters } = information;
        if (!good || (ReturnStatus | 0) >= 0) granted.push(Parameters.GrantedAccess);
      });
    },
  ),
  switched('CB-28', 'a process that is kept without a reference', (good) =>
    keeper(good, function* look(process) {
      yield compute(process.signalState);
    }),
  ),
  switched(
    'CB-28',
    'a process that is looked at after its end, while another keeps it',
    (good) =>
      exitLooker(good, function* look(process) {
        yield compute(process.signalState);
      }),
    twoChildren,
  ),
  switched(
    'CB-28',
    'a process that is opened after its end, while another keeps it',
    (good) =>
      exitLooker(good, function* look(process) {
        const kernel = OBJ.KERNEL_HANDLE;
        const opened = yield* ObOpenObjectByPointer(
          process,
          kernel,
          null,
          0x1000,
          PsProcessType,
          0,
        );
        if (opened.handle !== 0) yield* ZwClose(opened.handle);
      }),
    twoChildren,
  ),
  switched('CB-28', 'a process that is referenced when it has gone', (good) =>
    keeper(good, function* look(process) {
      ObReferenceObject(process);
      yield* ObDereferenceObject(process);
    }),
  ),
];

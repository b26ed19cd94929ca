import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { ExAllocatePool2, POOL_FLAG_NON_PAGED, type PoolBlock } from '../../src/ex/pool';
import {
  ExInitializeWorkItem,
  ExQueueWorkItem,
  WORK_QUEUE_TYPE,
  WorkQueueItem,
} from '../../src/ex/worker';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeInitializeDpc, KeInsertQueueDpc } from '../../src/ke/dpc';
import type { DeferredRoutine, GuestResult } from '../../src/machine/dpc';
import type { DriverOptions } from '../../src/machine/driver';
import { currentGuest } from '../../src/machine/guest';
import type { KEvent, KernelObject, KMutant } from '../../src/machine/views';
import { OBJ, type ObjectAttributes } from '../../src/ob/attributes';
import { ObReferenceObjectByHandle, ZwClose } from '../../src/ob/handle';
import { ObDereferenceObject } from '../../src/ob/reference';
import { EVENT_ACCESS, EVENT_TYPE, ZwCreateEvent } from '../../src/ob/services/event';
import { PsProcessType } from '../../src/ob/types';
import { PROCESS_ACCESS, THREAD_ACCESS } from '../../src/ps/access';
import { clientIdOf } from '../../src/ps/cid';
import { NtCreateUserProcess } from '../../src/ps/create-services';
import { ZwOpenProcess } from '../../src/ps/open-services';
import { PsCreateSystemThread } from '../../src/ps/system-thread';
import {
  PsDereferencePrimaryToken,
  PsImpersonateClient,
  PsReferencePrimaryToken,
} from '../../src/ps/token';
import { type Entry, entryDriver, type Pair } from './drivers';

/** What drivers of the corpus are put together of. */

export type Steps<T = void> = Generator<readonly number[], T, number>;

export const machine = () => currentGuest('corpus').machine;
export const compute = (ns: number) => [1, ns, 0];
export const inUserProcess = () =>
  currentGuest('corpus').thread.process !== machine().systemProcess;
export const waitFor = (object: KernelObject, timeout: number | null = null) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);
export const acquire = (mutex: KMutant) => waitFor(mutex);
export const forever = (event: KEvent) => waitFor(event);
export const pool = () => ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, 'Sut1') as PoolBlock;

/** Queues a DPC when it is loaded. */
export function dpcDriver(routine: DeferredRoutine): DriverOptions {
  return entryDriver(function* () {
    yield* KeInsertQueueDpc(KeInitializeDpc(routine, null), null, null);
  });
}

/** Has a worker thread call a routine. */
export function* queueWork(
  routine: () => GuestResult,
  queue = WORK_QUEUE_TYPE.DelayedWorkQueue,
): Steps {
  const item = new WorkQueueItem();
  ExInitializeWorkItem(item, routine, null);
  yield* ExQueueWorkItem(item, queue);
}

/** Queues a work item when it is loaded. */
export function workDriver(routine: () => GuestResult): DriverOptions {
  return entryDriver(() => queueWork(routine));
}

/** Starts a system thread when it is loaded. */
export function systemThreadDriver(routine: () => Steps): DriverOptions {
  return entryDriver(function* () {
    const { handle } = yield* PsCreateSystemThread(0x1f_ffff, null, null, routine, null);
    yield* ZwClose(handle);
  });
}

/** A handle to a new event: one of the kernel's, unless other attributes say otherwise. */
export function* createEvent(
  attributes: ObjectAttributes | null = { Attributes: OBJ.KERNEL_HANDLE },
): Steps<number> {
  const kind = EVENT_TYPE.NotificationEvent;
  return (yield* ZwCreateEvent(EVENT_ACCESS.ALL_ACCESS, attributes, kind, false)).handle;
}

/** Does something with an event whose handle the process at hand has: it is the process's to set. */
export function* withUserEvent(body: (event: KEvent) => Steps): Steps {
  const handle = yield* createEvent(null);
  const { object } = yield* ObReferenceObjectByHandle<KEvent>(handle, 0, null, MODE.KernelMode);
  if (object !== undefined) {
    yield* body(object);
    yield* ObDereferenceObject(object);
  }
  yield* ZwClose(handle);
}

/** Makes a process that ends at once, and keeps the handles. */
export function* createChild(): Steps {
  const access = PROCESS_ACCESS.ALL_ACCESS;
  const child = { imageName: 'C:\\Windows\\child.exe', *main() {} };
  yield* NtCreateUserProcess(access, THREAD_ACCESS.ALL_ACCESS, null, null, 0, 0, null, child);
}

export const PRE_ONLY = {
  Version: 0x100,
  Altitude: '330000',
  RegistrationContext: null,
  OperationRegistration: [
    { ObjectType: PsProcessType, Operations: 1, PreOperation: () => 0, PostOperation: null },
  ],
};

export function* impersonate(): Steps {
  const { thread } = currentGuest('corpus');
  const token = PsReferencePrimaryToken(machine().systemProcess);
  yield* PsImpersonateClient(thread, token, false, false, 2);
  yield* PsDereferencePrimaryToken(token);
}

export const pair = (
  rule: string,
  what: string,
  bad: () => DriverOptions,
  good: () => DriverOptions,
): Pair => ({ rule, what, bad, good });

/** The same driver with a switch. */
export const switched = (
  rule: string,
  what: string,
  driver: (good: boolean) => DriverOptions,
  scenario?: Pair['scenario'],
): Pair => ({
  rule,
  what,
  bad: () => driver(false),
  good: () => driver(true),
  ...(scenario === undefined ? {} : { scenario }),
});

/** The same of a driver that does nothing but what is given for its entry. */
export const entries = (rule: string, what: string, entry: (good: boolean) => ReturnType<Entry>) =>
  switched(rule, what, (good) => entryDriver(() => entry(good)));

/** Opens the process at hand. */
export function* openSelf() {
  const { thread } = currentGuest('corpus');
  const { handle } = yield* ZwOpenProcess(
    PROCESS_ACCESS.QUERY_LIMITED_INFORMATION,
    {},
    {
      UniqueProcess: clientIdOf(thread).UniqueProcess,
      UniqueThread: 0,
    },
  );
  if (handle !== 0) yield* ZwClose(handle);
}

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
import type { KEvent, KMutant } from '../../src/machine/views';
import { OBJ } from '../../src/ob/attributes';
import { ZwClose } from '../../src/ob/handle';
import { EVENT_ACCESS, EVENT_TYPE, ZwCreateEvent } from '../../src/ob/services/event';
import { PsProcessType } from '../../src/ob/types';
import { PROCESS_ACCESS } from '../../src/ps/access';
import { clientIdOf } from '../../src/ps/cid';
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
export const acquire = (mutex: KMutant) =>
  KeWaitForSingleObject(mutex, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
export const forever = (event: KEvent) =>
  KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
export const pool = () => ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, 'Sut1') as PoolBlock;

/** Queues a DPC when it is loaded. */
export function dpcDriver(routine: DeferredRoutine): DriverOptions {
  return entryDriver(function* () {
    yield* KeInsertQueueDpc(KeInitializeDpc(routine, null), null, null);
  });
}

/** Queues a work item when it is loaded. */
export function workDriver(routine: () => GuestResult): DriverOptions {
  return entryDriver(function* () {
    const item = new WorkQueueItem();
    ExInitializeWorkItem(item, routine, null);
    yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
  });
}

/** Starts a system thread when it is loaded. */
export function systemThreadDriver(routine: () => Steps): DriverOptions {
  return entryDriver(function* () {
    const { handle } = yield* PsCreateSystemThread(0x1f_ffff, null, null, routine, null);
    yield* ZwClose(handle);
  });
}

export function* createEvent(): Steps<number> {
  const attributes = { Attributes: OBJ.KERNEL_HANDLE };
  const made = yield* ZwCreateEvent(
    EVENT_ACCESS.ALL_ACCESS,
    attributes,
    EVENT_TYPE.NotificationEvent,
    false,
  );
  return made.handle;
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
export const entries = (
  rule: string,
  what: string,
  entry: (good: boolean) => Entry,
  unload?: Entry,
) =>
  pair(
    rule,
    what,
    () => entryDriver(entry(false), unload),
    () => entryDriver(entry(true), unload),
  );

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

import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { ddiTime } from '../ke/mode';
import type { GuestResult } from '../machine/dpc';
import { DeviceObject, IoObject } from '../machine/driver';
import { currentGuest, driverOf, NtCall, type Request } from '../machine/guest';
import {
  queueItem,
  type WORK_QUEUE_TYPE,
  WORKER_INVALID,
  type WorkItemCall,
  WorkQueueItem,
  workerInvalid,
} from './worker';
import { Kept } from '../machine/watch';

/**
 * Work items of drivers: while one is queued or runs, its device or driver object is referred to, so
 * that the driver is not unloaded.
 */

/** IO_WORKITEM_ROUTINE: called in a system worker thread at PASSIVE_LEVEL. */
export type IoWorkItemRoutine = (deviceObject: DeviceObject, context: unknown) => GuestResult;

/** IO_WORKITEM_ROUTINE_EX. */
export type IoWorkItemRoutineEx = (
  ioObject: IoObject,
  context: unknown,
  ioWorkItem: IoWorkItem,
) => GuestResult;

/** IO_WORKITEM: storage for IoInitializeWorkItem, and what IoAllocateWorkItem gives. */
export class IoWorkItem {
  /** @internal */ ioObject: IoObject | undefined;
  /** @internal */ readonly item = new WorkQueueItem();
}

/** sizeof(IO_WORKITEM) on x64. */
const IO_WORKITEM_BYTES = 0x58;

function initialize(routine: string, ioObject: IoObject, ioWorkItem: IoWorkItem): void {
  const { machine } = currentGuest(routine);
  if (!(ioObject instanceof IoObject)) {
    const message = `${routine}: the object is no driver or device object`;
    const numbers = [machine.drivers.addressOf(ioWorkItem), machine.drivers.numberOf(ioObject)];
    workerInvalid(machine, message, WORKER_INVALID.InvalidObject, ...numbers);
  }
  ioWorkItem.item.driver = driverOf(routine);
  ioWorkItem.ioObject = ioObject;
}

/**
 * Allocates a work item for a device or driver.
 *
 * @returns the item; Windows gives NULL if it is out of memory.
 * @irql at most DISPATCH_LEVEL   @nt IoAllocateWorkItem
 */
export function IoAllocateWorkItem(deviceObject: IoObject): IoWorkItem {
  const routine = 'IoAllocateWorkItem';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const ioWorkItem = new IoWorkItem();
  initialize(routine, deviceObject, ioWorkItem);
  deviceObject.machine.watcher?.takes(Kept.Storage, ioWorkItem, 'a work item');
  return ioWorkItem;
}

/** Makes a work item of storage of the driver's own. @irql any @nt IoInitializeWorkItem */
export function IoInitializeWorkItem(ioObject: IoObject, ioWorkItem: IoWorkItem): void {
  initialize('IoInitializeWorkItem', ioObject, ioWorkItem);
}

/** @returns bytes of the storage that IoInitializeWorkItem needs. @irql any @nt IoSizeofWorkItem */
export function IoSizeofWorkItem(): number {
  return IO_WORKITEM_BYTES;
}

function giveUp(routine: string, ioWorkItem: IoWorkItem): void {
  const { machine } = currentGuest(routine);
  const { item } = ioWorkItem;
  if (item.queued) {
    const message = `${routine}: the work item is queued; wait until its routine is called`;
    const numbers = [machine.drivers.addressOf(item), machine.drivers.numberOf(item.call?.routine)];
    workerInvalid(machine, message, WORKER_INVALID.QueuedIoItemFreed, ...numbers);
  }
  ioWorkItem.ioObject = undefined;
  machine.watcher?.returns(ioWorkItem);
}

/** Frees a work item that is not queued: its routine may. One that is queued is bugcheck WORKER_INVALID. @irql at most DISPATCH_LEVEL @nt IoFreeWorkItem */
export function IoFreeWorkItem(ioWorkItem: IoWorkItem): void {
  requireIrql('IoFreeWorkItem', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  giveUp('IoFreeWorkItem', ioWorkItem);
}

/** The same of one that IoInitializeWorkItem made. @irql any @nt IoUninitializeWorkItem */
export function IoUninitializeWorkItem(ioWorkItem: IoWorkItem): void {
  giveUp('IoUninitializeWorkItem', ioWorkItem);
}

function* queue(
  routine: string,
  ioWorkItem: IoWorkItem,
  queueType: WORK_QUEUE_TYPE,
  called: WorkItemCall['routine'],
  context: unknown,
  parametersOf: (ioObject: IoObject) => readonly unknown[],
): Generator<Request, void, number> {
  const { item, ioObject } = ioWorkItem;
  if (ioObject === undefined) {
    const { machine } = currentGuest(routine);
    const message = `${routine}: the work item is not initialized, or was freed`;
    const address = machine.drivers.addressOf(item);
    workerInvalid(machine, message, WORKER_INVALID.InvalidObject, address);
  }
  yield* queueItem(routine, item, queueType, {
    routine: called,
    parameters: parametersOf(ioObject),
    parameter: context,
    ioObject,
  });
}

/**
 * Queues a work item of a device: a worker thread calls `workerRoutine` with the device and `context`,
 * later. The item is out of the queue by then, so the routine may free it or queue it again; the device
 * is referred to until it has returned. Drivers use DelayedWorkQueue.
 *
 * An item that is queued, freed or of a driver object, an invalid type or routine is bugcheck
 * WORKER_INVALID.
 *
 * @irql at most DISPATCH_LEVEL   @nt IoQueueWorkItem
 */
export function IoQueueWorkItem(
  ioWorkItem: IoWorkItem,
  workerRoutine: IoWorkItemRoutine,
  queueType: WORK_QUEUE_TYPE,
  context: unknown,
): NtCall<void> {
  const routine = 'IoQueueWorkItem';
  return new NtCall(routine, () =>
    queueDevice(routine, ioWorkItem, workerRoutine, queueType, context),
  );
}

function queueDevice(
  routine: string,
  ioWorkItem: IoWorkItem,
  workerRoutine: IoWorkItemRoutine,
  queueType: WORK_QUEUE_TYPE,
  context: unknown,
): Generator<Request, void, number> {
  const { ioObject } = ioWorkItem;
  if (ioObject !== undefined && !(ioObject instanceof DeviceObject)) {
    const { machine } = currentGuest(routine);
    const numbers = [
      machine.drivers.addressOf(ioWorkItem.item),
      machine.drivers.addressOf(ioObject),
    ];
    const message = `${routine}: the work item is of a driver object; use IoQueueWorkItemEx`;
    workerInvalid(machine, message, WORKER_INVALID.InvalidObject, ...numbers);
  }
  const called = workerRoutine as WorkItemCall['routine'];
  return queue(routine, ioWorkItem, queueType, called, context, (object) => [object, context]);
}

/**
 * The same for a work item of a device or driver, whose routine gets the item too.
 *
 * @irql at most DISPATCH_LEVEL   @nt IoQueueWorkItemEx
 */
export function IoQueueWorkItemEx(
  ioWorkItem: IoWorkItem,
  workerRoutine: IoWorkItemRoutineEx,
  queueType: WORK_QUEUE_TYPE,
  context: unknown,
): NtCall<void> {
  const routine = 'IoQueueWorkItemEx';
  const called = workerRoutine as WorkItemCall['routine'];
  return new NtCall(routine, () =>
    queue(routine, ioWorkItem, queueType, called, context, (object) => [
      object,
      context,
      ioWorkItem,
    ]),
  );
}

/**
 * The same as IoQueueWorkItem, unless the item is queued.
 *
 * @returns FALSE if it is.
 * @irql at most DISPATCH_LEVEL   @nt IoTryQueueWorkItem
 */
export function IoTryQueueWorkItem(
  ioWorkItem: IoWorkItem,
  workerRoutine: IoWorkItemRoutine,
  queueType: WORK_QUEUE_TYPE,
  context: unknown,
): NtCall<boolean> {
  const routine = 'IoTryQueueWorkItem';
  return new NtCall(routine, () =>
    tryQueueWorkItem(routine, ioWorkItem, workerRoutine, queueType, context),
  );
}

function* tryQueueWorkItem(
  routine: string,
  ioWorkItem: IoWorkItem,
  workerRoutine: IoWorkItemRoutine,
  queueType: WORK_QUEUE_TYPE,
  context: unknown,
): Generator<Request, boolean, number> {
  if (ioWorkItem.item.queued) {
    requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
    yield ddiTime(currentGuest(routine).machine);
    return false;
  }
  yield* queueDevice(routine, ioWorkItem, workerRoutine, queueType, context);
  return true;
}

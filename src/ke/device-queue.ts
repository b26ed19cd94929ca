import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { IRQL } from '../../assembly/shared/types';
import { NtCall } from '../machine/guest';
import { requireInteger } from '../machine/profile';
import { HOST_ROUTINE, requireIrql, stopGuest, VIOLATION } from './call';
import type { KernelCode } from './mode';

/**
 * Device queues: what waits for a device while that is busy. The first to come finds it free and makes
 * it busy without being put in.
 */

/** KDEVICE_QUEUE_ENTRY; `record` is what it is part of: CONTAINING_RECORD. */
export class DeviceQueueEntry<T = unknown> {
  SortKey = 0;
  Inserted = false;

  constructor(readonly record?: T) {}
}

/** KOBJECTS of device queues, and sizeof(KDEVICE_QUEUE). */
const DEVICE_QUEUE_OBJECT = 20;
const DEVICE_QUEUE_BYTES = 0x28;

/** KDEVICE_QUEUE: storage for KeInitializeDeviceQueue. */
export class DeviceQueue<T = unknown> {
  Type = 0;
  Size = 0;
  Busy = false;
  /** @internal */ readonly list: DeviceQueueEntry<T>[] = [];

  /** Those that wait, in order. */
  get entries(): readonly DeviceQueueEntry<T>[] {
    return this.list;
  }
}

/** Makes a queue whose device is free. @irql at most DISPATCH_LEVEL @nt KeInitializeDeviceQueue */
export function KeInitializeDeviceQueue(deviceQueue: DeviceQueue): void {
  requireIrql('KeInitializeDeviceQueue', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  deviceQueue.Type = DEVICE_QUEUE_OBJECT;
  deviceQueue.Size = DEVICE_QUEUE_BYTES;
  deviceQueue.Busy = false;
  deviceQueue.list.length = 0;
}

/** A routine that takes the time of one and needs DISPATCH_LEVEL, or that and less. */
function queueCall<R>(routine: string, lowest: IRQL, use: () => R): NtCall<R> {
  return new NtCall(routine, function* (): KernelCode<R> {
    requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL, lowest);
    const result = use();
    yield HOST_ROUTINE;
    return result;
  });
}

/** Puts an entry at a place, unless the device was free. */
function insert<T>(queue: DeviceQueue<T>, entry: DeviceQueueEntry<T>, place: number): boolean {
  entry.Inserted = queue.Busy;
  if (queue.Busy) queue.list.splice(place, 0, entry);
  queue.Busy = true;
  return entry.Inserted;
}

/**
 * Puts an entry at the end.
 *
 * @returns FALSE if the device was free: it is busy now, and the caller starts it.
 * @irql DISPATCH_LEVEL   @nt KeInsertDeviceQueue
 */
export function KeInsertDeviceQueue<T>(
  deviceQueue: DeviceQueue<T>,
  deviceQueueEntry: DeviceQueueEntry<T>,
): NtCall<boolean> {
  return queueCall('KeInsertDeviceQueue', IRQL.DISPATCH_LEVEL, () =>
    insert(deviceQueue, deviceQueueEntry, deviceQueue.list.length),
  );
}

/** The same behind those whose key is not above `sortKey`. @returns likewise. @irql DISPATCH_LEVEL @nt KeInsertByKeyDeviceQueue */
export function KeInsertByKeyDeviceQueue<T>(
  deviceQueue: DeviceQueue<T>,
  deviceQueueEntry: DeviceQueueEntry<T>,
  sortKey: number,
): NtCall<boolean> {
  const routine = 'KeInsertByKeyDeviceQueue';
  requireInteger(`${routine}: sortKey`, sortKey, 0, 0xffff_ffff);
  return queueCall(routine, IRQL.DISPATCH_LEVEL, () => {
    const above = deviceQueue.list.findIndex(({ SortKey }) => SortKey > sortKey);
    deviceQueueEntry.SortKey = sortKey;
    return insert(deviceQueue, deviceQueueEntry, above === -1 ? deviceQueue.list.length : above);
  });
}

/** Takes the entry at a place out; none: the device is free again. */
function remove<T>(
  routine: string,
  queue: DeviceQueue<T>,
  place: number,
): DeviceQueueEntry<T> | null {
  if (!queue.Busy) {
    const message = 'the device is not busy; remove only after an insertion has made it so';
    stopGuest(routine, message, BUGCHECK.DEVICE_QUEUE_NOT_BUSY);
  }
  const [entry] = queue.list.splice(place, 1);
  if (entry === undefined) {
    queue.Busy = false;
    return null;
  }
  entry.Inserted = false;
  return entry;
}

/**
 * Takes the first entry out.
 *
 * @returns it; NULL if there is none: the device is free again. One that was not busy is bugcheck
 *   DEVICE_QUEUE_NOT_BUSY.
 * @irql DISPATCH_LEVEL   @nt KeRemoveDeviceQueue
 */
export function KeRemoveDeviceQueue<T>(
  deviceQueue: DeviceQueue<T>,
): NtCall<DeviceQueueEntry<T> | null> {
  const routine = 'KeRemoveDeviceQueue';
  return queueCall(routine, IRQL.DISPATCH_LEVEL, () => remove(routine, deviceQueue, 0));
}

/** Takes the first entry out whose key is `sortKey` or more, else the first of all. @returns likewise. @irql DISPATCH_LEVEL @nt KeRemoveByKeyDeviceQueue */
export function KeRemoveByKeyDeviceQueue<T>(
  deviceQueue: DeviceQueue<T>,
  sortKey: number,
): NtCall<DeviceQueueEntry<T> | null> {
  const routine = 'KeRemoveByKeyDeviceQueue';
  return queueCall(routine, IRQL.DISPATCH_LEVEL, () => {
    const place = deviceQueue.list.findIndex(({ SortKey }) => SortKey >= sortKey);
    return remove(routine, deviceQueue, Math.max(place, 0));
  });
}

/** Takes an entry out, wherever it is. @returns FALSE if it is not in the queue. @irql at most DISPATCH_LEVEL @nt KeRemoveEntryDeviceQueue */
export function KeRemoveEntryDeviceQueue<T>(
  deviceQueue: DeviceQueue<T>,
  deviceQueueEntry: DeviceQueueEntry<T>,
): NtCall<boolean> {
  return queueCall('KeRemoveEntryDeviceQueue', IRQL.PASSIVE_LEVEL, () => {
    const place = deviceQueue.list.indexOf(deviceQueueEntry);
    if (place === -1) return false;
    deviceQueue.list.splice(place, 1);
    deviceQueueEntry.Inserted = false;
    return true;
  });
}

import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { type IoRequest, NtCancelIoFile, NtCreateFile, NtFsControlFile } from '../../src/io/file';
import {
  DeviceQueue,
  DeviceQueueEntry,
  KeInitializeDeviceQueue,
  KeInsertByKeyDeviceQueue,
  KeInsertDeviceQueue,
  KeRemoveByKeyDeviceQueue,
  KeRemoveDeviceQueue,
  KeRemoveEntryDeviceQueue,
} from '../../src/ke/device-queue';
import { KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { Machine } from '../../src/machine/machine';
import { callGuest, runGuest } from './guest';

type Entries = readonly DeviceQueueEntry[];

function newEntries(count: number): DeviceQueueEntry[] {
  return Array.from({ length: count }, (_, key) => {
    const entry = new DeviceQueueEntry(key);
    entry.SortKey = key;
    return entry;
  });
}

const recordsOf = (entries: Entries) => entries.map(({ record }) => record);

/** A queue that is initialized, at DISPATCH_LEVEL. */
async function atDispatch(
  use: (
    queue: DeviceQueue,
    note: (what: unknown) => void,
  ) => Generator<readonly number[], void, number>,
): Promise<unknown[]> {
  const seen: unknown[] = [];
  await runGuest(function* () {
    const queue = new DeviceQueue();
    KeInitializeDeviceQueue(queue);
    const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    yield* use(queue, (what) => seen.push(what));
    yield* KeLowerIrql(old);
  });
  return seen;
}

test('ke.devqueue-001: KeInitializeDeviceQueue makes a queue whose device is free', async () => {
  const value = await callGuest(() => {
    const queue = new DeviceQueue();
    queue.Busy = true;
    KeInitializeDeviceQueue(queue);
    const { Busy, Size, Type } = queue;
    return { Busy, Size, Type };
  });
  expect(value).toEqual({ Busy: false, Size: 0x28, Type: 20 });
});

test('ke.devqueue-002: the first KeInsertDeviceQueue makes the device busy alone, the others put their entries in', async () => {
  const seen = await atDispatch(function* (queue, note) {
    const first = new DeviceQueueEntry();
    note([yield* KeInsertDeviceQueue(queue, first), first.Inserted, queue.Busy]);
    const entries = newEntries(5);
    for (const entry of entries) yield* KeInsertDeviceQueue(queue, entry);
    note(entries.map(({ Inserted, SortKey }) => [Inserted, SortKey]));
    note([recordsOf(queue.entries), queue.Size]);
  });
  expect(seen).toEqual([
    [false, false, true],
    [
      [true, 0],
      [true, 1],
      [true, 2],
      [true, 3],
      [true, 4],
    ],
    [[0, 1, 2, 3, 4], 0x28],
  ]);
});

test('ke.devqueue-003: KeRemoveDeviceQueue takes entries out in order; NULL makes the device free', async () => {
  const seen = await atDispatch(function* (queue, note) {
    yield* KeInsertDeviceQueue(queue, new DeviceQueueEntry());
    const entries = newEntries(5);
    for (const entry of entries) yield* KeInsertDeviceQueue(queue, entry);
    for (const entry of entries) {
      const removed = yield* KeRemoveDeviceQueue(queue);
      note([removed === entry, entry.Inserted, queue.entries.length, queue.Busy]);
    }
    note([yield* KeRemoveDeviceQueue(queue), queue.Busy]);
  });
  expect(seen).toEqual([
    [true, false, 4, true],
    [true, false, 3, true],
    [true, false, 2, true],
    [true, false, 1, true],
    [true, false, 0, true],
    [null, false],
  ]);
});

test('ke.devqueue-004: KeRemoveEntryDeviceQueue takes out an entry that is in the queue, once', async () => {
  const seen = await atDispatch(function* (queue, note) {
    const entries = newEntries(5);
    for (const entry of entries) yield* KeInsertDeviceQueue(queue, entry);
    const [, one, , three] = entries as [
      DeviceQueueEntry,
      DeviceQueueEntry,
      DeviceQueueEntry,
      DeviceQueueEntry,
    ];
    note([
      yield* KeRemoveEntryDeviceQueue(queue, one),
      yield* KeRemoveEntryDeviceQueue(queue, three),
    ]);
    note(recordsOf(queue.entries));
    note([
      yield* KeRemoveEntryDeviceQueue(queue, one),
      yield* KeRemoveEntryDeviceQueue(queue, three),
    ]);
  });
  expect(seen).toEqual([
    [true, true],
    [2, 4],
    [false, false],
  ]);
});

test('ke.devqueue-007: a request that is cancelled stays in its device queue', async () => {
  const seen: unknown[] = [];
  await runGuest(function* () {
    const queue = new DeviceQueue<IoRequest>();
    KeInitializeDeviceQueue(queue);
    const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    yield* KeInsertDeviceQueue(queue, new DeviceQueueEntry<IoRequest>());
    yield* KeLowerIrql(old);
    const device = {
      *fsControl(request: IoRequest) {
        const before = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        yield* KeInsertDeviceQueue(queue, new DeviceQueueEntry(request));
        yield* KeLowerIrql(before);
        return STATUS.PENDING;
      },
      *cancel(request: IoRequest) {
        seen.push(['cancel', queue.entries.length]);
        yield* request.complete(STATUS.CANCELLED);
      },
    };
    const { handle } = yield* NtCreateFile(0x1f01ff, null, device, 'asynchronous');
    const block: { status?: number } = {};
    yield* NtFsControlFile(handle, 0, null, null, block, 0);
    yield* NtCancelIoFile(handle, {});
    const again = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    const entry = yield* KeRemoveDeviceQueue(queue);
    yield* KeLowerIrql(again);
    seen.push([entry?.record?.completed, block.status]);
  });
  expect(seen).toEqual([
    ['cancel', 1],
    [true, STATUS.CANCELLED],
  ]);
});

test('KeInsertByKeyDeviceQueue keeps the queue in the order of keys, KeRemoveByKeyDeviceQueue begins at a key', async () => {
  const seen = await atDispatch(function* (queue, note) {
    yield* KeInsertDeviceQueue(queue, new DeviceQueueEntry());
    for (const key of [3, 1, 2, 1]) {
      yield* KeInsertByKeyDeviceQueue(queue, new DeviceQueueEntry(queue.entries.length), key);
    }
    note([recordsOf(queue.entries), queue.entries.map(({ SortKey }) => SortKey)]);
    note((yield* KeRemoveByKeyDeviceQueue(queue, 2))?.SortKey);
    note((yield* KeRemoveByKeyDeviceQueue(queue, 9))?.record);
    note(queue.entries.length);
  });
  expect(seen).toEqual([
    [
      [1, 3, 2, 0],
      [1, 1, 2, 3],
    ],
    2,
    1,
    2,
  ]);
});

test('KeRemoveDeviceQueue of a device that is free is bugcheck DEVICE_QUEUE_NOT_BUSY', async () => {
  const machine = await Machine.create();
  machine.systemProcess.createThread(function* () {
    const queue = new DeviceQueue();
    KeInitializeDeviceQueue(queue);
    KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    yield* KeRemoveDeviceQueue(queue);
  });
  expect(machine.run()).toMatchObject({ reason: 'bugcheck', name: 'DEVICE_QUEUE_NOT_BUSY' });
});

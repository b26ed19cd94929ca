import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import { KeResetEvent, KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import type { KEvent } from '../../src/machine/views';
import { ACCESS } from '../../src/ob/access';
import { OBJ } from '../../src/ob/attributes';
import { ObReferenceObjectByHandle, ZwClose } from '../../src/ob/handle';
import { IoCreateSynchronizationEvent } from '../../src/ob/io-event';
import { ObCreateObject, ObInsertObject } from '../../src/ob/namespace';
import { HostObject } from '../../src/ob/object';
import { ObDereferenceObject } from '../../src/ob/reference';
import {
  EVENT_ACCESS,
  EVENT_TYPE,
  NtCreateEvent,
  NtResetEvent,
  ZwCreateEvent,
  ZwSetEvent,
} from '../../src/ob/services/event';
import {
  NtSignalAndWaitForSingleObject,
  NtWaitForMultipleObjects,
  NtWaitForSingleObject,
  ZwWaitForSingleObject,
} from '../../src/ob/services/wait';
import { ExEventObjectType, IoFileObjectType } from '../../src/ob/types';
import { runKernel, runUser } from './user';

const ALL = EVENT_ACCESS.ALL_ACCESS;
const NOTIFICATION = EVENT_TYPE.NotificationEvent;
const SYNCHRONIZATION = EVENT_TYPE.SynchronizationEvent;

/** KeWaitForSingleObject that does not wait. */
const poll = (event: KEvent) =>
  KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, 0);

test('ke.event-012: a handle and what it refers to are one event', async () => {
  const value = await runKernel(function* () {
    const kernel = { Attributes: OBJ.KERNEL_HANDLE };
    const { handle } = yield* ZwCreateEvent(ACCESS.SYNCHRONIZE, kernel, NOTIFICATION, true);
    const reference = yield* ObReferenceObjectByHandle<KEvent>(
      handle,
      ACCESS.SYNCHRONIZE,
      ExEventObjectType,
      MODE.KernelMode,
    );
    const event = reference.object as KEvent;
    const seen = [yield* poll(event), event.signalState];
    yield* KeResetEvent(event);
    seen.push(yield* poll(event), yield* ZwWaitForSingleObject(handle, false, 0));
    yield* KeSetEvent(event, 0, false);
    seen.push(yield* poll(event), yield* ZwWaitForSingleObject(handle, false, 0));
    yield* ObDereferenceObject(event);
    yield* ZwClose(handle);
    return seen;
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    1,
    STATUS.TIMEOUT,
    STATUS.TIMEOUT,
    STATUS.SUCCESS,
    STATUS.SUCCESS,
  ]);
});

test('ke.wait-011: NtSignalAndWaitForSingleObject needs both handles', async () => {
  const value = await runUser(function* () {
    const { handle } = yield* NtCreateEvent(ALL, null, NOTIFICATION, true);
    return [
      yield* NtSignalAndWaitForSingleObject(0, 0, false, 0),
      yield* NtSignalAndWaitForSingleObject(handle, 0, false, 0),
      yield* NtSignalAndWaitForSingleObject(0, handle, false, 0),
    ];
  });
  expect(value).toEqual([STATUS.INVALID_HANDLE, STATUS.INVALID_HANDLE, STATUS.INVALID_HANDLE]);
});

test('ke.wait-012: NtSignalAndWaitForSingleObject signals before it waits', async () => {
  const value = await runUser(function* () {
    const { handle: e0 } = yield* NtCreateEvent(ALL, null, SYNCHRONIZATION, false);
    const { handle: e1 } = yield* NtCreateEvent(ALL, null, NOTIFICATION, true);
    const first = yield* NtSignalAndWaitForSingleObject(e0, e1, false, 0);
    const own = new Set<number>();
    for (let round = 0; round < 10_000; round++) {
      own.add(yield* NtSignalAndWaitForSingleObject(e0, e0, false, 0));
    }
    const alone = yield* NtWaitForSingleObject(e0, false, 0);
    yield* NtResetEvent(e1);
    return [first, own, alone, yield* NtSignalAndWaitForSingleObject(e0, e1, false, 0)];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    new Set([STATUS.SUCCESS]),
    STATUS.TIMEOUT,
    STATUS.TIMEOUT,
  ]);
});

const PSEUDO = [-1, -2, -3, -4, -5, -6] as const;
const TYPES = [WAIT_TYPE.WaitAny, WAIT_TYPE.WaitAll] as const;
const COUNTS = [1, 64] as const;
const CASES = PSEUDO.flatMap((handle) =>
  TYPES.flatMap((type) =>
    COUNTS.flatMap((count) => [
      [handle, type, count, 0] as const,
      [handle, type, count, count - 1] as const,
    ]),
  ),
);

test.each(
  CASES,
)('ke.wait-017: NtWaitForMultipleObjects refuses pseudo handle %i (wait type %i, %i handles, at %i)', async (pseudo, type, count, at) => {
  const value = await runUser(function* () {
    const handles: number[] = [];
    for (let index = 0; index < count; index++) {
      handles.push((yield* NtCreateEvent(ALL, null, SYNCHRONIZATION, true)).handle);
    }
    const waited = handles.with(at, pseudo);
    const status = yield* NtWaitForMultipleObjects(waited, type, false, 0);
    const left = new Set<number>();
    for (const handle of handles) left.add(yield* NtWaitForSingleObject(handle, false, 0));
    return [status, left];
  });
  expect(value).toEqual([STATUS.INVALID_HANDLE, new Set([STATUS.SUCCESS])]);
});

test('NtWaitForMultipleObjects checks how many, how and which before it waits', async () => {
  const value = await runUser(function* () {
    const { handle } = yield* NtCreateEvent(ALL, null, NOTIFICATION, true);
    const modify = yield* NtCreateEvent(EVENT_ACCESS.MODIFY_STATE, null, NOTIFICATION, true);
    return [
      yield* NtWaitForMultipleObjects([], WAIT_TYPE.WaitAny, false, 0),
      yield* NtWaitForMultipleObjects(new Array(65).fill(handle), WAIT_TYPE.WaitAny, false, 0),
      yield* NtWaitForMultipleObjects([handle], 2 as WAIT_TYPE, false, 0),
      yield* NtWaitForMultipleObjects([handle, handle], WAIT_TYPE.WaitAll, false, 0),
      yield* NtWaitForMultipleObjects([handle, handle], WAIT_TYPE.WaitAny, false, 0),
      yield* NtWaitForMultipleObjects([handle, modify.handle], WAIT_TYPE.WaitAny, false, 0),
    ];
  });
  expect(value).toEqual([
    STATUS.INVALID_PARAMETER_1,
    STATUS.INVALID_PARAMETER_1,
    STATUS.INVALID_PARAMETER_3,
    STATUS.INVALID_PARAMETER_MIX,
    STATUS.WAIT_0,
    STATUS.ACCESS_DENIED,
  ]);
});

class File extends HostObject {}

test('ke.wait-013: NtSignalAndWaitForSingleObject cannot signal a file', async () => {
  const value = await runKernel(function* (_process, machine) {
    const file = new File(machine);
    yield* ObCreateObject(MODE.KernelMode, IoFileObjectType, null, file);
    const { handle } = yield* ObInsertObject(file, ACCESS.GENERIC_ALL);
    const event = yield* NtCreateEvent(ALL, null, NOTIFICATION, true);
    return yield* NtSignalAndWaitForSingleObject(handle, event.handle, false, 0);
  });
  expect(value).toBe(STATUS.OBJECT_TYPE_MISMATCH);
});

test('ke.event-013: a synchronization event of IoCreateSynchronizationEvent begins signaled', async () => {
  const value = await runKernel(function* () {
    const { event, eventHandle } = yield* IoCreateSynchronizationEvent(null);
    if (event === null) return undefined;
    const seen = [yield* poll(event)];
    yield* KeResetEvent(event);
    seen.push(yield* poll(event), yield* ZwWaitForSingleObject(eventHandle, false, 0));
    yield* ZwSetEvent(eventHandle);
    seen.push(yield* poll(event), yield* ZwWaitForSingleObject(eventHandle, false, 0));
    yield* KeSetEvent(event, 0, false);
    seen.push(yield* ZwWaitForSingleObject(eventHandle, false, 0), yield* poll(event));
    yield* ZwClose(eventHandle);
    return [seen, event.exists];
  });
  const [SUCCESS, TIMEOUT] = [STATUS.SUCCESS, STATUS.TIMEOUT];
  expect(value).toEqual([[SUCCESS, TIMEOUT, TIMEOUT, SUCCESS, TIMEOUT, SUCCESS, TIMEOUT], false]);
});

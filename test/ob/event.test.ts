import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeResetEvent, KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import type { KEvent } from '../../src/machine/views';
import { ACCESS } from '../../src/ob/access';
import { OBJ } from '../../src/ob/attributes';
import { NtClose, ObReferenceObjectByHandle, ZwClose } from '../../src/ob/handle';
import { ObDereferenceObject } from '../../src/ob/reference';
import {
  EVENT_ACCESS,
  EVENT_INFORMATION_CLASS,
  EVENT_TYPE,
  NtCreateEvent,
  NtOpenEvent,
  NtPulseEvent,
  NtQueryEvent,
  NtResetEvent,
  NtSetEvent,
  NtSetEventBoostPriority,
} from '../../src/ob/services/event';
import { ExEventObjectType } from '../../src/ob/types';
import { runGuest } from '../ke/guest';
import { objectRows } from './user';

const NOTIFICATION = EVENT_TYPE.NotificationEvent;
const SYNCHRONIZATION = EVENT_TYPE.SynchronizationEvent;
const BASIC = EVENT_INFORMATION_CLASS.EventBasicInformation;

test('ke.event-014: NtCreateEvent refuses a type that is none, and NtQueryEvent tells type and state', async () => {
  const { value } = await runGuest(function* () {
    const named = { ObjectName: '\\BaseNamedObjects\\event' };
    const bad = yield* NtCreateEvent(ACCESS.GENERIC_ALL, named, 2 as EVENT_TYPE, false);
    const { status, handle } = yield* NtCreateEvent(ACCESS.GENERIC_ALL, named, NOTIFICATION, false);
    return [bad, status, yield* NtQueryEvent(handle, BASIC, 8)];
  });
  expect(value).toEqual([
    { status: STATUS.INVALID_PARAMETER, handle: 0 },
    STATUS.SUCCESS,
    { status: STATUS.SUCCESS, returnLength: 8, EventType: 0, EventState: 0 },
  ]);
});

test('ke.event-018: NtCreateEvent of type 2 is STATUS_INVALID_PARAMETER', async () => {
  const { value } = await runGuest(function* () {
    return yield* NtCreateEvent(EVENT_ACCESS.ALL_ACCESS, null, 2 as EVENT_TYPE, false);
  });
  expect(value).toEqual({ status: STATUS.INVALID_PARAMETER, handle: 0 });
});

test('ke.event-015: a named event outlives its first handle while it has a second', async () => {
  const { value } = await runGuest(function* () {
    const named = { ObjectName: '\\BaseNamedObjects\\event' };
    const first = yield* NtCreateEvent(EVENT_ACCESS.ALL_ACCESS, named, SYNCHRONIZATION, false);
    const pulsed = yield* NtPulseEvent(first.handle);
    const query = yield* NtQueryEvent(first.handle, BASIC, 8);
    const second = yield* NtOpenEvent(EVENT_ACCESS.ALL_ACCESS, named);
    const closed = yield* NtClose(first.handle);
    const after = yield* NtQueryEvent(second.handle, BASIC, 8);
    return [first.status, pulsed, query, second.status, closed, after];
  });
  const state = { status: STATUS.SUCCESS, returnLength: 8, EventType: 1, EventState: 0 };
  expect(value).toEqual([
    STATUS.SUCCESS,
    { status: STATUS.SUCCESS, previousState: 0 },
    state,
    STATUS.SUCCESS,
    STATUS.SUCCESS,
    state,
  ]);
});

test('ke.event-016: NtSetEvent, NtResetEvent and NtPulseEvent give the state before', async () => {
  const { value } = await runGuest(function* () {
    const { handle } = yield* NtCreateEvent(EVENT_ACCESS.ALL_ACCESS, null, SYNCHRONIZATION, false);
    const states: unknown[] = [];
    states.push((yield* NtSetEvent(handle)).previousState);
    states.push((yield* NtQueryEvent(handle, BASIC, 8)).EventState);
    states.push((yield* NtSetEvent(handle)).previousState);
    states.push((yield* NtResetEvent(handle)).previousState);
    states.push((yield* NtResetEvent(handle)).previousState);
    states.push((yield* NtPulseEvent(handle)).previousState);
    states.push((yield* NtSetEvent(handle)).previousState);
    states.push((yield* NtPulseEvent(handle)).previousState);
    states.push((yield* NtQueryEvent(handle, BASIC, 8)).EventState);
    return states;
  });
  expect(value).toEqual([0, 1, 1, 1, 0, 0, 0, 1, 0]);
});

test('ke.event-017: NtSetEventBoostPriority signals a synchronization event', async () => {
  const { value } = await runGuest(function* () {
    const { handle } = yield* NtCreateEvent(EVENT_ACCESS.ALL_ACCESS, null, SYNCHRONIZATION, false);
    const status = yield* NtSetEventBoostPriority(handle);
    return [status, (yield* NtQueryEvent(handle, BASIC, 8)).EventState];
  });
  expect(value).toEqual([STATUS.SUCCESS, 1]);
});

test('a handle and its object count back to the start', async () => {
  const { machine, value } = await runGuest(function* () {
    const attributes = { Attributes: OBJ.KERNEL_HANDLE };
    const { handle } = yield* NtCreateEvent(ACCESS.SYNCHRONIZE, attributes, NOTIFICATION, true);
    const { object } = yield* ObReferenceObjectByHandle<KEvent>(
      handle,
      ACCESS.SYNCHRONIZE,
      ExEventObjectType,
      MODE.KernelMode,
    );
    const event = object as KEvent;
    yield* KeResetEvent(event);
    yield* KeSetEvent(event, 0, false);
    const waited = yield* KeWaitForSingleObject(
      event,
      KWAIT_REASON.Executive,
      MODE.KernelMode,
      false,
      0,
    );
    const closed = yield* ZwClose(handle);
    const left = [yield* ObDereferenceObject(event), event.exists];
    return [handle, waited, closed, left];
  });
  expect(value).toEqual([-2147483644, STATUS.SUCCESS, STATUS.SUCCESS, [0, false]]);
  expect(objectRows(machine)).toBe(0);
});

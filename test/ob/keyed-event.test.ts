import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { ACCESS } from '../../src/ob/access';
import { OBJ } from '../../src/ob/attributes';
import { EVENT_TYPE, NtCreateEvent, NtPulseEvent } from '../../src/ob/services/event';
import {
  KEYEDEVENT_ACCESS,
  NtCreateKeyedEvent,
  NtOpenKeyedEvent,
  NtReleaseKeyedEvent,
  NtWaitForKeyedEvent,
} from '../../src/ob/services/keyed-event';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { objectRows, runUser } from './user';

const ALL = KEYEDEVENT_ACCESS.ALL_ACCESS;
const SHORT = -100_000;
const NAMED = { ObjectName: '\\BaseNamedObjects\\keyed' };

test('ex.keyedevent-001: both sides of a keyed event wait for the other, and check the key first', async () => {
  const value = await runUser(function* (_process, machine) {
    const { handle } = yield* NtCreateKeyedEvent(ALL | ACCESS.SYNCHRONIZE, NAMED, 0);
    const single = yield* NtWaitForSingleObject(handle, false, SHORT);
    const rows = objectRows(machine);
    const both = function* (of: number, key: number) {
      return [
        yield* NtWaitForKeyedEvent(of, key, false, SHORT),
        yield* NtReleaseKeyedEvent(of, key, false, SHORT),
      ];
    };
    return [
      single,
      yield* both(handle, 255),
      yield* both(handle, 254),
      yield* both(handle, 0),
      yield* both(0, 8),
      yield* both(0xdeadbeef, 9),
      yield* both(0xdeadbeef, 8),
      objectRows(machine) - rows,
    ];
  });
  const twice = (status: number) => [status, status];
  expect(value).toEqual([
    STATUS.SUCCESS,
    twice(STATUS.INVALID_PARAMETER_1),
    twice(STATUS.TIMEOUT),
    twice(STATUS.TIMEOUT),
    twice(STATUS.TIMEOUT),
    twice(STATUS.INVALID_PARAMETER_1),
    twice(STATUS.INVALID_HANDLE),
    0,
  ]);
});

test('ex.keyedevent-002: two threads meet at their key, whoever comes first', async () => {
  const value = await runUser(function* (process) {
    const { handle } = yield* NtCreateKeyedEvent(ALL, null, 0);
    const statuses = { first: new Set<number>(), second: new Set<number>() };
    process.createThread(
      function* () {
        for (let round = 0; round < 20; round++) {
          const side = round % 2 === 0 ? NtReleaseKeyedEvent : NtWaitForKeyedEvent;
          statuses.second.add(yield* side(handle, round * 2, false, null));
        }
        statuses.second.add(yield* NtReleaseKeyedEvent(handle, 0x1234, false, null));
      },
      { userMode: true },
    );
    for (let round = 0; round < 20; round++) {
      const side = round % 2 === 0 ? NtWaitForKeyedEvent : NtReleaseKeyedEvent;
      statuses.first.add(yield* side(handle, round * 2, false, null));
    }
    return [
      yield* NtWaitForKeyedEvent(handle, 0x1234, false, null),
      yield* NtWaitForKeyedEvent(handle, 0x5678, false, SHORT),
      yield* NtReleaseKeyedEvent(handle, 0x9abc, false, SHORT),
      statuses,
    ];
  });
  const good = new Set([STATUS.SUCCESS]);
  expect(value).toEqual([
    STATUS.SUCCESS,
    STATUS.TIMEOUT,
    STATUS.TIMEOUT,
    { first: good, second: good },
  ]);
});

test('ex.keyedevent-003: waiting and waking take a right each', async () => {
  const value = await runUser(function* () {
    yield* NtCreateKeyedEvent(ALL, NAMED, 0);
    const results: unknown[] = [];
    for (const access of [
      KEYEDEVENT_ACCESS.WAIT,
      KEYEDEVENT_ACCESS.WAKE,
      ALL,
      ACCESS.GENERIC_READ,
      ACCESS.GENERIC_WRITE,
    ]) {
      const { handle } = yield* NtOpenKeyedEvent(access, NAMED);
      results.push([
        yield* NtWaitForKeyedEvent(handle, 8, false, SHORT),
        yield* NtReleaseKeyedEvent(handle, 8, false, SHORT),
        yield* NtWaitForSingleObject(handle, false, 0),
      ]);
    }
    return results;
  });
  const [timeout, denied] = [STATUS.TIMEOUT, STATUS.ACCESS_DENIED];
  expect(value).toEqual([
    [timeout, denied, denied],
    [denied, timeout, denied],
    [timeout, timeout, denied],
    [timeout, denied, denied],
    [denied, timeout, denied],
  ]);
});

test('ex.keyedevent-004: a keyed event is no event, nor the other way round', async () => {
  const value = await runUser(function* () {
    const { handle } = yield* NtCreateKeyedEvent(ALL, NAMED, 0);
    const type = EVENT_TYPE.NotificationEvent;
    const event = yield* NtCreateEvent(0x1f0003, null, type, false);
    const openIf = { ...NAMED, Attributes: OBJ.OPENIF };
    return [
      (yield* NtPulseEvent(handle)).status,
      (yield* NtCreateEvent(0x1f0003, NAMED, type, false)).status,
      (yield* NtCreateEvent(0x1f0003, openIf, type, false)).status,
      yield* NtWaitForKeyedEvent(event.handle, 8, false, SHORT),
      yield* NtReleaseKeyedEvent(event.handle, 8, false, SHORT),
    ];
  });
  const mismatch = STATUS.OBJECT_TYPE_MISMATCH;
  expect(value).toEqual([mismatch, mismatch, mismatch, mismatch, mismatch]);
});

test('keys of one process are not those of another', async () => {
  const value = await runUser(function* (_process, machine) {
    yield* NtCreateKeyedEvent(ALL, NAMED, 0);
    const other = machine.createProcess();
    let there: number | undefined;
    other.createThread(
      function* () {
        const { handle } = yield* NtOpenKeyedEvent(ALL, NAMED);
        there = yield* NtReleaseKeyedEvent(handle, 8, false, -1_000_000);
      },
      { userMode: true },
    );
    const { handle } = yield* NtOpenKeyedEvent(ALL, NAMED);
    const here = yield* NtWaitForKeyedEvent(handle, 8, false, -2_000_000);
    return [here, there];
  });
  expect(value).toEqual([STATUS.TIMEOUT, STATUS.TIMEOUT]);
});

test('of several that wait for one key each is let go on by a release of its own, in order', async () => {
  const order: string[] = [];
  const value = await runUser(function* (process) {
    const { handle } = yield* NtCreateKeyedEvent(ALL, null, 0);
    for (const name of ['first', 'second']) {
      process.createThread(
        function* () {
          yield* NtWaitForKeyedEvent(handle, 2, false, null);
          order.push(name);
        },
        { userMode: true },
      );
    }
    yield* KeDelayExecutionThread(MODE.UserMode, false, SHORT);
    return [
      yield* NtReleaseKeyedEvent(handle, 2, false, SHORT),
      yield* NtReleaseKeyedEvent(handle, 2, false, SHORT),
      yield* NtReleaseKeyedEvent(handle, 2, false, SHORT),
    ];
  });
  expect([value, order]).toEqual([
    [STATUS.SUCCESS, STATUS.SUCCESS, STATUS.TIMEOUT],
    ['first', 'second'],
  ]);
});

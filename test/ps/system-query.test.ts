import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { OBJ } from '../../src/ob/attributes';
import { NtClose } from '../../src/ob/handle';
import { NtSetInformationObject, OBJECT_INFORMATION_CLASS } from '../../src/ob/query';
import { EVENT_ACCESS, EVENT_TYPE, NtCreateEvent } from '../../src/ob/services/event';
import { processIdOfRow } from '../../src/ps/cid';
import { SYSTEM_INFORMATION_CLASS } from '../../src/ps/system-class';
import { NtQuerySystemInformation } from '../../src/ps/system-query';
import { runUser } from '../ob/user';

const FLAGS = OBJECT_INFORMATION_CLASS.ObjectHandleFlagInformation;
const PLAIN = SYSTEM_INFORMATION_CLASS.SystemHandleInformation;
const EXTENDED = SYSTEM_INFORMATION_CLASS.SystemExtendedHandleInformation;

/** An event whose handle is inherited and protected. */
function* newEvent() {
  const inherit = { Attributes: OBJ.INHERIT };
  const access = EVENT_ACCESS.ALL_ACCESS;
  const { handle } = yield* NtCreateEvent(access, inherit, EVENT_TYPE.NotificationEvent, false);
  yield* NtSetInformationObject(handle, FLAGS, { Inherit: true, ProtectFromClose: true }, 2);
  return handle;
}

test('ob.handle-012: SystemHandleInformation shows a handle with its flags, until it is closed', async () => {
  const value = await runUser(function* (process) {
    const handle = yield* newEvent();
    const before = yield* NtQuerySystemInformation(PLAIN, 1000);
    yield* NtSetInformationObject(handle, FLAGS, { Inherit: true, ProtectFromClose: false }, 2);
    yield* NtClose(handle);
    const after = yield* NtQuerySystemInformation(PLAIN, 1000);
    const nowhere = yield* NtQuerySystemInformation(PLAIN, { length: 1000, address: 0 });
    const entry = before.Handles?.[0];
    return [
      before.status,
      before.NumberOfHandles,
      entry?.UniqueProcessId === processIdOfRow(process.index),
      entry?.HandleValue === handle,
      entry?.HandleAttributes,
      after.NumberOfHandles,
      nowhere.status,
    ];
  });
  expect(value).toEqual([
    STATUS.SUCCESS,
    1,
    true,
    true,
    OBJ.INHERIT | OBJ.PROTECT_CLOSE,
    0,
    STATUS.ACCESS_VIOLATION,
  ]);
});

test('ob.handle-013: SystemExtendedHandleInformation tells how much room the handles take', async () => {
  const value = await runUser(function* () {
    const handle = yield* newEvent();
    const small = yield* NtQuerySystemInformation(EXTENDED, 20);
    const full = yield* NtQuerySystemInformation(EXTENDED, small.returnLength ?? 0);
    const entry = full.Handles?.[0];
    const shown = [entry?.GrantedAccess, entry?.HandleAttributes, entry?.HandleValue === handle];
    return [small, full.status, full.returnLength, ...shown];
  });
  expect(value).toEqual([
    { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 56 },
    STATUS.SUCCESS,
    56,
    EVENT_ACCESS.ALL_ACCESS,
    OBJ.INHERIT | OBJ.PROTECT_CLOSE,
    true,
  ]);
});

import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { SE_PRIVILEGE, SE_PRIVILEGE_ATTRIBUTE } from '../../src/ob/privilege';
import {
  NtSetSystemInformation,
  SYSTEM_SET_CLASS,
  type SystemTimeAdjustment,
} from '../../src/ps/system-set';
import { assignAccount } from '../../src/ps/token';
import { runUser } from './user';

const PLAIN: SystemTimeAdjustment = { TimeAdjustment: 156_250, Enable: false };

const adjust = (adjustment: SystemTimeAdjustment, length = 8) =>
  NtSetSystemInformation(SYSTEM_SET_CLASS.SystemTimeAdjustmentInformation, adjustment, length);

test('ke.timer-011: the time adjustment needs a privilege, is never 0, and goes back to the time increment', async () => {
  const { seen } = await runUser(function* (_, note, thread) {
    const token = assignAccount(thread.process, 'administrator');
    note(yield* adjust(PLAIN));
    token.setPrivilege(SE_PRIVILEGE.SYSTEMTIME, SE_PRIVILEGE_ATTRIBUTE.ENABLED);
    note(yield* adjust(PLAIN, 4));
    note(yield* adjust({ TimeAdjustment: 0, Enable: false }));
    note(yield* adjust({ TimeAdjustment: 0, Enable: true }));
    note(yield* adjust(PLAIN));
  });
  expect(seen).toEqual([
    STATUS.PRIVILEGE_NOT_HELD,
    STATUS.INFO_LENGTH_MISMATCH,
    STATUS.INTEGER_DIVIDE_BY_ZERO,
    STATUS.SUCCESS,
    STATUS.SUCCESS,
  ]);
});

test('a time adjustment that is not modelled is STATUS_NOT_IMPLEMENTED, and so says what is not done', async () => {
  const { seen } = await runUser(function* (_, note, thread) {
    const token = assignAccount(thread.process, 'administrator');
    token.setPrivilege(SE_PRIVILEGE.SYSTEMTIME, SE_PRIVILEGE_ATTRIBUTE.ENABLED);
    note(yield* adjust({ TimeAdjustment: 156_251, Enable: false }));
    note(yield* NtSetSystemInformation(-1 as SYSTEM_SET_CLASS, PLAIN, 8));
  });
  expect(seen).toEqual([STATUS.NOT_IMPLEMENTED, STATUS.INVALID_INFO_CLASS]);
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE, PRIORITY_CLASS } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { NtYieldExecution } from '../../src/ke/time';
import { currentGuest } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KProcess, KThread } from '../../src/machine/views';
import { OBJ } from '../../src/ob/attributes';
import { NtClose, ObOpenObjectByPointer } from '../../src/ob/handle';
import { SE_PRIVILEGE, SID } from '../../src/ob/privilege';
import { ObDereferenceObject, ObDereferenceObjectDeferDelete } from '../../src/ob/reference';
import { SeSinglePrivilegeCheck } from '../../src/ob/security';
import { objectManager } from '../../src/ob/state';
import { SECURITY_IMPERSONATION_LEVEL, TOKEN_TYPE, type Token } from '../../src/ob/token';
import { PsProcessType, PsThreadType, SeTokenObjectType } from '../../src/ob/types';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { NtCreateUserProcess } from '../../src/ps/create-services';
import { processManager } from '../../src/ps/manager';
import { THREADINFOCLASS } from '../../src/ps/information-class';
import { NtSetInformationThread } from '../../src/ps/thread-set';
import {
  assignAccount,
  inheritToken,
  PsDereferenceImpersonationToken,
  PsDereferencePrimaryToken,
  PsImpersonateClient,
  PsReferenceImpersonationToken,
  PsReferencePrimaryToken,
  PsRevertToSelf,
  TOKEN_ACCESS,
} from '../../src/ps/token';
import { FILTER_TOKEN, NtAdjustPrivilegesToken, SeFilterToken } from '../../src/ps/token-adjust';
import { NtQueryInformationToken, TOKEN_INFORMATION_CLASS } from '../../src/ps/token-query';
import {
  NtDuplicateToken,
  NtImpersonateAnonymousToken,
  NtOpenProcessToken,
  NtOpenProcessTokenEx,
  NtOpenThreadToken,
  NtOpenThreadTokenEx,
  ZwOpenProcessTokenEx,
} from '../../src/ps/token-services';
import { callGuest, runGuest } from '../ke/guest';
import { runUser } from './user';

const PROCESS = -1;
const SELF = -2;
const BAD = 0xdead;
const UNMAPPED = { address: 0xdeadbee0 };
const READ = TOKEN_ACCESS.READ;
const ALL = TOKEN_ACCESS.ALL_ACCESS;
const ALL_ACCESS = 0x1fffff;
const TOKEN = THREADINFOCLASS.ThreadImpersonationToken;
const IMPERSONATION = SECURITY_IMPERSONATION_LEVEL.SecurityImpersonation;
const IDENTIFICATION = SECURITY_IMPERSONATION_LEVEL.SecurityIdentification;
const ANONYMOUS = SECURITY_IMPERSONATION_LEVEL.SecurityAnonymous;

/** RtlImpersonateSelf. */
function* impersonateSelf(impersonationLevel = IMPERSONATION) {
  const { handle } = yield* NtOpenProcessToken(PROCESS, TOKEN_ACCESS.DUPLICATE);
  const type = TOKEN_TYPE.TokenImpersonation;
  const copy = yield* NtDuplicateToken(handle, 4, { impersonationLevel }, false, type);
  const status = yield* NtSetInformationThread(SELF, TOKEN, copy.handle, 8);
  yield* NtClose(copy.handle);
  yield* NtClose(handle);
  return status;
}

function* open(thread: KThread, access: number) {
  const { handle } = yield* ObOpenObjectByPointer(thread, 0, null, access, PsThreadType, 0);
  return handle;
}

function* openProcess(process: KProcess, access: number) {
  const { handle } = yield* ObOpenObjectByPointer(process, 0, null, access, PsProcessType, 0);
  return handle;
}

describe('NtOpenThreadToken', () => {
  test('ps.token-001: a thread has a token only while it impersonates, and the handle is one of the user’s', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtOpenThreadToken(SELF, READ, true));
      note(yield* impersonateSelf());
      note((yield* NtOpenThreadToken(SELF, READ, false)).status);
      note((yield* NtOpenThreadToken(SELF, READ, true)).status);
      const { status, handle } = yield* NtOpenThreadTokenEx(SELF, READ, true, OBJ.KERNEL_HANDLE);
      note([status, handle > 0]);
      note(yield* NtSetInformationThread(SELF, TOKEN, 0, 8));
      note((yield* NtOpenThreadToken(SELF, READ, true)).status);
    });
    expect(seen).toEqual([
      { status: STATUS.NO_TOKEN, handle: 0 },
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      [STATUS.SUCCESS, true],
      STATUS.SUCCESS,
      STATUS.NO_TOKEN,
    ]);
  });

  test('an anonymous level cannot be opened, and who only knows whom it impersonates must open as itself', async () => {
    const { seen } = await runUser(function* (_, note) {
      yield* impersonateSelf(ANONYMOUS);
      note((yield* NtOpenThreadToken(SELF, READ, true)).status);
      yield* impersonateSelf(IDENTIFICATION);
      note((yield* NtOpenThreadToken(SELF, READ, false)).status);
      note((yield* NtOpenThreadToken(SELF, READ, true)).status);
    });
    expect(seen).toEqual([
      STATUS.CANT_OPEN_ANONYMOUS,
      STATUS.BAD_IMPERSONATION_LEVEL,
      STATUS.SUCCESS,
    ]);
  });
});

describe('NtImpersonateAnonymousToken', () => {
  test('ps.token-002: needs a handle with THREAD_IMPERSONATE', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      note(yield* NtImpersonateAnonymousToken(0));
      note(yield* NtImpersonateAnonymousToken(yield* open(thread, 0x100)));
      note(yield* NtImpersonateAnonymousToken(yield* open(thread, 0x100000)));
      const { token, impersonationLevel } = PsReferenceImpersonationToken(thread);
      note([token?.user, impersonationLevel]);
      yield* PsDereferenceImpersonationToken(token);
    });
    expect(seen).toEqual([
      STATUS.INVALID_HANDLE,
      STATUS.SUCCESS,
      STATUS.ACCESS_DENIED,
      [SID.Anonymous, IMPERSONATION],
    ]);
  });
});

describe('NtOpenProcessToken', () => {
  test('ps.token-004: a bad pointer for the handle is found first; a bad handle leaves NULL', async () => {
    const { seen } = await runUser(function* (_, note) {
      const token = yield* NtOpenProcessToken(PROCESS, ALL);
      note((yield* NtOpenProcessToken(PROCESS, ALL, UNMAPPED)).status);
      note((yield* NtOpenThreadToken(SELF, ALL, true, UNMAPPED)).status);
      note(yield* NtOpenProcessToken(BAD, ALL));
      note(yield* NtOpenThreadToken(BAD, ALL, true));
      note((yield* NtDuplicateToken(token.handle, 0, null, false, 1, UNMAPPED)).status);
      note(yield* NtDuplicateToken(BAD, 0, null, false, 1));
    });
    const none = { status: STATUS.INVALID_HANDLE, handle: 0 };
    expect(seen).toEqual([
      STATUS.ACCESS_VIOLATION,
      STATUS.ACCESS_VIOLATION,
      none,
      none,
      STATUS.ACCESS_VIOLATION,
      none,
    ]);
  });

  test('ps.token-006: of user mode OBJ_KERNEL_HANDLE does not count', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtOpenProcessToken(PROCESS, READ)).status);
      const { status, handle } = yield* NtOpenProcessTokenEx(PROCESS, READ, OBJ.KERNEL_HANDLE);
      note([status, handle > 0]);
    });
    expect(seen).toEqual([STATUS.SUCCESS, [STATUS.SUCCESS, true]]);
  });

  test('kernel mode must ask for a kernel handle, and a process handle needs PROCESS_QUERY_INFORMATION', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      note((yield* ZwOpenProcessTokenEx(PROCESS, READ, 0)).status);
      const { status, handle } = yield* ZwOpenProcessTokenEx(PROCESS, READ, OBJ.KERNEL_HANDLE);
      note([status, handle < 0]);
      note((yield* NtOpenProcessToken(yield* openProcess(thread.process, 0x100000), READ)).status);
      note((yield* NtOpenProcessToken(yield* open(thread, 0x1fffff), READ)).status);
    });
    expect(seen).toEqual([
      STATUS.INVALID_PARAMETER,
      [STATUS.SUCCESS, true],
      STATUS.ACCESS_DENIED,
      STATUS.OBJECT_TYPE_MISMATCH,
    ]);
  });

  test('a process has one token, however often it is opened', async () => {
    const { seen, machine } = await runUser(function* (machine, note) {
      const first = yield* NtOpenProcessToken(PROCESS, READ);
      const second = yield* NtOpenProcessToken(PROCESS, READ);
      note(objectManager(machine).statistics(SeTokenObjectType).objects);
      yield* NtClose(first.handle);
      yield* NtClose(second.handle);
    });
    expect(seen).toEqual([1]);
    expect(objectManager(machine).statistics(SeTokenObjectType).handles).toBe(0);
  });
});

describe('NtDuplicateToken', () => {
  test('an impersonation token gets no higher level, and becomes a primary one from SecurityImpersonation on', async () => {
    const { seen } = await runUser(function* (_, note) {
      const { handle } = yield* NtOpenProcessToken(PROCESS, ALL);
      const copy = (from: number, impersonationLevel: SECURITY_IMPERSONATION_LEVEL, type: number) =>
        NtDuplicateToken(from, 0, { impersonationLevel }, false, type);
      const identification = yield* copy(handle, IDENTIFICATION, 2);
      note((yield* copy(identification.handle, IDENTIFICATION, 2)).status);
      note((yield* copy(identification.handle, IMPERSONATION, 2)).status);
      note((yield* copy(identification.handle, ANONYMOUS, 1)).status);
      note((yield* copy(handle, ANONYMOUS, 3)).status);
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.BAD_IMPERSONATION_LEVEL,
      STATUS.BAD_IMPERSONATION_LEVEL,
      STATUS.INVALID_PARAMETER,
    ]);
  });
});

describe('NtAdjustPrivilegesToken', () => {
  const enabled = { Luid: SE_PRIVILEGE.DEBUG, Attributes: 2 };

  test('enables what the token has, tells what that was, and says when it lacks some', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      assignAccount(thread.process, 'administrator');
      const { handle } = yield* NtOpenProcessToken(PROCESS, ALL);
      note(SeSinglePrivilegeCheck(SE_PRIVILEGE.DEBUG, MODE.UserMode));
      note(yield* NtAdjustPrivilegesToken(handle, false, [enabled], 100));
      note(SeSinglePrivilegeCheck(SE_PRIVILEGE.DEBUG, MODE.UserMode));
      const tcb = { Luid: SE_PRIVILEGE.TCB, Attributes: 2 };
      note((yield* NtAdjustPrivilegesToken(handle, false, [tcb], 0)).status);
      note((yield* NtAdjustPrivilegesToken(handle, true, null, 0)).status);
      note(SeSinglePrivilegeCheck(SE_PRIVILEGE.CHANGE_NOTIFY, MODE.UserMode));
      note(
        (yield* NtAdjustPrivilegesToken(handle, false, [{ ...enabled, Attributes: 4 }], 0)).status,
      );
      note((yield* NtAdjustPrivilegesToken(handle, false, [enabled], 0)).status);
    });
    expect(seen).toEqual([
      false,
      {
        status: STATUS.SUCCESS,
        previousState: [{ Luid: SE_PRIVILEGE.DEBUG, Attributes: 0 }],
        returnLength: 16,
      },
      true,
      STATUS.NOT_ALL_ASSIGNED,
      STATUS.SUCCESS,
      false,
      STATUS.SUCCESS,
      STATUS.NOT_ALL_ASSIGNED,
    ]);
  });

  test('changes nothing if what was there does not fit, without TOKEN_ADJUST_PRIVILEGES, or without a state', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      assignAccount(thread.process, 'administrator');
      const { handle } = yield* NtOpenProcessToken(PROCESS, ALL);
      const weak = yield* NtOpenProcessToken(PROCESS, READ);
      note(yield* NtAdjustPrivilegesToken(handle, false, [enabled], 15));
      note((yield* NtAdjustPrivilegesToken(weak.handle, false, [enabled], 0)).status);
      note((yield* NtAdjustPrivilegesToken(handle, false, null, 0)).status);
      note(SeSinglePrivilegeCheck(SE_PRIVILEGE.DEBUG, MODE.UserMode));
    });
    expect(seen).toEqual([
      { status: STATUS.BUFFER_TOO_SMALL, previousState: undefined, returnLength: 16 },
      STATUS.ACCESS_DENIED,
      STATUS.INVALID_PARAMETER,
      false,
    ]);
  });
});

describe('NtQueryInformationToken', () => {
  test('tells user, type, privileges and statistics, and how many bytes each takes', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      assignAccount(thread.process, 'system');
      const { handle } = yield* NtOpenProcessToken(PROCESS, READ);
      note(yield* NtQueryInformationToken(handle, TOKEN_INFORMATION_CLASS.TokenUser, 0));
      note(yield* NtQueryInformationToken(handle, TOKEN_INFORMATION_CLASS.TokenUser, 28));
      note(yield* NtQueryInformationToken(handle, TOKEN_INFORMATION_CLASS.TokenType, 4));
      note((yield* NtQueryInformationToken(handle, 9, 4)).status);
      const { Groups } = yield* NtQueryInformationToken(handle, 2, 1000);
      note(Groups?.at(-1));
      note((yield* NtQueryInformationToken(handle, 3, 0)).returnLength);
      note((yield* NtQueryInformationToken(handle, 10, 56)).AuthenticationId);
      note((yield* NtQueryInformationToken(handle, 20, 4)).TokenIsElevated);
      note((yield* NtQueryInformationToken(handle, 99, 4)).status);
      note((yield* NtQueryInformationToken(handle, 5, 4)).status);
    });
    expect(seen).toEqual([
      { status: STATUS.BUFFER_TOO_SMALL, returnLength: 28 },
      { status: STATUS.SUCCESS, returnLength: 28, User: { Sid: 'S-1-5-18', Attributes: 0 } },
      { status: STATUS.SUCCESS, returnLength: 4, TokenType: TOKEN_TYPE.TokenPrimary },
      STATUS.INVALID_PARAMETER,
      { Sid: 'S-1-16-16384', Attributes: 0x60 },
      424,
      0x3e7,
      1,
      STATUS.INVALID_INFO_CLASS,
      STATUS.NOT_IMPLEMENTED,
    ]);
  });
});

describe('PsReferencePrimaryToken', () => {
  test('gives the token of System to system threads; each reference is given back', async () => {
    const { value } = await runGuest(function* (machine) {
      const token = PsReferencePrimaryToken(machine.systemProcess);
      const again = PsReferencePrimaryToken(machine.systemProcess);
      yield* PsDereferencePrimaryToken(again);
      yield* PsDereferencePrimaryToken(token);
      return [token === again, token.user, token.holds(SE_PRIVILEGE.TCB)];
    });
    expect(value).toEqual([true, SID.LocalSystem, true]);
  });

  test('a reference too many given back is bugcheck REFERENCE_BY_POINTER', async () => {
    const result = await runUser(function* (_, __, thread) {
      const token = PsReferencePrimaryToken(thread.process);
      yield* PsDereferencePrimaryToken(token);
      yield* PsDereferencePrimaryToken(token);
      yield* PsDereferencePrimaryToken(token);
    }).catch((error: Error) => error.message);
    expect(result).toMatch(/dereferenced more often than referenced/);
  });

  test('a child has a copy of what its parent has become', async () => {
    const value = await callGuest((machine) => {
      const parent = machine.createProcess();
      const plain = machine.createProcess({ parent });
      inheritToken(parent, plain);
      assignAccount(parent, 'administrator').setPrivilege(SE_PRIVILEGE.DEBUG, 2);
      const child = machine.createProcess({ parent });
      inheritToken(parent, child);
      const token = PsReferencePrimaryToken(child);
      const own = PsReferencePrimaryToken(parent);
      return [
        PsReferencePrimaryToken(plain).isAdministrator,
        token.holds(SE_PRIVILEGE.DEBUG),
        token.tokenId === own.tokenId,
        token.authenticationId === own.authenticationId,
      ];
    });
    expect(value).toEqual([false, true, false, true]);
  });
});

describe('the token of a new process', () => {
  /** What is told of a process that ends at once, made by a parent that is an administrator's. */
  async function childOf(make: (parent: KProcess) => void) {
    const machine = await Machine.create();
    const ps = processManager(machine);
    const seen: unknown[] = [];
    const note = () => {
      const { process } = currentGuest('test').thread;
      const token = PsReferencePrimaryToken(process);
      seen.push(token.isAdministrator);
      ObDereferenceObjectDeferDelete(token);
    };
    const parent = machine.createProcess({ name: 'parent' });
    assignAccount(parent, 'administrator');
    ps.images.describe('C:\\child.exe', {
      main: function* () {
        yield* NtYieldExecution();
        note();
      },
    });
    make(parent);
    machine.run();
    return { seen };
  }

  const create = (machine: Machine, options: { parent?: KProcess }) =>
    processManager(machine).createProcess({ image: 'C:\\child.exe', ...options });

  test('is a copy of its parent’s', async () => {
    const { seen } = await childOf((parent) => create(parent.machine, { parent }));
    expect(seen).toEqual([true]);
  });

  test('of an embedder’s without a parent is an ordinary user’s', async () => {
    const { seen } = await childOf((parent) => create(parent.machine, {}));
    expect(seen).toEqual([false]);
  });

  test('goes with the process, and so does the token of a program’s child', async () => {
    const machine = await Machine.create();
    const parent = machine.createProcess({ name: 'parent' });
    assignAccount(parent, 'administrator');
    const tokens = () => objectManager(machine).statistics(SeTokenObjectType).objects;
    const child = machine.loadProgram(program('child', (p) => p.compute(1)));
    const seen = [tokens()];
    machine.onHostCall(1, () => void seen.push(tokens()));
    parent.createThread(
      machine.loadProgram(
        program('main', (p) => {
          const made = p.register();
          p.createProcess(made, child, PRIORITY_CLASS.Normal).hostCall(1).wait(made).delay(1e6);
        }),
      ),
    );
    machine.run();
    seen.push(tokens());
    expect(seen).toEqual([1, 2, 0]);
  });

  test('stays with a process that has ended while somebody has a handle to it', async () => {
    const { seen } = await runUser(function* (machine, note, thread) {
      assignAccount(thread.process, 'administrator');
      processManager(machine).images.describe('C:\\child.exe', { main: function* () {} });
      const attributes = { imageName: 'C:\\child.exe' };
      const { processHandle, threadHandle } = yield* NtCreateUserProcess(
        ...([ALL_ACCESS, ALL_ACCESS, null, null, 0, 0, null, attributes] as const),
      );
      yield* NtWaitForSingleObject(processHandle, false, null);
      const token = yield* NtOpenProcessToken(processHandle, ALL);
      note(token.status);
      yield* NtClose(token.handle);
      const tokens = () => objectManager(machine).statistics(SeTokenObjectType).objects;
      note(tokens());
      yield* NtClose(threadHandle);
      yield* NtClose(processHandle);
      note(tokens());
    });
    expect(seen).toEqual([STATUS.SUCCESS, 2, 1]);
  });
});

test('a thread that ends while it impersonates gives the token back', async () => {
  const machine = await Machine.create();
  const tokens = () => objectManager(machine).statistics(SeTokenObjectType).objects;
  const seen: number[] = [];
  const process = machine.createProcess({ name: 'server' });
  const keeper = machine.createEvent('notification');
  process.createThread(function* () {
    yield* KeWaitForSingleObject(keeper, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
  });
  process.createThread(
    function* () {
      yield* impersonateSelf();
      seen.push(tokens());
    },
    { userMode: true },
  );
  machine.run();
  seen.push(tokens());
  expect(seen).toEqual([2, 1]);
});

describe('PsImpersonateClient', () => {
  /** An impersonation token of another account. */
  function client(thread: KThread, account: 'administrator' | 'user'): Token {
    const process = thread.machine.createProcess();
    assignAccount(process, account);
    return PsReferencePrimaryToken(process).duplicate(2, IMPERSONATION, false);
  }

  test('gives who may not act as others a copy that only tells who the client is', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      const token = client(thread, 'administrator');
      note(yield* PsImpersonateClient(thread, token, false, false, IMPERSONATION));
      const limited = PsReferenceImpersonationToken(thread);
      note([limited.token === token, limited.token?.user === token.user]);
      note(limited.impersonationLevel);
      note(SeSinglePrivilegeCheck(SE_PRIVILEGE.IMPERSONATE, MODE.UserMode));
      yield* PsDereferenceImpersonationToken(limited.token);
      note(yield* PsImpersonateClient(thread, null, false, false, ANONYMOUS));
      note(PsReferenceImpersonationToken(thread).token);
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      [false, true],
      IDENTIFICATION,
      false,
      STATUS.SUCCESS,
      null,
    ]);
  });

  test('lets the holder of SeImpersonatePrivilege act with the client’s privileges; the old token loses its reference', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      assignAccount(thread.process, 'system');
      const token = client(thread, 'user');
      note(SeSinglePrivilegeCheck(SE_PRIVILEGE.DEBUG, MODE.UserMode));
      note(yield* PsImpersonateClient(thread, token, true, false, IMPERSONATION));
      note(SeSinglePrivilegeCheck(SE_PRIVILEGE.DEBUG, MODE.UserMode));
      const { copyOnOpen, impersonationLevel } = PsReferenceImpersonationToken(thread);
      note([copyOnOpen, impersonationLevel]);
      yield* PsDereferenceImpersonationToken(token);
      yield* PsRevertToSelf();
      note(SeSinglePrivilegeCheck(SE_PRIVILEGE.DEBUG, MODE.UserMode));
      note(yield* ObDereferenceObject(token));
    });
    expect(seen).toEqual([true, STATUS.SUCCESS, false, [true, IMPERSONATION], true, 0]);
  });

  test('a token that is no impersonation token is STATUS_BAD_TOKEN_TYPE for ThreadImpersonationToken', async () => {
    const { seen } = await runUser(function* (_, note) {
      const { handle } = yield* NtOpenProcessToken(PROCESS, ALL);
      note(yield* NtSetInformationThread(SELF, TOKEN, handle, 8));
    });
    expect(seen).toEqual([STATUS.BAD_TOKEN_TYPE]);
  });
});

describe('SeFilterToken', () => {
  test('ps.token-005: takes privileges, groups and SIDs away; attributes of restricted SIDs must be 0', async () => {
    const { value } = await runGuest(function* (machine) {
      const token = PsReferencePrimaryToken(machine.systemProcess);
      const plain = yield* SeFilterToken(token, 0, null, null, null);
      const { filteredToken } = yield* SeFilterToken(
        token,
        FILTER_TOKEN.DISABLE_MAX_PRIVILEGE,
        [{ Sid: SID.Administrators, Attributes: 0 }],
        [{ Luid: SE_PRIVILEGE.TCB, Attributes: 0 }],
        null,
      );
      const everyone = (Attributes: number) => [{ Sid: SID.Everyone, Attributes }];
      const refused = yield* SeFilterToken(token, 0, null, null, everyone(4));
      const restricted = yield* SeFilterToken(token, 0, null, null, everyone(0));
      return [
        [plain.status, plain.filteredToken?.isRestricted],
        filteredToken?.privileges.map(({ Luid }) => Luid),
        filteredToken?.isAdministrator,
        refused,
        [restricted.status, restricted.filteredToken?.isRestricted, machine.irql()],
      ];
    });
    expect(value).toEqual([
      [STATUS.SUCCESS, false],
      [SE_PRIVILEGE.CHANGE_NOTIFY],
      false,
      { status: STATUS.INVALID_PARAMETER, filteredToken: undefined },
      [STATUS.SUCCESS, true, 0],
    ]);
  });
});

test('a program of a process that nobody has asked for its token holds what a user holds', async () => {
  const { seen } = await runUser(function* (machine, note, thread) {
    const code = machine.loadProgram(program('p', (p) => p.compute(10)));
    note(machine.createProcess().createThread(code).process.token);
    note(SeSinglePrivilegeCheck(SE_PRIVILEGE.CHANGE_NOTIFY, MODE.UserMode));
    note(SeSinglePrivilegeCheck(SE_PRIVILEGE.SHUTDOWN, MODE.UserMode));
    note(thread.process.token);
  });
  expect(seen).toEqual([undefined, true, false, undefined]);
});

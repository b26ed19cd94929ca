import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeStackAttachProcess, KeUnstackDetachProcess } from '../../src/ke/apc';
import type { Request } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { KProcess } from '../../src/machine/views';
import { NtClose, ObOpenObjectByPointer } from '../../src/ob/handle';
import { NtQueryObject, OBJECT_INFORMATION_CLASS } from '../../src/ob/query';
import { clientIdOf, processIdOf } from '../../src/ps/cid';
import { processManager } from '../../src/ps/manager';
import { NtOpenProcess, NtOpenThread, ZwOpenProcess } from '../../src/ps/open-services';
import {
  mayAccessProtected,
  PS_PROTECTED_SIGNER,
  PS_PROTECTED_TYPE,
  protectionLevel,
} from '../../src/ps/protection';

const PP = PS_PROTECTED_TYPE.PsProtectedTypeProtected;
const PPL = PS_PROTECTED_TYPE.PsProtectedTypeProtectedLight;
const NONE = protectionLevel(0, 0);
const PPL_ANTIMALWARE = protectionLevel(PPL, PS_PROTECTED_SIGNER.PsProtectedSignerAntimalware);
const PPL_WINDOWS = protectionLevel(PPL, PS_PROTECTED_SIGNER.PsProtectedSignerWindows);
const PPL_LSA = protectionLevel(PPL, PS_PROTECTED_SIGNER.PsProtectedSignerLsa);
const PPL_TCB = protectionLevel(PPL, PS_PROTECTED_SIGNER.PsProtectedSignerWinTcb);
const PP_WINDOWS = protectionLevel(PP, PS_PROTECTED_SIGNER.PsProtectedSignerWindows);
const MAXIMUM_ALLOWED = 0x2000000;
const BASIC = OBJECT_INFORMATION_CLASS.ObjectBasicInformation;

test('PS_PROTECTION is a byte of type and signer', () => {
  expect([PPL_ANTIMALWARE, PPL_TCB, PP_WINDOWS]).toEqual([0x31, 0x61, 0x52]);
});

test.each([
  ['nobody', NONE, 'one that is not protected', NONE, true],
  ['nobody', NONE, 'PPL-Antimalware', PPL_ANTIMALWARE, false],
  ['PPL-Antimalware', PPL_ANTIMALWARE, 'PPL-Antimalware', PPL_ANTIMALWARE, true],
  ['PPL-Antimalware', PPL_ANTIMALWARE, 'PPL-Lsa', PPL_LSA, false],
  ['PPL-Lsa', PPL_LSA, 'PPL-Antimalware', PPL_ANTIMALWARE, false],
  ['PPL-WinTcb', PPL_TCB, 'PPL-Lsa', PPL_LSA, true],
  ['PPL-Lsa', PPL_LSA, 'PPL-WinTcb', PPL_TCB, false],
  ['PPL-WinTcb', PPL_TCB, 'PP-Windows', PP_WINDOWS, false],
  ['PP-Windows', PP_WINDOWS, 'PPL-Windows', PPL_WINDOWS, true],
])('%s (0x%x) to %s (0x%x): %s', (_source, source, _target, target, may) => {
  expect(mayAccessProtected(source, target)).toBe(may);
});

type Steps<T> = (target: KProcess) => Generator<Request, T, number>;

/** What a thread of one process does to a process of another protection. */
async function from<T>(
  source: number,
  target: number,
  body: Steps<T>,
  userMode = true,
): Promise<T | undefined> {
  const machine = await Machine.create();
  const ps = processManager(machine);
  const victim = ps.createProcess({ image: 'C:\\victim.exe', protection: target });
  machine.run();
  let value: T | undefined;
  const main = function* () {
    value = yield* body(victim.process as KProcess);
  };
  if (userMode) ps.createProcess({ image: 'C:\\caller.exe', protection: source, main });
  else machine.systemProcess.createThread(main);
  machine.run();
  return value;
}

function* open(target: KProcess, access: number) {
  const clientId = { UniqueProcess: processIdOf(target), UniqueThread: 0 };
  return (yield* NtOpenProcess(access, {}, clientId)).status;
}

/** The access of a handle with every right that there is. */
function* maximum(target: KProcess) {
  const clientId = { UniqueProcess: processIdOf(target), UniqueThread: 0 };
  const { handle } = yield* NtOpenProcess(MAXIMUM_ALLOWED, {}, clientId);
  return (yield* NtQueryObject(handle, BASIC, 56)).GrantedAccess;
}

describe('NtOpenProcess from user mode', () => {
  test.each([
    ['PROCESS_QUERY_LIMITED_INFORMATION', 0x1000, STATUS.SUCCESS],
    ['PROCESS_SUSPEND_RESUME', 0x800, STATUS.SUCCESS],
    ['SYNCHRONIZE', 0x100000, STATUS.SUCCESS],
    ['PROCESS_TERMINATE', 0x1, STATUS.SUCCESS],
    ['PROCESS_CREATE_THREAD', 0x2, STATUS.ACCESS_DENIED],
    ['PROCESS_VM_READ', 0x10, STATUS.ACCESS_DENIED],
    ['PROCESS_VM_WRITE', 0x20, STATUS.ACCESS_DENIED],
    ['PROCESS_DUP_HANDLE', 0x40, STATUS.ACCESS_DENIED],
    ['PROCESS_QUERY_INFORMATION', 0x400, STATUS.ACCESS_DENIED],
    ['PROCESS_ALL_ACCESS', 0x1fffff, STATUS.ACCESS_DENIED],
  ])('%s to a protected process', async (_name, access, status) => {
    expect(await from(NONE, PPL_WINDOWS, (target) => open(target, access))).toBe(status);
  });

  test('does not end an antimalware service', async () => {
    expect(await from(NONE, PPL_ANTIMALWARE, (target) => open(target, 1))).toBe(
      STATUS.ACCESS_DENIED,
    );
  });

  test('with MAXIMUM_ALLOWED gets what is left', async () => {
    expect(await from(NONE, PPL_WINDOWS, maximum)).toBe(0x103801);
    expect(await from(NONE, PPL_ANTIMALWARE, maximum)).toBe(0x103800);
  });

  test('of one that is protected as highly gets every right', async () => {
    expect(await from(PPL_TCB, PPL_ANTIMALWARE, maximum)).toBe(0x1fffff);
  });

  test('to the threads of a protected process gets the limited rights', async () => {
    const openThread: Steps<number[]> = function* (target) {
      const [thread] = target.threads();
      if (thread === undefined) return [];
      const statuses: number[] = [];
      for (const access of [0x800, 0x2, 0x1, 0x10, 0x1fffff]) {
        statuses.push((yield* NtOpenThread(access, {}, clientIdOf(thread))).status);
      }
      return statuses;
    };
    expect(await from(NONE, PPL_WINDOWS, openThread)).toEqual([
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.ACCESS_DENIED,
      STATUS.ACCESS_DENIED,
      STATUS.ACCESS_DENIED,
    ]);
  });
});

test('a protected process gets every right to itself', async () => {
  const machine = await Machine.create();
  const seen: number[] = [];
  const creation = processManager(machine).createProcess({
    image: 'C:\\self.exe',
    protection: PPL_WINDOWS,
    main: function* () {
      seen.push(yield* open(creation.process as KProcess, 0x1fffff));
    },
  });
  machine.run();
  expect(seen).toEqual([STATUS.SUCCESS]);
});

test('ZwOpenProcess in kernel mode opens a protected process with every right', async () => {
  const all: Steps<number> = function* (target) {
    const clientId = { UniqueProcess: processIdOf(target), UniqueThread: 0 };
    return (yield* ZwOpenProcess(0x1fffff, {}, clientId)).status;
  };
  expect(await from(NONE, PPL_TCB, all, false)).toBe(STATUS.SUCCESS);
});

test('handles are those of the process that a thread is attached to', async () => {
  const attached: Steps<unknown[]> = function* (target) {
    const process = target.machine.systemProcess;
    const state = yield* KeStackAttachProcess(target);
    const inside = yield* ObOpenObjectByPointer(process, 0, null, 0x1000, null, MODE.KernelMode);
    const closed = yield* NtClose(inside.handle);
    const kept = yield* ObOpenObjectByPointer(process, 0, null, 0x1000, null, MODE.KernelMode);
    yield* KeUnstackDetachProcess(state);
    const outside = yield* NtQueryObject(kept.handle, BASIC, 56);
    return [inside.handle, closed, kept.handle, outside.status];
  };
  expect(await from(NONE, NONE, attached, false)).toEqual([
    4,
    STATUS.SUCCESS,
    4,
    STATUS.INVALID_HANDLE,
  ]);
});

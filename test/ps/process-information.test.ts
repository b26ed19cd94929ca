import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import { program } from '../../src/machine/program';
import type { KProcess } from '../../src/machine/views';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { TOKEN_TYPE } from '../../src/ob/token';
import { PsProcessType, PsThreadType } from '../../src/ob/types';
import { PROCESSINFOCLASS, THREADINFOCLASS } from '../../src/ps/information-class';
import { NtQueryInformationProcess } from '../../src/ps/process-query';
import { NtSetInformationProcess } from '../../src/ps/process-set';
import { NtQueryInformationThread } from '../../src/ps/thread-query';
import { NtSetInformationThread } from '../../src/ps/thread-set';
import { TOKEN_ACCESS } from '../../src/ps/token';
import { NtDuplicateToken, NtOpenProcessToken } from '../../src/ps/token-services';
import { runUser } from './user';

const PROCESS = -1;
const SELF = -2;
const NULL = { address: 0 };
const ODD = { address: 1 };
const TWO = { address: 2 };
const FAR = { address: 0xdeadbee0 };
const at = (length: number, pointer: { address: number }) => ({ length, ...pointer });

function* open(process: KProcess, access = 0x1fffff) {
  const { handle } = yield* ObOpenObjectByPointer(process, 0, null, access, PsProcessType, 0);
  return handle;
}

const BASIC = PROCESSINFOCLASS.ProcessBasicInformation;
const BASE = PROCESSINFOCLASS.ProcessBasePriority;
const RAISE = PROCESSINFOCLASS.ProcessRaisePriority;
const CLASS = PROCESSINFOCLASS.ProcessPriorityClass;
const AFFINITY = PROCESSINFOCLASS.ProcessAffinityMask;
const BOOST = PROCESSINFOCLASS.ProcessPriorityBoost;
const DEBUG_OBJECT = PROCESSINFOCLASS.ProcessDebugObjectHandle;
const IMAGE = PROCESSINFOCLASS.ProcessImageFileName;
const IMAGE_WIN32 = PROCESSINFOCLASS.ProcessImageFileNameWin32;
const HANDLES = PROCESSINFOCLASS.ProcessHandleCount;
const TOKEN = PROCESSINFOCLASS.ProcessAccessToken;
const THREAD_BASIC = THREADINFOCLASS.ThreadBasicInformation;
const BELOW = { Foreground: false, PriorityClass: PRIORITY_CLASS.BelowNormal };

describe('NtQueryInformationProcess', () => {
  test('ps.query-002: ProcessBasicInformation finds a wrong length first, then a misaligned buffer, a bad handle, and a NULL buffer last', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQueryInformationProcess(0, BASIC, at(0, NULL))).status);
      note((yield* NtQueryInformationProcess(0, BASIC, at(48, NULL))).status);
      note((yield* NtQueryInformationProcess(PROCESS, BASIC, at(0, NULL))).status);
      note((yield* NtQueryInformationProcess(PROCESS, BASIC, at(0, TWO))).status);
      note((yield* NtQueryInformationProcess(PROCESS, BASIC, at(48, TWO))).status);
      note((yield* NtQueryInformationProcess(PROCESS, BASIC, at(47, NULL))).status);
      note((yield* NtQueryInformationProcess(PROCESS, BASIC, at(48, NULL))).status);
      note((yield* NtQueryInformationProcess(PROCESS, BASIC, at(49, NULL))).status);
      const { status, returnLength } = yield* NtQueryInformationProcess(PROCESS, BASIC, 48);
      note([status, returnLength]);
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INVALID_HANDLE,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.DATATYPE_MISALIGNMENT,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.ACCESS_VIOLATION,
      STATUS.INFO_LENGTH_MISMATCH,
      [STATUS.SUCCESS, 48],
    ]);
  });

  test('ps.query-018: a wrong length of ProcessBasicInformation tells the right one; a class that there is not comes first', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQueryInformationProcess(PROCESS, -1, 48)).status);
      note((yield* NtQueryInformationProcess(0, BASIC, 96)).status);
      note(yield* NtQueryInformationProcess(PROCESS, BASIC, 96));
    });
    expect(seen).toEqual([
      STATUS.INVALID_INFO_CLASS,
      STATUS.INFO_LENGTH_MISMATCH,
      { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 48 },
    ]);
  });

  test('ps.query-006: ProcessPriorityClass is two bytes whose address must be a multiple of 4', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQueryInformationProcess(PROCESS, CLASS, at(0, ODD))).status);
      note((yield* NtQueryInformationProcess(PROCESS, CLASS, at(2, ODD))).status);
      note((yield* NtQueryInformationProcess(PROCESS, CLASS, at(0, TWO))).status);
      note((yield* NtQueryInformationProcess(PROCESS, CLASS, at(2, TWO))).status);
      note((yield* NtQueryInformationProcess(PROCESS, CLASS, 2)).PriorityClass);
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.DATATYPE_MISALIGNMENT,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.DATATYPE_MISALIGNMENT,
      PRIORITY_CLASS.Normal,
    ]);
  });

  test('ps.query-023: ProcessPriorityClass finds a NULL buffer before a NULL handle, and tells what was set', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQueryInformationProcess(0, CLASS, at(2, NULL))).status);
      note((yield* NtQueryInformationProcess(0, CLASS, 2)).status);
      note((yield* NtQueryInformationProcess(PROCESS, CLASS, 1)).status);
      note((yield* NtQueryInformationProcess(PROCESS, CLASS, 4)).status);
      note(yield* NtSetInformationProcess(PROCESS, CLASS, BELOW, 2));
      note((yield* NtQueryInformationProcess(PROCESS, CLASS, 2)).PriorityClass);
    });
    expect(seen).toEqual([
      STATUS.ACCESS_VIOLATION,
      STATUS.INVALID_HANDLE,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.SUCCESS,
      PRIORITY_CLASS.BelowNormal,
    ]);
  });

  test('ps.query-024: ProcessHandleCount counts the handles of the process', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      note((yield* NtQueryInformationProcess(0, HANDLES, 4)).status);
      note((yield* NtQueryInformationProcess(PROCESS, HANDLES, 2)).status);
      yield* open(thread.process);
      note(yield* NtQueryInformationProcess(PROCESS, HANDLES, 4));
      note(yield* NtQueryInformationProcess(PROCESS, HANDLES, 8));
    });
    expect(seen).toEqual([
      STATUS.INVALID_HANDLE,
      STATUS.INFO_LENGTH_MISMATCH,
      { status: STATUS.SUCCESS, returnLength: 4, HandleCount: 1 },
      { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 4 },
    ]);
  });

  test('ps.query-025: the image’s name says how much it takes, and has its native or its Win32 form', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const handle = yield* open(machine.createProcess({ name: 'C:\\a.exe' }));
      note((yield* NtQueryInformationProcess(0, IMAGE, 100)).status);
      note((yield* NtQueryInformationProcess(handle, IMAGE, 2)).status);
      note(yield* NtQueryInformationProcess(handle, IMAGE, 16));
      note(yield* NtQueryInformationProcess(handle, IMAGE, 76));
      note((yield* NtQueryInformationProcess(handle, IMAGE_WIN32, 100)).Buffer);
    });
    expect(seen).toEqual([
      STATUS.INVALID_HANDLE,
      STATUS.INFO_LENGTH_MISMATCH,
      { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 76 },
      {
        status: STATUS.SUCCESS,
        returnLength: 76,
        Length: 58,
        MaximumLength: 60,
        Buffer: '\\Device\\HarddiskVolume3\\a.exe',
      },
      'C:\\a.exe',
    ]);
  });

  test('ps.query-027: ProcessDebugObjectHandle of a process that nobody debugs is STATUS_PORT_NOT_SET with a handle of 0', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQueryInformationProcess(PROCESS, DEBUG_OBJECT, at(8, NULL))).status);
      note((yield* NtQueryInformationProcess(PROCESS, DEBUG_OBJECT, at(8, FAR))).status);
      note(yield* NtQueryInformationProcess(PROCESS, DEBUG_OBJECT, 7));
      note(yield* NtQueryInformationProcess(PROCESS, DEBUG_OBJECT, 8));
      note((yield* NtQueryInformationProcess(PROCESS, DEBUG_OBJECT, 8, FAR)).status);
      note((yield* NtQueryInformationProcess(PROCESS, DEBUG_OBJECT, at(8, ODD))).status);
      note((yield* NtQueryInformationProcess(PROCESS, DEBUG_OBJECT, at(1, ODD), FAR)).status);
      note((yield* NtQueryInformationProcess(PROCESS, DEBUG_OBJECT, at(0, ODD), FAR)).status);
    });
    expect(seen).toEqual([
      STATUS.ACCESS_VIOLATION,
      STATUS.ACCESS_VIOLATION,
      { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: undefined },
      { status: STATUS.PORT_NOT_SET, returnLength: 8, DebugObjectHandle: 0 },
      STATUS.ACCESS_VIOLATION,
      STATUS.DATATYPE_MISALIGNMENT,
      STATUS.DATATYPE_MISALIGNMENT,
      STATUS.ACCESS_VIOLATION,
    ]);
  });

  test('ps.query-028: ProcessDebugFlags is 1: children inherit a debugger', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQueryInformationProcess(PROCESS, 31, 3)).status);
      note((yield* NtQueryInformationProcess(0, 31, 4)).status);
      note((yield* NtQueryInformationProcess(PROCESS, 31, at(4, NULL))).status);
      note((yield* NtQueryInformationProcess(PROCESS, 31, 4)) as object);
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INVALID_HANDLE,
      STATUS.ACCESS_VIOLATION,
      { status: STATUS.SUCCESS, returnLength: 4, DebugFlags: 1 },
    ]);
  });

  test('ps.query-041: PROCESS_QUERY_LIMITED_INFORMATION is enough for what does not tell secrets', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const handle = yield* open(machine.createProcess({ name: 'C:\\a.exe' }), 0x1000);
      note((yield* NtQueryInformationProcess(handle, BASIC, 48)).status);
      note((yield* NtQueryInformationProcess(handle, 4, 32)).status);
      note((yield* NtQueryInformationProcess(handle, IMAGE, 100)).status);
      note((yield* NtQueryInformationProcess(handle, 29, 4)).status);
      note((yield* NtQueryInformationProcess(handle, 7, 8)).status);
      note((yield* NtQueryInformationProcess(handle, 31, 4)).status);
    });
    const denied = STATUS.ACCESS_DENIED;
    expect(seen).toEqual([0, 0, 0, 0, denied, denied]);
  });
});

describe('NtSetInformationProcess', () => {
  test('ps.set-001: ProcessBasePriority is read before the handle, and above what it is needs a privilege', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtSetInformationProcess(0, BASE, NULL, 0));
      note(yield* NtSetInformationProcess(0, BASE, 8, 4));
      note(yield* NtSetInformationProcess(PROCESS, BASE, NULL, 4));
      note(yield* NtSetInformationProcess(PROCESS, BASE, 8, 0));
      note(yield* NtSetInformationProcess(PROCESS, BASE, ODD, 0));
      note(yield* NtSetInformationProcess(PROCESS, BASE, TWO, 4));
      note(yield* NtSetInformationProcess(PROCESS, BASE, 31, 4));
      note(yield* NtSetInformationProcess(PROCESS, BASE, 8, 4));
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INVALID_HANDLE,
      STATUS.ACCESS_VIOLATION,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.DATATYPE_MISALIGNMENT,
      STATUS.PRIVILEGE_NOT_HELD,
      STATUS.SUCCESS,
    ]);
  });

  test('ps.set-002: ProcessRaisePriority lifts every thread, to 15 at most, without a privilege', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      note(yield* NtSetInformationProcess(0, RAISE, NULL, 0));
      note(yield* NtSetInformationProcess(0, RAISE, 1, 4));
      note(yield* NtSetInformationProcess(PROCESS, RAISE, ODD, 0));
      note(yield* NtSetInformationProcess(PROCESS, RAISE, NULL, 4));
      note(yield* NtSetInformationProcess(PROCESS, RAISE, ODD, 4));
      note(yield* NtSetInformationProcess(PROCESS, RAISE, TWO, 4));
      note(yield* NtSetInformationProcess(PROCESS, RAISE, 32, 4));
      note(thread.priority);
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INVALID_HANDLE,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.ACCESS_VIOLATION,
      STATUS.DATATYPE_MISALIGNMENT,
      STATUS.DATATYPE_MISALIGNMENT,
      STATUS.SUCCESS,
      15,
    ]);
  });

  test('ps.set-005: what can only be asked for is STATUS_INVALID_INFO_CLASS, and some classes are special', async () => {
    const { seen } = await runUser(function* (_, note) {
      for (const number of [0, 2, 3, 4, 7, 14, 20, 26, 27, 28, 30, 36, 37]) {
        note(yield* NtSetInformationProcess(PROCESS, number, FAR, 4));
      }
      note(yield* NtSetInformationProcess(PROCESS, 13, {}, 16));
      note(yield* NtSetInformationProcess(PROCESS, 15, null, 0));
      note(yield* NtSetInformationProcess(PROCESS, 15, null, 0));
      note(yield* NtSetInformationProcess(PROCESS, 16, 1, 4));
      note(yield* NtSetInformationProcess(PROCESS, 17, ODD, 1));
      note(yield* NtSetInformationProcess(PROCESS, 18, ODD, 2));
      note(yield* NtSetInformationProcess(PROCESS, 25, ODD, 1));
    });
    expect(seen).toEqual([
      ...Array(13).fill(STATUS.INVALID_INFO_CLASS),
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      STATUS.PORT_ALREADY_SET,
      STATUS.PRIVILEGE_NOT_HELD,
      STATUS.ACCESS_VIOLATION,
      STATUS.ACCESS_VIOLATION,
      STATUS.ACCESS_VIOLATION,
    ]);
  });

  test('ke.sched-007: the process’s affinity is every processor of its group, and takes no absent one', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        note((yield* NtQueryInformationProcess(PROCESS, BASIC, 48)).AffinityMask);
        note(yield* NtSetInformationProcess(PROCESS, AFFINITY, 4n, 8));
        note(yield* NtSetInformationProcess(PROCESS, AFFINITY, 0n, 8));
      },
      { processors: 2 },
    );
    expect(seen).toEqual([3n, STATUS.INVALID_PARAMETER, STATUS.INVALID_PARAMETER]);
  });

  test('ke.sched-009: the process’s affinity becomes that of its threads, which may have no other processor', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        note(yield* NtSetInformationProcess(PROCESS, AFFINITY, 2n, 8));
        note((yield* NtQueryInformationThread(SELF, THREAD_BASIC, 48)).AffinityMask);
        note(yield* NtSetInformationThread(SELF, THREADINFOCLASS.ThreadAffinityMask, 1n, 8));
        note(yield* NtSetInformationProcess(PROCESS, AFFINITY, 3n, 8));
        note((yield* NtQueryInformationThread(SELF, THREAD_BASIC, 48)).AffinityMask);
      },
      { processors: 2 },
    );
    expect(seen).toEqual([STATUS.SUCCESS, 2n, STATUS.INVALID_PARAMETER, STATUS.SUCCESS, 3n]);
  });

  test('ke.sched-013: another priority class overwrites the priority that was set for a thread', async () => {
    const { seen } = await runUser(function* (_, note) {
      yield* NtSetInformationThread(SELF, THREADINFOCLASS.ThreadPriorityBoost, 1, 4);
      yield* NtSetInformationThread(SELF, THREADINFOCLASS.ThreadBasePriority, -2, 4);
      yield* NtSetInformationThread(SELF, THREADINFOCLASS.ThreadPriority, 12, 4);
      note((yield* NtQueryInformationThread(SELF, THREAD_BASIC, 48)).Priority);
      yield* NtSetInformationProcess(PROCESS, CLASS, BELOW, 2);
      note((yield* NtQueryInformationThread(SELF, THREAD_BASIC, 48)).Priority);
    });
    expect(seen).toEqual([12, 4]);
  });

  test('ke.sched-014: a base priority of the process moves its threads by their relative priority', async () => {
    const { seen } = await runUser(function* (_, note) {
      yield* NtSetInformationThread(SELF, THREADINFOCLASS.ThreadBasePriority, -2, 4);
      yield* NtSetInformationProcess(PROCESS, CLASS, BELOW, 2);
      note(yield* NtSetInformationProcess(PROCESS, BASE, 5, 4));
      note((yield* NtQueryInformationProcess(PROCESS, BASIC, 48)).BasePriority);
      note((yield* NtQueryInformationThread(SELF, THREAD_BASIC, 48)).Priority);
    });
    expect(seen).toEqual([STATUS.SUCCESS, 5, 3]);
  });

  test('ke.sched-019: disabling the boosts of a process disables them for its threads, also for those to come', async () => {
    const { seen } = await runUser(function* (machine, note, thread) {
      const threadBoost = THREADINFOCLASS.ThreadPriorityBoost;
      yield* NtSetInformationProcess(PROCESS, BOOST, 1, 4);
      note((yield* NtQueryInformationProcess(PROCESS, BOOST, 4)).DisableBoost);
      note((yield* NtQueryInformationThread(SELF, threadBoost, 4)).DisableBoost);
      yield* NtSetInformationThread(SELF, threadBoost, 0, 4);
      note((yield* NtQueryInformationThread(SELF, threadBoost, 4)).DisableBoost);
      note((yield* NtQueryInformationProcess(PROCESS, BOOST, 4)).DisableBoost);
      const code = machine.loadProgram(program('p', (p) => p.compute(10)));
      const later = thread.process.createThread(code, { start: false });
      const { handle } = yield* ObOpenObjectByPointer(later, 0, null, 0x40, PsThreadType, 0);
      note((yield* NtQueryInformationThread(handle, threadBoost, 4)).DisableBoost);
    });
    expect(seen).toEqual([1, 1, 0, 1, 1]);
  });

  test('ps.token-003: a suspended child gets a primary token that nobody has, by a handle that may assign it', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const child = yield* open(machine.createProcess());
      const own = (yield* NtOpenProcessToken(PROCESS, TOKEN_ACCESS.ALL_ACCESS)).handle;
      const copy = (access: number, type: TOKEN_TYPE) =>
        NtDuplicateToken(own, access, { impersonationLevel: 2 }, false, type);
      const impersonation = yield* copy(0, TOKEN_TYPE.TokenImpersonation);
      const weak = yield* copy(TOKEN_ACCESS.QUERY, TOKEN_TYPE.TokenPrimary);
      const primary = yield* copy(TOKEN_ACCESS.ASSIGN_PRIMARY, TOKEN_TYPE.TokenPrimary);
      note(yield* NtSetInformationProcess(child, TOKEN, { Token: own }, 15));
      note(yield* NtSetInformationProcess(child, TOKEN, { Token: 0 }, 16));
      note(yield* NtSetInformationProcess(child, TOKEN, { Token: own }, 16));
      note(yield* NtSetInformationProcess(child, TOKEN, { Token: impersonation.handle }, 16));
      note(yield* NtSetInformationProcess(child, TOKEN, { Token: weak.handle }, 16));
      note(yield* NtSetInformationProcess(child, TOKEN, { Token: primary.handle }, 16));
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INVALID_HANDLE,
      STATUS.TOKEN_ALREADY_IN_USE,
      STATUS.BAD_IMPERSONATION_LEVEL,
      STATUS.ACCESS_DENIED,
      STATUS.SUCCESS,
    ]);
  });

  test('ps.set-012: ProcessInstrumentationCallback takes a pointer, with or without what goes before it', async () => {
    const { seen } = await runUser(function* (_, note) {
      for (const length of [0, 16, 8, 12, 4]) {
        note(yield* NtSetInformationProcess(PROCESS, 40, 1, length));
      }
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.INFO_LENGTH_MISMATCH,
    ]);
  });
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE, MODE, PRIORITY_CLASS } from '../../assembly/shared/types';
import { KeSetSystemAffinityThread } from '../../src/ke/affinity';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { NtGetCurrentProcessorNumber, NtGetCurrentProcessorNumberEx } from '../../src/ke/topology';
import { program } from '../../src/machine/program';
import type { KProcess, KThread } from '../../src/machine/views';
import { NtClose, ObOpenObjectByPointer } from '../../src/ob/handle';
import { PsProcessType, PsThreadType } from '../../src/ob/types';
import { threadIdOf } from '../../src/ps/cid';
import { THREADINFOCLASS } from '../../src/ps/information-class';
import { NtQueryInformationThread } from '../../src/ps/thread-query';
import { NtSetInformationThread } from '../../src/ps/thread-set';
import { assignAccount } from '../../src/ps/token';
import { runUser } from './user';

const SELF = -2;
const BAD = 0xdeb0;
const NULL = { address: 0 };
const ODD = { address: 1 };
const TWO = { address: 2 };
const FAR = { address: 0xdeadbee0 };
const at = (length: number, pointer: { address: number }) => ({ length, ...pointer });

function* open(thread: KThread, access = 0x1fffff) {
  const { handle } = yield* ObOpenObjectByPointer(thread, 0, null, access, PsThreadType, 0);
  return handle;
}

function* openProcess(process: KProcess) {
  const { handle } = yield* ObOpenObjectByPointer(process, 0, null, 0x1fffff, PsProcessType, 0);
  return handle;
}

/** A thread of another process that ends when it is asked to. */
function otherThread(thread: KThread) {
  const code = thread.machine.loadProgram(program('p', (p) => p.delay(1e12)));
  return thread.machine.createProcess({ name: 'other' }).createThread(code);
}

const BASIC = THREADINFOCLASS.ThreadBasicInformation;
const TIMES = THREADINFOCLASS.ThreadTimes;
const PRIORITY = THREADINFOCLASS.ThreadPriority;
const BASE_PRIORITY = THREADINFOCLASS.ThreadBasePriority;
const AFFINITY = THREADINFOCLASS.ThreadAffinityMask;
const IDEAL = THREADINFOCLASS.ThreadIdealProcessor;
const IDEAL_EX = THREADINFOCLASS.ThreadIdealProcessorEx;
const BOOST = THREADINFOCLASS.ThreadPriorityBoost;
const HIDE = THREADINFOCLASS.ThreadHideFromDebugger;
const FIXUP = THREADINFOCLASS.ThreadEnableAlignmentFaultFixup;
const TERMINATED = THREADINFOCLASS.ThreadIsTerminated;
const NAME = THREADINFOCLASS.ThreadNameInformation;

describe('NtQueryInformationThread', () => {
  test('ps.query-010: ThreadBasicInformation finds a wrong length first, then a misaligned buffer, a bad handle, and a NULL buffer last', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQueryInformationThread(0, BASIC, at(0, NULL))).status);
      note((yield* NtQueryInformationThread(0, BASIC, 48)).status);
      note((yield* NtQueryInformationThread(SELF, BASIC, 0)).status);
      note((yield* NtQueryInformationThread(SELF, BASIC, at(48, NULL))).status);
      note((yield* NtQueryInformationThread(SELF, BASIC, at(0, ODD))).status);
      note((yield* NtQueryInformationThread(SELF, BASIC, at(48, ODD))).status);
      note((yield* NtQueryInformationThread(SELF, BASIC, at(48, TWO))).status);
      const { status, returnLength } = yield* NtQueryInformationThread(SELF, BASIC, 48);
      note([status, returnLength]);
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INVALID_HANDLE,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.ACCESS_VIOLATION,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.DATATYPE_MISALIGNMENT,
      STATUS.DATATYPE_MISALIGNMENT,
      [STATUS.SUCCESS, 48],
    ]);
  });

  test('ThreadBasicInformation has the ids, the priorities and the affinity of a running thread', async () => {
    const { seen, thread } = await runUser(
      function* (_, note) {
        note(yield* NtQueryInformationThread(SELF, BASIC, 48));
      },
      { processors: 2 },
    );
    expect(seen).toEqual([
      {
        status: STATUS.SUCCESS,
        returnLength: 48,
        ExitStatus: STATUS.PENDING,
        TebBaseAddress: 0x7ff0000000 + threadIdOf(thread) * 0x400,
        ClientId: { UniqueProcess: 12, UniqueThread: threadIdOf(thread) },
        AffinityMask: 3n,
        Priority: 8,
        BasePriority: 0,
      },
    ]);
  });

  test('ps.query-011: what can only be set is STATUS_INVALID_INFO_CLASS, and so is what there is not', async () => {
    const { seen } = await runUser(function* (_, note) {
      for (const number of [2, 3, 4, 5, 7, 8, 10, 13, 15, 19, 27, 9999]) {
        note((yield* NtQueryInformationThread(SELF, number, at(4, ODD))).status);
      }
    });
    expect(seen).toEqual(Array(12).fill(STATUS.INVALID_INFO_CLASS));
  });

  test('ps.query-011: a misaligned, an unmapped and a short buffer are told apart in every class of one ULONG', async () => {
    const { seen } = await runUser(function* (_, note) {
      for (const number of [12, 14, 18, 20, 22, 24, 35, 45]) {
        const statuses: number[] = [];
        for (const buffer of [at(4, TWO), at(4, FAR), 3, 4]) {
          statuses.push((yield* NtQueryInformationThread(SELF, number, buffer)).status);
        }
        note(statuses);
      }
    });
    const each = [
      STATUS.DATATYPE_MISALIGNMENT,
      STATUS.ACCESS_VIOLATION,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.SUCCESS,
    ];
    expect(seen).toEqual(Array(8).fill(each));
  });

  test('ps.query-031: ThreadHideFromDebugger of another thread is 0, and 1 once it is set; a bad ReturnLength is found before a wrong length', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      const other = otherThread(thread);
      const handle = yield* open(other);
      note((yield* NtQueryInformationThread(handle, HIDE, 1)).HideFromDebugger);
      note(yield* NtSetInformationThread(handle, HIDE, null, 0));
      note((yield* NtQueryInformationThread(handle, HIDE, 1)).HideFromDebugger);
      note((yield* NtQueryInformationThread(handle, HIDE, 1, ODD)).status);
      note((yield* NtQueryInformationThread(handle, HIDE, 0, ODD)).status);
      note(yield* NtQueryInformationThread(handle, HIDE, 0));
      note(yield* NtQueryInformationThread(BAD, HIDE, 1));
      other.terminate(0);
    });
    expect(seen).toEqual([
      0,
      STATUS.SUCCESS,
      1,
      STATUS.ACCESS_VIOLATION,
      STATUS.ACCESS_VIOLATION,
      { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: undefined },
      { status: STATUS.INVALID_HANDLE, returnLength: undefined },
    ]);
  });

  test('ps.query-034: ThreadIsTerminated goes by the state, not by an exit code that looks like STATUS_PENDING', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      const other = otherThread(thread);
      const handle = yield* open(other);
      note((yield* NtQueryInformationThread(handle, TERMINATED, 8)).status);
      note((yield* NtQueryInformationThread(handle, TERMINATED, 4)).IsTerminated);
      other.terminate(STATUS.PENDING);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      note((yield* NtQueryInformationThread(handle, TERMINATED, 4)).IsTerminated);
      note((yield* NtQueryInformationThread(handle, BASIC, 48)).ExitStatus);
      yield* NtClose(handle);
      note((yield* NtQueryInformationThread(handle, TERMINATED, 4)).status);
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      0,
      1,
      STATUS.PENDING,
      STATUS.INVALID_HANDLE,
    ]);
  });

  test('ps.query-037: ThreadTimes of a thread that has ended has all four times; a handle without THREAD_QUERY_INFORMATION is STATUS_ACCESS_DENIED', async () => {
    const { seen, machine } = await runUser(function* (machine, note, thread) {
      const code = machine.loadProgram(program('p', (p) => p.compute(40e6)));
      const other = thread.process.createThread(code);
      const handle = yield* open(other);
      const weak = yield* open(other, 0x100000);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -1_000_000);
      const { CreateTime, ExitTime, KernelTime, UserTime } = yield* NtQueryInformationThread(
        handle,
        TIMES,
        32,
      );
      const lifetime = (ExitTime as bigint) - (CreateTime as bigint);
      note([lifetime > 400_000n && lifetime < 900_000n, KernelTime, UserTime]);
      note((yield* NtQueryInformationThread(weak, TIMES, 32)).status);
    });
    expect(seen).toEqual([[true, 0, 312_500], STATUS.ACCESS_DENIED]);
    expect(machine.now).toBeGreaterThan(100e6);
  });

  test('ps.query-040: ThreadNameInformation says how much it takes, and writes the name without a terminator', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtSetInformationThread(SELF, NAME, 'worker', 16));
      note(yield* NtQueryInformationThread(SELF, NAME, at(0, NULL)));
      note(yield* NtQueryInformationThread(SELF, NAME, 400));
      note(yield* NtQueryInformationThread(SELF, NAME, 26));
    });
    const tooSmall = { status: STATUS.BUFFER_TOO_SMALL, returnLength: 28 };
    expect(seen).toEqual([
      STATUS.SUCCESS,
      tooSmall,
      {
        status: STATUS.SUCCESS,
        returnLength: 28,
        Length: 12,
        MaximumLength: 12,
        Buffer: 'worker',
      },
      tooSmall,
    ]);
  });

  test('ThreadSuspendCount of a thread that has ended is STATUS_THREAD_IS_TERMINATING', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      const other = otherThread(thread);
      const handle = yield* open(other);
      other.suspend();
      note((yield* NtQueryInformationThread(handle, 35, 4)).status);
      other.terminate(0);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      note((yield* NtQueryInformationThread(handle, 35, 4)).status);
    });
    expect(seen).toEqual([STATUS.SUCCESS, STATUS.THREAD_IS_TERMINATING]);
  });

  test('ThreadSubsystemInformation of a Win32 thread is SubsystemInformationTypeWin32', async () => {
    const { seen } = await runUser(function* (_, note) {
      const number = THREADINFOCLASS.ThreadSubsystemInformation;
      note((yield* NtQueryInformationThread(SELF, number, 4)).SubsystemInformation);
    });
    expect(seen).toEqual([0]);
  });

  test('ThreadSystemThreadInformation is what the system tells of each thread', async () => {
    const { seen } = await runUser(function* (_, note) {
      const number = THREADINFOCLASS.ThreadSystemThreadInformation;
      const { BasePriority, ThreadState } = yield* NtQueryInformationThread(SELF, number, 80);
      note([BasePriority, ThreadState]);
    });
    expect(seen).toEqual([[8, KTHREAD_STATE.Running]]);
  });
});

describe('NtSetInformationThread', () => {
  test('ps.set-008: ThreadHideFromDebugger is set without a buffer, for ever, and is one byte to ask for', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtSetInformationThread(SELF, HIDE, null, 4));
      note(yield* NtSetInformationThread(SELF, HIDE, null, 1));
      note(yield* NtSetInformationThread(BAD, HIDE, null, 0));
      note(yield* NtSetInformationThread(SELF, HIDE, null, 0));
      note((yield* NtQueryInformationThread(SELF, HIDE, 4)).status);
      note((yield* NtQueryInformationThread(BAD, HIDE, 4)).status);
      note((yield* NtQueryInformationThread(SELF, HIDE, 1)).HideFromDebugger);
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INVALID_HANDLE,
      STATUS.SUCCESS,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INFO_LENGTH_MISMATCH,
      1,
    ]);
  });

  test('ps.set-009: ThreadEnableAlignmentFaultFixup reads its byte before it looks at the handle', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      note((yield* NtQueryInformationThread(SELF, FIXUP, 1)).status);
      note(yield* NtSetInformationThread(SELF, FIXUP, 1, 4));
      note(yield* NtSetInformationThread(BAD, FIXUP, NULL, 0));
      note(yield* NtSetInformationThread(BAD, FIXUP, NULL, 1));
      note(yield* NtSetInformationThread(BAD, FIXUP, 1, 1));
      note(yield* NtSetInformationThread(yield* openProcess(thread.process), FIXUP, 1, 1));
      note(yield* NtSetInformationThread(SELF, FIXUP, 1, 1));
    });
    expect(seen).toEqual([
      STATUS.INVALID_INFO_CLASS,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.ACCESS_VIOLATION,
      STATUS.INVALID_HANDLE,
      STATUS.OBJECT_TYPE_MISMATCH,
      STATUS.SUCCESS,
    ]);
  });

  test('ps.set-010: ThreadIdealProcessor can be set only, ThreadIdealProcessorEx asked for with its exact size', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        note((yield* NtSetInformationThread(SELF, IDEAL, 0, 4)) < 64);
        note(yield* NtSetInformationThread(SELF, IDEAL, 65, 4));
        note((yield* NtQueryInformationThread(SELF, IDEAL, 4)).status);
        note((yield* NtQueryInformationThread(SELF, IDEAL_EX, 5)).status);
        note(yield* NtQueryInformationThread(SELF, IDEAL_EX, 4));
      },
      { processors: 2 },
    );
    expect(seen).toEqual([
      true,
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_INFO_CLASS,
      STATUS.INFO_LENGTH_MISMATCH,
      { status: STATUS.SUCCESS, returnLength: 4, Group: 0, Number: 0, Reserved: 0 },
    ]);
  });

  test('ps.set-011: ThreadNameInformation takes a UNICODE_STRING of 16 bytes whose buffer can be read', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtSetInformationThread(SELF, NAME, 'name', 16));
      note(yield* NtSetInformationThread(SELF, NAME, 'name', 15));
      note(yield* NtSetInformationThread(SELF, NAME, null, 16));
      note(yield* NtSetInformationThread(SELF, NAME, { Length: 8, Buffer: 0 }, 16));
      note(yield* NtSetInformationThread(SELF, NAME, '', 16));
      note((yield* NtQueryInformationThread(SELF, NAME, 100)).Buffer);
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.ACCESS_VIOLATION,
      STATUS.ACCESS_VIOLATION,
      STATUS.SUCCESS,
      '',
    ]);
  });

  test('ke.sched-007: ThreadAffinityMask is a part of the process’s, of at least one processor', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        note((yield* NtQueryInformationThread(SELF, BASIC, 48)).AffinityMask);
        note(yield* NtSetInformationThread(SELF, AFFINITY, 4n, 8));
        note(yield* NtSetInformationThread(SELF, AFFINITY, 0n, 8));
        note(yield* NtSetInformationThread(SELF, AFFINITY, 5n, 8));
      },
      { processors: 2 },
    );
    const refused = STATUS.INVALID_PARAMETER;
    expect(seen).toEqual([3n, refused, refused, refused]);
  });

  test('ke.sched-016: ThreadAffinityMask moves the caller to the processor before it returns', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        for (const processor of [0, 1, 2, 3]) {
          note(yield* NtSetInformationThread(SELF, AFFINITY, 1n << BigInt(processor), 8));
          note(yield* NtGetCurrentProcessorNumber());
        }
      },
      { processors: 4 },
    );
    expect(seen).toEqual([0, 0, 0, 1, 0, 2, 0, 3]);
  });

  test('ke.sched-020: ThreadAffinityMask takes the process’s mask, no absent processor, and all ones for all', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        note(yield* NtSetInformationThread(SELF, AFFINITY, 3n, 8));
        note(yield* NtSetInformationThread(SELF, AFFINITY, 4n, 8));
        note(yield* NtSetInformationThread(SELF, AFFINITY, 1n, 8));
        note(yield* NtSetInformationThread(SELF, AFFINITY, 0xffffffffn, 8));
        note((yield* NtQueryInformationThread(SELF, BASIC, 48)).AffinityMask);
        note(yield* NtSetInformationThread(SELF, AFFINITY, 2n ** 64n - 1n, 8));
      },
      { processors: 2 },
    );
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      3n,
      STATUS.SUCCESS,
    ]);
  });

  test('ke.sched-021: ThreadIdealProcessor tells the number before; 64 changes nothing, and 65 is STATUS_INVALID_PARAMETER', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        yield* NtSetInformationThread(SELF, IDEAL, 1, 4);
        note(yield* NtSetInformationThread(SELF, IDEAL, 0, 4));
        note(yield* NtSetInformationThread(SELF, IDEAL, 65, 4));
        note(yield* NtSetInformationThread(SELF, IDEAL, 64, 4));
        note((yield* NtQueryInformationThread(SELF, IDEAL_EX, 4)).Number);
        note(yield* NtSetInformationThread(SELF, IDEAL, 2, 4));
      },
      { processors: 2 },
    );
    expect(seen).toEqual([1, STATUS.INVALID_PARAMETER, 0, 0, STATUS.INVALID_PARAMETER]);
  });

  test('a user affinity that is set while a system affinity is in force waits for the end of that', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        yield* KeSetSystemAffinityThread(2n);
        note(yield* NtSetInformationThread(SELF, AFFINITY, 1n, 8));
        note(yield* NtGetCurrentProcessorNumber());
        note((yield* NtQueryInformationThread(SELF, BASIC, 48)).AffinityMask);
        note((yield* NtQueryInformationThread(SELF, 41, 16)) as object);
      },
      { processors: 2 },
    );
    const actual = { status: 0, returnLength: 16, Mask: 2n, Group: 0 };
    expect(seen).toEqual([STATUS.SUCCESS, 1, 1n, actual]);
  });

  test('ThreadGroupInformation moves a thread into another group', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        const number = THREADINFOCLASS.ThreadGroupInformation;
        note(yield* NtSetInformationThread(SELF, number, { Mask: 2n, Group: 0 }, 16));
        note((yield* NtGetCurrentProcessorNumberEx()).value);
        note(yield* NtSetInformationThread(SELF, number, { Mask: 4n, Group: 0 }, 16));
        note(yield* NtSetInformationThread(SELF, number, { Mask: 1n, Group: 2 }, 16));
        note(yield* NtSetInformationThread(SELF, AFFINITY, 1n, 8));
        note((yield* NtGetCurrentProcessorNumberEx()).value);
      },
      { processors: 4, groupSize: 2 },
    );
    expect(seen).toEqual([
      STATUS.SUCCESS,
      { Group: 0, Number: 1 },
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      { Group: 1, Number: 0 },
    ]);
  });

  test('ke.sched-010: BasePriority of ThreadBasicInformation is relative, and Priority follows at once', async () => {
    const { seen } = await runUser(function* (_, note) {
      yield* NtSetInformationThread(SELF, BOOST, 1, 4);
      const before = yield* NtQueryInformationThread(SELF, BASIC, 48);
      note([before.BasePriority, before.Priority]);
      note(yield* NtSetInformationThread(SELF, BASE_PRIORITY, 2, 4));
      const after = yield* NtQueryInformationThread(SELF, BASIC, 48);
      note([after.BasePriority, after.Priority]);
    });
    expect(seen).toEqual([[0, 8], STATUS.SUCCESS, [2, 10]]);
  });

  test('ke.sched-011: a lower relative priority counts at once', async () => {
    const { seen } = await runUser(function* (_, note) {
      yield* NtSetInformationThread(SELF, BOOST, 1, 4);
      yield* NtSetInformationThread(SELF, BASE_PRIORITY, 2, 4);
      note(yield* NtSetInformationThread(SELF, BASE_PRIORITY, -2, 4));
      const { BasePriority, Priority } = yield* NtQueryInformationThread(SELF, BASIC, 48);
      note([BasePriority, Priority]);
    });
    expect(seen).toEqual([STATUS.SUCCESS, [-2, 6]]);
  });

  test('ke.sched-015: ThreadPriority is 1 to 31, and a real-time one needs SeIncreaseBasePriorityPrivilege', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtSetInformationThread(SELF, PRIORITY, 42, 4));
      note(yield* NtSetInformationThread(SELF, PRIORITY, 0, 4));
      note(yield* NtSetInformationThread(SELF, PRIORITY, 24, 4));
    });
    expect(seen).toEqual([
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.PRIVILEGE_NOT_HELD,
    ]);
  });

  test('the system may give a thread a real-time priority', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      assignAccount(thread.process, 'system');
      note(yield* NtSetInformationThread(SELF, PRIORITY, 24, 4));
      note(thread.priority);
    });
    expect(seen).toEqual([STATUS.SUCCESS, 24]);
  });

  test('ke.sched-017: relative priorities of -2 to 2 and the ends are read back; others are STATUS_INVALID_PARAMETER, and handles need rights', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      for (const increment of [-2, -1, 0, 1, 2, 15, -15]) {
        note(yield* NtSetInformationThread(SELF, BASE_PRIORITY, increment, 4));
        note((yield* NtQueryInformationThread(SELF, BASIC, 48)).BasePriority);
      }
      yield* NtSetInformationThread(SELF, BASE_PRIORITY, -2, 4);
      note(yield* NtSetInformationThread(SELF, BASE_PRIORITY, -3, 4));
      note((yield* NtQueryInformationThread(SELF, BASIC, 48)).BasePriority);
      yield* NtSetInformationThread(SELF, BASE_PRIORITY, 2, 4);
      note(yield* NtSetInformationThread(SELF, BASE_PRIORITY, 3, 4));
      const weak = yield* open(thread, 0x100000);
      note(yield* NtSetInformationThread(weak, BASE_PRIORITY, 1, 4));
      note((yield* NtQueryInformationThread(weak, BASIC, 48)).status);
      note((yield* NtQueryInformationThread(SELF, BASIC, 48)).BasePriority);
    });
    const readBack = [-2, -1, 0, 1, 2, 16, -16].flatMap((increment) => [0, increment]);
    expect(seen).toEqual([
      ...readBack,
      STATUS.INVALID_PARAMETER,
      -2,
      STATUS.INVALID_PARAMETER,
      STATUS.ACCESS_DENIED,
      STATUS.ACCESS_DENIED,
      2,
    ]);
  });

  test('a thread of a real-time process may be -7 to 6 from its base', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const process = machine.createProcess({ priorityClass: PRIORITY_CLASS.Realtime });
      const code = machine.loadProgram(program('p', (p) => p.compute(10)));
      const handle = yield* open(process.createThread(code, { start: false }));
      note(yield* NtSetInformationThread(handle, BASE_PRIORITY, 6, 4));
      note((yield* NtQueryInformationThread(handle, BASIC, 48)).Priority);
      note(yield* NtSetInformationThread(handle, BASE_PRIORITY, 7, 4));
    });
    expect(seen).toEqual([STATUS.SUCCESS, 30, STATUS.INVALID_PARAMETER]);
  });

  test('ke.sched-018: ThreadPriorityBoost is the flag that disables boosts', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtSetInformationThread(SELF, BOOST, 1, 4));
      note((yield* NtQueryInformationThread(SELF, BOOST, 4)).DisableBoost);
      note(yield* NtSetInformationThread(SELF, BOOST, 0, 4));
      note((yield* NtQueryInformationThread(SELF, BOOST, 4)).DisableBoost);
    });
    expect(seen).toEqual([STATUS.SUCCESS, 1, STATUS.SUCCESS, 0]);
  });

  test('ThreadBreakOnTermination needs SeDebugPrivilege', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      const number = THREADINFOCLASS.ThreadBreakOnTermination;
      note(yield* NtSetInformationThread(SELF, number, 1, 4));
      assignAccount(thread.process, 'system');
      note(yield* NtSetInformationThread(SELF, number, 1, 4));
      note((yield* NtQueryInformationThread(SELF, number, 4)).BreakOnTermination);
      note(yield* NtSetInformationThread(SELF, number, 0, 4));
    });
    expect(seen).toEqual([STATUS.PRIVILEGE_NOT_HELD, STATUS.SUCCESS, 1, STATUS.SUCCESS]);
  });

  test('a page priority is 1 to 5, an I/O priority up to normal without a privilege, power throttling of execution speed alone', async () => {
    const { seen } = await runUser(function* (_, note) {
      const page = THREADINFOCLASS.ThreadPagePriority;
      const io = THREADINFOCLASS.ThreadIoPriority;
      const power = THREADINFOCLASS.ThreadPowerThrottlingState;
      const state = (ControlMask: number) => ({ Version: 1, ControlMask, StateMask: 0 });
      note(yield* NtSetInformationThread(SELF, page, 1, 4));
      note((yield* NtQueryInformationThread(SELF, page, 4)).PagePriority);
      note(yield* NtSetInformationThread(SELF, page, 6, 4));
      note(yield* NtSetInformationThread(SELF, io, 0, 4));
      note(yield* NtSetInformationThread(SELF, io, 3, 4));
      note(yield* NtSetInformationThread(SELF, io, 5, 4));
      note(yield* NtSetInformationThread(SELF, power, state(1), 12));
      note((yield* NtQueryInformationThread(SELF, power, 12)).ControlMask);
      note(yield* NtSetInformationThread(SELF, power, state(2), 12));
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      1,
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      STATUS.PRIVILEGE_NOT_HELD,
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      1,
      STATUS.INVALID_PARAMETER,
    ]);
  });
});

describe('NtGetCurrentProcessorNumberEx', () => {
  test('ke.sched-006: tells group and number; a pointer that is NULL or bad is STATUS_ACCESS_VIOLATION', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtGetCurrentProcessorNumberEx());
      note((yield* NtGetCurrentProcessorNumberEx(NULL)).status);
      note((yield* NtGetCurrentProcessorNumberEx(FAR)).status);
    });
    expect(seen).toEqual([
      { status: STATUS.SUCCESS, value: { Group: 0, Number: 0 } },
      STATUS.ACCESS_VIOLATION,
      STATUS.ACCESS_VIOLATION,
    ]);
  });
});

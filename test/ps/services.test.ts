import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { currentGuest, type NtCall } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KThread } from '../../src/machine/views';
import { DUPLICATE, NtDuplicateObject } from '../../src/ob/duplicate';
import { NtClose, ObReferenceObjectByHandle } from '../../src/ob/handle';
import { NtCompareObjects } from '../../src/ob/query';
import {
  EVENT_ACCESS,
  EVENT_TYPE,
  NtCreateEvent,
  NtResetEvent,
  NtSetEvent,
} from '../../src/ob/services/event';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { PROCESS_ACCESS, THREAD_ACCESS } from '../../src/ps/access';
import { clientIdOf } from '../../src/ps/cid';
import {
  NtResumeProcess,
  NtResumeThread,
  NtSuspendProcess,
  NtSuspendThread,
  NtTerminateProcess,
  NtTerminateThread,
} from '../../src/ps/control-services';
import {
  NtCreateThread,
  NtCreateThreadEx,
  NtCreateUserProcess,
  THREAD_CREATE_FLAGS,
} from '../../src/ps/create-services';
import {
  NtBuildNumber,
  PsGetCurrentProcessId,
  PsGetCurrentThreadId,
  PsGetCurrentThreadTeb,
  PsGetProcessInheritedFromUniqueProcessId,
  PsGetVersion,
  PsLookupProcessByProcessId,
  PsLookupThreadByThreadId,
} from '../../src/ps/identity';
import { processManager } from '../../src/ps/manager';
import {
  NtGetNextProcess,
  NtGetNextThread,
  NtOpenProcess,
  NtOpenThread,
} from '../../src/ps/open-services';
import { THREADINFOCLASS } from '../../src/ps/information-class';
import { NtQueryInformationProcess } from '../../src/ps/process-query';
import { NtQueryInformationThread } from '../../src/ps/thread-query';
import { callGuest } from '../ke/guest';
import { runUser } from './user';

const ALL = PROCESS_ACCESS.ALL_ACCESS;
const SUSPENDED = THREAD_CREATE_FLAGS.CREATE_SUSPENDED;
const CHILD = { imageName: 'C:\\child.exe' };

/** A suspended or running child of the caller. */
function createChild(
  threadFlags = 0,
  attributes: Parameters<typeof NtCreateUserProcess>[7] = CHILD,
) {
  return NtCreateUserProcess(ALL, ALL, null, null, 0, threadFlags, null, attributes);
}

function createThread(
  processHandle: number,
  startRoutine: Parameters<typeof NtCreateThreadEx>[3],
  flags = 0,
) {
  return NtCreateThreadEx(ALL, null, processHandle, startRoutine, 0, flags, 0, 0, 0, null);
}

/** A thread in user mode that waits until it is terminated. */
function* sleeper() {
  yield* KeDelayExecutionThread(MODE.UserMode, false, -1e12);
}

describe('ids', () => {
  test('ps.misc-001: PsGetVersion gives the build of NtBuildNumber', async () => {
    const value = await callGuest(() => PsGetVersion().buildNumber);
    expect(value).toBe(NtBuildNumber & 0xffff);
  });

  test('ps.thread-002: PsLookupThreadByThreadId finds the current thread, and nothing by 0', async () => {
    const value = await callGuest((_machine, thread) => [
      PsLookupThreadByThreadId(PsGetCurrentThreadId()).thread === thread,
      PsLookupThreadByThreadId(0).status,
    ]);
    expect(value).toEqual([true, STATUS.INVALID_CID]);
  });

  test('PsLookupProcessByProcessId finds System by 4, and no process by the id of a thread', async () => {
    const value = await callGuest((machine) => [
      PsLookupProcessByProcessId(4).process === machine.systemProcess,
      PsLookupProcessByProcessId(PsGetCurrentThreadId()).status,
      PsGetCurrentProcessId(),
    ]);
    expect(value).toEqual([true, STATUS.INVALID_CID, 4]);
  });

  test('ps.thread-004: threads that are alive have TEBs of their own', async () => {
    const machine = await Machine.create({ processors: 1 });
    const seen: number[] = [];
    const process = machine.createProcess();
    for (const name of ['main', 'a', 'b']) {
      const body = function* () {
        seen.push(PsGetCurrentThreadTeb());
        yield* sleeper();
      };
      process.createThread(body, { name, userMode: true });
    }
    machine.run({ until: 1e6 });
    expect(new Set(seen).size).toBe(3);
  });
});

describe('NtOpenProcess and NtOpenThread', () => {
  test('ps.process-006: ignore the two low bits of an id', async () => {
    const { seen } = await runUser(function* (_machine, note, thread) {
      const { UniqueProcess, UniqueThread } = clientIdOf(thread);
      for (const bits of [1, 2, 3]) {
        const process = yield* NtOpenProcess(
          ALL,
          {},
          { UniqueProcess: UniqueProcess + bits, UniqueThread: 0 },
        );
        const opened = yield* NtOpenThread(
          ALL,
          {},
          { UniqueProcess: 0, UniqueThread: UniqueThread + bits },
        );
        note([process.status, opened.status]);
        note(yield* NtCompareObjects(process.handle, -1));
        note(yield* NtCompareObjects(opened.handle, -2));
      }
    });
    expect(seen).toEqual([
      [STATUS.SUCCESS, STATUS.SUCCESS],
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      [STATUS.SUCCESS, STATUS.SUCCESS],
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      [STATUS.SUCCESS, STATUS.SUCCESS],
      STATUS.SUCCESS,
      STATUS.SUCCESS,
    ]);
  });

  test('ps.process-009: NtOpenProcess needs attributes and a client id', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      note((yield* NtOpenProcess(ALL, null, { UniqueProcess: 4, UniqueThread: 0 })).status);
      note((yield* NtOpenProcess(ALL, {}, null)).status);
    });
    expect(seen).toEqual([STATUS.ACCESS_VIOLATION, STATUS.INVALID_PARAMETER_MIX]);
  });

  test('ps.process-010, ps.process-011: NtOpenProcess finds processes by their own ids, and by those of their threads', async () => {
    const { seen } = await runUser(function* (_machine, note, thread) {
      const own = clientIdOf(thread);
      const ids = [
        { UniqueProcess: 0, UniqueThread: 0 },
        { UniqueProcess: 0xdeadbeef, UniqueThread: 0xdeadbeef },
        { UniqueProcess: own.UniqueThread, UniqueThread: 0 },
        { UniqueProcess: own.UniqueProcess, UniqueThread: 0 },
        own,
      ];
      for (const id of ids) {
        const { status, handle } = yield* NtOpenProcess(ALL, {}, id);
        note([status, handle !== 0]);
      }
    });
    expect(seen).toEqual([
      [STATUS.INVALID_CID, false],
      [STATUS.INVALID_CID, false],
      [STATUS.INVALID_CID, false],
      [STATUS.SUCCESS, true],
      [STATUS.SUCCESS, true],
    ]);
  });

  test('ps.thread-008: NtOpenThread gives the implied right with a right, and checks the process id', async () => {
    const { seen } = await runUser(function* (_machine, note, thread) {
      const own = clientIdOf(thread);
      const { handle } = yield* NtOpenThread(THREAD_ACCESS.QUERY_INFORMATION, {}, own);
      const { handleInformation } = yield* ObReferenceObjectByHandle(
        handle,
        0,
        null,
        MODE.UserMode,
      );
      note(handleInformation.GrantedAccess);
      for (const UniqueProcess of [0, 0xdeadbeef])
        note(yield* NtOpenThread(ALL, {}, { ...own, UniqueProcess }));
      note(yield* NtOpenThread(ALL, {}, { UniqueProcess: 0, UniqueThread: 0xdeadbeef }));
    });
    expect(seen).toEqual([
      0x840,
      { status: STATUS.SUCCESS, handle: 8 },
      { status: STATUS.INVALID_CID, handle: 0 },
      { status: STATUS.INVALID_CID, handle: 0 },
    ]);
  });
});

describe('NtGetNextThread and NtGetNextProcess', () => {
  test('ps.thread-012, ps.thread-014: give the threads in the order in which they were made, ended ones too', async () => {
    const { seen } = await runUser(function* (_machine, note, thread) {
      const made = yield* createThread(-1, function* () {});
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -1000);
      let { status, handle } = yield* NtGetNextThread(-1, 0, ALL, 0, 0);
      while (status === STATUS.SUCCESS) {
        const { object } = yield* ObReferenceObjectByHandle<KThread>(
          handle,
          0,
          null,
          MODE.UserMode,
        );
        note(object === thread ? 'main' : object?.state);
        ({ status, handle } = yield* NtGetNextThread(-1, handle, ALL, 0, 0));
      }
      note([status, handle, made.status]);
    });
    expect(seen).toEqual(['main', KTHREAD_STATE.Terminated, [STATUS.NO_MORE_ENTRIES, 0, 0]]);
  });

  test('ps.thread-013: refuse bad handles and flags', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      note(yield* NtGetNextThread(0xdeadbeec, 0, ALL, 0, 0));
      note(yield* NtGetNextThread(-1, 0xdeadbeec, ALL, 0, 0));
      note((yield* NtGetNextThread(-1, 0, ALL, 0, 1)).status);
      note((yield* NtGetNextThread(-1, 0, ALL, 0, 2)).status);
    });
    expect(seen).toEqual([
      { status: STATUS.INVALID_HANDLE, handle: 0 },
      { status: STATUS.INVALID_HANDLE, handle: 0 },
      STATUS.SUCCESS,
      STATUS.INVALID_PARAMETER,
    ]);
  });

  test('ps.process-012: NtGetNextProcess comes to the current process, then to an end', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const first = yield* NtGetNextProcess(0, ALL, 0, 0);
      const second = yield* NtGetNextProcess(first.handle, ALL, 0, 0);
      for (const { handle } of [first, second]) {
        const basic = yield* NtQueryInformationProcess(handle, 0, 48);
        note([yield* NtCompareObjects(handle, -1), basic.UniqueProcessId]);
      }
      note((yield* NtGetNextProcess(second.handle, ALL, 0, 0)).status);
      const last = yield* NtGetNextProcess(0, ALL, 0, 1);
      note([last.status, yield* NtCompareObjects(last.handle, -1)]);
      note((yield* NtGetNextProcess(0, ALL, 0, 2)).status);
    });
    expect(seen).toEqual([
      [STATUS.NOT_SAME_OBJECT, 4],
      [STATUS.SUCCESS, 12],
      STATUS.NO_MORE_ENTRIES,
      [STATUS.SUCCESS, STATUS.SUCCESS],
      STATUS.INVALID_PARAMETER,
    ]);
  });
});

describe('NtCreateUserProcess', () => {
  test('ps.process-003: takes CREATE_SUSPENDED for thread flags only', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      note((yield* createChild(SUSPENDED | THREAD_CREATE_FLAGS.HIDE_FROM_DEBUGGER)).status);
      const { status, processHandle } = yield* createChild(SUSPENDED);
      note([status, yield* NtTerminateProcess(processHandle, 0)]);
    });
    expect(seen).toEqual([STATUS.INVALID_PARAMETER, [STATUS.SUCCESS, STATUS.SUCCESS]]);
  });

  test('ps.process-004: gives handles with the access that was asked for', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const access = PROCESS_ACCESS.TERMINATE | PROCESS_ACCESS.QUERY_INFORMATION;
      const made = yield* NtCreateUserProcess(access, 0x100000, null, null, 0, 0, null, CHILD);
      note([made.status, yield* NtTerminateProcess(made.processHandle, 0)]);
    });
    expect(seen).toEqual([[STATUS.SUCCESS, STATUS.SUCCESS]]);
  });

  test('ps.process-017: the parent that was asked for is the parent, not the creator', async () => {
    const { seen } = await runUser(function* (_machine, note, thread) {
      const b = yield* createChild(SUSPENDED);
      const c = yield* createChild(SUSPENDED, { ...CHILD, parentProcess: b.processHandle });
      const id = c.clientId?.UniqueProcess ?? 0;
      const { process } = PsLookupProcessByProcessId(id);
      note(
        process && PsGetProcessInheritedFromUniqueProcessId(process) === b.clientId?.UniqueProcess,
      );
      note(clientIdOf(thread).UniqueProcess === b.clientId?.UniqueProcess);
    });
    expect(seen).toEqual([true, false]);
  });

  test('ps.thread-007: NtCreateThread fails for a context that is not mapped', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      note((yield* NtCreateThread(ALL, null, -1, 0x10000, null, false)).status);
    });
    expect(seen).toEqual([STATUS.ACCESS_VIOLATION]);
  });

  test('the host makes a process in the context of a system thread, or of the creator', async () => {
    const machine = await Machine.create({ processors: 1 });
    const ps = processManager(machine);
    const main = machine.loadProgram(program('main', (p) => p.delay(1e9)));
    const first = ps.createProcess({ image: 'C:\\first.exe', commandLine: 'first /x', main });
    machine.run({ until: 1e6 });
    const creator = first.thread as KThread;
    const second = ps.createProcess({ image: 'C:\\second.exe', creator, main });
    machine.run({ until: 2e6 });
    expect([first.status, second.status]).toEqual([STATUS.SUCCESS, STATUS.SUCCESS]);
    expect(second.process?.parentIndex).toBe(first.process?.index);
  });
});

describe('suspension', () => {
  test('ps.thread-009: needs a handle', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      note((yield* NtSuspendThread(0)).status);
      note((yield* NtResumeThread(0)).status);
    });
    expect(seen).toEqual([STATUS.INVALID_HANDLE, STATUS.INVALID_HANDLE]);
  });

  test('ps.thread-010: NtSuspendThread and NtResumeThread give the count before', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { threadHandle } = yield* createThread(-1, sleeper);
      const calls = [
        NtResumeThread,
        NtSuspendThread,
        NtSuspendThread,
        NtResumeThread,
        NtResumeThread,
      ];
      for (const call of calls) note((yield* call(threadHandle)).previousSuspendCount);
      note(yield* NtTerminateProcess(0, 0));
    });
    expect(seen).toEqual([0, 0, 1, 2, 1, STATUS.SUCCESS]);
  });

  test('ps.thread-011: NtSuspendThread goes up to 127', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { threadHandle } = yield* createThread(-1, sleeper, SUSPENDED);
      let count = 1;
      let { status } = yield* NtSuspendThread(threadHandle);
      while (status === STATUS.SUCCESS) {
        count++;
        ({ status } = yield* NtSuspendThread(threadHandle));
      }
      note([count, status]);
      note(yield* NtResumeThread(threadHandle));
      yield* NtTerminateProcess(0, 0);
    });
    expect(seen).toEqual([
      [127, STATUS.SUSPEND_COUNT_EXCEEDED],
      { status: STATUS.SUCCESS, previousSuspendCount: 127 },
    ]);
  });

  test('ps.process-008: NtSuspendProcess and NtResumeProcess count on every thread', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const child = yield* createChild();
      const { threadHandle: m, processHandle: c } = child;
      note((yield* NtSuspendThread(m)).previousSuspendCount);
      note(yield* NtResumeProcess(c));
      note(yield* NtSuspendProcess(0));
      note(yield* NtResumeProcess(c));
      note(yield* NtSuspendProcess(c));
      note((yield* NtSuspendThread(m)).previousSuspendCount);
      note((yield* NtResumeThread(m)).previousSuspendCount);
      note(yield* NtTerminateProcess(c, 0));
    });
    expect(seen).toEqual([0, 0, STATUS.INVALID_HANDLE, 0, 0, 1, 2, 0]);
  });
});

describe('termination', () => {
  test('ke.sched-023: NtCreateThreadEx takes a group affinity, and refuses one of an absent processor alone', async () => {
    const { seen } = await runUser(
      function* (_, note, thread) {
        const make = (Mask: bigint, Group: number) =>
          NtCreateThreadEx(ALL, null, -1, sleeper, 0, SUSPENDED, 0, 0, 0, {
            groupAffinity: { Mask, Group },
          });
        const made = yield* make(2n, 0);
        const group = THREADINFOCLASS.ThreadGroupInformation;
        const { Mask, Group } = yield* NtQueryInformationThread(made.threadHandle, group, 16);
        note([made.status, Mask, Group]);
        note((yield* make(4n, 0)).status);
        note((yield* make(1n, 1)).status);
        note((yield* make(0n, 0)).status);
        note(thread.process.threadCount);
        yield* NtTerminateThread(made.threadHandle, 0);
      },
      { processors: 2 },
    );
    const refused = STATUS.INVALID_PARAMETER;
    expect(seen).toEqual([[0, 2n, 0], refused, refused, refused, 2]);
  });

  test('ps.thread-019: NtTerminateThread needs the right; the thread ends with the status', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const weak = yield* NtCreateThreadEx(
        THREAD_ACCESS.QUERY_INFORMATION,
        null,
        -1,
        sleeper,
        0,
        0,
        0,
        0,
        0,
        null,
      );
      note(yield* NtTerminateThread(weak.threadHandle, 99));
      const { threadHandle } = yield* createThread(-1, sleeper);
      note(yield* NtTerminateThread(threadHandle, 99));
      const { object } = yield* ObReferenceObjectByHandle<KThread>(
        threadHandle,
        0,
        null,
        MODE.UserMode,
      );
      if (object === undefined) return;
      note(
        yield* KeWaitForSingleObject(object, KWAIT_REASON.UserRequest, MODE.UserMode, false, null),
      );
      note(object.exitStatus);
      yield* NtTerminateProcess(0, 0);
    });
    expect(seen).toEqual([STATUS.ACCESS_DENIED, STATUS.SUCCESS, STATUS.SUCCESS, 99]);
  });

  test('ps.process-015: suspended threads do not keep a process from ending', async () => {
    const { seen, machine } = await runUser(function* (_machine, note) {
      const { processHandle } = yield* createChild(SUSPENDED);
      const remote = yield* createThread(processHandle, sleeper, SUSPENDED);
      note(yield* NtTerminateThread(remote.threadHandle, 0));
      note(yield* NtTerminateProcess(processHandle, 0));
      note(yield* NtTerminateProcess(processHandle, 0));
    });
    expect(seen).toEqual([STATUS.SUCCESS, STATUS.SUCCESS, STATUS.PROCESS_IS_TERMINATING]);
    expect([...machine.allProcesses()].length).toBe(2);
  });

  test('NtTerminateProcess of the caller does not return', async () => {
    const { seen, machine } = await runUser(function* (_machine, note) {
      yield* NtTerminateProcess(-1, 5);
      note('returned');
    });
    expect(seen).toEqual([]);
    expect([...machine.allProcesses()].map((process) => process.exitStatus)).toEqual([0, 5]);
  });

  test('ps.thread-015: a remote thread runs when each of its suspensions is taken back', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { processHandle } = yield* createChild();
      const ran = () => note(`runs in ${currentGuest('test').thread.process.name}`);
      const { threadHandle } = yield* createThread(
        processHandle,
        function* () {
          ran();
          yield* KeDelayExecutionThread(MODE.UserMode, false, -1);
        },
        SUSPENDED,
      );
      note((yield* NtSuspendThread(threadHandle)).previousSuspendCount);
      note((yield* NtResumeThread(threadHandle)).previousSuspendCount);
      yield* KeDelayExecutionThread(MODE.UserMode, false, -10_000_000);
      note('still suspended');
      note((yield* NtResumeThread(threadHandle)).previousSuspendCount);
      yield* KeDelayExecutionThread(MODE.UserMode, false, -10_000_000);
      yield* NtTerminateProcess(processHandle, 0);
    });
    // The thread is boosted when it is resumed: it runs before who has resumed it goes on.
    expect(seen).toEqual([1, 2, 'still suspended', 'runs in C:\\child.exe', 1]);
  });

  test('ps.thread-016: handles are those of the process that the thread is of', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { processHandle } = yield* createChild();
      const type = EVENT_TYPE.NotificationEvent;
      const own = yield* NtCreateEvent(EVENT_ACCESS.ALL_ACCESS, null, type, false);
      const given = yield* NtDuplicateObject(
        -1,
        own.handle,
        processHandle,
        0,
        0,
        DUPLICATE.SAME_ACCESS,
      );
      const run = function* (body: () => NtCall<unknown>) {
        const { threadHandle } = yield* createThread(processHandle, function* () {
          note(yield* body());
        });
        yield* NtWaitForSingleObject(threadHandle, false, null);
      };
      yield* run(() => NtSetEvent(given.handle));
      yield* run(() => NtClose(given.handle));
      yield* run(() => NtSetEvent(given.handle));
      note(yield* NtResetEvent(own.handle));
      yield* NtTerminateProcess(processHandle, 0);
    });
    expect(seen).toEqual([
      { status: STATUS.SUCCESS, previousState: 0 },
      STATUS.SUCCESS,
      { status: STATUS.INVALID_HANDLE },
      { status: STATUS.SUCCESS, previousState: 1 },
    ]);
  });
});

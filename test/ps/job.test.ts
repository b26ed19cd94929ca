import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import { program } from '../../src/machine/program';
import type { KThread } from '../../src/machine/views';
import { NtClose } from '../../src/ob/handle';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { objectManager } from '../../src/ob/state';
import { PsJobType } from '../../src/ob/types';
import { JOB_OBJECT_MSG } from '../../src/ps/job';
import { JOBOBJECTINFOCLASS } from '../../src/ps/job-information-class';
import { JOB_OBJECT_LIMIT } from '../../src/ps/job-limits';
import { NtQueryInformationJobObject } from '../../src/ps/job-query';
import {
  PsGetJobLock,
  PsGetJobSessionId,
  PsGetJobUIRestrictionsClass,
  PsGetProcessJob,
  PsSetJobUIRestrictionsClass,
} from '../../src/ps/job-routines';
import {
  NtAssignProcessToJobObject,
  NtIsProcessInJob,
  NtTerminateJobObject,
} from '../../src/ps/job-services';
import {
  accounts,
  end,
  idsIn,
  limit,
  listen,
  makeChild,
  makeJob,
  messages,
  pause,
  SELF,
} from './jobs';
import { runUser } from './user';

const { NEW_PROCESS, EXIT_PROCESS, ACTIVE_PROCESS_ZERO, ABNORMAL_EXIT_PROCESS } = {
  NEW_PROCESS: JOB_OBJECT_MSG.NEW_PROCESS,
  EXIT_PROCESS: JOB_OBJECT_MSG.EXIT_PROCESS,
  ACTIVE_PROCESS_ZERO: JOB_OBJECT_MSG.ACTIVE_PROCESS_ZERO,
  ABNORMAL_EXIT_PROCESS: JOB_OBJECT_MSG.ABNORMAL_EXIT_PROCESS,
};
const BREAKAWAY_OK = JOB_OBJECT_LIMIT.BREAKAWAY_OK;
const SILENT = JOB_OBJECT_LIMIT.SILENT_BREAKAWAY_OK;
const IN = STATUS.PROCESS_IN_JOB;
const OUT = STATUS.PROCESS_NOT_IN_JOB;

/** The id of a host thread's process. */
const idOf = (thread: KThread) => thread.process.index * 8 - 4;

/** A job of the caller's, and one that is nested in it, which the caller is in too. */
function* nestSelf() {
  const parent = yield* makeJob();
  const inner = yield* makeJob();
  yield* NtAssignProcessToJobObject(parent, SELF);
  yield* NtAssignProcessToJobObject(inner, SELF);
  return { parent, inner };
}

/** The caller in P, which lets out or not, and J1, which is nested in it with a process of its own. */
function* nestOther(flags = 0) {
  const parent = yield* makeJob();
  const first = yield* makeJob();
  yield* limit(parent, { LimitFlags: flags });
  yield* NtAssignProcessToJobObject(parent, SELF);
  const child = yield* makeChild();
  yield* NtAssignProcessToJobObject(first, child.handle);
  yield* end(child.handle);
  return { parent, first };
}

describe('NtAssignProcessToJobObject', () => {
  test('ps.job-001: puts a process into a job, which it names when it has ended, and where it is not listed then', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      const other = yield* makeJob();
      const { handle, id } = yield* makeChild();
      note([yield* NtIsProcessInJob(handle, job), yield* accounts(job)]);
      note(yield* NtAssignProcessToJobObject(job, handle));
      for (const at of [job, other, 0]) note(yield* NtIsProcessInJob(handle, at));
      note([yield* accounts(job), (yield* idsIn(job)).ProcessIdList?.[0] === id]);
      yield* end(handle);
      note([yield* NtIsProcessInJob(handle, job), (yield* idsIn(job)).ProcessIdList]);
      note(yield* accounts(job));
    });
    expect(seen).toEqual([
      [OUT, [0, 0, 0]],
      STATUS.SUCCESS,
      IN,
      OUT,
      IN,
      [[1, 1, 0], true],
      [IN, []],
      [1, 0, 0],
    ]);
  });

  test('ps.job-003: takes no process that has been terminated', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      const { handle } = yield* makeChild();
      yield* end(handle);
      note(yield* NtAssignProcessToJobObject(job, handle));
      note(yield* accounts(job));
    });
    expect(seen).toEqual([STATUS.PROCESS_IS_TERMINATING, [0, 0, 0]]);
  });

  test('ps.job-016: does not nest a job that has had a process of its own', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const jobs = [yield* makeJob(), yield* makeJob()] as const;
      const first = yield* makeChild([jobs[0]]);
      const second = yield* makeChild([jobs[1]]);
      note(yield* NtAssignProcessToJobObject(jobs[1], first.handle));
      yield* end(second.handle);
      note(yield* NtAssignProcessToJobObject(jobs[1], first.handle));
    });
    expect(seen).toEqual([STATUS.ACCESS_DENIED, STATUS.ACCESS_DENIED]);
  });

  test('NtAssignProcessToJobObject succeeds again for a job that the process is in, and changes nothing', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      note(yield* NtAssignProcessToJobObject(job, SELF));
      note(yield* NtAssignProcessToJobObject(job, SELF));
      note(yield* accounts(job));
    });
    expect(seen).toEqual([STATUS.SUCCESS, STATUS.SUCCESS, [1, 1, 0]]);
  });
});

describe('NtQueryInformationJobObject', () => {
  test('ps.job-004: JobObjectBasicProcessIdList lists the living in the order of their assignment, as many as there is room for', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      const dead = yield* makeChild([job]);
      const a = yield* makeChild([job]);
      const b = yield* makeChild([job]);
      yield* end(dead.handle);
      note((yield* idsIn(job, 8)).status);
      note((yield* idsIn(job, 16)).status);
      const { status, returnLength, ...list } = yield* idsIn(job);
      note([status, returnLength, list.NumberOfAssignedProcesses, list.NumberOfProcessIdsInList]);
      note(list.ProcessIdList?.map((id) => (id === a.id ? 'a' : id === b.id ? 'b' : 'other')));
    });
    expect(seen).toEqual([
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.BUFFER_OVERFLOW,
      [STATUS.SUCCESS, 24, 2, 2],
      ['a', 'b'],
    ]);
  });

  test('ps.job-014: a job that nobody has been in is nested in that of the process; a handle of 0 is the job of the caller', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const parent = yield* makeJob();
      const job = yield* makeJob();
      yield* NtAssignProcessToJobObject(parent, SELF);
      const child = yield* makeChild();
      note(yield* NtAssignProcessToJobObject(parent, child.handle));
      note(yield* NtAssignProcessToJobObject(job, child.handle));
      note([yield* NtIsProcessInJob(child.handle, job), yield* NtIsProcessInJob(child.handle, 0)]);
      note(yield* NtIsProcessInJob(SELF, job));
      note(yield* accounts(0));
      note(yield* accounts(-1));
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      [IN, IN],
      OUT,
      [2, 2, 0],
      [STATUS.INVALID_HANDLE],
    ]);
  });

  test('NtQueryInformationJobObject with a handle of 0 is denied to a caller in no job', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      note(yield* accounts(0));
      const class_ = JOBOBJECTINFOCLASS.JobObjectBasicAccountingInformation;
      note((yield* NtQueryInformationJobObject(0, class_, 47)).status);
      note((yield* NtQueryInformationJobObject(0, 77, 48)).status);
    });
    expect(seen).toEqual([
      [STATUS.ACCESS_DENIED],
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INVALID_INFO_CLASS,
    ]);
  });
});

describe('the port of a job', () => {
  test('ps.job-007: is told of processes that are there, that come and that go, and of the last', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      const p2 = yield* makeChild();
      const p1 = yield* makeChild();
      const name = (at: unknown) => (at === p1.id ? 'p1' : at === p2.id ? 'p2' : at);
      const read = function* () {
        const all = (yield* messages(port)) as unknown[][];
        note(all.map(([key, message, id]) => [key, message, name(id)]));
      };
      yield* NtAssignProcessToJobObject(job, p2.handle);
      const port = yield* listen(job, 'key');
      yield* NtAssignProcessToJobObject(job, p1.handle);
      yield* read();
      yield* end(p1.handle);
      yield* read();
      yield* end(p2.handle);
      yield* read();
    });
    expect(seen).toEqual([
      [
        ['key', NEW_PROCESS, 'p2'],
        ['key', NEW_PROCESS, 'p1'],
      ],
      [['key', EXIT_PROCESS, 'p1']],
      [
        ['key', EXIT_PROCESS, 'p2'],
        ['key', ACTIVE_PROCESS_ZERO, 0],
      ],
    ]);
  });

  test('ps.job-015: hears of nested jobs from within', async () => {
    const { seen } = await runUser(function* (_machine, note, thread) {
      const { parent, inner } = yield* nestSelf();
      const port = yield* listen(inner, 'J');
      yield* listen(parent, 'P', port);
      const child = yield* makeChild();
      const all = (yield* messages(port)) as unknown[][];
      const name = (id: unknown) => (id === child.id ? 'child' : id === idOf(thread) && 'caller');
      note(all.map(([key, message, id]) => [key, message, name(id)]));
      note(yield* messages(port));
    });
    expect(seen).toEqual([
      [
        ['J', NEW_PROCESS, 'caller'],
        ['P', NEW_PROCESS, 'caller'],
        ['J', NEW_PROCESS, 'child'],
        ['P', NEW_PROCESS, 'child'],
      ],
      [],
    ]);
  });

  test('is told of a process that an exception has ended', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      const child = yield* makeChild([job]);
      const port = yield* listen(job, 0);
      yield* end(child.handle, STATUS.ACCESS_VIOLATION);
      note(((yield* messages(port)) as unknown[][]).map(([, message]) => message));
    });
    expect(seen).toEqual([[NEW_PROCESS, ABNORMAL_EXIT_PROCESS, ACTIVE_PROCESS_ZERO]]);
  });
});

describe('NtTerminateJobObject', () => {
  test('ps.job-010: a job is not signaled by the end of its last process', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const main = machine.loadProgram(program('ends', (p) => p.compute(1000)));
      yield* makeChild([job], false, main);
      note(yield* NtWaitForSingleObject(job, false, -1_000_000));
      note(yield* accounts(job));
    });
    expect(seen).toEqual([STATUS.TIMEOUT, [1, 0, 0]]);
  });

  test('NtTerminateJobObject ends the processes of nested jobs too, and signals the job', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const outer = yield* makeJob();
      const inner = yield* makeJob();
      const a = yield* makeChild([outer]);
      const b = yield* makeChild([outer, inner]);
      note(yield* NtTerminateJobObject(outer, 7));
      note(yield* NtWaitForSingleObject(outer, false, -10_000));
      note(yield* NtWaitForSingleObject(inner, false, 0));
      for (const { handle } of [a, b]) note(yield* NtWaitForSingleObject(handle, false, -10_000));
      note([yield* accounts(outer), yield* accounts(inner)]);
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.TIMEOUT,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      [
        [2, 0, 0],
        [1, 0, 0],
      ],
    ]);
  });

  test('NtTerminateJobObject of the own job does not return to user mode', async () => {
    const { seen, machine, thread } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      yield* NtAssignProcessToJobObject(job, SELF);
      note('assigned');
      yield* NtTerminateJobObject(job, 3);
      note('returned');
    });
    expect(seen).toEqual(['assigned']);
    expect(machine.process(thread.process.index)?.exitStatus).toBe(3);
  });
});

describe('NtCreateUserProcess', () => {
  test('ps.job-011: a child is in the job of its parent', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      yield* NtAssignProcessToJobObject(job, SELF);
      const child = yield* makeChild();
      note([yield* NtIsProcessInJob(child.handle, job), yield* accounts(job)]);
    });
    expect(seen).toEqual([[IN, [2, 2, 0]]]);
  });

  test('ps.job-012: a child breaks away from jobs that let it, up to the first that does not', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { parent, inner } = yield* nestSelf();
      note((yield* makeChild([], true)).status);
      yield* limit(inner, { LimitFlags: BREAKAWAY_OK });
      const { handle } = yield* makeChild([], true);
      note([yield* NtIsProcessInJob(handle, inner), yield* NtIsProcessInJob(handle, parent)]);
    });
    expect(seen).toEqual([STATUS.ACCESS_DENIED, [OUT, IN]]);
  });

  test('ps.job-013: a child is in neither job if both let it break away, and leaves the inner one without asking if that says so', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { parent, inner } = yield* nestSelf();
      yield* limit(inner, { LimitFlags: BREAKAWAY_OK });
      yield* limit(parent, { LimitFlags: BREAKAWAY_OK });
      const free = yield* makeChild([], true);
      note(yield* NtIsProcessInJob(free.handle, 0));
      yield* limit(inner, { LimitFlags: SILENT });
      const silent = yield* makeChild();
      note(yield* NtIsProcessInJob(silent.handle, inner));
      note(yield* accounts(inner));
    });
    expect(seen).toEqual([OUT, OUT, [1, 1, 0]]);
  });

  test('ps.job-020: a job of the list is nested in that of the caller', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const parent = yield* makeJob();
      const first = yield* makeJob();
      yield* NtAssignProcessToJobObject(parent, SELF);
      const { handle } = yield* makeChild([first]);
      note([yield* NtIsProcessInJob(handle, parent), yield* NtIsProcessInJob(handle, first)]);
      yield* end(handle);
      note(yield* accounts(first));
    });
    expect(seen).toEqual([
      [IN, IN],
      [1, 0, 0],
    ]);
  });

  test('ps.job-021: a child that cannot come into the second job of the list has been in the first', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { first } = yield* nestOther();
      const job = yield* makeJob();
      const port = yield* listen(job, 0);
      note((yield* makeChild([job, first])).status);
      note(((yield* messages(port)) as unknown[][]).map(([, message]) => message));
      note([yield* accounts(job), yield* accounts(first)]);
    });
    expect(seen).toEqual([
      STATUS.ACCESS_DENIED,
      [NEW_PROCESS, EXIT_PROCESS, ACTIVE_PROCESS_ZERO],
      [
        [1, 0, 0],
        [1, 0, 0],
      ],
    ]);
  });

  test('ps.job-022: a job keeps the place that a creation has given it which failed', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const { parent, first } = yield* nestOther(BREAKAWAY_OK);
      const job = yield* makeJob();
      yield* makeChild([job, first]);
      const { handle } = yield* makeChild([job], true);
      note([yield* NtIsProcessInJob(handle, parent), yield* NtIsProcessInJob(handle, job)]);
      note((yield* makeChild([first, job])).status);
    });
    expect(seen).toEqual([[IN, IN], STATUS.ACCESS_DENIED]);
  });

  test('ps.job-023: jobs of the list are nested in its order, and who joins the innermost is in all', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const parent = yield* makeJob();
      yield* limit(parent, { LimitFlags: BREAKAWAY_OK });
      yield* NtAssignProcessToJobObject(parent, SELF);
      const jobs = [yield* makeJob(), yield* makeJob()] as const;
      const children = [yield* makeChild(jobs), yield* makeChild([jobs[1]], true)];
      for (const { handle } of children)
        for (const job of [parent, ...jobs]) note(yield* NtIsProcessInJob(handle, job));
    });
    expect(seen).toEqual([IN, IN, IN, IN, IN, IN]);
  });

  test('NtCreateUserProcess needs jobs in its list that there are', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      note((yield* makeChild([4444])).status);
      note((yield* makeChild([SELF])).status);
    });
    expect(seen).toEqual([STATUS.INVALID_HANDLE, STATUS.OBJECT_TYPE_MISMATCH]);
  });

  test("a program's createProcess makes a child in the job of its process", async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const child = machine.loadProgram(program('child', (p) => p.compute(100)));
      const parent = machine.loadProgram(
        program('parent', (p) => p.createProcess(p.register(), child, PRIORITY_CLASS.Normal)),
      );
      yield* makeChild([job], false, parent);
      yield* pause(5);
      note(yield* accounts(job));
    });
    expect(seen).toEqual([[2, 0, 0]]);
  });
});

describe('routines of jobs by pointer', () => {
  test('tell the job of a process, its session and UI restrictions, and give it a lock', async () => {
    const { seen } = await runUser(function* (_machine, note, thread) {
      const job = yield* makeJob();
      note(PsGetProcessJob(thread.process));
      yield* NtAssignProcessToJobObject(job, SELF);
      const object = PsGetProcessJob(thread.process);
      if (object === null) return;
      note(PsGetJobSessionId(object));
      PsSetJobUIRestrictionsClass(object, 3);
      note(PsGetJobUIRestrictionsClass(object));
      const lock = PsGetJobLock(object);
      note([lock === PsGetJobLock(object), lock.activeCount]);
    });
    expect(seen).toEqual([null, 0, 3, [true, 0]]);
  });
});

describe('a job object', () => {
  test('lives on without a handle while a process is in it, and goes with the last', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const jobs = () => objectManager(machine).statistics(PsJobType).objects;
      const { handle } = yield* makeChild([job]);
      yield* NtClose(job);
      note([yield* NtIsProcessInJob(handle, 0), jobs()]);
      yield* end(handle);
      note(jobs());
    });
    expect(seen).toEqual([[IN, 1], 0]);
  });
});

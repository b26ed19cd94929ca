import { describe, expect, test } from 'vitest';
import { KPROCESS } from '../../assembly/shared/layout';
import { STATUS } from '../../assembly/shared/status';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import type { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import { NtClose } from '../../src/ob/handle';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { NtResumeThread, NtSuspendThread } from '../../src/ps/control-services';
import { NtCreateUserProcess, NtCreateThreadEx } from '../../src/ps/create-services';
import { PROCESSINFOCLASS, THREADINFOCLASS } from '../../src/ps/information-class';
import { JOB_OBJECT_END_OF_JOB, JOB_OBJECT_MSG } from '../../src/ps/job';
import { JOBOBJECTINFOCLASS } from '../../src/ps/job-information-class';
import { JOB_OBJECT_LIMIT } from '../../src/ps/job-limits';
import { NtQueryInformationJobObject } from '../../src/ps/job-query';
import { JOB_OBJECT_CPU_RATE_CONTROL } from '../../src/ps/job-rate';
import { NtAssignProcessToJobObject } from '../../src/ps/job-services';
import { NtSetInformationJobObject } from '../../src/ps/job-set';
import { NtQueryInformationProcess } from '../../src/ps/process-query';
import { NtSetInformationProcess } from '../../src/ps/process-set';
import { NtQueryInformationThread } from '../../src/ps/thread-query';
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

const BASIC_LIMIT = JOBOBJECTINFOCLASS.JobObjectBasicLimitInformation;
const END_OF_JOB = JOBOBJECTINFOCLASS.JobObjectEndOfJobTimeInformation;
const RATE = JOBOBJECTINFOCLASS.JobObjectCpuRateControlInformation;
const NOTIFY = JOBOBJECTINFOCLASS.JobObjectNotificationLimitInformation;
const FREEZE = JOBOBJECTINFOCLASS.JobObjectFreezeInformation;
const UI = JOBOBJECTINFOCLASS.JobObjectBasicUIRestrictions;
const CLASS = PROCESSINFOCLASS.ProcessPriorityClass;
const AFFINITY = PROCESSINFOCLASS.ProcessAffinityMask;
const NOT_ENOUGH_QUOTA = 1816;
const HARD = JOB_OBJECT_CPU_RATE_CONTROL.ENABLE | JOB_OBJECT_CPU_RATE_CONTROL.HARD_CAP;
/** Of the default profile. */
const CYCLES_PER_MICROSECOND = 3000;
const TWO_PROCESSORS = { processors: 2 };

/** A program that computes for ever. */
const busy = (machine: Machine) =>
  machine.loadProgram(program('busy', (p) => p.forever(() => p.compute(1_000_000))));

function* exitOf(process: number) {
  const basic = PROCESSINFOCLASS.ProcessBasicInformation;
  return (yield* NtQueryInformationProcess(process, basic, 48)).ExitStatus;
}

function* userTimeOf(process: number) {
  const times = yield* NtQueryInformationProcess(process, PROCESSINFOCLASS.ProcessTimes, 32);
  return times.UserTime;
}

/** Its run time as a part of so many ms of one processor. */
function* percentOf(process: number, ms: number) {
  const cycles = PROCESSINFOCLASS.ProcessCycleTime;
  const { AccumulatedCycles = 0 } = yield* NtQueryInformationProcess(process, cycles, 16);
  return Math.round(AccumulatedCycles / CYCLES_PER_MICROSECOND / (ms * 10));
}

describe('an active-process limit', () => {
  test('keeps a new process out, which the port hears of, and ends one that is assigned', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      const port = yield* listen(job, 0);
      yield* limit(job, { LimitFlags: JOB_OBJECT_LIMIT.ACTIVE_PROCESS, ActiveProcessLimit: 1 });
      yield* makeChild([job]);
      note((yield* makeChild([job])).status);
      const other = yield* makeChild();
      note(yield* NtAssignProcessToJobObject(job, other.handle));
      yield* pause();
      note([yield* exitOf(other.handle), yield* accounts(job)]);
      note(((yield* messages(port)) as unknown[][]).map(([, message]) => message));
    });
    expect(seen).toEqual([
      STATUS.QUOTA_EXCEEDED,
      STATUS.QUOTA_EXCEEDED,
      [NOT_ENOUGH_QUOTA, [3, 1, 2]],
      [
        JOB_OBJECT_MSG.NEW_PROCESS,
        JOB_OBJECT_MSG.ACTIVE_PROCESS_LIMIT,
        JOB_OBJECT_MSG.ACTIVE_PROCESS_LIMIT,
      ],
    ]);
  });

  test('of an outer job counts for a nested one, and lets others in as its processes end', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const outer = yield* makeJob();
      const inner = yield* makeJob();
      yield* limit(outer, { LimitFlags: JOB_OBJECT_LIMIT.ACTIVE_PROCESS, ActiveProcessLimit: 1 });
      const first = yield* makeChild([outer, inner]);
      note((yield* makeChild([inner])).status);
      yield* end(first.handle);
      note((yield* makeChild([inner])).status);
    });
    expect(seen).toEqual([STATUS.QUOTA_EXCEEDED, STATUS.SUCCESS]);
  });
});

describe('KILL_ON_JOB_CLOSE', () => {
  test('ends what is in a job with its last handle', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      yield* limit(job, { LimitFlags: JOB_OBJECT_LIMIT.KILL_ON_JOB_CLOSE });
      const child = yield* makeChild([job]);
      yield* NtClose(job);
      note(yield* NtWaitForSingleObject(child.handle, false, -100_000));
      note(yield* exitOf(child.handle));
    });
    expect(seen).toEqual([STATUS.SUCCESS, STATUS.SUCCESS]);
  });
});

describe('limits of priority and affinity', () => {
  test('are given to processes that are there and that come, whatever they ask for', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      const there = yield* makeChild([job]);
      note(
        yield* limit(job, {
          LimitFlags: JOB_OBJECT_LIMIT.PRIORITY_CLASS | JOB_OBJECT_LIMIT.AFFINITY,
          PriorityClass: PRIORITY_CLASS.BelowNormal,
          Affinity: 2n,
        }),
      );
      const comes = yield* makeChild([job]);
      const high = { Foreground: false, PriorityClass: PRIORITY_CLASS.High };
      note(yield* NtSetInformationProcess(comes.handle, CLASS, high, 2));
      note(yield* NtSetInformationProcess(comes.handle, AFFINITY, 3n, 8));
      for (const { handle } of [there, comes]) {
        note((yield* NtQueryInformationProcess(handle, CLASS, 2)).PriorityClass);
        note((yield* NtQueryInformationProcess(handle, AFFINITY, 16)).Mask);
      }
    }, TWO_PROCESSORS);
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      PRIORITY_CLASS.BelowNormal,
      2n,
      PRIORITY_CLASS.BelowNormal,
      2n,
    ]);
  });

  test('of nested jobs are the lowest class, and a part of the outer processors', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const outer = yield* makeJob();
      const inner = yield* makeJob();
      yield* limit(outer, {
        LimitFlags: JOB_OBJECT_LIMIT.PRIORITY_CLASS | JOB_OBJECT_LIMIT.AFFINITY,
        PriorityClass: PRIORITY_CLASS.Idle,
        Affinity: 1n,
      });
      const { handle } = yield* makeChild([outer, inner]);
      const flags = JOB_OBJECT_LIMIT.PRIORITY_CLASS;
      note(yield* limit(inner, { LimitFlags: flags, PriorityClass: PRIORITY_CLASS.Normal }));
      note((yield* NtQueryInformationProcess(handle, CLASS, 2)).PriorityClass);
      note(yield* limit(inner, { LimitFlags: JOB_OBJECT_LIMIT.AFFINITY, Affinity: 2n }));
    }, TWO_PROCESSORS);
    expect(seen).toEqual([STATUS.SUCCESS, PRIORITY_CLASS.Idle, STATUS.INVALID_PARAMETER]);
  });

  test('a scheduling class is a quantum of long fixed quanta, and above 5 needs a privilege', async () => {
    const { seen, machine } = await runUser(
      function* (_machine, note) {
        const job = yield* makeJob();
        const flags = JOB_OBJECT_LIMIT.SCHEDULING_CLASS;
        note(yield* limit(job, { LimitFlags: flags, SchedulingClass: 10 }));
        note(yield* limit(job, { LimitFlags: flags, SchedulingClass: 6 }));
        note(yield* limit(job, { LimitFlags: flags, SchedulingClass: 0 }));
        const { id } = yield* makeChild([job]);
        note(id);
      },
      { processors: 1, profile: { win32PrioritySeparation: 0x18 } },
    );
    const id = seen[3] as number;
    const child = machine.process((id + 4) / 8);
    expect(seen.slice(0, 3)).toEqual([
      STATUS.INVALID_PARAMETER,
      STATUS.PRIVILEGE_NOT_HELD,
      STATUS.SUCCESS,
    ]);
    expect(machine.memory.u32((child?.address ?? 0) + KPROCESS.QuantumReset)).toBe(6);
  });
});

describe('limits of user time', () => {
  test('of a process end it at the tick at which it has passed them', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const port = yield* listen(job, 0);
      yield* limit(job, {
        LimitFlags: JOB_OBJECT_LIMIT.PROCESS_TIME,
        PerProcessUserTimeLimit: 1_000_000,
      });
      const child = yield* makeChild([job], false, busy(machine));
      yield* pause(500);
      note([yield* exitOf(child.handle), yield* userTimeOf(child.handle)]);
      note(yield* accounts(job));
      note(((yield* messages(port)) as unknown[][]).map(([, message]) => message));
    });
    expect(seen).toEqual([
      [NOT_ENOUGH_QUOTA, 1_093_750],
      [1, 0, 1],
      [
        JOB_OBJECT_MSG.NEW_PROCESS,
        JOB_OBJECT_MSG.END_OF_PROCESS_TIME,
        JOB_OBJECT_MSG.EXIT_PROCESS,
        JOB_OBJECT_MSG.ACTIVE_PROCESS_ZERO,
      ],
    ]);
  });

  test('of a job end all in it and signal it', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const main = busy(machine);
      yield* limit(job, { LimitFlags: JOB_OBJECT_LIMIT.JOB_TIME, PerJobUserTimeLimit: 1_000_000 });
      const children = [yield* makeChild([job], false, main), yield* makeChild([job], false, main)];
      note(yield* NtWaitForSingleObject(job, false, -10_000_000));
      yield* pause(50);
      for (const { handle } of children) note(yield* exitOf(handle));
      note(yield* accounts(job));
    });
    expect(seen).toEqual([STATUS.SUCCESS, NOT_ENOUGH_QUOTA, NOT_ENOUGH_QUOTA, [2, 0, 2]]);
  });

  test('of a job that is to post is told of once, and is no limit then', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      note(yield* NtSetInformationJobObject(job, END_OF_JOB, JOB_OBJECT_END_OF_JOB.POST, 4));
      const port = yield* listen(job, 0);
      yield* limit(job, { LimitFlags: JOB_OBJECT_LIMIT.JOB_TIME, PerJobUserTimeLimit: 1_000_000 });
      const child = yield* makeChild([job], false, busy(machine));
      yield* pause(500);
      note(((yield* messages(port)) as unknown[][]).map(([, message]) => message));
      note((yield* NtQueryInformationJobObject(job, BASIC_LIMIT, 64)).LimitFlags);
      note(yield* exitOf(child.handle));
      yield* end(child.handle);
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      [JOB_OBJECT_MSG.NEW_PROCESS, JOB_OBJECT_MSG.END_OF_JOB_TIME],
      0,
      STATUS.PENDING,
    ]);
  });

  test('count from when they are set', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const child = yield* makeChild([job], false, busy(machine));
      yield* pause(300);
      yield* limit(job, { LimitFlags: JOB_OBJECT_LIMIT.JOB_TIME, PerJobUserTimeLimit: 2_000_000 });
      yield* pause(150);
      note(yield* exitOf(child.handle));
      yield* pause(150);
      note(yield* exitOf(child.handle));
    });
    expect(seen).toEqual([STATUS.PENDING, NOT_ENOUGH_QUOTA]);
  });

  test('of a notification are told of and hold nobody', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const port = yield* listen(job, 0);
      const flags = JOB_OBJECT_LIMIT.JOB_TIME;
      const wish = { LimitFlags: flags, PerJobUserTimeLimit: 1_000_000 };
      note(yield* NtSetInformationJobObject(job, NOTIFY, wish, 48));
      const child = yield* makeChild([job], false, busy(machine));
      yield* pause(300);
      note(((yield* messages(port)) as unknown[][]).map(([, message]) => message));
      const violation = JOBOBJECTINFOCLASS.JobObjectLimitViolationInformation;
      note((yield* NtQueryInformationJobObject(job, violation, 80)).ViolationLimitFlags);
      yield* end(child.handle);
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      [JOB_OBJECT_MSG.NEW_PROCESS, JOB_OBJECT_MSG.NOTIFICATION_LIMIT],
      JOB_OBJECT_LIMIT.JOB_TIME,
    ]);
  });
});

describe('a CPU rate', () => {
  test('of a fifth, as a hard limit, leaves a job a fifth of the processor and others the rest', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const main = busy(machine);
      note(yield* NtSetInformationJobObject(job, RATE, { ControlFlags: HARD, CpuRate: 2000 }, 8));
      const held = yield* makeChild([job], false, main);
      const free = yield* makeChild([], false, main);
      yield* pause(6000);
      note([yield* percentOf(held.handle, 6000), yield* percentOf(free.handle, 6000)]);
      yield* end(held.handle);
      yield* end(free.handle);
    });
    expect(seen).toEqual([STATUS.SUCCESS, [20, 80]]);
  });

  test('is of all processors, and of a nested job a part of what the outer one has', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const outer = yield* makeJob();
      const inner = yield* makeJob();
      const main = busy(machine);
      const half = { ControlFlags: HARD, CpuRate: 5000 };
      const children = [
        yield* makeChild([outer], false, main),
        yield* makeChild([outer, inner], false, main),
        yield* makeChild([outer, inner], false, main),
      ] as const;
      yield* NtSetInformationJobObject(inner, RATE, half, 8);
      yield* NtSetInformationJobObject(outer, RATE, half, 8);
      yield* pause(6000);
      const percent: number[] = [];
      for (const { handle } of children) percent.push(yield* percentOf(handle, 6000));
      const [alone, first, second] = percent as [number, number, number];
      note([alone + first + second > 97, alone + first + second < 103]);
      note(first + second <= 51);
      for (const { handle } of children) yield* end(handle);
    }, TWO_PROCESSORS);
    expect(seen).toEqual([[true, true], true]);
  });

  test('that is none is refused; 0 takes it back', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      for (const CpuRate of [0, 10_001])
        note(yield* NtSetInformationJobObject(job, RATE, { ControlFlags: HARD, CpuRate }, 8));
      note(yield* NtSetInformationJobObject(job, RATE, { ControlFlags: HARD, CpuRate: 100 }, 8));
      const child = yield* makeChild([job], false, busy(machine));
      yield* pause(2000);
      note(yield* NtSetInformationJobObject(job, RATE, { ControlFlags: 0 }, 8));
      const before = (yield* userTimeOf(child.handle)) ?? 0;
      yield* pause(1000);
      note(((yield* userTimeOf(child.handle)) ?? 0) - before > 9_000_000);
      yield* end(child.handle);
    });
    expect(seen).toEqual([
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      true,
    ]);
  });
});

describe('JobObjectFreezeInformation', () => {
  test('holds the threads of a job and those that are made, whatever their suspend counts', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const created = yield* NtCreateUserProcess(0x1fffff, 0x1fffff, null, null, 0, 0, null, {
        imageName: 'C:\\busy.exe',
        main: busy(machine),
        jobList: [job],
      });
      const { processHandle: process, threadHandle: thread } = created;
      note(yield* NtSetInformationJobObject(job, FREEZE, { Flags: 1, Freeze: true }, 16));
      const body = function* () {
        note('ran');
        yield* pause();
      };
      yield* NtCreateThreadEx(0x1fffff, null, process, body, 0, 0, 0, 0, 0, null);
      const before = (yield* userTimeOf(process)) ?? 0;
      yield* pause(200);
      note(((yield* userTimeOf(process)) ?? 0) - before);
      note((yield* NtSuspendThread(thread)).previousSuspendCount);
      note((yield* NtResumeThread(thread)).previousSuspendCount);
      const count = THREADINFOCLASS.ThreadSuspendCount;
      note((yield* NtQueryInformationThread(thread, count, 4)).SuspendCount);
      yield* pause(200);
      note(((yield* userTimeOf(process)) ?? 0) - before);
      yield* NtSetInformationJobObject(job, FREEZE, { Flags: 1, Freeze: false }, 16);
      yield* pause(200);
      note(((yield* userTimeOf(process)) ?? 0) - before > 1_500_000);
      yield* end(process);
    });
    expect(seen).toEqual([STATUS.SUCCESS, 0, 0, 1, 0, 0, 'ran', true]);
  });
});

describe('a job that holds its threads', () => {
  test('lets them end', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const job = yield* makeJob();
      const child = yield* makeChild([job], false, busy(machine));
      yield* NtSetInformationJobObject(job, FREEZE, { Flags: 1, Freeze: true }, 16);
      yield* pause(100);
      yield* end(child.handle, 5);
      note([yield* exitOf(child.handle), yield* accounts(job)]);
    });
    expect(seen).toEqual([[5, [1, 0, 0]]]);
  });

  test('does not let them go on while an outer job holds them', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const outer = yield* makeJob();
      const inner = yield* makeJob();
      const child = yield* makeChild([outer, inner], false, busy(machine));
      for (const job of [outer, inner])
        yield* NtSetInformationJobObject(job, FREEZE, { Flags: 1, Freeze: true }, 16);
      yield* pause(100);
      const before = (yield* userTimeOf(child.handle)) ?? 0;
      yield* NtSetInformationJobObject(inner, FREEZE, { Flags: 1, Freeze: false }, 16);
      yield* pause(100);
      note(((yield* userTimeOf(child.handle)) ?? 0) - before);
      yield* NtSetInformationJobObject(outer, FREEZE, { Flags: 1, Freeze: false }, 16);
      yield* pause(100);
      note(((yield* userTimeOf(child.handle)) ?? 0) > before);
      yield* end(child.handle);
    });
    expect(seen).toEqual([0, true]);
  });
});

describe('NtSetInformationJobObject', () => {
  test('refuses limits that are none, and changes nothing', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const job = yield* makeJob();
      const basic = (LimitFlags: number, more = {}) =>
        NtSetInformationJobObject(job, BASIC_LIMIT, { LimitFlags, ...more }, 64);
      note(yield* basic(JOB_OBJECT_LIMIT.KILL_ON_JOB_CLOSE));
      note(yield* basic(JOB_OBJECT_LIMIT.JOB_TIME | JOB_OBJECT_LIMIT.PRESERVE_JOB_TIME));
      note(yield* basic(JOB_OBJECT_LIMIT.AFFINITY, { Affinity: 0x100n }));
      note(yield* basic(JOB_OBJECT_LIMIT.PRIORITY_CLASS, { PriorityClass: 7 }));
      note(yield* basic(JOB_OBJECT_LIMIT.WORKINGSET, { MinimumWorkingSetSize: 9 }));
      note(yield* NtSetInformationJobObject(job, BASIC_LIMIT, { LimitFlags: 0 }, 63));
      note(yield* NtSetInformationJobObject(job, 1, null, 48));
      note((yield* NtQueryInformationJobObject(job, BASIC_LIMIT, 64)).LimitFlags);
    });
    expect(seen).toEqual([
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.INVALID_INFO_CLASS,
      0,
    ]);
  });

  test('a job with UI restrictions is not nested', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const outer = yield* makeJob();
      const job = yield* makeJob();
      note(yield* NtSetInformationJobObject(job, UI, 1, 4));
      note((yield* NtQueryInformationJobObject(job, UI, 4)).UIRestrictionsClass);
      yield* NtAssignProcessToJobObject(outer, SELF);
      note(yield* NtAssignProcessToJobObject(job, SELF));
      note((yield* idsIn(job)).ProcessIdList);
    });
    expect(seen).toEqual([STATUS.SUCCESS, 1, STATUS.ACCESS_DENIED, []]);
  });

  test('a second port is refused; 0 takes the first back', async () => {
    const { seen } = await runUser(function* (_machine, note) {
      const class_ = JOBOBJECTINFOCLASS.JobObjectAssociateCompletionPortInformation;
      const job = yield* makeJob();
      const port = yield* listen(job, 0);
      const set = (CompletionPort: number) =>
        NtSetInformationJobObject(job, class_, { CompletionKey: 0, CompletionPort }, 16);
      note(yield* set(port));
      note(yield* set(0));
      note(yield* set(0));
      note(yield* set(port + 400));
    });
    expect(seen).toEqual([
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_HANDLE,
    ]);
  });
});

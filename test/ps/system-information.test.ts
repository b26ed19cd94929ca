import { describe, expect, test } from 'vitest';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { encode } from '../../src/machine/instruction';
import { clientIdOf, processIdOf } from '../../src/ps/cid';
import {
  GetProcessInformation,
  MACHINE_ATTRIBUTES,
  NtQuerySystemInformationEx,
  PROCESS_INFORMATION_CLASS,
} from '../../src/ps/machine-type';
import { SYSTEM_INFORMATION_CLASS } from '../../src/ps/system-class';
import { NtQuerySystemInformation } from '../../src/ps/system-query';
import { NtSetSystemInformation, ZwSetSystemInformation } from '../../src/ps/system-set';
import { runUser } from './user';

const BASIC = SYSTEM_INFORMATION_CLASS.SystemBasicInformation;
const PERFORMANCE = SYSTEM_INFORMATION_CLASS.SystemProcessorPerformanceInformation;
const PROCESSES = SYSTEM_INFORMATION_CLASS.SystemProcessInformation;
const EXTENDED = SYSTEM_INFORMATION_CLASS.SystemExtendedProcessInformation;
const PROCESS_ID = SYSTEM_INFORMATION_CLASS.SystemProcessIdInformation;
const NULL = { address: 0 };
const PROCESS = -1;

describe('NtQuerySystemInformation', () => {
  test('ps.query-012: the class is looked at before the length', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQuerySystemInformation(0, { length: 0, ...NULL })).status);
      note((yield* NtQuerySystemInformation(0x8000_0000, { length: 0, ...NULL })).status);
    });
    expect(seen).toEqual([STATUS.INFO_LENGTH_MISMATCH, STATUS.INVALID_INFO_CLASS]);
  });

  test('ps.query-013: a class that there is not is found before a bad buffer', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQuerySystemInformation(9999, { length: 0, ...NULL })).status);
      note((yield* NtQuerySystemInformation(9999, { length: 1, ...NULL })).status);
      note((yield* NtQuerySystemInformation(9999, { length: 1, address: 1 })).status);
    });
    expect(seen).toEqual([
      STATUS.INVALID_INFO_CLASS,
      STATUS.INVALID_INFO_CLASS,
      STATUS.INVALID_INFO_CLASS,
    ]);
  });

  test('ps.query-014: SystemBasicInformation takes its exact length, and counts the processors', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        note((yield* NtQuerySystemInformation(-1, 64)).status);
        note((yield* NtQuerySystemInformation(BASIC, 0)).status);
        note((yield* NtQuerySystemInformation(BASIC, { length: 64, ...NULL })).status);
        note((yield* NtQuerySystemInformation(BASIC, 128)).status);
        note(yield* NtQuerySystemInformation(BASIC, 64));
      },
      { processors: 2 },
    );
    expect(seen).toEqual([
      STATUS.INVALID_INFO_CLASS,
      STATUS.INFO_LENGTH_MISMATCH,
      STATUS.ACCESS_VIOLATION,
      STATUS.INFO_LENGTH_MISMATCH,
      {
        status: STATUS.SUCCESS,
        returnLength: 64,
        TimerResolution: 156250,
        PageSize: 4096,
        NumberOfPhysicalPages: 0x10_0000,
        LowestPhysicalPageNumber: 1,
        HighestPhysicalPageNumber: 0x10_0000,
        AllocationGranularity: 0x1_0000,
        MinimumUserModeAddress: 0x1_0000,
        MaximumUserModeAddress: 0x7fff_fffe_ffff,
        ActiveProcessorsAffinityMask: 3n,
        NumberOfProcessors: 2,
      },
    ]);
  });

  test('ps.query-016: SystemProcessorPerformanceInformation tells of as many processors as there is room for; kernel time has the idle time in it', async () => {
    const { seen } = await runUser(
      function* (_, note) {
        yield [encode(OP.Compute, MODE.KernelMode), 40e6, 0];
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -500_000);
        note(yield* NtQuerySystemInformation(PERFORMANCE, 0));
        const one = yield* NtQuerySystemInformation(PERFORMANCE, 48);
        const all = yield* NtQuerySystemInformation(PERFORMANCE, 96);
        const more = yield* NtQuerySystemInformation(PERFORMANCE, 480);
        for (const { status, returnLength, Processors = [] } of [one, all, more])
          note([status, returnLength, Processors.length]);
        const { IdleTime = 0, KernelTime = 0 } = one.Processors?.[0] ?? {};
        note([IdleTime > 0, KernelTime > IdleTime]);
      },
      { processors: 2 },
    );
    expect(seen).toEqual([
      { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 96 },
      [STATUS.SUCCESS, 48, 1],
      [STATUS.SUCCESS, 96, 2],
      [STATUS.SUCCESS, 96, 2],
      [true, true],
    ]);
  });

  test('ps.query-035: SystemProcessIdInformation gives the native path of the executable of an id', async () => {
    const { seen } = await runUser(function* (machine, note, { process }) {
      const ask = function* (ProcessId: number, ImageName: object) {
        const empty = { Length: 0, MaximumLength: 0, ...ImageName };
        const buffer = { length: 24, ProcessId, ImageName: empty };
        return yield* NtQuerySystemInformation(PROCESS_ID, buffer);
      };
      const child = machine.createProcess({ name: 'C:\\child.exe' });
      const id = processIdOf(child);
      note(yield* NtQuerySystemInformation(PROCESS_ID, { length: 0, ...NULL }));
      note((yield* ask(0xdeadbeec, {})).status);
      note((yield* ask(0, {})).status);
      note(yield* ask(id, {}));
      note((yield* ask(id, { MaximumLength: 76, Buffer: NULL })).status);
      note((yield* ask(id, { Length: 1, MaximumLength: 76 })).status);
      note((yield* ask(id, { MaximumLength: 76 })).ImageName);
      note((yield* ask(processIdOf(process), { MaximumLength: 100 })).ImageName?.Buffer);
    });
    expect(seen).toEqual([
      { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 24 },
      STATUS.INVALID_CID,
      STATUS.INVALID_CID,
      {
        status: STATUS.INFO_LENGTH_MISMATCH,
        returnLength: 24,
        ProcessId: 20,
        ImageName: { Length: 0, MaximumLength: 68 },
      },
      STATUS.ACCESS_VIOLATION,
      STATUS.INVALID_PARAMETER,
      { Length: 66, MaximumLength: 68, Buffer: '\\Device\\HarddiskVolume3\\child.exe' },
      'user',
    ]);
  });

  test('SystemProcessInformation shows Idle, System and the others with their threads, each entry as far from the next as it is long', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      const sleeper = thread.process.createThread(
        function* () {
          yield* KeDelayExecutionThread(MODE.UserMode, false, -1e9);
        },
        { userMode: true, increment: 2 },
      );
      yield* KeDelayExecutionThread(MODE.UserMode, false, -100_000);
      const { returnLength = 0, status } = yield* NtQuerySystemInformation(PROCESSES, 0x10);
      const full = yield* NtQuerySystemInformation(PROCESSES, returnLength);
      const { Processes = [] } = full;
      note([status, full.status, full.returnLength === returnLength]);
      note(Processes.map(({ UniqueProcessId, ImageName }) => [UniqueProcessId, ImageName.Buffer]));
      note(Processes.map(({ NextEntryOffset }) => NextEntryOffset));
      const own = Processes[2];
      note([own?.NumberOfThreads, own?.BasePriority, own?.HandleCount]);
      note(own?.Threads.map((one) => [one.ThreadState, one.WaitReason, one.BasePriority]));
      note(own?.Threads[1]?.ClientId);
      note(clientIdOf(sleeper));
    });
    expect(seen).toEqual([
      [STATUS.INFO_LENGTH_MISMATCH, STATUS.SUCCESS, true],
      [
        [0, null],
        [4, 'System'],
        [12, 'user'],
      ],
      [0x150, 0x160, 0],
      [2, 8, 0],
      [
        [KTHREAD_STATE.Running, KWAIT_REASON.DelayExecution, 8],
        [KTHREAD_STATE.Waiting, KWAIT_REASON.DelayExecution, 10],
      ],
      { UniqueProcess: 12, UniqueThread: 24 },
      { UniqueProcess: 12, UniqueThread: 24 },
    ]);
  });

  test('SystemExtendedProcessInformation has longer entries of threads, with their TEBs', async () => {
    const { seen } = await runUser(function* (_, note) {
      const { returnLength: plain = 0 } = yield* NtQuerySystemInformation(PROCESSES, 0);
      const { returnLength: more = 0 } = yield* NtQuerySystemInformation(EXTENDED, 0);
      const { Processes = [] } = yield* NtQuerySystemInformation(EXTENDED, more);
      note([more - plain, Processes[2]?.Threads]);
    });
    expect(seen).toMatchObject([[56 * 3, [{ TebBase: 0x7f_f000_4000 }]]]);
  });

  test('a process that has ended is not shown by SystemProcessInformation, whoever refers to it', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const child = machine.createProcess({ name: 'C:\\child.exe' });
      child.createThread(function* () {}, { userMode: true });
      yield* KeDelayExecutionThread(MODE.UserMode, false, -100_000);
      const { Processes = [] } = yield* NtQuerySystemInformation(PROCESSES, 0x10000);
      note([child.exited, Processes.map(({ UniqueProcessId }) => UniqueProcessId)]);
    });
    expect(seen).toEqual([[true, [0, 4, 12]]]);
  });

  test('the classes of times and processors have their exact lengths', async () => {
    const { seen } = await runUser(function* (_, note) {
      const time = yield* NtQuerySystemInformation(
        SYSTEM_INFORMATION_CLASS.SystemTimeOfDayInformation,
        48,
      );
      note([time.returnLength, (time.CurrentTime ?? 0n) >= (time.BootTime ?? 1n)]);
      note(
        yield* NtQuerySystemInformation(
          SYSTEM_INFORMATION_CLASS.SystemTimeAdjustmentInformation,
          12,
        ),
      );
      const interrupts = SYSTEM_INFORMATION_CLASS.SystemInterruptInformation;
      note((yield* NtQuerySystemInformation(interrupts, 24)).Processors?.[0]?.TimeIncrement);
      const processor = SYSTEM_INFORMATION_CLASS.SystemProcessorInformation;
      note((yield* NtQuerySystemInformation(processor, 12)).MaximumProcessors);
      const performance = SYSTEM_INFORMATION_CLASS.SystemPerformanceInformation;
      note((yield* NtQuerySystemInformation(performance, 344)).ContextSwitches);
      note((yield* NtQuerySystemInformation(performance, 343)).status);
    });
    expect(seen).toEqual([
      [48, true],
      {
        status: STATUS.SUCCESS,
        returnLength: 12,
        TimeAdjustment: 156250,
        TimeIncrement: 156250,
        Enable: true,
      },
      156250,
      1,
      2,
      STATUS.INFO_LENGTH_MISMATCH,
    ]);
  });
});

test('SystemProcessInformation and ProcessVmCounters leave a process that nobody has looked at without executive data', async () => {
  const { seen } = await runUser(function* (machine, note) {
    const child = machine.createProcess({ name: 'C:\\child.exe' });
    const { Processes = [] } = yield* NtQuerySystemInformation(PROCESSES, 0x10000);
    const { VirtualSize } = Processes[3] ?? {};
    note([VirtualSize, child.executive]);
  });
  expect(seen).toEqual([[0x20000 + 0x1f8000 + 0xbe000 + 0x2f6000, undefined]]);
});

test('ps.query-043: the machine of a process is the supported architecture that is marked as its own', async () => {
  const { seen } = await runUser(function* (_, note) {
    const MACHINE = PROCESS_INFORMATION_CLASS.ProcessMachineTypeInfo;
    note((yield* GetProcessInformation(PROCESS, MACHINE, 0)).status);
    note((yield* GetProcessInformation(PROCESS, MACHINE, 7)).status);
    note((yield* GetProcessInformation(PROCESS, MACHINE, 9)).status);
    note(yield* GetProcessInformation(PROCESS, MACHINE, 8));
    const supported = SYSTEM_INFORMATION_CLASS.SystemSupportedProcessorArchitectures;
    const { Architectures = [] } = yield* NtQuerySystemInformationEx(supported, PROCESS, 12);
    note(Architectures.filter(({ Process }) => Process).map(({ Machine }) => Machine));
    note((yield* NtQuerySystemInformationEx(supported, 0x1234, 12)).status);
    note(yield* NtQuerySystemInformationEx(supported, 0, 11));
    note((yield* NtQuerySystemInformationEx(5, 0, 12)).status);
  });
  expect(seen).toEqual([
    STATUS.INFO_LENGTH_MISMATCH,
    STATUS.INFO_LENGTH_MISMATCH,
    STATUS.INFO_LENGTH_MISMATCH,
    {
      status: STATUS.SUCCESS,
      ProcessMachine: 0x8664,
      MachineAttributes: MACHINE_ATTRIBUTES.UserEnabled | MACHINE_ATTRIBUTES.KernelEnabled,
    },
    [0x8664],
    STATUS.INVALID_HANDLE,
    { status: STATUS.BUFFER_TOO_SMALL, returnLength: 12 },
    STATUS.INVALID_INFO_CLASS,
  ]);
});

test('ke.timer-011: NtSetSystemInformation resets the time adjustment for who may set the time', async () => {
  const { seen } = await runUser(function* (_, note) {
    const adjustment = SYSTEM_INFORMATION_CLASS.SystemTimeAdjustmentInformation;
    const none = { TimeAdjustment: 0, Enable: false };
    note(yield* NtSetSystemInformation(adjustment, none, 8));
    note(yield* ZwSetSystemInformation(adjustment, none, 4));
    note(yield* ZwSetSystemInformation(adjustment, none, 8));
    note(yield* ZwSetSystemInformation(adjustment, { TimeAdjustment: 0, Enable: true }, 8));
    const { TimeAdjustment, Enable } = yield* NtQuerySystemInformation(adjustment, 12);
    note([TimeAdjustment, Enable]);
    note(yield* ZwSetSystemInformation(adjustment, { TimeAdjustment: 156251, Enable: false }, 8));
    note(yield* ZwSetSystemInformation(BASIC, null, 8));
  });
  expect(seen).toEqual([
    STATUS.PRIVILEGE_NOT_HELD,
    STATUS.INFO_LENGTH_MISMATCH,
    STATUS.INTEGER_DIVIDE_BY_ZERO,
    STATUS.SUCCESS,
    [156250, true],
    STATUS.NOT_IMPLEMENTED,
    STATUS.INVALID_INFO_CLASS,
  ]);
});

import { describe, expect, test } from 'vitest';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { KOBJECTS, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  ExInitializeWorkItem,
  ExQueueWorkItem,
  WORK_QUEUE_TYPE,
  WorkQueueItem,
} from '../../src/ex/worker';
import { type FileDevice, type IoRequest, NtCreateFile, NtFsControlFile } from '../../src/io/file';
import { KeSetIdealProcessorThreadEx } from '../../src/ke/affinity';
import { KeAttachProcess, KeDetachProcess } from '../../src/ke/apc';
import { KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import { ExGetPreviousMode } from '../../src/ke/mode';
import { KeQueryRuntimeThread, KeQueryTotalCycleTimeThread } from '../../src/ke/runtime';
import { KeGetCurrentProcessorNumber } from '../../src/ke/topology';
import { currentGuest } from '../../src/machine/guest';
import { encode } from '../../src/machine/instruction';
import { Machine } from '../../src/machine/machine';
import {
  PsGetThreadProperty,
  PsIsCurrentThreadPrefetching,
  PsIsDiskCountersEnabled,
  PsQueryTotalCycleTimeProcess,
  PsSetCurrentThreadPrefetching,
  PsUpdateDiskCounters,
} from '../../src/ps/accounting';
import {
  PsAllocateAffinityToken,
  PsFreeAffinityToken,
  PsRevertToUserMultipleGroupAffinityThread,
  PsSetSystemMultipleGroupAffinityThread,
} from '../../src/ps/affinity-token';
import { threadRegisters } from '../../src/ps/context';
import { NtTerminateProcess } from '../../src/ps/control-services';
import { NtCreateUserProcess } from '../../src/ps/create-services';
import {
  IoGetCurrentProcess,
  KeGetCurrentThread,
  NtBuildNumber,
  PsGetCurrentProcess,
  PsGetCurrentProcessId,
  PsGetCurrentThreadId,
  PsGetProcessId,
  PsGetThreadId,
  PsGetThreadProcessId,
  RtlGetVersion,
  ZwCurrentProcess,
  ZwCurrentThread,
} from '../../src/ps/identity';
import { PROCESSINFOCLASS, THREADINFOCLASS } from '../../src/ps/information-class';
import { inspectProcess } from '../../src/ps/inspect';
import { processManager } from '../../src/ps/manager';
import { NtQueryInformationProcess } from '../../src/ps/process-query';
import { NtSetInformationProcess } from '../../src/ps/process-set';
import {
  IoGetInitiatorProcess,
  IoGetRequestorProcess,
  IoGetRequestorProcessId,
  IoIs32bitProcess,
} from '../../src/ps/requestor';
import { PsIsSystemThread } from '../../src/ps/system-thread';
import { NtQueryInformationThread } from '../../src/ps/thread-query';
import { NtSetInformationThread, ZwSetInformationThread } from '../../src/ps/thread-set';
import { callGuest, runGuest } from '../ke/guest';
import { runUser } from './user';

/** Who runs here, and what a wait for them that does not wait comes to. */
function* whoIsHere(machine: Machine) {
  const process = PsGetCurrentProcess();
  const thread = KeGetCurrentThread();
  const reason = KWAIT_REASON.Executive;
  return [
    process === IoGetCurrentProcess() && process.type,
    yield* KeWaitForSingleObject(process, reason, MODE.KernelMode, false, 0),
    yield* KeWaitForSingleObject(thread, reason, MODE.KernelMode, false, 0),
    PsGetProcessId(process) === PsGetCurrentProcessId(),
    PsGetThreadProcessId(thread) === PsGetCurrentProcessId(),
    PsGetThreadId(thread) === PsGetCurrentThreadId(),
    PsIsSystemThread(thread),
    ExGetPreviousMode(),
    process === machine.systemProcess,
  ];
}

/** Asks a device that does as it is told, in the context of the calling thread. */
function* ask(device: FileDevice) {
  const { handle } = yield* NtCreateFile(0x1f01ff, null, device, 'synchronousNonalert');
  return yield* NtFsControlFile(handle, 0, null, null, {}, 0);
}

describe('who runs', () => {
  test('ps.thread-001: a request is in the context of the user thread that makes it, a work item in that of a system thread', async () => {
    const { seen } = await runUser(function* (machine, note) {
      yield* ask({
        *fsControl() {
          note(yield* whoIsHere(machine));
          return STATUS.SUCCESS;
        },
      });
      const done = machine.createEvent('notification');
      const item = new WorkQueueItem();
      const work = function* () {
        note(yield* whoIsHere(machine));
        yield* KeSetEvent(done, 0, false);
      };
      ExInitializeWorkItem(item, work, null);
      yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
      yield* KeWaitForSingleObject(done, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    });
    const common = [KOBJECTS.ProcessObject, STATUS.TIMEOUT, STATUS.TIMEOUT, true, true, true];
    expect(seen).toEqual([
      [...common, false, MODE.UserMode, false],
      [...common, true, MODE.KernelMode, true],
    ]);
  });

  test('IoGetRequestorProcess is the process that made a request, wherever that is looked at', async () => {
    const { seen } = await runUser(function* (machine, note, thread) {
      const { images } = processManager(machine);
      images.describe('C:\\old.exe', { machine: 'x86' });
      const old = machine.createProcess({ name: 'C:\\old.exe' });
      yield* ask({
        *fsControl(request) {
          note(IoGetRequestorProcess(request) === thread.process);
          note(IoGetRequestorProcessId(request));
          note([IoIs32bitProcess(request), IoIs32bitProcess(null)]);
          note(IoGetInitiatorProcess(request.file));
          yield* KeAttachProcess(old);
          note([IoGetRequestorProcess(request) === old, IoIs32bitProcess(request)]);
          yield* KeDetachProcess();
          return STATUS.SUCCESS;
        },
      });
    });
    expect(seen).toEqual([true, 12, [false, false], null, [true, true]]);
  });

  test('RtlGetVersion and PsGetVersion tell of one build; ZwCurrentProcess and ZwCurrentThread are -1 and -2', async () => {
    const value = await callGuest(() => [
      RtlGetVersion().dwBuildNumber === (NtBuildNumber & 0xffff),
      RtlGetVersion().dwMajorVersion,
      ZwCurrentProcess(),
      ZwCurrentThread(),
    ]);
    expect(value).toEqual([true, 10, -1, -2]);
  });
});

describe('KeAttachProcess', () => {
  test('attaches to a process, and does nothing for the one that is current', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const other = machine.createProcess({ name: 'other' });
      yield* KeAttachProcess(machine.systemProcess);
      yield* KeDetachProcess();
      yield* KeAttachProcess(other);
      yield* KeAttachProcess(other);
      const attached = thread.attachedProcess.name;
      yield* KeDetachProcess();
      return [attached, thread.attachedProcess === machine.systemProcess];
    });
    expect(value).toEqual(['other', true]);
  });

  test('to another process while attached is bugcheck INVALID_PROCESS_ATTACH_ATTEMPT', async () => {
    const machine = await Machine.create();
    const [one, two] = [machine.createProcess(), machine.createProcess()];
    machine.systemProcess.createThread(function* () {
      yield* KeAttachProcess(one);
      yield* KeAttachProcess(two);
    });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      name: 'INVALID_PROCESS_ATTACH_ATTEMPT',
      parameters: [BigInt(two.handle), BigInt(one.handle), 1n, 0n],
    });
  });
});

describe('accounts', () => {
  test('KeQueryRuntimeThread counts clock intervals in both modes, KeQueryTotalCycleTimeThread cycles', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      yield [encode(OP.Compute, MODE.UserMode), 40e6, 0];
      yield [encode(OP.Compute, MODE.KernelMode), 20e6, 0];
      note(KeQueryRuntimeThread(thread));
      const { cycleTime, cycleTimeStamp } = KeQueryTotalCycleTimeThread(thread);
      note([cycleTime >= 180e6, cycleTimeStamp >= cycleTime]);
      note(PsQueryTotalCycleTimeProcess(thread.process).cycleTime === cycleTime);
    });
    expect(seen).toEqual([{ kernelTime: 1, userTime: 2 }, [true, true], true]);
  });

  test('ThreadIsIoPending is 1 while a request of the thread is not complete; ProcessIoCounters counts it', async () => {
    const { seen } = await runUser(function* (_, note) {
      const isPending = THREADINFOCLASS.ThreadIsIoPending;
      const counters = PROCESSINFOCLASS.ProcessIoCounters;
      const requests: IoRequest[] = [];
      const device: FileDevice = {
        fsControl(request) {
          requests.push(request);
          return STATUS.PENDING;
        },
      };
      const { handle } = yield* NtCreateFile(0x1f01ff, null, device, 'asynchronous');
      note((yield* NtQueryInformationThread(-2, isPending, 4)).IsIoPending);
      yield* NtFsControlFile(handle, 0, null, null, {}, 0);
      note((yield* NtQueryInformationThread(-2, isPending, 4)).IsIoPending);
      for (const request of requests) yield* request.complete(STATUS.SUCCESS);
      note((yield* NtQueryInformationThread(-2, isPending, 4)).IsIoPending);
      note((yield* NtQueryInformationProcess(-1, counters, 48)).OtherOperationCount);
    });
    expect(seen).toEqual([0, 1, 0, 1]);
  });

  test('ThreadQuerySetWin32StartAddress is the entry point of an executable, or what was set', async () => {
    const { seen } = await runUser(function* (machine, note, thread) {
      const start = THREADINFOCLASS.ThreadQuerySetWin32StartAddress;
      const { images } = processManager(machine);
      const image = images.describe('C:\\tool.exe', { base: 0x1_4000_0000 });
      const made = yield* NtCreateUserProcess(0x1fffff, 0x1fffff, null, null, 0, 1, null, {
        imageName: image.path,
      });
      note((yield* NtQueryInformationThread(made.threadHandle, start, 8)).Win32StartAddress);
      note(yield* NtSetInformationThread(-2, start, 0x1234, 8));
      note((yield* NtQueryInformationThread(-2, start, 8)).Win32StartAddress);
      note(threadRegisters(thread).Rcx);
      yield* NtTerminateProcess(made.processHandle, 0);
    });
    expect(seen).toEqual([0x1_4000_1000, STATUS.SUCCESS, 0x1234, 0n]);
  });

  test('PsUpdateDiskCounters adds up what a process reads and writes', async () => {
    const value = await callGuest(({ systemProcess }) => {
      PsUpdateDiskCounters(systemProcess, 100n, 0n, 1, 0, 0);
      PsUpdateDiskCounters(systemProcess, 1n, 50n, 1, 2, 3);
      return [PsIsDiskCountersEnabled(), inspectProcess(systemProcess).disk];
    });
    expect(value?.[0]).toBe(true);
    expect(value?.[1]).toEqual({
      BytesRead: 101n,
      BytesWritten: 50n,
      ReadOperationCount: 2,
      WriteOperationCount: 2,
      FlushOperationCount: 3,
    });
  });

  test('PsSetCurrentThreadPrefetching tells what was set before', async () => {
    const value = await callGuest((_, thread) => [
      PsIsCurrentThreadPrefetching(),
      PsSetCurrentThreadPrefetching(true),
      PsSetCurrentThreadPrefetching(true),
      PsIsCurrentThreadPrefetching(),
      PsGetThreadProperty(thread, 1, 0),
    ]);
    expect(value).toEqual([false, false, true, true, null]);
  });
});

describe('affinity', () => {
  test('PsSetSystemMultipleGroupAffinityThread holds until its token is given back', async () => {
    const { value } = await runGuest(
      function* (_, thread) {
        const { affinityToken } = PsAllocateAffinityToken();
        const set = (Mask: bigint, count: number) =>
          PsSetSystemMultipleGroupAffinityThread([{ Mask, Group: 0 }], count, affinityToken);
        const seen: unknown[] = [yield* set(0x10n, 1), yield* set(2n, 0), yield* set(2n, 1)];
        seen.push(KeGetCurrentProcessorNumber(), yield* set(1n, 1));
        yield* PsRevertToUserMultipleGroupAffinityThread(affinityToken);
        seen.push(thread.affinity);
        PsFreeAffinityToken(affinityToken);
        seen.push(yield* set(2n, 1));
        return seen;
      },
      { processors: 2 },
    );
    expect(value).toEqual([
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      1,
      STATUS.INVALID_PARAMETER,
      3n,
      STATUS.INVALID_PARAMETER,
    ]);
  });

  test('KeSetIdealProcessorThreadEx gives the processor before, and takes none of another group', async () => {
    const value = await callGuest(
      (_, thread) => [
        KeSetIdealProcessorThreadEx(thread, { Group: 0, Number: 1 }).status,
        KeSetIdealProcessorThreadEx(thread, { Group: 0, Number: 0 }),
        KeSetIdealProcessorThreadEx(thread, { Group: 1, Number: 0 }).status,
        thread.idealProcessor,
      ],
      { processors: 2 },
    );
    expect(value).toEqual([
      STATUS.SUCCESS,
      { status: STATUS.SUCCESS, previousIdealProcessor: { Group: 0, Number: 1 } },
      STATUS.INVALID_PARAMETER,
      0,
    ]);
  });
});

describe('ThreadBreakOnTermination and ProcessBreakOnTermination', () => {
  test('make the end of a critical thread bugcheck CRITICAL_PROCESS_DIED with a second parameter of 1', async () => {
    const machine = await Machine.create();
    const process = machine.createProcess({ name: 'csrss' });
    process.createThread(
      function* () {
        const number = THREADINFOCLASS.ThreadBreakOnTermination;
        yield* ZwSetInformationThread(-2, number, 1, 4);
      },
      { userMode: true },
    );
    const [thread] = process.threads();
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      name: 'CRITICAL_PROCESS_DIED',
      parameters: [BigInt(thread?.handle ?? 0), 1n, 0n, 0n],
    });
  });

  test('need a privilege that users do not have', async () => {
    const { seen } = await runUser(function* (_, note) {
      const number = PROCESSINFOCLASS.ProcessBreakOnTermination;
      note(yield* NtSetInformationProcess(-1, number, 1, 4));
      note(currentGuest('test').thread.process.exited);
    });
    expect(seen).toEqual([STATUS.PRIVILEGE_NOT_HELD, false]);
  });
});

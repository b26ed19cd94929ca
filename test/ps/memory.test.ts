import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { PsProcessType } from '../../src/ob/types';
import { PROCESS_ACCESS } from '../../src/ps/access';
import { MEM, PAGE } from '../../src/ps/address-space';
import { NtResumeThread, NtSuspendThread, NtTerminateProcess } from '../../src/ps/control-services';
import { NtCreateThreadEx, NtCreateUserProcess } from '../../src/ps/create-services';
import { PROCESSINFOCLASS } from '../../src/ps/information-class';
import {
  MEMORY_INFORMATION_CLASS,
  NtAllocateVirtualMemory,
  NtFreeVirtualMemory,
  NtQueryVirtualMemory,
  NtReadVirtualMemory,
  NtWriteVirtualMemory,
} from '../../src/ps/memory-services';
import { NtQueryInformationProcess } from '../../src/ps/process-query';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { runUser } from './user';

const PROCESS = -1;
const ALL = PROCESS_ACCESS.ALL_ACCESS;
const BOTH = MEM.COMMIT | MEM.RESERVE;
const RW = PAGE.READWRITE;
const MB16 = 0x100_0000;
const BASIC = MEMORY_INFORMATION_CLASS.MemoryBasicInformation;
const COUNTERS = PROCESSINFOCLASS.ProcessVmCounters;

const allocate = (handle: number, base: number, size: number, type = BOTH, protect: number = RW) =>
  NtAllocateVirtualMemory(handle, base, 0, size, type, protect);

function* virtualSize() {
  return (yield* NtQueryInformationProcess(PROCESS, COUNTERS, 88)).VirtualSize ?? 0;
}

test('ps.query-020: VirtualSize of ProcessVmCounters grows by what NtAllocateVirtualMemory reserves, not by what it commits', async () => {
  const { seen } = await runUser(function* (_, note) {
    const before = yield* virtualSize();
    yield* allocate(PROCESS, 0, MB16);
    const both = yield* virtualSize();
    const { baseAddress = 0 } = yield* allocate(PROCESS, 0, MB16, MEM.RESERVE);
    const reserved = yield* virtualSize();
    const { status } = yield* allocate(PROCESS, baseAddress, MB16, MEM.COMMIT);
    note([both - before, reserved - both, status, (yield* virtualSize()) - reserved]);
  });
  expect(seen).toEqual([[MB16, MB16, STATUS.SUCCESS, 0]]);
});

test('ps.process-007: NtReadVirtualMemory reads by a handle, and copies nothing from or to where nothing is', async () => {
  const { seen } = await runUser(function* (_, note) {
    const { baseAddress = 0 } = yield* allocate(PROCESS, 0, 0x2000);
    const bytes = new Uint8Array(4);
    const written = yield* NtWriteVirtualMemory(
      PROCESS,
      baseAddress + 0xffe,
      Uint8Array.of(1, 2, 3, 4),
      4,
    );
    note(written);
    note(yield* NtReadVirtualMemory(PROCESS, baseAddress + 0xffe, bytes, 4));
    note([...bytes]);
    note(yield* NtReadVirtualMemory(PROCESS, baseAddress, bytes, 4, null));
    note(yield* NtReadVirtualMemory(PROCESS, 0x1234, bytes, 4));
    note(yield* NtReadVirtualMemory(0, baseAddress, bytes, 4));
    note(yield* NtReadVirtualMemory(PROCESS, baseAddress, { address: 0x10 }, 4));
    note(yield* NtReadVirtualMemory(PROCESS, baseAddress + 0x1ffe, bytes, 4));
  });
  expect(seen).toEqual([
    { status: STATUS.SUCCESS, numberOfBytes: 4 },
    { status: STATUS.SUCCESS, numberOfBytes: 4 },
    [1, 2, 3, 4],
    { status: STATUS.SUCCESS, numberOfBytes: undefined },
    { status: STATUS.PARTIAL_COPY, numberOfBytes: 0 },
    { status: STATUS.INVALID_HANDLE, numberOfBytes: 0 },
    { status: STATUS.ACCESS_VIOLATION, numberOfBytes: 0 },
    { status: STATUS.PARTIAL_COPY, numberOfBytes: 2 },
  ]);
});

test('ps.process-014: each service of virtual memory needs its own right to the process', async () => {
  const { seen } = await runUser(function* (_, note, { process }) {
    const open = function* (access: number) {
      return (yield* ObOpenObjectByPointer(
        process,
        0,
        null,
        access,
        PsProcessType,
        MODE.KernelMode,
      )).handle;
    };
    const { baseAddress = 0 } = yield* allocate(PROCESS, 0, 0x1000);
    const operation = yield* open(PROCESS_ACCESS.VM_OPERATION);
    const rest = yield* open(ALL & ~(PROCESS_ACCESS.VM_OPERATION | PROCESS_ACCESS.VM_READ));
    const limited = yield* open(PROCESS_ACCESS.QUERY_LIMITED_INFORMATION);
    note((yield* allocate(rest, 0, 0x1000)).status);
    note((yield* NtQueryVirtualMemory(operation, baseAddress, BASIC, 48)).status);
    note(yield* NtReadVirtualMemory(rest, baseAddress, new Uint8Array(1), 1));
    note((yield* NtFreeVirtualMemory(rest, baseAddress, 0, MEM.RELEASE)).status);
    note((yield* NtQueryVirtualMemory(limited, baseAddress, BASIC, 48)).status);
  });
  expect(seen).toEqual([
    STATUS.ACCESS_DENIED,
    STATUS.ACCESS_DENIED,
    { status: STATUS.ACCESS_DENIED, numberOfBytes: 0 },
    STATUS.ACCESS_DENIED,
    STATUS.SUCCESS,
  ]);
});

test('ps.thread-021: a suspended thread holds nothing up in the memory of its process', async () => {
  const { seen } = await runUser(function* (_, note) {
    const made = yield* NtCreateUserProcess(ALL, ALL, null, null, 0, 0, null, {
      imageName: 'C:\\child.exe',
    });
    const { processHandle, threadHandle } = made;
    const other = yield* NtCreateThreadEx(
      ALL,
      null,
      PROCESS,
      function* () {
        for (let count = 0; count < 1000; count++) {
          const { baseAddress = 0 } = yield* allocate(processHandle, 0, 0x1000);
          yield* NtFreeVirtualMemory(processHandle, baseAddress, 0, MEM.RELEASE);
        }
      },
      0,
      0,
      0,
      0,
      0,
      null,
    );
    const counts = new Set<string>();
    for (let count = 0; count < 1000; count++) {
      const suspended = yield* NtSuspendThread(threadHandle);
      yield* KeDelayExecutionThread(MODE.UserMode, false, 0);
      const resumed = yield* NtResumeThread(threadHandle);
      counts.add(`${suspended.previousSuspendCount} ${resumed.previousSuspendCount}`);
    }
    note([...counts]);
    note(yield* NtWaitForSingleObject(other.threadHandle, false, null));
    yield* NtTerminateProcess(processHandle, 0);
  });
  expect(seen).toEqual([['0 1'], STATUS.SUCCESS]);
});

test('NtQueryVirtualMemory tells runs of pages that are alike, and how much is free', async () => {
  const { seen } = await runUser(function* (_, note) {
    const { baseAddress = 0 } = yield* allocate(PROCESS, 0, 0x4000, MEM.RESERVE);
    yield* allocate(PROCESS, baseAddress + 0x1000, 0x1000, MEM.COMMIT, PAGE.READONLY);
    note(yield* NtQueryVirtualMemory(PROCESS, baseAddress + 0x800, BASIC, 48));
    note(yield* NtQueryVirtualMemory(PROCESS, baseAddress + 0x1000, BASIC, 48));
    note((yield* NtQueryVirtualMemory(PROCESS, baseAddress + 0x2000, BASIC, 48)).RegionSize);
    note((yield* NtQueryVirtualMemory(PROCESS, 0x8_0000_0000_0000, BASIC, 48)).status);
    yield* NtFreeVirtualMemory(PROCESS, baseAddress, 0, MEM.RELEASE);
    note((yield* NtQueryVirtualMemory(PROCESS, baseAddress, BASIC, 48)).State);
  });
  const common = {
    status: STATUS.SUCCESS,
    returnLength: 48,
    AllocationBase: 0x10000,
    AllocationProtect: RW,
    RegionSize: 0x1000,
    Type: MEM.PRIVATE,
  };
  expect(seen).toEqual([
    { ...common, BaseAddress: 0x10000, State: MEM.RESERVE, Protect: 0 },
    { ...common, BaseAddress: 0x11000, State: MEM.COMMIT, Protect: PAGE.READONLY },
    0x2000,
    STATUS.INVALID_PARAMETER,
    MEM.FREE,
  ]);
});

test('NtFreeVirtualMemory frees allocations whole or in parts, and nothing else', async () => {
  const { seen } = await runUser(function* (_, note) {
    const { baseAddress: base = 0 } = yield* allocate(PROCESS, 0, 0x3000);
    const free = (address: number, size: number, type: number) =>
      NtFreeVirtualMemory(PROCESS, address, size, type);
    note((yield* free(base, 0, MEM.COMMIT)).status);
    note((yield* free(base + 0x1000, 0, MEM.RELEASE)).status);
    note((yield* free(base, 0x4000, MEM.RELEASE)).status);
    note((yield* free(0x7ffa_0000_0000, 0, MEM.RELEASE)).status);
    note(yield* free(base + 0x1000, 0x10, MEM.RELEASE));
    note((yield* free(base + 0x1000, 0, MEM.RELEASE)).status);
    note((yield* free(base + 0x2000, 0, MEM.RELEASE)).status);
    note((yield* free(base, 0, MEM.DECOMMIT)).status);
    note((yield* NtReadVirtualMemory(PROCESS, base, new Uint8Array(1), 1)).status);
  });
  expect(seen).toEqual([
    STATUS.INVALID_PARAMETER_4,
    STATUS.FREE_VM_NOT_AT_BASE,
    STATUS.UNABLE_TO_FREE_VM,
    STATUS.UNABLE_TO_DELETE_SECTION,
    { status: STATUS.SUCCESS, baseAddress: 0x11000, regionSize: 0x1000 },
    STATUS.MEMORY_NOT_ALLOCATED,
    STATUS.SUCCESS,
    STATUS.SUCCESS,
    STATUS.PARTIAL_COPY,
  ]);
});

test('NtAllocateVirtualMemory says which parameter is wrong, and keeps allocations apart', async () => {
  const { seen } = await runUser(function* (_, note) {
    note((yield* NtAllocateVirtualMemory(PROCESS, 0, 64, 0x1000, BOTH, RW)).status);
    note((yield* allocate(PROCESS, 2 ** 48, 0x1000)).status);
    note((yield* allocate(PROCESS, 0, 0)).status);
    note((yield* allocate(PROCESS, 0, 0x1000, 0)).status);
    note((yield* allocate(PROCESS, 0, 0x1000, BOTH | MEM.LARGE_PAGES)).status);
    note((yield* allocate(PROCESS, 0, 0x1000, BOTH, 3)).status);
    note((yield* allocate(PROCESS, 0x50_1000, 0x1000)).baseAddress);
    note((yield* allocate(PROCESS, 0x50_0000, 0x1000)).status);
    note((yield* allocate(PROCESS, 0x60_0000, 0x1000, MEM.COMMIT)).status);
    note((yield* allocate(PROCESS, 0, 2 ** 47 - 0x20000)).status);
    note((yield* allocate(PROCESS, 0, 0x1_0000, BOTH | MEM.TOP_DOWN)).baseAddress);
  });
  expect(seen).toEqual([
    STATUS.INVALID_PARAMETER_3,
    STATUS.INVALID_PARAMETER_2,
    STATUS.INVALID_PARAMETER_4,
    STATUS.INVALID_PARAMETER_5,
    STATUS.NOT_IMPLEMENTED,
    STATUS.INVALID_PAGE_PROTECTION,
    0x50_0000,
    STATUS.CONFLICTING_ADDRESSES,
    STATUS.CONFLICTING_ADDRESSES,
    STATUS.NO_MEMORY,
    0x7fff_fffe_0000,
  ]);
});

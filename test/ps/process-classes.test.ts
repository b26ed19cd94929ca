import { expect, test } from 'vitest';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeQuerySystemTimePrecise } from '../../src/ke/time';
import { encode } from '../../src/machine/instruction';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { EVENT_ACCESS, EVENT_TYPE, NtCreateEvent } from '../../src/ob/services/event';
import { PsProcessType } from '../../src/ob/types';
import { PsGetProcessInheritedFromUniqueProcessId } from '../../src/ps/identity';
import { PROCESSINFOCLASS } from '../../src/ps/information-class';
import { processManager } from '../../src/ps/manager';
import { NtQueryInformationProcess, ZwQueryInformationProcess } from '../../src/ps/process-query';
import { NtSetInformationProcess } from '../../src/ps/process-set';
import { runUser } from './user';

const PROCESS = -1;
const NULL = { address: 0 };
const TIMES = PROCESSINFOCLASS.ProcessTimes;
const IMAGE = PROCESSINFOCLASS.ProcessImageInformation;
const HANDLES = PROCESSINFOCLASS.ProcessHandleInformation;
const COOKIE = PROCESSINFOCLASS.ProcessCookie;

const TELEMETRY = PROCESSINFOCLASS.ProcessTelemetryIdInformation;
const QUERIED = [
  0, 1, 2, 3, 4, 7, 10, 12, 14, 15, 18, 19, 20, 22, 23, 24, 26, 27, 28, 29, 30, 31, 32, 34, 36, 37,
];
const SET = [1, 5, 6, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 29, 31, 32, 34];

test('ps.query-005: ProcessTimes has a creation time that stays, and times in kernel and user mode that grow', async () => {
  const { seen } = await runUser(function* (_, note) {
    yield [encode(OP.Compute, MODE.UserMode), 50e6, 0];
    yield [encode(OP.Compute, MODE.KernelMode), 50e6, 0];
    const start = KeQuerySystemTimePrecise();
    const before = yield* NtQueryInformationProcess(PROCESS, TIMES, 32);
    yield [encode(OP.Compute, MODE.UserMode), 50e6, 0];
    yield [encode(OP.Compute, MODE.KernelMode), 50e6, 0];
    const after = yield* NtQueryInformationProcess(PROCESS, TIMES, 32);
    const age = start - (before.CreateTime ?? 0n);
    note([age > 0n, age < 100_000_000n, before.CreateTime === after.CreateTime]);
    note([before.ExitTime, after.ExitTime]);
    note([before.KernelTime, after.KernelTime, before.UserTime, after.UserTime]);
  });
  expect(seen).toEqual([
    [true, true, true],
    [0n, 0n],
    [468_750, 937_500, 468_750, 937_500],
  ]);
});

test('ps.query-009: NtQueryInformationProcess and NtSetInformationProcess know the classes of Windows', async () => {
  const { seen } = await runUser(function* (_, note) {
    for (const number of QUERIED)
      note((yield* NtQueryInformationProcess(PROCESS, number, 1_000_001)).status);
    for (const number of SET)
      note(yield* NtSetInformationProcess(PROCESS, number, null, 1_000_001));
    note((yield* NtQueryInformationProcess(PROCESS, 5, 4)).status);
    note(yield* NtSetInformationProcess(PROCESS, 0, null, 48));
  });
  const statuses = new Set(seen.slice(0, -2));
  expect(statuses).not.toContain(STATUS.INVALID_INFO_CLASS);
  expect(seen.slice(-2)).toEqual([STATUS.INVALID_INFO_CLASS, STATUS.INVALID_INFO_CLASS]);
});

test('ps.query-026: ProcessImageInformation is what the image’s header says', async () => {
  const { seen } = await runUser(function* (machine, note) {
    const { images } = processManager(machine);
    images.describe('C:\\tool.exe', {
      subsystem: 'console',
      base: 0x1_4000_0000,
      header: { subsystemVersion: [10, 1], systemVersion: [6, 3], entryPoint: 0x1234 },
    });
    const tool = machine.createProcess({ name: 'C:\\tool.exe' });
    const { handle } = yield* ObOpenObjectByPointer(tool, 0, null, 0x1fffff, PsProcessType, 0);
    note((yield* NtQueryInformationProcess(0, IMAGE, { length: 64, ...NULL })).status);
    note((yield* NtQueryInformationProcess(handle, IMAGE, 63)).status);
    note((yield* NtQueryInformationProcess(handle, IMAGE, 65)).status);
    note(yield* NtQueryInformationProcess(handle, IMAGE, 64));
  });
  expect(seen).toEqual([
    STATUS.INVALID_HANDLE,
    STATUS.INFO_LENGTH_MISMATCH,
    STATUS.INFO_LENGTH_MISMATCH,
    {
      status: STATUS.SUCCESS,
      returnLength: 64,
      TransferAddress: 0x1_4000_1234,
      ZeroBits: 0,
      MaximumStackSize: 0x10_0000,
      CommittedStackSize: 0x1000,
      SubSystemType: 3,
      SubSystemMinorVersion: 1,
      SubSystemMajorVersion: 10,
      MajorOperatingSystemVersion: 6,
      MinorOperatingSystemVersion: 3,
      ImageCharacteristics: 0x22,
      DllCharacteristics: 0x140,
      Machine: 0x8664,
      ImageContainsCode: true,
      ImageFlags: 4,
      LoaderFlags: 0,
      ImageFileSize: 0x20000,
      CheckSum: 0,
    },
  ]);
});

test('ps.process-001: PsGetProcessInheritedFromUniqueProcessId is what ProcessBasicInformation says', async () => {
  const { seen } = await runUser(function* (machine, note, { process }) {
    const child = machine.createProcess({ parent: process });
    const opened = yield* ObOpenObjectByPointer(child, 0x200, null, 0x400, null, MODE.KernelMode);
    const basic = yield* ZwQueryInformationProcess(
      opened.handle,
      PROCESSINFOCLASS.ProcessBasicInformation,
      48,
    );
    note([opened.status, basic.status, basic.InheritedFromUniqueProcessId]);
    note(PsGetProcessInheritedFromUniqueProcessId(child));
  });
  expect(seen).toEqual([[STATUS.SUCCESS, STATUS.SUCCESS, 12], 12]);
});

test('ProcessHandleInformation lists the handles of a process, and says how much they take', async () => {
  const { seen } = await runUser(function* (_, note) {
    const access = EVENT_ACCESS.ALL_ACCESS;
    const { handle } = yield* NtCreateEvent(access, null, EVENT_TYPE.NotificationEvent, false);
    note(yield* NtQueryInformationProcess(PROCESS, HANDLES, 16));
    const { Handles = [] } = yield* NtQueryInformationProcess(PROCESS, HANDLES, 56);
    note([Handles.length, Handles[0]?.HandleValue === handle, Handles[0]?.GrantedAccess]);
  });
  expect(seen).toEqual([
    { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 56 },
    [1, true, EVENT_ACCESS.ALL_ACCESS],
  ]);
});

test('ProcessCookie is told to the process itself alone', async () => {
  const { seen } = await runUser(function* (machine, note) {
    const other = machine.createProcess();
    const { handle } = yield* ObOpenObjectByPointer(other, 0, null, 0x1fffff, PsProcessType, 0);
    note((yield* NtQueryInformationProcess(PROCESS, COOKIE, 4)).status);
    note((yield* NtQueryInformationProcess(handle, COOKIE, 4)).status);
  });
  expect(seen).toEqual([STATUS.SUCCESS, STATUS.INVALID_PARAMETER]);
});

test('ProcessTelemetryIdInformation names a process for good, and says how much that takes', async () => {
  const { seen } = await runUser(function* (machine, note) {
    const { images } = processManager(machine);
    images.describe('C:\\tool.exe', { header: { checkSum: 0x1234 } });
    const tool = machine.createProcess({ name: 'C:\\tool.exe' });
    const { handle } = yield* ObOpenObjectByPointer(tool, 0, null, 0x1000, PsProcessType, 0);
    note(yield* NtQueryInformationProcess(handle, TELEMETRY, 96));
    const found = yield* NtQueryInformationProcess(handle, TELEMETRY, 196);
    note(found.CreateTime === tool.createTime100ns);
    note({ ...found, CreateTime: 0n, CreateInterruptTime: 0, CreateUnbiasedInterruptTime: 0 });
  });
  expect(seen).toEqual([
    { status: STATUS.BUFFER_TOO_SMALL, returnLength: 196 },
    true,
    {
      status: STATUS.SUCCESS,
      returnLength: 196,
      HeaderSize: 96,
      ProcessId: 20,
      ProcessStartKey: 0x1_0000_0000_0003n,
      CreateTime: 0n,
      CreateInterruptTime: 0,
      CreateUnbiasedInterruptTime: 0,
      ProcessSequenceNumber: 3,
      SessionId: 0,
      BootId: 1,
      ImageChecksum: 0x1234,
      UserSid: 'S-1-5-21-1004336348-1177238915-682003330-1001',
      ImagePath: '\\Device\\HarddiskVolume3\\tool.exe',
      CommandLine: '',
    },
  ]);
});

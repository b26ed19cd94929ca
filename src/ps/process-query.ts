import type { IoCounters } from './accounting';
import { STATUS } from '../../assembly/shared/status';
import { controlRequests } from '../io/file';
import { currentProcess } from '../ke/mode';
import { processAffinity, processBoostDisabled, processCycleTime } from '../ke/process';
import type { KProcess } from '../machine/views';
import type { HandleTable } from '../ob/handle-table';
import { PsProcessType } from '../ob/types';
import { processIdOf } from './cid';
import {
  executiveOf,
  parentIdOf,
  type ProcessExecutive,
  processExitStatus,
  processExitTime100ns,
} from './executive';
import {
  type Answer,
  type Classes,
  type QueryClass,
  queryService,
  type QueryInformation,
} from './information';
import { PROCESS_ACCESS } from './access';
import { handleSnapshot, type ProcessHandleSnapshot } from './handle-snapshot';
import { type PowerThrottlingState, throttlingOf } from './hints';
import {
  SECTION_IMAGE_INFORMATION_BYTES,
  type SectionImageInformation,
  sectionImageInformation,
} from './image-information';
import { PROCESSINFOCLASS } from './information-class';
import { processManager } from './manager';
import { processSettings } from './process-settings';
import {
  type PooledUsageAndLimits,
  pooledUsageAndLimits,
  QUOTA_LIMITS_BYTES,
  QUOTA_LIMITS_EX_BYTES,
  type QuotaLimits,
  quotaLimits,
} from './quota-limits';
import { serverSiloNumber } from './silo';
import { pebAddress } from './teb';
import { type ProcessTelemetryId, telemetryId } from './telemetry-id';
import type { KernelUserTimes } from './thread-query';
import {
  VM_COUNTERS_BYTES,
  VM_COUNTERS_EX_BYTES,
  type VmCounters,
  vmCounters,
} from './vm-counters';

/** What there is to know of a process by its handle. Times are 100 ns, system times since 1601. */

/** PROCESS_BASIC_INFORMATION; with a buffer of 64 bytes PROCESS_EXTENDED_BASIC_INFORMATION. */
export interface ProcessBasicInformation {
  /** STATUS_PENDING while it runs. */
  readonly ExitStatus: number;
  /** 0 of System and of minimal processes. */
  readonly PebBaseAddress: number;
  readonly AffinityMask: bigint;
  readonly BasePriority: number;
  readonly UniqueProcessId: number;
  readonly InheritedFromUniqueProcessId: number;
  /** Of the extended form. */
  readonly IsSubsystemProcess?: boolean;
  readonly IsWow64Process?: boolean;
  readonly IsProtectedProcess?: boolean;
}

/** UNICODE_STRING, written behind itself. */
export interface WrittenName {
  readonly Length: number;
  readonly MaximumLength: number;
  readonly Buffer: string;
}

/** What the classes of NtQueryInformationProcess give. */
export interface ProcessInformation {
  [PROCESSINFOCLASS.ProcessBasicInformation]: ProcessBasicInformation;
  [PROCESSINFOCLASS.ProcessQuotaLimits]: QuotaLimits;
  [PROCESSINFOCLASS.ProcessIoCounters]: IoCounters;
  [PROCESSINFOCLASS.ProcessVmCounters]: VmCounters;
  [PROCESSINFOCLASS.ProcessPooledUsageAndLimits]: PooledUsageAndLimits;
  [PROCESSINFOCLASS.ProcessTimes]: KernelUserTimes;
  [PROCESSINFOCLASS.ProcessDebugPort]: { readonly DebugPort: number };
  [PROCESSINFOCLASS.ProcessDefaultHardErrorMode]: { readonly DefaultHardErrorMode: number };
  [PROCESSINFOCLASS.ProcessPriorityClass]: {
    readonly Foreground: boolean;
    readonly PriorityClass: number;
  };
  [PROCESSINFOCLASS.ProcessHandleCount]: {
    readonly HandleCount: number;
  };
  [PROCESSINFOCLASS.ProcessAffinityMask]: { readonly Mask: bigint; readonly Group: number };
  [PROCESSINFOCLASS.ProcessPriorityBoost]: { readonly DisableBoost: number };
  [PROCESSINFOCLASS.ProcessSessionInformation]: { readonly SessionId: number };
  [PROCESSINFOCLASS.ProcessWow64Information]: { readonly Wow64Peb: number };
  [PROCESSINFOCLASS.ProcessImageFileName]: WrittenName;
  [PROCESSINFOCLASS.ProcessImageFileNameWin32]: WrittenName;
  [PROCESSINFOCLASS.ProcessCommandLineInformation]: WrittenName;
  [PROCESSINFOCLASS.ProcessLUIDDeviceMapsEnabled]: { readonly LUIDDeviceMapsEnabled: number };
  [PROCESSINFOCLASS.ProcessBreakOnTermination]: { readonly BreakOnTermination: number };
  [PROCESSINFOCLASS.ProcessDebugObjectHandle]: { readonly DebugObjectHandle: number };
  [PROCESSINFOCLASS.ProcessDebugFlags]: { readonly DebugFlags: number };
  [PROCESSINFOCLASS.ProcessIoPriority]: { readonly IoPriority: number };
  [PROCESSINFOCLASS.ProcessCycleTime]: {
    readonly AccumulatedCycles: number;
    readonly CurrentCycleCount: number;
  };
  [PROCESSINFOCLASS.ProcessPagePriority]: { readonly PagePriority: number };
  [PROCESSINFOCLASS.ProcessCookie]: { readonly Cookie: number };
  [PROCESSINFOCLASS.ProcessImageInformation]: SectionImageInformation;
  [PROCESSINFOCLASS.ProcessHandleInformation]: ProcessHandleSnapshot;
  [PROCESSINFOCLASS.ProcessGroupInformation]: { readonly Groups: readonly number[] };
  [PROCESSINFOCLASS.ProcessProtectionInformation]: { readonly Level: number };
  [PROCESSINFOCLASS.ProcessTelemetryIdInformation]: ProcessTelemetryId;
  [PROCESSINFOCLASS.ProcessSubsystemInformation]: { readonly SubsystemInformation: number };
  [PROCESSINFOCLASS.ProcessPowerThrottlingState]: PowerThrottlingState;
  [PROCESSINFOCLASS.ProcessSequenceNumber]: { readonly SequenceNumber: number };
  /** PROCESS_MEMBERSHIP_INFORMATION: the number of its server silo; 0: the host. */
  [PROCESSINFOCLASS.ProcessMembershipInformation]: { readonly ServerSiloId: number };
}

const FULL = PROCESS_ACCESS.QUERY_INFORMATION;
const LIMITED = PROCESS_ACCESS.QUERY_INFORMATION | PROCESS_ACCESS.QUERY_LIMITED_INFORMATION;

const BASIC_BYTES = 48;
const EXTENDED_BASIC_BYTES = 64;
/** sizeof(UNICODE_STRING). */
const UNICODE_STRING_BYTES = 16;

/** The executive's part of a process. */
export function executive(process: KProcess): ProcessExecutive {
  return executiveOf(processManager(process.machine), process);
}

function basicInformation(process: KProcess, length: number): ProcessBasicInformation {
  const basic = {
    ExitStatus: processExitStatus(process),
    PebBaseAddress: pebAddress(process),
    AffinityMask: processAffinity(process),
    BasePriority: process.basePriority,
    UniqueProcessId: processIdOf(process),
    InheritedFromUniqueProcessId: parentIdOf(process),
  };
  if (length !== EXTENDED_BASIC_BYTES) return basic;
  const { subsystem, image, protection } = executive(process);
  return {
    ...basic,
    IsSubsystemProcess: subsystem !== 0,
    IsWow64Process: image?.machine === 'x86',
    IsProtectedProcess: protection !== 0,
  };
}

function timesOf(process: KProcess): KernelUserTimes {
  return {
    CreateTime: process.createTime100ns,
    ExitTime: processExitTime100ns(process),
    KernelTime: process.kernelTime100ns,
    UserTime: process.userTime100ns,
  };
}

/** What can be asked of files is neither reading nor writing. */
const ioCounters = (process: KProcess): IoCounters => ({
  ReadOperationCount: 0,
  WriteOperationCount: 0,
  OtherOperationCount: controlRequests(process),
  ReadTransferCount: 0,
  WriteTransferCount: 0,
  OtherTransferCount: 0,
});

/** A name in a buffer: the string with its terminator behind the UNICODE_STRING. */
function name(text: (process: KProcess) => string, access: number): QueryClass<KProcess> {
  return {
    lengths: 'variable',
    access,
    query: (process, length): Answer => {
      const Buffer = text(process);
      const Length = Buffer.length * 2;
      const returnLength = UNICODE_STRING_BYTES + Length + 2;
      if (length < returnLength) return { status: STATUS.INFO_LENGTH_MISMATCH, returnLength };
      return { Length, MaximumLength: Length + 2, Buffer, returnLength };
    },
  };
}

/** A class of one value. */
function one(
  bytes: number,
  field: string,
  access: number,
  value: (process: KProcess) => number,
): QueryClass<KProcess> {
  return {
    lengths: [bytes],
    access,
    alignment: Math.min(bytes, 4),
    query: (process) => ({ [field]: value(process) }),
  };
}

/** Of no other process of the boot; what it is made of is no secret here. */
function cookieOf({ sequenceNumber }: KProcess): number {
  return Math.imul(sequenceNumber, 0x9e37_79b1) >>> 0;
}

/** Nothing debugs a process: there is no debug object. */
const debugObject = (): Answer => ({
  status: STATUS.PORT_NOT_SET,
  returnLength: 8,
  DebugObjectHandle: 0,
});

const CLASSES: Classes<QueryClass<KProcess>> = new Map<number, QueryClass<KProcess> | 'unmodelled'>(
  [
    [
      PROCESSINFOCLASS.ProcessBasicInformation,
      { lengths: [BASIC_BYTES, EXTENDED_BASIC_BYTES], access: LIMITED, query: basicInformation },
    ],
    [
      PROCESSINFOCLASS.ProcessQuotaLimits,
      { lengths: [QUOTA_LIMITS_BYTES, QUOTA_LIMITS_EX_BYTES], access: LIMITED, query: quotaLimits },
    ],
    [PROCESSINFOCLASS.ProcessIoCounters, { lengths: [48], access: LIMITED, query: ioCounters }],
    [
      PROCESSINFOCLASS.ProcessVmCounters,
      { lengths: [VM_COUNTERS_BYTES, VM_COUNTERS_EX_BYTES], access: LIMITED, query: vmCounters },
    ],
    [PROCESSINFOCLASS.ProcessTimes, { lengths: [32], access: LIMITED, query: timesOf }],
    [PROCESSINFOCLASS.ProcessDebugPort, one(8, 'DebugPort', FULL, () => 0)],
    [PROCESSINFOCLASS.ProcessLdtInformation, 'unmodelled'],
    [
      PROCESSINFOCLASS.ProcessDefaultHardErrorMode,
      one(
        4,
        'DefaultHardErrorMode',
        LIMITED,
        (process) => processSettings(process).defaultHardErrorMode,
      ),
    ],
    [
      PROCESSINFOCLASS.ProcessPooledUsageAndLimits,
      { lengths: [72], access: LIMITED, query: pooledUsageAndLimits },
    ],
    [PROCESSINFOCLASS.ProcessWorkingSetWatch, 'unmodelled'],
    [
      PROCESSINFOCLASS.ProcessPriorityClass,
      {
        lengths: [2],
        access: LIMITED,
        eager: true,
        query: ({ foreground, priorityClass }) => ({
          Foreground: foreground,
          PriorityClass: priorityClass,
        }),
      },
    ],
    [PROCESSINFOCLASS.ProcessWx86Information, 'unmodelled'],
    [
      PROCESSINFOCLASS.ProcessHandleCount,
      one(4, 'HandleCount', LIMITED, ({ handleTable }) =>
        handleTable === undefined ? 0 : (handleTable as HandleTable).count,
      ),
    ],
    [
      PROCESSINFOCLASS.ProcessAffinityMask,
      {
        lengths: [16],
        access: LIMITED,
        query: (process) => ({ Mask: processAffinity(process), Group: process.group }),
      },
    ],
    [
      PROCESSINFOCLASS.ProcessPriorityBoost,
      one(4, 'DisableBoost', LIMITED, (process) => Number(processBoostDisabled(process))),
    ],
    [PROCESSINFOCLASS.ProcessDeviceMap, 'unmodelled'],
    [
      PROCESSINFOCLASS.ProcessSessionInformation,
      one(4, 'SessionId', LIMITED, (process) => executive(process).sessionId),
    ],
    [
      PROCESSINFOCLASS.ProcessWow64Information,
      one(8, 'Wow64Peb', LIMITED, (process) =>
        executive(process).image?.machine === 'x86' ? 1 : 0,
      ),
    ],
    [
      PROCESSINFOCLASS.ProcessImageFileName,
      name((process) => executive(process).image?.fullName ?? '', LIMITED),
    ],
    [
      PROCESSINFOCLASS.ProcessImageFileNameWin32,
      name((process) => executive(process).image?.path ?? '', LIMITED),
    ],
    [
      PROCESSINFOCLASS.ProcessCommandLineInformation,
      name((process) => executive(process).commandLine ?? '', LIMITED),
    ],
    [
      PROCESSINFOCLASS.ProcessLUIDDeviceMapsEnabled,
      one(4, 'LUIDDeviceMapsEnabled', LIMITED, () => 1),
    ],
    [
      PROCESSINFOCLASS.ProcessBreakOnTermination,
      one(4, 'BreakOnTermination', LIMITED, (process) => Number(executive(process).critical)),
    ],
    [
      PROCESSINFOCLASS.ProcessDebugObjectHandle,
      { lengths: [8], access: FULL, silent: true, eager: true, query: debugObject },
    ],
    [
      PROCESSINFOCLASS.ProcessDebugFlags,
      one(4, 'DebugFlags', FULL, (process) => processSettings(process).debugFlags),
    ],
    [PROCESSINFOCLASS.ProcessHandleTracing, 'unmodelled'],
    [
      PROCESSINFOCLASS.ProcessIoPriority,
      one(4, 'IoPriority', LIMITED, (process) => processSettings(process).ioPriority),
    ],
    [PROCESSINFOCLASS.ProcessExecuteFlags, 'unmodelled'],
    [
      PROCESSINFOCLASS.ProcessCookie,
      {
        lengths: [4],
        access: LIMITED | PROCESS_ACCESS.VM_WRITE,
        query: (process): Answer =>
          process === currentProcess('NtQueryInformationProcess')
            ? { Cookie: cookieOf(process) }
            : { status: STATUS.INVALID_PARAMETER },
      },
    ],
    [
      PROCESSINFOCLASS.ProcessImageInformation,
      {
        lengths: [SECTION_IMAGE_INFORMATION_BYTES],
        access: LIMITED,
        query: (process): Answer => {
          const { image } = executive(process);
          return image === undefined
            ? { status: STATUS.INVALID_PARAMETER }
            : sectionImageInformation(image);
        },
      },
    ],
    [
      PROCESSINFOCLASS.ProcessCycleTime,
      {
        lengths: [16],
        access: LIMITED,
        query: (process) => ({
          AccumulatedCycles: processCycleTime(process),
          CurrentCycleCount: 0,
        }),
      },
    ],
    [
      PROCESSINFOCLASS.ProcessPagePriority,
      one(4, 'PagePriority', LIMITED, (process) => processSettings(process).pagePriority),
    ],
    [
      PROCESSINFOCLASS.ProcessGroupInformation,
      { lengths: [2], access: LIMITED, query: ({ group }) => ({ Groups: [group] }) },
    ],
    [
      PROCESSINFOCLASS.ProcessHandleInformation,
      { lengths: 'variable', access: FULL, query: handleSnapshot },
    ],
    [
      PROCESSINFOCLASS.ProcessProtectionInformation,
      one(1, 'Level', LIMITED, (process) => executive(process).protection),
    ],
    [
      PROCESSINFOCLASS.ProcessTelemetryIdInformation,
      { lengths: 'variable', access: LIMITED, query: telemetryId },
    ],
    [
      PROCESSINFOCLASS.ProcessSubsystemInformation,
      one(4, 'SubsystemInformation', LIMITED, (process) => executive(process).subsystem),
    ],
    [
      PROCESSINFOCLASS.ProcessPowerThrottlingState,
      {
        lengths: [12],
        access: LIMITED,
        query: (process) => throttlingOf(processSettings(process)),
      },
    ],
    [PROCESSINFOCLASS.ProcessUptimeInformation, 'unmodelled'],
    [
      PROCESSINFOCLASS.ProcessSequenceNumber,
      one(8, 'SequenceNumber', LIMITED, ({ sequenceNumber }) => sequenceNumber),
    ],
    [
      PROCESSINFOCLASS.ProcessMembershipInformation,
      one(4, 'ServerSiloId', LIMITED, (process) => serverSiloNumber(process)),
    ],
  ],
);

const queryInformationProcess = queryService<KProcess, ProcessInformation>(
  'QueryInformationProcess',
  PsProcessType,
  CLASSES,
);

/** The form of NtQueryInformationProcess: the fields are those of the class. */
export type QueryInformationProcess = QueryInformation<ProcessInformation>;

/**
 * Asks for information about a process. `buffer` is the caller's buffer: its length in bytes.
 *
 * @returns STATUS_SUCCESS with the class's fields; STATUS_INVALID_INFO_CLASS;
 *   STATUS_INFO_LENGTH_MISMATCH with the right length; STATUS_PORT_NOT_SET without a debugger;
 *   STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH; STATUS_ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtQueryInformationProcess (partial: working sets and page faults are not counted; STATUS_NOT_IMPLEMENTED for LDTs, device maps and handle tracing)
 */
export const NtQueryInformationProcess = queryInformationProcess.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryInformationProcess (partial: working sets and page faults are not counted; STATUS_NOT_IMPLEMENTED for LDTs, device maps and handle tracing) */
export const ZwQueryInformationProcess = queryInformationProcess.zw;

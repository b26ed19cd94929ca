import type { IoCounters } from './accounting';
import { STATUS } from '../../assembly/shared/status';
import type { MODE } from '../../assembly/shared/types';
import { currentProcess, type KernelCode, systemService } from '../ke/mode';
import type { Handle } from '../ob/attributes';
import { type InformationBuffer, lengthOf, type Queried } from '../ob/information';
import { PsJobType } from '../ob/types';
import { JOB_OBJECT_ACCESS } from './access';
import { processIdOf } from './cid';
import {
  type Answer,
  type BadPointer,
  checkBuffer,
  type Classes,
  type QueryClass,
  queryObject,
  written,
  type QueryInformation,
} from './information';
import { type JobObject, jobOf } from './job';
import {
  type JobBasicLimits,
  type JobCpuRate,
  type JobExtendedLimits,
  type JobFreeze,
  type JobLimitViolation,
  type JobNotificationLimit,
  JOBOBJECTINFOCLASS,
} from './job-information-class';
import { JOB_OBJECT_LIMIT } from './job-limits';
import { JOB_OBJECT_CPU_RATE_CONTROL } from './job-rate';
import {
  type ServerSiloBasicInformation,
  SILO_CLASSES,
  type SiloBasicInformation,
} from './silo-query';

/** What there is to know of a job by its handle. Times are 100 ns. */

/** JOBOBJECT_BASIC_ACCOUNTING_INFORMATION. */
export interface JobBasicAccounting {
  readonly TotalUserTime: number;
  readonly TotalKernelTime: number;
  /** Since the limit of the job's time was last set. */
  readonly ThisPeriodTotalUserTime: number;
  readonly ThisPeriodTotalKernelTime: number;
  readonly TotalPageFaultCount: number;
  readonly TotalProcesses: number;
  readonly ActiveProcesses: number;
  readonly TotalTerminatedProcesses: number;
}

const NO_IO: IoCounters = {
  ReadOperationCount: 0,
  WriteOperationCount: 0,
  OtherOperationCount: 0,
  ReadTransferCount: 0,
  WriteTransferCount: 0,
  OtherTransferCount: 0,
};

/** What the classes of NtQueryInformationJobObject give. */
export interface JobInformation {
  [JOBOBJECTINFOCLASS.JobObjectBasicAccountingInformation]: JobBasicAccounting;
  [JOBOBJECTINFOCLASS.JobObjectBasicAndIoAccountingInformation]: {
    readonly BasicInfo: JobBasicAccounting;
    readonly IoInfo: IoCounters;
  };
  [JOBOBJECTINFOCLASS.JobObjectBasicLimitInformation]: Required<JobBasicLimits>;
  [JOBOBJECTINFOCLASS.JobObjectExtendedLimitInformation]: Required<JobExtendedLimits> & {
    readonly BasicLimitInformation: Required<JobBasicLimits>;
    readonly IoInfo: IoCounters;
    readonly PeakProcessMemoryUsed: number;
    readonly PeakJobMemoryUsed: number;
  };
  [JOBOBJECTINFOCLASS.JobObjectBasicProcessIdList]: {
    readonly NumberOfAssignedProcesses: number;
    readonly NumberOfProcessIdsInList: number;
    readonly ProcessIdList: readonly number[];
  };
  [JOBOBJECTINFOCLASS.JobObjectBasicUIRestrictions]: { readonly UIRestrictionsClass: number };
  [JOBOBJECTINFOCLASS.JobObjectEndOfJobTimeInformation]: { readonly EndOfJobTimeAction: number };
  [JOBOBJECTINFOCLASS.JobObjectCpuRateControlInformation]: JobCpuRate;
  [JOBOBJECTINFOCLASS.JobObjectNotificationLimitInformation]: Required<JobNotificationLimit>;
  [JOBOBJECTINFOCLASS.JobObjectLimitViolationInformation]: JobLimitViolation;
  [JOBOBJECTINFOCLASS.JobObjectFreezeInformation]: JobFreeze;
  [JOBOBJECTINFOCLASS.JobObjectContainerId]: { readonly ContainerId: string };
  [JOBOBJECTINFOCLASS.JobObjectSiloBasicInformation]: SiloBasicInformation;
  [JOBOBJECTINFOCLASS.JobObjectServerSiloBasicInformation]: ServerSiloBasicInformation;
}

const QUERY = JOB_OBJECT_ACCESS.QUERY;

function accounting(job: JobObject): JobBasicAccounting {
  const { userTime100ns, kernelTime100ns, limits, members } = job;
  return {
    TotalUserTime: userTime100ns,
    TotalKernelTime: kernelTime100ns,
    ThisPeriodTotalUserTime: userTime100ns - limits.userTimeBase,
    ThisPeriodTotalKernelTime: kernelTime100ns - limits.kernelTimeBase,
    TotalPageFaultCount: 0,
    TotalProcesses: job.totalProcesses,
    ActiveProcesses: members.size,
    TotalTerminatedProcesses: job.totalTerminatedProcesses,
  };
}

function basicLimits({ limits }: JobObject, valid: number): Required<JobBasicLimits> {
  return {
    LimitFlags: limits.flags & valid,
    PerProcessUserTimeLimit: limits.perProcessUserTimeLimit,
    PerJobUserTimeLimit: limits.perJobUserTimeLimit,
    MinimumWorkingSetSize: limits.minimumWorkingSetSize,
    MaximumWorkingSetSize: limits.maximumWorkingSetSize,
    ActiveProcessLimit: limits.activeProcessLimit,
    Affinity: limits.affinity,
    PriorityClass: limits.priorityClass,
    SchedulingClass: limits.schedulingClass,
  };
}

/** Two ULONGs, and room for one id at least. */
const LIST_HEADER_BYTES = 8;
const ID_BYTES = 8;

function processIds({ members }: JobObject, length: number): Answer {
  const room = Math.floor((length - LIST_HEADER_BYTES) / ID_BYTES);
  if (room < 1)
    return { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: LIST_HEADER_BYTES + ID_BYTES };
  const ids = [...members].slice(0, room).map(processIdOf);
  return {
    status: members.size > room ? STATUS.BUFFER_OVERFLOW : STATUS.SUCCESS,
    returnLength: LIST_HEADER_BYTES + ids.length * ID_BYTES,
    NumberOfAssignedProcesses: members.size,
    NumberOfProcessIdsInList: ids.length,
    ProcessIdList: ids,
  };
}

function cpuRate({ cpuRate }: JobObject): JobCpuRate {
  if (cpuRate === undefined) return { ControlFlags: 0 };
  const { controlFlags: ControlFlags, rate, minimum, weight } = cpuRate;
  if ((ControlFlags & JOB_OBJECT_CPU_RATE_CONTROL.WEIGHT_BASED) !== 0)
    return { ControlFlags, Weight: weight };
  const between = (ControlFlags & JOB_OBJECT_CPU_RATE_CONTROL.MIN_MAX_RATE) !== 0;
  return between
    ? { ControlFlags, MinRate: minimum, MaxRate: rate }
    : { ControlFlags, CpuRate: rate };
}

function violation(job: JobObject): JobLimitViolation {
  const { notification, userTime100ns } = job;
  return {
    LimitFlags: notification?.flags ?? 0,
    ViolationLimitFlags: notification?.violated === true ? notification.flags : 0,
    PerJobUserTime: userTime100ns,
    PerJobUserTimeLimit: notification?.perJobUserTimeLimit ?? 0,
  };
}

/** Of JOBOBJECT_FREEZE_INFORMATION.Flags. */
const FREEZE_OPERATION = 1;

function fixed(bytes: number, query: (job: JobObject) => Answer): QueryClass<JobObject> {
  return { lengths: [bytes], access: QUERY, query };
}

const CLASSES: Classes<QueryClass<JobObject>> = new Map<
  number,
  QueryClass<JobObject> | 'unmodelled'
>([
  [JOBOBJECTINFOCLASS.JobObjectBasicAccountingInformation, fixed(48, accounting)],
  [
    JOBOBJECTINFOCLASS.JobObjectBasicAndIoAccountingInformation,
    fixed(96, (job) => ({ BasicInfo: accounting(job), IoInfo: NO_IO })),
  ],
  [
    JOBOBJECTINFOCLASS.JobObjectBasicLimitInformation,
    fixed(64, (job) => basicLimits(job, JOB_OBJECT_LIMIT.BASIC_VALID)),
  ],
  [
    JOBOBJECTINFOCLASS.JobObjectExtendedLimitInformation,
    fixed(144, (job) => ({
      BasicLimitInformation: basicLimits(job, JOB_OBJECT_LIMIT.EXTENDED_VALID),
      IoInfo: NO_IO,
      ProcessMemoryLimit: job.limits.processMemoryLimit,
      JobMemoryLimit: job.limits.jobMemoryLimit,
      PeakProcessMemoryUsed: 0,
      PeakJobMemoryUsed: 0,
    })),
  ],
  [
    JOBOBJECTINFOCLASS.JobObjectBasicProcessIdList,
    { lengths: 'variable', access: QUERY, query: processIds },
  ],
  [
    JOBOBJECTINFOCLASS.JobObjectBasicUIRestrictions,
    fixed(4, ({ uiRestrictionsClass }) => ({ UIRestrictionsClass: uiRestrictionsClass })),
  ],
  [
    JOBOBJECTINFOCLASS.JobObjectEndOfJobTimeInformation,
    fixed(4, ({ endOfJobTimeAction }) => ({ EndOfJobTimeAction: endOfJobTimeAction })),
  ],
  [JOBOBJECTINFOCLASS.JobObjectCpuRateControlInformation, fixed(8, cpuRate)],
  [
    JOBOBJECTINFOCLASS.JobObjectNotificationLimitInformation,
    fixed(48, ({ notification }) => ({
      LimitFlags: notification?.flags ?? 0,
      PerJobUserTimeLimit: notification?.perJobUserTimeLimit ?? 0,
    })),
  ],
  [JOBOBJECTINFOCLASS.JobObjectLimitViolationInformation, fixed(80, violation)],
  [
    JOBOBJECTINFOCLASS.JobObjectFreezeInformation,
    fixed(16, ({ frozen }) => ({ Flags: FREEZE_OPERATION, Freeze: frozen })),
  ],
  ...SILO_CLASSES,
  [JOBOBJECTINFOCLASS.JobObjectGroupInformation, 'unmodelled'],
  [JOBOBJECTINFOCLASS.JobObjectGroupInformationEx, 'unmodelled'],
  [JOBOBJECTINFOCLASS.JobObjectNetRateControlInformation, 'unmodelled'],
]);

/** The job that the caller is in, in place of one by handle. */
function queryOwn(
  mode: MODE,
  number: number,
  buffer: InformationBuffer,
  returnLength: BadPointer | undefined,
): Queried<object> {
  const { failure, found } = checkBuffer(CLASSES, number, buffer, returnLength, mode);
  if (found === undefined) return failure as Queried<object>;
  const job = jobOf(currentProcess('NtQueryInformationJobObject'));
  if (job === undefined) return { status: STATUS.ACCESS_DENIED, returnLength: undefined };
  const answer = found.query(job, lengthOf(buffer), { mode }, JOB_OBJECT_ACCESS.ALL_ACCESS);
  return written(answer, buffer, returnLength);
}

const queryInformationJobObject = systemService(
  'QueryInformationJobObject',
  function* (
    mode,
    jobHandle: Handle,
    jobInformationClass: number,
    buffer: InformationBuffer,
    returnLength?: BadPointer,
  ): KernelCode<Queried<object>> {
    const number = jobInformationClass;
    if (jobHandle === 0) return queryOwn(mode, number, buffer, returnLength);
    const result = yield* queryObject(
      mode,
      jobHandle,
      PsJobType,
      CLASSES,
      number,
      buffer,
      returnLength,
    );
    // Pseudo handles name nothing here.
    const pseudo = jobHandle < 0 && result.status === STATUS.OBJECT_TYPE_MISMATCH;
    return pseudo ? { status: STATUS.INVALID_HANDLE, returnLength: undefined } : result;
  },
);

/** The form of NtQueryInformationJobObject: the fields are those of the class. */
export type QueryInformationJobObject = QueryInformation<JobInformation>;

/**
 * Asks for information about a job, or with a handle of 0 about the caller's. `buffer` is the caller's
 * buffer: its length in bytes.
 *
 * @returns SUCCESS with the class's fields; BUFFER_OVERFLOW with as many process ids as there is room
 *   for; INVALID_INFO_CLASS; INFO_LENGTH_MISMATCH; ACCESS_DENIED, also of a caller in no job;
 *   INVALID_HANDLE; OBJECT_TYPE_MISMATCH.
 * @irql PASSIVE_LEVEL
 * @nt NtQueryInformationJobObject (partial: no memory, page faults or I/O are counted; STATUS_NOT_IMPLEMENTED for groups and network rates)
 */
export const NtQueryInformationJobObject =
  queryInformationJobObject.nt as QueryInformationJobObject;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryInformationJobObject (partial: no memory, page faults or I/O are counted; STATUS_NOT_IMPLEMENTED for groups and network rates) */
export const ZwQueryInformationJobObject =
  queryInformationJobObject.zw as QueryInformationJobObject;

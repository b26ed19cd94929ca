import { STATUS } from '../../assembly/shared/status';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import { IO_COMPLETION } from '../io/completion';
import type { KernelCode } from '../ke/mode';
import type { KQueue } from '../machine/queue';
import { ObpReferenceByHandle } from '../ob/handle';
import { headerOf } from '../ob/object';
import { ObpDereference } from '../ob/reference';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from '../ob/security';
import { IoCompletionObjectType, PsJobType } from '../ob/types';
import { JOB_OBJECT_ACCESS } from './access';
import { processIdOf } from './cid';
import {
  type Caller,
  affinityIn,
  numberIn,
  type SetClass,
  ULONG_MAX,
  setService,
  type SetInformation,
} from './information';
import { JOB_OBJECT_END_OF_JOB, JOB_OBJECT_MSG, type JobObject } from './job';
import {
  type JobBasicLimits,
  type JobCompletionPort,
  type JobCpuRate,
  type JobExtendedLimits,
  type JobFreeze,
  type JobNotificationLimit,
  JOBOBJECTINFOCLASS,
} from './job-information-class';
import { applyHolds } from './job-hold';
import { changeRate, takeUpLimits, watchJob } from './job-clock';
import { JOB_OBJECT_LIMIT, jobAffinity } from './job-limits';
import { createSilo, initializeServerSilo } from './silo-set';
import { FULL_RATE, JOB_OBJECT_CPU_RATE_CONTROL } from './job-rate';

/** What can be changed of a job by its handle. */

/** What the classes of NtSetInformationJobObject take. */
export interface JobSetting {
  [JOBOBJECTINFOCLASS.JobObjectBasicLimitInformation]: JobBasicLimits;
  [JOBOBJECTINFOCLASS.JobObjectExtendedLimitInformation]: JobExtendedLimits;
  [JOBOBJECTINFOCLASS.JobObjectBasicUIRestrictions]: number;
  [JOBOBJECTINFOCLASS.JobObjectEndOfJobTimeInformation]: JOB_OBJECT_END_OF_JOB;
  [JOBOBJECTINFOCLASS.JobObjectAssociateCompletionPortInformation]: JobCompletionPort;
  [JOBOBJECTINFOCLASS.JobObjectCpuRateControlInformation]: JobCpuRate;
  [JOBOBJECTINFOCLASS.JobObjectNotificationLimitInformation]: JobNotificationLimit;
  [JOBOBJECTINFOCLASS.JobObjectFreezeInformation]: JobFreeze;
  [JOBOBJECTINFOCLASS.JobObjectCreateSilo]: null;
  [JOBOBJECTINFOCLASS.JobObjectServerSiloInitialize]: null;
}

const SET = JOB_OBJECT_ACCESS.SET_ATTRIBUTES;

const LAST_SCHEDULING_CLASS = 9;
/** Above it a scheduling class needs a privilege. */
const DEFAULT_SCHEDULING_CLASS = 5;
const SIZE_MAX = Number.MAX_SAFE_INTEGER;
const UILIMIT_VALID = 0xff;
const HIGHEST_WEIGHT = 9;
/** Of JOBOBJECT_FREEZE_INFORMATION.Flags. */
const FREEZE_OPERATION = 1;

const mayRaise = ({ mode }: Caller) =>
  SeSinglePrivilegeCheck(SE_PRIVILEGE.INCREASE_BASE_PRIORITY, mode);

/** What a limit of priority comes to. */
function checkPriority(flags: number, basic: JobBasicLimits, caller: Caller): number {
  if ((flags & JOB_OBJECT_LIMIT.PRIORITY_CLASS) !== 0) {
    const { PriorityClass = 0 } = basic;
    if (PriorityClass < PRIORITY_CLASS.Idle || PriorityClass > PRIORITY_CLASS.AboveNormal)
      return STATUS.INVALID_PARAMETER;
    if (PriorityClass === PRIORITY_CLASS.Realtime && !mayRaise(caller))
      return STATUS.PRIVILEGE_NOT_HELD;
  }
  if ((flags & JOB_OBJECT_LIMIT.SCHEDULING_CLASS) !== 0) {
    const { SchedulingClass = 0 } = basic;
    if (SchedulingClass < 0 || SchedulingClass > LAST_SCHEDULING_CLASS)
      return STATUS.INVALID_PARAMETER;
    if (SchedulingClass > DEFAULT_SCHEDULING_CLASS && !mayRaise(caller))
      return STATUS.PRIVILEGE_NOT_HELD;
  }
  return STATUS.SUCCESS;
}

/** Whether an affinity is a part of the machine's processors, and of what the outer jobs leave. */
function isAffinity(job: JobObject, mask: bigint): boolean {
  const { machine, parent } = job;
  let active = 0n;
  for (let group = 0; group < machine.groupCount; group++) active |= machine.groupAffinity(group);
  const allowed = jobAffinity(parent) ?? active;
  return mask !== 0n && (mask & ~allowed) === 0n;
}

/** What is wrong with limits; STATUS_SUCCESS: nothing. */
function checkLimits(job: JobObject, flags: number, basic: JobBasicLimits, caller: Caller): number {
  const has = (flag: JOB_OBJECT_LIMIT) => (flags & flag) !== 0;
  const { PerProcessUserTimeLimit = 0, PerJobUserTimeLimit = 0 } = basic;
  const { MinimumWorkingSetSize = 0, MaximumWorkingSetSize = 0, Affinity = 0n } = basic;
  if (has(JOB_OBJECT_LIMIT.JOB_TIME) && has(JOB_OBJECT_LIMIT.PRESERVE_JOB_TIME))
    return STATUS.INVALID_PARAMETER;
  if (has(JOB_OBJECT_LIMIT.PROCESS_TIME) && PerProcessUserTimeLimit <= 0)
    return STATUS.INVALID_PARAMETER;
  if (has(JOB_OBJECT_LIMIT.JOB_TIME) && PerJobUserTimeLimit <= 0) return STATUS.INVALID_PARAMETER;
  const sizes = MinimumWorkingSetSize !== 0 && MinimumWorkingSetSize < MaximumWorkingSetSize;
  if (has(JOB_OBJECT_LIMIT.WORKINGSET) && !sizes) return STATUS.INVALID_PARAMETER;
  if (has(JOB_OBJECT_LIMIT.SUBSET_AFFINITY) && !has(JOB_OBJECT_LIMIT.AFFINITY))
    return STATUS.INVALID_PARAMETER;
  if (has(JOB_OBJECT_LIMIT.AFFINITY) && !isAffinity(job, affinityIn('Affinity', Affinity)))
    return STATUS.INVALID_PARAMETER;
  return checkPriority(flags, basic, caller);
}

/** A new limit of the whole job's time begins to count now. */
function setJobTime(job: JobObject, flags: number, basic: JobBasicLimits): void {
  const { limits } = job;
  if ((flags & JOB_OBJECT_LIMIT.JOB_TIME) !== 0) {
    limits.perJobUserTimeLimit = basic.PerJobUserTimeLimit ?? 0;
    limits.userTimeBase = job.userTime100ns;
    limits.kernelTimeBase = job.kernelTime100ns;
    limits.userTimeEnd = limits.userTimeBase + limits.perJobUserTimeLimit;
    job.waitObject.reset();
  } else if ((flags & JOB_OBJECT_LIMIT.PRESERVE_JOB_TIME) === 0)
    limits.userTimeEnd = Number.POSITIVE_INFINITY;
}

/** Puts limits that are found good into force. */
function* commitLimits(job: JobObject, flags: number, basic: JobBasicLimits): KernelCode<void> {
  const { limits } = job;
  const has = (flag: JOB_OBJECT_LIMIT) => (flags & flag) !== 0;
  const preserved =
    has(JOB_OBJECT_LIMIT.PRESERVE_JOB_TIME) && limits.userTimeEnd !== Number.POSITIVE_INFINITY;
  setJobTime(job, flags, basic);
  const kept = flags & ~JOB_OBJECT_LIMIT.PRESERVE_JOB_TIME;
  limits.flags = preserved ? kept | JOB_OBJECT_LIMIT.JOB_TIME : kept;
  if (has(JOB_OBJECT_LIMIT.PROCESS_TIME))
    limits.perProcessUserTimeLimit = basic.PerProcessUserTimeLimit ?? 0;
  if (has(JOB_OBJECT_LIMIT.WORKINGSET)) {
    limits.minimumWorkingSetSize = basic.MinimumWorkingSetSize ?? 0;
    limits.maximumWorkingSetSize = basic.MaximumWorkingSetSize ?? 0;
  }
  if (has(JOB_OBJECT_LIMIT.ACTIVE_PROCESS))
    limits.activeProcessLimit = basic.ActiveProcessLimit ?? 0;
  if (has(JOB_OBJECT_LIMIT.AFFINITY)) limits.affinity = basic.Affinity ?? 0n;
  if (has(JOB_OBJECT_LIMIT.PRIORITY_CLASS))
    limits.priorityClass = basic.PriorityClass ?? PRIORITY_CLASS.Normal;
  if (has(JOB_OBJECT_LIMIT.SCHEDULING_CLASS)) limits.schedulingClass = basic.SchedulingClass ?? 0;
  watchJob(job);
  for (const process of [...job.members]) if (!process.exited) yield* takeUpLimits(process);
}

/** The numbers of a caller; what is no number is the host's mistake. */
function checkNumbers(basic: JobBasicLimits): number {
  const flags = numberIn('LimitFlags', basic.LimitFlags, 0, ULONG_MAX);
  numberIn('PerProcessUserTimeLimit', basic.PerProcessUserTimeLimit ?? 0, -SIZE_MAX, SIZE_MAX);
  numberIn('PerJobUserTimeLimit', basic.PerJobUserTimeLimit ?? 0, -SIZE_MAX, SIZE_MAX);
  numberIn('MinimumWorkingSetSize', basic.MinimumWorkingSetSize ?? 0, 0, SIZE_MAX);
  numberIn('MaximumWorkingSetSize', basic.MaximumWorkingSetSize ?? 0, 0, SIZE_MAX);
  numberIn('ActiveProcessLimit', basic.ActiveProcessLimit ?? 0, 0, ULONG_MAX);
  numberIn('PriorityClass', basic.PriorityClass ?? 0, 0, ULONG_MAX);
  numberIn('SchedulingClass', basic.SchedulingClass ?? 0, 0, ULONG_MAX);
  return flags;
}

/** Sets the basic limits; the others stay. */
function* setBasic(job: JobObject, basic: JobBasicLimits, caller: Caller): KernelCode<number> {
  const flags = checkNumbers(basic);
  if ((flags & ~JOB_OBJECT_LIMIT.BASIC_VALID) !== 0) return STATUS.INVALID_PARAMETER;
  const status = checkLimits(job, flags, basic, caller);
  if (status !== STATUS.SUCCESS) return status;
  const others = job.limits.flags & ~JOB_OBJECT_LIMIT.BASIC_VALID;
  yield* commitLimits(job, flags | others, basic);
  return STATUS.SUCCESS;
}

function* setExtended(
  job: JobObject,
  extended: JobExtendedLimits,
  caller: Caller,
): KernelCode<number> {
  const { BasicLimitInformation, ProcessMemoryLimit = 0, JobMemoryLimit = 0 } = extended;
  const flags = checkNumbers(BasicLimitInformation);
  numberIn('ProcessMemoryLimit', ProcessMemoryLimit, 0, SIZE_MAX);
  numberIn('JobMemoryLimit', JobMemoryLimit, 0, SIZE_MAX);
  if ((flags & ~JOB_OBJECT_LIMIT.EXTENDED_VALID) !== 0) return STATUS.INVALID_PARAMETER;
  const status = checkLimits(job, flags, BasicLimitInformation, caller);
  if (status !== STATUS.SUCCESS) return status;
  const { limits } = job;
  if ((flags & JOB_OBJECT_LIMIT.PROCESS_MEMORY) !== 0)
    limits.processMemoryLimit = ProcessMemoryLimit;
  if ((flags & JOB_OBJECT_LIMIT.JOB_MEMORY) !== 0) limits.jobMemoryLimit = JobMemoryLimit;
  yield* commitLimits(job, flags, BasicLimitInformation);
  return STATUS.SUCCESS;
}

function setUiRestrictions(job: JobObject, value: number): number {
  const restrictions = numberIn('JobObjectBasicUIRestrictions', value, 0, ULONG_MAX);
  if ((restrictions & ~UILIMIT_VALID) !== 0) return STATUS.INVALID_PARAMETER;
  const nested = job.parent !== undefined || job.children.size !== 0;
  if (nested && restrictions !== 0) return STATUS.INVALID_PARAMETER;
  job.uiRestrictionsClass = restrictions;
  return STATUS.SUCCESS;
}

function setEndOfJobTime(job: JobObject, value: JOB_OBJECT_END_OF_JOB): number {
  const action = numberIn('JobObjectEndOfJobTimeInformation', value, 0, ULONG_MAX);
  if (action > JOB_OBJECT_END_OF_JOB.POST) return STATUS.INVALID_PARAMETER;
  job.endOfJobTimeAction = action;
  return STATUS.SUCCESS;
}

/** Gives a job a port, which is told of the processes that are there; or takes it away. */
function* setPort(
  job: JobObject,
  { CompletionKey, CompletionPort }: JobCompletionPort,
  { mode }: Caller,
): KernelCode<number> {
  const { port } = job;
  if (CompletionPort === 0) {
    if (port === undefined) return STATUS.INVALID_PARAMETER;
    job.port = undefined;
    yield* ObpDereference(headerOf('NtSetInformationJobObject', port.queue));
    return STATUS.SUCCESS;
  }
  if (port !== undefined) return STATUS.INVALID_PARAMETER;
  const { status, header } = ObpReferenceByHandle(
    CompletionPort,
    IO_COMPLETION.MODIFY_STATE,
    IoCompletionObjectType,
    mode,
  );
  if (header === undefined) return status;
  job.port = { queue: header.body as KQueue, completionKey: CompletionKey };
  for (const process of job.members) job.post(JOB_OBJECT_MSG.NEW_PROCESS, processIdOf(process));
  return STATUS.SUCCESS;
}

/** The numbers of a rate; undefined: it is none. */
function rateOf(rate: JobCpuRate): Parameters<typeof changeRate>[1] {
  const controlFlags = numberIn('ControlFlags', rate.ControlFlags, 0, ULONG_MAX);
  const cpuRate = numberIn('CpuRate', rate.CpuRate ?? 0, 0, ULONG_MAX);
  const weight = numberIn('Weight', rate.Weight ?? 0, 0, ULONG_MAX);
  const minimum = numberIn('MinRate', rate.MinRate ?? 0, 0, ULONG_MAX);
  const maximum = numberIn('MaxRate', rate.MaxRate ?? 0, 0, ULONG_MAX);
  const has = (flag: JOB_OBJECT_CPU_RATE_CONTROL) => (controlFlags & flag) !== 0;
  if ((controlFlags & ~JOB_OBJECT_CPU_RATE_CONTROL.VALID_FLAGS) !== 0) return undefined;
  if (!has(JOB_OBJECT_CPU_RATE_CONTROL.ENABLE)) return undefined;
  if (has(JOB_OBJECT_CPU_RATE_CONTROL.WEIGHT_BASED)) {
    const others = JOB_OBJECT_CPU_RATE_CONTROL.HARD_CAP | JOB_OBJECT_CPU_RATE_CONTROL.MIN_MAX_RATE;
    if ((controlFlags & others) !== 0 || weight < 1 || weight > HIGHEST_WEIGHT) return undefined;
    return { controlFlags, rate: FULL_RATE, minimum: 0, weight };
  }
  if (has(JOB_OBJECT_CPU_RATE_CONTROL.MIN_MAX_RATE)) {
    if (has(JOB_OBJECT_CPU_RATE_CONTROL.HARD_CAP)) return undefined;
    if (maximum < 1 || maximum > FULL_RATE || minimum > maximum) return undefined;
    return { controlFlags, rate: maximum, minimum, weight: 0 };
  }
  if (cpuRate < 1 || cpuRate > FULL_RATE) return undefined;
  return { controlFlags, rate: cpuRate, minimum: 0, weight: 0 };
}

function setCpuRate(job: JobObject, rate: JobCpuRate): number {
  const setting = rate.ControlFlags === 0 ? undefined : rateOf(rate);
  if (rate.ControlFlags !== 0 && setting === undefined) return STATUS.INVALID_PARAMETER;
  changeRate(job, setting);
  return STATUS.SUCCESS;
}

/** What a job is told of; its user time only, the rest is kept nowhere. */
function setNotification(job: JobObject, limit: JobNotificationLimit): number {
  const flags = numberIn('LimitFlags', limit.LimitFlags, 0, ULONG_MAX);
  const perJobUserTimeLimit = limit.PerJobUserTimeLimit ?? 0;
  numberIn('PerJobUserTimeLimit', perJobUserTimeLimit, 0, SIZE_MAX);
  if (flags === 0) job.notification = undefined;
  else if (flags !== JOB_OBJECT_LIMIT.JOB_TIME) return STATUS.NOT_IMPLEMENTED;
  else job.notification = { flags, perJobUserTimeLimit, violated: false };
  watchJob(job);
  return STATUS.SUCCESS;
}

function setFreeze(job: JobObject, { Flags, Freeze }: JobFreeze): number {
  const flags = numberIn('Flags', Flags, 0, ULONG_MAX);
  if (flags !== FREEZE_OPERATION) return STATUS.NOT_IMPLEMENTED;
  job.frozen = Freeze;
  applyHolds(job);
  return STATUS.SUCCESS;
}
type JobClass<C extends keyof JobSetting> = SetClass<JobObject, JobSetting[C]>;

const CLASSES: { readonly [C in keyof JobSetting]: JobClass<C> } = {
  [JOBOBJECTINFOCLASS.JobObjectBasicLimitInformation]: {
    lengths: [64],
    access: SET,
    set: setBasic,
  },
  [JOBOBJECTINFOCLASS.JobObjectExtendedLimitInformation]: {
    lengths: [144],
    access: SET,
    set: setExtended,
  },
  [JOBOBJECTINFOCLASS.JobObjectBasicUIRestrictions]: {
    lengths: [4],
    access: SET,
    set: setUiRestrictions,
  },
  [JOBOBJECTINFOCLASS.JobObjectEndOfJobTimeInformation]: {
    lengths: [4],
    access: SET,
    set: setEndOfJobTime,
  },
  [JOBOBJECTINFOCLASS.JobObjectAssociateCompletionPortInformation]: {
    lengths: [16],
    access: SET,
    set: setPort,
  },
  [JOBOBJECTINFOCLASS.JobObjectCpuRateControlInformation]: {
    lengths: [8],
    access: SET,
    set: setCpuRate,
  },
  [JOBOBJECTINFOCLASS.JobObjectNotificationLimitInformation]: {
    lengths: [48],
    access: SET,
    set: setNotification,
  },
  [JOBOBJECTINFOCLASS.JobObjectCreateSilo]: { lengths: [0], access: SET, set: createSilo },
  [JOBOBJECTINFOCLASS.JobObjectServerSiloInitialize]: {
    lengths: [0],
    access: SET,
    set: initializeServerSilo,
  },
  [JOBOBJECTINFOCLASS.JobObjectFreezeInformation]: { lengths: [16], access: SET, set: setFreeze },
};

/** Classes that Windows has and that are not modelled. */
const UNMODELLED: readonly number[] = [
  JOBOBJECTINFOCLASS.JobObjectSecurityLimitInformation,
  JOBOBJECTINFOCLASS.JobObjectGroupInformation,
  JOBOBJECTINFOCLASS.JobObjectGroupInformationEx,
  JOBOBJECTINFOCLASS.JobObjectNetRateControlInformation,
];

const setInformationJobObject = setService<JobObject, JobSetting>(
  'SetInformationJobObject',
  PsJobType,
  CLASSES,
  UNMODELLED,
);

/** The form of NtSetInformationJobObject: what it takes is the class's. */
export type SetInformationJobObject = SetInformation<JobSetting>;

/**
 * Changes what a class says of a job: limits at once, for its processes too.
 *
 * @returns SUCCESS; INVALID_PARAMETER for limits or flags that are none, for a second port; INVALID_INFO_CLASS;
 *   INFO_LENGTH_MISMATCH; PRIVILEGE_NOT_HELD; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtSetInformationJobObject (partial: limits of memory and working sets are books; CPU rates hold threads if they are a hard limit, and not by weight; notifications are of user time; DIE_ON_UNHANDLED_EXCEPTION and UI restrictions are kept and hold nobody; STATUS_NOT_IMPLEMENTED for security, groups and network rates)
 */
export const NtSetInformationJobObject = setInformationJobObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetInformationJobObject (partial: limits of memory and working sets are books; CPU rates hold threads if they are a hard limit, and not by weight; notifications are of user time; DIE_ON_UNHANDLED_EXCEPTION and UI restrictions are kept and hold nobody; STATUS_NOT_IMPLEMENTED for security, groups and network rates) */
export const ZwSetInformationJobObject = setInformationJobObject.zw;

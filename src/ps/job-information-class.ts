/** JOBOBJECTINFOCLASS. */
export const enum JOBOBJECTINFOCLASS {
  JobObjectBasicAccountingInformation = 1,
  JobObjectBasicLimitInformation = 2,
  JobObjectBasicProcessIdList = 3,
  JobObjectBasicUIRestrictions = 4,
  JobObjectSecurityLimitInformation = 5,
  JobObjectEndOfJobTimeInformation = 6,
  JobObjectAssociateCompletionPortInformation = 7,
  JobObjectBasicAndIoAccountingInformation = 8,
  JobObjectExtendedLimitInformation = 9,
  JobObjectGroupInformation = 11,
  JobObjectNotificationLimitInformation = 12,
  JobObjectLimitViolationInformation = 13,
  JobObjectGroupInformationEx = 14,
  JobObjectCpuRateControlInformation = 15,
  JobObjectFreezeInformation = 18,
  JobObjectContainerId = 30,
  JobObjectNetRateControlInformation = 32,
  JobObjectCreateSilo = 35,
  JobObjectSiloBasicInformation = 36,
  JobObjectServerSiloBasicInformation = 38,
  JobObjectServerSiloInitialize = 40,
}

/** JOBOBJECT_BASIC_LIMIT_INFORMATION: what its flags do not name is not looked at. Times are 100 ns, sizes bytes. */
export interface JobBasicLimits {
  readonly LimitFlags: number;
  readonly PerProcessUserTimeLimit?: number;
  readonly PerJobUserTimeLimit?: number;
  readonly MinimumWorkingSetSize?: number;
  readonly MaximumWorkingSetSize?: number;
  readonly ActiveProcessLimit?: number;
  readonly Affinity?: bigint;
  /** PRIORITY_CLASS. */
  readonly PriorityClass?: number;
  /** 0 to 9. */
  readonly SchedulingClass?: number;
}

/** JOBOBJECT_EXTENDED_LIMIT_INFORMATION. */
export interface JobExtendedLimits {
  readonly BasicLimitInformation: JobBasicLimits;
  readonly ProcessMemoryLimit?: number;
  readonly JobMemoryLimit?: number;
}

/** JOBOBJECT_ASSOCIATE_COMPLETION_PORT: a port of 0 takes the association back. */
export interface JobCompletionPort {
  readonly CompletionKey: unknown;
  readonly CompletionPort: number;
}

/** JOBOBJECT_CPU_RATE_CONTROL_INFORMATION: which of the numbers counts is by the flags. */
export interface JobCpuRate {
  /** JOB_OBJECT_CPU_RATE_CONTROL flags; 0: no rate. */
  readonly ControlFlags: number;
  /** Of 10,000. */
  readonly CpuRate?: number;
  /** 1 to 9. */
  readonly Weight?: number;
  readonly MinRate?: number;
  readonly MaxRate?: number;
}

/** JOBOBJECT_NOTIFICATION_LIMIT_INFORMATION: of its flags JOB_TIME. */
export interface JobNotificationLimit {
  /** JOB_OBJECT_LIMIT flags; 0: of nothing. */
  readonly LimitFlags: number;
  readonly PerJobUserTimeLimit?: number;
}

/** JOBOBJECT_LIMIT_VIOLATION_INFORMATION. */
export interface JobLimitViolation {
  readonly LimitFlags: number;
  /** Those of them that have been passed. */
  readonly ViolationLimitFlags: number;
  readonly PerJobUserTime: number;
  readonly PerJobUserTimeLimit: number;
}

/** JOBOBJECT_FREEZE_INFORMATION. */
export interface JobFreeze {
  /** 1: FreezeOperation. */
  readonly Flags: number;
  readonly Freeze: boolean;
}

import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE, PRIORITY_CLASS } from '../../assembly/shared/types';
import type { KernelCode } from '../ke/mode';
import { KeSetPriorityThread } from '../ke/priority';
import {
  classBasePriority,
  KeSetAffinityProcess,
  KeSetPriorityProcess,
  setPriorityClass,
  setProcessBoostDisabled,
} from '../ke/process';
import type { KProcess } from '../machine/views';
import type { Handle } from '../ob/attributes';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from '../ob/security';
import { PsProcessType } from '../ob/types';
import {
  affinityIn,
  type Caller,
  numberIn,
  type SetClass,
  ULONG_MAX,
  setService,
  type SetInformation,
} from './information';
import { PROCESS_ACCESS } from './access';
import { hintSetters, mayRaise, type PowerThrottlingState } from './hints';
import { PROCESSINFOCLASS } from './information-class';
import { jobOf } from './job';
import { imposeLimits, jobAffinity, jobPriorityClass } from './job-limits';
import { executive } from './process-query';
import { ownProcessSettings, processSettings } from './process-settings';
import {
  QUOTA_LIMITS_BYTES,
  QUOTA_LIMITS_EX_BYTES,
  type QuotaLimits,
  setQuotaLimits,
} from './quota-limits';
import { setPrimaryToken } from './token';

/** What can be changed of a process by its handle. */

/** PROCESS_PRIORITY_CLASS. */
export interface ProcessPriorityClass {
  readonly Foreground: boolean;
  readonly PriorityClass: PRIORITY_CLASS;
}

/** PROCESS_ACCESS_TOKEN. */
export interface ProcessAccessToken {
  readonly Token: Handle;
}

/** What the classes of NtSetInformationProcess take. */
export interface ProcessSetting {
  [PROCESSINFOCLASS.ProcessQuotaLimits]: QuotaLimits;
  /** 1 to 31; above what it is with SeIncreaseBasePriorityPrivilege. Bit 31: in the foreground. */
  [PROCESSINFOCLASS.ProcessBasePriority]: number;
  /** What every thread is lifted by, at most to 15. */
  [PROCESSINFOCLASS.ProcessRaisePriority]: number;
  [PROCESSINFOCLASS.ProcessAccessToken]: ProcessAccessToken;
  [PROCESSINFOCLASS.ProcessDefaultHardErrorMode]: number;
  [PROCESSINFOCLASS.ProcessIoPortHandlers]: unknown;
  [PROCESSINFOCLASS.ProcessWorkingSetWatch]: null;
  [PROCESSINFOCLASS.ProcessUserModeIOPL]: number;
  [PROCESSINFOCLASS.ProcessEnableAlignmentFaultFixup]: boolean | number;
  [PROCESSINFOCLASS.ProcessPriorityClass]: ProcessPriorityClass;
  [PROCESSINFOCLASS.ProcessAffinityMask]: bigint;
  [PROCESSINFOCLASS.ProcessPriorityBoost]: number;
  [PROCESSINFOCLASS.ProcessForegroundInformation]: boolean | number;
  [PROCESSINFOCLASS.ProcessBreakOnTermination]: number;
  [PROCESSINFOCLASS.ProcessDebugFlags]: number;
  [PROCESSINFOCLASS.ProcessIoPriority]: number;
  [PROCESSINFOCLASS.ProcessPagePriority]: number;
  [PROCESSINFOCLASS.ProcessInstrumentationCallback]: unknown;
  [PROCESSINFOCLASS.ProcessPowerThrottlingState]: PowerThrottlingState;
}

const SET = PROCESS_ACCESS.SET_INFORMATION;
const LIMITED = PROCESS_ACCESS.SET_INFORMATION | PROCESS_ACCESS.SET_LIMITED_INFORMATION;

const FOREGROUND_BIT = 0x8000_0000;
const HIGH_PRIORITY = 31;
const LOW_REALTIME_PRIORITY = 16;
const BOOST_LIMIT = 15;
const PROCESS_DEBUG_INHERIT = 1;

function* setBasePriority(process: KProcess, value: number, caller: Caller): KernelCode<number> {
  const asked = numberIn('ProcessBasePriority', value, -FOREGROUND_BIT, ULONG_MAX) >>> 0;
  const priority = asked % FOREGROUND_BIT;
  if (priority < 1 || priority > HIGH_PRIORITY) return STATUS.INVALID_PARAMETER;
  if (priority > process.basePriority && !mayRaise(caller)) return STATUS.PRIVILEGE_NOT_HELD;
  process.setForeground(asked >= FOREGROUND_BIT);
  yield* KeSetPriorityProcess(process, priority);
  return STATUS.SUCCESS;
}

function* raisePriority(process: KProcess, value: number): KernelCode<number> {
  const increment = numberIn('ProcessRaisePriority', value, 0, ULONG_MAX);
  for (const thread of process.threads()) {
    if (!thread.exists || thread.state === KTHREAD_STATE.Terminated) continue;
    const { priority } = thread;
    if (priority >= LOW_REALTIME_PRIORITY) continue;
    const raised = Math.min(priority + increment, BOOST_LIMIT);
    if (raised !== priority) yield* KeSetPriorityThread(thread, raised);
  }
  return STATUS.SUCCESS;
}

function* setClass(
  process: KProcess,
  { Foreground, PriorityClass }: ProcessPriorityClass,
  caller: Caller,
): KernelCode<number> {
  if (PriorityClass < PRIORITY_CLASS.Idle || PriorityClass > PRIORITY_CLASS.AboveNormal)
    return STATUS.INVALID_PARAMETER;
  const realtime = PriorityClass === PRIORITY_CLASS.Realtime;
  if (realtime && process.priorityClass !== PriorityClass && !mayRaise(caller))
    return STATUS.PRIVILEGE_NOT_HELD;
  const given = jobPriorityClass(jobOf(process)) ?? PriorityClass;
  setPriorityClass(process, given);
  process.setForeground(Foreground);
  yield* KeSetPriorityProcess(process, classBasePriority(given));
  if (process.job !== undefined) yield* imposeLimits(process);
  return STATUS.SUCCESS;
}

function* setAffinity(process: KProcess, value: bigint): KernelCode<number> {
  const mask = affinityIn('ProcessAffinityMask', value);
  const active = process.machine.groupAffinity(process.group);
  if (mask === 0n || (mask & ~active) !== 0n) return STATUS.INVALID_PARAMETER;
  const given = (jobAffinity(jobOf(process)) ?? mask) & active;
  yield* KeSetAffinityProcess(process, given === 0n ? mask : given);
  return STATUS.SUCCESS;
}

function setBreakOnTermination(process: KProcess, value: number, { mode }: Caller): number {
  const critical = numberIn('ProcessBreakOnTermination', value, 0, ULONG_MAX) !== 0;
  if (!SeSinglePrivilegeCheck(SE_PRIVILEGE.DEBUG, mode)) return STATUS.PRIVILEGE_NOT_HELD;
  executive(process).critical = critical;
  return STATUS.SUCCESS;
}

function watchWorkingSet(process: KProcess): number {
  if (processSettings(process).watched) return STATUS.PORT_ALREADY_SET;
  ownProcessSettings(process).watched = true;
  return STATUS.SUCCESS;
}

function setDebugFlags(process: KProcess, value: number): number {
  const flags = numberIn('ProcessDebugFlags', value, 0, ULONG_MAX);
  if (flags > PROCESS_DEBUG_INHERIT) return STATUS.INVALID_PARAMETER;
  ownProcessSettings(process).debugFlags = flags;
  return STATUS.SUCCESS;
}

const { setIoPriority, setPagePriority, setThrottling } = hintSetters(
  'Process',
  ownProcessSettings,
);

type ProcessClass<C extends keyof ProcessSetting> = SetClass<KProcess, ProcessSetting[C]>;

const CLASSES: { readonly [C in keyof ProcessSetting]: ProcessClass<C> } = {
  [PROCESSINFOCLASS.ProcessQuotaLimits]: {
    lengths: [QUOTA_LIMITS_BYTES, QUOTA_LIMITS_EX_BYTES],
    access: PROCESS_ACCESS.SET_QUOTA,
    set: setQuotaLimits,
  },
  [PROCESSINFOCLASS.ProcessBasePriority]: { lengths: [4], access: SET, set: setBasePriority },
  [PROCESSINFOCLASS.ProcessRaisePriority]: { lengths: [4], access: SET, set: raisePriority },
  [PROCESSINFOCLASS.ProcessAccessToken]: {
    lengths: [16],
    access: SET,
    set: (process, { Token }, { mode }) => setPrimaryToken(process, Token, mode),
  },
  [PROCESSINFOCLASS.ProcessDefaultHardErrorMode]: {
    lengths: [4],
    access: SET,
    set: (process, value) => {
      const mode = numberIn('ProcessDefaultHardErrorMode', value, 0, ULONG_MAX);
      ownProcessSettings(process).defaultHardErrorMode = mode;
      return STATUS.SUCCESS;
    },
  },
  [PROCESSINFOCLASS.ProcessIoPortHandlers]: {
    lengths: [16],
    access: SET,
    set: () => STATUS.INVALID_PARAMETER,
  },
  [PROCESSINFOCLASS.ProcessWorkingSetWatch]: { lengths: [0], access: SET, set: watchWorkingSet },
  [PROCESSINFOCLASS.ProcessUserModeIOPL]: {
    lengths: [4],
    access: SET,
    set: (_process, _value, { mode }) =>
      SeSinglePrivilegeCheck(SE_PRIVILEGE.TCB, mode)
        ? STATUS.NOT_IMPLEMENTED
        : STATUS.PRIVILEGE_NOT_HELD,
  },
  [PROCESSINFOCLASS.ProcessEnableAlignmentFaultFixup]: {
    lengths: [1],
    alignment: 1,
    access: SET,
    set: () => STATUS.SUCCESS,
  },
  [PROCESSINFOCLASS.ProcessPriorityClass]: {
    lengths: [2],
    alignment: 1,
    access: LIMITED,
    set: setClass,
  },
  [PROCESSINFOCLASS.ProcessAffinityMask]: { lengths: [8], access: LIMITED, set: setAffinity },
  [PROCESSINFOCLASS.ProcessPriorityBoost]: {
    lengths: [4],
    access: LIMITED,
    set: (process, value) => {
      const disabled = numberIn('ProcessPriorityBoost', value, 0, ULONG_MAX) !== 0;
      setProcessBoostDisabled(process, disabled);
      return STATUS.SUCCESS;
    },
  },
  [PROCESSINFOCLASS.ProcessForegroundInformation]: {
    lengths: [1],
    alignment: 1,
    access: SET,
    set: (process, value) => {
      process.setForeground(numberIn('ProcessForegroundInformation', value, 0, 255) !== 0);
      return STATUS.SUCCESS;
    },
  },
  [PROCESSINFOCLASS.ProcessBreakOnTermination]: {
    lengths: [4],
    access: SET,
    set: setBreakOnTermination,
  },
  [PROCESSINFOCLASS.ProcessDebugFlags]: { lengths: [4], access: SET, set: setDebugFlags },
  [PROCESSINFOCLASS.ProcessIoPriority]: { lengths: [4], access: SET, set: setIoPriority },
  [PROCESSINFOCLASS.ProcessPagePriority]: { lengths: [4], access: SET, set: setPagePriority },
  [PROCESSINFOCLASS.ProcessInstrumentationCallback]: {
    lengths: [8, 12, 16],
    access: SET,
    set: () => STATUS.SUCCESS,
  },
  [PROCESSINFOCLASS.ProcessPowerThrottlingState]: {
    lengths: [12],
    access: LIMITED,
    set: setThrottling,
  },
};

/** Classes that Windows has and that are not modelled. */
const UNMODELLED: readonly number[] = [
  PROCESSINFOCLASS.ProcessExceptionPort,
  PROCESSINFOCLASS.ProcessLdtInformation,
  PROCESSINFOCLASS.ProcessLdtSize,
  PROCESSINFOCLASS.ProcessWx86Information,
  PROCESSINFOCLASS.ProcessDeviceMap,
  PROCESSINFOCLASS.ProcessSessionInformation,
  PROCESSINFOCLASS.ProcessHandleTracing,
  PROCESSINFOCLASS.ProcessExecuteFlags,
];

const setInformationProcess = setService<KProcess, ProcessSetting>(
  'SetInformationProcess',
  PsProcessType,
  CLASSES,
  UNMODELLED,
);

/** The form of NtSetInformationProcess: what it takes is the class's. */
export type SetInformationProcess = SetInformation<ProcessSetting>;

/**
 * Changes what a class says of a process. Priority, boosts and affinity go on to its threads: their
 * relative priorities stay, priorities that were set and affinities of their own do not. What a job of
 * the process limits stays as the job says.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_INFO_CLASS; STATUS_INFO_LENGTH_MISMATCH;
 *   STATUS_INVALID_PARAMETER; STATUS_PRIVILEGE_NOT_HELD; STATUS_INVALID_HANDLE;
 *   STATUS_OBJECT_TYPE_MISMATCH; STATUS_ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtSetInformationProcess (partial: I/O and page priority, power throttling, error mode, debug flags, alignment fixups and working-set watch are kept and told, and change nothing; instrumentation callbacks are not called; working-set limits are books; STATUS_NOT_IMPLEMENTED for classes of memory)
 */
export const NtSetInformationProcess = setInformationProcess.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetInformationProcess (partial: I/O and page priority, power throttling, error mode, debug flags, alignment fixups and working-set watch are kept and told, and change nothing; instrumentation callbacks are not called; working-set limits are books; STATUS_NOT_IMPLEMENTED for classes of memory) */
export const ZwSetInformationProcess = setInformationProcess.zw;

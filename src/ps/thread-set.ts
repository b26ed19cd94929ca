import { STATUS } from '../../assembly/shared/status';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import type { GroupAffinity } from '../ke/affinity';
import type { KernelCode } from '../ke/mode';
import { KeSetBasePriorityThread, KeSetPriorityThread } from '../ke/priority';
import {
  boostDisabled,
  processAffinity,
  SATURATED_INCREMENT,
  setBoostDisabled,
  setUserAffinity,
} from '../ke/process';
import type { ProcessorNumber } from '../ke/topology';
import type { KProcess, KThread } from '../machine/views';
import { captureString, type Handle, type UnicodeString } from '../ob/attributes';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from '../ob/security';
import { PsThreadType } from '../ob/types';
import {
  affinityIn,
  type Caller,
  numberIn,
  type SetClass,
  ULONG_MAX,
  setService,
  type SetInformation,
} from './information';
import { THREAD_ACCESS } from './access';
import { setWin32StartAddress } from './context';
import { hintSetters, mayRaise, type PowerThrottlingState } from './hints';
import { THREADINFOCLASS } from './information-class';
import { ownThreadExecutive, threadExecutive } from './thread-executive';
import { setImpersonationToken } from './token';

/** What can be changed of a thread by its handle. */

/** What the classes of NtSetInformationThread take. */
export interface ThreadSetting {
  /** 1 to 31; SeIncreaseBasePriorityPrivilege from 16 on. */
  [THREADINFOCLASS.ThreadPriority]: number;
  /** -2 to 2, or an end of the range: 15 and 16, -15 and -16; of a real-time process -7 to 6. */
  [THREADINFOCLASS.ThreadBasePriority]: number;
  [THREADINFOCLASS.ThreadAffinityMask]: bigint;
  /** 0: the thread works for itself again. */
  [THREADINFOCLASS.ThreadImpersonationToken]: Handle;
  [THREADINFOCLASS.ThreadEnableAlignmentFaultFixup]: boolean | number;
  /** An address; what is told of it, and nothing else. */
  [THREADINFOCLASS.ThreadQuerySetWin32StartAddress]: number;
  /** Of its group; 64 changes nothing. The status is the number before. */
  [THREADINFOCLASS.ThreadIdealProcessor]: number;
  [THREADINFOCLASS.ThreadPriorityBoost]: number;
  [THREADINFOCLASS.ThreadHideFromDebugger]: null;
  [THREADINFOCLASS.ThreadBreakOnTermination]: number;
  [THREADINFOCLASS.ThreadIoPriority]: number;
  /** 1 very low, 2 low, 3 medium, 4 below normal, 5 normal. */
  [THREADINFOCLASS.ThreadPagePriority]: number;
  /** The base priority itself, 1 to 31; SeIncreaseBasePriorityPrivilege from 16 on. */
  [THREADINFOCLASS.ThreadActualBasePriority]: number;
  [THREADINFOCLASS.ThreadGroupInformation]: GroupAffinity;
  [THREADINFOCLASS.ThreadIdealProcessorEx]: ProcessorNumber;
  [THREADINFOCLASS.ThreadNameInformation]: UnicodeString;
  [THREADINFOCLASS.ThreadPowerThrottlingState]: PowerThrottlingState;
}

const FULL = THREAD_ACCESS.SET_INFORMATION;
const LIMITED = THREAD_ACCESS.SET_INFORMATION | THREAD_ACCESS.SET_LIMITED_INFORMATION;

const LOW_REALTIME_PRIORITY = 16;
const HIGH_PRIORITY = 31;
const MAXIMUM_PROCESSORS = 64;
/** Increments that THREAD_PRIORITY_… name besides the ends, and those of real-time processes. */
const MAXIMUM_INCREMENT = 2;
const LOWEST_REALTIME_INCREMENT = -7;
const HIGHEST_REALTIME_INCREMENT = 6;
const ALL_PROCESSORS_32 = 0xffff_ffffn;
const ALL_PROCESSORS_64 = 2n ** 64n - 1n;

/** Why a thread may not have a priority, if so. */
function priorityStatus(priority: number, caller: Caller): number {
  if (priority < 1 || priority > HIGH_PRIORITY) return STATUS.INVALID_PARAMETER;
  if (priority >= LOW_REALTIME_PRIORITY && !mayRaise(caller)) return STATUS.PRIVILEGE_NOT_HELD;
  return STATUS.SUCCESS;
}

function* setPriority(thread: KThread, value: number, caller: Caller): KernelCode<number> {
  const priority = numberIn('ThreadPriority', value, -0x8000_0000, 0x7fff_ffff);
  const status = priorityStatus(priority, caller);
  if (status === STATUS.SUCCESS) yield* KeSetPriorityThread(thread, priority);
  return status;
}

function isIncrement(thread: KThread, increment: number): boolean {
  const size = Math.abs(increment);
  if (size <= MAXIMUM_INCREMENT || size === SATURATED_INCREMENT || size === SATURATED_INCREMENT - 1)
    return true;
  if (thread.process.priorityClass !== PRIORITY_CLASS.Realtime) return false;
  return increment >= LOWEST_REALTIME_INCREMENT && increment <= HIGHEST_REALTIME_INCREMENT;
}

function* setBasePriority(thread: KThread, value: number): KernelCode<number> {
  const increment = numberIn('ThreadBasePriority', value, -0x8000_0000, 0x7fff_ffff);
  if (!isIncrement(thread, increment)) return STATUS.INVALID_PARAMETER;
  yield* KeSetBasePriorityThread(thread, increment);
  return STATUS.SUCCESS;
}

function* setActualBasePriority(
  thread: KThread,
  value: number,
  caller: Caller,
): KernelCode<number> {
  const priority = numberIn('ThreadActualBasePriority', value, -0x8000_0000, 0x7fff_ffff);
  const status = priorityStatus(priority, caller);
  if (status !== STATUS.SUCCESS) return status;
  yield* KeSetBasePriorityThread(thread, priority - thread.process.basePriority);
  return status;
}

function* setAffinityMask(thread: KThread, value: bigint): KernelCode<number> {
  const asked = affinityIn('ThreadAffinityMask', value);
  const allowed = processAffinity(thread.process);
  const all = asked === ALL_PROCESSORS_32 || asked === ALL_PROCESSORS_64;
  const mask = all ? allowed : asked;
  if (mask === 0n || (mask & ~allowed) !== 0n) return STATUS.INVALID_PARAMETER;
  yield* setUserAffinity(thread, mask, idealIn(thread, thread.process.group, mask));
  return STATUS.SUCCESS;
}

/** @internal The processors that an affinity names; undefined if a thread of the process cannot have it. */
export function groupMask(process: KProcess, { Mask, Group }: GroupAffinity): bigint | undefined {
  const mask = affinityIn('GROUP_AFFINITY', Mask);
  const { machine } = process;
  const allowed = Group === process.group ? processAffinity(process) : machine.groupAffinity(Group);
  return mask === 0n || (mask & ~allowed) !== 0n ? undefined : mask;
}

/** @internal Lets a thread run on the processors of an affinity, and nowhere else. */
export function* setGroupAffinity(thread: KThread, affinity: GroupAffinity): KernelCode<number> {
  const mask = groupMask(thread.process, affinity);
  if (mask === undefined) return STATUS.INVALID_PARAMETER;
  yield* setUserAffinity(thread, mask, idealIn(thread, affinity.Group, mask));
  return STATUS.SUCCESS;
}

/** The ideal processor that a thread is to have in a group: the one it has, if that is there. */
function idealIn(thread: KThread, group: number, mask: bigint): number {
  const { machine } = thread;
  const ideal = thread.userAffinity?.ideal ?? thread.idealProcessor;
  if (machine.processorPlace(ideal)?.group === group) return ideal;
  for (let bit = 0; bit < MAXIMUM_PROCESSORS; bit++) {
    if ((mask & (1n << BigInt(bit))) === 0n) continue;
    const index = machine.processorIndex(group, bit);
    if (index !== undefined) return index;
  }
  return ideal;
}

function setIdealProcessor(thread: KThread, value: number): number {
  const processor = numberIn('ThreadIdealProcessor', value, 0, ULONG_MAX);
  const { machine } = thread;
  if (processor > MAXIMUM_PROCESSORS) return STATUS.INVALID_PARAMETER;
  const previous = machine.processorPlace(thread.idealProcessor)?.groupIndex ?? 0;
  if (processor === MAXIMUM_PROCESSORS) return previous;
  const index = machine.processorIndex(thread.group, processor);
  if (index === undefined) return STATUS.INVALID_PARAMETER;
  thread.setIdealProcessor(index);
  return previous;
}

function setIdealProcessorEx(thread: KThread, processor: ProcessorNumber): number {
  const index = thread.machine.processorIndex(processor.Group, processor.Number);
  if (index === undefined || processor.Group !== thread.group) return STATUS.INVALID_PARAMETER;
  thread.setIdealProcessor(index);
  return STATUS.SUCCESS;
}

function setBreakOnTermination(thread: KThread, value: number, { mode }: Caller): number {
  const critical = numberIn('ThreadBreakOnTermination', value, 0, ULONG_MAX) !== 0;
  if (!SeSinglePrivilegeCheck(SE_PRIVILEGE.DEBUG, mode)) return STATUS.PRIVILEGE_NOT_HELD;
  if (critical) thread.machine.needLifecycle();
  ownThreadExecutive(thread).critical = critical;
  return STATUS.SUCCESS;
}

const { setIoPriority, setPagePriority, setThrottling } = hintSetters('Thread', ownThreadExecutive);

function setName(thread: KThread, value: UnicodeString): number {
  const { status, text } = captureString(value);
  if (status !== STATUS.SUCCESS) return status;
  if (text !== threadExecutive(thread).name) ownThreadExecutive(thread).name = text;
  return STATUS.SUCCESS;
}
type ThreadClass<C extends keyof ThreadSetting> = SetClass<KThread, ThreadSetting[C]>;

const CLASSES: { readonly [C in keyof ThreadSetting]: ThreadClass<C> } = {
  [THREADINFOCLASS.ThreadPriority]: { lengths: [4], access: LIMITED, set: setPriority },
  [THREADINFOCLASS.ThreadBasePriority]: { lengths: [4], access: LIMITED, set: setBasePriority },
  [THREADINFOCLASS.ThreadAffinityMask]: { lengths: [8], access: LIMITED, set: setAffinityMask },
  [THREADINFOCLASS.ThreadImpersonationToken]: {
    lengths: [8],
    access: THREAD_ACCESS.SET_THREAD_TOKEN,
    set: (thread, handle, { mode }) => setImpersonationToken(thread, handle, mode),
  },
  [THREADINFOCLASS.ThreadEnableAlignmentFaultFixup]: {
    lengths: [1],
    alignment: 1,
    access: FULL,
    set: () => STATUS.SUCCESS,
  },
  [THREADINFOCLASS.ThreadQuerySetWin32StartAddress]: {
    lengths: [8],
    access: FULL,
    set: (thread, value) => {
      const name = 'ThreadQuerySetWin32StartAddress';
      setWin32StartAddress(thread, numberIn(name, value, 0, 2 ** 53 - 1));
      return STATUS.SUCCESS;
    },
  },
  [THREADINFOCLASS.ThreadIdealProcessor]: { lengths: [4], access: FULL, set: setIdealProcessor },
  [THREADINFOCLASS.ThreadPriorityBoost]: {
    lengths: [4],
    access: LIMITED,
    set: (thread, value) => {
      const disabled = numberIn('ThreadPriorityBoost', value, 0, ULONG_MAX) !== 0;
      if (disabled !== boostDisabled(thread)) setBoostDisabled(thread, disabled);
      return STATUS.SUCCESS;
    },
  },
  [THREADINFOCLASS.ThreadHideFromDebugger]: {
    lengths: [0],
    access: FULL,
    set: (thread) => {
      ownThreadExecutive(thread).hideFromDebugger = true;
      return STATUS.SUCCESS;
    },
  },
  [THREADINFOCLASS.ThreadBreakOnTermination]: {
    lengths: [4],
    access: FULL,
    set: setBreakOnTermination,
  },
  [THREADINFOCLASS.ThreadIoPriority]: { lengths: [4], access: FULL, set: setIoPriority },
  [THREADINFOCLASS.ThreadPagePriority]: { lengths: [4], access: FULL, set: setPagePriority },
  [THREADINFOCLASS.ThreadActualBasePriority]: {
    lengths: [4],
    access: FULL,
    set: setActualBasePriority,
  },
  [THREADINFOCLASS.ThreadGroupInformation]: {
    lengths: [16],
    access: LIMITED,
    set: setGroupAffinity,
  },
  [THREADINFOCLASS.ThreadIdealProcessorEx]: {
    lengths: [4],
    access: FULL,
    set: setIdealProcessorEx,
  },
  [THREADINFOCLASS.ThreadNameInformation]: { lengths: [16], access: LIMITED, set: setName },
  [THREADINFOCLASS.ThreadPowerThrottlingState]: { lengths: [12], access: FULL, set: setThrottling },
};

/** Classes that Windows has and that are not modelled. */
const UNMODELLED: readonly number[] = [
  THREADINFOCLASS.ThreadZeroTlsCell,
  THREADINFOCLASS.ThreadSetTlsArrayAddress,
  THREADINFOCLASS.ThreadSwitchLegacyState,
];

const setInformationThread = setService<KThread, ThreadSetting>(
  'SetInformationThread',
  PsThreadType,
  CLASSES,
  UNMODELLED,
);

/** The form of NtSetInformationThread: what it takes is the class's. */
export type SetInformationThread = SetInformation<ThreadSetting>;

/**
 * Changes what a class says of a thread. A new affinity is in force when this returns: the caller is
 * on an allowed processor.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_INFO_CLASS; STATUS_INFO_LENGTH_MISMATCH;
 *   STATUS_INVALID_PARAMETER; STATUS_PRIVILEGE_NOT_HELD; STATUS_INVALID_HANDLE;
 *   STATUS_OBJECT_TYPE_MISMATCH; STATUS_ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtSetInformationThread (partial: I/O and page priority, power throttling, alignment fixups and hiding from debuggers are kept and told, and change nothing; STATUS_NOT_IMPLEMENTED for TLS and legacy state)
 */
export const NtSetInformationThread = setInformationThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetInformationThread (partial: I/O and page priority, power throttling, alignment fixups and hiding from debuggers are kept and told, and change nothing; STATUS_NOT_IMPLEMENTED for TLS and legacy state) */
export const ZwSetInformationThread = setInformationThread.zw;

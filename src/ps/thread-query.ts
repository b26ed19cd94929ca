import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE, type KWAIT_REASON } from '../../assembly/shared/types';
import type { GroupAffinity } from '../ke/affinity';
import { pendingRequests } from '../io/file';
import { baseIncrement, boostDisabled, userAffinityOf } from '../ke/process';
import type { KThread } from '../machine/views';
import { PsThreadType } from '../ob/types';
import { type ClientId, clientIdOf } from './cid';
import { win32StartAddress } from './context';
import { type PowerThrottlingState, throttlingOf } from './hints';
import { type Classes, type QueryClass, queryService, type QueryInformation } from './information';
import { THREAD_ACCESS } from './access';
import { THREADINFOCLASS } from './information-class';
import { subsystemOf } from './executive';
import { tebAddress } from './teb';
import { threadExecutive } from './thread-executive';

/** What there is to know of a thread by its handle. Times are 100 ns, system times since 1601. */

/** THREAD_BASIC_INFORMATION. */
export interface ThreadBasicInformation {
  /** STATUS_PENDING while it runs. */
  readonly ExitStatus: number;
  readonly TebBaseAddress: number;
  readonly ClientId: ClientId;
  readonly AffinityMask: bigint;
  readonly Priority: number;
  /** Relative to its process's; 16 or -16 if it is an end of the range by saturation. */
  readonly BasePriority: number;
}

/** KERNEL_USER_TIMES. */
export interface KernelUserTimes {
  readonly CreateTime: bigint;
  /** 0 while it runs. */
  readonly ExitTime: bigint;
  readonly KernelTime: number;
  readonly UserTime: number;
}

/** SYSTEM_THREAD_INFORMATION. */
export interface SystemThreadInformation {
  readonly KernelTime: number;
  readonly UserTime: number;
  readonly CreateTime: bigint;
  /** Clock ticks since it came into its state. */
  readonly WaitTime: number;
  readonly ClientId: ClientId;
  readonly Priority: number;
  /** The base priority itself. */
  readonly BasePriority: number;
  readonly ContextSwitches: number;
  readonly ThreadState: KTHREAD_STATE;
  readonly WaitReason: KWAIT_REASON;
}

/** PROCESSOR_NUMBER. */
export interface ProcessorNumberInformation {
  readonly Group: number;
  readonly Number: number;
  readonly Reserved: number;
}

/** What the classes of NtQueryInformationThread give. */
export interface ThreadInformation {
  [THREADINFOCLASS.ThreadBasicInformation]: ThreadBasicInformation;
  [THREADINFOCLASS.ThreadTimes]: KernelUserTimes;
  [THREADINFOCLASS.ThreadQuerySetWin32StartAddress]: { readonly Win32StartAddress: number };
  [THREADINFOCLASS.ThreadIsIoPending]: { readonly IsIoPending: number };
  [THREADINFOCLASS.ThreadPerformanceCount]: { readonly PerformanceCount: number };
  [THREADINFOCLASS.ThreadAmILastThread]: { readonly AmILastThread: number };
  [THREADINFOCLASS.ThreadPriorityBoost]: { readonly DisableBoost: number };
  [THREADINFOCLASS.ThreadHideFromDebugger]: { readonly HideFromDebugger: number };
  [THREADINFOCLASS.ThreadBreakOnTermination]: { readonly BreakOnTermination: number };
  [THREADINFOCLASS.ThreadIsTerminated]: { readonly IsTerminated: number };
  [THREADINFOCLASS.ThreadIoPriority]: { readonly IoPriority: number };
  [THREADINFOCLASS.ThreadCycleTime]: {
    readonly AccumulatedCycles: number;
    readonly CurrentCycleCount: number;
  };
  [THREADINFOCLASS.ThreadPagePriority]: { readonly PagePriority: number };
  [THREADINFOCLASS.ThreadGroupInformation]: GroupAffinity;
  [THREADINFOCLASS.ThreadIdealProcessorEx]: ProcessorNumberInformation;
  [THREADINFOCLASS.ThreadSuspendCount]: { readonly SuspendCount: number };
  [THREADINFOCLASS.ThreadNameInformation]: {
    readonly Length: number;
    readonly MaximumLength: number;
    readonly Buffer: string;
  };
  [THREADINFOCLASS.ThreadSystemThreadInformation]: SystemThreadInformation;
  [THREADINFOCLASS.ThreadActualGroupAffinity]: GroupAffinity;
  [THREADINFOCLASS.ThreadSubsystemInformation]: { readonly SubsystemInformation: number };
  [THREADINFOCLASS.ThreadPowerThrottlingState]: PowerThrottlingState;
}

const FULL = THREAD_ACCESS.QUERY_INFORMATION;
const LIMITED = THREAD_ACCESS.QUERY_INFORMATION | THREAD_ACCESS.QUERY_LIMITED_INFORMATION;

/** sizeof(UNICODE_STRING): THREAD_NAME_INFORMATION without the name. */
const NAME_INFORMATION_BYTES = 16;

/** When a thread was made, as a system time; one that the host has not seen then, with its process. */
export function threadCreateTime(thread: KThread): bigint {
  const { machine, process, createdNs } = thread;
  return machine.clock.systemTimeAt100ns(createdNs ?? process.createTimeNs);
}

function timesOf(thread: KThread): KernelUserTimes {
  const ended = thread.state === KTHREAD_STATE.Terminated;
  return {
    CreateTime: threadCreateTime(thread),
    ExitTime: ended ? thread.machine.clock.systemTimeAt100ns(thread.stateSinceNs) : 0n,
    KernelTime: thread.kernelTime100ns,
    UserTime: thread.userTime100ns,
  };
}

/** What NtQuerySystemInformation tells of a thread too. */
export function systemThreadInformation(thread: KThread): SystemThreadInformation {
  const { machine } = thread;
  const interval = machine.profile.clockIntervalNs;
  return {
    KernelTime: thread.kernelTime100ns,
    UserTime: thread.userTime100ns,
    CreateTime: threadCreateTime(thread),
    WaitTime: Math.floor((machine.now - thread.stateSinceNs) / interval),
    ClientId: clientIdOf(thread),
    Priority: thread.priority,
    BasePriority: thread.basePriority,
    ContextSwitches: thread.contextSwitches,
    ThreadState: thread.state,
    WaitReason: thread.waitReason,
  };
}

function idealProcessor(thread: KThread): ProcessorNumberInformation {
  const ideal = thread.userAffinity?.ideal ?? thread.idealProcessor;
  const place = thread.machine.processorPlace(ideal);
  return { Group: place?.group ?? 0, Number: place?.groupIndex ?? 0, Reserved: 0 };
}

function nameOf(thread: KThread, length: number) {
  const { name } = threadExecutive(thread);
  const bytes = name.length * 2;
  const returnLength = NAME_INFORMATION_BYTES + bytes;
  if (length < returnLength) return { status: STATUS.BUFFER_TOO_SMALL, returnLength };
  return { Length: bytes, MaximumLength: bytes, Buffer: name, returnLength };
}

/** A class of one ULONG, or of another type that is a number. */
function one(
  bytes: number,
  field: string,
  access: number,
  value: (thread: KThread) => number,
): QueryClass<KThread> {
  return {
    lengths: [bytes],
    access,
    silent: true,
    alignment: Math.min(bytes, 4),
    query: (thread) => ({ [field]: value(thread) }),
  };
}

const CLASSES: Classes<QueryClass<KThread>> = new Map<number, QueryClass<KThread> | 'unmodelled'>([
  [
    THREADINFOCLASS.ThreadBasicInformation,
    {
      lengths: [48],
      access: LIMITED,
      silent: true,
      query: (thread): ThreadBasicInformation => ({
        ExitStatus: thread.signalState === 0 ? STATUS.PENDING : thread.exitStatus,
        TebBaseAddress: tebAddress(thread),
        ClientId: clientIdOf(thread),
        AffinityMask: userAffinityOf(thread),
        Priority: thread.priority,
        BasePriority: baseIncrement(thread),
      }),
    },
  ],
  [THREADINFOCLASS.ThreadTimes, { lengths: [32], access: LIMITED, silent: true, query: timesOf }],
  [THREADINFOCLASS.ThreadDescriptorTableEntry, 'unmodelled'],
  [
    THREADINFOCLASS.ThreadQuerySetWin32StartAddress,
    one(8, 'Win32StartAddress', FULL, win32StartAddress),
  ],
  [THREADINFOCLASS.ThreadPerformanceCount, one(8, 'PerformanceCount', FULL, () => 0)],
  [
    THREADINFOCLASS.ThreadAmILastThread,
    one(4, 'AmILastThread', FULL, (thread) => (thread.process.threadCount === 1 ? 1 : 0)),
  ],
  [
    THREADINFOCLASS.ThreadPriorityBoost,
    one(4, 'DisableBoost', LIMITED, (thread) => (boostDisabled(thread) ? 1 : 0)),
  ],
  [
    THREADINFOCLASS.ThreadIsIoPending,
    one(4, 'IsIoPending', FULL, (thread) => (pendingRequests(thread) === 0 ? 0 : 1)),
  ],
  [
    THREADINFOCLASS.ThreadHideFromDebugger,
    one(1, 'HideFromDebugger', FULL, (thread) => Number(threadExecutive(thread).hideFromDebugger)),
  ],
  [
    THREADINFOCLASS.ThreadBreakOnTermination,
    one(4, 'BreakOnTermination', LIMITED, (thread) => Number(threadExecutive(thread).critical)),
  ],
  [
    THREADINFOCLASS.ThreadIsTerminated,
    one(4, 'IsTerminated', LIMITED, ({ state }) => (state === KTHREAD_STATE.Terminated ? 1 : 0)),
  ],
  [THREADINFOCLASS.ThreadLastSystemCall, 'unmodelled'],
  [
    THREADINFOCLASS.ThreadIoPriority,
    one(4, 'IoPriority', LIMITED, (thread) => threadExecutive(thread).ioPriority),
  ],
  [
    THREADINFOCLASS.ThreadCycleTime,
    {
      lengths: [16],
      access: LIMITED,
      silent: true,
      query: ({ cycleTime }) => ({ AccumulatedCycles: cycleTime, CurrentCycleCount: 0 }),
    },
  ],
  [
    THREADINFOCLASS.ThreadPagePriority,
    one(4, 'PagePriority', LIMITED, (thread) => threadExecutive(thread).pagePriority),
  ],
  [THREADINFOCLASS.ThreadTebInformation, 'unmodelled'],
  [
    THREADINFOCLASS.ThreadGroupInformation,
    {
      lengths: [16],
      access: LIMITED,
      silent: true,
      query: (thread): GroupAffinity => ({
        Mask: userAffinityOf(thread),
        Group: idealProcessor(thread).Group,
      }),
    },
  ],
  [
    THREADINFOCLASS.ThreadIdealProcessorEx,
    { lengths: [4], access: LIMITED, silent: true, query: idealProcessor },
  ],
  [
    THREADINFOCLASS.ThreadSuspendCount,
    {
      lengths: [4],
      access: LIMITED,
      silent: true,
      query: (thread) =>
        thread.state === KTHREAD_STATE.Terminated
          ? { status: STATUS.THREAD_IS_TERMINATING }
          : { SuspendCount: thread.suspendCount },
    },
  ],
  [THREADINFOCLASS.ThreadNameInformation, { lengths: 'variable', access: LIMITED, query: nameOf }],
  [
    THREADINFOCLASS.ThreadSystemThreadInformation,
    { lengths: [80], access: FULL, silent: true, query: systemThreadInformation },
  ],
  [
    THREADINFOCLASS.ThreadActualGroupAffinity,
    {
      lengths: [16],
      access: LIMITED,
      silent: true,
      query: ({ affinity, group }): GroupAffinity => ({ Mask: affinity, Group: group }),
    },
  ],
  [
    THREADINFOCLASS.ThreadSubsystemInformation,
    one(4, 'SubsystemInformation', LIMITED, ({ process }) => subsystemOf(process)),
  ],
  [
    THREADINFOCLASS.ThreadPowerThrottlingState,
    {
      lengths: [12],
      access: LIMITED,
      silent: true,
      query: (thread) => throttlingOf(threadExecutive(thread)),
    },
  ],
]);

const queryInformationThread = queryService<KThread, ThreadInformation>(
  'QueryInformationThread',
  PsThreadType,
  CLASSES,
);

/** The form of NtQueryInformationThread: the fields are those of the class. */
export type QueryInformationThread = QueryInformation<ThreadInformation>;

/**
 * Asks for information about a thread. `buffer` is the caller's buffer: its length in bytes.
 *
 * @returns STATUS_SUCCESS with the class's fields; STATUS_INVALID_INFO_CLASS;
 *   STATUS_INFO_LENGTH_MISMATCH; STATUS_BUFFER_TOO_SMALL for a name, with the length it takes;
 *   STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH; STATUS_ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtQueryInformationThread (partial: STATUS_NOT_IMPLEMENTED for descriptors, TEBs and the last system call)
 */
export const NtQueryInformationThread = queryInformationThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryInformationThread (partial: STATUS_NOT_IMPLEMENTED for descriptors, TEBs and the last system call) */
export const ZwQueryInformationThread = queryInformationThread.zw;

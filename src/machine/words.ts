import { PRIORITY_CHANGE, VECTOR } from '../../assembly/shared/event';
import { CONDITION } from '../../assembly/shared/opcode';
import {
  FRAME,
  GUEST,
  KTHREAD_STATE,
  KWAIT_REASON,
  PRIORITY_CLASS,
} from '../../assembly/shared/types';

/** Names of enum members: const enums have none at run time. The types see that none is missing. */
export const THREAD_STATE_NAMES: Readonly<Record<KTHREAD_STATE, string>> = {
  [KTHREAD_STATE.Initialized]: 'Initialized',
  [KTHREAD_STATE.Ready]: 'Ready',
  [KTHREAD_STATE.Running]: 'Running',
  [KTHREAD_STATE.Standby]: 'Standby',
  [KTHREAD_STATE.Terminated]: 'Terminated',
  [KTHREAD_STATE.Waiting]: 'Waiting',
  [KTHREAD_STATE.Transition]: 'Transition',
  [KTHREAD_STATE.DeferredReady]: 'DeferredReady',
  [KTHREAD_STATE.GateWaitObsolete]: 'GateWaitObsolete',
  [KTHREAD_STATE.WaitingForProcessInSwap]: 'WaitingForProcessInSwap',
};

export const FRAME_NAMES: Readonly<Record<FRAME, string>> = {
  [FRAME.KernelApcKernelRoutine]: 'kernel routine of a kernel-mode APC',
  [FRAME.KernelApc]: 'normal routine of a kernel-mode APC',
  [FRAME.UserApcKernelRoutine]: 'kernel routine of a user-mode APC',
  [FRAME.UserApc]: 'normal routine of a user-mode APC',
  [FRAME.Suspend]: 'suspension',
  [FRAME.Call]: 'call',
};

export const WAIT_REASON_NAMES: Readonly<Record<KWAIT_REASON, string>> = {
  [KWAIT_REASON.Executive]: 'Executive',
  [KWAIT_REASON.FreePage]: 'FreePage',
  [KWAIT_REASON.PageIn]: 'PageIn',
  [KWAIT_REASON.PoolAllocation]: 'PoolAllocation',
  [KWAIT_REASON.DelayExecution]: 'DelayExecution',
  [KWAIT_REASON.Suspended]: 'Suspended',
  [KWAIT_REASON.UserRequest]: 'UserRequest',
  [KWAIT_REASON.WrExecutive]: 'WrExecutive',
  [KWAIT_REASON.WrFreePage]: 'WrFreePage',
  [KWAIT_REASON.WrPageIn]: 'WrPageIn',
  [KWAIT_REASON.WrPoolAllocation]: 'WrPoolAllocation',
  [KWAIT_REASON.WrDelayExecution]: 'WrDelayExecution',
  [KWAIT_REASON.WrSuspended]: 'WrSuspended',
  [KWAIT_REASON.WrUserRequest]: 'WrUserRequest',
  [KWAIT_REASON.WrEventPair]: 'WrEventPair',
  [KWAIT_REASON.WrQueue]: 'WrQueue',
  [KWAIT_REASON.WrLpcReceive]: 'WrLpcReceive',
  [KWAIT_REASON.WrLpcReply]: 'WrLpcReply',
  [KWAIT_REASON.WrVirtualMemory]: 'WrVirtualMemory',
  [KWAIT_REASON.WrPageOut]: 'WrPageOut',
  [KWAIT_REASON.WrRendezvous]: 'WrRendezvous',
  [KWAIT_REASON.WrKeyedEvent]: 'WrKeyedEvent',
  [KWAIT_REASON.WrTerminated]: 'WrTerminated',
  [KWAIT_REASON.WrProcessInSwap]: 'WrProcessInSwap',
  [KWAIT_REASON.WrCpuRateControl]: 'WrCpuRateControl',
  [KWAIT_REASON.WrCalloutStack]: 'WrCalloutStack',
  [KWAIT_REASON.WrKernel]: 'WrKernel',
  [KWAIT_REASON.WrResource]: 'WrResource',
  [KWAIT_REASON.WrPushLock]: 'WrPushLock',
  [KWAIT_REASON.WrMutex]: 'WrMutex',
  [KWAIT_REASON.WrQuantumEnd]: 'WrQuantumEnd',
  [KWAIT_REASON.WrDispatchInt]: 'WrDispatchInt',
  [KWAIT_REASON.WrPreempted]: 'WrPreempted',
  [KWAIT_REASON.WrYieldExecution]: 'WrYieldExecution',
  [KWAIT_REASON.WrFastMutex]: 'WrFastMutex',
  [KWAIT_REASON.WrGuardedMutex]: 'WrGuardedMutex',
  [KWAIT_REASON.WrRundown]: 'WrRundown',
  [KWAIT_REASON.WrAlertByThreadId]: 'WrAlertByThreadId',
  [KWAIT_REASON.WrDeferredPreempt]: 'WrDeferredPreempt',
};

export const PRIORITY_CLASS_NAMES: Readonly<Record<PRIORITY_CLASS, string>> = {
  [PRIORITY_CLASS.Idle]: 'Idle',
  [PRIORITY_CLASS.Normal]: 'Normal',
  [PRIORITY_CLASS.High]: 'High',
  [PRIORITY_CLASS.Realtime]: 'Realtime',
  [PRIORITY_CLASS.BelowNormal]: 'BelowNormal',
  [PRIORITY_CLASS.AboveNormal]: 'AboveNormal',
};

/** Levels that have a name. */
export const IRQL_NAMES: Readonly<Record<number, string>> = {
  0: 'PASSIVE_LEVEL',
  1: 'APC_LEVEL',
  2: 'DISPATCH_LEVEL',
  13: 'CLOCK_LEVEL',
  14: 'IPI_LEVEL',
  15: 'HIGH_LEVEL',
};

export const CONDITION_NAMES: Readonly<Record<CONDITION, string>> = {
  [CONDITION.Equal]: '==',
  [CONDITION.NotEqual]: '!=',
  [CONDITION.Less]: '<',
  [CONDITION.GreaterOrEqual]: '>=',
  [CONDITION.Success]: 'success',
  [CONDITION.Failure]: 'failure',
};

export const GUEST_NAMES: Readonly<Record<GUEST, string>> = {
  [GUEST.Program]: 'Program',
  [GUEST.Host]: 'Host',
  [GUEST.Port]: 'Port',
};

export const VECTOR_NAMES: Readonly<Record<VECTOR, string>> = {
  [VECTOR.Clock]: 'Clock',
  [VECTOR.Ipi]: 'Ipi',
  [VECTOR.Device]: 'Device',
  [VECTOR.TimerExpiration]: 'TimerExpiration',
  [VECTOR.QuantumEnd]: 'QuantumEnd',
  [VECTOR.Dpc]: 'Dpc',
  [VECTOR.ThreadedDpc]: 'ThreadedDpc',
  [VECTOR.Timer]: 'Timer',
};

export const PRIORITY_CHANGE_NAMES: Readonly<Record<PRIORITY_CHANGE, string>> = {
  [PRIORITY_CHANGE.Set]: 'Set',
  [PRIORITY_CHANGE.Unwait]: 'Unwait',
  [PRIORITY_CHANGE.Foreground]: 'Foreground',
  [PRIORITY_CHANGE.QuantumEnd]: 'QuantumEnd',
  [PRIORITY_CHANGE.Starvation]: 'Starvation',
  [PRIORITY_CHANGE.StarvationEnd]: 'StarvationEnd',
  [PRIORITY_CHANGE.Yield]: 'Yield',
  [PRIORITY_CHANGE.Base]: 'Base',
  [PRIORITY_CHANGE.AutoBoost]: 'AutoBoost',
  [PRIORITY_CHANGE.AutoBoostEnd]: 'AutoBoostEnd',
};

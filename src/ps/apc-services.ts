import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeAlertThread, KeInsertQueueApc, KeTestAlertThread } from '../ke/apc';
import { encodeTimeout, type Timeout } from '../ke/call';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { KeDelayExecutionThread } from '../ke/time';
import type { NormalRoutine } from '../machine/apc';
import { currentGuest } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import type { KThread } from '../machine/views';
import { failed, type Handle, type HandleResult, type ObjectAttributes } from '../ob/attributes';
import { ObpCreateObject } from '../ob/create';
import { ObpReferenceByHandle } from '../ob/handle';
import { HostObject } from '../ob/object';
import { ObpDereference } from '../ob/reference';
import { onHandle } from '../ob/services/on-handle';
import { IoCompletionReserveType, PspUserApcReserveType, PsThreadType } from '../ob/types';
import { rowOfThreadId } from './cid';

/** User-mode APCs, alerts and delays, by handle and by thread id. */

const THREAD_SET_CONTEXT = 0x10;
const THREAD_ALERT = 4;

/** What NtQueueApcThreadEx takes in place of the handle of a reserve object. */
export const enum QUEUE_USER_APC_FLAGS {
  NONE = 0,
  SPECIAL_USER_APC = 1,
  CALLBACK_DATA_CONTEXT = 0x10000,
}

/** MEMORY_RESERVE_TYPE. */
export const enum MEMORY_RESERVE_TYPE {
  MemoryReserveUserApc = 0,
  MemoryReserveIoCompletion = 1,
}

/** A reserve object: memory for one APC or packet at a time. */
export class KReserve extends HostObject {
  busy = false;
}

const allocateReserveObject = systemService(
  'AllocateReserveObject',
  function* (
    mode,
    objectAttributes: ObjectAttributes | null,
    type: MEMORY_RESERVE_TYPE,
  ): KernelCode<HandleResult> {
    const apc = type === MEMORY_RESERVE_TYPE.MemoryReserveUserApc;
    if (!apc && type !== MEMORY_RESERVE_TYPE.MemoryReserveIoCompletion)
      return failed(STATUS.INVALID_PARAMETER);
    const { machine } = currentGuest('NtAllocateReserveObject');
    return yield* ObpCreateObject({
      mode,
      type: apc ? PspUserApcReserveType : IoCompletionReserveType,
      desiredAccess: 0xf0003,
      attributes: objectAttributes,
      make: () => new KReserve(machine),
    });
  },
);

/** Makes a reserve object. @irql PASSIVE_LEVEL @nt NtAllocateReserveObject */
export const NtAllocateReserveObject = allocateReserveObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwAllocateReserveObject */
export const ZwAllocateReserveObject = allocateReserveObject.zw;

/** What a user-mode APC is queued with. */
interface UserApc {
  readonly routine: NormalRoutine | null;
  readonly special: boolean;
  readonly arguments: readonly [unknown, unknown, unknown];
  readonly reserve: KReserve | undefined;
}

function* queueUserApc(thread: KThread, call: UserApc): KernelCode<number> {
  const { machine } = thread;
  if (thread.mode === MODE.KernelMode && thread.process === machine.systemProcess)
    return STATUS.INVALID_HANDLE;
  if (thread.signalState !== 0 || thread.terminating) return STATUS.UNSUCCESSFUL;
  // Without a routine there is nothing to run, and nothing that would end a wait.
  if (call.routine === null) return STATUS.SUCCESS;
  const [context, first, second] = call.arguments;
  const release = () => {
    if (call.reserve !== undefined) call.reserve.busy = false;
  };
  const apc = machine.tryCreateApc(thread, {
    mode: MODE.UserMode,
    normalRoutine: call.routine,
    normalContext: context,
    specialUser: call.special,
    kernelRoutine: (own) => {
      own.delete();
      release();
    },
    rundownRoutine: (own) => {
      own.delete();
      release();
    },
  });
  if (typeof apc === 'string') return STATUS.NO_MEMORY;
  if (call.reserve !== undefined) call.reserve.busy = true;
  if (yield* KeInsertQueueApc(apc, first, second, 0)) return STATUS.SUCCESS;
  apc.delete();
  release();
  return STATUS.UNSUCCESSFUL;
}

function* queueByHandle(mode: MODE, handle: Handle, call: UserApc): KernelCode<number> {
  return yield* onHandle(mode, handle, THREAD_SET_CONTEXT, PsThreadType, (thread: KThread) =>
    queueUserApc(thread, call),
  );
}

const queueApcThread = systemService(
  'QueueApcThread',
  (
    mode,
    threadHandle: Handle,
    apcRoutine: NormalRoutine | null,
    argument1: unknown,
    argument2: unknown,
    argument3: unknown,
  ) =>
    queueByHandle(mode, threadHandle, {
      routine: apcRoutine,
      special: false,
      arguments: [argument1, argument2, argument3],
      reserve: undefined,
    }),
);

/**
 * Queues a user-mode APC to a thread, which runs it in its next alertable wait in user mode.
 *
 * @returns STATUS_SUCCESS; STATUS_UNSUCCESSFUL for a thread that has begun to end; STATUS_INVALID_HANDLE
 *   for a system thread; STATUS_NO_MEMORY; what handles come to.
 * @irql PASSIVE_LEVEL   @nt NtQueueApcThread
 */
export const NtQueueApcThread = queueApcThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueueApcThread */
export const ZwQueueApcThread = queueApcThread.zw;

/** The APC that a reserve object holds, or what is wrong with the handle. */
function reserveOf(mode: MODE, handle: Handle) {
  const { status, header } = ObpReferenceByHandle(handle, 2, PspUserApcReserveType, mode);
  if (header === undefined) return { status, header };
  const busy = (header.body as KReserve).busy;
  return { status: busy ? STATUS.INVALID_PARAMETER_2 : STATUS.SUCCESS, header };
}

const queueApcThreadEx = systemService(
  'QueueApcThreadEx',
  function* (
    mode,
    threadHandle: Handle,
    reserveHandle: Handle | QUEUE_USER_APC_FLAGS,
    apcRoutine: NormalRoutine | null,
    argument1: unknown,
    argument2: unknown,
    argument3: unknown,
  ): KernelCode<number> {
    const special = reserveHandle === QUEUE_USER_APC_FLAGS.SPECIAL_USER_APC;
    const call = {
      routine: apcRoutine,
      special,
      arguments: [argument1, argument2, argument3] as const,
    };
    if (reserveHandle === QUEUE_USER_APC_FLAGS.NONE || special)
      return yield* queueByHandle(mode, threadHandle, { ...call, reserve: undefined });
    if (reserveHandle === QUEUE_USER_APC_FLAGS.CALLBACK_DATA_CONTEXT) return STATUS.INVALID_HANDLE;
    const { status, header } = reserveOf(mode, reserveHandle);
    if (header === undefined) return status;
    const reserve = header.body as KReserve;
    const queued =
      status === STATUS.SUCCESS
        ? yield* queueByHandle(mode, threadHandle, { ...call, reserve })
        : status;
    yield* ObpDereference(header);
    return queued;
  },
);

/**
 * The same with memory of a reserve object, or as a special user-mode APC, which needs no alertable
 * wait.
 *
 * @returns also STATUS_INVALID_PARAMETER_2 for a reserve object that is in use.
 * @irql PASSIVE_LEVEL   @nt NtQueueApcThreadEx (partial: no callback data)
 */
export const NtQueueApcThreadEx = queueApcThreadEx.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueueApcThreadEx (partial: no callback data) */
export const ZwQueueApcThreadEx = queueApcThreadEx.zw;

const testAlert = systemService('TestAlert', function* (mode): KernelCode<number> {
  return (yield* KeTestAlertThread(mode)) ? STATUS.ALERTED : STATUS.SUCCESS;
});

/** Takes the thread's alert, and lets its user-mode APCs run before it returns. @returns STATUS_ALERTED; STATUS_SUCCESS. @irql PASSIVE_LEVEL @nt NtTestAlert */
export const NtTestAlert = testAlert.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwTestAlert */
export const ZwTestAlert = testAlert.zw;

const alertThread = systemService(
  'AlertThread',
  (mode, threadHandle: Handle): KernelCode<number> =>
    onHandle(mode, threadHandle, THREAD_ALERT, PsThreadType, function* (thread: KThread) {
      yield* KeAlertThread(thread, mode);
      return STATUS.SUCCESS;
    }),
);

/** Alerts a thread in the caller's mode. @irql PASSIVE_LEVEL @nt NtAlertThread */
export const NtAlertThread = alertThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwAlertThread */
export const ZwAlertThread = alertThread.zw;

/** The thread of an id, ended ones that somebody refers to included. */
function threadOfId(machine: Machine, threadId: number): KThread | undefined {
  const row = rowOfThreadId(threadId);
  return row === 0 ? undefined : machine.thread(row);
}

function* alertById(thread: KThread): KernelCode<void> {
  if (thread.signalState !== 0) return;
  yield [encode(OP.AlertThreadById), ...words64(thread.handle)];
}

const alertThreadByThreadId = systemService(
  'AlertThreadByThreadId',
  function* (_mode, threadId: number): KernelCode<number> {
    const thread = threadOfId(currentGuest('NtAlertThreadByThreadId').machine, threadId);
    if (thread === undefined) return STATUS.INVALID_CID;
    yield* alertById(thread);
    return STATUS.SUCCESS;
  },
);

/** Ends a thread's NtWaitForAlertByThreadId, or its next one. @returns STATUS_SUCCESS, for an ended thread too; STATUS_INVALID_CID. @irql PASSIVE_LEVEL @nt NtAlertThreadByThreadId */
export const NtAlertThreadByThreadId = alertThreadByThreadId.nt;

const alertMultipleThreadByThreadId = systemService(
  'AlertMultipleThreadByThreadId',
  function* (_mode, threadIds: readonly number[] | null, count: number): KernelCode<number> {
    if (count === 0) return STATUS.SUCCESS;
    if (threadIds === null || threadIds.length < count) return STATUS.ACCESS_VIOLATION;
    const { machine } = currentGuest('NtAlertMultipleThreadByThreadId');
    const threads = threadIds.slice(0, count).map((id) => threadOfId(machine, id));
    if (threads.includes(undefined)) return STATUS.INVALID_CID;
    for (const thread of threads as KThread[]) yield* alertById(thread);
    return STATUS.SUCCESS;
  },
);

/** The same for several threads, or for none if one of the ids is none. @irql PASSIVE_LEVEL @nt NtAlertMultipleThreadByThreadId */
export const NtAlertMultipleThreadByThreadId = alertMultipleThreadByThreadId.nt;

const waitForAlertByThreadId = systemService(
  'WaitForAlertByThreadId',
  function* (_mode, _address: unknown, timeout: Timeout): KernelCode<number> {
    const encoded = encodeTimeout('NtWaitForAlertByThreadId', timeout);
    return yield [encode(OP.WaitForAlertById), ...words64(encoded)];
  },
);

/** Waits for an alert by the thread's id; the address is for the caller's own use. @returns STATUS_ALERTED; STATUS_TIMEOUT. @irql PASSIVE_LEVEL @nt NtWaitForAlertByThreadId */
export const NtWaitForAlertByThreadId = waitForAlertByThreadId.nt;

/** CONTEXT, as far as it goes: what the thread goes on with. */
export interface ContinueContext {
  /** The register of return values. */
  readonly Rax: number;
}

const continueThread = systemService(
  'Continue',
  function* (_mode, context: ContinueContext | null, alert: boolean): KernelCode<number> {
    const { machine, thread } = currentGuest('NtContinue');
    if (alert) yield* KeTestAlertThread(MODE.UserMode);
    else {
      yield ddiTime(machine);
      machine.guests.frames.keepUserApcs(thread);
    }
    return context?.Rax ?? STATUS.SUCCESS;
  },
);

/**
 * Goes on with a context. With `testAlert` user-mode APCs that wait run first. Without it, in the
 * routine of such an APC, the next one waits for another alertable wait when the routine ends.
 *
 * @returns the context's Rax: a generator goes on where it called this.
 * @irql PASSIVE_LEVEL   @nt NtContinue (partial: the thread goes on where it called it, with the context's Rax)
 */
export const NtContinue = continueThread.nt;

const callbackReturn = systemService('CallbackReturn', function* (): KernelCode<number> {
  yield ddiTime(currentGuest('NtCallbackReturn').machine);
  return STATUS.NO_CALLBACK_ACTIVE;
});

/** Ends a callback from the kernel into user mode. @returns STATUS_NO_CALLBACK_ACTIVE. @irql PASSIVE_LEVEL @nt NtCallbackReturn (partial: no callbacks into user mode are made) */
export const NtCallbackReturn = callbackReturn.nt;

const delayExecution = systemService(
  'DelayExecution',
  function* (mode, alertable: boolean, delayInterval: Exclude<Timeout, null>): KernelCode<number> {
    return yield* KeDelayExecutionThread(mode, alertable, delayInterval);
  },
);

/** Delays the calling thread; see KeDelayExecutionThread. @irql PASSIVE_LEVEL @nt NtDelayExecution */
export const NtDelayExecution = delayExecution.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwDelayExecution */
export const ZwDelayExecution = delayExecution.zw;

import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, type MODE } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import type { KThread } from '../machine/views';
import type { Handle } from '../ob/attributes';
import { onHandle } from '../ob/services/on-handle';
import { PsThreadType } from '../ob/types';
import { THREAD_ACCESS } from './access';
import {
  CONTEXT,
  isInService,
  REGISTER_GROUPS,
  settable,
  type ThreadRegisters,
  threadRegisters,
} from './context';
import { type BadPointer, isBadPointer } from './information';

/** The contexts of threads, by handle. */

/** CONTEXT: which groups of registers it is about, and those. */
export type ThreadContext = { readonly ContextFlags: number } & Partial<ThreadRegisters>;

/** What NtGetContextThread comes to; undefined on failure. */
export interface GottenContext {
  readonly status: number;
  readonly threadContext: ThreadContext | undefined;
}

const EXCEPTION_STATE =
  CONTEXT.EXCEPTION_ACTIVE | CONTEXT.SERVICE_ACTIVE | CONTEXT.EXCEPTION_REPORTING;
const CONTEXT_ALIGNMENT = 16;

const noContext = (status: number): GottenContext => ({ status, threadContext: undefined });

/** What is wrong with the pointer to a context. */
function pointerStatus({ address }: BadPointer): number {
  return address % CONTEXT_ALIGNMENT !== 0 ? STATUS.DATATYPE_MISALIGNMENT : STATUS.ACCESS_VIOLATION;
}

/** Why the context of a thread cannot be had, if so. */
function threadStatus(thread: KThread): number {
  if (thread.isSystemThread) return STATUS.INVALID_HANDLE;
  const { state } = thread;
  const away = state === KTHREAD_STATE.Initialized || state === KTHREAD_STATE.Terminated;
  return away ? STATUS.UNSUCCESSFUL : STATUS.SUCCESS;
}

/** The flags with what is told of exceptions and services, if that is asked for. */
function reportedFlags(thread: KThread, flags: number): number {
  if ((flags & CONTEXT.EXCEPTION_REQUEST) === 0) return flags >>> 0;
  const service = isInService(thread) ? CONTEXT.SERVICE_ACTIVE : 0;
  return ((flags & ~EXCEPTION_STATE) | CONTEXT.EXCEPTION_REPORTING | service) >>> 0;
}

function contextOf(thread: KThread, flags: number): ThreadContext {
  const registers = threadRegisters(thread);
  const context: { ContextFlags: number } & Partial<ThreadRegisters> = {
    ContextFlags: reportedFlags(thread, flags),
  };
  if ((flags & CONTEXT.AMD64) === 0) return context;
  for (const [flag, names] of REGISTER_GROUPS) {
    if ((flags & flag) === 0) continue;
    for (const name of names) context[name] = registers[name];
  }
  return context;
}

function applyContext(thread: KThread, context: ThreadContext): void {
  const registers = threadRegisters(thread);
  const { ContextFlags: flags } = context;
  if ((flags & CONTEXT.AMD64) === 0) return;
  for (const [flag, names] of REGISTER_GROUPS) {
    if ((flags & flag) === 0) continue;
    for (const name of names) {
      const value = context[name] ?? 0n;
      registers[name] = settable(name, value, registers[name]);
    }
  }
}

const getContextThread = systemService(
  'GetContextThread',
  function* (
    mode,
    threadHandle: Handle,
    threadContext: { readonly ContextFlags: number } | BadPointer,
  ): KernelCode<GottenContext> {
    if (isBadPointer(threadContext)) return noContext(pointerStatus(threadContext));
    const { ContextFlags } = threadContext;
    const result = yield* onHandle(
      mode,
      threadHandle,
      THREAD_ACCESS.GET_CONTEXT,
      PsThreadType,
      function* (thread: KThread): KernelCode<GottenContext> {
        yield ddiTime(thread.machine);
        const status = threadStatus(thread);
        if (status !== STATUS.SUCCESS) return noContext(status);
        return { status, threadContext: contextOf(thread, ContextFlags) };
      },
    );
    return typeof result === 'number' ? noContext(result) : result;
  },
);

/**
 * Gives the registers of a thread's record, of the groups that ContextFlags names. With
 * CONTEXT_EXCEPTION_REQUEST the flags tell whether the thread is in a service of the kernel.
 *
 * @returns SUCCESS; ACCESS_VIOLATION and DATATYPE_MISALIGNMENT of the context; UNSUCCESSFUL of a thread
 *   that has not begun or has ended; INVALID_HANDLE, of a system thread too; OBJECT_TYPE_MISMATCH;
 *   ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtGetContextThread (partial: a record of x64 registers that ports keep and others set, without floating point; no thread is ever in an exception's dispatch)
 */
export const NtGetContextThread = getContextThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwGetContextThread (partial: a record of x64 registers that ports keep and others set, without floating point; no thread is ever in an exception's dispatch) */
export const ZwGetContextThread = getContextThread.zw;

const setContextThread = systemService(
  'SetContextThread',
  function* (
    mode,
    threadHandle: Handle,
    threadContext: ThreadContext | BadPointer,
  ): KernelCode<number> {
    if (isBadPointer(threadContext)) return pointerStatus(threadContext);
    const context = { ...threadContext };
    return yield* onHandle(
      mode,
      threadHandle,
      THREAD_ACCESS.SET_CONTEXT,
      PsThreadType,
      function* (thread: KThread): KernelCode<number> {
        yield ddiTime(thread.machine);
        const status = threadStatus(thread);
        if (status === STATUS.SUCCESS) applyContext(thread, context);
        return status;
      },
    );
  },
);

/**
 * Sets registers of a thread's record, those of the groups that ContextFlags names: a thread that is
 * suspended before it has begun starts with them. Segments stay what they are, and of EFlags counts
 * what user mode may set; flags of exceptions and services mean nothing.
 *
 * @returns as NtGetContextThread.
 * @irql PASSIVE_LEVEL
 * @nt NtSetContextThread (partial: a CpuPort looks at the record; host threads and programs go on where they are)
 */
export const NtSetContextThread = setContextThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetContextThread (partial: a CpuPort looks at the record; host threads and programs go on where they are) */
export const ZwSetContextThread = setContextThread.zw;

/** The routines of drivers, which have the thread itself. */
function onThread<R>(routine: string, use: () => R): NtCall<R> {
  return new NtCall(routine, () => onThreadSteps(routine, use));
}

function* onThreadSteps<R>(routine: string, use: () => R): KernelCode<R> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  yield ddiTime(currentGuest(routine).machine);
  return use();
}

/** NtGetContextThread for drivers, which have the thread. @irql PASSIVE_LEVEL @nt PsGetContextThread (partial: as NtGetContextThread) */
export function PsGetContextThread(
  thread: KThread,
  threadContext: { readonly ContextFlags: number },
  _mode: MODE,
): NtCall<GottenContext> {
  return onThread('PsGetContextThread', () => {
    const status = threadStatus(thread);
    if (status !== STATUS.SUCCESS) return noContext(status);
    return { status, threadContext: contextOf(thread, threadContext.ContextFlags) };
  });
}

/** NtSetContextThread for drivers, which have the thread. @irql PASSIVE_LEVEL @nt PsSetContextThread (partial: as NtSetContextThread) */
export function PsSetContextThread(
  thread: KThread,
  threadContext: ThreadContext,
  _mode: MODE,
): NtCall<number> {
  return onThread('PsSetContextThread', () => {
    const status = threadStatus(thread);
    if (status === STATUS.SUCCESS) applyContext(thread, threadContext);
    return status;
  });
}

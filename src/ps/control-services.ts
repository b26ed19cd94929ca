import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE } from '../../assembly/shared/types';
import { KeAlertResumeThread, KeResumeThread, KeSuspendThread } from '../ke/apc';
import { type KernelCode, systemService } from '../ke/mode';
import { resultOf } from '../machine/generator';
import { currentGuest, type NtCall, NtStatusError } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import type { KProcess, KThread } from '../machine/views';
import type { Handle } from '../ob/attributes';
import { onHandle } from '../ob/services/on-handle';
import { PsProcessType, PsThreadType } from '../ob/types';
import { PROCESS_ACCESS, THREAD_ACCESS } from './access';
import { isTerminating, setExitStatus } from './executive';
import { exitThreadless } from './exit';
import { processManager } from './manager';

/** The end of threads and processes that others ask for, and their suspension. */

/** Another thread ends at its next return to user mode. */
function* terminate(thread: KThread, exitStatus: number): KernelCode<number> {
  yield [encode(OP.TerminateThread), ...words64(thread.handle), exitStatus >>> 0];
  return STATUS.SUCCESS;
}

const terminateThread = systemService(
  'TerminateThread',
  function* (mode, threadHandle: Handle, exitStatus: number): KernelCode<number> {
    const { thread } = currentGuest('NtTerminateThread');
    if (threadHandle === 0) {
      if (thread.process.threadCount === 1) return STATUS.CANT_TERMINATE_SELF;
      return yield [encode(OP.ExitThread), exitStatus >>> 0];
    }
    const status = yield* onHandle(
      mode,
      threadHandle,
      THREAD_ACCESS.TERMINATE,
      PsThreadType,
      function* (target: KThread) {
        if (target.process === target.machine.systemProcess) return STATUS.INVALID_PARAMETER;
        if (target.state === KTHREAD_STATE.Terminated) return STATUS.SUCCESS;
        if (target === thread) return STATUS.PENDING;
        return yield* terminate(target, exitStatus);
      },
    );
    if (status !== STATUS.PENDING) return status;
    return yield [encode(OP.ExitThread), exitStatus >>> 0];
  },
);

/**
 * Ends a thread (0: the caller, if it is not the last of its process): out of any wait in user mode, and
 * whether it is suspended or not. What is in kernel mode goes on until it returns from there.
 *
 * @returns SUCCESS; CANT_TERMINATE_SELF; INVALID_PARAMETER for a thread of the system; INVALID_HANDLE;
 *   OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtTerminateThread
 */
export const NtTerminateThread = terminateThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwTerminateThread */
export const ZwTerminateThread = terminateThread.zw;

/** Ends every thread of a process but the caller. */
function* terminateOthers(process: KProcess, exitStatus: number): KernelCode<void> {
  const { thread } = currentGuest('NtTerminateProcess');
  for (const other of process.threads()) {
    if (other === thread || !other.exists || other.state === KTHREAD_STATE.Terminated) continue;
    yield* terminate(other, exitStatus);
  }
}

const terminateProcess = systemService(
  'TerminateProcess',
  function* (mode, processHandle: Handle, exitStatus: number): KernelCode<number> {
    const { thread, machine } = currentGuest('NtTerminateProcess');
    if (processHandle === 0) {
      yield* terminateOthers(thread.process, exitStatus);
      return STATUS.SUCCESS;
    }
    const status = yield* onHandle(
      mode,
      processHandle,
      PROCESS_ACCESS.TERMINATE,
      PsProcessType,
      function* (process: KProcess) {
        if (process === machine.systemProcess) return STATUS.ACCESS_DENIED;
        if (isTerminating(process)) return STATUS.PROCESS_IS_TERMINATING;
        const ps = processManager(machine);
        const { pico } = ps;
        if (process.systemServices !== undefined && pico !== undefined)
          return yield* resultOf(pico.terminateProcess(process, exitStatus));
        if (process.threadsCreated === 0) {
          yield* exitThreadless(ps, process, exitStatus);
          return STATUS.SUCCESS;
        }
        setExitStatus(process, exitStatus);
        yield* terminateOthers(process, exitStatus);
        return process === thread.process ? STATUS.PENDING : STATUS.SUCCESS;
      },
    );
    if (status !== STATUS.PENDING) return status;
    return yield [encode(OP.ExitThread), exitStatus >>> 0];
  },
);

/**
 * Ends a process, with a status that is its and that of each of its threads. Of the caller's own
 * process it does not return; a handle of 0 is all threads but the caller.
 *
 * @returns SUCCESS; PROCESS_IS_TERMINATING; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtTerminateProcess
 */
export const NtTerminateProcess = terminateProcess.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwTerminateProcess */
export const ZwTerminateProcess = terminateProcess.zw;

/** A status and the count before: that is undefined on failure. */
export interface SuspendCount {
  readonly status: number;
  readonly previousSuspendCount: number | undefined;
}

/** A service that changes the suspend count of a thread. */
function countService(name: string, change: (thread: KThread) => NtCall<number>) {
  return systemService(name, function* (mode, threadHandle: Handle): KernelCode<SuspendCount> {
    const result = yield* onHandle(
      mode,
      threadHandle,
      THREAD_ACCESS.SUSPEND_RESUME,
      PsThreadType,
      function* (thread: KThread): KernelCode<SuspendCount> {
        if (thread.state === KTHREAD_STATE.Terminated)
          return { status: STATUS.THREAD_IS_TERMINATING, previousSuspendCount: undefined };
        try {
          return { status: STATUS.SUCCESS, previousSuspendCount: yield* change(thread) };
        } catch (raised) {
          if (!(raised instanceof NtStatusError)) throw raised;
          return { status: raised.status, previousSuspendCount: undefined };
        }
      },
    );
    return typeof result === 'number'
      ? { status: result, previousSuspendCount: undefined }
      : result;
  });
}

const suspendThread = countService('SuspendThread', KeSuspendThread);
/**
 * Suspends a thread once more.
 *
 * @returns SUCCESS with the count before; SUSPEND_COUNT_EXCEEDED at 127; THREAD_IS_TERMINATING;
 *   INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtSuspendThread
 */
export const NtSuspendThread = suspendThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSuspendThread */
export const ZwSuspendThread = suspendThread.zw;

const resumeThread = countService('ResumeThread', KeResumeThread);
/** Takes a suspension back; that of a thread that is not suspended is no error. Statuses as of NtSuspendThread. @irql PASSIVE_LEVEL @nt NtResumeThread */
export const NtResumeThread = resumeThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwResumeThread */
export const ZwResumeThread = resumeThread.zw;

const alertResumeThread = countService('AlertResumeThread', KeAlertResumeThread);
/** The same, and alerts the thread. @irql PASSIVE_LEVEL @nt NtAlertResumeThread */
export const NtAlertResumeThread = alertResumeThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwAlertResumeThread */
export const ZwAlertResumeThread = alertResumeThread.zw;

/** A service that does the same to every thread of a process. */
function everyThread(name: string, change: (thread: KThread) => NtCall<number>) {
  return systemService(name, function* (mode, processHandle: Handle): KernelCode<number> {
    return yield* onHandle(
      mode,
      processHandle,
      PROCESS_ACCESS.SUSPEND_RESUME,
      PsProcessType,
      function* (process: KProcess) {
        if (isTerminating(process)) return STATUS.PROCESS_IS_TERMINATING;
        for (const thread of process.threads()) {
          if (!thread.exists || thread.state === KTHREAD_STATE.Terminated) continue;
          try {
            yield* change(thread);
          } catch (raised) {
            if (!(raised instanceof NtStatusError)) throw raised;
          }
        }
        return STATUS.SUCCESS;
      },
    );
  });
}

const suspendProcess = everyThread('SuspendProcess', KeSuspendThread);
/** Suspends each thread of a process once more. @returns SUCCESS; PROCESS_IS_TERMINATING; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED. @irql PASSIVE_LEVEL @nt NtSuspendProcess */
export const NtSuspendProcess = suspendProcess.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSuspendProcess */
export const ZwSuspendProcess = suspendProcess.zw;

const resumeProcess = everyThread('ResumeProcess', KeResumeThread);
/** Takes one suspension of each thread of a process back. Statuses as of NtSuspendProcess. @irql PASSIVE_LEVEL @nt NtResumeProcess */
export const NtResumeProcess = resumeProcess.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwResumeProcess */
export const ZwResumeProcess = resumeProcess.zw;

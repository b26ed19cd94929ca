import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KAPC_ENVIRONMENT, MODE } from '../../assembly/shared/types';
import type { KApc, KernelRoutine, NormalRoutine, RundownRoutine } from '../machine/apc';
import { currentGuest, NtCall, NtStatusError, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import type { LoadedProgram } from '../machine/program';
import type { KProcess, KThread } from '../machine/views';
import { call, requireIrql, VerifierError, VIOLATION, wordsOf } from './call';

/** Asynchronous procedure calls, alerts, suspension, and other processes' address spaces, for host threads. */

function dispatchCheck(routine: string): () => void {
  return () => requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
}

/** A routine on a thread, whose value is the status that leaves. */
function onThread(routine: string, opcode: OP, thread: KThread, b = 0): NtCall<number> {
  const request = [encode(opcode, 0, b), ...wordsOf(routine, thread)];
  return call(routine, request, dispatchCheck(routine), thread);
}

/** The same, true or false. */
function truth(routine: string, request: Request): NtCall<boolean> {
  return new NtCall(routine, () => truthSteps(routine, request));
}

function* truthSteps(routine: string, request: Request): Generator<Request, boolean, number> {
  dispatchCheck(routine)();
  return (yield request) === 1;
}

/**
 * An APC of a thread. `kernelRoutine` runs in the thread at APC_LEVEL and may change what follows it:
 * the normal routine (null: none) and its arguments. A kernel-mode APC without a normal routine is
 * special. `rundownRoutine` runs in place of them if the thread ends first.
 *
 * CurrentApcEnvironment is that in which the APC is initialized, InsertApcEnvironment the one in which
 * it is queued.
 *
 * @irql any   @nt KeInitializeApc
 */
export function KeInitializeApc(
  thread: KThread,
  environment: KAPC_ENVIRONMENT,
  kernelRoutine: KernelRoutine | null,
  rundownRoutine: RundownRoutine | null,
  normalRoutine: NormalRoutine | LoadedProgram | null,
  apcMode: MODE,
  normalContext: unknown,
): KApc {
  const { machine } = currentGuest('KeInitializeApc');
  requireInteger('KeInitializeApc: environment', environment, 0, 3);
  return machine.createApc(thread, {
    ...(kernelRoutine === null ? {} : { kernelRoutine }),
    ...(rundownRoutine === null ? {} : { rundownRoutine }),
    ...(normalRoutine === null ? {} : { normalRoutine }),
    // As on Windows: without a normal routine it is of kernel mode, whatever was asked for.
    mode: normalRoutine === null ? MODE.KernelMode : apcMode,
    normalContext,
    environment: queuedEnvironment(thread, environment),
  });
}

/** 0: the thread's own process, whatever it is attached to; 1: the one that it is in when it is queued. */
function queuedEnvironment(thread: KThread, environment: KAPC_ENVIRONMENT): 0 | 1 {
  if (environment === KAPC_ENVIRONMENT.InsertApcEnvironment) return 1;
  if (environment !== KAPC_ENVIRONMENT.CurrentApcEnvironment) return environment;
  return thread.attachedProcess.index === thread.process.index ? 0 : 1;
}

/**
 * Queues an APC to its thread. A kernel-mode one interrupts a wait, which begins again after it; a
 * user-mode one ends an alertable wait, with a boost of `increment`.
 *
 * @returns FALSE if it is queued already, or its thread has begun to end.
 * @irql at most DISPATCH_LEVEL   @nt KeInsertQueueApc
 */
export function KeInsertQueueApc(
  apc: KApc,
  systemArgument1: unknown,
  systemArgument2: unknown,
  increment: number,
): NtCall<boolean> {
  const routine = 'KeInsertQueueApc';
  requireInteger(`${routine}: increment`, increment, 0, 15);
  return new NtCall(routine, () =>
    insertQueueApc(routine, apc, systemArgument1, systemArgument2, increment),
  );
}

function* insertQueueApc(
  routine: string,
  apc: KApc,
  systemArgument1: unknown,
  systemArgument2: unknown,
  increment: number,
): Generator<Request, boolean, number> {
  dispatchCheck(routine)();
  const request = [encode(OP.InsertQueueApc, 0, increment), ...wordsOf(routine, apc)];
  const first = apc.argumentWords(systemArgument1);
  const second = apc.argumentWords(systemArgument2);
  const queued = (yield [...request, ...first, ...second]) === 1;
  if (!queued) apc.dropArguments(first, second);
  return queued;
}

/** Takes an APC out of its thread's list. @returns TRUE if it was in it: it does not run then. @irql at most DISPATCH_LEVEL @nt KeRemoveQueueApc */
export function KeRemoveQueueApc(apc: KApc): boolean {
  dispatchCheck('KeRemoveQueueApc')();
  return apc.remove();
}

/**
 * Alerts a thread: ends an alertable wait with STATUS_ALERTED, or the next one, whatever the wait's
 * mode.
 *
 * @returns TRUE if it was alerted in that mode already.
 * @irql at most DISPATCH_LEVEL   @nt KeAlertThread
 */
export function KeAlertThread(thread: KThread, alertMode: MODE): NtCall<boolean> {
  const request = [encode(OP.AlertThread, 0, alertMode), ...wordsOf('KeAlertThread', thread)];
  return truth('KeAlertThread', request);
}

/**
 * Takes the thread's own alert, and lets its user-mode APCs come with its return to user mode.
 *
 * @returns TRUE if it was alerted in that mode.
 * @irql PASSIVE_LEVEL   @nt KeTestAlertThread
 */
export function KeTestAlertThread(alertMode: MODE): NtCall<boolean> {
  return truth('KeTestAlertThread', [encode(OP.TestAlert, 0, alertMode)]);
}

/**
 * Suspends a thread once more. It stops where a normal kernel-mode APC would come: not in a critical
 * region. One that waits does not notice a signal that does not last.
 *
 * @returns the count before, 0-126. Raises STATUS_SUSPEND_COUNT_EXCEEDED at 127.
 * @irql at most DISPATCH_LEVEL   @nt KeSuspendThread
 */
export function KeSuspendThread(thread: KThread): NtCall<number> {
  return onThread('KeSuspendThread', OP.SuspendThread, thread);
}

/** Takes one suspension back. @returns the count before; at 1 the thread goes on. @irql at most DISPATCH_LEVEL @nt KeResumeThread */
export function KeResumeThread(thread: KThread): NtCall<number> {
  return onThread('KeResumeThread', OP.ResumeThread, thread);
}

/** Takes all suspensions back. @returns how many there were. @irql at most DISPATCH_LEVEL @nt KeForceResumeThread */
export function KeForceResumeThread(thread: KThread): NtCall<number> {
  return new NtCall('KeForceResumeThread', () => forceResumeThread(thread));
}

function* forceResumeThread(thread: KThread): Generator<Request, number, number> {
  dispatchCheck('KeForceResumeThread')();
  const request = [encode(OP.ResumeThread), ...wordsOf('KeForceResumeThread', thread)];
  const count = yield request;
  for (let left = count - 1; left > 0; left--) yield request;
  return count;
}

/** Alerts a thread in kernel mode and takes one suspension back. @returns the count before. @irql at most DISPATCH_LEVEL @nt KeAlertResumeThread */
export function KeAlertResumeThread(thread: KThread): NtCall<number> {
  return new NtCall('KeAlertResumeThread', () => alertResumeThread(thread));
}

function* alertResumeThread(thread: KThread): Generator<Request, number, number> {
  dispatchCheck('KeAlertResumeThread')();
  yield [encode(OP.AlertThread, 0, MODE.KernelMode), ...wordsOf('KeAlertResumeThread', thread)];
  return yield [encode(OP.ResumeThread), ...wordsOf('KeAlertResumeThread', thread)];
}

/** KAPC_STATE: what KeStackAttachProcess leaves for KeUnstackDetachProcess. */
export interface ApcState {
  /** The process that the thread was in before. */
  readonly process: KProcess;
}

/**
 * Attaches the thread to a process, on top of one it is attached to. Its own APCs wait until it comes
 * back. The table of trap frames full raises STATUS_INSUFFICIENT_RESOURCES.
 *
 * @irql below DISPATCH_LEVEL   @nt KeStackAttachProcess
 */
export function KeStackAttachProcess(process: KProcess): NtCall<ApcState> {
  const routine = 'KeStackAttachProcess';
  return new NtCall(routine, () => stackAttachProcess(routine, process));
}

function* stackAttachProcess(
  routine: string,
  process: KProcess,
): Generator<Request, ApcState, number> {
  requireIrql(routine, VIOLATION.IrqlKeApcLte1, IRQL.APC_LEVEL);
  const before = currentGuest(routine).thread.attachedProcess;
  const status = yield [encode(OP.AttachProcess), ...wordsOf(routine, process)];
  if (status !== STATUS.SUCCESS) throw new NtStatusError(status);
  return { process: before };
}

/** Takes the last attaching back. One that there was not is bugcheck INVALID_PROCESS_DETACH_ATTEMPT. @irql below DISPATCH_LEVEL @nt KeUnstackDetachProcess */
export function KeUnstackDetachProcess(_apcState: ApcState): NtCall<number> {
  const routine = 'KeUnstackDetachProcess';
  return call(routine, [encode(OP.DetachProcess)], () =>
    requireIrql(routine, VIOLATION.IrqlKeApcLte1, IRQL.APC_LEVEL),
  );
}

/**
 * The older form of KeStackAttachProcess: to the process that is current already it does nothing, to
 * another while attached it is bugcheck INVALID_PROCESS_ATTACH_ATTEMPT.
 *
 * @irql below DISPATCH_LEVEL   @nt KeAttachProcess
 */
export function KeAttachProcess(process: KProcess): NtCall<void> {
  const routine = 'KeAttachProcess';
  return new NtCall(routine, function* (): Generator<Request, void, number> {
    requireIrql(routine, VIOLATION.IrqlKeApcLte1, IRQL.APC_LEVEL);
    const { machine, thread } = currentGuest(routine);
    const current = thread.attachedProcess;
    if (current === process) return;
    if (current !== thread.process) {
      const code = BUGCHECK.INVALID_PROCESS_ATTACH_ATTEMPT;
      machine.bugCheck(code, process.handle, current.handle, 1);
      throw new VerifierError(`${routine} was called by a thread that is attached to a process`);
    }
    yield* KeStackAttachProcess(process);
  });
}

/** Takes KeAttachProcess back; nothing happens to a thread that is not attached. @irql below DISPATCH_LEVEL @nt KeDetachProcess */
export function KeDetachProcess(): NtCall<void> {
  const routine = 'KeDetachProcess';
  return new NtCall(routine, function* (): Generator<Request, void, number> {
    requireIrql(routine, VIOLATION.IrqlKeApcLte1, IRQL.APC_LEVEL);
    const { thread } = currentGuest(routine);
    if (thread.attachedProcess === thread.process) return;
    yield* KeUnstackDetachProcess({ process: thread.process });
  });
}

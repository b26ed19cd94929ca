import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../ke/ddi';
import type { GuestResult } from '../machine/dpc';
import { after, type Request, resultOf } from '../machine/generator';
import { currentGuest } from '../machine/guest';
import type { KProcess, KThread } from '../machine/views';
import { obCloseAllHandles } from '../ob/handle';
import { ObpEndOfLife } from '../ob/reference';
import { PsProcessType } from '../ob/types';
import { knownAddressSpace } from './address-space';
import { threadKinds } from './create';
import {
  isSubsystemProcess,
  parentIdOf,
  type ProcessExecutive,
  setExitStatus,
  setExitTime,
} from './executive';
import { leaveJobs, siloNumber } from './job';
import { costOfCalls, timeOfCalls } from './notify-table';
import { notifyProcessExit } from './process-notify';
import type { PicoHooks } from './pico';
import type { PsState } from './state';
import { threadExecutive } from './thread-executive';
import { notifyThread, THREAD_NOTIFY } from './thread-notify';
import { revertToSelf } from './token';

type Steps<T = void> = Generator<Request, T, number>;

/**
 * What goes before the end of a thread, in its own context; the last one takes its process along.
 *
 * @returns ns that it takes.
 */
export function exitThread(ps: PsState, thread: KThread, status: number): GuestResult<number> {
  if (ps.attachedSilos.size !== 0 && leftAttached(ps, thread)) return 0;
  const { process } = thread;
  if (threadExecutive(thread).critical) {
    ps.machine.bugCheck(BUGCHECK.CRITICAL_PROCESS_DIED, thread.handle, 1);
    return 0;
  }
  const { threadCount } = process;
  const last = threadCount === process.exitingThreads + 1 && process !== ps.machine.systemProcess;
  if (last) ps.machine.clock.removeProcessRequest(process);
  const told = ps.threadNotify.count + ps.processNotify.count !== 0;
  const plain =
    process.executive === undefined &&
    process.handleTable === undefined &&
    process.token === undefined &&
    process.job === undefined &&
    process.systemServices === undefined &&
    thread.impersonation === undefined;
  if (threadCount === 1 && plain && !told) return 0;
  process.exitingThreads++;
  if (last) setExitStatus(process, status);
  return exitTold(ps, thread, process, last);
}

/** Stops the machine for a thread that ends attached to a silo. */
function leftAttached(ps: PsState, thread: KThread): boolean {
  const silo = ps.attachedSilos.get(thread);
  if (silo === undefined) return false;
  const number = silo === null ? 0 : siloNumber(silo);
  const { handle, process } = thread;
  ps.machine.bugCheck(BUGCHECK.INVALID_SILO_DETACH, handle, number, process.handle);
  return true;
}

function exitTold(
  ps: PsState,
  thread: KThread,
  process: KProcess,
  last: boolean,
): GuestResult<number> {
  if (ps.threadNotify.count === 0) return exitAfterThread(ps, thread, process, last, 0);
  const nonSystem = ps.switches.nonSystemThreadExit ? THREAD_NOTIFY.NonSystem : 0;
  const kinds = threadKinds(process) | nonSystem;
  return after(notifyThread(ps, thread, thread, kinds, false), (calls) =>
    exitAfterThread(ps, thread, process, last, calls),
  );
}

/** The same, once the end of the thread has been told in `before` calls. */
function exitAfterThread(
  ps: PsState,
  thread: KThread,
  process: KProcess,
  last: boolean,
  before: number,
): GuestResult<number> {
  if (thread.impersonation !== undefined)
    return exitImpersonating(ps, thread, process, last, before);
  const { pico } = ps;
  if (process.systemServices !== undefined && pico !== undefined)
    return exitProvided(ps, pico, thread, process, last, before);
  return after(last ? exitProcess(ps, thread, process) : 0, (calls) => {
    process.exitingThreads--;
    return costOfCalls(ps.machine, before + calls);
  });
}

function* exitImpersonating(
  ps: PsState,
  thread: KThread,
  process: KProcess,
  last: boolean,
  before: number,
): Steps<number> {
  yield* revertToSelf(thread);
  return yield* resultOf(exitAfterThread(ps, thread, process, last, before));
}

/** The same of a thread that a provider has a say in: what that does takes as long as one more routine. */
function exitProvided(
  ps: PsState,
  pico: PicoHooks,
  thread: KThread,
  process: KProcess,
  last: boolean,
  before: number,
): GuestResult<number> {
  const left = (calls: number) => {
    process.exitingThreads--;
    return costOfCalls(ps.machine, before + calls + 1);
  };
  return after(pico.exitThread(thread), () => {
    if (!last) return left(0);
    return after(exitProcess(ps, thread, process), (calls) =>
      after(pico.exitProcess(process), () => left(calls)),
    );
  });
}

/** The end of a process, in the context of its last thread. @returns how many routines were called. */
function exitProcess(ps: PsState, thread: KThread, process: KProcess): GuestResult<number> {
  if (process.threadCount > 1)
    return after<void, number>(waitForOthers(thread, process), () =>
      exitAlone(ps, thread, process),
    );
  return exitAlone(ps, thread, process);
}

/** The same of one whose other threads have gone. */
function exitAlone(ps: PsState, thread: KThread, process: KProcess): GuestResult<number> {
  setExitTime(process);
  const executive = process.executive as ProcessExecutive | undefined;
  if (executive?.critical === true) {
    ps.machine.bugCheck(BUGCHECK.CRITICAL_PROCESS_DIED, process.handle);
    return 0;
  }
  if (ps.processNotify.count === 0) return giveBack(process, executive, 0);
  const subsystem = isSubsystemProcess(process);
  const told = notifyProcessExit(ps, thread, process, parentIdOf(process), subsystem);
  return after(told, (calls) => giveBack(process, executive, calls));
}

/** What a process has had goes back when its end has been told in so many calls. */
function giveBack(
  process: KProcess,
  executive: ProcessExecutive | undefined,
  calls: number,
): GuestResult<number> {
  if (executive !== undefined) executive.modules = [];
  knownAddressSpace(process)?.clear();
  const more = process.job !== undefined || process.handleTable !== undefined;
  const ended = more ? giveMoreBack(process) : ObpEndOfLife(process, PsProcessType);
  return after<void, number>(ended, () => calls);
}

function* giveMoreBack(process: KProcess): Steps {
  if (process.job !== undefined) yield* leaveJobs(process);
  if (process.handleTable !== undefined) yield* obCloseAllHandles(process);
  yield* resultOf(ObpEndOfLife(process, PsProcessType));
}

/**
 * The end of a process that has never had a thread, in the context of who ends it or drops its last
 * reference: it is told of, though its creation never was.
 */
export function* exitThreadless(ps: PsState, process: KProcess, status: number): Steps {
  const { machine } = ps;
  const { thread } = currentGuest('PspExitProcess');
  setExitStatus(process, status);
  const calls = yield* resultOf(exitProcess(ps, thread, process));
  if (process.systemServices !== undefined && ps.pico !== undefined)
    yield* resultOf(ps.pico.exitProcess(process));
  yield timeOfCalls(machine, calls + 1);
  machine.core.hostEndProcess(process.address);
}

/** Waits for the threads that have begun to end before the last one did. */
function* waitForOthers(thread: KThread, process: KProcess): Steps {
  for (const other of process.threads()) {
    if (other === thread || other.state === KTHREAD_STATE.Terminated) continue;
    yield* KeWaitForSingleObject(other, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
  }
}

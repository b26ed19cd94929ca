import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import type { KThread } from '../machine/views';
import { processIdOf, threadIdOf } from './cid';
import { type ProcessManager, processManager } from './manager';
import { changeCriticalRegion, timeOfCalls } from './notify-table';

/** Who is told that threads begin and end. */

/**
 * On creation in the creating thread, or for PsCreateThreadNotifyNonSystem in the new one before
 * anything else of it; on exit in the thread that ends: at PASSIVE_LEVEL in a critical region.
 */
export type CreateThreadNotifyRoutine = (
  processId: number,
  threadId: number,
  create: boolean,
) => void | Generator<Request, void, number>;

/** PSCREATETHREADNOTIFYTYPE. */
export const enum PSCREATETHREADNOTIFYTYPE {
  PsCreateThreadNotifyNonSystem = 0,
  PsCreateThreadNotifySubsystems = 1,
}

/** What an entry is told of. */
export const enum THREAD_NOTIFY {
  /** Threads of Win32 processes and of the system. */
  Legacy = 1,
  /** New threads of theirs that are not of the system. */
  NonSystem = 2,
  /** Threads of every subsystem. */
  Subsystems = 4,
}

const EVERY_KIND = THREAD_NOTIFY.Legacy | THREAD_NOTIFY.NonSystem | THREAD_NOTIFY.Subsystems;

function* register(
  name: string,
  violation: VIOLATION,
  kind: THREAD_NOTIFY | undefined,
  routine: CreateThreadNotifyRoutine | null,
): Generator<Request, number, number> {
  const { machine, thread } = currentGuest(name);
  requireIrql(name, violation, IRQL.PASSIVE_LEVEL);
  yield timeOfCalls(machine, 1);
  if (kind === undefined) return STATUS.INVALID_PARAMETER;
  const ps = processManager(machine);
  const added = ps.threadNotify.add(routine, kind, ps.ownerOf(routine, thread));
  return added ? STATUS.SUCCESS : STATUS.INSUFFICIENT_RESOURCES;
}

/**
 * Adds a routine that is told of threads of Win32 processes and of the system. One that is there
 * already is called twice.
 *
 * @returns SUCCESS; INSUFFICIENT_RESOURCES: all 64 slots are taken.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateThreadNotifyRoutine
 */
export function PsSetCreateThreadNotifyRoutine(
  notifyRoutine: CreateThreadNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsSetCreateThreadNotifyRoutine';
  return new NtCall(name, () =>
    register(name, VIOLATION.IrqlPsPassive, THREAD_NOTIFY.Legacy, notifyRoutine),
  );
}

/**
 * The same for a routine that runs in the new thread (NonSystem), or is told of the threads of all
 * subsystems (Subsystems).
 *
 * @returns SUCCESS; INSUFFICIENT_RESOURCES; INVALID_PARAMETER: another type.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateThreadNotifyRoutineEx
 */
export function PsSetCreateThreadNotifyRoutineEx(
  notifyType: PSCREATETHREADNOTIFYTYPE,
  notifyInformation: CreateThreadNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsSetCreateThreadNotifyRoutineEx';
  const kinds = [THREAD_NOTIFY.NonSystem, THREAD_NOTIFY.Subsystems] as const;
  return new NtCall(name, () =>
    register(name, VIOLATION.KernelApi, kinds[notifyType], notifyInformation),
  );
}

/**
 * Takes a routine back, whichever routine added it, and waits for its calls under way: one that
 * removes itself waits for ever.
 *
 * @returns SUCCESS; PROCEDURE_NOT_FOUND.
 * @irql at most APC_LEVEL   @nt PsRemoveCreateThreadNotifyRoutine
 */
export function PsRemoveCreateThreadNotifyRoutine(
  notifyRoutine: CreateThreadNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsRemoveCreateThreadNotifyRoutine';
  return new NtCall(name, function* (): Generator<Request, number, number> {
    const { machine } = currentGuest(name);
    requireIrql(name, VIOLATION.KernelApi, IRQL.APC_LEVEL);
    yield timeOfCalls(machine, 1);
    const { threadNotify } = processManager(machine);
    const entry = threadNotify.find(notifyRoutine, EVERY_KIND);
    if (entry === undefined) return STATUS.PROCEDURE_NOT_FOUND;
    yield* threadNotify.remove(entry);
    return STATUS.SUCCESS;
  });
}

/** Calls the routines of some kinds about a thread, in the context of `caller`. */
export function* notifyThread(
  ps: ProcessManager,
  caller: KThread,
  thread: KThread,
  kinds: number,
  create: boolean,
): Generator<Request, void, number> {
  const table = ps.threadNotify;
  const processId = processIdOf(thread.process);
  const threadId = threadIdOf(thread);
  let calls = 0;
  changeCriticalRegion(caller, -1);
  for (let slot = 0; slot < table.highest; slot++) {
    const entry = table.slots[slot];
    if (entry === undefined || (entry.kind & kinds) === 0) continue;
    calls++;
    const rest = table.call(entry, caller, processId, threadId, create);
    if (rest !== undefined) yield* rest;
  }
  changeCriticalRegion(caller, 1);
  if (calls !== 0) yield timeOfCalls(ps.machine, calls);
}

import type { GuestResult } from '../machine/dpc';
import type { KThread } from '../machine/views';
import { processIdOf, threadIdOf } from './cid';
import type { PsState } from './state';

/** Who is told that threads begin and end. */

/**
 * On creation in the creating thread, or for PsCreateThreadNotifyNonSystem in the new one before
 * anything else of it; on exit in the thread that ends: at PASSIVE_LEVEL in a critical region.
 */
export type CreateThreadNotifyRoutine = (
  processId: number,
  threadId: number,
  create: boolean,
) => GuestResult;

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

/** Calls the routines of some kinds about a thread, in the context of `caller`. @returns how many. */
export function notifyThread(
  ps: PsState,
  caller: KThread,
  thread: KThread,
  kinds: number,
  create: boolean,
): GuestResult<number> {
  const table = ps.threadNotify;
  const processId = processIdOf(thread.process);
  const threadId = threadIdOf(thread);
  return table.each(caller, (entry) => {
    if ((entry.kind & kinds) === 0) return undefined;
    return table.call(entry, caller, processId, threadId, create);
  });
}

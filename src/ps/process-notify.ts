import type { GuestResult } from '../machine/dpc';
import type { KProcess, KThread } from '../machine/views';
import { type ClientId, processIdOf } from './cid';
import type { FileObject } from './file';
import type { NotifyEntry } from './notify-table';
import type { PsState } from './state';

/** Who is told that processes begin and end. */

/** PS_CREATE_NOTIFY_INFO. Valid while the routine that gets it runs. */
export interface PsCreateNotifyInfo {
  /** Bytes: 0x48. */
  readonly Size: number;
  /** Bit 0 is FileOpenNameAvailable, bit 1 IsSubsystemProcess. */
  readonly Flags: number;
  /** ImageFileName is the exact name by which the executable was opened. */
  readonly FileOpenNameAvailable: boolean;
  /** It is no Win32 process; FileObject, ImageFileName and CommandLine may be null. */
  readonly IsSubsystemProcess: boolean;
  /** Whose handles, priority, affinity, quota and token it inherits: it may differ from the creator. */
  readonly ParentProcessId: number;
  readonly CreatingThreadId: ClientId;
  readonly FileObject: FileObject | null;
  readonly ImageFileName: string | null;
  readonly CommandLine: string | null;
  /** An error makes the creation fail with it. Every routine sees what those before it wrote. */
  CreationStatus: number;
}

/** On creation in the creating thread, on exit in the last thread to leave: at PASSIVE_LEVEL in a critical region. */
export type CreateProcessNotifyRoutine = (
  parentId: number,
  processId: number,
  create: boolean,
) => GuestResult;

/** The same with more to know and to say; `createInfo` is null on exit. */
export type CreateProcessNotifyRoutineEx = (
  process: KProcess,
  processId: number,
  createInfo: PsCreateNotifyInfo | null,
) => GuestResult;

/** PSCREATEPROCESSNOTIFYTYPE. */
export const enum PSCREATEPROCESSNOTIFYTYPE {
  PsCreateProcessNotifySubsystems = 0,
}

/** Which routine registered an entry. */
export const enum PROCESS_NOTIFY {
  Legacy = 1,
  Ex = 2,
  Ex2 = 4,
}

/** What a creation tells. It is written to as routine after routine is called. */
export type CreateNotice = {
  -readonly [Field in keyof PsCreateNotifyInfo]: PsCreateNotifyInfo[Field];
};

/** Whether a routine is told of the processes of a subsystem. */
function hears({ kind }: NotifyEntry, subsystem: boolean): boolean {
  return !subsystem || kind === PROCESS_NOTIFY.Ex2;
}

/**
 * Tells of a creation, in the context of its creator. `inherits`: handles are inherited.
 *
 * @returns how many routines were called.
 */
export function notifyProcessCreated(
  ps: PsState,
  creator: KThread,
  process: KProcess,
  notice: CreateNotice,
  inherits: boolean,
): GuestResult<number> {
  const table = ps.processNotify;
  const { ParentProcessId: parentId, IsSubsystemProcess: subsystem } = notice;
  const ex2ParentId = !inherits && ps.switches.nullParentWithoutInheritance ? 0 : parentId;
  const processId = processIdOf(process);
  return table.each(creator, (entry) => {
    if (!hears(entry, subsystem)) return undefined;
    if (entry.kind === PROCESS_NOTIFY.Legacy)
      return table.call(entry, creator, parentId, processId, true);
    notice.ParentProcessId = entry.kind === PROCESS_NOTIFY.Ex2 ? ex2ParentId : parentId;
    return table.call(entry, creator, process, processId, notice);
  });
}

/** Tells of an exit, in the context of the last thread to leave. @returns how many routines were called. */
export function notifyProcessExit(
  ps: PsState,
  thread: KThread,
  process: KProcess,
  parentId: number,
  subsystem: boolean,
): GuestResult<number> {
  const table = ps.processNotify;
  const processId = processIdOf(process);
  return table.each(thread, (entry) => {
    if (!hears(entry, subsystem)) return undefined;
    if (entry.kind === PROCESS_NOTIFY.Legacy)
      return table.call(entry, thread, parentId, processId, false);
    return table.call(entry, thread, process, processId, null);
  });
}

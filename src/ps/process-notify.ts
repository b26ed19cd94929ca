import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import type { KProcess, KThread } from '../machine/views';
import { type ClientId, processIdOf } from './cid';
import type { FileObject } from './file';
import { type ProcessManager, processManager } from './manager';
import { changeCriticalRegion, type NotifyEntry, timeOfCalls } from './notify-table';

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
) => void | Generator<Request, void, number>;

/** The same with more to know and to say; `createInfo` is null on exit. */
export type CreateProcessNotifyRoutineEx = (
  process: KProcess,
  processId: number,
  createInfo: PsCreateNotifyInfo | null,
) => void | Generator<Request, void, number>;

/** PSCREATEPROCESSNOTIFYTYPE. */
export const enum PSCREATEPROCESSNOTIFYTYPE {
  PsCreateProcessNotifySubsystems = 0,
}

const enum KIND {
  Legacy = 1,
  Ex = 2,
  Ex2 = 4,
}

type Routine = CreateProcessNotifyRoutine | CreateProcessNotifyRoutineEx | null;

/** Adds or removes a routine of one kind. */
function* register(
  name: string,
  kind: KIND,
  routine: Routine,
  remove: boolean,
): Generator<Request, number, number> {
  const { machine, thread } = currentGuest(name);
  const listed = kind === KIND.Legacy ? VIOLATION.IrqlPsPassive : VIOLATION.KernelApi;
  requireIrql(name, listed, IRQL.PASSIVE_LEVEL);
  const ps = processManager(machine);
  yield timeOfCalls(machine, 1);
  const known = ps.processNotify.find(routine, kind);
  if (remove) {
    if (known === undefined) return STATUS.PROCEDURE_NOT_FOUND;
    yield* ps.processNotify.remove(known);
    return STATUS.SUCCESS;
  }
  const owner = ps.ownerOf(routine, thread);
  if (kind !== KIND.Legacy && owner?.forceIntegrity === false) return STATUS.ACCESS_DENIED;
  if (known !== undefined && !ps.switches.duplicateProcessNotify) return STATUS.INVALID_PARAMETER;
  return ps.processNotify.add(routine, kind, owner) ? STATUS.SUCCESS : STATUS.INVALID_PARAMETER;
}

/**
 * Adds a routine that is told of Win32 processes, or with `remove` takes it back and waits for its
 * calls under way: a routine that removes itself waits for ever. NULL is as good as any routine until
 * it is called.
 *
 * @returns SUCCESS; INVALID_PARAMETER: registered already, or all 64 slots are taken;
 *   PROCEDURE_NOT_FOUND: not registered by this routine.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateProcessNotifyRoutine
 */
export function PsSetCreateProcessNotifyRoutine(
  notifyRoutine: CreateProcessNotifyRoutine | null,
  remove: boolean,
): NtCall<number> {
  const name = 'PsSetCreateProcessNotifyRoutine';
  return new NtCall(name, () => register(name, KIND.Legacy, notifyRoutine, remove));
}

/**
 * The same for routines that get PS_CREATE_NOTIFY_INFO, and can make a creation fail.
 *
 * @returns as PsSetCreateProcessNotifyRoutine; ACCESS_DENIED: the driver's image lacks FORCE_INTEGRITY.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateProcessNotifyRoutineEx
 */
export function PsSetCreateProcessNotifyRoutineEx(
  notifyRoutine: CreateProcessNotifyRoutineEx | null,
  remove: boolean,
): NtCall<number> {
  const name = 'PsSetCreateProcessNotifyRoutineEx';
  return new NtCall(name, () => register(name, KIND.Ex, notifyRoutine, remove));
}

/**
 * The same for routines that are told of the processes of all subsystems.
 *
 * @returns as PsSetCreateProcessNotifyRoutineEx; INVALID_PARAMETER too for another type.
 * @irql PASSIVE_LEVEL   @nt PsSetCreateProcessNotifyRoutineEx2
 */
export function PsSetCreateProcessNotifyRoutineEx2(
  notifyType: PSCREATEPROCESSNOTIFYTYPE,
  notifyInformation: CreateProcessNotifyRoutineEx | null,
  remove: boolean,
): NtCall<number> {
  const name = 'PsSetCreateProcessNotifyRoutineEx2';
  return new NtCall(name, function* (): Generator<Request, number, number> {
    if (notifyType !== PSCREATEPROCESSNOTIFYTYPE.PsCreateProcessNotifySubsystems) {
      requireIrql(name, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
      yield timeOfCalls(currentGuest(name).machine, 1);
      return STATUS.INVALID_PARAMETER;
    }
    return yield* register(name, KIND.Ex2, notifyInformation, remove);
  });
}

/** What a creation tells. It is written to as routine after routine is called. */
export type CreateNotice = {
  -readonly [Field in keyof PsCreateNotifyInfo]: PsCreateNotifyInfo[Field];
};

/** Whose calls are made: routines of a kind, for processes of a subsystem. */
function hears(entry: NotifyEntry | undefined, subsystem: boolean): entry is NotifyEntry {
  return entry !== undefined && (!subsystem || entry.kind === KIND.Ex2);
}

/** Tells of a creation, in the context of its creator. `inherits`: handles are inherited. */
export function* notifyProcessCreated(
  ps: ProcessManager,
  creator: KThread,
  process: KProcess,
  notice: CreateNotice,
  inherits: boolean,
): Generator<Request, void, number> {
  const table = ps.processNotify;
  const { ParentProcessId: parentId, IsSubsystemProcess: subsystem } = notice;
  const ex2ParentId = !inherits && ps.switches.nullParentWithoutInheritance ? 0 : parentId;
  const processId = processIdOf(process);
  let calls = 0;
  changeCriticalRegion(creator, -1);
  for (let slot = 0; slot < table.highest; slot++) {
    const entry = table.slots[slot];
    if (!hears(entry, subsystem)) continue;
    calls++;
    notice.ParentProcessId = entry.kind === KIND.Ex2 ? ex2ParentId : parentId;
    const rest =
      entry.kind === KIND.Legacy
        ? table.call(entry, creator, parentId, processId, true)
        : table.call(entry, creator, process, processId, notice);
    if (rest !== undefined) yield* rest;
  }
  changeCriticalRegion(creator, 1);
  if (calls !== 0) yield timeOfCalls(ps.machine, calls);
}

/** Tells of an exit, in the context of the last thread to leave. */
export function* notifyProcessExit(
  ps: ProcessManager,
  thread: KThread,
  process: KProcess,
  parentId: number,
  subsystem: boolean,
): Generator<Request, void, number> {
  const table = ps.processNotify;
  const processId = processIdOf(process);
  let calls = 0;
  changeCriticalRegion(thread, -1);
  for (let slot = 0; slot < table.highest; slot++) {
    const entry = table.slots[slot];
    if (!hears(entry, subsystem)) continue;
    calls++;
    const rest =
      entry.kind === KIND.Legacy
        ? table.call(entry, thread, parentId, processId, false)
        : table.call(entry, thread, process, processId, null);
    if (rest !== undefined) yield* rest;
  }
  changeCriticalRegion(thread, 1);
  if (calls !== 0) yield timeOfCalls(ps.machine, calls);
}

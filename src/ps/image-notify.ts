import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import type { KThread } from '../machine/views';
import type { ImageInfo } from './image';
import { type ProcessManager, processManager } from './manager';
import { changeCriticalRegion, timeOfCalls } from './notify-table';

/** Who is told that images are loaded. */

/**
 * After an image is mapped and before its entry point runs, in the thread that maps it: at
 * PASSIVE_LEVEL in a critical region. `processId` is 0 for a driver. It cannot keep the image out.
 */
export type LoadImageNotifyRoutine = (
  fullImageName: string | null,
  processId: number,
  imageInfo: ImageInfo,
) => void | Generator<Request, void, number>;

/** A flag of PsSetLoadImageNotifyRoutineEx: images of another architecture too. */
export const PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE = 1;

const enum KIND {
  Native = 1,
  /** And those of another architecture. */
  Every = 2,
}

function* register(
  name: string,
  violation: VIOLATION,
  routine: LoadImageNotifyRoutine | null,
  flags: number,
): Generator<Request, number, number> {
  const { machine, thread } = currentGuest(name);
  requireIrql(name, violation, IRQL.PASSIVE_LEVEL);
  yield timeOfCalls(machine, 1);
  if ((flags & ~PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE) !== 0) return STATUS.INVALID_PARAMETER_2;
  const ps = processManager(machine);
  const kind = flags === 0 ? KIND.Native : KIND.Every;
  const added = ps.imageNotify.add(routine, kind, ps.ownerOf(routine, thread));
  return added ? STATUS.SUCCESS : STATUS.INSUFFICIENT_RESOURCES;
}

/**
 * Adds a routine that is told of images. One that is there already is called twice.
 *
 * @returns SUCCESS; INSUFFICIENT_RESOURCES: all 64 slots are taken.
 * @irql PASSIVE_LEVEL   @nt PsSetLoadImageNotifyRoutine
 */
export function PsSetLoadImageNotifyRoutine(
  notifyRoutine: LoadImageNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsSetLoadImageNotifyRoutine';
  return new NtCall(name, () => register(name, VIOLATION.IrqlPsPassive, notifyRoutine, 0));
}

/**
 * The same with flags: PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE.
 *
 * @returns as PsSetLoadImageNotifyRoutine; INVALID_PARAMETER_2: an unknown flag.
 * @irql PASSIVE_LEVEL   @nt PsSetLoadImageNotifyRoutineEx
 */
export function PsSetLoadImageNotifyRoutineEx(
  notifyRoutine: LoadImageNotifyRoutine | null,
  flags: number,
): NtCall<number> {
  const name = 'PsSetLoadImageNotifyRoutineEx';
  return new NtCall(name, () => register(name, VIOLATION.KernelApi, notifyRoutine, flags));
}

/**
 * Takes a routine back and waits for its calls under way: one that removes itself waits for ever.
 *
 * @returns SUCCESS; PROCEDURE_NOT_FOUND.
 * @irql at most APC_LEVEL   @nt PsRemoveLoadImageNotifyRoutine
 */
export function PsRemoveLoadImageNotifyRoutine(
  notifyRoutine: LoadImageNotifyRoutine | null,
): NtCall<number> {
  const name = 'PsRemoveLoadImageNotifyRoutine';
  return new NtCall(name, function* (): Generator<Request, number, number> {
    const { machine } = currentGuest(name);
    requireIrql(name, VIOLATION.KernelApi, IRQL.APC_LEVEL);
    yield timeOfCalls(machine, 1);
    const { imageNotify } = processManager(machine);
    const entry = imageNotify.find(notifyRoutine, KIND.Native | KIND.Every);
    if (entry === undefined) return STATUS.PROCEDURE_NOT_FOUND;
    yield* imageNotify.remove(entry);
    return STATUS.SUCCESS;
  });
}

/** Tells of an image that a thread has mapped into a process, or 0 the system. */
export function* notifyImage(
  ps: ProcessManager,
  thread: KThread,
  fullImageName: string | null,
  processId: number,
  imageInfo: ImageInfo,
): Generator<Request, void, number> {
  const table = ps.imageNotify;
  const kinds = imageInfo.MachineTypeMismatch ? KIND.Every : KIND.Native | KIND.Every;
  let calls = 0;
  changeCriticalRegion(thread, -1);
  for (let slot = 0; slot < table.highest; slot++) {
    const entry = table.slots[slot];
    if (entry === undefined || (entry.kind & kinds) === 0) continue;
    calls++;
    const rest = table.call(entry, thread, fullImageName, processId, imageInfo);
    if (rest !== undefined) yield* rest;
  }
  changeCriticalRegion(thread, 1);
  if (calls !== 0) yield timeOfCalls(ps.machine, calls);
}

import type { GuestResult } from '../machine/dpc';
import type { KThread } from '../machine/views';
import type { ImageInfo } from './image';
import type { PsState } from './state';

/** Who is told that images are loaded. */

/**
 * After an image is mapped and before its entry point runs, in the thread that maps it: at
 * PASSIVE_LEVEL in a critical region. `processId` is 0 for a driver. It cannot keep the image out.
 */
export type LoadImageNotifyRoutine = (
  fullImageName: string | null,
  processId: number,
  imageInfo: ImageInfo,
) => GuestResult;

/** A flag of PsSetLoadImageNotifyRoutineEx: images of another architecture too. */
export const PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE = 1;

export const enum IMAGE_NOTIFY {
  /** Images of the machine's architecture. */
  Native = 1,
  /** And those of another. */
  Every = 2,
}

/**
 * Tells of an image that a thread has mapped into a process, or 0 the system.
 *
 * @returns how many routines were called.
 */
export function notifyImage(
  ps: PsState,
  thread: KThread,
  fullImageName: string | null,
  processId: number,
  imageInfo: ImageInfo,
): GuestResult<number> {
  const table = ps.imageNotify;
  const kinds = imageInfo.MachineTypeMismatch
    ? IMAGE_NOTIFY.Every
    : IMAGE_NOTIFY.Native | IMAGE_NOTIFY.Every;
  return table.each(thread, (entry) => {
    if ((entry.kind & kinds) === 0) return undefined;
    return table.call(entry, thread, fullImageName, processId, imageInfo);
  });
}

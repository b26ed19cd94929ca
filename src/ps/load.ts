import type { GuestResult } from '../machine/dpc';
import { after, isGenerator, type Request } from '../machine/generator';
import { currentGuest } from '../machine/guest';
import type { KThread } from '../machine/views';
import { processIdOf } from './cid';
import { executiveOf, imageOf, type ProcessExecutive } from './executive';
import type { Image } from './image';
import { notifyImage } from './image-notify';
import { timeOfCalls } from './notify-table';
import type { PsState } from './state';

/** The mapping of images into processes. */

/** Tells of an image that a thread has mapped into its process. */
function tell(ps: PsState, thread: KThread, image: Image): GuestResult<number> {
  return notifyImage(ps, thread, image.fullName, processIdOf(thread.process), image.info);
}

/** Maps an image into a thread's process, in that thread. @returns false if it is mapped already. */
export function* mapImage(
  ps: PsState,
  thread: KThread,
  image: Image,
): Generator<Request, boolean, number> {
  const executive = executiveOf(ps, thread.process);
  if (executive.modules.includes(image)) return false;
  executive.modules = [...executive.modules, image];
  if (ps.imageNotify.count === 0) return true;
  const told = tell(ps, thread, image);
  const calls = isGenerator(told) ? yield* told : told;
  if (calls !== 0) yield timeOfCalls(ps.machine, calls);
  return true;
}

/** Tells of a driver's image that has been loaded, in the context of who loads it: its process id is 0. */
export function* notifySystemImage(ps: PsState, image: Image): Generator<Request, void, number> {
  if (ps.imageNotify.count === 0) return;
  const { thread } = currentGuest('MmLoadSystemImage');
  const told = notifyImage(ps, thread, image.fullName, 0, image.info);
  const calls = isGenerator(told) ? yield* told : told;
  if (calls !== 0) yield timeOfCalls(ps.machine, calls);
}

/** Maps what a new process begins with, in its first thread. @returns how many routines were called. */
export function mapInitialImages(ps: PsState, thread: KThread): GuestResult<number> {
  const { process } = thread;
  const image = imageOf(ps, process);
  if (image === undefined) return 0;
  const images = ps.images.mapping(image);
  if (ps.imageNotify.count !== 0) return mapFrom(ps, thread, images, 0, 0);
  const executive = process.executive as ProcessExecutive | undefined;
  if (executive !== undefined) executive.modules = images;
  return 0;
}

/** The same from an image on, after `before` calls. */
function mapFrom(
  ps: PsState,
  thread: KThread,
  images: readonly Image[],
  first: number,
  before: number,
): GuestResult<number> {
  const executive = thread.process.executive as ProcessExecutive | undefined;
  let calls = before;
  for (let count = first; count < images.length; count++) {
    if (thread.terminating) return calls;
    if (executive !== undefined) executive.modules = images.slice(0, count + 1);
    const told = tell(ps, thread, images[count] as Image);
    if (isGenerator(told)) {
      const made = calls;
      return after(told, (more) => mapFrom(ps, thread, images, count + 1, made + more));
    }
    calls += told;
  }
  if (executive !== undefined) executive.modules = images;
  return calls;
}

import { isGenerator } from '../machine/generator';
import type { KernelCode } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import type { KThread } from '../machine/views';
import { executiveOf } from './executive';
import { DLL_REASON, type Image } from './image';
import { processManager } from './manager';
import { tebAddress } from './teb';
import { ownThreadExecutive, threadExecutive } from './thread-executive';

/** What the loader does in user mode of a process: it calls the entry routines of DLLs. */

/** Calls the entry routine of an image, if it has one. */
export function* callEntry(image: Image, reason: DLL_REASON): KernelCode<void> {
  const called = image.dllMain?.(image.base, reason);
  if (isGenerator(called)) yield* called;
}

/** What the loader has for a thread, as its TEB says. */
export interface ThreadEnvironment {
  /** Of the TEB; 0: it has none. */
  readonly address: number;
  readonly skipThreadAttach: boolean;
  readonly skipLoaderInit: boolean;
  readonly loaderWorker: boolean;
  /** The loader has allocated TLS and FLS for it. */
  readonly localStorage: boolean;
}

export function threadEnvironment(thread: KThread): ThreadEnvironment {
  const { skipThreadAttach, skipLoaderInit, loaderWorker, localStorage } = threadExecutive(thread);
  return {
    address: tebAddress(thread),
    skipThreadAttach,
    skipLoaderInit,
    loaderWorker,
    localStorage,
  };
}

/** The images of a thread's process that have an entry routine, in the order in which they were loaded. */
function entries(thread: KThread): Image[] {
  const { modules } = executiveOf(processManager(thread.machine), thread.process);
  return modules.filter(({ dllMain }) => dllMain !== undefined);
}

/**
 * A thread of user mode from its first instruction to its return: DLLs are told that it begins, and
 * in reverse that it ends, unless its TEB says that they are not to be. One that is terminated tells
 * nobody.
 */
export function* runAttached(body: () => KernelCode<void>): KernelCode<void> {
  const { thread } = currentGuest('LdrInitializeThunk');
  const { skipThreadAttach, skipLoaderInit, loaderWorker } = threadExecutive(thread);
  if (skipThreadAttach || skipLoaderInit || loaderWorker) {
    yield* body();
    return;
  }
  const told = entries(thread);
  if (told.length !== 0) ownThreadExecutive(thread).localStorage = true;
  for (const image of told) yield* callEntry(image, DLL_REASON.THREAD_ATTACH);
  yield* body();
  for (const image of entries(thread).reverse()) yield* callEntry(image, DLL_REASON.THREAD_DETACH);
}

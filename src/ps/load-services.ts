import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { ddiTime, type KernelCode } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import { executiveOf, imageOf } from './executive';
import { DLL_REASON, type Image } from './image';
import { mapImage, notifySystemImage } from './load';
import { callEntry } from './loader';
import { processManager } from './manager';

/** The loading and unloading of images in a process that runs. */

/** What LdrLoadDll comes to. */
export interface LoadedDll {
  readonly status: number;
  /** Undefined on failure. */
  readonly baseAddress: number | undefined;
}

/** A DLL with what it imports, those first that it needs. */
function* withImports(
  image: Image,
  find: (name: string) => Image,
  seen: Set<Image>,
): Generator<Image> {
  if (seen.has(image)) return;
  seen.add(image);
  yield image;
  for (const name of image.imports) yield* withImports(find(name), find, seen);
}

/**
 * Loads a DLL, by its path or its name in the system's folder, into the caller's process, with what it
 * imports. Routines registered by PsSetLoadImageNotifyRoutine are told of each that was not there.
 *
 * @returns SUCCESS with its address.
 * @irql PASSIVE_LEVEL   @nt LdrLoadDll (partial: no search path, no characteristics)
 */
export function LdrLoadDll(dllName: string): NtCall<LoadedDll> {
  const routine = 'LdrLoadDll';
  return new NtCall(routine, () => ldrLoadDll(routine, dllName));
}

function* ldrLoadDll(routine: string, dllName: string): KernelCode<LoadedDll> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const { machine, thread } = currentGuest(routine);
  const ps = processManager(machine);
  yield ddiTime(machine);
  const architecture = imageOf(ps, thread.process)?.machine ?? 'x64';
  const find = (name: string) => ps.images.dll(name, architecture);
  const image = find(dllName);
  const loaded: Image[] = [];
  for (const mapped of withImports(image, find, new Set()))
    if (yield* mapImage(ps, thread, mapped)) loaded.unshift(mapped);
  for (const mapped of loaded) yield* callEntry(mapped, DLL_REASON.PROCESS_ATTACH);
  return { status: STATUS.SUCCESS, baseAddress: image.base };
}

/**
 * Takes the image at an address out of the caller's process. Nobody is told.
 *
 * @returns SUCCESS; DLL_NOT_FOUND.
 * @irql PASSIVE_LEVEL   @nt LdrUnloadDll (partial: at once, however often it was loaded)
 */
export function LdrUnloadDll(baseAddress: number): NtCall<number> {
  const routine = 'LdrUnloadDll';
  return new NtCall(routine, () => ldrUnloadDll(routine, baseAddress));
}

function* ldrUnloadDll(routine: string, baseAddress: number): KernelCode<number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const { machine, thread } = currentGuest(routine);
  yield ddiTime(machine);
  const executive = executiveOf(processManager(machine), thread.process);
  const image = executive.modules.find(({ base }) => base === baseAddress);
  if (image === undefined) return STATUS.DLL_NOT_FOUND;
  yield* callEntry(image, DLL_REASON.PROCESS_DETACH);
  executive.modules = executive.modules.filter((module) => module !== image);
  return STATUS.SUCCESS;
}

/** Tells of a driver's image that has been loaded, in the context of who loads it: its process id is 0. */
export function* notifyDriverImage(path: string): KernelCode<Image> {
  const ps = processManager(currentGuest('MmLoadSystemImage').machine);
  const image = ps.images.image(path);
  yield* notifySystemImage(ps, image);
  return image;
}

import { KPROCESS, PROCESS_FLAG } from '../../assembly/shared/layout';
import { STATUS } from '../../assembly/shared/status';
import type { KProcess } from '../machine/views';
import { type ClientId, processIdOfRow } from './cid';
import type { FileObject } from './file';
import { type Image, openName } from './image';
import type { PsState } from './state';

/**
 * What the executive knows of a process beyond its row: made when somebody asks, or has something to
 * note. A process that nobody looks at has none.
 */

/** SUBSYSTEM_INFORMATION_TYPE. */
export const enum SUBSYSTEM_INFORMATION_TYPE {
  SubsystemInformationTypeWin32 = 0,
  SubsystemInformationTypeWSL = 1,
}

/** What it is made of, where that differs from what its row says. */
export interface ProcessOrigin {
  readonly image?: Image | undefined;
  /** The name by which the executable was opened; null: not known. Default: the image's. */
  readonly imageFileName?: string | null | undefined;
  readonly commandLine?: string | null | undefined;
  readonly creator?: ClientId | undefined;
  readonly inheritsHandles?: boolean | undefined;
  readonly subsystem?: SUBSYSTEM_INFORMATION_TYPE | undefined;
  readonly sessionId?: number | undefined;
  /** PS_PROTECTION: type in bits 0-2, signer in bits 4-7. */
  readonly protection?: number | undefined;
  /** Its end is bugcheck CRITICAL_PROCESS_DIED. */
  readonly critical?: boolean | undefined;
  /** An address space without ntdll, environment blocks and images. Default false. */
  readonly minimal?: boolean | undefined;
  /** Of the executable, where that is no image of the catalogue. */
  readonly file?: FileObject | null | undefined;
}

/** The part of EPROCESS that is the host's. */
export class ProcessExecutive {
  readonly image: Image | undefined;
  readonly imageFileName: string | null;
  readonly commandLine: string | null;
  readonly creator: ClientId | undefined;
  readonly inheritsHandles: boolean;
  subsystem: SUBSYSTEM_INFORMATION_TYPE;
  sessionId: number;
  protection: number;
  critical: boolean;
  readonly minimal: boolean;
  readonly file: FileObject | null;
  /** What is mapped, in the order in which it was. */
  modules: readonly Image[] = [];

  constructor(
    readonly process: KProcess,
    origin: ProcessOrigin,
  ) {
    const { image } = origin;
    this.image = image;
    this.imageFileName =
      origin.imageFileName === undefined
        ? image === undefined
          ? null
          : openName(image.path)
        : origin.imageFileName;
    this.commandLine = origin.commandLine ?? null;
    this.creator = origin.creator;
    this.inheritsHandles = origin.inheritsHandles ?? false;
    this.subsystem = origin.subsystem ?? SUBSYSTEM_INFORMATION_TYPE.SubsystemInformationTypeWin32;
    this.sessionId = origin.sessionId ?? 0;
    this.protection = origin.protection ?? 0;
    this.critical = origin.critical ?? false;
    this.minimal = origin.minimal ?? false;
    this.file = origin.file ?? image?.file ?? null;
  }
}

/** The executive's part of a process; one that had none gets what its name says. */
export function executiveOf(ps: PsState, process: KProcess): ProcessExecutive {
  const known = process.executive as ProcessExecutive | undefined;
  if (known !== undefined) return known;
  const image = imageOf(ps, process);
  const made = new ProcessExecutive(process, { image });
  if (image !== undefined) made.modules = ps.images.mapping(image);
  process.executive = made;
  return made;
}

/** The executable of a process: by its name, if nobody has said otherwise. */
export function imageOf(ps: PsState, process: KProcess): Image | undefined {
  const executive = process.executive as ProcessExecutive | undefined;
  if (executive !== undefined) return executive.image;
  return process === ps.machine.systemProcess ? undefined : ps.images.image(process.name);
}

/** Whether a process has no ntdll and no environment blocks: minimal and pico processes. */
export function isMinimalProcess(process: KProcess): boolean {
  return (process.executive as ProcessExecutive | undefined)?.minimal === true;
}

/** The subsystem that a process is of. */
export function subsystemOf(process: KProcess): SUBSYSTEM_INFORMATION_TYPE {
  const executive = process.executive as ProcessExecutive | undefined;
  return executive?.subsystem ?? SUBSYSTEM_INFORMATION_TYPE.SubsystemInformationTypeWin32;
}

/** Whether a process is one of another subsystem than Win32. */
export function isSubsystemProcess(process: KProcess): boolean {
  return subsystemOf(process) !== SUBSYSTEM_INFORMATION_TYPE.SubsystemInformationTypeWin32;
}

/** Whose priority, affinity and handles it has inherited; an id that may be another's by now. */
export function parentIdOf(process: KProcess): number {
  return processIdOfRow(process.machine.memory.u32(process.address + KPROCESS.Parent));
}

const flagsOf = (process: KProcess) => process.machine.memory.u32(process.address + KPROCESS.Flags);

/** Whether what it ends with is decided: it gets no new threads. */
export function isTerminating(process: KProcess): boolean {
  return (flagsOf(process) & (PROCESS_FLAG.ExitStatusSet | PROCESS_FLAG.Exited)) !== 0;
}

/** Decides what a process ends with, unless that is decided. */
export function setExitStatus(process: KProcess, status: number): void {
  if (isTerminating(process)) return;
  const { memory } = process.machine;
  const { address } = process;
  memory.setU32(address + KPROCESS.ExitStatus, status >>> 0);
  memory.setU32(address + KPROCESS.Flags, flagsOf(process) | PROCESS_FLAG.ExitStatusSet);
}

/** Whether its ticks are told of, for the limits of its jobs. */
export function setWatched(process: KProcess, watched: boolean): void {
  const kept = flagsOf(process) & ~PROCESS_FLAG.Watched;
  const flags = watched ? kept | PROCESS_FLAG.Watched : kept;
  process.machine.memory.setU32(process.address + KPROCESS.Flags, flags);
}

/** Takes back a process that has got no thread, and never will. */
export function discardProcess(process: KProcess): void {
  const { memory } = process.machine;
  memory.setU32(process.address + KPROCESS.Flags, flagsOf(process) | PROCESS_FLAG.Exited);
  process.close();
}

/** It ends now, whatever its last thread has still to do. */
export function setExitTime(process: KProcess): void {
  const { memory, now } = process.machine;
  const { address } = process;
  memory.setU64(address + KPROCESS.IdleSince64, now);
  memory.setU32(address + KPROCESS.Flags, flagsOf(process) | PROCESS_FLAG.ExitTimeSet);
}

/** What it ends or has ended with; STATUS_PENDING: nothing yet. */
export function processExitStatus(process: KProcess): number {
  return isTerminating(process) ? process.exitStatus : STATUS.PENDING;
}

/** When it ended, as a system time; 0 while it runs. */
export function processExitTime100ns(process: KProcess): bigint {
  if ((flagsOf(process) & (PROCESS_FLAG.ExitTimeSet | PROCESS_FLAG.Exited)) === 0) return 0n;
  const { memory, clock } = process.machine;
  return clock.systemTimeAt100ns(memory.u64(process.address + KPROCESS.IdleSince64));
}

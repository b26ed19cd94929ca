import { KTHREAD } from '../../assembly/shared/layout';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, THREAD_FLAG } from '../../assembly/shared/types';
import { requireIrql, requireIrqlOfGuest, VIOLATION } from '../ke/call';
import { currentGuest } from '../machine/guest';
import type { KProcess, KThread } from '../machine/views';
import type { Handle } from '../ob/attributes';
import { headerOf } from '../ob/object';
import { noteReference, ObpReference } from '../ob/reference';
import { processIdOf, rowOfProcessId, rowOfThreadId, threadIdOf } from './cid';
import { imageOf, parentIdOf, processExitStatus, processExitTime100ns } from './executive';
import { processManager } from './manager';
import { pebAddress, tebAddress } from './teb';

/** Who a thread or process is, and how it stands. Times are system times, 100 ns since 1601. */

/** The process in whose address space the thread works: another's while it is attached to that. @irql any @nt PsGetCurrentProcess */
export function PsGetCurrentProcess(): KProcess {
  return currentGuest('PsGetCurrentProcess').thread.attachedProcess;
}

/** The same. @irql any @nt IoGetCurrentProcess */
export function IoGetCurrentProcess(): KProcess {
  return currentGuest('IoGetCurrentProcess').thread.attachedProcess;
}

/** In a DPC the thread that it interrupted. @irql any @nt PsGetCurrentThread */
export function PsGetCurrentThread(): KThread {
  return currentGuest('PsGetCurrentThread').thread;
}

/** The same. @irql any @nt KeGetCurrentThread */
export function KeGetCurrentThread(): KThread {
  return currentGuest('KeGetCurrentThread').thread;
}

/** Of the process that the thread belongs to, attached or not. @irql any @nt PsGetCurrentProcessId */
export function PsGetCurrentProcessId(): number {
  return PsGetThreadProcessId(currentGuest('PsGetCurrentProcessId').thread);
}

/** @irql any   @nt PsGetCurrentThreadId */
export function PsGetCurrentThreadId(): number {
  return threadIdOf(currentGuest('PsGetCurrentThreadId').thread);
}

/** @irql any   @nt PsGetProcessId */
export function PsGetProcessId(process: KProcess): number {
  return processIdOf(process);
}

/** @irql at most DISPATCH_LEVEL   @nt PsGetThreadId */
export function PsGetThreadId(thread: KThread): number {
  requireIrqlOfGuest('PsGetThreadId', IRQL.DISPATCH_LEVEL);
  return threadIdOf(thread);
}

/** 0 of an idle thread. @irql any @nt PsGetThreadProcessId */
export function PsGetThreadProcessId(thread: KThread): number {
  return thread.index === 0 ? 0 : processIdOf(thread.process);
}

/** The process that it belongs to. @irql at most DISPATCH_LEVEL @nt IoThreadToProcess */
export function IoThreadToProcess(thread: KThread): KProcess {
  requireIrqlOfGuest('IoThreadToProcess', IRQL.DISPATCH_LEVEL);
  return thread.process;
}

/** Whose priority, affinity and handles it inherited; the id may be another's by now. @irql any @nt PsGetProcessInheritedFromUniqueProcessId */
export function PsGetProcessInheritedFromUniqueProcessId(process: KProcess): number {
  return parentIdOf(process);
}

/** Setting the clock does not change it. @irql any @nt PsGetProcessCreateTimeQuadPart */
export function PsGetProcessCreateTimeQuadPart(process: KProcess): bigint {
  return process.createTime100ns;
}

/** Of a thread that the core made by itself that of its process. @irql any @nt PsGetThreadCreateTime */
export function PsGetThreadCreateTime(thread: KThread): bigint {
  if (thread.createdNs === undefined) return thread.process.createTime100ns;
  return thread.machine.clock.systemTimeAt100ns(thread.createdNs);
}

/** Of the current process; 0 while it runs. @irql at most DISPATCH_LEVEL @nt PsGetProcessExitTime */
export function PsGetProcessExitTime(): bigint {
  requireIrqlOfGuest('PsGetProcessExitTime', IRQL.DISPATCH_LEVEL);
  return processExitTime100ns(currentGuest('PsGetProcessExitTime').thread.attachedProcess);
}

/** STATUS_PENDING while nothing ends it. @irql at most APC_LEVEL @nt PsGetProcessExitStatus */
export function PsGetProcessExitStatus(process: KProcess): number {
  requireIrqlOfGuest('PsGetProcessExitStatus', IRQL.APC_LEVEL);
  return processExitStatus(process);
}

/** STATUS_PENDING until it has begun to end. @irql at most APC_LEVEL @nt PsGetThreadExitStatus */
export function PsGetThreadExitStatus(thread: KThread): number {
  requireIrqlOfGuest('PsGetThreadExitStatus', IRQL.APC_LEVEL);
  if (thread.state === KTHREAD_STATE.Terminated) return thread.exitStatus;
  const flags = thread.machine.memory.u32(thread.address + KTHREAD.Flags);
  return (flags & THREAD_FLAG.Exiting) === 0 ? STATUS.PENDING : thread.exitStatus;
}

/** Whether it ends, or is to. @irql at most DISPATCH_LEVEL @nt PsIsThreadTerminating */
export function PsIsThreadTerminating(thread: KThread): boolean {
  requireIrqlOfGuest('PsIsThreadTerminating', IRQL.DISPATCH_LEVEL);
  return thread.state === KTHREAD_STATE.Terminated || thread.terminating;
}

/** The boot's part of a start key, in the bits from 48 on. */
const BOOT_ID = 1n << 48n;

/** Of no other process, of this boot or another: the boot, and which of its processes it is. @irql at most DISPATCH_LEVEL @nt PsGetProcessStartKey */
export function PsGetProcessStartKey(process: KProcess): bigint {
  requireIrqlOfGuest('PsGetProcessStartKey', IRQL.DISPATCH_LEVEL);
  return BOOT_ID | BigInt(process.sequenceNumber);
}

/** Bytes of EPROCESS.ImageFileName, without its terminator. */
const SHORT_NAME = 14;

/** The executable's name without its folder, at most 14 characters of it. @irql any @nt PsGetProcessImageFileName */
export function PsGetProcessImageFileName(process: KProcess): string {
  const image = imageOf(processManager(process.machine), process);
  return (image?.name ?? process.name).slice(0, SHORT_NAME);
}

/**
 * The full name of a process's executable.
 *
 * @returns SUCCESS; NOT_FOUND for a process without one.
 * @irql PASSIVE_LEVEL   @nt SeLocateProcessImageName
 */
export function SeLocateProcessImageName(process: KProcess): {
  readonly status: number;
  readonly imageFileName: string | undefined;
} {
  requireIrql('SeLocateProcessImageName', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const imageFileName = imageOf(processManager(process.machine), process)?.fullName;
  const status = imageFileName === undefined ? STATUS.NOT_FOUND : STATUS.SUCCESS;
  return { status, imageFileName };
}

/** 0 in a thread without user mode, of a minimal process, or that is attached to another process. @irql any @nt PsGetCurrentThreadTeb */
export function PsGetCurrentThreadTeb(): number {
  const { thread } = currentGuest('PsGetCurrentThreadTeb');
  return thread.attachedProcess === thread.process ? tebAddress(thread) : 0;
}

/** 0 of System and of minimal processes. @irql any @nt PsGetProcessPeb */
export function PsGetProcessPeb(process: KProcess): number {
  return pebAddress(process);
}

/** A process, with a reference that the caller has to give back. */
export interface LookedUpProcess {
  readonly status: number;
  readonly process: KProcess | undefined;
}

/** A thread, likewise. */
export interface LookedUpThread {
  readonly status: number;
  readonly thread: KThread | undefined;
}

/**
 * The process of an id, whose two low bits do not count; one that has ended too, while somebody refers
 * to it.
 *
 * @returns SUCCESS; INVALID_CID.
 * @irql at most APC_LEVEL   @nt PsLookupProcessByProcessId
 */
export function PsLookupProcessByProcessId(processId: number): LookedUpProcess {
  const routine = 'PsLookupProcessByProcessId';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  const process = processOfId(currentGuest(routine).machine, processId);
  if (process === undefined) return { status: STATUS.INVALID_CID, process };
  const header = headerOf(routine, process);
  ObpReference(header);
  noteReference(header);
  return { status: STATUS.SUCCESS, process };
}

/**
 * The thread of an id, likewise.
 *
 * @returns SUCCESS; INVALID_CID, or what switches.unknownThreadId says.
 * @irql at most APC_LEVEL   @nt PsLookupThreadByThreadId
 */
export function PsLookupThreadByThreadId(threadId: number): LookedUpThread {
  const routine = 'PsLookupThreadByThreadId';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  const { machine } = currentGuest(routine);
  const thread = threadOfId(machine, threadId);
  if (thread === undefined)
    return { status: processManager(machine).switches.unknownThreadId, thread };
  const header = headerOf(routine, thread);
  ObpReference(header);
  noteReference(header);
  return { status: STATUS.SUCCESS, thread };
}

/** The process of an id, without a reference. */
export function processOfId(machine: KProcess['machine'], id: number): KProcess | undefined {
  const row = rowOfProcessId(id);
  return row > 0 ? machine.process(row) : undefined;
}

/** The thread of an id, without a reference. */
export function threadOfId(machine: KProcess['machine'], id: number): KThread | undefined {
  const row = rowOfThreadId(id);
  return row > 0 ? machine.thread(row) : undefined;
}

/** The build that PsGetVersion tells of, with the bits of a free build. */
export const NtBuildNumber = 0xf000_0000 + 22_621;

/** @returns the version: TRUE is a checked build. @irql PASSIVE_LEVEL @nt PsGetVersion */
export function PsGetVersion(): {
  readonly checked: boolean;
  readonly majorVersion: number;
  readonly minorVersion: number;
  readonly buildNumber: number;
  readonly csdVersion: string;
} {
  requireIrql('PsGetVersion', VIOLATION.IrqlPsPassive, IRQL.PASSIVE_LEVEL);
  const buildNumber = NtBuildNumber % 0x1_0000;
  return { checked: false, majorVersion: 10, minorVersion: 0, buildNumber, csdVersion: '' };
}

/** RTL_OSVERSIONINFOEXW, as far as it is told. */
export interface VersionInformation {
  readonly dwMajorVersion: number;
  readonly dwMinorVersion: number;
  readonly dwBuildNumber: number;
  /** VER_PLATFORM_WIN32_NT. */
  readonly dwPlatformId: number;
  readonly szCSDVersion: string;
  /** VER_NT_WORKSTATION. */
  readonly wProductType: number;
}

/** @returns SUCCESS with the version. @irql PASSIVE_LEVEL @nt RtlGetVersion */
export function RtlGetVersion(): { readonly status: number } & VersionInformation {
  requireIrql('RtlGetVersion', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  return {
    status: STATUS.SUCCESS,
    dwMajorVersion: 10,
    dwMinorVersion: 0,
    dwBuildNumber: NtBuildNumber % 0x1_0000,
    dwPlatformId: 2,
    szCSDVersion: '',
    wProductType: 1,
  };
}

/** The pseudo handle of the current process: -1. @irql any @nt ZwCurrentProcess */
export function ZwCurrentProcess(): Handle {
  return -1;
}

/** The pseudo handle of the current thread: -2. @irql any @nt ZwCurrentThread */
export function ZwCurrentThread(): Handle {
  return -2;
}

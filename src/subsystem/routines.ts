import { KPROCESS } from '../../assembly/shared/layout';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, type PRIORITY_CLASS } from '../../assembly/shared/types';
import { KeResumeThread, KeSuspendThread } from '../ke/apc';
import { requireIrql, VIOLATION } from '../ke/call';
import { ddiTime, type KernelCode } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import type { ThreadBody } from '../machine/machine';
import { ProgramContext, type UserRegisters } from '../machine/user-context';
import type { KProcess, KThread } from '../machine/views';
import { clientIdOf } from '../ps/cid';
import { announceInTime, newProcess, newThread } from '../ps/create';
import { isTerminating, SUBSYSTEM_INFORMATION_TYPE } from '../ps/executive';
import { exitThreadless } from '../ps/exit';
import type { FileObject } from '../ps/file';
import { processManager } from '../ps/manager';
import { terminatePicoProcess } from './terminate';

/** The routines that the kernel hands to the provider of pico processes. */

/** PS_PICO_PROCESS_ATTRIBUTES, and what callbacks are told of the process (PS_PICO_CREATE_INFO). */
export interface PsPicoProcessAttributes {
  /** Whose affinity and priority class it inherits. */
  readonly ParentProcess: KProcess;
  /** What GetProcessContext gives. */
  readonly Context: unknown;
  /** Each null where callbacks are to learn nothing. Default null. */
  readonly FileObject?: FileObject | null;
  /** The path as the subsystem has it. */
  readonly ImageFileName?: string | null;
  /** As the subsystem has it: of Linux, arguments that end in NUL. */
  readonly CommandLine?: string | null;
  readonly InheritsHandles?: boolean;
  readonly PriorityClass?: PRIORITY_CLASS;
}

/** The segments that a thread's local storage may be in. */
export const enum PS_PICO_THREAD_DESCRIPTOR_TYPE {
  PicoThreadDescriptorTypeFs = 0,
  PicoThreadDescriptorTypeGs = 1,
}

/** PS_PICO_THREAD_ATTRIBUTES. */
export interface PsPicoThreadAttributes {
  readonly Process: KProcess;
  /** What GetThreadContext gives. */
  readonly Context: unknown;
  /** What it runs in user mode: in place of StartRoutine and UserStack. */
  readonly StartRoutine: ThreadBody;
  readonly Name?: string;
}

export interface PicoProcess {
  readonly status: number;
  readonly process: KProcess | undefined;
}

export interface PicoThread {
  readonly status: number;
  readonly thread: KThread | undefined;
  /** A callback refused the process: there is a thread, which ends without having run. */
  readonly refused?: boolean;
}

/**
 * PS_PICO_ROUTINES. Processes and threads go by pointer where Windows has handles; they stay the
 * kernel's: what ExitProcess and ExitThread have been called for is not to be used any more.
 */
export interface PsPicoRoutines {
  /** A process without a thread: who is told of processes hears of it with its first one. SUCCESS; INSUFFICIENT_RESOURCES; PROCESS_IS_TERMINATING of the parent. */
  readonly CreateProcess: (attributes: PsPicoProcessAttributes) => NtCall<PicoProcess>;
  /** A thread that ResumeThread starts. SUCCESS; INSUFFICIENT_RESOURCES; PROCESS_IS_TERMINATING; what a callback refused the process with. */
  readonly CreateThread: (attributes: PsPicoThreadAttributes) => NtCall<PicoThread>;
  readonly GetProcessContext: (process: KProcess) => unknown;
  readonly GetThreadContext: (thread: KThread) => unknown;
  /** Registers of a thread that is in a system call or exception, or has not been started. */
  readonly GetContextThreadInternal: (thread: KThread) => UserRegisters;
  readonly SetContextThreadInternal: (thread: KThread, context: Partial<UserRegisters>) => void;
  /** Where a segment of the calling thread begins in user mode, if who advances it has such. */
  readonly SetThreadDescriptorBase: (type: PS_PICO_THREAD_DESCRIPTOR_TYPE, base: number) => void;
  readonly TerminateThread: (thread: KThread, exitStatus: number) => NtCall<number>;
  /** Starts a new thread, or takes a suspension back: the count before, 1 for a new one. */
  readonly ResumeThread: (thread: KThread) => NtCall<number>;
  readonly SuspendThread: (thread: KThread) => NtCall<number>;
  /** Ends every thread of a process, the caller at its return to user mode. SUCCESS; PROCESS_IS_TERMINATING. */
  readonly TerminateProcess: (process: KProcess, exitStatus: number) => NtCall<number>;
}

/** What a system call of a host thread finds and leaves. */
export class HostRegisters implements UserRegisters {
  rax = 0;
  rdi = 0;
  rsi = 0;
  rdx = 0;
  r10 = 0;
  r8 = 0;
  r9 = 0;
  fsBase = 0;
  gsBase = 0;
}

/** The registers of a thread of a pico process, by what it runs. */
export function registersOf(thread: KThread, body: ThreadBody): UserRegisters {
  if (typeof body === 'function') return new HostRegisters();
  if ('run' in body) return body.registers ?? new HostRegisters();
  return new ProgramContext(thread);
}

/** The affinity of a process; undefined: that of the system. */
function narrowedAffinity(process: KProcess): bigint | undefined {
  const { memory, systemProcess } = process.machine;
  const own = process.address + KPROCESS.Affinity64;
  const all = systemProcess.address + KPROCESS.Affinity64;
  const same = memory.u32(own) === memory.u32(all) && memory.u32(own + 4) === memory.u32(all + 4);
  return same ? undefined : memory.big(own);
}

/** CreateProcess without the time that it takes. */
export function newPicoProcess(creator: KThread, attributes: PsPicoProcessAttributes): PicoProcess {
  const { machine } = creator;
  const ps = processManager(machine);
  const { ParentProcess: parent, ImageFileName = null, PriorityClass } = attributes;
  if (isTerminating(parent)) return { status: STATUS.PROCESS_IS_TERMINATING, process: undefined };
  const options = {
    name: ImageFileName ?? 'pico process',
    parent,
    priorityClass: PriorityClass ?? parent.priorityClass,
    affinity: narrowedAffinity(parent),
  };
  const origin = {
    imageFileName: ImageFileName,
    commandLine: attributes.CommandLine ?? null,
    file: attributes.FileObject ?? null,
    creator: clientIdOf(creator),
    inheritsHandles: attributes.InheritsHandles ?? false,
    minimal: true,
    subsystem: SUBSYSTEM_INFORMATION_TYPE.SubsystemInformationTypeWSL,
  };
  const process = newProcess(ps, options, origin);
  if (process === undefined) return { status: STATUS.INSUFFICIENT_RESOURCES, process };
  process.systemServices = ps.pico;
  process.picoContext = attributes.Context;
  return { status: STATUS.SUCCESS, process };
}

function* createProcess(
  routine: string,
  attributes: PsPicoProcessAttributes,
): KernelCode<PicoProcess> {
  const { machine, thread: creator } = currentGuest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  yield ddiTime(machine);
  return newPicoProcess(creator, attributes);
}

/** CreateThread without the time that it takes: nobody has been told of the thread. */
export function newPicoThread(attributes: PsPicoThreadAttributes): PicoThread {
  const { Process, StartRoutine, Context, Name } = attributes;
  const ps = processManager(Process.machine);
  const created = newThread(ps, Process, StartRoutine, { name: Name, userMode: true });
  const { status, thread } = created;
  if (thread === undefined) return { status, thread };
  thread.picoContext = Context;
  thread.userRegisters = registersOf(thread, StartRoutine);
  return { status, thread };
}

/** Tells of a thread that newPicoThread has made. */
export function* announcePicoThread(thread: KThread): KernelCode<PicoThread> {
  const { machine, thread: creator } = currentGuest('PsPicoCreateThread');
  const { status, thread: announced } = yield* announceInTime(
    processManager(machine),
    creator,
    thread,
  );
  return { status, thread: announced, refused: announced === undefined };
}

function* createThread(
  routine: string,
  attributes: PsPicoThreadAttributes,
): KernelCode<PicoThread> {
  const { machine } = currentGuest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const created = newPicoThread(attributes);
  yield ddiTime(machine);
  return created.thread === undefined ? created : yield* announcePicoThread(created.thread);
}

function* resumeThread(thread: KThread): KernelCode<number> {
  if (thread.state !== KTHREAD_STATE.Initialized) return yield* KeResumeThread(thread);
  thread.start();
  yield ddiTime(thread.machine);
  return 1;
}

function* terminateThread(thread: KThread, exitStatus: number): KernelCode<number> {
  const asked = thread.state !== KTHREAD_STATE.Terminated && thread.terminate(exitStatus);
  yield ddiTime(thread.machine);
  return asked ? STATUS.SUCCESS : STATUS.THREAD_IS_TERMINATING;
}

function* terminateProcess(process: KProcess, exitStatus: number): KernelCode<number> {
  const { machine } = process;
  if (isTerminating(process)) {
    yield ddiTime(machine);
    return STATUS.PROCESS_IS_TERMINATING;
  }
  if (process.threadCount === 0) {
    yield* exitThreadless(processManager(machine), process, exitStatus);
    process.close();
    return STATUS.SUCCESS;
  }
  terminatePicoProcess(process, exitStatus);
  yield ddiTime(machine);
  return STATUS.SUCCESS;
}

function setContext(thread: KThread, context: Partial<UserRegisters>): void {
  Object.assign(registersInUse(thread), context);
}

function setDescriptorBase(type: PS_PICO_THREAD_DESCRIPTOR_TYPE, base: number): void {
  const registers = registersInUse(currentGuest('PsPicoSetThreadDescriptorBase').thread);
  const field =
    type === PS_PICO_THREAD_DESCRIPTOR_TYPE.PicoThreadDescriptorTypeFs ? 'fsBase' : 'gsBase';
  if (registers[field] !== undefined) registers[field] = base;
}

function registersInUse(thread: KThread): UserRegisters {
  thread.userRegisters ??= new ProgramContext(thread);
  return thread.userRegisters;
}

/** The process's threads are to go on with another body: a thread in a system call that may block. */
export function setThreadBody(thread: KThread, body: ThreadBody): void {
  thread.machine.guests.replaceBody(thread, body);
  thread.userRegisters = registersOf(thread, body);
}

export const PICO_ROUTINES: PsPicoRoutines = Object.freeze({
  CreateProcess: (attributes: PsPicoProcessAttributes) =>
    new NtCall('PsPicoCreateProcess', () => createProcess('PsPicoCreateProcess', attributes)),
  CreateThread: (attributes: PsPicoThreadAttributes) =>
    new NtCall('PsPicoCreateThread', () => createThread('PsPicoCreateThread', attributes)),
  GetProcessContext: (process: KProcess) => process.picoContext,
  GetThreadContext: (thread: KThread) => thread.picoContext,
  GetContextThreadInternal: registersInUse,
  SetContextThreadInternal: setContext,
  SetThreadDescriptorBase: setDescriptorBase,
  TerminateThread: (thread: KThread, exitStatus: number) =>
    new NtCall('PsPicoTerminateThread', () => terminateThread(thread, exitStatus)),
  ResumeThread: (thread: KThread) => new NtCall('PsPicoResumeThread', () => resumeThread(thread)),
  SuspendThread: (thread: KThread) => KeSuspendThread(thread),
  TerminateProcess: (process: KProcess, exitStatus: number) =>
    new NtCall('PsPicoTerminateProcess', () => terminateProcess(process, exitStatus)),
});

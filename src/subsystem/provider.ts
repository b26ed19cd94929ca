import { STATUS } from '../../assembly/shared/status';
import { KSYSTEM } from '../../assembly/shared/layout';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { ddiTime, type KernelCode } from '../ke/mode';
import type { GuestResult } from '../machine/dpc';
import { currentGuest, NtCall } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import type { UserRegisters } from '../machine/user-context';
import type { KProcess, KThread } from '../machine/views';
import { SUBSYSTEM_INFORMATION_TYPE } from '../ps/executive';
import { processManager } from '../ps/manager';
import { PicoServices } from './dispatch';
import { PICO_ROUTINES, type PsPicoRoutines } from './routines';

/**
 * The provider of pico processes: one driver, registered once while the system boots. It gets the system
 * calls and user-mode exceptions of its processes, and the kernel's routines to make and end them.
 */

/** PS_PICO_SYSTEM_CALL_INFORMATION. What the call returns is left in TrapFrame.rax. */
export interface PsPicoSystemCallInformation {
  readonly Thread: KThread;
  /** What the thread asked for: its low 16 bits. */
  readonly Number: number;
  readonly TrapFrame: UserRegisters;
}

/** EXCEPTION_RECORD, as far as who executes the thread tells. */
export interface PsPicoExceptionRecord {
  /** NTSTATUS. */
  readonly ExceptionCode: number;
  /** Of an access violation 0, 1 or 8 (read, write, execute) and the address; missing: nothing is told. */
  readonly ExceptionInformation?: readonly number[];
}

/** A range of addresses, both ends in it. */
export interface PsPicoProtectedRange {
  readonly Start: number;
  readonly End: number;
}

/**
 * PS_PICO_PROVIDER_ROUTINES: what the provider does, each in the context of the thread it is about.
 * DispatchSystemCall, ExitThread and ExitProcess may block. Deviations: no Size, `Name` and
 * `NoResourcesResult` are ntps's, names of images are given when a process is made.
 */
export interface PsPicoProviderRoutines {
  /** The driver's, for reports. */
  readonly Name: string;
  /** Of SUBSYSTEM_INFORMATION_TYPE. Default WSL. */
  readonly SubsystemInformationType?: SUBSYSTEM_INFORMATION_TYPE;
  readonly DispatchSystemCall: (systemCall: PsPicoSystemCallInformation) => GuestResult;
  /** A thread of the provider's ends; its thread-notify routines have been called. */
  readonly ExitThread: (thread: KThread) => GuestResult;
  /** A process has no more threads, or never had one; its process-notify routines have been called. */
  readonly ExitProcess: (process: KProcess) => GuestResult;
  /** @returns TRUE if the thread goes on; FALSE: its process ends with the exception's code. */
  readonly DispatchException: (
    thread: KThread,
    exceptionRecord: PsPicoExceptionRecord,
    trapFrame: UserRegisters,
  ) => GuestResult<boolean>;
  /** A system service is to end a process of the provider's. @returns NTSTATUS. */
  readonly TerminateProcess: (process: KProcess, exitStatus: number) => GuestResult<number>;
  /** The return addresses on the user-mode stack of a thread, the last call first, at most `frameCount`. */
  readonly WalkUserStack: (thread: KThread, frameCount: number) => readonly number[];
  /**
   * What the kernel is to keep from being changed. Literature names it and says no more, and nothing here
   * could change code: a provider that gives one is refused, so that none relies on it.
   */
  readonly ProtectedRanges?: readonly PsPicoProtectedRange[];
  /** What TrapFrame.rax holds where the kernel has no room for a call. Default STATUS_INSUFFICIENT_RESOURCES. */
  readonly NoResourcesResult?: number;
}

/** What PsRegisterPicoProvider gives: the kernel's routines, null if it failed. */
export interface PicoRegistration {
  readonly status: number;
  readonly picoRoutines: PsPicoRoutines | null;
}

/** What a machine's pico processes are served by; undefined: no provider has registered. */
const providers = new PerMachine<{ routines: PsPicoProviderRoutines | undefined }>(() => ({
  routines: undefined,
}));

/** The provider's routines; undefined: there is no provider. */
export function picoProvider(machine: Machine): PsPicoProviderRoutines | undefined {
  return providers.of(machine).routines;
}

/** Whether the system has booted: processes have been made that are not the kernel's own. */
function hasBooted(machine: Machine): boolean {
  const made = machine.memory.u32(KSYSTEM.Address + KSYSTEM.ProcessSequence);
  return made > 1 + processManager(machine).minimalProcesses;
}

function areRanges(ranges: readonly PsPicoProtectedRange[]): boolean {
  return ranges.every(
    ({ Start, End }) => Number.isSafeInteger(Start) && Number.isSafeInteger(End) && Start <= End,
  );
}

const ROUTINES = [
  'DispatchSystemCall',
  'ExitThread',
  'ExitProcess',
  'DispatchException',
  'TerminateProcess',
  'WalkUserStack',
] as const;

function isComplete(routines: PsPicoProviderRoutines): boolean {
  if (typeof routines.Name !== 'string' || routines.Name === '') return false;
  if (!ROUTINES.every((name) => typeof routines[name] === 'function')) return false;
  const type = routines.SubsystemInformationType ?? WSL;
  return type === WSL && areRanges(routines.ProtectedRanges ?? []);
}

const WSL = SUBSYSTEM_INFORMATION_TYPE.SubsystemInformationTypeWSL;

/**
 * Makes a driver the provider of pico processes, for as long as the machine lives: there is no way back,
 * so the driver must not be unloaded. On Windows only core-extension drivers may, and before boot ends:
 * here until the first process is made that is not minimal.
 *
 * @returns SUCCESS with the kernel's routines; TOO_LATE: there is a provider, or the system has booted;
 *   INVALID_PARAMETER: a routine is missing, or a range or the subsystem's type is none; NOT_IMPLEMENTED:
 *   there are protected ranges.
 * @irql PASSIVE_LEVEL
 * @nt PsRegisterPicoProvider (partial: processes and threads by pointer in place of handles, no Size fields, no protected ranges)
 */
export function PsRegisterPicoProvider(
  providerRoutines: PsPicoProviderRoutines,
): NtCall<PicoRegistration> {
  const name = 'PsRegisterPicoProvider';
  return new NtCall(name, () => register(name, providerRoutines));
}

function* register(name: string, routines: PsPicoProviderRoutines): KernelCode<PicoRegistration> {
  const { machine } = currentGuest(name);
  requireIrql(name, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  yield ddiTime(machine);
  const state = providers.of(machine);
  if (state.routines !== undefined || hasBooted(machine))
    return { status: STATUS.TOO_LATE, picoRoutines: null };
  if (!isComplete(routines)) return { status: STATUS.INVALID_PARAMETER, picoRoutines: null };
  if ((routines.ProtectedRanges ?? []).length > 0)
    return { status: STATUS.NOT_IMPLEMENTED, picoRoutines: null };
  state.routines = routines;
  const services = new PicoServices(machine, routines);
  processManager(machine).pico = services;
  return { status: STATUS.SUCCESS, picoRoutines: PICO_ROUTINES };
}

const RTL_WALK_USER_MODE_STACK = 1;

/**
 * Return addresses of the calling thread's user-mode stack, as its provider finds them, the last call
 * first; none for threads of other processes.
 *
 * @irql below DISPATCH_LEVEL
 * @nt RtlWalkFrameChain (partial: RTL_WALK_USER_MODE_STACK in threads of pico processes)
 */
export function RtlWalkFrameChain(count: number, flags: number): readonly number[] {
  const name = 'RtlWalkFrameChain';
  requireIrql(name, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  const { machine, thread } = currentGuest(name);
  const provider = picoProvider(machine);
  const pico = thread.process.systemServices !== undefined;
  if (provider === undefined || !pico || (flags & RTL_WALK_USER_MODE_STACK) === 0) return [];
  return provider.WalkUserStack(thread, count).slice(0, count);
}

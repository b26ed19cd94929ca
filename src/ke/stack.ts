import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { KTHREAD } from '../../assembly/shared/layout';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, THREAD_FLAG } from '../../assembly/shared/types';
import type { GuestResult } from '../machine/dpc';
import {
  currentGuest,
  invoke,
  NtCall,
  NtStatusError,
  nameOfRoutine,
  type Request,
  run,
} from '../machine/guest';
import { requireStackBytes } from '../machine/kernel-stack';
import type { Machine } from '../machine/machine';
import { requireIrql, VIOLATION } from './call';

/**
 * The kernel stack, for host threads, DPCs and interrupt routines. A routine of the kernel, and one that
 * a driver gave to it, takes `routineStackBytes` of the profile until it returns; what a driver's code
 * takes beyond that it declares here. More than the stack holds is bugcheck UNEXPECTED_KERNEL_MODE_TRAP,
 * whose cause is the chain of calls.
 */

/**
 * The running routine takes `bytes` more of the stack until it returns: its local variables. For the
 * first line of a callback, a work item or a thread; what each level of a recursion takes is declared by
 * `withStack`.
 */
export function declareStack(bytes: number): void {
  currentGuest('declareStack').stack.declare(requireStackBytes('declareStack: bytes', bytes));
}

/**
 * Calls a routine of the driver's own that takes `bytes` of the stack until it returns, by its name in
 * the chain of calls: `yield* withStack(600, parsePath, depth + 1)`. It may be a generator function.
 */
export function withStack<A extends readonly unknown[], T>(
  bytes: number,
  routine: (...args: A) => GuestResult<T>,
  ...args: A
): NtCall<T> {
  requireStackBytes('withStack: bytes', bytes);
  return new NtCall(nameOfRoutine(routine), () => run(routine, args), bytes);
}

/** @returns bytes that are left of the stack in use. @irql any @nt IoGetRemainingStackSize */
export function IoGetRemainingStackSize(): number {
  return currentGuest('IoGetRemainingStackSize').stack.remaining;
}

/** @returns the lowest address of the stack in use, and the one behind its highest. @irql any @nt IoGetStackLimits */
export function IoGetStackLimits(): { readonly lowLimit: number; readonly highLimit: number } {
  const { low, high } = currentGuest('IoGetStackLimits').stack.limits;
  return { lowLimit: low, highLimit: high };
}

/**
 * @returns TRUE if `regionSize` bytes from `regionStart` lie in one segment of the thread's stack: the
 *   first, or one that it was expanded with. In a DPC that is the DPC's stack alone.
 * @irql at most APC_LEVEL   @nt IoWithinStackLimits
 */
export function IoWithinStackLimits(regionStart: number, regionSize: number): boolean {
  requireIrql('IoWithinStackLimits', VIOLATION.IrqlKeApcLte2, IRQL.APC_LEVEL);
  return currentGuest('IoWithinStackLimits').stack.contains(regionStart, regionSize);
}

/**
 * Keeps the stack of the thread in memory (FALSE) or lets it be swapped out in waits in user mode. A
 * thread that ends with FALSE is bugcheck KERNEL_STACK_LOCKED_AT_EXIT.
 *
 * @returns what it was: TRUE at first.
 * @irql at most APC_LEVEL   @nt KeSetKernelStackSwapEnable
 */
export function KeSetKernelStackSwapEnable(enable: boolean): boolean {
  const routine = 'KeSetKernelStackSwapEnable';
  requireIrql(routine, VIOLATION.IrqlKeApcLte2, IRQL.APC_LEVEL);
  const { machine, thread } = currentGuest(routine);
  const field = thread.address + KTHREAD.Flags;
  const flags = machine.memory.u32(field);
  const rest = flags & ~THREAD_FLAG.StackResident;
  machine.memory.setU32(field, enable ? rest : rest | THREAD_FLAG.StackResident);
  return (flags & THREAD_FLAG.StackResident) === 0;
}

/** PEXPAND_STACK_CALLOUT. */
export type ExpandStackCallout = (parameter: unknown) => GuestResult;

/** What a new segment does not give to its callout: half a page. */
const SEGMENT_RESERVE = 0x800;

/** Parameter 1 of IRQL_UNEXPECTED_VALUE, its lowest byte. */
const EXPAND_STACK_CALLOUT = 2;

function checkCalloutLevel(machine: Machine, before: IRQL, callout: ExpandStackCallout): void {
  const after = machine.irql();
  if (after === before) return;
  const which = (after << 16) | (before << 8) | EXPAND_STACK_CALLOUT;
  machine.bugCheck(BUGCHECK.IRQL_UNEXPECTED_VALUE, which);
  throw new Error(
    `${nameOfRoutine(callout)} was called at IRQL ${before} and returned at ${after}`,
  );
}

function* callOut(
  routine: string,
  callout: ExpandStackCallout,
  parameter: unknown,
): Generator<Request, void, number> {
  const { machine, stack } = currentGuest(routine);
  const level = machine.irql();
  stack.callouts++;
  try {
    yield* invoke(stack.driver, callout, parameter);
  } catch (error) {
    const status = error instanceof NtStatusError ? error.status : STATUS.UNSUCCESSFUL;
    machine.bugCheck(BUGCHECK.KMODE_EXCEPTION_NOT_HANDLED, status);
    throw error;
  }
  stack.callouts--;
  checkCalloutLevel(machine, level, callout);
}

function* expand(
  routine: string,
  callout: ExpandStackCallout,
  parameter: unknown,
  size: number,
): Generator<Request, number, number> {
  const { machine, stack } = currentGuest(routine);
  if (stack.remaining >= size) {
    yield* callOut(routine, callout, parameter);
    return STATUS.SUCCESS;
  }
  if (stack.expansions >= machine.profile.kernelStackExpansions) return STATUS.STACK_OVERFLOW;
  stack.expand(machine.profile.largeKernelStackBytes);
  yield* callOut(routine, callout, parameter);
  stack.contract();
  return STATUS.SUCCESS;
}

function refuseSize(machine: Machine, size: number): boolean {
  return size > machine.profile.largeKernelStackBytes - SEGMENT_RESERVE;
}

/**
 * Calls `callout` with at least `size` bytes of stack: on the stack in use if it has them, else on a new
 * segment. What the callout throws is bugcheck KMODE_EXCEPTION_NOT_HANDLED, to end the thread in it
 * KERNEL_STACK_LOCKED_AT_EXIT, to return at another level IRQL_UNEXPECTED_VALUE.
 *
 * @returns SUCCESS if it was called; INVALID_PARAMETER_3 for more than MAXIMUM_EXPANSION_SIZE, a large
 *   stack without half a page; STACK_OVERFLOW if the stack has been expanded too often.
 * @irql at most APC_LEVEL   @nt KeExpandKernelStackAndCallout
 */
export function KeExpandKernelStackAndCallout(
  callout: ExpandStackCallout,
  parameter: unknown,
  size: number,
): NtCall<number> {
  const routine = 'KeExpandKernelStackAndCallout';
  return new NtCall(routine, () => expandKernelStackAndCallout(routine, callout, parameter, size));
}

function* expandKernelStackAndCallout(
  routine: string,
  callout: ExpandStackCallout,
  parameter: unknown,
  size: number,
): Generator<Request, number, number> {
  requireIrql(routine, VIOLATION.IrqlKeApcLte2, IRQL.APC_LEVEL);
  if (refuseSize(currentGuest(routine).machine, size)) return STATUS.INVALID_PARAMETER_3;
  return yield* expand(routine, callout, parameter, size);
}

/**
 * The same, at DISPATCH_LEVEL too if `wait` is FALSE: no memory is waited for then, of which there is
 * always enough here.
 *
 * @returns also INVALID_PARAMETER_4 for `wait` TRUE at DISPATCH_LEVEL.
 * @irql at most DISPATCH_LEVEL   @nt KeExpandKernelStackAndCalloutEx
 */
export function KeExpandKernelStackAndCalloutEx(
  callout: ExpandStackCallout,
  parameter: unknown,
  size: number,
  wait: boolean,
  _context: null,
): NtCall<number> {
  const routine = 'KeExpandKernelStackAndCalloutEx';
  return new NtCall(routine, () =>
    expandKernelStackAndCalloutEx(routine, callout, parameter, size, wait),
  );
}

function* expandKernelStackAndCalloutEx(
  routine: string,
  callout: ExpandStackCallout,
  parameter: unknown,
  size: number,
  wait: boolean,
): Generator<Request, number, number> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const { machine } = currentGuest(routine);
  if (refuseSize(machine, size)) return STATUS.INVALID_PARAMETER_3;
  if (wait && machine.irql() >= IRQL.DISPATCH_LEVEL) return STATUS.INVALID_PARAMETER_4;
  return yield* expand(routine, callout, parameter, size);
}

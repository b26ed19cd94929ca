import { APC_REGION, OP } from '../../assembly/shared/opcode';
import { IRQL } from '../../assembly/shared/types';
import { currentGuest, type NtCall } from '../machine/guest';
import { encode } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import { call, reportViolation, requireIrql, VIOLATION } from './call';

/** The interrupt request level, and the regions that keep APCs away, for host threads. */

/** @returns the level of the guest's processor. @irql any @nt KeGetCurrentIrql */
export function KeGetCurrentIrql(): IRQL {
  return currentGuest('KeGetCurrentIrql').machine.irql();
}

/**
 * Raises the level, to 15 at most. At DISPATCH_LEVEL and above nothing else is dispatched to this processor,
 * and interrupts of at most the level stay pending.
 *
 * @returns the level before. A new one below it, or above HIGH_LEVEL, is violation 0x30; unchecked it
 *   is bugcheck IRQL_NOT_GREATER_OR_EQUAL.
 * @irql any   @nt KeRaiseIrql
 */
export function KeRaiseIrql(newIrql: number): IRQL {
  const { machine } = currentGuest('KeRaiseIrql');
  requireInteger('KeRaiseIrql: newIrql', newIrql, 0, 0xff);
  const level = machine.irql();
  if (newIrql < level || newIrql > IRQL.HIGH_LEVEL) {
    const message = `the level is ${level}; ${newIrql} is below it or above HIGH_LEVEL (15)`;
    reportViolation('KeRaiseIrql', message, VIOLATION.RaiseIrql, level, newIrql);
  }
  return machine.core.hostRaiseIrql(newIrql);
}

/** @returns the level before. @irql at most DISPATCH_LEVEL @nt KeRaiseIrqlToDpcLevel */
export function KeRaiseIrqlToDpcLevel(): IRQL {
  const routine = 'KeRaiseIrqlToDpcLevel';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  return currentGuest(routine).machine.core.hostRaiseIrql(IRQL.DISPATCH_LEVEL);
}

/** To IPI_LEVEL - 2 (12), as on x64 with several processors. @returns the level before. @irql at most SYNCH_LEVEL @nt KeRaiseIrqlToSynchLevel */
export function KeRaiseIrqlToSynchLevel(): IRQL {
  return currentGuest('KeRaiseIrqlToSynchLevel').machine.core.hostRaiseIrql(IRQL.SYNCH_LEVEL);
}

/**
 * Lowers the level to what it was before the last raise. What was held off comes first: interrupts,
 * then whoever stands by for the processor.
 *
 * A level above the current one, or below DISPATCH_LEVEL in a DPC or service routine, is violation
 * 0x31; unchecked it is bugcheck IRQL_NOT_LESS_OR_EQUAL or IRQL_NOT_DISPATCH_LEVEL.
 *
 * @irql any   @nt KeLowerIrql
 */
export function KeLowerIrql(newIrql: number): NtCall<number> {
  requireInteger('KeLowerIrql: newIrql', newIrql, 0, IRQL.HIGH_LEVEL);
  return call('KeLowerIrql', [encode(OP.LowerIrql, 0, newIrql)], () => checkLower(newIrql));
}

/** Parameter 4 of violation 0x31: the level is a bad one, or one that no DPC may go to. */
const BAD_LEVEL = 0;
const INVALID_IN_DPC = 1;

function checkLower(newIrql: number): void {
  const { machine } = currentGuest('KeLowerIrql');
  const level = machine.irql();
  const inDpc = newIrql < IRQL.DISPATCH_LEVEL && machine.inInterrupt;
  if (newIrql <= level && !inDpc) return;
  const why = inDpc ? 'a DPC or service routine stays at DISPATCH_LEVEL' : 'that is higher';
  const message = `the level is ${level} and was to be ${newIrql}; ${why}`;
  const kind = inDpc ? INVALID_IN_DPC : BAD_LEVEL;
  reportViolation('KeLowerIrql', message, VIOLATION.LowerIrql, level, newIrql, kind);
}

function enterRegion(routine: string, region: APC_REGION): void {
  requireIrql(routine, VIOLATION.IrqlKeApcLte2, IRQL.APC_LEVEL);
  const { machine, thread } = currentGuest(routine);
  machine.core.hostApcRegion(thread.address, region, -1);
}

function leaveRegion(routine: string, region: APC_REGION): NtCall<number> {
  return call(routine, [encode(OP.ApcRegion, 0, region), 1], () =>
    requireIrql(routine, VIOLATION.IrqlKeApcLte2, IRQL.APC_LEVEL),
  );
}

/** Disables normal kernel APCs of the thread until the region is left; nests. @irql at most APC_LEVEL @nt KeEnterCriticalRegion */
export function KeEnterCriticalRegion(): void {
  enterRegion('KeEnterCriticalRegion', APC_REGION.Critical);
}

/** @irql at most APC_LEVEL @nt KeLeaveCriticalRegion */
export function KeLeaveCriticalRegion(): NtCall<number> {
  return leaveRegion('KeLeaveCriticalRegion', APC_REGION.Critical);
}

/** The same, for file systems. @irql at most APC_LEVEL @nt FsRtlEnterFileSystem */
export function FsRtlEnterFileSystem(): void {
  enterRegion('FsRtlEnterFileSystem', APC_REGION.Critical);
}

/** @irql at most APC_LEVEL @nt FsRtlExitFileSystem */
export function FsRtlExitFileSystem(): NtCall<number> {
  return leaveRegion('FsRtlExitFileSystem', APC_REGION.Critical);
}

/** Disables all APCs of the thread until the region is left; nests. @irql at most APC_LEVEL @nt KeEnterGuardedRegion */
export function KeEnterGuardedRegion(): void {
  enterRegion('KeEnterGuardedRegion', APC_REGION.Guarded);
}

/** @irql at most APC_LEVEL @nt KeLeaveGuardedRegion */
export function KeLeaveGuardedRegion(): NtCall<number> {
  return leaveRegion('KeLeaveGuardedRegion', APC_REGION.Guarded);
}

/** @returns TRUE in a critical or guarded region, whatever the level. @irql at most DISPATCH_LEVEL @nt KeAreApcsDisabled */
export function KeAreApcsDisabled(): boolean {
  const { thread } = currentGuest('KeAreApcsDisabled');
  return thread.kernelApcDisable !== 0 || thread.specialApcDisable !== 0;
}

/** @returns TRUE in a guarded region, and at APC_LEVEL or above. @irql at most DISPATCH_LEVEL @nt KeAreAllApcsDisabled */
export function KeAreAllApcsDisabled(): boolean {
  const { machine, thread } = currentGuest('KeAreAllApcsDisabled');
  return thread.specialApcDisable !== 0 || machine.irql() >= IRQL.APC_LEVEL;
}

import { STATUS } from '../../assembly/shared/status';
import { IRQL, KE_PROCESSOR_CHANGE_NOTIFY_STATE } from '../../assembly/shared/types';
import type { GuestResult } from '../machine/dpc';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { requireIrql, VIOLATION } from './call';
import { ddiTime, type KernelCode, systemService } from './mode';

/** Processors, groups and nodes, for host threads. Every processor is active from boot; none is added. */

/** PROCESSOR_NUMBER: a processor by its group and its number in that. */
export interface ProcessorNumber {
  readonly Group: number;
  readonly Number: number;
}

/** Stands for every group. */
export const ALL_PROCESSOR_GROUPS = 0xffff;

/** What KeGetProcessorIndexFromNumber returns for a processor that there is not. */
export const INVALID_PROCESSOR_INDEX = 0xffffffff;

const guestMachine = (routine: string): Machine => currentGuest(routine).machine;

function countOf(mask: bigint): number {
  return mask.toString(2).replaceAll('0', '').length;
}

function processorCount(machine: Machine, group: number): number {
  if (group === ALL_PROCESSOR_GROUPS) return machine.processorCount;
  return countOf(machine.groupAffinity(group));
}

/** @returns the processors of group 0, and how many they are. @irql any @nt KeQueryActiveProcessorCount */
export function KeQueryActiveProcessorCount(): {
  readonly count: number;
  readonly activeProcessors: bigint;
} {
  const activeProcessors = guestMachine('KeQueryActiveProcessorCount').groupAffinity(0);
  return { count: countOf(activeProcessors), activeProcessors };
}

/** @returns the processors of a group, or of all; 0 for a group that there is not. @irql any @nt KeQueryActiveProcessorCountEx */
export function KeQueryActiveProcessorCountEx(groupNumber: number): number {
  return processorCount(guestMachine('KeQueryActiveProcessorCountEx'), groupNumber);
}

/** The same: none is added. @irql any @nt KeQueryMaximumProcessorCountEx */
export function KeQueryMaximumProcessorCountEx(groupNumber: number): number {
  return processorCount(guestMachine('KeQueryMaximumProcessorCountEx'), groupNumber);
}

/** @irql any @nt KeQueryActiveGroupCount */
export function KeQueryActiveGroupCount(): number {
  return guestMachine('KeQueryActiveGroupCount').groupCount;
}

/** The same: none is added. @irql any @nt KeQueryMaximumGroupCount */
export function KeQueryMaximumGroupCount(): number {
  return guestMachine('KeQueryMaximumGroupCount').groupCount;
}

/** @returns the active processors of a group; 0 for one that there is not. @irql any @nt KeQueryGroupAffinity */
export function KeQueryGroupAffinity(groupNumber: number): bigint {
  return guestMachine('KeQueryGroupAffinity').groupAffinity(groupNumber);
}

/** @returns the active processors of group 0. @irql any @nt KeQueryActiveProcessors */
export function KeQueryActiveProcessors(): bigint {
  return guestMachine('KeQueryActiveProcessors').groupAffinity(0);
}

function currentProcessor(routine: string): { machine: Machine; index: number } {
  const machine = guestMachine(routine);
  return { machine, index: machine.currentProcessor };
}

function numberOf(machine: Machine, index: number): ProcessorNumber | undefined {
  const place = machine.processorPlace(index);
  return place && { Group: place.group, Number: place.groupIndex };
}

/** @returns the number of the guest's processor in its group; stable at DISPATCH_LEVEL only. @irql any @nt KeGetCurrentProcessorNumber */
export function KeGetCurrentProcessorNumber(): number {
  const { machine, index } = currentProcessor('KeGetCurrentProcessorNumber');
  return numberOf(machine, index)?.Number ?? 0;
}

/** @returns the guest's processor: its index in the system, and its group and number there. @irql any @nt KeGetCurrentProcessorNumberEx */
export function KeGetCurrentProcessorNumberEx(): {
  readonly index: number;
  readonly procNumber: ProcessorNumber;
} {
  const { machine, index } = currentProcessor('KeGetCurrentProcessorNumberEx');
  return { index, procNumber: numberOf(machine, index) ?? { Group: 0, Number: 0 } };
}

const currentProcessorNumber = systemService(
  'GetCurrentProcessorNumber',
  function* (): KernelCode<number> {
    yield ddiTime(guestMachine('NtGetCurrentProcessorNumber'));
    return currentProcessor('NtGetCurrentProcessorNumber').index;
  },
);

/** @returns the index of the caller's processor in the system, when it was asked. @irql PASSIVE_LEVEL @nt NtGetCurrentProcessorNumber */
export const NtGetCurrentProcessorNumber = currentProcessorNumber.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwGetCurrentProcessorNumber */
export const ZwGetCurrentProcessorNumber = currentProcessorNumber.zw;

const currentProcessorNumberEx = systemService(
  'GetCurrentProcessorNumberEx',
  function* (
    _mode,
    processorNumber?: { readonly address: number },
  ): KernelCode<{ readonly status: number; readonly value: ProcessorNumber | undefined }> {
    if (processorNumber !== undefined) return { status: STATUS.ACCESS_VIOLATION, value: undefined };
    yield ddiTime(guestMachine('NtGetCurrentProcessorNumberEx'));
    const { machine, index } = currentProcessor('NtGetCurrentProcessorNumberEx');
    return { status: STATUS.SUCCESS, value: numberOf(machine, index) };
  },
);

/** The same as group and number there. A pointer to where nothing is mapped is STATUS_ACCESS_VIOLATION. @irql PASSIVE_LEVEL @nt NtGetCurrentProcessorNumberEx */
export const NtGetCurrentProcessorNumberEx = currentProcessorNumberEx.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwGetCurrentProcessorNumberEx */
export const ZwGetCurrentProcessorNumberEx = currentProcessorNumberEx.zw;

/** @returns INVALID_PROCESSOR_INDEX for a processor that there is not. @irql any @nt KeGetProcessorIndexFromNumber */
export function KeGetProcessorIndexFromNumber(procNumber: ProcessorNumber): number {
  const machine = guestMachine('KeGetProcessorIndexFromNumber');
  const index = machine.processorIndex(procNumber.Group, procNumber.Number);
  return index ?? INVALID_PROCESSOR_INDEX;
}

/** @returns SUCCESS and group and number; INVALID_PARAMETER for an index that no processor has. @irql any @nt KeGetProcessorNumberFromIndex */
export function KeGetProcessorNumberFromIndex(procIndex: number): {
  readonly status: number;
  readonly value: ProcessorNumber | undefined;
} {
  const value = numberOf(guestMachine('KeGetProcessorNumberFromIndex'), procIndex);
  const status = value === undefined ? STATUS.INVALID_PARAMETER : STATUS.SUCCESS;
  return { status, value };
}

/** @returns the NUMA node of the guest's processor. @irql any @nt KeGetCurrentNodeNumber */
export function KeGetCurrentNodeNumber(): number {
  const { machine, index } = currentProcessor('KeGetCurrentNodeNumber');
  return machine.processorPlace(index)?.node ?? 0;
}

/** @irql any @nt KeQueryHighestNodeNumber */
export function KeQueryHighestNodeNumber(): number {
  return guestMachine('KeQueryHighestNodeNumber').nodeCount - 1;
}

/** Flag of KeRegisterProcessorChangeCallback. */
export const KE_PROCESSOR_CHANGE_ADD_EXISTING = 1;

/** KE_PROCESSOR_CHANGE_NOTIFY_CONTEXT. */
export interface ProcessorChangeNotifyContext {
  readonly State: KE_PROCESSOR_CHANGE_NOTIFY_STATE;
  /** Index of the processor in the system. */
  readonly NtNumber: number;
  /** Of an addition that failed, why. */
  readonly Status: number;
  readonly ProcNumber: ProcessorNumber;
}

/** PROCESSOR_CALLBACK_FUNCTION: called at PASSIVE_LEVEL; an error put into `operationStatus` at the start is a veto. */
export type ProcessorCallbackFunction = (
  callbackContext: unknown,
  changeContext: ProcessorChangeNotifyContext,
  operationStatus: { value: number },
) => GuestResult;

/** What KeRegisterProcessorChangeCallback returns. */
export class ProcessorCallbackRegistration {
  /** Until it is given to KeDeregisterProcessorChangeCallback. */
  registered = true;
}

function* notify(
  callback: ProcessorCallbackFunction,
  callbackContext: unknown,
  State: KE_PROCESSOR_CHANGE_NOTIFY_STATE,
  machine: Machine,
  index: number,
  Status: number,
): Generator<Request, number, number> {
  const ProcNumber = numberOf(machine, index) ?? { Group: 0, Number: 0 };
  const operationStatus = { value: Status };
  const change = { State, NtNumber: index, Status, ProcNumber };
  const result = callback(callbackContext, change, operationStatus);
  if (result !== undefined) yield* result;
  return operationStatus.value >>> 0;
}

/**
 * Registers a callback for processors that are added, of which there are none here, and with
 * KE_PROCESSOR_CHANGE_ADD_EXISTING calls it for those that there are: for each that it starts, then
 * for each that it is complete; after a veto instead for each before that one that it has failed.
 *
 * @returns a registration to give to KeDeregisterProcessorChangeCallback; null after a veto.
 * @irql PASSIVE_LEVEL   @nt KeRegisterProcessorChangeCallback (partial: no processor is ever added)
 */
export function KeRegisterProcessorChangeCallback(
  callback: ProcessorCallbackFunction,
  callbackContext: unknown,
  flags: number,
): NtCall<ProcessorCallbackRegistration | null> {
  const routine = 'KeRegisterProcessorChangeCallback';
  return new NtCall(routine, () =>
    registerProcessorChangeCallback(routine, callback, callbackContext, flags),
  );
}

function* registerProcessorChangeCallback(
  routine: string,
  callback: ProcessorCallbackFunction,
  callbackContext: unknown,
  flags: number,
): Generator<Request, ProcessorCallbackRegistration | null, number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const machine = guestMachine(routine);
  if ((flags & KE_PROCESSOR_CHANGE_ADD_EXISTING) === 0) return new ProcessorCallbackRegistration();
  let started = 0;
  let status: number = STATUS.SUCCESS;
  for (; started < machine.processorCount; started++) {
    const state = KE_PROCESSOR_CHANGE_NOTIFY_STATE.KeProcessorAddStartNotify;
    status = yield* notify(callback, callbackContext, state, machine, started, STATUS.SUCCESS);
    if (status >= 0xc0000000) break;
  }
  const failed = started < machine.processorCount;
  const state = failed
    ? KE_PROCESSOR_CHANGE_NOTIFY_STATE.KeProcessorAddFailureNotify
    : KE_PROCESSOR_CHANGE_NOTIFY_STATE.KeProcessorAddCompleteNotify;
  for (let index = 0; index < started; index++) {
    yield* notify(callback, callbackContext, state, machine, index, failed ? status : 0);
  }
  return failed ? null : new ProcessorCallbackRegistration();
}

/** Ends a registration; one that has ended already is ended still. @irql PASSIVE_LEVEL @nt KeDeregisterProcessorChangeCallback */
export function KeDeregisterProcessorChangeCallback(
  registration: ProcessorCallbackRegistration,
): void {
  requireIrql('KeDeregisterProcessorChangeCallback', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  registration.registered = false;
}

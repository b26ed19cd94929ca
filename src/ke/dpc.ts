import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KDPC_IMPORTANCE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  type DeferredRoutine,
  dpcTicks,
  isExecutingDpc,
  isProcessorWanted,
  type KDpc,
  pendingDpcs,
} from '../machine/dpc';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import { HOST_ROUTINE, requireIrql, stopGuest, VIOLATION, wordsOf } from './call';
import { KeSetEvent, KeWaitForSingleObject } from './ddi';
import type { ProcessorNumber } from './topology';

/** Deferred procedure calls, for guests of the host. */

/**
 * A DPC of medium importance, for the processor that queues it. The routine runs at DISPATCH_LEVEL
 * with the DPC, this context and the two arguments it was queued with; it may be a generator. Null
 * is not looked at before the DPC is queued.
 *
 * @irql any   @nt KeInitializeDpc
 */
export function KeInitializeDpc(
  deferredRoutine: DeferredRoutine | null,
  deferredContext: unknown,
): KDpc {
  return currentGuest('KeInitializeDpc').machine.createDpc(deferredRoutine, deferredContext);
}

/**
 * The same, for a thread of priority 31 that each processor has for that: the routine runs at
 * PASSIVE_LEVEL and gives way to ordinary DPCs, but must not wait. If the machine's profile says
 * `threadDpcEnable: false` it runs as an ordinary one. Importance only says at which end it is queued.
 *
 * @irql any   @nt KeInitializeThreadedDpc
 */
export function KeInitializeThreadedDpc(
  deferredRoutine: DeferredRoutine | null,
  deferredContext: unknown,
): KDpc {
  const { machine } = currentGuest('KeInitializeThreadedDpc');
  return machine.createThreadedDpc(deferredRoutine, deferredContext);
}

/**
 * Queues a DPC. One for this processor, unless it is of low importance, has run when this returns
 * below DISPATCH_LEVEL; others begin when an interrupt or the clock sees to their processor's queue.
 * One that has been deleted, or has no routine, is bugcheck TIMER_OR_DPC_INVALID.
 *
 * @returns FALSE if it is queued already: its arguments stay what they were.
 * @irql any   @nt KeInsertQueueDpc
 */
export function KeInsertQueueDpc(
  dpc: KDpc,
  systemArgument1: unknown,
  systemArgument2: unknown,
): NtCall<boolean> {
  return new NtCall('KeInsertQueueDpc', () =>
    insertQueueDpc(dpc, systemArgument1, systemArgument2),
  );
}

function* insertQueueDpc(
  dpc: KDpc,
  systemArgument1: unknown,
  systemArgument2: unknown,
): Generator<Request, boolean, number> {
  const object = wordsOf('KeInsertQueueDpc', dpc);
  const first = dpc.argumentWords(systemArgument1);
  const second = dpc.argumentWords(systemArgument2);
  const status = yield [encode(OP.InsertQueueDpc), ...object, ...first, ...second];
  if (status === 1) return true;
  dpc.dropArguments(first, second);
  if (status === 0) return false;
  const message = 'this KDpc has been deleted';
  return stopGuest('KeInsertQueueDpc', message, BUGCHECK.TIMER_OR_DPC_INVALID, 1, dpc.handle);
}

/**
 * Takes a DPC out of its queue.
 *
 * @returns TRUE if it was in one: it does not run then.
 * @irql any   @nt KeRemoveQueueDpc
 */
export function KeRemoveQueueDpc(dpc: KDpc): boolean {
  return dpc.remove();
}

/** Before it is queued. @irql any @nt KeSetImportanceDpc */
export function KeSetImportanceDpc(dpc: KDpc, importance: KDPC_IMPORTANCE): void {
  dpc.importance = importance;
}

/** Of group 0; one that there is not changes nothing, nor does a DPC that is queued. @irql any @nt KeSetTargetProcessorDpc */
export function KeSetTargetProcessorDpc(dpc: KDpc, number: number): void {
  const { machine } = currentGuest('KeSetTargetProcessorDpc');
  const processors = Math.min(machine.processorCount, 64);
  if (Number.isInteger(number) && number >= 0 && number < processors) dpc.targetProcessor = number;
}
/**
 * The same for any group.
 *
 * @returns SUCCESS; INVALID_PARAMETER for a processor that there is not: nothing changes.
 * @irql any   @nt KeSetTargetProcessorDpcEx
 */
export function KeSetTargetProcessorDpcEx(dpc: KDpc, procNumber: ProcessorNumber): number {
  const { machine } = currentGuest('KeSetTargetProcessorDpcEx');
  const processor = machine.processorIndex(procNumber.Group, procNumber.Number);
  if (processor === undefined) return STATUS.INVALID_PARAMETER;
  dpc.targetProcessor = processor;
  return STATUS.SUCCESS;
}

/**
 * Waits until the DPCs that are queued or running on any processor have run, threaded ones too.
 *
 * @irql PASSIVE_LEVEL   @nt KeFlushQueuedDpcs
 */
export function KeFlushQueuedDpcs(): NtCall<void> {
  const routine = 'KeFlushQueuedDpcs';
  return new NtCall(routine, () => flushQueuedDpcs(routine));
}

function* flushQueuedDpcs(routine: string): Generator<Request, void, number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  const markers: KDpc[] = [];
  const flushed = machine.createEvent('notification');
  let left = 0;
  const marker = function* (): Generator<Request, void, number> {
    left--;
    if (left === 0) yield* KeSetEvent(flushed, 0, false);
  };
  for (let processor = 0; processor < machine.processorCount; processor++) {
    const { ordinary, threaded } = pendingDpcs(machine, processor);
    const own = [
      ...(ordinary ? [machine.createDpc(marker)] : []),
      ...(threaded ? [machine.createThreadedDpc(marker)] : []),
    ];
    for (const dpc of own) {
      dpc.targetProcessor = processor;
      dpc.importance = KDPC_IMPORTANCE.MediumHighImportance;
    }
    markers.push(...own);
  }
  left = markers.length;
  for (const dpc of markers) yield* KeInsertQueueDpc(dpc, 0, 0);
  if (markers.length === 0) yield HOST_ROUTINE;
  else yield* KeWaitForSingleObject(flushed, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
  for (const object of [...markers, flushed]) object.delete();
}

/** @returns TRUE in the routine of a DPC, threaded or not, and in what has interrupted it. @irql DISPATCH_LEVEL @nt KeIsExecutingDpc */
export function KeIsExecutingDpc(): boolean {
  return isExecutingDpc(currentGuest('KeIsExecutingDpc').machine);
}

/** KDPC_WATCHDOG_INFORMATION, in clock ticks: what a DPC and all of DISPATCH_LEVEL may last (0: any time), and what is left of it. */
export interface DpcWatchdogInformation {
  readonly DpcTimeLimit: number;
  readonly DpcTimeCount: number;
  readonly DpcWatchdogLimit: number;
  readonly DpcWatchdogCount: number;
}

/**
 * How long the DPC at hand may go on.
 *
 * @returns SUCCESS; UNSUCCESSFUL and null if the processor runs no DPC.
 * @irql at least DISPATCH_LEVEL   @nt KeQueryDpcWatchdogInformation
 */
export function KeQueryDpcWatchdogInformation(): {
  readonly status: number;
  readonly value: DpcWatchdogInformation | null;
} {
  const routine = 'KeQueryDpcWatchdogInformation';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.HIGH_LEVEL, IRQL.DISPATCH_LEVEL);
  const { machine } = currentGuest(routine);
  if (!isExecutingDpc(machine)) return { status: STATUS.UNSUCCESSFUL, value: null };
  const { dpcTimeLimitTicks, dpcWatchdogTicks } = machine.profile;
  const { dpc, level } = dpcTicks(machine);
  const value = {
    DpcTimeLimit: dpcTimeLimitTicks,
    DpcTimeCount: Math.max(dpcTimeLimitTicks - dpc, 0),
    DpcWatchdogLimit: dpcWatchdogTicks,
    DpcWatchdogCount: Math.max(dpcWatchdogTicks - level, 0),
  };
  return { status: STATUS.SUCCESS, value };
}

/**
 * Whether to leave DISPATCH_LEVEL, or a DPC, for a while.
 *
 * Windows does not say when. Here it is when a thread or a DPC waits for the processor, or half of
 * what the DPC watchdog allows has passed.
 *
 * @irql DISPATCH_LEVEL   @nt KeShouldYieldProcessor
 */
export function KeShouldYieldProcessor(): boolean {
  const routine = 'KeShouldYieldProcessor';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.HIGH_LEVEL, IRQL.DISPATCH_LEVEL);
  const { machine } = currentGuest(routine);
  if (isProcessorWanted(machine)) return true;
  const { dpcTimeLimitTicks, dpcWatchdogTicks } = machine.profile;
  const { dpc, level } = dpcTicks(machine);
  const passed = (ticks: number, limit: number) => limit !== 0 && ticks * 2 >= limit;
  return (
    passed(level, dpcWatchdogTicks) || (isExecutingDpc(machine) && passed(dpc, dpcTimeLimitTicks))
  );
}

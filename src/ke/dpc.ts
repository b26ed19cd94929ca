import { OP } from '../../assembly/shared/opcode';
import type { KDPC_IMPORTANCE } from '../../assembly/shared/types';
import type { DeferredRoutine, KDpc } from '../machine/dpc';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';

/** Deferred procedure calls, for guests of the host. */

/**
 * A DPC of medium importance, for the processor that queues it. The routine runs at DISPATCH_LEVEL
 * with the DPC, this context and the two arguments it was queued with; it may be a generator.
 *
 * @irql any   @nt KeInitializeDpc
 */
export function KeInitializeDpc(deferredRoutine: DeferredRoutine, deferredContext: unknown): KDpc {
  return currentGuest('KeInitializeDpc').machine.createDpc(deferredRoutine, deferredContext);
}

/**
 * Queues a DPC. One for this processor, unless it is of low importance, has run when this returns
 * below DISPATCH_LEVEL; others begin when an interrupt or the clock sees to their processor's queue.
 *
 * @returns FALSE if it is queued already: its arguments stay what they were.
 * @irql any   @nt KeInsertQueueDpc
 */
export function KeInsertQueueDpc(
  dpc: KDpc,
  systemArgument1: unknown,
  systemArgument2: unknown,
): NtCall<boolean> {
  return new NtCall('KeInsertQueueDpc', function* (): Generator<Request, boolean, number> {
    const first = dpc.argumentWords(systemArgument1);
    const second = dpc.argumentWords(systemArgument2);
    const object = words64(dpc.handle);
    const queued = (yield [encode(OP.InsertQueueDpc), ...object, ...first, ...second]) === 1;
    if (!queued) dpc.dropArguments(first, second);
    return queued;
  });
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

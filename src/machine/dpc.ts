import { KDPC } from '../../assembly/shared/layout';
import type { KDPC_IMPORTANCE } from '../../assembly/shared/types';
import { MachineError } from './errors';
import type { Request } from './guest';
import { words64 } from './instruction';
import type { Machine } from './machine';
import { requireInteger } from './profile';
import type { LoadedProgram } from './program';
import { deleteObject, KernelObject } from './views';

/** What a guest of the host returns: nothing more to do, or a generator that asks for it. */
export type GuestResult<T = void> = T | Generator<Request, T, number>;

/** KDEFERRED_ROUTINE: runs at DISPATCH_LEVEL, in front of whatever thread is current. */
export type DeferredRoutine = (
  dpc: KDpc,
  deferredContext: unknown,
  systemArgument1: unknown,
  systemArgument2: unknown,
) => GuestResult;

/** KDPC. */
export class KDpc extends KernelObject {
  constructor(
    machine: Machine,
    handle: number,
    /** A program gets context and arguments in its first three registers; as numbers. */
    readonly deferredRoutine: DeferredRoutine | LoadedProgram,
    readonly deferredContext: unknown,
  ) {
    super(machine, handle);
  }

  get importance(): KDPC_IMPORTANCE {
    return this.word(KDPC.Importance);
  }

  /** Before it is queued. @irql any @nt KeSetImportanceDpc */
  set importance(importance: KDPC_IMPORTANCE) {
    requireInteger('importance', importance, 0, 3);
    this.machine.memory.setU32(this.address + KDPC.Importance, importance);
  }

  /** The processor it is to run on; undefined: the one that queues it. */
  get targetProcessor(): number | undefined {
    const target = this.word(KDPC.TargetProcessor);
    return target === 0 ? undefined : target - 1;
  }

  /** Before it is queued. @irql any @nt KeSetTargetProcessorDpc */
  set targetProcessor(processor: number | undefined) {
    if (processor !== undefined) {
      requireInteger('targetProcessor', processor, 0, this.machine.processorCount - 1);
    }
    const target = processor === undefined ? 0 : processor + 1;
    this.machine.memory.setU32(this.address + KDPC.TargetProcessor, target);
  }

  /** The processor in whose queue it is; undefined: it is in none. */
  get queuedOn(): number | undefined {
    const queued = this.word(KDPC.DpcData);
    return queued === 0 ? undefined : queued - 1;
  }

  /** From outside any guest; false if it is queued already. @irql any @nt KeInsertQueueDpc */
  insert(systemArgument1: unknown = 0, systemArgument2: unknown = 0): boolean {
    const first = this.argumentWords(systemArgument1);
    const second = this.argumentWords(systemArgument2);
    const queued = this.machine.core.hostInsertQueueDpc(this.address, ...first, ...second) !== 0;
    if (!queued) this.dropArguments(first, second);
    return queued;
  }

  /** From outside any guest; whether it was queued: it does not run then. @irql any @nt KeRemoveQueueDpc */
  remove(): boolean {
    const { address } = this;
    this.takeArguments(address);
    return this.machine.core.hostRemoveQueueDpc(address) !== 0;
  }

  /** Takes it out of its queue and frees it; an error while a timer that is set has it. */
  delete(): void {
    if (this.word(KDPC.Timers) !== 0) {
      throw new MachineError('delete: a timer that is set has this KDpc; cancel the timer first');
    }
    this.remove();
    deleteObject(this);
  }

  /** @internal The words that stand for an argument. */
  argumentWords(value: unknown): [number, number] {
    if (typeof this.deferredRoutine === 'function') return this.machine.values.hold(value);
    if (typeof value === 'number' || typeof value === 'bigint') return words64(value);
    throw new MachineError(
      `the DPC of program '${this.deferredRoutine.name}' was given an argument that is no number; its registers hold numbers`,
    );
  }

  /** @internal */
  dropArguments(...words: readonly [number, number][]): void {
    for (const pair of words) this.machine.values.drop(pair);
  }

  /** @internal Lets go of the arguments it is queued with, if it is. */
  takeArguments(address: number): void {
    const { memory } = this.machine;
    if (memory.u32(address + KDPC.DpcData) === 0) return;
    if (typeof this.deferredRoutine !== 'function') return;
    for (const field of [KDPC.SystemArgument1_64, KDPC.SystemArgument2_64]) {
      this.dropArguments([memory.u32(address + field), memory.u32(address + field + 4)]);
    }
  }
}

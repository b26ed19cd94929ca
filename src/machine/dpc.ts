import { KACTIVATION, KDPC, KDPC_DATA, KPRCB, KTHREAD } from '../../assembly/shared/layout';
import type { KDPC_IMPORTANCE } from '../../assembly/shared/types';
import type { DriverObject } from './driver';
import { MachineError } from './errors';
import type { Request } from './generator';
import { words64 } from './instruction';
import type { Machine } from './machine';
import { requireInteger } from './profile';
import type { LoadedProgram } from './program';
import { deleteObject, KernelObject, type KThread } from './views';

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
    readonly deferredRoutine: DeferredRoutine | LoadedProgram | null,
    readonly deferredContext: unknown,
    /** The driver whose code made it. */
    readonly driver: DriverObject | undefined,
  ) {
    super(machine, handle);
  }

  private get program(): LoadedProgram | null {
    return typeof this.deferredRoutine === 'object' ? this.deferredRoutine : null;
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

  /** @internal What its routine is called. */
  get routineName(): string {
    const name = this.deferredRoutine?.name ?? '';
    return name === '' ? 'a DPC routine without a name' : name;
  }

  /** @internal Whether it is queued, or a timer that is set has it. */
  get pending(): boolean {
    return this.queuedOn !== undefined || this.word(KDPC.Timers) !== 0;
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

  /** @internal Calls the routine; its arguments are in the registers of the row that executes it. */
  call(row: number): unknown {
    if (typeof this.deferredRoutine !== 'function')
      throw new MachineError('this KDpc has no routine of the host');
    const { memory, values } = this.machine;
    const argument = (register: number) => {
      const word = row + KTHREAD.Register64 + register * 8;
      return values.take(memory.u32(word), memory.u32(word + 4));
    };
    return this.deferredRoutine(this, this.deferredContext, argument(1), argument(2));
  }

  /** @internal The words that stand for an argument. */
  argumentWords(value: unknown): [number, number] {
    const { program } = this;
    if (program === null) return this.machine.values.hold(value);
    if (typeof value === 'number' || typeof value === 'bigint') return words64(value);
    throw new MachineError(
      `the DPC of program '${program.name}' was given an argument that is no number; its registers hold numbers`,
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
    if (this.program !== null) return;
    for (const field of [KDPC.SystemArgument1_64, KDPC.SystemArgument2_64]) {
      this.dropArguments([memory.u32(address + field), memory.u32(address + field + 4)]);
    }
  }
}

/** The threaded DPC in whose routine a thread is. */
export function threadedDpcOf(thread: KThread): KDpc | undefined {
  const { machine } = thread;
  const prcb = machine.prcb(thread.nextProcessor);
  if (machine.memory.u32(prcb + KPRCB.DpcThread) !== thread.address) return undefined;
  const dpc = machine.hostObject(machine.memory.u32(prcb + KPRCB.ThreadedDpc));
  return dpc instanceof KDpc ? dpc : undefined;
}

/** Whether the processor at work is in the routine of a DPC, or in what has interrupted it. */
export function isExecutingDpc(machine: Machine): boolean {
  const { memory } = machine;
  const prcb = machine.prcb(machine.currentProcessor);
  let activation = memory.u32(prcb + KPRCB.Activation);
  for (; activation !== 0; activation = memory.u32(activation + KACTIVATION.Previous)) {
    if (memory.u32(activation + KACTIVATION.Dpc) !== 0) return true;
  }
  if (memory.u32(prcb + KPRCB.ThreadedDpc) === 0) return false;
  return memory.u32(prcb + KPRCB.CurrentThread) === memory.u32(prcb + KPRCB.DpcThread);
}

/** Whether DPCs of a processor are queued or running: ordinary ones, and threaded ones. */
export function pendingDpcs(
  machine: Machine,
  processor: number,
): { readonly ordinary: boolean; readonly threaded: boolean } {
  const { memory } = machine;
  const prcb = machine.prcb(processor);
  const depth = (data: number) => memory.u32(prcb + data + KDPC_DATA.DpcQueueDepth);
  const running = memory.u32(prcb + KPRCB.Activation) !== 0;
  return {
    ordinary: running || depth(KPRCB.DpcData) !== 0,
    threaded: memory.u32(prcb + KPRCB.ThreadedDpc) !== 0 || depth(KPRCB.ThreadedDpcData) !== 0,
  };
}

/** Ticks that the DPC at hand has lasted, and that DISPATCH_LEVEL has, on the processor at work. */
export function dpcTicks(machine: Machine): { readonly dpc: number; readonly level: number } {
  const prcb = machine.prcb(machine.currentProcessor);
  return {
    dpc: machine.memory.u32(prcb + KPRCB.DpcTimeCount),
    level: machine.memory.u32(prcb + KPRCB.DpcWatchdogCount),
  };
}

/** Whether something waits for the processor at work to leave DISPATCH_LEVEL: a thread, or a DPC. */
export function isProcessorWanted(machine: Machine): boolean {
  const prcb = machine.prcb(machine.currentProcessor);
  const words = [
    KPRCB.NextThread,
    KPRCB.Attention,
    KPRCB.DpcData + KDPC_DATA.DpcQueueDepth,
    KPRCB.ThreadedDpcData + KDPC_DATA.DpcQueueDepth,
  ];
  return words.some((word) => machine.memory.u32(prcb + word) !== 0);
}

import { KAPC, KAPC_FLAG } from '../../assembly/shared/layout';
import { MODE } from '../../assembly/shared/types';
import { requireOwnProgram } from './body';
import type { GuestResult } from './dpc';
import { MachineError } from './errors';
import { words64 } from './instruction';
import type { Machine } from './machine';
import { requireInteger } from './profile';
import type { LoadedProgram } from './program';
import { deleteObject, KernelObject, type KThread } from './views';

/** PKNORMAL_ROUTINE: runs in its thread at PASSIVE_LEVEL, in kernel or in user mode. */
export type NormalRoutine = (
  normalContext: unknown,
  systemArgument1: unknown,
  systemArgument2: unknown,
) => GuestResult;

/** What a kernel routine is given by address, and may change: the normal routine (null: none) and what it gets. */
export interface ApcCall {
  normalRoutine: NormalRoutine | LoadedProgram | null;
  normalContext: unknown;
  systemArgument1: unknown;
  systemArgument2: unknown;
}

/** PKKERNEL_ROUTINE: runs in the APC's thread at APC_LEVEL, before the normal routine. The APC is free by then. */
export type KernelRoutine = (apc: KApc, call: ApcCall) => GuestResult;

/** PKRUNDOWN_ROUTINE: runs in place of the others when the thread ends without having run the APC. */
export type RundownRoutine = (apc: KApc) => GuestResult;

export interface ApcOptions {
  /** Kernel-mode APCs without one are special: they come in critical regions too. */
  readonly normalRoutine?: NormalRoutine | LoadedProgram;
  readonly kernelRoutine?: KernelRoutine;
  readonly rundownRoutine?: RundownRoutine;
  /** Of the normal routine. Default: kernel mode. */
  readonly mode?: MODE;
  readonly normalContext?: unknown;
  /** A user-mode APC that comes with the next return to user mode, without an alertable wait. */
  readonly specialUser?: boolean;
  /** KAPC_ENVIRONMENT: whether it waits while its thread is attached to another process (0, default) or not (1). */
  readonly environment?: number;
}

/** KAPC. */
export class KApc extends KernelObject {
  constructor(
    machine: Machine,
    handle: number,
    readonly thread: KThread,
    private readonly options: ApcOptions,
  ) {
    super(machine, handle);
  }

  /** @internal A new one; the name of the capacity that is used up if there is no room for it. */
  static create(
    machine: Machine,
    thread: KThread,
    options: ApcOptions,
  ): KApc | 'objects' | 'threadExtensions' {
    const { normalRoutine, mode = MODE.KernelMode, environment = 0 } = options;
    requireInteger('mode', mode, 0, 1);
    requireInteger('environment', environment, 0, 1);
    const host = typeof normalRoutine === 'function';
    if (normalRoutine !== undefined && !host)
      requireOwnProgram(machine, 'createApc', normalRoutine);
    const program = normalRoutine === undefined || host ? 0 : normalRoutine.address;
    const context = host ? [0, 0] : words64(Number(options.normalContext ?? 0));
    const special = options.specialUser === true ? KAPC_FLAG.SpecialUser : 0;
    const user = mode === MODE.UserMode ? KAPC_FLAG.UserMode : 0;
    const handle = machine.core.hostCreateApc(
      thread.address,
      user | special | (environment << KAPC_FLAG.EnvironmentShift),
      host ? 1 : program,
      options.kernelRoutine === undefined ? 0 : 1,
      options.rundownRoutine === undefined ? 0 : 1,
      context[0] as number,
      context[1] as number,
    );
    if (handle <= 0) return handle === 0 ? 'objects' : 'threadExtensions';
    return new KApc(machine, handle, thread, options);
  }

  get kernelRoutine(): KernelRoutine | undefined {
    return this.options.kernelRoutine;
  }

  get rundownRoutine(): RundownRoutine | undefined {
    return this.options.rundownRoutine;
  }

  get normalRoutine(): NormalRoutine | LoadedProgram | undefined {
    return this.options.normalRoutine;
  }

  get normalContext(): unknown {
    return this.options.normalContext ?? 0;
  }

  get mode(): MODE {
    return this.options.mode ?? MODE.KernelMode;
  }

  /** Whether it is in its thread's list. */
  get inserted(): boolean {
    return (this.word(KAPC.Flags) & KAPC_FLAG.Inserted) !== 0;
  }

  /** From outside any guest; false if it is queued already, or its thread has begun to end. @irql at most DISPATCH_LEVEL @nt KeInsertQueueApc */
  insert(systemArgument1: unknown = 0, systemArgument2: unknown = 0, increment = 0): boolean {
    requireInteger('increment', increment, 0, 15);
    const first = this.argumentWords(systemArgument1);
    const second = this.argumentWords(systemArgument2);
    const { core } = this.machine;
    if (core.hostInsertQueueApc(this.address, ...first, ...second, increment) !== 0) return true;
    this.dropArguments(first, second);
    return false;
  }

  /** From outside any guest; whether it was queued: it does not run then. @irql at most DISPATCH_LEVEL @nt KeRemoveQueueApc */
  remove(): boolean {
    if (this.machine.core.hostRemoveQueueApc(this.address) === 0) return false;
    this.takeArguments();
    return true;
  }

  /** Takes it out of its thread's list and frees it. */
  delete(): void {
    this.remove();
    deleteObject(this);
  }

  /** @internal The words that stand for an argument. */
  argumentWords(value: unknown): [number, number] {
    const { normalRoutine } = this;
    if (normalRoutine === undefined || typeof normalRoutine === 'function')
      return this.machine.values.hold(value);
    if (typeof value === 'number' || typeof value === 'bigint') return words64(value);
    throw new MachineError(
      `the APC of program '${normalRoutine.name}' was given an argument that is no number; its registers hold numbers`,
    );
  }

  /** @internal */
  dropArguments(...words: readonly [number, number][]): void {
    for (const pair of words) this.machine.values.drop(pair);
  }

  /** @internal The two arguments it was queued with, which are let go. */
  takeArguments(): [unknown, unknown] {
    const { memory, values } = this.machine;
    const { address } = this;
    const take = (field: number) =>
      values.decode(memory.u32(address + field), memory.u32(address + field + 4));
    return [take(KAPC.SystemArgument1_64), take(KAPC.SystemArgument2_64)];
  }
}

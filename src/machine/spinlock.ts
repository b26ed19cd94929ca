import { KINTERRUPT_OBJECT, KSPIN_LOCK } from '../../assembly/shared/layout';
import type { IRQL } from '../../assembly/shared/types';
import type { GuestResult } from './dpc';
import type { DriverObject } from './driver';
import type { Machine } from './machine';
import type { LoadedProgram } from './program';
import { deleteObject, KernelObject, type KThread } from './views';

/** KSPIN_LOCK, and EX_SPIN_LOCK. A processor holds it; what else runs there meanwhile does too. */
export class KSpinLock extends KernelObject {
  constructor(
    machine: Machine,
    handle: number,
    /** For reports. */
    readonly name: string,
  ) {
    super(machine, handle);
  }

  /** The processor that holds it alone; undefined: none does. */
  get owner(): number | undefined {
    const owner = this.word(KSPIN_LOCK.Owner);
    return owner === 0 ? undefined : owner - 1;
  }

  /** The thread that was current where it was acquired, while somebody holds it alone. */
  get ownerThread(): KThread | undefined {
    if (this.owner === undefined) return undefined;
    return this.machine.threadAt(this.word(KSPIN_LOCK.OwnerThread)) ?? this.machine.idleThread;
  }

  /** Processors that hold it together. */
  get sharedCount(): number {
    return this.word(KSPIN_LOCK.Shared);
  }

  /** Processors that spin for it. */
  get spinners(): number {
    return this.word(KSPIN_LOCK.Spinners);
  }

  /** Frees it; an error while it is held. */
  delete(): void {
    deleteObject(this);
  }
}

/** KSERVICE_ROUTINE: runs at the interrupt's level with its lock; TRUE if the device asked for it. */
export type ServiceRoutine = (
  interrupt: KInterrupt,
  serviceContext: unknown,
) => GuestResult<boolean>;

export interface InterruptOptions {
  /** DIRQL, 3-12. */
  readonly irql: number;
  /** The level of the service routine, of interrupts that share a lock the highest. Default: `irql`. */
  readonly synchronizeIrql?: number;
  /** A lock that several interrupts share. Default: one of its own. */
  readonly spinLock?: KSpinLock;
  /** A program gets the context, a number, in its first register. */
  readonly serviceRoutine: ServiceRoutine | LoadedProgram;
  readonly serviceContext?: unknown;
}

/** KINTERRUPT: a connected interrupt. */
export class KInterrupt extends KernelObject {
  constructor(
    machine: Machine,
    handle: number,
    readonly serviceRoutine: ServiceRoutine | LoadedProgram,
    readonly serviceContext: unknown,
    /** The driver whose code connected it. */
    readonly driver: DriverObject | undefined,
  ) {
    super(machine, handle);
  }

  get irql(): IRQL {
    return this.word(KINTERRUPT_OBJECT.Irql);
  }

  get synchronizeIrql(): IRQL {
    return this.word(KINTERRUPT_OBJECT.SynchronizeIrql);
  }

  /** Disconnects it: interrupts to come are nobody's. An error while its lock is held. @irql PASSIVE_LEVEL @nt IoDisconnectInterrupt */
  disconnect(): void {
    deleteObject(this);
  }
}

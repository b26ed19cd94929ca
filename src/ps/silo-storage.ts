import type { GuestResult } from '../machine/dpc';
import type { DriverObject } from '../machine/driver';
import type { PoolBlock } from '../ex/pool';
import type { JobObject } from './job';

/** What drivers keep for a silo: one context a slot. */

/** SILO_CONTEXT_CLEANUP_CALLBACK. */
export type SiloContextCleanupCallback = (context: SiloContext) => GuestResult;

/** A context: what a driver keeps in `data` is its own. */
export class SiloContext {
  /** @internal */ references = 1;
  data: unknown;

  /** @internal */
  constructor(
    /** Of the host null. */
    readonly silo: JobObject | null,
    /** @internal */ readonly block: PoolBlock,
    /** @internal */ readonly cleanup: SiloContextCleanupCallback | null,
    /** @internal Whose code made it. */ readonly driver: DriverObject | undefined,
  ) {}

  /** Bytes. */
  get size(): number {
    return this.block.numberOfBytes;
  }
}

/** The slots of one silo. */
export class SiloStorage {
  /** Its silo has terminated: nothing more is put into it. */
  closed = false;
  private readonly contexts = new Map<number, SiloContext>();
  private readonly permanent = new Set<number>();

  get(slot: number): SiloContext | undefined {
    return this.contexts.get(slot);
  }

  has(slot: number): boolean {
    return this.contexts.has(slot);
  }

  isPermanent(slot: number): boolean {
    return this.permanent.has(slot);
  }

  set(slot: number, context: SiloContext): void {
    this.contexts.set(slot, context);
  }

  delete(slot: number): void {
    this.contexts.delete(slot);
    this.permanent.delete(slot);
  }

  makePermanent(slot: number): void {
    this.permanent.add(slot);
  }

  /** Slots that have a context, or of them those that have one for good. */
  used(permanent: boolean): number[] {
    return [...this.contexts.keys()].filter((slot) => this.permanent.has(slot) === permanent);
  }
}

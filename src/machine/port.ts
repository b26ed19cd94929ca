import type { CoreMemory } from './options';

/** What a worker port's module exports: each worker, or the host, opens it once. */
export interface PortModule {
  openPort(environment: PortEnvironment): PortCore | Promise<PortCore>;
}

export interface PortEnvironment {
  /** The machine's memory; shared where there are workers. */
  readonly memory: CoreMemory;
  /** Where in it the memory of the guests begins, and its bytes. */
  readonly guestBase: number;
  readonly guestBytes: number;
  /** What the embedder gave; it can be cloned. */
  readonly data?: unknown;
}

/** A CPU core whose guests are in memory: contexts (see PORT_CONTEXT), and the guests' memory. */
export interface PortCore {
  /**
   * Advances the guest whose context is at byte `context` by at most `budget` ns, 1 to 2^31 - 1. With
   * `ordered` 1 its first instruction may be one that others observe.
   *
   * @returns the ns that it used; 0 only if it stopped for another reason than the budget.
   */
  run(context: number, budget: number, ordered: number): number;
}

import type { Request } from './generator';
import type { Lock } from './lock';
import type { KThread } from './views';

/** A routine of a driver's that the kernel calls, as far as a watcher is told of it. */
export interface WatchedCall {
  /** What it is: `thread-notify routine`. */
  readonly sort: string;
  readonly routine: (...parameters: never[]) => unknown;
  readonly driver: { readonly name: string } | undefined;
}

/** What drivers take from the kernel and have to give back. */
export const enum Kept {
  Pool = 0,
  Handle = 1,
  Reference = 2,
  /** A work item or timer that the kernel allocates, a lookaside list, a resource in the system's list. */
  Storage = 3,
  /** A timer that is set, without a DPC. */
  Timer = 4,
}

/**
 * Somebody who looks on at what host threads do, and changes nothing of it. There is at most one on a
 * machine; without one each of these costs a comparison.
 */
export interface Watcher {
  /** A routine that may block is called; it is the last on the thread's stack. */
  entered(thread: KThread, routine: string): void;
  /** It has returned. */
  returned(thread: KThread, routine: string, result: unknown): void;
  /** The kernel calls a driver's routine. What it is given is what comes back. */
  calloutBegins(
    thread: KThread,
    call: WatchedCall,
    parameters: readonly unknown[],
  ): readonly unknown[];
  /** It has returned, or thrown `error`. */
  calloutEnds(thread: KThread, call: WatchedCall, result: unknown, error?: unknown): void;
  /** The next instruction of a host thread. */
  instruction(thread: KThread, request: Request): void;
  /** Whether a thread does without a lock of the host's that is not free. */
  polls(thread: KThread, does: boolean): void;
  /** A lock of the host's has a new owner, or one that shares it more than once (`again`), or somebody is about to wait for it. */
  lockTaken(thread: KThread, lock: Lock, again: boolean): void;
  lockAwaited(thread: KThread, lock: Lock): void;
  /** A thread begins or ends to use something that others wait for the end of all uses of. */
  lockUsed(thread: KThread, lock: Lock, begins: boolean): void;
  /** The code at hand gives the kernel a routine of its own to call. */
  registers(routine: object): void;
  /** A driver's routine is called that is no callback: DriverEntry, DriverUnload, a work item, a system thread's. */
  routineBegins(thread: KThread, call: WatchedCall): void;
  /** It has returned. */
  routineEnds(thread: KThread, result: unknown): void;
  /** The next instruction of a routine in front of a thread, as the core names that. */
  activation(index: number, request: Request): void;
  /**
   * The code at hand has taken something, `what` in words. `still` gives what it is of while it has not
   * been given back in another way.
   */
  takes(kind: Kept, thing: unknown, what: string, still?: () => object | undefined): void;
  /** It has been given back. */
  returns(thing: unknown): void;
}

import type { Lock } from '../machine/lock';
import type { WatchedCall } from '../machine/watch';

/** What is looked for, and what is known of a callback while it runs. */

export interface WatchOptions {
  /** Ids of the rules to look for. */
  readonly rules: ReadonlySet<string>;
  /** Names of the drivers that are looked at; undefined: every one. */
  readonly drivers?: ReadonlySet<string>;
  /** Processor time that a callback may take, ns. */
  readonly budgetNs: number;
  /** What DriverEntry is to return; undefined: a success. */
  readonly entryStatus?: number | 'any';
}

/** A callback that runs. */
export interface Frame {
  readonly call: WatchedCall;
  /** The thread's processor time at its beginning, ns. */
  readonly began: number;
  /** When it was called, ns. */
  readonly calledNs: number;
  readonly irql: number;
  readonly apcs: number;
  readonly locks: ReadonlySet<Lock>;
  readonly impersonation: object | undefined;
  readonly terminating: boolean;
  readonly given: readonly unknown[];
  readonly close: () => void;
  /** It has queued a work item, has waited. */
  queued: boolean;
  waited: boolean;
  /** It has called a routine that terminates. */
  terminates: boolean;
  /** It has written what is not its to write: that can throw. */
  wrote: boolean;
  /** Where it called a routine last. */
  place: Error | undefined;
  /** A field that it has read and that was NULL. */
  readNull: string | undefined;
}

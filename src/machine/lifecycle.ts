import type { PRIORITY_CLASS } from '../../assembly/shared/types';
import type { GuestResult } from './dpc';
import type { LoadedProgram } from './program';
import type { KThread } from './views';

/** What making a thread came to. */
export interface Created {
  /** NTSTATUS. */
  readonly status: number;
  readonly thread?: KThread;
  /** What it takes, besides the instruction that asked for it. Default 0. */
  readonly costNs?: number;
}

/**
 * What the process manager does around the life of threads, in their own contexts. Without one, the core
 * makes and ends what programs ask for all by itself. What needs no time is no generator.
 */
export interface Lifecycle {
  /**
   * Goes before the end of a thread, whatever kind of guest it is and however it ends. At PASSIVE_LEVEL.
   *
   * @returns ns that it takes.
   */
  exitThread(thread: KThread, status: number): GuestResult<number>;
  /** A program's createThread: a thread of the creator's process, which is ready when this ends. */
  createThread(creator: KThread, program: LoadedProgram, increment: number): GuestResult<Created>;
  /** A program's createProcess: a process with one thread, which is ready when this ends. */
  createProcess(
    creator: KThread,
    program: LoadedProgram,
    priorityClass: PRIORITY_CLASS,
  ): GuestResult<Created>;
}

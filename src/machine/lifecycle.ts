import type { PRIORITY_CLASS } from '../../assembly/shared/types';
import type { Request } from './generator';
import type { LoadedProgram } from './program';
import type { KThread } from './views';

/** What making a thread came to. */
export interface Created {
  /** NTSTATUS. */
  readonly status: number;
  readonly thread?: KThread;
}

/**
 * What the process manager does around the life of threads, in their own contexts. Without one, the core
 * makes and ends what programs ask for all by itself.
 */
export interface Lifecycle {
  /** Goes before the end of a thread, whatever kind of guest it is and however it ends. At PASSIVE_LEVEL. */
  exitThread(thread: KThread, status: number): Generator<Request, void, number>;
  /** A program's createThread: a thread of the creator's process, which is ready when this ends. */
  createThread(
    creator: KThread,
    program: LoadedProgram,
    increment: number,
  ): Generator<Request, Created, number>;
  /** A program's createProcess: a process with one thread, which is ready when this ends. */
  createProcess(
    creator: KThread,
    program: LoadedProgram,
    priorityClass: PRIORITY_CLASS,
  ): Generator<Request, Created, number>;
}

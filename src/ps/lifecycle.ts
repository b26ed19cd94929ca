import type { PRIORITY_CLASS } from '../../assembly/shared/types';
import type { GuestResult } from '../machine/dpc';
import { after } from '../machine/generator';
import type { Created, Lifecycle } from '../machine/lifecycle';
import type { LoadedProgram } from '../machine/program';
import type { KThread } from '../machine/views';
import { announceThread, hasListeners, newProcessWithThread, newThread } from './create';
import { exitThread } from './exit';
import type { PsState } from './state';
import { inheritToken } from './token';

/** What the process manager does around the life of threads, and for what programs ask of it. */
export class PsLifecycle implements Lifecycle {
  constructor(private readonly ps: PsState) {}

  exitThread(thread: KThread, status: number): GuestResult<number> {
    return exitThread(this.ps, thread, status);
  }

  createThread(creator: KThread, program: LoadedProgram, increment: number): GuestResult<Created> {
    const created = newThread(this.ps, creator.process, program, { increment });
    return this.started(creator, created);
  }

  createProcess(
    creator: KThread,
    program: LoadedProgram,
    priorityClass: PRIORITY_CLASS,
  ): GuestResult<Created> {
    const options = { name: program.name, priorityClass, parent: creator.process };
    const created = newProcessWithThread(this.ps, program, options, {});
    if (created.thread !== undefined) inheritToken(creator.process, created.thread.process);
    return this.started(creator, created);
  }

  private started(creator: KThread, created: Created): GuestResult<Created> {
    const { thread } = created;
    if (thread === undefined) return created;
    if (!hasListeners(this.ps)) {
      thread.start();
      return created;
    }
    return after(announceThread(this.ps, creator, thread), (announced) => {
      announced.thread?.start();
      return announced;
    });
  }
}

import { KPROCESS } from '../../assembly/shared/layout';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import { KeSuspendThread } from '../ke/apc';
import type { KernelCode } from '../ke/mode';
import type { ProcessOptions, ThreadBody } from '../machine/machine';
import type { KProcess, KThread } from '../machine/views';
import { obInheritHandles } from '../ob/handle';
import { clientIdOf } from './cid';
import { announceInTime, newProcessWithThread } from './create';
import type { ProcessExecutive, ProcessOrigin } from './executive';
import type { Image } from './image';
import type { JobWish } from './job-create';
import type { PsState } from './state';
import { inheritToken } from './token';

/** Processes of executables, with what they inherit. */

/** A process of an executable that is to be made. */
export interface ProcessRequest {
  readonly image: Image;
  readonly parent: KProcess;
  readonly body: ThreadBody;
  readonly priorityClass: PRIORITY_CLASS | undefined;
  readonly inheritHandles: boolean;
  /** It works with its parent's token, not with an ordinary user's. */
  readonly inheritToken: boolean;
  readonly origin: ProcessOrigin;
  readonly jobs?: JobWish;
}

/** The priority class of a child whose creator names none. */
export function inheritedClass({ priorityClass }: KProcess): PRIORITY_CLASS {
  const low = priorityClass === PRIORITY_CLASS.Idle || priorityClass === PRIORITY_CLASS.BelowNormal;
  return low ? priorityClass : PRIORITY_CLASS.Normal;
}

/** Makes a process with its first thread, tells of them, and leaves the thread to be started. */
export function* createProcess(
  ps: PsState,
  creator: KThread,
  request: ProcessRequest,
): KernelCode<{ readonly status: number; readonly thread?: KThread }> {
  const { image, parent, body, inheritHandles } = request;
  const { sessionId } = (parent.executive as ProcessExecutive | undefined) ?? { sessionId: 0 };
  const affinity = ps.machine.memory.big(parent.address + KPROCESS.Affinity64);
  const options: ProcessOptions = {
    name: image.path,
    parent,
    affinity,
    priorityClass: request.priorityClass ?? inheritedClass(parent),
  };
  const origin: ProcessOrigin = {
    sessionId,
    ...request.origin,
    image,
    creator: clientIdOf(creator),
    inheritsHandles: inheritHandles,
  };
  const { jobs } = request;
  const created = newProcessWithThread(ps, body, options, { userMode: true }, origin, jobs);
  const { thread } = created;
  if (thread === undefined) return created;
  if (inheritHandles) obInheritHandles(parent, thread.process);
  if (request.inheritToken) inheritToken(parent, thread.process);
  return yield* announceInTime(ps, creator, thread);
}

/** Lets a thread run that has been told of. */
export function* startThread(thread: KThread, suspended: boolean): KernelCode<void> {
  if (suspended) yield* KeSuspendThread(thread);
  thread.start();
}

/** What the first thread of an executable runs. */
export function mainOf(ps: PsState, image: Image): ThreadBody {
  return image.main ?? ps.waitingProgram();
}

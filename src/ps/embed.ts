import { STATUS } from '../../assembly/shared/status';
import type { PRIORITY_CLASS } from '../../assembly/shared/types';
import type { KernelCode } from '../ke/mode';
import { MachineError } from '../machine/errors';
import { inWords, requireOptions } from '../machine/given';
import type { ThreadBody } from '../machine/machine';
import type { KProcess, KThread } from '../machine/views';
import type { ProcessOrigin } from './executive';
import { createProcess, mainOf, startThread } from './new-process';
import type { PsState } from './state';

/** Processes that the embedder makes, from outside of any guest. */

export interface NewProcessOptions {
  /** The executable's path. */
  readonly image: string;
  readonly commandLine?: string;
  /**
   * Whose handles, token, affinity and priority it inherits. Default: the creator's process, but for the
   * token: without a creator that is an ordinary user's.
   */
  readonly parent?: KProcess;
  /** The thread in whose context it is made. Default: a thread of the system. */
  readonly creator?: KThread;
  readonly inheritHandles?: boolean;
  readonly suspended?: boolean;
  /** What its first thread runs. Default: what the image's description says. */
  readonly main?: ThreadBody;
  readonly priorityClass?: PRIORITY_CLASS;
  readonly sessionId?: number;
  /** PS_PROTECTION. */
  readonly protection?: number;
  /** Its end is bugcheck CRITICAL_PROCESS_DIED. */
  readonly critical?: boolean;
}

const OPTION_NAMES = [
  'image',
  'commandLine',
  'parent',
  'creator',
  'inheritHandles',
  'suspended',
  'main',
  'priorityClass',
  'sessionId',
  'protection',
  'critical',
];

/** What an embedder's request comes to when the machine has run on. */
export class ProcessCreation {
  /** STATUS_PENDING until it is over. */
  status: number = STATUS.PENDING;
  /** Its first thread, if it was made and not refused. */
  thread: KThread | undefined;

  get process(): KProcess | undefined {
    return this.thread?.process;
  }
}

function* create(
  ps: PsState,
  creator: KThread,
  options: NewProcessOptions,
  creation: ProcessCreation,
): KernelCode<void> {
  const image = ps.images.image(options.image);
  const { sessionId, protection, critical, commandLine = null } = options;
  const origin: ProcessOrigin = {
    commandLine,
    ...(sessionId === undefined ? {} : { sessionId }),
    protection,
    critical,
  };
  const created = yield* createProcess(ps, creator, {
    image,
    parent: options.parent ?? creator.process,
    body: options.main ?? mainOf(ps, image),
    priorityClass: options.priorityClass,
    inheritHandles: options.inheritHandles ?? false,
    inheritToken: options.parent !== undefined || options.creator !== undefined,
    origin,
  });
  creation.status = created.status;
  creation.thread = created.thread;
  if (created.thread !== undefined) yield* startThread(created.thread, options.suspended ?? false);
}

/**
 * Asks for a process. It is made when the machine runs on, in the context of a thread: the creator's,
 * in front of what that does, or else one of the system.
 */
export function requestProcess(ps: PsState, options: NewProcessOptions): ProcessCreation {
  requireOptions('createProcess', options, OPTION_NAMES);
  if (typeof options.image !== 'string')
    throw new MachineError(
      `createProcess: image is ${inWords(options.image)}; give the path of an executable`,
    );
  const creation = new ProcessCreation();
  const { machine } = ps;
  const { creator } = options;
  if (creator === undefined) {
    const thread: KThread = machine.systemProcess.createThread(
      function* () {
        yield* create(ps, thread, options, creation);
      },
      { name: 'process creation' },
    );
    thread.close();
    return creation;
  }
  const apc = machine.createApc(creator, {
    normalRoutine: function* () {
      apc.delete();
      yield* create(ps, creator, options, creation);
    },
  });
  apc.insert();
  return creation;
}

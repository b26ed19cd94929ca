import { KPROCESS } from '../../assembly/shared/layout';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import type { GuestResult } from '../machine/dpc';
import { after, type Request, resultOf } from '../machine/generator';
import { requireStatus } from '../machine/given';
import { encode } from '../machine/instruction';
import type { Created } from '../machine/lifecycle';
import type { ProcessOptions, ThreadBody } from '../machine/machine';
import type { KProcess, KThread, ThreadOptions } from '../machine/views';
import { clientIdOf } from './cid';
import {
  discardProcess,
  imageOf,
  isMinimalProcess,
  isSubsystemProcess,
  isTerminating,
  parentIdOf,
  ProcessExecutive,
  type ProcessOrigin,
  setExitStatus,
} from './executive';
import { openName } from './image';
import { joinAtCreation, type JobWish } from './job-create';
import { isHeld } from './job-hold';
import { mapInitialImages } from './load';
import { costOfCalls } from './notify-table';
import { type CreateNotice, notifyProcessCreated } from './process-notify';
import type { PsState } from './state';
import { notifyThread, THREAD_NOTIFY } from './thread-notify';

/**
 * The making of processes and threads, in the context of their creator: the rows first, then who
 * registered is told, then the thread may run. What is told in the new thread comes before its body.
 */

type Steps<T = void> = Generator<Request, T, number>;

const failed = (status: number): Created => ({ status });

/** NT_SUCCESS. */
const succeeded = (status: number) => (status | 0) >= 0;

/** sizeof(PS_CREATE_NOTIFY_INFO). */
const PS_CREATE_NOTIFY_INFO_BYTES = 0x48;

const enum CREATE_FLAG {
  FileOpenNameAvailable = 1,
  IsSubsystemProcess = 2,
}

/** A process without a thread; undefined if the table is full. */
export function newProcess(
  ps: PsState,
  options: ProcessOptions,
  origin?: ProcessOrigin,
): KProcess | undefined {
  const process = ps.machine.newProcess(options);
  if (process === undefined) return undefined;
  if (origin !== undefined) process.executive = new ProcessExecutive(process, origin);
  return process;
}

/** A thread that has not been started, nor told of. */
export function newThread(
  ps: PsState,
  process: KProcess,
  body: ThreadBody,
  options: ThreadOptions,
): Created {
  if (isTerminating(process)) return failed(STATUS.PROCESS_IS_TERMINATING);
  const { machine } = ps;
  // Nothing goes before the body of a thread without ntdll.
  const begin = isMinimalProcess(process) ? undefined : () => beginThread(ps, thread as KThread);
  const thread: KThread | undefined = machine.newThread(process, body, options, false, begin);
  if (thread === undefined) return failed(STATUS.INSUFFICIENT_RESOURCES);
  thread.close();
  if (machine.memory.u32(process.address + KPROCESS.ThreadsCreated) === 1)
    process.initialThread = thread;
  if (process.job !== undefined && isHeld(process)) thread.freeze(true);
  return { status: STATUS.SUCCESS, thread };
}

/** A process with its first thread, which has not been started, nor told of. */
export function newProcessWithThread(
  ps: PsState,
  body: ThreadBody,
  options: ProcessOptions,
  threadOptions: ThreadOptions,
  origin?: ProcessOrigin,
  jobs?: JobWish,
): Created {
  const { parent } = options;
  if (parent !== undefined && isTerminating(parent)) return failed(STATUS.PROCESS_IS_TERMINATING);
  const process = newProcess(ps, options, origin);
  if (process === undefined) return failed(STATUS.INSUFFICIENT_RESOURCES);
  const joined = joinAtCreation(process, parent, jobs);
  if (joined !== STATUS.SUCCESS) return failed(joined);
  const created = newThread(ps, process, body, threadOptions);
  if (created.thread === undefined) discardProcess(process);
  else process.close();
  return created;
}

/** Which thread-notify routines hear of the threads of a process, in their creator's context. */
export function threadKinds(process: KProcess): number {
  if (isSubsystemProcess(process)) return THREAD_NOTIFY.Subsystems;
  return THREAD_NOTIFY.Legacy | THREAD_NOTIFY.Subsystems;
}

/** Whether there is anybody to be told of new threads and processes. */
export function hasListeners(ps: PsState): boolean {
  return ps.processNotify.count !== 0 || ps.threadNotify.count !== 0;
}

/** What is told of a new process. */
function createNotice(ps: PsState, creator: KThread, process: KProcess): CreateNotice {
  const executive = process.executive as ProcessExecutive | undefined;
  const image = imageOf(ps, process);
  const openedAs =
    executive !== undefined
      ? executive.imageFileName
      : image === undefined
        ? null
        : openName(image.path);
  const exact = openedAs !== null;
  const subsystem = isSubsystemProcess(process);
  return {
    Size: PS_CREATE_NOTIFY_INFO_BYTES,
    Flags:
      (exact ? CREATE_FLAG.FileOpenNameAvailable : 0) |
      (subsystem ? CREATE_FLAG.IsSubsystemProcess : 0),
    FileOpenNameAvailable: exact,
    IsSubsystemProcess: subsystem,
    ParentProcessId: parentIdOf(process),
    CreatingThreadId: clientIdOf(creator),
    FileObject: executive === undefined ? (image?.file ?? null) : executive.file,
    ImageFileName: openedAs ?? image?.fullName ?? null,
    CommandLine: executive?.commandLine ?? null,
    CreationStatus: STATUS.SUCCESS,
  };
}

/**
 * Tells of a new thread, and of its process with the first, in the context of their creator. A routine
 * that does not let the process be makes its thread end before that has run.
 *
 * @returns STATUS_SUCCESS with the thread, or with what status the process was refused.
 */
export function announceThread(
  ps: PsState,
  creator: KThread,
  thread: KThread,
): GuestResult<Created> {
  const { process } = thread;
  if (ps.processNotify.count === 0 || process.initialThread !== thread)
    return announceToThreads(ps, creator, thread, 0);
  const notice = createNotice(ps, creator, process);
  const executive = process.executive as ProcessExecutive | undefined;
  const inherits = executive?.inheritsHandles ?? false;
  const told = notifyProcessCreated(ps, creator, process, notice, inherits);
  return after<number, Created>(told, (calls) => {
    const status = requireStatus(
      `CreationStatus of the PS_CREATE_NOTIFY_INFO of process '${process.name}'`,
      notice.CreationStatus,
    );
    if (succeeded(status)) return announceToThreads(ps, creator, thread, calls);
    return refuse(ps, thread, status, calls);
  });
}

/** Lets the first thread of a process that is not to be end before it has run. */
function refuse(ps: PsState, thread: KThread, status: number, calls: number): Created {
  setExitStatus(thread.process, status);
  thread.terminate(status);
  thread.start();
  return { status, costNs: costOfCalls(ps.machine, calls) };
}

/** The rest of it, after `before` calls. */
function announceToThreads(
  ps: PsState,
  creator: KThread,
  thread: KThread,
  before: number,
): GuestResult<Created> {
  const announced = (calls: number): Created => ({
    status: STATUS.SUCCESS,
    thread,
    costNs: costOfCalls(ps.machine, before + calls),
  });
  if (ps.threadNotify.count === 0) return announced(0);
  return after(notifyThread(ps, creator, thread, threadKinds(thread.process), true), announced);
}

/** The same, and takes the time of the calls. */
export function* announceInTime(ps: PsState, creator: KThread, thread: KThread): Steps<Created> {
  const created = yield* resultOf(announceThread(ps, creator, thread));
  const { costNs = 0 } = created;
  if (costNs !== 0) yield [encode(OP.Compute, MODE.KernelMode), costNs, 0];
  return created;
}

/** What a thread does before its body: it is told of, and its process's images are mapped. @returns ns that takes. */
function beginThread(ps: PsState, thread: KThread): GuestResult<number> {
  const { process } = thread;
  const toMap = process.executive !== undefined || ps.imageNotify.count !== 0;
  const images = toMap && process.initialThread === thread;
  if (!images && ps.threadNotify.count === 0) return 0;
  if (thread.terminating) return 0;
  return beginTold(ps, thread, images);
}

function beginTold(ps: PsState, thread: KThread, images: boolean): GuestResult<number> {
  const mapped = (calls: number): GuestResult<number> =>
    after(images ? mapInitialImages(ps, thread) : 0, (more) =>
      costOfCalls(ps.machine, calls + more),
    );
  if (ps.threadNotify.count === 0) return mapped(0);
  return after(notifyThread(ps, thread, thread, THREAD_NOTIFY.NonSystem, true), mapped);
}

import { STATUS } from '../../assembly/shared/status';
import { MODE, type PRIORITY_CLASS } from '../../assembly/shared/types';
import type { GroupAffinity } from '../ke/affinity';
import { type KernelCode, systemService } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import type { ThreadBody } from '../machine/machine';
import type { LoadedProgram } from '../machine/program';
import type { KProcess, KThread, ThreadOptions } from '../machine/views';
import { captureAttributes, type Handle, type ObjectAttributes } from '../ob/attributes';
import { ObpCloseHandle } from '../ob/handle';
import { onHandle } from '../ob/services/on-handle';
import { PsProcessType } from '../ob/types';
import { PROCESS_ACCESS, withImpliedProcessRights, withImpliedThreadRights } from './access';
import { type ClientId, clientIdOf } from './cid';
import { setThreadStart, type ThreadStart } from './context';
import { announceInTime, newThread } from './create';
import { withJobs } from './job-create';
import { runAttached } from './loader';
import { processManager } from './manager';
import { createProcess, mainOf, startThread } from './new-process';
import { openObject } from './open-services';
import { ownThreadExecutive } from './thread-executive';
import { groupMask, setGroupAffinity } from './thread-set';

/** The making of processes and threads by others than programs: by system services. */

/** THREAD_CREATE_FLAGS. */
export const enum THREAD_CREATE_FLAGS {
  CREATE_SUSPENDED = 0x1,
  SKIP_THREAD_ATTACH = 0x2,
  HIDE_FROM_DEBUGGER = 0x4,
  LOADER_WORKER = 0x10,
  SKIP_LOADER_INIT = 0x20,
  BYPASS_PROCESS_FREEZE = 0x40,
}

const KNOWN_THREAD_FLAGS = 0x77;

/** PROCESS_CREATE_FLAGS that are looked at. */
export const enum PROCESS_CREATE_FLAGS {
  BREAKAWAY = 0x1,
  INHERIT_HANDLES = 0x4,
}

/** What a new thread runs: a function of its argument, a program (the argument is in its first register) or a port. */
export type UserStartRoutine =
  | ((argument: unknown) => Generator<readonly number[], void, number>)
  | Exclude<ThreadBody, (...parameters: never[]) => unknown>;

/** RTL_USER_PROCESS_PARAMETERS, as far as they are looked at. */
export interface UserProcessParameters {
  readonly commandLine?: string | null;
}

/** PS_ATTRIBUTE_LIST, as far as it is looked at. */
export interface ProcessAttributeList {
  /** PsAttributeImageName: the executable's path. */
  readonly imageName: string;
  /** PsAttributeParentProcess: needs PROCESS_CREATE_PROCESS. Default: the caller's process. */
  readonly parentProcess?: Handle;
  /** In place of what the executable's code would be: what the first thread runs. Default: the image's. */
  readonly main?: ThreadBody;
  readonly priorityClass?: PRIORITY_CLASS;
  /** PsAttributeJobList: jobs to be put into, one after the other; needs JOB_OBJECT_ASSIGN_PROCESS. */
  readonly jobList?: readonly Handle[];
}

/** PS_ATTRIBUTE_LIST of a thread, as far as it is looked at. */
export interface ThreadAttributeList {
  /** PsAttributeGroupAffinity. Default: the process's affinity. */
  readonly groupAffinity?: GroupAffinity;
}

/** What NtCreateUserProcess comes to; on failure the handles are 0. */
export interface CreatedProcess {
  readonly status: number;
  readonly processHandle: Handle;
  readonly threadHandle: Handle;
  readonly clientId: ClientId | undefined;
}

/** What NtCreateThreadEx comes to. */
export interface CreatedThread {
  readonly status: number;
  readonly threadHandle: Handle;
  readonly clientId: ClientId | undefined;
}

const noProcess = (status: number): CreatedProcess => ({
  status,
  processHandle: 0,
  threadHandle: 0,
  clientId: undefined,
});

const noThread = (status: number): CreatedThread => ({
  status,
  threadHandle: 0,
  clientId: undefined,
});

/** What a caller wants of the handles to what is made. */
interface HandleWish {
  readonly desiredAccess: number;
  readonly attributes: ObjectAttributes | null;
}

function* openCreated(
  mode: MODE,
  object: KProcess | KThread,
  { desiredAccess, attributes }: HandleWish,
): KernelCode<{ readonly status: number; readonly handle: Handle }> {
  const { captured } = captureAttributes(attributes);
  return yield* openObject(mode, object, desiredAccess, captured.attributes);
}

const createUserProcess = systemService(
  'CreateUserProcess',
  function* (
    mode,
    processDesiredAccess: number,
    threadDesiredAccess: number,
    processObjectAttributes: ObjectAttributes | null,
    threadObjectAttributes: ObjectAttributes | null,
    processFlags: number,
    threadFlags: number,
    processParameters: UserProcessParameters | null,
    attributeList: ProcessAttributeList,
  ): KernelCode<CreatedProcess> {
    if ((threadFlags & ~THREAD_CREATE_FLAGS.CREATE_SUSPENDED) !== 0)
      return noProcess(STATUS.INVALID_PARAMETER);
    const { machine, thread: creator } = currentGuest('NtCreateUserProcess');
    const ps = processManager(machine);
    const image = ps.images.image(attributeList.imageName);
    const has = (flag: PROCESS_CREATE_FLAGS) => (processFlags & flag) !== 0;
    const make = (parent: KProcess) =>
      withJobs(mode, attributeList.jobList ?? [], (list) =>
        createProcess(ps, creator, {
          image,
          parent,
          body: attributeList.main ?? mainOf(ps, image),
          priorityClass: attributeList.priorityClass,
          inheritToken: true,
          inheritHandles: has(PROCESS_CREATE_FLAGS.INHERIT_HANDLES),
          origin: { commandLine: processParameters?.commandLine ?? null },
          jobs: { breakaway: has(PROCESS_CREATE_FLAGS.BREAKAWAY), list },
        }),
      );
    const { parentProcess } = attributeList;
    const created =
      parentProcess === undefined
        ? yield* make(creator.process)
        : yield* onHandle(mode, parentProcess, PROCESS_ACCESS.CREATE_PROCESS, PsProcessType, make);
    if (typeof created === 'number') return noProcess(created);
    const { thread } = created;
    if (thread === undefined) return noProcess(created.status);
    const wishes = {
      process: {
        desiredAccess: withImpliedProcessRights(processDesiredAccess),
        attributes: processObjectAttributes,
      },
      thread: {
        desiredAccess: withImpliedThreadRights(threadDesiredAccess),
        attributes: threadObjectAttributes,
      },
    };
    const result = yield* openBoth(mode, thread, wishes);
    if (result.status !== STATUS.SUCCESS) thread.terminate(result.status);
    const suspended = (threadFlags & THREAD_CREATE_FLAGS.CREATE_SUSPENDED) !== 0;
    yield* startThread(thread, suspended && result.status === STATUS.SUCCESS);
    return result;
  },
);

/** Handles to a new process and its first thread, or to neither. */
function* openBoth(
  mode: MODE,
  thread: KThread,
  wishes: { readonly process: HandleWish; readonly thread: HandleWish },
): KernelCode<CreatedProcess> {
  const process = yield* openCreated(mode, thread.process, wishes.process);
  if (process.status !== STATUS.SUCCESS) return noProcess(process.status);
  const opened = yield* openCreated(mode, thread, wishes.thread);
  if (opened.status !== STATUS.SUCCESS) {
    yield* ObpCloseHandle(process.handle, MODE.KernelMode);
    return noProcess(opened.status);
  }
  return {
    status: STATUS.SUCCESS,
    processHandle: process.handle,
    threadHandle: opened.handle,
    clientId: clientIdOf(thread),
  };
}

/**
 * Makes a process of an executable, with its first thread. Its parent, whose handles, affinity and
 * priority it inherits, may be another process than the caller's. Notify routines are told first, then
 * the handles are made, then the thread may run.
 *
 * @returns SUCCESS; INVALID_PARAMETER for thread flags other than CREATE_SUSPENDED; what a notify routine
 *   wrote to CreationStatus; INSUFFICIENT_RESOURCES; PROCESS_IS_TERMINATING; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtCreateUserProcess (partial: no PS_CREATE_INFO; flags other than INHERIT_HANDLES and BREAKAWAY are not looked at)
 */
export const NtCreateUserProcess = createUserProcess.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateUserProcess */
export const ZwCreateUserProcess = createUserProcess.zw;

/** A start routine with its argument, as a thread takes it. */
function bodyOf(startRoutine: UserStartRoutine, argument: unknown): [ThreadBody, ThreadOptions] {
  if (typeof startRoutine === 'function')
    return [() => runAttached(() => startRoutine(argument)), { userMode: true }];
  const given = typeof argument === 'number' || typeof argument === 'bigint';
  const registers = given && 'address' in startRoutine ? { registers: [argument] } : {};
  return [startRoutine as LoadedProgram, { userMode: true, ...registers }];
}

/** The same, as its first registers show it. */
function startOf(startRoutine: UserStartRoutine, argument: unknown): ThreadStart {
  const number = typeof argument === 'number' && Number.isSafeInteger(argument);
  return {
    address: 'address' in startRoutine ? startRoutine.address : 0,
    argument: number || typeof argument === 'bigint' ? BigInt.asUintN(64, BigInt(argument)) : 0n,
  };
}

/** Notes what a thread's creator wants of the loader and of debuggers. */
function setThreadFlags(thread: KThread, createFlags: number): void {
  const has = (flag: THREAD_CREATE_FLAGS) => (createFlags & flag) !== 0;
  if ((createFlags & ~THREAD_CREATE_FLAGS.CREATE_SUSPENDED) === 0) return;
  const executive = ownThreadExecutive(thread);
  executive.skipThreadAttach = has(THREAD_CREATE_FLAGS.SKIP_THREAD_ATTACH);
  executive.hideFromDebugger = has(THREAD_CREATE_FLAGS.HIDE_FROM_DEBUGGER);
  executive.loaderWorker = has(THREAD_CREATE_FLAGS.LOADER_WORKER);
  executive.skipLoaderInit = has(THREAD_CREATE_FLAGS.SKIP_LOADER_INIT);
}

const createThreadEx = systemService(
  'CreateThreadEx',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    processHandle: Handle,
    startRoutine: UserStartRoutine,
    argument: unknown,
    createFlags: number,
    _zeroBits: number,
    _stackSize: number,
    _maximumStackSize: number,
    attributeList: ThreadAttributeList | null,
  ): KernelCode<CreatedThread> {
    if ((createFlags & ~KNOWN_THREAD_FLAGS) !== 0) return noThread(STATUS.INVALID_PARAMETER);
    const { machine, thread: creator } = currentGuest('NtCreateThreadEx');
    const ps = processManager(machine);
    const [body, options] = bodyOf(startRoutine, argument);
    const result = yield* onHandle(
      mode,
      processHandle,
      PROCESS_ACCESS.CREATE_THREAD,
      PsProcessType,
      function* (process: KProcess): KernelCode<CreatedThread> {
        const affinity = attributeList?.groupAffinity;
        if (affinity !== undefined && groupMask(process, affinity) === undefined)
          return noThread(STATUS.INVALID_PARAMETER);
        const made = newThread(ps, process, body, options);
        if (made.thread === undefined) return noThread(made.status);
        if (affinity !== undefined) yield* setGroupAffinity(made.thread, affinity);
        setThreadStart(made.thread, startOf(startRoutine, argument));
        setThreadFlags(made.thread, createFlags);
        const { status, thread } = yield* announceInTime(ps, creator, made.thread);
        if (thread === undefined) return noThread(status);
        const access = withImpliedThreadRights(desiredAccess);
        const wish = { desiredAccess: access, attributes: objectAttributes };
        const opened = yield* openCreated(mode, thread, wish);
        if (opened.status !== STATUS.SUCCESS) thread.terminate(opened.status);
        const suspended = (createFlags & THREAD_CREATE_FLAGS.CREATE_SUSPENDED) !== 0;
        yield* startThread(thread, suspended && opened.status === STATUS.SUCCESS);
        if (opened.status !== STATUS.SUCCESS) return noThread(opened.status);
        return { status, threadHandle: opened.handle, clientId: clientIdOf(thread) };
      },
    );
    return typeof result === 'number' ? noThread(result) : result;
  },
);

/**
 * Makes a thread, of the caller's process or of another. With the first thread of a process that is
 * told of too.
 *
 * @returns SUCCESS; INVALID_PARAMETER for unknown flags, and for an affinity that names no processor,
 *   or one that the process does not have; PROCESS_IS_TERMINATING; INVALID_HANDLE;
 *   OBJECT_TYPE_MISMATCH; ACCESS_DENIED; INSUFFICIENT_RESOURCES.
 * @irql PASSIVE_LEVEL
 * @nt NtCreateThreadEx (partial: stack sizes and BYPASS_PROCESS_FREEZE are not looked at, of the attributes the affinity is; DLLs are told of threads that run functions of the host)
 */
export const NtCreateThreadEx = createThreadEx.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateThreadEx */
export const ZwCreateThreadEx = createThreadEx.zw;

/** CONTEXT of a thread that is to be made: a number is an address where nothing is mapped. */
export type InitialContext = number | { startRoutine: UserStartRoutine; argument?: unknown };

const createThread = systemService(
  'CreateThread',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    processHandle: Handle,
    threadContext: InitialContext,
    _initialTeb: null,
    createSuspended: boolean,
  ): KernelCode<CreatedThread> {
    if (typeof threadContext === 'number') return noThread(STATUS.ACCESS_VIOLATION);
    const service = mode === MODE.UserMode ? NtCreateThreadEx : ZwCreateThreadEx;
    const { startRoutine, argument } = threadContext;
    const flags = createSuspended ? THREAD_CREATE_FLAGS.CREATE_SUSPENDED : 0;
    const access = desiredAccess;
    const made = service(
      access,
      objectAttributes,
      processHandle,
      startRoutine,
      argument,
      flags,
      0,
      0,
      0,
      null,
    );
    return yield* made;
  },
);

/** The same by a context. @returns as NtCreateThreadEx; ACCESS_VIOLATION for a context that is not mapped. @irql PASSIVE_LEVEL @nt NtCreateThread (partial: of the context what to run is looked at) */
export const NtCreateThread = createThread.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateThread */
export const ZwCreateThread = createThread.zw;

import { STATUS } from '../../../assembly/shared/status';
import type { Request } from '../../machine/generator';
import { currentGuest } from '../../machine/guest';
import type { ThreadBody } from '../../machine/machine';
import type { KProcess, KThread } from '../../machine/views';
import { hasListeners } from '../../ps/create';
import { processManager } from '../../ps/manager';
import { announcePicoThread, newPicoProcess, newPicoThread } from '../routines';
import { CLONE, SIG } from './abi';
import { ERRNO } from './errno';
import type { FileTable } from './file';
import type { LinuxGuest } from './guest';
import { writeInt } from './memory';
import { applyPriority } from './sched';
import { childInfo } from './siginfo';
import { endGroup, sendSignal } from './signal';
import type { WslKernel } from './kernel';
import { type LinuxCode, LinuxProcess, type LinuxResult, LinuxThread } from './state';

/** The life of threads and thread groups: clone and its kin, and their ends. */

/** What a status of the kernel's comes to. */
function errnoOf(status: number): number {
  if (status === STATUS.ACCESS_DENIED) return ERRNO.EACCES;
  const scarce = status === STATUS.INSUFFICIENT_RESOURCES;
  return scarce || status === STATUS.PROCESS_IS_TERMINATING ? ERRNO.EAGAIN : ERRNO.EPERM;
}

/** A thread that is to be made. */
interface NewThread {
  readonly process: LinuxProcess;
  readonly body: ThreadBody;
  readonly guest: LinuxGuest;
  readonly prepare: ((kthread: KThread) => void) | undefined;
}

/** What was made, or an error number. */
type Made = LinuxThread | number;

/** What making a thread, and a process with it, costs: CreateProcess, CreateThread and ResumeThread. */
const MAKING_DDIS = 3;

/**
 * A thread of Linux with one of NT's, which nobody has been told of and which has not been started. Its
 * process gets one too, if it has none; `emptyProcess` is left by a failure that has made no thread.
 */
function createThread(
  kernel: WslKernel,
  { process, body, guest, prepare }: NewThread,
  tid: number,
): { readonly made: Made; readonly emptyProcess?: KProcess } {
  const { state } = kernel;
  const { machine } = state;
  const event = state.newEvent();
  if (event === undefined) return { made: ERRNO.EAGAIN };
  const thread = new LinuxThread(tid, process, guest, event);
  if (process.kprocess === undefined) {
    const identity = kernel.identityOf(process);
    const { status, process: kprocess } = newPicoProcess(currentGuest('clone').thread, {
      ParentProcess: process.parent?.kprocess ?? machine.systemProcess,
      Context: process,
      FileObject: identity.FileObject ?? null,
      ImageFileName: identity.ImageFileName ?? null,
      CommandLine: identity.CommandLine ?? null,
    });
    if (kprocess === undefined) {
      state.freeEvent(event);
      return { made: errnoOf(status) };
    }
    process.kprocess = kprocess;
    state.processes.set(process.pid, process);
  }
  state.threads.set(tid, thread);
  process.threads.set(tid, thread);
  machine.addHostCost(MAKING_DDIS * machine.profile.costs.ddi);
  const { status, thread: kthread } = newPicoThread({
    Process: process.kprocess,
    Context: thread,
    StartRoutine: body,
    Name: process.image.path,
  });
  if (kthread === undefined) {
    forgetThread(kernel, thread);
    const made = errnoOf(status);
    return process.threads.size === 0 ? { made, emptyProcess: process.kprocess } : { made };
  }
  thread.kthread = kthread;
  prepare?.(kthread);
  return { made: thread };
}

/** Tells of a thread, if anybody listens: it, or what a driver refused its process with. */
function* announce(kernel: WslKernel, thread: LinuxThread): Generator<Request, Made, number> {
  if (!hasListeners(processManager(kernel.machine))) return thread;
  const { status, thread: announced } = yield* announcePicoThread(thread.kthread as KThread);
  return announced === undefined ? errnoOf(status) : thread;
}

/** A thread that has been told of, and can be started. */
export function* makeThread(
  kernel: WslKernel,
  request: NewThread,
  tid: number,
): Generator<Request, Made, number> {
  const { made, emptyProcess } = createThread(kernel, request, tid);
  if (emptyProcess !== undefined)
    yield* kernel.routines.TerminateProcess(emptyProcess, made as number);
  return typeof made === 'number' ? made : yield* announce(kernel, made);
}

function forgetThread({ state }: WslKernel, thread: LinuxThread): void {
  const { tid, process } = thread;
  state.threads.delete(tid);
  process.threads.delete(tid);
  state.freeEvent(thread.event);
}

interface CloneArguments {
  readonly flags: number;
  readonly stack: number;
  readonly parentTid: number;
  readonly childTid: number;
  readonly tls: number;
}

/** Of a new group: what it has of its parent's. */
function childProcess(kernel: WslKernel, { process }: LinuxThread, flags: number): LinuxProcess {
  const files: FileTable =
    (flags & CLONE.FILES) === 0 ? process.files.fork() : process.files.share();
  const parent = (flags & CLONE.PARENT) === 0 ? process : process.parent;
  const exitSignal = flags & CLONE.ExitSignal;
  const child = new LinuxProcess(kernel.state.newId(), parent, files, exitSignal, process.image);
  child.pgid = process.pgid;
  child.sid = process.sid;
  child.actions = [...process.actions];
  child.code = process.code;
  return child;
}

/** Where its local storage is; a CPU core has been told by its clone. */
function setThreadBase({ guest, kthread }: LinuxThread, base: number): void {
  const registers = kthread?.userRegisters;
  if (registers !== undefined && !('run' in guest)) registers.fsBase = base;
}

/** What a child has of its parent, before it starts. */
function inherit(
  thread: LinuxThread,
  made: LinuxThread,
  { flags, parentTid, childTid, tls }: CloneArguments,
): void {
  made.mask = thread.mask;
  made.nice = thread.nice;
  made.policy = thread.policy;
  made.realtimePriority = thread.realtimePriority;
  if (made.nice !== 0 || made.policy !== 0) applyPriority(made);
  const threadBase = (flags & CLONE.SETTLS) === 0 ? thread.kthread?.userRegisters?.fsBase : tls;
  if (threadBase !== undefined && threadBase !== 0) setThreadBase(made, threadBase);
  if ((flags & CLONE.PARENT_SETTID) !== 0) writeInt(thread.memory, parentTid, made.tid);
  if ((flags & CLONE.CHILD_SETTID) !== 0) writeInt(made.memory, childTid, made.tid);
  if ((flags & CLONE.CHILD_CLEARTID) !== 0) made.clearChildTid = childTid;
  const { process } = made;
  if (process !== thread.process) process.parent?.children.add(process);
  made.kthread?.start();
}

/** The rest of a clone of which somebody is to be told, or whose parent waits, or that has failed. */
function* cloneRest(
  kernel: WslKernel,
  thread: LinuxThread,
  created: ReturnType<typeof createThread>,
  process: LinuxProcess,
  given: CloneArguments,
): LinuxCode {
  const { emptyProcess } = created;
  if (emptyProcess !== undefined) yield* kernel.routines.TerminateProcess(emptyProcess, 0);
  const { made: first } = created;
  const made = typeof first === 'number' ? first : yield* announce(kernel, first);
  if (typeof made === 'number') {
    if (process.kprocess === undefined) process.files.leave();
    return -made;
  }
  inherit(thread, made, given);
  if ((given.flags & CLONE.VFORK) !== 0) yield* untilExecuted(thread, process);
  return made.tid;
}

function cloneWith(kernel: WslKernel, thread: LinuxThread, given: CloneArguments): LinuxResult {
  const { flags, stack, tls } = given;
  const cloned = thread.guest.clone({
    sharedMemory: (flags & CLONE.VM) !== 0,
    stack,
    tls: (flags & CLONE.SETTLS) === 0 ? undefined : tls,
  });
  if (cloned === undefined) return -ERRNO.EINVAL;
  const sameGroup = (flags & CLONE.THREAD) !== 0;
  const process = sameGroup ? thread.process : childProcess(kernel, thread, flags);
  const tid = sameGroup ? kernel.state.newId() : process.pid;
  const { body, guest, prepare } = cloned;
  const created = createThread(kernel, { process, body, guest, prepare }, tid);
  const { made } = created;
  const waits = (flags & CLONE.VFORK) !== 0 || hasListeners(processManager(kernel.machine));
  if (typeof made === 'number' || waits) return cloneRest(kernel, thread, created, process, given);
  inherit(thread, made, given);
  return tid;
}

/** vfork: the parent waits until its child has another image or has ended, or for a signal. */
function* untilExecuted(
  thread: LinuxThread,
  child: LinuxProcess,
): Generator<Request, void, number> {
  while (!child.executed && !child.zombie) {
    if ((yield* child.vforkDone.sleep(thread)) !== 0) return;
  }
}

/** clone(2). */
export function clone(
  kernel: WslKernel,
  thread: LinuxThread,
  flags: number,
  stack: number,
  parentTid: number,
  childTid: number,
  tls: number,
): LinuxResult {
  const has = (flag: CLONE) => (flags & flag) !== 0;
  if (has(CLONE.THREAD) && !has(CLONE.SIGHAND)) return -ERRNO.EINVAL;
  if (has(CLONE.SIGHAND) && !has(CLONE.VM)) return -ERRNO.EINVAL;
  return cloneWith(kernel, thread, { flags, stack, parentTid, childTid, tls });
}

export const fork = (kernel: WslKernel, thread: LinuxThread): LinuxResult =>
  clone(kernel, thread, SIG.CHLD, 0, 0, 0, 0);

export const vfork = (kernel: WslKernel, thread: LinuxThread): LinuxResult =>
  clone(kernel, thread, CLONE.VM | CLONE.VFORK | SIG.CHLD, 0, 0, 0, 0);

/** exit(2): the thread ends on its way to user mode. */
export function exit(thread: LinuxThread, code: number): LinuxResult {
  const { process, kthread, tid } = thread;
  if (tid === process.pid) process.leaderCode = code & 0xff;
  kthread?.terminate(code & 0xff);
  return 0;
}

export function exitGroup({ process }: LinuxThread, code: number): LinuxResult {
  endGroup(process, (code & 0xff) << 8, code & 0xff);
  return 0;
}

const INT_MAX = 0x7fffffff;

/** A thread of NT's has come to its end. */
export function threadExited(kernel: WslKernel, thread: LinuxThread): void {
  const { process, clearChildTid, memory, signalApc, kthread } = thread;
  if (kthread !== undefined) process.endedUsage.addEnding(kthread);
  if (clearChildTid !== 0 && writeInt(memory, clearChildTid, 0))
    kernel.state.futexes.wake(thread, clearChildTid, INT_MAX, FUTEX_ANY);
  if (signalApc?.exists === true) signalApc.delete();
  forgetThread(kernel, thread);
  process.changes.wakeAll();
}

const FUTEX_ANY = -1;

/** A process has no thread any more: it is a zombie until somebody waits for it, if anybody will. */
export function processExited(kernel: WslKernel, process: LinuxProcess): void {
  process.files.leave();
  process.exitStatus ??= process.leaderCode << 8;
  process.zombie = true;
  process.vforkDone.wakeAll();
  if (process.isParent) leaveChildren(kernel, process);
  const { parent, exitSignal } = process;
  if (parent?.children.has(process) !== true || kernel.discardsChildren(parent)) {
    reap(kernel, process);
    parent?.changes.wakeAll();
    return;
  }
  parent.changes.wakeAll();
  if (exitSignal !== 0) {
    const info = childInfo(process.pid, process.exitStatus);
    sendSignal(parent, { ...info, signal: exitSignal }, undefined);
  }
}

/** The children of a process that has ended are those of init, if there is one. */
function leaveChildren(kernel: WslKernel, process: LinuxProcess): void {
  const init = kernel.state.processes.get(1);
  const heir = init === process || init?.zombie === true ? undefined : init;
  for (const child of process.children) {
    child.parent = heir;
    if (heir !== undefined) heir.children.add(child);
    if (child.zombie && heir === undefined) kernel.state.processes.delete(child.pid);
  }
  process.children.clear();
  heir?.changes.wakeAll();
}

/** Nothing is left of a process: its id may be another's. */
export function reap(kernel: WslKernel, process: LinuxProcess): void {
  process.parent?.children.delete(process);
  kernel.state.processes.delete(process.pid);
  kernel.onReaped(process);
}

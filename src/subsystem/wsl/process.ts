import { STATUS } from '../../../assembly/shared/status';
import type { Request } from '../../machine/generator';
import { currentGuest } from '../../machine/guest';
import type { ThreadBody } from '../../machine/machine';
import type { KThread } from '../../machine/views';
import { hasListeners } from '../../ps/create';
import { processManager } from '../../ps/manager';
import { announcePicoThread, newPicoProcess, newPicoThread } from '../routines';
import { CLONE, SIG } from './abi';
import { ERRNO } from './errno';
import type { FileTable } from './file';
import type { LinuxGuest } from './guest';
import { writeInt } from './memory';
import { applyPriority } from './sched';
import { endGroup, sendSignal } from './signal';
import type { WslKernel } from './kernel';
import { LinuxProcess, type LinuxResult, LinuxThread } from './state';

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

/** A thread of Linux with one of NT's, which has not been started. Its process gets one too, if it has none. */
export function* makeThread(
  kernel: WslKernel,
  { process, body, guest, prepare }: NewThread,
  tid: number,
): Generator<Request, Made, number> {
  const { state, routines } = kernel;
  const event = state.newEvent();
  if (event === undefined) return ERRNO.EAGAIN;
  const thread = new LinuxThread(tid, process, guest, event);
  const { thread: creator } = currentGuest('makeThread');
  const { machine } = state;
  if (process.kprocess === undefined) {
    const identity = kernel.identityOf(process);
    const made = newPicoProcess(creator, {
      ParentProcess: process.parent?.kprocess ?? machine.systemProcess,
      Context: process,
      FileObject: identity.FileObject ?? null,
      ImageFileName: identity.ImageFileName ?? null,
      CommandLine: identity.CommandLine ?? null,
    });
    if (made.process === undefined) {
      state.freeEvent(event);
      return errnoOf(made.status);
    }
    process.kprocess = made.process;
    state.processes.set(process.pid, process);
  }
  state.threads.set(tid, thread);
  process.threads.set(tid, thread);
  let made = newPicoThread({
    Process: process.kprocess,
    Context: thread,
    StartRoutine: body,
    Name: `${process.image.path} ${tid}`,
  });
  machine.addHostCost(MAKING_DDIS * machine.profile.costs.ddi);
  if (made.thread !== undefined && hasListeners(processManager(machine)))
    made = yield* announcePicoThread(made.thread);
  if (made.thread !== undefined) {
    thread.kthread = made.thread;
    prepare?.(made.thread);
    return thread;
  }
  if (made.refused !== true) {
    forgetThread(kernel, thread);
    if (process.threads.size === 0) yield* routines.TerminateProcess(process.kprocess, made.status);
  }
  return errnoOf(made.status);
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

function* cloneSteps(
  kernel: WslKernel,
  thread: LinuxThread,
  { flags, stack, parentTid, childTid, tls }: CloneArguments,
): Generator<Request, number, number> {
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
  const made = yield* makeThread(kernel, { process, body, guest, prepare }, tid);
  if (typeof made === 'number') {
    if (process.kprocess === undefined) process.files.leave();
    return -made;
  }
  made.mask = thread.mask;
  made.nice = thread.nice;
  made.policy = thread.policy;
  made.realtimePriority = thread.realtimePriority;
  if (made.nice !== 0 || made.policy !== 0) applyPriority(made);
  if ((flags & CLONE.PARENT_SETTID) !== 0) writeInt(thread.memory, parentTid, tid);
  if ((flags & CLONE.CHILD_SETTID) !== 0) writeInt(guest.memory, childTid, tid);
  if ((flags & CLONE.CHILD_CLEARTID) !== 0) made.clearChildTid = childTid;
  if (!sameGroup) process.parent?.children.add(process);
  made.kthread?.start();
  if ((flags & CLONE.VFORK) !== 0) yield* untilExecuted(thread, process);
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
  return cloneSteps(kernel, thread, { flags, stack, parentTid, childTid, tls });
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
  process.endedRunTimeNs += kthread?.runTimeNs ?? 0;
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
  const init = kernel.state.processes.get(1);
  const heir = init === process || init?.zombie === true ? undefined : init;
  for (const child of process.children) {
    child.parent = heir;
    if (heir !== undefined) heir.children.add(child);
    if (child.zombie && heir === undefined) kernel.state.processes.delete(child.pid);
  }
  process.children.clear();
  heir?.changes.wakeAll();
  const { parent, exitSignal } = process;
  if (parent?.children.has(process) !== true || kernel.discardsChildren(parent)) {
    reap(kernel, process);
    parent?.changes.wakeAll();
    return;
  }
  parent.changes.wakeAll();
  if (exitSignal !== 0) sendSignal(parent, exitSignal, undefined);
}

/** Nothing is left of a process: its id may be another's. */
export function reap(kernel: WslKernel, process: LinuxProcess): void {
  process.parent?.children.delete(process);
  kernel.state.processes.delete(process.pid);
  kernel.onReaped(process);
}

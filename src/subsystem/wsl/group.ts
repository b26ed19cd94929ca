import { writeInt } from './memory';
import { IDTYPE, WAIT } from './abi';
import { ERRNO } from './errno';
import type { WslKernel } from './kernel';
import { reap } from './process';
import { CONTINUED_STATUS, childInfo, encodeSigInfo, SIGINFO_BYTES } from './siginfo';
import type { LinuxCode, LinuxProcess, LinuxResult, LinuxState, LinuxThread } from './state';
import { Usage, writeUsage } from './usage';
import { WOKEN } from './wait-queue';

/** Ids, process groups and sessions, and waiting for children. */

/** Which children are meant, as wait4 says it: an id, -1 for any, 0 or below -1 for a group. */
interface Wanted {
  readonly pid: number;
  /** EXITED, UNTRACED and CONTINUED of WAIT: what is told of them. */
  readonly kinds: number;
  /** WNOWAIT: it may be waited for again. */
  readonly leave: boolean;
}

/** Whether a child is meant. */
function isWanted(child: LinuxProcess, { pid }: Wanted, caller: LinuxProcess): boolean {
  if (pid > 0) return child.pid === pid;
  if (pid === -1) return true;
  return child.pgid === (pid === 0 ? caller.pgid : -pid);
}

/** Tells of a child and its status: what the call returns, an error number below 0 if that cannot be written. */
type Tell = (child: LinuxProcess, status: number) => number;

/** What there is to tell of a child; undefined: nothing. */
function statusOf({ zombie, exitStatus, jobChange }: LinuxProcess, kinds: number) {
  if (zombie) return (kinds & WAIT.EXITED) === 0 ? undefined : (exitStatus ?? 0);
  if (jobChange === undefined) return undefined;
  const kind = jobChange === CONTINUED_STATUS ? WAIT.CONTINUED : WAIT.UNTRACED;
  return (kinds & kind) === 0 ? undefined : jobChange;
}

/** What a wait has come to; undefined: of no child that is meant there is anything to tell yet. */
function tryWait(
  kernel: WslKernel,
  { process }: LinuxThread,
  wanted: Wanted,
  tell: Tell,
): number | undefined {
  let some = false;
  for (const child of process.children) {
    if (!isWanted(child, wanted, process)) continue;
    some = true;
    const status = statusOf(child, wanted.kinds);
    if (status === undefined) continue;
    const result = tell(child, status);
    if (result < 0 || wanted.leave) return result;
    child.jobChange = undefined;
    if (!child.zombie) return result;
    process.childUsage ??= new Usage();
    process.childUsage.add(child.endedUsage);
    if (child.childUsage !== undefined) process.childUsage.add(child.childUsage);
    reap(kernel, child);
    return result;
  }
  return some ? undefined : -ERRNO.ECHILD;
}

function* waitFor(kernel: WslKernel, thread: LinuxThread, wanted: Wanted, tell: Tell): LinuxCode {
  for (;;) {
    const why = yield* thread.process.changes.sleep(thread);
    const found = tryWait(kernel, thread, wanted, tell);
    if (found !== undefined) return found;
    if (why === WOKEN.Interrupted) return -ERRNO.ERESTARTSYS;
  }
}

const COMMON = WAIT.NOHANG | WAIT.UNTRACED | WAIT.CONTINUED | WAIT.NOTHREAD | WAIT.ALL | WAIT.CLONE;

/** wait4(2). */
export function wait4(
  kernel: WslKernel,
  thread: LinuxThread,
  pid: number,
  status: number,
  options: number,
  usage: number,
): LinuxResult {
  if ((options & ~COMMON) !== 0) return -ERRNO.EINVAL;
  const { memory } = thread;
  const kinds = WAIT.EXITED | (options & (WAIT.UNTRACED | WAIT.CONTINUED));
  const wanted = { pid, kinds, leave: false };
  const tell = (child: LinuxProcess, what: number) => {
    if (status !== 0 && !writeInt(memory, status, what)) return -ERRNO.EFAULT;
    if (usage !== 0 && !writeUsage(memory, usage, usageWithChildren(child))) return -ERRNO.EFAULT;
    return child.pid;
  };
  const found = tryWait(kernel, thread, wanted, tell);
  if (found !== undefined) return found;
  if ((options & WAIT.NOHANG) !== 0) return 0;
  return waitFor(kernel, thread, wanted, tell);
}

/** What wait tells of a child: it, and children that it has waited for. */
function usageWithChildren({ endedUsage, childUsage }: LinuxProcess): Usage {
  const usage = new Usage();
  usage.add(endedUsage);
  if (childUsage !== undefined) usage.add(childUsage);
  return usage;
}

/** The id of wait4 that an id of waitid is; undefined: it is none. */
function pidOfId(type: number, id: number): number | undefined {
  if (type === IDTYPE.P_ALL) return -1;
  if (type === IDTYPE.P_PID) return id > 0 ? id : undefined;
  if (type !== IDTYPE.P_PGID || id < 0) return undefined;
  return id === 0 ? 0 : -id;
}

/** waitid(2): a siginfo_t, all of it 0 if there is nothing to tell. */
export function waitid(
  kernel: WslKernel,
  thread: LinuxThread,
  type: number,
  id: number,
  address: number,
  options: number,
  usage: number,
): LinuxResult {
  const pid = pidOfId(type, id);
  const kinds = options & (WAIT.EXITED | WAIT.UNTRACED | WAIT.CONTINUED);
  const unknown = options & ~(COMMON | WAIT.EXITED | WAIT.NOWAIT);
  if (pid === undefined || unknown !== 0 || kinds === 0) return -ERRNO.EINVAL;
  const { memory } = thread;
  const wanted = { pid, kinds, leave: (options & WAIT.NOWAIT) !== 0 };
  const tell = (child: LinuxProcess, status: number) => {
    const info = encodeSigInfo(childInfo(child.pid, status));
    if (address !== 0 && !memory.write(address, info)) return -ERRNO.EFAULT;
    if (usage !== 0 && !writeUsage(memory, usage, usageWithChildren(child))) return -ERRNO.EFAULT;
    return 0;
  };
  const found = tryWait(kernel, thread, wanted, tell);
  if (found !== undefined) return found;
  if ((options & WAIT.NOHANG) === 0) return waitFor(kernel, thread, wanted, tell);
  return noneYet(thread, address);
}

function noneYet({ memory }: LinuxThread, address: number): number {
  const none = new Uint8Array(SIGINFO_BYTES);
  return address === 0 || memory.write(address, none) ? 0 : -ERRNO.EFAULT;
}

const processOf = (state: LinuxState, { process }: LinuxThread, pid: number) =>
  pid === 0 ? process : state.processes.get(pid);

/** setpgid(2): of the caller or a child that has not done execve, to a group of the same session. */
export function setpgid(
  state: LinuxState,
  thread: LinuxThread,
  pid: number,
  group: number,
): LinuxResult {
  if (group < 0) return -ERRNO.EINVAL;
  const caller = thread.process;
  const target = processOf(state, thread, pid);
  if (target === undefined || (target !== caller && target.parent !== caller)) return -ERRNO.ESRCH;
  if (target.sid !== caller.sid) return -ERRNO.EPERM;
  if (target !== caller && target.executed) return -ERRNO.EACCES;
  if (target.sid === target.pid) return -ERRNO.EPERM;
  const wanted = group === 0 ? target.pid : group;
  const exists = [...state.processes.values()].some(
    ({ pgid, sid }) => pgid === wanted && sid === caller.sid,
  );
  if (wanted !== target.pid && !exists) return -ERRNO.EPERM;
  target.pgid = wanted;
  return 0;
}

export function getpgid(state: LinuxState, thread: LinuxThread, pid: number): LinuxResult {
  return processOf(state, thread, pid)?.pgid ?? -ERRNO.ESRCH;
}

export function getsid(state: LinuxState, thread: LinuxThread, pid: number): LinuxResult {
  return processOf(state, thread, pid)?.sid ?? -ERRNO.ESRCH;
}

/** setsid(2): of a process that leads no group. */
export function setsid(state: LinuxState, { process }: LinuxThread): LinuxResult {
  const { pid } = process;
  const leads = [...state.processes.values()].some(({ pgid }) => pgid === pid);
  if (leads) return -ERRNO.EPERM;
  process.sid = pid;
  process.pgid = pid;
  return pid;
}

import { writeInt } from './memory';
import { WAIT } from './abi';
import { ERRNO } from './errno';
import type { WslKernel } from './kernel';
import { reap } from './process';
import type { LinuxCode, LinuxProcess, LinuxResult, LinuxState, LinuxThread } from './state';
import { WOKEN } from './wait-queue';

/** Ids, process groups and sessions, and waiting for children. */

/** Whether wait4 means a child by an id. */
function isWanted(child: LinuxProcess, pid: number, caller: LinuxProcess): boolean {
  if (pid > 0) return child.pid === pid;
  if (pid === -1) return true;
  return child.pgid === (pid === 0 ? caller.pgid : -pid);
}

/** sizeof(struct rusage). */
const RUSAGE_BYTES = 144;

/** A child that has ended, waited for; 0: none has yet. */
function tryWait(
  kernel: WslKernel,
  { process, memory }: LinuxThread,
  pid: number,
  status: number,
  usage: number,
): number {
  let wanted = false;
  for (const child of process.children) {
    if (!isWanted(child, pid, process)) continue;
    wanted = true;
    if (!child.zombie) continue;
    if (status !== 0 && !writeInt(memory, status, child.exitStatus ?? 0)) return -ERRNO.EFAULT;
    // Resources are not counted.
    if (usage !== 0 && !memory.write(usage, new Uint8Array(RUSAGE_BYTES))) return -ERRNO.EFAULT;
    reap(kernel, child);
    return child.pid;
  }
  return wanted ? 0 : -ERRNO.ECHILD;
}

function* waitFor(
  kernel: WslKernel,
  thread: LinuxThread,
  pid: number,
  status: number,
  usage: number,
): LinuxCode {
  for (;;) {
    const why = yield* thread.process.changes.sleep(thread);
    const found = tryWait(kernel, thread, pid, status, usage);
    if (found !== 0) return found;
    if (why === WOKEN.Interrupted) return -ERRNO.ERESTARTSYS;
  }
}

/** Options of wait4 that there are; those about stopped children are taken, and never told of one. */
const OPTIONS = WAIT.NOHANG | WAIT.UNTRACED | WAIT.CONTINUED | 0x20000000 | 0x40000000 | 0x80000000;

/** wait4(2). */
export function wait4(
  kernel: WslKernel,
  thread: LinuxThread,
  pid: number,
  status: number,
  options: number,
  usage: number,
): LinuxResult {
  if ((options & ~OPTIONS) !== 0) return -ERRNO.EINVAL;
  const found = tryWait(kernel, thread, pid, status, usage);
  if (found !== 0 || (options & WAIT.NOHANG) !== 0) return found;
  return waitFor(kernel, thread, pid, status, usage);
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
  if (target !== caller && target.executed) return -ERRNO.EACCES;
  if (target.sid === target.pid || target.sid !== caller.sid) return -ERRNO.EPERM;
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

import { PS_PICO_THREAD_DESCRIPTOR_TYPE } from '../routines';
import { ARCH, MAP, SYS } from './abi';
import { ERRNO } from './errno';
import { execve } from './execute';
import { close, dup, dup2, dup3, fcntl } from './file';
import { futex } from './futex';
import { getpgid, getsid, setpgid, setsid, wait4, waitid } from './group';
import { poll, ppoll, read, write } from './io';
import type { WslKernel } from './kernel';
import { AddressSpace, PAGE_BYTES, SharedPages, USER_END, writeLong } from './memory';
import { eventfd2, pipe2 } from './pipe';
import { clone, exit, exitGroup, fork, vfork } from './process';
import {
  getpriority,
  schedGetparam,
  schedGetscheduler,
  schedPriorityLimit,
  schedSetscheduler,
  schedYield,
  setpriority,
} from './sched';
import { kill, tgkill } from './signal';
import {
  pause,
  rtSigaction,
  rtSigpending,
  rtSigprocmask,
  rtSigreturn,
  rtSigsuspend,
  rtSigtimedwait,
} from './signal-calls';
import type { LinuxResult, LinuxThread } from './state';
import { clockGetres, clockGettime, clockNanosleep, gettimeofday, nanosleep, time } from './time';

import { getrusage, times } from './usage';

/** The system calls by number. Arguments are registers: what is an int is taken as one here. */

export type LinuxSystemCall = (
  kernel: WslKernel,
  thread: LinuxThread,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
) => LinuxResult;

const MMAP_BASE = 0x1000_0000;

/** Anonymous memory of an address space of ntps. */
function mmap({ memory }: LinuxThread, address: number, size: number, flags: number): LinuxResult {
  const anonymous = (flags & MAP.ANONYMOUS) !== 0 && (flags & (MAP.SHARED | MAP.PRIVATE)) !== 0;
  if (!(memory instanceof AddressSpace) || !anonymous) return -ERRNO.ENOSYS;
  if (size <= 0 || address % PAGE_BYTES !== 0) return -ERRNO.EINVAL;
  const bytes = Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
  const fixed = (flags & MAP.FIXED) !== 0;
  const at = fixed ? address : memory.findFree(MMAP_BASE, bytes);
  if (at === undefined || at < PAGE_BYTES || at + bytes > USER_END) return -ERRNO.ENOMEM;
  memory.map(at, bytes, (flags & MAP.SHARED) === 0 ? undefined : new SharedPages());
  return at;
}

function munmap({ memory }: LinuxThread, address: number, size: number): LinuxResult {
  if (!(memory instanceof AddressSpace)) return -ERRNO.ENOSYS;
  const inside = address >= 0 && size > 0 && address + size <= USER_END;
  if (!inside || address % PAGE_BYTES !== 0) return -ERRNO.EINVAL;
  memory.unmap(address, Math.ceil(size / PAGE_BYTES) * PAGE_BYTES);
  return 0;
}

/** arch_prctl(2): where segments begin. */
function archPrctl(
  { routines }: WslKernel,
  { kthread, memory }: LinuxThread,
  code: number,
  address: number,
): LinuxResult {
  if (code < ARCH.SET_GS || code > ARCH.GET_GS) return -ERRNO.EINVAL;
  const fs = code === ARCH.SET_FS || code === ARCH.GET_FS;
  const registers = kthread?.userRegisters;
  const base = fs ? registers?.fsBase : registers?.gsBase;
  if (base === undefined) return -ERRNO.ENOSYS;
  if (code === ARCH.GET_FS || code === ARCH.GET_GS)
    return writeLong(memory, address, base) ? 0 : -ERRNO.EFAULT;
  if (address < 0 || address >= USER_END) return -ERRNO.EPERM;
  routines.SetThreadDescriptorBase(
    fs
      ? PS_PICO_THREAD_DESCRIPTOR_TYPE.PicoThreadDescriptorTypeFs
      : PS_PICO_THREAD_DESCRIPTOR_TYPE.PicoThreadDescriptorTypeGs,
    address,
  );
  return 0;
}

function setTidAddress(thread: LinuxThread, address: number): LinuxResult {
  thread.clearChildTid = address;
  return thread.tid;
}

/** Everybody is root. */
const root: LinuxSystemCall = () => 0;

const NUMBERED: Readonly<Record<number, LinuxSystemCall>> = {
  [SYS.read]: (_k, t, a, b, c) => read(t, a | 0, b, c),
  [SYS.write]: (_k, t, a, b, c) => write(t, a | 0, b, c),
  [SYS.close]: (_k, t, a) => close(t, a | 0),
  [SYS.poll]: (k, t, a, b, c) => poll(k.state, t, a, b, c),
  [SYS.ppoll]: (k, t, a, b, c, d) => ppoll(k.state, t, a, b, c, d),
  [SYS.mmap]: (_k, t, a, b, _c, d) => mmap(t, a, b, d | 0),
  [SYS.munmap]: (_k, t, a, b) => munmap(t, a, b),
  [SYS.rt_sigaction]: (_k, t, a, b, c, d) => rtSigaction(t, a | 0, b, c, d),
  [SYS.rt_sigprocmask]: (_k, t, a, b, c, d) => rtSigprocmask(t, a | 0, b, c, d),
  [SYS.rt_sigreturn]: (_k, t) => rtSigreturn(t),
  [SYS.rt_sigpending]: (_k, t, a, b) => rtSigpending(t, a, b),
  [SYS.rt_sigsuspend]: (_k, t, a, b) => rtSigsuspend(t, a, b),
  [SYS.rt_sigtimedwait]: (k, t, a, b, c, d) => rtSigtimedwait(k.state, t, a, b, c, d),
  [SYS.pause]: (_k, t) => pause(t),
  [SYS.kill]: (k, t, a, b) => kill(k.state, t, a | 0, b | 0),
  [SYS.tkill]: (k, t, a, b) => tgkill(k.state, t, 0, a | 0, b | 0),
  [SYS.tgkill]: (k, t, a, b, c) =>
    (a | 0) <= 0 ? -ERRNO.EINVAL : tgkill(k.state, t, a | 0, b | 0, c | 0),
  [SYS.pipe]: (_k, t, a) => pipe2(t, a, 0),
  [SYS.pipe2]: (_k, t, a, b) => pipe2(t, a, b | 0),
  [SYS.eventfd]: (_k, t, a) => eventfd2(t, a, 0),
  [SYS.eventfd2]: (_k, t, a, b) => eventfd2(t, a, b | 0),
  [SYS.dup]: (_k, t, a) => dup(t, a | 0),
  [SYS.dup2]: (_k, t, a, b) => dup2(t, a | 0, b | 0),
  [SYS.dup3]: (_k, t, a, b, c) => dup3(t, a | 0, b | 0, c | 0),
  [SYS.fcntl]: (_k, t, a, b, c) => fcntl(t, a | 0, b | 0, c),
  [SYS.getpid]: (_k, t) => t.process.pid,
  [SYS.gettid]: (_k, t) => t.tid,
  [SYS.getppid]: (_k, t) => t.process.parent?.pid ?? 0,
  [SYS.getpgrp]: (_k, t) => t.process.pgid,
  [SYS.getpgid]: (k, t, a) => getpgid(k.state, t, a | 0),
  [SYS.setpgid]: (k, t, a, b) => setpgid(k.state, t, a | 0, b | 0),
  [SYS.getsid]: (k, t, a) => getsid(k.state, t, a | 0),
  [SYS.setsid]: (k, t) => setsid(k.state, t),
  [SYS.getuid]: root,
  [SYS.getgid]: root,
  [SYS.geteuid]: root,
  [SYS.getegid]: root,
  [SYS.clone]: clone,
  [SYS.fork]: fork,
  [SYS.vfork]: vfork,
  [SYS.execve]: execve,
  [SYS.exit]: (_k, t, a) => exit(t, a),
  [SYS.exit_group]: (_k, t, a) => exitGroup(t, a),
  [SYS.waitid]: (k, t, a, b, c, d, e) => waitid(k, t, a | 0, b | 0, c, d, e),
  [SYS.getrusage]: (_k, t, a, b) => getrusage(t, a | 0, b),
  [SYS.times]: (k, t, a) => times(k.state, t, a),
  [SYS.wait4]: (k, t, a, b, c, d) => wait4(k, t, a | 0, b, c, d),
  [SYS.arch_prctl]: (k, t, a, b) => archPrctl(k, t, a, b),
  [SYS.set_tid_address]: (_k, t, a) => setTidAddress(t, a),
  [SYS.futex]: (k, t, a, b, c, d, e, f) => futex(k.state, t, a, b, c, d, e, f),
  [SYS.nanosleep]: (k, t, a, b) => nanosleep(k.state, t, a, b),
  [SYS.clock_nanosleep]: (k, t, a, b, c, d) => clockNanosleep(k.state, t, a, b, c, d),
  [SYS.clock_gettime]: (k, t, a, b) => clockGettime(k.state, t, a, b),
  [SYS.clock_getres]: (k, t, a, b) => clockGetres(k.state, t, a, b),
  [SYS.gettimeofday]: (k, t, a) => gettimeofday(k.state, t, a),
  [SYS.time]: (k, t, a) => time(k.state, t, a),
  [SYS.sched_yield]: () => schedYield(),
  [SYS.getpriority]: (k, t, a, b) => getpriority(k.state, t, a | 0, b | 0),
  [SYS.setpriority]: (k, t, a, b, c) => setpriority(k.state, t, a | 0, b | 0, c),
  [SYS.sched_setscheduler]: (k, t, a, b, c) => schedSetscheduler(k.state, t, a | 0, b | 0, c),
  [SYS.sched_setparam]: (k, t, a, b) => schedSetscheduler(k.state, t, a | 0, undefined, b),
  [SYS.sched_getscheduler]: (k, t, a) => schedGetscheduler(k.state, t, a | 0),
  [SYS.sched_getparam]: (k, t, a, b) => schedGetparam(k.state, t, a | 0, b),
  [SYS.sched_get_priority_min]: (_k, _t, a) => schedPriorityLimit(a | 0, 0),
  [SYS.sched_get_priority_max]: (_k, _t, a) => schedPriorityLimit(a | 0, 1),
};

/** Dense, so that finding one is an index. */
export const SYSTEM_CALLS: readonly (LinuxSystemCall | undefined)[] = Array.from(
  { length: Math.max(...Object.keys(NUMBERED).map(Number)) + 1 },
  (_, number) => NUMBERED[number],
);

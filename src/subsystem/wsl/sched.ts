import { NtYieldExecution } from '../../ke/time';
import { PRIO, SCHED } from './abi';
import { ERRNO } from './errno';
import { readInt, writeInt } from './memory';
import type { LinuxCode, LinuxProcess, LinuxState, LinuxThread } from './state';

/**
 * Scheduling. Niceness -20 to 19 is a base priority of 15 to 1, 0 is 8; SCHED_IDLE is 1; real-time
 * priorities 1 to 99 are 16 to 31. Deviations: shares of CPU time follow NT's priorities, not weights;
 * SCHED_FIFO has a quantum, as every thread of NT has.
 */

const DEFAULT_BASE = 8;

/** What is added to the base priority of the process. */
export function incrementOf(nice: number): number {
  if (nice < 0) return Math.ceil((-nice * 7) / 20);
  return nice === 0 ? 0 : -Math.ceil((nice * 7) / 19);
}

/** The priority of a real-time one of Linux. */
export const realtimePriority = (priority: number) => 16 + Math.floor(((priority - 1) * 15) / 98);

const isRealtime = (policy: number) => policy === SCHED.FIFO || policy === SCHED.RR;

/** Gives a thread the priority that its policy and niceness say. */
export function applyPriority({ kthread, policy, realtimePriority: priority, nice }: LinuxThread) {
  if (kthread === undefined) return;
  if (isRealtime(policy)) {
    kthread.setPriority(realtimePriority(priority));
    return;
  }
  const base = kthread.process.basePriority;
  const increment = policy === SCHED.IDLE ? 1 - DEFAULT_BASE : incrementOf(nice);
  kthread.setBasePriority(increment + DEFAULT_BASE - base);
  kthread.setPriority(kthread.basePriority);
}

export function* schedYield(): LinuxCode {
  yield* NtYieldExecution();
  return 0;
}

/** The threads that getpriority and setpriority mean. */
function chosen(
  state: LinuxState,
  { tid, process }: LinuxThread,
  which: number,
  who: number,
): LinuxThread[] | undefined {
  const all = [...state.threads.values()];
  const threadsOf = (keep: (process: LinuxProcess) => boolean) =>
    all.filter((thread) => keep(thread.process));
  switch (which) {
    case PRIO.PROCESS:
      return all.filter((thread) => thread.tid === (who === 0 ? tid : who));
    case PRIO.PGRP:
      return threadsOf(({ pgid }) => pgid === (who === 0 ? process.pgid : who));
    case PRIO.USER:
      return who === 0 ? all : [];
    default:
      return undefined;
  }
}

/** 1 to 40: 20 minus the lowest niceness. */
export function getpriority(
  state: LinuxState,
  thread: LinuxThread,
  which: number,
  who: number,
): number {
  const threads = chosen(state, thread, which, who);
  if (threads === undefined) return -ERRNO.EINVAL;
  if (threads.length === 0) return -ERRNO.ESRCH;
  return 20 - Math.min(...threads.map(({ nice }) => nice));
}

export function setpriority(
  state: LinuxState,
  thread: LinuxThread,
  which: number,
  who: number,
  nice: number,
): number {
  const threads = chosen(state, thread, which, who);
  if (threads === undefined) return -ERRNO.EINVAL;
  if (threads.length === 0) return -ERRNO.ESRCH;
  for (const each of threads) {
    each.nice = Math.max(-20, Math.min(19, nice | 0));
    applyPriority(each);
  }
  return 0;
}

const byId = (state: LinuxState, thread: LinuxThread, tid: number) =>
  tid === 0 ? thread : state.threads.get(tid);

/** The priorities that a policy has: undefined for one that is none. */
function rangeOf(policy: number): readonly [number, number] | undefined {
  if (isRealtime(policy)) return [1, 99];
  const known = policy === SCHED.OTHER || policy === SCHED.BATCH || policy === SCHED.IDLE;
  return known ? [0, 0] : undefined;
}

export function schedSetscheduler(
  state: LinuxState,
  thread: LinuxThread,
  tid: number,
  policy: number | undefined,
  address: number,
): number {
  if (tid < 0 || address === 0) return -ERRNO.EINVAL;
  const target = byId(state, thread, tid);
  if (target === undefined) return -ERRNO.ESRCH;
  const wanted = policy === undefined ? target.policy : policy & ~SCHED.RESET_ON_FORK;
  const priority = readInt(thread.memory, address);
  if (priority === undefined) return -ERRNO.EFAULT;
  const range = rangeOf(wanted);
  if (range === undefined || priority < range[0] || priority > range[1]) return -ERRNO.EINVAL;
  target.policy = wanted;
  target.realtimePriority = priority;
  applyPriority(target);
  return 0;
}

export function schedGetscheduler(state: LinuxState, thread: LinuxThread, tid: number): number {
  if (tid < 0) return -ERRNO.EINVAL;
  return byId(state, thread, tid)?.policy ?? -ERRNO.ESRCH;
}

export function schedGetparam(
  state: LinuxState,
  thread: LinuxThread,
  tid: number,
  address: number,
): number {
  if (tid < 0 || address === 0) return -ERRNO.EINVAL;
  const target = byId(state, thread, tid);
  if (target === undefined) return -ERRNO.ESRCH;
  return writeInt(thread.memory, address, target.realtimePriority) ? 0 : -ERRNO.EFAULT;
}

export function schedPriorityLimit(policy: number, end: 0 | 1): number {
  return rangeOf(policy)?.[end] ?? -ERRNO.EINVAL;
}

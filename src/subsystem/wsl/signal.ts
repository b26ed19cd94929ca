import { MODE } from '../../../assembly/shared/types';
import type { ApcCall, KApc } from '../../machine/apc';
import { terminatePicoProcess } from '../terminate';
import { SA, SIG, SIG_HANDLER } from './abi';
import { ERRNO } from './errno';
import {
  CONTINUED_STATUS,
  childInfo,
  encodeSigInfo,
  SI,
  type SignalInfo,
  stoppedStatus,
} from './siginfo';
import type { LinuxProcess, LinuxResult, LinuxState, LinuxThread, SignalAction } from './state';
import { wake } from './wait-queue';

/**
 * Signals: who gets them, and what becomes of them. A handler comes as a special user APC of its thread:
 * with the next return to user mode, out of any wait of a system call. Deviation: a signal that is
 * pending is so once, real-time ones too.
 */

const BITS = Array.from({ length: SIG.Last + 1 }, (_, signal) =>
  signal === 0 ? 0n : 1n << BigInt(signal - 1),
);

export const bitOf = (signal: number): bigint => BITS[signal] as bigint;

/** What no thread can block, catch or ignore. */
const UNSTOPPABLE = bitOf(SIG.KILL) | bitOf(SIG.STOP);
const STOPS = bitOf(SIG.STOP) | bitOf(SIG.TSTP) | bitOf(SIG.TTIN) | bitOf(SIG.TTOU);
const IGNORED = bitOf(SIG.CHLD) | bitOf(SIG.CONT) | bitOf(SIG.URG) | bitOf(SIG.WINCH);

export const isSignal = (signal: number) =>
  Number.isInteger(signal) && signal >= 1 && signal <= SIG.Last;

/** What a process does with a signal. */
type Disposition = 'handle' | 'ignore' | 'stop' | 'terminate';

export function dispositionOf(process: LinuxProcess, signal: number): Disposition {
  const handler = process.actions[signal - 1]?.handler ?? SIG_HANDLER.DFL;
  const bit = bitOf(signal);
  if (handler === SIG_HANDLER.DFL || (bit & UNSTOPPABLE) !== 0n) {
    if ((bit & STOPS) !== 0n) return 'stop';
    return (bit & IGNORED) === 0n ? 'terminate' : 'ignore';
  }
  return handler === SIG_HANDLER.IGN ? 'ignore' : 'handle';
}

/** What its parent is told that a signal ended it with. */
const statusOfSignal = (signal: number) => signal;

/** Of Windows: what shells say of a process that a signal has ended. */
const ntStatusOfSignal = (signal: number) => 128 + signal;

/** Ends a thread group, with what wait4 will tell of it. Its threads end on their way to user mode. */
export function endGroup(process: LinuxProcess, waitStatus: number, ntStatus: number): void {
  if (process.exitStatus !== undefined) return;
  process.exitStatus = waitStatus;
  continueGroup(process);
  if (process.kprocess !== undefined) terminatePicoProcess(process.kprocess, ntStatus);
}

/** The same by a signal. */
export function killGroup(process: LinuxProcess, signal: number): void {
  endGroup(process, statusOfSignal(signal), ntStatusOfSignal(signal));
}

function stopGroup(process: LinuxProcess, signal: number): void {
  if (process.stopped) return;
  process.stopped = true;
  for (const { kthread } of process.threads.values()) kthread?.suspend();
  tellParent(process, stoppedStatus(signal));
}

/** A process has been stopped, or goes on. */
function tellParent(process: LinuxProcess, status: number): void {
  const { parent } = process;
  process.jobChange = status;
  if (parent === undefined) return;
  parent.changes.wakeAll();
  const flags = parent.actions[SIG.CHLD - 1]?.flags ?? 0;
  if ((flags & SA.NOCLDSTOP) === 0) sendSignal(parent, childInfo(process.pid, status), undefined);
}

function continueGroup(process: LinuxProcess): void {
  if (!process.stopped) return;
  process.stopped = false;
  for (const { kthread } of process.threads.values()) kthread?.resume();
}

/** Signals that a thread could take now. */
export function takeable({ pending, mask, process }: LinuxThread): bigint {
  return (pending | process.pending) & (~mask | UNSTOPPABLE);
}

/** Sends a signal to a thread group, or to one thread of it. */
export function sendSignal(
  process: LinuxProcess,
  info: SignalInfo,
  only: LinuxThread | undefined,
): void {
  const { signal } = info;
  if (process.exitStatus !== undefined || process.zombie) return;
  const bit = bitOf(signal);
  if (signal === SIG.CONT) {
    const { stopped } = process;
    continueGroup(process);
    if (stopped) tellParent(process, CONTINUED_STATUS);
    for (const thread of process.threads.values()) if (takeable(thread) !== 0n) notify(thread);
    dropPending(process, STOPS);
  }
  if ((bit & STOPS) !== 0n) dropPending(process, bitOf(SIG.CONT));
  const open = whoTakes(bit, only === undefined ? process.threads.values() : [only]);
  const disposition = dispositionOf(process, signal);
  if (open === undefined) {
    addPending(only ?? process, info);
    wakeAwaiting(bit, only === undefined ? process.threads.values() : [only]);
    return;
  }
  if (disposition === 'ignore') return;
  // Nothing but SIGKILL reaches one that is stopped before it goes on.
  if (process.stopped && signal !== SIG.KILL) {
    if (disposition !== 'stop') addPending(only ?? process, info);
    return;
  }
  if (disposition === 'terminate') killGroup(process, signal);
  else if (disposition === 'stop') stopGroup(process, signal);
  else {
    addPending(only ?? process, info);
    notify(open);
  }
}

/** The first of some threads that does not block a signal. */
function whoTakes(bit: bigint, threads: Iterable<LinuxThread>): LinuxThread | undefined {
  for (const thread of threads)
    if ((thread.mask & bit) === 0n || (bit & UNSTOPPABLE) !== 0n) return thread;
  return undefined;
}

/** A signal that is blocked has come: one of the threads that wait for it takes it, and the others look. */
function wakeAwaiting(bit: bigint, threads: Iterable<LinuxThread>): void {
  for (const thread of threads) if ((thread.awaited & bit) !== 0n) wake(thread);
}

/** A signal waits for a thread, or for one of a group; of several of a kind the first one's information. */
export function addPending(target: LinuxThread | LinuxProcess, info: SignalInfo): void {
  const bit = bitOf(info.signal);
  if ((target.pending & bit) !== 0n) return;
  target.pending |= bit;
  target.signalInfos ??= new Map();
  target.signalInfos.set(info.signal, info);
}

function dropPending(process: LinuxProcess, bits: bigint): void {
  process.pending &= ~bits;
  for (const thread of process.threads.values()) thread.pending &= ~bits;
}

/** Acts on the signals that a thread could take: those that have a handler bring it to user mode. */
export function notify(thread: LinuxThread): void {
  for (;;) {
    const signal = firstOf(takeable(thread));
    if (signal === 0 || thread.process.exitStatus !== undefined) return;
    const disposition = dispositionOf(thread.process, signal);
    if (disposition === 'handle') break;
    takeSignal(thread, signal);
    if (disposition === 'terminate') killGroup(thread.process, signal);
    if (disposition === 'stop') stopGroup(thread.process, signal);
  }
  const apc = signalApcOf(thread);
  if (apc !== undefined && !apc.inserted) apc.insert();
}

/** The lowest signal of a set; 0: none. */
function firstOf(set: bigint): number {
  if (set === 0n) return 0;
  const low = Number(set & 0xffff_ffffn);
  const word = low === 0 ? Number(set >> 32n) : low;
  return (low === 0 ? 33 : 1) + (31 - Math.clz32(word & -word));
}

/** Takes the first of some signals that is pending for a thread; undefined: none is. */
export function takePending(thread: LinuxThread, set: bigint): SignalInfo | undefined {
  const signal = firstOf((thread.pending | thread.process.pending) & set);
  return signal === 0 ? undefined : takeSignal(thread, signal);
}

/** The signal is not pending any more; what it says. */
function takeSignal(thread: LinuxThread, signal: number): SignalInfo {
  const bit = bitOf(signal);
  const from = (thread.pending & bit) === 0n ? thread.process : thread;
  from.pending &= ~bit;
  return from.signalInfos?.get(signal) ?? { signal, code: SI.USER, pid: 0 };
}

/** The APC that brings a thread to its handlers; undefined: it is ending, or the machine has no room. */
function signalApcOf(thread: LinuxThread): KApc | undefined {
  const { kthread } = thread;
  if (thread.signalApc !== undefined || kthread === undefined) return thread.signalApc;
  const apc = kthread.machine.tryCreateApc(kthread, {
    mode: MODE.UserMode,
    specialUser: true,
    kernelRoutine: (_apc, call) => enterHandler(thread, call),
    normalRoutine: () => {},
  });
  if (typeof apc === 'string') return undefined;
  thread.signalApc = apc;
  return apc;
}

/** On the thread's way to user mode: the first signal that has a handler, if there still is one. */
function enterHandler(thread: LinuxThread, call: ApcCall): void {
  call.normalRoutine = null;
  const { process, guest } = thread;
  let signal = firstOf(takeable(thread));
  while (signal !== 0 && dispositionOf(process, signal) !== 'handle') {
    takeSignal(thread, signal);
    signal = firstOf(takeable(thread));
  }
  if (signal === 0) return;
  const info = takeSignal(thread, signal);
  const action = process.actions[signal - 1] as SignalAction;
  thread.savedMasks.push(thread.suspendedMask ?? thread.mask);
  thread.suspendedMask = undefined;
  const own = (action.flags & SA.NODEFER) === 0 ? bitOf(signal) : 0n;
  thread.mask = (thread.mask | action.mask | own) & ~UNSTOPPABLE;
  if ((action.flags & SA.RESETHAND) !== 0) process.actions[signal - 1] = undefined;
  const finish = () => signalReturn(thread);
  const { handler, restorer } = action;
  const code = process.code.get(handler);
  const siginfo = (action.flags & SA.SIGINFO) === 0 ? undefined : encodeSigInfo(info);
  const delivery = { signal, handler, restorer, code, finish, info, siginfo, siginfoAddress: 0 };
  const routine = guest.deliver(delivery);
  call.normalRoutine = routine;
  call.normalContext = signal;
  call.systemArgument1 = delivery.siginfoAddress;
  if (routine === null && guest.signalReturn === undefined) finish();
  else if (takeable(thread) !== 0n) notify(thread);
}

/** A handler has ended: the masks before it are back. */
export function signalReturn(thread: LinuxThread): void {
  const mask = thread.savedMasks.pop();
  if (mask !== undefined) thread.mask = mask;
  if (takeable(thread) !== 0n) notify(thread);
}

/** Whether the handler that comes next lets its thread make the interrupted call again. */
export function restartsCalls(thread: LinuxThread): boolean {
  const signal = firstOf(takeable(thread));
  if (signal === 0) return true;
  return ((thread.process.actions[signal - 1]?.flags ?? 0) & SA.RESTART) !== 0;
}

/** The processes that kill(2) means by an id; undefined: there are none. */
function targetsOf(state: LinuxState, caller: LinuxProcess, pid: number): LinuxProcess[] {
  const all = [...state.processes.values()];
  if (pid > 0) return all.filter((process) => process.pid === pid);
  if (pid === -1) return all.filter((process) => process.pid !== 1 && process !== caller);
  const group = pid === 0 ? caller.pgid : -pid;
  return all.filter(({ pgid }) => pgid === group);
}

/** kill(2); signal 0 asks only whether there is somebody. */
export function kill(
  state: LinuxState,
  thread: LinuxThread,
  pid: number,
  signal: number,
): LinuxResult {
  if (signal !== 0 && !isSignal(signal)) return -ERRNO.EINVAL;
  const targets = targetsOf(state, thread.process, pid);
  if (targets.length === 0) return -ERRNO.ESRCH;
  const info = { signal, code: SI.USER, pid: thread.process.pid };
  if (signal !== 0) for (const target of targets) sendSignal(target, info, undefined);
  return 0;
}

/** tgkill(2); a group of 0 is any: tkill(2). */
export function tgkill(
  state: LinuxState,
  { process: { pid } }: LinuxThread,
  group: number,
  tid: number,
  signal: number,
): LinuxResult {
  if (tid <= 0 || (signal !== 0 && !isSignal(signal))) return -ERRNO.EINVAL;
  const target = state.threads.get(tid);
  if (target === undefined || (group !== 0 && target.process.pid !== group)) return -ERRNO.ESRCH;
  if (signal !== 0) sendSignal(target.process, { signal, code: SI.TKILL, pid }, target);
  return 0;
}

/** The signals whose pending is forgotten when they are ignored from now on. */
export function ignoredNow(process: LinuxProcess, signal: number): void {
  if (dispositionOf(process, signal) === 'ignore') dropPending(process, bitOf(signal));
}

export const blockable = (mask: bigint): bigint => mask & ~UNSTOPPABLE;

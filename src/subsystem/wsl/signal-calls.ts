import type { Timeout } from '../../ke/call';
import { SIG, SIG_HOW } from './abi';
import { ERRNO } from './errno';
import { readLong, readWord64, writeLong, writeWord64 } from './memory';
import { encodeSigInfo } from './siginfo';
import {
  bitOf,
  blockable,
  ignoredNow,
  isSignal,
  notify,
  signalReturn,
  takeable,
  takePending,
} from './signal';
import type { LinuxCode, LinuxResult, LinuxState, LinuxThread } from './state';
import { deadlineOf, readTimespec, timeoutUntil } from './time';
import { sleep, WOKEN } from './wait-queue';

/** System calls by which threads say what signals are to do. */

/** sizeof(sigset_t) of the kernel. */
const SIGSET_BYTES = 8;

/** rt_sigaction(2): handler, flags, restorer and mask, eight bytes each. */
export function rtSigaction(
  { process, memory }: LinuxThread,
  signal: number,
  action: number,
  old: number,
  size: number,
): LinuxResult {
  if (size !== SIGSET_BYTES || !isSignal(signal)) return -ERRNO.EINVAL;
  if (action !== 0 && (signal === SIG.KILL || signal === SIG.STOP)) return -ERRNO.EINVAL;
  const before = process.actions[signal - 1];
  let made: typeof before;
  if (action !== 0) {
    const handler = readLong(memory, action);
    const flags = readLong(memory, action + 8);
    const restorer = readLong(memory, action + 16);
    const mask = readWord64(memory, action + 24);
    if (handler === undefined || flags === undefined) return -ERRNO.EFAULT;
    if (restorer === undefined || mask === undefined) return -ERRNO.EFAULT;
    made = { handler, flags, restorer, mask: blockable(mask) };
  }
  if (old !== 0) {
    const written =
      writeLong(memory, old, before?.handler ?? 0) &&
      writeLong(memory, old + 8, before?.flags ?? 0) &&
      writeLong(memory, old + 16, before?.restorer ?? 0) &&
      writeWord64(memory, old + 24, before?.mask ?? 0n);
    if (!written) return -ERRNO.EFAULT;
  }
  if (made !== undefined) {
    process.actions[signal - 1] = made;
    ignoredNow(process, signal);
  }
  return 0;
}

export function rtSigprocmask(
  thread: LinuxThread,
  how: number,
  set: number,
  old: number,
  size: number,
): LinuxResult {
  if (size !== SIGSET_BYTES) return -ERRNO.EINVAL;
  const { memory, mask: before } = thread;
  let mask = before;
  if (set !== 0) {
    const given = readWord64(memory, set);
    if (given === undefined) return -ERRNO.EFAULT;
    if (how === SIG_HOW.BLOCK) mask |= given;
    else if (how === SIG_HOW.UNBLOCK) mask &= ~given;
    else if (how === SIG_HOW.SETMASK) mask = given;
    else return -ERRNO.EINVAL;
  }
  if (old !== 0 && !writeWord64(memory, old, before)) return -ERRNO.EFAULT;
  thread.mask = blockable(mask);
  if (takeable(thread) !== 0n) notify(thread);
  return 0;
}

export function rtSigpending(
  { memory, pending, process, mask }: LinuxThread,
  set: number,
  size: number,
): LinuxResult {
  if (size > SIGSET_BYTES) return -ERRNO.EINVAL;
  return writeWord64(memory, set, (pending | process.pending) & mask) ? 0 : -ERRNO.EFAULT;
}

/** Sleeps until a handler has run. */
export function* pause(thread: LinuxThread): LinuxCode {
  while ((yield* sleep(thread, null)) !== WOKEN.Interrupted);
  return -ERRNO.EINTR;
}

function* suspend(thread: LinuxThread, mask: bigint): LinuxCode {
  thread.suspendedMask = thread.mask;
  thread.mask = blockable(mask);
  if (takeable(thread) !== 0n) notify(thread);
  return yield* pause(thread);
}

export function rtSigsuspend(thread: LinuxThread, set: number, size: number): LinuxResult {
  if (size !== SIGSET_BYTES) return -ERRNO.EINVAL;
  const mask = readWord64(thread.memory, set);
  return mask === undefined ? -ERRNO.EFAULT : suspend(thread, mask);
}

/** Waits until one of some signals is pending, takes it, and says which; it need not have a handler. */
function* takeOne(
  thread: LinuxThread,
  set: bigint,
  info: number,
  timeout: () => Timeout,
): LinuxCode {
  let why = WOKEN.Event;
  thread.awaited = set;
  try {
    for (;;) {
      const taken = takePending(thread, set);
      if (taken !== undefined) {
        const told = info === 0 || thread.memory.write(info, encodeSigInfo(taken));
        return told ? taken.signal : -ERRNO.EFAULT;
      }
      if (why === WOKEN.Timeout) return -ERRNO.EAGAIN;
      if (why === WOKEN.Interrupted) return -ERRNO.EINTR;
      why = yield* sleep(thread, timeout());
    }
  } finally {
    thread.awaited = 0n;
  }
}

/** rt_sigtimedwait(2): signals that are blocked are taken without a handler. */
export function rtSigtimedwait(
  { machine }: LinuxState,
  thread: LinuxThread,
  set: number,
  info: number,
  timespec: number,
  size: number,
): LinuxResult {
  if (size !== SIGSET_BYTES) return -ERRNO.EINVAL;
  const given = readWord64(thread.memory, set);
  if (given === undefined) return -ERRNO.EFAULT;
  if (timespec === 0) return takeOne(thread, blockable(given), info, () => null);
  const time = readTimespec(thread.memory, timespec);
  if (time === undefined) return -ERRNO.EFAULT;
  if (time === 'invalid') return -ERRNO.EINVAL;
  const deadline = deadlineOf(machine, 'relative', time);
  return takeOne(thread, blockable(given), info, () => timeoutUntil(machine, deadline));
}

export function rtSigreturn(thread: LinuxThread): LinuxResult {
  signalReturn(thread);
  thread.guest.signalReturn?.();
  return 0;
}

/** The bits of some signals. */
export const signalSet = (...signals: readonly number[]): bigint =>
  signals.reduce((set, signal) => set | bitOf(signal), 0n);

import { STATUS } from '../../../assembly/shared/status';
import { MODE } from '../../../assembly/shared/types';
import type { Timeout } from '../../ke/call';
import { KeDelayExecutionThread } from '../../ke/time';
import type { Machine } from '../../machine/machine';
import type { UserMemory } from '../../machine/user-context';
import { CLOCK, TIMER_ABSTIME } from './abi';
import { ERRNO } from './errno';
import { readLong, writeLong } from './memory';
import type { LinuxCode, LinuxResult, LinuxState, LinuxThread } from './state';
import { usageOf } from './usage';

/**
 * Clocks and sleeps. What waits for a time ends at a clock tick of NT's, never early: a deviation from
 * Linux, whose timers of high resolution end between ticks.
 */

const NS = 1_000_000_000;
/** Of 1970 since 1601, 100 ns. */
const UNIX_EPOCH_100NS = 116_444_736_000_000_000n;

/** A time: ns since boot, or of the clock, 100 ns since 1601. */
export type Deadline = { readonly bootNs: number } | { readonly system100ns: bigint };

interface Timespec {
  readonly seconds: number;
  readonly ns: number;
}

/** A struct timespec; undefined if it is not mapped. */
export function readTimespec(
  memory: UserMemory,
  address: number,
): Timespec | 'invalid' | undefined {
  const seconds = readLong(memory, address);
  const ns = readLong(memory, address + 8);
  if (seconds === undefined || ns === undefined) return undefined;
  return seconds < 0 || ns < 0 || ns >= NS ? 'invalid' : { seconds, ns };
}

/** Longer ones end as late as that: the machine counts no further. */
const MAX_SECONDS = 9_000_000;

/** When a time of a clock comes, or one from now. */
export function deadlineOf(
  machine: Machine,
  clock: CLOCK | 'relative',
  { seconds, ns }: Timespec,
): Deadline {
  if (clock === CLOCK.REALTIME) {
    const time = (BigInt(seconds) * BigInt(NS) + BigInt(ns)) / 100n + UNIX_EPOCH_100NS;
    return { system100ns: time };
  }
  const length = seconds >= MAX_SECONDS ? MAX_SECONDS * NS : seconds * NS + ns;
  return { bootNs: clock === 'relative' ? machine.now + length : length };
}

const LAST_SYSTEM_TIME = 2n ** 63n - 1n;

/** A deadline as a timeout of a wait that begins now. */
export function timeoutUntil(machine: Machine, deadline: Deadline): Timeout {
  if ('system100ns' in deadline) {
    const { system100ns } = deadline;
    return system100ns > LAST_SYSTEM_TIME ? LAST_SYSTEM_TIME : system100ns;
  }
  return -Math.max(0, Math.ceil((deadline.bootNs - machine.now) / 100));
}

/** Ns until a deadline; 0: it has come. */
function remainingNs(machine: Machine, deadline: Deadline): number {
  if ('bootNs' in deadline) return Math.max(0, deadline.bootNs - machine.now);
  const left = Number(deadline.system100ns - machine.clock.systemTimeAt100ns(machine.now)) * 100;
  return Math.max(0, left);
}

export function writeTimespec(memory: UserMemory, address: number, ns: number): boolean {
  const seconds = Math.floor(ns / NS);
  return writeLong(memory, address, seconds) && writeLong(memory, address + 8, ns - seconds * NS);
}

function writeClock(state: LinuxState, thread: LinuxThread, clock: number, address: number) {
  const { machine } = state;
  const { memory } = thread;
  switch (clock) {
    case CLOCK.REALTIME:
    case CLOCK.REALTIME_COARSE: {
      const time100ns = machine.clock.systemTimeAt100ns(machine.now) - UNIX_EPOCH_100NS;
      const seconds = Number(time100ns / 10_000_000n);
      const ns = Number(time100ns % 10_000_000n) * 100;
      return writeLong(memory, address, seconds) && writeLong(memory, address + 8, ns);
    }
    case CLOCK.PROCESS_CPUTIME_ID:
      return writeTimespec(memory, address, usageOf(thread.process).runNs);
    case CLOCK.THREAD_CPUTIME_ID:
      return writeTimespec(memory, address, thread.kthread?.runTimeNs ?? 0);
    default:
      return writeTimespec(memory, address, machine.now);
  }
}

const isClock = (clock: number) =>
  Number.isInteger(clock) && clock >= CLOCK.REALTIME && clock <= CLOCK.BOOTTIME;

export function clockGettime(
  state: LinuxState,
  thread: LinuxThread,
  clock: number,
  address: number,
): number {
  if (!isClock(clock)) return -ERRNO.EINVAL;
  return writeClock(state, thread, clock, address) ? 0 : -ERRNO.EFAULT;
}

/** What sleeps can tell apart, which is also what its clocks show. */
export function clockGetres(
  state: LinuxState,
  thread: LinuxThread,
  clock: number,
  address: number,
): number {
  if (!isClock(clock)) return -ERRNO.EINVAL;
  const coarse = clock === CLOCK.REALTIME_COARSE || clock === CLOCK.MONOTONIC_COARSE;
  const ns = coarse ? state.machine.profile.clockIntervalNs : 1;
  return address === 0 || writeTimespec(thread.memory, address, ns) ? 0 : -ERRNO.EFAULT;
}

export function gettimeofday(state: LinuxState, thread: LinuxThread, address: number): number {
  if (address === 0) return 0;
  const { machine } = state;
  const time = machine.clock.systemTimeAt100ns(machine.now) - UNIX_EPOCH_100NS;
  const { memory } = thread;
  const written =
    writeLong(memory, address, Number(time / 10_000_000n)) &&
    writeLong(memory, address + 8, Number((time % 10_000_000n) / 10n));
  return written ? 0 : -ERRNO.EFAULT;
}

export function time(state: LinuxState, thread: LinuxThread, address: number): number {
  const { machine } = state;
  const now = machine.clock.systemTimeAt100ns(machine.now) - UNIX_EPOCH_100NS;
  const seconds = Number(now / 10_000_000n);
  if (address !== 0 && !writeLong(thread.memory, address, seconds)) return -ERRNO.EFAULT;
  return seconds;
}

/** Sleeps until a deadline; a signal leaves what is left of the time at `remaining`, unless that is 0. */
function* sleepUntil(
  machine: Machine,
  thread: LinuxThread,
  deadline: Deadline,
  remaining: number,
): LinuxCode {
  while (remainingNs(machine, deadline) > 0) {
    const due = timeoutUntil(machine, deadline) as number | bigint;
    const status = yield* KeDelayExecutionThread(MODE.UserMode, true, due);
    if (status === STATUS.SUCCESS) continue;
    const left = remainingNs(machine, deadline);
    if (left === 0) return 0;
    if (remaining !== 0 && !writeTimespec(thread.memory, remaining, left)) return -ERRNO.EFAULT;
    return -ERRNO.EINTR;
  }
  return 0;
}

export function clockNanosleep(
  state: LinuxState,
  thread: LinuxThread,
  clock: number,
  flags: number,
  request: number,
  remaining: number,
): LinuxResult {
  const known = [CLOCK.REALTIME, CLOCK.MONOTONIC, CLOCK.BOOTTIME].includes(clock);
  if (!known) return isClock(clock) ? -ERRNO.EOPNOTSUPP : -ERRNO.EINVAL;
  const asked = readTimespec(thread.memory, request);
  if (asked === undefined) return -ERRNO.EFAULT;
  if (asked === 'invalid') return -ERRNO.EINVAL;
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  const kind = absolute ? (clock as CLOCK) : 'relative';
  const deadline = deadlineOf(state.machine, kind, asked);
  return sleepUntil(state.machine, thread, deadline, absolute ? 0 : remaining);
}

export function nanosleep(
  state: LinuxState,
  thread: LinuxThread,
  request: number,
  remaining: number,
): LinuxResult {
  return clockNanosleep(state, thread, CLOCK.MONOTONIC, 0, request, remaining);
}

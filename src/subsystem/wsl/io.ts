import type { Timeout } from '../../ke/call';
import { O, POLL } from './abi';
import { ERRNO } from './errno';
import type { OpenFile } from './file';
import { readInt, readShort, readWord64, writeShort } from './memory';
import { blockable, notify, takeable } from './signal';
import type { LinuxCode, LinuxResult, LinuxState, LinuxThread } from './state';
import { deadlineOf, readTimespec, timeoutUntil } from './time';
import { sleep, WOKEN } from './wait-queue';

/** read, write and poll, and how they block. */

/** What one call transfers at most, as on Linux. */
const TRANSFER_MAX = 0x7ffff000;
/** What is taken from memory at a time. */
const CHUNK_BYTES = 65_536;

/** Tries until it does not come to EAGAIN, and sleeps on the file's changes in between. */
function* retry(thread: LinuxThread, { file }: OpenFile, attempt: () => number): LinuxCode {
  for (;;) {
    const why = yield* file.changes.sleep(thread);
    const result = attempt();
    if (result !== -ERRNO.EAGAIN) return result;
    if (why === WOKEN.Interrupted) return -ERRNO.ERESTARTSYS;
  }
}

function readOnce(thread: LinuxThread, open: OpenFile, address: number, count: number): number {
  const { memory } = thread;
  const bytes = open.file.read(count);
  if (typeof bytes === 'number') return bytes;
  return memory.write(address, bytes) ? bytes.length : -ERRNO.EFAULT;
}

const probe = new Uint8Array(1);

export function read(thread: LinuxThread, fd: number, address: number, size: number): LinuxResult {
  const open = thread.process.files.get(fd);
  if (open?.readable !== true) return -ERRNO.EBADF;
  if (size < 0) return -ERRNO.EINVAL;
  const count = Math.min(size, TRANSFER_MAX);
  if (count === 0) return 0;
  // Before anything is taken from the file: where it could not be left, it stays.
  if (!isWritable(thread, address, count)) return -ERRNO.EFAULT;
  const attempt = () => readOnce(thread, open, address, count);
  const result = attempt();
  if (result !== -ERRNO.EAGAIN || (open.flags & O.NONBLOCK) !== 0) return result;
  return retry(thread, open, attempt);
}

/** Whether the first and the last byte of a range are mapped. */
function isWritable({ memory }: LinuxThread, address: number, count: number): boolean {
  return memory.read(address, probe) && memory.read(address + count - 1, probe);
}

/** Writes a chunk, and the rest of it as room comes; how much, or what kept it from writing any. */
function* writeRest(
  thread: LinuxThread,
  open: OpenFile,
  address: number,
  size: number,
  from: number,
): LinuxCode {
  let done = from;
  while (done < size) {
    const bytes = new Uint8Array(Math.min(size - done, CHUNK_BYTES));
    if (!thread.memory.read(address + done, bytes)) return done === 0 ? -ERRNO.EFAULT : done;
    let result = open.file.write(bytes, thread);
    if (result === -ERRNO.EAGAIN) {
      if ((open.flags & O.NONBLOCK) !== 0) return done === 0 ? result : done;
      result = yield* retry(thread, open, () => open.file.write(bytes, thread));
    }
    if (result < 0) return done === 0 ? result : done;
    done += result;
  }
  return done;
}

export function write(thread: LinuxThread, fd: number, address: number, size: number): LinuxResult {
  const open = thread.process.files.get(fd);
  if (open?.writable !== true) return -ERRNO.EBADF;
  if (size < 0) return -ERRNO.EINVAL;
  const count = Math.min(size, TRANSFER_MAX);
  if (count > CHUNK_BYTES) return writeRest(thread, open, address, count, 0);
  const bytes = new Uint8Array(count);
  if (!thread.memory.read(address, bytes)) return -ERRNO.EFAULT;
  const result = open.file.write(bytes, thread);
  const nonblocking = (open.flags & O.NONBLOCK) !== 0;
  if (result === -ERRNO.EAGAIN && !nonblocking) return writeRest(thread, open, address, count, 0);
  if (result < 0 || result === count || nonblocking) return result;
  return writeRest(thread, open, address, count, result);
}

interface Polled {
  /** Of its struct pollfd. */
  readonly address: number;
  /** Undefined: a descriptor that is none; null: one below 0, which is skipped. */
  readonly open: OpenFile | undefined | null;
  readonly events: number;
}

const POLLFD_BYTES = 8;
const POLLED_MAX = 1024;
const ALWAYS = POLL.ERR | POLL.HUP | POLL.NVAL;

function readPolled({ memory, process }: LinuxThread, address: number, count: number) {
  const polled: Polled[] = [];
  for (let index = 0; index < count; index++) {
    const at = address + index * POLLFD_BYTES;
    const fd = readInt(memory, at);
    const events = readShort(memory, at + 4);
    if (fd === undefined || events === undefined) return undefined;
    polled.push({ address: at, open: fd < 0 ? null : process.files.get(fd), events });
  }
  return polled;
}

/** Writes what has come; of how many something has. */
function report({ memory }: LinuxThread, polled: readonly Polled[]): number {
  let ready = 0;
  for (const { address, open, events } of polled) {
    let found = 0;
    if (open === undefined) found = POLL.NVAL;
    else if (open !== null) found = open.file.poll() & (events | ALWAYS);
    if (!writeShort(memory, address + 6, found)) return -ERRNO.EFAULT;
    if (found !== 0) ready++;
  }
  return ready;
}

function* pollUntil(
  thread: LinuxThread,
  polled: readonly Polled[],
  timeout: () => Timeout,
): LinuxCode {
  const files = polled.flatMap(({ open }) => (open ? [open.file] : []));
  for (const { changes } of files) changes.add(thread);
  try {
    for (;;) {
      const why = yield* sleep(thread, timeout());
      const ready = report(thread, polled);
      if (ready !== 0 || why === WOKEN.Timeout) return ready;
      if (why === WOKEN.Interrupted) return -ERRNO.EINTR;
    }
  } finally {
    for (const { changes } of files) changes.remove(thread);
  }
}

function pollWith(
  thread: LinuxThread,
  address: number,
  count: number,
  timeout: (() => Timeout) | undefined,
): LinuxResult {
  if (count < 0 || count > POLLED_MAX) return -ERRNO.EINVAL;
  const polled = readPolled(thread, address, count);
  if (polled === undefined) return -ERRNO.EFAULT;
  const ready = report(thread, polled);
  if (ready !== 0 || timeout === undefined) return ready;
  return pollUntil(thread, polled, timeout);
}

const forever = (): Timeout => null;

/** poll(2); `milliseconds` below 0 is for ever. */
export function poll(
  state: LinuxState,
  thread: LinuxThread,
  address: number,
  count: number,
  milliseconds: number,
): LinuxResult {
  const ms = milliseconds | 0;
  if (ms === 0) return pollWith(thread, address, count, undefined);
  if (ms < 0) return pollWith(thread, address, count, forever);
  const { machine } = state;
  const deadline = { bootNs: machine.now + ms * 1e6 };
  return pollWith(thread, address, count, () => timeoutUntil(machine, deadline));
}

function* withMask(thread: LinuxThread, rest: LinuxCode): LinuxCode {
  const result = yield* rest;
  // A handler that has come goes back to the mask before; without one it is back now.
  if (thread.suspendedMask !== undefined && takeable(thread) === 0n) {
    thread.mask = thread.suspendedMask;
    thread.suspendedMask = undefined;
  }
  return result;
}

/** ppoll(2): a struct timespec, and a mask for as long as it waits. */
export function ppoll(
  state: LinuxState,
  thread: LinuxThread,
  address: number,
  count: number,
  timespec: number,
  set: number,
): LinuxResult {
  let timeout: (() => Timeout) | undefined = forever;
  if (timespec !== 0) {
    const { machine } = state;
    const time = readTimespec(thread.memory, timespec);
    if (time === undefined) return -ERRNO.EFAULT;
    if (time === 'invalid') return -ERRNO.EINVAL;
    const deadline = deadlineOf(machine, 'relative', time);
    const none = time.seconds === 0 && time.ns === 0;
    timeout = none ? undefined : () => timeoutUntil(machine, deadline);
  }
  const mask = set === 0 ? undefined : readWord64(thread.memory, set);
  if (set !== 0 && mask === undefined) return -ERRNO.EFAULT;
  const result = pollWith(thread, address, count, timeout);
  if (typeof result === 'number' || mask === undefined) return result;
  thread.suspendedMask = thread.mask;
  thread.mask = blockable(mask);
  if (takeable(thread) !== 0n) notify(thread);
  return withMask(thread, result);
}

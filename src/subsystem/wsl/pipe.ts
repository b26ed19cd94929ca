import { EFD, O, POLL, SIG } from './abi';
import { ERRNO } from './errno';
import { LinuxFile, OpenFile, type ReadResult } from './file';
import { writeInt } from './memory';
import { SI } from './siginfo';
import { sendSignal } from './signal';
import type { LinuxResult, LinuxThread } from './state';

/** Pipes, event counters and the console. */

const PIPE_BYTES = 65_536;
/** PIPE_BUF: writes of at most this many bytes are not torn. */
const ATOMIC_BYTES = 4096;

/** What both ends of a pipe have in common. */
class PipeBuffer {
  private chunks: Uint8Array[] = [];
  length = 0;
  readers = true;
  writers = true;

  get room(): number {
    return PIPE_BYTES - this.length;
  }

  put(bytes: Uint8Array): void {
    this.chunks.push(bytes.slice());
    this.length += bytes.length;
  }

  take(count: number): Uint8Array {
    const taken = new Uint8Array(Math.min(count, this.length));
    let done = 0;
    while (done < taken.length) {
      const [first = taken] = this.chunks;
      const part = first.subarray(0, taken.length - done);
      taken.set(part, done);
      done += part.length;
      if (part.length === first.length) this.chunks.shift();
      else this.chunks[0] = first.subarray(part.length);
    }
    this.length -= taken.length;
    return taken;
  }
}

abstract class PipeEnd extends LinuxFile {
  /** The other end. */
  peer: PipeEnd | undefined;

  constructor(protected readonly buffer: PipeBuffer) {
    super();
  }

  protected changed(): void {
    this.changes.wakeAll();
    this.peer?.changes.wakeAll();
  }
}

class PipeReader extends PipeEnd {
  read(count: number): ReadResult {
    const { buffer } = this;
    if (buffer.length === 0) return buffer.writers ? -ERRNO.EAGAIN : new Uint8Array();
    const bytes = buffer.take(count);
    this.changed();
    return bytes;
  }

  write(): number {
    return -ERRNO.EBADF;
  }

  poll(): number {
    const { buffer } = this;
    return (buffer.length > 0 ? POLL.IN : 0) | (buffer.writers ? 0 : POLL.HUP);
  }

  override close(): void {
    this.buffer.readers = false;
    this.changed();
  }
}

class PipeWriter extends PipeEnd {
  read(): ReadResult {
    return -ERRNO.EBADF;
  }

  write(bytes: Uint8Array, thread: LinuxThread): number {
    const { buffer } = this;
    if (!buffer.readers) {
      const { pid } = thread.process;
      sendSignal(thread.process, { signal: SIG.PIPE, code: SI.USER, pid }, thread);
      return -ERRNO.EPIPE;
    }
    const least = bytes.length <= ATOMIC_BYTES ? bytes.length : 1;
    if (buffer.room < least) return -ERRNO.EAGAIN;
    const part = bytes.subarray(0, buffer.room);
    buffer.put(part);
    this.changed();
    return part.length;
  }

  poll(): number {
    const { buffer } = this;
    if (!buffer.readers) return POLL.ERR;
    return buffer.room >= ATOMIC_BYTES ? POLL.OUT : 0;
  }

  override close(): void {
    this.buffer.writers = false;
    this.changed();
  }
}

/** pipe2(2). */
export function pipe2(
  { process, memory }: LinuxThread,
  address: number,
  flags: number,
): LinuxResult {
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -ERRNO.EINVAL;
  const { files } = process;
  const buffer = new PipeBuffer();
  const reader = new PipeReader(buffer);
  const writer = new PipeWriter(buffer);
  reader.peer = writer;
  writer.peer = reader;
  const closeOnExec = (flags & O.CLOEXEC) !== 0;
  const first = files.add(new OpenFile(reader, true, false, flags & O.NONBLOCK), closeOnExec);
  if (first < 0) return first;
  const second = files.add(new OpenFile(writer, false, true, flags & O.NONBLOCK), closeOnExec);
  const written =
    second >= 0 && writeInt(memory, address, first) && writeInt(memory, address + 4, second);
  if (written) return 0;
  files.close(first);
  if (second < 0) return second;
  files.close(second);
  return -ERRNO.EFAULT;
}

/** The most that an event counter holds: all ones but one. */
const COUNTER_MAX = 2n ** 64n - 2n;

class EventCounter extends LinuxFile {
  constructor(
    private count: bigint,
    private readonly semaphore: boolean,
  ) {
    super();
  }

  read(count: number): ReadResult {
    if (count < 8) return -ERRNO.EINVAL;
    if (this.count === 0n) return -ERRNO.EAGAIN;
    const value = this.semaphore ? 1n : this.count;
    this.count -= value;
    this.changes.wakeAll();
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    return bytes;
  }

  write(bytes: Uint8Array): number {
    if (bytes.length < 8) return -ERRNO.EINVAL;
    const value = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    if (value > COUNTER_MAX) return -ERRNO.EINVAL;
    if (this.count + value > COUNTER_MAX) return -ERRNO.EAGAIN;
    this.count += value;
    if (value !== 0n) this.changes.wakeAll();
    return 8;
  }

  poll(): number {
    return (this.count > 0n ? POLL.IN : 0) | (this.count < COUNTER_MAX ? POLL.OUT : 0);
  }
}

/** eventfd2(2). */
export function eventfd2({ process }: LinuxThread, initial: number, flags: number): LinuxResult {
  if ((flags & ~(EFD.SEMAPHORE | O.CLOEXEC | O.NONBLOCK)) !== 0) return -ERRNO.EINVAL;
  const file = new EventCounter(BigInt(initial >>> 0), (flags & EFD.SEMAPHORE) !== 0);
  const open = new OpenFile(file, true, true, flags & O.NONBLOCK);
  return process.files.add(open, (flags & O.CLOEXEC) !== 0);
}

/** What a first process has for its descriptors 0, 1 and 2: nothing to read, and somebody who is told. */
export class ConsoleFile extends LinuxFile {
  constructor(private readonly output: (bytes: Uint8Array, pid: number) => void) {
    super();
  }

  read(): ReadResult {
    return new Uint8Array();
  }

  write(bytes: Uint8Array, thread: LinuxThread): number {
    this.output(bytes.slice(), thread.process.pid);
    return bytes.length;
  }

  poll(): number {
    return POLL.IN | POLL.OUT;
  }
}

import { FCNTL, O } from './abi';
import { ERRNO } from './errno';
import type { LinuxResult, LinuxThread } from './state';
import { WaitQueue } from './wait-queue';

/** Open files and their descriptors. */

/** Bytes that a read gives, or an error number below 0. */
export type ReadResult = Uint8Array | number;

/** What can be open. It is asked by one thread at a time; what is not there yet is EAGAIN. */
export abstract class LinuxFile {
  /** Who is to look again when it can be read or written, or not any more. */
  readonly changes = new WaitQueue();

  /** Up to `count` bytes; none at the end; -EAGAIN: none yet. */
  abstract read(count: number): ReadResult;
  /** How many bytes it has taken; -EAGAIN: none yet. */
  abstract write(bytes: Uint8Array, thread: LinuxThread): number;
  /** Bits of POLL. */
  abstract poll(): number;
  /** The last descriptor of this opening is closed. */
  close(): void {}
}

/** An opening of a file: what descriptors that dup and fork have copied have in common. */
export class OpenFile {
  private references = 0;

  constructor(
    readonly file: LinuxFile,
    public readonly readable: boolean,
    public readonly writable: boolean,
    /** Bits of O. */
    public flags: number,
  ) {}

  reference(): void {
    this.references++;
  }

  dereference(): void {
    this.references--;
    if (this.references === 0) this.file.close();
  }
}

interface Descriptor {
  readonly open: OpenFile;
  closeOnExec: boolean;
}

/** RLIMIT_NOFILE. */
const OPEN_MAX = 1024;

/** The descriptors of a process, or of those that share them (CLONE_FILES). */
export class FileTable {
  private descriptors: (Descriptor | undefined)[] = [];
  private users = 1;

  get(fd: number): OpenFile | undefined {
    return this.descriptors[fd]?.open;
  }

  /** The lowest free descriptor from one on; an error number below 0 if there is none. */
  add(open: OpenFile, closeOnExec: boolean, from = 0): number {
    let fd = from;
    while (this.descriptors[fd] !== undefined) fd++;
    if (fd >= OPEN_MAX) return -ERRNO.EMFILE;
    this.set(fd, open, closeOnExec);
    return fd;
  }

  /** Puts an opening in place of what a descriptor was. */
  set(fd: number, open: OpenFile, closeOnExec: boolean): void {
    open.reference();
    this.descriptors[fd]?.open.dereference();
    this.descriptors[fd] = { open, closeOnExec };
  }

  close(fd: number): boolean {
    const descriptor = this.descriptors[fd];
    if (descriptor === undefined) return false;
    this.descriptors[fd] = undefined;
    descriptor.open.dereference();
    return true;
  }

  closeOnExec(fd: number): boolean | undefined {
    return this.descriptors[fd]?.closeOnExec;
  }

  setCloseOnExec(fd: number, close: boolean): void {
    const descriptor = this.descriptors[fd];
    if (descriptor !== undefined) descriptor.closeOnExec = close;
  }

  /** What execve closes. */
  execute(): void {
    this.descriptors.forEach((descriptor, fd) => {
      if (descriptor?.closeOnExec === true) this.close(fd);
    });
  }

  fork(): FileTable {
    const copy = new FileTable();
    this.descriptors.forEach((descriptor, fd) => {
      if (descriptor !== undefined) copy.set(fd, descriptor.open, descriptor.closeOnExec);
    });
    return copy;
  }

  share(): FileTable {
    this.users++;
    return this;
  }

  /** One fewer has it; the last closes all. */
  leave(): void {
    this.users--;
    if (this.users !== 0) return;
    for (let fd = 0; fd < this.descriptors.length; fd++) this.close(fd);
  }

  get openCount(): number {
    return this.descriptors.filter((descriptor) => descriptor !== undefined).length;
  }
}

const isDescriptor = (fd: number) => Number.isInteger(fd) && fd >= 0 && fd < OPEN_MAX;

export function close({ process }: LinuxThread, fd: number): LinuxResult {
  return process.files.close(fd) ? 0 : -ERRNO.EBADF;
}

export function dup({ process }: LinuxThread, fd: number): LinuxResult {
  const open = process.files.get(fd);
  return open === undefined ? -ERRNO.EBADF : process.files.add(open, false);
}

/** dup3(2). */
export function dup3(
  { process }: LinuxThread,
  from: number,
  to: number,
  flags: number,
): LinuxResult {
  if (from === to || (flags & ~O.CLOEXEC) !== 0) return -ERRNO.EINVAL;
  const open = process.files.get(from);
  if (open === undefined || !isDescriptor(to)) return -ERRNO.EBADF;
  process.files.set(to, open, (flags & O.CLOEXEC) !== 0);
  return to;
}

export function dup2(thread: LinuxThread, from: number, to: number): LinuxResult {
  if (from !== to) return dup3(thread, from, to, 0);
  return thread.process.files.get(from) === undefined ? -ERRNO.EBADF : to;
}

export function fcntl(
  { process }: LinuxThread,
  fd: number,
  command: number,
  argument: number,
): LinuxResult {
  const { files } = process;
  const open = files.get(fd);
  if (open === undefined) return -ERRNO.EBADF;
  switch (command) {
    case FCNTL.DUPFD:
    case FCNTL.DUPFD_CLOEXEC:
      if (!isDescriptor(argument)) return -ERRNO.EINVAL;
      return files.add(open, command === FCNTL.DUPFD_CLOEXEC, argument);
    case FCNTL.GETFD:
      return files.closeOnExec(fd) === true ? 1 : 0;
    case FCNTL.SETFD:
      files.setCloseOnExec(fd, (argument & 1) !== 0);
      return 0;
    case FCNTL.GETFL:
      return open.flags | (open.readable ? (open.writable ? 2 : 0) : 1);
    case FCNTL.SETFL:
      open.flags = (open.flags & ~O.NONBLOCK) | (argument & O.NONBLOCK);
      return 0;
    default:
      return -ERRNO.EINVAL;
  }
}

import { POLL } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';

/** What Linux says of one thread's system calls on descriptors, children and signals: plain and slow. */

interface Pipe {
  readonly bytes: number[];
  ends: { read: number; write: number };
}

type Open =
  | { readonly kind: 'read'; readonly pipe: Pipe }
  | { readonly kind: 'write'; readonly pipe: Pipe }
  | { readonly kind: 'counter'; readonly semaphore: boolean; count: bigint };

const COUNTER_MAX = 2n ** 64n - 2n;

/** Eight bytes, the lowest first. */
const toBytes = (value: bigint) =>
  [0n, 8n, 16n, 24n, 32n, 40n, 48n, 56n].map((shift) => Number((value >> shift) & 255n));
const toValue = (bytes: readonly number[]) =>
  bytes.slice(0, 8).reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);

const PIPE_BYTES = 65_536;
const ATOMIC_BYTES = 4096;
/** Descriptors of the console. */
const FIRST = 3;

export class LinuxModel {
  private readonly descriptors: (Open | undefined)[] = [];
  private readonly children = new Map<number, number>();
  private lastPid = 1;
  private blocked = false;
  private pending = false;
  handled = 0;

  /** The numbers of descriptors that are open, the lowest first. */
  get open(): number[] {
    return this.descriptors.flatMap((open, fd) => (open === undefined ? [] : [fd + FIRST]));
  }

  get pids(): number[] {
    return [...this.children.keys()];
  }

  private get(fd: number): Open | undefined {
    return this.descriptors[fd - FIRST];
  }

  private set(fd: number, open: Open): void {
    this.close(fd);
    this.descriptors[fd - FIRST] = open;
    if (open.kind !== 'counter') open.pipe.ends[open.kind]++;
  }

  private add(open: Open): number {
    let index = 0;
    while (this.descriptors[index] !== undefined) index++;
    this.set(index + FIRST, open);
    return index + FIRST;
  }

  pipe(): number[] {
    const pipe: Pipe = { bytes: [], ends: { read: 0, write: 0 } };
    return [this.add({ kind: 'read', pipe }), this.add({ kind: 'write', pipe })];
  }

  counter(count: number, semaphore: boolean): number {
    return this.add({ kind: 'counter', semaphore, count: BigInt(count) });
  }

  close(fd: number): number {
    const open = this.get(fd);
    if (open === undefined) return -ERRNO.EBADF;
    this.descriptors[fd - FIRST] = undefined;
    if (open.kind !== 'counter') open.pipe.ends[open.kind]--;
    return 0;
  }

  dup(fd: number): number {
    const open = this.get(fd);
    return open === undefined ? -ERRNO.EBADF : this.add(open);
  }

  dup2(from: number, to: number): number {
    const open = this.get(from);
    if (open === undefined) return -ERRNO.EBADF;
    if (from !== to) this.set(to, open);
    return to;
  }

  /** Bytes that a read of at most `count` gives, or an error number. */
  read(fd: number, count: number): number[] | number {
    const open = this.get(fd);
    if (open === undefined || open.kind === 'write') return -ERRNO.EBADF;
    if (count === 0) return [];
    if (open.kind === 'read') {
      const { bytes, ends } = open.pipe;
      if (bytes.length === 0) return ends.write === 0 ? [] : -ERRNO.EAGAIN;
      return bytes.splice(0, count);
    }
    if (count < 8) return -ERRNO.EINVAL;
    if (open.count === 0n) return -ERRNO.EAGAIN;
    const value = open.semaphore ? 1n : open.count;
    open.count -= value;
    return toBytes(value);
  }

  /** With SIGPIPE ignored. */
  write(fd: number, bytes: readonly number[]): number {
    const open = this.get(fd);
    if (open === undefined || open.kind === 'read') return -ERRNO.EBADF;
    if (open.kind === 'write') {
      const { bytes: held, ends } = open.pipe;
      if (ends.read === 0) return -ERRNO.EPIPE;
      const room = PIPE_BYTES - held.length;
      if (room < (bytes.length <= ATOMIC_BYTES ? bytes.length : 1)) return -ERRNO.EAGAIN;
      const part = bytes.slice(0, room);
      held.push(...part);
      return part.length;
    }
    if (bytes.length < 8) return -ERRNO.EINVAL;
    const value = toValue(bytes);
    if (value > COUNTER_MAX) return -ERRNO.EINVAL;
    if (open.count + value > COUNTER_MAX) return -ERRNO.EAGAIN;
    open.count += value;
    return 8;
  }

  poll(fd: number): number {
    const open = this.get(fd);
    if (open === undefined) return POLL.NVAL;
    if (open.kind === 'counter')
      return (open.count > 0n ? POLL.IN : 0) | (open.count < COUNTER_MAX ? POLL.OUT : 0);
    const { bytes, ends } = open.pipe;
    if (open.kind === 'read')
      return (bytes.length > 0 ? POLL.IN : 0) | (ends.write === 0 ? POLL.HUP : 0);
    if (ends.read === 0) return POLL.ERR;
    return PIPE_BYTES - bytes.length >= ATOMIC_BYTES ? POLL.OUT : 0;
  }

  fork(code: number): number {
    this.lastPid++;
    this.children.set(this.lastPid, code);
    return this.lastPid;
  }

  wait(pid: number): readonly [number, number] {
    const code = this.children.get(pid);
    if (code === undefined) return [-ERRNO.ECHILD, 0];
    this.children.delete(pid);
    return [pid, code << 8];
  }

  raise(): number {
    this.pending = true;
    this.deliver();
    return 0;
  }

  block(blocked: boolean): number {
    this.blocked = blocked;
    this.deliver();
    return 0;
  }

  private deliver(): void {
    if (!this.pending || this.blocked) return;
    this.pending = false;
    this.handled++;
  }
}

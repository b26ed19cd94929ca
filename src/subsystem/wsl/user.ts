import type { Request } from '../../machine/generator';
import { currentGuest, type HostBody } from '../../machine/guest';
import { picoFault, picoSystemCall } from '../system-call';
import { CLONE, type POLL, type SA, type SIG, SIG_HANDLER, SYS } from './abi';
import { ERRNO } from './errno';
import { type HostGuest, type SignalHandler, STACK_BASE, STACK_SLOT, STACK_SLOTS } from './guest';
import { type AddressSpace, readInt, readLong, writeInt, writeLong, writeWord64 } from './memory';
import type { LinuxThread } from './state';

/**
 * What a host thread of Linux has for a C library: each method makes its system call with its arguments
 * in registers and memory, and returns what that returns, an error number below 0.
 */

type Steps<T> = Generator<Request, T, number>;

/** A program of Linux as a generator function; a number that it returns is its exit code. */
export type LinuxMain = (
  linux: LinuxUser,
  argv: readonly string[],
  envp: readonly string[],
) => Steps<unknown>;

/** What a child of fork or a new thread runs. */
export type LinuxBody = (linux: LinuxUser) => Steps<unknown>;

/** Bytes of a thread's stack that its calls pass data in. */
const BUFFER_BYTES = 8192;
/** Where handlers are in a process: nothing is there. */
const CODE_BASE = 0x40_0000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Which slots of a memory's stack are taken. */
const stacks = new WeakMap<AddressSpace, number>();

function claimStack(memory: AddressSpace): number {
  const slot = stacks.get(memory) ?? 0;
  stacks.set(memory, slot + 1);
  return STACK_BASE + (slot % STACK_SLOTS) * STACK_SLOT;
}

/** A host thread that runs a function, then ends its process with what that returns. */
export function hostBody(
  main: LinuxMain,
  guest: HostGuest,
  argv: readonly string[],
  envp: readonly string[],
): HostBody {
  return function* linuxMain() {
    const linux = new LinuxUser(guest);
    const code = yield* main(linux, argv, envp);
    yield* linux.exitGroup(typeof code === 'number' ? code : 0);
  };
}

export interface WaitedChild {
  /** Of the child; 0 with WNOHANG if none has ended; an error number below 0. */
  readonly pid: number;
  /** Its exit code << 8, or the signal that ended it. */
  readonly status: number;
}

export interface PollRequest {
  readonly fd: number;
  readonly events: POLL | number;
}

export class LinuxUser {
  private readonly stack: number;

  constructor(private readonly guest: HostGuest) {
    this.stack = claimStack(guest.memory);
  }

  /** The address space. */
  get memory(): AddressSpace {
    return this.guest.memory;
  }

  private get thread(): LinuxThread {
    return currentGuest('LinuxUser').thread.picoContext as LinuxThread;
  }

  /** A system call; made again after a signal whose handler says SA_RESTART. */
  *call(number: SYS | number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): Steps<number> {
    for (;;) {
      const result = yield* picoSystemCall(number, a, b, c, d, e, f);
      if (result !== -ERRNO.ERESTARTSYS) return result;
    }
  }

  /** An int of memory; what is not mapped is 0. */
  load(address: number): number {
    return readInt(this.memory, address) ?? 0;
  }

  store(address: number, value: number): void {
    writeInt(this.memory, address, value);
  }

  private childOf(body: LinuxBody, group: boolean): void {
    this.guest.nextChild = (guest) =>
      function* linuxChild() {
        const linux = new LinuxUser(guest);
        const code = yield* body(linux);
        const status = typeof code === 'number' ? code : 0;
        if (group) yield* linux.exitGroup(status);
        else yield* linux.exit(status);
      };
  }

  /** fork(2): the child runs `body` and ends with what that returns. */
  *fork(body: LinuxBody): Steps<number> {
    this.childOf(body, true);
    return yield* this.call(SYS.fork);
  }

  /** vfork(2): this goes on when the child has another image or has ended. */
  *vfork(body: LinuxBody): Steps<number> {
    this.childOf(body, true);
    return yield* this.call(SYS.vfork);
  }

  /** A thread of the same process; `clearTid` is set to 0, and woken, at its end. */
  *spawnThread(body: LinuxBody, clearTid = 0): Steps<number> {
    this.childOf(body, false);
    const own = CLONE.VM | CLONE.FS | CLONE.FILES | CLONE.SIGHAND | CLONE.THREAD | CLONE.SYSVSEM;
    const clear = clearTid === 0 ? 0 : CLONE.CHILD_CLEARTID;
    return yield* this.call(SYS.clone, own | clear, 0, 0, clearTid);
  }

  /** execve(2): returns only if it fails. */
  *execve(path: string, argv: readonly string[], envp: readonly string[] = []): Steps<number> {
    let at = this.stack;
    const place = (text: string) => {
      const bytes = encoder.encode(`${text}\0`);
      this.memory.write(at, bytes);
      at += bytes.length;
      return at - bytes.length;
    };
    const pathname = place(path);
    const lists = [argv.map(place), envp.map(place)];
    at = Math.ceil(at / 8) * 8;
    const arrays = lists.map((pointers) => {
      const start = at;
      for (const pointer of [...pointers, 0]) {
        writeLong(this.memory, at, pointer);
        at += 8;
      }
      return start;
    });
    return yield* this.call(SYS.execve, pathname, arrays[0], arrays[1]);
  }

  *exit(code: number): Steps<number> {
    return yield* this.call(SYS.exit, code);
  }

  *exitGroup(code: number): Steps<number> {
    return yield* this.call(SYS.exit_group, code);
  }

  /** wait4(2). */
  *wait(pid = -1, options = 0): Steps<WaitedChild> {
    const found = yield* this.call(SYS.wait4, pid, this.stack, options, 0);
    return { pid: found, status: found > 0 ? this.load(this.stack) : 0 };
  }

  *getpid(): Steps<number> {
    return yield* this.call(SYS.getpid);
  }

  *gettid(): Steps<number> {
    return yield* this.call(SYS.gettid);
  }

  *getppid(): Steps<number> {
    return yield* this.call(SYS.getppid);
  }

  /** pipe2(2): the descriptors to read from and to write to; [error, error] if it fails. */
  *pipe(flags = 0): Steps<readonly [number, number]> {
    const result = yield* this.call(SYS.pipe2, this.stack, flags);
    if (result < 0) return [result, result];
    return [this.load(this.stack), this.load(this.stack + 4)];
  }

  *eventfd(initial = 0, flags = 0): Steps<number> {
    return yield* this.call(SYS.eventfd2, initial, flags);
  }

  /** read(2) of at most 8192 bytes; an error number below 0. */
  *read(fd: number, count: number): Steps<Uint8Array | number> {
    const size = Math.min(count, BUFFER_BYTES);
    const result = yield* this.call(SYS.read, fd, this.stack, size);
    if (result < 0) return result;
    const bytes = new Uint8Array(result);
    this.memory.read(this.stack, bytes);
    return bytes;
  }

  /** The same as text; what fails is at the end. */
  *readText(fd: number, count = BUFFER_BYTES): Steps<string> {
    const bytes = yield* this.read(fd, count);
    return typeof bytes === 'number' ? '' : decoder.decode(bytes);
  }

  /** write(2), again until all is written: how many bytes, or an error number below 0. */
  *write(fd: number, data: string | Uint8Array): Steps<number> {
    const bytes = typeof data === 'string' ? encoder.encode(data) : data;
    let done = 0;
    do {
      const part = bytes.subarray(done, done + BUFFER_BYTES);
      this.memory.write(this.stack, part);
      const result = yield* this.call(SYS.write, fd, this.stack, part.length);
      if (result < 0) return done === 0 ? result : done;
      done += result;
    } while (done < bytes.length);
    return done;
  }

  *close(fd: number): Steps<number> {
    return yield* this.call(SYS.close, fd);
  }

  *dup2(from: number, to: number): Steps<number> {
    return yield* this.call(SYS.dup2, from, to);
  }

  /** poll(2): what it returns, and what has come of each. */
  *poll(
    requests: readonly PollRequest[],
    milliseconds: number,
  ): Steps<{ readonly result: number; readonly revents: readonly number[] }> {
    const at = (index: number) => this.stack + index * 8;
    requests.forEach(({ fd, events }, index) => {
      this.store(at(index), fd);
      this.store(at(index) + 4, events);
    });
    const result = yield* this.call(SYS.poll, this.stack, requests.length, milliseconds);
    return { result, revents: requests.map((_, index) => this.load(at(index) + 4) >>> 16) };
  }

  /** Faults: what comes back when a handler has; else the process ends by the signal that it comes to. */
  *fault(status: number, address = 0, access: 0 | 1 | 8 = 0): Steps<void> {
    yield* picoFault(status, [access, address]);
  }

  *kill(pid: number, signal: SIG | number): Steps<number> {
    return yield* this.call(SYS.kill, pid, signal);
  }

  /** rt_sigaction(2) with a function, or SIG_DFL or SIG_IGN. */
  *sigaction(
    signal: SIG | number,
    action: SignalHandler | 'default' | 'ignore',
    flags: SA | number = 0,
    mask = 0n,
  ): Steps<number> {
    const { stack, memory } = this;
    writeLong(memory, stack, this.handlerAddress(action));
    writeLong(memory, stack + 8, flags);
    writeLong(memory, stack + 16, 0);
    writeWord64(memory, stack + 24, mask);
    return yield* this.call(SYS.rt_sigaction, signal, stack, 0, 8);
  }

  private handlerAddress(action: SignalHandler | 'default' | 'ignore'): number {
    if (action === 'default') return SIG_HANDLER.DFL;
    if (action === 'ignore') return SIG_HANDLER.IGN;
    const { code } = this.thread.process;
    const address = CODE_BASE + code.size * 16;
    code.set(address, action);
    return address;
  }

  *sigprocmask(how: number, set: bigint): Steps<number> {
    writeWord64(this.memory, this.stack, set);
    return yield* this.call(SYS.rt_sigprocmask, how, this.stack, 0, 8);
  }

  *sigsuspend(mask: bigint): Steps<number> {
    writeWord64(this.memory, this.stack, mask);
    return yield* this.call(SYS.rt_sigsuspend, this.stack, 8);
  }

  /** rt_sigtimedwait(2): the signal that it has taken, or an error number below 0. */
  *sigtimedwait(set: bigint, timeoutNs?: number): Steps<number> {
    const { stack, memory } = this;
    const timeout = timeoutNs === undefined ? 0 : this.putTime(stack + 8, timeoutNs);
    writeWord64(memory, stack, set);
    return yield* this.call(SYS.rt_sigtimedwait, stack, 0, timeout, 8);
  }

  *pause(): Steps<number> {
    return yield* this.call(SYS.pause);
  }

  private putTime(address: number, ns: number): number {
    writeLong(this.memory, address, Math.floor(ns / 1e9));
    writeLong(this.memory, address + 8, ns % 1e9);
    return address;
  }

  *nanosleep(ns: number): Steps<number> {
    return yield* this.call(SYS.nanosleep, this.putTime(this.stack, ns), 0);
  }

  /** clock_gettime(2), ns: exact as far as that is a safe integer; an error number below 0. */
  *clock(clock: number): Steps<number> {
    const result = yield* this.call(SYS.clock_gettime, clock, this.stack);
    if (result < 0) return result;
    const seconds = readLong(this.memory, this.stack) ?? 0;
    return seconds * 1e9 + (readLong(this.memory, this.stack + 8) ?? 0);
  }

  /** FUTEX_WAIT; `timeoutNs` from now. */
  *futexWait(address: number, expected: number, timeoutNs?: number): Steps<number> {
    const timeout = timeoutNs === undefined ? 0 : this.putTime(this.stack, timeoutNs);
    return yield* this.call(SYS.futex, address, 0, expected, timeout);
  }

  /** FUTEX_WAKE. */
  *futexWake(address: number, count = 1): Steps<number> {
    return yield* this.call(SYS.futex, address, 1, count);
  }

  *schedYield(): Steps<number> {
    return yield* this.call(SYS.sched_yield);
  }

  /** setpriority(2) of the calling thread. */
  *setNice(nice: number): Steps<number> {
    return yield* this.call(SYS.setpriority, 0, 0, nice);
  }

  *setScheduler(policy: number, priority: number): Steps<number> {
    this.store(this.stack, priority);
    return yield* this.call(SYS.sched_setscheduler, 0, policy, this.stack);
  }
}

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import type { CpuPort } from '../../src/machine/guest';
import { FUTEX, SA, SIG, SYS } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';
import type {
  ClonedGuest,
  CloneOptions,
  LinuxPort,
  SignalDelivery,
} from '../../src/subsystem/wsl/guest';
import {
  AddressSpace,
  readInt,
  readLong,
  writeInt,
  writeLong,
} from '../../src/subsystem/wsl/memory';
import { runLinux } from './linux';

const CODE_NS = 100;

type Op =
  | { readonly call: number; readonly args: readonly number[] }
  | { readonly store: readonly [number, number] }
  | { readonly note: string }
  /** Goes on at `target` if the last result is `value`. */
  | { readonly when: number; readonly target: string }
  | { readonly label: string }
  | { readonly fault: number };

/**
 * A CPU core as an x86-64 one would be: its registers and program counter are its own, its memory an
 * address space, and what it executes is code that a fork goes on in by itself.
 */
class ToyCore implements LinuxPort {
  rip = 0;
  rsp = 0;
  rax = 0;
  rdi = 0;
  rsi = 0;
  rdx = 0;
  r10 = 0;
  r8 = 0;
  r9 = 0;
  private readonly frames: { rip: number; rax: number; finish: () => void }[] = [];

  constructor(
    private readonly code: readonly Op[],
    readonly memory: AddressSpace,
    private readonly log: string[],
  ) {}

  get registers() {
    return this;
  }

  private target(label: string): number {
    return this.code.findIndex((op) => 'label' in op && op.label === label);
  }

  run(): ReturnType<CpuPort['run']> {
    for (;;) {
      const op = this.code[this.rip++];
      if (op === undefined) return this.systemCall(SYS.exit_group, [0]);
      if ('call' in op) return this.systemCall(op.call, op.args);
      if ('fault' in op) return { usedNs: CODE_NS, reason: 'fault', status: op.fault };
      if ('store' in op) writeInt(this.memory, op.store[0], op.store[1]);
      if ('note' in op) this.log.push(`${op.note} ${this.rax}`);
      if ('when' in op && this.rax === op.when) this.rip = this.target(op.target);
    }
  }

  private systemCall(number: number, args: readonly number[]): ReturnType<CpuPort['run']> {
    const [rdi = 0, rsi = 0, rdx = 0, r10 = 0, r8 = 0, r9 = 0] = args;
    Object.assign(this, { rdi, rsi, rdx, r10, r8, r9 });
    return { usedNs: CODE_NS, reason: 'syscall', number };
  }

  clone({ sharedMemory, stack }: CloneOptions): ClonedGuest {
    const memory = sharedMemory ? this.memory : this.memory.fork();
    const copy = new ToyCore(this.code, memory, this.log);
    copy.rip = this.rip;
    copy.rsp = stack === 0 ? this.rsp : stack;
    return { body: copy, guest: copy };
  }

  restart(): boolean {
    this.rip--;
    return true;
  }

  deliver({ handler, finish }: SignalDelivery): null {
    this.frames.push({ rip: this.rip, rax: this.rax, finish });
    this.rip = handler;
    return null;
  }

  signalReturn(): void {
    const frame = this.frames.pop();
    if (frame === undefined) return;
    this.rip = frame.rip;
    this.rax = frame.rax;
  }
}

const DATA = 0x1_0000;

async function runCore(code: readonly Op[], prepare?: (memory: AddressSpace) => void) {
  const log: string[] = [];
  const { spawn, wsl } = await runLinux(
    function* (linux) {
      yield* linux.execve('/bin/elf', ['elf']);
    },
    (subsystem) =>
      subsystem.install('/bin/elf', {
        port: () => {
          const memory = new AddressSpace();
          memory.map(DATA, 0x2000);
          prepare?.(memory);
          return new ToyCore(code, memory, log);
        },
      }),
  );
  return { log, status: spawn.waitStatus, counts: wsl.counts };
}

const call = (number: number, ...args: readonly number[]): Op => ({ call: number, args });
const NOTHING = { threads: 0, processes: 0, futexes: 0 };

describe('a CPU core', () => {
  test('makes system calls by its registers, and gets their results in rax', async () => {
    const { log, status, counts } = await runCore([
      call(SYS.getpid),
      { note: 'pid' },
      call(SYS.write, 99, DATA, 1),
      { note: 'write' },
      call(500),
      { note: 'unknown' },
      call(SYS.exit_group, 3),
    ]);
    expect(log).toEqual(['pid 1', `write ${-ERRNO.EBADF}`, `unknown ${-ERRNO.ENOSYS}`]);
    expect([status, counts]).toEqual([3 << 8, NOTHING]);
  });

  test('forks into two with memory of their own, which go on behind the call', async () => {
    const { log, counts } = await runCore([
      { store: [DATA, 7] },
      call(SYS.fork),
      { when: 0, target: 'child' },
      call(SYS.wait4, -1, DATA + 8, 0, 0),
      { note: 'waited' },
      call(SYS.futex, DATA, FUTEX.WAIT, 8, 0),
      { note: 'the word is' },
      call(SYS.exit_group, 0),
      { label: 'child' },
      { store: [DATA, 8] },
      call(SYS.exit_group, 5),
    ]);
    // The word is still 7: comparing it with 8 fails.
    expect(log).toEqual(['waited 2', `the word is ${-ERRNO.EAGAIN}`]);
    expect(counts).toEqual(NOTHING);
  });

  test('handles a signal in its own registers, and goes on where it was', async () => {
    const action = DATA + 0x100;
    const handlerAt = 7;
    const { log, status } = await runCore(
      [
        call(SYS.rt_sigaction, SIG.USR1, action, 0, 8),
        call(SYS.gettid),
        call(SYS.tkill, 1, SIG.USR1),
        { note: 'back with' },
        call(SYS.exit_group, 1),
        { note: 'never' },
        { note: 'never' },
        { note: 'in the handler, rax' },
        call(SYS.rt_sigreturn),
      ],
      (memory) => {
        writeLong(memory, action, handlerAt);
        for (const field of [8, 16, 24]) writeLong(memory, action + field, 0);
      },
    );
    expect(log).toEqual(['in the handler, rax 0', 'back with 0']);
    expect(status).toBe(1 << 8);
  });

  test('makes an interrupted call again after a handler with SA_RESTART', async () => {
    const action = DATA + 0x100;
    const pipe = DATA + 0x200;
    const { log } = await runCore(
      [
        call(SYS.rt_sigaction, SIG.CHLD, action, 0, 8),
        call(SYS.pipe2, pipe, 0),
        call(SYS.fork),
        { when: 0, target: 'child' },
        call(SYS.read, 3, DATA, 4),
        { note: 'read' },
        call(SYS.exit_group, 0),
        { label: 'handler' },
        { note: 'child has ended' },
        call(SYS.write, 4, DATA, 2),
        call(SYS.rt_sigreturn),
        { label: 'child' },
        call(SYS.nanosleep, DATA + 0x300, 0),
        call(SYS.exit_group, 0),
      ],
      (memory) => {
        writeLong(memory, action, 7);
        writeLong(memory, action + 8, SA.RESTART);
        for (const field of [16, 24]) writeLong(memory, action + field, 0);
        writeLong(memory, DATA + 0x300, 0);
        writeLong(memory, DATA + 0x308, 20e6);
      },
    );
    expect(log).toEqual(['child has ended 0', 'read 2']);
  });

  test('that faults is ended by SIGSEGV; with a handler it goes on there', async () => {
    const dies = await runCore([{ fault: STATUS.ACCESS_VIOLATION }]);
    expect(dies.status).toBe(SIG.SEGV);
    const action = DATA + 0x100;
    const lives = await runCore(
      [
        call(SYS.rt_sigaction, SIG.FPE, action, 0, 8),
        { fault: STATUS.INTEGER_DIVIDE_BY_ZERO },
        { note: 'never' },
        { label: 'handler' },
        { note: 'handled' },
        call(SYS.exit_group, 4),
      ],
      (memory) => {
        writeLong(memory, action, 3);
        for (const field of [8, 16, 24]) writeLong(memory, action + field, 0);
      },
    );
    expect([lives.log, lives.status]).toEqual([['handled 0'], 4 << 8]);
  });
});

describe('AddressSpace', () => {
  test('is copied by a fork page by page, when one of the two writes', () => {
    const parent = new AddressSpace();
    parent.map(DATA, 0x2000);
    writeInt(parent, DATA, 1);
    writeInt(parent, DATA + 0x1000, 2);
    const child = parent.fork();
    writeInt(child, DATA, 3);
    writeInt(parent, DATA + 0x1000, 4);
    const read = (memory: AddressSpace) => [readInt(memory, DATA), readInt(memory, DATA + 0x1000)];
    expect([read(parent), read(child)]).toEqual([
      [1, 4],
      [3, 2],
    ]);
  });

  test('transfers nothing of a range that is not mapped as a whole, and crosses pages', () => {
    const memory = new AddressSpace();
    memory.map(DATA, 0x2000);
    expect(writeLong(memory, DATA + 0x1ffc, 1)).toBe(false);
    expect(writeLong(memory, DATA + 0xffc, 2 ** 40 + 5)).toBe(true);
    expect(readLong(memory, DATA + 0xffc)).toBe(2 ** 40 + 5);
    expect([readInt(memory, DATA - 4), readInt(memory, -1), readInt(memory, 2 ** 60)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    memory.unmap(DATA, 0x1000);
    expect([readInt(memory, DATA), readInt(memory, DATA + 0x1000)]).toEqual([undefined, 256]);
  });
});

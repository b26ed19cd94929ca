import { KTHREAD, KTHREAD_EXTENSION, KTRAP_FRAME } from '../../assembly/shared/layout';
import { FRAME, THREAD_FLAG } from '../../assembly/shared/types';
import type { CallRoutine } from './frames';
import { words64 } from './instruction';
import type { LoadedProgram } from './program';
import type { KThread } from './views';

/** What a thread has in user mode, whoever advances it: registers and memory, as its system calls find them. */

/**
 * The registers of a system call by their names on x86-64: signed 64-bit numbers, exact as far as they
 * are safe integers. A CPU core hands out accessors of its own state.
 */
export interface UserRegisters {
  /** The number of the call; what it returns. */
  rax: number;
  rdi: number;
  rsi: number;
  rdx: number;
  r10: number;
  r8: number;
  r9: number;
  /** Where segments begin that thread-local storage is in; missing: whoever advances the thread has none. */
  fsBase?: number;
  gsBase?: number;
}

/** Guest memory of a thread. Nothing is transferred unless all of it is mapped. */
export interface UserMemory {
  /** Fills `into` from `address`; false if not all of that is mapped. */
  read(address: number, into: Uint8Array): boolean;
  write(address: number, from: Uint8Array): boolean;
}

/** Where the system calls and faults of a process's threads go in place of the machine's own. */
export interface SystemServices {
  /** The status of calls for which there is no trap frame. */
  readonly noFrameStatus: number;
  /** In the thread's context. What it returns is the status; a generator runs in the thread first, which may block. */
  systemCall(thread: KThread, number: number, argument: number): number | CallRoutine;
  /** The same for a fault of its user mode, with its status. The thread goes on unless it was told to end. */
  fault(thread: KThread, status: number): number | CallRoutine;
}

/** The number of the host call under which the trace has faults of user mode; nobody else has it. */
export const FAULT_CALL = 0xffff;

/** Bytes of a program's system call: what is left of it when it is to be made again. */
const SYSTEM_CALL_BYTES = 8;

/**
 * A program thread in a system call: its four registers are rdi, rsi, rdx and r10, the argument of the
 * instruction is r8; r9 is 0. What it gets back is its status.
 */
export class ProgramContext implements UserRegisters {
  rax = 0;
  r8 = 0;
  r9 = 0;
  fsBase = 0;
  gsBase = 0;

  constructor(readonly thread: KThread) {}

  get rdi(): number {
    return this.register(0);
  }
  set rdi(value: number) {
    this.setRegister(0, value);
  }
  get rsi(): number {
    return this.register(1);
  }
  set rsi(value: number) {
    this.setRegister(1, value);
  }
  get rdx(): number {
    return this.register(2);
  }
  set rdx(value: number) {
    this.setRegister(2, value);
  }
  get r10(): number {
    return this.register(3);
  }
  set r10(value: number) {
    this.setRegister(3, value);
  }

  /** The address of the frame that the call's routine has put in front; 0: it is answered in its own step. */
  private get frame(): number {
    const { machine, address } = this.thread;
    if ((machine.memory.u32(address + KTHREAD.Flags) & THREAD_FLAG.TrapFrame) === 0) return 0;
    const top = this.thread.extended(KTHREAD_EXTENSION.TrapFrame);
    return machine.memory.u32(top + KTRAP_FRAME.Kind) === FRAME.Call ? top : 0;
  }

  private registerAddress(index: number): number {
    const { frame } = this;
    const base = frame === 0 ? this.thread.address + KTHREAD.Register64 : frame + REGISTER64;
    return base + index * 8;
  }

  private register(index: number): number {
    const { memory } = this.thread.machine;
    const address = this.registerAddress(index);
    return memory.u32(address) + memory.i32(address + 4) * 2 ** 32;
  }

  private setRegister(index: number, value: number): void {
    const { memory } = this.thread.machine;
    const address = this.registerAddress(index);
    const [low, high] = words64(value);
    memory.setU32(address, low);
    memory.setU32(address + 4, high);
  }

  /** The address of the instruction behind the call. */
  get programCounter(): number {
    const { memory } = this.thread.machine;
    const { frame } = this;
    if (frame !== 0) return memory.u32(frame + KTRAP_FRAME.ProgramCounter);
    return memory.u32(this.thread.address + KTHREAD.ProgramCounter) + SYSTEM_CALL_BYTES;
  }

  /** The address of the program. */
  get programBase(): number {
    const { memory } = this.thread.machine;
    const { frame } = this;
    return memory.u32(frame === 0 ? this.thread.address + KTHREAD.ProgramBase : frame + BASE);
  }

  /** Lets a thread that has not been started begin behind this one's call, with its registers and the status 0. */
  continueIn(child: KThread): void {
    const { memory } = child.machine;
    memory.setU32(child.address + KTHREAD.WaitStatus, 0);
    memory.setU32(child.address + KTHREAD.ProgramBase, this.programBase);
    memory.setU32(child.address + KTHREAD.ProgramCounter, this.programCounter);
    const from = this.registerAddress(0);
    const to = child.address + KTHREAD.Register64;
    for (let word = 0; word < REGISTER_WORDS; word++)
      memory.setU32(to + word * 4, memory.u32(from + word * 4));
  }

  /** The call, whose routine runs in front, is made again when that returns. */
  restart(): void {
    const { memory } = this.thread.machine;
    const address = this.frame + KTRAP_FRAME.ProgramCounter;
    memory.setU32(address, memory.u32(address) - SYSTEM_CALL_BYTES);
  }
}

const REGISTER64 = KTRAP_FRAME.Register64;
const BASE = KTRAP_FRAME.ProgramBase;
const REGISTER_WORDS = 8;

/** The bits of KTHREAD.Flags that say who advances a thread, and in which mode. */
const GUEST_FLAGS =
  THREAD_FLAG.Host | THREAD_FLAG.Port | THREAD_FLAG.UserMode | THREAD_FLAG.KernelCompute;

/** The frames of a thread, the top one first. */
function* framesOf(thread: KThread): Generator<number, void> {
  const { memory } = thread.machine;
  const inFrame = (memory.u32(thread.address + KTHREAD.Flags) & THREAD_FLAG.TrapFrame) !== 0;
  let frame = inFrame ? thread.extended(KTHREAD_EXTENSION.TrapFrame) : 0;
  while (frame !== 0) {
    yield frame;
    frame = memory.u32(frame + KTRAP_FRAME.Previous);
  }
}

/** Whether nothing but routines of user-mode APCs runs in front of what a thread was made for. */
export function hasUserApcFramesOnly(thread: KThread): boolean {
  const { memory } = thread.machine;
  const kinds = [...framesOf(thread)].map((frame) => memory.u32(frame + KTRAP_FRAME.Kind));
  return kinds.every((kind) => kind === FRAME.UserApc);
}

/**
 * What a thread goes on with behind the call whose routine runs in front: a program from its start, or
 * what `flags` say. Routines of APCs that it made the call in return at once: those of the host's are
 * the caller's to end, programs go on at `returnProgram`.
 */
export function setBehindFrames(
  thread: KThread,
  program: LoadedProgram | undefined,
  flags: number,
  returnProgram: number,
): void {
  const { memory } = thread.machine;
  const put = (frame: number, address: number) => {
    memory.setU32(frame + KTRAP_FRAME.ProgramBase, address);
    memory.setU32(frame + KTRAP_FRAME.ProgramCounter, address);
    memory.setU32(frame + KTRAP_FRAME.BurstRemaining64, 1);
    memory.setU32(frame + KTRAP_FRAME.BurstRemaining64 + 4, 0);
  };
  for (const frame of framesOf(thread)) {
    const address = frame + KTRAP_FRAME.Flags;
    if (memory.u32(frame + KTRAP_FRAME.Previous) !== 0) {
      if ((memory.u32(address) & THREAD_FLAG.Host) === 0) put(frame, returnProgram);
      continue;
    }
    const kept = memory.u32(address) & ~(GUEST_FLAGS | THREAD_FLAG.KernelCall);
    memory.setU32(address, kept | THREAD_FLAG.UserMode | flags);
    put(frame, program?.address ?? 0);
    for (let word = 0; word < REGISTER_WORDS; word++)
      memory.setU32(frame + KTRAP_FRAME.Register64 + word * 4, 0);
  }
}

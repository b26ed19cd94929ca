import type { NormalRoutine } from '../../machine/apc';
import type { Request } from '../../machine/generator';
import type { CpuPort, HostBody } from '../../machine/guest';
import type { ThreadBody } from '../../machine/machine';
import type { LoadedProgram } from '../../machine/program';
import { ProgramContext, type UserMemory } from '../../machine/user-context';
import type { KThread } from '../../machine/views';
import type { AddressSpace } from './memory';
import { SIGINFO_BYTES, type SignalInfo } from './siginfo';
import type { LinuxThread, ProcessImage } from './state';

/**
 * What the personality asks of whatever executes a thread's user mode. Programs and host threads are
 * done here; a CPU core brings its own (LinuxPort).
 */

/** A handler of a host thread, at an address of its process. */
export type SignalHandler = (
  signal: number,
  info: SignalInfo,
) => Generator<Request, void, number> | undefined;

/** A signal that a thread is to handle in user mode. */
export interface SignalDelivery {
  readonly signal: number;
  /** Addresses that rt_sigaction was given. */
  readonly handler: number;
  readonly restorer: number;
  /** What is at the handler's address, for threads without memory to execute; undefined: nothing. */
  readonly code: SignalHandler | LoadedProgram | undefined;
  /** Ends the handler: what rt_sigreturn does with the masks. */
  readonly finish: () => void;
  readonly info: SignalInfo;
  /** The same as bytes: what the handler finds at rsi; undefined: it does not say SA_SIGINFO. */
  readonly siginfo: Uint8Array | undefined;
  /** Where the guest has put them, for a handler that is a program: its second register. */
  siginfoAddress: number;
}

export interface CloneOptions {
  /** CLONE_VM: the child has the same memory. */
  readonly sharedMemory: boolean;
  /** The child's stack pointer; 0: the parent's. */
  readonly stack: number;
  /** The child's thread pointer; undefined: the parent's. */
  readonly tls: number | undefined;
}

/** Something that goes on as a thread does. */
export interface ClonedGuest {
  readonly body: ThreadBody;
  readonly guest: LinuxGuest;
  /** Makes the thread that has been created, and not been started, go on there. */
  readonly prepare?: (child: KThread) => void;
}

/** A thread at the beginning of an executable. */
export interface StartedImage {
  readonly body: ThreadBody;
  readonly guest: LinuxGuest;
}

export interface LinuxGuest {
  readonly memory: UserMemory;
  /** A copy that goes on behind the present system call, with 0 for its result; undefined: it cannot be copied. */
  clone(options: CloneOptions): ClonedGuest | undefined;
  /** What the thread goes on with behind its execve, whatever is installed there. */
  execute?(image: ProcessImage): StartedImage;
  /** The present system call is made again once the signal's handler has returned. False: user mode is to do it. */
  restart(): boolean;
  /** What the thread runs for a signal; null: it has been made to go on in the handler. */
  deliver(delivery: SignalDelivery): NormalRoutine | LoadedProgram | null;
  /** rt_sigreturn of a thread that `deliver` made to go on in a handler. */
  signalReturn?(): void;
}

/** A CPU core for threads of Linux, one a thread: x86-64 registers, guest memory, and these. */
export interface LinuxPort extends CpuPort, LinuxGuest {
  readonly memory: UserMemory;
}

/** Runs a process's code for a signal: a function, or a program whose last call is rt_sigreturn. */
function runHandler({
  signal,
  code,
  finish,
  info,
}: SignalDelivery): NormalRoutine | LoadedProgram | null {
  if (code === undefined) return null;
  if (typeof code !== 'function') return code;
  return function* signalHandler() {
    const running = code(signal, info);
    if (running !== undefined) yield* running;
    finish();
  };
}

/** Where the stacks of threads are whose memory is ntps's, and what each has of it. */
export const STACK_BASE = 0x7ffd_0000_0000;
export const STACK_SLOT = 16_384;
export const STACK_SLOTS = 1024;

/** A program has no stack: its siginfo is at the end of a thread's slot, one below the other. */
function siginfoAddress(thread: number, depth: number): number {
  return STACK_BASE + ((thread % STACK_SLOTS) + 1) * STACK_SLOT - depth * SIGINFO_BYTES;
}

/** A thread that runs a program of ntps. */
export class ProgramGuest implements LinuxGuest {
  private context: ProgramContext | undefined;

  constructor(readonly memory: AddressSpace) {}

  attach(thread: KThread): void {
    this.context = new ProgramContext(thread);
  }

  clone({ sharedMemory }: CloneOptions): ClonedGuest | undefined {
    const { context } = this;
    if (context === undefined) return undefined;
    const { name, machine } = context.thread;
    const body = { name, address: context.programBase, length: 0, machine };
    const guest = new ProgramGuest(sharedMemory ? this.memory : this.memory.fork());
    const prepare = (child: KThread) => {
      guest.attach(child);
      context.continueIn(child);
    };
    return { body, guest, prepare };
  }

  restart(): boolean {
    this.context?.restart();
    return true;
  }

  deliver(delivery: SignalDelivery) {
    const { siginfo } = delivery;
    const thread = this.context?.thread;
    if (siginfo !== undefined && thread !== undefined) {
      const depth = (thread.picoContext as LinuxThread).savedMasks.length;
      const address = siginfoAddress(thread.index, depth);
      if (this.memory.write(address, siginfo)) delivery.siginfoAddress = address;
    }
    return runHandler(delivery);
  }
}

/** A thread whose user mode is a generator of the host. It cannot be copied: who forks says what the child does. */
export class HostGuest implements LinuxGuest {
  /** What the next child runs, with its own guest. */
  nextChild: ((guest: HostGuest) => HostBody) | undefined;

  constructor(readonly memory: AddressSpace) {}

  clone({ sharedMemory }: CloneOptions): ClonedGuest | undefined {
    const child = this.nextChild;
    this.nextChild = undefined;
    if (child === undefined) return undefined;
    const guest = new HostGuest(sharedMemory ? this.memory : this.memory.fork());
    return { body: child(guest), guest };
  }

  restart(): boolean {
    return false;
  }

  deliver(delivery: SignalDelivery) {
    return runHandler(delivery);
  }
}

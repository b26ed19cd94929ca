import { OP } from '../../../assembly/shared/opcode';
import { STATUS } from '../../../assembly/shared/status';
import type { GuestResult } from '../../machine/dpc';
import { MachineError } from '../../machine/errors';
import type { Request } from '../../machine/generator';
import { encode } from '../../machine/instruction';
import type { Machine } from '../../machine/machine';
import type { UserRegisters } from '../../machine/user-context';
import type { KProcess, KThread } from '../../machine/views';
import type {
  PsPicoExceptionRecord,
  PsPicoProviderRoutines,
  PsPicoSystemCallInformation,
} from '../provider';
import type { PsPicoRoutines } from '../routines';
import { SA, SIG, SIG_HANDLER } from './abi';
import { ERRNO } from './errno';
import type { LinuxExecutable } from './execute';
import { FutexTable } from './futex';
import { STACK_BASE, STACK_SLOT, STACK_SLOTS } from './guest';
import { AddressSpace, type SharedMemory } from './memory';
import { processExited, threadExited } from './process';
import { faultInfo } from './siginfo';
import {
  addPending,
  bitOf,
  dispositionOf,
  endGroup,
  killGroup,
  notify,
  restartsCalls,
} from './signal';
import { type LinuxProcess, LinuxState, type LinuxThread, type ProcessIdentity } from './state';
import { SYSTEM_CALLS } from './table';

/** The provider: what the kernel brings to it, and what all system calls share. */

/** Where processes without a memory of their own find theirs. */
export const DATA_BASE = 0x1_0000;
export const DATA_BYTES = 0x10_0000;
/** The words that programs of the machine share, as memory of every process. */
export const SHARED_WORDS_BASE = 0x6000_0000;

/** Words of the machine's that programs share. */
class SharedWords implements SharedMemory {
  constructor(private readonly machine: Machine) {}

  read(offset: number, into: Uint8Array): void {
    let word = this.machine.sharedWord(Math.floor(offset / 4));
    for (let index = 0; index < into.length; index++) {
      const at = offset + index;
      if (index !== 0 && at % 4 === 0) word = this.machine.sharedWord(at / 4);
      into[index] = word >>> ((at % 4) * 8);
    }
  }

  write(offset: number, from: Uint8Array): void {
    for (let index = 0; index < from.length; index++) {
      const at = offset + index;
      const shift = (at % 4) * 8;
      const word = this.machine.sharedLong(Math.floor(at / 4));
      word.value = (word.value & ~(0xff << shift)) | ((from[index] as number) << shift);
    }
  }
}

export interface WslKernelOptions {
  /** Where the file system is for Windows. */
  readonly rootfs: string;
  readonly sharedWordBytes: number;
}

export class WslKernel {
  readonly state: LinuxState;
  readonly executables = new Map<string, LinuxExecutable>();
  /** How often calls have been made that there are not, or not of that kind, by number. */
  readonly unknownCalls = new Map<number, number>();
  /** Called when nothing is left of a process. */
  onReaped: (process: LinuxProcess) => void = () => {};
  private readonly words: SharedMemory;
  private handedBack: PsPicoRoutines | undefined;

  constructor(
    readonly machine: Machine,
    private readonly options: WslKernelOptions,
  ) {
    this.state = new LinuxState(machine, new FutexTable());
    this.words = new SharedWords(machine);
  }

  /** What the kernel has handed back to the provider. */
  get routines(): PsPicoRoutines {
    if (this.handedBack === undefined)
      throw new MachineError('the Linux provider is not registered yet; let its driver load first');
    return this.handedBack;
  }

  set routines(routines: PsPicoRoutines) {
    this.handedBack = routines;
  }

  newMemory(): AddressSpace {
    const memory = new AddressSpace();
    memory.map(DATA_BASE, DATA_BYTES);
    memory.map(STACK_BASE, STACK_SLOTS * STACK_SLOT);
    memory.map(SHARED_WORDS_BASE, this.options.sharedWordBytes, this.words);
    return memory;
  }

  /** What callbacks are told of a process. */
  identityOf({ image }: LinuxProcess): ProcessIdentity {
    const { path, argv } = image;
    image.identity ??= {
      FileObject: { FileName: this.options.rootfs + path.replaceAll('/', '\\') },
      ImageFileName: path,
      CommandLine: argv.join('\0'),
    };
    return image.identity;
  }

  /** Whether a process does not wait for its children. */
  discardsChildren({ actions }: LinuxProcess): boolean {
    const action = actions[SIG.CHLD - 1];
    if (action === undefined) return false;
    return action.handler === SIG_HANDLER.IGN || (action.flags & SA.NOCLDWAIT) !== 0;
  }

  /** The routines that PsRegisterPicoProvider is given. */
  get provider(): PsPicoProviderRoutines {
    return {
      Name: 'lxcore',
      NoResourcesResult: -ERRNO.ENOMEM,
      DispatchSystemCall: (systemCall) => this.dispatch(systemCall),
      ExitThread: (thread) => {
        const linux = thread.picoContext as LinuxThread | null;
        if (linux !== null) threadExited(this, linux);
      },
      ExitProcess: (process) => {
        const linux = process.picoContext as LinuxProcess | null;
        if (linux !== null) processExited(this, linux);
      },
      DispatchException: (thread, record) => this.fault(thread, record),
      TerminateProcess: (process, status) => this.terminate(process, status),
      WalkUserStack: () => [],
    };
  }

  private dispatch({
    Thread,
    Number: number,
    TrapFrame,
  }: PsPicoSystemCallInformation): GuestResult {
    const thread = Thread.picoContext as LinuxThread;
    const call = SYSTEM_CALLS[number];
    if (call === undefined) return this.unknown(number, TrapFrame);
    const { rdi, rsi, rdx, r10, r8, r9 } = TrapFrame;
    const result = call(this, thread, rdi, rsi, rdx, r10, r8, r9);
    if (typeof result !== 'number') return this.finish(thread, TrapFrame, result);
    if (result === -ERRNO.ENOSYS) return this.unknown(number, TrapFrame);
    TrapFrame.rax = result;
    return undefined;
  }

  private *finish(
    thread: LinuxThread,
    trapFrame: UserRegisters,
    rest: Generator<Request, number, number>,
  ): Generator<Request, void, number> {
    const result = yield* rest;
    const again = result === -ERRNO.ERESTARTSYS && restartsCalls(thread);
    if (again && thread.guest.restart()) return;
    trapFrame.rax = result === -ERRNO.ERESTARTSYS && !again ? -ERRNO.EINTR : result;
  }

  /** A call that there is not, or not of this kind: the trace has a mark of its result and number. */
  private *unknown(number: number, trapFrame: UserRegisters): Generator<Request, void, number> {
    this.unknownCalls.set(number, (this.unknownCalls.get(number) ?? 0) + 1);
    trapFrame.rax = -ERRNO.ENOSYS;
    yield [encode(OP.Mark), -ERRNO.ENOSYS >>> 0, number];
  }

  /** A fault is a signal for its thread: one that it does not handle ends the process. */
  private fault({ picoContext }: KThread, record: PsPicoExceptionRecord): boolean {
    const thread = picoContext as LinuxThread;
    const { process } = thread;
    const info = faultInfo(record.ExceptionCode, record.ExceptionInformation);
    const { signal } = info;
    const blocked = (thread.mask & bitOf(signal)) !== 0n;
    if (blocked || dispositionOf(process, signal) !== 'handle') {
      process.exitStatus ??= signal;
      return false;
    }
    addPending(thread, info);
    notify(thread);
    return true;
  }

  private terminate({ picoContext }: KProcess, status: number): number {
    const process = picoContext as LinuxProcess;
    if (process.exitStatus !== undefined) return STATUS.PROCESS_IS_TERMINATING;
    endGroup(process, SIG.KILL, status);
    return STATUS.SUCCESS;
  }

  /** Ends a process from outside, as SIGKILL does. */
  kill(process: LinuxProcess): void {
    killGroup(process, SIG.KILL);
  }
}

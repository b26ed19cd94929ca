import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import type { GuestResult } from '../machine/dpc';
import { MachineError } from '../machine/errors';
import type { CallRoutine } from '../machine/frames';
import { isGenerator, resultOf } from '../machine/generator';
import { NtStatusError, type Request } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { ProgramContext, type UserRegisters } from '../machine/user-context';
import type { KProcess, KThread } from '../machine/views';
import type { PicoHooks } from '../ps/pico';
import type {
  PsPicoExceptionRecord,
  PsPicoProviderRoutines,
  PsPicoSystemCallInformation,
} from './provider';
import { terminatePicoProcess } from './terminate';

/** Brings what happens to threads of pico processes to their provider, in their context. */

/** What a provider threw, or left undone: the cause of the bugcheck for that. */
export class PicoProviderError extends Error {
  override readonly name = 'PicoProviderError';
}

/** The kernel's own hold on a process that it has made for the provider. */
function release(process: KProcess): void {
  if (process.exists && process.held) process.close();
}

/** A system call as it is dispatched. One object a thread: it holds from the call to its end. */
class SystemCall implements PsPicoSystemCallInformation {
  Number = 0;

  constructor(
    readonly Thread: KThread,
    readonly TrapFrame: UserRegisters,
  ) {}
}

export class PicoServices implements PicoHooks {
  readonly noFrameStatus: number;

  constructor(
    private readonly machine: Machine,
    private readonly provider: PsPicoProviderRoutines,
  ) {
    this.noFrameStatus = (provider.NoResourcesResult ?? STATUS.INSUFFICIENT_RESOURCES) >>> 0;
  }

  systemCall(thread: KThread, number: number, argument: number): number | CallRoutine {
    const call = this.callOf(thread);
    const { TrapFrame } = call;
    call.Number = number;
    TrapFrame.rax = number;
    if (TrapFrame instanceof ProgramContext) TrapFrame.r8 = argument | 0;
    const apcs = thread.combinedApcDisable;
    let result: GuestResult;
    try {
      result = this.provider.DispatchSystemCall(call);
    } catch (error) {
      throw this.failed('DispatchSystemCall', number, thread, error);
    }
    if (isGenerator(result)) return this.finishCall(call, result, apcs);
    this.returns(call, apcs);
    return TrapFrame.rax >>> 0;
  }

  private *finishCall(
    call: SystemCall,
    rest: Generator<Request, unknown, number>,
    apcs: number,
  ): Generator<Request, number, number> {
    const { Number: number } = call;
    try {
      yield* rest;
    } catch (error) {
      throw this.failed('DispatchSystemCall', number, call.Thread, error);
    }
    this.returns(call, apcs);
    return call.TrapFrame.rax >>> 0;
  }

  /** Stops the machine if a system call goes back to user mode at a level, with APCs disabled, or attached. */
  private returns({ Number: number, Thread: thread }: SystemCall, apcs: number): void {
    const level = this.machine.irql();
    const left = thread.combinedApcDisable;
    const attached = thread.attachedProcess !== thread.process;
    if (level === IRQL.PASSIVE_LEVEL && left === apcs && !attached) return;
    const which = `provider '${this.provider.Name}': DispatchSystemCall of ${number} returned`;
    if (level !== IRQL.PASSIVE_LEVEL) {
      this.machine.bugCheck(BUGCHECK.IRQL_GT_ZERO_AT_SYSTEM_SERVICE, number, level);
      throw new PicoProviderError(`${which} at IRQL ${level}; lower what it raised`);
    }
    this.machine.bugCheck(BUGCHECK.APC_INDEX_MISMATCH, number, attached ? 1 : 0, left);
    throw new PicoProviderError(
      `${which} ${attached ? `attached to '${thread.attachedProcess.name}'` : 'with APCs disabled'}; leave every region, release every mutex, and detach`,
    );
  }

  private callOf(thread: KThread): SystemCall {
    const known = thread.picoCall as SystemCall | undefined;
    // Its registers are others once it runs another body.
    if (known !== undefined && known.TrapFrame === thread.userRegisters) return known;
    thread.userRegisters ??= new ProgramContext(thread);
    const made = new SystemCall(thread, thread.userRegisters);
    thread.picoCall = made;
    return made;
  }

  *fault(thread: KThread, status: number): CallRoutine {
    const { TrapFrame } = this.callOf(thread);
    let handled = false;
    try {
      const { faultInformation: information } = thread;
      thread.faultInformation = undefined;
      const record: PsPicoExceptionRecord = {
        ExceptionCode: status,
        ...(information === undefined ? {} : { ExceptionInformation: information }),
      };
      handled = yield* resultOf(this.provider.DispatchException(thread, record, TrapFrame));
    } catch (error) {
      throw this.failed('DispatchException', status, thread, error);
    }
    if (!handled) terminatePicoProcess(thread.process, status);
    return status;
  }

  exitThread(thread: KThread): GuestResult {
    try {
      const rest = this.provider.ExitThread(thread);
      if (isGenerator(rest)) return this.finishExit('ExitThread', thread, rest, undefined);
    } catch (error) {
      throw this.failed('ExitThread', 0, thread, error);
    }
    return undefined;
  }

  exitProcess(process: KProcess): GuestResult {
    try {
      const rest = this.provider.ExitProcess(process);
      const thread = process.initialThread;
      if (isGenerator(rest)) return this.finishExit('ExitProcess', thread, rest, process);
    } catch (error) {
      throw this.failed('ExitProcess', 0, process.initialThread, error);
    }
    release(process);
    return undefined;
  }

  private *finishExit(
    routine: string,
    thread: KThread | undefined,
    rest: Generator<Request, unknown, number>,
    process: KProcess | undefined,
  ): Generator<Request, void, number> {
    try {
      yield* rest;
    } catch (error) {
      throw this.failed(routine, 0, thread, error);
    }
    if (process !== undefined) release(process);
  }

  terminateProcess(process: KProcess, exitStatus: number): GuestResult<number> {
    return this.provider.TerminateProcess(process, exitStatus);
  }

  /** Stops the machine for what the provider threw; misuse of the host's API is the embedder's to see. */
  private failed(
    routine: string,
    what: number,
    thread: KThread | undefined,
    error: unknown,
  ): unknown {
    if (error instanceof MachineError || error instanceof PicoProviderError) return error;
    const status = error instanceof NtStatusError ? error.status : STATUS.UNSUCCESSFUL;
    const code = BUGCHECK.SYSTEM_SERVICE_EXCEPTION;
    this.machine.bugCheck(code, status, what, thread?.index ?? 0);
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const message = `provider '${this.provider.Name}': ${routine} threw ${why}`;
    return new PicoProviderError(message, { cause: error });
  }
}

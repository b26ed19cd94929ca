import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { KSYSTEM, KTHREAD, KTRAP_FRAME } from '../../assembly/shared/layout';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { ACTIVATION, HOST_REQUEST, MODE } from '../../assembly/shared/types';
import { Activation } from './activation';
import { requireOwnProgram } from './body';
import { isMachineError, MachineError } from './errors';
import type { CallRoutine } from './frames';
import { isGenerator, type Request } from './generator';
import { requireStatus } from './given';
import { NtStatusError } from './guest';
import { encode } from './instruction';
import type { Created } from './lifecycle';
import type { Machine } from './machine';
import type { MachineMemory } from './memory';
import { requireInteger } from './profile';
import type { LoadedProgram } from './program';
import { FAULT_CALL, type SystemServices } from './user-context';
import type { KThread } from './views';

/**
 * What a host call or system call does: the status goes to the thread that made it. A generator's
 * routine runs in the thread, which may block in it, and its result is the status.
 */
export type CallHandler = (thread: KThread, argument: number) => number | undefined | CallRoutine;
/** The same for every number without a handler of its own. */
export type AnyCallHandler = (
  thread: KThread,
  number: number,
  argument: number,
) => number | undefined | CallRoutine;

/** What a handler has returned, as the status of the call; nothing is success. */
function requireAnswered(request: number, number: number, answer: unknown): number {
  const kind = request === HOST_REQUEST.HostCall ? 'host' : 'system';
  if (answer === undefined) return STATUS.SUCCESS;
  return requireStatus(`what the handler of ${kind} call ${number} returned`, answer);
}

function* statusOf(request: number, number: number, routine: CallRoutine): CallRoutine {
  return requireAnswered(request, number, yield* routine);
}

/** What the host does when a step has stopped for it: host threads, calls, ports, creations. */
export class Answers {
  private readonly hostCalls = new Map<number, CallHandler>();
  private readonly systemCalls = new Map<number, CallHandler>();
  private anySystemCall: AnyCallHandler | undefined;
  private refill: ((thread: number) => void) | undefined;
  /** What a guest has thrown, and nobody has caught. */
  failure: unknown;

  /** `programCalls`: how many system calls, from 0, programs may answer. */
  constructor(
    private readonly machine: Machine,
    private readonly memory: MachineMemory,
    private readonly programCalls: number,
  ) {}

  onHostCall(number: number, handler: CallHandler): void {
    this.hostCalls.set(requireInteger('number', number, 0, FAULT_CALL - 1), handler);
  }

  onSystemCall(
    number: number | 'any',
    handler: CallHandler | AnyCallHandler | LoadedProgram,
  ): void {
    if (number === 'any') {
      if (typeof handler !== 'function')
        throw new MachineError('onSystemCall: a program answers one number; give that');
      this.anySystemCall = handler as AnyCallHandler;
      return;
    }
    requireInteger('number', number, 0, 0xffff);
    if (typeof handler === 'function') {
      this.systemCalls.set(number, handler as CallHandler);
      if (number < this.programCalls) this.setSystemCall(number, 0);
      return;
    }
    if (number >= this.programCalls) {
      throw new MachineError(
        `onSystemCall: number ${number} is not below ${this.programCalls}, as those are that programs answer; raise capacities.systemCalls`,
      );
    }
    requireOwnProgram(this.machine, 'onSystemCall', handler);
    this.systemCalls.delete(number);
    this.setSystemCall(number, handler.address);
  }

  private setSystemCall(number: number, program: number): void {
    this.memory.setU32(this.system(KSYSTEM.SystemCallBase) + number * 4, program);
  }

  /** Whether a program answers a system call of a thread. */
  private isProgramCall(thread: KThread, number: number): boolean {
    if (number >= this.programCalls) return false;
    if (thread.process.systemServices !== undefined) return false;
    return this.memory.u32(this.system(KSYSTEM.SystemCallBase) + number * 4) !== 0;
  }

  /** Called with a thread's index when its streamed program has run out. */
  onRefill(handler: (thread: number) => void): void {
    this.refill = handler;
  }

  /** Does what the stopped step asks of the host. What a guest throws is a bugcheck; what the host does wrong is thrown on. */
  answer(): void {
    const index = this.system(KSYSTEM.StopThread);
    const request = this.system(KSYSTEM.StopRequest);
    if (request === HOST_REQUEST.Refill) {
      if (this.refill === undefined)
        throw new MachineError('a streamed program has run out and nobody refills it');
      this.refill(index);
      return;
    }
    try {
      if (index >= ACTIVATION.Mark) {
        this.answerActivation(index, request);
        return;
      }
      const thread = this.machine.thread(index) as KThread;
      if (request === HOST_REQUEST.HostThread) {
        const instruction = this.machine.guests.nextHostRequest(thread);
        this.machine.watcher?.instruction(thread, instruction);
        this.machine.locks.beforeInstruction(thread, (instruction[0] as number) & 0xff);
        this.giveInstruction(thread, instruction);
      } else if (request === HOST_REQUEST.PortThread) this.answerPort(thread);
      else if (request === HOST_REQUEST.Create) this.answerCreate(thread);
      else
        this.answerCall(
          thread,
          request,
          this.system(KSYSTEM.StopNumber),
          this.system(KSYSTEM.StopArgument),
        );
    } catch (error) {
      if (isMachineError(error)) throw error;
      this.failure = error;
      const status = error instanceof NtStatusError ? error.status : STATUS.UNSUCCESSFUL;
      this.exceptionNotHandled(index, status);
      return;
    }
    this.memory.setU32(KSYSTEM.Address + KSYSTEM.HostAnswered, 1);
  }

  /** The bugcheck of what nobody caught, by who threw it. */
  private exceptionNotHandled(index: number, status: number): void {
    const inRoutine = index >= ACTIVATION.Mark;
    if (inRoutine && new Activation(this.machine, index).isServiceRoutine)
      this.machine.bugCheck(BUGCHECK.INTERRUPT_EXCEPTION_NOT_HANDLED, status);
    else if (!inRoutine && this.machine.thread(index)?.isSystemThread === true)
      this.machine.bugCheck(BUGCHECK.SYSTEM_THREAD_EXCEPTION_NOT_HANDLED, status);
    else this.machine.bugCheck(BUGCHECK.KMODE_EXCEPTION_NOT_HANDLED, status, 0, index);
  }

  /** A routine in front of a thread: its next instruction, or the host call of a program. */
  private answerActivation(index: number, request: number): void {
    if (request === HOST_REQUEST.HostThread) {
      const instruction = this.machine.guests.nextActivationRequest(index);
      this.machine.watcher?.activation(index, instruction);
      this.setInstruction(instruction);
    } else {
      const { thread } = new Activation(this.machine, index);
      const argument = this.system(KSYSTEM.StopArgument);
      this.answerCall(thread, request, this.system(KSYSTEM.StopNumber), argument);
    }
    this.memory.setU32(KSYSTEM.Address + KSYSTEM.HostAnswered, 1);
  }

  private answerPort(thread: KThread): void {
    const budget = this.memory.u64(KSYSTEM.Address + KSYSTEM.StopBudget64);
    const stop = this.machine.ports.takeStop(thread);
    const request =
      stop === undefined
        ? this.machine.guests.nextPortRequest(thread, Math.min(budget, Number.MAX_SAFE_INTEGER))
        : this.machine.guests.requestOf(thread, stop);
    this.giveInstruction(thread, request);
  }

  /** Gives the core a thread's instruction; a call is answered with it. */
  private giveInstruction(thread: KThread, instruction: Request): void {
    this.setInstruction(instruction);
    const word = instruction[0] as number;
    const opcode = word & 0xff;
    if (opcode !== OP.SystemCall && opcode !== OP.HostCall) return;
    const argument = instruction[1] ?? 0;
    if (opcode === OP.SystemCall) this.answerSystemCall(thread, word >>> 16, argument);
    else this.answerCall(thread, HOST_REQUEST.HostCall, word >>> 16, argument);
  }

  /** What a process's own services answer to a call or fault of its thread, in that's context. */
  private answerService(
    services: SystemServices,
    thread: KThread,
    request: number,
    number: number,
    argument: number,
  ): void {
    const answer = this.machine.guests.begin<number | undefined>(thread, () =>
      request === HOST_REQUEST.SystemCall
        ? services.systemCall(thread, number, argument)
        : services.fault(thread, argument),
    );
    if (isGenerator(answer)) this.answerBy(thread, answer, services.noFrameStatus);
    else this.setStatus(answer ?? STATUS.SUCCESS);
  }

  /** A system call that the host has given itself, unless the core has a program for it. */
  private answerSystemCall(thread: KThread, number: number, argument: number): void {
    if (!this.isProgramCall(thread, number))
      this.answerCall(thread, HOST_REQUEST.SystemCall, number, argument);
  }

  private answerCall(thread: KThread, request: number, number: number, argument: number): void {
    const { systemServices } = thread.process;
    const fault = number === FAULT_CALL && request === HOST_REQUEST.HostCall;
    if (fault && systemServices === undefined) {
      this.faultOfNoSubsystem(thread, argument);
      return;
    }
    if (systemServices !== undefined && (fault || request === HOST_REQUEST.SystemCall)) {
      this.answerService(systemServices, thread, request, number, argument);
      return;
    }
    let answer: ReturnType<CallHandler> = STATUS.NOT_IMPLEMENTED;
    const handler = (request === HOST_REQUEST.HostCall ? this.hostCalls : this.systemCalls).get(
      number,
    );
    if (handler !== undefined) answer = handler(thread, argument);
    else if (request === HOST_REQUEST.SystemCall && this.anySystemCall !== undefined) {
      answer = this.anySystemCall(thread, number, argument);
    }
    if (isGenerator(answer)) this.answerBy(thread, statusOf(request, number, answer));
    else this.setStatus(requireAnswered(request, number, answer));
  }

  /** A fault of a program that no subsystem handles: its thread ends; of the kernel's, the machine stops. */
  private faultOfNoSubsystem(thread: KThread, status: number): void {
    const index = this.system(KSYSTEM.StopThread);
    if (index >= ACTIVATION.Mark || thread.isSystemThread) throw new NtStatusError(status);
    thread.terminate(status);
    this.setStatus(status);
  }

  private setStatus(status: number): void {
    this.memory.setU32(KSYSTEM.Address + KSYSTEM.HostStatus, status);
  }

  /** Lets a routine in front of the thread answer its call. */
  private answerBy(
    thread: KThread,
    routine: CallRoutine,
    noFrameStatus: number = STATUS.INSUFFICIENT_RESOURCES,
  ): void {
    if (this.system(KSYSTEM.StopThread) >= ACTIVATION.Mark) {
      throw new MachineError(
        'the host call of a DPC or interrupt routine was answered by a generator; only a thread can wait for one: queue a work item',
      );
    }
    const room = this.machine.guests.frames.answerCall(thread, routine);
    // What it has begun is taken back by its finally blocks, which ask for nothing.
    if (!room) routine.return(noFrameStatus);
    this.setStatus(room ? STATUS.PENDING : noFrameStatus);
  }

  /** A program's createThread or createProcess, by the lifecycle. */
  private answerCreate(thread: KThread): void {
    const pc = this.system(KSYSTEM.StopArgument);
    const { lifecycle } = this.machine;
    const program = this.machine.programAt(this.memory.u32(pc + 4));
    if (lifecycle === undefined || program === undefined) {
      this.setStatus(STATUS.INVALID_PARAMETER);
      return;
    }
    const result = this.machine.guests.begin(thread, () =>
      this.system(KSYSTEM.StopNumber) === OP.CreateThread
        ? lifecycle.createThread(thread, program, this.memory.i32(pc + 8))
        : lifecycle.createProcess(thread, program, this.memory.u32(pc + 8)),
    );
    if (isGenerator(result)) this.answerBy(thread, this.createFor(thread, result, pc));
    else {
      this.machine.setHostCost(result.costNs ?? 0);
      this.setStatus(this.giveThread(result, pc, thread.address + KTHREAD.Register64));
    }
  }

  private *createFor(
    thread: KThread,
    creation: Generator<Request, Created, number>,
    pc: number,
  ): CallRoutine {
    const created = yield* creation;
    const { costNs = 0 } = created;
    if (costNs !== 0) yield [encode(OP.Compute, MODE.KernelMode), costNs, 0];
    const frame = this.machine.guests.frames.topFrame(thread);
    return this.giveThread(created, pc, frame + KTRAP_FRAME.Register64);
  }

  /** Puts a new thread's handle where an instruction says. */
  private giveThread({ status, thread }: Created, pc: number, registers: number): number {
    if (thread === undefined) return status;
    const register = registers + ((this.memory.u32(pc) >>> 8) & 0xff) * 8;
    const { handle } = thread;
    this.memory.setU32(register, handle % 2 ** 32);
    this.memory.setU32(register + 4, Math.floor(handle / 2 ** 32));
    return status;
  }

  private setInstruction(words: readonly number[]): void {
    const address = KSYSTEM.Address + KSYSTEM.HostInstruction;
    for (let index = 0; index < words.length; index++)
      this.memory.setU32(address + index * 4, words[index] as number);
  }

  private system(field: number): number {
    return this.memory.u32(KSYSTEM.Address + field);
  }
}

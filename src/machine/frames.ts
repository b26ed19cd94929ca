import { KSYSTEM, KTHREAD, KTHREAD_EXTENSION, KTRAP_FRAME } from '../../assembly/shared/layout';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { FRAME } from '../../assembly/shared/types';
import { type ApcCall, KApc } from './apc';
import type { GuestResult } from './dpc';
import { stateOf } from './guest-state';
import { MachineError } from './errors';
import { isGenerator, isPromise, refusePromise, type Request } from './generator';
import { words64 } from './instruction';
import type { Machine } from './machine';
import type { LoadedProgram } from './program';
import type { KThread } from './views';

/** A call's answer that takes longer than the call: its routine runs in the thread, which gets the status it returns. */
export type CallRoutine = Generator<Request, number | undefined, number>;

/** A routine of the host's in front of what a thread does, as the core has a frame of it. */
export interface HostFrame {
  /** Which frame it is: row and generation. */
  readonly key: number;
  readonly depth: number;
  kind: FRAME;
  generator: Generator<Request, unknown, number> | undefined;
  readonly apc: KApc | undefined;
  readonly call: ApcCall | undefined;
}

/** What runs code of the host's in a thread's context. */
export interface FrameRunner<Own> {
  resume(
    thread: KThread,
    own: Own,
    generator: Generator<Request, unknown, number>,
  ): IteratorResult<Request, unknown>;
  within<T>(own: Own, start: () => T): T;
}

/** Routines of the host's that run in front of what threads do: those of APCs, and answers to calls. */
export class Frames {
  constructor(private readonly machine: Machine) {}

  /** The call that a thread has just made is answered by `routine`, in the thread; false if there is no room for that. */
  answerCall(thread: KThread, routine: CallRoutine): boolean {
    if (this.machine.core.hostCanEnterCall(thread.address) === 0) return false;
    stateOf(thread).answer = routine;
    this.machine.memory.setU32(KSYSTEM.Address + KSYSTEM.CallFrame, 1);
    return true;
  }

  /** The routines in front of a thread but the last return at once when they go on. */
  endRoutines(thread: KThread): void {
    const frames = stateOf(thread).frames ?? [];
    for (const frame of frames.slice(0, -1)) frame.generator = ended();
  }

  private extension(thread: KThread): number {
    return this.machine.memory.u32(thread.address + KTHREAD.Extension);
  }

  /** The address of a thread's top frame. */
  topFrame(thread: KThread): number {
    return this.machine.memory.u32(this.extension(thread) + KTHREAD_EXTENSION.TrapFrame);
  }

  /** When the user-mode APC routine ends that a thread runs, no other follows at once. */
  keepUserApcs(thread: KThread): void {
    const { memory } = this.machine;
    const address = this.extension(thread) === 0 ? 0 : this.topFrame(thread);
    if (address === 0 || memory.u32(address + KTRAP_FRAME.Kind) !== FRAME.UserApc) return;
    memory.setU32(address + KTRAP_FRAME.TestAlert, 0);
  }

  /**
   * The next instruction of a thread's routine in front; undefined if it has just returned, after
   * which the caller asks the core to go on with `exit`.
   */
  next<Own>(thread: KThread, runner: FrameRunner<Own>, own: Own): Request {
    const frame = this.current(thread);
    if (frame.generator === undefined) {
      const started = runner.within(own, () => this.start(thread, frame));
      if (!isGenerator(started)) return this.finish(thread, frame, started);
      frame.generator = started;
    }
    const result = runner.resume(thread, own, frame.generator);
    return result.done === true ? this.finish(thread, frame, result.value) : result.value;
  }

  /** The host's frame of the core's top frame; a new one if there is none. */
  private current(thread: KThread): HostFrame {
    const { memory } = this.machine;
    const address = this.topFrame(thread);
    const key = memory.u32(address + KTRAP_FRAME.Generation) * 2 ** 32 + address;
    const kind = memory.u32(address + KTRAP_FRAME.Kind) as FRAME;
    const depth = memory.u32(this.extension(thread) + KTHREAD_EXTENSION.TrapFrameCount);
    const state = stateOf(thread);
    state.frames ??= [];
    const { frames } = state;
    // Frames whose last routine was a program's have gone without the host.
    while ((frames[frames.length - 1]?.depth ?? 0) > depth) frames.pop();
    const top = frames[frames.length - 1];
    if (top?.key === key) {
      if (top.kind !== kind) {
        top.kind = kind;
        top.generator = undefined;
      }
      return top;
    }
    if (top?.depth === depth) frames.pop();
    const frame = this.create(address, key, depth, kind);
    frames.push(frame);
    return frame;
  }

  private create(address: number, key: number, depth: number, kind: FRAME): HostFrame {
    if (kind === FRAME.Call)
      return { key, depth, kind, generator: undefined, apc: undefined, call: undefined };
    const { memory, values } = this.machine;
    const apc = this.machine.hostObject(memory.u32(address + KTRAP_FRAME.Apc));
    if (!(apc instanceof KApc)) throw new MachineError(`frame ${kind} has no APC of the host`);
    const word = (field: number) =>
      values.decode(memory.u32(address + field), memory.u32(address + field + 4));
    const call = {
      normalRoutine: apc.normalRoutine ?? null,
      normalContext: apc.normalContext,
      systemArgument1: word(KTRAP_FRAME.SystemArgument1_64),
      systemArgument2: word(KTRAP_FRAME.SystemArgument2_64),
    };
    return { key, depth, kind, generator: undefined, apc, call };
  }

  /** Calls the routine of a frame. */
  private start(thread: KThread, frame: HostFrame): GuestResult<unknown> {
    const { apc, call } = frame;
    if (apc === undefined || call === undefined) {
      const state = stateOf(thread);
      const { answer } = state;
      state.answer = undefined;
      if (answer === undefined) throw new MachineError(`a call of '${thread.name}' has no answer`);
      return answer;
    }
    if (frame.kind === FRAME.KernelApcKernelRoutine || frame.kind === FRAME.UserApcKernelRoutine)
      return apc.kernelRoutine?.(apc, call);
    if (typeof call.normalRoutine !== 'function')
      throw new MachineError(`the normal routine of an APC of '${thread.name}' is a program`);
    return call.normalRoutine(call.normalContext, call.systemArgument1, call.systemArgument2);
  }

  /** The instruction by which a routine returns; what a kernel routine has changed is written back first. */
  private finish(thread: KThread, frame: HostFrame, value: unknown): Request {
    const { call, kind } = frame;
    if (isPromise(value)) refusePromise(`an APC routine of thread '${thread.name}'`, value);
    const kernelRoutine =
      kind === FRAME.KernelApcKernelRoutine || kind === FRAME.UserApcKernelRoutine;
    if (kernelRoutine && call !== undefined) this.writeCall(this.topFrame(thread), call);
    else stateOf(thread).frames?.pop();
    const status = kind === FRAME.Call && typeof value === 'number' ? value : STATUS.SUCCESS;
    return [OP.Exit, status >>> 0];
  }

  private writeCall(address: number, call: ApcCall): void {
    const { memory } = this.machine;
    const { normalRoutine } = call;
    const routine =
      normalRoutine === null ? 0 : typeof normalRoutine === 'function' ? 1 : normalRoutine.address;
    memory.setU32(address + KTRAP_FRAME.NormalRoutine, routine);
    if (routine < 2) return;
    const write = (field: number, value: unknown) => {
      const [low, high] = words64(argument(normalRoutine as LoadedProgram, value));
      memory.setU32(address + field, low);
      memory.setU32(address + field + 4, high);
    };
    write(KTRAP_FRAME.NormalContext64, call.normalContext);
    write(KTRAP_FRAME.SystemArgument1_64, call.systemArgument1);
    write(KTRAP_FRAME.SystemArgument2_64, call.systemArgument2);
  }
}

function* ended(): Generator<Request, undefined, number> {}

function argument(program: LoadedProgram, value: unknown): number | bigint {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  throw new MachineError(
    `the normal routine of an APC is the program '${program.name}', and was given an argument that is no number`,
  );
}

import { KTHREAD } from '../../assembly/shared/layout';
import { OP } from '../../assembly/shared/opcode';
import { THREAD_FLAG } from '../../assembly/shared/types';
import { Activation } from './activation';
import { KApc } from './apc';
import { threadedDpcOf } from './dpc';
import { MachineError } from './errors';
import { Frames } from './frames';
import { isGenerator, type Request } from './generator';
import { encode } from './instruction';
import type { Machine } from './machine';
import type { KThread } from './views';

export type { Request };

/** A host thread: a generator that yields requests through `yield*` of DDIs, and gets statuses back. */
export type HostBody = () => Generator<Request, void, number>;

/** What a CpuPort did with its budget. */
export interface PortResult {
  /** Ns of the budget that were used, 1 up to the budget; 0 only with a reason other than 'budget'. */
  readonly usedNs: number;
  readonly reason: 'budget' | 'syscall' | 'fault' | 'halt';
  /** System-call number, 0-65535, and its argument. */
  readonly number?: number;
  readonly argument?: number;
  /** Exit status of a fault or halt. */
  readonly status?: number;
}

/** An embedder's CPU core. `run` advances `thread` by at most `budgetNs` of virtual time and says why it stopped. */
export interface CpuPort {
  run(thread: KThread, budgetNs: number): PortResult;
}

interface Context {
  readonly machine: Machine;
  /** In a DPC the thread that it interrupted. */
  readonly thread: KThread;
}

/** A context that the host executes: a thread, or a routine in front of one. */
interface Executed {
  readonly name: string;
  readonly status: number;
  takeRaised(): boolean;
}

let context: Context | undefined;

/** The guest whose code is running, for a DDI; an error outside of one. */
export function currentGuest(routine: string): Context {
  if (context === undefined) {
    throw new MachineError(
      `${routine} was called outside of a guest; call it in a host thread, or use the machine's own methods`,
    );
  }
  return context;
}

/** A status that the kernel raises as an exception: a guest can catch it. */
export class NtStatusError extends Error {
  override readonly name = 'NtStatusError';

  constructor(
    /** NTSTATUS. */
    readonly status: number,
  ) {
    super(`status 0x${status.toString(16).padStart(8, '0')} was raised`);
  }
}

/**
 * A call of a routine that may block or reschedule. It happens when `yield*` runs it; one that is
 * never run is found when its thread next stops.
 */
export class NtCall<T> implements Iterable<Request, T, number> {
  private begun = false;

  constructor(
    readonly routine: string,
    private readonly body: () => Iterator<Request, T, number>,
  ) {
    currentGuest(routine).machine.guests.pendingCalls.push(this);
  }

  [Symbol.iterator](): Iterator<Request, T, number> {
    if (this.begun)
      throw new MachineError(`${this.routine}: the same call was run twice; call it again`);
    this.begun = true;
    removeLast(currentGuest(this.routine).machine.guests.pendingCalls, this);
    return this.body();
  }
}

/** A call that is one instruction of the core, without what a generator costs. */
export class OneInstruction implements Iterator<Request, number, number> {
  private given = false;

  constructor(
    private readonly request: Request,
    private readonly check: (() => void) | undefined,
  ) {}

  next(status: number): IteratorResult<Request, number> {
    if (this.given) return { done: true, value: status };
    this.given = true;
    this.check?.();
    return { done: false, value: this.request };
  }

  throw(raised: unknown): never {
    throw raised;
  }
}

/** Takes out an item that is most often the last. */
function removeLast<T>(items: T[], item: T): void {
  if (items[items.length - 1] === item) items.pop();
  else if (items.includes(item)) items.splice(items.lastIndexOf(item), 1);
}

/** What the host threads and ports of one machine are doing. */
export class Guests {
  readonly pendingCalls: NtCall<unknown>[] = [];
  readonly frames: Frames;
  /** Threads whose last instructions are before their end. */
  private readonly exiting = new Set<number>();
  private readonly generators = new Map<number, Generator<Request, unknown, number>>();
  private readonly ports = new Map<
    number,
    { readonly port: CpuPort; pending: PortResult | undefined }
  >();

  constructor(private readonly machine: Machine) {
    this.frames = new Frames(machine);
  }

  addHost(thread: KThread, body: HostBody): void {
    this.within(thread, () => this.generators.set(thread.index, body()));
  }

  addPort(thread: KThread, port: CpuPort): void {
    this.ports.set(thread.index, { port, pending: undefined });
  }

  remove(index: number): void {
    this.generators.delete(index);
    this.ports.delete(index);
    this.frames.remove(index);
  }

  /**
   * The next instruction of a host thread, or of what the host runs in front of any thread, or before
   * its end. An exception of the guest passes through.
   */
  nextHostRequest(thread: KThread): Request {
    const flags = this.machine.memory.u32(thread.address + KTHREAD.Flags);
    if ((flags & THREAD_FLAG.TrapFrame) !== 0) return this.nextFrameRequest(thread);
    if ((flags & THREAD_FLAG.Exiting) !== 0) this.beginExit(thread);
    const name = `thread '${thread.name}'`;
    return this.next(thread.index, name, thread, thread, () => {
      const dpc = threadedDpcOf(thread);
      if (dpc === undefined) throw new MachineError(`${name} is a host thread without a body`);
      return dpc.call(thread.address);
    });
  }

  private nextFrameRequest(thread: KThread): Request {
    const name = `thread '${thread.name}'`;
    const request = this.frames.next(
      thread,
      (generator) => this.resume(thread, thread, generator),
      (start) => this.within(thread, start),
    );
    this.requireNoneForgotten(name);
    return request;
  }

  /** What goes before a thread's end takes the place of its body. */
  private beginExit(thread: KThread): void {
    const { index } = thread;
    if (this.exiting.has(index)) return;
    this.remove(index);
    this.exiting.add(index);
    this.generators.set(index, this.exit(thread));
  }

  private *exit(thread: KThread): Generator<Request, void, number> {
    const { core, lifecycle } = this.machine;
    if (lifecycle !== undefined) yield* lifecycle.exitThread(thread, thread.exitStatus);
    for (;;) {
      const apc = this.machine.hostObject(core.hostTakeUserApc(thread.address));
      if (!(apc instanceof KApc)) break;
      apc.takeArguments();
      const rundown = apc.rundownRoutine?.(apc);
      if (isGenerator(rundown)) yield* rundown;
    }
    this.exiting.delete(thread.index);
  }

  /** The same of a routine in front of a thread, which is called first. `index` names processor and level. */
  nextActivationRequest(index: number): Request {
    const activation = new Activation(this.machine, index);
    const { name, thread } = activation;
    return this.next(index, name, activation, thread, () => activation.start());
  }

  /** The next instruction of a generator, which `start` makes if need be; or calls what is none. */
  private next(
    index: number,
    name: string,
    executed: Pick<Executed, 'status' | 'takeRaised'>,
    thread: KThread,
    start: () => unknown,
  ): Request {
    let generator = this.generators.get(index);
    if (generator === undefined) {
      const started = this.within(thread, start);
      this.requireNoneForgotten(name);
      if (!isGenerator(started)) return [encode(OP.Exit), 0];
      generator = started;
      this.generators.set(index, generator);
    }
    return this.advance(index, name, executed, thread, generator);
  }

  private advance(
    index: number,
    name: string,
    executed: Pick<Executed, 'status' | 'takeRaised'>,
    thread: KThread,
    generator: Generator<Request, unknown, number>,
  ): Request {
    const result = this.resume(executed, thread, generator);
    this.requireNoneForgotten(name);
    const request = result.done === true ? [encode(OP.Exit), 0] : result.value;
    const opcode = (request[0] as number) & 0xff;
    if (opcode === OP.Exit || opcode === OP.ExitThread) this.generators.delete(index);
    return request;
  }

  private resume(
    executed: Pick<Executed, 'status' | 'takeRaised'>,
    thread: KThread,
    generator: Generator<Request, unknown, number>,
  ): IteratorResult<Request, unknown> {
    return this.within(thread, () => {
      if (!executed.takeRaised()) return generator.next(executed.status);
      return generator.throw(new NtStatusError(executed.status));
    });
  }

  private requireNoneForgotten(name: string): void {
    const [forgotten] = this.pendingCalls;
    if (forgotten === undefined) return;
    this.pendingCalls.length = 0;
    throw new MachineError(
      `${forgotten.routine} was called without yield* in ${name}: nothing happened; write yield* ${forgotten.routine}(…)`,
    );
  }

  /** Runs a port, or does what it stopped for. */
  nextPortRequest(thread: KThread, budgetNs: number): Request {
    const state = this.ports.get(thread.index);
    if (state === undefined)
      throw new MachineError(`thread '${thread.name}' is a port thread without a port`);
    if (state.pending === undefined) {
      const result = this.within(thread, () => state.port.run(thread, budgetNs));
      checkPortResult(thread, result, budgetNs);
      if (result.reason !== 'budget') state.pending = result;
      if (result.usedNs > 0)
        return [encode(OP.Compute, 1), result.usedNs >>> 0, Math.floor(result.usedNs / 2 ** 32)];
    }
    const { pending } = state;
    state.pending = undefined;
    if (pending?.reason === 'syscall')
      return [encode(OP.SystemCall, 0, pending.number ?? 0), (pending.argument ?? 0) >>> 0];
    this.ports.delete(thread.index);
    return [encode(OP.Exit), (pending?.status ?? 0) >>> 0];
  }

  private within<T>(thread: KThread, action: () => T): T {
    const outer = context;
    context = { machine: this.machine, thread };
    try {
      return action();
    } finally {
      context = outer;
    }
  }
}

function checkPortResult(thread: KThread, result: PortResult, budgetNs: number): void {
  const { usedNs, reason } = result;
  if (
    !Number.isInteger(usedNs) ||
    usedNs < 0 ||
    usedNs > budgetNs ||
    (usedNs === 0 && reason === 'budget')
  ) {
    throw new MachineError(
      `the CpuPort of thread '${thread.name}' used ${usedNs} ns of a budget of ${budgetNs} ns and stopped for '${reason}'; it must use 1 up to the budget, or 0 for another reason`,
    );
  }
  if (!['budget', 'syscall', 'fault', 'halt'].includes(reason)) {
    throw new MachineError(
      `the CpuPort of thread '${thread.name}' stopped for '${String(reason)}'; give budget, syscall, fault or halt`,
    );
  }
  const number = result.number ?? 0;
  if (!Number.isInteger(number) || number < 0 || number > 0xffff) {
    throw new MachineError(
      `the CpuPort of thread '${thread.name}' gave system call ${number}; give an integer from 0 to 65535`,
    );
  }
}

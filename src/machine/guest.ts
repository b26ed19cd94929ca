import { KTHREAD } from '../../assembly/shared/layout';
import { OP } from '../../assembly/shared/opcode';
import { ACTIVATION, THREAD_FLAG } from '../../assembly/shared/types';
import { Activation } from './activation';
import { KApc } from './apc';
import { addCopy } from './copies';
import { requireBody, requireGenerator } from './body';
import { type GuestResult, threadedDpcOf } from './dpc';
import type { DriverObject } from './driver';
import { MachineError } from './errors';
import { Frames } from './frames';
import { isGenerator, isPromise, refusePromise, type Request, Resumed } from './generator';
import { type GuestState, newState, stateOf } from './guest-state';
import { inWords, requireAnswer } from './given';
import { encode } from './instruction';
import { KernelStack, qualifiedName, type StackEntry, type StackFrame } from './kernel-stack';
import type { Machine } from './machine';
import { LoadedPort } from './ports';
import type { LoadedProgram } from './program';
import { FAULT_CALL, setBehindFrames, type UserMemory, type UserRegisters } from './user-context';
import { type KernelObject, KThread } from './views';

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
  /** ExceptionInformation of a fault: of an access violation 0, 1 or 8 (read, write, execute) and the address. */
  readonly information?: readonly number[];
}

/** An embedder's CPU core. `run` advances `thread` by at most `budgetNs` of virtual time and says why it stopped. */
export interface CpuPort {
  run(thread: KThread, budgetNs: number): PortResult;
  /** Of its one thread: where that makes system calls of a subsystem. */
  readonly registers?: UserRegisters;
  readonly memory?: UserMemory;
}

export interface Context {
  readonly machine: Machine;
  /** In a DPC the thread that it interrupted. */
  readonly thread: KThread;
  readonly stack: KernelStack;
}

/** A context that the host executes: a thread, or a routine in front of one. */
interface Executed {
  readonly name: string;
  readonly status: number;
  takeRaised(): boolean;
}

/** A context whose code is a generator of the host. */
export interface Hosted {
  readonly context: Context;
  readonly generator: Generator<Request, unknown, number>;
}

let context: Context | undefined;

const otherThatRuns = addCopy(isInGuest);

/** The guest whose code is running, for a DDI; an error outside of one. */
export function currentGuest(routine: string): Context {
  if (context === undefined) {
    const other = otherThatRuns();
    if (other !== undefined)
      throw new MachineError(
        `${routine} is called by a guest of another copy of ntps: it was imported from ${other.own}, and the machine is of ${other.running}; import both from one copy`,
      );
    throw new MachineError(
      `${routine} was called outside of a guest; call it in a host thread, or use the machine's own methods`,
    );
  }
  return context;
}

/** Whether a guest's code is running: what only looks may be called outside of one. */
export function isInGuest(): boolean {
  return context !== undefined;
}

/** The driver whose code calls a routine; undefined: the kernel's, or code that no driver was loaded with. */
export function driverOf(routine: string): DriverObject | undefined {
  return currentGuest(routine).stack.driver;
}

export function nameOfRoutine(routine: { readonly name: string }): string {
  return routine.name === '' ? 'a routine without a name' : routine.name;
}

/** Calls a routine of the host's, which may be a generator function. */
export function* run<A extends readonly unknown[], T>(
  routine: (...args: A) => GuestResult<T>,
  args: A,
): Generator<Request, T, number> {
  const result = routine(...args);
  return isGenerator<T>(result) ? yield* result : result;
}

/**
 * Calls a routine that was given to the kernel, as the code of `driver`: what it registers is that
 * driver's. It takes what a routine takes of the kernel stack.
 */
export function* invoke<A extends readonly unknown[], T>(
  driver: DriverObject | undefined,
  routine: (...args: A) => GuestResult<T>,
  ...args: A
): Generator<Request, T, number> {
  const result = invokeNow(driver, routine, ...args);
  return isGenerator<T>(result) ? yield* result : result;
}

/** The same for a routine that is no callback; a watcher is told. */
export function* invokeWatched<A extends readonly unknown[], T>(
  sort: string,
  driver: DriverObject | undefined,
  routine: (...args: A) => GuestResult<T>,
  ...args: A
): Generator<Request, T, number> {
  const { machine, thread } = currentGuest(sort);
  machine.watcher?.routineBegins(thread, { sort, routine, driver });
  const result = yield* invoke(driver, routine, ...args);
  machine.watcher?.routineEnds(thread, result);
  return result;
}

/** As `invoke`, at once: what comes back is the result, or the rest of the call of a generator function. */
function invokeNow<A extends readonly unknown[], T>(
  driver: DriverObject | undefined,
  routine: (...args: A) => GuestResult<T>,
  ...args: A
): GuestResult<T> {
  const name = nameOfRoutine(routine);
  const { machine } = currentGuest(name);
  const entry = { routine: name, owner: driver, bytes: machine.profile.routineStackBytes };
  return callNow(entry, () => routine(...args));
}

/** Calls something that `entry` says whose code it is, and what it takes; the rest of it, if it is a generator. */
export function callNow<T>(
  entry: StackEntry,
  routine: (a?: unknown, b?: unknown, c?: unknown) => GuestResult<T>,
  a?: unknown,
  b?: unknown,
  c?: unknown,
): GuestResult<T> {
  const { stack } = currentGuest(entry.routine);
  const outer = stack.driver;
  stack.push(entry);
  stack.driver = entry.owner;
  try {
    const result = routine(a, b, c);
    if (isGenerator<T>(result)) return callRest(entry, result);
    if (isPromise(result)) refusePromise(nameOfEntry(entry), result);
    return result;
  } catch (error) {
    stack.note(error);
    throw error;
  } finally {
    stack.driver = outer;
    stack.leave();
  }
}

const nameOfEntry = ({ owner, routine }: StackEntry) => qualifiedName(owner, routine);

function* callRest<T>(
  entry: StackEntry,
  running: Generator<Request, T, number>,
): Generator<Request, T, number> {
  if (isPromise(running)) refusePromise(nameOfEntry(entry), running);
  const { stack } = currentGuest(entry.routine);
  const outer = stack.driver;
  stack.push(entry);
  stack.driver = entry.owner;
  try {
    const result = yield* running;
    if (isPromise(result)) refusePromise(nameOfEntry(entry), result);
    return result;
  } catch (error) {
    stack.note(error);
    throw error;
  } finally {
    stack.driver = outer;
    stack.leave();
  }
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
export class NtCall<T> implements Iterable<Request, T, number>, Iterator<Request, T, number> {
  private steps: Iterator<Request, T, number> | undefined;
  private stack: KernelStack | undefined;

  constructor(
    readonly routine: string,
    private readonly body: () => Iterator<Request, T, number>,
    /** What it takes of the kernel stack. Default: what a routine does that declares nothing. */
    private readonly stackBytes?: number,
  ) {
    currentGuest(routine).machine.guests.pendingCalls.push(this);
  }

  /** Begins it: `yield*` takes the steps. */
  [Symbol.iterator](): Iterator<Request, T, number> {
    if (this.stack !== undefined)
      throw new MachineError(`${this.routine}: the same call was run twice; call it again`);
    const { machine, stack, thread } = currentGuest(this.routine);
    removeLast(machine.guests.pendingCalls, this);
    this.stack = stack;
    stack.enter(this.routine, this.stackBytes ?? machine.profile.routineStackBytes);
    machine.watcher?.entered(thread, this.routine);
    this.steps = this.body();
    return this;
  }

  next(status: number): IteratorResult<Request, T> {
    try {
      return this.end((this.steps as Iterator<Request, T, number>).next(status));
    } catch (error) {
      return this.fail(error);
    }
  }

  throw(raised: unknown): IteratorResult<Request, T> {
    const { steps } = this;
    if (steps?.throw === undefined) return this.fail(raised);
    try {
      return this.end(steps.throw(raised));
    } catch (error) {
      return this.fail(error);
    }
  }

  private end(result: IteratorResult<Request, T>): IteratorResult<Request, T> {
    if (result.done !== true) return result;
    const { machine, thread } = currentGuest(this.routine);
    machine.watcher?.returned(thread, this.routine, result.value);
    this.stack?.leave();
    return result;
  }

  private fail(error: unknown): never {
    this.stack?.fail(error);
    throw error;
  }
}

/** A call that is one instruction of the core, without what a generator costs. */
export class OneInstruction implements Iterator<Request, number, number> {
  private given = false;

  constructor(
    private readonly request: Request,
    private readonly check: (() => void) | undefined,
    private readonly routine: string,
    /** What it is about, if the answer is no status. */
    private readonly object: KernelObject | undefined,
  ) {}

  next(status: number): IteratorResult<Request, number> {
    if (this.given) {
      if (this.object !== undefined) requireAnswer(this.routine, this.object, status);
      return { done: true, value: status };
    }
    this.given = true;
    this.check?.();
    return { done: false, value: this.request };
  }

  throw(raised: unknown): never {
    throw raised;
  }
}

/** A call that has its answer without an instruction, and without what a generator costs. */
export class Answer<T> implements Iterator<Request, T, number> {
  constructor(private readonly value: T) {}

  next(): IteratorResult<Request, T> {
    return { done: true, value: this.value };
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

/** What a thread runs before its body. */
export interface Prologue {
  readonly start: () => GuestResult<number>;
  running: Generator<Request, number, number> | undefined;
  /** THREAD_FLAG bits that say what it is then. */
  readonly flags: number;
  readonly body: HostBody | undefined;
}

const EXIT: Request = [encode(OP.Exit), 0];

/** What the host threads and ports of one machine are doing. */
export class Guests {
  readonly pendingCalls: NtCall<unknown>[] = [];
  readonly frames: Frames;
  /** By processor and level, as the core names them. */
  private readonly activations = new Map<number, GuestState>();
  private stacks = 0;

  constructor(private readonly machine: Machine) {
    this.frames = new Frames(machine);
  }

  addHost(thread: KThread, body: HostBody): void {
    const own = this.newContext(thread, body.name === '' ? describe(thread) : body.name);
    const state = stateOf(thread);
    state.context = own;
    const generator = requireGenerator(body, this.within(own, body));
    state.hosted = { context: own, generator };
  }

  /** What a thread runs before its body, whatever that is; then it is what `flags` say. */
  addPrologue(
    thread: KThread,
    prologue: () => GuestResult<number>,
    flags: number,
    body: HostBody | undefined,
  ): void {
    stateOf(thread).prologue = { start: prologue, running: undefined, flags, body };
  }

  addPort(thread: KThread, port: CpuPort): void {
    stateOf(thread).port = { port, pending: undefined };
  }

  /**
   * A thread in a call that a routine answers goes on with another body when that returns. The call may
   * have been made in routines of user-mode APCs: those are over then.
   */
  replaceBody(thread: KThread, body: HostBody | CpuPort | LoadedProgram | LoadedPort): void {
    if (body instanceof LoadedPort) {
      throw new MachineError(
        `thread '${thread.name}' cannot go on with a worker port; create a thread of it`,
      );
    }
    requireBody(this.machine, `the new body of thread '${thread.name}'`, body);
    const state = stateOf(thread);
    state.hosted = undefined;
    state.port = undefined;
    // What the old body has on the kernel stack does not return any more.
    state.context = undefined;
    const host = typeof body === 'function';
    const port = !host && 'run' in body;
    if (host) this.addHost(thread, body);
    if (port) this.addPort(thread, body);
    const program = host || port ? undefined : body;
    this.frames.endRoutines(thread);
    const flags = host ? THREAD_FLAG.Host : port ? THREAD_FLAG.Port : 0;
    setBehindFrames(thread, program, flags, this.machine.returnProgram);
  }

  /** What the host's code is called in on behalf of a thread, of whatever kind. */
  private contextOf(thread: KThread): Context {
    const state = stateOf(thread);
    state.context ??= this.newContextOf(thread, new OwnEntry(thread));
    return state.context;
  }

  /** A number for the next kernel stack. */
  nextStack(): number {
    this.stacks++;
    return this.stacks;
  }

  /** The driver of this machine whose code runs. */
  get currentDriver(): DriverObject | undefined {
    return context?.machine === this.machine ? context.stack.driver : undefined;
  }

  /** The thread on behalf of which the host's code runs on this machine. */
  get currentThread(): KThread | undefined {
    return context?.machine === this.machine ? context.thread : undefined;
  }

  /** The routines that were called when `error` was thrown, or else that a context is in; the last one first. */
  chainOf(index: number, error?: unknown): readonly StackFrame[] {
    const state =
      index < ACTIVATION.Mark
        ? this.machine.thread(index)?.guestState
        : this.activations.get(index);
    return state?.context?.stack.chainAt(error) ?? [];
  }

  /**
   * The next instruction of a host thread, or of what the host runs in front of any thread, or before
   * its end. An exception of the guest passes through.
   */
  nextHostRequest(thread: KThread): Request {
    const flags = this.machine.memory.u32(thread.address + KTHREAD.Flags);
    if ((flags & THREAD_FLAG.TrapFrame) !== 0) return this.nextFrameRequest(thread);
    const state = stateOf(thread);
    if ((flags & THREAD_FLAG.Exiting) !== 0 && !this.beginExit(thread, state)) return EXIT;
    if (state.prologue !== undefined)
      return this.nextPrologueRequest(thread, state, state.prologue);
    if (state.hosted !== undefined) return this.advance(thread, state, state.hosted);
    const dpc = threadedDpcOf(thread);
    if (dpc === undefined)
      throw new MachineError(`thread '${thread.name}' is a host thread without a body`);
    const own = this.newContext(thread, dpc.routineName, dpc.driver);
    return this.beginHosted(thread, state, own, () => dpc.call(thread.address));
  }

  /** Runs what the host does in a thread's context: to its end, or what is left is a generator. */
  begin<T>(thread: KThread, start: () => GuestResult<T>): GuestResult<T> {
    const result = this.within(this.contextOf(thread), () => {
      const started = start();
      if (!isGenerator(started)) return started;
      const first = started.next();
      return first.done === true ? first.value : new Resumed(first, started);
    });
    this.requireNoneForgotten(thread);
    return result;
  }

  /** The next instruction before a thread's body, or the one that lets the body begin. */
  private nextPrologueRequest(thread: KThread, state: GuestState, prologue: Prologue): Request {
    const started = prologue.running ?? this.within(this.contextOf(thread), prologue.start);
    if (isGenerator(started)) {
      prologue.running = started;
      const result = this.resume(thread, this.contextOf(thread), started);
      this.requireNoneForgotten(thread);
      if (result.done !== true) return requestFrom(thread, result.value);
      this.machine.setHostCost(result.value as number);
    } else this.machine.setHostCost(started);
    state.prologue = undefined;
    if (prologue.body !== undefined) this.addHost(thread, prologue.body);
    return [encode(OP.BeginThread), prologue.flags];
  }

  private nextFrameRequest(thread: KThread): Request {
    const own = this.contextOf(thread);
    const request = this.frames.next(thread, this, own);
    this.requireNoneForgotten(thread);
    return requestFrom(thread, request);
  }

  /** What goes before a thread's end takes the place of its body; false if there is nothing. */
  private beginExit(thread: KThread, state: GuestState): boolean {
    if (state.exiting) return true;
    state.frames = undefined;
    state.answer = undefined;
    state.prologue = undefined;
    state.hosted = undefined;
    state.port = undefined;
    state.ending = true;
    // Of a thread that nothing of the host's has run in, nothing is on the stack.
    if (state.context?.stack.holdsOnly(OwnEntry) !== true) state.context = undefined;
    thread.systemThreadEnd?.();
    const { lifecycle } = this.machine;
    const first = this.within(
      this.contextOf(thread),
      () => lifecycle?.exitThread(thread, thread.exitStatus) ?? 0,
    );
    const apcs = thread.hasUserApcs;
    if (typeof first === 'number' && !apcs) {
      this.machine.setHostCost(first);
      return false;
    }
    state.exiting = true;
    const generator = isGenerator(first) && !apcs ? first : this.exit(thread, first);
    state.hosted = { context: this.contextOf(thread), generator };
    return true;
  }

  private *exit(thread: KThread, first: GuestResult<number>): Generator<Request, number, number> {
    const { core } = this.machine;
    const costNs = isGenerator(first) ? yield* first : first;
    for (;;) {
      const apc = this.machine.hostObject(core.hostTakeUserApc(thread.address));
      if (!(apc instanceof KApc)) break;
      apc.takeArguments();
      const rundown = apc.rundownRoutine?.(apc);
      if (isGenerator(rundown)) yield* rundown;
    }
    return costNs;
  }

  /** The same of a routine in front of a thread, which is called first. `index` names processor and level. */
  nextActivationRequest(index: number): Request {
    const activation = new Activation(this.machine, index);
    let state = this.activations.get(index);
    if (state === undefined) {
      state = newState();
      this.activations.set(index, state);
    }
    if (state.hosted !== undefined) return this.advance(activation, state, state.hosted);
    const { thread, routineName, driver } = activation;
    const own = this.newContext(thread, routineName, driver);
    return this.beginHosted(activation, state, own, () => activation.start());
  }

  /** Calls a routine, and gives its first instruction if it is a generator function. */
  private beginHosted(
    executed: Executed,
    state: GuestState,
    own: Context,
    start: () => unknown,
  ): Request {
    state.context = own;
    const generator = this.within(own, start);
    this.requireNoneForgotten(executed);
    if (isPromise(generator))
      refusePromise(own.stack.chainAt(undefined)[0]?.routine ?? describe(executed), generator);
    if (!isGenerator(generator)) return [encode(OP.Exit), 0];
    const hosted = { context: own, generator };
    state.hosted = hosted;
    return this.advance(executed, state, hosted);
  }

  private newContext(thread: KThread, routine: string, driver?: DriverObject): Context {
    const bytes = this.machine.profile.routineStackBytes;
    return this.newContextOf(thread, { routine, owner: driver, bytes });
  }

  private newContextOf(thread: KThread, entry: StackEntry): Context {
    const stack = new KernelStack(this.machine);
    stack.push(entry);
    stack.driver = entry.owner;
    return { machine: this.machine, thread, stack };
  }

  private advance(executed: Executed, state: GuestState, hosted: Hosted): Request {
    const result = this.resume(executed, hosted.context, hosted.generator);
    this.requireNoneForgotten(executed);
    if (result.done === true && state.exiting) this.machine.setHostCost(result.value as number);
    const request = result.done === true ? EXIT : requestFrom(executed, result.value);
    const opcode = (request[0] as number) & 0xff;
    if (opcode === OP.Exit || opcode === OP.ExitThread) {
      state.hosted = undefined;
      if (executed instanceof KThread) executed.systemThreadEnd?.();
    }
    return request;
  }

  /** @internal Lets a generator go on in a context. */
  resume(
    executed: Executed,
    own: Context,
    generator: Generator<Request, unknown, number>,
  ): IteratorResult<Request, unknown> {
    const outer = context;
    context = own;
    try {
      if (!executed.takeRaised()) return generator.next(executed.status);
      return generator.throw(new NtStatusError(executed.status));
    } finally {
      context = outer;
    }
  }

  private requireNoneForgotten(executed: Executed): void {
    const routine = this.pendingCalls[0]?.routine;
    if (routine === undefined) return;
    this.pendingCalls.length = 0;
    throw new MachineError(
      `${routine} was called without yield* in ${describe(executed)}: nothing happened; write yield* ${routine}(…)`,
    );
  }

  /** Runs a port, or does what it stopped for. */
  nextPortRequest(thread: KThread, budgetNs: number): Request {
    const state = thread.guestState?.port;
    if (state === undefined)
      throw new MachineError(`thread '${thread.name}' is a port thread without a port`);
    if (state.pending === undefined) {
      const result = this.within(this.contextOf(thread), () => state.port.run(thread, budgetNs));
      checkPortResult(thread, result, budgetNs);
      if (result.reason !== 'budget') state.pending = result;
      if (result.usedNs > 0)
        return [encode(OP.Compute, 1), result.usedNs >>> 0, Math.floor(result.usedNs / 2 ** 32)];
    }
    const pending = state.pending as PortResult;
    state.pending = undefined;
    return this.requestOf(thread, pending);
  }

  /** The instruction that a port's stop comes to. */
  requestOf(thread: KThread, stop: PortResult): Request {
    const { reason, number = 0, argument = 0, status = 0, information } = stop;
    if (reason === 'syscall') return [encode(OP.SystemCall, 0, number), argument >>> 0];
    if (reason === 'fault' && thread.process.systemServices !== undefined) {
      thread.faultInformation = information;
      return [encode(OP.HostCall, 0, FAULT_CALL), status >>> 0];
    }
    stateOf(thread).port = undefined;
    return [encode(OP.Exit), status >>> 0];
  }

  /** @internal Does something in a context. */
  within<T>(inner: Context, action: () => T): T {
    const outer = context;
    context = inner;
    try {
      return action();
    } finally {
      context = outer;
    }
  }
}

/** What is first on the stack of a thread that no body of the host's runs: few ask for its name. */
class OwnEntry implements StackEntry {
  readonly owner = undefined;
  readonly bytes: number;

  constructor(private readonly thread: KThread) {
    this.bytes = thread.machine.profile.routineStackBytes;
  }

  get routine(): string {
    const { guestState } = this.thread;
    return guestState?.ending === true ? 'PspExitThread' : describe(this.thread);
  }
}

/** A context in words. */
function describe(executed: Executed): string {
  return executed instanceof Activation ? executed.name : `thread '${executed.name}'`;
}

/** What a guest has yielded, if a routine's call yielded it. */
function requestFrom(executed: Executed, yielded: Request): Request {
  if (Array.isArray(yielded) && typeof yielded[0] === 'number') return yielded;
  throw new MachineError(
    `${describe(executed)} yielded ${inWords(yielded)}: only what routines yield means something; write yield* and a routine's call, such as yield* NtYieldExecution()`,
  );
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

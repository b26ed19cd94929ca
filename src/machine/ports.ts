import { KFLIGHT, KSYSTEM, KTHREAD, PORT_CONTEXT } from '../../assembly/shared/layout';
import { FLIGHT, KTHREAD_STATE, PORT_STOP } from '../../assembly/shared/types';
import { MachineError } from './errors';
import { inWords } from './given';
import type { PortResult } from './guest';
import type { Machine } from './machine';
import type { MachineMemory } from './memory';
import type { PortCore, PortModule } from './port';
import { runGuest } from './port-contract';
import { requireInteger } from './profile';
import type { KThread } from './views';

/** Where a worker port is, and what it is given. */
export interface PortOptions {
  /** Of an ES module that exports `openPort`; each worker imports it. Relative to the page, elsewhere absolute. */
  readonly url: string | URL;
  /** What `openPort` gets as its environment's data: it is cloned for each worker. */
  readonly data?: unknown;
}

/** A worker port of a machine: a body of threads. */
export class LoadedPort {
  /** @internal */
  constructor(
    /** @internal */ readonly machine: Machine,
    /** Which of the machine's ports it is, from 0. */
    readonly index: number,
    readonly url: string,
  ) {}
}

const CONTEXT_WORDS = PORT_CONTEXT.Size / 4;
const OWN_WORDS = PORT_CONTEXT.Own / 4;
/** Ns that one run may be given. */
const LONGEST_NS = 0x7fffffff;

const REASONS: Readonly<Record<number, PortResult['reason']>> = {
  [PORT_STOP.SystemCall]: 'syscall',
  [PORT_STOP.Fault]: 'fault',
  [PORT_STOP.Halt]: 'halt',
};

/** The address of a module, as workers can import it. */
export function absoluteUrl(url: string | URL): string {
  const base = typeof document === 'undefined' ? undefined : document.baseURI;
  try {
    return new URL(url, base).href;
  } catch {
    throw new MachineError(
      `loadPort: url '${String(url)}' is not absolute; give new URL('./port.js', import.meta.url)`,
    );
  }
}

/** Imports a port's module and opens it. */
export async function openPort(machine: Machine, url: string, data: unknown): Promise<PortCore> {
  const module = (await import(/* @vite-ignore */ url)) as Partial<PortModule>;
  if (typeof module.openPort !== 'function')
    throw new MachineError(`loadPort: the module at ${url} exports no openPort; see PortModule`);
  const { memory, guestBase, guestBytes } = machine.guestMemory;
  return module.openPort({ memory, guestBase, guestBytes, data });
}

/** The worker ports of one machine, and the contexts of their threads. */
export class Ports {
  private readonly cores: PortCore[] = [];
  /** The thread that has a context. */
  private readonly owners: (KThread | undefined)[] = [];

  constructor(
    private readonly machine: Machine,
    private readonly capacity: number,
  ) {}

  get count(): number {
    return this.cores.length;
  }

  add(core: PortCore): void {
    this.cores.push(core);
  }

  private get memory(): MachineMemory {
    return this.machine.memory;
  }

  private system(field: number): number {
    return this.memory.u32(KSYSTEM.Address + field);
  }

  /** Throws unless what a context is to begin with are words of the port's own. */
  requireState(state: ArrayLike<number>): void {
    if (typeof state?.length !== 'number' || typeof state === 'string')
      throw new MachineError(
        `createThread: portState is ${inWords(state)}; give an array of 32-bit words`,
      );
    if (state.length > CONTEXT_WORDS - OWN_WORDS) {
      throw new MachineError(
        `createThread: portState has ${state.length} words; a context has ${CONTEXT_WORDS - OWN_WORDS} of the port's own`,
      );
    }
    for (let index = 0; index < state.length; index++)
      requireInteger(`createThread: portState[${index}]`, state[index], -0x8000_0000, 0xffff_ffff);
  }

  /** Gives a thread a context; false if there is none left: those of threads that have ended are free. */
  assign(thread: KThread, port: LoadedPort, state: ArrayLike<number>): boolean {
    const row = this.freeRow();
    if (row === -1) return false;
    this.owners[row] = thread;
    const address = this.memory.portContexts + row * PORT_CONTEXT.Size;
    const first = address >>> 2;
    this.memory.words.fill(0, first, first + CONTEXT_WORDS);
    this.memory.words.set(state, first + OWN_WORDS);
    this.memory.setU32(address + PORT_CONTEXT.Port, port.index);
    this.memory.setU32(thread.address + KTHREAD.ProgramBase, address);
    return true;
  }

  /** Whether a context is left. */
  get hasRoom(): boolean {
    return this.freeRow() !== -1;
  }

  private freeRow(): number {
    if (this.owners.length < this.capacity) return this.owners.length;
    return this.owners.findIndex(
      (thread) => thread?.exists !== true || thread.state === KTHREAD_STATE.Terminated,
    );
  }

  /** The words of a thread's context; undefined if no worker port advances it. */
  contextOf(thread: KThread): Uint32Array | undefined {
    const row = this.owners.findIndex((owner) => owner?.handle === thread.handle);
    if (row === -1) return undefined;
    const first = (this.memory.portContexts + row * PORT_CONTEXT.Size) >>> 2;
    return this.memory.words.subarray(first, first + CONTEXT_WORDS);
  }

  /** What a thread has stopped for, once. */
  takeStop(thread: KThread): PortResult | undefined {
    const context = this.memory.u32(thread.address + KTHREAD.ProgramBase);
    if (context === 0) return undefined;
    const word = (field: number) => this.memory.u32(context + field);
    const reason = REASONS[word(PORT_CONTEXT.Reason)];
    if (reason === undefined)
      throw new MachineError(
        `thread '${thread.name}' was taken out of the air without a reason to stop (${word(PORT_CONTEXT.Reason)})`,
      );
    const argument = word(PORT_CONTEXT.Argument64);
    const number = word(PORT_CONTEXT.Number);
    this.memory.setU32(context + PORT_CONTEXT.Reason, PORT_STOP.Budget);
    return { usedNs: 0, reason, number, argument, status: argument };
  }

  /** Lets the flight that the engine has stopped for come further, by at most what it may. */
  advanceFirst(): void {
    const processor = this.system(KSYSTEM.StopProcessor);
    const budget = this.memory.u64(KSYSTEM.Address + KSYSTEM.StopBudget64);
    this.advance(processor, budget);
  }

  /** Runs the guest in flight on a processor, for at most `budget` ns. */
  advance(processor: number, budget: number): void {
    const limit = Math.min(budget, this.longestNs(), LONGEST_NS);
    const flight = this.system(KSYSTEM.FlightBase) + processor * KFLIGHT.Size;
    let used: number;
    try {
      used = runGuest(this.memory.words, flight, this.cores, limit);
    } catch (error) {
      // Nobody has it: it is where it was.
      Atomics.store(this.memory.words, (flight + KFLIGHT.State) >>> 2, FLIGHT.Aloft);
      const thread = this.machine.thread(this.memory.u32(flight + KFLIGHT.Thread));
      const text = error instanceof Error ? error.message : String(error);
      throw new MachineError(
        `the worker port of thread '${thread?.name}', on processor ${processor}: ${text}`,
      );
    }
    this.machine.engineCore.KiAdvanceFlight(processor, used);
  }

  /** For tests: how far a run goes at the most, ns. */
  longestNs: () => number = () => LONGEST_NS;

  /** Brings all flights to where a run ends, and takes them back. */
  settle(known: boolean): void {
    const { engineCore } = this.machine;
    const start = performance.now();
    for (;;) {
      const processor = engineCore.KiSettleFlights(known ? 1 : 0) - 1;
      if (processor < 0) return;
      const budget = this.memory.u64(KSYSTEM.Address + KSYSTEM.StopBudget64);
      if (budget !== 0) this.advance(processor, budget);
      else this.machine.waitForFlight(processor, start);
    }
  }
}

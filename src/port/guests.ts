import { PORT_CONTEXT } from '../../assembly/shared/layout';
import { LIMIT } from '../../assembly/shared/limits';
import { PORT_STOP } from '../../assembly/shared/types';
import { MachineError } from '../machine/errors';
import type { CpuPort, PortResult } from '../machine/guest';
import type { PortCore, PortModule } from '../machine/port';
import { requireInteger } from '../machine/profile';
import type { KThread } from '../machine/views';
import type { PortImage } from './assemble';

export interface PortGuestsOptions {
  /** Of the memory that the guests share. Default 1 MiB. */
  readonly guestBytes?: number;
  /** How many guests there can be. Default 64. */
  readonly contexts?: number;
  /** What the port gets as its environment's data. */
  readonly data?: unknown;
}

const LONGEST_NS = 2 ** 31 - 1;
const REASONS: Readonly<Record<number, PortResult['reason']>> = {
  [PORT_STOP.Budget]: 'budget',
  [PORT_STOP.SystemCall]: 'syscall',
  [PORT_STOP.Fault]: 'fault',
  [PORT_STOP.Halt]: 'halt',
  // The next run begins with the instruction in question, at its own time.
  [PORT_STOP.Order]: 'budget',
};

/** Guests of a worker port in memory of their own, which the host advances: each is a CpuPort. */
export class PortGuests {
  /** What the guests see from their address 0 on. */
  readonly memory: Uint8Array;
  private readonly words: Uint32Array;
  private readonly guestBase: number;
  private made = 0;

  private constructor(
    private readonly core: PortCore,
    buffer: ArrayBufferLike,
    private readonly contexts: number,
    guestBytes: number,
  ) {
    this.guestBase = contexts * PORT_CONTEXT.Size;
    this.words = new Uint32Array(buffer);
    this.memory = new Uint8Array(buffer, this.guestBase, guestBytes);
  }

  static async open(port: PortModule, options: PortGuestsOptions = {}): Promise<PortGuests> {
    const contexts = requireInteger('contexts', options.contexts ?? 64, 1, 0xfffff);
    const room = LIMIT.MemoryBytes - contexts * PORT_CONTEXT.Size;
    const guestBytes = requireInteger('guestBytes', options.guestBytes ?? 2 ** 20, 4, room);
    const guestBase = contexts * PORT_CONTEXT.Size;
    const pages = Math.ceil((guestBase + guestBytes) / LIMIT.PageBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const core = await port.openPort({ memory, guestBase, guestBytes, data: options.data });
    return new PortGuests(core, memory.buffer, contexts, guestBytes);
  }

  /** Puts an image where it belongs, or at another address of the guests' memory: a window's. */
  load(image: PortImage, windowBase = 0): void {
    const address = windowBase + image.origin;
    if (address + image.bytes.length > this.memory.length)
      throw new MachineError(
        `'${image.name}' is ${image.bytes.length} bytes at ${address}, and the guests have ${this.memory.length}; raise guestBytes`,
      );
    this.memory.set(image.bytes, address);
  }

  /** A guest whose context begins with these words of the port's own: the body of one thread. */
  create(state: ArrayLike<number>): CpuPort {
    const own = (PORT_CONTEXT.Size - PORT_CONTEXT.Own) / 4;
    if (state.length > own)
      throw new MachineError(`a context has ${own} words of the port's own, not ${state.length}`);
    if (this.made === this.contexts)
      throw new MachineError(`there are ${this.contexts} guests already; raise contexts`);
    const context = this.made * PORT_CONTEXT.Size;
    this.made++;
    this.words.set(state, (context + PORT_CONTEXT.Own) / 4);
    return { run: (thread, budgetNs) => this.run(context, thread, budgetNs) };
  }

  private run(context: number, thread: KThread, budgetNs: number): PortResult {
    const { words } = this;
    const at = (field: PORT_CONTEXT) => (context + field) / 4;
    if (words[at(PORT_CONTEXT.Reason)] === PORT_STOP.SystemCall)
      words[at(PORT_CONTEXT.Status)] = thread.status;
    const usedNs = this.core.run(context, Math.min(budgetNs, LONGEST_NS), 1);
    const argument = words[at(PORT_CONTEXT.Argument64)] as number;
    return {
      usedNs,
      reason: REASONS[words[at(PORT_CONTEXT.Reason)] as number] as PortResult['reason'],
      number: words[at(PORT_CONTEXT.Number)] as number,
      argument,
      status: argument,
    };
  }
}

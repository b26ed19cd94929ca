import { openPort } from 'ntps/port.js';
import { PORT_CONTEXT } from '../../assembly/shared/layout';
import { PORT_STATE } from '../../assembly/shared/port';
import { PORT_STOP } from '../../assembly/shared/types';
import { assemblePort } from '../../src/port/assemble';
import { type PortStateOptions, portState } from '../../src/port/state';

const GUEST_BYTES = 4096;

/** One guest on the interpreter alone. */
export class OneGuest {
  readonly words: Uint32Array;
  readonly guest: Uint32Array;

  private constructor(
    private readonly runPort: (context: number, budget: number, ordered: number) => number,
    buffer: ArrayBufferLike,
  ) {
    this.words = new Uint32Array(buffer, 0, PORT_CONTEXT.Size / 4);
    this.guest = new Uint32Array(buffer, PORT_CONTEXT.Size, GUEST_BYTES / 4);
  }

  static async open(
    source: string,
    state: PortStateOptions = {},
    shared = false,
  ): Promise<OneGuest> {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared });
    const guestBase = PORT_CONTEXT.Size;
    const core = await openPort({ memory, guestBase, guestBytes: GUEST_BYTES });
    const one = new OneGuest((...args) => core.run(...args), memory.buffer);
    const image = assemblePort(source);
    new Uint8Array(memory.buffer).set(image.bytes, guestBase + image.origin);
    one.words.set(portState({ entry: image.entry, ...state }), PORT_CONTEXT.Own / 4);
    return one;
  }

  /** Runs once: why it stopped, and the ns it used. */
  run(budget = 1_000_000, ordered = 1): [PORT_STOP, number] {
    const used = this.runPort(0, budget, ordered);
    return [this.at(PORT_CONTEXT.Reason), used];
  }

  /** Runs until something else than the budget stops it. */
  runOn(): [PORT_STOP, number] {
    let total = 0;
    for (;;) {
      const [reason, used] = this.run();
      total += used;
      if (reason !== PORT_STOP.Budget && reason !== PORT_STOP.Order) return [reason, total];
    }
  }

  at(field: number): number {
    return this.words[field / 4] as number;
  }

  register(number: number): number {
    return this.at(PORT_STATE.Register + number * 4);
  }
}

import { KBARRIER } from '../../assembly/shared/layout';
import { type BARRIER, OP } from '../../assembly/shared/opcode';
import type { Request } from './guest';
import { encode, words64 } from './instruction';
import { KernelObject } from './views';

/** DEFERRED_REVERSE_BARRIER, and the count of those that are done: where processors spin for each other. */
export class KBarrier extends KernelObject {
  /** How many have yet to come; the highest bit changes with each round. */
  get Barrier(): number {
    return this.word(KBARRIER.Barrier);
  }

  /** How many come to a round. */
  get TotalProcessors(): number {
    return this.word(KBARRIER.TotalProcessors);
  }

  /** @internal Nobody has come yet. */
  reset(total: number): void {
    const { address } = this;
    this.machine.memory.setU32(address + KBARRIER.Barrier, total);
    this.machine.memory.setU32(address + KBARRIER.TotalProcessors, total);
  }

  /** @internal What a guest does here. The status is 1 for who comes last, else 0. */
  meet(what: BARRIER): Request {
    return [encode(OP.Barrier, 0, what), ...words64(this.handle)];
  }
}

import { expect } from 'vitest';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeEnterCriticalRegion } from '../../src/ke/irql';
import { NtStatusError, type Request } from '../../src/machine/guest';
import type { Machine } from '../../src/machine/machine';
import type { KEvent, KThread } from '../../src/machine/views';

export type Call = () => Generator<Request, unknown, number>;

/** How the threads of a crew are, between their calls too. */
export interface CrewOptions {
  readonly count: number;
  /** They are in a critical region, as those who take locks must be. */
  readonly critical?: boolean;
  /** While they have nothing to do they compute so long at a time, in place of waiting: to a queue they are active. */
  readonly spinUs?: number;
  /** Waking gives them nothing: their priorities are what they are set to, or lifted to. */
  readonly disableBoost?: boolean;
  /** Ns that a call is given to do what it can; without, until nothing more happens. */
  readonly sliceNs?: number;
}

/** Threads that do what they are told, and say what came of it. */
export class Crew {
  private readonly events: KEvent[] = [];
  private readonly calls: (Call | undefined)[] = [];
  readonly threads: KThread[] = [];
  /** What the last call of each came to: a status if that was raised; undefined while it waits. */
  readonly results: unknown[] = [];
  /** When the last call began, ns. */
  calledAt = 0;

  constructor(
    readonly machine: Machine,
    private readonly options: CrewOptions,
  ) {
    for (let index = 0; index < options.count; index++) {
      this.events.push(machine.createEvent('synchronization'));
      this.hire(index);
    }
    this.settle();
  }

  /** Puts a new thread in the place of one that has ended. */
  hire(index: number): void {
    const body = () => this.body(index);
    const own = this.options.spinUs === undefined ? {} : { affinity: 1n << BigInt(index + 1) };
    const { disableBoost = false } = this.options;
    const options = { name: `t${index}`, disableBoost, ...own };
    this.threads[index] = this.machine.systemProcess.createThread(body, options);
    this.results[index] = 'done';
  }

  private *body(index: number): Generator<Request, void, number> {
    if (this.options.critical === true) KeEnterCriticalRegion();
    for (;;) {
      const call = yield* this.next(index);
      this.results[index] = undefined;
      this.calledAt = this.machine.now;
      try {
        this.results[index] = (yield* call()) ?? 'done';
      } catch (error) {
        if (!(error instanceof NtStatusError)) throw error;
        this.results[index] = error.status;
      }
    }
  }

  /** Waits for the next call of a thread. */
  private *next(index: number): Generator<Request, Call, number> {
    const { spinUs } = this.options;
    if (spinUs !== undefined) {
      while (this.calls[index] === undefined) yield* KeStallExecutionProcessor(spinUs);
    } else {
      const event = this.events[index] as KEvent;
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    }
    const call = this.calls[index] as Call;
    this.calls[index] = undefined;
    return call;
  }

  /** Whether a thread waits in a call. */
  busy(index: number): boolean {
    const { state, waitReason } = this.threads[index] as KThread;
    return state === KTHREAD_STATE.Waiting && waitReason !== KWAIT_REASON.Executive;
  }

  /** Who waits in a call. */
  get waiting(): boolean[] {
    return this.threads.map((_, index) => this.busy(index));
  }

  /** Lets a thread make a call, and everybody go on as far as they can. What it came to. */
  call(index: number, call: Call): unknown {
    this.calls[index] = call;
    (this.events[index] as KEvent).set();
    this.settle();
    return this.results[index];
  }

  /** Lets everybody go on, for a time or as far as they can. */
  settle(forNs = this.options.sliceNs): void {
    const { machine } = this;
    const result = machine.run(forNs === undefined ? {} : { until: machine.now + forNs });
    if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
    if (this.options.spinUs !== undefined) return;
    for (const thread of this.threads) {
      if (thread.state !== KTHREAD_STATE.Terminated)
        expect(thread.state).toBe(KTHREAD_STATE.Waiting);
    }
  }
}

/** A call of one routine. */
export const steps = (routine: () => Iterable<Request, unknown, number>): Call =>
  function* () {
    return yield* routine();
  };

export const name = (threads: readonly KThread[]) => threads.map((thread) => thread.name);

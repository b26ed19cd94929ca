import { ACTIVATION, IRQL } from '../../assembly/shared/types';
import { KTHREAD } from '../../assembly/shared/layout';
import { OP } from '../../assembly/shared/opcode';
import { Activation } from '../machine/activation';
import type { Request } from '../machine/generator';
import type { Machine } from '../machine/machine';
import type { KThread } from '../machine/views';
import type { WatchedCall } from '../machine/watch';
import { type Taker, takerOf } from './lock-order';
import type { UnderWay } from './unfinished';

/** Routines of drivers that are no callbacks: DriverEntry, work items, threads, DPCs. What they leave behind. */

/** Ns that a DPC may take, by the guidelines for DPC routines. */
const DPC_NS = 100_000;

interface Running {
  readonly call: WatchedCall;
  readonly calledNs: number;
  readonly irql: number;
  readonly apcs: number;
  readonly locks: ReadonlySet<object>;
  readonly impersonation: object | undefined;
}

interface RunningDpc {
  readonly call: WatchedCall;
  readonly began: number;
}

/** A routine that has returned. */
export interface Returned {
  readonly call: WatchedCall;
  /** The thread that it ran in, or that the DPC had interrupted. */
  readonly thread: KThread;
  readonly timeNs: number;
}

/** What routines ask of who watches, and tell. */
export interface RoutineWatch {
  locksOf(taker: Taker): Iterable<{ readonly name: string }>;
  /** `stops`: the machine stops for it too. */
  found(rule: string, thread: KThread, call: WatchedCall, what: string, stops: boolean): void;
  /** DriverEntry has returned. */
  loaded(thread: KThread, call: WatchedCall, status: number): void;
}

export class Routines {
  private readonly running = new Map<KThread, Running[]>();
  private readonly dpcs = new Map<number, RunningDpc>();
  /** The one that returned last: what the machine stops for then, in its thread, is its. */
  last: Returned | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly watch: RoutineWatch,
  ) {}

  begins(thread: KThread, call: WatchedCall): void {
    const running = this.running.get(thread) ?? [];
    this.running.set(thread, running);
    running.push({
      call,
      calledNs: this.machine.now,
      irql: this.machine.irql(),
      apcs: this.apcsOf(thread),
      locks: new Set(this.watch.locksOf(takerOf(thread))),
      impersonation: thread.impersonation,
    });
  }

  ends(thread: KThread, result: unknown): void {
    const began = this.running.get(thread)?.pop();
    if (began === undefined) return;
    const { call } = began;
    if (call.sort === 'DriverEntry' && typeof result === 'number')
      this.watch.loaded(thread, call, result >>> 0);
    this.last = { call, thread, timeNs: this.machine.now };
    const left = [...this.watch.locksOf(takerOf(thread))].find((lock) => !began.locks.has(lock));
    const level = this.machine.irql();
    if (left !== undefined)
      this.watch.found('LK-02', thread, call, `returns with ${left.name} held`, true);
    else if (level !== began.irql) {
      const what = `returns at IRQL ${level}; it was called at ${began.irql}`;
      this.watch.found('IR-03', thread, call, what, true);
    } else if (this.apcsOf(thread) !== began.apcs)
      this.watch.found('AP-01', thread, call, 'returns with APCs disabled that were enabled', true);
    if (thread.impersonation !== began.impersonation && call.sort === 'work item')
      this.watch.found('WK-02', thread, call, 'returns while its thread impersonates', true);
  }

  /** Those that have not returned. */
  *underWay(): Generator<UnderWay> {
    for (const [thread, running] of this.running)
      yield* running.map((each) => ({ ...each, thread }));
    for (const [index, { call, began }] of this.dpcs)
      yield { call, thread: new Activation(this.machine, index).thread, calledNs: began };
  }

  /** The next instruction of a routine in front of a thread. @returns the DPC that it is of, if it is. */
  instruction(index: number, request: Request): Taker | undefined {
    if ((index - ACTIVATION.Mark) % ACTIVATION.Levels !== IRQL.DISPATCH_LEVEL) return undefined;
    const dpc = this.dpcs.get(index) ?? this.dpcBegins(index);
    const { thread } = new Activation(this.machine, index);
    const taker = { key: index, thread, name: `DPC '${dpc.call.routine.name}'`, call: dpc.call };
    if (((request[0] as number) & 0xff) === OP.Exit) this.dpcEnds(taker, dpc);
    return taker;
  }

  private dpcBegins(index: number): RunningDpc {
    const { driver, routineName } = new Activation(this.machine, index);
    const routine = Object.defineProperty(() => undefined, 'name', { value: routineName });
    const call: WatchedCall = { sort: 'DPC', routine, driver };
    const dpc = { call, began: this.machine.now };
    this.dpcs.set(index, dpc);
    return dpc;
  }

  private dpcEnds(taker: Taker & { readonly key: number }, { call, began }: RunningDpc): void {
    this.dpcs.delete(taker.key);
    const { thread } = taker;
    this.last = { call, thread, timeNs: this.machine.now };
    const level = this.machine.irql();
    const [left] = this.watch.locksOf(taker);
    if (left !== undefined)
      this.watch.found('LK-02', thread, call, `returns with ${left.name} held`, true);
    else if (level !== IRQL.DISPATCH_LEVEL)
      this.watch.found('IR-03', thread, call, `returns at IRQL ${level}; it was called at 2`, true);
    if (this.machine.now - began > DPC_NS)
      this.watch.found('DP-01', thread, call, `takes more than ${DPC_NS / 1000} us`, false);
  }

  private apcsOf(thread: KThread): number {
    return this.machine.memory.u32(thread.address + KTHREAD.CombinedApcDisable);
  }
}

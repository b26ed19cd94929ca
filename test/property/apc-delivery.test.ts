import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { IRQL, KAPC_ENVIRONMENT, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  type ApcState,
  KeInsertQueueApc,
  KeResumeThread,
  KeStackAttachProcess,
  KeSuspendThread,
  KeUnstackDetachProcess,
} from '../../src/ke/apc';
import { KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import {
  KeEnterCriticalRegion,
  KeEnterGuardedRegion,
  KeGetCurrentIrql,
  KeLeaveCriticalRegion,
  KeLeaveGuardedRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import type { KApc } from '../../src/machine/apc';
import type { Machine } from '../../src/machine/machine';
import type { KEvent, KProcess, KThread } from '../../src/machine/views';
import { quietMachine } from '../records';
import { check } from './check';
import { type Call, Crew, steps } from './crew';

/** Random kernel-mode APCs of one thread, in regions, at APC_LEVEL, attached and suspended, held to a model. */

const FILE = 'test/property/apc-delivery.test.ts';
/** Who gets the APCs, and who queues them. */
const TARGET = 0;
const OTHER = 1;

interface Kind {
  readonly special: boolean;
  /** It belongs to the process that the thread is attached to. */
  readonly attached: boolean;
  /** Its normal routine waits until it is let go on. */
  readonly slow: boolean;
}

const KINDS: readonly Kind[] = [
  { special: true, attached: false, slow: false },
  { special: true, attached: true, slow: false },
  { special: false, attached: false, slow: false },
  { special: false, attached: true, slow: false },
  { special: false, attached: false, slow: true },
];

/** What the facts say of when kernel-mode APCs come. */
class ApcModel {
  readonly log: string[] = [];
  critical = 0;
  guarded = 0;
  atApcLevel = false;
  suspensions = 0;
  suspended = false;
  /** The APC whose normal routine waits. */
  slow: number | undefined;
  /** Lists of the processes that the thread is attached to, its own first. */
  private readonly lists: number[][] = [[]];

  get depth(): number {
    return this.lists.length - 1;
  }

  get current(): number[] {
    return this.lists.at(-1) as number[];
  }

  /** Whether the thread goes on with what it is told. */
  get free(): boolean {
    return !this.suspended && this.slow === undefined;
  }

  isQueued(index: number): boolean {
    return this.lists.some((list) => list.includes(index));
  }

  insert(index: number): boolean {
    if (this.isQueued(index)) return false;
    const { special, attached } = KINDS[index] as Kind;
    const list = attached ? this.current : (this.lists[0] as number[]);
    const normal = list.findIndex((other) => !(KINDS[other] as Kind).special);
    list.splice(special && normal !== -1 ? normal : list.length, 0, index);
    this.deliver();
    return true;
  }

  remove(index: number): boolean {
    const list = this.lists.find((one) => one.includes(index));
    list?.splice(list.indexOf(index), 1);
    return list !== undefined;
  }

  attach(): void {
    this.lists.push([]);
  }

  detach(): void {
    this.lists.pop();
    this.deliver();
  }

  release(): void {
    this.log.push(`end ${this.slow}`);
    this.slow = undefined;
    this.deliver();
  }

  resume(): void {
    this.suspensions--;
    if (this.suspensions === 0) this.suspended = false;
    this.deliver();
  }

  /** Lets come what can. */
  deliver(): void {
    while (!this.atApcLevel && this.guarded === 0) {
      const [first] = this.current;
      const quiet = this.critical === 0 && this.free;
      if (first !== undefined && ((KINDS[first] as Kind).special || quiet)) {
        this.current.shift();
        this.run(first);
      } else if (first === undefined && quiet && this.suspensions > 0 && this.depth === 0) {
        this.suspended = true;
      } else return;
    }
  }

  private run(index: number): void {
    const { special, slow } = KINDS[index] as Kind;
    this.log.push(`kernel ${index}`);
    if (special) return;
    this.log.push(`normal ${index}`);
    if (slow) this.slow = index;
  }
}

const index = fc.nat(KINDS.length - 1);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('insert' as const), index }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), index }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'enterCritical' as const,
        'leaveCritical' as const,
        'enterGuarded' as const,
        'leaveGuarded' as const,
        'raise' as const,
        'lower' as const,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'attach' as const,
        'detach' as const,
        'suspend' as const,
        'resume' as const,
        'release' as const,
      ),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Run {
  private readonly model = new ApcModel();
  private readonly log: string[] = [];
  private readonly crew: Crew;
  private readonly apcs: readonly KApc[];
  private readonly go: KEvent;
  private readonly process: KProcess;
  private readonly states: ApcState[] = [];

  private constructor(machine: Machine) {
    this.crew = new Crew(machine, { count: 2 });
    this.go = machine.createEvent('synchronization');
    this.process = machine.createProcess();
    this.apcs = KINDS.map((kind, number) => this.newApc(machine, kind, number));
  }

  static async start(): Promise<Run> {
    return new Run(await quietMachine());
  }

  private newApc(machine: Machine, { special, attached, slow }: Kind, number: number): KApc {
    const { log, go } = this;
    const note = (what: string, level: IRQL) => {
      log.push(`${what} ${number}${KeGetCurrentIrql() === level ? '' : ' at another level'}`);
    };
    const normalRoutine = function* () {
      note('normal', IRQL.PASSIVE_LEVEL);
      if (!slow) return;
      yield* KeWaitForSingleObject(go, KWAIT_REASON.UserRequest, MODE.KernelMode, false, null);
      log.push(`end ${number}`);
    };
    return machine.createApc(this.target, {
      kernelRoutine: () => note('kernel', IRQL.APC_LEVEL),
      environment: attached
        ? KAPC_ENVIRONMENT.AttachedApcEnvironment
        : KAPC_ENVIRONMENT.OriginalApcEnvironment,
      ...(special ? {} : { normalRoutine }),
    });
  }

  private get target(): KThread {
    return this.crew.threads[TARGET] as KThread;
  }

  make(step: Step): void {
    if (step.kind === 'insert' || step.kind === 'remove') this.queue(step.kind, step.index);
    else if (step.kind === 'suspend' || step.kind === 'resume') this.suspend(step.kind);
    else if (step.kind === 'release') this.release();
    else if (!this.model.free) return;
    else if (step.kind === 'attach' || step.kind === 'detach') this.attach(step.kind);
    else this.region(step.kind);
    expect(this.log).toEqual(this.model.log);
    expect(this.apcs.map(({ inserted }) => inserted)).toEqual(
      this.apcs.map((_, number) => this.model.isQueued(number)),
    );
    expect(this.target.waitReason === KWAIT_REASON.Suspended).toBe(
      this.model.suspended && this.model.slow === undefined,
    );
  }

  private queue(kind: 'insert' | 'remove', number: number): void {
    const apc = this.apcs[number] as KApc;
    if (kind === 'remove') {
      expect(apc.remove()).toBe(this.model.remove(number));
      return;
    }
    const call = steps(() => KeInsertQueueApc(apc, null, null, 0));
    expect(this.crew.call(OTHER, call)).toBe(this.model.insert(number));
  }

  private suspend(kind: 'suspend' | 'resume'): void {
    const { model, target } = this;
    const call = steps(() => (kind === 'suspend' ? KeSuspendThread : KeResumeThread)(target));
    expect(this.crew.call(OTHER, call)).toBe(model.suspensions);
    if (kind === 'suspend') {
      model.suspensions++;
      model.deliver();
    } else if (model.suspensions > 0) model.resume();
  }

  private release(): void {
    if (this.model.slow === undefined) return;
    this.crew.call(
      OTHER,
      steps(() => KeSetEvent(this.go, 0, false)),
    );
    this.model.release();
  }

  private attach(kind: 'attach' | 'detach'): void {
    const { model } = this;
    const states = this.states;
    const process = this.process;
    if (kind === 'attach') {
      if (model.depth === 3) return;
      const call: Call = function* () {
        states.push(yield* KeStackAttachProcess(process));
      };
      this.crew.call(TARGET, call);
      model.attach();
      return;
    }
    // To leave a process with APCs of it pending is a bugcheck.
    const state = states.at(-1);
    if (state === undefined || model.current.length !== 0) return;
    states.pop();
    this.crew.call(
      TARGET,
      steps(() => KeUnstackDetachProcess(state)),
    );
    model.detach();
  }

  private region(kind: Exclude<Step, { index: number }>['kind']): void {
    const { model } = this;
    const calls: Readonly<Record<string, () => Call | undefined>> = {
      enterCritical: () => {
        model.critical++;
        return at(KeEnterCriticalRegion);
      },
      leaveCritical: () => {
        if (model.critical === 0) return undefined;
        model.critical--;
        return steps(KeLeaveCriticalRegion);
      },
      enterGuarded: () => {
        model.guarded++;
        return at(KeEnterGuardedRegion);
      },
      leaveGuarded: () => {
        if (model.guarded === 0) return undefined;
        model.guarded--;
        return steps(KeLeaveGuardedRegion);
      },
      raise: () => {
        model.atApcLevel = true;
        return at(() => KeRaiseIrql(IRQL.APC_LEVEL));
      },
      lower: () => {
        if (!model.atApcLevel) return undefined;
        model.atApcLevel = false;
        return steps(() => KeLowerIrql(IRQL.PASSIVE_LEVEL));
      },
    };
    const call = calls[kind]?.();
    if (call === undefined) return;
    this.crew.call(TARGET, call);
    model.deliver();
  }
}

/** A call of a plain routine. */
const at = (routine: () => unknown): Call =>
  // biome-ignore lint/correctness/useYield: a call is a generator, and this routine is none.
  function* () {
    routine();
  };

test('kernel-mode APCs come when regions, level, attachment and suspension let them, in order', async () => {
  await check(FILE, fc.array(step, { maxLength: 60, size: 'max' }), 120, async (plan) => {
    const run = await Run.start();
    for (const one of plan) run.make(one);
  });
});

import * as fc from 'fast-check';
import type { PRIORITY_CLASS, WAIT_TYPE } from '../../assembly/shared/types';
import type { Machine } from '../../src/machine/machine';
import { type LoadedProgram, type ProgramBuilder, program } from '../../src/machine/program';
import {
  KEvent,
  type KMutant,
  type KProcess,
  KSemaphore,
  type KThread,
} from '../../src/machine/views';
import { compute, createMachine, MS } from '../records';

/** What one run is made of: plain values, so that a counterexample can be read. */
export interface Plan {
  readonly processors: number;
  readonly groupSize: number;
  readonly nodes: number;
  readonly seed: number;
  readonly win32PrioritySeparation: number;
  readonly waitQuantumCharge: number;
  readonly timerResolutionNs: number;
  readonly interprocessorLatencyNs: number;
  readonly starvationNs: number;
  readonly outswapNs: number;
  readonly objects: readonly ObjectPlan[];
  readonly processes: readonly ProcessPlan[];
  readonly interrupts: readonly InterruptPlan[];
  readonly acts: readonly ActPlan[];
}

/** An event, a mutant or a semaphore with a count. */
export type ObjectPlan = 'notification' | 'synchronization' | 'mutant' | number;

export interface ProcessPlan {
  readonly priorityClass: PRIORITY_CLASS;
  readonly foreground: boolean;
  readonly threads: readonly ThreadPlan[];
}

export interface ThreadPlan {
  readonly increment: number;
  /** Bits are processors of the group; those it lacks are left out, and none left is all. */
  readonly affinity: number;
  readonly disableBoost: boolean;
  readonly rounds: number;
  readonly actions: readonly Action[];
}

/** Objects, processors and threads are numbered modulo how many there are. */
export type Action =
  | { readonly do: 'compute'; readonly ns: number }
  | { readonly do: 'wait'; readonly object: number; readonly timeoutNs: number }
  | { readonly do: 'signal'; readonly object: number; readonly increment: number }
  | { readonly do: 'reset' | 'pulse'; readonly object: number }
  | { readonly do: 'signalAndWait'; readonly object: number; readonly other: number }
  | {
      readonly do: 'waitMultiple';
      readonly objects: readonly number[];
      readonly type: WAIT_TYPE;
      readonly timeoutNs: number;
    }
  | { readonly do: 'delay'; readonly ns: number }
  | { readonly do: 'yield' }
  | { readonly do: 'priority'; readonly priority: number }
  | { readonly do: 'base'; readonly increment: number }
  | { readonly do: 'affinity'; readonly affinity: number }
  | { readonly do: 'create'; readonly increment: number };

export interface InterruptPlan {
  readonly timeNs: number;
  readonly processor: number;
  readonly object: number;
  readonly increment: number;
}

/** Something that the host does from outside, before a step. */
export type ActPlan = { readonly step: number } & (
  | { readonly do: 'signal'; readonly object: number; readonly increment: number }
  | { readonly do: 'priority'; readonly thread: number; readonly priority: number }
  | { readonly do: 'base'; readonly thread: number; readonly increment: number }
  | { readonly do: 'affinity'; readonly thread: number; readonly affinity: number }
  | { readonly do: 'foreground'; readonly process: number; readonly foreground: boolean }
);

const any = { object: fc.nat(7), affinity: fc.nat(255), increment: fc.nat(8) };

const duration = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 20_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 60 * MS }) },
);

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('compute' as const), ns: duration }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      object: any.object,
      timeoutNs: fc.oneof(fc.constantFrom(0, 3_600_000 * MS), fc.integer({ min: 1, max: 80 * MS })),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('signal' as const),
      object: any.object,
      increment: any.increment,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('waitMultiple' as const),
      objects: fc.uniqueArray(any.object, { minLength: 1, maxLength: 4 }),
      type: fc.constantFrom(0, 1) as fc.Arbitrary<WAIT_TYPE>,
      timeoutNs: fc.integer({ min: 1, max: 50 * MS }),
    }),
  },
  fc.record({ do: fc.constantFrom('reset' as const, 'pulse' as const), object: any.object }),
  fc.record({
    do: fc.constant('signalAndWait' as const),
    object: any.object,
    other: any.object,
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('delay' as const),
      ns: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 50 * MS })),
    }),
  },
  fc.constant({ do: 'yield' as const }),
  fc.record({
    do: fc.constant('priority' as const),
    priority: fc.oneof(fc.integer({ min: 1, max: 15 }), fc.integer({ min: 1, max: 31 })),
  }),
  fc.record({
    do: fc.constant('base' as const),
    increment: fc.constantFrom(-15, -2, -1, 0, 1, 2, 15),
  }),
  fc.record({ do: fc.constant('affinity' as const), affinity: any.affinity }),
  fc.record({
    do: fc.constant('create' as const),
    increment: fc.constantFrom(-2, -1, 0, 1, 2),
  }),
);

const thread: fc.Arbitrary<ThreadPlan> = fc.record({
  increment: fc.constantFrom(-15, -2, -1, 0, 0, 0, 1, 2, 15),
  affinity: fc.oneof(fc.constant(255), any.affinity),
  disableBoost: fc.oneof(
    { weight: 5, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  rounds: fc.integer({ min: 1, max: 5 }),
  actions: fc.array(action, { minLength: 1, maxLength: 8 }),
});

const process: fc.Arbitrary<ProcessPlan> = fc.record({
  priorityClass: fc.constantFrom(2, 2, 2, 1, 3, 4, 5, 6) as fc.Arbitrary<PRIORITY_CLASS>,
  foreground: fc.boolean(),
  threads: fc.array(thread, { minLength: 1, maxLength: 6 }),
});

const step = fc.nat(400);

const act: fc.Arbitrary<ActPlan> = fc.oneof(
  fc.record({
    step,
    do: fc.constant('signal' as const),
    object: any.object,
    increment: any.increment,
  }),
  fc.record({
    step,
    do: fc.constant('priority' as const),
    thread: fc.nat(20),
    priority: fc.integer({ min: 1, max: 31 }),
  }),
  fc.record({
    step,
    do: fc.constant('base' as const),
    thread: fc.nat(20),
    increment: fc.integer({ min: -3, max: 3 }),
  }),
  fc.record({
    step,
    do: fc.constant('affinity' as const),
    thread: fc.nat(20),
    affinity: any.affinity,
  }),
  fc.record({
    step,
    do: fc.constant('foreground' as const),
    process: fc.nat(3),
    foreground: fc.boolean(),
  }),
);

/** Plans for machines whose processor count comes from `processors`. */
export function plans(processors: fc.Arbitrary<number>): fc.Arbitrary<Plan> {
  return fc.record({
    processors,
    groupSize: fc.constantFrom(64, 64, 3),
    nodes: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(1000),
    win32PrioritySeparation: fc.constantFrom(2, 0x24, 0x26, 0x18, 0x16),
    waitQuantumCharge: fc.constantFrom(0, 0, 1),
    timerResolutionNs: fc.constantFrom(15_625_000, 15_625_000, 1_000_000),
    interprocessorLatencyNs: fc.constantFrom(1, 500, 50_000),
    starvationNs: fc.constantFrom(0, 40 * MS),
    outswapNs: fc.constantFrom(0, 0, 30 * MS),
    objects: fc.array(
      fc.oneof(
        fc.constantFrom('notification' as const, 'synchronization' as const, 'mutant' as const),
        fc.nat(3),
      ),
      { minLength: 1, maxLength: 6 },
    ),
    processes: fc.array(process, { minLength: 1, maxLength: 3 }),
    interrupts: fc.array(
      fc.record({
        timeNs: fc.nat(200 * MS),
        processor: fc.nat(7),
        object: any.object,
        increment: any.increment,
      }),
      { maxLength: 4 },
    ),
    acts: fc.array(act, { maxLength: 4 }),
  });
}

/** A machine that has been set up by a plan and can be driven step by step. */
export class Run {
  readonly threads: KThread[] = [];
  private readonly objects: (KEvent | KMutant | KSemaphore)[];
  private readonly processes: KProcess[];
  private readonly acts: ActPlan[];

  private constructor(
    readonly machine: Machine,
    plan: Plan,
  ) {
    this.objects = plan.objects.map((object) => {
      if (typeof object === 'number') return machine.createSemaphore(object, 3);
      return object === 'mutant' ? machine.createMutant() : machine.createEvent(object);
    });
    this.processes = plan.processes.map(({ priorityClass, foreground }) =>
      machine.createProcess({ priorityClass, foreground }),
    );
    const child = machine.loadProgram(compute(5000));
    plan.processes.forEach(({ threads }, index) => {
      for (const thread of threads) this.addThread(this.process(index), thread, child);
    });
    for (const { timeNs, processor, object: index, increment } of plan.interrupts) {
      const object = this.object(index);
      if (object instanceof KEvent || object instanceof KSemaphore)
        machine.scheduleInterrupt(timeNs, processor % plan.processors, object, increment);
    }
    this.acts = [...plan.acts].sort((a, b) => a.step - b.step);
  }

  static async start(plan: Plan): Promise<Run> {
    const groups = Math.ceil(plan.processors / plan.groupSize);
    const machine = await createMachine({
      processors: plan.processors,
      groupSize: plan.groupSize,
      nodes: Math.min(plan.processors, Math.max(groups, plan.nodes)),
      seed: plan.seed,
      profile: {
        win32PrioritySeparation: plan.win32PrioritySeparation,
        waitQuantumCharge: plan.waitQuantumCharge,
        timerResolutionNs: plan.timerResolutionNs,
        interprocessorLatencyNs: plan.interprocessorLatencyNs,
        starvationNs: plan.starvationNs,
        balancePeriodNs: 20 * MS,
        stackOutswapNs: plan.outswapNs,
        processOutswapNs: plan.outswapNs,
      },
      capacities: {
        processes: 8,
        threads: 48,
        objects: 8,
        programWords: 8192,
        sharedWords: 1,
        interrupts: 8,
        traceRecords: 4096,
      },
    });
    return new Run(machine, plan);
  }

  /** What the host does before the next step. */
  act(): void {
    const { steps } = this.machine;
    while (this.acts[0] !== undefined && this.acts[0].step <= steps)
      this.perform(this.acts.shift() as ActPlan);
  }

  /** Does one step; false if nothing can happen any more. */
  step(): boolean {
    const { reason } = this.machine.run({ maxEvents: 1 });
    if (reason !== 'events' && reason !== 'idle') throw new Error(`the run ended by ${reason}`);
    return reason === 'events';
  }

  private object(index: number): KEvent | KMutant | KSemaphore {
    return this.objects[index % this.objects.length] as KEvent | KMutant | KSemaphore;
  }

  private process(index: number): KProcess {
    return this.processes[index % this.processes.length] as KProcess;
  }

  /** A mask of processors that exist in the process's group; all of them rather than none. */
  private mask(process: KProcess, affinity: number): bigint {
    const all = this.machine.groupAffinity(process.group);
    const mask = BigInt(affinity) & all;
    return mask === 0n ? all : mask;
  }

  private addThread(process: KProcess, plan: ThreadPlan, child: LoadedProgram): void {
    const name = `thread ${this.threads.length}`;
    const body = program(name, (p) =>
      p.loop(plan.rounds, () => {
        for (const action of plan.actions) this.emit(p, process, action, child);
      }),
    );
    const { increment, disableBoost } = plan;
    const affinity = this.mask(process, plan.affinity);
    const loaded = this.machine.loadProgram(body);
    this.threads.push(process.createThread(loaded, { increment, affinity, disableBoost }));
  }

  private emit(p: ProgramBuilder, process: KProcess, action: Action, child: LoadedProgram): void {
    switch (action.do) {
      case 'compute':
        p.compute(action.ns);
        break;
      case 'wait':
        p.wait(this.object(action.object), { timeoutNs: action.timeoutNs, mode: 1 });
        break;
      case 'signal': {
        const object = this.object(action.object);
        if (object instanceof KEvent) p.setEvent(object, action.increment);
        else if (object instanceof KSemaphore) p.releaseSemaphore(object, 1, action.increment);
        else p.releaseMutant(object, action.increment);
        break;
      }
      case 'waitMultiple': {
        const objects = new Set(action.objects.map((object) => this.object(object)));
        p.waitMultiple([...objects], action.type, { timeoutNs: action.timeoutNs });
        break;
      }
      case 'reset':
        p.resetEvent(this.object(action.object));
        break;
      case 'pulse':
        p.pulseEvent(this.object(action.object));
        break;
      case 'signalAndWait':
        p.signalAndWait(this.object(action.object), this.object(action.other), {
          timeoutNs: 30 * MS,
        });
        break;
      case 'delay':
        p.delay(action.ns);
        break;
      case 'yield':
        p.yield();
        break;
      case 'priority':
        p.setPriority(action.priority);
        break;
      case 'base':
        p.setBasePriority(action.increment);
        break;
      case 'affinity':
        p.setAffinity(this.mask(process, action.affinity));
        break;
      case 'create':
        p.register((handle) => p.createThread(handle, child, action.increment));
        break;
    }
  }

  private perform(act: ActPlan): void {
    if (act.do === 'signal') {
      const object = this.object(act.object);
      if (object instanceof KEvent) object.set(act.increment);
      else if (object instanceof KSemaphore && object.signalState < 3)
        object.release(1, act.increment);
      return;
    }
    if (act.do === 'foreground') {
      this.process(act.process).setForeground(act.foreground);
      return;
    }
    const thread = this.threads[act.thread % this.threads.length] as KThread;
    if (act.do === 'priority') thread.setPriority(act.priority);
    else if (act.do === 'base') thread.setBasePriority(act.increment);
    else thread.setAffinity(this.mask(thread.process, act.affinity));
  }
}

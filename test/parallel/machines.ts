import * as fc from 'fast-check';
import {
  type CpuPort,
  KeDelayExecutionThread,
  KeInsertQueueDpc,
  KeSetEvent,
  KeWaitForSingleObject,
  KWAIT_REASON,
  type KDpc,
  type KEvent,
  type KThread,
  type LoadedPort,
  type Machine,
  type MachineOptions,
  MODE,
  PORT_CONTEXT,
  program,
} from '../../src/index';
import { openPort } from './script-port.mjs';
import { createMachine } from '../records';

/** Machines at random whose guests are worker ports', and what became of them: the same, whoever advances them. */

export const SCRIPT_PORT = new URL('./script-port.mjs', import.meta.url);

/** Operations of a script: see script-port.mjs. */
export const enum SCRIPT {
  Compute = 1,
  SystemCall = 2,
  Add = 3,
  Jump = 4,
  Fault = 5,
  Load = 6,
  Throw = 7,
  Overrun = 8,
  Hang = 9,
  Exit = 10,
  Slow = 11,
  Halt = 12,
}

export type Operation = readonly [SCRIPT, number, number];
export type Script = readonly Operation[];

/** Where the words begin that scripts add to, and how many bytes a script has. */
export const SHARED_WORDS = 0x8000;
const SCRIPT_BYTES = 0x400;

interface Slice {
  readonly ns: number;
  readonly events: number;
  /** What the host does after it. */
  readonly act: number;
}

export interface Plan {
  readonly processors: number;
  readonly seed: number;
  readonly latencyNs: number;
  readonly resolutionNs: number;
  readonly scripts: readonly Script[];
  /** Threads that are no ports'. */
  readonly hosts: number;
  readonly programs: number;
  readonly slices: readonly Slice[];
}

const operations: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.integer({ min: 1, max: 4000 }).map((ns): Operation => [SCRIPT.Compute, ns, 0]),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 9 }), fc.nat(31))
      .map(([number, argument]): Operation => [SCRIPT.SystemCall, number, argument]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(3), fc.integer({ min: -5, max: 5 }))
      .map(([word, value]): Operation => [SCRIPT.Add, SHARED_WORDS + word * 4, value]),
  },
);

const scripts: fc.Arbitrary<Script> = fc
  .tuple(fc.array(operations, { minLength: 1, maxLength: 8 }), fc.nat(12), fc.nat(9))
  .map(
    ([body, rounds, end]): Script => [
      ...body,
      [SCRIPT.Jump, 0, rounds],
      end === 0 ? [SCRIPT.Fault, 0xc0000005 | 0, 0] : [SCRIPT.Halt, end, 0],
    ],
  );

export const plans: fc.Arbitrary<Plan> = fc.record({
  processors: fc.integer({ min: 1, max: 5 }),
  seed: fc.nat(1000),
  latencyNs: fc.constantFrom(40, 150, 500, 500, 3000),
  resolutionNs: fc.constantFrom(10_000, 25_000, 1_000_000),
  scripts: fc.array(scripts, { minLength: 1, maxLength: 6 }),
  hosts: fc.nat(2),
  programs: fc.nat(2),
  slices: fc.array(
    fc.record({
      ns: fc.integer({ min: 1, max: 150_000 }),
      events: fc.constantFrom(1, 40, 1000, 1000, 1000),
      act: fc.nat(9),
    }),
    { minLength: 1, maxLength: 5 },
  ),
});

/** How the threads of scripts are advanced. */
export type Guests = 'worker port' | ((budgetNs: number) => number);

/** One machine of a plan. */
export class Subject {
  private readonly threads: KThread[] = [];
  private readonly events: KEvent[];
  private readonly dpcs: KDpc[];
  private readonly words: Int32Array;

  private constructor(
    readonly machine: Machine,
    private readonly plan: Plan,
    private readonly bytes: Uint8Array,
    private readonly port: LoadedPort | undefined,
    private readonly cut: (budgetNs: number) => number,
  ) {
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    this.events = [0, 1, 2].map((n) =>
      machine.createEvent(n === 0 ? 'notification' : 'synchronization'),
    );
    this.dpcs = [0, 1, 2].map((n) => {
      const dpc = machine.createDpc(() => {
        this.event(n).set(1);
      });
      dpc.targetProcessor = (n * 7) % plan.processors;
      return dpc;
    });
  }

  static async create(plan: Plan, guests: Guests, options: MachineOptions = {}): Promise<Subject> {
    const machine = await createMachine({
      processors: plan.processors,
      seed: plan.seed,
      profile: {
        interprocessorLatencyNs: plan.latencyNs,
        timerResolutionNs: plan.resolutionNs,
        minimumTimerResolutionNs: 10_000,
      },
      livelockSteps: 0,
      capacities: {
        ...{ threads: 64, processes: 8, objects: 256, waitBlocks: 64, threadExtensions: 64 },
        ...{ trapFrames: 64, queueEntries: 64, traceRecords: 1024 },
      },
      ...options,
    });
    const worker = guests === 'worker port';
    const port = worker ? await machine.loadPort({ url: SCRIPT_PORT }) : undefined;
    const bytes = worker ? machine.guestMemory.bytes : new Uint8Array(0x10000);
    const cut = worker ? (budgetNs: number) => budgetNs : guests;
    const subject = new Subject(machine, plan, bytes, port, cut);
    subject.fill();
    return subject;
  }

  private event(number: number): KEvent {
    return this.events[number % this.events.length] as KEvent;
  }

  private thread(number: number): KThread {
    return this.threads[number % this.threads.length] as KThread;
  }

  private fill(): void {
    const { machine, plan } = this;
    this.addCalls();
    const process = machine.createProcess();
    plan.scripts.forEach((script, number) => {
      const base = number * SCRIPT_BYTES;
      script.forEach(([operation, a, b], index) => {
        const target = operation === SCRIPT.Jump ? base : a;
        this.words.set([operation, target, b], base / 4 + index * 3);
      });
      this.threads.push(
        this.port === undefined
          ? process.createThread(this.cpuPort(base))
          : process.createThread(this.port, { portState: [base] }),
      );
    });
    for (let number = 0; number < plan.programs; number++) {
      const body = program('worker', (p) =>
        p.loop(30, () =>
          p
            .compute({ uniform: [1, 9000] })
            .setEvent(this.event(number))
            .wait(this.event(number + 1), { timeoutNs: 15_000 })
            .insertQueueDpc(this.dpcs[number] as KDpc),
        ),
      );
      process.createThread(machine.loadProgram(body));
    }
    const { event, dpcs } = { event: this.event(2), dpcs: this.dpcs };
    for (let number = 0; number < plan.hosts; number++) {
      process.createThread(function* () {
        for (let round = 0; round < 20; round++) {
          yield* KeSetEvent(event, 1, false);
          yield* KeInsertQueueDpc(dpcs[round % 3] as KDpc, 0, 0);
          yield* KeDelayExecutionThread(MODE.KernelMode, false, -(30 + number * 77));
        }
      });
    }
    machine.createTimer('synchronization').set(17_000, 1, dpcs[1] as KDpc);
  }

  private addCalls(): void {
    const { machine, plan } = this;
    const all = 2 ** plan.processors - 1;
    machine.onSystemCall(1, (_, argument) => this.event(argument).set(1));
    machine.onSystemCall(2, (_, argument) => this.waitFor(this.event(argument)));
    machine.onSystemCall(
      3,
      machine.loadProgram(
        program('call 3', (p) => p.compute(120).wait(this.event(1), { timeoutNs: 9000 })),
      ),
    );
    machine.onSystemCall(4, (_, argument) => {
      machine.scheduleInterrupt(machine.now, argument % plan.processors, this.event(argument));
      return 0;
    });
    machine.onSystemCall(5, (_, argument) => this.thread(argument).setPriority(8 + (argument % 4)));
    machine.onSystemCall(6, (_, argument) => {
      this.thread(argument).setAffinity(BigInt((argument % all) + 1));
      return 0;
    });
    machine.onSystemCall(7, (_, argument) => {
      const thread = this.thread(argument);
      return thread.suspendCount === 0 ? thread.suspend() : thread.resume();
    });
    const { dpcs } = this;
    machine.onSystemCall(8, function* (_, argument) {
      yield* KeInsertQueueDpc(dpcs[argument % 3] as KDpc, 0, 0);
      return 0;
    });
  }

  private *waitFor(event: KEvent) {
    return yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, -60);
  }

  /** A script that the host advances, in memory that the machine does not know. */
  private cpuPort(base: number): CpuPort {
    const memory = { buffer: this.bytes.buffer };
    const core = openPort({ memory, guestBase: 0 });
    const context = this.bytes.byteLength - (this.threads.length + 1) * PORT_CONTEXT.Size;
    const first = context / 4;
    const own = first + PORT_CONTEXT.Own / 4;
    this.words[own] = base;
    return {
      run: (_thread, budgetNs) => {
        const usedNs = core.run(context, this.cut(budgetNs), 1);
        const number = this.words[first + 1] as number;
        const argument = this.words[first + 2] as number;
        const reason = (['budget', 'syscall', 'fault', 'halt', 'budget'] as const)[
          this.words[first] as number
        ];
        return { usedNs, reason: reason ?? 'budget', number, argument, status: argument };
      },
    };
  }

  /** Runs it as planned; one line a slice. */
  run(): string[] {
    return this.plan.slices.map((slice) => {
      const { machine } = this;
      const { reason } = machine.run({ until: machine.now + slice.ns, maxEvents: slice.events });
      const line = this.describe(reason);
      this.act(slice.act);
      return line;
    });
  }

  private act(number: number): void {
    const thread = this.thread(number);
    if (number < 3) this.event(number).set(1);
    else if (number === 3 && thread.suspendCount === 0) thread.suspend();
    else if (number === 4 && thread.suspendCount !== 0) thread.resume();
    else if (number === 5)
      this.machine.scheduleInterrupt(
        this.machine.now,
        number % this.plan.processors,
        this.event(0),
      );
  }

  private describe(reason: string): string {
    const { machine, plan } = this;
    const processors = Array.from({ length: plan.processors }, (_, number) =>
      Object.values(machine.processorTimes(number)).join(','),
    );
    const shared = this.words.subarray(SHARED_WORDS / 4, SHARED_WORDS / 4 + 4).join(',');
    const parts = [
      reason,
      machine.now,
      machine.steps,
      machine.digest,
      processors.join(' '),
      shared,
    ];
    return `${parts.join(' | ')} | ${this.contexts()}`;
  }

  /** What guests are at; of worker ports only. */
  private contexts(): string {
    return this.threads
      .map((thread) => this.machine.portContext(thread)?.subarray(0, 11).join(','))
      .join(' ');
  }
}

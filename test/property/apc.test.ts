import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { KSYSTEM, KTABLE } from '../../assembly/shared/layout';
import { KTHREAD_STATE, KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import type { Machine } from '../../src/machine/machine';
import { type ProgramBuilder, program } from '../../src/machine/program';
import type { KEvent, KSemaphore, KThread } from '../../src/machine/views';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { createMachine } from '../records';
import { check } from './check';

const FILE = 'test/property/apc.test.ts';
const MS = 1_000_000;

/** What one thread does, again and again. */
interface Step {
  readonly kind:
    | 'compute'
    | 'wait'
    | 'waitAny'
    | 'waitAll'
    | 'delay'
    | 'signal'
    | 'critical'
    | 'guarded'
    | 'alertById';
  readonly user: boolean;
  readonly alertable: boolean;
  readonly limited: boolean;
  readonly amount: number;
}

/** What is done to a thread from outside, after so many microseconds. */
interface Act {
  readonly kind: 'special' | 'normal' | 'user' | 'suspend' | 'resume' | 'alert' | 'remove';
  readonly thread: number;
  readonly waits: boolean;
  readonly us: number;
}

interface Plan {
  readonly processors: number;
  readonly threads: readonly (readonly Step[])[];
  readonly acts: readonly Act[];
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Step['kind'][]>(
    'compute',
    'wait',
    'waitAny',
    'waitAll',
    'delay',
    'signal',
    'critical',
    'guarded',
    'alertById',
  ),
  user: fc.boolean(),
  alertable: fc.boolean(),
  limited: fc.boolean(),
  amount: fc.integer({ min: 1, max: 3000 }),
});

const act: fc.Arbitrary<Act> = fc.record({
  kind: fc.constantFrom<Act['kind'][]>(
    'special',
    'normal',
    'user',
    'suspend',
    'resume',
    'alert',
    'remove',
  ),
  thread: fc.nat(3),
  waits: fc.boolean(),
  us: fc.integer({ min: 0, max: 40_000 }),
});

const plans: fc.Arbitrary<Plan> = fc.record({
  processors: fc.integer({ min: 1, max: 3 }),
  threads: fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
  acts: fc.array(act, { maxLength: 25 }),
});

function write(p: ProgramBuilder, { kind, ...how }: Step, event: KEvent, count: KSemaphore): void {
  const options = {
    mode: how.user ? MODE.UserMode : MODE.KernelMode,
    alertable: how.alertable,
    ...(how.limited ? { timeoutNs: how.amount * 1000 } : {}),
  };
  switch (kind) {
    case 'compute':
      p.compute(how.amount * 1000, options.mode);
      break;
    case 'wait':
      p.wait(event, options);
      break;
    case 'waitAny':
      p.waitMultiple([event, count], WAIT_TYPE.WaitAny, options);
      break;
    case 'waitAll':
      p.waitMultiple([event, count], WAIT_TYPE.WaitAll, options);
      break;
    case 'delay':
      p.delay(how.amount * 1000, options);
      break;
    case 'signal':
      p.setEvent(event).releaseSemaphore(count);
      break;
    case 'critical':
      p.criticalRegion(() => p.compute(how.amount * 100).wait(event, { timeoutNs: 1000 }));
      break;
    case 'guarded':
      p.guardedRegion(() => p.compute(how.amount * 100));
      break;
    case 'alertById':
      p.waitForAlertById({ timeoutNs: how.amount * 1000 });
      break;
  }
}

/** Rows of a table that are in use. */
function inUse(machine: Machine, table: number): number {
  return machine.memory.u32(KSYSTEM.Address + table + KTABLE.Count);
}

class Run {
  readonly ran: string[] = [];
  private constructor(
    readonly machine: Machine,
    readonly threads: readonly KThread[],
    readonly event: KEvent,
    readonly count: KSemaphore,
  ) {}

  static async start(plan: Plan): Promise<Run> {
    const machine = await createMachine({
      processors: plan.processors,
      capacities: { threadExtensions: 16, trapFrames: 64, objects: 256 },
    });
    const event = machine.createEvent('synchronization');
    const count = machine.createSemaphore(0);
    const process = machine.createProcess();
    const threads = plan.threads.map((steps, index) =>
      process.createThread(
        machine.loadProgram(
          program(`thread ${index}`, (p) =>
            p.loop(6, () => {
              for (const one of steps) write(p, one, event, count);
            }),
          ),
        ),
      ),
    );
    const run = new Run(machine, threads, event, count);
    for (const one of [...plan.acts].sort((a, b) => a.us - b.us)) {
      machine.run({ until: one.us * 1000 });
      run.act(one);
    }
    return run;
  }

  private act({ kind, thread: index, waits }: Act): void {
    const thread = this.threads[index % this.threads.length] as KThread;
    if (!thread.exists || thread.state === KTHREAD_STATE.Terminated) return;
    if (kind === 'suspend') thread.suspend();
    else if (kind === 'resume') thread.resume();
    else if (kind === 'alert') thread.alert(waits ? MODE.UserMode : MODE.KernelMode);
    else this.queue(kind, thread, waits);
  }

  private queue(
    kind: 'special' | 'normal' | 'user' | 'remove',
    thread: KThread,
    waits: boolean,
  ): void {
    const { machine, ran, event } = this;
    const apc = machine.createApc(thread, {
      kernelRoutine: (own) => {
        own.delete();
        ran.push('kernel');
      },
      rundownRoutine: (own) => own.delete(),
      ...(kind === 'special'
        ? {}
        : {
            mode: kind === 'user' ? MODE.UserMode : MODE.KernelMode,
            *normalRoutine() {
              if (waits) yield* waitFor(event);
              ran.push('normal');
            },
          }),
    });
    apc.insert({}, {});
    if (kind === 'remove' && apc.inserted) apc.delete();
  }

  /** Lets everything come to its end: what waits for ever in kernel mode is signaled. */
  finish(): void {
    const { machine, threads, event, count } = this;
    machine.run({ until: 200 * MS });
    for (const thread of threads) {
      if (thread.state === KTHREAD_STATE.Terminated) continue;
      while (thread.suspendCount > 0) thread.resume();
      thread.terminate(1);
    }
    for (let round = 1; round <= 100; round++) {
      event.set();
      count.release(1);
      machine.run({ until: (200 + round * 5) * MS });
    }
  }
}

const waitFor = (event: KEvent) =>
  KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, -50_000);

test('whatever APCs, alerts and suspensions come, every thread can be ended, and nothing is left of them', async () => {
  await check(FILE, plans, 150, async (plan) => {
    const run = await Run.start(plan);
    run.finish();
    const { machine, threads } = run;
    expect(threads.map(({ state }) => state)).toEqual(threads.map(() => KTHREAD_STATE.Terminated));
    for (const thread of threads) thread.close();
    const left = [
      KSYSTEM.ExtensionTable,
      KSYSTEM.TrapFrameTable,
      KSYSTEM.WaitBlockTable,
      KSYSTEM.ObjectTable,
    ].map((table) => inUse(machine, table));
    expect([...left, machine.values.size]).toEqual([0, 0, 0, 2, 0]);
  });
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import { KeAlertThread, KeInsertQueueApc, KeTestAlertThread } from '../../src/ke/apc';
import type { Timeout } from '../../src/ke/call';
import {
  KeClearEvent,
  KePulseEvent,
  KeReadStateEvent,
  KeReleaseMutant,
  KeReleaseSemaphore,
  KeResetEvent,
  KeSetEvent,
  KeWaitForMultipleObjects,
  KeWaitForSingleObject,
} from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { KeCancelTimer, KeSetTimerEx } from '../../src/ke/timer';
import type { Machine } from '../../src/machine/machine';
import { KEvent, KMutant, KSemaphore, type KThread, KTimer } from '../../src/machine/views';
import { PsTerminateSystemThread } from '../../src/ps/system-thread';
import { MS, quietMachine } from '../records';
import { check } from './check';
import { type Call, Crew, steps } from './crew';
import { takeSnapshot } from './snapshot';
import { Deadlines, type Due } from './deadlines';
import { type ModelObject, newObject, WaitModel } from './wait-model';

/** Random calls of a few threads on dispatcher objects, one at a time, held to a model after each. */

const FILE = 'test/property/waits.test.ts';
const THREADS = 4;
const TICK_NS = MS;
/** What a call is given: more than it takes, and far less than a tick. */
const SLICE_NS = 2000;
/** The first call is so long behind a tick, and each a slice later than the last: no two times meet. */
const BEHIND_TICK_NS = 300_000;

type Dispatcher = KEvent | KSemaphore | KMutant | KTimer;

/** Each object of a run, and what the model has of it. */
function objectsOf(machine: Machine): [Dispatcher, ModelObject][] {
  return [
    [machine.createEvent('notification'), newObject('notification')],
    [machine.createEvent('synchronization'), newObject('synchronization')],
    [machine.createSemaphore(1, 3), newObject('semaphore', 1, 3)],
    [machine.createMutant(), newObject('mutant', 1)],
    [machine.createMutant(), newObject('mutant', 1)],
    [machine.createTimer('notification'), newObject('notificationTimer')],
    [machine.createTimer('synchronization'), newObject('synchronizationTimer')],
  ];
}

const thread = fc.nat(THREADS - 1);
const object = fc.nat(6);
/** Ms from now; 0 is what has come, null never does. */
const time = fc.record({ ms: fc.integer({ min: 0, max: 4 }), absolute: fc.boolean() });
const kind = <K extends string>(value: K) => fc.constant(value);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind('wait'),
      thread,
      objects: fc.uniqueArray(object, { minLength: 1, maxLength: 3 }),
      all: fc.boolean(),
      alertable: fc.boolean(),
      due: fc.option(time),
    }),
  },
  fc.record({
    kind: kind('delay'),
    thread,
    alertable: fc.boolean(),
    ms: fc.integer({ min: 1, max: 4 }),
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('signal', 'reset', 'clear', 'pulse', 'read'),
      thread,
      object,
      adjustment: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('setTimer'),
      thread,
      object,
      due: time,
      period: fc.nat(3),
    }),
  },
  fc.record({
    kind: fc.constantFrom('cancel', 'testAlert', 'exit'),
    thread,
    object,
  }),
  fc.record({ kind: fc.constantFrom('alert', 'interrupt'), thread, target: thread }),
  {
    weight: 3,
    arbitrary: fc.record({ kind: kind('advance'), ms: fc.integer({ min: 1, max: 4 }) }),
  },
  fc.record({ kind: kind('setTime'), ms: fc.integer({ min: -3, max: 3 }) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Run {
  private readonly objects: [Dispatcher, ModelObject][];
  private readonly deadlines = new Deadlines(TICK_NS);
  private readonly model = new WaitModel(this.deadlines);
  private readonly crew: Crew;

  private constructor(private readonly machine: Machine) {
    this.objects = objectsOf(machine);
    this.crew = new Crew(machine, { count: THREADS, sliceNs: SLICE_NS });
    this.crew.settle(TICK_NS + BEHIND_TICK_NS - SLICE_NS);
    this.model.results.push(...this.crew.results);
  }

  static async start(): Promise<Run> {
    const profile = { timerResolutionNs: TICK_NS };
    return new Run(await quietMachine({ processors: THREADS + 1, profile }));
  }

  /** A due time as a routine takes it. */
  private encode({ ms, absolute }: { ms: number; absolute: boolean }): Exclude<Timeout, null> {
    if (ms === 0) return 0;
    return absolute
      ? this.machine.clock.systemTimePrecise100ns + BigInt(ms * 10_000)
      : -ms * 10_000;
  }

  /** The same as the model has it, of a call at `now`. */
  private due({ ms, absolute }: { ms: number; absolute: boolean }, now: number): Due {
    const from = absolute ? Math.floor(now / 100) * 100 : now;
    return { at: from + ms * MS, absolute: absolute && ms !== 0 };
  }

  /** Lets a thread make a call, and the model say what that comes to. */
  private call(thread: number, call: Call, modelled: (now: number) => unknown): void {
    this.crew.call(thread, call);
    const now = this.crew.calledAt;
    this.model.results[thread] = undefined;
    const result = modelled(now);
    if (!this.model.busy(thread)) this.model.results[thread] = result;
  }

  private wait(step: Extract<Step, { kind: 'wait' }>): void {
    const chosen = step.objects.map((index) => this.objects[index] as [Dispatcher, ModelObject]);
    const real = chosen.map(([one]) => one);
    const { thread, all, alertable, due } = step;
    const reason = KWAIT_REASON.UserRequest;
    const call: Call = function* (this: Run) {
      const timeout = due === null ? null : this.encode(due);
      const [first] = real as [Dispatcher];
      if (real.length === 1)
        return yield* KeWaitForSingleObject(first, reason, MODE.KernelMode, alertable, timeout);
      const type = all ? WAIT_TYPE.WaitAll : WAIT_TYPE.WaitAny;
      const kernel = MODE.KernelMode;
      return yield* KeWaitForMultipleObjects(real, type, reason, kernel, alertable, timeout, null);
    }.bind(this);
    this.call(thread, call, (now) => {
      const limit = due === null ? undefined : this.due(due, now);
      const modelled = chosen.map(([, one]) => one);
      return this.model.wait(now, thread, modelled, all, alertable, limit);
    });
  }

  private delay({ thread, alertable, ms }: Extract<Step, { kind: 'delay' }>): void {
    const call = steps(() => KeDelayExecutionThread(MODE.KernelMode, alertable, -ms * 10_000));
    this.call(thread, call, (now) => {
      const due = this.due({ ms, absolute: false }, now);
      return this.model.wait(now, thread, [], false, alertable, due);
    });
  }

  private onObject({ kind, thread, object, adjustment }: Extract<Step, { adjustment: number }>) {
    const [real, modelled] = this.objects[object] as [Dispatcher, ModelObject];
    const { model } = this;
    if (real instanceof KEvent) {
      const routines = {
        signal: [() => KeSetEvent(real, 0, false), () => model.set(modelled)],
        reset: [() => KeResetEvent(real), () => model.reset(modelled)],
        clear: [() => KeClearEvent(real), () => void model.reset(modelled)],
        pulse: [() => KePulseEvent(real, 0, false), () => model.pulse(modelled)],
      } as const;
      if (kind === 'read') expect(KeReadStateEvent(real)).toBe(modelled.signal);
      else this.call(thread, steps(routines[kind][0]), () => routines[kind][1]() ?? 'done');
    } else if (kind !== 'signal') return;
    else if (real instanceof KSemaphore) {
      const call = steps(() => KeReleaseSemaphore(real, 0, adjustment, false));
      this.call(thread, call, () => model.release(modelled, adjustment));
    } else if (real instanceof KMutant) {
      const call = steps(() => KeReleaseMutant(real, 0, false, false));
      this.call(thread, call, () => model.releaseMutant(modelled, thread));
    }
  }

  private setTimer({ thread, object, due, period }: Extract<Step, { kind: 'setTimer' }>): void {
    const [real, modelled] = this.objects[object] as [Dispatcher, ModelObject];
    if (!(real instanceof KTimer)) return;
    const call = steps(() => KeSetTimerEx(real, this.encode(due), period, null));
    this.call(thread, call, (now) =>
      this.model.setTimer(now, modelled, this.due(due, now), period * MS),
    );
  }

  private cancel(thread: number, object: number): void {
    const [real, modelled] = this.objects[object] as [Dispatcher, ModelObject];
    if (!(real instanceof KTimer)) return;
    const call = steps(() => KeCancelTimer(real));
    this.call(thread, call, () => this.model.cancelTimer(modelled));
  }

  private toThread(kind: 'alert' | 'interrupt', thread: number, target: number): void {
    const named = this.crew.threads[target] as KThread;
    if (kind === 'alert') {
      const call = steps(() => KeAlertThread(named, MODE.KernelMode));
      this.call(thread, call, () => this.model.alert(target));
      return;
    }
    const apc = this.machine.createApc(named, { kernelRoutine: (own) => own.delete() });
    const call = steps(() => KeInsertQueueApc(apc, null, null, 0));
    this.call(thread, call, (now) => {
      this.model.interrupt(now, target);
      return true;
    });
  }

  private exit(thread: number): void {
    this.crew.call(
      thread,
      steps(() => PsTerminateSystemThread(0)),
    );
    this.model.exit(thread);
    this.crew.hire(thread);
    this.crew.settle();
  }

  make(step: Step): void {
    const { machine, model, crew, deadlines } = this;
    if (step.kind === 'advance') {
      crew.settle(step.ms * TICK_NS);
      deadlines.advance(machine.now);
    } else if (step.kind === 'setTime') {
      machine.clock.systemTime100ns += BigInt(step.ms * 10_000);
      deadlines.shiftTime(machine.now, step.ms * MS);
    } else if (model.busy(step.thread)) return;
    else if (step.kind === 'wait') this.wait(step);
    else if (step.kind === 'delay') this.delay(step);
    else if (step.kind === 'setTimer') this.setTimer(step);
    else if ('adjustment' in step) this.onObject(step);
    else if ('target' in step) this.toThread(step.kind, step.thread, step.target);
    else if (step.kind === 'cancel') this.cancel(step.thread, step.object);
    else if (step.kind === 'exit') this.exit(step.thread);
    else {
      const call = steps(() => KeTestAlertThread(MODE.KernelMode));
      this.call(step.thread, call, () => model.testAlert(step.thread));
    }
    this.compare();
  }

  private compare(): void {
    const { crew, model, machine } = this;
    const shown = takeSnapshot(machine).objects;
    expect(crew.results).toEqual(model.results);
    const number = (row: number) => crew.threads.findIndex(({ index }) => index === row);
    const real = this.objects.map(([one]) => {
      const found = shown.find(({ name }) => name === `object ${one.index}`);
      const owner = one instanceof KMutant && one.owner !== undefined ? one.owner.index : undefined;
      return {
        signal: one.signalState,
        owner: owner === undefined ? undefined : number(owner),
        abandoned: one instanceof KMutant && one.abandoned,
        waiters: found?.waiters.map(number),
      };
    });
    const modelled = this.objects.map(([, { signal, owner, abandoned, waiters }]) => ({
      signal,
      owner,
      abandoned,
      waiters: waiters.map((waiter) => waiter.thread),
    }));
    expect(real).toEqual(modelled);
  }
}

test('events, semaphores, mutants, timers and the waits for them are what the model has', async () => {
  await check(FILE, fc.array(step, { maxLength: 50, size: 'max' }), 250, async (plan) => {
    const run = await Run.start();
    for (const one of plan) run.make(one);
  });
});

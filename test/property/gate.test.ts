import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeAlertThread } from '../../src/ke/apc';
import { KeSignalGateBoostPriority, KeWaitForGate } from '../../src/ke/queue';
import type { KThread } from '../../src/machine/views';
import { ZwReleaseKeyedEvent, ZwWaitForKeyedEvent } from '../../src/ob/services/keyed-event';
import { MS, quietMachine } from '../records';
import { check } from './check';
import { Crew, steps } from './crew';
import { type Deadline, Deadlines } from './deadlines';

/** Random calls on what lets one thread through for another: gates and keyed events. */

const FILE = 'test/property/gate.test.ts';
const THREADS = 4;
const LENGTH = { maxLength: 40, size: 'max' } as const;
const TICK_NS = MS;
const SLICE_NS = 2000;

const thread = fc.nat(THREADS - 1);

const gateStep = fc.record({ thread, kind: fc.constantFrom('wait' as const, 'signal' as const) });

test('a gate lets one thread through for each signal, in order, and keeps one signal', async () => {
  await check(FILE, fc.array(gateStep, LENGTH), 100, async (plan) => {
    const machine = await quietMachine();
    const crew = new Crew(machine, { count: THREADS });
    const gate = machine.createGate();
    let signal = 0;
    const waiting: number[] = [];
    const results = [...crew.results];
    for (const { thread, kind } of plan) {
      if (waiting.includes(thread)) continue;
      if (kind === 'signal') {
        const call = steps(() => KeSignalGateBoostPriority(gate));
        const first = waiting.shift();
        results[thread] = crew.call(thread, call);
        if (first === undefined) signal = 1;
        else results[first] = STATUS.SUCCESS;
      } else {
        const reason = KWAIT_REASON.WrGuardedMutex;
        crew.call(
          thread,
          steps(() => KeWaitForGate(gate, reason, MODE.KernelMode)),
        );
        results[thread] = signal === 1 ? STATUS.SUCCESS : undefined;
        if (signal === 0) waiting.push(thread);
        signal = 0;
      }
      expect(crew.results).toEqual(results);
      expect(gate.signalState).toBe(signal);
    }
  });
});

type Side = 'wait' | 'release';

/** A thread that has come to a key, and the other has not. */
interface Comer {
  readonly thread: number;
  readonly side: Side;
  readonly key: number;
  readonly alertable: boolean;
  readonly deadline: Deadline | undefined;
}

/** Two sides that meet at a key, each in the order in which they came. */
class KeyedModel {
  readonly results: unknown[] = [];
  private comers: Comer[] = [];
  private readonly alerted = new Set<number>();

  constructor(private readonly deadlines: Deadlines) {}

  private end(comer: Comer, status: number): void {
    this.comers = this.comers.filter((other) => other !== comer);
    this.deadlines.cancel(comer.deadline);
    this.results[comer.thread] = status;
  }

  come(
    now: number,
    thread: number,
    side: Side,
    key: number,
    alertable: boolean,
    ms: number | null,
  ): number | undefined {
    const other = this.comers.find((comer) => comer.key === key && comer.side !== side);
    if (other !== undefined) {
      this.end(other, STATUS.SUCCESS);
      return STATUS.SUCCESS;
    }
    if (alertable && this.alerted.delete(thread)) return STATUS.ALERTED;
    if (ms === 0) return STATUS.TIMEOUT;
    const expire = () => this.end(comer, STATUS.TIMEOUT);
    const due = { at: now + (ms ?? 0) * MS, absolute: false };
    const deadline = ms === null ? undefined : this.deadlines.schedule(due, expire);
    const comer: Comer = { thread, side, key, alertable, deadline };
    this.comers.push(comer);
    return undefined;
  }

  alert(thread: number): boolean {
    if (this.alerted.has(thread)) return true;
    const comer = this.comers.find((one) => one.thread === thread);
    if (comer?.alertable === true) this.end(comer, STATUS.ALERTED);
    else this.alerted.add(thread);
    return false;
  }
}

const keyedStep = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('wait' as const, 'release' as const),
      thread,
      key: fc.constantFrom(2, 2, 4),
      alertable: fc.boolean(),
      ms: fc.constantFrom(null, null, 0, 1, 2),
    }),
  },
  fc.record({ kind: fc.constant('alert' as const), thread, target: thread }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 3 }) }),
);

test('both sides of a keyed event wait for the other: one for one, key by key, in order', async () => {
  await check(FILE, fc.array(keyedStep, LENGTH), 100, async (plan) => {
    const machine = await quietMachine({ profile: { timerResolutionNs: TICK_NS } });
    const crew = new Crew(machine, { count: THREADS, sliceNs: SLICE_NS });
    crew.settle(TICK_NS / 4);
    const deadlines = new Deadlines(TICK_NS);
    const model = new KeyedModel(deadlines);
    model.results.push(...crew.results);
    for (const step of plan) {
      if (step.kind === 'advance') {
        crew.settle(step.ms * TICK_NS);
        deadlines.advance(machine.now);
      } else if (model.results[step.thread] === undefined) continue;
      else if (step.kind === 'alert') {
        const target = crew.threads[step.target] as KThread;
        crew.call(
          step.thread,
          steps(() => KeAlertThread(target, MODE.KernelMode)),
        );
        model.results[step.thread] = model.alert(step.target);
      } else {
        const { thread, kind, key, alertable, ms } = step;
        const service = kind === 'wait' ? ZwWaitForKeyedEvent : ZwReleaseKeyedEvent;
        const timeout = ms === null ? null : ms * -10_000;
        crew.call(
          thread,
          steps(() => service(0, key, alertable, timeout)),
        );
        model.results[thread] = model.come(crew.calledAt, thread, kind, key, alertable, ms);
      }
      expect(crew.results).toEqual(model.results);
    }
  });
});

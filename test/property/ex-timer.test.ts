import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  EX_TIMER_HIGH_RESOLUTION,
  EX_TIMER_NOTIFICATION,
  ExAllocateTimer,
  ExCancelTimer,
  ExDeleteTimer,
  ExSetTimer,
  type ExTimer,
} from '../../src/ex/timer';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeReadStateTimer } from '../../src/ke/timer';
import { Machine } from '../../src/machine/machine';
import { check } from './check';

const FILE = 'test/property/ex-timer.test.ts';
const TICK_NS = 15_625_000;
/** The lowest timer resolution: how close the periods of a high-resolution timer may come. */
const LOWEST_NS = 500_000;
/** More than interrupts and DPCs of all timers at once take. */
const LATE_NS = 60_000;

type Operation =
  | { readonly kind: 'set'; readonly timer: number; readonly due: number; readonly period: number }
  | { readonly kind: 'cancel'; readonly timer: number }
  | { readonly kind: 'delete'; readonly timer: number; readonly cancel: boolean }
  | { readonly kind: 'stall'; readonly us: number };

const timer = fc.integer({ min: 0, max: 2 });
const operations = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('set' as const),
        timer,
        due: fc.integer({ min: 0, max: 400_000 }),
        period: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 200_000 })),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), timer }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('delete' as const), timer, cancel: fc.boolean() }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('stall' as const),
        us: fc.integer({ min: 1, max: 30_000 }),
      }),
    },
  ),
  { maxLength: 25 },
);

/** What a timer is to do, in plain words of its contract. */
class Model {
  readonly expiries: number[] = [];
  signaled = false;
  deleted = false;
  private due: number | undefined;
  private periodNs = 0;

  constructor(private readonly highResolution: boolean) {}

  private expiresAt(due: number): number {
    return this.highResolution ? due : Math.ceil(due / TICK_NS) * TICK_NS;
  }

  /** Expires as often as it has to up to `now`. */
  advance(now: number): void {
    while (this.due !== undefined && this.expiresAt(this.due) <= now)
      this.expire(this.expiresAt(this.due));
  }

  private expire(at: number): void {
    const due = this.due;
    const periodNs = this.periodNs;
    this.expiries.push(at);
    this.signaled = true;
    this.due = undefined;
    if (periodNs === 0 || due === undefined) return;
    const earliest = this.highResolution ? at + LOWEST_NS : at + 1;
    this.due = due + Math.ceil((earliest - due) / periodNs) * periodNs;
  }

  set(now: number, due100ns: number, period100ns: number): boolean {
    if (this.deleted) return false;
    const was = this.due !== undefined;
    this.signaled = false;
    this.due = now + due100ns * 100;
    this.periodNs = period100ns * 100;
    if (due100ns === 0) this.expire(now);
    return was;
  }

  cancel(): boolean {
    if (this.deleted) return false;
    const was = this.due !== undefined;
    this.due = undefined;
    return was;
  }

  delete(cancel: boolean): boolean {
    if (this.deleted) return false;
    const cancelled = cancel && this.cancel();
    this.deleted = true;
    this.periodNs = 0;
    return cancelled;
  }
}

/** Does the operations, and throws at the first that is not as the model has it. */
async function holdToModel(plan: readonly Operation[]): Promise<void> {
  const machine = await Machine.create({ processors: 2 });
  const models = [new Model(false), new Model(true), new Model(true)];
  const calls: number[][] = [[], [], []];
  const attributes = [
    0,
    EX_TIMER_HIGH_RESOLUTION,
    EX_TIMER_HIGH_RESOLUTION + EX_TIMER_NOTIFICATION,
  ];
  machine.systemProcess.createThread(
    function* () {
      const timers = attributes.map((value, index) =>
        ExAllocateTimer(() => void calls[index]?.push(machine.now), null, value),
      ) as ExTimer[];
      const ends = timers.map(
        (_, index) => ({ kind: 'delete', timer: index, cancel: true }) as const,
      );
      for (const operation of [...plan, { kind: 'stall', us: 100_000 } as const, ...ends]) {
        if (operation.kind === 'stall') {
          yield* KeStallExecutionProcessor(operation.us);
          continue;
        }
        const now = machine.now;
        for (const model of models) model.advance(now);
        const model = models[operation.timer] as Model;
        const target = timers[operation.timer] as ExTimer;
        if (!model.deleted) expect(KeReadStateTimer(target)).toBe(model.signaled);
        if (operation.kind === 'set') {
          const { due, period } = operation;
          const was = model.set(now, due, period);
          expect(yield* ExSetTimer(target, -due, period, null)).toBe(was);
        } else if (operation.kind === 'cancel') {
          const was = model.cancel();
          expect(yield* ExCancelTimer(target, null)).toBe(was);
        } else {
          const was = model.delete(operation.cancel);
          expect(yield* ExDeleteTimer(target, operation.cancel, false, null)).toBe(was);
        }
      }
      yield* KeStallExecutionProcessor(100_000);
      for (const [index, model] of models.entries()) {
        model.advance(machine.now);
        const late = (calls[index] as number[]).map((at, call) => at - (model.expiries[call] ?? 0));
        expect(late.length).toBe(model.expiries.length);
        expect(late.filter((ns) => ns < 0 || ns > LATE_NS)).toEqual([]);
        expect(timers[index]?.exists).toBe(false);
      }
    },
    { affinity: 2n },
  );
  const result = machine.run({ maxEvents: 200_000 });
  if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
  expect(result.reason).toBe('idle');
}

test('EX_TIMERs of any attributes expire when the model has it, whatever is asked of them', async () => {
  await check(FILE, operations, 150, holdToModel);
});

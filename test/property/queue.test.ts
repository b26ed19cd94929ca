import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeInsertQueueApc } from '../../src/ke/apc';
import { KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeInsertHeadQueue, KeInsertQueue, KeRemoveQueue } from '../../src/ke/queue';
import type { Machine } from '../../src/machine/machine';
import type { KQueue } from '../../src/machine/queue';
import type { KEvent, KThread } from '../../src/machine/views';
import { PsTerminateSystemThread } from '../../src/ps/system-thread';
import { MS, quietMachine } from '../records';
import { check } from './check';
import { type Call, Crew, name, steps } from './crew';
import { type Deadline, Deadlines } from './deadlines';

/** Random calls on two queues, by threads that are active while they do not wait. */

const FILE = 'test/property/queue.test.ts';
const THREADS = 4;
const TICK_NS = 10 * MS;
const SPIN_US = 50;
const SLICE_NS = 150_000;

interface ModelQueue {
  readonly maximum: number;
  entries: number[];
  /** Threads that belong to it, and those of them that are active. */
  members: number[];
  active: number;
  /** Who waits for an entry; the last one gets it. */
  waiters: number[];
  runDown: boolean;
}

/** What the facts say of queues: entries for active threads up to a maximum, the last waiter first. */
class QueueModel {
  readonly results: unknown[] = [];
  readonly queues: readonly ModelQueue[] = [1, 2].map((maximum) => ({
    maximum,
    entries: [],
    members: [],
    active: 0,
    waiters: [],
    runDown: false,
  }));
  /** Who waits for the event, in order. */
  private blocked: number[] = [];
  private readonly due = new Map<number, Deadline>();

  constructor(private readonly deadlines: Deadlines) {}

  busy(thread: number): boolean {
    return this.results[thread] === undefined;
  }

  private queueOf(thread: number): ModelQueue | undefined {
    return this.queues.find(({ members }) => members.includes(thread));
  }

  /** A wait for an entry ends. */
  private give(queue: ModelQueue, thread: number, result: unknown): void {
    queue.waiters = queue.waiters.filter((other) => other !== thread);
    this.deadlines.cancel(this.due.get(thread));
    this.due.delete(thread);
    this.results[thread] = result;
    if (queue.members.includes(thread)) queue.active++;
  }

  /** One thread of the queue is active no more: another may be. */
  private retire(queue: ModelQueue | undefined): void {
    if (queue === undefined) return;
    queue.active--;
    const [first] = queue.entries;
    const last = queue.waiters.at(-1);
    if (first === undefined || last === undefined || queue.active >= queue.maximum) return;
    queue.entries.shift();
    this.give(queue, last, first);
  }

  private leave(thread: number): void {
    const queue = this.queueOf(thread);
    if (queue === undefined) return;
    queue.members = queue.members.filter((other) => other !== thread);
    this.retire(queue);
  }

  remove(now: number, thread: number, queue: ModelQueue, due: number | undefined): unknown {
    if (queue.runDown) return STATUS.ABANDONED;
    if (this.queueOf(thread) === queue) queue.active--;
    else {
      this.leave(thread);
      queue.members.push(thread);
    }
    const taken = queue.active < queue.maximum && queue.entries.length !== 0;
    if (taken || (due !== undefined && due <= now)) {
      queue.active++;
      return taken ? queue.entries.shift() : STATUS.TIMEOUT;
    }
    queue.waiters.push(thread);
    if (due === undefined) return undefined;
    const expire = () => this.give(queue, thread, STATUS.TIMEOUT);
    this.due.set(thread, this.deadlines.schedule({ at: due, absolute: false }, expire));
    return undefined;
  }

  insert(queue: ModelQueue, entry: number, atHead: boolean): number {
    const previous = queue.entries.length;
    const last = queue.waiters.at(-1);
    if (last !== undefined && queue.active < queue.maximum) this.give(queue, last, entry);
    else if (atHead) queue.entries.unshift(entry);
    else queue.entries.push(entry);
    return previous;
  }

  rundown(queue: ModelQueue): number[] {
    const left = queue.entries;
    Object.assign(queue, { entries: [], members: [], active: 0, runDown: true });
    for (const thread of queue.waiters) this.give(queue, thread, STATUS.ABANDONED);
    return left;
  }

  block(thread: number): undefined {
    this.blocked.push(thread);
    this.retire(this.queueOf(thread));
  }

  unblock(): void {
    const thread = this.blocked.shift();
    if (thread === undefined) return;
    this.results[thread] = STATUS.SUCCESS;
    const queue = this.queueOf(thread);
    if (queue !== undefined) queue.active++;
  }

  get hasBlocked(): boolean {
    return this.blocked.length !== 0;
  }

  /** A kernel-mode APC: a wait begins again, which makes its thread the one that came last, or its time has passed. */
  interrupt(now: number, thread: number): void {
    for (const queue of this.queues) {
      if (!queue.waiters.includes(thread)) continue;
      const due = this.due.get(thread)?.due ?? Number.POSITIVE_INFINITY;
      if (due <= now) {
        this.give(queue, thread, STATUS.TIMEOUT);
        continue;
      }
      queue.waiters = [...queue.waiters.filter((other) => other !== thread), thread];
      this.deadlines.setAgain(this.due.get(thread));
    }
    if (!this.blocked.includes(thread)) return;
    this.blocked = [...this.blocked.filter((other) => other !== thread), thread];
  }

  exit(thread: number): void {
    this.leave(thread);
    this.results[thread] = 'done';
  }
}

const thread = fc.nat(THREADS - 1);
const queue = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.constant(0));
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      thread,
      queue,
      due: fc.constantFrom(null, null, 0, 10, 20),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('insert' as const),
      thread,
      queue,
      atHead: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('block' as const, 'unblock' as const), thread }),
  },
  fc.record({ kind: fc.constant('interrupt' as const), thread, target: thread }),
  fc.record({ kind: fc.constant('exit' as const), thread }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(10, 20) }),
);
const plans = fc.record({
  steps: fc.array(step, { maxLength: 40, size: 'max' }),
  /** The step after which the second queue is run down, if there is one. */
  rundownAfter: fc.nat(60),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Run {
  private readonly deadlines = new Deadlines(TICK_NS);
  private readonly model = new QueueModel(this.deadlines);
  private readonly queues: readonly KQueue[];
  private readonly event: KEvent;
  private readonly crew: Crew;
  private entries = 0;

  private constructor(private readonly machine: Machine) {
    this.queues = this.model.queues.map(({ maximum }) => machine.createQueue(maximum));
    this.event = machine.createEvent('synchronization');
    this.crew = new Crew(machine, { count: THREADS, spinUs: SPIN_US, sliceNs: SLICE_NS });
    this.crew.settle(MS);
    this.model.results.push(...this.crew.results);
  }

  static async start(): Promise<Run> {
    const profile = { timerResolutionNs: TICK_NS };
    return new Run(await quietMachine({ processors: THREADS + 1, profile }));
  }

  private call(thread: number, call: Call, modelled: (now: number) => unknown): void {
    this.crew.call(thread, call);
    this.model.results[thread] = undefined;
    const result = modelled(this.crew.calledAt);
    this.model.results[thread] ??= result;
  }

  private remove({ thread, queue, due }: Extract<Step, { kind: 'remove' }>): void {
    const real = this.queues[queue] as KQueue;
    const call: Call = function* () {
      const timeout = due === null ? null : due * -10_000;
      const { status, entry } = yield* KeRemoveQueue(real, MODE.KernelMode, timeout);
      return status === STATUS.SUCCESS ? entry : status;
    };
    this.call(thread, call, (now) => {
      const limit = due === null ? undefined : now + due * MS;
      return this.model.remove(now, thread, this.model.queues[queue] as ModelQueue, limit);
    });
  }

  private insert({ thread, queue, atHead }: Extract<Step, { kind: 'insert' }>): void {
    const entry = 1000 + this.entries++;
    const real = this.queues[queue] as KQueue;
    const modelled = this.model.queues[queue] as ModelQueue;
    const routine = atHead ? KeInsertHeadQueue : KeInsertQueue;
    const call = steps(() => routine(real, entry));
    this.call(thread, call, () => this.model.insert(modelled, entry, atHead));
  }

  private block(thread: number): void {
    const { event } = this;
    const reason = KWAIT_REASON.UserRequest;
    const call = steps(() => KeWaitForSingleObject(event, reason, MODE.KernelMode, false, null));
    this.call(thread, call, () => this.model.block(thread));
  }

  private interrupt(thread: number, target: number): void {
    const named = this.crew.threads[target] as KThread;
    const apc = this.machine.createApc(named, { kernelRoutine: (own) => own.delete() });
    const call = steps(() => KeInsertQueueApc(apc, null, null, 0));
    this.call(thread, call, (now) => {
      this.model.interrupt(now, target);
      return true;
    });
  }

  make(step: Step): void {
    const { crew, model } = this;
    if (step.kind === 'advance') {
      crew.settle(step.ms * MS);
      this.deadlines.advance(this.machine.now);
    } else if (model.busy(step.thread)) return;
    else if (step.kind === 'remove') this.remove(step);
    else if (step.kind === 'insert') this.insert(step);
    else if (step.kind === 'block') this.block(step.thread);
    else if (step.kind === 'interrupt') this.interrupt(step.thread, step.target);
    else if (step.kind === 'exit') {
      crew.call(
        step.thread,
        steps(() => PsTerminateSystemThread(0)),
      );
      model.exit(step.thread);
      crew.hire(step.thread);
      crew.settle();
    } else if (model.hasBlocked) {
      this.call(
        step.thread,
        steps(() => KeSetEvent(this.event, 0, false)),
        () => {
          model.unblock();
          return 0;
        },
      );
    }
    this.compare();
  }

  rundown(): void {
    const left = (this.queues[1] as KQueue).rundown();
    expect(left).toEqual(this.model.rundown(this.model.queues[1] as ModelQueue));
    this.crew.settle();
    this.compare();
  }

  private compare(): void {
    const { crew, model, queues } = this;
    expect(crew.results).toEqual(model.results);
    const real = queues.map(({ signalState, currentCount, threads, runDown }) => ({
      entries: signalState,
      active: currentCount,
      members: name(threads),
      runDown,
    }));
    const modelled = model.queues.map(({ entries, active, members, runDown }) => ({
      entries: entries.length,
      active,
      members: members.map((member) => `t${member}`),
      runDown,
    }));
    expect(real).toEqual(modelled);
  }
}

test('queues give their entries to as many threads as may be active, and to the last that came', async () => {
  await check(FILE, plans, 200, async ({ steps: plan, rundownAfter }) => {
    const run = await Run.start();
    for (const [index, one] of plan.entries()) {
      run.make(one);
      if (index === rundownAfter) run.rundown();
    }
  });
});

import { KOBJECTS, KTHREAD_STATE } from '../../assembly/shared/types';
import { nodeProcessors, type Processor, type Snapshot, type Thread } from './snapshot';

/**
 * A plain model of the dispatcher: what must hold between any two steps, and whom it chooses.
 *
 * "No ready thread of higher priority than a running one that its affinity lets it replace" holds
 * for each processor's own queue only. The documented exception: a readied thread that finds no
 * idle processor looks at its home processor and no other, so it may wait there while another
 * processor runs a lower thread; only a processor that goes idle takes from the others' queues.
 */

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

/** The best priority in a processor's queues; -1 if they are empty. */
const highest = (processor: Processor) => processor.lists.findLastIndex((list) => list.length > 0);

const mayRun = (thread: Thread, on: Processor) => (thread.affinity & on.member) !== 0n;

/** Where every thread is: one line a place that holds it. */
function places(snapshot: Snapshot): Map<number, string[]> {
  const found = new Map<number, string[]>();
  const put = (thread: number, place: string) => {
    if (thread === 0) return;
    found.set(thread, [...(found.get(thread) ?? []), place]);
  };
  for (const processor of snapshot.processors) {
    // A thread that left in a step with more readied threads than it could place is still there.
    const state = snapshot.threads.get(processor.current)?.state;
    const left = state !== KTHREAD_STATE.Running && processor.deferred.length > 0;
    if (!left) put(processor.current, `current ${processor.number}`);
    put(processor.next, `next ${processor.number}`);
    processor.lists.forEach((list, priority) => {
      for (const thread of list) put(thread, `ready ${processor.number} ${priority}`);
    });
    for (const thread of processor.deferred) put(thread, 'deferred');
  }
  for (const object of snapshot.objects) {
    for (const thread of object.waiters) put(thread, 'waiting');
  }
  for (const thread of snapshot.swapList) put(thread, 'swapping');
  return found;
}

/** Where a thread must be by its state: nowhere else, and there once. */
function expectedPlace(thread: Thread): string[] {
  switch (thread.state) {
    case KTHREAD_STATE.Ready:
      return [`ready ${thread.next} ${thread.priority}`];
    case KTHREAD_STATE.Standby:
      return [`next ${thread.next}`];
    case KTHREAD_STATE.Running:
      return [`current ${thread.next}`];
    case KTHREAD_STATE.DeferredReady:
      return ['deferred'];
    case KTHREAD_STATE.Transition:
    case KTHREAD_STATE.WaitingForProcessInSwap:
      return ['swapping'];
    case KTHREAD_STATE.Waiting:
      return Array(thread.waitBlocks).fill('waiting');
    default:
      return [];
  }
}

function* checkPlaces(snapshot: Snapshot): Generator<string> {
  const found = places(snapshot);
  for (const thread of snapshot.threads.values()) {
    const is = (found.get(thread.index) ?? []).join(', ');
    const must = expectedPlace(thread).join(', ');
    if (is !== must)
      yield `thread ${thread.index} in state ${thread.state} is in [${is}], not in [${must}]`;
    const blocked = thread.state === KTHREAD_STATE.Waiting && !thread.isSystem;
    if (blocked && thread.waitBlocks === 0 && thread.due === undefined)
      yield `thread ${thread.index} waits for nothing`;
    if (thread.state !== KTHREAD_STATE.Waiting && thread.due !== undefined)
      yield `thread ${thread.index} does not wait, but its timer is set`;
  }
  for (const index of found.keys()) {
    if (!snapshot.threads.has(index)) yield `thread ${index} is in a list but in no table`;
  }
}

function* checkQueues(snapshot: Snapshot): Generator<string> {
  for (const {
    number,
    lists,
    summary,
    readyCount,
    movableCount,
    hasReady,
  } of snapshot.processors) {
    const bits = lists.reduce(
      (mask, list, level) => (list.length > 0 ? mask | (1 << level) : mask),
      0,
    );
    if (bits >>> 0 !== summary) yield `processor ${number}: the ready summary is not its lists`;
    if (hasReady !== (summary !== 0)) yield `processor ${number}: the group’s ready bit is wrong`;
    const queued = lists.flat().map((index) => snapshot.threads.get(index) as Thread);
    if (readyCount !== queued.length) yield `processor ${number}: the ready count is wrong`;
    const movable = queued.filter(({ affinity }) => (affinity & (affinity - 1n)) !== 0n);
    if (movableCount !== movable.length) yield `processor ${number}: the movable count is wrong`;
  }
  const total = sum(snapshot.processors.map((processor) => processor.readyCount));
  if (snapshot.readyQueued !== total) yield 'the machine’s ready count is wrong';
}

function* checkChoices(snapshot: Snapshot): Generator<string> {
  const { processors, threads } = snapshot;
  if (processors.some((processor) => processor.deferred.length > 0)) return;
  for (const processor of processors) {
    const { number, current, next, isIdle, ipiTime } = processor;
    const runner = threads.get(next === 0 ? current : next);
    if (runner !== undefined && highest(processor) > runner.priority)
      yield `processor ${number}: thread ${runner.index} has it, a higher one is in its queue`;
    if (isIdle && (current !== 0 || next !== 0)) yield `processor ${number} is not idle`;
    // One whose standby thread was taken away will find out by the interrupt that is under way.
    const rests = current === 0 && next === 0 && ipiTime === Number.POSITIVE_INFINITY;
    if (rests && !isIdle) yield `processor ${number} has no work and is not idle`;
    for (const index of [current, next]) {
      const thread = threads.get(index);
      if (thread === undefined || mayRun(thread, processor)) continue;
      if (processor.attention === 0)
        yield `thread ${index} has processor ${number} and may not run there`;
    }
  }
  for (const thread of threads.values()) {
    if (thread.state !== KTHREAD_STATE.Ready) continue;
    const home = processors[thread.next] as Processor;
    if (!mayRun(thread, home)) yield `thread ${thread.index} is queued where it may not run`;
    const idle = processors.find((p) => p.isIdle && p.group === home.group && mayRun(thread, p));
    if (idle !== undefined)
      yield `thread ${thread.index} is queued while processor ${idle.number} is idle`;
  }
}

function* checkPriorities(snapshot: Snapshot): Generator<string> {
  for (const thread of snapshot.threads.values()) {
    const { index, priority, base, processBase, foregroundBoost, unusualBoost } = thread;
    const [low, high] = processBase >= 16 ? [16, 31] : [1, 15];
    if (!thread.isSystem && (base < low || base > high))
      yield `thread ${index}: base ${base} is out of its range`;
    if (priority < 1 || priority > 31) yield `thread ${index}: priority ${priority}`;
    if (foregroundBoost + unusualBoost === 0) continue;
    if (priority > 15) yield `thread ${index}: a boost at the real-time priority ${priority}`;
    // A starved thread may have been set below its base; a foreground boost counts from the base.
    const least = foregroundBoost === 0 ? 1 : base + foregroundBoost;
    if (priority - unusualBoost < least)
      yield `thread ${index}: priority ${priority} of base ${base} with boosts ${foregroundBoost} and ${unusualBoost}`;
  }
}

function* checkObjects({ objects, threads }: Snapshot): Generator<string> {
  const unsignaled = objects.filter((object) => object.signal <= 0);
  for (const { name, type, signal, limit, waiters, owner } of objects) {
    const mutant = type === KOBJECTS.MutantObject;
    if (signal < 0 && !mutant) yield `${name}: SignalState ${signal}`;
    if (signal > limit) yield `${name}: SignalState ${signal} above ${limit}`;
    if (mutant && (owner === 0) !== (signal === 1))
      yield `${name}: SignalState ${signal}, owner ${owner}`;
    if (mutant && threads.get(owner)?.state === KTHREAD_STATE.Terminated)
      yield `${name}: its owner ${owner} has ended`;
    if (signal <= 0) continue;
    for (const waiter of waiters) {
      const lacks = unsignaled.some((object) => object.waiters.includes(waiter));
      if (!threads.get(waiter)?.waitsForAll || !lacks)
        yield `${name} is signaled and thread ${waiter} waits for it`;
    }
  }
}

function* checkTimes(snapshot: Snapshot, resolutionNs: number): Generator<string> {
  const { processors, threads, now } = snapshot;
  const earliest = processors.reduce((a, b) => (b.actTime < a.actTime ? b : a));
  if (snapshot.first !== earliest.number)
    yield `processor ${snapshot.first} acts next, but ${earliest.number} is earlier`;
  for (const p of processors) {
    const spent = p.idleNs + p.busyNs + p.interruptNs + p.overheadNs;
    if (spent !== p.chargeTime)
      yield `processor ${p.number}: idle, busy, interrupts and overhead are ${spent} of ${p.chargeTime} ns`;
    const due = Math.min(p.resumeTime, p.ipiTime, p.tickTime, p.deviceTime);
    if (p.actTime > due) yield `processor ${p.number} acts at ${p.actTime}, but is due at ${due}`;
    if (p.current !== 0 && p.resumeTime < p.chargeTime)
      yield `processor ${p.number} resumes at ${p.resumeTime}, before ${p.chargeTime}`;
    // Work of its own waits for the step that is due now; another processor's, for an interrupt.
    const told = p.actTime <= now || p.ipiTime !== Number.POSITIVE_INFINITY;
    if (p.deferred.length > 0 && p.actTime > now)
      yield `processor ${p.number} has threads to place and acts at ${p.actTime}`;
    if (p.next !== 0 && !told) yield `processor ${p.number} is not told of its standby thread`;
    const guest = threads.get(p.current);
    if (guest !== undefined && !mayRun(guest, p) && !told)
      yield `processor ${p.number} is not told that thread ${guest.index} must leave it`;
    if (p.current !== 0 && p.tickTime === Number.POSITIVE_INFINITY)
      yield `processor ${p.number} runs without a clock`;
  }
  const timers = [...threads.values()].filter((thread) => thread.due !== undefined);
  if (timers.length !== snapshot.timerCount) yield 'the number of timers is wrong';
  for (const { index, due } of timers) {
    if (due !== undefined && due + resolutionNs < now)
      yield `thread ${index}: its timer was due at ${due}`;
  }
}

/** Whatever is wrong between two steps, in words. */
export function violations(snapshot: Snapshot, resolutionNs: number): string[] {
  return [
    ...checkPlaces(snapshot),
    ...checkQueues(snapshot),
    ...checkChoices(snapshot),
    ...checkPriorities(snapshot),
    ...checkObjects(snapshot),
    ...checkTimes(snapshot, resolutionNs),
  ];
}

/** Where the dispatcher puts a readied thread that `by` has readied; `leaving`: by’s own thread goes. */
export function place(
  snapshot: Snapshot,
  thread: Thread,
  by: Processor,
  leaving: boolean,
): { readonly processor: number; readonly state: KTHREAD_STATE } {
  const { processors, threads } = snapshot;
  const ideal = processors[thread.ideal] as Processor;
  const allowed = processors.filter((p) => p.group === ideal.group && mayRun(thread, p));
  const idle = allowed.filter((p) => p.isIdle);
  const chosen =
    idle.find((p) => p.number === thread.ideal) ??
    idle.find((p) => p.number === thread.last) ??
    idle.find((p) => p.number === by.number) ??
    idle.find((p) => p.node === ideal.node) ??
    idle[0];
  if (chosen !== undefined) return { processor: chosen.number, state: KTHREAD_STATE.Standby };

  const home =
    allowed.find((p) => p.number === thread.ideal) ??
    allowed.find((p) => p.number === thread.last) ??
    (allowed[0] as Processor);
  const rival = threads.get(home.next === 0 ? home.current : home.next);
  const free = leaving && home.number === by.number && home.next === 0;
  const wins = !free && (rival === undefined || thread.priority > rival.priority);
  return { processor: home.number, state: wins ? KTHREAD_STATE.Standby : KTHREAD_STATE.Ready };
}

/** Whom a processor switches to whose thread has left it or gives way; 0: it goes idle. */
export function selectNext(snapshot: Snapshot, processor: Processor): number {
  if (processor.next !== 0) return processor.next;
  const own = processor.lists[highest(processor)]?.[0];
  if (own !== undefined) return own;
  for (const node of snapshot.nodeOrder[processor.node] as readonly number[]) {
    const candidates = nodeProcessors(snapshot, node)
      .filter((other) => other.group === processor.group)
      .flatMap((other) => other.lists.flat())
      .map((index) => snapshot.threads.get(index) as Thread)
      .filter((thread) => mayRun(thread, processor));
    const best = Math.max(...candidates.map((thread) => thread.priority));
    const found = candidates.find((thread) => thread.priority === best);
    if (found !== undefined) return found.index;
  }
  return 0;
}

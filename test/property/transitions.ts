import { KTHREAD_STATE } from '../../assembly/shared/types';
import type { RecordOf } from '../records';
import type { TraceRecord } from '../../src/machine/records';
import { place, selectNext } from './model';
import type { Processor, Snapshot, Thread } from './snapshot';

/** What one step may do: from `before` to `after`, with the records that it left. */
export interface Step {
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly records: readonly TraceRecord[];
  /** Ns of a quantum unit, and of what a wait is charged. */
  readonly unitNs: (units: number) => number;
  readonly waitChargeNs: number;
}

function only<T extends TraceRecord['type']>({ records }: Step, type: T): RecordOf<T>[] {
  return records.filter((record): record is RecordOf<T> => record.type === type);
}

function* checkTime({ before, after, records }: Step): Generator<string> {
  const actTime = (before.processors[before.first] as Processor).actTime;
  if (after.now !== actTime) yield `the step was at ${after.now}, not at ${actTime}`;
  const late = records.find((record) => record.timeNs !== after.now);
  if (late !== undefined) yield `a record of ${late.timeNs} in the step at ${after.now}`;
}

/** A quantum changes by a fresh start at some point of the step, or by the charge of a wait. */
function* checkQuantum({ before, after, unitNs, waitChargeNs }: Step): Generator<string> {
  for (const now of after.threads.values()) {
    const then = before.threads.get(now.index);
    if (then === undefined || then.runTimeNs > now.runTimeNs) continue;
    const target = now.quantumTargetNs;
    if (target === then.quantumTargetNs || target === then.quantumTargetNs - waitChargeNs) continue;
    const start = target - unitNs(now.quantumUnits);
    if (start < then.runTimeNs || start > now.runTimeNs)
      yield `thread ${now.index}: its quantum went from ${then.quantumTargetNs} to ${target}`;
  }
}

/** The thread that the step's only context switch chose. */
function* checkSwitch(step: Step): Generator<string> {
  const [change, second] = only(step, 'contextSwitch');
  if (change === undefined || second !== undefined || change.oldThread === 0) return;
  // Threads that the step readied or moved may have come before the choice.
  const others = step.records.some(
    (record) =>
      (record.type === 'ready' || record.type === 'priority' || record.type === 'affinity') &&
      record.thread !== change.oldThread,
  );
  if (others || step.before.processors.some((p) => p.deferred.length > 0)) return;
  const processor = step.before.processors[change.processor] as Processor;
  const expected = selectNext(step.before, processor);
  if (change.newThread !== expected)
    yield `processor ${processor.number} took thread ${change.newThread}, not ${expected}`;
}

/** The tables as they were when the step placed the thread that it readied. */
function atPlacement(step: Step, ready: RecordOf<'ready'>): Snapshot {
  const { before } = step;
  const [change] = only(step, 'contextSwitch');
  const preempted = change !== undefined && change.oldThread === ready.thread;
  const processors = before.processors.map((processor) => {
    if (!preempted || processor.number !== change.processor) return processor;
    return { ...processor, current: change.newThread, next: 0, isIdle: change.newThread === 0 };
  });
  const threads = new Map(before.threads);
  for (const thread of step.after.threads.values()) {
    if (thread.index === ready.thread || !threads.has(thread.index))
      threads.set(thread.index, thread);
  }
  const moved = threads.get(ready.thread) as Thread;
  threads.set(ready.thread, { ...moved, priority: ready.priority });
  return { ...before, processors, threads };
}

/** Where the step's only readied thread went. */
function* checkPlacement(step: Step): Generator<string> {
  const [ready, second] = only(step, 'ready');
  if (ready === undefined || second !== undefined) return;
  const before = step.before.threads.get(ready.thread);
  const after = step.after.threads.get(ready.thread);
  if (before === undefined || after === undefined) return;
  const changed = step.records.some(
    (record) => record.type === 'priority' && record.thread !== ready.thread,
  );
  if (changed || step.before.processors.some((p) => p.deferred.length > 0)) return;
  const [change] = only(step, 'contextSwitch');
  // Whoever was placed and switched in within the step ran on nobody's last processor but its own.
  const thread = { ...after, last: before.last, priority: ready.priority };
  const leaving =
    change !== undefined &&
    (change.oldState === KTHREAD_STATE.Waiting || change.oldState === KTHREAD_STATE.Terminated);
  const tables = atPlacement(step, ready);
  const by = tables.processors[ready.processor] as Processor;
  const expected = place(tables, thread, by, leaving);
  if (ready.target !== expected.processor || ready.state !== expected.state)
    yield `thread ${ready.thread} was put on ${ready.target} in state ${ready.state}, not on ${expected.processor} in ${expected.state}`;
  if (after.state !== KTHREAD_STATE.Ready) return;
  const list = step.after.processors[ready.target]?.lists[ready.priority] ?? [];
  const preempted =
    change?.oldThread === ready.thread &&
    change.oldWaitReason === 32 &&
    change.remainingQuantumNs > 0;
  if (list.at(preempted ? 0 : -1) !== ready.thread)
    yield `thread ${ready.thread} is not at the ${preempted ? 'head' : 'tail'} of its list`;
}

/** Whatever a step did that the dispatcher does not do, in words. */
export function stepViolations(step: Step): string[] {
  return [...checkTime(step), ...checkQuantum(step), ...checkSwitch(step), ...checkPlacement(step)];
}

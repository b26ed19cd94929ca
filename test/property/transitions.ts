import { KTHREAD_STATE, KWAIT_REASON } from '../../assembly/shared/types';
import type { TraceRecord } from '../../src/machine/records';
import type { RecordOf } from '../records';
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
  /** Ns of a context switch. */
  readonly switchNs: number;
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

/** Interrupts, DPCs and switches take the time that they cost, of the processor that has them. */
function* checkCosts(step: Step): Generator<string> {
  for (const then of step.before.processors) {
    const now = step.after.processors[then.number] as Processor;
    const here = step.records.filter((record) => record.processor === then.number);
    const costs = here.map((r) => (r.type === 'interrupt' || r.type === 'dpc' ? r.costNs : 0));
    const interruptNs = costs.reduce((sum, cost) => sum + cost, 0);
    if (now.interruptNs - then.interruptNs !== interruptNs)
      yield `processor ${then.number}: ${now.interruptNs - then.interruptNs} ns for interrupts of ${interruptNs}`;
    const switches = here.filter((r) => r.type === 'contextSwitch' && r.newThread !== 0).length;
    if (now.overheadNs - then.overheadNs !== switches * step.switchNs)
      yield `processor ${then.number}: ${now.overheadNs - then.overheadNs} ns for ${switches} switches`;
  }
}

/** A quantum changes by a fresh start at some point of the step, or by the charge of a wait. */
function* checkQuantum(step: Step): Generator<string> {
  const { before, after, unitNs, waitChargeNs } = step;
  for (const now of after.threads.values()) {
    const then = before.threads.get(now.index);
    if (then === undefined || then.runTimeNs > now.runTimeNs) continue;
    const target = now.quantumTargetNs;
    if (target === then.quantumTargetNs || target === then.quantumTargetNs - waitChargeNs) continue;
    const start = target - unitNs(now.quantumUnits);
    if (start < then.runTimeNs || start > now.runTimeNs)
      yield `thread ${now.index}: its quantum went from ${then.quantumTargetNs} to ${target}`;
  }
  for (const { oldThread, oldState } of only(step, 'contextSwitch')) {
    const thread = after.threads.get(oldThread);
    if (oldState !== KTHREAD_STATE.Ready || thread === undefined) continue;
    if (thread.quantumTargetNs <= thread.runTimeNs)
      yield `thread ${oldThread} was preempted and has no quantum left`;
  }
}

/** Only a higher thread preempts, unless the preempted one may run there no more. */
function* checkPreemption(step: Step): Generator<string> {
  for (const change of only(step, 'contextSwitch')) {
    const { oldThread, oldState, oldWaitReason, oldPriority, newThread, newPriority } = change;
    if (oldState !== KTHREAD_STATE.Ready || oldWaitReason !== KWAIT_REASON.WrPreempted) continue;
    const here = (step.after.processors[change.processor] as Processor).member;
    const moved = ((step.after.threads.get(oldThread)?.affinity ?? 0n) & here) === 0n;
    if (!moved && newPriority <= oldPriority)
      yield `thread ${newThread} at ${newPriority} preempted thread ${oldThread} at ${oldPriority}`;
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

/** The tables as they were when the step placed its first readied thread. */
function atPlacement({ before, after }: Step, ready: RecordOf<'ready'>, change: Change): Snapshot {
  const processors = before.processors.map((processor) => {
    // A standby thread that is readied again has lost its place before it is looked for another.
    if (processor.next === ready.thread) return { ...processor, next: 0 };
    if (processor.number !== change?.processor) return processor;
    return { ...processor, current: change.newThread, next: 0, isIdle: change.newThread === 0 };
  });
  const threads = new Map([...after.threads, ...before.threads]);
  const now = after.threads.get(ready.thread) as Thread;
  const { last } = before.threads.get(ready.thread) as Thread;
  threads.set(ready.thread, { ...now, last, priority: ready.priority });
  return { ...before, processors, threads };
}

type Change = RecordOf<'contextSwitch'> | undefined;

/** Where the step's first readied thread went, and where in the list if it is the only one. */
function* checkPlacement(step: Step): Generator<string> {
  const [ready, second] = only(step, 'ready');
  if (ready === undefined || !step.before.threads.has(ready.thread)) return;
  if (step.before.processors.some((processor) => processor.deferred.length > 0)) return;
  const earlier = step.records.slice(0, step.records.indexOf(ready));
  const moved = earlier.some((r) => r.type === 'priority' && r.thread !== ready.thread);
  const switched = earlier.filter((record) => record.type === 'contextSwitch');
  const after = step.after.threads.get(ready.thread);
  if (moved || switched.length > 1 || after === undefined) return;
  // A thread that was switched from is readied after that; one that leaves, before it.
  const change = switched[0];
  if (change !== undefined && change.oldThread !== ready.thread) return;
  const leaving = only(step, 'contextSwitch').some(
    ({ oldState }) => oldState === KTHREAD_STATE.Waiting || oldState === KTHREAD_STATE.Terminated,
  );
  const tables = atPlacement(step, ready, change);
  const by = tables.processors[ready.processor] as Processor;
  const expected = place(tables, tables.threads.get(ready.thread) as Thread, by, leaving);
  if (ready.target !== expected.processor || ready.state !== expected.state)
    yield `thread ${ready.thread} was put on ${ready.target} in state ${ready.state}, not on ${expected.processor} in ${expected.state}`;
  if (second !== undefined || after.state !== KTHREAD_STATE.Ready) return;
  const list = step.after.processors[ready.target]?.lists[ready.priority] ?? [];
  const then = step.before.threads.get(ready.thread) as Thread;
  const first =
    change === undefined
      ? then.state === KTHREAD_STATE.Standby && then.runTimeNs < then.quantumTargetNs
      : change.oldWaitReason === KWAIT_REASON.WrPreempted && change.remainingQuantumNs > 0;
  if (list.at(first ? 0 : -1) !== ready.thread)
    yield `thread ${ready.thread} is not at the ${first ? 'head' : 'tail'} of its list`;
}

/** Whatever a step did that the dispatcher does not do, in words. */
export function stepViolations(step: Step): string[] {
  return [
    ...checkTime(step),
    ...checkCosts(step),
    ...checkQuantum(step),
    ...checkPreemption(step),
    ...checkSwitch(step),
    ...checkPlacement(step),
  ];
}

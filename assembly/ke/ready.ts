import { DBG, decide, KeGetPrcb, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import { RtlInsertHeadList, RtlInsertTailList, RtlRemoveEntryList } from '../rtl';
import { KGROUP, KNODE, KPRCB, KSYSTEM, KTHREAD, LIST_ENTRY } from '../shared/layout';
import { DECISION, KTHREAD_STATE, THREAD_FLAG } from '../shared/types';
import { KiArmBalanceSetManager } from './balance';

/**
 * The ready queues: 32 lists a processor with a summary bit each, and where a ready thread goes.
 *
 * Invariants: a summary bit is set exactly over a non-empty list; a group's bit in
 * ReadyProcessors64 exactly over a non-zero summary; a thread in a list is Ready.
 */

export function KiGroupOf(prcb: PKPRCB): usize {
  return <usize>load<u32>(SYSTEM, KSYSTEM.GroupBase) + load<u32>(prcb, KPRCB.Group) * KGROUP.Size;
}

function KiIsMovable(thread: PKTHREAD): bool {
  const affinity = load<u64>(thread, KTHREAD.Affinity64);
  return (affinity & (affinity - 1)) != 0;
}

/** Queues `thread` on `prcb`: at the head if it was preempted with quantum left, else at the tail. */
export function KiQueueReadyThread(prcb: PKPRCB, thread: PKTHREAD, head: bool): void {
  const priority = load<u32>(thread, KTHREAD.Priority);
  const listHead = prcb + KPRCB.DispatcherReadyListHead + priority * LIST_ENTRY.Size;
  const entry = thread + KTHREAD.WaitListEntry;
  if (head) RtlInsertHeadList(listHead, entry);
  else RtlInsertTailList(listHead, entry);
  store<u32>(thread, KTHREAD_STATE.Ready, KTHREAD.State);
  store<u32>(thread, load<u32>(prcb, KPRCB.Number), KTHREAD.NextProcessor);
  store<u64>(thread, load<u64>(SYSTEM, KSYSTEM.Time64), KTHREAD.StateTime64);

  const summary = load<u32>(prcb, KPRCB.ReadySummary);
  if (summary == 0) {
    const group = KiGroupOf(prcb);
    const ready = load<u64>(group, KGROUP.ReadyProcessors64);
    store<u64>(group, ready | load<u64>(prcb, KPRCB.SetMember64), KGROUP.ReadyProcessors64);
  }
  store<u32>(prcb, summary | (1 << priority), KPRCB.ReadySummary);
  store<u32>(prcb, load<u32>(prcb, KPRCB.ReadyCount) + 1, KPRCB.ReadyCount);
  if (KiIsMovable(thread))
    store<u32>(prcb, load<u32>(prcb, KPRCB.MovableCount) + 1, KPRCB.MovableCount);

  const queued = load<u32>(SYSTEM, KSYSTEM.ReadyQueued);
  store<u32>(SYSTEM, queued + 1, KSYSTEM.ReadyQueued);
  if (queued == 0) KiArmBalanceSetManager();
}

/** Takes a ready thread out of the queue of the processor it is on. */
export function KiRemoveReadyThread(prcb: PKPRCB, thread: PKTHREAD): void {
  if (DBG) assert(load<u32>(thread, KTHREAD.State) == KTHREAD_STATE.Ready);
  if (KiIsMovable(thread))
    store<u32>(prcb, load<u32>(prcb, KPRCB.MovableCount) - 1, KPRCB.MovableCount);
  store<u32>(prcb, load<u32>(prcb, KPRCB.ReadyCount) - 1, KPRCB.ReadyCount);
  store<u32>(SYSTEM, load<u32>(SYSTEM, KSYSTEM.ReadyQueued) - 1, KSYSTEM.ReadyQueued);
  if (!RtlRemoveEntryList(thread + KTHREAD.WaitListEntry)) return;

  // A set bit over an empty list would make the next caller unlink the list head itself.
  const summary = load<u32>(prcb, KPRCB.ReadySummary) ^ (1 << load<u32>(thread, KTHREAD.Priority));
  store<u32>(prcb, summary, KPRCB.ReadySummary);
  if (summary != 0) return;
  const group = KiGroupOf(prcb);
  const ready = load<u64>(group, KGROUP.ReadyProcessors64);
  store<u64>(group, ready & ~load<u64>(prcb, KPRCB.SetMember64), KGROUP.ReadyProcessors64);
}

/**
 * Takes the highest ready thread whose priority is at least `lowPriority`; 0 if there is none.
 * FIFO within a priority; one clz and one unlink, whatever the load.
 *
 * @irql DISPATCH_LEVEL   @nt KiSelectReadyThread
 */
export function KiSelectReadyThread(lowPriority: u32, prcb: PKPRCB): PKTHREAD {
  if (lowPriority > 31) return 0;
  const eligible = (load<u32>(prcb, KPRCB.ReadySummary) >> lowPriority) << lowPriority;
  if (eligible == 0) return 0;
  const priority = 31 - clz(eligible);
  const listHead = prcb + KPRCB.DispatcherReadyListHead + priority * LIST_ENTRY.Size;
  const thread: PKTHREAD = load<u32>(listHead, LIST_ENTRY.Flink) - KTHREAD.WaitListEntry;
  KiRemoveReadyThread(prcb, thread);
  return thread;
}

function KiPickProcessor(mask: u64, group: usize): PKPRCB {
  let choice = decide(DECISION.IdleProcessor, <u32>popcnt(mask));
  while (choice != 0) {
    mask &= mask - 1;
    choice--;
  }
  return KeGetPrcb(load<u32>(group, KGROUP.FirstProcessor) + <u32>ctz(mask));
}

/**
 * The idle processor that a readied thread goes to: ideal, last, current, same node, any; 0 if none
 * of its affinity is idle. Order: Windows Internals 7, part 1, chapter 4, "Idle scheduling".
 */
export function KiSelectIdleProcessor(thread: PKTHREAD, current: PKPRCB): PKPRCB {
  const ideal = KeGetPrcb(load<u32>(thread, KTHREAD.IdealProcessor));
  const group = KiGroupOf(ideal);
  const idle = load<u64>(group, KGROUP.IdleProcessors64) & load<u64>(thread, KTHREAD.Affinity64);
  if (idle == 0) return 0;
  if ((idle & load<u64>(ideal, KPRCB.SetMember64)) != 0) return ideal;

  const last = KeGetPrcb(load<u32>(thread, KTHREAD.LastProcessor));
  const sameGroup = load<u32>(ideal, KPRCB.Group);
  if (load<u32>(last, KPRCB.Group) == sameGroup && (idle & load<u64>(last, KPRCB.SetMember64)) != 0)
    return last;
  if (
    load<u32>(current, KPRCB.Group) == sameGroup &&
    (idle & load<u64>(current, KPRCB.SetMember64)) != 0
  ) {
    return current;
  }
  const node = KiNodeOf(ideal);
  const near = idle & load<u64>(node, KNODE.Affinity64);
  return KiPickProcessor(near != 0 ? near : idle, group);
}

export function KiNodeOf(prcb: PKPRCB): usize {
  return <usize>load<u32>(SYSTEM, KSYSTEM.NodeBase) + load<u32>(prcb, KPRCB.Node) * KNODE.Size;
}

/** The processor whose queue a thread joins: ideal if allowed, else last, else the first allowed. */
export function KiHomeProcessor(thread: PKTHREAD): PKPRCB {
  const affinity = load<u64>(thread, KTHREAD.Affinity64);
  const ideal = KeGetPrcb(load<u32>(thread, KTHREAD.IdealProcessor));
  if ((affinity & load<u64>(ideal, KPRCB.SetMember64)) != 0) return ideal;
  const last = KeGetPrcb(load<u32>(thread, KTHREAD.LastProcessor));
  if (load<u32>(last, KPRCB.Group) == load<u32>(ideal, KPRCB.Group)) {
    if ((affinity & load<u64>(last, KPRCB.SetMember64)) != 0) return last;
  }
  return KeGetPrcb(load<u32>(KiGroupOf(ideal), KGROUP.FirstProcessor) + <u32>ctz(affinity));
}

/** The best thread in a processor's queues that may run under `member` and beats `above`; not unlinked. */
function KiFindMovableThread(prcb: PKPRCB, member: u64, above: i32): PKTHREAD {
  let summary = load<u32>(prcb, KPRCB.ReadySummary);
  while (summary != 0) {
    const priority = 31 - clz(summary);
    if (<i32>priority <= above) return 0;
    const listHead = prcb + KPRCB.DispatcherReadyListHead + priority * LIST_ENTRY.Size;
    let entry: usize = load<u32>(listHead, LIST_ENTRY.Flink);
    while (entry != listHead) {
      const thread: PKTHREAD = entry - KTHREAD.WaitListEntry;
      if ((load<u64>(thread, KTHREAD.Affinity64) & member) != 0) return thread;
      entry = load<u32>(entry, LIST_ENTRY.Flink);
    }
    summary ^= 1 << priority;
  }
  return 0;
}

/**
 * Finds work for a processor that goes idle: its own queues, then the other processors of its node,
 * then of nodes in order of distance; of a node's threads the highest that may run here.
 *
 * @irql DISPATCH_LEVEL   @nt KiSearchForNewThread
 */
export function KiSearchForNewThread(prcb: PKPRCB): PKTHREAD {
  const own = KiSelectReadyThread(0, prcb);
  if (own != 0) return own;
  const group = KiGroupOf(prcb);
  const ready = load<u64>(group, KGROUP.ReadyProcessors64);
  if (ready == 0) return 0;

  const member = load<u64>(prcb, KPRCB.SetMember64);
  const nodeCount = load<u32>(SYSTEM, KSYSTEM.NodeCount);
  const order =
    <usize>load<u32>(SYSTEM, KSYSTEM.NodeOrderBase) + load<u32>(prcb, KPRCB.Node) * nodeCount * 4;
  for (let distance: u32 = 0; distance < nodeCount; distance++) {
    const node =
      <usize>load<u32>(SYSTEM, KSYSTEM.NodeBase) + load<u32>(order + (distance << 2)) * KNODE.Size;
    if (load<u32>(node, KNODE.Group) != load<u32>(prcb, KPRCB.Group)) continue;
    let busy = ready & load<u64>(node, KNODE.Affinity64);
    let best: PKTHREAD = 0;
    let bestPrcb: PKPRCB = 0;
    while (busy != 0) {
      const other = KeGetPrcb(load<u32>(group, KGROUP.FirstProcessor) + <u32>ctz(busy));
      busy &= busy - 1;
      if (load<u32>(other, KPRCB.MovableCount) == 0) continue;
      const above = best == 0 ? -1 : <i32>load<u32>(best, KTHREAD.Priority);
      const found = KiFindMovableThread(other, member, above);
      if (found == 0) continue;
      best = found;
      bestPrcb = other;
    }
    if (best != 0) {
      KiRemoveReadyThread(bestPrcb, best);
      return best;
    }
  }
  return 0;
}

/** Takes the preempted mark off a thread; true if it goes to the head of its queue. */
export function KiTakePreempted(thread: PKTHREAD): bool {
  const flags = load<u32>(thread, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.Preempted) == 0) return false;
  store<u32>(thread, flags & ~THREAD_FLAG.Preempted, KTHREAD.Flags);
  return load<u64>(thread, KTHREAD.CycleTime64) < load<u64>(thread, KTHREAD.QuantumTarget64);
}

import {
  DBG,
  HalNotify,
  HalPublish,
  HalSetInterruptTime,
  HalSetProcessorTime,
  KeGetPrcb,
  NEVER,
  PKPRCB,
  PKTHREAD,
  SYSTEM,
} from '../hal';
import { EVENT, PRIORITY_CHANGE } from '../shared/event';
import { ATTENTION, KDPC_DATA, KGROUP, KPRCB, KSYSTEM, KTHREAD } from '../shared/layout';
import { ADJUST, IRQL, KTHREAD_STATE, KWAIT_REASON, THREAD_FLAG } from '../shared/types';
import { KiCheckApcs, KiDeliverApc } from './apc';
import { KiIsSwappedOut, KiQueueForInSwap } from './balance';
import { KiIdleTickTime, KiNextTick } from './clock';
import { KiRetireDpc } from './dpc';
import { KiThreadIndex } from './object';
import {
  KiAdjustUnwaitedThread,
  KiComputeNewPriority,
  KiPriorityDecrement,
  KiResetQuantum,
} from './priority';
import { KiFetch } from './program';
import { KiQueueThreadBlocks } from './queue';
import {
  KiGroupOf,
  KiHomeProcessor,
  KiQueueReadyThread,
  KiRemoveReadyThread,
  KiSearchForNewThread,
  KiSelectIdleProcessor,
  KiSelectReadyThread,
  KiTakePreempted,
} from './ready';
import { KiReleaseTerminatedThread, KiTotalThread } from './thread';
import { KiTrace } from './trace';

/**
 * The dispatcher: who runs on a processor after each step. `ready.ts` has the queues.
 *
 * A step makes threads ready by putting them on its processor's deferred-ready list. The step's end
 * (KiExitDispatcher) places each of them, then switches if another thread should run.
 *
 * Time: ChargeTime64 is up to when the processor's time has been given to its thread, to idle, to
 * interrupts or to overhead; those four add up to it. ResumeTime64 is when the thread's computing
 * ends. Work that is not the thread's pushes both.
 */

/** Threads placed in one step; the rest go on at the same time, so that the trace ring can be drained. */
const DEFERRED_BATCH: u32 = 32;

/** Gives the time since the last charge to the thread that ran, or to idle. */
export function KiCharge(prcb: PKPRCB, now: u64): void {
  const charged = load<u64>(prcb, KPRCB.ChargeTime64);
  if (now <= charged) return;
  const elapsed = now - charged;
  store<u64>(prcb, now, KPRCB.ChargeTime64);
  if (load<u32>(prcb, KPRCB.Activation) != 0) {
    store<u64>(prcb, load<u64>(prcb, KPRCB.InterruptTime64) + elapsed, KPRCB.InterruptTime64);
    return;
  }
  const thread: PKTHREAD = load<u32>(prcb, KPRCB.CurrentThread);
  if (thread == 0) {
    store<u64>(prcb, load<u64>(prcb, KPRCB.IdleTime64) + elapsed, KPRCB.IdleTime64);
    return;
  }
  store<u64>(prcb, load<u64>(prcb, KPRCB.BusyTime64) + elapsed, KPRCB.BusyTime64);
  store<u64>(thread, load<u64>(thread, KTHREAD.CycleTime64) + elapsed, KTHREAD.CycleTime64);
}

/** Spends `cost` on something that is not the current thread's; `counter` is the KPRCB field that gets it. */
export function KiTakeTime(prcb: PKPRCB, cost: u64, counter: usize): void {
  store<u64>(prcb, load<u64>(prcb, KPRCB.ChargeTime64) + cost, KPRCB.ChargeTime64);
  store<u64>(prcb + counter, load<u64>(prcb + counter) + cost);
  const resume = load<u64>(prcb, KPRCB.ResumeTime64);
  if (resume != NEVER) store<u64>(prcb, resume + cost, KPRCB.ResumeTime64);
}

/** Makes `thread` ready: it is placed when this step ends. */
export function KiReadyThread(prcb: PKPRCB, thread: PKTHREAD): void {
  store<u32>(thread, KTHREAD_STATE.DeferredReady, KTHREAD.State);
  store<u32>(thread, 0, KTHREAD.WaitListEntry);
  if (load<u32>(prcb, KPRCB.DeferredReadyHead) == 0) {
    store<u32>(prcb, <u32>thread, KPRCB.DeferredReadyHead);
  } else {
    store<u32>(<usize>load<u32>(prcb, KPRCB.DeferredReadyTail), <u32>thread, KTHREAD.WaitListEntry);
  }
  store<u32>(prcb, <u32>thread, KPRCB.DeferredReadyTail);
}

/** Puts `thread` on standby for `target` and tells that processor, unless it is the one at work. */
export function KiRequestDispatch(prcb: PKPRCB, target: PKPRCB, thread: PKTHREAD): void {
  if (DBG) assert(load<u32>(target, KPRCB.NextThread) == 0);
  store<u32>(thread, KTHREAD_STATE.Standby, KTHREAD.State);
  store<u32>(thread, load<u32>(target, KPRCB.Number), KTHREAD.NextProcessor);
  store<u64>(thread, load<u64>(SYSTEM, KSYSTEM.Time64), KTHREAD.StateTime64);
  store<u32>(target, <u32>thread, KPRCB.NextThread);
  if (load<u32>(target, KPRCB.CurrentThread) == 0) KiClearIdle(target);
  KiSendIpi(prcb, target);
}

/** Interrupts `target` after the latency, so that it looks at its NextThread and attention bits. */
export function KiSendIpi(prcb: PKPRCB, target: PKPRCB): void {
  if (prcb == target) return;
  const arrival = load<u64>(SYSTEM, KSYSTEM.Time64) + load<u32>(SYSTEM, KSYSTEM.IpiLatency);
  if (arrival >= load<u64>(target, KPRCB.IpiTime64)) return;
  HalSetInterruptTime(target, KPRCB.IpiTime64, arrival);
  HalNotify(target, arrival);
}

function KiClearIdle(prcb: PKPRCB): void {
  const group = KiGroupOf(prcb);
  const idle = load<u64>(group, KGROUP.IdleProcessors64);
  store<u64>(group, idle & ~load<u64>(prcb, KPRCB.SetMember64), KGROUP.IdleProcessors64);
}

function KiSetIdle(prcb: PKPRCB): void {
  const group = KiGroupOf(prcb);
  const idle = load<u64>(group, KGROUP.IdleProcessors64);
  store<u64>(group, idle | load<u64>(prcb, KPRCB.SetMember64), KGROUP.IdleProcessors64);
}

/** Takes a processor's standby thread away again; the caller readies it or has another for it. */
export function KiDisplaceStandby(prcb: PKPRCB): PKTHREAD {
  const thread: PKTHREAD = load<u32>(prcb, KPRCB.NextThread);
  store<u32>(prcb, 0, KPRCB.NextThread);
  return thread;
}

function KiTraceReady(
  prcb: PKPRCB,
  thread: PKTHREAD,
  waker: PKTHREAD,
  adjust: u32,
  waited: u64,
): void {
  const state = load<u32>(thread, KTHREAD.State);
  KiTrace(
    EVENT.Ready,
    load<u32>(prcb, KPRCB.Number),
    0,
    KiThreadIndex(thread),
    waker == 0 ? 0 : KiThreadIndex(waker),
    load<u32>(thread, KTHREAD.Priority) |
      ((adjust >> 8) << 8) |
      ((adjust & 0xff) << 16) |
      (state << 24),
    load<u32>(thread, KTHREAD.NextProcessor) | (load<u32>(thread, KTHREAD.IdealProcessor) << 16),
    waited > 0xffffffff ? 0xffffffff : <u32>waited,
  );
}

/**
 * Places one readied thread: on an idle processor; else on its home processor, in front of the
 * standby or running thread if it is higher, else in the queue there.
 *
 * @irql DISPATCH_LEVEL   @nt KiDeferredReadyThread
 */
function KiDeferredReadyThread(prcb: PKPRCB, thread: PKTHREAD): void {
  const adjust = load<u32>(thread, KTHREAD.Adjust);
  const waited = load<u64>(SYSTEM, KSYSTEM.Time64) - load<u64>(thread, KTHREAD.StateTime64);
  KiAdjustUnwaitedThread(thread);
  const preempted = (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.Preempted) != 0;
  const head = KiTakePreempted(thread);
  if (preempted && !head) KiResetQuantum(thread);
  KiPlaceThread(prcb, thread, head);
  KiTraceReady(prcb, thread, preempted ? 0 : load<u32>(prcb, KPRCB.Waker), adjust, waited);
}

function KiPlaceThread(prcb: PKPRCB, thread: PKTHREAD, head: bool): void {
  const idle = KiSelectIdleProcessor(thread, prcb);
  if (idle != 0) {
    KiRequestDispatch(prcb, idle, thread);
    return;
  }
  const home = KiHomeProcessor(thread);
  const priority = load<u32>(thread, KTHREAD.Priority);
  const next: PKTHREAD = load<u32>(home, KPRCB.NextThread);
  if (next != 0) {
    if (priority > load<u32>(next, KTHREAD.Priority)) {
      KiDisplaceStandby(home);
      KiRequestDispatch(prcb, home, thread);
      store<u32>(next, load<u32>(next, KTHREAD.Flags) | THREAD_FLAG.Preempted, KTHREAD.Flags);
      KiReadyThread(prcb, next);
      return;
    }
  } else {
    const current: PKTHREAD = load<u32>(home, KPRCB.CurrentThread);
    const leaving = current != 0 && load<u32>(current, KTHREAD.State) != KTHREAD_STATE.Running;
    // A thread on its way out leaves the choice to the selection that follows in the same step.
    if (!leaving && (current == 0 || priority > load<u32>(current, KTHREAD.Priority))) {
      KiRequestDispatch(prcb, home, thread);
      return;
    }
  }
  KiQueueReadyThread(home, thread, head);
}

/** Places the readied threads in order; false if more remain than one step takes. */
export function KiProcessDeferredReadyList(prcb: PKPRCB): bool {
  for (let count: u32 = 0; count < DEFERRED_BATCH; count++) {
    const thread: PKTHREAD = load<u32>(prcb, KPRCB.DeferredReadyHead);
    if (thread == 0) return true;
    store<u32>(prcb, load<u32>(thread, KTHREAD.WaitListEntry), KPRCB.DeferredReadyHead);
    if (KiIsSwappedOut(thread)) KiQueueForInSwap(prcb, thread);
    else KiDeferredReadyThread(prcb, thread);
  }
  return load<u32>(prcb, KPRCB.DeferredReadyHead) == 0;
}

/** A thread that is at APC_LEVEL leaves its processor. Below DISPATCH_LEVEL nothing else follows from a level. */
function KiSaveIrql(prcb: PKPRCB, thread: PKTHREAD): void {
  store<u32>(thread, load<u32>(thread, KTHREAD.Flags) | THREAD_FLAG.ApcLevel, KTHREAD.Flags);
  store<u32>(prcb, IRQL.PASSIVE_LEVEL, KPRCB.Irql);
}

/** Switches a processor from one thread to another; 0 is the idle thread. Both have been charged. */
function KiSwapContext(
  prcb: PKPRCB,
  oldThread: PKTHREAD,
  oldState: u32,
  newThread: PKTHREAD,
): void {
  const number = load<u32>(prcb, KPRCB.Number);
  let priorities: u32 = 0;
  let decrement: u32 = 0;
  let remaining: u32 = 0;
  let oldIndex: u32 = 0;
  if (oldThread != 0) {
    oldIndex = KiThreadIndex(oldThread);
    if (load<u32>(prcb, KPRCB.Irql) != 0) KiSaveIrql(prcb, oldThread);
    decrement = KiPriorityDecrement(oldThread);
    priorities =
      load<u32>(oldThread, KTHREAD.Priority) | (load<u32>(oldThread, KTHREAD.WaitReason) << 24);
    const left = <i64>(
      (load<u64>(oldThread, KTHREAD.QuantumTarget64) - load<u64>(oldThread, KTHREAD.CycleTime64))
    );
    remaining =
      left > i32.MAX_VALUE ? i32.MAX_VALUE : left < i32.MIN_VALUE ? i32.MIN_VALUE : <i32>left;
  }
  store<u64>(prcb, load<u64>(prcb, KPRCB.ContextSwitches64) + 1, KPRCB.ContextSwitches64);
  store<u32>(prcb, <u32>newThread, KPRCB.CurrentThread);
  if (newThread == 0) {
    KiTrace(
      EVENT.ContextSwitch,
      number,
      0,
      oldIndex,
      0,
      priorities | (oldState << 16),
      decrement << 16,
      remaining,
    );
    store<u64>(prcb, NEVER, KPRCB.ResumeTime64);
    KiSetIdle(prcb);
    HalSetInterruptTime(prcb, KPRCB.TickTime64, KiIdleTickTime(prcb));
    // Ticks would have seen to DPCs that wait in the queue; without them the idle loop does.
    if (load<u32>(prcb, KPRCB.DpcData + KDPC_DATA.DpcQueueDepth) != 0) {
      store<u32>(prcb, load<u32>(prcb, KPRCB.Attention) | ATTENTION.Dpc, KPRCB.Attention);
    }
    return;
  }
  KiTrace(
    EVENT.ContextSwitch,
    number,
    0,
    oldIndex,
    KiThreadIndex(newThread),
    priorities | (load<u32>(newThread, KTHREAD.Priority) << 8) | (oldState << 16),
    load<u32>(newThread, KTHREAD.IdealProcessor) | (decrement << 16),
    remaining,
  );
  if (load<u32>(newThread, KTHREAD.Extension) != 0) KiCheckApcs(prcb, newThread);
  const flags = load<u32>(newThread, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.ApcLevel) != 0) {
    store<u32>(newThread, flags & ~THREAD_FLAG.ApcLevel, KTHREAD.Flags);
    store<u32>(prcb, IRQL.APC_LEVEL, KPRCB.Irql);
  }
  store<u32>(newThread, KTHREAD_STATE.Running, KTHREAD.State);
  store<u64>(newThread, load<u64>(SYSTEM, KSYSTEM.Time64), KTHREAD.StateTime64);
  store<u32>(newThread, number, KTHREAD.NextProcessor);
  const switches = load<u32>(newThread, KTHREAD.ContextSwitches);
  store<u32>(newThread, switches + 1, KTHREAD.ContextSwitches);
  if (load<u32>(newThread, KTHREAD.LastProcessor) != number) {
    if (switches != 0)
      store<u32>(newThread, load<u32>(newThread, KTHREAD.Migrations) + 1, KTHREAD.Migrations);
    store<u32>(newThread, number, KTHREAD.LastProcessor);
  }
  if (oldThread == 0) HalSetInterruptTime(prcb, KPRCB.TickTime64, KiNextTick());
  const cost = load<u32>(SYSTEM, KSYSTEM.CostContextSwitch);
  const start = load<u64>(prcb, KPRCB.ChargeTime64) + cost;
  store<u64>(prcb, start, KPRCB.ChargeTime64);
  store<u64>(prcb, load<u64>(prcb, KPRCB.OverheadTime64) + cost, KPRCB.OverheadTime64);
  const burst = load<u64>(newThread, KTHREAD.BurstRemaining64);
  store<u64>(prcb, start + (burst != 0 ? burst : KiFetch(newThread)), KPRCB.ResumeTime64);
}

/** Takes the standby thread, or finds another; 0: the processor goes idle. */
function KiTakeNextThread(prcb: PKPRCB): PKTHREAD {
  const next = KiDisplaceStandby(prcb);
  return next != 0 ? next : KiSearchForNewThread(prcb);
}

/** Switches from a thread that could go on to `next`, and readies the former again. */
function KiPreemptThread(prcb: PKPRCB, thread: PKTHREAD, reason: u32, next: PKTHREAD): void {
  const left = load<u64>(prcb, KPRCB.ResumeTime64) - load<u64>(prcb, KPRCB.ChargeTime64);
  store<u64>(thread, left, KTHREAD.BurstRemaining64);
  store<u32>(thread, reason, KTHREAD.WaitReason);
  store<u32>(thread, load<u32>(thread, KTHREAD.Preemptions) + 1, KTHREAD.Preemptions);
  store<u64>(thread, load<u64>(SYSTEM, KSYSTEM.Time64), KTHREAD.StateTime64);
  if (reason == KWAIT_REASON.WrPreempted) {
    store<u32>(thread, load<u32>(thread, KTHREAD.Flags) | THREAD_FLAG.Preempted, KTHREAD.Flags);
  }
  KiSwapContext(prcb, thread, KTHREAD_STATE.Ready, next);
  KiReadyThread(prcb, thread);
}

/**
 * Ends the quantum of the running thread: a fresh one, one level of decay, and a thread of at least
 * the new priority that is ready here gets the processor.
 *
 * @irql DISPATCH_LEVEL   @nt KiQuantumEnd
 */
function KiQuantumEnd(prcb: PKPRCB, thread: PKTHREAD): void {
  if (load<u64>(thread, KTHREAD.CycleTime64) < load<u64>(thread, KTHREAD.QuantumTarget64)) return;
  KiResetQuantum(thread);
  const priority = KiComputeNewPriority(thread, PRIORITY_CHANGE.QuantumEnd);
  let next = KiDisplaceStandby(prcb);
  if (next == 0) next = KiSelectReadyThread(priority, prcb);
  if (next != 0) KiPreemptThread(prcb, thread, KWAIT_REASON.WrQuantumEnd, next);
}

function KiDispatchAttention(prcb: PKPRCB, thread: PKTHREAD): void {
  const attention = load<u32>(prcb, KPRCB.Attention);
  if (attention != 0) {
    if ((attention & ATTENTION.Dpc) != 0) {
      KiRetireDpc(prcb);
      return;
    }
    store<u32>(prcb, 0, KPRCB.Attention);
    if ((attention & ATTENTION.Affinity) != 0) {
      if (!KiMayRunOn(thread, prcb)) {
        KiPreemptThread(prcb, thread, KWAIT_REASON.WrPreempted, KiTakeNextThread(prcb));
        return;
      }
    }
    if ((attention & ATTENTION.QuantumEnd) != 0) {
      KiQuantumEnd(prcb, thread);
      if (load<u32>(prcb, KPRCB.CurrentThread) != <u32>thread) return;
    }
    if ((attention & ATTENTION.Yield) != 0) {
      const next = KiDisplaceStandby(prcb);
      if (next == 0) return;
      KiResetQuantum(thread);
      KiComputeNewPriority(thread, PRIORITY_CHANGE.Yield);
      KiPreemptThread(prcb, thread, KWAIT_REASON.WrYieldExecution, next);
      return;
    }
  }
  const next = KiDisplaceStandby(prcb);
  if (next != 0) {
    // Priorities may have changed since it was chosen: only a higher thread preempts.
    if (load<u32>(next, KTHREAD.Priority) > load<u32>(thread, KTHREAD.Priority)) {
      KiPreemptThread(prcb, thread, KWAIT_REASON.WrPreempted, next);
      return;
    }
    store<u32>(next, load<u32>(next, KTHREAD.Flags) | THREAD_FLAG.Preempted, KTHREAD.Flags);
    KiReadyThread(prcb, next);
  }
  if ((attention & ATTENTION.Apc) != 0) KiDeliverApc(prcb, thread);
}

/**
 * Ends a step: places what became ready, then lets the right thread run here, and publishes when
 * this processor acts next. A thread that has raised the level to DISPATCH_LEVEL goes on, whoever
 * stands by.
 *
 * @irql DISPATCH_LEVEL   @nt KiExitDispatcher
 */
export function KiExitDispatcher(prcb: PKPRCB): void {
  for (;;) {
    if (!KiProcessDeferredReadyList(prcb)) {
      HalSetProcessorTime(load<u32>(prcb, KPRCB.Number), load<u64>(SYSTEM, KSYSTEM.Time64));
      return;
    }
    if (load<u32>(prcb, KPRCB.Irql) >= <u32>IRQL.DISPATCH_LEVEL) break;
    const thread: PKTHREAD = load<u32>(prcb, KPRCB.CurrentThread);
    if (thread == 0) {
      KiIdleLoop(prcb);
      if ((load<u32>(prcb, KPRCB.Attention) & ATTENTION.Apc) == 0) break;
      continue;
    }
    const state = load<u32>(thread, KTHREAD.State);
    if (state != KTHREAD_STATE.Running) {
      KiSwapContext(prcb, thread, state, KiTakeNextThread(prcb));
      if (state == KTHREAD_STATE.Terminated) {
        KiTotalThread(prcb, thread);
        KiReleaseTerminatedThread(thread);
      }
    } else {
      if (load<u32>(prcb, KPRCB.NextThread) == 0 && load<u32>(prcb, KPRCB.Attention) == 0) break;
      KiDispatchAttention(prcb, thread);
    }
    const more = load<u32>(prcb, KPRCB.Attention) & (ATTENTION.Dpc | ATTENTION.Apc);
    const ready = load<u32>(prcb, KPRCB.DeferredReadyHead) | load<u32>(prcb, KPRCB.NextThread);
    if ((ready | more) == 0) break;
  }
  HalPublish(prcb);
}

/** Whether the end of this step would do no more than publish when `context` acts next on the processor. */
export function KiIsUndisturbed(prcb: PKPRCB, context: PKTHREAD): bool {
  const ready = load<u32>(prcb, KPRCB.DeferredReadyHead) | load<u32>(prcb, KPRCB.NextThread);
  if ((ready | load<u32>(prcb, KPRCB.Attention)) != 0) return false;
  return load<u32>(context, KTHREAD.State) == KTHREAD_STATE.Running;
}

/**
 * What an idle processor does when something has interrupted it: takes its standby thread, or looks
 * for work, or stays idle.
 *
 * @irql DISPATCH_LEVEL   @nt KiIdleLoop
 */
function KiIdleLoop(prcb: PKPRCB): void {
  if ((load<u32>(prcb, KPRCB.Attention) & ATTENTION.Dpc) != 0) {
    KiRetireDpc(prcb);
    return;
  }
  store<u32>(prcb, 0, KPRCB.Attention);
  const next = KiTakeNextThread(prcb);
  if (next == 0) {
    KiSetIdle(prcb);
    return;
  }
  KiClearIdle(prcb);
  KiSwapContext(prcb, 0, KTHREAD_STATE.Running, next);
}

/** Blocks the running thread: the step's end gives the processor to another. */
export function KiBlockThread(prcb: PKPRCB, thread: PKTHREAD, reason: u32): void {
  store<u32>(thread, KTHREAD_STATE.Waiting, KTHREAD.State);
  store<u32>(thread, reason, KTHREAD.WaitReason);
  store<u64>(thread, 0, KTHREAD.BurstRemaining64);
  store<u64>(thread, load<u64>(SYSTEM, KSYSTEM.Time64), KTHREAD.StateTime64);
  store<u32>(thread, ADJUST.None, KTHREAD.Adjust);
  store<u64>(prcb, NEVER, KPRCB.ResumeTime64);
  if (load<u32>(thread, KTHREAD.Extension) != 0) KiQueueThreadBlocks(prcb, thread);
}

/** Whether a thread's group and affinity have a processor. Its group is that of its ideal processor. */
function KiMayRunOn(thread: PKTHREAD, prcb: PKPRCB): bool {
  const ideal = KeGetPrcb(load<u32>(thread, KTHREAD.IdealProcessor));
  if (load<u32>(ideal, KPRCB.Group) != load<u32>(prcb, KPRCB.Group)) return false;
  return (load<u64>(thread, KTHREAD.Affinity64) & load<u64>(prcb, KPRCB.SetMember64)) != 0;
}

/**
 * Moves a thread to another affinity, at once if it runs or is queued where it may not.
 * `affinity` holds at least one processor of the group of processor `ideal`, which becomes the
 * thread's ideal one, allowed or not: it counts again when a later affinity has it.
 *
 * @irql DISPATCH_LEVEL   @nt KiSetAffinityThread
 */
export function KiSetAffinityThread(
  prcb: PKPRCB,
  thread: PKTHREAD,
  affinity: u64,
  ideal: u32,
): void {
  const state = load<u32>(thread, KTHREAD.State);
  const home = KeGetPrcb(load<u32>(thread, KTHREAD.NextProcessor));
  KiTrace(
    EVENT.Affinity,
    load<u32>(prcb, KPRCB.Number),
    0,
    KiThreadIndex(thread),
    <u32>affinity,
    <u32>(affinity >> 32),
    load<u32>(KeGetPrcb(ideal), KPRCB.Group) | (load<u32>(home, KPRCB.Number) << 16),
    0,
  );
  const queued = state == KTHREAD_STATE.Ready;
  if (queued) KiRemoveReadyThread(home, thread);
  store<u64>(thread, affinity, KTHREAD.Affinity64);
  store<u32>(thread, ideal, KTHREAD.IdealProcessor);
  const allowed = KiMayRunOn(thread, home);
  if (queued) {
    KiReadyThread(prcb, thread);
  } else if (state == KTHREAD_STATE.Standby && !allowed) {
    KiDisplaceStandby(home);
    KiReadyThread(prcb, thread);
    KiSendIpi(prcb, home);
  } else if (state == KTHREAD_STATE.Running && !allowed) {
    store<u32>(home, load<u32>(home, KPRCB.Attention) | ATTENTION.Affinity, KPRCB.Attention);
    KiSendIpi(prcb, home);
  }
}

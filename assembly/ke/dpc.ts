import {
  HalNotify,
  HalSetInterruptTime,
  KeGetPrcb,
  PKOBJECT,
  PKPRCB,
  PKTHREAD,
  SYSTEM,
} from '../hal';
import { BUGCHECK } from '../shared/bugcheck';
import { EVENT, VECTOR } from '../shared/event';
import { ATTENTION, KACTIVATION, KDPC, KDPC_DATA, KPRCB, KSYSTEM, KTHREAD } from '../shared/layout';
import { IRQL, KDPC_IMPORTANCE } from '../shared/types';
import { KiBeginActivation } from './activation';
import { KeBugCheckEx } from './bugcheck';
import { KiNextTick } from './clock';
import { KiSendIpi } from './dispatch';
import { KiObjectIndex } from './object';
import { KiIsThreadedDpc, KiWakeDpcThread } from './threaded-dpc';
import { KiTrace } from './trace';

/**
 * Deferred procedure calls: a queue a processor, drained at DISPATCH_LEVEL before anything is
 * dispatched there. When draining begins depends on the importance, on whose queue it is, and on how
 * full that is; else the next clock tick sees to it.
 */

const LIST: usize = KDPC.DpcListEntry;

/** The routine of a DPC that has none. */
const NO_ROUTINE: u32 = 0xffffffff;

/** What TIMER_OR_DPC_INVALID calls a DPC with a routine that leaves APC counts changed, and one of a timer. */
const PLAIN_DPC: u32 = 4;
const TIMER_DPC: u32 = 5;

function KiDpcQueue(prcb: PKPRCB, dpc: PKOBJECT): usize {
  return prcb + (KiIsThreadedDpc(prcb, dpc) ? KPRCB.ThreadedDpcData : KPRCB.DpcData);
}

function KiLinkDpc(queue: usize, dpc: PKOBJECT, atHead: bool): void {
  const head: usize = load<u32>(queue, KDPC_DATA.DpcListHead);
  const tail: usize = load<u32>(queue, KDPC_DATA.DpcListTail);
  const previous: usize = atHead ? 0 : tail;
  const next: usize = atHead ? head : 0;
  store<u32>(dpc + LIST, <u32>next);
  store<u32>(dpc + LIST, <u32>previous, 4);
  if (next != 0) store<u32>(next + LIST, <u32>dpc, 4);
  else store<u32>(queue, <u32>dpc, KDPC_DATA.DpcListTail);
  if (previous != 0) store<u32>(previous + LIST, <u32>dpc);
  else store<u32>(queue, <u32>dpc, KDPC_DATA.DpcListHead);
  store<u32>(queue, load<u32>(queue, KDPC_DATA.DpcQueueDepth) + 1, KDPC_DATA.DpcQueueDepth);
}

/** Takes a DPC out of the queue that it is in. */
export function KiUnlinkDpc(queue: usize, dpc: PKOBJECT): void {
  const next: usize = load<u32>(dpc + LIST);
  const previous: usize = load<u32>(dpc + LIST, 4);
  if (next != 0) store<u32>(next + LIST, <u32>previous, 4);
  else store<u32>(queue, <u32>previous, KDPC_DATA.DpcListTail);
  if (previous != 0) store<u32>(previous + LIST, <u32>next);
  else store<u32>(queue, <u32>next, KDPC_DATA.DpcListHead);
  store<u32>(queue, load<u32>(queue, KDPC_DATA.DpcQueueDepth) - 1, KDPC_DATA.DpcQueueDepth);
  store<u32>(dpc, 0, KDPC.DpcData);
}

/** What TIMER_OR_DPC_INVALID calls a DPC whose routine is about to run. */
export function KiDpcKind(dpc: PKOBJECT): u32 {
  return load<u32>(dpc, KDPC.QueuedByTimer) != 0 ? TIMER_DPC : PLAIN_DPC;
}

/** Stops the machine if the routine of a DPC has left the APC counts of its thread changed. */
export function KiCheckDpcRoutine(kind: u32, dpc: PKOBJECT, before: u32, after: u32): void {
  if (before == after) return;
  KeBugCheckEx(BUGCHECK.TIMER_OR_DPC_INVALID, kind, dpc, before, after);
}

/** Whether a queue is to be drained now because of a DPC that was put into it. */
function KiIsDpcUrgent(prcb: PKPRCB, target: PKPRCB, importance: u32): bool {
  const depth = load<u32>(target, KPRCB.DpcData + KDPC_DATA.DpcQueueDepth);
  if (depth >= load<u32>(SYSTEM, KSYSTEM.MaximumDpcQueueDepth)) return true;
  if (prcb == target) {
    if (importance != KDPC_IMPORTANCE.LowImportance) return true;
    const rate = load<u32>(target, KPRCB.DpcCount) - load<u32>(target, KPRCB.DpcLastCount);
    return rate <= load<u32>(SYSTEM, KSYSTEM.MinimumDpcRate);
  }
  if (importance == KDPC_IMPORTANCE.HighImportance) return true;
  return importance == KDPC_IMPORTANCE.MediumHighImportance;
}

/**
 * Queues a DPC with its two arguments.
 *
 * @returns false, and nothing changed, if it is queued already.
 * @irql any   @nt KeInsertQueueDpc
 */
export function KeInsertQueueDpc(prcb: PKPRCB, dpc: PKOBJECT, first: u64, second: u64): bool {
  if (load<u32>(dpc, KDPC.DpcData) != 0) return false;
  if (load<u32>(dpc, KDPC.DeferredRoutine) == NO_ROUTINE) {
    KeBugCheckEx(BUGCHECK.TIMER_OR_DPC_INVALID, 2, 0, dpc, 0);
    return false;
  }
  const wanted = load<u32>(dpc, KDPC.TargetProcessor);
  const target = wanted == 0 ? prcb : KeGetPrcb(wanted - 1);
  const importance = load<u32>(dpc, KDPC.Importance);
  store<u64>(dpc, first, KDPC.SystemArgument1_64);
  store<u64>(dpc, second, KDPC.SystemArgument2_64);
  store<u32>(dpc, load<u32>(target, KPRCB.Number) + 1, KDPC.DpcData);
  store<u32>(dpc, 0, KDPC.QueuedByTimer);
  KiLinkDpc(KiDpcQueue(target, dpc), dpc, importance == KDPC_IMPORTANCE.HighImportance);
  if (KiIsThreadedDpc(target, dpc)) {
    KiWakeDpcThread(prcb, target);
    return true;
  }
  store<u32>(target, load<u32>(target, KPRCB.DpcCount) + 1, KPRCB.DpcCount);
  if (KiIsDpcUrgent(prcb, target, importance)) {
    store<u32>(target, load<u32>(target, KPRCB.Attention) | ATTENTION.Dpc, KPRCB.Attention);
    KiSendIpi(prcb, target);
  } else if (load<u32>(target, KPRCB.CurrentThread) == 0) {
    // An idle processor has no ticks unless it is given one.
    const tick = KiNextTick();
    if (tick < load<u64>(target, KPRCB.TickTime64)) {
      HalSetInterruptTime(target, KPRCB.TickTime64, tick);
      HalNotify(target, tick);
    }
  }
  return true;
}

/**
 * Takes a DPC out of its queue.
 *
 * @returns whether it was in one: it does not run then.
 * @irql any   @nt KeRemoveQueueDpc
 */
export function KeRemoveQueueDpc(dpc: PKOBJECT): bool {
  const queued = load<u32>(dpc, KDPC.DpcData);
  if (queued == 0) return false;
  KiUnlinkDpc(KiDpcQueue(KeGetPrcb(queued - 1), dpc), dpc);
  return true;
}

/**
 * Lets the first DPC of the processor's queue run; the next follows when it returns.
 *
 * @irql DISPATCH_LEVEL   @nt KiRetireDpcList
 */
export function KiRetireDpc(prcb: PKPRCB): void {
  const queue = prcb + KPRCB.DpcData;
  const dpc: PKOBJECT = load<u32>(queue, KDPC_DATA.DpcListHead);
  if (dpc != 0) KiUnlinkDpc(queue, dpc);
  if (load<u32>(queue, KDPC_DATA.DpcQueueDepth) == 0) {
    store<u32>(prcb, load<u32>(prcb, KPRCB.Attention) & ~ATTENTION.Dpc, KPRCB.Attention);
  }
  if (dpc == 0) return;
  store<u32>(prcb, 0, KPRCB.DpcTimeCount);
  const cost = load<u32>(SYSTEM, KSYSTEM.CostDpc);
  const number = load<u32>(prcb, KPRCB.Number);
  KiTrace(EVENT.Dpc, number, 0, VECTOR.Dpc, KiObjectIndex(dpc), 0, 0, cost);
  const routine: usize = load<u32>(dpc, KDPC.DeferredRoutine);
  const activation = KiBeginActivation(prcb, IRQL.DISPATCH_LEVEL, dpc, routine, cost);
  const thread: PKTHREAD = load<u32>(prcb, KPRCB.CurrentThread);
  const counts = thread == 0 ? 0 : load<u32>(thread, KTHREAD.CombinedApcDisable);
  store<u32>(activation, counts, KTHREAD.CombinedApcDisable);
  store<u32>(activation, KiDpcKind(dpc), KACTIVATION.Dpc);
  KiPassDpcArguments(activation, dpc);
}

/** Puts what the routine of a DPC is called with into the registers of what executes it. */
export function KiPassDpcArguments(context: PKTHREAD, dpc: PKOBJECT): void {
  store<u64>(context, load<u64>(dpc, KDPC.DeferredContext64), KTHREAD.Register64);
  store<u64>(context, load<u64>(dpc, KDPC.SystemArgument1_64), KTHREAD.Register64 + 8);
  store<u64>(context, load<u64>(dpc, KDPC.SystemArgument2_64), KTHREAD.Register64 + 16);
}

import { KeGetPrcb, PKPRCB, PKPROCESS, PKTHREAD, SYSTEM } from '../hal';
import { RtlInsertTailList, RtlIsListEmpty, RtlRemoveEntryList } from '../rtl';
import { KPRCB, KPROCESS, KSYSTEM, KTHREAD, LIST_ENTRY } from '../shared/layout';
import { STATUS } from '../shared/status';
import { ADJUST, KTHREAD_STATE, KWAIT_REASON, THREAD_FLAG } from '../shared/types';
import { KiBlockThread, KiReadyThread } from './dispatch';
import { KiBoostStarvedThread } from './priority';
import { KiRemoveReadyThread } from './ready';
import { KiSetThreadTimer, KiUnwaitThread } from './wait';

/**
 * Two system threads of the memory manager that scheduling depends on.
 *
 * The balance-set manager lifts threads that have been ready for long. It wakes at whole periods
 * since boot, but only while some thread is queued: with none it would find nothing, and an idle
 * machine would never come to rest. The swapper brings kernel stacks and processes back; which of
 * them are out is worked out when a thread wakes, from how long it waited, so no scan is needed.
 */

/** Sets the balance-set manager's timer for the next period, if it waits and has none. */
export function KiArmBalanceSetManager(): void {
  const thread: PKTHREAD = load<u32>(SYSTEM, KSYSTEM.BalanceThread);
  if (thread == 0 || load<u32>(thread, KTHREAD.State) != KTHREAD_STATE.Waiting) return;
  if ((load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.TimerInserted) != 0) return;
  const period = load<u64>(SYSTEM, KSYSTEM.BalancePeriod64);
  KiSetThreadTimer(thread, (load<u64>(SYSTEM, KSYSTEM.Time64) / period + 1) * period, 0);
}

export function KiBalanceWait(prcb: PKPRCB, thread: PKTHREAD): void {
  KiBlockThread(prcb, thread, KWAIT_REASON.Executive);
  if (load<u32>(SYSTEM, KSYSTEM.ReadyQueued) != 0) KiArmBalanceSetManager();
}

/**
 * One pass: looks at up to 16 ready threads below the real-time range, from where the last pass
 * stopped, and lifts up to 10 that have been ready longer than the starvation time.
 *
 * @irql PASSIVE_LEVEL   @nt KiScanReadyQueues
 */
export function KiScanReadyQueues(prcb: PKPRCB): void {
  const highest = load<u32>(SYSTEM, KSYSTEM.StarvationPriority) - 1;
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  let number = load<u32>(SYSTEM, KSYSTEM.BalanceProcessor);
  let priority = load<u32>(SYSTEM, KSYSTEM.BalancePriority);
  let skip = load<u32>(SYSTEM, KSYSTEM.BalanceSkip);
  let threads = load<u32>(SYSTEM, KSYSTEM.BalanceScanThreads);
  let boosts = load<u32>(SYSTEM, KSYSTEM.BalanceBoostThreads);
  for (let visited: u32 = 0; visited <= processors; visited++) {
    const other = KeGetPrcb(number);
    for (; priority > 0; priority--) {
      const head = other + KPRCB.DispatcherReadyListHead + priority * LIST_ENTRY.Size;
      let entry: usize = load<u32>(head, LIST_ENTRY.Flink);
      let seen: u32 = 0;
      for (; seen < skip && entry != head; seen++) entry = load<u32>(entry, LIST_ENTRY.Flink);
      skip = 0;
      while (entry != head) {
        if (threads == 0 || boosts == 0) {
          store<u32>(SYSTEM, number, KSYSTEM.BalanceProcessor);
          store<u32>(SYSTEM, priority, KSYSTEM.BalancePriority);
          store<u32>(SYSTEM, seen, KSYSTEM.BalanceSkip);
          return;
        }
        threads--;
        const thread: PKTHREAD = entry - KTHREAD.WaitListEntry;
        entry = load<u32>(entry, LIST_ENTRY.Flink);
        if (!KiIsStarved(thread)) {
          seen++;
          continue;
        }
        boosts--;
        KiRemoveReadyThread(other, thread);
        KiBoostStarvedThread(thread);
        KiReadyThread(prcb, thread);
      }
    }
    priority = highest;
    number = number + 1 == processors ? 0 : number + 1;
  }
  store<u32>(SYSTEM, number, KSYSTEM.BalanceProcessor);
  store<u32>(SYSTEM, priority, KSYSTEM.BalancePriority);
  store<u32>(SYSTEM, 0, KSYSTEM.BalanceSkip);
}

function KiIsStarved(thread: PKTHREAD): bool {
  const since = load<u64>(thread, KTHREAD.StateTime64);
  if (load<u64>(SYSTEM, KSYSTEM.Time64) - since <= load<u64>(SYSTEM, KSYSTEM.StarvationTime64)) {
    return false;
  }
  return (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.DisableBoost) == 0;
}

/** A thread begins to wait: its process may become one with no active thread. */
export function KiThreadBlocks(thread: PKTHREAD): void {
  if (load<u64>(SYSTEM, KSYSTEM.ProcessOutswap64) == 0) return;
  const process: PKPROCESS = load<u32>(thread, KTHREAD.Process);
  const active = load<u32>(process, KPROCESS.ActiveThreads) - 1;
  store<u32>(process, active, KPROCESS.ActiveThreads);
  if (active == 0) store<u64>(process, load<u64>(SYSTEM, KSYSTEM.Time64), KPROCESS.IdleSince64);
}

export function KiThreadUnblocks(thread: PKTHREAD): void {
  if (load<u64>(SYSTEM, KSYSTEM.ProcessOutswap64) == 0) return;
  const process: PKPROCESS = load<u32>(thread, KTHREAD.Process);
  store<u32>(process, load<u32>(process, KPROCESS.ActiveThreads) + 1, KPROCESS.ActiveThreads);
}

/**
 * Whether a woken thread's kernel stack is out of memory: it waited in user mode, at a variable
 * priority, for longer than the profile keeps stacks in. Clears the mark of the wait.
 */
export function KiIsSwappedOut(thread: PKTHREAD): bool {
  const flags = load<u32>(thread, KTHREAD.Flags);
  if ((flags & THREAD_FLAG.UserWait) == 0) return false;
  store<u32>(thread, flags & ~THREAD_FLAG.UserWait, KTHREAD.Flags);
  const limit = load<u64>(SYSTEM, KSYSTEM.StackOutswap64);
  if ((flags & THREAD_FLAG.StackResident) != 0) return false;
  if (limit == 0 || load<u32>(thread, KTHREAD.Priority) >= 16) return false;
  return load<u64>(SYSTEM, KSYSTEM.Time64) - load<u64>(thread, KTHREAD.StateTime64) >= limit;
}

/** Hands a woken thread to the swapper: its process comes in first if that is out too. */
export function KiQueueForInSwap(prcb: PKPRCB, thread: PKTHREAD): void {
  const process: PKPROCESS = load<u32>(thread, KTHREAD.Process);
  const limit = load<u64>(SYSTEM, KSYSTEM.ProcessOutswap64);
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  const alone = load<u32>(process, KPROCESS.ActiveThreads) == 1;
  const out = limit != 0 && alone && now - load<u64>(process, KPROCESS.IdleSince64) >= limit;
  store<u32>(
    thread,
    out ? KTHREAD_STATE.WaitingForProcessInSwap : KTHREAD_STATE.Transition,
    KTHREAD.State,
  );
  store<u64>(thread, now, KTHREAD.StateTime64);
  RtlInsertTailList(SYSTEM + KSYSTEM.SwapListHead, thread + KTHREAD.WaitListEntry);
  const swapper: PKTHREAD = load<u32>(SYSTEM, KSYSTEM.SwapThread);
  if (load<u32>(swapper, KTHREAD.State) == KTHREAD_STATE.Waiting) {
    KiUnwaitThread(prcb, swapper, STATUS.SUCCESS, ADJUST.None, 0);
  }
}

/** Blocks the swapper while nothing is to come in; true if there is work. */
export function KiSwapWait(prcb: PKPRCB, thread: PKTHREAD): bool {
  if (!RtlIsListEmpty(SYSTEM + KSYSTEM.SwapListHead)) return true;
  KiBlockThread(prcb, thread, KWAIT_REASON.Executive);
  return false;
}

/**
 * One swap-in has taken its time: a process is in memory now and its thread waits for its stack, or
 * a stack is and its thread is ready.
 *
 * @irql PASSIVE_LEVEL   @internal @nt KeSwapProcessOrStack
 */
export function KiSwapIn(prcb: PKPRCB): void {
  const entry: usize = load<u32>(SYSTEM + KSYSTEM.SwapListHead, LIST_ENTRY.Flink);
  const thread: PKTHREAD = entry - KTHREAD.WaitListEntry;
  RtlRemoveEntryList(entry);
  if (load<u32>(thread, KTHREAD.State) == KTHREAD_STATE.WaitingForProcessInSwap) {
    store<u32>(thread, KTHREAD_STATE.Transition, KTHREAD.State);
    RtlInsertTailList(SYSTEM + KSYSTEM.SwapListHead, entry);
    return;
  }
  KiReadyThread(prcb, thread);
}

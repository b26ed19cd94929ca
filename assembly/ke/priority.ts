import { KeGetPrcb, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import { EVENT, PRIORITY_CHANGE } from '../shared/event';
import { KPRCB, KPROCESS, KSYSTEM, KTHREAD } from '../shared/layout';
import { ADJUST, KTHREAD_STATE, THREAD_FLAG } from '../shared/types';
import { KiCharge, KiDisplaceStandby, KiReadyThread, KiRequestDispatch } from './dispatch';
import { KiThreadIndex } from './object';
import { KiIsPort } from './program';
import { KiRemoveReadyThread, KiSelectReadyThread } from './ready';
import { KiTrace } from './trace';

/**
 * Priorities: boosts, decay, and changes asked for. Boosts act on the current priority, never on the base.
 *
 * A thread that owns locks others wait for has a floor under its priority. What it would have without
 * the floor, its own priority, goes on underneath: boosts and decay are that one's.
 */

const LOW_REALTIME_PRIORITY: u32 = 16;
const BOOST_LIMIT: u32 = 15;

/** PriorityDecrement: both nibbles; then the floor, and the thread's own priority while it has one. */
const DECREMENT: u32 = 0xff;
const FLOOR_SHIFT: u32 = 8;
const OWN_SHIFT: u32 = 16;

/** What a thread's priority is without the floor that its locks give it. */
function KiOwnPriority(thread: PKTHREAD): u32 {
  const decrement = load<u32>(thread, KTHREAD.PriorityDecrement);
  return decrement > DECREMENT ? decrement >> OWN_SHIFT : load<u32>(thread, KTHREAD.Priority);
}

/** Notes a thread's own priority; what it comes to over the floor. */
function KiOverFloor(thread: PKTHREAD, own: u32): u32 {
  const decrement = load<u32>(thread, KTHREAD.PriorityDecrement);
  if (decrement <= DECREMENT) return own;
  const low = decrement & ((1 << OWN_SHIFT) - 1);
  store<u32>(thread, low | (own << OWN_SHIFT), KTHREAD.PriorityDecrement);
  return max<u32>(own, low >> FLOOR_SHIFT);
}

/** Gives a thread that is in no ready queue another priority of its own. Returns its priority. */
function KiStorePriority(thread: PKTHREAD, own: u32, reason: PRIORITY_CHANGE): u32 {
  const priority = KiOverFloor(thread, own);
  KiTracePriority(thread, priority, reason);
  store<u32>(thread, priority, KTHREAD.Priority);
  return priority;
}

/** The boosts of a thread: low nibble foreground, high nibble unusual. */
export function KiPriorityDecrement(thread: PKTHREAD): u32 {
  return load<u32>(thread, KTHREAD.PriorityDecrement) & DECREMENT;
}

function KiSetPriorityDecrement(thread: PKTHREAD, decrement: u32): void {
  const rest = load<u32>(thread, KTHREAD.PriorityDecrement) & ~DECREMENT;
  store<u32>(thread, rest | decrement, KTHREAD.PriorityDecrement);
}

function KiTracePriority(thread: PKTHREAD, priority: u32, reason: PRIORITY_CHANGE): void {
  const old = load<u32>(thread, KTHREAD.Priority);
  if (old == priority) return;
  const base = load<u32>(thread, KTHREAD.BasePriority);
  KiTrace(
    EVENT.Priority,
    load<u32>(thread, KTHREAD.NextProcessor),
    0,
    KiThreadIndex(thread),
    old | (priority << 8) | (base << 16) | (reason << 24),
    0,
    0,
    0,
  );
}

/** Ns of a number of quantum units, each a third of a clock interval. */
export function KiQuantum(units: u32): u64 {
  if (units == 0xffffffff) return 1 << 62;
  return (<u64>units * load<u32>(SYSTEM, KSYSTEM.ClockInterval)) / 3;
}

/** Of a thread's process, in quantum units. */
function KiQuantumReset(thread: PKTHREAD): u32 {
  return load<u32>(<usize>load<u32>(thread, KTHREAD.Process), KPROCESS.QuantumReset);
}

export function KiResetQuantum(thread: PKTHREAD): void {
  // How long a port's thread has run by its last step depends on how that run was cut.
  if (KiIsPort(thread) && load<u32>(thread, KTHREAD.State) == KTHREAD_STATE.Running) {
    const prcb = KeGetPrcb(load<u32>(thread, KTHREAD.NextProcessor));
    KiCharge(prcb, load<u64>(SYSTEM, KSYSTEM.Time64));
  }
  const quantum = KiQuantum(KiQuantumReset(thread));
  store<u64>(thread, load<u64>(thread, KTHREAD.CycleTime64) + quantum, KTHREAD.QuantumTarget64);
}

/**
 * Lets a thread's priority decay once: an unusual boost (starvation) ends at once, then a foreground
 * boost at once, else one level; never below the base, nor below the floor of its locks.
 *
 * The two-step end of a foreground wake (13, 11, 10 for a base of 10) is what recordings show.
 *
 * @returns the new priority.
 * @irql DISPATCH_LEVEL   @nt KiComputeNewPriority
 */
export function KiComputeNewPriority(thread: PKTHREAD, reason: PRIORITY_CHANGE): u32 {
  const priority = KiOwnPriority(thread);
  const base = load<u32>(thread, KTHREAD.BasePriority);
  if (priority >= LOW_REALTIME_PRIORITY) return priority;
  const decrement = KiPriorityDecrement(thread);
  const unusual = decrement >> 4;
  let drop: u32 = 1;
  if (decrement != 0) {
    drop = unusual != 0 ? unusual : decrement;
    if (unusual != 0) reason = PRIORITY_CHANGE.StarvationEnd;
    KiSetPriorityDecrement(thread, unusual != 0 ? decrement & 15 : 0);
  }
  const lowered = priority > base + drop ? priority - drop : base;
  // A thread whose base was lowered below its boost keeps what is left; one that was raised rises.
  return KiStorePriority(thread, priority > base ? lowered : base, reason);
}

/**
 * What the end of its wait does to a thread: a boost, or for a base of 14 or more a fresh quantum
 * instead, if the wake has an increment; without any of that the wait is charged.
 *
 * Boosts that are disabled and waits that ran out of time count as wakes without an increment.
 */
export function KiAdjustUnwaitedThread(thread: PKTHREAD): void {
  const adjust = load<u32>(thread, KTHREAD.Adjust);
  if (adjust == ADJUST.None) return;
  store<u32>(thread, ADJUST.None, KTHREAD.Adjust);
  const enabled = (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.DisableBoost) == 0;
  const boosts = (adjust & 0xff) == ADJUST.Unwait && enabled;
  const increment = boosts ? adjust >> 8 : 0;
  if (load<u32>(thread, KTHREAD.BasePriority) >= 14) {
    if (increment != 0) KiResetQuantum(thread);
    else KiChargeWait(thread);
    return;
  }
  if (boosts && KiBoostUnwaitedThread(thread, increment)) return;
  if (enabled && (adjust & 0xff) == ADJUST.Boost) {
    KiBoostToWaker(thread, adjust >> 8);
    return;
  }
  if (increment == 0) KiChargeWait(thread);
}

/**
 * base + increment, and + PsPrioritySeparation for a foreground process unless such a boost is in
 * force; at most 15; only above the current priority, never in the real-time range. The base is
 * below 14.
 *
 * @returns whether the thread was boosted.
 */
function KiBoostUnwaitedThread(thread: PKTHREAD, increment: u32): bool {
  const priority = KiOwnPriority(thread);
  if (priority >= LOW_REALTIME_PRIORITY) return false;
  let boosted = min<u32>(load<u32>(thread, KTHREAD.BasePriority) + increment, BOOST_LIMIT);
  let reason = PRIORITY_CHANGE.Unwait;
  const process: usize = load<u32>(thread, KTHREAD.Process);
  const separation =
    load<u32>(process, KPROCESS.Foreground) != 0
      ? load<u32>(SYSTEM, KSYSTEM.PrioritySeparation)
      : 0;
  if (separation != 0 && KiPriorityDecrement(thread) == 0) {
    const foreground = min<u32>(boosted + separation, BOOST_LIMIT);
    if (foreground > priority) {
      KiSetPriorityDecrement(thread, foreground - boosted);
      reason = PRIORITY_CHANGE.Foreground;
      boosted = foreground;
    }
  }
  if (boosted <= priority) return false;
  KiStorePriority(thread, boosted, reason);
  return true;
}

/**
 * Lifts a thread of a base below 14 above who woke it: to that priority plus one, at most 15, never in
 * the real-time range. Windows Internals, 5th edition, on KeSetEventBoostPriority and gates.
 */
function KiBoostToWaker(thread: PKTHREAD, waker: u32): void {
  const priority = KiOwnPriority(thread);
  const boosted = min<u32>(waker + 1, BOOST_LIMIT);
  if (priority >= LOW_REALTIME_PRIORITY || boosted <= priority) return;
  KiStorePriority(thread, boosted, PRIORITY_CHANGE.Unwait);
}

/**
 * Takes the profile's charge for a wait that ended without a boost off the quantum; one that this
 * uses up ends here.
 *
 * Literature has one unit; recordings of Windows show none beyond the run time. The profile's
 * default is what was recorded.
 */
function KiChargeWait(thread: PKTHREAD): void {
  const units = load<u32>(SYSTEM, KSYSTEM.WaitQuantumCharge);
  if (units == 0) return;
  const charge = KiQuantum(units);
  const target = load<u64>(thread, KTHREAD.QuantumTarget64);
  if (target > load<u64>(thread, KTHREAD.CycleTime64) + charge) {
    store<u64>(thread, target - charge, KTHREAD.QuantumTarget64);
    return;
  }
  KiResetQuantum(thread);
  KiComputeNewPriority(thread, PRIORITY_CHANGE.QuantumEnd);
}

/** Lifts a ready thread for one quantum. The thread is in no queue now. */
export function KiBoostStarvedThread(thread: PKTHREAD): void {
  const boosted = load<u32>(SYSTEM, KSYSTEM.StarvationPriority);
  const unusual = boosted - KiOwnPriority(thread);
  KiSetPriorityDecrement(thread, (KiPriorityDecrement(thread) & 15) | (unusual << 4));
  KiStorePriority(thread, boosted, PRIORITY_CHANGE.Starvation);
  const units = load<u32>(SYSTEM, KSYSTEM.StarvationQuantum);
  const quantum = KiQuantum(units == 0 ? KiQuantumReset(thread) : units);
  store<u64>(thread, load<u64>(thread, KTHREAD.CycleTime64) + quantum, KTHREAD.QuantumTarget64);
}

/** Gives a thread another priority of its own, wherever it is, and lets who should run now run. */
export function KiSetPriorityThread(
  prcb: PKPRCB,
  thread: PKTHREAD,
  own: u32,
  reason: PRIORITY_CHANGE,
): void {
  KiMoveToPriority(prcb, thread, KiOverFloor(thread, own), reason);
}

/**
 * Puts a floor under a thread's priority, below the real-time range, while others wait for locks that
 * it owns; 0 takes it away, and the thread is back at its own priority.
 */
export function KiSetPriorityFloor(prcb: PKPRCB, thread: PKTHREAD, floor: u32): void {
  const own = KiOwnPriority(thread);
  const lock = floor == 0 ? 0 : (floor << FLOOR_SHIFT) | (own << OWN_SHIFT);
  store<u32>(thread, KiPriorityDecrement(thread) | lock, KTHREAD.PriorityDecrement);
  const priority = max<u32>(own, floor);
  const lifts = priority > load<u32>(thread, KTHREAD.Priority);
  const reason = lifts ? PRIORITY_CHANGE.AutoBoost : PRIORITY_CHANGE.AutoBoostEnd;
  KiMoveToPriority(prcb, thread, priority, reason);
}

function KiMoveToPriority(
  prcb: PKPRCB,
  thread: PKTHREAD,
  priority: u32,
  reason: PRIORITY_CHANGE,
): void {
  const old = load<u32>(thread, KTHREAD.Priority);
  if (old == priority) return;
  KiTracePriority(thread, priority, reason);
  const state = load<u32>(thread, KTHREAD.State);
  const home = KeGetPrcb(load<u32>(thread, KTHREAD.NextProcessor));
  if (state == KTHREAD_STATE.Ready) {
    KiRemoveReadyThread(home, thread);
    store<u32>(thread, priority, KTHREAD.Priority);
    KiReadyThread(prcb, thread);
    return;
  }
  store<u32>(thread, priority, KTHREAD.Priority);
  if (priority > old) return;
  if (state == KTHREAD_STATE.Running) {
    if (load<u32>(home, KPRCB.NextThread) != 0) return;
    const better = KiSelectReadyThread(priority + 1, home);
    if (better != 0) KiRequestDispatch(prcb, home, better);
  } else if (state == KTHREAD_STATE.Standby) {
    const better = KiSelectReadyThread(priority + 1, home);
    if (better == 0) return;
    KiDisplaceStandby(home);
    KiRequestDispatch(prcb, home, better);
    KiReadyThread(prcb, thread);
  }
}

/**
 * Sets the current priority; boosts end and the quantum starts afresh.
 *
 * @returns the old priority. `priority` is 1..31.
 * @irql PASSIVE_LEVEL   @nt KeSetPriorityThread
 */
export function KeSetPriorityThread(prcb: PKPRCB, thread: PKTHREAD, priority: u32): u32 {
  const old = load<u32>(thread, KTHREAD.Priority);
  KiSetPriorityDecrement(thread, 0);
  KiResetQuantum(thread);
  KiSetPriorityThread(prcb, thread, priority, PRIORITY_CHANGE.Set);
  return old;
}

/** Marks a thread whose increment is at an end of the range, or past it. */
export function KiSetSaturation(thread: PKTHREAD, increment: i32): void {
  let flags = load<u32>(thread, KTHREAD.Flags);
  flags &= ~(THREAD_FLAG.SaturatedHigh | THREAD_FLAG.SaturatedLow);
  if (increment >= 15) flags |= THREAD_FLAG.SaturatedHigh;
  if (increment <= -15) flags |= THREAD_FLAG.SaturatedLow;
  store<u32>(thread, flags, KTHREAD.Flags);
}

/** The base priority of an increment over a process base, within the process's range. */
export function KiClampBasePriority(processBase: u32, increment: i32): u32 {
  const realtime = processBase >= LOW_REALTIME_PRIORITY;
  const low: i32 = realtime ? 16 : 1;
  const high: i32 = realtime ? 31 : 15;
  if (increment >= 15) return high;
  if (increment <= -15) return low;
  return <u32>max<i32>(low, min<i32>(high, <i32>processBase + increment));
}

/**
 * Sets the base priority to the process's plus `increment`, clamped to the class's range; 15 and
 * more, or -15 and less, are its ends. The current priority follows.
 *
 * @returns the previous increment; 16 or -16 if it was at an end by saturation.
 * @irql PASSIVE_LEVEL   @nt KeSetBasePriorityThread
 */
export function KeSetBasePriorityThread(prcb: PKPRCB, thread: PKTHREAD, increment: i32): i32 {
  const processBase = load<u32>(<usize>load<u32>(thread, KTHREAD.Process), KPROCESS.BasePriority);
  const oldBase = load<u32>(thread, KTHREAD.BasePriority);
  const flags = load<u32>(thread, KTHREAD.Flags);
  const high = (flags & THREAD_FLAG.SaturatedHigh) != 0;
  const saturation = high ? 1 : (flags & THREAD_FLAG.SaturatedLow) != 0 ? -1 : 0;
  const previous = saturation != 0 ? saturation * 16 : <i32>oldBase - <i32>processBase;
  KiSetSaturation(thread, increment);
  KiSetBasePriority(prcb, thread, KiClampBasePriority(processBase, increment));
  return previous;
}

/** Gives a thread a base priority, of whatever range, and lets its priority follow. */
export function KiSetBasePriority(prcb: PKPRCB, thread: PKTHREAD, base: u32): void {
  store<u32>(thread, base, KTHREAD.BasePriority);
  KiSetPriorityDecrement(thread, 0);
  KiResetQuantum(thread);
  KiSetPriorityThread(prcb, thread, base, PRIORITY_CHANGE.Base);
}

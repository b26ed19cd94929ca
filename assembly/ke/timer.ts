import { NEVER, PKOBJECT, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import {
  RtlInitializeListHead,
  RtlInsertTailList,
  RtlIsListEmpty,
  RtlRemoveEntryList,
} from '../rtl';
import {
  DISPATCHER_HEADER,
  KDPC,
  KSYSTEM,
  KTHREAD,
  KTIMER,
  KTIMER_OBJECT,
  KTIMER_TABLE,
  LIST_ENTRY,
  TIMER_FLAG,
} from '../shared/layout';
import { LIMIT } from '../shared/limits';
import { TIMER_TOLERANCE } from '../shared/opcode';
import { STATUS } from '../shared/status';
import { ADJUST, THREAD_FLAG } from '../shared/types';
import {
  KiComputeDueTime,
  KiHighResolutionTimerInserted,
  KiInterruptTime,
  KiIsAbsolute,
  KiTimerInserted,
} from './clock';
import { KeInsertQueueDpc } from './dpc';
import { KiSignalObject, KiUnwaitThread } from './wait';

/**
 * The timer table: a wheel of wheels. A timer's level is that of the highest digit, base 64, in which
 * its due time differs from the table's; a slot of a higher level is dealt out again when its time
 * comes. Insertion and removal touch one list; within a due time, timers expire in insertion order.
 *
 * One table for the machine, looked at by the timekeeper, processor 0: the order of virtual time
 * makes it safe, and Windows clients serialise timer expiry on that processor too. High-resolution
 * timers have a table of their own behind it, with finer units, which the clock interrupts for.
 */

export function KiTimerTable(): usize {
  return load<u32>(SYSTEM, KSYSTEM.TimerBase);
}

export function KiHighResolutionTable(): usize {
  return KiTimerTable() + KTIMER_TABLE.Size;
}

function KiTableOf(timer: usize): usize {
  const fine = (load<u32>(timer, KTIMER.Flags) & TIMER_FLAG.HighResolution) != 0;
  return fine ? KiHighResolutionTable() : KiTimerTable();
}

function KiSlotList(table: usize, slot: i32): usize {
  return table + KTIMER_TABLE.SlotList + slot * LIST_ENTRY.Size;
}

/** The slot of timers that are due and do not wake an idle timekeeper. */
const ASIDE: i32 = LIMIT.TimerLevels * LIMIT.TimerSlots;

function KiInitializeTimerTable(table: usize, granularityBits: u32): void {
  store<u32>(table, granularityBits, KTIMER_TABLE.GranularityBits);
  for (let slot = 0; slot <= ASIDE; slot++) RtlInitializeListHead(KiSlotList(table, slot));
}

export function KiInitializeTimerTables(): void {
  KiInitializeTimerTable(KiTimerTable(), LIMIT.TimerGranularityBits);
  KiInitializeTimerTable(KiHighResolutionTable(), LIMIT.HighResolutionBits);
}

function KiUnitOf(table: usize, time: u64): u64 {
  return time >> load<u32>(table, KTIMER_TABLE.GranularityBits);
}

function KiLinkToSlot(table: usize, timer: usize, slot: i32): void {
  store<u32>(timer, slot, KTIMER.Slot);
  RtlInsertTailList(KiSlotList(table, slot), timer + KTIMER.TimerListEntry);
  const occupied = table + KTIMER_TABLE.Occupied64 + ((slot >> 6) << 3);
  store<u64>(occupied, load<u64>(occupied) | ((<u64>1) << (slot & 63)));
}

function KiLinkTimer(table: usize, timer: usize, due: u64): void {
  const elapsed = load<u64>(table, KTIMER_TABLE.Elapsed64);
  const unit = max<u64>(KiUnitOf(table, due), elapsed);
  const difference = unit ^ elapsed;
  const level = difference == 0 ? 0 : <i32>(63 - clz(difference)) / 6;
  KiLinkToSlot(table, timer, level * LIMIT.TimerSlots + (<i32>(unit >> (level * 6)) & 63));
}

/** Puts a timer into its table and, if the timekeeper is idle, sees that it wakes in time. */
export function KiInsertTimer(timer: usize, due: u64): void {
  const table = KiTableOf(timer);
  store<u64>(timer, due, KTIMER.DueTime64);
  KiLinkTimer(table, timer, due);
  store<u32>(SYSTEM, load<u32>(SYSTEM, KSYSTEM.TimerCount) + 1, KSYSTEM.TimerCount);
  if (table == KiTimerTable()) KiTimerInserted(due);
  else KiHighResolutionTimerInserted(due);
}

function KiUnlinkTimer(table: usize, timer: usize): void {
  const slot = load<u32>(timer, KTIMER.Slot);
  if (!RtlRemoveEntryList(timer + KTIMER.TimerListEntry)) return;
  const occupied = table + KTIMER_TABLE.Occupied64 + ((slot >> 6) << 3);
  store<u64>(occupied, load<u64>(occupied) & ~((<u64>1) << (slot & 63)));
}

export function KiRemoveTimer(timer: usize): void {
  const flags = load<u32>(timer, KTIMER.Flags);
  if ((flags & TIMER_FLAG.Expiring) != 0) {
    // It was about to expire in this very step, and has left the table already.
    store<u32>(timer, flags & ~TIMER_FLAG.Expiring, KTIMER.Flags);
    RtlRemoveEntryList(timer + KTIMER.TimerListEntry);
    return;
  }
  store<u32>(SYSTEM, load<u32>(SYSTEM, KSYSTEM.TimerCount) - 1, KSYSTEM.TimerCount);
  KiUnlinkTimer(KiTableOf(timer), timer);
}

/** Makes a chain that ends in 0 a list: what expires may take others of it out again. */
function KiListExpiring(entry: usize): usize {
  const head = KiTimerTable() + KTIMER_TABLE.SortHead;
  RtlInitializeListHead(head);
  while (entry != 0) {
    const next: usize = load<u32>(entry, LIST_ENTRY.Flink);
    const timer = entry - KTIMER.TimerListEntry;
    store<u32>(timer, load<u32>(timer, KTIMER.Flags) | TIMER_FLAG.Expiring, KTIMER.Flags);
    RtlInsertTailList(head, entry);
    entry = next;
  }
  return head;
}

/** Deals the timers of a slot of a higher level out to the levels below. */
function KiDealSlot(table: usize, level: i32, index: i32): void {
  const list = KiSlotList(table, level * LIMIT.TimerSlots + index);
  const occupied = table + KTIMER_TABLE.Occupied64 + (level << 3);
  store<u64>(occupied, load<u64>(occupied) & ~((<u64>1) << index));
  // The list is taken whole: a timer may come back to a slot of this level only further on.
  let entry: usize = load<u32>(list, LIST_ENTRY.Flink);
  RtlInitializeListHead(list);
  while (entry != list) {
    const next: usize = load<u32>(entry, LIST_ENTRY.Flink);
    KiLinkTimer(table, entry - KTIMER.TimerListEntry, KiDueTime(entry));
    entry = next;
  }
}

/** The finest level that holds a timer. Every timer of a level is due before any of a coarser one. */
function KiFirstLevel(table: usize): i32 {
  for (let level = 0; level < LIMIT.TimerLevels; level++) {
    if (load<u64>(table + KTIMER_TABLE.Occupied64 + (level << 3)) != 0) return level;
  }
  return LIMIT.TimerLevels;
}

/** The unit of time at which the first occupied slot of a level begins. */
function KiFirstUnit(table: usize, level: i32): u64 {
  const occupied = load<u64>(table + KTIMER_TABLE.Occupied64 + (level << 3));
  const shift = level * 6;
  const digits = load<u64>(table, KTIMER_TABLE.Elapsed64) >> shift;
  return (((digits >> 6) << 6) | <u64>ctz(occupied)) << shift;
}

/** A time not after the earliest due time, and exact if that is near; NEVER if no timer is set. */
export function KiTimersLowerBound(table: usize): u64 {
  const level = KiFirstLevel(table);
  if (level == LIMIT.TimerLevels) return NEVER;
  const unit = KiFirstUnit(table, level);
  if (level != 0) return unit << load<u32>(table, KTIMER_TABLE.GranularityBits);
  const list = KiSlotList(table, <i32>unit & 63);
  let earliest = NEVER;
  let entry: usize = load<u32>(list, LIST_ENTRY.Flink);
  while (entry != list) {
    earliest = min<u64>(earliest, KiDueTime(entry));
    entry = load<u32>(entry, LIST_ENTRY.Flink);
  }
  return earliest;
}

/** Whether a timer is due by `now`. Deals slots that have begun, so that the answer is exact. */
export function KiIsTimerDue(table: usize, now: u64): bool {
  const nowUnit = KiUnitOf(table, now);
  for (;;) {
    const level = KiFirstLevel(table);
    if (level == LIMIT.TimerLevels) break;
    const unit = KiFirstUnit(table, level);
    if (unit > nowUnit) break;
    if (level == 0) return KiTimersLowerBound(table) <= now;
    store<u64>(table, unit, KTIMER_TABLE.Elapsed64);
    KiDealSlot(table, level, <i32>(unit >> (level * 6)) & 63);
  }
  return false;
}

/** When a timer that is due wakes an idle timekeeper: at its due time, or later by its tolerance; NEVER if not at all. */
function KiWakeTime(timer: usize): u64 {
  const due = load<u64>(timer, KTIMER.DueTime64);
  if ((load<u32>(timer, KTIMER.Flags) & TIMER_FLAG.NoWake) == 0) return due;
  const tolerance = load<u32>(timer - KTIMER_OBJECT.Timer, KTIMER_OBJECT.TolerableDelay);
  return tolerance == TIMER_TOLERANCE.Unlimited ? NEVER : due + <u64>tolerance * 1_000_000;
}

/** Takes the timers that are due out of the first slot, unless one of them wakes the timekeeper; whether it has. */
function KiSetSlotAside(table: usize, now: u64): bool {
  const list = KiSlotList(table, <i32>KiFirstUnit(table, 0) & 63);
  let entry: usize = load<u32>(list, LIST_ENTRY.Flink);
  for (; entry != list; entry = load<u32>(entry, LIST_ENTRY.Flink)) {
    if (KiDueTime(entry) <= now && KiWakeTime(entry - KTIMER.TimerListEntry) <= now) return false;
  }
  entry = load<u32>(list, LIST_ENTRY.Flink);
  while (entry != list) {
    const next: usize = load<u32>(entry, LIST_ENTRY.Flink);
    const timer = entry - KTIMER.TimerListEntry;
    if (KiDueTime(entry) <= now) {
      KiUnlinkTimer(table, timer);
      KiLinkToSlot(table, timer, ASIDE);
    }
    entry = next;
  }
  return true;
}

/** When the first of the timers that were set aside wakes the timekeeper; NEVER if none does. */
function KiAsideTime(table: usize): u64 {
  const list = KiSlotList(table, ASIDE);
  let earliest = NEVER;
  let entry: usize = load<u32>(list, LIST_ENTRY.Flink);
  while (entry != list) {
    earliest = min<u64>(earliest, KiWakeTime(entry - KTIMER.TimerListEntry));
    entry = load<u32>(entry, LIST_ENTRY.Flink);
  }
  return earliest;
}

/** Whether an idle timekeeper is to wake now. Timers that are due and do not wake it are set aside. */
export function KiDoTimersWake(now: u64): bool {
  const table = KiTimerTable();
  while (KiIsTimerDue(table, now)) {
    if (!KiSetSlotAside(table, now)) return true;
  }
  const aside = KiAsideTime(table);
  store<u64>(table, aside, KTIMER_TABLE.AsideTime64);
  return aside <= now;
}

/** When an idle timekeeper is to look at the timers again; NEVER if no timer is set that wakes it. */
export function KiTimersWakeTime(): u64 {
  const table = KiTimerTable();
  const bound = KiTimersLowerBound(table);
  if (RtlIsListEmpty(KiSlotList(table, ASIDE))) return bound;
  return min<u64>(bound, load<u64>(table, KTIMER_TABLE.AsideTime64));
}

/** Puts the timers that were set aside back among those that are due: the timekeeper is awake. */
function KiTakeAside(table: usize): void {
  const list = KiSlotList(table, ASIDE);
  while (!RtlIsListEmpty(list)) {
    const entry: usize = load<u32>(list, LIST_ENTRY.Flink);
    KiUnlinkTimer(table, entry - KTIMER.TimerListEntry);
    KiLinkTimer(table, entry - KTIMER.TimerListEntry, KiDueTime(entry));
  }
}

/** Ends the wait or delay that a thread's own timer limits. */
function KiExpireThreadTimer(prcb: PKPRCB, timer: usize): void {
  const thread: PKTHREAD = timer - KTHREAD.Timer;
  const flags = load<u32>(thread, KTHREAD.Flags) & ~THREAD_FLAG.TimerInserted;
  store<u32>(thread, flags, KTHREAD.Flags);
  const limitsWait = (flags & (THREAD_FLAG.WaitBlockInserted | THREAD_FLAG.WaitMultiple)) != 0;
  KiUnwaitThread(prcb, thread, limitsWait ? STATUS.TIMEOUT : STATUS.SUCCESS, ADJUST.Timeout, 0);
}

function KiDueTime(entry: usize): u64 {
  return load<u64>(entry - KTIMER.TimerListEntry, KTIMER.DueTime64);
}

/**
 * The time at which a timer expires that may do so up to `tolerance` ms after `due`: the first
 * multiple of 1 s in that span, else of 500, 250, 100 or 50 ms, so that timers meet; else `due`.
 *
 * Windows promises the span only; the times are a rule of ours.
 */
function KiCoalesce(due: u64, tolerance: u32): u64 {
  if (tolerance == 0 || due > NEVER >> 1) return due;
  const span = <u64>tolerance * 1_000_000;
  for (let period: u64 = 1_000_000_000; period != 0; period = KiFinerPeriod(period)) {
    const meeting = ((due + period - 1) / period) * period;
    if (meeting - due <= span) return meeting;
  }
  return due;
}

/** The next of the periods at whose multiples timers meet, 1 s being the first; 0 after the last. */
function KiFinerPeriod(period: u64): u64 {
  if (period == 250_000_000) return 100_000_000;
  return period == 50_000_000 ? 0 : period >> 1;
}

/** Gives a timer that is set its DPC, or (0) takes it away. */
export function KiSetTimerDpc(object: PKOBJECT, dpc: PKOBJECT): void {
  const old: PKOBJECT = load<u32>(object, KTIMER_OBJECT.Dpc);
  store<u32>(object, <u32>dpc, KTIMER_OBJECT.Dpc);
  if (old != 0) store<u32>(old, load<u32>(old, KDPC.Timers) - 1, KDPC.Timers);
  if (dpc != 0) store<u32>(dpc, load<u32>(dpc, KDPC.Timers) + 1, KDPC.Timers);
}

/** What a timer is for good. */
const ATTRIBUTES: u32 = TIMER_FLAG.HighResolution | TIMER_FLAG.NoWake | TIMER_FLAG.Executive;

/** Puts a timer object into its table, with TIMER_FLAG.Absolute or 0. */
function KiInsertTimerObject(object: PKOBJECT, due: u64, absolute: u32): void {
  const timer = object + KTIMER_OBJECT.Timer;
  const attributes = load<u32>(timer, KTIMER.Flags) & ATTRIBUTES;
  const tolerance = load<u32>(object, KTIMER_OBJECT.TolerableDelay);
  const meeting = (attributes & TIMER_FLAG.NoWake) != 0 ? due : KiCoalesce(due, tolerance);
  store<u32>(object, <u32>(meeting - due), KTIMER_OBJECT.CoalescedDelay);
  store<u32>(object, 1, KTIMER_OBJECT.Inserted);
  store<u32>(timer, attributes | TIMER_FLAG.Object | absolute, KTIMER.Flags);
  KiInsertTimer(timer, meeting);
}

/** When a periodic timer that was due at `due` is due again: the first of its periods that can still come. */
function KiNextPeriod(object: PKOBJECT, due: u64, now: u64): u64 {
  const flags = load<u32>(object + KTIMER_OBJECT.Timer, KTIMER.Flags);
  const unit: u64 = (flags & TIMER_FLAG.Executive) != 0 ? 100 : 1_000_000;
  const period = <u64>load<u32>(object, KTIMER_OBJECT.Period) * unit;
  let passed = now - due;
  if ((flags & TIMER_FLAG.HighResolution) != 0) {
    passed += load<u32>(SYSTEM, KSYSTEM.MinimumTimerResolution) - 1;
  }
  return due + period * (passed / period + 1);
}

/** Signals a timer whose time has come, and queues its DPC; a periodic one is due again at the first period that is to come. */
function KiExpireTimerObject(prcb: PKPRCB, object: PKOBJECT, now: u64): void {
  const meeting = load<u64>(object + KTIMER_OBJECT.Timer, KTIMER.DueTime64);
  const due = meeting - load<u32>(object, KTIMER_OBJECT.CoalescedDelay);
  const dpc: PKOBJECT = load<u32>(object, KTIMER_OBJECT.Dpc);
  store<u32>(object, 0, KTIMER_OBJECT.Inserted);
  if (load<u32>(object, KTIMER_OBJECT.Period) == 0) KiSetTimerDpc(object, 0);
  else KiInsertTimerObject(object, KiNextPeriod(object, due, now), 0);
  KiSignalObject(prcb, object, 0);
  if (dpc != 0 && KeInsertQueueDpc(prcb, dpc, 0, 0)) store<u32>(dpc, 1, KDPC.QueuedByTimer);
}

/**
 * Sets a timer to a TIMEOUT, and again every `period` ms if that is not 0; each time it may be up to
 * `tolerance` ms late. It is not signaled then; a time that has come signals it at once. `dpc`, if
 * it is not 0, is queued each time it expires.
 *
 * @returns whether it was set already: that setting is void.
 * @irql at most DISPATCH_LEVEL   @nt KeSetCoalescableTimer
 */
export function KeSetCoalescableTimer(
  prcb: PKPRCB,
  object: PKOBJECT,
  timeout: u64,
  period: u32,
  tolerance: u32,
  dpc: PKOBJECT,
): bool {
  const inserted = KeCancelTimer(object);
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  const due = KiComputeDueTime(timeout);
  const absolute = KiIsAbsolute(timeout) ? TIMER_FLAG.Absolute : 0;
  store<i32>(object, 0, DISPATCHER_HEADER.SignalState);
  store<u32>(object, period, KTIMER_OBJECT.Period);
  store<u32>(object, tolerance, KTIMER_OBJECT.TolerableDelay);
  store<u32>(object, 0, KTIMER_OBJECT.CoalescedDelay);
  store<u64>(object + KTIMER_OBJECT.Timer, now, KTIMER.DueTime64);
  KiSetTimerDpc(object, dpc);
  if (due <= now) KiExpireTimerObject(prcb, object, now);
  else KiInsertTimerObject(object, due, absolute);
  return inserted;
}

/**
 * Takes a timer out of the table; its signal state stays as it is.
 *
 * @returns whether it was set.
 * @irql at most DISPATCH_LEVEL   @nt KeCancelTimer
 */
export function KeCancelTimer(object: PKOBJECT): bool {
  if (load<u32>(object, KTIMER_OBJECT.Inserted) == 0) return false;
  store<u32>(object, 0, KTIMER_OBJECT.Inserted);
  KiSetTimerDpc(object, 0);
  KiRemoveTimer(object + KTIMER_OBJECT.Timer);
  return true;
}

/** Merges two chains that end in 0, by due time; of equals those of `first` come first. */
function KiMergeByDueTime(first: usize, second: usize): usize {
  if (first == 0) return second;
  const chain = KiTimerTable() + KTIMER_TABLE.SortHead;
  let last = chain;
  while (first != 0 && second != 0) {
    const take = KiDueTime(first) <= KiDueTime(second) ? first : second;
    store<u32>(last, <u32>take, LIST_ENTRY.Flink);
    last = take;
    if (take == first) first = load<u32>(take, LIST_ENTRY.Flink);
    else second = load<u32>(take, LIST_ENTRY.Flink);
  }
  store<u32>(last, <u32>(first != 0 ? first : second), LIST_ENTRY.Flink);
  return load<u32>(chain, LIST_ENTRY.Flink);
}

/** Sorts a chain by due time, stably: a merge sort whose runs of 2^n entries wait in bin n. */
function KiSortByDueTime(entry: usize): usize {
  const bins = KiTimerTable() + KTIMER_TABLE.SortBins;
  while (entry != 0) {
    const next: usize = load<u32>(entry, LIST_ENTRY.Flink);
    store<u32>(entry, 0, LIST_ENTRY.Flink);
    let run = entry;
    let bin = bins;
    while (load<u32>(bin) != 0) {
      run = KiMergeByDueTime(load<u32>(bin), run);
      store<u32>(bin, 0);
      bin += 4;
    }
    store<u32>(bin, <u32>run);
    entry = next;
  }
  let sorted: usize = 0;
  for (let bin = bins; bin < bins + KTIMER_TABLE.SortBinCount * 4; bin += 4) {
    const run: usize = load<u32>(bin);
    store<u32>(bin, 0);
    if (run != 0) sorted = KiMergeByDueTime(run, sorted);
  }
  return sorted;
}

/** Unlinks the timers of a finest slot that are due by `now`: a chain in order of due time. */
function KiCollectSlot(list: usize, now: u64): usize {
  let chain: usize = 0;
  let entry: usize = load<u32>(list, LIST_ENTRY.Blink);
  while (entry != list) {
    const previous: usize = load<u32>(entry, LIST_ENTRY.Blink);
    if (KiDueTime(entry) <= now) {
      KiRemoveTimer(entry - KTIMER.TimerListEntry);
      store<u32>(entry, <u32>chain, LIST_ENTRY.Flink);
      chain = entry;
    }
    entry = previous;
  }
  if (chain == 0 || load<u32>(chain, LIST_ENTRY.Flink) == 0) return chain;
  return KiSortByDueTime(chain);
}

/** Expires every timer of a table that is due by `now`, in order of due time; the count. */
export function KiExpireTimers(prcb: PKPRCB, table: usize, now: u64): u32 {
  const nowUnit = KiUnitOf(table, now);
  let count: u32 = 0;
  KiTakeAside(table);
  for (;;) {
    const level = KiFirstLevel(table);
    if (level == LIMIT.TimerLevels) break;
    const unit = KiFirstUnit(table, level);
    if (unit > nowUnit) break;
    store<u64>(table, unit, KTIMER_TABLE.Elapsed64);
    if (level != 0) {
      KiDealSlot(table, level, <i32>(unit >> (level * 6)) & 63);
      continue;
    }
    const expiring = KiListExpiring(KiCollectSlot(KiSlotList(table, <i32>unit & 63), now));
    while (!RtlIsListEmpty(expiring)) {
      const entry: usize = load<u32>(expiring, LIST_ENTRY.Flink);
      const timer = entry - KTIMER.TimerListEntry;
      KiRemoveTimer(timer);
      const own = (load<u32>(timer, KTIMER.Flags) & TIMER_FLAG.Object) == 0;
      if (own) KiExpireThreadTimer(prcb, timer);
      else KiExpireTimerObject(prcb, timer - KTIMER_OBJECT.Timer, now);
      count++;
    }
    // Timers later in the present unit stay where they are.
    if (unit == nowUnit) break;
  }
  store<u64>(table, nowUnit, KTIMER_TABLE.Elapsed64);
  return count;
}

/** Unlinks every timer that goes by the system time: a chain in order of due time. */
function KiCollectAbsolute(): usize {
  let chain: usize = 0;
  for (let slot = 0; slot <= ASIDE; slot++) {
    const list = KiSlotList(KiTimerTable(), slot);
    let entry: usize = load<u32>(list, LIST_ENTRY.Blink);
    while (entry != list) {
      const previous: usize = load<u32>(entry, LIST_ENTRY.Blink);
      const timer = entry - KTIMER.TimerListEntry;
      if ((load<u32>(timer, KTIMER.Flags) & TIMER_FLAG.Absolute) != 0) {
        KiRemoveTimer(timer);
        store<u32>(entry, <u32>chain, LIST_ENTRY.Flink);
        chain = entry;
      }
      entry = previous;
    }
  }
  return KiSortByDueTime(chain);
}

/** A due time after the clock was set forward by `shift` (100 ns): not before now, nor after the end of time. */
function KiShiftDueTime(due: u64, shift: i64): u64 {
  if (due == NEVER) return NEVER;
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  if (shift < 0) {
    const later = <u64>-shift;
    return later > (NEVER - due) / 100 ? NEVER : due + later * 100;
  }
  return <u64>shift > (due - min<u64>(due, now)) / 100 ? now : due - <u64>shift * 100;
}

/**
 * Sets the system time to `time`, 100 ns since 1601. Timers that go by it, and waits and delays
 * until a system time, end sooner or later by as much; those whose time has come end at the next
 * tick. Nothing else notices.
 *
 * @irql PASSIVE_LEVEL   @internal @nt KeSetSystemTime
 */
export function KeSetSystemTime(time: i64): void {
  const boot = time - <i64>(KiInterruptTime() / 100);
  const shift = boot - load<i64>(SYSTEM, KSYSTEM.SystemBootTime64);
  store<i64>(SYSTEM, boot, KSYSTEM.SystemBootTime64);
  let entry = KiCollectAbsolute();
  while (entry != 0) {
    const next: usize = load<u32>(entry, LIST_ENTRY.Flink);
    KiInsertTimer(entry - KTIMER.TimerListEntry, KiShiftDueTime(KiDueTime(entry), shift));
    entry = next;
  }
}

import { HalNotify, HalSetInterruptTime, KeGetPrcb, NEVER, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import { BUGCHECK } from '../shared/bugcheck';
import { EVENT, VECTOR } from '../shared/event';
import { ATTENTION, KDPC_DATA, KPRCB, KSYSTEM, KTHREAD } from '../shared/layout';
import { TIMEOUT } from '../shared/opcode';
import { IRQL, THREAD_FLAG } from '../shared/types';
import { KeBugCheckEx } from './bugcheck';
import { KiTakeTime } from './dispatch';
import { KiThreadIndex } from './object';
import {
  KiDoTimersWake,
  KiExpireTimers,
  KiHighResolutionTable,
  KiIsTimerDue,
  KiTimersLowerBound,
  KiTimersWakeTime,
  KiTimerTable,
} from './timer';
import { KiTrace } from './trace';

/**
 * The clock interrupt. Ticks fall on multiples of the timer resolution since boot, on every
 * processor at once, but only where something depends on them: a processor that runs a thread, and
 * the timekeeper (processor 0) when a timer is due.
 */

/** The first tick after now. One division an interval, whatever the load. */
export function KiNextTick(): u64 {
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  const resolution = <u64>load<u32>(SYSTEM, KSYSTEM.TimerResolution);
  const boundary = load<u64>(SYSTEM, KSYSTEM.NextBoundary64);
  if (now < boundary && now + resolution >= boundary) return boundary;
  const next = (now / resolution + 1) * resolution;
  store<u64>(SYSTEM, next, KSYSTEM.NextBoundary64);
  return next;
}

/** The first tick at or after `due`, and after now. */
function KiTickAtOrAfter(due: u64): u64 {
  const resolution = <u64>load<u32>(SYSTEM, KSYSTEM.TimerResolution);
  const next = KiNextTick();
  if (due <= next) return next;
  if (due > NEVER - resolution) return NEVER;
  return ((due + resolution - 1) / resolution) * resolution;
}

function KiDpcQueueDepth(prcb: PKPRCB): u32 {
  return load<u32>(prcb, KPRCB.DpcData + KDPC_DATA.DpcQueueDepth);
}

/** The time at the last clock tick: what routines show that do not say Precise. Ns since boot. */
export function KiInterruptTime(): u64 {
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  const resolution = <u64>load<u32>(SYSTEM, KSYSTEM.TimerResolution);
  return max<u64>(load<u64>(SYSTEM, KSYSTEM.TickBase64), (now / resolution) * resolution);
}

/** Whether a TIMEOUT is a system time. */
export function KiIsAbsolute(timeout: u64): bool {
  return timeout >> TIMEOUT.AbsoluteBit != 0;
}

/** The time, since boot, that a TIMEOUT comes to: now if that has passed, never if past the end of time. */
export function KiComputeDueTime(timeout: u64): u64 {
  if (timeout == NEVER) return NEVER;
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  if (!KiIsAbsolute(timeout)) return now + timeout < now ? NEVER : now + timeout;
  const boot = load<i64>(SYSTEM, KSYSTEM.SystemBootTime64);
  const time = <i64>(timeout & ~((<u64>1) << TIMEOUT.AbsoluteBit));
  if (time <= boot) return now;
  const sinceBoot = <u64>time - <u64>boot;
  return sinceBoot > NEVER / 100 ? NEVER : max<u64>(now, sinceBoot * 100);
}

/** When an idle processor must look at the clock again: only the timekeeper ever, for its timers. */
export function KiIdleTickTime(prcb: PKPRCB): u64 {
  if (load<u32>(prcb, KPRCB.Number) != 0) return NEVER;
  const earliest = KiTimersWakeTime();
  return earliest == NEVER ? NEVER : KiTickAtOrAfter(earliest);
}

/** A high-resolution timer was set: the timekeeper's clock must not come later. */
export function KiHighResolutionTimerInserted(due: u64): void {
  const timekeeper = KeGetPrcb(0);
  if (due >= load<u64>(timekeeper, KPRCB.TimerTime64)) return;
  HalSetInterruptTime(timekeeper, KPRCB.TimerTime64, due);
  HalNotify(timekeeper, load<u64>(timekeeper, KPRCB.NextInterrupt64));
}

/** A timer was set: an idle timekeeper must not sleep past it. */
export function KiTimerInserted(due: u64): void {
  const timekeeper = KeGetPrcb(0);
  if (load<u32>(timekeeper, KPRCB.CurrentThread) != 0) return;
  const tick = KiTickAtOrAfter(due);
  if (tick >= load<u64>(timekeeper, KPRCB.TickTime64)) return;
  HalSetInterruptTime(timekeeper, KPRCB.TickTime64, tick);
  HalNotify(timekeeper, tick);
}

/**
 * Lets the clock interrupt every `resolution` ns from now on, on every processor. A tick that has
 * come and is held off is not lost, and the time that has been shown stays.
 */
export function KiSetTimerResolution(resolution: u32): void {
  store<u64>(SYSTEM, KiInterruptTime(), KSYSTEM.TickBase64);
  store<u32>(SYSTEM, resolution, KSYSTEM.TimerResolution);
  // The boundary of the former resolution may lie before the next one: no tick is remembered.
  store<u64>(SYSTEM, 0, KSYSTEM.NextBoundary64);
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  for (let number: u32 = 0; number < processors; number++) {
    const prcb = KeGetPrcb(number);
    if (load<u64>(prcb, KPRCB.TickTime64) <= now) continue;
    const work =
      load<u32>(prcb, KPRCB.CurrentThread) |
      load<u32>(prcb, KPRCB.Activation) |
      KiDpcQueueDepth(prcb);
    const tick = work == 0 ? KiIdleTickTime(prcb) : KiNextTick();
    HalSetInterruptTime(prcb, KPRCB.TickTime64, tick);
    if (tick != NEVER) HalNotify(prcb, tick);
  }
}

/** Charges a tick of `ClockInterval` to the mode it interrupted, as Windows shows times. */
function KiChargeTick(prcb: PKPRCB, thread: PKTHREAD, now: u64): void {
  const interval = <u64>load<u32>(SYSTEM, KSYSTEM.ClockInterval);
  const resolution = <u64>load<u32>(SYSTEM, KSYSTEM.TimerResolution);
  // The tick before, or the change of resolution that came after it.
  const before = max<u64>(load<u64>(SYSTEM, KSYSTEM.TickBase64), now - resolution);
  if (interval != resolution && now / interval == before / interval) return;
  if (thread == 0 || load<u32>(prcb, KPRCB.Activation) != 0) return;
  const flags = load<u32>(thread, KTHREAD.Flags);
  const user = (flags & (THREAD_FLAG.UserMode | THREAD_FLAG.KernelCompute)) == THREAD_FLAG.UserMode;
  const threadField = user ? KTHREAD.UserTicks : KTHREAD.KernelTicks;
  const prcbField = user ? KPRCB.UserTicks : KPRCB.KernelTicks;
  store<u32>(thread + threadField, load<u32>(thread + threadField) + 1);
  store<u32>(prcb + prcbField, load<u32>(prcb + prcbField) + 1);
}

export function KiTraceInterrupt(prcb: PKPRCB, vector: u32, irql: u32, cost: u32): void {
  const thread: PKTHREAD = load<u32>(prcb, KPRCB.CurrentThread);
  store<u64>(prcb, load<u64>(prcb, KPRCB.Interrupts64) + 1, KPRCB.Interrupts64);
  KiTrace(
    EVENT.Interrupt,
    load<u32>(prcb, KPRCB.Number),
    0,
    vector,
    thread == 0 ? 0 : KiThreadIndex(thread),
    irql,
    0,
    cost,
  );
  KiTakeTime(prcb, cost, KPRCB.InterruptTime64);
}

/**
 * The clock interrupt of one processor: a tick of run time, the quantum check and, on the
 * timekeeper, the timers, whose DPC runs before the dispatcher does.
 *
 * @irql CLOCK_LEVEL   @internal @nt KeUpdateRunTime
 */
export function KiClockInterrupt(prcb: PKPRCB, now: u64): void {
  const thread: PKTHREAD = load<u32>(prcb, KPRCB.CurrentThread);
  const timekeeper = load<u32>(prcb, KPRCB.Number) == 0;
  // An idle timekeeper may wake for a slot whose timers have gone or are due later: no interrupt then.
  const busy = thread != 0 || load<u32>(prcb, KPRCB.Activation) != 0;
  if (!busy && KiDpcQueueDepth(prcb) == 0 && !KiDoTimersWake(now)) {
    HalSetInterruptTime(prcb, KPRCB.TickTime64, KiIdleTickTime(prcb));
    return;
  }
  KiTraceInterrupt(prcb, VECTOR.Clock, IRQL.CLOCK_LEVEL, load<u32>(SYSTEM, KSYSTEM.CostClock));
  KiChargeTick(prcb, thread, now);
  KiWatchDpc(prcb);
  if (
    thread != 0 &&
    load<u64>(thread, KTHREAD.CycleTime64) >= load<u64>(thread, KTHREAD.QuantumTarget64)
  ) {
    store<u32>(prcb, load<u32>(prcb, KPRCB.Attention) | ATTENTION.QuantumEnd, KPRCB.Attention);
  }
  if (timekeeper && load<u32>(SYSTEM, KSYSTEM.TimerCount) != 0) {
    KiTimerExpiration(prcb, KiTimerTable(), now);
  }
  HalSetInterruptTime(prcb, KPRCB.TickTime64, busy ? KiNextTick() : KiIdleTickTime(prcb));
}

/** Expires the timers of a table that are due, and takes the time for it. */
function KiTimerExpiration(prcb: PKPRCB, table: usize, now: u64): void {
  const count = KiExpireTimers(prcb, table, now);
  if (count == 0) return;
  const cost = load<u32>(SYSTEM, KSYSTEM.CostDpc) * count;
  const number = load<u32>(prcb, KPRCB.Number);
  KiTrace(EVENT.Dpc, number, 0, VECTOR.TimerExpiration, count, 0, 0, cost);
  KiTakeTime(prcb, cost, KPRCB.InterruptTime64);
}

/** The clock interrupt of the timekeeper for high-resolution timers, if one is due. */
export function KiTimerInterrupt(prcb: PKPRCB, now: u64): void {
  const table = KiHighResolutionTable();
  if (KiIsTimerDue(table, now)) {
    KiTraceInterrupt(prcb, VECTOR.Timer, IRQL.CLOCK_LEVEL, load<u32>(SYSTEM, KSYSTEM.CostClock));
    KiTimerExpiration(prcb, table, now);
  }
  HalSetInterruptTime(prcb, KPRCB.TimerTime64, KiTimersLowerBound(table));
}

/** Sees that queued DPCs run, and that none, nor DISPATCH_LEVEL as a whole, lasts too long. */
function KiWatchDpc(prcb: PKPRCB): void {
  store<u32>(prcb, load<u32>(prcb, KPRCB.DpcCount), KPRCB.DpcLastCount);
  if (KiDpcQueueDepth(prcb) != 0) {
    store<u32>(prcb, load<u32>(prcb, KPRCB.Attention) | ATTENTION.Dpc, KPRCB.Attention);
  }
  if (load<u32>(prcb, KPRCB.Irql) < <u32>IRQL.DISPATCH_LEVEL) {
    store<u32>(prcb, 0, KPRCB.DpcWatchdogCount);
    return;
  }
  const watchdog = load<u32>(prcb, KPRCB.DpcWatchdogCount) + 1;
  store<u32>(prcb, watchdog, KPRCB.DpcWatchdogCount);
  const period = load<u32>(SYSTEM, KSYSTEM.DpcWatchdogLimit);
  if (period != 0 && watchdog > period) {
    KeBugCheckEx(BUGCHECK.DPC_WATCHDOG_VIOLATION, 1, period, 0, 0);
  }
  if (load<u32>(prcb, KPRCB.Activation) == 0) return;
  const count = load<u32>(prcb, KPRCB.DpcTimeCount) + 1;
  store<u32>(prcb, count, KPRCB.DpcTimeCount);
  const limit = load<u32>(SYSTEM, KSYSTEM.DpcTimeLimit);
  if (limit != 0 && count > limit) {
    KeBugCheckEx(BUGCHECK.DPC_WATCHDOG_VIOLATION, 0, count, limit, 0);
  }
}

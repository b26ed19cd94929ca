import {
  HalIsInterruptDue,
  HalNotify,
  HalSetInterruptTime,
  KeGetPrcb,
  NEVER,
  PKOBJECT,
  PKPRCB,
  PKPROCESS,
  PKTHREAD,
  SYSTEM,
} from '../hal';
import { EVENT, VECTOR } from '../shared/event';
import {
  KINTERRUPT,
  KINTERRUPT_OBJECT,
  KOBJECT,
  KPRCB,
  KPROCESS,
  KSYSTEM,
  KTHREAD,
  PROCESS_FLAG,
} from '../shared/layout';
import { IRQL, KOBJECTS } from '../shared/types';
import { KiBeginActivation } from './activation';
import { KiClockInterrupt, KiTimerInterrupt, KiTraceInterrupt } from './clock';
import { KiTakeTime } from './dispatch';
import { KeInsertQueueDpc } from './dpc';
import { KeSetEvent } from './event';
import { KiObjectFromHandle } from './object';
import { KeReleaseSemaphore } from './semaphore';
import { KiAcquireInterruptLock } from './spinlock';
import { KiTrace } from './trace';

/** What interrupts a processor: others' requests, the clock, and devices whose interrupts were scheduled. */

/** Device interrupts taken in one step; the rest follow at the same time. */
const DEVICE_BATCH: u32 = 32;

function KiAllocateInterrupt(): usize {
  const free: usize = load<u32>(SYSTEM, KSYSTEM.InterruptFree);
  if (free != 0) {
    store<u32>(SYSTEM, load<u32>(free, KINTERRUPT.Next), KSYSTEM.InterruptFree);
    return free;
  }
  const used = load<u32>(SYSTEM, KSYSTEM.InterruptHighWater);
  if (used == load<u32>(SYSTEM, KSYSTEM.InterruptCapacity)) return 0;
  store<u32>(SYSTEM, used + 1, KSYSTEM.InterruptHighWater);
  return <usize>load<u32>(SYSTEM, KSYSTEM.InterruptBase) + used * KINTERRUPT.Size;
}

/**
 * Schedules a device interrupt on a processor, whose DPC signals an event or releases a semaphore
 * by one, with an I/O boost of `increment`. In time order, then in the order of the calls; calls in
 * time order cost O(1).
 *
 * @returns false if the capacity is used up.
 */
export function KiScheduleInterrupt(processor: u32, time: u64, object: u64, increment: u32): bool {
  const interrupt = KiAllocateInterrupt();
  if (interrupt == 0) return false;
  const prcb = KeGetPrcb(processor);
  time = max<u64>(time, load<u64>(SYSTEM, KSYSTEM.Time64));
  store<u64>(interrupt, time, KINTERRUPT.Time64);
  store<u64>(interrupt, object, KINTERRUPT.Object64);
  store<u32>(interrupt, increment, KINTERRUPT.Increment);
  store<u32>(interrupt, KiDeviceLevel(KiObjectFromHandle(object)), KINTERRUPT.Level);
  store<u32>(interrupt, 0, KINTERRUPT.Next);
  const tail: usize = load<u32>(prcb, KPRCB.DeviceTail);
  if (tail != 0 && load<u64>(tail, KINTERRUPT.Time64) <= time) {
    store<u32>(tail, <u32>interrupt, KINTERRUPT.Next);
    store<u32>(prcb, <u32>interrupt, KPRCB.DeviceTail);
    return true;
  }
  let previous: usize = 0;
  let next: usize = load<u32>(prcb, KPRCB.DeviceHead);
  while (next != 0 && load<u64>(next, KINTERRUPT.Time64) <= time) {
    previous = next;
    next = load<u32>(next, KINTERRUPT.Next);
  }
  store<u32>(interrupt, <u32>next, KINTERRUPT.Next);
  if (previous != 0) store<u32>(previous, <u32>interrupt, KINTERRUPT.Next);
  else store<u32>(prcb, <u32>interrupt, KPRCB.DeviceHead);
  if (next == 0) store<u32>(prcb, <u32>interrupt, KPRCB.DeviceTail);
  if (previous == 0) {
    HalSetInterruptTime(prcb, KPRCB.DeviceTime64, time);
  } else {
    // Behind interrupts that the level holds off, it may still be the next to come.
    HalSetInterruptTime(prcb, KPRCB.DeviceTime64, load<u64>(prcb, KPRCB.DeviceTime64));
  }
  HalNotify(prcb, load<u64>(prcb, KPRCB.NextInterrupt64));
  return true;
}

/** The level of a connected interrupt; that of the others is the same for all. */
function KiDeviceLevel(object: PKOBJECT): u32 {
  if (object == 0 || load<u32>(object, KOBJECT.Type) != KOBJECTS.InterruptObject) {
    return IRQL.DEVICE_LEVEL;
  }
  return load<u32>(object, KINTERRUPT_OBJECT.Irql);
}

/** Begins the service routine of a connected interrupt, with its lock. */
function KiInterruptService(prcb: PKPRCB, object: PKOBJECT): void {
  const routine: usize = load<u32>(object, KINTERRUPT_OBJECT.ServiceRoutine);
  const level = load<u32>(object, KINTERRUPT_OBJECT.SynchronizeIrql);
  const activation = KiBeginActivation(prcb, level, object, routine, 1);
  store<u64>(activation, load<u64>(object, KINTERRUPT_OBJECT.ServiceContext64), KTHREAD.Register64);
  KiAcquireInterruptLock(prcb, object);
}

/** The device's interrupt, and its service routine or its DPC. An object that has gone is signaled to nobody. */
function KiDeviceInterrupt(prcb: PKPRCB, interrupt: usize): void {
  const level = load<u32>(interrupt, KINTERRUPT.Level);
  const ipi = level == <u32>IRQL.IPI_LEVEL;
  const cost = ipi ? load<u32>(SYSTEM, KSYSTEM.CostIpi) : load<u32>(SYSTEM, KSYSTEM.CostDevice);
  KiTraceInterrupt(prcb, ipi ? VECTOR.Ipi : VECTOR.Device, level, cost);
  const connected = KiObjectFromHandle(load<u64>(interrupt, KINTERRUPT.Object64));
  if (connected != 0 && load<u32>(connected, KOBJECT.Type) == KOBJECTS.InterruptObject) {
    KiInterruptService(prcb, connected);
    return;
  }
  const dpcCost = load<u32>(SYSTEM, KSYSTEM.CostDpc);
  KiTrace(EVENT.Dpc, load<u32>(prcb, KPRCB.Number), 0, VECTOR.Device, 1, 0, 0, dpcCost);
  KiTakeTime(prcb, dpcCost, KPRCB.InterruptTime64);
  const object = KiObjectFromHandle(load<u64>(interrupt, KINTERRUPT.Object64));
  if (object == 0) return;
  const increment = load<u32>(interrupt, KINTERRUPT.Increment);
  if (load<u32>(object, KOBJECT.Type) == KOBJECTS.SemaphoreObject)
    KeReleaseSemaphore(prcb, object, increment, 1);
  else KeSetEvent(prcb, object, increment);
}

/**
 * Takes the interrupt of the highest level above the processor's out of those that are due, the
 * longest due of equals; 0 if there is none. As many are looked at as one step takes.
 */
function KiTakeDueInterrupt(prcb: PKPRCB, now: u64): usize {
  let level = load<u32>(prcb, KPRCB.Irql);
  let found: usize = 0;
  let before: usize = 0;
  let previous: usize = 0;
  let interrupt: usize = load<u32>(prcb, KPRCB.DeviceHead);
  for (let count: u32 = 0; interrupt != 0; count++) {
    if (load<u64>(interrupt, KINTERRUPT.Time64) > now) break;
    if (found != 0 && count >= DEVICE_BATCH) break;
    if (load<u32>(interrupt, KINTERRUPT.Level) > level) {
      level = load<u32>(interrupt, KINTERRUPT.Level);
      found = interrupt;
      before = previous;
    }
    previous = interrupt;
    interrupt = load<u32>(interrupt, KINTERRUPT.Next);
  }
  if (found == 0) return 0;
  const next: usize = load<u32>(found, KINTERRUPT.Next);
  if (before == 0) store<u32>(prcb, <u32>next, KPRCB.DeviceHead);
  else store<u32>(before, <u32>next, KINTERRUPT.Next);
  if (next == 0) store<u32>(prcb, <u32>before, KPRCB.DeviceTail);
  const head: usize = load<u32>(prcb, KPRCB.DeviceHead);
  const time = head == 0 ? NEVER : load<u64>(head, KINTERRUPT.Time64);
  HalSetInterruptTime(prcb, KPRCB.DeviceTime64, time);
  return found;
}

function KiDeviceInterrupts(prcb: PKPRCB, now: u64): void {
  for (let count: u32 = 0; count < DEVICE_BATCH; count++) {
    const interrupt = KiTakeDueInterrupt(prcb, now);
    if (interrupt == 0) break;
    KiDeviceInterrupt(prcb, interrupt);
    store<u32>(interrupt, load<u32>(SYSTEM, KSYSTEM.InterruptFree), KINTERRUPT.Next);
    store<u32>(SYSTEM, <u32>interrupt, KSYSTEM.InterruptFree);
  }
}

/** Tells of a tick of a process that is watched, by a DPC that is not in a queue for one yet. */
function KiTellTick(prcb: PKPRCB): void {
  const thread: PKTHREAD = load<u32>(prcb, KPRCB.CurrentThread);
  if (thread == 0) return;
  const process: PKPROCESS = load<u32>(thread, KTHREAD.Process);
  if ((load<u32>(process, KPROCESS.Flags) & PROCESS_FLAG.Watched) == 0) return;
  KeInsertQueueDpc(prcb, load<u32>(SYSTEM, KSYSTEM.TickDpc), 0, 0);
}

/** Takes the interrupts that are due, the highest level first; false if there were none. Time has been charged. */
export function KiTakeInterrupts(prcb: PKPRCB, now: u64): bool {
  if (load<u64>(prcb, KPRCB.NextInterrupt64) > now) return false;
  const ipi = HalIsInterruptDue(prcb, KPRCB.IpiTime64, IRQL.IPI_LEVEL, now);
  const tick = HalIsInterruptDue(prcb, KPRCB.TickTime64, IRQL.CLOCK_LEVEL, now);
  const timer = HalIsInterruptDue(prcb, KPRCB.TimerTime64, IRQL.CLOCK_LEVEL, now);
  const device = HalIsInterruptDue(prcb, KPRCB.DeviceTime64, IRQL.IPI_LEVEL, now);
  if (ipi) {
    HalSetInterruptTime(prcb, KPRCB.IpiTime64, NEVER);
    KiTraceInterrupt(prcb, VECTOR.Ipi, IRQL.IPI_LEVEL, load<u32>(SYSTEM, KSYSTEM.CostIpi));
  }
  if (tick) {
    KiClockInterrupt(prcb, now);
    KiTellTick(prcb);
  }
  if (timer) KiTimerInterrupt(prcb, now);
  if (device) KiDeviceInterrupts(prcb, now);
  return true;
}

import { KINTERRUPT, KPRCB, KSYSTEM } from './shared/layout';
import { DECISION, IRQL } from './shared/types';

/**
 * What the rest of the core stands on: where the tables are, the order of virtual time, and the one
 * seam for choices that a real machine leaves open.
 *
 * All state of the machine is in its memory; the globals here are set once, when the module attaches.
 */

export type PKTHREAD = usize;
export type PKPROCESS = usize;
export type PKPRCB = usize;
export type PKOBJECT = usize;
export type PLIST_ENTRY = usize;

export const DBG: bool = !ASC_NO_ASSERT;
export const NEVER: u64 = u64.MAX_VALUE;
export const SYSTEM: usize = KSYSTEM.Address;

let PrcbBase: usize = 0;
let KeyBase: usize = 0;
let WinnerBase: usize = 0;
let TreeLeaves: u32 = 0;

export function HalAttach(): void {
  PrcbBase = load<u32>(SYSTEM, KSYSTEM.PrcbBase);
  KeyBase = load<u32>(SYSTEM, KSYSTEM.KeyBase);
  WinnerBase = load<u32>(SYSTEM, KSYSTEM.WinnerBase);
  TreeLeaves = load<u32>(SYSTEM, KSYSTEM.TreeLeaves);
}

export function KeGetPrcb(processor: u32): PKPRCB {
  return PrcbBase + processor * KPRCB.Size;
}

/** The processor that acts next: the smallest (time, number). */
export function HalFirstProcessor(): u32 {
  return load<u32>(WinnerBase + 4);
}

export function HalProcessorTime(processor: u32): u64 {
  return load<u64>(KeyBase + (processor << 3));
}

/** Publishes the time of a processor's next step: one comparison a level of the tree. */
export function HalSetProcessorTime(processor: u32, time: u64): void {
  store<u64>(KeyBase + (processor << 3), time);
  let node = (TreeLeaves + processor) >> 1;
  while (node != 0) {
    const children = WinnerBase + (node << 3);
    const left = load<u32>(children);
    const right = load<u32>(children, 4);
    const leftWins = HalProcessorTime(left) <= HalProcessorTime(right);
    store<u32>(WinnerBase + (node << 2), leftWins ? left : right);
    node >>= 1;
  }
}

/** Lays out the tree; absent leaves never act. A tree of one processor has one leaf, the root. */
export function HalInitializeTree(): void {
  for (let leaf: u32 = 0; leaf < TreeLeaves; leaf++) {
    store<u64>(KeyBase + (leaf << 3), NEVER);
    store<u32>(WinnerBase + ((TreeLeaves + leaf) << 2), leaf);
  }
  for (let node = TreeLeaves - 1; node != 0; node--) {
    store<u32>(WinnerBase + (node << 2), load<u32>(WinnerBase + (node << 3)));
  }
}

/** When a processor's step comes first, or its next interrupt if it is in flight. */
export function HalStepTime(processor: u32): u64 {
  const time = HalProcessorTime(processor);
  if (time == NEVER) return NEVER;
  const prcb = KeGetPrcb(processor);
  const inFlight = load<u32>(prcb, KPRCB.InFlight) != 0;
  return inFlight ? load<u64>(prcb, KPRCB.NextInterrupt64) : time;
}

/**
 * The processor below a node of the tree whose HalStepTime is the smallest: as many nodes are visited as
 * processors in flight are before it, and a path to each.
 */
export function HalFirstStep(node: u32 = 1): u32 {
  const winner = load<u32>(WinnerBase + (node << 2));
  const time = HalProcessorTime(winner);
  // What a flight is in the tree by is not after its interrupt.
  if (node >= TreeLeaves || HalStepTime(winner) == time) return winner;
  const left = HalFirstStep(node << 1);
  const right = HalFirstStep((node << 1) + 1);
  return HalStepTime(left) <= HalStepTime(right) ? left : right;
}

/** The earliest time of any processor but `processor`: how far that one may run ahead, less the latency. */
export function HalOthersTime(processor: u32): u64 {
  let earliest = NEVER;
  let node = TreeLeaves + processor;
  while (node > 1) {
    const time = HalProcessorTime(load<u32>(WinnerBase + ((node ^ 1) << 2)));
    if (time < earliest) earliest = time;
    node >>= 1;
  }
  return earliest;
}

/** Sets when a kind of interrupt comes next: `kind` is IpiTime64, TickTime64, DeviceTime64 or TimerTime64. */
export function HalSetInterruptTime(prcb: PKPRCB, kind: usize, time: u64): void {
  store<u64>(prcb + kind, time);
  HalUpdateNextInterrupt(prcb);
}

/** The earliest interrupt that the processor's level lets through; one that was held off comes now. */
function HalUpdateNextInterrupt(prcb: PKPRCB): void {
  const level = load<u32>(prcb, KPRCB.Irql);
  let next = load<u64>(prcb, KPRCB.IpiTime64);
  if (level >= <u32>IRQL.LOW_DIRQL) {
    if (level >= <u32>IRQL.IPI_LEVEL) next = NEVER;
    if (level < <u32>IRQL.CLOCK_LEVEL) next = min<u64>(next, HalClockTime(prcb));
    next = min<u64>(next, HalDeviceTime(prcb, level));
  } else {
    next = min<u64>(next, HalClockTime(prcb));
    next = min<u64>(next, load<u64>(prcb, KPRCB.DeviceTime64));
  }
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  store<u64>(prcb, max<u64>(next, now), KPRCB.NextInterrupt64);
  if (load<u32>(prcb, KPRCB.InFlight) == 0) return;
  // How far the flight has come is known to nobody, but it is not past this.
  const horizon = now + load<u32>(SYSTEM, KSYSTEM.IpiLatency);
  if (next < horizon) store<u64>(prcb, horizon, KPRCB.RunTo64);
}

/** When the clock interrupts: for a tick, or a high-resolution timer. */
function HalClockTime(prcb: PKPRCB): u64 {
  return min<u64>(load<u64>(prcb, KPRCB.TickTime64), load<u64>(prcb, KPRCB.TimerTime64));
}

/** When the first device interrupt of a level above `level` comes. */
function HalDeviceTime(prcb: PKPRCB, level: u32): u64 {
  let interrupt: usize = load<u32>(prcb, KPRCB.DeviceHead);
  while (interrupt != 0) {
    if (load<u32>(interrupt, KINTERRUPT.Level) > level) return load<u64>(interrupt, KINTERRUPT.Time64);
    interrupt = load<u32>(interrupt, KINTERRUPT.Next);
  }
  return NEVER;
}

/** Sets the level of a processor, and so which interrupts reach it. */
export function HalSetIrql(prcb: PKPRCB, level: u32): void {
  store<u32>(prcb, level, KPRCB.Irql);
  HalUpdateNextInterrupt(prcb);
}

/** Whether an interrupt of `kind`, of a level above the processor's, is due. */
export function HalIsInterruptDue(prcb: PKPRCB, kind: usize, level: u32, now: u64): bool {
  return load<u64>(prcb + kind) <= now && load<u32>(prcb, KPRCB.Irql) < level;
}

/** Publishes when a processor acts next: when its computing ends, or at an interrupt. */
export function HalPublish(prcb: PKPRCB): void {
  const resume = load<u64>(prcb, KPRCB.ResumeTime64);
  const interrupt = load<u64>(prcb, KPRCB.NextInterrupt64);
  HalSetProcessorTime(load<u32>(prcb, KPRCB.Number), min<u64>(resume, interrupt));
}

/** Something is to happen on a processor at `time`: it acts then, unless it acts earlier anyway. */
export function HalNotify(prcb: PKPRCB, time: u64): void {
  const processor = load<u32>(prcb, KPRCB.Number);
  if (time < HalProcessorTime(processor)) HalSetProcessorTime(processor, time);
}

// @ts-ignore: decorator
@external('env', 'decide')
declare function oracle(kind: u32, count: u32): u32;

/** A choice among `count` that a real machine leaves open: the first, unless an oracle is built in. */
export function decide(kind: DECISION, count: u32): u32 {
  if (isDefined(NT_EXPLORE)) return oracle(kind, count);
  return 0;
}

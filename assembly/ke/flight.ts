import {
  DBG,
  HalFirstProcessor,
  HalProcessorTime,
  HalPublish,
  HalSetProcessorTime,
  KeGetPrcb,
  NEVER,
  PKPRCB,
  PKTHREAD,
  SYSTEM,
} from '../hal';
import { KENGINE, KFLIGHT, KPRCB, KSYSTEM, KTHREAD, PORT_CONTEXT } from '../shared/layout';
import { FLIGHT, PORT_STOP, THREAD_FLAG } from '../shared/types';
import { KiThreadIndex } from './object';

/**
 * Processors in flight: their threads are advanced by a worker port, in pieces, by a worker or by the
 * host, while the engine goes on with the others. Nothing of the kernel is touched by that but the
 * flight's own row: a processor in flight cannot act before its progress, which is its key in the time
 * tree, and whoever has the engine folds it in.
 *
 * A flight goes to the horizon: the latency after where all others are, since no interrupt that is not
 * there yet comes before that.
 */

export function KiFlight(processor: u32): usize {
  return <usize>load<u32>(SYSTEM, KSYSTEM.FlightBase) + processor * KFLIGHT.Size;
}

export function KiEngine(): usize {
  return <usize>load<u32>(SYSTEM, KSYSTEM.EngineBase);
}

export function KiReadState(flight: usize): u32 {
  if (ASC_FEATURE_THREADS) return atomic.load<u32>(flight, KFLIGHT.State);
  return load<u32>(flight, KFLIGHT.State);
}

export function KiWriteState(flight: usize, state: FLIGHT): void {
  if (ASC_FEATURE_THREADS) atomic.store<u32>(flight, state, KFLIGHT.State);
  else store<u32>(flight, state, KFLIGHT.State);
}

/** Takes a flight from who has it, if that is nobody. */
export function KiTakeFlight(flight: usize, state: FLIGHT): bool {
  if (ASC_FEATURE_THREADS) {
    const before = atomic.cmpxchg<u32>(flight, FLIGHT.Aloft, state, KFLIGHT.State);
    return before == FLIGHT.Aloft;
  }
  store<u32>(flight, state, KFLIGHT.State);
  return true;
}

export function KiProgress(flight: usize): u64 {
  if (ASC_FEATURE_THREADS) return atomic.load<u64>(flight, KFLIGHT.Progress64);
  return load<u64>(flight, KFLIGHT.Progress64);
}

/** Whether the guest of a flight has stopped for a reason of its own, at its progress. */
export function KiHasStopped(flight: usize): bool {
  if (ASC_FEATURE_THREADS) return atomic.load<u32>(flight, KFLIGHT.Stopped) != 0;
  return load<u32>(flight, KFLIGHT.Stopped) != 0;
}

function KiWriteStopped(flight: usize, stopped: bool): void {
  if (ASC_FEATURE_THREADS) atomic.store<u32>(flight, stopped, KFLIGHT.Stopped);
  else store<u32>(flight, stopped, KFLIGHT.Stopped);
}

function KiWriteProgress(flight: usize, time: u64): void {
  if (ASC_FEATURE_THREADS) atomic.store<u64>(flight, time, KFLIGHT.Progress64);
  else store<u64>(flight, time, KFLIGHT.Progress64);
}

/** No processor is in flight. */
export function KiInitializeFlights(): void {
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  for (let number: u32 = 0; number < processors; number++) KiWriteProgress(KiFlight(number), NEVER);
}

/** Up to when the guest of a processor in flight has run. */
export function KiFlightProgress(processor: u32): u64 {
  return KiProgress(KiFlight(processor));
}

/**
 * Puts the running thread into the air, at its step, which is not done: the processor's first run may
 * begin with an instruction that others observe, since no other can act before it.
 */
export function KiTakeOff(prcb: PKPRCB, thread: PKTHREAD, now: u64): void {
  const number = load<u32>(prcb, KPRCB.Number);
  const flight = KiFlight(number);
  const context: usize = load<u32>(thread, KTHREAD.ProgramBase);
  store<u32>(context, PORT_STOP.Budget, PORT_CONTEXT.Reason);
  store<u32>(context, load<u32>(thread, KTHREAD.WaitStatus), PORT_CONTEXT.Status);
  store<u32>(flight, 1, KFLIGHT.Ordered);
  store<u32>(flight, <u32>context, KFLIGHT.Context);
  store<u32>(flight, KiThreadIndex(thread), KFLIGHT.Thread);
  store<u64>(flight, 0, KFLIGHT.Horizon64);
  KiWriteProgress(flight, now);
  store<u32>(prcb, 1, KPRCB.InFlight);
  store<u64>(prcb, 0, KPRCB.RunTo64);
  store<u64>(prcb, now, KPRCB.ResumeTime64);
  store<u32>(SYSTEM, load<u32>(SYSTEM, KSYSTEM.Flights) + 1, KSYSTEM.Flights);
  KiLaunch(flight);
}

/** A flight may go on, and whoever advances it may be asleep. */
function KiLaunch(flight: usize): void {
  KiWriteStopped(flight, false);
  KiWriteState(flight, FLIGHT.Aloft);
  if (ASC_FEATURE_THREADS) store<u32>(KiEngine(), 1, KENGINE.Launched);
}

/** Takes a flight back: its thread's computing ends, or has ended, at its progress. */
function KiLand(prcb: PKPRCB, flight: usize): void {
  store<u64>(prcb, KiProgress(flight), KPRCB.ResumeTime64);
  store<u32>(prcb, 0, KPRCB.InFlight);
  store<u32>(SYSTEM, load<u32>(SYSTEM, KSYSTEM.Flights) - 1, KSYSTEM.Flights);
  store<u64>(flight, 0, KFLIGHT.Horizon64);
  KiWriteState(flight, FLIGHT.Landed);
  KiWriteProgress(flight, NEVER);
}

/** What is to be done with the processor that is first by its key. */
export const enum APPROACH {
  /** Its step. */
  Step = 0,
  /** Another may be first now. */
  Again = 1,
  /** It has to come further. */
  Wait = 2,
}

/**
 * Up to when a flight runs before it is taken back for an interrupt: until that comes, or further if it
 * was sent too late. `NEVER`: none comes by `time`.
 */
export function KiLandingTime(prcb: PKPRCB, time: u64): u64 {
  const interrupt = load<u64>(prcb, KPRCB.NextInterrupt64);
  if (interrupt > time) return NEVER;
  return max<u64>(interrupt, KiBounded(load<u64>(prcb, KPRCB.RunTo64)));
}

/** A time, or when the run has ended. */
export function KiBounded(time: u64): u64 {
  const until = load<u64>(SYSTEM, KSYSTEM.Until64);
  return until == NEVER ? time : min<u64>(time, until + 1);
}

/** Folds in the progress of a processor in flight that is first; takes it back where its step is next. */
export function KiApproach(prcb: PKPRCB, now: u64): APPROACH {
  const number = load<u32>(prcb, KPRCB.Number);
  const flight = KiFlight(number);
  const state = KiReadState(flight);
  const progress = KiProgress(flight);
  const interrupt = load<u64>(prcb, KPRCB.NextInterrupt64);
  // No guest is past an interrupt that has been sent to its processor.
  if (DBG) assert(progress <= max<u64>(interrupt, load<u64>(prcb, KPRCB.RunTo64)));
  const key = min<u64>(progress, interrupt);
  if (key > now) {
    HalSetProcessorTime(number, key);
    return APPROACH.Again;
  }
  if (state != FLIGHT.Arrived && progress < KiLandingTime(prcb, now)) return APPROACH.Wait;
  // One that an interrupt comes before goes on with its instruction when it has the processor again.
  if (state == FLIGHT.Arrived && KiIsOrder(flight) && interrupt > now) {
    store<u32>(flight, 1, KFLIGHT.Ordered);
    KiLaunch(flight);
    return APPROACH.Wait;
  }
  if (state != FLIGHT.Arrived && !KiTakeFlight(flight, FLIGHT.Landed)) return APPROACH.Wait;
  KiLand(prcb, flight);
  return APPROACH.Step;
}

/** Whether what a flight has arrived at is an instruction that others observe; it goes on with that. */
function KiIsOrder(flight: usize): bool {
  const context: usize = load<u32>(flight, KFLIGHT.Context);
  if (load<u32>(context, PORT_CONTEXT.Reason) != PORT_STOP.Order) return false;
  store<u32>(context, PORT_STOP.Budget, PORT_CONTEXT.Reason);
  return true;
}

/**
 * Brings the processors in flight to where the end of a run leaves them, however their runs were cut:
 * as far as they may run before the next step, or after the last one if the next is not `known`. Then
 * they are taken back.
 *
 * @returns a processor, plus one, that has to come further: the caller has its flight, for StopBudget64
 *   ns, or another has it (0 ns). 0: all are back.
 */
export function KiSettleFlights(known: bool): u32 {
  if (load<u32>(SYSTEM, KSYSTEM.Flights) == 0) return 0;
  const horizon = KiSettleHorizon(known);
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  for (let number: u32 = 0; number < processors; number++) {
    const prcb = KeGetPrcb(number);
    if (load<u32>(prcb, KPRCB.InFlight) == 0) continue;
    const flight = KiFlight(number);
    const state = KiReadState(flight);
    if (state == FLIGHT.Arrived) {
      KiLandSettled(prcb, flight);
      continue;
    }
    const landing = KiLandingTime(prcb, horizon);
    const end = landing == NEVER ? horizon : landing;
    const taken = KiTakeFlight(flight, FLIGHT.Running);
    const progress = KiProgress(flight);
    if (!taken || progress < end) {
      store<u32>(SYSTEM, number, KSYSTEM.StopProcessor);
      store<u64>(SYSTEM, taken ? end - progress : 0, KSYSTEM.StopBudget64);
      return number + 1;
    }
    KiLandSettled(prcb, flight);
  }
  return 0;
}

/** How far flights go before the step that is next, or the end of the run. */
function KiSettleHorizon(known: bool): u64 {
  const first = known ? HalProcessorTime(HalFirstProcessor()) : load<u64>(SYSTEM, KSYSTEM.Time64);
  return KiBounded(first == NEVER ? NEVER : first + load<u32>(SYSTEM, KSYSTEM.IpiLatency));
}

function KiLandSettled(prcb: PKPRCB, flight: usize): void {
  if (KiReadState(flight) == FLIGHT.Arrived) KiIsOrder(flight);
  KiLand(prcb, flight);
  HalPublish(prcb);
}

/**
 * Takes all flights back as they are.
 *
 * @returns a processor, plus one, whose flight is being advanced: to be called again. 0: all are back.
 */
export function KiLandAll(): u32 {
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  for (let number: u32 = 0; number < processors; number++) {
    const prcb = KeGetPrcb(number);
    if (load<u32>(prcb, KPRCB.InFlight) == 0) continue;
    const flight = KiFlight(number);
    if (KiReadState(flight) != FLIGHT.Arrived && !KiTakeFlight(flight, FLIGHT.Landed))
      return number + 1;
    KiLandSettled(prcb, flight);
  }
  return 0;
}

/**
 * Notes that the guest on a processor has run for `used` ns more, and stopped if its context says so.
 * Of who advances it.
 */
export function KiAdvanceFlight(processor: u32, used: u32): void {
  const flight = KiFlight(processor);
  const context: usize = load<u32>(flight, KFLIGHT.Context);
  const progress = KiProgress(flight) + used;
  const stopped = load<u32>(context, PORT_CONTEXT.Reason) != PORT_STOP.Budget;
  store<u32>(flight, 0, KFLIGHT.Ordered);
  if (stopped) KiWriteStopped(flight, true);
  KiWriteProgress(flight, progress);
  KiWriteState(flight, stopped ? FLIGHT.Arrived : FLIGHT.Aloft);
}

/** Whether a thread is advanced by a worker port: those of the host's own have no context. */
export function KiHasPortContext(thread: PKTHREAD): bool {
  const port = (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.Port) != 0;
  return port && load<u32>(thread, KTHREAD.ProgramBase) != 0;
}

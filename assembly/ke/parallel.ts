import {
  HalFirstProcessor,
  HalOthersTime,
  HalProcessorTime,
  KeGetPrcb,
  NEVER,
  SYSTEM,
} from '../hal';
import { KENGINE, KFLIGHT, KPRCB, KSYSTEM } from '../shared/layout';
import { ENGINE, FLIGHT } from '../shared/types';
import { KiBounded, KiEngine, KiFlight, KiReadState, KiTakeFlight, KiWriteState } from './flight';

/**
 * What workers do with the machine's memory: advance flights, and step the kernel, one at a time. Built
 * into the core for workers only.
 *
 * Who waits reads the epoch, looks once more, and sleeps while it is the same. Whoever has the kernel
 * changes it when it lets go: if the horizon has moved, or somebody sleeps who wants the kernel.
 */

/**
 * Takes the flight of a processor, to advance it.
 *
 * @returns ns that it may run now, `piece` at the most; 0: it is not in the air, or at its horizon.
 */
export function KiBeginPiece(processor: u32, piece: u32): u32 {
  const flight = KiFlight(processor);
  if (KiReadState(flight) != FLIGHT.Aloft) return 0;
  const seen = atomic.load<u64>(flight, KFLIGHT.Progress64);
  if (KiFlightHorizon(processor, flight) <= seen) return 0;
  if (!KiTakeFlight(flight, FLIGHT.Running)) return 0;
  // It may be another flight by now than the one that was looked at.
  const progress = load<u64>(flight, KFLIGHT.Progress64);
  const horizon = KiFlightHorizon(processor, flight);
  if (horizon > progress) return <u32>min<u64>(horizon - progress, piece);
  KiWriteState(flight, FLIGHT.Aloft);
  return 0;
}

/** Up to when a flight may run. What all may do is read before what interrupts it. */
function KiFlightHorizon(processor: u32, flight: usize): u64 {
  const prcb = KeGetPrcb(processor);
  const all = atomic.load<u64>(KiEngine(), KENGINE.Horizon64);
  const own = atomic.load<u64>(flight, KFLIGHT.Horizon64);
  const latest = max<u64>(all == NEVER ? NEVER : all + load<u32>(SYSTEM, KSYSTEM.IpiLatency), own);
  const horizon = min<u64>(latest, atomic.load<u64>(prcb, KPRCB.NextInterrupt64));
  return KiBounded(max<u64>(horizon, atomic.load<u64>(prcb, KPRCB.RunTo64)));
}

/**
 * Publishes how far flights may run: all by the first key, the first, if it is in flight, by the others'.
 *
 * @returns whether somebody may go on who could not.
 */
export function KiPublishHorizon(): bool {
  const first = HalFirstProcessor();
  const time = HalProcessorTime(first);
  const engine = KiEngine();
  let moved = load<u32>(engine, KENGINE.Launched) != 0;
  store<u32>(engine, 0, KENGINE.Launched);
  if (load<u64>(engine, KENGINE.Horizon64) != time) {
    atomic.store<u64>(engine, time, KENGINE.Horizon64);
    moved = true;
  }
  if (load<u32>(KeGetPrcb(first), KPRCB.InFlight) == 0) return moved;
  const others = HalOthersTime(first);
  const latency = load<u32>(SYSTEM, KSYSTEM.IpiLatency);
  const flight = KiFlight(first);
  atomic.store<u64>(flight, others == NEVER ? NEVER : others + latency, KFLIGHT.Horizon64);
  return moved;
}

/** Lets all who sleep look again. */
export function KiWake(): void {
  const engine = KiEngine();
  atomic.add<u32>(engine, 1, KENGINE.Epoch);
  if (atomic.load<u32>(engine, KENGINE.Sleepers) != 0) {
    atomic.notify(engine + KENGINE.Epoch, -1);
  }
}

/** Takes the kernel, if nobody has it. */
export function KiTryEngine(owner: u32): bool {
  const engine = KiEngine();
  if (atomic.load<u32>(engine, KENGINE.Lock) != 0) return false;
  return atomic.cmpxchg<u32>(engine, 0, owner, KENGINE.Lock) == 0;
}

/** Lets go of the kernel, after its flights' horizon has been published. */
export function KiReleaseEngine(moved: bool): void {
  const engine = KiEngine();
  atomic.store<u32>(engine, 0, KENGINE.Lock);
  if (moved || atomic.load<u32>(engine, KENGINE.Wanting) != 0) KiWake();
}

/** Hands the kernel over to the host, for what a STOP asks of it. */
export function KiHandToHost(stop: u32): void {
  const engine = KiEngine();
  store<u32>(engine, stop, KENGINE.Stop);
  atomic.store<u32>(engine, ENGINE.Host, KENGINE.Lock);
  atomic.store<u32>(engine, 1, KENGINE.HostTurn);
  atomic.notify(engine + KENGINE.HostTurn, -1);
}

/** Whether the host wants the kernel back. */
export function KiIsWanted(): bool {
  return atomic.load<u32>(KiEngine(), KENGINE.Wanted) != 0;
}

export function KiEpoch(): u32 {
  return atomic.load<u32>(KiEngine(), KENGINE.Epoch);
}

/**
 * Waits until the epoch is another than `epoch`: at first in a loop, then asleep for at most `timeout`
 * ns. Who has not been able to fold its own progress in does not sleep while it could.
 */
export function KiIdle(epoch: u32, spins: u32, unfolded: bool, timeout: i64): void {
  const engine = KiEngine();
  for (let spin: u32 = 0; spin < spins; spin++) {
    if (atomic.load<u32>(engine, KENGINE.Epoch) != epoch) return;
    if (unfolded && atomic.load<u32>(engine, KENGINE.Lock) == 0) return;
  }
  const wanting: u32 = unfolded ? 1 : 0;
  atomic.add<u32>(engine, 1, KENGINE.Sleepers);
  atomic.add<u32>(engine, wanting, KENGINE.Wanting);
  if (!unfolded || atomic.load<u32>(engine, KENGINE.Lock) != 0) {
    atomic.wait<i32>(engine + KENGINE.Epoch, <i32>epoch, timeout);
  }
  atomic.sub<u32>(engine, wanting, KENGINE.Wanting);
  atomic.sub<u32>(engine, 1, KENGINE.Sleepers);
}

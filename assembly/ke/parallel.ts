import { HalFirstStep, HalStepTime, KeGetPrcb, NEVER, SYSTEM } from '../hal';
import { KENGINE, KFLIGHT, KPRCB, KSYSTEM } from '../shared/layout';
import { ENGINE, FLIGHT } from '../shared/types';
import {
  KiAdvanceFlight,
  KiBounded,
  KiEngine,
  KiFlight,
  KiFlightProgress,
  KiHasStopped,
  KiLandingTime,
  KiProgress,
  KiReadState,
  KiTakeFlight,
  KiWriteState,
} from './flight';

/**
 * What workers do with the machine's memory: advance flights, and step the kernel, one at a time. Built
 * into the core for workers only.
 *
 * How far a flight may go is found out by who advances it, from the progress of the others and from what
 * the kernel has published, without having the kernel. Nobody acts before where it is, but whom an act
 * of another brings forward; so those times hold together only as they were between two turns with the
 * kernel, which is what KENGINE.Version tells. A horizon so found holds from then on: who acts later does
 * it at one of those times or after, and is felt the latency after that.
 *
 * Whose flights are at their horizons, and who has nothing to do, looks for a while, then reads the
 * epoch, looks once more, and sleeps while it is the same.
 */

/** Where the flight is that has come least far, leaving out that of a processor. */
function KiOthersProgress(processor: u32): u64 {
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  let least = NEVER;
  for (let number: u32 = 0; number < processors; number++) {
    if (number == processor) continue;
    least = min<u64>(least, KiFlightProgress(number));
  }
  return least;
}

/** When another than the flight of a processor can act at the earliest. */
function KiOthersTime(processor: u32): u64 {
  const first = atomic.load<u64>(KiEngine(), KENGINE.FirstTime64);
  return min<u64>(first, KiOthersProgress(processor));
}

/** Changes with every turn of the kernel; odd in one. */
function KiVersion(): u32 {
  return atomic.load<u32>(KiEngine(), KENGINE.Version);
}

/** Up to when the flight of a processor may run; 0: that cannot be told, somebody has had the kernel. */
function KiFlightHorizon(processor: u32): u64 {
  const version = KiVersion();
  if ((version & 1) != 0) return 0;
  const others = KiOthersTime(processor);
  const prcb = KeGetPrcb(processor);
  const latest = others == NEVER ? NEVER : others + load<u32>(SYSTEM, KSYSTEM.IpiLatency);
  const horizon = min<u64>(latest, atomic.load<u64>(prcb, KPRCB.NextInterrupt64));
  const bounded = KiBounded(max<u64>(horizon, atomic.load<u64>(prcb, KPRCB.RunTo64)));
  return KiVersion() == version ? bounded : 0;
}

/** Whether the flight of a processor may go on. */
function KiMayGoOn(processor: u32): bool {
  const flight = KiFlight(processor);
  if (KiReadState(flight) != FLIGHT.Aloft) return false;
  const progress = KiProgress(flight);
  return load<u64>(flight, KFLIGHT.Horizon64) > progress || KiFlightHorizon(processor) > progress;
}

/**
 * Takes the flight of a processor, to advance it.
 *
 * @returns ns that it may run now, `piece` at the most; 0: it is not in the air, or at its horizon.
 */
export function KiBeginPiece(processor: u32, piece: u32): u32 {
  const flight = KiFlight(processor);
  if (KiReadState(flight) != FLIGHT.Aloft) return 0;
  const version = KiVersion();
  const looks = load<u64>(flight, KFLIGHT.Horizon64) <= KiProgress(flight);
  const found = looks ? KiFlightHorizon(processor) : 0;
  if (looks && found <= KiProgress(flight)) return 0;
  if (!KiTakeFlight(flight, FLIGHT.Running)) return 0;
  // It is the flight that was looked at if nobody has had the kernel meanwhile.
  if (looks && KiVersion() == version) store<u64>(flight, found, KFLIGHT.Horizon64);
  const horizon = load<u64>(flight, KFLIGHT.Horizon64);
  const progress = KiProgress(flight);
  if (horizon > progress) return <u32>min<u64>(horizon - progress, piece);
  KiWriteState(flight, FLIGHT.Aloft);
  return 0;
}

/** Ends what KiBeginPiece has begun: see KiAdvanceFlight. */
export function KiEndPiece(processor: u32, used: u32): void {
  const before = KiFlightProgress(processor);
  KiAdvanceFlight(processor, used);
  if (atomic.load<u32>(KiEngine(), KENGINE.Wanting) == 0) return;
  // Who sleeps at a horizon waits for the one that has come least far.
  if (before <= KiOthersTime(processor)) KiWake();
}

/**
 * Whether the kernel has something to do before flights come further, and nobody has it: the same as
 * KiRun would find out.
 */
function KiIsTurnDue(): bool {
  const engine = KiEngine();
  if ((KiVersion() & 1) != 0) return false;
  if (KiIsWanted()) return true;
  const first = atomic.load<u32>(engine, KENGINE.FirstProcessor);
  const step = atomic.load<u64>(engine, KENGINE.FirstTime64);
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  let flight: u32 = 0;
  let progress = NEVER;
  for (let number: u32 = 0; number < processors; number++) {
    const time = KiFlightProgress(number);
    if (time >= progress) continue;
    progress = time;
    flight = number;
  }
  if (min<u64>(step, progress) > load<u64>(SYSTEM, KSYSTEM.Until64)) return true;
  if (step > progress || (step == progress && first > flight))
    return KiHasStopped(KiFlight(flight));
  const row = KiFlight(first);
  const own = KiProgress(row);
  return own == NEVER || own >= KiLandingTime(KeGetPrcb(first), step) || KiHasStopped(row);
}

/**
 * Whether a worker should take a turn with the kernel. That has most of what it touches in the cache of
 * who had it last, so another lets that one go first unless it may be asleep, and looks `patience` times
 * whether it does.
 */
export function KiWantsTurn(owner: u32, patience: u32): bool {
  if (!KiIsTurnDue()) return false;
  const engine = KiEngine();
  const last = atomic.load<u32>(engine, KENGINE.Owner);
  if (last == owner || last == 0 || atomic.load<u32>(engine, KENGINE.Sleepers) != 0) return true;
  for (let look: u32 = 0; look < patience; look++) {
    if ((KiVersion() & 1) != 0) return false;
  }
  return patience != 0;
}

/** Tells workers what there is apart from where flights have come. */
function KiPublishFirst(): void {
  const engine = KiEngine();
  const first = HalFirstStep();
  atomic.store<u32>(engine, first, KENGINE.FirstProcessor);
  atomic.store<u64>(engine, HalStepTime(first), KENGINE.FirstTime64);
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
  const version = KiVersion();
  if ((version & 1) != 0) return false;
  if (atomic.cmpxchg<u32>(engine, version, version + 1, KENGINE.Version) != version) return false;
  atomic.store<u32>(engine, owner, KENGINE.Owner);
  return true;
}

/** Lets go of the kernel, which is the caller's; `wake`: all who sleep are to look, whatever has happened. */
export function KiReleaseEngine(wake: bool): void {
  const engine = KiEngine();
  const launched = load<u32>(engine, KENGINE.Launched) != 0;
  if (launched) store<u32>(engine, 0, KENGINE.Launched);
  KiPublishFirst();
  atomic.store<u32>(engine, KiVersion() + 1, KENGINE.Version);
  if (wake || launched || atomic.load<u32>(engine, KENGINE.Wanting) != 0) KiWake();
}

/** Hands the kernel over to the host, for what a STOP asks of it. */
export function KiHandToHost(stop: u32): void {
  const engine = KiEngine();
  store<u32>(engine, stop, KENGINE.Stop);
  atomic.store<u32>(engine, ENGINE.Host, KENGINE.Owner);
  atomic.store<u32>(engine, 1, KENGINE.HostTurn);
  atomic.notify(engine + KENGINE.HostTurn, -1);
}

/** Whether the host wants the kernel back. */
export function KiIsWanted(): bool {
  return atomic.load<u32>(KiEngine(), KENGINE.Wanted) != 0;
}

/** What memory.atomic.wait32 answers when nobody has woken it. */
const TIMED_OUT: i32 = 2;

/** What the processors of a worker have to do: those of `count` that begin with `worker`. */
const enum WORK {
  None = 0,
  /** A flight may go on, or the kernel has something to do. */
  Now = 1,
  /** Flights are at their horizons. */
  Later = 2,
}

function KiFindWork(worker: u32, count: u32): WORK {
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  let work = WORK.None;
  for (let number = worker; number < processors; number += count) {
    if (KiMayGoOn(number)) return WORK.Now;
    if (KiReadState(KiFlight(number)) == FLIGHT.Aloft) work = WORK.Later;
  }
  return KiIsTurnDue() ? WORK.Now : work;
}

/**
 * Waits until a worker has something to do, or the epoch is another than `epoch`: at first in a loop,
 * then asleep for at most `timeout` ns.
 *
 * @returns false if nothing has happened.
 */
export function KiIdle(worker: u32, count: u32, epoch: u32, spins: u32, timeout: i64): bool {
  const engine = KiEngine();
  for (let spin: u32 = 0; spin < spins; spin++) {
    if (KiFindWork(worker, count) == WORK.Now) return true;
    if (atomic.load<u32>(engine, KENGINE.Epoch) != epoch) return true;
  }
  atomic.add<u32>(engine, 1, KENGINE.Sleepers);
  // Whoever has flights is woken for their horizons; that is known before it looks again.
  const work = KiFindWork(worker, count);
  const wanting: u32 = work == WORK.Later ? 1 : 0;
  atomic.add<u32>(engine, wanting, KENGINE.Wanting);
  let woken = work == WORK.Now || KiFindWork(worker, count) == WORK.Now;
  if (!woken) woken = atomic.wait<i32>(engine + KENGINE.Epoch, <i32>epoch, timeout) != TIMED_OUT;
  atomic.sub<u32>(engine, wanting, KENGINE.Wanting);
  atomic.sub<u32>(engine, 1, KENGINE.Sleepers);
  return woken;
}

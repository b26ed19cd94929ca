import { decide, HalNotify, HalSetIrql, KeGetPrcb, NEVER, PKOBJECT, PKPRCB, SYSTEM } from '../hal';
import { BUGCHECK } from '../shared/bugcheck';
import { KACTIVATION, KINTERRUPT_OBJECT, KPRCB, KSPIN_LOCK, KSYSTEM } from '../shared/layout';
import { SPIN } from '../shared/opcode';
import { DECISION, IRQL, KOBJECTS, STOP } from '../shared/types';
import { KiSpinNode, KiSpinNodePrcb } from './activation';
import { KeBugCheckEx } from './bugcheck';
import { KiMayLower } from './irql';

/**
 * Spin locks. A processor that finds one held spins: it stays where it is, at its level, until the
 * holder lets go, and its time goes to who spins. Nothing is polled: the release gives the lock to a
 * spinner, who goes on one interprocessor latency later.
 *
 * A spinner waits for a processor, so a circle of processors that spin for each other's locks can
 * never end: it is found when it closes.
 */

function KiLockOf(object: PKOBJECT): PKOBJECT {
  if (load<u32>(object, KSPIN_LOCK.Type) != <u32>KOBJECTS.InterruptObject) return object;
  return load<u32>(object, KINTERRUPT_OBJECT.ActualLock);
}

/** The level at which a lock is held: an interrupt's own, or DISPATCH_LEVEL. */
function KiLockLevel(object: PKOBJECT): u32 {
  if (load<u32>(object, KSPIN_LOCK.Type) != <u32>KOBJECTS.InterruptObject)
    return IRQL.DISPATCH_LEVEL;
  return load<u32>(object, KINTERRUPT_OBJECT.SynchronizeIrql);
}

function KiTakeLock(prcb: PKPRCB, lock: PKOBJECT, flags: u32): bool {
  if (load<u32>(lock, KSPIN_LOCK.Owner) != 0) return false;
  if ((flags & SPIN.Shared) != 0) {
    if (load<u32>(lock, KSPIN_LOCK.Spinners) != 0) return false;
    store<u32>(lock, load<u32>(lock, KSPIN_LOCK.Shared) + 1, KSPIN_LOCK.Shared);
    return true;
  }
  if (load<u32>(lock, KSPIN_LOCK.Shared) != 0) return false;
  KiOwnLock(prcb, lock);
  return true;
}

function KiOwnLock(prcb: PKPRCB, lock: PKOBJECT): void {
  store<u32>(lock, load<u32>(prcb, KPRCB.Number) + 1, KSPIN_LOCK.Owner);
  store<u32>(lock, load<u32>(prcb, KPRCB.CurrentThread), KSPIN_LOCK.OwnerThread);
}

/** Lets what executes on the processor spin for a lock that is held, or at a barrier. */
export function KiSpin(prcb: PKPRCB, lock: PKOBJECT, flags: u32): void {
  const node = KiSpinNode(prcb);
  store<u32>(node, <u32>lock, KACTIVATION.SpinLock);
  store<u32>(node, 0, KACTIVATION.SpinNext);
  store<u32>(node, flags, KACTIVATION.SpinFlags);
  const last: usize = load<u32>(lock, KSPIN_LOCK.LastSpinner);
  if (last != 0) store<u32>(last, <u32>node, KACTIVATION.SpinNext);
  else store<u32>(lock, <u32>node, KSPIN_LOCK.FirstSpinner);
  store<u32>(lock, <u32>node, KSPIN_LOCK.LastSpinner);
  store<u32>(lock, load<u32>(lock, KSPIN_LOCK.Spinners) + 1, KSPIN_LOCK.Spinners);
  if (!KiIsSpinningInCircle(prcb, lock)) return;
  store<u32>(SYSTEM, load<u32>(prcb, KPRCB.Number) + 1, KSYSTEM.DeadlockProcessor);
  store<u32>(SYSTEM, STOP.Deadlock, KSYSTEM.StopReason);
}

/** Whether the lock's owner, its processor spinning too, waits in the end for this processor. */
function KiIsSpinningInCircle(prcb: PKPRCB, lock: PKOBJECT): bool {
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  for (let count: u32 = 0; count < processors; count++) {
    const owner = load<u32>(lock, KSPIN_LOCK.Owner);
    if (owner == 0) return false;
    const other = KeGetPrcb(owner - 1);
    if (other == prcb) return true;
    lock = load<u32>(KiSpinNode(other), KACTIVATION.SpinLock);
    if (lock == 0) return false;
  }
  return false;
}

/** Whether what executes on the processor spins. */
export function KiIsSpinning(prcb: PKPRCB): bool {
  return load<u32>(KiSpinNode(prcb), KACTIVATION.SpinLock) != 0;
}

/**
 * Acquires a lock for what executes on the processor, or lets it spin.
 *
 * @returns the level before; of a try 1 if it has the lock, else 0.
 * @irql any   @internal @nt KeAcquireSpinLock
 */
export function KiAcquireSpinLock(prcb: PKPRCB, object: PKOBJECT, flags: u32): u32 {
  const old = load<u32>(prcb, KPRCB.Irql);
  // Like a write of CR8: a level above DISPATCH_LEVEL is lowered to it.
  if ((flags & SPIN.AtDpcLevel) == 0) HalSetIrql(prcb, KiLockLevel(object));
  const lock = KiLockOf(object);
  const taken = KiTakeLock(prcb, lock, flags);
  if ((flags & SPIN.Try) != 0) return taken ? 1 : 0;
  if (!taken) KiSpin(prcb, lock, flags);
  return old;
}

/** Lets the first of those that spin go on, without a lock. */
export function KiReleaseFirstSpinner(lock: PKOBJECT): void {
  const node: usize = load<u32>(lock, KSPIN_LOCK.FirstSpinner);
  KiUnlinkSpinner(lock, 0, node);
  KiEndSpin(node);
}

/** Goes on where a spinner has got its lock: now, or when what interrupted it has returned. */
function KiEndSpin(node: usize): void {
  const prcb = KiSpinNodePrcb(node);
  store<u32>(node, 0, KACTIVATION.SpinLock);
  if (KiSpinNode(prcb) == node) {
    const now = load<u64>(SYSTEM, KSYSTEM.Time64) + load<u32>(SYSTEM, KSYSTEM.IpiLatency);
    const resume = max<u64>(now, load<u64>(prcb, KPRCB.ChargeTime64));
    store<u64>(prcb, resume, KPRCB.ResumeTime64);
    HalNotify(prcb, resume);
    return;
  }
  let activation: usize = load<u32>(prcb, KPRCB.Activation);
  for (;;) {
    const previous: usize = load<u32>(activation, KACTIVATION.Previous);
    if (previous == node || previous == 0) break;
    activation = previous;
  }
  store<u64>(activation, 0, KACTIVATION.Left64);
}

/** Takes the spinner after `previous` (0: the first) out of a lock's queue. */
function KiUnlinkSpinner(lock: PKOBJECT, previous: usize, node: usize): void {
  const next = load<u32>(node, KACTIVATION.SpinNext);
  if (previous == 0) store<u32>(lock, next, KSPIN_LOCK.FirstSpinner);
  else store<u32>(previous, next, KACTIVATION.SpinNext);
  if (next == 0) store<u32>(lock, <u32>previous, KSPIN_LOCK.LastSpinner);
  store<u32>(lock, load<u32>(lock, KSPIN_LOCK.Spinners) - 1, KSPIN_LOCK.Spinners);
}

/** Gives a lock that nobody holds to a spinner who wants it alone. */
function KiGrantExclusive(lock: PKOBJECT): void {
  let previous: usize = 0;
  let node: usize = load<u32>(lock, KSPIN_LOCK.FirstSpinner);
  if ((load<u32>(node, KACTIVATION.SpinFlags) & SPIN.Queued) == 0) {
    let choice = decide(DECISION.SpinLock, load<u32>(lock, KSPIN_LOCK.Spinners));
    for (; choice != 0; choice--) {
      const next: usize = load<u32>(node, KACTIVATION.SpinNext);
      if ((load<u32>(next, KACTIVATION.SpinFlags) & SPIN.Shared) != 0) break;
      previous = node;
      node = next;
    }
  }
  KiUnlinkSpinner(lock, previous, node);
  KiOwnLock(KiSpinNodePrcb(node), lock);
  KiEndSpin(node);
}

/** Gives a lock to whoever spins for it and can have it. */
function KiGrantLock(lock: PKOBJECT): void {
  for (;;) {
    const node: usize = load<u32>(lock, KSPIN_LOCK.FirstSpinner);
    if (node == 0 || load<u32>(lock, KSPIN_LOCK.Owner) != 0) return;
    const shared = load<u32>(lock, KSPIN_LOCK.Shared);
    if ((load<u32>(node, KACTIVATION.SpinFlags) & SPIN.Shared) == 0) {
      if (shared == 0) KiGrantExclusive(lock);
      return;
    }
    KiUnlinkSpinner(lock, 0, node);
    store<u32>(lock, shared + 1, KSPIN_LOCK.Shared);
    KiEndSpin(node);
  }
}

/**
 * Releases a lock, and goes to `level` unless it was acquired at DISPATCH_LEVEL already.
 *
 * One that is not held is bugcheck SPIN_LOCK_NOT_OWNED.
 *
 * @irql DISPATCH_LEVEL   @internal @nt KeReleaseSpinLock
 */
export function KiReleaseSpinLock(prcb: PKPRCB, object: PKOBJECT, flags: u32, level: u32): void {
  const lock = KiLockOf(object);
  const shared = load<u32>(lock, KSPIN_LOCK.Shared);
  const held = (flags & SPIN.Shared) != 0 ? shared : load<u32>(lock, KSPIN_LOCK.Owner);
  if (held == 0) {
    KeBugCheckEx(BUGCHECK.SPIN_LOCK_NOT_OWNED, lock, 0, 0, 0);
    return;
  }
  if ((flags & SPIN.Shared) != 0) store<u32>(lock, shared - 1, KSPIN_LOCK.Shared);
  else store<u32>(lock, 0, KSPIN_LOCK.Owner);
  KiGrantLock(lock);
  if ((flags & SPIN.AtDpcLevel) == 0 && KiMayLower(prcb, level)) HalSetIrql(prcb, level);
}

/**
 * Makes the one shared holder of a lock its exclusive one, if nobody else holds it or spins to have
 * it alone.
 *
 * @irql DISPATCH_LEVEL   @internal @nt ExTryConvertSharedSpinLockExclusive
 */
export function KiConvertSpinLock(prcb: PKPRCB, lock: PKOBJECT): bool {
  if (load<u32>(lock, KSPIN_LOCK.Shared) != 1) return false;
  if (load<u32>(lock, KSPIN_LOCK.Spinners) != 0) return false;
  store<u32>(lock, 0, KSPIN_LOCK.Shared);
  KiOwnLock(prcb, lock);
  return true;
}

/** Lets an activation begin with its interrupt's lock, if it has one, or spin for it first. */
export function KiAcquireInterruptLock(prcb: PKPRCB, interrupt: PKOBJECT): void {
  if (load<u32>(interrupt, KINTERRUPT_OBJECT.ActualLock) == 0) return;
  KiAcquireSpinLock(prcb, interrupt, SPIN.AtDpcLevel);
  if (KiIsSpinning(prcb)) store<u64>(prcb, NEVER, KPRCB.ResumeTime64);
}

/** The same lock at the activation's end. */
export function KiReleaseInterruptLock(prcb: PKPRCB, interrupt: PKOBJECT): void {
  if (load<u32>(interrupt, KINTERRUPT_OBJECT.ActualLock) == 0) return;
  KiReleaseSpinLock(prcb, interrupt, SPIN.AtDpcLevel, 0);
}

/** Whether an object is a spin lock or has one. */
export function KiIsSpinLock(object: PKOBJECT): bool {
  const type = load<u32>(object, KSPIN_LOCK.Type);
  return type == <u32>KOBJECTS.SpinLockObject || type == <u32>KOBJECTS.InterruptObject;
}

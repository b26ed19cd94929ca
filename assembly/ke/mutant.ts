import { PKOBJECT, PKPRCB, PKTHREAD } from '../hal';
import { BUGCHECK } from '../shared/bugcheck';
import { KMUTANT, KTHREAD, LIST_ENTRY } from '../shared/layout';
import { STATUS } from '../shared/status';
import { IRQL, THREAD_FLAG } from '../shared/types';
import { KiAddKernelApcDisable } from './apc';
import { KeBugCheckEx } from './bugcheck';
import { KiThreadIrql } from './frame';
import { KiWaitTest } from './wait';

/**
 * Mutants and mutexes: the owner may acquire again, and an owner that ends abandons a mutant. A mutex
 * is a mutant that also disables normal kernel APCs, once, for as long as it is owned.
 *
 * Invariant: an owned mutant is in the circle of its owner's, oldest first.
 */

const LIST: usize = KMUTANT.MutantListEntry;

function KiLinkMutant(mutant: PKOBJECT, thread: PKTHREAD): void {
  const first: usize = load<u32>(thread, KTHREAD.Mutants);
  const entry = mutant + LIST;
  if (first == 0) {
    store<u32>(entry, <u32>entry, LIST_ENTRY.Flink);
    store<u32>(entry, <u32>entry, LIST_ENTRY.Blink);
    store<u32>(thread, <u32>mutant, KTHREAD.Mutants);
    return;
  }
  const head = first + LIST;
  const last: usize = load<u32>(head, LIST_ENTRY.Blink);
  store<u32>(entry, <u32>head, LIST_ENTRY.Flink);
  store<u32>(entry, <u32>last, LIST_ENTRY.Blink);
  store<u32>(last, <u32>entry, LIST_ENTRY.Flink);
  store<u32>(head, <u32>entry, LIST_ENTRY.Blink);
}

function KiUnlinkMutant(mutant: PKOBJECT, thread: PKTHREAD): void {
  const entry = mutant + LIST;
  const next: usize = load<u32>(entry, LIST_ENTRY.Flink);
  const previous: usize = load<u32>(entry, LIST_ENTRY.Blink);
  store<u32>(previous, <u32>next, LIST_ENTRY.Flink);
  store<u32>(next, <u32>previous, LIST_ENTRY.Blink);
  if (load<u32>(thread, KTHREAD.Mutants) != <u32>mutant) return;
  store<u32>(thread, next == entry ? 0 : <u32>(next - LIST), KTHREAD.Mutants);
}

function KiChangeApcDisable(thread: PKTHREAD, mutant: PKOBJECT, sign: i32): void {
  const change = load<i32>(mutant, KMUTANT.ApcDisable) * sign;
  if (change != 0) KiAddKernelApcDisable(thread, change);
}

/** Whether one more acquisition by its owner would pass the limit of recursion. */
export function KiIsMutantExhausted(mutant: PKOBJECT, thread: PKTHREAD): bool {
  if (load<u32>(mutant, KMUTANT.OwnerThread) != <u32>thread) return false;
  return load<i32>(mutant, KMUTANT.SignalState) == i32.MIN_VALUE;
}

function KiIsAtDispatchLevel(thread: PKTHREAD): u32 {
  return KiThreadIrql(thread) >= <u32>IRQL.DISPATCH_LEVEL ? 1 : 0;
}

/** Gives the mutant to a thread once more; what its wait returns. */
export function KiAcquireMutant(mutant: PKOBJECT, thread: PKTHREAD): u32 {
  const state = load<i32>(mutant, KMUTANT.SignalState) - 1;
  store<i32>(mutant, state, KMUTANT.SignalState);
  if (state != 0) return STATUS.WAIT_0;
  store<u32>(mutant, <u32>thread, KMUTANT.OwnerThread);
  store<u32>(mutant, KiIsAtDispatchLevel(thread), KMUTANT.AtDispatchLevel);
  KiLinkMutant(mutant, thread);
  KiChangeApcDisable(thread, mutant, -1);
  const abandoned = load<u32>(mutant, KMUTANT.Abandoned) != 0;
  store<u32>(mutant, 0, KMUTANT.Abandoned);
  return abandoned ? STATUS.ABANDONED : STATUS.WAIT_0;
}

/** Frees a mutant and gives it to who waits for it. */
function KiFreeMutant(prcb: PKPRCB, mutant: PKOBJECT, thread: PKTHREAD, increment: u32): void {
  store<i32>(mutant, 1, KMUTANT.SignalState);
  store<u32>(mutant, 0, KMUTANT.OwnerThread);
  KiUnlinkMutant(mutant, thread);
  KiChangeApcDisable(thread, mutant, 1);
  KiWaitTest(prcb, mutant, increment);
}

/**
 * Takes one acquisition back; the last one frees the mutant.
 *
 * The thread's WaitStatus is the previous SignalState: 0 if it is free now. A thread that does not
 * own it has STATUS_MUTANT_NOT_OWNED raised, or STATUS_ABANDONED of an abandoned one; so has one that
 * acquired it below DISPATCH_LEVEL and frees it there, or the other way round.
 *
 * @returns whether it was released.
 * @irql at most DISPATCH_LEVEL   @nt KeReleaseMutant
 */
export function KeReleaseMutant(
  prcb: PKPRCB,
  thread: PKTHREAD,
  mutant: PKOBJECT,
  increment: u32,
): bool {
  if (load<u32>(mutant, KMUTANT.OwnerThread) != <u32>thread) {
    const abandoned = load<u32>(mutant, KMUTANT.Abandoned) != 0;
    KiRaiseStatus(thread, abandoned ? STATUS.ABANDONED : STATUS.MUTANT_NOT_OWNED);
    return false;
  }
  const previous = load<i32>(mutant, KMUTANT.SignalState);
  const level = KiIsAtDispatchLevel(thread);
  if (previous == 0 && load<u32>(mutant, KMUTANT.AtDispatchLevel) != level) {
    KiRaiseStatus(thread, STATUS.MUTANT_NOT_OWNED);
    return false;
  }
  store<i32>(thread, previous, KTHREAD.WaitStatus);
  if (previous < 0) store<i32>(mutant, previous + 1, KMUTANT.SignalState);
  else KiFreeMutant(prcb, mutant, thread, increment);
  return true;
}

/**
 * The same with Abandoned = TRUE: frees the mutant whoever owns it, however often, as the end of its
 * owner would. The thread's WaitStatus is the previous SignalState.
 */
export function KiAbandonMutant(
  prcb: PKPRCB,
  thread: PKTHREAD,
  mutant: PKOBJECT,
  increment: u32,
): void {
  store<u32>(thread, load<u32>(mutant, KMUTANT.SignalState), KTHREAD.WaitStatus);
  store<u32>(mutant, 1, KMUTANT.Abandoned);
  const owner: PKTHREAD = load<u32>(mutant, KMUTANT.OwnerThread);
  if (owner != 0) KiFreeMutant(prcb, mutant, owner, increment);
}

/** Takes a mutant from its owner, if it has one: nobody can name it any more. */
export function KiDisownMutant(prcb: PKPRCB, mutant: PKOBJECT): void {
  const owner: PKTHREAD = load<u32>(mutant, KMUTANT.OwnerThread);
  if (owner != 0) KiFreeMutant(prcb, mutant, owner, 0);
}

/** Leaves a status that is raised as an exception where the guest has them, not returned. */
export function KiRaiseStatus(thread: PKTHREAD, status: u32): void {
  store<u32>(thread, status, KTHREAD.WaitStatus);
  store<u32>(thread, load<u32>(thread, KTHREAD.Flags) | THREAD_FLAG.Raised, KTHREAD.Flags);
}

/**
 * What an ending thread owns: mutants are abandoned, the oldest first; a mutex is a bugcheck.
 *
 * @returns false after a bugcheck.
 */
export function KiAbandonMutants(prcb: PKPRCB, thread: PKTHREAD): bool {
  let mutant: PKOBJECT = load<u32>(thread, KTHREAD.Mutants);
  while (mutant != 0) {
    if (load<u32>(mutant, KMUTANT.ApcDisable) != 0) {
      KeBugCheckEx(BUGCHECK.THREAD_TERMINATE_HELD_MUTEX, thread, mutant, 0, 0);
      return false;
    }
    store<u32>(mutant, 1, KMUTANT.Abandoned);
    KiFreeMutant(prcb, mutant, thread, 0);
    mutant = load<u32>(thread, KTHREAD.Mutants);
  }
  return true;
}

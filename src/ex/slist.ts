import { IRQL } from '../../assembly/shared/types';
import { HOST_ROUTINE, requireIrql, VIOLATION } from '../ke/call';
import { NtCall, type Request } from '../machine/guest';
import type { KSpinLock } from '../machine/spinlock';
import { stopForList } from './list';

/** Sequenced singly linked lists: last in, first out, each operation one step. On x64 they use no lock. */

/** SLIST_ENTRY: `record` is what it is part of. */
export class SListEntry<T = unknown> {
  Next: SListEntry<T> | null = null;
  /** @internal The list it is in, since that was last flushed. */
  list: SListHeader<T> | undefined;
  /** @internal */
  flushes = 0;

  constructor(readonly record?: T) {}
}

/** SLIST_HEADER of x64: 16 bits of depth, 48 of sequence. */
export class SListHeader<T = unknown> {
  Next: SListEntry<T> | null = null;
  /** Entries, modulo 2^16. */
  Depth = 0;
  /** Changes of the list, modulo 2^48. */
  Sequence = 0;
  /** @internal */
  flushes = 0;
}

/** Makes a list empty. @irql any @nt ExInitializeSListHead */
export function ExInitializeSListHead<T>(sListHead: SListHeader<T>): void {
  Object.assign(sListHead, new SListHeader<T>(), { flushes: sListHead.flushes + 1 });
}

/** Puts an entry in front, as one step. */
export function pushSList<T>(
  routine: string,
  head: SListHeader<T>,
  entry: SListEntry<T>,
): SListEntry<T> | null {
  if (entry.list !== undefined && entry.flushes === entry.list.flushes) stopForList(routine);
  const first = head.Next;
  entry.Next = first;
  entry.list = head;
  entry.flushes = head.flushes;
  head.Next = entry;
  head.Depth = (head.Depth + 1) & 0xffff;
  head.Sequence = (head.Sequence + 1) % 2 ** 48;
  return first;
}

/** Takes the first entry out, as one step. */
export function popSList<T>(head: SListHeader<T>): SListEntry<T> | null {
  const entry = head.Next;
  if (entry === null) return null;
  head.Next = entry.Next;
  head.Depth = (head.Depth - 1) & 0xffff;
  head.Sequence = (head.Sequence + 1) % 2 ** 48;
  entry.list = undefined;
  return entry;
}

/**
 * Puts an entry in front. One that is in a list is bugcheck KERNEL_SECURITY_CHECK_FAILURE, where
 * Windows makes a circle of it.
 *
 * @returns what was first before, or NULL.
 * @irql any   @nt ExInterlockedPushEntrySList
 */
export function ExInterlockedPushEntrySList<T>(
  listHead: SListHeader<T>,
  listEntry: SListEntry<T>,
  _lock: KSpinLock | null,
): NtCall<SListEntry<T> | null> {
  const routine = 'ExInterlockedPushEntrySList';
  return new NtCall(routine, () => interlockedPushEntrySList(routine, listHead, listEntry));
}

function* interlockedPushEntrySList<T>(
  routine: string,
  listHead: SListHeader<T>,
  listEntry: SListEntry<T>,
): Generator<Request, SListEntry<T> | null, number> {
  const first = pushSList(routine, listHead, listEntry);
  yield HOST_ROUTINE;
  return first;
}

/** @returns the first entry, or NULL. @irql any @nt ExInterlockedPopEntrySList */
export function ExInterlockedPopEntrySList<T>(
  listHead: SListHeader<T>,
  _lock: KSpinLock | null,
): NtCall<SListEntry<T> | null> {
  const routine = 'ExInterlockedPopEntrySList';
  return new NtCall(routine, () => interlockedPopEntrySList(listHead));
}

function* interlockedPopEntrySList<T>(
  listHead: SListHeader<T>,
): Generator<Request, SListEntry<T> | null, number> {
  const entry = popSList(listHead);
  yield HOST_ROUTINE;
  return entry;
}

/** Makes a list empty. @returns its first entry, from which the others hang, or NULL. @irql any @nt ExInterlockedFlushSList */
export function ExInterlockedFlushSList<T>(listHead: SListHeader<T>): NtCall<SListEntry<T> | null> {
  const routine = 'ExInterlockedFlushSList';
  return new NtCall(routine, () => interlockedFlushSList(listHead));
}

function* interlockedFlushSList<T>(
  listHead: SListHeader<T>,
): Generator<Request, SListEntry<T> | null, number> {
  const entry = listHead.Next;
  if (entry !== null) {
    listHead.Next = null;
    listHead.Depth = 0;
    listHead.Sequence = (listHead.Sequence + 1) % 2 ** 48;
    listHead.flushes++;
  }
  yield HOST_ROUTINE;
  return entry;
}

/** @returns how many entries there are, modulo 2^16. @irql at most DISPATCH_LEVEL @nt ExQueryDepthSList */
export function ExQueryDepthSList<T>(sListHead: SListHeader<T>): number {
  requireIrql('ExQueryDepthSList', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  return sListHead.Depth;
}

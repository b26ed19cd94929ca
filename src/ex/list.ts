import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { stopGuest } from '../ke/call';
import type { NtCall } from '../machine/guest';
import type { KSpinLock } from '../machine/spinlock';
import { withInterlock } from './interlocked';

/**
 * Linked lists, with the checks of their links that Windows makes, and those under a spin lock. What
 * an entry is part of is its `record`: CONTAINING_RECORD.
 */

/** FAST_FAIL_CORRUPT_LIST_ENTRY: parameter 1 of KERNEL_SECURITY_CHECK_FAILURE. */
const CORRUPT_LIST_ENTRY = 3;

/** LIST_ENTRY: an entry, or the head of a list; alone it is the head of an empty one. */
export class ListEntry<T = unknown> {
  Flink: ListEntry<T>;
  Blink: ListEntry<T>;

  constructor(readonly record?: T) {
    this.Flink = this;
    this.Blink = this;
  }
}

/** SINGLE_LIST_ENTRY. */
export class SingleListEntry<T = unknown> {
  Next: SingleListEntry<T> | null = null;

  constructor(readonly record?: T) {}
}

/** Stops the machine for links that do not lead back. */
export function stopForList(routine: string): never {
  const message = 'the links of a list do not match; an entry was inserted or removed twice';
  stopGuest(routine, message, BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE, CORRUPT_LIST_ENTRY);
}

function link<T>(before: ListEntry<T>, entry: ListEntry<T>, after: ListEntry<T>): void {
  entry.Flink = after;
  entry.Blink = before;
  before.Flink = entry;
  after.Blink = entry;
}

function unlink<T>(routine: string, entry: ListEntry<T>): void {
  const { Flink, Blink } = entry;
  if (Flink.Blink !== entry || Blink.Flink !== entry) stopForList(routine);
  Blink.Flink = Flink;
  Flink.Blink = Blink;
}

/** @irql any @nt InitializeListHead */
export function InitializeListHead<T>(listHead: ListEntry<T>): void {
  listHead.Flink = listHead;
  listHead.Blink = listHead;
}

/** @irql any @nt IsListEmpty */
export function IsListEmpty<T>(listHead: ListEntry<T>): boolean {
  return listHead.Flink === listHead;
}

/** Links that do not match are bugcheck KERNEL_SECURITY_CHECK_FAILURE. @irql any @nt InsertHeadList */
export function InsertHeadList<T>(listHead: ListEntry<T>, entry: ListEntry<T>): void {
  const { Flink } = listHead;
  if (Flink.Blink !== listHead) stopForList('InsertHeadList');
  link(listHead, entry, Flink);
}

/** Links that do not match are bugcheck KERNEL_SECURITY_CHECK_FAILURE. @irql any @nt InsertTailList */
export function InsertTailList<T>(listHead: ListEntry<T>, entry: ListEntry<T>): void {
  const { Blink } = listHead;
  if (Blink.Flink !== listHead) stopForList('InsertTailList');
  link(Blink, entry, listHead);
}

/** @returns the first entry; of an empty list its head. @irql any @nt RemoveHeadList */
export function RemoveHeadList<T>(listHead: ListEntry<T>): ListEntry<T> {
  const entry = listHead.Flink;
  unlink('RemoveHeadList', entry);
  return entry;
}

/** @returns the last entry; of an empty list its head. @irql any @nt RemoveTailList */
export function RemoveTailList<T>(listHead: ListEntry<T>): ListEntry<T> {
  const entry = listHead.Blink;
  unlink('RemoveTailList', entry);
  return entry;
}

/** The links of the entry itself stay. @returns whether the list is empty now. @irql any @nt RemoveEntryList */
export function RemoveEntryList<T>(entry: ListEntry<T>): boolean {
  unlink('RemoveEntryList', entry);
  return entry.Flink === entry.Blink;
}

/** @irql any @nt PushEntryList */
export function PushEntryList<T>(listHead: SingleListEntry<T>, entry: SingleListEntry<T>): void {
  entry.Next = listHead.Next;
  listHead.Next = entry;
}

/** @returns the first entry, or NULL. @irql any @nt PopEntryList */
export function PopEntryList<T>(listHead: SingleListEntry<T>): SingleListEntry<T> | null {
  const entry = listHead.Next;
  if (entry !== null) listHead.Next = entry.Next;
  return entry;
}

/** @returns what was first before, or NULL. @irql any @nt ExInterlockedInsertHeadList */
export function ExInterlockedInsertHeadList<T>(
  listHead: ListEntry<T>,
  listEntry: ListEntry<T>,
  lock: KSpinLock,
): NtCall<ListEntry<T> | null> {
  return withInterlock('ExInterlockedInsertHeadList', lock, () => {
    const first = IsListEmpty(listHead) ? null : listHead.Flink;
    InsertHeadList(listHead, listEntry);
    return first;
  });
}

/** @returns what was last before, or NULL. @irql any @nt ExInterlockedInsertTailList */
export function ExInterlockedInsertTailList<T>(
  listHead: ListEntry<T>,
  listEntry: ListEntry<T>,
  lock: KSpinLock,
): NtCall<ListEntry<T> | null> {
  return withInterlock('ExInterlockedInsertTailList', lock, () => {
    const last = IsListEmpty(listHead) ? null : listHead.Blink;
    InsertTailList(listHead, listEntry);
    return last;
  });
}

/** @returns the first entry, or NULL. @irql any @nt ExInterlockedRemoveHeadList */
export function ExInterlockedRemoveHeadList<T>(
  listHead: ListEntry<T>,
  lock: KSpinLock,
): NtCall<ListEntry<T> | null> {
  return withInterlock('ExInterlockedRemoveHeadList', lock, () =>
    IsListEmpty(listHead) ? null : RemoveHeadList(listHead),
  );
}

/** @returns what was first before, or NULL. @irql any @nt ExInterlockedPushEntryList */
export function ExInterlockedPushEntryList<T>(
  listHead: SingleListEntry<T>,
  listEntry: SingleListEntry<T>,
  lock: KSpinLock,
): NtCall<SingleListEntry<T> | null> {
  return withInterlock('ExInterlockedPushEntryList', lock, () => {
    PushEntryList(listHead, listEntry);
    return listEntry.Next;
  });
}

/** @returns the first entry, or NULL. @irql any @nt ExInterlockedPopEntryList */
export function ExInterlockedPopEntryList<T>(
  listHead: SingleListEntry<T>,
  lock: KSpinLock,
): NtCall<SingleListEntry<T> | null> {
  return withInterlock('ExInterlockedPopEntryList', lock, () => PopEntryList(listHead));
}

import { KQUEUE, KQUEUE_ENTRY, KTHREAD_EXTENSION, LIST_ENTRY } from '../../assembly/shared/layout';
import { requireInteger } from './profile';
import { deleteObject, KernelObject, type KThread } from './views';

/** KGATE: one signal lets one waiter through. */
export class KGate extends KernelObject {
  /** From outside any guest; the waiter is lifted above `priority`, 0-31. @irql at most DISPATCH_LEVEL @nt KeSignalGateBoostPriority */
  signal(priority = 0): void {
    requireInteger('priority', priority, 0, 31);
    this.machine.core.hostSignalGate(this.address, priority);
  }

  /** Frees it; an error while a thread waits for it. */
  delete(): void {
    deleteObject(this);
  }
}

/**
 * KQUEUE. Entries are values of the host; programs have numbers of 64 bits, and see anything else as
 * one that stands for it.
 */
export class KQueue extends KernelObject {
  /** Threads that may be active at a time. */
  get maximumCount(): number {
    return this.word(KQUEUE.MaximumCount);
  }

  /** Threads that are: those of its threads that do not wait. */
  get currentCount(): number {
    return this.word(KQUEUE.CurrentCount);
  }

  /** Whether it has been run down. */
  get runDown(): boolean {
    return this.word(KQUEUE.RunDown) !== 0;
  }

  /** The threads that took from it last, waiting or not, in the order in which they came. */
  get threads(): KThread[] {
    const { memory } = this.machine;
    return this.list(KQUEUE.ThreadListHead).flatMap((entry) => {
      const row = entry - KTHREAD_EXTENSION.QueueListEntry;
      return this.machine.threadAt(memory.u32(row + KTHREAD_EXTENSION.Thread)) ?? [];
    });
  }

  /** From outside any guest, at the present time. Returns how many entries there were. @irql at most DISPATCH_LEVEL @nt KeInsertQueue */
  insert(entry: unknown): number {
    return this.put(entry, false, 0);
  }

  /**
   * The same with a priority, 1-31: the entry goes before lower ones and gives its thread that priority,
   * and threads at work on lower ones do not keep it waiting.
   */
  insertByPriority(entry: unknown, priority: number): number {
    return this.put(entry, false, requireInteger('priority', priority, 1, 31));
  }

  /** The same, in front. @irql at most DISPATCH_LEVEL @nt KeInsertHeadQueue */
  insertHead(entry: unknown): number {
    return this.put(entry, true, 0);
  }

  private put(entry: unknown, atHead: boolean, priority: number): number {
    const words = this.machine.values.hold(entry);
    const previous = this.machine.core.hostInsertQueue(
      this.address,
      ...words,
      atHead ? 1 : 0,
      priority,
    );
    if (previous >= 0) return previous;
    this.machine.values.drop(words);
    throw this.machine.full('queueEntries');
  }

  /** Takes up to `count` entries out, whoever is active; in their order. From outside any guest. */
  removeUpTo(count: number): unknown[] {
    const { address } = this;
    const { core, memory, values } = this.machine;
    const entries = this.list(KQUEUE.EntryListHead);
    return entries.slice(0, count).map((entry) => {
      const field = entry + KQUEUE_ENTRY.Value64;
      const value = values.decode(memory.u32(field), memory.u32(field + 4));
      core.hostTakeQueueEntry(address);
      return value;
    });
  }

  /**
   * Runs it down: who waits for an entry gets STATUS_ABANDONED, now and later.
   *
   * @returns the entries that were left.
   * @irql at most DISPATCH_LEVEL   @nt KeRundownQueue
   */
  rundown(): unknown[] {
    this.machine.core.hostRundownQueue(this.address);
    return this.removeUpTo(this.signalState);
  }

  /** Frees it and its entries; an error while it has threads: run it down first. */
  delete(): void {
    if (this.threads.length === 0) this.removeUpTo(this.signalState);
    deleteObject(this);
  }

  /** Addresses of the entries of a list. */
  private list(field: number): number[] {
    const { memory } = this.machine;
    const head = this.address + field;
    const entries: number[] = [];
    for (let entry = memory.u32(head); entry !== head; entry = memory.u32(entry)) {
      entries.push(entry + LIST_ENTRY.Flink);
    }
    return entries;
  }
}

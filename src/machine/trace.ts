import { RECORD } from '../../assembly/shared/event';
import { KSYSTEM } from '../../assembly/shared/layout';
import type { MachineMemory } from './memory';
import type { RecordBatch } from './records';

/** The host's end of the trace ring. */
export class TraceRing {
  private readonly subscribers = new Set<(batch: RecordBatch) => void>();

  constructor(private readonly memory: MachineMemory) {}

  /** Records written since boot. */
  get written(): number {
    return this.memory.u64(KSYSTEM.Address + KSYSTEM.TraceWrite64);
  }

  /** Records that were overwritten before anyone drained them. */
  get lost(): number {
    const overdue =
      this.written - this.memory.u64(KSYSTEM.Address + KSYSTEM.TraceRead64) - this.capacity;
    return this.memory.u64(KSYSTEM.Address + KSYSTEM.TraceLost64) + Math.max(0, overdue);
  }

  /** Hands every record to `subscriber` when the ring is drained. Returns what ends that. */
  subscribe(subscriber: (batch: RecordBatch) => void): () => void {
    this.subscribers.add(subscriber);
    return () => {
      this.subscribers.delete(subscriber);
    };
  }

  /** Hands what is in the ring to the subscribers; false, and nothing is drained, if there are none. */
  drain(): boolean {
    if (this.subscribers.size === 0) return false;
    for (const batch of this.take()) {
      for (const subscriber of [...this.subscribers]) subscriber(batch);
    }
    return true;
  }

  /** Takes what is in the ring, as one or two batches. */
  take(): RecordBatch[] {
    const { written, capacity } = this;
    const read = this.memory.u64(KSYSTEM.Address + KSYSTEM.TraceRead64);
    const first = Math.max(read, written - capacity);
    if (first > read) {
      const lost = this.memory.u64(KSYSTEM.Address + KSYSTEM.TraceLost64) + (first - read);
      this.memory.setU64(KSYSTEM.Address + KSYSTEM.TraceLost64, lost);
    }
    this.memory.setU64(KSYSTEM.Address + KSYSTEM.TraceRead64, written);
    return this.slices(first, written);
  }

  /** The last `count` records at most, drained or not; a copy, oldest first. */
  last(count: number): RecordBatch {
    const first = Math.max(0, this.written - Math.min(count, this.capacity));
    const slices = this.slices(first, this.written);
    const words = new Uint32Array(slices.reduce((sum, slice) => sum + slice.words.length, 0));
    let offset = 0;
    for (const slice of slices) {
      words.set(slice.words, offset);
      offset += slice.words.length;
    }
    return { words, count: words.length / RECORD.Words };
  }

  private get capacity(): number {
    return this.memory.u32(KSYSTEM.Address + KSYSTEM.TraceCapacity);
  }

  private slices(first: number, end: number): RecordBatch[] {
    const { capacity } = this;
    const base = this.memory.u32(KSYSTEM.Address + KSYSTEM.TraceBase) >>> 2;
    const batches: RecordBatch[] = [];
    for (let position = first; position < end; ) {
      const offset = position % capacity;
      const count = Math.min(end - position, capacity - offset);
      const start = base + offset * RECORD.Words;
      batches.push({
        words: this.memory.words.subarray(start, start + count * RECORD.Words),
        count,
      });
      position += count;
    }
    return batches;
  }
}

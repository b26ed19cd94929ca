import type { UserMemory } from '../../machine/user-context';

/**
 * Address spaces of Linux processes whose threads bring no memory of their own: pages that are made when
 * they are first written, and are copied when one of two processes that share them after a fork writes.
 */

const PAGE_BITS = 12;
export const PAGE_BYTES = 1 << PAGE_BITS;
/** Addresses of user mode end here. */
export const USER_END = 2 ** 47;

interface Page {
  readonly bytes: Uint8Array;
  /** Another address space may have it too: it is copied before it is written. */
  shared: boolean;
}

/** What addresses stand for that several address spaces have in common. */
export interface SharedMemory {
  read(offset: number, into: Uint8Array): void;
  write(offset: number, from: Uint8Array): void;
}

/** Anonymous memory that a fork does not copy: pages that are made when they are first written. */
export class SharedPages implements SharedMemory {
  private readonly pages = new Map<number, Uint8Array>();

  read(offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const at = (offset + done) % PAGE_BYTES;
      const count = Math.min(into.length - done, PAGE_BYTES - at);
      const page = this.pages.get(Math.floor((offset + done) / PAGE_BYTES));
      if (page === undefined) into.fill(0, done, done + count);
      else into.set(page.subarray(at, at + count), done);
      done += count;
    }
  }

  write(offset: number, from: Uint8Array): void {
    for (let done = 0; done < from.length; ) {
      const at = (offset + done) % PAGE_BYTES;
      const count = Math.min(from.length - done, PAGE_BYTES - at);
      const number = Math.floor((offset + done) / PAGE_BYTES);
      const page = this.pages.get(number) ?? new Uint8Array(PAGE_BYTES);
      page.set(from.subarray(done, done + count), at);
      this.pages.set(number, page);
      done += count;
    }
  }
}

interface Region {
  readonly start: number;
  readonly end: number;
  readonly memory: SharedMemory | undefined;
}

const NO_REGION: Region = { start: 0, end: 0, memory: undefined };
const NO_REGIONS: readonly Region[] = [];

export class AddressSpace implements UserMemory {
  private pages: Map<number, Page> | undefined;
  /** The one that was found last. */
  private last: Region = NO_REGION;

  constructor(
    /** In no order, disjoint; a new list for every change, so that a fork has the same one. */
    private regions: readonly Region[] = NO_REGIONS,
  ) {}

  /** Maps a range, in whole pages, in place of what is there: private, or of a memory of several. */
  map(start: number, size: number, memory?: SharedMemory): void {
    const end = start + Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
    this.unmap(start, end - start);
    this.regions = [...this.regions, { start, end, memory }];
  }

  unmap(start: number, size: number): void {
    const end = start + size;
    this.last = NO_REGION;
    this.regions = this.regions.flatMap((region) => {
      if (region.end <= start || region.start >= end) return [region];
      const rest = [
        { ...region, end: Math.min(region.end, start) },
        { ...region, start: Math.max(region.start, end) },
      ];
      return rest.filter((part) => part.start < part.end);
    });
    this.dropPages(start / PAGE_BYTES, end / PAGE_BYTES);
  }

  /** Of those that have been written, which may be far fewer than the range has. */
  private dropPages(from: number, to: number): void {
    const { pages } = this;
    if (pages === undefined) return;
    if (to - from < pages.size) for (let page = from; page < to; page++) pages.delete(page);
    else for (const page of pages.keys()) if (page >= from && page < to) pages.delete(page);
  }

  /** The lowest free range of so many bytes from an address on; undefined if there is none. */
  findFree(from: number, size: number): number | undefined {
    let start = from;
    const { regions } = this;
    for (const { start: low, end } of [...regions].sort((a, b) => a.start - b.start)) {
      if (end <= start) continue;
      if (low >= start + size) break;
      start = end;
    }
    return start + size <= USER_END ? start : undefined;
  }

  /** What a fork makes of it. */
  fork(): AddressSpace {
    const copy = new AddressSpace(this.regions);
    if (this.pages === undefined) return copy;
    for (const page of this.pages.values()) page.shared = true;
    copy.pages = new Map(this.pages);
    return copy;
  }

  /** What is the same memory wherever it is mapped. */
  backing(address: number): object {
    return this.regionOf(address)?.memory ?? this;
  }

  /** Where in its backing an address is. */
  offset(address: number): number {
    const region = this.regionOf(address);
    return region?.memory === undefined ? address : address - region.start;
  }

  private regionOf(address: number): Region | undefined {
    if (address >= this.last.start && address < this.last.end) return this.last;
    for (const region of this.regions) {
      if (address < region.start || address >= region.end) continue;
      this.last = region;
      return region;
    }
    return undefined;
  }

  private isMapped(address: number, size: number): boolean {
    const end = address + size;
    if (!Number.isSafeInteger(address) || address < 0 || end > USER_END) return false;
    for (let at = address; at < end; ) {
      const region = this.regionOf(at);
      if (region === undefined) return false;
      at = region.end;
    }
    return true;
  }

  read(address: number, into: Uint8Array): boolean {
    if (!this.isMapped(address, into.length)) return false;
    let done = 0;
    while (done < into.length) {
      const at = address + done;
      const region = this.regionOf(at) as Region;
      const left = Math.min(into.length - done, region.end - at);
      if (region.memory !== undefined) {
        region.memory.read(at - region.start, into.subarray(done, done + left));
        done += left;
        continue;
      }
      const offset = at % PAGE_BYTES;
      const count = Math.min(left, PAGE_BYTES - offset);
      const page = this.pages?.get(Math.floor(at / PAGE_BYTES));
      if (page === undefined) into.fill(0, done, done + count);
      else into.set(page.bytes.subarray(offset, offset + count), done);
      done += count;
    }
    return true;
  }

  write(address: number, from: Uint8Array): boolean {
    if (!this.isMapped(address, from.length)) return false;
    let done = 0;
    while (done < from.length) {
      const at = address + done;
      const region = this.regionOf(at) as Region;
      const left = Math.min(from.length - done, region.end - at);
      if (region.memory !== undefined) {
        region.memory.write(at - region.start, from.subarray(done, done + left));
        done += left;
        continue;
      }
      const offset = at % PAGE_BYTES;
      const count = Math.min(left, PAGE_BYTES - offset);
      this.ownPage(Math.floor(at / PAGE_BYTES)).set(from.subarray(done, done + count), offset);
      done += count;
    }
    return true;
  }

  /** The bytes of a page that this address space may write. */
  private ownPage(number: number): Uint8Array {
    this.pages ??= new Map();
    const known = this.pages.get(number);
    if (known !== undefined && !known.shared) return known.bytes;
    const bytes = known === undefined ? new Uint8Array(PAGE_BYTES) : known.bytes.slice();
    this.pages.set(number, { bytes, shared: false });
    return bytes;
  }
}

const scratch = new Uint8Array(8);
const view = new DataView(scratch.buffer);
const word = scratch.subarray(0, 4);
const half = scratch.subarray(0, 2);

/** An int; undefined if it is not mapped. */
export function readInt(memory: UserMemory, address: number): number | undefined {
  return memory.read(address, word) ? view.getInt32(0, true) : undefined;
}

export function readShort(memory: UserMemory, address: number): number | undefined {
  return memory.read(address, half) ? view.getInt16(0, true) : undefined;
}

/** A long, exact as far as it is a safe integer. */
export function readLong(memory: UserMemory, address: number): number | undefined {
  if (!memory.read(address, scratch)) return undefined;
  return view.getUint32(0, true) + view.getInt32(4, true) * 2 ** 32;
}

/** An unsigned long in full. */
export function readWord64(memory: UserMemory, address: number): bigint | undefined {
  return memory.read(address, scratch) ? view.getBigUint64(0, true) : undefined;
}

/** False if it is not mapped. */
export function writeInt(memory: UserMemory, address: number, value: number): boolean {
  view.setInt32(0, value, true);
  return memory.write(address, word);
}

export function writeShort(memory: UserMemory, address: number, value: number): boolean {
  view.setInt16(0, value, true);
  return memory.write(address, half);
}

export function writeWord64(memory: UserMemory, address: number, value: bigint): boolean {
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  return memory.write(address, scratch);
}

export function writeLong(memory: UserMemory, address: number, value: number): boolean {
  return writeWord64(memory, address, BigInt(value));
}

/** A string that ends in NUL, of at most `limit` bytes; 'long' if it has more, undefined if it is not mapped. */
export function readString(
  memory: UserMemory,
  address: number,
  limit: number,
): string | 'long' | undefined {
  const bytes: number[] = [];
  const byte = scratch.subarray(0, 1);
  for (let at = address; bytes.length <= limit; at++) {
    if (!memory.read(at, byte)) return undefined;
    const [value = 0] = byte;
    if (value === 0) return new TextDecoder().decode(Uint8Array.from(bytes));
    bytes.push(value);
  }
  return 'long';
}

import { STATUS } from '../../assembly/shared/status';
import type { KProcess } from '../machine/views';
import type { ProcessExecutive } from './executive';

/**
 * The books of a process's address space: what is reserved, what is committed and how it may be used,
 * and the bytes of the pages that somebody has written to. There is no paging: every page is as good
 * as resident.
 *
 * Invariant: allocations are in the order of their addresses, and each is covered by its runs without
 * a gap.
 */

export const PAGE_BYTES = 0x1000;
/** Where allocations begin: multiples of this. */
export const ALLOCATION_GRANULARITY = 0x1_0000;
export const LOWEST_USER_ADDRESS = 0x1_0000;
/** The last byte that user mode can have. */
export const HIGHEST_USER_ADDRESS = 0x7fff_fffe_ffff;

/** MEM_… flags: what an allocation is, and how one is made and freed. */
export const enum MEM {
  COMMIT = 0x1000,
  RESERVE = 0x2000,
  DECOMMIT = 0x4000,
  RELEASE = 0x8000,
  FREE = 0x1_0000,
  PRIVATE = 0x2_0000,
  MAPPED = 0x4_0000,
  RESET = 0x8_0000,
  TOP_DOWN = 0x10_0000,
  WRITE_WATCH = 0x20_0000,
  PHYSICAL = 0x40_0000,
  IMAGE = 0x100_0000,
  LARGE_PAGES = 0x2000_0000,
}

/** Page protections: PAGE_READWRITE is `PAGE.READWRITE`. */
export const enum PAGE {
  NOACCESS = 0x1,
  READONLY = 0x2,
  READWRITE = 0x4,
  WRITECOPY = 0x8,
  EXECUTE = 0x10,
  EXECUTE_READ = 0x20,
  EXECUTE_READWRITE = 0x40,
  EXECUTE_WRITECOPY = 0x80,
  GUARD = 0x100,
}

const READABLE =
  PAGE.READONLY |
  PAGE.READWRITE |
  PAGE.WRITECOPY |
  PAGE.EXECUTE_READ |
  PAGE.EXECUTE_READWRITE |
  PAGE.EXECUTE_WRITECOPY;
const WRITABLE = PAGE.READWRITE | PAGE.WRITECOPY | PAGE.EXECUTE_READWRITE | PAGE.EXECUTE_WRITECOPY;

/** Pages next to each other that are alike; a protection of 0: they are reserved and no more. */
export interface Run {
  readonly base: number;
  readonly size: number;
  readonly protect: number;
}

/** What one call has reserved or mapped. */
export interface Allocation {
  readonly base: number;
  readonly size: number;
  readonly protect: number;
  readonly type: MEM;
  runs: readonly Run[];
}

/** Bytes of the pages that so many bytes take. */
export function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

const endOf = ({ base, size }: { readonly base: number; readonly size: number }) => base + size;

/** The runs with a part of them changed; neighbours that are alike become one. */
function changed(runs: readonly Run[], base: number, size: number, protect: number): Run[] {
  const end = base + size;
  const pieces = runs.flatMap((run) => {
    const before = { ...run, size: Math.min(endOf(run), base) - run.base };
    const from = Math.max(run.base, end);
    const after = { ...run, base: from, size: endOf(run) - from };
    return [before, after].filter((piece) => piece.size > 0);
  });
  pieces.push({ base, size, protect });
  pieces.sort((a, b) => a.base - b.base);
  const merged: Run[] = [];
  for (const piece of pieces) {
    const last = merged[merged.length - 1];
    if (last !== undefined && last.protect === piece.protect)
      merged[merged.length - 1] = { ...last, size: last.size + piece.size };
    else merged.push(piece);
  }
  return merged;
}

export class AddressSpace {
  private allocations: Allocation[] = [];
  /** By page number: what has been written. */
  private readonly pages = new Map<number, Uint8Array>();
  private peak = 0;

  constructor(private readonly process: KProcess) {}

  /** The images of the process, as allocations. */
  private images(): Allocation[] {
    const executive = this.process.executive as ProcessExecutive | undefined;
    return (executive?.modules ?? []).map(({ base, size: bytes }) => {
      const size = wholePages(bytes);
      const protect = PAGE.EXECUTE_WRITECOPY;
      const runs = [{ base, size, protect: PAGE.EXECUTE_READ }];
      return { base, size, protect, type: MEM.IMAGE, runs };
    });
  }

  /** All there is, in the order of addresses. */
  private everything(): Allocation[] {
    return [...this.allocations, ...this.images()].sort((a, b) => a.base - b.base);
  }

  /** The allocation that an address is in. */
  find(address: number): Allocation | undefined {
    return this.everything().find((one) => address >= one.base && address < endOf(one));
  }

  /** The run that an address is in; one without an allocation is free. */
  runAt(address: number): { readonly run: Run; readonly allocation: Allocation | undefined } {
    const all = this.everything();
    const allocation = all.find((one) => address >= one.base && address < endOf(one));
    const run = allocation?.runs.find((one) => address >= one.base && address < endOf(one));
    if (run !== undefined) return { run, allocation };
    const next = all.find(({ base }) => base > address)?.base ?? HIGHEST_USER_ADDRESS + 1;
    return { run: { base: address, size: next - address, protect: 0 }, allocation: undefined };
  }

  /** A place for so many bytes, the lowest or the highest; undefined: there is none. */
  place(size: number, topDown: boolean): number | undefined {
    const all = this.everything();
    const ends = [LOWEST_USER_ADDRESS, ...all.map(endOf)];
    const limits = [...all.map(({ base }) => base), HIGHEST_USER_ADDRESS + 1];
    const gaps = ends.map((end, index) => ({
      from: Math.ceil(end / ALLOCATION_GRANULARITY) * ALLOCATION_GRANULARITY,
      to: limits[index] as number,
    }));
    const fitting = gaps.filter(({ from, to }) => to - from >= size);
    if (!topDown) return fitting[0]?.from;
    const last = fitting[fitting.length - 1];
    if (last === undefined) return undefined;
    return Math.floor((last.to - size) / ALLOCATION_GRANULARITY) * ALLOCATION_GRANULARITY;
  }

  /** Reserves or maps a range; false if some of it is in use. */
  add(base: number, size: number, protect: number, type: MEM, committed: boolean): boolean {
    const free = base >= LOWEST_USER_ADDRESS && base + size <= HIGHEST_USER_ADDRESS + 1;
    if (!free || this.everything().some((one) => base < endOf(one) && base + size > one.base))
      return false;
    const runs = [{ base, size, protect: committed ? protect : 0 }];
    this.allocations.push({ base, size, protect, type, runs });
    this.notePeak();
    return true;
  }

  /** Commits a range of an allocation, or (a protection of 0) takes it back with what was written. */
  change(allocation: Allocation, base: number, size: number, protect: number): void {
    allocation.runs = changed(allocation.runs, base, size, protect);
    if (protect === 0) this.forget(base, size);
  }

  /** Takes a range out of an allocation; what is left on either side are allocations of their own. */
  release(allocation: Allocation, base: number, size: number): void {
    this.allocations = this.allocations.filter((one) => one !== allocation);
    this.forget(base, size);
    const end = base + size;
    const left = [
      { base: allocation.base, size: base - allocation.base },
      { base: end, size: endOf(allocation) - end },
    ];
    for (const rest of left) {
      if (rest.size === 0) continue;
      const runs = allocation.runs.flatMap((run) => {
        const from = Math.max(run.base, rest.base);
        const to = Math.min(endOf(run), endOf(rest));
        return to > from ? [{ ...run, base: from, size: to - from }] : [];
      });
      this.allocations.push({ ...allocation, ...rest, runs });
    }
  }

  private forget(base: number, size: number): void {
    for (const page of this.pages.keys()) {
      const address = page * PAGE_BYTES;
      if (address >= base && address < base + size) this.pages.delete(page);
    }
  }

  /** Bytes from an address on that may be read or written, at most so many. */
  private accessible(address: number, bytes: number, rights: number): number {
    let end = address;
    while (end < address + bytes) {
      const { run, allocation } = this.runAt(end);
      if (allocation === undefined || (run.protect & rights) === 0) break;
      if ((run.protect & PAGE.GUARD) !== 0) break;
      end = endOf(run);
    }
    return Math.min(end - address, bytes);
  }

  /** Reads into `bytes` as far as that goes. @returns how far that was. */
  read(address: number, bytes: Uint8Array): number {
    const count = this.accessible(address, bytes.length, READABLE);
    this.eachPage(address, count, (page, from, offset, length) => {
      const written = this.pages.get(page);
      if (written === undefined) bytes.fill(0, offset, offset + length);
      else bytes.set(written.subarray(from, from + length), offset);
    });
    return count;
  }

  /** Writes `bytes` as far as that goes. @returns how far that was. */
  write(address: number, bytes: Uint8Array): number {
    const count = this.accessible(address, bytes.length, WRITABLE);
    this.eachPage(address, count, (page, from, offset, length) => {
      const written = this.pages.get(page) ?? new Uint8Array(PAGE_BYTES);
      this.pages.set(page, written);
      written.set(bytes.subarray(offset, offset + length), from);
    });
    return count;
  }

  private eachPage(
    address: number,
    count: number,
    use: (page: number, from: number, offset: number, length: number) => void,
  ): void {
    for (let offset = 0; offset < count; ) {
      const page = Math.floor((address + offset) / PAGE_BYTES);
      const from = address + offset - page * PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - from, count - offset);
      use(page, from, offset, length);
      offset += length;
    }
  }

  /** Bytes that are reserved or mapped, images included. */
  get virtualBytes(): number {
    return this.everything().reduce((sum, { size }) => sum + size, 0);
  }

  /** The most that there was. */
  get peakVirtualBytes(): number {
    this.notePeak();
    return this.peak;
  }

  private notePeak(): void {
    this.peak = Math.max(this.peak, this.virtualBytes);
  }

  /** Bytes of the process's own that are committed. */
  get privateBytes(): number {
    return this.allocations
      .filter(({ type }) => type === MEM.PRIVATE)
      .flatMap(({ runs }) => runs)
      .reduce((sum, { size, protect }) => sum + (protect === 0 ? 0 : size), 0);
  }

  /** Gives everything back. */
  clear(): void {
    this.notePeak();
    this.allocations = [];
    this.pages.clear();
  }
}

const spaces = new WeakMap<KProcess, AddressSpace>();

/** The books of a process, if somebody has asked for them. */
export function knownAddressSpace(process: KProcess): AddressSpace | undefined {
  return spaces.get(process);
}

/** The books of a process. */
export function addressSpace(process: KProcess): AddressSpace {
  const known = spaces.get(process);
  if (known !== undefined) return known;
  const made = new AddressSpace(process);
  spaces.set(process, made);
  return made;
}

/** What is wrong with a page protection; STATUS_SUCCESS if nothing is. */
export function protectionStatus(protect: number): number {
  const base = protect & 0xff;
  const one = base !== 0 && (base & (base - 1)) === 0;
  const modifiers = protect & ~0xff;
  const known = (modifiers & ~0x700) === 0;
  const guarded = base === PAGE.NOACCESS && modifiers !== 0;
  return one && known && !guarded ? STATUS.SUCCESS : STATUS.INVALID_PAGE_PROTECTION;
}

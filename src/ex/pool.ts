import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, stopGuest, VIOLATION } from '../ke/call';
import { MachineError } from '../machine/errors';
import { currentGuest, NtStatusError } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import { requireInteger } from '../machine/profile';
import type { KProcess } from '../machine/views';
import { Kept } from '../machine/watch';
import { chargeQuota, returnQuota } from './quota';

/**
 * Pool, as books: an allocation is an object that says how large it is, and has no memory. What is
 * counted by tag tells what a driver has not freed.
 */

/** POOL_FLAGS of ExAllocatePool2. */
export const POOL_FLAG_USE_QUOTA = 0x1;
export const POOL_FLAG_UNINITIALIZED = 0x2;
export const POOL_FLAG_CACHE_ALIGNED = 0x8;
export const POOL_FLAG_RAISE_ON_FAILURE = 0x20;
export const POOL_FLAG_NON_PAGED = 0x40;
export const POOL_FLAG_NON_PAGED_EXECUTE = 0x80;
export const POOL_FLAG_PAGED = 0x100;

const KINDS = POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;

/** POOL_TYPE of the older routines. */
export enum POOL_TYPE {
  NonPagedPool = 0,
  PagedPool = 1,
  NonPagedPoolNx = 512,
}

/** Parameter 1 of BAD_POOL_CALLER. */
const enum MISUSE {
  FreedTwice = 0x7,
  WrongTag = 0xa,
  NotAllocated = 0x46,
  NoTag = 0x9b,
}

/** An allocation: what a driver keeps in it is the driver's own. */
export class PoolBlock {
  /** Whether it has been freed. */
  freed = false;
  /** @internal The process that is charged with it. */
  charged: KProcess | undefined;

  constructor(
    readonly machine: Machine,
    /** Up to four characters. */
    readonly tag: string,
    readonly numberOfBytes: number,
    readonly paged: boolean,
  ) {}
}

/** What a machine has in pool under one tag. */
export interface PoolTagUsage {
  readonly tag: string;
  readonly paged: boolean;
  readonly allocations: number;
  readonly frees: number;
  /** Allocated, and not freed. */
  readonly bytes: number;
}

interface Counts {
  allocations: number;
  frees: number;
  bytes: number;
}

class Pool {
  private readonly counts = {
    paged: new Map<string, Counts>(),
    nonPaged: new Map<string, Counts>(),
  };

  countsOf({ tag, paged }: Pick<PoolBlock, 'tag' | 'paged'>): Counts {
    const counts = this.counts[paged ? 'paged' : 'nonPaged'];
    const known = counts.get(tag) ?? { allocations: 0, frees: 0, bytes: 0 };
    counts.set(tag, known);
    return known;
  }

  usage(): PoolTagUsage[] {
    const rows = (['paged', 'nonPaged'] as const).flatMap((kind) =>
      [...this.counts[kind]].map(([tag, counts]) => ({ tag, paged: kind === 'paged', ...counts })),
    );
    return rows.sort((a, b) => (a.tag < b.tag ? -1 : a.tag > b.tag ? 1 : +a.paged - +b.paged));
  }
}

const POOLS = new PerMachine(() => new Pool());

/** What a machine has in pool, by tag, in the order of the tags. */
export function poolUsage(machine: Machine): PoolTagUsage[] {
  return POOLS.of(machine).usage();
}

function checkTag(routine: string, tag: string, bytes: number, poolType: number): void {
  if (tag === '') {
    const message = 'an allocation without a tag; give one to four characters';
    stopGuest(routine, message, BUGCHECK.BAD_POOL_CALLER, MISUSE.NoTag, poolType, bytes);
  }
  if (!/^[\x20-\x7e]{1,4}$/.test(tag))
    throw new MachineError(`${routine}: tag is '${tag}'; give one to four ASCII characters`);
}

/** Puts an allocation into the books. The level must let its kind of pool be touched. */
export function allocateBlock(
  routine: string,
  paged: boolean,
  bytes: number,
  tag: string,
): PoolBlock {
  requireInteger(`${routine}: numberOfBytes`, bytes, 0, Number.MAX_SAFE_INTEGER);
  const highest = paged ? IRQL.APC_LEVEL : IRQL.DISPATCH_LEVEL;
  requireIrql(routine, VIOLATION.IrqlExAllocatePool, highest);
  checkTag(routine, tag, bytes, paged ? POOL_TYPE.PagedPool : POOL_TYPE.NonPagedPool);
  const block = new PoolBlock(currentGuest(routine).machine, tag, bytes, paged);
  const counts = POOLS.of(block.machine).countsOf(block);
  counts.allocations++;
  counts.bytes += bytes;
  const what = `${bytes} bytes of pool with the tag '${tag}'`;
  block.machine.watcher?.takes(Kept.Pool, block, what);
  return block;
}

/** What no allocation can be larger than: our choice. */
const LARGEST_BLOCK_BYTES = 2 ** 30;

/** Charges the current process first. @returns the block, or why there is none. */
function allocateCharged(
  routine: string,
  paged: boolean,
  bytes: number,
  tag: string,
): PoolBlock | number {
  requireIrql(routine, VIOLATION.IrqlExApcLte2, IRQL.APC_LEVEL);
  if (bytes > LARGEST_BLOCK_BYTES) return STATUS.INSUFFICIENT_RESOURCES;
  const { attachedProcess } = currentGuest(routine).thread;
  const status = chargeQuota(attachedProcess, paged ? 'paged' : 'nonPaged', bytes);
  if (status !== STATUS.SUCCESS) return status;
  const block = allocateBlock(routine, paged, bytes, tag);
  block.charged = attachedProcess;
  return block;
}

/** POOL_TYPE bit of the quota routines: NULL in place of an exception. */
export const POOL_QUOTA_FAIL_INSTEAD_OF_RAISE = 8;

function allocateWithQuota(
  routine: string,
  poolType: number,
  bytes: number,
  tag: string,
): PoolBlock | null {
  const block = allocateCharged(routine, (poolType & 1) !== 0, bytes, tag);
  if (typeof block !== 'number') return block;
  if ((poolType & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE) !== 0) return null;
  throw new NtStatusError(block);
}

/**
 * Allocates pool that the current process is charged with, until it is freed. Raises QUOTA_EXCEEDED or
 * INSUFFICIENT_RESOURCES; with POOL_QUOTA_FAIL_INSTEAD_OF_RAISE in `poolType` it returns NULL instead.
 *
 * @irql at most APC_LEVEL   @nt ExAllocatePoolWithQuotaTag (partial: no memory)
 */
export function ExAllocatePoolWithQuotaTag(
  poolType: number,
  numberOfBytes: number,
  tag: string,
): PoolBlock | null {
  return allocateWithQuota('ExAllocatePoolWithQuotaTag', poolType, numberOfBytes, tag);
}

/** The same under the tag 'None'. @irql at most APC_LEVEL @nt ExAllocatePoolWithQuota (partial: no memory) */
export function ExAllocatePoolWithQuota(poolType: number, numberOfBytes: number): PoolBlock | null {
  return allocateWithQuota('ExAllocatePoolWithQuota', poolType, numberOfBytes, 'None');
}

/** Allocates as ExAllocatePool2 says, its flags being good. */
function allocateByFlags(flags: number, bytes: number, tag: string): PoolBlock | number {
  const routine = 'ExAllocatePool2';
  const paged = (flags & POOL_FLAG_PAGED) !== 0;
  if ((flags & POOL_FLAG_USE_QUOTA) !== 0) return allocateCharged(routine, paged, bytes, tag);
  if (bytes > LARGEST_BLOCK_BYTES) return STATUS.INSUFFICIENT_RESOURCES;
  return allocateBlock(routine, paged, bytes, tag);
}

/**
 * Allocates pool. `flags` has one of the POOL_FLAGs that say of which kind.
 *
 * With POOL_FLAG_USE_QUOTA the current process is charged with it.
 *
 * @returns NULL for no bytes or bad flags, no room or quota: POOL_FLAG_RAISE_ON_FAILURE raises
 *   STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES or STATUS_QUOTA_EXCEEDED instead. A tag of '' is bugcheck BAD_POOL_CALLER.
 * @irql at most DISPATCH_LEVEL; APC_LEVEL for paged pool
 * @nt ExAllocatePool2 (partial: no memory)
 */
export function ExAllocatePool2(
  flags: number,
  numberOfBytes: number,
  tag: string,
): PoolBlock | null {
  const kind = flags & KINDS;
  if (numberOfBytes === 0 || kind === 0 || (kind & (kind - 1)) !== 0) {
    if ((flags & POOL_FLAG_RAISE_ON_FAILURE) !== 0)
      throw new NtStatusError(STATUS.INVALID_PARAMETER);
    return null;
  }
  const block = allocateByFlags(flags, numberOfBytes, tag);
  if (typeof block !== 'number') return block;
  if ((flags & POOL_FLAG_RAISE_ON_FAILURE) !== 0) throw new NtStatusError(block);
  return null;
}

/**
 * The same by POOL_TYPE.
 *
 * @irql at most DISPATCH_LEVEL; APC_LEVEL for paged pool
 * @nt ExAllocatePoolWithTag (partial: no memory)
 */
export function ExAllocatePoolWithTag(
  poolType: POOL_TYPE,
  numberOfBytes: number,
  tag: string,
): PoolBlock | null {
  if (numberOfBytes > LARGEST_BLOCK_BYTES) return null;
  return allocateBlock('ExAllocatePoolWithTag', (poolType & 1) !== 0, numberOfBytes, tag);
}

function free(routine: string, block: PoolBlock, tag: string | null): void {
  const highest = block.paged ? IRQL.APC_LEVEL : IRQL.DISPATCH_LEVEL;
  requireIrql(routine, VIOLATION.IrqlExAllocatePool, highest);
  const code = BUGCHECK.BAD_POOL_CALLER;
  if (!(block instanceof PoolBlock) || block.machine !== currentGuest(routine).machine)
    stopGuest(routine, 'this is no allocation of the machine', code, MISUSE.NotAllocated);
  if (block.freed)
    stopGuest(routine, `the allocation '${block.tag}' has been freed`, code, MISUSE.FreedTwice);
  if (tag !== null && tag !== '' && tag !== block.tag) {
    const message = `the tag is '${tag}', and the allocation's '${block.tag}'`;
    stopGuest(routine, message, code, MISUSE.WrongTag, 0, tagNumber(block.tag), tagNumber(tag));
  }
  block.freed = true;
  block.machine.watcher?.returns(block);
  if (block.charged !== undefined)
    returnQuota(block.charged, block.paged ? 'paged' : 'nonPaged', block.numberOfBytes);
  const counts = POOLS.of(block.machine).countsOf(block);
  counts.frees++;
  counts.bytes -= block.numberOfBytes;
}

/** A tag as its four bytes, the first the lowest. */
function tagNumber(tag: string): number {
  return [...tag].reduce(
    (number, letter, index) => number + letter.charCodeAt(0) * 256 ** index,
    0,
  );
}

/**
 * Frees an allocation. One that has been freed, or has another tag (unless '' is given), is bugcheck
 * BAD_POOL_CALLER.
 *
 * @irql at most DISPATCH_LEVEL; APC_LEVEL for paged pool   @nt ExFreePoolWithTag
 */
export function ExFreePoolWithTag(block: PoolBlock, tag: string): void {
  free('ExFreePoolWithTag', block, tag);
}

/** The same whatever its tag. @irql at most DISPATCH_LEVEL; APC_LEVEL for paged pool @nt ExFreePool */
export function ExFreePool(block: PoolBlock): void {
  free('ExFreePool', block, null);
}

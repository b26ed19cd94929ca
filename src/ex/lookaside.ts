import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { HOST_ROUTINE, requireIrql, stopGuest, VIOLATION } from '../ke/call';
import type { GuestResult } from '../machine/dpc';
import { resultOf } from '../machine/generator';
import { currentGuest, NtCall, NtStatusError, type Request } from '../machine/guest';
import { Kept } from '../machine/watch';
import { requireInteger } from '../machine/profile';
import { stopForList } from './list';
import { allocateBlock, ExFreePool, type POOL_TYPE, type PoolBlock } from './pool';
import { popSList, pushSList, SListEntry, SListHeader } from './slist';

/** Lookaside lists: what has been freed is kept for those who allocate next. */

export const EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL = 1;
export const EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE = 2;

/** What a list keeps at most until the balance-set manager changes that, which it does not here. */
const MINIMUM_DEPTH = 4;
const MAXIMUM_DEPTH = 256;
const LOOKASIDE_MINIMUM_BLOCK_SIZE = 8;
/** FAST_FAIL_INVALID_ARG: parameter 1 of KERNEL_SECURITY_CHECK_FAILURE. */
const INVALID_ARGUMENT = 5;

/** ALLOCATE_FUNCTION and ALLOCATE_FUNCTION_EX: makes an entry, or null. */
export type LookasideAllocate<T extends object> = (
  poolType: POOL_TYPE,
  numberOfBytes: number,
  tag: string,
  lookaside: LookasideList<T>,
) => GuestResult<T | null>;

/** FREE_FUNCTION and FREE_FUNCTION_EX. */
export type LookasideFree<T extends object> = (
  entry: T,
  lookaside: LookasideList<T>,
) => GuestResult;

/** GENERAL_LOOKASIDE: NPAGED_LOOKASIDE_LIST, PAGED_LOOKASIDE_LIST and LOOKASIDE_LIST_EX. */
export class LookasideList<T extends object = PoolBlock> {
  readonly ListHead = new SListHeader<T>();
  /** Entries that it keeps at most. */
  Depth = MINIMUM_DEPTH;
  readonly MaximumDepth = MAXIMUM_DEPTH;
  TotalAllocates = 0;
  /** Of those, the ones for which the list was empty. */
  AllocateMisses = 0;
  TotalFrees = 0;
  /** Of those, the ones for which the list was full. */
  FreeMisses = 0;
  /** @internal */
  deleted = false;
  private readonly entries = new WeakMap<T, SListEntry<T>>();

  constructor(
    readonly Type: POOL_TYPE,
    readonly Tag: string,
    readonly Size: number,
    readonly Allocate: LookasideAllocate<T>,
    readonly Free: LookasideFree<T>,
    readonly Flags: number,
  ) {}

  get AllocateHits(): number {
    return this.TotalAllocates - this.AllocateMisses;
  }

  get FreeHits(): number {
    return this.TotalFrees - this.FreeMisses;
  }

  /** @internal Whether it may be touched at DISPATCH_LEVEL. */
  get paged(): boolean {
    return (this.Type & 1) !== 0;
  }

  /** @internal The link of an entry. */
  linkOf(entry: T): SListEntry<T> {
    const known = this.entries.get(entry) ?? new SListEntry(entry);
    this.entries.set(entry, known);
    return known;
  }
}

function createList<T extends object>(
  allocate: LookasideAllocate<T> | null,
  free: LookasideFree<T> | null,
  poolType: POOL_TYPE,
  flags: number,
  size: number,
  tag: string,
): LookasideList<T> {
  const { machine } = currentGuest('ExInitializeLookasideListEx');
  const fromPool = (type: POOL_TYPE, bytes: number, ownTag: string) =>
    allocateBlock('ExAllocateFromLookasideListEx', (type & 1) !== 0, bytes, ownTag);
  const toPool = (entry: object) => ExFreePool(entry as PoolBlock);
  const lookaside = new LookasideList<T>(
    poolType,
    tag,
    Math.max(size, LOOKASIDE_MINIMUM_BLOCK_SIZE),
    // Without routines of its own a list is one of allocations from pool.
    allocate ?? (fromPool as unknown as LookasideAllocate<T>),
    free ?? toPool,
    flags,
  );
  machine.watcher?.takes(Kept.Storage, lookaside, `a lookaside list of '${tag}'`);
  return lookaside;
}

function requireSize(routine: string, size: number): void {
  requireInteger(`${routine}: size`, size, 0, 0xffffffff);
}

/**
 * A list of entries of `size` bytes, which come from non-paged pool unless it has routines of its
 * own. `depth` is not looked at, as in Windows.
 *
 * @irql at most DISPATCH_LEVEL
 * @nt ExInitializeNPagedLookasideList (partial: the depth stays what it is at first)
 */
export function ExInitializeNPagedLookasideList<T extends object = PoolBlock>(
  allocate: LookasideAllocate<T> | null,
  free: LookasideFree<T> | null,
  flags: number,
  size: number,
  tag: string,
  _depth: number,
): LookasideList<T> {
  const routine = 'ExInitializeNPagedLookasideList';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  requireSize(routine, size);
  return createList(allocate, free, 512, flags, size, tag);
}

/**
 * The same from paged pool.
 *
 * @irql at most APC_LEVEL
 * @nt ExInitializePagedLookasideList (partial: the depth stays what it is at first)
 */
export function ExInitializePagedLookasideList<T extends object = PoolBlock>(
  allocate: LookasideAllocate<T> | null,
  free: LookasideFree<T> | null,
  flags: number,
  size: number,
  tag: string,
  _depth: number,
): LookasideList<T> {
  const routine = 'ExInitializePagedLookasideList';
  requireIrql(routine, VIOLATION.IrqlExApcLte2, IRQL.APC_LEVEL);
  requireSize(routine, size);
  return createList(allocate, free, 1, flags, size, tag);
}

/**
 * The same of any pool type.
 *
 * @returns SUCCESS; INVALID_PARAMETER_4 for a pool type, INVALID_PARAMETER_5 for flags that there are
 *   not, or both of them.
 * @irql at most DISPATCH_LEVEL
 * @nt ExInitializeLookasideListEx (partial: the depth stays what it is at first)
 */
export function ExInitializeLookasideListEx<T extends object = PoolBlock>(
  allocate: LookasideAllocate<T> | null,
  free: LookasideFree<T> | null,
  poolType: POOL_TYPE,
  flags: number,
  size: number,
  tag: string,
  _depth: number,
): { readonly status: number; readonly value: LookasideList<T> | null } {
  const routine = 'ExInitializeLookasideListEx';
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  requireSize(routine, size);
  if (![0, 1, 512].includes(poolType)) return { status: STATUS.INVALID_PARAMETER_4, value: null };
  if (![0, 1, 2].includes(flags)) return { status: STATUS.INVALID_PARAMETER_5, value: null };
  const value = createList(allocate, free, poolType, flags, size, tag);
  return { status: STATUS.SUCCESS, value };
}

function requireUsable<T extends object>(routine: string, lookaside: LookasideList<T>): void {
  const highest = lookaside.paged ? IRQL.APC_LEVEL : IRQL.DISPATCH_LEVEL;
  const violation = lookaside.paged ? VIOLATION.IrqlExApcLte2 : VIOLATION.IrqlKeDispatchLte;
  requireIrql(routine, violation, highest);
  if (!lookaside.deleted) return;
  const message = `the lookaside list '${lookaside.Tag}' has been deleted`;
  stopGuest(routine, message, BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE, INVALID_ARGUMENT);
}

function allocateFrom<T extends object>(
  routine: string,
  lookaside: LookasideList<T>,
): NtCall<T | null> {
  return new NtCall(routine, () => allocateFromSteps(routine, lookaside));
}

function* allocateFromSteps<T extends object>(
  routine: string,
  lookaside: LookasideList<T>,
): Generator<Request, T | null, number> {
  requireUsable(routine, lookaside);
  lookaside.TotalAllocates++;
  const kept = popSList(lookaside.ListHead)?.record;
  if (kept === undefined) lookaside.AllocateMisses++;
  yield HOST_ROUTINE;
  if (kept !== undefined) return kept;
  const { Allocate, Type, Size, Tag, Flags } = lookaside;
  const made = yield* resultOf(Allocate(Type, Size, Tag, lookaside));
  if (made === null && (Flags & EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL) !== 0)
    throw new NtStatusError(STATUS.INSUFFICIENT_RESOURCES);
  return made;
}

function freeTo<T extends object>(
  routine: string,
  lookaside: LookasideList<T>,
  entry: T,
): NtCall<void> {
  return new NtCall(routine, () => freeToSteps(routine, lookaside, entry));
}

function* freeToSteps<T extends object>(
  routine: string,
  lookaside: LookasideList<T>,
  entry: T,
): Generator<Request, void, number> {
  requireUsable(routine, lookaside);
  lookaside.TotalFrees++;
  const full = lookaside.ListHead.Depth >= lookaside.Depth;
  if (full) lookaside.FreeMisses++;
  else pushSList(routine, lookaside.ListHead, lookaside.linkOf(entry));
  yield HOST_ROUTINE;
  if (full) yield* resultOf(lookaside.Free(entry, lookaside));
}

function* flush<T extends object>(lookaside: LookasideList<T>): Generator<Request, void, number> {
  for (;;) {
    const entry = popSList(lookaside.ListHead)?.record;
    if (entry === undefined) break;
    yield* resultOf(lookaside.Free(entry, lookaside));
  }
}

function deleteList<T extends object>(routine: string, lookaside: LookasideList<T>): NtCall<void> {
  return new NtCall(routine, () => deleteListSteps(routine, lookaside));
}

function* deleteListSteps<T extends object>(
  routine: string,
  lookaside: LookasideList<T>,
): Generator<Request, void, number> {
  if (lookaside.deleted) stopForList(routine);
  requireUsable(routine, lookaside);
  lookaside.deleted = true;
  currentGuest(routine).machine.watcher?.returns(lookaside);
  yield HOST_ROUTINE;
  yield* flush(lookaside);
}

/** @returns an entry that was freed, or a new one; null if there is no room. @irql at most DISPATCH_LEVEL @nt ExAllocateFromNPagedLookasideList */
export function ExAllocateFromNPagedLookasideList<T extends object>(
  lookaside: LookasideList<T>,
): NtCall<T | null> {
  return allocateFrom('ExAllocateFromNPagedLookasideList', lookaside);
}

/** @irql at most APC_LEVEL @nt ExAllocateFromPagedLookasideList */
export function ExAllocateFromPagedLookasideList<T extends object>(
  lookaside: LookasideList<T>,
): NtCall<T | null> {
  return allocateFrom('ExAllocateFromPagedLookasideList', lookaside);
}

/** Raises STATUS_INSUFFICIENT_RESOURCES if the list's flags say so. @irql at most DISPATCH_LEVEL; APC_LEVEL for paged pool @nt ExAllocateFromLookasideListEx */
export function ExAllocateFromLookasideListEx<T extends object>(
  lookaside: LookasideList<T>,
): NtCall<T | null> {
  return allocateFrom('ExAllocateFromLookasideListEx', lookaside);
}

/**
 * Keeps an entry for who allocates next, unless there are enough: then it is freed. One that is kept
 * already is bugcheck KERNEL_SECURITY_CHECK_FAILURE.
 *
 * @irql at most DISPATCH_LEVEL   @nt ExFreeToNPagedLookasideList
 */
export function ExFreeToNPagedLookasideList<T extends object>(
  lookaside: LookasideList<T>,
  entry: T,
): NtCall<void> {
  return freeTo('ExFreeToNPagedLookasideList', lookaside, entry);
}

/** @irql at most APC_LEVEL @nt ExFreeToPagedLookasideList */
export function ExFreeToPagedLookasideList<T extends object>(
  lookaside: LookasideList<T>,
  entry: T,
): NtCall<void> {
  return freeTo('ExFreeToPagedLookasideList', lookaside, entry);
}

/** @irql at most DISPATCH_LEVEL; APC_LEVEL for paged pool @nt ExFreeToLookasideListEx */
export function ExFreeToLookasideListEx<T extends object>(
  lookaside: LookasideList<T>,
  entry: T,
): NtCall<void> {
  return freeTo('ExFreeToLookasideListEx', lookaside, entry);
}

/**
 * Frees what the list keeps, and ends it. What is allocated from it stays allocated. A list that has
 * been deleted is bugcheck KERNEL_SECURITY_CHECK_FAILURE, and so is what is asked of it then.
 *
 * @irql at most DISPATCH_LEVEL   @nt ExDeleteNPagedLookasideList
 */
export function ExDeleteNPagedLookasideList<T extends object>(
  lookaside: LookasideList<T>,
): NtCall<void> {
  return deleteList('ExDeleteNPagedLookasideList', lookaside);
}

/** @irql at most APC_LEVEL @nt ExDeletePagedLookasideList */
export function ExDeletePagedLookasideList<T extends object>(
  lookaside: LookasideList<T>,
): NtCall<void> {
  return deleteList('ExDeletePagedLookasideList', lookaside);
}

/** @irql at most DISPATCH_LEVEL; APC_LEVEL for paged pool @nt ExDeleteLookasideListEx */
export function ExDeleteLookasideListEx<T extends object>(
  lookaside: LookasideList<T>,
): NtCall<void> {
  return deleteList('ExDeleteLookasideListEx', lookaside);
}

/** Frees what the list keeps. @irql at most DISPATCH_LEVEL; APC_LEVEL for paged pool @nt ExFlushLookasideListEx */
export function ExFlushLookasideListEx<T extends object>(
  lookaside: LookasideList<T>,
): NtCall<void> {
  const routine = 'ExFlushLookasideListEx';
  return new NtCall(routine, () => flushLookasideListEx(routine, lookaside));
}

function* flushLookasideListEx<T extends object>(
  routine: string,
  lookaside: LookasideList<T>,
): Generator<Request, void, number> {
  requireUsable(routine, lookaside);
  yield HOST_ROUTINE;
  yield* flush(lookaside);
}

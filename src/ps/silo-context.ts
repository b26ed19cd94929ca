import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { allocateBlock, ExFreePool, POOL_TYPE } from '../ex/pool';
import { requireIrql, stopGuest, VIOLATION } from '../ke/call';
import type { KernelCode } from '../ke/mode';
import { currentGuest, invoke, NtCall } from '../machine/guest';
import { siloNumber } from './job';
import { type Silo, type SiloManager, siloManager } from './silo';
import { SiloContext, type SiloContextCleanupCallback } from './silo-storage';

/** Contexts that drivers keep for silos, in slots that are the same in every silo. */

/** Slots that a machine has; our choice. */
const SLOT_COUNT = 64;

/** A context that was created or found. */
export interface SiloContextResult {
  readonly status: number;
  readonly context: SiloContext | null;
}

const noContext = (status: number): SiloContextResult => ({ status, context: null });

/** A slot that was allocated. */
export interface SiloSlotResult {
  readonly status: number;
  readonly slot: number;
}

function managerIn(routine: string, highest: IRQL): SiloManager {
  requireIrql(routine, VIOLATION.KernelApi, highest);
  return siloManager(currentGuest(routine).machine);
}

/** The first free slot; undefined if there is none. */
export function takeSlot({ slots }: SiloManager): number | undefined {
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (slots.has(slot)) continue;
    slots.add(slot);
    return slot;
  }
  return undefined;
}

/**
 * Allocates a slot, which every silo has then.
 *
 * @returns SUCCESS; INSUFFICIENT_RESOURCES: there are 64.
 * @irql at most APC_LEVEL   @nt PsAllocSiloContextSlot
 */
export function PsAllocSiloContextSlot(_reserved: number): SiloSlotResult {
  const slot = takeSlot(managerIn('PsAllocSiloContextSlot', IRQL.APC_LEVEL));
  if (slot === undefined) return { status: STATUS.INSUFFICIENT_RESOURCES, slot: 0 };
  return { status: STATUS.SUCCESS, slot };
}

/** The number of a silo that has a context in a slot. */
function userOf(manager: SiloManager, slot: number): number {
  const silo = [...manager.silos].find((job) => manager.storageOf(job).has(slot));
  return silo === undefined ? 0 : siloNumber(silo);
}

/**
 * Frees a slot. While a silo has a context in it that is bugcheck KERNEL_STORAGE_SLOT_IN_USE.
 *
 * @returns SUCCESS; INVALID_PARAMETER: it is not allocated.
 * @irql at most APC_LEVEL   @nt PsFreeSiloContextSlot
 */
export function PsFreeSiloContextSlot(slot: number): number {
  const routine = 'PsFreeSiloContextSlot';
  const manager = managerIn(routine, IRQL.APC_LEVEL);
  if (!manager.slots.has(slot)) return STATUS.INVALID_PARAMETER;
  if (manager.isInUse(slot)) {
    const message = `slot ${slot} has a context; remove it from every silo first`;
    const code = BUGCHECK.KERNEL_STORAGE_SLOT_IN_USE;
    stopGuest(routine, message, code, userOf(manager, slot), slot);
  }
  manager.slots.delete(slot);
  return STATUS.SUCCESS;
}

/**
 * Makes a context for a silo, with one reference: the caller's.
 *
 * @returns SUCCESS; INVALID_PARAMETER: the type of pool is not NonPagedPoolNx or PagedPool.
 * @irql at most APC_LEVEL   @nt PsCreateSiloContext
 */
export function PsCreateSiloContext(
  silo: Silo,
  size: number,
  poolType: POOL_TYPE,
  contextCleanupCallback: SiloContextCleanupCallback | null,
): SiloContextResult {
  const routine = 'PsCreateSiloContext';
  managerIn(routine, IRQL.APC_LEVEL);
  const paged = poolType === POOL_TYPE.PagedPool;
  if (!paged && poolType !== POOL_TYPE.NonPagedPoolNx) return noContext(STATUS.INVALID_PARAMETER);
  const block = allocateBlock(routine, paged, size, 'PsSC');
  const { driver } = currentGuest(routine).stack;
  const context = new SiloContext(silo, block, contextCleanupCallback, driver);
  return { status: STATUS.SUCCESS, context };
}

function requireReferenced(routine: string, context: SiloContext): void {
  if (context.references > 0) return;
  const message = 'this context has been freed: it was dereferenced once too often';
  stopGuest(routine, message, BUGCHECK.REFERENCE_BY_POINTER, 0, 0);
}

/** Takes a reference to a context. @irql at most DISPATCH_LEVEL @nt PsReferenceSiloContext */
export function PsReferenceSiloContext(context: SiloContext): void {
  managerIn('PsReferenceSiloContext', IRQL.DISPATCH_LEVEL);
  requireReferenced('PsReferenceSiloContext', context);
  context.references++;
}

/** One reference less: with the last the driver's callback is called, and the context goes. */
export function* dereferenceContext(context: SiloContext): KernelCode<void> {
  requireReferenced('PsDereferenceSiloContext', context);
  if (--context.references !== 0) return;
  if (context.cleanup !== null) yield* invoke(context.driver, context.cleanup, context);
  ExFreePool(context.block);
}

/**
 * Gives a reference back. With the last the cleanup callback is called, here and at this level.
 *
 * @irql at most DISPATCH_LEVEL   @nt PsDereferenceSiloContext
 */
export function PsDereferenceSiloContext(context: SiloContext): NtCall<void> {
  const routine = 'PsDereferenceSiloContext';
  return new NtCall(routine, () => dereferenceSiloContext(routine, context));
}

function* dereferenceSiloContext(routine: string, context: SiloContext): KernelCode<void> {
  managerIn(routine, IRQL.DISPATCH_LEVEL);
  yield* dereferenceContext(context);
}

function insert(
  routine: string,
  silo: Silo,
  slot: number,
  context: SiloContext,
  permanent: boolean,
): number {
  const manager = managerIn(routine, IRQL.APC_LEVEL);
  if (!manager.slots.has(slot) || context.silo !== silo) return STATUS.INVALID_PARAMETER;
  const storage = manager.storageOf(silo);
  if (storage.closed || storage.has(slot)) return STATUS.NOT_SUPPORTED;
  context.references++;
  storage.set(slot, context);
  if (permanent) storage.makePermanent(slot);
  return STATUS.SUCCESS;
}

/**
 * Puts a context into a slot of its silo, with a reference of the slot's own.
 *
 * @returns SUCCESS; NOT_SUPPORTED: there is one already, or the silo has terminated; INVALID_PARAMETER:
 *   the slot is not allocated, or the context was made for another silo.
 * @irql at most APC_LEVEL   @nt PsInsertSiloContext
 */
export function PsInsertSiloContext(silo: Silo, slot: number, context: SiloContext): number {
  return insert('PsInsertSiloContext', silo, slot, context, false);
}

/** The same for good: it cannot be replaced or removed, and goes with the silo. @irql at most APC_LEVEL @nt PsInsertPermanentSiloContext */
export function PsInsertPermanentSiloContext(
  silo: Silo,
  slot: number,
  context: SiloContext,
): number {
  return insert('PsInsertPermanentSiloContext', silo, slot, context, true);
}

/**
 * Puts a context into a slot in place of the one that is there, whose reference the caller gets; it must
 * be dereferenced.
 *
 * @returns SUCCESS with the old context, null if there was none; NOT_SUPPORTED: it is permanent, or the
 *   silo has terminated; INVALID_PARAMETER as of PsInsertSiloContext.
 * @irql at most APC_LEVEL   @nt PsReplaceSiloContext (partial: the old context must be taken)
 */
export function PsReplaceSiloContext(
  silo: Silo,
  slot: number,
  newContext: SiloContext,
): SiloContextResult {
  const manager = managerIn('PsReplaceSiloContext', IRQL.APC_LEVEL);
  if (!manager.slots.has(slot) || newContext.silo !== silo)
    return noContext(STATUS.INVALID_PARAMETER);
  const storage = manager.storageOf(silo);
  if (storage.closed || storage.isPermanent(slot)) return noContext(STATUS.NOT_SUPPORTED);
  const context = storage.get(slot) ?? null;
  newContext.references++;
  storage.set(slot, newContext);
  return { status: STATUS.SUCCESS, context };
}

/**
 * Takes the context out of a slot; its reference is the caller's, who must dereference it.
 *
 * @returns SUCCESS; NOT_FOUND: the slot is empty; NOT_SUPPORTED: the context is permanent.
 * @irql at most APC_LEVEL   @nt PsRemoveSiloContext (partial: the removed context must be taken)
 */
export function PsRemoveSiloContext(silo: Silo, slot: number): SiloContextResult {
  const manager = managerIn('PsRemoveSiloContext', IRQL.APC_LEVEL);
  const storage = manager.storageOf(silo);
  const context = storage.get(slot);
  if (context === undefined) return noContext(STATUS.NOT_FOUND);
  if (storage.isPermanent(slot)) return noContext(STATUS.NOT_SUPPORTED);
  storage.delete(slot);
  manager.onEmptied(slot);
  return { status: STATUS.SUCCESS, context };
}

/**
 * The context of a slot, with a reference that the caller has to give back.
 *
 * @returns SUCCESS; NOT_FOUND: there is none, or no more; INVALID_PARAMETER: the slot is not allocated.
 * @irql any   @nt PsGetSiloContext
 */
export function PsGetSiloContext(silo: Silo, slot: number): SiloContextResult {
  const manager = managerIn('PsGetSiloContext', IRQL.HIGH_LEVEL);
  if (!manager.slots.has(slot)) return noContext(STATUS.INVALID_PARAMETER);
  const context = manager.storageOf(silo).get(slot);
  if (context === undefined) return noContext(STATUS.NOT_FOUND);
  context.references++;
  return { status: STATUS.SUCCESS, context };
}

/**
 * Lets the context of a slot stay for as long as the silo: it cannot be replaced or removed any more.
 *
 * @returns SUCCESS; INVALID_PARAMETER: the slot is empty; NOT_FOUND: it is not allocated.
 * @irql at most APC_LEVEL   @nt PsMakeSiloContextPermanent
 */
export function PsMakeSiloContextPermanent(silo: Silo, slot: number): number {
  const manager = managerIn('PsMakeSiloContextPermanent', IRQL.APC_LEVEL);
  if (!manager.slots.has(slot)) return STATUS.NOT_FOUND;
  const storage = manager.storageOf(silo);
  if (!storage.has(slot)) return STATUS.INVALID_PARAMETER;
  storage.makePermanent(slot);
  return STATUS.SUCCESS;
}

/**
 * The permanent context of a slot, without a reference.
 *
 * @returns SUCCESS; NOT_FOUND: there is none; NOT_SUPPORTED: it is not permanent.
 * @irql any   @nt PsGetPermanentSiloContext
 */
export function PsGetPermanentSiloContext(silo: Silo, slot: number): SiloContextResult {
  const manager = managerIn('PsGetPermanentSiloContext', IRQL.HIGH_LEVEL);
  const storage = manager.storageOf(silo);
  const context = storage.get(slot);
  if (context === undefined) return noContext(STATUS.NOT_FOUND);
  return storage.isPermanent(slot)
    ? { status: STATUS.SUCCESS, context }
    : noContext(STATUS.NOT_SUPPORTED);
}

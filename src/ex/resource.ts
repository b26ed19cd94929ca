import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON } from '../../assembly/shared/types';
import {
  HOST_ROUTINE,
  reportViolation,
  requireApcsDisabled,
  requireIrql,
  stopGuest,
  VIOLATION,
} from '../ke/call';
import { KeEnterCriticalRegion, KeLeaveCriticalRegion } from '../ke/irql';
import { waitForLock } from '../ke/lock';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { Kept } from '../machine/watch';
import { KThread } from '../machine/views';
import {
  type AcquireForm,
  type EResource,
  type ResourceThread,
  threadOfPointer,
} from './eresource';

/** Executive resources, for host threads: shared or exclusive, by the same thread as often as it likes. */

/** The pointer of ExSetResourceOwnerPointerEx is resourceOwnerPointer of a thread. */
export const FLAG_OWNER_POINTER_IS_THREAD = 1;

function requireInitialized(routine: string, resource: EResource): void {
  if (resource.initialized) return;
  const message = `${resource.name} is not initialized; call ExInitializeResourceLite first`;
  const acquires = routine !== 'ExDeleteResourceLite';
  const violation = acquires ? VIOLATION.LockNotInitialized : VIOLATION.ResourceNotInitialized;
  reportViolation(routine, message, violation, resource.index);
}

/** A resource that is to become another, or none: nobody may have it or wait for it. */
function requireUnused(routine: string, resource: EResource): void {
  requireInitialized(routine, resource);
  if (resource.activeCount === 0 && !resource.contended) return;
  const message = `${resource.name} is owned or waited for; release it first`;
  reportViolation(routine, message, VIOLATION.LockDeleted, resource.index);
}

/** Makes a resource that nobody owns. @returns STATUS_SUCCESS. @irql at most DISPATCH_LEVEL @nt ExInitializeResourceLite */
export function ExInitializeResourceLite(resource: EResource): number {
  const routine = 'ExInitializeResourceLite';
  const { machine } = resource.guest(routine);
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  if (resource.initialized) {
    const message = `${resource.name} is initialized already; call ExDeleteResourceLite first, or ExReinitializeResourceLite instead`;
    reportViolation(routine, message, VIOLATION.ResourceInitializedTwice, resource.index);
  }
  resource.initialize();
  machine.watcher?.takes(Kept.Storage, resource, resource.name, () =>
    resource.initialized ? resource : undefined,
  );
  return STATUS.SUCCESS;
}

/** Makes a resource as it was when it was new. @returns STATUS_SUCCESS. @irql at most DISPATCH_LEVEL @nt ExReinitializeResourceLite */
export function ExReinitializeResourceLite(resource: EResource): number {
  const routine = 'ExReinitializeResourceLite';
  resource.guest(routine);
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  requireUnused(routine, resource);
  resource.initialize();
  return STATUS.SUCCESS;
}

/** Ends a resource's use. @returns STATUS_SUCCESS. @irql at most APC_LEVEL @nt ExDeleteResourceLite */
export function ExDeleteResourceLite(resource: EResource): number {
  const routine = 'ExDeleteResourceLite';
  resource.guest(routine);
  requireIrql(routine, VIOLATION.IrqlExApcLte3, IRQL.APC_LEVEL);
  requireUnused(routine, resource);
  resource.delete();
  return STATUS.SUCCESS;
}

function* acquireNow(
  routine: string,
  resource: EResource,
  form: AcquireForm,
  wait: boolean,
): Generator<Request, boolean, number> {
  const { thread } = resource.guest(routine);
  requireIrql(routine, VIOLATION.IrqlExApcLte3, IRQL.APC_LEVEL);
  requireApcsDisabled(routine, VIOLATION.AcquireResourceWithApcs, resource.index);
  requireInitialized(routine, resource);
  const { watcher } = thread.machine;
  watcher?.polls(thread, !wait);
  const taken = resource.tryTake(form, thread);
  watcher?.polls(thread, false);
  if (taken || !wait) {
    yield HOST_ROUTINE;
    return taken;
  }
  yield* waitForLock(resource.await(form, thread), KWAIT_REASON.WrResource);
  return true;
}

function acquire(
  routine: string,
  resource: EResource,
  form: AcquireForm,
  wait: boolean,
): NtCall<boolean> {
  return new NtCall(routine, () => acquireNow(routine, resource, form, wait));
}

/**
 * Takes a resource alone, in a critical region. Its owner takes it once more; one who shares it waits
 * for itself.
 *
 * @returns FALSE if it is not to be had and `wait` is false.
 * @irql at most APC_LEVEL   @nt ExAcquireResourceExclusiveLite
 */
export function ExAcquireResourceExclusiveLite(
  resource: EResource,
  wait: boolean,
): NtCall<boolean> {
  return acquire('ExAcquireResourceExclusiveLite', resource, 'exclusive', wait);
}

/**
 * Takes a resource together with others, in a critical region, after those who wait for it alone;
 * who has it, shared or alone, takes it once more.
 *
 * @returns FALSE if it is not to be had and `wait` is false.
 * @irql at most APC_LEVEL   @nt ExAcquireResourceSharedLite
 */
export function ExAcquireResourceSharedLite(resource: EResource, wait: boolean): NtCall<boolean> {
  return acquire('ExAcquireResourceSharedLite', resource, 'shared', wait);
}

/** The same, whoever waits for it alone. @irql at most APC_LEVEL @nt ExAcquireSharedStarveExclusive */
export function ExAcquireSharedStarveExclusive(
  resource: EResource,
  wait: boolean,
): NtCall<boolean> {
  return acquire('ExAcquireSharedStarveExclusive', resource, 'starveExclusive', wait);
}

/** The same, after those who wait for it alone even if the thread shares it. @irql at most APC_LEVEL @nt ExAcquireSharedWaitForExclusive */
export function ExAcquireSharedWaitForExclusive(
  resource: EResource,
  wait: boolean,
): NtCall<boolean> {
  return acquire('ExAcquireSharedWaitForExclusive', resource, 'waitForExclusive', wait);
}

function enterAndAcquire(routine: string, resource: EResource, form: AcquireForm): NtCall<unknown> {
  return new NtCall(routine, () => enterAndAcquireSteps(routine, resource, form));
}

function* enterAndAcquireSteps(
  routine: string,
  resource: EResource,
  form: AcquireForm,
): Generator<Request, unknown, number> {
  const { thread } = resource.guest(routine);
  KeEnterCriticalRegion();
  yield* acquireNow(routine, resource, form, true);
  return thread.win32Thread;
}

/** Enters a critical region and takes a resource alone. @returns the thread's Win32Thread. @irql at most APC_LEVEL @nt ExEnterCriticalRegionAndAcquireResourceExclusive */
export function ExEnterCriticalRegionAndAcquireResourceExclusive(
  resource: EResource,
): NtCall<unknown> {
  const routine = 'ExEnterCriticalRegionAndAcquireResourceExclusive';
  return enterAndAcquire(routine, resource, 'exclusive');
}

/** The same together with others. @irql at most APC_LEVEL @nt ExEnterCriticalRegionAndAcquireResourceShared */
export function ExEnterCriticalRegionAndAcquireResourceShared(
  resource: EResource,
): NtCall<unknown> {
  const routine = 'ExEnterCriticalRegionAndAcquireResourceShared';
  return enterAndAcquire(routine, resource, 'shared');
}

/** The same after those who wait for it alone. @irql at most APC_LEVEL @nt ExEnterCriticalRegionAndAcquireSharedWaitForExclusive */
export function ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(
  resource: EResource,
): NtCall<unknown> {
  const routine = 'ExEnterCriticalRegionAndAcquireSharedWaitForExclusive';
  return enterAndAcquire(routine, resource, 'waitForExclusive');
}

function giveBack(routine: string, resource: EResource, owner: KThread | bigint): void {
  requireInitialized(routine, resource);
  if (resource.release(owner)) return;
  const who = owner instanceof KThread ? `thread '${owner.name}'` : `owner pointer ${owner}`;
  const message = `${resource.name} is not owned by ${who}`;
  stopGuest(
    routine,
    message,
    BUGCHECK.RESOURCE_NOT_OWNED,
    resource.index,
    owner instanceof KThread ? owner.address : Number(owner),
    resource.activeCount,
  );
}

/** What the release of the calling thread's own acquisition asks for. */
function releaseOwn(routine: string, resource: EResource): void {
  const { thread } = resource.guest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  requireApcsDisabled(routine, VIOLATION.ReleaseResourceWithApcs, resource.index);
  giveBack(routine, resource, thread);
}

/**
 * Takes one acquisition of the thread back. After the last of one who had it alone all who wait to
 * share it get it, or else who has waited longest to have it alone; after the last who shared it the
 * other way round.
 *
 * @irql at most DISPATCH_LEVEL   @nt ExReleaseResourceLite
 */
export function ExReleaseResourceLite(resource: EResource): NtCall<void> {
  const routine = 'ExReleaseResourceLite';
  return new NtCall(routine, () => releaseResourceLite(routine, resource));
}

function* releaseResourceLite(
  routine: string,
  resource: EResource,
): Generator<Request, void, number> {
  releaseOwn(routine, resource);
  yield HOST_ROUTINE;
}

/** The same, and leaves the critical region. @irql at most DISPATCH_LEVEL @nt ExReleaseResourceAndLeaveCriticalRegion */
export function ExReleaseResourceAndLeaveCriticalRegion(resource: EResource): NtCall<void> {
  const routine = 'ExReleaseResourceAndLeaveCriticalRegion';
  return new NtCall(routine, () => releaseResourceAndLeaveCriticalRegion(routine, resource));
}

function* releaseResourceAndLeaveCriticalRegion(
  routine: string,
  resource: EResource,
): Generator<Request, void, number> {
  releaseOwn(routine, resource);
  yield* KeLeaveCriticalRegion();
}

/**
 * The same for another thread, or for an owner pointer that ExSetResourceOwnerPointer has set. What is
 * neither is bugcheck ERESOURCE_INVALID_RELEASE.
 *
 * @irql at most DISPATCH_LEVEL   @nt ExReleaseResourceForThreadLite
 */
export function ExReleaseResourceForThreadLite(
  resource: EResource,
  resourceThread: ResourceThread,
): NtCall<void> {
  const routine = 'ExReleaseResourceForThreadLite';
  return new NtCall(routine, () => releaseResourceForThreadLite(routine, resource, resourceThread));
}

function* releaseResourceForThreadLite(
  routine: string,
  resource: EResource,
  resourceThread: ResourceThread,
): Generator<Request, void, number> {
  const { machine, thread } = resource.guest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  if (thread.process !== machine.systemProcess)
    requireApcsDisabled(routine, VIOLATION.ReleaseResourceWithApcs, resource.index);
  const owner = resourceThread instanceof KThread ? resourceThread : pointerOf(resourceThread);
  if (owner === undefined || (owner instanceof KThread && !owner.exists)) {
    const message = `${String(resourceThread)} is no thread and no owner pointer: those have both low bits set`;
    const code = BUGCHECK.ERESOURCE_INVALID_RELEASE;
    const target = resourceThread instanceof KThread ? resourceThread.handle : resourceThread;
    stopGuest(routine, message, code, resource.index, thread.address, Number(target));
  }
  giveBack(routine, resource, owner);
  yield HOST_ROUTINE;
}

/** The bits that an owner pointer has set. */
const OWNER_POINTER = 3n;

/** An owner pointer as a bigint; undefined for what is none. */
function pointerOf(value: number | bigint): bigint | undefined {
  if (typeof value === 'number' ? !Number.isSafeInteger(value) : typeof value !== 'bigint')
    return undefined;
  const pointer = BigInt.asUintN(64, BigInt(value));
  return (pointer & OWNER_POINTER) === OWNER_POINTER ? pointer : undefined;
}

/**
 * Gives what the thread has of a resource to an owner pointer, a number whose two low bits are set:
 * only ExReleaseResourceForThreadLite with the same one releases it. Another number is bugcheck
 * RESOURCE_OWNER_POINTER_INVALID.
 *
 * @irql at most DISPATCH_LEVEL   @nt ExSetResourceOwnerPointer
 */
export function ExSetResourceOwnerPointer(
  resource: EResource,
  ownerPointer: number | bigint,
): NtCall<void> {
  return setOwnerPointer('ExSetResourceOwnerPointer', resource, ownerPointer, 0);
}

/**
 * The same; with FLAG_OWNER_POINTER_IS_THREAD the pointer is `resourceOwnerPointer` of a thread, which
 * those who wait for the resource lift.
 *
 * @irql at most DISPATCH_LEVEL   @nt ExSetResourceOwnerPointerEx
 */
export function ExSetResourceOwnerPointerEx(
  resource: EResource,
  ownerPointer: number | bigint,
  flags: number,
): NtCall<void> {
  return setOwnerPointer('ExSetResourceOwnerPointerEx', resource, ownerPointer, flags);
}

function setOwnerPointer(
  routine: string,
  resource: EResource,
  ownerPointer: number | bigint,
  flags: number,
): NtCall<void> {
  return new NtCall(routine, () => setOwnerPointerSteps(routine, resource, ownerPointer, flags));
}

function* setOwnerPointerSteps(
  routine: string,
  resource: EResource,
  ownerPointer: number | bigint,
  flags: number,
): Generator<Request, void, number> {
  const { machine, thread } = resource.guest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  requireInitialized(routine, resource);
  const pointer = pointerOf(ownerPointer);
  const isThread = (flags & FLAG_OWNER_POINTER_IS_THREAD) !== 0;
  const owner = isThread && pointer !== undefined ? threadOfPointer(machine, pointer) : undefined;
  if (pointer === undefined || (isThread && owner === undefined)) {
    stopGuest(
      routine,
      `${ownerPointer} is no owner pointer; set both low bits, or use resourceOwnerPointer(thread) with FLAG_OWNER_POINTER_IS_THREAD`,
      BUGCHECK.RESOURCE_OWNER_POINTER_INVALID,
      resource.index,
      resource.activeCount,
      thread.address,
      Number(ownerPointer),
    );
  }
  if (!resource.giveToPointer(thread, pointer, owner)) giveBack(routine, resource, thread);
  yield HOST_ROUTINE;
}

/**
 * Gives what the thread has alone to it and to all who wait to share it. From one who does not have it
 * alone that is bugcheck SHARED_RESOURCE_CONV_ERROR under Driver Verifier, else nothing.
 *
 * @irql at most APC_LEVEL   @nt ExConvertExclusiveToSharedLite
 */
export function ExConvertExclusiveToSharedLite(resource: EResource): NtCall<void> {
  const routine = 'ExConvertExclusiveToSharedLite';
  return new NtCall(routine, () => convertExclusiveToSharedLite(routine, resource));
}

function* convertExclusiveToSharedLite(
  routine: string,
  resource: EResource,
): Generator<Request, void, number> {
  const { machine, thread } = resource.guest(routine);
  requireIrql(routine, VIOLATION.IrqlExApcLte3, IRQL.APC_LEVEL);
  requireInitialized(routine, resource);
  if (!resource.convert(thread) && machine.checkIrql) {
    const message = `${resource.name} is not owned exclusively by thread '${thread.name}'`;
    const code = BUGCHECK.SHARED_RESOURCE_CONV_ERROR;
    stopGuest(routine, message, code, resource.index, thread.address);
  }
  yield HOST_ROUTINE;
}

/** Waiting for the resource lifts its owners no more. @irql at most DISPATCH_LEVEL @nt ExDisableResourceBoostLite */
export function ExDisableResourceBoostLite(resource: EResource): void {
  const routine = 'ExDisableResourceBoostLite';
  resource.guest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  resource.disableBoost();
}

/** The calling thread, as an owner of resources. @irql any @nt ExGetCurrentResourceThread */
export function ExGetCurrentResourceThread(): KThread {
  return currentGuest('ExGetCurrentResourceThread').thread;
}

/** The calling thread's acquisitions; 0 if it has none. */
function acquisitions(routine: string, resource: EResource): number {
  const { thread } = resource.guest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  return resource.acquisitions(thread);
}

/** @returns whether the calling thread has the resource alone. @irql at most DISPATCH_LEVEL @nt ExIsResourceAcquiredExclusiveLite */
export function ExIsResourceAcquiredExclusiveLite(resource: EResource): boolean {
  return acquisitions('ExIsResourceAcquiredExclusiveLite', resource) > 0 && resource.exclusive;
}

/** @returns how often the calling thread has acquired the resource, shared or alone. @irql at most DISPATCH_LEVEL @nt ExIsResourceAcquiredSharedLite */
export function ExIsResourceAcquiredSharedLite(resource: EResource): number {
  return acquisitions('ExIsResourceAcquiredSharedLite', resource);
}

/** The same. @irql at most DISPATCH_LEVEL @nt ExIsResourceAcquiredLite */
export function ExIsResourceAcquiredLite(resource: EResource): number {
  return acquisitions('ExIsResourceAcquiredLite', resource);
}

/** @returns how many wait to have the resource alone. @irql at most DISPATCH_LEVEL @nt ExGetExclusiveWaiterCount */
export function ExGetExclusiveWaiterCount(resource: EResource): number {
  requireIrql('ExGetExclusiveWaiterCount', VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  return resource.numberOfExclusiveWaiters;
}

/** @returns how many wait to share the resource. @irql at most DISPATCH_LEVEL @nt ExGetSharedWaiterCount */
export function ExGetSharedWaiterCount(resource: EResource): number {
  requireIrql('ExGetSharedWaiterCount', VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  return resource.numberOfSharedWaiters;
}

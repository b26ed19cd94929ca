import { PKOBJECT, PKPROCESS, PKTHREAD, SYSTEM } from '../hal';
import { RtlInitializeListHead } from '../rtl';
import {
  KBARRIER,
  DISPATCHER_HEADER,
  KAPC,
  KAPC_FLAG,
  KDPC,
  KINTERRUPT_OBJECT,
  KMUTANT,
  KOBJECT,
  KPROCESS,
  KSPIN_LOCK,
  KSYSTEM,
  KTABLE,
  KTHREAD,
  KTHREAD_EXTENSION,
  KTIMER,
  KTIMER_OBJECT,
} from '../shared/layout';
import { LIMIT } from '../shared/limits';
import { IRQL, KDPC_IMPORTANCE, KOBJECTS, TABLE } from '../shared/types';
import { KeRemoveQueueDpc } from './dpc';
import { KiAcquireMutant } from './mutant';
import { KiDeleteQueue } from './queue';
import {
  KiAllocateRow,
  KiFreeRow,
  KiHasRow,
  KiMakeHandle,
  KiRowFromHandle,
  KiRowIndex,
} from './table';
import { KeCancelTimer } from './timer';
import { KiHasWaiters } from './wait';

/** Handles and what they name: events and semaphores, threads, processes. */

const OBJECT_TABLE: usize = KSYSTEM.Address + KSYSTEM.ObjectTable;
const THREAD_TABLE: usize = KSYSTEM.Address + KSYSTEM.ThreadTable;
const PROCESS_TABLE: usize = KSYSTEM.Address + KSYSTEM.ProcessTable;
const EXTENSION_TABLE: usize = KSYSTEM.Address + KSYSTEM.ExtensionTable;
const TRAP_FRAME_TABLE: usize = KSYSTEM.Address + KSYSTEM.TrapFrameTable;
const WAIT_BLOCK_TABLE: usize = KSYSTEM.Address + KSYSTEM.WaitBlockTable;

/** The waitable object of a handle of any table; 0 if it is stale. */
export function KiObjectFromHandle(handle: u64): PKOBJECT {
  if (handle >> LIMIT.TableShift == TABLE.Object) {
    return KiRowFromHandle(OBJECT_TABLE, handle, KOBJECT.Size, KOBJECT.Generation);
  }
  const thread = KiThreadFromHandle(handle);
  return thread != 0 ? thread : KiProcessFromHandle(handle);
}

export function KiThreadFromHandle(handle: u64): PKTHREAD {
  if (handle >> LIMIT.TableShift != TABLE.Thread) return 0;
  return KiRowFromHandle(THREAD_TABLE, handle, KTHREAD.Size, KTHREAD.Generation);
}

export function KiProcessFromHandle(handle: u64): PKPROCESS {
  if (handle >> LIMIT.TableShift != TABLE.Process) return 0;
  return KiRowFromHandle(PROCESS_TABLE, handle, KPROCESS.Size, KPROCESS.Generation);
}

export function KiHasThreadRow(): bool {
  return KiHasRow(THREAD_TABLE);
}

export function KiThreadHandle(thread: PKTHREAD): u64 {
  return KiMakeHandle(THREAD_TABLE, TABLE.Thread, thread);
}

export function KiProcessHandle(process: PKPROCESS): u64 {
  return KiMakeHandle(PROCESS_TABLE, TABLE.Process, process);
}

/** A new mutant, free or owned by a thread; its handle, or 0 if the table is full. */
export function KiCreateMutant(apcDisable: u32, owner: PKTHREAD): u64 {
  const handle = KiCreateObject(KOBJECTS.MutantObject, 1, 0);
  if (handle == 0) return 0;
  const mutant = KiObjectFromHandle(handle);
  store<u32>(mutant, apcDisable, KMUTANT.ApcDisable);
  if (owner != 0) KiAcquireMutant(mutant, owner);
  return handle;
}

/** A new event or semaphore; its handle, or 0 if the table is full. */
export function KiCreateObject(type: u32, state: i32, limit: i32): u64 {
  const object = KiAllocateRow(OBJECT_TABLE);
  if (object == 0) return 0;
  store<u32>(object, type, KOBJECT.Type);
  store<i32>(object, state, KOBJECT.SignalState);
  store<i32>(object, limit, KOBJECT.Limit);
  RtlInitializeListHead(object + KOBJECT.WaitListHead);
  return KiMakeHandle(OBJECT_TABLE, TABLE.Object, object);
}

/** A new DPC of a type, whose routine is a program or (0) the host's; its handle, or 0 if the table is full. */
export function KiCreateDpc(type: u32, program: usize, context: u64): u64 {
  const handle = KiCreateObject(type, KDPC_IMPORTANCE.MediumImportance, 0);
  if (handle == 0) return 0;
  const dpc = KiObjectFromHandle(handle);
  store<u32>(dpc, <u32>program, KDPC.DeferredRoutine);
  store<u64>(dpc, context, KDPC.DeferredContext64);
  return handle;
}

/** A new timer of a type, not set, with attributes in TIMER_FLAG; its handle, or 0 if the table is full. */
export function KiCreateTimer(type: u32, attributes: u32): u64 {
  const handle = KiCreateObject(type, 0, 0);
  if (handle == 0) return 0;
  store<u32>(KiObjectFromHandle(handle) + KTIMER_OBJECT.Timer, attributes, KTIMER.Flags);
  return handle;
}

/** Whether an object is a DPC, threaded or not. */
export function KiIsDpc(object: PKOBJECT): bool {
  const type = load<u32>(object, KDPC.Type);
  return type == KOBJECTS.DpcObject || type == KOBJECTS.ThreadedDpcObject;
}

/** A new barrier, where nobody is; its handle, or 0 if the table is full. */
export function KiCreateBarrier(): u64 {
  const barrier = KiAllocateRow(OBJECT_TABLE);
  if (barrier == 0) return 0;
  store<u32>(barrier, KOBJECTS.BarrierObject, KBARRIER.Type);
  return KiMakeHandle(OBJECT_TABLE, TABLE.Object, barrier);
}

/**
 * A new APC of a thread, whose normal routine is a program, the host's (1) or none (0). The thread has
 * an extension. Its handle, or 0 if the table is full.
 */
export function KiCreateApc(
  thread: PKTHREAD,
  flags: u32,
  normalRoutine: usize,
  kernelRoutine: u32,
  rundownRoutine: u32,
  context: u64,
): u64 {
  const handle = KiCreateObject(KOBJECTS.ApcObject, 0, 0);
  if (handle == 0) return 0;
  const apc = KiObjectFromHandle(handle);
  store<u32>(apc, <u32>normalRoutine, KAPC.NormalRoutine);
  store<u32>(apc, flags, KAPC.Flags);
  store<u32>(apc, kernelRoutine, KAPC.KernelRoutine);
  store<u32>(apc, rundownRoutine, KAPC.RundownRoutine);
  store<u64>(apc, context, KAPC.NormalContext64);
  store<u32>(apc, <u32>thread, KAPC.Thread);
  store<u32>(apc, load<u32>(thread, KTHREAD.Generation), KAPC.ThreadGeneration);
  return handle;
}

/** A new spin lock that nobody holds; its address, or 0 if the table is full. */
function KiCreateSpinLockRow(): PKOBJECT {
  const lock = KiAllocateRow(OBJECT_TABLE);
  if (lock != 0) store<u32>(lock, KOBJECTS.SpinLockObject, KSPIN_LOCK.Type);
  return lock;
}

/** The same; its handle. */
export function KiCreateSpinLock(): u64 {
  const lock = KiCreateSpinLockRow();
  return lock == 0 ? 0 : KiMakeHandle(OBJECT_TABLE, TABLE.Object, lock);
}

function KiIsHeld(lock: PKOBJECT): bool {
  return (load<u32>(lock, KSPIN_LOCK.Owner) | load<u32>(lock, KSPIN_LOCK.Shared)) != 0;
}

/**
 * A connected interrupt, with the lock of a handle or one of its own (0), or at IPI_LEVEL with none;
 * its handle, or 0 if the table is full.
 */
export function KiCreateInterrupt(
  irql: u32,
  synchronizeIrql: u32,
  spinLock: u64,
  program: usize,
  context: u64,
): u64 {
  const hasLock = irql < <u32>IRQL.IPI_LEVEL;
  const ownLock = hasLock && spinLock == 0;
  const lock = ownLock ? KiCreateSpinLockRow() : KiObjectFromHandle(spinLock);
  if (hasLock && lock == 0) return 0;
  const interrupt = KiAllocateRow(OBJECT_TABLE);
  if (interrupt == 0) {
    if (ownLock) KiFreeRow(OBJECT_TABLE, lock);
    return 0;
  }
  store<u32>(interrupt, KOBJECTS.InterruptObject, KINTERRUPT_OBJECT.Type);
  store<u32>(interrupt, irql, KINTERRUPT_OBJECT.Irql);
  store<u32>(interrupt, synchronizeIrql, KINTERRUPT_OBJECT.SynchronizeIrql);
  store<u32>(interrupt, <u32>lock, KINTERRUPT_OBJECT.ActualLock);
  store<u32>(interrupt, ownLock ? 1 : 0, KINTERRUPT_OBJECT.OwnLock);
  store<u32>(interrupt, <u32>program, KINTERRUPT_OBJECT.ServiceRoutine);
  store<u64>(interrupt, context, KINTERRUPT_OBJECT.ServiceContext64);
  return KiMakeHandle(OBJECT_TABLE, TABLE.Object, interrupt);
}

function KiIsTimer(type: u32): bool {
  return type == KOBJECTS.TimerNotificationObject || type == KOBJECTS.TimerSynchronizationObject;
}

/** Frees a row of the object table; false, and nothing done, while a thread waits for it or owns it. */
export function KiDeleteObject(object: PKOBJECT): bool {
  const type = load<u32>(object, KOBJECT.Type);
  if (type <= <u32>KOBJECTS.TimerSynchronizationObject && KiHasWaiters(object)) return false;
  if (type == KOBJECTS.SpinLockObject && KiIsHeld(object)) return false;
  if (type == KOBJECTS.InterruptObject) {
    const lock: PKOBJECT = load<u32>(object, KINTERRUPT_OBJECT.ActualLock);
    if (lock != 0 && KiIsHeld(lock)) return false;
    if (load<u32>(object, KINTERRUPT_OBJECT.OwnLock) != 0) KiFreeRow(OBJECT_TABLE, lock);
  }
  if (type == KOBJECTS.MutantObject && load<u32>(object, KMUTANT.OwnerThread) != 0) return false;
  if (type == KOBJECTS.QueueObject && !KiDeleteQueue(object)) return false;
  if (type == KOBJECTS.ApcObject && (load<u32>(object, KAPC.Flags) & KAPC_FLAG.Inserted) != 0)
    return false;
  if (KiIsTimer(type)) KeCancelTimer(object);
  if (KiIsDpc(object)) {
    if (load<u32>(object, KDPC.Timers) != 0) return false;
    KeRemoveQueueDpc(object);
  }
  KiFreeRow(OBJECT_TABLE, object);
  return true;
}

export function KiIsEvent(handle: u64): bool {
  return handle >> LIMIT.TableShift == TABLE.Object;
}

/** The table rows of threads and processes, for those who make and end them. */
export function KiAllocateThread(): PKTHREAD {
  return KiAllocateRow(THREAD_TABLE);
}

/** The thread's extension, which it is given now if it has none; 0 if the table is full. */
export function KiThreadExtension(thread: PKTHREAD): usize {
  const known: usize = load<u32>(thread, KTHREAD.Extension);
  if (known != 0) return known;
  const extension = KiAllocateRow(EXTENSION_TABLE);
  if (extension == 0) return 0;
  store<u32>(extension, <u32>thread, KTHREAD_EXTENSION.Thread);
  RtlInitializeListHead(extension + KTHREAD_EXTENSION.KernelApcListHead);
  RtlInitializeListHead(extension + KTHREAD_EXTENSION.UserApcListHead);
  const suspend = extension + KTHREAD_EXTENSION.SuspendEvent;
  store<u32>(suspend, KOBJECTS.EventNotificationObject, DISPATCHER_HEADER.Type);
  store<u32>(suspend, 1, DISPATCHER_HEADER.SignalState);
  RtlInitializeListHead(suspend + DISPATCHER_HEADER.WaitListHead);
  const alert = extension + KTHREAD_EXTENSION.AlertEvent;
  store<u32>(alert, KOBJECTS.EventSynchronizationObject, DISPATCHER_HEADER.Type);
  RtlInitializeListHead(alert + DISPATCHER_HEADER.WaitListHead);
  store<u32>(thread, <u32>extension, KTHREAD.Extension);
  return extension;
}

export function KiFreeThread(thread: PKTHREAD): void {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  if (extension != 0) KiFreeRow(EXTENSION_TABLE, extension);
  KiFreeRow(THREAD_TABLE, thread);
}

export function KiAllocateProcess(): PKPROCESS {
  return KiAllocateRow(PROCESS_TABLE);
}

export function KiFreeProcess(process: PKPROCESS): void {
  KiFreeRow(PROCESS_TABLE, process);
}

export function KiProcessIndex(process: PKPROCESS): u32 {
  return process == 0 ? 0 : <u32>((process - load<u32>(PROCESS_TABLE)) / KPROCESS.Size);
}

export function KiThreadIndex(thread: PKTHREAD): u32 {
  return <u32>(thread - load<u32>(SYSTEM, KSYSTEM.ThreadTable)) >> 8;
}

export function KiObjectIndex(object: PKOBJECT): u32 {
  return KiRowIndex(OBJECT_TABLE, object);
}

/** Which of the objects that have been in its row an object is; 0 for one that lies in a thread's extension. */
export function KiObjectGeneration(object: PKOBJECT): u32 {
  const type = load<u32>(object, DISPATCHER_HEADER.Type);
  if (type == KOBJECTS.ThreadObject) return load<u32>(object, KTHREAD.Generation);
  if (type == KOBJECTS.ProcessObject) return load<u32>(object, KPROCESS.Generation);
  const extensions: usize = load<u32>(EXTENSION_TABLE);
  const used = (load<u32>(EXTENSION_TABLE, KTABLE.HighWater) + 1) * KTHREAD_EXTENSION.Size;
  if (object >= extensions && object < extensions + used) return 0;
  return load<u32>(object, KOBJECT.Generation);
}

export function KiAllocateTrapFrame(): usize {
  return KiAllocateRow(TRAP_FRAME_TABLE);
}

export function KiFreeTrapFrame(frame: usize): void {
  KiFreeRow(TRAP_FRAME_TABLE, frame);
}

/** Whether the table of wait blocks has room for `count` more. */
export function KiHasWaitBlocks(count: u32): bool {
  const used = load<u32>(WAIT_BLOCK_TABLE, KTABLE.Count);
  return load<u32>(WAIT_BLOCK_TABLE, KTABLE.Capacity) - used >= count;
}

export function KiAllocateWaitBlock(): usize {
  return KiAllocateRow(WAIT_BLOCK_TABLE);
}

export function KiFreeWaitBlock(block: usize): void {
  KiFreeRow(WAIT_BLOCK_TABLE, block);
}

import { KeGetPrcb, PKOBJECT, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import { BUGCHECK } from '../shared/bugcheck';
import { EVENT, VECTOR } from '../shared/event';
import { KDPC, KDPC_DATA, KPRCB, KPROCESS, KSYSTEM, KTABLE, KTHREAD } from '../shared/layout';
import { OP } from '../shared/opcode';
import { STATUS } from '../shared/status';
import { ADJUST, KOBJECTS, KTHREAD_STATE, KWAIT_REASON, THREAD_FLAG } from '../shared/types';
import { KeBugCheckEx } from './bugcheck';
import { KiBlockThread, KiSetAffinityThread } from './dispatch';
import { KiCheckDpcRoutine, KiDpcKind, KiPassDpcArguments, KiUnlinkDpc } from './dpc';
import { KiObjectIndex } from './object';
import { KeInitializeThread, KeStartThread } from './thread';
import { KiTrace } from './trace';
import { KiUnwaitThread } from './wait';

/**
 * Threaded DPCs: a queue a processor, and a thread bound to it, of the highest priority, that runs
 * their routines at PASSIVE_LEVEL. The threads are there from the first threaded DPC on; without
 * them a threaded DPC is an ordinary one.
 *
 * The thread's program waits for a DPC. Its routine is then what the thread executes, a program or
 * the host's, until that ends.
 */

const PRIORITY: i32 = 31;
/** Where the thread's program is: behind those of the other threads of the core's own. */
const PROGRAM: usize = 64;

/** Whether a DPC, if it is queued to a processor, is for that processor's thread. */
export function KiIsThreadedDpc(prcb: PKPRCB, dpc: PKOBJECT): bool {
  if (load<u32>(dpc, KDPC.Type) != KOBJECTS.ThreadedDpcObject) return false;
  return load<u32>(prcb, KPRCB.DpcThread) != 0;
}

/** Whether a processor's current thread is in the routine of a threaded DPC. */
export function KiIsInThreadedDpc(prcb: PKPRCB, thread: PKTHREAD): bool {
  if (load<u32>(prcb, KPRCB.ThreadedDpc) == 0) return false;
  return load<u32>(prcb, KPRCB.DpcThread) == <u32>thread;
}

/** Stops the machine if the thread is in the routine of a threaded DPC, for what that must not do; whether it has. */
export function KiRefuseInThreadedDpc(prcb: PKPRCB, thread: PKTHREAD): bool {
  if (!KiIsInThreadedDpc(prcb, thread)) return false;
  KeBugCheckEx(BUGCHECK.ATTEMPTED_SWITCH_FROM_DPC, thread, 0, 0, 0);
  return true;
}

function KiProgramAddress(): usize {
  return <usize>load<u32>(SYSTEM, KSYSTEM.ProgramBase) + PROGRAM;
}

/** A thread of the System process for one processor. */
function KiCreateDpcThread(prcb: PKPRCB, target: PKPRCB): void {
  const system = <usize>load<u32>(SYSTEM, KSYSTEM.ProcessTable + KTABLE.Base) + KPROCESS.Size;
  const increment = PRIORITY - load<i32>(system, KPROCESS.BasePriority);
  const flags = THREAD_FLAG.System | THREAD_FLAG.Referenced | THREAD_FLAG.DisableBoost;
  const thread = KeInitializeThread(system, 0, KiProgramAddress(), increment, 0, flags);
  const number = load<u32>(target, KPRCB.Number);
  KiSetAffinityThread(prcb, thread, load<u64>(target, KPRCB.SetMember64), number);
  store<u32>(target, <u32>thread, KPRCB.DpcThread);
  KeStartThread(prcb, thread);
}

/** Makes the threads, unless they are there; false, and nothing done, if the table has no room for them. */
export function KiStartDpcThreads(prcb: PKPRCB): bool {
  if (load<u32>(prcb, KPRCB.DpcThread) != 0) return true;
  const table = SYSTEM + KSYSTEM.ThreadTable;
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  const free = load<u32>(table, KTABLE.Capacity) - load<u32>(table, KTABLE.Count);
  if (free < processors) return false;
  const program = KiProgramAddress();
  store<u32>(program, OP.DpcWait);
  store<u32>(program, OP.Jump, 4);
  store<u32>(program, 0, 8);
  for (let number: u32 = 0; number < processors; number++) {
    KiCreateDpcThread(prcb, KeGetPrcb(number));
  }
  return true;
}

/** A DPC was queued for a processor's thread. */
export function KiWakeDpcThread(prcb: PKPRCB, target: PKPRCB): void {
  const thread: PKTHREAD = load<u32>(target, KPRCB.DpcThread);
  if (load<u32>(thread, KTHREAD.State) != KTHREAD_STATE.Waiting) return;
  KiUnwaitThread(prcb, thread, STATUS.SUCCESS, ADJUST.None, 0);
}

/**
 * Lets the thread execute the routine of the first DPC of its queue, or wait for one.
 *
 * @returns from its instruction at `pc` to the next, in bytes.
 */
export function KiTakeThreadedDpc(prcb: PKPRCB, thread: PKTHREAD, pc: usize): u32 {
  const queue = prcb + KPRCB.ThreadedDpcData;
  const dpc: PKOBJECT = load<u32>(queue, KDPC_DATA.DpcListHead);
  if (dpc == 0) {
    KiBlockThread(prcb, thread, KWAIT_REASON.Executive);
    return 4;
  }
  KiUnlinkDpc(queue, dpc);
  store<u32>(prcb, <u32>dpc, KPRCB.ThreadedDpc);
  const cost = load<u32>(SYSTEM, KSYSTEM.CostDpc);
  const number = load<u32>(prcb, KPRCB.Number);
  KiTrace(EVENT.Dpc, number, 0, VECTOR.ThreadedDpc, KiObjectIndex(dpc), 0, 0, cost);
  KiPassDpcArguments(thread, dpc);
  const routine: usize = load<u32>(dpc, KDPC.DeferredRoutine);
  if (routine == 0) {
    store<u32>(thread, load<u32>(thread, KTHREAD.Flags) | THREAD_FLAG.Host, KTHREAD.Flags);
    return 4;
  }
  store<u32>(thread, <u32>routine, KTHREAD.ProgramBase);
  return <u32>(routine - pc);
}

/** Ends the routine of a threaded DPC: the thread's own program goes on. Returns as KiTakeThreadedDpc does. */
export function KiEndThreadedDpc(prcb: PKPRCB, thread: PKTHREAD, pc: usize): u32 {
  const dpc: PKOBJECT = load<u32>(prcb, KPRCB.ThreadedDpc);
  store<u32>(prcb, 0, KPRCB.ThreadedDpc);
  store<u32>(thread, load<u32>(thread, KTHREAD.Flags) & ~THREAD_FLAG.Host, KTHREAD.Flags);
  const program = KiProgramAddress();
  store<u32>(thread, <u32>program, KTHREAD.ProgramBase);
  const counts = load<u32>(thread, KTHREAD.CombinedApcDisable);
  KiCheckDpcRoutine(KiDpcKind(dpc), dpc, 0, counts);
  return <u32>(program - pc);
}

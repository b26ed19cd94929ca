import {
  HalAttach,
  HalFirstProcessor,
  HalInitializeTree,
  HalOthersTime,
  HalProcessorTime,
  HalPublish,
  HalSetProcessorTime,
  KeGetPrcb,
  NEVER,
  PKPRCB,
  PKTHREAD,
  SYSTEM,
} from './hal';
import { KiCurrentContext } from './ke/activation';
import {
  KeRemoveQueueApc,
  KeInsertQueueApc,
  KeAlertThread,
  KiChangeApcRegion,
  KiTakeUserApc,
} from './ke/apc';
import { KiAttachedProcess } from './ke/attach';
import { KeBugCheckEx } from './ke/bugcheck';
import { KiSetTimerResolution } from './ke/clock';
import { KiCharge, KiExitDispatcher, KiIsUndisturbed, KiSetAffinityThread } from './ke/dispatch';
import { KeInsertQueueDpc, KeRemoveQueueDpc } from './ke/dpc';
import { KePulseEvent, KeResetEvent, KeSetEvent } from './ke/event';
import { KeSignalGateBoostPriority } from './ke/gate';
import { APPROACH, KiApproach, KiFlightProgress, KiInitializeFlights } from './ke/flight';
import { KiCanPushTrapFrame } from './ke/frame';
import { KiScheduleInterrupt, KiTakeInterrupts } from './ke/interrupt';
import { KeRaiseIrql } from './ke/irql';
import { KiDisownMutant } from './ke/mutant';
import {
  KiCreateBarrier,
  KiCreateApc,
  KiCreateDpc,
  KiCreateInterrupt,
  KiCreateMutant,
  KiCreateObject,
  KiCreateSpinLock,
  KiCreateTimer,
  KiDeleteObject,
  KiObjectFromHandle,
  KiProcessFromHandle,
  KiProcessHandle,
  KiThreadExtension,
  KiThreadHandle,
} from './ke/object';
import { KeSetBasePriorityThread, KeSetPriorityThread, KiSetPriorityFloor } from './ke/priority';
import { EXECUTED, KiBudget, KiExecuteThread, KiIsPort } from './ke/program';
import { KeInsertQueue, KeRundownQueue, KiCreateQueue, KiTakeQueueEntry } from './ke/queue';
import { KeReleaseSemaphore } from './ke/semaphore';
import { KeResumeThread, KeSuspendThread, KiFreezeThread, KiTerminateThread } from './ke/suspend';
import {
  KeInitializeProcess,
  KeInitializeThread,
  KeStartThread,
  KiEndProcess,
  KiHostPrcb,
  KiReleaseProcess,
  KiReleaseTerminatedThread,
  KiSetForeground,
} from './ke/thread';
import { KiStartDpcThreads } from './ke/threaded-dpc';
import {
  KeCancelTimer,
  KeSetCoalescableTimer,
  KeSetSystemTime,
  KiInitializeTimerTables,
  KiSetTimerDpc,
} from './ke/timer';
import { KiTraceStop } from './ke/trace';
import { KiStartWaitingThread } from './ke/wait';
import { RtlInitializeListHead } from './rtl';
import { BUGCHECK } from './shared/bugcheck';
import {
  ABI,
  KGROUP,
  KPRCB,
  KPROCESS,
  KSYSTEM,
  KTHREAD,
  LIST_ENTRY,
  PROCESS_FLAG,
} from './shared/layout';
import { LIMIT } from './shared/limits';
import { OP } from './shared/opcode';
import { KTHREAD_STATE, PRIORITY_CLASS, STOP, THREAD_FLAG } from './shared/types';

/**
 * What the host calls. Handles are f64: 53 bits hold them. The host has laid out the memory and
 * filled the system block before `KiInitializeSystem`; another instance on the same memory only
 * attaches.
 */

export { KiAssertFailed } from './ke/bugcheck';
export { KiAdvanceFlight, KiLandAll, KiSettleFlights } from './ke/flight';

export function KiAbiSignature(): u32 {
  return ABI.Signature ^ ABI.Version ^ (KSYSTEM.Size << 8) ^ (KTHREAD.Size << 16);
}

export function KiAttach(): void {
  HalAttach();
}

function KiInitializeProcessor(number: u32): void {
  const prcb = KeGetPrcb(number);
  store<u64>(prcb, NEVER, KPRCB.ResumeTime64);
  store<u64>(prcb, NEVER, KPRCB.IpiTime64);
  store<u64>(prcb, NEVER, KPRCB.TickTime64);
  store<u64>(prcb, NEVER, KPRCB.DeviceTime64);
  store<u64>(prcb, NEVER, KPRCB.TimerTime64);
  store<u64>(prcb, NEVER, KPRCB.NextInterrupt64);
  for (let priority = 0; priority < LIMIT.Priorities; priority++) {
    RtlInitializeListHead(prcb + KPRCB.DispatcherReadyListHead + priority * LIST_ENTRY.Size);
  }
  const group =
    <usize>load<u32>(SYSTEM, KSYSTEM.GroupBase) + load<u32>(prcb, KPRCB.Group) * KGROUP.Size;
  const member = load<u64>(prcb, KPRCB.SetMember64);
  store<u64>(
    group,
    load<u64>(group, KGROUP.ActiveProcessors64) | member,
    KGROUP.ActiveProcessors64,
  );
  store<u64>(group, load<u64>(group, KGROUP.IdleProcessors64) | member, KGROUP.IdleProcessors64);
}

/** The core's own program: word after word from `address`; the address behind it. */
function KiEmit(address: usize, word: u32): usize {
  store<u32>(address, word);
  return address + 4;
}

/** A thread of the System process at a priority of its own, Initialized; 0 if the table is full. */
function KiCreateSystemThread(system: usize, program: usize, priority: i32): usize {
  const increment = priority - load<i32>(system, KPROCESS.BasePriority);
  const flags = THREAD_FLAG.System | THREAD_FLAG.Referenced | THREAD_FLAG.DisableBoost;
  return KeInitializeThread(system, 0, program, increment, 0, flags);
}

/**
 * Makes the machine ready to run: processors idle, the System process with the balance-set manager
 * (priority 17) and, where stacks are swapped, the swapper (23).
 *
 * @returns false if the tables have no room for them.
 */
export function KiInitializeSystem(): bool {
  HalAttach();
  HalInitializeTree();
  KiInitializeFlights();
  KiInitializeTimerTables();
  RtlInitializeListHead(SYSTEM + KSYSTEM.SwapListHead);
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  for (let number: u32 = 0; number < processors; number++) KiInitializeProcessor(number);

  const suspend = <usize>load<u32>(SYSTEM, KSYSTEM.ProgramBase) + LIMIT.SuspendProgram;
  KiEmit(KiEmit(KiEmit(suspend, OP.SuspendWait), OP.Exit), 0);
  const quantum = load<u32>(SYSTEM, KSYSTEM.BackgroundQuantum);
  const flags = PROCESS_FLAG.System | PROCESS_FLAG.Referenced;
  const system = KeInitializeProcess(0, 0, PRIORITY_CLASS.Normal, quantum, 0, flags);
  if (system == 0) return false;
  if (load<u64>(SYSTEM, KSYSTEM.StarvationTime64) != 0) {
    const program: usize = load<u32>(SYSTEM, KSYSTEM.ProgramBase);
    KiEmit(KiEmit(KiEmit(KiEmit(program, OP.BalanceWait), OP.BalanceScan), OP.Jump), 0);
    const manager = KiCreateSystemThread(system, program, 17);
    if (manager == 0) return false;
    store<u32>(SYSTEM, <u32>manager, KSYSTEM.BalanceThread);
    KeStartThread(KeGetPrcb(0), manager);
  }
  if (load<u64>(SYSTEM, KSYSTEM.StackOutswap64) != 0) {
    const program = <usize>load<u32>(SYSTEM, KSYSTEM.ProgramBase) + 32;
    const compute = KiEmit(KiEmit(program, OP.SwapWait), OP.Compute);
    store<u64>(compute, load<u64>(SYSTEM, KSYSTEM.CostSwapIn64));
    KiEmit(KiEmit(KiEmit(compute + 8, OP.SwapIn), OP.Jump), 0);
    const swapper = KiCreateSystemThread(system, program, 23);
    if (swapper == 0) return false;
    store<u32>(SYSTEM, <u32>swapper, KSYSTEM.SwapThread);
    KeStartThread(KeGetPrcb(0), swapper);
  }
  KiEndHostCall(KeGetPrcb(0));
  return true;
}

/** The livelock guard looks at a step whose number has none of these bits. */
const LIVELOCK_MASK: u32 = 0xffff;

/** Ends a step; false if it has stopped the machine. */
function KiEndStep(prcb: PKPRCB): bool {
  KiExitDispatcher(prcb);
  store<u32>(prcb, 0, KPRCB.HostStep);
  store<u64>(SYSTEM, load<u64>(SYSTEM, KSYSTEM.Steps64) + 1, KSYSTEM.Steps64);
  return load<u32>(SYSTEM, KSYSTEM.StopReason) == STOP.None;
}

/** What executes on the processor: what it readies is woken by it, if it is a thread. */
function KiBeginContext(prcb: PKPRCB): PKTHREAD {
  const context = KiCurrentContext(prcb);
  store<u32>(prcb, load<u32>(prcb, KPRCB.Activation) == 0 ? <u32>context : 0, KPRCB.Waker);
  return context;
}

/**
 * Ends a step, and begins the next, where what executes on the processor goes on before anything
 * else can happen; false, and nothing done, where something may, or `KiRun` looks at its limits.
 */
function KiGoOn(prcb: PKPRCB, context: PKTHREAD, next: u64, traceStop: u64): bool {
  if (!KiIsUndisturbed(prcb, context) || load<u32>(SYSTEM, KSYSTEM.StopReason) != STOP.None)
    return false;
  if (next >= load<u64>(prcb, KPRCB.NextInterrupt64)) return false;
  if (next >= HalOthersTime(load<u32>(prcb, KPRCB.Number))) return false;
  if (next > load<u64>(SYSTEM, KSYSTEM.Until64)) return false;
  const steps = load<u64>(SYSTEM, KSYSTEM.Steps64);
  if ((<u32>steps & LIVELOCK_MASK) == 0 || steps + 1 >= load<u64>(SYSTEM, KSYSTEM.StepLimit64))
    return false;
  if (load<u64>(SYSTEM, KSYSTEM.TraceWrite64) > traceStop) return false;
  store<u64>(SYSTEM, steps + 1, KSYSTEM.Steps64);
  store<u64>(SYSTEM, next, KSYSTEM.Time64);
  KiCharge(prcb, next);
  return true;
}

/**
 * Begins a step: what the step before could not place goes on first; then interrupts; then the
 * thread. True if that is to execute.
 */
function KiBeginStep(prcb: PKPRCB, now: u64): bool {
  store<u64>(SYSTEM, now, KSYSTEM.Time64);
  store<u32>(SYSTEM, load<u32>(prcb, KPRCB.Number), KSYSTEM.CurrentProcessor);
  // Whatever the step does, the time up to it is that of who ran; the host's acts come as steps too.
  KiCharge(prcb, now);
  if (load<u32>(prcb, KPRCB.DeferredReadyHead) != 0) return false;
  if (KiTakeInterrupts(prcb, now)) {
    store<u32>(prcb, 0, KPRCB.Waker);
    return false;
  }
  if (load<u64>(prcb, KPRCB.ResumeTime64) > now) return false;
  return load<u32>(prcb, KPRCB.HostStep) == 0 || !KiTakeHostStep(prcb);
}

/** Whether a step is for the host alone: that of a port's thread is known only when its run has come so far. */
function KiTakeHostStep(prcb: PKPRCB): bool {
  store<u32>(prcb, 0, KPRCB.HostStep);
  return KiIsPort(KiCurrentContext(prcb));
}

/**
 * Leaves a step that was not done: the host has to answer first, or a port thread has only come further.
 * The time stays that of the last step, `before`.
 *
 * @returns false if the host must act first or the machine stops.
 */
function KiLeaveStep(prcb: PKPRCB, executed: EXECUTED, before: u64): bool {
  if (executed == EXECUTED.Host) {
    store<u64>(SYSTEM, before, KSYSTEM.BeforeTime64);
    return false;
  }
  // What others want of the processor waits for their interrupt; what the host has readied goes on.
  if (load<u32>(prcb, KPRCB.DeferredReadyHead) != 0) KiExitDispatcher(prcb);
  else HalPublish(prcb);
  store<u64>(SYSTEM, before, KSYSTEM.Time64);
  return load<u32>(SYSTEM, KSYSTEM.StopReason) == STOP.None;
}

/**
 * Steps of a processor, up to one at which something else may happen. `resumed`: the first has
 * begun, and waited for the host's answer.
 *
 * @returns false if the host must act first or the machine stops.
 */
function KiStep(prcb: PKPRCB, now: u64, traceStop: u64, resumed: bool): bool {
  let before = resumed
    ? load<u64>(SYSTEM, KSYSTEM.BeforeTime64)
    : load<u64>(SYSTEM, KSYSTEM.Time64);
  if (resumed || KiBeginStep(prcb, now)) {
    const context = KiBeginContext(prcb);
    do {
      const executed = KiExecuteThread(prcb, context, now);
      if (executed != EXECUTED.Step) return KiLeaveStep(prcb, executed, before);
      before = now;
      now = load<u64>(prcb, KPRCB.ResumeTime64);
    } while (KiGoOn(prcb, context, now, traceStop));
  }
  return KiEndStep(prcb);
}

/**
 * Runs the machine, always the processor with the smallest (time, number), until something stops it.
 *
 * @returns a STOP; its particulars are in the system block.
 */
export function KiRun(): u32 {
  store<u32>(SYSTEM, STOP.None, KSYSTEM.StopReason);
  if (load<u32>(SYSTEM, KSYSTEM.BugCheckCode) != BUGCHECK.NONE) return STOP.BugCheck;
  if (load<u32>(SYSTEM, KSYSTEM.DeadlockProcessor) != 0) return STOP.Deadlock;
  const until = load<u64>(SYSTEM, KSYSTEM.Until64);
  const limit = load<u64>(SYSTEM, KSYSTEM.StepLimit64);
  const traceStop = KiTraceStop();
  let resumed = load<u32>(SYSTEM, KSYSTEM.HostAnswered) != 0;
  for (;;) {
    let processor = load<u32>(SYSTEM, KSYSTEM.StopProcessor);
    let now = load<u64>(SYSTEM, KSYSTEM.Time64);
    if (!resumed) {
      processor = HalFirstProcessor();
      now = HalProcessorTime(processor);
      if (now > until || now == NEVER) {
        if (now == NEVER && until == NEVER) return STOP.Idle;
        if (until != NEVER)
          store<u64>(SYSTEM, max<u64>(until, load<u64>(SYSTEM, KSYSTEM.Time64)), KSYSTEM.Time64);
        return now == NEVER ? STOP.Idle : STOP.TimeReached;
      }
      if (load<u32>(KeGetPrcb(processor), KPRCB.InFlight) != 0) {
        const approach = KiApproach(KeGetPrcb(processor), now);
        if (approach == APPROACH.Again) continue;
        if (approach == APPROACH.Wait) return KiStopForFlight(processor);
      }
      if (load<u64>(SYSTEM, KSYSTEM.Steps64) >= limit) return STOP.EventLimit;
      if (load<u64>(SYSTEM, KSYSTEM.TraceWrite64) > traceStop) return STOP.TraceFull;
    }
    if (!KiStep(KeGetPrcb(processor), now, traceStop, resumed))
      return load<u32>(SYSTEM, KSYSTEM.StopReason);
    resumed = false;
    const last = load<u64>(SYSTEM, KSYSTEM.Steps64) - 1;
    if ((<u32>last & LIVELOCK_MASK) == 0 && KiIsLivelocked(last)) break;
  }
  return STOP.Livelock;
}

/** A flight is first: how far it may go, whoever advances it. */
function KiStopForFlight(processor: u32): u32 {
  store<u32>(SYSTEM, processor, KSYSTEM.StopProcessor);
  const budget = KiBudget(KeGetPrcb(processor), KiFlightProgress(processor));
  store<u64>(SYSTEM, budget, KSYSTEM.StopBudget64);
  return STOP.Flight;
}

/** Whether a processor is a port's: it computes, however its run is cut. */
function KiIsPortRunning(): bool {
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  for (let number: u32 = 0; number < processors; number++) {
    const thread: PKTHREAD = load<u32>(KeGetPrcb(number), KPRCB.CurrentThread);
    if (thread != 0 && KiIsPort(thread)) return true;
  }
  return false;
}

/** Whether threads have only synchronised with each other for longer than the guard allows. */
function KiIsLivelocked(steps: u64): bool {
  const guard = load<u64>(SYSTEM, KSYSTEM.LivelockSteps64);
  if (guard == 0 || steps < load<u64>(SYSTEM, KSYSTEM.ProgressSteps64) + guard) return false;
  store<u64>(SYSTEM, steps, KSYSTEM.ProgressSteps64);
  return !KiIsPortRunning();
}

/** Settles every processor's time accounts up to now, for whoever reads them. */
export function KiSettleAccounts(): void {
  const now = load<u64>(SYSTEM, KSYSTEM.Time64);
  const processors = load<u32>(SYSTEM, KSYSTEM.ProcessorCount);
  for (let number: u32 = 0; number < processors; number++) KiCharge(KeGetPrcb(number), now);
}

/**
 * What the host does happens at the present time. Inside a step (a host thread's turn, a host call)
 * the step's end sees to the consequences; outside, a step of processor 0 at the present time does.
 */
function KiBeginHostCall(): PKPRCB {
  if (load<u32>(SYSTEM, KSYSTEM.StopReason) != STOP.Host) {
    store<u32>(SYSTEM, 0, KSYSTEM.CurrentProcessor);
    store<u32>(KiHostPrcb(), 0, KPRCB.Waker);
  }
  return KiHostPrcb();
}

function KiEndHostCall(prcb: PKPRCB): void {
  if (load<u32>(SYSTEM, KSYSTEM.StopReason) == STOP.Host) return;
  store<u32>(prcb, 1, KPRCB.HostStep);
  HalSetProcessorTime(load<u32>(prcb, KPRCB.Number), load<u64>(SYSTEM, KSYSTEM.Time64));
}

function KiCurrentThread(prcb: PKPRCB): PKTHREAD {
  const inStep = load<u32>(SYSTEM, KSYSTEM.StopReason) == STOP.Host;
  return inStep ? <usize>load<u32>(prcb, KPRCB.CurrentThread) : 0;
}

/** A new event or semaphore; 0 if the table is full. */
export function hostCreateObject(type: u32, state: i32, limit: i32): f64 {
  return <f64>KiCreateObject(type, state, limit);
}

/** A new mutant, which disables normal kernel APCs or not, owned by a thread or by none (0); 0 if the table is full. */
export function hostCreateMutant(apcDisable: u32, owner: u32): f64 {
  return <f64>KiCreateMutant(apcDisable, owner);
}

/** A new timer of a type, with attributes in TIMER_FLAG; 0 if the table is full. */
export function hostCreateTimer(type: u32, attributes: u32): f64 {
  return <f64>KiCreateTimer(type, attributes);
}

/** Gives a timer that is set a DPC. */
export function hostSetTimerDpc(timer: u32, dpc: u32): void {
  KiSetTimerDpc(timer, dpc);
}

/** A new DPC of a type whose routine is a program, or (0) the host's; 0 if the table is full. */
export function hostCreateDpc(type: u32, program: u32, low: u32, high: u32): f64 {
  return <f64>KiCreateDpc(type, program, <u64>low | ((<u64>high) << 32));
}

/** Makes the threads that run threaded DPCs, one a processor, unless they are there; false if the table has no room. */
export function hostStartDpcThreads(): bool {
  const prcb = KiBeginHostCall();
  const started = KiStartDpcThreads(prcb);
  KiEndHostCall(prcb);
  return started;
}

/** A new barrier, where nobody is; 0 if the table is full. */
export function hostCreateBarrier(): f64 {
  return <f64>KiCreateBarrier();
}

/** Takes a mutant from its owner, if it has one. */
export function hostDisownMutant(mutant: u32): void {
  const prcb = KiBeginHostCall();
  KiDisownMutant(prcb, mutant);
  KiEndHostCall(prcb);
}

/** KeInsertQueueDpc from outside a guest: the queue is processor 0's, unless the DPC has a target. */
export function hostInsertQueueDpc(dpc: u32, low1: u32, high1: u32, low2: u32, high2: u32): bool {
  const prcb = KiBeginHostCall();
  const first = <u64>low1 | ((<u64>high1) << 32);
  const queued = KeInsertQueueDpc(prcb, dpc, first, <u64>low2 | ((<u64>high2) << 32));
  KiEndHostCall(prcb);
  return queued;
}

export function hostRemoveQueueDpc(dpc: u32): bool {
  return KeRemoveQueueDpc(dpc);
}

/**
 * A new APC of a thread; 0 if the table of objects is full, -1 if that of thread extensions is. The
 * normal routine is none (0), the host's (1) or a program.
 */
export function hostCreateApc(
  thread: u32,
  flags: u32,
  normalRoutine: u32,
  kernelRoutine: u32,
  rundownRoutine: u32,
  low: u32,
  high: u32,
): f64 {
  if (KiThreadExtension(thread) == 0) return -1;
  const context = <u64>low | ((<u64>high) << 32);
  return <f64>KiCreateApc(thread, flags, normalRoutine, kernelRoutine, rundownRoutine, context);
}

/** KeInsertQueueApc from outside a guest. */
export function hostInsertQueueApc(
  apc: u32,
  low1: u32,
  high1: u32,
  low2: u32,
  high2: u32,
  increment: u32,
): bool {
  const prcb = KiBeginHostCall();
  const first = <u64>low1 | ((<u64>high1) << 32);
  const second = <u64>low2 | ((<u64>high2) << 32);
  const queued = KeInsertQueueApc(prcb, apc, first, second, increment);
  KiEndHostCall(prcb);
  return queued;
}

export function hostRemoveQueueApc(apc: u32): bool {
  return KeRemoveQueueApc(apc);
}

/** Takes the first user-mode APC from a thread that ends; 0: there is none. */
export function hostTakeUserApc(thread: u32): u32 {
  return <u32>KiTakeUserApc(thread);
}

/** KeSuspendThread from outside a guest: the count before, LIMIT.SuspendCount if that is reached; -1: no extension is free. */
export function hostSuspendThread(thread: u32): i32 {
  const extension = KiThreadExtension(thread);
  if (extension == 0) return -1;
  const prcb = KiBeginHostCall();
  const count = KeSuspendThread(prcb, thread, extension);
  KiEndHostCall(prcb);
  return count;
}

/** Holds a thread as a suspended one, or lets it go on; false: no extension is free. */
export function hostFreezeThread(thread: u32, frozen: bool): bool {
  const extension = KiThreadExtension(thread);
  if (extension == 0) return false;
  const prcb = KiBeginHostCall();
  KiFreezeThread(prcb, thread, extension, frozen);
  KiEndHostCall(prcb);
  return true;
}

/** KeResumeThread from outside a guest: the count before. */
export function hostResumeThread(thread: u32): u32 {
  const extension: usize = load<u32>(thread, KTHREAD.Extension);
  if (extension == 0) return 0;
  const prcb = KiBeginHostCall();
  const count = KeResumeThread(prcb, extension);
  KiEndHostCall(prcb);
  return count;
}

/** KeAlertThread from outside a guest: 1 if it was alerted already, -1: no extension is free. */
export function hostAlertThread(thread: u32, mode: u32): i32 {
  const extension = KiThreadExtension(thread);
  if (extension == 0) return -1;
  const prcb = KiBeginHostCall();
  const alerted = KeAlertThread(prcb, thread, extension, mode);
  KiEndHostCall(prcb);
  return alerted ? 1 : 0;
}

/** Asks a thread to end: 1, or 0 if it has begun to; -1: no extension is free. */
export function hostTerminateThread(thread: u32, status: u32): i32 {
  const extension = KiThreadExtension(thread);
  if (extension == 0) return -1;
  const prcb = KiBeginHostCall();
  const asked = KiTerminateThread(prcb, thread, extension, status);
  KiEndHostCall(prcb);
  return asked ? 1 : 0;
}

/** Whether a call of the host's can go on in front of the thread that made it. */
export function hostCanEnterCall(thread: u32): bool {
  return KiCanPushTrapFrame(thread);
}

/** The address of the process in whose address space a thread works. */
export function hostAttachedProcess(thread: u32): u32 {
  return <u32>KiAttachedProcess(thread);
}

/** A new spin lock; 0 if the table is full. */
export function hostCreateSpinLock(): f64 {
  return <f64>KiCreateSpinLock();
}

/** A connected interrupt, with the lock of a handle or (0) one of its own; 0 if the table is full. */
export function hostCreateInterrupt(
  irql: u32,
  synchronizeIrql: u32,
  spinLock: f64,
  program: u32,
  low: u32,
  high: u32,
): f64 {
  const context = <u64>low | ((<u64>high) << 32);
  return <f64>KiCreateInterrupt(irql, synchronizeIrql, <u64>spinLock, program, context);
}

/** A new queue for `maximum` active threads, at least 1; 0 if the table is full. */
export function hostCreateQueue(maximum: u32): f64 {
  return <f64>KiCreateQueue(maximum);
}

/** How many entries there were; -1 if the table of entries is full. */
export function hostInsertQueue(queue: u32, low: u32, high: u32, atHead: bool, priority: u32): i32 {
  const prcb = KiBeginHostCall();
  const value = <u64>low | ((<u64>high) << 32);
  const previous = KeInsertQueue(prcb, queue, value, atHead, priority);
  KiEndHostCall(prcb);
  return previous;
}

/** Takes out the first entry of a queue that has one. The host has read it. */
export function hostTakeQueueEntry(queue: u32): void {
  KiTakeQueueEntry(queue);
}

export function hostRundownQueue(queue: u32): void {
  const prcb = KiBeginHostCall();
  KeRundownQueue(prcb, queue);
  KiEndHostCall(prcb);
}

/** KeSignalGateBoostPriority; the waiter is lifted above `priority`. */
export function hostSignalGate(gate: u32, priority: u32): void {
  const prcb = KiBeginHostCall();
  KeSignalGateBoostPriority(prcb, gate, priority);
  KiEndHostCall(prcb);
}

/** False if it is stale, a thread waits for it or owns it. */
export function hostDeleteObject(handle: f64): bool {
  const object = KiObjectFromHandle(<u64>handle);
  return object != 0 && KiDeleteObject(object);
}

/** The address of what a handle names; 0 if it is stale. */
export function hostAddress(handle: f64): u32 {
  return <u32>KiObjectFromHandle(<u64>handle);
}

export function hostSetEvent(event: u32, increment: u32): i32 {
  const prcb = KiBeginHostCall();
  const previous = KeSetEvent(prcb, event, increment);
  KiEndHostCall(prcb);
  return previous;
}

export function hostPulseEvent(event: u32, increment: u32): i32 {
  const prcb = KiBeginHostCall();
  const previous = KePulseEvent(prcb, event, increment);
  KiEndHostCall(prcb);
  return previous;
}

/** Sets a timer from outside any guest: `fromNow` ns, then every `period` ms if that is not 0; whether it was set. */
export function hostSetTimer(timer: u32, fromNow: f64, period: u32, dpc: u32): u32 {
  const prcb = KiBeginHostCall();
  const set = KeSetCoalescableTimer(prcb, timer, <u64>fromNow, period, 0, dpc);
  KiEndHostCall(prcb);
  return set ? 1 : 0;
}

export function hostCancelTimer(timer: u32): u32 {
  return KeCancelTimer(timer) ? 1 : 0;
}

export function hostResetEvent(event: u32): i32 {
  return KeResetEvent(event);
}

/** The previous count; -1 if the limit would be passed. */
export function hostReleaseSemaphore(semaphore: u32, increment: u32, adjustment: i32): i32 {
  const prcb = KiBeginHostCall();
  const previous = KeReleaseSemaphore(prcb, semaphore, increment, adjustment);
  KiEndHostCall(prcb);
  return previous;
}

/** A new process, referred to by the host; 0 if the table is full. `parent` is a handle or 0. */
export function hostCreateProcess(
  parent: f64,
  priorityClass: u32,
  quantum: u32,
  low: u32,
  high: u32,
): f64 {
  const prcb = KiBeginHostCall();
  const parentProcess = KiProcessFromHandle(<u64>parent);
  const process = KeInitializeProcess(
    parentProcess,
    KiCurrentThread(prcb),
    priorityClass,
    quantum,
    <u64>low | ((<u64>high) << 32),
    PROCESS_FLAG.Referenced,
  );
  return process == 0 ? 0 : <f64>KiProcessHandle(process);
}

/** A new thread of a process, referred to by the host, Initialized; 0 if the table is full. */
export function hostCreateThread(
  process: u32,
  program: u32,
  increment: i32,
  low: u32,
  high: u32,
  flags: u32,
): f64 {
  const prcb = KiBeginHostCall();
  const affinity = <u64>low | ((<u64>high) << 32);
  const thread = KeInitializeThread(
    process,
    KiCurrentThread(prcb),
    program,
    increment,
    affinity,
    flags | THREAD_FLAG.Referenced,
  );
  return thread == 0 ? 0 : <f64>KiThreadHandle(thread);
}

export function hostStartThread(thread: u32): void {
  const prcb = KiBeginHostCall();
  KeStartThread(prcb, thread);
  KiEndHostCall(prcb);
}

/** The same, as one that waits for an object already. */
export function hostStartWaitingThread(thread: u32, object: u32): void {
  const prcb = KiBeginHostCall();
  KiStartWaitingThread(prcb, thread, object);
  KiEndHostCall(prcb);
}

/** The host lets go of a thread: its row is free when it has ended. */
export function hostCloseThread(thread: u32): void {
  store<u32>(thread, load<u32>(thread, KTHREAD.Flags) & ~THREAD_FLAG.Referenced, KTHREAD.Flags);
  const state = load<u32>(thread, KTHREAD.State);
  const prcb = KeGetPrcb(load<u32>(thread, KTHREAD.NextProcessor));
  if (state == KTHREAD_STATE.Terminated && load<u32>(prcb, KPRCB.CurrentThread) != <u32>thread) {
    KiReleaseTerminatedThread(thread);
  }
}

export function hostCloseProcess(process: u32): void {
  store<u32>(
    process,
    load<u32>(process, KPROCESS.Flags) & ~PROCESS_FLAG.Referenced,
    KPROCESS.Flags,
  );
  KiReleaseProcess(process);
}

/** A process ends that has had no thread. */
export function hostEndProcess(process: u32): void {
  const prcb = KiBeginHostCall();
  KiEndProcess(prcb, process);
  KiEndHostCall(prcb);
}

export function hostSetForeground(process: u32, foreground: bool, quantum: u32): void {
  KiSetForeground(process, foreground, quantum);
}

export function hostSetPriority(thread: u32, priority: u32): u32 {
  const prcb = KiBeginHostCall();
  const previous = KeSetPriorityThread(prcb, thread, priority);
  KiEndHostCall(prcb);
  return previous;
}

export function hostSetBasePriority(thread: u32, increment: i32): i32 {
  const prcb = KiBeginHostCall();
  const previous = KeSetBasePriorityThread(prcb, thread, increment);
  KiEndHostCall(prcb);
  return previous;
}

/** Puts a floor, 1-15, under the priority of a thread; 0 takes it away. */
export function hostSetPriorityFloor(thread: u32, floor: u32): void {
  const prcb = KiBeginHostCall();
  KiSetPriorityFloor(prcb, thread, floor);
  KiEndHostCall(prcb);
}

/** `low` and `high` are the mask: a non-empty part of the thread's group. */
export function hostSetAffinity(thread: u32, low: u32, high: u32): void {
  const prcb = KiBeginHostCall();
  const ideal = load<u32>(thread, KTHREAD.IdealProcessor);
  KiSetAffinityThread(prcb, thread, <u64>low | ((<u64>high) << 32), ideal);
  KiEndHostCall(prcb);
}

/** False if the capacity for interrupts to come is used up. */
export function hostScheduleInterrupt(
  processor: u32,
  time: f64,
  object: f64,
  increment: u32,
): bool {
  return KiScheduleInterrupt(processor, <u64>time, <u64>object, increment);
}

/** Sets the system time, in 100 ns since 1601, 1 to 2^63 - 1. */
export function hostSetSystemTime(low: u32, high: u32): void {
  const prcb = KiBeginHostCall();
  KeSetSystemTime(<u64>low | ((<u64>high) << 32));
  KiEndHostCall(prcb);
}

/** The clock's interval from now on, ns. */
export function hostSetTimerResolution(resolution: u32): void {
  const prcb = KiBeginHostCall();
  KiSetTimerResolution(resolution);
  KiEndHostCall(prcb);
}

/** KeRaiseIrql on the processor whose step the host is in. */
export function hostRaiseIrql(level: u32): u32 {
  return KeRaiseIrql(KiHostPrcb(), level);
}

/** A thread enters (-1) or leaves (1) a region; leaving one delivers nothing before its next instruction. */
export function hostApcRegion(thread: u32, region: u32, change: i32): void {
  KiChangeApcRegion(thread, region, change);
}

/** A number of the host's as 64 bits; one below 0 has its sign extended. */
function KiParameter(value: f64): u64 {
  return value < 0 ? <u64>(<i64>value) : <u64>value;
}

export function hostBugCheck(code: u32, p1: f64, p2: f64, p3: f64, p4: f64): void {
  KeBugCheckEx(code, KiParameter(p1), KiParameter(p2), KiParameter(p3), KiParameter(p4));
}

import { HalOthersTime, NEVER, PKPRCB, PKTHREAD, SYSTEM } from '../hal';
import { RtlExponential64, RtlRandom64, RtlScale64 } from '../rtl';
import { BUGCHECK } from '../shared/bugcheck';
import { EVENT } from '../shared/event';
import { KPRCB, KPROCESS, KSYSTEM, KTHREAD, PORT_CONTEXT, PROCESS_FLAG } from '../shared/layout';
import { LIMIT } from '../shared/limits';
import { CONDITION, OP, SIGNAL, WAIT_FIELD } from '../shared/opcode';
import { STATUS } from '../shared/status';
import {
  FRAME,
  HOST_REQUEST,
  KOBJECTS,
  KTHREAD_STATE,
  MODE,
  PORT_STOP,
  STOP,
  THREAD_FLAG,
} from '../shared/types';
import {
  KiContextIndex,
  KiEndActivation,
  KiIsActivation,
  KiIsAllowedInActivation,
} from './activation';
import { KiChangeApcRegion, KiReturnFromFrame } from './apc';
import { KiApcInstruction } from './apc-operation';
import { KiBalanceWait, KiScanReadyQueues, KiSwapIn, KiSwapWait } from './balance';
import { KeBugCheckEx } from './bugcheck';
import { KiMeetAtBarrier } from './barrier';
import { KiTakeTime } from './dispatch';
import { KeInsertQueueDpc, KeRemoveQueueDpc } from './dpc';
import { KiBounded, KiHasPortContext, KiTakeOff } from './flight';
import { KiCanPushTrapFrame, KiEnterFrame, KiPushTrapFrame } from './frame';
import { KePulseEvent, KeResetEvent, KeSetEvent } from './event';
import { KeLowerIrql, KeRaiseIrql, KiSetWaitNext, KiTakeWaitNext } from './irql';
import { KeReleaseMutant, KiAbandonMutant } from './mutant';
import { KiThreadIndex } from './object';
import {
  KiCreate,
  KiCreateProcess,
  KiDelay,
  KiDelayTo,
  KiDpcOperand,
  KiEventOperand,
  KiInterlockedAdd,
  KiInterlockedTake,
  KiOperand,
  KiPeriodicDue,
  KiRegister,
  KiSetOwnAffinity,
  KiSetThreadAffinity,
  KiSetTimer,
  KiSharedWord,
  KiSignalAndWait,
  KiSpinLockOperand,
  KiThreadOperand,
  KiTimerOperand,
  KiTypedOperand,
  KiWait,
  KiWaitMultiple,
  KiYield,
  SIGNAL_INCREMENT,
} from './operation';
import { KeSetBasePriorityThread, KeSetPriorityThread } from './priority';
import { KiQueueInstruction } from './queue-operation';
import { KiReleaseSemaphoreFrom } from './semaphore';
import { KiAcquireSpinLock, KiConvertSpinLock, KiIsSpinning, KiReleaseSpinLock } from './spinlock';
import { KiBeginExit } from './thread';
import { KiEndThreadedDpc, KiIsInThreadedDpc, KiTakeThreadedDpc } from './threaded-dpc';
import { KeCancelTimer } from './timer';
import { KiTrace } from './trace';

/**
 * The bytecode of program threads, and the same operations asked for by host and port threads.
 *
 * An instruction that others could observe is a step of its own: its effect is at the step's time,
 * its cost follows. Local ones (registers, control, computing) touch nothing shared, and run ahead
 * of time with the step before them. The loader has checked every program: no bound is checked here.
 */

function KiCompare(condition: u32, left: i64, right: i64): bool {
  if (condition == CONDITION.Equal) return left == right;
  if (condition == CONDITION.NotEqual) return left != right;
  if (condition == CONDITION.Less) return left < right;
  if (condition == CONDITION.GreaterOrEqual) return left >= right;
  return <i32>left >= 0 == (condition == CONDITION.Success);
}

function KiSetMode(thread: PKTHREAD, mode: u32): void {
  const flags = load<u32>(thread, KTHREAD.Flags) & ~THREAD_FLAG.KernelCompute;
  store<u32>(
    thread,
    mode == MODE.KernelMode ? flags | THREAD_FLAG.KernelCompute : flags,
    KTHREAD.Flags,
  );
  KiNoteProgress();
}

/** A port thread goes on in user mode. That it computes, the livelock guard sees by itself. */
export function KiReturnToPort(thread: PKTHREAD): void {
  const flags = load<u32>(thread, KTHREAD.Flags);
  store<u32>(thread, flags & ~THREAD_FLAG.KernelCompute, KTHREAD.Flags);
}

/** Something happens that is not merely synchronisation. */
function KiNoteProgress(): void {
  store<u64>(SYSTEM, load<u64>(SYSTEM, KSYSTEM.Steps64), KSYSTEM.ProgressSteps64);
}

/** Ns of a computing instruction, drawn if it says so. */
function KiComputeTime(thread: PKTHREAD, pc: usize, opcode: i32): u64 {
  const first = load<u64>(pc, 4);
  if (opcode == OP.Compute) return first;
  const random = RtlRandom64(thread + KTHREAD.RandomState64);
  if (opcode == OP.ComputeExponential) return RtlExponential64(random, first);
  return first + RtlScale64(random, load<u64>(pc, 12) - first + 1);
}

/** Threads whose instructions the host gives. */
const HOSTED: u32 = THREAD_FLAG.Host | THREAD_FLAG.Port;
/** Those, and threads that are to wait again first. */
const UNFETCHED: u32 = HOSTED | THREAD_FLAG.WaitAgain;

/** Whether an instruction touches nothing shared: registers, control and computing. */
function KiIsLocal(opcode: i32): bool {
  return (
    (opcode >= OP.FirstLocal && opcode < OP.Refill) ||
    (opcode >= OP.Compute && opcode <= OP.ComputeExponential)
  );
}

/** Whether an instruction is an operation on objects or on its thread, and no more than that. */
function KiIsSimple(opcode: i32): bool {
  return <u32>(opcode - OP.Wait) <= <u32>(OP.SetAffinity - OP.Wait);
}

/**
 * Runs local instructions up to the next that is not, or to the end of one that computes.
 *
 * @returns the ns they take; 0 if the next instruction is not local, or is a Refill.
 */
export function KiFetch(thread: PKTHREAD): u64 {
  if ((load<u32>(thread, KTHREAD.Flags) & UNFETCHED) != 0) return 0;
  const base: usize = load<u32>(thread, KTHREAD.ProgramBase);
  let pc: usize = load<u32>(thread, KTHREAD.ProgramCounter);
  let time: u64 = 0;
  for (let count = 0; count < LIMIT.LocalInstructions; count++) {
    const word = load<u32>(pc);
    const opcode = <i32>(word & 0xff);
    const a = (word >> 8) & 0xff;
    if (opcode >= OP.Compute && opcode <= OP.ComputeExponential) {
      time += KiComputeTime(thread, pc, opcode);
      KiSetMode(thread, a);
      pc += opcode == OP.ComputeUniform ? 20 : 12;
      break;
    }
    if (opcode < OP.FirstLocal || opcode >= OP.Refill) break;
    time++;
    const operand = load<u32>(pc, 4);
    switch (opcode) {
      case OP.Jump:
        pc = base + (operand << 2);
        break;
      case OP.Load:
        store<u64>(KiRegister(thread, a), load<u64>(pc, 4));
        pc += 12;
        break;
      case OP.Add:
        store<u64>(KiRegister(thread, a), load<u64>(KiRegister(thread, a)) + load<u64>(pc, 4));
        pc += 12;
        break;
      case OP.Loop: {
        const left = load<u64>(KiRegister(thread, a)) - 1;
        store<u64>(KiRegister(thread, a), left);
        pc = left != 0 ? base + (operand << 2) : pc + 8;
        break;
      }
      case OP.BranchStatus: {
        const taken = KiCompare(a, <i64>load<i32>(thread, KTHREAD.WaitStatus), <i64>(<i32>operand));
        pc = taken ? base + (load<u32>(pc, 8) << 2) : pc + 12;
        break;
      }
      case OP.BranchRegister: {
        const taken = KiCompare(a, load<i64>(KiRegister(thread, word >> 16)), load<i64>(pc, 4));
        pc = taken ? base + (load<u32>(pc, 12) << 2) : pc + 16;
        break;
      }
      default:
        store<u64>(KiRegister(thread, a), <u64>load<u32>(thread, KTHREAD.WaitStatus));
        pc += 4;
    }
  }
  store<u32>(thread, <u32>pc, KTHREAD.ProgramCounter);
  return time;
}

/** Takes the jump at `pc` if nothing local comes after it, as at the end of most loops; whether it has. */
function KiJumpOnly(thread: PKTHREAD, pc: usize): bool {
  const target: usize = load<u32>(thread, KTHREAD.ProgramBase) + (load<u32>(pc, 4) << 2);
  if (!KiIsSimple(<i32>(load<u32>(target) & 0xff))) return false;
  store<u32>(thread, <u32>target, KTHREAD.ProgramCounter);
  return true;
}

/** Ends an instruction of a thread that goes on: its cost, then the local instructions behind it. */
function KiPay(prcb: PKPRCB, thread: PKTHREAD, cost: u64): void {
  const flags = load<u32>(thread, KTHREAD.Flags);
  let time: u64 = 0;
  if ((flags & UNFETCHED) == 0) {
    const pc: usize = load<u32>(thread, KTHREAD.ProgramCounter);
    const next = <i32>(load<u32>(pc) & 0xff);
    // What follows a call that a routine is about to answer has to see that answer.
    if (!KiIsSimple(next) && KiIsLocal(next) && load<u32>(SYSTEM, KSYSTEM.CallFrame) == 0) {
      time = next == OP.Jump && KiJumpOnly(thread, pc) ? 1 : KiFetch(thread);
    }
  }
  if ((flags & THREAD_FLAG.Uncharged) != 0) KiTakeTime(prcb, cost, KPRCB.OverheadTime64);
  else time += cost;
  store<u64>(prcb, load<u64>(prcb, KPRCB.ChargeTime64) + time, KPRCB.ResumeTime64);
}

/** Charges an instruction that took its thread off the processor. */
function KiPayAndLeave(prcb: PKPRCB, thread: PKTHREAD, cost: u64): void {
  if (KiIsActivation(thread)) {
    KiTakeTime(prcb, cost, KPRCB.InterruptTime64);
    return;
  }
  const uncharged = (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.Uncharged) != 0;
  KiTakeTime(prcb, cost, uncharged ? KPRCB.OverheadTime64 : KPRCB.BusyTime64);
  if (!uncharged)
    store<u64>(thread, load<u64>(thread, KTHREAD.CycleTime64) + cost, KTHREAD.CycleTime64);
}

/** Asks the host; the step is taken again when it has answered. */
function KiStopForHost(
  prcb: PKPRCB,
  thread: PKTHREAD,
  request: HOST_REQUEST,
  number: u32,
  argument: u32,
): void {
  store<u32>(SYSTEM, STOP.Host, KSYSTEM.StopReason);
  store<u32>(SYSTEM, load<u32>(prcb, KPRCB.Number), KSYSTEM.StopProcessor);
  store<u32>(SYSTEM, KiContextIndex(thread), KSYSTEM.StopThread);
  store<u32>(SYSTEM, request, KSYSTEM.StopRequest);
  store<u32>(SYSTEM, number, KSYSTEM.StopNumber);
  store<u32>(SYSTEM, argument, KSYSTEM.StopArgument);
}

/** True once: the host has answered the last question. */
function KiTakeAnswer(): bool {
  const answered = load<u32>(SYSTEM, KSYSTEM.HostAnswered) != 0;
  store<u32>(SYSTEM, 0, KSYSTEM.HostAnswered);
  return answered;
}

/** Host calls and system calls: true if the host's answer was there. */
function KiCallHost(
  prcb: PKPRCB,
  thread: PKTHREAD,
  pc: usize,
  request: HOST_REQUEST,
  number: u32,
): bool {
  if (!KiTakeAnswer()) {
    KiStopForHost(prcb, thread, request, number, load<u32>(pc, 4));
    return false;
  }
  store<u32>(thread, load<u32>(SYSTEM, KSYSTEM.HostStatus), KTHREAD.WaitStatus);
  const event = request == HOST_REQUEST.HostCall ? EVENT.HostCall : EVENT.SystemCall;
  KiTraceCall(prcb, thread, event, number, load<u32>(pc, 4));
  return true;
}

function KiTraceCall(prcb: PKPRCB, thread: PKTHREAD, event: u32, number: u32, argument: u32): void {
  const processor = load<u32>(prcb, KPRCB.Number);
  KiTrace(event, processor, 0, KiThreadIndex(thread), number, argument, 0, 0);
}

/** The program that answers a system call of a thread; 0: its process's services or the host do. */
function KiSystemCallProgram(thread: PKTHREAD, number: u32): usize {
  if (number >= load<u32>(SYSTEM, KSYSTEM.SystemCallCount)) return 0;
  const process: usize = load<u32>(thread, KTHREAD.Process);
  if ((load<u32>(process, KPROCESS.Flags) & PROCESS_FLAG.Services) != 0) return 0;
  return load<u32>(<usize>load<u32>(SYSTEM, KSYSTEM.SystemCallBase) + (number << 2));
}

/** Lets a program answer a system call, in front of the thread; its length. */
function KiCallProgram(prcb: PKPRCB, thread: PKTHREAD, pc: usize, number: u32): u32 {
  KiTakeAnswer();
  KiTraceCall(prcb, thread, EVENT.SystemCall, number, load<u32>(pc, 4));
  if (!KiCanPushTrapFrame(thread)) {
    store<u32>(thread, STATUS.INSUFFICIENT_RESOURCES, KTHREAD.WaitStatus);
    return 8;
  }
  store<u32>(SYSTEM, <u32>KiSystemCallProgram(thread, number), KSYSTEM.CallFrame);
  return 8;
}

/** Whether the host has a say in what programs make. */
function KiHasLifecycle(): bool {
  return load<u32>(SYSTEM, KSYSTEM.Lifecycle) != 0;
}

/** Lets the host make a thread or a process, whose instruction is at `pc`; true if its answer was there. */
function KiCreateByHost(prcb: PKPRCB, thread: PKTHREAD, pc: usize): bool {
  if (!KiTakeAnswer()) {
    KiStopForHost(prcb, thread, HOST_REQUEST.Create, load<u32>(pc) & 0xff, <u32>pc);
    return false;
  }
  store<u32>(thread, load<u32>(SYSTEM, KSYSTEM.HostStatus), KTHREAD.WaitStatus);
  return true;
}

/**
 * One instruction that others could observe, at the step's time. `pc` is in the program or in the
 * host's answer.
 *
 * @returns the length of the instruction in bytes, 0 if the host must answer first.
 */
function KiInstruction(prcb: PKPRCB, thread: PKTHREAD, pc: usize, word: u32): u32 {
  const a = (word >> 8) & 0xff;
  const b = word >> 16;
  switch (<i32>(word & 0xff)) {
    case OP.Exit:
      if (KiIsActivation(thread)) KiEndActivation(thread);
      else if (KiIsInThreadedDpc(prcb, thread)) return KiEndThreadedDpc(prcb, thread, pc);
      else KiBeginExit(prcb, thread, load<u32>(pc, 4));
      return 8;
    case OP.Wait: {
      KiTakeWaitNext(prcb, thread);
      const object = KiOperand(thread, pc, a);
      if (object != 0) KiWait(prcb, thread, object, b, load<u64>(pc, 12));
      return 20;
    }
    case OP.SetEvent:
    case OP.PulseEvent:
    case OP.ResetEvent: {
      const event = KiEventOperand(thread, pc, a);
      if (event == 0) return 12;
      const increment = b & SIGNAL.Increment;
      let previous: i32;
      if ((word & 0xff) == <u32>OP.SetEvent) previous = KeSetEvent(prcb, event, increment);
      else if ((word & 0xff) == <u32>OP.PulseEvent) previous = KePulseEvent(prcb, event, increment);
      else previous = KeResetEvent(event);
      store<i32>(thread, previous, KTHREAD.WaitStatus);
      if ((b & SIGNAL.Wait) != 0) KiSetWaitNext(prcb, thread);
      return 12;
    }
    case OP.ReleaseSemaphore: {
      const semaphore = KiTypedOperand(thread, pc, a, KOBJECTS.SemaphoreObject);
      if (semaphore == 0) return 16;
      const increment = b & SIGNAL.Increment;
      const released = KiReleaseSemaphoreFrom(
        prcb,
        thread,
        semaphore,
        increment,
        load<i32>(pc, 12),
      );
      if (released && (b & SIGNAL.Wait) != 0) KiSetWaitNext(prcb, thread);
      return 16;
    }
    case OP.ReleaseSemaphoreRegister: {
      const semaphore = KiTypedOperand(thread, pc, a, KOBJECTS.SemaphoreObject);
      const adjustment = <i32>load<u64>(KiRegister(thread, b));
      if (semaphore != 0) {
        KiReleaseSemaphoreFrom(prcb, thread, semaphore, SIGNAL_INCREMENT, adjustment);
      }
      return 12;
    }
    case OP.Delay:
      KiDelay(prcb, thread, load<u64>(pc, 4), b & WAIT_FIELD.Modes);
      return 12;
    case OP.DelayUntil:
      KiDelayTo(prcb, thread, load<u64>(pc, 4), 0, 0);
      return 12;
    case OP.DelayPeriod: {
      const now = load<u64>(SYSTEM, KSYSTEM.Time64);
      KiDelayTo(prcb, thread, KiPeriodicDue(KiRegister(thread, a), now, load<u64>(pc, 4), b), 0, 0);
      return 12;
    }
    case OP.DelayShared: {
      const first = load<u64>(KiRegister(thread, a));
      KiDelayTo(prcb, thread, KiPeriodicDue(KiSharedWord(pc), first, load<u64>(pc, 8), b), 0, 0);
      return 16;
    }
    case OP.Yield:
      KiYield(prcb, thread);
      return 4;
    case OP.SetPriority:
      store<u32>(thread, KeSetPriorityThread(prcb, thread, b), KTHREAD.WaitStatus);
      return 4;
    case OP.SetBasePriority:
      store<i32>(
        thread,
        KeSetBasePriorityThread(prcb, thread, load<i32>(pc, 4)),
        KTHREAD.WaitStatus,
      );
      return 8;
    case OP.SetAffinity:
      KiSetOwnAffinity(prcb, thread, load<u64>(pc, 4));
      return 12;
    case OP.SetPriorityThread: {
      const named = KiThreadOperand(thread, pc, a);
      if (named == 0) return 12;
      store<u32>(thread, KeSetPriorityThread(prcb, named, b), KTHREAD.WaitStatus);
      return 12;
    }
    case OP.SetBasePriorityThread: {
      const named = KiThreadOperand(thread, pc, a);
      if (named == 0) return 16;
      const previous = KeSetBasePriorityThread(prcb, named, load<i32>(pc, 12));
      store<i32>(thread, previous, KTHREAD.WaitStatus);
      return 16;
    }
    case OP.SetAffinityThread: {
      const named = KiThreadOperand(thread, pc, a);
      if (named == 0) return 24;
      KiSetThreadAffinity(prcb, thread, named, load<u64>(pc, 12), load<u32>(pc, 20));
      return 24;
    }
    case OP.CreateThread:
      if (KiHasLifecycle()) return KiCreateByHost(prcb, thread, pc) ? 12 : 0;
      KiCreate(prcb, thread, pc, load<u32>(thread, KTHREAD.Process), load<i32>(pc, 8), a);
      return 12;
    case OP.CreateProcess:
      if (KiHasLifecycle()) return KiCreateByHost(prcb, thread, pc) ? 12 : 0;
      KiCreateProcess(prcb, thread, pc, a);
      return 12;
    case OP.HostCall:
      return KiCallHost(prcb, thread, pc, HOST_REQUEST.HostCall, b) ? 8 : 0;
    case OP.SystemCall:
      if (KiSystemCallProgram(thread, b) != 0) return KiCallProgram(prcb, thread, pc, b);
      return KiCallHost(prcb, thread, pc, HOST_REQUEST.SystemCall, b) ? 8 : 0;
    case OP.Mark:
      KiTrace(
        EVENT.Mark,
        load<u32>(prcb, KPRCB.Number),
        0,
        KiThreadIndex(thread),
        load<u32>(pc, 4),
        load<u32>(pc, 8),
        0,
        0,
      );
      return 12;
    case OP.InterlockedAdd:
      KiInterlockedAdd(thread, pc, a);
      return 12;
    case OP.InterlockedTake:
      KiInterlockedTake(thread, pc, a);
      return 12;
    case OP.SignalAndWait:
      KiSignalAndWait(prcb, thread, pc, a, b);
      return 28;
    case OP.WaitMultiple:
      KiTakeWaitNext(prcb, thread);
      return KiWaitMultiple(prcb, thread, pc, a, b);
    case OP.ReleaseMutant: {
      const mutant = KiTypedOperand(thread, pc, a, KOBJECTS.MutantObject);
      if (mutant == 0) return 12;
      const increment = b & SIGNAL.Increment;
      const abandons = (b & SIGNAL.Abandoned) != 0;
      if (abandons) KiAbandonMutant(prcb, thread, mutant, increment);
      const released = abandons || KeReleaseMutant(prcb, thread, mutant, increment);
      if (released && (b & SIGNAL.Wait) != 0) KiSetWaitNext(prcb, thread);
      return 12;
    }
    case OP.SetTimer: {
      KiSetTimer(prcb, thread, pc, a, b);
      return 32;
    }
    case OP.CancelTimer: {
      const timer = KiTimerOperand(thread, pc, a);
      if (timer != 0) store<u32>(thread, KeCancelTimer(timer) ? 1 : 0, KTHREAD.WaitStatus);
      return 12;
    }
    case OP.RaiseIrql:
      store<u32>(thread, KeRaiseIrql(prcb, b), KTHREAD.WaitStatus);
      return 4;
    case OP.LowerIrql:
      KeLowerIrql(prcb, b);
      return 4;
    case OP.ApcRegion:
      KiChangeApcRegion(thread, b, load<i32>(pc, 4));
      return 8;
    case OP.InsertQueueDpc: {
      const dpc = KiDpcOperand(thread, pc, a);
      if (dpc == 0) return 28;
      const queued = KeInsertQueueDpc(prcb, dpc, load<u64>(pc, 12), load<u64>(pc, 20));
      store<u32>(thread, queued ? 1 : 0, KTHREAD.WaitStatus);
      return 28;
    }
    case OP.RemoveQueueDpc: {
      const dpc = KiDpcOperand(thread, pc, a);
      if (dpc != 0) store<u32>(thread, KeRemoveQueueDpc(dpc) ? 1 : 0, KTHREAD.WaitStatus);
      return 12;
    }
    case OP.AcquireSpinLock: {
      const lock = KiSpinLockOperand(thread, pc, a);
      if (lock != 0) store<u32>(thread, KiAcquireSpinLock(prcb, lock, b), KTHREAD.WaitStatus);
      return 12;
    }
    case OP.ReleaseSpinLock: {
      const lock = KiSpinLockOperand(thread, pc, a);
      if (lock != 0) KiReleaseSpinLock(prcb, lock, b & 0xff, b >> 8);
      return 12;
    }
    case OP.ConvertSpinLock: {
      const lock = KiSpinLockOperand(thread, pc, a);
      if (lock != 0) store<u32>(thread, KiConvertSpinLock(prcb, lock) ? 1 : 0, KTHREAD.WaitStatus);
      return 12;
    }
    case OP.WaitGate:
    case OP.SignalGate:
    case OP.InsertQueue:
    case OP.RemoveQueue:
    case OP.SetEventBoostPriority:
      return KiQueueInstruction(prcb, thread, pc, word);
    case OP.InsertQueueApc:
    case OP.RemoveQueueApc:
    case OP.AlertThread:
    case OP.TestAlert:
    case OP.SuspendThread:
    case OP.ResumeThread:
    case OP.ExitThread:
    case OP.ReturnToUser:
    case OP.BeginThread:
    case OP.TerminateThread:
    case OP.AttachProcess:
    case OP.DetachProcess:
    case OP.AlertThreadById:
    case OP.WaitForAlertById:
    case OP.SuspendWait:
      return KiApcInstruction(prcb, thread, pc, word);
    case OP.LoadTime:
      store<u64>(KiRegister(thread, a), load<u64>(SYSTEM, KSYSTEM.Time64));
      return 4;
    case OP.Barrier: {
      const barrier = KiTypedOperand(thread, pc, a, KOBJECTS.BarrierObject);
      if (barrier != 0) store<u32>(thread, KiMeetAtBarrier(prcb, barrier, b), KTHREAD.WaitStatus);
      return 12;
    }
    case OP.HostRoutine:
      return 4;
    case OP.BalanceWait:
      KiBalanceWait(prcb, thread);
      return 4;
    case OP.BalanceScan:
      KiScanReadyQueues(prcb);
      return 4;
    case OP.SwapWait:
      KiSwapWait(prcb, thread);
      return 4;
    case OP.SwapIn:
      KiSwapIn(prcb);
      return 4;
    case OP.DpcWait:
      return KiTakeThreadedDpc(prcb, thread, pc);
    default:
      KiStopForHost(prcb, thread, HOST_REQUEST.Refill, 0, 0);
      return 0;
  }
}

function KiCostOf(opcode: i32): u64 {
  if (opcode == OP.SystemCall) return load<u32>(SYSTEM, KSYSTEM.CostSystemCall);
  if (opcode == OP.BalanceScan) return load<u32>(SYSTEM, KSYSTEM.CostBalance);
  if (opcode == OP.DpcWait) return load<u32>(SYSTEM, KSYSTEM.CostDpc);
  return load<u32>(SYSTEM, KSYSTEM.CostDdi);
}

/** Stops the machine for an instruction in an activation that is for threads alone. */
function KiIsMisplaced(prcb: PKPRCB, context: PKTHREAD, opcode: i32): bool {
  if (!KiIsActivation(context) || KiIsLocal(opcode) || KiIsAllowedInActivation(opcode))
    return false;
  const thread = load<u32>(prcb, KPRCB.CurrentThread);
  KeBugCheckEx(BUGCHECK.ATTEMPTED_SWITCH_FROM_DPC, thread, 0, 0, opcode);
  return true;
}

/** Asks the host for the next instruction of a host or port thread. */
function KiRequestInstruction(prcb: PKPRCB, thread: PKTHREAD, now: u64): void {
  const port = (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.Port) != 0;
  KiStopForHost(prcb, thread, port ? HOST_REQUEST.PortThread : HOST_REQUEST.HostThread, 0, 0);
  if (port) store<u64>(SYSTEM, KiBudget(prcb, now), KSYSTEM.StopBudget64);
}

/** Computing that the host asks for; its ns. */
function KiComputeForHost(thread: PKTHREAD, pc: usize, word: u32): u64 {
  KiTakeAnswer();
  if (KiIsPort(thread)) KiReturnToPort(thread);
  else KiSetMode(thread, (word >> 8) & 0xff);
  return KiComputeTime(thread, pc, <i32>(word & 0xff)) + KiTakeHostCost();
}

/** Whether a thread runs a routine in front of what it was made for. */
function KiIsInFrame(thread: PKTHREAD): bool {
  return (load<u32>(thread, KTHREAD.Flags) & THREAD_FLAG.TrapFrame) != 0;
}

/**
 * The call just made, whose instruction is at `pc`, is answered by a routine in front of the thread: the
 * host's, or a program, whose first registers get argument and number.
 */
function KiEnterCall(prcb: PKPRCB, thread: PKTHREAD, pc: usize): void {
  const routine: usize = load<u32>(SYSTEM, KSYSTEM.CallFrame);
  if (routine == 0) return;
  store<u32>(SYSTEM, 0, KSYSTEM.CallFrame);
  if (KiPushTrapFrame(prcb, thread, FRAME.Call) == 0) return;
  if (routine != 1) {
    store<u64>(KiRegister(thread, 0), <u64>load<u32>(pc, 4));
    store<u64>(KiRegister(thread, 1), <u64>(load<u32>(pc) >> 16));
    store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
  }
  KiEnterFrame(prcb, thread, routine, load<u32>(prcb, KPRCB.Irql), false);
}

/**
 * How far a port thread may run: to the next interrupt, its own or one that another could send, and not
 * past the end of the run by more than it takes to be past it.
 */
export function KiBudget(prcb: PKPRCB, now: u64): u64 {
  const others = HalOthersTime(load<u32>(prcb, KPRCB.Number));
  let until = load<u64>(prcb, KPRCB.NextInterrupt64);
  if (others != NEVER) until = min<u64>(until, others + load<u32>(SYSTEM, KSYSTEM.IpiLatency));
  if (load<u32>(prcb, KPRCB.InFlight) != 0) until = max<u64>(until, load<u64>(prcb, KPRCB.RunTo64));
  until = KiBounded(until);
  return until > now ? until - now : 1;
}

/** Whether the host has had a say in an instruction. */
function KiIsAnswered(hosted: bool, opcode: i32): bool {
  if (hosted || opcode == OP.SystemCall) return true;
  return opcode == OP.CreateThread || opcode == OP.CreateProcess;
}

/** Ns by which what the host does takes longer; they are asked for once. */
function KiTakeHostCost(): u64 {
  const cost = load<u32>(SYSTEM, KSYSTEM.HostCost);
  store<u32>(SYSTEM, 0, KSYSTEM.HostCost);
  return cost;
}

/** Whether a context is advanced by a port: how its run is cut is no matter of the history. */
export function KiIsPort(context: PKTHREAD): bool {
  return (load<u32>(context, KTHREAD.Flags) & THREAD_FLAG.Port) != 0;
}

/** Ends an instruction that takes `cost`, of a thread that goes on or has left its processor. */
function KiEndInstruction(prcb: PKPRCB, thread: PKTHREAD, cost: u64): void {
  if (load<u32>(thread, KTHREAD.State) == KTHREAD_STATE.Running) KiPay(prcb, thread, cost);
  else KiPayAndLeave(prcb, thread, cost);
}

/** What executing a thread came to. */
export const enum EXECUTED {
  Step = 0,
  /** The host must answer first; nothing has changed. */
  Host = 1,
  /** A port thread has come further, and goes on: no step. */
  Cut = 2,
}

/**
 * The turn of a worker port's thread.
 *
 * @returns Cut: it is in flight; Host: the host is to say what its stop means; Step: what it asks for is
 *   the instruction, which needs no host.
 */
function KiExecutePort(prcb: PKPRCB, thread: PKTHREAD, now: u64): EXECUTED {
  const context: usize = load<u32>(thread, KTHREAD.ProgramBase);
  const reason = load<u32>(context, PORT_CONTEXT.Reason);
  if (reason == PORT_STOP.Budget) {
    KiReturnToPort(thread);
    KiTakeOff(prcb, thread, now);
    return EXECUTED.Cut;
  }
  const number = load<u32>(context, PORT_CONTEXT.Number);
  if (reason != PORT_STOP.SystemCall || KiSystemCallProgram(thread, number) == 0)
    return EXECUTED.Host;
  store<u32>(context, PORT_STOP.Budget, PORT_CONTEXT.Reason);
  store<u32>(SYSTEM, OP.SystemCall | (number << 16), KSYSTEM.HostInstruction);
  store<u32>(SYSTEM, load<u32>(context, PORT_CONTEXT.Argument64), KSYSTEM.HostInstruction + 4);
  return EXECUTED.Step;
}

/**
 * Advances the running thread by one step, at the time its computing ended: by its program's
 * instruction, or one that the host has given.
 */
export function KiExecuteThread(prcb: PKPRCB, thread: PKTHREAD, now: u64): EXECUTED {
  const hosted = (load<u32>(thread, KTHREAD.Flags) & HOSTED) != 0;
  if (hosted && load<u32>(SYSTEM, KSYSTEM.HostAnswered) == 0) {
    const executed = KiHasPortContext(thread) ? KiExecutePort(prcb, thread, now) : EXECUTED.Host;
    if (executed == EXECUTED.Host) KiRequestInstruction(prcb, thread, now);
    if (executed != EXECUTED.Step) return executed;
  }
  let pc: usize = hosted
    ? SYSTEM + KSYSTEM.HostInstruction
    : load<u32>(thread, KTHREAD.ProgramCounter);
  let word = load<u32>(pc);
  if (!KiIsSimple(<i32>(word & 0xff)) && KiIsLocal(<i32>(word & 0xff))) {
    const time = hosted ? KiComputeForHost(thread, pc, word) : KiFetch(thread);
    if (time != 0 || hosted) {
      store<u64>(prcb, now + time, KPRCB.ResumeTime64);
      return hosted && KiIsPort(thread) ? EXECUTED.Cut : EXECUTED.Step;
    }
    pc = load<u32>(thread, KTHREAD.ProgramCounter);
    word = load<u32>(pc);
  }
  const opcode = <i32>(word & 0xff);
  if (KiIsMisplaced(prcb, thread, opcode)) return EXECUTED.Step;
  const simple = !hosted && KiIsSimple(opcode);
  if (!simple) {
    // A host or system call was answered by the host together with the instruction itself.
    if (hosted && opcode != OP.HostCall && opcode != OP.SystemCall) KiTakeAnswer();
    if (hosted && KiIsPort(thread)) KiNoteProgress();
    if (opcode == OP.Exit && KiIsInFrame(thread)) {
      KiReturnFromFrame(prcb, thread, load<u32>(pc, 4));
      return EXECUTED.Step;
    }
  }
  const length = KiInstruction(prcb, thread, pc, word);
  if (length == 0) return EXECUTED.Host;
  if (!hosted) store<u32>(thread, <u32>(pc + length), KTHREAD.ProgramCounter);
  let cost: u64 = load<u32>(SYSTEM, KSYSTEM.CostDdi);
  if (!simple) {
    if ((opcode == OP.AcquireSpinLock || opcode == OP.Barrier) && KiIsSpinning(prcb)) {
      store<u64>(prcb, NEVER, KPRCB.ResumeTime64);
      return EXECUTED.Step;
    }
    cost = KiCostOf(opcode) + (KiIsAnswered(hosted, opcode) ? KiTakeHostCost() : 0);
  }
  KiEndInstruction(prcb, thread, cost);
  if (!simple) KiEnterCall(prcb, thread, pc);
  return EXECUTED.Step;
}

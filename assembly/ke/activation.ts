import {
  HalSetInterruptTime,
  HalSetIrql,
  KeGetPrcb,
  NEVER,
  PKOBJECT,
  PKPRCB,
  PKTHREAD,
  SYSTEM,
} from '../hal';
import { RtlMix64 } from '../rtl';
import { BUGCHECK } from '../shared/bugcheck';
import { KACTIVATION, KPRCB, KSYSTEM, KTHREAD } from '../shared/layout';
import { OP } from '../shared/opcode';
import { ACTIVATION, KTHREAD_STATE, THREAD_FLAG } from '../shared/types';
import { KeBugCheckEx } from './bugcheck';
import { KiNextTick } from './clock';
import { KiCheckDpcRoutine } from './dpc';
import { KiThreadIndex } from './object';
import { KiReleaseInterruptLock } from './spinlock';

/**
 * Activations: routines that run on a processor in front of its current thread, at a level of
 * DISPATCH_LEVEL or above, on the time of interrupts. Each interrupts what is below its level, and
 * the interrupted goes on when it returns. Per processor there is at most one a level.
 *
 * An activation is executed as a thread is, and has a row like a thread's; the current thread stays
 * the current thread.
 */

const LEVELS: u32 = ACTIVATION.Levels;
const ROW: u32 = KTHREAD.Size;

function KiActivationBase(): usize {
  return load<u32>(SYSTEM, KSYSTEM.ActivationBase);
}

/** What executes on the processor: an activation, or its current thread; 0 if it is idle. */
export function KiCurrentContext(prcb: PKPRCB): PKTHREAD {
  const activation: usize = load<u32>(prcb, KPRCB.Activation);
  return activation != 0 ? activation : <usize>load<u32>(prcb, KPRCB.CurrentThread);
}

/** Whether a context is an activation, not a thread. */
export function KiIsActivation(context: PKTHREAD): bool {
  return load<u32>(context, KTHREAD.Type) == 0;
}

/** Where it is noted what the context on a processor spins for: its own row, or for a thread that of level 0. */
export function KiSpinNode(prcb: PKPRCB): usize {
  const activation: usize = load<u32>(prcb, KPRCB.Activation);
  if (activation != 0) return activation;
  return KiActivationBase() + load<u32>(prcb, KPRCB.Number) * LEVELS * ROW;
}

/** The processor of a row of activations. */
export function KiSpinNodePrcb(node: usize): PKPRCB {
  return KeGetPrcb(<u32>(node - KiActivationBase()) / (ROW * LEVELS));
}

/** How the host is told of a context: a thread's index, or processor and level. */
export function KiContextIndex(context: PKTHREAD): u32 {
  if (!KiIsActivation(context)) return KiThreadIndex(context);
  return ACTIVATION.Mark | (<u32>(context - KiActivationBase()) / ROW);
}

/**
 * Lets a routine run now, at `level`: a program whose first registers get the arguments, or, with a
 * program of 0, a routine of the host's. `cost` ns pass before its first instruction.
 */
export function KiBeginActivation(
  prcb: PKPRCB,
  level: u32,
  object: PKOBJECT,
  program: usize,
  cost: u64,
): PKTHREAD {
  const number = load<u32>(prcb, KPRCB.Number);
  const activation = KiActivationBase() + (number * LEVELS + level) * ROW;
  const resume = load<u64>(prcb, KPRCB.ResumeTime64);
  const now = load<u64>(prcb, KPRCB.ChargeTime64);
  store<u32>(activation, load<u32>(prcb, KPRCB.Activation), KACTIVATION.Previous);
  store<u32>(activation, load<u32>(prcb, KPRCB.Irql), KACTIVATION.PreviousIrql);
  store<u64>(activation, resume == NEVER ? NEVER : resume - now, KACTIVATION.Left64);
  store<u32>(activation, <u32>object, KACTIVATION.Object);
  store<u32>(activation, 0, KACTIVATION.Dpc);
  store<u32>(activation, KTHREAD_STATE.Running, KTHREAD.State);
  store<u32>(activation, program == 0 ? THREAD_FLAG.Host : 0, KTHREAD.Flags);
  store<u32>(activation, 0, KTHREAD.WaitStatus);
  store<u32>(activation, <u32>program, KTHREAD.ProgramBase);
  store<u32>(activation, <u32>program, KTHREAD.ProgramCounter);
  const steps = load<u64>(SYSTEM, KSYSTEM.Steps64);
  store<u64>(
    activation,
    RtlMix64(load<u64>(SYSTEM, KSYSTEM.Seed64) + steps),
    KTHREAD.RandomState64,
  );
  store<u32>(prcb, <u32>activation, KPRCB.Activation);
  store<u64>(prcb, now + cost, KPRCB.ResumeTime64);
  HalSetIrql(prcb, level);
  // An idle processor has no ticks of its own; what runs on it now is watched by them.
  if (load<u32>(prcb, KPRCB.CurrentThread) == 0) {
    HalSetInterruptTime(prcb, KPRCB.TickTime64, KiNextTick());
  }
  return activation;
}

/** Stops the machine if a routine returns at another level than it was called at. */
function KiCheckRoutineIrql(prcb: PKPRCB, activation: PKTHREAD, isDpc: bool): void {
  const level = load<u32>(prcb, KPRCB.Irql);
  const expected = (<u32>(activation - KiActivationBase()) / ROW) % LEVELS;
  if (level == expected) return;
  if (isDpc) {
    const dpc = load<u32>(activation, KACTIVATION.Object);
    KeBugCheckEx(BUGCHECK.IRQL_NOT_DISPATCH_LEVEL, level, dpc, 0, 0);
    return;
  }
  const levels = (level << 16) | (expected << 8) | SERVICE_ROUTINE;
  KeBugCheckEx(BUGCHECK.IRQL_UNEXPECTED_VALUE, levels, 0, 0, 0);
}

/** What IRQL_UNEXPECTED_VALUE calls an interrupt service routine. */
const SERVICE_ROUTINE: u32 = 3;

/** What a service routine held is free; what a routine must leave as it was is looked at. */
function KiLeaveRoutine(prcb: PKPRCB, activation: PKTHREAD): void {
  const object: PKOBJECT = load<u32>(activation, KACTIVATION.Object);
  const dpc = load<u32>(activation, KACTIVATION.Dpc);
  KiCheckRoutineIrql(prcb, activation, dpc != 0);
  if (dpc == 0) {
    KiReleaseInterruptLock(prcb, object);
    return;
  }
  const thread: PKTHREAD = load<u32>(prcb, KPRCB.CurrentThread);
  if (thread == 0) return;
  const before = load<u32>(activation, KTHREAD.CombinedApcDisable);
  KiCheckDpcRoutine(dpc, object, before, load<u32>(thread, KTHREAD.CombinedApcDisable));
}

/** Returns from a routine to what it interrupted; the step's end sees to what was held off. */
export function KiEndActivation(activation: PKTHREAD): void {
  const prcb = KiSpinNodePrcb(activation);
  const left = load<u64>(activation, KACTIVATION.Left64);
  const now = load<u64>(prcb, KPRCB.ChargeTime64);
  store<u32>(activation, KTHREAD_STATE.Terminated, KTHREAD.State);
  store<u32>(prcb, load<u32>(activation, KACTIVATION.Previous), KPRCB.Activation);
  store<u64>(prcb, left == NEVER ? NEVER : now + left, KPRCB.ResumeTime64);
  KiLeaveRoutine(prcb, activation);
  HalSetIrql(prcb, load<u32>(activation, KACTIVATION.PreviousIrql));
}

/** Whether an instruction makes sense outside a thread: it neither blocks nor is about the thread itself. */
export function KiIsAllowedInActivation(opcode: i32): bool {
  switch (opcode) {
    case OP.Exit:
    case OP.Wait:
    case OP.SetEvent:
    case OP.ResetEvent:
    case OP.PulseEvent:
    case OP.SetEventBoostPriority:
    case OP.SignalGate:
    case OP.InsertQueue:
    case OP.ReleaseSemaphore:
    case OP.ReleaseSemaphoreRegister:
    case OP.HostCall:
    case OP.Mark:
    case OP.InterlockedAdd:
    case OP.InterlockedTake:
    case OP.WaitMultiple:
    case OP.SetTimer:
    case OP.CancelTimer:
    case OP.RaiseIrql:
    case OP.LowerIrql:
    case OP.LoadTime:
    case OP.InsertQueueApc:
    case OP.RemoveQueueApc:
    case OP.AlertThread:
    case OP.ResumeThread:
    case OP.InsertQueueDpc:
    case OP.RemoveQueueDpc:
    case OP.AcquireSpinLock:
    case OP.ReleaseSpinLock:
    case OP.ConvertSpinLock:
    case OP.Barrier:
    case OP.HostRoutine:
      return true;
    default:
      return false;
  }
}

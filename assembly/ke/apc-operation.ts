import { PKOBJECT, PKPRCB, PKTHREAD } from '../hal';
import { KTHREAD } from '../shared/layout';
import { LIMIT } from '../shared/limits';
import { OP } from '../shared/opcode';
import { STATUS } from '../shared/status';
import { KOBJECTS, THREAD_FLAG } from '../shared/types';
import { KeAlertThread, KeInsertQueueApc, KeRemoveQueueApc, KeTestAlertThread } from './apc';
import { KeStackAttachProcess, KeUnstackDetachProcess } from './attach';
import { KiRequestApcCheck } from './frame';
import { KiRaiseStatus } from './mutant';
import { KiThreadExtension } from './object';
import { KiNoteTimeout, KiTypedOperand } from './operation';
import {
  KeResumeThread,
  KeSuspendThread,
  KiAlertThreadById,
  KiSuspendWait,
  KiTerminateThread,
  KiWaitForAlertById,
} from './suspend';
import { KiBeginExit } from './thread';
import { KiRefuseInThreadedDpc } from './threaded-dpc';

/** The instructions on APCs, suspension and the ends of threads. */

/** The extension of a thread that an operation is on, or 0 with STATUS_INSUFFICIENT_RESOURCES raised. */
function KiNeedExtension(thread: PKTHREAD, named: PKTHREAD): usize {
  const extension = KiThreadExtension(named);
  if (extension == 0) KiRaiseStatus(thread, STATUS.INSUFFICIENT_RESOURCES);
  return extension;
}

function KiInsertApcFrom(prcb: PKPRCB, thread: PKTHREAD, pc: usize, a: u32, b: u32): void {
  const apc = KiTypedOperand(thread, pc, a, KOBJECTS.ApcObject);
  if (apc == 0) return;
  const queued = KeInsertQueueApc(prcb, apc, load<u64>(pc, 12), load<u64>(pc, 20), b);
  store<u32>(thread, queued ? 1 : 0, KTHREAD.WaitStatus);
}

/** An operation on another thread, which has an extension. */
function KiThreadInstruction(
  prcb: PKPRCB,
  thread: PKTHREAD,
  named: PKTHREAD,
  extension: usize,
  pc: usize,
  word: u32,
): void {
  let status: u32 = STATUS.SUCCESS;
  switch (<i32>(word & 0xff)) {
    case OP.AlertThread:
      status = KeAlertThread(prcb, named, extension, word >> 16) ? 1 : 0;
      break;
    case OP.SuspendThread:
      status = KeSuspendThread(prcb, named, extension);
      if (status == <u32>LIMIT.SuspendCount) {
        KiRaiseStatus(thread, STATUS.SUSPEND_COUNT_EXCEEDED);
        return;
      }
      break;
    case OP.ResumeThread:
      status = KeResumeThread(prcb, extension);
      break;
    case OP.TerminateThread: {
      const asked = KiTerminateThread(prcb, named, extension, load<u32>(pc, 12));
      if (!asked) status = STATUS.THREAD_IS_TERMINATING;
      break;
    }
    default:
      KiAlertThreadById(prcb, extension);
  }
  store<u32>(thread, status, KTHREAD.WaitStatus);
}

function KiAttachFrom(thread: PKTHREAD, process: PKOBJECT): void {
  const extension = KiNeedExtension(thread, thread);
  if (extension == 0) return;
  if (KeStackAttachProcess(extension, process)) {
    store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
  } else {
    KiRaiseStatus(thread, STATUS.INSUFFICIENT_RESOURCES);
  }
}

/** One of them; its length in bytes. */
export function KiApcInstruction(prcb: PKPRCB, thread: PKTHREAD, pc: usize, word: u32): u32 {
  const a = (word >> 8) & 0xff;
  const b = word >> 16;
  switch (<i32>(word & 0xff)) {
    case OP.InsertQueueApc:
      KiInsertApcFrom(prcb, thread, pc, a, b);
      return 28;
    case OP.RemoveQueueApc: {
      const apc = KiTypedOperand(thread, pc, a, KOBJECTS.ApcObject);
      if (apc != 0) store<u32>(thread, KeRemoveQueueApc(apc) ? 1 : 0, KTHREAD.WaitStatus);
      return 12;
    }
    case OP.TestAlert:
      store<u32>(thread, KeTestAlertThread(thread, b) ? 1 : 0, KTHREAD.WaitStatus);
      return 4;
    case OP.ExitThread:
      if (!KiRefuseInThreadedDpc(prcb, thread)) KiBeginExit(prcb, thread, load<u32>(pc, 4));
      return 8;
    case OP.ReturnToUser: {
      const kernel = THREAD_FLAG.KernelCall | THREAD_FLAG.KernelCompute;
      store<u32>(thread, load<u32>(thread, KTHREAD.Flags) & ~kernel, KTHREAD.Flags);
      KiRequestApcCheck(prcb);
      return 4;
    }
    case OP.BeginThread: {
      const first = THREAD_FLAG.Host | THREAD_FLAG.KernelCompute;
      const flags = load<u32>(thread, KTHREAD.Flags) & ~first;
      store<u32>(thread, flags | load<u32>(pc, 4), KTHREAD.Flags);
      KiRequestApcCheck(prcb);
      return 8;
    }
    case OP.AttachProcess: {
      const process = KiTypedOperand(thread, pc, a, KOBJECTS.ProcessObject);
      if (process != 0 && !KiRefuseInThreadedDpc(prcb, thread)) KiAttachFrom(thread, process);
      return 12;
    }
    case OP.DetachProcess:
      KeUnstackDetachProcess(prcb, thread);
      return 4;
    case OP.WaitForAlertById: {
      const extension = KiNeedExtension(thread, thread);
      if (extension == 0) return 12;
      KiWaitForAlertById(prcb, thread, extension, load<u64>(pc, 4));
      KiNoteTimeout(load<u64>(pc, 4));
      return 12;
    }
    case OP.SuspendWait:
      KiSuspendWait(prcb, thread);
      return 4;
    default: {
      const length: u32 = (word & 0xff) == <u32>OP.TerminateThread ? 16 : 12;
      const named = KiTypedOperand(thread, pc, a, KOBJECTS.ThreadObject);
      if (named == 0) return length;
      const extension = KiNeedExtension(thread, named);
      if (extension != 0) KiThreadInstruction(prcb, thread, named, extension, pc, word);
      return length;
    }
  }
}

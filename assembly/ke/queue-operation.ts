import { PKPRCB, PKTHREAD } from '../hal';
import { KTHREAD } from '../shared/layout';
import { OP, QUEUE, WAIT_FIELD } from '../shared/opcode';
import { STATUS } from '../shared/status';
import { KOBJECTS } from '../shared/types';
import { KiIsActivation } from './activation';
import { KeSetEventBoostPriority } from './event';
import { KeSignalGateBoostPriority, KeWaitForGate } from './gate';
import { KiRaiseStatus } from './mutant';
import { KiNoteTimeout, KiRegister, KiTypedOperand } from './operation';
import { KeInsertQueue, KeRemoveQueue } from './queue';

/** The instructions on gates and queues. */

/** The priority that a thread gives to whom it wakes: none, if it is no thread. */
function KiWakerPriority(thread: PKTHREAD): u32 {
  return KiIsActivation(thread) ? 0 : load<u32>(thread, KTHREAD.Priority);
}

function KiInsertQueueFrom(prcb: PKPRCB, thread: PKTHREAD, pc: usize, a: u32, b: u32): void {
  const queue = KiTypedOperand(thread, pc, a, KOBJECTS.QueueObject);
  if (queue == 0) return;
  let value = load<u64>(pc, 12);
  if ((b & QUEUE.Register) != 0) value = load<u64>(KiRegister(thread, <u32>value));
  const previous = KeInsertQueue(
    prcb,
    queue,
    value,
    (b & QUEUE.Head) != 0,
    b >> QUEUE.PriorityShift,
  );
  if (previous < 0) KiRaiseStatus(thread, STATUS.INSUFFICIENT_RESOURCES);
  else store<i32>(thread, previous, KTHREAD.WaitStatus);
}

/** One of them; its length in bytes. */
export function KiQueueInstruction(prcb: PKPRCB, thread: PKTHREAD, pc: usize, word: u32): u32 {
  const a = (word >> 8) & 0xff;
  const b = word >> 16;
  switch (<i32>(word & 0xff)) {
    case OP.WaitGate: {
      const gate = KiTypedOperand(thread, pc, a, KOBJECTS.GateObject);
      if (gate != 0) KeWaitForGate(prcb, thread, gate, b & WAIT_FIELD.Reason, b & WAIT_FIELD.Modes);
      return 12;
    }
    case OP.SignalGate: {
      const gate = KiTypedOperand(thread, pc, a, KOBJECTS.GateObject);
      if (gate == 0) return 12;
      KeSignalGateBoostPriority(prcb, gate, KiWakerPriority(thread));
      store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
      return 12;
    }
    case OP.SetEventBoostPriority: {
      const event = KiTypedOperand(thread, pc, a, KOBJECTS.EventSynchronizationObject);
      if (event == 0) return 12;
      KeSetEventBoostPriority(prcb, event, KiWakerPriority(thread));
      store<u32>(thread, STATUS.SUCCESS, KTHREAD.WaitStatus);
      return 12;
    }
    case OP.InsertQueue:
      KiInsertQueueFrom(prcb, thread, pc, a, b);
      return 20;
    default: {
      const queue = KiTypedOperand(thread, pc, a, KOBJECTS.QueueObject);
      if (queue != 0) {
        KeRemoveQueue(prcb, thread, queue, b & 0xff, b & WAIT_FIELD.Modes, load<u64>(pc, 12));
        KiNoteTimeout(load<u64>(pc, 12));
      }
      return 20;
    }
  }
}

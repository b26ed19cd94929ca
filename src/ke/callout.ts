import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { KTHREAD } from '../../assembly/shared/layout';
import { APC_REGION, OP } from '../../assembly/shared/opcode';
import { isGenerator } from '../machine/generator';
import { encode } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import type { KThread } from '../machine/views';
import { VerifierError } from './call';
import type { KernelCode } from './mode';

/** Calls of drivers' routines by the kernel, which holds them to what they must leave as they found it. */

/** Stops the machine if a routine has not left level and APC state as it found them. */
function verify(machine: Machine, thread: KThread, name: string, irql: number, apcs: number): void {
  const level = machine.irql();
  const left = machine.memory.u32(thread.address + KTHREAD.CombinedApcDisable);
  if (level === irql && left === apcs) return;
  if (level !== irql) {
    machine.bugCheck(BUGCHECK.IRQL_UNEXPECTED_VALUE, (level << 16) | (irql << 8));
    throw new VerifierError(`${name} returned at IRQL ${level}; it was called at ${irql}`);
  }
  machine.bugCheck(BUGCHECK.APC_INDEX_MISMATCH, 0, 0, left);
  throw new VerifierError(
    `${name} returned with APC disable counts 0x${left.toString(16)}; it was called with 0x${apcs.toString(16)}. Leave every region that it enters, release every mutex`,
  );
}

/** Calls a routine, generator or not; `name` is for reports. */
export function* callDriverRoutine(
  thread: KThread,
  name: string,
  routine: () => unknown,
): KernelCode<unknown> {
  const { machine } = thread;
  const irql = machine.irql();
  const apcs = machine.memory.u32(thread.address + KTHREAD.CombinedApcDisable);
  const running = routine();
  const value = isGenerator(running) ? yield* running : running;
  verify(machine, thread, name, irql, apcs);
  return value;
}

/** Runs `body` in a critical region of the kernel's own: no normal kernel-mode APCs come meanwhile. */
export function* inCriticalRegion(thread: KThread, body: () => KernelCode<void>): KernelCode<void> {
  thread.machine.core.hostApcRegion(thread.address, APC_REGION.Critical, -1);
  yield* body();
  yield [encode(OP.ApcRegion, 0, APC_REGION.Critical), 1];
}

import { OP } from '../../assembly/shared/opcode';
import { MachineError } from '../machine/errors';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import { FAULT_CALL } from '../machine/user-context';
import type { KThread } from '../machine/views';

/** What a host thread of a pico process does in place of the instruction `syscall`, and of one that faults. */

/**
 * Makes a system call of the calling host thread's subsystem: up to six arguments, signed 64-bit
 * numbers, go to rdi, rsi, rdx, r10, r8 and r9.
 *
 * @returns what the provider left in rax.
 */
export function picoSystemCall(
  number: number,
  rdi = 0,
  rsi = 0,
  rdx = 0,
  r10 = 0,
  r8 = 0,
  r9 = 0,
): NtCall<number> {
  requireInteger('picoSystemCall: number', number, 0, 0xffff);
  return new NtCall('picoSystemCall', () => make(number, rdi, rsi, rdx, r10, r8, r9));
}

type PicoThread = KThread & { readonly userRegisters: NonNullable<KThread['userRegisters']> };

const isPico = (thread: KThread): thread is PicoThread =>
  thread.userRegisters !== undefined && thread.process.systemServices !== undefined;

function picoThread(routine: string): PicoThread {
  const { thread } = currentGuest(routine);
  if (isPico(thread)) return thread;
  throw new MachineError(
    `${routine}: thread '${thread.name}' is of no pico process; its provider makes one with CreateThread`,
  );
}

function* make(
  number: number,
  rdi: number,
  rsi: number,
  rdx: number,
  r10: number,
  r8: number,
  r9: number,
): Generator<Request, number, number> {
  const thread = picoThread('picoSystemCall');
  const { userRegisters: registers } = thread;
  registers.rdi = rdi;
  registers.rsi = rsi;
  registers.rdx = rdx;
  registers.r10 = r10;
  registers.r8 = r8;
  registers.r9 = r9;
  const status = yield [encode(OP.SystemCall, 0, number), rdi >>> 0];
  const { rax } = registers;
  // Whatever it did last in kernel mode, it is back in user mode now: a signal or its end may wait for that.
  if (thread.leaveKernel()) yield [encode(OP.ReturnToUser)];
  return rax >>> 0 === status ? rax : status | 0;
}

/** EXCEPTION_MAXIMUM_PARAMETERS. */
const INFORMATION_MAX = 15;

/**
 * Faults in user mode: an exception of the calling host thread with an NTSTATUS goes to its subsystem's
 * provider. It returns when that has handled it, with a signal's handler run if that is what it came
 * to; else the process ends with the status. `information` is ExceptionInformation, at most 15 numbers:
 * of STATUS_ACCESS_VIOLATION what was tried (0 read, 1 write, 8 execute), and the address.
 */
export function picoFault(status: number, information?: readonly number[]): NtCall<void> {
  requireInteger('picoFault: status', status >>> 0, 1, 0xffffffff);
  if (information !== undefined && information.length > INFORMATION_MAX)
    throw new MachineError(
      `picoFault: information has ${information.length} numbers; give at most ${INFORMATION_MAX}`,
    );
  return new NtCall('picoFault', () => fault(status, information));
}

function* fault(
  status: number,
  information: readonly number[] | undefined,
): Generator<Request, void, number> {
  const thread = picoThread('picoFault');
  thread.faultInformation = information;
  yield [encode(OP.HostCall, 0, FAULT_CALL), status >>> 0];
  if (thread.leaveKernel()) yield [encode(OP.ReturnToUser)];
}

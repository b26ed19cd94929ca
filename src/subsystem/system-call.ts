import { OP } from '../../assembly/shared/opcode';
import { MachineError } from '../machine/errors';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import { requireInteger } from '../machine/profile';

/** What a host thread of a pico process does in place of the instruction `syscall`. */

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

function* make(
  number: number,
  rdi: number,
  rsi: number,
  rdx: number,
  r10: number,
  r8: number,
  r9: number,
): Generator<Request, number, number> {
  const { thread } = currentGuest('picoSystemCall');
  const { userRegisters: registers } = thread;
  if (registers === undefined || thread.process.systemServices === undefined) {
    throw new MachineError(
      `picoSystemCall: thread '${thread.name}' is of no pico process; its provider makes one with CreateThread`,
    );
  }
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

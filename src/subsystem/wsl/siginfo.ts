import { STATUS } from '../../../assembly/shared/status';
import { SIG } from './abi';

/** What a signal says besides its number. */

/** si_code. */
export const enum SI {
  USER = 0,
  TKILL = -6,
  KERNEL = 0x80,
  /** Of SIGCHLD. */
  CLD_EXITED = 1,
  CLD_KILLED = 2,
  CLD_STOPPED = 5,
  CLD_CONTINUED = 6,
  /** Of SIGILL, SIGFPE, SIGSEGV, SIGBUS and SIGTRAP. */
  ILL_ILLOPN = 2,
  FPE_INTDIV = 1,
  FPE_INTOVF = 2,
  FPE_FLTDIV = 3,
  FPE_FLTOVF = 4,
  FPE_FLTUND = 5,
  FPE_FLTRES = 6,
  FPE_FLTINV = 7,
  SEGV_MAPERR = 1,
  SEGV_BNDERR = 3,
  BUS_ADRALN = 1,
  BUS_ADRERR = 2,
  TRAP_BRKPT = 1,
  TRAP_TRACE = 2,
}

/** siginfo_t, as far as its kind has it. */
export interface SignalInfo {
  readonly signal: number;
  /** SI, or one of the signal's own. */
  readonly code: number;
  /** Who sent it, or the child. */
  readonly pid?: number;
  /** Of SIGCHLD: the exit code, or the signal that ended it. */
  readonly status?: number;
  /** Of a fault. */
  readonly address?: number;
}

/** sizeof(siginfo_t). */
export const SIGINFO_BYTES = 128;

/** The bytes of a siginfo_t on x86-64; everybody is root. */
export function encodeSigInfo({ signal, code, pid, status, address }: SignalInfo): Uint8Array {
  const bytes = new Uint8Array(SIGINFO_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, signal, true);
  view.setInt32(8, code, true);
  if (pid !== undefined) view.setInt32(16, pid, true);
  if (status !== undefined) view.setInt32(24, status, true);
  if (address !== undefined) view.setBigUint64(16, BigInt.asUintN(64, BigInt(address)), true);
  return bytes;
}

/** What wait4 tells of a child that a signal has stopped. */
export const stoppedStatus = (signal: number) => (signal << 8) | 0x7f;

/** What it tells of one that goes on. */
export const CONTINUED_STATUS = 0xffff;

function childState(status: number): Pick<SignalInfo, 'code' | 'status'> {
  if (status === CONTINUED_STATUS) return { code: SI.CLD_CONTINUED, status: SIG.CONT };
  const low = status & 0x7f;
  if (low === 0x7f) return { code: SI.CLD_STOPPED, status: status >> 8 };
  return low === 0
    ? { code: SI.CLD_EXITED, status: status >> 8 }
    : { code: SI.CLD_KILLED, status: low };
}

/** What is told of a child by what wait4 tells of it. */
export function childInfo(pid: number, status: number): SignalInfo {
  return { signal: SIG.CHLD, pid, ...childState(status) };
}

/** The signals that exceptions of the processor are; what is not here is SIGSEGV. */
const FAULTS: ReadonlyMap<number, readonly [SIG, SI]> = new Map<number, readonly [SIG, SI]>([
  [STATUS.ILLEGAL_INSTRUCTION, [SIG.ILL, SI.ILL_ILLOPN]],
  [STATUS.PRIVILEGED_INSTRUCTION, [SIG.SEGV, SI.KERNEL]],
  [STATUS.INTEGER_DIVIDE_BY_ZERO, [SIG.FPE, SI.FPE_INTDIV]],
  [STATUS.INTEGER_OVERFLOW, [SIG.FPE, SI.FPE_INTOVF]],
  [STATUS.FLOAT_DIVIDE_BY_ZERO, [SIG.FPE, SI.FPE_FLTDIV]],
  [STATUS.FLOAT_OVERFLOW, [SIG.FPE, SI.FPE_FLTOVF]],
  [STATUS.FLOAT_UNDERFLOW, [SIG.FPE, SI.FPE_FLTUND]],
  [STATUS.FLOAT_INEXACT_RESULT, [SIG.FPE, SI.FPE_FLTRES]],
  [STATUS.FLOAT_INVALID_OPERATION, [SIG.FPE, SI.FPE_FLTINV]],
  [STATUS.FLOAT_DENORMAL_OPERAND, [SIG.FPE, SI.FPE_FLTINV]],
  [STATUS.FLOAT_STACK_CHECK, [SIG.FPE, SI.FPE_FLTINV]],
  [STATUS.ARRAY_BOUNDS_EXCEEDED, [SIG.SEGV, SI.SEGV_BNDERR]],
  [STATUS.BREAKPOINT, [SIG.TRAP, SI.TRAP_BRKPT]],
  [STATUS.SINGLE_STEP, [SIG.TRAP, SI.TRAP_TRACE]],
  [STATUS.DATATYPE_MISALIGNMENT, [SIG.BUS, SI.BUS_ADRALN]],
  [STATUS.IN_PAGE_ERROR, [SIG.BUS, SI.BUS_ADRERR]],
]);

/** An exception as a signal: the second number of its information is the address. */
export function faultInfo(code: number, information: readonly number[] = []): SignalInfo {
  const [signal, how] = FAULTS.get(code) ?? [SIG.SEGV, SI.SEGV_MAPERR];
  return { signal, code: how, address: information[1] ?? 0 };
}

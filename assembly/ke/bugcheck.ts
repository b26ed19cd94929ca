import { SYSTEM } from '../hal';
import { BUGCHECK } from '../shared/bugcheck';
import { EVENT } from '../shared/event';
import { KSYSTEM } from '../shared/layout';
import { STOP } from '../shared/types';
import { KiTrace } from './trace';

/**
 * Stops the machine: records the code and four parameters, of which the first failing call wins.
 * The run loop returns after the step; nothing is unwound, so that the memory can be looked at.
 *
 * @irql any   @nt KeBugCheckEx
 */
export function KeBugCheckEx(
  code: u32,
  parameter1: u64,
  parameter2: u64,
  parameter3: u64,
  parameter4: u64,
): void {
  if (load<u32>(SYSTEM, KSYSTEM.BugCheckCode) != BUGCHECK.NONE) return;
  store<u32>(SYSTEM, code, KSYSTEM.BugCheckCode);
  store<u64>(SYSTEM, parameter1, KSYSTEM.BugCheckParameter64);
  store<u64>(SYSTEM, parameter2, KSYSTEM.BugCheckParameter64 + 8);
  store<u64>(SYSTEM, parameter3, KSYSTEM.BugCheckParameter64 + 16);
  store<u64>(SYSTEM, parameter4, KSYSTEM.BugCheckParameter64 + 24);
  store<u32>(SYSTEM, STOP.BugCheck, KSYSTEM.StopReason);
  KiTrace(
    EVENT.BugCheck,
    load<u32>(SYSTEM, KSYSTEM.CurrentProcessor),
    0,
    code,
    <u32>parameter1,
    <u32>parameter2,
    <u32>parameter3,
    <u32>parameter4,
  );
}

/** Where a failed assertion of the core lands: the machine is broken, by our fault. */
export function KiAssertFailed(message: usize, file: usize, line: u32, column: u32): void {
  KeBugCheckEx(BUGCHECK.ASSERTION, line, column, file, message);
  unreachable();
}

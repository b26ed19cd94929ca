import type { KProcess, KThread } from '../machine/views';
import { isMinimalProcess } from './executive';

/** Where environment blocks lie: one a thread or process, apart by what one takes. */
const TEB_BASE = 0x7f_f000_0000;
const TEB_BYTES = 0x2000;
const PEB_BASE = 0x7f_a000_0000;
const PEB_BYTES = 0x1000;

/** The address of a thread's TEB; 0 for one without user mode, or of a minimal process. */
export function tebAddress(thread: KThread): number {
  if (thread.isSystemThread || isMinimalProcess(thread.process)) return 0;
  return TEB_BASE + thread.index * TEB_BYTES;
}

/** The same of a process's PEB: System and minimal processes have none. */
export function pebAddress(process: KProcess): number {
  if (process === process.machine.systemProcess || isMinimalProcess(process)) return 0;
  return PEB_BASE + process.index * PEB_BYTES;
}

import type { KProcess, KThread } from '../machine/views';

/** Where environment blocks lie: one a thread or process, apart by what one takes. */
const TEB_BASE = 0x7f_f000_0000;
const TEB_BYTES = 0x2000;
const PEB_BASE = 0x7f_a000_0000;
const PEB_BYTES = 0x1000;

/** The address of a thread's TEB; 0 for one without user mode. */
export function tebAddress(thread: KThread): number {
  return thread.isSystemThread ? 0 : TEB_BASE + thread.index * TEB_BYTES;
}

/** The address of a process's PEB; 0 of System. */
export function pebAddress(process: KProcess): number {
  return process === process.machine.systemProcess ? 0 : PEB_BASE + process.index * PEB_BYTES;
}

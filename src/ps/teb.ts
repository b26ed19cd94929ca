import { MODE } from '../../assembly/shared/types';
import type { KThread } from '../machine/views';

/** Where thread environment blocks lie: one a thread, apart by what one takes. */
const TEB_BASE = 0x7f_f000_0000;
const TEB_BYTES = 0x2000;

/** The address of a thread's TEB; 0 for one without user mode. */
export function tebAddress(thread: KThread): number {
  return thread.mode === MODE.UserMode ? TEB_BASE + thread.index * TEB_BYTES : 0;
}

import { KTHREAD_STATE } from '../../assembly/shared/types';
import type { KProcess } from '../machine/views';
import { setExitStatus } from '../ps/executive';

/**
 * Decides what a process with threads ends with, and asks each of them to end: at its return to user
 * mode, out of any wait in user mode. The one that asks goes on until then.
 */
export function terminatePicoProcess(process: KProcess, status: number): void {
  setExitStatus(process, status);
  for (const thread of process.threads()) {
    if (thread.state !== KTHREAD_STATE.Terminated) thread.terminate(status);
  }
}

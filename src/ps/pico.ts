import type { GuestResult } from '../machine/dpc';
import type { SystemServices } from '../machine/user-context';
import type { KProcess, KThread } from '../machine/views';

/** What the process manager tells the provider of pico processes; who that is says the subsystem's floor. */
export interface PicoHooks extends SystemServices {
  /** In a thread of its that ends, after the thread-notify routines. */
  exitThread(thread: KThread): GuestResult;
  /** In the last one, after the process-notify routines; of a process that has had none, in whoever ends it. */
  exitProcess(process: KProcess): GuestResult;
  /** A process of its is to be ended by a system service. @returns NTSTATUS. */
  terminateProcess(process: KProcess, exitStatus: number): GuestResult<number>;
}

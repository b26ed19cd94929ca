import { KTHREAD } from '../../assembly/shared/layout';
import type { DriverObject } from '../machine/driver';
import { nameOfRoutine } from '../machine/guest';
import { qualifiedName } from '../machine/kernel-stack';
import type { KThread } from '../machine/views';
import type { WatchedCall } from '../machine/watch';

/** Calls of drivers' routines, as findings tell of them. */

/** Processor time that a thread has had, ns. */
export function runTimeNs({ machine, address }: KThread): number {
  return machine.memory.u64(address + KTHREAD.CycleTime64);
}

export function codeOfDriver(driver: DriverObject): WatchedCall {
  return { sort: '', routine: nameless(), driver };
}

/** A routine that is not told of by name. */
export function nameless(): () => undefined {
  return () => undefined;
}

export function qualifiedNameOf({ driver, routine }: WatchedCall): string {
  return qualifiedName(driver, nameOfRoutine(routine));
}

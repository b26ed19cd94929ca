import { PKOBJECT, PKPRCB, PKTHREAD } from '../hal';
import { KOBJECT, KTHREAD } from '../shared/layout';
import { STATUS } from '../shared/status';
import { KiRaiseStatus } from './mutant';
import { KiWaitTest } from './wait';

/**
 * Adds `adjustment` to the count and wakes as many waiters as it then satisfies.
 *
 * @returns the previous count, or -1 with nothing changed if the limit would be passed: the caller
 *   raises STATUS_SEMAPHORE_LIMIT_EXCEEDED.
 * @irql at most DISPATCH_LEVEL   @nt KeReleaseSemaphore
 */
export function KeReleaseSemaphore(
  prcb: PKPRCB,
  semaphore: PKOBJECT,
  increment: u32,
  adjustment: i32,
): i32 {
  const previous = load<i32>(semaphore, KOBJECT.SignalState);
  const limit = load<i32>(semaphore, KOBJECT.Limit);
  if (adjustment <= 0 || adjustment > limit - previous) return -1;
  store<i32>(semaphore, previous + adjustment, KOBJECT.SignalState);
  KiWaitTest(prcb, semaphore, increment);
  return previous;
}

/**
 * The same for a running thread, whose WaitStatus becomes the previous count; past the limit
 * STATUS_SEMAPHORE_LIMIT_EXCEEDED is raised.
 *
 * @returns whether it was released.
 */
export function KiReleaseSemaphoreFrom(
  prcb: PKPRCB,
  thread: PKTHREAD,
  semaphore: PKOBJECT,
  increment: u32,
  adjustment: i32,
): bool {
  const previous = KeReleaseSemaphore(prcb, semaphore, increment, adjustment);
  if (previous < 0) KiRaiseStatus(thread, STATUS.SEMAPHORE_LIMIT_EXCEEDED);
  else store<i32>(thread, previous, KTHREAD.WaitStatus);
  return previous >= 0;
}

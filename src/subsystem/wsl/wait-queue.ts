import { STATUS } from '../../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../../assembly/shared/types';
import type { Timeout } from '../../ke/call';
import { KeWaitForSingleObject } from '../../ke/ddi';
import type { Request } from '../../machine/generator';
import type { LinuxThread } from './state';

/** How threads of Linux wait for each other: each on an event of its own. */

/** What ended a sleep. */
export const enum WOKEN {
  /** Perhaps nothing: what it waited for is to be looked at again. */
  Event = 0,
  Timeout = 1,
  /** A signal, or the end of the thread. */
  Interrupted = 2,
}

/**
 * Waits for the thread's event, in user mode and alertably: a signal's APC ends it. Meanwhile the
 * thread is in `queue`, if there is one.
 */
export function* sleep(
  thread: LinuxThread,
  timeout100ns: Timeout,
  queue?: WaitQueue,
): Generator<Request, WOKEN, number> {
  queue?.add(thread);
  try {
    if (timeout100ns === null) return wokenBy(yield thread.waitRequest);
    return wokenBy(
      yield* KeWaitForSingleObject(
        thread.event,
        KWAIT_REASON.UserRequest,
        MODE.UserMode,
        true,
        timeout100ns,
      ),
    );
  } finally {
    queue?.remove(thread);
  }
}

function wokenBy(status: number): WOKEN {
  if (status === STATUS.SUCCESS) return WOKEN.Event;
  return status === STATUS.TIMEOUT ? WOKEN.Timeout : WOKEN.Interrupted;
}

/** Lets a thread that sleeps, or is about to, look again. */
export function wake(thread: LinuxThread, increment = 1): void {
  thread.event.set(increment);
}

/** Threads that are to look again when something changes. */
export class WaitQueue {
  private waiters: LinuxThread[] | undefined;

  add(thread: LinuxThread): void {
    if (this.waiters === undefined) this.waiters = [thread];
    else this.waiters.push(thread);
  }

  remove(thread: LinuxThread): void {
    const { waiters } = this;
    if (waiters === undefined) return;
    const index = waiters.lastIndexOf(thread);
    if (index === waiters.length - 1) waiters.pop();
    else if (index !== -1) waiters.splice(index, 1);
  }

  wakeAll(): void {
    if (this.waiters === undefined) return;
    for (const waiter of this.waiters) wake(waiter);
  }

  /** Sleeps until something changes. */
  sleep(thread: LinuxThread, timeout100ns: Timeout = null): Generator<Request, WOKEN, number> {
    return sleep(thread, timeout100ns, this);
  }
}

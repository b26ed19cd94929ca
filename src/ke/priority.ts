import { OP } from '../../assembly/shared/opcode';
import { IRQL } from '../../assembly/shared/types';
import { requireAnswer } from '../machine/given';
import { NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import type { KThread } from '../machine/views';
import { requireIrql, VIOLATION, wordsOf } from './call';

/** Priorities of threads, for host threads. */

function priorityCall(routine: string, thread: KThread, request: Request): NtCall<number> {
  return new NtCall(routine, () => priorityCallSteps(routine, thread, request));
}

function* priorityCallSteps(
  routine: string,
  thread: KThread,
  request: Request,
): Generator<Request, number, number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const old = requireAnswer(routine, thread, yield request) | 0;
  thread.machine.locks.prioritySet(thread);
  return old;
}

/**
 * Sets a thread's current priority, 1-31; its base stays. Boosts end and the quantum starts afresh.
 * Whoever is the highest then runs, before this returns if that is not the caller.
 *
 * @returns the old priority.
 * @irql PASSIVE_LEVEL   @nt KeSetPriorityThread
 */
export function KeSetPriorityThread(thread: KThread, priority: number): NtCall<number> {
  requireInteger('KeSetPriorityThread: priority', priority, 1, 31);
  const first = encode(OP.SetPriorityThread, 0, priority);
  return priorityCall('KeSetPriorityThread', thread, [
    first,
    ...wordsOf('KeSetPriorityThread', thread),
  ]);
}

/** @returns the current priority, 0-31. @irql PASSIVE_LEVEL @nt KeQueryPriorityThread */
export function KeQueryPriorityThread(thread: KThread): number {
  requireIrql('KeQueryPriorityThread', VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  return thread.priority;
}

/**
 * Sets a thread's base priority to its process's plus `increment`, within the range of the class:
 * 1-15, or 16-31. Increments of 15 and more, and -15 and less, are the ends. The current priority
 * follows.
 *
 * @returns the previous increment; 16 or -16 if it was an end.
 * @irql PASSIVE_LEVEL   @nt KeSetBasePriorityThread
 */
export function KeSetBasePriorityThread(thread: KThread, increment: number): NtCall<number> {
  requireInteger('KeSetBasePriorityThread: increment', increment, -0x80000000, 0x7fffffff);
  const request = [
    encode(OP.SetBasePriorityThread),
    ...wordsOf('KeSetBasePriorityThread', thread),
    increment >>> 0,
  ];
  return priorityCall('KeSetBasePriorityThread', thread, request);
}

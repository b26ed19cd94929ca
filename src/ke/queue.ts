import { KTHREAD } from '../../assembly/shared/layout';
import { OP, QUEUE } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, type KWAIT_REASON, type MODE } from '../../assembly/shared/types';
import { requireAnswer } from '../machine/given';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import type { KGate, KQueue } from '../machine/queue';
import type { KEvent } from '../machine/views';
import { call, encodeTimeout, requireIrql, type Timeout, VIOLATION, wordsOf } from './call';
import { waitCheck, waitField } from './ddi';

/** Queues and gates, for host threads. */

function insert(routine: string, queue: KQueue, entry: unknown, b: number): NtCall<number> {
  return new NtCall(routine, () => insertSteps(routine, queue, entry, b));
}

function* insertSteps(
  routine: string,
  queue: KQueue,
  entry: unknown,
  b: number,
): Generator<Request, number, number> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const { values } = currentGuest(routine).machine;
  const words = values.hold(entry);
  try {
    const request = [encode(OP.InsertQueue, 0, b), ...wordsOf(routine, queue), ...words];
    return requireAnswer(routine, queue, yield request);
  } catch (error) {
    values.drop(words);
    throw error;
  }
}

/**
 * Puts an entry, any value, to the queue's tail; or gives it to the thread that came last to wait for
 * one, if fewer than the maximum are active.
 *
 * @returns how many entries there were. Raises STATUS_INSUFFICIENT_RESOURCES if the machine has no
 *   room for another.
 * @irql at most DISPATCH_LEVEL   @nt KeInsertQueue
 */
export function KeInsertQueue(queue: KQueue, entry: unknown): NtCall<number> {
  return insert('KeInsertQueue', queue, entry, 0);
}

/** The same at the queue's head. @irql at most DISPATCH_LEVEL @nt KeInsertHeadQueue */
export function KeInsertHeadQueue(queue: KQueue, entry: unknown): NtCall<number> {
  return insert('KeInsertHeadQueue', queue, entry, QUEUE.Head);
}

/** What KeRemoveQueue returns in place of an address or a status in its place: the entry, if the status is success. */
export interface RemovedEntry {
  readonly status: number;
  readonly entry: unknown;
}

function* remove(
  routine: string,
  queue: KQueue,
  modes: number,
  timeout: number | bigint,
): Generator<Request, RemovedEntry, number> {
  waitCheck(routine, timeout, queue)();
  const { machine, thread } = currentGuest(routine);
  const first = encode(OP.RemoveQueue, 0, modes);
  const status = yield [first, ...wordsOf(routine, queue), ...words64(timeout)];
  if (status !== STATUS.SUCCESS) return { status, entry: undefined };
  const register = thread.address + KTHREAD.Register64;
  const entry = machine.values.decode(
    machine.memory.u32(register),
    machine.memory.u32(register + 4),
  );
  return { status, entry };
}

/**
 * Takes the first entry, or waits for one; who came last gets the next. The thread belongs to the
 * queue from now on, and counts as active there unless it waits. While as many as the maximum are
 * active it waits, entries or not.
 *
 * @returns the entry with STATUS_SUCCESS; STATUS_TIMEOUT; STATUS_USER_APC; STATUS_ABANDONED of a queue
 *   that is run down. Windows returns the one or the other in one pointer.
 * @irql below DISPATCH_LEVEL, or DISPATCH_LEVEL with a timeout of 0
 * @nt KeRemoveQueue
 */
export function KeRemoveQueue(
  queue: KQueue,
  waitMode: MODE,
  timeout100ns: Timeout,
): NtCall<RemovedEntry> {
  const routine = 'KeRemoveQueue';
  const timeout = encodeTimeout(routine, timeout100ns);
  return new NtCall(routine, () => remove(routine, queue, waitField(0, waitMode, false), timeout));
}

/**
 * The same for up to `count` entries: waits for the first, and takes what else is there.
 *
 * @irql below DISPATCH_LEVEL, or DISPATCH_LEVEL with a timeout of 0
 * @nt KeRemoveQueueEx
 */
export function KeRemoveQueueEx(
  queue: KQueue,
  waitMode: MODE,
  alertable: boolean,
  timeout100ns: Timeout,
  count: number,
): NtCall<{ readonly status: number; readonly entries: readonly unknown[] }> {
  const routine = 'KeRemoveQueueEx';
  const timeout = encodeTimeout(routine, timeout100ns);
  requireInteger(`${routine}: count`, count, 1, 0x7fffffff);
  return new NtCall(routine, () =>
    removeQueueEx(routine, queue, waitMode, alertable, count, timeout),
  );
}

function* removeQueueEx(
  routine: string,
  queue: KQueue,
  waitMode: MODE,
  alertable: boolean,
  count: number,
  timeout: number | bigint,
): Generator<Request, { readonly status: number; readonly entries: readonly unknown[] }, number> {
  const { status, entry } = yield* remove(
    routine,
    queue,
    waitField(0, waitMode, alertable),
    timeout,
  );
  if (status !== STATUS.SUCCESS) return { status, entries: [] };
  return { status, entries: [entry, ...queue.removeUpTo(count - 1)] };
}

/**
 * Runs a queue down: who waits for an entry gets STATUS_ABANDONED, now and later.
 *
 * @returns the entries that were left, none for NULL: Windows gives the first of their list.
 * @irql at most DISPATCH_LEVEL   @nt KeRundownQueue
 */
export function KeRundownQueue(queue: KQueue): unknown[] {
  requireIrql('KeRundownQueue', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  return queue.rundown();
}

/** @returns how many entries there are. @irql at most DISPATCH_LEVEL @nt KeReadStateQueue */
export function KeReadStateQueue(queue: KQueue): number {
  return queue.signalState;
}

/**
 * Waits until a gate is signaled, for ever, and takes the signal.
 *
 * @irql below DISPATCH_LEVEL   @nt KeWaitForGate
 */
export function KeWaitForGate(
  gate: KGate,
  waitReason: KWAIT_REASON,
  waitMode: MODE,
): NtCall<number> {
  const first = encode(OP.WaitGate, 0, waitField(waitReason, waitMode, false));
  return call('KeWaitForGate', [first, ...wordsOf('KeWaitForGate', gate)], () =>
    requireIrql('KeWaitForGate', VIOLATION.WaitForever, IRQL.APC_LEVEL),
  );
}

/**
 * Lets the longest waiter through, or the next one to come; more signals than that are one. The
 * waiter is lifted to the thread's priority plus one, if that is more than it has.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeSignalGateBoostPriority
 */
export function KeSignalGateBoostPriority(gate: KGate): NtCall<number> {
  return call(
    'KeSignalGateBoostPriority',
    [encode(OP.SignalGate), ...wordsOf('KeSignalGateBoostPriority', gate)],
    () =>
      requireIrql('KeSignalGateBoostPriority', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL),
  );
}

/**
 * Signals a synchronization event as KeSignalGateBoostPriority does a gate. A notification event is
 * STATUS_OBJECT_TYPE_MISMATCH, where Windows does what nobody has written down.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeSetEventBoostPriority (partial: gives no thread back)
 */
export function KeSetEventBoostPriority(event: KEvent): NtCall<number> {
  const request = [encode(OP.SetEventBoostPriority), ...wordsOf('KeSetEventBoostPriority', event)];
  return call('KeSetEventBoostPriority', request, () =>
    requireIrql('KeSetEventBoostPriority', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL),
  );
}

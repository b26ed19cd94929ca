import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { KTHREAD } from '../../assembly/shared/layout';
import { OP, QUEUE } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { KeWaitForSingleObject } from '../ke/ddi';
import { KeRemoveQueue } from '../ke/queue';
import { KeDelayExecutionThread } from '../ke/time';
import type { GuestResult } from '../machine/dpc';
import type { DriverLeftover, DriverObject, IoObject } from '../machine/driver';
import {
  currentGuest,
  driverOf,
  invokeWatched,
  NtCall,
  nameOfRoutine,
  type Request,
} from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import type { KQueue } from '../machine/queue';
import type { KEvent, KThread } from '../machine/views';

/**
 * System worker threads. One pool serves all work queues: a queue type is a priority, items of a higher
 * one come first, and a thread has the priority of its item.
 *
 * The threads of the initial count are made when there is first something for them to do. While all
 * threads wait in their items and more is queued, a manager looks once a second: if nothing was taken
 * since it last looked, it adds a thread, which leaves again when it has had nothing to do for long. At
 * rest, nothing of this runs.
 */

/** WORK_QUEUE_TYPE. CustomPriorityWorkQueue plus a priority, 1-31, is one too. */
export const enum WORK_QUEUE_TYPE {
  CriticalWorkQueue = 0,
  DelayedWorkQueue = 1,
  HyperCriticalWorkQueue = 2,
  NormalWorkQueue = 3,
  BackgroundWorkQueue = 4,
  RealTimeWorkQueue = 5,
  SuperCriticalWorkQueue = 6,
  MaximumWorkQueue = 7,
  CustomPriorityWorkQueue = 32,
}

/** Priorities of the queue types, in their order. */
const PRIORITIES: readonly number[] = [13, 12, 15, 8, 7, 18, 14];
const HIGHEST_PRIORITY = 31;

/** The manager's, above what it looks after; our choice. */
const MANAGER_PRIORITY = 22;

/** WORKER_THREAD_ROUTINE: called in a system worker thread at PASSIVE_LEVEL, in the System process. */
export type WorkerThreadRoutine = (parameter: unknown) => GuestResult;

/** Parameter 1 of WORKER_INVALID. */
export const enum WORKER_INVALID {
  ActiveItemQueued = 1,
  QueuedIoItemFreed = 2,
  InvalidObject = 3,
  InvalidQueueType = 6,
  InvalidRoutine = 7,
}

/** What a work item is to call. */
export interface WorkItemCall {
  readonly routine: (...parameters: unknown[]) => GuestResult;
  readonly parameters: readonly unknown[];
  /** Which of them is told of. */
  readonly parameter: unknown;
  /** Referred to until the routine has returned. */
  readonly ioObject: IoObject | undefined;
}

/** WORK_QUEUE_ITEM: storage for ExInitializeWorkItem. */
export class WorkQueueItem {
  /** @internal */ call: WorkItemCall | undefined;
  /** @internal The driver whose code initialized it. */
  driver: DriverObject | undefined;
  /** @internal It is in a queue, by the links that were there when it was put in. */
  queued = false;
  /** @internal Its links were overwritten while it was queued. */
  damaged = false;
}

/** What a worker thread must not be left with; undefined: the check found nothing. */
export interface WorkerLeftover {
  readonly code: BUGCHECK;
  readonly parameters: readonly number[];
  readonly what: string;
}

/** Looks at a worker thread whose item has returned. */
export type WorkerCheck = (
  thread: KThread,
  routine: number,
  parameter: number,
  item: number,
) => WorkerLeftover | undefined;

/** What a work item did that stops the machine: the cause of the bugcheck. */
export class WorkItemError extends Error {
  override readonly name = 'WorkItemError';
}

/** The worker threads of a machine. */
export class WorkerPool {
  private readonly queue: KQueue;
  private readonly checks: WorkerCheck[] = [
    checkLevel,
    checkMutants,
    checkImpersonation,
    checkApcs,
  ];
  /** Items that are queued, and those that run. */
  private readonly waiting = new Set<WorkQueueItem>();
  private readonly running = new Map<KThread, Pick<WorkQueueItem, 'call' | 'driver'>>();
  private readonly threads = new Set<KThread>();
  /** Threads that have not run yet. */
  private fresh = 0;
  private taken = 0;
  private made = 0;
  private manager: KEvent | undefined;
  private managing = false;

  constructor(private readonly machine: Machine) {
    this.queue = machine.createQueue();
    machine.drivers.onUnload((driver) => this.leftBy(driver));
  }

  /** Worker threads that there are. */
  get threadCount(): number {
    return this.threads.size;
  }

  /** Items that no thread has taken yet. */
  get queuedItems(): number {
    return this.waiting.size;
  }

  /** Adds a check of what a thread must not be left with when its item has returned. */
  onReturn(check: WorkerCheck): void {
    this.checks.push(check);
  }

  /** Puts an item into a queue; it has been checked. */
  *insert(item: WorkQueueItem, priority: number): Generator<Request, void, number> {
    const { machine, queue } = this;
    const words = machine.values.hold(item);
    item.queued = true;
    item.damaged = false;
    this.waiting.add(item);
    const first = encode(OP.InsertQueue, 0, priority << QUEUE.PriorityShift);
    try {
      yield [first, ...words64(queue.handle), ...words];
    } catch {
      machine.values.drop(words);
      throw machine.full('queueEntries');
    }
    if (this.threads.size >= machine.profile.workerThreads) {
      if (queue.signalState > 0) this.wakeManager();
    } else if (queue.signalState > this.idleThreads()) this.addThread(priority, false);
  }

  /** Threads that wait for an item, or are about to: they get one as soon as the queue lets them. */
  private idleThreads(): number {
    let idle = this.fresh;
    for (const thread of this.threads) if (thread.waitsForEntry) idle++;
    return idle;
  }

  private leftBy(driver: DriverObject): DriverLeftover[] {
    const left: DriverLeftover[] = [];
    const note = (state: string) => (item: Pick<WorkQueueItem, 'call' | 'driver'>) => {
      const routine = item.call?.routine;
      if (item.driver !== driver || routine === undefined) return;
      left.push({ what: `a ${state} work item of ${nameOfRoutine(routine)}`, routine });
    };
    this.waiting.forEach(note('queued'));
    this.running.forEach(note('running'));
    return left;
  }

  /** A thread that is ready for work, at first with a priority; `dynamic`: it leaves when it has nothing to do. */
  private addThread(priority: number, dynamic: boolean): void {
    const { machine } = this;
    if (!machine.hasThreadRoom) return;
    this.made++;
    this.fresh++;
    const pool = this;
    const thread = machine.createThread(
      machine.systemProcess,
      function* ExpWorkerThread() {
        yield* pool.work(dynamic);
      },
      { name: `worker ${this.made}`, start: false },
    );
    this.threads.add(thread);
    thread.restsAt = this.queue;
    thread.systemThreadEnd = () => {
      machine.bugCheck(BUGCHECK.ACTIVE_EX_WORKER_THREAD_TERMINATION, thread.address);
      throw new WorkItemError(`a work item ended ${thread.name}, which is the system's`);
    };
    thread.setPriority(priority);
    thread.start();
  }

  private *work(dynamic: boolean): Generator<Request, void, number> {
    const idle = dynamic ? -Math.round(this.machine.profile.workerIdleNs / 100) : null;
    const { thread } = currentGuest('ExpWorkerThread');
    this.fresh--;
    for (;;) {
      const { status, entry } = yield* KeRemoveQueue(this.queue, MODE.KernelMode, idle);
      if (status === STATUS.TIMEOUT) break;
      if (!(entry instanceof WorkQueueItem)) throw this.machine.full('threadExtensions');
      yield* this.run(thread, entry);
    }
    this.threads.delete(thread);
    thread.systemThreadEnd = undefined;
    thread.close();
  }

  /** An item leaves its queue, is called, and must have left the thread as it was. */
  private *run(thread: KThread, item: WorkQueueItem): Generator<Request, void, number> {
    const { machine } = this;
    const { call, driver } = item;
    this.taken++;
    this.waiting.delete(item);
    item.queued = false;
    const routine = machine.drivers.addressOf(call?.routine ?? item, driver);
    const address = machine.drivers.addressOf(item);
    if (item.damaged || call === undefined) {
      machine.bugCheck(BUGCHECK.INVALID_WORK_QUEUE_ITEM, address, this.queue.handle, 0, routine);
      throw new WorkItemError('a work item was initialized again while it was queued');
    }
    this.running.set(thread, { call, driver });
    yield* invokeWatched('work item', driver, call.routine, ...call.parameters);
    this.running.delete(thread);
    const parameter = machine.drivers.numberOf(call.parameter);
    for (const check of this.checks) {
      const left = check(thread, routine, parameter, address);
      if (left === undefined) continue;
      machine.bugCheck(left.code, ...left.parameters);
      throw new WorkItemError(`work item ${nameOfRoutine(call.routine)} returned ${left.what}`);
    }
    call.ioObject?.dereference();
  }

  private wakeManager(): void {
    if (this.managing) return;
    this.managing = true;
    const { machine } = this;
    if (this.manager !== undefined) {
      this.manager.set();
      return;
    }
    if (!machine.hasThreadRoom) {
      this.managing = false;
      return;
    }
    const wake = machine.createEvent('synchronization');
    this.manager = wake;
    const pool = this;
    const thread = machine.createThread(
      machine.systemProcess,
      function* ExpWorkerThreadBalanceManager() {
        yield* pool.manage(wake);
      },
      { name: 'worker thread manager', start: false },
    );
    thread.restsAt = wake;
    thread.setPriority(MANAGER_PRIORITY);
    thread.start();
  }

  /** Looks, while something is queued, whether anything of it gets done. */
  private *manage(wake: KEvent): Generator<Request, void, number> {
    const { machine, queue } = this;
    const period = -Math.round(machine.profile.workerStallNs / 100);
    for (;;) {
      while (queue.signalState > 0) {
        const { taken } = this;
        yield* KeDelayExecutionThread(MODE.KernelMode, false, period);
        const blocked = queue.currentCount < queue.maximumCount;
        const room = this.threads.size < machine.profile.workerThreadsMaximum;
        if (this.taken === taken && queue.signalState > 0 && blocked && room)
          this.addThread(HIGHEST_VARIABLE_PRIORITY, true);
      }
      this.managing = false;
      yield* KeWaitForSingleObject(wake, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    }
  }
}

/** What a thread begins with that is to help where nothing gets done. */
const HIGHEST_VARIABLE_PRIORITY = 15;

const pools = new PerMachine((machine) => new WorkerPool(machine));

/** @internal */
export function workerPool(machine: Machine): WorkerPool {
  return pools.of(machine);
}

const checkLevel: WorkerCheck = (thread, routine, parameter, item) => {
  const level = thread.machine.irql();
  if (level === IRQL.PASSIVE_LEVEL) return undefined;
  return {
    code: BUGCHECK.WORKER_THREAD_RETURNED_AT_BAD_IRQL,
    parameters: [routine, level, parameter, item],
    what: `at IRQL ${level}; it was called at PASSIVE_LEVEL`,
  };
};

const checkMutants: WorkerCheck = (thread, routine, parameter, item) => {
  if (thread.machine.memory.u32(thread.address + KTHREAD.Mutants) === 0) return undefined;
  return {
    code: BUGCHECK.SYSTEM_EXIT_OWNED_MUTEX,
    parameters: [routine, parameter, item, 0],
    what: 'with a mutex that it owns; release it first',
  };
};

const checkImpersonation: WorkerCheck = ({ impersonation }, routine, parameter, item) => {
  if (impersonation === undefined) return undefined;
  return {
    code: BUGCHECK.IMPERSONATING_WORKER_THREAD,
    parameters: [routine, parameter, item],
    what: 'while it impersonates; call PsRevertToSelf',
  };
};

const checkApcs: WorkerCheck = (thread, routine) => {
  const counts = thread.machine.memory.u32(thread.address + KTHREAD.CombinedApcDisable);
  const attached = thread.attachedProcess === thread.process ? 0 : 1;
  if (counts === 0 && attached === 0) return undefined;
  return {
    code: BUGCHECK.APC_INDEX_MISMATCH,
    parameters: [routine, attached, counts, 1],
    what:
      counts === 0
        ? 'attached to another process; call KeUnstackDetachProcess'
        : `with APC disable counts 0x${counts.toString(16)}; leave every region that it enters`,
  };
};

/** Stops the machine with WORKER_INVALID. */
export function workerInvalid(
  machine: Machine,
  message: string,
  code: WORKER_INVALID,
  ...parameters: number[]
): never {
  machine.bugCheck(BUGCHECK.WORKER_INVALID, code, ...parameters);
  throw new WorkItemError(message);
}

/** The priority of a queue type; bugcheck WORKER_INVALID for what is none. */
export function priorityOf(routine: string, item: WorkQueueItem, type: number): number {
  const { machine } = currentGuest(routine);
  const custom = type - WORK_QUEUE_TYPE.CustomPriorityWorkQueue;
  const priority = custom >= 1 && custom <= HIGHEST_PRIORITY ? custom : PRIORITIES[type];
  if (priority !== undefined && Number.isInteger(priority)) return priority;
  const message = `${routine}: ${type} is no WORK_QUEUE_TYPE`;
  const address = machine.drivers.addressOf(item);
  return workerInvalid(machine, message, WORKER_INVALID.InvalidQueueType, address);
}

/** Queues an item, for what it is to call; all that is wrong with it is bugcheck WORKER_INVALID. */
export function* queueItem(
  routine: string,
  item: WorkQueueItem,
  type: WORK_QUEUE_TYPE,
  call: WorkItemCall | undefined,
): Generator<Request, void, number> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  const { machine } = currentGuest(routine);
  const priority = priorityOf(routine, item, type);
  const address = machine.drivers.addressOf(item);
  if (item.queued) {
    const message = `${routine}: the work item is queued already; wait until its routine is called`;
    workerInvalid(machine, message, WORKER_INVALID.ActiveItemQueued, address, type);
  }
  if (typeof call?.routine !== 'function') {
    const message = `${routine}: the work item has no routine`;
    workerInvalid(machine, message, WORKER_INVALID.InvalidRoutine, address);
  }
  item.call = call;
  call.ioObject?.reference();
  yield* workerPool(machine).insert(item, priority);
}

/**
 * Says what a work item is to call, and with what. The item must not be queued: worker threads stop
 * with bugcheck INVALID_WORK_QUEUE_ITEM when they come to one whose links were overwritten.
 *
 * @irql any   @nt ExInitializeWorkItem
 */
export function ExInitializeWorkItem(
  item: WorkQueueItem,
  routine: WorkerThreadRoutine,
  parameter: unknown,
): void {
  item.driver = driverOf('ExInitializeWorkItem');
  item.damaged = item.queued;
  item.call = { routine, parameters: [parameter], parameter, ioObject: undefined };
}

/**
 * Queues a work item: a worker thread calls its routine, later and at the priority of the queue. It is
 * out of the queue by then, so the routine may queue or give it up.
 *
 * The driver must not be unloaded before the routine has returned; IoQueueWorkItem sees to that. An item
 * that is queued already, an invalid type or routine is bugcheck WORKER_INVALID.
 *
 * @irql at most DISPATCH_LEVEL   @nt ExQueueWorkItem
 */
export function ExQueueWorkItem(item: WorkQueueItem, queueType: WORK_QUEUE_TYPE): NtCall<void> {
  return new NtCall('ExQueueWorkItem', () =>
    queueItem('ExQueueWorkItem', item, queueType, item.call),
  );
}

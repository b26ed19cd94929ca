import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  ExInitializeWorkItem,
  ExQueueWorkItem,
  WORK_QUEUE_TYPE,
  WorkQueueItem,
  type WorkerThreadRoutine,
  workerPool,
} from '../../src/ex/worker';
import { KeSetEvent, KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import {
  KeAreApcsDisabled,
  KeEnterCriticalRegion,
  KeEnterGuardedRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import { ExGetPreviousMode } from '../../src/ke/mode';
import { KeQueryPriorityThread, KeSetPriorityThread } from '../../src/ke/priority';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { currentGuest, NtStatusError } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import type { KernelObject } from '../../src/machine/views';
import { PsIsSystemThread, PsTerminateSystemThread } from '../../src/ps/system-thread';
import { THREADINFOCLASS } from '../../src/ps/information-class';
import { ZwSetInformationThread } from '../../src/ps/thread-set';
import { PsImpersonateClient, PsReferencePrimaryToken, PsRevertToSelf } from '../../src/ps/token';
import { runGuest } from '../ke/guest';

const SECOND = 1_000_000_000;
const wait = (object: KernelObject) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
const sleep = (ms: number) => KeDelayExecutionThread(MODE.KernelMode, false, ms * -10_000);
const stall = (ms: number) => KeStallExecutionProcessor(ms * 1000);

/** A work item that is initialized. */
function itemOf(routine: WorkerThreadRoutine, parameter: unknown = null): WorkQueueItem {
  const item = new WorkQueueItem();
  ExInitializeWorkItem(item, routine, parameter);
  return item;
}

/** Queues one item of each routine and runs the machine until `until`, or until it rests. */
async function queueAll(
  routines: readonly WorkerThreadRoutine[],
  options: MachineOptions = {},
  type = WORK_QUEUE_TYPE.DelayedWorkQueue,
) {
  const machine = await Machine.create(options);
  machine.systemProcess.createThread(function* driver() {
    for (const routine of routines) yield* ExQueueWorkItem(itemOf(routine), type);
  });
  return machine;
}

describe('ExQueueWorkItem', () => {
  test('calls the routine with its parameter in a worker thread of the System process', async () => {
    const { value } = await runGuest(function* (machine) {
      const done = machine.createEvent('notification');
      const seen: unknown[] = [];
      const item = itemOf(function* (parameter) {
        const { thread } = currentGuest('test');
        seen.push(parameter, thread.process === machine.systemProcess, PsIsSystemThread(thread));
        seen.push(machine.irql(), KeAreApcsDisabled(), ExGetPreviousMode(), thread.name);
        yield* KeSetEvent(done, 0, false);
      }, 'parameter');
      yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
      yield* wait(done);
      return seen;
    });
    expect(value).toEqual([
      'parameter',
      true,
      true,
      IRQL.PASSIVE_LEVEL,
      false,
      MODE.KernelMode,
      'worker 1',
    ]);
  });

  test.each([
    [WORK_QUEUE_TYPE.CriticalWorkQueue, 13],
    [WORK_QUEUE_TYPE.DelayedWorkQueue, 12],
    [WORK_QUEUE_TYPE.HyperCriticalWorkQueue, 15],
    [WORK_QUEUE_TYPE.NormalWorkQueue, 8],
    [WORK_QUEUE_TYPE.BackgroundWorkQueue, 7],
    [WORK_QUEUE_TYPE.RealTimeWorkQueue, 18],
    [WORK_QUEUE_TYPE.SuperCriticalWorkQueue, 14],
    [WORK_QUEUE_TYPE.CustomPriorityWorkQueue + 1, 1],
    [WORK_QUEUE_TYPE.CustomPriorityWorkQueue + 16, 16],
    [WORK_QUEUE_TYPE.CustomPriorityWorkQueue + 31, 31],
  ])('of type %i gives the thread priority %i, one that has worked before too', async (type, priority) => {
    const { value } = await runGuest(function* (machine) {
      const done = machine.createEvent('synchronization');
      const seen: unknown[] = [];
      const routine = function* () {
        const { thread } = currentGuest('test');
        seen.push(KeQueryPriorityThread(thread), thread.basePriority, thread.name);
        yield* KeSetEvent(done, 0, false);
      };
      for (const queue of [type, WORK_QUEUE_TYPE.NormalWorkQueue, type]) {
        yield* ExQueueWorkItem(itemOf(routine), queue);
        yield* wait(done);
        yield* sleep(1);
      }
      return seen;
    });
    const first = [priority, priority, 'worker 1'];
    expect(value).toEqual([...first, 8, 8, 'worker 1', ...first]);
  });

  test('takes the item out of the queue before the routine, which may queue it again', async () => {
    const { value } = await runGuest(function* (machine) {
      const done = machine.createEvent('notification');
      let calls = 0;
      const item = new WorkQueueItem();
      ExInitializeWorkItem(
        item,
        function* () {
          calls++;
          if (calls < 3) yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
          else yield* KeSetEvent(done, 0, false);
        },
        null,
      );
      yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
      yield* wait(done);
      return [calls, workerPool(machine).threadCount];
    });
    expect(value).toEqual([3, 2]);
  });

  test('takes a routine that is no generator, from a DPC too', async () => {
    const { value } = await runGuest(function* (machine) {
      const seen: unknown[] = [];
      const item = itemOf((parameter) => {
        seen.push(parameter, machine.irql());
      }, 7);
      const dpc = machine.createDpc(function* () {
        seen.push(machine.irql());
        yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.CriticalWorkQueue);
      });
      dpc.insert();
      yield* sleep(10);
      return seen;
    });
    expect(value).toEqual([IRQL.DISPATCH_LEVEL, 7, IRQL.PASSIVE_LEVEL]);
  });

  test('needs DISPATCH_LEVEL at most', async () => {
    await expect(
      runGuest(function* () {
        const item = itemOf(() => undefined);
        KeRaiseIrql(IRQL.LOW_DIRQL);
        yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
      }),
    ).rejects.toThrow('ExQueueWorkItem was called at a device level (3)');
  });
});

describe('worker threads', () => {
  test('are made when there is work, and the machine rests when it is done', async () => {
    const machine = await queueAll([() => undefined]);
    const result = machine.run();
    const pool = workerPool(machine);
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
    expect([pool.threadCount, pool.queuedItems]).toEqual([1, 0]);
  });

  test('that are stuck in an item are told of when the machine rests', async () => {
    const machine = await Machine.create();
    const never = machine.createEvent('notification');
    machine.systemProcess.createThread(function* () {
      const item = itemOf(function* () {
        yield* wait(never);
      });
      yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
    });
    expect(machine.run()).toMatchObject({
      reason: 'idle',
      waiting: [{ name: 'worker 1', process: 'System', state: 'Waiting' }],
    });
  });

  test('serve items that wait for each other, up to the initial count at once', async () => {
    const machine = await queueAll(Array(20).fill(() => sleep(100)));
    machine.run();
    expect(workerPool(machine).threadCount).toBe(13);
  });

  test('come while all of them wait, more is queued and a second has brought nothing', async () => {
    const machine = await Machine.create({ profile: { workerThreads: 2 } });
    const gate = machine.createEvent('notification');
    let ended = 0;
    machine.systemProcess.createThread(function* () {
      for (let count = 0; count < 5; count++) {
        const item = itemOf(function* () {
          yield* wait(gate);
          ended++;
        });
        yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
      }
    });
    const pool = workerPool(machine);
    const counts: unknown[] = [];
    for (const until of [0.5, 1.5, 2.5, 3.5, 5.5]) {
      machine.run({ until: until * SECOND });
      counts.push([pool.threadCount, pool.queuedItems]);
    }
    expect(counts).toEqual([
      [2, 3],
      [3, 2],
      [3, 2],
      [4, 1],
      [5, 0],
    ]);
    gate.set();
    machine.run({ until: 6 * SECOND });
    expect(ended).toBe(5);
  });

  test('that came for a stall leave after ten minutes without work', async () => {
    const machine = await Machine.create({ profile: { workerThreads: 1 } });
    const pool = workerPool(machine);
    machine.systemProcess.createThread(function* () {
      for (const ms of [2500, 10, 10]) {
        const item = itemOf(function* () {
          yield* sleep(ms);
        });
        yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
      }
    });
    machine.run({ until: 10 * SECOND });
    const grown = pool.threadCount;
    machine.run({ until: 600 * SECOND });
    const before = pool.threadCount;
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect([grown, before, pool.threadCount]).toEqual([2, 2, 1]);
    expect(machine.now).toBeLessThan(602 * SECOND);
  });

  test('do not come beyond the maximum', async () => {
    const machine = await Machine.create({
      profile: { workerThreads: 1, workerThreadsMaximum: 3, workerStallNs: SECOND / 10 },
    });
    const gate = machine.createEvent('notification');
    machine.systemProcess.createThread(function* () {
      for (let count = 0; count < 5; count++) {
        const item = itemOf(function* () {
          yield* wait(gate);
        });
        yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
      }
    });
    machine.run({ until: 3 * SECOND });
    const pool = workerPool(machine);
    expect([pool.threadCount, pool.queuedItems]).toEqual([3, 2]);
  });

  test('do not come while those that there are get things done, or have the processors', async () => {
    const machine = await Machine.create({ profile: { workerThreads: 1 } });
    machine.systemProcess.createThread(function* () {
      const routines = [() => stall(2500), () => sleep(900), () => sleep(900), () => sleep(900)];
      for (const routine of routines) {
        const item = itemOf(function* () {
          yield* routine();
        });
        yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
      }
    });
    machine.run();
    expect(workerPool(machine).threadCount).toBe(1);
  });

  test('at work on lower items do not keep a higher one waiting', async () => {
    const machine = await Machine.create();
    const log: unknown[] = [];
    const long = function* () {
      yield* stall(500);
      log.push('background');
    };
    const short = () => {
      log.push(['hyper-critical', machine.now < 0.1 * SECOND]);
    };
    machine.systemProcess.createThread(function* () {
      yield* ExQueueWorkItem(itemOf(long), WORK_QUEUE_TYPE.BackgroundWorkQueue);
      yield* sleep(20);
      const item = itemOf(short);
      yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.HyperCriticalWorkQueue);
    });
    machine.run();
    expect(log).toEqual([['hyper-critical', true], 'background']);
  });

  test('take higher items first, and those of one queue in their order', async () => {
    const machine = await Machine.create({ profile: { workerThreads: 1 } });
    const log: unknown[] = [];
    machine.systemProcess.createThread(function* () {
      const types = [
        WORK_QUEUE_TYPE.NormalWorkQueue,
        WORK_QUEUE_TYPE.DelayedWorkQueue,
        WORK_QUEUE_TYPE.CriticalWorkQueue,
        WORK_QUEUE_TYPE.DelayedWorkQueue,
        WORK_QUEUE_TYPE.NormalWorkQueue,
      ];
      yield* KeSetPriorityThread(currentGuest('test').thread, 20);
      for (const [index, type] of types.entries()) {
        const item = itemOf(() => {
          log.push(index);
        });
        yield* ExQueueWorkItem(item, type);
      }
    });
    machine.run();
    expect(log).toEqual([2, 1, 3, 0, 4]);
  });

  test('are not made without room, and the item waits for one', async () => {
    const machine = await Machine.create({ capacities: { threads: 4 } });
    const log: string[] = [];
    const process = machine.createProcess();
    const keep = [1, 2].map(() =>
      process.createThread(function* () {
        yield* sleep(1500);
      }),
    );
    process.createThread(function* () {
      const item = itemOf(() => {
        log.push('called');
      });
      yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
    });
    machine.run();
    expect([log, keep.map(({ state }) => state), workerPool(machine).queuedItems]).toEqual([
      [],
      [KTHREAD_STATE.Terminated, KTHREAD_STATE.Terminated],
      1,
    ]);
  });
});

describe('a work item', () => {
  const stop = async (routine: WorkerThreadRoutine, parameter: unknown = 5) => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      yield* ExQueueWorkItem(itemOf(routine, parameter), WORK_QUEUE_TYPE.DelayedWorkQueue);
    });
    return machine.run();
  };
  const ROUTINE = 0xfffff80000000800n;
  const ITEM = 0xffffa80000000800n;

  test('that returns at a raised level is WORKER_THREAD_RETURNED_AT_BAD_IRQL', async () => {
    const result = await stop(function onWork() {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    });
    expect(result).toMatchObject({
      code: 0xe1,
      name: 'WORKER_THREAD_RETURNED_AT_BAD_IRQL',
      parameters: [ROUTINE, 2n, 5n, ITEM],
      thread: 'worker 1',
    });
    expect(String(result.reason === 'bugcheck' && result.cause)).toBe(
      'WorkItemError: work item onWork returned at IRQL 2; it was called at PASSIVE_LEVEL',
    );
  });

  test('that may raise and lower the level is none', async () => {
    const result = await stop(function* () {
      yield* KeLowerIrql(KeRaiseIrql(IRQL.DISPATCH_LEVEL));
    });
    expect(result.reason).toBe('idle');
  });

  test.each([
    ['mutex', 'createMutex'],
    ['mutant', 'createMutant'],
  ] as const)('that returns with a %s is SYSTEM_EXIT_OWNED_MUTEX', async (_name, create) => {
    const result = await stop(function* () {
      yield* wait(currentGuest('test').machine[create]());
    });
    expect(result).toMatchObject({ code: 0x39, parameters: [ROUTINE, 5n, ITEM, 0n] });
  });

  test('that returns impersonating is IMPERSONATING_WORKER_THREAD', async () => {
    const result = await stop(function* () {
      const { thread, machine } = currentGuest('test');
      const client = machine.createProcess();
      const token = PsReferencePrimaryToken(client).duplicate(2, 2, false);
      yield* PsImpersonateClient(thread, token, false, false, 2);
    });
    expect(result).toMatchObject({ code: 0xdf, parameters: [ROUTINE, 5n, ITEM, 0n] });
  });

  test('that reverts to itself before it returns is none', async () => {
    const result = await stop(function* () {
      const { thread, machine } = currentGuest('test');
      const client = machine.createProcess();
      const token = PsReferencePrimaryToken(client).duplicate(2, 2, false);
      yield* PsImpersonateClient(thread, token, false, false, 2);
      yield* PsRevertToSelf();
    });
    expect(result.reason).toBe('idle');
  });

  test.each([
    [
      'I/O priority',
      () => ZwSetInformationThread(-2, THREADINFOCLASS.ThreadIoPriority, 1, 4),
      0x128,
    ],
    [
      'page priority',
      () => ZwSetInformationThread(-2, THREADINFOCLASS.ThreadPagePriority, 1, 4),
      0x15b,
    ],
  ])('that leaves another %s stops the machine', async (_name, set, code) => {
    const result = await stop(function* () {
      yield* set();
    });
    expect(result).toMatchObject({ code, parameters: [ROUTINE, 1n, 5n, ITEM] });
  });

  test.each([
    ['critical', KeEnterCriticalRegion, 0xffffn],
    ['guarded', KeEnterGuardedRegion, 0xffff0000n],
  ])('that returns in a %s region is APC_INDEX_MISMATCH', async (_name, enter, counts) => {
    expect(await stop(() => enter())).toMatchObject({
      code: 0x1,
      parameters: [ROUTINE, 0n, counts, 1n],
    });
  });

  test('that ends its thread is ACTIVE_EX_WORKER_THREAD_TERMINATION', async () => {
    const result = await stop(function* () {
      yield* PsTerminateSystemThread(0);
    });
    expect(result).toMatchObject({ code: 0xe9 });
  });

  test('that throws is SYSTEM_THREAD_EXCEPTION_NOT_HANDLED', async () => {
    const result = await stop(function onWork() {
      throw new NtStatusError(STATUS.INSUFFICIENT_RESOURCES);
    });
    expect(result).toMatchObject({
      code: 0x7e,
      parameters: [0xc000009an, 0n, 0n, 0n],
      stack: ['onWork', 'ExpWorkerThread'],
    });
  });

  test('is checked by others too', async () => {
    const machine = await queueAll([() => undefined]);
    workerPool(machine).onReturn((_thread, routine, parameter, item) => ({
      code: BUGCHECK.SYSTEM_EXIT_OWNED_MUTEX,
      parameters: [routine, parameter, item],
      what: 'with a token of another',
    }));
    expect(machine.run()).toMatchObject({ code: 0x39, parameters: [ROUTINE, 0n, ITEM, 0n] });
  });

  test.each([
    ['queued twice', WORK_QUEUE_TYPE.DelayedWorkQueue, [1n, ITEM, 1n, 0n]],
    ['of no type', WORK_QUEUE_TYPE.MaximumWorkQueue, [6n, ITEM, 0n, 0n]],
    ['of priority 32', WORK_QUEUE_TYPE.CustomPriorityWorkQueue + 32, [6n, ITEM, 0n, 0n]],
    ['of priority 0', WORK_QUEUE_TYPE.CustomPriorityWorkQueue, [6n, ITEM, 0n, 0n]],
  ])('%s is WORKER_INVALID', async (_name, type, parameters) => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      const item = itemOf(() => undefined);
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* ExQueueWorkItem(item, type);
      yield* ExQueueWorkItem(item, type);
    });
    expect(machine.run()).toMatchObject({ code: 0xe4, name: 'WORKER_INVALID', parameters });
  });

  test('without a routine is WORKER_INVALID', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      yield* ExQueueWorkItem(new WorkQueueItem(), WORK_QUEUE_TYPE.DelayedWorkQueue);
    });
    expect(machine.run()).toMatchObject({ code: 0xe4, parameters: [7n, ITEM, 0n, 0n] });
  });

  test('initialized while it is queued is INVALID_WORK_QUEUE_ITEM', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      const item = itemOf(() => undefined);
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
      ExInitializeWorkItem(item, () => undefined, null);
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
    });
    expect(machine.run()).toMatchObject({ code: 0x96, name: 'INVALID_WORK_QUEUE_ITEM' });
  });

  test('that is queued or runs when its driver is unloaded is a bugcheck', async () => {
    const machine = await Machine.create({ profile: { workerThreads: 1 } });
    const driver = machine.loadDriver({
      name: 'hasty',
      *DriverEntry() {
        for (let count = 0; count < 2; count++) {
          const item = itemOf(function* onWork() {
            yield* sleep(1000);
          });
          yield* ExQueueWorkItem(item, WORK_QUEUE_TYPE.DelayedWorkQueue);
        }
        return STATUS.SUCCESS;
      },
      DriverUnload: () => undefined,
    });
    machine.run({ until: 0.1 * SECOND });
    driver.unload();
    const result = machine.run();
    expect(result).toMatchObject({ code: 0xce });
    expect(String(result.reason === 'bugcheck' && result.cause)).toBe(
      "DriverUnloadError: driver 'hasty' was unloaded and left a queued work item of onWork, a running work item of onWork",
    );
  });
});

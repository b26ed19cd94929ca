import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeSetEvent, KeWaitForSingleObject, KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeRaiseIrql } from '../../src/ke/irql';
import {
  KeInsertHeadQueue,
  KeInsertQueue,
  KeReadStateQueue,
  KeRemoveQueue,
  KeRemoveQueueEx,
  KeRundownQueue,
} from '../../src/ke/queue';
import { disassemble } from '../../src/machine/disassemble';
import { NtStatusError } from '../../src/machine/guest';
import type { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KQueue } from '../../src/machine/queue';
import type { KernelObject, KThread } from '../../src/machine/views';
import { quietMachine, recordsOf, spawn } from '../records';
import { runGuest } from './guest';

const wait = (object: KernelObject, timeout: number | null = null) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);
const remove = (queue: KQueue, timeout: number | null = null) =>
  KeRemoveQueue(queue, MODE.KernelMode, timeout);

/** A host thread that takes `count` entries and notes "name entry" for each. */
function worker(machine: Machine, queue: KQueue, name: string, log: string[], count = 1): KThread {
  return machine.systemProcess.createThread(
    function* () {
      for (let taken = 0; taken < count; taken++) {
        const { status, entry } = yield* remove(queue);
        log.push(`${name} ${status === STATUS.SUCCESS ? entry : status}`);
      }
    },
    { name },
  );
}

describe('a queue', () => {
  test('gives its entries in their order, one put in front first', async () => {
    const { value } = await runGuest(function* (machine) {
      const queue = machine.createQueue();
      const object = { name: 'an object' };
      const counts = [
        yield* KeInsertQueue(queue, object),
        yield* KeInsertQueue(queue, -7),
        yield* KeInsertHeadQueue(queue, undefined),
        KeReadStateQueue(queue),
      ];
      const taken = [yield* remove(queue), yield* remove(queue), yield* remove(queue, 0)];
      const end = [yield* remove(queue, 0), KeReadStateQueue(queue), machine.values.size];
      return [counts, taken.map(({ entry }) => entry), taken[1]?.entry === object, ...end];
    });
    expect(value).toEqual([
      [0, 1, 2, 3],
      [undefined, { name: 'an object' }, -7],
      true,
      { status: STATUS.TIMEOUT, entry: undefined },
      0,
      0,
    ]);
  });

  test('has as many active threads as processors, unless it is told', async () => {
    const machine = await quietMachine({ processors: 3 });
    expect([machine.createQueue().maximumCount, machine.createQueue(9).maximumCount]).toEqual([
      3, 9,
    ]);
  });

  test('ke.queue-007: an empty one times out, and an entry comes out as it went in', async () => {
    const { value } = await runGuest(function* (machine) {
      const queue = machine.createQueue();
      const empty = yield* remove(queue, 0);
      const packet = { key: 1, value: 2, status: 0xc0000010, information: 3 };
      yield* KeInsertQueue(queue, packet);
      const depth = KeReadStateQueue(queue);
      const { entry } = yield* remove(queue, 0);
      return [empty.status, depth, entry, KeReadStateQueue(queue)];
    });
    const packet = { key: 1, value: 2, status: 0xc0000010, information: 3 };
    expect(value).toEqual([STATUS.TIMEOUT, 1, packet, 0]);
  });

  test('ke.queue-009: several entries come out at once, in their order', async () => {
    const { value } = await runGuest(function* (machine) {
      const queue = machine.createQueue();
      for (const entry of ['P1', 'P2']) yield* KeInsertQueue(queue, entry);
      return yield* KeRemoveQueueEx(queue, MODE.KernelMode, false, 0, 2);
    });
    expect(value).toEqual({ status: STATUS.SUCCESS, entries: ['P1', 'P2'] });
  });

  test('ke.queue-010: one at a time comes out if one is asked for', async () => {
    const { value } = await runGuest(function* (machine) {
      const queue = machine.createQueue();
      for (const entry of ['P1', 'P2']) yield* KeInsertQueue(queue, entry);
      const first = yield* KeRemoveQueueEx(queue, MODE.KernelMode, false, null, 1);
      const second = yield* KeRemoveQueueEx(queue, MODE.KernelMode, false, null, 1);
      return [first.entries, second.entries];
    });
    expect(value).toEqual([['P1'], ['P2']]);
  });

  test('ke.queue-001: who waits for the queue itself is woken, and the entry stays', async () => {
    const { value } = await runGuest(function* (machine) {
      const queue = machine.createQueue();
      const waiters = [0, 1].map(() =>
        machine.systemProcess.createThread(function* () {
          yield* wait(queue);
        }),
      );
      yield* wait(waiters[0] as KThread, -10);
      yield* KeInsertQueue(queue, 'packet');
      for (const waiter of waiters) yield* wait(waiter);
      return [KeReadStateQueue(queue), (yield* remove(queue)).entry];
    });
    expect(value).toEqual([1, 'packet']);
  });

  test('ke.queue-001: but not if a thread takes the entry', async () => {
    const { value } = await runGuest(function* (machine) {
      const queue = machine.createQueue();
      let status: number | undefined;
      const waiter = machine.systemProcess.createThread(function* () {
        status = yield* wait(queue, -500_000);
      });
      const log: string[] = [];
      worker(machine, queue, 'remover', log);
      yield* wait(waiter, -10);
      yield* KeInsertQueue(queue, 'packet');
      yield* wait(waiter);
      return [status, ...log];
    });
    expect(value).toEqual([STATUS.TIMEOUT, 'remover packet']);
  });

  test('wakes the thread that came last to wait', async () => {
    const machine = await quietMachine({ processors: 4 });
    const queue = machine.createQueue();
    const log: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      worker(machine, queue, name, log);
      machine.run({ until: machine.now + 100 });
    }
    for (const entry of [1, 2, 3]) {
      queue.insert(entry);
      machine.run({ until: machine.now + 100 });
    }
    expect(log).toEqual(['c 1', 'b 2', 'a 3']);
  });

  test('lets no more threads be active than its maximum', async () => {
    const machine = await quietMachine({ processors: 4 });
    const queue = machine.createQueue(2);
    const busy = program('busy', (p) => {
      const entry = p.register();
      p.forever(() => p.removeQueue(queue, entry).compute(1_000_000));
    });
    const loaded = machine.loadProgram(busy);
    const threads = ['a', 'b', 'c', 'd'].map((name) =>
      machine.createProcess().createThread(loaded, { name }),
    );
    machine.run({ until: 1000 });
    for (let entry = 0; entry < 4; entry++) queue.insert(entry);
    machine.run({ until: 500_000 });
    expect([queue.currentCount, queue.signalState]).toEqual([2, 2]);
    expect(threads.filter(({ state }) => state === KTHREAD_STATE.Waiting)).toHaveLength(2);
    machine.run({ until: 1_500_000 });
    expect([queue.currentCount, queue.signalState]).toEqual([2, 0]);
    machine.run({ until: 3_000_000 });
    expect([queue.currentCount, queue.threads.length]).toEqual([0, 4]);
  });

  test('lets another thread in while one of its threads waits elsewhere', async () => {
    const machine = await quietMachine({ processors: 4 });
    const queue = machine.createQueue(1);
    const event = machine.createEvent('synchronization');
    const log: string[] = [];
    machine.systemProcess.createThread(function* () {
      const { entry } = yield* remove(queue);
      log.push(`a ${entry}`);
      yield* wait(event);
      log.push(`a again, ${queue.currentCount} active`);
    });
    machine.run({ until: 100 });
    queue.insert(1);
    machine.run({ until: 200 });
    expect([queue.currentCount, log]).toEqual([0, ['a 1']]);
    machine.systemProcess.createThread(function* () {
      const { entry } = yield* remove(queue);
      log.push(`b ${entry}`);
      yield* KeSetEvent(event, 0, false);
      log.push(`b goes on, ${queue.currentCount} active`);
    });
    queue.insert(2);
    machine.run({ until: 1000 });
    expect(log).toEqual(['a 1', 'b 2', 'b goes on, 2 active', 'a again, 1 active']);
    expect([queue.currentCount, queue.threads.length]).toEqual([0, 0]);
  });

  test('gives a waiting thread the entry that was held back when an active one blocks', async () => {
    const machine = await quietMachine({ processors: 2 });
    const queue = machine.createQueue(1);
    const event = machine.createEvent('synchronization');
    const log: string[] = [];
    worker(machine, queue, 'waiter', log, 2);
    machine.run({ until: 100 });
    machine.systemProcess.createThread(function* () {
      log.push(`blocker ${(yield* remove(queue)).entry}`);
      yield* KeInsertQueue(queue, 2);
      log.push('inserted');
      yield* wait(event);
    });
    machine.run({ until: 200 });
    queue.insert(1);
    machine.run({ until: 1000 });
    expect(log).toEqual(['blocker 1', 'inserted', 'waiter 2']);
  });

  test('is left by a thread that takes from another', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const first = machine.createQueue(1);
      const second = machine.createQueue(1);
      first.insert(1);
      second.insert(2);
      yield* remove(first);
      const before = [first.currentCount, first.threads[0] === thread, second.currentCount];
      yield* remove(second);
      return [...before, first.currentCount, first.threads.length, second.currentCount];
    });
    expect(value).toEqual([1, true, 0, 0, 0, 1]);
  });

  test('counts a thread whose time is over, and one that polls', async () => {
    const { value } = await runGuest(function* (machine) {
      const queue = machine.createQueue(1);
      const polled = yield* remove(queue, 0);
      const active = queue.currentCount;
      const timed = yield* remove(queue, -100_000);
      return [polled.status, active, timed.status, queue.currentCount];
    });
    expect(value).toEqual([STATUS.TIMEOUT, 1, STATUS.TIMEOUT, 1]);
  });

  test('that is run down ends waits with STATUS_ABANDONED, and gives what was left', async () => {
    const machine = await quietMachine({ processors: 2 });
    const queue = machine.createQueue(1);
    const log: string[] = [];
    worker(machine, queue, 'a', log);
    worker(machine, queue, 'b', log);
    machine.run({ until: 1000 });
    queue.insert('taken');
    let left: unknown[] = [];
    machine.systemProcess.createThread(function* () {
      left = KeRundownQueue(queue);
      log.push(`late ${(yield* remove(queue)).status}`);
    });
    queue.insert('left');
    machine.run();
    expect([log, left, queue.threads, queue.runDown]).toEqual([
      ['late 128', 'b taken', 'a 128'],
      ['left'],
      [],
      true,
    ]);
  });

  test('is deleted with its entries once it has no threads', async () => {
    const machine = await quietMachine();
    const queue = machine.createQueue();
    const log: string[] = [];
    worker(machine, queue, 'a', log);
    machine.run();
    expect(() => queue.delete()).toThrow('delete: a thread waits for this KQueue or owns it');
    queue.rundown();
    machine.run();
    queue.insert({});
    queue.delete();
    expect([queue.exists, machine.values.size, log]).toEqual([false, 0, ['a 128']]);
  });

  test('without room for an entry raises STATUS_INSUFFICIENT_RESOURCES', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const queue = machine.createQueue();
        yield* KeInsertQueue(queue, {});
        let status: unknown;
        try {
          yield* KeInsertQueue(queue, {});
        } catch (error) {
          status = error instanceof NtStatusError && error.status;
        }
        expect(() => queue.insert({})).toThrow('raise capacities.queueEntries');
        return [status, KeReadStateQueue(queue), machine.values.size];
      },
      { capacities: { queueEntries: 1 } },
    );
    expect(value).toEqual([STATUS.INSUFFICIENT_RESOURCES, 1, 1]);
  });

  test('without a thread extension for who takes from it is STATUS_INSUFFICIENT_RESOURCES', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const queue = machine.createQueue();
        const log: string[] = [];
        yield* wait(worker(machine, queue, 'first', log), -10);
        return (yield* remove(queue)).status;
      },
      { capacities: { threadExtensions: 1 } },
    );
    expect(value).toBe(STATUS.INSUFFICIENT_RESOURCES);
  });

  test('frees the extensions of threads that have ended', async () => {
    const machine = await quietMachine({ capacities: { threadExtensions: 1 } });
    const queue = machine.createQueue();
    const log: string[] = [];
    for (const entry of [1, 2, 3]) {
      queue.insert(entry);
      const thread = worker(machine, queue, 'w', log);
      machine.run();
      thread.close();
    }
    expect([log, queue.currentCount]).toEqual([['w 1', 'w 2', 'w 3'], 0]);
  });

  test('has entries of a higher priority come first, and those of one in their order', async () => {
    const { value } = await runGuest(function* (machine) {
      const queue = machine.createQueue();
      for (const [entry, priority] of [
        ['a8', 8],
        ['b12', 12],
        ['c8', 8],
        ['d15', 15],
        ['e12', 12],
      ] as const) {
        queue.insertByPriority(entry, priority);
      }
      queue.insert('without');
      const taken = yield* KeRemoveQueueEx(queue, MODE.KernelMode, false, 0, 9);
      return taken.entries;
    });
    expect(value).toEqual(['d15', 'b12', 'e12', 'a8', 'c8', 'without']);
  });

  test('gives the priority of an entry to the thread that takes it or waits for it', async () => {
    const machine = await quietMachine();
    const queue = machine.createQueue();
    const seen: unknown[] = [];
    const thread = machine.systemProcess.createThread(function* () {
      for (let taken = 0; taken < 3; taken++) {
        yield* remove(queue);
        seen.push(thread.basePriority, thread.priority);
      }
    });
    queue.insertByPriority('taken', 20);
    machine.run();
    queue.insertByPriority('waited for', 5);
    machine.run();
    queue.insert('without');
    machine.run();
    expect(seen).toEqual([20, 20, 5, 5, 5, 5]);
  });

  test('lets a higher entry in while threads at work on lower ones are at the maximum', async () => {
    const machine = await quietMachine({ processors: 2 });
    const queue = machine.createQueue(1);
    const log: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      machine.systemProcess.createThread(function* () {
        const { entry } = yield* remove(queue);
        log.push(`${name} ${entry}`);
        yield* KeStallExecutionProcessor(1000);
      });
      machine.run({ until: machine.now + 1000 });
    }
    queue.insertByPriority('low', 8);
    queue.insertByPriority('as low', 8);
    queue.insertByPriority('high', 9);
    machine.run({ until: machine.now + 500_000 });
    expect([log, queue.currentCount, queue.signalState]).toEqual([['c low', 'b high'], 2, 1]);
    machine.run();
    expect(log).toEqual(['c low', 'b high', 'a as low']);
  });

  test('is not waited for at DISPATCH_LEVEL', async () => {
    const machine = await quietMachine();
    const queue = machine.createQueue();
    machine.systemProcess.createThread(function* () {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* remove(queue);
    });
    const parameters = [0x121n, 2n, BigInt(queue.address), 0n];
    expect(machine.run()).toMatchObject({ code: 0xc4, parameters });
  });

  test('hands numbers of programs to each other and to host threads', async () => {
    const machine = await quietMachine();
    const queue = machine.createQueue();
    const back = machine.createQueue();
    const process = machine.createProcess();
    const server = program('server', (p) => {
      const entry = p.register();
      p.removeQueue(queue, entry, { timeoutNs: 5000 }).add(entry, 1);
      p.insertQueue(back, entry).insertQueue(back, -1, 'head');
      p.removeQueue(queue, entry, { timeoutNs: 0 }).ifStatus(STATUS.TIMEOUT, () => p.mark(1));
    });
    process.createThread(machine.loadProgram(server));
    spawn(process, 'client', (p) => p.insertQueue(queue, 2n ** 60n));
    machine.run();
    expect(back.removeUpTo(9)).toEqual([-1, 2n ** 60n + 1n]);
    expect(recordsOf(machine, 'mark')).toHaveLength(1);
    expect(disassemble(server)).toContain('removeQueue r0, kernel, #0:1, 5000 ns');
    expect(disassemble(server)).toContain('insertQueue #0:2, r0');
    expect(disassemble(server)).toContain('insertQueue head, #0:2, -1');
  });
});

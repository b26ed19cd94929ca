import { describe, expect, test } from 'vitest';
import { IRQL, KDPC_IMPORTANCE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeStackAttachProcess } from '../../src/ke/apc';
import { KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import {
  KeFlushQueuedDpcs,
  KeInitializeDpc,
  KeInitializeThreadedDpc,
  KeInsertQueueDpc,
  KeIsExecutingDpc,
  KeRemoveQueueDpc,
} from '../../src/ke/dpc';
import {
  KeEnterCriticalRegion,
  KeGetCurrentIrql,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import { KeAcquireSpinLockForDpc, KeReleaseSpinLockForDpc } from '../../src/ke/spinlock';
import { KeSetTimer } from '../../src/ke/timer';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import { recordsOf } from '../records';
import { runGuest } from './guest';
import { PsTerminateSystemThread } from '../../src/ps/system-thread';

const UNIPROCESSOR = { processors: 1 };

describe('threaded DPCs', () => {
  test('one runs at PASSIVE_LEVEL in a thread of priority 31, before the call returns to a lower one', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const seen: unknown[] = [];
      const dpc = KeInitializeThreadedDpc((self, context, first, second) => {
        const current = machine.thread(thread.index + 1);
        seen.push(self === dpc, context, first, second, KeGetCurrentIrql(), KeIsExecutingDpc());
        seen.push(current?.priority, current?.name);
      }, 'context');
      seen.push(yield* KeInsertQueueDpc(dpc, { tag: 1 }, 2));
      seen.push(KeIsExecutingDpc());
      return [seen, machine.values.size];
    }, UNIPROCESSOR);
    const called = [true, 'context', { tag: 1 }, 2, 0, true, 31, 'DPC thread 0'];
    expect(value).toEqual([[...called, true, false], 0]);
  });

  test('it is no ordinary DPC: at DISPATCH_LEVEL it waits until the level falls', async () => {
    const { value } = await runGuest(function* () {
      const order: string[] = [];
      const dpc = KeInitializeThreadedDpc(() => void order.push('threaded'), null);
      const ordinary = KeInitializeDpc(() => void order.push('ordinary'), null);
      const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      const queued = [yield* KeInsertQueueDpc(dpc, 0, 0), yield* KeInsertQueueDpc(dpc, 0, 0)];
      yield* KeInsertQueueDpc(ordinary, 0, 0);
      yield* KeLowerIrql(old);
      return [queued, order];
    }, UNIPROCESSOR);
    expect(value).toEqual([
      [true, false],
      ['ordinary', 'threaded'],
    ]);
  });

  test('ordinary DPCs preempt one, real-time threads below 31 do not', async () => {
    const order: string[] = [];
    await runGuest(function* (machine) {
      const process = machine.createProcess({ priorityClass: 4 });
      const ordinary = KeInitializeDpc(() => void order.push('ordinary'), null);
      const timer = machine.createTimer('notification');
      const dpc = KeInitializeThreadedDpc(function* () {
        process.createThread(
          function* () {
            yield* KeStallExecutionProcessor(1);
            order.push('real-time thread');
          },
          { increment: 6 },
        );
        yield* KeSetTimer(timer, -100_000, ordinary);
        yield* KeStallExecutionProcessor(40_000);
        order.push('threaded');
      }, null);
      yield* KeInsertQueueDpc(dpc, 0, 0);
    }, UNIPROCESSOR);
    expect(order).toEqual(['ordinary', 'threaded', 'real-time thread']);
  });

  test('importance says at which end of the queue one is put', async () => {
    const { value } = await runGuest(function* (machine) {
      const order: string[] = [];
      const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      for (const name of ['medium', 'low', 'high', 'medium high'] as const) {
        const dpc = machine.createThreadedDpc(() => void order.push(name));
        dpc.importance = ['low', 'medium', 'high', 'medium high'].indexOf(name);
        yield* KeInsertQueueDpc(dpc, 0, 0);
      }
      yield* KeLowerIrql(old);
      return order;
    }, UNIPROCESSOR);
    expect(value).toEqual(['high', 'medium', 'low', 'medium high']);
  });

  test('one with a target runs in the thread of that processor, in any group', async () => {
    const machine = await Machine.create({ processors: 4, groupSize: 2 });
    const ran: number[] = [];
    for (const processor of [3, 2, 1, 0]) {
      const dpc = machine.createThreadedDpc(() => void ran.push(machine.currentProcessor));
      dpc.targetProcessor = processor;
      dpc.insert();
    }
    machine.run();
    expect(ran.sort()).toEqual([0, 1, 2, 3]);
  });

  test('one removed from the queue never runs', async () => {
    const { value } = await runGuest(function* () {
      let calls = 0;
      const dpc = KeInitializeThreadedDpc(() => void calls++, null);
      const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* KeInsertQueueDpc(dpc, 'a', 'b');
      const removed = [KeRemoveQueueDpc(dpc), KeRemoveQueueDpc(dpc)];
      yield* KeLowerIrql(old);
      yield* KeFlushQueuedDpcs();
      return [removed, calls];
    }, UNIPROCESSOR);
    expect(value).toEqual([[true, false], 0]);
  });

  test('a program is a routine too, again and again, between those of the host', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const order: number[] = [];
    const semaphore = machine.createSemaphore(0);
    const routine = machine.loadProgram(
      program('routine', (p) => {
        const [context, first] = [p.register(), p.register()];
        p.compute(5000).releaseSemaphore({ register: context.register }, first).mark(7);
      }),
    );
    const dpc = machine.createThreadedDpc(routine, semaphore.handle);
    const host = machine.createThreadedDpc(() => void order.push(semaphore.signalState));
    const caller = program('caller', (p) =>
      p.loop(3, () => p.insertQueueDpc(dpc, 3).insertQueueDpc(host).mark(1)),
    );
    machine.createProcess().createThread(machine.loadProgram(caller));
    expect(machine.run().reason).toBe('idle');
    expect(order).toEqual([3, 6, 9]);
    expect(recordsOf(machine, 'mark').map(({ value }) => value)).toEqual([7, 1, 7, 1, 7, 1]);
  });

  test('the routines for DPCs raise the level in one, and restore it', async () => {
    const { value } = await runGuest(function* (machine) {
      const lock = machine.createSpinLock();
      const levels: number[] = [];
      const dpc = KeInitializeThreadedDpc(function* () {
        const old = yield* KeAcquireSpinLockForDpc(lock);
        levels.push(old, KeGetCurrentIrql());
        yield* KeReleaseSpinLockForDpc(lock, old);
        levels.push(KeGetCurrentIrql());
      }, null);
      yield* KeInsertQueueDpc(dpc, 0, 0);
      return levels;
    }, UNIPROCESSOR);
    expect(value).toEqual([0, 2, 0]);
  });

  test('a wait in one is bugcheck ATTEMPTED_SWITCH_FROM_DPC, a poll is not', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const event = machine.createEvent('notification');
    const statuses: number[] = [];
    const dpc = machine.createThreadedDpc(function* () {
      for (const timeout of [0, null]) {
        const wait = KeWaitForSingleObject(
          event,
          KWAIT_REASON.Executive,
          MODE.KernelMode,
          false,
          timeout,
        );
        statuses.push(yield* wait);
      }
    });
    dpc.insert();
    expect(machine.run()).toMatchObject({
      name: 'ATTEMPTED_SWITCH_FROM_DPC',
      thread: 'DPC thread 0',
    });
    expect(statuses).toEqual([0x102]);
  });

  test('so are the end of its thread, and attaching to a process', async () => {
    for (const leave of [
      () => PsTerminateSystemThread(0),
      (machine: Machine) => KeStackAttachProcess(machine.createProcess()),
    ]) {
      const machine = await Machine.create(UNIPROCESSOR);
      const dpc = machine.createThreadedDpc(function* () {
        yield* leave(machine);
      });
      dpc.insert();
      expect(machine.run()).toMatchObject({ name: 'ATTEMPTED_SWITCH_FROM_DPC' });
    }
  });

  test('ThreadDpcEnable of 0 makes them ordinary DPCs', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const threads = [...machine.allThreads()].length;
        const levels: number[] = [];
        const dpc = KeInitializeThreadedDpc(() => void levels.push(KeGetCurrentIrql()), null);
        yield* KeInsertQueueDpc(dpc, 0, 0);
        return [levels, [...machine.allThreads()].length - threads];
      },
      { ...UNIPROCESSOR, profile: { threadDpcEnable: false } },
    );
    expect(value).toEqual([[2], 0]);
  });

  test('their time is that of the thread, and each costs what a DPC costs to begin', async () => {
    const { machine } = await runGuest(function* () {
      const dpc = KeInitializeThreadedDpc(function* () {
        yield* KeStallExecutionProcessor(100);
      }, null);
      yield* KeInsertQueueDpc(dpc, 0, 0);
    }, UNIPROCESSOR);
    const thread = [...machine.allThreads()].find(({ name }) => name === 'DPC thread 0');
    // Taking it, 800 ns; the routine, 100 us, and its end, 200 ns; back to waiting, 801 ns.
    expect(thread?.runTimeNs).toBe(101_801);
  });

  test('there must be room for a thread a processor', async () => {
    const machine = await Machine.create({ processors: 8, capacities: { threads: 8 } });
    expect(() => machine.createThreadedDpc(() => undefined)).toThrow(
      'the table of threads is full (STATUS_INSUFFICIENT_RESOURCES); raise capacities.threads',
    );
  });

  test('one that leaves a critical region entered is bugcheck TIMER_OR_DPC_INVALID', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const dpc = machine.createThreadedDpc(() => KeEnterCriticalRegion());
    const { address } = dpc;
    dpc.insert();
    expect(machine.run()).toMatchObject({
      name: 'TIMER_OR_DPC_INVALID',
      parameters: [4n, BigInt(address), 0n, 0xffffn],
    });
  });
});

describe('KeFlushQueuedDpcs', () => {
  test('returns when what was queued on every processor has run, threaded DPCs too', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const order: string[] = [];
        for (const processor of [1, 2]) {
          const low = machine.createDpc(function* () {
            yield* KeStallExecutionProcessor(300);
            order.push(`low ${processor}`);
          });
          low.importance = KDPC_IMPORTANCE.LowImportance;
          const threaded = machine.createThreadedDpc(function* () {
            yield* KeStallExecutionProcessor(500);
            order.push(`threaded ${processor}`);
          });
          for (const dpc of [low, threaded]) {
            dpc.targetProcessor = processor;
            yield* KeInsertQueueDpc(dpc, 0, 0);
          }
        }
        const before = machine.now;
        yield* KeFlushQueuedDpcs();
        order.push('flushed');
        const tick = machine.profile.clockIntervalNs;
        return [order.sort(), order.at(-1), machine.now - before < tick];
      },
      { processors: 3 },
    );
    const ran = ['flushed', 'low 1', 'low 2', 'threaded 1', 'threaded 2'];
    expect(value).toEqual([ran, 'threaded 2', true]);
  });

  test('costs one DDI when there is nothing to wait for, and leaves no object behind', async () => {
    const { value } = await runGuest(function* (machine) {
      const first = machine.createEvent('notification').index;
      const before = machine.now;
      yield* KeFlushQueuedDpcs();
      const cost = machine.now - before;
      const last = machine.createEvent('notification').index;
      return [cost, last - first];
    }, UNIPROCESSOR);
    expect(value).toEqual([200, 1]);
  });

  test('above PASSIVE_LEVEL is a violation', async () => {
    await expect(
      runGuest(function* () {
        KeRaiseIrql(IRQL.APC_LEVEL);
        yield* KeFlushQueuedDpcs();
      }),
    ).rejects.toThrow('KeFlushQueuedDpcs was called at APC_LEVEL (1); it needs PASSIVE_LEVEL');
  });
});

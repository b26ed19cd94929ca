import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { IRQL, KDPC_IMPORTANCE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeSetEvent, KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import {
  KeInitializeDpc,
  KeInsertQueueDpc,
  KeIsExecutingDpc,
  KeQueryDpcWatchdogInformation,
  KeRemoveQueueDpc,
  KeSetTargetProcessorDpc,
  KeSetTargetProcessorDpcEx,
  KeShouldYieldProcessor,
} from '../../src/ke/dpc';
import {
  KeEnterGuardedRegion,
  KeGetCurrentIrql,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import { KeAcquireSpinLock, KeReleaseSpinLock } from '../../src/ke/spinlock';
import { KeSetTimer } from '../../src/ke/timer';
import type { DeferredRoutine, KDpc } from '../../src/machine/dpc';
import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import { program } from '../../src/machine/program';
import { PsTerminateSystemThread } from '../../src/ps/system-thread';
import { recordsOf } from '../records';
import { runGuest } from './guest';

const UNIPROCESSOR = { processors: 1 };

/** A DPC that counts its calls, and what it was called with last. */
function counter(): { calls: unknown[][]; routine: DeferredRoutine } {
  const calls: unknown[][] = [];
  return {
    calls,
    routine: (...args) => void calls.push([...args, args[0].queuedOn, KeGetCurrentIrql()]),
  };
}

describe('DPCs', () => {
  test('ke.dpc-002: one queued below DISPATCH_LEVEL has run when the call returns', async () => {
    const { value } = await runGuest(function* () {
      const { calls, routine } = counter();
      const dpc: KDpc = KeInitializeDpc(routine, 'context');
      const seen: unknown[] = [];
      for (let round = 0; round < 5; round++) {
        const queued = yield* KeInsertQueueDpc(dpc, 0xabc123, 0x5678);
        seen.push([queued, calls.length, dpc.queuedOn]);
      }
      const call = [dpc, 'context', 0xabc123, 0x5678, undefined, IRQL.DISPATCH_LEVEL];
      expect(calls).toEqual(Array(5).fill(call));
      return [seen, dpc.importance, KeGetCurrentIrql()];
    }, UNIPROCESSOR);
    const seen = [1, 2, 3, 4, 5].map((count) => [true, count, undefined]);
    expect(value).toEqual([seen, KDPC_IMPORTANCE.MediumImportance, 0]);
  });

  test('ke.dpc-003: one queued at DISPATCH_LEVEL runs once, as the level falls below it', async () => {
    const { value } = await runGuest(function* (machine) {
      const { calls, routine } = counter();
      const dpc = KeInitializeDpc(routine, null);
      const seen: unknown[] = [];
      KeRaiseIrql(IRQL.APC_LEVEL);
      for (let round = 0; round < 5; round++) {
        calls.length = 0;
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        const first = yield* KeInsertQueueDpc(dpc, { tag: 'first' }, 0x5678);
        const second = yield* KeInsertQueueDpc(dpc, { tag: 'second' }, 0x123);
        const queued = calls.length;
        KeRaiseIrql(IRQL.HIGH_LEVEL);
        yield* KeLowerIrql(IRQL.DISPATCH_LEVEL);
        const held = calls.length;
        yield* KeLowerIrql(IRQL.APC_LEVEL);
        seen.push([first, second, queued, held, calls.length, calls[0]?.[2], KeGetCurrentIrql()]);
      }
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return [seen, machine.values.size];
    }, UNIPROCESSOR);
    expect(value).toEqual([Array(5).fill([true, false, 0, 0, 1, { tag: 'first' }, 1]), 0]);
  });

  test('ke.dpc-004: one removed from the queue never runs', async () => {
    const { value } = await runGuest(function* (machine) {
      const { calls, routine } = counter();
      const dpc = KeInitializeDpc(routine, null);
      const seen: unknown[] = [];
      KeRaiseIrql(IRQL.APC_LEVEL);
      for (let round = 0; round < 5; round++) {
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        const idle = KeRemoveQueueDpc(dpc);
        const queued = yield* KeInsertQueueDpc(dpc, 'a', 'b');
        KeRaiseIrql(IRQL.HIGH_LEVEL);
        yield* KeLowerIrql(IRQL.DISPATCH_LEVEL);
        const removed = KeRemoveQueueDpc(dpc);
        yield* KeLowerIrql(IRQL.APC_LEVEL);
        seen.push([idle, queued, removed, calls.length]);
      }
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return [seen, machine.values.size];
    }, UNIPROCESSOR);
    expect(value).toEqual([Array(5).fill([false, true, true, 0]), 0]);
  });

  test('ke.dpc-005: queueing at HIGH_LEVEL is allowed', async () => {
    const { value } = await runGuest(function* () {
      const dpc = KeInitializeDpc(() => undefined, null);
      KeRaiseIrql(IRQL.HIGH_LEVEL);
      const queued = yield* KeInsertQueueDpc(dpc, null, null);
      const removed = KeRemoveQueueDpc(dpc);
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return [queued, removed];
    }, UNIPROCESSOR);
    expect(value).toEqual([true, true]);
  });

  test('ke.dpc-005: one without a routine is bugcheck TIMER_OR_DPC_INVALID as it is queued, at any level', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    let address = 0;
    machine.systemProcess.createThread(function* () {
      const dpc = KeInitializeDpc(null, null);
      address = dpc.address;
      KeRaiseIrql(IRQL.HIGH_LEVEL);
      yield* KeInsertQueueDpc(dpc, null, null);
    });
    expect(machine.run()).toMatchObject({
      name: 'TIMER_OR_DPC_INVALID',
      parameters: [2n, 0n, BigInt(address), 0n],
    });
  });

  test('so is one that has been deleted', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const dpc = machine.createDpc(() => undefined);
    machine.systemProcess.createThread(function* () {
      dpc.delete();
      yield* KeInsertQueueDpc(dpc, {}, null);
    });
    const result = machine.run();
    expect(result).toMatchObject({
      name: 'TIMER_OR_DPC_INVALID',
      parameters: [1n, BigInt(dpc.handle), 0n, 0n],
      cause: { message: 'KeInsertQueueDpc: this KDpc has been deleted' },
    });
    expect(machine.values.size).toBe(0);
  });

  test('one whose routine leaves the APC counts of its thread changed is bugcheck TIMER_OR_DPC_INVALID', async () => {
    for (const [kind, queue] of [
      [4n, (_machine: Machine, dpc: KDpc) => KeInsertQueueDpc(dpc, 0, 0)],
      [
        5n,
        (machine: Machine, dpc: KDpc) => KeSetTimer(machine.createTimer('notification'), 0, dpc),
      ],
    ] as const) {
      const machine = await Machine.create({ ...UNIPROCESSOR, checkIrql: false });
      const dpc = machine.createDpc(() => KeEnterGuardedRegion());
      const parameters = [kind, BigInt(dpc.address), 0n, 0xffff0000n];
      machine.systemProcess.createThread(function* () {
        yield* queue(machine, dpc);
      });
      expect(machine.run()).toMatchObject({ name: 'TIMER_OR_DPC_INVALID', parameters });
    }
  });

  test('KeSetTargetProcessorDpcEx takes a processor of any group, and refuses one that there is not', async () => {
    const machine = await Machine.create({ processors: 4, groupSize: 2 });
    const dpc = machine.createDpc(() => undefined);
    const statuses = [
      { Group: 1, Number: 1 },
      { Group: 1, Number: 2 },
      { Group: 2, Number: 0 },
    ];
    const seen: number[] = [];
    machine.systemProcess.createThread(function* () {
      for (const number of statuses) seen.push(KeSetTargetProcessorDpcEx(dpc, number));
      yield* KeStallExecutionProcessor(1);
    });
    machine.run();
    expect([seen, dpc.targetProcessor]).toEqual([[0, 0xc000000d, 0xc000000d], 3]);
  });

  test('KeIsExecutingDpc tells a DPC, and what interrupts it, from a thread at DISPATCH_LEVEL', async () => {
    const { value } = await runGuest(function* (machine) {
      const seen: boolean[] = [];
      const interrupt = machine.connectInterrupt({
        irql: 5,
        serviceRoutine: () => {
          seen.push(KeIsExecutingDpc());
          return true;
        },
      });
      const dpc = KeInitializeDpc(function* () {
        seen.push(KeIsExecutingDpc());
        machine.scheduleInterrupt(0, 0, interrupt);
        yield* KeStallExecutionProcessor(10);
      }, null);
      const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      seen.push(KeIsExecutingDpc());
      yield* KeLowerIrql(old);
      yield* KeInsertQueueDpc(dpc, 0, 0);
      machine.scheduleInterrupt(0, 0, interrupt);
      yield* KeStallExecutionProcessor(10);
      return seen;
    }, UNIPROCESSOR);
    expect(value).toEqual([false, true, true, false]);
  });

  test('KeQueryDpcWatchdogInformation says what the DPC at hand has left', async () => {
    const { value } = await runGuest(
      function* () {
        const seen: unknown[] = [];
        const dpc = KeInitializeDpc(function* () {
          yield* KeStallExecutionProcessor(40_000);
          seen.push(KeQueryDpcWatchdogInformation());
        }, null);
        yield* KeInsertQueueDpc(dpc, 0, 0);
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        seen.push(KeQueryDpcWatchdogInformation());
        yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
        return seen;
      },
      { ...UNIPROCESSOR, profile: { dpcTimeLimitTicks: 8, dpcWatchdogTicks: 0 } },
    );
    const left = { DpcTimeLimit: 8, DpcTimeCount: 6, DpcWatchdogLimit: 0, DpcWatchdogCount: 0 };
    expect(value).toEqual([
      { status: 0, value: left },
      { status: 0xc0000001, value: null },
    ]);
  });

  test('KeShouldYieldProcessor tells when others wait for the processor, or the watchdog is half way', async () => {
    const { value } = await runGuest(
      function* (machine) {
        const seen: boolean[] = [];
        const dpc = KeInitializeDpc(() => undefined, null);
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        seen.push(KeShouldYieldProcessor());
        yield* KeInsertQueueDpc(dpc, 0, 0);
        seen.push(KeShouldYieldProcessor());
        yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        machine.systemProcess.createThread(function* () {}, { increment: 1 });
        yield* KeStallExecutionProcessor(1);
        seen.push(KeShouldYieldProcessor());
        yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        for (let tick = 0; tick < 4; tick++) {
          yield* KeStallExecutionProcessor(15_625);
          seen.push(KeShouldYieldProcessor());
        }
        yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
        return seen;
      },
      { ...UNIPROCESSOR, profile: { dpcWatchdogTicks: 6, quantumUnits: 'infinite' } },
    );
    expect(value).toEqual([false, true, true, false, false, true, true]);
  });

  test('a DPC that ends the thread it interrupted is bugcheck ATTEMPTED_SWITCH_FROM_DPC', async () => {
    const machine = await Machine.create({ ...UNIPROCESSOR, checkIrql: false });
    const dpc = machine.createDpc(function* () {
      yield* PsTerminateSystemThread(0);
    });
    dpc.insert();
    expect(machine.run()).toMatchObject({ code: BUGCHECK.ATTEMPTED_SWITCH_FROM_DPC });
  });

  test('a routine may be a generator, that signals a thread from DISPATCH_LEVEL', async () => {
    const order: string[] = [];
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('synchronization');
      machine.systemProcess.createThread(
        function* () {
          yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
          order.push('waiter');
        },
        { increment: 5 },
      );
      yield* KeStallExecutionProcessor(100);
      const dpc = KeInitializeDpc(function* () {
        order.push('DPC');
        yield* KeSetEvent(event, 1, false);
        order.push('still in the DPC');
        yield* KeStallExecutionProcessor(10);
      }, null);
      yield* KeInsertQueueDpc(dpc, 0, 0);
      order.push('thread');
      return machine.processorTimes(0).interruptNs;
    }, UNIPROCESSOR);
    expect(order).toEqual(['DPC', 'still in the DPC', 'waiter', 'thread']);
    // 800 ns to dispatch it, three instructions of which two cost 200 ns, and 10 us.
    expect(value).toBe(11_200);
  });

  test('high importance goes to the head of the queue, the others to its tail', async () => {
    const { value } = await runGuest(function* (machine) {
      const order: string[] = [];
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      for (const name of ['medium', 'low', 'high', 'medium high'] as const) {
        const dpc = machine.createDpc(() => void order.push(name));
        dpc.importance = ['low', 'medium', 'high', 'medium high'].indexOf(name);
        yield* KeInsertQueueDpc(dpc, 0, 0);
      }
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return order;
    }, UNIPROCESSOR);
    expect(value).toEqual(['high', 'medium', 'low', 'medium high']);
  });

  test('another processor is interrupted for high importance, and sees to medium at its next tick', async () => {
    const machine = await Machine.create({ processors: 2 });
    const times: [string, number, number][] = [];
    const create = (name: string, importance: KDPC_IMPORTANCE) => {
      const dpc = machine.createDpc(() => void times.push([name, machine.now, machine.irql(1)]));
      dpc.importance = importance;
      dpc.targetProcessor = 1;
      return dpc;
    };
    const medium = create('medium', KDPC_IMPORTANCE.MediumImportance);
    const high = create('high', KDPC_IMPORTANCE.MediumHighImportance);
    machine.systemProcess.createThread(
      function* () {
        yield* KeInsertQueueDpc(medium, 0, 0);
        yield* KeStallExecutionProcessor(100);
      },
      { affinity: 1n },
    );
    machine.run({ until: 20_000_000 });
    machine.systemProcess.createThread(
      function* () {
        yield* KeInsertQueueDpc(high, 0, 0);
      },
      { affinity: 1n },
    );
    machine.run();
    // A tick at 15.625 ms takes 2 us, and a DPC begins 800 ns later.
    expect(times).toEqual([
      ['medium', 15_627_800, 2],
      ['high', 20_003_000, 2],
    ]);
  });

  test('one that waits for a tick of another processor runs when that goes idle before it', async () => {
    const machine = await Machine.create({ processors: 2 });
    const times: number[] = [];
    const dpc = machine.createDpc(() => void times.push(machine.now));
    dpc.targetProcessor = 1;
    machine.systemProcess.createThread(
      function* () {
        yield* KeStallExecutionProcessor(10);
        yield* KeInsertQueueDpc(dpc, 0, 0);
      },
      { affinity: 1n },
    );
    machine.systemProcess.createThread(
      function* () {
        yield* KeStallExecutionProcessor(100);
      },
      { affinity: 2n },
    );
    machine.run({ until: 15_000_000 });
    // A switch takes 2.4 us, and a DPC begins 800 ns after the thread's end.
    expect(times).toEqual([103_200]);
  });

  test('a DPC with a target runs there; one of a processor that there is not changes nothing', async () => {
    const machine = await Machine.create({ processors: 2 });
    const ran: number[] = [];
    const dpc = machine.createDpc(() => void ran.push(machine.irql(0), machine.irql(1)));
    machine.systemProcess.createThread(
      function* () {
        KeSetTargetProcessorDpc(dpc, 1);
        KeSetTargetProcessorDpc(dpc, 2);
        yield* KeInsertQueueDpc(dpc, 0, 0);
      },
      { affinity: 1n },
    );
    machine.run();
    expect([dpc.targetProcessor, ...ran]).toEqual([1, 0, 2]);
  });

  test('a program is a routine too: context and arguments are in its registers', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const semaphore = machine.createSemaphore(0);
    const routine = machine.loadProgram(
      program('routine', (p) => {
        const [context, first] = [p.register(), p.register()];
        p.compute(5000).releaseSemaphore({ register: context.register }, first).mark(7);
      }),
    );
    const dpc = machine.createDpc(routine, semaphore.handle);
    const caller = program('caller', (p) => p.insertQueueDpc(dpc, 3).mark(1));
    machine.createProcess().createThread(machine.loadProgram(caller));
    expect(machine.run().reason).toBe('idle');
    expect(semaphore.signalState).toBe(3);
    expect(recordsOf(machine, 'mark').map(({ value }) => value)).toEqual([7, 1]);
  });

  test('time in a DPC is the processor’s, not the thread’s that it interrupted', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const dpc = machine.createDpc(function* () {
      yield* KeStallExecutionProcessor(1000);
    });
    const thread = machine.systemProcess.createThread(function* () {
      yield* KeInsertQueueDpc(dpc, 0, 0);
      yield* KeStallExecutionProcessor(50);
    });
    machine.run({ until: 10_000_000 });
    expect(thread.runTimeNs).toBe(50_400);
    const times = machine.processorTimes(0);
    const sum = times.idleNs + times.busyNs + times.interruptNs + times.overheadNs;
    expect(sum).toBe(machine.now);
  });

  test('an idle processor runs what is queued to it from outside any guest', async () => {
    const machine = await Machine.create({ processors: 2 });
    const calls: unknown[] = [];
    const dpc = machine.createDpc((_dpc, context, first) => void calls.push(context, first), 'c');
    dpc.targetProcessor = 1;
    expect([dpc.insert(Symbol.for('x')), dpc.insert(1), dpc.queuedOn]).toEqual([true, false, 1]);
    machine.run();
    expect([calls, dpc.queuedOn]).toEqual([['c', Symbol.for('x')], undefined]);
  });

  test('a wait in a DPC is bugcheck ATTEMPTED_SWITCH_FROM_DPC', async () => {
    const machine = await Machine.create({ ...UNIPROCESSOR, checkIrql: false });
    const event = machine.createEvent('notification');
    const dpc = machine.createDpc(function* () {
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    });
    const thread = machine.systemProcess.createThread(function* () {
      yield* KeInsertQueueDpc(dpc, 0, 0);
    });
    expect(machine.run()).toMatchObject({
      name: 'ATTEMPTED_SWITCH_FROM_DPC',
      parameters: [BigInt(thread.address), 0n, 0n, 0n],
      thread: thread.name,
    });
  });

  /** What a DPC ends in. */
  async function ends(routine: DeferredRoutine, options: MachineOptions = {}) {
    const machine = await Machine.create({ ...UNIPROCESSOR, ...options });
    const dpc = machine.createDpc(routine);
    machine.systemProcess.createThread(function* () {
      yield* KeInsertQueueDpc(dpc, 0, 0);
    });
    return { dpc: BigInt(dpc.address), result: machine.run() };
  }

  test('a DPC that returns above DISPATCH_LEVEL is bugcheck IRQL_NOT_DISPATCH_LEVEL', async () => {
    const { dpc, result } = await ends(() => void KeRaiseIrql(IRQL.HIGH_LEVEL));
    expect(result).toMatchObject({
      name: 'IRQL_NOT_DISPATCH_LEVEL',
      code: 8,
      parameters: [15n, dpc, 0n, 0n],
    });
  });

  test('a DPC that goes below DISPATCH_LEVEL is the same, under Driver Verifier violation 0x31', async () => {
    const lowers = function* () {
      yield* KeLowerIrql(IRQL.APC_LEVEL);
    };
    const free = await ends(lowers, { checkIrql: false });
    expect(free.result).toMatchObject({
      name: 'IRQL_NOT_DISPATCH_LEVEL',
      parameters: [1n, 0n, 0n, 0n],
    });
    const verified = await ends(lowers);
    expect(verified.result).toMatchObject({
      name: 'DRIVER_VERIFIER_DETECTED_VIOLATION',
      parameters: [0x31n, 2n, 1n, 1n],
    });
  });

  test('a DPC that releases its spin lock to PASSIVE_LEVEL is bugcheck IRQL_NOT_DISPATCH_LEVEL', async () => {
    const { result } = await ends(function* (dpc) {
      const spinLock = dpc.machine.createSpinLock();
      yield* KeAcquireSpinLock(spinLock);
      yield* KeReleaseSpinLock(spinLock, IRQL.PASSIVE_LEVEL);
    });
    expect(result).toMatchObject({
      name: 'IRQL_NOT_DISPATCH_LEVEL',
      parameters: [0n, 0n, 0n, 0n],
    });
  });

  test('a poll in a DPC is allowed', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('synchronization', true);
      const statuses: number[] = [];
      const dpc = machine.createDpc(function* () {
        for (let poll = 0; poll < 2; poll++) {
          const wait = KeWaitForSingleObject(
            event,
            KWAIT_REASON.Executive,
            MODE.KernelMode,
            false,
            0,
          );
          statuses.push(yield* wait);
        }
      });
      yield* KeInsertQueueDpc(dpc, 0, 0);
      return statuses;
    }, UNIPROCESSOR);
    expect(value).toEqual([0, 0x102]);
  });

  test('a DPC that lasts longer than the profile allows is bugcheck DPC_WATCHDOG_VIOLATION', async () => {
    const machine = await Machine.create({ ...UNIPROCESSOR, profile: { dpcTimeLimitTicks: 3 } });
    const endless = program('endless', (p) => p.forever(() => p.compute(1e9)));
    const dpc = machine.createDpc(machine.loadProgram(endless));
    machine.systemProcess.createThread(function* () {
      yield* KeInsertQueueDpc(dpc, 0, 0);
    });
    const result = machine.run();
    expect(result).toMatchObject({
      name: 'DPC_WATCHDOG_VIOLATION',
      parameters: [0n, 4n, 3n, 0n],
    });
    expect(Math.floor(result.now / 1e6)).toBe(62);
  });

  test('so is a thread that stays at DISPATCH_LEVEL', async () => {
    const machine = await Machine.create({ ...UNIPROCESSOR, profile: { dpcWatchdogTicks: 3 } });
    const raised = program('raised', (p) => p.raiseIrql(2).compute(1e9).lowerIrql(0));
    machine.createProcess().createThread(machine.loadProgram(raised));
    expect(machine.run()).toMatchObject({
      name: 'DPC_WATCHDOG_VIOLATION',
      parameters: [1n, 3n, 0n, 0n],
    });
  });

  test('deleting a DPC takes it out of its queue', async () => {
    const { value } = await runGuest(function* (machine) {
      const { calls, routine } = counter();
      const dpc = KeInitializeDpc(routine, null);
      const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* KeInsertQueueDpc(dpc, {}, {});
      dpc.delete();
      yield* KeLowerIrql(old);
      return [calls.length, dpc.exists, machine.values.size];
    }, UNIPROCESSOR);
    expect(value).toEqual([0, false, 0]);
  });
});

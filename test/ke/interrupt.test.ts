import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeSetEvent, KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeInsertQueueDpc } from '../../src/ke/dpc';
import { IoConnectInterrupt, KINTERRUPT_MODE } from '../../src/ke/interrupt';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { KeSynchronizeExecution } from '../../src/ke/spinlock';
import { NtStatusError } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import { program } from '../../src/machine/program';
import type { ServiceRoutine } from '../../src/machine/spinlock';
import { runGuest } from './guest';

const UNIPROCESSOR = { processors: 1 };

describe('connected interrupts', () => {
  test('ke.irql-007: KeSynchronizeExecution runs at the level of the interrupt, with its lock', async () => {
    const { value } = await runGuest(function* (machine) {
      const spinLock = machine.createSpinLock();
      const seen: unknown[] = [];
      for (const synchronizeIrql of [3, 7, 12]) {
        const interrupt = machine.connectInterrupt({
          ...{ irql: 3, synchronizeIrql, spinLock },
          serviceRoutine: () => true,
        });
        for (let level = 0; level <= synchronizeIrql; level++) {
          const old = KeRaiseIrql(level);
          const result = yield* KeSynchronizeExecution(
            interrupt,
            (context) => [context, KeGetCurrentIrql(), spinLock.owner],
            level % 3,
          );
          seen.push([...result, KeGetCurrentIrql() - level, spinLock.owner]);
          yield* KeLowerIrql(old);
        }
        interrupt.disconnect();
      }
      return seen;
    }, UNIPROCESSOR);
    const expected = [3, 7, 12].flatMap((synchronize) =>
      Array.from({ length: synchronize + 1 }, (_, level) => {
        return [level % 3, synchronize, 0, 0, undefined];
      }),
    );
    expect(value).toEqual(expected);
  });

  test('ke.irql-008: IoConnectInterrupt refuses level 0', async () => {
    const { value } = await runGuest(function* () {
      const mode = KINTERRUPT_MODE.LevelSensitive;
      yield* KeStallExecutionProcessor(1);
      const zero = IoConnectInterrupt(() => true, null, null, 0, 0, 0, mode, true, -1n, false);
      const good = IoConnectInterrupt(() => true, null, null, 0, 5, 6, mode, true, -1n, false);
      return [zero, good.status, good.value?.irql, good.value?.synchronizeIrql];
    });
    const refused = { status: STATUS.INVALID_PARAMETER, value: null };
    expect(value).toEqual([refused, STATUS.SUCCESS, 5, 6]);
  });

  test('a service routine at its level queues a DPC, that completes a wait with an I/O boost', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const event = machine.createEvent('synchronization');
    const log: unknown[] = [];
    const dpc = machine.createDpc(function* () {
      log.push(['DPC', KeGetCurrentIrql()]);
      yield* KeSetEvent(event, 6, false);
    });
    const interrupt = machine.connectInterrupt({
      irql: 8,
      serviceContext: 'keyboard',
      serviceRoutine: function* (_interrupt, context) {
        log.push([context, KeGetCurrentIrql()]);
        yield* KeInsertQueueDpc(dpc, 0, 0);
        log.push('still in the service routine');
        return true;
      },
    });
    const waiter = machine.systemProcess.createThread(function* () {
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      log.push(['thread', waiter.priority]);
    });
    machine.scheduleInterrupt(1_000_000, 0, interrupt);
    machine.run();
    expect(log).toEqual([
      ['keyboard', 8],
      'still in the service routine',
      ['DPC', 2],
      ['thread', 14],
    ]);
  });

  test('interrupts of the level and below are held off, and come highest first as it falls', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const log: string[] = [];
    const connect = (irql: number) =>
      machine.connectInterrupt({
        irql,
        serviceRoutine: () => {
          log.push(`level ${irql} at ${Math.floor(machine.now / 1000)} us`);
          return true;
        },
      });
    for (const irql of [4, 6, 8, 10]) machine.scheduleInterrupt(50_000, 0, connect(irql));
    machine.systemProcess.createThread(function* () {
      const old = KeRaiseIrql(8);
      yield* KeStallExecutionProcessor(100);
      log.push('lowers');
      yield* KeLowerIrql(old);
      log.push('goes on');
    });
    machine.run();
    expect(log).toEqual([
      'level 10 at 51 us',
      'lowers',
      'level 8 at 105 us',
      'level 6 at 107 us',
      'level 4 at 108 us',
      'goes on',
    ]);
  });

  test('a service routine is interrupted by a higher level, and not by a lower one', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const log: string[] = [];
    const connect = (irql: number, us: number) =>
      machine.connectInterrupt({
        irql,
        serviceRoutine: function* () {
          log.push(`${irql} begins`);
          yield* KeStallExecutionProcessor(us);
          log.push(`${irql} ends`);
          return true;
        },
      });
    machine.scheduleInterrupt(10_000, 0, connect(6, 100));
    machine.scheduleInterrupt(50_000, 0, connect(9, 10));
    machine.scheduleInterrupt(60_000, 0, connect(4, 10));
    machine.run();
    expect(log).toEqual(['6 begins', '9 begins', '9 ends', '6 ends', '4 begins', '4 ends']);
  });

  test('routines that share a lock exclude each other on two processors', async () => {
    const machine = await Machine.create({ processors: 2 });
    const spinLock = machine.createSpinLock('shared');
    const log: string[] = [];
    const connect = (name: string, irql: number) =>
      machine.connectInterrupt({
        ...{ irql, synchronizeIrql: 9, spinLock },
        serviceRoutine: function* () {
          log.push(`${name} begins on ${spinLock.owner}`);
          yield* KeStallExecutionProcessor(20);
          log.push(`${name} ends`);
          return true;
        },
      });
    machine.scheduleInterrupt(10_000, 0, connect('a', 5));
    machine.scheduleInterrupt(15_000, 1, connect('b', 9));
    machine.run();
    expect(log).toEqual(['a begins on 0', 'a ends', 'b begins on 1', 'b ends']);
    expect(spinLock.owner).toBeUndefined();
  });

  /** What an interrupt of level 8 ends in. */
  async function ends(serviceRoutine: ServiceRoutine, options: MachineOptions = {}) {
    const machine = await Machine.create({ ...UNIPROCESSOR, ...options });
    const interrupt = machine.connectInterrupt({ irql: 8, serviceRoutine });
    machine.scheduleInterrupt(1_000_000, 0, interrupt);
    return machine.run();
  }

  test('a service routine that returns at another level is bugcheck IRQL_UNEXPECTED_VALUE with 3', async () => {
    const raises = () => KeRaiseIrql(12) > 0;
    expect(await ends(raises)).toMatchObject({
      name: 'IRQL_UNEXPECTED_VALUE',
      parameters: [0xc0803n, 0n, 0n, 0n],
    });
    const lowers = function* () {
      yield* KeLowerIrql(IRQL.DISPATCH_LEVEL);
      return true;
    };
    expect(await ends(lowers)).toMatchObject({
      name: 'IRQL_UNEXPECTED_VALUE',
      parameters: [0x20803n, 0n, 0n, 0n],
    });
  });

  test('what a service routine does not catch is bugcheck INTERRUPT_EXCEPTION_NOT_HANDLED', async () => {
    const throws = () => {
      throw new NtStatusError(STATUS.ACCESS_VIOLATION);
    };
    expect(await ends(throws)).toMatchObject({
      name: 'INTERRUPT_EXCEPTION_NOT_HANDLED',
      code: 0x3d,
      parameters: [0xc0000005n, 0n, 0n, 0n],
    });
  });

  test('a program is a service routine too', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    const semaphore = machine.createSemaphore(0);
    const serviceRoutine = machine.loadProgram(
      program('service', (p) => p.compute(2000).register((c) => p.releaseSemaphore(c))),
    );
    const interrupt = machine.connectInterrupt({
      ...{ irql: 7, serviceRoutine },
      serviceContext: semaphore.handle,
    });
    for (let time = 1; time <= 3; time++) machine.scheduleInterrupt(time * 1e6, 0, interrupt);
    machine.run();
    expect(semaphore.signalState).toBe(3);
  });

  test('a disconnected interrupt is nobody’s', async () => {
    const machine = await Machine.create(UNIPROCESSOR);
    let calls = 0;
    const serviceRoutine = () => ++calls > 0;
    const interrupt = machine.connectInterrupt({ irql: IRQL.LOW_DIRQL, serviceRoutine });
    machine.scheduleInterrupt(1000, 0, interrupt);
    interrupt.disconnect();
    machine.run();
    expect([calls, interrupt.exists]).toEqual([0, false]);
  });
});

import { describe, expect, test } from 'vitest';
import { IRQL } from '../../assembly/shared/types';
import { KeSetSystemAffinityThread } from '../../src/ke/affinity';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeInitializeDpc, KeInsertQueueDpc, KeIsExecutingDpc } from '../../src/ke/dpc';
import {
  KeGenericCallDpc,
  KeIpiGenericCall,
  KeSignalCallDpcDone,
  KeSignalCallDpcSynchronize,
} from '../../src/ke/generic-call';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import type { KBarrier } from '../../src/machine/barrier';
import { Machine } from '../../src/machine/machine';
import { runGuest } from './guest';

const FOUR = { processors: 4 };

describe('KeGenericCallDpc', () => {
  test.each([
    1, 2, 4,
  ])('ke.dpc-008: the routine runs once on each of %i processors, and one of them is told so at each meeting', async (processors) => {
    const { value } = await runGuest(
      function* (machine) {
        const entered: unknown[] = [];
        const totals: number[] = [];
        const rounds: number[][] = [[], [], [], []];
        yield* KeGenericCallDpc(function* (_dpc, context, done, barrier) {
          const reverse = barrier as KBarrier;
          entered.push([context, KeGetCurrentIrql(), (done as KBarrier).Barrier]);
          totals.push(reverse.Barrier, reverse.TotalProcessors);
          for (const round of rounds) {
            if (yield* KeSignalCallDpcSynchronize(barrier)) round.push(reverse.Barrier);
          }
          yield* KeSignalCallDpcDone(done);
        }, 'context');
        return [entered, totals.slice(0, 2), rounds, KeGetCurrentIrql(), machine.values.size];
      },
      { processors },
    );
    const n = processors;
    const odd = [2 ** 31 + n];
    expect(value).toEqual([Array(n).fill(['context', 2, n]), [n, n], [odd, [n], odd, [n]], 0, 0]);
  });

  test('processors are at work at the same time, on the caller’s as no DPC', async () => {
    const { value } = await runGuest(function* (machine) {
      const ran: unknown[] = [];
      yield* KeSetSystemAffinityThread(1n);
      const before = machine.now;
      yield* KeGenericCallDpc(function* (_dpc, _context, done) {
        yield* KeStallExecutionProcessor(1000);
        ran.push([machine.currentProcessor, KeIsExecutingDpc()]);
        yield* KeSignalCallDpcDone(done);
      }, null);
      return [ran.sort(), machine.now - before < 1_010_000];
    }, FOUR);
    const ran = [
      [0, false],
      [1, true],
      [2, true],
      [3, true],
    ];
    expect(value).toEqual([ran, true]);
  });

  test('two calls follow one another', async () => {
    const machine = await Machine.create(FOUR);
    const ran: string[] = [];
    for (const name of ['a', 'b']) {
      machine.systemProcess.createThread(function* () {
        yield* KeGenericCallDpc(function* (_dpc, context, done) {
          yield* KeStallExecutionProcessor(10);
          ran.push(String(context));
          yield* KeSignalCallDpcDone(done);
        }, name);
      });
    }
    expect(machine.run().reason).toBe('idle');
    expect(ran.join('')).toBe('aaaabbbb');
  });

  test('a processor that does not say that it is done ends in bugcheck DPC_WATCHDOG_VIOLATION', async () => {
    const machine = await Machine.create({ ...FOUR, profile: { dpcWatchdogTicks: 3 } });
    machine.systemProcess.createThread(function* () {
      yield* KeGenericCallDpc(() => undefined, null);
    });
    expect(machine.run()).toMatchObject({
      name: 'DPC_WATCHDOG_VIOLATION',
      parameters: [1n, 3n, 0n, 0n],
    });
  });

  test('KeSignalCallDpcDone of something else says what to give', async () => {
    await expect(
      runGuest(function* () {
        yield* KeSignalCallDpcDone(undefined);
      }),
    ).rejects.toThrow('KeSignalCallDpcDone was given undefined; give the first system argument');
  });
});

describe('KeIpiGenericCall', () => {
  test.each([
    1, 2, 4,
  ])('on %i processors the function begins everywhere at once, at IPI_LEVEL', async (processors) => {
    const { value } = await runGuest(
      function* (machine) {
        const began: number[][] = [];
        const result = yield* KeIpiGenericCall(function* (context) {
          began.push([machine.currentProcessor, KeGetCurrentIrql(), Number(context)]);
          const start = machine.now;
          yield* KeStallExecutionProcessor(10 + machine.currentProcessor);
          return start;
        }, 5);
        return [began.sort(), KeGetCurrentIrql(), machine.now - result];
      },
      { processors },
    );
    const began = [0, 1, 2, 3].slice(0, processors).map((number) => [number, IRQL.IPI_LEVEL, 5]);
    const [ran, level, ns] = value as [number[][], number, number];
    expect([ran, level]).toEqual([began, 0]);
    // The caller returns when the slowest has finished, 500 ns away.
    expect(ns).toBeGreaterThan((10 + processors - 1) * 1000);
    expect(ns).toBeLessThan((10 + processors - 1) * 1000 + 2500);
  });

  test('the caller gets its own result', async () => {
    const { value } = await runGuest(function* (machine) {
      const own = machine.currentProcessor;
      return own === (yield* KeIpiGenericCall(() => machine.currentProcessor, null));
    }, FOUR);
    expect(value).toBe(true);
  });

  test('it waits for a processor at HIGH_LEVEL, and interrupts one at SYNCH_LEVEL', async () => {
    const machine = await Machine.create({ processors: 3 });
    let called = 0;
    let left = 0;
    for (const [processor, level] of [IRQL.SYNCH_LEVEL, IRQL.HIGH_LEVEL].entries()) {
      machine.systemProcess.createThread(
        function* () {
          KeRaiseIrql(level);
          yield* KeStallExecutionProcessor(2000);
          if (level === IRQL.HIGH_LEVEL) left = machine.now;
          yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
        },
        { affinity: 2n << BigInt(processor) },
      );
    }
    machine.systemProcess.createThread(
      function* () {
        yield* KeStallExecutionProcessor(1);
        yield* KeIpiGenericCall(() => {
          called = machine.now;
        }, null);
      },
      { affinity: 1n },
    );
    expect(machine.run().reason).toBe('idle');
    expect(called).toBeGreaterThan(left);
    expect(called).toBeLessThan(left + 5000);
  });

  test('it may be called in a DPC, and by two processors at once', async () => {
    const machine = await Machine.create(FOUR);
    const calls: number[] = [];
    for (const processor of [1, 2]) {
      machine.systemProcess.createThread(
        function* () {
          const dpc = KeInitializeDpc(function* () {
            yield* KeIpiGenericCall(() => void calls.push(processor), null);
          }, null);
          yield* KeInsertQueueDpc(dpc, 0, 0);
        },
        { affinity: 1n << BigInt(processor) },
      );
    }
    expect(machine.run().reason).toBe('idle');
    expect(calls).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
  });

  test('at IPI_LEVEL it is a violation', async () => {
    await expect(
      runGuest(function* () {
        KeRaiseIrql(IRQL.IPI_LEVEL);
        yield* KeIpiGenericCall(() => undefined, null);
      }),
    ).rejects.toThrow(
      'KeIpiGenericCall was called at IPI_LEVEL (14); it needs at most CLOCK_LEVEL',
    );
  });
});

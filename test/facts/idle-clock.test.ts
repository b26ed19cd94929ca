import { describe, expect, test } from 'vitest';
import { VECTOR } from '../../assembly/shared/event';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  compute,
  MS,
  quietMachine,
  records,
  recordsOf,
  spawn,
  spawnWaiting,
  switches,
  TICK,
} from '../records';

describe('the idle thread', () => {
  test('runs on a processor that has nothing else, has no priority and is never queued', async () => {
    const machine = await quietMachine();
    spawn(machine.createProcess(), 't', (p) => p.compute(MS));
    machine.run();
    expect(recordsOf(machine, 'contextSwitch')).toMatchObject([
      { oldThread: 0, oldPriority: 0, newThread: 1, newPriority: 8 },
      { oldThread: 1, oldPriority: 8, newThread: 0, newPriority: 0 },
    ]);
    expect(recordsOf(machine, 'ready').map((record) => record.thread)).toEqual([1]);
  });

  test('takes DPCs first, then the standby thread', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS));
    machine.scheduleInterrupt(MS, 0, event);
    machine.run({ until: MS });
    expect(records(machine).map((record) => [record.type, record.timeNs])).toEqual([
      ['processStart', 0],
      ['processStart', 0],
      ['threadStart', 0],
      ['interrupt', MS],
      ['dpc', MS],
      ['priority', MS],
      ['ready', MS],
      ['contextSwitch', MS],
    ]);
  });

  test('then looks for work: a processor that goes idle takes a ready thread from another', async () => {
    const machine = await quietMachine({ processors: 2 });
    const process = machine.createProcess();
    spawn(process, 'short', (p) => p.compute(MS), { affinity: 1n });
    spawn(process, 'long', (p) => p.compute(9 * MS), { affinity: 2n });
    const body = machine.loadProgram(compute(MS));
    const waiting = process.createThread(body, { affinity: 2n });
    machine.run({ until: 1000 });
    waiting.setAffinity(3n);
    machine.run({ until: 2 * MS });
    expect(switches(machine)).toEqual(['0 P0 short', '1 P1 long', '1000001 P0 compute']);
  });
});

describe('the clock interrupt', () => {
  test('comes at CLOCK_LEVEL, 13, on each processor that runs a thread', async () => {
    const machine = await quietMachine({ processors: 4 });
    const process = machine.createProcess();
    spawn(process, 'a', (p) => p.compute(20 * MS), { affinity: 2n });
    spawn(process, 'b', (p) => p.compute(20 * MS), { affinity: 8n });
    machine.run();
    expect(
      recordsOf(machine, 'interrupt').filter(({ vector }) => vector === VECTOR.Clock),
    ).toMatchObject([
      { timeNs: TICK, processor: 1, irql: 13, interrupted: 1 },
      { timeNs: TICK, processor: 3, irql: 13, interrupted: 2 },
    ]);
  });

  test('does not come where nothing depends on it', async () => {
    const machine = await quietMachine({ processors: 64 });
    spawn(machine.createProcess(), 't', (p) => p.delayUntil(100_000 * MS));
    machine.run();
    expect(recordsOf(machine, 'interrupt')).toMatchObject([
      { vector: VECTOR.Ipi, processor: 1 },
      { vector: VECTOR.Clock, processor: 0, timeNs: 100_000 * MS },
      { vector: VECTOR.Ipi, processor: 1 },
    ]);
  });

  test('expires timers on one processor, by a DPC', async () => {
    const machine = await quietMachine({ processors: 2 });
    const process = machine.createProcess();
    spawn(process, 'a', (p) => p.delay(10 * MS).compute(MS), { affinity: 2n });
    spawn(process, 'b', (p) => p.delay(10 * MS).compute(MS), { affinity: 2n });
    machine.run();
    expect(recordsOf(machine, 'dpc')).toMatchObject([
      { timeNs: TICK, processor: 0, kind: VECTOR.TimerExpiration, items: 2 },
    ]);
  });

  test('charges a whole tick of run time, user or kernel, to the thread that it interrupts', async () => {
    const machine = await quietMachine();
    const thread = spawn(machine.createProcess(), 't', (p) =>
      p.compute(40 * MS).compute(20 * MS, MODE.KernelMode),
    );
    machine.run();
    expect([thread.userTime100ns, thread.kernelTime100ns]).toEqual([312_500, 156_250]);
    expect(thread.runTimeNs).toBe(60 * MS + 1);
  });

  test('charges nothing to a thread that always ran between two ticks', async () => {
    const machine = await quietMachine();
    const thread = spawn(machine.createProcess(), 't', (p) =>
      p.loop(10, () => p.delay(MS).compute(15 * MS)),
    );
    machine.run();
    expect([thread.userTime100ns, thread.kernelTime100ns]).toEqual([0, 0]);
    expect(thread.cycleTime).toBe(450_000_066);
  });

  test('charges clock intervals also when the timer resolution is finer', async () => {
    const machine = await quietMachine({ profile: { timerResolutionNs: 15_625_000 / 25 } });
    const thread = spawn(machine.createProcess(), 't', (p) => p.compute(40 * MS));
    machine.run();
    expect(thread.userTime100ns).toBe(312_500);
  });
});

describe('timers are looked at only at clock interrupts', () => {
  test('a wait ends at the first tick after its due time', async () => {
    const machine = await quietMachine();
    spawn(machine.createProcess(), 't', (p) => p.delay(20 * MS).mark(1));
    machine.run();
    expect(recordsOf(machine, 'ready').map((record) => record.timeNs)).toEqual([0, 2 * TICK]);
  });

  test('or at its due time, if that is a tick', async () => {
    const machine = await quietMachine();
    spawn(machine.createProcess(), 't', (p) => p.delayUntil(2 * TICK).mark(1));
    machine.run();
    expect(recordsOf(machine, 'ready').map((record) => record.timeNs)).toEqual([0, 2 * TICK]);
  });

  test('and at finer ticks where the timer resolution is lowered, to 0.5 ms', async () => {
    const machine = await quietMachine({ profile: { timerResolutionNs: 500_000 } });
    spawn(machine.createProcess(), 't', (p) => p.delay(20_200_000).mark(1));
    machine.run();
    expect(recordsOf(machine, 'ready').map((record) => record.timeNs)).toEqual([0, 20_500_000]);
  });

  test('timers that are due at one tick expire in order of their due times', async () => {
    const machine = await quietMachine();
    const process = machine.createProcess();
    spawn(process, 'last', (p) => p.delay(9 * MS).compute(1));
    spawn(process, 'first', (p) => p.delay(7 * MS).compute(1));
    spawn(process, 'second', (p) => p.delay(8 * MS).compute(1));
    machine.run();
    expect(switches(machine).slice(-4)).toEqual([
      '15625000 P0 first',
      '15625006 P0 second',
      '15625009 P0 last',
      '15625012 P0 idle',
    ]);
  });
});

describe('Sleep(0) and NtYieldExecution', () => {
  test.each([
    ['NtYieldExecution', -1],
    ['Sleep(0)', 0],
  ])('%s gives way to a ready thread of the same priority', async (_, ns) => {
    const machine = await quietMachine();
    const process = machine.createProcess();
    const thread = spawn(process, 'first', (p) =>
      (ns < 0 ? p.yield() : p.delay(ns)).compute(MS).exit(),
    );
    spawn(process, 'second', (p) => p.compute(MS));
    machine.run({ until: 100 });
    expect(switches(machine)).toEqual(['0 P0 first', '1 P0 second']);
    expect(recordsOf(machine, 'contextSwitch').at(-1)).toMatchObject({
      oldState: KTHREAD_STATE.Ready,
      oldWaitReason: KWAIT_REASON.WrYieldExecution,
    });
    machine.run({ until: 2 * MS });
    expect(thread.status).toBe(0);
  });

  test.each([
    ['NtYieldExecution', -1],
    ['Sleep(0)', 0],
  ])('%s does not give way to a lower one: STATUS_NO_YIELD_PERFORMED', async (_, ns) => {
    const machine = await quietMachine();
    const process = machine.createProcess();
    const thread = spawn(process, 'first', (p) =>
      (ns < 0 ? p.yield() : p.delay(ns)).compute(MS).exit(),
    );
    spawn(process, 'second', (p) => p.compute(MS), { increment: -1 });
    machine.run({ until: MS });
    expect(switches(machine)).toEqual(['0 P0 first']);
    expect(thread.status).toBe(0x40000024);
  });

  test('nor to one that is ready on another processor', async () => {
    const machine = await quietMachine({ processors: 2 });
    const process = machine.createProcess();
    spawn(process, 'other', (p) => p.compute(5 * MS), { affinity: 2n });
    const queued = spawn(process, 'queued', (p) => p.compute(MS), { affinity: 2n });
    const thread = spawn(process, 't', (p) => p.compute(MS).yield().compute(MS), { affinity: 1n });
    machine.run({ until: 1000 });
    queued.setAffinity(3n);
    machine.run({ until: 2 * MS });
    expect([thread.status, thread.state]).toEqual([0x40000024, KTHREAD_STATE.Running]);
    expect([queued.state, queued.nextProcessor]).toEqual([KTHREAD_STATE.Ready, 1]);
  });

  test('a thread that only yields to nobody is found out by the livelock guard', async () => {
    const machine = await quietMachine({ livelockSteps: 100_000 });
    spawn(machine.createProcess(), 't', (p) => p.forever(() => p.delay(0)));
    expect(machine.run()).toMatchObject({ reason: 'livelock', threads: [{ name: 't' }] });
  });
});

import { describe, expect, test } from 'vitest';
import type { Machine } from '../../src/machine/machine';
import { decodeRecord, type TraceRecord } from '../../src/machine/records';
import { MS, quietMachine, records, spawn } from '../records';

const SMALL = { traceRecords: 1024 };

/** Two threads that make more records than the small ring holds. */
function manyMarks(machine: Machine): void {
  const process = machine.createProcess();
  spawn(process, 'a', (p) => p.loop(1500, () => p.mark(1).delay(MS)));
  spawn(process, 'b', (p) => p.loop(1500, () => p.mark(2).delay(MS)));
}

describe('when the trace ring is full', () => {
  test('a machine in drain mode stops for its subscribers, which get every record once', async () => {
    const machine = await quietMachine({ capacities: SMALL, trace: { whenFull: 'drain' } });
    const times: number[] = [];
    const drained: TraceRecord[] = [];
    machine.trace.subscribe((batch) => {
      for (let index = 0; index < batch.count; index++) drained.push(decodeRecord(batch, index));
      times.push(machine.now);
    });
    manyMarks(machine);
    expect(machine.run().reason).toBe('idle');
    machine.trace.drain();
    expect(drained.length).toBe(machine.trace.written);
    expect(drained.filter((record) => record.type === 'mark').length).toBe(3000);
    expect(machine.trace.lost).toBe(0);
    expect(times.length).toBeGreaterThan(10);
  });

  test('without a subscriber it returns, and goes on where it was when the ring has been taken', async () => {
    const machine = await quietMachine({ capacities: SMALL, trace: { whenFull: 'drain' } });
    manyMarks(machine);
    const first = machine.run();
    expect(first.reason).toBe('trace-full');
    expect(machine.run()).toEqual(first);
    let taken = 0;
    do for (const batch of machine.trace.take()) taken += batch.count;
    while (machine.run().reason === 'trace-full');
    for (const batch of machine.trace.take()) taken += batch.count;
    expect([taken, machine.trace.lost]).toEqual([machine.trace.written, 0]);
  });

  test('a machine in overwrite mode goes on, and counts what it overwrote', async () => {
    const machine = await quietMachine({ capacities: SMALL, trace: { whenFull: 'overwrite' } });
    manyMarks(machine);
    expect(machine.run().reason).toBe('idle');
    expect(machine.trace.lost).toBe(machine.trace.written - 1024);
    expect(records(machine).length).toBe(1024);
    const kept = machine.trace.take().reduce((sum, batch) => sum + batch.count, 0);
    expect([kept, machine.trace.lost]).toEqual([1024, machine.trace.written - 1024]);
  });

  test('both have the same history', async () => {
    const draining = await quietMachine({ capacities: SMALL, trace: { whenFull: 'drain' } });
    const overwriting = await quietMachine({ capacities: SMALL });
    draining.trace.subscribe(() => {});
    for (const machine of [draining, overwriting]) {
      manyMarks(machine);
      machine.run();
    }
    expect(draining.digest).toBe(overwriting.digest);
    expect(draining.trace.written).toBe(overwriting.trace.written);
  });

  test('no record is lost in drain mode when one signal readies a thousand threads', async () => {
    const machine = await quietMachine({ capacities: SMALL, trace: { whenFull: 'drain' } });
    const gate = machine.createEvent('notification');
    const process = machine.createProcess();
    const body = machine.loadProgram({ name: 'end', words: Uint32Array.of(0, 0) });
    for (let count = 0; count < 1000; count++) process.createThread(body, { waitsFor: gate });
    let ready = 0;
    machine.trace.subscribe((batch) => {
      for (let index = 0; index < batch.count; index++)
        if (decodeRecord(batch, index).type === 'ready') ready++;
    });
    machine.trace.drain();
    gate.set(1);
    machine.run();
    machine.trace.drain();
    expect(ready).toBe(1000);
  });
});

describe('the livelock guard', () => {
  test('ends a run in which threads only synchronise with each other, and names them', async () => {
    const machine = await quietMachine({ processors: 2, livelockSteps: 50_000 });
    const left = machine.createEvent('synchronization', true);
    const right = machine.createEvent('synchronization');
    const process = machine.createProcess({ name: 'p' });
    spawn(process, 'left', (p) => p.forever(() => p.wait(left).setEvent(right)));
    spawn(process, 'right', (p) => p.forever(() => p.wait(right).setEvent(left)));
    expect(machine.run()).toMatchObject({
      reason: 'livelock',
      threads: [
        { name: 'left', process: 'p' },
        { name: 'right', process: 'p' },
      ],
    });
    expect(machine.steps).toBeLessThan(200_000);
  });

  test('leaves a run alone in which time goes by', async () => {
    const machine = await quietMachine({ livelockSteps: 50_000 });
    spawn(machine.createProcess(), 't', (p) => p.loop(100_000, () => p.yield().compute(10)));
    expect(machine.run().reason).toBe('idle');
  });
});

test('a machine where nothing can happen any more is idle for ever, and names who is left and why', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('notification');
  const semaphore = machine.createSemaphore(0);
  const process = machine.createProcess({ name: 'stuck' });
  const first = spawn(process, 'first', (p) => p.wait(event, { reason: 6 }));
  spawn(process, 'second', (p) => p.wait(semaphore));
  spawn(process, 'third', (p) => p.wait(first));
  spawn(process, 'fourth', (p) => p.wait(process));
  spawn(process, 'never started', (p) => p.exit(), { start: false });
  expect(machine.run()).toMatchObject({
    reason: 'idle',
    now: 7,
    waiting: [
      {
        name: 'first',
        process: 'stuck',
        index: 1,
        state: 'Waiting',
        waitsFor: 'notification event 1 (UserRequest)',
      },
      {
        name: 'second',
        process: 'stuck',
        index: 2,
        state: 'Waiting',
        waitsFor: 'semaphore 2 (Executive)',
      },
      {
        name: 'third',
        process: 'stuck',
        index: 3,
        state: 'Waiting',
        waitsFor: 'thread 1 (Executive)',
      },
      {
        name: 'fourth',
        process: 'stuck',
        index: 4,
        state: 'Waiting',
        waitsFor: 'process 2 (Executive)',
      },
      { name: 'never started', process: 'stuck', index: 5, state: 'Initialized' },
    ],
  });
});

test('a machine whose threads have all ended is idle for ever with nobody left', async () => {
  const machine = await quietMachine();
  spawn(machine.createProcess(), 't', (p) => p.compute(MS));
  expect(machine.run()).toEqual({ reason: 'idle', now: MS + 1, waiting: [] });
});

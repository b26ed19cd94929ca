import { describe, expect, test } from 'vitest';
import { KTHREAD_STATE } from '../../assembly/shared/types';
import type { ProgramBuilder } from '../../src/machine/program';
import { MS, quietMachine, recordsOf, spawn, spawnWaiting, switches, TICK } from '../records';

test.each([
  ['a signaled notification event', 'notification'],
  ['a signaled synchronization event', 'synchronization'],
] as const)('a wait for %s is satisfied at once and does not switch', async (_, type) => {
  const machine = await quietMachine();
  const event = machine.createEvent(type, true);
  const thread = spawn(machine.createProcess(), 't', (p) => p.wait(event).compute(MS));
  machine.run({ until: MS });
  expect(switches(machine)).toEqual(['0 P0 t']);
  expect([thread.state, thread.status]).toEqual([KTHREAD_STATE.Running, 0]);
});

test('a wait for a semaphore with a count is satisfied at once and does not switch', async () => {
  const machine = await quietMachine();
  const semaphore = machine.createSemaphore(2);
  spawn(machine.createProcess(), 't', (p) => p.wait(semaphore).wait(semaphore).compute(MS));
  machine.run({ until: MS });
  expect(switches(machine)).toEqual(['0 P0 t']);
  expect(semaphore.signalState).toBe(0);
});

test('a wait with a timeout of 0 polls: it does not switch', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const body = (p: ProgramBuilder) => p.wait(event, { timeoutNs: 0 }).compute(MS);
  const thread = spawn(machine.createProcess(), 't', body);
  machine.run({ until: MS });
  expect(switches(machine)).toEqual(['0 P0 t']);
  expect(thread.status).toBe(0x102);
});

describe('threads wait for an object first in, first out', () => {
  test('a synchronization event wakes the one that has waited longest, each time', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    for (const name of ['a', 'b', 'c']) spawnWaiting(process, name, event, (p) => p.compute(1));
    for (const time of [1000, 2000, 3000]) {
      machine.run({ until: time });
      event.set();
    }
    machine.run();
    expect(switches(machine).filter((line) => !line.endsWith('idle'))).toEqual([
      '1000 P0 a',
      '2000 P0 b',
      '3000 P0 c',
    ]);
  });

  test('whatever their priorities', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const low = spawnWaiting(process, 'low', event, (p) => p.compute(MS), { increment: -2 });
    const high = spawnWaiting(process, 'high', event, (p) => p.compute(MS), { increment: 2 });
    event.set();
    machine.run({ until: 1000 });
    expect([low.state, high.state]).toEqual([KTHREAD_STATE.Running, KTHREAD_STATE.Waiting]);
  });

  test('a thread that waits again queues behind the others', async () => {
    const machine = await quietMachine();
    const semaphore = machine.createSemaphore(0);
    const process = machine.createProcess();
    for (const name of ['a', 'b'])
      spawn(process, name, (p) => p.loop(2, () => p.wait(semaphore).mark(1)));
    machine.run({ until: 1000 });
    semaphore.release();
    machine.run({ until: 2000 });
    semaphore.release(2);
    machine.run({ until: 3000 });
    expect(recordsOf(machine, 'mark').map((record) => record.thread)).toEqual([1, 2, 1]);
  });
});

describe('a satisfied wait', () => {
  test('resets a synchronization event', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization', true);
    spawn(machine.createProcess(), 't', (p) => p.wait(event));
    machine.run();
    expect(event.signalState).toBe(0);
  });

  test('takes one from a semaphore', async () => {
    const machine = await quietMachine();
    const semaphore = machine.createSemaphore(3);
    spawn(machine.createProcess(), 't', (p) => p.wait(semaphore));
    machine.run();
    expect(semaphore.signalState).toBe(2);
  });

  test('leaves a notification event, a thread and a process as they are', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('notification', true);
    const ended = machine.createProcess();
    const thread = spawn(ended, 'ended', (p) => p.exit(5));
    machine.run();
    const waiter = spawn(machine.createProcess(), 'waiter', (p) =>
      p.wait(event).wait(thread).wait(ended).mark(1),
    );
    machine.run();
    expect(waiter.state).toBe(KTHREAD_STATE.Terminated);
    expect([event.signalState, thread.signalState, ended.signalState]).toEqual([1, 1, 1]);
  });
});

test('a set synchronization event wakes one waiter and stays not signaled', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const a = spawnWaiting(process, 'a', event, (p) => p.compute(MS));
  const b = spawnWaiting(process, 'b', event, (p) => p.compute(MS));
  expect(event.set()).toBe(0);
  machine.run({ until: 1000 });
  expect([a.state, b.state, event.signalState]).toEqual([
    KTHREAD_STATE.Running,
    KTHREAD_STATE.Waiting,
    0,
  ]);
});

test('a set notification event wakes all its waiters and stays signaled', async () => {
  const machine = await quietMachine({ processors: 2 });
  const event = machine.createEvent('notification');
  const process = machine.createProcess();
  const a = spawnWaiting(process, 'a', event, (p) => p.compute(MS));
  const b = spawnWaiting(process, 'b', event, (p) => p.compute(MS));
  event.set();
  machine.run({ until: 1000 });
  expect([a.state, b.state, event.signalState]).toEqual([
    KTHREAD_STATE.Running,
    KTHREAD_STATE.Running,
    1,
  ]);
});

test('a pulsed notification event wakes those that wait now, and is not signaled', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('notification');
  const process = machine.createProcess();
  const now = spawnWaiting(process, 'now', event, (p) => p.compute(1));
  event.pulse();
  const late = spawnWaiting(process, 'late', event, (p) => p.compute(1));
  machine.run();
  expect([now.state, late.state, event.signalState]).toEqual([
    KTHREAD_STATE.Terminated,
    KTHREAD_STATE.Waiting,
    0,
  ]);
});

test('a semaphore wakes as many as it is released by, and never passes its limit', async () => {
  const machine = await quietMachine();
  const semaphore = machine.createSemaphore(0, 2);
  const process = machine.createProcess();
  const body = machine.loadProgram({ name: 'end', words: Uint32Array.of(0, 0) });
  const waiters = [1, 2, 3].map(() => process.createThread(body, { waitsFor: semaphore }));
  semaphore.release(2);
  machine.run();
  expect(waiters.map((thread) => thread.state)).toEqual([
    KTHREAD_STATE.Terminated,
    KTHREAD_STATE.Terminated,
    KTHREAD_STATE.Waiting,
  ]);
  semaphore.release(2);
  expect(() => semaphore.release(2)).toThrow('STATUS_SEMAPHORE_LIMIT_EXCEEDED');
  const late = spawn(process, 'late', (p) => p.releaseSemaphore(semaphore, 2));
  machine.run();
  expect([late.status, semaphore.signalState]).toEqual([0xc0000047, 1]);
});

describe('a wait with a timeout', () => {
  test('ends with STATUS_TIMEOUT at the tick at or after its time', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    const thread = spawn(machine.createProcess(), 't', (p) =>
      p.wait(event, { timeoutNs: 5 * MS }).compute(MS),
    );
    machine.run({ until: TICK - 1 });
    expect(thread.state).toBe(KTHREAD_STATE.Waiting);
    machine.run({ until: TICK });
    expect([thread.state, thread.status]).toEqual([KTHREAD_STATE.Running, 0x102]);
  });

  test('leaves the queue of its object when it is over', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    spawn(machine.createProcess(), 't', (p) => p.wait(event, { timeoutNs: 5 * MS }));
    machine.run();
    event.set();
    expect(event.signalState).toBe(1);
  });

  test('is over when its object is signaled first, and its timer with it', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    const thread = spawn(machine.createProcess(), 't', (p) =>
      p
        .wait(event, { timeoutNs: 50 * MS })
        .wait(event)
        .compute(1),
    );
    machine.run({ until: MS });
    event.set();
    machine.run();
    expect([thread.state, thread.status]).toEqual([KTHREAD_STATE.Waiting, 0]);
    expect(recordsOf(machine, 'dpc')).toEqual([]);
  });

  test('runs out at its tick, though a thread that the tick wakes too would signal its object', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const waiter = spawn(process, 'waiter', (p) =>
      p.wait(event, { timeoutNs: 5 * MS }).compute(MS),
    );
    spawn(process, 'setter', (p) =>
      p
        .delay(4 * MS)
        .setEvent(event)
        .compute(MS),
    );
    machine.run({ until: 3 * TICK });
    expect([waiter.status, event.signalState]).toEqual([0x102, 1]);
  });
});

test('a thread is signaled when it ends, and wakes who waits for it', async () => {
  const machine = await quietMachine({ processors: 2 });
  const process = machine.createProcess();
  const worker = spawn(process, 'worker', (p) => p.compute(MS).exit(7));
  const waiter = spawn(process, 'waiter', (p) => p.wait(worker).mark(1).compute(MS));
  machine.run({ until: 1000 });
  expect([worker.signalState, waiter.state]).toEqual([0, KTHREAD_STATE.Waiting]);
  machine.run({ until: 2 * MS });
  expect([worker.signalState, worker.exitStatus, waiter.state]).toEqual([
    1,
    7,
    KTHREAD_STATE.Running,
  ]);
});

test('a process is signaled when its last thread ends, with that thread’s exit status', async () => {
  const machine = await quietMachine();
  const process = machine.createProcess();
  spawn(process, 'short', (p) => p.compute(MS).exit(1));
  spawn(process, 'long', (p) => p.compute(5 * MS).exit(2));
  const waiter = spawn(machine.createProcess(), 'waiter', (p) => p.wait(process));
  machine.run({ until: 4 * MS });
  expect([process.signalState, process.threadCount]).toEqual([0, 1]);
  machine.run();
  expect([process.signalState, process.exitStatus]).toEqual([1, 2]);
  expect(waiter.state).toBe(KTHREAD_STATE.Terminated);
});

describe('an operation on an object of another type changes nothing: STATUS_OBJECT_TYPE_MISMATCH', () => {
  test('setting a semaphore or a thread', async () => {
    const machine = await quietMachine();
    const process = machine.createProcess();
    const semaphore = machine.createSemaphore(0);
    const target = spawn(process, 'target', (p) => p.compute(9 * MS));
    const first = spawn(process, 'first', (p) => p.setEvent(semaphore));
    const second = spawn(process, 'second', (p) => p.setEvent(target));
    const third = spawn(process, 'third', (p) => p.resetEvent(process));
    machine.run();
    expect([first.status, second.status, third.status]).toEqual([
      0xc0000024, 0xc0000024, 0xc0000024,
    ]);
    expect(semaphore.signalState).toBe(0);
  });

  test('releasing an event', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('notification');
    const process = machine.createProcess();
    const thread = spawn(process, 't', (p) => p.releaseSemaphore(event));
    machine.run();
    expect([thread.status, event.signalState]).toEqual([0xc0000024, 0]);
  });
});

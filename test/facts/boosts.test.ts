import { describe, expect, test } from 'vitest';
import { PRIORITY_CHANGE } from '../../assembly/shared/event';
import { KTHREAD_STATE, MODE, PRIORITY_CLASS } from '../../assembly/shared/types';
import type { KernelObject } from '../../src/machine/views';
import {
  compute,
  createMachine,
  MS,
  priorityLevels,
  quietMachine,
  recordsOf,
  spawn,
  spawnWaiting,
  TICK,
} from '../records';

const SECOND = 1000 * MS;

describe('the I/O completion of a device boosts the thread that waited for it', () => {
  test.each([
    ['disk, CD, parallel, video', 1, 9],
    ['network, mailslot, named pipe, serial', 2, 10],
    ['keyboard, mouse', 6, 14],
    ['sound', 8, 15],
  ])('%s: by %i', async (_, increment, priority) => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    const thread = spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS));
    machine.scheduleInterrupt(MS, 0, event, increment);
    machine.run({ until: MS });
    expect([thread.priority, thread.basePriority]).toEqual([priority, 8]);
  });
});

test('a set event boosts by 1 the thread that it wakes, if the increment says so', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const woken = spawnWaiting(process, 'woken', event, (p) => p.compute(MS));
  spawn(process, 'setter', (p) => p.setEvent(event));
  machine.run({ until: 1000 });
  expect(woken.priority).toBe(9);
});

test('an event set with an increment of 0 boosts nobody', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const woken = spawnWaiting(process, 'woken', event, (p) => p.compute(MS));
  spawn(process, 'setter', (p) => p.setEvent(event, 0));
  machine.run({ until: 1000 });
  expect([woken.state, woken.priority]).toEqual([KTHREAD_STATE.Running, 8]);
});

test('a released semaphore boosts by 1 the threads that it wakes', async () => {
  const machine = await quietMachine();
  const semaphore = machine.createSemaphore(0);
  const process = machine.createProcess();
  const body = machine.loadProgram(compute(MS));
  const woken = [1, 2, 3].map(() => process.createThread(body, { waitsFor: semaphore }));
  spawn(process, 'releaser', (p) => p.releaseSemaphore(semaphore, 2));
  machine.run({ until: 1000 });
  expect(woken.map((thread) => thread.priority)).toEqual([9, 9, 8]);
});

test('a released mutant boosts by 1 the thread that gets it, one that its owner’s end abandons by none', async () => {
  const machine = await quietMachine();
  const mutant = machine.createMutant();
  const [go, process] = [machine.createEvent('notification'), machine.createProcess()];
  spawn(process, 'owner', (p) => p.wait(mutant).wait(go).releaseMutant(mutant));
  machine.run({ until: 1000 });
  const woken = spawn(process, 'woken', (p) => p.wait(mutant).compute(MS));
  machine.run({ until: 2000 });
  const heir = spawn(process, 'heir', (p) => p.wait(mutant).compute(MS));
  machine.run({ until: 3000 });
  go.set();
  machine.run({ until: 10_000 });
  const boosted = woken.priority;
  machine.run({ until: 1000 * MS });
  expect(boosted).toBe(9);
  expect(priorityLevels(machine, heir)).toEqual([]);
});

test('an alert boosts by 2, and a user-mode APC by the increment that it is queued with', async () => {
  const machine = await quietMachine();
  const [event, process] = [machine.createEvent('notification'), machine.createProcess()];
  const waits = (name: string) =>
    spawn(process, name, (p) =>
      p.wait(event, { alertable: true, mode: MODE.UserMode }).compute(MS),
    );
  const [alerted, interrupted] = [waits('alerted'), waits('interrupted')];
  machine.run({ until: 1000 });
  alerted.alert();
  machine
    .createApc(interrupted, { mode: MODE.UserMode, normalRoutine: () => undefined })
    .insert(0, 0, 3);
  machine.run({ until: 10_000 });
  expect([alerted.priority, interrupted.priority]).toEqual([10, 11]);
});

test('the end of a thread or process, and an entry of a queue, boost nobody', async () => {
  const machine = await quietMachine();
  const [queue, process] = [machine.createQueue(), machine.createProcess()];
  const body = compute(100);
  const first = process.createThread(machine.loadProgram(body), { start: false });
  const other = machine.createProcess();
  const waits = (object: KernelObject) => spawn(other, 'waits', (p) => p.wait(object).compute(MS));
  const waiters = [waits(first), waits(process), waits(queue)];
  machine.run({ until: 1000 });
  first.start();
  queue.insert('entry');
  machine.run({ until: 50_000 });
  expect(waiters.map(({ state, priority }) => [state !== KTHREAD_STATE.Waiting, priority])).toEqual(
    [
      [true, 8],
      [true, 8],
      [true, 8],
    ],
  );
});

describe('the wake of a thread of the foreground process adds PsPrioritySeparation', () => {
  test.each([
    ['0', 0x24, 9],
    ['1', 0x25, 10],
    ['2', 0x26, 11],
  ])('of %s', async (_, win32PrioritySeparation, priority) => {
    const machine = await quietMachine({ profile: { win32PrioritySeparation } });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess({ foreground: true });
    const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS));
    machine.run({ until: 1000 });
    event.set(1);
    machine.run({ until: 1000 });
    expect([thread.priority, thread.basePriority]).toEqual([priority, 8]);
  });
});

test('a thread that the foreground has lifted already is not lifted by the separation again', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({ foreground: true });
  const thread = spawn(process, 't', (p) => p.loop(3, () => p.wait(event).compute(1000)));
  machine.run({ until: 1000 });
  event.set(1);
  machine.run({ until: 5000 });
  event.set(1);
  machine.run({ until: 10_000 });
  event.set(4);
  machine.run({ until: 15_000 });
  expect(priorityLevels(machine, thread)).toEqual([11, 12]);
});

test('a boost replaces the current priority only if it is higher', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const thread = spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS));
  machine.run({ until: 1000 });
  thread.setPriority(12);
  event.set(2);
  machine.run({ until: 1000 });
  expect(thread.priority).toBe(12);
});

test('boosts do not add up over wakes: each is counted from the base', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const thread = spawn(machine.createProcess(), 't', (p) => p.loop(9, () => p.wait(event)));
  for (let time = 1; time < 9; time++) {
    machine.run({ until: time * 1000 });
    event.set(3);
  }
  machine.run({ until: 9000 });
  expect(priorityLevels(machine, thread)).toEqual([11]);
});

test.each([
  ['14', 1, 14],
  ['15', 2, 15],
])('a thread of base %s is not boosted', async (_, increment, priority) => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({ priorityClass: PRIORITY_CLASS.High, foreground: true });
  const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS), { increment });
  machine.run({ until: 1000 });
  event.set(6);
  machine.run({ until: 1000 });
  expect([thread.priority, thread.basePriority]).toEqual([priority, priority]);
});

test('a thread with boosts disabled is not boosted by wakes', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({ foreground: true });
  const options = { disableBoost: true };
  const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS), options);
  machine.run({ until: 1000 });
  event.set(6);
  machine.run({ until: 1000 });
  expect([thread.state, thread.priority]).toEqual([KTHREAD_STATE.Running, 8]);
});

test('a wait that runs out of time boosts nobody', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({ foreground: true });
  const thread = spawn(process, 't', (p) => p.wait(event, { timeoutNs: MS }).compute(MS));
  machine.run({ until: TICK });
  expect([thread.state, thread.priority]).toEqual([KTHREAD_STATE.Running, 8]);
});

describe('CPU starvation', () => {
  const STARVING = { starvationNs: 4 * SECOND };

  test('a thread ready for more than 4 s is lifted to 15', async () => {
    const machine = await quietMachine({ profile: STARVING });
    const hog = machine.createProcess({ priorityClass: PRIORITY_CLASS.High });
    spawn(hog, 'hog', (p) => p.compute(20 * SECOND));
    machine.run({ until: 500 * MS });
    const starved = spawn(machine.createProcess(), 'starved', (p) => p.compute(SECOND));
    machine.run({ until: 5 * SECOND - 1 });
    expect([starved.state, starved.priority]).toEqual([KTHREAD_STATE.Ready, 8]);
    machine.run({ until: 5 * SECOND + 100 });
    expect([starved.state, starved.priority]).toEqual([KTHREAD_STATE.Running, 15]);
    expect(starved.basePriority).toBe(8);
  });

  test('for one quantum, and then it is back at once where it was', async () => {
    const machine = await quietMachine({ profile: STARVING });
    const hog = machine.createProcess({ priorityClass: PRIORITY_CLASS.High });
    spawn(hog, 'hog', (p) => p.compute(20 * SECOND));
    machine.run({ until: 500 * MS });
    const starved = spawn(machine.createProcess(), 'starved', (p) => p.compute(SECOND));
    machine.run({ until: 6 * SECOND });
    expect(recordsOf(machine, 'priority')).toMatchObject([
      { thread: starved.index, newPriority: 15, change: PRIORITY_CHANGE.Starvation },
      { thread: starved.index, newPriority: 8, change: PRIORITY_CHANGE.StarvationEnd },
    ]);
    expect(starved.state).toBe(KTHREAD_STATE.Ready);
    expect(starved.runTimeNs).toBe(3 * TICK - 9);
  });

  test('real-time threads and those with boosts disabled are left alone', async () => {
    const machine = await quietMachine({ profile: STARVING });
    const realtime = machine.createProcess({ priorityClass: PRIORITY_CLASS.Realtime });
    spawn(realtime, 'hog', (p) => p.compute(20 * SECOND), { increment: -7 });
    const low = spawn(realtime, 'low', (p) => p.compute(SECOND), { increment: -15 });
    const disabled = spawn(machine.createProcess(), 'disabled', (p) => p.compute(SECOND), {
      disableBoost: true,
    });
    machine.run({ until: 8 * SECOND });
    expect([low.priority, disabled.priority]).toEqual([16, 8]);
    expect([low.runTimeNs, disabled.runTimeNs]).toEqual([0, 0]);
  });
});

describe('the balance-set manager', () => {
  test('is a system thread of priority 17', async () => {
    const machine = await createMachine();
    const manager = machine.thread(1);
    expect([manager?.process.name, manager?.priority, manager?.basePriority]).toEqual([
      'System',
      17,
      17,
    ]);
  });

  test('wakes once a second while threads are ready and not running', async () => {
    const machine = await quietMachine({ profile: { starvationNs: 4 * SECOND } });
    const process = machine.createProcess();
    spawn(process, 'a', (p) => p.compute(1600 * MS));
    spawn(process, 'b', (p) => p.compute(1600 * MS));
    machine.run();
    const wakes = recordsOf(machine, 'ready').filter((record) => record.thread === 1);
    expect(wakes.map((record) => record.timeNs)).toEqual([
      0,
      1 * SECOND,
      2 * SECOND,
      3 * SECOND,
      4 * SECOND,
    ]);
  });

  test('boosts at most 10 threads in a pass, and goes on with the others in the next', async () => {
    const machine = await quietMachine({
      profile: { starvationNs: 4 * SECOND, starvationQuantumUnits: 1 },
    });
    const hog = machine.createProcess({ priorityClass: PRIORITY_CLASS.High });
    spawn(hog, 'hog', (p) => p.compute(20 * SECOND));
    const process = machine.createProcess();
    const body = machine.loadProgram(compute(SECOND));
    for (let count = 0; count < 24; count++) process.createThread(body);
    const boosts = () =>
      recordsOf(machine, 'priority').filter((r) => r.change === PRIORITY_CHANGE.Starvation);
    machine.run({ until: 5 * SECOND - 1 });
    expect(boosts().length).toBe(10);
    machine.run({ until: 6 * SECOND - 1 });
    expect(boosts().length).toBe(20);
    machine.run({ until: 7 * SECOND - 1 });
    expect(new Set(boosts().map((record) => record.thread)).size).toBe(24);
  });

  test('looks at up to 16 threads in a pass, and remembers where it stopped', async () => {
    const machine = await quietMachine({ profile: { starvationNs: 4 * SECOND } });
    const hog = machine.createProcess({ priorityClass: PRIORITY_CLASS.Realtime });
    spawn(hog, 'hog', (p) => p.compute(20 * SECOND), { increment: -15 });
    machine.run({ until: 500 * MS });
    const process = machine.createProcess();
    const body = machine.loadProgram(compute(SECOND));
    for (let count = 0; count < 20; count++) process.createThread(body, { disableBoost: true });
    const starved = process.createThread(body, { increment: -2 });
    machine.run({ until: 6 * SECOND + 100 });
    // The passes begin at the threads 1, 17, 12, 7, 2 and 18 of 21.
    expect(recordsOf(machine, 'priority')).toMatchObject([
      { timeNs: 6 * SECOND + 3, thread: starved.index, newPriority: 15 },
    ]);
  });
});

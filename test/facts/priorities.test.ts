import { describe, expect, test } from 'vitest';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import { compute, MS, priorityLevels, quietMachine, spawn, spawnWaiting } from '../records';

describe('a thread’s base priority is its process’s plus its relative priority, clamped to the range', () => {
  test.each([
    ['Idle', PRIORITY_CLASS.Idle, 'process', 0, 4],
    ['Idle', PRIORITY_CLASS.Idle, 'idle', -15, 1],
    ['Idle', PRIORITY_CLASS.Idle, 'lowest', -2, 2],
    ['Idle', PRIORITY_CLASS.Idle, 'below normal', -1, 3],
    ['Idle', PRIORITY_CLASS.Idle, 'above normal', 1, 5],
    ['Idle', PRIORITY_CLASS.Idle, 'highest', 2, 6],
    ['Idle', PRIORITY_CLASS.Idle, 'time critical', 15, 15],
    ['BelowNormal', PRIORITY_CLASS.BelowNormal, 'process', 0, 6],
    ['BelowNormal', PRIORITY_CLASS.BelowNormal, 'idle', -15, 1],
    ['BelowNormal', PRIORITY_CLASS.BelowNormal, 'lowest', -2, 4],
    ['BelowNormal', PRIORITY_CLASS.BelowNormal, 'below normal', -1, 5],
    ['BelowNormal', PRIORITY_CLASS.BelowNormal, 'above normal', 1, 7],
    ['BelowNormal', PRIORITY_CLASS.BelowNormal, 'highest', 2, 8],
    ['BelowNormal', PRIORITY_CLASS.BelowNormal, 'time critical', 15, 15],
    ['Normal', PRIORITY_CLASS.Normal, 'process', 0, 8],
    ['Normal', PRIORITY_CLASS.Normal, 'idle', -15, 1],
    ['Normal', PRIORITY_CLASS.Normal, 'lowest', -2, 6],
    ['Normal', PRIORITY_CLASS.Normal, 'below normal', -1, 7],
    ['Normal', PRIORITY_CLASS.Normal, 'above normal', 1, 9],
    ['Normal', PRIORITY_CLASS.Normal, 'highest', 2, 10],
    ['Normal', PRIORITY_CLASS.Normal, 'time critical', 15, 15],
    ['AboveNormal', PRIORITY_CLASS.AboveNormal, 'process', 0, 10],
    ['AboveNormal', PRIORITY_CLASS.AboveNormal, 'idle', -15, 1],
    ['AboveNormal', PRIORITY_CLASS.AboveNormal, 'lowest', -2, 8],
    ['AboveNormal', PRIORITY_CLASS.AboveNormal, 'below normal', -1, 9],
    ['AboveNormal', PRIORITY_CLASS.AboveNormal, 'above normal', 1, 11],
    ['AboveNormal', PRIORITY_CLASS.AboveNormal, 'highest', 2, 12],
    ['AboveNormal', PRIORITY_CLASS.AboveNormal, 'time critical', 15, 15],
    ['High', PRIORITY_CLASS.High, 'process', 0, 13],
    ['High', PRIORITY_CLASS.High, 'idle', -15, 1],
    ['High', PRIORITY_CLASS.High, 'lowest', -2, 11],
    ['High', PRIORITY_CLASS.High, 'below normal', -1, 12],
    ['High', PRIORITY_CLASS.High, 'above normal', 1, 14],
    ['High', PRIORITY_CLASS.High, 'highest', 2, 15],
    ['High', PRIORITY_CLASS.High, 'time critical', 15, 15],
    ['Realtime', PRIORITY_CLASS.Realtime, 'process', 0, 24],
    ['Realtime', PRIORITY_CLASS.Realtime, 'idle', -15, 16],
    ['Realtime', PRIORITY_CLASS.Realtime, 'lowest', -2, 22],
    ['Realtime', PRIORITY_CLASS.Realtime, 'below normal', -1, 23],
    ['Realtime', PRIORITY_CLASS.Realtime, 'above normal', 1, 25],
    ['Realtime', PRIORITY_CLASS.Realtime, 'highest', 2, 26],
    ['Realtime', PRIORITY_CLASS.Realtime, 'time critical', 15, 31],
  ])('class %s (%i), %s (%i): base priority %i', async (_, priorityClass, _name, increment, base) => {
    const machine = await quietMachine();
    const process = machine.createProcess({ priorityClass });
    const thread = spawn(process, 't', (p) => p.compute(1), { increment });
    expect([thread.basePriority, thread.priority]).toEqual([base, base]);
  });
});

test.each([
  ['Idle', PRIORITY_CLASS.Idle, 4],
  ['BelowNormal', PRIORITY_CLASS.BelowNormal, 6],
  ['Normal', PRIORITY_CLASS.Normal, 8],
  ['AboveNormal', PRIORITY_CLASS.AboveNormal, 10],
  ['High', PRIORITY_CLASS.High, 13],
  ['Realtime', PRIORITY_CLASS.Realtime, 24],
])('a process has a base priority from its class: %s (%i) is %i', async (_, priorityClass, base) => {
  const machine = await quietMachine();
  expect(machine.createProcess({ priorityClass }).basePriority).toBe(base);
});

test('priorities are 1 to 31 for threads: 0 is the zero-page thread alone', async () => {
  const machine = await quietMachine();
  const thread = spawn(machine.createProcess(), 't', (p) => p.compute(1));
  expect([thread.setPriority(1), thread.setPriority(31), thread.setPriority(8)]).toEqual([
    8, 1, 31,
  ]);
  expect(() => thread.setPriority(0)).toThrow('priority is 0; give an integer from 1 to 31');
  expect(() => thread.setPriority(32)).toThrow('priority is 32; give an integer from 1 to 31');
});

test('a boost acts on the current priority only, never on the base', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const thread = spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS));
  machine.run({ until: 1000 });
  event.set(3);
  machine.run({ until: 2000 });
  expect([thread.priority, thread.basePriority]).toEqual([11, 8]);
});

test('no boost lifts a thread above 15', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({ priorityClass: PRIORITY_CLASS.High, foreground: true });
  const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS));
  machine.run({ until: 1000 });
  event.set(15);
  machine.run({ until: 2000 });
  expect([thread.priority, thread.basePriority]).toEqual([15, 13]);
});

test('a real-time thread is never boosted', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({
    priorityClass: PRIORITY_CLASS.Realtime,
    foreground: true,
  });
  const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS));
  machine.run({ until: 1000 });
  event.set(6);
  machine.run({ until: 2000 });
  expect(thread.priority).toBe(24);
});

test('a thread of a variable base that was set to a real-time priority is not boosted either', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const thread = spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS));
  machine.run({ until: 1000 });
  thread.setPriority(16);
  event.set(6);
  machine.run({ until: 2000 });
  expect([thread.priority, thread.basePriority]).toEqual([16, 8]);
});

test('a boosted thread loses one level at each quantum end until it is back at its base', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const thread = spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(1000 * MS));
  machine.run({ until: 1000 });
  event.set(4);
  machine.run({ until: 900 * MS });
  expect(priorityLevels(machine, thread)).toEqual([12, 11, 10, 9, 8]);
});

test('a real-time thread keeps its priority at quantum end', async () => {
  const machine = await quietMachine();
  const process = machine.createProcess({ priorityClass: PRIORITY_CLASS.Realtime });
  const thread = process.createThread(machine.loadProgram(compute(500 * MS)));
  machine.run({ until: 400 * MS });
  expect([thread.priority, priorityLevels(machine, thread)]).toEqual([24, []]);
});

test('KeSetPriorityThread changes the current priority, and the base comes back at quantum end', async () => {
  const machine = await quietMachine();
  const thread = spawn(machine.createProcess(), 't', (p) => p.setPriority(10).compute(500 * MS));
  machine.run({ until: MS });
  expect([thread.priority, thread.basePriority]).toEqual([10, 8]);
  machine.run({ until: 400 * MS });
  expect(priorityLevels(machine, thread)).toEqual([10, 9, 8]);
});

test('KeSetBasePriorityThread moves base and current priority together and returns the last increment', async () => {
  const machine = await quietMachine();
  const thread = spawn(machine.createProcess(), 't', (p) => p.compute(MS));
  expect([thread.setBasePriority(2), thread.basePriority, thread.priority]).toEqual([0, 10, 10]);
  expect([thread.setBasePriority(-2), thread.basePriority, thread.priority]).toEqual([2, 6, 6]);
  expect([thread.setBasePriority(16), thread.basePriority, thread.priority]).toEqual([-2, 15, 15]);
  expect([thread.setBasePriority(-16), thread.basePriority, thread.priority]).toEqual([16, 1, 1]);
  expect([thread.setBasePriority(0), thread.basePriority, thread.priority]).toEqual([-16, 8, 8]);
});

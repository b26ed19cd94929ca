import { describe, expect, test } from 'vitest';
import { KTHREAD_STATE, KWAIT_REASON, PRIORITY_CLASS } from '../../assembly/shared/types';
import { decodePrioritySeparation } from '../../src/machine/profile';
import { program } from '../../src/machine/program';
import {
  compute,
  MS,
  quietMachine,
  recordsOf,
  spawn,
  spawnWaiting,
  switches,
  TICK,
} from '../records';

test('the clock ticks every 15.625 ms, and a quantum unit is a third of a tick', async () => {
  const machine = await quietMachine({ profile: { quantumUnits: 1 } });
  const thread = spawn(machine.createProcess(), 't', (p) => p.compute(40 * MS));
  expect(thread.remainingQuantumNs).toBe(5_208_333);
  machine.run({ until: 40 * MS });
  expect(recordsOf(machine, 'interrupt').map((r) => r.timeNs)).toEqual([15_625_000, 31_250_000]);
});

test('a client quantum is 6 units, 2 ticks', async () => {
  const machine = await quietMachine({ profile: { product: 'client' } });
  const thread = spawn(machine.createProcess(), 't', (p) => p.compute(1));
  expect(thread.remainingQuantumNs).toBe(2 * TICK);
});

test('a server quantum is 36 units, 12 ticks, in and out of the foreground', async () => {
  const machine = await quietMachine({ profile: { product: 'server' } });
  const back = spawn(machine.createProcess(), 'back', (p) => p.compute(1));
  const front = spawn(machine.createProcess({ foreground: true }), 'front', (p) => p.compute(1));
  expect([back.remainingQuantumNs, front.remainingQuantumNs]).toEqual([12 * TICK, 12 * TICK]);
});

describe('the quantum table of Win32PrioritySeparation, in units by separation', () => {
  test.each([
    ['short variable', 0x24, 6, 12, 18, 6],
    ['long variable', 0x14, 12, 24, 36, 12],
    ['short fixed', 0x28, 18, 18, 18, 18],
    ['long fixed', 0x18, 36, 36, 36, 36],
  ])('%s: foreground of separation 0, 1 and 2, and background', (_, value, s0, s1, s2, background) => {
    const tables = [value, value + 1, value + 2].map((v) => decodePrioritySeparation(v, 'server'));
    expect(tables.map((table) => table.foreground)).toEqual([s0, s1, s2]);
    expect(tables.map((table) => table.background)).toEqual([background, background, background]);
  });
});

test('with a variable table threads of the foreground process get the entry of the separation, all others entry 0', async () => {
  const machine = await quietMachine({ profile: { win32PrioritySeparation: 0x15 } });
  const process = machine.createProcess();
  const before = spawn(process, 'before', (p) => p.compute(100 * MS));
  process.setForeground(true);
  const front = spawn(process, 'front', (p) => p.compute(1), { start: false });
  const back = spawn(machine.createProcess(), 'back', (p) => p.compute(1), { start: false });
  expect([front.remainingQuantumNs, back.remainingQuantumNs]).toEqual([8 * TICK, 4 * TICK]);
  machine.run({ until: 80 * MS });
  expect(before.remainingQuantumNs).toBe(8 * TICK - (80 * MS - 5 * TICK) + 1);
});

test('the quantum goes by the cycles used, not by the ticks seen', async () => {
  const machine = await quietMachine();
  machine.run({ until: 10 * MS });
  const process = machine.createProcess();
  spawn(process, 'a', (p) => p.compute(500 * MS));
  spawn(process, 'b', (p) => p.compute(500 * MS));
  machine.run({ until: 50 * MS });
  // Two ticks have passed at 31.25 ms, but only 21.25 ms of the 31.25.
  expect(switches(machine)).toEqual(['10000000 P0 a', '46875000 P0 b']);
});

test('a clock interrupt before the target leaves the quantum alone', async () => {
  const machine = await quietMachine();
  const process = machine.createProcess();
  const a = spawn(process, 'a', (p) => p.compute(500 * MS));
  spawn(process, 'b', (p) => p.compute(500 * MS));
  machine.run({ until: 2 * TICK });
  expect([a.state, a.remainingQuantumNs]).toEqual([KTHREAD_STATE.Running, 2]);
});

test('time spent in interrupts and DPCs is not charged to the thread', async () => {
  const machine = await quietMachine({ profile: { costs: { deviceInterrupt: MS, dpc: MS } } });
  const event = machine.createEvent('notification');
  const thread = spawn(machine.createProcess(), 't', (p) => p.compute(10 * MS).mark(1));
  machine.scheduleInterrupt(2 * MS, 0, event, 0);
  machine.scheduleInterrupt(5 * MS, 0, event, 0);
  machine.run({ until: 12 * MS });
  expect([thread.runTimeNs, thread.remainingQuantumNs]).toEqual([
    8 * MS - 1,
    2 * TICK - 8 * MS + 1,
  ]);
  machine.run();
  expect(recordsOf(machine, 'mark')).toMatchObject([{ timeNs: 14 * MS + 1 }]);
});

test('quantum end is worked out last: after the clock interrupt, its timer DPC and the threads that made ready', async () => {
  const machine = await quietMachine();
  const process = machine.createProcess();
  spawn(process, 'sleeper', (p) => p.delay(40 * MS).compute(500 * MS));
  spawn(process, 'a', (p) => p.compute(500 * MS));
  machine.run({ until: 3 * TICK });
  const atTick = machine.trace.last(4);
  expect(atTick.count).toBe(4);
  expect(recordsOf(machine, 'interrupt').at(-1)).toMatchObject({ timeNs: 3 * TICK });
  expect(recordsOf(machine, 'dpc').at(-1)).toMatchObject({ timeNs: 3 * TICK, items: 1 });
  expect(switches(machine).at(-1)).toBe('46875000 P0 sleeper');
});

test('at quantum end a thread goes to the tail of its list if another of its priority is ready here', async () => {
  const machine = await quietMachine();
  const process = machine.createProcess();
  spawn(process, 'a', (p) => p.compute(500 * MS));
  spawn(process, 'b', (p) => p.compute(500 * MS));
  spawn(process, 'c', (p) => p.compute(500 * MS));
  machine.run({ until: 200 * MS });
  expect(switches(machine)).toEqual([
    '0 P0 a',
    '46875000 P0 b',
    '93750000 P0 c',
    '140625000 P0 a',
    '187500000 P0 b',
  ]);
  expect(recordsOf(machine, 'contextSwitch').at(-1)).toMatchObject({
    oldWaitReason: KWAIT_REASON.WrQuantumEnd,
    remainingQuantumNs: 2 * TICK,
  });
});

test('at quantum end a thread keeps running if none of its priority is ready here', async () => {
  const machine = await quietMachine();
  const process = machine.createProcess();
  const thread = spawn(process, 'a', (p) => p.compute(500 * MS));
  spawn(process, 'low', (p) => p.compute(500 * MS), { increment: -1 });
  machine.run({ until: 50 * MS });
  expect(switches(machine)).toEqual(['0 P0 a']);
  expect(thread.remainingQuantumNs).toBe(2 * TICK - (50 * MS - 3 * TICK) + 1);
});

test('a preempted thread goes back to the head of its list and keeps what is left of its quantum', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  spawnWaiting(process, 'high', event, (p) => p.compute(MS), { increment: 2 });
  const a = spawn(process, 'a', (p) => p.compute(500 * MS));
  spawn(process, 'b', (p) => p.compute(500 * MS));
  machine.run({ until: 5 * MS });
  event.set();
  machine.run({ until: 10 * MS });
  expect(switches(machine)).toEqual(['0 P0 a', '5000000 P0 high', '6000001 P0 a']);
  expect(a.remainingQuantumNs).toBe(2 * TICK - (5 * MS - 1) - (4 * MS - 3));
});

test('a thread preempted when its quantum is used up goes to the tail with a fresh one', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  machine.run({ until: 10 * MS });
  spawnWaiting(process, 'high', event, (p) => p.compute(MS), { increment: 2 });
  const a = spawn(process, 'a', (p) => p.compute(500 * MS));
  spawn(process, 'b', (p) => p.compute(500 * MS));
  machine.run({ until: 45 * MS });
  event.set();
  machine.run({ until: 47 * MS });
  expect(switches(machine)).toEqual(['10000000 P0 a', '45000000 P0 high', '46000001 P0 b']);
  expect([a.state, a.remainingQuantumNs]).toEqual([KTHREAD_STATE.Ready, 2 * TICK]);
});

test('preempted real-time threads go to the head with the rest of their quantum, or to the tail, by the same rule', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({ priorityClass: PRIORITY_CLASS.Realtime });
  machine.run({ until: 10 * MS });
  spawn(process, 'high', (p) => p.wait(event).compute(MS).wait(event).compute(MS), {
    increment: 2,
  });
  spawn(process, 'a', (p) => p.compute(500 * MS));
  spawn(process, 'b', (p) => p.compute(500 * MS));
  machine.run({ until: 20 * MS });
  event.set();
  machine.run({ until: 45 * MS });
  event.set();
  machine.run({ until: 47 * MS });
  expect(switches(machine).map((line) => line.split(' ')[2])).toEqual([
    'high',
    'a',
    'high',
    'a',
    'high',
    'b',
  ]);
});

test('a wait ended by an object without a boost costs one unit, where the profile charges waits', async () => {
  const machine = await quietMachine({ profile: { waitQuantumCharge: 1 } });
  const event = machine.createEvent('synchronization');
  const thread = spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS));
  machine.run({ until: MS });
  event.set(0);
  machine.run({ until: MS });
  expect(thread.remainingQuantumNs).toBe(26_041_667);
});

test('a thread that always waits briefly still reaches quantum end, where the profile charges waits', async () => {
  const machine = await quietMachine({ profile: { waitQuantumCharge: 1 } });
  const thread = spawn(machine.createProcess(), 't', (p) =>
    p.setPriority(9).loop(8, () => p.compute(MS).delay(MS)),
  );
  machine.run({ until: 5 * TICK });
  expect([thread.priority, thread.remainingQuantumNs]).toEqual([9, 208_324]);
  machine.run({ until: 6 * TICK });
  expect([thread.priority, thread.remainingQuantumNs]).toEqual([8, 2 * TICK]);
});

test('a wait costs nothing beyond run time by default, and a wake with a boost costs nothing either', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const thread = spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS));
  machine.run({ until: MS });
  event.set(0);
  machine.run({ until: MS });
  expect(thread.remainingQuantumNs).toBe(2 * TICK);
  const charging = await quietMachine({ profile: { waitQuantumCharge: 1 } });
  const boosting = charging.createEvent('synchronization');
  const boosted = spawnWaiting(charging.createProcess(), 't', boosting, (p) => p.compute(MS));
  charging.run({ until: MS });
  boosting.set(1);
  charging.run({ until: MS });
  expect(boosted.remainingQuantumNs).toBe(2 * TICK);
});

describe('a boosted wake resets the quantum for base priority 14 and above only', () => {
  test.each([
    ['13', PRIORITY_CLASS.High, 0, 2 * TICK - MS],
    ['14', PRIORITY_CLASS.High, 1, 2 * TICK],
    ['15', PRIORITY_CLASS.Normal, 15, 2 * TICK],
    ['24', PRIORITY_CLASS.Realtime, 0, 2 * TICK],
  ])('base %s', async (_, priorityClass, increment, left) => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess({ priorityClass });
    const thread = spawn(
      process,
      't',
      (p) =>
        p
          .compute(MS - 1)
          .wait(event)
          .compute(MS),
      {
        increment,
      },
    );
    machine.run({ until: 2 * MS });
    event.set(1);
    machine.run({ until: 2 * MS });
    expect(thread.remainingQuantumNs).toBe(left);
  });
});

test.each([
  ['14', PRIORITY_CLASS.High, 1],
  ['24', PRIORITY_CLASS.Realtime, 0],
])('an unboosted wake costs a thread of base %s its unit too, where the profile charges waits', async (_, priorityClass, increment) => {
  const machine = await quietMachine({ profile: { waitQuantumCharge: 1 } });
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({ priorityClass });
  const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS), { increment });
  machine.run({ until: MS });
  event.set(0);
  machine.run({ until: MS });
  expect(thread.remainingQuantumNs).toBe(26_041_667);
});

test('a context switch shows what the old thread had left of its quantum', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  spawn(process, 't', (p) => p.compute(3 * MS - 1).wait(event));
  machine.run();
  expect(recordsOf(machine, 'contextSwitch').at(-1)).toMatchObject({
    timeNs: 3 * MS,
    remainingQuantumNs: 2 * TICK - 3 * MS,
  });
});

test('a quantum of infinite units never ends', async () => {
  const machine = await quietMachine({ profile: { quantumUnits: 'infinite' } });
  const process = machine.createProcess();
  const body = machine.loadProgram(program('first', (p) => p.compute(1000 * MS)));
  const first = process.createThread(body);
  process.createThread(machine.loadProgram(compute(MS)));
  machine.run({ until: 900 * MS });
  expect([first.state, first.contextSwitches]).toEqual([KTHREAD_STATE.Running, 1]);
});

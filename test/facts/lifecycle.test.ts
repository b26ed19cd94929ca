import { expect, test } from 'vitest';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import {
  compute,
  MS,
  priorityLevels,
  quietMachine,
  records,
  recordsOf,
  spawn,
  spawnWaiting,
  TICK,
} from '../records';

test('the PriorityDecrement of a context switch has the foreground boost in its low nibble', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({ foreground: true });
  spawn(process, 't', (p) => p.wait(event).compute(MS).wait(event));
  machine.run({ until: 1000 });
  event.set(1);
  machine.run();
  expect(recordsOf(machine, 'contextSwitch').at(-1)).toMatchObject({
    oldPriority: 11,
    oldPriorityDecrement: 0x02,
  });
});

test('and an unusual boost, that of a starved thread, in its high nibble', async () => {
  const machine = await quietMachine({ profile: { starvationNs: 4000 * MS } });
  const event = machine.createEvent('synchronization');
  const hog = machine.createProcess({ priorityClass: PRIORITY_CLASS.High });
  spawn(hog, 'hog', (p) => p.compute(9000 * MS));
  spawn(machine.createProcess(), 'starved', (p) => p.compute(MS).wait(event));
  machine.run();
  const starved = recordsOf(machine, 'contextSwitch').filter(({ oldThread }) => oldThread === 3);
  expect(starved).toMatchObject([{ oldPriority: 15, oldPriorityDecrement: 0x70 }]);
});

test('a thread of base 10 in the foreground is switched in at 13, at its next run at 11, at the next at 10', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess({
    priorityClass: PRIORITY_CLASS.AboveNormal,
    foreground: true,
  });
  const thread = spawnWaiting(process, 't', event, (p) => p.compute(500 * MS));
  machine.run({ until: MS });
  event.set(1);
  machine.run({ until: 450 * MS });
  expect(priorityLevels(machine, thread)).toEqual([13, 11, 10]);
});

test('the quantum is charged by run time and not reset by a wait: each run leaves less', async () => {
  const machine = await quietMachine();
  const gate = machine.createSemaphore(0);
  const process = machine.createProcess();
  const thread = spawn(process, 't', (p) => p.loop(7, () => p.wait(gate).compute(164_000)));
  for (let time = 1; time <= 7; time++) {
    machine.run({ until: time * MS });
    gate.release(1, 1);
  }
  machine.run();
  const left = recordsOf(machine, 'contextSwitch')
    .filter(({ oldThread }) => oldThread === thread.index)
    .map((record) => record.remainingQuantumNs);
  expect(left).toEqual([
    31_249_998, 31_085_996, 30_921_994, 30_757_992, 30_593_990, 30_429_988, 30_265_986, 30_101_984,
  ]);
});

test('full quanta stand in ratio 3 to 1, foreground against background', async () => {
  const machine = await quietMachine();
  const front = spawn(machine.createProcess({ foreground: true }), 'front', (p) => p.compute(1));
  const back = spawn(machine.createProcess(), 'back', (p) => p.compute(1));
  expect([front.remainingQuantumNs, back.remainingQuantumNs]).toEqual([6 * TICK, 2 * TICK]);
});

test('a process starts before its first thread', async () => {
  const machine = await quietMachine();
  spawn(machine.createProcess(), 't', (p) => p.compute(1));
  const starts = records(machine).filter((record) => record.type.endsWith('Start'));
  expect(starts).toMatchObject([
    { type: 'processStart', process: 1 },
    { type: 'processStart', process: 2 },
    { type: 'threadStart', thread: 1, process: 2 },
  ]);
});

test('a process that a program makes starts in the thread of its parent, before anything of its own', async () => {
  const machine = await quietMachine();
  const child = machine.loadProgram(compute(1));
  const parent = spawn(machine.createProcess(), 'parent', (p) =>
    p.register((handle) => p.createProcess(handle, child, PRIORITY_CLASS.High)),
  );
  machine.run();
  const starts = records(machine)
    .filter((record) => record.type.endsWith('Start'))
    .slice(-2);
  expect(starts).toMatchObject([
    { type: 'processStart', process: 3, parent: 2, basePriority: 13, creator: parent.index },
    { type: 'threadStart', thread: 2, process: 3, priority: 13, creator: parent.index },
  ]);
});

test('the end of a process comes directly after the end of its last thread', async () => {
  const machine = await quietMachine();
  const process = machine.createProcess();
  spawn(process, 'a', (p) => p.compute(1).exit(1));
  spawn(process, 'b', (p) => p.compute(1).exit(0x40010004));
  machine.run();
  const ends = records(machine).filter((record) => record.type.endsWith('End'));
  expect(ends).toMatchObject([
    { type: 'threadEnd', thread: 1, status: 1 },
    { type: 'threadEnd', thread: 2, status: 0x40010004 },
    { type: 'processEnd', process: 2, status: 0x40010004 },
  ]);
});

test('every user and kernel time shown is a multiple of 15.625 ms, though quanta go by cycles', async () => {
  const machine = await quietMachine();
  const process = machine.createProcess();
  const a = spawn(process, 'a', (p) => p.compute(33 * MS));
  const b = spawn(process, 'b', (p) => p.compute(29 * MS));
  machine.run();
  expect([a.userTime100ns, b.userTime100ns]).toEqual([2 * 156_250, 156_250]);
  expect([a.runTimeNs, b.runTimeNs]).toEqual([33 * MS + 1, 29 * MS + 1]);
});

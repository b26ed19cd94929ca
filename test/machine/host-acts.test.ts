import { expect, test } from 'vitest';
import { KTHREAD_STATE } from '../../assembly/shared/types';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import { compute, MS, quietMachine, records, recordsOf, spawn } from '../records';

test('a wake from outside any guest happens at the present time, and is no thread’s', async () => {
  const machine = await Machine.create();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  process.createThread(machine.loadProgram(program('woken', (p) => p.wait(event).mark(1))));
  machine.run({ until: MS });
  event.set();
  machine.run({ until: 2 * MS });
  expect(recordsOf(machine, 'ready').at(-1)).toMatchObject({ timeNs: MS, readiedBy: 0 });
  expect(recordsOf(machine, 'mark')).toMatchObject([{ timeNs: MS + 1000 }]);
});

test('a thread that the host preempts has run up to the present time', async () => {
  const machine = await Machine.create();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  process.createThread(machine.loadProgram(program('high', (p) => p.wait(event).compute(MS))), {
    increment: 2,
  });
  machine.run({ until: MS });
  const low = process.createThread(machine.loadProgram(compute(10 * MS)));
  machine.run({ until: 3 * MS });
  event.set();
  machine.run({ until: 3 * MS });
  expect([low.state, low.runTimeNs]).toEqual([KTHREAD_STATE.Ready, 2 * MS - 1000]);
});

test('lowering the running thread from outside lets the better one run from the present time on', async () => {
  const machine = await Machine.create();
  const process = machine.createProcess();
  const first = process.createThread(machine.loadProgram(compute(10 * MS)));
  process.createThread(machine.loadProgram(compute(10 * MS)));
  machine.run({ until: 3 * MS });
  first.setPriority(5);
  machine.run({ until: 4 * MS });
  expect(recordsOf(machine, 'contextSwitch').at(-1)).toMatchObject({ timeNs: 3 * MS });
  expect(first.runTimeNs).toBe(3 * MS - 2 * 1000 - 200);
});

test('the times of the records of a run never go back', async () => {
  const machine = await Machine.create({ processors: 2 });
  const gate = machine.createSemaphore(0);
  const process = machine.createProcess();
  const body = machine.loadProgram(program('worker', (p) => p.wait(gate).compute(3 * MS)));
  for (let count = 0; count < 4; count++) process.createThread(body);
  machine.run({ until: 5 * MS });
  gate.release(2);
  machine.run({ until: 6 * MS });
  gate.release(2);
  machine.run();
  const times = records(machine).map((record) => record.timeNs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times.length).toBeGreaterThan(20);
});

test('an interrupt that the host schedules does not hold up a thread that it has started', async () => {
  const machine = await Machine.create();
  const event = machine.createEvent('notification');
  machine.createProcess().createThread(machine.loadProgram(compute(MS)));
  machine.scheduleInterrupt(5 * MS, 0, event);
  machine.run({ until: 10 * MS });
  expect(recordsOf(machine, 'ready').at(-1)).toMatchObject({ timeNs: 0 });
});

test('a timer is set and cancelled from outside any guest, and its DPC called', async () => {
  const machine = await quietMachine({ processors: 1 });
  const timer = machine.createTimer('synchronization');
  let calls = 0;
  const dpc = machine.createDpc(() => void calls++);
  const waiter = spawn(machine.createProcess(), 'waiter', (p) => p.wait(timer).compute(MS));
  machine.run({ until: 10 * MS });
  const first = [timer.set(20 * MS, 20, dpc), timer.inserted, timer.dueTimeNs];
  machine.run({ until: 40 * MS });
  const second = [calls, waiter.state === KTHREAD_STATE.Waiting, timer.set(30 * MS)];
  const third = [timer.cancel(), timer.cancel(), timer.inserted];
  machine.run({ until: 200 * MS });
  expect(first).toEqual([false, true, 30 * MS]);
  expect(second).toEqual([1, false, true]);
  expect([...third, calls]).toEqual([true, false, false, 1]);
  const event = machine.createEvent('notification');
  expect(() => timer.set(0, 0, event)).toThrow('set: dpc is no DPC');
});

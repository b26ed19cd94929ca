import { expect, test } from 'vitest';
import { KTHREAD_STATE, PRIORITY_CLASS } from '../../assembly/shared/types';
import { createMachine, MS, spawn, spawnWaiting } from '../records';
import { exceptClock, timeline } from '../timeline';

const SECOND = 1000 * MS;

test('two threads that play ping-pong on events run in turn, each boosted by the other', async () => {
  const machine = await createMachine();
  const ping = machine.createEvent('synchronization');
  const pong = machine.createEvent('synchronization');
  const process = machine.createProcess({ name: 'game' });
  spawn(process, 'left', (p) => p.loop(3, () => p.compute(10_000).setEvent(pong).wait(ping)));
  spawn(process, 'right', (p) => p.loop(3, () => p.wait(pong).compute(5000).setEvent(ping)));
  machine.run();
  await expect(timeline(machine)).toMatchFileSnapshot('../golden/ping-pong.txt');
});

test('a lock whose low owner starves is given up when the starvation boost lets the owner run', async () => {
  const machine = await createMachine();
  const lock = machine.createEvent('synchronization', true);
  const low = machine.createProcess({ name: 'low', priorityClass: PRIORITY_CLASS.Idle });
  const middle = machine.createProcess({ name: 'middle' });
  const high = machine.createProcess({ name: 'high', priorityClass: PRIORITY_CLASS.High });
  spawn(low, 'owner', (p) =>
    p
      .wait(lock)
      .compute(2 * MS)
      .setEvent(lock, 0),
  );
  machine.run({ until: MS });
  spawn(middle, 'hog', (p) => p.compute(8 * SECOND));
  const rescued = spawn(high, 'waiter', (p) => p.wait(lock).mark(1));
  machine.run({ until: 6 * SECOND });
  expect(rescued.state).toBe(KTHREAD_STATE.Terminated);
  await expect(timeline(machine, exceptClock)).toMatchFileSnapshot(
    '../golden/priority-inversion.txt',
  );
});

test('foreground quanta of 6 ticks and background quanta of 2 take turns, each ended by the tick after', async () => {
  const machine = await createMachine();
  const front = machine.createProcess({ name: 'front', foreground: true });
  const back = machine.createProcess({ name: 'back' });
  const a = spawn(front, 'in front', (p) => p.compute(SECOND));
  const b = spawn(back, 'behind', (p) => p.compute(SECOND));
  machine.run({ until: SECOND });
  expect([a.runTimeNs, b.runTimeNs]).toEqual([718_651_800, 281_208_000]);
  await expect(timeline(machine, exceptClock)).toMatchFileSnapshot('../golden/foreground.txt');
});

test('a preempted thread waits at its home, though another processor goes on with a lower one', async () => {
  const machine = await createMachine({ processors: 2 });
  const process = machine.createProcess({ name: 'chain' });
  spawn(process, 'low 0', (p) => p.compute(4 * MS), { affinity: 1n, increment: -2 });
  spawn(process, 'low 1', (p) => p.compute(4 * MS), { affinity: 2n, increment: -1 });
  machine.run({ until: MS });
  const middle = spawn(process, 'middle', (p) => p.compute(4 * MS));
  machine.run({ until: 2 * MS });
  spawn(process, 'high', (p) => p.compute(2 * MS), { increment: 1 });
  machine.run({ until: 3 * MS });
  spawn(process, 'highest', (p) => p.compute(2 * MS), { increment: 2 });
  machine.run();
  expect(middle.state).toBe(KTHREAD_STATE.Terminated);
  await expect(timeline(machine)).toMatchFileSnapshot('../golden/preemption-chain.txt');
});

test('a new affinity moves a running thread at once, and a ready one to a processor that it may have', async () => {
  const machine = await createMachine({ processors: 3 });
  const process = machine.createProcess({ name: 'moving' });
  const runner = spawn(process, 'runner', (p) => p.compute(5 * MS), { affinity: 1n });
  const queued = spawn(process, 'queued', (p) => p.compute(5 * MS), { affinity: 1n });
  spawn(process, 'busy', (p) => p.compute(9 * MS), { affinity: 2n });
  machine.run({ until: MS });
  queued.setAffinity(4n);
  machine.run({ until: 2 * MS });
  runner.setAffinity(2n);
  machine.run({ until: 3 * MS });
  runner.setAffinity(3n);
  machine.run();
  expect([runner.migrations, queued.migrations]).toEqual([0, 0]);
  await expect(timeline(machine)).toMatchFileSnapshot('../golden/affinity.txt');
});

test('on two nodes threads stay near their process, and spill over when its node is busy', async () => {
  const machine = await createMachine({ processors: 4, nodes: 2 });
  const far = machine.createProcess({ name: 'on node 1' });
  const near = machine.createProcess({ name: 'on node 0' });
  for (const name of ['a', 'b', 'c', 'd', 'e']) spawn(far, name, (p) => p.compute(3 * MS));
  machine.run({ until: MS });
  spawn(near, 'f', (p) => p.compute(MS));
  machine.run();
  await expect(timeline(machine)).toMatchFileSnapshot('../golden/numa.txt');
});

test('a device interrupt wakes the reader of the device, boosted above the one that computes', async () => {
  const machine = await createMachine();
  const completion = machine.createEvent('synchronization');
  const process = machine.createProcess({ name: 'device' });
  spawnWaiting(process, 'reader', completion, (p) => p.compute(50_000).wait(completion).mark(1));
  spawn(process, 'computing', (p) => p.compute(20 * MS));
  machine.scheduleInterrupt(3 * MS, 0, completion, 6);
  machine.scheduleInterrupt(9 * MS, 0, completion, 1);
  machine.run();
  await expect(timeline(machine)).toMatchFileSnapshot('../golden/device-interrupt.txt');
});

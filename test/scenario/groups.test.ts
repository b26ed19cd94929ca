import { expect, test } from 'vitest';
import { MS, quietMachine, spawn } from '../records';
import { timeline } from '../timeline';

test('with two groups a process and its threads stay in one, however idle the other is', async () => {
  const machine = await quietMachine({ processors: 66, groupSize: 64 });
  const first = machine.createProcess({ name: 'in group 1' });
  const second = machine.createProcess({ name: 'in group 0' });
  const body = machine.loadProgram({
    name: 'worker',
    words: Uint32Array.of(0x101, MS, 0, 0, 0),
  });
  for (let count = 0; count < 34; count++) first.createThread(body, { name: `worker ${count}` });
  spawn(second, 'alone', (p) => p.setAffinity(1n << 32n).compute(MS));
  machine.run();
  expect([machine.groupAffinity(0), machine.groupAffinity(1)]).toEqual([
    0x1_ffff_ffffn,
    0x1_ffff_ffffn,
  ]);
  await expect(timeline(machine, (r) => r.type === 'contextSwitch')).toMatchFileSnapshot(
    '../golden/groups.txt',
  );
});

test('a thread of one group wakes one of the other there', async () => {
  const machine = await quietMachine({ processors: 66 });
  const event = machine.createEvent('synchronization');
  const here = machine.createProcess({ name: 'in group 1' });
  const there = machine.createProcess({ name: 'in group 0' });
  spawn(here, 'waiter', (p) => p.wait(event).mark(1));
  spawn(there, 'setter', (p) => p.compute(MS).setEvent(event));
  machine.run();
  await expect(timeline(machine)).toMatchFileSnapshot('../golden/group-wake.txt');
});

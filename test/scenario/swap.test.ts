import { expect, test } from 'vitest';
import { KTHREAD_STATE, MODE, PRIORITY_CLASS } from '../../assembly/shared/types';
import { MS, quietMachine, spawn, spawnWaiting } from '../records';
import { timeline } from '../timeline';

const SECOND = 1000 * MS;
const SWAPPING = { stackOutswapNs: 7 * SECOND, processOutswapNs: 20 * SECOND };

test('a stack that is out comes in before its thread runs, and so does a process before the stack', async () => {
  const machine = await quietMachine({ profile: { ...SWAPPING, costs: { swapIn: 100_000 } } });
  const short = machine.createEvent('synchronization');
  const long = machine.createEvent('synchronization');
  const process = machine.createProcess({ name: 'mostly idle' });
  spawn(process, 'reader', (p) =>
    p
      .wait(short, { mode: MODE.UserMode })
      .mark(1)
      .wait(short, { mode: MODE.UserMode })
      .mark(2)
      .wait(long, { mode: MODE.UserMode })
      .mark(3),
  );
  machine.run({ until: 6 * SECOND });
  short.set();
  machine.run({ until: 14 * SECOND });
  short.set();
  machine.run({ until: 40 * SECOND });
  long.set();
  machine.run();
  await expect(timeline(machine)).toMatchFileSnapshot('../golden/swap.txt');
});

test('the swapper brings stacks in one after the other, in the order of the wakes', async () => {
  const machine = await quietMachine({
    processors: 2,
    profile: { ...SWAPPING, costs: { swapIn: 100_000 } },
  });
  const event = machine.createEvent('notification');
  const process = machine.createProcess({ name: 'two' });
  const first = spawnWaiting(process, 'first', event, (p) => p.compute(MS));
  const second = spawnWaiting(process, 'second', event, (p) => p.compute(MS));
  machine.run({ until: 8 * SECOND });
  event.set();
  machine.run({ until: 8 * SECOND + 150_000 });
  expect([first.state, second.state]).toEqual([KTHREAD_STATE.Running, KTHREAD_STATE.Transition]);
  machine.run({ until: 8 * SECOND + 250_000 });
  expect(second.state).toBe(KTHREAD_STATE.Running);
});

test('a thread that waits in kernel mode keeps its stack, and so does a real-time thread', async () => {
  const machine = await quietMachine({ profile: SWAPPING });
  const event = machine.createEvent('notification');
  const kernel = spawn(machine.createProcess(), 'kernel', (p) => p.wait(event).compute(MS));
  const realtime = spawn(
    machine.createProcess({ priorityClass: PRIORITY_CLASS.Realtime }),
    'realtime',
    (p) => p.wait(event, { mode: MODE.UserMode }).compute(MS),
  );
  machine.run({ until: 30 * SECOND });
  event.set();
  machine.run({ maxEvents: 1 });
  expect([kernel.state, realtime.state]).toEqual([KTHREAD_STATE.Ready, KTHREAD_STATE.Running]);
});

test('a process with a thread that did not wait stays in', async () => {
  const machine = await quietMachine({ profile: { ...SWAPPING, costs: { swapIn: 100_000 } } });
  const event = machine.createEvent('notification');
  const process = machine.createProcess();
  const idle = spawnWaiting(process, 'idle', event, (p) => p.compute(MS));
  spawn(process, 'awake', (p) => p.loop(8, () => p.delay(5 * SECOND)));
  machine.run({ until: 30 * SECOND + MS });
  event.set();
  machine.run({ maxEvents: 1 });
  expect(idle.state).toBe(KTHREAD_STATE.Transition);
});

import { expect, test } from 'vitest';
import { KTHREAD_STATE } from '../../assembly/shared/types';
import { MS, quietMachine, recordsOf, spawn, spawnWaiting, TICK } from '../records';

test('the states of a thread have Windows’s numbers, 0 to 9', () => {
  expect([
    KTHREAD_STATE.Initialized,
    KTHREAD_STATE.Ready,
    KTHREAD_STATE.Running,
    KTHREAD_STATE.Standby,
    KTHREAD_STATE.Terminated,
    KTHREAD_STATE.Waiting,
    KTHREAD_STATE.Transition,
    KTHREAD_STATE.DeferredReady,
    KTHREAD_STATE.GateWaitObsolete,
    KTHREAD_STATE.WaitingForProcessInSwap,
  ]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a thread is Initialized until it is started', async () => {
  const machine = await quietMachine();
  const thread = spawn(machine.createProcess(), 't', (p) => p.compute(MS), { start: false });
  machine.run({ until: MS });
  expect(thread.state).toBe(KTHREAD_STATE.Initialized);
  thread.start();
  machine.run({ until: 2 * MS - 1 });
  expect(thread.state).toBe(KTHREAD_STATE.Running);
});

test('a readied thread is DeferredReady until the end of the step places it', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const thread = spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS));
  event.set();
  expect(thread.state).toBe(KTHREAD_STATE.DeferredReady);
  machine.run({ maxEvents: 1 });
  expect(thread.state).toBe(KTHREAD_STATE.Running);
});

test('a thread that is chosen for another processor is Standby until that is told, then Running', async () => {
  const machine = await quietMachine({ processors: 2 });
  const event = machine.createEvent('synchronization');
  const thread = spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS), {
    affinity: 2n,
  });
  machine.run({ until: MS });
  event.set();
  machine.run({ maxEvents: 1 });
  expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Standby, 1]);
  machine.run({ maxEvents: 1 });
  expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Running, 1]);
  expect(machine.now).toBe(MS + 1);
});

test('a running thread comes to Waiting by a wait, to Ready by preemption and quantum end, and to Terminated', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const thread = spawn(process, 't', (p) => p.compute(60 * MS).wait(event));
  const other = spawn(process, 'other', (p) => p.compute(5 * MS), { start: false });
  const high = spawn(process, 'high', (p) => p.compute(MS), { increment: 1, start: false });
  machine.run({ until: MS });
  expect(thread.state).toBe(KTHREAD_STATE.Running);
  high.start();
  machine.run({ until: MS });
  expect([thread.state, high.state]).toEqual([KTHREAD_STATE.Ready, KTHREAD_STATE.Running]);
  machine.run({ until: 10 * MS });
  expect([thread.state, high.state]).toEqual([KTHREAD_STATE.Running, KTHREAD_STATE.Terminated]);
  other.start();
  machine.run({ until: 3 * TICK });
  expect([thread.state, other.state]).toEqual([KTHREAD_STATE.Ready, KTHREAD_STATE.Running]);
  machine.run();
  expect([thread.state, other.state]).toEqual([KTHREAD_STATE.Waiting, KTHREAD_STATE.Terminated]);
});

test('a woken thread whose kernel stack is out of memory is in Transition until that is in', async () => {
  const machine = await quietMachine({
    profile: { stackOutswapNs: 1000 * MS, costs: { swapIn: 5 * MS } },
  });
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS));
  machine.run({ until: 1000 * MS });
  event.set();
  machine.run({ until: 1004 * MS });
  expect(thread.state).toBe(KTHREAD_STATE.Transition);
  machine.run({ until: 1006 * MS });
  expect(thread.state).toBe(KTHREAD_STATE.Running);
});

test('a woken thread whose process is swapped out is WaitingForProcessInSwap until that is in, then in Transition', async () => {
  const machine = await quietMachine({
    profile: { stackOutswapNs: 1000 * MS, processOutswapNs: 1000 * MS, costs: { swapIn: 5 * MS } },
  });
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS));
  machine.run({ until: 1000 * MS });
  event.set();
  machine.run({ until: 1004 * MS });
  expect(thread.state).toBe(KTHREAD_STATE.WaitingForProcessInSwap);
  machine.run({ until: 1009 * MS });
  expect(thread.state).toBe(KTHREAD_STATE.Transition);
  machine.run({ until: 1011 * MS - 1 });
  expect(thread.state).toBe(KTHREAD_STATE.Running);
});

test('a processor has at most one standby thread: a higher one takes its place, and it is readied again', async () => {
  const machine = await quietMachine({ processors: 2, profile: { interprocessorLatencyNs: 1000 } });
  const process = machine.createProcess();
  const options = { affinity: 2n, start: false };
  const first = spawn(process, 'first', (p) => p.compute(MS), options);
  const second = spawn(process, 'second', (p) => p.compute(MS), { ...options, increment: 1 });
  first.start();
  machine.run({ until: 100 });
  expect(first.state).toBe(KTHREAD_STATE.Standby);
  second.start();
  machine.run({ until: 200 });
  expect([first.state, second.state]).toEqual([KTHREAD_STATE.Ready, KTHREAD_STATE.Standby]);
  machine.run({ until: 1100 });
  expect([first.state, second.state]).toEqual([KTHREAD_STATE.Ready, KTHREAD_STATE.Running]);
});

test('a context switch records the state and the wait reason of the old thread', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  spawn(machine.createProcess(), 't', (p) => p.compute(MS).wait(event, { reason: 6 }));
  machine.run();
  expect(recordsOf(machine, 'contextSwitch').at(-1)).toMatchObject({
    oldState: KTHREAD_STATE.Waiting,
    oldWaitReason: 6,
    newThread: 0,
  });
});

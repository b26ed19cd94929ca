import { describe, expect, test } from 'vitest';
import { KPRCB, KSYSTEM } from '../../assembly/shared/layout';
import { KTHREAD_STATE } from '../../assembly/shared/types';
import type { Machine } from '../../src/machine/machine';
import type { KProcess, KThread } from '../../src/machine/views';
import { compute, MS, quietMachine, recordsOf, spawn, spawnWaiting, switches } from '../records';

/** A thread that keeps one processor busy. */
function busy(process: KProcess, processor: number, increment = 0): KThread {
  const body = process.machine.loadProgram(compute(10_000 * MS));
  return process.createThread(body, { affinity: 1n << BigInt(processor), increment });
}

/** A thread that is queued on `processor` when it starts, and may run under `affinity`. */
function queue(process: KProcess, processor: number, affinity: bigint, increment: number): KThread {
  const body = process.machine.loadProgram(compute(10_000 * MS));
  const home = 1n << BigInt(processor);
  const thread = process.createThread(body, { affinity: home, increment, start: false });
  thread.setAffinity(affinity);
  thread.start();
  return thread;
}

function readySummary(machine: Machine, processor: number): number {
  const prcb = machine.memory.u32(KSYSTEM.Address + KSYSTEM.PrcbBase) + processor * KPRCB.Size;
  return machine.memory.u32(prcb + KPRCB.ReadySummary);
}

test('the boost comes before the placement: a woken thread preempts by its boosted priority', async () => {
  const machine = await quietMachine();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const woken = spawnWaiting(process, 'woken', event, (p) => p.compute(MS));
  const other = spawn(process, 'other', (p) => p.compute(MS));
  machine.run({ until: 1000 });
  event.set(1);
  machine.run({ until: 1000 });
  expect([woken.state, other.state]).toEqual([KTHREAD_STATE.Running, KTHREAD_STATE.Ready]);
});

describe('a ready thread whose affinity has idle processors goes to one of them', () => {
  test('its ideal processor before all others', async () => {
    const machine = await quietMachine({ processors: 4 });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS));
    machine.run({ until: 1000 });
    expect(thread.idealProcessor).toBe(1);
    machine.scheduleInterrupt(2000, 3, event);
    machine.run({ until: 3000 });
    expect(thread.lastProcessor).toBe(1);
  });

  test('else the last one that it ran on', async () => {
    const machine = await quietMachine({ processors: 4 });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const thread = spawn(process, 't', (p) => p.setAffinity(4n).wait(event).compute(MS));
    machine.run({ until: 1000 });
    thread.setAffinity(15n);
    busy(process, 1);
    machine.run({ until: 2000 });
    expect([thread.idealProcessor, thread.lastProcessor]).toEqual([1, 2]);
    machine.scheduleInterrupt(3000, 3, event);
    machine.run({ until: 4000 });
    expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Running, 2]);
  });

  test('else the processor that does the waking', async () => {
    const machine = await quietMachine({ processors: 4 });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS));
    busy(process, 1);
    machine.run({ until: 1000 });
    machine.scheduleInterrupt(3000, 3, event, 0);
    machine.run({ until: 4000 });
    expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Running, 3]);
  });

  test('else one of the same NUMA node as its ideal processor', async () => {
    const machine = await quietMachine({ processors: 8, nodes: 2 });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS));
    busy(process, 4);
    busy(process, 0);
    machine.run({ until: 1000 });
    expect(thread.idealProcessor).toBe(4);
    machine.scheduleInterrupt(3000, 0, event, 0);
    machine.run({ until: 4000 });
    expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Running, 5]);
  });

  test('else any', async () => {
    const machine = await quietMachine({ processors: 4, nodes: 2 });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS));
    busy(process, 0);
    busy(process, 2);
    busy(process, 3);
    machine.run({ until: 1000 });
    machine.scheduleInterrupt(3000, 0, event, 0);
    machine.run({ until: 4000 });
    expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Running, 1]);
  });

  test('but never to one outside its affinity', async () => {
    const machine = await quietMachine({ processors: 4 });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const thread = spawnWaiting(process, 't', event, (p) => p.compute(MS), { affinity: 8n });
    busy(process, 3);
    machine.run({ until: 1000 });
    event.set(0);
    machine.run({ until: 2000 });
    expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Ready, 3]);
  });
});

test('the processor that a thread is chosen for is told by an interprocessor interrupt, after the latency', async () => {
  const machine = await quietMachine({ processors: 2, profile: { interprocessorLatencyNs: 300 } });
  const event = machine.createEvent('synchronization');
  spawnWaiting(machine.createProcess(), 't', event, (p) => p.compute(MS), { affinity: 2n });
  machine.run({ until: 1000 });
  event.set();
  machine.run({ until: 2000 });
  expect(recordsOf(machine, 'interrupt')).toMatchObject([
    { timeNs: 1300, processor: 1, vector: 2, irql: 14 },
  ]);
  expect(switches(machine)).toEqual(['1300 P1 t']);
});

describe('with no processor idle, a ready thread looks at its home processor', () => {
  test('it preempts a running thread of lower priority there', async () => {
    const machine = await quietMachine({ processors: 2 });
    const process = machine.createProcess();
    const low = busy(process, 0);
    busy(process, 1);
    machine.run({ until: 1000 });
    const high = busy(process, 0, 1);
    machine.run({ until: 2000 });
    expect([low.state, high.state]).toEqual([KTHREAD_STATE.Ready, KTHREAD_STATE.Running]);
  });

  test('else it joins the ready queue there, though another processor runs a lower thread', async () => {
    const machine = await quietMachine({ processors: 2 });
    const process = machine.createProcess();
    busy(process, 1, 2);
    const low = busy(process, 0, -2);
    machine.run({ until: 1000 });
    const thread = spawn(process, 't', (p) => p.compute(MS));
    machine.run({ until: 2000 });
    expect(thread.idealProcessor).toBe(1);
    expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Ready, 1]);
    expect(low.state).toBe(KTHREAD_STATE.Running);
  });

  test('home is the ideal processor if the affinity has it', async () => {
    const machine = await quietMachine({ processors: 4 });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const thread = spawn(process, 't', (p) => p.setAffinity(8n).wait(event).compute(MS));
    machine.run({ until: 1000 });
    for (const processor of [0, 1, 2, 3]) busy(process, processor);
    machine.run({ until: 2000 });
    thread.setAffinity(15n);
    event.set(0);
    machine.run({ until: 3000 });
    expect([thread.idealProcessor, thread.lastProcessor]).toEqual([1, 3]);
    expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Ready, 1]);
  });

  test('else it is the last one that it ran on', async () => {
    const machine = await quietMachine({ processors: 4 });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const thread = spawn(process, 't', (p) => p.setAffinity(8n).wait(event).compute(MS));
    machine.run({ until: 1000 });
    for (const processor of [0, 1, 2, 3]) busy(process, processor);
    machine.run({ until: 2000 });
    thread.setAffinity(0b1101n);
    event.set(0);
    machine.run({ until: 3000 });
    expect([thread.idealProcessor, thread.lastProcessor]).toEqual([1, 3]);
    expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Ready, 3]);
  });

  test('else it is the first of its affinity', async () => {
    const machine = await quietMachine({ processors: 4 });
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const thread = spawn(process, 't', (p) => p.wait(event).compute(MS));
    machine.run({ until: 1000 });
    for (const processor of [0, 1, 2, 3]) busy(process, processor);
    machine.run({ until: 2000 });
    thread.setAffinity(0b1100n);
    event.set(0);
    machine.run({ until: 3000 });
    expect([thread.idealProcessor, thread.lastProcessor]).toEqual([1, 1]);
    expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Ready, 2]);
  });
});

test('an ideal processor that a narrower affinity left out counts again when a wider one has it', async () => {
  const machine = await quietMachine({ processors: 4 });
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const thread = spawn(process, 't', (p) => p.setAffinity(4n).wait(event).compute(MS));
  machine.run({ until: 1000 });
  expect(thread.lastProcessor).toBe(2);
  thread.setAffinity(15n);
  event.set();
  machine.run({ until: 2000 });
  expect([thread.state, thread.nextProcessor]).toEqual([KTHREAD_STATE.Running, 1]);
});

describe('a processor that goes idle takes the highest thread that may run there', () => {
  test('of its own NUMA node first', async () => {
    const machine = await quietMachine({ processors: 4, nodes: 2 });
    const process = machine.createProcess();
    process.createThread(machine.loadProgram(compute(MS)), { affinity: 1n });
    for (const processor of [1, 2, 3]) busy(process, processor);
    const near = queue(process, 1, 15n, -2);
    const far = queue(process, 2, 15n, -1);
    machine.run({ until: 2 * MS });
    expect([near.state, near.nextProcessor]).toEqual([KTHREAD_STATE.Running, 0]);
    expect([far.state, far.nextProcessor]).toEqual([KTHREAD_STATE.Ready, 2]);
  });

  test('then of the others in order of distance', async () => {
    const machine = await quietMachine({
      processors: 3,
      nodes: 3,
      nodeDistances: [
        [10, 40, 20],
        [40, 10, 20],
        [20, 20, 10],
      ],
    });
    const process = machine.createProcess();
    process.createThread(machine.loadProgram(compute(MS)), { affinity: 1n });
    for (const processor of [1, 2]) busy(process, processor);
    const far = queue(process, 1, 7n, 0);
    const near = queue(process, 2, 7n, -1);
    machine.run({ until: 2 * MS });
    expect([near.state, near.nextProcessor]).toEqual([KTHREAD_STATE.Running, 0]);
    expect([far.state, far.nextProcessor]).toEqual([KTHREAD_STATE.Ready, 1]);
  });

  test('whichever processor of the node it is queued on', async () => {
    const machine = await quietMachine({ processors: 4 });
    const process = machine.createProcess();
    process.createThread(machine.loadProgram(compute(MS)), { affinity: 1n });
    for (const processor of [1, 2, 3]) busy(process, processor, 1);
    const low = queue(process, 1, 15n, -2);
    const elsewhere = queue(process, 2, 0b1110n, 0);
    const high = queue(process, 3, 15n, -1);
    machine.run({ until: 2 * MS });
    expect([high.state, high.nextProcessor]).toEqual([KTHREAD_STATE.Running, 0]);
    expect([low.state, elsewhere.state]).toEqual([KTHREAD_STATE.Ready, KTHREAD_STATE.Ready]);
  });

  test('but its own queue before all', async () => {
    const machine = await quietMachine({ processors: 2 });
    const process = machine.createProcess();
    process.createThread(machine.loadProgram(compute(MS)), { affinity: 1n });
    busy(process, 1, 2);
    const own = queue(process, 0, 1n, -2);
    const other = queue(process, 1, 3n, 1);
    machine.run({ until: 2 * MS });
    expect([own.state, other.state]).toEqual([KTHREAD_STATE.Running, KTHREAD_STATE.Ready]);
  });
});

test('the ideal processors of a process’s threads spread over the processors of its node', async () => {
  const machine = await quietMachine({ processors: 8, nodes: 2 });
  const process = machine.createProcess();
  const body = machine.loadProgram(compute(1));
  const ideals = [1, 2, 3, 4, 5].map(() => process.createThread(body).idealProcessor);
  expect([process.node, ideals]).toEqual([1, [4, 5, 6, 7, 4]]);
});

test('processes are spread across nodes, and within a node over its processors', async () => {
  const machine = await quietMachine({ processors: 8, nodes: 2 });
  const body = machine.loadProgram(compute(1));
  const homes = [1, 2, 3, 4].map(() => machine.createProcess().createThread(body).idealProcessor);
  expect([machine.systemProcess.node, homes]).toEqual([0, [4, 1, 5, 2]]);
});

test('processor groups have up to 64 processors each', async () => {
  const single = await quietMachine({ processors: 64 });
  const double = await quietMachine({ processors: 65 });
  const masks = [single, double].map((machine) => [0, 1, 2].map((g) => machine.groupAffinity(g)));
  expect(masks).toEqual([
    [0xffff_ffff_ffff_ffffn, 0n, 0n],
    [0xffff_ffffn, 0x1_ffff_ffffn, 0n],
  ]);
});

test('a thread lives in one group, that of its process, chosen round-robin at the process’s creation', async () => {
  const machine = await quietMachine({ processors: 6, groupSize: 2 });
  const body = machine.loadProgram(compute(5 * MS));
  const processes = [1, 2, 3, 4].map(() => machine.createProcess());
  expect(processes.map((process) => process.group)).toEqual([1, 2, 0, 1]);
  const [first] = processes;
  const threads = [1, 2, 3].map(() => first?.createThread(body));
  machine.run();
  expect(threads.map((thread) => thread?.affinity)).toEqual([3n, 3n, 3n]);
  expect(switches(machine).filter((line) => line.endsWith('compute'))).toEqual([
    '1 P2 compute',
    '1 P3 compute',
    '5000003 P2 compute',
  ]);
});

test('an affinity outside of the process’s group is refused', async () => {
  const machine = await quietMachine({ processors: 6, groupSize: 2 });
  const thread = spawn(machine.createProcess(), 't', (p) => p.setAffinity(4n));
  expect(() => thread.setAffinity(4n)).toThrow(/mask 0x4 is no part of the group's/);
  machine.run();
  expect(thread.status).toBe(0xc000000d);
});

test('each processor has 32 ready lists and a summary bit for each that is not empty', async () => {
  const machine = await quietMachine();
  const process = machine.createProcess();
  busy(process, 0, 15);
  machine.run({ until: 1000 });
  const loaded = machine.loadProgram(compute(MS));
  process.createThread(loaded);
  process.createThread(loaded);
  process.createThread(loaded, { increment: -2 });
  machine.run({ until: 2000 });
  expect(readySummary(machine, 0).toString(2)).toBe('101000000');
});

test('a standby thread that is lowered before it is switched in preempts nobody above it', async () => {
  const machine = await quietMachine({ processors: 2, profile: { interprocessorLatencyNs: 1000 } });
  const process = machine.createProcess();
  const running = busy(process, 1);
  machine.run({ until: 5000 });
  const standby = busy(process, 1, 1);
  machine.run({ until: 5500 });
  expect(standby.state).toBe(KTHREAD_STATE.Standby);
  standby.setPriority(7);
  machine.run({ until: 7000 });
  expect([running.state, standby.state]).toEqual([KTHREAD_STATE.Running, KTHREAD_STATE.Ready]);
  expect(running.preemptions).toBe(0);
});

test('a running thread that is raised above the standby thread in time is not preempted', async () => {
  const machine = await quietMachine({ processors: 2, profile: { interprocessorLatencyNs: 1000 } });
  const process = machine.createProcess();
  const running = busy(process, 1);
  machine.run({ until: 5000 });
  const standby = busy(process, 1, 1);
  machine.run({ until: 5500 });
  running.setPriority(10);
  machine.run({ until: 7000 });
  expect([running.state, standby.state]).toEqual([KTHREAD_STATE.Running, KTHREAD_STATE.Ready]);
});

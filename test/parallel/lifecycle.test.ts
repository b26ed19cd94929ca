import { afterAll, expect, test } from 'vitest';
import { Machine, type MachineOptions, program, WorkerPool } from '../../src/index';
import { SCRIPT, SCRIPT_PORT } from './machines';

const pool = new WorkerPool();
afterAll(() => pool.dispose());

/** A machine with a guest that computes for ever on each of two processors. */
async function busyMachine(options: MachineOptions = {}): Promise<Machine> {
  const machine = await Machine.create({ processors: 2, workers: 2, workerPool: pool, ...options });
  const port = await machine.loadPort({ url: SCRIPT_PORT });
  const { bytes } = machine.guestMemory;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  words.set([SCRIPT.Compute, 5000, 0, SCRIPT.Jump, 0, 0x7fffffff]);
  const process = machine.createProcess();
  process.createThread(port);
  process.createThread(port);
  return machine;
}

test('runAsync has the history of run, with and without workers', async () => {
  const results: unknown[] = [];
  for (const workers of [0, 2]) {
    const machine = await busyMachine({ workers });
    const asynchronous = await busyMachine({ workers });
    machine.run({ until: 400_000 });
    results.push(await asynchronous.runAsync({ until: 400_000 }));
    expect([asynchronous.digest, asynchronous.steps]).toEqual([machine.digest, machine.steps]);
    await machine.dispose();
    await asynchronous.dispose();
  }
  expect(results).toEqual([
    { reason: 'time', now: 400_000 },
    { reason: 'time', now: 400_000 },
  ]);
});

test.each([
  0, 2,
])('stop() ends a run that does not block, and the next goes on, %i workers', async (workers) => {
  const machine = await busyMachine({ workers });
  const run = machine.runAsync();
  await new Promise((resolve) => setTimeout(resolve, 30));
  machine.stop();
  expect((await run).reason).toBe('requested');
  const { now } = machine;
  expect(await machine.runAsync({ until: now + 50_000 })).toEqual({
    reason: 'time',
    now: now + 50_000,
  });
  await machine.dispose();
});

test('while a run goes on that does not block, nothing but stop and dispose is answered', async () => {
  const machine = await busyMachine();
  const run = machine.runAsync({ until: 20_000_000 });
  expect(() => machine.createEvent('notification')).toThrow(
    'the machine runs; only stop() and dispose() may be called meanwhile',
  );
  expect(() => machine.run()).toThrow('run was called from inside run');
  machine.stop();
  await run;
  machine.createEvent('notification');
  await machine.dispose();
});

test('step by step, the history is that of one run', async () => {
  const machine = await busyMachine();
  machine.run({ until: 100_000 });
  const stepped = await busyMachine();
  while (stepped.run({ maxEvents: 1, until: 100_000 }).reason === 'events');
  expect([stepped.digest, stepped.steps]).toEqual([machine.digest, machine.steps]);
  await machine.dispose();
  await stepped.dispose();
});

test('dispose ends a run that goes on, and what is asked of the machine later is refused', async () => {
  const machine = await busyMachine();
  const run = machine.runAsync();
  await machine.dispose();
  expect((await run).reason).toBe('requested');
  expect(machine.workers).toBe(0);
  expect(() => machine.run()).toThrow('the machine has been disposed of');
  expect(() => machine.createEvent('notification')).toThrow('the machine has been disposed of');
  await machine.dispose();
});

test('machine.workers says how many there are', async () => {
  const machine = await Machine.create({ workers: 3, workerPool: pool });
  expect([machine.workers, machine.notices]).toEqual([3, []]);
  await machine.dispose();
  const alone = await Machine.create();
  expect([alone.workers, alone.notices]).toEqual([0, []]);
});

test('without shared memory there is a notice that says what is missing, and the same history', async () => {
  const machine = await busyMachine();
  machine.run({ until: 50_000 });
  const notices: string[] = [];
  const shared = globalThis.SharedArrayBuffer;
  try {
    Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
    const alone = await busyMachine({ onNotice: (notice) => notices.push(notice) });
    alone.run({ until: 50_000 });
    expect([alone.digest, alone.workers]).toEqual([machine.digest, 0]);
    expect(alone.notices).toEqual(notices);
  } finally {
    globalThis.SharedArrayBuffer = shared;
  }
  expect(notices).toEqual([
    'there are no workers: this host has no SharedArrayBuffer. The machine runs without, with the same history',
  ]);
  await machine.dispose();
});

test('a machine without guests of worker ports has no need of its workers', async () => {
  const machine = await Machine.create({ workers: 2, workerPool: pool });
  const body = program('body', (p) => p.loop(9, () => p.compute(1000).yield()));
  machine.createProcess().createThread(machine.loadProgram(body));
  expect(machine.run().reason).toBe('idle');
  await machine.dispose();
});

test('an idle machine burns no CPU, nor does one between runs', async () => {
  const machine = await busyMachine();
  machine.run({ until: 100_000 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 400));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(100);
  await machine.dispose();
});

test('machines made, run and disposed of 1,000 times leave no worker and no memory behind', async () => {
  const own = new WorkerPool();
  const once = async () => {
    const machine = await busyMachine({
      workerPool: own,
      capacities: {
        threads: 64,
        objects: 64,
        waitBlocks: 64,
        threadExtensions: 64,
        trapFrames: 64,
      },
    });
    machine.run({ until: 2000 });
    await machine.dispose();
  };
  for (let round = 0; round < 100; round++) await once();
  const before = process.memoryUsage.rss();
  for (let round = 0; round < 900; round++) await once();
  expect(own.size).toBe(2);
  // A machine's memory alone is some MiB: 900 of them would be a gigabyte.
  expect(process.memoryUsage.rss() - before).toBeLessThan(300 * 2 ** 20);
  await own.dispose();
  expect(own.size).toBe(0);
});

test('a machine that makes its own workers ends them', async () => {
  for (let round = 0; round < 10; round++) {
    const machine = await Machine.create({ workers: 2 });
    await machine.dispose();
    expect(machine.workers).toBe(0);
  }
});

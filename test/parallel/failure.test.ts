import { readFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import {
  type KThread,
  Machine,
  MachineError,
  type MachineOptions,
  program,
  WorkerError,
} from '../../src/index';
import { type Operation, SCRIPT, SCRIPT_PORT } from './machines';

let machine: Machine | undefined;
afterEach(() => machine?.dispose());

/** A machine of two processors whose second thread runs `script`; the first computes for ever. */
async function machineOf(script: readonly Operation[], options: MachineOptions = {}) {
  machine = await Machine.create({ processors: 2, workers: 2, ...options });
  const port = await machine.loadPort({ url: SCRIPT_PORT });
  const { bytes } = machine.guestMemory;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  words.set([SCRIPT.Compute, 0x7fffffff, 0]);
  words.set(script.flat(), 0x100 / 4);
  const process = machine.createProcess();
  process.createThread(port, { name: 'worker', affinity: 1n });
  const thread = process.createThread(port, {
    name: 'stray',
    affinity: 2n,
    portState: [0x100],
  });
  return { machine, thread };
}

/** What a run throws. */
function failureOf(run: () => unknown): WorkerError {
  try {
    run();
  } catch (error) {
    if (error instanceof WorkerError) return error;
    throw error;
  }
  throw new Error('the run did not fail');
}

function expectInspectable(stopped: Machine, thread: KThread): void {
  expect(thread.name).toBe('stray');
  expect(stopped.processorTimes(0).busyNs).toBeGreaterThan(0);
  expect(() => stopped.run()).toThrow(WorkerError);
}

test('a port that throws ends the run with its worker, processor, thread and the last records', async () => {
  const { machine, thread } = await machineOf([
    [SCRIPT.Compute, 3000, 0],
    [SCRIPT.Throw, 0, 0],
  ]);
  const failure = failureOf(() => machine.run({ until: 1_000_000 }));
  expect(failure.message).toBe(
    "worker 1 was lost on processor 1, in thread 'stray': the guest has lost its way",
  );
  expect([failure.worker, failure.processor, failure.thread]).toEqual([1, 1, 'stray']);
  expect(failure.lastRecords.length).toBeGreaterThan(2);
  expectInspectable(machine, thread);
});

test('so does a port that uses more than its budget', async () => {
  const { machine, thread } = await machineOf([
    [SCRIPT.Compute, 3000, 0],
    [SCRIPT.Overrun, 0, 0],
  ]);
  const failure = failureOf(() => machine.run({ until: 1_000_000 }));
  expect(failure.message).toMatch(
    /^worker 1 was lost on processor 1, in thread 'stray': it used \d+ ns of a budget of \d+ ns/,
  );
  expectInspectable(machine, thread);
});

test('so does a worker that never answers, after workerTimeoutMs', async () => {
  const { machine, thread } = await machineOf([[SCRIPT.Hang, 0, 0]], { workerTimeoutMs: 300 });
  const failure = failureOf(() => machine.run({ until: 1_000_000 }));
  expect(failure.message).toBe(
    "worker 1 was lost on processor 1, in thread 'stray': it has not answered for 300 ms (workerTimeoutMs)",
  );
  expectInspectable(machine, thread);
});

test('so does a worker that exits, in a run that does not block', async () => {
  const { machine, thread } = await machineOf([[SCRIPT.Exit, 0, 0]]);
  const failure = await machine.runAsync({ until: 1_000_000 }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WorkerError);
  expect(String(failure)).toBe(
    "WorkerError: worker 1 was lost on processor 1, in thread 'stray': it exited with 7",
  );
  expectInspectable(machine, thread);
});

test('and in one that blocks, long before workerTimeoutMs', async () => {
  const { machine, thread } = await machineOf([[SCRIPT.Exit, 0, 0]], { workerTimeoutMs: 400_000 });
  expect(failureOf(() => machine.run({ until: 1_000_000 })).message).toBe(
    "worker 1 was lost on processor 1, in thread 'stray': it exited with 7",
  );
  expectInspectable(machine, thread);
});

/** A machine where a program calls the host, which does `answer`, while a guest runs `script` on another processor. */
async function callingMachine(script: readonly Operation[], answer: () => number) {
  machine = await Machine.create({
    ...{ processors: 2, workers: 2, workerTimeoutMs: 400_000 },
    profile: { interprocessorLatencyNs: 1_000_000 },
  });
  const port = await machine.loadPort({ url: SCRIPT_PORT });
  const { bytes } = machine.guestMemory;
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4).set(script.flat());
  machine.onHostCall(1, answer);
  const call = program('call', (p) => p.compute(1_010_000).hostCall(1, 0).compute(9_000_000));
  const process = machine.createProcess();
  process.createThread(machine.loadProgram(call), { affinity: 1n });
  process.createThread(port, { name: 'stray', affinity: 2n });
  return machine;
}

function waitForHost(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const FAILS_DURING_THE_CALL: readonly Operation[] = [
  [SCRIPT.Compute, 1_500_000, 0],
  [SCRIPT.Throw, 0, 0],
];
const LOST = "worker 1 was lost on processor 1, in thread 'stray': the guest has lost its way";

test('a worker that fails while the host answers a call is known when it has', async () => {
  const answering = await callingMachine(FAILS_DURING_THE_CALL, () => {
    waitForHost(100);
    return 0;
  });
  expect(failureOf(() => answering.run({ until: 8_000_000 })).message).toBe(LOST);
});

test('and in a run that does not block', async () => {
  const answering = await callingMachine(FAILS_DURING_THE_CALL, () => {
    waitForHost(100);
    return 0;
  });
  await expect(answering.runAsync({ until: 8_000_000 })).rejects.toThrow(LOST);
});

test('what the host throws comes through while a worker is in a piece, and the run can go on', async () => {
  const script: readonly Operation[] = [
    [SCRIPT.Compute, 1_020_000, 0],
    [SCRIPT.Slow, 300, 0],
    [SCRIPT.Halt, 0, 0],
  ];
  let calls = 0;
  const answering = await callingMachine(script, () => {
    waitForHost(50);
    if (calls++ === 0) throw new MachineError('the host is at a loss');
    return 0;
  });
  expect(() => answering.run({ until: 8_000_000 })).toThrow(
    new MachineError('the host is at a loss'),
  );
  expect(answering.run({ until: 8_000_000 }).reason).toBe('time');
  expect(calls).toBe(2);
});

test('without workers, a port that throws is a MachineError with its thread and processor', async () => {
  const { machine } = await machineOf([[SCRIPT.Throw, 0, 0]], { workers: 0 });
  expect(() => machine.run({ until: 1_000_000 })).toThrow(
    "the worker port of thread 'stray', on processor 1: the guest has lost its way",
  );
});

test('a module that cannot be imported, or is no port, is refused with its address', async () => {
  machine = await Machine.create({ workers: 1 });
  const missing = new URL('./no-port.mjs', import.meta.url);
  await expect(machine.loadPort({ url: missing })).rejects.toThrow(/no-port\.mjs/);
  const url = new URL('data:text/javascript,export const x = 1;');
  await expect(machine.loadPort({ url })).rejects.toThrow(
    'loadPort: the module at data:text/javascript,export const x = 1; exports no openPort',
  );
  await expect(machine.loadPort({ url: './port.mjs' })).rejects.toThrow(
    "loadPort: url './port.mjs' is not absolute; give new URL('./port.js', import.meta.url)",
  );
});

test('data that cannot be cloned for workers is refused', async () => {
  machine = await Machine.create({ workers: 1 });
  const data = { call: () => 1 };
  await expect(machine.loadPort({ url: SCRIPT_PORT, data })).rejects.toThrow(
    'loadPort: data cannot be cloned for the workers',
  );
});

test('a memory that the host does not give is refused with the capacity to lower', async () => {
  const capacities = { guestBytes: 0xfff00000 };
  await expect(Machine.create({ workers: 1, capacities })).rejects.toThrow(
    /lower capacities\.guestBytes \(guests take 4095 MiB\)/,
  );
});

test('a thread too many for the contexts is refused with the capacity to raise', async () => {
  machine = await Machine.create({ capacities: { portContexts: 1 } });
  const port = await machine.loadPort({ url: SCRIPT_PORT });
  const process = machine.createProcess();
  process.createThread(port);
  expect(() => process.createThread(port)).toThrow(/raise capacities\.portContexts/);
});

test('a core that workers cannot share is refused, and theirs without them', async () => {
  await expect(Machine.create({ workers: 1, core: () => ({}) })).rejects.toThrow(
    'option core: workers need a module of ntps.threads.wasm or its bytes',
  );
  const remedy = /^option core: .*; use ntps\.threads\.wasm with workers, ntps\.wasm without$/;
  const core = await readFile('build/ntps.wasm');
  await expect(Machine.create({ workers: 1, core })).rejects.toThrow(remedy);
  const shared = await readFile('build/ntps.threads.wasm');
  await expect(Machine.create({ core: shared })).rejects.toThrow(remedy);
});

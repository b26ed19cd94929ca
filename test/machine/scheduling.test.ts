import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import { Machine } from '../../src/machine/machine';
import type { CoreSource } from '../../src/machine/options';
import { program } from '../../src/machine/program';
import { compute, MS, records } from '../records';

async function pingPong(core?: CoreSource): Promise<Machine> {
  const machine = await Machine.create({
    processors: 3,
    seed: 7,
    ...(core === undefined ? {} : { core }),
  });
  const process = machine.createProcess();
  for (let pair = 0; pair < 10; pair++) {
    const a = machine.createEvent('synchronization');
    const b = machine.createEvent('synchronization');
    process.createThread(
      machine.loadProgram(
        program('a', (p) =>
          p.loop(50, () =>
            p
              .compute({ exponential: 20_000 })
              .setEvent(b)
              .wait(a, { timeoutNs: 40 * MS }),
          ),
        ),
      ),
    );
    process.createThread(
      machine.loadProgram(
        program('b', (p) =>
          p.loop(50, () =>
            p
              .wait(b, { timeoutNs: 30 * MS })
              .compute({ uniform: [1, 90_000] })
              .setEvent(a),
          ),
        ),
      ),
    );
  }
  machine.run({ until: 20_000 * MS });
  return machine;
}

test('release and debug builds have one history', async () => {
  const release = await pingPong();
  const debug = await pingPong(await readFile('build/ntps.debug.wasm'));
  expect(release.trace.written).toBeGreaterThan(1000);
  expect(debug.digest).toBe(release.digest);
});

test('a run in slices has the history of one run', async () => {
  const whole = await Machine.create({ processors: 2 });
  const sliced = await Machine.create({ processors: 2 });
  for (const machine of [whole, sliced]) {
    const process = machine.createProcess();
    for (let i = 0; i < 6; i++) process.createThread(machine.loadProgram(compute(100 * MS)));
  }
  whole.run({ until: 1000 * MS });
  for (let ms = 7; ms < 1000; ms += 7) sliced.run({ until: ms * MS });
  sliced.run({ until: 1000 * MS });
  expect(sliced.digest).toBe(whole.digest);
});

test('another seed is another history', async () => {
  const digests = await Promise.all(
    [1, 2].map(async (seed) => {
      const machine = await Machine.create({ seed });
      machine
        .createProcess()
        .createThread(
          machine.loadProgram(program('draw', (p) => p.compute({ uniform: [1, 1e9] }).mark(1))),
        );
      machine.run();
      return machine.digest;
    }),
  );
  expect(digests[0]).not.toBe(digests[1]);
});

test('the times of a processor add up to its time', async () => {
  const machine = await pingPong();
  const { idleNs, busyNs, interruptNs, overheadNs } = machine.processorTimes(1);
  expect(idleNs + busyNs + interruptNs + overheadNs).toBe(machine.now);
});

test('a hard affinity change of a running thread moves it', async () => {
  const machine = await Machine.create({ processors: 2 });
  const thread = machine
    .createProcess()
    .createThread(machine.loadProgram(compute(100 * MS)), { affinity: 1n });
  machine.run({ until: 5 * MS });
  expect(thread.lastProcessor).toBe(0);
  thread.setAffinity(2n);
  machine.run({ until: 10 * MS });
  expect([thread.state, thread.lastProcessor]).toEqual([KTHREAD_STATE.Running, 1]);
});

test('an idle machine of 2048 processors with one timer takes few steps', async () => {
  const machine = await Machine.create({ processors: 2048 });
  machine
    .createProcess()
    .createThread(machine.loadProgram(program('sleeper', (p) => p.delay(3_600_000 * MS))));
  const result = machine.run();
  expect(result.reason).toBe('idle');
  expect(machine.steps).toBeLessThan(100);
});

test('idle for ever names the threads left and what they wait for', async () => {
  const machine = await Machine.create();
  const event = machine.createEvent('notification');
  machine
    .createProcess({ name: 'p' })
    .createThread(machine.loadProgram(program('stuck', (p) => p.wait(event))));
  expect(machine.run()).toMatchObject({
    reason: 'idle',
    waiting: [
      {
        name: 'stuck',
        process: 'p',
        state: 'Waiting',
        waitsFor: 'notification event 1 (Executive)',
      },
    ],
  });
});

test('a loop that only synchronises ends by the livelock guard', async () => {
  const machine = await Machine.create({ livelockSteps: 100_000 });
  machine
    .createProcess()
    .createThread(machine.loadProgram(program('spin', (p) => p.forever(() => p.yield()))));
  expect(machine.run().reason).toBe('livelock');
});

test('a host thread waits and signals by the routines of the kernel', async () => {
  const machine = await Machine.create();
  const event = machine.createEvent('synchronization');
  const done = machine.createEvent('notification');
  const statuses: number[] = [];
  machine.createProcess().createThread(function* () {
    statuses.push(
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, -200_000),
    );
    yield* KeSetEvent(done, 0, false);
  });
  machine.run();
  expect(statuses).toEqual([0x102]);
  expect(done.signalState).toBe(1);
});

test('a generator call left without yield* is an error that names the routine', async () => {
  const machine = await Machine.create();
  const event = machine.createEvent('synchronization');
  machine.createProcess().createThread(function* () {
    KeSetEvent(event, 0, false);
    yield* KeSetEvent(event, 0, false);
  });
  expect(() => machine.run()).toThrow(/KeSetEvent was called without yield\*/);
});

test.each([
  ['a system thread', false, 0x7e, 'SYSTEM_THREAD_EXCEPTION_NOT_HANDLED', 0n],
  ['a thread with a user mode', true, 0x1e, 'KMODE_EXCEPTION_NOT_HANDLED', 2n],
])('what %s throws is a bugcheck, with what it threw and where', async (_of, userMode, code, name, third) => {
  const machine = await Machine.create();
  const defect = new Error('driver defect');
  // biome-ignore lint/correctness/useYield: a driver may throw before it first waits
  function* body() {
    throw defect;
  }
  machine.createProcess().createThread(body, { userMode });
  expect(machine.run()).toMatchObject({
    reason: 'bugcheck',
    code,
    name,
    parameters: [0xc0000001n, 0n, third, 0n],
    cause: defect,
    stack: ['body'],
  });
});

test('a CpuPort is run within its budget until it halts', async () => {
  const machine = await Machine.create();
  let left = 50 * MS;
  const thread = machine.createProcess().createThread({
    run: (_thread, budgetNs) => {
      const usedNs = Math.min(budgetNs, left);
      left -= usedNs;
      return { usedNs, reason: left === 0 ? 'halt' : 'budget' };
    },
  });
  machine.run();
  expect(thread.state).toBe(KTHREAD_STATE.Terminated);
  expect(left).toBe(0);
});

test('bad bytecode is refused with the offset and the reason', async () => {
  const machine = await Machine.create();
  expect(() => machine.loadProgram({ name: 'bad', words: Uint32Array.of(0x0a, 0xee) })).toThrow(
    "program 'bad', word 1: 0xee is no opcode",
  );
});

test('a full table is an error that names the capacity', async () => {
  const machine = await Machine.create({ capacities: { objects: 1 } });
  machine.createEvent('notification');
  expect(() => machine.createEvent('notification')).toThrow(/raise capacities.objects/);
});

test('a thread can begin as one that waits already, and ends with its totals in the trace', async () => {
  const machine = await Machine.create({ processors: 1 });
  const gate = machine.createSemaphore(0);
  const process = machine.createProcess();
  const body = machine.loadProgram(program('late', (p) => p.compute(7000)));
  const thread = process.createThread(body, { waitsFor: gate, uncharged: true });
  machine.run();
  expect([thread.state, thread.contextSwitches]).toEqual([KTHREAD_STATE.Waiting, 0]);
  gate.release();
  machine.run();
  expect(records(machine).filter((record) => record.type === 'threadTotals')).toMatchObject([
    { thread: thread.index, runTimeNs: 7000, contextSwitches: 1, migrations: 0 },
  ]);
});

test('threads of one program have registers of their own to begin with', async () => {
  const machine = await Machine.create();
  const first = machine.createEvent('notification');
  const second = machine.createEvent('notification');
  const body = machine.loadProgram(
    program('one for all', (p) => {
      const event = p.register();
      p.setEvent(event);
    }),
  );
  const process = machine.createProcess();
  process.createThread(body, { registers: [first.handle] });
  machine.run();
  expect([first.signalState, second.signalState]).toEqual([1, 0]);
  process.createThread(body, { registers: [second.handle] });
  machine.run();
  expect(second.signalState).toBe(1);
  expect(() => process.createThread(body, { registers: [1, 2, 3, 4, 5] })).toThrow(
    'registers has more than 4 values',
  );
});

import { expect, test } from 'vitest';
import { PRIORITY_CHANGE } from '../../assembly/shared/event';
import { CONDITION, OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import { encode } from '../../src/machine/instruction';
import { Machine } from '../../src/machine/machine';
import { type ProgramBuilder, program } from '../../src/machine/program';
import type { KEvent, KSemaphore } from '../../src/machine/views';
import { compute, MS, recordsOf } from '../records';

/** Clock interrupts every 0.5 ms, costs of 1 ns: times in tests are then the programs' own. */
const FINE = {
  timerResolutionNs: 500_000,
  costs: { contextSwitch: 1, clockInterrupt: 1, dpc: 1, ddi: 1 },
};

async function run(body: (p: ProgramBuilder) => void): Promise<Machine> {
  const machine = await Machine.create({ profile: FINE });
  machine.createProcess().createThread(machine.loadProgram(program('alone', body)));
  machine.run({ until: 1000 * MS });
  return machine;
}

const marks = (machine: Machine) => recordsOf(machine, 'mark').map((mark) => mark.value);
const markTimesMs = (machine: Machine) =>
  recordsOf(machine, 'mark').map((mark) => Math.floor(mark.timeNs / MS));

test('InterlockedAdd leaves the new value in the register, sign-extended', async () => {
  const machine = await run((p) => {
    const value = p.register();
    const below = p.label();
    p.interlockedAdd(value, 3, 5).interlockedAdd(value, 3, -7);
    p.branchRegister(CONDITION.Equal, value, -2, below);
    p.mark(1).exit();
    p.place(below).interlockedAdd(value, 3, 2);
    p.branchRegister(CONDITION.NotEqual, value, 0, below).mark(2);
  });
  expect(marks(machine)).toEqual([2]);
});

test('threads on two processors add to one word without losing an addition', async () => {
  const machine = await Machine.create({ processors: 2 });
  const process = machine.createProcess();
  const adder = machine.loadProgram(
    program('adder', (p) => {
      const value = p.register();
      const done = p.label();
      p.loop(100, () => p.interlockedAdd(value, 0, 1).compute(300));
      p.branchRegister(CONDITION.Less, value, 200, done).mark(200).place(done);
    }),
  );
  process.createThread(adder);
  process.createThread(adder);
  machine.run();
  expect(marks(machine)).toEqual([200]);
});

test('InterlockedTake takes what is there, up to its limit, and never from nothing', async () => {
  const machine = await run((p) => {
    const taken = p.register();
    const expectTaken = (count: number) => {
      const right = p.label();
      p.branchRegister(CONDITION.Equal, taken, count, right);
      p.exit().place(right).mark(count);
    };
    p.interlockedTake(taken, 0, 4);
    expectTaken(0);
    p.interlockedAdd(taken, 0, 5).interlockedTake(taken, 0, 3);
    expectTaken(3);
    p.interlockedTake(taken, 0, 3);
    expectTaken(2);
    p.interlockedAdd(taken, 0, -4).interlockedTake(taken, 0, 3);
    expectTaken(0);
  });
  expect(marks(machine)).toEqual([0, 3, 2, 0]);
});

test('ReleaseSemaphoreRegister wakes as many as the register says', async () => {
  const machine = await Machine.create();
  const semaphore = machine.createSemaphore(0, 10);
  const process = machine.createProcess();
  const waiter = machine.loadProgram(program('waiter', (p) => p.wait(semaphore).mark(1)));
  for (let count = 0; count < 4; count++) process.createThread(waiter);
  const releaser = program('releaser', (p) => {
    const count = p.register();
    p.load(count, 3).releaseSemaphore(semaphore, count);
  });
  process.createThread(machine.loadProgram(releaser));
  const result = machine.run();
  expect(marks(machine)).toEqual([1, 1, 1]);
  expect(result).toMatchObject({ reason: 'idle', waiting: [{ name: 'waiter' }] });
});

test.each([
  ['0', 0],
  ['more than the limit', 11],
])('ReleaseSemaphoreRegister of %s changes nothing and says so', async (_, adjustment) => {
  const machine = await Machine.create();
  const semaphore = machine.createSemaphore(0, 10);
  const releaser = program('releaser', (p) => {
    const count = p.register();
    p.load(count, adjustment).releaseSemaphore(semaphore, count);
    p.ifStatus(STATUS.SEMAPHORE_LIMIT_EXCEEDED, () => p.mark(7));
  });
  machine.createProcess().createThread(machine.loadProgram(releaser));
  machine.run();
  expect(marks(machine)).toEqual([7]);
  expect(semaphore.signalState).toBe(0);
});

test('DelayPeriod ends at whole periods, whatever is computed in between', async () => {
  const machine = await run((p) => {
    const last = p.register();
    p.loadTime(last);
    for (const ms of [3, 9, 1, 4])
      p.compute(ms * MS)
        .delayPeriod(last, 10 * MS)
        .mark(ms);
  });
  expect(markTimesMs(machine)).toEqual([10, 20, 30, 40]);
});

test('a DelayPeriod that is missed keeps its grid, or restarts from when it was missed', async () => {
  const times = async (missed: 'keep' | 'restart') =>
    markTimesMs(
      await run((p) => {
        const last = p.register();
        p.loadTime(last);
        for (const ms of [5, 33, 5, 5])
          p.compute(ms * MS)
            .delayPeriod(last, 20 * MS, missed)
            .mark(ms);
      }),
    );
  // Computes from the tick of 20.5 to 53.5, and misses 40: the next is 60, or the tick after 73.5.
  expect(await times('keep')).toEqual([20, 53, 60, 80]);
  expect(await times('restart')).toEqual([20, 53, 74, 94]);
});

test('a DelayPeriod whose register is 0 counts from its first use', async () => {
  const machine = await run((p) => {
    const last = p.register();
    p.compute(7 * MS)
      .delayPeriod(last, 10 * MS)
      .mark(1)
      .delayPeriod(last, 10 * MS)
      .mark(2);
  });
  expect(markTimesMs(machine)).toEqual([17, 27]);
});

test('threads that share the time of a DelayShared take turns on one grid', async () => {
  const machine = await Machine.create({ processors: 2, profile: FINE });
  const process = machine.createProcess();
  const user = (mark: number) =>
    program(`user ${mark}`, (p) => {
      const start = p.register();
      p.loadTime(start).loop(2, () =>
        p
          .compute(mark * MS)
          .delayShared(4, start, 10 * MS)
          .mark(mark),
      );
    });
  for (const mark of [1, 2]) process.createThread(machine.loadProgram(user(mark)));
  machine.run();
  expect(recordsOf(machine, 'mark').map((m) => [m.value, Math.floor(m.timeNs / MS)])).toEqual([
    [1, 10],
    [2, 20],
    [1, 30],
    [2, 40],
  ]);
});

test('CreateThread makes a thread of the same process, at base priority and increment', async () => {
  const machine = await Machine.create({ processors: 2 });
  const event = machine.createEvent('notification');
  const child = machine.loadProgram(program('child', (p) => p.wait(event).compute(MS)));
  const process = machine.createProcess({ priorityClass: PRIORITY_CLASS.AboveNormal });
  const parent = process.createThread(
    machine.loadProgram(
      program('parent', (p) => {
        const handle = p.register();
        p.createThread(handle, child, 2).ifStatus(STATUS.SUCCESS, () => p.mark(1));
        p.setEvent(event, 0).wait(handle).mark(2);
      }),
    ),
  );
  machine.run();
  const [, made] = recordsOf(machine, 'threadStart').slice(-2);
  expect(made).toMatchObject({ process: process.index, priority: 12, creator: parent.index });
  const [first, second] = recordsOf(machine, 'mark');
  expect((second?.timeNs ?? 0) - (first?.timeNs ?? 0)).toBeGreaterThan(MS);
  expect([first?.value, second?.value]).toEqual([1, 2]);
});

test('a thread made by a program is known by the name of its program', async () => {
  const machine = await Machine.create();
  const child = machine.loadProgram(program('child', (p) => p.delay(10 * MS)));
  const body = program('parent', (p) => {
    const handle = p.register();
    p.createThread(handle, child).wait(handle);
  });
  machine.createProcess().createThread(machine.loadProgram(body));
  machine.run({ until: 5 * MS });
  expect([...machine.allThreads()].map((thread) => thread.name)).toContain('child');
});

test('CreateThread without room for one leaves STATUS_INSUFFICIENT_RESOURCES', async () => {
  const machine = await Machine.create({ capacities: { threads: 4 } });
  const sleeper = machine.loadProgram(program('sleeper', (p) => p.delay(1000 * MS)));
  const body = program('parent', (p) => {
    const handle = p.register();
    p.forever(() =>
      p.createThread(handle, sleeper).ifStatus(STATUS.INSUFFICIENT_RESOURCES, () => {
        p.mark(9).exit();
      }),
    );
  });
  machine.createProcess().createThread(machine.loadProgram(body));
  machine.run({ until: 10 * MS });
  expect(marks(machine)).toEqual([9]);
  expect(recordsOf(machine, 'threadStart').length).toBe(4);
});

test('CreateProcess makes a process of that class with one thread, child of the caller’s', async () => {
  const machine = await Machine.create();
  const child = machine.loadProgram(compute(MS));
  const parent = machine.createProcess();
  const body = program('parent', (p) => {
    const handle = p.register();
    p.createProcess(handle, child, PRIORITY_CLASS.High).wait(handle).mark(1);
  });
  parent.createThread(machine.loadProgram(body));
  machine.run();
  expect(recordsOf(machine, 'processStart').at(-1)).toMatchObject({
    parent: parent.index,
    basePriority: 13,
  });
  expect(recordsOf(machine, 'threadStart').at(-1)).toMatchObject({ priority: 13 });
  expect(recordsOf(machine, 'processEnd')[0]).toMatchObject({ parent: parent.index });
  expect(marks(machine)).toEqual([1]);
});

test('CreateProcess without room for its thread leaves no process behind', async () => {
  const machine = await Machine.create({ capacities: { threads: 4 } });
  const sleeper = machine.loadProgram(program('sleeper', (p) => p.delay(1000 * MS)));
  const body = program('parent', (p) => {
    const handle = p.register();
    p.forever(() =>
      p
        .createProcess(handle, sleeper, PRIORITY_CLASS.Normal)
        .ifStatus(STATUS.INSUFFICIENT_RESOURCES, () => p.mark(9).exit()),
    );
  });
  machine.createProcess().createThread(machine.loadProgram(body));
  machine.run({ until: 10 * MS });
  expect(marks(machine)).toEqual([9]);
  // System, the parent and two children; System has a thread of its own.
  expect(recordsOf(machine, 'threadStart').length).toBe(4);
  expect(recordsOf(machine, 'processStart').length).toBe(4);
});

/** A pulse reaches only those who wait already; the waker runs as soon as the mutex is free. */
async function sleeperAndWaker(
  sleep: (p: ProgramBuilder, mutex: KSemaphore, condition: KEvent) => void,
) {
  const machine = await Machine.create();
  const mutex = machine.createSemaphore(1, 1);
  const condition = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const sleeper = program('sleeper', (p) => {
    p.wait(mutex).compute(MS);
    sleep(p, mutex, condition);
    p.mark(1);
  });
  const waker = program('waker', (p) => p.wait(mutex).pulseEvent(condition).mark(2));
  process.createThread(machine.loadProgram(sleeper));
  const high = process.createThread(machine.loadProgram(waker), { start: false, increment: 2 });
  machine.run({ until: 100_000 });
  high.start();
  machine.run();
  return marks(machine);
}

test('SignalAndWait releases and waits in one step: no one comes in between', async () => {
  const inTwoSteps = await sleeperAndWaker((p, mutex, condition) =>
    p.releaseSemaphore(mutex).wait(condition),
  );
  const inOneStep = await sleeperAndWaker((p, mutex, condition) =>
    p.signalAndWait(mutex, condition),
  );
  expect(inTwoSteps).toEqual([2]);
  expect(inOneStep).toEqual([2, 1]);
});

test('SignalAndWait sets an event, and its wait can end by its time', async () => {
  const machine = await Machine.create({ profile: FINE });
  const event = machine.createEvent('notification');
  const never = machine.createEvent('synchronization');
  const body = program('body', (p) =>
    p.signalAndWait(event, never, { timeoutNs: 5 * MS }).ifStatus(STATUS.TIMEOUT, () => p.mark(1)),
  );
  machine.createProcess().createThread(machine.loadProgram(body));
  machine.run();
  expect(markTimesMs(machine)).toEqual([5]);
  expect(event.signalState).toBe(1);
});

test('SignalAndWait past the limit of a semaphore neither signals nor waits', async () => {
  const machine = await Machine.create();
  const full = machine.createSemaphore(1, 1);
  const other = machine.createSemaphore(1, 1);
  const body = program('body', (p) =>
    p.signalAndWait(full, other).ifStatus(STATUS.SEMAPHORE_LIMIT_EXCEEDED, () => p.mark(1)),
  );
  machine.createProcess().createThread(machine.loadProgram(body));
  machine.run();
  expect(marks(machine)).toEqual([1]);
  expect([full.signalState, other.signalState]).toEqual([1, 1]);
});

test('SignalAndWait with something that has no signal to give is STATUS_OBJECT_TYPE_MISMATCH', async () => {
  const machine = await Machine.create();
  const event = machine.createEvent('synchronization');
  const process = machine.createProcess();
  const body = program('body', (p) =>
    p.signalAndWait(process, event).ifStatus(STATUS.OBJECT_TYPE_MISMATCH, () => p.mark(1)),
  );
  process.createThread(machine.loadProgram(body));
  machine.run();
  expect(marks(machine)).toEqual([1]);
});

test.each([
  ['a pair of shared words at an odd index', [encode(OP.DelayShared), 3, 1, 0], /starts at 3/],
  ['a pair past the last shared word', [encode(OP.DelayShared), 1024, 1, 0], /shared word 1025/],
  ['a period of nothing', [encode(OP.DelayShared), 2, 0, 0], /a period of 0 ns/],
  ['a mode that is none', [encode(OP.DelayPeriod, 0, 2), 1, 0], /mode 2; 0 keeps, 1 restarts/],
  ['a limit of nothing', [encode(OP.InterlockedTake), 0, 0], /a limit of 0/],
  ['a word that is not there', [encode(OP.InterlockedTake), 1024, 1], /shared word 1024/],
  ['half an instruction', [encode(OP.SignalAndWait), 1, 0, 1, 0], /takes 7 words, 6 are left/],
])('a program with %s is refused when it is loaded', async (_, words, message) => {
  const machine = await Machine.create();
  const whole = Uint32Array.from([...words, encode(OP.Exit)]);
  expect(() => machine.loadProgram({ name: 'bad', words: whole })).toThrow(message);
});

test('priority changes of a program’s own are told apart in the trace', async () => {
  const machine = await run((p) => p.setPriority(12).setBasePriority(2).mark(1));
  expect(recordsOf(machine, 'priority').map((r) => [r.newPriority, r.change])).toEqual([
    [12, PRIORITY_CHANGE.Set],
    [10, PRIORITY_CHANGE.Base],
  ]);
});

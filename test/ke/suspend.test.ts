import { describe, expect, test } from 'vitest';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  KeAlertResumeThread,
  KeAlertThread,
  KeForceResumeThread,
  KeInsertQueueApc,
  KeResumeThread,
  KeSuspendThread,
  KeTestAlertThread,
} from '../../src/ke/apc';
import { KeSetEvent, KeStallExecutionProcessor, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeEnterCriticalRegion, KeLeaveCriticalRegion } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { NtStatusError } from '../../src/machine/guest';
import { encode } from '../../src/machine/instruction';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import { runGuest } from './guest';

const delay = (milliseconds: number) =>
  KeDelayExecutionThread(MODE.KernelMode, false, -10_000 * milliseconds);

describe('KeSuspendThread', () => {
  test('stops a thread that runs elsewhere, until KeResumeThread has taken every suspension back', async () => {
    const machine = await Machine.create({ processors: 2 });
    const seen: unknown[] = [];
    const busy = machine.systemProcess.createThread(
      function* () {
        yield* KeStallExecutionProcessor(1000);
        seen.push(['done', machine.now > 100e6]);
      },
      { affinity: 2n },
    );
    machine.systemProcess.createThread(
      function* () {
        yield* KeStallExecutionProcessor(100);
        seen.push(yield* KeSuspendThread(busy), yield* KeSuspendThread(busy));
        yield* delay(50);
        seen.push([busy.state, busy.waitReason, busy.suspendCount]);
        seen.push(yield* KeResumeThread(busy));
        yield* delay(50);
        seen.push(busy.state, yield* KeResumeThread(busy), yield* KeResumeThread(busy));
      },
      { affinity: 1n },
    );
    machine.run();
    expect(seen).toEqual([
      0,
      1,
      [KTHREAD_STATE.Waiting, KWAIT_REASON.Suspended, 2],
      2,
      KTHREAD_STATE.Waiting,
      1,
      0,
      ['done', true],
    ]);
  });

  test('lets a thread in a critical region go on until it leaves that', async () => {
    const seen: string[] = [];
    const machine = await Machine.create({ processors: 1 });
    const thread = machine.systemProcess.createThread(function* () {
      KeEnterCriticalRegion();
      yield* delay(20);
      seen.push('in the region');
      yield* KeLeaveCriticalRegion();
      seen.push('resumed');
    });
    machine.systemProcess.createThread(function* () {
      yield* delay(1);
      yield* KeSuspendThread(thread);
      yield* delay(100);
      seen.push('resumes');
      yield* KeResumeThread(thread);
    });
    machine.run();
    expect(seen).toEqual(['in the region', 'resumes', 'resumed']);
  });

  test('of a waiting thread ends no wait: a signal that lasts is there when it is resumed', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('synchronization');
    const seen: unknown[] = [];
    const waiter = machine.systemProcess.createThread(function* () {
      seen.push(
        yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null),
      );
    });
    machine.systemProcess.createThread(function* () {
      yield* delay(1);
      yield* KeSuspendThread(waiter);
      yield* delay(1);
      yield* KeSetEvent(event, 0, false);
      yield* delay(1);
      seen.push(event.signalState);
      yield* KeResumeThread(waiter);
    });
    machine.run();
    expect(seen).toEqual([1, STATUS.SUCCESS]);
  });

  test('raises STATUS_SUSPEND_COUNT_EXCEEDED at the 128th time', async () => {
    const machine = await Machine.create();
    const thread = machine.systemProcess.createThread(function* () {}, { start: false });
    let raised: unknown;
    machine.systemProcess.createThread(function* () {
      try {
        for (let count = 0; count < 127; count++) yield* KeSuspendThread(thread);
        yield* KeSuspendThread(thread);
      } catch (error) {
        raised = error;
      }
    });
    machine.run();
    expect(raised).toEqual(new NtStatusError(STATUS.SUSPEND_COUNT_EXCEEDED));
    expect(thread.suspendCount).toBe(127);
    expect(() => thread.suspend()).toThrow('is suspended 127 times');
  });

  test('of itself stops the thread before it goes on', async () => {
    const machine = await Machine.create({ processors: 1 });
    const seen: string[] = [];
    const thread = machine.systemProcess.createThread(function* () {
      yield* KeSuspendThread(thread);
      seen.push('on');
    });
    expect(machine.run()).toMatchObject({
      reason: 'idle',
      waiting: [{ name: 'thread 2', waitsFor: 'being resumed (Suspended)' }],
    });
    expect(seen).toEqual([]);
    thread.resume();
    machine.run();
    expect(seen).toEqual(['on']);
  });

  test('of a thread that has not started holds it before its first instruction', async () => {
    const machine = await Machine.create({ processors: 1 });
    const code = machine.loadProgram(program('p', (p) => p.compute(1000).exit(7)));
    const thread = machine.createProcess().createThread(code, { start: false });
    expect([thread.suspend(), thread.suspend()]).toEqual([0, 1]);
    thread.start();
    machine.run();
    expect(thread.state).toBe(KTHREAD_STATE.Waiting);
    expect([thread.resume(), thread.resume(), thread.resume()]).toEqual([2, 1, 0]);
    machine.run();
    expect([thread.state, thread.exitStatus]).toEqual([KTHREAD_STATE.Terminated, 7]);
  });

  test('lets special kernel-mode APCs come to a suspended thread', async () => {
    const machine = await Machine.create({ processors: 1 });
    const seen: string[] = [];
    const thread = machine.systemProcess.createThread(function* () {
      yield* delay(1);
      seen.push('on');
    });
    thread.suspend();
    machine.run();
    const special = machine.createApc(thread, { kernelRoutine: () => void seen.push('special') });
    const normal = machine.createApc(thread, { normalRoutine: () => void seen.push('normal') });
    normal.insert();
    special.insert();
    machine.run();
    expect(seen).toEqual(['special']);
    thread.resume();
    machine.run();
    expect(seen).toEqual(['special', 'normal', 'on']);
  });

  test('is undone whole by KeForceResumeThread, once by KeAlertResumeThread', async () => {
    const { value } = await runGuest(function* (machine) {
      const thread = machine.systemProcess.createThread(function* () {}, { start: false });
      for (let count = 0; count < 3; count++) yield* KeSuspendThread(thread);
      const once = yield* KeAlertResumeThread(thread);
      return [once, yield* KeForceResumeThread(thread), thread.suspendCount];
    });
    expect(value).toEqual([3, 2, 0]);
  });
});

describe('KeAlertThread', () => {
  test('ends an alertable wait with STATUS_ALERTED, and no other', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('notification');
    const seen: unknown[] = [];
    const waiter = (alertable: boolean) =>
      machine.systemProcess.createThread(function* () {
        seen.push(
          yield* KeWaitForSingleObject(
            event,
            KWAIT_REASON.Executive,
            MODE.KernelMode,
            alertable,
            null,
          ),
        );
      });
    const [yes, no] = [waiter(true), waiter(false)];
    machine.systemProcess.createThread(function* () {
      yield* delay(1);
      seen.push(yield* KeAlertThread(yes, MODE.KernelMode));
      seen.push(yield* KeAlertThread(no, MODE.KernelMode));
      seen.push(yield* KeAlertThread(no, MODE.KernelMode));
      yield* delay(1);
      seen.push(no.state);
    });
    machine.run();
    expect(seen).toEqual([STATUS.ALERTED, false, false, true, KTHREAD_STATE.Waiting]);
  });

  test('is remembered for the next alertable wait, or for KeTestAlertThread', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const event = machine.createEvent('notification');
      yield* KeAlertThread(thread, MODE.KernelMode);
      const tested = [
        yield* KeTestAlertThread(MODE.UserMode),
        yield* KeTestAlertThread(MODE.KernelMode),
        yield* KeTestAlertThread(MODE.KernelMode),
      ];
      yield* KeAlertThread(thread, MODE.KernelMode);
      const status = yield* KeWaitForSingleObject(
        event,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        true,
        0,
      );
      return [...tested, status];
    });
    expect(value).toEqual([false, true, false, STATUS.ALERTED]);
  });
});

describe('an alert of the other mode', () => {
  test('ends an alertable wait too, or is remembered for it', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const event = machine.createEvent('notification');
      const alertable = (mode: MODE, timeout: number) =>
        KeWaitForSingleObject(event, KWAIT_REASON.Executive, mode, true, timeout);
      yield* KeAlertThread(thread, MODE.UserMode);
      const remembered = yield* alertable(MODE.KernelMode, 0);
      const taken = yield* alertable(MODE.KernelMode, 0);
      machine.systemProcess.createThread(function* () {
        yield* delay(1);
        yield* KeAlertThread(thread, MODE.UserMode);
      });
      const ended = yield* alertable(MODE.KernelMode, -1_000_000);
      yield* KeAlertThread(thread, MODE.UserMode);
      yield* KeAlertThread(thread, MODE.KernelMode);
      const own = yield* alertable(MODE.KernelMode, 0);
      return [remembered, taken, ended, own, yield* KeTestAlertThread(MODE.UserMode)];
    });
    expect(value).toEqual([STATUS.ALERTED, STATUS.TIMEOUT, STATUS.ALERTED, STATUS.ALERTED, true]);
  });
});

describe('a thread that is terminated', () => {
  test('ends in user mode at once, a program that computes elsewhere too', async () => {
    const machine = await Machine.create({ processors: 2 });
    const code = machine.loadProgram(program('p', (p) => p.compute(1e9)));
    const thread = machine.createProcess().createThread(code, { affinity: 2n });
    machine.run({ until: 1e6 });
    expect([thread.terminate(3), thread.terminate(4)]).toEqual([true, false]);
    machine.run();
    expect([thread.state, thread.exitStatus, machine.now < 2e6]).toEqual([
      KTHREAD_STATE.Terminated,
      3,
      true,
    ]);
  });

  test('leaves a wait in user mode, and stays in one in kernel mode', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('notification');
    const code = (mode: MODE) => machine.loadProgram(program('p', (p) => p.wait(event, { mode })));
    const process = machine.createProcess();
    const user = process.createThread(code(MODE.UserMode));
    const kernel = process.createThread(code(MODE.KernelMode));
    machine.run();
    user.terminate(1);
    kernel.terminate(2);
    machine.run();
    expect([user.state, user.exitStatus]).toEqual([KTHREAD_STATE.Terminated, 1]);
    expect([kernel.state, kernel.terminating]).toEqual([KTHREAD_STATE.Waiting, true]);
    event.set();
    machine.run();
    expect([kernel.state, kernel.exitStatus]).toEqual([KTHREAD_STATE.Terminated, 2]);
  });

  test('stays in a wait in user mode while it is in a critical region', async () => {
    const machine = await Machine.create({ processors: 1 });
    const seen: unknown[] = [];
    const thread = machine.createProcess().createThread(
      function* () {
        KeEnterCriticalRegion();
        seen.push(yield* KeDelayExecutionThread(MODE.UserMode, false, -500_000));
        yield* KeLeaveCriticalRegion();
        seen.push('never');
      },
      { userMode: true },
    );
    machine.run({ until: 1e6 });
    thread.terminate(9);
    machine.run();
    expect([seen, thread.exitStatus]).toEqual([[STATUS.SUCCESS], 9]);
  });

  test('is resumed for that if it is suspended', async () => {
    const machine = await Machine.create({ processors: 1 });
    const code = machine.loadProgram(program('p', (p) => p.compute(1000)));
    const thread = machine.createProcess().createThread(code, { start: false });
    thread.suspend();
    thread.start();
    machine.run();
    thread.terminate(4);
    machine.run();
    expect([thread.state, thread.exitStatus]).toEqual([KTHREAD_STATE.Terminated, 4]);
  });

  test('is resumed for that if it is suspended on its way out', async () => {
    const machine = await Machine.create({ processors: 2 });
    const code = machine.loadProgram(program('p', (p) => p.compute(100_000)));
    const thread = machine.createProcess().createThread(code, { affinity: 2n });
    machine.systemProcess.createThread(
      function* () {
        // The interrupt takes 500 ns to get there: the thread's last instruction comes before it.
        yield [encode(OP.Compute), 99_900, 0];
        yield* KeSuspendThread(thread);
      },
      { affinity: 1n },
    );
    machine.run();
    expect([thread.state, thread.waitReason]).toEqual([
      KTHREAD_STATE.Waiting,
      KWAIT_REASON.Suspended,
    ]);
    expect(thread.terminate(4)).toBe(false);
    machine.run();
    expect([thread.state, thread.exitStatus]).toEqual([KTHREAD_STATE.Terminated, 0]);
  });

  test('of the host gets no APC any more', async () => {
    const machine = await Machine.create({ processors: 1 });
    const code = machine.loadProgram(program('p', (p) => p.compute(1000)));
    const thread = machine.createProcess().createThread(code);
    const apc = machine.createApc(thread, { kernelRoutine: () => undefined });
    machine.run();
    expect(apc.insert()).toBe(false);
  });
});

describe('a host call answered by a generator', () => {
  test('runs in the thread, which may block in it, and its result is the status', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('notification');
    const statuses: number[] = [];
    machine.onHostCall(1, function* (thread, argument) {
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      return argument + thread.index;
    });
    machine.onHostCall(2, (thread) => {
      statuses.push(thread.status);
      return undefined;
    });
    const code = machine.loadProgram(
      program('p', (p) => p.compute(10).hostCall(1, 40).hostCall(2).compute(10)),
    );
    const thread = machine.createProcess().createThread(code);
    machine.run();
    expect(thread.state).toBe(KTHREAD_STATE.Waiting);
    event.set();
    machine.run();
    expect([statuses, thread.state]).toEqual([[42], KTHREAD_STATE.Terminated]);
  });

  test('is interrupted by an APC as any thread is, and nests', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('notification');
    const seen: unknown[] = [];
    machine.onHostCall(1, function* () {
      seen.push(
        yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null),
      );
      return 5;
    });
    const code = machine.loadProgram(program('p', (p) => p.hostCall(1).compute(10)));
    const thread = machine.createProcess().createThread(code);
    machine.run();
    const inner = machine.createApc(thread, { kernelRoutine: () => void seen.push('inner') });
    const outer = machine.createApc(thread, {
      *normalRoutine() {
        seen.push('outer');
        yield* KeInsertQueueApc(inner, 0, 0, 0);
        yield* KeSetEvent(event, 0, false);
        seen.push('set');
      },
    });
    outer.insert();
    machine.run();
    expect([seen, thread.status]).toEqual([['outer', 'inner', 'set', STATUS.SUCCESS], 5]);
  });

  test('is refused to a DPC', async () => {
    const machine = await Machine.create({ processors: 1 });
    machine.onHostCall(1, function* () {
      yield* KeStallExecutionProcessor(1);
      return 0;
    });
    const routine = machine.loadProgram(program('dpc', (p) => p.hostCall(1)));
    machine.createDpc(routine).insert();
    expect(() => machine.run()).toThrow('only a thread can wait for one');
  });

  test('of a port thread runs in that', async () => {
    const machine = await Machine.create({ processors: 1 });
    const seen: unknown[] = [];
    machine.onSystemCall(7, function* () {
      yield* delay(1);
      return 9;
    });
    let turn = 0;
    machine.createProcess().createThread({
      run(thread, budget) {
        turn++;
        seen.push([turn, thread.status]);
        if (turn === 1) return { usedNs: 10, reason: 'syscall', number: 7 };
        if (turn === 2) return { usedNs: Math.min(5, budget), reason: 'budget' };
        return { usedNs: 0, reason: 'halt' };
      },
    });
    machine.run();
    expect(seen).toEqual([
      [1, 0],
      [2, 9],
      [3, 9],
    ]);
  });
});

describe('a lifecycle', () => {
  test('goes before the end of every thread, in the thread, at PASSIVE_LEVEL', async () => {
    const machine = await Machine.create({ processors: 1 });
    const seen: unknown[] = [];
    machine.lifecycle = {
      *exitThread(thread, status) {
        yield* delay(1);
        seen.push([thread.name, status, thread.state, machine.irql()]);
        return 0;
      },
      *createThread() {
        yield* KeStallExecutionProcessor(1);
        return { status: STATUS.NOT_IMPLEMENTED };
      },
      *createProcess() {
        yield* KeStallExecutionProcessor(1);
        return { status: STATUS.NOT_IMPLEMENTED };
      },
    };
    const process = machine.createProcess();
    const code = machine.loadProgram(program('program', (p) => p.compute(10).exit(3)));
    process.createThread(code);
    process.createThread(function* () {}, { name: 'host' });
    process.createThread(
      { run: () => ({ usedNs: 1, reason: 'halt', status: 5 }) },
      { name: 'port' },
    );
    const last = process.createThread(
      machine.loadProgram(program('killed', (p) => p.delay(1e9, { mode: MODE.UserMode }))),
    );
    machine.run({ until: 100e6 });
    last.terminate(8);
    machine.run();
    expect(seen).toEqual([
      ['program', 3, KTHREAD_STATE.Running, IRQL.PASSIVE_LEVEL],
      ['host', 0, KTHREAD_STATE.Running, IRQL.PASSIVE_LEVEL],
      ['port', 5, KTHREAD_STATE.Running, IRQL.PASSIVE_LEVEL],
      ['killed', 8, KTHREAD_STATE.Running, IRQL.PASSIVE_LEVEL],
    ]);
    expect([process.signalState, last.exitStatus]).toEqual([1, 8]);
  });

  test('makes what programs create, in the creator', async () => {
    const machine = await Machine.create({ processors: 1 });
    const seen: unknown[] = [];
    const child = machine.loadProgram(program('child', (p) => p.compute(10)));
    machine.lifecycle = {
      exitThread: () => 0,
      *createThread(creator, code, increment) {
        yield* delay(1);
        seen.push([creator.name, code.name, increment]);
        return { status: STATUS.SUCCESS, thread: creator.process.createThread(code) };
      },
      *createProcess(creator, code, priorityClass) {
        yield* KeStallExecutionProcessor(1);
        seen.push([creator.name, code.name, priorityClass]);
        return { status: STATUS.INSUFFICIENT_RESOURCES };
      },
    };
    const statuses: number[] = [];
    machine.onHostCall(1, (thread) => {
      statuses.push(thread.status);
      return undefined;
    });
    const parent = machine.loadProgram(
      program('parent', (p) => {
        const handle = p.register();
        p.createThread(handle, child, 2).hostCall(1).wait(handle, {}).hostCall(1);
        p.createProcess(handle, child, 3).hostCall(1);
      }),
    );
    machine.createProcess().createThread(parent);
    machine.run();
    expect(seen).toEqual([
      ['parent', 'child', 2],
      ['parent', 'child', 3],
    ]);
    expect(statuses).toEqual([0, 0, STATUS.INSUFFICIENT_RESOURCES]);
  });
});

describe('programs', () => {
  test('suspend, resume, alert and terminate threads, and wait for alerts by id', async () => {
    const machine = await Machine.create({ processors: 1 });
    const statuses: number[] = [];
    machine.onHostCall(1, (thread) => {
      statuses.push(thread.status);
      return undefined;
    });
    const event = machine.createEvent('notification');
    const process = machine.createProcess();
    const alerted = process.createThread(
      machine.loadProgram(
        program('alerted', (p) => p.wait(event, { alertable: true }).hostCall(1)),
      ),
    );
    const byId = process.createThread(
      machine.loadProgram(
        program('by id', (p) =>
          p
            .waitForAlertById()
            .hostCall(1)
            .waitForAlertById({ timeoutNs: 0 })
            .hostCall(1)
            .delay(1e9, { mode: MODE.UserMode }),
        ),
      ),
    );
    process.createThread(
      machine.loadProgram(
        program('asks', (p) =>
          p
            .alertThread(alerted)
            .alertThreadById(byId)
            .alertThreadById(byId)
            .suspendThread(byId)
            .hostCall(1)
            .resumeThread(byId)
            .hostCall(1)
            .compute(100)
            .delay(1e7)
            .terminateThread(byId, 6)
            .hostCall(1)
            .terminateThread(byId, 7)
            .hostCall(1),
        ),
      ),
      { increment: -2 },
    );
    machine.run();
    expect(statuses).toEqual([
      STATUS.ALERTED,
      STATUS.ALERTED,
      STATUS.TIMEOUT,
      0,
      1,
      STATUS.SUCCESS,
      STATUS.THREAD_IS_TERMINATING,
    ]);
    expect(byId.exitStatus).toBe(6);
  });
});

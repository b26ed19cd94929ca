import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import {
  IRQL,
  KAPC_ENVIRONMENT,
  KTHREAD_STATE,
  KWAIT_REASON,
  MODE,
} from '../../assembly/shared/types';
import {
  KeInitializeApc,
  KeInsertQueueApc,
  KeRemoveQueueApc,
  KeStackAttachProcess,
  KeTestAlertThread,
  KeUnstackDetachProcess,
} from '../../src/ke/apc';
import {
  KePulseEvent,
  KeReleaseMutex,
  KeSetEvent,
  KeStallExecutionProcessor,
  KeWaitForMultipleObjects,
  KeWaitForSingleObject,
} from '../../src/ke/ddi';
import {
  KeEnterCriticalRegion,
  KeEnterGuardedRegion,
  KeGetCurrentIrql,
  KeLeaveCriticalRegion,
  KeLeaveGuardedRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { currentGuest } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KThread } from '../../src/machine/views';
import { PsTerminateSystemThread } from '../../src/ps/system-thread';
import { runGuest } from './guest';

const wait = (object: Parameters<typeof KeWaitForSingleObject>[0], mode = MODE.KernelMode) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, mode, false, null);
const alertable = (object: Parameters<typeof KeWaitForSingleObject>[0], mode = MODE.UserMode) =>
  KeWaitForSingleObject(object, KWAIT_REASON.UserRequest, mode, true, null);

describe('a special kernel-mode APC', () => {
  test('runs its kernel routine in its thread at APC_LEVEL, before KeInsertQueueApc of itself returns', async () => {
    const seen: unknown[] = [];
    await runGuest(function* (machine, thread) {
      const apc = machine.createApc(thread, {
        kernelRoutine: (_, call) => {
          seen.push(
            currentGuest('test').thread.name,
            KeGetCurrentIrql(),
            call.normalRoutine,
            call.systemArgument1,
            call.systemArgument2,
          );
        },
      });
      const queued = yield* KeInsertQueueApc(apc, 'one', 2, 0);
      seen.push(queued, KeGetCurrentIrql());
    });
    expect(seen).toEqual(['thread 2', IRQL.APC_LEVEL, null, 'one', 2, true, IRQL.PASSIVE_LEVEL]);
  });

  test('comes in a critical region, and not in a guarded one until that is left', async () => {
    const seen: string[] = [];
    await runGuest(function* (machine, thread) {
      const apc = machine.createApc(thread, { kernelRoutine: () => void seen.push('apc') });
      KeEnterCriticalRegion();
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      seen.push('critical');
      yield* KeLeaveCriticalRegion();
      KeEnterGuardedRegion();
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      seen.push('guarded');
      yield* KeLeaveGuardedRegion();
      yield* KeStallExecutionProcessor(1);
      seen.push('left');
    });
    expect(seen).toEqual(['apc', 'critical', 'guarded', 'apc', 'left']);
  });

  test('waits at APC_LEVEL until the level is lowered', async () => {
    const seen: string[] = [];
    await runGuest(function* (machine, thread) {
      const apc = machine.createApc(thread, { kernelRoutine: () => void seen.push('apc') });
      KeRaiseIrql(IRQL.APC_LEVEL);
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      seen.push('raised');
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      seen.push('lowered');
    });
    expect(seen).toEqual(['raised', 'apc', 'lowered']);
  });

  test('comes before normal ones that were queued earlier', async () => {
    const seen: string[] = [];
    await runGuest(function* (machine, thread) {
      const normal = machine.createApc(thread, { normalRoutine: () => void seen.push('normal') });
      const first = machine.createApc(thread, { kernelRoutine: () => void seen.push('first') });
      const second = machine.createApc(thread, { kernelRoutine: () => void seen.push('second') });
      KeEnterGuardedRegion();
      yield* KeInsertQueueApc(normal, 0, 0, 0);
      yield* KeInsertQueueApc(first, 0, 0, 0);
      yield* KeInsertQueueApc(second, 0, 0, 0);
      yield* KeLeaveGuardedRegion();
      yield* KeStallExecutionProcessor(1);
    });
    expect(seen).toEqual(['first', 'second', 'normal']);
  });

  test('preempts the normal routine of another kernel-mode APC', async () => {
    const seen: string[] = [];
    await runGuest(function* (machine, thread) {
      const special = machine.createApc(thread, { kernelRoutine: () => void seen.push('special') });
      const normal = machine.createApc(thread, {
        *normalRoutine() {
          seen.push('begin');
          yield* KeInsertQueueApc(special, 0, 0, 0);
          seen.push('end');
        },
      });
      yield* KeInsertQueueApc(normal, 0, 0, 0);
    });
    expect(seen).toEqual(['begin', 'special', 'end']);
  });
});

describe('a normal kernel-mode APC', () => {
  test('runs its kernel routine at APC_LEVEL and then its normal routine at PASSIVE_LEVEL, with its arguments', async () => {
    const seen: unknown[] = [];
    await runGuest(function* (machine, thread) {
      const apc = machine.createApc(thread, {
        kernelRoutine: (self) => void seen.push('kernel', KeGetCurrentIrql(), self.inserted),
        normalRoutine: (context, first, second) =>
          void seen.push('normal', KeGetCurrentIrql(), context, first, second),
        normalContext: 'context',
      });
      yield* KeInsertQueueApc(apc, { a: 1 }, -5, 0);
    });
    expect(seen).toEqual(['kernel', 1, false, 'normal', 0, 'context', { a: 1 }, -5]);
  });

  test('does not come in a critical region, nor while its thread owns a mutex', async () => {
    const seen: string[] = [];
    await runGuest(function* (machine, thread) {
      const mutex = machine.createMutex();
      const apc = machine.createApc(thread, { normalRoutine: () => void seen.push('apc') });
      KeEnterCriticalRegion();
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      seen.push('critical');
      yield* KeLeaveCriticalRegion();
      yield* KeStallExecutionProcessor(1);
      yield* wait(mutex);
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      seen.push('mutex');
      yield* KeReleaseMutex(mutex, false);
      seen.push('released');
    });
    expect(seen).toEqual(['critical', 'apc', 'mutex', 'apc', 'released']);
  });

  test('does not begin while another one runs', async () => {
    const seen: string[] = [];
    await runGuest(function* (machine, thread) {
      const second = machine.createApc(thread, { normalRoutine: () => void seen.push('second') });
      const first = machine.createApc(thread, {
        *normalRoutine() {
          yield* KeInsertQueueApc(second, 0, 0, 0);
          seen.push('first');
        },
      });
      yield* KeInsertQueueApc(first, 0, 0, 0);
    });
    expect(seen).toEqual(['first', 'second']);
  });

  test('has its normal routine taken away by its kernel routine', async () => {
    const seen: string[] = [];
    await runGuest(function* (machine, thread) {
      const apc = machine.createApc(thread, {
        kernelRoutine: (_, call) => {
          call.normalRoutine = null;
          seen.push('kernel');
        },
        normalRoutine: () => void seen.push('normal'),
      });
      yield* KeInsertQueueApc(apc, 0, 0, 0);
    });
    expect(seen).toEqual(['kernel']);
  });

  test('may wait in its normal routine', async () => {
    const { machine, value } = await runGuest(function* (machine, thread) {
      const event = machine.createEvent('synchronization');
      let status = -1;
      const apc = machine.createApc(thread, {
        *normalRoutine() {
          status = yield* wait(event);
        },
      });
      machine.systemProcess.createThread(function* () {
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -50_0000);
        yield* KeSetEvent(event, 0, false);
      });
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      return [status, Math.floor(machine.now / 1e6)];
    });
    expect(value).toEqual([STATUS.SUCCESS, 62]);
    expect(machine.values.size).toBe(0);
  });

  test('of a program runs on registers of its own, and the thread goes on with its', async () => {
    const machine = await Machine.create({ processors: 2 });
    const routine = machine.loadProgram(
      program('routine', (p) => {
        const [context, first] = [p.register(), p.register()];
        p.add(context, 1);
        p.mark(1).add(first, 5);
      }),
    );
    const process = machine.createProcess();
    const thread = process.createThread(
      machine.loadProgram(
        program('worker', (p) => {
          p.loop(3, () => p.compute(1000).mark(2));
        }),
      ),
      { affinity: 1n },
    );
    const apc = machine.createApc(thread, { normalRoutine: routine, normalContext: 7 });
    process.createThread(
      machine.loadProgram(program('queues', (p) => p.compute(1500).insertQueueApc(apc, 8, 9))),
      { affinity: 2n },
    );
    const marks: number[] = [];
    machine.trace.subscribe((batch) => {
      for (let index = 0; index < batch.count; index++) {
        const at = index * 8;
        if (((batch.words[at + 2] as number) & 0xff) === 11)
          marks.push(batch.words[at + 4] as number);
      }
    });
    machine.run();
    machine.trace.drain();
    expect(marks).toEqual([2, 1, 2, 2]);
  });
});

describe('KeInsertQueueApc', () => {
  test('is FALSE for an APC that is queued, and for a thread that has ended', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const other = machine.systemProcess.createThread(function* () {
        yield* KeStallExecutionProcessor(1);
      });
      const dead = machine.createApc(other, { kernelRoutine: () => undefined });
      yield* wait(other);
      const apc = machine.createApc(thread, { normalRoutine: () => undefined });
      KeEnterCriticalRegion();
      const first = yield* KeInsertQueueApc(apc, 1, 1, 0);
      const second = yield* KeInsertQueueApc(apc, {}, {}, 0);
      const removed = [KeRemoveQueueApc(apc), KeRemoveQueueApc(apc)];
      yield* KeLeaveCriticalRegion();
      return [
        first,
        second,
        ...removed,
        yield* KeInsertQueueApc(dead, 0, 0, 0),
        machine.values.size,
      ];
    });
    expect(value).toEqual([true, false, true, false, false, 0]);
  });

  test('to a thread that runs elsewhere interrupts it there', async () => {
    const machine = await Machine.create({ processors: 2 });
    const at: [number, number][] = [];
    const busy = machine.systemProcess.createThread(
      function* () {
        yield* KeStallExecutionProcessor(1000);
        at.push([machine.currentProcessor, Math.floor(machine.now / 1000)]);
      },
      { affinity: 2n },
    );
    const apc = machine.createApc(busy, {
      kernelRoutine: () => void at.push([machine.currentProcessor, Math.floor(machine.now / 1000)]),
    });
    machine.systemProcess.createThread(
      function* () {
        yield* KeStallExecutionProcessor(200);
        yield* KeInsertQueueApc(apc, 0, 0, 0);
      },
      { affinity: 1n },
    );
    machine.run();
    expect(at).toEqual([
      [1, 203],
      [1, 1003],
    ]);
  });

  test('to a thread that waits runs, and the wait goes on with what is left of its time', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('notification');
    const seen: [string, number][] = [];
    const note = (what: string) => seen.push([what, Math.floor(machine.now / 1e6)]);
    const waiter = machine.systemProcess.createThread(function* () {
      const status = yield* KeWaitForSingleObject(
        event,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        false,
        -1_000_000,
      );
      note(`wait ${status.toString(16)}`);
    });
    const apc = machine.createApc(waiter, { kernelRoutine: () => void note('apc') });
    machine.systemProcess.createThread(function* () {
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -400_000);
      yield* KeInsertQueueApc(apc, 0, 0, 0);
    });
    machine.run();
    expect(seen).toEqual([
      ['apc', 46],
      ['wait 102', 109],
    ]);
  });

  test('makes a waiting thread miss a pulse while the APC runs', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('notification');
    const statuses: number[] = [];
    const waiter = machine.systemProcess.createThread(function* () {
      statuses.push(
        yield* KeWaitForSingleObject(
          event,
          KWAIT_REASON.Executive,
          MODE.KernelMode,
          false,
          -1_000_000,
        ),
      );
    });
    const apc = machine.createApc(waiter, {
      *normalRoutine() {
        yield* KeStallExecutionProcessor(100);
        yield* KePulseEvent(event, 0, false);
      },
    });
    machine.systemProcess.createThread(function* () {
      yield* KeInsertQueueApc(apc, 0, 0, 0);
    });
    machine.run();
    expect(statuses).toEqual([STATUS.TIMEOUT]);
  });

  test('lets a wait for all of several objects begin again whole', async () => {
    const machine = await Machine.create({ processors: 1 });
    const first = machine.createEvent('synchronization');
    const second = machine.createEvent('synchronization');
    const seen: unknown[] = [];
    const waiter = machine.systemProcess.createThread(function* () {
      const status = yield* KeWaitForMultipleObjects(
        [first, second],
        0,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        false,
        null,
        null,
      );
      seen.push(status, first.signalState, second.signalState);
    });
    const apc = machine.createApc(waiter, {
      *normalRoutine() {
        seen.push('apc');
        yield* KeSetEvent(first, 0, false);
      },
    });
    machine.systemProcess.createThread(function* () {
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      seen.push(first.signalState);
      yield* KeSetEvent(second, 0, false);
    });
    machine.run();
    expect(seen).toEqual(['apc', 1, STATUS.SUCCESS, 0, 0]);
  });

  test('gives a wait whose object has gone meanwhile STATUS_INVALID_HANDLE', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('notification');
    const statuses: number[] = [];
    const waiter = machine.systemProcess.createThread(function* () {
      statuses.push(yield* wait(event));
    });
    const apc = machine.createApc(waiter, { kernelRoutine: () => event.delete() });
    machine.systemProcess.createThread(function* () {
      yield* KeInsertQueueApc(apc, 0, 0, 0);
    });
    machine.run();
    expect(statuses).toEqual([STATUS.INVALID_HANDLE]);
  });
});

/** Runs a user-mode host thread, and gives what it noted. */
async function runUser(
  body: (
    machine: Machine,
    thread: KThread,
    note: (what: unknown) => void,
  ) => Generator<readonly number[], void, number>,
): Promise<{ machine: Machine; seen: unknown[] }> {
  const machine = await Machine.create({ processors: 1 });
  const seen: unknown[] = [];
  const process = machine.createProcess({ name: 'user' });
  const thread: KThread = process.createThread(
    function* () {
      yield* body(machine, thread, (what) => seen.push(what));
    },
    { userMode: true },
  );
  const result = machine.run();
  if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
  return { machine, seen };
}

const userApc = (machine: Machine, thread: KThread, note: () => unknown) =>
  machine.createApc(thread, {
    mode: MODE.UserMode,
    normalRoutine: () => void note(),
  });

describe('a user-mode APC', () => {
  test('does not run before an alertable wait in user mode, which it ends with STATUS_USER_APC', async () => {
    const { seen } = await runUser(function* (machine, thread, note) {
      const event = machine.createEvent('notification');
      yield* KeInsertQueueApc(
        userApc(machine, thread, () => note('apc')),
        0,
        0,
        0,
      );
      yield* KeStallExecutionProcessor(10);
      note('queued');
      note(yield* alertable(event));
    });
    expect(seen).toEqual(['queued', 'apc', STATUS.USER_APC]);
  });

  test('ends an alertable wait in kernel mode without running', async () => {
    const { seen } = await runUser(function* (machine, thread, note) {
      const event = machine.createEvent('notification');
      yield* KeInsertQueueApc(
        userApc(machine, thread, () => note('apc')),
        0,
        0,
        0,
      );
      note(yield* alertable(event, MODE.KernelMode));
      yield* KeStallExecutionProcessor(10);
      note('on');
      note(yield* KeTestAlertThread(MODE.UserMode));
    });
    expect(seen).toEqual([STATUS.USER_APC, 'on', 'apc', false]);
  });

  test('does not end a wait that is not alertable', async () => {
    const { seen } = await runUser(function* (machine, thread, note) {
      const event = machine.createEvent('notification');
      yield* KeInsertQueueApc(
        userApc(machine, thread, () => note('apc')),
        0,
        0,
        0,
      );
      const status = yield* KeWaitForSingleObject(
        event,
        KWAIT_REASON.UserRequest,
        MODE.UserMode,
        false,
        -100_000,
      );
      note(status);
    });
    expect(seen).toEqual([STATUS.TIMEOUT]);
  });

  test('ke.wait-007: an alertable delay ends with STATUS_USER_APC, a delay of 0 too; without one it is over or yields', async () => {
    const { seen } = await runUser(function* (machine, thread, note) {
      const apc = userApc(machine, thread, () => note('apc'));
      note(yield* KeDelayExecutionThread(MODE.UserMode, false, 0));
      note(yield* KeDelayExecutionThread(MODE.UserMode, false, -10_000));
      note(yield* KeDelayExecutionThread(MODE.UserMode, true, 0));
      note(yield* KeDelayExecutionThread(MODE.UserMode, true, -10_000));
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      note(yield* KeDelayExecutionThread(MODE.UserMode, true, 0));
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      note(yield* KeDelayExecutionThread(MODE.UserMode, true, -10_000));
    });
    expect(seen).toEqual([
      STATUS.NO_YIELD_PERFORMED,
      STATUS.SUCCESS,
      STATUS.NO_YIELD_PERFORMED,
      STATUS.SUCCESS,
      'apc',
      STATUS.USER_APC,
      'apc',
      STATUS.USER_APC,
    ]);
  });

  test('ke.apc-020: one that its routine queues runs in the same alertable delay', async () => {
    const { seen } = await runUser(function* (machine, thread, note) {
      const second = userApc(machine, thread, () => note('second'));
      const first = machine.createApc(thread, {
        mode: MODE.UserMode,
        *normalRoutine() {
          yield* KeInsertQueueApc(second, 0, 0, 0);
          note('first');
        },
      });
      yield* KeInsertQueueApc(first, 0, 0, 0);
      note(yield* KeDelayExecutionThread(MODE.UserMode, true, 0));
    });
    expect(seen).toEqual(['first', 'second', STATUS.USER_APC]);
  });

  test('that is special comes with the next return to user mode', async () => {
    const { seen } = await runUser(function* (machine, thread, note) {
      const apc = machine.createApc(thread, {
        mode: MODE.UserMode,
        specialUser: true,
        normalRoutine: () => note('apc'),
      });
      note('before');
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      note('after');
    });
    expect(seen).toEqual(['before', 'apc', 'after']);
  });

  test('of a thread that ends is run down instead', async () => {
    const { machine, seen } = await runUser(function* (machine, thread, note) {
      const apc = machine.createApc(thread, {
        mode: MODE.UserMode,
        normalRoutine: () => note('apc'),
        rundownRoutine: (self) => note(['rundown', self.inserted]),
      });
      yield* KeInsertQueueApc(apc, {}, {}, 0);
      note('ends');
    });
    expect(seen).toEqual(['ends', ['rundown', false]]);
    expect(machine.values.size).toBe(0);
  });

  test('ke.apc-016: comes as often as it is queued to a thread that waits alertably again and again', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('notification');
    const seen: unknown[] = [];
    let stop = false;
    const waiter = machine.createProcess().createThread(
      function* () {
        while (!stop) seen.push(yield* alertable(event));
        seen.push('ends');
      },
      { userMode: true },
    );
    const apcs = [1, 2, 3].map((number) =>
      machine.createApc(waiter, {
        mode: MODE.UserMode,
        normalRoutine: () => {
          seen.push(`apc ${number}`);
          stop = number === 3;
        },
      }),
    );
    machine.systemProcess.createThread(function* () {
      for (const apc of apcs) {
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -1_000_000);
        yield* KeInsertQueueApc(apc, 0, 0, 0);
        seen.push('queued');
      }
    });
    machine.run();
    expect(seen).toEqual([
      'queued',
      'apc 1',
      STATUS.USER_APC,
      'queued',
      'apc 2',
      STATUS.USER_APC,
      'queued',
      'apc 3',
      STATUS.USER_APC,
      'ends',
    ]);
  });
});

describe('an APC routine', () => {
  test('that returns at another IRQL is bugcheck IRQL_UNEXPECTED_VALUE', async () => {
    const machine = await Machine.create();
    const thread = machine.systemProcess.createThread(function* () {
      const apc = machine.createApc(thread, {
        normalRoutine: () => {
          KeRaiseIrql(IRQL.APC_LEVEL);
        },
      });
      yield* KeInsertQueueApc(apc, 0, 0, 0);
    });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      code: BUGCHECK.IRQL_UNEXPECTED_VALUE,
      parameters: [0x10001n, expect.anything(), 0n, 0n],
    });
  });

  test('that leaves a region entered is bugcheck IRQL_UNEXPECTED_VALUE with 0xfe', async () => {
    const machine = await Machine.create();
    const thread = machine.systemProcess.createThread(function* () {
      const apc = machine.createApc(thread, { kernelRoutine: () => KeEnterCriticalRegion() });
      yield* KeInsertQueueApc(apc, 0, 0, 0);
    });
    expect(machine.run()).toMatchObject({
      code: BUGCHECK.IRQL_UNEXPECTED_VALUE,
      parameters: [0x101fen, 0xffffn, 0n, expect.anything()],
    });
  });

  test('may end its thread', async () => {
    const machine = await Machine.create();
    const seen: string[] = [];
    const thread = machine.systemProcess.createThread(function* () {
      const apc = machine.createApc(thread, {
        *normalRoutine() {
          yield* PsTerminateSystemThread(5);
        },
      });
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      seen.push('never');
    });
    machine.run();
    expect([thread.state, thread.exitStatus, seen]).toEqual([KTHREAD_STATE.Terminated, 5, []]);
  });

  test('that throws in a system thread is the bugcheck of that, with what it threw', async () => {
    const machine = await Machine.create();
    const thrown = new Error('mine');
    const thread = machine.systemProcess.createThread(function* () {
      const apc = machine.createApc(thread, {
        normalRoutine: () => {
          throw thrown;
        },
      });
      yield* KeInsertQueueApc(apc, 0, 0, 0);
    });
    expect(machine.run()).toMatchObject({
      code: BUGCHECK.SYSTEM_THREAD_EXCEPTION_NOT_HANDLED,
      cause: thrown,
    });
  });
});

describe('a thread that ends', () => {
  test('with a kernel-mode APC left is bugcheck KERNEL_APC_PENDING_DURING_EXIT with the APC', async () => {
    const machine = await Machine.create();
    const thread = machine.systemProcess.createThread(function* () {
      const apc = machine.createApc(thread, { normalRoutine: () => undefined });
      KeEnterCriticalRegion();
      yield* KeInsertQueueApc(apc, 0, 0, 0);
    });
    expect(machine.run()).toMatchObject({ code: BUGCHECK.KERNEL_APC_PENDING_DURING_EXIT });
  });

  test('attached to another process is bugcheck INVALID_PROCESS_ATTACH_ATTEMPT', async () => {
    const machine = await Machine.create();
    const process = machine.createProcess();
    machine.systemProcess.createThread(function* () {
      yield* KeStackAttachProcess(process);
    });
    expect(machine.run()).toMatchObject({
      code: BUGCHECK.INVALID_PROCESS_ATTACH_ATTEMPT,
      parameters: [BigInt(machine.systemProcess.address), BigInt(process.address), 1n, 0n],
    });
  });
});

describe('KeStackAttachProcess', () => {
  test('nests, and keeps APCs of the original environment until it is taken back', async () => {
    const seen: unknown[] = [];
    await runGuest(function* (machine, thread) {
      const [a, b] = [machine.createProcess({ name: 'a' }), machine.createProcess({ name: 'b' })];
      const apc = machine.createApc(thread, {
        kernelRoutine: () => void seen.push(`apc in ${thread.attachedProcess.name}`),
      });
      const outer = yield* KeStackAttachProcess(a);
      const inner = yield* KeStackAttachProcess(b);
      seen.push(thread.attachedProcess.name, outer.process.name, inner.process.name);
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      seen.push('queued');
      yield* KeUnstackDetachProcess(inner);
      seen.push(thread.attachedProcess.name);
      yield* KeUnstackDetachProcess(outer);
      seen.push(thread.attachedProcess.name);
    });
    expect(seen).toEqual(['b', 'System', 'a', 'queued', 'a', 'apc in System', 'System']);
  });

  test('leaves nothing of an APC that is taken out of the process that the thread was in before', async () => {
    const seen: unknown[] = [];
    const { machine } = await runGuest(function* (machine, thread) {
      const process = machine.createProcess();
      const environment = KAPC_ENVIRONMENT.AttachedApcEnvironment;
      const apc = machine.createApc(thread, {
        environment,
        normalRoutine: () => void seen.push('removed'),
      });
      const next = machine.createApc(thread, {
        environment,
        kernelRoutine: () => void seen.push('next'),
      });
      const outer = yield* KeStackAttachProcess(process);
      KeEnterCriticalRegion();
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      const inner = yield* KeStackAttachProcess(process);
      KeRaiseIrql(IRQL.APC_LEVEL);
      yield* KeInsertQueueApc(next, 0, 0, 0);
      seen.push(KeRemoveQueueApc(apc));
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      yield* KeUnstackDetachProcess(inner);
      yield* KeLeaveCriticalRegion();
      yield* KeUnstackDetachProcess(outer);
    });
    expect([seen, machine.run().reason]).toEqual([[true, 'next'], 'idle']);
  });

  test('lets APCs of the attached environment come', async () => {
    const seen: unknown[] = [];
    await runGuest(function* (machine, thread) {
      const state = yield* KeStackAttachProcess(machine.createProcess({ name: 'a' }));
      const apc = KeInitializeApc(
        thread,
        KAPC_ENVIRONMENT.CurrentApcEnvironment,
        () => void seen.push(`apc in ${thread.attachedProcess.name}`),
        null,
        null,
        MODE.KernelMode,
        null,
      );
      yield* KeInsertQueueApc(apc, 0, 0, 0);
      yield* KeUnstackDetachProcess(state);
    });
    expect(seen).toEqual(['apc in a']);
  });

  test('tells CurrentApcEnvironment, that of the initialization, from InsertApcEnvironment', async () => {
    const seen: unknown[] = [];
    await runGuest(function* (machine, thread) {
      const make = (environment: KAPC_ENVIRONMENT) =>
        KeInitializeApc(
          thread,
          environment,
          () => void seen.push([environment, thread.attachedProcess.name]),
          null,
          null,
          MODE.KernelMode,
          null,
        );
      const current = make(KAPC_ENVIRONMENT.CurrentApcEnvironment);
      const insert = make(KAPC_ENVIRONMENT.InsertApcEnvironment);
      const state = yield* KeStackAttachProcess(machine.createProcess({ name: 'a' }));
      yield* KeInsertQueueApc(current, 0, 0, 0);
      yield* KeInsertQueueApc(insert, 0, 0, 0);
      yield* KeUnstackDetachProcess(state);
      yield* KeInsertQueueApc(insert, 0, 0, 0);
    });
    expect(seen).toEqual([
      [KAPC_ENVIRONMENT.InsertApcEnvironment, 'a'],
      [KAPC_ENVIRONMENT.CurrentApcEnvironment, 'System'],
      [KAPC_ENVIRONMENT.InsertApcEnvironment, 'System'],
    ]);
  });

  test('is bugcheck INVALID_PROCESS_DETACH_ATTEMPT to take back without having attached', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      yield* KeUnstackDetachProcess({ process: machine.systemProcess });
    });
    expect(machine.run()).toMatchObject({ code: BUGCHECK.INVALID_PROCESS_DETACH_ATTEMPT });
  });
});

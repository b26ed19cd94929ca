import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import { NtYieldExecution } from '../../src/ke/time';
import { isGenerator } from '../../src/machine/generator';
import { KeAreApcsDisabled, KeEnterCriticalRegion, KeRaiseIrql } from '../../src/ke/irql';
import { currentGuest, type Request } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { KThread } from '../../src/machine/views';
import { processManager } from '../../src/ps/manager';
import {
  PsRemoveCreateThreadNotifyRoutine,
  PsRemoveLoadImageNotifyRoutine,
  PsSetCreateProcessNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutine,
  PsSetLoadImageNotifyRoutine,
} from '../../src/ps/register';
import {
  type CreateThreadNotifyRoutine,
  notifyThread,
  THREAD_NOTIFY,
} from '../../src/ps/thread-notify';
import { runGuest } from '../ke/guest';

/** Has the routines called as a thread is created, in the context of the guest. */
function* notify(thread: KThread) {
  const ps = processManager(thread.machine);
  const told = notifyThread(ps, thread, thread, THREAD_NOTIFY.Legacy, true);
  if (isGenerator(told)) yield* told;
  yield* NtYieldExecution();
}

describe.each([
  [
    'PsSetCreateProcessNotifyRoutine',
    (routine: () => Generator<Request, void, number>, remove: boolean) =>
      PsSetCreateProcessNotifyRoutine(routine, remove),
    'process-notify routine onEvent',
  ],
  [
    'PsSetCreateProcessNotifyRoutineEx',
    (routine: () => Generator<Request, void, number>, remove: boolean) =>
      PsSetCreateProcessNotifyRoutineEx(routine, remove),
    'process-notify routine onEvent',
  ],
  [
    'PsRemoveLoadImageNotifyRoutine',
    (routine: () => Generator<Request, void, number>, remove: boolean) =>
      remove ? PsRemoveLoadImageNotifyRoutine(routine) : PsSetLoadImageNotifyRoutine(routine),
    'load-image-notify routine onEvent',
  ],
])('%s', (_name, change, what) => {
  /** A process of one thread, which ends at once. */
  const spawnProcess = (machine: Machine, name: string) =>
    processManager(machine).createProcess({ image: `C:\\${name}.exe`, main: function* () {} });

  test('waits for calls under way on two processors, and none begins after it', async () => {
    const machine = await Machine.create({ processors: 2 });
    const log: string[] = [];
    const event = machine.createEvent('notification');
    const onEvent = function* () {
      log.push('begins');
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      log.push('ends');
    };
    machine.systemProcess.createThread(function* () {
      yield* change(onEvent, false);
    });
    machine.run();
    spawnProcess(machine, 'a');
    spawnProcess(machine, 'b');
    machine.run();
    machine.systemProcess.createThread(function* () {
      log.push(`removed ${yield* change(onEvent, true)}`);
    });
    machine.run();
    log.push('the event is set');
    event.set();
    machine.run();
    expect(log).toEqual(['begins', 'begins', 'the event is set', 'ends', 'ends', 'removed 0']);
  });

  test('inside the routine itself waits for ever, and is told of by name', async () => {
    const machine = await Machine.create();
    const onEvent = function* (): Generator<Request, void, number> {
      yield* change(onEvent, true);
    };
    machine.systemProcess.createThread(function* () {
      yield* change(onEvent, false);
    });
    machine.run();
    spawnProcess(machine, 'a');
    expect(machine.run()).toMatchObject({
      reason: 'deadlock',
      circle: [{ waitsFor: `the calls of ${what} under way to return` }],
    });
  });
});

describe('thread-notify routines', () => {
  test('are called in the order of their slots, of which the first free one is taken', async () => {
    const calls: string[] = [];
    const first: CreateThreadNotifyRoutine = (_p, _t, create) =>
      void (create && calls.push('first'));
    const second: CreateThreadNotifyRoutine = (_p, _t, create) =>
      void (create && calls.push('second'));
    const third: CreateThreadNotifyRoutine = (_p, _t, create) =>
      void (create && calls.push('third'));
    await runGuest(function* (_machine, thread) {
      yield* PsSetCreateThreadNotifyRoutine(first);
      yield* PsSetCreateThreadNotifyRoutine(second);
      yield* PsRemoveCreateThreadNotifyRoutine(first);
      yield* PsSetCreateThreadNotifyRoutine(third);
      yield* notify(thread);
    });
    expect(calls).toEqual(['third', 'second']);
  });

  test('run at PASSIVE_LEVEL with normal kernel APCs disabled', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const seen: unknown[] = [];
      yield* PsSetCreateThreadNotifyRoutine(() => {
        seen.push(machine.irql(), KeAreApcsDisabled(), currentGuest('test').thread === thread);
      });
      yield* notify(thread);
      return [...seen, KeAreApcsDisabled()];
    });
    expect(value).toEqual([IRQL.PASSIVE_LEVEL, true, true, false]);
  });

  test('may be generators and block', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const event = machine.createEvent('synchronization', true);
      const statuses: number[] = [];
      yield* PsSetCreateThreadNotifyRoutine(function* (_process, _thread, create) {
        if (!create) return;
        statuses.push(
          yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, -1),
        );
        statuses.push(
          yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, -1),
        );
      });
      yield* notify(thread);
      return statuses;
    });
    expect(value).toEqual([STATUS.SUCCESS, STATUS.TIMEOUT]);
  });

  test('run in two threads at once; PsRemoveCreateThreadNotifyRoutine waits for both', async () => {
    const machine = await Machine.create({ processors: 2 });
    const log: string[] = [];
    const event = machine.createEvent('notification');
    const routine: CreateThreadNotifyRoutine = function* (_process, _thread, create) {
      if (!create) return;
      log.push('begins');
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      log.push('ends');
    };
    const { systemProcess } = machine;
    systemProcess.createThread(function* () {
      yield* PsSetCreateThreadNotifyRoutine(routine);
    });
    machine.run();
    for (const name of ['a', 'b']) {
      const thread: KThread = systemProcess.createThread(
        function* () {
          yield* notify(thread);
        },
        { name },
      );
    }
    machine.run();
    systemProcess.createThread(function* () {
      log.push(`removed ${yield* PsRemoveCreateThreadNotifyRoutine(routine)}`);
    });
    systemProcess.createThread(function* () {
      log.push(`again ${yield* PsRemoveCreateThreadNotifyRoutine(routine)}`);
      yield* KeSetEvent(event, 0, false);
    });
    machine.run();
    expect(log).toEqual([
      'begins',
      'begins',
      `again ${STATUS.PROCEDURE_NOT_FOUND}`,
      'ends',
      'ends',
      'removed 0',
    ]);
  });

  test('that remove themselves wait for ever, and are told of by name', async () => {
    const machine = await Machine.create();
    const onThread: CreateThreadNotifyRoutine = function* () {
      yield* PsRemoveCreateThreadNotifyRoutine(onThread);
    };
    const thread: KThread = machine.systemProcess.createThread(
      function* () {
        yield* PsSetCreateThreadNotifyRoutine(onThread);
        yield* notify(thread);
      },
      { name: 'caller' },
    );
    expect(machine.run()).toMatchObject({
      reason: 'deadlock',
      circle: [
        {
          thread: 'caller',
          waitsFor: 'the calls of thread-notify routine onThread under way to return',
          ownedBy: 'caller',
        },
      ],
    });
  });

  test('that return at another IRQL are bugcheck IRQL_UNEXPECTED_VALUE', async () => {
    const machine = await Machine.create();
    const thread: KThread = machine.systemProcess.createThread(function* () {
      yield* PsSetCreateThreadNotifyRoutine(function leaks() {
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      });
      yield* notify(thread);
    });
    expect(machine.run()).toMatchObject({
      code: BUGCHECK.IRQL_UNEXPECTED_VALUE,
      parameters: [0x20000n, 0n, 0n, 0n],
      cause: { message: 'thread-notify routine leaks returned at IRQL 2; it was called at 0' },
    });
  });

  test('that stay in a critical region are bugcheck APC_INDEX_MISMATCH', async () => {
    const machine = await Machine.create();
    const thread: KThread = machine.systemProcess.createThread(function* () {
      yield* PsSetCreateThreadNotifyRoutine(function leaks() {
        KeEnterCriticalRegion();
      });
      yield* notify(thread);
    });
    expect(machine.run()).toMatchObject({
      code: BUGCHECK.APC_INDEX_MISMATCH,
      parameters: [0n, 0n, 0xfffen, 0n],
    });
  });

  test('that are NULL are bugcheck KMODE_EXCEPTION_NOT_HANDLED when they are called', async () => {
    const machine = await Machine.create();
    const thread: KThread = machine.systemProcess.createThread(function* () {
      yield* PsSetCreateThreadNotifyRoutine(null);
      yield* notify(thread);
    });
    expect(machine.run()).toMatchObject({
      code: BUGCHECK.KMODE_EXCEPTION_NOT_HANDLED,
      parameters: [BigInt(STATUS.ACCESS_VIOLATION), 0n, 0n, 0n],
    });
  });
});

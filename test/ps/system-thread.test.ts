import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeAreApcsDisabled, KeEnterCriticalRegion, KeRaiseIrql } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { IoObject } from '../../src/machine/driver';
import { currentGuest, NtStatusError } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { KEvent, KProcess, KThread } from '../../src/machine/views';
import { OBJ } from '../../src/ob/attributes';
import {
  ObIsKernelHandle,
  ObOpenObjectByPointer,
  ObReferenceObjectByHandle,
  ZwClose,
} from '../../src/ob/handle';
import { ObDereferenceObject } from '../../src/ob/reference';
import { PsProcessType, PsThreadType } from '../../src/ob/types';
import { ZwTerminateProcess } from '../../src/ps/control-services';
import {
  IoCreateSystemThread,
  IoIsSystemThread,
  PsCreateSystemThread,
  PsIsSystemThread,
  PsTerminateSystemThread,
  type StartRoutine,
} from '../../src/ps/system-thread';
import { runGuest } from '../ke/guest';

const wait = (thread: KThread | KEvent) =>
  KeWaitForSingleObject(thread, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
const create = (routine: StartRoutine, context: unknown = null) =>
  PsCreateSystemThread(0, null, null, routine, context);

const open = (process: KProcess) =>
  ObOpenObjectByPointer(process, OBJ.KERNEL_HANDLE, null, 0, PsProcessType, MODE.KernelMode);

describe('PsCreateSystemThread', () => {
  test('gives a handle of the kernel, and the thread is gone when it has ended and that is closed', async () => {
    const { value } = await runGuest(function* () {
      const { handle, thread } = yield* create(() => undefined);
      const { status, object } = yield* ObReferenceObjectByHandle(
        handle,
        0,
        PsThreadType,
        MODE.KernelMode,
      );
      const found = [ObIsKernelHandle(handle), status, object === thread];
      yield* ZwClose(handle);
      yield* wait(thread as KThread);
      const before = thread?.exists;
      yield* ObDereferenceObject(thread as KThread);
      return [...found, before, thread?.exists];
    });
    expect(value).toEqual([true, STATUS.SUCCESS, true, true, false]);
  });

  test('of what is no process is a status', async () => {
    const { value } = await runGuest(function* () {
      const { handle } = yield* create(() => undefined);
      const statuses: number[] = [];
      for (const process of [handle, 0x123450]) {
        statuses.push(
          (yield* PsCreateSystemThread(0, null, process, () => undefined, null)).status,
        );
      }
      const attributes = { Attributes: OBJ.PERMANENT };
      const refused = yield* PsCreateSystemThread(0, attributes, null, () => undefined, null);
      return [...statuses, refused.status, refused.handle];
    });
    expect(value).toEqual([
      STATUS.OBJECT_TYPE_MISMATCH,
      STATUS.INVALID_HANDLE,
      STATUS.INVALID_PARAMETER,
      0,
    ]);
  });

  test('starts a thread of the System process at PASSIVE_LEVEL, in a critical region', async () => {
    const { machine, value } = await runGuest(function* () {
      const seen: unknown[] = [];
      const { status, thread, clientId } = yield* create((context) => {
        const { machine, thread } = currentGuest('test');
        seen.push(context, machine.irql(), thread.kernelApcDisable, KeAreApcsDisabled());
        seen.push(thread.basePriority, thread.process === machine.systemProcess, thread.name);
      }, 'context');
      yield* wait(thread as KThread);
      return [status, clientId, thread?.exitStatus, ...seen];
    });
    const third = machine.thread(3);
    expect(value).toEqual([
      STATUS.SUCCESS,
      { UniqueProcess: 4, UniqueThread: 24 },
      STATUS.SUCCESS,
      'context',
      IRQL.PASSIVE_LEVEL,
      -1,
      true,
      8,
      true,
      'system thread',
    ]);
    expect(third?.state).toBe(KTHREAD_STATE.Terminated);
  });

  test('names the thread after its routine', async () => {
    const { value } = await runGuest(function* () {
      const { thread } = yield* create(function flusher() {});
      return thread?.name;
    });
    expect(value).toBe('flusher');
  });

  test('starts it in another process if it is given one', async () => {
    const { value } = await runGuest(function* (machine) {
      const process = machine.createProcess();
      const { handle } = yield* open(process);
      const { thread } = yield* PsCreateSystemThread(0, null, handle, () => undefined, null);
      return [thread?.process === process, PsIsSystemThread(thread as KThread)];
    });
    expect(value).toEqual([true, true]);
  });

  test('in a process that is being terminated is STATUS_PROCESS_IS_TERMINATING', async () => {
    const { value } = await runGuest(function* (machine) {
      const process = machine.createProcess();
      const event = machine.createEvent('notification');
      process.createThread(function* () {
        yield* wait(event);
      });
      const { handle } = yield* open(process);
      yield* ZwTerminateProcess(handle, 0);
      const { status } = yield* PsCreateSystemThread(0, null, handle, () => undefined, null);
      event.set();
      return [process.exited, status];
    });
    expect(value).toEqual([false, STATUS.PROCESS_IS_TERMINATING]);
  });

  test('in a process whose threads have ended is STATUS_PROCESS_IS_TERMINATING', async () => {
    const { value } = await runGuest(function* (machine) {
      const process = machine.createProcess();
      yield* wait(process.createThread(function* () {}));
      const { handle } = yield* open(process);
      return (yield* PsCreateSystemThread(0, null, handle, () => undefined, null)).status;
    });
    expect(value).toBe(STATUS.PROCESS_IS_TERMINATING);
  });

  test('without room for a thread is STATUS_INSUFFICIENT_RESOURCES', async () => {
    const { value } = await runGuest(
      function* () {
        const statuses: number[] = [];
        const routine = () => KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
        for (let count = 0; count < 3; count++) {
          statuses.push(
            (yield* create(function* () {
              yield* routine();
            })).status,
          );
        }
        return statuses;
      },
      { capacities: { threads: 4 } },
    );
    expect(value).toEqual([STATUS.SUCCESS, STATUS.SUCCESS, STATUS.INSUFFICIENT_RESOURCES]);
  });

  test('needs PASSIVE_LEVEL', async () => {
    await expect(
      runGuest(function* () {
        KeRaiseIrql(IRQL.APC_LEVEL);
        yield* create(() => undefined);
      }),
    ).rejects.toThrow('PsCreateSystemThread was called at APC_LEVEL (1); it needs PASSIVE_LEVEL');
  });

  test('a thread that enters a region and does not leave it ends in a bugcheck', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      yield* create(() => KeEnterCriticalRegion());
    });
    expect(machine.run()).toMatchObject({ code: 0x20, parameters: [0n, 0xffffn, 0n, 0n] });
  });

  test('what its routine throws is SYSTEM_THREAD_EXCEPTION_NOT_HANDLED', async () => {
    const machine = await Machine.create();
    const cause = new NtStatusError(STATUS.INSUFFICIENT_RESOURCES);
    machine.systemProcess.createThread(function* () {
      yield* create(function allocate() {
        throw cause;
      });
    });
    expect(machine.run()).toMatchObject({
      code: 0x7e,
      parameters: [0xc000009an, 0n, 0n, 0n],
      cause,
      thread: 'allocate',
      stack: ['allocate', 'PspSystemThreadStartup'],
    });
  });
});

describe('PsTerminateSystemThread', () => {
  test('ends the thread with a status, and does not return', async () => {
    const { value } = await runGuest(function* () {
      let returned = false;
      const { thread } = yield* create(function* () {
        yield* PsTerminateSystemThread(STATUS.UNSUCCESSFUL);
        returned = true;
      });
      yield* wait(thread as KThread);
      return [thread?.exitStatus, returned];
    });
    expect(value).toEqual([STATUS.UNSUCCESSFUL, false]);
  });

  test('is refused to a thread that has a user mode', async () => {
    const machine = await Machine.create();
    const statuses: number[] = [];
    const thread = machine.createProcess().createThread(
      function* () {
        statuses.push(yield* PsTerminateSystemThread(0));
      },
      { userMode: true },
    );
    machine.run();
    expect([statuses, IoIsSystemThread(thread)]).toEqual([[STATUS.INVALID_PARAMETER], false]);
  });
});

describe('IoCreateSystemThread', () => {
  class Referenced extends IoObject {
    released = false;

    constructor(readonly machine: Machine) {
      super();
    }

    protected override release(): void {
      this.released = true;
    }
  }

  test('refers to its object until the thread ends', async () => {
    const { value } = await runGuest(function* (machine) {
      const object = new Referenced(machine);
      const { status, thread } = yield* IoCreateSystemThread(
        object,
        0,
        null,
        null,
        function* () {
          yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
          yield* PsTerminateSystemThread(7);
        },
        null,
      );
      const during = object.pointerCount;
      object.dereference();
      const before = object.released;
      yield* wait(thread as KThread);
      return [status, during, before, object.released, thread?.exitStatus];
    });
    expect(value).toEqual([STATUS.SUCCESS, 2, false, true, 7]);
  });
});

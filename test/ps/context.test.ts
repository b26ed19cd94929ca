import { expect, test } from 'vitest';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeReleaseMutex } from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { CpuPort, NtStatusError } from '../../src/machine/guest';
import { encode } from '../../src/machine/instruction';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { EVENT_TYPE, NtCreateEvent } from '../../src/ob/services/event';
import { PsThreadType } from '../../src/ob/types';
import { PROCESS_ACCESS, THREAD_ACCESS } from '../../src/ps/access';
import { CONTEXT, threadRegisters } from '../../src/ps/context';
import {
  NtGetContextThread,
  NtSetContextThread,
  PsGetContextThread,
  PsSetContextThread,
} from '../../src/ps/context-services';
import { NtResumeThread, NtSuspendThread, NtTerminateThread } from '../../src/ps/control-services';
import {
  NtCreateThreadEx,
  NtCreateUserProcess,
  THREAD_CREATE_FLAGS,
} from '../../src/ps/create-services';
import { PsGetCurrentThreadTeb } from '../../src/ps/identity';
import { PsIsSystemThread } from '../../src/ps/system-thread';
import { runUser } from './user';

const SELF = -2;
const ALL = PROCESS_ACCESS.ALL_ACCESS;
const CONTROL = CONTEXT.AMD64 | CONTEXT.CONTROL;
const REQUEST = CONTROL | CONTEXT.EXCEPTION_REQUEST;
const REPORTING = 0xc010_0001;
const IN_SERVICE = 0xd010_0001;

function* flagsOf(handle: number, ContextFlags: number) {
  const { status, threadContext } = yield* NtGetContextThread(handle, { ContextFlags });
  return status === STATUS.SUCCESS ? threadContext?.ContextFlags : status;
}

function* start(body: () => Generator<readonly number[], void, number>, flags = 0) {
  return (yield* NtCreateThreadEx(ALL, null, -1, body, 0, flags, 0, 0, 0, null)).threadHandle;
}

const pause = () => KeDelayExecutionThread(MODE.UserMode, false, -10_000);
const compute = [encode(OP.Compute, MODE.UserMode), 1e6, 0];

test('ps.context-001: NtGetContextThread tells that the current thread is in a service, if it is asked', async () => {
  const { seen } = await runUser(function* (_, note, thread) {
    const own = yield* ObOpenObjectByPointer(thread, 0, null, ALL, PsThreadType, MODE.KernelMode);
    note(yield* flagsOf(SELF, CONTROL));
    note(yield* flagsOf(SELF, REQUEST));
    note(yield* flagsOf(own.handle, REQUEST));
    const stale = CONTEXT.SERVICE_ACTIVE | CONTEXT.EXCEPTION_ACTIVE;
    note(yield* flagsOf(SELF, REQUEST | stale));
  });
  expect(seen).toEqual([CONTROL, IN_SERVICE, IN_SERVICE, IN_SERVICE]);
});

test('ps.context-003: a thread that is suspended while it runs in user mode is in no service, whatever is set', async () => {
  const { seen } = await runUser(function* (_, note) {
    const handle = yield* start(function* () {
      for (let count = 0; count < 50; count++) yield compute;
    });
    yield* pause();
    note((yield* NtSuspendThread(handle)).status);
    yield* pause();
    note(yield* flagsOf(handle, REQUEST));
    const { threadContext } = yield* NtGetContextThread(handle, { ContextFlags: REQUEST });
    note(
      yield* NtSetContextThread(handle, {
        ...threadContext,
        ContextFlags: REQUEST | CONTEXT.EXCEPTION_REPORTING | CONTEXT.SERVICE_ACTIVE,
      }),
    );
    note(yield* flagsOf(handle, REQUEST));
    yield* NtTerminateThread(handle, 0);
  });
  expect(seen).toEqual([STATUS.SUCCESS, REPORTING, STATUS.SUCCESS, REPORTING]);
});

test('ps.context-004: the context of a waiting thread can be had and set, and says that it is in a service', async () => {
  const { seen } = await runUser(function* (_, note) {
    const event = yield* NtCreateEvent(0x1f0003, null, EVENT_TYPE.NotificationEvent, false);
    const handle = yield* start(function* () {
      yield* NtWaitForSingleObject(event.handle, false, null);
    });
    yield* pause();
    note(yield* flagsOf(handle, REQUEST));
    const { threadContext } = yield* NtGetContextThread(handle, { ContextFlags: CONTROL });
    const changed = { ContextFlags: CONTROL, ...threadContext, Rip: 0x1234n };
    note(yield* NtSetContextThread(handle, changed));
    note(yield* flagsOf(handle, REQUEST));
    note((yield* NtGetContextThread(handle, { ContextFlags: CONTROL })).threadContext?.Rip);
    yield* NtSuspendThread(handle);
    yield* pause();
    note(yield* flagsOf(handle, REQUEST));
    yield* NtTerminateThread(handle, 0);
  });
  expect(seen).toEqual([IN_SERVICE, STATUS.SUCCESS, IN_SERVICE, 0x1234n, IN_SERVICE]);
});

test('ps.context-005: a thread in a handler of user mode for what a service raised is in no service', async () => {
  const { seen } = await runUser(function* (machine, note) {
    const handle = yield* start(function* () {
      try {
        yield* KeReleaseMutex(machine.createMutex(), false);
      } catch (raised) {
        note((raised as NtStatusError).status);
        for (let count = 0; count < 50; count++) yield compute;
      }
    });
    yield* pause();
    yield* NtSuspendThread(handle);
    yield* pause();
    note(yield* flagsOf(handle, REQUEST));
    yield* NtTerminateThread(handle, 0);
  });
  expect(seen).toEqual([STATUS.MUTANT_NOT_OWNED, REPORTING]);
});

test('ps.thread-023: a suspended initial thread starts with the context that was set', async () => {
  const seen: unknown[] = [];
  const port: CpuPort = {
    run(thread) {
      const { Rip, Rsp, Rcx, Rdx, EFlags, SegCs } = threadRegisters(thread);
      seen.push({ Rip, Rsp, Rcx, Rdx, EFlags, SegCs });
      return { usedNs: 1, reason: 'halt', status: 0 };
    },
  };
  await runUser(function* () {
    const flags = THREAD_CREATE_FLAGS.CREATE_SUSPENDED;
    const made = yield* NtCreateUserProcess(ALL, ALL, null, null, 0, flags, null, {
      imageName: 'C:\\child.exe',
      main: port,
    });
    const handle = made.threadHandle;
    const all = CONTROL | CONTEXT.INTEGER;
    const { threadContext } = yield* NtGetContextThread(handle, { ContextFlags: all });
    seen.push([threadContext?.Rip, threadContext?.Rcx, threadContext?.Rdx]);
    const context = { ContextFlags: all, Rip: 0x1000n, Rsp: 0x8000n, Rcx: 1n, Rdx: 2n };
    seen.push(
      yield* NtSetContextThread(handle, { ...context, EFlags: 0xffff_ffffn, SegCs: 0x10n }),
    );
    seen.push((yield* NtResumeThread(handle)).previousSuspendCount);
  });
  expect(seen).toEqual([
    [0x7ffa_0005_2650n, 0x7ff6_0600_1000n, 0x7f_a000_3000n],
    STATUS.SUCCESS,
    1,
    { Rip: 0x1000n, Rsp: 0x8000n, Rcx: 1n, Rdx: 2n, EFlags: 0x24_0fd7n, SegCs: 0x33n },
  ]);
});

test('NtGetContextThread says what is wrong with the context, the thread or the handle', async () => {
  const { seen } = await runUser(function* (machine, note, thread) {
    const open = (object: typeof thread, access: number) =>
      ObOpenObjectByPointer(object, 0, null, access, PsThreadType, MODE.KernelMode);
    const limited = yield* open(thread, THREAD_ACCESS.SET_CONTEXT);
    const [system] = machine.systemProcess.threads();
    const ended = yield* start(function* () {});
    yield* pause();
    note((yield* NtGetContextThread(SELF, { address: 0x10 })).status);
    note(yield* NtSetContextThread(SELF, { address: 0x18 }));
    note((yield* NtGetContextThread(limited.handle, { ContextFlags: CONTROL })).status);
    note((yield* NtGetContextThread(-1, { ContextFlags: CONTROL })).status);
    note(yield* flagsOf((yield* open(system ?? thread, ALL)).handle, CONTROL));
    note(yield* flagsOf(ended, CONTROL));
    note(yield* NtGetContextThread(SELF, { ContextFlags: CONTEXT.CONTROL }));
  });
  expect(seen).toEqual([
    STATUS.ACCESS_VIOLATION,
    STATUS.DATATYPE_MISALIGNMENT,
    STATUS.ACCESS_DENIED,
    STATUS.OBJECT_TYPE_MISMATCH,
    STATUS.INVALID_HANDLE,
    STATUS.UNSUCCESSFUL,
    { status: STATUS.SUCCESS, threadContext: { ContextFlags: CONTEXT.CONTROL } },
  ]);
});

test('PsSetContextThread and PsGetContextThread take the thread itself; a new thread’s registers have its argument', async () => {
  const { seen } = await runUser(function* (machine, note, thread) {
    const ContextFlags = CONTEXT.AMD64 | CONTEXT.DEBUG_REGISTERS;
    note(yield* PsSetContextThread(thread, { ContextFlags, Dr0: 5n }, MODE.KernelMode));
    const { threadContext } = yield* PsGetContextThread(thread, { ContextFlags }, MODE.KernelMode);
    note([threadContext?.Dr0, threadContext?.Rip]);
    const body = function* () {};
    yield* NtCreateThreadEx(ALL, null, -1, body, 77, 1, 0, 0, 0, null);
    const [, made] = thread.process.threads();
    note(threadRegisters(made ?? thread).Rdx);
    note(threadRegisters(machine.systemProcess.threads()[0] ?? thread).Rip);
    made?.terminate();
  });
  expect(seen).toEqual([STATUS.SUCCESS, [5n, undefined], 77n, 0n]);
});

test('a thread of user mode is no system thread, and keeps its TEB, in what is in front of it', async () => {
  const { seen } = await runUser(function* (machine, note, thread) {
    const apc = machine.createApc(thread, {
      *kernelRoutine(own) {
        note([PsIsSystemThread(thread), PsGetCurrentThreadTeb() !== 0]);
        own.delete();
        yield* KeDelayExecutionThread(MODE.KernelMode, false, 0);
      },
    });
    apc.insert();
    yield* pause();
  });
  expect(seen).toEqual([[false, true]]);
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE, KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import {
  NtCreateIoCompletion,
  NtRemoveIoCompletionEx,
  NtSetIoCompletion,
} from '../../src/io/completion';
import { KeWaitForMultipleObjects } from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { program } from '../../src/machine/program';
import type { KThread } from '../../src/machine/views';
import type { Handle } from '../../src/ob/attributes';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { PsThreadType } from '../../src/ob/types';
import {
  MEMORY_RESERVE_TYPE,
  NtAlertMultipleThreadByThreadId,
  NtAlertThread,
  NtAlertThreadByThreadId,
  NtAllocateReserveObject,
  NtCallbackReturn,
  NtContinue,
  NtDelayExecution,
  NtQueueApcThread,
  NtQueueApcThreadEx,
  NtTestAlert,
  NtWaitForAlertByThreadId,
} from '../../src/ps/apc-services';
import { threadIdOf } from '../../src/ps/cid';
import { runUser } from './user';

const SELF = -2;
const ZERO = 0;

/** A handle of the current process to a thread, with every right. */
function* open(thread: KThread) {
  const { handle } = yield* ObOpenObjectByPointer(thread, 0, null, 0x1fffff, PsThreadType, 0);
  return handle as Handle;
}

describe('NtQueueApcThread', () => {
  test('ke.apc-018: the routine runs once, in the next alertable delay, with the three arguments', async () => {
    const { seen, machine } = await runUser(function* (_, note) {
      const routine = (...parameters: unknown[]) => note(parameters);
      note(yield* NtQueueApcThread(SELF, routine, 0x1234, 0x5678, 0xdeadbeef));
      note('queued');
      note(yield* NtDelayExecution(true, ZERO));
      note(yield* NtDelayExecution(true, ZERO));
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      'queued',
      [0x1234, 0x5678, 0xdeadbeef],
      STATUS.USER_APC,
      STATUS.NO_YIELD_PERFORMED,
    ]);
    expect(machine.values.size).toBe(0);
  });

  test('ke.apc-025: a thread that has been terminated before it ran gets none, with a routine or without; a bad handle is STATUS_INVALID_HANDLE', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const code = machine.loadProgram(program('p', (p) => p.compute(10)));
      const other = machine.createProcess().createThread(code, { start: false });
      other.suspend();
      other.start();
      const handle = yield* open(other);
      other.terminate(0);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
      note(other.state);
      note(yield* NtQueueApcThread(handle, () => undefined, 0, 0, 0));
      note(yield* NtQueueApcThread(handle, null, 0, 0, 0));
      note(yield* NtQueueApcThread(0xdeb0, () => undefined, 0, 0, 0));
    });
    expect(seen).toEqual([
      KTHREAD_STATE.Terminated,
      STATUS.UNSUCCESSFUL,
      STATUS.UNSUCCESSFUL,
      STATUS.INVALID_HANDLE,
    ]);
  });

  test('ke.apc-026: a routine of NULL does not end an alertable delay', async () => {
    const { seen } = await runUser(function* (machine, note) {
      yield* NtQueueApcThread(SELF, () => note('ran'), 0, 0, 0);
      note('queued');
      note(yield* NtDelayExecution(true, -1_000_000));
      note(yield* NtQueueApcThread(SELF, null, 0, 0, 0));
      const before = machine.now;
      note(yield* NtDelayExecution(true, -1_000_000));
      note(machine.now - before >= 100e6);
    });
    expect(seen).toEqual(['queued', 'ran', STATUS.USER_APC, STATUS.SUCCESS, STATUS.SUCCESS, true]);
  });

  test('is STATUS_INVALID_HANDLE for a system thread', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const system = machine.systemProcess.createThread(
        function* () {
          yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
        },
        { start: false },
      );
      note(yield* NtQueueApcThread(yield* open(system), () => undefined, 0, 0, 0));
    });
    expect(seen).toEqual([STATUS.INVALID_HANDLE]);
  });
});

describe('NtQueueApcThreadEx', () => {
  test('ke.apc-013: the callback-data flag is STATUS_INVALID_HANDLE, SPECIAL_USER_APC is success, a thread handle in place of a reserve object STATUS_OBJECT_TYPE_MISMATCH', async () => {
    const { seen } = await runUser(function* (_, note) {
      const routine = () => note('ran');
      note(yield* NtQueueApcThreadEx(SELF, 0x10000, routine, 0, 0, 0));
      note(yield* NtQueueApcThreadEx(SELF, 1, routine, 0, 0, 0));
      note(yield* NtQueueApcThreadEx(SELF, SELF, routine, 0, 0, 0));
    });
    expect(seen).toEqual([
      STATUS.INVALID_HANDLE,
      'ran',
      STATUS.SUCCESS,
      STATUS.OBJECT_TYPE_MISMATCH,
    ]);
  });

  test('ke.apc-014: a reserve object holds one APC at a time; one of completions is STATUS_OBJECT_TYPE_MISMATCH', async () => {
    const { seen } = await runUser(function* (_, note) {
      const routine = () => note('ran');
      const kind = MEMORY_RESERVE_TYPE.MemoryReserveUserApc;
      const { handle: reserve = 0 } = yield* NtAllocateReserveObject(null, kind);
      note(yield* NtQueueApcThreadEx(SELF, reserve, routine, 0, 0, 0));
      note(yield* NtQueueApcThreadEx(SELF, reserve, routine, 0, 0, 0));
      note(yield* NtDelayExecution(true, ZERO));
      note(yield* NtQueueApcThreadEx(SELF, reserve, routine, 0, 0, 0));
      const { handle: completion = 0 } = yield* NtAllocateReserveObject(
        null,
        MEMORY_RESERVE_TYPE.MemoryReserveIoCompletion,
      );
      note(yield* NtQueueApcThreadEx(SELF, completion, routine, 0, 0, 0));
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.INVALID_PARAMETER_2,
      'ran',
      STATUS.USER_APC,
      STATUS.SUCCESS,
      STATUS.OBJECT_TYPE_MISMATCH,
    ]);
  });
});

describe('NtContinue', () => {
  test('ke.apc-019: with TestAlert the APC runs first, and the thread goes on with the value of the context', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtQueueApcThread(SELF, () => note('ran'), 0, 0, 0));
      note(yield* NtContinue({ Rax: 0xabacab }, true));
    });
    expect(seen).toEqual([STATUS.SUCCESS, 'ran', 0xabacab]);
  });

  test('ke.apc-020: an APC that the routine queues runs in the same alertable delay', async () => {
    const { seen } = await runUser(function* (_, note) {
      const second = () => note('second');
      yield* NtQueueApcThread(
        SELF,
        function* () {
          yield* NtQueueApcThread(SELF, second, 0, 0, 0);
          note('first');
        },
        0,
        0,
        0,
      );
      note(yield* NtDelayExecution(true, ZERO));
    });
    expect(seen).toEqual(['first', 'second', STATUS.USER_APC]);
  });

  test('ke.apc-021: without TestAlert in the routine it waits for the next alertable delay', async () => {
    const { seen } = await runUser(function* (_, note) {
      const second = () => note('second');
      yield* NtQueueApcThread(
        SELF,
        function* () {
          yield* NtQueueApcThread(SELF, second, 0, 0, 0);
          note('first');
          yield* NtContinue(null, false);
        },
        0,
        0,
        0,
      );
      note(yield* NtDelayExecution(true, ZERO));
      note(yield* NtDelayExecution(true, ZERO));
    });
    expect(seen).toEqual(['first', STATUS.USER_APC, 'second', STATUS.USER_APC]);
  });
});

describe('NtTestAlert', () => {
  test('ke.apc-027: the APC has run when it returns STATUS_SUCCESS, and does not run again', async () => {
    const { seen } = await runUser(function* (_, note) {
      yield* NtQueueApcThread(SELF, () => note('ran'), 0, 0, 0);
      note(yield* NtTestAlert());
      note(yield* NtTestAlert());
    });
    expect(seen).toEqual(['ran', STATUS.SUCCESS, STATUS.SUCCESS]);
  });

  test('is STATUS_ALERTED after NtAlertThread', async () => {
    const { seen } = await runUser(function* (_, note) {
      note(yield* NtAlertThread(SELF));
      note(yield* NtTestAlert());
      note(yield* NtTestAlert());
    });
    expect(seen).toEqual([STATUS.SUCCESS, STATUS.ALERTED, STATUS.SUCCESS]);
  });
});

describe('NtWaitForAlertByThreadId', () => {
  test('ke.alert-001: an alert is a flag, and the address is not looked at; ids that are none are STATUS_INVALID_CID', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      note(yield* NtWaitForAlertByThreadId(0x1234, ZERO));
      note(yield* NtAlertThreadByThreadId(0));
      note(yield* NtAlertThreadByThreadId(0xdeadbeef));
      note(yield* NtAlertThreadByThreadId(threadIdOf(thread)));
      note(yield* NtAlertThreadByThreadId(threadIdOf(thread)));
      note(yield* NtWaitForAlertByThreadId(0x123, ZERO));
      note(yield* NtWaitForAlertByThreadId(0x321, ZERO));
    });
    expect(seen).toEqual([
      STATUS.TIMEOUT,
      STATUS.INVALID_CID,
      STATUS.INVALID_CID,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.ALERTED,
      STATUS.TIMEOUT,
    ]);
  });

  test('ke.alert-002: threads alert each other; an ended one whose handle is open can be alerted', async () => {
    const { seen } = await runUser(function* (machine, note, a) {
      const b = a.process.createThread(
        function* () {
          yield* NtAlertThreadByThreadId(threadIdOf(a));
          note(['B', yield* NtWaitForAlertByThreadId(null, null)]);
        },
        { userMode: true },
      );
      note(['A', yield* NtWaitForAlertByThreadId(null, -10_000_000)]);
      note(yield* NtAlertThreadByThreadId(threadIdOf(b)));
      yield* NtDelayExecution(false, -10_000);
      note(b.state);
      note(yield* NtAlertThreadByThreadId(threadIdOf(b)));
      note(machine.now < 1e9);
    });
    expect(seen).toEqual([
      ['A', STATUS.ALERTED],
      STATUS.SUCCESS,
      ['B', STATUS.ALERTED],
      KTHREAD_STATE.Terminated,
      STATUS.SUCCESS,
      true,
    ]);
  });

  test('ke.alert-004: NtAlertMultipleThreadByThreadId looks at all ids before it alerts one', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      const self = threadIdOf(thread);
      note(yield* NtAlertMultipleThreadByThreadId(null, 0));
      note(yield* NtAlertMultipleThreadByThreadId(null, 1));
      note(yield* NtAlertMultipleThreadByThreadId([self, 0xdeadbeef], 2));
      note(yield* NtWaitForAlertByThreadId(null, ZERO));
      note(yield* NtAlertMultipleThreadByThreadId([self, self], 2));
      note(yield* NtWaitForAlertByThreadId(null, ZERO));
      note(yield* NtWaitForAlertByThreadId(null, ZERO));
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.ACCESS_VIOLATION,
      STATUS.INVALID_CID,
      STATUS.TIMEOUT,
      STATUS.SUCCESS,
      STATUS.ALERTED,
      STATUS.TIMEOUT,
    ]);
  });
});

test('ke.wait-018: an APC that signals what the wait waits for still ends it with STATUS_USER_APC, and the signal is there for the next', async () => {
  const { seen } = await runUser(function* (machine, note) {
    const semaphore = machine.createSemaphore(0);
    const waitForAll = (timeout100ns: number) =>
      KeWaitForMultipleObjects(
        [semaphore],
        WAIT_TYPE.WaitAll,
        KWAIT_REASON.UserRequest,
        MODE.UserMode,
        true,
        timeout100ns,
        null,
      );
    const release = () => void semaphore.release(1);
    yield* NtQueueApcThread(SELF, release, 0, 0, 0);
    note(yield* waitForAll(-10_000_000));
    note(semaphore.signalState);
    note(yield* waitForAll(-2_000_000));
    note(semaphore.signalState);
  });
  expect(seen).toEqual([STATUS.USER_APC, 1, STATUS.WAIT_0, 0]);
});

describe('NtRemoveIoCompletionEx', () => {
  test('ke.queue-006: a packet that is there is taken before an APC runs', async () => {
    const { seen } = await runUser(function* (_, note) {
      const { handle = 0 } = yield* NtCreateIoCompletion(0x1f0003, null, 0);
      note(yield* NtSetIoCompletion(handle, 1, 2, 3, 4));
      note((yield* NtRemoveIoCompletionEx(handle, 2, ZERO, false)).packets);
      yield* NtSetIoCompletion(handle, 5, 6, 7, 8);
      yield* NtQueueApcThread(SELF, () => note('ran'), 0, 0, 0);
      const { status, packets } = yield* NtRemoveIoCompletionEx(handle, 2, ZERO, true);
      note([status, packets.length]);
      note(yield* NtDelayExecution(true, ZERO));
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      [{ keyContext: 1, apcContext: 2, ioStatus: { status: 3, information: 4 } }],
      [STATUS.SUCCESS, 1],
      'ran',
      STATUS.USER_APC,
    ]);
  });

  test('ke.queue-011: on an empty port an APC ends an alertable wait, and no other', async () => {
    const { seen } = await runUser(function* (_, note) {
      const { handle = 0 } = yield* NtCreateIoCompletion(0x1f0003, null, 0);
      yield* NtQueueApcThread(SELF, () => note('ran'), 0, 0, 0);
      note((yield* NtRemoveIoCompletionEx(handle, 2, ZERO, false)).status);
      note((yield* NtRemoveIoCompletionEx(handle, 2, ZERO, true)).status);
    });
    expect(seen).toEqual([STATUS.TIMEOUT, 'ran', STATUS.USER_APC]);
  });
});

test('ke.misc-005: NtCallbackReturn without a callback is STATUS_NO_CALLBACK_ACTIVE', async () => {
  const { seen } = await runUser(function* (_, note) {
    note(yield* NtCallbackReturn());
  });
  expect(seen).toEqual([STATUS.NO_CALLBACK_ACTIVE]);
});

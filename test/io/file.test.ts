import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import {
  type FileDevice,
  type FileMode,
  type IoRequest,
  type IoStatusBlock,
  NtCancelIoFile,
  NtCreateFile,
  NtFsControlFile,
} from '../../src/io/file';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { Machine } from '../../src/machine/machine';
import { NtClose } from '../../src/ob/handle';
import { NtCreateEvent, NtQueryEvent } from '../../src/ob/services/event';
import { NtDelayExecution, NtQueueApcThread } from '../../src/ps/apc-services';
import { runUser } from '../ps/user';

const SELF = -2;
const LISTEN = 0x110008;

/** A device whose requests stay pending until somebody completes them. */
function listener(): FileDevice & { readonly requests: IoRequest[] } {
  const requests: IoRequest[] = [];
  return {
    requests,
    fsControl(request) {
      requests.push(request);
      return STATUS.PENDING;
    },
  };
}

function* openBoth(device: FileDevice, mode: FileMode) {
  const { handle: file = 0 } = yield* NtCreateFile(0x1f01ff, null, device, mode);
  const { handle: event = 0 } = yield* NtCreateEvent(0x1f0003, null, 0, false);
  return { file, event };
}

function later(machine: Machine, action: () => Generator<readonly number[], void, number>): void {
  machine.systemProcess.createThread(function* () {
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -500_000);
    yield* action();
  });
}

describe('NtFsControlFile', () => {
  test('ke.wait-008: on a file of alertable waits a user-mode APC that was queued before cancels the request', async () => {
    const { seen } = await runUser(function* (_, note) {
      const { file, event } = yield* openBoth(listener(), 'synchronousAlert');
      const block: IoStatusBlock = {};
      yield* NtQueueApcThread(SELF, () => note('user APC'), 0, 0, 0);
      const completion = () => note('completion APC');
      note(yield* NtFsControlFile(file, event, completion, 0, block, LISTEN));
      note(block.status);
    });
    expect(seen).toEqual(['user APC', STATUS.CANCELLED, STATUS.CANCELLED]);
  });

  test('ke.wait-009: so does one that another thread queues while the request waits', async () => {
    const { seen } = await runUser(function* (machine, note, thread) {
      const { file, event } = yield* openBoth(listener(), 'synchronousAlert');
      const block: IoStatusBlock = {};
      const apc = machine.createApc(thread, {
        mode: MODE.UserMode,
        normalRoutine: () => note('user APC'),
      });
      later(machine, function* () {
        apc.insert();
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -1);
      });
      const completion = () => note('completion APC');
      note(yield* NtFsControlFile(file, event, completion, 0, block, LISTEN));
    });
    expect(seen).toEqual(['user APC', STATUS.CANCELLED]);
  });

  test('ke.wait-010: on a file of other waits it goes on until the request is complete, and both APCs run in the next alertable delay', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const device = listener();
      const { file, event } = yield* openBoth(device, 'synchronousNonalert');
      const block: IoStatusBlock = {};
      yield* NtQueueApcThread(SELF, () => note('user APC'), 0, 0, 0);
      later(machine, function* () {
        yield* device.requests[0]?.complete(STATUS.SUCCESS, 5) ?? [];
      });
      const completion = () => note('completion APC');
      note(yield* NtFsControlFile(file, event, completion, 0, block, LISTEN));
      note([block.information, (yield* NtQueryEvent(event, 0, 8)).EventState]);
      note(yield* NtDelayExecution(true, 0));
    });
    expect(seen).toEqual([STATUS.SUCCESS, [5, 1], 'user APC', 'completion APC', STATUS.USER_APC]);
  });
});

describe('NtCancelIoFile', () => {
  test('ke.apc-023: status block and event are there when it returns; the completion APC runs in an alertable delay', async () => {
    const { seen, machine } = await runUser(function* (_, note) {
      const { file, event } = yield* openBoth(listener(), 'asynchronous');
      const block: IoStatusBlock = {};
      const cancelled: IoStatusBlock = {};
      const completion = () => note('completion APC');
      note(yield* NtFsControlFile(file, event, completion, 0, block, LISTEN));
      note(yield* NtCancelIoFile(file, cancelled));
      note([{ ...cancelled }, block.status, (yield* NtQueryEvent(event, 0, 8)).EventState]);
      note(yield* NtDelayExecution(true, 0));
      note(yield* NtCancelIoFile(file, cancelled));
      yield* NtClose(file);
      yield* NtClose(event);
    });
    expect(seen).toEqual([
      STATUS.PENDING,
      STATUS.SUCCESS,
      [{ status: 0, information: 0 }, STATUS.CANCELLED, 1],
      'completion APC',
      STATUS.USER_APC,
      STATUS.SUCCESS,
    ]);
    expect(machine.values.size).toBe(0);
  });
});

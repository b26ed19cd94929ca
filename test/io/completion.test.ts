import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import {
  IO_COMPLETION,
  NtCreateIoCompletion,
  NtQueryIoCompletion,
  NtRemoveIoCompletion,
  NtRemoveIoCompletionEx,
  NtSetIoCompletion,
} from '../../src/io/completion';
import type { KThread } from '../../src/machine/views';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { NtDelayExecution } from '../../src/ps/apc-services';
import { runUser, type UserBody } from '../ps/user';

const BASIC = 0;

function* port() {
  return (yield* NtCreateIoCompletion(IO_COMPLETION.ALL_ACCESS | 0x100000, null, 0)).handle;
}

/** What a body noted that is given a port with the packets P1 and P2. */
async function withTwo(
  body: (port: number, note: Parameters<UserBody>[1]) => ReturnType<UserBody>,
) {
  const { seen } = await runUser(function* (_, note) {
    const handle = yield* port();
    yield* NtSetIoCompletion(handle, 'P1', 1, STATUS.SUCCESS, 10);
    yield* NtSetIoCompletion(handle, 'P2', 2, STATUS.SUCCESS, 20);
    yield* body(handle, note);
  });
  return seen;
}

const P1 = { keyContext: 'P1', apcContext: 1, ioStatus: { status: 0, information: 10 } };
const P2 = { keyContext: 'P2', apcContext: 2, ioStatus: { status: 0, information: 20 } };

describe('an I/O completion port', () => {
  test('ke.queue-007: NtRemoveIoCompletion of an empty one times out, and gives a packet as NtSetIoCompletion put it in', async () => {
    const { seen } = await runUser(function* (_, note) {
      const handle = yield* port();
      note(yield* NtRemoveIoCompletion(handle, 0));
      note(yield* NtSetIoCompletion(handle, 'key', 'value', 0xc0000010, 7));
      note((yield* NtQueryIoCompletion(handle, BASIC, 4)).depth);
      note(yield* NtRemoveIoCompletion(handle, 0));
      note((yield* NtQueryIoCompletion(handle, BASIC, 4)).depth);
    });
    const ioStatus = { status: 0xc0000010, information: 7 };
    expect(seen).toEqual([
      { status: STATUS.TIMEOUT, packets: [] },
      STATUS.SUCCESS,
      1,
      { status: STATUS.SUCCESS, packets: [{ keyContext: 'key', apcContext: 'value', ioStatus }] },
      0,
    ]);
  });

  test('ke.queue-009: NtRemoveIoCompletionEx takes two packets in their order', async () => {
    const seen = await withTwo(function* (handle, note) {
      note(yield* NtRemoveIoCompletionEx(handle, 2, 0, false));
    });
    expect(seen).toEqual([{ status: STATUS.SUCCESS, packets: [P1, P2] }]);
  });

  test('ke.queue-010: NtRemoveIoCompletionEx takes one at a time if one is asked for', async () => {
    const seen = await withTwo(function* (handle, note) {
      note(yield* NtRemoveIoCompletionEx(handle, 1, null, false));
      note(yield* NtRemoveIoCompletionEx(handle, 1, null, false));
    });
    expect(seen).toEqual([
      { status: STATUS.SUCCESS, packets: [P1] },
      { status: STATUS.SUCCESS, packets: [P2] },
    ]);
  });

  /** A second thread of the user's process. */
  const beside = (first: KThread, body: () => Generator<readonly number[], void, number>) =>
    first.process.createThread(body, { userMode: true });

  test('ke.queue-001: a packet wakes all who wait for the handle, and stays', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      const handle = yield* port();
      beside(thread, function* () {
        note(yield* NtWaitForSingleObject(handle, false, null));
      });
      beside(thread, function* () {
        yield* NtDelayExecution(false, -10_000);
        yield* NtSetIoCompletion(handle, 'P1', 1, STATUS.SUCCESS, 10);
      });
      note(yield* NtWaitForSingleObject(handle, false, null));
      yield* NtDelayExecution(false, -10_000);
      note((yield* NtRemoveIoCompletion(handle, 0)).packets);
    });
    expect(seen).toEqual([STATUS.SUCCESS, STATUS.SUCCESS, [P1]]);
  });

  test('ke.queue-001: who removes it gets it alone', async () => {
    const { seen } = await runUser(function* (_, note, thread) {
      const handle = yield* port();
      beside(thread, function* () {
        note((yield* NtRemoveIoCompletion(handle, null)).packets);
      });
      beside(thread, function* () {
        yield* NtDelayExecution(false, -10_000);
        yield* NtSetIoCompletion(handle, 'P1', 1, STATUS.SUCCESS, 10);
      });
      note(yield* NtWaitForSingleObject(handle, false, -1_000_000));
    });
    expect(seen).toEqual([[P1], STATUS.TIMEOUT]);
  });
});

import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { NtYieldExecution } from '../../src/ke/time';
import type { CallHandler } from '../../src/machine/answers';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KThread } from '../../src/machine/views';

/** What host threads yield, and what the embedder's handlers and drivers' routines return. */

async function run(body: () => unknown): Promise<void> {
  const machine = await Machine.create();
  machine.systemProcess.createThread(body as never, { name: 'wrong' });
  machine.run();
}

const YIELDED =
  "only what routines yield means something; write yield* and a routine's call, such as yield* NtYieldExecution()";

test('a host thread that yields what is no request is an error', async () => {
  await expect(
    run(function* () {
      yield 5;
    }),
  ).rejects.toThrow(`thread 'wrong' yielded 5: ${YIELDED}`);
  await expect(
    run(function* () {
      yield [];
    }),
  ).rejects.toThrow(`thread 'wrong' yielded an array of 0: ${YIELDED}`);
  await expect(
    run(function* () {
      yield Promise.resolve();
    }),
  ).rejects.toThrow(`thread 'wrong' yielded a Promise: ${YIELDED}`);
  await expect(
    run(function* () {
      yield undefined;
    }),
  ).rejects.toThrow(`thread 'wrong' yielded undefined: ${YIELDED}`);
});

async function statusOf(handler: unknown, on: 'onSystemCall' | 'onHostCall'): Promise<number> {
  const machine = await Machine.create();
  const body = program('caller', (p) =>
    on === 'onHostCall' ? p.hostCall(7).mark(1) : p.systemCall(7).mark(1),
  );
  machine[on](7, handler as CallHandler);
  const thread: KThread = machine.createProcess().createThread(machine.loadProgram(body));
  machine.run();
  return thread.status;
}

test('a handler of a call gives a status: signed or unsigned, or nothing for success', async () => {
  expect(await statusOf(() => STATUS.ACCESS_DENIED | 0, 'onSystemCall')).toBe(0xc0000022);
  expect(await statusOf(() => STATUS.ACCESS_DENIED, 'onHostCall')).toBe(0xc0000022);
  expect(await statusOf(() => undefined, 'onHostCall')).toBe(0);
});

const STATUS_WORDS = 'give an NTSTATUS, an integer of 32 bits, such as STATUS.SUCCESS';

test('a handler that returns what is no status is an error', async () => {
  await expect(statusOf(() => Number.NaN, 'onSystemCall')).rejects.toThrow(
    `what the handler of system call 7 returned is NaN; ${STATUS_WORDS}`,
  );
  await expect(statusOf(() => 'x', 'onHostCall')).rejects.toThrow(
    `what the handler of host call 7 returned is 'x', a string; ${STATUS_WORDS}`,
  );
  await expect(statusOf(() => 2 ** 33, 'onHostCall')).rejects.toThrow(
    `what the handler of host call 7 returned is 8589934592; ${STATUS_WORDS}`,
  );
  await expect(statusOf(async () => 0, 'onSystemCall')).rejects.toThrow(
    'what the handler of system call 7 returned is a Promise; the routine must be a generator function or return a number, not async',
  );
  const generator = function* () {
    yield* NtYieldExecution();
    return Number.NaN;
  };
  await expect(statusOf(generator, 'onSystemCall')).rejects.toThrow(
    `what the handler of system call 7 returned is NaN; ${STATUS_WORDS}`,
  );
});

test.each([Number.NaN, 2 ** 40])('DriverEntry that returns %d is an error', async (status) => {
  const machine = await Machine.create();
  machine.loadDriver({ name: 'odd', DriverEntry: () => status });
  expect(() => machine.run()).toThrow(
    `what DriverEntry of driver 'odd' returned is ${status}; ${STATUS_WORDS}`,
  );
});

import { expect, test } from 'vitest';
import { KTHREAD_STATE } from '../../assembly/shared/types';
import { Machine, type ThreadBody } from '../../src/machine/machine';
import { program } from '../../src/machine/program';

/** What createThread is given that is no body. */

const GIVE =
  'give a generator function, what loadProgram or loadPort has returned, or a CpuPort with run()';

async function refused(body: unknown): Promise<string> {
  const machine = await Machine.create();
  const process = machine.createProcess();
  try {
    process.createThread(body as ThreadBody);
  } catch (error) {
    return String(error);
  }
  return 'accepted';
}

test('createThread says of a program that is not loaded, and of a Promise, what was left out', async () => {
  expect(await refused(program('x', (p) => p.compute(1)))).toBe(
    'MachineError: createThread: the body is a program that has not been loaded; give machine.loadProgram(program)',
  );
  expect(await refused(Promise.resolve())).toBe(
    'MachineError: createThread: the body is a Promise; await it: await machine.loadPort(…)',
  );
});

test('createThread says of a generator that its function is to be given', async () => {
  const body = function* () {};
  expect(await refused(body())).toBe(
    'MachineError: createThread: the body is a generator, which has been called already; give the generator function itself',
  );
});

test('createThread refuses async functions without calling them', async () => {
  let called = false;
  const body = async () => {
    called = true;
  };
  expect(await refused(body)).toBe(
    "MachineError: createThread: the body is the function 'body', which is async; give a generator function: function* () { … }",
  );
  expect(called).toBe(false);
});

test('createThread refuses objects, numbers, strings, null and nothing', async () => {
  expect(await refused({})).toBe(`MachineError: createThread: the body is an object; ${GIVE}`);
  expect(await refused(5)).toBe(`MachineError: createThread: the body is 5; ${GIVE}`);
  expect(await refused('x')).toBe(`MachineError: createThread: the body is 'x', a string; ${GIVE}`);
  expect(await refused(null)).toBe(`MachineError: createThread: the body is null; ${GIVE}`);
  expect(await refused(undefined)).toBe(
    `MachineError: createThread: the body is undefined; ${GIVE}`,
  );
  expect(await refused({ run: 5 })).toBe(
    `MachineError: createThread: the body is an object; ${GIVE}`,
  );
});

test('createThread refuses a function that gives no generator; its thread ends without having run', async () => {
  const machine = await Machine.create();
  const process = machine.createProcess();
  function plain() {
    return 5;
  }
  expect(() => process.createThread(plain as never, { name: 'none' })).toThrow(
    "createThread: the function 'plain' returned 5, no generator; give a generator function: function* () { … }",
  );
  expect(() => process.createThread((() => Promise.reject(new Error('x'))) as never)).toThrow(
    'returned a Promise, no generator',
  );
  expect(machine.run().reason).toBe('idle');
  expect(process.threads().filter(({ state }) => state !== KTHREAD_STATE.Terminated)).toEqual([]);
});

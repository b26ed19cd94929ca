import { expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import { program } from '../../src/machine/program';

/** Options that nobody knows, and masks of processors that there are not. */

const create = (options: object) => Machine.create(options as MachineOptions);

test('Machine.create names the option that an unknown one is like', async () => {
  await expect(create({ processor: 2 })).rejects.toThrow(
    "'processor' is no option of a machine; did you mean 'processors'? known: processors, groupSize,",
  );
  await expect(create({ trace: { whenfull: 'drain' } })).rejects.toThrow(
    "'whenfull' is no option of trace; did you mean 'whenFull'? known: whenFull",
  );
  await expect(create({ capacities: { thread: 5 } })).rejects.toThrow(
    "'thread' is no capacity; did you mean 'threads'? known: processes, threads,",
  );
});

test('Machine.create refuses a profile, capacities and trace that are no objects', async () => {
  await expect(create({ profile: 5 })).rejects.toThrow(
    "profile is 5; give 'client' or 'server', or an object of figures",
  );
  await expect(create({ capacities: 5 })).rejects.toThrow('capacities is 5; give an object');
  await expect(create({ trace: 5 })).rejects.toThrow('trace is 5; give an object');
  await expect(create({ trace: null })).rejects.toThrow('trace is null; give an object');
});

test('Machine.create says that a number was given as a string', async () => {
  await expect(create({ processors: '2' })).rejects.toThrow(
    "processors is '2', a string; give an integer from 1 to 2048",
  );
});

test('run, createProcess, createThread, createApc, connectInterrupt and loadPort refuse unknown options', async () => {
  const machine = await Machine.create();
  const process = machine.createProcess();
  const body = machine.loadProgram(program('own', (p) => p.compute(1)));
  const thread = process.createThread(body);
  expect(() => machine.run({ untill: 5 } as object)).toThrow(
    "'untill' is no option of run; did you mean 'until'? known: until, maxEvents",
  );
  expect(() => machine.run(5 as never)).toThrow('run: options is 5; give an object');
  await expect(machine.runAsync({ maxEvent: 5 } as object)).rejects.toThrow(
    "'maxEvent' is no option of run; did you mean 'maxEvents'? known: until, maxEvents",
  );
  expect(() => machine.createProcess({ nane: 'x' } as object)).toThrow(
    "'nane' is no option of createProcess; did you mean 'name'?",
  );
  expect(() => process.createThread(body, { usermode: true } as object)).toThrow(
    "'usermode' is no option of createThread; did you mean 'userMode'?",
  );
  expect(() => machine.createApc(thread, { kernelroutine: () => undefined } as object)).toThrow(
    "'kernelroutine' is no option of createApc; did you mean 'kernelRoutine'?",
  );
  const interrupt = { irql: 5, serviceRoutine: () => true, level: 1 };
  expect(() => machine.connectInterrupt(interrupt)).toThrow(
    "'level' is no option of connectInterrupt; known: irql,",
  );
  await expect(machine.loadPort({ uri: 'file:///x.js' } as never)).rejects.toThrow(
    "'uri' is no option of loadPort; did you mean 'url'? known: url, data",
  );
});

test.each([
  [8n, '8n, a bigint'],
  [-1n, '-1n, a bigint'],
  [1n << 70n, '1180591620717411303424n, a bigint'],
  [1, '1'],
])('createProcess refuses affinity %s on two processors', async (affinity, words) => {
  const machine = await Machine.create({ processors: 2 });
  expect(() => machine.createProcess({ affinity: affinity as bigint })).toThrow(
    `createProcess: affinity is ${words}, which is no part of a group's processors; give a bigint within 0x3`,
  );
});

test('createThread refuses an affinity that is no mask', async () => {
  const machine = await Machine.create({ processors: 2 });
  const body = machine.loadProgram(program('own', (p) => p.compute(1)));
  const process = machine.createProcess({ affinity: 2n });
  expect(() => process.createThread(body, { affinity: 2 as never })).toThrow(
    'createThread: affinity is 2; give a bigint',
  );
});

test('what would change a machine is refused once it is disposed of; what reads it is not', async () => {
  const machine = await Machine.create();
  const process = machine.createProcess();
  const body = machine.loadProgram(program('own', (p) => p.compute(1)));
  const thread = process.createThread(body);
  machine.run();
  await machine.dispose();
  const disposed = 'the machine has been disposed of';
  expect(() => machine.run()).toThrow(disposed);
  expect(() => machine.createProcess()).toThrow(disposed);
  expect(() => process.createThread(body)).toThrow(disposed);
  expect(() => machine.createEvent('notification')).toThrow(disposed);
  expect(() => machine.createSemaphore(0)).toThrow(disposed);
  expect(() => machine.createSpinLock()).toThrow(disposed);
  expect(() => machine.loadProgram(program('late', (p) => p.compute(1)))).toThrow(disposed);
  await expect(machine.loadPort({ url: 'file:///x.js' })).rejects.toThrow(disposed);
  expect([thread.exists, machine.guestMemory.bytes.length]).toEqual([true, 65_536]);
});

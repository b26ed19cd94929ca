import { expect, test } from 'vitest';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeSuspendThread } from '../../src/ke/apc';
import {
  KeClearEvent,
  KePulseEvent,
  KeReleaseMutex,
  KeReleaseSemaphore,
  KeResetEvent,
  KeSetEvent,
  KeWaitForSingleObject,
} from '../../src/ke/ddi';
import { KeInsertQueueDpc } from '../../src/ke/dpc';
import { KeInsertQueue } from '../../src/ke/queue';
import { KeAcquireSpinLock } from '../../src/ke/spinlock';
import { KeSetTimer } from '../../src/ke/timer';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KEvent } from '../../src/machine/views';
import { runGuest } from './../ke/guest';

/** Objects of another machine, and objects that have gone: nothing else may answer to their handle. */

const foreign = await Machine.create();
const theirs = {
  event: foreign.createEvent('synchronization'),
  semaphore: foreign.createSemaphore(0),
  mutex: foreign.createMutex(),
  timer: foreign.createTimer('notification'),
  dpc: foreign.createDpc(() => undefined),
  lock: foreign.createSpinLock(),
  queue: foreign.createQueue(),
  process: foreign.createProcess({ name: 'far' }),
  program: foreign.loadProgram(program('far', (p) => p.compute(1))),
};
const thread = foreign.createThread(theirs.process, theirs.program, { start: false });

const another = (routine: string, object: string) =>
  `${routine}: ${object} belongs to another machine; give one of this machine's`;

test('KeSetEvent, KeResetEvent, KeClearEvent and KePulseEvent refuse an event of another machine', async () => {
  const { event } = theirs;
  const name = `KEvent ${event.index}`;
  await expect(runGuest(() => KeSetEvent(event, 0, false) as never)).rejects.toThrow(
    another('KeSetEvent', name),
  );
  await expect(runGuest(() => KeResetEvent(event) as never)).rejects.toThrow(
    another('KeResetEvent', name),
  );
  await expect(runGuest(() => KeClearEvent(event) as never)).rejects.toThrow(
    another('KeClearEvent', name),
  );
  await expect(runGuest(() => KePulseEvent(event, 0, false) as never)).rejects.toThrow(
    another('KePulseEvent', name),
  );
});

test('KeWaitForSingleObject refuses an object of another machine, and says what is none', async () => {
  const { Executive } = { Executive: KWAIT_REASON.Executive };
  const wait = (object: KEvent) =>
    KeWaitForSingleObject(object, Executive, MODE.KernelMode, false, 0) as never;
  await expect(runGuest(() => wait(theirs.event))).rejects.toThrow(
    another('KeWaitForSingleObject', `KEvent ${theirs.event.index}`),
  );
  await expect(runGuest(() => wait({} as KEvent))).rejects.toThrow(
    'KeWaitForSingleObject: an object is no object of a machine; give what its create… methods return',
  );
});

test('KeReleaseSemaphore, KeReleaseMutex, KeSetTimer, KeInsertQueueDpc, KeInsertQueue, KeAcquireSpinLock and KeSuspendThread do', async () => {
  const { semaphore, mutex, timer, dpc, queue, lock } = theirs;
  const calls: readonly (() => unknown)[] = [
    () => KeReleaseSemaphore(semaphore, 0, 1, false),
    () => KeReleaseMutex(mutex, false),
    () => KeSetTimer(timer, -1, null),
    () => KeInsertQueueDpc(dpc, 0, 0),
    () => KeInsertQueue(queue, 1),
    () => KeAcquireSpinLock(lock),
    () => KeSuspendThread(thread),
  ];
  for (const call of calls)
    await expect(runGuest(call as never)).rejects.toThrow('belongs to another machine');
});

test('createThread refuses a process, a program and an object to wait for of another machine', async () => {
  const machine = await Machine.create();
  const own = machine.loadProgram(program('own', (p) => p.compute(1)));
  const process = machine.createProcess();
  expect(() => machine.createThread(theirs.process, own)).toThrow(
    another('createThread', "KProcess 'far'"),
  );
  expect(() => process.createThread(theirs.program)).toThrow(
    "createThread: the program 'far' was loaded into another machine; load it into this one",
  );
  expect(() => process.createThread(own, { waitsFor: theirs.event })).toThrow(
    another('createThread', `KEvent ${theirs.event.index}`),
  );
  expect(process.threadCount).toBe(0);
});

test('createProcess, createMutant, createApc, createDpc, connectInterrupt, onSystemCall and scheduleInterrupt do', async () => {
  const machine = await Machine.create();
  const { process, event, dpc, lock } = theirs;
  expect(() => machine.createProcess({ parent: process })).toThrow('belongs to another machine');
  expect(() => machine.createMutant(thread)).toThrow('belongs to another machine');
  expect(() => machine.createApc(thread, {})).toThrow('belongs to another machine');
  expect(() => machine.createDpc(theirs.program)).toThrow('loaded into another machine');
  expect(() => machine.createTimer('notification').set(0, 0, dpc)).toThrow(
    'belongs to another machine',
  );
  expect(() =>
    machine.connectInterrupt({ irql: 5, serviceRoutine: () => true, spinLock: lock }),
  ).toThrow('belongs to another machine');
  expect(() => machine.onSystemCall(1, theirs.program)).toThrow('loaded into another machine');
  expect(() => machine.scheduleInterrupt(0, 0, event)).toThrow('belongs to another machine');
});

const gone = (name: string) => new RegExp(`^this ${name} \\(handle \\d+\\) no longer exists$`);

test('KeSetEvent, KeResetEvent, KeClearEvent and KePulseEvent of an event that was deleted are errors', async () => {
  const calls: readonly ((event: KEvent) => unknown)[] = [
    (event) => KeSetEvent(event, 0, false),
    (event) => KeResetEvent(event),
    (event) => KeClearEvent(event),
    (event) => KePulseEvent(event, 0, false),
  ];
  for (const call of calls) {
    const run = runGuest((machine) => {
      const event = machine.createEvent('notification', true);
      event.delete();
      return call(event) as never;
    });
    await expect(run).rejects.toThrow(gone('KEvent'));
  }
});

test('KeReleaseSemaphore, KeReleaseMutex and KeInsertQueue of what was deleted are errors', async () => {
  const run = (body: (machine: Machine) => unknown) => runGuest(body as never);
  await expect(
    run((machine) => {
      const semaphore = machine.createSemaphore(0);
      semaphore.delete();
      return KeReleaseSemaphore(semaphore, 0, 1, false);
    }),
  ).rejects.toThrow(gone('KSemaphore'));
  await expect(
    run((machine) => {
      const mutex = machine.createMutex();
      mutex.delete();
      return KeReleaseMutex(mutex, false);
    }),
  ).rejects.toThrow(gone('KMutant'));
  await expect(
    run((machine) => {
      const queue = machine.createQueue();
      queue.delete();
      return KeInsertQueue(queue, 1);
    }),
  ).rejects.toThrow(gone('KQueue'));
});

test('KeSetEvent of what is no event is an error', async () => {
  const run = runGuest(
    (machine) => KeSetEvent(machine.createGate() as unknown as KEvent, 0, false) as never,
  );
  await expect(run).rejects.toThrow(
    /^KeSetEvent: KGate \d+ is of another sort; give what KeSetEvent is for$/,
  );
});

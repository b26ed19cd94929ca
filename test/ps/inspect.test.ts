import { expect, test } from 'vitest';
import { KWAIT_REASON, MODE, WAIT_TYPE } from '../../assembly/shared/types';
import { KeReleaseMutex, KeWaitForMultipleObjects, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import { inspectProcess, inspectProcesses, inspectThread } from '../../src/ps/inspect';

test('a process and its threads are told by their client ids, states, priorities and times', async () => {
  const machine = await Machine.create();
  const parent = machine.createProcess({ name: 'parent.exe' });
  machine.run({ until: 1e6 });
  const process = machine.createProcess({ name: 'child.exe', parent });
  const busy = machine.loadProgram(program('busy', (p) => p.compute(1e9)));
  process.createThread(busy, { increment: 2 });
  process.createThread(busy, { start: false, name: 'later' });
  machine.run({ until: 1e8 });
  expect(inspectProcess(process)).toMatchObject({
    processId: 20,
    parentProcessId: 12,
    address: process.address,
    name: 'child.exe',
    priorityClass: 'Normal',
    basePriority: 8,
    foreground: false,
    elapsedNs: 99e6,
    userTimeNs: 93_750_000,
    kernelTimeNs: 0,
    threads: [
      {
        threadId: 16,
        processId: 20,
        name: 'busy',
        guest: 'Program',
        state: 'Running',
        priority: 10,
        basePriority: 10,
        processor: 0,
        affinity: '0x1',
        contextSwitches: 1,
        userTimeNs: 93_750_000,
      },
      { threadId: 24, name: 'later', state: 'Initialized', contextSwitches: 0 },
    ],
  });
  expect(inspectProcesses(machine).map(({ processId, name }) => [processId, name])).toEqual([
    [4, 'System'],
    [12, 'parent.exe'],
    [20, 'child.exe'],
  ]);
});

test('a wait is told with its reason, mode, objects, owner and end', async () => {
  const machine = await Machine.create({ processors: 2 });
  const mutex = machine.createMutex();
  const semaphore = machine.createSemaphore(0, 5);
  const owner = machine.systemProcess.createThread(function* () {
    yield* KeWaitForSingleObject(mutex, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    yield* KeWaitForSingleObject(
      semaphore,
      KWAIT_REASON.UserRequest,
      MODE.UserMode,
      false,
      -1_000_000,
    );
    yield* KeReleaseMutex(mutex, false);
  });
  machine.run({ until: 1e6 });
  const both = machine.systemProcess.createThread(function* () {
    const objects = [mutex, semaphore];
    yield* KeWaitForMultipleObjects(
      objects,
      WAIT_TYPE.WaitAll,
      KWAIT_REASON.Executive,
      MODE.KernelMode,
      false,
      null,
      null,
    );
  });
  machine.run({ until: 2e6 });
  const at = owner.stateSinceNs;
  expect(inspectThread(owner)).toMatchObject({
    state: 'Waiting',
    stateSinceNs: at,
    kernelApcDisable: -1,
    wait: {
      reason: 'UserRequest',
      mode: 'UserMode',
      objects: [{ type: 'Semaphore', address: semaphore.address, signalState: 0, limit: 5 }],
      dueNs: at + 100e6,
    },
  });
  const waiting = inspectThread(both);
  expect(waiting).not.toHaveProperty('processor');
  expect(waiting.wait).toEqual({
    reason: 'Executive',
    mode: 'KernelMode',
    alertable: false,
    type: 'WaitAll',
    objects: [
      { type: 'Mutant', address: mutex.address, signalState: 0, owningThread: 16 },
      { type: 'Semaphore', address: semaphore.address, signalState: 0, limit: 5 },
    ],
  });
});

test('what has ended is told while it is referred to, with its exit status', async () => {
  const machine = await Machine.create();
  const process = machine.createProcess({ name: 'short.exe' });
  const thread = process.createThread(machine.loadProgram(program('end', (p) => p.exit(7))));
  machine.run();
  expect(inspectThread(thread)).toMatchObject({ state: 'Terminated', exitStatus: 7 });
  expect(inspectProcess(process)).toMatchObject({ exitStatus: 7, threads: [{ exitStatus: 7 }] });
  expect(inspectProcess(machine.systemProcess)).not.toHaveProperty('exitStatus');
});

test('looking at a machine changes nothing of it', async () => {
  const digestOf = async (look: boolean) => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
    });
    machine.run({ maxEvents: 2 });
    if (look) inspectProcesses(machine);
    machine.run({ until: 1e7 });
    return machine.digest;
  };
  expect(await digestOf(true)).toBe(await digestOf(false));
});

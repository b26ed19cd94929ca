import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import {
  IRQL,
  KTHREAD_STATE,
  KWAIT_REASON,
  MODE,
  PRIORITY_CLASS,
} from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeAreApcsDisabled } from '../../src/ke/irql';
import { currentGuest } from '../../src/machine/guest';
import type { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import { executiveOf } from '../../src/ps/executive';
import { processManager } from '../../src/ps/manager';
import type { PsCreateNotifyInfo } from '../../src/ps/process-notify';
import {
  PsSetCreateProcessNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutine,
  PsSetCreateThreadNotifyRoutineEx,
  PsSetLoadImageNotifyRoutine,
} from '../../src/ps/register';
import { PSCREATETHREADNOTIFYTYPE } from '../../src/ps/thread-notify';
import { quietMachine, spawn } from '../records';

/** Registers what `register` says in a thread of the system, and waits until that is done. */
function asDriver(machine: Machine, register: () => Generator<readonly number[], void, number>) {
  machine.systemProcess.createThread(register, { name: 'driver' });
  machine.run();
}

/** Registers routines of every kind that note what they are told, and in which process and thread. */
function watch(machine: Machine): string[] {
  const log: string[] = [];
  const note = (what: string) => {
    const { thread } = currentGuest('test');
    log.push(`${thread.process.name}: ${what}`);
  };
  asDriver(machine, function* () {
    yield* PsSetCreateProcessNotifyRoutine((parent, id, create) => {
      note(`process ${id} of ${parent} ${create ? 'begins' : 'ends'}`);
    }, false);
    yield* PsSetCreateThreadNotifyRoutine((process, id, create) =>
      note(`thread ${process}.${id} ${create ? 'begins' : 'ends'}`),
    );
    yield* PsSetCreateThreadNotifyRoutineEx(
      PSCREATETHREADNOTIFYTYPE.PsCreateThreadNotifyNonSystem,
      (process, id) => note(`thread ${process}.${id} runs`),
    );
    yield* PsSetLoadImageNotifyRoutine((name, process) => note(`${process} loads ${name}`));
  });
  log.length = 0;
  return log;
}

/** A program that makes a process of the child's program and waits for its first thread's end. */
function spawnParent(machine: Machine, childNs = 100) {
  const child = machine.loadProgram(program('C:\\child.exe', (p) => p.compute(childNs)));
  return spawn(machine.createProcess({ name: 'parent' }), 'main', (p) => {
    const made = p.register();
    p.createProcess(made, child, PRIORITY_CLASS.Normal).wait(made);
  });
}

describe('a process that a program makes', () => {
  test('is told of in order: by its creator, then in itself, up to its exit', async () => {
    const machine = await quietMachine();
    const log = watch(machine);
    spawnParent(machine);
    machine.run();
    expect(log).toEqual([
      'parent: process 20 of 12 begins',
      'parent: thread 20.24 begins',
      'C:\\child.exe: thread 20.24 runs',
      'C:\\child.exe: 20 loads \\Device\\HarddiskVolume3\\child.exe',
      'C:\\child.exe: 20 loads \\Device\\HarddiskVolume3\\Windows\\System32\\ntdll.dll',
      'C:\\child.exe: 20 loads \\Device\\HarddiskVolume3\\Windows\\System32\\kernel32.dll',
      'C:\\child.exe: 20 loads \\Device\\HarddiskVolume3\\Windows\\System32\\kernelbase.dll',
      'C:\\child.exe: thread 20.24 ends',
      'C:\\child.exe: process 20 of 12 ends',
      'parent: thread 12.16 ends',
      'parent: process 12 of 0 ends',
    ]);
  });

  test('leaves no rows behind, whoever is told of it', async () => {
    const machine = await quietMachine({ capacities: { processes: 3, threads: 5 } });
    const log = watch(machine);
    const child = machine.loadProgram(program('C:\\child.exe', (p) => p.compute(1)));
    spawn(machine.createProcess({ name: 'parent' }), 'main', (p) => {
      const made = p.register();
      p.loop(20, () => p.createProcess(made, child, PRIORITY_CLASS.Normal).wait(made).delay(1000));
    });
    machine.run();
    expect(log.filter((line) => line.includes('ntdll')).length).toBe(20);
  });

  test('ps.notify-003: a process-notify routine runs at PASSIVE_LEVEL, in the creator, then in the process that exits', async () => {
    const machine = await quietMachine();
    const seen: unknown[] = [];
    asDriver(machine, function* () {
      yield* PsSetCreateProcessNotifyRoutine((_parent, id, create) => {
        const current = currentGuest('test').thread.process.index * 8 - 4;
        seen.push([create, machine.irql(), KeAreApcsDisabled(), id === current]);
      }, false);
    });
    spawnParent(machine);
    machine.run();
    expect(seen).toEqual([
      [true, IRQL.PASSIVE_LEVEL, true, false],
      [false, IRQL.PASSIVE_LEVEL, true, true],
      [false, IRQL.PASSIVE_LEVEL, true, true],
    ]);
  });

  test('tells PsSetCreateProcessNotifyRoutineEx what it is, then that it has exited', async () => {
    const machine = await quietMachine();
    const seen: unknown[] = [];
    asDriver(machine, function* () {
      yield* PsSetCreateProcessNotifyRoutineEx((process, id, info) => {
        seen.push([process.name, id, info === null ? null : { ...info }]);
      }, false);
    });
    spawnParent(machine);
    machine.run();
    expect(seen).toEqual([
      [
        'C:\\child.exe',
        20,
        {
          Size: 0x48,
          Flags: 1,
          FileOpenNameAvailable: true,
          IsSubsystemProcess: false,
          ParentProcessId: 12,
          CreatingThreadId: { UniqueProcess: 12, UniqueThread: 16 },
          FileObject: { FileName: '\\Device\\HarddiskVolume3\\child.exe' },
          ImageFileName: '\\??\\C:\\child.exe',
          CommandLine: null,
          CreationStatus: STATUS.SUCCESS,
        },
      ],
      ['C:\\child.exe', 20, null],
      ['parent', 12, null],
    ]);
  });
});

describe('CreationStatus', () => {
  const refuse =
    (status: number) => (_p: unknown, _id: number, info: PsCreateNotifyInfo | null) => {
      if (info !== null) info.CreationStatus = status;
    };

  test('makes the creation fail; the process ends without having run', async () => {
    const machine = await quietMachine();
    const log = watch(machine);
    const statuses: number[] = [];
    machine.onHostCall(1, (thread) => void statuses.push(thread.status));
    asDriver(machine, function* () {
      yield* PsSetCreateProcessNotifyRoutineEx(refuse(STATUS.ACCESS_DENIED), false);
    });
    const child = machine.loadProgram(program('C:\\child.exe', (p) => p.hostCall(1)));
    log.length = 0;
    spawn(machine.createProcess({ name: 'parent' }), 'main', (p) => {
      p.createProcess(p.register(), child, PRIORITY_CLASS.Normal).hostCall(1).delay(1000);
    });
    machine.run();
    expect(statuses).toEqual([STATUS.ACCESS_DENIED]);
    expect(log).toEqual([
      'parent: process 20 of 12 begins',
      'C:\\child.exe: thread 20.32 ends',
      'C:\\child.exe: process 20 of 12 ends',
      'parent: thread 12.24 ends',
      'parent: process 12 of 0 ends',
    ]);
  });

  test('is what the last routine wrote; each sees what was written before', async () => {
    const machine = await quietMachine();
    const seen: unknown[] = [];
    asDriver(machine, function* () {
      yield* PsSetCreateProcessNotifyRoutineEx(refuse(STATUS.ACCESS_DENIED), false);
      yield* PsSetCreateProcessNotifyRoutineEx((process, _id, info) => {
        seen.push([process.name, info?.CreationStatus]);
        if (info !== null) info.CreationStatus = STATUS.SUCCESS;
      }, false);
    });
    spawnParent(machine);
    machine.run();
    expect(seen).toEqual([
      ['C:\\child.exe', STATUS.ACCESS_DENIED],
      ['C:\\child.exe', undefined],
      ['parent', undefined],
    ]);
  });

  test('of success, whatever its bits, lets the process be', async () => {
    const machine = await quietMachine();
    asDriver(machine, function* () {
      yield* PsSetCreateProcessNotifyRoutineEx(refuse(STATUS.TIMEOUT), false);
    });
    const parent = spawnParent(machine);
    machine.run();
    expect(parent.status).toBe(STATUS.SUCCESS);
  });
});

describe('the exit of a process', () => {
  test('is told of by its last thread, when the delete routines of all others have returned', async () => {
    const machine = await quietMachine({ processors: 2 });
    const log: string[] = [];
    const event = machine.createEvent('notification');
    asDriver(machine, function* () {
      yield* PsSetCreateThreadNotifyRoutine(function* (_process, _id, create) {
        const { thread } = currentGuest('test');
        if (create || thread.name !== 'slow') return;
        yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
        log.push('slow is told of');
      });
      yield* PsSetCreateProcessNotifyRoutineEx((process, _id, info) => {
        if (info === null) log.push(`${process.name} ends in ${currentGuest('test').thread.name}`);
      }, false);
    });
    const process = machine.createProcess({ name: 'process' });
    spawn(process, 'slow', (p) => p.compute(10));
    spawn(process, 'last', (p) => p.compute(1000));
    machine.run();
    expect(log).toEqual([]);
    event.set();
    machine.run();
    expect(log).toEqual(['slow is told of', 'process ends in last']);
  });

  test('leaves its status and time decided before anybody is told', async () => {
    const machine = await quietMachine();
    const seen: unknown[] = [];
    asDriver(machine, function* () {
      yield* PsSetCreateThreadNotifyRoutine((_process, _id, create) => {
        const { thread } = currentGuest('test');
        if (!create) seen.push([thread.exitStatus, thread.state]);
      });
      yield* PsSetCreateProcessNotifyRoutineEx((process) => {
        seen.push([process.exitStatus, process.signalState]);
      }, false);
    });
    seen.length = 0;
    const process = machine.createProcess({ name: 'process' });
    spawn(process, 'main', (p) => p.exit(7));
    machine.run();
    expect(seen).toEqual([
      [7, KTHREAD_STATE.Running],
      [7, 0],
    ]);
    expect([process.exitStatus, process.signalState]).toEqual([7, 1]);
  });

  test('of a critical process is bugcheck CRITICAL_PROCESS_DIED', async () => {
    const machine = await quietMachine();
    const ps = processManager(machine);
    const process = machine.createProcess({ name: 'csrss' });
    executiveOf(ps, process).critical = true;
    spawn(process, 'main', (p) => p.compute(1));
    expect(machine.run()).toMatchObject({ reason: 'bugcheck', name: 'CRITICAL_PROCESS_DIED' });
  });
});

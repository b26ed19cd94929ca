import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { DriverOptions } from '../../src/machine/driver';
import { currentGuest } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { KThread } from '../../src/machine/views';
import {
  OB_FLT_REGISTRATION_VERSION,
  OB_OPERATION,
  type ObCallbackHandle,
  type ObPostOperationInformation,
  type ObPreOperationInformation,
  ObRegisterCallbacks,
  ObUnRegisterCallbacks,
} from '../../src/ob/callbacks';
import { NtDuplicateObject } from '../../src/ob/duplicate';
import { NtClose } from '../../src/ob/handle';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { PsProcessType, PsThreadType } from '../../src/ob/types';
import { NtTerminateProcess } from '../../src/ps/control-services';
import { NtCreateThreadEx, NtCreateUserProcess } from '../../src/ps/create-services';
import { LdrLoadDll } from '../../src/ps/load-services';
import { processManager } from '../../src/ps/manager';
import { PSCREATEPROCESSNOTIFYTYPE } from '../../src/ps/process-notify';
import {
  PsRemoveCreateThreadNotifyRoutine,
  PsRemoveLoadImageNotifyRoutine,
  PsSetCreateProcessNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateProcessNotifyRoutineEx2,
  PsSetCreateThreadNotifyRoutine,
  PsSetCreateThreadNotifyRoutineEx,
  PsSetLoadImageNotifyRoutine,
  PsSetLoadImageNotifyRoutineEx,
} from '../../src/ps/register';
import { PSCREATETHREADNOTIFYTYPE } from '../../src/ps/thread-notify';

const SUBSYSTEM_PROCESSES = PSCREATEPROCESSNOTIFYTYPE.PsCreateProcessNotifySubsystems;
const SUBSYSTEM_THREADS = PSCREATETHREADNOTIFYTYPE.PsCreateThreadNotifySubsystems;
const NON_SYSTEM = PSCREATETHREADNOTIFYTYPE.PsCreateThreadNotifyNonSystem;
const ALL = 0x1fffff;

const fileName = (path: string) => path.slice(path.lastIndexOf('\\') + 1);

/** What was told: one line an event, `who: where, what`, with those that were told in their order. */
class Log {
  readonly lines: string[] = [];
  private last = '';

  add(who: string, what: string): void {
    const { thread } = currentGuest('test');
    const line = `${fileName(thread.process.name)}, ${what}`;
    if (line === this.last) this.lines[this.lines.length - 1] += ` ${who}`;
    else this.lines.push(`${line}: ${who}`);
    this.last = line;
  }
}

/** A driver that registers a routine of every kind. */
function watcher(name: string, letter: string, altitude: string, log: Log): DriverOptions {
  const note = (kind: string, what: string) => log.add(letter + kind, what);
  const of = (create: boolean) => (create ? 'begins' : 'ends');
  const process = (_parent: number, id: number, create: boolean) =>
    note('1', `process ${id} ${of(create)}`);
  const ex = (kind: string) => (_process: unknown, id: number, info: object | null) =>
    note(kind, `process ${id} ${of(info !== null)}`);
  const [processEx, processEx2] = [ex('2'), ex('3')];
  const thread = (kind: string) => (_process: number, id: number, create: boolean) =>
    note(kind, `thread ${id} ${of(create)}`);
  const [threadLegacy, threadNonSystem, threadSubsystems] = [thread('1'), thread('2'), thread('3')];
  const image = (kind: string) => (path: string | null, id: number) =>
    note(kind, `${id} loads ${fileName(path ?? '')}`);
  const [imageLegacy, imageEx] = [image('1'), image('2')];
  const handle =
    (kind: string) =>
    (
      _context: unknown,
      { Object: object, Operation }: ObPreOperationInformation | ObPostOperationInformation,
    ): void => {
      const target = object instanceof KThread ? `thread ${object.index * 8}` : 'process';
      const operation = Operation === OB_OPERATION.HANDLE_CREATE ? 'handle' : 'duplicate';
      note('', `${kind} ${operation} to ${target}`);
    };
  const operation = {
    Operations: OB_OPERATION.HANDLE_CREATE | OB_OPERATION.HANDLE_DUPLICATE,
    PreOperation: handle('before'),
    PostOperation: handle('after'),
  };
  let registration: ObCallbackHandle | null = null;
  return {
    name,
    *DriverEntry() {
      yield* PsSetCreateProcessNotifyRoutine(process, false);
      yield* PsSetCreateProcessNotifyRoutineEx(processEx, false);
      yield* PsSetCreateProcessNotifyRoutineEx2(SUBSYSTEM_PROCESSES, processEx2, false);
      yield* PsSetCreateThreadNotifyRoutine(threadLegacy);
      yield* PsSetCreateThreadNotifyRoutineEx(NON_SYSTEM, threadNonSystem);
      yield* PsSetCreateThreadNotifyRoutineEx(SUBSYSTEM_THREADS, threadSubsystems);
      yield* PsSetLoadImageNotifyRoutine(imageLegacy);
      yield* PsSetLoadImageNotifyRoutineEx(imageEx, 1);
      const { registrationHandle } = yield* ObRegisterCallbacks({
        Version: OB_FLT_REGISTRATION_VERSION,
        Altitude: altitude,
        RegistrationContext: null,
        OperationRegistration: [
          { ObjectType: PsProcessType, ...operation },
          { ObjectType: PsThreadType, ...operation },
        ],
      });
      registration = registrationHandle;
      return STATUS.SUCCESS;
    },
    *DriverUnload() {
      yield* PsSetCreateProcessNotifyRoutine(process, true);
      yield* PsSetCreateProcessNotifyRoutineEx(processEx, true);
      yield* PsSetCreateProcessNotifyRoutineEx2(SUBSYSTEM_PROCESSES, processEx2, true);
      for (const routine of [threadLegacy, threadNonSystem, threadSubsystems])
        yield* PsRemoveCreateThreadNotifyRoutine(routine);
      for (const routine of [imageLegacy, imageEx]) yield* PsRemoveLoadImageNotifyRoutine(routine);
      if (registration !== null) yield* ObUnRegisterCallbacks(registration);
    },
  };
}

/** The program of the parent: a child that it follows to its end. */
function* parentMain() {
  const attributes = { imageName: 'C:\\child.exe' };
  const { processHandle, threadHandle } = yield* NtCreateUserProcess(
    ...([ALL, ALL, null, null, 0, 0, null, attributes] as const),
  );
  const copy = yield* NtDuplicateObject(-1, processHandle, -1, 0x1000, 0, 0);
  yield* NtClose(copy.handle);
  yield* NtWaitForSingleObject(processHandle, false, null);
  yield* NtClose(threadHandle);
  yield* NtClose(processHandle);
}

function* childMain() {
  yield* KeDelayExecutionThread(MODE.UserMode, false, -10_000);
  yield* LdrLoadDll('plugin.dll');
  const forever = function* () {
    yield* KeDelayExecutionThread(MODE.UserMode, false, -9_000_000_000);
  };
  yield* NtCreateThreadEx(ALL, null, -1, forever, null, 0, 0, 0, 0, null);
  yield* KeDelayExecutionThread(MODE.UserMode, false, -10_000);
  yield* NtTerminateProcess(-1, 7);
}

test('three drivers are told of the whole life of a process, each routine in its place', async () => {
  const machine = await Machine.create();
  const log = new Log();
  for (const [name, letter, altitude] of [
    ['alpha', 'a', '100'],
    ['beta', 'b', '300'],
    ['gamma', 'c', '200'],
  ] as const)
    machine.loadDriver(watcher(name, letter, altitude, log));
  machine.run();
  const ps = processManager(machine);
  ps.images.describe('C:\\child.exe', { imports: ['kernel32.dll'], main: childMain });
  ps.images.describe('C:\\parent.exe', { imports: [], main: parentMain });
  log.lines.length = 0;
  ps.createProcess({ image: 'C:\\parent.exe' });
  machine.run();
  expect(log.lines).toEqual([
    'System, process 12 begins: a1 a2 a3 b1 b2 b3 c1 c2 c3',
    'System, thread 32 begins: a1 a3 b1 b3 c1 c3',
    'System, thread 24 ends: a1 a3 b1 b3 c1 c3',
    'parent.exe, thread 32 begins: a2 b2 c2',
    'parent.exe, 12 loads parent.exe: a1 a2 b1 b2 c1 c2',
    'parent.exe, 12 loads ntdll.dll: a1 a2 b1 b2 c1 c2',
    'parent.exe, process 20 begins: a1 a2 a3 b1 b2 b3 c1 c2 c3',
    'parent.exe, thread 24 begins: a1 a3 b1 b3 c1 c3',
    'parent.exe, before handle to process: b c a',
    'parent.exe, after handle to process: a c b',
    'parent.exe, before handle to thread 24: b c a',
    'parent.exe, after handle to thread 24: a c b',
    'parent.exe, before duplicate to process: b c a',
    'parent.exe, after duplicate to process: a c b',
    'child.exe, thread 24 begins: a2 b2 c2',
    'child.exe, 20 loads child.exe: a1 a2 b1 b2 c1 c2',
    'child.exe, 20 loads ntdll.dll: a1 a2 b1 b2 c1 c2',
    'child.exe, 20 loads kernel32.dll: a1 a2 b1 b2 c1 c2',
    'child.exe, 20 loads plugin.dll: a1 a2 b1 b2 c1 c2',
    'child.exe, thread 40 begins: a1 a3 b1 b3 c1 c3',
    'child.exe, before handle to thread 40: b c a',
    'child.exe, after handle to thread 40: a c b',
    'child.exe, thread 40 begins: a2 b2 c2',
    'child.exe, thread 24 ends: a1 a3 b1 b3 c1 c3',
    'child.exe, thread 40 ends: a1 a3 b1 b3 c1 c3',
    'child.exe, process 20 ends: a1 a2 a3 b1 b2 b3 c1 c2 c3',
    'parent.exe, thread 32 ends: a1 a3 b1 b3 c1 c3',
    'parent.exe, process 12 ends: a1 a2 a3 b1 b2 b3 c1 c2 c3',
  ]);
  for (const driver of [...machine.drivers.list]) driver.unload();
  expect(machine.run().reason).toBe('idle');
  expect(machine.drivers.list).toEqual([]);
});

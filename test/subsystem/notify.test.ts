import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { currentGuest } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KProcess } from '../../src/machine/views';
import { OBJ } from '../../src/ob/attributes';
import { ObRegisterCallbacks } from '../../src/ob/callbacks';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { PsProcessType } from '../../src/ob/types';
import { processIdOf } from '../../src/ps/cid';
import { PsGetCurrentThreadTeb, PsGetProcessPeb } from '../../src/ps/identity';
import { PROCESSINFOCLASS, THREADINFOCLASS } from '../../src/ps/information-class';
import { processManager } from '../../src/ps/manager';
import type { PsCreateNotifyInfo } from '../../src/ps/process-notify';
import { NtQueryInformationProcess } from '../../src/ps/process-query';
import {
  PsSetCreateProcessNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateProcessNotifyRoutineEx2,
  PsSetCreateThreadNotifyRoutine,
  PsSetCreateThreadNotifyRoutineEx,
  PsSetLoadImageNotifyRoutine,
} from '../../src/ps/register';
import { PsCreateSystemThread } from '../../src/ps/system-thread';
import { NtQueryInformationThread } from '../../src/ps/thread-query';
import { PsCreateMinimalProcess } from '../../src/subsystem/minimal';
import { PsRegisterPicoProvider } from '../../src/subsystem/provider';
import { asProvider, type PicoChild, providerOf, startPico } from './provider';

const PROCESS_BASIC = PROCESSINFOCLASS.ProcessBasicInformation;
const THREAD_BASIC = THREADINFOCLASS.ThreadBasicInformation;
const PROCESS_SUBSYSTEM = PROCESSINFOCLASS.ProcessSubsystemInformation;
const THREAD_SUBSYSTEM = THREADINFOCLASS.ThreadSubsystemInformation;
const NON_SYSTEM = 0;
const SUBSYSTEMS = 1;

const SYSTEM = 4;

/** Registers routines of every kind, which note what they hear of, the system's own threads left out. */
function* watch(log: unknown[], ex2?: (info: PsCreateNotifyInfo | null) => void) {
  yield* PsSetCreateProcessNotifyRoutine((_parent, id, create) => {
    log.push(['legacy', id, create]);
  }, false);
  yield* PsSetCreateProcessNotifyRoutineEx((_process, id, info) => {
    log.push(['Ex', id, info !== null]);
  }, false);
  yield* PsSetCreateProcessNotifyRoutineEx2(
    0,
    (_process, id, info) => {
      log.push(['Ex2', id, info !== null]);
      ex2?.(info);
    },
    false,
  );
  yield* PsSetCreateThreadNotifyRoutine((process, _id, create) => {
    if (process !== SYSTEM) log.push(['thread', process, create]);
  });
  yield* PsSetCreateThreadNotifyRoutineEx(NON_SYSTEM, (process) => {
    log.push(['NonSystem', process]);
  });
  yield* PsSetCreateThreadNotifyRoutineEx(SUBSYSTEMS, (process, _id, create) => {
    if (process !== SYSTEM) log.push(['Subsystems', process, create]);
  });
  yield* PsSetLoadImageNotifyRoutine((name) => {
    log.push(['image', name]);
  });
}

async function told(child: Omit<PicoChild, 'body'>, refusal = 0) {
  const machine = await Machine.create();
  const log: unknown[] = [];
  const infos: (object | null)[] = [];
  asProvider(machine, {}, function* (routines) {
    yield* watch(log, (info) => {
      infos.push(info === null ? null : { ...info });
      if (info !== null && refusal !== 0) info.CreationStatus = refusal;
    });
    const body = machine.loadProgram(program('elf', (p) => p.compute(10)));
    const process = yield* startPico(machine, routines, { ...child, body });
    yield* KeWaitForSingleObject(process, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    log.push('over');
  });
  machine.run();
  return { log, infos };
}

describe('what a driver is told of a WSL process', () => {
  test('PsSetCreateProcessNotifyRoutineEx2 and the Subsystems type hear of it, and nobody else', async () => {
    const { log } = await told({});
    expect(log).toEqual([
      ['Ex2', 12, true],
      ['Subsystems', 12, true],
      ['Subsystems', 12, false],
      ['Ex2', 12, false],
      'over',
    ]);
  });

  test('a nameless process: FileObject, ImageFileName and CommandLine are NULL', async () => {
    const { infos } = await told({});
    expect(infos[0]).toMatchObject({
      Flags: 2,
      IsSubsystemProcess: true,
      FileOpenNameAvailable: false,
      FileObject: null,
      ImageFileName: null,
      CommandLine: null,
      ParentProcessId: 4,
      CreationStatus: STATUS.SUCCESS,
    });
    expect(infos[1]).toBeNull();
  });

  test('a NUL-separated command line, and a path of Linux', async () => {
    const file = { FileName: '\\Users\\me\\AppData\\rootfs\\bin\\bash' };
    const { infos } = await told({ path: '/bin/bash', commandLine: 'bash\0-c\0ls', file });
    expect(infos[0]).toMatchObject({
      Flags: 3,
      FileOpenNameAvailable: true,
      FileObject: file,
      ImageFileName: '/bin/bash',
      CommandLine: 'bash\0-c\0ls',
    });
  });

  test('a refusal makes the creation fail, and the process ends without having run', async () => {
    const { log, infos } = await told({ path: '/bin/bash' }, STATUS.ACCESS_DENIED);
    expect(log).toEqual([['Ex2', 12, true], ['Subsystems', 12, false], ['Ex2', 12, false], 'over']);
    expect(infos).toHaveLength(2);
  });

  test('exit with no create: a process that has never had a thread', async () => {
    const machine = await Machine.create({ capacities: { processes: 3 } });
    const log: unknown[] = [];
    const exits: number[] = [];
    const ExitProcess = ({ exitStatus }: KProcess) => {
      exits.push(exitStatus);
    };
    asProvider(machine, { ExitProcess }, function* (routines) {
      yield* watch(log);
      for (let turn = 0; turn < 3; turn++) {
        const { process } = yield* routines.CreateProcess({
          ParentProcess: machine.systemProcess,
          Context: null,
        });
        if (process !== undefined) yield* routines.TerminateProcess(process, 9);
      }
    });
    machine.run();
    expect(log).toEqual([
      ['Ex2', 12, false],
      ['Ex2', 12, false],
      ['Ex2', 12, false],
    ]);
    expect(exits).toEqual([9, 9, 9]);
  });

  test('a Win32 process beside it is none: IsSubsystemProcess is FALSE and it has a name', async () => {
    const machine = await Machine.create();
    const infos: object[] = [];
    asProvider(machine, {}, function* () {
      yield* PsSetCreateProcessNotifyRoutineEx2(
        0,
        (_process, _id, info) => {
          if (info !== null) infos.push({ ...info });
        },
        false,
      );
      processManager(machine).createProcess({
        image: 'C:\\Windows\\notepad.exe',
        main: machine.loadProgram(program('notepad', (p) => p.compute(10))),
      });
    });
    machine.run();
    expect(infos).toMatchObject([
      { IsSubsystemProcess: false, ImageFileName: '\\??\\C:\\Windows\\notepad.exe' },
    ]);
  });

  test('no PEB and no TEB: PsGetProcessPeb, PsGetCurrentThreadTeb and basic information show none', async () => {
    const machine = await Machine.create();
    const seen: unknown[] = [];
    asProvider(machine, {}, function* (routines) {
      yield* startPico(machine, routines, {
        body: function* () {
          const { process } = currentGuest('test').thread;
          seen.push(PsGetProcessPeb(process), PsGetCurrentThreadTeb());
          const basic = yield* NtQueryInformationProcess(-1, PROCESS_BASIC, 48);
          seen.push(basic.PebBaseAddress);
          const thread = yield* NtQueryInformationThread(-2, THREAD_BASIC, 48);
          seen.push(thread.TebBaseAddress);
        },
      });
    });
    machine.run();
    expect(seen).toEqual([0, 0, 0, 0]);
  });
});

describe('NtQueryInformationProcess and NtQueryInformationThread', () => {
  test('tell the subsystem of a WSL process, of exactly four bytes', async () => {
    const machine = await Machine.create();
    const seen: unknown[] = [];
    asProvider(machine, {}, function* (routines) {
      yield* startPico(machine, routines, {
        body: function* () {
          for (const length of [4, 3, 5]) {
            const process = yield* NtQueryInformationProcess(-1, PROCESS_SUBSYSTEM, length);
            const thread = yield* NtQueryInformationThread(-2, THREAD_SUBSYSTEM, length);
            seen.push([process.status, process.SubsystemInformation]);
            seen.push([thread.status, thread.SubsystemInformation]);
          }
          const bad = yield* NtQueryInformationProcess(0x44, PROCESS_SUBSYSTEM, 4);
          seen.push(bad.status);
          const extended = yield* NtQueryInformationProcess(-1, PROCESS_BASIC, 64);
          seen.push(extended);
        },
      });
    });
    machine.run();
    const mismatch = [STATUS.INFO_LENGTH_MISMATCH, undefined];
    expect(seen.slice(0, 7)).toEqual([
      [STATUS.SUCCESS, 1],
      [STATUS.SUCCESS, 1],
      mismatch,
      mismatch,
      mismatch,
      mismatch,
      STATUS.INVALID_HANDLE,
    ]);
    expect(seen[7]).toMatchObject({ IsSubsystemProcess: true });
  });
});

describe('handle callbacks', () => {
  test('are called for a WSL process as for any', async () => {
    const machine = await Machine.create();
    const opened: unknown[] = [];
    asProvider(machine, {}, function* (routines) {
      yield* ObRegisterCallbacks({
        Version: 0x100,
        Altitude: '1000',
        RegistrationContext: null,
        OperationRegistration: [
          {
            ObjectType: PsProcessType,
            Operations: 1,
            PreOperation: (_context, { Object: object }) => {
              opened.push(processIdOf(object as KProcess));
              return 0;
            },
            PostOperation: null,
          },
        ],
      });
      const body = machine.loadProgram(program('elf', (p) => p.delay(1000)));
      const process = yield* startPico(machine, routines, { body });
      yield* ObOpenObjectByPointer(
        process,
        OBJ.KERNEL_HANDLE,
        null,
        0x1000,
        PsProcessType,
        MODE.KernelMode,
      );
    });
    machine.run();
    expect(opened).toEqual([12]);
  });
});

describe('PsCreateMinimalProcess', () => {
  test('makes a process of the system without a PEB, which is no subsystem’s, and leaves the provider’s place free', async () => {
    const machine = await Machine.create();
    const seen: unknown[] = [];
    const log: unknown[] = [];
    machine.systemProcess.createThread(function* () {
      yield* watch(log, (info) => {
        if (info !== null) seen.push(info.IsSubsystemProcess, info.ImageFileName);
      });
      const { process } = yield* PsCreateMinimalProcess('Registry');
      if (process === undefined) return;
      seen.push(PsGetProcessPeb(process));
      const { handle } = yield* ObOpenObjectByPointer(
        process,
        OBJ.KERNEL_HANDLE,
        null,
        0x1fffff,
        PsProcessType,
        MODE.KernelMode,
      );
      yield* PsCreateSystemThread(0x1fffff, null, handle, () => {}, null);
      const registration = yield* PsRegisterPicoProvider(providerOf());
      seen.push(registration.status);
    });
    machine.run();
    expect(seen).toEqual([0, false, null, STATUS.SUCCESS]);
    expect(log).toEqual([
      ['legacy', 12, true],
      ['Ex', 12, true],
      ['Ex2', 12, true],
      ['thread', 12, true],
      ['Subsystems', 12, true],
      ['thread', 12, false],
      ['Subsystems', 12, false],
      ['legacy', 12, false],
      ['Ex', 12, false],
      ['Ex2', 12, false],
    ]);
  });
});

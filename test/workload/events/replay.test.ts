import { describe, expect, test } from 'vitest';
import { STATUS } from '../../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../../src/ke/ddi';
import type { Machine } from '../../../src/machine/machine';
import {
  OB_FLT_REGISTRATION_VERSION,
  OB_OPERATION,
  ObRegisterCallbacks,
} from '../../../src/ob/callbacks';
import { PsProcessType } from '../../../src/ob/types';
import { PsSetCreateProcessNotifyRoutineEx } from '../../../src/ps/register';
import { type EventReplayReport, replayEvents } from '../../../src/workload/events/replay';
import { writeEvents } from '../../../src/workload/events/write';
import { access, create, exit, history, load, read, sysmon } from './log-text';
import { hasSharedRecording, sharedRecording } from './shared';

const LIFE = [
  create(1, 8, 'a.exe', 100, { CommandLine: 'a -x' }),
  access(1.1, 100, 8, { GrantedAccess: '0x1fffff' }),
  load(1.2, 8, 'a.exe'),
  load(1.3, 8, 'System32\\ntdll.dll'),
  load(1.4, 8, 'b.dll'),
  load(1.5, 8, 'b.dll'),
  exit(2, 8, { ExitStatus: '0x5' }),
];

const different = ({ comparison }: EventReplayReport): string[] =>
  comparison.differences.map(({ difference, text }) => `${difference}: ${text}`);

const inSystem = (machine: Machine, body: () => Generator<readonly number[], void, number>) => {
  machine.systemProcess.createThread(body, { name: 'driver' });
};

describe('replayEvents', () => {
  test('lets a recorded life happen again, in order, in detail and in time', async () => {
    const report = await replayEvents(read(...LIFE));
    expect(report).toMatchObject({ actions: 6, notDone: [], result: { reason: 'idle' } });
    expect(report.comparison).toMatchObject({ paired: 7, equal: 7, differences: [] });
    expect(history(report.observed).map((line) => line.replace(/^\S+ /, ''))).toEqual([
      '12#0 creates 20#1',
      '12#0 starts 40 in 20#1',
      '12#0 opens 20#1 0x1fffff',
      '20#1 loads C:\\Windows\\a.exe',
      '20#1 loads C:\\Windows\\System32\\ntdll.dll',
      '20#1 loads C:\\Windows\\b.dll',
      '20#1 loads C:\\Windows\\b.dll',
      '40 of 20#1 ends',
      '20#1 exits',
    ]);
    expect(report.lagMaxNs).toBeLessThan(1e6);
  });

  test('has the same history every time', async () => {
    const [first, second] = [await replayEvents(read(...LIFE)), await replayEvents(read(...LIFE))];
    expect(second.digest).toBe(first.digest);
  });

  test('what it observes can be written, read and replayed in its turn, without a difference', async () => {
    const { observed } = await replayEvents(read(...LIFE));
    const again = await replayEvents(read(...writeEvents(observed)));
    expect(different(again)).toEqual([]);
    expect(again.comparison.unrecorded).toEqual(new Map());
  });

  test('tells of a creation that a driver refuses, and of what could not happen then', async () => {
    const report = await replayEvents(read(...LIFE), {
      onStart: (machine) =>
        inSystem(machine, function* () {
          yield* PsSetCreateProcessNotifyRoutineEx((_, __, info) => {
            if (info !== null) info.CreationStatus = STATUS.ACCESS_DENIED;
          }, false);
        }),
    });
    expect(report.notDone.map(({ line, why }) => `${line}: ${why}`)).toEqual([
      '1: was refused with 0xc0000022',
      '2: a.exe (8) was refused with 0xc0000022',
      '3: a.exe (8) was refused with 0xc0000022',
      '5: a.exe (8) was refused with 0xc0000022',
      '6: a.exe (8) was refused with 0xc0000022',
      '7: a.exe (8) was refused with 0xc0000022',
    ]);
    expect(different(report)).toContain('missing: the load of b.dll by a.exe (8) did not happen');
  });

  test('tells of access that a driver takes away', async () => {
    const report = await replayEvents(read(...LIFE), {
      onStart: (machine) =>
        inSystem(machine, function* () {
          yield* ObRegisterCallbacks({
            Version: OB_FLT_REGISTRATION_VERSION,
            Altitude: '1000',
            RegistrationContext: null,
            OperationRegistration: [
              {
                ObjectType: PsProcessType,
                Operations: OB_OPERATION.HANDLE_CREATE,
                PreOperation: (_, { Parameters }) => {
                  Parameters.DesiredAccess &= ~1;
                },
                PostOperation: null,
              },
            ],
          });
        }),
    });
    expect(different(report)).toEqual([
      'changed: the opening of a.exe (8) by parent.exe (100) has granted access 0x1ffffe, recorded is 0x1fffff',
    ]);
  });

  test('goes on without what a driver holds up for ever', async () => {
    const report = await replayEvents(read(...LIFE), {
      onStart: (machine) => {
        const never = machine.createEvent('notification');
        inSystem(machine, function* () {
          yield* PsSetCreateProcessNotifyRoutineEx(function* (_, __, info) {
            if (info === null) return;
            yield* KeWaitForSingleObject(
              ...([never, KWAIT_REASON.Executive, MODE.KernelMode, false, null] as const),
            );
          }, false);
        });
      },
    });
    expect(report.notDone[0]).toEqual({
      action: 'create',
      line: 1,
      why: 'has not ended after 60 s, or never will',
    });
    expect(report.result.reason).toBe('idle');
  });

  test('makes remote threads, and tells drivers of drivers', async () => {
    const report = await replayEvents(
      read(
        sysmon(6, 1, { ImageLoaded: 'C:\\Windows\\d.sys' }),
        sysmon(8, 2, { SourceProcessId: 10, TargetProcessId: 20, NewThreadId: 24 }),
      ),
    );
    expect(different(report)).toEqual([]);
    expect(report.comparison.paired).toBe(2);
  });
});

describe.skipIf(!hasSharedRecording)('a recording of Windows 10', () => {
  test('happens again: 2,072 of 2,078 events in order and in detail', async () => {
    const report = await replayEvents(sharedRecording());
    expect(report.notDone).toEqual([]);
    expect(report.comparison).toMatchObject({ paired: 2078, equal: 2072 });
    // ntdll.dll is mapped with the executable; here another process did something in between.
    expect(report.comparison.differences.map(({ difference }) => difference)).toEqual(
      Array(6).fill('moved'),
    );
  });
});

import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { KeRaiseIrql } from '../../src/ke/irql';
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
import type { PSCREATETHREADNOTIFYTYPE } from '../../src/ps/thread-notify';
import { runGuest } from '../ke/guest';

const SUBSYSTEMS = PSCREATEPROCESSNOTIFYTYPE.PsCreateProcessNotifySubsystems;
const routine = () => {};

describe('registration', () => {
  test('ps.notify-001: PsSetCreateProcessNotifyRoutine takes NULL for a routine', async () => {
    const { value } = await runGuest(function* () {
      return [
        yield* PsSetCreateProcessNotifyRoutine(null, true),
        yield* PsSetCreateProcessNotifyRoutine(null, false),
        yield* PsSetCreateProcessNotifyRoutine(null, true),
        yield* PsSetCreateProcessNotifyRoutine(null, true),
      ];
    });
    expect(value).toEqual([
      STATUS.PROCEDURE_NOT_FOUND,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.PROCEDURE_NOT_FOUND,
    ]);
  });

  test('ps.notify-002: PsSetCreateProcessNotifyRoutine removes what it has added, once', async () => {
    const { value } = await runGuest(function* () {
      return [
        yield* PsSetCreateProcessNotifyRoutine(routine, true),
        yield* PsSetCreateProcessNotifyRoutine(routine, false),
        yield* PsSetCreateProcessNotifyRoutine(routine, true),
        yield* PsSetCreateProcessNotifyRoutine(routine, true),
      ];
    });
    expect(value).toEqual([
      STATUS.PROCEDURE_NOT_FOUND,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.PROCEDURE_NOT_FOUND,
    ]);
  });

  test('ps.notify-006: PsSetLoadImageNotifyRoutine and PsRemoveLoadImageNotifyRoutine, with NULL and with a routine', async () => {
    const { value } = await runGuest(function* () {
      return [
        yield* PsRemoveLoadImageNotifyRoutine(null),
        yield* PsSetLoadImageNotifyRoutine(null),
        yield* PsRemoveLoadImageNotifyRoutine(null),
        yield* PsRemoveLoadImageNotifyRoutine(null),
        yield* PsRemoveLoadImageNotifyRoutine(routine),
        yield* PsSetLoadImageNotifyRoutine(routine),
        yield* PsRemoveLoadImageNotifyRoutine(routine),
        yield* PsRemoveLoadImageNotifyRoutine(routine),
      ];
    });
    expect(value).toEqual([
      STATUS.PROCEDURE_NOT_FOUND,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.PROCEDURE_NOT_FOUND,
      STATUS.PROCEDURE_NOT_FOUND,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.PROCEDURE_NOT_FOUND,
    ]);
  });

  test('a routine is removed by the routine that has added it', async () => {
    const { value } = await runGuest(function* () {
      yield* PsSetCreateProcessNotifyRoutineEx(routine, false);
      return [
        yield* PsSetCreateProcessNotifyRoutine(routine, true),
        yield* PsSetCreateProcessNotifyRoutineEx2(SUBSYSTEMS, routine, true),
        yield* PsSetCreateProcessNotifyRoutineEx(routine, true),
      ];
    });
    expect(value).toEqual([STATUS.PROCEDURE_NOT_FOUND, STATUS.PROCEDURE_NOT_FOUND, STATUS.SUCCESS]);
  });

  test('PsSetCreateProcessNotifyRoutineEx2 knows one type', async () => {
    const { value } = await runGuest(function* () {
      return yield* PsSetCreateProcessNotifyRoutineEx2(
        1 as PSCREATEPROCESSNOTIFYTYPE,
        routine,
        false,
      );
    });
    expect(value).toBe(STATUS.INVALID_PARAMETER);
  });

  test('PsSetCreateThreadNotifyRoutineEx knows two types', async () => {
    const { value } = await runGuest(function* () {
      return [
        yield* PsSetCreateThreadNotifyRoutineEx(0, routine),
        yield* PsSetCreateThreadNotifyRoutineEx(1, routine),
        yield* PsSetCreateThreadNotifyRoutineEx(2 as PSCREATETHREADNOTIFYTYPE, routine),
      ];
    });
    expect(value).toEqual([STATUS.SUCCESS, STATUS.SUCCESS, STATUS.INVALID_PARAMETER]);
  });

  test('PsRemoveCreateThreadNotifyRoutine removes a registration at a time, of either routine', async () => {
    const { value } = await runGuest(function* () {
      yield* PsSetCreateThreadNotifyRoutine(routine);
      yield* PsSetCreateThreadNotifyRoutineEx(0, routine);
      return [
        yield* PsRemoveCreateThreadNotifyRoutine(routine),
        yield* PsRemoveCreateThreadNotifyRoutine(routine),
        yield* PsRemoveCreateThreadNotifyRoutine(routine),
      ];
    });
    expect(value).toEqual([STATUS.SUCCESS, STATUS.SUCCESS, STATUS.PROCEDURE_NOT_FOUND]);
  });

  test('PsSetLoadImageNotifyRoutineEx knows one flag', async () => {
    const { value } = await runGuest(function* () {
      return [
        yield* PsSetLoadImageNotifyRoutineEx(routine, 1),
        yield* PsSetLoadImageNotifyRoutineEx(routine, 2),
      ];
    });
    expect(value).toEqual([STATUS.SUCCESS, STATUS.INVALID_PARAMETER_2]);
  });

  test('a process-notify routine is registered once, others as often as asked', async () => {
    const { value } = await runGuest(function* () {
      return [
        yield* PsSetCreateProcessNotifyRoutine(routine, false),
        yield* PsSetCreateProcessNotifyRoutine(routine, false),
        yield* PsSetCreateThreadNotifyRoutine(routine),
        yield* PsSetCreateThreadNotifyRoutine(routine),
        yield* PsSetLoadImageNotifyRoutine(routine),
        yield* PsSetLoadImageNotifyRoutine(routine),
      ];
    });
    expect(value).toEqual([
      STATUS.SUCCESS,
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
    ]);
  });

  test('duplicateProcessNotify lets a process-notify routine be registered twice', async () => {
    const { value } = await runGuest(function* (machine) {
      processManager(machine).switches.duplicateProcessNotify = true;
      return [
        yield* PsSetCreateProcessNotifyRoutineEx(routine, false),
        yield* PsSetCreateProcessNotifyRoutineEx(routine, false),
      ];
    });
    expect(value).toEqual([STATUS.SUCCESS, STATUS.SUCCESS]);
  });

  test.each([
    [
      'PsSetCreateProcessNotifyRoutine',
      (r: () => void) => PsSetCreateProcessNotifyRoutine(r, false),
      STATUS.INVALID_PARAMETER,
    ],
    [
      'PsSetCreateThreadNotifyRoutine',
      PsSetCreateThreadNotifyRoutine,
      STATUS.INSUFFICIENT_RESOURCES,
    ],
    ['PsSetLoadImageNotifyRoutine', PsSetLoadImageNotifyRoutine, STATUS.INSUFFICIENT_RESOURCES],
  ])('%s takes 64 routines', async (_name, register, full) => {
    const { value } = await runGuest(function* () {
      const statuses: number[] = [];
      for (let count = 0; count < 65; count++) statuses.push(yield* register(() => {}));
      return statuses;
    });
    expect(value).toEqual([...Array<number>(64).fill(STATUS.SUCCESS), full]);
  });

  test('process-notify routines of all kinds share 64 slots', async () => {
    const { value } = await runGuest(function* () {
      for (let count = 0; count < 21; count++) {
        yield* PsSetCreateProcessNotifyRoutine(() => {}, false);
        yield* PsSetCreateProcessNotifyRoutineEx(() => {}, false);
        yield* PsSetCreateProcessNotifyRoutineEx2(SUBSYSTEMS, () => {}, false);
      }
      return [
        yield* PsSetCreateProcessNotifyRoutineEx2(SUBSYSTEMS, routine, false),
        yield* PsSetCreateProcessNotifyRoutineEx(routine, false),
      ];
    });
    expect(value).toEqual([STATUS.SUCCESS, STATUS.INVALID_PARAMETER]);
  });

  test('needs PASSIVE_LEVEL', async () => {
    await expect(
      runGuest(function* () {
        KeRaiseIrql(IRQL.APC_LEVEL);
        yield* PsSetCreateProcessNotifyRoutineEx(routine, false);
      }),
    ).rejects.toThrow('PsSetCreateProcessNotifyRoutineEx was called at APC_LEVEL (1)');
  });
});

import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import type { ImageInfo } from '../../src/ps/image';
import { LdrLoadDll, LdrUnloadDll, notifyDriverImage } from '../../src/ps/load-services';
import { processManager } from '../../src/ps/manager';
import { PsSetLoadImageNotifyRoutine, PsSetLoadImageNotifyRoutineEx } from '../../src/ps/register';
import { runGuest } from '../ke/guest';
import { runUser } from './user';

test('LdrLoadDll tells of a DLL and of what it imports, once', async () => {
  const { seen } = await runUser(function* (machine, note) {
    processManager(machine).images.describe('C:\\Windows\\System32\\a.dll', { imports: ['b.dll'] });
    yield* PsSetLoadImageNotifyRoutine((name, process) => note([name, process]));
    note((yield* LdrLoadDll('a.dll')).status);
    note((yield* LdrLoadDll('a.dll')).status);
  });
  expect(seen).toEqual([
    ['\\Device\\HarddiskVolume3\\Windows\\System32\\a.dll', 12],
    ['\\Device\\HarddiskVolume3\\Windows\\System32\\b.dll', 12],
    STATUS.SUCCESS,
    STATUS.SUCCESS,
  ]);
});

test('LdrUnloadDll takes an image out by its address', async () => {
  const { seen } = await runUser(function* (_machine, note) {
    const { baseAddress } = yield* LdrLoadDll('a.dll');
    note(yield* LdrUnloadDll(baseAddress ?? 0));
    note(yield* LdrUnloadDll(baseAddress ?? 0));
  });
  expect(seen).toEqual([STATUS.SUCCESS, STATUS.DLL_NOT_FOUND]);
});

test('an image of another architecture is told of to routines that ask for such only', async () => {
  const { seen } = await runUser(function* (machine, note) {
    processManager(machine).images.describe('C:\\arm.dll', { machine: 'arm64' });
    yield* PsSetLoadImageNotifyRoutine(() => note('plain'));
    yield* PsSetLoadImageNotifyRoutineEx((_name, _id, info) => note(info.MachineTypeMismatch), 1);
    yield* LdrLoadDll('C:\\arm.dll');
  });
  expect(seen).toEqual([true]);
});

test('a driver is told of with process id 0, as an image of system mode', async () => {
  const { value } = await runGuest(function* () {
    const seen: unknown[] = [];
    yield* PsSetLoadImageNotifyRoutine((name, process, info: ImageInfo) => {
      seen.push([name, process, info.SystemModeImage, info.Extended.FileObject.FileName === name]);
    });
    yield* notifyDriverImage('C:\\Windows\\System32\\drivers\\flt.sys');
    return seen;
  });
  expect(value).toEqual([
    ['\\Device\\HarddiskVolume3\\Windows\\System32\\drivers\\flt.sys', 0, true, true],
  ]);
});

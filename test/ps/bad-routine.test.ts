import { expect, test } from 'vitest';
import {
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutine,
} from '../../src/ps/register';
import { PsCreateSystemThread } from '../../src/ps/system-thread';
import { Machine } from '../../src/machine/machine';
import { processManager } from '../../src/ps/manager';
import { runGuest } from '../ke/guest';

test.each([
  [undefined, 'undefined'],
  [Number.NaN, 'NaN'],
  ['x', "'x', a string"],
  [2 ** 33, '8589934592'],
])('PsSetCreateProcessNotifyRoutineEx: CreationStatus %s is an error', async (status, words) => {
  const run = runGuest(function* (machine) {
    yield* PsSetCreateProcessNotifyRoutineEx((_process, _id, info) => {
      if (info !== null) info.CreationStatus = status as number;
    }, false);
    processManager(machine).createProcess({ image: 'odd.exe' });
  });
  await expect(run).rejects.toThrow(
    `CreationStatus of the PS_CREATE_NOTIFY_INFO of process 'odd.exe' is ${words}; give an NTSTATUS, an integer of 32 bits, such as STATUS.SUCCESS`,
  );
});

test('PsCreateSystemThread and PsSetCreateProcessNotifyRoutineEx say of what is no routine whose it is', async () => {
  await expect(
    runGuest(() => PsCreateSystemThread(0, null, null, undefined as never, 0) as never),
  ).rejects.toThrow('PsCreateSystemThread: StartRoutine is undefined; give a function');
  await expect(
    runGuest(() => PsSetCreateProcessNotifyRoutineEx(5 as never, false) as never),
  ).rejects.toThrow(
    'PsSetCreateProcessNotifyRoutineEx: NotifyRoutine is 5; give a function, or null',
  );
  await expect(
    runGuest(() => PsSetCreateThreadNotifyRoutine({} as never) as never),
  ).rejects.toThrow(
    'PsSetCreateThreadNotifyRoutine: NotifyRoutine is an object; give a function, or null',
  );
});

test('createProcess of the process manager refuses unknown options, and one without an image', async () => {
  const ps = processManager(await Machine.create());
  expect(() => ps.createProcess({ image: 'a.exe', suspend: true } as never)).toThrow(
    "'suspend' is no option of createProcess; did you mean 'suspended'?",
  );
  expect(() => ps.createProcess({} as never)).toThrow(
    'createProcess: image is undefined; give the path of an executable',
  );
});

import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { Request } from '../../src/machine/guest';
import {
  type DriverImageOptions,
  type DriverOptions,
  IMAGE_DLLCHARACTERISTICS,
} from '../../src/machine/driver';
import { Machine } from '../../src/machine/machine';
import {
  OB_FLT_REGISTRATION_VERSION,
  OB_OPERATION,
  OB_PREOP_SUCCESS,
  type ObPreOperationCallback,
  ObRegisterCallbacks,
} from '../../src/ob/callbacks';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { PsProcessType } from '../../src/ob/types';
import type { ImageInfo } from '../../src/ps/image';
import { PSCREATEPROCESSNOTIFYTYPE } from '../../src/ps/process-notify';
import {
  PsSetCreateProcessNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateProcessNotifyRoutineEx2,
  PsSetCreateThreadNotifyRoutine,
  PsSetLoadImageNotifyRoutine,
} from '../../src/ps/register';

const SUBSYSTEMS = PSCREATEPROCESSNOTIFYTYPE.PsCreateProcessNotifySubsystems;
const NOTHING = () => undefined;

function registration(PreOperation: ObPreOperationCallback, Altitude = '321000') {
  return {
    Version: OB_FLT_REGISTRATION_VERSION,
    Altitude,
    RegistrationContext: null,
    OperationRegistration: [
      {
        ObjectType: PsProcessType,
        Operations: OB_OPERATION.HANDLE_CREATE,
        PreOperation,
        PostOperation: null,
      },
    ],
  };
}

/** A driver whose DriverEntry does one thing, and whose DriverUnload does nothing. */
function driver(
  entry: () => Iterable<Request, unknown, number>,
  image: DriverImageOptions = {},
): DriverOptions {
  return {
    name: 'protect',
    image,
    *DriverEntry() {
      yield* entry();
      return STATUS.SUCCESS;
    },
    DriverUnload: NOTHING,
  };
}

/** What the registrations of a driver come to that has an image. */
async function statusesOf(image: DriverImageOptions): Promise<number[]> {
  const machine = await Machine.create();
  const statuses: number[] = [];
  machine.loadDriver(
    driver(function* () {
      statuses.push(
        yield* PsSetCreateProcessNotifyRoutine(() => {}, false),
        yield* PsSetCreateProcessNotifyRoutineEx(() => {}, false),
        yield* PsSetCreateProcessNotifyRoutineEx2(SUBSYSTEMS, () => {}, false),
        (yield* ObRegisterCallbacks(registration(() => OB_PREOP_SUCCESS))).status,
      );
    }, image),
  );
  machine.run();
  return statuses;
}

describe('the image of the driver that registers', () => {
  test('with FORCE_INTEGRITY is one whose routines are taken', async () => {
    expect(await statusesOf({})).toEqual([0, 0, 0, 0]);
  });

  test.each([
    ['not linked with /INTEGRITYCHECK', { dllCharacteristics: IMAGE_DLLCHARACTERISTICS.NX_COMPAT }],
    ['not signed', { signed: false }],
  ])('%s: Ex, Ex2 and ObRegisterCallbacks return STATUS_ACCESS_DENIED', async (_what, image) => {
    expect(await statusesOf(image)).toEqual([
      STATUS.SUCCESS,
      STATUS.ACCESS_DENIED,
      STATUS.ACCESS_DENIED,
      STATUS.ACCESS_DENIED,
    ]);
  });

  test('does not matter to a routine that is taken back', async () => {
    const machine = await Machine.create();
    const seen: number[] = [];
    machine.loadDriver(
      driver(
        function* () {
          seen.push(yield* PsSetCreateProcessNotifyRoutineEx(NOTHING, true));
        },
        { signed: false },
      ),
    );
    machine.run();
    expect(seen).toEqual([STATUS.PROCEDURE_NOT_FOUND]);
  });
});

describe('a driver that is unloaded with a callback left', () => {
  test.each([
    [
      'process-notify routine protect!onProcess',
      () => PsSetCreateProcessNotifyRoutineEx(function onProcess() {}, false),
    ],
    [
      'thread-notify routine protect!onThread',
      () => PsSetCreateThreadNotifyRoutine(function onThread() {}),
    ],
    [
      'load-image-notify routine protect!onImage',
      () => PsSetLoadImageNotifyRoutine(function onImage() {}),
    ],
    [
      'pre-operation callback protect!onHandle',
      () => ObRegisterCallbacks(registration(function onHandle() {})),
    ],
  ])('%s: the machine stops and names it', async (left, register) => {
    const machine = await Machine.create();
    const loaded = machine.loadDriver(driver(register));
    machine.run();
    loaded.unload();
    expect(machine.run()).toMatchObject({
      code: BUGCHECK.DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS,
      parameters: [0xfffff80100000800n, 0n, 0xfffff80100000800n, 0n],
      cause: { message: `driver 'protect' was unloaded and left ${left}` },
    });
  });

  test('by a DriverEntry that failed after it had registered stops it too', async () => {
    const machine = await Machine.create();
    machine.loadDriver({
      name: 'hasty',
      *DriverEntry() {
        yield* PsSetCreateThreadNotifyRoutine(function onThread() {});
        return STATUS.INSUFFICIENT_RESOURCES;
      },
    });
    expect(machine.run()).toMatchObject({
      code: BUGCHECK.DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS,
      cause: {
        message: "driver 'hasty' was unloaded and left thread-notify routine hasty!onThread",
      },
    });
  });
});

describe('the stack of a bugcheck names the driver', () => {
  test('whose notify routine threw', async () => {
    const machine = await Machine.create();
    machine.loadDriver(
      driver(() =>
        PsSetCreateThreadNotifyRoutine(function onThread(_process, _thread, create) {
          if (!create) throw new Error('no memory');
        }),
      ),
    );
    machine.run();
    machine.createProcess({ name: 'victim' }).createThread(function* main() {});
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      stack: ['protect!onThread', 'PspExitThread'],
    });
  });

  test('whose pre-operation callback, a generator, threw', async () => {
    const machine = await Machine.create();
    machine.loadDriver(
      driver(() =>
        ObRegisterCallbacks(
          registration(function* onHandle() {
            yield* KeDelayExecutionThread(MODE.KernelMode, false, -10);
            throw new Error('no memory');
          }),
        ),
      ),
    );
    machine.run();
    const process = machine.createProcess({ name: 'victim' });
    process.createThread(function* main() {
      yield* ObOpenObjectByPointer(process, 0, null, 0x1fffff, PsProcessType, MODE.UserMode);
    });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      stack: ['protect!onHandle', 'ObOpenObjectByPointer', 'main'],
    });
  });
});

test('a driver that is loaded is told of as an image of process 0, before its DriverEntry', async () => {
  const machine = await Machine.create();
  const log: unknown[] = [];
  machine.loadDriver({
    ...driver(() =>
      PsSetLoadImageNotifyRoutine((name, process, info: ImageInfo) => {
        log.push([name, process, info.SystemModeImage, info.ImageBase, info.ImageSize]);
      }),
    ),
    name: 'watcher',
  });
  machine.loadDriver(
    driver(
      function* () {
        log.push('DriverEntry');
        yield* PsSetCreateThreadNotifyRoutine(NOTHING);
      },
      { base: 0x7000_0000, size: 0x3000 },
    ),
  );
  machine.run();
  expect(log).toEqual([
    ['\\SystemRoot\\System32\\drivers\\protect.sys', 0, true, 0x7000_0000, 0x3000],
    'DriverEntry',
  ]);
});

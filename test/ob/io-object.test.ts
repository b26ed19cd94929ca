import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { IoCreateDevice, IoDeleteDevice } from '../../src/ex/device';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { DriverObject } from '../../src/machine/driver';
import { Machine } from '../../src/machine/machine';
import { OBJ } from '../../src/ob/attributes';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { ObReferenceObjectByName } from '../../src/ob/namespace';
import { NtQueryObject, OBJECT_INFORMATION_CLASS } from '../../src/ob/query';
import { ObDereferenceObject, ObGetObjectType, ObReferenceObject } from '../../src/ob/reference';
import { IoDeviceObjectType, IoDriverObjectType } from '../../src/ob/types';

const NAME = OBJECT_INFORMATION_CLASS.ObjectNameInformation;
const TYPE = OBJECT_INFORMATION_CLASS.ObjectTypeInformation;

/** A machine with a driver that has a device, and one thread that does what `body` says. */
async function withDriver(
  body: (driver: DriverObject, note: (what: unknown) => void) => Generator<readonly number[], void>,
) {
  const machine = await Machine.create();
  const seen: unknown[] = [];
  const driver = machine.loadDriver({
    name: 'Sample',
    DriverEntry(driverObject) {
      IoCreateDevice(driverObject, null, '\\Device\\Sample0', 0x22, 0, false);
      return STATUS.SUCCESS;
    },
    DriverUnload(driverObject) {
      for (const device of [...driverObject.devices]) IoDeleteDevice(device);
    },
  });
  machine.run();
  machine.systemProcess.createThread(() => body(driver, (what) => seen.push(what)));
  const result = machine.run();
  if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
  return { machine, driver, seen };
}

test('a driver and its device are found by name, and are of their types', async () => {
  const { seen } = await withDriver(function* (driver, note) {
    for (const [name, type] of [
      ['\\Driver\\sample', IoDriverObjectType],
      ['\\Device\\SAMPLE0', IoDeviceObjectType],
    ] as const) {
      const { status, object } = yield* ObReferenceObjectByName(
        ...([name, OBJ.CASE_INSENSITIVE, 0, type, MODE.KernelMode] as const),
      );
      note([status, object === driver || object === driver.devices[0]]);
      if (object === undefined) continue;
      note(ObGetObjectType(object).name);
      yield* ObDereferenceObject(object);
    }
    const none = yield* ObReferenceObjectByName(
      ...(['\\Driver\\sample', 0, 0, IoDriverObjectType, MODE.KernelMode] as const),
    );
    note(none.status);
  });
  expect(seen).toEqual([
    [STATUS.SUCCESS, true],
    'Driver',
    [STATUS.SUCCESS, true],
    'Device',
    STATUS.OBJECT_NAME_NOT_FOUND,
  ]);
});

test('references of the object manager and of the I/O manager are one count', async () => {
  const { seen } = await withDriver(function* (driver, note) {
    note(driver.pointerCount);
    note([ObReferenceObject(driver), driver.pointerCount]);
    note([ObReferenceObject(driver), driver.pointerCount]);
    driver.reference();
    note(yield* ObDereferenceObject(driver));
    note(yield* ObDereferenceObject(driver));
    driver.dereference();
    note(driver.pointerCount);
  });
  expect(seen).toEqual([2, [3, 3], [4, 3], 4, 3, 2]);
});

test('a reference keeps a driver loaded that is being unloaded', async () => {
  const { seen, driver } = await withDriver(function* (driver, note) {
    ObReferenceObject(driver);
    driver.unload();
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
    note(driver.state);
    yield* ObDereferenceObject(driver);
    note(driver.state);
  });
  expect(seen).toEqual(['unloading', 'unloaded']);
  expect(driver.pointerCount).toBe(0);
});

test('a handle to a driver tells its name, and how many drivers there are', async () => {
  const { seen } = await withDriver(function* (driver, note) {
    const { handle } = yield* ObOpenObjectByPointer(
      ...([
        driver,
        OBJ.KERNEL_HANDLE,
        null,
        0x1f01ff,
        IoDriverObjectType,
        MODE.KernelMode,
      ] as const),
    );
    note((yield* NtQueryObject(handle, NAME, 100)).Name?.Buffer);
    const { TypeName, TotalNumberOfObjects, TotalNumberOfHandles } = yield* NtQueryObject(
      ...([handle, TYPE, 200] as const),
    );
    note([TypeName, TotalNumberOfObjects, TotalNumberOfHandles]);
  });
  expect(seen).toEqual(['\\Driver\\Sample', ['Driver', 1, 1]]);
});

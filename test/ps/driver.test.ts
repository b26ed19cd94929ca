import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { IoCreateDevice, IoDeleteDevice } from '../../src/ex/device';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeInitializeDpc } from '../../src/ke/dpc';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { KeSetTimer } from '../../src/ke/timer';
import {
  type DeviceObject,
  type DriverObject,
  type DriverOptions,
  DriverUnloadError,
  IMAGE_DLLCHARACTERISTICS,
} from '../../src/machine/driver';
import { currentGuest, driverOf } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { ZwLoadDriver, ZwUnloadDriver } from '../../src/ps/driver';
import {
  IoCreateSystemThread,
  PsCreateSystemThread,
  PsIsSystemThread,
} from '../../src/ps/system-thread';
import { runGuest } from '../ke/guest';

const sleep = (ms: number) => KeDelayExecutionThread(MODE.KernelMode, false, ms * -10_000);
const succeed = () => STATUS.SUCCESS;
const unload = () => undefined;
const SERVICES = '\\Registry\\Machine\\System\\CurrentControlSet\\Services\\';

/** Loads a driver into a new machine and runs it. */
async function load(options: DriverOptions): Promise<{ machine: Machine; driver: DriverObject }> {
  const machine = await Machine.create();
  const driver = machine.loadDriver(options);
  machine.run();
  return { machine, driver };
}

describe('loadDriver', () => {
  test('calls DriverEntry in a system thread of the System process at PASSIVE_LEVEL', async () => {
    const seen: unknown[] = [];
    const { machine, driver } = await load({
      name: 'sample',
      *DriverEntry(driverObject, registryPath) {
        const { machine, thread } = currentGuest('test');
        yield* sleep(1);
        seen.push(driverObject, registryPath, machine.irql(), PsIsSystemThread(thread));
        seen.push(thread.process, thread.kernelApcDisable, driverObject.state, driverOf('test'));
        return STATUS.SUCCESS;
      },
    });
    expect(seen).toEqual([
      driver,
      `${SERVICES}sample`,
      IRQL.PASSIVE_LEVEL,
      true,
      machine.systemProcess,
      0,
      'loading',
      driver,
    ]);
    expect([driver.state, driver.status, driver.DriverName]).toEqual([
      'loaded',
      STATUS.SUCCESS,
      '\\Driver\\sample',
    ]);
    expect([machine.drivers.find('SAMPLE'), machine.drivers.list]).toEqual([driver, [driver]]);
  });

  test('takes a DriverEntry that is no generator, and leaves the machine at rest', async () => {
    const machine = await Machine.create();
    const driver = machine.loadDriver({ name: 'plain', DriverEntry: succeed });
    expect([driver.state, driver.status]).toEqual(['loading', STATUS.PENDING]);
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect(driver.state).toBe('loaded');
  });

  test('loads one after the other, in the order in which it was asked', async () => {
    const machine = await Machine.create({ processors: 4 });
    const log: string[] = [];
    for (const name of ['first', 'second', 'third']) {
      machine.loadDriver({
        name,
        *DriverEntry() {
          log.push(`${name} begins`);
          yield* sleep(5);
          log.push(`${name} ends`);
          return STATUS.SUCCESS;
        },
      });
    }
    machine.run();
    expect(log).toEqual([
      'first begins',
      'first ends',
      'second begins',
      'second ends',
      'third begins',
      'third ends',
    ]);
  });

  test('does not call DriverUnload of a driver whose DriverEntry fails, and lets go of it', async () => {
    let unloaded = false;
    const { machine, driver } = await load({
      name: 'failing',
      DriverEntry: () => STATUS.INSUFFICIENT_RESOURCES,
      DriverUnload: () => {
        unloaded = true;
      },
    });
    expect([driver.state, driver.status, unloaded]).toEqual([
      'failed',
      STATUS.INSUFFICIENT_RESOURCES,
      false,
    ]);
    expect(machine.drivers.list).toEqual([]);
  });

  test('keeps a driver whose DriverEntry returns another success', async () => {
    const { driver } = await load({ name: 'late', DriverEntry: () => STATUS.PENDING });
    expect([driver.state, driver.status]).toEqual(['loaded', STATUS.PENDING]);
  });

  test('places images behind each other unless they are given a base', async () => {
    const machine = await Machine.create();
    const [first, second, third] = [{}, {}, { base: 0x7000_0000, size: 0x3000 }].map(
      (image, index) => machine.loadDriver({ name: `d${index}`, image, DriverEntry: succeed }),
    );
    expect([first?.DriverStart, second?.DriverStart, third?.DriverStart]).toEqual([
      0xfffff80100000000, 0xfffff80101000000, 0x70000000,
    ]);
    expect([first?.DriverSize, third?.DriverSize]).toEqual([0x10000, 0x3000]);
    expect(first?.image.path).toBe('\\SystemRoot\\System32\\drivers\\d0.sys');
  });

  test.each([
    [{}, true],
    [{ dllCharacteristics: IMAGE_DLLCHARACTERISTICS.FORCE_INTEGRITY }, true],
    [{ dllCharacteristics: IMAGE_DLLCHARACTERISTICS.NX_COMPAT }, false],
    [{ signed: false }, false],
  ])('an image %o has forced integrity: %s', async (image, expected) => {
    const { driver } = await load({ name: 'checked', image, DriverEntry: succeed });
    expect(driver.forceIntegrity).toBe(expected);
  });

  test('calls what waits for images before DriverEntry', async () => {
    const machine = await Machine.create();
    const log: string[] = [];
    machine.drivers.onLoad(function* (driver) {
      yield* sleep(1);
      log.push(`${driver.name} is in memory`);
    });
    machine.loadDriver({
      name: 'watched',
      DriverEntry: () => {
        log.push('DriverEntry');
        return STATUS.SUCCESS;
      },
    });
    machine.run();
    expect(log).toEqual(['watched is in memory', 'DriverEntry']);
  });

  test('what DriverEntry throws is SYSTEM_THREAD_EXCEPTION_NOT_HANDLED', async () => {
    const machine = await Machine.create();
    machine.loadDriver({
      name: 'throwing',
      DriverEntry: () => {
        throw new Error('no device');
      },
    });
    expect(machine.run()).toMatchObject({
      code: 0x7e,
      stack: ['throwing!DriverEntry', 'IopLoadUnloadDriver'],
    });
  });

  test.each([
    [{ name: 'a\\b', DriverEntry: succeed }, "name is 'a\\b'; give that of a service, without \\"],
    [{ name: 'a' }, "driver 'a' has no DriverEntry; give one"],
    [{ name: 'a', DriverEntry: succeed, entry: 1 }, "'entry' is no field of a driver"],
    [{ name: 'a', DriverEntry: succeed, image: { size: 1 } }, 'image.size is 1; give an integer'],
  ])('refuses %o', async (options, message) => {
    const machine = await Machine.create();
    expect(() => machine.loadDriver(options as unknown as DriverOptions)).toThrow(message);
  });

  test('refuses a second driver of a name, and a DriverEntry without a status', async () => {
    const { machine } = await load({ name: 'twice', DriverEntry: succeed });
    expect(() => machine.loadDriver({ name: 'Twice', DriverEntry: succeed })).toThrow(
      "driver 'Twice' is loaded; unload it first",
    );
    machine.loadDriver({ name: 'void', DriverEntry: (() => undefined) as never });
    expect(() => machine.run()).toThrow(
      "what DriverEntry of driver 'void' returned is undefined; give an NTSTATUS, an integer of 32 bits, such as STATUS.SUCCESS",
    );
  });
});

describe('unloading a driver', () => {
  test('calls the DriverUnload that DriverEntry has set', async () => {
    const log: unknown[] = [];
    const { machine, driver } = await load({
      name: 'own',
      DriverEntry: (driverObject) => {
        driverObject.DriverUnload = function* (unloading) {
          yield* sleep(1);
          log.push(unloading, unloading.state, currentGuest('test').machine.irql());
        };
        return STATUS.SUCCESS;
      },
    });
    driver.unload();
    machine.run();
    expect(log).toEqual([driver, 'unloading', IRQL.PASSIVE_LEVEL]);
    expect([driver.state, machine.drivers.list]).toEqual(['unloaded', []]);
  });

  test('is refused without a DriverUnload, and twice', async () => {
    const { machine, driver } = await load({ name: 'staying', DriverEntry: succeed });
    expect(() => driver.unload()).toThrow('(STATUS_INVALID_DEVICE_REQUEST)');
    driver.DriverUnload = unload;
    driver.unload();
    expect(() => driver.unload()).toThrow(
      "driver 'staying' is unloading; only a loaded one is unloaded",
    );
    machine.run();
    expect(driver.state).toBe('unloaded');
  });

  test('lets the name be loaded again', async () => {
    const { machine, driver } = await load({
      name: 'again',
      DriverEntry: succeed,
      DriverUnload: unload,
    });
    driver.unload();
    machine.run();
    const second = machine.loadDriver({ name: 'again', DriverEntry: succeed });
    machine.run();
    expect([second.state, second === driver, machine.drivers.find('again')]).toEqual([
      'loaded',
      false,
      second,
    ]);
  });

  test('waits for what refers to its devices', async () => {
    let device: DeviceObject | undefined;
    const { machine, driver } = await load({
      name: 'held',
      DriverEntry: (driverObject) => {
        device = IoCreateDevice(driverObject, { count: 1 }, null, 0x22, 0, false).deviceObject;
        device?.reference();
        return STATUS.SUCCESS;
      },
      DriverUnload: (driverObject) => IoDeleteDevice(driverObject.DeviceObject as DeviceObject),
    });
    expect(device?.deviceExtension).toEqual({ count: 1 });
    driver.unload();
    machine.run();
    expect([driver.state, device?.deletePending]).toEqual(['unloading', true]);
    device?.dereference();
    expect([driver.state, driver.devices]).toEqual(['unloaded', []]);
  });

  test('that has left a thread is DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS', async () => {
    const machine = await Machine.create();
    const driver = machine.loadDriver({
      name: 'leaky',
      *DriverEntry() {
        yield* PsCreateSystemThread(
          0,
          null,
          null,
          function* pump() {
            yield* sleep(1000);
          },
          null,
        );
        return STATUS.SUCCESS;
      },
      DriverUnload: unload,
    });
    machine.run({ until: 10_000_000 });
    driver.unload();
    const result = machine.run();
    expect(result).toMatchObject({ code: 0xce });
    expect(String(result.reason === 'bugcheck' && result.cause)).toBe(
      "DriverUnloadError: driver 'leaky' was unloaded and left system thread 'pump'",
    );
  });

  test('does not look at threads that have ended', async () => {
    const { machine, driver } = await load({
      name: 'tidy',
      *DriverEntry() {
        yield* PsCreateSystemThread(0, null, null, () => undefined, null);
        return STATUS.SUCCESS;
      },
      DriverUnload: unload,
    });
    driver.unload();
    machine.run();
    expect(driver.state).toBe('unloaded');
  });

  test('is held up by a thread of IoCreateSystemThread', async () => {
    const machine = await Machine.create();
    const driver = machine.loadDriver({
      name: 'patient',
      *DriverEntry(driverObject) {
        yield* IoCreateSystemThread(
          driverObject,
          0,
          null,
          null,
          function* () {
            yield* sleep(1000);
          },
          null,
        );
        return STATUS.SUCCESS;
      },
      DriverUnload: unload,
    });
    machine.run({ until: 10_000_000 });
    driver.unload();
    machine.run({ until: 20_000_000 });
    const during = driver.state;
    machine.run();
    expect([during, driver.state]).toEqual(['unloading', 'unloaded']);
  });

  test('that has left a set timer with its DPC is a bugcheck that names the routine', async () => {
    const machine = await Machine.create();
    const driver = machine.loadDriver({
      name: 'ticking',
      *DriverEntry() {
        const timer = machine.createTimer('notification');
        const dpc = KeInitializeDpc(function onTick() {}, null);
        yield* KeSetTimer(timer, -10_000_000, dpc);
        return STATUS.SUCCESS;
      },
      DriverUnload: unload,
    });
    machine.run({ until: 10_000_000 });
    driver.unload();
    const result = machine.run({ until: 20_000_000 });
    expect(result).toMatchObject({
      code: 0xce,
      parameters: [0xfffff80100000800n, 0n, 0xfffff80100000800n, 0n],
      cause: expect.any(DriverUnloadError),
    });
    expect(String(result.reason === 'bugcheck' && result.cause)).toBe(
      "DriverUnloadError: driver 'ticking' was unloaded and left a DPC of onTick, queued or of a timer",
    );
  });

  test('asks the checks of others', async () => {
    const { machine, driver } = await load({
      name: 'checked',
      DriverEntry: succeed,
      DriverUnload: unload,
    });
    const asked: unknown[] = [];
    machine.drivers.onUnload((unloaded) => {
      asked.push(unloaded);
      return [{ what: 'a callback' }];
    });
    driver.unload();
    expect(machine.run()).toMatchObject({ code: 0xce });
    expect(asked).toEqual([driver]);
  });
});

describe('driverOf', () => {
  test('is the driver whose code runs, in its threads and DPCs too', async () => {
    const seen: (string | undefined)[] = [];
    const note = () => seen.push(driverOf('test')?.name);
    const { machine } = await load({
      name: 'noted',
      *DriverEntry() {
        note();
        yield* PsCreateSystemThread(0, null, null, note as never, null);
        KeInitializeDpc(note as never, null).insert();
        yield* sleep(1);
        note();
        return STATUS.SUCCESS;
      },
    });
    machine.systemProcess.createThread(function* () {
      note();
      yield* sleep(1);
    });
    machine.run();
    expect(seen).toEqual(['noted', 'noted', 'noted', 'noted', undefined]);
  });
});

describe('IoCreateDevice', () => {
  test('gives each named device once', async () => {
    const { value } = await runGuest(function* (machine, thread) {
      const driver = machine.loadDriver({ name: 'named', DriverEntry: succeed });
      yield* KeWaitForSingleObject(thread, KWAIT_REASON.Executive, MODE.KernelMode, false, -10_000);
      const create = (name: string | null) => IoCreateDevice(driver, null, name, 0x22, 0, false);
      const first = create('\\Device\\One');
      const second = create('\\DEVICE\\one');
      const third = create(null);
      const devices = [driver.DeviceObject === third.deviceObject, driver.devices.length];
      IoDeleteDevice(first.deviceObject as DeviceObject);
      const fourth = create('\\Device\\One');
      return [first.status, second.status, third.status, fourth.status, ...devices];
    });
    expect(value).toEqual([0, STATUS.OBJECT_NAME_COLLISION, 0, 0, true, 2]);
  });
});

describe('ZwLoadDriver and ZwUnloadDriver', () => {
  test('load and unload what is known by the path of its service', async () => {
    const { value } = await runGuest(function* (machine) {
      const path = `${SERVICES}Loadable`;
      machine.drivers.define({ name: 'loadable', DriverEntry: succeed, DriverUnload: unload });
      return [
        yield* ZwLoadDriver(path),
        machine.drivers.find(path)?.state,
        yield* ZwLoadDriver(path),
        yield* ZwUnloadDriver(path),
        machine.drivers.find(path),
        yield* ZwUnloadDriver(path),
      ];
    });
    expect(value).toEqual([
      STATUS.SUCCESS,
      'loaded',
      STATUS.IMAGE_ALREADY_LOADED,
      STATUS.SUCCESS,
      undefined,
      STATUS.OBJECT_NAME_NOT_FOUND,
    ]);
  });

  test('report what DriverEntry returned, an unknown service and a driver that stays', async () => {
    const { value } = await runGuest(function* (machine) {
      machine.drivers.define({ name: 'bad', DriverEntry: () => STATUS.NOT_SUPPORTED });
      machine.drivers.define({ name: 'staying', DriverEntry: succeed });
      return [
        yield* ZwLoadDriver(`${SERVICES}bad`),
        yield* ZwLoadDriver(`${SERVICES}nothing`),
        yield* ZwLoadDriver(`${SERVICES}staying`),
        yield* ZwUnloadDriver(`${SERVICES}staying`),
      ];
    });
    expect(value).toEqual([
      STATUS.NOT_SUPPORTED,
      STATUS.OBJECT_NAME_NOT_FOUND,
      STATUS.SUCCESS,
      STATUS.INVALID_DEVICE_REQUEST,
    ]);
  });
});

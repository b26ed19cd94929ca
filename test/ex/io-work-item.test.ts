import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { IoCreateDevice, IoDeleteDevice } from '../../src/ex/device';
import {
  IoAllocateWorkItem,
  IoFreeWorkItem,
  IoInitializeWorkItem,
  IoQueueWorkItem,
  IoQueueWorkItemEx,
  IoSizeofWorkItem,
  IoTryQueueWorkItem,
  IoUninitializeWorkItem,
  IoWorkItem,
} from '../../src/ex/io-work-item';
import { WORK_QUEUE_TYPE } from '../../src/ex/worker';
import { KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeAreApcsDisabled, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { ExGetPreviousMode } from '../../src/ke/mode';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { type DeviceObject, DriverObject } from '../../src/machine/driver';
import { isGenerator } from '../../src/machine/generator';
import { currentGuest, driverOf } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { PsIsSystemThread } from '../../src/ps/system-thread';

const DELAYED = WORK_QUEUE_TYPE.DelayedWorkQueue;
const wait = (object: Parameters<typeof KeWaitForSingleObject>[0]) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
const sleep = (ms: number) => KeDelayExecutionThread(MODE.KernelMode, false, ms * -10_000);

type Steps<T = void> = Generator<readonly number[], T, number>;

/** Runs `entry` as the DriverEntry of a driver with one device, and lets the machine come to rest. */
async function drive<T>(entry: (device: DeviceObject, machine: Machine) => Steps<T>) {
  const machine = await Machine.create();
  let value: T | undefined;
  const driver = machine.loadDriver({
    name: 'sample',
    *DriverEntry(driverObject) {
      const { deviceObject } = IoCreateDevice(driverObject, null, null, 0x22, 0, false);
      value = yield* entry(deviceObject as DeviceObject, machine);
      return STATUS.SUCCESS;
    },
    DriverUnload: (driverObject) => {
      IoDeleteDevice(driverObject.DeviceObject as DeviceObject);
    },
  });
  return { machine, driver, result: machine.run(), value };
}

describe('IoQueueWorkItem', () => {
  test('ex.worker-001: the routine runs in a system worker thread, in the System process', async () => {
    const { value } = await drive(function* (device, machine) {
      const done = machine.createEvent('notification');
      const seen: unknown[] = [];
      const item = IoAllocateWorkItem(device);
      yield* IoQueueWorkItem(
        item,
        function* (deviceObject, context) {
          const { thread } = currentGuest('test');
          seen.push(PsIsSystemThread(thread), thread.process === machine.systemProcess);
          seen.push(ExGetPreviousMode(), KeAreApcsDisabled(), machine.irql());
          seen.push(deviceObject === device, context, driverOf('test')?.name);
          IoFreeWorkItem(item);
          yield* KeSetEvent(done, 0, false);
        },
        DELAYED,
        'context',
      );
      yield* wait(done);
      return seen;
    });
    expect(value).toEqual([
      true,
      true,
      MODE.KernelMode,
      false,
      IRQL.PASSIVE_LEVEL,
      true,
      'context',
      'sample',
    ]);
  });

  test('refers to the device until the routine has returned, so that the driver stays', async () => {
    const states: unknown[] = [];
    const { machine, driver } = await drive(function* (device) {
      const item = IoAllocateWorkItem(device);
      const before = device.pointerCount;
      yield* IoQueueWorkItem(
        item,
        function* () {
          states.push(device.pointerCount);
          yield* sleep(100);
          states.push([device.deletePending, device.driverObject.state]);
        },
        DELAYED,
        null,
      );
      states.push([before, device.pointerCount]);
      device.driverObject.machine.systemProcess.createThread(function* () {
        yield* sleep(50);
        device.driverObject.unload();
        yield* sleep(10);
        states.push(device.driverObject.state);
      });
    });
    machine.run();
    expect(states).toEqual([[1, 2], 2, 'unloading', [true, 'unloading']]);
    expect([driver.state, machine.drivers.list]).toEqual(['unloaded', []]);
  });

  test('gives the routine of IoQueueWorkItemEx the object and the item', async () => {
    const { value } = await drive(function* (device, machine) {
      const done = machine.createEvent('notification');
      const item = new IoWorkItem();
      IoInitializeWorkItem(device.driverObject, item);
      const seen: unknown[] = [];
      yield* IoQueueWorkItemEx(
        item,
        function* (ioObject, context, ioWorkItem) {
          seen.push(ioObject instanceof DriverObject, context, ioWorkItem === item);
          IoUninitializeWorkItem(ioWorkItem);
          yield* KeSetEvent(done, 0, false);
        },
        WORK_QUEUE_TYPE.CriticalWorkQueue,
        7,
      );
      yield* wait(done);
      return [IoSizeofWorkItem(), ...seen];
    });
    expect(value).toEqual([0x58, true, 7, true]);
  });

  test('may queue the item again from its routine', async () => {
    const { value } = await drive(function* (device, machine) {
      const done = machine.createEvent('notification');
      const item = IoAllocateWorkItem(device);
      const contexts: unknown[] = [];
      function* routine(_device: DeviceObject, context: unknown): Steps {
        contexts.push(context);
        if (context === 3) yield* KeSetEvent(done, 0, false);
        else yield* IoQueueWorkItem(item, routine, DELAYED, Number(context) + 1);
      }
      yield* IoQueueWorkItem(item, routine, DELAYED, 1);
      yield* wait(done);
      yield* sleep(1);
      return [contexts, device.pointerCount];
    });
    expect(value).toEqual([[1, 2, 3], 1]);
  });
});

describe('IoTryQueueWorkItem', () => {
  test('is FALSE for an item that is queued, whose call stays what it was', async () => {
    const { value } = await drive(function* (device) {
      const contexts: unknown[] = [];
      const routine = (_device: DeviceObject, context: unknown) => {
        contexts.push(context);
      };
      const item = IoAllocateWorkItem(device);
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      const tried = [
        yield* IoTryQueueWorkItem(item, routine, DELAYED, 'first'),
        yield* IoTryQueueWorkItem(item, routine, DELAYED, 'second'),
      ];
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      yield* sleep(1);
      tried.push(yield* IoTryQueueWorkItem(item, routine, DELAYED, 'third'));
      yield* sleep(1);
      return [tried, contexts, device.pointerCount];
    });
    expect(value).toEqual([[true, false, true], ['first', 'third'], 1]);
  });
});

describe('an I/O work item', () => {
  const ITEM = 0xffffa80000000800n;
  const OTHER = 0xffffa80000001000n;
  const ROUTINE = 0xfffff80100000800n;

  type Misuse = (item: IoWorkItem) => unknown;
  const again = (item: IoWorkItem) => IoQueueWorkItem(item, () => undefined, DELAYED, null);

  test.each<[string, Misuse, readonly bigint[]]>([
    [
      'queued',
      function* (item) {
        yield* again(item);
      },
      [1n, ITEM, 1n, 0n],
    ],
    ['freed', IoFreeWorkItem, [2n, ITEM, ROUTINE, 0n]],
    ['uninitialized', IoUninitializeWorkItem, [2n, ITEM, ROUTINE, 0n]],
  ])('%s while it is queued is WORKER_INVALID', async (_name, misuse, parameters) => {
    const { result } = await drive(function* (device) {
      const item = IoAllocateWorkItem(device);
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* IoQueueWorkItem(item, () => undefined, DELAYED, null);
      const rest = misuse(item);
      if (isGenerator(rest)) yield* rest;
    });
    expect(result).toMatchObject({ code: 0xe4, parameters });
  });

  test('queued after it was freed is WORKER_INVALID', async () => {
    const { result } = await drive(function* (device) {
      const item = IoAllocateWorkItem(device);
      IoFreeWorkItem(item);
      yield* again(item);
    });
    expect(result).toMatchObject({ code: 0xe4, parameters: [3n, ITEM, 0n, 0n] });
  });

  test('of a driver object is WORKER_INVALID for IoQueueWorkItem', async () => {
    const { result } = await drive(function* (device) {
      const item = IoAllocateWorkItem(device.driverObject);
      yield* IoQueueWorkItem(item, () => undefined, DELAYED, null);
    });
    expect(result).toMatchObject({ code: 0xe4, parameters: [3n, ITEM, OTHER, 0n] });
  });

  test('of what is no object of the I/O manager is WORKER_INVALID', async () => {
    const { result } = await drive(function* () {
      yield* sleep(1);
      IoAllocateWorkItem({} as DeviceObject);
    });
    expect(result).toMatchObject({ code: 0xe4, parameters: [3n, ITEM, OTHER, 0n] });
  });

  test('whose routine returns at a raised level is told of by that', async () => {
    const { result } = await drive(function* (device) {
      const item = IoAllocateWorkItem(device);
      yield* IoQueueWorkItem(
        item,
        function onWork() {
          KeRaiseIrql(IRQL.APC_LEVEL);
        },
        DELAYED,
        9,
      );
      yield* sleep(10);
    });
    expect(result).toMatchObject({ code: 0xe1, parameters: [ROUTINE, 1n, 9n, ITEM] });
  });
});

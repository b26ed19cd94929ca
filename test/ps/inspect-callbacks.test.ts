import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { Machine } from '../../src/machine/machine';
import {
  OB_FLT_REGISTRATION_VERSION,
  OB_OPERATION,
  OB_PREOP_SUCCESS,
  ObRegisterCallbacks,
} from '../../src/ob/callbacks';
import { PsProcessType } from '../../src/ob/types';
import { inspectProcess, inspectThread } from '../../src/ps/inspect';
import { inspectCallbacks } from '../../src/ps/inspect-callbacks';
import { knownProcessManager, processManager } from '../../src/ps/manager';
import {
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutineEx,
  PsSetLoadImageNotifyRoutineEx,
} from '../../src/ps/register';

test('inspectCallbacks of a machine without any finds none, and makes nothing', async () => {
  const machine = await Machine.create();
  expect(inspectCallbacks(machine)).toEqual({ process: [], thread: [], image: [], object: [] });
  expect(knownProcessManager(machine)).toBeUndefined();
});

test('inspectCallbacks tells who has registered what, where and how', async () => {
  const machine = await Machine.create();
  const event = machine.createEvent('notification');
  machine.loadDriver({
    name: 'watch',
    *DriverEntry() {
      yield* PsSetCreateProcessNotifyRoutineEx(function onProcess() {}, false);
      yield* PsSetCreateThreadNotifyRoutineEx(0, function* onThread() {
        yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      });
      yield* PsSetLoadImageNotifyRoutineEx(function onImage() {}, 1);
      yield* ObRegisterCallbacks({
        Version: OB_FLT_REGISTRATION_VERSION,
        Altitude: '321000.50',
        RegistrationContext: null,
        OperationRegistration: [
          {
            ObjectType: PsProcessType,
            Operations: OB_OPERATION.HANDLE_CREATE | OB_OPERATION.HANDLE_DUPLICATE,
            PreOperation: function onHandle() {
              return OB_PREOP_SUCCESS;
            },
            PostOperation: null,
          },
        ],
      });
      return STATUS.SUCCESS;
    },
  });
  machine.run();
  const creation = processManager(machine).createProcess({ image: 'C:\\a.exe' });
  machine.run();
  const base = 0xfffff80100000000;
  expect(inspectCallbacks(machine)).toEqual({
    process: [
      {
        slot: 0,
        routine: 'watch!onProcess',
        address: base + 0x800,
        driver: 'watch',
        registeredBy: 'PsSetCreateProcessNotifyRoutineEx',
        callsUnderWay: 0,
      },
    ],
    thread: [
      {
        slot: 0,
        routine: 'watch!onThread',
        address: base + 0x1000,
        driver: 'watch',
        registeredBy: 'PsSetCreateThreadNotifyRoutineEx (NonSystem)',
        callsUnderWay: 1,
      },
    ],
    image: [
      {
        slot: 0,
        routine: 'watch!onImage',
        address: base + 0x1800,
        driver: 'watch',
        registeredBy: 'PsSetLoadImageNotifyRoutineEx',
        callsUnderWay: 0,
      },
    ],
    object: [
      {
        objectType: 'Process',
        altitude: '321000.50',
        operations: ['CREATE', 'DUPLICATE'],
        preOperation: { routine: 'watch!onHandle', address: base + 0x2000, driver: 'watch' },
        callsUnderWay: 0,
      },
    ],
  });
  expect(creation.thread && inspectThread(creation.thread)).toMatchObject({
    stack: ['KeWaitForSingleObject', 'watch!onThread', "thread 'waits to be terminated'"],
  });
});

test('a process is told with its session, PEB and protection, a thread with its TEB', async () => {
  const machine = await Machine.create();
  const creation = processManager(machine).createProcess({
    image: 'C:\\a.exe',
    sessionId: 2,
    protection: 0x31,
  });
  machine.run();
  expect(creation.process && inspectProcess(creation.process)).toMatchObject({
    sessionId: 2,
    peb: 0x7f_a000_2000,
    protection: 0x31,
    threads: [{ teb: 0x7f_f000_6000 }],
  });
  const system = inspectProcess(machine.systemProcess);
  expect(system.sessionId).toBe(0);
  expect(system).not.toHaveProperty('peb');
  expect(system).not.toHaveProperty('protection');
});

import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { KeWaitForSingleObject } from '../ke/ddi';
import { systemCallTime } from '../ke/mode';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import type { Machine } from '../machine/machine';
import type { KEvent } from '../machine/views';

/** Loading and unloading of drivers by guests; `machine.loadDriver` does it from outside. */

/** Has the loading thread do something, and waits until it has. */
function* request(machine: Machine, ask: (done: KEvent) => void): Generator<Request, void, number> {
  const done = machine.createEvent('notification');
  ask(done);
  yield* KeWaitForSingleObject(done, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
  done.delete();
}

/** What both services begin with. */
function* beginService(routine: string): Generator<Request, Machine, number> {
  requireIrql(routine, VIOLATION.IrqlZwPassive, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  yield systemCallTime(machine);
  return machine;
}

/**
 * Loads a driver that `machine.drivers.define` or an earlier load has made known, by the registry path
 * of its service; its DriverEntry runs in another thread.
 *
 * @returns what DriverEntry returned; OBJECT_NAME_NOT_FOUND for a service that is not known;
 *   IMAGE_ALREADY_LOADED.
 * @irql PASSIVE_LEVEL   @nt ZwLoadDriver
 */
export function ZwLoadDriver(driverServiceName: string): NtCall<number> {
  const routine = 'ZwLoadDriver';
  return new NtCall(routine, () => loadDriver(routine, driverServiceName));
}

function* loadDriver(
  routine: string,
  driverServiceName: string,
): Generator<Request, number, number> {
  const machine = yield* beginService(routine);
  const service = machine.drivers.service(driverServiceName);
  if (service === undefined) return STATUS.OBJECT_NAME_NOT_FOUND;
  if (machine.drivers.find(driverServiceName) !== undefined) return STATUS.IMAGE_ALREADY_LOADED;
  let status: number = STATUS.PENDING;
  yield* request(machine, (done) => {
    const driver = machine.drivers.requestLoad(service, () => {
      status = driver.status;
      done.set();
    });
  });
  return status;
}

/**
 * Unloads a driver by the registry path of its service: its DriverUnload runs in another thread. It is
 * gone when nobody refers to it or its devices any more, which may be later.
 *
 * @returns SUCCESS; OBJECT_NAME_NOT_FOUND if it is not loaded; INVALID_DEVICE_REQUEST if it has no
 *   DriverUnload, or is being unloaded.
 * @irql PASSIVE_LEVEL   @nt ZwUnloadDriver
 */
export function ZwUnloadDriver(driverServiceName: string): NtCall<number> {
  const routine = 'ZwUnloadDriver';
  return new NtCall(routine, () => unloadDriver(routine, driverServiceName));
}

function* unloadDriver(
  routine: string,
  driverServiceName: string,
): Generator<Request, number, number> {
  const machine = yield* beginService(routine);
  const driver = machine.drivers.find(driverServiceName);
  if (driver === undefined) return STATUS.OBJECT_NAME_NOT_FOUND;
  if (driver.state !== 'loaded' || driver.DriverUnload === null)
    return STATUS.INVALID_DEVICE_REQUEST;
  yield* request(machine, (done) => machine.drivers.requestUnload(driver, () => done.set()));
  return STATUS.SUCCESS;
}

import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { DeviceObject, type DriverObject } from '../machine/driver';
import { currentGuest } from '../machine/guest';

/** Devices of drivers: what work items and system threads refer to. There are no I/O requests. */

/**
 * Creates a device of a driver. `deviceExtension` is what the driver keeps with it; Windows takes its
 * size. Names are compared without regard to case.
 *
 * @returns SUCCESS with the device; OBJECT_NAME_COLLISION if another has the name.
 * @irql PASSIVE_LEVEL   @nt IoCreateDevice (partial: nothing can be sent to a device)
 */
export function IoCreateDevice(
  driverObject: DriverObject,
  deviceExtension: unknown,
  deviceName: string | null,
  deviceType: number,
  deviceCharacteristics: number,
  _exclusive: boolean,
): { readonly status: number; readonly deviceObject: DeviceObject | undefined } {
  requireIrql('IoCreateDevice', VIOLATION.IrqlIoPassive, IRQL.PASSIVE_LEVEL);
  const { drivers } = currentGuest('IoCreateDevice').machine;
  const key = deviceName?.toLowerCase();
  const devices = drivers.list.flatMap((driver) => driver.devices);
  if (key !== undefined && devices.some(({ name }) => name?.toLowerCase() === key))
    return { status: STATUS.OBJECT_NAME_COLLISION, deviceObject: undefined };
  const deviceObject = new DeviceObject(
    driverObject,
    deviceName ?? undefined,
    deviceType,
    deviceCharacteristics,
    deviceExtension,
  );
  return { status: STATUS.SUCCESS, deviceObject };
}

/**
 * Deletes a device: at once, or when the last who refers to it does so no more. Until then its driver
 * stays loaded.
 *
 * @irql at most APC_LEVEL   @nt IoDeleteDevice
 */
export function IoDeleteDevice(deviceObject: DeviceObject): void {
  requireIrql('IoDeleteDevice', VIOLATION.IrqlIoApcLte, IRQL.APC_LEVEL);
  deviceObject.delete();
}

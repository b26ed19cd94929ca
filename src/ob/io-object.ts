import { DeviceObject, DriverObject, type IoObject } from '../machine/driver';
import type { Machine } from '../machine/machine';
import { ObjectDirectory } from './directory';
import { headerOf, type ObjectHeader } from './object';
import { IoDeviceObjectType, IoDriverObjectType } from './types';

/** Drivers and devices in the namespace: the I/O manager has them, their directories look there. */

/** By the last component of their names. */
type Named = readonly (readonly [name: string, object: IoObject])[];

class IoDirectory extends ObjectDirectory {
  constructor(
    machine: Machine,
    private readonly objects: (machine: Machine) => Named,
  ) {
    super(machine);
  }

  override lookup(name: string, caseInsensitive: boolean): ObjectHeader | undefined {
    const key = name.toLowerCase();
    const found = this.objects(this.machine).find(([of]) =>
      caseInsensitive ? of.toLowerCase() === key : of === name,
    );
    return found === undefined ? super.lookup(name, caseInsensitive) : this.named(found);
  }

  override get entries(): readonly ObjectHeader[] {
    return [...super.entries, ...this.objects(this.machine).map((each) => this.named(each))];
  }

  /** Its name is not counted: the I/O manager takes it away with the object. */
  private named([name, object]: Named[number]): ObjectHeader {
    const header = headerOf('IoDirectory', object);
    header.name = name;
    header.directory = this;
    header.permanent = true;
    return header;
  }
}

const devicesOf = ({ drivers }: Machine) => drivers.list.flatMap(({ devices }) => devices);
const leaf = (path: string) => path.slice(path.lastIndexOf('\\') + 1);

/** \Driver */
export function driverDirectory(machine: Machine): ObjectDirectory {
  return new IoDirectory(machine, ({ drivers }) =>
    drivers.list.map((driver) => [driver.name, driver] as const),
  );
}

/** \Device */
export function deviceDirectory(machine: Machine): ObjectDirectory {
  return new IoDirectory(machine, (of) =>
    devicesOf(of).flatMap((device) =>
      device.name === undefined ? [] : [[leaf(device.name), device] as const],
    ),
  );
}

IoDriverObjectType.procedures = {
  queryName: (driver) => (driver instanceof DriverObject ? driver.DriverName : undefined),
  count: ({ drivers }) => drivers.list.length,
};
IoDeviceObjectType.procedures = {
  queryName: (device) => (device instanceof DeviceObject ? device.name : undefined),
  count: (machine) => devicesOf(machine).length,
};

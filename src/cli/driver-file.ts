import {
  type DriverObject,
  type DriverOptions,
  type Machine,
  MachineError,
  type RunResult,
} from '../index';
import { importDefault } from './module-file';

/** What a driver's file exports by default, or a function of the library that gives it. */
type DriverModule = Omit<DriverOptions, 'name'> & { readonly name?: string };

function isDriver(value: unknown): value is DriverModule {
  return typeof value === 'object' && value !== null && 'DriverEntry' in value;
}

export interface DriverFile {
  readonly file: string;
  readonly options: DriverOptions;
}

/**
 * Imports a driver's file: a module whose default export is what `machine.loadDriver` takes, or a
 * function that is given the library and returns that.
 *
 * @throws MachineError if it cannot be imported or has no DriverEntry.
 */
export async function importDriver(file: string): Promise<DriverFile> {
  const module = await importDefault(file, 'driver');
  if (!isDriver(module) || typeof module.DriverEntry !== 'function') {
    throw new MachineError(
      `${file}: its default export is no driver; export { name, DriverEntry }, or a function (ntps) => that`,
    );
  }
  const name = module.name ?? file.replace(/^.*[\\/]/, '').replace(/\.[^.]*$/, '');
  return { file, options: { ...module, name } };
}

/** Drivers of files, in a machine. */
export class LoadedDrivers {
  readonly drivers: DriverObject[] = [];
  #machine: Machine | undefined;

  constructor(private readonly files: readonly DriverFile[]) {}

  /** Asks for them to be loaded; their DriverEntry runs with the machine. */
  load(machine: Machine): void {
    this.#machine = machine;
    for (const { options } of this.files) this.drivers.push(machine.loadDriver(options));
  }

  /** Unloads those that can be, the last first, and lets the machine run for a second of its time. */
  unload(): RunResult | undefined {
    for (const driver of [...this.drivers].reverse()) {
      if (driver.state === 'loaded' && driver.DriverUnload !== null) driver.unload();
    }
    const machine = this.#machine;
    return machine?.run({ until: machine.now + 1e9 });
  }
}

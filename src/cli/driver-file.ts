import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type DriverObject, type DriverOptions, type Machine, MachineError } from '../index';
import * as ntps from '../index';

/** What a driver's file exports by default, or a function of the library that gives it. */
type DriverModule = Omit<DriverOptions, 'name'> & { readonly name?: string };

function isDriver(value: unknown): value is DriverModule {
  return typeof value === 'object' && value !== null && 'DriverEntry' in value;
}

export interface DriverFile {
  readonly file: string;
  readonly options: DriverOptions;
}

/** Why a file cannot be imported, and what to do. */
function unusable(file: string, error: unknown): MachineError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    return new MachineError(
      `${file}: this Node.js (${process.version}) does not run TypeScript; compile it with tsc, or use Node.js 22.18 or newer`,
    );
  }
  const why = error instanceof Error ? error.message : String(error);
  return new MachineError(
    `${file}: this driver cannot be imported (${why}); if it imports ntps, install that beside it, or export a function (ntps) => ({ name, DriverEntry })`,
  );
}

/**
 * Imports a driver's file: a module whose default export is what `machine.loadDriver` takes, or a
 * function that is given the library and returns that.
 *
 * @throws MachineError if it cannot be imported or has no DriverEntry.
 */
export async function importDriver(file: string): Promise<DriverFile> {
  const url = pathToFileURL(resolve(file)).href;
  const imported: { readonly default?: unknown } = await import(url).catch((error: unknown) => {
    throw unusable(file, error);
  });
  const exported = imported.default;
  const module: unknown =
    typeof exported === 'function'
      ? (exported as (library: typeof ntps) => unknown)(ntps)
      : exported;
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
  unload(): ntps.RunResult | undefined {
    for (const driver of [...this.drivers].reverse()) {
      if (driver.state === 'loaded' && driver.DriverUnload !== null) driver.unload();
    }
    const machine = this.#machine;
    return machine?.run({ until: machine.now + 1e9 });
  }
}

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Machine, MachineError, STATUS } from '../index';
import * as ntps from '../index';

/** What a driver's file exports by default, or a function of the library that gives it. */
interface DriverModule {
  readonly name?: string;
  /** DRIVER_INITIALIZE. */
  readonly DriverEntry: (
    driverObject: { readonly DriverName: string; DriverUnload: unknown },
    registryPath: string,
  ) => number | Generator<readonly number[], number, number>;
}

function isDriver(value: unknown): value is DriverModule {
  return typeof value === 'object' && value !== null && 'DriverEntry' in value;
}

export interface LoadedDriver {
  readonly file: string;
  readonly name: string;
  readonly module: DriverModule;
  /** What its DriverEntry returned; STATUS.PENDING before. */
  status: number;
}

/**
 * Imports a driver's file: a module whose default export is `{ name, DriverEntry }`, or a function
 * that is given the library and returns that.
 *
 * @throws MachineError if it cannot be imported or has no DriverEntry.
 */
export async function importDriver(file: string): Promise<LoadedDriver> {
  const url = pathToFileURL(resolve(file)).href;
  const imported: { readonly default?: unknown } = await import(url).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new MachineError(
      `${file}: this driver cannot be imported (${why}); if it imports ntps, install that beside it, or export a function (ntps) => ({ name, DriverEntry })`,
    );
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
  return { file, name, module, status: STATUS.PENDING };
}

/** Calls a driver's DriverEntry in a thread of the system. */
export function startDriver(machine: Machine, driver: LoadedDriver): void {
  const { name, module } = driver;
  machine.systemProcess.createThread(
    function* () {
      const driverObject = { DriverName: `\\Driver\\${name}`, DriverUnload: null };
      const path = `\\Registry\\Machine\\System\\CurrentControlSet\\Services\\${name}`;
      const result = module.DriverEntry(driverObject, path);
      driver.status = typeof result === 'object' ? yield* result : result;
    },
    { name: `driver ${name}` },
  );
}

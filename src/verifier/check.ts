import type { DriverOptions } from '../machine/driver';
import { Machine } from '../machine/machine';
import type { MachineOptions } from '../machine/options';
import type { RunResult } from '../machine/result';
import type { Finding } from './finding';
import { Neighbourhood, type NeighbourNames } from './neighbours';
import { SCENARIO_NS, startScenario } from './scenario';
import { type VerifyOptions, verifyDrivers } from './verify';

export interface CheckOptions extends Omit<VerifyOptions, 'drivers'> {
  /** What happens while the driver is loaded. Default: processes, threads, images and handles of every kind. */
  readonly scenario?: (machine: Machine) => void | Promise<void>;
  /** What the driver must put up with: drivers that are loaded first, and what goes on beside the scenario. Default nothing. */
  readonly neighbours?: NeighbourNames;
  readonly machine?: MachineOptions;
  /** Virtual time that the scenario is given, ns. Default 1 s. */
  readonly untilNs?: number;
}

/** What became of a driver. */
export interface CheckedDriver {
  readonly findings: readonly Finding[];
  /** How the run ended. */
  readonly result: RunResult;
  /** What DriverEntry returned. */
  readonly status: number;
}

const DEADLOCK = 'LK-06';

/**
 * Loads a driver on a machine of its own, has processes, threads, images and handles come and go, and
 * unloads it if it can be.
 *
 * @returns what it did against the rules.
 * @throws MachineError for a rule or a neighbour that is not known.
 */
export async function checkDriver(
  driver: DriverOptions,
  options: CheckOptions = {},
): Promise<CheckedDriver> {
  const { scenario = startScenario, neighbours = [], untilNs = SCENARIO_NS } = options;
  const beside = new Neighbourhood(neighbours);
  const machine = await Machine.create({ processors: 2, ...options.machine });
  const verification = verifyDrivers(machine, { ...options, drivers: [driver.name] });
  beside.boot(machine);
  beside.load(machine);
  const loaded = machine.loadDriver(driver);
  let result = machine.run({ until: untilNs / 10 });
  // Threads that wait in a circle are found at the end of a run: what comes after would hide them.
  const goesOn = () =>
    (result.reason === 'time' || result.reason === 'idle') &&
    !verification.ended(result).some(({ rule }) => rule === DEADLOCK);
  if (goesOn()) {
    await scenario(machine);
    beside.start();
    result = machine.run({ until: untilNs });
  }
  if (goesOn() && loaded.state === 'loaded' && loaded.DriverUnload !== null) {
    loaded.unload();
    result = machine.run({ until: untilNs * 2 });
  }
  const findings = verification.ended(result);
  verification.stop();
  return { findings, result, status: loaded.status };
}

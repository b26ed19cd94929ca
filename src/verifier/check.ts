import type { DriverOptions } from '../machine/driver';
import { MachineError } from '../machine/errors';
import { Machine } from '../machine/machine';
import type { MachineOptions } from '../machine/options';
import type { RunResult } from '../machine/result';
import type { Finding } from './finding';
import { NEIGHBOURS } from './neighbours';
import { SCENARIO_NS, startScenario } from './scenario';
import { type VerifyOptions, verifyDrivers } from './verify';

export interface CheckOptions extends Omit<VerifyOptions, 'drivers'> {
  /** What happens while the driver is loaded. Default: processes, threads, images and handles of every kind. */
  readonly scenario?: (machine: Machine) => void;
  /** Drivers that are loaded first, and that do what the driver must put up with. Default none. */
  readonly neighbours?: 'all' | readonly string[];
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

function neighboursOf(names: CheckOptions['neighbours'] = []): DriverOptions[] {
  const known = Object.keys(NEIGHBOURS);
  return (names === 'all' ? known : names).map((name) => {
    const make = NEIGHBOURS[name];
    if (make === undefined)
      throw new MachineError(
        `checkDriver: '${name}' is no neighbour; known: ${known.join(', ')}, or 'all'`,
      );
    return make();
  });
}

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
  const { scenario = startScenario, neighbours, untilNs = SCENARIO_NS } = options;
  const machine = await Machine.create({ processors: 2, ...options.machine });
  const verification = verifyDrivers(machine, { ...options, drivers: [driver.name] });
  for (const neighbour of neighboursOf(neighbours)) machine.loadDriver(neighbour);
  const loaded = machine.loadDriver(driver);
  let result = machine.run({ until: untilNs / 10 });
  const goesOn = () => result.reason === 'time' || result.reason === 'idle';
  if (goesOn()) {
    scenario(machine);
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

import type { DriverOptions } from '../machine/driver';
import { MachineError } from '../machine/errors';
import { Machine } from '../machine/machine';
import type { MachineOptions } from '../machine/options';
import type { RunResult } from '../machine/result';
import type { Finding } from './finding';
import { NEIGHBOURS, type Neighbour } from './neighbours';
import { SCENARIO_NS, startScenario } from './scenario';
import { type VerifyOptions, verifyDrivers } from './verify';

export interface CheckOptions extends Omit<VerifyOptions, 'drivers'> {
  /** What happens while the driver is loaded. Default: processes, threads, images and handles of every kind. */
  readonly scenario?: (machine: Machine) => void;
  /** What the driver must put up with: drivers that are loaded first, and what goes on beside the scenario. Default nothing. */
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

function neighboursOf(names: CheckOptions['neighbours'] = []): Neighbour[] {
  const known = Object.keys(NEIGHBOURS);
  const all = known.filter((name) => NEIGHBOURS[name]?.forbids !== true);
  return (names === 'all' ? all : names).map((name) => {
    const neighbour = NEIGHBOURS[name];
    if (neighbour === undefined)
      throw new MachineError(
        `checkDriver: '${name}' is no neighbour; known: ${known.join(', ')}, or 'all'`,
      );
    return neighbour;
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
  const beside = neighboursOf(neighbours);
  const machine = await Machine.create({ processors: 2, ...options.machine });
  const verification = verifyDrivers(machine, { ...options, drivers: [driver.name] });
  const starts = beside.map((each) => each.boot?.(machine) ?? (() => each.start?.(machine)));
  for (const each of beside) {
    if (each.driver !== undefined) machine.loadDriver(each.driver());
  }
  const loaded = machine.loadDriver(driver);
  let result = machine.run({ until: untilNs / 10 });
  const goesOn = () => result.reason === 'time' || result.reason === 'idle';
  if (goesOn()) {
    scenario(machine);
    for (const start of starts) start();
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

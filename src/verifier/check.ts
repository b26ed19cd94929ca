import type { DriverOptions } from '../machine/driver';
import { MachineError } from '../machine/errors';
import { Machine } from '../machine/machine';
import { requireOptions } from '../machine/given';
import type { MachineOptions } from '../machine/options';
import { requireInteger } from '../machine/profile';
import type { RunResult } from '../machine/result';
import type { Finding } from './finding';
import { Neighbourhood, type NeighbourNames } from './neighbours';
import { SCENARIO_NS, startScenario } from './scenario';
import { VERIFY_OPTIONS, type VerifyOptions, verifyDrivers } from './verify';

export interface CheckOptions extends Omit<VerifyOptions, 'drivers'> {
  /** What happens while the driver is loaded. Default: processes, threads, images and handles of every kind. */
  readonly scenario?: (machine: Machine) => void | Promise<void>;
  /** What the driver must put up with: drivers that are loaded first, and what goes on beside the scenario. Default nothing. */
  readonly neighbours?: NeighbourNames;
  readonly machine?: MachineOptions;
  /** Virtual time that the scenario is given, ns. Default 1 s. */
  readonly untilNs?: number;
  /** Steps that all of it may take; whose routine runs then has a finding. Default 100,000; with a scenario of one's own 1,000,000. */
  readonly maxEvents?: number;
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

/** A hundred times what the built-in scenario takes, and a few seconds. */
const STEPS = 100_000;
const SCENARIO_STEPS = 1_000_000;

const OPTION_NAMES = [
  ...VERIFY_OPTIONS.filter((name) => name !== 'drivers'),
  'scenario',
  'neighbours',
  'machine',
  'untilNs',
  'maxEvents',
];

/**
 * Loads a driver on a machine of its own, has processes, threads, images and handles come and go, and
 * unloads it if it can be.
 *
 * @returns what it did against the rules.
 * @throws MachineError for a rule, a neighbour or an option that is not known.
 */
export async function checkDriver(
  driver: DriverOptions,
  options: CheckOptions = {},
): Promise<CheckedDriver> {
  requireOptions('checkDriver', options, OPTION_NAMES);
  const { scenario = startScenario, neighbours = [], ...others } = options;
  if (typeof scenario !== 'function')
    throw new MachineError(`checkDriver: scenario is ${String(scenario)}; give a function`);
  const { machine: machineOptions, untilNs = SCENARIO_NS, ...rest } = others;
  const { maxEvents = scenario === startScenario ? STEPS : SCENARIO_STEPS, ...looked } = rest;
  requireInteger('untilNs', untilNs, 0, 2 ** 52);
  requireInteger('maxEvents', maxEvents, 1, 1e12);
  const beside = new Neighbourhood(neighbours);
  const machine = await Machine.create({ processors: 2, ...machineOptions });
  const verification = verifyDrivers(machine, {
    ...(beside.forbids ? { expectedStatus: 'any' } : {}),
    ...looked,
    drivers: [driver.name],
  });
  beside.boot(machine);
  beside.load(machine);
  const loaded = machine.loadDriver(driver);
  const run = (until: number) => machine.run({ until, maxEvents: maxEvents - machine.steps });
  let result = run(Math.floor(untilNs / 10));
  // Threads that wait in a circle are found at the end of a run: what comes after would hide them.
  const goesOn = () =>
    (result.reason === 'time' || result.reason === 'idle') &&
    !verification.paused(result).some(({ rule }) => rule === DEADLOCK);
  if (goesOn()) {
    await scenario(machine);
    beside.start();
    result = run(untilNs);
  }
  if (goesOn() && loaded.state === 'loaded' && loaded.DriverUnload !== null) {
    loaded.unload();
    result = run(untilNs * 2);
  }
  const findings = verification.ended(result);
  verification.stop();
  return { findings, result, status: loaded.status };
}

import { MachineError } from '../machine/errors';
import type { Machine } from '../machine/machine';
import { requireOptions } from '../machine/given';
import { requireInteger } from '../machine/profile';
import type { RunResult } from '../machine/result';
import type { Finding } from './finding';
import { isRule, RULES } from './rules';
import { RuleWatcher } from './watcher';

export interface VerifyOptions {
  /** Ids of rules. Default all. Whether drivers load and their routines return (DR) is looked at always. */
  readonly rules?: 'all' | readonly string[];
  /** Names of drivers. Default every driver, and code that no driver was loaded with. */
  readonly drivers?: readonly string[];
  /** Processor time that a callback may take, ns. Default 1,000,000. */
  readonly callbackBudgetNs?: number;
  /** What DriverEntry is to return, an NTSTATUS, or 'any'. Default: a success; anything else is a finding. */
  readonly expectedStatus?: number | 'any';
}

/** What is looked for on a machine, and has been found. */
export class Verification {
  /** @internal */
  constructor(
    private readonly machine: Machine,
    private readonly watcher: RuleWatcher,
  ) {}

  /** What has been found until now, in the order of the first time. */
  get findings(): readonly Finding[] {
    return this.watcher.found.list;
  }

  /**
   * Adds what the last run ended with: a bugcheck is a finding, and so is a routine of a driver that
   * ought to have returned. Returns all that has been found.
   */
  ended(result: RunResult): readonly Finding[] {
    this.watcher.ended(result);
    this.watcher.finished(result);
    return this.findings;
  }

  /** @internal The same of a run that others come after: what is under way goes on. */
  paused(result: RunResult): readonly Finding[] {
    this.watcher.ended(result);
    return this.findings;
  }

  /** Looks no more. */
  stop(): void {
    if (this.machine.watcher === this.watcher) this.machine.watcher = undefined;
  }
}

/** A driver that does nothing breaks no other rule. */
const ALWAYS = ['DR-01', 'DR-02'];

function rulesOf(rules: VerifyOptions['rules'] = 'all'): ReadonlySet<string> {
  if (rules === 'all') return new Set(RULES.map(({ id }) => id));
  requireNames('verifyDrivers: rules', rules, 'CB-01', true);
  for (const id of rules) {
    if (!isRule(id))
      throw new MachineError(
        `verifyDrivers: '${id}' is no rule; known: ${RULES.map((rule) => rule.id).join(', ')}`,
      );
  }
  return new Set([...ALWAYS, ...rules]);
}

/** Refuses what is no array of names: of a string each letter would be one. */
function requireNames(what: string, names: unknown, such: string, all = false): void {
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return;
  const given = typeof names === 'string' ? `'${names}'` : String(names);
  throw new MachineError(
    `${what} is ${given}; give ${all ? "'all' or " : ''}an array of names, such as ['${such}']`,
  );
}

export const VERIFY_OPTIONS = ['rules', 'drivers', 'callbackBudgetNs', 'expectedStatus'];

function requireStatus(status: number | 'any'): number | 'any' {
  if (status === 'any') return status;
  return requireInteger('expectedStatus', status, -(2 ** 31), 2 ** 32 - 1) >>> 0;
}

/**
 * Looks from now on at what drivers do, and finds what is against the rules of callbacks and of locks.
 * It changes nothing of the history. Before a driver is loaded it is time for it.
 *
 * @throws MachineError for a rule or an option that is not known, or on a machine that is looked at already.
 */
export function verifyDrivers(machine: Machine, options: VerifyOptions = {}): Verification {
  if (machine.watcher !== undefined)
    throw new MachineError(
      'verifyDrivers: this machine is looked at already; stop() that verification first',
    );
  requireOptions('verifyDrivers', options, VERIFY_OPTIONS);
  const { rules, drivers, callbackBudgetNs = 1_000_000, expectedStatus } = options;
  if (drivers !== undefined) requireNames('verifyDrivers: drivers', drivers, 'protect');
  const watcher = new RuleWatcher(machine, {
    rules: rulesOf(rules),
    budgetNs: requireInteger('callbackBudgetNs', callbackBudgetNs, 1, 1e12),
    ...(drivers === undefined ? {} : { drivers: new Set(drivers) }),
    ...(expectedStatus === undefined ? {} : { entryStatus: requireStatus(expectedStatus) }),
  });
  machine.watcher = watcher;
  return new Verification(machine, watcher);
}

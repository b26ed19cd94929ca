import {
  type DriverOptions,
  Machine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutine,
  PsSetLoadImageNotifyRoutine,
  startScenario,
  verifyDrivers,
} from 'ntps';
import { makeRelease } from './pairs.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row, times } from './row.js';

/** The usual scenario with a driver that is told of everything: looked at for all rules, and not. */

const ROUNDS = 60;
const SCENARIOS = 8;

const listener: DriverOptions = {
  name: 'listener',
  *DriverEntry() {
    yield* PsSetCreateProcessNotifyRoutineEx(() => undefined, false);
    yield* PsSetCreateThreadNotifyRoutine(() => undefined);
    return yield* PsSetLoadImageNotifyRoutine(() => undefined);
  },
};

class Scenarios {
  private constructor(
    private readonly machine: Machine,
    /** Findings there must be none of. */
    private readonly findings: () => number,
  ) {}

  static async create(how: 'off' | 'stopped' | 'on'): Promise<Scenarios> {
    const machine = await Machine.create({ processors: 2, core: makeRelease });
    const verification = how === 'off' ? undefined : verifyDrivers(machine);
    machine.loadDriver(listener);
    machine.run();
    if (how === 'stopped') verification?.stop();
    return new Scenarios(machine, () => verification?.findings.length ?? 0);
  }

  private runScenario(): void {
    startScenario(this.machine);
    const { reason } = this.machine.run();
    if (reason !== 'idle') throw new Error(`the scenario stopped: ${reason}`);
  }

  /** Ms of each scenario; the first, which clears away after who ran before, does not count. */
  run(): number {
    this.runScenario();
    const start = performance.now();
    for (let round = 0; round < SCENARIOS; round++) this.runScenario();
    const elapsed = performance.now() - start;
    if (this.findings() !== 0) throw new Error('the driver of the benchmark breaks a rule');
    return elapsed / SCENARIOS;
  }
}

export async function driverRules(): Promise<readonly Row[]> {
  const off = await Scenarios.create('off');
  const stopped = await Scenarios.create('stopped');
  const on = await Scenarios.create('on');
  const best = await bestInTurn(ROUNDS, {
    off: () => off.run(),
    stopped: () => stopped.run(),
    on: () => on.run(),
  });
  const row = (measured: string, ms: number, most: number): Row => ({
    workload: 'verify',
    measured: `a scenario with a driver, ${measured}: ${figure(ms)} ms`,
    baseline: `never looked at: ${figure(best.off)} ms`,
    ratio: times(ms / best.off),
    goal: `≤ ${most} ×`,
    met: ms / best.off <= most,
  });
  return [row('looked at no more', best.stopped, 1.05), row('looked at for all rules', best.on, 3)];
}

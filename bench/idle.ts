import { Machine, program } from 'ntps';
import { bestInTurn } from './rounds.js';
import { figure, type Row, times } from './row.js';

/** An idle machine of 2048 processors with one timer, against one of 1 processor. */

const MANY = 2048;
const FEW = 1;
const ROUNDS = 7;
const HOUR_NS = 3_600_000_000_000;
const PERIOD_NS = 1_000_000_000;

class IdleMachine {
  /** Of the last hour. */
  steps = 0;

  private constructor(private readonly machine: Machine) {}

  static async create(processors: number): Promise<IdleMachine> {
    const machine = await Machine.create({ processors });
    const waiter = program('waiter', (p) => p.forever(() => p.delay(PERIOD_NS)));
    machine.createProcess().createThread(machine.loadProgram(waiter));
    return new IdleMachine(machine);
  }

  /** Ms of this host for one hour of virtual time. */
  runHour(): number {
    const before = this.machine.steps;
    const start = performance.now();
    const { reason } = this.machine.run({ until: this.machine.now + HOUR_NS });
    const elapsed = performance.now() - start;
    if (reason !== 'time') throw new Error(`the idle machine stopped: ${reason}`);
    this.steps = this.machine.steps - before;
    return elapsed;
  }
}

export async function idleMachine(): Promise<readonly Row[]> {
  const many = await IdleMachine.create(MANY);
  const few = await IdleMachine.create(FEW);
  const best = await bestInTurn(ROUNDS, {
    many: () => many.runHour(),
    few: () => few.runHour(),
  });
  const show = (machine: IdleMachine, ms: number) =>
    `${figure(machine.steps)} steps, ${figure(ms)} ms`;
  return [
    {
      workload: 'idle',
      measured: `an hour of ${MANY} idle processors, one timer of 1 s: ${show(many, best.many)}`,
      baseline: `1 processor: ${show(few, best.few)}`,
      ratio: times(best.many / best.few),
    },
  ];
}

import {
  Machine,
  PRIORITY_CLASS,
  PsSetCreateProcessNotifyRoutine,
  PsSetCreateThreadNotifyRoutine,
  PsSetLoadImageNotifyRoutine,
  processManager,
  program,
} from 'ntps';
import { makeRelease } from './pairs.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row, times } from './row.js';

/** Processes that begin and end, and who is told of it. */

const PAIRS = 20_000;
const ROUNDS = 25;
const FEW = 10;
const MANY = 1_000_000;
/** The host call when all of a run have ended: looking at who is left takes longer than they do. */
const STOP = 1;
/** Routines of each sort, where what is measured are their calls. */
const ROUTINES = 20;

interface Options {
  /** Notify routines of each sort; undefined: there is no process manager. */
  readonly routines?: number;
  /** Processes besides the one that makes others. */
  readonly alive: number;
}

class Processes {
  private deliveries = 0;

  private constructor(
    private readonly machine: Machine,
    private readonly go: { set(): number },
  ) {}

  static async create({ routines, alive }: Options): Promise<Processes> {
    const machine = await Machine.create({
      capacities: { processes: alive + 8, threads: alive + 8 },
      livelockSteps: 0,
      core: makeRelease,
    });
    const go = machine.createEvent('synchronization');
    const processes = new Processes(machine, go);
    const never = machine.loadProgram(
      program('alive', (p) => p.wait(machine.createEvent('notification'))),
    );
    const makeAlive = program('maker', (p) => {
      const made = p.register();
      p.loop(alive, () => p.createProcess(made, never, PRIORITY_CLASS.Normal));
    });
    machine.createProcess().createThread(machine.loadProgram(makeAlive));
    machine.run();
    if (routines !== undefined) processes.register(routines);
    machine.createProcess().createThread(machine.loadProgram(makePairs(machine, go)));
    machine.onHostCall(STOP, () => {
      machine.stop();
      return undefined;
    });
    machine.run();
    return processes;
  }

  private register(routines: number): void {
    processManager(this.machine);
    this.machine.systemProcess.createThread(this.registration(routines));
    this.machine.run();
  }

  private registration(routines: number) {
    const add = () => {
      this.deliveries++;
    };
    return function* () {
      for (let count = 0; count < routines; count++) {
        yield* PsSetCreateProcessNotifyRoutine(() => add(), false);
        yield* PsSetCreateThreadNotifyRoutine(add);
        yield* PsSetLoadImageNotifyRoutine(add);
      }
    };
  }

  /** Makes the processes; ms each. */
  run(): number {
    const start = performance.now();
    this.go.set();
    const { reason } = this.machine.run();
    if (reason !== 'requested') throw new Error(`the processes stopped: ${reason}`);
    return (performance.now() - start) / PAIRS;
  }

  /** The same; ms a delivery. */
  runDeliveries(): number {
    const before = this.deliveries;
    const ms = this.run() * PAIRS;
    return ms / (this.deliveries - before);
  }
}

/** Makes a process, waits for its thread, and so on, whenever `go` is signaled. */
function makePairs(machine: Machine, go: { readonly handle: number }) {
  const child = machine.loadProgram(program('C:\\child.exe', (p) => p.compute(1)));
  return program('parent', (p) => {
    const made = p.register();
    p.forever(() => {
      p.wait(go);
      p.loop(PAIRS, () => p.createProcess(made, child, PRIORITY_CLASS.Normal).wait(made));
      p.hostCall(STOP);
    });
  });
}

const pairs = (ms: number) => `${figure(1000 / ms)} begin and end a second`;

export async function manyProcesses(): Promise<readonly Row[]> {
  const core = await Processes.create({ alive: FEW });
  const none = await Processes.create({ routines: 0, alive: FEW });
  const one = await Processes.create({ routines: 1, alive: FEW });
  const told = await Processes.create({ routines: ROUTINES, alive: FEW });
  const best = await bestInTurn(ROUNDS, {
    core: () => core.run(),
    none: () => none.run(),
    one: () => one.run(),
    told: () => told.runDeliveries(),
  });
  const baseline = `the core alone: ${pairs(best.core)}`;
  const row = (measured: string, ms: number, least: number): Row => ({
    workload: 'processes',
    measured,
    baseline,
    ratio: times(ms / best.core),
    goal: `≥ ${figure(least)}/s`,
    met: 1000 / ms >= least,
  });
  return [
    row(`nobody is told: ${pairs(best.none)}`, best.none, 300_000),
    row(`one routine of each sort: ${pairs(best.one)}`, best.one, 200_000),
    row(`${ROUTINES} of each sort: ${figure(1000 / best.told)} calls a second`, best.told, 2e6),
    await manyAlive(),
  ];
}

async function manyAlive(): Promise<Row> {
  const many = await Processes.create({ routines: 1, alive: MANY });
  const few = await Processes.create({ routines: 1, alive: FEW });
  const best = await bestInTurn(ROUNDS, { many: () => many.run(), few: () => few.run() });
  const ratio = best.many / best.few;
  return {
    workload: 'processes',
    measured: `${figure(MANY)} alive: ${figure(best.many * 1e6)} ns to begin and end one more`,
    baseline: `with ${FEW}: ${figure(best.few * 1e6)} ns`,
    ratio: times(ratio),
    goal: '≤ 2 ×',
    met: ratio <= 2,
  };
}

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  CONDITION,
  type CoreSource,
  type LoadedProgram,
  Machine,
  type Program,
  program,
} from 'ntps';

/**
 * Pairs of program threads that ping-pong on synchronization events: each sets its partner's and
 * waits for its own. A switch is two steps (a set and a wait) and two trace records.
 *
 * The ring overwrites its oldest records, and the digest goes over all of them. Threads take turns
 * in an order that is not that of memory.
 */
export interface PairOptions {
  readonly processors: number;
  readonly threads: number;
  /** Default: the release build. */
  readonly core?: MakeCore;
  /**
   * Of KeSetEvent. With the usual 1 a pair outruns the others until its quantum ends; with 0 every
   * switch is to the thread that has been ready longest, so that all of them run in turn. Default 0.
   */
  readonly increment?: number;
  /** How many pairs are active at a time, and for how long. Default: all, for ever. */
  readonly turns?: Turns;
}

interface Turns {
  readonly active: number;
  /** Of a pair, before it hands over to another. */
  readonly roundTrips: number;
}

/** What makes a core's exports on a memory. */
export type MakeCore = Extract<CoreSource, (imports: never) => unknown>;

const release = new WebAssembly.Module(
  readFileSync(fileURLToPath(import.meta.resolve('ntps/ntps.wasm'))),
);

export const makeRelease: MakeCore = ({ env }) =>
  new WebAssembly.Instance(release, { env: { memory: env.memory } }).exports;

export class Pairs {
  private constructor(private readonly machine: Machine) {}

  static async create(options: PairOptions): Promise<Pairs> {
    const pairs = options.threads / 2;
    const machine = await Machine.create({
      processors: options.processors,
      capacities: { threads: options.threads + 8, objects: pairs * 3 },
      livelockSteps: 0,
      core: options.core ?? makeRelease,
    });
    const events = newEvents(machine, pairs * 2);
    const turns = newEvents(machine, pairs, options.turns?.active);
    const increment = options.increment ?? 0;
    const ping =
      options.turns === undefined
        ? pingForEver(increment)
        : pingInTurn(increment, turns, options.turns);
    const programs = [machine.loadProgram(ping), machine.loadProgram(pong(increment))] as const;
    addThreads(machine, programs, events, turns);
    return new Pairs(machine);
  }

  /** Runs a number of steps; ms a context switch. */
  run(steps: number): number {
    const before = this.switches();
    const start = performance.now();
    const { reason } = this.machine.run({ maxEvents: steps });
    const elapsed = performance.now() - start;
    if (reason !== 'events') throw new Error(`the pairs stopped: ${reason}`);
    return elapsed / (this.switches() - before);
  }

  private switches(): number {
    let sum = 0;
    for (let number = 0; number < this.machine.processorCount; number++) {
      sum += this.machine.processorTimes(number).contextSwitches;
    }
    return sum;
  }
}

/** Handles of new events, the first `signaled` of them signaled. */
function newEvents(machine: Machine, count: number, signaled = 0): number[] {
  return Array.from(
    { length: count },
    (_, index) => machine.createEvent('synchronization', index < signaled).handle,
  );
}

/** The numbers below `count` in an order that is the same in every run. */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  let random = 1;
  for (let left = count; left > 1; left--) {
    random = Math.imul(random, 1_664_525) + 1_013_904_223;
    const other = (random >>> 0) % left;
    [order[left - 1], order[other]] = [order[other] as number, order[left - 1] as number];
  }
  return order;
}

function pingForEver(increment: number): Program {
  return program('ping', (p) => {
    const own = p.register();
    const other = p.register();
    p.forever(() => p.setEvent(other, increment).wait(own));
  });
}

/** The pair that hands over wakes the one whose turn is `active` later, round and round. */
function pingInTurn(
  increment: number,
  turns: readonly number[],
  { active, roundTrips }: Turns,
): Program {
  const [first = 0] = turns;
  const pairs = turns.length;
  if (turns[pairs - 1] !== first + pairs - 1) {
    throw new Error('handles of events made one after the other do not count up');
  }
  return program('ping', (p) => {
    const own = p.register();
    const other = p.register();
    const turn = p.register();
    p.forever(() => {
      p.wait(turn).loop(roundTrips, () => p.setEvent(other, increment).wait(own));
      const next = p.label();
      const last = p.label();
      p.add(turn, active).branchRegister(CONDITION.Less, turn, first + pairs, next);
      p.add(turn, -pairs).place(next).setEvent(turn, increment).add(turn, -active);
      p.branchRegister(CONDITION.GreaterOrEqual, turn, first, last).add(turn, pairs).place(last);
    });
  });
}

function pong(increment: number): Program {
  return program('pong', (p) => {
    const other = p.register();
    const own = p.register();
    p.forever(() => p.wait(own).setEvent(other, increment));
  });
}

function addThreads(
  machine: Machine,
  [ping, pong]: readonly [LoadedProgram, LoadedProgram],
  events: readonly number[],
  turns: readonly number[],
): void {
  const process = machine.createProcess();
  const order = shuffled(turns.length);
  const threads = order.map((turn, pair) => {
    const registers = [...events.slice(pair * 2, pair * 2 + 2), turns[turn] as number];
    return [
      process.createThread(ping, { registers, start: false }),
      process.createThread(pong, { registers, start: false }),
    ];
  });
  for (const pair of order) {
    for (const thread of threads[pair] ?? []) thread.start();
  }
}

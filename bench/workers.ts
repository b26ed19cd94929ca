import { availableParallelism } from 'node:os';
import { type LoadedPort, Machine, portState, program } from 'ntps';
import { computeGuest, GUEST_CALL, GUEST_WINDOW, guestState } from './guest.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row, times } from './row.js';

/** CPU workers: guests that compute, threads that only synchronise, and what an ordered operation costs. */

const ROUNDS = 40;
const PROCESSORS = 4;
/** Virtual time of one measurement. */
const COMPUTE_NS = 1_000_000;
/** What comes before it, so that the workers are awake. */
const WARM_UP_NS = 50_000;
const SWITCH_STEPS = 200_000;
/** The latency, and about how far the ordered operations of two guests are apart. */
const APART_NS = 200;

async function loadPort(machine: Machine): Promise<LoadedPort> {
  return machine.loadPort({ url: import.meta.resolve('ntps/port.js') });
}

interface Measured {
  readonly machines: readonly Machine[];
  /** ms a unit. */
  readonly measure: () => number | Promise<number>;
}

/** A guest a processor, each with a system call every 50 us that a program answers. */
async function computing(processors: number, workers: number): Promise<Machine> {
  const machine = await Machine.create({ processors, workers, livelockSteps: 0 });
  const port = await loadPort(machine);
  machine.onSystemCall(GUEST_CALL, machine.loadProgram(program('call', (p) => p.compute(200))));
  const process = machine.createProcess();
  for (let index = 0; index < processors; index++) {
    const window = index * GUEST_WINDOW + computeGuest.origin;
    machine.guestMemory.bytes.set(computeGuest.bytes, window);
    process.createThread(port, {
      affinity: 1n << BigInt(index),
      portState: portState(guestState(index, 0)),
    });
  }
  return machine;
}

/** ms a ms of virtual time. */
async function compute(workers: number): Promise<Measured> {
  const machine = await computing(PROCESSORS, workers);
  return {
    machines: [machine],
    measure: () => {
      machine.run({ until: machine.now + WARM_UP_NS });
      const start = performance.now();
      machine.run({ until: machine.now + COMPUTE_NS });
      return (performance.now() - start) / (COMPUTE_NS / 1e6);
    },
  };
}

/** Half of the guests in each of two machines that know nothing of each other: what two cores here can do. */
async function sideBySide(): Promise<Measured> {
  const machines = [await computing(PROCESSORS / 2, 1), await computing(PROCESSORS / 2, 1)];
  const runFor = (ns: number) =>
    Promise.all(machines.map((machine) => machine.runAsync({ until: machine.now + ns })));
  return {
    machines,
    measure: async () => {
      await runFor(WARM_UP_NS);
      const start = performance.now();
      await runFor(COMPUTE_NS);
      return (performance.now() - start) / (COMPUTE_NS / 1e6);
    },
  };
}

/** Pairs of threads that ping-pong, and nothing to run in parallel; ms a step. */
async function synthetic(workers: number): Promise<Measured> {
  const machine = await Machine.create({ processors: PROCESSORS, workers, livelockSteps: 0 });
  const process = machine.createProcess();
  for (let pair = 0; pair < PROCESSORS * 4; pair++) {
    const a = machine.createEvent('synchronization');
    const b = machine.createEvent('synchronization');
    const ping = program('ping', (p) => p.forever(() => p.setEvent(b, 0).wait(a)));
    const pong = program('pong', (p) => p.forever(() => p.wait(b).setEvent(a, 0)));
    process.createThread(machine.loadProgram(ping));
    process.createThread(machine.loadProgram(pong));
  }
  return {
    machines: [machine],
    measure: () => {
      const start = performance.now();
      machine.run({ maxEvents: SWITCH_STEPS });
      return (performance.now() - start) / SWITCH_STEPS;
    },
  };
}

/** Two guests, one a worker, whose system calls follow each other at the latency; ms a call. */
async function ordered(workers: number): Promise<Measured> {
  const machine = await Machine.create({
    processors: 2,
    workers,
    livelockSteps: 0,
    profile: { interprocessorLatencyNs: APART_NS, costs: { systemCall: 1, ddi: 1 } },
  });
  const url = new URL(`data:text/javascript,${encodeURIComponent(TICKER)}`);
  const port = await machine.loadPort({ url });
  machine.onSystemCall(1, machine.loadProgram(program('call', (p) => p.exit())));
  const process = machine.createProcess();
  for (let index = 0; index < 2; index++)
    process.createThread(port, { affinity: 1n << BigInt(index) });
  return {
    machines: [machine],
    measure: () => {
      machine.run({ until: machine.now + WARM_UP_NS });
      const before = machine.steps;
      const start = performance.now();
      machine.run({ until: machine.now + 1000 * APART_NS });
      return (performance.now() - start) / (machine.steps - before);
    },
  };
}

/** A port whose guests make system call 1 every so many ns, and cost nothing to run. */
const TICKER = `
export function openPort({ memory }) {
  const words = new Uint32Array(memory.buffer);
  return {
    run(context, budget) {
      const at = context >>> 2;
      const left = words[at + 8] === 0 ? ${APART_NS} : words[at + 8];
      const used = Math.min(left, budget);
      words[at + 8] = left - used;
      words[at] = left === used ? 1 : 0;
      words[at + 1] = 1;
      return used;
    },
  };
}`;

const slowdown = (ms: number) => `${figure(ms)} ms a ms of virtual time`;

export async function cpuWorkers(): Promise<readonly Row[]> {
  const cases = {
    alone: await compute(0),
    one: await compute(1),
    two: await compute(2),
    apart: await sideBySide(),
    sequential: await synthetic(0),
    parallel: await synthetic(2),
    orderedAlone: await ordered(1),
    orderedTwo: await ordered(2),
  };
  const measures = Object.fromEntries(
    Object.entries(cases).map(([name, { measure }]) => [name, measure]),
  ) as { readonly [name in keyof typeof cases]: Measured['measure'] };
  const best = await bestInTurn(ROUNDS, measures);
  for (const { machines } of Object.values(cases))
    for (const machine of machines) await machine.dispose();
  const computing = best.one / best.two;
  const synchronising = best.sequential / best.parallel;
  const cores = `two machines with half of the guests each, at once, ${times(best.one / best.apart)}; ${availableParallelism()} cores`;
  return [
    {
      workload: 'workers',
      measured: `2 workers, 4 computing guests with a system call every 50 us: ${slowdown(best.two)}`,
      baseline: `1 worker (${slowdown(best.one)}); without workers ${slowdown(best.alone)}; ${cores}`,
      ratio: times(computing),
      goal: '≥ 1.7 ×',
      met: computing >= 1.7,
    },
    {
      workload: 'workers',
      measured: `threads that only synchronise, 2 workers: ${figure(best.parallel * 1e6)} ns a step`,
      baseline: `no workers: ${figure(best.sequential * 1e6)} ns a step`,
      ratio: times(synchronising),
      goal: '≥ 0.5 ×',
      met: synchronising >= 0.5,
    },
    {
      workload: 'workers',
      measured: `an ordered operation between guests of 2 workers: ${figure(best.orderedTwo * 1e6)} ns`,
      baseline: `the same on 1 worker: ${figure(best.orderedAlone * 1e6)} ns`,
      ratio: times(best.orderedTwo / best.orderedAlone),
    },
  ];
}

import { type KEvent, Machine, program, WAIT_TYPE } from 'ntps';
import { makeRelease } from './pairs.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row, times } from './row.js';

/** Waits that end at once, and waits for several objects that block, in program threads. */

const ROUNDS = 20;
const STEPS = 1_000_000;
/** Objects of a wait: 64 is the most that there may be. */
const COUNTS = [1, 4, 16, 64] as const;

/** Runs the machine; ms a turn of its program, which takes `steps`. */
function msATurn(machine: Machine, steps: number): number {
  const start = performance.now();
  const { reason } = machine.run({ maxEvents: STEPS });
  const elapsed = performance.now() - start;
  if (reason !== 'events') throw new Error(`the waits stopped: ${reason}`);
  return (elapsed * steps) / STEPS;
}

/** One thread sets its synchronization event and waits for it. */
async function newPair(): Promise<() => number> {
  const machine = await Machine.create({ livelockSteps: 0, core: makeRelease });
  const event = machine.createEvent('synchronization');
  const pair = program('pair', (p) => p.forever(() => p.setEvent(event, 0).wait(event)));
  machine.createProcess().createThread(machine.loadProgram(pair));
  return () => msATurn(machine, 2);
}

/** One thread waits for the last of `count` events, whose turn it is; the other sets that and waits too. */
async function newWait(count: number): Promise<() => number> {
  const machine = await Machine.create({ livelockSteps: 0, core: makeRelease });
  const events = (): KEvent[] =>
    Array.from({ length: count }, () => machine.createEvent('synchronization'));
  const [ping, pong] = [events(), events()];
  const loop = (own: readonly KEvent[], other: readonly KEvent[]) =>
    program('wait', (p) =>
      p.forever(() =>
        p.waitMultiple(own, WAIT_TYPE.WaitAny).setEvent(other[count - 1] as KEvent, 0),
      ),
    );
  const process = machine.createProcess();
  process.createThread(machine.loadProgram(loop(ping, pong)));
  process.createThread(machine.loadProgram(loop(pong, ping)));
  ping[count - 1]?.set();
  return () => msATurn(machine, 2);
}

export async function manyWaits(): Promise<readonly Row[]> {
  const pair = await newPair();
  const waits: Record<string, () => number> = {};
  for (const count of COUNTS) waits[count] = await newWait(count);
  const best = await bestInTurn<string>(ROUNDS, { pair, ...waits });
  const ms = (task: string | number) => best[task] as number;
  const nsAnObject = (count: number) => (ms(count) * 1e6) / count;
  const shown = COUNTS.map((count) => `${count}: ${figure(nsAnObject(count))}`).join(', ');
  const ratio = nsAnObject(64) / nsAnObject(16);
  const rate = 1e-3 / ms('pair');
  return [
    {
      workload: 'waits',
      measured: `uncontended KeSetEvent and KeWaitForSingleObject: ${figure(ms('pair') * 1e6)} ns`,
      baseline: 'a second of this host',
      ratio: `${figure(rate)} M pairs/s`,
      goal: '≥ 20 M/s',
      met: rate >= 20,
    },
    {
      workload: 'waits',
      measured: `a wait for any of 64 that blocks, and its wake: ns an object by objects: ${shown}`,
      baseline: 'the same with 16, by object',
      ratio: times(ratio),
      goal: '≤ 1.2 ×',
      met: ratio <= 1.2,
    },
  ];
}

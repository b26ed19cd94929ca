import { Machine, program } from 'ntps';
import { makeRelease } from './pairs.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row, times } from './row.js';

/** Setting a timer, and its expiry, with 1,000,000 timers set against 1,000. */

const MANY = 1_000_000;
const FEW = 1000;
const ROUNDS = 7;
/** Timers that a measurement sets at least. */
const TIMERS = 1_000_000;
/** A due time for each of so many timers, then again from the first. */
const DUE_TIMES = 1000;
const FIRST_DUE_NS = 10_000_000_000;
/** So that as many expire at a tick, however many are set. */
const NS_A_TIMER = 1_000_000;
/** What setting one takes of virtual time: what spreads the due times of one loop to the next. */
const DDI_NS = 1000;
/** And more than that with all that goes with it. */
const SET_NS = 1100;

class Timers {
  private constructor(
    private readonly machine: Machine,
    private readonly count: number,
    private readonly go: { set(): number },
  ) {}

  static async create(count: number): Promise<Timers> {
    const capacities = { objects: count + 2 };
    const machine = await Machine.create({
      capacities,
      livelockSteps: 0,
      profile: { costs: { ddi: DDI_NS } },
      core: makeRelease,
    });
    const go = machine.createEvent('synchronization');
    const handles = Array.from({ length: count }, () => machine.createTimer('notification').handle);
    const [first = 0] = handles;
    if (handles.some((handle, index) => handle !== first + index))
      throw new Error('the handles of the timers are not consecutive');
    machine.createProcess().createThread(machine.loadProgram(setAll(go, first, count)));
    machine.run();
    return new Timers(machine, count, go);
  }

  /** Sets all timers and lets them expire, as often as it takes; ms a timer for each of the two. */
  run(): { readonly set: number; readonly expire: number } {
    const turns = Math.max(TIMERS / this.count, 1);
    let set = 0;
    let expire = 0;
    for (let turn = 0; turn < turns; turn++) {
      this.go.set();
      const start = performance.now();
      this.machine.run({ until: this.machine.now + this.count * SET_NS });
      const armed = performance.now();
      const { reason } = this.machine.run();
      set += armed - start;
      expire += performance.now() - armed;
      if (reason !== 'idle') throw new Error(`the timers stopped: ${reason}`);
    }
    return { set: set / (turns * this.count), expire: expire / (turns * this.count) };
  }
}

/** Sets timer after timer to times in no order, whenever `go` is signaled. */
function setAll(go: { readonly handle: number }, first: number, count: number) {
  return program('set all', (p) => {
    const timer = p.register();
    p.forever(() => {
      p.wait(go).load(timer, first);
      p.loop(count / DUE_TIMES, () => {
        for (let index = 0; index < DUE_TIMES; index++) {
          const place = (index * 617) % DUE_TIMES;
          p.setTimer(timer, FIRST_DUE_NS + place * (count / DUE_TIMES) * NS_A_TIMER).add(timer, 1);
        }
      });
    });
  });
}

export async function manyTimers(): Promise<readonly Row[]> {
  const many = await Timers.create(MANY);
  const few = await Timers.create(FEW);
  const row = (what: string, ms: { readonly many: number; readonly few: number }): Row => ({
    workload: 'timers',
    measured: `${what}, ${figure(MANY)} timers set: ${figure(ms.many * 1e6)} ns a timer`,
    baseline: `the same with ${figure(FEW)}: ${figure(ms.few * 1e6)} ns`,
    ratio: times(ms.many / ms.few),
    goal: '≤ 3 ×',
    met: ms.many / ms.few <= 3,
  });
  const set = await bestInTurn(ROUNDS, { many: () => many.run().set, few: () => few.run().set });
  const expire = await bestInTurn(ROUNDS, {
    many: () => many.run().expire,
    few: () => few.run().expire,
  });
  return [row('setting', set), row('expiry', expire)];
}

import { MODE } from '../../assembly/shared/types';
import { OP } from '../../assembly/shared/opcode';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { VerifierError } from '../../src/ke/call';
import { NtStatusError, type Request } from '../../src/machine/guest';
import { encode, words64 } from '../../src/machine/instruction';
import type { Machine } from '../../src/machine/machine';
import type { KThread } from '../../src/machine/views';
import { createMachine, MS } from '../records';
import { merges, permutations } from './merges';
import { SHARED } from '../map';

/**
 * Litmus tests: a few threads with a few steps each, every order in which the steps can begin, and the
 * set of all that this comes to.
 *
 * An order is realised by a slot of virtual time for each step. A thread that is still blocked when its
 * slot comes takes the step as soon as it can. The machine is a real one, and each run has one of its
 * own. Three modes: a processor for each thread; one processor for all; and, without slots, all threads
 * at once, each on a processor of its own, with every order of processors and a few distances from one
 * thread's beginning to the next one's.
 */

/** A step's code: what it returns is the thread's outcome; one that returns nothing has none. */
export type Step = () => Iterable<Request, unknown, number>;

/** What a test's threads share, and can ask of its run. */
export interface Stage {
  readonly machine: Machine;
  /** A thread by its name. */
  readonly thread: (name: string) => KThread;
  /** From now to the slot of a moment, as a due time; if that has passed, to the next tick. */
  readonly until: (moment: string) => number;
}

export interface Litmus<Objects> {
  readonly objects: (stage: Stage) => Objects;
  readonly threads: (objects: Objects, stage: Stage) => Readonly<Record<string, readonly Step[]>>;
  /** Makes a thread. Default: one of the system. */
  readonly create?: (
    objects: Objects,
    name: string,
    body: () => HostBody,
    affinity: bigint,
  ) => KThread;
  /** Moments that take a slot like a thread's step, for timers and timeouts. */
  readonly moments?: readonly string[];
  /** What the objects have come to when nothing can happen any more. */
  readonly state?: (objects: Objects) => string;
  /** Modes to leave out: steps that hold a processor between them block others on it for ever. */
  readonly without?: readonly Mode[];
}

export type Mode = 'spread' | 'one processor' | 'at once';

/** The timer resolution. Steps begin behind the tick that opens their slot; moments are that tick. */
const SLOT = MS;
const BEHIND_TICK = 300_000;
const FIRST_SLOT = 4;
/** Later than every slot: what goes on for ever has shown by then what it comes to. */
const END = 40 * SLOT;
/** Ns from one thread's beginning to the next one's: all at once, within a call, a wake, a switch. */
const DISTANCES = [0, 30, 170, 900, 2500];

/** One way to run a test. */
interface Schedule {
  readonly mode: Mode;
  /** The slot of each step of each thread and moment, by name. */
  readonly slots: Readonly<Record<string, readonly number[]>>;
  /** Of each thread, in the order of their names. */
  readonly processors: readonly number[];
  /** When each thread begins, ns. */
  readonly starts: readonly number[];
}

function slotted(mode: Mode, names: readonly string[], order: readonly string[]): Schedule {
  const slots: Record<string, number[]> = {};
  order.forEach((name, index) => {
    slots[name] = [...(slots[name] ?? []), (FIRST_SLOT + index) * SLOT];
  });
  const processors = names.map((_, index) => (mode === 'spread' ? index + 1 : 0));
  return { mode, slots, processors, starts: names.map(() => 0) };
}

/** Threads that begin a distance from each other, around the one tick that is every moment. */
function* atOnce(names: readonly string[], moments: readonly string[]): Generator<Schedule> {
  const tick = FIRST_SLOT * SLOT;
  const slots = Object.fromEntries(moments.map((moment) => [moment, [tick]]));
  for (const order of permutations([...names, ...moments.slice(0, 1)])) {
    const [moment] = moments;
    const tickRank = moment === undefined ? 0 : order.indexOf(moment);
    const ranks = names.map((name) => order.indexOf(name) - tickRank);
    const base = moment === undefined ? tick + BEHIND_TICK : tick;
    const places = names.map((name) => order.filter((n) => names.includes(n)).indexOf(name) + 1);
    for (const distance of DISTANCES) {
      const starts = ranks.map((rank) => base + rank * distance);
      yield { mode: 'at once', slots, processors: places, starts };
      const mirrored = places.map((place) => names.length + 1 - place);
      yield { mode: 'at once', slots, processors: mirrored, starts };
    }
  }
}

/** A step's outcome in words. */
function shown(outcome: unknown): string[] {
  if (outcome === undefined) return [];
  return [Array.isArray(outcome) ? `[${outcome.join(' ')}]` : String(outcome)];
}

const STATUSES = [...(SHARED.get('STATUS') ?? [])];

/** The name of a status; of those that share a number the first. */
export function statusName(status: number): string {
  const found = STATUSES.find(([, value]) => value === status);
  return found?.[0] ?? `0x${status.toString(16)}`;
}

class Run<Objects> implements Stage {
  private readonly threads = new Map<string, KThread>();
  private readonly notes: string[][];

  private constructor(
    readonly machine: Machine,
    readonly litmus: Litmus<Objects>,
    private readonly schedule: Schedule,
    names: readonly string[],
  ) {
    this.notes = names.map(() => []);
  }

  static async of<Objects>(
    litmus: Litmus<Objects>,
    schedule: Schedule,
    names: readonly string[],
  ): Promise<string> {
    const machine = await createMachine({
      processors: schedule.mode === 'one processor' ? 1 : names.length + 1,
      profile: { timerResolutionNs: SLOT },
      capacities: { ...CAPACITIES },
    });
    return new Run(machine, litmus, schedule, names).outcome(names);
  }

  readonly thread = (name: string): KThread => this.threads.get(name) as KThread;

  readonly until = (moment: string): number => {
    const [slot = 0] = this.schedule.slots[moment] as readonly number[];
    return -Math.ceil(Math.max(slot - this.machine.now, 100) / 100);
  };

  private outcome(names: readonly string[]): string {
    const { machine, litmus, notes, schedule } = this;
    const objects = litmus.objects(this);
    const steps = litmus.threads(objects, this);
    names.forEach((name, index) => {
      const affinity = 1n << BigInt(schedule.processors[index] as number);
      const body = () => this.body(name, index, steps[name] as readonly Step[]);
      const made =
        litmus.create?.(objects, name, body, affinity) ??
        machine.systemProcess.createThread(body, { name, affinity });
      this.threads.set(name, made);
    });
    const result = machine.run({ until: END });
    const ended = ['time', 'idle', 'deadlock', 'bugcheck'].includes(result.reason);
    if (!ended) throw new Error(`the run ended by ${result.reason} ${JSON.stringify(schedule)}`);
    const lines = names.map((name, index) => [name, ...(notes[index] as string[])].join(' '));
    if (result.reason === 'bugcheck') {
      if (result.cause !== undefined && !(result.cause instanceof VerifierError))
        throw result.cause;
      lines.push(result.name);
    }
    if (litmus.state !== undefined) lines.push(litmus.state(objects));
    return lines.join(' | ');
  }

  private *body(name: string, index: number, steps: readonly Step[]): HostBody {
    const notes = this.notes[index] as string[];
    const start = this.schedule.starts[index] as number;
    if (start > this.machine.now) yield [encode(OP.Compute), ...words64(start - this.machine.now)];
    for (const [number, step] of steps.entries()) {
      yield* this.reach(this.schedule.slots[name]?.[number] ?? 0);
      notes.push('…');
      try {
        const outcome = yield* step();
        notes.splice(-1, 1, ...shown(outcome));
      } catch (error) {
        if (!(error instanceof NtStatusError)) throw error;
        notes.splice(-1, 1, statusName(error.status));
      }
    }
  }

  /** Lets a thread go on at its slot: it computes until then, or sleeps where others need the processor. */
  private *reach(slot: number): HostBody {
    const left = slot - this.machine.now;
    if (left <= 0) return;
    if (this.schedule.mode === 'one processor')
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -Math.ceil(left / 100));
    else yield [encode(OP.Compute), ...words64(left + BEHIND_TICK)];
  }
}

type HostBody = Generator<Request, void, number>;

const CAPACITIES = {
  processes: 4,
  threads: 20,
  objects: 64,
  waitBlocks: 64,
  programWords: 256,
  sharedWords: 1,
  interrupts: 8,
  traceRecords: 4096,
};

/** Every schedule of a test whose threads have so many steps. */
function* schedules(
  counts: Readonly<Record<string, number>>,
  moments: readonly string[],
  without: readonly Mode[],
): Generator<Schedule> {
  const names = Object.keys(counts);
  const all = { ...counts, ...Object.fromEntries(moments.map((moment) => [moment, 1])) };
  for (const order of merges(all)) {
    if (!without.includes('spread')) yield slotted('spread', names, order);
    if (!without.includes('one processor')) yield slotted('one processor', names, order);
  }
  if (!without.includes('at once')) yield* atOnce(names, moments);
}

/**
 * What a test can come to, in order: of each thread its name and the outcomes of its steps, `…` for one
 * that it has begun and is blocked in; then the objects' state.
 */
export async function outcomes<Objects>(litmus: Litmus<Objects>): Promise<string[]> {
  const counts = await countSteps(litmus);
  const names = Object.keys(counts);
  const found = new Set<string>();
  for (const schedule of schedules(counts, litmus.moments ?? [], litmus.without ?? []))
    found.add(await Run.of(litmus, schedule, names));
  return [...found].sort();
}

/** How many steps each thread has. */
async function countSteps<Objects>(litmus: Litmus<Objects>): Promise<Record<string, number>> {
  const machine = await createMachine({ capacities: CAPACITIES });
  const stage: Stage = { machine, thread: () => machine.idleThread, until: () => -1 };
  const threads = litmus.threads(litmus.objects(stage), stage);
  return Object.fromEntries(Object.entries(threads).map(([name, steps]) => [name, steps.length]));
}

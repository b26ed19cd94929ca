import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { KSYSTEM } from '../../assembly/shared/layout';
import { STOP } from '../../assembly/shared/types';
import type { Answers } from './answers';
import type { CoreExports } from './core';
import { type Crew, LostWorkerError } from './crew';
import { spinningCircle, waitingCircle } from './deadlock';
import { MachineError, WorkerError } from './errors';
import { requireOptions } from './given';
import type { Machine } from './machine';
import type { MachineMemory } from './memory';
import { requireInteger } from './profile';
import type { RunOptions, RunResult } from './result';
import { describeBugCheck, lastRecords, remainingThreads } from './result';
import { NoWorkerError } from './worker-pool';

/** Steps of one call into the core; between them the host looks at requests to stop. */
const SLICE_STEPS = 1_000_000;

/** Runs of guests, and turns of the host's, between which a run that does not block lets others have theirs. */
const PIECES_A_REST = 1000;
const HOST_TURNS_A_REST = 10_000;

export const DISPOSED = 'the machine has been disposed of';

/** Why a run pauses: its workers go on, or the host has a rest. */
type Pause = 'workers' | 'rest';

/** What takes the place of the core's exports while nobody may call them. */
function refusing(why: string): CoreExports {
  const refuse = () => {
    throw new MachineError(why);
  };
  return new Proxy({} as CoreExports, { get: () => refuse });
}

/** The runs of a machine: by the host alone, or with its workers. */
export class Runner {
  private stopRequested = false;
  private running = false;
  private disposed = false;
  private lost: WorkerError | undefined;
  /** Whether the workers have the kernel, in a run that does not block. */
  private handedOver = false;

  constructor(
    private readonly machine: Machine,
    private readonly engineCore: CoreExports,
    private readonly memory: MachineMemory,
    private readonly answers: Answers,
    private crew: Crew | undefined,
  ) {}

  /** How many workers there are. */
  get workers(): number {
    return this.crew?.size ?? 0;
  }

  /** Lets the workers import a port. What the host says if it refuses them: there are none from now on. */
  async openPort(index: number, url: string, data: unknown): Promise<string | undefined> {
    try {
      await this.crew?.openPort(index, url, data);
      return undefined;
    } catch (error) {
      if (!(error instanceof NoWorkerError)) throw error;
      await this.crew?.giveUp();
      this.crew = undefined;
      return `the host refuses them (${error.message})`;
    }
  }

  /** See Machine.stop. */
  stop(): void {
    this.stopRequested = true;
    if (this.handedOver) this.crew?.interrupt();
  }

  /** See Machine.run. */
  run(options: RunOptions): RunResult {
    const { crew } = this;
    if (crew?.mayBlock === false) {
      throw new MachineError(
        "run waits for the machine's workers, which a page's main thread may not; await runAsync",
      );
    }
    const steps = this.begin(options);
    try {
      let next = steps.next(0);
      while (next.done !== true) {
        next = steps.next(next.value === 'workers' ? (crew as Crew).run() : 0);
      }
      return next.value;
    } catch (error) {
      throw this.failed(error);
    } finally {
      this.running = false;
    }
  }

  /** See Machine.runAsync. */
  async runAsync(options: RunOptions): Promise<RunResult> {
    const steps = this.begin(options);
    try {
      let next = steps.next(0);
      while (next.done !== true) next = steps.next(await this.pause(next.value));
      return next.value;
    } catch (error) {
      if (error instanceof LostWorkerError) await this.crew?.abandon(error.lost);
      throw this.failed(error);
    } finally {
      this.running = false;
    }
  }

  /** Lets the workers, or the host, go on; nobody else touches the machine. */
  private async pause(kind: Pause): Promise<STOP> {
    this.machine.core = refusing(
      'the machine runs; only stop() and dispose() may be called meanwhile',
    );
    this.handedOver = true;
    try {
      if (kind === 'workers') return await (this.crew as Crew).runAsync();
      await new Promise((resolve) => setTimeout(resolve, 0));
      return STOP.None;
    } finally {
      this.handedOver = false;
      if (!this.disposed) this.machine.core = this.engineCore;
    }
  }

  /** Checks what a run is asked for, and begins it. */
  private begin(options: RunOptions): Generator<Pause, RunResult, STOP> {
    if (this.running)
      throw new MachineError(
        'run was called from inside run; use stop() there, and run again when it has returned',
      );
    if (this.disposed) throw new MachineError(DISPOSED);
    if (this.lost !== undefined) throw this.lost;
    requireOptions('run', options, ['until', 'maxEvents']);
    const until = options.until ?? Number.POSITIVE_INFINITY;
    if (until !== Number.POSITIVE_INFINITY)
      requireInteger('until', until, 0, Number.MAX_SAFE_INTEGER);
    const maxEvents = requireInteger(
      'maxEvents',
      options.maxEvents ?? 100_000_000,
      0,
      Number.MAX_SAFE_INTEGER,
    );
    this.running = true;
    this.stopRequested = false;
    return this.runLoop(until, this.machine.steps + maxEvents);
  }

  /** What a run throws; what was in the air is taken back. */
  private failed(error: unknown): unknown {
    if (!(error instanceof LostWorkerError)) {
      this.landAll();
      return error;
    }
    const { lost } = error;
    this.crew?.seize(lost);
    void this.crew?.abandon(lost);
    this.engineCore.KiLandAll();
    const thread = lost.thread === undefined ? undefined : this.machine.thread(lost.thread)?.name;
    const { why, worker, processor } = lost;
    this.lost = new WorkerError(why, worker, processor, thread, lastRecords(this.machine));
    return this.lost;
  }

  /** Takes back what is in the air; a worker that does not let go of it is lost too. */
  private landAll(): void {
    const start = performance.now();
    try {
      for (;;) {
        const processor = this.engineCore.KiLandAll() - 1;
        if (processor < 0) return;
        this.waitForFlight(processor, start);
      }
    } catch (error) {
      this.failed(error);
    }
  }

  private *runLoop(until: number, stepLimit: number): Generator<Pause, RunResult, STOP> {
    this.memory.setU64(KSYSTEM.Address + KSYSTEM.Until64, until);
    for (let rests = 0; ; rests++) {
      if (this.stopRequested)
        return this.settled(false, { reason: 'requested', now: this.machine.now });
      if (rests % HOST_TURNS_A_REST === HOST_TURNS_A_REST - 1) yield 'rest';
      this.memory.setU64(
        KSYSTEM.Address + KSYSTEM.StepLimit64,
        Math.min(stepLimit, this.machine.steps + SLICE_STEPS),
      );
      let stop = this.callCore();
      if (stop === STOP.Flight) stop = yield* this.advanceFlights();
      switch (stop) {
        case STOP.TimeReached:
          return this.settled(true, { reason: 'time', now: this.machine.now });
        case STOP.Idle:
          return this.settled(true, this.idleResult());
        case STOP.EventLimit:
          this.machine.ports.settle(true);
          this.machine.trace.drain();
          if (this.machine.steps >= stepLimit) return { reason: 'events', now: this.machine.now };
          yield 'rest';
          break;
        case STOP.Host:
          this.answers.answer();
          break;
        case STOP.TraceFull:
          this.machine.ports.settle(true);
          if (!this.machine.trace.drain()) return { reason: 'trace-full', now: this.machine.now };
          break;
        case STOP.Deadlock:
          return this.settled(false, {
            reason: 'deadlock',
            now: this.machine.now,
            circle: spinningCircle(this.machine),
          });
        case STOP.Livelock:
          return this.settled(false, {
            reason: 'livelock',
            now: this.machine.now,
            threads: remainingThreads(this.machine),
          });
        case STOP.Requested:
          break;
        default:
          return this.settled(false, {
            reason: 'bugcheck',
            now: this.machine.now,
            ...describeBugCheck(this.machine, this.answers.failure),
            cause: this.answers.failure,
          });
      }
    }
  }

  /** Lets flights come further, and steps the kernel, up to where the host has something else to do. */
  private *advanceFlights(): Generator<Pause, STOP, STOP> {
    if (this.crew !== undefined) return yield 'workers';
    for (let pieces = 1; ; pieces++) {
      this.machine.ports.advanceFirst();
      if (pieces % PIECES_A_REST === 0) {
        yield 'rest';
        if (this.stopRequested) return STOP.Requested;
      }
      const stop = this.callCore();
      if (stop !== STOP.Flight) return stop;
    }
  }

  /** A run's end; how far the guests have come does not depend on who advanced them. */
  private settled(known: boolean, result: RunResult): RunResult {
    this.machine.ports.settle(known);
    return result;
  }

  /** Waits until a worker has done with its piece of a flight. */
  waitForFlight(processor: number, start: number): void {
    this.crew?.waitForPiece(processor, start);
  }

  private idleResult(): RunResult {
    const circle = waitingCircle(this.machine);
    if (circle.length !== 0) return { reason: 'deadlock', now: this.machine.now, circle };
    return { reason: 'idle', now: this.machine.now, waiting: remainingThreads(this.machine) };
  }

  private callCore(): STOP {
    try {
      return this.engineCore.KiRun();
    } catch (error) {
      // A trap: an assertion of the core has left its place in the system block, or the core is broken.
      if (this.system(KSYSTEM.BugCheckCode) === BUGCHECK.NONE)
        this.machine.bugCheck(BUGCHECK.ASSERTION);
      this.answers.failure = error;
      return STOP.BugCheck;
    }
  }

  /** Ends the run, if there is one, and the workers; `loading`: when they have done with ports. */
  async dispose(loading: Promise<void>): Promise<void> {
    this.disposed = true;
    this.machine.core = refusing(DISPOSED);
    this.stop();
    while (this.running) await new Promise((resolve) => setTimeout(resolve, 1));
    await loading;
    await this.crew?.dispose();
  }

  private system(field: number): number {
    return this.memory.u32(KSYSTEM.Address + field);
  }
}

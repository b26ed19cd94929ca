import { KENGINE, KFLIGHT, KSYSTEM } from '../../assembly/shared/layout';
import { ENGINE, FLIGHT, type STOP } from '../../assembly/shared/types';
import type { ThreadsExports, WorkerCode } from './core';
import { MachineError } from './errors';
import type { MachineMemory } from './memory';
import type { ResolvedOptions } from './options';
import { CONTROL, type FromWorker, type ToWorker, WORKER_STATE } from './worker/messages';
import {
  endAll,
  hostProcessors,
  NoWorkerError,
  type WorkerHandle,
  type WorkerPool,
} from './worker-pool';

/**
 * Ns that a guest runs at the most before its worker looks round and the others see how far it has come:
 * short enough to keep them from waiting, long beside what a look costs.
 */
const PIECE_NS = 2000;

/**
 * How often a worker that has nothing to do looks at a processor before it sleeps: for some times as long
 * as it takes to wake one. With more workers than the host has processors, less.
 */
const SPINS = 40_000;
const SPINS_IN_A_CROWD = 50;

/**
 * How often the host looks for its turn before it sleeps, if the workers leave it a processor: for about
 * as long as it takes to wake it. Without one it would keep a worker from what it waits for.
 */
const HOST_LOOKS = 5000;

const DOZE_MS = 0.1;
/** How long workers have to let go of what they have when one is lost. */
const LAST_MS = 1000;

/** What became of a worker that a run has given up. */
export interface LostWorker {
  readonly worker: number;
  /** Absent if it stepped the kernel, or did nothing. */
  readonly processor: number | undefined;
  /** Table index of the thread whose guest it ran; absent if it ran none. */
  readonly thread: number | undefined;
  readonly why: string;
}

/** A worker did not do what it must: the run has ended where it is. */
export class LostWorkerError extends Error {
  constructor(readonly lost: LostWorker) {
    super(lost.why);
  }
}

/** Nobody hears of workers any more. */
function unheard(workers: readonly WorkerHandle[]): void {
  for (const worker of workers) {
    worker.listener = undefined;
    worker.ended = undefined;
  }
}

/** The workers of one machine, as the host sees them. */
export class Crew {
  readonly control: Int32Array;
  /** What the host is to do next, in a run that does not block. */
  private turn: (() => void) | undefined;
  private ended: LostWorker | undefined;
  private lastPulse = 0;

  private workers: WorkerHandle[] = [];
  private started: Promise<void> | undefined;
  private disposed = false;
  /** How often the host looks for its turn before it sleeps. */
  private looks = 0;
  /** All workers have been ended. */
  private gone = false;

  /** The host has the kernel. Workers are taken with the first port: nothing else is theirs. */
  constructor(
    readonly core: ThreadsExports,
    private readonly memory: MachineMemory,
    private readonly options: ResolvedOptions,
    private readonly code: WorkerCode,
    private readonly pool: WorkerPool,
    private readonly ownPool: boolean,
  ) {
    this.control = new Int32Array(
      new SharedArrayBuffer((CONTROL.State + options.workers) * Int32Array.BYTES_PER_ELEMENT),
    );
    this.storeEngine(KENGINE.Version, 1);
    this.storeEngine(KENGINE.Owner, ENGINE.Host);
  }

  /** Takes workers and lets them look at the machine's memory. */
  private async start(): Promise<void> {
    this.workers = await this.pool.take(this.options.workers, this.code.script);
    try {
      await this.attach();
    } catch (error) {
      throw new NoWorkerError((error as Error).message);
    }
    this.workers.forEach((worker, index) => {
      worker.listener = (message) => this.hear(message);
      worker.ended = (why) => this.lose(index, why);
    });
  }

  private async attach(): Promise<void> {
    const { options, memory } = this;
    const processors = await hostProcessors();
    const crowded = options.workers > processors;
    if (options.workers < processors) this.looks = HOST_LOOKS;
    await this.askAll('attached', (index) => ({
      kind: 'attach',
      index,
      count: options.workers,
      processors: options.processors,
      memory: memory.memory,
      module: this.code.module,
      control: this.control,
      flightBase: this.system(KSYSTEM.FlightBase),
      engineBase: this.system(KSYSTEM.EngineBase),
      guestBase: memory.guests,
      guestBytes: options.capacities.guestBytes,
      pieceNs: PIECE_NS,
      spins: crowded ? SPINS_IN_A_CROWD : Math.ceil(SPINS / options.processors),
      pauseUs: options.workerPauseUs,
    }));
  }

  /** How many workers the machine has. */
  get size(): number {
    return this.disposed ? 0 : this.options.workers;
  }

  private system(field: number): number {
    return this.memory.u32(KSYSTEM.Address + field);
  }

  private engineIndex(field: number): number {
    return (this.system(KSYSTEM.EngineBase) + field) >>> 2;
  }

  private engine(field: number): number {
    return Atomics.load(this.memory.words, this.engineIndex(field));
  }

  private storeEngine(field: number, value: number): void {
    Atomics.store(this.memory.words, this.engineIndex(field), value);
  }

  /** Who has the kernel: ENGINE.Host, or a worker's number plus one; 0: nobody, or one that has just taken it. */
  private owner(): number {
    return this.engine(KENGINE.Version) % 2 === 0 ? 0 : this.engine(KENGINE.Owner);
  }

  /** Tells every worker something, and waits until each has answered. */
  private async askAll(
    kind: FromWorker['kind'],
    message: (index: number) => ToWorker,
  ): Promise<void> {
    Atomics.store(this.control, CONTROL.Leave, 1);
    this.core.KiWake();
    try {
      await Promise.all(
        this.workers.map((worker, index) => this.ask(worker, index, kind, message(index))),
      );
    } finally {
      Atomics.store(this.control, CONTROL.Leave, 0);
    }
  }

  private async ask(
    worker: WorkerHandle,
    index: number,
    kind: FromWorker['kind'],
    message: ToWorker,
  ): Promise<void> {
    worker.hold(true);
    try {
      const answer = worker.next();
      worker.tell(message);
      const said = await answer;
      if (said.kind !== kind)
        throw new MachineError(`worker ${index} said '${said.kind}' for '${kind}'`);
      if ('error' in said && said.error !== undefined)
        throw new MachineError(`worker ${index}: ${said.error}`);
    } finally {
      worker.hold(false);
    }
  }

  /** Ends workers that could not be begun with. */
  async giveUp(): Promise<void> {
    this.disposed = true;
    await endAll(this.workers);
  }

  /** Lets every worker import a port. NoWorkerError: there are no workers. */
  async openPort(index: number, url: string, data: unknown): Promise<void> {
    this.started ??= this.start();
    await this.started;
    try {
      await this.askAll('port', () => ({ kind: 'port', index, url, data }));
    } catch (error) {
      if (!(error instanceof DOMException) && !(error instanceof TypeError)) throw error;
      throw new MachineError(`loadPort: data cannot be cloned for the workers: ${error.message}`);
    }
  }

  private hear(message: FromWorker): void {
    // One that failed has told of it twice.
    if (message.kind === 'turn' && this.engine(KENGINE.HostTurn) !== 0) this.turn?.();
  }

  private lose(worker: number, why: string): void {
    const processor = this.runningProcessor(worker);
    this.ended ??= { worker, processor, thread: this.threadOn(processor), why };
    this.turn?.();
  }

  /** Gives the kernel to the workers: the next step is behind what they have to do. */
  private handOver(message: boolean): void {
    this.storeEngine(KENGINE.Message, message ? 1 : 0);
    this.storeEngine(KENGINE.HostTurn, 0);
    // One that failed during the host's turn has told of it before that.
    if (this.lostWorker() !== undefined) {
      this.storeEngine(KENGINE.HostTurn, 1);
      this.turn?.();
      return;
    }
    this.storeEngine(KENGINE.Owner, 0);
    this.core.KiReleaseEngine(1);
    this.workers.forEach((worker, index) => {
      // Nothing is dealt to more workers than there are processors.
      if (index >= this.options.processors) return;
      const word = CONTROL.State + index;
      const before = Atomics.exchange(this.control, word, WORKER_STATE.Active);
      if (before === WORKER_STATE.Parked) worker.tell({ kind: 'go' });
    });
  }

  /** Takes the kernel back as the workers have left it: a STOP. */
  private takeBack(): STOP {
    this.storeEngine(KENGINE.Wanted, 0);
    const lost = this.lostWorker();
    if (lost !== undefined) throw new LostWorkerError(lost);
    return this.engine(KENGINE.Stop);
  }

  /** Lets the workers go on until the host has to do something; waits in memory. */
  run(): STOP {
    this.handOver(false);
    const turn = this.engineIndex(KENGINE.HostTurn);
    const words = new Int32Array(this.memory.memory.buffer);
    for (let look = 0; look < this.looks && Atomics.load(words, turn) === 0; look++);
    while (Atomics.load(words, turn) === 0) {
      const result = Atomics.wait(words, turn, 0, this.options.workerTimeoutMs);
      if (result === 'timed-out') this.requirePulse();
    }
    return this.takeBack();
  }

  /** The same without blocking. */
  async runAsync(): Promise<STOP> {
    for (const worker of this.workers) worker.hold(true);
    const watch = setInterval(() => {
      try {
        this.requirePulse();
      } catch (error) {
        if (error instanceof LostWorkerError) this.ended ??= error.lost;
        this.turn?.();
      }
    }, this.options.workerTimeoutMs);
    try {
      await new Promise<void>((resolve) => {
        this.turn = resolve;
        this.handOver(true);
      });
      return this.takeBack();
    } finally {
      clearInterval(watch);
      this.turn = undefined;
      for (const worker of this.workers) worker.hold(false);
    }
  }

  /** Asks for the kernel, from outside a run that does not block. */
  interrupt(): void {
    this.storeEngine(KENGINE.Wanted, 1);
    this.core.KiWake();
  }

  /** Whether a run may wait in memory here: a page's main thread may not. */
  get mayBlock(): boolean {
    try {
      Atomics.wait(this.control, CONTROL.Failed, -2, 0);
      return true;
    } catch {
      return false;
    }
  }

  /** Throws if nothing has moved since the last call. */
  private requirePulse(): void {
    let pulse = this.memory.u64(KSYSTEM.Address + KSYSTEM.Steps64);
    for (let processor = 0; processor < this.options.processors; processor++) {
      const flight = this.flight(processor);
      const state = this.memory.u32(flight + KFLIGHT.State);
      pulse += state;
      if (state !== FLIGHT.Landed) pulse += this.memory.u64(flight + KFLIGHT.Progress64);
    }
    if (pulse !== this.lastPulse) {
      this.lastPulse = pulse;
      return;
    }
    throw new LostWorkerError(this.lostWorker() ?? this.silentWorker());
  }

  /** What is wrong with a worker that does not answer. */
  private get silence(): string {
    return `it has not answered for ${this.options.workerTimeoutMs} ms (workerTimeoutMs)`;
  }

  /** The worker that the others wait for. */
  private silentWorker(): LostWorker {
    const why = this.silence;
    const running = this.processors().find((processor) => this.isRunning(processor));
    if (running !== undefined) {
      const thread = this.threadOn(running);
      return { worker: running % this.size, processor: running, thread, why };
    }
    const owner = this.owner();
    if (owner !== 0 && owner !== ENGINE.Host)
      return { worker: owner - 1, processor: undefined, thread: undefined, why };
    const processor = this.system(KSYSTEM.StopProcessor);
    return { worker: processor % this.size, processor, thread: this.threadOn(processor), why };
  }

  private processors(): number[] {
    return Array.from({ length: this.options.processors }, (_, number) => number);
  }

  private flight(processor: number): number {
    return this.system(KSYSTEM.FlightBase) + processor * KFLIGHT.Size;
  }

  private isRunning(processor: number): boolean {
    return this.memory.u32(this.flight(processor) + KFLIGHT.State) === FLIGHT.Running;
  }

  private runningProcessor(worker: number): number | undefined {
    return this.processors().find(
      (processor) => processor % this.size === worker && this.isRunning(processor),
    );
  }

  private threadOn(processor: number | undefined): number | undefined {
    if (processor === undefined) return undefined;
    return this.memory.u32(this.flight(processor) + KFLIGHT.Thread);
  }

  /** A worker that has said what is wrong, or of which it is known. */
  private lostWorker(): LostWorker | undefined {
    return this.failedWorker() ?? this.ended;
  }

  private failedWorker(): LostWorker | undefined {
    const { control } = this;
    const failed = Atomics.load(control, CONTROL.Failed);
    if (failed <= 0) return undefined;
    const letters = control.subarray(
      CONTROL.Text,
      CONTROL.Text + (control[CONTROL.TextLength] ?? 0),
    );
    const number = control[CONTROL.FailedProcessor] as number;
    const processor = number === 0 ? undefined : number - 1;
    return {
      worker: failed - 1,
      processor,
      thread: this.threadOn(processor),
      why: String.fromCharCode(...letters),
    };
  }

  /** Gives the workers back, or ends them. */
  async dispose(): Promise<void> {
    this.disposed = true;
    const { workers } = this;
    this.workers = [];
    unheard(workers);
    if (this.ownPool || this.ended !== undefined || this.failedWorker() !== undefined) {
      await endAll(workers);
      return;
    }
    this.workers = workers;
    await this.askAll('detached', () => ({ kind: 'detach' }));
    this.workers = [];
    await this.pool.give(workers);
  }

  /** Ends the workers at once: what they have in hand is lost. */
  async abandon(lost: LostWorker): Promise<void> {
    this.ended ??= lost;
    unheard(this.workers);
    await endAll(this.workers);
    this.gone = true;
  }

  /** Takes the kernel, and what is in the air, from workers of which one is lost. */
  seize(lost: LostWorker): void {
    this.storeEngine(KENGINE.Wanted, 1);
    const start = performance.now();
    const isInTime = () => !this.gone && performance.now() - start < LAST_MS;
    while (!this.take(lost) && isInTime()) this.doze(start);
    this.storeEngine(KENGINE.Owner, ENGINE.Host);
    for (const processor of this.processors()) {
      const isLost = processor % this.options.workers === lost.worker;
      while (!isLost && this.isRunning(processor) && isInTime()) this.doze(start);
      const state = (this.flight(processor) + KFLIGHT.State) >>> 2;
      Atomics.compareExchange(this.memory.words, state, FLIGHT.Running, FLIGHT.Aloft);
    }
  }

  /** Takes the kernel if nobody has it who will let go of it. */
  private take(lost: LostWorker): boolean {
    const owner = this.owner();
    // The others let go of it after their steps; the lost one does not.
    if (owner === ENGINE.Host || owner === lost.worker + 1) return true;
    const word = this.engineIndex(KENGINE.Version);
    const version = this.engine(KENGINE.Version);
    const isFree = version % 2 === 0;
    return (
      isFree && Atomics.compareExchange(this.memory.words, word, version, version + 1) === version
    );
  }

  /** Waits, since `start`, until a worker has done with its piece, which is short. */
  waitForPiece(processor: number, start: number): void {
    if (performance.now() - start > this.options.workerTimeoutMs) {
      const why = this.silence;
      const thread = this.threadOn(processor);
      throw new LostWorkerError({ worker: processor % this.size, processor, thread, why });
    }
    if (this.isRunning(processor)) this.doze(start);
  }

  /** A moment: none soon after `start`; where that may block, later one asleep. */
  private doze(start: number): void {
    if (performance.now() - start < DOZE_MS || !this.mayBlock) return;
    Atomics.wait(this.control, CONTROL.Nothing, 0, DOZE_MS);
  }
}

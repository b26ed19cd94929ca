import { KSYSTEM, KTHREAD } from '../../assembly/shared/layout';
import { LIMIT } from '../../assembly/shared/limits';
import { OP } from '../../assembly/shared/opcode';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { MachineError } from '../machine/errors';
import { encode } from '../machine/instruction';
import { Machine } from '../machine/machine';
import type { CoreSource } from '../machine/options';
import type { TraceNames } from '../machine/records';
import type { KProcess, KSemaphore } from '../machine/views';
import type { BurstSink } from './bursts';
import { ScheduleFigures, type ThreadTally } from './figures';
import { OpQueue } from './op-queue';
import { BASELINE_PRIORITY, mapPriority, POLICIES, type Policy } from './policy';

/**
 * A recording replayed while it is read: one machine for each policy, fed with bursts.
 *
 * The machine runs up to where the reader says that everything has been delivered, and stops early
 * when a thread needs what has not been read yet: so no time passes in it of which the recording
 * could still tell something. What one thread has not yet done while others went on is held here.
 */

const HIGH = 2 ** 32;
const FORK_CALL = 1;
/** Program memory of one thread, in words: it is filled anew whenever the thread has used it up. */
const BUFFER_WORDS = 128;
const LIVE_THREADS = 65_536;
const INTERRUPTS = 4096;
/** SEMAPHORE_INCREMENT. */
const WAKE_INCREMENT = 1;
const REFILL = encode(OP.Refill);
const RELEASE = encode(OP.ReleaseSemaphore, 0, WAKE_INCREMENT);

function waitWord(reason: string): number {
  const ntReason = reason === 'D' ? KWAIT_REASON.Executive : KWAIT_REASON.UserRequest;
  return encode(OP.Wait, 0, ntReason | (MODE.UserMode << 15));
}

interface ReplayedProcess {
  readonly name: string;
  nt: KProcess | undefined;
}

class ReplayedThread {
  readonly queue = new OpQueue();
  /** Ns delivered so far. */
  computeNs = 0;
  level: number;
  /** Waits delivered without the wake that ends each. */
  openWaits = 0;
  started = false;
  readonly gateLow: number;
  readonly gateHigh: number;
  tally: ThreadTally | undefined;
  buffer = 0;

  constructor(
    readonly index: number,
    readonly process: ReplayedProcess,
    readonly name: string,
    readonly forked: boolean,
    readonly gate: KSemaphore,
    level: number,
  ) {
    this.level = level;
    this.gateLow = gate.handle % HIGH;
    this.gateHigh = Math.floor(gate.handle / HIGH);
  }
}

export interface ReplayOptions {
  /** 1-2048. */
  readonly processors: number;
  readonly profile?: 'client' | 'server';
  readonly policy?: Policy;
  /** Threads of the recording alive at once, at most. Default 65,536. */
  readonly liveThreads?: number;
  /** The core to run on. Default: built in. */
  readonly core?: CoreSource;
}

/** What a thread of the recording became. */
export interface ReplayedFigures {
  /** Ns that the recording gave it; equal to the tally's run time once it has done all of them. */
  readonly computeNs: number;
  readonly level: number;
  /** undefined: it was never made, because what forks it never came to that. */
  readonly tally: ThreadTally | undefined;
}

/** Replays what it is told on one machine. Run time is what was recorded; operations are overhead. */
export class Replay implements BurstSink {
  readonly policy: Policy;
  readonly figures = new ScheduleFigures({
    start: (tally) => this.#started(tally),
    end: (tally) => this.#ended(tally),
  });
  /** Words held that their threads had not come to, at the most. */
  backlogMax = 0;
  readonly #threads: ReplayedThread[] = [];
  readonly #processes: ReplayedProcess[] = [];
  /** By table index: whose program memory it is now. */
  readonly #byIndex: ReplayedThread[] = [];
  /** Made, but their start has not been seen in the trace. */
  readonly #unclaimed: ReplayedThread[] = [];
  /** Of threads that have not ended. */
  readonly #owners = new Map<ThreadTally, ReplayedThread>();
  readonly #freeBuffers: number[] = [];
  #naming: { readonly threads: string[]; readonly processes: string[] } | undefined;
  readonly #interrupts: { timeNs: number; processor: number; target: number }[] = [];
  #nextInterrupt = 0;
  #backlog = 0;
  /** Up to where the recording has been delivered. */
  #horizonNs = 0;
  #starved = false;

  private constructor(
    readonly machine: Machine,
    options: ReplayOptions,
  ) {
    this.policy = options.policy ?? 'nt';
    machine.onRefill((index) => this.#refill(index));
    machine.onHostCall(FORK_CALL, (thread, child) => {
      this.#start(this.#thread(child), undefined, thread.process);
      return undefined;
    });
    machine.trace.subscribe((batch) => this.figures.add(batch));
  }

  static async create(options: ReplayOptions): Promise<Replay> {
    const threads = options.liveThreads ?? LIVE_THREADS;
    const machine = await Machine.create({
      processors: options.processors,
      profile: { product: options.profile ?? 'client', ...POLICIES[options.policy ?? 'nt'] },
      capacities: {
        threads: threads + 16,
        processes: threads + 16,
        objects: Math.min(LIMIT.Objects, threads * 2),
        programWords: (threads + 16) * BUFFER_WORDS,
        interrupts: INTERRUPTS,
      },
      trace: { whenFull: 'drain' },
      livelockSteps: 0,
      ...(options.core === undefined ? {} : { core: options.core }),
    });
    return new Replay(machine, options);
  }

  /** Of each thread of the recording, by its index there. */
  get threads(): ReplayedFigures[] {
    return this.#threads;
  }

  /**
   * Names for one writer of this machine's trace, asked for in the order in which the trace tells
   * of starts: by the recorded name, a process by its recorded id too.
   */
  traceNames(): TraceNames {
    const threads = [...this.machine.allThreads()].map((thread) => thread.name);
    const naming = { threads, processes: [this.machine.systemProcess.name] };
    this.#naming = naming;
    return { thread: () => naming.threads.shift(), process: () => naming.processes.shift() };
  }

  process(process: number, tgid: number, name: string): void {
    this.#processes[process] = { name: `${name} ${tgid}`, nt: undefined };
  }

  thread(
    thread: number,
    process: number,
    _tid: number,
    name: string,
    linuxPriority: number,
    parent: number,
  ): void {
    const level = this.policy === 'nt' ? mapPriority(linuxPriority) : BASELINE_PRIORITY;
    this.#threads[thread] = new ReplayedThread(
      thread,
      this.#processes[process] as ReplayedProcess,
      name,
      parent >= 0,
      this.#guarded(() => this.machine.createSemaphore(0)),
      level,
    );
  }

  rename(): void {}

  compute(thread: number, ns: number): void {
    if (ns === 0) return;
    const own = this.#begun(thread);
    own.computeNs += ns;
    const before = own.queue.length;
    own.queue.compute(ns);
    this.#backlog += own.queue.length - before;
  }

  wake(thread: number, target: number): void {
    const woken = this.#thread(target);
    woken.openWaits--;
    this.#begun(thread).queue.push4(RELEASE, woken.gateLow, woken.gateHigh, 1);
    this.#backlog += 4;
  }

  wait(thread: number, reason: string): void {
    const own = this.#thread(thread);
    own.openWaits++;
    if (!own.started && !own.forked) {
      this.#start(own, own.gate, undefined);
      return;
    }
    own.queue.pushWait(waitWord(reason), own.gateLow, own.gateHigh);
    this.#backlog += 5;
  }

  fork(thread: number, child: number): void {
    this.#begun(thread).queue.push2(encode(OP.HostCall, 0, FORK_CALL), child);
    this.#backlog += 2;
  }

  setPriority(thread: number, linuxPriority: number): void {
    if (this.policy !== 'nt') return;
    const own = this.#thread(thread);
    const level = mapPriority(linuxPriority);
    if (level === own.level) return;
    own.level = level;
    if (!own.started && own.queue.length === 0) return;
    if (level >= 16) {
      own.queue.push1(encode(OP.SetPriority, 0, level));
      this.#backlog += 1;
    } else {
      own.queue.push2(encode(OP.SetBasePriority), (level - BASELINE_PRIORITY) >>> 0);
      this.#backlog += 2;
    }
  }

  exit(thread: number, recorded: boolean): void {
    const own = this.#begun(thread);
    // It was killed in its wait: nobody's wake is recorded.
    if (recorded && own.openWaits > 0) this.interruptWake(this.#horizonNs, 0, thread);
    own.queue.push2(encode(OP.Exit), 0);
    this.#backlog += 2;
  }

  interruptWake(timeNs: number, cpu: number, target: number): void {
    this.#thread(target).openWaits--;
    const processor = cpu % this.machine.processorCount;
    this.#interrupts.push({ timeNs, processor, target });
  }

  advance(timeNs: number): void {
    this.backlogMax = Math.max(this.backlogMax, this.#backlog);
    this.#horizonNs = timeNs;
    this.#pump(timeNs);
  }

  /** Runs to the end once everything has been delivered. */
  finish(): void {
    this.#pump(Number.POSITIVE_INFINITY);
    this.figures.finish(this.machine);
  }

  /** Runs up to `untilNs`, or up to where a thread lacks what has not been delivered. */
  #pump(untilNs: number): void {
    for (;;) {
      const next = this.#scheduleInterrupts();
      const until = Math.min(untilNs, next);
      this.#starved = false;
      const result = this.machine.run({ until });
      this.machine.trace.drain();
      if (this.#starved) return;
      if (result.reason === 'bugcheck') {
        throw new MachineError(`the replay stopped: ${result.name}: ${result.explanation}`);
      }
      if (result.reason !== 'events' && until === untilNs) return;
    }
  }

  /** Hands over as many interrupts as there is room for; the time of the first that is left. */
  #scheduleInterrupts(): number {
    const interrupts = this.#interrupts;
    while (this.#nextInterrupt < interrupts.length) {
      const { timeNs, processor, target } = interrupts[
        this.#nextInterrupt
      ] as (typeof interrupts)[0];
      const { gate } = this.#thread(target);
      if (!gate.exists) {
        this.#nextInterrupt++;
        continue;
      }
      if (!this.machine.scheduleInterrupt(timeNs, processor, gate, WAKE_INCREMENT)) return timeNs;
      this.#nextInterrupt++;
    }
    interrupts.length = 0;
    this.#nextInterrupt = 0;
    return Number.POSITIVE_INFINITY;
  }

  /** The thread has used up its program memory. */
  #refill(index: number): void {
    const own = this.#byIndex[index] as ReplayedThread;
    if (own.queue.length === 0) {
      this.#starved = true;
      this.machine.stop();
      return;
    }
    const { memory } = this.machine;
    const offset = own.buffer >>> 2;
    const moved = own.queue.moveTo(memory.words, offset, BUFFER_WORDS - 1);
    this.#backlog -= moved;
    memory.words[offset + moved] = REFILL;
    const table = memory.u32(KSYSTEM.Address + KSYSTEM.ThreadTable);
    memory.setU32(table + index * KTHREAD.Size + KTHREAD.ProgramCounter, own.buffer);
  }

  /** A thread with something to do: if it was there when the recording began, it starts now. */
  #begun(thread: number): ReplayedThread {
    const own = this.#thread(thread);
    if (!own.started && !own.forked) this.#start(own, undefined, undefined);
    return own;
  }

  #start(
    own: ReplayedThread,
    waitsFor: KSemaphore | undefined,
    parent: KProcess | undefined,
  ): void {
    own.started = true;
    const { machine } = this;
    this.#guarded(() => {
      const process = this.#processOf(own, parent);
      own.buffer = this.#freeBuffers.pop() ?? machine.reserveProgramWords(BUFFER_WORDS, own.name);
      machine.memory.words[own.buffer >>> 2] = REFILL;
      const program = { name: own.name, address: own.buffer, length: BUFFER_WORDS };
      const thread = process.createThread(program, {
        name: own.name,
        increment: own.level >= 16 ? 0 : own.level - BASELINE_PRIORITY,
        uncharged: true,
        ...(waitsFor === undefined ? {} : { waitsFor }),
      });
      if (own.level >= 16) thread.setPriority(own.level);
      this.#byIndex[thread.index] = own;
      this.#naming?.threads.push(own.name);
      thread.close();
    });
    this.#unclaimed.push(own);
  }

  #processOf(own: ReplayedThread, parent: KProcess | undefined): KProcess {
    const { process } = own;
    if (process.nt?.exists === true) return process.nt;
    const made = this.machine.createProcess({
      name: process.name,
      ...(parent?.exists === true ? { parent } : {}),
    });
    made.close();
    this.#naming?.processes.push(process.name);
    process.nt = made;
    return made;
  }

  /** Threads start in the trace in the order in which they were made here. */
  #started(tally: ThreadTally): void {
    const own = this.#unclaimed.shift() as ReplayedThread;
    own.tally = tally;
    this.#owners.set(tally, own);
  }

  #ended(tally: ThreadTally): void {
    const own = this.#owners.get(tally) as ReplayedThread;
    this.#owners.delete(tally);
    this.#freeBuffers.push(own.buffer);
    own.gate.delete();
  }

  #thread(index: number): ReplayedThread {
    return this.#threads[index] as ReplayedThread;
  }

  /** Says which option helps when a table of the machine is full. */
  #guarded<T>(make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof MachineError) || !error.message.includes('raise capacities'))
        throw error;
      throw new MachineError(
        `the recording has more threads alive at once than the replay has room for; raise liveThreads (${error.message})`,
      );
    }
  }
}

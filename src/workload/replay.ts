import { KSYSTEM, KTHREAD } from '../../assembly/shared/layout';
import { LIMIT } from '../../assembly/shared/limits';
import { OP } from '../../assembly/shared/opcode';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { MachineError } from '../machine/errors';
import { encode } from '../machine/instruction';
import { Machine } from '../machine/machine';
import type { CoreSource } from '../machine/options';
import type { TraceNames } from '../machine/records';
import type { KProcess, KSemaphore, KThread } from '../machine/views';
import type { BurstSink } from './bursts';
import { ScheduleFigures, type ThreadTally } from './figures';
import { LinuxReplay, type SubsystemCounts } from './linux-replay';
import type { OpQueue } from './op-queue';
import { BASELINE_PRIORITY, mapPriority, POLICIES, type Policy } from './policy';
import { NamesByIndex, ReplayedProcess, ReplayedThread } from './replayed';

/**
 * A recording replayed while it is read: one machine for each policy, fed with bursts.
 *
 * The machine runs up to where the reader says that everything has been delivered, and stops early
 * when a thread needs what has not been read yet: so no time passes in it of which the recording
 * could still tell something. What one thread has not yet done while others went on is held here.
 */

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

export interface ReplayOptions {
  /** 1-2048. */
  readonly processors: number;
  readonly profile?: 'client' | 'server';
  readonly policy?: Policy;
  /** Threads of the recording alive at once, at most. Default 65,536. */
  readonly liveThreads?: number;
  /** The recording's threads are of Linux, as WSL 1 runs it. Default: they are of no subsystem. */
  readonly subsystem?: 'wsl';
  /** The core to run on. Default: built in. */
  readonly core?: CoreSource;
}

/** What a thread of the recording became. */
export interface ReplayedFigures {
  /** Ns that the recording gave it; equal to the tally's run time once it has done all of them. */
  readonly computeNs: number;
  readonly level: number;
  /** It ended before it had done what was recorded of it: somebody ended it, or refused its process. */
  readonly dropped: boolean;
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
  #naming: { readonly threads: NamesByIndex; readonly processes: NamesByIndex } | undefined;
  readonly #interrupts: { timeNs: number; processor: number; target: number }[] = [];
  #nextInterrupt = 0;
  #backlog = 0;
  /** Up to where the recording has been delivered. */
  #horizonNs = 0;
  #starved = false;
  /** When the recording begins on the machine; undefined: it has not. */
  #originNs: number | undefined;
  readonly #linux: LinuxReplay | undefined;
  /** Of threads of Linux, by the handle of their gate. */
  readonly #byGate = new Map<number, ReplayedThread>();

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
    this.#linux = options.subsystem === undefined ? undefined : this.#newLinux();
  }

  #newLinux(): LinuxReplay {
    return new LinuxReplay(this.machine, {
      reserve: (own) => this.#reserve(own as ReplayedThread),
      place: (own, thread) => this.#place(own as ReplayedThread, thread),
      at: (index) => this.#byIndex[index] as ReplayedThread,
      drop: (own) => this.#drop(own as ReplayedThread),
      gateOf: (own) => (own as ReplayedThread).gate,
      full: () => noRoom('STATUS_INSUFFICIENT_RESOURCES'),
    });
  }

  static async create(options: ReplayOptions): Promise<Replay> {
    const { subsystem } = options;
    if (subsystem !== undefined && subsystem !== 'wsl')
      throw new MachineError(`Replay: subsystem is '${String(subsystem)}'; give 'wsl' or nothing`);
    const threads = options.liveThreads ?? LIVE_THREADS;
    const linux = subsystem === undefined ? {} : { threadExtensions: threads + 64 };
    const machine = await Machine.create({
      processors: options.processors,
      profile: { product: options.profile ?? 'client', ...POLICIES[options.policy ?? 'nt'] },
      capacities: {
        threads: threads + (subsystem === undefined ? 16 : 64),
        processes: threads + 16,
        objects: Math.min(LIMIT.Objects, threads * (subsystem === undefined ? 2 : 3) + 64),
        ...linux,
        programWords: (threads + 16) * BUFFER_WORDS,
        interrupts: INTERRUPTS,
      },
      trace: { whenFull: 'drain' },
      livelockSteps: 0,
      ...(options.core === undefined ? {} : { core: options.core }),
    });
    return new Replay(machine, options);
  }

  /** What was told to the provider of the subsystem; undefined: there is none. */
  get subsystem(): SubsystemCounts | undefined {
    return this.#linux?.report;
  }

  /** When the recording began on the machine, ns since boot: 0 but in a subsystem, whose drivers start first. */
  get beginNs(): number {
    return this.#originNs ?? 0;
  }

  /** Of each thread of the recording, by its index there. */
  get threads(): ReplayedFigures[] {
    return this.#threads;
  }

  /**
   * Names for one writer of this machine's trace, asked for when the trace tells of starts: by the
   * recorded name, a process by its recorded id too.
   */
  traceNames(): TraceNames {
    const naming = { threads: new NamesByIndex(), processes: new NamesByIndex() };
    this.#naming = naming;
    const { machine } = this;
    return {
      thread: (index) => naming.threads.take(index) ?? machine.thread(index)?.name,
      process: (index) => naming.processes.take(index) ?? machine.process(index)?.name,
    };
  }

  process(process: number, tgid: number, name: string): void {
    this.#processes[process] = new ReplayedProcess(name, `${name} ${tgid}`);
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
    const home = this.#processes[process] as ReplayedProcess;
    const gate = this.#guarded(() => this.machine.createSemaphore(0));
    const own = new ReplayedThread(thread, home, name, parent >= 0, gate, level);
    home.threadCount++;
    this.#threads[thread] = own;
    if (this.#linux !== undefined) this.#byGate.set(gate.handle, own);
  }

  rename(): void {}

  compute(thread: number, ns: number): void {
    if (ns === 0) return;
    const own = this.#begun(thread);
    own.computeNs += ns;
    this.#queue(own, (queue) => queue.compute(ns));
  }

  wake(thread: number, target: number): void {
    const woken = this.#thread(target);
    const own = this.#begun(thread);
    if (own.dropped) {
      this.interruptWake(this.#horizonNs, 0, target);
      return;
    }
    woken.openWaits--;
    this.#queue(own, (queue) => queue.push4(RELEASE, woken.gateLow, woken.gateHigh, 1));
  }

  wait(thread: number, reason: string): void {
    const own = this.#thread(thread);
    own.openWaits++;
    if (!own.started && !own.forked) {
      this.#start(own, own.gate, undefined);
      return;
    }
    this.#queue(own, (queue) => queue.pushWait(waitWord(reason), own.gateLow, own.gateHigh));
  }

  fork(thread: number, child: number): void {
    const own = this.#begun(thread);
    const made = this.#thread(child);
    if (own.dropped) this.#drop(made);
    this.#queue(own, (queue) => {
      if (this.#linux === undefined) queue.push2(encode(OP.HostCall, 0, FORK_CALL), child);
      else this.#linux.fork(own, made);
    });
  }

  /** Only of Linux is an exec more than a name. */
  exec(thread: number, path: string): void {
    const linux = this.#linux;
    if (linux === undefined) return;
    const own = this.#begun(thread);
    this.#queue(own, () => linux.exec(own, path));
  }

  setPriority(thread: number, linuxPriority: number): void {
    if (this.policy !== 'nt') return;
    const own = this.#thread(thread);
    const level = mapPriority(linuxPriority);
    if (level === own.level) return;
    own.level = level;
    if (!own.started && own.queue.length === 0) return;
    this.#queue(own, (queue) => {
      if (level >= 16) queue.push1(encode(OP.SetPriority, 0, level));
      else queue.push2(encode(OP.SetBasePriority), (level - BASELINE_PRIORITY) >>> 0);
    });
  }

  exit(thread: number, recorded: boolean): void {
    const own = this.#begun(thread);
    // It was killed in its wait: nobody's wake is recorded.
    if (recorded && own.openWaits > 0) this.interruptWake(this.#horizonNs, 0, thread);
    this.#queue(own, (queue) => {
      this.#linux?.exit(own, recorded);
      queue.push2(encode(OP.Exit), 0);
    });
  }

  /** Adds to what a thread is to do. */
  #queue(own: ReplayedThread, add: (queue: OpQueue) => void): void {
    if (own.dropped) return;
    const before = own.queue.length;
    add(own.queue);
    this.#backlog += own.queue.length - before;
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
    this.#linux?.finish();
    this.#pump(Number.POSITIVE_INFINITY);
    this.figures.finish(this.machine);
    const linux = this.#linux;
    if (linux === undefined) return;
    for (const [tally, own] of this.#owners) tally.runNs -= linux.callNsOf(own);
  }

  /** Runs up to `untilNs`, or up to where a thread lacks what has not been delivered. */
  #pump(horizonNs: number): void {
    this.#originNs ??= this.#linux?.start() ?? 0;
    const untilNs = this.#originNs + horizonNs;
    for (;;) {
      const next = this.#originNs + this.#scheduleInterrupts(this.#originNs);
      const until = Math.min(untilNs, next);
      this.#starved = false;
      const result = this.machine.run({ until });
      this.machine.trace.drain();
      if (this.#starved) return;
      if (result.reason === 'bugcheck') {
        throw new MachineError(`the replay stopped: ${result.name}: ${result.explanation}`);
      }
      if (result.reason !== 'events' && until === untilNs && this.#interrupts.length === 0) return;
    }
  }

  /** Hands over as many interrupts as there is room for; the time of the first that is left, since `originNs`. */
  #scheduleInterrupts(originNs: number): number {
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
      if (!this.machine.scheduleInterrupt(originNs + timeNs, processor, gate, WAKE_INCREMENT))
        return timeNs;
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
    if (this.#linux !== undefined) {
      this.#linux.find(own, waitsFor !== undefined);
      return;
    }
    this.#guarded(() => {
      const process = this.#processOf(own, parent);
      this.#reserve(own);
      const { machine } = process;
      const program = { name: own.name, address: own.buffer, length: BUFFER_WORDS, machine };
      const thread = process.createThread(program, {
        name: own.name,
        increment: own.level >= 16 ? 0 : own.level - BASELINE_PRIORITY,
        uncharged: true,
        ...(waitsFor === undefined ? {} : { waitsFor }),
      });
      if (own.level >= 16) thread.setPriority(own.level);
      this.#claim(own, thread);
      thread.close();
    });
  }

  /** Program memory of its own, in which there is nothing yet. */
  #reserve(own: ReplayedThread): void {
    const { machine } = this;
    own.buffer = this.#freeBuffers.pop() ?? machine.reserveProgramWords(BUFFER_WORDS, own.name);
    machine.memory.words[own.buffer >>> 2] = REFILL;
  }

  #claim(own: ReplayedThread, thread: KThread): void {
    this.#byIndex[thread.index] = own;
    this.#naming?.threads.give(thread.index, own.name);
    this.#unclaimed.push(own);
  }

  /** A thread of Linux has been made, and is about to be started. */
  #place(own: ReplayedThread, thread: KThread): void {
    own.started = true;
    const { process } = own;
    if (process.nt !== thread.process) {
      process.nt = thread.process;
      this.#naming?.processes.give(thread.process.index, process.name);
    }
    if (own.level >= 16) thread.setPriority(own.level);
    else if (own.level !== BASELINE_PRIORITY) {
      thread.setBasePriority(own.level - BASELINE_PRIORITY);
      thread.setPriority(own.level);
    }
    this.#claim(own, thread);
  }

  /** A thread of Linux does nothing more: whom it would have woken, an interrupt wakes now. */
  #drop(own: ReplayedThread): void {
    const linux = this.#linux;
    if (own.dropped || linux === undefined) return;
    own.dropped = true;
    this.#backlog -= own.queue.length;
    for (const handle of own.queue.drop(RELEASE)) {
      const woken = this.#byGate.get(handle);
      if (woken === undefined) continue;
      this.#interrupts.push({ timeNs: this.#horizonNs, processor: 0, target: woken.index });
    }
    this.#closeGate(own);
    for (const child of linux.dropped(own)) {
      const { started } = child as ReplayedThread;
      if (!started) this.#drop(child as ReplayedThread);
    }
  }

  #closeGate(own: ReplayedThread): void {
    this.#byGate.delete(own.gate.handle);
    if (own.gate.exists) own.gate.delete();
  }

  #processOf(own: ReplayedThread, parent: KProcess | undefined): KProcess {
    const { process } = own;
    if (process.nt?.exists === true) return process.nt;
    const made = this.machine.createProcess({
      name: process.name,
      ...(parent?.exists === true ? { parent } : {}),
    });
    made.close();
    this.#naming?.processes.give(made.index, process.name);
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
    if (this.#linux !== undefined) tally.runNs = this.#linux.ended(own, tally.runNs);
    this.#closeGate(own);
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
      throw noRoom(error.message);
    }
  }
}

const noRoom = (why: string) =>
  new MachineError(
    `the recording has more threads alive at once than the replay has room for; raise liveThreads (${why})`,
  );

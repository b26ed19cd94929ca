/**
 * The way from the attribution to a `BurstSink`, on which an undecided call can be held.
 *
 * A few facts are known only later: whether a wake-up of a running thread ends the wait it is about
 * to begin, and to which process a thread belongs that has not yet been seen to run. Such a call
 * keeps its place: all after it wait until it is decided, so that the sink sees one order only.
 * Invariant: what is held is bounded; the oldest undecided call is told to expire.
 */
import type { BurstSink } from './bursts';
import type { RecordedProcess, ThreadFigures } from './summary';

const HELD_MAX = 4096;

/** What a thread is declared with: as it was when first seen. */
export interface DeclaredThread {
  readonly index: number;
  readonly firstTid: number;
  readonly firstName: string;
  readonly firstPriority: number;
  readonly parent: number;
  readonly figures: ThreadFigures;
}

export class HeldCall {
  decided = false;
  run: ((sink: BurstSink) => void) | undefined;

  constructor(readonly expire: () => void) {}
}

export class HeldSink {
  readonly #sink: BurstSink;
  readonly #queue: (HeldCall | (() => void))[] = [];
  #head = 0;
  /** By index. */
  readonly processes: RecordedProcess[] = [];
  readonly #byTgid = new Map<number, { index: number; leader: boolean }>();

  constructor(sink: BurstSink) {
    this.#sink = sink;
  }

  get #open(): boolean {
    return this.#head === this.#queue.length;
  }

  /** Keeps a place for a call; `expire` must decide it. */
  hold(expire: () => void): HeldCall {
    const call = new HeldCall(expire);
    this.#push(call);
    return call;
  }

  /** Fills a held place with `run`, or with nothing. */
  decide(call: HeldCall, run?: (sink: BurstSink) => void): void {
    call.run = run;
    call.decided = true;
    if (this.#queue[this.#head] === call) this.#flush();
  }

  /** Has every held call decided; the sink has then received all. */
  drain(): void {
    while (!this.#open) this.#expireOldest();
  }

  /** Declares a thread, and its process if it is the first seen of it. */
  thread(thread: DeclaredThread, tgid: number): void {
    if (this.#open) this.#declare(thread, tgid);
    else this.#push(() => this.#declare(thread, tgid));
  }

  /** Fills a held place with the declaration of a thread. */
  decideThread(call: HeldCall, thread: DeclaredThread, tgid: number): void {
    this.decide(call, () => this.#declare(thread, tgid));
  }

  rename(thread: number, name: string): void {
    if (this.#open) this.#sink.rename(thread, name);
    else this.#push(() => this.#sink.rename(thread, name));
  }

  compute(thread: number, ns: number): void {
    if (this.#open) this.#sink.compute(thread, ns);
    else this.#push(() => this.#sink.compute(thread, ns));
  }

  wake(thread: number, target: number): void {
    if (this.#open) this.#sink.wake(thread, target);
    else this.#push(() => this.#sink.wake(thread, target));
  }

  wait(thread: number, reason: string): void {
    if (this.#open) this.#sink.wait(thread, reason);
    else this.#push(() => this.#sink.wait(thread, reason));
  }

  fork(thread: number, child: number): void {
    if (this.#open) this.#sink.fork(thread, child);
    else this.#push(() => this.#sink.fork(thread, child));
  }

  exec(thread: number, path: string): void {
    if (this.#open) this.#sink.exec?.(thread, path);
    else this.#push(() => this.#sink.exec?.(thread, path));
  }

  setPriority(thread: number, priority: number): void {
    if (this.#open) this.#sink.setPriority(thread, priority);
    else this.#push(() => this.#sink.setPriority(thread, priority));
  }

  exit(thread: number, recorded: boolean): void {
    if (this.#open) this.#sink.exit(thread, recorded);
    else this.#push(() => this.#sink.exit(thread, recorded));
  }

  interruptWake(timeNs: number, cpu: number, target: number): void {
    if (this.#open) this.#sink.interruptWake(timeNs, cpu, target);
    else this.#push(() => this.#sink.interruptWake(timeNs, cpu, target));
  }

  advance(timeNs: number): void {
    if (this.#open) this.#sink.advance(timeNs);
    else this.#push(() => this.#sink.advance(timeNs));
  }

  #declare(thread: DeclaredThread, tgid: number): void {
    const { index, firstTid, firstName, firstPriority, parent, figures } = thread;
    const leader = firstTid === tgid;
    let found = this.#byTgid.get(tgid);
    // A second leader of the same id is a new process: the first has exited.
    if (found === undefined || (leader && found.leader)) {
      found = { index: this.processes.length, leader: false };
      this.#byTgid.set(tgid, found);
      this.processes.push({ tgid, name: firstName, threads: [] });
      this.#sink.process(found.index, tgid, firstName);
    }
    const process = this.processes[found.index] as RecordedProcess;
    if (leader) {
      found.leader = true;
      process.leader = figures;
    }
    process.threads.push(index);
    figures.process = found.index;
    this.#sink.thread(index, found.index, firstTid, firstName, firstPriority, parent);
  }

  #push(call: HeldCall | (() => void)): void {
    this.#queue.push(call);
    while (this.#queue.length - this.#head > HELD_MAX) this.#expireOldest();
  }

  #expireOldest(): void {
    const call = this.#queue[this.#head];
    if (call instanceof HeldCall && !call.decided) call.expire();
    else this.#flush();
  }

  #flush(): void {
    while (this.#head < this.#queue.length) {
      const call = this.#queue[this.#head];
      if (call instanceof HeldCall) {
        if (!call.decided) break;
        this.#head++;
        call.run?.(this.#sink);
      } else {
        this.#head++;
        call?.();
      }
    }
    if (this.#open) this.#queue.length = 0;
    else if (this.#head >= HELD_MAX) this.#queue.splice(0, this.#head);
    else return;
    this.#head = 0;
  }
}

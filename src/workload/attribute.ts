/**
 * From scheduler events to bursts: what each thread computed, whom it woke, what it waited for.
 *
 * Times never go back here; the reader has clamped them. Invariants: a thread runs on at most one
 * processor; every `wait` of a thread gets exactly one wake; the compute delivered for a thread is
 * the sum of its runs in ns.
 */
import type { BurstSink } from './bursts';
import { textOf } from './bytes';
import type { EventBody, Task } from './ftrace-body';
import { CONTEXT, type Context, type LineHead } from './ftrace-line';
import { HeldSink } from './held-sink';
import type {
  Attribution,
  CpuFigures,
  RecordedProcess,
  ThreadFigures,
  WarningKind,
} from './summary';
import { Cpu, STATE, type TaskThread, TGID_UNDECIDED } from './tasks';
import { ThreadTable } from './threads';

const DEFAULT_PRIORITY = 120;
/** So long after a switch an event may still bear the id of the task switched from. */
const SWITCH_NS_MAX = 50_000;
const LETTER_X = 0x58;
const LETTER_Z = 0x5a;

export class Attributor {
  readonly counts: Attribution = {
    byThread: 0,
    byInterrupt: 0,
    contextUnknown: 0,
    unattributed: 0,
    redundant: 0,
    guessedProcesses: 0,
  };
  readonly #out: HeldSink;
  readonly #head: LineHead;
  readonly #body: EventBody;
  readonly #warn: (kind: WarningKind, text: string) => void;
  readonly #cpus: (Cpu | undefined)[] = [];
  readonly #threads: ThreadTable;
  #interruptsRecorded = false;
  #buffer: Uint8Array = new Uint8Array(0);
  #now = 0;
  /** The processor of the line before: `lastNs` is still that of the line before that. */
  #touched: Cpu | undefined;
  /** The thread in whose context the wake-up in hand happened. */
  #waker: TaskThread | undefined;

  constructor(
    sink: BurstSink,
    head: LineHead,
    body: EventBody,
    warn: (kind: WarningKind, text: string) => void,
  ) {
    this.#out = new HeldSink(sink);
    this.#head = head;
    this.#body = body;
    this.#warn = warn;
    this.#threads = new ThreadTable(this.#out, head, this.counts);
  }

  get threads(): ThreadFigures[] {
    return this.#threads.all.map((thread) => thread.figures);
  }

  get processes(): RecordedProcess[] {
    return this.#out.processes;
  }

  /** The highest processor number seen, and one. */
  get processors(): number {
    return this.#cpus.length;
  }

  get cpus(): CpuFigures[] {
    return this.#cpus.flatMap((cpu) => (cpu === undefined ? [] : [cpu.figures]));
  }

  /** Sets the line whose head and body the next call is about. */
  at(buffer: Uint8Array, nowNs: number): void {
    if (this.#touched !== undefined) {
      this.#touched.lastNs = this.#now;
      this.#touched = undefined;
    }
    this.#buffer = buffer;
    this.#now = nowNs;
  }

  onSwitch(): void {
    const { task, next, state } = this.#body;
    const cpu = this.#cpu(this.#head.cpu);
    const from = this.#current(cpu, task.pid, task);
    cpu.previousTid = task.pid;
    cpu.lastSwitchNs = this.#now;
    cpu.hardInterrupts = 0;
    cpu.softInterrupts = 0;
    if (from !== undefined) this.#switchOut(cpu, from, task, state);
    cpu.running = undefined;
    if (next.pid !== 0) this.#switchIn(cpu, this.#nextThread(cpu, next), next);
  }

  onWaking(): void {
    const target = this.#wakeTarget();
    if (target === undefined) return;
    target.waking = true;
    this.#wake(target);
  }

  /** Counts only where no sched_waking of the same wake-up was seen. */
  onWakeup(): void {
    if (this.#body.failed) return;
    const target = this.#wakeTarget();
    if (target === undefined) return;
    const followsWaking = target.waking;
    target.waking = false;
    if (target.early !== undefined && followsWaking) {
      this.#settleEarly(target, target.state === STATE.Blocked);
      return;
    }
    if (followsWaking && target.state !== STATE.Blocked) return;
    this.#wake(target);
  }

  /** Without a sched_process_fork it is the fork. */
  onWakeupNew(): void {
    const { task } = this.#body;
    if (task.pid === 0) return;
    const cpu = this.#cpu(this.#head.cpu);
    this.#waker = this.#actor(cpu);
    const thread = this.#threads.get(task.pid) ?? this.#forked(this.#waker, task, task.priority);
    if (thread.state === STATE.New) thread.readyNs = this.#now;
    else if (thread.state === STATE.Blocked) this.#wake(thread);
  }

  onFork(): void {
    const { next } = this.#body;
    const cpu = this.#cpu(this.#head.cpu);
    const parent = this.#actor(cpu);
    const stale = this.#threads.get(next.pid);
    if (stale !== undefined) {
      if (!stale.exiting) this.#warn('mismatch', 'a task is forked whose id is in use');
      if (stale === parent) return;
      this.#vacate(stale);
      this.#finish(stale);
    }
    this.#forked(parent, next, parent?.priority ?? DEFAULT_PRIORITY);
  }

  onExit(): void {
    const cpu = this.#cpu(this.#head.cpu);
    const thread = this.#actor(cpu);
    if (thread !== undefined && thread.tid === this.#body.task.pid) thread.exiting = true;
  }

  onExec(): void {
    this.#takeOverId();
    const { pid, commStart, commEnd } = this.#body.task;
    const thread = this.#threads.get(pid);
    if (thread === undefined) return;
    if (thread.state === STATE.Running) this.#deliver(thread, this.#now);
    this.#out.exec(thread.index, textOf(this.#buffer, commStart, commEnd));
  }

  /** A thread other than the leader that executes a program takes over the leader's id. */
  #takeOverId(): void {
    const { task, oldPid } = this.#body;
    if (task.pid === oldPid) return;
    const thread = this.#threads.get(oldPid);
    if (thread === undefined) return;
    const leader = this.#threads.get(task.pid);
    if (leader !== undefined) {
      this.#vacate(leader);
      this.#finish(leader);
    }
    this.#threads.renumber(thread, task.pid);
  }

  onNewTask(): void {
    this.#threads.setCloneFlags(this.#body.task.pid, this.#body.cloneFlags);
  }

  onRename(): void {
    const { task } = this.#body;
    const thread = this.#threads.get(task.pid);
    if (thread === undefined) return;
    if (thread.state === STATE.Running) this.#deliver(thread, this.#now);
    this.#rename(thread, task.commStart, task.commEnd);
  }

  onInterrupt(soft: boolean, entry: boolean): void {
    this.#interruptsRecorded = true;
    const cpu = this.#cpu(this.#head.cpu);
    this.#actor(cpu);
    const change = entry ? 1 : -1;
    if (soft) cpu.softInterrupts = Math.max(0, cpu.softInterrupts + change);
    else cpu.hardInterrupts = Math.max(0, cpu.hardInterrupts + change);
  }

  /** Events of `cpu` were lost: who runs there is known again at its next event. */
  onLost(cpuId: number, nowNs: number): void {
    this.at(this.#buffer, nowNs);
    const cpu = this.#cpus[cpuId];
    if (cpu === undefined) return;
    this.#forget(cpu);
    cpu.lost = true;
  }

  /** Delivers the compute of all running threads up to `nowNs`, then says so. */
  advance(nowNs: number): void {
    for (const cpu of this.#cpus) {
      if (cpu?.running !== undefined) this.#deliver(cpu.running, nowNs);
    }
    this.#out.advance(nowNs);
  }

  /** The end of the recording. */
  end(nowNs: number): void {
    for (const thread of this.#threads.living()) this.#settleEarly(thread, false);
    this.advance(nowNs);
    for (const thread of this.#threads.living()) this.#out.exit(thread.index, false);
    this.#out.drain();
  }

  #cpu(id: number): Cpu {
    let cpu = this.#cpus[id];
    if (cpu === undefined) {
      cpu = new Cpu(id);
      while (this.#cpus.length < id) this.#cpus.push(undefined);
      this.#cpus[id] = cpu;
    }
    this.#touched = cpu;
    return cpu;
  }

  /** The thread in whose context the line's event happened; undefined: idle, or in a switch. */
  #actor(cpu: Cpu): TaskThread | undefined {
    const { pid } = this.#head;
    const left = cpu.known && pid === cpu.previousTid && pid !== (cpu.running?.tid ?? 0);
    if (left && this.#isSwitching(cpu, pid)) return undefined;
    return this.#current(cpu, pid, undefined);
  }

  #isSwitching(cpu: Cpu, tid: number): boolean {
    const thread = this.#threads.get(tid);
    if (thread === undefined || thread.state === STATE.Blocked) return true;
    return this.#now - cpu.lastSwitchNs <= SWITCH_NS_MAX;
  }

  /** The thread of `tid`, which the line says runs on `cpu`; `task` if the body names it. */
  #current(cpu: Cpu, tid: number, task: Task | undefined): TaskThread | undefined {
    if (!cpu.known || (cpu.running?.tid ?? 0) !== tid) this.#resync(cpu, tid, task);
    const thread = cpu.running;
    if (thread !== undefined && thread.tgid === TGID_UNDECIDED && this.#head.pid === tid) {
      this.#threads.learnProcess(thread);
    }
    return thread;
  }

  #resync(cpu: Cpu, tid: number, task: Task | undefined): void {
    const first = !cpu.seen;
    const lost = cpu.lost;
    if (cpu.known) {
      this.#warn('missing-switch', 'a switch to the task that runs here is not recorded');
      this.#forget(cpu);
    }
    cpu.known = true;
    cpu.seen = true;
    cpu.lost = false;
    if (tid === 0) return;
    const known = this.#threads.get(tid);
    if (known === undefined) {
      this.#meet(cpu, task, first);
      return;
    }
    if (known.state === STATE.Running) {
      this.#warn('mismatch', 'a task runs on two processors');
      this.#vacate(known);
    }
    const { readyNs } = known;
    this.#endWait(cpu, known);
    this.#run(cpu, known);
    // It has run since it was ready and the processor had its last event.
    if (readyNs >= 0 && !lost) known.deliveredNs = Math.max(readyNs, cpu.lastNs);
  }

  /** A task not seen before runs on `cpu`: if this is its first event, since time 0. */
  #meet(cpu: Cpu, task: Task | undefined, first: boolean): void {
    const priority = task?.priority ?? DEFAULT_PRIORITY;
    const thread = this.#threads.add(this.#buffer, task ?? this.#head, priority);
    if (!first) {
      this.#block(thread, 'S');
      this.#wakeUnattributed(cpu, thread);
    }
    this.#run(cpu, thread);
    if (first) thread.deliveredNs = 0;
  }

  #run(cpu: Cpu, thread: TaskThread): void {
    if (thread.cpu >= 0 && thread.cpu !== cpu.id) thread.figures.migrations++;
    thread.state = STATE.Running;
    thread.cpu = cpu.id;
    thread.deliveredNs = this.#now;
    thread.readyNs = -1;
    thread.waking = false;
    cpu.running = thread;
  }

  #switchOut(cpu: Cpu, thread: TaskThread, task: Task, state: number): void {
    this.#deliver(thread, this.#now);
    this.#rename(thread, task.commStart, task.commEnd);
    this.#setPriority(thread, task.priority);
    cpu.running = undefined;
    if (state === LETTER_X || state === LETTER_Z) this.#finish(thread);
    else if (state === 0) {
      thread.state = STATE.Ready;
      thread.readyNs = this.#now;
      thread.figures.involuntarySwitches++;
      this.#settleEarly(thread, false);
    } else {
      thread.figures.voluntarySwitches++;
      this.#block(thread, String.fromCharCode(state));
    }
  }

  #nextThread(cpu: Cpu, next: Task): TaskThread {
    let thread = this.#threads.get(next.pid);
    if (thread === undefined) {
      thread = this.#threads.add(this.#buffer, next, next.priority);
      this.#block(thread, 'S');
    } else if (thread.state === STATE.Running) {
      this.#warn('mismatch', 'a task runs on two processors');
      this.#vacate(thread);
    }
    this.#endWait(cpu, thread);
    return thread;
  }

  /** `thread` runs: a wait that no wake-up has ended ends now. */
  #endWait(cpu: Cpu, thread: TaskThread): void {
    if (thread.state !== STATE.Blocked) return;
    if (thread.early !== undefined) this.#settleEarly(thread, true);
    else this.#wakeUnattributed(cpu, thread);
  }

  #switchIn(cpu: Cpu, thread: TaskThread, next: Task): void {
    if (thread.readyNs >= 0) thread.figures.ready.add(this.#now - thread.readyNs);
    this.#run(cpu, thread);
    this.#rename(thread, next.commStart, next.commEnd);
    this.#setPriority(thread, next.priority);
  }

  #wakeTarget(): TaskThread | undefined {
    const { task } = this.#body;
    if (task.pid === 0) return undefined;
    // The waker comes first: it may be a thread not seen before.
    this.#waker = this.#actor(this.#cpu(this.#head.cpu));
    let thread = this.#threads.get(task.pid);
    if (thread === undefined) {
      thread = this.#threads.add(this.#buffer, task, task.priority);
      this.#block(thread, 'S');
    } else if (thread.state === STATE.Unseen) {
      // How it left its processor was not recorded; that it is woken shows that it blocked.
      this.#block(thread, 'S');
    }
    return thread;
  }

  #block(thread: TaskThread, reason: string): void {
    thread.state = STATE.Blocked;
    // If it has already been woken, it is ready from now on.
    thread.readyNs = thread.early === undefined ? -1 : this.#now;
    this.#out.wait(thread.index, reason);
  }

  #wake(target: TaskThread): void {
    const cpu = this.#cpu(this.#head.cpu);
    if (target.state === STATE.Blocked) {
      this.#settleEarly(target, false);
      this.#deliverWake(cpu, target);
      target.state = STATE.Ready;
      target.readyNs = this.#now;
    } else if (target.state === STATE.Running && this.#waker !== target) {
      this.#settleEarly(target, false);
      this.#holdWake(cpu, target);
    } else this.counts.redundant++;
  }

  /** The thread that gets the credit of a wake-up now made on `cpu`; undefined: an interrupt. */
  #creditedWaker(cpu: Cpu): TaskThread | undefined {
    const waker = this.#waker;
    if (waker === undefined || this.#context(cpu) === CONTEXT.Interrupt) return undefined;
    this.#deliver(waker, this.#now);
    return waker;
  }

  #context(cpu: Cpu): Context {
    if (this.#head.context !== CONTEXT.Unknown) return this.#head.context;
    if (cpu.hardInterrupts + cpu.softInterrupts > 0) return CONTEXT.Interrupt;
    return this.#interruptsRecorded ? CONTEXT.Thread : CONTEXT.Unknown;
  }

  #countWake(byThread: boolean, context: Context): void {
    if (!byThread) this.counts.byInterrupt++;
    else {
      this.counts.byThread++;
      if (context === CONTEXT.Unknown) this.counts.contextUnknown++;
    }
  }

  #deliverWake(cpu: Cpu, target: TaskThread): void {
    const waker = this.#creditedWaker(cpu);
    this.#countWake(waker !== undefined, this.#context(cpu));
    if (waker === undefined) this.#out.interruptWake(this.#now, cpu.id, target.index);
    else this.#out.wake(waker.index, target.index);
  }

  /** The target is still running: whether it is about to block is seen later. */
  #holdWake(cpu: Cpu, target: TaskThread): void {
    const waker = this.#creditedWaker(cpu);
    const context = this.#context(cpu);
    const now = this.#now;
    target.earlyWake = (sink) => {
      if (waker === undefined) sink.interruptWake(now, cpu.id, target.index);
      else sink.wake(waker.index, target.index);
    };
    target.earlyCounts = () => this.#countWake(waker !== undefined, context);
    target.early = this.#out.hold(() => this.#settleEarly(target, false));
  }

  /** Decides an early wake-up: it ends the wait that its target has begun, or it is redundant. */
  #settleEarly(target: TaskThread, live: boolean): void {
    const { early, earlyWake } = target;
    if (early === undefined) return;
    target.early = undefined;
    if (live) {
      target.earlyCounts?.();
      target.state = STATE.Ready;
      this.#out.decide(early, earlyWake);
    } else {
      this.counts.redundant++;
      this.#out.decide(early);
    }
  }

  #wakeUnattributed(cpu: Cpu, thread: TaskThread): void {
    this.counts.unattributed++;
    thread.state = STATE.Ready;
    thread.readyNs = -1;
    this.#out.interruptWake(this.#now, cpu.id, thread.index);
  }

  #forked(parent: TaskThread | undefined, child: Task, priority: number): TaskThread {
    const thread = this.#threads.addChild(this.#buffer, child, priority, parent);
    if (parent === undefined) this.#block(thread, 'S');
    else {
      this.#deliver(parent, this.#now);
      this.#out.fork(parent.index, thread.index);
      thread.state = STATE.New;
      thread.readyNs = this.#now;
    }
    return thread;
  }

  #deliver(thread: TaskThread, nowNs: number): void {
    const ns = nowNs - thread.deliveredNs;
    if (ns <= 0) return;
    thread.deliveredNs = nowNs;
    thread.figures.runNs += ns;
    const cpu = this.#cpus[thread.cpu];
    if (cpu !== undefined) cpu.figures.busyNs += ns;
    this.#out.compute(thread.index, ns);
  }

  #rename(thread: TaskThread, commStart: number, commEnd: number): void {
    if (!thread.renamed(this.#buffer, commStart, commEnd)) return;
    this.#out.rename(thread.index, thread.figures.name);
  }

  #setPriority(thread: TaskThread, priority: number): void {
    if (thread.priority === priority) return;
    thread.priority = priority;
    thread.figures.linuxPriority = priority;
    this.#out.setPriority(thread.index, priority);
  }

  /** Ends the run of a thread that turns out to have left its processor unseen. */
  #vacate(thread: TaskThread): void {
    const cpu = this.#cpus[thread.cpu];
    if (cpu?.running === thread) this.#forget(cpu);
  }

  /** Who runs on `cpu` is no longer known; its last run counts up to its last event there. */
  #forget(cpu: Cpu): void {
    const thread = cpu.running;
    cpu.known = false;
    cpu.running = undefined;
    cpu.hardInterrupts = 0;
    cpu.softInterrupts = 0;
    if (thread === undefined) return;
    this.#deliver(thread, cpu.lastNs);
    cpu.lastNs = Math.max(cpu.lastNs, thread.deliveredNs);
    this.#settleEarly(thread, false);
    thread.state = STATE.Unseen;
    thread.readyNs = -1;
  }

  #finish(thread: TaskThread): void {
    this.#settleEarly(thread, false);
    this.#threads.finish(thread);
  }
}

/** Which thread has which id, and the declaration of threads with their processes. */
import type { Task } from './ftrace-body';
import { type LineHead, TGID_NO_COLUMN, TGID_UNKNOWN } from './ftrace-line';
import type { HeldSink } from './held-sink';
import type { Attribution } from './summary';
import { TaskThread, TGID_UNDECIDED } from './tasks';

const CLONE_THREAD = 0x10000;
const CLONE_FLAGS_MAX = 1024;

/** A task's id and comm, in a body or a head. */
export type NamedTask = Pick<Task, 'pid' | 'commStart' | 'commEnd'>;

export class ThreadTable {
  /** By index. */
  readonly all: TaskThread[] = [];
  readonly #out: HeldSink;
  readonly #head: LineHead;
  readonly #counts: Attribution;
  readonly #byTid = new Map<number, TaskThread>();
  /** Of tasks whose fork comes next. */
  readonly #cloneFlags = new Map<number, number>();

  constructor(out: HeldSink, head: LineHead, counts: Attribution) {
    this.#out = out;
    this.#head = head;
    this.#counts = counts;
  }

  get(tid: number): TaskThread | undefined {
    return this.#byTid.get(tid);
  }

  /** Those that have not exited. */
  living(): Iterable<TaskThread> {
    return this.#byTid.values();
  }

  setCloneFlags(tid: number, flags: number): void {
    if (this.#cloneFlags.size >= CLONE_FLAGS_MAX) this.#cloneFlags.clear();
    this.#cloneFlags.set(tid, flags);
  }

  /** Adds and declares a thread that existed when the recording began. */
  add(buffer: Uint8Array, task: NamedTask, priority: number): TaskThread {
    const thread = this.#add(buffer, task, priority, -1);
    this.#declareUnknown(thread);
    return thread;
  }

  /** Adds and declares a thread that `parent` forks. */
  addChild(
    buffer: Uint8Array,
    task: NamedTask,
    priority: number,
    parent: TaskThread | undefined,
  ): TaskThread {
    const flags = this.#cloneFlags.get(task.pid);
    this.#cloneFlags.delete(task.pid);
    const thread = this.#add(buffer, task, priority, parent?.index ?? -1);
    if (flags === undefined) this.#declareUnknown(thread);
    else if ((flags & CLONE_THREAD) === 0 || parent === undefined) this.#declare(thread, task.pid);
    else this.#declare(thread, parent.tgid);
    return thread;
  }

  /** The line is one of `thread`'s own: its head may tell the process. */
  learnProcess(thread: TaskThread): void {
    if (thread.tgid === TGID_UNDECIDED) this.#decideProcess(thread, this.#head.tgid);
  }

  /** `thread` takes over the id `tid`. */
  renumber(thread: TaskThread, tid: number): void {
    this.#byTid.delete(thread.tid);
    this.#byTid.set(tid, thread);
    thread.tid = tid;
    thread.figures.tid = tid;
  }

  /** Ends a thread for good; its id is free. */
  finish(thread: TaskThread): void {
    this.#decideProcess(thread, TGID_UNKNOWN);
    thread.figures.exited = true;
    this.#byTid.delete(thread.tid);
    this.#out.exit(thread.index, true);
  }

  #add(buffer: Uint8Array, task: NamedTask, priority: number, parent: number): TaskThread {
    const thread = new TaskThread(this.all.length, buffer, task, priority, parent);
    this.all.push(thread);
    this.#byTid.set(thread.tid, thread);
    return thread;
  }

  #declare(thread: TaskThread, tgid: number): void {
    thread.tgid = tgid;
    this.#out.thread(thread, tgid);
  }

  /** The line may be the thread's own and tell its process; else its first own line will. */
  #declareUnknown(thread: TaskThread): void {
    const { tgid, pid } = this.#head;
    if (tgid === TGID_NO_COLUMN || (pid === thread.tid && tgid === TGID_UNKNOWN)) {
      this.#counts.guessedProcesses++;
      this.#declare(thread, thread.tid);
    } else if (pid === thread.tid) this.#declare(thread, tgid);
    else thread.declaration = this.#out.hold(() => this.#decideProcess(thread, TGID_UNKNOWN));
  }

  #decideProcess(thread: TaskThread, known: number): void {
    const call = thread.declaration;
    if (call === undefined) return;
    thread.declaration = undefined;
    if (known < 0) this.#counts.guessedProcesses++;
    thread.tgid = known < 0 ? thread.tid : known;
    this.#out.decideThread(call, thread, thread.tgid);
  }
}

/**
 * What a recorded thread did, as a stream of bursts: compute, then wake, fork, wait or exit.
 *
 * A reader delivers to a `BurstSink` in the order of the recording. Threads and processes are dense
 * indices from 0, given out by the reader: a Linux thread id that is reused after an exit is a new
 * index. Times are nanoseconds since the first event of the recording.
 */
export interface BurstSink {
  /**
   * A process first seen; `name` is that of the first thread seen of it, and its leader is the
   * thread whose `tid` is `tgid`.
   */
  process(process: number, tgid: number, name: string): void;
  /**
   * A thread first seen. `parent` is the index of the thread that forks it (a `fork` follows in
   * the parent's stream, and starts it), or -1: it existed when the recording began and starts
   * at time 0. `linuxPriority` is the kernel's value: 0-99 real time, 100-139 nice -20..19.
   */
  thread(
    thread: number,
    process: number,
    tid: number,
    name: string,
    linuxPriority: number,
    parent: number,
  ): void;
  rename(thread: number, name: string): void;
  /** `thread` computes for `ns`; more than one in a row add up. */
  compute(thread: number, ns: number): void;
  /**
   * At this point of its progress `thread` wakes `target`; it ends exactly one `wait` of it. A wake
   * may come shortly before that `wait`, as it did in the recording: the wait then ends at once.
   */
  wake(thread: number, target: number): void;
  /**
   * `thread` blocks until one wake. `reason` is the kernel's letter: S, D, T, t, X, Z, P, I, K.
   * At most one wait of a thread is without its wake when it exits or the recording ends.
   */
  wait(thread: number, reason: string): void;
  fork(thread: number, child: number): void;
  /** `thread` executes the program at `path`, as the recording has that. A sink without it is not told. */
  exec?(thread: number, path: string): void;
  setPriority(thread: number, linuxPriority: number): void;
  /** The recorded exit, or (`recorded` false) the end of the recording. No op follows. */
  exit(thread: number, recorded: boolean): void;
  /**
   * An interrupt on `cpu` wakes `target` at `timeNs`: not any thread's progress. Times never go
   * back. As with `wake`, it may come shortly before the `wait` that it ends.
   */
  interruptWake(timeNs: number, cpu: number, target: number): void;
  /** Everything up to `timeNs` has been delivered, the compute of running threads with it. */
  advance(timeNs: number): void;
}

import { OP } from '../../assembly/shared/opcode';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../ke/ddi';
import { MachineError } from '../machine/errors';
import { encode } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import { ProgramContext, type UserMemory } from '../machine/user-context';
import type { KSemaphore, KThread } from '../machine/views';
import { CLONE, SIG, SIG_HANDLER, SYS } from '../subsystem/wsl/abi';
import { ERRNO } from '../subsystem/wsl/errno';
import { FileTable } from '../subsystem/wsl/file';
import type { ClonedGuest, LinuxGuest, StartedImage } from '../subsystem/wsl/guest';
import { makeThread } from '../subsystem/wsl/process';
import { LinuxProcess, type LinuxThread } from '../subsystem/wsl/state';
import { WslSubsystem } from '../subsystem/wsl/wsl';
import type { OpQueue } from './op-queue';

/**
 * A recording as processes of the Linux personality: its forks, execs and exits are system calls, which
 * go to the provider and from there to whoever is told of processes and threads.
 *
 * What is not recorded is the least there can be: exit codes are 0, and who was there when the recording
 * began is made by a thread of the system, with its name for a path. A process ends with exit_group if
 * it has had one thread, else with the exit of its last; nobody waits for children (SIGCHLD is ignored),
 * so that none is left behind.
 */

const BEFORE_CALL = 2;
const AFTER_CALL = 3;
const SYSTEM_CALL = (number: SYS) => encode(OP.SystemCall, 0, number);
const THREAD_FLAGS =
  CLONE.VM | CLONE.FS | CLONE.FILES | CLONE.SIGHAND | CLONE.THREAD | CLONE.SYSVSEM;
/** Drivers have so much virtual time to start before the recording does. */
const START_NS = 1e9;
/** Who makes what was there before comes before everybody. */
const MAKER_PRIORITY = 31;

/** A process of the recording. */
export interface RecordedLinuxProcess {
  readonly comm: string;
  /** Threads that the recording has shown so far. */
  threadCount: number;
  linux: LinuxProcess | undefined;
}

/** A thread of the recording. */
export interface RecordedLinuxThread {
  readonly process: RecordedLinuxProcess;
  readonly queue: OpQueue;
  /** Where its program memory is. */
  buffer: number;
  linux: LinuxPart | undefined;
}

/** What a thread is besides, as one of Linux. */
class LinuxPart {
  guest: RecordedGuest | undefined;
  /** It has come to its recorded end, or to the end of what was recorded of it. */
  done = false;
  /** Children that it has not come to yet. */
  readonly children = new Set<RecordedLinuxThread>();
  /** Run time in calls, the provider's and those of callbacks. */
  callNs = 0;
  callBeganNs = 0;
  /** Its run time when it came to its end. */
  doneNs = 0;
}

type Call =
  | { readonly kind: 'fork' | 'thread'; readonly child: RecordedLinuxThread }
  | { readonly kind: 'exec'; readonly path: number }
  | { readonly kind: 'exit'; readonly recorded: boolean };

/** What the provider was told of a recording. */
export interface SubsystemCounts {
  readonly subsystem: 'wsl';
  /** Processes that forks of the recording have made. */
  readonly forks: number;
  /** Threads that clones have made in the process of their creator. */
  readonly threads: number;
  readonly execs: number;
  /** Ends of threads that are recorded. */
  readonly exits: number;
  /** Threads that were there before the recording, or whose fork it does not have. */
  readonly found: number;
  /** Execs of processes with several threads: left out, as they would end the others before their time. */
  readonly execsLeftOut: number;
  /** Forks that a driver has refused. */
  readonly refused: number;
  /** Threads that ended before they had done what was recorded of them, or never were. */
  readonly cutShort: number;
  /** Time that threads spent in calls, beside what was recorded of them, ns. */
  readonly callNs: number;
}

/** What the replay does for its subsystem. */
export interface ReplayHost {
  /** Gives a thread program memory. */
  reserve(own: RecordedLinuxThread): void;
  /** A thread has been made, and is about to be started. */
  place(own: RecordedLinuxThread, thread: KThread): void;
  /** The thread at a table index. */
  at(index: number): RecordedLinuxThread;
  /** The thread does nothing more: those that wait for it go on as recorded. */
  drop(own: RecordedLinuxThread): void;
  gateOf(own: RecordedLinuxThread): KSemaphore;
  full(): MachineError;
}

const PATH_BYTES_MAX = 4095;
const PATHS_BASE = 0x10_0000;
/** An array of one pointer and NULL, and the path that is at the pointer. */
const ENTRY_BYTES = 8192;
const ARRAY_BYTES = 16;

/** The memory of recorded threads: what their execs name. */
class RecordedMemory implements UserMemory {
  private readonly addresses = new Map<string, number>();
  private readonly entries: Uint8Array[] = [];

  /** The address of the array with a path, which is followed by the path. */
  place(path: string): number {
    const known = this.addresses.get(path);
    if (known !== undefined) return known;
    const address = PATHS_BASE + this.entries.length * ENTRY_BYTES;
    const bytes = new TextEncoder().encode(path).subarray(0, PATH_BYTES_MAX);
    const entry = new Uint8Array(ARRAY_BYTES + bytes.length + 1);
    new DataView(entry.buffer).setUint32(0, address + ARRAY_BYTES, true);
    entry.set(bytes, ARRAY_BYTES);
    this.entries.push(entry);
    this.addresses.set(path, address);
    return address;
  }

  read(address: number, into: Uint8Array): boolean {
    const offset = address - PATHS_BASE;
    const entry = this.entries[Math.floor(offset / ENTRY_BYTES)];
    const start = offset % ENTRY_BYTES;
    if (entry === undefined || start + into.length > entry.length) return false;
    into.set(entry.subarray(start, start + into.length));
    return true;
  }

  write(): boolean {
    return false;
  }
}

/** The user mode of a recorded thread: the program that the replay streams. */
class RecordedGuest implements LinuxGuest {
  /** What the next clone makes. */
  nextChild: RecordedLinuxThread | undefined;
  private kthread: KThread | undefined;

  constructor(
    private readonly replay: LinuxReplay,
    readonly own: RecordedLinuxThread,
  ) {}

  get memory(): UserMemory {
    return this.replay.memory;
  }

  get body() {
    const { machine } = this.replay;
    return { name: this.own.process.comm, address: this.own.buffer, length: 0, machine };
  }

  begin(kthread: KThread): void {
    this.kthread = kthread;
    this.replay.begins(this, kthread);
  }

  clone(): ClonedGuest | undefined {
    const child = this.nextChild;
    this.nextChild = undefined;
    return child === undefined ? undefined : this.replay.guestOf(child);
  }

  /** It goes on behind the call. */
  execute(): StartedImage {
    const address = new ProgramContext(this.kthread as KThread).programCounter;
    return { body: { ...this.body, address }, guest: this };
  }

  restart(): boolean {
    return false;
  }

  deliver(): null {
    return null;
  }
}

const withRoot = (path: string) => (path.startsWith('/') ? path : `/${path}`);

export class LinuxReplay {
  readonly memory = new RecordedMemory();
  private readonly wsl: WslSubsystem;
  /** Threads to be made that were there before, in order; undefined: no more will come. */
  private readonly toMake: ({ own: RecordedLinuxThread; waits: boolean } | undefined)[] = [];
  private readonly toMakeCount: KSemaphore;
  private readonly calls = new Map<number, Call>();
  private nextCall = 0;
  private readonly counts = {
    forks: 0,
    threads: 0,
    execs: 0,
    exits: 0,
    found: 0,
    execsLeftOut: 0,
    refused: 0,
    cutShort: 0,
    callNs: 0,
  };

  constructor(
    readonly machine: Machine,
    private readonly host: ReplayHost,
  ) {
    this.wsl = new WslSubsystem(machine);
    this.toMakeCount = machine.createSemaphore(0);
    machine.onHostCall(BEFORE_CALL, (thread, id) => this.before(thread, id));
    machine.onHostCall(AFTER_CALL, (thread, id) => this.after(thread, id));
  }

  get report(): SubsystemCounts {
    return { subsystem: 'wsl', ...this.counts };
  }

  /** Lets the provider and drivers start, then who makes what was there before. @returns when the recording begins. */
  start(): number {
    const { machine } = this.wsl;
    const result = machine.run({ until: machine.now + START_NS });
    if (result.reason === 'bugcheck')
      throw new MachineError(`the drivers did not start: ${result.name}: ${result.explanation}`);
    const maker = machine.systemProcess.createThread(() => this.make(), { name: 'recording' });
    maker.setPriority(MAKER_PRIORITY);
    maker.close();
    return machine.now;
  }

  /** No more threads will be found. */
  finish(): void {
    this.toMake.push(undefined);
    this.toMakeCount.release();
  }

  /** A thread of the recording that nobody forks in it: it begins, perhaps in a wait for its gate. */
  find(own: RecordedLinuxThread, waits: boolean): void {
    this.toMake.push({ own, waits });
    this.toMakeCount.release();
  }

  private *make(): Generator<readonly number[], void, number> {
    for (;;) {
      yield* KeWaitForSingleObject(
        this.toMakeCount,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        false,
        null,
      );
      const next = this.toMake.shift();
      if (next === undefined) return;
      yield* this.makeFound(next.own, next.waits);
    }
  }

  private *makeFound(
    own: RecordedLinuxThread,
    waits: boolean,
  ): Generator<readonly number[], void, number> {
    const { kernel } = this.wsl;
    const process = this.processOf(own);
    const first = process.threads.size === 0;
    const { body, guest, prepare } = this.guestOf(own);
    const tid = first ? process.pid : kernel.state.newId();
    const made = yield* makeThread(kernel, { process, body, guest, prepare }, tid);
    if (typeof made === 'number') {
      if (made === ERRNO.EAGAIN) throw this.host.full();
      this.counts.refused++;
      return;
    }
    this.counts.found++;
    if (waits) made.kthread?.startWaiting(this.host.gateOf(own));
    else made.kthread?.start();
  }

  /** The process of Linux that a thread which nobody forks is to be in. */
  private processOf({ process }: RecordedLinuxThread): LinuxProcess {
    const { linux } = process;
    if (linux !== undefined && linux.exitStatus === undefined && !linux.zombie) return linux;
    const path = `/${process.comm}`;
    const pid = this.wsl.kernel.state.newId();
    const made = new LinuxProcess(pid, undefined, new FileTable(), 0, { path, argv: [path] });
    const ignore = { handler: SIG_HANDLER.IGN, flags: 0, restorer: 0, mask: 0n };
    made.actions[SIG.CHLD - 1] = ignore;
    process.linux = made;
    return made;
  }

  /** What a thread runs, as the personality takes it. */
  guestOf(own: RecordedLinuxThread): ClonedGuest {
    this.host.reserve(own);
    const guest = new RecordedGuest(this, own);
    this.partOf(own).guest = guest;
    return { body: guest.body, guest, prepare: (kthread) => guest.begin(kthread) };
  }

  partOf(own: RecordedLinuxThread): LinuxPart {
    own.linux ??= new LinuxPart();
    return own.linux;
  }

  /** A thread has been made, and not been started. */
  begins({ own }: RecordedGuest, kthread: KThread): void {
    kthread.uncharge();
    own.process.linux = (kthread.picoContext as LinuxThread).process;
    this.host.place(own, kthread);
  }

  private pushCall(own: RecordedLinuxThread, number: SYS, call: Call): void {
    const id = this.nextCall++ >>> 0;
    this.calls.set(id, call);
    own.queue.push2(encode(OP.HostCall, 0, BEFORE_CALL), id);
    own.queue.push2(SYSTEM_CALL(number), 0);
  }

  private pushAfter(own: RecordedLinuxThread): void {
    own.queue.push2(encode(OP.HostCall, 0, AFTER_CALL), (this.nextCall - 1) >>> 0);
  }

  fork(own: RecordedLinuxThread, child: RecordedLinuxThread): void {
    this.partOf(own).children.add(child);
    const kind = own.process === child.process ? 'thread' : 'fork';
    this.pushCall(own, kind === 'thread' ? SYS.clone : SYS.fork, { kind, child });
    this.pushAfter(own);
  }

  exec(own: RecordedLinuxThread, path: string): void {
    if (own.process.threadCount > 1) {
      this.counts.execsLeftOut++;
      return;
    }
    this.pushCall(own, SYS.execve, { kind: 'exec', path: this.memory.place(withRoot(path)) });
    this.pushAfter(own);
  }

  exit(own: RecordedLinuxThread, recorded: boolean): void {
    const alone = own.process.threadCount === 1;
    this.pushCall(own, alone ? SYS.exit_group : SYS.exit, { kind: 'exit', recorded });
  }

  /** A thread is about to make a call: its registers, and from when on its time is the call's. */
  private before(thread: KThread, id: number): undefined {
    const own = this.host.at(thread.index);
    const part = this.partOf(own);
    const call = this.calls.get(id) as Call;
    const registers = thread.userRegisters as ProgramContext;
    part.callBeganNs = thread.runTimeNs;
    switch (call.kind) {
      case 'exec':
        registers.rdi = call.path + ARRAY_BYTES;
        registers.rsi = call.path;
        registers.rdx = 0;
        break;
      case 'exit':
        part.done = true;
        part.doneNs = part.callBeganNs;
        registers.rdi = 0;
        if (call.recorded) this.counts.exits++;
        this.calls.delete(id);
        break;
      default:
        (part.guest as RecordedGuest).nextChild = call.child;
        registers.rdi = THREAD_FLAGS;
        registers.rsi = 0;
    }
    return undefined;
  }

  /** The call has come to the status of its thread. */
  private after(thread: KThread, id: number): undefined {
    const own = this.host.at(thread.index);
    const part = this.partOf(own);
    const call = this.calls.get(id) as Call;
    this.calls.delete(id);
    part.callNs += thread.runTimeNs - part.callBeganNs;
    const result = thread.status | 0;
    if (call.kind === 'exec') {
      if (result === 0) this.counts.execs++;
      return undefined;
    }
    if (call.kind === 'exit') return undefined;
    part.children.delete(call.child);
    if (result >= 0) this.counts[call.kind === 'fork' ? 'forks' : 'threads']++;
    else if (result === -ERRNO.EAGAIN && own.process.linux?.exitStatus === undefined)
      throw this.host.full();
    else {
      this.counts.refused++;
      this.host.drop(call.child);
    }
    return undefined;
  }

  /** A thread has ended that ran for so long: how long of that for what was recorded. */
  ended(own: RecordedLinuxThread, runNs: number): number {
    const part = this.partOf(own);
    if (part.done) part.callNs += runNs - part.doneNs;
    this.counts.callNs += part.callNs;
    if (!part.done) this.host.drop(own);
    return runNs - part.callNs;
  }

  /** Of a thread that is dropped, the children that will never be. */
  dropped(own: RecordedLinuxThread): RecordedLinuxThread[] {
    const part = this.partOf(own);
    this.counts.cutShort++;
    const children = [...part.children];
    part.children.clear();
    return children;
  }

  /** Time in calls of a thread that has not ended, ns. */
  callNsOf(own: RecordedLinuxThread): number {
    const { callNs } = this.partOf(own);
    this.counts.callNs += callNs;
    return callNs;
  }
}

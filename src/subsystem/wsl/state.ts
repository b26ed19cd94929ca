import { OP } from '../../../assembly/shared/opcode';
import { KWAIT_REASON, MODE } from '../../../assembly/shared/types';
import { waitField } from '../../ke/ddi';
import type { KApc } from '../../machine/apc';
import type { Request } from '../../machine/generator';
import { encode, words64 } from '../../machine/instruction';
import type { Machine } from '../../machine/machine';
import type { LoadedProgram } from '../../machine/program';
import type { UserMemory } from '../../machine/user-context';
import type { KEvent, KProcess, KThread } from '../../machine/views';
import type { PsPicoProcessAttributes } from '../routines';
import type { FileTable } from './file';
import type { FutexTable } from './futex';
import type { LinuxGuest, SignalHandler } from './guest';
import type { SignalInfo } from './siginfo';
import { Usage } from './usage';
import { WaitQueue } from './wait-queue';

/** What the personality keeps: thread groups, their threads, and the tables of both. */

/** Code of a system call that may block: what it returns goes to rax. */
export type LinuxCode = Generator<Request, number, number>;
/** What a system call comes to: a result, an error number below 0, or code that gives one. */
export type LinuxResult = number | LinuxCode;

/** What a process does with a signal: an address, or one of SIG_HANDLER. */
export interface SignalAction {
  readonly handler: number;
  /** Bits of SA. */
  readonly flags: number;
  readonly restorer: number;
  readonly mask: bigint;
}

const FOREVER = words64(Number.POSITIVE_INFINITY);
const WAIT_WORD = encode(OP.Wait, 0, waitField(KWAIT_REASON.UserRequest, MODE.UserMode, true));

/** A thread of Linux: a task. */
export class LinuxThread {
  /** What it waits on for others; a signal left on it makes it look once more, no more. */
  readonly event: KEvent;
  /** The wait for that without a timeout, in user mode and alertably. */
  readonly waitRequest: Request;
  /** Blocked signals, and those that have come for it alone: bit n - 1 is signal n. */
  mask = 0n;
  pending = 0n;
  /** What those say, by number; undefined: none has come yet. */
  signalInfos: Map<number, SignalInfo> | undefined;
  /** Signals that it waits for in rt_sigtimedwait. */
  awaited = 0n;
  /** What its mask is again when the handler returns that ends rt_sigsuspend. */
  suspendedMask: bigint | undefined;
  /** Brings it to look at its signals on its way to user mode; undefined: none has come yet. */
  signalApc: KApc | undefined;
  /** Masks to go back to as handlers return, the last one's last. */
  readonly savedMasks: bigint[] = [];
  /** Where 0 goes, and who waits there is woken, when it ends; 0: nowhere. */
  clearChildTid = 0;
  /** Of SCHED. */
  policy = 0;
  /** Of real-time policies, 1 to 99. */
  realtimePriority = 0;
  /** -20 to 19. */
  nice = 0;
  kthread: KThread | undefined;

  constructor(
    public tid: number,
    readonly process: LinuxProcess,
    public guest: LinuxGuest,
    event: KEvent,
  ) {
    this.event = event;
    this.waitRequest = [WAIT_WORD, ...words64(event.handle), ...FOREVER];
  }

  get memory(): UserMemory {
    return this.guest.memory;
  }
}

/** A thread group. */
export class LinuxProcess {
  readonly threads = new Map<number, LinuxThread>();
  private ownChildren: Set<LinuxProcess> | undefined;
  pgid: number;
  sid: number;
  /** By signal number - 1; undefined: the default action. */
  actions: (SignalAction | undefined)[] = [];
  /** Signals for the group that no thread has taken yet. */
  pending = 0n;
  /** What those say, by number; undefined: none has come yet. */
  signalInfos: Map<number, SignalInfo> | undefined;
  /** What addresses stand for where threads have no memory to execute: handlers. */
  code: Map<number, SignalHandler | LoadedProgram> = new Map();
  stopped = false;
  /** What wait4 tells of its having been stopped or continued; undefined: that has been told. */
  jobChange: number | undefined;
  /** What wait4 tells once the last thread has ended; undefined: nothing has ended it. */
  exitStatus: number | undefined;
  /** What its first thread has exited with. */
  leaderCode = 0;
  zombie = false;
  /** It has done execve. */
  executed = false;
  /** Who waits for children, or for the other threads to end. */
  readonly changes = new WaitQueue();
  /** Who waits until a child made by vfork has another image, or is gone. */
  readonly vforkDone = new WaitQueue();
  /** Of threads that have ended. */
  readonly endedUsage = new Usage();
  /** Of children that have been waited for, and of theirs; undefined: there are none. */
  childUsage: Usage | undefined;
  kprocess: KProcess | undefined;

  constructor(
    readonly pid: number,
    public parent: LinuxProcess | undefined,
    public files: FileTable,
    /** What the parent gets at its end; 0: nothing. */
    readonly exitSignal: number,
    public image: ProcessImage,
  ) {
    this.pgid = parent?.pgid ?? pid;
    this.sid = parent?.sid ?? pid;
  }

  get children(): Set<LinuxProcess> {
    this.ownChildren ??= new Set();
    return this.ownChildren;
  }

  /** Whether it has had any. */
  get isParent(): boolean {
    return this.ownChildren !== undefined;
  }
}

/** What a process says of itself. */
export interface ProcessImage {
  readonly path: string;
  readonly argv: readonly string[];
  /** What callbacks are told of it; undefined: no process has been made of it yet. */
  identity?: ProcessIdentity;
}

export type ProcessIdentity = Pick<
  PsPicoProcessAttributes,
  'FileObject' | 'ImageFileName' | 'CommandLine'
>;

/** Highest id of a thread or process, as Linux has it by default on 64 bits. */
const PID_MAX = 4_194_304;

export class LinuxState {
  readonly processes = new Map<number, LinuxProcess>();
  readonly threads = new Map<number, LinuxThread>();
  /** Events that no thread has now. */
  private readonly spareEvents: KEvent[] = [];
  private lastId = 0;

  constructor(
    readonly machine: Machine,
    readonly futexes: FutexTable,
  ) {}

  /** An id of neither a thread nor a process nor a group. */
  newId(): number {
    do this.lastId = this.lastId >= PID_MAX ? 1 : this.lastId + 1;
    while (this.threads.has(this.lastId) || this.processes.has(this.lastId));
    return this.lastId;
  }

  /** Undefined if the machine has no room for another. */
  newEvent(): KEvent | undefined {
    const spare = this.spareEvents.pop();
    if (spare !== undefined) return spare;
    if (!this.machine.hasObjectRoom) return undefined;
    return this.machine.createEvent('synchronization');
  }

  freeEvent(event: KEvent): void {
    event.reset();
    this.spareEvents.push(event);
  }

  /** The threads and processes that there are: nothing is left of those that have been waited for. */
  get counts(): { readonly threads: number; readonly processes: number; readonly futexes: number } {
    const { threads, processes, futexes } = this;
    return { threads: threads.size, processes: processes.size, futexes: futexes.waiting };
  }
}

/** The thread that a kernel thread is. */
export function linuxThread(thread: KThread): LinuxThread {
  return thread.picoContext as LinuxThread;
}

import { BUGCHECK } from '../../assembly/shared/bugcheck';
import {
  APC_PENDING,
  KMUTANT,
  KOBJECT,
  KPROCESS,
  KSYSTEM,
  KTABLE,
  KTHREAD,
  KTHREAD_EXTENSION,
  KTIMER,
  KTIMER_OBJECT,
  KTRAP_FRAME,
  PROCESS_FLAG,
} from '../../assembly/shared/layout';
import { LIMIT } from '../../assembly/shared/limits';
import {
  type GUEST,
  KOBJECTS,
  KTHREAD_STATE,
  type KWAIT_REASON,
  MODE,
  type PRIORITY_CLASS,
  THREAD_FLAG,
  type TIMER_TYPE,
} from '../../assembly/shared/types';
import { GoneError, MachineError } from './errors';
import { requireOwn } from './given';
import type { GuestState } from './guest-state';
import type { ObjectOperand } from './instruction';
import type { ThreadLocks } from './lock';
import type { Machine } from './machine';
import { requireInteger } from './profile';
import type { SystemServices, UserRegisters } from './user-context';

/** By TABLE. */
const TABLES = [KSYSTEM.ObjectTable, KSYSTEM.ThreadTable, KSYSTEM.ProcessTable] as const;

/** Something in a machine's tables, named by a handle: a stale one is an error, never another object. */
export abstract class KernelObject implements Pick<ObjectOperand & { handle: number }, 'handle'> {
  /** @internal What the object manager knows of it; undefined: nothing yet. */
  objectHeader: object | undefined;

  /** Row number in its table: what trace records name it by. */
  readonly index: number;
  private readonly row: number;
  private readonly generation: number;
  private readonly generationAddress: number;

  constructor(
    readonly machine: Machine,
    readonly handle: number,
  ) {
    this.index = handle % 2 ** LIMIT.TableIndexBits;
    this.generation = Math.floor(handle / 2 ** LIMIT.TableIndexBits) & LIMIT.GenerationMask;
    const table = TABLES[Math.floor(handle / 2 ** LIMIT.TableShift)] ?? KSYSTEM.ObjectTable;
    const field = (offset: number) => machine.memory.u32(KSYSTEM.Address + table + offset);
    this.row = field(KTABLE.Base) + this.index * field(KTABLE.RowSize);
    this.generationAddress = this.row + field(KTABLE.Generation);
  }

  /** @internal The byte address. */
  get address(): number {
    if (!this.exists) this.failAsGone();
    return this.row;
  }

  /** @internal */
  failAsGone(): never {
    throw new MachineError(
      `this ${this.constructor.name} (handle ${this.handle}) no longer exists`,
    );
  }

  get exists(): boolean {
    if (this.generation === 0) return false;
    return this.machine.memory.u32(this.generationAddress) === this.generation;
  }

  protected word(field: number): number {
    return this.machine.memory.u32(this.address + field);
  }

  /** @internal KOBJECTS. */
  get type(): KOBJECTS {
    return this.word(0);
  }

  /** SignalState: of an event 0 or 1, of a semaphore its count, of a thread or process 1 once it has ended. */
  get signalState(): number {
    return this.machine.memory.i32(this.address + 4);
  }

  /** @internal Makes a new one of it; a bugcheck, and false, if that would lose threads that wait. */
  protected initializeHeader(type: KOBJECTS, signalState: number): boolean {
    const { address } = this;
    const { memory } = this.machine;
    const list = address + KOBJECT.WaitListHead;
    if (memory.u32(list) !== list) {
      this.machine.bugCheck(BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE, CORRUPT_LIST_ENTRY);
      return false;
    }
    memory.setU32(address + KOBJECT.Type, type);
    memory.setU32(address + KOBJECT.SignalState, signalState);
    return true;
  }
}

/** Parameter 1 of KERNEL_SECURITY_CHECK_FAILURE for a list that is lost. */
const CORRUPT_LIST_ENTRY = 3;

/** KEVENT. */
export class KEvent extends KernelObject {
  /** From outside any guest, at the present time. Returns the previous state. @irql at most DISPATCH_LEVEL @nt KeSetEvent */
  set(increment = 0): number {
    return this.machine.core.hostSetEvent(
      this.address,
      requireInteger('increment', increment, 0, 15),
    );
  }

  /** The same, taken back at once. @irql at most DISPATCH_LEVEL @nt KePulseEvent */
  pulse(increment = 0): number {
    return this.machine.core.hostPulseEvent(
      this.address,
      requireInteger('increment', increment, 0, 15),
    );
  }

  /** @internal What KeInitializeEvent does. */
  initialize(type: number, signaled: boolean): void {
    requireInteger('type', type, 0, 1);
    this.initializeHeader(KOBJECTS.EventNotificationObject + type, signaled ? 1 : 0);
  }

  /** Takes the signal back. Returns the previous state. @irql at most DISPATCH_LEVEL @nt KeResetEvent */
  reset(): number {
    return this.machine.core.hostResetEvent(this.address);
  }

  /** Frees it; an error while a thread waits for it. */
  delete(): void {
    deleteObject(this);
  }
}

/** KSEMAPHORE. */
export class KSemaphore extends KernelObject {
  /** The most that its count can be. */
  get limit(): number {
    return this.word(KOBJECT.Limit);
  }

  /** @internal What KeInitializeSemaphore does. */
  initialize(count: number, limit: number): void {
    requireInteger('limit', limit, 1, 0x7fffffff);
    requireInteger('count', count, 0, limit);
    if (!this.initializeHeader(KOBJECTS.SemaphoreObject, count)) return;
    this.machine.memory.setU32(this.address + KOBJECT.Limit, limit);
  }

  /** From outside any guest. Returns the previous count; an error past the limit. @irql at most DISPATCH_LEVEL @nt KeReleaseSemaphore */
  release(adjustment = 1, increment = 0): number {
    requireInteger('adjustment', adjustment, 1, 0x7fffffff);
    requireInteger('increment', increment, 0, 15);
    const previous = this.machine.core.hostReleaseSemaphore(this.address, increment, adjustment);
    if (previous < 0)
      throw new MachineError(
        'release: the semaphore would pass its limit (STATUS_SEMAPHORE_LIMIT_EXCEEDED)',
      );
    return previous;
  }

  delete(): void {
    deleteObject(this);
  }
}

/** KMUTANT, and KMUTEX: SignalState is 1 if it is free, 0 if owned once, -1 if owned twice. */
export class KMutant extends KernelObject {
  /** Its owner; undefined if it is free. */
  get owner(): KThread | undefined {
    return this.machine.threadAt(this.word(KMUTANT.OwnerThread));
  }

  /** Whether an owner ended without releasing it, and nobody has acquired it since. */
  get abandoned(): boolean {
    return this.word(KMUTANT.Abandoned) !== 0;
  }

  /** @internal What KeInitializeMutex does: a bugcheck for one that is owned, which its owner's list loses. */
  initialize(apcDisable: boolean): void {
    if (this.owner !== undefined) {
      this.machine.bugCheck(BUGCHECK.KERNEL_SECURITY_CHECK_FAILURE, CORRUPT_LIST_ENTRY);
      return;
    }
    if (!this.initializeHeader(KOBJECTS.MutantObject, 1)) return;
    this.machine.memory.setU32(this.address + KMUTANT.Abandoned, 0);
    this.machine.memory.setU32(this.address + KMUTANT.ApcDisable, apcDisable ? 1 : 0);
  }

  /** @internal Takes it from its owner, if it has one. */
  disown(): void {
    this.machine.core.hostDisownMutant(this.address);
  }

  /** Frees it; an error while a thread owns it or waits for it. */
  delete(): void {
    deleteObject(this);
  }
}

/** KTIMER. */
export class KTimer extends KernelObject {
  /** Whether it is set, and has not expired or is periodic. */
  get inserted(): boolean {
    return this.word(KTIMER_OBJECT.Inserted) !== 0;
  }

  /**
   * From outside any guest: in `fromNowNs`, then every `periodMs` if that is not 0, each time with `dpc`.
   * Returns whether it was set. @irql at most DISPATCH_LEVEL @nt KeSetTimerEx
   */
  set(fromNowNs: number, periodMs = 0, dpc: KernelObject | null = null): boolean {
    requireInteger('fromNowNs', fromNowNs, 0, 9e15);
    requireInteger('periodMs', periodMs, 0, 0x7fffffff);
    if (dpc !== null && dpc.type !== KOBJECTS.DpcObject && dpc.type !== KOBJECTS.ThreadedDpcObject)
      throw new MachineError('set: dpc is no DPC; give what machine.createDpc returns, or null');
    if (dpc !== null) requireOwn(this.machine, 'set', dpc);
    const { core } = this.machine;
    return core.hostSetTimer(this.address, fromNowNs, periodMs, dpc?.address ?? 0) !== 0;
  }

  /** From outside any guest. Returns whether it was set. @irql at most DISPATCH_LEVEL @nt KeCancelTimer */
  cancel(): boolean {
    return this.machine.core.hostCancelTimer(this.address) !== 0;
  }

  /** @internal Its next expiry is the last. */
  endPeriods(): void {
    this.machine.memory.setU32(this.address + KTIMER_OBJECT.Period, 0);
  }

  /** When it expires, or did last: ns since boot. */
  get dueTimeNs(): number {
    return this.machine.memory.u64(this.address + KTIMER_OBJECT.Timer + KTIMER.DueTime64);
  }

  /** @internal What KeInitializeTimerEx does. */
  initialize(type: TIMER_TYPE): void {
    requireInteger('type', type, 0, 1);
    this.initializeHeader(KOBJECTS.TimerNotificationObject + type, 0);
  }

  /** Cancels and frees it; an error while a thread waits for it. */
  delete(): void {
    deleteObject(this);
  }
}

function setFlags(object: KernelObject, field: number, flags: number): void {
  const { memory } = object.machine;
  memory.setU32(field, memory.u32(field) | flags);
}

/** A driver that uses a process or thread which has gone had no reference to it: bugcheck REFERENCE_BY_POINTER. */
function stopForUseOfGone(object: KernelObject): void {
  const { machine, handle } = object;
  const driver = machine.guests.currentDriver;
  if (driver === undefined) return;
  machine.bugCheck(BUGCHECK.REFERENCE_BY_POINTER, 0, handle);
  throw new GoneError(
    `driver '${driver.name}' used a ${object.constructor.name} (handle ${handle}) that has gone; it had no reference to it`,
  );
}

/** @internal Frees a row of the object table; an error while a thread waits for it or owns it. */
export function deleteObject(object: KernelObject): void {
  object.address;
  if (object.machine.core.hostDeleteObject(object.handle) === 0) {
    throw new MachineError(
      `delete: a thread waits for this ${object.constructor.name} or owns it; end that first`,
    );
  }
}

/** KTHREAD. */
export class KThread extends KernelObject {
  constructor(
    machine: Machine,
    handle: number,
    readonly process: KProcess,
    readonly name: string,
  ) {
    super(machine, handle);
  }

  /** @internal */
  override failAsGone(): never {
    stopForUseOfGone(this);
    super.failAsGone();
  }

  /** @internal The host's locks that it holds or waits for; undefined: it has had none. */
  locks: ThreadLocks | undefined;

  /** Win32Thread: what a subsystem has hung on it. */
  win32Thread: unknown = null;

  /** @internal What the host executes of it; undefined: nothing. */
  guestState: GuestState | undefined;

  /** @internal What the provider of its process's subsystem keeps of it. */
  picoContext: unknown = null;
  /** @internal Its registers in user mode; undefined: nobody has asked. */
  userRegisters: UserRegisters | undefined;
  /** @internal ExceptionInformation of the fault that it is having; undefined: that says nothing more. */
  faultInformation: readonly number[] | undefined;
  /** @internal What the provider is given of its system calls; undefined: it has made none. */
  picoCall: object | undefined;

  get state(): KTHREAD_STATE {
    return this.word(KTHREAD.State);
  }

  /** The virtual time at which it came into its state. */
  get stateSinceNs(): number {
    return this.machine.memory.u64(this.address + KTHREAD.StateTime64);
  }

  get priority(): number {
    return this.word(KTHREAD.Priority);
  }

  get basePriority(): number {
    return this.word(KTHREAD.BasePriority);
  }

  /** Of its priority, what is owed to its process being in the foreground. */
  get foregroundBoost(): number {
    return this.word(KTHREAD.PriorityDecrement) & 15;
  }

  /** The same of what is owed to the balance-set manager, which lifts threads that starve. */
  get unusualBoost(): number {
    return this.word(KTHREAD.PriorityDecrement) >>> 4;
  }

  get waitReason(): KWAIT_REASON {
    return this.word(KTHREAD.WaitReason);
  }

  /** @internal Whether its last operation raised its status; once. */
  takeRaised(): boolean {
    const flags = this.word(KTHREAD.Flags);
    if ((flags & THREAD_FLAG.Raised) === 0) return false;
    this.machine.memory.setU32(this.address + KTHREAD.Flags, flags & ~THREAD_FLAG.Raised);
    return true;
  }

  /** @internal Where the system service it is in was called from; undefined: it is in none. */
  serviceMode: MODE | undefined;

  /** @internal The token that it works with in place of its process's; undefined: it impersonates nobody. */
  impersonation: object | undefined;

  /** @internal It calls a service from user mode: what waits for its return there is held off. */
  enterKernel(): void {
    const flags = this.word(KTHREAD.Flags);
    this.machine.memory.setU32(this.address + KTHREAD.Flags, flags | THREAD_FLAG.KernelCall);
  }

  /** @internal The service is over; whether something waits for that. */
  leaveKernel(): boolean {
    const flags = this.word(KTHREAD.Flags);
    this.machine.memory.setU32(this.address + KTHREAD.Flags, flags & ~THREAD_FLAG.KernelCall);
    return this.extended(KTHREAD_EXTENSION.Pending) !== 0;
  }

  /** @internal The mode that it runs in when it is in no system service. */
  get mode(): MODE {
    return (this.word(KTHREAD.Flags) & THREAD_FLAG.UserMode) !== 0
      ? MODE.UserMode
      : MODE.KernelMode;
  }

  /** WaitNext: it has signaled with Wait = TRUE, and must wait next. */
  get waitNext(): boolean {
    return (this.word(KTHREAD.Flags) & THREAD_FLAG.WaitNext) !== 0;
  }

  /** @internal SpecialApcDisable << 16 | KernelApcDisable. */
  get combinedApcDisable(): number {
    return this.word(KTHREAD.CombinedApcDisable);
  }

  /** KernelApcDisable: below 0 while it is in a critical region or owns a mutex. */
  get kernelApcDisable(): number {
    return (this.word(KTHREAD.CombinedApcDisable) << 16) >> 16;
  }

  /** SpecialApcDisable: below 0 while it is in a guarded region. */
  get specialApcDisable(): number {
    return this.machine.memory.i32(this.address + KTHREAD.CombinedApcDisable) >> 16;
  }

  /** The status its last operation left. */
  get status(): number {
    return this.word(KTHREAD.WaitStatus);
  }

  get exitStatus(): number {
    return this.word(KTHREAD.ExitStatus);
  }

  /** @internal When it was made, ns since boot; undefined: before the host knew of it. */
  createdNs: number | undefined;
  /** @internal What the process manager keeps of it. */
  executive: object | undefined;

  get idealProcessor(): number {
    return this.word(KTHREAD.IdealProcessor);
  }

  /** The processor it runs, is queued or stands by on. */
  get nextProcessor(): number {
    return this.word(KTHREAD.NextProcessor);
  }

  get lastProcessor(): number {
    return this.word(KTHREAD.LastProcessor);
  }

  get affinity(): bigint {
    return this.machine.memory.big(this.address + KTHREAD.Affinity64);
  }

  /** Run time, ns. */
  get runTimeNs(): number {
    this.machine.core.KiSettleAccounts();
    return this.machine.memory.u64(this.address + KTHREAD.CycleTime64);
  }

  /** Run time in cycles of the profile's processor. */
  get cycleTime(): number {
    return Math.floor((this.runTimeNs * this.machine.profile.cyclesPerMicrosecond) / 1000);
  }

  /** User time as Windows shows it, 100 ns: whole clock intervals. */
  get userTime100ns(): number {
    return (this.word(KTHREAD.UserTicks) * this.machine.profile.clockIntervalNs) / 100;
  }

  get kernelTime100ns(): number {
    return (this.word(KTHREAD.KernelTicks) * this.machine.profile.clockIntervalNs) / 100;
  }

  /** What is left of its quantum, ns. */
  get remainingQuantumNs(): number {
    const target = this.machine.memory.u64(this.address + KTHREAD.QuantumTarget64);
    return target - this.runTimeNs;
  }

  get contextSwitches(): number {
    return this.word(KTHREAD.ContextSwitches);
  }

  /** Of those that ended a run, the ones it did not ask for: preemption, quantum end and yields. */
  get preemptions(): number {
    return this.word(KTHREAD.Preemptions);
  }

  get migrations(): number {
    return this.word(KTHREAD.Migrations);
  }

  /** @internal Whether it waits for an entry of a queue. */
  get waitsForEntry(): boolean {
    const waits = this.state === KTHREAD_STATE.Waiting;
    return waits && (this.word(KTHREAD.Flags) & THREAD_FLAG.WaitQueue) !== 0;
  }

  /** @internal A thread of the machine's own that waits for this has nothing to do. */
  restsAt: KernelObject | undefined;

  /** @internal What the end of a system thread takes back; undefined: PsCreateSystemThread did not make it. */
  systemThreadEnd: (() => void) | undefined;

  /** @internal Whether it was made with a user mode; undefined: the core made it. */
  madeForUserMode: boolean | undefined;

  /**
   * @internal THREAD_FLAG bits of what it runs now, and of what that is in front of, down to what it
   * was made for.
   */
  *flagsOfFrames(): Generator<number, void> {
    const { memory } = this.machine;
    let flags = this.word(KTHREAD.Flags);
    let frame = this.extended(KTHREAD_EXTENSION.TrapFrame);
    yield flags;
    while ((flags & THREAD_FLAG.TrapFrame) !== 0) {
      flags = memory.u32(frame + KTRAP_FRAME.Flags);
      frame = memory.u32(frame + KTRAP_FRAME.Previous);
      yield flags;
    }
  }

  /** Whether it has no user mode, whatever it is in now. @irql at most DISPATCH_LEVEL @nt PsIsSystemThread */
  get isSystemThread(): boolean {
    if (this.madeForUserMode !== undefined) return !this.madeForUserMode;
    let flags = 0;
    for (const own of this.flagsOfFrames()) flags = own;
    return (flags & THREAD_FLAG.UserMode) === 0;
  }

  get guest(): GUEST {
    const flags = this.word(KTHREAD.Flags);
    return (flags & THREAD_FLAG.Host) !== 0 ? 1 : (flags & THREAD_FLAG.Port) !== 0 ? 2 : 0;
  }

  /** SuspendCount: how often it has been suspended and not resumed. */
  get suspendCount(): number {
    return this.extended(KTHREAD_EXTENSION.SuspendCount);
  }

  /** @internal A word of its extension; 0 without one. */
  extended(field: number): number {
    const extension = this.word(KTHREAD.Extension);
    return extension === 0 ? 0 : this.machine.memory.u32(extension + field);
  }

  /** The process in whose address space it works: its own, unless it is attached to another. */
  get attachedProcess(): KProcess {
    const attached = this.extended(KTHREAD_EXTENSION.AttachedProcess);
    return attached === 0 ? this.process : this.machine.processAt(attached);
  }

  /** @internal Whether it has user-mode APCs that have not run. */
  get hasUserApcs(): boolean {
    const extension = this.word(KTHREAD.Extension);
    if (extension === 0) return false;
    const head = extension + KTHREAD_EXTENSION.UserApcListHead;
    return this.machine.memory.u32(head) !== head;
  }

  /** Whether it is to end, or what goes before its end has begun. */
  get terminating(): boolean {
    const asked = APC_PENDING.Terminate | APC_PENDING.Ending;
    return (
      (this.word(KTHREAD.Flags) & THREAD_FLAG.Exiting) !== 0 ||
      (this.extended(KTHREAD_EXTENSION.Pending) & asked) !== 0
    );
  }

  /** From outside any guest. Returns the count before; an error at 127. @irql at most DISPATCH_LEVEL @nt KeSuspendThread */
  suspend(): number {
    const count = this.machine.core.hostSuspendThread(this.address);
    if (count < 0) throw this.machine.full('threadExtensions');
    if (count === LIMIT.SuspendCount) {
      throw new MachineError(
        `suspend: thread '${this.name}' is suspended ${count} times (STATUS_SUSPEND_COUNT_EXCEEDED); resume it first`,
      );
    }
    return count;
  }

  /** @internal Holds it as a suspended thread, or lets it go on, whatever its SuspendCount. */
  freeze(frozen: boolean): void {
    if (this.machine.core.hostFreezeThread(this.address, frozen ? 1 : 0) === 0)
      throw this.machine.full('threadExtensions');
  }

  /** From outside any guest. Returns the count before. @irql at most DISPATCH_LEVEL @nt KeResumeThread */
  resume(): number {
    return this.machine.core.hostResumeThread(this.address);
  }

  /** From outside any guest. Returns whether it was alerted already. @irql at most DISPATCH_LEVEL @nt KeAlertThread */
  alert(mode: MODE = MODE.KernelMode): boolean {
    const alerted = this.machine.core.hostAlertThread(this.address, mode);
    if (alerted < 0) throw this.machine.full('threadExtensions');
    return alerted === 1;
  }

  /**
   * Asks it to end, from outside any guest: it does at its next return to user mode, out of any wait
   * in user mode. Returns false if it has begun to end already.
   */
  terminate(status = 0): boolean {
    const asked = this.machine.core.hostTerminateThread(this.address, status);
    if (asked < 0) throw this.machine.full('threadExtensions');
    return asked === 1;
  }

  /** Lets a thread that was created with `start: false` run. */
  start(): void {
    if (this.state !== 0)
      throw new MachineError(`start: thread '${this.name}' has been started already`);
    this.machine.core.hostStartThread(this.address);
  }

  /** @internal The same, in a wait for one object, without having run. */
  startWaiting(object: KernelObject): void {
    this.machine.core.hostStartWaitingThread(this.address, object.address);
  }

  /** @internal What its instructions cost is overhead from now on, not run time. */
  uncharge(): void {
    const flags = this.word(KTHREAD.Flags);
    this.machine.memory.setU32(this.address + KTHREAD.Flags, flags | THREAD_FLAG.Uncharged);
  }

  /** From outside any guest. Returns the old priority. @irql PASSIVE_LEVEL @nt KeSetPriorityThread */
  setPriority(priority: number): number {
    const { address } = this;
    requireInteger('priority', priority, 1, 31);
    const old = this.machine.core.hostSetPriority(address, priority);
    this.machine.locks.prioritySet(this);
    return old;
  }

  /** From outside any guest. Returns the previous increment. @irql PASSIVE_LEVEL @nt KeSetBasePriorityThread */
  setBasePriority(increment: number): number {
    const { address } = this;
    requireInteger('increment', increment, -32, 31);
    const old = this.machine.core.hostSetBasePriority(address, increment);
    this.machine.locks.prioritySet(this);
    return old;
  }

  /** @internal What a system affinity stands in front of; undefined: the affinity is the user's. */
  userAffinity: { readonly mask: bigint; readonly ideal: number } | undefined;

  /** @internal The group it is in now: that of its ideal processor. */
  get group(): number {
    return this.machine.processorPlace(this.idealProcessor)?.group ?? this.process.group;
  }

  /** @internal Of its group; counts from when it is next made ready. */
  setIdealProcessor(processor: number): void {
    const { userAffinity } = this;
    const home = userAffinity && this.machine.processorPlace(userAffinity.ideal);
    if (userAffinity !== undefined && home?.group === this.group)
      this.userAffinity = { ...userAffinity, ideal: processor };
    this.machine.memory.setU32(this.address + KTHREAD.IdealProcessor, processor);
  }

  /**
   * Hard affinity: a mask of processors of its process's group. While a driver's system affinity is
   * in force it waits until that is taken back.
   */
  setAffinity(mask: bigint): void {
    const allowed = this.machine.groupAffinity(this.process.group);
    if (mask === 0n || (mask & ~allowed) !== 0n) {
      throw new MachineError(
        `setAffinity: mask 0x${mask.toString(16)} is no part of the group's processors 0x${allowed.toString(16)}`,
      );
    }
    if (this.userAffinity !== undefined) {
      this.userAffinity = { ...this.userAffinity, mask };
      return;
    }
    this.machine.core.hostSetAffinity(
      this.address,
      Number(mask & 0xffffffffn),
      Number(mask >> 32n),
    );
  }

  /** @internal Whether the embedder keeps its row; programs' threads belong to nobody. */
  held = false;
  private referenced = false;

  /** Lets go of it: its table row is free once it has ended, and this object is stale then. */
  close(): void {
    const { address } = this;
    this.held = false;
    if (!this.referenced) this.machine.core.hostCloseThread(address);
  }

  /** @internal The object manager has references to it, from now on or no longer. */
  setReferenced(referenced: boolean): void {
    const { address } = this;
    this.referenced = referenced;
    if (referenced) setFlags(this, address + KTHREAD.Flags, THREAD_FLAG.Referenced);
    else if (!this.held) this.machine.core.hostCloseThread(address);
  }
}

export interface ThreadOptions {
  readonly name?: string | undefined;
  /** Relative to the process's base priority; 15 and -15 are the ends of the range. Default 0. */
  readonly increment?: number;
  /** Hard affinity within the process's group. Default: the process's. */
  readonly affinity?: bigint;
  /** Default true. */
  readonly start?: boolean;
  /** What its registers, in the order in which the program takes them, hold at first: numbers or handles. Default 0. */
  readonly registers?: readonly (number | bigint)[];
  /** Of a worker port's thread: the words with which what is the port's own in its context begins. Default 0. */
  readonly portState?: ArrayLike<number>;
  /** It begins waiting for this object, as one that came to wait for it before; ready if it is signaled. */
  readonly waitsFor?: KernelObject;
  /** Runs in user mode: ticks count as user time. Default true for programs and ports, false for host threads. */
  readonly userMode?: boolean;
  readonly disableBoost?: boolean;
  /** What its instructions cost is overhead of its processor, not its run time. For recorded workloads. */
  readonly uncharged?: boolean;
}

/** KPROCESS. */
export class KProcess extends KernelObject {
  constructor(
    machine: Machine,
    handle: number,
    readonly name: string,
  ) {
    super(machine, handle);
  }

  /** @internal */
  override failAsGone(): never {
    stopForUseOfGone(this);
    super.failAsGone();
  }

  get basePriority(): number {
    return this.word(KPROCESS.BasePriority);
  }

  get priorityClass(): PRIORITY_CLASS {
    return this.word(KPROCESS.PriorityClass);
  }

  get group(): number {
    return this.word(KPROCESS.Group);
  }

  get node(): number {
    return this.word(KPROCESS.Node);
  }

  get threadCount(): number {
    return this.word(KPROCESS.ThreadCount);
  }

  /** @internal How many threads it has had. */
  get threadsCreated(): number {
    return this.word(KPROCESS.ThreadsCreated);
  }

  get exitStatus(): number {
    return this.word(KPROCESS.ExitStatus);
  }

  get foreground(): boolean {
    return this.word(KPROCESS.Foreground) !== 0;
  }

  /** The virtual time at which it was made. */
  get createTimeNs(): number {
    return this.machine.memory.u64(this.address + KPROCESS.CreateTime64);
  }

  /** The same as a system time, 100 ns since 1601: setting the clock does not change it. */
  get createTime100ns(): bigint {
    return this.machine.clock.systemTimeAt100ns(this.createTimeNs);
  }

  /** User time of its threads, those that have ended too, as Windows shows it, 100 ns. */
  get userTime100ns(): number {
    return this.time100ns(KPROCESS.UserTicks, KTHREAD.UserTicks);
  }

  get kernelTime100ns(): number {
    return this.time100ns(KPROCESS.KernelTicks, KTHREAD.KernelTicks);
  }

  private time100ns(ended: number, running: number): number {
    const { memory, profile } = this.machine;
    const ticks = this.threads()
      .filter(({ state }) => state !== KTHREAD_STATE.Terminated)
      .reduce((sum, { address }) => sum + memory.u32(address + running), this.word(ended));
    return (ticks * profile.clockIntervalNs) / 100;
  }

  /** @internal The row of its parent, which may be another process's by now; 0: it has none. */
  get parentIndex(): number {
    return this.word(KPROCESS.Parent);
  }

  /** Which of all processes since boot it is, from 1, which is System. */
  get sequenceNumber(): number {
    return this.word(KPROCESS.SequenceNumber);
  }

  /** Its threads in the order in which they were made, with those that have ended and are referred to. */
  threads(): KThread[] {
    const { memory } = this.machine;
    const head = this.address + KPROCESS.ThreadListHead;
    const threads: KThread[] = [];
    for (let entry = memory.u32(head); entry !== head; entry = memory.u32(entry)) {
      threads.push(this.machine.threadAt(entry - KTHREAD.ThreadListEntry) as KThread);
    }
    return threads;
  }

  /** @internal The thread with which its life begins. */
  initialThread: KThread | undefined;
  /** @internal How many of its threads have begun to end and have not ended. */
  exitingThreads = 0;
  /** @internal What the process manager keeps of it; undefined: nothing but what the row says. */
  executive: object | undefined;
  private services: SystemServices | undefined;
  /** @internal Where its threads' system calls and faults go; undefined: where the machine's go. */
  get systemServices(): SystemServices | undefined {
    return this.services;
  }
  set systemServices(services: SystemServices | undefined) {
    this.services = services;
    const address = this.address + KPROCESS.Flags;
    const flags = this.machine.memory.u32(address) & ~PROCESS_FLAG.Services;
    const set = services === undefined ? 0 : PROCESS_FLAG.Services;
    this.machine.memory.setU32(address, flags | set);
  }
  /** @internal What the provider of its subsystem keeps of it. */
  picoContext: unknown = null;

  /** Moves it into or out of the foreground: longer quanta and a wake boost by PsPrioritySeparation. */
  setForeground(foreground: boolean): void {
    const units = this.machine.quanta[foreground ? 'foreground' : 'background'];
    this.machine.core.hostSetForeground(this.address, foreground ? 1 : 0, units);
  }

  createThread(body: Parameters<Machine['createThread']>[1], options?: ThreadOptions): KThread {
    return this.machine.createThread(this, body, options);
  }

  /** Whether its last thread has ended. */
  get exited(): boolean {
    return (this.word(KPROCESS.Flags) & PROCESS_FLAG.Exited) !== 0;
  }

  /** @internal Its handles; undefined: it has had none. */
  handleTable: object | undefined;
  /** @internal Its primary token; undefined: the usual one, which nobody has asked for. */
  token: object | undefined;
  /** @internal The innermost job that it is in, or was in at its end; undefined: none. */
  job: object | undefined;
  /** @internal Whether the embedder keeps its row. */
  held = false;
  private referenced = false;

  /** Lets go of it: its table row is free once it has ended, and this object is stale then. */
  close(): void {
    const { address } = this;
    this.held = false;
    if (!this.referenced) this.machine.core.hostCloseProcess(address);
  }

  /** @internal The object manager has references to it, from now on or no longer. */
  setReferenced(referenced: boolean): void {
    const { address } = this;
    this.referenced = referenced;
    if (referenced) setFlags(this, address + KPROCESS.Flags, PROCESS_FLAG.Referenced);
    else if (!this.held) this.machine.core.hostCloseProcess(address);
  }
}

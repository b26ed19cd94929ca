import { BUGCHECK } from '../../assembly/shared/bugcheck';
import {
  KGROUP,
  KPRCB,
  KPROCESS,
  KSYSTEM,
  KTABLE,
  KTHREAD,
  KTRAP_FRAME,
} from '../../assembly/shared/layout';
import { LIMIT } from '../../assembly/shared/limits';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import {
  ACTIVATION,
  HOST_REQUEST,
  IRQL,
  KOBJECTS,
  KTHREAD_STATE,
  MODE,
  PRIORITY_CLASS,
  STOP,
  TABLE,
  THREAD_FLAG,
} from '../../assembly/shared/types';
import { Activation } from './activation';
import { KBarrier } from './barrier';
import { type ApcOptions, KApc } from './apc';
import { Clock } from './clock';
import { type CoreExports, instantiateCore, loadWorkerCode, type ThreadsExports } from './core';
import { Crew, LostWorkerError } from './crew';
import { spinningCircle, waitingCircle } from './deadlock';
import { type DeferredRoutine, type GuestResult, KDpc } from './dpc';
import { type DriverObject, type DriverOptions, Drivers } from './driver';
import { MachineError, WorkerError } from './errors';
import type { CallRoutine } from './frames';
import { isGenerator, type Request } from './generator';
import { type CpuPort, Guests, type HostBody, NtStatusError } from './guest';
import { encode, words64 } from './instruction';
import type { Created, Lifecycle } from './lifecycle';
import { LockTable } from './lock';
import { createMemory, type MachineMemory, quantumUnits } from './memory';
import {
  type Capacities,
  type MachineOptions,
  type ProcessorPlace,
  type ResolvedOptions,
  resolveOptions,
} from './options';
import { type MachineProfile, requireInteger } from './profile';
import { type LoadedProgram, type Program, verifyProgram } from './program';
import type { PortEnvironment } from './port';
import { absoluteUrl, LoadedPort, openPort, type PortOptions, Ports } from './ports';
import { KGate, KQueue } from './queue';
import type { RunOptions, RunResult } from './result';
import { describeBugCheck, lastRecords, remainingThreads } from './result';
import { type InterruptOptions, KInterrupt, KSpinLock, type ServiceRoutine } from './spinlock';
import { TraceRing } from './trace';
import { FAULT_CALL, type SystemServices } from './user-context';
import { Values } from './values';
import {
  KEvent,
  type KernelObject,
  KMutant,
  KProcess,
  KSemaphore,
  KThread,
  KTimer,
  type ThreadOptions,
} from './views';
import type { Watcher } from './watch';
import { lackingForWorkers, NoWorkerError, WorkerPool } from './worker-pool';

/**
 * What a host call or system call does: the status goes to the thread that made it. A generator's
 * routine runs in the thread, which may block in it, and its result is the status.
 */
export type CallHandler = (thread: KThread, argument: number) => number | undefined | CallRoutine;
/** The same for every number without a handler of its own. */
export type AnyCallHandler = (
  thread: KThread,
  number: number,
  argument: number,
) => number | undefined | CallRoutine;

/** What a thread runs. */
export type ThreadBody = LoadedProgram | HostBody | CpuPort | LoadedPort;

export interface ProcessOptions {
  readonly name?: string;
  readonly priorityClass?: PRIORITY_CLASS;
  readonly parent?: KProcess;
  /** Hard affinity within the group that the process is given. */
  readonly affinity?: bigint | undefined;
  readonly foreground?: boolean;
}

/** The routine of a DPC that has none. */
const NO_ROUTINE = 0xffffffff;

/** Words that the core's own threads take at the start of program memory. */
const SYSTEM_PROGRAM_WORDS = 32;

/** Steps of one call into the core; between them the host looks at requests to stop. */
const SLICE_STEPS = 1_000_000;

/** Runs of guests, and turns of the host's, between which a run that does not block lets others have theirs. */
const PIECES_A_REST = 1000;
const HOST_TURNS_A_REST = 10_000;

const DISPOSED = 'the machine has been disposed of';

/** Why a run pauses: its workers go on, or the host has a rest. */
type Pause = 'workers' | 'rest';

/** What takes the place of the core's exports while nobody may call them. */
function refusing(why: string): CoreExports {
  const refuse = () => {
    throw new MachineError(why);
  };
  return new Proxy({} as CoreExports, { get: () => refuse });
}

/** An emulated machine: processors, threads, virtual time. See `Machine.create`. */
export class Machine {
  readonly profile: MachineProfile;
  readonly trace: TraceRing;
  /** Quantum units in and out of the foreground. */
  readonly quanta: { readonly foreground: number; readonly background: number };
  /** @internal */ readonly guests = new Guests(this);
  /** @internal */ readonly values = new Values();
  /** @internal Objects that stand for what threads hold, by address: whom a wait for one is for. */
  readonly waits = new Map<
    number,
    { readonly name: string; readonly owners: readonly KThread[] }
  >();
  /** @internal */ readonly locks = new LockTable(this);
  /** The drivers that were loaded with `loadDriver`, and what happens when they are loaded and unloaded. */
  readonly drivers = new Drivers(this);
  /** Objects whose routines are the host's, by row. */
  private readonly hostObjects = new Map<number, KernelObject>();
  private idle: KThread | undefined;
  /** By row; the rows that the host has not looked at are empty. */
  private readonly threads: (KThread | undefined)[];
  private readonly processes: (KProcess | undefined)[];
  private readonly programs = new Map<number, LoadedProgram>();
  private readonly hostCalls = new Map<number, CallHandler>();
  private readonly systemCalls = new Map<number, CallHandler>();
  private anySystemCall: AnyCallHandler | undefined;
  private lifecycleHooks: Lifecycle | undefined;
  private refill: ((thread: number) => void) | undefined;
  private programWords = SYSTEM_PROGRAM_WORDS;
  private returnAddress = 0;
  private stopRequested = false;
  private running = false;
  private failure: unknown;

  /** @internal What the host calls; while it must not, what throws. */
  core: CoreExports;
  /** @internal */ readonly ports: Ports;
  private disposal: Promise<void> | undefined;
  private lost: WorkerError | undefined;

  private constructor(
    /** @internal */ readonly engineCore: CoreExports,
    /** @internal */ readonly memory: MachineMemory,
    private readonly options: ResolvedOptions,
    private crew: Crew | undefined,
    private readonly onNotice: ((notice: string) => void) | undefined,
  ) {
    this.core = engineCore;
    this.ports = new Ports(this, options.capacities.portContexts);
    this.profile = options.profile;
    this.quanta = quantumUnits(options.profile);
    this.trace = new TraceRing(memory);
    this.threads = new Array(options.capacities.threads + 1);
    this.processes = new Array(options.capacities.processes + 1);
    const system = new KProcess(this, this.handleOf(TABLE.Process, 1), 'System');
    system.held = true;
    this.processes[1] = system;
  }

  /** Lays out the memory, instantiates the core and boots it: idle processors and the System process. */
  static async create(options: MachineOptions = {}): Promise<Machine> {
    const resolved = resolveOptions(options);
    if (resolved.workers !== 0 && options.core !== undefined) {
      throw new MachineError(
        'option core: workers have a core of their own, which the host shares; leave core or workers out',
      );
    }
    const lacking = resolved.workers === 0 ? undefined : lackingForWorkers();
    if (lacking === undefined) return Machine.boot(resolved, options);
    const machine = await Machine.boot({ ...resolved, workers: 0 }, options);
    machine.noticeWorkers(lacking);
    return machine;
  }

  private static async boot(resolved: ResolvedOptions, options: MachineOptions): Promise<Machine> {
    const parallel = resolved.workers !== 0;
    const memory = createMemory(resolved, parallel);
    const code = parallel ? await loadWorkerCode() : undefined;
    const core = await instantiateCore(memory, code === undefined ? options.core : code.module);
    if (core.KiInitializeSystem() === 0) {
      throw new MachineError(
        'the tables have no room for the System process; raise capacities.threads and capacities.processes',
      );
    }
    const { onNotice } = options;
    if (code === undefined) return new Machine(core, memory, resolved, undefined, onNotice);
    const pool = options.workerPool ?? new WorkerPool();
    const ownPool = options.workerPool === undefined;
    const threads = core as ThreadsExports;
    const crew = new Crew(threads, memory, resolved, code, pool, ownPool);
    return new Machine(core, memory, resolved, crew, onNotice);
  }

  private readonly told: string[] = [];

  /** What this host does not have that was asked for. */
  get notices(): readonly string[] {
    return this.told;
  }

  private noticeWorkers(lacking: string): void {
    const notice = `there are no workers: ${lacking}. The machine runs without, with the same history`;
    this.told.push(notice);
    this.onNotice?.(notice);
  }

  /** How many workers it has. */
  get workers(): number {
    return this.crew?.size ?? 0;
  }

  /** Memory that belongs to the guests of worker ports, and where it is in the machine's. */
  get guestMemory(): PortEnvironment & { readonly bytes: Uint8Array } {
    const { memory, guests } = this.memory;
    const { guestBytes } = this.options.capacities;
    const bytes = new Uint8Array(memory.buffer, guests, guestBytes);
    return { memory, guestBase: guests, guestBytes, bytes };
  }

  /**
   * Loads a worker port: an ES module, which every worker imports, and the host too. What comes back is
   * a body of threads; `portState` of their options is what their contexts begin with.
   */
  loadPort(options: PortOptions): Promise<LoadedPort> {
    const loading = this.portsLoaded.then(() => this.loadNextPort(options));
    this.portsLoaded = loading.then(
      () => undefined,
      () => undefined,
    );
    return loading;
  }

  /** When those have been loaded that were asked for: one after the other. */
  private portsLoaded: Promise<void> = Promise.resolve();

  private async loadNextPort({ url, data }: PortOptions): Promise<LoadedPort> {
    const address = absoluteUrl(url);
    const core = await openPort(this, address, data);
    const port = new LoadedPort(this, this.ports.count, address);
    try {
      await this.crew?.openPort(port.index, address, data);
    } catch (error) {
      if (!(error instanceof NoWorkerError)) throw error;
      await this.crew?.giveUp();
      this.crew = undefined;
      this.noticeWorkers(`the host refuses them (${error.message})`);
    }
    this.ports.add(core);
    return port;
  }

  /** The system time, and what the clock interrupts by. */
  readonly clock = new Clock(this);

  /** @internal Who looks on. */
  watcher: Watcher | undefined;

  /** Virtual time, ns since boot. */
  get now(): number {
    return this.memory.u64(KSYSTEM.Address + KSYSTEM.Time64);
  }

  /** Steps done since boot: instructions that others could observe, and interrupts. */
  get steps(): number {
    return this.memory.u64(KSYSTEM.Address + KSYSTEM.Steps64);
  }

  get processorCount(): number {
    return this.options.processors;
  }

  /** The identity of the run so far: 16 hexadecimal digits over every trace record. */
  get digest(): string {
    return this.memory
      .big(KSYSTEM.Address + KSYSTEM.Digest64)
      .toString(16)
      .padStart(16, '0');
  }

  /** The System process. */
  get systemProcess(): KProcess {
    return this.processes[1] as KProcess;
  }

  /** The processors of a group; 0 for one that does not exist. @irql any @nt KeQueryGroupAffinity */
  groupAffinity(group: number): bigint {
    if (group >= this.options.groups) return 0n;
    return this.memory.big(
      this.system(KSYSTEM.GroupBase) + group * KGROUP.Size + KGROUP.ActiveProcessors64,
    );
  }

  /** @internal */
  get groupCount(): number {
    return this.options.groups;
  }

  /** @internal */
  get nodeCount(): number {
    return this.options.nodes;
  }

  /** @internal The processor at work. */
  get currentProcessor(): number {
    return this.system(KSYSTEM.CurrentProcessor);
  }

  /** @internal Whether a DPC or service routine is what runs on the processor at work. */
  get inInterrupt(): boolean {
    const prcb = this.system(KSYSTEM.PrcbBase) + this.currentProcessor * KPRCB.Size;
    return this.memory.u32(prcb + KPRCB.Activation) !== 0;
  }

  /** @internal Whether the table of objects has room for one more. */
  get hasObjectRoom(): boolean {
    const table = KSYSTEM.ObjectTable;
    if (this.system(table + KTABLE.FreeHead) !== 0) return true;
    return this.system(table + KTABLE.HighWater) < this.system(table + KTABLE.Capacity);
  }

  /** @internal Group, number there and node of a processor; undefined if there is no such. */
  processorPlace(index: number): ProcessorPlace | undefined {
    return this.options.places[index];
  }

  /** @internal The processor of a group and number; undefined if there is no such. */
  processorIndex(group: number, groupIndex: number): number | undefined {
    const index = this.options.places.findIndex(
      (place) => place.group === group && place.groupIndex === groupIndex,
    );
    return index === -1 ? undefined : index;
  }

  /** A new event. @irql any @nt KeInitializeEvent */
  createEvent(type: 'notification' | 'synchronization', signaled = false): KEvent {
    if (type !== 'notification' && type !== 'synchronization') {
      throw new MachineError(
        `createEvent: type is '${String(type)}'; give 'notification' or 'synchronization'`,
      );
    }
    const code =
      type === 'notification'
        ? KOBJECTS.EventNotificationObject
        : KOBJECTS.EventSynchronizationObject;
    return new KEvent(this, this.newObject(code, signaled ? 1 : 0, 1));
  }

  /** A new semaphore: `count` from 0 to `limit`, `limit` from 1 to 2^31 - 1. @irql at most DISPATCH_LEVEL @nt KeInitializeSemaphore */
  createSemaphore(count: number, limit = 0x7fffffff): KSemaphore {
    requireInteger('limit', limit, 1, 0x7fffffff);
    requireInteger('count', count, 0, limit);
    return new KSemaphore(this, this.newObject(KOBJECTS.SemaphoreObject, count, limit));
  }

  /** A timer that is not set. @irql at most DISPATCH_LEVEL @nt KeInitializeTimerEx */
  createTimer(type: 'notification' | 'synchronization'): KTimer {
    if (type !== 'notification' && type !== 'synchronization') {
      throw new MachineError(
        `createTimer: type is '${String(type)}'; give 'notification' or 'synchronization'`,
      );
    }
    const code =
      type === 'notification'
        ? KOBJECTS.TimerNotificationObject
        : KOBJECTS.TimerSynchronizationObject;
    return new KTimer(this, this.newObject(code, 0, 0));
  }

  /** What NtCreateMutant makes: free, or owned by a thread that has not ended. @irql at most DISPATCH_LEVEL @nt KeInitializeMutant */
  createMutant(owner?: KThread): KMutant {
    return this.newMutant(0, owner);
  }

  /** A free mutant that disables normal kernel APCs for its owner. @irql any @nt KeInitializeMutex */
  createMutex(): KMutant {
    return this.newMutant(1, undefined);
  }

  private newMutant(apcDisable: number, owner: KThread | undefined): KMutant {
    if (owner?.state === KTHREAD_STATE.Terminated) {
      throw new MachineError(`createMutant: thread '${owner.name}' has ended; it can own nothing`);
    }
    const handle = this.core.hostCreateMutant(apcDisable, owner?.address ?? 0);
    if (handle === 0) throw this.full('objects');
    return new KMutant(this, handle);
  }

  /**
   * A queue. At most `maximumCount` threads that take from it are to be active at a time, 1 to
   * 2^31 - 1; 0: as many as there are processors.
   *
   * @irql at most DISPATCH_LEVEL   @nt KeInitializeQueue
   */
  createQueue(maximumCount = 0): KQueue {
    requireInteger('maximumCount', maximumCount, 0, 0x7fffffff);
    const handle = this.core.hostCreateQueue(
      maximumCount === 0 ? this.processorCount : maximumCount,
    );
    if (handle === 0) throw this.full('objects');
    return new KQueue(this, handle);
  }

  /** A gate that is not signaled. @irql any @nt KeInitializeGate */
  createGate(): KGate {
    return new KGate(this, this.newObject(KOBJECTS.GateObject, 0, 0));
  }

  /**
   * A DPC whose routine is a function of the host or a loaded program; without one it cannot be queued.
   *
   * @irql any   @nt KeInitializeDpc
   */
  createDpc(
    deferredRoutine: DeferredRoutine | LoadedProgram | null,
    deferredContext: unknown = 0,
  ): KDpc {
    return this.newDpc(KOBJECTS.DpcObject, deferredRoutine, deferredContext);
  }

  /**
   * The same, whose routine runs at PASSIVE_LEVEL in a thread of its processor's, which the first one
   * brings with it; unless the profile's `threadDpcEnable` is false.
   *
   * @irql any   @nt KeInitializeThreadedDpc
   */
  createThreadedDpc(
    deferredRoutine: DeferredRoutine | LoadedProgram | null,
    deferredContext: unknown = 0,
  ): KDpc {
    if (this.profile.threadDpcEnable && this.core.hostStartDpcThreads() === 0) {
      throw this.full('threads');
    }
    return this.newDpc(KOBJECTS.ThreadedDpcObject, deferredRoutine, deferredContext);
  }

  private newDpc(
    type: KOBJECTS,
    deferredRoutine: DeferredRoutine | LoadedProgram | null,
    deferredContext: unknown,
  ): KDpc {
    const host = typeof deferredRoutine === 'function';
    const [low, high] = host ? [0, 0] : words64(Number(deferredContext));
    const program = host ? 0 : (deferredRoutine?.address ?? NO_ROUTINE);
    const handle = this.core.hostCreateDpc(type, program, low, high);
    if (handle === 0) throw this.full('objects');
    const dpc = new KDpc(this, handle, deferredRoutine, deferredContext, this.guests.currentDriver);
    if (host) this.hostObjects.set(dpc.index, dpc);
    return dpc;
  }

  /**
   * An APC of a thread: what that is made to run in front of what it does.
   *
   * @irql any   @nt KeInitializeApc
   */
  createApc(thread: KThread, options: ApcOptions): KApc {
    const apc = this.tryCreateApc(thread, options);
    if (typeof apc === 'string') throw this.full(apc);
    return apc;
  }

  /** @internal The same; the name of the capacity that is used up if there is no room for it. */
  tryCreateApc(thread: KThread, options: ApcOptions): ReturnType<typeof KApc.create> {
    const apc = KApc.create(this, thread, options);
    if (typeof apc !== 'string') this.hostObjects.set(apc.index, apc);
    return apc;
  }

  /** A spin lock, plain, queued or reader-writer, as it is used; `name` is for reports. @irql any @nt KeInitializeSpinLock */
  createSpinLock(name?: string): KSpinLock {
    const handle = this.core.hostCreateSpinLock();
    if (handle === 0) throw this.full('objects');
    const index = handle % 2 ** LIMIT.TableIndexBits;
    const lock = new KSpinLock(this, handle, name ?? `spin lock ${index}`);
    this.hostObjects.set(index, lock);
    return lock;
  }

  /**
   * Connects a service routine to a device interrupt, which `scheduleInterrupt` raises.
   *
   * @irql PASSIVE_LEVEL   @nt IoConnectInterrupt (partial: options in place of vector, mode and affinity)
   */
  connectInterrupt(options: InterruptOptions): KInterrupt {
    const irql = requireInteger('irql', options.irql, IRQL.LOW_DIRQL, IRQL.HIGH_DIRQL);
    const synchronizeIrql = options.synchronizeIrql ?? irql;
    requireInteger('synchronizeIrql', synchronizeIrql, irql, IRQL.HIGH_DIRQL);
    const { serviceRoutine, serviceContext = 0 } = options;
    const host = typeof serviceRoutine === 'function';
    const context = host ? [0, 0] : words64(Number(serviceContext));
    const handle = this.core.hostCreateInterrupt(
      irql,
      synchronizeIrql,
      options.spinLock?.handle ?? 0,
      host ? 0 : serviceRoutine.address,
      context[0] as number,
      context[1] as number,
    );
    if (handle === 0) throw this.full('objects');
    const interrupt = new KInterrupt(
      this,
      handle,
      serviceRoutine,
      serviceContext,
      this.guests.currentDriver,
    );
    this.hostObjects.set(interrupt.index, interrupt);
    return interrupt;
  }

  /** @internal What comes at IPI_LEVEL, without a lock: each processor it is scheduled on runs the routine. */
  connectIpi(serviceRoutine: ServiceRoutine): KInterrupt {
    const handle = this.core.hostCreateInterrupt(IRQL.IPI_LEVEL, IRQL.IPI_LEVEL, 0, 0, 0, 0);
    if (handle === 0) throw this.full('objects');
    const interrupt = new KInterrupt(this, handle, serviceRoutine, null, undefined);
    this.hostObjects.set(interrupt.index, interrupt);
    return interrupt;
  }

  /** @internal A barrier, where nobody is. */
  createBarrier(): KBarrier {
    const handle = this.core.hostCreateBarrier();
    if (handle === 0) throw this.full('objects');
    return new KBarrier(this, handle);
  }

  /** @internal The object of the host's at the address of its row. */
  hostObject(address: number): KernelObject | undefined {
    return this.hostObjects.get(this.objectIndex(address));
  }

  /** @internal Those of them that there are, and of what has been deleted. */
  hostObjectList(): Iterable<KernelObject> {
    return this.hostObjects.values();
  }

  /** @internal What is current on a processor without a thread. It is in no table: its handle is stale. */
  get idleThread(): KThread {
    this.idle ??= new KThread(this, 0, this.systemProcess, 'idle');
    return this.idle;
  }

  private newObject(type: number, state: number, limit: number): number {
    const handle = this.core.hostCreateObject(type, state, limit);
    if (handle === 0) throw this.full('objects');
    return handle;
  }

  /** @internal Whether the table of threads has room for one more. */
  get hasThreadRoom(): boolean {
    const table = KSYSTEM.ThreadTable;
    if (this.system(table + KTABLE.FreeHead) !== 0) return true;
    return this.system(table + KTABLE.HighWater) < this.system(table + KTABLE.Capacity);
  }

  /** @internal */ full(capacity: keyof Capacities): MachineError {
    return new MachineError(
      `the table of ${capacity} is full (STATUS_INSUFFICIENT_RESOURCES); raise capacities.${capacity}`,
    );
  }

  /** Checks a program and puts it into the machine's memory. Bad bytecode is refused with offset and reason. */
  loadProgram(program: Program): LoadedProgram {
    verifyProgram(program, this.options.capacities.sharedWords, (address) =>
      this.programs.has(address),
    );
    const address = this.reserveProgramWords(program.words.length, program.name);
    this.memory.words.set(program.words, address >>> 2);
    const loaded = { name: program.name, address, length: program.words.length };
    this.programs.set(address, loaded);
    return loaded;
  }

  /** @internal Program memory without a program in it yet: the caller streams one through `onRefill`. */
  reserveProgramWords(count: number, name: string): number {
    if (this.programWords + count > this.options.capacities.programWords) {
      throw new MachineError(
        `program '${name}' has ${count} words, ${this.options.capacities.programWords - this.programWords} are free; raise capacities.programWords`,
      );
    }
    const address = this.system(KSYSTEM.ProgramBase) + this.programWords * 4;
    this.programWords += count;
    return address;
  }

  /** @internal The address of a program that only ends. */
  get returnProgram(): number {
    if (this.returnAddress === 0) {
      this.returnAddress = this.reserveProgramWords(2, 'return');
      this.memory.words.set([encode(OP.Exit), 0], this.returnAddress >>> 2);
    }
    return this.returnAddress;
  }

  createProcess(options: ProcessOptions = {}): KProcess {
    const process = this.newProcess(options);
    if (process === undefined) throw this.full('processes');
    return process;
  }

  /** @internal The same; undefined if the table is full. */
  newProcess(options: ProcessOptions): KProcess | undefined {
    const priorityClass = requireInteger(
      'priorityClass',
      options.priorityClass ?? PRIORITY_CLASS.Normal,
      1,
      6,
    );
    const [low, high] = words64(options.affinity ?? 0);
    const handle = this.core.hostCreateProcess(
      options.parent?.handle ?? 0,
      priorityClass,
      this.quanta.background,
      low,
      high,
    );
    if (handle === 0) return undefined;
    const process = new KProcess(
      this,
      handle,
      options.name ?? `process ${handle % 2 ** LIMIT.TableIndexBits}`,
    );
    process.held = true;
    this.processes[process.index] = process;
    if (options.foreground === true) process.setForeground(true);
    return process;
  }

  /**
   * A thread of a process: a loaded program, a generator function (host thread) or a CpuPort.
   * It is ready at once, unless `start` is false.
   */
  createThread(process: KProcess, body: ThreadBody, options: ThreadOptions = {}): KThread {
    const thread = this.newThread(process, body, options, options.start !== false);
    if (thread === undefined) throw this.full('threads');
    return thread;
  }

  /** @internal The same; undefined if the table is full. */
  newThread(
    process: KProcess,
    body: ThreadBody,
    options: ThreadOptions,
    start: boolean,
    /** What it runs before its body, and the ns that takes. */
    prologue?: () => GuestResult<number>,
  ): KThread | undefined {
    const host = typeof body === 'function';
    const loaded = body instanceof LoadedPort ? body : undefined;
    const port = loaded !== undefined || (!host && 'run' in body);
    if (loaded !== undefined && !this.ports.hasRoom) throw this.full('portContexts');
    let flags = host ? THREAD_FLAG.Host : port ? THREAD_FLAG.Port : 0;
    if (options.userMode ?? !host) flags |= THREAD_FLAG.UserMode;
    if (options.disableBoost === true || !this.profile.boosts) flags |= THREAD_FLAG.DisableBoost;
    if (options.uncharged === true) flags |= THREAD_FLAG.Uncharged;
    const increment = requireInteger('increment', options.increment ?? 0, -15, 15);
    const [low, high] = this.threadAffinity(process, options.affinity);
    const program = host || port ? 0 : (body as LoadedProgram).address;
    const { address } = process;
    const guest = flags & (THREAD_FLAG.Host | THREAD_FLAG.Port | THREAD_FLAG.UserMode);
    const first = prologue === undefined ? flags : (flags & ~guest) | THREAD_FLAG.Host;
    const handle = this.core.hostCreateThread(address, program, increment, low, high, first);
    if (handle === 0) return undefined;
    const index = handle % 2 ** LIMIT.TableIndexBits;
    const thread = new KThread(
      this,
      handle,
      process,
      options.name ?? (host || port ? `thread ${index}` : (body as LoadedProgram).name),
    );
    thread.createdNs = this.now;
    thread.madeForUserMode = (flags & THREAD_FLAG.UserMode) !== 0;
    thread.held = true;
    this.threads[index] = thread;
    if (prologue !== undefined)
      this.guests.addPrologue(thread, prologue, guest, host ? body : undefined);
    else if (host) this.guests.addHost(thread, body);
    if (loaded !== undefined) this.ports.assign(thread, loaded, options.portState ?? []);
    else if (port) this.guests.addPort(thread, body as CpuPort);
    options.registers?.forEach((value, register) => {
      this.setRegister(thread.address, register, value);
    });
    if (options.waitsFor !== undefined)
      this.core.hostStartWaitingThread(thread.address, options.waitsFor.address);
    else if (start) this.core.hostStartThread(thread.address);
    return thread;
  }

  /**
   * Loads a driver: a system thread calls its DriverEntry, after the loads and unloads asked for before.
   * Look at its `state` and `status` when the machine has run.
   */
  loadDriver(options: DriverOptions): DriverObject {
    return this.drivers.requestLoad(options);
  }

  /** The words of an affinity, which must be a part of the process's; 0 is all of that. */
  private threadAffinity(process: KProcess, affinity: bigint | undefined): [number, number] {
    if (affinity === undefined) return [0, 0];
    const allowed = this.memory.big(process.address + KPROCESS.Affinity64);
    if ((affinity & ~allowed) !== 0n) {
      throw new MachineError(
        `createThread: affinity 0x${affinity.toString(16)} is no part of the process's 0x${allowed.toString(16)}`,
      );
    }
    return words64(affinity);
  }

  /** The function that a program's `hostCall(number)` runs. Its return value is the call's status. */
  onHostCall(number: number, handler: CallHandler): void {
    this.hostCalls.set(requireInteger('number', number, 0, FAULT_CALL - 1), handler);
  }

  /**
   * The same for system calls, but those of subsystem processes; a number without a handler is
   * STATUS_NOT_IMPLEMENTED. A loaded program runs in front of the thread, without the host: its first
   * register has the argument, the second the number, and its last status is the call's.
   */
  onSystemCall(number: number, handler: CallHandler | LoadedProgram): void;
  onSystemCall(number: 'any', handler: AnyCallHandler): void;
  onSystemCall(
    number: number | 'any',
    handler: CallHandler | AnyCallHandler | LoadedProgram,
  ): void {
    if (number === 'any') {
      if (typeof handler !== 'function')
        throw new MachineError('onSystemCall: a program answers one number; give that');
      this.anySystemCall = handler as AnyCallHandler;
      return;
    }
    requireInteger('number', number, 0, 0xffff);
    if (typeof handler === 'function') {
      this.systemCalls.set(number, handler as CallHandler);
      if (number < this.options.capacities.systemCalls) this.setSystemCall(number, 0);
      return;
    }
    const { systemCalls } = this.options.capacities;
    if (number >= systemCalls) {
      throw new MachineError(
        `onSystemCall: number ${number} is not below ${systemCalls}, as those are that programs answer; raise capacities.systemCalls`,
      );
    }
    this.systemCalls.delete(number);
    this.setSystemCall(number, handler.address);
  }

  private setSystemCall(number: number, program: number): void {
    this.memory.setU32(this.system(KSYSTEM.SystemCallBase) + number * 4, program);
  }

  /** Whether a program answers a system call of a thread. */
  private isProgramCall(thread: KThread, number: number): boolean {
    if (number >= this.options.capacities.systemCalls) return false;
    if (thread.process.systemServices !== undefined) return false;
    return this.memory.u32(this.system(KSYSTEM.SystemCallBase) + number * 4) !== 0;
  }

  /** What goes around the life of threads; undefined: the core does it all. */
  get lifecycle(): Lifecycle | undefined {
    return this.lifecycleHooks;
  }

  set lifecycle(lifecycle: Lifecycle | undefined) {
    this.lifecycleHooks = lifecycle;
    this.memory.setU32(KSYSTEM.Address + KSYSTEM.Lifecycle, lifecycle === undefined ? 0 : 1);
  }

  /** @internal Makes the lifecycle of a machine that needs one. */
  static lifecycleOf: ((machine: Machine) => Lifecycle) | undefined;

  /** @internal There is something to be given back when a process ends. */
  needLifecycle(): void {
    this.lifecycle ??= Machine.lifecycleOf?.(this);
  }

  /** @internal Called with a thread's index when its streamed program has run out. */
  onRefill(handler: (thread: number) => void): void {
    this.refill = handler;
  }

  /**
   * Schedules a device interrupt on a processor at a virtual time (now, if that has passed): that of
   * a connected interrupt; or one whose DPC sets the event, or releases the semaphore by one, with an
   * I/O boost of `increment`.
   *
   * @returns false if the capacity for interrupts to come is used up; nothing was scheduled.
   */
  scheduleInterrupt(
    timeNs: number,
    processor: number,
    object: KEvent | KSemaphore | KInterrupt,
    increment = 1,
  ): boolean {
    requireInteger('timeNs', timeNs, 0, Number.MAX_SAFE_INTEGER);
    requireInteger('processor', processor, 0, this.processorCount - 1);
    requireInteger('increment', increment, 0, 15);
    return this.core.hostScheduleInterrupt(processor, timeNs, object.handle, increment) !== 0;
  }

  /** A thread by its table index, as trace records name it. Threads that programs made have a name of their program. */
  thread(index: number): KThread | undefined {
    const known = this.threads[index];
    if (known?.exists === true) return known;
    const address = this.tableRow(KSYSTEM.ThreadTable, KTHREAD.Size, index);
    if (address === 0 || this.memory.u32(address + KTHREAD.Type) !== KOBJECTS.ThreadObject)
      return undefined;
    const process = this.processOfRow(this.memory.u32(address + KTHREAD.Process));
    const program = this.programs.get(this.memory.u32(address + KTHREAD.ProgramBase));
    const thread = new KThread(
      this,
      this.handleOf(TABLE.Thread, index),
      process,
      program?.name ?? this.systemThreadName(address) ?? `thread ${index}`,
    );
    this.threads[index] = thread;
    return thread;
  }

  private setRegister(thread: number, register: number, value: number | bigint): void {
    if (register >= LIMIT.ProgramRegisters) {
      throw new MachineError(
        `createThread: registers has more than ${LIMIT.ProgramRegisters} values; a thread has no more`,
      );
    }
    const [low, high] = words64(value);
    const address = thread + KTHREAD.Register64 + register * 8;
    this.memory.setU32(address, low);
    this.memory.setU32(address + 4, high);
  }

  private systemThreadName(address: number): string | undefined {
    if (address === this.system(KSYSTEM.BalanceThread)) return 'balance set manager';
    if (address === this.system(KSYSTEM.SwapThread)) return 'swapper';
    const processor = this.memory.u32(address + KTHREAD.IdealProcessor);
    const dpcThread = this.memory.u32(this.prcb(processor) + KPRCB.DpcThread);
    return address === dpcThread ? `DPC thread ${processor}` : undefined;
  }

  /** A process by its table index. */
  process(index: number): KProcess | undefined {
    const known = this.processes[index];
    if (known?.exists === true) return known;
    const address = this.tableRow(KSYSTEM.ProcessTable, KPROCESS.Size, index);
    if (address === 0 || this.memory.u32(address + KPROCESS.Type) !== KOBJECTS.ProcessObject)
      return undefined;
    const process = new KProcess(this, this.handleOf(TABLE.Process, index), `process ${index}`);
    this.processes[index] = process;
    return process;
  }

  /** Every thread whose row is in use, ended ones that someone refers to included. */
  *allThreads(): Generator<KThread> {
    const highWater = this.system(KSYSTEM.ThreadTable + KTABLE.HighWater);
    for (let index = 1; index <= highWater; index++) {
      const thread = this.thread(index);
      if (thread !== undefined) yield thread;
    }
  }

  /** The same for processes. */
  *allProcesses(): Generator<KProcess> {
    const highWater = this.system(KSYSTEM.ProcessTable + KTABLE.HighWater);
    for (let index = 1; index <= highWater; index++) {
      const process = this.process(index);
      if (process !== undefined) yield process;
    }
  }

  /** The interrupt request level of a processor. Default: the one whose step the host is in. */
  irql(processor = this.currentProcessor): IRQL {
    requireInteger('processor', processor, 0, this.processorCount - 1);
    return this.memory.u32(this.prcb(processor) + KPRCB.Irql);
  }

  /** @internal The level of the processor at work, and a thread's APC disable counts, as one number. */
  levelAndRegions(thread: KThread): number {
    const irql = this.memory.u32(this.prcb(this.currentProcessor) + KPRCB.Irql);
    return irql * 2 ** 32 + this.memory.u32(thread.address + KTHREAD.CombinedApcDisable);
  }

  /** @internal The address of a processor's KPRCB. */
  prcb(processor: number): number {
    return this.system(KSYSTEM.PrcbBase) + processor * KPRCB.Size;
  }

  /** @internal Whether routines check the level at which they are called. */
  get checkIrql(): boolean {
    return this.options.checkIrql;
  }

  /** How many words programs share. */
  get sharedWordCount(): number {
    return this.options.capacities.sharedWords;
  }

  /** A word that programs share; signed. */
  sharedWord(index: number): number {
    const last = this.options.capacities.sharedWords - 1;
    requireInteger('sharedWord', index, 0, last);
    return this.memory.i32(this.system(KSYSTEM.WordBase) + index * 4);
  }

  /** The same as a variable that host threads and programs share: of interlocked operations, and to write. */
  sharedLong(index: number): { value: number } {
    this.sharedWord(index);
    const address = this.system(KSYSTEM.WordBase) + index * 4;
    const { memory } = this;
    return {
      get value() {
        return memory.i32(address);
      },
      set value(value) {
        memory.setU32(address, value);
      },
    };
  }

  /** How a processor has spent its time up to now, ns; the four add up to its time. */
  processorTimes(processor: number): {
    idleNs: number;
    busyNs: number;
    interruptNs: number;
    overheadNs: number;
    contextSwitches: number;
  } {
    requireInteger('processor', processor, 0, this.processorCount - 1);
    this.core.KiSettleAccounts();
    const prcb = this.prcb(processor);
    return {
      idleNs: this.memory.u64(prcb + KPRCB.IdleTime64),
      busyNs: this.memory.u64(prcb + KPRCB.BusyTime64),
      interruptNs: this.memory.u64(prcb + KPRCB.InterruptTime64),
      overheadNs: this.memory.u64(prcb + KPRCB.OverheadTime64),
      contextSwitches: this.memory.u64(prcb + KPRCB.ContextSwitches64),
    };
  }

  /** The words of a worker port's context of a thread: see PORT_CONTEXT. Undefined for other threads. */
  portContext(thread: KThread): Uint32Array | undefined {
    return this.ports.contextOf(thread);
  }

  /** Makes `run` return after the step at hand. For host calls, subscribers and signal handlers. */
  stop(): void {
    this.stopRequested = true;
    if (this.handedOver) this.crew?.interrupt();
  }

  /** Whether the workers have the kernel, in a run that does not block. */
  private handedOver = false;

  /** Stops the machine with a bugcheck. @irql any @nt KeBugCheckEx */
  bugCheck(code: number, ...parameters: number[]): void {
    const [p1 = 0, p2 = 0, p3 = 0, p4 = 0] = parameters;
    this.core.hostBugCheck(code, p1, p2, p3, p4);
  }

  /**
   * Runs until a time, a number of steps, or a reason of the machine's own; says which.
   *
   * Without limits it still ends: after 100 million steps, or earlier by the livelock guard. A machine
   * with workers waits for them; a page's main thread may not: see `runAsync`.
   */
  run(options: RunOptions = {}): RunResult {
    const { crew } = this;
    if (crew?.mayBlock === false) {
      throw new MachineError(
        "run waits for the machine's workers, which a page's main thread may not; await runAsync",
      );
    }
    const steps = this.begin(options);
    try {
      let next = steps.next(0);
      while (next.done !== true) {
        next = steps.next(next.value === 'workers' ? (crew as Crew).run() : 0);
      }
      return next.value;
    } catch (error) {
      throw this.failed(error);
    } finally {
      this.running = false;
    }
  }

  /**
   * The same without blocking: whatever else the host has to do goes on meanwhile, but this machine is
   * its run's. Only `stop` and `dispose` may be called before it has ended.
   */
  async runAsync(options: RunOptions = {}): Promise<RunResult> {
    const steps = this.begin(options);
    try {
      let next = steps.next(0);
      while (next.done !== true) next = steps.next(await this.pause(next.value));
      return next.value;
    } catch (error) {
      if (error instanceof LostWorkerError) await this.crew?.abandon(error.lost);
      throw this.failed(error);
    } finally {
      this.running = false;
    }
  }

  /** Lets the workers, or the host, go on; nobody else touches the machine. */
  private async pause(kind: Pause): Promise<STOP> {
    this.core = refusing('the machine runs; only stop() and dispose() may be called meanwhile');
    this.handedOver = true;
    try {
      if (kind === 'workers') return await (this.crew as Crew).runAsync();
      await new Promise((resolve) => setTimeout(resolve, 0));
      return STOP.None;
    } finally {
      this.handedOver = false;
      if (this.disposal === undefined) this.core = this.engineCore;
    }
  }

  /** Checks what a run is asked for, and begins it. */
  private begin(options: RunOptions): Generator<Pause, RunResult, STOP> {
    if (this.running)
      throw new MachineError(
        'run was called from inside run; use stop() there, and run again when it has returned',
      );
    if (this.disposal !== undefined) throw new MachineError(DISPOSED);
    if (this.lost !== undefined) throw this.lost;
    const until = options.until ?? Number.POSITIVE_INFINITY;
    if (until !== Number.POSITIVE_INFINITY)
      requireInteger('until', until, 0, Number.MAX_SAFE_INTEGER);
    const maxEvents = requireInteger(
      'maxEvents',
      options.maxEvents ?? 100_000_000,
      0,
      Number.MAX_SAFE_INTEGER,
    );
    this.running = true;
    this.stopRequested = false;
    return this.runLoop(until, this.steps + maxEvents);
  }

  /** What a run throws; what was in the air is taken back. */
  private failed(error: unknown): unknown {
    if (!(error instanceof LostWorkerError)) {
      for (let tries = 0; this.engineCore.KiLandAll() === 0; tries++) this.waitForFlight(0, tries);
      return error;
    }
    const { lost } = error;
    this.crew?.seize(lost);
    void this.crew?.abandon(lost);
    this.engineCore.KiLandAll();
    const thread = lost.thread === undefined ? undefined : this.thread(lost.thread)?.name;
    const { why, worker, processor } = lost;
    this.lost = new WorkerError(why, worker, processor, thread, lastRecords(this));
    return this.lost;
  }

  private *runLoop(until: number, stepLimit: number): Generator<Pause, RunResult, STOP> {
    this.memory.setU64(KSYSTEM.Address + KSYSTEM.Until64, until);
    for (let rests = 0; ; rests++) {
      if (this.stopRequested) return this.settled(false, { reason: 'requested', now: this.now });
      if (rests % HOST_TURNS_A_REST === HOST_TURNS_A_REST - 1) yield 'rest';
      this.memory.setU64(
        KSYSTEM.Address + KSYSTEM.StepLimit64,
        Math.min(stepLimit, this.steps + SLICE_STEPS),
      );
      let stop = this.callCore();
      if (stop === STOP.Flight) stop = yield* this.advanceFlights();
      switch (stop) {
        case STOP.TimeReached:
          return this.settled(true, { reason: 'time', now: this.now });
        case STOP.Idle:
          return this.settled(true, this.idleResult());
        case STOP.EventLimit:
          this.ports.settle(true);
          this.trace.drain();
          if (this.steps >= stepLimit) return { reason: 'events', now: this.now };
          yield 'rest';
          break;
        case STOP.Host:
          this.answer();
          break;
        case STOP.TraceFull:
          this.ports.settle(true);
          if (!this.trace.drain()) return { reason: 'trace-full', now: this.now };
          break;
        case STOP.Deadlock:
          return this.settled(false, {
            reason: 'deadlock',
            now: this.now,
            circle: spinningCircle(this),
          });
        case STOP.Livelock:
          return this.settled(false, {
            reason: 'livelock',
            now: this.now,
            threads: remainingThreads(this),
          });
        case STOP.Requested:
          break;
        default:
          return this.settled(false, {
            reason: 'bugcheck',
            now: this.now,
            ...describeBugCheck(this, this.failure),
            cause: this.failure,
          });
      }
    }
  }

  /** Lets flights come further, and steps the kernel, up to where the host has something else to do. */
  private *advanceFlights(): Generator<Pause, STOP, STOP> {
    if (this.crew !== undefined) return yield 'workers';
    for (let pieces = 1; ; pieces++) {
      this.ports.advanceFirst();
      if (pieces % PIECES_A_REST === 0) {
        yield 'rest';
        if (this.stopRequested) return STOP.Requested;
      }
      const stop = this.callCore();
      if (stop !== STOP.Flight) return stop;
    }
  }

  /** A run's end; how far the guests have come does not depend on who advanced them. */
  private settled(known: boolean, result: RunResult): RunResult {
    this.ports.settle(known);
    return result;
  }

  /** @internal Waits until a worker has done with its piece of a flight. */
  waitForFlight(processor: number, tries: number): void {
    this.crew?.waitForPiece(processor, tries);
  }

  /** Ends the workers, and gives all up that the machine has; whatever is asked of it later is refused. */
  dispose(): Promise<void> {
    this.disposal ??= this.end();
    return this.disposal;
  }

  private async end(): Promise<void> {
    this.core = refusing(DISPOSED);
    this.stop();
    while (this.running) await new Promise((resolve) => setTimeout(resolve, 1));
    await this.portsLoaded;
    await this.crew?.dispose();
  }

  private idleResult(): RunResult {
    const circle = waitingCircle(this);
    if (circle.length !== 0) return { reason: 'deadlock', now: this.now, circle };
    return { reason: 'idle', now: this.now, waiting: remainingThreads(this) };
  }

  private callCore(): STOP {
    try {
      return this.engineCore.KiRun();
    } catch (error) {
      // A trap: an assertion of the core has left its place in the system block, or the core is broken.
      if (this.system(KSYSTEM.BugCheckCode) === BUGCHECK.NONE) this.bugCheck(BUGCHECK.ASSERTION);
      this.failure = error;
      return STOP.BugCheck;
    }
  }

  /** Does what the stopped step asks of the host. What a guest throws is a bugcheck; what the host does wrong is thrown on. */
  private answer(): void {
    const index = this.system(KSYSTEM.StopThread);
    const request = this.system(KSYSTEM.StopRequest);
    if (request === HOST_REQUEST.Refill) {
      if (this.refill === undefined)
        throw new MachineError('a streamed program has run out and nobody refills it');
      this.refill(index);
      return;
    }
    try {
      if (index >= ACTIVATION.Mark) {
        this.answerActivation(index, request);
        return;
      }
      const thread = this.thread(index) as KThread;
      if (request === HOST_REQUEST.HostThread) {
        const instruction = this.guests.nextHostRequest(thread);
        this.watcher?.instruction(thread, instruction);
        this.locks.beforeInstruction(thread, (instruction[0] as number) & 0xff);
        this.giveInstruction(thread, instruction);
      } else if (request === HOST_REQUEST.PortThread) this.answerPort(thread);
      else if (request === HOST_REQUEST.Create) this.answerCreate(thread);
      else
        this.answerCall(
          thread,
          request,
          this.system(KSYSTEM.StopNumber),
          this.system(KSYSTEM.StopArgument),
        );
    } catch (error) {
      if (error instanceof MachineError) throw error;
      this.failure = error;
      const status = error instanceof NtStatusError ? error.status : STATUS.UNSUCCESSFUL;
      this.exceptionNotHandled(index, status);
      return;
    }
    this.memory.setU32(KSYSTEM.Address + KSYSTEM.HostAnswered, 1);
  }

  /** The bugcheck of what nobody caught, by who threw it. */
  private exceptionNotHandled(index: number, status: number): void {
    const inRoutine = index >= ACTIVATION.Mark;
    if (inRoutine && new Activation(this, index).isServiceRoutine)
      this.bugCheck(BUGCHECK.INTERRUPT_EXCEPTION_NOT_HANDLED, status);
    else if (!inRoutine && this.thread(index)?.isSystemThread === true)
      this.bugCheck(BUGCHECK.SYSTEM_THREAD_EXCEPTION_NOT_HANDLED, status);
    else this.bugCheck(BUGCHECK.KMODE_EXCEPTION_NOT_HANDLED, status, 0, index);
  }

  /** A routine in front of a thread: its next instruction, or the host call of a program. */
  private answerActivation(index: number, request: number): void {
    if (request === HOST_REQUEST.HostThread) {
      const instruction = this.guests.nextActivationRequest(index);
      this.watcher?.activation(index, instruction);
      this.setInstruction(instruction);
    } else {
      const { thread } = new Activation(this, index);
      const argument = this.system(KSYSTEM.StopArgument);
      this.answerCall(thread, request, this.system(KSYSTEM.StopNumber), argument);
    }
    this.memory.setU32(KSYSTEM.Address + KSYSTEM.HostAnswered, 1);
  }

  private answerPort(thread: KThread): void {
    const budget = this.memory.u64(KSYSTEM.Address + KSYSTEM.StopBudget64);
    const stop = this.ports.takeStop(thread);
    const request =
      stop === undefined
        ? this.guests.nextPortRequest(thread, Math.min(budget, Number.MAX_SAFE_INTEGER))
        : this.guests.requestOf(thread, stop);
    this.giveInstruction(thread, request);
  }

  /** Gives the core a thread's instruction; a call is answered with it. */
  private giveInstruction(thread: KThread, instruction: Request): void {
    this.setInstruction(instruction);
    const word = instruction[0] as number;
    const opcode = word & 0xff;
    if (opcode !== OP.SystemCall && opcode !== OP.HostCall) return;
    const argument = instruction[1] ?? 0;
    if (opcode === OP.SystemCall) this.answerSystemCall(thread, word >>> 16, argument);
    else this.answerCall(thread, HOST_REQUEST.HostCall, word >>> 16, argument);
  }

  /** What a process's own services answer to a call or fault of its thread, in that's context. */
  private answerService(
    services: SystemServices,
    thread: KThread,
    request: number,
    number: number,
    argument: number,
  ): void {
    const answer = this.guests.begin<number | undefined>(thread, () =>
      request === HOST_REQUEST.SystemCall
        ? services.systemCall(thread, number, argument)
        : services.fault(thread, argument),
    );
    if (isGenerator(answer)) this.answerBy(thread, answer, services.noFrameStatus);
    else this.setStatus(answer ?? STATUS.SUCCESS);
  }

  /** A system call that the host has given itself, unless the core has a program for it. */
  private answerSystemCall(thread: KThread, number: number, argument: number): void {
    if (!this.isProgramCall(thread, number))
      this.answerCall(thread, HOST_REQUEST.SystemCall, number, argument);
  }

  private answerCall(thread: KThread, request: number, number: number, argument: number): void {
    const { systemServices } = thread.process;
    const fault = number === FAULT_CALL && request === HOST_REQUEST.HostCall;
    if (fault && systemServices === undefined) {
      this.faultOfNoSubsystem(thread, argument);
      return;
    }
    if (systemServices !== undefined && (fault || request === HOST_REQUEST.SystemCall)) {
      this.answerService(systemServices, thread, request, number, argument);
      return;
    }
    let answer: ReturnType<CallHandler> = STATUS.NOT_IMPLEMENTED;
    const handler = (request === HOST_REQUEST.HostCall ? this.hostCalls : this.systemCalls).get(
      number,
    );
    if (handler !== undefined) answer = handler(thread, argument);
    else if (request === HOST_REQUEST.SystemCall && this.anySystemCall !== undefined) {
      answer = this.anySystemCall(thread, number, argument);
    }
    if (isGenerator(answer)) this.answerBy(thread, answer);
    else this.setStatus(answer ?? STATUS.SUCCESS);
  }

  /** A fault of a program that no subsystem handles: its thread ends; of the kernel's, the machine stops. */
  private faultOfNoSubsystem(thread: KThread, status: number): void {
    const index = this.system(KSYSTEM.StopThread);
    if (index >= ACTIVATION.Mark || thread.isSystemThread) throw new NtStatusError(status);
    thread.terminate(status);
    this.setStatus(status);
  }

  private setStatus(status: number): void {
    this.memory.setU32(KSYSTEM.Address + KSYSTEM.HostStatus, status);
  }

  /** Lets a routine in front of the thread answer its call. */
  private answerBy(
    thread: KThread,
    routine: CallRoutine,
    noFrameStatus: number = STATUS.INSUFFICIENT_RESOURCES,
  ): void {
    if (this.system(KSYSTEM.StopThread) >= ACTIVATION.Mark) {
      throw new MachineError(
        'the host call of a DPC or interrupt routine was answered by a generator; only a thread can wait for one: queue a work item',
      );
    }
    const room = this.guests.frames.answerCall(thread, routine);
    // What it has begun is taken back by its finally blocks, which ask for nothing.
    if (!room) routine.return(noFrameStatus);
    this.setStatus(room ? STATUS.PENDING : noFrameStatus);
  }

  /** A program's createThread or createProcess, by the lifecycle. */
  private answerCreate(thread: KThread): void {
    const pc = this.system(KSYSTEM.StopArgument);
    const { lifecycle } = this;
    const program = this.programs.get(this.memory.u32(pc + 4));
    if (lifecycle === undefined || program === undefined) {
      this.setStatus(STATUS.INVALID_PARAMETER);
      return;
    }
    const result = this.guests.begin(thread, () =>
      this.system(KSYSTEM.StopNumber) === OP.CreateThread
        ? lifecycle.createThread(thread, program, this.memory.i32(pc + 8))
        : lifecycle.createProcess(thread, program, this.memory.u32(pc + 8)),
    );
    if (isGenerator(result)) this.answerBy(thread, this.createFor(thread, result, pc));
    else {
      this.setHostCost(result.costNs ?? 0);
      this.setStatus(this.giveThread(result, pc, thread.address + KTHREAD.Register64));
    }
  }

  /** @internal The instruction that is answered takes longer than its cost, by so many ns. */
  setHostCost(ns: number): void {
    this.memory.setU32(KSYSTEM.Address + KSYSTEM.HostCost, ns);
  }

  /** @internal The same, on top of what has been said already. */
  addHostCost(ns: number): void {
    this.setHostCost(this.system(KSYSTEM.HostCost) + ns);
  }

  private *createFor(
    thread: KThread,
    creation: Generator<Request, Created, number>,
    pc: number,
  ): CallRoutine {
    const created = yield* creation;
    const { costNs = 0 } = created;
    if (costNs !== 0) yield [encode(OP.Compute, MODE.KernelMode), costNs, 0];
    const frame = this.guests.frames.topFrame(thread);
    return this.giveThread(created, pc, frame + KTRAP_FRAME.Register64);
  }

  /** Puts a new thread's handle where an instruction says. */
  private giveThread({ status, thread }: Created, pc: number, registers: number): number {
    if (thread === undefined) return status;
    const register = registers + ((this.memory.u32(pc) >>> 8) & 0xff) * 8;
    const { handle } = thread;
    this.memory.setU32(register, handle % 2 ** 32);
    this.memory.setU32(register + 4, Math.floor(handle / 2 ** 32));
    return status;
  }

  private setInstruction(words: readonly number[]): void {
    const address = KSYSTEM.Address + KSYSTEM.HostInstruction;
    for (let index = 0; index < words.length; index++)
      this.memory.setU32(address + index * 4, words[index] as number);
  }

  private system(field: number): number {
    return this.memory.u32(KSYSTEM.Address + field);
  }

  private tableRow(table: number, rowSize: number, index: number): number {
    if (index < 1 || index > this.system(table + KTABLE.HighWater)) return 0;
    return this.system(table + KTABLE.Base) + index * rowSize;
  }

  /** @internal A thread by the address of its row. */
  threadAt(address: number): KThread | undefined {
    if (address === 0) return undefined;
    return this.thread((address - this.system(KSYSTEM.ThreadTable + KTABLE.Base)) / KTHREAD.Size);
  }

  /** @internal A process by the address of its row. */
  processAt(address: number): KProcess {
    return this.processOfRow(address);
  }

  /** @internal The row number of an event, semaphore, thread or process, by its address. */
  objectIndex(address: number): number {
    const tables = [KSYSTEM.ObjectTable, KSYSTEM.ThreadTable, KSYSTEM.ProcessTable];
    for (const table of tables) {
      const offset = address - this.system(table + KTABLE.Base);
      const size = this.system(table + KTABLE.RowSize);
      if (offset >= 0 && offset <= this.system(table + KTABLE.Capacity) * size)
        return offset / size;
    }
    return 0;
  }

  private processOfRow(address: number): KProcess {
    const index = (address - this.system(KSYSTEM.ProcessTable + KTABLE.Base)) / KPROCESS.Size;
    return (
      this.process(index) ??
      new KProcess(this, this.handleOf(TABLE.Process, index), `process ${index}`)
    );
  }

  private handleOf(table: TABLE, index: number): number {
    const [field, size, generation] =
      table === TABLE.Thread
        ? [KSYSTEM.ThreadTable, KTHREAD.Size, KTHREAD.Generation]
        : [KSYSTEM.ProcessTable, KPROCESS.Size, KPROCESS.Generation];
    const row = this.memory.u32(KSYSTEM.Address + field + KTABLE.Base) + index * size;
    return (
      table * 2 ** LIMIT.TableShift +
      this.memory.u32(row + generation) * 2 ** LIMIT.TableIndexBits +
      index
    );
  }
}

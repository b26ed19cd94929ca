import { KGROUP, KPRCB, KPROCESS, KSYSTEM, KTABLE, KTHREAD } from '../../assembly/shared/layout';
import { LIMIT } from '../../assembly/shared/limits';
import { OP } from '../../assembly/shared/opcode';
import {
  IRQL,
  KOBJECTS,
  KTHREAD_STATE,
  PRIORITY_CLASS,
  TABLE,
  THREAD_FLAG,
} from '../../assembly/shared/types';
import { type AnyCallHandler, Answers, type CallHandler } from './answers';
import { KBarrier } from './barrier';
import { type ApcOptions, KApc } from './apc';
import { requireBody, requireOwnProgram } from './body';
import { Clock } from './clock';
import { type CoreExports, instantiateCore, loadWorkerCode, type ThreadsExports } from './core';
import { Crew } from './crew';
import { type DeferredRoutine, type GuestResult, KDpc } from './dpc';
import { type DriverObject, type DriverOptions, Drivers } from './driver';
import { MachineError } from './errors';
import { type CpuPort, Guests, type HostBody, type Request } from './guest';
import { inWords, requireOptions, requireOwn } from './given';
import { encode, words64 } from './instruction';
import type { Lifecycle } from './lifecycle';
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
import { DISPOSED, Runner } from './runner';
import { type InterruptOptions, KInterrupt, KSpinLock, type ServiceRoutine } from './spinlock';
import { TraceRing } from './trace';
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
import { lackingForWorkers, WorkerPool } from './worker-pool';

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

const PROCESS_OPTIONS = ['name', 'priorityClass', 'parent', 'affinity', 'foreground'];
const THREAD_OPTIONS = [
  'name',
  'increment',
  'affinity',
  'start',
  'registers',
  'portState',
  'waitsFor',
  'userMode',
  'disableBoost',
  'uncharged',
];
const APC_OPTIONS = [
  'kernelRoutine',
  'rundownRoutine',
  'normalRoutine',
  'normalContext',
  'mode',
  'specialUser',
  'environment',
];
const INTERRUPT_OPTIONS = [
  'irql',
  'synchronizeIrql',
  'spinLock',
  'serviceRoutine',
  'serviceContext',
];

function* endAtOnce(): Generator<Request, void, number> {}

/** The routine of a DPC that has none. */
const NO_ROUTINE = 0xffffffff;

/** Words that the core's own threads take at the start of program memory. */
const SYSTEM_PROGRAM_WORDS = 32;

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
  private lifecycleHooks: Lifecycle | undefined;
  private programWords = SYSTEM_PROGRAM_WORDS;
  private returnAddress = 0;
  private readonly answers: Answers;
  private readonly runner: Runner;

  /** @internal What the host calls; while it must not, what throws. */
  core: CoreExports;
  /** @internal */ readonly ports: Ports;
  private disposal: Promise<void> | undefined;

  private constructor(
    /** @internal */ readonly engineCore: CoreExports,
    /** @internal */ readonly memory: MachineMemory,
    private readonly options: ResolvedOptions,
    crew: Crew | undefined,
    private readonly onNotice: ((notice: string) => void) | undefined,
  ) {
    this.core = engineCore;
    this.ports = new Ports(this, options.capacities.portContexts);
    this.answers = new Answers(this, memory, options.capacities.systemCalls);
    this.runner = new Runner(this, engineCore, memory, this.answers, crew);
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
    const lacking = resolved.workers === 0 ? undefined : lackingForWorkers();
    if (lacking === undefined) return Machine.boot(resolved, options);
    // A core for workers is none for a machine without.
    const { core: _, ...others } = options;
    const machine = await Machine.boot({ ...resolved, workers: 0 }, others);
    machine.noticeWorkers(lacking);
    return machine;
  }

  private static async boot(resolved: ResolvedOptions, options: MachineOptions): Promise<Machine> {
    const parallel = resolved.workers !== 0;
    const memory = createMemory(resolved, parallel);
    const code = parallel ? await loadWorkerCode(options.core) : undefined;
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
    return this.runner.workers;
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
  async loadPort(options: PortOptions): Promise<LoadedPort> {
    requireOptions('loadPort', options, ['url', 'data']);
    this.requireThere();
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
    const lacking = await this.runner.openPort(port.index, address, data);
    if (lacking !== undefined) this.noticeWorkers(lacking);
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
    if (owner !== undefined) requireOwn(this, 'createMutant', owner);
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
    if (!host && deferredRoutine !== null) requireOwnProgram(this, 'createDpc', deferredRoutine);
    const [low, high] = host ? [0, 0] : words64(Number(deferredContext));
    const program = host ? 0 : (deferredRoutine?.address ?? NO_ROUTINE);
    const handle = this.core.hostCreateDpc(type, program, low, high);
    if (handle === 0) throw this.full('objects');
    if (deferredRoutine !== null) this.watcher?.registers(deferredRoutine);
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
    requireOptions('createApc', options, APC_OPTIONS);
    requireOwn(this, 'createApc', thread);
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
    requireOptions('connectInterrupt', options, INTERRUPT_OPTIONS);
    const irql = requireInteger('irql', options.irql, IRQL.LOW_DIRQL, IRQL.HIGH_DIRQL);
    const synchronizeIrql = options.synchronizeIrql ?? irql;
    requireInteger('synchronizeIrql', synchronizeIrql, irql, IRQL.HIGH_DIRQL);
    const { serviceRoutine, serviceContext = 0 } = options;
    const host = typeof serviceRoutine === 'function';
    if (!host) requireOwnProgram(this, 'connectInterrupt', serviceRoutine);
    if (options.spinLock !== undefined) requireOwn(this, 'connectInterrupt', options.spinLock);
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
    this.requireThere();
    verifyProgram(program, this.options.capacities.sharedWords, (address) =>
      this.programs.has(address),
    );
    const address = this.reserveProgramWords(program.words.length, program.name);
    this.memory.words.set(program.words, address >>> 2);
    const { name, words } = program;
    const loaded = { name, address, length: words.length, machine: this };
    this.programs.set(address, loaded);
    return loaded;
  }

  /** @internal The program that begins at an address. */
  programAt(address: number): LoadedProgram | undefined {
    return this.programs.get(address);
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
    requireOptions('createProcess', options, PROCESS_OPTIONS);
    if (options.affinity !== undefined) this.requireProcessAffinity(options.affinity);
    const process = this.newProcess(options);
    if (process === undefined) throw this.full('processes');
    return process;
  }

  /** Which group it is in is not known before: the mask must be a part of some group. */
  private requireProcessAffinity(affinity: bigint): void {
    for (let group = 0; group < this.groupCount; group++)
      if (typeof affinity === 'bigint' && (affinity & ~this.groupAffinity(group)) === 0n) return;
    const allowed = this.groupAffinity(0).toString(16);
    throw new MachineError(
      `createProcess: affinity is ${inWords(affinity)}, which is no part of a group's processors; give a bigint within 0x${allowed}`,
    );
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
    if (options.parent !== undefined) requireOwn(this, 'createProcess', options.parent);
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
    requireOptions('createThread', options, THREAD_OPTIONS);
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
    requireOwn(this, 'createThread', process);
    requireBody(this, 'createThread', body);
    if (options.waitsFor !== undefined) requireOwn(this, 'createThread', options.waitsFor);
    const host = typeof body === 'function';
    const loaded = body instanceof LoadedPort ? body : undefined;
    const port = loaded !== undefined || (!host && 'run' in body);
    if (loaded !== undefined) this.ports.requireState(options.portState ?? []);
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
    else if (host) this.addHost(thread, body);
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

  /** Lets a host thread begin its body; the thread of what is none ends without having run. */
  private addHost(thread: KThread, body: HostBody): void {
    try {
      this.guests.addHost(thread, body);
    } catch (error) {
      this.guests.addHost(thread, endAtOnce);
      thread.start();
      thread.close();
      throw error;
    }
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
    if (typeof affinity !== 'bigint')
      throw new MachineError(`createThread: affinity is ${inWords(affinity)}; give a bigint`);
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
    this.answers.onHostCall(number, handler);
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
    this.answers.onSystemCall(number, handler);
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
    this.answers.onRefill(handler);
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
    requireOwn(this, 'scheduleInterrupt', object);
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
    this.runner.stop();
  }

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
    return this.runner.run(options);
  }

  /**
   * The same without blocking: whatever else the host has to do goes on meanwhile, but this machine is
   * its run's. Only `stop` and `dispose` may be called before it has ended.
   */
  runAsync(options: RunOptions = {}): Promise<RunResult> {
    return this.runner.runAsync(options);
  }

  /** @internal Waits until a worker has done with its piece of a flight. */
  waitForFlight(processor: number, start: number): void {
    this.runner.waitForFlight(processor, start);
  }

  private requireThere(): void {
    if (this.disposal !== undefined) throw new MachineError(DISPOSED);
  }

  /**
   * Ends the workers. What would change the machine is refused from then on: runs, loads, new objects
   * and what is done to old ones. Its memory stays, and what only reads it: states, records, the digest.
   */
  dispose(): Promise<void> {
    this.disposal ??= this.runner.dispose(this.portsLoaded);
    return this.disposal;
  }

  /** @internal The instruction that is answered takes longer than its cost, by so many ns. */
  setHostCost(ns: number): void {
    this.memory.setU32(KSYSTEM.Address + KSYSTEM.HostCost, ns);
  }

  /** @internal The same, on top of what has been said already. */
  addHostCost(ns: number): void {
    this.setHostCost(this.system(KSYSTEM.HostCost) + ns);
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

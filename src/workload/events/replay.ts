/**
 * A recording of process events happens again on a machine: its processes are processes of the
 * machine, and do what they did, one after the other, at the recorded times. Each action begins when
 * the one before it has ended, or has been given up: so the order is the recorded one, whatever
 * drivers do to it, and nothing that they refuse or hold up goes unnoticed.
 */
import { OP } from '../../../assembly/shared/opcode';
import { STATUS } from '../../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../ke/ddi';
import { resultOf } from '../../machine/generator';
import { currentGuest, type HostBody, type Request } from '../../machine/guest';
import { encode } from '../../machine/instruction';
import { Machine } from '../../machine/machine';
import type { CoreSource } from '../../machine/options';
import type { RunResult } from '../../machine/result';
import type { KEvent, KProcess, KThread } from '../../machine/views';
import { NtClose, ObOpenObjectByPointer } from '../../ob/handle';
import { PsProcessType } from '../../ob/types';
import { threadIdOf } from '../../ps/cid';
import { announceThread, newProcessWithThread, newThread } from '../../ps/create';
import { executiveOf, setExitStatus } from '../../ps/executive';
import { mapImage, notifySystemImage } from '../../ps/load';
import { type ProcessManager, processManager } from '../../ps/manager';
import { compareEvents, type EventComparison } from './compare';
import type { EventProcess, EventRecording } from './model';
import { type Action, type Actor, planReplay, type ReplayPlan } from './plan';
import { EventSensor } from './sensor';

const SYSTEM_ID = 4;
const PROCESSORS = 2;
/** An action that has not ended after so much virtual time is given up. */
const PATIENCE_NS = 60e9;
/** Drivers have so much virtual time to start. */
const START_NS = 1e9;
/** Before the first event, and after the last. */
const LEAD_NS = 1e6;

export interface EventReplayOptions {
  /** 1-2048. Default 2. */
  readonly processors?: number;
  readonly profile?: 'client' | 'server';
  /** Virtual time after which an action that has not ended is given up, ns. Default: 60 s. */
  readonly patienceNs?: number;
  /** The core to run on. Default: built in. */
  readonly core?: CoreSource;
  /** Called before there is anything: for providers of subsystems. */
  readonly onBoot?: (machine: Machine) => void;
  /** Called when the processes from before stand: for drivers. The machine runs after it. */
  readonly onStart?: (machine: Machine) => void;
  /** Called after each action with how many have been done. */
  readonly onProgress?: (done: number) => void;
}

/** An action that did not happen, or did not end. */
export interface ActionNotDone {
  readonly action: Action['action'];
  /** Of the recording. */
  readonly line: number;
  /** In words, with the recording's ids. */
  readonly why: string;
}

export interface EventReplayReport {
  readonly actions: number;
  readonly notDone: readonly ActionNotDone[];
  /** What callbacks told of it, as a recording of its own. */
  readonly observed: EventRecording;
  readonly comparison: EventComparison;
  /** By how much an action began later than recorded, at the most, ns. */
  readonly lagMaxNs: number;
  /** Why the machine stopped at the end: 'idle' or 'time', unless something went wrong. */
  readonly result: RunResult;
  readonly digest: string;
}

type Steps = Generator<Request, void, number>;
type Job = () => Steps;

/** A thread that does what it is told. */
class ActorThread {
  thread: KThread | undefined;
  job: Job | undefined;

  constructor(readonly event: KEvent) {}

  get alive(): boolean {
    return this.thread?.exists === true && !this.thread.terminating;
  }
}

class ReplayedProcess {
  process: KProcess | undefined;
  readonly actors: ActorThread[] = [];
  /** Why there is none. */
  refused: number | undefined;

  constructor(readonly recorded: EventProcess) {}

  get name(): string {
    const { image, id } = this.recorded;
    return image === undefined
      ? `process (${id})`
      : `${image.slice(image.lastIndexOf('\\') + 1)} (${id})`;
  }
}

export class EventReplay {
  readonly sensor: EventSensor;
  readonly #ps: ProcessManager;
  readonly #plan: ReplayPlan;
  readonly #processes: ReplayedProcess[];
  /** By the number among all processes since boot, the index in the recording. */
  readonly #indices = new Map<number, number>();
  /** By process number and thread id, the recorded thread. */
  readonly #threads = new Map<string, number | undefined>();
  readonly #kernel: ActorThread;
  readonly #notDone: ActionNotDone[] = [];
  #done = false;
  /** Its beginning is the end of the action at hand. */
  #beginning: ActorThread | undefined;
  /** What tells of the end of an action that ends a thread. */
  #awaited: 'process-exit' | 'thread-exit' | undefined;
  #lagMaxNs = 0;

  private constructor(
    readonly machine: Machine,
    private readonly recording: EventRecording,
    plan: ReplayPlan,
    private readonly options: EventReplayOptions,
  ) {
    this.#plan = plan;
    this.#ps = processManager(machine);
    this.sensor = new EventSensor(machine);
    this.#processes = recording.processes.map((each) => new ReplayedProcess(each));
    this.#kernel = this.#newActor();
  }

  static async create(
    recording: EventRecording,
    options: EventReplayOptions = {},
  ): Promise<EventReplay> {
    const plan = planReplay(recording);
    const threads = plan.processes.reduce((sum, each) => sum + each.threads.length, 0);
    const machine = await Machine.create({
      processors: options.processors ?? PROCESSORS,
      profile: { product: options.profile ?? 'client' },
      capacities: {
        processes: recording.processes.length + 1024,
        threads: threads + 8192,
        objects: threads + 8192,
        threadExtensions: threads + 8192,
      },
      trace: { whenFull: 'overwrite' },
      livelockSteps: 0,
      ...(options.core === undefined ? {} : { core: options.core }),
    });
    return new EventReplay(machine, recording, plan, options);
  }

  run(): EventReplayReport {
    let result = this.#start();
    const beginNs = this.machine.now + LEAD_NS;
    let done = 0;
    for (const action of result === undefined ? this.#plan.actions : []) {
      result = this.#perform(action, beginNs + action.timeNs);
      if (result !== undefined) break;
      done++;
      this.options.onProgress?.(done);
    }
    if (result !== undefined) this.#giveUp(done, result);
    const endNs = Math.max(this.machine.now, beginNs + this.recording.durationNs + LEAD_NS);
    result ??= this.#settle(endNs);
    const observed = this.sensor.recording(this.recording.name);
    const process = (index: number) => this.#indices.get(this.sensor.sequenceOf(index) ?? -1);
    const thread = (index: number, id: number) =>
      this.#threads.get(`${this.sensor.sequenceOf(index)} ${id}`);
    return {
      actions: this.#plan.actions.length,
      notDone: this.#notDone,
      observed,
      comparison: compareEvents(this.recording, observed, { process, thread }),
      lagMaxNs: this.#lagMaxNs,
      result,
      digest: this.machine.digest,
    };
  }

  /** The processes from before, then who looks on, then the drivers. What comes back ends the replay. */
  #start(): RunResult | undefined {
    const { machine } = this;
    this.options.onBoot?.(machine);
    this.#describeImages();
    for (const replayed of this.#processes) {
      if (replayed.recorded.birth === 'before') this.#makeFromBefore(replayed);
    }
    this.#kernel.thread = machine.systemProcess.createThread(this.#bodyOf(this.#kernel));
    this.#settle();
    machine.systemProcess.createThread(() => this.sensor.attach(), { name: 'sensor' });
    this.#settle();
    this.options.onStart?.(machine);
    const started = this.#settle(machine.now + START_NS);
    this.sensor.begin();
    this.sensor.onEvent = (event) => {
      if (event.kind !== 'process-exit' && event.kind !== 'thread-exit') return;
      // Others may come and go beside the recording.
      const recorded = this.#indices.has(this.sensor.sequenceOf(event.process) ?? -1);
      if (recorded && event.kind === this.#awaited) this.#complete();
    };
    return started.reason === 'idle' || started.reason === 'time' ? undefined : started;
  }

  /** Runs the machine until it has nothing to do, or to a time, whoever stops it. */
  #settle(untilNs?: number): RunResult {
    for (;;) {
      const result = this.machine.run(untilNs === undefined ? {} : { until: untilNs });
      if (result.reason !== 'requested') return result;
    }
  }

  #describeImages(): void {
    for (const { recorded, wow64 } of this.#plan.processes) {
      if (recorded.image === undefined) continue;
      this.#ps.images.describe(recorded.image, { imports: [], machine: wow64 ? 'x86' : 'x64' });
    }
  }

  #newActor(): ActorThread {
    return new ActorThread(this.machine.createEvent('synchronization'));
  }

  #bodyOf(actor: ActorThread): HostBody {
    const replay = this;
    return function* () {
      if (replay.#beginning === actor) replay.#complete();
      for (;;) {
        yield* KeWaitForSingleObject(
          ...([actor.event, KWAIT_REASON.UserRequest, MODE.UserMode, false, null] as const),
        );
        const { job } = actor;
        actor.job = undefined;
        if (job === undefined) continue;
        yield* job();
        replay.#complete();
      }
    };
  }

  #complete(): void {
    this.#done = true;
    this.machine.stop();
  }

  #makeFromBefore(replayed: ReplayedProcess): void {
    const { recorded } = replayed;
    const { machine } = this;
    const threads = this.#plan.processes[recorded.index]?.threads ?? [];
    if (recorded.id === SYSTEM_ID) {
      replayed.process = machine.systemProcess;
      this.#indices.set(replayed.process.sequenceNumber, recorded.index);
    } else {
      const actor = this.#newActor();
      replayed.actors.push(actor);
      const { thread } = this.#newProcess(replayed, actor, machine.systemProcess);
      thread?.start();
    }
    const process = replayed.process as KProcess;
    for (let number = replayed.actors.length; number < threads.length; number++) {
      const actor = this.#newActor();
      replayed.actors.push(actor);
      const { thread } = newThread(this.#ps, process, this.#bodyOf(actor), { userMode: true });
      this.#adopt(replayed, number, actor, thread);
      thread?.start();
    }
    this.#nameThread(replayed, 0);
  }

  #newProcess(replayed: ReplayedProcess, actor: ActorThread, parent: KProcess) {
    const { image, commandLine, session, index } = replayed.recorded;
    const name = image ?? replayed.name;
    const origin = {
      ...(image === undefined ? {} : { image: this.#ps.images.image(image) }),
      commandLine: commandLine ?? null,
      ...(session === undefined ? {} : { sessionId: session }),
    };
    const body = this.#bodyOf(actor);
    const created = newProcessWithThread(
      this.#ps,
      body,
      { name, parent },
      { userMode: true },
      origin,
    );
    const { thread } = created;
    if (thread !== undefined) {
      replayed.process = thread.process;
      this.#indices.set(thread.process.sequenceNumber, index);
      this.#adopt(replayed, 0, actor, thread);
    }
    return created;
  }

  #adopt(
    replayed: ReplayedProcess,
    number: number,
    actor: ActorThread,
    thread: KThread | undefined,
  ): void {
    actor.thread = thread;
    replayed.actors[number] = actor;
    this.#nameThread(replayed, number);
  }

  /** Remembers which recorded thread a thread stands for. */
  #nameThread({ recorded, process, actors }: ReplayedProcess, number: number): void {
    const thread = actors[number]?.thread;
    if (thread === undefined || process === undefined) return;
    const id = this.#plan.processes[recorded.index]?.threads[number];
    this.#threads.set(`${process.sequenceNumber} ${threadIdOf(thread)}`, id);
  }

  /** Does one action, and waits for its end. What comes back ends the replay. */
  #perform(action: Action, dueNs: number): RunResult | undefined {
    const why = this.#hindrance(action);
    if (why !== undefined) {
      this.#give(action, why);
      return undefined;
    }
    const { machine } = this;
    const timeNs = Math.max(dueNs, machine.now);
    this.#lagMaxNs = Math.max(this.#lagMaxNs, timeNs - dueNs);
    this.#done = false;
    this.#awaited = undefined;
    this.#beginning = undefined;
    if (action.action === 'begin') {
      const early = this.#settle(timeNs);
      if (early.reason !== 'idle' && early.reason !== 'time') return early;
      this.#done = false;
      this.#beginning = this.#processes[action.process]?.actors[0];
      this.#beginning?.thread?.start();
    } else {
      const actor = this.#actorOf(action);
      actor.job = this.#jobOf(action);
      machine.scheduleInterrupt(timeNs, 0, actor.event, 0);
    }
    return this.#wait(action, timeNs + (this.options.patienceNs ?? PATIENCE_NS));
  }

  #wait(action: Action, untilNs: number): RunResult | undefined {
    for (;;) {
      const result = this.machine.run({ until: untilNs });
      if (this.#done && result.reason === 'requested') return undefined;
      if (result.reason === 'requested') continue;
      if (result.reason === 'idle' || result.reason === 'time') {
        if (!this.#done) this.#give(action, this.#heldUp(action));
        return undefined;
      }
      if (result.reason === 'deadlock') {
        const [first] = result.circle;
        this.#give(action, `is in a deadlock: ${first?.thread} waits for ${first?.waitsFor}`);
        return undefined;
      }
      return result;
    }
  }

  #give(action: Action, why: string): void {
    this.#notDone.push({ action: action.action, line: action.event.line, why });
  }

  /** What has not been done when the machine stops early. */
  #giveUp(done: number, { reason }: RunResult): void {
    for (const action of this.#plan.actions.slice(done))
      this.#give(action, `the machine had stopped: ${reason}`);
  }

  #heldUp(action: Action): string {
    const actor = action.action === 'begin' ? undefined : this.#actorOf(action);
    if (actor?.alive === false) return 'its thread was ended before it was done';
    return `has not ended after ${(this.options.patienceNs ?? PATIENCE_NS) / 1e9} s, or never will`;
  }

  /** Why an action cannot be done; undefined if it can. */
  #hindrance(action: Action): string | undefined {
    const needs = (index: number) => {
      const { process, refused, name } = this.#processes[index] as ReplayedProcess;
      if (refused !== undefined) return `${name} was refused with 0x${refused.toString(16)}`;
      return process?.exists === true && !process.exited ? undefined : `${name} is not alive`;
    };
    if (action.action === 'begin') return needs(action.process);
    const by = 'by' in action ? action.by : undefined;
    const own = by === undefined ? undefined : needs(by.process);
    if (own !== undefined) return own;
    if (by !== undefined && !this.#actorOf(action).alive)
      return `a thread of ${this.#processes[by.process]?.name} has ended`;
    if (action.action === 'open') return needs(action.process);
    return action.action === 'create-thread' ? needs(action.thread.process) : undefined;
  }

  #actorOf(action: Action): ActorThread {
    const by: Actor | undefined = 'by' in action ? action.by : undefined;
    if (by === undefined) return this.#kernel;
    return (this.#processes[by.process] as ReplayedProcess).actors[by.thread] ?? this.#kernel;
  }

  #jobOf(action: Exclude<Action, { action: 'begin' }>): Job {
    const ps = this.#ps;
    switch (action.action) {
      case 'create':
        return () => this.#create(action);
      case 'create-thread':
        return () => this.#createThread(action);
      case 'exit':
        return () => this.#exit(action);
      case 'exit-thread':
        return () => this.#exitThread(action.status);
      case 'open':
        return () => this.#open(action);
      case 'load':
        return function* () {
          const { thread } = currentGuest('LdrLoadDll');
          const image = ps.images.image(action.image);
          // A second load tells that it was unloaded, which nobody records.
          const executive = executiveOf(ps, thread.process);
          executive.modules = executive.modules.filter((each) => each !== image);
          yield* mapImage(ps, thread, image);
        };
      case 'load-driver':
        return function* () {
          yield* notifySystemImage(ps, ps.images.image(action.image));
          yield [encode(OP.Compute, MODE.KernelMode), 1, 0];
        };
    }
  }

  *#create({ process, suspended, event }: Action & { action: 'create' }): Steps {
    const { thread: creator } = currentGuest('NtCreateUserProcess');
    const replayed = this.#processes[process] as ReplayedProcess;
    const { parent } = replayed.recorded;
    const known = parent === undefined ? undefined : this.#processes[parent]?.process;
    const living = known?.exists === true ? known : creator.process;
    const created = this.#newProcess(replayed, this.#newActor(), living);
    let { status } = created;
    if (created.thread !== undefined)
      ({ status } = yield* resultOf(announceThread(this.#ps, creator, created.thread)));
    if (status !== STATUS.SUCCESS) {
      replayed.refused = status >>> 0;
      const why = `was refused with 0x${(status >>> 0).toString(16)}`;
      this.#notDone.push({ action: 'create', line: event.line, why });
    } else if (!suspended) created.thread?.start();
    yield [encode(OP.Compute, MODE.KernelMode), 1, 0];
  }

  *#createThread({ thread: made, event }: Action & { action: 'create-thread' }): Steps {
    const { thread: creator } = currentGuest('NtCreateThreadEx');
    const replayed = this.#processes[made.process] as ReplayedProcess;
    const actor = this.#newActor();
    const process = replayed.process as KProcess;
    const created = newThread(this.#ps, process, this.#bodyOf(actor), { userMode: true });
    this.#adopt(replayed, made.thread, actor, created.thread);
    if (created.thread === undefined) {
      const why = `was refused with 0x${created.status.toString(16)}`;
      this.#notDone.push({ action: 'create-thread', line: event.line, why });
      return;
    }
    yield* resultOf(announceThread(this.#ps, creator, created.thread));
    created.thread.start();
  }

  *#exit({ status }: Action & { action: 'exit' }): Steps {
    const { process } = currentGuest('NtTerminateProcess').thread;
    this.#awaited = 'process-exit';
    setExitStatus(process, status);
    for (const thread of process.threads()) {
      if (!thread.terminating) thread.terminate(status);
    }
    yield [encode(OP.Compute, MODE.UserMode), 1, 0];
  }

  *#exitThread(status: number): Steps {
    const { thread } = currentGuest('NtTerminateThread');
    this.#awaited = 'thread-exit';
    thread.terminate(status);
    yield [encode(OP.Compute, MODE.UserMode), 1, 0];
  }

  *#open({ process, access, event }: Action & { action: 'open' }): Steps {
    const target = this.#processes[process]?.process as KProcess;
    const { status, handle } = yield* ObOpenObjectByPointer(
      ...([target, 0, null, access, PsProcessType, MODE.UserMode] as const),
    );
    if (status === STATUS.SUCCESS) yield* NtClose(handle);
    else {
      const why = `was refused with 0x${(status >>> 0).toString(16)}`;
      this.#notDone.push({ action: 'open', line: event.line, why });
    }
  }
}

/** Lets a recording happen again, and holds what callbacks tell of it against what it tells. */
export async function replayEvents(
  recording: EventRecording,
  options: EventReplayOptions = {},
): Promise<EventReplayReport> {
  return (await EventReplay.create(recording, options)).run();
}

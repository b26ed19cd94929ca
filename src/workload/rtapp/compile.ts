import { CONDITION } from '../../../assembly/shared/opcode';
import { KWAIT_REASON, MODE } from '../../../assembly/shared/types';
import type { Machine } from '../../machine/machine';
import {
  type LoadedProgram,
  type ProgramBuilder,
  program,
  type Register,
} from '../../machine/program';
import type { KEvent, KProcess, KSemaphore } from '../../machine/views';
import { WorkloadError } from '../errors';
import { BASELINE_PRIORITY, mapPriority, type Policy } from '../policy';
import { barrierUsers, forkOrder, isEmpty, takesNoStep } from './check';
import {
  eventsOf,
  forkedTasks,
  type Phase,
  type Place,
  type Task,
  type Workload,
  type WorkloadEvent,
} from './model';

/**
 * Workloads as programs. What rt-app builds out of POSIX is built out of NT's dispatcher objects:
 *
 * mutex      a semaphore of one, whose waiters are served in order
 * condition  a count of waiters and a semaphore; the mutex is released and the wait begun in one step
 * barrier    a mutex, a count and a semaphore that the last to come releases for all others
 * suspend    a notification event; resume pulses it: all that wait go on, and none waits: it is lost
 * timer      a periodic delay on a register of the thread, or on shared words
 */

/** The most words that an event, or what is around a phase or a task, comes to. */
const EVENT_WORDS = 40;
const ALL_WAITERS = 0x7fffffff;
const REGISTERS = 4;
const USER_WAIT = { reason: KWAIT_REASON.UserRequest, mode: MODE.UserMode };

interface Barrier {
  readonly mutex: KSemaphore;
  readonly released: KSemaphore;
  readonly word: number;
}

interface Condition {
  readonly semaphore: KSemaphore;
  readonly word: number;
}

/** Where the state of a thread's timers is. */
interface Timers {
  /** When the thread began; undefined if no timer is on shared words. */
  readonly start: Register | undefined;
  readonly registers: ReadonlyMap<string, Register>;
  /** Of unique timers that found no register. */
  readonly words: Map<string, number>;
}

/** Room that a workload takes in a machine. */
export interface WorkloadRoom {
  readonly objects: number;
  readonly programWords: number;
  readonly sharedWords: number;
}

/** An upper bound of the room for a workload's programs and what they share. */
export function roomFor(workload: Workload): WorkloadRoom {
  let events = 0;
  let programWords = 0;
  let sharedWords = 16;
  for (const task of workload.tasks) {
    const own = [...eventsOf(task)].length;
    const programs = needsOwnWords(task) ? task.instances + 1 : 2;
    events += own;
    programWords += programs * (own + task.phases.length + 2) * EVENT_WORDS;
    sharedWords += 2 * (own + uniqueTimers(task).size * programs);
  }
  return { objects: 2 * events + 16, programWords: programWords + 1024, sharedWords };
}

function uniqueTimers(task: Task): Set<string> {
  const names = new Set<string>();
  for (const event of eventsOf(task)) {
    if (event.kind === 'timer' && event.unique) names.add(event.name);
  }
  return names;
}

const loops = (loop: number) => loop !== 1 && loop !== -1;

function needsScratch(task: Task): boolean {
  const kinds: readonly WorkloadEvent['kind'][] = ['wait', 'signal', 'broad', 'barrier', 'fork'];
  return [...eventsOf(task)].some(({ kind }) => kinds.includes(kind));
}

function sharesTimer(task: Task): boolean {
  return [...eventsOf(task)].some((event) => event.kind === 'timer' && !event.unique);
}

/** Registers that are left for a task's unique timers. */
function freeRegisters(task: Task): number {
  let needed = loops(task.loop) ? 1 : 0;
  if (task.phases.some((phase) => loops(phase.loop))) needed++;
  if (needsScratch(task)) needed++;
  if (sharesTimer(task)) needed++;
  return REGISTERS - needed;
}

/** Whether each thread of the task needs words, and thus a program, of its own. */
function needsOwnWords(task: Task): boolean {
  return uniqueTimers(task).size > freeRegisters(task);
}

/** A thread's level on NT: that of its Linux priority, or the one level of the baselines. */
export function levelOf(linuxPriority: number, policy: Policy): number {
  return policy === 'nt' ? mapPriority(linuxPriority) : BASELINE_PRIORITY;
}

/** Compiles the tasks of one workload for one machine. */
export class WorkloadCompiler {
  /** By table index of an object: what it is to the workload. */
  readonly names = new Map<number, string>();
  /** The shared word that counts forks for which there was no room. */
  readonly failedForksWord = 0;
  #nextWord = 2;
  readonly #users: ReadonlyMap<string, number>;
  readonly #tasks: ReadonlyMap<string, readonly [task: Task, index: number]>;
  readonly #mutexes = new Map<string, KSemaphore>();
  readonly #conditions = new Map<string, Condition>();
  readonly #barriers = new Map<string, Barrier>();
  readonly #suspended = new Map<string, KEvent>();
  readonly #timerWords = new Map<string, number>();
  readonly #forked = new Map<string, LoadedProgram>();
  readonly #started = new Map<string, LoadedProgram>();

  constructor(
    private readonly machine: Machine,
    private readonly process: KProcess,
    private readonly workload: Workload,
    private readonly policy: Policy,
  ) {
    this.#users = barrierUsers(workload);
    this.#tasks = new Map(workload.tasks.map((task, index) => [task.name, [task, index]]));
    const forked = forkedTasks(workload);
    for (const name of forkOrder(workload)) if (forked.has(name)) this.#loadForked(name);
  }

  /** The program of a thread that is there from the start. */
  started(task: Task): LoadedProgram {
    const known = this.#started.get(task.name);
    if (known !== undefined) return known;
    const loaded = this.#load(task, (p) => this.#body(p, task, false));
    if (!needsOwnWords(task)) this.#started.set(task.name, loaded);
    return loaded;
  }

  /** Processors of the machine as a mask within the group of the workload's process. */
  mask(cpus: readonly number[] | undefined, place: Place): bigint {
    const { group } = this.process;
    if (cpus === undefined) return this.machine.groupAffinity(group);
    const processorsOf = (number: number) => this.machine.groupAffinity(number).toString(2).length;
    let first = 0;
    for (let number = 0; number < group; number++) first += processorsOf(number);
    const end = first + processorsOf(group);
    return cpus.reduce((mask, cpu) => {
      if (cpu >= first && cpu < end) return mask | (1n << BigInt(cpu - first));
      const { line, column } = place;
      const there =
        end - first === this.machine.processorCount
          ? `the machine has ${end}`
          : `the workload's process lives in group ${group}, as one did before Windows 11`;
      throw new WorkloadError(
        this.workload.name,
        line,
        column,
        `"cpus" names processor ${cpu}, and ${there}`,
        `name processors from ${first} to ${end - 1}, or give the machine more of them`,
      );
    }, 0n);
  }

  #load(task: Task, body: (p: ProgramBuilder) => void): LoadedProgram {
    return this.machine.loadProgram(program(task.name, body));
  }

  /** After those that it forks: their programs are in its own. */
  #loadForked(name: string): void {
    const [task] = this.#tasks.get(name) as readonly [Task, number];
    if (needsOwnWords(task)) {
      const { line, column } = task.place;
      throw new WorkloadError(
        this.workload.name,
        line,
        column,
        `task "${name}" is forked and has more unique timers than a thread of it has registers for (${freeRegisters(task)})`,
        'let its phases use one timer, or start its threads with "instance"',
      );
    }
    this.#forked.set(
      name,
      this.#load(task, (p) => this.#body(p, task, true)),
    );
  }

  #body(p: ProgramBuilder, task: Task, forked: boolean): void {
    if (forked) this.#beginForked(p, task);
    if (task.delayNs > 0) p.delay(task.delayNs);
    const timers = this.#timers(p, task);
    const scratch = needsScratch(task) ? p.register() : undefined;
    repeat(p, task.loop, task.phases.every(isEmpty), () => {
      for (const phase of task.phases) this.#phase(p, task, phase, timers, scratch);
    });
  }

  /** Says which task it is of, and takes on what its creator could not give it. */
  #beginForked(p: ProgramBuilder, task: Task): void {
    const [, index] = this.#tasks.get(task.name) as readonly [Task, number];
    p.mark(index);
    if (task.cpus !== undefined) p.setAffinity(this.mask(task.cpus, task.place));
    const level = levelOf(task.linuxPriority, this.policy);
    if (level >= 16) p.setPriority(level);
  }

  /** Gives each timer of a task a place, and has the thread note when it begins. */
  #timers(p: ProgramBuilder, task: Task): Timers {
    const registers = new Map<string, Register>();
    const words = new Map<string, number>();
    const spilled = needsOwnWords(task);
    const start = spilled || sharesTimer(task) ? p.register() : undefined;
    if (start !== undefined) p.loadTime(start);
    for (const name of uniqueTimers(task)) {
      if (spilled) words.set(name, this.#newWords(2));
      else {
        const register = p.register();
        p.loadTime(register);
        registers.set(name, register);
      }
    }
    return { start, registers, words };
  }

  #phase(
    p: ProgramBuilder,
    task: Task,
    phase: Phase,
    timers: Timers,
    scratch: Register | undefined,
  ): void {
    if (task.phases.some(({ cpus }) => cpus !== undefined)) {
      p.setAffinity(this.mask(phase.cpus ?? task.cpus, phase.place));
    }
    if (phase.linuxPriority !== undefined && this.policy === 'nt') {
      const level = mapPriority(phase.linuxPriority);
      if (level >= 16) p.setPriority(level);
      else p.setBasePriority(level - BASELINE_PRIORITY);
    }
    repeat(p, phase.loop, takesNoStep(phase.events), () => {
      for (const event of phase.events) this.#event(p, event, timers, scratch as Register);
    });
  }

  #event(p: ProgramBuilder, event: WorkloadEvent, timers: Timers, scratch: Register): void {
    switch (event.kind) {
      case 'run':
        if (event.ns > 0) p.compute(event.ns);
        break;
      case 'sleep':
        p.delay(event.ns);
        break;
      case 'timer':
        if (event.periodNs > 0) this.#timer(p, event, timers);
        break;
      case 'lock':
        p.wait(this.#mutex(event.name), USER_WAIT);
        break;
      case 'unlock':
        p.releaseSemaphore(this.#mutex(event.name));
        break;
      case 'wait':
        this.#wait(p, event.name, this.#mutex(event.mutex), scratch);
        break;
      case 'signal':
        this.#signal(p, event.name, 1, scratch);
        break;
      case 'broad':
        this.#signal(p, event.name, ALL_WAITERS, scratch);
        break;
      case 'barrier':
        this.#meet(p, event.name, scratch);
        break;
      case 'suspend':
        p.wait(this.#suspension(event.name), USER_WAIT);
        break;
      case 'resume':
        p.pulseEvent(this.#suspension(event.name));
        break;
      case 'yield':
        p.yield();
        break;
      case 'fork':
        this.#fork(p, event.name, scratch);
        break;
    }
  }

  #timer(
    p: ProgramBuilder,
    { name, unique, periodNs, missed }: Extract<WorkloadEvent, { readonly kind: 'timer' }>,
    timers: Timers,
  ): void {
    const register = unique ? timers.registers.get(name) : undefined;
    if (register !== undefined) {
      p.delayPeriod(register, periodNs, missed);
      return;
    }
    let word = unique ? timers.words.get(name) : this.#timerWords.get(name);
    if (word === undefined) {
      word = this.#newWords(2);
      this.#timerWords.set(name, word);
    }
    p.delayShared(word, timers.start as Register, periodNs, missed);
  }

  /** The count is raised under the mutex, so that whoever signals under it finds the waiter queued. */
  #wait(p: ProgramBuilder, name: string, mutex: KSemaphore, scratch: Register): void {
    const { semaphore, word } = this.#condition(name);
    p.interlockedAdd(scratch, word, 1)
      .signalAndWait(mutex, semaphore, USER_WAIT)
      .wait(mutex, USER_WAIT);
  }

  #signal(p: ProgramBuilder, name: string, limit: number, scratch: Register): void {
    const { semaphore, word } = this.#condition(name);
    const nobody = p.label();
    p.interlockedTake(scratch, word, limit)
      .branchRegister(CONDITION.Equal, scratch, 0, nobody)
      .releaseSemaphore(semaphore, scratch)
      .place(nobody);
  }

  /** All but the last have released the mutex and queued in one step: its release is theirs alone. */
  #meet(p: ProgramBuilder, name: string, scratch: Register): void {
    const users = this.#users.get(name) as number;
    const { mutex, released, word } = this.#barrier(name);
    const last = p.label();
    const end = p.label();
    p.wait(mutex, USER_WAIT)
      .interlockedAdd(scratch, word, 1)
      .branchRegister(CONDITION.Equal, scratch, users, last)
      .signalAndWait(mutex, released, USER_WAIT)
      .jump(end)
      .place(last)
      .interlockedAdd(scratch, word, -users)
      .releaseSemaphore(released, users - 1)
      .releaseSemaphore(mutex)
      .place(end);
  }

  #fork(p: ProgramBuilder, name: string, scratch: Register): void {
    const [task] = this.#tasks.get(name) as readonly [Task, number];
    const level = levelOf(task.linuxPriority, this.policy);
    const increment = level >= 16 ? 0 : level - BASELINE_PRIORITY;
    const made = p.label();
    p.createThread(scratch, this.#forked.get(name) as LoadedProgram, increment)
      .branchStatus(CONDITION.Success, 0, made)
      .interlockedAdd(scratch, this.failedForksWord, 1)
      .place(made);
  }

  #mutex(name: string): KSemaphore {
    return this.#made(this.#mutexes, name, () => this.#semaphore(1, 1, `mutex "${name}"`));
  }

  #condition(name: string): Condition {
    return this.#made(this.#conditions, name, () => ({
      semaphore: this.#semaphore(0, ALL_WAITERS, `condition "${name}"`),
      word: this.#newWords(1),
    }));
  }

  #barrier(name: string): Barrier {
    return this.#made(this.#barriers, name, () => ({
      mutex: this.#semaphore(1, 1, `the mutex of barrier "${name}"`),
      released: this.#semaphore(0, ALL_WAITERS, `barrier "${name}"`),
      word: this.#newWords(1),
    }));
  }

  #suspension(name: string): KEvent {
    return this.#made(this.#suspended, name, () => {
      const event = this.machine.createEvent('notification');
      this.names.set(event.index, `resume of "${name}"`);
      return event;
    });
  }

  #semaphore(count: number, limit: number, what: string): KSemaphore {
    const semaphore = this.machine.createSemaphore(count, limit);
    this.names.set(semaphore.index, what);
    return semaphore;
  }

  #made<T>(known: Map<string, T>, name: string, make: () => T): T {
    let found = known.get(name);
    if (found === undefined) {
      found = make();
      known.set(name, found);
    }
    return found;
  }

  /** `count` words that nothing else uses; a pair begins at an even one. */
  #newWords(count: 1 | 2): number {
    const word = count === 2 ? this.#nextWord + (this.#nextWord % 2) : this.#nextWord;
    this.#nextWord = word + count;
    return word;
  }
}

/** A body that takes no step is left out: nobody could see how often it ran. */
function repeat(p: ProgramBuilder, loop: number, empty: boolean, body: () => void): void {
  if (empty) return;
  if (loop === -1) p.forever(body);
  else if (loop === 1) body();
  else p.loop(loop, body);
}

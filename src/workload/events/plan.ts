/**
 * What there is to do so that a recording happens again: one action after the other, each by a thread
 * of the process that did it. Some events come along with others: the executable and ntdll.dll are
 * mapped when a new process begins, its first thread comes with it, and its exit with its last thread's.
 */
import { fileName } from './compare';
import type { EventProcess, EventRecording, ProcessEvent } from './model';

/** A thread that acts: of a process by its index, its first is 0. */
export interface Actor {
  readonly process: number;
  readonly thread: number;
}

export type Action = { readonly timeNs: number; readonly event: ProcessEvent } & (
  | {
      readonly action: 'create';
      readonly process: number;
      /** Undefined: the kernel. */
      readonly by: Actor | undefined;
      /** Its thread waits for 'begin'. */
      readonly suspended: boolean;
    }
  | { readonly action: 'begin'; readonly process: number }
  | { readonly action: 'exit'; readonly by: Actor; readonly status: number }
  | {
      readonly action: 'create-thread';
      readonly by: Actor;
      readonly thread: Actor;
    }
  | { readonly action: 'exit-thread'; readonly by: Actor; readonly status: number }
  | { readonly action: 'load'; readonly by: Actor; readonly image: string }
  | { readonly action: 'load-driver'; readonly image: string }
  | {
      readonly action: 'open';
      readonly by: Actor;
      readonly process: number;
      readonly access: number;
    }
);

/** What a recorded process is made of. */
export interface PlannedProcess {
  readonly recorded: EventProcess;
  /** The ids of its threads as recorded, in the order of their numbers; undefined: not told. */
  readonly threads: readonly (number | undefined)[];
  /** It loads a second ntdll.dll: it is a 32-bit process. */
  readonly wow64: boolean;
}

export interface ReplayPlan {
  readonly actions: readonly Action[];
  readonly processes: readonly PlannedProcess[];
}

const isNtdll = (image: string) => fileName(image).toLowerCase() === 'ntdll.dll';

class Draft {
  /** By number. */
  readonly threads: (number | undefined)[];
  /** Of those that have not ended: their numbers, and the number by id. */
  readonly #alive: Set<number>;
  readonly #byId = new Map<number, number>();
  begun: boolean;
  exited = false;
  #loaded = 0;

  constructor(
    readonly recorded: EventProcess,
    readonly loads: readonly string[],
    exits: ReadonlySet<number>,
  ) {
    this.begun = recorded.birth === 'before';
    // One from before has the threads that events name; what a new one has is told, or one.
    const named = this.begun ? recorded.threads : [];
    // One that nobody tells the end of has more than those whose ends are told.
    const lives = recorded.exit === 'never' && named.every((id) => exits.has(id));
    this.threads = named.length === 0 || lives ? [...named, undefined] : [...named];
    this.#alive = new Set(this.threads.keys());
    this.threads.forEach((id, number) => {
      if (id !== undefined) this.#byId.set(id, number);
    });
  }

  /** The number of a thread; of one that is not known, the first that is alive. */
  thread(id: number | undefined): number {
    const known = id === undefined ? undefined : this.#byId.get(id);
    return known ?? this.#alive.values().next().value ?? 0;
  }

  has(id: number): boolean {
    return this.#byId.has(id);
  }

  /** Its first thread has this id. */
  named(id: number): void {
    this.threads[0] = id;
    this.#byId.set(id, 0);
  }

  add(id: number): number {
    const number = this.threads.push(id) - 1;
    this.#alive.add(number);
    this.#byId.set(id, number);
    return number;
  }

  /** A thread ends; false if it is the last. */
  end(id: number): boolean {
    this.#alive.delete(this.thread(id));
    this.#byId.delete(id);
    return this.#alive.size > 0;
  }

  /** Whether its executable is the first that it is told to load. */
  get loadsExecutable(): boolean {
    const { image } = this.recorded;
    const [first] = this.loads;
    if (image === undefined || first === undefined) return false;
    return fileName(first).toLowerCase() === fileName(image).toLowerCase();
  }

  get wow64(): boolean {
    return this.loads.filter(isNtdll).length > 1;
  }

  /** Whether the next of its loads comes along with its beginning. */
  nextIsInitial(): boolean {
    const place = this.#loaded++;
    if (this.recorded.birth === 'before' || !this.loadsExecutable) return false;
    const image = this.loads[place] as string;
    return place === 0 || (place <= (this.wow64 ? 2 : 1) && isNtdll(image));
  }
}

class Planner {
  readonly actions: Action[] = [];
  readonly drafts: readonly Draft[];

  constructor(private readonly recording: EventRecording) {
    const loads = recording.processes.map((): string[] => []);
    const exits = recording.processes.map(() => new Set<number>());
    for (const event of recording.events) {
      if (event.kind === 'image-load') loads[event.process]?.push(event.image);
      if (event.kind === 'thread-exit') exits[event.process]?.add(event.thread);
    }
    this.drafts = recording.processes.map(
      (each) => new Draft(each, loads[each.index] ?? [], exits[each.index] ?? new Set()),
    );
  }

  run(): ReplayPlan {
    for (const event of this.recording.events) this.#plan(event);
    const processes = this.drafts.map(({ recorded, threads, wow64 }) => {
      return { recorded, threads: [...threads], wow64 };
    });
    return { actions: this.actions, processes };
  }

  #draft(process: number): Draft {
    return this.drafts[process] as Draft;
  }

  #actor(process: number, thread: number | undefined): Actor {
    return { process, thread: this.#draft(process).thread(thread) };
  }

  #plan(event: ProcessEvent): void {
    const { timeNs } = event;
    switch (event.kind) {
      case 'process-create':
        this.#create(event);
        break;
      case 'process-exit':
        this.#exit(event);
        break;
      case 'thread-create':
        this.#createThread(event);
        break;
      case 'thread-exit':
        this.#exitThread(event);
        break;
      case 'image-load':
        this.#load(event);
        break;
      case 'driver-load':
        this.actions.push({ timeNs, event, action: 'load-driver', image: event.image });
        break;
      case 'process-access': {
        const { source, sourceThread, target, grantedAccess: access } = event;
        this.#begin(source, event);
        const by = this.#actor(source, sourceThread);
        this.actions.push({ timeNs, event, action: 'open', by, process: target, access });
        break;
      }
    }
  }

  #create(event: ProcessEvent & { kind: 'process-create' }): void {
    const { timeNs, process, creator, creatorThread } = event;
    if (creator !== undefined) this.#begin(creator, event);
    const by = creator === undefined ? undefined : this.#actor(creator, creatorThread);
    const draft = this.#draft(process);
    draft.begun = draft.loads.length === 0;
    const suspended = !draft.begun;
    this.actions.push({ timeNs, event, action: 'create', process, by, suspended });
  }

  /** Before it does anything else, a new process begins. */
  #begin(process: number, event: ProcessEvent): void {
    const draft = this.#draft(process);
    if (draft.begun) return;
    draft.begun = true;
    this.actions.push({ timeNs: event.timeNs, event, action: 'begin', process });
  }

  #load(event: ProcessEvent & { kind: 'image-load' }): void {
    const { timeNs, process, thread, image } = event;
    const draft = this.#draft(process);
    this.#begin(process, event);
    if (draft.nextIsInitial()) return;
    this.actions.push({ timeNs, event, action: 'load', by: this.#actor(process, thread), image });
  }

  #createThread(event: ProcessEvent & { kind: 'thread-create' }): void {
    const { timeNs, process, thread, creator, creatorThread, initial } = event;
    const draft = this.#draft(process);
    if (initial) {
      draft.named(thread);
      return;
    }
    this.#begin(creator, event);
    const by = this.#actor(creator, creatorThread);
    const made = { process, thread: draft.add(thread) };
    this.actions.push({ timeNs, event, action: 'create-thread', by, thread: made });
  }

  #exitThread(event: ProcessEvent & { kind: 'thread-exit' }): void {
    const { timeNs, process, thread } = event;
    const draft = this.#draft(process);
    if (!draft.has(thread)) return;
    const by = this.#actor(process, thread);
    this.#begin(process, event);
    const { exitStatus } = draft.recorded;
    if (draft.end(thread)) {
      this.actions.push({ timeNs, event, action: 'exit-thread', by, status: event.status ?? 0 });
      return;
    }
    draft.exited = true;
    const status = exitStatus ?? event.status ?? 0;
    this.actions.push({ timeNs, event, action: 'exit', by, status });
  }

  #exit(event: ProcessEvent & { kind: 'process-exit' }): void {
    const { timeNs, process, thread } = event;
    const draft = this.#draft(process);
    if (draft.exited) return;
    draft.exited = true;
    this.#begin(process, event);
    const by = this.#actor(process, thread);
    const status = draft.recorded.exitStatus ?? 0;
    this.actions.push({ timeNs, event, action: 'exit', by, status });
  }
}

/** What there is to do so that a recording happens again. */
export function planReplay(recording: EventRecording): ReplayPlan {
  return new Planner(recording).run();
}

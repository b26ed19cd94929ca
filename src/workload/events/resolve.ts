/**
 * Makes one history of what recorders told. Recordings begin late, end early, overlap and reuse ids:
 *
 * 1. A log (channel) keeps its events in the order in which they were written. A time that goes back
 *    is raised to the one before it. Several logs are merged by time, at equal times the log first
 *    seen first.
 * 2. A GUID names one process. A GUID not seen yet belongs to the process that has the id, unless the
 *    start times in the two differ: Sysmon gives a process one name in its creation and mostly
 *    another in every other event.
 * 3. Two recorders that tell of the creation, or of the exit, of one id within two seconds tell of
 *    one event: the later one adds what the first left out.
 * 4. A process that is named and was never created was there before.
 * 5. An event of a process from at most two seconds before its creation belongs after that: the
 *    creation is put in front of it.
 * 6. An event of a process after its exit belongs before that: recorders log what they looked up late.
 *    Two seconds after the exit a bare id is another process's, which was there before.
 * 7. A new process with the id of one that is alive tells that the latter has exited.
 * 8. The first thread of a new process came with it, if its recorder tells of such threads; Sysmon
 *    tells of remote ones only.
 * 9. A creation whose parent has exited has no creator. An event of processes that never were alive
 *    together is dropped.
 */
import type { ProcessRef, Told, ToldCreate, ToldExit, ToldWhat } from './decode';
import {
  before,
  Draft,
  type Mutable,
  type Placed,
  type Position,
  sameImage,
  startSecondOf,
} from './draft';
import type { EventGaps, EventProcess, ProcessEvent } from './model';

const WINDOW_NS = 2e9;

/** What is told, with its time since the first. */
export type Timed = Told & { readonly timeNs: number };
type TimedAs<T extends ToldWhat> = Told<T> & { readonly timeNs: number };

const NO_GAPS: EventGaps = {
  processesBefore: 0,
  parentsBefore: 0,
  parentsUnknown: 0,
  parentsExited: 0,
  exitsNeverSeen: 0,
  exitsImplied: 0,
  dropped: 0,
  late: 0,
  early: 0,
  duplicates: 0,
  guidAliases: 0,
  timesBack: 0,
  idsReused: 0,
};

export interface Resolved {
  readonly processes: readonly EventProcess[];
  readonly events: readonly ProcessEvent[];
  readonly gaps: EventGaps;
}

export class Resolver {
  readonly #drafts: Draft[] = [];
  readonly #placed: Placed[] = [];
  readonly #byGuid = new Map<string, Draft>();
  /** The processes that had an id, the last one last. */
  readonly #byId = new Map<number, Draft[]>();
  readonly #gaps: Mutable<EventGaps>;

  constructor(timesBack: number) {
    this.#gaps = { ...NO_GAPS, timesBack };
  }

  /** The next event; they come in the order of rule 1. */
  add(told: Timed): void {
    const { timeNs, line } = told;
    switch (told.kind) {
      case 'process-create':
        this.#create(told);
        break;
      case 'process-exit':
        this.#exit(told);
        break;
      case 'thread-create': {
        const { kind, thread, creatorThread, start } = told;
        const [process, creator] = [this.#find(told.process, told), this.#find(told.creator, told)];
        process.thread(thread);
        creator.thread(creatorThread);
        const of = { process: process.index, creator: creator.index };
        const initial = this.#isInitial(process, told.recorder);
        process.hasThread = true;
        const event = { timeNs, line, kind, thread, creatorThread, initial, start, ...of };
        this.#emit([process, creator], event);
        break;
      }
      case 'thread-exit': {
        const { kind, thread, status } = told;
        const process = this.#find(told.process, told);
        process.thread(thread);
        this.#emit([process], { timeNs, line, kind, process: process.index, thread, status });
        break;
      }
      case 'image-load': {
        const { kind, thread, image } = told;
        const process = this.#find(told.process, told);
        process.thread(thread);
        this.#emit([process], { timeNs, line, kind, process: process.index, thread, image });
        break;
      }
      case 'driver-load':
        this.#emit([], { timeNs, line, kind: told.kind, image: told.image });
        break;
      case 'process-access': {
        const { kind, sourceThread, grantedAccess } = told;
        const [source, target] = [this.#find(told.source, told), this.#find(told.target, told)];
        source.thread(sourceThread);
        const of = { source: source.index, target: target.index };
        this.#emit([source, target], { timeNs, line, kind, sourceThread, grantedAccess, ...of });
        break;
      }
    }
  }

  end(): Resolved {
    const gaps = this.#gaps;
    for (const draft of this.#drafts) {
      if (draft.guids.length > 1) gaps.guidAliases++;
      if (draft.exit === 'never') gaps.exitsNeverSeen++;
      if (draft.birth === 'before') gaps.processesBefore++;
      else if (draft.parent === undefined) gaps.parentsUnknown++;
      else if (this.#drafts[draft.parent]?.birth === 'before') gaps.parentsBefore++;
    }
    gaps.idsReused = [...this.#byId.values()].filter(({ length }) => length > 1).length;
    return {
      processes: this.#drafts.map((draft) => draft.finish()),
      events: this.#placed
        .sort((a, b) => a.order - b.order || a.rank - b.rank)
        .map(({ event }) => event),
      gaps,
    };
  }

  /** Rule 8. */
  #isInitial(process: Draft, recorder: string): boolean {
    return recorder === 'ntps' && process.createEvent !== undefined && !process.hasThread;
  }

  /** Rules 3, 5, 7 and 9. */
  #create(told: TimedAs<ToldCreate>): void {
    const { process, timeNs, line, kind, creatorThread } = told;
    const known = this.#named(process) ?? this.#byId.get(process.id)?.at(-1);
    if (known !== undefined && this.#sameCreation(known, told)) {
      this.#gaps.duplicates++;
      this.#name(known, process);
      known.add(told);
      return;
    }
    const early = known !== undefined && this.#isEarly(known, told) ? known : undefined;
    const named = told.parent?.id === process.id ? undefined : told.parent;
    const parent = named === undefined ? undefined : this.#find(named, told);
    if (early === undefined) this.#implyExit(process.id, timeNs, line);
    else this.#gaps.early++;
    const draft = early ?? this.#draft(process, 'recorded');
    this.#name(draft, process);
    draft.created(told, parent?.index);
    parent?.thread(creatorThread);
    const first = early?.firstEvent;
    const at = first === undefined ? this.#next : { order: first.order, rank: first.rank - 2 };
    const creator = parent?.aliveAt(at) === true ? parent : undefined;
    if (parent !== undefined && creator === undefined) this.#gaps.parentsExited++;
    const event = {
      timeNs,
      line,
      kind,
      process: draft.index,
      creator: creator?.index,
      creatorThread,
    };
    draft.createEvent = this.#place(creator === undefined ? [draft] : [creator, draft], event, at);
    if (first !== undefined) draft.createEvent.event.timeNs = first.event.timeNs;
  }

  #sameCreation(known: Draft, told: TimedAs<ToldCreate>): boolean {
    const { createEvent } = known;
    if (createEvent === undefined) return false;
    const { guid, image } = told.process;
    if (guid !== undefined && known.guids.includes(guid)) return true;
    if (known.createdBy.has(told.recorder) || differentStart(known, guid)) return false;
    const near = told.timeNs - createEvent.event.timeNs <= WINDOW_NS;
    return near && sameImage(known.image, image);
  }

  #isEarly(known: Draft, told: TimedAs<ToldCreate>): boolean {
    if (known.birth === 'recorded' || known.firstEvent === undefined) return false;
    const { guid, image } = told.process;
    if (guid !== undefined && known.guids.includes(guid)) return true;
    const near = told.timeNs - known.firstEvent.event.timeNs <= WINDOW_NS;
    return near && sameImage(known.image, image) && !differentStart(known, guid);
  }

  /** Rules 3 and 6. */
  #exit(told: TimedAs<ToldExit>): void {
    const { timeNs, line, kind, thread } = told;
    const draft = this.#find(told.process, told);
    draft.exitStatus ??= told.status;
    draft.thread(thread);
    if (draft.exitEvent !== undefined) {
      this.#gaps.duplicates++;
      return;
    }
    draft.exit = 'recorded';
    const event = { timeNs, line, kind, process: draft.index, thread };
    draft.exitEvent = this.#place([draft], event, this.#next);
  }

  /** Rule 7. */
  #implyExit(id: number, timeNs: number, line: number): void {
    const last = this.#byId.get(id)?.at(-1);
    if (last === undefined || last.exitEvent !== undefined) return;
    this.#gaps.exitsImplied++;
    last.exit = 'implied';
    const event = { timeNs, line, process: last.index, thread: undefined };
    last.exitEvent = this.#place([last], { kind: 'process-exit', ...event }, this.#next);
  }

  #named({ guid }: ProcessRef): Draft | undefined {
    return guid === undefined ? undefined : this.#byGuid.get(guid);
  }

  /** The process that is meant: rules 2, 4 and 6. */
  #find(ref: ProcessRef, { timeNs, line }: Timed): Draft {
    const named = this.#named(ref);
    if (named !== undefined) return named;
    const last = this.#byId.get(ref.id)?.at(-1);
    const exitNs = last?.exitEvent?.event.timeNs;
    const gone = exitNs !== undefined && timeNs - exitNs > WINDOW_NS;
    if (last === undefined || gone || differentStart(last, ref.guid)) {
      this.#implyExit(ref.id, timeNs, line);
      return this.#draft(ref, 'before');
    }
    this.#name(last, ref);
    return last;
  }

  #draft(ref: ProcessRef, birth: EventProcess['birth']): Draft {
    const draft = new Draft(this.#drafts.length, ref.id, birth);
    this.#drafts.push(draft);
    const sameId = this.#byId.get(ref.id);
    if (sameId === undefined) this.#byId.set(ref.id, [draft]);
    else sameId.push(draft);
    this.#name(draft, ref);
    return draft;
  }

  #name(draft: Draft, { guid, image }: ProcessRef): void {
    draft.image ??= image;
    if (guid === undefined || draft.guids.includes(guid)) return;
    draft.guids.push(guid);
    this.#byGuid.set(guid, draft);
  }

  get #next(): Position {
    return { order: this.#placed.length, rank: 0 };
  }

  /** Behind all others, or in front of the first exit of a process that has a part in it. */
  #emit(of: readonly Draft[], event: Mutable<ProcessEvent>): void {
    let at: Position = this.#next;
    for (const { exitEvent } of of) {
      if (exitEvent === undefined || before(at, exitEvent)) continue;
      at = { order: exitEvent.order, rank: exitEvent.rank - 1 };
      event.timeNs = exitEvent.event.timeNs;
    }
    if (of.some((draft) => !draft.aliveAt(at))) {
      this.#gaps.dropped++;
      return;
    }
    if (at.rank < 0) this.#gaps.late++;
    this.#place(of, event, at);
  }

  #place(of: readonly Draft[], event: Mutable<ProcessEvent>, at: Position): Placed {
    const placed = { event, ...at };
    this.#placed.push(placed);
    for (const draft of of) draft.tookPart(placed);
    return placed;
  }
}

function differentStart(known: Draft, guid: string | undefined): boolean {
  if (guid === undefined) return false;
  const start = startSecondOf(guid);
  return known.guids.some((other) => Math.abs(startSecondOf(other) - start) > 1);
}

import type { Told, ToldCreate } from './decode';
import type { EventProcess, ProcessEvent } from './model';

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Where an event stands among the others. */
export interface Position {
  readonly order: number;
  /** Among those of the same order: what was put in front of an event has a lower one. */
  readonly rank: number;
}

export interface Placed extends Position {
  readonly event: Mutable<ProcessEvent>;
}

export const before = (a: Position, b: Position): boolean =>
  a.order < b.order || (a.order === b.order && a.rank < b.rank);

/** When a process began, s since 1970: Sysmon puts it into the second and third part of its GUID. */
export function startSecondOf(guid: string): number {
  return Number.parseInt(guid.slice(14, 18) + guid.slice(9, 13), 16);
}

const fileName = (path: string): string => path.slice(path.lastIndexOf('\\') + 1).toLowerCase();

/** Recorders write one path in several ways: files are told by their names. */
export function sameImage(a: string | undefined, b: string | undefined): boolean {
  return a === undefined || b === undefined || fileName(a) === fileName(b);
}

/** A process while its recording is read. */
export class Draft {
  readonly guids: string[] = [];
  readonly createdBy = new Set<string>();
  image: string | undefined;
  parent: number | undefined;
  exit: EventProcess['exit'] = 'never';
  exitStatus: number | undefined;
  firstEvent: Placed | undefined;
  createEvent: Placed | undefined;
  exitEvent: Placed | undefined;
  /** The creation of one of its threads has been told. */
  hasThread = false;
  #commandLine: string | undefined;
  #user: string | undefined;
  #session: number | undefined;
  readonly #threads = new Set<number>();

  constructor(
    readonly index: number,
    readonly id: number,
    public birth: EventProcess['birth'],
  ) {}

  /** An event names one of its threads. */
  thread(id: number | undefined): void {
    if (id !== undefined) this.#threads.add(id);
  }

  created(told: Told<ToldCreate>, parent: number | undefined): void {
    this.birth = 'recorded';
    this.parent = parent;
    // The creation has the name in full; others may have it otherwise.
    this.image = told.process.image ?? this.image;
    this.add(told);
  }

  /** What a recorder tells of its creation beyond what is known. */
  add(told: Told<ToldCreate>): void {
    this.createdBy.add(told.recorder);
    this.#commandLine ??= told.commandLine;
    this.#user ??= told.user;
    this.#session ??= told.session;
  }

  /** It has a part in an event. */
  tookPart(placed: Placed): void {
    if (this.firstEvent === undefined || before(placed, this.firstEvent)) this.firstEvent = placed;
  }

  /** Whether it is alive where `at` is, as far as is known. */
  aliveAt(at: Position): boolean {
    const { createEvent, exitEvent } = this;
    if (exitEvent !== undefined && !before(at, exitEvent)) return false;
    return createEvent === undefined || before(createEvent, at);
  }

  finish(): EventProcess {
    const { index, id, guids, image, parent, birth, exit, exitStatus } = this;
    const [guid] = guids;
    const second = guid === undefined || birth === 'recorded' ? Number.NaN : startSecondOf(guid);
    return {
      ...{ index, id, guids, image, parent, birth, exit, exitStatus },
      commandLine: this.#commandLine,
      user: this.#user,
      session: this.#session,
      createdMs: Number.isNaN(second) ? undefined : second * 1000,
      threads: [...this.#threads],
    };
  }
}

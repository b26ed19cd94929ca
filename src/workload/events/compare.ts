/**
 * Holds what callbacks told of a run against the recording that was replayed. Events are paired by
 * what they are (the creation of a process, the second load of an image by it …), then their details
 * and their order are compared.
 *
 * Not compared is what the recorder does not tell: kinds of events that the recording has none of, an
 * executable and an ntdll.dll of a process whose loads are not recorded, and details it leaves out.
 */
import { longestIncreasing } from './increasing';
import type { EventProcess, EventRecording, ProcessEvent, ProcessEventKind } from './model';

/** What one thing that differs is about. */
export interface EventDifference {
  /** 'missing': recorded and not observed; 'extra': the reverse; 'moved': not in the recorded order. */
  readonly difference: 'missing' | 'extra' | 'moved' | 'changed';
  readonly kind: ProcessEventKind;
  /** In words, with the recording's ids. */
  readonly text: string;
  /** The line of the recording; undefined: it is not recorded. */
  readonly line: number | undefined;
  /** When it was observed, ns since the replay's first event. */
  readonly observedNs: number | undefined;
}

export interface EventComparison {
  /** Events that are in both. */
  readonly paired: number;
  /** Of these, how many are in the recorded order and no detail differs. */
  readonly equal: number;
  readonly differences: readonly EventDifference[];
  /** Observed events that the recording could not tell, by kind. */
  readonly unrecorded: ReadonlyMap<ProcessEventKind, number>;
}

/** Which process of the recording an observed process stands for, and the same of threads. */
export interface EventMapping {
  /** By index; undefined: for none. */
  process(observed: number): number | undefined;
  /** By ids; undefined: not known. */
  thread(observedProcess: number, observedThread: number): number | undefined;
}

interface Pair {
  readonly recorded: ProcessEvent;
  readonly observed: ProcessEvent;
  readonly observedAt: number;
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('\\') + 1);
}

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

class Comparison {
  readonly #differences: EventDifference[] = [];
  readonly #unrecorded = new Map<ProcessEventKind, number>();

  constructor(
    private readonly recorded: EventRecording,
    private readonly observed: EventRecording,
    private readonly mapping: EventMapping,
  ) {}

  run(): EventComparison {
    const pairs = this.#pair();
    const changed = new Set<Pair>();
    for (const pair of pairs) if (this.#compare(pair)) changed.add(pair);
    for (const pair of this.#moved(pairs)) {
      changed.add(pair);
      this.#differ('moved', pair.recorded, pair.observed, 'is not in the recorded order');
    }
    return {
      paired: pairs.length,
      equal: pairs.length - changed.size,
      differences: this.#differences.sort((a, b) => placeOf(a) - placeOf(b)),
      unrecorded: this.#unrecorded,
    };
  }

  /** Pairs in the order of the recording; what has no partner is a difference. */
  #pair(): Pair[] {
    const waiting = new Map<string, { event: ProcessEvent; at: number }[]>();
    this.observed.events.forEach((event, at) => {
      const key = this.#keyOf(this.#mapped(event));
      const others = waiting.get(key);
      if (others === undefined) waiting.set(key, [{ event, at }]);
      else others.push({ event, at });
    });
    const pairs: Pair[] = [];
    for (const recorded of this.recorded.events) {
      const partner = waiting.get(this.#keyOf(recorded))?.shift();
      if (partner === undefined) this.#differ('missing', recorded, undefined, 'did not happen');
      else pairs.push({ recorded, observed: partner.event, observedAt: partner.at });
    }
    for (const { event } of [...waiting.values()].flat()) this.#extra(event);
    return pairs;
  }

  #extra(event: ProcessEvent): void {
    const mapped = this.#mapped(event);
    if (!this.#couldBeRecorded(mapped)) {
      this.#unrecorded.set(event.kind, (this.#unrecorded.get(event.kind) ?? 0) + 1);
      return;
    }
    this.#differ('extra', undefined, event, 'is not recorded');
  }

  #couldBeRecorded(event: ProcessEvent): boolean {
    const { events, counts } = this.recorded;
    if (event.kind === 'thread-create' && (event.initial || event.creator === event.process)) {
      return events.some((each) => each.kind === 'thread-create' && each.initial);
    }
    if (counts[event.kind] === 0) return false;
    if (event.kind !== 'image-load' || event.process < 0) return true;
    const { image = '' } = this.recorded.processes[event.process] as EventProcess;
    return !same(event.image, image) && !same(fileName(event.image), 'ntdll.dll');
  }

  /** An observed event in terms of the recording; -1 is a process that it has not. */
  #mapped(event: ProcessEvent): ProcessEvent {
    const of = (index: number) => this.mapping.process(index) ?? -1;
    switch (event.kind) {
      case 'driver-load':
        return event;
      case 'process-access':
        return { ...event, source: of(event.source), target: of(event.target) };
      case 'thread-create':
        return { ...event, process: of(event.process), creator: of(event.creator) };
      case 'process-create':
        return {
          ...event,
          process: of(event.process),
          creator: event.creator === undefined ? undefined : of(event.creator),
        };
      default:
        return { ...event, process: of(event.process) };
    }
  }

  /** What an event is, whatever its details: events of one key are paired in their order. */
  #keyOf(event: ProcessEvent): string {
    switch (event.kind) {
      case 'process-access':
        return `access ${event.source} ${event.target}`;
      case 'image-load':
        return `load ${event.process} ${fileName(event.image).toLowerCase()}`;
      case 'driver-load':
        return `driver ${fileName(event.image).toLowerCase()}`;
      case 'thread-create':
        return `thread ${event.initial} ${event.creator} ${event.process}`;
      case 'thread-exit':
        return `thread-exit ${event.process}`;
      default:
        return `${event.kind} ${event.process}`;
    }
  }

  /** Whether a detail differs. */
  #compare({ recorded, observed }: Pair): boolean {
    const before = this.#differences.length;
    const differ = (name: string, told: string | undefined, seen: string | undefined) => {
      if (told === undefined || told === seen) return;
      const what = `has ${name} ${seen ?? 'none'}, recorded is ${told}`;
      this.#differ('changed', recorded, observed, what);
    };
    const path = (name: string, told: string | undefined, seen: string | undefined) => {
      if (told === undefined || seen === undefined || !same(told, seen)) differ(name, told, seen);
    };
    if (recorded.kind === 'process-create' && observed.kind === 'process-create') {
      const { image, commandLine, parent } = this.recorded.processes[
        recorded.process
      ] as EventProcess;
      const seen = this.observed.processes[observed.process] as EventProcess;
      const seenParent = seen.parent === undefined ? undefined : this.mapping.process(seen.parent);
      path('image', image, seen.image);
      differ('command line', commandLine, seen.commandLine);
      const name = (index: number | undefined) =>
        index === undefined ? undefined : this.#name(index);
      differ(
        'parent',
        name(parent),
        seen.parent === undefined ? undefined : name(seenParent ?? -1),
      );
    } else if (recorded.kind === 'process-exit' && observed.kind === 'process-exit') {
      const { exitStatus } = this.recorded.processes[recorded.process] as EventProcess;
      const seen = this.observed.processes[observed.process] as EventProcess;
      differ('exit status', hex(exitStatus), hex(seen.exitStatus));
    } else if (recorded.kind === 'process-access' && observed.kind === 'process-access') {
      differ('granted access', hex(recorded.grantedAccess), hex(observed.grantedAccess));
      differ(
        'thread',
        ...this.#threads(recorded.sourceThread, observed.source, observed.sourceThread),
      );
    } else if (recorded.kind === 'image-load' && observed.kind === 'image-load') {
      path('path', recorded.image, observed.image);
    } else if (recorded.kind === 'thread-exit' && observed.kind === 'thread-exit') {
      differ('thread', ...this.#threads(recorded.thread, observed.process, observed.thread));
      differ('exit status', hex(recorded.status), hex(observed.status));
    } else if (recorded.kind === 'thread-create' && observed.kind === 'thread-create') {
      differ('thread', ...this.#threads(recorded.thread, observed.process, observed.thread));
    }
    return this.#differences.length > before;
  }

  /** A recorded thread and the one that an observed thread stands for; the latter may be unknown. */
  #threads(
    recorded: number | undefined,
    process: number,
    observed: number | undefined,
  ): [string | undefined, string | undefined] {
    const stands = observed === undefined ? undefined : this.mapping.thread(process, observed);
    return stands === undefined || recorded === undefined
      ? [undefined, undefined]
      : [`${recorded}`, `${stands}`];
  }

  /** The fewest pairs without which the others are in one order in both. */
  #moved(pairs: readonly Pair[]): Pair[] {
    const kept = new Set(longestIncreasing(pairs.map(({ observedAt }) => observedAt)));
    return pairs.filter((_, index) => !kept.has(index));
  }

  #differ(
    difference: EventDifference['difference'],
    recorded: ProcessEvent | undefined,
    observed: ProcessEvent | undefined,
    what: string,
  ): void {
    const event = recorded ?? this.#mapped(observed as ProcessEvent);
    this.#differences.push({
      difference,
      kind: event.kind,
      text: `${this.describe(event)} ${what}`,
      line: recorded?.line,
      observedNs: observed?.timeNs,
    });
  }

  #name(index: number): string {
    const process = this.recorded.processes[index];
    if (process === undefined) return 'a process that the recording has not';
    return `${process.image === undefined ? 'process' : fileName(process.image)} (${process.id})`;
  }

  /** An event in words. */
  describe(event: ProcessEvent): string {
    switch (event.kind) {
      case 'process-create':
        return `the creation of ${this.#name(event.process)}`;
      case 'process-exit':
        return `the exit of ${this.#name(event.process)}`;
      case 'thread-create':
        return event.initial || event.creator === event.process
          ? `the creation of a thread of ${this.#name(event.process)}`
          : `the creation of a thread in ${this.#name(event.process)} by ${this.#name(event.creator)}`;
      case 'thread-exit':
        return `the exit of a thread of ${this.#name(event.process)}`;
      case 'image-load':
        return `the load of ${fileName(event.image)} by ${this.#name(event.process)}`;
      case 'driver-load':
        return `the load of driver ${fileName(event.image)}`;
      case 'process-access':
        return `the opening of ${this.#name(event.target)} by ${this.#name(event.source)}`;
    }
  }
}

const hex = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : `0x${value.toString(16)}`;

const placeOf = ({ line, observedNs }: EventDifference): number =>
  line ?? 2 ** 40 + (observedNs ?? 0);

/** Every difference between a recording and what was observed of its replay. */
export function compareEvents(
  recorded: EventRecording,
  observed: EventRecording,
  mapping: EventMapping,
): EventComparison {
  return new Comparison(recorded, observed, mapping).run();
}

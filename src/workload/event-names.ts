/** The events that the reader uses, and a count of every event by name. */
import { bytesOf, startsWith, textOf } from './bytes';

export const EVENT = {
  Ignored: 0,
  Switch: 1,
  Waking: 2,
  Wakeup: 3,
  WakeupNew: 4,
  Fork: 5,
  Exit: 6,
  Exec: 7,
  NewTask: 8,
  Rename: 9,
  InterruptEntry: 10,
  InterruptExit: 11,
  SoftEntry: 12,
  SoftExit: 13,
} as const;
export type EventKind = (typeof EVENT)[keyof typeof EVENT];

const USED: readonly [string, EventKind][] = [
  ['sched_switch', EVENT.Switch],
  ['sched_waking', EVENT.Waking],
  ['sched_wakeup', EVENT.Wakeup],
  ['sched_wakeup_new', EVENT.WakeupNew],
  ['sched_process_fork', EVENT.Fork],
  ['sched_process_exit', EVENT.Exit],
  ['sched_process_exec', EVENT.Exec],
  ['task_newtask', EVENT.NewTask],
  ['task_rename', EVENT.Rename],
  ['softirq_entry', EVENT.SoftEntry],
  ['softirq_exit', EVENT.SoftExit],
];

const INTERRUPTS = [
  'irq_handler',
  'ipi',
  'local_timer',
  'reschedule',
  'call_function',
  'call_function_single',
  'irq_work',
];

/** Further names are counted together: a hostile input must not fill the memory. */
const NAMES_MAX = 1024;
const NAME_BYTES_MAX = 64;
const OTHERS = '(others)';
const NAMELESS = '(function)';

interface EventName {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly kind: EventKind;
  count: number;
  next: EventName | undefined;
}

export class EventNames {
  readonly #byHash = new Map<number, EventName>();
  readonly #names: EventName[] = [];
  readonly #others: EventName = entry(OTHERS, EVENT.Ignored);
  readonly #nameless: EventName = entry(NAMELESS, EVENT.Ignored);

  constructor() {
    for (const [name, kind] of USED) this.#add(entry(name, kind));
    for (const name of INTERRUPTS) {
      this.#add(entry(`${name}_entry`, EVENT.InterruptEntry));
      this.#add(entry(`${name}_exit`, EVENT.InterruptExit));
    }
  }

  /** Counts the event whose name is in [start, end) and says what it is to the reader. */
  find(buffer: Uint8Array, start: number, end: number): EventKind {
    let found = this.#byHash.get(hashOf(buffer, start, end));
    while (found !== undefined && !sameName(found, buffer, start, end)) found = found.next;
    found ??= this.#unknown(buffer, start, end);
    found.count++;
    return found.kind;
  }

  count(name: string): number {
    return this.#names.find((each) => each.name === name)?.count ?? 0;
  }

  /** The counts of all events, or of those alone that the reader does not use. */
  counts(ignoredOnly: boolean): Map<string, number> {
    return new Map(
      [...this.#names, this.#nameless, this.#others]
        .filter((each) => each.count > 0 && (!ignoredOnly || each.kind === EVENT.Ignored))
        .map((each) => [each.name, each.count]),
    );
  }

  #unknown(buffer: Uint8Array, start: number, end: number): EventName {
    if (start === end) return this.#nameless;
    if (this.#names.length >= NAMES_MAX || end - start > NAME_BYTES_MAX) return this.#others;
    const added: EventName = {
      ...entry(textOf(buffer, start, end), EVENT.Ignored),
      bytes: buffer.slice(start, end),
    };
    this.#add(added);
    return added;
  }

  #add(added: EventName): void {
    const hash = hashOf(added.bytes, 0, added.bytes.length);
    added.next = this.#byHash.get(hash);
    this.#byHash.set(hash, added);
    this.#names.push(added);
  }
}

function entry(name: string, kind: EventKind): EventName {
  return { name, bytes: bytesOf(name), kind, count: 0, next: undefined };
}

function sameName(each: EventName, buffer: Uint8Array, start: number, end: number): boolean {
  return each.bytes.length === end - start && startsWith(buffer, start, end, each.bytes);
}

function hashOf(buffer: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (buffer[i] as number), 0x01000193);
  return hash;
}

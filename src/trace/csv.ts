import { MachineError } from '../machine/errors';
import type { TraceNames, TraceRecord } from '../machine/records';
import {
  FRAME_NAMES,
  PRIORITY_CHANGE_NAMES,
  THREAD_STATE_NAMES,
  VECTOR_NAMES,
  WAIT_REASON_NAMES,
} from '../machine/words';
import { Roster, type TraceWriter } from './roster';

/**
 * Writes a trace as CSV (RFC 4180): a head line, then a line a record. Columns:
 * `time_ns`, `processor`, `event`; `thread_id`, `thread`, `process_id`, `process`: whom it is about
 * (of a switch, whom it takes from the processor; empty: the idle thread); `other_id`, `other`: whom
 * a switch brings, or who readied; `priority`, `other_priority`; `detail`.
 */

const HEAD = [
  'time_ns',
  'processor',
  'event',
  'thread_id',
  'thread',
  'process_id',
  'process',
  'other_id',
  'other',
  'priority',
  'other_priority',
  'detail',
];
const PIECE_CHARACTERS = 1 << 16;

type Cell = string | number;

export class CsvWriter implements TraceWriter {
  readonly #roster: Roster;
  readonly #write: (bytes: Uint8Array) => void;
  readonly #encoder = new TextEncoder();
  #text = `${HEAD.join(',')}\r\n`;
  #ended = false;

  /** `write` gets the bytes of the file, piece by piece. */
  constructor(names: TraceNames, write: (bytes: Uint8Array) => void) {
    this.#roster = new Roster(names);
    this.#write = write;
  }

  add(record: TraceRecord): void {
    if (this.#ended) throw new MachineError('CsvWriter: add after end; make another writer');
    if (record.type === 'processStart') this.#roster.startProcess(record.process);
    if (record.type === 'threadStart') this.#roster.startThread(record.thread, record.process);
    const [other, priority, otherPriority, detail] = this.#particulars(record);
    this.#text += [
      record.timeNs,
      record.processor,
      record.type,
      ...this.#subject(record),
      ...this.#thread(other),
      priority,
      otherPriority,
      quoted(detail),
    ].join(',');
    this.#text += '\r\n';
    if (this.#text.length >= PIECE_CHARACTERS) this.#flush();
  }

  end(): void {
    if (this.#ended) throw new MachineError('CsvWriter: end was called twice');
    this.#ended = true;
    this.#flush();
  }

  #flush(): void {
    this.#write(this.#encoder.encode(this.#text));
    this.#text = '';
  }

  #thread(index: number | undefined): [Cell, Cell] {
    const thread = index === undefined ? undefined : this.#roster.thread(index);
    return thread === undefined ? ['', ''] : [thread.id, quoted(thread.name)];
  }

  #subject(record: TraceRecord): Cell[] {
    if (record.type === 'processStart' || record.type === 'processEnd') {
      const process = this.#roster.process(record.process);
      return ['', '', process?.id ?? '', quoted(process?.name ?? '')];
    }
    const index = subjectOf(record);
    const process = this.#roster.thread(index)?.process;
    return [...this.#thread(index), process?.id ?? '', quoted(process?.name ?? '')];
  }

  /** The other thread, the two priorities, and the rest in words. */
  #particulars(record: TraceRecord): [number | undefined, Cell, Cell, string] {
    switch (record.type) {
      case 'contextSwitch': {
        const why = `${THREAD_STATE_NAMES[record.oldState]} ${WAIT_REASON_NAMES[record.oldWaitReason]}`;
        const detail =
          record.oldThread === 0 ? '' : `${why}; quantum left ${record.remainingQuantumNs} ns`;
        return [record.newThread, record.oldPriority, record.newPriority, detail];
      }
      case 'ready': {
        const detail = `${THREAD_STATE_NAMES[record.state]} on ${record.target}; increment ${record.increment}; waited ${record.waitedNs} ns`;
        return [record.readiedBy, record.priority, '', detail];
      }
      case 'priority':
        return [
          undefined,
          record.newPriority,
          record.oldPriority,
          PRIORITY_CHANGE_NAMES[record.change],
        ];
      case 'threadStart':
        return [record.creator, record.priority, '', `ideal processor ${record.idealProcessor}`];
      default:
        return [undefined, '', '', detailOf(record)];
    }
  }
}

/** The thread that a record is about; 0: none. */
function subjectOf(record: TraceRecord): number {
  if (record.type === 'contextSwitch') return record.oldThread;
  if (record.type === 'interrupt') return record.interrupted;
  return 'thread' in record ? record.thread : 0;
}

function detailOf(record: TraceRecord): string {
  switch (record.type) {
    case 'processStart':
      return `base priority ${record.basePriority}; group ${record.group}; node ${record.node}`;
    case 'processEnd':
    case 'threadEnd':
      return `status 0x${record.status.toString(16)}`;
    case 'threadTotals':
      return `ran ${record.runTimeNs} ns; ${record.contextSwitches} switches; ${record.migrations} migrations`;
    case 'interrupt':
      return `${VECTOR_NAMES[record.vector]} at IRQL ${record.irql}; ${record.costNs} ns`;
    case 'dpc':
      return `${VECTOR_NAMES[record.kind]}; ${record.items} items; ${record.costNs} ns`;
    case 'apc':
      return `${FRAME_NAMES[record.kind]} ${record.apc}`;
    case 'affinity':
      return `0x${record.mask.toString(16)} of group ${record.group}`;
    case 'mark':
      return `${record.value} ${record.second}`;
    case 'systemCall':
    case 'hostCall':
      return `${record.number} (${record.argument})`;
    case 'bugCheck':
      return `0x${record.code.toString(16)}`;
    default:
      return '';
  }
}

/** A cell as RFC 4180 has it. */
function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

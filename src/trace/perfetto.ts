import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { KTHREAD_STATE } from '../../assembly/shared/types';
import { MachineError } from '../machine/errors';
import type { TraceNames, TraceRecord } from '../machine/records';
import { PRIORITY_CHANGE_NAMES, VECTOR_NAMES } from '../machine/words';
import {
  BUNDLE,
  DEBUG_ANNOTATION,
  FTRACE_EVENT,
  PACKET,
  PROCESS_TREE,
  SCHED_SWITCH,
  SCHED_WAKING,
  STATE_CLEARED,
  TASK_STATE,
  THREAD_DESCRIPTOR,
  TRACE,
  TRACK_DESCRIPTOR,
  TRACK_EVENT,
  TRACK_EVENT_TYPE,
  TREE_PROCESS,
  TREE_THREAD,
} from './perfetto-fields';
import { type NamedThread, Roster, type TraceWriter } from './roster';

/**
 * Writes a Perfetto trace: what the Perfetto UI draws processors, thread states and ready time from
 * are scheduling events in the form of Linux's ftrace; boosts, interrupts, DPCs, marks and calls are
 * track events. Priorities are NT's. Times are ns on the trace's default clock (BOOTTIME).
 */

const VARINT = 0;
const LENGTH = 2;
const SEQUENCE = 1;
/** A bundle of a processor's events is written when it has grown to this. */
const BUNDLE_BYTES = 1 << 16;
/** Threads have their id as track; processors' interrupts these. */
const INTERRUPT_TRACKS = 2 ** 40;

type Annotations = Readonly<Record<string, string | number>>;

class ProcessorEvents {
  events = new BinaryWriter();
  bytes = 0;
  /** Until when its interrupts and DPCs are drawn; -1 if there was none. */
  interruptsUntilNs = -1;
}

export class PerfettoWriter implements TraceWriter {
  readonly #roster: Roster;
  readonly #write: (bytes: Uint8Array) => void;
  readonly #processors: ProcessorEvents[] = [];
  #ended = false;

  /** `write` gets the bytes of the file, piece by piece. */
  constructor(names: TraceNames, write: (bytes: Uint8Array) => void) {
    this.#roster = new Roster(names);
    this.#write = write;
    this.#packet((packet) => {
      packet.tag(PACKET.sequenceFlags, VARINT).uint32(STATE_CLEARED);
    });
  }

  add(record: TraceRecord): void {
    if (this.#ended) throw new MachineError('PerfettoWriter: add after end; make another writer');
    switch (record.type) {
      case 'contextSwitch':
        this.#switch(record);
        break;
      case 'ready':
        this.#ready(record);
        break;
      case 'processStart':
        this.#processStart(record);
        break;
      case 'threadStart':
        this.#threadStart(record);
        break;
      case 'interrupt':
        this.#interrupt(record, VECTOR_NAMES[record.vector], record.costNs);
        break;
      case 'dpc':
        this.#interrupt(record, `DPC: ${VECTOR_NAMES[record.kind]}`, record.costNs);
        break;
      default:
        this.#instant(record);
    }
  }

  end(): void {
    if (this.#ended) throw new MachineError('PerfettoWriter: end was called twice');
    this.#ended = true;
    this.#processors.forEach((processor, cpu) => {
      this.#flush(processor, cpu);
    });
  }

  #switch(record: TraceRecord & { type: 'contextSwitch' }): void {
    const previous = this.#roster.thread(record.oldThread);
    const next = this.#roster.thread(record.newThread);
    const waits = record.oldState === KTHREAD_STATE.Waiting;
    const ended = record.oldState === KTHREAD_STATE.Terminated;
    const state = ended ? TASK_STATE.exited : waits ? TASK_STATE.sleeping : TASK_STATE.runnable;
    if (previous !== undefined) previous.runnable = !waits && !ended;
    if (next !== undefined) next.runnable = true;
    const processor = this.#processor(record.processor);
    const event = this.#event(processor, record.timeNs, previous);
    event.tag(FTRACE_EVENT.schedSwitch, LENGTH).fork();
    event.tag(SCHED_SWITCH.prevComm, LENGTH).string(previous?.name ?? IDLE);
    event.tag(SCHED_SWITCH.prevPid, VARINT).int32(previous?.id ?? 0);
    event.tag(SCHED_SWITCH.prevPrio, VARINT).int32(record.oldPriority);
    event.tag(SCHED_SWITCH.prevState, VARINT).uint32(state);
    event.tag(SCHED_SWITCH.nextComm, LENGTH).string(next?.name ?? IDLE);
    event.tag(SCHED_SWITCH.nextPid, VARINT).int32(next?.id ?? 0);
    event.tag(SCHED_SWITCH.nextPrio, VARINT).int32(record.newPriority);
    event.join().join();
    this.#grown(processor, record.processor);
  }

  #ready(record: TraceRecord & { type: 'ready' }): void {
    const thread = this.#roster.thread(record.thread);
    if (thread === undefined || thread.runnable) return;
    thread.runnable = true;
    const processor = this.#processor(record.processor);
    const event = this.#event(processor, record.timeNs, this.#roster.thread(record.readiedBy));
    event.tag(FTRACE_EVENT.schedWaking, LENGTH).fork();
    event.tag(SCHED_WAKING.comm, LENGTH).string(thread.name);
    event.tag(SCHED_WAKING.pid, VARINT).int32(thread.id);
    event.tag(SCHED_WAKING.prio, VARINT).int32(record.priority);
    event.tag(SCHED_WAKING.success, VARINT).int32(1);
    event.tag(SCHED_WAKING.targetCpu, VARINT).int32(record.target);
    event.join().join();
    this.#grown(processor, record.processor);
  }

  /** Opens an event of `processor` that happened while `actor` ran. */
  #event(processor: ProcessorEvents, timeNs: number, actor: NamedThread | undefined): BinaryWriter {
    processor.bytes += EVENT_BYTES;
    return processor.events
      .tag(BUNDLE.event, LENGTH)
      .fork()
      .tag(FTRACE_EVENT.timestamp, VARINT)
      .uint64(timeNs)
      .tag(FTRACE_EVENT.pid, VARINT)
      .uint32(actor?.id ?? 0);
  }

  #processor(cpu: number): ProcessorEvents {
    let processor = this.#processors[cpu];
    if (processor === undefined) {
      processor = new ProcessorEvents();
      this.#processors[cpu] = processor;
    }
    return processor;
  }

  #grown(processor: ProcessorEvents, cpu: number): void {
    if (processor.bytes >= BUNDLE_BYTES) this.#flush(processor, cpu);
  }

  #flush(processor: ProcessorEvents, cpu: number): void {
    if (processor.bytes === 0) return;
    const events = processor.events.finish();
    processor.bytes = 0;
    this.#packet((packet) => {
      packet.tag(PACKET.ftraceEvents, LENGTH).fork();
      packet.tag(BUNDLE.cpu, VARINT).uint32(cpu).raw(events).join();
    });
  }

  #processStart(record: TraceRecord & { type: 'processStart' }): void {
    const process = this.#roster.startProcess(record.process);
    const parent = this.#roster.process(record.parent);
    this.#packet((packet) => {
      packet.tag(PACKET.timestamp, VARINT).uint64(record.timeNs);
      packet.tag(PACKET.processTree, LENGTH).fork().tag(PROCESS_TREE.processes, LENGTH).fork();
      packet.tag(TREE_PROCESS.pid, VARINT).int32(process.id);
      packet.tag(TREE_PROCESS.ppid, VARINT).int32(parent?.id ?? 0);
      packet.tag(TREE_PROCESS.cmdline, LENGTH).string(process.name).join().join();
    });
  }

  #threadStart(record: TraceRecord & { type: 'threadStart' }): void {
    const thread = this.#roster.startThread(record.thread, record.process);
    this.#packet((packet) => {
      packet.tag(PACKET.timestamp, VARINT).uint64(record.timeNs);
      packet.tag(PACKET.processTree, LENGTH).fork().tag(PROCESS_TREE.threads, LENGTH).fork();
      packet.tag(TREE_THREAD.tid, VARINT).int32(thread.id);
      packet.tag(TREE_THREAD.name, LENGTH).string(thread.name);
      packet.tag(TREE_THREAD.tgid, VARINT).int32(thread.process.id).join().join();
    });
  }

  /** A slice of the processor's interrupts, behind those drawn before: a DPC follows its interrupt. */
  #interrupt(record: TraceRecord, name: string, costNs: number): void {
    const processor = this.#processor(record.processor);
    const track = INTERRUPT_TRACKS + record.processor;
    if (processor.interruptsUntilNs < 0) {
      this.#packet((packet) => {
        packet.tag(PACKET.trackDescriptor, LENGTH).fork();
        packet.tag(TRACK_DESCRIPTOR.uuid, VARINT).uint64(track);
        packet.tag(TRACK_DESCRIPTOR.name, LENGTH).string(`Interrupts ${record.processor}`).join();
      });
    }
    const start = Math.max(record.timeNs, processor.interruptsUntilNs);
    processor.interruptsUntilNs = start + costNs;
    this.#trackEvent(start, track, TRACK_EVENT_TYPE.sliceBegin, name, {});
    this.#trackEvent(start + costNs, track, TRACK_EVENT_TYPE.sliceEnd, undefined, {});
  }

  /** What happens to a thread at once, on the thread's track. */
  #instant(record: TraceRecord): void {
    const shown = instantOf(record);
    const thread = 'thread' in record ? this.#roster.thread(record.thread) : undefined;
    if (shown === undefined || (thread === undefined && record.type !== 'bugCheck')) return;
    if (thread !== undefined) this.#threadTrack(thread);
    const [name, annotations] = shown;
    this.#trackEvent(record.timeNs, thread?.id ?? 0, TRACK_EVENT_TYPE.instant, name, annotations);
  }

  #threadTrack(thread: NamedThread): void {
    if (thread.tracked) return;
    thread.tracked = true;
    this.#packet((packet) => {
      packet.tag(PACKET.trackDescriptor, LENGTH).fork();
      packet.tag(TRACK_DESCRIPTOR.uuid, VARINT).uint64(thread.id);
      packet.tag(TRACK_DESCRIPTOR.thread, LENGTH).fork();
      packet.tag(THREAD_DESCRIPTOR.pid, VARINT).int32(thread.process.id);
      packet.tag(THREAD_DESCRIPTOR.tid, VARINT).int32(thread.id);
      packet.tag(THREAD_DESCRIPTOR.threadName, LENGTH).string(thread.name).join().join();
    });
  }

  #trackEvent(
    timeNs: number,
    track: number,
    type: number,
    name: string | undefined,
    annotations: Annotations,
  ): void {
    this.#packet((packet) => {
      packet.tag(PACKET.timestamp, VARINT).uint64(timeNs);
      packet.tag(PACKET.trackEvent, LENGTH).fork();
      packet.tag(TRACK_EVENT.type, VARINT).uint32(type);
      packet.tag(TRACK_EVENT.trackUuid, VARINT).uint64(track);
      if (name !== undefined) packet.tag(TRACK_EVENT.name, LENGTH).string(name);
      for (const [key, value] of Object.entries(annotations)) {
        packet.tag(TRACK_EVENT.debugAnnotations, LENGTH).fork();
        packet.tag(DEBUG_ANNOTATION.name, LENGTH).string(key);
        if (typeof value === 'number') packet.tag(DEBUG_ANNOTATION.uintValue, VARINT).uint64(value);
        else packet.tag(DEBUG_ANNOTATION.stringValue, LENGTH).string(value);
        packet.join();
      }
      packet.join();
    });
  }

  #packet(fill: (packet: BinaryWriter) => void): void {
    const packet = new BinaryWriter();
    packet.tag(TRACE.packet, LENGTH).fork();
    fill(packet);
    packet.tag(PACKET.trustedPacketSequenceId, VARINT).uint32(SEQUENCE).join();
    this.#write(packet.finish());
  }
}

/** Perfetto's name of the idle task. */
const IDLE = 'swapper';
/** An event's bytes, about; bundles need no exact figure. */
const EVENT_BYTES = 48;

/** How a record is shown as an instant; undefined: it is not. */
function instantOf(record: TraceRecord): [name: string, annotations: Annotations] | undefined {
  switch (record.type) {
    case 'priority': {
      const { oldPriority, newPriority, basePriority, change } = record;
      const name = `${PRIORITY_CHANGE_NAMES[change]}: ${oldPriority} to ${newPriority}`;
      return [name, { 'base priority': basePriority }];
    }
    case 'affinity':
      return ['affinity', { mask: `0x${record.mask.toString(16)}`, group: record.group }];
    case 'mark':
      return ['mark', { value: record.value, second: record.second }];
    case 'systemCall':
      return [`system call ${record.number}`, { argument: record.argument }];
    case 'hostCall':
      return [`host call ${record.number}`, { argument: record.argument }];
    case 'threadEnd':
      return ['thread end', { status: `0x${record.status.toString(16)}` }];
    case 'bugCheck':
      return [`bugcheck 0x${record.code.toString(16)}`, {}];
    default:
      return undefined;
  }
}

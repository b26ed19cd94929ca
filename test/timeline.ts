import { PRIORITY_CHANGE, VECTOR } from '../assembly/shared/event';
import type { Machine } from '../src/machine/machine';
import type { TraceRecord } from '../src/machine/records';
import { FRAME_NAMES, THREAD_STATE_NAMES, WAIT_REASON_NAMES } from '../src/machine/words';
import { records } from './records';

const CHANGES: Readonly<Record<PRIORITY_CHANGE, string>> = {
  [PRIORITY_CHANGE.Set]: 'set',
  [PRIORITY_CHANGE.Unwait]: 'wake',
  [PRIORITY_CHANGE.Foreground]: 'wake in the foreground',
  [PRIORITY_CHANGE.QuantumEnd]: 'quantum end',
  [PRIORITY_CHANGE.Starvation]: 'starvation',
  [PRIORITY_CHANGE.StarvationEnd]: 'end of starvation boost',
  [PRIORITY_CHANGE.Yield]: 'yield',
  [PRIORITY_CHANGE.Base]: 'base set',
  [PRIORITY_CHANGE.AutoBoost]: 'lock owner',
  [PRIORITY_CHANGE.AutoBoostEnd]: 'end of lock boost',
};

const VECTORS: Readonly<Record<VECTOR, string>> = {
  [VECTOR.Clock]: 'clock',
  [VECTOR.Ipi]: 'ipi',
  [VECTOR.Device]: 'device',
  [VECTOR.TimerExpiration]: 'timer expiration',
  [VECTOR.Dpc]: 'dpc',
  [VECTOR.ThreadedDpc]: 'threaded dpc',
  [VECTOR.Timer]: 'timer',
  [VECTOR.QuantumEnd]: 'quantum end',
};

/** Names of a machine's threads and processes by the numbers that records give them. */
class Names {
  constructor(private readonly machine: Machine) {}

  thread(index: number): string {
    return index === 0 ? 'idle' : (this.machine.thread(index)?.name ?? `thread ${index}`);
  }

  process(index: number): string {
    return index === 0 ? 'none' : (this.machine.process(index)?.name ?? `process ${index}`);
  }
}

function describeSwitch(
  record: Extract<TraceRecord, { type: 'contextSwitch' }>,
  names: Names,
): string {
  const { oldThread, newThread, oldState, oldWaitReason, oldPriorityDecrement } = record;
  const to = newThread === 0 ? 'idle' : `${names.thread(newThread)} at ${record.newPriority}`;
  if (oldThread === 0) return `switch    idle -> ${to}`;
  const waits = oldState === 4 ? '' : `, ${WAIT_REASON_NAMES[oldWaitReason]}`;
  const boost =
    oldPriorityDecrement === 0 ? '' : `, decrement 0x${oldPriorityDecrement.toString(16)}`;
  const from = `${names.thread(oldThread)} at ${record.oldPriority}${boost}`;
  const left = `${record.remainingQuantumNs} ns left`;
  return `switch    ${from} (${THREAD_STATE_NAMES[oldState]}${waits}, ${left}) -> ${to}`;
}

function describe(record: TraceRecord, names: Names): string {
  switch (record.type) {
    case 'contextSwitch':
      return describeSwitch(record, names);
    case 'ready': {
      const by = record.readiedBy === 0 ? '' : ` by ${names.thread(record.readiedBy)}`;
      const state = THREAD_STATE_NAMES[record.state];
      return `ready     ${names.thread(record.thread)} at ${record.priority}${by}: ${state} on P${record.target}`;
    }
    case 'priority': {
      const { oldPriority, newPriority, basePriority } = record;
      return `priority  ${names.thread(record.thread)} ${oldPriority} -> ${newPriority} of base ${basePriority} (${CHANGES[record.change]})`;
    }
    case 'processStart':
      return `start     process ${names.process(record.process)}, base ${record.basePriority}, group ${record.group}, node ${record.node}`;
    case 'processEnd':
      return `end       process ${names.process(record.process)}, status ${record.status}`;
    case 'threadStart':
      return `start     thread ${names.thread(record.thread)} of ${names.process(record.process)} at ${record.priority}, ideal P${record.idealProcessor}`;
    case 'threadEnd':
      return `end       thread ${names.thread(record.thread)}, status ${record.status}, ticks ${record.userTicks} user ${record.kernelTicks} kernel`;
    case 'threadTotals':
      return `totals    ${names.thread(record.thread)} ran ${record.runTimeNs} ns, ${record.contextSwitches} switches, ${record.migrations} migrations`;
    case 'interrupt':
      return `interrupt ${VECTORS[record.vector]} at IRQL ${record.irql} in ${names.thread(record.interrupted)}`;
    case 'dpc':
      return `dpc       ${VECTORS[record.kind]}, ${record.items}`;
    case 'apc':
      return `apc       ${FRAME_NAMES[record.kind]} in ${names.thread(record.thread)}`;
    case 'affinity':
      return `affinity  ${names.thread(record.thread)} 0x${record.mask.toString(16)} in group ${record.group}`;
    case 'mark':
      return `mark      ${names.thread(record.thread)} ${record.value}`;
    case 'systemCall':
    case 'hostCall':
      return `call      ${names.thread(record.thread)} ${record.number}(${record.argument})`;
    case 'bugCheck':
      return `bugcheck  0x${record.code.toString(16)}`;
  }
}

/** The records of a run as text, a line each: ns since boot, processor, what happened. */
export function timeline(
  machine: Machine,
  keep: (record: TraceRecord) => boolean = () => true,
): string {
  const names = new Names(machine);
  const lines = records(machine)
    .filter(keep)
    .map((record) => {
      const time = String(record.timeNs).padStart(12);
      return `${time}  P${String(record.processor).padEnd(3)} ${describe(record, names)}`;
    });
  return `${lines.join('\n')}\n`;
}

/** Leaves out the clock interrupts, which repeat for as long as threads run. */
export const exceptClock = (record: TraceRecord): boolean =>
  !(record.type === 'interrupt' && record.vector === VECTOR.Clock);

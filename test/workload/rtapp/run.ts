import { readWorkload } from '../../../src/cli/rtapp/read';
import type { Machine } from '../../../src/machine/machine';
import {
  runWorkload,
  type WorkloadOptions,
  type WorkloadReport,
} from '../../../src/workload/rtapp/run';
import { MS, recordsOf } from '../../records';

export interface Ran {
  readonly report: WorkloadReport;
  readonly machine: Machine;
}

/** Runs tasks as JSON text or as an object, with clock ticks every 0.5 ms unless told otherwise. */
export async function run(
  tasks: object,
  options: WorkloadOptions = {},
  global: object = {},
): Promise<Ran> {
  const text = JSON.stringify({ tasks, global });
  return runText(text, options);
}

export async function runText(text: string, options: WorkloadOptions = {}): Promise<Ran> {
  const machines: Machine[] = [];
  const report = await runWorkload(readWorkload(text, 'test.json'), {
    timerResolutionNs: 500_000,
    ...options,
    onStart: (machine) => machines.push(machine),
  });
  return { report, machine: machines[0] as Machine };
}

/** The thread that was the nth to start. */
export function threadOf({ machine }: Ran, position: number): number {
  const starts = recordsOf(machine, 'threadStart').filter(({ process }) => process !== 1);
  return starts[position]?.thread as number;
}

/** When the nth thread came onto a processor, ms, rounded down. */
export function beginsMs(ran: Ran, position: number): number[] {
  const thread = threadOf(ran, position);
  return recordsOf(ran.machine, 'contextSwitch')
    .filter(({ newThread }) => newThread === thread)
    .map(({ timeNs }) => Math.floor(timeNs / MS));
}

/** When each thread ended, in order of their start, ms, rounded down; -1: it did not. */
export function endsMs({ machine }: Ran): number[] {
  const ends = recordsOf(machine, 'threadEnd');
  return recordsOf(machine, 'threadStart')
    .filter(({ process }) => process !== 1)
    .map(({ thread }) => {
      const end = ends.find((record) => record.thread === thread);
      return end === undefined ? -1 : Math.floor(end.timeNs / MS);
    });
}

/** The levels that the nth thread was given after its first. */
export function levelsOf(ran: Ran, position: number): number[] {
  const thread = threadOf(ran, position);
  return recordsOf(ran.machine, 'priority')
    .filter((record) => record.thread === thread)
    .map(({ newPriority }) => newPriority);
}

/** The processors that the nth thread ran on, each once, in order of first use. */
export function processorsOf(ran: Ran, position: number): number[] {
  const thread = threadOf(ran, position);
  const used = recordsOf(ran.machine, 'contextSwitch')
    .filter(({ newThread }) => newThread === thread)
    .map(({ processor }) => processor);
  return [...new Set(used)];
}

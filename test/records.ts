import { readFile } from 'node:fs/promises';
import { Machine } from '../src/machine/machine';
import type { MachineOptions } from '../src/machine/options';
import type { ProfileOptions } from '../src/machine/profile';
import { type Program, type ProgramBuilder, program } from '../src/machine/program';
import { decodeRecord, type TraceRecord } from '../src/machine/records';
import type { KEvent, KProcess, KThread, ThreadOptions } from '../src/machine/views';

export const MS = 1_000_000;
/** The clock interval of both profiles, ns. */
export const TICK = 15_625_000;

/** What is still in the ring, oldest first. */
export function records(machine: Machine): TraceRecord[] {
  const last = machine.trace.last(100_000);
  return Array.from({ length: last.count }, (_, index) => decodeRecord(last, index));
}

export type RecordOf<T extends TraceRecord['type']> = Extract<TraceRecord, { readonly type: T }>;

export function recordsOf<T extends TraceRecord['type']>(machine: Machine, type: T): RecordOf<T>[] {
  return records(machine).filter((record): record is RecordOf<T> => record.type === type);
}

/** The priorities that a thread was given, one after the other. */
export function priorityLevels(machine: Machine, thread: KThread): number[] {
  return recordsOf(machine, 'priority')
    .filter((record) => record.thread === thread.index)
    .map((record) => record.newPriority);
}

/** A program that computes for `ns` and ends. */
export const compute = (ns: number): Program => program('compute', (p) => p.compute(ns));

/** Every operation costs 1 ns, and there is no balance-set manager: times in tests are short to write. */
const QUIET: ProfileOptions = {
  costs: {
    contextSwitch: 1,
    clockInterrupt: 1,
    dpc: 1,
    systemCall: 1,
    ddi: 1,
    interprocessorInterrupt: 1,
    deviceInterrupt: 1,
    balanceScan: 1,
    swapIn: 1,
  },
  interprocessorLatencyNs: 1,
  starvationNs: 0,
};

/** The cores that tests of the core run on: the release builds, or the debug builds with their assertions. */
const cores =
  process.env.NTPS_CORE === 'debug'
    ? {
        alone: await WebAssembly.compile(await readFile('build/ntps.debug.wasm')),
        workers: await WebAssembly.compile(await readFile('build/ntps.threads.debug.wasm')),
      }
    : undefined;

/** A machine on the core under test. */
export function createMachine(options: MachineOptions = {}): Promise<Machine> {
  if (cores === undefined) return Machine.create(options);
  const core = (options.workers ?? 0) === 0 ? cores.alone : cores.workers;
  return Machine.create({ core, ...options });
}

/** A machine where every operation costs 1 ns; `profile` overrides that and the rest. */
export function quietMachine(
  options: Omit<MachineOptions, 'profile'> & { readonly profile?: ProfileOptions } = {},
): Promise<Machine> {
  const costs = { ...QUIET.costs, ...options.profile?.costs };
  return createMachine({ ...options, profile: { ...QUIET, ...options.profile, costs } });
}

/** A thread that runs what `body` builds. */
export function spawn(
  process: KProcess,
  name: string,
  body: (builder: ProgramBuilder) => void,
  options?: ThreadOptions,
): KThread {
  return process.createThread(process.machine.loadProgram(program(name, body)), options);
}

/** A thread that waits for `event`, then runs what `body` builds. */
export function spawnWaiting(
  process: KProcess,
  name: string,
  event: KEvent,
  body: (builder: ProgramBuilder) => void,
  options?: ThreadOptions,
): KThread {
  return spawn(process, name, body, { ...options, waitsFor: event });
}

/** Who was switched in, where and when: "15625000 P0 name", of threads that are still referred to. */
export function switches(machine: Machine): string[] {
  return recordsOf(machine, 'contextSwitch').map(
    ({ timeNs, processor, newThread }) =>
      `${timeNs} P${processor} ${machine.thread(newThread)?.name ?? 'idle'}`,
  );
}

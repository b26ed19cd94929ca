import { OP } from '../../assembly/shared/opcode';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import { encode, words64 } from '../machine/instruction';
import { Machine } from '../machine/machine';
import type { ProfileOptions } from '../machine/profile';
import type { RunResult } from '../machine/result';
import type { KSemaphore, KThread } from '../machine/views';
import type { BurstSink } from './bursts';

/** Scheduling policies: NT's own, and two baselines on NT's queues without priorities and boosts. */
export type Policy = 'nt' | 'fifo' | 'rr';

interface RecordedThread {
  readonly name: string;
  readonly linuxPriority: number;
  readonly forked: boolean;
  readonly ops: (readonly [kind: 'compute' | 'wake' | 'wait', value: number])[];
  computeNs: number;
}

/**
 * NT's priority for a Linux one: nice 0 is 8, nice -20 is 15, nice 19 is 1; real-time priorities
 * 1-99 spread over 16-31. Our choice: no document maps the two.
 */
export function mapPriority(linuxPriority: number): number {
  if (linuxPriority < 100)
    return 16 + Math.min(15, Math.floor(((98 - Math.max(0, linuxPriority)) * 16) / 99));
  return Math.max(1, Math.min(15, 8 - Math.round(((linuxPriority - 120) * 7) / 20)));
}

/** Collects a recording's bursts, thread by thread, to be replayed any number of times. */
export class RecordedWorkload implements BurstSink {
  readonly threads: RecordedThread[] = [];
  readonly interrupts: {
    readonly timeNs: number;
    readonly cpu: number;
    readonly target: number;
  }[] = [];

  process(): void {}

  thread(
    thread: number,
    _process: number,
    _tid: number,
    name: string,
    linuxPriority: number,
    parent: number,
  ): void {
    this.threads[thread] = { name, linuxPriority, forked: parent >= 0, ops: [], computeNs: 0 };
  }

  rename(): void {}

  compute(thread: number, ns: number): void {
    if (ns === 0) return;
    const recorded = this.at(thread);
    recorded.computeNs += ns;
    recorded.ops.push(['compute', ns]);
  }

  wake(thread: number, target: number): void {
    this.at(thread).ops.push(['wake', target]);
  }

  wait(thread: number): void {
    this.at(thread).ops.push(['wait', thread]);
  }

  fork(thread: number, child: number): void {
    this.at(thread).ops.push(['wake', child]);
  }

  setPriority(): void {}

  exit(): void {}

  interruptWake(timeNs: number, cpu: number, target: number): void {
    this.interrupts.push({ timeNs, cpu, target });
  }

  advance(): void {}

  private at(thread: number): RecordedThread {
    return this.threads[thread] as RecordedThread;
  }
}

export interface ThreadReport {
  readonly name: string;
  /** Ns, as recorded and as replayed; equal for a thread that came to its end. */
  readonly recordedRunNs: number;
  readonly runNs: number;
  readonly contextSwitches: number;
  readonly preemptions: number;
  readonly migrations: number;
}

export interface ReplayReport {
  readonly policy: Policy;
  readonly stopped: RunResult['reason'];
  /** When the last step happened, ns. */
  readonly endNs: number;
  readonly threads: readonly ThreadReport[];
  readonly contextSwitches: number;
  /** Busy share of each processor, 0-1. */
  readonly utilisation: readonly number[];
  readonly digest: string;
}

const POLICIES: Readonly<Record<Policy, ProfileOptions>> = {
  nt: {},
  fifo: { quantumUnits: 'infinite', boosts: false, starvationNs: 0 },
  rr: { quantumUnits: 6, boosts: false, starvationNs: 0 },
};

export interface ReplayOptions {
  readonly processors: number;
  readonly profile?: 'client' | 'server';
  readonly policy?: Policy;
}

function encodeThread(
  thread: RecordedThread,
  gates: readonly KSemaphore[],
  own: number,
): Uint32Array {
  const handle = (target: number) => words64((gates[target] as KSemaphore).handle);
  const wait = [encode(OP.Wait), ...handle(own), ...words64(Number.POSITIVE_INFINITY)];
  const words: number[] = thread.forked ? [...wait] : [];
  for (const [kind, value] of thread.ops) {
    if (kind === 'compute') words.push(encode(OP.Compute, 1), ...words64(value));
    else if (kind === 'wait') words.push(...wait);
    else words.push(encode(OP.ReleaseSemaphore, 0, 1), ...handle(value), 1);
  }
  words.push(encode(OP.Exit), 0);
  return Uint32Array.from(words);
}

/**
 * Replays a recorded workload on NT's scheduler. Run time is what was recorded; a thread's own
 * operations are charged to its processor's overhead. A forked thread is there from the start and
 * waits for its fork.
 */
export async function replay(
  workload: RecordedWorkload,
  options: ReplayOptions,
): Promise<ReplayReport> {
  const policy = options.policy ?? 'nt';
  const { threads } = workload;
  const words = threads.reduce((sum, thread) => sum + 16 + thread.ops.length * 5, 0);
  const machine = await Machine.create({
    processors: options.processors,
    profile: { product: options.profile ?? 'client', ...POLICIES[policy] },
    capacities: {
      threads: threads.length + 16,
      objects: threads.length + 16,
      programWords: words + 1024,
      interrupts: Math.max(1, workload.interrupts.length),
    },
    livelockSteps: 0,
  });
  const gates = threads.map(() => machine.createSemaphore(0));
  const variable = machine.createProcess({ name: 'variable' });
  const realtime = machine.createProcess({
    name: 'realtime',
    priorityClass: PRIORITY_CLASS.Realtime,
  });
  const replayed: KThread[] = threads.map((thread, index) => {
    const program = machine.loadProgram({
      name: thread.name,
      words: encodeThread(thread, gates, index),
    });
    const priority = policy === 'nt' ? mapPriority(thread.linuxPriority) : 8;
    const process = priority >= 16 ? realtime : variable;
    const increment = priority - process.basePriority;
    return process.createThread(program, { name: thread.name, increment, uncharged: true });
  });
  for (const { timeNs, cpu, target } of workload.interrupts) {
    machine.scheduleInterrupt(timeNs, cpu % options.processors, gates[target] as KSemaphore);
  }
  let result = machine.run();
  while (result.reason === 'events') result = machine.run();
  const times = Array.from({ length: options.processors }, (_, cpu) => machine.processorTimes(cpu));
  return {
    policy,
    stopped: result.reason,
    endNs: machine.now,
    threads: replayed.map((thread, index) => ({
      name: thread.name,
      recordedRunNs: (threads[index] as RecordedThread).computeNs,
      runNs: thread.runTimeNs,
      contextSwitches: thread.contextSwitches,
      preemptions: thread.preemptions,
      migrations: thread.migrations,
    })),
    contextSwitches: times.reduce((sum, time) => sum + time.contextSwitches, 0),
    utilisation: times.map((time) => time.busyNs / Math.max(1, machine.now)),
    digest: machine.digest,
  };
}

import { LIMIT } from '../../assembly/shared/limits';
import { MachineError } from './errors';
import { requireKnown } from './given';
import {
  type MachineProfile,
  type ProfileOptions,
  requireInteger,
  resolveProfile,
} from './profile';
import type { WorkerPool } from './worker-pool';

/** How many of each the machine has room for. Tables are laid out at creation; a full one is STATUS_INSUFFICIENT_RESOURCES. */
export interface Capacities {
  readonly processes: number;
  readonly threads: number;
  /** Events, semaphores and mutants. */
  readonly objects: number;
  /** Objects that threads wait for at once in waits for several. */
  readonly waitBlocks: number;
  /** Threads that use queues, APCs, suspension, alerts or attaching. */
  readonly threadExtensions: number;
  /** Routines that run in front of what threads do, and processes that threads are attached to, at once. */
  readonly trapFrames: number;
  /** Entries of all queues. */
  readonly queueEntries: number;
  /** 32-bit words of program memory. */
  readonly programWords: number;
  /** 32-bit words that programs share (InterlockedAdd). */
  readonly sharedWords: number;
  /** Device interrupts scheduled and not yet taken. */
  readonly interrupts: number;
  /** Records of the trace ring, a power of two. */
  readonly traceRecords: number;
  /** System calls that programs answer have numbers below this. */
  readonly systemCalls: number;
  /** Threads of worker ports. */
  readonly portContexts: number;
  /** Bytes of memory for the guests of worker ports. */
  readonly guestBytes: number;
}

const DEFAULT_CAPACITIES: Capacities = {
  processes: 1024,
  threads: 8192,
  objects: 8192,
  waitBlocks: 8192,
  threadExtensions: 8192,
  trapFrames: 8192,
  queueEntries: 8192,
  programWords: 65_536,
  sharedWords: 1024,
  interrupts: 4096,
  traceRecords: 65_536,
  systemCalls: 64,
  portContexts: 64,
  guestBytes: 65_536,
};

const CAPACITY_BOUNDS: { readonly [name in keyof Capacities]: readonly [number, number] } = {
  processes: [2, LIMIT.Processes],
  threads: [4, LIMIT.Threads],
  objects: [1, LIMIT.Objects],
  waitBlocks: [1, LIMIT.Objects],
  threadExtensions: [1, LIMIT.Threads],
  trapFrames: [1, LIMIT.Objects],
  queueEntries: [1, LIMIT.Objects],
  programWords: [64, 0x3fffffff],
  sharedWords: [1, 0x3fffffff],
  interrupts: [1, 0x7ffffff],
  traceRecords: [1024, 0x4000000],
  systemCalls: [1, 0x10000],
  portContexts: [1, LIMIT.Threads],
  guestBytes: [4, LIMIT.MemoryBytes],
};

export interface Topology {
  /** 1-2048. */
  readonly processors: number;
  /** Processors a group, 1-64; groups are filled evenly. */
  readonly groupSize?: number;
  /** NUMA nodes, 1-64, at least one a group; processors are dealt evenly. */
  readonly nodes?: number;
  /** Row by row, the distance from each node to each: the order in which work is looked for. Default |a - b|. */
  readonly nodeDistances?: readonly (readonly number[])[];
}

export interface MachineOptions extends Partial<Topology> {
  readonly profile?: 'client' | 'server' | ProfileOptions;
  readonly capacities?: Partial<Capacities>;
  /** Seeds every random draw of the machine; a safe integer. Default 0. */
  readonly seed?: number;
  readonly trace?: {
    /** 'drain' stops for the subscribers, or returns if there are none; 'overwrite' counts what it lost. Default 'overwrite'. */
    readonly whenFull?: 'drain' | 'overwrite';
  };
  /** Steps in which threads only synchronise before `run` reports a livelock; 0: no guard. Default 50,000,000. */
  readonly livelockSteps?: number;
  /**
   * Routines called at a level at which they must not be are bugcheck DRIVER_VERIFIER_DETECTED_VIOLATION,
   * as under Driver Verifier; false: what a free build does, which is often nothing. Default true.
   */
  readonly checkIrql?: boolean;
  /**
   * The core to run on: bytes or a module of `ntps.wasm`, or a function that makes its exports; with
   * workers, bytes or a module of `ntps.threads.wasm`. Default: built in.
   */
  readonly core?: CoreSource;
  /**
   * Workers, 64 at most, that advance the guests of worker ports (see `loadPort`) while the kernel goes on; the history
   * is the same for any number, and for 0, the default. Where the host has no memory to share with them,
   * or when the first port is loaded does not let them be made, there are none, and `onNotice` is told why.
   * Such a machine is to be disposed of.
   */
  readonly workers?: number;
  /** Where the workers come from and go back to. Default: they are made for this machine. */
  readonly workerPool?: WorkerPool;
  /** Milliseconds in which nothing moves after which `run` gives a worker up. Default 30,000. */
  readonly workerTimeoutMs?: number;
  /** For tests: workers pause at random, for so many microseconds at the most. Default 0. */
  readonly workerPauseUs?: number;
  /** Told what the machine has to do without. Default: `notices` has it, nobody is told. */
  readonly onNotice?: (notice: string) => void;
}

/** WebAssembly.Memory and WebAssembly.Module, for users too whose types do not have them: Node's alone. */
export type CoreMemory = typeof globalThis extends {
  WebAssembly: { Memory: { prototype: infer M } };
}
  ? M
  : { readonly buffer: ArrayBuffer };
export type CoreModule = typeof globalThis extends {
  WebAssembly: { Module: { prototype: infer M } };
}
  ? M
  : object;

export type CoreImports = { readonly env: { readonly memory: CoreMemory } };
export type CoreSource =
  | ArrayBuffer
  | ArrayBufferView
  | CoreModule
  | ((imports: CoreImports) => Record<string, unknown> | Promise<Record<string, unknown>>);

export interface ProcessorPlace {
  readonly group: number;
  readonly groupIndex: number;
  readonly node: number;
}

export interface ResolvedOptions {
  readonly processors: number;
  readonly profile: MachineProfile;
  readonly capacities: Capacities;
  readonly places: readonly ProcessorPlace[];
  readonly groups: number;
  readonly nodes: number;
  /** For each node, all nodes by distance. */
  readonly nodeOrder: readonly (readonly number[])[];
  readonly seed: number;
  readonly overwrite: boolean;
  readonly livelockSteps: number;
  readonly checkIrql: boolean;
  readonly workers: number;
  readonly workerTimeoutMs: number;
  readonly workerPauseUs: number;
}

const OPTION_NAMES = [
  'processors',
  'groupSize',
  'nodes',
  'nodeDistances',
  'profile',
  'capacities',
  'seed',
  'trace',
  'livelockSteps',
  'checkIrql',
  'core',
  'workers',
  'workerPool',
  'workerTimeoutMs',
  'workerPauseUs',
  'onNotice',
];

function resolveCapacities(given: Partial<Capacities> = {}): Capacities {
  requireKnown('capacities', given, Object.keys(DEFAULT_CAPACITIES), 'no capacity');
  const capacities = { ...DEFAULT_CAPACITIES, ...given };
  for (const [name, [low, high]] of Object.entries(CAPACITY_BOUNDS)) {
    requireInteger(`capacities.${name}`, capacities[name as keyof Capacities], low, high);
  }
  const records = capacities.traceRecords;
  if ((records & (records - 1)) !== 0) {
    throw new MachineError(
      `capacities.traceRecords is ${records}; give a power of two, such as 65536`,
    );
  }
  return capacities;
}

/**
 * Places processors: groups filled evenly, each with a share of the nodes, each node's processors
 * side by side. `nodes` is at least `groups` and at most `processors`, so that none stays empty.
 */
function placeProcessors(processors: number, groups: number, nodes: number): ProcessorPlace[] {
  const places: ProcessorPlace[] = [];
  let firstNode = 0;
  for (let group = 0; group < groups; group++) {
    const first = places.length;
    const count = Math.floor((processors * (group + 1)) / groups) - first;
    const share = Math.floor((count * (nodes - firstNode)) / (processors - first));
    const later = groups - group - 1;
    const nodeCount = Math.min(Math.max(share, 1), nodes - firstNode - later);
    for (let groupIndex = 0; groupIndex < count; groupIndex++) {
      const node = firstNode + Math.floor((groupIndex * nodeCount) / count);
      places.push({ group, groupIndex, node });
    }
    firstNode += nodeCount;
  }
  return places;
}

function orderNodes(nodes: number, distances: Topology['nodeDistances']): number[][] {
  if (
    distances !== undefined &&
    (distances.length !== nodes || distances.some((row) => row.length !== nodes))
  ) {
    throw new MachineError(
      `nodeDistances must have ${nodes} rows of ${nodes} numbers, one for each node`,
    );
  }
  const all = Array.from({ length: nodes }, (_, node) => node);
  return all.map((from) => {
    const distance = (to: number) =>
      to === from ? -1 : (distances?.[from]?.[to] ?? Math.abs(to - from));
    return [...all].sort((a, b) => distance(a) - distance(b) || a - b);
  });
}

export function resolveOptions(options: MachineOptions): ResolvedOptions {
  requireKnown('Machine.create: options', options, OPTION_NAMES, 'no option of a machine');
  if (options.trace !== undefined)
    requireKnown('trace', options.trace, ['whenFull'], 'no option of trace');
  const processors = requireInteger('processors', options.processors ?? 1, 1, LIMIT.Processors);
  const groupSize = requireInteger(
    'groupSize',
    options.groupSize ?? 64,
    1,
    LIMIT.ProcessorsPerGroup,
  );
  const groups = Math.ceil(processors / groupSize);
  if (groups > LIMIT.Groups) {
    throw new MachineError(
      `${processors} processors in groups of ${groupSize} are ${groups} groups; raise groupSize (32 groups at most)`,
    );
  }
  const nodes = requireInteger('nodes', options.nodes ?? groups, 1, LIMIT.Nodes);
  if (nodes < groups || nodes > processors) {
    throw new MachineError(
      `nodes is ${nodes}; give at least one for each of the ${groups} groups and at most one for each processor`,
    );
  }
  const whenFull = options.trace?.whenFull ?? 'overwrite';
  if (whenFull !== 'drain' && whenFull !== 'overwrite') {
    throw new MachineError(`trace.whenFull is '${String(whenFull)}'; give 'drain' or 'overwrite'`);
  }
  return {
    processors,
    profile: resolveProfile(options.profile),
    capacities: resolveCapacities(options.capacities),
    places: placeProcessors(processors, groups, nodes),
    groups,
    nodes,
    nodeOrder: orderNodes(nodes, options.nodeDistances),
    seed: requireInteger(
      'seed',
      options.seed ?? 0,
      Number.MIN_SAFE_INTEGER,
      Number.MAX_SAFE_INTEGER,
    ),
    overwrite: whenFull === 'overwrite',
    checkIrql: options.checkIrql ?? true,
    workers: requireInteger('workers', options.workers ?? 0, 0, LIMIT.Workers),
    workerTimeoutMs: requireInteger(
      'workerTimeoutMs',
      options.workerTimeoutMs ?? 30_000,
      1,
      0x7fffffff,
    ),
    workerPauseUs: requireInteger('workerPauseUs', options.workerPauseUs ?? 0, 0, 1_000_000),
    livelockSteps: requireInteger(
      'livelockSteps',
      options.livelockSteps ?? 50_000_000,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
  };
}

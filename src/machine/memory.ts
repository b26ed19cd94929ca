import { RECORD } from '../../assembly/shared/event';
import {
  ABI,
  KENGINE,
  KFLIGHT,
  KGROUP,
  KINTERRUPT,
  KNODE,
  KOBJECT,
  KPRCB,
  KPROCESS,
  KQUEUE_ENTRY,
  KSYSTEM,
  KTABLE,
  KTHREAD,
  KTHREAD_EXTENSION,
  KTIMER_TABLE,
  KTRAP_FRAME,
  KWAIT_BLOCK_ROW,
  PORT_CONTEXT,
} from '../../assembly/shared/layout';
import { LIMIT } from '../../assembly/shared/limits';
import { ACTIVATION } from '../../assembly/shared/types';
import { MachineError } from './errors';
import type { CoreMemory, ResolvedOptions } from './options';
import { decodePrioritySeparation, type MachineProfile } from './profile';

/** The machine's memory, read and written by word. Addresses are bytes. */
export class MachineMemory {
  readonly words: Uint32Array;
  private readonly signed: Int32Array;

  constructor(
    readonly memory: CoreMemory,
    /** Where the contexts of worker ports and the memory of their guests begin. */
    readonly portContexts = 0,
    readonly guests = 0,
  ) {
    this.words = new Uint32Array(memory.buffer);
    this.signed = new Int32Array(memory.buffer);
  }

  u32(address: number): number {
    return this.words[address >>> 2] as number;
  }

  i32(address: number): number {
    return this.signed[address >>> 2] as number;
  }

  setU32(address: number, value: number): void {
    this.words[address >>> 2] = value;
  }

  /** Two words as a number; exact up to 2^53, and all ones is Infinity (never). */
  u64(address: number): number {
    const high = this.u32(address + 4);
    const low = this.u32(address);
    if (high === 0xffffffff && low === 0xffffffff) return Number.POSITIVE_INFINITY;
    return high * 0x1_0000_0000 + low;
  }

  big(address: number): bigint {
    return (BigInt(this.u32(address + 4)) << 32n) | BigInt(this.u32(address));
  }

  setU64(address: number, value: number): void {
    if (value === Number.POSITIVE_INFINITY) {
      this.setU32(address, 0xffffffff);
      this.setU32(address + 4, 0xffffffff);
      return;
    }
    this.setU32(address, value % 0x1_0000_0000);
    this.setU32(address + 4, Math.floor(value / 0x1_0000_0000));
  }

  setBig(address: number, value: bigint): void {
    this.setU32(address, Number(value & 0xffffffffn));
    this.setU32(address + 4, Number((value >> 32n) & 0xffffffffn));
  }
}

export interface Region {
  readonly name: string;
  readonly address: number;
  readonly length: number;
}

/** Where the core's own stack-less data may lie; regions begin behind it. */
const FIRST_REGION = 0x8000;

/** Lays the regions out one behind the other, each on a cache line. */
export function layOut(options: ResolvedOptions): Region[] {
  const { capacities, processors } = options;
  const leaves = treeLeaves(processors);
  const sizes: readonly (readonly [string, number])[] = [
    ['processors', processors * KPRCB.Size],
    ['groups', options.groups * KGROUP.Size],
    ['nodes', options.nodes * KNODE.Size],
    ['nodeOrder', options.nodes * options.nodes * 4],
    ['keys', leaves * 8],
    ['winners', leaves * 2 * 4],
    ['engine', KENGINE.Size],
    ['flights', processors * KFLIGHT.Size],
    // The second is that of high-resolution timers.
    ['timers', 2 * KTIMER_TABLE.Size],
    ['objects', (capacities.objects + 1) * KOBJECT.Size],
    ['waitBlocks', (capacities.waitBlocks + 1) * KWAIT_BLOCK_ROW.Size],
    ['activations', processors * ACTIVATION.Levels * KTHREAD.Size],
    ['threads', (capacities.threads + 1) * KTHREAD.Size],
    ['threadExtensions', (capacities.threadExtensions + 1) * KTHREAD_EXTENSION.Size],
    ['trapFrames', (capacities.trapFrames + 1) * KTRAP_FRAME.Size],
    ['queueEntries', (capacities.queueEntries + 1) * KQUEUE_ENTRY.Size],
    ['processes', (capacities.processes + 1) * KPROCESS.Size],
    ['interrupts', capacities.interrupts * KINTERRUPT.Size],
    ['sharedWords', capacities.sharedWords * 4],
    ['systemCalls', capacities.systemCalls * 4],
    ['programs', capacities.programWords * 4],
    ['trace', capacities.traceRecords * RECORD.Size],
    ['portContexts', capacities.portContexts * PORT_CONTEXT.Size],
    ['guests', capacities.guestBytes],
  ];
  let address = FIRST_REGION;
  return sizes.map(([name, length]) => {
    const region = { name, address, length };
    address += Math.ceil(length / LIMIT.CacheLine) * LIMIT.CacheLine;
    return region;
  });
}

export function treeLeaves(processors: number): number {
  return 2 ** Math.ceil(Math.log2(processors));
}

/**
 * Reserves the memory, shared or plain, and fills in the system block, the tables and the topology. It
 * never grows: workers and views have it as it is.
 */
export function createMemory(options: ResolvedOptions, shared: boolean): MachineMemory {
  const regions = layOut(options);
  const last = regions[regions.length - 1] as Region;
  const bytes = last.address + last.length;
  const largest = regions.reduce((a, b) => (b.length > a.length ? b : a));
  const tooLarge = (why: string) =>
    new MachineError(
      `the machine needs ${Math.ceil(bytes / 2 ** 20)} MiB of memory${why}; lower capacities.${capacityOf(largest.name)} (${largest.name} take ${Math.ceil(largest.length / 2 ** 20)} MiB)`,
    );
  if (bytes > LIMIT.MemoryBytes) throw tooLarge(', more than WebAssembly has');
  const pages = Math.ceil(bytes / LIMIT.PageBytes);
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch {
    throw tooLarge(', which this host refuses');
  }
  const base = new Map(regions.map((region) => [region.name, region.address]));
  const machine = new MachineMemory(memory, base.get('portContexts'), base.get('guests'));
  writeSystem(machine, options, (name) => base.get(name) as number);
  writeTopology(machine, options, (name) => base.get(name) as number);
  return machine;
}

function capacityOf(region: string): string {
  const names: Record<string, string> = {
    programs: 'programWords',
    trace: 'traceRecords',
    guests: 'guestBytes',
  };
  return names[region] ?? region;
}

function writeTable(
  memory: MachineMemory,
  table: number,
  base: number,
  rowSize: number,
  capacity: number,
  generation: number,
): void {
  const address = KSYSTEM.Address + table;
  memory.setU32(address + KTABLE.Base, base);
  memory.setU32(address + KTABLE.RowSize, rowSize);
  memory.setU32(address + KTABLE.Capacity, capacity);
  memory.setU32(address + KTABLE.Generation, generation);
}

/** Quantum units of processes in and out of the foreground; all ones is for ever. */
export function quantumUnits(profile: MachineProfile): { foreground: number; background: number } {
  if (profile.quantumUnits === 'infinite')
    return { foreground: 0xffffffff, background: 0xffffffff };
  if (profile.quantumUnits !== 'table') {
    return { foreground: profile.quantumUnits, background: profile.quantumUnits };
  }
  return decodePrioritySeparation(profile.win32PrioritySeparation, profile.product);
}

function writeSystem(
  memory: MachineMemory,
  options: ResolvedOptions,
  base: (name: string) => number,
): void {
  const { capacities, profile } = options;
  const word = (field: number, value: number) => memory.setU32(KSYSTEM.Address + field, value);
  const pair = (field: number, value: number) => memory.setU64(KSYSTEM.Address + field, value);
  word(KSYSTEM.Signature, ABI.Signature);
  word(KSYSTEM.Version, ABI.Version);
  word(KSYSTEM.ProcessorCount, options.processors);
  word(KSYSTEM.GroupCount, options.groups);
  word(KSYSTEM.NodeCount, options.nodes);
  word(KSYSTEM.TreeLeaves, treeLeaves(options.processors));
  word(KSYSTEM.PrcbBase, base('processors'));
  word(KSYSTEM.GroupBase, base('groups'));
  word(KSYSTEM.NodeBase, base('nodes'));
  word(KSYSTEM.NodeOrderBase, base('nodeOrder'));
  word(KSYSTEM.KeyBase, base('keys'));
  word(KSYSTEM.WinnerBase, base('winners'));
  word(KSYSTEM.TimerBase, base('timers'));
  word(KSYSTEM.TraceBase, base('trace'));
  word(KSYSTEM.TraceCapacity, capacities.traceRecords);
  word(KSYSTEM.TraceOverwrite, options.overwrite ? 1 : 0);
  word(KSYSTEM.EngineBase, base('engine'));
  word(KSYSTEM.FlightBase, base('flights'));
  word(KSYSTEM.SystemCallBase, base('systemCalls'));
  word(KSYSTEM.SystemCallCount, capacities.systemCalls);
  word(KSYSTEM.WordBase, base('sharedWords'));
  word(KSYSTEM.WordCount, capacities.sharedWords);
  word(KSYSTEM.ProgramBase, base('programs'));
  word(KSYSTEM.ProgramCapacity, capacities.programWords);
  word(KSYSTEM.ActivationBase, base('activations'));
  word(KSYSTEM.DpcTimeLimit, profile.dpcTimeLimitTicks);
  word(KSYSTEM.DpcWatchdogLimit, profile.dpcWatchdogTicks);
  word(KSYSTEM.MaximumDpcQueueDepth, profile.maximumDpcQueueDepth);
  word(KSYSTEM.MinimumDpcRate, profile.minimumDpcRate);
  word(KSYSTEM.InterruptBase, base('interrupts'));
  word(KSYSTEM.InterruptCapacity, capacities.interrupts);
  writeTable(
    memory,
    KSYSTEM.ObjectTable,
    base('objects'),
    KOBJECT.Size,
    capacities.objects,
    KOBJECT.Generation,
  );
  writeTable(
    memory,
    KSYSTEM.WaitBlockTable,
    base('waitBlocks'),
    KWAIT_BLOCK_ROW.Size,
    capacities.waitBlocks,
    KWAIT_BLOCK_ROW.Generation,
  );
  writeTable(
    memory,
    KSYSTEM.ThreadTable,
    base('threads'),
    KTHREAD.Size,
    capacities.threads,
    KTHREAD.Generation,
  );
  writeTable(
    memory,
    KSYSTEM.ExtensionTable,
    base('threadExtensions'),
    KTHREAD_EXTENSION.Size,
    capacities.threadExtensions,
    KTHREAD_EXTENSION.Generation,
  );
  writeTable(
    memory,
    KSYSTEM.TrapFrameTable,
    base('trapFrames'),
    KTRAP_FRAME.Size,
    capacities.trapFrames,
    KTRAP_FRAME.Generation,
  );
  writeTable(
    memory,
    KSYSTEM.QueueEntryTable,
    base('queueEntries'),
    KQUEUE_ENTRY.Size,
    capacities.queueEntries,
    KQUEUE_ENTRY.Generation,
  );
  writeTable(
    memory,
    KSYSTEM.ProcessTable,
    base('processes'),
    KPROCESS.Size,
    capacities.processes,
    KPROCESS.Generation,
  );

  word(KSYSTEM.CostContextSwitch, profile.costs.contextSwitch);
  word(KSYSTEM.CostClock, profile.costs.clockInterrupt);
  word(KSYSTEM.CostDpc, profile.costs.dpc);
  word(KSYSTEM.CostSystemCall, profile.costs.systemCall);
  word(KSYSTEM.CostDdi, profile.costs.ddi);
  word(KSYSTEM.CostIpi, profile.costs.interprocessorInterrupt);
  word(KSYSTEM.CostDevice, profile.costs.deviceInterrupt);
  word(KSYSTEM.CostBalance, profile.costs.balanceScan);
  pair(KSYSTEM.CostSwapIn64, profile.costs.swapIn);
  word(KSYSTEM.IpiLatency, profile.interprocessorLatencyNs);
  word(KSYSTEM.ClockInterval, profile.clockIntervalNs);
  word(KSYSTEM.TimerResolution, profile.timerResolutionNs);
  word(
    KSYSTEM.MinimumTimerResolution,
    Math.min(profile.minimumTimerResolutionNs, profile.timerResolutionNs),
  );
  memory.setBig(KSYSTEM.Address + KSYSTEM.SystemBootTime64, profile.bootTime100ns);
  const separation = decodePrioritySeparation(
    profile.win32PrioritySeparation,
    profile.product,
  ).separation;
  word(KSYSTEM.PrioritySeparation, separation);
  word(KSYSTEM.WaitQuantumCharge, profile.waitQuantumCharge);
  pair(KSYSTEM.StarvationTime64, profile.starvationNs);
  pair(KSYSTEM.BalancePeriod64, profile.balancePeriodNs);
  word(KSYSTEM.BalanceScanThreads, profile.balanceScanThreads);
  word(KSYSTEM.BalanceBoostThreads, profile.balanceBoostThreads);
  word(KSYSTEM.BalancePriority, profile.starvationPriority - 1);
  word(KSYSTEM.StarvationPriority, profile.starvationPriority);
  word(KSYSTEM.StarvationQuantum, profile.starvationQuantumUnits);
  word(KSYSTEM.BackgroundQuantum, quantumUnits(profile).background);
  pair(KSYSTEM.StackOutswap64, profile.stackOutswapNs);
  pair(KSYSTEM.ProcessOutswap64, profile.processOutswapNs);
  memory.setBig(KSYSTEM.Address + KSYSTEM.Seed64, BigInt.asUintN(64, BigInt(options.seed)));
  pair(KSYSTEM.LivelockSteps64, options.livelockSteps);
}

function writeTopology(
  memory: MachineMemory,
  options: ResolvedOptions,
  base: (name: string) => number,
): void {
  options.places.forEach((place, number) => {
    const prcb = base('processors') + number * KPRCB.Size;
    memory.setU32(prcb + KPRCB.Number, number);
    memory.setU32(prcb + KPRCB.Group, place.group);
    memory.setU32(prcb + KPRCB.Node, place.node);
    memory.setU32(prcb + KPRCB.GroupIndex, place.groupIndex);
    memory.setBig(prcb + KPRCB.SetMember64, 1n << BigInt(place.groupIndex));

    const group = base('groups') + place.group * KGROUP.Size;
    if (place.groupIndex === 0) memory.setU32(group + KGROUP.FirstProcessor, number);
    memory.setU32(group + KGROUP.ProcessorCount, place.groupIndex + 1);

    const node = base('nodes') + place.node * KNODE.Size;
    const count = memory.u32(node + KNODE.ProcessorCount);
    if (count === 0) {
      memory.setU32(node + KNODE.FirstProcessor, number);
      memory.setU32(node + KNODE.Group, place.group);
      // The first process starts at the node's first processor: the seed is advanced before use.
      memory.setU32(node + KNODE.Seed, 63);
    }
    memory.setU32(node + KNODE.ProcessorCount, count + 1);
    const affinity = memory.big(node + KNODE.Affinity64) | (1n << BigInt(place.groupIndex));
    memory.setBig(node + KNODE.Affinity64, affinity);
  });
  options.nodeOrder.forEach((order, node) => {
    order.forEach((other, rank) => {
      memory.setU32(base('nodeOrder') + (node * options.nodes + rank) * 4, other);
    });
  });
}

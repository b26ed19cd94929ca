import { MachineError } from './errors';
import { inWords } from './given';

/**
 * Figures of the emulated Windows that depend on its version, edition or hardware.
 * Source unless noted: Windows Internals, 7th edition, part 1, chapter 4.
 */
export interface MachineProfile {
  /** 'client' or 'server': what Win32PrioritySeparation leaves open. */
  readonly product: 'client' | 'server';
  /** The registry value; see `decodePrioritySeparation`. 2 on both editions. */
  readonly win32PrioritySeparation: number;
  /** Clock interval, ns. KeQueryTimeIncrement's 156250 units of 100 ns. */
  readonly clockIntervalNs: number;
  /** The lowest timer resolution in force, ns: 500,000 up to the clock interval. Clock interrupts come this often. */
  readonly timerResolutionNs: number;
  /** The lowest timer resolution that can be asked for, ns: timerResolutionNs if that is lower. */
  readonly minimumTimerResolutionNs: number;
  /** The system time at boot, 100 ns since 1601. Default: the first of January 2026. */
  readonly bootTime100ns: bigint;
  /** Counts a second of KeQueryPerformanceCounter. 10 MHz, as on Windows 10 and later. */
  readonly performanceFrequency: number;
  /** Cycles per microsecond of the time-stamp counter: run time in cycles is ns times this over 1000. */
  readonly cyclesPerMicrosecond: number;
  /** Costs in ns of virtual time, each at least 1. Our estimates for a desktop of about 2020. */
  readonly costs: MachineCosts;
  /** From one processor's request to another's interrupt, ns, at least 1. */
  readonly interprocessorLatencyNs: number;
  /** A thread that has been ready for longer is lifted; 0: there is no balance-set manager. */
  readonly starvationNs: number;
  /** The balance-set manager's period, ns. */
  readonly balancePeriodNs: number;
  /** Ready threads it looks at in a pass, and boosts in a pass (64 at most). */
  readonly balanceScanThreads: number;
  readonly balanceBoostThreads: number;
  /** Priority of a starved thread for one quantum, 1-15. */
  readonly starvationPriority: number;
  /** Quantum units of a starved thread's run; 0: its own quantum. */
  readonly starvationQuantumUnits: number;
  /**
   * Quantum units that a wait without a boost costs. Literature says 1; context-switch recordings of
   * Windows show that only run time is charged, which is the default.
   */
  readonly waitQuantumCharge: number;
  /** Whether unwaited threads are boosted at all. */
  readonly boosts: boolean;
  /** Overrides the quantum table: units for every thread, or 'infinite'. */
  readonly quantumUnits: number | 'infinite' | 'table';
  /** Kernel stacks of user-mode waits this long are swapped out, ns; 0: never, as with ample memory. */
  readonly stackOutswapNs: number;
  /** So are processes all of whose threads have waited this long; 0: never. Needs `stackOutswapNs`. */
  readonly processOutswapNs: number;
  /** Clock ticks that one DPC may last before DPC_WATCHDOG_VIOLATION; 0: any number. */
  readonly dpcTimeLimitTicks: number;
  /** The same for all time at DISPATCH_LEVEL and above in one go. */
  readonly dpcWatchdogTicks: number;
  /** DPCs in a processor's queue from which it is drained at once, whatever their importance. */
  readonly maximumDpcQueueDepth: number;
  /** DPCs a tick up to which one of low importance is not held back. */
  readonly minimumDpcRate: number;
  /** The registry value ThreadDpcEnable: false makes threaded DPCs ordinary ones, at DISPATCH_LEVEL. */
  readonly threadDpcEnable: boolean;
  /** What a handle counts as in PointerCount: 32768, as on Windows 8 and later; before it was 1. */
  readonly handleReferences: number;
  /** System worker threads that stay. Windows before version 8 had 5 critical, 7 delayed and 1 hyper-critical one. */
  readonly workerThreads: number;
  /** With those that come while all wait; 4096 on Windows 8 and later. */
  readonly workerThreadsMaximum: number;
  /** Work that is queued so long, ns, without any being taken brings another worker thread. */
  readonly workerStallNs: number;
  /** Such a thread leaves when it has had nothing to do for so long, ns. */
  readonly workerIdleNs: number;
  /** Bytes of a kernel stack; 24 KB on x64. DPCs and interrupt routines have one of this size too. */
  readonly kernelStackBytes: number;
  /** Of a large one, which stacks are expanded with; 72 KB on x64. */
  readonly largeKernelStackBytes: number;
  /** How often a stack can be expanded at a time. Our choice: Windows has a limit that is written nowhere. */
  readonly kernelStackExpansions: number;
  /** What a routine takes of the stack that declares nothing. Our estimate. */
  readonly routineStackBytes: number;
}

export interface MachineCosts {
  readonly contextSwitch: number;
  readonly clockInterrupt: number;
  readonly dpc: number;
  readonly systemCall: number;
  /** Any DDI: a wait, a signal, a priority change. */
  readonly ddi: number;
  readonly interprocessorInterrupt: number;
  readonly deviceInterrupt: number;
  readonly balanceScan: number;
  readonly swapIn: number;
}

const CLIENT: MachineProfile = {
  product: 'client',
  win32PrioritySeparation: 2,
  clockIntervalNs: 15_625_000,
  timerResolutionNs: 15_625_000,
  minimumTimerResolutionNs: 500_000,
  bootTime100ns: 134_116_992_000_000_000n,
  performanceFrequency: 10_000_000,
  cyclesPerMicrosecond: 3000,
  costs: {
    contextSwitch: 1000,
    clockInterrupt: 2000,
    dpc: 800,
    systemCall: 150,
    ddi: 200,
    interprocessorInterrupt: 700,
    deviceInterrupt: 1500,
    balanceScan: 5000,
    swapIn: 100_000,
  },
  interprocessorLatencyNs: 500,
  starvationNs: 4_000_000_000,
  balancePeriodNs: 1_000_000_000,
  balanceScanThreads: 16,
  balanceBoostThreads: 10,
  starvationPriority: 15,
  starvationQuantumUnits: 0,
  waitQuantumCharge: 0,
  boosts: true,
  quantumUnits: 'table',
  stackOutswapNs: 0,
  processOutswapNs: 0,
  dpcTimeLimitTicks: 0x500,
  dpcWatchdogTicks: 0x1e00,
  maximumDpcQueueDepth: 4,
  minimumDpcRate: 3,
  threadDpcEnable: true,
  handleReferences: 32_768,
  workerThreads: 13,
  workerThreadsMaximum: 4096,
  workerStallNs: 1_000_000_000,
  workerIdleNs: 600_000_000_000,
  kernelStackBytes: 0x6000,
  largeKernelStackBytes: 0x12000,
  kernelStackExpansions: 8,
  routineStackBytes: 256,
};

export const PROFILES: Readonly<Record<'client' | 'server', MachineProfile>> = {
  client: CLIENT,
  server: { ...CLIENT, product: 'server' },
};

/** Whether a LARGE_INTEGER is a time since 1601. */
export function isSystemTime(time100ns: bigint): boolean {
  return time100ns >= 0n && time100ns < 2n ** 63n;
}

/** Every figure may be overridden; costs one by one. */
export type ProfileOptions = Partial<Omit<MachineProfile, 'costs'>> & {
  readonly costs?: Partial<MachineCosts>;
};

export interface QuantumTable {
  readonly interval: 'short' | 'long';
  readonly length: 'variable' | 'fixed';
  /** PsPrioritySeparation, 0-2: the foreground boost of a wake and the index into the table. */
  readonly separation: number;
  /** Quantum units, thirds of a clock interval. */
  readonly foreground: number;
  readonly background: number;
}

/**
 * What a value of Win32PrioritySeparation means.
 *
 * Bits 4-5: 1 long, 2 short, else the edition's. Bits 2-3: 1 variable, 2 fixed, else the edition's
 * (client short and variable, server long and fixed). Bits 0-1: separation, 3 counts as 2.
 */
export function decodePrioritySeparation(
  value: number,
  product: 'client' | 'server',
): QuantumTable {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new MachineError(
      `win32PrioritySeparation is ${value}; give an unsigned 32-bit integer, such as 2 or 0x26`,
    );
  }
  const intervalBits = (value >>> 4) & 3;
  const lengthBits = (value >>> 2) & 3;
  const client = product === 'client';
  const short = intervalBits === 2 || (intervalBits !== 1 && client);
  const variable = lengthBits === 1 || (lengthBits !== 2 && client);
  const separation = Math.min(value & 3, 2);
  const interval = short ? 'short' : 'long';
  if (!variable) {
    const units = short ? 18 : 36;
    return { interval, length: 'fixed', separation, foreground: units, background: units };
  }
  const background = short ? 6 : 12;
  return {
    interval,
    length: 'variable',
    separation,
    foreground: background * (separation + 1),
    background,
  };
}

const BOUNDS: { readonly [field in keyof MachineProfile]?: readonly [number, number] } = {
  clockIntervalNs: [100_000, 1_000_000_000],
  timerResolutionNs: [10_000, 1_000_000_000],
  minimumTimerResolutionNs: [10_000, 1_000_000_000],
  performanceFrequency: [1, 1_000_000_000],
  cyclesPerMicrosecond: [1, 1_000_000],
  interprocessorLatencyNs: [1, 1_000_000_000],
  starvationNs: [0, Number.MAX_SAFE_INTEGER],
  balancePeriodNs: [1_000_000, Number.MAX_SAFE_INTEGER],
  balanceScanThreads: [1, 0xffffffff],
  // A pass is one step, and a step's records must fit what the trace ring keeps free for it.
  balanceBoostThreads: [1, 64],
  starvationPriority: [1, 15],
  starvationQuantumUnits: [0, 1_000_000],
  waitQuantumCharge: [0, 1_000_000],
  stackOutswapNs: [0, Number.MAX_SAFE_INTEGER],
  processOutswapNs: [0, Number.MAX_SAFE_INTEGER],
  dpcTimeLimitTicks: [0, 0xffffffff],
  dpcWatchdogTicks: [0, 0xffffffff],
  maximumDpcQueueDepth: [1, 0xffffffff],
  minimumDpcRate: [0, 0xffffffff],
  handleReferences: [1, 32_768],
  workerThreads: [1, 4096],
  workerThreadsMaximum: [1, 4096],
  workerStallNs: [1_000_000, Number.MAX_SAFE_INTEGER],
  workerIdleNs: [1_000_000, Number.MAX_SAFE_INTEGER],
  kernelStackBytes: [0x1000, 0x20000],
  largeKernelStackBytes: [0x1000, 0x20000],
  kernelStackExpansions: [0, 1000],
  routineStackBytes: [0, 0x1000],
};

/** Throws unless `value` is an integer in the range; `name` and the range are in the message. */
export function requireInteger(name: string, value: unknown, low: number, high: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) {
    throw new MachineError(`${name} is ${inWords(value)}; give an integer from ${low} to ${high}`);
  }
  return value;
}

/** A complete, checked profile from a name and overrides. */
export function resolveProfile(
  name: 'client' | 'server' | ProfileOptions = 'client',
): MachineProfile {
  const options: ProfileOptions = typeof name === 'string' ? { product: name } : name;
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new MachineError(
      `profile is ${inWords(options)}; give 'client' or 'server', or an object of figures`,
    );
  const product = options.product ?? 'client';
  if (product !== 'client' && product !== 'server') {
    throw new MachineError(
      `profile is '${String(product)}'; give 'client' or 'server', or an object of figures`,
    );
  }
  const base = PROFILES[product];
  for (const field of Object.keys(options)) {
    if (!(field in base))
      throw new MachineError(`profile.${field} is no figure of a profile; see MachineProfile`);
  }
  for (const field of Object.keys(options.costs ?? {})) {
    if (!(field in base.costs))
      throw new MachineError(`profile.costs.${field} is no cost; see MachineCosts`);
  }
  const profile: MachineProfile = {
    ...base,
    ...options,
    costs: { ...base.costs, ...options.costs },
  };
  for (const [field, [low, high]] of Object.entries(BOUNDS)) {
    requireInteger(`profile.${field}`, profile[field as keyof MachineProfile], low, high);
  }
  for (const [field, cost] of Object.entries(profile.costs)) {
    requireInteger(`profile.costs.${field}`, cost, 1, 1_000_000_000);
  }
  if (profile.timerResolutionNs > profile.clockIntervalNs) {
    throw new MachineError(
      `profile.timerResolutionNs (${profile.timerResolutionNs}) is above clockIntervalNs (${profile.clockIntervalNs}); lower it`,
    );
  }
  if (typeof profile.bootTime100ns !== 'bigint' || !isSystemTime(profile.bootTime100ns)) {
    throw new MachineError(
      `profile.bootTime100ns is ${String(profile.bootTime100ns)}; give a bigint from 0n to 2n ** 63n - 1n, 100 ns since 1601`,
    );
  }
  if (profile.processOutswapNs !== 0 && profile.stackOutswapNs === 0) {
    throw new MachineError(
      'profile.processOutswapNs does nothing without stackOutswapNs: a process goes out after the stacks of its threads; set both',
    );
  }
  if (profile.quantumUnits !== 'table' && profile.quantumUnits !== 'infinite') {
    requireInteger('profile.quantumUnits', profile.quantumUnits, 1, 1_000_000);
  }
  decodePrioritySeparation(profile.win32PrioritySeparation, product);
  return profile;
}

import { KSYSTEM } from '../../assembly/shared/layout';
import { MachineError } from './errors';
import type { Machine } from './machine';
import { isSystemTime, requireInteger } from './profile';
import type { KProcess } from './views';

/**
 * The times of a machine, and what its clock interrupts by. All times start from virtual time: the
 * system time is what it is set to plus that, and what is not precise is the time of the last tick.
 */
export class Clock {
  /** Requests of drivers that are in force, and the lowest of them, ns. */
  private drivers = 0;
  private driversNs = Number.POSITIVE_INFINITY;
  /** One request a process, ns. */
  private readonly processes = new Map<KProcess, number>();
  /** System times at boot by former settings of the clock, and until when they were in force, ns. */
  private readonly settings: { readonly boot: bigint; readonly untilNs: number }[] = [];

  constructor(private readonly machine: Machine) {}

  private word64(field: number): number {
    return this.machine.memory.u64(KSYSTEM.Address + field);
  }

  /** Ns since boot at the last tick. */
  private get tickNs(): number {
    const { now } = this.machine;
    const ticks = Math.floor(now / this.resolutionNs);
    return Math.max(ticks * this.resolutionNs, this.word64(KSYSTEM.TickBase64));
  }

  private get bootTime100ns(): bigint {
    const boot = this.machine.memory.big(KSYSTEM.Address + KSYSTEM.SystemBootTime64);
    return BigInt.asIntN(64, boot);
  }

  private systemTime(ns: number): bigint {
    return this.bootTime100ns + BigInt(Math.floor(ns / 100));
  }

  /** What the system time was at a time since boot, by the clock as it was set then. */
  systemTimeAt100ns(ns: number): bigint {
    const setting = this.settings.find(({ untilNs }) => ns < untilNs);
    return (setting?.boot ?? this.bootTime100ns) + BigInt(Math.floor(ns / 100));
  }

  /** The system time at the last tick, 100 ns since 1601. */
  get systemTime100ns(): bigint {
    return this.systemTime(this.tickNs);
  }

  /** The system time now. */
  get systemTimePrecise100ns(): bigint {
    return this.systemTime(this.machine.now);
  }

  /**
   * Sets the system time. Absolute timers, waits and delays end sooner or later by the difference,
   * those that are over then at the next tick; nothing else notices.
   */
  set systemTime100ns(time100ns: bigint) {
    if (typeof time100ns !== 'bigint' || !isSystemTime(time100ns)) {
      throw new MachineError(
        `systemTime100ns is ${String(time100ns)}; give a bigint from 0n to 2n ** 63n - 1n, 100 ns since 1601`,
      );
    }
    this.settings.push({ boot: this.bootTime100ns, untilNs: this.machine.now });
    this.machine.core.hostSetSystemTime(Number(time100ns & 0xffffffffn), Number(time100ns >> 32n));
  }

  /** Since boot at the last tick, 100 ns. */
  get interruptTime100ns(): number {
    return Math.floor(this.tickNs / 100);
  }

  /** Since boot, 100 ns. */
  get interruptTimePrecise100ns(): number {
    return Math.floor(this.machine.now / 100);
  }

  /** Clock intervals since boot, whatever the resolution. */
  get tickCount(): number {
    return Math.floor(this.tickNs / this.machine.profile.clockIntervalNs);
  }

  /** Counts of the profile's frequency since boot. */
  get performanceCounter(): number {
    const { performanceFrequency } = this.machine.profile;
    return Number((BigInt(this.machine.now) * BigInt(performanceFrequency)) / 1_000_000_000n);
  }

  /** Ns between ticks. */
  get resolutionNs(): number {
    return this.machine.memory.u32(KSYSTEM.Address + KSYSTEM.TimerResolution);
  }

  /** The lowest that can be asked for. */
  get minimumResolutionNs(): number {
    const { minimumTimerResolutionNs, timerResolutionNs } = this.machine.profile;
    return Math.min(minimumTimerResolutionNs, timerResolutionNs);
  }

  /** @internal A driver asks for ticks at least every `ns`; the requests of drivers end together. */
  addDriverRequest(ns: number): void {
    this.drivers++;
    this.driversNs = Math.min(this.driversNs, ns);
    this.update();
  }

  /** @internal One driver asks no more; the last ends what all of them asked for. */
  removeDriverRequest(): void {
    if (this.drivers === 0) return;
    this.drivers--;
    if (this.drivers === 0) this.driversNs = Number.POSITIVE_INFINITY;
    this.update();
  }

  /** @internal A process asks for ticks at least every `ns`, instead of what it asked for before. */
  setProcessRequest(process: KProcess, ns: number): void {
    this.processes.set(process, ns);
    this.update();
  }

  /** @internal Whether the process had asked. */
  removeProcessRequest(process: KProcess): boolean {
    const had = this.processes.delete(process);
    if (had) this.update();
    return had;
  }

  private update(): void {
    const { timerResolutionNs } = this.machine.profile;
    const asked = Math.min(timerResolutionNs, this.driversNs, ...this.processes.values());
    const resolution = requireInteger(
      'resolution (ns)',
      Math.max(asked, this.minimumResolutionNs),
      1,
      0xffffffff,
    );
    if (resolution !== this.resolutionNs) this.machine.core.hostSetTimerResolution(resolution);
  }
}

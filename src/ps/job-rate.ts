import type { CpuRate, JobObject } from './job';

/**
 * CPU rates of jobs. A hard limit lets a job run for its part of each interval, and holds its threads until
 * the next begins. That is found at clock ticks: what was run too long is owed by the intervals to come.
 */

/** JOB_OBJECT_CPU_RATE_CONTROL flags. */
export const enum JOB_OBJECT_CPU_RATE_CONTROL {
  ENABLE = 0x1,
  WEIGHT_BASED = 0x2,
  HARD_CAP = 0x4,
  NOTIFY = 0x8,
  MIN_MAX_RATE = 0x10,
  VALID_FLAGS = 0x1f,
}

/** The whole of a rate. */
export const FULL_RATE = 10_000;

/** Our choice: long enough for small rates to be whole ticks, short enough not to be noticed. */
const INTERVAL_NS = 150_000_000;

/** What of a rate does not change. */
type RateSetting = Pick<CpuRate, 'controlFlags' | 'rate' | 'minimum' | 'weight'>;

/** A rate whose intervals begin now. */
export function beginRate(job: JobObject, setting: RateSetting): CpuRate {
  const { now } = job.machine;
  const start = { sinceNs: now, interval: 0, baseNs: job.runTimeNs, owedNs: 0, held: false };
  return { ...setting, ...start };
}

/** Whether a rate holds threads: one by weight, or that is no hard limit, does not. */
export function limitsRate({ controlFlags }: CpuRate): boolean {
  const hard = JOB_OBJECT_CPU_RATE_CONTROL.HARD_CAP | JOB_OBJECT_CPU_RATE_CONTROL.MIN_MAX_RATE;
  return (controlFlags & hard) !== 0;
}

/** Run time that an interval has for a job: a part of what the job around it has. */
function budgetNs({ machine, parent, cpuRate }: JobObject): number {
  const whole: number =
    parent === undefined ? INTERVAL_NS * machine.processorCount : budgetNs(parent);
  return cpuRate === undefined || !limitsRate(cpuRate) ? whole : (whole * cpuRate.rate) / FULL_RATE;
}

/** Counts what a job has run. @returns whether it has used up what the interval has for it. */
export function spendRate(job: JobObject, rate: CpuRate): boolean {
  if (!limitsRate(rate)) return false;
  const budget = budgetNs(job);
  const run = job.runTimeNs;
  const interval = Math.floor((job.machine.now - rate.sinceNs) / INTERVAL_NS);
  const used = run - rate.baseNs + rate.owedNs;
  if (interval === rate.interval) return used >= budget;
  rate.owedNs = Math.max(0, used - budget * (interval - rate.interval));
  rate.baseNs = run;
  rate.interval = interval;
  return rate.owedNs >= budget;
}

/** When the interval begins in which a job that is held has something left. */
export function nextIntervalNs(job: JobObject, rate: CpuRate): number {
  const used = job.runTimeNs - rate.baseNs + rate.owedNs;
  const intervals = Math.max(1, Math.floor(used / budgetNs(job)));
  return rate.sinceNs + (rate.interval + intervals) * INTERVAL_NS;
}

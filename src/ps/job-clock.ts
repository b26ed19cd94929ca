import { KSYSTEM } from '../../assembly/shared/layout';
import { KeSetTimer } from '../ke/timer';
import type { KernelCode } from '../ke/mode';
import type { KDpc } from '../machine/dpc';
import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import type { KProcess, KTimer } from '../machine/views';
import { processIdOf } from './cid';
import { isTerminating, setWatched } from './executive';
import { chainOf, JOB_OBJECT_END_OF_JOB, JOB_OBJECT_MSG, type JobObject, jobOf } from './job';
import { endByLimit } from './job-end';
import { applyHold, applyHolds, isHeld } from './job-hold';
import { imposeLimits, JOB_OBJECT_LIMIT } from './job-limits';
import { beginRate, limitsRate, nextIntervalNs, spendRate } from './job-rate';

/**
 * Limits of time. Each clock tick of a process whose jobs have one queues a DPC that looks at them: what
 * is passed is found at that tick, and nothing runs while no such process does.
 */

class JobClock {
  /** Jobs with a limit of time, or a rate. */
  readonly jobs = new Set<JobObject>();
  private readonly dpc: KDpc;
  /** Lets go on what is held until an interval begins. */
  private readonly timer: KTimer;
  private readonly timerDpc: KDpc;

  constructor(private readonly machine: Machine) {
    const clock = this;
    this.dpc = machine.createDpc(function* PspCheckJobTimes() {
      yield* clock.tick();
    });
    this.timer = machine.createTimer('notification');
    this.timerDpc = machine.createDpc(function* PspReleaseJobs() {
      yield* clock.release();
    });
    machine.memory.setU32(KSYSTEM.Address + KSYSTEM.TickDpc, this.dpc.address);
  }

  private *tick(): KernelCode<void> {
    let held = false;
    for (const job of [...this.jobs]) {
      checkProcessTimes(job);
      checkJobTime(job);
      checkNotification(job);
      if (job.cpuRate === undefined || job.cpuRate.held || !spendRate(job, job.cpuRate)) continue;
      job.cpuRate.held = true;
      applyHolds(job);
      held = true;
    }
    if (held) yield* this.setTimer();
  }

  /** Lets jobs go on whose interval has come. */
  private *release(): KernelCode<void> {
    for (const job of this.jobs) {
      const { cpuRate } = job;
      if (cpuRate?.held !== true || nextIntervalNs(job, cpuRate) > this.machine.now) continue;
      cpuRate.held = false;
      applyHolds(job);
    }
    yield* this.setTimer();
  }

  private *setTimer(): KernelCode<void> {
    const held = [...this.jobs].flatMap((job) =>
      job.cpuRate?.held === true ? [nextIntervalNs(job, job.cpuRate)] : [],
    );
    if (held.length === 0) return;
    const delay100ns = Math.max(1, Math.ceil((Math.min(...held) - this.machine.now) / 100));
    yield* KeSetTimer(this.timer, -delay100ns, this.timerDpc);
  }
}

const clocks = new PerMachine((machine) => new JobClock(machine));

function isTimed({ limits, notification, cpuRate }: JobObject): boolean {
  const times = JOB_OBJECT_LIMIT.PROCESS_TIME | JOB_OBJECT_LIMIT.JOB_TIME;
  const told = notification !== undefined && !notification.violated;
  return (limits.flags & times) !== 0 || told || (cpuRate !== undefined && limitsRate(cpuRate));
}

function checkProcessTimes(job: JobObject): void {
  const { flags, perProcessUserTimeLimit } = job.limits;
  if ((flags & JOB_OBJECT_LIMIT.PROCESS_TIME) === 0) return;
  for (const process of job.members) {
    if (isTerminating(process) || process.userTime100ns < perProcessUserTimeLimit) continue;
    endByLimit(process, job);
    job.post(JOB_OBJECT_MSG.END_OF_PROCESS_TIME, processIdOf(process));
  }
}

function checkJobTime(job: JobObject): void {
  const { limits } = job;
  if ((limits.flags & JOB_OBJECT_LIMIT.JOB_TIME) === 0) return;
  if (job.userTime100ns < limits.userTimeEnd) return;
  if (job.endOfJobTimeAction === JOB_OBJECT_END_OF_JOB.POST && job.port !== undefined) {
    limits.flags &= ~JOB_OBJECT_LIMIT.JOB_TIME;
    limits.userTimeEnd = Number.POSITIVE_INFINITY;
    job.post(JOB_OBJECT_MSG.END_OF_JOB_TIME, 0);
    watchJob(job);
    return;
  }
  for (const process of [...job.members]) endByLimit(process, job);
  job.waitObject.set();
}

function checkNotification(job: JobObject): void {
  const { notification } = job;
  if (notification === undefined || notification.violated) return;
  if (job.userTime100ns < notification.perJobUserTimeLimit) return;
  notification.violated = true;
  job.post(JOB_OBJECT_MSG.NOTIFICATION_LIMIT, 0);
  watchJob(job);
}

function isWatched(process: KProcess): boolean {
  for (const job of chainOf(jobOf(process))) if (isTimed(job)) return true;
  return false;
}

/** A job has got a limit of time or a rate, or has none any more. */
export function watchJob(job: JobObject): void {
  const timed = isTimed(job);
  if (timed === job.watched) return;
  job.watched = timed;
  const { jobs } = clocks.of(job.machine);
  if (timed) jobs.add(job);
  else jobs.delete(job);
  for (const process of job.members) setWatched(process, isWatched(process));
}

/** A job has gone. */
export function forgetJob(job: JobObject): void {
  if (job.watched) clocks.of(job.machine).jobs.delete(job);
}

/** Gives a process what its jobs say. Without threads that takes no instruction. */
export function* takeUpLimits(process: KProcess): KernelCode<void> {
  setWatched(process, isWatched(process));
  if (isHeld(process)) applyHold(process);
  yield* imposeLimits(process);
}

/** Gives a job another rate, or takes what it has; who was held goes on. */
export function changeRate(
  job: JobObject,
  rate: Parameters<typeof beginRate>[1] | undefined,
): void {
  job.cpuRate = rate === undefined ? undefined : beginRate(job, rate);
  watchJob(job);
  applyHolds(job);
}

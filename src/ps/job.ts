import { STATUS } from '../../assembly/shared/status';
import type { CompletionPacket } from '../io/completion';
import type { KernelCode } from '../ke/mode';
import { processRunTimeNs } from '../ke/process';
import type { Machine } from '../machine/machine';
import type { KQueue } from '../machine/queue';
import type { KEvent, KProcess } from '../machine/views';
import { headerOf, HostObject } from '../ob/object';
import { ObpDereference, ObpReference } from '../ob/reference';
import { processIdOf } from './cid';
import { JOB_OBJECT_LIMIT, JobLimits } from './job-limits';

/**
 * Jobs: which processes are in which, and what is counted and told of that.
 *
 * A process is in a chain of jobs: the innermost, which it names, and all that one is nested in. It leaves
 * the chain at its end, and names its job on. A job finds its place with its first process, and keeps it:
 * on top, or nested in the job that process was in.
 */

/** JOB_OBJECT_MSG: what a completion port is told. */
export const enum JOB_OBJECT_MSG {
  END_OF_JOB_TIME = 1,
  END_OF_PROCESS_TIME = 2,
  ACTIVE_PROCESS_LIMIT = 3,
  ACTIVE_PROCESS_ZERO = 4,
  NEW_PROCESS = 6,
  EXIT_PROCESS = 7,
  ABNORMAL_EXIT_PROCESS = 8,
  PROCESS_MEMORY_LIMIT = 9,
  JOB_MEMORY_LIMIT = 10,
  NOTIFICATION_LIMIT = 11,
  JOB_CYCLE_TIME_LIMIT = 12,
  SILO_TERMINATED = 13,
}

/** What happens when the user time of a whole job has been used up. */
export const enum JOB_OBJECT_END_OF_JOB {
  TERMINATE = 0,
  POST = 1,
}

/** Where a job's messages go. */
export interface JobPort {
  readonly queue: KQueue;
  readonly completionKey: unknown;
}

/** JOBOBJECT_NOTIFICATION_LIMIT_INFORMATION, as far as it is modelled: of the job's user time. */
export interface JobNotification {
  /** JOB_OBJECT_LIMIT flags. */
  readonly flags: number;
  readonly perJobUserTimeLimit: number;
  violated: boolean;
}

/** The CPU rate of a job: at most so much of each interval, if it is a hard limit. */
export interface CpuRate {
  /** JOB_OBJECT_CPU_RATE_CONTROL flags. */
  readonly controlFlags: number;
  /** Of 10,000; with MIN_MAX_RATE the highest. */
  readonly rate: number;
  readonly minimum: number;
  readonly weight: number;
  readonly sinceNs: number;
  /** The interval at hand, and the job's run time when that was first looked at. */
  interval: number;
  baseNs: number;
  /** What was used of later intervals. */
  owedNs: number;
  /** Its threads are held until an interval begins. */
  held: boolean;
}

/** Exit statuses that are told as abnormal: those of exceptions that nobody handled. */
const ABNORMAL: ReadonlySet<number> = new Set([
  0x80000001, 0x80000002, 0x80000003, 0x80000004, 0xc0000005, 0xc0000006, 0xc000001d, 0xc0000025,
  0xc0000026, 0xc000008c, 0xc000008d, 0xc000008e, 0xc000008f, 0xc0000090, 0xc0000091, 0xc0000092,
  0xc0000093, 0xc0000094, 0xc0000095, 0xc0000096, 0xc00000fd, 0xc000013a,
]);

/** EJOB. */
export class JobObject extends HostObject {
  /** The job that it is nested in. */
  parent: JobObject | undefined;
  readonly children = new Set<JobObject>();
  /** Processes in it, those of nested jobs too, that have not ended: in the order in which they came. */
  readonly members = new Set<KProcess>();
  /** How many have been in it, those that a limit kept out too. */
  totalProcesses = 0;
  /** How many a limit has ended or kept out. */
  totalTerminatedProcesses = 0;
  readonly limits = new JobLimits();
  /** JOB_OBJECT_UILIMIT bits. */
  uiRestrictionsClass = 0;
  endOfJobTimeAction: JOB_OBJECT_END_OF_JOB = JOB_OBJECT_END_OF_JOB.TERMINATE;
  port: JobPort | undefined;
  /** What it is as a silo; undefined: it is none. */
  silo: { readonly id: number } | undefined;
  /** It takes no more processes. */
  closed = false;
  /** Called when its last process has left it. */
  onEmpty: () => void = () => undefined;
  /** What it is told of without being held by it; undefined: of nothing. */
  notification: JobNotification | undefined;
  /** JobObjectFreezeInformation: its threads are held. */
  frozen = false;
  cpuRate: CpuRate | undefined;
  /** @internal Its processes' ticks are looked at. */
  watched = false;
  private endedRunNs = 0;
  private endedUser100ns = 0;
  private endedKernel100ns = 0;

  constructor(
    machine: Machine,
    /** Signaled when it is terminated, or its time has been used up. */
    private readonly event: KEvent,
    /** Of the process that made it. */
    readonly sessionId: number,
  ) {
    super(machine);
  }

  override get waitObject(): KEvent {
    return this.event;
  }

  /** User time of its processes, those that have ended too. */
  get userTime100ns(): number {
    return sumOf(this.members, ({ userTime100ns }) => userTime100ns) + this.endedUser100ns;
  }

  get kernelTime100ns(): number {
    return sumOf(this.members, ({ kernelTime100ns }) => kernelTime100ns) + this.endedKernel100ns;
  }

  get runTimeNs(): number {
    return sumOf(this.members, processRunTimeNs) + this.endedRunNs;
  }

  /** Whether nobody has been in it, so that it can still be nested in any job. */
  get isFresh(): boolean {
    return this.totalProcesses === 0 && this.parent === undefined;
  }

  /** Tells its port, if it has one; `value` is the id of the process, or 0. */
  post(message: JOB_OBJECT_MSG, value: number): void {
    if (this.port === undefined) return;
    const { queue, completionKey } = this.port;
    const packet: CompletionPacket = {
      keyContext: completionKey,
      apcContext: value,
      ioStatus: { status: STATUS.SUCCESS, information: message },
    };
    queue.insert(packet);
  }

  /** @internal A process comes in. */
  add(process: KProcess): void {
    ObpReference(headerOf('joinJob', this));
    this.members.add(process);
    this.totalProcesses++;
    // What it has run before is none of the job's rate.
    if (this.cpuRate !== undefined) this.cpuRate.baseNs += processRunTimeNs(process);
    this.post(JOB_OBJECT_MSG.NEW_PROCESS, processIdOf(process));
  }

  /** @internal A process is kept out. */
  keepOut(process: KProcess): void {
    this.totalProcesses++;
    this.totalTerminatedProcesses++;
    this.post(JOB_OBJECT_MSG.ACTIVE_PROCESS_LIMIT, processIdOf(process));
  }

  /** @internal A process has ended. */
  remove(process: KProcess): void {
    this.members.delete(process);
    this.endedRunNs += processRunTimeNs(process);
    this.endedUser100ns += process.userTime100ns;
    this.endedKernel100ns += process.kernelTime100ns;
    const abnormal = ABNORMAL.has(process.exitStatus);
    const message = abnormal ? JOB_OBJECT_MSG.ABNORMAL_EXIT_PROCESS : JOB_OBJECT_MSG.EXIT_PROCESS;
    this.post(message, processIdOf(process));
    if (this.members.size !== 0) return;
    this.post(JOB_OBJECT_MSG.ACTIVE_PROCESS_ZERO, 0);
    this.onEmpty();
  }

  /** @internal Gives it the place of a job nested in another. */
  nest(parent: JobObject): void {
    ObpReference(headerOf('joinJob', parent));
    this.parent = parent;
    parent.children.add(this);
  }
}

function sumOf(processes: Iterable<KProcess>, value: (process: KProcess) => number): number {
  let sum = 0;
  for (const process of processes) sum += value(process);
  return sum;
}

/** The innermost job of a process, which may have ended. */
export function jobOf(process: KProcess): JobObject | undefined {
  return process.job as JobObject | undefined;
}

/** By what number a silo is told of. */
export function siloNumber(job: JobObject): number {
  return job.silo?.id ?? 0;
}

/** A job and those that it is nested in, from within. */
export function* chainOf(job: JobObject | undefined): Generator<JobObject, void, undefined> {
  for (let at = job; at !== undefined; at = at.parent) yield at;
}

/** Whether a process is in a job, or was at its end. */
export function isInJob(process: KProcess, job: JobObject): boolean {
  for (const at of chainOf(jobOf(process))) if (at === job) return true;
  return false;
}

/** The jobs that a process would come into by joining one; undefined: it cannot. */
function newJobs(process: KProcess, job: JobObject): JobObject[] | undefined {
  const current = jobOf(process);
  if (current !== undefined && job.isFresh)
    return job.uiRestrictionsClass === 0 ? [job] : undefined;
  const jobs: JobObject[] = [];
  for (const at of chainOf(job)) {
    if (at === current) return jobs;
    jobs.push(at);
  }
  return current === undefined ? jobs : undefined;
}

/**
 * Puts a process into a job and those that it is nested in. A job that nobody has been in is nested in the
 * process's innermost job.
 *
 * @returns SUCCESS, also for one that it is in already; ACCESS_DENIED: the job is nested elsewhere,
 *   or is a silo that ends; QUOTA_EXCEEDED: the process would be one more than a job may have.
 */
export function joinJob(process: KProcess, job: JobObject): number {
  if (isInJob(process, job)) return STATUS.SUCCESS;
  const jobs = newJobs(process, job);
  if (jobs === undefined || jobs.some(({ closed }) => closed)) return STATUS.ACCESS_DENIED;
  const full = jobs.find(({ limits, members }) => {
    const limited = (limits.flags & JOB_OBJECT_LIMIT.ACTIVE_PROCESS) !== 0;
    return limited && members.size >= limits.activeProcessLimit;
  });
  if (full !== undefined) {
    full.keepOut(process);
    return STATUS.QUOTA_EXCEEDED;
  }
  const current = jobOf(process);
  if (current !== undefined && job.isFresh) job.nest(current);
  process.job = job;
  for (const at of jobs) at.add(process);
  return STATUS.SUCCESS;
}

/** The end of a process, for its jobs: it leaves them from within. */
export function* leaveJobs(process: KProcess): KernelCode<void> {
  const jobs = [...chainOf(jobOf(process))].filter(({ members }) => members.has(process));
  for (const job of jobs) job.remove(process);
  for (const job of jobs) yield* ObpDereference(headerOf('leaveJobs', job));
}

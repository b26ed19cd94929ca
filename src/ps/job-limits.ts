import { KPROCESS } from '../../assembly/shared/layout';
import { PRIORITY_CLASS } from '../../assembly/shared/types';
import type { KernelCode } from '../ke/mode';
import {
  classBasePriority,
  KeSetAffinityProcess,
  KeSetPriorityProcess,
  processAffinity,
  setPriorityClass,
} from '../ke/process';
import type { KProcess } from '../machine/views';

/** What jobs limit. Of nested jobs the narrowest limit counts. */

/** JOB_OBJECT_LIMIT flags. */
export const enum JOB_OBJECT_LIMIT {
  WORKINGSET = 0x1,
  PROCESS_TIME = 0x2,
  JOB_TIME = 0x4,
  ACTIVE_PROCESS = 0x8,
  AFFINITY = 0x10,
  PRIORITY_CLASS = 0x20,
  PRESERVE_JOB_TIME = 0x40,
  SCHEDULING_CLASS = 0x80,
  PROCESS_MEMORY = 0x100,
  JOB_MEMORY = 0x200,
  DIE_ON_UNHANDLED_EXCEPTION = 0x400,
  BREAKAWAY_OK = 0x800,
  SILENT_BREAKAWAY_OK = 0x1000,
  KILL_ON_JOB_CLOSE = 0x2000,
  SUBSET_AFFINITY = 0x4000,
  BASIC_VALID = 0xff,
  EXTENDED_VALID = 0x7fff,
}

const DEFAULT_SCHEDULING_CLASS = 5;
/** Quantum units of a step of the scheduling class, and of a process with long quanta of one length. */
const SCHEDULING_CLASS_UNITS = 6;
const LONG_FIXED_UNITS = 36;

/** The limits of one job: those that its flags name are in force. Times are 100 ns. */
export class JobLimits {
  /** JOB_OBJECT_LIMIT flags. */
  flags = 0;
  perProcessUserTimeLimit = 0;
  /** As it was set; `userTimeEnd` is what it comes to. */
  perJobUserTimeLimit = 0;
  /** User time of the job up to when its limit was last set, and at which its time is over. */
  userTimeBase = 0;
  userTimeEnd = Number.POSITIVE_INFINITY;
  kernelTimeBase = 0;
  minimumWorkingSetSize = 0;
  maximumWorkingSetSize = 0;
  activeProcessLimit = 0;
  affinity = 0n;
  priorityClass: PRIORITY_CLASS = PRIORITY_CLASS.Normal;
  /** 0 to 9. */
  schedulingClass = DEFAULT_SCHEDULING_CLASS;
  processMemoryLimit = 0;
  jobMemoryLimit = 0;
}

/** A job, as far as limits go. */
interface Limited {
  readonly parent: Limited | undefined;
  readonly limits: JobLimits;
}

function* limited(
  job: Limited | undefined,
  flag: JOB_OBJECT_LIMIT,
): Generator<JobLimits, void, undefined> {
  for (let at = job; at !== undefined; at = at.parent) {
    if ((at.limits.flags & flag) !== 0) yield at.limits;
  }
}

/** The processors that jobs leave to a process; undefined: they do not limit that. */
export function jobAffinity(job: Limited | undefined): bigint | undefined {
  let mask: bigint | undefined;
  for (const { affinity } of limited(job, JOB_OBJECT_LIMIT.AFFINITY))
    mask = mask === undefined ? affinity : mask & affinity;
  return mask;
}

/** The priority class that jobs give their processes; undefined: they do not. */
export function jobPriorityClass(job: Limited | undefined): PRIORITY_CLASS | undefined {
  let lowest: PRIORITY_CLASS | undefined;
  for (const { priorityClass } of limited(job, JOB_OBJECT_LIMIT.PRIORITY_CLASS)) {
    const lower =
      lowest === undefined || classBasePriority(priorityClass) < classBasePriority(lowest);
    if (lower) lowest = priorityClass;
  }
  return lowest;
}

/** The quantum that jobs give their processes, in units: with long quanta of one length alone. */
function jobQuantum(job: Limited | undefined, { machine }: KProcess): number | undefined {
  const { foreground, background } = machine.quanta;
  if (foreground !== LONG_FIXED_UNITS || background !== LONG_FIXED_UNITS) return undefined;
  let lowest: number | undefined;
  for (const { schedulingClass } of limited(job, JOB_OBJECT_LIMIT.SCHEDULING_CLASS))
    lowest = Math.min(lowest ?? schedulingClass, schedulingClass);
  return lowest === undefined ? undefined : (lowest + 1) * SCHEDULING_CLASS_UNITS;
}

/** Gives a process what its jobs say. Without threads that takes no instruction. */
export function* imposeLimits(process: KProcess): KernelCode<void> {
  const job = process.job as Limited | undefined;
  const priorityClass = jobPriorityClass(job);
  if (priorityClass !== undefined && priorityClass !== process.priorityClass) {
    setPriorityClass(process, priorityClass);
    yield* KeSetPriorityProcess(process, classBasePriority(priorityClass));
  }
  const quantum = jobQuantum(job, process);
  const { memory } = process.machine;
  if (quantum !== undefined) memory.setU32(process.address + KPROCESS.QuantumReset, quantum);
  const affinity = jobAffinity(job);
  if (affinity === undefined) return;
  const mask = affinity & process.machine.groupAffinity(process.group);
  if (mask !== 0n && mask !== processAffinity(process)) yield* KeSetAffinityProcess(process, mask);
}
